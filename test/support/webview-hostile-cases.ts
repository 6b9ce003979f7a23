// What a real embedded view is told by nobody, or far too much of. The views are those of the samples.
import {
  createSession,
  memoryStore,
  type Host,
  type HttpTransport,
  type RedirectRule,
} from 'mortise';
import { createNodeHost } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { serveHost, serveSession, type ServedPanel } from 'mortise/webview';
import { createFakeClock } from './fake-clock.js';
import { serveStage, type Stage } from './web-stage.js';
import { describeInView, startViews, type Engine, type View, type Views } from './webview-host.js';

/** As an author writes it. What is waited for in it goes by forty times as fast. */
const panelScript = (provider: object) => `
const now = performance.now.bind(performance);
const start = window.setTimeout.bind(window);
performance.now = () => now() * 40;
window.setTimeout = (callback, ms) => start(callback, ms / 40);
const [core, webview, { oauth }] = await Promise.all([
  import('mortise'), import('mortise/webview'), import('mortise/providers/oauth'),
]);
const channel = webview.detectChannel();
const bridge = webview.openBridge(channel);
const store = webview.hostStore(bridge);
const http = webview.hostTransport(bridge);
const host = webview.createWebviewHost({ channel: bridge, store, http });
const createSession = (redirect) =>
  core.createSession({ host, provider: oauth({ ...${JSON.stringify(provider)}, redirect }) });
const connectSession = () => webview.connectSession(bridge);
Object.assign(window, { channel, bridge, store, createSession, connectSession });
window.watch = (promise) => {
  window.outcome = null;
  promise.then(
    (value) => (window.outcome = { value: value ?? null }),
    ({ code, hint }) => (window.outcome = { code, hint }),
  );
};
document.title = 'panel';
`;

const ANY_PORT: RedirectRule = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };
const UNAVAILABLE = { code: 'bridge_unavailable', hint: expect.any(String) };

/** Gives tokens for whatever it is asked. */
const http: HttpTransport = async () => {
  async function* body() {
    yield new TextEncoder().encode('{"access_token":"access","token_type":"Bearer"}');
  }
  const headers = new Map([['content-type', 'application/json']]);
  return { status: 200, headers, body: body() };
};

/** Where the browser of a user who has agreed ends. */
function redirectOf(authorizationUrl: string): string {
  const { searchParams } = new URL(authorizationUrl);
  const state = searchParams.get('state') ?? '';
  return `${searchParams.get('redirect_uri')}?${new URLSearchParams({ code: '1', state })}`;
}

/** Again, where a busy machine took longer than anything should take. */
async function patiently<T>(task: () => Promise<T>): Promise<T> {
  for (let tries = 3; ; tries -= 1) {
    try {
      return await task();
    } catch (error) {
      if (tries === 0) throw error;
    }
  }
}

async function soon(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 12_000; Date.now() < end;) {
    if (await isTrue()) return;
    await new Promise((again) => setTimeout(again, 20));
  }
  throw new Error(`not within 12 s: ${isTrue}`);
}

/** A program whose browser the test is. */
async function createProgram() {
  const opened: string[] = [];
  const openBrowser = async (url: string) => void opened.push(url);
  const host = createNodeHost({ store: memoryStore(), http, openBrowser });
  await host.store.set('colour', 'green');
  return { host, opened };
}

const lend = (host: Host) => (view: View, nonce: string) =>
  serveHost(host, view.channel, { nonce, offers: ['browser', 'http', 'store'] });

export function describeHostileViews(engine: Engine): void {
  const name = engine === 'qt' ? 'Qt WebEngine' : 'WebKitGTK';
  describeInView(engine, `in ${name}, on a bad day`, () => {
    let stage: Stage;
    let views: Views;
    let client: {
      clientId: string;
      scopes: string[];
      authorizationEndpoint: string;
      tokenEndpoint: string;
    };
    let left: (() => unknown)[];

    beforeAll(async () => {
      [stage, views] = await Promise.all([
        serveStage(['mortise', 'mortise/webview', 'mortise/providers/oauth']),
        startViews(engine),
      ]);
      client = {
        clientId: 'panel',
        scopes: ['read'],
        authorizationEndpoint: `${stage.origin}/authorize`,
        tokenEndpoint: `${stage.origin}/token`,
      };
      stage.page('/panel', { script: panelScript(client) });
      stage.answer('/authorize', (request, response) => {
        const location = redirectOf(new URL(request.url ?? '', stage.origin).href);
        response.writeHead(302, { location, 'cache-control': 'no-store' }).end();
      });
      stage.page('/over', { script: `document.title = 'over';` });
    }, 30_000);
    afterAll(async () => {
      await views?.stop();
      await stage?.close();
    });
    beforeEach(() => {
      left = [];
    });
    afterEach(async () => {
      for (const close of left.reverse()) await close();
    });

    /** A panel each of whose loads is served anew; by nobody where there is `null`. */
    async function openPanel(serve: (view: View, nonce: string) => ServedPanel | null) {
      const panel = `${stage.origin}/panel`;
      const view = await views.open({ panel, bridge: true });
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= view.close());
      let served: ServedPanel | null = null;
      const stop = view.onEvent(({ event, text = '' }) => {
        if (event !== 'load' && event !== 'leave') return;
        served?.close();
        served = event === 'load' ? serve(view, text) : null;
      });
      left.push(close, () => served?.close(), stop);
      const load = async () => {
        await view.until(`document.title === 'panel'`);
      };
      await view.load(panel);
      await load();
      const reload = async () => {
        await view.evaluate(`document.title = 'old'; void setTimeout(() => location.reload())`);
        await load();
      };
      const outcome = async (script: string) => {
        await view.evaluate(`watch(${script})`);
        return view.until('window.outcome');
      };
      return { view, reload, close, outcome, dropped: () => served?.dropped };
    }

    test('case 88: 50 MB, in either direction, are dropped and counted, and all goes on', async () => {
      const { host } = await createProgram();
      const { view, outcome, dropped } = await openPanel(lend(host));
      const ask = () => outcome(`store.get('colour')`);
      expect(await ask()).toEqual({ value: 'green' });
      // All else about it is right: whoever believed it would say no more.
      const { nonce } = view;
      const bye = { jsonrpc: '2.0', nonce, method: 'bye', params: { long: 'x'.repeat(50 << 20) } };
      view.channel.send(JSON.stringify(bye));
      const short = JSON.stringify(JSON.stringify({ ...bye, params: { long: '' } }));
      await patiently(() =>
        view.evaluate(`channel.send(${short}.replace('""', '"' + 'x'.repeat(50 << 20) + '"'))`),
      );
      await patiently(() => view.until('bridge.dropped === 1'));
      expect(await patiently(ask)).toEqual({ value: 'green' });
      expect(dropped()).toBe(1);
    }, 60_000);

    test('case 90: a host that never answers is bridge_unavailable; one that comes later is heard', async () => {
      let host: Host | null = null;
      const { reload, outcome } = await openPanel((view, nonce) => host && lend(host)(view, nonce));
      expect(await outcome(`store.get('colour')`)).toEqual(UNAVAILABLE);
      const signIn = `createSession(${JSON.stringify(ANY_PORT)}).signIn()`;
      expect(await outcome(signIn)).toEqual(UNAVAILABLE);
      ({ host } = await createProgram());
      await reload();
      expect(await outcome(`store.get('colour')`)).toEqual({ value: 'green' });
    });

    test('case 90: a panel that is loaded anew finds the sign-in of its host, and ends it', async () => {
      const { host, opened } = await createProgram();
      const session = createSession({ host, provider: oauth({ ...client, redirect: ANY_PORT }) });
      left.push(() => session.close());
      const serve = (view: View, nonce: string) => serveSession(session, view.channel, { nonce });
      const { view, reload } = await openPanel(serve);
      const connect = 'window.session = connectSession()';
      await view.evaluate(`${connect}; watch(session.signIn())`);
      const address = await view.until<string>('session.state.authorizationUrl');
      await reload();
      await view.evaluate(`${connect}; watch(session.restore().then(() => session.signIn()))`);
      expect(await view.until('session.state.authorizationUrl')).toBe(address);
      await fetch(redirectOf(address));
      expect(await view.until('window.outcome')).toEqual({ value: null });
      expect(await view.evaluate('session.state.name')).toBe('signedIn');
      expect(opened).toEqual([address]);
    });

    test('case 90: of its own it finds a sign-in again only where that was stored', async () => {
      const { host, opened } = await createProgram();
      const { view, reload, outcome } = await openPanel(lend(host));
      const create = `window.session = createSession(${JSON.stringify(ANY_PORT)})`;
      const complete = async (address: string) => {
        await reload();
        await view.evaluate(create);
        return outcome(`session.completeSignIn(${JSON.stringify(redirectOf(address))})`);
      };
      await view.evaluate(`${create}; session.signIn().catch(() => {})`);
      await view.until('session.state.authorizationUrl');
      expect(await complete(opened[0] ?? '')).toMatchObject({
        code: 'malformed_response',
      });
      expect(await view.evaluate('session.state.name')).toBe('idle');

      const redirectUri = 'http://127.0.0.1:4000/callback';
      const begin = `session.beginSignIn({ redirectUri: '${redirectUri}' })`;
      await view.evaluate(`watch(${begin}.then((it) => it.authorizationUrl))`);
      const { value } = await view.until<{ value: string }>('window.outcome');
      expect(await complete(value)).toEqual({ value: null });
      expect(await view.evaluate('session.state.name')).toBe('signedIn');
    });

    test('case 90: a view that is disposed of holds nothing of its host any more', async () => {
      const { host, opened } = await createProgram();
      const { view, close } = await openPanel(lend(host));
      const create = `createSession(${JSON.stringify(ANY_PORT)})`;
      await view.evaluate(`window.session = ${create}; session.signIn().catch(() => {})`);
      await view.until('session.state.authorizationUrl');
      const { origin } = new URL(redirectOf(opened[0] ?? ''));
      const isListening = () =>
        fetch(origin).then(
          ({ ok }) => !ok,
          () => false,
        );
      expect(await isListening()).toBe(true);
      await close();
      await soon(async () => !(await isListening()));
    });

    /** A sign-in in another view of the program, which is stopped at the redirect. */
    function signInBy(redirectUri: string) {
      const clock = createFakeClock();
      const shown: View[] = [];
      const userAgents: Host['userAgents'] = [
        {
          async open({ onRedirect }) {
            const view = await views.open({ redirect: redirectUri, frames: 'https:' });
            shown.push(view);
            const stop = view.onEvent(({ verdict, url = '' }) => {
              if (verdict === 'capture') void onRedirect(url);
            });
            let closing: Promise<void> | undefined;
            const close = () => (closing ??= view.close());
            left.push(close, stop);
            return { redirectUri, navigate: (url) => view.load(url), close };
          },
        },
      ];
      const host = { ...createNodeHost({ store: memoryStore(), http }), clock, userAgents };
      const provider = oauth({ ...client, redirect: [redirectUri] });
      const session = createSession({ host, provider });
      left.push(() => session.close());
      const outcome = session.signIn().then(
        () => session.state.name,
        (error: unknown) => error,
      );
      return { session, clock, shown, outcome };
    }

    test(`case 85: a private-use scheme ${engine === 'qt' ? 'ends by the time limit, with a hint' : 'signs in'}`, async () => {
      const { session, clock, shown, outcome } = signInBy('com.acme.cad:/cb');
      if (engine === 'webkit') return expect(await outcome).toBe('signedIn');
      await soon(() => stage.requests.some(({ url }) => url.includes('redirect_uri=com.acme.cad')));
      // When this has gone through, that is over.
      await shown[0]?.load(`${stage.origin}/over`);
      await shown[0]?.until(`document.title === 'over'`);
      await clock.advance(299_999);
      expect(session.state.name).toBe('authorizing');
      await clock.advance(1);
      expect(await outcome).toMatchObject({ code: 'sign_in_timeout', hint: 'Sign in again.' });
      expect(session.state.name).toBe('signedOut');
    });

    test('case 85: a loopback address does in its place', async () => {
      expect(await signInBy('http://127.0.0.1:4/cb').outcome).toBe('signedIn');
    });
  });
}
