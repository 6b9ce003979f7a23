// What a sign-in promises that something comes between: its two halves are apart, a sign-out or another sign-in comes
// in, or the store is slow. Each row was once a line that could be changed without a test noticing (npm run mutate).
import { randomUUID } from 'node:crypto';
import { MortiseError } from '../../src/errors.js';
import type { Provider } from '../../src/oauth/provider.js';
import type { RedirectUserAgent, UserAgent } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, deferred, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import {
  broken,
  createDesk,
  failing,
  personProvider,
  type Desk,
  type Disk,
  type Operation,
} from './support.js';

type Process = ReturnType<Desk['start']>;

const REDIRECT_URI = 'https://plug-in.example/callback';
const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;
const NOT_OURS = failing('malformed_response', {
  problem: 'it does not belong to a sign-in that is waiting',
});

/** The operations of one kind under keys like this wait until they are let go. */
function stall(store: Disk, stalled: Operation, name = RECORD) {
  const gate = deferred<void>();
  const reached = deferred<void>();
  store.before = (operation, key) => {
    if (operation !== stalled || !name.test(key)) return undefined;
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

/** The address that the server sends the user back to. */
async function begin({ session }: Process, code = 'ann', timeoutMs?: number): Promise<string> {
  const { authorizationUrl } = await session.beginSignIn({
    redirectUri: REDIRECT_URI,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  const state = new URL(authorizationUrl).searchParams.get('state');
  return `${REDIRECT_URI}?code=${code}&state=${state}`;
}

/** A second half whose code is being exchanged. */
async function exchanging(desk: Desk, { session }: Process, redirectUrl: string) {
  const answer = deferred<FakeAnswer>();
  desk.server.next(() => answer.promise);
  const done = session.completeSignIn(redirectUrl);
  done.catch(() => {});
  await settle();
  const arrive = async (given: FakeAnswer = desk.server.issue()) => {
    answer.resolve(given);
    await settle();
  };
  return { done, arrive };
}

const refused: FakeAnswer = { status: 400, json: { error: 'invalid_grant' } };

describe('a sign-in cut in two', () => {
  // prettier-ignore
  test.each<[name: string, afterMs: number, isInTime: boolean]>([
    ['at once',                             0,       true],
    ['at the last moment',                  60_000,  true],
    ['later',                               60_001,  false],
    ['by a clock that was set back since',  -1,      false],
  ])('that the user comes back to %s', async (_, afterMs, isInTime) => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own, 'ann', 60_000);
    desk.clock.setWall(desk.clock.nowMs() + afterMs);
    const done = own.session.completeSignIn(redirectUrl);
    if (isInTime) await done;
    else await expect(done).rejects.toEqual(failing('sign_in_timeout', { timeoutMs: 60_000 }));
    expect(desk.server.tokenRequests()).toHaveLength(isInTime ? 1 : 0);
  });

  test.each([Infinity, NaN, 0, -1, '60000' as unknown as number])(
    'cannot be begun for %p ms, for it could never be finished',
    async (timeoutMs) => {
      const desk = createDesk();
      await expect(begin(desk.start(), 'ann', timeoutMs)).rejects.toEqual(
        failing('configuration_error', { problem: 'timeoutMs must be a finite number above 0' }),
      );
      expect(desk.store.operations).toEqual([]);
    },
  );

  test('that is begun during a sign-out is not forgotten with what was before', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const out = own.session.signOut();
    const redirectUrl = await begin(own);
    await out;
    await own.session.completeSignIn(redirectUrl);
    expect(own.session.state.name).toBe('signedIn');
  });

  test.each<[Operation]>([['get'], ['set']])(
    'case 137: that is still being begun at a sign-out is over with it (%s)',
    async (operation) => {
      const desk = createDesk();
      const own = await desk.signedIn();
      const { reached, letGo } = stall(desk.store, operation, /\/attempts$/);
      const begun = begin(own);
      begun.catch(() => {});
      await reached;
      const out = own.session.signOut();
      await letGo();
      await out;
      await expect(begun).rejects.toEqual(failing('sign_in_cancelled'));
      expect([...desk.store.values]).toEqual([]);
    },
  );

  test('case 187: is found beside what was damaged in the store', async () => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own);
    for (const [key, text] of desk.store.values) {
      const { attempts } = JSON.parse(text) as { attempts: object[] };
      const damaged = { ...attempts[0], state: 'x', redirectUri: 'none' };
      desk.store.values.set(key, JSON.stringify({ attempts: [...attempts, damaged] }));
    }
    await own.session.completeSignIn(redirectUrl);
    expect(own.session.state.name).toBe('signedIn');
  });

  test('takes the address with whatever blanks were copied along', async () => {
    const desk = createDesk();
    const own = desk.start();
    await own.session.completeSignIn(`\u00a0\ufeff ${await begin(own)}\u00a0\n`);
    expect(own.session.state.name).toBe('signedIn');
  });

  test('shows itself like any other', async () => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own, 'ann', 60_000);
    const shown: unknown[] = [];
    own.session.onChange(() => void shown.push(own.session.state));
    const startedAtMs = desk.clock.nowMs();
    await own.session.completeSignIn(redirectUrl);
    expect(shown.slice(-3)).toEqual([
      { name: 'authorizing', startedAtMs, expiresAtMs: startedAtMs + 60_000, window: 'open', authorizationUrl: null, ignoredRedirects: 0 }, // prettier-ignore
      { name: 'exchanging' },
      expect.objectContaining({ name: 'signedIn' }),
    ]);
  });

  test('is over with the server’s refusal: its redirect is good once', async () => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own);
    desk.server.next(() => refused);
    await expect(own.session.completeSignIn(redirectUrl)).rejects.toEqual(failing('invalid_grant'));
    await expect(own.session.completeSignIn(redirectUrl)).rejects.toEqual(NOT_OURS);
    expect(desk.server.tokenRequests()).toHaveLength(1);
  });

  test('refuses a foreign redirect at once, while another’s code is being exchanged', async () => {
    const desk = createDesk();
    const own = desk.start();
    const { done, arrive } = await exchanging(desk, own, await begin(own));
    const foreign = own.session.completeSignIn(`${REDIRECT_URI}?code=x&state=foreign`);
    await expect(foreign).rejects.toEqual(NOT_OURS);
    expect(own.session.state.name).toBe('exchanging');
    await arrive();
    await done;
  });

  test('case 116: of a session that is closed is left to the next one', async () => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own);
    await own.session.close();
    await expect(own.session.completeSignIn(redirectUrl)).rejects.toEqual(failing('aborted'));
    const next = desk.start();
    await next.session.completeSignIn(redirectUrl);
    expect(next.session.state.name).toBe('signedIn');
  });

  test('case 116: is not kept when the session closes before the tokens are here', async () => {
    const desk = createDesk();
    const own = desk.start();
    const { done, arrive } = await exchanging(desk, own, await begin(own));
    const closing = own.session.close();
    await arrive();
    await desk.clock.advance(1_500);
    await closing;
    await expect(done).rejects.toEqual(failing('aborted'));
    expect(desk.record()).toBeNull();
    expect(desk.server.revoked).toHaveLength(2);
  });

  test('case 137: sends no code when a listener signs out as it arrives', async () => {
    const desk = createDesk();
    const own = desk.start();
    const redirectUrl = await begin(own);
    own.session.onChange(({ to }) => {
      if (to === 'exchanging') void own.session.signOut();
    });
    await expect(own.session.completeSignIn(redirectUrl)).rejects.toEqual(
      failing('sign_in_cancelled'),
    );
    await settle();
    expect(desk.server.tokenRequests()).toEqual([]);
    expect(own.session.state.name).toBe('signedOut');
  });

  describe('gives way to one that is begun', () => {
    test('while the store is looked at: nothing is asked of the server for it', async () => {
      const desk = createDesk();
      const own = desk.start();
      await own.session.restore();
      const redirectUrl = await begin(own);
      const { reached, letGo } = stall(desk.store, 'get', /\/attempts$/);
      const done = own.session.completeSignIn(redirectUrl);
      done.catch(() => {});
      await reached;
      const other = own.session.signIn();
      await letGo();
      await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
      const [visit] = own.host.visits;
      expect(own.session.state).toMatchObject({
        name: 'authorizing',
        authorizationUrl: visit?.url,
      });
      expect(desk.server.tokenRequests()).toEqual([]);
      await visit?.redirect({ code: 'bob' });
      await other;
    });

    // prettier-ignore
    test.each<[name: string, answer: (desk: Desk) => FakeAnswer, code: 'sign_in_cancelled' | 'invalid_grant', revoked: number]>([
      ['tokens',     ({ server }) => server.issue(),  'sign_in_cancelled',  2],
      ['a refusal',  () => refused,                   'invalid_grant',      0],
    ])('while its code is exchanged, for %s', async (_, answer, code, revoked) => {
      const desk = createDesk();
      const own = desk.start();
      const { done, arrive } = await exchanging(desk, own, await begin(own));
      const other = own.session.signIn();
      own.news();
      await arrive(answer(desk));
      await expect(done).rejects.toEqual(failing(code));
      expect(desk.server.revoked).toHaveLength(revoked);
      expect(own.news()).toEqual(['addressReady authorizing']);
      expect(desk.record()).toBeNull();
      await own.host.visits[0]?.redirect({ code: 'bob' });
      await other;
    });
  });

  test('case 24: is over with the user’s denial, where the server repeats no state', async () => {
    const usual = personProvider();
    const dialect = { ...usual.dialect, state: 'not repeated' as const, denialParameter: 'denied' };
    const desk = createDesk();
    const own = desk.start({ provider: { ...usual, dialect } });
    await begin(own);
    const denied = own.session.completeSignIn(`${REDIRECT_URI}?denied=true`);
    await expect(denied).rejects.toEqual(failing('access_denied'));
    const late = own.session.completeSignIn(`${REDIRECT_URI}?code=ann`);
    await expect(late).rejects.toEqual(NOT_OURS);
    expect(desk.server.tokenRequests()).toEqual([]);
  });
});

describe('a sign-in that is asked for during a sign-out', () => {
  const leaving = async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    own.host.visits.length = 0;
    const { reached, letGo } = stall(desk.store, 'remove');
    const out = own.session.signOut();
    await reached;
    return { desk, own, session: own.session, out, letGo };
  };

  test('begins after it, with what it was asked with', async () => {
    const { desk, own, session, out, letGo } = await leaving();
    const controller = new AbortController();
    const done = session.signIn({ timeoutMs: 7_000, signal: controller.signal });
    await settle();
    expect([session.state.name, own.host.visits]).toEqual(['signingOut', []]);
    await letGo();
    await out;
    expect(session.state).toMatchObject({
      name: 'authorizing',
      expiresAtMs: desk.clock.nowMs() + 7_000,
    });
    controller.abort();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    expect(session.state.name).toBe('signedOut');
  });

  test('starts over, if it was to, what another has begun after it', async () => {
    const { own, session, letGo } = await leaving();
    const first = session.signIn();
    first.catch(() => {});
    const second = session.signIn({ whilePending: 'restart' });
    await letGo();
    await expect(first).rejects.toEqual(failing('sign_in_cancelled'));
    await own.host.visits.at(-1)?.redirect({ code: 'bob' });
    await second;
  });

  test('is cancelled by a further sign-out', async () => {
    const { own, session, out, letGo } = await leaving();
    const done = session.signIn();
    done.catch(() => {});
    const again = session.signOut();
    await letGo();
    await Promise.all([out, again]);
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    expect([session.state.name, own.host.visits]).toEqual(['signedOut', []]);
  });
});

describe('a sign-in', () => {
  test('shows itself from the first moment', () => {
    const { session } = createDesk().start();
    session.signIn().catch(() => {});
    expect(session.state).toMatchObject({ window: 'open', authorizationUrl: null });
  });

  test('of an app’s own can be cancelled, too', async () => {
    const desk = createDesk();
    const provider = { ...personProvider(), grant: 'client_credentials' } as Provider<never>;
    const { session } = desk.start({ provider } as never) as Process;
    desk.server.next(() => new Promise<FakeAnswer>(() => {}));
    const controller = new AbortController();
    const done = session.signIn({ signal: controller.signal });
    await settle();
    controller.abort();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    const closing = session.close();
    await desk.clock.advance(1_500);
    await closing;
  });

  test('whose tokens are being saved is not ended any more: it succeeds', async () => {
    const desk = createDesk();
    const own = desk.start();
    const controller = new AbortController();
    const { reached, letGo } = stall(desk.store, 'set');
    const done = own.session.signIn({ signal: controller.signal });
    void (await own.host.visit()).redirect({ code: 'ann' });
    await reached;
    controller.abort();
    await settle();
    expect(own.session.state.name).toBe('exchanging');
    await letGo();
    await done;
    expect(own.session.state.name).toBe('signedIn');
  });

  test('whose save was so slow that a later one has failed meanwhile succeeds all the same', async () => {
    const desk = createDesk();
    const own = desk.start();
    const { reached, letGo } = stall(desk.store, 'set');
    const first = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'ann' });
    await reached;
    const controller = new AbortController();
    const second = own.session.signIn({ whilePending: 'restart', signal: controller.signal });
    second.catch(() => {});
    controller.abort();
    await desk.clock.advance(3_000);
    await expect(second).rejects.toEqual(failing('sign_in_cancelled'));
    expect(own.session.state.name).toBe('signedOut');
    own.news();
    await letGo();
    await first;
    expect(own.news()).toEqual(['sessionFound signedIn']);
    expect(desk.record()?.accessToken).toBe(await own.session.getAccessToken());
  });

  test('that could not be saved leaves what a sibling has stored since', async () => {
    const desk = createDesk();
    const own = await desk.signedIn({ isHeard: false });
    await desk.start({ isHeard: false }).session.getAccessToken({ minValidityMs: 1e9 });
    const before = desk.record();
    const done = own.session.signIn();
    const visit = await own.host.visit();
    let failures = 1;
    desk.store.before = (operation) => {
      if (operation === 'set' && failures-- > 0) broken('set')('set', '');
    };
    void visit.redirect({ code: 'bob' });
    await expect(done).rejects.toEqual(failing('store_unavailable'));
    await settle();
    expect(desk.record()).toEqual(before);
  });
});

describe('the host’s user agents', () => {
  const start = (userAgents: readonly UserAgent[]) => {
    const host = createFakeHost({ http: createFakeServer().http });
    const session = createSession({ host: { ...host, userAgents }, provider: fakeProvider() });
    return { session, clock: host.clock, played: host.userAgents };
  };

  test('are missing: that is said', async () => {
    await expect(start([]).session.signIn()).rejects.toEqual(
      failing('configuration_error', { problem: 'this host cannot show a sign-in page' }),
    );
  });

  test('are not asked any more when the sign-in is over before the first has failed', async () => {
    const opened: string[] = [];
    const failure = deferred<never>();
    const agent = (name: string): RedirectUserAgent => ({
      open: () => {
        opened.push(name);
        return failure.promise;
      },
    });
    const { session, clock } = start([agent('first'), agent('second')]);
    const controller = new AbortController();
    const done = session.signIn({ signal: controller.signal });
    done.catch(() => {});
    controller.abort();
    await clock.advance(1_500);
    failure.reject(new MortiseError('browser_not_opened', {}));
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    expect(opened).toEqual(['first']);
  });

  test('that bring a device’s code when the sign-in is over are not waited for, and leave no timer', async () => {
    const opening = deferred<never>();
    const answer = jest.fn(async () => {});
    const agent = { open: () => opening.promise } as unknown as UserAgent;
    const { session, clock } = start([agent]);
    const controller = new AbortController();
    const done = session.signIn({ signal: controller.signal });
    done.catch(() => {});
    controller.abort();
    await clock.advance(1_500);
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    const code = {
      userCode: 'WDJB-MJHT',
      verificationUri: 'https://auth.example/device',
      expiresInMs: 60_000,
    };
    opening.resolve({ code, answer } as never);
    await settle();
    expect(answer).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });
});

describe('what is pasted', () => {
  const long = randomUUID();
  // prettier-ignore
  test.each<[name: string, pasted: (state: string) => string, code: string]>([
    ['a code with a percent sign',             () => `${long}%off`,                         `${long}%off`],
    ['a query whose code has a question mark', (state) => `code=${long}?b&state=${state}`,  `${long}?b`],
    ['a query as it stands in an address',     (state) => `?code=${long}?b&state=${state}`, `${long}?b`],
  ])('may be %s', async (_, pasted, code) => {
    const desk = createDesk();
    const own = desk.start();
    const done = own.session.signIn();
    const { url } = await own.host.visit();
    await own.session.completeSignIn(pasted(new URL(url).searchParams.get('state') ?? ''));
    await done;
    expect(desk.server.tokenRequests()[0]?.get('code')).toBe(code);
  });
});
