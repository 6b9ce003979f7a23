import {
  createPluginHost,
  deviceUserAgent,
  memoryStore,
  pasteUserAgent,
  type LoginStatus,
  type UserAgent,
} from 'mortise';
import { oauth } from 'mortise/providers/oauth';
import { prevu3d } from 'mortise/providers/prevu3d';
import { createFakeHost, toResponse } from '../support/fake-host.js';
import { settle } from '../support/fake-clock.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';
import { createDesk, failing, NAME, probe, signIn } from './support.js';

/** A provider that says a name, and how often it was asked. */
function named(names: readonly (string | null | Error)[]) {
  const asked: number[] = [];
  const provider = {
    ...fakeProvider(),
    displayName: async () => {
      const name = names[asked.length] ?? null;
      asked.push(asked.length);
      if (name instanceof Error) throw name;
      return name;
    },
  };
  return { asked, integrations: [{ name: NAME, provider, plugins: ['one', 'two'] }] };
}

describe('a login button', () => {
  test('hears: needs sign-in, signing in, ready as NAME, and needs sign-in again', async () => {
    const { integrations, asked } = named(['Ada']);
    const { plugins, host } = createDesk({ integrations });
    const one = probe('one');
    await plugins.activate(one);
    const heard: LoginStatus[] = [];
    one.handle.onStatus((status) => heard.push(status));
    await settle();
    await signIn(host, one.handle);
    await settle();
    await one.handle.signOut();
    expect(heard).toEqual([
      { name: 'needsSignIn', reason: 'never' },
      { name: 'signingIn', authorizationUrl: null, window: 'open' },
      { name: 'signingIn', authorizationUrl: host.visits[0]?.url, window: 'open' },
      { name: 'signingIn', authorizationUrl: null, window: 'open' },
      { name: 'ready', user: null },
      { name: 'ready', user: 'Ada' },
      { name: 'needsSignIn', reason: 'signedOut' },
    ]);
    expect(asked).toHaveLength(1);
    await plugins.close();
  });

  test('nobody is asked for a name while nobody listens', async () => {
    const { integrations, asked } = named(['Ada']);
    const { plugins, host } = createDesk({ integrations });
    const one = probe('one');
    await plugins.activate(one);
    await signIn(host, one.handle);
    await settle();
    expect(asked).toEqual([]);
    const heard: LoginStatus[] = [];
    one.handle.onStatus((status) => heard.push(status));
    await settle();
    expect(heard).toEqual([{ name: 'ready', user: 'Ada' }]);
    expect(one.handle.status).toEqual({ name: 'ready', user: 'Ada' });
  });

  test.each<[string, string | null | Error]>([
    ['fails', new Error('its own mistake')],
    ['has no name', null],
  ])('is ready without a name when the platform %s', async (_, answer) => {
    const { integrations } = named([answer]);
    const { plugins, host } = createDesk({ integrations });
    const one = probe('one');
    await plugins.activate(one);
    one.handle.onStatus(() => {});
    await signIn(host, one.handle);
    await settle();
    expect(one.handle.status).toEqual({ name: 'ready', user: null });
  });

  test('another user is another name, and the first one’s late name is dropped', async () => {
    const { integrations } = named(['Ada', 'Ben']);
    const { plugins, host } = createDesk({ integrations });
    const one = probe('one');
    await plugins.activate(one);
    one.handle.onStatus(() => {});
    await signIn(host, one.handle);
    await settle();
    await signIn(host, one.handle);
    await settle();
    expect(one.handle.status).toEqual({ name: 'ready', user: 'Ben' });
  });

  test('a session that was stored is ready without a sign-in', async () => {
    const server = createFakeServer();
    const host = createFakeHost({ http: server.http });
    const { integrations } = named([]);
    const first = createPluginHost({ host, integrations });
    const one = probe('one');
    await first.activate(one);
    await signIn(host, one.handle);
    await first.close();

    const second = createPluginHost({ host, integrations });
    expect(second.login(NAME).status).toEqual({ name: 'starting' });
    await settle();
    expect(second.login(NAME).status).toEqual({ name: 'ready', user: null });
  });

  test('a store that cannot be read leaves a button to click, which says why', async () => {
    const server = createFakeServer();
    const store = { ...memoryStore(), get: () => Promise.reject(new Error('locked')) };
    const host = createFakeHost({ http: server.http, store });
    const plugins = createPluginHost({ host, integrations: named([]).integrations });
    const login = plugins.login(NAME);
    await settle();
    expect(login.status).toEqual({ name: 'needsSignIn', reason: 'never' });
    await expect(login.signIn()).rejects.toEqual(failing('store_unavailable'));
  });

  test('where no browser opens it has the address to copy, and takes what the user pastes', async () => {
    const navigateError = new Error('no display');
    const host = createFakeHost({ http: createFakeServer().http, navigateError });
    const plugins = createPluginHost({ host, integrations: named([]).integrations });
    const login = plugins.login(NAME);
    const done = login.signIn();
    const visit = await host.visit();
    await settle();
    expect(login.status).toEqual({
      name: 'signingIn',
      authorizationUrl: visit.url,
      window: 'lost',
    });
    const state = new URL(visit.url).searchParams.get('state');
    await login.completeSignIn(` "${visit.redirectUri}?code=the-code&state=${state}" `);
    await done;
    expect(login.state.name).toBe('signedIn');
  });

  test('says what is to be typed on another device, or pasted', async () => {
    const answer = {
      device_code: 'the-device-code',
      user_code: 'WDJB-MJHT',
      verification_uri: 'https://login.example/device',
      expires_in: 600,
    };
    const host = createFakeHost({ http: async () => toResponse({ json: answer }) });
    const provider = oauth({
      authorizationEndpoint: 'https://login.example/authorize',
      tokenEndpoint: 'https://login.example/token',
      deviceAuthorizationEndpoint: 'https://login.example/device_authorization',
      clientId: 'plug-in',
    });
    const integrations = [{ name: NAME, provider, plugins: [] }];
    const statusWith = async (userAgent: UserAgent) => {
      const plugins = createPluginHost({
        host: { ...host, userAgents: [userAgent] },
        integrations,
      });
      const login = plugins.login(NAME);
      login.signIn().catch(() => {});
      await settle();
      const { status } = login;
      await plugins.close();
      return status;
    };
    expect(await statusWith(deviceUserAgent())).toMatchObject({
      name: 'signingIn',
      authorizationUrl: 'https://login.example/device',
      device: { userCode: 'WDJB-MJHT', verificationUri: 'https://login.example/device' },
    });
    expect(await statusWith(pasteUserAgent())).toMatchObject({
      name: 'signingIn',
      authorizationUrl: expect.stringContaining('https://login.example/authorize?'),
      answerBy: 'paste',
    });
  });

  test('without a user there is nothing to click', () => {
    const provider = prevu3d({ grant: 'client_credentials', clientId: 'a', clientSecret: 'b' });
    const host = createFakeHost({ http: createFakeServer().http });
    const plugins = createPluginHost({
      host,
      integrations: [{ name: NAME, provider, plugins: [] }],
    });
    expect(plugins.login(NAME).status).toEqual({ name: 'ready', user: null });
  });

  test('the host’s own button signs in and out; an unknown name is an error', async () => {
    const { plugins, host } = createDesk();
    const login = plugins.login(NAME);
    const heard: string[] = [];
    login.onStatus(({ name }) => heard.push(name));
    await settle();
    const arrived = host.visit();
    const done = login.signIn();
    await (await arrived).redirect({ code: 'the-code' });
    await done;
    await login.signOut();
    expect([...new Set(heard)]).toEqual(['needsSignIn', 'signingIn', 'ready']);
    expect(heard.at(-1)).toBe('needsSignIn');
    expect(() => plugins.login('nobody-knows')).toThrow(failing('integration_unknown'));
  });
});
