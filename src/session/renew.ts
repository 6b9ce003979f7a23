import { MortiseError, isMortiseError, ourError } from '../errors.js';
import type { Context } from './context.js';
import {
  adopt,
  fromAnswer,
  isUsable,
  keep,
  peek,
  signedInState,
  wasReplaced,
} from './held-session.js';
import { keepNarrowed } from './narrowed-token.js';

/** How long a refresh waits for another that holds the lock: its request may take 30 s, then it saves. */
const LOCK_TIMEOUT_MS = 45_000;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export const signInRequired = ({ reason }: Context, cause?: MortiseError): MortiseError =>
  new MortiseError('sign_in_required', { reason }, cause && { cause });

/**
 * Renews the tokens once for all who ask meanwhile.
 *
 * @param isMet Whether what is held by now will do, should a sibling have renewed it.
 * @param scope Asks for a token for this alone, beside the session's own.
 * @throws {MortiseError} `sign_in_required` when the server refused; everything else keeps the session.
 */
export async function renew(context: Context, isMet: () => boolean, scope?: string): Promise<void> {
  while (context.renewing && context.renewing.scope !== scope) {
    await context.renewing.done.catch(() => {});
    if (isMet()) return;
  }
  // Signed out while it waited for its turn.
  if (!context.held && context.provider.grant !== 'client_credentials') {
    throw signInRequired(context);
  }
  context.renewing ??= {
    scope,
    done: run(context, isMet, scope).finally(() => (context.renewing = null)),
  };
  return context.renewing.done;
}

async function run(
  context: Context,
  isMet: () => boolean,
  scope: string | undefined,
): Promise<void> {
  const { machine, host, generation, pause } = context;
  const isLate = () => context.generation !== generation;
  // Tokens that are good and only wait to be saved ask nothing of the server.
  const isSave = isUnsaved(context) && isMet();
  if (!isSave && pause && host.clock.monotonicMs() < pause.untilMs) throw pause.error;
  const shown = context.held ? 'refreshing' : 'exchanging';
  if (!context.held) machine.dispatch('tokensRequested', { name: 'exchanging' });
  else if (!isSave) machine.dispatch('refreshDue', { name: 'refreshing' });
  try {
    await context.lock(context.key, LOCK_TIMEOUT_MS, async () => {
      context.hasLock = true;
      try {
        const { held } = context;
        if (held && isUnsaved(context)) await keep(context, held);
        if (!isSave && !isLate()) await renewInTurn(context, isMet, isLate, scope);
      } finally {
        context.hasLock = false;
      }
    });
  } catch (error) {
    // Too late to matter: whoever signed in or out meanwhile has decided.
    if (isLate()) return;
    // A sign-in that failed meanwhile has put the session back to signedIn.
    if (context.held) machine.dispatch('refreshDue', { name: 'refreshing' });
    throw settleFailure(context, error, scope);
  }
  if (isLate() || (isSave && context.held)) return;
  context.failures = 0;
  context.pause = null;
  // A sign-in that failed meanwhile has put the session back to signedIn.
  if (shown === 'refreshing') machine.dispatch('refreshDue', { name: 'refreshing' });
  if (context.held) {
    const next = signedInState(context.held);
    // A sign-in that is under way has the word; should it fail, it shows these tokens.
    if (machine.state.name === shown) machine.dispatch('tokensIssued', next);
  } else leave(context, 'sessionGone', 'signedOut');
}

const isUnsaved = ({ held }: Context): boolean => held !== null && held.saveAgainAtMs !== null;

/** Looks again at what is stored, for a sibling may have renewed, and only then asks the server. */
async function renewInTurn(
  context: Context,
  isMet: () => boolean,
  isLate: () => boolean,
  scope: string | undefined,
): Promise<void> {
  if (await adoptNewer(context, isLate)) {
    if (!context.held || isMet()) return;
  }
  if (isLate()) return;
  try {
    await request(context, isLate, scope);
  } catch (error) {
    if (!isRejection(error) || isLate()) throw error;
    // Perhaps a sibling spent this refresh token first, and has stored the next one.
    if (!(await adoptNewer(context, isLate))) {
      const revision = context.held?.storedRevision;
      if (revision && !isLate()) await context.store.removeIf(revision).catch(() => {});
      throw error;
    }
    const { held, host } = context;
    const isSpent = scope ? !isMet() : held && !isUsable(held, host.clock);
    if (held && isSpent) await request(context, isLate, scope);
  }
}

/** Takes over what another process has stored since. `false` when there is nothing new. */
async function adoptNewer(context: Context, isLate: () => boolean): Promise<boolean> {
  const stored = await peek(context);
  if (isLate() || stored === 'unreadable' || !wasReplaced(context, stored)) return false;
  adopt(context, stored ?? null);
  return true;
}

/** Sends the request that brings new tokens, and keeps what it brings. */
async function request(
  context: Context,
  isLate: () => boolean,
  fewer: string | undefined,
): Promise<void> {
  const { endpoint, provider, held } = context;
  const isService = provider.grant === 'client_credentials';
  const refreshToken = held?.refreshToken ?? null;
  if (refreshToken === null && !isService) throw new MortiseError('invalid_grant', {});
  const scope = fewer ?? (isService ? provider.scopes.join(' ') : '');
  const issued = await endpoint.request('refresh', {
    ...(isService
      ? { grant_type: 'client_credentials' }
      : { grant_type: 'refresh_token', refresh_token: refreshToken ?? '', ...held?.carried }),
    ...(scope && { scope }),
  });
  if (isLate()) return endpoint.revoke(issued);
  if (fewer) await keepNarrowed(context, issued, isLate, fewer);
  else await keep(context, fromAnswer(context, issued, held));
}

const isRejection = (error: unknown): error is MortiseError<'invalid_grant'> =>
  isMortiseError(error) && error.code === 'invalid_grant';

/** Only the server's own refusal signs out. Everything else keeps the session and says when to try again. */
function settleFailure(context: Context, error: unknown, scope: string | undefined): MortiseError {
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
      machine.dispatch('sessionKept', signedInState(held), failure);
    }
    return failure;
  }
  const asked = failure.code === 'rate_limited' ? failure.details.retryAfterMs : null;
  const waitMs = Math.min(LAST_RETRY_MS, asked ?? FIRST_RETRY_MS * 2 ** context.failures);
  context.failures += 1;
  if (asked !== null)
    context.pause = { untilMs: host.clock.monotonicMs() + waitMs, error: failure };
  const retryAtMs = host.clock.nowMs() + waitMs;
  machine.dispatch('refreshFailed', { name: 'degraded', retryAtMs }, failure);
  return failure;
}

function leave(
  context: Context,
  event: 'grantRejected' | 'sessionGone',
  reason: 'rejected' | 'signedOut',
  error?: MortiseError,
): void {
  context.forgotten = context.held?.storedRevision ?? context.forgotten;
  context.held = null;
  context.reason = reason;
  context.machine.dispatch(event, { name: 'signedOut', reason }, error);
}
