import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Sandbox } from '../../src/sandbox/index.js';

export interface ServeSandboxOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** How the address is spelled. Nothing but loopback is bound either way. */
  readonly hostname?: 'localhost' | '127.0.0.1';
}

export interface ServedSandbox {
  /** Such as `http://localhost:49152`, without a slash behind it. */
  readonly url: string;
  /** Frees the port and every connection at once. Safe to call twice. */
  close(): Promise<void>;
}

/** A site that points its own name at 127.0.0.1 must not be able to read what is served here. */
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

function readHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

async function answer(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const host = request.headers.host ?? '';
  if (!LOOPBACK_HOST.test(host)) {
    response.writeHead(421).end();
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const { pipeline } = await import('node:stream/promises');
    const { status, headers, body } = await sandbox({
      method: request.method ?? 'GET',
      url: `http://${host}${request.url ?? '/'}`,
      headers: readHeaders(request),
      body: request,
      signal: gone.signal,
    });
    response.statusCode = status;
    for (const [name, value] of headers) response.setHeader(name, value);
    response.flushHeaders();
    await pipeline(body, response);
  } catch {
    // The sandbox rejects where a real server's connection breaks: let it break here, too.
    if (response.headersSent) response.destroy();
    else request.socket.resetAndDestroy();
  }
}

/** @returns The port, or `null` when this computer has no such address. */
function listen(server: Server, port: number, host: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT';
      if (isMissing) resolve(null);
      else reject(error);
    });
    server.listen({ port, host }, () => resolve((server.address() as AddressInfo).port));
  });
}

/**
 * Serves a sandbox at one origin of this computer, to nobody else.
 *
 * @throws Node's own error, such as EADDRINUSE, when the port cannot be had.
 */
export async function serveSandbox(
  sandbox: Sandbox,
  { port = 0, hostname = 'localhost' }: ServeSandboxOptions = {},
): Promise<ServedSandbox> {
  const { createServer } = await import('node:http');
  // A browser tries ::1 for localhost, often first: leave no room there for another program.
  const addresses = hostname === 'localhost' ? ['127.0.0.1', '::1'] : [hostname];
  const servers: Server[] = [];
  let bound = port;

  async function close(): Promise<void> {
    await Promise.all(
      servers.splice(0).map((server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        return closed;
      }),
    );
  }

  try {
    for (const address of addresses) {
      const server = createServer((request, response) => void answer(sandbox, request, response));
      servers.push(server);
      bound = (await listen(server, bound, address)) ?? bound;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://${hostname}:${bound}`, close };
}
