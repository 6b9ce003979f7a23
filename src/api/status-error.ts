import { MortiseError, isMortiseError, type AnyMortiseError, type ErrorCode } from '../errors.js';
import { parseJson, type Answer } from '../http/exchange.js';
import type { Provider } from '../oauth/provider.js';
import { readScope } from '../oauth/refusal.js';
import { readRetryAfterMs } from '../oauth/retry-after.js';

/** Longer than any error page has to be. */
const MAX_FAILURE_BYTES = 65_536;

type Failing = Pick<Answer, 'status' | 'headers'>;

/** What a platform's own words make of an answer that failed. One that cannot be read says nothing. */
export async function readFailureOf(
  answer: Answer,
  accessToken: string,
  { readFailure }: { readonly readFailure?: Provider['apiFailure'] },
): Promise<AnyMortiseError | 'token refused' | undefined> {
  const bytes = await answer.bytes(MAX_FAILURE_BYTES).catch((error: unknown) => {
    if (isMortiseError(error) && error.code === 'aborted') throw error;
    return new Uint8Array();
  });
  const text = new TextDecoder().decode(bytes).split(accessToken).join('…');
  return readFailure?.({
    status: answer.status,
    headers: answer.headers,
    text,
    json: parseJson(text),
  });
}

/**
 * What a status outside 2xx means, when the platform has nothing to say of it.
 *
 * @param isTokenRefused What the platform calls it, whatever its status.
 *
 * @see RFC 6750 section 3.1, RFC 6585 section 4
 */
export function statusError(
  { status, headers }: Failing,
  nowMs: number,
  accessToken: string,
  hintFor: (code: ErrorCode, status: number) => string | undefined,
  isTokenRefused = false,
): AnyMortiseError {
  const challenge = (headers.get('www-authenticate') ?? '').slice(0, 4096);
  const retryAfterMs = readRetryAfterMs(headers.get('retry-after'), nowMs);
  const options = (code: ErrorCode) => ({ hint: hintFor(code, status) });
  if (/\berror\s*=\s*"?insufficient_scope\b/i.test(challenge)) {
    const said = /\bscope\s*=\s*"([\x20-\x7e]*?)"/i.exec(challenge)?.[1];
    const scope = said === undefined ? null : readScope(said, [accessToken]);
    const code = 'insufficient_scope';
    return new MortiseError(code, { status, scope }, options(code));
  }
  if (status === 403 && !isTokenRefused) {
    return new MortiseError('forbidden', { status }, options('forbidden'));
  }
  if (status === 429 || (status >= 500 && retryAfterMs !== null)) {
    const code = 'rate_limited';
    return new MortiseError(code, { status, retryAfterMs }, options(code));
  }
  return new MortiseError(
    'http_error',
    { status },
    { ...options('http_error'), retryable: status >= 500 },
  );
}
