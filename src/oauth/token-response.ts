import { MortiseError, type ErrorCode } from '../errors.js';
import { readRetryAfterMs } from './retry-after.js';
import type { Dialect, OwnProtocol } from './provider.js';
import { readRefusal, refusalError } from './refusal.js';

/** What a token endpoint issued, normalised. */
export interface TokenSet {
  readonly accessToken: string;
  /** `null` when the answer had none: on a refresh the old one stays. */
  readonly refreshToken: string | null;
  /** `null` when the server gave no lifetime that makes sense; then a 401 tells. */
  readonly lifetimeMs: number | null;
  /** `null` when the answer names none: then they are as asked (RFC 6749 section 5.1). */
  readonly scopes: readonly string[] | null;
}

export interface TokenAnswer {
  readonly status: number;
  /** `undefined` when the body was not JSON. */
  readonly json: unknown;
  readonly retryAfter: string | null | undefined;
}

/** What of a provider decides how an answer is read. */
export interface TokenReading {
  readonly dialect: Dialect;
  readonly protocol?: OwnProtocol | undefined;
  readonly step: 'exchange' | 'refresh';
}

/** Printable and without blanks, so that it fits into a header (RFC 6750 section 2.1). */
const TOKEN = /^[\x21-\x7e]+$/;

export const isToken = (value: unknown): value is string =>
  typeof value === 'string' && TOKEN.test(value);

/** Ten years: a longer lifetime is a mistake in units, or somebody's idea of "for ever". */
const LONGEST_LIFETIME_S = 315_360_000;

/**
 * Reads a token set, or throws: success only with a usable token.
 *
 * @param secrets What the request held; removed from the server's words.
 * @throws {MortiseError} `malformed_response`, `invalid_grant`, `invalid_client`, `oauth_error`, `rate_limited`,
 * `http_error`.
 * @see RFC 6749 sections 5.1 and 5.2
 */
export function readTokenResponse(
  answer: TokenAnswer,
  reading: TokenReading,
  secrets: readonly string[],
  nowMs: number,
  hint: (code: ErrorCode) => string | undefined,
): TokenSet {
  const body = readEndpointAnswer(answer, reading, secrets, nowMs, hint);
  const { protocol, dialect } = reading;
  return readTokenSet(protocol?.tokens?.(body, nowMs) ?? body, answer.status, dialect);
}

/** What an endpoint for clients answered, if it was no refusal: the same for tokens and for device codes. */
export function readEndpointAnswer(
  { status, json, retryAfter }: TokenAnswer,
  { protocol, step }: TokenReading,
  secrets: readonly string[],
  nowMs: number,
  hint: (code: ErrorCode) => string | undefined,
): Readonly<Record<string, unknown>> {
  const body: Readonly<Record<string, unknown>> =
    json !== null && typeof json === 'object' && !Array.isArray(json) ? { ...json } : {};
  const isSuccess = status >= 200 && status < 300;
  const ownRefusal = protocol?.refusal?.(body, step);
  const refusal = readRefusal(ownRefusal ?? body, secrets, status);
  const retryAfterMs = readRetryAfterMs(retryAfter, nowMs);
  if (status === 429 || (status >= 500 && retryAfterMs !== null)) {
    throw new MortiseError(
      'rate_limited',
      { status, retryAfterMs },
      { hint: hint('rate_limited') },
    );
  }
  // A refusal counts with 4xx, and with 2xx because some say no politely. A 3xx or 5xx cannot say no.
  if (!isSuccess && (status < 400 || status >= 500 || (status > 403 && !refusal.error))) {
    throw new MortiseError(
      'http_error',
      { ...refusal, status },
      { hint: hint('http_error'), retryable: status >= 500 },
    );
  }
  const isRefusal = ownRefusal || body['error'] || body['hasError'] === true;
  if (!isSuccess || isRefusal) throw refusalError(refusal, hint);
  return body;
}

function readTokenSet(
  body: Readonly<Record<string, unknown>>,
  status: number,
  { tokenNames, tokenType }: Dialect,
): TokenSet {
  const check = (holds: boolean, problem: string) => {
    if (!holds) throw new MortiseError('malformed_response', { problem, status });
  };
  const read = (name: string, alias?: string) => {
    const standard = body[name];
    const other = alias === undefined ? undefined : body[alias];
    check(
      standard === undefined || other === undefined || standard === other,
      `it holds two different values for ${name}`,
    );
    return standard ?? other;
  };

  const accessToken = read('access_token', tokenNames?.accessToken);
  const refreshToken = read('refresh_token', tokenNames?.refreshToken) || null;
  const type = read('token_type');
  const expiresIn = read('expires_in', tokenNames?.expiresIn);
  const lifetimeS = /^(number|string)$/.test(typeof expiresIn) ? Number(expiresIn) : NaN;
  const scope = read('scope');
  check(isToken(accessToken), 'it holds no usable access token');
  check(refreshToken === null || isToken(refreshToken), 'its refresh token is not usable');
  check(
    type === undefined ? tokenType === 'optional' : isToken(type) && /^bearer$/i.test(type),
    'its token type is not Bearer',
  );
  return {
    accessToken: accessToken as string,
    refreshToken: refreshToken as string | null,
    lifetimeMs: lifetimeS > 0 && lifetimeS <= LONGEST_LIFETIME_S ? lifetimeS * 1000 : null,
    scopes: typeof scope === 'string' ? scope.split(/\s+/).filter(Boolean) : null,
  };
}
