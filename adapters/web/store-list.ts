import { isMortiseError, misconfigured } from '../../src/errors.js';
import type { Clock, KeyValueStore, Lock } from '../../src/ports/index.js';
import { createLocalLock } from './local-lock.js';
import { createLimited, createStoreChoice, isAbsent } from './store-choice.js';
import { systemClock } from './system-clock.js';
import { createTurns } from './turns.js';

export interface FirstUsableOptions {
  readonly clock?: Clock;
  /** The lock of what shares the list's `place`. Default: among the callers in here. */
  readonly createLock?: (list: KeyValueStore) => Lock;
  /** How long each store may take to show that it works. Default 12,000. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 12_000;
const LOCK_TIMEOUT_MS = 5_000;

/**
 * The first store of a list that works, by the author's own order; nothing that is not on the list.
 *
 * It is chosen once, when there is something to read or to save: that value can be read, or a trial record can
 * be written, read and removed. From then on it is the one in use until the process ends, and `name` is its
 * name (before, it is empty). As long as nothing was ever stored, nobody is asked to unlock anything.
 *
 * A store that was in use is not left for a later, weaker one: the choice leaves a mark, which holds no secret,
 * in each later store. Whoever finds it there has `store_unavailable` of the earlier store instead.
 *
 * A record found only in a later store, where it was before an earlier one worked, is moved up. `remove`
 * removes everywhere and chooses nothing: a user can sign out while the keychain is locked. It rejects where
 * a record is known to be left, or the store in use has failed.
 *
 * @throws {MortiseError} `configuration_error` for an empty list, or what is no store.
 */
export function firstUsable(
  stores: readonly KeyValueStore[],
  { clock = systemClock, createLock, timeoutMs = TIMEOUT_MS }: FirstUsableOptions = {},
): KeyValueStore {
  const list = [...stores];
  const [first] = list;
  if (!first || list.some((store) => typeof store?.get !== 'function')) {
    throw misconfigured('store is missing');
  }
  if (list.length === 1) return first;
  const inTurn = createTurns();
  /** Where this process has saved a key, so that nothing older of it is in a later store. */
  const settled = new Map<string, KeyValueStore>();
  const limited = createLimited(clock, timeoutMs);
  const choice = createStoreChoice(list, limited);
  const laterThan = (store: KeyValueStore) => list.slice(list.indexOf(store) + 1);

  /** Without a choice: the value of the store to prefer, `null` where there is none anywhere. */
  const glance = async (key: string): Promise<string | null | undefined> => {
    for (const store of list) {
      try {
        const value = await limited(() => store.get(key));
        if (isAbsent(value)) continue;
        if (store !== first) return undefined;
        await choice.take(store);
        return value;
      } catch (error) {
        if (isDamage(error)) throw error;
        return undefined;
      }
    }
    return null;
  };

  // The one who moves a record up and the one who saves or removes it must not meet.
  const alone = <T>(key: string, task: () => Promise<T>): Promise<T> =>
    lock(`store-list/${key}`, LOCK_TIMEOUT_MS, task);

  const moveUp = async (store: KeyValueStore, key: string): Promise<string | null> => {
    for (const later of laterThan(store)) {
      const get = () => limited(() => later.get(key)).catch(nullUnlessDamaged);
      if (isAbsent(await get())) continue;
      return alone(key, async () => {
        const there = await store.get(key);
        if (!isAbsent(there)) return there;
        const value = await get();
        if (isAbsent(value)) return null;
        try {
          await store.set(key, value);
          if ((await store.get(key)) === value) await limited(() => later.remove(key));
        } catch {
          // It stays where it is, and can be read there.
        }
        return value;
      });
    }
    return null;
  };

  /** Whatever happened, the record is not there. */
  const removeFrom = async (store: KeyValueStore, key: string): Promise<Removal> => {
    try {
      await limited(() => store.remove(key));
      return { store, error: null, isLeft: false };
    } catch (error) {
      const left = await limited(() => store.get(key)).catch(() => undefined);
      return { store, error: left === null ? null : error, isLeft: typeof left === 'string' };
    }
  };

  const joined: KeyValueStore = {
    get name() {
      return choice.current?.name ?? '';
    },
    ...placeOf(list),
    get: (key) =>
      inTurn(key, async () => {
        const seen = choice.current ? undefined : await glance(key);
        if (seen !== undefined) return seen;
        const store = await choice.choose();
        const value = await store.get(key);
        return isAbsent(value) ? moveUp(store, key) : value;
      }),
    set: (key, value) =>
      inTurn(key, async () => {
        const store = await choice.choose();
        if (settled.get(key) === store) return store.set(key, value);
        await alone(key, () => store.set(key, value));
        settled.set(key, store);
        // Nobody waits for tidying.
        for (const later of laterThan(store)) later.remove(key).catch(() => {});
      }),
    remove: (key) =>
      inTurn(key, () =>
        alone(key, async () => {
          const removals = await Promise.all(list.map((store) => removeFrom(store, key)));
          const failed = removals.filter(({ error }) => error !== null);
          if (failed.length === 0) return;
          const left = failed.find(({ isLeft }) => isLeft);
          if (left) throw left.error;
          const inUse = await choice.choose();
          const failure = failed.find(({ store }) => store === inUse);
          if (failure) throw failure.error;
        }),
      ),
    ready: async () => (await choice.choose()).ready?.(),
    watch(key, changed) {
      // Other processes may be of another choice.
      const stops = list.map((store) => store.watch?.(key, changed));
      return () => stops.forEach((stop) => stop?.());
    },
  };
  const lock = createLock?.(joined) ?? createLocalLock(clock);
  return joined;
}

interface Removal {
  readonly store: KeyValueStore;
  readonly error: unknown;
  readonly isLeft: boolean;
}

const isDamage = (error: unknown): boolean =>
  isMortiseError(error) && error.code === 'store_damaged';

function nullUnlessDamaged(error: unknown): null {
  if (isDamage(error)) throw error;
  return null;
}

/** The same for every process with this list, whichever store each has in use. */
function placeOf(list: readonly KeyValueStore[]): Pick<KeyValueStore, 'place'> {
  const places = list.map(({ place }) => place);
  if (places.includes(undefined)) return {};
  const shared = places.filter((place) => place !== null);
  return { place: shared.length === 0 ? null : shared.join('\n') };
}
