// What careful readers found, as promises.
import type { Host, KeyValueStore } from '../../src/ports/index.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import { createSession } from '../../src/session/create-session.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { StateChange } from '../../src/session/machine.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, toResponse, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

const failing = (code: string, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });
const RENEW = { minValidityMs: 1e9 };

function open(store: KeyValueStore = memoryStore(), more: Partial<Host> = {}) {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http, store });
  const session = createSession({ host: { ...host, ...more }, provider: fakeProvider() });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const signIn = async () => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  };
  const sibling = () => createSession({ host, provider: fakeProvider() });
  return { server, host, session, changes, signIn, sibling, clock: host.clock, store };
}

test('case 125: a save that is tried again never takes a spent token for a sibling’s', async () => {
  const { session, signIn, store, clock, server, sibling } = open();
  await signIn();
  const set = store.set.bind(store);
  let failures = 1;
  store.set = (key, value) =>
    failures-- > 0 ? Promise.reject(new Error('full')) : set(key, value);
  await session.getAccessToken(RENEW);
  await clock.advance(3_600_000);
  const tokens = await Promise.all(Array.from({ length: 4 }, () => session.getAccessToken()));
  expect(new Set(tokens).size).toBe(1);
  await clock.advance(3_600_000);
  await expect(session.getAccessToken()).resolves.toContain('access');
  await expect(sibling().getAccessToken()).resolves.toContain('access');
  expect(session.state.name).toBe('signedIn');
  expect(server.tokenRequests().map((form) => form.get('refresh_token'))).toHaveLength(4);
});

test('case 195: a session that saw an empty store finds who signed in elsewhere since', async () => {
  const { session, signIn, sibling } = open();
  const other = sibling();
  await expect(other.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  await signIn();
  await expect(other.getAccessToken()).resolves.toBe(await session.getAccessToken());
  expect(other.state.name).toBe('signedIn');
});

test('case 155: a base is asked for anew when a sibling signed in, perhaps as somebody else', async () => {
  const server = createFakeServer();
  let region = 'ue1';
  const asked: string[] = [];
  const host = createFakeHost({
    http: async (request) => {
      if (!/api-info|browse/.test(request.url)) return server.http(request);
      asked.push(new URL(request.url).host);
      const apiUrl = `https://api-${region}.prevu3d.com/realityconnect-api`;
      return toResponse({
        json: /browse/.test(request.url) ? [] : { apiUrl, organization: { id: 'o' } },
      });
    },
  });
  const make = () =>
    createSession({ host, provider: prevu3d({ clientId: 'plug-in', scopes: ['read:basic'] }) });
  const [first, second] = [make(), make()];
  const signIn = async (session: typeof first) => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  };
  await signIn(first);
  await first.api.browse('o');
  region = 'ec1';
  await signIn(second);
  await first.getAccessToken(RENEW);
  await first.api.browse('o');
  expect(asked.at(-1)).toBe('api-ec1.prevu3d.com');
});

test('case 15, 112: one redirect in two tabs is one token request', async () => {
  const { session, server, sibling } = open();
  const redirectUri = 'https://plugin.example/callback';
  const { authorizationUrl } = await session.beginSignIn({ redirectUri });
  const state = new URL(authorizationUrl).searchParams.get('state');
  const tabs = [session, sibling()].map((tab) =>
    tab.completeSignIn(`${redirectUri}?code=good&state=${state}`),
  );
  const results = await Promise.allSettled(tabs);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(server.tokenRequests()).toHaveLength(1);
});

test('two tabs that begin at once both get their place', async () => {
  const { session, sibling } = open();
  const other = sibling();
  const redirectUri = 'https://plugin.example/callback';
  const begun = await Promise.all([session, other].map((tab) => tab.beginSignIn({ redirectUri })));
  for (const { authorizationUrl } of begun) {
    const state = new URL(authorizationUrl).searchParams.get('state');
    await session.completeSignIn(`${redirectUri}?code=good&state=${state}`);
  }
});

test('case 24: a denial without state ends a sign-in cut in two, where the platform sends none', async () => {
  const host = createFakeHost({ http: createFakeServer().http });
  const provider = prevu3d({ clientId: 'plug-in', scopes: ['read:basic'] });
  const session = createSession({ host, provider });
  await session.beginSignIn({ redirectUri: 'http://localhost:5001' });
  const elsewhere = session.completeSignIn('http://localhost:5002/?error=access_denied');
  await expect(elsewhere).rejects.toEqual(failing('malformed_response'));
  const denied = session.completeSignIn('http://localhost:5001/?error=access_denied');
  await expect(denied).rejects.toEqual(failing('access_denied'));
  expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
});

test('a sign-out asked for before a redirect comes is over before it is looked at', async () => {
  const { session } = open();
  const redirectUri = 'https://plugin.example/callback';
  const { authorizationUrl } = await session.beginSignIn({ redirectUri });
  const state = new URL(authorizationUrl).searchParams.get('state');
  const out = session.signOut();
  const back = session.completeSignIn(`${redirectUri}?code=good&state=${state}`);
  await Promise.allSettled([out, back]);
  const token = await session.getAccessToken().catch(() => undefined);
  expect(token !== undefined).toBe(session.state.name === 'signedIn');
});

test('the reason in the error is the reason in the state', async () => {
  const { session } = open();
  await session.restore();
  await session.signOut();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  await expect(session.getAccessToken()).rejects.toEqual(
    failing('sign_in_required', { reason: 'never' }),
  );
});

test('a sign-in need not wait until the server was told of the sign-out', async () => {
  const server = createFakeServer();
  const host = createFakeHost({
    http: (request) =>
      request.url.endsWith('/revoke') ? new Promise(() => {}) : server.http(request),
  });
  const session = createSession({ host, provider: fakeProvider() });
  const signIn = async () => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
  };
  await signIn();
  const out = session.signOut();
  await settle();
  await signIn();
  expect(session.state.name).toBe('signedIn');
  await host.clock.advance(5_000);
  await out;
});

test('a store that hangs holds neither port nor sign-in nor close for long', async () => {
  const { session, host, clock } = open({ ...memoryStore(), get: () => new Promise(() => {}) });
  const done = session.signIn({ timeoutMs: 300 });
  done.catch(() => {});
  await clock.advance(300);
  expect(host.visits[0]?.isOpen).toBe(false);
  await clock.advance(1_500);
  await expect(done).rejects.toEqual(failing('sign_in_timeout'));
  const asked = session.getAccessToken();
  asked.catch(() => {});
  const closed = session.close();
  await clock.advance(1_500);
  await closed;
  await expect(asked).rejects.toEqual(failing('aborted'));
});

test('closing lets everybody go who waits for another’s refresh', async () => {
  const { session, signIn, server, sibling, clock } = open();
  await signIn();
  const other = sibling();
  await other.restore();
  server.next(() => new Promise<FakeAnswer>(() => {}));
  const hanging = session.getAccessToken(RENEW);
  hanging.catch(() => {});
  await settle();
  const waiting = other.getAccessToken(RENEW);
  waiting.catch(() => {});
  await settle();
  const closed = other.close();
  await clock.advance(1_500);
  await closed;
  await expect(waiting).rejects.toEqual(failing('aborted'));
  const closedToo = session.close();
  await clock.advance(1_500);
  await closedToo;
  await expect(hanging).rejects.toEqual(failing('aborted'));
});

test('a page that fails to show after its sign-in gave way says nothing any more', async () => {
  const shown = deferred<void>();
  let visits = 0;
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const [agent] = host.userAgents;
  const slow: Host = {
    ...host,
    userAgents: [
      {
        async open(request) {
          const visit = await (agent as NonNullable<typeof agent>).open(request);
          const isFirst = (visits += 1) === 1;
          const navigate = (url: string) =>
            isFirst ? visit.navigate(url).then(() => shown.promise) : visit.navigate(url);
          return { ...visit, navigate };
        },
      },
    ],
  };
  const session = createSession({ host: slow, provider: fakeProvider() });
  const first = session.signIn();
  first.catch(() => {});
  await host.visit();
  const second = session.signIn({ whilePending: 'restart' });
  const visit = await host.visit();
  shown.reject(new Error('too late'));
  await settle();
  expect(session.state).toMatchObject({ window: 'open', authorizationUrl: visit.url });
  await visit.redirect({ code: 'good' });
  await second;
});

test('listeners hear changes in order, whatever one of them does', async () => {
  const { session } = open();
  session.onChange(({ to }) => {
    if (to === 'signedOut') session.signIn().catch(() => {});
  });
  const heard: string[] = [];
  session.onChange(({ from, to }) => void heard.push(`${from} ${to}`));
  await session.restore();
  await settle();
  expect(heard.slice(0, 3)).toEqual([
    'idle restoring',
    'restoring signedOut',
    'signedOut authorizing',
  ]);
  await session.close();
});

test.each([
  ['nothing', async () => undefined],
  ['no headers', async () => ({ status: 200, body: (async function* () {})() })],
  ['no body', async () => ({ status: 200, headers: new Map() })],
  [
    'text instead of bytes',
    async () => ({
      ...toResponse({}),
      body: (async function* () {
        yield 'x';
      })(),
    }),
  ],
])('a transport that answers %s is a configuration_error', async (_, http) => {
  const host = createFakeHost({ http: http as never });
  const session = createSession({ host, provider: fakeProvider() });
  const done = session.signIn();
  void (await host.visit()).redirect({ code: 'good' });
  await expect(done).rejects.toEqual(failing('configuration_error'));
});

test.each<[string, Partial<KeyValueStore>]>([
  ['gives undefined for what is not there', { get: async () => undefined as never }],
  ['is not asynchronous', { set: (() => undefined) as never }],
])('a store that %s is a store', async (_, odd) => {
  const { session, signIn } = open({ ...memoryStore(), ...odd });
  await session.restore();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  await signIn();
  expect(session.state.name).toBe('signedIn');
});

test.each([NaN, 0, -1, '200' as never])(
  'a time limit of %p is a configuration_error',
  async (timeoutMs) => {
    const { session } = open();
    await expect(session.signIn({ timeoutMs })).rejects.toEqual(failing('configuration_error'));
  },
);

test.each(['4/0AX4abc', 'abc==', ' “good” ', '`good`'])(
  'case 96: %s is a code people paste',
  async (text) => {
    const { session, host, server } = open();
    const done = session.signIn();
    await host.visit();
    await session.completeSignIn(text);
    await done;
    expect(server.tokenRequests()[0]?.get('code')).toBe(text.replace(/[ “”`]/g, ''));
  },
);

test.each<[string, (address: string) => string]>([
  ['without its scheme', (address) => address.replace('http://', '')],
  ['as its query alone', (address) => address.replace(/^[^?]*/, '')],
])('case 96: the address %s completes a sign-in', async (_, shorten) => {
  const { session, host } = open();
  const done = session.signIn();
  const visit = await host.visit();
  const state = new URL(visit.url).searchParams.get('state');
  await session.completeSignIn(shorten(`${visit.redirectUri}?code=good&state=${state}`));
  await done;
});

describe('closing with tokens that could not be saved', () => {
  const unsaved = async () => {
    const opened = open();
    await opened.signIn();
    const set = opened.store.set.bind(opened.store);
    let failures = 1;
    opened.store.set = (key, value) =>
      failures-- > 0 ? Promise.reject(new Error('full')) : set(key, value);
    const token = await opened.session.getAccessToken(RENEW);
    return { ...opened, token };
  };

  test('saves them', async () => {
    const { session, sibling, token } = await unsaved();
    await session.close();
    await expect(sibling().getAccessToken()).resolves.toBe(token);
  });

  test('leaves what a sibling has stored since', async () => {
    const { session, sibling, host } = await unsaved();
    const other = sibling();
    const done = other.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
    await session.close();
    await expect(sibling().getAccessToken()).resolves.toBe(await other.getAccessToken());
  });

  test('does not bring back what a sibling has signed out of', async () => {
    const { session, sibling } = await unsaved();
    await sibling().signOut();
    await session.close();
    await expect(sibling().getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });
});

describe('case 137: a sign-out is final', () => {
  test('twice over a store that cannot remove', async () => {
    const { session, signIn, store } = open();
    await signIn();
    store.remove = () => Promise.reject(new Error('locked'));
    for (let time = 0; time < 2; time += 1) {
      await session.signOut();
      await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    }
  });

  test('over a store that could be neither read nor written then', async () => {
    const { signIn, store, sibling } = open();
    await signIn();
    const session = sibling();
    const { get, remove } = store;
    store.get = () => Promise.reject(new Error('locked'));
    store.remove = () => Promise.reject(new Error('locked'));
    await session.signOut();
    Object.assign(store, { get, remove });
    await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('over a sibling that is about to save, while our own renewal waits behind it', async () => {
    const { session, signIn, store, sibling } = open();
    await signIn();
    const other = sibling();
    await other.restore();
    const set = store.set.bind(store);
    const gate = deferred<void>();
    const entered = deferred<void>();
    store.set = async (key, value) => {
      entered.resolve();
      await gate.promise;
      return set(key, value);
    };
    const theirs = other.getAccessToken(RENEW);
    await entered.promise;
    const ours = session.getAccessToken(RENEW).catch(() => {});
    await settle();
    const out = session.signOut();
    await settle();
    gate.resolve();
    await Promise.all([theirs, ours, out]);
    await expect(sibling().getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });
});

test('a caller who has left before asking costs no refresh', async () => {
  const { session, signIn, server } = open();
  await signIn();
  const asked = session.getAccessToken({ ...RENEW, signal: AbortSignal.abort() });
  await expect(asked).rejects.toEqual(failing('aborted'));
  await settle();
  expect(server.tokenRequests()).toHaveLength(1);
});
