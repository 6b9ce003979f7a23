import type { Clock, KeyValueStore, Lock } from '../../src/ports/index.js';
import { createLocalLock } from '../web/local-lock.js';

/** The locks of stores that no other tab can see: hosts that share the object share its lock. */
const locks = new WeakMap<object, Lock>();

/** Part of the name: what must exclude each other agrees on how, also two copies of this library. */
const PROTOCOL = 'mortise/1-lock';

type Free = () => void;

/**
 * A lock among all tabs, frames and workers of this origin, by Web Locks: free at once when its holder is
 * closed or crashes.
 *
 * Where there are none (a page without a secure context), where they throw (a sandboxed frame) or never grant,
 * callers in this page still take turns, and are told `held: false`: then comparing before writing protects.
 * A lock is never taken from its holder. For a store with `place: null` taking turns is all there is to do, and
 * is `held`.
 *
 * Any script of the origin can hold the name, which costs the others their waiting time and nothing else.
 *
 * @param store What the lock is for: locks of one `place` exclude each other.
 */
export function createTabLock(clock: Clock, store: Pick<KeyValueStore, 'place'> = {}): Lock {
  const { place = '' } = store;
  if (place === null) {
    const lock = locks.get(store) ?? createLocalLock(clock);
    locks.set(store, lock);
    return lock;
  }
  const inTurn = createLocalLock(clock);
  return (name, timeoutMs, task) => {
    const startMs = clock.monotonicMs();
    return inTurn(name, timeoutMs, async (isTurn) => {
      if (!isTurn) return task(false);
      const leftMs = Math.max(startMs + timeoutMs - clock.monotonicMs(), 0);
      const free = await acquire(`${PROTOCOL}/${JSON.stringify([place, name])}`, leftMs, clock);
      try {
        return await task(free !== null);
      } finally {
        free?.();
      }
    });
  };
}

/** `null`: not held, because the time is over or there is no such lock. */
function acquire(name: string, timeoutMs: number, clock: Clock): Promise<Free | null> {
  return new Promise((resolve) => {
    const over = new AbortController();
    let isSettled = false;
    const settle = (free: Free | null) => {
      isSettled = true;
      cancel();
      resolve(free);
    };
    const cancel = clock.after(timeoutMs, () => {
      settle(null);
      over.abort();
    });
    const ask = async (): Promise<unknown> =>
      globalThis.navigator.locks.request(name, { signal: over.signal }, (lock) =>
        // Granted as the time was over: given back at once.
        lock && !isSettled ? new Promise<void>(settle) : undefined,
      );
    ask().then(
      () => isSettled || settle(null),
      () => isSettled || settle(null),
    );
  });
}
