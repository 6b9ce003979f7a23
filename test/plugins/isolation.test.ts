// What one plug-in could do to another, or to the host, if it tried.
import {
  createPluginHost,
  createSession,
  type HttpRequest,
  type PluginContext,
  type Session,
} from 'mortise';
import { aps } from 'mortise/providers/aps';
import { settle } from '../support/fake-clock.js';
import { createFakeHost } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { createDesk, failing, NAME, probe, signIn } from './support.js';

test('a plug-in that changes its name is still the one it was', async () => {
  const { plugins } = createDesk();
  let context: PluginContext | undefined;
  const evil = {
    name: 'evil',
    version: '1.0.0',
    activate: (given: PluginContext) => void (context = given),
  };
  await plugins.activate(evil);
  evil.name = 'one';
  expect(() => context?.integration(NAME)).toThrow(failing('integration_not_assigned'));
});

test('a name that is another at each reading is read once', async () => {
  const narrow = { name: 'viewer', scopes: ['read'] };
  const { plugins, host, server } = createDesk({
    integrations: [{ name: NAME, provider: fakeProvider(), plugins: ['one', narrow] }],
  });
  const one = probe('one');
  await plugins.activate(one);
  await signIn(host, one.handle);
  let reads = 0;
  let context: PluginContext | undefined;
  await plugins.activate({
    get name() {
      reads += 1;
      return reads === 1 ? 'viewer' : 'one';
    },
    version: '1.0.0',
    activate: (given) => void (context = given),
  });
  await context?.integration(NAME).getAccessToken();
  expect(server.tokenRequests().at(-1)?.get('scope')).toBe('read');
});

test('one that stops its own signal from being heard is deactivated all the same', async () => {
  const { plugins, host } = createDesk();
  const one = probe('one', {
    activate({ signal }) {
      signal.addEventListener('abort', (event) => event.stopImmediatePropagation());
    },
  });
  const active = await plugins.activate(one);
  const { handle } = one;
  await signIn(host, handle);
  await active.deactivate();
  await expect(handle.getAccessToken()).rejects.toEqual(failing('aborted'));
  await expect(handle.api.request({ path: 'x' })).rejects.toEqual(failing('aborted'));
});

test('what a plug-in is shown cannot be changed for the others', async () => {
  const provider = fakeProvider();
  const { plugins, host } = createDesk({
    integrations: [{ name: NAME, provider, plugins: ['one', 'two'] }],
  });
  const [one, two] = [probe('one'), probe('two')];
  await plugins.activate(one);
  await plugins.activate(two);
  const seen: object[] = [];
  one.handle.onChange((change) => seen.push(change, one.handle.state));
  one.handle.onStatus((status) => seen.push(status));
  await signIn(host, one.handle);
  const { state } = two.handle;
  expect(seen.length).toBeGreaterThan(5);
  expect(seen.every(Object.isFrozen)).toBe(true);
  expect(state).toMatchObject({ name: 'signedIn', scopes: ['read', 'write'] });
  expect(() => (state as unknown as { scopes: string[] }).scopes.push('admin')).toThrow(TypeError);
  expect(provider.scopes).toEqual(['read', 'write']);
});

test('a listener that rejects does not end the process', async () => {
  const { plugins, host } = createDesk();
  const one = probe('one');
  await plugins.activate(one);
  const unhandled = jest.fn();
  process.on('unhandledRejection', unhandled);
  try {
    one.handle.onChange(async () => Promise.reject(new Error('its own mistake')));
    one.handle.onStatus(async () => Promise.reject(new Error('its own mistake')));
    await signIn(host, one.handle);
    await settle();
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  expect(unhandled).not.toHaveBeenCalled();
});

test('deactivating twice frees nobody else’s name', async () => {
  const { plugins } = createDesk();
  const first = await plugins.activate(probe('one'));
  await first.deactivate();
  const second = await plugins.activate(probe('one'));
  await first.deactivate();
  await expect(plugins.activate(probe('one'))).rejects.toEqual(failing('configuration_error'));
  await plugins.close();
  expect(second.isActive).toBe(false);
});

test('who clicks right after the last one has left begins anew', async () => {
  const { plugins, host } = createDesk();
  const [one, two] = [probe('one'), probe('two')];
  const active = await plugins.activate(one);
  await plugins.activate(two);
  const left = expect(one.handle.signIn()).rejects.toEqual(failing('aborted'));
  await host.visit();
  const gone = active.deactivate();
  const arrived = host.visit();
  const done = two.handle.signIn();
  await (await arrived).redirect({ code: 'the-code' });
  await Promise.all([done, left, gone]);
});

test('one that waits shortly cuts nobody else short', async () => {
  const { plugins, host } = createDesk();
  const [one, two] = [probe('one'), probe('two')];
  await plugins.activate(one);
  await plugins.activate(two);
  const arrived = host.visit();
  const hasty = expect(one.handle.signIn({ timeoutMs: 1_000 })).rejects.toEqual(
    failing('sign_in_timeout', { details: { timeoutMs: 1_000 } }),
  );
  const done = two.handle.signIn();
  const visit = await arrived;
  await host.clock.advance(1_000);
  await hasty;
  await visit.redirect({ code: 'the-code' });
  await done;
  await plugins.close();
  expect(host.clock.pending).toBe(0);
});

test.each([{ signal: {} }, { signal: 5 }, { timeoutMs: 'soon' }, { timeoutMs: -1 }])(
  'a wrong option is a rejection, not a throw: %j',
  async (options) => {
    const { plugins } = createDesk();
    const one = probe('one');
    await plugins.activate(one);
    const result = one.handle.signIn(options as object);
    await expect(result).rejects.toEqual(failing('configuration_error'));
  },
);

test('the handle of a plug-in that is gone shows what was, not what comes', async () => {
  const { plugins, host } = createDesk();
  const [one, two] = [probe('one'), probe('two')];
  const active = await plugins.activate(one);
  await plugins.activate(two);
  const { handle } = one;
  await settle();
  await active.deactivate();
  await signIn(host, two.handle);
  expect(handle.state).toEqual({ name: 'signedOut', reason: 'never' });
});

test('another user whom another process signed in is named', async () => {
  const names = ['Ada', 'Ben'];
  const provider = { ...fakeProvider(), displayName: async () => names.shift() ?? null };
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const make = () =>
    createPluginHost({ host, integrations: [{ name: NAME, provider, plugins: ['one'] }] });
  const [here, there] = [make(), make()];
  const [mine, theirs] = [probe('one'), probe('one')];
  await here.activate(mine);
  await there.activate(theirs);
  mine.handle.onStatus(() => {});
  await signIn(host, mine.handle);
  await settle();
  expect(mine.handle.status).toEqual({ name: 'ready', user: 'Ada' });
  await signIn(host, theirs.handle);
  await host.clock.advance(3_600_000);
  await mine.handle.getAccessToken();
  await settle();
  expect(mine.handle.status).toEqual({ name: 'ready', user: 'Ben' });
});

test('two users whose names meet at the slash share nothing', async () => {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const make = (name: string, account: string) =>
    createPluginHost({
      host,
      account,
      integrations: [{ name, provider: fakeProvider(), plugins: ['one'] }],
    });
  const [first, second] = [make('a', 'b/c'), make('a/b', 'c')];
  const done = first.login('a').signIn();
  await (await host.visit()).redirect({ code: 'the-code' });
  await done;
  const login = second.login('a/b');
  await settle();
  expect(login.status).toEqual({ name: 'needsSignIn', reason: 'never' });
});

test('an app and its users share no record, though they share a client id', async () => {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const client = { clientId: 'the-app', clientSecret: 'x', scopes: ['data:read'] };
  const service = createSession({
    host,
    provider: aps({ ...client, grant: 'client_credentials' }),
  });
  await service.getAccessToken();
  const user = createSession({
    host,
    provider: aps({ ...client, redirectUris: ['http://localhost:8080/callback'] }),
  });
  await user.restore();
  expect(user.state).toEqual({ name: 'signedOut', reason: 'never' });
});

test('what one user began does not go on as another', async () => {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const session = createSession({ host, provider: fakeProvider() });
  const as = async () => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'the-code' });
    await done;
  };
  await as();
  const send = host.http;
  const posts: string[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  Object.assign(host, {
    http: async (request: Parameters<typeof send>[0]) => {
      if (!request.url.endsWith('/orders')) return send(request);
      posts.push(request.headers['authorization'] ?? '');
      await held;
      return { ...(await send(request)), status: posts.length === 1 ? 401 : 200 };
    },
  });
  const post = session.api.request({ method: 'POST', path: 'orders', json: {} });
  const ended = expect(post).rejects.toEqual(failing('aborted'));
  await settle();
  await session.signOut();
  await as();
  release();
  await ended;
  expect(posts).toHaveLength(1);
});

test('a plug-in that signs in when it hears of a sign-in joins it', async () => {
  const { plugins, host } = createDesk();
  const [one, two] = [probe('one'), probe('two')];
  await plugins.activate(one);
  await plugins.activate(two);
  const joined: Promise<void>[] = [];
  two.handle.onStatus(({ name }) => {
    if (name === 'signingIn' && joined.length === 0) joined.push(two.handle.signIn());
  });
  const arrived = host.visit();
  const done = one.handle.signIn();
  await (await arrived).redirect({ code: 'the-code' });
  await Promise.all([done, ...joined]);
  expect(joined).toHaveLength(1);
  expect(host.visits).toHaveLength(1);
});

test('a name that cannot be had is not asked for again and again', async () => {
  let asked = 0;
  const provider = {
    ...fakeProvider(),
    displayName: async ({ request }: { request: Session<unknown>['api'] }) => {
      asked += 1;
      await (request as (how: object) => Promise<unknown>)({ path: 'me' });
      return 'nobody';
    },
  };
  const server = createFakeServer();
  const http = async (request: HttpRequest) => ({
    ...(await server.http(request)),
    ...(request.url.endsWith('/me') && { status: 401 }),
  });
  const host = createFakeHost({ http });
  const plugins = createPluginHost({
    host,
    integrations: [{ name: NAME, provider: provider as never, plugins: ['one'] }],
  });
  const one = probe('one');
  await plugins.activate(one);
  one.handle.onStatus(() => {});
  await signIn(host, one.handle);
  await settle();
  expect(asked).toBe(1);
  expect(server.tokenRequests()).toHaveLength(2);
});

test('scopes that are refused are asked for once, and disturb no sign-in under way', async () => {
  const { plugins, host, server } = createDesk({
    integrations: [
      { name: NAME, provider: fakeProvider(), plugins: ['one', { name: 'two', scopes: ['read'] }] },
    ],
  });
  const [one, two] = [probe('one'), probe('two')];
  await plugins.activate(one);
  await plugins.activate(two);
  await signIn(host, one.handle);
  const again = one.handle.signIn();
  const visit = await host.visit();
  server.next(() => ({ status: 400, json: { error: 'invalid_scope' } }));
  await expect(two.handle.getAccessToken()).rejects.toEqual(failing('oauth_error'));
  expect(one.handle.status).toMatchObject({ name: 'signingIn', authorizationUrl: visit.url });
  const before = server.tokenRequests().length;
  await expect(two.handle.getAccessToken()).rejects.toEqual(failing('oauth_error'));
  expect(server.tokenRequests()).toHaveLength(before);
  await visit.redirect({ code: 'the-code' });
  await again;
  await two.handle.getAccessToken();
});
