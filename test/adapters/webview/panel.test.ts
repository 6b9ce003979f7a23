import {
  connectSession,
  createWebviewHost,
  hostStore,
  hostTransport,
  serveHost,
} from '../../../adapters/webview/index.js';
import type { SignInSession } from '../../../adapters/element/sign-in-session.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { createSession } from '../../../src/session/create-session.js';
import { settle } from '../../support/fake-clock.js';
import { createFakeHost } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../../support/fake-server.js';
import { createPair, parsed, rpc } from './panel-pair.js';

/** A panel with nothing of its own: browser, network and storage are its host's. */
function createWorld(store = memoryStore()) {
  const server = createFakeServer();
  const lent = createFakeHost({ http: server.http, store });
  const load = () => {
    const pair = createPair();
    const offers = ['browser', 'http', 'store'] as const;
    const served = serveHost(lent, pair.host, { nonce: pair.nonce, offers });
    const bridge = pair.bridge();
    const host = createWebviewHost({
      channel: bridge,
      store: hostStore(bridge),
      http: hostTransport(bridge),
    });
    const session = createSession({ host, provider: fakeProvider() });
    return { ...pair, served, bridge, session };
  };
  return { server, lent, load };
}

test('a panel with nothing of its own signs in, browses, signs out, and leaves nothing', async () => {
  const { lent, load, server } = createWorld();
  const { session, served, bridge } = load();
  const visit = lent.visit();
  const done = session.signIn();
  const outcome = (await visit).redirect({ code: 'good' });
  await done;
  await expect(outcome).resolves.toEqual({ kind: 'signedIn' });
  expect(await (await session.api.request({ path: 'hubs' })).json()).toEqual({ path: '/v1/hubs' });
  await session.signOut();
  expect(server.revoked.length).toBeGreaterThan(0);
  await session.close();
  await settle();
  expect(lent.visits[0]?.isOpen).toBe(false);
  expect(bridge.dropped + served.dropped).toBe(0);
  served.close();
  expect(lent.clock.pending).toBe(0);
});

test('case 83: a redirect without the right state is ignored, and the sign-in goes on', async () => {
  const { lent, load, server } = createWorld();
  const { session, served } = load();
  const visit = lent.visit();
  const done = session.signIn();
  const trip = await visit;
  await expect(trip.redirect({ code: 'stolen', state: 'mine' })).resolves.toEqual({
    kind: 'ignored',
  });
  expect(session.state).toMatchObject({ name: 'authorizing', ignoredRedirects: 1 });
  expect(server.tokenRequests()).toEqual([]);
  await trip.redirect({ code: 'good' });
  await done;
  await session.close();
  served.close();
});

test('a page that is loaded anew is still signed in, where the host keeps the store', async () => {
  const { lent, load } = createWorld();
  const first = load();
  const visit = lent.visit();
  const done = first.session.signIn();
  await (await visit).redirect({ code: 'good' });
  await done;
  first.served.close();
  const second = load();
  await second.session.restore();
  expect(second.session.state.name).toBe('signedIn');
  await second.session.close();
  second.served.close();
});

test('case 90: a page that went away leaves no port open', async () => {
  const { lent, load } = createWorld();
  const { session, served } = load();
  const visit = lent.visit();
  const done = session.signIn();
  done.catch(() => {});
  const trip = await visit;
  served.close();
  await settle();
  expect(trip.isOpen).toBe(false);
  await expect(done).rejects.toMatchObject({ code: 'sign_in_cancelled' });
  await session.close();
});

test('an upload that breaks off leaves nothing with the host', async () => {
  const pair = createPair();
  const lent = createFakeHost({ http: createFakeServer().http });
  const served = serveHost(lent, pair.host, { nonce: pair.nonce, offers: ['http'] });
  const http = hostTransport(pair.bridge());
  const body = (async function* () {
    yield new Uint8Array(600_000);
    throw new Error('disk');
  })();
  const { signal } = new AbortController();
  const request = { method: 'PUT', url: 'https://api.example/', headers: {}, body, signal };
  await expect(http(request)).rejects.toMatchObject({ code: 'network_error' });
  await settle();
  const asked = parsed(pair.toHost).map(({ method }) => method);
  expect(asked).toEqual(['hello', 'body.write', 'body.write', 'body.close']);
  served.close();
});

test('a change of one key is told to those who watch it, and to nobody else', async () => {
  const { load } = createWorld();
  const { panel, nonce, served, inject, session } = load();
  const store = hostStore(panel, { nonce });
  const told: string[] = [];
  const stops = ['a', 'b'].map((key) => store.watch?.(key, () => told.push(key)));
  inject('panel', rpc(nonce, { method: 'store.changed', params: { key: 'b' } }));
  inject('panel', rpc(nonce, { method: 'store.changed', params: { key: 7 } }));
  inject('panel', rpc(nonce, { method: 'store.changed' }));
  expect(told).toEqual(['b']);
  for (const stop of stops) stop?.();
  await settle();
  await session.close();
  served.close();
});

test('cases 91, 92: a host in JavaScript refuses what is no place to send to, whoever asks', async () => {
  const { lent, load, server } = createWorld();
  const { inject, nonce, toPanel, served } = load();
  const urls = [
    'file:///etc/passwd',
    'http://as.example/',
    'https://u:p@as.example/',
    'data:,x',
    '',
  ];
  for (const [i, url] of urls.entries()) {
    const params = { method: 'GET', url, headers: {} };
    inject('host', rpc(nonce, { id: `${i}`.padEnd(32, '.'), method: 'http.request', params }));
  }
  await settle();
  const codes = parsed(toPanel).map(({ error }) => (error as { code: number }).code);
  expect(codes).toEqual(urls.map(() => -32602));
  expect(server.requests).toEqual([]);
  expect(lent.visits).toEqual([]);
  served.close();
});

test('a sign-in element takes a connected session as it is', () => {
  const { panel, nonce } = createPair();
  const session: SignInSession = connectSession(panel, { nonce });
  expect(Object.keys(session)).toEqual(
    expect.arrayContaining(['state', 'onChange', 'signIn', 'signOut', 'completeSignIn']),
  );
  (session as ReturnType<typeof connectSession>).close();
});
