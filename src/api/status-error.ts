import { MortiseError, type AnyMortiseError, type ErrorCode } from '../errors.js';
import type { Answer } from '../http/exchange.js';
import { readRetryAfterMs } from '../oauth/retry-after.js';

/**
 * What a status outside 2xx means. The body is not looked at: whatever it says, it says it to the author.
 *
 * @see RFC 6750 section 3.1, RFC 6585 section 4
 */
export function statusError(
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  nowMs: number,
  accessToken: string,
  hintFor: (code: ErrorCode, status: number) => string | undefined,
): AnyMortiseError {
  const challenge = (headers.get('www-authenticate') ?? '').slice(0, 4096);
  const retryAfterMs = readRetryAfterMs(headers.get('retry-after'), nowMs);
  const options = (code: ErrorCode) => ({ hint: hintFor(code, status) });
  if (/\berror\s*=\s*"?insufficient_scope\b/i.test(challenge)) {
    const scope =
      /\bscope\s*=\s*"([\x20-\x7e]*?)"/i.exec(challenge)?.[1]?.replaceAll(accessToken, '…') ?? null;
    const code = 'insufficient_scope';
    return new MortiseError(code, { status, scope }, options(code)) as AnyMortiseError;
  }
  if (status === 403) {
    return new MortiseError('forbidden', { status }, options('forbidden')) as AnyMortiseError;
  }
  if (status === 429 || (status >= 500 && retryAfterMs !== null)) {
    const code = 'rate_limited';
    return new MortiseError(code, { status, retryAfterMs }, options(code)) as AnyMortiseError;
  }
  return new MortiseError(
    'http_error',
    { status },
    { ...options('http_error'), retryable: status >= 500 },
  ) as AnyMortiseError;
}
