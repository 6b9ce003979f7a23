import { createSession, memoryStore, type KeyValueStore } from 'mortise';
import {
  createBrowserHost,
  deliverRedirect,
  fetchTransport,
  indexedDbStore,
  takeRedirectUrl,
} from 'mortise/browser';
import { oauth } from 'mortise/providers/oauth';
import { randomUUID } from 'node:crypto';
import { createFakePage } from './fake-page.js';

const redirectUri = 'https://app.example/callback';

const failing: KeyValueStore = {
  name: 'failing',
  get: () => Promise.reject(new Error('no')),
  set: () => Promise.reject(new Error('no')),
  remove: () => Promise.reject(new Error('no')),
};

test('case 77: keeps sessions in memory unless a store is named', async () => {
  const { store } = createBrowserHost({ redirectUri });
  await store.set('k', 'v');
  expect(await store.get('k')).toBe('v');
  expect(store.name).toBe('memory');
  expect(await createBrowserHost({ redirectUri }).store.get('k')).toBeNull();
});

test('case 76: of a list, the first store that works, and it is told which', async () => {
  const { store } = createBrowserHost({ redirectUri, store: [failing, memoryStore()] });
  await store.set('k', 'v');
  expect(store.name).toBe('memory');
});

test('case 76: a named store that does not work is an error, not another store', async () => {
  const { store } = createBrowserHost({ redirectUri, store: failing });
  await expect(store.set('k', 'v')).rejects.toThrow('no');
});

test('cannot keep a client secret', () => {
  const host = createBrowserHost({ redirectUri });
  const provider = oauth({
    authorizationEndpoint: 'https://as.example/authorize',
    tokenEndpoint: 'https://as.example/token',
    clientId: 'panel',
    clientSecret: randomUUID(),
    scopes: [],
    redirect: [redirectUri],
  });
  expect(() => createSession({ host, provider })).toThrow(
    expect.objectContaining({ code: 'configuration_error' }),
  );
});

test('takes the transport that it is given, and further ways to the user', () => {
  const http = fetchTransport();
  const paste = { open: () => Promise.reject(new Error('not asked')) };
  const host = createBrowserHost({ redirectUri, http, userAgents: (popup) => [popup, paste] });
  expect(host.http).toBe(http);
  expect(host.userAgents).toEqual([expect.anything(), paste]);
  expect(createBrowserHost({ redirectUri }).userAgents).toHaveLength(1);
});

test.each<[string, unknown]>([
  ['no options', undefined],
  ['no redirect URI', {}],
  ['a path', { redirectUri: '/callback' }],
  ['a scheme of its own', { redirectUri: 'app:/callback' }],
])('%s is a configuration_error', (_, options) => {
  expect(() => createBrowserHost(options as { redirectUri: string })).toThrow(
    expect.objectContaining({ code: 'configuration_error' }),
  );
});

test('exports what a page and its redirect page need', () => {
  expect([deliverRedirect, indexedDbStore, takeRedirectUrl].map((it) => typeof it)).toEqual(
    Array(3).fill('function'),
  );
});

test('the pop-up has the size that was asked for, or one that suits a sign-in page', async () => {
  const fake = createFakePage('https://app.example/panel');
  const { origin, location, open, addEventListener, removeEventListener } = fake.page;
  const names = { origin, location, open, addEventListener, removeEventListener };
  const before = Object.keys(names).map((name) => [
    name,
    Object.getOwnPropertyDescriptor(globalThis, name),
  ]) as [string, PropertyDescriptor | undefined][];
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  try {
    for (const popup of [undefined, { width: 640, height: 480 }]) {
      const over = new AbortController();
      const host = createBrowserHost({ redirectUri, ...(popup && { popup }) });
      const visit = await host.userAgents[0]!.open({
        redirect: [redirectUri],
        signal: over.signal,
        onRedirect: async () => ({ kind: 'ignored' }),
        onWindow() {},
        device: null!,
      });
      if ('close' in visit) await visit.close();
    }
  } finally {
    for (const [name, descriptor] of before) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  }
  expect(fake.features).toEqual([
    expect.stringContaining('width=480,height=720'),
    expect.stringContaining('width=640,height=480'),
  ]);
});
