// The window that shows the consent page, as far as anybody can see it.
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import type { Provider } from '../../src/oauth/provider.js';
import { MortiseError } from '../../src/errors.js';
import type { HttpRequest, RedirectUserAgent, VisitRequest } from '../../src/ports/index.js';
import { createFakeHost, deferred } from '../support/fake-host.js';
import { settle } from '../support/fake-clock.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { failing } from './support.js';

interface Begun {
  readonly beforeToken?: () => Promise<unknown>;
  /** Nothing but the code tells whose it is. */
  readonly isStateless?: boolean;
  /** Asked before the usual one. */
  readonly userAgents?: readonly RedirectUserAgent[];
}

async function begun(more: Begun = {}) {
  const server = createFakeServer();
  const http = async (request: HttpRequest) => {
    if (request.url.includes('token')) await more.beforeToken?.();
    return server.http(request);
  };
  const { userAgents = [] } = more;
  const host = createFakeHost({ http, userAgents });
  const session = createSession({ host, provider: providerOf(more) });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const done = session.signIn();
  done.catch(() => {});
  const visit = await host.visit();
  return { session, changes, done, visit, host, server };
}

function providerOf({ isStateless }: Begun): Provider {
  const { dialect, ...provider } = fakeProvider();
  return { ...provider, dialect: { ...dialect, ...(isStateless && { state: 'not repeated' }) } };
}

const lost = { name: 'authorizing', window: 'lost', authorizationUrl: expect.any(String) };

describe('case 69: a window that cannot be seen any more', () => {
  test('is told, with the address to open by hand, and told once', async () => {
    const { session, changes, visit } = await begun();
    visit.loseWindow();
    visit.loseWindow();
    expect(session.state).toMatchObject({ ...lost, authorizationUrl: visit.url });
    expect(changes.map(({ event }) => event)).toEqual([
      'signInRequested',
      'addressReady',
      'windowLost',
    ]);
    expect(changes.at(-1)).not.toHaveProperty('error');
  });

  test('may still bring the answer', async () => {
    const { session, done, visit } = await begun();
    visit.loseWindow();
    await expect(visit.redirect({ code: 'good' })).resolves.toEqual({ kind: 'signedIn' });
    await done;
    expect(session.state.name).toBe('signedIn');
  });

  test('can be replaced by another one', async () => {
    const { session, done, visit, host } = await begun();
    visit.loseWindow();
    const again = session.signIn({ whilePending: 'restart' });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    const second = await host.visit();
    expect(session.state).toMatchObject({ window: 'open', authorizationUrl: second.url });
    await second.redirect({ code: 'good' });
    await again;
  });

  test('is replaced inside the click, whatever the one before still holds', async () => {
    const gate = deferred<void>();
    let opened = 0;
    const closed: number[] = [];
    const windows: RedirectUserAgent = {
      needsClick: true,
      async open() {
        const number = (opened += 1);
        return {
          redirectUri: `http://127.0.0.1:4000/${number}`,
          navigate: async () => {},
          async close() {
            closed.push(number);
            if (number === 1) await gate.promise;
          },
        };
      },
    };
    const host = createFakeHost({ http: createFakeServer().http });
    const session = createSession({
      host: { ...host, userAgents: [windows] },
      provider: fakeProvider(),
    });
    const first = session.signIn();
    await settle();
    const again = session.signIn({ whilePending: 'restart' });
    expect(opened).toBe(2);
    gate.resolve();
    await expect(first).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    expect(session.state).toMatchObject({ name: 'authorizing', window: 'open' });
    expect(String(Object(session.state).authorizationUrl)).toContain('4000%2F2');
    const third = session.signIn({ whilePending: 'restart', timeoutMs: 1000 });
    await expect(again).rejects.toEqual(failing('sign_in_cancelled'));
    const ended = session.close();
    await expect(third).rejects.toMatchObject({ name: 'MortiseError' });
    await ended;
    expect([opened, [...new Set(closed)].sort()]).toEqual([3, [1, 2, 3]]);
  });

  test('whose closing fails, against its contract, is no unhandled rejection and fails nobody', async () => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', hear);
    try {
      const broken: RedirectUserAgent = {
        async open({ onRedirect }) {
          const redirectUri = 'http://127.0.0.1:4000/callback';
          return {
            redirectUri,
            async navigate(url) {
              const state = new URL(url).searchParams.get('state');
              void onRedirect(
                `${redirectUri}?${new URLSearchParams({ code: 'good', state: state ?? '' })}`,
              );
            },
            close: () => Promise.reject(new Error('not today')),
          };
        },
      };
      const host = createFakeHost({ http: createFakeServer().http });
      const session = createSession({
        host: { ...host, userAgents: [broken] },
        provider: fakeProvider(),
      });
      await session.signIn();
      expect(session.state.name).toBe('signedIn');
      await settle();
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });

  test('ends at the time limit all the same', async () => {
    const { done, visit, host } = await begun();
    visit.loseWindow();
    await host.clock.advance(300_000);
    await expect(done).rejects.toEqual(failing('sign_in_timeout'));
    expect(visit.isOpen).toBe(false);
  });
});

describe('case 70: a window that the user has closed', () => {
  test.each([
    ['at once', () => {}],
    ['after it was lost', (visit: { loseWindow(): void }) => visit.loseWindow()],
  ])('ends the sign-in, %s', async (_, before) => {
    const { session, done, visit, host } = await begun();
    before(visit);
    visit.closeWindow();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(visit.isOpen).toBe(false);
    expect(host.clock.pending).toBe(0);
  });

  test('ends nothing once the answer is here', async () => {
    const gate = deferred<void>();
    const { session, done, visit, changes } = await begun({ beforeToken: () => gate.promise });
    const redirected = visit.redirect({ code: 'good' });
    visit.loseWindow();
    visit.closeWindow();
    expect(session.state.name).toBe('exchanging');
    gate.resolve();
    await expect(redirected).resolves.toEqual({ kind: 'signedIn' });
    await done;
    expect(changes.map(({ event }) => event)).not.toContain('windowLost');
  });

  test.each([
    ['closed', 'sign_in_cancelled'],
    ['lost', null],
  ] as const)(
    'while a code that may be anybody’s is tried: %s counts once it is refused',
    async (fate, code) => {
      const gate = deferred<void>();
      const { session, done, visit, server } = await begun({
        isStateless: true,
        beforeToken: () => gate.promise,
      });
      server.next(() => ({ status: 400, json: { error: 'invalid_grant' } }));
      const redirected = visit.redirect({ code: 'foreign' });
      if (fate === 'closed') visit.closeWindow();
      else visit.loseWindow();
      gate.resolve();
      await redirected;
      if (code) await expect(done).rejects.toEqual(failing(code));
      else expect(session.state).toMatchObject(lost);
      await session.close();
    },
  );

  test('of a user agent that gave way to the next ends nothing', async () => {
    const gone: Pick<VisitRequest, 'onWindow'>[] = [];
    const first: RedirectUserAgent = {
      async open(request) {
        gone.push(request);
        return {
          redirectUri: 'http://127.0.0.1:3999/callback',
          navigate: () => Promise.reject(new MortiseError('browser_not_opened', {})),
          // As a view that tells of its end, however it came.
          close: async () => request.onWindow('closed'),
        };
      },
    };
    const { session, visit, done } = await begun({ userAgents: [first] });
    for (const { onWindow } of gone) onWindow('closed');
    expect(session.state).toMatchObject({ name: 'authorizing', window: 'open' });
    await visit.redirect({ code: 'good' });
    await done;
  });

  test('of a user agent that no other could follow ends the sign-in', async () => {
    let strayed = () => {};
    const refusing: RedirectUserAgent = {
      open({ onWindow }) {
        strayed = () => onWindow('closed');
        return Promise.reject(new MortiseError('redirect_port_in_use', { ports: [] }));
      },
    };
    const server = createFakeServer();
    const host = createFakeHost({ http: server.http, navigateError: new Error('no browser') });
    const userAgents = [...host.userAgents, refusing];
    const session = createSession({ host: { ...host, userAgents }, provider: fakeProvider() });
    const done = session.signIn();
    done.catch(() => {});
    const visit = await host.visit();
    await settle();
    strayed();
    expect(session.state).toMatchObject(lost);
    visit.closeWindow();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
  });

  test('leaves a later sign-in alone', async () => {
    const { session, done, visit, host } = await begun();
    const again = session.signIn({ whilePending: 'restart' });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    const second = await host.visit();
    visit.loseWindow();
    visit.closeWindow();
    expect(session.state).toMatchObject({ window: 'open' });
    await second.redirect({ code: 'good' });
    await again;
  });
});
