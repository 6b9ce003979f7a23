import { MortiseError } from '../errors.js';
import { abortable } from '../http/guard.js';
import type { Clock } from '../ports/index.js';
import type { Session } from '../session/create-session.js';
import { SIGN_IN_TIMEOUT_MS } from '../session/sign-in.js';

/** Of one who waits; others wait as long as they like. */
export interface SharedSignInOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * How long this one waits. Default 300,000, which the sign-in itself lasts at least: `state.expiresAtMs` tells
   * of that. The first one's, if it is longer, is everybody's.
   */
  readonly timeoutMs?: number;
}

/** A sign-in under way, and how many still wait for it. */
interface Pending {
  readonly done: Promise<void>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Lets many wait for one sign-in: who leaves, leaves alone, and the last one to leave ends it. Synchronous up
 * to the opening of the window, as `session.signIn` is.
 */
export function shareSignIn(
  session: Pick<Session<unknown>, 'signIn'>,
  clock: Clock,
): (options: SharedSignInOptions) => Promise<void> {
  let pending: Pending | null = null;
  /** Everybody has left, and the port may still be closing. */
  let isAbandoned = false;

  function begin(timeoutMs: number): Pending {
    const controller = new AbortController();
    const { signal } = controller;
    const whilePending = isAbandoned ? 'restart' : 'join';
    let follow: (signingIn: Promise<void>) => void = () => {};
    const done = new Promise<void>((resolve) => (follow = resolve));
    const begun: Pending = { done, controller, waiting: 0 };
    // Before it starts: a listener that hears of it may ask for the same.
    pending = begun;
    isAbandoned = false;
    follow(session.signIn({ signal, timeoutMs, whilePending }));
    const forget = () => {
      if (pending === begun) pending = null;
    };
    done.then(forget, forget);
    return begun;
  }

  return ({ signal, timeoutMs = SIGN_IN_TIMEOUT_MS }) => {
    if (signal?.aborted) return session.signIn({ signal });
    if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) return session.signIn({ timeoutMs });
    const joined = pending ?? begin(Math.max(timeoutMs, SIGN_IN_TIMEOUT_MS));
    joined.waiting += 1;
    const own = new AbortController();
    let isLate = false;
    const leave = () => {
      if (own.signal.aborted) return;
      own.abort();
      joined.waiting -= 1;
      if (joined.waiting > 0) return;
      if (pending === joined) {
        pending = null;
        isAbandoned = true;
      }
      joined.controller.abort();
    };
    const stopTimer = clock.after(timeoutMs, () => {
      isLate = true;
      leave();
    });
    signal?.addEventListener('abort', leave);
    const free = () => {
      stopTimer();
      signal?.removeEventListener('abort', leave);
    };
    joined.done.then(free, free);
    return abortable(joined.done, own.signal, 'sign_in_cancelled').catch((error: unknown) => {
      free();
      throw isLate ? new MortiseError('sign_in_timeout', { timeoutMs }) : error;
    });
  };
}
