import type { Clock, Lock } from '../../src/ports/index.js';
import { keychainError, type LimitedKeychain } from './keychain.js';
import { importSealingKey, KEY_BYTES, type SealingKey } from './sealed-record.js';

/** The one entry a service has, and another that is there for a moment. */
const KEY = 'mortise/1/key';
const TRIAL = 'mortise/1/trial';

/** The others are done with their few calls by then, or wait for an answer that does not come. */
const LOCK_TIMEOUT_MS = 5_000;
/** Timers come a little early. */
const EARLY_MS = 50;

/** Asks the keychain for a service's key: once in the life of a process, as long as nothing changes. */
export interface SealingKeys {
  /**
   * The key a record was sealed with.
   *
   * @throws {MortiseError} `store_unavailable`.
   */
  find(id: string): Promise<SealingKey>;
  /**
   * The key to seal with, made when there is none.
   *
   * @throws {MortiseError} `store_unavailable`.
   */
  findOrMake(): Promise<SealingKey>;
}

export function createSealingKeys(
  keychain: LimitedKeychain,
  lock: Lock,
  clock: Clock,
): SealingKeys {
  let known: SealingKey | null = null;
  let asking: Promise<SealingKey | null> | null = null;

  const read = async (): Promise<SealingKey | null> => {
    const text = await keychain.get(KEY);
    const bytes = new Uint8Array(Buffer.from(text ?? '', 'base64'));
    // Anything else in the place of the key is as good as none.
    known = bytes.length === KEY_BYTES ? await importSealingKey(bytes) : null;
    return known;
  };
  const ask = () =>
    (asking ??= read().finally(() => {
      asking = null;
    }));

  /**
   * Some keychains have no entry to show while they are locked (measured: "none" after 16 ms), but none can
   * be written to without being unlocked. Only after that is a key that is not there really gone.
   */
  const askUnlocked = async (): Promise<SealingKey | null> => {
    await keychain.set(TRIAL, 'mortise');
    const found = await ask();
    await keychain.remove(TRIAL).catch(() => {});
    return found;
  };

  /** Under the lock, so that two first sign-ins at once end with one key; whatever is read back is it. */
  const make = (): Promise<SealingKey> => {
    const startMs = clock.monotonicMs();
    return lock('sealing-key', LOCK_TIMEOUT_MS, async (held) => {
      // Somebody is still being asked by the keychain: of two keys one would be lost, with what it sealed.
      const waitedMs = clock.monotonicMs() - startMs;
      if (!held && waitedMs >= LOCK_TIMEOUT_MS - EARLY_MS) throw keychainError('timeout');
      const found = await askUnlocked();
      if (found) return found;
      const bytes = globalThis.crypto.getRandomValues(Buffer.alloc(KEY_BYTES));
      const text = bytes.toString('base64');
      bytes.fill(0);
      await keychain.set(KEY, text);
      const made = await ask();
      if (!made) throw keychainError('refused');
      return made;
    });
  };

  return {
    async find(id) {
      if (known?.id === id) return known;
      // Another process may have made a new one since.
      const found = (await ask()) ?? (await askUnlocked());
      if (found?.id === id) return found;
      throw keychainError('reset');
    },
    findOrMake: async () => known ?? (await ask()) ?? make(),
  };
}
