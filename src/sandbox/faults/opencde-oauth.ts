import { mistake } from '../consent.js';
import { bendJson, type Faulty } from './fault.js';
import { refusal } from '../message.js';
import { OPENCDE_NAME } from '../opencde/consent.js';
import { invalidClient } from '../token-endpoint.js';

/** How a server's OAuth can differ from the standard's example. */
export const OPENCDE_OAUTH_FAULTS = {
  'opencde-redirect-url': {
    does: 'The consent page wants redirect_url, as the standard’s example has it, not redirect_uri.',
    at: 'consent',
    bend: (answer, { url }) =>
      url.searchParams.has('redirect_url')
        ? answer
        : mistake(OPENCDE_NAME, 'redirect_url is missing', ['redirect_uri is not read here']),
  },
  'opencde-token-200': {
    does: 'A good token answer comes with status 200 (the standard’s example has 201).',
    at: 'token',
    bend: (answer) => ({ ...answer, status: 200 }),
  },
  'opencde-token-lifetime-number': {
    does: 'The lifetime is a number (the standard’s example has a text).',
    at: 'token',
    bend: bendJson((json) => ({ ...json, expires_in: Number(json['expires_in']) })),
  },
  'opencde-token-basic-required': {
    does: 'The token endpoint takes no client without a Basic header: status 401, invalid_client.',
    at: 'token',
    bend: (answer, { headers }) =>
      headers['authorization'] === undefined
        ? refusal(invalidClient('The client must authenticate by HTTP Basic.'))
        : answer,
  },
} as const satisfies Faulty;
