import { MortiseError, type ErrorCode } from '../../src/errors.js';
import type { Provider, ServerMetadata } from '../../src/oauth/provider.js';
import type { HttpRequest } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { settle } from '../support/fake-clock.js';
import {
  createFakeHost,
  deferred,
  type FakeHostOptions,
  type FakeVisit,
} from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

/** A sign-in at a server that never repeats `state`: its refusal of a code is all that tells what is foreign. */

const failing = (code: ErrorCode) => expect.objectContaining({ name: 'MortiseError', code });

interface Options extends Partial<FakeHostOptions> {
  readonly pkce?: ServerMetadata['pkce'];
}

function setUp({ pkce, ...options }: Options = {}) {
  const server = createFakeServer({ lifetimeS: null });
  /** The codes sent to the token endpoint, in order. */
  const codes: string[] = [];
  const underWay = new Map<string, Promise<unknown>>();
  const http = async (request: HttpRequest) => {
    const code = new URLSearchParams(String(request.body ?? '')).get('code');
    if (code === null) return server.http(request);
    codes.push(code);
    await underWay.get(code);
    if (code.startsWith('foreign')) {
      server.next(() => ({ status: 400, json: { error: 'invalid_grant' } }));
    }
    return server.http(request);
  };
  /** Lets the exchange of a code wait until it is told to go on. */
  const hold = (code: string) => {
    const { promise, resolve } = deferred<void>();
    underWay.set(code, promise);
    return async () => {
      resolve();
      await settle();
    };
  };
  const usual = fakeProvider();
  const provider: Provider = {
    ...usual,
    dialect: { ...usual.dialect, state: 'not repeated', denialParameter: 'denied' },
    ...(pkce && { metadata: { ...(usual.metadata as ServerMetadata), pkce } }),
  };
  const host = createFakeHost({ http, ...options });
  const session = createSession({ host, provider });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const signIn = (signInOptions?: Parameters<typeof session.signIn>[0]) => {
    const promise = session.signIn(signInOptions);
    promise.catch(() => {});
    return promise;
  };
  const started = async (signInOptions?: Parameters<typeof session.signIn>[0]) => {
    const done = signIn(signInOptions);
    return { done, visit: await host.visit() };
  };
  const signedIn = async () => {
    const { done, visit } = await started();
    await bring(visit, 'good-before');
    await done;
    return session.getAccessToken();
  };
  return {
    server,
    host,
    session,
    changes,
    codes,
    hold,
    signIn,
    started,
    signedIn,
    clock: host.clock,
  };
}

const bring = (visit: FakeVisit, code: string) =>
  visit.redirectTo(`${visit.redirectUri}?code=${code}`);
const deny = (visit: FakeVisit) => visit.redirectTo(`${visit.redirectUri}?denied=true`);

/** What a sign-in that is over leaves: nothing. */
async function expectFreed({ clock }: Pick<ReturnType<typeof setUp>, 'clock'>, visit: FakeVisit) {
  await settle();
  expect({ isOpen: visit.isOpen, timers: clock.pending }).toEqual({ isOpen: false, timers: 0 });
}

describe('a foreign code', () => {
  test('case 34: is refused by the server, and the right one succeeds', async () => {
    const stage = setUp();
    const { session, changes, codes, started } = stage;
    const { done, visit } = await started();
    await expect(bring(visit, 'foreign')).resolves.toEqual({ kind: 'ignored' });
    expect(session.state).toMatchObject({
      name: 'authorizing',
      authorizationUrl: visit.url,
      ignoredRedirects: 1,
    });
    expect(visit).toMatchObject({ isOpen: true, signal: { aborted: false } });
    await expect(bring(visit, 'good')).resolves.toEqual({ kind: 'signedIn' });
    await done;
    expect(codes).toEqual(['foreign', 'good']);
    expect(changes.map(({ from, to, event }) => `${from} ${event} ${to}`)).toEqual([
      'idle signInRequested authorizing',
      'authorizing addressReady authorizing',
      'authorizing redirectReceived exchanging',
      'exchanging codeRefused authorizing',
      'authorizing redirectReceived exchanging',
      'exchanging tokensIssued signedIn',
    ]);
    await expectFreed(stage, visit);
  });

  test('and more of them end nothing', async () => {
    const { session, codes, started } = setUp();
    const { done, visit } = await started();
    const foreign = ['foreign-1', 'foreign-2', 'foreign-3'];
    for (const code of foreign) {
      await expect(bring(visit, code)).resolves.toEqual({ kind: 'ignored' });
    }
    expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 3 });
    await bring(visit, 'good');
    await done;
    expect(codes).toEqual([...foreign, 'good']);
  });

  test.each([
    ['the right one', ['good'], ['signedIn']],
    ['another, and then the right one', ['foreign-2', 'good'], ['ignored', 'signedIn']],
    ['the right one, and then another', ['good', 'foreign-2'], ['signedIn', 'signedIn']],
    ['itself, and then the right one', ['foreign-1', 'good'], ['ignored', 'signedIn']],
  ])('while it is exchanged, %s arrives', async (_, later, kinds) => {
    const stage = setUp();
    const { codes, hold, started } = stage;
    const { done, visit } = await started();
    const release = hold('foreign-1');
    const first = bring(visit, 'foreign-1');
    const outcomes = later.map((code) => bring(visit, code));
    await settle();
    expect(codes).toEqual(['foreign-1']);
    await release();
    expect(await first).toEqual({ kind: 'ignored' });
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(kinds);
    await done;
    const expected = [...new Set(['foreign-1', ...later])];
    expect(codes).toEqual(expected.slice(0, expected.indexOf('good') + 1));
    await expectFreed(stage, visit);
  });

  test('that comes again is not exchanged again', async () => {
    const { session, codes, started } = setUp();
    const { done, visit } = await started();
    for (let time = 0; time < 3; time += 1) {
      await expect(bring(visit, 'foreign')).resolves.toEqual({ kind: 'ignored' });
    }
    expect(codes).toEqual(['foreign']);
    expect(session.state).toMatchObject({ ignoredRedirects: 3 });
    await bring(visit, 'good');
    await done;
  });

  test('while the right one is exchanged is not exchanged at all', async () => {
    const { codes, hold, started } = setUp();
    const { done, visit } = await started();
    const release = hold('good');
    const outcomes = ['good', 'foreign', 'good'].map((code) => bring(visit, code));
    await settle();
    await release();
    for (const outcome of outcomes) await expect(outcome).resolves.toEqual({ kind: 'signedIn' });
    await done;
    expect(codes).toEqual(['good']);
  });

  test('a thousand at once take their turns, and the right one gets its own', async () => {
    const { codes, started } = setUp();
    const { done, visit } = await started();
    const foreign = Array.from({ length: 1_000 }, (_, index) => `foreign-${index}`);
    const outcomes = [...foreign, 'good'].map((code) => bring(visit, code));
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual([
      ...foreign.map(() => 'ignored'),
      'signedIn',
    ]);
    await done;
    expect(codes).toEqual([...foreign, 'good']);
  });

  test('leaves a lost window lost, with the address to copy', async () => {
    const { session, started } = setUp({
      navigateError: new MortiseError('browser_not_opened', {}),
    });
    const { done, visit } = await started();
    await settle();
    await bring(visit, 'foreign');
    expect(session.state).toMatchObject({ window: 'lost', authorizationUrl: visit.url });
    await bring(visit, 'good');
    await done;
  });

  test('case 96: that the user pastes is refused, and the right one completes', async () => {
    const { session, codes, started } = setUp();
    const { done, visit } = await started();
    for (const pasted of ['foreign-1', `"${visit.redirectUri}?code=foreign-2" `]) {
      await expect(session.completeSignIn(pasted)).rejects.toEqual(failing('malformed_response'));
      expect(session.state.name).toBe('authorizing');
    }
    await session.completeSignIn(' good\n');
    await done;
    expect(codes).toEqual(['foreign-1', 'foreign-2', 'good']);
  });

  test('that a listener hears of may be answered from there', async () => {
    const { session, codes, started } = setUp();
    const { done, visit } = await started();
    session.onChange(({ event }) => {
      if (event === 'codeRefused') void bring(visit, 'good');
      if (event === 'redirectReceived') void bring(visit, 'foreign');
    });
    await bring(visit, 'foreign');
    await done;
    expect(codes).toEqual(['foreign', 'good']);
  });
});

describe('while a foreign code is exchanged, and the right one waits', () => {
  type Stage = ReturnType<typeof setUp>;

  test.each<[string, ErrorCode, (stage: Stage, cancel: AbortController) => unknown]>([
    ['the caller cancels', 'sign_in_cancelled', (_, cancel) => cancel.abort()],
    ['the time limit passes', 'sign_in_timeout', ({ clock }) => clock.advance(10_000)],
    ['the user signs out', 'sign_in_cancelled', ({ session }) => session.signOut()],
    ['the session is closed', 'aborted', ({ session }) => void session.close()],
  ])('%s: it ends, and the right one is not exchanged', async (_, code, act) => {
    const stage = setUp();
    const { session, codes, hold, started } = stage;
    const cancel = new AbortController();
    const { done, visit } = await started({ signal: cancel.signal, timeoutMs: 10_000 });
    const release = hold('foreign');
    const outcomes = [bring(visit, 'foreign'), bring(visit, 'good'), deny(visit)];
    await settle();
    await act(stage, cancel);
    await expect(done).rejects.toEqual(failing(code));
    await settle();
    expect(visit.isOpen).toBe(false);
    // Whoever waits for a page to show is told at once, not when the exchange is over.
    for (const outcome of outcomes.slice(1)) {
      await expect(outcome).resolves.toEqual({ kind: 'failed', error: failing(code) });
    }
    await release();
    await expect(outcomes[0]).resolves.toEqual({ kind: 'failed', error: failing(code) });
    expect(codes).toEqual(['foreign']);
    if (code !== 'aborted') expect(session.state.name).toBe('signedOut');
    await expectFreed(stage, visit);
  });

  test('a restart has codes of its own', async () => {
    const stage = setUp();
    const { codes, hold, started, signIn, host } = stage;
    const { done, visit } = await started();
    const release = hold('foreign');
    const waiting = [bring(visit, 'foreign'), bring(visit, 'old')];
    const second = signIn({ whilePending: 'restart' });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    const next = await host.visit();
    await release();
    for (const outcome of waiting) {
      await expect(outcome).resolves.toEqual({
        kind: 'failed',
        error: failing('sign_in_cancelled'),
      });
    }
    expect(stage.session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 0 });
    await bring(next, 'good');
    await second;
    expect(codes).toEqual(['foreign', 'good']);
    await expectFreed(stage, next);
  });
});

describe('a denial', () => {
  test('ends the sign-in: a forged one cannot be told from a real one', async () => {
    const stage = setUp();
    const { done, visit } = await stage.started();
    expect(await deny(visit)).toEqual({ kind: 'failed', error: failing('access_denied') });
    await expect(done).rejects.toEqual(failing('access_denied'));
    expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(stage.codes).toEqual([]);
    await expectFreed(stage, visit);
  });

  test('after a foreign code is a denial, too', async () => {
    const stage = setUp();
    const { done, visit } = await stage.started();
    await bring(visit, 'foreign');
    await deny(visit);
    await expect(done).rejects.toEqual(failing('access_denied'));
    await expectFreed(stage, visit);
  });

  test('while a foreign code is exchanged gets its turn', async () => {
    const stage = setUp();
    const { done, visit } = await stage.started();
    const release = stage.hold('foreign');
    const outcomes = [bring(visit, 'foreign'), deny(visit)];
    await settle();
    expect(stage.session.state.name).toBe('exchanging');
    await release();
    await expect(done).rejects.toEqual(failing('access_denied'));
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['ignored', 'failed']);
    await expectFreed(stage, visit);
  });

  test('case 24: while the right code is exchanged ends nothing', async () => {
    const { done, visit } = await setUp().started();
    const outcomes = [bring(visit, 'good'), deny(visit)];
    await done;
    expect((await Promise.all(outcomes)).map(({ kind }) => kind)).toEqual(['signedIn', 'signedIn']);
  });

  test.each(['denied=false', 'denied=', 'denied=TRUE', 'denial=true', 'error=access_denied'])(
    'is not %s',
    async (query) => {
      const { started, session } = setUp();
      const { done, visit } = await started();
      const outcome = await visit.redirectTo(`${visit.redirectUri}?${query}`);
      expect(outcome).toEqual({ kind: 'ignored' });
      expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
      await bring(visit, 'good');
      await done;
    },
  );
});

describe('the redirect', () => {
  test.each([
    ['another port', 'http://127.0.0.1:1/callback?code=good'],
    ['another host', 'http://localhost:4000/callback?code=good'],
    ['another scheme', 'https://127.0.0.1:4000/callback?code=good'],
    ['another path', 'http://127.0.0.1:4000/callback/more?code=good'],
    ['a longer path', 'http://127.0.0.1:4000/callbacks?code=good'],
    ['a user name', 'http://user@127.0.0.1:4000/callback?code=good'],
    ['a longer host', 'http://127.0.0.1.evil.example:4000/callback?code=good'],
    ['the code in the fragment', 'http://127.0.0.1:4000/callback#code=good'],
    ['no address', 'code=good'],
    ['no code', 'http://127.0.0.1:4000/callback?state=good'],
  ])('case 36: with %s is none, and waiting goes on', async (_, url) => {
    const { started, codes } = setUp();
    const { done, visit } = await started();
    await expect(visit.redirectTo(url)).resolves.toEqual({ kind: 'ignored' });
    expect(codes).toEqual([]);
    await bring(visit, 'good');
    await done;
  });

  test.each([
    ['state is not looked at', 'state=other&code=good'],
    ['nor is what nobody knows', 'code=good&session=1&session=2'],
  ])('%s', async (_, query) => {
    const { started, codes } = setUp();
    const { done, visit } = await started();
    await visit.redirectTo(`${visit.redirectUri}?${query}`);
    await done;
    expect(codes).toEqual(['good']);
  });
});

describe('what is no refusal of the code ends it', () => {
  test.each<[string, object, ErrorCode]>([
    [
      'a client that is refused',
      { status: 401, json: { error: 'invalid_client' } },
      'invalid_client',
    ],
    ['a server that is busy', { status: 503, headers: { 'retry-after': '1' } }, 'rate_limited'],
    ['a server that fails', { status: 500 }, 'http_error'],
    ['tokens that are none', { json: { access_token: '' } }, 'malformed_response'],
  ])('%s', async (_, answer, code) => {
    const stage = setUp();
    stage.server.next(() => answer);
    const { done, visit } = await stage.started();
    const outcome = await bring(visit, 'any');
    expect(outcome).toEqual({ kind: 'failed', error: failing(code) });
    await expect(done).rejects.toEqual(failing(code));
    expect(stage.codes).toEqual(['any']);
    await expectFreed(stage, visit);
  });

  test('case 112: a connection that breaks after the code was sent: it is not sent again', async () => {
    const stage = setUp();
    stage.server.next(() => Promise.reject(new Error('reset')));
    const { done, visit } = await stage.started();
    await bring(visit, 'good');
    await expect(done).rejects.toEqual(failing('network_error'));
    expect(stage.codes).toEqual(['good']);
    await expectFreed(stage, visit);
  });
});

describe('the session of before', () => {
  test.each<[string, ErrorCode, (visit: FakeVisit) => unknown]>([
    ['foreign codes, and no other', 'sign_in_timeout', (visit) => bring(visit, 'foreign')],
    ['a denial', 'access_denied', deny],
  ])('survives %s', async (_, code, act) => {
    const stage = setUp();
    const before = await stage.signedIn();
    const { done, visit } = await stage.started({ timeoutMs: 10_000 });
    await act(visit);
    await expect(stage.session.getAccessToken()).resolves.toBe(before);
    await stage.clock.advance(10_000);
    await expect(done).rejects.toEqual(failing(code));
    expect(stage.changes.at(-1)).toMatchObject({ event: 'sessionKept', to: 'signedIn' });
    await expect(stage.session.getAccessToken()).resolves.toBe(before);
    expect(stage.server.revoked).toEqual([]);
    await expectFreed(stage, visit);
  });

  test('can be renewed between a foreign code and the right one', async () => {
    const stage = setUp();
    const before = await stage.signedIn();
    const { done, visit } = await stage.started();
    await bring(visit, 'foreign');
    const renewed = await stage.session.getAccessToken({ minValidityMs: Infinity });
    expect(renewed).not.toBe(before);
    expect(stage.session.state.name).toBe('authorizing');
    await bring(visit, 'good');
    await done;
    expect(await stage.session.getAccessToken()).not.toBe(renewed);
  });

  test('that is refused meanwhile does not end the sign-in', async () => {
    const stage = setUp();
    await stage.signedIn();
    stage.server.revokeAll();
    const { done, visit } = await stage.started();
    const release = stage.hold('foreign');
    const first = bring(visit, 'foreign');
    const token = stage.session.getAccessToken({ minValidityMs: Infinity });
    await expect(token).rejects.toEqual(failing('sign_in_required'));
    await release();
    await expect(first).resolves.toEqual({ kind: 'ignored' });
    await bring(visit, 'good');
    await done;
    expect(stage.session.state.name).toBe('signedIn');
  });
});

test('the right code that comes too late is revoked, not kept', async () => {
  const stage = setUp();
  const controller = new AbortController();
  const { done, visit } = await stage.started({ signal: controller.signal });
  await bring(visit, 'foreign');
  const release = stage.hold('good');
  void bring(visit, 'good');
  await settle();
  controller.abort();
  await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
  await release();
  expect(stage.server.revoked).toHaveLength(2);
  expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'never' });
  await expectFreed(stage, visit);
});

describe('a server that compares no verifier is announced', () => {
  test('while the user is away, also after a foreign code', async () => {
    const { session, started } = setUp({ pkce: 'not checked' });
    const { done, visit } = await started();
    expect(session.state).toMatchObject({ weakness: 'pkce_not_checked' });
    await bring(visit, 'foreign');
    expect(session.state).toMatchObject({ weakness: 'pkce_not_checked', ignoredRedirects: 1 });
    await bring(visit, 'good');
    await done;
  });

  test.each([
    ['not checked' as const, 'pkce_not_checked'],
    [undefined, undefined],
  ])('in a sign-in cut in two: %s', async (pkce, weakness) => {
    const { session } = setUp(pkce ? { pkce } : {});
    const redirectUri = 'http://127.0.0.1:4000/callback';
    await session.beginSignIn({ redirectUri });
    const seen: unknown[] = [];
    session.onChange(({ to }) => {
      if (to === 'authorizing') seen.push(Object(session.state).weakness);
    });
    await session.completeSignIn(`${redirectUri}?code=good`);
    expect(seen).toEqual([weakness]);
  });
});

describe('a sign-in cut in two', () => {
  const redirectUri = 'http://127.0.0.1:4000/callback';
  const back = (code: string) => `${redirectUri}?code=${code}`;
  const challengeOf = (url: string) => new URL(url).searchParams.get('code_challenge');

  async function begun(count: number, options: Options = {}) {
    const stage = setUp(options);
    const challenges: (string | null)[] = [];
    for (let index = 0; index < count; index += 1) {
      const { authorizationUrl } = await stage.session.beginSignIn({ redirectUri });
      challenges.push(challengeOf(authorizationUrl));
    }
    /** Which of them each exchange was tried with. */
    const tried = async () =>
      Promise.all(
        stage.server.tokenRequests().map(async (form) => {
          const data = new TextEncoder().encode(form.get('code_verifier') ?? '');
          const digest = Buffer.from(await stage.host.crypto.sha256(data)).toString('base64url');
          return challenges.indexOf(digest);
        }),
      );
    return { ...stage, tried };
  }

  test('takes the newest of several, and each once', async () => {
    const { session, tried } = await begun(3);
    for (let time = 0; time < 3; time += 1) await session.completeSignIn(back(`good-${time}`));
    expect(await tried()).toEqual([2, 1, 0]);
    await expect(session.completeSignIn(back('good'))).rejects.toEqual(
      failing('malformed_response'),
    );
    expect(await tried()).toHaveLength(3);
  });

  test('is not spent on a foreign code', async () => {
    const { session, tried, changes } = await begun(1);
    for (const code of ['foreign-1', 'foreign-2']) {
      await expect(session.completeSignIn(back(code))).rejects.toEqual(failing('invalid_grant'));
      expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    }
    await session.completeSignIn(back('good'));
    expect(await tried()).toEqual([0, 0, 0]);
    expect(changes.at(-1)).toMatchObject({ event: 'tokensIssued' });
    await expect(session.completeSignIn(back('good'))).rejects.toEqual(
      failing('malformed_response'),
    );
  });

  test('the answer of an older one does not cost the newest its own', async () => {
    const { session, tried } = await begun(2);
    await expect(session.completeSignIn(back('foreign'))).rejects.toEqual(failing('invalid_grant'));
    await session.completeSignIn(back('good'));
    expect(await tried()).toEqual([1, 1]);
  });

  test('is finished by another process after a foreign code', async () => {
    const store = memoryStore();
    const first = await begun(1, { store });
    await expect(first.session.completeSignIn(back('foreign'))).rejects.toEqual(
      failing('invalid_grant'),
    );
    const second = setUp({ store });
    await second.session.completeSignIn(back('good'));
    expect(second.session.state.name).toBe('signedIn');
  });

  test('is spent on a denial; whatever else fails leaves it for the right answer', async () => {
    const { session, server } = await begun(2);
    await expect(session.completeSignIn(`${redirectUri}?denied=true`)).rejects.toEqual(
      failing('access_denied'),
    );
    server.next(() => ({ status: 500 }));
    await expect(session.completeSignIn(back('garbage'))).rejects.toEqual(failing('http_error'));
    await session.completeSignIn(back('good'));
    expect(session.state.name).toBe('signedIn');
  });

  test('while a foreign code is tried, the right answer waits its turn', async () => {
    const { session, hold } = await begun(1);
    const release = hold('foreign');
    const foreign = session.completeSignIn(back('foreign'));
    const refused = expect(foreign).rejects.toEqual(failing('invalid_grant'));
    await settle();
    const right = session.completeSignIn(back('good'));
    await settle();
    await release();
    await refused;
    await right;
    expect(session.state.name).toBe('signedIn');
  });

  test('that is signed out of meanwhile is gone', async () => {
    const { session, hold } = await begun(1);
    const release = hold('foreign');
    const done = session.completeSignIn(back('foreign'));
    done.catch(() => {});
    await settle();
    await session.signOut();
    await release();
    await expect(done).rejects.toEqual(failing('invalid_grant'));
    await expect(session.completeSignIn(back('good'))).rejects.toEqual(
      failing('malformed_response'),
    );
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  });

  test('expires, foreign codes or not', async () => {
    const { session, clock } = await begun(1);
    await expect(session.completeSignIn(back('foreign'))).rejects.toEqual(failing('invalid_grant'));
    await clock.advance(300_001);
    await expect(session.completeSignIn(back('good'))).rejects.toEqual(failing('sign_in_timeout'));
  });

  test('keeps who was signed in before', async () => {
    const stage = await begun(0);
    const before = await stage.signedIn();
    await stage.session.beginSignIn({ redirectUri });
    await expect(stage.session.completeSignIn(back('foreign'))).rejects.toEqual(
      failing('invalid_grant'),
    );
    expect(stage.session.state.name).toBe('signedIn');
    await expect(stage.session.getAccessToken()).resolves.toBe(before);
  });

  test('does not take the answer of a sign-in that waits in a window', async () => {
    const { session, started, tried, codes } = await begun(1);
    const { done, visit } = await started();
    await session.completeSignIn(`${visit.redirectUri}?code=good`);
    await done;
    expect(await tried()).toEqual([-1]);
    await session.completeSignIn(back('good-later'));
    expect(codes).toEqual(['good', 'good-later']);
  });
});
