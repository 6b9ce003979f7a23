import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession, isMortiseError, memoryStore, type KeyValueStore } from 'mortise';
import { createNodeHost, fetchTransport, fileStore, serveSandbox } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { prevu3d } from 'mortise/providers/prevu3d';
import {
  answerConsent,
  createSandbox,
  sandboxEnvironment,
  type FaultSwitch,
} from 'mortise/sandbox';

const failing = (code: string, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });

const scopes = ['read:basic', 'read:hierarchy'];
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const isListening = (uri: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(uri);
    const socket = connect(Number(port), hostname.replace(/[[\]]/g, ''));
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

type Decision = 'allow' | 'deny' | 'walk away' | 'wrong state first';

interface Options {
  readonly faults?: readonly FaultSwitch[];
  readonly decision?: Decision;
  readonly store?: KeyValueStore;
}

/** A whole sign-in over real sockets, the user played by the test. */
async function open({ faults = [], decision = 'allow', store = memoryStore() }: Options = {}) {
  const served = await serveSandbox(createSandbox({ provider: 'prevu3d', faults }));
  closers.push(served.close);
  const pages: { status: number; url: string; text: string }[] = [];
  const redirectUris: string[] = [];
  const visit = async (url: string) => {
    const response = await fetch(url);
    pages.push({ status: response.status, url: response.url, text: await response.text() });
  };
  const browsing: Promise<unknown>[] = [];
  const host = createNodeHost({
    store,
    openBrowser: async (url) => {
      const redirectUri = new URL(url).searchParams.get('redirect_uri') ?? '';
      redirectUris.push(redirectUri);
      if (decision === 'walk away') return;
      if (decision === 'wrong state first') await visit(`${redirectUri}/?code=evil&state=evil`);
      const redirect = await answerConsent(fetchTransport(), url, {
        decision: decision === 'deny' ? 'deny' : 'allow',
      });
      browsing.push(visit(redirect));
    },
  });
  const environment = sandboxEnvironment('prevu3d', served.url);
  const session = createSession({
    host,
    provider: prevu3d({ clientId: 'test', scopes, environment }),
  });
  closers.push(() => session.close());
  const browsed = () => Promise.all(browsing);
  return { session, pages, browsed, redirectUris, host, environment, served };
}

describe('a sign-in through a browser', () => {
  test('ends with data, a page that says so, and a free port', async () => {
    const { session, pages, browsed, redirectUris } = await open();
    await session.signIn();
    await browsed();
    expect(session.state).toMatchObject({ name: 'signedIn', scopes });
    expect(pages).toEqual([
      {
        status: 200,
        url: expect.not.stringContaining('code='),
        text: expect.stringMatching(/signed in/i),
      },
    ]);
    expect(redirectUris[0]).toMatch(/^http:\/\/localhost:\d+$/);
    await expect(isListening(redirectUris[0] ?? '')).resolves.toBe(false);

    const info = await session.api.getApiInfo();
    expect(info.organization.name).toBe('Test Organization');
    const divisions = await session.api.browse(info.organization.id);
    expect(divisions.length).toBeGreaterThan(0);
    const seen = [];
    for await (const { depth } of session.api.walk(info.organization.id, { maxDepth: 2 }))
      seen.push(depth);
    expect(Math.max(...seen)).toBe(2);
    const raw = await session.api.request({ path: `v1/nodes/${info.organization.id}/browse` });
    expect(raw.status).toBe(200);
    await expect(raw.json()).resolves.toEqual(divisions);
  });

  test('denied, says so to the caller and on the page', async () => {
    const { session, pages, browsed, redirectUris } = await open({ decision: 'deny' });
    await expect(session.signIn()).rejects.toEqual(failing('access_denied'));
    await browsed();
    expect(pages[0]?.text).not.toMatch(/<h1>Signed in/);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    await expect(isListening(redirectUris[0] ?? '')).resolves.toBe(false);
  });

  test('answered with a wrong state first, waits for the right one', async () => {
    const { session, pages, browsed } = await open({ decision: 'wrong state first' });
    await session.signIn();
    await browsed();
    expect(pages.map(({ status }) => status)).toEqual([400, 200]);
  });

  test('ignored until its time limit, ends with sign_in_timeout and a free port', async () => {
    const { session, redirectUris } = await open({ decision: 'walk away' });
    await expect(session.signIn({ timeoutMs: 150 })).rejects.toEqual(failing('sign_in_timeout'));
    await expect(isListening(redirectUris[0] ?? '')).resolves.toBe(false);
  });

  test('cancelled, ends with sign_in_cancelled and a free port', async () => {
    const { session, redirectUris } = await open({ decision: 'walk away' });
    const controller = new AbortController();
    session.onChange(
      ({ event }) => event === 'addressReady' && setImmediate(() => controller.abort()),
    );
    const done = session.signIn({ signal: controller.signal });
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await expect(isListening(redirectUris[0] ?? '')).resolves.toBe(false);
  });

  test('on a port that is taken, takes the next one it may; with none left, says so', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => squatter.once('listening', done));
    closers.push(() => squatter.close());
    const { port } = squatter.address() as { port: number };
    const server = await serveSandbox(createSandbox({ provider: 'oauth' }), {
      hostname: '127.0.0.1',
    });
    closers.push(server.close);
    const openBrowser = async (url: string) => {
      const redirect = await answerConsent(fetchTransport(), url, { decision: 'allow' });
      void fetch(redirect).catch(() => {});
    };
    const signIn = async (ports: number[]) => {
      const session = createSession({
        host: createNodeHost({ store: memoryStore(), openBrowser }),
        provider: oauth({
          ...sandboxEnvironment('oauth', server.url),
          clientId: 'test',
          scopes: ['read'],
          redirect: { loopback: '127.0.0.1', path: '/callback', ports },
        }),
      });
      closers.push(() => session.close());
      await session.signIn({ timeoutMs: 5000 });
      return session.state.name;
    };
    await expect(signIn([port])).rejects.toEqual(
      failing('redirect_port_in_use', { ports: [port] }),
    );
    const free = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => free.once('listening', done));
    const { port: next } = free.address() as { port: number };
    await new Promise((done) => free.close(done));
    await expect(signIn([port, next])).resolves.toBe('signedIn');
  });

  test('case 60: whose code is refused does not say that anybody is signed in', async () => {
    const { session, pages, browsed } = await open({ faults: ['exchange-invalid-grant'] });
    await expect(session.signIn()).rejects.toEqual(failing('invalid_grant'));
    await browsed();
    expect(pages[0]?.text).not.toMatch(/<h1>Signed in/);
  });
});

describe('a session', () => {
  test('is restored from a file by the next process, without a browser', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mortise-'));
    closers.push(() => rmSync(directory, { recursive: true }));
    const first = await open({ store: fileStore({ directory }) });
    await first.session.signIn();
    const token = await first.session.getAccessToken();
    await first.session.close();
    const openBrowser = () => Promise.reject(new Error('no browser is needed'));
    const host = createNodeHost({ store: fileStore({ directory }), openBrowser });
    const provider = prevu3d({ clientId: 'test', scopes, environment: first.environment });
    const next = createSession({ host, provider });
    await next.restore();
    expect(next.state.name).toBe('signedIn');
    await expect(next.getAccessToken()).resolves.toBe(token);
    await next.signOut();
    const last = createSession({ host, provider });
    await expect(last.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'never' }),
    );
  });

  test('refreshes once for 10,000 callers', async () => {
    const { session } = await open();
    await session.signIn();
    const before = await session.getAccessToken();
    const demand = { minValidityMs: 1e10 };
    const tokens = await Promise.all(
      Array.from({ length: 10_000 }, () => session.getAccessToken(demand)),
    );
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]).not.toBe(before);
  });

  test('stays, degraded, while the server cannot answer', async () => {
    const { session } = await open({ faults: ['token-502-html@refresh'] });
    await session.signIn();
    const token = await session.getAccessToken();
    await expect(session.getAccessToken({ minValidityMs: 1e10 })).resolves.toBe(token);
    expect(session.state).toMatchObject({ name: 'degraded', retryAtMs: expect.any(Number) });
  });

  test('works in memory, without any socket but the redirect', async () => {
    const sandbox = createSandbox({ provider: 'prevu3d' });
    const host = createNodeHost({
      store: memoryStore(),
      http: sandbox,
      openBrowser: async (url) => {
        const redirect = await answerConsent(sandbox, url, { decision: 'allow' });
        void fetch(redirect).catch(() => {});
      },
    });
    const session = createSession({ host, provider: prevu3d({ clientId: 'test', scopes }) });
    closers.push(() => session.close());
    await session.signIn();
    await expect(session.api.getApiInfo()).resolves.toMatchObject({
      apiUrl: 'https://api-ue1.prevu3d.com/realityconnect-api',
    });
  });

  test('case 153: sends no token to an API URL of another host', async () => {
    const { session } = await open({ faults: ['api-url-foreign'] });
    await session.signIn();
    const error = await session.api.browse('any').catch((caught: unknown) => caught);
    expect(isMortiseError(error) && error.code).toBe('api_url_untrusted');
  });
});
