import { MortiseError, type ErrorCode, type OAuthRefusal } from '../errors.js';
import { formEncode } from './token-request.js';

type RefusalCode = 'access_denied' | 'invalid_grant' | 'invalid_client' | 'oauth_error';

/** Refusals that say "not now" rather than "no". @see RFC 6749 section 4.1.2.1 */
const PASSING = ['temporarily_unavailable', 'server_error', 'slow_down'];
/** RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5: words that are no secret, whatever the secrets are. */
const REGISTERED =
  /^(invalid_(request|client|grant|scope)|un(authorized_client|supported_(grant|response)_type)|access_denied|server_error|temporarily_unavailable|authorization_pending|slow_down|expired_token)$/;
const OWN_CODE: readonly string[] = ['access_denied', 'invalid_grant', 'invalid_client'];

/**
 * The server's own words, fit to be shown: printable ASCII as RFC 6749 allows, at most 200 characters, and
 * nothing that was secret in the request, should the server repeat it.
 */
export function readRefusal(
  fields: { readonly error?: unknown; readonly error_description?: unknown },
  secrets: readonly string[],
  status?: number,
): OAuthRefusal {
  // Also as they were sent, and the longest first, should one begin like another.
  const hidden = [...secrets, ...secrets.map(formEncode)].sort((a, b) => b.length - a.length);
  const clean = (value: unknown, maxLength: number) => {
    if (typeof value !== 'string') return undefined;
    const text = hidden.reduce(
      (kept, secret) => (secret ? kept.split(secret).join('…') : kept),
      value,
    );
    // A secret in another spelling, Base64 or encoded twice, is still long and no word.
    const words = text.replace(/\S{20,}/g, (run) => (/^[a-z_]+$/i.test(run) ? run : '…'));
    return words.replace(/[^\x20-\x7e…]+/g, ' ').slice(0, maxLength) || undefined;
  };
  const isRegistered = typeof fields.error === 'string' && REGISTERED.test(fields.error);
  const error = isRegistered ? String(fields.error) : clean(fields.error, 60);
  const errorDescription = clean(fields.error_description, 200);
  return {
    ...(status && { status }),
    ...(error && { error }),
    ...(errorDescription && { errorDescription }),
  };
}

/** Scopes as an error may show them: a long run with a digit in it is no word, but may be a token in any spelling. */
export const readScope = (text: string, secrets: readonly string[] = []): string =>
  secrets
    .reduce((kept, secret) => (secret ? kept.split(secret).join('…') : kept), text)
    .replace(/[^\s:.]{16,}/g, (run) => (/\d/.test(run) ? '…' : run))
    .replace(/[^\x20-\x7e…]+/g, ' ')
    .slice(0, 200);

/** @see RFC 6749 sections 4.1.2.1 and 5.2 */
export function refusalError(
  refusal: OAuthRefusal,
  hint: (code: ErrorCode) => string | undefined,
): MortiseError {
  const { error = '' } = refusal;
  const code = OWN_CODE.includes(error) ? (error as RefusalCode) : 'oauth_error';
  return new MortiseError(code, refusal, { hint: hint(code), retryable: PASSING.includes(error) });
}
