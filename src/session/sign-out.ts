import { MortiseError, isMortiseError } from '../errors.js';
import { within } from '../http/guard.js';
import { inBackground } from './background.js';
import { EVERYTHING, type Context } from './context.js';
import { forgetUser, isForgotten } from './held-session.js';
import type { StoredSession } from './record.js';
import { restore } from './restore.js';

/**
 * Forgets the account here, whatever is under way, and then tells the server if it can be told. What
 * arrives later is revoked, not kept.
 */
export function signOut(context: Context): Promise<void> {
  if (context.inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
  context.signOuts += 1;
  if (!context.signingOut) {
    const narrowed = [...context.narrowed.values()];
    const forgotten = forget(context);
    const over = forgotten
      .then(() => {})
      .finally(() => {
        context.signingOut = null;
        context.atRest();
      });
    context.signingOut = over;
    // The server is told afterwards: a sign-in need not wait for that.
    return forgotten.then(async (tokens) => {
      const { endpoint } = context;
      for (const each of tokens) await endpoint.revoke(each);
      // Not every server ends them with the refresh token they came from.
      const rest = narrowed.map(({ accessToken }) => ({ accessToken, refreshToken: null }));
      await Promise.all(rest.map(endpoint.revoke));
    });
  }
  return context.signingOut;
}

/** How long after a failed removal the next one is tried. */
const REMOVE_AGAIN_MS = 5_000;

/** How long removing waits for another process that may be about to save. */
const LOCK_TIMEOUT_MS = 5_000;

/** @returns What is to be revoked, the newest first. */
async function forget(context: Context): Promise<StoredSession[]> {
  const { machine, store, host, key, account, attempt, lock } = context;
  // Only to have something to revoke; a store that cannot be read does not stop a sign-out.
  await within(host.clock, restore(context));
  const { held } = context;
  context.generation += 1;
  context.held = null;
  forgetUser(context);
  context.narrowed.clear();
  context.unobtainable.clear();
  context.attempt = null;
  context.forgotten = held ?? context.forgotten;
  if (machine.dispatch('signOutRequested', { name: 'signingOut' })) context.reason = 'signedOut';
  attempt?.end(new MortiseError('sign_in_cancelled', {}));
  const newer: StoredSession[] = [];
  let isSeen = false;
  const remove = async () => {
    // What a sibling has renewed since is what the server would take.
    const look = async () => {
      const stored = await store.glance();
      isSeen = true;
      if (stored && stored.revision !== held?.storedRevision) newer.push(stored);
    };
    await within(host.clock, look());
    const removals = await Promise.allSettled([store.remove(), store.removeAttempts()]);
    // Before anybody can sign in again.
    if (removals.every(({ status }) => status === 'fulfilled')) await store.delist(account);
    return removals;
  };
  context.stopSaving();
  // Our own renewal may hold the lock for long, but saves nothing any more.
  const removing = context.hasLock ? remove() : lock(key, LOCK_TIMEOUT_MS, remove);
  if (context.hasLock) context.removing = removing;
  const removals = await removing;
  const failure = removals.find((removal) => removal.status === 'rejected')?.reason as unknown;
  context.forgotten = newer[0] ?? context.forgotten;
  const isLeft = removals[0]?.status === 'rejected';
  if (isLeft && !isSeen) context.forgotten ??= EVERYTHING;
  if (failure) removeLater(context);
  machine.dispatch(
    'signOutCompleted',
    { name: 'signedOut', reason: 'signedOut' },
    isMortiseError(failure) ? failure : undefined,
  );
  return held ? [...newer, held] : newer;
}

/** Until the store lets go of it, somebody has signed in or the session closes: nobody is to take it up again. */
function removeLater(context: Context, signedOutAtMs = context.host.clock.nowMs()): void {
  const { host, inFlight, store, lock, key, account, generation } = context;
  if (inFlight.isClosed) return;
  const isMoot = () => inFlight.isClosed || context.generation !== generation;
  const remove = async () => {
    if (isMoot()) return;
    // Those that were begun since are of a sign-in to come.
    for (const { state, startedAtMs } of await store.attempts()) {
      if (startedAtMs <= signedOutAtMs) await store.takeAttempt(state);
    }
    // What could never be read may be anybody's by now.
    if (isMoot() || context.forgotten === EVERYTHING) return;
    const stored = await store.glance();
    // What another process has stored since is not ours to remove.
    if (stored && isForgotten(context, stored)) await store.removeIf(stored.revision);
    if (!isMoot()) await store.delist(account);
  };
  const again = async () => {
    inFlight.stops.delete(stop);
    if (isMoot()) return;
    await lock(key, LOCK_TIMEOUT_MS, remove).catch(() => removeLater(context, signedOutAtMs));
  };
  const stop = inBackground(host.clock, REMOVE_AGAIN_MS, () => void again());
  inFlight.stops.add(stop);
}
