import { SHORTEST, createSearch, isMarked, likenessOf, type Likeness } from './leak-search.js';

/** Which secret was told where; never what it is. */
export interface Leak {
  /** Such as `access token`. */
  readonly what: string;
  /** Such as `an error (malformed_response)`. */
  readonly where: string;
  /** The test that ran when it was told first. */
  readonly test: string;
}

export type Secret =
  | 'access token'
  | 'refresh token'
  | 'token'
  | 'authorization code'
  | 'code verifier'
  | 'client secret'
  | 'device code'
  | 'sealing key';

/** What hostile answers fill every field with, tokens and what is shown alike; and a verifier that is in print. */
const NO_SECRETS = [
  /^(invalid_grant|FORBIDDEN|Bearer|3600|(https?:)?\/\/\S*)$/,
  /^dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk$/, // RFC 7636 appendix B
];

/** What the tests of one file keep secret, and everything that was told meanwhile. */
export function createLeakGuard(currentTest: () => string) {
  const secrets = new Map<string, { readonly what: Secret; readonly test: string }>();
  /** Random, and meant to be seen: a `state`. */
  const shown = new Set<string>();
  const told = new Map<string, { readonly where: string; readonly test: string }>();
  const unread: (() => void)[] = [];
  const states = new Set<string>();
  let toldCount = 0;

  const tell = (where: string, value: unknown): void => {
    if (typeof value === 'string') {
      // No secret that is searched for is as short.
      if (value.length < SHORTEST || told.has(value)) return;
      told.set(value, { where, test: currentTest() });
      toldCount += 1;
    } else if (value !== null && typeof value === 'object') {
      eachText(value, (text) => tell(where, text));
    }
  };
  const lookers: (() => void)[] = [];
  const look = (): void => {
    for (const read of [...lookers, ...unread.splice(0)]) read();
  };
  const tellLater = (where: string, value: () => unknown): void => {
    unread.push(() => tell(where, value()));
    if (unread.length >= 1000) look();
  };
  // Where a test's dice fall the same way twice, a verifier is also somebody's `state`.
  const searched = () => [...secrets.keys()].filter((secret) => !shown.has(secret));

  return {
    hide(what: Secret, secret: unknown): void {
      if (typeof secret !== 'string' || secret === '' || secrets.has(secret)) return;
      if (NO_SECRETS.some((known) => known.test(secret))) return;
      secrets.set(secret, { what, test: currentTest() });
    },
    show: (random: string): void => void shown.add(random),
    /** A session was in that state: then there must have been secrets. */
    passed: (state: string): void => void states.add(state),
    states: states as ReadonlySet<string>,
    tell,
    /** The same of what may yet be changed or added to: it is looked at after the test. */
    tellLater,
    /** Called each time before what was told is looked through. */
    beforeLook: (looker: () => void): void => void lookers.push(looker),
    look,
    holds: (what: Secret): boolean => [...secrets.values()].some((one) => one.what === what),
    /** Which secret it is, and the test that has it. */
    whatIs: (secret: string) => secrets.get(secret),
    likeness: (likeness: Likeness): string[] =>
      searched().filter((secret) => likenessOf(secret) === likeness),
    get toldCount() {
      return toldCount;
    },
    /**
     * What has leaked since the last time this was asked.
     *
     * @param onlyRandom No secret that could be any other text.
     */
    takeLeaks({ onlyRandom = false } = {}): Leak[] {
      look();
      const isWanted = (secret: string) => !onlyRandom || likenessOf(secret) === 'random';
      const search = createSearch(searched().filter(isWanted));
      const found = new Map<string, Leak>();
      const add = (what: string, where: string, test: string) =>
        found.set([what, where, test].join(), { what, where, test });
      for (const [text, { where, test }] of told) {
        const here = search(text);
        for (const secret of here) {
          // Some tests are named after what they play with.
          const isNamed = search(test).has(secret);
          const what = secrets.get(secret)?.what ?? '';
          add(what, where, isNamed ? 'a test that is named after it' : test);
        }
        if (here.size === 0 && isMarked(text)) add('something marked as secret', where, test);
      }
      told.clear();
      return [...found.values()];
    },
  };
}

export type LeakGuard = ReturnType<typeof createLeakGuard>;

/** More than anything here has: what makes a new object at each look is not followed for ever. */
const MOST_OBJECTS = 10_000;

/**
 * Every text that own properties lead to, hidden ones and symbols too, and their names. Not the stack: to format
 * one takes longer than all the rest, and it begins with the message.
 */
export function eachText(root: object, see: (text: string) => void): void {
  const seen = new Set<object>();
  const queue: object[] = [root];
  for (let value = queue.pop(); value && seen.size < MOST_OBJECTS; value = queue.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      see(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1'));
      continue;
    }
    if (value instanceof Map || value instanceof Set) queue.push([...value]);
    const isList = Array.isArray(value);
    for (const name of Reflect.ownKeys(value)) {
      if (name === 'stack') continue;
      if (!isList) see(String(name));
      let part: unknown;
      try {
        part = (value as Record<PropertyKey, unknown>)[name];
      } catch {
        continue; // a getter that throws tells nothing
      }
      if (typeof part === 'string') see(part);
      else if (part !== null && typeof part === 'object') queue.push(part);
    }
  }
}
