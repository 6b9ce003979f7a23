// Who shows the user where to sign in: the host's user agents in turn, until one can.
import { MortiseError, type ErrorCode } from '../../src/errors.js';
import { deviceUserAgent } from '../../src/oauth/device-user-agent.js';
import type { RedirectOutcome, RedirectUserAgent, UserAgent } from '../../src/ports/index.js';
import { pasteUserAgent } from '../../src/session/paste-user-agent.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { ISSUER, setUpDevice, type DeviceSessionOptions } from './device-support.js';
import { failing } from './support.js';

const PORT_IN_USE = new MortiseError('redirect_port_in_use', { ports: [47_821] });
const NO_BROWSER = new MortiseError('browser_not_opened', {});

interface Browser extends RedirectUserAgent {
  readonly redirectUri: string;
  /** How often a place was reserved. */
  opened: number;
  isOpen: boolean;
  /** Where the user was sent. */
  url: string;
  /** Comes back with a code of the sandbox's. */
  redirect(query: Readonly<Record<string, string>>): Promise<RedirectOutcome>;
}

interface BrowserOptions {
  readonly port?: number;
  /** Settles the opening. */
  readonly bind?: () => Promise<void>;
  /** Settles the showing. */
  readonly show?: () => Promise<void>;
}

/** A browser with a redirect to this machine. */
function createBrowser({
  port = 47_821,
  bind = async () => {},
  show = async () => {},
}: BrowserOptions = {}): Browser {
  const redirectUri = `http://127.0.0.1:${port}/callback`;
  let onRedirect: (url: string) => Promise<RedirectOutcome>;
  const browser: Browser = {
    redirectUri,
    opened: 0,
    isOpen: false,
    url: '',
    redirect(query) {
      const state = new URL(browser.url).searchParams.get('state') ?? '';
      const all = new URLSearchParams({ state, iss: ISSUER, ...query });
      return onRedirect(`${redirectUri}?${all}`);
    },
    async open(request) {
      browser.opened += 1;
      await bind();
      browser.isOpen = true;
      ({ onRedirect } = request);
      return {
        redirectUri,
        async navigate(url) {
          browser.url = url;
          await show();
        },
        async close() {
          browser.isOpen = false;
        },
      };
    },
  };
  return browser;
}

const unbound = (port?: number) =>
  createBrowser({ ...(port && { port }), bind: () => Promise.reject(PORT_IN_USE) });
const unshown = (port?: number) =>
  createBrowser({ ...(port && { port }), show: () => Promise.reject(NO_BROWSER) });

const paste = () => pasteUserAgent();
const device = () => deviceUserAgent();

/** Who is asked, the browsers whose ports must be free in the end, and the server. */
type Stage = [readonly UserAgent[], readonly Browser[], DeviceSessionOptions?];

async function begun(userAgents: readonly UserAgent[], options: DeviceSessionOptions = {}) {
  const controller = new AbortController();
  const set = setUpDevice({ ...options, userAgents });
  const done = set.signIn({ signal: controller.signal });
  await settle();
  return { ...set, done, cancel: () => controller.abort() };
}

const NOT_OFFERED: DeviceSessionOptions = { faults: ['device-not-offered'] };

describe('who is asked next', () => {
  test('a browser that works is all there is', async () => {
    const browser = createBrowser();
    const next = createBrowser();
    const { authorizing, requests } = await begun([browser, next, device(), paste()]);
    expect(authorizing()).toMatchObject({ window: 'open', authorizationUrl: browser.url });
    expect(authorizing()).not.toHaveProperty('answerBy');
    expect(authorizing()).not.toHaveProperty('device');
    expect(next.opened).toBe(0);
    expect(requests.map(({ path }) => path)).not.toContain('/device_authorization');
  });

  test('one that cannot have its port: the user pastes', async () => {
    const { authorizing, changes } = await begun([unbound(), paste()]);
    expect(authorizing()).toMatchObject({ window: 'open', answerBy: 'paste' });
    expect(changes.map(({ event }) => event)).toEqual(['signInRequested', 'addressReady']);
  });

  test('one whose page cannot be shown: a code for another device, and the port is free', async () => {
    const browser = unshown();
    const set = await begun([browser, device(), paste()]);
    expect(set.authorizing()).toMatchObject({
      window: 'open',
      authorizationUrl: expect.stringMatching(/^https:\/\/login\.example\/device\?user_code=/),
      device: { userCode: expect.any(String) },
    });
    expect(set.authorizing()).not.toHaveProperty('answerBy');
    expect(browser.isOpen).toBe(false);
    expect(set.changes.map(({ event, error }) => [event, error?.code])).toEqual([
      ['signInRequested', undefined],
      ['addressReady', undefined],
      ['windowLost', 'browser_not_opened'],
      ['addressReady', undefined],
    ]);
    await set.answer();
    await set.clock.advance(5_000);
    await set.done;
    expect(set.clock.pending).toBe(0);
  });

  test('one whose page cannot be shown, at a server without codes: the user pastes', async () => {
    const browser = unshown();
    const set = await begun([browser, device(), paste()], NOT_OFFERED);
    expect(set.authorizing()).toMatchObject({ window: 'open', answerBy: 'paste' });
    expect(browser.isOpen).toBe(false);
    const url = new URL(set.authorizing().authorizationUrl ?? '');
    expect(url.searchParams.get('redirect_uri')).not.toBe(browser.redirectUri);
    expect(url.href).not.toBe(browser.url);
  });

  test.each([
    'device-not-offered',
    'device-unauthorized-client',
    'device-html',
    'device-reset',
    'device-uri-http',
  ] as const)('a server that gives no code (%s): the user pastes', async (fault) => {
    const { authorizing } = await begun([device(), paste()], { faults: [fault] });
    expect(authorizing()).toMatchObject({ window: 'open', answerBy: 'paste' });
    expect(authorizing()).not.toHaveProperty('device');
  });

  test('the next sign-in begins with the first again', async () => {
    let isFree = false;
    const browser = createBrowser({
      bind: () => (isFree ? Promise.resolve() : Promise.reject(PORT_IN_USE)),
    });
    const set = await begun([browser, paste()]);
    expect(set.authorizing().answerBy).toBe('paste');
    isFree = true;
    const second = set.signIn({ whilePending: 'restart' });
    await settle();
    expect(set.authorizing()).not.toHaveProperty('answerBy');
    expect(set.authorizing().authorizationUrl).toBe(browser.url);
    set.cancel();
    void set.session.close();
    await expect(second).rejects.toEqual(failing('aborted'));
  });
});

describe('when nobody can', () => {
  test.each<[string, readonly UserAgent[], ErrorCode]>([
    ['a port that is taken', [unbound(), device()], 'redirect_port_in_use'],
    ['a server without codes', [device(), unbound()], 'configuration_error'],
    ['nobody at all', [], 'configuration_error'],
  ])('%s, which came first, is the error', async (_, userAgents, code) => {
    const set = await begun(userAgents, NOT_OFFERED);
    await expect(set.done).rejects.toEqual(failing(code));
    expect(set.session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(set.clock.pending).toBe(0);
  });

  test.each<[string, () => readonly UserAgent[]]>([
    ['nobody else is there', () => []],
    ['the server has no codes', () => [device()]],
    ['the next has no port', () => [unbound(1)]],
    ['neither', () => [device(), unbound(1)]],
  ])('a page that could not be shown may be opened by hand: %s', async (_, others) => {
    const browser = unshown();
    const set = await begun([browser, ...others()], NOT_OFFERED);
    expect(set.authorizing()).toMatchObject({ window: 'lost', authorizationUrl: browser.url });
    expect(browser.isOpen).toBe(true);
    await expect(browser.redirect({ error: 'access_denied' })).resolves.toMatchObject({
      kind: 'failed',
    });
    await expect(set.done).rejects.toEqual(failing('access_denied'));
    expect(browser.isOpen).toBe(false);
    expect(set.clock.pending).toBe(0);
  });

  test('of two pages that could not be shown the later one waits', async () => {
    const [first, second] = [unshown(), unshown(47_822)];
    const { authorizing } = await begun([first, second]);
    expect(authorizing()).toMatchObject({ window: 'lost', authorizationUrl: second.url });
    expect([first.isOpen, second.isOpen]).toEqual([false, true]);
  });
});

describe('case 46: nothing is left open', () => {
  const never = () => new Promise<never>(() => {});

  const ASKING = (): Stage => {
    const browser = unshown();
    const http: DeviceSessionOptions['http'] = (request, send) =>
      /\/device_authorization$/.test(request.url) ? never() : send(request);
    return [[browser, device(), paste()], [browser], { http }];
  };

  /** A sign-in that has got as far as its name says. */
  const STAGES: [string, () => Stage][] = [
    [
      'its port is being opened',
      () => {
        const browser = createBrowser({ bind: never });
        return [[browser, paste()], [browser]];
      },
    ],
    [
      'its page is being shown',
      () => {
        const browser = createBrowser({ show: never });
        return [[browser, paste()], [browser]];
      },
    ],
    [
      'its page was shown',
      () => {
        const browser = createBrowser();
        return [[browser, paste()], [browser]];
      },
    ],
    ['a code is being asked for', ASKING],
    [
      'a code is shown',
      () => {
        const browser = unshown();
        return [[browser, device(), paste()], [browser]];
      },
    ],
    [
      'a page to paste from is being shown',
      () => {
        const browser = unshown();
        return [[browser, pasteUserAgent({ openBrowser: never })], [browser]];
      },
    ],
    [
      'the user is to paste',
      () => {
        const browser = unshown();
        return [[browser, paste()], [browser]];
      },
    ],
  ];

  test.each(STAGES)('after a cancel while %s', async (_, stage) => {
    const [userAgents, browsers, options] = stage();
    const set = await begun(userAgents, options);
    set.cancel();
    await settle();
    await set.clock.advance(1_500);
    await expect(set.done).rejects.toEqual(failing('sign_in_cancelled'));
    expect(browsers.map(({ isOpen }) => isOpen)).toEqual([false]);
    const { length } = set.changes;
    const { length: sent } = set.requests;
    await set.clock.advance(600_000);
    expect(set.changes).toHaveLength(length);
    expect(set.requests).toHaveLength(sent);
    expect(set.clock.pending).toBe(0);
  });

  test.each(STAGES)('after the time limit while %s', async (_, stage) => {
    const [userAgents, browsers, options] = stage();
    const set = await begun(userAgents, options);
    await set.clock.advance(302_000);
    await expect(set.done).rejects.toEqual(failing('sign_in_timeout'));
    expect(browsers.map(({ isOpen }) => isOpen)).toEqual([false]);
    expect(set.clock.pending).toBe(0);
  });

  test('nor a request for a code that nobody will type', async () => {
    const [userAgents, , options] = ASKING();
    const set = await begun(userAgents, options);
    set.cancel();
    await set.clock.advance(1_500);
    await expect(set.done).rejects.toEqual(failing('sign_in_cancelled'));
    // Its own time limit would keep a program alive for half a minute.
    expect(set.clock.pending).toBe(0);
  });

  test('a port that is there only after the cancel is freed', async () => {
    const bound = deferred<void>();
    const browser = createBrowser({ bind: () => bound.promise });
    const set = await begun([browser, paste()]);
    set.cancel();
    await settle();
    bound.resolve();
    await settle();
    await expect(set.done).rejects.toEqual(failing('sign_in_cancelled'));
    expect(browser.isOpen).toBe(false);
    expect(browser.url).toBe('');
    expect(set.changes.map(({ event }) => event)).toEqual(['signInRequested', 'signInFailed']);
  });
});

describe('one after another, never two at once', () => {
  test('what is pasted for a page that gave way to a code is no answer any more', async () => {
    const browser = unshown();
    const set = await begun([browser, device()]);
    const state = new URL(browser.url).searchParams.get('state') ?? '';
    const address = `${browser.redirectUri}?${new URLSearchParams({ code: 'c', state, iss: ISSUER })}`;
    const { device: shown } = set.authorizing();
    for (const text of [address, shown?.userCode ?? '', 'a-code']) {
      await expect(set.session.completeSignIn(text)).rejects.toEqual(failing('malformed_response'));
    }
    expect(set.session.state.name).toBe('authorizing');
    expect(set.requests.filter(({ path }) => path === '/token')).toEqual([]);
    await set.answer();
    await set.clock.advance(5_000);
    await set.done;
  });

  test('an answer that comes while a code is asked for is the answer', async () => {
    const code = deferred<void>();
    const browser = unshown();
    const set = await begun([browser, device()], {
      async http(request, send) {
        if (/\/device_authorization$/.test(request.url)) await code.promise;
        return send(request);
      },
    });
    const { answerConsent } = await import('mortise/sandbox');
    const redirect = await answerConsent(set.sandbox, browser.url, { decision: 'allow' });
    const { searchParams } = new URL(redirect);
    const outcome = browser.redirect({ code: searchParams.get('code') ?? '' });
    code.resolve();
    await settle();
    expect(await outcome).toEqual({ kind: 'signedIn' });
    await set.done;
    expect(set.changes.map(({ event }) => event)).toEqual([
      'signInRequested',
      'addressReady',
      'windowLost',
      'redirectReceived',
      'tokensIssued',
    ]);
    await set.clock.advance(600_000);
    expect(set.polls()).toEqual([]);
  });
});
