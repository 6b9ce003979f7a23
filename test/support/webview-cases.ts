// What holds in a real embedded view, whatever its engine: the views are those of the samples.
import { createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createSecureServer } from 'node:https';
import { memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { serveHost, type ServedPanel } from 'mortise/webview';
import { createSelfSigned } from './self-signed.js';
import { serveStage, type Stage } from './web-stage.js';
import {
  describeInView,
  startViews,
  type Engine,
  type View,
  type ViewEvent,
  type ViewOptions,
  type Views,
} from './webview-host.js';

/** A panel as an author writes it, which asks its host for what it keeps. */
const PANEL = `
import { detectChannel, hostStore, openBridge } from 'mortise/webview';
const channel = detectChannel();
const bridge = openBridge(channel);
const store = hostStore(bridge);
const told = [];
Object.assign(window, { channel, bridge, told });
window.ask = (key) => {
  window.answer = null;
  store.get(key).then((value) => (window.answer = { value }), ({ code }) => (window.answer = { code }));
};
addEventListener('message', ({ data }) => told.push(data));
document.title = 'panel';
`;

/** Whoever is not the panel: looks for a bridge under every name, and shouts into what it finds. */
const STRANGER = `
const forged = JSON.stringify({ jsonrpc: '2.0', nonce: 'forged', id: 'forged-0123456789', method: 'hello', params: {} });
const found = [];
const attempt = (name, task) => {
  try {
    const value = task();
    if (value !== undefined) found.push(name);
  } catch {}
};
attempt('nonce', () => window.mortiseNonce);
attempt('parent nonce', () => window.parent !== window ? window.parent.mortiseNonce : undefined);
attempt('parent page', () => window.parent !== window ? window.parent.document.title : undefined);
attempt('parent bridge', () => window.parent !== window ? window.parent.channel : undefined);
attempt('webkit', () => window.webkit.messageHandlers.mortise.postMessage(forged) ?? 'posted');
attempt('qt', () => window.qt.webChannelTransport.send(forged) ?? 'sent');
attempt('transport', () => window.qt?.webChannelTransport);
document.dispatchEvent(new CustomEvent('mortise-to-host', { detail: forged }));
window.received = [];
window.mortiseReceive = (text) => window.received.push(text);
window.found = found;
document.title = 'stranger';
if (parent !== window) {
  parent.postMessage({ found }, '*');
  parent.postMessage(JSON.stringify({ jsonrpc: '2.0', nonce: 'forged', method: 'bye', params: {} }), '*');
}
`;

const listen = (server: Server) =>
  new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

/** A port at which every connection is counted, whatever it says. */
async function countConnections() {
  const counted = { port: 0, connections: 0, close: async () => {} };
  const server = createServer((socket) => {
    counted.connections += 1;
    socket.destroy();
  });
  counted.port = await listen(server);
  counted.close = () => new Promise((closed) => server.close(() => closed()));
  return counted;
}

export function describeViews(engine: Engine): void {
  describeInView(engine, `in ${engine === 'qt' ? 'Qt WebEngine' : 'WebKitGTK'}`, () => {
    let stage: Stage;
    let views: Views;
    let left: (() => Promise<unknown>)[];

    beforeAll(async () => {
      [stage, views] = await Promise.all([serveStage(['mortise/webview']), startViews(engine)]);
      stage.page('/panel', { script: PANEL });
      stage.page('/stranger', { script: STRANGER });
      stage.page('/plain', { body: '<h1>Sign in</h1>', script: `document.title = 'plain';` });
      stage.answer('/go', (request, response) => {
        const to = new URL(request.url ?? '', stage.origin).searchParams.get('to') ?? '';
        response.writeHead(302, { location: to, 'cache-control': 'no-store' }).end();
      });
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

    async function open(options: ViewOptions): Promise<View> {
      const view = await views.open(options);
      left.push(() => view.close());
      return view;
    }

    /** Another origin, and another site. */
    const elsewhere = () => `http://127.0.0.1:${stage.port}`;

    /** A panel, and a host that serves each of its loads. */
    async function openPanel(options: Omit<ViewOptions, 'panel' | 'bridge'> = {}) {
      const panel = `${stage.origin}/panel`;
      const view = await open({ panel, bridge: true, ...options });
      const host = createNodeHost({ store: memoryStore() });
      await host.store.set('colour', 'green');
      const served: ServedPanel[] = [];
      const stop = view.onEvent(({ event, text = '' }) => {
        if (event !== 'load' && event !== 'leave') return;
        served.at(-1)?.close();
        if (event === 'load') {
          served.push(serveHost(host, view.channel, { nonce: text, offers: ['store'] }));
        }
      });
      left.push(async () => {
        stop();
        served.at(-1)?.close();
      });
      await view.load(panel);
      await view.until(`document.title === 'panel'`);
      const ask = async () => {
        await view.evaluate(`window.ask('colour')`);
        return view.until<{ value?: string; code?: string }>(`window.answer`);
      };
      return { view, ask, host, dropped: () => served.at(-1)?.dropped };
    }

    const openSignIn = async (redirect: string, more: ViewOptions = {}) => {
      const view = await open({ redirect, frames: 'https:', ...more });
      await view.load(`${stage.origin}/plain`);
      await view.until(`document.title === 'plain'`);
      return view;
    };
    const captured = (view: View) =>
      view.events.flatMap(({ verdict, url }) => (verdict === 'capture' && url ? [url] : []));
    const goTo = (view: View, url: string) =>
      view.evaluate(`void setTimeout(() => (location.href = ${JSON.stringify(url)}))`);
    const via = (url: string) => `${stage.origin}/go?${new URLSearchParams({ to: url })}`;
    const isCapture = ({ verdict }: { verdict?: string }) => verdict === 'capture';

    describe('the panel', () => {
      test('speaks to its host, and after a reload with another nonce', async () => {
        const { view, ask } = await openPanel();
        expect(await ask()).toEqual({ value: 'green' });
        const { nonce } = view;
        await view.evaluate(`document.title = 'old'; void setTimeout(() => location.reload())`);
        await view.until(`document.title === 'panel'`);
        expect(view.nonce).not.toBe(nonce);
        expect(await view.evaluate('mortiseNonce')).toBe(view.nonce);
        expect(await ask()).toEqual({ value: 'green' });
      });

      test('keeps its bridge while it moves on its own page', async () => {
        const { view, ask } = await openPanel();
        const { nonce } = view;
        await view.evaluate(`void (location.hash = '#below')`);
        await view.until(`location.hash === '#below'`);
        expect(view.nonce).toBe(nonce);
        expect(await ask()).toEqual({ value: 'green' });
      });

      test('case 88: noise and repetition are dropped and counted, and all goes on', async () => {
        const { view, ask, dropped } = await openPanel();
        expect(await ask()).toEqual({ value: 'green' });
        const [hello = '', get = ''] = view.texts;
        const shouts = [
          hello,
          get,
          '',
          '{',
          '[]',
          'null',
          `"${get.length}"`,
          get.replace(view.nonce, 'x'),
        ];
        await view.evaluate(`for (const text of ${JSON.stringify(shouts)}) channel.send(text)`);
        expect(await ask()).toEqual({ value: 'green' });
        expect(dropped()).toBe(shouts.length);
      });

      test('case 88: what was said before a reload is void after it', async () => {
        const { view, ask, dropped } = await openPanel();
        await ask();
        const [, get = ''] = view.texts;
        const again = get.replace(/"id":"[^"]*"/, '"id":"another-0123456789"');
        await view.evaluate(`document.title = 'old'; void setTimeout(() => location.reload())`);
        await view.until(`document.title === 'panel'`);
        await view.evaluate(`channel.send(${JSON.stringify(again)})`);
        expect(await ask()).toEqual({ value: 'green' });
        expect(dropped()).toBe(1);
        expect(view.texts.filter((text) => text.includes('another-'))).toHaveLength(1);
      });
    });

    describe('case 86: a frame of another origin in the panel', () => {
      test.each([
        ['as it is', ''],
        ['sandboxed', 'sandbox="allow-scripts"'],
      ])('%s: finds no bridge and no nonce, and injects nothing', async (_, attributes) => {
        // Without an origin it may not fetch modules.
        stage.answer('/frame', (_, response) =>
          response
            .writeHead(200, { 'content-type': 'text/html' })
            .end(`<script>{${STRANGER}}</script>`),
        );
        const { view, ask } = await openPanel({ frames: 'http:' });
        await view.evaluate(`document.body.insertAdjacentHTML('beforeend',
          '<iframe ${attributes} src="${elsewhere()}/frame"></iframe>')`);
        const told = await view.until<unknown[]>(`told.length > 1 && told`);
        expect(told[0]).toEqual({ found: [] });
        expect(await ask()).toEqual({ value: 'green' });
        expect(view.texts.filter((text) => text.includes('forged'))).toEqual([]);
      });

      if (engine === 'webkit') {
        test('is not there at all, unless the host has said that there may be frames', async () => {
          const { view, ask } = await openPanel();
          await view.evaluate(`document.body.insertAdjacentHTML('beforeend',
            '<iframe src="${elsewhere()}/unwanted"></iframe>')`);
          expect(await ask()).toEqual({ value: 'green' });
          expect(view.events.filter(({ url }) => url?.includes('/unwanted'))).toEqual([]);
          expect(stage.requests.filter(({ url }) => url.includes('/unwanted'))).toEqual([]);
        });
      }
    });

    describe('case 87: a foreign page in the main frame of the panel', () => {
      test('has no bridge, hears nothing and injects nothing; nor does the panel get it back', async () => {
        const foreign = `${elsewhere()}/stranger`;
        const { view, ask } = await openPanel({ also: [foreign] });
        await ask();
        const said = view.texts.length;
        await goTo(view, foreign);
        await view.event(({ event }) => event === 'leave');
        await view.until(`document.title === 'stranger'`);
        view.channel.send(JSON.stringify({ jsonrpc: '2.0', method: 'bye', params: {} }));
        expect(await view.evaluate('window.found')).toEqual([]);
        expect(await view.evaluate('window.received')).toEqual([]);
        expect(view.texts).toHaveLength(said);

        await goTo(view, `${stage.origin}/panel`);
        await view.until(`location.pathname === '/panel' && document.readyState === 'complete'`);
        expect(await view.evaluate('typeof mortiseNonce')).toBe('undefined');
        expect(view.texts).toHaveLength(said);
      });

      test('is not let in by a host that is careful: a link opens in the browser', async () => {
        const { view, ask } = await openPanel();
        await goTo(view, `${elsewhere()}/stranger`);
        await view.event(({ verdict }) => verdict === 'browser');
        // Any name may be in somebody's hosts file.
        await goTo(view, `${stage.originOf('other')}/stranger`);
        await view.event(({ verdict }) => verdict === 'block');
        expect(await view.evaluate('document.title')).toBe('panel');
        expect(await ask()).toEqual({ value: 'green' });
      });
    });

    describe('the captured way', () => {
      let counter: Awaited<ReturnType<typeof countConnections>>;
      let redirectUri: string;
      beforeEach(async () => {
        counter = await countConnections();
        left.push(counter.close);
        redirectUri = `http://127.0.0.1:${counter.port}/cb`;
      });

      test('case 81: is stopped before any connection is made, every time', async () => {
        const view = await openSignIn(redirectUri);
        await goTo(view, via(`${redirectUri}?code=1&state=2`));
        await view.event(isCapture);
        await goTo(view, `${redirectUri}?error=access_denied&state=2`);
        await view.event(({ verdict, url = '' }) => verdict === 'capture' && /error=/.test(url));
        expect(captured(view)).toEqual([
          `${redirectUri}?code=1&state=2`,
          `${redirectUri}?error=access_denied&state=2`,
        ]);
        // The page is still there, and so is the user.
        expect(await view.evaluate('document.title')).toBe('plain');
        expect(counter.connections).toBe(0);
      });

      test('case 81: as the answer to a form', async () => {
        stage.answer('/decide', (_, response) =>
          response.writeHead(303, { location: `${redirectUri}?code=1&state=2` }).end(),
        );
        const view = await openSignIn(redirectUri);
        await view.evaluate(`void setTimeout(() => {
          const form = document.createElement('form');
          Object.assign(form, { method: 'post', action: '/decide' });
          document.body.append(form);
          form.submit();
        })`);
        await view.event(isCapture);
        expect(captured(view)).toEqual([`${redirectUri}?code=1&state=2`]);
        expect(counter.connections).toBe(0);
      });

      test('case 82: a frame that goes there is stopped and not told', async () => {
        const frames = [
          `${redirectUri}?code=frame`,
          via(`${redirectUri}?code=frame`),
          `${elsewhere()}/nested`,
        ];
        stage.page('/nested', { body: `<iframe src="${redirectUri}?code=nested"></iframe>` });
        const view = await openSignIn(redirectUri);
        await view.evaluate(`for (const src of ${JSON.stringify(frames)}) {
          document.body.append(Object.assign(document.createElement('iframe'), { src }));
        }`);
        // What they would do they have done when a later one has loaded.
        await view.evaluate(`document.body.append(Object.assign(document.createElement('iframe'), {
          srcdoc: '<p>', onload: () => (document.title = 'framed') }))`);
        await view.until(`document.title === 'framed'`);
        await goTo(view, via(`${redirectUri}?code=1&state=2`));
        await view.event(isCapture);
        expect(captured(view)).toEqual([`${redirectUri}?code=1&state=2`]);
        expect(counter.connections).toBe(0);
      });

      test('case 83: what any page sends there is told, for the panel to tell by its state', async () => {
        const view = await openSignIn(redirectUri);
        await view.load(`${elsewhere()}/stranger`);
        await view.until(`document.title === 'stranger'`);
        await goTo(view, `${redirectUri}?code=stolen&state=unknown`);
        await view.event(isCapture);
        await view.load(via(`${redirectUri}?code=1&state=2`));
        await view.event(({ url }) => url === `${redirectUri}?code=1&state=2`);
        expect(captured(view)).toEqual([
          `${redirectUri}?code=stolen&state=unknown`,
          `${redirectUri}?code=1&state=2`,
        ]);
        expect(counter.connections).toBe(0);
      });

      test('case 84: the same address, as a server may spell it', async () => {
        const uri = `http://localhost:${counter.port}/cb`;
        const view = await openSignIn(uri);
        const spelled = [
          `HTTP://LOCALHOST:${counter.port}/cb?code=upper`,
          uri.replace('/cb', '/x/../cb?code=dots'),
          uri.replace('/cb', '/%63b?code=encoded'),
          `${uri}?code=fragment#_=_`,
        ];
        for (const url of spelled) {
          await goTo(view, via(url));
          const [code = ''] = /code=\w+/.exec(url) ?? [];
          await view.event((event) => isCapture(event) && Boolean(event.url?.includes(code)));
        }
        expect(captured(view)).toHaveLength(spelled.length);
        expect(counter.connections).toBe(0);
      });

      test('case 84: with the slash that every engine adds', async () => {
        const uri = `http://127.0.0.1:${counter.port}`;
        const view = await openSignIn(uri);
        await goTo(view, via(`${uri}?code=1&state=2`));
        await view.event(isCapture);
        expect(captured(view)).toEqual([`${uri}/?code=1&state=2`]);
        expect(counter.connections).toBe(0);
      });

      test('case 84: what only begins like it is another address', async () => {
        const view = await openSignIn(redirectUri);
        for (const other of [
          `${redirectUri}x?code=1`,
          redirectUri.replace('127.0.0.1', 'localhost'),
        ]) {
          await goTo(view, via(other));
          await view.event(({ url }) => url === other);
        }
        expect(captured(view)).toEqual([]);
      });

      // No timer shows that nothing comes: the core's own limit ends the sign-in with `sign_in_timeout` and its hint.
      test(`case 85: a private-use scheme is ${engine === 'qt' ? 'swallowed without a word' : 'caught as well'}`, async () => {
        const uri = 'com.acme.cad:/cb';
        const view = await openSignIn(uri);
        await goTo(view, via(`${uri}?code=1&state=2`));
        if (engine === 'webkit') {
          await view.event(isCapture);
          expect(captured(view)).toEqual([`${uri}?code=1&state=2`]);
          return;
        }
        await view.event(({ url = '' }) => url.includes('/go?'));
        // When this has gone through, that is over.
        await goTo(view, `${stage.origin}/stranger`);
        await view.until(`document.title === 'stranger'`);
        expect(captured(view)).toEqual([]);
        expect(view.events.filter(({ url }) => url?.startsWith(uri))).toEqual([]);
      });

      test('case 87: the sign-in page has no bridge', async () => {
        const view = await openSignIn(redirectUri);
        await view.load(`${stage.origin}/stranger`);
        await view.until(`document.title === 'stranger'`);
        expect(await view.evaluate('window.found')).toEqual([]);
        expect(view.texts).toEqual([]);
      });

      test('case 93: a bad certificate is refused, and nothing is sent', async () => {
        const asked: string[] = [];
        const server = createSecureServer(createSelfSigned(), (request, response) => {
          asked.push(request.url ?? '');
          response.end('<title>accepted</title>');
        });
        const port = await listen(server);
        left.push(() => new Promise((closed) => server.close(closed)));
        for (const host of ['localhost', '127.0.0.1']) {
          const view = await openSignIn(redirectUri);
          // A page has its title before it has all of itself.
          await view.event(({ event }) => event === 'finished');
          const url = `https://${host}:${port}/authorize`;
          await view.load(url);
          const gone = await view.event((it) => it.event === 'navigating' && it.url === url);
          const at = view.events.indexOf(gone);
          // Had it gone on, it would have been asked for by now. WebKit may tell of it as of any load that failed.
          const isOver = ({ event }: ViewEvent) => event === 'certificate' || event === 'finished';
          await view.event((it) => isOver(it) && view.events.indexOf(it) > at);
          expect(await view.evaluate('document.title')).not.toBe('accepted');
        }
        expect(asked).toEqual([]);
        server.closeAllConnections();
      });

      test('case 94: each view has cookies of its own, a shared profile until a sign-out', async () => {
        const cookie = async (more: ViewOptions) => {
          const view = await openSignIn(redirectUri, more);
          const before = await view.evaluate<string>('document.cookie');
          await view.evaluate(`void (document.cookie = 'account=first; max-age=600')`);
          await view.until(`document.cookie.includes('account=first')`);
          return { view, before };
        };
        expect((await cookie({})).before).toBe('');
        expect((await cookie({})).before).toBe('');
        expect((await cookie({ profile: 'kept' })).before).toBe('');
        const again = await cookie({ profile: 'kept' });
        expect(again.before).toBe('account=first');
        await views.forget('kept');
        expect((await cookie({ profile: 'kept' })).before).toBe('');
      });
    });

    describe.each<['the panel' | 'a sign-in view', () => Promise<View>]>([
      ['the panel', async () => (await openPanel()).view],
      ['a sign-in view', () => openSignIn('http://127.0.0.1:4/cb')],
    ])('case 92: %s', (kind, openOne) => {
      const title = kind === 'the panel' ? 'panel' : 'plain';
      const verdict = kind === 'the panel' ? 'browser' : 'block';

      test('goes to no file, no other scheme and no text that is a page', async () => {
        const view = await openOne();
        const shown = view.events.length;
        const places = [
          'file:///etc/hostname',
          'data:text/html,<title>gone</title>',
          'smb://127.0.0.1/share',
          'com.acme.cad:/cb',
          'mailto:ann@example.com',
          'http://192.0.2.1/',
          'ftp://127.0.0.1/',
        ];
        for (const place of places) await goTo(view, place);
        await view.evaluate(`void setTimeout(() => {
          const page = new Blob(['<title>gone</title>'], { type: 'text/html' });
          location.href = URL.createObjectURL(page);
        })`);
        // Asked of the engine by the program itself, as a page cannot.
        await view.load('file:///etc/hostname');
        await view.load('data:text/html,<title>gone</title>');
        await view.event(({ url = '' }) => url.startsWith('data:'));
        expect(await view.evaluate('[document.title, location.origin]')).toEqual([
          title,
          stage.origin,
        ]);
        expect(view.events.slice(shown).filter((event) => event.verdict === 'allow')).toEqual([]);
      });

      test('opens no window', async () => {
        const view = await openOne();
        const place = `${stage.origin}/stranger`;
        // As if clicked: an engine lets no page open windows by itself.
        await view.evaluate(`void window.open(${JSON.stringify(place)})`);
        const event = await view.event(({ url }) => url === place);
        expect(event.verdict).toBe(verdict);
        await view.evaluate(`{
          const link = document.createElement('a');
          Object.assign(link, { href: '/plain?new', target: '_blank' });
          document.body.append(link);
          link.click();
        }`);
        expect(await view.event(({ url = '' }) => url.endsWith('?new'))).toMatchObject({ verdict });
        expect(stage.requests.filter(({ url }) => url.endsWith('?new'))).toEqual([]);
        expect(await view.evaluate('document.title')).toBe(title);
      });

      test('downloads nothing', async () => {
        let isCut = () => {};
        const cut = new Promise<void>((resolve) => (isCut = resolve));
        // Never ends by itself.
        stage.answer('/file', (_, response) => {
          response.writeHead(200, {
            'content-type': 'application/octet-stream',
            'content-disposition': 'attachment; filename="file.bin"',
          });
          response.write('x'.repeat(1000));
          response.once('close', isCut);
        });
        const view = await openOne();
        await view.evaluate(`void setTimeout(() => {
          const link = document.createElement('a');
          Object.assign(link, { href: '/file', download: 'file.bin' });
          document.body.append(link);
          link.click();
        })`);
        const { event } = await view.event(
          ({ event: name, url = '', verdict: what }) =>
            url.endsWith('/file') &&
            (name === 'download' || what === 'block' || what === 'browser'),
        );
        if (event === 'download') await cut;
        expect(await view.evaluate('document.title')).toBe(title);
      });
    });
  });
}
