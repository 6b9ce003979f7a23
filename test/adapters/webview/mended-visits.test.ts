// The visit as both ends have it: what happens when one of them is gone, full, or can do less than the other thought.
import {
  createWebviewHost,
  detectChannel,
  openBridge,
  qtWebChannel,
  serveHost,
} from '../../../adapters/webview/index.js';
import type { QtBridgeObject } from '../../../adapters/webview/channels/qt-web-channel.js';
import { MortiseError, createSession, pasteUserAgent } from 'mortise';
import type { RedirectRule, RedirectUserAgent } from '../../../src/ports/index.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost, deferred, type FakeHostOptions } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../../support/fake-server.js';
import { createPair, rpc } from './panel-pair.js';

const RULE: RedirectRule = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };
const OPEN = { capture: 'host', redirect: RULE };

/** A panel that signs in itself, by the user agents of a host that it is lent. */
function createWorld(options: Partial<FakeHostOptions> = {}, userAgents?: RedirectUserAgent[]) {
  const { http } = createFakeServer();
  const lent = createFakeHost({ http, ...options });
  const pair = createPair();
  const host = { ...lent, ...(userAgents && { userAgents: [...userAgents, ...lent.userAgents] }) };
  const served = serveHost(host, pair.host, { nonce: pair.nonce, offers: ['browser'] });
  const bridge = pair.bridge();
  const session = createSession({
    host: createWebviewHost({ channel: bridge, http }),
    provider: fakeProvider(),
  });
  return { lent, pair, served, bridge, session };
}

const failing = (code: 'redirect_port_in_use' | 'bridge_unavailable'): RedirectUserAgent => ({
  open: async () => {
    if (code === 'redirect_port_in_use') throw new MortiseError(code, { ports: [1] });
    throw new MortiseError(code, { problem: 'x' });
  },
});

test('a host that says bye ends the sign-in that waits for a redirect', async () => {
  const { lent, served, session } = createWorld();
  const visit = lent.visit();
  const signingIn = session.signIn().catch((error: unknown) => error);
  await visit;
  served.close();
  await expect(signingIn).resolves.toMatchObject({ code: 'sign_in_cancelled' });
  expect(session.state.name).not.toBe('authorizing');
  session.close();
});

test('a page that is gone while a redirect waits for its outcome: told at once, and no timer is left', async () => {
  const { lent, pair, served, session } = createWorld();
  const visit = lent.visit();
  session.signIn().catch(() => {});
  const there = await visit;
  pair.cut();
  const outcome = there.redirect({ code: 'c' });
  await settle();
  served.close();
  await expect(outcome).resolves.toEqual({ kind: 'ignored' });
  await settle();
  expect(there.isOpen).toBe(false);
  expect(lent.clock.pending).toBe(0);
  // Whoever comes still later waits for nobody either.
  await expect(there.redirect({ code: 'd' })).resolves.toEqual({ kind: 'ignored' });
  expect(lent.clock.pending).toBe(0);
  session.close();
});

test('a page that goes away while a visit is opened leaves none', async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    const pair = createPair();
    const opening = deferred<void>();
    let isOpen = false;
    const userAgent: RedirectUserAgent = {
      async open() {
        await opening.promise;
        isOpen = true;
        return {
          redirectUri: 'x',
          navigate: async () => {},
          close: async () => void (isOpen = false),
        };
      },
    };
    const lent = createFakeHost({ http: createFakeServer().http });
    const host = { ...lent, userAgents: [userAgent] };
    const served = serveHost(host, pair.host, { nonce: pair.nonce, offers: ['browser'] });
    pair.inject(
      'host',
      rpc(pair.nonce, { id: 'o'.repeat(32), method: 'visit.open', params: OPEN }),
    );
    opening.resolve();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    served.close();
    await settle();
    expect([turns, isOpen]).toEqual([turns, false]);
  }
});

test('a visit that is closed waits for no page any more', async () => {
  const pair = createPair();
  const clock = createFakeClock();
  const bridge = pair.bridge({ clock });
  const lent = createFakeHost({ http: createFakeServer().http });
  const served = serveHost(lent, pair.host, { nonce: pair.nonce, offers: ['browser'] });
  const [userAgent] = createWebviewHost({ channel: bridge }).userAgents as RedirectUserAgent[];
  const { signal } = new AbortController();
  const onRedirect = async () => ({ kind: 'ignored' }) as const;
  const visit = await userAgent?.open({ redirect: RULE, signal, onRedirect, onWindow() {} });
  pair.cut();
  const going = expect(visit?.navigate('https://as.example/')).rejects.toMatchObject({
    code: 'aborted',
  });
  await settle();
  const closing = visit?.close();
  await going;
  await clock.advance(700);
  await closing;
  expect(clock.pending).toBe(0);
  await expect(visit?.navigate('https://as.example/')).rejects.toMatchObject({ code: 'aborted' });
  served.close();
  bridge.close();
});

test('the user agents of the host are asked in turn, until one can', async () => {
  const { lent, served, session } = createWorld({}, [failing('redirect_port_in_use')]);
  const visit = lent.visit();
  const signingIn = session.signIn();
  await (await visit).redirect({ code: 'c' });
  await signingIn;
  expect(session.state.name).toBe('signedIn');
  served.close();
  session.close();
});

test('when none of them can, the panel hears why the first could not', async () => {
  const openError = new MortiseError('browser_not_opened', {});
  const { served, session } = createWorld({ openError }, [failing('redirect_port_in_use')]);
  await expect(session.signIn()).rejects.toMatchObject({ code: 'redirect_port_in_use' });
  served.close();
  session.close();
});

test('a lent agent that needs pasting says so in the panel’s state', async () => {
  const { served, bridge, session } = createWorld({}, [pasteUserAgent()]);
  const signingIn = session.signIn().catch((error: unknown) => error);
  // Between the click and the address there are many messages.
  for (let turn = 0; turn < 50 && !('answerBy' in session.state); turn += 1) await settle();
  expect(session.state).toMatchObject({ name: 'authorizing', answerBy: 'paste' });
  served.close();
  await signingIn;
  bridge.close();
  session.close();
});

test('no more than 8 visits, however many are asked for at once', async () => {
  const { lent, served, bridge } = createWorld();
  const asked = Array.from({ length: 30 }, () =>
    bridge.request('browser', 'visit.open', OPEN, { timeoutMs: 1_000 }),
  );
  const ends = await Promise.allSettled(asked);
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
  expect(lent.visits.filter(({ isOpen }) => isOpen)).toHaveLength(8);
  served.close();
  bridge.close();
});

test('paste: the redirect URI asked for is the one that is used, if it is one of the provider’s', async () => {
  const open = (redirectUri: string) => {
    const { panel: channel } = createPair();
    const host = createWebviewHost({ channel, capture: 'paste', redirectUri });
    const [userAgent] = host.userAgents as readonly RedirectUserAgent[];
    const { signal } = new AbortController();
    const onRedirect = async () => ({ kind: 'ignored' }) as const;
    return userAgent?.open({ redirect: RULE, signal, onRedirect, onWindow() {} });
  };
  const redirectUri = 'http://127.0.0.1:9999/callback';
  await expect(open(redirectUri)).resolves.toMatchObject({ redirectUri, answerBy: 'paste' });
  await expect(open('http://127.0.0.1:9999/other')).rejects.toMatchObject({
    code: 'configuration_error',
  });
});

describe('Qt', () => {
  const page = globalThis as Record<string, unknown>;
  afterEach(() => {
    delete page['qt'];
    delete page['QWebChannel'];
  });

  test('an object that was never registered is named, now and later', async () => {
    type Ready = (channel: { objects: Record<string, unknown> }) => void;
    let ready: Ready = () => {};
    page['qt'] = { webChannelTransport: {} };
    page['QWebChannel'] = class {
      constructor(_: unknown, callback: Ready) {
        ready = callback;
      }
    };
    const { nonce } = createPair();
    const bridge = openBridge(qtWebChannel({ object: 'mine' }), { nonce });
    const ask = () => bridge.request('store', 'store.get', { key: 'k' }, { timeoutMs: 1_000 });
    const named = {
      code: 'bridge_unavailable',
      details: { problem: expect.stringContaining('mine') },
    };
    const first = expect(ask()).rejects.toMatchObject(named);
    ready({ objects: { other: {} } });
    await first;
    await expect(ask()).rejects.toMatchObject(named);
    bridge.close();
  });

  test('the signal is let go when nobody listens, and taken up again', () => {
    const connected = new Set<(text: unknown) => void>();
    const heard: string[] = [];
    const object: QtBridgeObject = {
      send() {},
      message: {
        connect: (listener) => void connected.add(listener),
        disconnect: (listener) => void connected.delete(listener),
      },
    };
    const channel = qtWebChannel({ object });
    const stops = [1, 2].map(() => channel.onMessage((text) => heard.push(text)));
    expect(connected.size).toBe(1);
    for (const stop of [...stops, ...stops]) stop();
    expect(connected.size).toBe(0);
    channel.onMessage((text) => heard.push(text));
    for (const tell of connected) tell('again');
    expect(heard).toEqual(['again']);
  });
});

test('a page that merely has Office.js is no dialog', () => {
  const page = globalThis as Record<string, unknown>;
  page['Office'] = { context: { ui: { messageParent() {}, addHandlerAsync() {} } } };
  expect(() => detectChannel()).toThrow(expect.objectContaining({ code: 'bridge_unavailable' }));
  delete page['Office'];
});
