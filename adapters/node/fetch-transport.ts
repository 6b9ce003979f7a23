import { MortiseError } from '../../src/errors.js';
import type { HttpRequest, HttpTransport } from '../../src/ports/index.js';
import { BROWSER_RULES, isByteStream, sendWithFetch } from '../web/fetch-transport.js';
import type { Fetch, FetchRules } from '../web/fetch-transport.js';

export interface FetchTransportOptions {
  /** Takes the place of Node's own `fetch`, proxies included: for certificates, Electron, or a test. */
  readonly fetch?: Fetch | undefined;
  /** Where the proxy variables are read, at the first request. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Node's `fetch` keeps no cookies and no cache; being told so again costs 5 % of a short request. */
const NODE_RULES: FetchRules = { redirect: 'manual', duplex: 'half' };

/** A `fetch` we know nothing about: Electron's, for one, has cookies and a cache. */
const FOREIGN_RULES: FetchRules = { ...BROWSER_RULES, duplex: 'half' };

/**
 * HTTP by Node's `fetch`, through the proxy that the environment names.
 *
 * Read are `HTTPS_PROXY` for https, `HTTP_PROXY` for http, `ALL_PROXY` in place of either, and `NO_PROXY`
 * (each in lower case first). `HTTP_PROXY` alone does not send https through it, as with curl. A loopback
 * target is always reached directly. A proxy needs the optional package `undici`, since Node 20's own
 * `fetch` knows none; without it such a request rejects with `configuration_error`.
 */
export function fetchTransport({ fetch, env }: FetchTransportOptions = {}): HttpTransport {
  if (fetch) return (request) => sendWithFetch(fetch, request, bodyOf(request), FOREIGN_RULES);
  let proxies: Proxies | null | undefined;
  let proxied: Promise<Fetch> | undefined;
  return async (request) => {
    if (proxies === undefined) proxies = readProxies(env ?? process.env);
    const send =
      proxies && needsProxy(request.url, proxies)
        ? await (proxied ??= createProxiedFetch(proxies))
        : globalThis.fetch;
    return sendWithFetch(send, request, bodyOf(request), NODE_RULES);
  };
}

/** Empty text: none. That is also what keeps undici from reading the environment again. */
interface Proxies {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

function readProxies(env: Readonly<Record<string, string | undefined>>): Proxies | null {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || '';
  // As with curl, an address without a scheme means http.
  const readUri = (name: string) => read(name).replace(/^(?!$|[\w+.-]+:\/\/)/, 'http://');
  const httpProxy = readUri('HTTP_PROXY') || readUri('ALL_PROXY');
  const httpsProxy = readUri('HTTPS_PROXY') || readUri('ALL_PROXY');
  return httpProxy || httpsProxy ? { httpProxy, httpsProxy, noProxy: read('NO_PROXY') } : null;
}

function needsProxy(url: string, { httpProxy, httpsProxy }: Proxies): boolean {
  const { protocol, hostname } = new URL(url);
  if (/^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname)) return false;
  return !!(protocol === 'https:' ? httpsProxy : httpProxy);
}

async function createProxiedFetch(proxies: Proxies): Promise<Fetch> {
  const undici = await import('undici').catch(() => {
    throw new MortiseError(
      'configuration_error',
      { problem: 'proxy variables are set in the environment, and the package undici is missing' },
      { hint: 'npm install undici, or unset the proxy variables.' },
    );
  });
  const { fetch } = undici;
  try {
    const dispatcher = new undici.EnvHttpProxyAgent(proxies);
    type Input = Parameters<typeof fetch>[0];
    type Init = Parameters<typeof fetch>[1];
    return (async (input: Input, init: Init) =>
      fetch(input, { ...init, dispatcher })) as unknown as Fetch;
  } catch {
    // The cause would quote the address, password included.
    throw new MortiseError(
      'configuration_error',
      { problem: 'a proxy variable in the environment is not an address' },
      { hint: 'Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY.' },
    );
  }
}

function bodyOf({ body }: HttpRequest): string | Uint8Array | ReadableStream | null {
  if (!isByteStream(body)) return body ?? null;
  const pieces = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return?.();
      },
    },
    // Nothing is taken from the caller before the socket asks for it.
    { highWaterMark: 0 },
  );
}
