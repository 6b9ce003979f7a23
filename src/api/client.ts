import { MortiseError, isMortiseError, type ErrorCode } from '../errors.js';
import { exchange, isByteStream, type Answer } from '../http/exchange.js';
import { abortable, pause, untilStopped, type InFlight } from '../http/guard.js';
import type { Provider } from '../oauth/provider.js';
import type { Host } from '../ports/index.js';
import { readFailureOf, statusError } from './status-error.js';
import type { ApiRequest, ApiResponse } from './request.js';
import { toApiResponse } from './response.js';
import { createBreaker, pauseMs } from './retry.js';
import { toWire } from './wire.js';

const TIMEOUT_MS = 30_000;
const MAX_RETRIES = 3;
/** A server that wants more patience than this is told to the caller. */
const LONGEST_PAUSE_MS = 60_000;
/** RFC 9110 section 9.2.2. */
const IDEMPOTENT_METHOD = /^(GET|HEAD|OPTIONS|PUT|DELETE)$/;

export interface ApiClientOptions {
  readonly host: Pick<Host, 'http' | 'clock' | 'crypto'>;
  readonly inFlight: InFlight;
  /** A valid token; a fresh one in place of `refused`, if one can be had. */
  readonly token: (refused: string | undefined, signal: AbortSignal | undefined) => Promise<string>;
  readonly base: () => string | Promise<string>;
  /** Changes with every sign-in and sign-out: what one user began is not to go on as another. */
  readonly generation: () => number;
  readonly hint: (code: ErrorCode, status: number) => string | undefined;
  /** What the platform itself says of a failing answer. */
  readonly readFailure?: Provider['apiFailure'];
}

/**
 * Makes the function that sends requests below one base, with the session's token.
 *
 * A 401 costs one renewal and one more try. A 429, a 5xx and a network error cost up to three more tries,
 * for requests that may be sent twice.
 */
export function createApiClient(
  options: ApiClientOptions,
): (request: ApiRequest) => Promise<ApiResponse> {
  const { host, inFlight, token, base, hint } = options;
  const breaker = createBreaker(host.clock);
  // Parsed once, for all requests below it.
  let root: { readonly text: string; readonly url: URL } | undefined;
  return async (request) => {
    const { signal, timeoutMs = TIMEOUT_MS } = request;
    const known = base();
    const found =
      typeof known === 'string' ? known : await untilStopped(abortable(known, signal), inFlight);
    if (root?.text !== found) root = { text: found, url: new URL(found) };
    const wire = toWire(root.url, request);
    const isStream = isByteStream(wire.body);
    const mayRepeat = !isStream && (request.idempotent ?? IDEMPOTENT_METHOD.test(wire.method));
    const limits = { timeoutMs, signal, inFlight };
    const send = (accessToken: string): Promise<Answer> => {
      const headers = { ...wire.headers, authorization: `Bearer ${accessToken}` };
      const { method, url, body } = wire;
      return exchange(host, { method, url, headers, body }, limits);
    };

    let generation: number;
    let accessToken: string;
    do {
      generation = options.generation();
      accessToken = await token(undefined, signal);
      // Another user came between: what is sent, and what comes of it, is all of one.
    } while (options.generation() !== generation);
    const checkUser = () => {
      if (options.generation() !== generation) throw new MortiseError('aborted', {});
    };
    let isRenewed = false;
    for (let retry = 0; ;) {
      let failure: unknown;
      let askedMs: number | null = null;
      let answer: Answer | undefined;
      try {
        answer = await send(accessToken);
      } catch (error) {
        failure = error;
      }
      if (answer) {
        const { status } = answer;
        if (status < 300 || status === 304) {
          breaker.reset();
          return toApiResponse(answer, request);
        }
        const said = options.readFailure && (await readFailureOf(answer, accessToken, options));
        answer.discard();
        const isTokenRefused = said === 'token refused';
        const usual = statusError(answer, host.clock.nowMs(), accessToken, hint, isTokenRefused);
        // What the standards' own headers say needs no interpretation.
        const isTold =
          usual.code === 'insufficient_scope' ||
          (usual.code === 'rate_limited' && usual.details.retryAfterMs !== null);
        const error = said && !isTokenRefused && !isTold ? said : usual;
        failure = error;
        if (error.code === 'rate_limited') askedMs = error.details.retryAfterMs;
        const isRefused = isTokenRefused || status === 401;
        if (!isRefused) breaker.reset();
        if (isRefused && error.code === 'http_error') {
          if (isRenewed) breaker.count();
          if (isRenewed || breaker.isOpen()) throw error;
          // Nothing was done, so once more with a fresh token does no harm, whatever the method.
          isRenewed = true;
          const fresh = await token(accessToken, signal);
          checkUser();
          if (fresh === accessToken || isStream) throw error;
          accessToken = fresh;
          continue;
        }
      }
      const passes =
        isMortiseError(failure) &&
        failure.retryable &&
        /^(network_error|http_error|rate_limited)$/.test(failure.code);
      if (!passes || !mayRepeat || retry >= MAX_RETRIES || (askedMs ?? 0) > LONGEST_PAUSE_MS) {
        throw failure;
      }
      await pause(pauseMs(host.crypto, retry++, askedMs), { signal, inFlight, clock: host.clock });
      checkUser();
    }
  };
}
