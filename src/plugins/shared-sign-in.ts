import { abortable } from '../http/guard.js';
import type { Session } from '../session/create-session.js';
import type { SignInOptions } from '../session/sign-in.js';

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
): (options: SignInOptions) => Promise<void> {
  let pending: Pending | null = null;
  return ({ signal, ...options }) => {
    if (signal?.aborted) return session.signIn({ signal });
    let mine = pending;
    if (!mine || options.whilePending === 'restart') {
      const controller = new AbortController();
      const done = session.signIn({ ...options, signal: controller.signal });
      const begun: Pending = { done, controller, waiting: 0 };
      const forget = () => {
        if (pending === begun) pending = null;
      };
      done.then(forget, forget);
      mine = begun;
      pending = begun;
    }
    const { controller, done } = mine;
    const joined = mine;
    joined.waiting += 1;
    const leave = () => {
      joined.waiting -= 1;
      if (joined.waiting === 0) controller.abort();
    };
    const free = () => signal?.removeEventListener('abort', leave);
    signal?.addEventListener('abort', leave);
    done.then(free, free);
    return abortable(done, signal, 'sign_in_cancelled');
  };
}
