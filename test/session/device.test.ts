// Signing in by a code for another device, RFC 8628, from the click to the end, against a server that is strict.
import type { ErrorCode } from '../../src/errors.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { leaks } from '../support/canaries.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import {
  ISSUER,
  setUpDevice,
  type DeviceSession,
  type DeviceSessionOptions,
} from './device-support.js';
import { failing } from './support.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** A sign-in whose code is shown. */
async function begun(options: DeviceSessionOptions = {}, signInOptions = {}) {
  const set = setUpDevice(options);
  const done = set.signIn(signInOptions);
  await settle();
  return { ...set, done };
}

async function signedIn(options: DeviceSessionOptions = {}) {
  const set = await begun(options);
  await set.answer();
  await set.clock.advance(5_000);
  await set.done;
  return set;
}

/** Whatever is left would show within hours. */
async function expectOver({ clock, requests, session }: DeviceSession) {
  await settle();
  const count = requests.length;
  expect(clock.pending).toBe(0);
  await clock.advance(3 * HOUR_MS);
  expect(requests.length).toBe(count);
  expect(session.state.name).not.toBe('authorizing');
}

describe('a sign-in by a code', () => {
  test('shows what to do where, and goes on to the tokens', async () => {
    const set = await begun();
    const { session, clock, changes, requests, authorizing } = set;
    const { user_code } = requests.find(({ path }) => path === '/device_authorization')?.json;
    const link = `${ISSUER}/device?user_code=${user_code}`;
    expect(authorizing()).toEqual({
      name: 'authorizing',
      startedAtMs: clock.nowMs(),
      expiresAtMs: clock.nowMs() + 300_000,
      window: 'open',
      authorizationUrl: link,
      ignoredRedirects: 0,
      device: {
        userCode: user_code,
        verificationUri: `${ISSUER}/device`,
        verificationUriComplete: link,
      },
    });
    await clock.advance(12_000);
    expect(authorizing().device?.userCode).toBe(user_code);
    await set.answer();
    await clock.advance(3_000);
    await set.done;
    expect(session.state).toEqual({
      name: 'signedIn',
      expiresAtMs: clock.nowMs() + HOUR_MS,
      scopes: ['data:read', 'data:write'],
    });
    expect(changes.map(({ from, event, to }) => `${from} ${event} ${to}`)).toEqual([
      'idle signInRequested authorizing',
      'authorizing addressReady authorizing',
      'authorizing redirectReceived exchanging',
      'exchanging tokensIssued signedIn',
    ]);
    expect(set.polls()).toEqual([5, 10, 15]);
    await expectOver(set);
  });

  test('asks for its scopes, and for nothing that belongs to a redirect', async () => {
    const { requests } = await begun();
    const { form } = requests.find(({ path }) => path === '/device_authorization') ?? {};
    expect(form).toEqual({ client_id: 'plug-in', scope: 'data:read data:write' });
  });

  test('asks for what else its author wants, as in a browser', async () => {
    const authorizationParameters = { audience: 'https://api.example' };
    const { requests } = await begun({ authorizationParameters });
    const { form } = requests.find(({ path }) => path === '/device_authorization') ?? {};
    expect(form).toMatchObject(authorizationParameters);
  });

  test('polls with the code and the client, and nothing else', async () => {
    const { requests, deviceCodes } = await signedIn();
    expect(requests.at(-1)).toMatchObject({ path: '/token', url: `${ISSUER}/token` });
    expect(requests.at(-1)?.form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: deviceCodes()[0],
      client_id: 'plug-in',
    });
  });

  test('waits no longer than the codes live', async () => {
    const set = await begun({ faults: ['device-short-lived'] });
    const { startedAtMs, expiresAtMs } = set.authorizing();
    expect(expiresAtMs - startedAtMs).toBe(12_000);
    await set.clock.advance(12_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout', { timeoutMs: 12_000 }));
    expect(set.polls()).toEqual([5, 10]);
    await expectOver(set);
  });

  test('nor longer than its caller wants', async () => {
    const set = await begun({}, { timeoutMs: 7_000 });
    expect(set.authorizing().expiresAtMs - set.authorizing().startedAtMs).toBe(7_000);
    await set.clock.advance(7_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout', { timeoutMs: 7_000 }));
    await expectOver(set);
  });

  test('is exchanging only once the tokens are there', async () => {
    const saved = deferred<void>();
    const store = memoryStore();
    const slow = {
      ...store,
      set: (key: string, value: string) => saved.promise.then(() => store.set(key, value)),
    };
    const set = await begun({ store: slow });
    let isDone = false;
    void set.done.then(() => (isDone = true));
    await set.clock.advance(4_999);
    expect(set.session.state.name).toBe('authorizing');
    await set.answer();
    await set.clock.advance(1);
    expect(set.session.state.name).toBe('exchanging');
    expect(isDone).toBe(false);
    saved.resolve();
    await set.done;
    expect(set.session.state.name).toBe('signedIn');
  });

  test('a second one later has codes of its own', async () => {
    const set = await signedIn();
    const first = await set.session.getAccessToken();
    const done = set.signIn();
    await settle();
    await expect(set.session.getAccessToken()).resolves.toBe(first);
    await set.answer();
    await set.clock.advance(5_000);
    await done;
    expect(await set.session.getAccessToken()).not.toBe(first);
    expect(new Set(set.deviceCodes()).size).toBe(2);
    await expectOver(set);
  });
});

describe('case 173: the server is asked', () => {
  test.each([
    'device-interval-absent',
    'device-interval-zero',
    'device-interval-negative',
    'device-interval-text',
  ] as const)('every 5 seconds with %s', async (fault) => {
    const { clock, polls } = await begun({ faults: [fault] });
    await clock.advance(21_000);
    expect(polls()).toEqual([5, 10, 15, 20]);
  });

  test('5 seconds less often for each slow_down, for good', async () => {
    const set = await begun({ faults: ['device-slow-down'] });
    await set.clock.advance(119_000);
    expect(set.polls()).toEqual([5, 15, 30, 50, 70, 90, 110]);
    const told = set.requests.flatMap(({ form, json }) =>
      form['device_code'] ? [json.error] : [],
    );
    // Never faster than told, or the server would have gone on.
    expect(told.filter((error) => error === 'slow_down')).toHaveLength(3);
  });

  test('that wants to be asked too often is asked once a second', async () => {
    // What it says and what it takes are two things.
    const { clock, polls } = await begun({ faults: ['device-interval-tiny'] });
    await clock.advance(1_999);
    expect(polls()).toEqual([1]);
  });

  test('not before the time it has named', async () => {
    const { clock, polls } = await begun({ faults: ['device-poll-429'] });
    await clock.advance(60_000);
    expect(polls()).toEqual([5, 35, 45, 55]);
  });

  test.each(['device-pending-200', 'device-pending-428'] as const)('%s', async (fault) => {
    const set = await begun({ faults: [fault] });
    await set.clock.advance(10_000);
    await set.answer();
    await set.clock.advance(5_000);
    await set.done;
    expect(set.polls()).toEqual([5, 10, 15]);
  });
});

describe('case 174: what passes is waited for', () => {
  test.each(['device-poll-502', 'device-poll-html', 'device-poll-reset'] as const)(
    '%s',
    async (fault) => {
      const set = await begun({ faults: [fault] });
      await set.answer();
      await set.clock.advance(74_999);
      expect(set.session.state.name).toBe('authorizing');
      await set.clock.advance(1);
      await set.done;
      expect(set.polls()).toEqual([5, 15, 35, 75]);
      await expectOver(set);
    },
  );

  test('a server that never answers, until the end', async () => {
    const set = await begun({
      http: (request, send) =>
        /\/token$/.test(request.url) ? new Promise(() => {}) : send(request),
    });
    await set.clock.advance(300_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout'));
    // Each request has its 30 seconds.
    expect(set.polls()).toEqual([5, 45, 95, 165, 255]);
    await expectOver(set);
  });

  test('a network that is away to the end', async () => {
    const set = await begun({ faults: ['token-reset@poll'] });
    await set.clock.advance(300_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout'));
    expect(set.polls()).toEqual([5, 15, 35, 75, 135, 195, 255]);
    expect(set.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    await expectOver(set);
  });

  test('tokens that were lost on the way are an error, and no second set', async () => {
    const set = await begun({ faults: ['token-answer-lost@poll'] });
    await set.answer();
    await set.clock.advance(MINUTE_MS);
    await expect(set.done).rejects.toEqual(failing('invalid_grant'));
    expect(set.polls()).toEqual([5, 15]);
    await expectOver(set);
  });
});

describe('case 175: it ends, once and for all,', () => {
  test.each([
    ['device-expires', 'sign_in_timeout'],
    ['device-denied', 'access_denied'],
    ['device-forgotten', 'invalid_grant'],
    ['device-unknown-error', 'oauth_error'],
    ['token-invalid-client@poll', 'invalid_client'],
    ['token-type-mac@poll', 'malformed_response'],
  ] as const)('by %s', async (fault, code) => {
    const set = await begun({ faults: [fault] });
    await set.answer();
    await set.clock.advance(MINUTE_MS);
    const error = await set.done.catch((thrown: unknown) => thrown);
    expect(error).toEqual(failing(code));
    expect(set.changes.filter(({ event }) => event === 'signInFailed')).toEqual([
      expect.objectContaining({ to: 'signedOut', error }),
    ]);
    await expectOver(set);
  });

  test('by a user who says no, as such', async () => {
    const set = await begun();
    await set.answer('deny');
    await set.clock.advance(5_000);
    await expect(set.done).rejects.toEqual(failing('access_denied'));
    expect(set.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    await expectOver(set);
  });

  /** In the middle: the code is shown, and the server has been asked once. */
  const ENDS: [string, ErrorCode, (set: DeviceSession & { cancel: () => void }) => unknown][] = [
    ['its caller', 'sign_in_cancelled', ({ cancel }) => cancel()],
    ['close', 'aborted', ({ session }) => void session.close()],
    ['a sign-out', 'sign_in_cancelled', ({ session }) => session.signOut()],
  ];

  test.each(ENDS)('by %s between two requests', async (_, code, end) => {
    const controller = new AbortController();
    const set = await begun({}, { signal: controller.signal });
    await set.clock.advance(6_000);
    await end({ ...set, cancel: () => controller.abort() });
    await expect(set.done).rejects.toEqual(failing(code));
    await set.answer().catch(() => {});
    expect(set.polls()).toEqual([5]);
    await expectOver(set);
  });

  test.each(ENDS)(
    'by %s while the server is being asked, and what comes late is revoked',
    async (_, code, end) => {
      const controller = new AbortController();
      const answer = deferred<void>();
      const set = await begun(
        {
          async http(request, send) {
            const response = await send(request);
            if (/device_code=/.test(String(request.body))) await answer.promise;
            return response;
          },
        },
        { signal: controller.signal },
      );
      await set.answer();
      await set.clock.advance(5_000);
      expect(set.polls()).toEqual([5]);
      await end({ ...set, cancel: () => controller.abort() });
      await expect(set.done).rejects.toEqual(failing(code));
      answer.resolve();
      await settle();
      expect(set.session.state.name).not.toBe('signedIn');
      expect(set.revoked()).toBe(2);
      await expectOver(set);
    },
  );

  test.each(ENDS)('by %s before there is a code', async (_, code, end) => {
    const controller = new AbortController();
    const answer = deferred<void>();
    const set = await begun(
      {
        async http(request, send) {
          const response = await send(request);
          if (/\/device_authorization$/.test(request.url)) await answer.promise;
          return response;
        },
      },
      { signal: controller.signal },
    );
    const ended = end({ ...set, cancel: () => controller.abort() });
    await set.clock.advance(2_000);
    await ended;
    await expect(set.done).rejects.toEqual(failing(code));
    answer.resolve();
    await set.clock.advance(MINUTE_MS);
    expect(set.polls()).toEqual([]);
    expect(set.changes.map(({ event }) => event)).not.toContain('addressReady');
    await expectOver(set);
  });

  test('by sleep past the codes’ end: nothing is asked any more', async () => {
    const set = await begun();
    await set.clock.advance(6_000);
    set.clock.setWall(set.clock.nowMs() + 2 * HOUR_MS);
    await set.clock.advance(5_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout'));
    expect(set.polls()).toEqual([5]);
    await expectOver(set);
  });

  test('though a short sleep ends nothing, and is not made up for', async () => {
    const set = await begun();
    await set.clock.advance(6_000);
    set.clock.setWall(set.clock.nowMs() + 2 * MINUTE_MS);
    await settle();
    expect(set.polls()).toEqual([5]);
    await set.answer();
    await set.clock.advance(4_000);
    await set.done;
    expect(set.polls()).toEqual([5, 10]);
  });

  test('by a store that fails, and the server is not asked again', async () => {
    const store = { ...memoryStore(), set: () => Promise.reject(new Error('ENOSPC')) };
    const set = await begun({ store });
    await set.answer();
    await set.clock.advance(5_000);
    await expect(set.done).rejects.toEqual(failing('store_unavailable'));
    expect(set.polls()).toEqual([5]);
    expect(set.revoked()).toBe(2);
    await expectOver(set);
  });
});

describe('case 176: what the server sends', () => {
  test.each([
    'device-code-control-characters',
    'device-code-bidi',
    'device-code-long',
    'device-code-missing',
    'device-user-code-missing',
    'device-uri-missing',
    'device-uri-http',
    'device-uri-script',
    'device-uri-user',
    'device-uri-long',
    'device-expires-in-absent',
    'device-expires-in-zero',
    'device-html',
  ] as const)('%s is refused, and nothing of it shown', async (fault) => {
    const set = await begun({ faults: [fault] });
    await expect(set.done).rejects.toEqual(failing('malformed_response'));
    expect(set.changes.map(({ event }) => event)).toEqual(['signInRequested', 'signInFailed']);
    expect(set.polls()).toEqual([]);
    await expectOver(set);
  });

  test.each([
    ['device-not-offered', 'configuration_error'],
    ['device-unauthorized-client', 'oauth_error'],
    ['device-reset', 'network_error'],
    ['token-invalid-client@device', 'invalid_client'],
  ] as const)('%s is its error where there is nobody else to ask', async (fault, code) => {
    const set = await begun({ faults: [fault] });
    await expect(set.done).rejects.toEqual(failing(code));
    await expectOver(set);
  });

  test.each(['device-complete-elsewhere', 'device-complete-absent'] as const)(
    '%s: the address without the code is the link',
    async (fault) => {
      const { authorizing } = await begun({ faults: [fault] });
      expect(authorizing()).toMatchObject({
        authorizationUrl: `${ISSUER}/device`,
        device: { verificationUri: `${ISSUER}/device`, verificationUriComplete: null },
      });
    },
  );
});

test.each(['allow', 'deny'] as const)(
  'case 197, 198, 199: the device code is in nothing that a program can print (%s)',
  async (decision) => {
    // A server that repeats what it was sent.
    const set = await begun({
      async http(request, send) {
        const code = new URLSearchParams(String(request.body ?? '')).get('device_code');
        const response = await send(request);
        if (response.status !== 400 || !code) return response;
        let text = '';
        for await (const chunk of response.body) text += new TextDecoder().decode(chunk);
        const json = { ...JSON.parse(text), error_description: `no: ${code}`, device_code: code };
        const body = async function* () {
          yield new TextEncoder().encode(JSON.stringify(json));
        };
        return { ...response, body: body() };
      },
    });
    await set.clock.advance(5_000);
    await set.answer(decision);
    await set.clock.advance(5_000);
    const [outcome] = await Promise.allSettled([set.done]);
    if (decision === 'deny') {
      expect(outcome).toMatchObject({ reason: { details: { errorDescription: 'no: …' } } });
    }
    const codes = new Map([['deviceCode', new Set(set.deviceCodes())]]);
    expect(leaks(set.deviceCodes(), codes)).toHaveLength(1);
    const { session, host, changes, states } = set;
    const errors = changes.map(({ error }) => error);
    const exhibits = [session, session.state, host, changes, states, outcome, ...errors];
    expect(leaks(exhibits, codes)).toEqual([]);
    const urls = set.requests.map(({ url }) => url).join(' ');
    expect(urls).not.toContain(set.deviceCodes()[0]);
    await set.session.close();
  },
);

describe('case 18: two sign-ins', () => {
  test('join: one code, one answer', async () => {
    const set = await begun();
    const second = set.signIn();
    await settle();
    expect(set.deviceCodes()).toHaveLength(1);
    await set.answer();
    await set.clock.advance(5_000);
    await Promise.all([set.done, second]);
    expect(set.polls()).toEqual([5]);
  });

  test('start over: the first code is dropped, and its answer counts for nothing', async () => {
    const set = await begun();
    await set.clock.advance(6_000);
    const { device: old } = set.authorizing();
    const second = set.signIn({ whilePending: 'restart' });
    await expect(set.done).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    const { device } = set.authorizing();
    expect(device?.userCode).not.toBe(old?.userCode);
    await set.answer();
    await set.clock.advance(5_000);
    await second;
    const [first = '', last = ''] = set.deviceCodes();
    expect([set.pollsOf(first), set.pollsOf(last)]).toEqual([1, 1]);
    await expectOver(set);
  });

  test('start over while the first is being asked for: its tokens are revoked, not kept', async () => {
    const answer = deferred<void>();
    let isFirst = true;
    const set = await begun({
      async http(request, send) {
        const response = await send(request);
        if (isFirst && /device_code=/.test(String(request.body))) {
          isFirst = false;
          await answer.promise;
        }
        return response;
      },
    });
    await set.answer();
    await set.clock.advance(5_000);
    const second = set.signIn({ whilePending: 'restart' });
    await settle();
    answer.resolve();
    await settle();
    expect(set.session.state.name).toBe('authorizing');
    expect(set.revoked()).toBe(2);
    await set.answer();
    await set.clock.advance(5_000);
    await second;
    await expectOver(set);
  });
});

describe('somebody who is signed in', () => {
  test.each<[string, (set: DeviceSession) => Promise<unknown>]>([
    ['says no', (set) => set.answer('deny')],
    ['does not answer', (set) => set.clock.advance(300_000)],
  ])('and now %s stays signed in', async (_, act) => {
    const set = await signedIn();
    const token = await set.session.getAccessToken();
    const done = set.signIn();
    await settle();
    await act(set);
    await set.clock.advance(5_000);
    await expect(done).rejects.toEqual(failing(expect.any(String) as never));
    expect(set.changes.at(-1)?.event).toBe('sessionKept');
    expect(set.session.state.name).toBe('signedIn');
    await expect(set.session.getAccessToken()).resolves.toBe(token);
  });
});

test('case 20, 21: what is pasted meanwhile is refused and counted, and the sign-in goes on', async () => {
  const set = await begun();
  const { device } = set.authorizing();
  for (const text of [device?.userCode, 'a-code', `${ISSUER}/?code=a&state=b`]) {
    await expect(set.session.completeSignIn(String(text))).rejects.toEqual(
      failing('malformed_response'),
    );
  }
  expect(set.authorizing()).toMatchObject({ ignoredRedirects: 3, device });
  expect(set.requests.filter(({ path }) => path === '/token')).toEqual([]);
  await set.answer();
  await set.clock.advance(5_000);
  await set.done;
});
