import { MortiseError, isMortiseError, misconfigured } from '../../src/errors.js';
import type { Clock, KeyValueStore } from '../../src/ports/index.js';
import { createLimited } from '../web/store-choice.js';
import { systemClock } from '../web/system-clock.js';
import { createTurns } from '../web/turns.js';
import { nameOf, openRecords, type Records } from './indexed-db.js';
import {
  isPageKey,
  isSealedRecord,
  makePageKey,
  pageError,
  readText,
  seal,
  unseal,
  type PageKey,
} from './page-seal.js';
import { createTabNews } from './tab-news.js';

export interface IndexedDbStoreOptions {
  /** Stores of one name and one origin are the same, in all tabs. Default `default`. */
  readonly name?: string;
}

/** What the store is made of; its test has others. */
export interface IndexedDbStoreParts {
  readonly name: string;
  readonly records: Records;
}

/** For each use of the database. A sign-in makes a few. */
const TIMEOUT_MS = 10_000;

const KEY = 'mortise/1/key';
/** Another format takes another name, so that an older copy of this library leaves newer records alone. */
const recordName = (key: string) => `mortise/1-sealed/${key}`;

/** A database that is replaced again and again while something is saved. */
const MAX_TRIES = 3;

/** What using IndexedDB throws where a page may not, or cannot keep a key in it. */
const ABSENT = /^(Security|InvalidState|DataClone|NotSupported|Reference|Type)Error$/;

/**
 * Keeps sessions in IndexedDB, for this origin and in this browser profile, and tells the other tabs of it.
 *
 * Records are sealed with AES-256-GCM under a key that rests beside them and that no script can read out (a
 * non-extractable `CryptoKey`). That helps against whatever reads databases as text: an export, a support tool, a
 * search through the disk, in part a copy of the profile (the browser writes the key to the same disk, in a form of
 * its own). It does not help against script that runs in this origin: that can use the key where it lies, and could
 * ask a session for tokens as well; and all `file:` pages of a browser share what they keep. So tokens are in memory
 * unless you ask for this.
 *
 * A store that cannot be used is `store_unavailable` with `details.problem`: `absent` where a page has no IndexedDB
 * or no `crypto.subtle` (plain http, a sandboxed frame, HTML injected into about:blank, site data blocked), found
 * out by use; `full`; `timeout` after 10 s; `unwritable`; `reset` when the key is gone, and with it the record: the
 * next save replaces it. To go on without: `[indexedDbStore(), memoryStore()]`.
 *
 * A browser may clear what pages keep: at the user's wish, when the disk is full, in Safari after seven days of use
 * without a visit to the page.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export function indexedDbStore({ name = 'default' }: IndexedDbStoreOptions = {}): KeyValueStore {
  if (typeof name !== 'string' || name === '') throw misconfigured('name must be a text');
  return createIndexedDbStore({ name, records: openStoreRecords(name, systemClock) });
}

export const openStoreRecords = (name: string, clock: Clock): Records =>
  openRecords(`mortise/${name}`, createLimited(clock, TIMEOUT_MS));

export function createIndexedDbStore({ name, records }: IndexedDbStoreParts): KeyValueStore {
  const news = createTabNews(`mortise/1-news/${name}`);
  const turns = createTurns();
  const inTurn = <T>(key: string, task: () => Promise<T>): Promise<T> =>
    turns(key, () =>
      task().catch((error: unknown) => {
        throw told(error);
      }),
    );

  const findKey = async (): Promise<PageKey | null> => {
    const [found] = await records.getMany([KEY]);
    return isPageKey(found) ? found : null;
  };

  /** In one transaction, so that two tabs that make one at the same time end with the same. */
  const findOrMakeKey = async (): Promise<PageKey> => {
    const found = await findKey();
    if (found) return found;
    const made = await makePageKey();
    await records.update(KEY, (there) => (isPageKey(there) ? there : made));
    const kept = await findKey();
    if (!kept) throw pageError('unwritable');
    return kept;
  };

  return {
    name: 'indexedDb',
    place: `indexedDb/${name}`,
    get: (key) =>
      inTurn(key, async () => {
        const [record, pageKey] = await records.getMany([recordName(key), KEY]);
        if (record === undefined) return null;
        if (isSealedRecord(record)) {
          if (!isPageKey(pageKey) || pageKey.id !== record.keyId) throw pageError('reset');
          const value = await unseal(pageKey, key, record);
          if (value !== null) return value;
        }
        // Unless somebody has saved meanwhile.
        await records.update(recordName(key), (there) =>
          isSame(there, record) ? undefined : there,
        );
        throw new MortiseError('store_damaged', {});
      }),
    set: (key, value) =>
      inTurn(key, async () => {
        if (readText(new TextEncoder().encode(value)) !== value) throw pageError('refused');
        for (let round = 0; round < MAX_TRIES; round += 1) {
          const pageKey = await findOrMakeKey();
          await records.set(recordName(key), await seal(pageKey, key, value));
          // The user may have cleared the site's data between the two.
          if ((await findKey())?.id === pageKey.id) return news.tell(key);
        }
        throw pageError('unwritable');
      }),
    remove: (key) =>
      inTurn(key, async () => {
        await records.remove(recordName(key));
        news.tell(key);
      }),
    ready: () => inTurn('', async () => void (await findOrMakeKey())),
    watch: (key, changed) => news.watch(key, changed),
  };
}

/** Two records are never sealed with the same nonce. */
const isSame = (one: unknown, other: unknown): boolean => nonceOf(one) === nonceOf(other);
const nonceOf = (record: unknown): string => {
  const { nonce } = Object(record) as { nonce?: unknown };
  return ArrayBuffer.isView(nonce) ? String(nonce) : '';
};

/** What a browser says is not quoted. */
function told(error: unknown): MortiseError {
  if (isMortiseError(error)) {
    const isLate = error.code === 'store_unavailable' && error.details.problem === 'timeout';
    return isLate ? pageError('timeout') : error;
  }
  const name = nameOf(error);
  if (name === 'QuotaExceededError') return pageError('full');
  return pageError(ABSENT.test(name) ? 'absent' : 'unwritable');
}
