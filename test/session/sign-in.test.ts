import { MortiseError, type ErrorCode } from '../../src/errors.js';
import { createSession } from '../../src/session/create-session.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { StateChange } from '../../src/session/machine.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { settle } from '../support/fake-clock.js';
import {
  createFakeHost,
  deferred,
  type FakeAnswer,
  type FakeHostOptions,
} from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

const failing = (code: ErrorCode) => expect.objectContaining({ name: 'MortiseError', code });

function setUp(options: Partial<FakeHostOptions> = {}) {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http, ...options });
  const session = createSession({ host, provider: fakeProvider() });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  /** The promise, with a handler, so that a rejection that comes early is not "unhandled". */
  const signIn = (signInOptions?: Parameters<typeof session.signIn>[0]) => {
    const promise = session.signIn(signInOptions);
    promise.catch(() => {});
    return promise;
  };
  const signedIn = async () => {
    const done = signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  };
  return { server, host, session, changes, signIn, signedIn, clock: host.clock };
}

describe('a sign-in', () => {
  test('goes from the click to tokens in the store, and gives everything back', async () => {
    const { host, session, signIn, changes, clock, server } = setUp();
    const done = signIn();
    expect(session.state).toMatchObject({ name: 'authorizing', authorizationUrl: null });
    const visit = await host.visit();
    expect(session.state).toMatchObject({
      name: 'authorizing',
      window: 'open',
      authorizationUrl: visit.url,
      startedAtMs: clock.nowMs(),
      expiresAtMs: clock.nowMs() + 300_000,
    });
    await expect(visit.redirect({ code: 'good' })).resolves.toEqual({ kind: 'signedIn' });
    await done;
    expect(session.state).toEqual({
      name: 'signedIn',
      expiresAtMs: clock.nowMs() + 3_600_000,
      scopes: ['read', 'write'],
    });
    expect(changes.map(({ from, to, event }) => `${from} ${event} ${to}`)).toEqual([
      'idle signInRequested authorizing',
      'authorizing addressReady authorizing',
      'authorizing redirectReceived exchanging',
      'exchanging tokensIssued signedIn',
    ]);
    expect(visit.isOpen).toBe(false);
    expect(clock.pending).toBe(0);
    const [form] = server.tokenRequests();
    expect(form?.get('redirect_uri')).toBe(visit.redirectUri);
  });

  test('opens its window inside the click, before anything asynchronous', () => {
    const { host, signIn } = setUp();
    void signIn();
    expect(host.visits).toHaveLength(1);
  });

  test('resolves only when the tokens are durable', async () => {
    const saved = deferred<void>();
    const store = { ...memoryStore(), set: () => saved.promise };
    const { host, signIn, session } = setUp({ store });
    let isDone = false;
    const done = signIn().then(() => (isDone = true));
    void (await host.visit()).redirect({ code: 'good' });
    await settle();
    expect(isDone).toBe(false);
    expect(session.state.name).toBe('exchanging');
    saved.resolve();
    await done;
  });

  test('case 20, 21, 15: goes on after wrong answers, and takes the right one once', async () => {
    const { host, session, signIn, server } = setUp();
    const done = signIn();
    const visit = await host.visit();
    for (const query of [
      { state: 'wrong', code: 'evil' },
      { state: '', code: 'evil' },
      { state: 'x', error: 'access_denied' },
    ]) {
      await expect(visit.redirect(query)).resolves.toEqual({ kind: 'ignored' });
    }
    expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 3 });
    expect(server.tokenRequests()).toHaveLength(0);
    const answers = await Promise.all([
      visit.redirect({ code: 'good' }),
      visit.redirect({ code: 'good' }),
      visit.redirect({ code: 'another' }),
    ]);
    expect(answers.map(({ kind }) => kind)).toEqual(['signedIn', 'signedIn', 'ignored']);
    await done;
    await expect(visit.redirect({ code: 'good' })).resolves.toEqual({ kind: 'signedIn' });
    expect(server.tokenRequests()).toHaveLength(1);
  });

  test('case 24: a denial that comes while the code is exchanged ends nothing', async () => {
    const answer = deferred<FakeAnswer>();
    const { host, signIn, server } = setUp();
    server.next(() => answer.promise);
    const done = signIn();
    const visit = await host.visit();
    void visit.redirect({ code: 'good' });
    await settle();
    await expect(visit.redirect({ error: 'access_denied' })).resolves.toEqual({ kind: 'ignored' });
    answer.resolve(server.issue());
    await done;
  });

  test.each<[string, Record<string, string>, ErrorCode]>([
    ['case 23: a denial', { error: 'access_denied' }, 'access_denied'],
    ['case 39: a server that is busy', { error: 'temporarily_unavailable' }, 'oauth_error'],
    [
      'case 26: a code beside an error',
      { error: 'access_denied', code: 'good' },
      'malformed_response',
    ],
    ['neither code nor error', {}, 'malformed_response'],
  ])('%s ends it with its error', async (_, query, code) => {
    const { host, session, signIn, clock } = setUp();
    const done = signIn();
    const visit = await host.visit();
    const outcome = await visit.redirect(query);
    expect(outcome).toEqual({ kind: 'failed', error: failing(code) });
    await expect(done).rejects.toEqual(failing(code));
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(visit.isOpen).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test.each<[string, FakeAnswer | 'reset' | 'hang', ErrorCode]>([
    ['a code that was refused', { status: 400, json: { error: 'invalid_grant' } }, 'invalid_grant'],
    [
      'case 118: a client that is refused',
      { status: 401, json: { error: 'invalid_client' } },
      'invalid_client',
    ],
    ['case 99: a captive portal', { text: '<html>Welcome' }, 'malformed_response'],
    ['case 100: 204', { status: 204 }, 'malformed_response'],
    ['a gateway error', { status: 502, text: '<html>' }, 'http_error'],
    ['case 112: a reset', 'reset', 'network_error'],
    ['case 116: a server that hangs', 'hang', 'timeout'],
  ])('%s ends it with its error, after one token request', async (_, answer, code) => {
    const { host, signIn, server, clock, session } = setUp();
    server.next(() => {
      if (answer === 'reset') throw new Error('ECONNRESET');
      return answer === 'hang' ? new Promise(() => {}) : answer;
    });
    const done = signIn();
    const outcome = (await host.visit()).redirect({ code: 'good' });
    await clock.advance(31_000);
    expect(await outcome).toEqual({ kind: 'failed', error: failing(code) });
    await expect(done).rejects.toEqual(failing(code));
    expect(server.tokenRequests()).toHaveLength(1);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(clock.pending).toBe(0);
  });

  test('ignored until its time limit ends with sign_in_timeout', async () => {
    const { host, signIn, clock } = setUp();
    const done = signIn({ timeoutMs: 1000 });
    const visit = await host.visit();
    await clock.advance(1000);
    await expect(done).rejects.toEqual(failing('sign_in_timeout'));
    expect(visit.isOpen).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('case 16, 61: a redirect that comes after the machine slept through the time limit is too late', async () => {
    const { host, signIn, clock, server } = setUp();
    const done = signIn();
    const visit = await host.visit();
    clock.setWall(clock.nowMs() + 7_200_000);
    const outcome = await visit.redirect({ code: 'good' });
    expect(outcome).toEqual({ kind: 'failed', error: failing('sign_in_timeout') });
    await expect(done).rejects.toEqual(failing('sign_in_timeout'));
    expect(server.tokenRequests()).toHaveLength(0);
  });

  test('cannot start without a user agent, and says so', async () => {
    const server = createFakeServer();
    const host = { ...createFakeHost({ http: server.http }), userAgents: [] };
    const session = createSession({ host, provider: fakeProvider() });
    await expect(session.signIn()).rejects.toEqual(failing('configuration_error'));
  });

  test('moves on to the next user agent when one cannot work', async () => {
    const { host, signIn } = setUp({
      userAgents: [{ open: () => Promise.reject(new MortiseError('popup_blocked', {})) }],
    });
    const done = signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  });

  test('a port that is taken everywhere is its error', async () => {
    const openError = new MortiseError('redirect_port_in_use', { ports: [3000] });
    const { signIn, session } = setUp({ openError });
    await expect(signIn()).rejects.toBe(openError);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });

  test('case 13: a browser that does not open leaves the attempt alive, with its address to copy', async () => {
    const { host, session, signIn, changes } = setUp({ navigateError: new Error('no browser') });
    const done = signIn();
    const visit = await host.visit();
    await settle();
    expect(session.state).toMatchObject({ window: 'lost', authorizationUrl: visit.url });
    expect(changes.at(-1)).toMatchObject({
      event: 'windowLost',
      error: failing('configuration_error'),
    });
    await visit.redirect({ code: 'good' });
    await done;
  });

  test('a store that cannot be used is known before the user is bothered', async () => {
    const store = { ...memoryStore(), get: () => Promise.reject(new Error('EACCES')) };
    const { host, signIn } = setUp({ store });
    await expect(signIn()).rejects.toEqual(failing('store_unavailable'));
    expect(host.visits[0]).toMatchObject({ url: '', isOpen: false });
  });

  test('tokens that cannot be stored are revoked, not lost', async () => {
    const store = { ...memoryStore(), set: () => Promise.reject(new Error('ENOSPC')) };
    const { host, signIn, server } = setUp({ store });
    const done = signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await expect(done).rejects.toEqual(failing('store_unavailable'));
    await settle();
    expect(server.revoked).toEqual([
      expect.stringContaining('refresh'),
      expect.stringContaining('access'),
    ]);
  });
});

describe('case 17: a cancelled sign-in', () => {
  test('before it began does nothing at all', async () => {
    const { host, signIn, session } = setUp();
    await expect(signIn({ signal: AbortSignal.abort() })).rejects.toEqual(
      failing('sign_in_cancelled'),
    );
    expect(host.visits).toHaveLength(0);
    expect(session.state.name).toBe('idle');
  });

  test.each<[string, (visit: { redirect(q: object): unknown }) => unknown]>([
    ['while the user is away', () => {}],
    ['while the code is exchanged', (visit) => visit.redirect({ code: 'good' })],
  ])('%s settles once, frees everything, and revokes what comes late', async (_, act) => {
    const { host, signIn, session, server, clock, changes } = setUp();
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    const controller = new AbortController();
    const done = signIn({ signal: controller.signal });
    const visit = await host.visit();
    act(visit as never);
    await settle();
    controller.abort();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(visit.isOpen).toBe(false);
    answer.resolve(server.issue());
    await settle();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(server.revoked).toHaveLength(server.tokenRequests().length * 2);
    expect(changes.at(-1)).toMatchObject({
      event: 'signInFailed',
      error: failing('sign_in_cancelled'),
    });
    expect(clock.pending).toBe(0);
  });

  test('whose window is still opening closes it when it is there', async () => {
    const opened = deferred<{
      redirectUri: string;
      navigate(): Promise<void>;
      close(): Promise<void>;
    }>();
    let isClosed = false;
    const { signIn } = setUp({ userAgents: [{ open: () => opened.promise }] });
    const controller = new AbortController();
    const done = signIn({ signal: controller.signal });
    await settle();
    controller.abort();
    await settle();
    opened.resolve({
      redirectUri: 'http://127.0.0.1:1/callback',
      navigate: async () => {},
      close: async () => void (isClosed = true),
    });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    expect(isClosed).toBe(true);
  });
});

describe('case 18: a second sign-in while one is pending', () => {
  test('joins it, and only leaves when its own caller does', async () => {
    const { host, signIn } = setUp();
    const controller = new AbortController();
    const first = signIn();
    const second = signIn();
    const third = signIn({ signal: controller.signal });
    controller.abort();
    await expect(third).rejects.toEqual(failing('sign_in_cancelled'));
    const visit = await host.visit();
    expect(host.visits).toHaveLength(1);
    await visit.redirect({ code: 'good' });
    await Promise.all([first, second]);
  });

  test('starts over when told to, and never mixes the two', async () => {
    const { host, signIn, server, session } = setUp();
    const first = signIn();
    const old = await host.visit();
    const second = signIn({ whilePending: 'restart' });
    await expect(first).rejects.toEqual(failing('sign_in_cancelled'));
    const visit = await host.visit();
    expect(old.isOpen).toBe(false);
    expect(session.state).toMatchObject({ name: 'authorizing', authorizationUrl: visit.url });
    await old.redirect({ code: 'old' });
    await visit.redirect({ code: 'new' });
    await second;
    expect(server.tokenRequests().map((form) => form.get('code'))).toEqual(['new']);
    expect(new URL(visit.url).searchParams.get('state')).not.toBe(
      new URL(old.url).searchParams.get('state'),
    );
  });
});

describe('a new sign-in while signed in', () => {
  test('keeps the old tokens until it has succeeded', async () => {
    const { host, session, signedIn, signIn } = setUp();
    await signedIn();
    const before = await session.getAccessToken();
    const done = signIn();
    const visit = await host.visit();
    await expect(session.getAccessToken()).resolves.toBe(before);
    await visit.redirect({ code: 'good' });
    await done;
    expect(await session.getAccessToken()).not.toBe(before);
  });

  test('that fails leaves things as they were', async () => {
    const { host, session, signedIn, signIn, changes } = setUp();
    await signedIn();
    const before = await session.getAccessToken();
    const done = signIn();
    await (await host.visit()).redirect({ error: 'access_denied' });
    await expect(done).rejects.toEqual(failing('access_denied'));
    expect(session.state.name).toBe('signedIn');
    expect(changes.at(-1)).toMatchObject({ event: 'sessionKept', error: failing('access_denied') });
    await expect(session.getAccessToken()).resolves.toBe(before);
  });

  test('from a process that has not read the store yet keeps the stored one too', async () => {
    const store = memoryStore();
    const first = setUp({ store });
    await first.signedIn();
    const token = await first.session.getAccessToken();
    const second = setUp({ store });
    const done = second.signIn({ timeoutMs: 10 });
    await second.host.visit();
    await second.clock.advance(10);
    await expect(done).rejects.toEqual(failing('sign_in_timeout'));
    expect(second.session.state.name).toBe('signedIn');
    await expect(second.session.getAccessToken()).resolves.toBe(token);
  });
});

describe('case 96: what the user pastes', () => {
  test.each<[string, (address: string) => string]>([
    ['the address', (address) => address],
    ['the address in quotes and blanks', (address) => ` "${address}"\n`],
    ['the code alone', () => ' good '],
  ])('%s completes a pending sign-in', async (_, paste) => {
    const { host, session, signIn, server } = setUp();
    const done = signIn();
    const visit = await host.visit();
    const state = new URL(visit.url).searchParams.get('state') ?? '';
    await session.completeSignIn(paste(`${visit.redirectUri}?code=good&state=${state}`));
    await done;
    expect(server.tokenRequests()[0]?.get('code')).toBe('good');
  });

  test.each([
    ['nothing', ''],
    ['an address of another place', 'https://evil.example/?code=good'],
    ['an address with a wrong state', 'http://127.0.0.1:4000/callback?code=good&state=wrong'],
    ['a sentence', 'the browser says it cannot connect'],
  ])('%s is refused, and the sign-in goes on', async (_, text) => {
    const { host, session, signIn, server } = setUp();
    const done = signIn();
    const visit = await host.visit();
    await expect(session.completeSignIn(text)).rejects.toEqual(failing('malformed_response'));
    expect(server.tokenRequests()).toHaveLength(0);
    await visit.redirect({ code: 'good' });
    await done;
  });
});

describe('a sign-in cut in two', () => {
  const redirectUri = 'https://plugin.example/callback/';

  test('is finished by another process, once', async () => {
    const store = memoryStore();
    const first = setUp({ store });
    const { authorizationUrl } = await first.session.beginSignIn({ redirectUri });
    const state = new URL(authorizationUrl).searchParams.get('state') ?? '';
    const back = `${redirectUri}?code=good&state=${state}`;
    const second = setUp({ store });
    await second.session.completeSignIn(back);
    expect(second.session.state.name).toBe('signedIn');
    expect(second.changes.map(({ event }) => event)).toEqual([
      'restoreRequested',
      'sessionAbsent',
      'signInRequested',
      'redirectReceived',
      'tokensIssued',
    ]);
    await expect(second.session.completeSignIn(back)).rejects.toEqual(
      failing('malformed_response'),
    );
  });

  test('case 19: an answer nobody asked for is refused', async () => {
    const { session, server } = setUp();
    const answer = session.completeSignIn(`${redirectUri}?code=evil&state=evil`);
    await expect(answer).rejects.toEqual(failing('malformed_response'));
    expect(server.tokenRequests()).toHaveLength(0);
    expect(session.state.name).toBe('idle');
  });

  test('expires', async () => {
    const { session, clock } = setUp();
    const { authorizationUrl } = await session.beginSignIn({ redirectUri, timeoutMs: 1000 });
    const state = new URL(authorizationUrl).searchParams.get('state') ?? '';
    await clock.advance(1001);
    const answer = session.completeSignIn(`${redirectUri}?code=good&state=${state}`);
    await expect(answer).rejects.toEqual(failing('sign_in_timeout'));
  });

  test('case 14: an attempt of one provider is unknown to another', async () => {
    const store = memoryStore();
    const { session } = setUp({ store });
    const { authorizationUrl } = await session.beginSignIn({ redirectUri });
    const state = new URL(authorizationUrl).searchParams.get('state') ?? '';
    const host = createFakeHost({ http: createFakeServer().http, store });
    const other = createSession({
      host,
      provider: prevu3d({ clientId: 'plug-in', scopes: ['a'] }),
    });
    const answer = other.completeSignIn(`${redirectUri}?code=good&state=${state}`);
    await expect(answer).rejects.toEqual(failing('malformed_response'));
  });

  test('two may be open at once, and either may come back first', async () => {
    const { session } = setUp();
    const states = [];
    for (let count = 0; count < 2; count += 1) {
      const { authorizationUrl } = await session.beginSignIn({ redirectUri });
      states.push(new URL(authorizationUrl).searchParams.get('state'));
    }
    for (const state of states)
      await session.completeSignIn(`${redirectUri}?code=good&state=${state}`);
    expect(session.state.name).toBe('signedIn');
  });
});

test('case 9: a client secret where it cannot be kept is refused when the session is created', () => {
  const host = createFakeHost({ http: createFakeServer().http, client: 'public' });
  const create = () => createSession({ host, provider: fakeProvider({ clientSecret: 's3cret' }) });
  expect(create).toThrow(failing('configuration_error') as never);
});

test('case 146: a listener may call anything', async () => {
  const { session, host, signIn } = setUp();
  const calls: Promise<unknown>[] = [];
  session.onChange(({ to }) => {
    calls.push(session.getAccessToken().catch(() => {}));
    if (to === 'signedIn') calls.push(session.signOut());
  });
  const done = signIn();
  await (await host.visit()).redirect({ code: 'good' });
  await done;
  await Promise.all(calls);
  expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
});

test('a listener that signs out at once ends the sign-in before its window opens', async () => {
  const { session, host, signIn } = setUp();
  session.onChange(({ event }) => {
    if (event === 'signInRequested') void session.signOut();
  });
  await expect(signIn()).rejects.toEqual(failing('sign_in_cancelled'));
  await settle();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  expect(host.visits.every(({ isOpen }) => !isOpen)).toBe(true);
});

test('closing ends a sign-in with aborted and leaves nothing behind', async () => {
  const { session, host, signIn, clock } = setUp();
  const done = signIn();
  const visit = await host.visit();
  await session.close();
  await expect(done).rejects.toEqual(failing('aborted'));
  expect(visit.isOpen).toBe(false);
  expect(clock.pending).toBe(0);
  await expect(session.signIn()).rejects.toEqual(failing('aborted'));
  await expect(session.getAccessToken()).rejects.toEqual(failing('aborted'));
});

test('started over by a listener that hears of the tokens, it is a sign-in like any other', async () => {
  const { session, host, changes, signIn } = setUp();
  let again: Promise<void> | undefined;
  session.onChange(({ event }) => {
    if (event === 'tokensIssued') again ??= signIn({ whilePending: 'restart' });
  });
  const done = signIn();
  await (await host.visit()).redirect({ code: 'good' });
  await done;
  const second = host.visits[1] ?? (await host.visit());
  await settle();
  expect(session.state).toMatchObject({ name: 'authorizing', authorizationUrl: second.url });
  await second.redirect({ code: 'good' });
  await again;
  expect(changes.map(({ from, event }) => `${from} ${event}`)).toEqual([
    'idle signInRequested',
    'authorizing addressReady',
    'authorizing redirectReceived',
    'exchanging tokensIssued',
    'signedIn signInRequested',
    'authorizing addressReady',
    'authorizing redirectReceived',
    'exchanging tokensIssued',
  ]);
});
