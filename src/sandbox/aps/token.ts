import { APS_ACCOUNT, APS_LIFETIME_S } from './consent.js';
import { inOwnWords } from './error.js';
import { readScopes } from './scopes.js';
import { APS_USER } from './user.js';
import { isVerifierOf, type Grants, type Issued } from '../grants.js';
import {
  formProblem,
  readBasic,
  refusal,
  type Answer,
  type Call,
  type Refused,
} from '../message.js';
import {
  answerTokenRequest,
  invalidClient,
  invalidRequest,
  WRONG_SECRET,
  exchangeRefreshToken,
} from '../token-endpoint.js';

interface Client {
  readonly id: string;
  readonly type: 'public' | 'confidential';
}

/** A secret goes into the header, an id without a secret into the body, and nothing into both. */
function readClient(call: Call): Client | Refused {
  const { form, headers } = call;
  const id = form.get('client_id');
  if (headers['authorization'] === undefined) {
    if (form.has('client_secret')) return invalidClient('A secret belongs in a Basic header.');
    return id ? { id, type: 'public' } : invalidClient('No client credentials were found.');
  }
  if (id !== null || form.has('client_secret')) {
    return invalidRequest('Client credentials are in the header and in the body.');
  }
  const basic = readBasic(call);
  if (!basic) return { error: 'AUTH-012', description: 'The Authorization header is not Basic.' };
  return basic.id && basic.secret && basic.secret !== WRONG_SECRET
    ? { id: basic.id, type: 'confidential' }
    : invalidClient('The client_id or client_secret is not valid.');
}

/** RFC 9700 section 4.8.2: with challenge and verifier, or, for a confidential client, with neither. */
function pkceProblem(
  type: Client['type'],
  codeChallenge: string,
  codeVerifier: string | null,
): string | undefined {
  if (codeChallenge === '') {
    return type === 'public' || codeVerifier !== null
      ? 'The authorization request had no code_challenge.'
      : undefined;
  }
  return codeVerifier !== null && isVerifierOf(codeVerifier, codeChallenge)
    ? undefined
    : 'The code_verifier does not match the code_challenge.';
}

function exchange(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  const { form } = call;
  const required = ['code', 'redirect_uri', ...(client.type === 'public' ? ['code_verifier'] : [])];
  const missing = required.find((name) => !form.get(name));
  if (missing !== undefined) return invalidRequest(`${missing} is missing.`);
  return grants.takeCode(form.get('code') ?? '', ({ grant, redirectUri, codeChallenge }) => {
    if (client.id !== grant.clientId) return 'The code belongs to another client.';
    if (form.get('redirect_uri') !== redirectUri) {
      return 'The redirect_uri is not the one of the authorization request.';
    }
    return pkceProblem(client.type, codeChallenge, form.get('code_verifier'));
  });
}

function refresh(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  return exchangeRefreshToken(call, client.id, grants, call.form.get('scope'));
}

function signInService(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  if (client.type === 'public') return invalidClient('This grant needs a client secret.');
  const scopes = readScopes(call.form.get('scope'));
  if (!scopes) return { error: 'invalid_scope', description: 'scope is missing or unknown.' };
  return grants.issueToService({
    clientId: client.id,
    subject: 'service',
    organizationId: APS_ACCOUNT.id,
    scopes,
    lifetimeS: APS_LIFETIME_S,
  });
}

const GRANT_TYPES = {
  authorization_code: exchange,
  refresh_token: refresh,
  client_credentials: signInService,
};

/** An `id_token` is left out: it would have to be signed, and the sandbox has no keys. */
const writeTokens = ({ accessToken, refreshToken, lifetimeS }: Issued) => ({
  access_token: accessToken,
  token_type: 'Bearer',
  expires_in: lifetimeS,
  refresh_token: refreshToken,
});

export const apsToken = (call: Call, grants: Grants): Answer =>
  inOwnWords(answerTokenRequest(call, GRANT_TYPES, grants, writeTokens));

const HINTS: readonly (string | null)[] = ['access_token', 'refresh_token'];

/** Unlike RFC 7009, the hint is required. A token of another client stays as it is. */
export function apsRevocation(call: Call, grants: Grants): Answer {
  const { form } = call;
  const token = form.get('token');
  const problem = formProblem(call, ['token', 'token_type_hint', 'client_id']);
  const isComplete = token && HINTS.includes(form.get('token_type_hint'));
  const client =
    problem === undefined && isComplete
      ? readClient(call)
      : invalidRequest(problem ?? 'token and token_type_hint are required.');
  if ('error' in client) return inOwnWords(refusal(client));
  if (token) grants.revoke(token, client.id);
  return { status: 200 };
}

/** RFC 7662, about the client's own tokens. */
export function apsIntrospection(call: Call, grants: Grants): Answer {
  const token = call.form.get('token');
  const problem = formProblem(call, ['token', 'client_id']);
  const client =
    problem === undefined && token
      ? readClient(call)
      : invalidRequest(problem ?? 'token is required.');
  if ('error' in client) return inOwnWords(refusal(client));
  const claims = token ? grants.readAccessToken(token) : null;
  if (claims?.clientId !== client.id) return { status: 200, json: { active: false } };
  const { scopes, clientId, issuedMs, lifetimeS, subject } = claims;
  return {
    status: 200,
    json: {
      active: true,
      scope: scopes.join(' '),
      client_id: clientId,
      exp: Math.floor(issuedMs / 1000) + lifetimeS,
      ...(subject === 'user' && { userid: APS_USER.sub }),
    },
  };
}
