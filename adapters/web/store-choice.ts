import { MortiseError, isMortiseError, type AnyMortiseError } from '../../src/errors.js';
import type { Clock, KeyValueStore } from '../../src/ports/index.js';
import { webCrypto } from './web-crypto.js';

/** Settles as `task` does, or fails in time. */
export type Limited = <T>(task: () => Promise<T>) => Promise<T>;

export interface StoreChoice {
  /** The one in use; `null` until there was something to read or to save. */
  readonly current: KeyValueStore | null;
  /**
   * The one in use, chosen by trying when there is none yet, or when another process could use an earlier one.
   *
   * @throws Why the first cannot be used, or the one that was in use before; the next call tries again.
   */
  choose(): Promise<KeyValueStore>;
  /** Chooses a store that has just shown that it works. */
  take(store: KeyValueStore): Promise<KeyValueStore>;
}

/** Chooses once, in the order of the list, and never a later store when an earlier one was in use before. */
export function createStoreChoice(list: readonly KeyValueStore[], limited: Limited): StoreChoice {
  let current: KeyValueStore | null = null;
  let choosing: Promise<KeyValueStore> | null = null;

  const take = async (store: KeyValueStore): Promise<KeyValueStore> => {
    const mark = markOf(store, list);
    const leaveMark = async (later: KeyValueStore) => {
      if (isAbsent(await later.get(mark))) await later.set(mark, 'in use');
    };
    // What cannot keep a mark now could not keep a session either.
    const later = list.slice(list.indexOf(store) + 1);
    await Promise.allSettled(later.map((one) => limited(() => leaveMark(one))));
    return (current ??= store);
  };

  const find = async (): Promise<KeyValueStore> => {
    const failures: Failure[] = [];
    for (const store of list) {
      let kept: Failure | null;
      try {
        kept = await whoIsMarked(store, failures);
        if (!kept) {
          await limited(() => tryOut(store));
          return await take(store);
        }
      } catch (reason) {
        failures.push({ store, reason });
        continue;
      }
      throw keptBy(kept);
    }
    throw told(failures[0]?.reason);
  };

  /** Which of those that have failed left its mark here. */
  const whoIsMarked = async (
    store: KeyValueStore,
    failures: readonly Failure[],
  ): Promise<Failure | null> => {
    for (const failure of failures) {
      const mark = await limited(() => store.get(markOf(failure.store, list)));
      if (!isAbsent(mark)) return failure;
    }
    return null;
  };

  /** Whether another process has used an earlier store since: then this one is the weaker. */
  const isLeft = async (store: KeyValueStore): Promise<boolean> => {
    const earlier = list.slice(0, list.indexOf(store));
    const failures = earlier.map((one) => ({ store: one, reason: null }));
    return (await whoIsMarked(store, failures).catch(() => null)) !== null;
  };

  return {
    get current() {
      return current;
    },
    take,
    async choose() {
      if (current && (await isLeft(current))) current = null;
      return (current ??= await (choosing ??= find().finally(() => {
        choosing = null;
      })));
    },
  };
}

interface Failure {
  readonly store: KeyValueStore;
  readonly reason: unknown;
}

/** Who writes a store of their own may well give `undefined` for what is not there. */
export const isAbsent = (value: string | null | undefined): value is null | undefined =>
  value === null || value === undefined;

export function createLimited(clock: Clock, timeoutMs: number): Limited {
  return (task) =>
    new Promise((resolve, reject) => {
      const expire = () => reject(new MortiseError('store_unavailable', { problem: 'timeout' }));
      const cancel = clock.after(timeoutMs, expire);
      // A task that throws at once rejects.
      const run = async () => task();
      run().then(resolve, reject).then(cancel);
    });
}

/** Under a key that no other process and no other try has. */
async function tryOut(store: KeyValueStore): Promise<void> {
  const key = `mortise/1-trial/${webCrypto.randomBytes(8).join('-')}`;
  await store.set(key, 'trial');
  const value = await store.get(key);
  await store.remove(key);
  if (value !== 'trial') throw new MortiseError('store_unavailable', { problem: 'refused' });
}

/** Says of an earlier store that it was in use; one that has no name is known by its number. */
function markOf(store: KeyValueStore, list: readonly KeyValueStore[]): string {
  const { name = list.indexOf(store), place = null } = store;
  return `mortise/1-in-use/${JSON.stringify([name, place])}`;
}

/** What is not ours may quote what it was to keep. */
const told = (reason: unknown): AnyMortiseError =>
  isMortiseError(reason) ? reason : new MortiseError('store_unavailable', {});

function keptBy({ store, reason }: Failure): MortiseError {
  const failure = told(reason);
  const { hint, retryable, details } =
    failure.code === 'store_unavailable' ? failure : new MortiseError('store_unavailable', {});
  const why = `Sessions were kept in: ${store.name ?? 'another store'}. Nothing weaker takes its place.`;
  return new MortiseError('store_unavailable', details, { hint: `${why} ${hint}`, retryable });
}
