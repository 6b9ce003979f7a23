import {
  createServer,
  request as send,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What is said in place of the server. */
export interface Said {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What happens to one request on its way. */
export type Fault =
  | { readonly fault: 'none' }
  /** The connection ends: before the server has heard of it, or when it has answered. */
  | { readonly fault: 'cut'; readonly when: 'before' | 'after' | 'in the middle of the answer' }
  /** Nothing comes, and nothing ends. */
  | { readonly fault: 'hang'; readonly when: 'before' | 'after' | 'in the middle of the answer' }
  /** Somebody else answers; `after`: when the server has, whose answer is lost. */
  | { readonly fault: 'say'; readonly when: 'before' | 'after'; readonly said: Said }
  | { readonly fault: 'delay'; readonly ms: number }
  /** The server hears it twice; its first answer or its second one arrives. */
  | { readonly fault: 'duplicate'; readonly deliver: 'first' | 'second' }
  /** The server's answer, as something on the way makes it. */
  | { readonly fault: 'corrupt'; readonly how: (body: Buffer) => Uint8Array | string };

export interface FaultProxy {
  /** What stands in the place of the server's own address. */
  readonly origin: string;
  /** Requests so far, by method and path. */
  readonly seen: readonly string[];
  /** Where everything goes that passes. */
  leadTo(target: string): void;
  /** From now on, for requests that this fits; the first one that fits is asked. */
  on(fits: (request: IncomingMessage, body: string) => boolean, fault: Fault): void;
  /** Everything passes again. */
  clear(): void;
  /** The cable is pulled: connections end, and new ones are refused. */
  goOffline(): Promise<void>;
  goOnline(): Promise<void>;
  stop(): Promise<void>;
}

export const isTokenRequest = (grantType: string) => (request: IncomingMessage, body: string) =>
  request.method === 'POST' && body.includes(`grant_type=${grantType}`);

interface Answered {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** A way to a server that is not what it should be. It understands HTTP, and keeps the order of requests. */
export async function startFaultProxy(): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  let target = '';
  let faults: { fits: (request: IncomingMessage, body: string) => boolean; fault: Fault }[] = [];

  function forward(request: IncomingMessage, body: Buffer): Promise<Answered> {
    const { connection, ...headers } = request.headers;
    return new Promise((done, fail) => {
      // Host and all as it was asked for: a server describes itself by it.
      const options = { method: request.method ?? 'GET', headers, agent: false };
      const onward = send(new URL(request.url ?? '', target), options, async (answer) => {
        const { connection, 'keep-alive': _, 'transfer-encoding': __, ...kept } = answer.headers;
        const status = answer.statusCode ?? 0;
        readAll(answer).then((text) => done({ status, headers: kept, body: text }), fail);
      });
      onward.on('error', fail).end(body);
    });
  }

  const give = (response: ServerResponse, { status, headers, body }: Answered | Said) => {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body ?? '') });
    response.end(body);
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    seen.push(`${request.method} ${request.url?.split('?')[0]}`);
    const found = faults.find(({ fits }) => fits(request, body.toString()));
    const fault: Fault = found?.fault ?? { fault: 'none' };
    const { socket } = request;
    const isBefore = 'when' in fault && fault.when === 'before';
    const answer = isBefore ? undefined : await forward(request, body);
    if (fault.fault === 'say') return give(response, fault.said);
    if (fault.fault === 'duplicate') {
      const second = await forward(request, body);
      return give(response, fault.deliver === 'first' && answer ? answer : second);
    }
    if (answer && 'when' in fault && fault.when === 'in the middle of the answer') {
      response.writeHead(answer.status, answer.headers);
      const half = answer.body.subarray(0, answer.body.length / 2);
      await new Promise((written) => response.write(half, written));
    }
    if (fault.fault === 'cut') return void socket.destroy();
    if (fault.fault === 'hang' || !answer) return;
    if (fault.fault === 'delay') await new Promise((done) => setTimeout(done, fault.ms));
    const changed = fault.fault === 'corrupt' ? Buffer.from(fault.how(answer.body)) : answer.body;
    give(response, { ...answer, body: changed });
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.keepAliveTimeout = 600_000;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.unref();
  });
  const listen = (port: number) =>
    new Promise<void>((done) => server.listen(port, '127.0.0.1', done).unref());
  const leave = async () => {
    const closed = new Promise((done) => server.close(done));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;

  return {
    origin: `http://127.0.0.1:${port}`,
    seen,
    leadTo(address) {
      target = address;
    },
    on: (fits, fault) => void faults.push({ fits, fault }),
    clear() {
      faults = [];
    },
    goOffline: leave,
    goOnline: () => listen(port),
    stop: async () => {
      if (server.listening) await leave();
    },
  };
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
