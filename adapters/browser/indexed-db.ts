import { del, getMany, promisifyRequest, set, update, type UseStore } from 'idb-keyval';
import type { Limited } from '../web/store-choice.js';

/** What lies in one database, as far as it is needed. Values are cloned, so a key can be kept that nobody can read. */
export interface Records {
  getMany(keys: readonly string[]): Promise<readonly unknown[]>;
  set(key: string, value: unknown): Promise<void>;
  /** Reads and writes in one transaction. `undefined` is as good as nothing there. */
  update(key: string, change: (value: unknown) => unknown): Promise<void>;
  remove(key: string): Promise<void>;
}

/** Every copy of this library that uses the database agrees on it: another format takes other keys in there. */
const OBJECT_STORE = 'records';

/** What another try would only meet again. */
const FINAL = /^(QuotaExceeded|Security|DataClone)Error$/;

/**
 * One database of IndexedDB, opened at the first call, by the functions of idb-keyval.
 *
 * Its own `createStore` would leave three things open: a connection that the browser has closed (Safari, a
 * panel that slept) is told by the call that fails, so that call is made again, once; a database that is being
 * deleted waits for connections that are not closed; and what is saved must be on the disk, for a refresh token
 * that was rotated is the only one.
 *
 * @param limited Opening may never end (seen in Safari): the next call tries anew.
 */
export function openRecords(database: string, limited: Limited): Records {
  let connecting: Promise<IDBDatabase> | null = null;

  const connect = (): Promise<IDBDatabase> => {
    if (connecting) return connecting;
    const opened = openDatabase(database);
    const forget = () => {
      if (connecting === opened) connecting = null;
    };
    opened.then((connection) => {
      connection.onclose = forget;
      connection.onversionchange = () => {
        forget();
        connection.close();
      };
    }, forget);
    return (connecting = opened);
  };

  const disconnect = () => {
    connecting?.then(
      (connection) => connection.close(),
      () => {},
    );
    connecting = null;
  };

  const patiently = async <T>(task: (useStore: UseStore) => Promise<T>): Promise<T> => {
    let isOver = false;
    const useStore: UseStore = async (mode, callback) => {
      const connection = await connect();
      // Who asked was told that it failed, and may have saved something newer.
      if (isOver) throw new Error('too late');
      const transaction = connection.transaction(OBJECT_STORE, mode, { durability: 'strict' });
      let reason: unknown;
      transaction.addEventListener('error', ({ target }) => {
        reason = (target as IDBRequest).error;
      });
      try {
        return await callback(transaction.objectStore(OBJECT_STORE));
      } catch (error) {
        // A transaction does not know yet why its request has failed (Firefox, for a full disk).
        throw error ?? reason;
      }
    };
    const again = (error: unknown): Promise<T> => {
      if (isOver || FINAL.test(nameOf(error))) throw error;
      disconnect();
      return task(useStore);
    };
    try {
      return await limited(() => task(useStore).catch(again));
    } catch (error) {
      isOver = true;
      disconnect();
      throw error;
    }
  };

  return {
    getMany: (keys) => patiently((use) => getMany<unknown>([...keys], use)),
    set: (key, value) => patiently((use) => set(key, value, use)),
    update: (key, change) => patiently((use) => update<unknown>(key, change, use)),
    remove: (key) => patiently((use) => del(key, use)),
  };
}

async function openDatabase(name: string): Promise<IDBDatabase> {
  const request = globalThis.indexedDB.open(name);
  request.onupgradeneeded = () => void request.result.createObjectStore(OBJECT_STORE);
  return promisifyRequest(request);
}

export const nameOf = (error: unknown): string =>
  String((Object(error) as { name?: unknown }).name);
