import { MortiseError } from '../errors.js';
import { abortable } from '../http/guard.js';
import { accessToken } from './access-token.js';
import { startAttempt } from './attempt.js';
import { finishSignIn, notOurs } from './begun-sign-in.js';
import type { Context } from './context.js';

/** How long the user may take, unless the caller says otherwise. */
export const SIGN_IN_TIMEOUT_MS = 300_000;

export interface SignInOptions {
  /** Ends the sign-in with `sign_in_cancelled`; of a caller who joined, only the waiting. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the user may take. Default 300,000. Of a caller who joins it is not looked at. Once the code is
   * being exchanged the request's own limit counts (30,000), and then that of the store (30,000).
   */
  readonly timeoutMs?: number;
  /** What to do when a sign-in is pending already: wait for it (default), or start over. */
  readonly whilePending?: 'join' | 'restart';
}

/** Synchronous up to the opening of the window. */
export function signIn(
  context: Context,
  { signal, timeoutMs = SIGN_IN_TIMEOUT_MS, whilePending = 'join' }: SignInOptions,
): Promise<void> {
  if (context.inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
  const cancelled = new MortiseError('sign_in_cancelled', {});
  if (signal?.aborted) return Promise.reject(cancelled);
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
    const problem = 'timeoutMs must be a number above 0';
    return Promise.reject(new MortiseError('configuration_error', { problem }));
  }
  if (context.provider.grant === 'client_credentials') {
    return abortable(ofService(context, timeoutMs), signal, 'sign_in_cancelled');
  }
  if (context.signingOut) {
    const options = { timeoutMs, whilePending, signal };
    const { signOuts } = context;
    const after = context.signingOut.then(() => {
      if (context.signOuts !== signOuts) throw cancelled;
      return signIn(context, options);
    });
    return abortable(after, signal, 'sign_in_cancelled');
  }
  const pending = context.attempt;
  if (pending && whilePending === 'join') {
    return abortable(pending.done, signal, 'sign_in_cancelled');
  }
  const attempt = startAttempt(context, timeoutMs);
  pending?.end(cancelled);
  if (!signal) return attempt.done;
  const cancel = () => attempt.end(cancelled);
  const free = () => signal.removeEventListener('abort', cancel);
  signal.addEventListener('abort', cancel);
  attempt.done.then(free, free);
  return attempt.done;
}

/** Without a user there is only a token to ask for. */
function ofService(context: Context, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(new MortiseError('sign_in_timeout', { timeoutMs }));
    const stop = context.host.clock.after(timeoutMs, expire);
    accessToken(context, {})
      .then(() => resolve(), reject)
      .then(stop);
  });
}

/** The second half: of a pending `signIn` by a pasted answer, or of `beginSignIn` by the redirect. */
export async function completeSignIn(context: Context, text: string): Promise<void> {
  const { attempt, inFlight } = context;
  if (inFlight.isClosed) throw new MortiseError('aborted', {});
  if (!attempt) return finishSignIn(context, String(text).trim());
  const outcome = await attempt.receive({ pasted: text });
  if (outcome.kind === 'ignored') throw notOurs();
  return attempt.done;
}
