import type { AsyncEntry } from '@napi-rs/keyring';
import { MortiseError, isMortiseError, type StoreProblem } from '../../src/errors.js';
import type { Clock } from '../../src/ports/index.js';

/** The system's keychain, as far as it is needed: short texts under one service. */
export interface Keychain {
  /** `null` when there is none, and with some keychains also while they are locked. */
  get(account: string, signal: AbortSignal): Promise<string | null>;
  set(account: string, secret: string, signal: AbortSignal): Promise<void>;
  remove(account: string, signal: AbortSignal): Promise<void>;
}

/** A keychain that answers in bounded time, and fails with errors of ours. */
export interface LimitedKeychain {
  get(account: string): Promise<string | null>;
  set(account: string, secret: string): Promise<void>;
  remove(account: string): Promise<void>;
}

type KeychainProblem = Exclude<StoreProblem, 'unwritable' | 'full'>;

const HINTS: Readonly<Record<KeychainProblem, string>> = {
  absent: 'Start a keychain (GNOME Keyring, KWallet, KeePassXC) in your desktop session.',
  locked: 'Unlock your keychain, then try again.',
  timeout: 'Look for a window of your keychain and unlock it, then try again.',
  refused: 'Allow this program in the settings of your keychain.',
  reset: 'Your keychain was reset and this account cannot be read any more: sign in again.',
};

/** Not quoted: what a keychain says may hold what it was given. */
export function keychainError(problem: KeychainProblem, hint?: string): MortiseError {
  const retryable = problem === 'locked' || problem === 'timeout';
  return new MortiseError(
    'store_unavailable',
    { problem },
    { hint: hint ?? HINTS[problem], retryable },
  );
}

/**
 * Keychain of macOS, Windows Credential Manager, or the Secret Service of a Linux desktop, by the optional
 * package `@napi-rs/keyring`, loaded at the first call.
 *
 * On Linux its first call waits for D-Bus on this thread: measured 10 to 25 ms, 2 s when the keychain hangs. As
 * long as a prompt is open, `process.exit` waits for it (measured: 25 s when its window cannot open).
 */
export function systemKeychain(service: string): Keychain {
  const entries = new Map<string, AsyncEntry>();
  const use = async <T>(account: string, call: (entry: AsyncEntry) => Promise<T>): Promise<T> => {
    const entry = entries.get(account) ?? (await openEntry(service, account));
    entries.set(account, entry);
    try {
      return await call(entry);
    } catch (error) {
      entries.delete(account); // it does not outlive the bus it was opened on
      throw error;
    }
  };
  return {
    get: (account, signal) =>
      use(account, async (entry) => (await entry.getPassword(signal)) ?? null),
    set: (account, secret, signal) => use(account, (entry) => entry.setPassword(secret, signal)),
    remove: (account, signal) =>
      use(account, async (entry) => void (await entry.deletePassword(signal))),
  };
}

async function openEntry(service: string, account: string): Promise<AsyncEntry> {
  const { AsyncEntry } = await import('@napi-rs/keyring').catch(() => {
    throw keychainError(
      'absent',
      'Install the package @napi-rs/keyring, its optional parts included.',
    );
  });
  try {
    // Without a Secret Service it would silently take the kernel's keyring, which is gone after a restart.
    return new AsyncEntry(service, account, { linux: { store: 'secret-service' } });
  } catch (error) {
    throw keychainError(problemOf(error) === 'timeout' ? 'timeout' : 'absent');
  }
}

/**
 * The same with a time limit for each call, and with errors of ours.
 *
 * One call at a time: one that hangs keeps one of the four threads that Node does its file work with, and
 * nothing ends it, an aborted signal included. Those that come meanwhile wait, as long as their own limit.
 */
export function limitKeychain(
  keychain: Keychain,
  clock: Clock,
  timeoutMs: number,
): LimitedKeychain {
  let last: Promise<unknown> = Promise.resolve();
  const limited = <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const over = new AbortController();
    const called = last.then(() => {
      // Who asked has left: what is given out now nobody would take, or take back.
      if (over.signal.aborted) throw keychainError('timeout');
      return call(over.signal);
    });
    last = called.catch(() => {});
    return new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        over.abort();
        reject(keychainError('timeout'));
      });
      const fail = (error: unknown) =>
        reject(isMortiseError(error) ? error : keychainError(problemOf(error)));
      called.then(resolve, fail).then(cancel);
    });
  };
  return {
    get: (account) => limited((signal) => keychain.get(account, signal)),
    set: (account, secret) => limited((signal) => keychain.set(account, secret, signal)),
    remove: (account) => limited((signal) => keychain.remove(account, signal)),
  };
}

/** The package has no codes, only its own words and below them those of the system. */
function problemOf(error: unknown): KeychainProblem {
  const { message } = Object(error) as { message?: unknown };
  const text = typeof message === 'string' ? message : '';
  if (/did not receive a reply|timed? ?out/i.test(text)) return 'timeout';
  if (/^couldn't access platform|locked|dismissed/i.test(text)) return 'locked';
  return /\bd-?bus\b/i.test(text) ? 'absent' : 'refused';
}
