import {
  createWebviewHost,
  serveHost,
  type WebviewHostOptions,
} from '../../../adapters/webview/index.js';
import { servePanel, type Service } from '../../../adapters/webview/host/serve-panel.js';
import { invalidParams } from '../../../adapters/webview/host/serve-requests.js';
import { textOf } from '../../../adapters/webview/protocol/fields.js';
import { MortiseError } from '../../../src/errors.js';
import type { RedirectRule, RedirectUserAgent } from '../../../src/ports/index.js';
import { createFakeHost } from '../../support/fake-host.js';
import { settle } from '../../support/fake-clock.js';
import { describeUserAgent } from '../../support/user-agent-contract.js';
import { createPair, parsed } from './panel-pair.js';

const LOOPBACK: RedirectRule = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };

/** A host by the document, that shows nothing and catches what the test lands. */
function createWorld(options: Partial<WebviewHostOptions> = {}) {
  const pair = createPair();
  const shown: string[] = [];
  const reserved = new Map<string, string>();
  const outcomes: string[] = [];
  let isBroken = false;
  let count = 0;
  let notify: (method: string, params: Record<string, unknown>) => void = () => {};
  const service = (offer: string): Service => ({
    offer,
    close() {},
    methods: {
      'visit.open': async (params) => {
        const rule = params['redirect'] as RedirectRule;
        const free = (uri: string) => ![...reserved.values()].includes(uri);
        const redirectUri =
          'loopback' in rule ? `http://${rule.loopback}:4711${rule.path}` : (rule[0] ?? '');
        if (!free(redirectUri)) throw new MortiseError('redirect_port_in_use', { ports: [4711] });
        const visit = `visit-${(count += 1)}`;
        reserved.set(visit, redirectUri);
        return { visit, redirectUri };
      },
      'visit.navigate': async (params) => {
        if (!reserved.has(textOf(params, 'visit') ?? '')) throw invalidParams('visit');
        if (isBroken) throw new MortiseError('browser_not_opened', {});
        shown.push(textOf(params, 'url', 16_384) ?? '');
        return {};
      },
      'visit.close': async (params) => {
        reserved.delete(textOf(params, 'visit') ?? '');
        return {};
      },
    },
    notifications: { 'visit.outcome': ({ kind }) => void outcomes.push(String(kind)) },
  });
  const served = servePanel(pair.host, { nonce: pair.nonce }, (page) => {
    notify = page.notify;
    return [service(options.capture === 'view' ? 'view' : 'browser')];
  });
  const host = createWebviewHost({ channel: pair.bridge(), ...options });
  let redirects = 0;
  return {
    ...pair,
    served,
    host,
    shown,
    reserved,
    outcomes,
    userAgent: host.userAgents[0] as RedirectUserAgent,
    breakNavigation: () => void (isBroken = true),
    notify: (method: string, params: Record<string, unknown>) => notify(method, params),
    async land(url: string) {
      const [visit] = [...reserved.keys()].slice(-1);
      notify('visit.redirect', { visit, redirect: (redirects += 1), url });
      await settle();
    },
  };
}

describe.each(['host', 'view'] as const)('capture %s', (capture) => {
  describeUserAgent(`capture ${capture}`, async () => {
    const world = createWorld({ capture });
    return {
      userAgent: world.userAgent,
      redirect: LOOPBACK,
      shown: () => world.shown,
      breakNavigation: world.breakNavigation,
      land: world.land,
      isFree: async (uri) => (await settle(), ![...world.reserved.values()].includes(uri)),
      tearDown: async () => world.served.close(),
    };
  });
});

function open(world: ReturnType<typeof createWorld>, redirect: RedirectRule = LOOPBACK) {
  const arrived: string[] = [];
  const fates: string[] = [];
  const over = new AbortController();
  const opening = world.userAgent.open({
    redirect,
    signal: over.signal,
    onRedirect: async (url) => (arrived.push(url), { kind: 'ignored' }),
    onWindow: (fate) => void fates.push(fate),
  });
  return { opening, arrived, fates, over };
}

test('case 80: the system’s browser is the default, and another view has to be asked for', async () => {
  const world = createWorld();
  await open(world).opening;
  const [, request] = parsed(world.toHost);
  expect(request).toMatchObject({
    method: 'visit.open',
    params: { capture: 'host', redirect: LOOPBACK },
  });
});

test.each([
  ['any port', LOOPBACK, 'http://127.0.0.1:4/callback'],
  ['certain ports', { ...LOOPBACK, ports: [8080, 8081] }, 'http://127.0.0.1:8080/callback'],
  ['exact URIs', ['com.acme.cad://cb', 'https://x.example'], 'com.acme.cad://cb'],
] as const)(
  'case 81: a view is stopped at one address, at which nobody listens: %s',
  async (_, rule, uri) => {
    const world = createWorld({ capture: 'view' });
    const visit = await open(world, rule).opening;
    expect(visit.redirectUri).toBe(uri);
    expect(parsed(world.toHost)[1]).toMatchObject({ params: { capture: 'view', redirect: [uri] } });
  },
);

test('the address asked for has to be one of the provider’s', async () => {
  const fit = createWorld({ redirectUri: 'http://127.0.0.1:49152/callback' });
  expect((await open(fit).opening).redirectUri).toBe('http://127.0.0.1:49152/callback');
  for (const redirectUri of [
    'http://127.0.0.1:49152/other',
    'http://localhost:49152/callback',
    'http://127.0.0.1/callback',
    'http://127.0.0.1:4@evil.example/callback',
    'https://127.0.0.1:1/callback',
  ]) {
    const world = createWorld({ redirectUri });
    await expect(open(world).opening).rejects.toMatchObject({ code: 'configuration_error' });
    expect(world.reserved.size).toBe(0);
  }
});

test('case 36: a host that reserves another place than it was asked for is not used, and frees it', async () => {
  const world = createWorld();
  const rule: RedirectRule = { loopback: 'localhost', path: '/callback', ports: [5, 6] };
  await expect(open(world, rule).opening).rejects.toMatchObject({ code: 'bridge_unavailable' });
  await settle();
  expect(world.reserved.size).toBe(0);
});

test('cases 36, 83: what is no redirect is not passed on, even when a host tells it', async () => {
  const world = createWorld();
  const { opening, arrived } = open(world);
  const { redirectUri } = await opening;
  await world.land('http://127.0.0.1:4711.evil.example/callback?code=x');
  await world.land(`${redirectUri}x?code=x`);
  await world.land(`${redirectUri}?code=${'x'.repeat(20_000)}`);
  expect(arrived).toEqual([]);
  await world.land(`${redirectUri}?code=right`);
  expect(arrived).toEqual([`${redirectUri}?code=right`]);
});

test('case 88: a redirect told twice, of another visit or without a number is heard once or not at all', async () => {
  const world = createWorld();
  const { opening, arrived } = open(world);
  const { redirectUri: url } = await opening;
  const [visit] = world.reserved.keys();
  for (const params of [
    { visit, redirect: 7, url },
    { visit, redirect: 7, url },
    { visit: 'other', redirect: 8, url },
    { visit, url },
    { visit, redirect: 9, url: 7 },
    {},
  ]) {
    world.notify('visit.redirect', params as Record<string, unknown>);
  }
  await settle();
  expect(arrived).toEqual([url]);
  expect(world.outcomes).toEqual(['ignored']);
});

test('what becomes of the view is told: lost, closed, nothing else, nobody else’s', async () => {
  const world = createWorld({ capture: 'view' });
  const { opening, fates } = open(world);
  await opening;
  const [visit] = world.reserved.keys();
  for (const params of [
    { visit, fate: 'lost' },
    { visit, fate: 'burnt' },
    { visit: 'x', fate: 'closed' },
    { visit, fate: 'closed' },
  ]) {
    world.notify('visit.window', params as Record<string, unknown>);
  }
  await settle();
  expect(fates).toEqual(['lost', 'closed']);
});

test('what the host says of a failure is passed on, so that the next way is tried', async () => {
  const world = createWorld();
  await open(world).opening;
  await expect(open(world).opening).rejects.toMatchObject({
    code: 'redirect_port_in_use',
    details: { ports: [4711] },
  });
});

test('case 96: paste asks nothing of the host, and says that the user has to bring the address', async () => {
  const world = createWorld({ capture: 'paste' });
  const visit = await open(world).opening;
  expect(visit).toMatchObject({ answerBy: 'paste', redirectUri: 'http://127.0.0.1:4/callback' });
  await visit.navigate('https://as.example/');
  await visit.close();
  expect(world.toHost).toEqual([]);
});

test('a capture that does not exist is an author’s mistake', () => {
  expect(() => createWorld({ capture: 'embedded' as 'view' })).toThrow('capture is');
});

describe('a host in JavaScript lends its own user agent', () => {
  test('from the click to the outcome, and to the end of the page', async () => {
    const pair = createPair();
    const lent = createFakeHost({
      http: async () => {
        throw new Error('no');
      },
    });
    const served = serveHost(lent, pair.host, { nonce: pair.nonce, offers: ['browser'] });
    const world = {
      ...createWorld(),
      userAgent: createWebviewHost({ channel: pair.bridge() }).userAgents[0] as RedirectUserAgent,
    };
    const { opening, arrived } = open(world);
    const visit = await opening;
    await visit.navigate('https://as.example/?state=s');
    const [there] = lent.visits;
    expect(there).toMatchObject({ url: 'https://as.example/?state=s', isOpen: true });
    const outcome = there?.redirect({ code: 'c' });
    await expect(outcome).resolves.toEqual({ kind: 'ignored' });
    expect(arrived).toHaveLength(1);
    await expect(visit.navigate('file:///etc/passwd')).rejects.toMatchObject({
      code: 'bridge_unavailable',
    });
    served.close();
    await settle();
    expect(there?.isOpen).toBe(false);
    expect(lent.clock.pending).toBe(0);
  });
});
