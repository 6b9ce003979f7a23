import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MortiseError, isMortiseError } from '../../src/errors.js';
import type { Clock, RedirectRule, RedirectUserAgent } from '../../src/ports/index.js';
import { buildLandingTexts } from './landing-page.js';
import type { LandingTexts } from './landing-page.js';
import { createRedirectionEndpoint } from './redirection-endpoint.js';

export interface LoopbackUserAgentOptions {
  /** Resolves when the address was handed to a browser, rejects when none could be opened. */
  readonly openBrowser: (url: string) => Promise<void>;
  readonly texts?: Partial<LandingTexts> | undefined;
  readonly clock: Clock;
}

/** How often "any port" is tried: one that is free in IPv4 may be taken in IPv6. */
const ATTEMPTS = 20;

const SERVER_OPTIONS = {
  insecureHTTPParser: false, // also under --insecure-http-parser
  keepAlive: false,
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
} as const;

/** What to hold for each host name: which of its addresses `localhost` means is the browser's choice. */
const ADDRESSES: ReadonlyMap<string, readonly string[]> = new Map([
  ['localhost', ['127.0.0.1', '::1']],
  ['127.0.0.1', ['127.0.0.1']],
  ['[::1]', ['::1']],
]);

/** The machine lacks the address family, as opposed to another program holding the port. */
const ABSENT: readonly unknown[] = ['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'];

/** Somewhere the redirect could land. Port 0 is whichever is free. */
interface Place {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly uriAt: (port: number) => string;
}

function readPlace(uri: string, uriAt: Place['uriAt']): Place[] {
  if (!URL.canParse(uri) || uri.includes('#')) return [];
  const { protocol, username, password, hostname, port, pathname } = new URL(uri);
  const addresses = ADDRESSES.get(hostname);
  const isPlain = protocol === 'http:' && !username && !password && !pathname.startsWith('//');
  return isPlain && addresses ? [{ addresses, port: Number(port || 80), uriAt }] : [];
}

function readPlaces(rule: RedirectRule): Place[] {
  if (!('loopback' in rule)) {
    return rule.flatMap((uri) => readPlace(uri, () => uri)).filter(({ port }) => port !== 0);
  }
  const { loopback, path, ports } = rule;
  // Without its slash a path would run into the port or the host: "0/x", "@example.com/".
  if (path && !path.startsWith('/')) return [];
  const uriAt = (port: number) => `http://${loopback}:${port}${path}`;
  const wanted = ports === 'any' ? Array<number>(ATTEMPTS).fill(0) : ports;
  return wanted.flatMap((port) => readPlace(uriAt(port), uriAt));
}

const listen = (server: Server, host: string, port: number) =>
  new Promise<number>((resolve, reject) => {
    // Stays for good: what goes wrong with a server that listens is nobody's exception.
    server.on('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });

const stop = (server: Server) =>
  new Promise<void>((done) => {
    server.close(() => done());
    // Browsers connect ahead of need, and `close` alone would wait for such a silent connection.
    server.closeAllConnections();
  });

/** Holds every address of a place on one port, or nothing of it. */
async function hold({ addresses, port, uriAt }: Place, create: () => Server) {
  const servers: Server[] = [];
  for (const address of addresses) {
    const server = create();
    try {
      port = await listen(server, address, port);
      servers.push(server);
    } catch (error) {
      if (addresses.length > 1 && ABSENT.includes(Object(error).code)) continue;
      await Promise.all(servers.map(stop));
      return undefined;
    }
  }
  return servers.length > 0 ? { servers, redirectUri: uriAt(port) } : undefined;
}

/** RFC 8252 section 7.3: a browser, and a port of this machine for the redirect to land on. */
export function createLoopbackUserAgent(options: LoopbackUserAgentOptions): RedirectUserAgent {
  const texts = buildLandingTexts(options.texts);
  return {
    async open({ redirect, signal, onRedirect }) {
      const places = readPlaces(redirect);
      if (places.length === 0) {
        throw new MortiseError('configuration_error', { problem: 'no loopback redirect' });
      }
      // Loaded here, because most runs of a program that imports this sign nobody in.
      const { createServer } = await import('node:http');
      let held: Awaited<ReturnType<typeof hold>>;
      for (const place of places) {
        held ??= await hold(place, () => createServer(SERVER_OPTIONS));
      }
      if (!held) {
        const ports = [...new Set(places.map(({ port }) => port))].filter(Boolean);
        throw new MortiseError('redirect_port_in_use', { ports });
      }

      const { servers, redirectUri } = held;
      const endpoint = createRedirectionEndpoint(redirectUri, texts, onRedirect);
      for (const server of servers) {
        server.on('request', endpoint.answer).on('clientError', endpoint.answerMalformed);
      }
      let endNavigation = () => {};
      const ended = new Promise<void>((done) => (endNavigation = done));
      const closeOnce = async () => {
        signal.removeEventListener('abort', close);
        endNavigation();
        await endpoint.farewell(options.clock);
        await Promise.all(servers.map(stop));
      };
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= closeOnce());
      if (signal.aborted) {
        await close();
        throw new MortiseError('aborted', {});
      }
      signal.addEventListener('abort', close);

      return {
        redirectUri,
        async navigate(authorizationUrl) {
          if (closing) throw new MortiseError('aborted', {});
          try {
            // A browser that never answers must not outlive the visit.
            await Promise.race([options.openBrowser(authorizationUrl), ended]);
          } catch (error) {
            throw isMortiseError(error) ? error : new MortiseError('browser_not_opened', {});
          }
          if (closing) throw new MortiseError('aborted', {});
        },
        close,
      };
    },
  };
}
