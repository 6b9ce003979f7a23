import type { Grants, Issued } from './grants.js';
import { formProblem, refusal, type Answer, type Call, type Refused } from './message.js';
import type { Claims } from './token.js';

const FIELDS = [
  'grant_type',
  'client_id',
  'client_secret',
  'code',
  'redirect_uri',
  'code_verifier',
  'refresh_token',
  'scope',
  'token',
  'device_code',
];

/** Every client and every secret is known here, but this one: so that a refusal can be seen. */
export const WRONG_SECRET = 'wrong';

export type GrantHandler = (call: Call, grants: Grants) => Issued | Refused;

function isRefused(result: object): result is Refused {
  return 'error' in result;
}

export const invalidRequest = (description: string): Refused => ({
  error: 'invalid_request',
  description,
});

export const invalidClient = (description: string): Refused => ({
  error: 'invalid_client',
  description,
});

/** RFC 6749 section 3.2: one handler for each grant type, and what the platform calls its tokens. */
export function answerTokenRequest(
  call: Call,
  handlers: Readonly<Record<string, GrantHandler>>,
  grants: Grants,
  write: (issued: Issued, call: Call) => unknown,
): Answer {
  const problem = formProblem(call, FIELDS);
  if (problem !== undefined) return refusal(invalidRequest(problem));
  const grantType = call.form.get('grant_type');
  if (!grantType) return refusal(invalidRequest('grant_type is missing.'));
  const handler = Object.entries(handlers).find(([name]) => name === grantType)?.[1];
  if (!handler) {
    return refusal({ error: 'unsupported_grant_type', description: 'Not served here.' });
  }
  const result = handler(call, grants);
  return isRefused(result) ? refusal(result) : { status: 200, json: write(result, call) };
}

/** RFC 6749 section 4.1.3 with RFC 7636, once it is known who asks. */
export function exchangeCode({ form }: Call, clientId: string, grants: Grants): Issued | Refused {
  const missing = ['code', 'redirect_uri', 'code_verifier'].find((name) => !form.get(name));
  if (missing !== undefined) return invalidRequest(`${missing} is missing.`);
  return grants.redeemCode(form.get('code') ?? '', {
    clientId,
    redirectUri: form.get('redirect_uri') ?? '',
    codeVerifier: form.get('code_verifier') ?? '',
  });
}

/**
 * RFC 6749 section 6, once it is known who asks.
 *
 * @param scope Fewer, where the platform reads that parameter.
 */
export function exchangeRefreshToken(
  { form }: Call,
  clientId: string | null,
  grants: Grants,
  scope: string | null = null,
): Issued | Refused {
  const token = form.get('refresh_token');
  return token
    ? grants.redeemRefreshToken(token, clientId, scope?.split(' ') ?? null)
    : invalidRequest('refresh_token is missing.');
}

/** The bearer's claims, or the refusal of RFC 6750 section 3. */
export function readBearer(call: Call, grants: Grants): Claims | Answer {
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(call.headers['authorization'] ?? '')?.[1];
  const claims = token === undefined ? null : grants.readAccessToken(token);
  return claims ?? challenge(401, 'Bearer error="invalid_token"');
}

export function challenge(status: 401 | 403, wwwAuthenticate: string): Answer {
  return {
    status,
    headers: { 'www-authenticate': wwwAuthenticate },
    json: { statusCode: status, message: status === 401 ? 'Unauthorized' : 'Forbidden' },
  };
}
