import { MortiseError, isMortiseError } from '../../src/errors.js';
import type { Clock, KeyValueStore, Lock } from '../../src/ports/index.js';
import { systemClock } from '../web/system-clock.js';
import { createTurns } from '../web/turns.js';
import { checkService, defaultDirectory } from './default-directory.js';
import { fileStore } from './file-store.js';
import { limitKeychain, systemKeychain, type Keychain } from './keychain.js';
import { refused } from './private-files.js';
import { createProcessLock } from './process-lock.js';
import { parseSealed, seal, unseal } from './sealed-record.js';
import { createSealingKeys } from './sealing-keys.js';

export interface KeyringStoreOptions {
  /** Your plug-in, as users see it in their keychain; see {@link defaultDirectory} for what may be in it. */
  readonly service: string;
  /** Where the sealed records rest. Default `defaultDirectory(service)`. */
  readonly directory?: string;
}

/** What the store is made of; its test has others. */
export interface KeyringStoreParts extends KeyringStoreOptions {
  readonly keychain: Keychain;
  /** Among all that use the same keychain. */
  readonly lock: Lock;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** For each call of the keychain, of which a first sign-in needs six. */
const TIMEOUT_MS = 10_000;

/**
 * Records sealed with a key that rests in the system's keychain: Keychain on macOS, Credential Manager on
 * Windows, the Secret Service (GNOME Keyring, KWallet, KeePassXC) on Linux. Needs the optional package
 * `@napi-rs/keyring`.
 *
 * Each record is a file of {@link fileStore} below `directory`, sealed with AES-256-GCM. The keychain holds
 * one entry for a service, 44 characters long. So a record may be of any size (Windows takes 2,560 bytes),
 * a save is as atomic and durable as with files, and the keychain is asked once by each process.
 *
 * Nothing is ever written unsealed. A keychain that is absent, locked, silent or unwilling is
 * `store_unavailable` with `details.problem`, and the records stay as they are. `reset` means that the
 * keychain is open and the key is gone: the record cannot be read again, the next save replaces it. Reading
 * what was never stored, and removing, do not need the keychain.
 *
 * Nobody waits longer than 10 s for a user who is asked to unlock the keychain: the call fails, and the next one
 * after that succeeds. Against other programs of the same user it protects as far as the keychain does: on
 * Windows and Linux that is not at all once it is unlocked.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export function keyringStore({ service, directory }: KeyringStoreOptions): KeyValueStore {
  checkService(service);
  const clock = systemClock;
  return createKeyringStore({
    service,
    ...(directory !== undefined && { directory }),
    keychain: systemKeychain(service),
    // Made when a key is: most processes never need it.
    lock: (...use) => createProcessLock({ place: `keychain/${service}`, clock })(...use),
    clock,
    timeoutMs: TIMEOUT_MS,
  });
}

export function createKeyringStore(parts: KeyringStoreParts): KeyValueStore {
  const { service, directory = defaultDirectory(service), clock, timeoutMs } = parts;
  const files = fileStore({ directory });
  const keychain = limitKeychain(parts.keychain, clock, timeoutMs);
  const keys = createSealingKeys(keychain, parts.lock, clock);
  const turns = createTurns();
  const inTurn = <T>(key: string, task: () => Promise<T>) =>
    turns(key, () =>
      task().catch((error: unknown) => {
        throw isMortiseError(error) ? error : new MortiseError('store_unavailable', {});
      }),
    );

  return {
    name: 'keyring',
    place: files.place,
    get: (key) =>
      inTurn(key, async () => {
        const text = await files.get(fileKey(key));
        if (text === null) return null;
        const record = parseSealed(text);
        const value = record && (await unseal(await keys.find(record.keyId), key, record));
        if (value !== null) return value;
        await setAside(key, text);
        throw new MortiseError('store_damaged', {});
      }),
    set: (key, value) =>
      inTurn(key, async () => {
        if (Buffer.from(value).toString() !== value) {
          throw refused('Only well-formed text can be stored.');
        }
        await files.set(fileKey(key), await seal(await keys.findOrMake(), key, value));
      }),
    remove: (key) =>
      inTurn(key, async () => {
        await files.remove(fileKey(key));
        await files.remove(damagedKey(key));
      }),
    ready: () =>
      inTurn('', async () => {
        await keys.findOrMake();
      }),
    watch: (key, changed) => files.watch(fileKey(key), changed),
  };

  /** As far as the disk allows; and not what somebody has saved meanwhile. */
  async function setAside(key: string, text: string): Promise<void> {
    try {
      await files.set(damagedKey(key), text);
      if ((await files.get(fileKey(key))) === text) await files.remove(fileKey(key));
    } catch {
      // It is told all the same, and found again next time.
    }
  }
}

// Other names than plain records have, which may be in the same folder; and another for another format.
const fileKey = (key: string) => `sealed/1/${key}`;
const damagedKey = (key: string) => `sealed/1-damaged/${key}`;
