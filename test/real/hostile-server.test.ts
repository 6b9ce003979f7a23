import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { fetchTransport } from '../../adapters/node/fetch-transport.js';
import { systemClock } from '../../adapters/web/system-clock.js';
import { exchange } from '../../src/http/exchange.js';
import { createInFlight } from '../../src/http/guard.js';

const MAX_BYTES = 1 << 20;

/** Asks a server that means harm, and waits until the socket is free again. */
async function ask(listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const isFree = new Promise<void>((done) =>
    server.on('connection', (socket) => socket.once('close', () => done())),
  );
  const { port } = server.address() as AddressInfo;
  const host = { http: fetchTransport(), clock: systemClock };
  const request = { method: 'GET', url: `http://127.0.0.1:${port}/`, headers: {} };
  const read = async () => {
    const answer = await exchange(host, request, { timeoutMs: 500, inFlight: createInFlight() });
    return answer.bytes(MAX_BYTES);
  };
  const outcome = await read().catch((error: unknown) => error);
  await isFree;
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  return outcome;
}

const failing = (code: string) => expect.objectContaining({ name: 'MortiseError', code });

test('case 101: a gzip bomb is cut at the limit, counted after decoding', async () => {
  const bomb = gzipSync(Buffer.alloc(256 << 20));
  expect(bomb.length).toBeLessThan(MAX_BYTES);
  const before = process.memoryUsage.rss();
  const outcome = await ask((_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
  });
  expect(outcome).toEqual(failing('malformed_response'));
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 << 20);
});

test('case 101: an answer without end is cut at the limit', async () => {
  const outcome = await ask((_, response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  });
  expect(outcome).toEqual(failing('malformed_response'));
});

test.each<[string, RequestListener]>([
  ['says nothing', () => {}],
  ['sends headers and then nothing', (_, response) => void response.writeHead(200).flushHeaders()],
])('case 116: a server that %s is given up on, and its socket freed', async (_, listener) => {
  expect(await ask(listener)).toEqual(failing('timeout'));
});

test('case 102: an answer that breaks off is a network_error', async () => {
  const outcome = await ask((_, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half');
    setImmediate(() => response.destroy());
  });
  expect(outcome).toEqual(failing('network_error'));
});
