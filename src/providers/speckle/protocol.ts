import { MortiseError, type MortiseErrorOptions } from '../../errors.js';
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
  const fail = (problem: string, options: MortiseErrorOptions) =>
    new MortiseError('discovery_failed', { issuer: origin, problem, status }, options);
  // "Not now" is not "not here": a busy server or proxy must not make anybody's sign-in a weaker one.
  if (status >= 500 || [401, 403, 407, 408, 425, 429].includes(status)) {
    throw fail('it cannot tell which exchange it has', { retryable: true });
  }
  if (!hasSecret) {
    const hint = 'This server needs the secret of the app: tell the plug-in’s author.';
    throw fail('it has only the older exchange, which needs appSecret', { hint });
  }
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
    known: { authorizationEndpoint: `${origin}/authn/verify`, tokenEndpoint: older },
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
    isForeignCode: ({ details: { errorDescription = '' } }) => FOREIGN.test(errorDescription),
  };
}

/** Codes the server never gave for this challenge: not one that is too old, nor what no document has. */
const FOREIGN =
  /^(Access code not found|Code challenge mismatch|Invalid request(\.?$|: application id))/i;

const SPENT = {
  // Older servers say "Invalid request" of a challenge that does not fit, and no more.
  exchange:
    /^(Access code (not found|expired)|Code challenge mismatch|Invalid request(\.?$|: application id))/i,
  refresh: /^(Invalid (request|token)|Refresh token expired)\.?$/i,
};

/**
 * The server's three shapes: `{ err }`, `{ error: text }` and `{ error: { code, message } }`. A word of RFC 6749
 * section 5.2 is left as it is: what the newer exchange says is in no document.
 */
const refusal: NonNullable<OwnProtocol['refusal']> = ({ err, error }, step) => {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  const own = typeof code === 'string' ? code : 'invalid_request';
  const said = err ?? message ?? error;
  if (typeof said !== 'string') return typeof code === 'string' ? { error: own } : undefined;
  if (said === error && /^[a-z_]*$/.test(said)) return undefined;
  const isSpent = SPENT[step].test(said);
  const isSecret = /app (secret|credentials)/i.test(said);
  return {
    error: isSpent ? 'invalid_grant' : isSecret ? 'invalid_client' : own,
    error_description: said,
  };
};
