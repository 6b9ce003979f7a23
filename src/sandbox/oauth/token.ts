import { DEVICE_CODE_GRANT } from '../devices.js';
import type { Grants, Issued } from '../grants.js';
import {
  formProblem,
  readBasic,
  refusal,
  type Answer,
  type Call,
  type Refused,
} from '../message.js';
import { OAUTH_LIFETIME_S } from './consent.js';
import { ORGANIZATIONS } from '../organizations.js';
import {
  answerTokenRequest,
  exchangeCode,
  invalidClient,
  invalidRequest,
  WRONG_SECRET,
  exchangeRefreshToken,
} from '../token-endpoint.js';

type Client = { readonly id: string; readonly secret: string | null };

/** RFC 6749 section 2.3.1: one way to authenticate, or none for a public client. */
export function readClient(call: Call): Client | Refused {
  const { form, headers } = call;
  const plain = (text: string) => new URLSearchParams(`x=${text}`).get('x') ?? '';
  const basic = readBasic(call);
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  if (headers['authorization'] !== undefined && !basic) {
    return invalidClient('The Authorization header cannot be read.');
  }
  if (basic && (secret !== null || (id !== null && id !== plain(basic.id)))) {
    return invalidRequest('The client authenticates in two ways.');
  }
  const client = basic ? { id: plain(basic.id), secret: plain(basic.secret) } : { id, secret };
  if (!client.id) return invalidClient('client_id is missing.');
  return client.secret === WRONG_SECRET
    ? invalidClient('The client secret is wrong.')
    : { id: client.id, secret: client.secret };
}

function exchange(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  return 'error' in client ? client : exchangeCode(call, client.id, grants);
}

function refresh(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  return exchangeRefreshToken(call, client.id, grants, call.form.get('scope'));
}

/** RFC 8628 section 3.4. */
function poll(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  const deviceCode = call.form.get('device_code');
  if (!deviceCode) return invalidRequest('device_code is missing.');
  return grants.devices.poll(deviceCode, client.id);
}

function signInService(call: Call, grants: Grants): Issued | Refused {
  const client = readClient(call);
  if ('error' in client) return client;
  if (!client.secret) return invalidClient('This grant needs a client secret.');
  return grants.issueToService({
    clientId: client.id,
    subject: 'service',
    organizationId: ORGANIZATIONS[0].id,
    scopes: call.form.get('scope')?.split(' ') ?? [],
    lifetimeS: OAUTH_LIFETIME_S,
  });
}

/** RFC 6749 section 5.1. */
function writeTokens({ accessToken, refreshToken, lifetimeS, scopes }: Issued) {
  return {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: lifetimeS,
    refresh_token: refreshToken,
    scope: scopes.join(' '),
  };
}

export function oauthToken(call: Call, grants: Grants): Answer {
  const handlers = {
    authorization_code: exchange,
    refresh_token: refresh,
    client_credentials: signInService,
    [DEVICE_CODE_GRANT]: poll,
  };
  return answerTokenRequest(call, handlers, grants, writeTokens);
}

/** RFC 7009: a token nobody knows is as good as revoked. */
export function oauthRevocation(call: Call, grants: Grants): Answer {
  const problem = formProblem(call, ['token', 'client_id', 'client_secret']);
  const token = call.form.get('token');
  if (problem !== undefined || !token) {
    return refusal(invalidRequest(problem ?? 'token is missing.'));
  }
  const client = readClient(call);
  if ('error' in client) return refusal(client);
  grants.revoke(token, client.id);
  return { status: 200 };
}
