import { MortiseError, type AnyMortiseError } from '../errors.js';
import { parseServerRoot } from '../oauth/endpoint.js';
import { fromProfile, type ClientOptions, type Profile } from '../oauth/profile.js';
import type { ApiFailure, OwnProtocol, Provider } from '../oauth/provider.js';
import { readRefusal } from '../oauth/refusal.js';

/**
 * @module Graphisoft BIMcloud, from GRAPHISOFT/bimcloud-api, which calls itself an alpha version: openapi/2023.2.yaml
 * at 0b1b12a and as of later on master, README.md, lib/managerapi.py and lib/workflow.py, read on 2026-11-22.
 *
 * There is no secret, no registration and no scope. The token request is the form Graphisoft's own client sends,
 * where the specification says JSON and `client-id`. Lifetimes are moments. There is no way to revoke.
 *
 * PKCE depends on the manager's version, and no document shows the verifier in the token request: it is sent as
 * RFC 7636 has it, but not relied on. Nor is it said that the redirect repeats `state`: a redirect without it is
 * ignored, for nothing else would bind it to its sign-in. Asking for the code by `state` instead of waiting for a
 * redirect, as Graphisoft's client does, is not done here.
 */

export interface BimcloudOptions extends Omit<ClientOptions, 'apiBaseUrl'> {
  /** Any text that is unlike others’, such as your domain: it is not registered. */
  readonly clientId: string;
  /** The address of the customer's BIMcloud Manager, as its users type it. */
  readonly managerUrl: string;
  /** Not registered, but the same from beginning to end. The first that can be had is used. */
  readonly redirectUris: readonly string[];
}

const profileOf = (manager: string): Profile => ({
  id: 'bimcloud',
  facts: {
    sources: [
      'github.com/GRAPHISOFT/bimcloud-api: openapi/2023.2.yaml at 0b1b12a and on master, README.md, lib/managerapi.py, lib/workflow.py',
    ],
    readOn: '2026-11-22',
  },
  endpoints: {
    authorization: `${manager}/management/client/oauth2/authorize`,
    token: `${manager}/management/client/oauth2/token`,
  },
  apiBaseUrl: `${manager}/management/client`,
  clients: { public: { pkce: 'unknown' } },
  scopes: 'none',
  omits: ['response_type'],
  protocol: {
    tokens: ({ access_token_exp: endsAtS, ...others }, nowMs) =>
      typeof endsAtS === 'number'
        ? { ...others, expires_in: Math.floor(endsAtS - nowMs / 1000) }
        : others,
    refusal,
  },
  apiFailure,
});

export function bimcloud(options: BimcloudOptions): Provider {
  return fromProfile(profileOf(parseServerRoot(options.managerUrl, 'managerUrl')), options);
}

interface ErrorBody {
  readonly error?: unknown;
  readonly error_description?: unknown;
  readonly inner?: unknown;
}

/**
 * The manager's own errors, with status 430: `{ "error-code": number, "error-message": "Name: text" }`. The name says
 * what the number does.
 */
function ownError(body: unknown) {
  const { 'error-code': code, 'error-message': message } = Object(body) as Record<string, unknown>;
  if (typeof code !== 'number') return undefined;
  const text = typeof message === 'string' ? message.replace(/^\w+Error: /, '') : undefined;
  return { error: String(code), error_description: text };
}

/**
 * Of an OAuth error without a description, what is inside says more. `invalid_token` is in the specification's list
 * of errors: the only token of a token request is the refresh token, and that is what `invalid_grant` is for.
 */
const refusal: NonNullable<OwnProtocol['refusal']> = (body, step) => {
  const { error, error_description: said, inner } = body as ErrorBody;
  if (typeof error !== 'string') return ownError(body);
  return {
    error: step === 'refresh' && error === 'invalid_token' ? 'invalid_grant' : error,
    error_description: said || ownError(inner)?.error_description,
  };
};

function apiFailure({ status, json }: ApiFailure): AnyMortiseError | undefined {
  const own = status === 430 ? ownError(json) : undefined;
  return own && new MortiseError('http_error', { ...readRefusal(own, [], status), status });
}
