// What one sign-in promises while others come and go, and what it shows. Each row was once a line that could be changed
// without a test noticing (npm run mutate).
import { MortiseError } from '../../src/errors.js';
import type { Provider, ServerMetadata } from '../../src/oauth/provider.js';
import type { RedirectUserAgent } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { createDesk, failing, type Disk, type Operation } from './support.js';

const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;

/** The operations of one kind on the account's own record wait until they are let go. */
function stall(store: Disk, stalled: Operation) {
  const gate = deferred<void>();
  const reached = deferred<void>();
  store.before = (operation, key) => {
    if (operation !== stalled || !RECORD.test(key)) return undefined;
    reached.resolve();
    return gate.promise;
  };
  const letGo = async () => {
    store.before = () => {};
    gate.resolve();
    await settle();
  };
  return { reached: reached.promise, letGo };
}

const cancelled = failing('sign_in_cancelled');

describe('case 137: a sign-in that is signed out of', () => {
  test('while its tokens are being saved is cancelled, and nothing of it stays', async () => {
    const desk = createDesk();
    const own = desk.start();
    const { reached, letGo } = stall(desk.store, 'set');
    const done = own.session.signIn();
    done.catch(() => {});
    void (await own.host.visit()).redirect({ code: 'ann' });
    await reached;
    const out = own.session.signOut();
    await letGo();
    await out;
    await expect(done).rejects.toEqual(cancelled);
    expect([own.session.state.name, desk.record()]).toEqual(['signedOut', null]);
    expect(new Set(desk.server.revoked).size).toBe(2);
    await expect(own.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('while it waits for its turn to save writes nothing', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const [key = ''] = [...desk.store.values.keys()];
    const turn = deferred<void>();
    void own.host.lock(key, 1, () => turn.promise);
    const done = own.session.signIn();
    done.catch(() => {});
    void (await own.host.visit()).redirect({ code: 'bob' });
    await settle();
    desk.store.operations.length = 0;
    const out = own.session.signOut();
    await settle();
    turn.resolve();
    await out;
    await expect(done).rejects.toEqual(cancelled);
    expect(desk.store.operations.filter(({ operation }) => operation === 'set')).toEqual([]);
    expect(desk.record()).toBeNull();
  });

  test('before the store has said who was signed in brings nobody back', async () => {
    const desk = createDesk();
    await (await desk.signedIn()).session.close();
    const own = desk.start({ isHeard: false });
    const { reached, letGo } = stall(desk.store, 'get');
    const restored = own.session.restore();
    await reached;
    const out = own.session.signOut();
    await desk.clock.advance(5_000);
    await letGo();
    await Promise.all([restored, out]);
    expect(own.session.state.name).toBe('signedOut');
    await expect(own.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    expect(desk.record()).toBeNull();
  });
});

describe('one that was cancelled', () => {
  test('before the store has answered goes back to who is signed in there', async () => {
    const desk = createDesk();
    await (await desk.signedIn()).session.close();
    const own = desk.start();
    const { letGo } = stall(desk.store, 'get');
    const controller = new AbortController();
    const done = own.session.signIn({ signal: controller.signal });
    done.catch(() => {});
    await settle();
    controller.abort();
    await settle();
    await letGo();
    await expect(done).rejects.toEqual(cancelled);
    expect(own.session.state.name).toBe('signedIn');
    expect(own.news().at(-1)).toBe('sessionKept signedIn');
  });

  test('while an earlier one still saves leaves the state to that, of whom was signed in before, too', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    await desk.clock.advance(60_000);
    const { reached, letGo } = stall(desk.store, 'set');
    const first = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'bob' });
    await reached;
    const controller = new AbortController();
    const second = own.session.signIn({ whilePending: 'restart', signal: controller.signal });
    second.catch(() => {});
    controller.abort();
    await desk.clock.advance(3_000);
    await expect(second).rejects.toEqual(cancelled);
    own.news();
    await letGo();
    await first;
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
    const { receivedAtMs = 0, accessToken } = desk.record() ?? {};
    expect(own.session.state).toMatchObject({ expiresAtMs: receivedAtMs + 3_600_000 });
    expect(await own.session.getAccessToken()).toBe(accessToken);
  });

  test('lets the next one open its window within the user’s click again', async () => {
    const desk = createDesk();
    const own = desk.start();
    for (const count of [1, 2, 3]) {
      const controller = new AbortController();
      const done = own.session.signIn({ signal: controller.signal });
      expect(own.host.visits).toHaveLength(count);
      controller.abort();
      await expect(done).rejects.toEqual(cancelled);
      await settle();
    }
  });

  test('keeps the next one waiting until its window is closed, whoever has left before', async () => {
    const closing = deferred<void>();
    const opened: number[] = [];
    const host = createFakeHost({ http: createFakeServer().http });
    const userAgent: RedirectUserAgent = {
      async open() {
        const number = opened.push(opened.length + 1);
        return {
          redirectUri: `http://127.0.0.1:${4000 + number}/callback`,
          navigate: async () => {},
          close: () => (number === 2 ? closing.promise : Promise.resolve()),
        };
      },
    };
    const session = createSession({
      host: { ...host, userAgents: [userAgent] },
      provider: fakeProvider(),
    });
    for (let count = 0; count < 3; count += 1) {
      session.signIn({ whilePending: 'restart' }).catch(() => {});
      if (count < 2) await settle();
    }
    await settle();
    expect(opened).toEqual([1, 2]);
    closing.resolve();
    await settle();
    expect(opened).toEqual([1, 2, 3]);
    const closed = session.close();
    await host.clock.advance(1_500);
    await closed;
  });
});

describe('what is shown of a visit', () => {
  const server = createFakeServer();
  const pasting: RedirectUserAgent = {
    open: async () => ({
      redirectUri: 'http://127.0.0.1:4/callback',
      answerBy: 'paste',
      navigate: () => Promise.reject(new MortiseError('browser_not_opened', {})),
      close: async () => {},
    }),
  };
  const start = (others: readonly RedirectUserAgent[]) => {
    const usual = fakeProvider();
    const metadata = { ...(usual.metadata as ServerMetadata), pkce: 'not checked' as const };
    const host = createFakeHost({ http: server.http });
    const provider: Provider = { ...usual, metadata };
    const session = createSession({
      host: { ...host, userAgents: [pasting, ...others] },
      provider,
    });
    const shown: unknown[] = [];
    session.onChange(() => void shown.push(session.state));
    return { session, host, shown };
  };

  test('stays when its page could not be opened', async () => {
    const { session } = start([]);
    session.signIn().catch(() => {});
    await settle();
    expect(session.state).toMatchObject({
      window: 'lost',
      answerBy: 'paste',
      weakness: 'pkce_not_checked',
    });
  });

  test('is gone when another one takes its place', async () => {
    const { userAgents } = createFakeHost({ http: server.http });
    const { session } = start(userAgents);
    session.signIn().catch(() => {});
    await settle();
    expect(session.state).toMatchObject({ window: 'open', weakness: 'pkce_not_checked' });
    expect(session.state).not.toHaveProperty('answerBy');
  });
});

test('case 34: a foreign code is ignored also where the provider cannot tell why it was refused', async () => {
  const usual = fakeProvider();
  const dialect = { ...usual.dialect, state: 'not repeated' as const };
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const session = createSession({ host, provider: { ...usual, dialect, protocol: {} } });
  const done = session.signIn();
  const visit = await host.visit();
  server.next((): FakeAnswer => ({ status: 400, json: { error: 'invalid_grant' } }));
  expect(await visit.redirect({ code: 'foreign' })).toEqual({ kind: 'ignored' });
  expect(await visit.redirect({ code: 'good' })).toEqual({ kind: 'signedIn' });
  await done;
});
