// What a renewal promises to whoever meets it half-way: somebody who signs in or out meanwhile, a sibling, a refusal.
// Each row was once a line that could be changed without a test noticing (npm run mutate).
import type { Provider } from '../../src/oauth/provider.js';
import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import {
  createDesk,
  createDisk,
  failing,
  neverHeld,
  personProvider,
  RENEW,
  type Desk,
} from './support.js';

type Process = ReturnType<Desk['start']>;

const HOUR_MS = 3_600_000;
const READ = { scopes: ['read'] };
const serviceProvider = { ...personProvider(), grant: 'client_credentials' } as Provider<never>;

const refusing = (error: string): FakeAnswer => ({ status: 400, json: { error } });
const keyOf = ({ store }: Desk) =>
  [...store.values.keys()].find((key) => /^mortise\/1\/([^/]*\/){3}[^/]*$/.test(key)) ?? '';

/** A renewal whose answer is on its way. */
async function renewing(desk: Desk, { session }: Process) {
  const answer = deferred<FakeAnswer>();
  desk.server.next(() => answer.promise);
  const asked = session.getAccessToken(RENEW);
  asked.catch(() => {});
  await settle();
  const arrive = async (given: FakeAnswer = desk.server.issue()) => {
    answer.resolve(given);
    await settle();
  };
  return { asked, arrive };
}

/** Signs in while a renewal has the lock: saving waits for it, though not for ever. */
async function signInMeanwhile(desk: Desk, { session, host, news }: Process, user = 'bob') {
  const done = session.signIn();
  void (await host.visit()).redirect({ code: user });
  await desk.clock.advance(5_000);
  await done;
  news();
}

describe('a token for fewer scopes that the server refuses', () => {
  const scene = async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    return { desk, own, lent: own.session.share(READ) };
  };

  test('case 118: is not asked for again, and the session is shown as it was', async () => {
    const { desk, own, lent } = await scene();
    const before = own.session.state;
    desk.server.next(() => refusing('invalid_scope'));
    await expect(lent.getAccessToken()).rejects.toEqual(failing('oauth_error'));
    expect(own.news()).toEqual(['refreshDue refreshing', 'sessionKept signedIn']);
    expect(own.session.state).toEqual(before);
    await expect(lent.getAccessToken()).rejects.toEqual(failing('oauth_error'));
    expect(desk.refreshes()).toHaveLength(1);
    // Of other scopes nothing is known.
    await own.session.share({ scopes: ['write'] }).getAccessToken();
    expect(desk.refreshes()).toHaveLength(2);
  });

  // prettier-ignore
  test.each<[name: string, answer: FakeAnswer]>([
    ['says it cannot now',        refusing('temporarily_unavailable')],
    ['is out of order',           { status: 503 }],
    ['is not the server',         { text: '<html>a network’s own sign-in page</html>' }],
  ])('for a moment, because it %s, is asked for again', async (_, answer) => {
    const { desk, own, lent } = await scene();
    desk.server.next(() => answer);
    await expect(lent.getAccessToken()).rejects.toThrow();
    expect(own.session.state.name).toBe('degraded');
    await expect(lent.getAccessToken()).resolves.toContain('access');
    expect(own.session.state.name).toBe('signedIn');
  });

  test('case 109: because it allows more is said so, and not asked for again', async () => {
    const { desk, own, lent } = await scene();
    desk.server.next(() => ({
      json: { ...Object(desk.server.issue().json), scope: 'read write' },
    }));
    const wider = failing('malformed_response', { problem: 'it allows more than was asked for' });
    await expect(lent.getAccessToken()).rejects.toEqual(wider);
    await expect(lent.getAccessToken()).rejects.toEqual(wider);
    expect(desk.refreshes()).toHaveLength(1);
    expect(own.session.state.name).toBe('signedIn');
  });

  test('says nothing to a sign-in that is under way', async () => {
    const { desk, own, lent } = await scene();
    const answer = deferred<FakeAnswer>();
    desk.server.next(() => answer.promise);
    const asked = lent.getAccessToken();
    asked.catch(() => {});
    await settle();
    const done = own.session.signIn();
    const visit = await own.host.visit();
    answer.resolve(refusing('invalid_scope'));
    await expect(asked).rejects.toEqual(failing('oauth_error'));
    expect(own.session.state).toMatchObject({ name: 'authorizing', authorizationUrl: visit.url });
    void visit.redirect({ code: 'ann' });
    await done;
  });
});

describe('a sign-in that was cancelled while a renewal was on its way hides nothing of', () => {
  const scene = async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { arrive } = await renewing(desk, own);
    const controller = new AbortController();
    const done = own.session.signIn({ signal: controller.signal });
    await own.host.visit();
    controller.abort();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await desk.clock.advance(20_000);
    own.news();
    return { desk, own, arrive };
  };

  test('its success', async () => {
    const { desk, own, arrive } = await scene();
    await arrive();
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
    expect(own.session.state).toMatchObject({ expiresAtMs: desk.clock.nowMs() + HOUR_MS });
  });

  test('its failure', async () => {
    const { own, arrive } = await scene();
    await arrive({ status: 503 });
    expect(own.news()).toEqual(['refreshDue refreshing', 'refreshFailed degraded']);
  });
});

describe('a renewal that is answered too late', () => {
  test('after a sign-out: whoever asked is told to sign in, whatever the answer is', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { asked, arrive } = await renewing(desk, own);
    await own.session.signOut();
    await arrive({ status: 503 });
    await expect(asked).rejects.toEqual(failing('sign_in_required', { reason: 'signedOut' }));
  });

  // prettier-ignore
  test.each<[name: string, answer: (desk: Desk) => FakeAnswer]>([
    ['tokens',          ({ server }) => server.issue()],
    ['a failure',       () => ({ status: 503 })],
    ['a refusal',       () => refusing('invalid_grant')],
  ])('after a sign-in, with %s: nothing is told, and who signed in stays', async (_, answer) => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { arrive } = await renewing(desk, own);
    await signInMeanwhile(desk, own);
    const { state } = own.session;
    const { accessToken } = desk.record() ?? {};
    await arrive(answer(desk));
    expect([own.news(), own.session.state]).toEqual([[], state]);
    expect(desk.record()?.accessToken).toBe(accessToken);
    expect(await own.session.getAccessToken()).toBe(accessToken);
  });

  test('after a sign-in, of a token for fewer scopes: it is given to nobody', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const answer = deferred<FakeAnswer>();
    desk.server.next(() => answer.promise);
    const asked = own.session.share(READ).getAccessToken();
    asked.catch(() => {});
    await settle();
    await signInMeanwhile(desk, own);
    answer.resolve(desk.server.issue());
    await expect(asked).rejects.toEqual(failing('aborted'));
  });

  test('while a sign-in exchanges its code: that has the word', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { arrive } = await renewing(desk, own);
    const exchanged = deferred<FakeAnswer>();
    desk.server.next(() => exchanged.promise);
    const done = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'bob' });
    await settle();
    own.news();
    await arrive();
    expect([own.session.state.name, own.news()]).toEqual(['exchanging', []]);
    exchanged.resolve(desk.server.issue());
    await done;
    expect(own.news()).toEqual(['tokensIssued signedIn']);
  });
});

describe('case 121: a sibling', () => {
  /** Two sessions that do not hear of each other, an hour after the sign-in. */
  const scene = async (how: Parameters<Desk['start']>[0] = {}) => {
    const desk = createDesk();
    const sibling = await desk.signedIn({ isHeard: false });
    const own = desk.start({ isHeard: false, ...how });
    await own.session.restore();
    await desk.clock.advance(HOUR_MS);
    return { desk, own, sibling };
  };

  test('that has renewed spares the server the refresh token that it spent', async () => {
    const { desk, own, sibling } = await scene();
    const token = await sibling.session.getAccessToken();
    expect(await own.session.getAccessToken()).toBe(token);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('that has renewed long ago spares nobody: what is asked for is given', async () => {
    const { desk, own, sibling } = await scene();
    const token = await sibling.session.getAccessToken();
    await desk.clock.advance(HOUR_MS - 60_000);
    const fresh = await own.session.getAccessToken({ minValidityMs: 600_000 });
    expect(fresh).not.toBe(token);
    expect(desk.record()?.accessToken).toBe(fresh);
  });

  test('that has renewed while somebody here waits is told of once', async () => {
    const desk = createDesk();
    const sibling = await desk.signedIn({ isHeard: false });
    const own = desk.start();
    await own.session.restore();
    await desk.clock.advance(HOUR_MS);
    const theirs = await renewing(desk, sibling);
    own.news();
    const lent = own.session.share(READ).getAccessToken();
    const asked = own.session.getAccessToken();
    await settle();
    await theirs.arrive();
    expect(await asked).toBe(desk.record()?.accessToken);
    expect(await lent).not.toBe(await asked);
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
  });

  /** It renews after we have looked, and the server refuses ours. */
  const overtaken = ({ desk, sibling }: Awaited<ReturnType<typeof scene>>) =>
    desk.server.next(async () => {
      await sibling.session.getAccessToken();
      return refusing('invalid_grant');
    });

  test('that was quicker gives us the refresh token for a token of fewer scopes', async () => {
    const stage = await scene({ lock: neverHeld });
    overtaken(stage);
    const { desk, own } = stage;
    const token = await own.session.share(READ).getAccessToken();
    expect(desk.refreshes().map((form) => form.get('scope'))).toEqual(['read', null, 'read']);
    expect(token).not.toBe(await own.session.getAccessToken());
  });

  test('that was quicker, though its tokens have ended by now, gives us the refresh token', async () => {
    const stage = await scene({ lock: neverHeld });
    const { desk, own, sibling } = stage;
    const { server } = desk;
    server.next(async () => {
      const brief = async (form: URLSearchParams): Promise<FakeAnswer> => {
        const { json } = await server.usual(form);
        return { json: { ...Object(json), expires_in: 1 } };
      };
      server.next(brief);
      await sibling.session.getAccessToken().catch(() => {});
      await desk.clock.advance(2_000);
      return refusing('invalid_grant');
    });
    const token = await own.session.getAccessToken();
    expect(desk.refreshes()).toHaveLength(3);
    expect(desk.record()?.accessToken).toBe(token);
    expect(own.session.state.name).toBe('signedIn');
  });

  test('that was quicker, and is about to store what it was given, is waited for where there is no lock', async () => {
    const desk = createDesk({ lock: neverHeld });
    const saving = deferred<void>();
    const slow = createDisk({
      ...desk.store,
      set: async (key, value) => {
        await saving.promise;
        await desk.store.set(key, value);
      },
    });
    await (await desk.signedIn()).session.close();
    const sibling = desk.start({ store: slow, isHeard: false });
    const own = desk.start({ isHeard: false });
    await own.session.restore();
    await desk.clock.advance(HOUR_MS);
    const theirs = sibling.session.getAccessToken();
    await settle();
    const asked = own.session.getAccessToken();
    asked.catch(() => {});
    await desk.clock.advance(500);
    saving.resolve();
    await desk.clock.advance(1_000);
    expect(await asked).toBe(await theirs);
    expect(own.session.state.name).toBe('signedIn');
  });
});

describe('case 114, 121: a refusal', () => {
  /** An hour after the sign-in; the server takes nothing of it any more. */
  const scene = async (how: Parameters<Desk['start']>[0] = {}) => {
    const desk = createDesk();
    const own = await desk.signedIn(how);
    await desk.clock.advance(HOUR_MS);
    desk.server.revokeAll();
    return { desk, own };
  };

  test('signs nobody out while another process has the lock all the time', async () => {
    const { desk, own } = await scene();
    const over = deferred<void>();
    void own.host.lock(keyOf(desk), 1, () => over.promise);
    const asked = own.session.getAccessToken();
    asked.catch(() => {});
    await desk.clock.advance(45_000);
    await expect(asked).rejects.toEqual(
      failing('timeout', { host: 'another process', timeoutMs: 45_000 }),
    );
    expect(own.session.state.name).toBe('degraded');
    expect(desk.record()).not.toBeNull();
    over.resolve();
    await expect(own.session.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'rejected' }),
    );
  });

  test('under the lock is believed at once', async () => {
    const { desk, own } = await scene();
    await expect(own.session.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'rejected' }),
    );
    expect(desk.clock.monotonicMs()).toBe(HOUR_MS);
    expect(desk.record()).toBeNull();
  });

  test('signs out where no lock can be had at all', async () => {
    const { desk, own } = await scene({ lock: neverHeld });
    const asked = own.session.getAccessToken();
    asked.catch(() => {});
    await desk.clock.advance(5_000);
    await expect(asked).rejects.toEqual(failing('sign_in_required', { reason: 'rejected' }));
    expect(own.session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
  });
});

describe('closing', () => {
  test('while a renewal is on its way is no failure, and nobody is told of one', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    await renewing(desk, own);
    own.news();
    const closing = own.session.close();
    await desk.clock.advance(1_500);
    await closing;
    await settle();
    expect([own.session.state.name, own.news()]).toEqual(['refreshing', []]);
  });

  test('while a refused one looks whether a sibling was quicker is no failure either', async () => {
    const desk = createDesk();
    const own = await desk.signedIn({ lock: neverHeld });
    desk.server.revokeAll();
    own.session.getAccessToken(RENEW).catch(() => {});
    await settle();
    own.news();
    const closing = own.session.close();
    await desk.clock.advance(1_500);
    await closing;
    expect(own.news()).toEqual([]);
  });

  test('leaves no timer, though tokens arrive meanwhile that the store does not take', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { arrive } = await renewing(desk, own);
    desk.store.before = (operation) => {
      if (operation === 'set') throw new Error('EROFS');
    };
    const closing = own.session.close();
    await arrive();
    await desk.clock.advance(1_500);
    await closing;
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });
});

describe('case 211: an app’s own tokens', () => {
  const start = (desk: Desk, more: Parameters<Desk['start']>[0] = {}) =>
    desk.start({ provider: serviceProvider, ...more } as never) as Process;

  // prettier-ignore
  test.each<[name: string, answer: FakeAnswer, code: 'http_error' | 'invalid_grant' | 'invalid_client']>([
    ['is out of order',         { status: 503 },             'http_error'],
    ['does not know the app',   refusing('invalid_client'),  'invalid_client'],
    ['refuses the grant',       refusing('invalid_grant'),   'invalid_grant'],
  ])('that cannot be had, because the server %s, are no session, and are asked for again', async (_, answer, code) => {
    const desk = createDesk();
    const own = start(desk);
    desk.server.next(() => answer);
    await expect(own.session.getAccessToken()).rejects.toEqual(failing(code));
    expect(own.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(own.news().slice(2)).toEqual(['tokensRequested exchanging', 'signInFailed signedOut']);
    await expect(own.session.getAccessToken()).resolves.toContain('access');
    expect(own.session.state.name).toBe('signedIn');
  });

  test('cost one request, however long they are to last', async () => {
    const desk = createDesk();
    const { session } = start(desk);
    await session.getAccessToken(RENEW);
    expect(desk.server.tokenRequests()).toHaveLength(1);
    await session.getAccessToken(RENEW);
    expect(desk.server.tokenRequests()).toHaveLength(2);
  });

  test('for fewer scopes are held in memory alone, and cost no write', async () => {
    const desk = createDesk();
    const { session } = start(desk);
    await session.getAccessToken();
    desk.store.operations.length = 0;
    await session.share(READ).getAccessToken();
    expect(desk.store.operations.filter(({ operation }) => operation === 'set')).toEqual([]);
  });

  test('for fewer scopes are had beside those that a sibling has stored since', async () => {
    const desk = createDesk();
    const own = start(desk, { isHeard: false });
    await own.session.restore();
    const sibling = start(desk, { isHeard: false });
    const broad = await sibling.session.getAccessToken();
    expect(await own.session.share(READ).getAccessToken()).not.toBe(broad);
    expect(desk.server.tokenRequests().map((form) => form.get('scope'))).toEqual([
      'read write',
      'read',
    ]);
    expect(await own.session.getAccessToken()).toBe(broad);
  });

  test('are not asked for once it is signed out, though the store is slow to say what is there', async () => {
    const desk = createDesk();
    const { session } = start(desk);
    await session.getAccessToken();
    const requests = desk.server.tokenRequests().length;
    const gate = deferred<void>();
    desk.store.before = (operation) => (operation === 'get' ? gate.promise : undefined);
    const asked = session.getAccessToken(RENEW);
    asked.catch(() => {});
    await settle();
    const out = session.signOut();
    await desk.clock.advance(1_500);
    gate.resolve();
    await out;
    await settle();
    expect(desk.server.tokenRequests()).toHaveLength(requests);
    await expect(asked).rejects.toEqual(failing('sign_in_required', { reason: 'signedOut' }));
  });
});
