import { connectSession, serveSession } from '../../../adapters/webview/index.js';
import type { BridgeOptions } from '../../../adapters/webview/index.js';
import type { ServeSessionOptions } from '../../../adapters/webview/host/serve-session.js';
import { createSession } from '../../../src/session/create-session.js';
import type { StateChange } from '../../../src/session/machine.js';
import { TRANSITIONS } from '../../../src/session/transitions.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost, toResponse } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider, ORIGIN, SECRET } from '../../support/fake-server.js';
import { createPair, parsed, rpc } from './panel-pair.js';

/** A session of the host's, and pages that come and go. */
function createWorld(options: Omit<ServeSessionOptions, 'nonce'> = {}) {
  const server = createFakeServer();
  const api: { url: string; authorization: string | undefined; body: unknown }[] = [];
  const answers: (() => ReturnType<typeof toResponse>)[] = [];
  const host = createFakeHost({
    http: async (request) => {
      const { url, headers, body } = request;
      if (url.startsWith(ORIGIN)) return server.http(request);
      api.push({ url, authorization: headers['authorization'], body });
      return answers.shift()?.() ?? toResponse({ json: { path: new URL(url).pathname } });
    },
  });
  const session = createSession({ host, provider: fakeProvider() });
  const load = (bridgeOptions: BridgeOptions = {}) => {
    const pair = createPair();
    const served = serveSession(session, pair.host, { ...options, nonce: pair.nonce });
    const clock = createFakeClock();
    const bridge = pair.bridge({ clock, ...bridgeOptions });
    const panel = connectSession(bridge);
    const changes: StateChange[] = [];
    panel.onChange((change) => changes.push(change));
    return { ...pair, served, bridge, panel, changes, clock };
  };
  const signIn = async () => {
    const visit = host.visit();
    const done = session.signIn();
    await (await visit).redirect({ code: 'c' });
    await done;
  };
  return { server, api, answers, host, session, load, signIn };
}

test('case 91: a panel signs in, hears every state, gets tokens and answers, signs out; no refresh token passes', async () => {
  const world = createWorld();
  const { panel, changes, toPanel, toHost } = world.load();
  await settle();
  expect(panel.state).toEqual({ name: 'signedOut', reason: 'never' });
  const visit = world.host.visit();
  const done = panel.signIn();
  await (await visit).redirect({ code: 'c' });
  await done;
  expect(panel.state).toEqual(world.session.state);
  expect(panel.state.name).toBe('signedIn');
  expect(changes.map(({ event }) => event)).toEqual([
    'restoreRequested',
    'sessionAbsent',
    'signInRequested',
    'addressReady',
    'redirectReceived',
    'tokensIssued',
  ]);
  for (const { from, to, event } of changes) expect(TRANSITIONS[from][event]).toBe(to);

  const token = await panel.getAccessToken();
  expect(token).toBe(await world.session.getAccessToken());
  const response = await panel.api.request({ path: 'hubs', query: { limit: 3, none: undefined } });
  expect(await response.json()).toEqual({ path: '/v1/hubs' });
  expect(world.api).toMatchObject([
    { url: 'https://api.example/v1/hubs?limit=3', authorization: `Bearer ${token}` },
  ]);
  await panel.signOut();
  expect(panel.state).toMatchObject({ name: 'signedOut', reason: 'signedOut' });
  expect(world.session.state.name).toBe('signedOut');
  for (const text of [...toPanel, ...toHost]) {
    expect(text).not.toContain(`${SECRET}-refresh`);
    expect(text).not.toMatch(/code_verifier|client_secret/);
  }
  expect([...toPanel, ...toHost].filter((text) => text.includes(token))).toHaveLength(1);
});

test('case 91: whatever a page adds to a request, it is the host’s account and the host’s scopes', async () => {
  const world = createWorld();
  await world.signIn();
  const { host: _, nonce, inject, toPanel } = world.load();
  const params = {
    account: 'other',
    scopes: ['admin'],
    scope: 'admin',
    provider: 'x',
    refreshToken: true,
  };
  for (const method of [
    'getAccessToken',
    'getRefreshToken',
    'restore',
    'share',
    'beginSignIn',
    'close',
    'moveFrom',
    'constructor',
    'toString',
    '__proto__',
  ]) {
    inject('host', rpc(nonce, { id: method.padEnd(32, 'x'), method: `session.${method}`, params }));
    inject('host', rpc(nonce, { id: method.padEnd(32, 'y'), method, params }));
  }
  await settle();
  const answers = parsed(toPanel).filter((each) => /[xy]$/.test(String(each['id'])));
  const results = answers.filter((each) => each['result']);
  expect(results).toMatchObject([
    { result: { accessToken: await world.session.getAccessToken() } },
  ]);
  expect(answers).toHaveLength(20);
  for (const each of answers)
    if (!each['result']) expect(each).toMatchObject({ error: { code: -32601 } });
  expect(world.server.tokenRequests()).toHaveLength(1);
});

test('case 91: tokens may stay with the host altogether', async () => {
  const world = createWorld({ accessTokens: 'withheld' });
  await world.signIn();
  const { panel, toPanel } = world.load();
  await expect(panel.getAccessToken()).rejects.toMatchObject({ code: 'bridge_unavailable' });
  expect((await panel.api.request({ path: 'hubs' })).status).toBe(200);
  expect(toPanel.join()).not.toContain(SECRET);
});

test('fewer scopes, fixed by the host; those it does not have are its author’s mistake', async () => {
  const world = createWorld({ scopes: ['read'] });
  await world.signIn();
  const { panel } = world.load();
  const token = await panel.getAccessToken();
  expect(token).not.toBe(await world.session.getAccessToken());
  expect(world.server.tokenRequests().at(-1)?.get('scope')).toBe('read');
  expect(() => createWorld({ scopes: ['admin'] }).load()).toThrow('scopes must be among');
});

test('case 90: a page that is loaded anew in the middle of a sign-in finds it, and ends it', async () => {
  const world = createWorld();
  const first = world.load();
  const visit = world.host.visit();
  const forgotten = first.panel.signIn().catch((error: unknown) => error);
  const trip = await visit;
  await settle();
  first.served.close();
  expect(await forgotten).toMatchObject({ code: 'bridge_unavailable' });
  expect(trip.isOpen).toBe(true);

  const second = world.load();
  await settle();
  expect(second.panel.state).toMatchObject({ name: 'authorizing', authorizationUrl: trip.url });
  expect(second.changes).toMatchObject([{ from: 'idle', to: 'authorizing' }]);
  const joined = second.panel.signIn();
  await settle();
  await trip.redirect({ code: 'c' });
  await joined;
  await settle();
  expect(second.panel.state.name).toBe('signedIn');
  expect(first.panel.state.name).toBe('idle');
  expect(world.host.visits).toHaveLength(1);
});

test('case 86: what was said on the page before is worth nothing on the next', async () => {
  const world = createWorld();
  await world.signIn();
  const first = world.load();
  await first.panel.getAccessToken();
  const replay = [...first.toHost];
  first.served.close();
  const second = world.load();
  await settle();
  const answered = second.toPanel.length;
  for (const text of replay) second.inject('host', text);
  await settle();
  expect(second.toPanel).toHaveLength(answered);
  expect(second.served.dropped).toBe(replay.length);
});

test('case 88: a request said twice is answered once', async () => {
  const world = createWorld();
  await world.signIn();
  const { panel, toHost, toPanel, inject, served } = world.load();
  await panel.getAccessToken();
  await settle();
  const answered = toPanel.length;
  for (const text of toHost) inject('host', text);
  await settle();
  expect(toPanel).toHaveLength(answered);
  expect(served.dropped).toBe(toHost.length);
});

test('a signal ends the sign-in; of who joined, only the waiting; and the host stops', async () => {
  const world = createWorld();
  const { panel, toHost } = world.load();
  const one = new AbortController();
  const two = new AbortController();
  const visit = world.host.visit();
  const first = panel.signIn({ signal: one.signal });
  const second = panel.signIn({ signal: two.signal });
  await visit;
  expect(parsed(toHost).filter(({ method }) => method === 'session.signIn')).toHaveLength(1);
  two.abort();
  await expect(second).rejects.toMatchObject({ code: 'sign_in_cancelled' });
  expect(world.session.state.name).toBe('authorizing');
  one.abort();
  await expect(first).rejects.toMatchObject({ code: 'sign_in_cancelled' });
  await settle();
  expect(world.session.state.name).toBe('signedOut');
  expect(world.host.visits[0]?.isOpen).toBe(false);
  expect(panel.state).toMatchObject({ name: 'signedOut', reason: 'never' });
});

test.each([0, -1, NaN, '5' as unknown as number])(
  'timeoutMs %p is an author’s mistake',
  async (timeoutMs) => {
    const { panel } = createWorld().load();
    await expect(panel.signIn({ timeoutMs })).rejects.toMatchObject({
      code: 'configuration_error',
    });
  },
);

test('the host’s time limit ends it, and the failure is of its own kind here', async () => {
  const world = createWorld();
  const { panel, changes } = world.load();
  const signIn = panel.signIn({ timeoutMs: 5_000 });
  signIn.catch(() => {});
  await settle();
  await world.host.clock.advance(5_000);
  await expect(signIn).rejects.toMatchObject({
    code: 'sign_in_timeout',
    details: { timeoutMs: 5_000 },
  });
  expect(changes.at(-1)).toMatchObject({
    event: 'signInFailed',
    error: { code: 'sign_in_timeout' },
  });
});

test('case 96: what the user pastes ends the sign-in that waits; without one it is refused', async () => {
  const world = createWorld();
  const { panel } = world.load();
  await expect(panel.completeSignIn('https://x.example/?code=c')).rejects.toMatchObject({
    code: 'malformed_response',
  });
  const visit = world.host.visit();
  const done = panel.signIn();
  const { url, redirectUri } = await visit;
  const state = new URL(url).searchParams.get('state');
  await panel.completeSignIn(` "${redirectUri}?code=c&state=${state}"\n`);
  await done;
  expect(world.session.state.name).toBe('signedIn');
});

test('nobody is signed in: sign_in_required, with the reason, and no window', async () => {
  const world = createWorld();
  const { panel } = world.load();
  await expect(panel.getAccessToken()).rejects.toMatchObject({
    code: 'sign_in_required',
    details: { reason: 'never' },
  });
  await expect(panel.api.request({ path: 'x' })).rejects.toMatchObject({
    code: 'sign_in_required',
  });
  expect(world.host.visits).toEqual([]);
});

test('requests: JSON, bytes in pieces, long answers, failures with their status; never out of the API', async () => {
  const world = createWorld();
  await world.signIn();
  const { panel } = world.load();
  const long = 'x'.repeat(600_000);
  world.answers.push(
    () => toResponse({ text: long }),
    () => toResponse({ status: 403 }),
  );
  const response = await panel.api.request({
    method: 'POST',
    path: 'a',
    json: { a: 'ż' },
    idempotent: false,
  });
  expect((await response.text()) === long).toBe(true);
  await expect(response.bytes()).rejects.toMatchObject({ code: 'configuration_error' });
  expect(Buffer.from(world.api[0]?.body as Uint8Array).toString()).toBe('{"a":"ż"}');
  await expect(panel.api.request({ path: 'b' })).rejects.toMatchObject({
    code: 'forbidden',
    details: { status: 403 },
  });
  const bytes = new Uint8Array(600_000).fill(7);
  await panel.api.request({ method: 'PUT', path: 'c', body: bytes });
  expect(Buffer.compare(world.api[2]?.body as Uint8Array, bytes)).toBe(0);
  for (const path of ['https://evil.example/x', '//evil.example/x', '../../x']) {
    await expect(panel.api.request({ path })).rejects.toMatchObject({ name: 'MortiseError' });
  }
  expect(world.api).toHaveLength(3);
});

test('case 90: the host has gone: everything ends with bridge_unavailable', async () => {
  const world = createWorld();
  await world.signIn();
  const { panel, cut, clock } = world.load();
  await settle();
  cut();
  const all = [
    panel.getAccessToken(),
    panel.signOut(),
    panel.signIn(),
    panel.api.request({ path: 'x' }),
  ];
  for (const each of all) each.catch(() => {});
  await clock.advance(300_000 + 60_000);
  for (const each of all) await expect(each).rejects.toMatchObject({ code: 'bridge_unavailable' });
  expect(clock.pending).toBe(0);
});

test('case 88: states out of order, repeated, unknown or stuffed change nothing; a gap is asked about', async () => {
  const world = createWorld();
  await world.signIn();
  const { panel, nonce, inject, changes, toHost } = world.load();
  await settle();
  const before = panel.state;
  const heard = changes.length;
  const changed = (params: object) =>
    inject('panel', rpc(nonce, { method: 'session.changed', params }));
  const state = { name: 'signedOut', reason: 'rejected' };
  changed({ seq: 0, from: 'signedIn', to: 'signedOut', event: 'grantRejected', state });
  changed({ seq: -5, state });
  changed({ state });
  changed({ seq: 1, state: { name: 'constructor' } });
  changed({ seq: 1, state: null });
  changed({ seq: 'NaN', state });
  expect(panel.state).toBe(before);
  expect(changes).toHaveLength(heard);
  changed({
    seq: 9,
    from: '__proto__',
    to: 'x',
    event: '<script>',
    state: { ...state, accessToken: 'stolen' },
  });
  expect(panel.state).toEqual(state);
  expect(changes.at(-1)).toEqual({ from: 'signedIn', to: 'signedOut', event: 'sessionAbsent' });
  await settle();
  expect(parsed(toHost).filter(({ method }) => method === 'session.state')).toHaveLength(2);
});

test('an address that would run when it is clicked is not shown', async () => {
  const { panel, nonce, inject } = createWorld().load();
  await settle();
  const state = {
    name: 'authorizing',
    startedAtMs: 1,
    expiresAtMs: 2,
    authorizationUrl: 'javascript:alert(1)',
  };
  inject('panel', rpc(nonce, { method: 'session.changed', params: { seq: 99, state } }));
  expect(panel.state).toMatchObject({
    name: 'authorizing',
    authorizationUrl: null,
    window: 'open',
  });
});

test('a listener that throws disturbs nobody, and after close nothing is heard', async () => {
  const world = createWorld();
  const { panel, changes, bridge } = world.load();
  panel.onChange(() => {
    throw new Error('mine');
  });
  panel.onChange((async () => {
    throw new Error('mine');
  }) as () => void);
  await settle();
  const heard = changes.length;
  expect(heard).toBe(2);
  panel.close();
  await world.signIn();
  await settle();
  expect(changes).toHaveLength(heard);
  bridge.close();
});

test('a page gets 64 requests under way, and the rest is refused, not queued for ever', async () => {
  const world = createWorld();
  const { nonce, inject, toPanel } = world.load();
  await settle();
  const before = toPanel.length;
  for (let i = 0; i < 70; i += 1) {
    inject(
      'host',
      rpc(nonce, { id: `id-${i}`.padEnd(32, '.'), method: 'session.signIn', params: {} }),
    );
  }
  await settle();
  const refused = parsed(toPanel.slice(before)).filter((each) => each['id']);
  expect(refused).toHaveLength(6);
  expect(refused[0]).toMatchObject({ error: { data: { code: 'rate_limited' } } });
  await world.session.signOut();
});

describe('the end', () => {
  test('after the host’s bye nobody is shown as signed in: the state is idle, and why is told', async () => {
    const world = createWorld();
    await world.signIn();
    const { panel, served, changes, inject, nonce, clock } = world.load();
    await settle();
    expect(panel.state.name).toBe('signedIn');
    served.close();
    await settle();
    expect(panel.state).toEqual({ name: 'idle' });
    expect(changes.at(-1)).toMatchObject({
      from: 'signedIn',
      to: 'idle',
      error: { code: 'bridge_unavailable' },
    });
    // Whatever still says that it is the host.
    const state = { name: 'signedOut', reason: 'never' };
    inject('panel', rpc(nonce, { method: 'session.changed', params: { seq: 99, state } }));
    inject('panel', rpc(nonce, { method: 'bye', params: {} }));
    expect([panel.state.name, changes.length]).toEqual(['idle', 2]);
    const calls = [
      panel.restore(),
      panel.signIn(),
      panel.signOut(),
      panel.getAccessToken(),
      panel.completeSignIn('x'),
      panel.api.request({ path: 'x' }),
    ];
    for (const call of calls) call.catch(() => {});
    for (const call of calls)
      await expect(call).rejects.toMatchObject({ code: 'bridge_unavailable' });
    expect(clock.pending).toBe(0);
  });

  test('a bridge that is closed by its owner ends like that, too; one nobody asked yet tells nothing', async () => {
    const world = createWorld();
    await world.signIn();
    const { panel, bridge, changes } = world.load();
    await settle();
    bridge.close();
    bridge.close();
    expect(panel.state.name).toBe('idle');
    expect(changes.map(({ to }) => to)).toEqual(['signedIn', 'idle']);
    const early = world.load();
    early.bridge.close();
    expect(early.changes).toEqual([]);
  });

  test('after close() everything is aborted, what waits as well, and the host’s sign-in goes on', async () => {
    const world = createWorld();
    const { panel, bridge, toHost } = world.load();
    const visit = world.host.visit();
    const signingIn = panel.signIn();
    const trip = await visit;
    await settle();
    const { state } = panel;
    const asked = parsed(toHost).length;
    panel.close();
    const calls = [
      signingIn,
      panel.restore(),
      panel.signIn(),
      panel.signOut(),
      panel.getAccessToken(),
      panel.completeSignIn('x'),
      panel.api.request({ path: 'x' }),
    ];
    for (const call of calls) call.catch(() => {});
    for (const call of calls) await expect(call).rejects.toMatchObject({ code: 'aborted' });
    expect(toHost).toHaveLength(asked);
    expect([panel.state, trip.isOpen]).toEqual([state, true]);
    await trip.redirect({ code: 'c' });
    await settle();
    expect(world.session.state.name).toBe('signedIn');
    bridge.close();
  });
});
