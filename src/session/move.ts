import { MortiseError } from '../errors.js';
import { randomText } from '../oauth/pkce.js';
import type { Host } from '../ports/index.js';
import { EVERYTHING, type Context } from './context.js';
import { adopt, isForgotten, signedInState } from './held-session.js';
import { accountsKey } from './keys.js';
import { createOwnLock } from './own-lock.js';
import { restore } from './restore.js';
import { createSessionStore } from './session-store.js';

/** How long each of the two places is waited for: a renewal there may take that long, and spends what would be moved. */
const LOCK_TIMEOUT_MS = 45_000;

/**
 * Brings the account here from another host's store, and removes it there once it is safe here.
 *
 * @returns Whether it was moved: not when there is none, one is here already, or it was signed out of here.
 * @throws {MortiseError} `store_unavailable`; called again it goes on where it was.
 */
export async function moveFrom(
  context: Context,
  from: Pick<Host, 'store' | 'lock'>,
): Promise<boolean> {
  const { host, key, account, lock, provider, store, machine } = context;
  await restore(context);
  const theirLock = createOwnLock(from.lock);
  const listKey = accountsKey(provider);
  const source = createSessionStore({ ...from, clock: host.clock, lock: theirLock }, key, listKey);
  const { generation, signOuts } = context;
  const isLeft = () => context.generation !== generation || context.signOuts !== signOuts;
  const move = async () => {
    const there = await source.load();
    const here = there && (await store.load());
    // One that was moved before, but could not be removed there, is of one sign-in with ours.
    const isOther = here && (!here.signInId || here.signInId !== there.signInId);
    if (!there || isOther || here?.revision === there.revision || isLeft()) return null;
    // Signed out of here: it is not brought back.
    if (context.forgotten !== EVERYTHING && isForgotten(context, there)) return null;
    await store.enlist(account);
    const isNewer = !here || there.receivedAtMs > here.receivedAtMs;
    const moved = isNewer ? { ...there, revision: randomText(host.crypto) } : here;
    if (isNewer) await store.save(moved);
    const saved = await store.load();
    if (saved?.revision !== moved.revision) throw new MortiseError('store_unavailable', {});
    await source.removeIf(there.revision);
    await source.delist(account);
    return moved;
  };
  // One place under two names has one lock, which cannot be had twice.
  const isOnePlace = from.lock === host.lock || samePlace(from.store.place, host.store.place);
  const moved = await lock(key, LOCK_TIMEOUT_MS, () =>
    isOnePlace ? move() : theirLock(key, LOCK_TIMEOUT_MS, move),
  );
  if (!moved) return false;
  if (!context.held && !isLeft()) {
    adopt(context, moved);
    if (context.held) machine.dispatch('sessionFound', signedInState(context, context.held));
  }
  return true;
}

const samePlace = (one: string | null | undefined, other: string | null | undefined): boolean =>
  one !== null && one === other;
