import { MortiseError } from '../errors.js';
import { pause } from '../http/guard.js';
import { inBackground } from './background.js';
import type { Context } from './context.js';
import {
  SAVE_AGAIN_MS,
  adopt,
  fromAnswer,
  isUsable,
  keep,
  peek,
  retell,
  signedInState,
  wasReplaced,
} from './held-session.js';
import { keepNarrowed } from './narrowed-token.js';
import { isRejection, leave, settleFailure, signInRequired } from './renewal-failure.js';

/** How long a refresh waits for another that holds the lock: its request may take 30 s, then it saves. */
const LOCK_TIMEOUT_MS = 45_000;

/**
 * Renews the tokens once for all who ask meanwhile.
 *
 * @param isMet Whether what is held by now will do, should a sibling have renewed it.
 * @param scope Asks for a token for this alone, beside the session's own.
 * @throws {MortiseError} `sign_in_required` when the server refused; everything else keeps the session.
 */
export async function renew(context: Context, isMet: () => boolean, scope?: string): Promise<void> {
  const isSave = () => !!context.held?.unsaved && isMet();
  while (
    context.renewing &&
    (context.renewing.scope !== scope || (context.renewing.isSave && !isSave()))
  ) {
    await context.renewing.done.catch(() => {});
    if (isMet()) return;
  }
  // Signed out while it waited for its turn.
  if (!context.held && context.provider.grant !== 'client_credentials') {
    throw signInRequired(context);
  }
  context.renewing ??= {
    scope,
    isSave: isSave(),
    done: run(context, isMet, scope).finally(() => {
      context.renewing = null;
      context.atRest();
      if (context.held?.unsaved) saveLater(context);
    }),
  };
  return context.renewing.done;
}

async function run(
  context: Context,
  isMet: () => boolean,
  scope: string | undefined,
): Promise<void> {
  const { machine, host, generation } = context;
  const isLate = () => context.generation !== generation;
  // Tokens that are good and only wait to be saved ask nothing of the server.
  const isSave = !!context.held?.unsaved && isMet();
  const asked = context.pause;
  if (!isSave && asked && host.clock.monotonicMs() < asked.untilMs) throw asked.error;
  const shown = context.held ? 'refreshing' : 'exchanging';
  if (!context.held) machine.dispatch('tokensRequested', { name: 'exchanging' });
  else if (!isSave) machine.dispatch('refreshDue', { name: 'refreshing' });
  const sinceMs = host.clock.monotonicMs();
  try {
    await context.lock(context.key, LOCK_TIMEOUT_MS, async (held) => {
      const isTimeOver = host.clock.monotonicMs() - sinceMs >= LOCK_TIMEOUT_MS - EARLY_MS;
      const turn = held ? 'alone' : isTimeOver ? 'contended' : 'unlocked';
      context.hasLock = true;
      try {
        const { held } = context;
        if (held?.unsaved) await keep(context, held);
        // A sibling that signed out or renewed meanwhile has the word.
        const isSettled = isSave || (held && (!context.held || isMet()));
        if (!isSettled && !isLate()) await renewInTurn(context, isMet, isLate, scope, turn);
      } finally {
        await context.removing;
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
  if (isLate()) return;
  if (isSave && context.held) {
    if (!context.held.unsaved && 'unsaved' in machine.state) retell(context, 'saved');
    return;
  }
  context.failures = 0;
  context.pause = null;
  // A sign-in that failed meanwhile has put the session back to signedIn.
  if (shown === 'refreshing') machine.dispatch('refreshDue', { name: 'refreshing' });
  if (context.held) {
    const next = signedInState(context, context.held);
    // A sign-in that is under way has the word; should it fail, it shows these tokens.
    if (machine.state.name === shown) {
      machine.dispatch('tokensIssued', next, context.held.unsaved?.error);
    }
  } else leave(context, 'sessionGone', 'signedOut');
}

/** Whoever uses the tokens first saves them, and if nobody does, this. */
export function saveLater(context: Context): void {
  const { host, inFlight } = context;
  const { clock } = host;
  if (inFlight.isClosed) return;
  context.stopSaving();
  const save = () => {
    free();
    if (context.held?.unsaved) renew(context, () => true).catch(() => {});
  };
  const stop = inBackground(clock, SAVE_AGAIN_MS, save);
  const free = () => {
    stop();
    inFlight.stops.delete(free);
  };
  inFlight.stops.add(free);
  context.stopSaving = free;
}

/** Timers come a little early, by other clocks than ours. */
const EARLY_MS = 50;

/** Whether other processes are kept out meanwhile; `contended` when somebody has the lock all the time. */
type Turn = 'alone' | 'contended' | 'unlocked';

/** In which time who has been given tokens has stored them, unless the store is slow. */
const SAVE_MS = 1_000;

/** Looks again at what is stored, for a sibling may have renewed, and only then asks the server. */
async function renewInTurn(
  context: Context,
  isMet: () => boolean,
  isLate: () => boolean,
  scope: string | undefined,
  turn: Turn,
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
    let isNewer = await adoptNewer(context, isLate);
    if (!isNewer && turn === 'unlocked') {
      // Or has it, and is about to store it.
      await pause(SAVE_MS, { clock: context.host.clock, inFlight: context.inFlight });
      isNewer = await adoptNewer(context, isLate);
    }
    if (!isNewer) {
      // The refusal of one that somebody else may have renewed by now says nothing yet.
      if (turn === 'contended') {
        throw new MortiseError('timeout', { host: 'another process', timeoutMs: LOCK_TIMEOUT_MS });
      }
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
