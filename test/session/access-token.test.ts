import { MortiseError, type ErrorCode } from '../../src/errors.js';
import type { KeyValueStore, Lock } from '../../src/ports/index.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, toResponse, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

const failing = (code: ErrorCode, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });

/** Longer than any token lives, so that asking for it renews. */
const RENEW = { minValidityMs: 1e9 };

interface Options {
  readonly store?: KeyValueStore;
  readonly server?: ReturnType<typeof createFakeServer>;
  readonly lifetimeS?: number | null;
  readonly clock?: ReturnType<typeof createFakeHost>['clock'];
  readonly lock?: Lock;
}

function open({ store = memoryStore(), server, lifetimeS, ...rest }: Options = {}) {
  const platform = server ?? createFakeServer(lifetimeS === undefined ? {} : { lifetimeS });
  const host = createFakeHost({ http: platform.http, store, ...rest });
  const session = createSession({ host, provider: fakeProvider() });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const refreshes = () =>
    platform.tokenRequests().filter((form) => form.get('grant_type') === 'refresh_token');
  return { host, session, changes, server: platform, store, clock: host.clock, refreshes };
}

async function signedIn(options: Options = {}) {
  const opened = open(options);
  const done = opened.session.signIn();
  await (await opened.host.visit()).redirect({ code: 'good' });
  await done;
  opened.changes.length = 0;
  return opened;
}

describe('asking for a token', () => {
  test('when nobody is signed in says so, and opens no window', async () => {
    const { session, host } = open();
    const refusal = failing('sign_in_required', { reason: 'never' });
    await expect(session.getAccessToken()).rejects.toEqual(refusal);
    expect(host.visits).toHaveLength(0);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });

  test('in a new process reads the store by itself, once, without the network', async () => {
    const before = await signedIn();
    const reads: string[] = [];
    const store = {
      ...before.store,
      get: (key: string) => (reads.push(key), before.store.get(key)),
    };
    const { session, changes, server } = open({ store, clock: before.clock });
    const tokens = await Promise.all([
      session.getAccessToken(),
      session.getAccessToken(),
      session.restore(),
    ]);
    expect(tokens[0]).toBe(await before.session.getAccessToken());
    expect(reads).toHaveLength(1);
    expect(server.requests).toHaveLength(0);
    expect(changes.map(({ event }) => event)).toEqual(['restoreRequested', 'sessionFound']);
  });

  test('that is good returns it without asking anybody', async () => {
    const { session, refreshes } = await signedIn();
    const token = await session.getAccessToken();
    expect(await session.getAccessToken({ minValidityMs: 3_500_000 })).toBe(token);
    expect(refreshes()).toHaveLength(0);
  });

  test('case 119: that has expired renews it once for 10,000 callers', async () => {
    const { session, clock, refreshes } = await signedIn();
    const old = await session.getAccessToken();
    await clock.advance(3_600_000);
    const tokens = await Promise.all(
      Array.from({ length: 10_000 }, () => session.getAccessToken()),
    );
    expect(refreshes()).toHaveLength(1);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).not.toBe(old);
  });

  test('for longer than a token lives costs one refresh a call, not a loop', async () => {
    const { session, refreshes } = await signedIn();
    await session.getAccessToken(RENEW);
    expect(refreshes()).toHaveLength(1);
  });

  test.each([
    ['an hour', 3600, 3_570_000],
    ['ten seconds', 10, 9_000],
  ])('of %s renews it a little before its end', async (_, lifetimeS, renewedAtMs) => {
    const { session, clock, refreshes } = await signedIn({ lifetimeS });
    await clock.advance(renewedAtMs - 1);
    await session.getAccessToken();
    expect(refreshes()).toHaveLength(0);
    await clock.advance(1);
    await session.getAccessToken();
    expect(refreshes()).toHaveLength(1);
  });

  test('case 106: of unknown life never renews it by the clock', async () => {
    const { session, clock, refreshes } = await signedIn({ lifetimeS: null });
    expect(session.state).toMatchObject({ name: 'signedIn', expiresAtMs: null });
    await clock.advance(86_400_000_000);
    await session.getAccessToken(RENEW);
    expect(refreshes()).toHaveLength(0);
  });

  test('case 167: one caller who leaves does not disturb the others', async () => {
    const answer = deferred<FakeAnswer>();
    const { session, server, refreshes } = await signedIn();
    server.next(() => answer.promise);
    const controller = new AbortController();
    const leaving = session.getAccessToken({ ...RENEW, signal: controller.signal });
    const staying = session.getAccessToken(RENEW);
    await settle();
    controller.abort();
    await expect(leaving).rejects.toEqual(failing('aborted'));
    answer.resolve(server.issue());
    await expect(staying).resolves.toEqual(expect.stringContaining('access'));
    expect(refreshes()).toHaveLength(1);
  });
});

describe('a refresh', () => {
  test('is a state, and sends what RFC 6749 section 6 asks for', async () => {
    const { session, changes, refreshes } = await signedIn();
    await session.getAccessToken(RENEW);
    expect(changes.map(({ event, to }) => `${event} ${to}`)).toEqual([
      'refreshDue refreshing',
      'tokensIssued signedIn',
    ]);
    expect([...(refreshes()[0] ?? [])].map(([name]) => name)).toEqual([
      'grant_type',
      'refresh_token',
      'client_id',
    ]);
  });

  test('saves the new refresh token before anybody is given the new access token', async () => {
    const saved = deferred<void>();
    const opened = await signedIn();
    const { session, store } = opened;
    const set = store.set.bind(store);
    store.set = async (key, value) => {
      await saved.promise;
      await set(key, value);
    };
    let token = '';
    const done = session.getAccessToken(RENEW).then((got) => (token = got));
    await settle();
    expect(token).toBe('');
    saved.resolve();
    await done;
    expect(token).toContain('access-2');
  });

  test('keeps the old refresh token when the answer has none', async () => {
    const { session, server, refreshes } = await signedIn();
    server.next((form) => {
      const token = form.get('refresh_token') ?? '';
      return {
        json: {
          access_token: 'a'.repeat(9),
          token_type: 'bearer',
          expires_in: 60,
          was: token.length,
        },
      };
    });
    await session.getAccessToken(RENEW);
    server.next(() => server.issue());
    await session.getAccessToken(RENEW);
    const [first, second] = refreshes().map((form) => form.get('refresh_token'));
    expect(second).toBe(first);
  });

  test.each<[string, FakeAnswer | 'reset' | 'hang', ErrorCode]>([
    ['case 126: 500', { status: 500 }, 'http_error'],
    ['case 126: 503', { status: 503, text: '<html>' }, 'http_error'],
    ['case 127: no answer', 'reset', 'network_error'],
    ['case 116: silence', 'hang', 'timeout'],
    ['case 99: a captive portal', { text: '<html>' }, 'malformed_response'],
    ['case 100, 129: 400 without a word', { status: 400 }, 'oauth_error'],
    ['case 129: 401 without a word', { status: 401 }, 'oauth_error'],
    [
      'case 118: a refused client',
      { status: 401, json: { error: 'invalid_client' } },
      'invalid_client',
    ],
    [
      'a 5xx that claims invalid_grant',
      { status: 500, json: { error: 'invalid_grant' } },
      'http_error',
    ],
    ['an answer without a token', { json: { token_type: 'Bearer' } }, 'malformed_response'],
  ])('%s keeps the session, degraded, and the next one works', async (_, answer, code) => {
    const { session, server, clock, changes } = await signedIn();
    await clock.advance(3_600_000);
    const { next } = server;
    next(() => {
      if (answer === 'reset') throw new Error('ECONNRESET');
      return answer === 'hang' ? new Promise(() => {}) : answer;
    });
    const asked = session.getAccessToken();
    asked.catch(() => {});
    await clock.advance(31_000);
    await expect(asked).rejects.toEqual(failing(code));
    expect(session.state).toMatchObject({ name: 'degraded', retryAtMs: expect.any(Number) });
    expect(changes.at(-1)).toMatchObject({ event: 'refreshFailed', error: failing(code) });
    await expect(session.getAccessToken()).resolves.toContain('access-2');
    expect(session.state.name).toBe('signedIn');
    expect(clock.pending).toBe(0);
  });

  test('that fails while the old token is still good gives the old one', async () => {
    const { session, server } = await signedIn();
    const token = await session.getAccessToken();
    server.next(() => ({ status: 503 }));
    await expect(session.getAccessToken(RENEW)).resolves.toBe(token);
    expect(session.state.name).toBe('degraded');
  });

  test('case 115: a server that asks for time is given it', async () => {
    const { session, server, clock, refreshes } = await signedIn();
    await clock.advance(3_600_000);
    server.next(() => ({ status: 429, headers: { 'retry-after': '7' } }));
    await expect(session.getAccessToken()).rejects.toEqual(failing('rate_limited'));
    expect(session.state).toEqual({ name: 'degraded', retryAtMs: clock.nowMs() + 7000 });
    await expect(session.getAccessToken()).rejects.toEqual(failing('rate_limited'));
    expect(refreshes()).toHaveLength(1);
    await clock.advance(7000);
    await session.getAccessToken();
    expect(refreshes()).toHaveLength(2);
  });

  test('case 128: only invalid_grant signs out, once, with the reason', async () => {
    const { session, server, store, changes, clock, refreshes } = await signedIn();
    await clock.advance(3_600_000);
    server.revokeAll();
    const asked = Array.from({ length: 20 }, () => session.getAccessToken());
    for (const result of await Promise.allSettled(asked)) {
      expect(result).toEqual({
        status: 'rejected',
        reason: failing('sign_in_required', { reason: 'rejected' }),
      });
    }
    expect(refreshes()).toHaveLength(1);
    expect(changes.filter(({ to }) => to === 'signedOut')).toHaveLength(1);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    const { session: next } = open({ store });
    await expect(next.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('that nobody can do, for want of a refresh token, ends with the token', async () => {
    const { session, server, clock } = open();
    server.next(() => ({ json: { access_token: 'only', token_type: 'Bearer', expires_in: 60 } }));
    const { authorizationUrl } = await session.beginSignIn({ redirectUri: 'https://a.example/cb' });
    const state = new URL(authorizationUrl).searchParams.get('state');
    await session.completeSignIn(`https://a.example/cb?code=good&state=${state}`);
    await expect(session.getAccessToken(RENEW)).resolves.toBe('only');
    await clock.advance(60_000);
    await expect(session.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'rejected' }),
    );
    expect(server.tokenRequests()).toHaveLength(1);
  });
});

describe('case 133: clocks that jump', () => {
  test.each([
    ['a day ahead', 86_400_000],
    ['a day back', -86_400_000],
    ['an hour ahead', 3_600_000],
    ['an hour back', -3_600_000],
  ])('%s cost one refresh at most, in this process and in the next', async (_, jumpMs) => {
    const { session, clock, refreshes, store, server } = await signedIn();
    clock.setWall(clock.nowMs() + jumpMs);
    for (let call = 0; call < 3; call += 1) await session.getAccessToken();
    const next = open({ store, server, clock });
    for (let call = 0; call < 3; call += 1) await next.session.getAccessToken();
    expect(refreshes().length).toBeLessThanOrEqual(1);
    await clock.advance(3_600_000);
    const before = refreshes().length;
    await next.session.getAccessToken();
    expect(refreshes()).toHaveLength(before + 1);
  });

  test('a token ends on time though the wall clock was set back', async () => {
    const { session, clock, refreshes } = await signedIn();
    await clock.advance(1_800_000);
    clock.setWall(clock.nowMs() - 86_400_000);
    await clock.advance(1_800_000);
    await session.getAccessToken();
    expect(refreshes()).toHaveLength(1);
  });

  test('case 136: a machine that slept over the end wakes to exactly one refresh', async () => {
    const { session, clock, refreshes } = await signedIn();
    clock.setWall(clock.nowMs() + 8 * 3_600_000);
    await Promise.all(Array.from({ length: 10 }, () => session.getAccessToken()));
    expect(refreshes()).toHaveLength(1);
  });
});

describe('two processes that share a store', () => {
  test('case 121: the second adopts what the first has renewed', async () => {
    const first = await signedIn();
    const second = open({ store: first.store, server: first.server, clock: first.clock });
    await second.session.restore();
    await first.clock.advance(3_600_000);
    const token = await first.session.getAccessToken();
    await expect(second.session.getAccessToken()).resolves.toBe(token);
    expect(first.refreshes()).toHaveLength(1);
  });

  test('case 120: both at once lose nobody', async () => {
    const first = await signedIn();
    const { store, server, clock, host } = first;
    const second = open({ store, server, clock, lock: host.lock });
    await second.session.restore();
    await first.clock.advance(3_600_000);
    const tokens = await Promise.all([
      first.session.getAccessToken(),
      second.session.getAccessToken(),
    ]);
    await expect(first.session.getAccessToken()).resolves.toContain('access');
    await expect(second.session.getAccessToken()).resolves.toContain('access');
    expect(tokens).toHaveLength(2);
    expect(first.session.state.name).toBe('signedIn');
    expect(second.session.state.name).toBe('signedIn');
  });

  test('case 122: a refusal does not wipe what another has stored meanwhile', async () => {
    const first = await signedIn();
    const second = open({ store: first.store, server: first.server, clock: first.clock });
    await second.session.restore();
    await first.clock.advance(3_600_000);
    const late = deferred<FakeAnswer>();
    first.server.next(() => late.promise);
    const asked = second.session.getAccessToken();
    await settle();
    const token = await first.session.getAccessToken();
    late.resolve({ status: 400, json: { error: 'invalid_grant' } });
    await expect(asked).resolves.toBe(token);
    expect(second.session.state.name).toBe('signedIn');
  });

  test('case 195: a sign-out elsewhere is a sign-out here, at the next refresh', async () => {
    const first = await signedIn();
    const second = open({ store: first.store, server: first.server, clock: first.clock });
    await second.session.restore();
    await first.session.signOut();
    await expect(second.session.getAccessToken(RENEW)).rejects.toEqual(
      failing('sign_in_required', { reason: 'signedOut' }),
    );
    expect(second.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  });
});

describe('case 125: a store that fails after a rotation', () => {
  test('does not lose the new token, and is tried again', async () => {
    const { session, store, clock, server } = await signedIn();
    const set = store.set.bind(store);
    let isFull = true;
    store.set = (key, value) =>
      isFull
        ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
        : set(key, value);
    const token = await session.getAccessToken(RENEW);
    await expect(session.getAccessToken()).resolves.toBe(token);
    isFull = false;
    await clock.advance(5_000);
    await expect(session.getAccessToken()).resolves.toBe(token);
    const next = open({ store, server, clock });
    await expect(next.session.getAccessToken()).resolves.toBe(token);
  });

  test('nor when it must be renewed again before it could be saved', async () => {
    const { session, store, refreshes } = await signedIn();
    store.set = () => Promise.reject(new Error('no space'));
    await session.getAccessToken(RENEW);
    await expect(session.getAccessToken(RENEW)).resolves.toContain('access-3');
    expect(refreshes()).toHaveLength(2);
  });
});

describe('what the API answers', () => {
  const apiSession = async (answers: FakeAnswer[]) => {
    const server = createFakeServer();
    const bearers: (string | undefined)[] = [];
    const http: typeof server.http = async (request) => {
      if (!request.url.startsWith('https://api.example/')) return server.http(request);
      bearers.push(request.headers['authorization']);
      return toResponse(answers.shift() ?? { json: {} });
    };
    const opened = await signedIn({ server: { ...server, http } });
    return { ...opened, bearers };
  };

  test('a 401 renews the token once and tries again', async () => {
    const { session, bearers, refreshes } = await apiSession([{ status: 401 }]);
    await session.api.request({ path: 'x' });
    expect(refreshes()).toHaveLength(1);
    expect(bearers[0]).not.toBe(bearers[1]);
  });

  test('a 401 that stays is an http_error, not a sign-out', async () => {
    const { session, refreshes } = await apiSession([{ status: 401 }, { status: 401 }]);
    await expect(session.api.request({ path: 'x' })).rejects.toEqual(
      failing('http_error', { status: 401 }),
    );
    expect(refreshes()).toHaveLength(1);
    expect(session.state.name).toBe('signedIn');
  });

  test('ten 401s at once cost one refresh', async () => {
    const { session, refreshes } = await apiSession(
      Array.from({ length: 10 }, () => ({ status: 401 })),
    );
    await Promise.all(Array.from({ length: 10 }, () => session.api.request({ path: 'x' })));
    expect(refreshes()).toHaveLength(1);
  });
});

describe('case 211: client credentials', () => {
  const service = () => {
    const issued: string[] = [];
    const http = async () => {
      issued.push(`service-${issued.length}`);
      return toResponse({ json: { hasError: false, expiresIn: 3600, accessToken: issued.at(-1) } });
    };
    const host = createFakeHost({ http });
    const provider = prevu3d({
      grant: 'client_credentials',
      clientId: 'id',
      clientSecret: 'secret',
    });
    return { session: createSession({ host, provider }), issued, clock: host.clock, host };
  };

  test('need no user: a token is asked for by itself, and again when it ends', async () => {
    const { session, issued, clock, host } = service();
    const tokens = await Promise.all([session.getAccessToken(), session.getAccessToken()]);
    expect(tokens).toEqual(['service-0', 'service-0']);
    await clock.advance(3_600_000);
    await expect(session.getAccessToken()).resolves.toBe('service-1');
    expect(issued).toHaveLength(2);
    expect(host.visits).toHaveLength(0);
  });

  test('may sign in early', async () => {
    const { session, issued } = service();
    await session.signIn();
    expect(session.state.name).toBe('signedIn');
    await session.getAccessToken();
    expect(issued).toHaveLength(1);
  });
});

test('a MortiseError of the transport reaches the caller as it is', async () => {
  const { session, server, clock } = await signedIn();
  await clock.advance(3_600_000);
  const proxy = new MortiseError('configuration_error', { problem: 'undici is missing' });
  server.next(() => Promise.reject(proxy));
  await expect(session.getAccessToken()).rejects.toBe(proxy);
});
