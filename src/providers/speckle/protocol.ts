import { MortiseError } from '../../errors.js';
import type { OwnProtocol, ReadDocument, ServerMetadata } from '../../oauth/provider.js';

/**
 * Asks whether the server has the exchange that compares the verifier. By the body: a front end that answers
 * everything with a page and status 200 says nothing.
 */
export async function findExchange(
  origin: string,
  hasSecret: boolean,
  readDocument: ReadDocument,
): Promise<ServerMetadata> {
  const { status, text } = await readDocument(`${origin}/oauth/token`);
  const authorizationEndpoint = `${origin}/authn/verify`;
  if (status < 300 && /^\s*"?supported"?\s*$/i.test(text)) {
    return { authorizationEndpoint, tokenEndpoint: `${origin}/oauth/token` };
  }
  const fail = (problem: string, retryable: boolean) =>
    new MortiseError('discovery_failed', { issuer: origin, problem, status }, { retryable });
  // "Not now" is not "not here": a busy server must not make anybody's sign-in a weaker one.
  if (status >= 500 || status === 429) throw fail('it cannot tell which exchange it has', true);
  if (!hasSecret) throw fail('it has only the older exchange, which needs appSecret', false);
  return { authorizationEndpoint, tokenEndpoint: `${origin}/auth/token`, pkce: 'not checked' };
}

/** JSON bodies, and never a bearer: the server refuses a stale one before it looks at anything else. */
export function protocolOf(
  origin: string,
  appId: string,
  appSecret: string | undefined,
): OwnProtocol {
  const post = (url: string, fields: object) => ({
    method: 'POST',
    url,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify(fields),
  });
  const older = `${origin}/auth/token`;
  return {
    authorizationUrl: ({ codeChallenge }, { authorizationEndpoint, pkce }) =>
      `${authorizationEndpoint}/${appId}/${codeChallenge}${pkce ? '' : '?code_challenge_method=S256'}`,
    async tokenRequest(fields, { tokenEndpoint, pkce }, codeChallengeOf) {
      const { code: accessCode, code_verifier: codeVerifier = '' } = fields;
      if (fields['grant_type'] === 'refresh_token') {
        // Also after the newer exchange: there is no other endpoint for it.
        if (appSecret === undefined) throw new MortiseError('invalid_grant', {});
        return post(older, { appId, appSecret, refreshToken: fields['refresh_token'] });
      }
      return pkce
        ? post(older, {
            appId,
            appSecret,
            accessCode,
            challenge: await codeChallengeOf(codeVerifier),
          })
        : post(tokenEndpoint, { appId, accessCode, codeVerifier });
    },
    revocationRequests: ({ accessToken: token, refreshToken }) => [
      post(`${origin}/auth/logout`, { token, ...(refreshToken !== null && { refreshToken }) }),
    ],
    refusal,
  };
}

/** The server's three shapes: `{ err }`, `{ error: text }` and `{ error: { code, message } }`. */
const refusal: NonNullable<OwnProtocol['refusal']> = ({ err, error }, step) => {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return { error: code, error_description: message };
  const said = err ?? error;
  if (typeof said !== 'string') return undefined;
  const isSpent =
    step === 'exchange'
      ? /^Access code (not found|expired)|^Code challenge mismatch/i.test(said)
      : /^Invalid request\.?$/i.test(said);
  const isSecret = /app secret/i.test(said);
  return {
    error: isSpent ? 'invalid_grant' : isSecret ? 'invalid_client' : 'invalid_request',
    error_description: said,
  };
};
