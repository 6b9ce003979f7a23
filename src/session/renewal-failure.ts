import { MortiseError, isMortiseError, ourError } from '../errors.js';
import type { Context } from './context.js';
import { forgetUser, noticesOf, signedInState } from './held-session.js';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export const signInRequired = ({ reason }: Context, cause?: MortiseError): MortiseError =>
  new MortiseError('sign_in_required', { reason }, cause && { cause });

export const isRejection = (error: unknown): error is MortiseError<'invalid_grant'> =>
  isMortiseError(error) && error.code === 'invalid_grant';

/** Only the server's own refusal signs out. Everything else keeps the session and says when to try again. */
export function settleFailure(
  context: Context,
  error: unknown,
  scope: string | undefined,
): MortiseError {
  const failure = ourError(error);
  if (failure.code === 'aborted') return failure;
  const { machine, host, held } = context;
  if (!held) {
    machine.dispatch('signInFailed', { name: 'signedOut', reason: context.reason }, failure);
    return failure;
  }
  if (isRejection(failure)) {
    leave(context, 'grantRejected', 'rejected', failure);
    return signInRequired(context, failure);
  }
  if (scope && failure.code === 'oauth_error' && !failure.retryable) {
    context.unobtainable.set(scope, failure);
  }
  if (scope && context.unobtainable.has(scope)) {
    // Fewer scopes than these cannot be had. The session's own token is as good as before.
    // A sign-in that is under way has the word.
    if (machine.state.name === 'refreshing') {
      machine.dispatch('sessionKept', signedInState(context, held), failure);
    }
    return failure;
  }
  const asked = failure.code === 'rate_limited' ? failure.details.retryAfterMs : null;
  const waitMs = Math.min(LAST_RETRY_MS, asked ?? FIRST_RETRY_MS * 2 ** context.failures);
  context.failures += 1;
  if (asked !== null)
    context.pause = { untilMs: host.clock.monotonicMs() + waitMs, error: failure };
  const retryAtMs = host.clock.nowMs() + waitMs;
  const notices = noticesOf(context, held);
  machine.dispatch('refreshFailed', { name: 'degraded', retryAtMs, ...notices }, failure);
  return failure;
}

/** Signs out here, because the server or another process has. */
export function leave(
  context: Context,
  event: 'grantRejected' | 'sessionGone',
  reason: 'rejected' | 'signedOut',
  error?: MortiseError,
): void {
  const { held } = context;
  // Of the same sign-in there may come better tokens yet: from a sibling who was quicker.
  if (held) context.forgotten = { revision: held.storedRevision ?? '', signInId: '' };
  context.held = null;
  forgetUser(context);
  context.reason = reason;
  context.machine.dispatch(event, { name: 'signedOut', reason }, error);
}
