// What an author is told who uses a session wrongly, and what the small parts promise each other. Each row was once a
// line that could be changed without a test noticing (npm run mutate).
import { randomUUID } from 'node:crypto';
import type { Provider } from '../../src/oauth/provider.js';
import type { HeldSession } from '../../src/session/context.js';
import { createSession } from '../../src/session/create-session.js';
import { fromStore, isUsable, remainingMs } from '../../src/session/held-session.js';
import { accountKey, accountsKey } from '../../src/session/keys.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { StoredSession } from '../../src/session/record.js';
import { createFakeClock } from '../support/fake-clock.js';
import { createFakeHost } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { failing } from './support.js';

const wrong = (problem: string) => failing('configuration_error', { problem });
const host = createFakeHost({ http: createFakeServer().http });
const provider = fakeProvider();

describe('createSession says what is wrong', () => {
  // prettier-ignore
  test.each<[name: string, options: unknown, problem: string]>([
    ['nothing',               undefined,                                                          'host or provider is missing'],
    ['no host',               { provider },                                                       'host or provider is missing'],
    ['no provider',           { host },                                                           'host or provider is missing'],
    ['a host that is none',   { host: {}, provider },                                             'host or provider is missing'],
    ['a provider that is none', { host, provider: {} },                                           'host or provider is missing'],
    ['a secret in public',    { host: { ...host, client: 'public' }, provider: fakeProvider({ clientSecret: randomUUID() }) },
                                                                                                  'a client secret cannot be kept in this host'],
    ['no time ahead',         { host, provider, renewAheadMs: 0 },                                'renewAheadMs must be a number above 0'],
    ['a text ahead',          { host, provider, renewAheadMs: '5' },                              'renewAheadMs must be a number above 0'],
    ['half a letter',         { host, provider, account: '\ud800' },                              'account is not well-formed text'],
  ])('given %s', (_, options, problem) => {
    expect(() => createSession(options as never)).toThrow(wrong(problem));
  });
});

describe('a session says what is wrong', () => {
  const session = createSession({ host, provider });

  // prettier-ignore
  test.each<[name: string, scopes: readonly string[], problem: string]>([
    ['none',            [],                'scopes must name at least one scope'],
    ['one too many',    ['read', 'admin'], 'scopes must be among those the provider asks for'],
  ])('when scopes are lent: %s', (_, scopes, problem) => {
    expect(() => session.share({ scopes })).toThrow(wrong(problem));
  });

  test('except of all scopes, in any order, which are the session’s own', () => {
    expect(() => session.share({ scopes: ['write', 'read', 'read'] })).not.toThrow();
  });

  const ofUser = 'a sign-in needs a user and an absolute redirect URI';
  const registered = { ...provider, redirect: ['https://plug-in.example/callback'] };
  // prettier-ignore
  test.each<[name: string, provider: Provider, redirectUri: string, problem: string]>([
    ['without a user',               { ...provider, grant: 'client_credentials' } as never, 'https://plug-in.example/', ofUser],
    ['without a whole address',      provider as never,                                     'callback',                 ofUser],
    ['to an address not registered', registered as never,                                   'https://plug-in.example/', 'the redirect URI is not one of the provider’s'],
  ])('when a sign-in is begun %s', async (_, given, redirectUri, problem) => {
    const begun = createSession({ host, provider: given }).beginSignIn({ redirectUri });
    await expect(begun).rejects.toEqual(wrong(problem));
  });

  test.each<[name: string, timeoutMs: unknown]>([
    ['no time', 0],
    ['a text', '5'],
    ['what is no number', NaN],
  ])('when a sign-in is given %s', async (_, timeoutMs) => {
    const done = session.signIn({ timeoutMs: timeoutMs as number });
    await expect(done).rejects.toEqual(wrong('timeoutMs must be a number above 0'));
  });

  test('when a redirect belongs to no sign-in, and what to do', async () => {
    const done = session.completeSignIn('https://plug-in.example/callback?code=x&state=y');
    await expect(done).rejects.toMatchObject({
      code: 'malformed_response',
      details: { problem: 'it does not belong to a sign-in that is waiting' },
      hint: 'Sign in again, and copy the whole address the browser ended on.',
    });
  });

  test('when it is closed: nothing is begun any more', async () => {
    const closed = createSession({ host, provider });
    await closed.close();
    const begun = closed.beginSignIn({ redirectUri: 'http://127.0.0.1:5/' });
    await expect(begun).rejects.toEqual(failing('aborted', {}));
  });
});

describe('case 95 to 99: the life of a token', () => {
  const clock = createFakeClock(1_000_000);
  const life = { lifetimeMs: 100_000, receivedAtMs: 1_000_000, receivedMonotonicMs: null };

  // prettier-ignore
  test.each<[name: string, change: object, leftMs: number]>([
    ['new',                                    {},                                                        100_000],
    ['some time old',                          { receivedAtMs: 990_000 },                                  90_000],
    ['of a clock that is 60 s ahead',          { receivedAtMs: 1_060_000 },                               160_000],
    ['of a clock that is further ahead',       { receivedAtMs: 1_060_001 },                                     0],
    ['older by the clock that nobody sets',    { receivedMonotonicMs: -30_000 },                           70_000],
    ['older by the wall clock',                { receivedAtMs: 960_000, receivedMonotonicMs: -30_000 },    60_000],
    ['without an end',                         { lifetimeMs: null },                                     Infinity],
  ])('%s', (_, change, leftMs) => {
    expect(remainingMs({ ...life, ...change }, clock)).toBe(leftMs);
  });

  // prettier-ignore
  test.each<[lifetimeMs: number, ageMs: number, isGood: boolean]>([
    [3_600_000,  3_569_999,  true],
    [3_600_000,  3_570_000,  false],
    [100_000,    89_999,     true],
    [100_000,    90_000,     false],
  ])('of %i ms after %i: whether it is used: %p', (lifetimeMs, ageMs, isGood) => {
    const aged = { ...life, lifetimeMs, receivedAtMs: 1_000_000 - ageMs };
    expect(isUsable(aged, clock)).toBe(isGood);
  });

  // What is read from the store was written by a clock that may differ from ours.
  const looked = { seenAtMs: 900_000, seenMonotonicMs: -100_000 } as HeldSession;
  // prettier-ignore
  test.each<[name: string, statedMs: number, believedMs: number, before: HeldSession | null]>([
    ['just now',                                1_000_000,  1_000_000, looked],
    ['when we last looked',                       900_000,    900_000, looked],
    ['before that, as far as clocks may differ',  840_000,    840_000, looked],
    ['before that by more',                       839_999,    900_000, looked],
    ['later, as far as clocks may differ',      1_060_000,  1_060_000, looked],
    ['later by more',                           1_060_001,    900_000, looked],
    ['whenever, and nobody had looked before',    100_000,    100_000, null],
  ])('said to be received %s', (_, statedMs, believedMs, before) => {
    const stored = { receivedAtMs: statedMs, revision: 'second-revision' } as StoredSession;
    const { receivedAtMs, storedRevision } = fromStore(stored, clock, before);
    expect({ receivedAtMs, storedRevision }).toEqual({
      receivedAtMs: believedMs,
      storedRevision: 'second-revision',
    });
  });
});

describe('names in the store', () => {
  const app = { id: 'cad', server: 'https://a.example/t', clientId: 'plug in' };
  const part = 'cad/https%3A%2F%2Fa.example%2Ft/plug%20in';

  test.each([
    ['authorization_code', `mortise/1/${part}/an%2Fn`],
    ['client_credentials', `mortise/1/${part}/an%2Fn/client_credentials`],
  ] as const)('an account of %s', (grant, key) => {
    expect(accountKey({ ...app, grant }, 'an/n')).toBe(key);
    expect(accountsKey({ ...app, grant })).toBe(`mortise/1-accounts/${part}/${grant}`);
  });
});

test('a memory store tells every watcher of a key what changes there, until it has stopped', async () => {
  const store = memoryStore();
  const told: string[] = [];
  const stop = store.watch?.('key', () => void told.push('one')) as () => void;
  store.watch?.('key', () => void told.push('two'));
  store.watch?.('other', () => void told.push('other'));
  await store.set('key', 'value');
  expect(told.splice(0)).toEqual(['one', 'two']);
  stop();
  await store.remove('key');
  await store.remove('key');
  expect(told).toEqual(['two']);
});
