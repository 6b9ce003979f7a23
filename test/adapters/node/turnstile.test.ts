import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fetchTransport } from '../../../adapters/node/fetch-transport.js';
import { createTurnstile } from '../../../adapters/node/turnstile.js';

test('lets a few through at a time, in order, also past those that fail', async () => {
  const turnstile = createTurnstile(2);
  const begun: number[] = [];
  let running = 0;
  let most = 0;
  const task = (index: number) => async () => {
    begun.push(index);
    running += 1;
    most = Math.max(most, running);
    await new Promise((done) => setImmediate(done));
    running -= 1;
    if (index % 2) throw new Error('odd');
    return index;
  };
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map((index) => turnstile(task(index))));
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
  ]);
});

test('case 172: a thousand requests at once open no thousand sockets', async () => {
  let open = 0;
  let most = 0;
  const server = createServer((_, response) => void setTimeout(() => response.end('ok'), 5));
  server.on('connection', (socket) => {
    most = Math.max(most, (open += 1));
    socket.on('close', () => (open -= 1));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const http = fetchTransport();
  const { signal } = new AbortController();
  const get = async () => {
    const request = { method: 'GET', url: `http://127.0.0.1:${port}/`, headers: {}, signal };
    const { status, body } = await http(request);
    for await (const piece of body) void piece;
    return status;
  };
  const statuses = await Promise.all(Array.from({ length: 1000 }, get));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(most).toBeLessThanOrEqual(96);
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
