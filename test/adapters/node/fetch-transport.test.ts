import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fetchTransport } from '../../../adapters/node/fetch-transport.js';
import {
  describeHttpTransport,
  get,
  readText,
  serveLoopback,
} from '../../support/http-transport-contract.js';
import type { LoopbackServer } from '../../support/http-transport-contract.js';
import { createSelfSigned } from '../../support/self-signed.js';

const NO_PROXIES = {};

/** Jest has it, its types do not. */
interface ModuleMocks {
  unstable_mockModule(name: string, factory: () => unknown): void;
}

describeHttpTransport('node fetchTransport', () => fetchTransport({ env: NO_PROXIES }));

/** A proxy that alone knows where platform.example is: at `target`. */
async function serveProxy(target: LoopbackServer) {
  const seen: string[] = [];
  const server = createServer((_, response) => void response.writeHead(501).end());
  server.on('connect', (request, socket, head) => {
    const { host, 'proxy-authorization': credentials = 'nobody' } = request.headers;
    seen.push(`${request.url} for ${credentials}`);
    if (!host?.includes('platform.example')) return void socket.end('HTTP/1.1 403 No\r\n\r\n');
    const upstream = connect(Number(new URL(target.origin).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      if (head.length) upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, uri: `http://${host}`, seen, close: () => void server.close() };
}

describe('node fetchTransport: proxies', () => {
  let target: LoopbackServer;
  let proxy: Awaited<ReturnType<typeof serveProxy>>;
  beforeEach(async () => {
    target = await serveLoopback((request, response) => {
      if (request.method === 'PUT') request.pipe(response);
      else response.end(`hello from ${request.headers.host}`);
    });
    proxy = await serveProxy(target);
  });
  afterEach(async () => {
    proxy.close();
    await target.close();
  });

  const url = 'http://platform.example/a';
  const ask = async (env: Record<string, string>, to = url) =>
    readText((await fetchTransport({ env })(get(to))).body);

  test.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'])('%s is used', async (name) => {
    expect(await ask({ [name]: proxy.uri })).toBe('hello from platform.example');
    expect(proxy.seen).toEqual(['platform.example:80 for nobody']);
    expect(target.seen).toEqual(['GET /a']);
  });

  test('lower case comes first, the named protocol before ALL_PROXY', async () => {
    const wrong = 'http://127.0.0.1:1';
    const env = { http_proxy: proxy.uri, HTTP_PROXY: wrong, ALL_PROXY: wrong };
    expect(await ask(env)).toMatch(/^hello/);
  });

  test('an address without a scheme, with a name and password', async () => {
    expect(await ask({ HTTP_PROXY: `me:p%40ss@${proxy.host}` })).toMatch(/^hello/);
    const credentials = Buffer.from('me:p@ss').toString('base64');
    expect(proxy.seen).toEqual([`platform.example:80 for Basic ${credentials}`]);
  });

  test('https goes through HTTPS_PROXY, not through HTTP_PROXY', async () => {
    const https = 'https://platform.example/a';
    await expect(ask({ HTTPS_PROXY: proxy.uri }, https)).rejects.toThrow(); // no TLS at the target
    expect(proxy.seen).toEqual(['platform.example:443 for nobody']);
    await expect(ask({ HTTP_PROXY: proxy.uri }, 'https://nowhere.invalid/')).rejects.toThrow();
    expect(proxy.seen).toHaveLength(1);
  });

  test('uploads stream through it', async () => {
    const http = fetchTransport({ env: { HTTP_PROXY: proxy.uri } });
    const body = (async function* () {
      yield new TextEncoder().encode('one ');
      yield new TextEncoder().encode('two');
    })();
    expect(await readText((await http(get(url, { method: 'PUT', body }))).body)).toBe('one two');
  });

  test('the tunnel is kept for the next request', async () => {
    const http = fetchTransport({ env: { HTTP_PROXY: proxy.uri } });
    for (let i = 0; i < 6; i += 1) {
      expect(await readText((await http(get(url))).body)).toMatch(/^hello/);
    }
    // undici may open a second one while the first is not quite free again.
    expect(proxy.seen.length).toBeLessThanOrEqual(2);
  });

  test('case 62: loopback targets never go through it', async () => {
    const { port } = new URL(target.origin);
    for (const host of ['127.0.0.1', 'localhost', '127.1']) {
      expect(await ask({ ALL_PROXY: proxy.uri }, `http://${host}:${port}/`)).toMatch(/^hello/);
    }
    expect(proxy.seen).toEqual([]);
  });

  test('a host that merely begins like loopback does go through it', async () => {
    for (const host of ['127.0.0.1.evil.invalid', 'localhost.evil.invalid', 'notlocalhost']) {
      await expect(ask({ ALL_PROXY: proxy.uri }, `http://${host}/`)).rejects.toThrow();
    }
    expect(proxy.seen).toHaveLength(3);
  });

  test.each(['platform.example', '.example', '*'])('NO_PROXY=%s is honoured', async (noProxy) => {
    const env = { HTTP_PROXY: proxy.uri, NO_PROXY: noProxy };
    await expect(ask(env)).rejects.toThrow(); // without the proxy the name leads nowhere
    expect(proxy.seen).toEqual([]);
  });

  test('a refusal of the proxy is a failure, not an answer', async () => {
    await expect(ask({ HTTP_PROXY: proxy.uri }, 'http://other.invalid/')).rejects.toThrow();
    expect(proxy.seen).toHaveLength(1);
  });

  test('an address that is none says so, and keeps the password to itself', async () => {
    const error = await ask({ HTTP_PROXY: 'http://me:secret@:bad:' }).catch((error) => error);
    expect(error).toMatchObject({
      code: 'configuration_error',
      hint: expect.stringContaining('HTTP_PROXY'),
    });
    expect(JSON.stringify([error, String(error)])).not.toContain('secret');
  });

  test('the environment is read at the first request', async () => {
    const http = fetchTransport();
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = proxy.uri;
    try {
      expect(await readText((await http(get(url))).body)).toMatch(/^hello/);
    } finally {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    }
  });

  test('a caller’s own fetch is used, and no proxy', async () => {
    const calls: unknown[] = [];
    const fetch: typeof globalThis.fetch = async (_, init) => {
      calls.push(init);
      return new Response('own');
    };
    const http = fetchTransport({ fetch, env: { ALL_PROXY: proxy.uri } });
    expect(await readText((await http(get(url))).body)).toBe('own');
    expect(calls[0]).toMatchObject({ redirect: 'manual', credentials: 'omit', cache: 'no-store' });
    expect(proxy.seen).toEqual([]);
  });

  test('without undici: says what to install, and only where a proxy is needed', async () => {
    jest.resetModules();
    (jest as unknown as ModuleMocks).unstable_mockModule('undici', () => {
      throw new Error('Cannot find package');
    });
    try {
      const http = fetchTransport({ env: { ALL_PROXY: proxy.uri } });
      for (let i = 0; i < 2; i += 1) {
        await expect(http(get(url))).rejects.toMatchObject({
          code: 'configuration_error',
          hint: expect.stringContaining('npm install undici'),
        });
      }
      expect((await http(get(target.origin))).status).toBe(200);
    } finally {
      jest.unstable_unmockModule('undici');
      jest.resetModules();
    }
  });
});

describe('node fetchTransport: TLS', () => {
  test('case 117: a certificate that nobody vouches for is refused', async () => {
    let requests = 0;
    const server = createTlsServer(createSelfSigned(), (_, response) => {
      requests += 1;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const http = fetchTransport({ env: NO_PROXIES });
      for (const host of ['127.0.0.1', 'localhost']) {
        const headers = { authorization: 'Bearer secret' };
        await expect(http(get(`https://${host}:${port}/`, { headers }))).rejects.toMatchObject({
          cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
        });
      }
      expect(requests).toBe(0);
    } finally {
      server.close();
    }
  });
});
