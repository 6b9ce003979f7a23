// What the small parts of a session promise, each by itself. Each row was once a line that could be changed without
// a test noticing (npm run mutate).
import { MortiseError, isMortiseError } from '../../src/errors.js';
import { createOwnLock } from '../../src/session/own-lock.js';
import { pasteUserAgent } from '../../src/session/paste-user-agent.js';
import { readPasted } from '../../src/session/pasted.js';
import {
  formatAttempts,
  formatSession,
  parseAttempts,
  parseNames,
  parseSession,
  type StoredSession,
} from '../../src/session/record.js';
import { createSessionStore, isReset } from '../../src/session/session-store.js';
import { startTimeLimit } from '../../src/session/time-limit.js';
import { createFakeClock } from '../support/fake-clock.js';
import { createDisk, neverHeld } from './support.js';

const stored: StoredSession = {
  accessToken: 'access-token-at-rest',
  refreshToken: 'refresh-token-at-rest',
  lifetimeMs: 3_600_000,
  scopes: ['read'],
  carried: null,
  receivedAtMs: 1_000,
  revision: 'revision-one',
  signInId: 'sign-in-one',
  identity: null,
};

describe('case 187: a record', () => {
  // prettier-ignore
  test.each<[name: string, change: Partial<StoredSession>]>([
    ['as usual',                   {}],
    ['with an identity',           { identity: 'digest-of-ann' }],
    ['with fields to send again',  { carried: { code_verifier: 'verifier-to-send-again', aZ_9: '' } }],
    ['without what may be absent', { refreshToken: null, lifetimeMs: null, scopes: [] }],
  ])('%s comes back as it was', (_, change) => {
    expect(parseSession(formatSession({ ...stored, ...change }))).toEqual({ ...stored, ...change });
  });

  test('has nothing in it for what is not there', () => {
    expect(Object.keys(JSON.parse(formatSession(stored)) as object)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/carried|identity/)]),
    );
  });

  test('of before sign-ins had a number has none', () => {
    const { signInId: _, ...old } = stored;
    expect(parseSession(JSON.stringify(old))).toEqual({ ...stored, signInId: '' });
  });

  // prettier-ignore
  test.each<[name: string, change: object]>([
    ['an empty revision',               { revision: '' }],
    ['a sign-in that is a number',      { signInId: 1 }],
    ['an empty identity',               { identity: '' }],
    ['an identity that is a number',    { identity: 7 }],
    ['fields that are a text',          { carried: 'code_verifier' }],
    ['fields that are a list',          { carried: ['code_verifier'] }],
    ['a field that is a number',        { carried: { code_verifier: 7 } }],
    ['one good field and one bad',      { carried: { code_verifier: 'verifier-to-send-again', other: 7 } }],
    ['a field with a blank in it',      { carried: { 'code verifier': 'x' } }],
    ['a field named by a number',       { carried: { 1: 'x' } }],
    ['a field named like nothing else', { carried: { __proto__x: 'x' } }],
  ])('with %s is none', (_, change) => {
    expect(parseSession(JSON.stringify({ ...stored, ...change }))).toBeNull();
  });

  test('of attempts keeps those that can still be answered, five at the most', () => {
    const attempt = (number: number, expiresAtMs: number) => ({
      state: `state-of-attempt-${number}`,
      codeVerifier: 'verifier-of-attempt',
      redirectUri: 'https://plug-in.example/',
      startedAtMs: 0,
      expiresAtMs,
    });
    const open = [1, 2, 3, 4, 5].map((number) => attempt(number, 101));
    const text = formatAttempts([attempt(0, 100), ...open], attempt(6, 200), 100);
    expect(parseAttempts(text)).toEqual([...open.slice(1), attempt(6, 200)]);
    expect(parseAttempts(formatAttempts(open, null, 100))).toEqual(open);
  });

  test('of names has only texts that can be part of a key', () => {
    expect(parseNames('{"accounts":["ann",7,"b\\ud800",null,"carl"]}')).toEqual(['ann', 'carl']);
    expect([parseNames(null), parseAttempts(undefined)]).toEqual([[], []]);
  });
});

describe('the host’s lock', () => {
  const outcome = async (lock: Parameters<typeof createOwnLock>[0]) => {
    const told: boolean[] = [];
    let runs = 0;
    const own = createOwnLock(lock, (held) => void told.push(held));
    const result = await own('name', 1, async (held) => {
      runs += 1;
      return `ran, held: ${held}`;
    });
    return { told, runs, result };
  };

  // prettier-ignore
  test.each<[name: string, lock: Parameters<typeof createOwnLock>[0], expected: object]>([
    ['that is had',                (_name, _ms, task) => task(true),                         { told: [true],  runs: 1, result: 'ran, held: true' }],
    ['that is not had',            neverHeld,                                                { told: [false], runs: 1, result: 'ran, held: false' }],
    ['that fails at once',         async () => { throw new Error('EACCES'); },               { told: [false], runs: 1, result: 'ran, held: false' }],
    ['that fails when it is over', async (_name, _ms, task) => { await task(true); throw new Error('EIO'); },
                                                                                             { told: [true],  runs: 1, result: 'ran, held: true' }],
  ])('case 125: %s: the task runs once, and who asks hears the truth', async (_, lock, expected) => {
    expect(await outcome(lock)).toEqual(expected);
  });
});

describe('what a user pasted', () => {
  const redirectUri = 'https://plug-in.example/callback';
  // prettier-ignore
  test.each<[pasted: unknown, read: object]>([
    [' “code-to-paste„\n',                        { code: 'code-to-paste' }],
    ['?code=c&state=s?',                          { redirectUrl: `${redirectUri}?code=c&state=s?` }],
    ['plug-in.example/callback?code=c&state=s',   { redirectUrl: 'https://plug-in.example/callback?code=c&state=s' }],
    ['two words',                                 { redirectUrl: 'two words' }],
    ['',                                          { redirectUrl: '' }],
    [' \n ',                                      { redirectUrl: '' }],
  ])('%j', (pasted, read) => {
    expect(readPasted(pasted, redirectUri)).toEqual(read);
  });

  test('case 54: is looked at up to 20,000 characters', () => {
    const { redirectUrl } = readPasted(`?${'x'.repeat(30_000)}`, '') as { redirectUrl: string };
    expect(redirectUrl).toHaveLength(20_000);
  });

  // prettier-ignore
  test.each<[name: string, redirect: unknown, uri: string]>([
    ['any port',       { loopback: '127.0.0.1', path: '/cb', ports: 'any' },         'http://127.0.0.1:4/cb'],
    ['some ports',     { loopback: 'localhost', path: '/cb', ports: [5001, 5002] },  'http://localhost:5001/cb'],
    ['an address',     ['https://plug-in.example/cb', 'https://other.example/'],     'https://plug-in.example/cb'],
  ])('comes from %s, and no browser need be openable here', async (_, redirect, uri) => {
    const visit = await pasteUserAgent().open({ redirect } as never);
    expect(visit).toMatchObject({ redirectUri: uri, answerBy: 'paste' });
    await expect(visit.navigate('https://as.example/')).resolves.toBeUndefined();
  });
});

describe('an account’s place in the store', () => {
  const open = () => {
    const disk = createDisk();
    const clock = createFakeClock();
    const store = createSessionStore({ store: disk, clock, lock: neverHeld }, 'key', 'list');
    return { disk, store };
  };

  test('case 186: what is damaged is set aside once, and is no sign-out', async () => {
    const { disk, store } = open();
    disk.values.set('key', 'not a session');
    expect(await store.isSetAside()).toBe(false);
    await expect(store.load()).rejects.toMatchObject({ code: 'store_damaged' });
    expect([...disk.values]).toEqual([['key/damaged', 'not a session']]);
    expect([await store.load(), await store.isSetAside()]).toEqual([null, true]);
  });

  test('a look changes nothing, whatever is there', async () => {
    const { disk, store } = open();
    expect(await store.glance()).toBeNull();
    disk.values.set('key', 'not a session');
    expect(await store.glance()).toBeNull();
    expect([...disk.values.keys()]).toEqual(['key']);
    await store.save(stored);
    expect(await store.glance()).toEqual(stored);
  });

  // prettier-ignore
  test.each<[name: string, text: string | null, isLeft: boolean]>([
    ['the one meant is removed',                    formatSession(stored),                                 false],
    ['what somebody else has stored since is kept', formatSession({ ...stored, revision: 'of-another' }),  true],
    ['what nobody can read is kept',                'not a session',                                       true],
    ['what is not there is no failure',             null,                                                  true],
  ])('compare and clear: %s', async (_, text, isLeft) => {
    const { disk, store } = open();
    if (text !== null) disk.values.set('key', text);
    disk.values.set('key/damaged', 'set aside');
    const before = [...disk.values];
    await store.removeIf('revision-one');
    expect([...disk.values]).toEqual(isLeft ? before : []);
  });

  test('a name leaves the list with its account, and the list with its last name', async () => {
    const { disk, store } = open();
    await store.enlist('default');
    expect([...disk.values]).toEqual([]);
    for (const name of ['ann', 'bob', 'ann']) await store.enlist(name);
    expect(await store.names()).toEqual(['ann', 'bob']);
    expect(disk.operations.filter(({ operation }) => operation === 'set')).toHaveLength(2);
    await store.save(stored);
    await store.delist('ann');
    expect(await store.names()).toEqual(['ann', 'bob']);
    await store.remove();
    for (const name of ['default', 'ann', 'bob']) await store.delist(name);
    expect([...disk.values]).toEqual([]);
  });

  // prettier-ignore
  test.each<[name: string, error: unknown, is: boolean]>([
    ['a keychain that was reset',  new MortiseError('store_unavailable', { problem: 'reset' }),  true],
    ['a keychain that is locked',  new MortiseError('store_unavailable', { problem: 'locked' }), false],
    ['a damaged record',           new MortiseError('store_damaged', {}),                        false],
    ['no failure of ours',         Object.assign(new Error('x'), { code: 'store_unavailable', details: { problem: 'reset' } }), false],
  ])('reset is only %s', (_, error, is) => {
    expect([isReset(error), isMortiseError(error) || !is]).toEqual([is, true]);
  });
});

describe('the time a user has', () => {
  test.each([
    ['passes by the clock that nobody sets', 0, 11, true],
    ['passes by the wall clock', 11, 0, true],
    ['is not over at its end', 10, 10, false],
  ])('%s', (_, wallMs, monotonicMs, isPast) => {
    let [wall, monotonic] = [500, 700];
    const clock = {
      ...createFakeClock(),
      nowMs: () => wall,
      monotonicMs: () => monotonic,
    };
    const limit = startTimeLimit(clock, 10, () => {});
    [wall, monotonic] = [500 + wallMs, 700 + monotonicMs];
    expect(limit.isPast()).toBe(isPast);
  });

  test('can be made shorter, never longer, and is called off', async () => {
    const clock = createFakeClock();
    const calls: string[] = [];
    const limit = startTimeLimit(clock, 1_000, () => void calls.push(`at ${clock.monotonicMs()}`));
    await clock.advance(100);
    limit.shorten(900);
    expect([limit.ms, clock.pending]).toEqual([1_000, 1]);
    limit.shorten(200);
    expect([limit.ms, clock.pending]).toEqual([300, 1]);
    await clock.advance(1_000);
    expect(calls).toEqual(['at 300']);
    startTimeLimit(clock, 1_000, () => void calls.push('never')).stop();
    expect(clock.pending).toBe(0);
  });
});
