import { createSession } from '../../src/session/create-session.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { StateChange } from '../../src/session/machine.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

const failing = (code: string) => expect.objectContaining({ name: 'MortiseError', code });

async function signedIn(store = memoryStore()) {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http, store });
  const session = createSession({ host, provider: fakeProvider() });
  const done = session.signIn();
  await (await host.visit()).redirect({ code: 'good' });
  await done;
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const isStored = async () => {
    const next = createSession({ host, provider: fakeProvider() });
    await next.restore();
    return next.state.name === 'signedIn';
  };
  return { server, host, session, store, changes, isStored, clock: host.clock };
}

test('forgets here and tells the server, refresh token first', async () => {
  const { session, server, changes, isStored } = await signedIn();
  await session.signOut();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  expect(changes.map(({ event }) => event)).toEqual(['signOutRequested', 'signOutCompleted']);
  expect(server.revoked.map((token) => token.replace(/.*-(refresh|access)-.*/, '$1'))).toEqual([
    'refresh',
    'access',
  ]);
  await expect(isStored()).resolves.toBe(false);
  await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});

test('in a new process signs out who was stored', async () => {
  const { host, server, isStored } = await signedIn();
  const next = createSession({ host, provider: fakeProvider() });
  await next.signOut();
  expect(server.revoked).toHaveLength(2);
  await expect(isStored()).resolves.toBe(false);
});

test.each<[string, () => FakeAnswer | Promise<FakeAnswer>]>([
  ['503', () => ({ status: 503 })],
  ['400', () => ({ status: 400, json: { error: 'unsupported_token_type' } })],
  ['no answer', () => Promise.reject(new Error('ECONNREFUSED'))],
])('case 138: %s to the revocation changes nothing here', async (_, answer) => {
  const { session, server, isStored, clock } = await signedIn();
  server.next(answer);
  await session.signOut();
  expect(session.state.name).toBe('signedOut');
  await expect(isStored()).resolves.toBe(false);
  expect(clock.pending).toBe(0);
});

test('a server that never answers the revocation holds nobody up for long', async () => {
  const store = memoryStore();
  const server = createFakeServer();
  const host = createFakeHost({
    store,
    http: (request) =>
      request.url.endsWith('/revoke') ? new Promise(() => {}) : server.http(request),
  });
  const session = createSession({ host, provider: fakeProvider() });
  const done = session.signIn();
  await (await host.visit()).redirect({ code: 'good' });
  await done;
  const out = session.signOut();
  await settle();
  expect(session.state.name).toBe('signedOut');
  await host.clock.advance(5_000);
  await out;
});

test('a store that cannot be written does not keep it from succeeding, and is told of', async () => {
  const { session, store, changes } = await signedIn();
  store.remove = () => Promise.reject(new Error('EROFS'));
  await session.signOut();
  expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  expect(changes.at(-1)).toMatchObject({
    event: 'signOutCompleted',
    error: failing('store_unavailable'),
  });
  await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});

describe('case 137: is final', () => {
  test('over a refresh in flight: what comes late is revoked, not kept', async () => {
    const { session, server, isStored } = await signedIn();
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    const asked = session.getAccessToken({ minValidityMs: 1e9 });
    asked.catch(() => {});
    await settle();
    await session.signOut();
    answer.resolve(server.issue());
    await expect(asked).rejects.toEqual(failing('sign_in_required'));
    await settle();
    expect(server.revoked.filter((token) => token.includes('-2-'))).toHaveLength(2);
    await expect(isStored()).resolves.toBe(false);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  });

  test('over an exchange in flight', async () => {
    const { session, server, host, isStored } = await signedIn();
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    const done = session.signIn();
    done.catch(() => {});
    void (await host.visit()).redirect({ code: 'good' });
    await settle();
    await session.signOut();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    answer.resolve(server.issue());
    await settle();
    expect(server.revoked.filter((token) => token.includes('-2-'))).toHaveLength(2);
    await expect(isStored()).resolves.toBe(false);
    expect(session.state.name).toBe('signedOut');
  });

  test('over a save in flight', async () => {
    const { session, server, store, isStored } = await signedIn();
    const saving = deferred<void>();
    const set = store.set.bind(store);
    store.set = async (key, value) => {
      await saving.promise;
      await set(key, value);
    };
    const asked = session.getAccessToken({ minValidityMs: 1e9 });
    asked.catch(() => {});
    await settle();
    const out = session.signOut();
    saving.resolve();
    await out;
    await expect(asked).rejects.toEqual(failing('sign_in_required'));
    await settle();
    await expect(isStored()).resolves.toBe(false);
    expect(server.revoked.some((token) => token.includes('refresh-2'))).toBe(true);
  });

  test('and twice is once', async () => {
    const { session, changes } = await signedIn();
    await Promise.all([session.signOut(), session.signOut()]);
    await session.signOut();
    expect(changes.filter(({ event }) => event === 'signOutCompleted')).toHaveLength(1);
  });
});

test('a sign-in asked for while signing out waits for it', async () => {
  const { session, host } = await signedIn();
  const arriving = host.visit();
  const out = session.signOut();
  const done = session.signIn();
  await out;
  await (await arriving).redirect({ code: 'good' });
  await done;
  expect(session.state.name).toBe('signedIn');
});

test('a sign-in that waits for a sign-out can be cancelled meanwhile', async () => {
  const { session, store, clock } = await signedIn();
  store.remove = () => new Promise(() => {});
  const out = session.signOut();
  out.catch(() => {});
  const controller = new AbortController();
  const waiting = session.signIn({ signal: controller.signal });
  controller.abort();
  await expect(waiting).rejects.toEqual(failing('sign_in_cancelled'));
  const closed = session.close();
  await clock.advance(1_500);
  await closed;
});
