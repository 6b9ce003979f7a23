import { mistake, redirectTo, type ConsentRequest, type ConsentRules } from '../consent.js';
import type { Answer, Call } from '../message.js';
import { ORGANIZATIONS } from '../organizations.js';
import type { Registration } from '../platform.js';
import { answerAt, isRedirectUri } from '../redirect-uri.js';

export const OPENCDE_NAME = 'OpenCDE';

const PARAMETERS = [
  'response_type',
  'client_id',
  'redirect_uri',
  'redirect_url',
  'scope',
  'state',
  'code_challenge',
  'code_challenge_method',
];

/** The standard's example writes `redirect_url`, RFC 6749 `redirect_uri`: either will do. */
function redirectUriOf({ url: { searchParams } }: Call): string {
  return searchParams.get('redirect_uri') ?? searchParams.get('redirect_url') ?? '';
}

const redirect = (call: Call, answer: Readonly<Record<string, string>>) =>
  answerAt(redirectUriOf(call), answer, call.url.searchParams.get('state'));

function read(call: Call, registration: Registration): ConsentRequest | Answer {
  const query = call.url.searchParams;
  const clientId = query.get('client_id');
  const redirectUri = redirectUriOf(call);
  const twice = PARAMETERS.find((name) => query.getAll(name).length > 1);
  const bothNames = query.has('redirect_uri') && query.has('redirect_url');
  if (!clientId || twice !== undefined || bothNames || !isRedirectUri(redirectUri, registration)) {
    // RFC 6749 section 4.1.2.1: nobody is sent to an address that is in doubt.
    return mistake(OPENCDE_NAME, 'The authorization request cannot be answered', [
      'client_id and redirect_uri are required, and no parameter may come twice',
      'redirect_uri is a registered one, or https, or http on loopback when none is registered',
    ]);
  }
  const refuse = (error: string) => redirectTo(redirect(call, { error }));
  if (query.get('response_type') !== 'code') return refuse('unsupported_response_type');

  // Foundation 1.0 and 1.1 do not know PKCE. Whoever sends it, though, means it.
  const codeChallenge = query.get('code_challenge') ?? '';
  const method = query.get('code_challenge_method');
  const hasPkce = codeChallenge !== '' || method !== null;
  if (hasPkce && (method !== 'S256' || !/^[\w-]{43}$/.test(codeChallenge))) {
    return refuse('invalid_request');
  }
  const scopes = (query.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
  return { clientId, redirectUri, codeChallenge, scopes };
}

export const opencdeConsent = (registration: Registration): ConsentRules => ({
  platform: OPENCDE_NAME,
  path: /^\/oauth2\/authorize$/,
  organizations: ORGANIZATIONS,
  lifetimeS: 3_600,
  read: (call) => read(call, registration),
  redirect,
});
