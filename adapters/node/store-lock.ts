import type { Clock, KeyValueStore, Lock } from '../../src/ports/index.js';
import { createLocalLock } from '../web/local-lock.js';
import { createProcessLock } from './process-lock.js';

/** The locks of stores that nobody else can see: hosts that share the object share its lock. */
const locks = new WeakMap<KeyValueStore, Lock>();

/** The lock of whatever shares a store: those who have the object, or all who know its place. */
export function createStoreLock(store: KeyValueStore, clock: Clock): Lock {
  if (store.place !== null) return createProcessLock({ place: store.place ?? '', clock });
  const lock = locks.get(store) ?? createLocalLock(clock);
  locks.set(store, lock);
  return lock;
}
