import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { ByteStream, HttpRequest, HttpTransport } from '../../src/ports/index.js';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface LoopbackServer {
  readonly origin: string;
  /** Method and path of every request, in order. */
  readonly seen: string[];
  /**
   * Whether the socket of every request so far is closed. Not the number of open ones: after a broken
   * request, undici (Node 20) opens one more in advance.
   */
  freed(): boolean;
  close(): Promise<void>;
}

export async function serveLoopback(answer: Answer): Promise<LoopbackServer> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    sockets.add(request.socket);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    freed: () => sockets.size > 0 && [...sockets].every((socket) => socket.destroyed),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', url, headers: {}, signal: new AbortController().signal, ...more };
}

export async function readText(body: ByteStream): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** Polls, since nobody tells when a socket is gone. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`did not come true: ${holds}`);
}

/** What every HTTP transport must do, against a real server on loopback. */
export function describeHttpTransport(
  name: string,
  setup: () => HttpTransport | Promise<HttpTransport>,
): void {
  describe(`${name}: an HTTP transport`, () => {
    let http: HttpTransport;
    let servers: LoopbackServer[] = [];
    const serve = async (answer: Answer): Promise<LoopbackServer> => {
      const server = await serveLoopback(answer);
      servers.push(server);
      return server;
    };
    beforeEach(async () => {
      http = await setup();
    });
    afterEach(async () => {
      await Promise.all(servers.map((server) => server.close()));
      servers = [];
    });

    test('gives status, headers by lower-case name, and the body', async () => {
      const { origin } = await serve((_, response) => {
        response.writeHead(418, { 'Content-Type': 'text/plain', 'X-Two': ['a', 'b'] }).end('tea €');
      });
      const response = await http(get(`${origin}/pot?a=1`));
      expect(response.status).toBe(418);
      expect(response.headers.get('content-type')).toBe('text/plain');
      expect(response.headers.get('x-two')).toBe('a, b');
      expect(response.headers.get('x-none') ?? null).toBeNull();
      expect(await readText(response.body)).toBe('tea €');
    });

    test('sends method, path, headers and a text body', async () => {
      let received: unknown;
      const { origin, seen } = await serve(async (request, response) => {
        const { authorization, cookie } = request.headers;
        received = { authorization, cookie, type: request.headers['content-type'] };
        response.end(await readText(request));
      });
      const headers = { authorization: 'Bearer t', 'content-type': 'application/json' };
      const more = { method: 'PATCH', headers, body: '{"a":"€"}' };
      const response = await http(get(`${origin}/x?y=%20z`, more));
      expect(await readText(response.body)).toBe('{"a":"€"}');
      expect(seen).toEqual(['PATCH /x?y=%20z']);
      expect(received).toEqual({ authorization: 'Bearer t', type: 'application/json' });
    });

    test('sends bytes as they are, part of a larger buffer too', async () => {
      const { origin } = await serve((request, response) => void request.pipe(response));
      const body = new Uint8Array([9, 0, 255, 128, 9]).subarray(1, 4);
      const response = await http(get(origin, { method: 'POST', body }));
      const pieces = [];
      for await (const piece of response.body) pieces.push(...piece);
      expect(pieces).toEqual([0, 255, 128]);
    });

    test('uploads what an iterable yields', async () => {
      const { origin } = await serve((request, response) => void request.pipe(response));
      const body = (async function* () {
        for (const word of ['one ', 'two ', 'three']) yield new TextEncoder().encode(word);
      })();
      const response = await http(get(origin, { method: 'PUT', body }));
      expect(await readText(response.body)).toBe('one two three');
    });

    test('rejects when the upload itself fails', async () => {
      const { origin } = await serve((request, response) => void request.pipe(response));
      const body = (async function* () {
        yield new Uint8Array(1);
        throw new Error('disk');
      })();
      await expect(http(get(origin, { method: 'PUT', body }))).rejects.toThrow();
    });

    test('hands over the pieces of a body as they come', async () => {
      let finish = () => {};
      const { origin } = await serve((_, response) => {
        response.write('first');
        finish = () => response.end('second');
      });
      const { body } = await http(get(origin));
      const pieces = [];
      for await (const piece of body) {
        pieces.push(Buffer.from(piece).toString());
        finish();
      }
      expect(pieces).toEqual(['first', 'second']);
    });

    test('decodes gzip', async () => {
      const { origin } = await serve((_, response) => {
        response.setHeader('content-encoding', 'gzip').end(gzipSync('x'.repeat(100_000)));
      });
      const { body } = await http(get(origin));
      expect(await readText(body)).toBe('x'.repeat(100_000));
    });

    test.each([204, 200])('gives an empty body for an empty %i', async (status) => {
      const { origin } = await serve((_, response) => void response.writeHead(status).end());
      const response = await http(get(origin));
      expect(response.status).toBe(status);
      expect(await readText(response.body)).toBe('');
    });

    test('sends no cookie that was set before', async () => {
      const cookies: unknown[] = [];
      const { origin } = await serve((request, response) => {
        cookies.push(request.headers.cookie);
        response.setHeader('set-cookie', 'sid=1; Path=/').end();
      });
      for (let i = 0; i < 2; i += 1) await readText((await http(get(origin))).body);
      expect(cookies).toEqual([undefined, undefined]);
    });

    test.each([301, 302, 303, 307, 308])('case 98: does not follow a %i', async (status) => {
      const target = await serve((_, response) => void response.end());
      const { origin, seen } = await serve((request, response) => {
        const location = request.url === '/same' ? '/target' : `${target.origin}/target`;
        response.writeHead(status, { location }).end('moved');
      });
      for (const path of ['/same', '/other']) {
        const more = { method: 'POST', headers: { authorization: 'Bearer t' }, body: 'secret' };
        const response = await http(get(origin + path, more));
        expect(response.status).toBe(status);
        expect(response.headers.get('location')).toMatch(/target$/);
        expect(await readText(response.body)).toBe('moved');
      }
      expect(target.seen).toEqual([]);
      expect(seen).toEqual(['POST /same', 'POST /other']);
    });

    test('rejects when it was aborted before, without a request', async () => {
      const { origin, seen } = await serve((_, response) => void response.end());
      await expect(http(get(origin, { signal: AbortSignal.abort() }))).rejects.toBeDefined();
      expect(seen).toEqual([]);
    });

    test('case 116: frees the socket when aborted before the headers', async () => {
      const { origin, seen, freed } = await serve(() => {});
      const { signal, abort } = controller();
      const response = http(get(origin, { signal }));
      response.catch(() => {});
      await eventually(() => seen.length === 1);
      abort();
      await expect(response).rejects.toBeDefined();
      await eventually(freed);
    });

    test('case 166: frees the socket when aborted amid the body', async () => {
      const { origin, freed } = await serve((_, response) => void response.write('some'));
      const { signal, abort } = controller();
      const { body } = await http(get(origin, { signal }));
      const read = async () => {
        for await (const piece of body) if (piece.length) abort();
      };
      await expect(read()).rejects.toBeDefined();
      await eventually(freed);
    });

    test.each(['break', 'throw'])('frees the socket of a reader who leaves by %s', async (way) => {
      const { origin, freed } = await serve((_, response) => void response.write('some'));
      const { body } = await http(get(origin));
      const read = async () => {
        for await (const piece of body) {
          if (way === 'break') break;
          throw new Error(`enough after ${piece.length}`);
        }
      };
      await (way === 'break' ? read() : expect(read()).rejects.toThrow('enough after 4'));
      await eventually(freed);
    });

    test('is not disturbed by an abort after the end', async () => {
      const { origin } = await serve((_, response) => void response.end('all'));
      const { signal, abort } = controller();
      const { body } = await http(get(origin, { signal }));
      expect(await readText(body)).toBe('all');
      abort();
    });

    test('rejects when the connection is reset before the headers', async () => {
      const { origin } = await serve((request) => void request.socket.destroy());
      await expect(http(get(origin))).rejects.toBeDefined();
    });

    test('case 102: fails the reader when the connection is reset amid the body', async () => {
      const { origin } = await serve((request, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('some', () => request.socket.destroy());
      });
      const { body } = await http(get(origin));
      await expect(readText(body)).rejects.toBeDefined();
    });

    test('rejects when nobody listens', async () => {
      const { origin, close } = await serve(() => {});
      await close();
      servers = [];
      await expect(http(get(origin))).rejects.toBeDefined();
    });
  });
}

function controller(): { signal: AbortSignal; abort: () => void } {
  const inner = new AbortController();
  return { signal: inner.signal, abort: () => inner.abort() };
}
