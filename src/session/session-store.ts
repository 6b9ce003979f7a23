import { MortiseError, isMortiseError, type StoreProblem } from '../errors.js';
import { createGuard, createInFlight } from '../http/guard.js';
import type { Host } from '../ports/index.js';
import { DEFAULT_ACCOUNT } from './keys.js';
import {
  formatAttempts,
  formatNames,
  formatSession,
  parseAttempts,
  parseNames,
  parseSession,
  type StoredAttempt,
  type StoredSession,
} from './record.js';

/** A keychain may ask its owner something; longer than this nobody waits for it. */
const STORE_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 5_000;

const STORE_PROBLEMS = /^(absent|locked|timeout|refused|reset|unwritable|full)$/;

/** One account's place in the store. Every failure is `store_unavailable` or `store_damaged`. */
export interface SessionStore {
  /** @throws {MortiseError} `store_damaged` once: what cannot be read is set aside under another key. */
  load(): Promise<StoredSession | null>;
  /** Whether it could be saved to, as far as the store can tell before. */
  ready(): Promise<void>;
  /** What is there, without a turn and without a trace: for who cannot wait for those before. */
  glance(): Promise<StoredSession | null>;
  /** Whether a damaged record was set aside, and nothing has taken its place: nobody has signed out then. */
  isSetAside(): Promise<boolean>;
  /** Durable when it resolves. */
  save(session: StoredSession): Promise<void>;
  remove(): Promise<void>;
  /** Compare and clear: never deletes what another process has stored meanwhile. */
  removeIf(revision: string): Promise<void>;
  removeAttempts(): Promise<void>;
  attempts(): Promise<readonly StoredAttempt[]>;
  addAttempt(attempt: StoredAttempt): Promise<void>;
  /** Puts the account's name on the app's list, or takes it off. Never rejects: a name too many does no harm. */
  enlist(name: string): Promise<void>;
  delist(name: string): Promise<void>;
  /** The names on the list; some may be of accounts that are no more. */
  names(): Promise<readonly string[]>;
  /** Removes an attempt; `true` for one caller only, whatever tab or process the others are in. */
  takeAttempt(state: string): Promise<boolean>;
}

export function createSessionStore(
  { store, clock, lock }: Pick<Host, 'store' | 'clock' | 'lock'>,
  key: string,
  listKey: string,
): SessionStore {
  // Closing a session stops no save: a rotated token that is not stored is lost.
  const inFlight = createInFlight();
  const attemptsKey = `${key}/attempts`;
  const damagedKey = `${key}/damaged`;
  let last: Promise<unknown> = Promise.resolve();
  // One after another: a removal asked for after a save must also happen after it.
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => limited(task));
    last = turn.catch(() => {});
    return turn;
  };
  // What is read, changed and written back is not to be changed by another process meanwhile.
  const alone = <T>(task: () => Promise<T>, name = attemptsKey): Promise<T> =>
    lock(name, LOCK_TIMEOUT_MS, () => inTurn(task));
  /** What the keychain can open no more is replaced by what is written next. */
  const readOrReset = async (name: string): Promise<string | null> => {
    try {
      return await store.get(name);
    } catch (error) {
      if (isReset(error)) return null;
      throw error;
    }
  };
  /** What the store itself has set aside is no sign-out either. */
  const markDamaged = async (error: unknown): Promise<never> => {
    if (isMortiseError(error) && error.code === 'store_damaged') await store.set(damagedKey, '');
    throw error;
  };
  const changeList = (change: (names: Set<string>) => unknown): Promise<void> =>
    alone(async () => {
      const names = new Set(parseNames(await readOrReset(listKey)));
      const before = names.size;
      await change(names);
      if (names.size === before) return;
      if (names.size === 0) await store.remove(listKey);
      else await store.set(listKey, formatNames(names));
    }, listKey).catch(() => {});
  const limited = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      const guard = createGuard({ clock, timeoutMs: STORE_TIMEOUT_MS, host: 'store', inFlight });
      return await guard.wait(Promise.resolve(task()));
    } catch (error) {
      // A store may be anybody's code: its own errors can quote what they were asked to keep.
      const known = isMortiseError(error) ? error : null;
      if (known?.code === 'store_damaged' || known?.code === 'configuration_error') throw known;
      const told = known?.code === 'store_unavailable' ? known : null;
      const said: unknown = told ? Object(told.details).problem : known?.code;
      const [problem] = STORE_PROBLEMS.exec(String(said)) ?? [];
      throw new MortiseError(
        'store_unavailable',
        problem ? { problem: problem as StoreProblem } : {},
        told ? { hint: told.hint, retryable: told.retryable } : {},
      );
    }
  };
  return {
    load: () =>
      inTurn(async () => {
        const text = await store.get(key).catch(markDamaged);
        // Who writes a store of their own may well give `undefined` for what is not there.
        if (text === null || text === undefined) return null;
        const session = parseSession(text);
        if (session) return session;
        await store.set(damagedKey, text);
        // Unless somebody has saved meanwhile.
        if ((await store.get(key)) === text) await store.remove(key);
        throw new MortiseError('store_damaged', {});
      }),
    ready: () => limited(async () => store.ready?.()),
    glance: () => limited(async () => parseSession((await store.get(key)) ?? '')),
    isSetAside: () => inTurn(async () => typeof (await store.get(damagedKey)) === 'string'),
    save: (session) => inTurn(() => store.set(key, formatSession(session))),
    remove: () =>
      inTurn(async () => {
        await store.remove(key);
        await store.remove(damagedKey);
      }),
    removeIf: (revision) =>
      inTurn(async () => {
        const text = await store.get(key);
        if (text === null || parseSession(text)?.revision !== revision) return;
        await store.remove(damagedKey);
        await store.remove(key);
      }),
    removeAttempts: () => inTurn(() => store.remove(attemptsKey)),
    attempts: () => inTurn(async () => parseAttempts(await readOrReset(attemptsKey))),
    async enlist(name) {
      if (name !== DEFAULT_ACCOUNT) await changeList((names) => names.add(name));
    },
    async delist(name) {
      if (name === DEFAULT_ACCOUNT) return;
      // Unless somebody has signed in again, and put it there.
      await changeList(async (names) => (await store.get(key)) ?? names.delete(name));
    },
    names: () => inTurn(async () => parseNames(await readOrReset(listKey))),
    addAttempt: (attempt) =>
      alone(async () => {
        const attempts = parseAttempts(await readOrReset(attemptsKey));
        await store.set(attemptsKey, formatAttempts(attempts, attempt, clock.nowMs()));
      }),
    takeAttempt: (state) =>
      alone(async () => {
        const attempts = parseAttempts(await readOrReset(attemptsKey));
        const taken = attempts.find((attempt) => attempt.state === state);
        if (!taken) return false;
        const left = attempts.filter((attempt) => attempt !== taken);
        if (left.length === 0) await store.remove(attemptsKey);
        else await store.set(attemptsKey, formatAttempts(left, null, clock.nowMs()));
        return true;
      }),
  };
}

/** Whether the key that a record was sealed with is gone for good. */
export const isReset = (error: unknown): boolean =>
  isMortiseError(error) && error.code === 'store_unavailable' && error.details.problem === 'reset';
