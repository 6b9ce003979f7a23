// A way to the server that cuts, delays, doubles and corrupts, in front of a certified server that takes a
// refresh token once. Nothing but the server's own refusal ends a session.
import { createSession, isMortiseError, type AnyMortiseError, type StateChange } from 'mortise';
import { createNodeHost, fetchTransport, fileStore } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import {
  isTokenRequest,
  startFaultProxy,
  type Fault,
  type FaultProxy,
} from '../support/fault-proxy.js';
import { createHttpBrowser } from '../support/http-browser.js';
import { oidcAccount, type OidcAccount } from '../support/oidc-account.js';
import { providerAt, startStrictServer } from '../support/strict-server.js';
import { makeDirectory, removeDirectories, storedIn } from '../support/worker-account.js';
import type { Opening } from '../support/worker-protocol.js';

const HOUR_MS = 3_600_000;
/** Waiting goes so much faster where a server is silent, and nowhere else: a slow machine is not a fault. */
const SPEED = 40;
const speedIn = ({ fault }: Fault) => (fault === 'hang' ? SPEED : 1);

let proxy: FaultProxy;
let account: OidcAccount;
let opened: { close(): Promise<void> }[];

beforeAll(async () => {
  proxy = await startFaultProxy();
  account = await oidcAccount(proxy.origin);
});
afterAll(async () => {
  await account.stop();
  await proxy.stop();
  removeDirectories();
});
beforeEach(() => {
  opened = [];
  proxy.leadTo(account.address);
});
afterEach(async () => {
  proxy.clear();
  for (const session of opened) await session.close();
});

interface Settings {
  readonly directory?: string;
  readonly provider?: Opening['provider'];
  /** Thrown by the transport, when something is. */
  readonly broken?: () => Error | undefined;
  /** How often a second of its waiting fits into one. */
  readonly speed?: number;
}

/** A plug-in at the other end of the proxy. */
function open({
  directory = makeDirectory(),
  provider = account.provider,
  broken = () => undefined,
  speed = 1,
}: Settings = {}) {
  const send = fetchTransport();
  const browser = createHttpBrowser();
  const clock = { aheadMs: 0, speed };
  const host = createNodeHost({
    store: fileStore({ directory }),
    async http(request) {
      const error = broken();
      if (error) throw error;
      return send(request);
    },
    async openBrowser(url) {
      void browser.load(await browser.authorize(url));
    },
  });
  const { after, inBackground = after, nowMs, monotonicMs } = host.clock;
  const session = createSession({
    host: {
      ...host,
      clock: {
        nowMs: () => nowMs() + clock.aheadMs,
        monotonicMs,
        after: (ms, callback) => after(ms / clock.speed, callback),
        inBackground: (ms, callback) => inBackground(ms / clock.speed, callback),
      },
    },
    provider: oauth(provider as Parameters<typeof oauth>[0]),
  });
  const changes: StateChange[] = [];
  session.onChange((change) => changes.push(change));
  const created = {
    session,
    clock,
    directory,
    names: () => changes.map(({ event }) => event),
    /** Lets the access token end. */
    expire: () => void (clock.aheadMs += HOUR_MS),
    /** How long it says that it will leave the server alone. */
    retryInMs() {
      const { state } = session;
      return state.name === 'degraded' ? state.retryAtMs - nowMs() - clock.aheadMs : NaN;
    },
  };
  opened.push(session);
  return created;
}

type Opened = ReturnType<typeof open>;

async function signedIn(settings?: Settings): Promise<Opened> {
  const created = open(settings);
  await created.session.signIn();
  return created;
}

/** Token requests since the last time this was asked. */
function countOf() {
  const count = () => proxy.seen.filter((line) => line === 'POST /token').length;
  let last = count();
  return () => {
    const [before, now] = [last, count()];
    last = now;
    return now - before;
  };
}

async function failureOf(promise: Promise<unknown>): Promise<AnyMortiseError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  if (!isMortiseError(error)) throw error;
  return error;
}

const say = (status: number, body = '', headers: Record<string, string> = {}): Fault => ({
  fault: 'say',
  when: 'before',
  said: { status, body, headers },
});
const HTML = { 'content-type': 'text/html' };
const JSON_TYPE = { 'content-type': 'application/json' };
const PAGE = '<!doctype html><title>Welcome to our hotel</title>';

/** The server hears nothing of it: nothing is lost. */
// prettier-ignore
const BEFORE: readonly (readonly [what: string, fault: Fault, code: string])[] = [
  ['case 99: a captive portal’s page',            say(200, PAGE, HTML),                      'malformed_response'],
  ['case 99: a captive portal’s redirect',        say(302, '', { location: '/portal' }),     'http_error'],
  // What `fetch` makes of 407 is an error without a status.
  ['case 99: a proxy that wants a password',      say(407, PAGE, HTML),                      'network_error'],
  ['case 100: nothing, and status 200',           say(200),                                  'malformed_response'],
  ['case 100: status 204',                        say(204),                                  'malformed_response'],
  ['case 100, 129: an empty 400',                 say(400),                                  'oauth_error'],
  ['case 129: a page with 400',                   say(400, PAGE, HTML),                      'oauth_error'],
  ['case 129: a page with 401',                   say(401, PAGE, HTML),                      'oauth_error'],
  ['case 129: a page with 403',                   say(403, PAGE, HTML),                      'oauth_error'],
  ['case 126: a page with 500',                   say(500, PAGE, HTML),                      'http_error'],
  ['case 126: a page with 502',                   say(502, PAGE, HTML),                      'http_error'],
  ['case 126: a page with 503',                   say(503, PAGE, HTML),                      'http_error'],
  ['case 126: nothing with 504',                  say(504),                                  'http_error'],
  ['case 126: invalid_grant, though with 500',    say(500, '{"error":"invalid_grant"}', JSON_TYPE), 'http_error'],
  ['case 126: temporarily_unavailable',           say(400, '{"error":"temporarily_unavailable"}', JSON_TYPE), 'oauth_error'],
  ['case 102: half a JSON text',                  say(200, '{"access_token":"ab', JSON_TYPE), 'malformed_response'],
  ['case 102: bytes that are no text',            say(200, '\u0000\ufffd\u0001{', JSON_TYPE), 'malformed_response'],
  ['case 127: a connection that is reset',        { fault: 'cut', when: 'before' },          'network_error'],
  ['case 116: silence',                           { fault: 'hang', when: 'before' },         'timeout'],
];

/** The server has answered, and spent what it was asked with: what it gave does not arrive. */
// prettier-ignore
const AFTER: readonly (readonly [what: string, fault: Fault, code: string])[] = [
  ['a cut connection',                { fault: 'cut', when: 'after' },                        'network_error'],
  ['a cut in the middle of it',       { fault: 'cut', when: 'in the middle of the answer' },  'network_error'],
  ['silence',                         { fault: 'hang', when: 'after' },                       'timeout'],
  ['silence from the middle of it',   { fault: 'hang', when: 'in the middle of the answer' }, 'timeout'],
  ['a gateway’s 502',                 { fault: 'say', when: 'after', said: { status: 502, body: PAGE } }, 'http_error'],
  ['an answer cut short',             { fault: 'corrupt', how: (body) => body.subarray(0, body.length / 2) }, 'malformed_response'],
  ['an answer with other bytes',      { fault: 'corrupt', how: (body) => body.map((byte, at) => at % 7 ? byte : byte ^ 0x90) }, 'malformed_response'],
];

describe('at a refresh, a fault the server hears nothing of keeps the session', () => {
  test.each(BEFORE)('%s', async (_, fault, code) => {
    const { session, clock, expire, directory, retryInMs, names } = await signedIn();
    const before = storedIn(directory);
    const count = countOf();
    proxy.on(isTokenRequest('refresh_token'), fault);
    clock.speed = speedIn(fault);
    expire();
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code });
    expect(session.state).toMatchObject({ name: 'degraded', retryAtMs: expect.any(Number) });
    const firstMs = retryInMs();
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code });
    expect(count()).toBe(2);
    // Case 129: the longer it lasts the less it asks to be tried.
    expect(retryInMs()).toBeGreaterThan(firstMs);
    expect(storedIn(directory)).toEqual(before);

    proxy.clear();
    clock.speed = 1;
    const token = await session.getAccessToken();
    expect(count()).toBe(1);
    expect(storedIn(directory)).toMatchObject({ accessToken: token });
    expect(session.state.name).toBe('signedIn');
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
    expect(names()).not.toContain('grantRejected');
  });

  test('case 115: a server that asks to be left alone is left alone, and then asked once', async () => {
    const { session, expire, clock, retryInMs } = await signedIn();
    const count = countOf();
    proxy.on(isTokenRequest('refresh_token'), say(503, PAGE, { ...HTML, 'retry-after': '1' }));
    expire();
    const asked = [1, 2, 3].map(() => failureOf(session.getAccessToken()));
    for (const each of asked) expect(await each).toMatchObject({ code: 'rate_limited' });
    expect(retryInMs()).toBeGreaterThan(0);
    for (let again = 0; again < 3; again += 1) await failureOf(session.getAccessToken());
    expect(count()).toBe(1);
    proxy.clear();
    // Its patience is measured by the clock that nobody sets.
    clock.aheadMs += 2_000;
    await new Promise((done) => setTimeout(done, 1_050));
    expect(await session.getAccessToken()).toEqual(expect.any(String));
    expect(count()).toBe(1);
  });

  test('case 127: no network: what is stored is there all the same, and works when the cable is back', async () => {
    const { session: first, directory } = await signedIn();
    const token = await first.getAccessToken();
    await first.close();
    await proxy.goOffline();
    const { session, expire } = open({ directory });
    await session.restore();
    expect(session.state.name).toBe('signedIn');
    expect(await session.getAccessToken()).toBe(token);
    expire();
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code: 'network_error' });
    expect(session.state.name).toBe('degraded');
    await proxy.goOnline();
    expect(await session.getAccessToken()).not.toBe(token);
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });

  // As Node's own fetch says them; which name resolves on which machine is not for a test to know.
  test.each([
    ['a name that does not resolve', 'ENOTFOUND'],
    ['a resolver that does not answer', 'EAI_AGAIN'],
    ['a certificate nobody vouches for', 'SELF_SIGNED_CERT_IN_CHAIN'],
    ['a network that cannot be reached', 'ENETUNREACH'],
  ])('case 127: %s', async (_, code) => {
    let isBroken = false;
    const cause = Object.assign(new Error(code), { code });
    const { session, expire } = await signedIn({
      broken: () => (isBroken ? new TypeError('fetch failed', { cause }) : undefined),
    });
    isBroken = true;
    expire();
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code: 'network_error' });
    expect(session.state.name).toBe('degraded');
    isBroken = false;
    await session.getAccessToken();
    expect(session.state.name).toBe('signedIn');
  });

  test('an answer that takes its time is an answer', async () => {
    const { session, expire } = await signedIn();
    const count = countOf();
    proxy.on(isTokenRequest('refresh_token'), { fault: 'delay', ms: 150 });
    expire();
    await Promise.all([1, 2, 3].map(() => session.getAccessToken()));
    expect(count()).toBe(1);
  });
});

describe('case 123: at a refresh, an answer that is lost', () => {
  describe('a strict server: the user is asked to sign in, once', () => {
    test.each(AFTER)('%s', async (_, fault, code) => {
      const { session, clock, expire, names, directory } = await signedIn();
      const before = storedIn(directory);
      const count = countOf();
      proxy.on(isTokenRequest('refresh_token'), fault);
      clock.speed = speedIn(fault);
      expire();
      expect(await failureOf(session.getAccessToken())).toMatchObject({ code });
      clock.speed = 1;
      expect(session.state.name).toBe('degraded');
      expect(storedIn(directory)).toEqual(before);
      expect(count()).toBe(1);
      proxy.clear();
      for (let again = 0; again < 3; again += 1) {
        expect(await failureOf(session.getAccessToken())).toMatchObject({
          code: 'sign_in_required',
          details: { reason: 'rejected' },
        });
      }
      expect(count()).toBe(1);
      expect(names().filter((name) => name === 'grantRejected')).toHaveLength(1);
      expect(storedIn(directory)).toBeNull();
      await session.signIn();
      expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
    });
  });

  describe('a server that repeats its answer: nobody notices', () => {
    test.each(AFTER)('%s', async (_, fault, code) => {
      const server = await startStrictServer({ onReuse: 'repeat the answer', lifetimeS: 3_600 });
      proxy.leadTo(server.origin);
      const { session, clock, expire, names, directory } = await signedIn({
        provider: providerAt(proxy.origin),
      });
      proxy.on(isTokenRequest('refresh_token'), fault);
      clock.speed = speedIn(fault);
      expire();
      expect(await failureOf(session.getAccessToken())).toMatchObject({ code });
      clock.speed = 1;
      proxy.clear();
      const token = await session.getAccessToken();
      await session.api.request({ path: 'thing' });
      expect(storedIn(directory)).toMatchObject({ accessToken: token });
      expect(server.refreshes.map(({ outcome }) => outcome)).toEqual(['rotated', 'repeated']);
      expect(names()).not.toContain('grantRejected');
      await server.stop();
    });
  });
});

describe('a refresh that is delivered twice', () => {
  test.each(['first', 'second'] as const)(
    'a strict server takes everything back; the user is asked to sign in, once (%s answer)',
    async (deliver) => {
      const { session, expire, names } = await signedIn();
      const count = countOf();
      proxy.on(isTokenRequest('refresh_token'), { fault: 'duplicate', deliver });
      expire();
      const token = await session.getAccessToken().catch(() => 'refused');
      expect(token === 'refused').toBe(deliver === 'second');
      proxy.clear();
      for (let again = 0; again < 3; again += 1) {
        expect(await failureOf(session.api.userInfo())).toMatchObject({ code: 'sign_in_required' });
      }
      expect(count()).toBe(deliver === 'first' ? 2 : 1);
      expect(names().filter((name) => name === 'grantRejected')).toHaveLength(1);
    },
  );
});

test('case 130: an API that refuses every token costs one refresh, and signs nobody out', async () => {
  const { session } = await signedIn();
  const count = countOf();
  const isApi = (request: { url?: string | undefined }) => request.url === '/me';
  proxy.on(isApi, say(401, '{}', JSON_TYPE));
  for (let request = 0; request < 10; request += 1) {
    const error = await failureOf(session.api.request({ path: 'me' }));
    expect(error).toMatchObject({ code: 'http_error', details: { status: 401 } });
  }
  // One refresh a request at most; and after some in vain, none.
  expect(count()).toBeLessThan(10);
  proxy.clear();
  expect(session.state.name).toBe('signedIn');
  expect((await session.api.request({ path: 'me' })).status).toBe(200);
});

describe('case 112: at the exchange of a code, a fault ends that sign-in and nothing else', () => {
  test.each([...BEFORE, ...AFTER])('%s', async (_, fault, code) => {
    const { session, clock, directory } = open({ speed: speedIn(fault) });
    const count = countOf();
    proxy.on(isTokenRequest('authorization_code'), fault);
    expect(await failureOf(session.signIn())).toMatchObject({ code });
    clock.speed = 1;
    // Never again with the same code.
    expect(count()).toBe(1);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(storedIn(directory)).toBeNull();
    proxy.clear();
    await session.signIn();
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });

  test('whoever was signed in stays', async () => {
    const { session, directory, names } = await signedIn();
    const before = storedIn(directory);
    proxy.on(isTokenRequest('authorization_code'), { fault: 'cut', when: 'after' });
    await failureOf(session.signIn());
    expect(names().at(-1)).toBe('sessionKept');
    expect(storedIn(directory)).toEqual(before);
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });

  test('delivered twice: what a strict server takes back is found out at the first use', async () => {
    const { session } = open();
    proxy.on(isTokenRequest('authorization_code'), { fault: 'duplicate', deliver: 'first' });
    await session.signIn();
    proxy.clear();
    expect(await failureOf(session.api.userInfo())).toMatchObject({
      code: 'sign_in_required',
      details: { reason: 'rejected' },
    });
    await session.signIn();
    expect(await session.api.userInfo()).toMatchObject({ sub: 'ada' });
  });

  test('case 127: offline from the start: said at once, no browser, and it works later', async () => {
    await proxy.goOffline();
    const { session, names } = open();
    expect(await failureOf(session.signIn())).toMatchObject({ code: 'network_error' });
    expect(names()).not.toContain('addressReady');
    await proxy.goOnline();
    await session.signIn();
    expect(session.state.name).toBe('signedIn');
  });
});
