import type { Keychain } from '../../adapters/node/keychain.js';

/** What a keychain may do instead of answering. */
export type Mood =
  | 'open'
  /** Has nothing to show, and cannot be written to. */
  | 'locked'
  /** Has nothing to show until it is written to, which opens it. */
  | 'hidden'
  | 'silent'
  | { readonly says: string };

/** A keychain of memory, to be looked into and put in a bad mood. */
export function createFakeKeychain() {
  const secrets = new Map<string, string>();
  const calls: string[] = [];
  const fake = {
    mood: 'open' as Mood,
    secrets,
    calls,
    /** What another process does just before a call. */
    before: (_call: string): void => {},
    keychain: {} as Keychain,
  };
  const answer = async <T>(call: string, doIt: () => T): Promise<T> => {
    calls.push(call);
    await null;
    fake.before(call);
    const { mood } = fake;
    if (mood === 'silent') return new Promise(() => {});
    if (typeof mood === 'object') throw new Error(`${mood.says}: ${[...secrets.values()].join()}`);
    return doIt();
  };
  const write = (call: string, change: () => void) =>
    answer(call, () => {
      const { mood } = fake;
      if (mood === 'locked') throw new Error(`Couldn't access platform storage: no result found`);
      if (mood === 'hidden') fake.mood = 'open';
      change();
    });
  fake.keychain = {
    get: (account) =>
      answer(`get ${account}`, () =>
        fake.mood === 'open' ? (secrets.get(account) ?? null) : null,
      ),
    set: (account, secret) => write(`set ${account}`, () => secrets.set(account, secret)),
    remove: (account) => write(`remove ${account}`, () => secrets.delete(account)),
  };
  return fake;
}
