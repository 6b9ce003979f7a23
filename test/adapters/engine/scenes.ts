// What a bare engine must be able to do with the one-file bundle. Its own test says how the engine is started.
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { memoryStore, type KeyValueStore } from 'mortise';
import { createNodeHost, fetchTransport, serveSandbox } from 'mortise/node';
import {
  answerConsent,
  createSandbox,
  sandboxEnvironment,
  type SandboxProvider,
} from 'mortise/sandbox';
import { playHost, Refusal, type PlayedHost } from './played-host.js';

export interface Engine {
  /** Runs the body of an async function in there; resolves with what it returns, or `{ failed: error }`. */
  run(body: string): Promise<unknown>;
  /** Runs a script. */
  load(code: string): void;
  close(): void;
}

/** An engine in which `hostCall` is the program's function, and nothing else is from outside. */
export type StartEngine = (call: PlayedHost['call']) => Promise<Engine>;

/** What web pages and Node have, and no bare engine. */
const WEB_NAMES =
  'URL URLSearchParams TextEncoder TextDecoder AbortController AbortSignal fetch crypto setTimeout setInterval queueMicrotask atob btoa structuredClone performance Event EventTarget DOMException console window self process require Buffer localStorage'.split(
    ' ',
  );
const INSTALLED = WEB_NAMES.slice(0, 6);

/** As it is published. `npm test` builds it first; on its own: `npm run build`. */
export const readBundle = (): string =>
  readFileSync(join(__dirname, '../../../dist/mortise.engine.js'), 'utf8');

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Node's own URL says what is right. */
const READ = `(([text, base]) => {
  try {
    const url = new URL(text, base ?? undefined);
    const { href, origin, protocol, username, password, host, hostname, port, pathname, search, hash } = url;
    return [href, origin, protocol, username, password, host, hostname, port, pathname, search, hash,
      [...new Set(['a', 'code'])].map((name) => url.searchParams.getAll(name))];
  } catch {
    return null;
  }
})`;

// prettier-ignore
const SPELLINGS: readonly string[] = [
  'https://api.example@evil.example/', 'https://api.example:x@evil.example', 'https://evil.example\\@api.example/',
  'https://evil.example\\.api.example/', 'https:/\\api.example', 'https:api.example', 'ht\ttps://api.ex\nample/\r', ' https://api.example ',
  'https://api.example:443/', 'https://api.example:0443', 'https://api.example:99999/', 'https://api.example:/', 'https://api.example:8a/',
  'https://API.EXAMPLE/', 'https://api%2eexample/', 'https://api.example%00.evil.example/', 'https://api.example%2f@evil.example/',
  'https://ａｐｉ.example/', 'https://api。example/', 'https://api．example/', 'https://bücher.example/', 'https://faß.example/',
  'https://xn--bcher-kva.example/', 'https://xn--a/', 'https://a\u00adpi.example/', 'https://api.example./', 'https://api..example/',
  'http://127.1/', 'http://2130706433/', 'http://0x7f000001/', 'http://0177.0.0.1/', 'http://127.0.0.1.nip.io/', 'http://①②⑦.0.0.1/',
  'http://[::1]/', 'http://[0:0:0:0:0:0:0:1]:80/', 'http://[::ffff:127.0.0.1]/', 'http://[::1%25lo]/', 'http://[::1', 'http://256.0.0.1/',
  'https://api.example/a/../../b', 'https://api.example/a/%2e%2e/b', 'https://api.example/a\\..\\b', 'https://api.example//b', 'https://api.example/%zz?a=%zz',
  'javascript:alert(1)', 'javascript://api.example/%0aalert(1)', 'data:text/html,x', 'file:///etc/passwd', 'blob:https://api.example/1', '//api.example', '',
  'http://localhost:1/?code=a+b%2B&a=1&a=2#f', 'https://api.example/?a=ż&a=%C5%BC&a=%ff', 'https://user@api.example', 'https://api.example/#x',
];

/** What the package reads otherwise than Node: letters of a user name behind such a sign. No user name is ever let in. */
const isUserBeyondBmp = (text: string) => text.includes('@') && /[\ud800-\udfff]/.test(text);

export function describeEngine(name: string, startEngine: StartEngine): void {
  describe(name, () => {
    let bundle: string;
    beforeAll(async () => {
      bundle = readBundle();
    }, 60_000);

    const closers: (() => unknown)[] = [];
    afterEach(async () => {
      for (const close of closers.splice(0).reverse()) await close();
    });

    async function open(played: PlayedHost): Promise<Engine> {
      const engine = await startEngine(played.call);
      closers.push(engine.close);
      engine.load(bundle);
      engine.load('const host = Mortise.createEngineHost({ call: hostCall });');
      return engine;
    }

    interface Platform {
      readonly played: PlayedHost;
      readonly environment: string;
      readonly redirectUri: string;
      passMs(ms: number): void;
      tokenRequests(): number;
    }

    /** A platform, and a program whose user clicks Allow, or nothing at all. */
    async function serve(
      provider: SandboxProvider,
      { store = memoryStore(), user = 'clicks' }: { store?: KeyValueStore; user?: string } = {},
    ): Promise<Platform> {
      let passedMs = 0;
      const redirectUri = `http://localhost:${await freePort()}/callback`;
      const sandbox = createSandbox({
        provider,
        nowMs: () => Date.now() + passedMs,
        ...(provider === 'speckle' && { redirectUris: [redirectUri] }),
      });
      const served = await serveSandbox(sandbox);
      closers.push(served.close);
      const send = fetchTransport();
      let tokenRequests = 0;
      const host = createNodeHost({
        store,
        http(request) {
          if (/token/.test(request.url)) tokenRequests += 1;
          return send(request);
        },
        async openBrowser(url) {
          if (user !== 'clicks') return;
          const redirect = await answerConsent(send, url, { decision: 'allow' });
          void fetch(redirect).catch(() => {});
        },
      });
      return {
        played: playHost(host),
        environment: JSON.stringify(sandboxEnvironment(provider, served.url)),
        redirectUri,
        passMs: (ms) => void (passedMs += ms),
        tokenRequests: () => tokenRequests,
      };
    }

    const prevu3dSession = (environment: string) =>
      `const session = Mortise.createSession({ host, provider: Mortise.prevu3d({ clientId: 'any', scopes: ['read:basic', 'read:hierarchy'], environment: ${environment} }) });`;

    const BROWSE = `const { organization } = await session.api.getApiInfo();
      const names = (await session.api.browse(organization.id)).map((node) => node.name);`;

    test('case 204: nothing of the web is there, the bundle loads, and only six names are added', async () => {
      const engine = await startEngine(() => '');
      closers.push(engine.close);
      const present = `return ${JSON.stringify(WEB_NAMES)}.filter((name) => name in globalThis);`;
      expect(await engine.run(present)).toEqual([]);
      engine.load(bundle);
      expect(await engine.run(present)).toEqual(INSTALLED);
      expect(
        await engine.run('return Object.keys(globalThis).filter((name) => name !== "hostCall");'),
      ).toEqual(['Mortise']);
    });

    test('what the engine has is not replaced', async () => {
      const engine = await startEngine(() => '');
      closers.push(engine.close);
      engine.load('globalThis.TextDecoder = 1; globalThis.URL = function Own() {};');
      engine.load(bundle);
      expect(await engine.run('return [TextDecoder, URL.name, typeof TextEncoder]')).toEqual([
        1,
        'Own',
        'function',
      ]);
    });

    test('case 207: Prevu3D: sign-in, browse, a refresh, the same in a second engine, sign-out', async () => {
      const store = memoryStore();
      const { played, environment, passMs, tokenRequests } = await serve('prevu3d', { store });
      const first = await open(played);
      const divisions = ['Manufacturing', 'Oil & Gas', 'Empty'];
      expect(
        await first.run(`${prevu3dSession(environment)} globalThis.session = session;
          await session.signIn(); ${BROWSE} return [session.state.name, names];`),
      ).toEqual(['signedIn', divisions]);
      expect(tokenRequests()).toBe(1);

      // The token is past at the platform: one refresh, and the call goes through.
      passMs(24 * 3_600_000);
      expect(await first.run(`${BROWSE} return [session.state.name, names];`)).toEqual([
        'signedIn',
        divisions,
      ]);
      expect(tokenRequests()).toBe(2);
      expect(await first.run('await session.close();')).toBeNull();

      const second = await open(played);
      expect(
        await second.run(`${prevu3dSession(environment)}
          await session.restore(); const restored = session.state.name; ${BROWSE}
          await session.signOut(); const { name, reason } = session.state; await session.close();
          return [restored, names, name, reason];`),
      ).toEqual(['signedIn', divisions, 'signedOut', 'signedOut']);
    });

    test('Speckle: sign-in, projects, sign-out', async () => {
      const { played, environment, redirectUri } = await serve('speckle');
      const engine = await open(played);
      const result = await engine.run(`
        const provider = Mortise.speckle({ appId: 'any', redirectUri: ${JSON.stringify(redirectUri)}, ...${environment} });
        const session = Mortise.createSession({ host, provider });
        await session.signIn();
        const user = await session.api.activeUser();
        const names = [];
        for await (const { name } of session.api.projects({ limit: 2 })) names.push(name);
        await session.signOut();
        const { name } = session.state;
        await session.close();
        return { user: typeof user.id, names, name };`);
      expect(result).toMatchObject({ user: 'string', name: 'signedOut' });
      expect((result as { names: string[] }).names).toContain('Site Survey 2025');
    });

    test('a sign-in is cancelled: the redirect and the timers of the program are free', async () => {
      const { played, environment } = await serve('prevu3d', { user: 'walks away' });
      const engine = await open(played);
      expect(
        await engine.run(`${prevu3dSession(environment)}
          const stop = new AbortController();
          session.onChange(({ event }) => { if (event === 'addressReady') stop.abort(); });
          try { await session.signIn({ signal: stop.signal }); } catch ({ code }) { return [code, session.state.name]; }`),
      ).toEqual(['sign_in_cancelled', 'signedOut']);
      const methods = played.called.map(({ method }) => method);
      expect(methods).toContain('browser.release');
      const waits = played.called.filter(
        ({ method, params }) => method === 'wait' && params['ms'] === 300_000,
      );
      const cancelled = played.called
        .filter(({ method }) => method === 'cancel')
        .map(({ params }) => params.id);
      for (const { params } of waits) expect(cancelled).toContain(params.id);
    });

    test.each(['wait', 'tick'])('a user who never answers: the time limit, by %s', async (way) => {
      const { played, environment } = await serve('prevu3d', { user: 'walks away' });
      if (way === 'tick') played.methods['wait'] = () => new Refusal('unsupported');
      const engine = await open(played);
      const idle = setInterval(() => engine.load('host.tick();'), 20);
      closers.push(() => clearInterval(idle));
      expect(
        await engine.run(`${prevu3dSession(environment)}
          try { await session.signIn({ timeoutMs: 200 }); } catch ({ code }) { return [code, session.state.name]; }`),
      ).toEqual(['sign_in_timeout', 'signedOut']);
    });

    test.each<[name: string, random: PlayedHost['methods'][string]]>([
      ['is not there', () => new Refusal('unsupported')],
      ['repeats itself', ({ length }) => Buffer.alloc(length as number, 7).toString('base64')],
    ])('case 4: randomness that %s: refused before any address is made', async (_, random) => {
      const { played, environment } = await serve('prevu3d');
      played.methods['random'] = random;
      const engine = await open(played);
      expect(
        await engine.run(`${prevu3dSession(environment)}
          try { await session.signIn(); } catch ({ name, code }) { return [name, code, session.state.authorizationUrl ?? null]; }`),
      ).toEqual(['MortiseError', 'configuration_error', null]);
      expect(played.called.map(({ method }) => method)).not.toContain('browser.open');
    });

    test('case 153, 154: addresses are read as Node reads them, whatever their spelling', async () => {
      const piece = fc.oneof(
        fc.constantFrom(
          ...[
            'https:',
            'http:',
            '//',
            '/',
            '\\',
            '@',
            ':',
            '.',
            '..',
            '%2e',
            '%2f',
            '%',
            '[',
            ']',
            '::1',
            '127.1',
            '0x7f',
          ],
          ...[
            'api.example',
            'localhost',
            'evil',
            '443',
            '80',
            '?a=',
            '&code=',
            '#',
            '\t',
            '\n',
            ' ',
            '。',
            'ａ',
            'ß',
            'ż',
            '\u00ad',
            '+',
            '🏗',
          ],
        ),
        // The URL Standard has encoded ^ in a path since 2024; Node 20 and the package differ in that alone.
        fc.string({ maxLength: 3 }).map((text) => text.replaceAll('^', '')),
      );
      const text = fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join(''));
      const base = fc.constantFrom(null, 'https://api.example/v1/');
      const address = fc.oneof(
        fc.tuple(text, base),
        fc.tuple(
          text.map((rest) => `https://${rest}`),
          base,
        ),
      );
      const addresses = [
        ...SPELLINGS.flatMap((spelling) => [
          [spelling, null],
          [spelling, 'https://api.example/v1/'],
        ]),
        ...fc.sample(address, 600).filter(([text]) => !isUserBeyondBmp(text)),
      ];
      const engine = await startEngine(() => '');
      closers.push(engine.close);
      engine.load(bundle);
      const read = (await engine.run(
        `return ${JSON.stringify(addresses)}.map(${READ});`,
      )) as unknown[];
      const readHere = (0, eval)(READ) as (address: unknown) => unknown;
      const different = addresses.filter(
        (one, i) => JSON.stringify(readHere(one)) !== JSON.stringify(read[i]),
      );
      expect(different).toEqual([]);
    });

    test('text is read and written as Node does', async () => {
      // prettier-ignore
      const bytes = [[], [0x61], [0xc5, 0xbc], [0xff], [0xc5], [0xed, 0xa0, 0x80], [0xef, 0xbb, 0xbf, 0x61], [0xf0, 0x9f, 0x8f, 0x97], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]];
      const code = `(list) => list.map((bytes) => [true, false].map((fatal) => {
        try { return new TextDecoder('utf-8', { fatal }).decode(new Uint8Array(bytes)); } catch { return null; }
      }))`;
      const texts = ['', 'a', 'ż🏗', '\ud800', 'a\udc00b', '\u0000'];
      const encode = '(list) => list.map((text) => [...new TextEncoder().encode(text)])';
      const engine = await startEngine(() => '');
      closers.push(engine.close);
      engine.load(bundle);
      const here = (source: string, list: unknown) =>
        ((0, eval)(source) as (list: unknown) => unknown)(list);
      expect(await engine.run(`return (${code})(${JSON.stringify(bytes)});`)).toEqual(
        here(code, bytes),
      );
      expect(await engine.run(`return (${encode})(${JSON.stringify(texts)});`)).toEqual(
        here(encode, texts),
      );
    });
  });
}
