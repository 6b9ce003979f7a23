import { createPluginHost, type ActivePlugin, type Plugin } from 'mortise';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { fakeProvider, SECRET } from '../support/fake-server.js';
import { inspect } from 'node:util';
import { createDesk, failing, NAME, probe, signIn } from './support.js';

describe('three answers to "may I have a token"', () => {
  test('sign_in_required: nobody has signed in yet', async () => {
    const { plugins } = createDesk();
    const one = probe('one');
    await plugins.activate(one);
    await expect(one.handle.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { details: { reason: 'never' } }),
    );
    expect(one.handle.status).toEqual({ name: 'needsSignIn', reason: 'never' });
  });

  test('integration_unknown: nobody has defined it', async () => {
    const { plugins } = createDesk();
    const one = probe('one', { integrations: ['nobody-knows'] });
    await plugins.activate(one);
    expect(() => one.context.integration('nobody-knows')).toThrow(
      failing('integration_unknown', { details: { integration: 'nobody-knows' } }),
    );
  });

  test.each([
    ['another plug-in may use it, not this one', probe('three')],
    ['its manifest does not list it', probe('one', { integrations: [] })],
  ])('integration_not_assigned: %s', async (_, plugin) => {
    const { plugins } = createDesk();
    await plugins.activate(plugin);
    expect(() => plugin.context.integration(NAME)).toThrow(
      failing('integration_not_assigned', {
        details: { integration: NAME, plugin: plugin.name },
      }),
    );
  });

  test('a plug-in that lists nothing may use all that is assigned to it', async () => {
    const { plugins } = createDesk();
    let name = '';
    await plugins.activate({
      name: 'one',
      version: '1.0.0',
      activate: (context) => void (name = context.integration(NAME).name),
    });
    expect(name).toBe(NAME);
  });
});

describe('two plug-ins that use one integration', () => {
  test('share one sign-in, one session and one refresh', async () => {
    const { plugins, host, server } = createDesk();
    const [one, two] = [probe('one'), probe('two')];
    await plugins.activate(one);
    await plugins.activate(two);
    const arrived = host.visit();
    const both = [one.handle.signIn(), two.handle.signIn()];
    await (await arrived).redirect({ code: 'the-code' });
    await Promise.all(both);
    expect(host.visits).toHaveLength(1);
    const tokens = await Promise.all([one.handle.getAccessToken(), two.handle.getAccessToken()]);
    expect(tokens[0]).toBe(tokens[1]);

    await host.clock.advance(3_600_000);
    const renewed = await Promise.all([one.handle.getAccessToken(), two.handle.getAccessToken()]);
    expect(renewed[0]).toBe(renewed[1]);
    expect(renewed[0]).not.toBe(tokens[0]);
    expect(server.tokenRequests().map((form) => form.get('grant_type'))).toEqual([
      'authorization_code',
      'refresh_token',
    ]);
    await plugins.close();
  });

  test('a sign-in goes on for who stays, and ends with the last who leaves', async () => {
    const { plugins, host } = createDesk();
    const [one, two] = [probe('one'), probe('two')];
    const first = await plugins.activate(one);
    const second = await plugins.activate(two);
    const [mine, yours] = [one.handle.signIn(), two.handle.signIn()];
    const ends = [expect(mine).rejects.toEqual(failing('aborted'))];
    await settle();
    await first.deactivate();
    expect(two.handle.status).toMatchObject({ name: 'signingIn' });
    expect(host.visits[0]?.isOpen).toBe(true);
    ends.push(expect(yours).rejects.toEqual(failing('aborted')));
    await second.deactivate();
    await Promise.all(ends);
    await settle();
    expect(host.visits[0]?.isOpen).toBe(false);
  });

  test('one leaves by its own signal; the other signs in', async () => {
    const { plugins, host } = createDesk();
    const [one, two] = [probe('one'), probe('two')];
    await plugins.activate(one);
    await plugins.activate(two);
    const controller = new AbortController();
    const arrived = host.visit();
    const mine = one.handle.signIn({ signal: controller.signal });
    const yours = two.handle.signIn();
    const left = expect(mine).rejects.toEqual(failing('sign_in_cancelled'));
    controller.abort();
    await left;
    await (await arrived).redirect({ code: 'the-code' });
    await yours;
    expect(one.handle.status).toMatchObject({ name: 'ready' });
  });

  test('signing out is for both', async () => {
    const { plugins, host } = createDesk();
    const [one, two] = [probe('one'), probe('two')];
    await plugins.activate(one);
    await plugins.activate(two);
    await signIn(host, one.handle);
    await two.handle.signOut();
    await expect(one.handle.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('an assignment with fewer scopes gives a token of its own, and never the other one', async () => {
    const integrations = [
      { name: NAME, provider: fakeProvider(), plugins: ['one', { name: 'two', scopes: ['read'] }] },
    ];
    const { plugins, host, server } = createDesk({ integrations });
    const [one, two] = [probe('one'), probe('two')];
    await plugins.activate(one);
    await plugins.activate(two);
    await signIn(host, one.handle);
    const [whole, narrow] = [await one.handle.getAccessToken(), await two.handle.getAccessToken()];
    expect(narrow).not.toBe(whole);
    expect(server.tokenRequests().at(-1)?.get('scope')).toBe('read');
    expect(await one.handle.getAccessToken()).toBe(whole);
    await two.handle.api.request({ path: 'projects' });
    expect(server.requests.at(-1)?.request.headers['authorization']).toBe(`Bearer ${narrow}`);
    await plugins.close();
  });

  test('scopes the integration does not have are refused when the host is made, with their place', () => {
    const assigned = { name: 'one', scopes: ['everything'] };
    const integrations = [{ name: NAME, provider: fakeProvider(), plugins: ['two', assigned] }];
    expect(() => createDesk({ integrations })).toThrow(/integrations\[0\]\.plugins\[1\]/);
  });
});

describe('what a plug-in is given', () => {
  test('holds no refresh token and no secret, however it is printed', async () => {
    const provider = fakeProvider({ clientSecret: `${SECRET}-of-the-client` });
    const { plugins, host } = createDesk({
      integrations: [{ name: NAME, provider, plugins: ['one'] }],
    });
    const one = probe('one');
    const seen: unknown[] = [];
    await plugins.activate(one);
    one.handle.onChange((change) => seen.push(change, one.handle.state));
    one.handle.onStatus((status) => seen.push(status));
    await signIn(host, one.handle);
    const printed = inspect([one.context, one.handle, seen, plugins], {
      depth: 30,
      showHidden: true,
      getters: true,
    });
    expect(printed).toContain('signedIn');
    expect(printed).not.toContain(SECRET);
    expect(Object.keys(one.handle).sort()).toEqual(
      // prettier-ignore
      ['api', 'getAccessToken', 'name', 'onChange', 'onStatus', 'signIn', 'signOut', 'state', 'status'],
    );
    await plugins.close();
  });

  test('a client secret in a public host is refused at once', () => {
    const { host } = createDesk();
    const provider = fakeProvider({ clientSecret: 'x' });
    expect(() =>
      createPluginHost({
        host: { ...host, client: 'public' },
        integrations: [{ name: NAME, provider, plugins: ['one'] }],
      }),
    ).toThrow(failing('configuration_error'));
  });

  test('two users of one process never share a session', async () => {
    const { host, server } = createDesk();
    const make = (account: string) =>
      createPluginHost({
        host,
        account,
        integrations: [{ name: NAME, provider: fakeProvider(), plugins: ['one'] }],
      });
    const [anna, ben] = [make('anna'), make('ben')];
    const [hers, his] = [probe('one'), probe('one')];
    await anna.activate(hers);
    await ben.activate(his);
    await signIn(host, hers.handle);
    await expect(his.handle.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    expect(server.tokenRequests()).toHaveLength(1);
  });
});

describe('the life of a plug-in', () => {
  const bad: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['no name', probe('')],
    ['a name with blanks around', probe(' one ')],
    ['a name that is too long', probe('x'.repeat(101))],
    ['no version', { name: 'one', activate() {} }],
    ['a version that is a number', { name: 'one', version: 1, activate() {} }],
    ['no activate', { name: 'one', version: '1.0.0', integrations: [] }],
    [
      'integrations that are no list',
      { name: 'one', version: '1', integrations: NAME, activate() {} },
    ],
    [
      'integrations that are no names',
      { name: 'one', version: '1', integrations: [1], activate() {} },
    ],
  ];
  test.each(bad)('a bad manifest is refused: %s', async (_, plugin) => {
    const { plugins } = createDesk();
    await expect(plugins.activate(plugin as Plugin)).rejects.toEqual(
      failing('configuration_error'),
    );
  });

  test('a name used twice is refused, and the first one goes on', async () => {
    const { plugins } = createDesk();
    const one = probe('one');
    const active = await plugins.activate(one);
    await expect(plugins.activate(probe('one'))).rejects.toEqual(failing('configuration_error'));
    expect(active.isActive).toBe(true);
    expect(one.context.signal.aborted).toBe(false);
    await active.deactivate();
    await plugins.activate(probe('one'));
  });

  test('deactivating aborts its signal and releases everything it took', async () => {
    const { plugins, host, server } = createDesk();
    const [one, two] = [probe('one'), probe('two')];
    const active = await plugins.activate(one);
    await plugins.activate(two);
    await signIn(host, two.handle);
    const { handle, context } = one;
    const heard: string[] = [];
    handle.onChange(({ to }) => heard.push(to));
    handle.onStatus(({ name }) => heard.push(name));
    const slow = deferred<never>();
    server.next(() => slow.promise);
    await host.clock.advance(3_600_000);
    const waiting = handle.getAccessToken();
    const ended = expect(waiting).rejects.toEqual(failing('aborted'));
    heard.length = 0;
    await active.deactivate();
    await ended;
    expect(context.signal.aborted).toBe(true);
    expect(active.isActive).toBe(false);
    for (const call of [
      () => handle.getAccessToken(),
      () => handle.signIn(),
      () => handle.signOut(),
      () => handle.api.request({ path: 'x' }),
    ]) {
      await expect(call()).rejects.toEqual(failing('aborted'));
    }
    expect(() => context.integration(NAME)).toThrow(failing('aborted'));
    slow.reject(new Error('reset'));
    await settle();
    expect(heard).toEqual([]);
    expect(two.handle.status).toMatchObject({ name: 'ready' });
    await plugins.close();
    expect(host.clock.pending).toBe(0);
  });

  test('one that throws while it activates is gone, and disturbs no other', async () => {
    const { plugins } = createDesk();
    const two = probe('two');
    await plugins.activate(two);
    const mistake = new Error('its own mistake');
    const one = probe('one', { activate: () => Promise.reject(mistake) });
    await expect(plugins.activate(one)).rejects.toBe(mistake);
    expect(one.context.signal.aborted).toBe(true);
    expect(two.context.signal.aborted).toBe(false);
    await plugins.activate(probe('one'));
  });

  test('one that hangs while it activates is given up after the time limit', async () => {
    const { plugins, host } = createDesk({ activateTimeoutMs: 1_000 });
    const one = probe('one', { activate: () => new Promise(() => {}) });
    const result = expect(plugins.activate(one)).rejects.toEqual(failing('timeout'));
    await host.clock.advance(1_000);
    await result;
    expect(one.context.signal.aborted).toBe(true);
    await plugins.activate(probe('one'));
    expect(host.clock.pending).toBe(0);
  });

  test('one that hangs in its goodbye does not hold up the host', async () => {
    const { plugins, host } = createDesk();
    const one = probe('one', { deactivate: () => new Promise(() => {}) });
    const active = await plugins.activate(one);
    const gone = active.deactivate();
    expect(one.context.signal.aborted).toBe(true);
    await host.clock.advance(5_000);
    await gone;
    expect(host.clock.pending).toBe(0);
  });

  test('one that throws in a listener or in its goodbye disturbs no other', async () => {
    const { plugins, host } = createDesk();
    const throwing = () => {
      throw new Error('its own mistake');
    };
    const one = probe('one', { deactivate: throwing });
    const two = probe('two');
    const active = await plugins.activate(one);
    await plugins.activate(two);
    const heard: string[] = [];
    one.handle.onChange(throwing);
    one.handle.onStatus(throwing);
    two.handle.onStatus(({ name }) => heard.push(name));
    await signIn(host, two.handle);
    expect([...new Set(heard)]).toEqual(['signingIn', 'ready']);
    await active.deactivate();
    await plugins.close();
  });

  test('closing the host ends a plug-in that still activates', async () => {
    const { plugins, host } = createDesk();
    const one = probe('one', { activate: () => new Promise(() => {}) });
    const result = expect(plugins.activate(one)).rejects.toEqual(failing('aborted'));
    await settle();
    await plugins.close();
    await result;
    await expect(plugins.activate(probe('two'))).rejects.toEqual(failing('aborted'));
    expect(host.clock.pending).toBe(0);
  });
});

describe('replacing a plug-in while it runs', () => {
  const next = (more: Partial<Plugin> = {}) => probe('one', { version: '2.0.0', ...more });

  async function replace(plugin: Plugin) {
    const desk = createDesk();
    const one = probe('one');
    const active = await desk.plugins.activate(one);
    await signIn(desk.host, one.handle);
    const { context } = one;
    const done = active.replace(plugin);
    return { ...desk, active, former: context, one, done };
  }

  test('the new one runs with the same session, the old one is released', async () => {
    const plugin = next();
    const { active, former, done } = await replace(plugin);
    await done;
    expect(active.version).toBe('2.0.0');
    expect(former.signal.aborted).toBe(true);
    expect(plugin.context.signal.aborted).toBe(false);
    await plugin.handle.getAccessToken();
  });

  test('one that cannot be activated gives way to the old one', async () => {
    const mistake = new Error('its own mistake');
    const plugin = next({ activate: () => Promise.reject(mistake) });
    const { active, one, former, done } = await replace(plugin);
    await expect(done).rejects.toBe(mistake);
    expect(active).toMatchObject({ version: '1.0.0', isActive: true });
    expect(one.context).not.toBe(former);
    await one.handle.getAccessToken();
  });

  test.each<[string, Plugin]>([
    ['another name', probe('two')],
    ['a bad manifest', next({ version: '' })],
  ])('is refused for %s, and nothing happens', async (_, plugin) => {
    const { active, former, done } = await replace(plugin);
    await expect(done).rejects.toEqual(failing('configuration_error'));
    expect(former.signal.aborted).toBe(false);
    expect(active.version).toBe('1.0.0');
  });

  test('a plug-in that was deactivated is not replaced', async () => {
    const { plugins } = createDesk();
    const active: ActivePlugin = await plugins.activate(probe('one'));
    await active.deactivate();
    await active.deactivate();
    await expect(active.replace(next())).rejects.toEqual(failing('aborted'));
  });

  test('what is asked for at once happens in turn', async () => {
    const { plugins } = createDesk();
    const active = await plugins.activate(probe('one'));
    const versions = ['2.0.0', '3.0.0'].map((version) => active.replace(next({ version })));
    await Promise.all(versions);
    expect(active.version).toBe('3.0.0');
  });
});

describe('a server that owns the callback route', () => {
  const redirectUri = 'https://plug-ins.example/api/integrations/oauth2/callback/';
  const provider = () => ({ ...fakeProvider({ clientSecret: 'x' }), redirect: [redirectUri] });

  test('begins and finishes a sign-in, for one user and in another process', async () => {
    const { host } = createDesk();
    const make = (account: string) =>
      createPluginHost({
        host,
        account,
        integrations: [{ name: NAME, provider: provider(), plugins: ['one'] }],
      });
    const { authorizationUrl } = await make('anna').login(NAME).beginSignIn({ redirectUri });
    const state = new URL(authorizationUrl).searchParams.get('state');
    const answer = `${redirectUri}?code=the-code&state=${state}`;
    await expect(make('ben').login(NAME).completeSignIn(answer)).rejects.toEqual(
      failing('malformed_response'),
    );
    const anna = make('anna');
    const one = probe('one');
    await anna.activate(one);
    await anna.login(NAME).completeSignIn(answer);
    expect(one.handle.status).toMatchObject({ name: 'ready' });
    await one.handle.getAccessToken();
  });
});
