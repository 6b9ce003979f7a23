import { MortiseError, isMortiseError } from '../errors.js';
import type { Clock } from '../ports/index.js';

/** What a session has under way, so that `close` can stop it all, and what would come after. */
export interface InFlight {
  isClosed: boolean;
  readonly stops: Set<() => void>;
}

export const createInFlight = (): InFlight => ({ isClosed: false, stops: new Set() });

export function stopAll(inFlight: InFlight): void {
  inFlight.isClosed = true;
  for (const stop of [...inFlight.stops]) stop();
}

export interface GuardOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Named in errors. */
  readonly host: string;
  readonly signal?: AbortSignal | undefined;
  readonly inFlight: InFlight;
}

/** One request's time limit and its ways to be stopped, over as many waits as it has. */
export interface Guard {
  /** Handed to the transport: aborted when a wait fails, so that the socket is freed. */
  readonly signal: AbortSignal;
  /**
   * Settles as `promise` does, or rejects after `timeoutMs` or an abort, whatever `promise` does then.
   * A rejection that is not ours becomes `network_error`: it may quote what it choked on.
   */
  wait<T>(promise: Promise<T>): Promise<T>;
  /** Something moved: the running wait gets its whole time limit again. */
  touch(): void;
  /** Frees the socket. */
  abort(): void;
}

const nothing = () => {};

export function createGuard({ clock, timeoutMs, host, signal, inFlight }: GuardOptions): Guard {
  const controller = new AbortController();
  let touch = nothing;
  return {
    signal: controller.signal,
    abort: () => controller.abort(),
    touch: () => touch(),
    wait: (promise) =>
      new Promise((resolve, reject) => {
        let stopTimer = nothing;
        const free = () => {
          stopTimer();
          touch = nothing;
          signal?.removeEventListener('abort', stop);
          inFlight.stops.delete(stop);
        };
        const fail = (error: unknown) => {
          free();
          controller.abort();
          reject(isMortiseError(error) ? error : new MortiseError('network_error', { host }));
        };
        const stop = () => fail(new MortiseError('aborted', {}));
        const expire = () => fail(new MortiseError('timeout', { host, timeoutMs }));
        promise.then((value) => {
          free();
          resolve(value);
        }, fail);
        if (signal?.aborted || inFlight.isClosed) return stop();
        signal?.addEventListener('abort', stop);
        inFlight.stops.add(stop);
        touch = () => {
          stopTimer();
          stopTimer = clock.after(timeoutMs, expire);
        };
        touch();
      }),
  };
}

/**
 * Resolves after `ms`.
 *
 * @throws {MortiseError} `aborted`.
 */
export function pause(
  ms: number,
  { clock, signal, inFlight }: Pick<GuardOptions, 'clock' | 'signal' | 'inFlight'>,
): Promise<void> {
  let stop = () => {};
  const over = new Promise<void>((resolve) => (stop = clock.after(ms, resolve)));
  const guard = createGuard({ clock, signal, inFlight, host: '', timeoutMs: ms + 1_000 });
  return guard.wait(over).finally(stop);
}

/** Settles as `promise` does, unless the caller leaves first; `promise` itself goes on for the others. */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  code: 'aborted' | 'sign_in_cancelled' = 'aborted',
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const leave = () => reject(new MortiseError(code, {}));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave);
    const free = () => signal.removeEventListener('abort', leave);
    promise.then(resolve, reject).then(free, free);
  });
}

/** Settles as `promise` does, unless everything is stopped first; `promise` itself goes on. */
export function untilStopped<T>(promise: Promise<T>, inFlight: InFlight): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new MortiseError('aborted', {}));
    if (inFlight.isClosed) stop();
    inFlight.stops.add(stop);
    const free = () => void inFlight.stops.delete(stop);
    promise.then(resolve, reject).then(free, free);
  });
}

/** Parts lent by the host free what they hold within a second; then nobody waits for them any more. */
const CLOSING_MS = 1_500;

/** Waits for `promise`, whatever becomes of it, though not for ever. */
export function within(clock: Clock, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const stop = clock.after(CLOSING_MS, resolve);
    const done = () => {
      stop();
      resolve();
    };
    promise.then(done, done);
  });
}
