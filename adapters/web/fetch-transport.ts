import { MortiseError } from '../../src/errors.js';
import type {
  ByteStream,
  HttpRequest,
  HttpResponse,
  HttpTransport,
} from '../../src/ports/index.js';

export type Fetch = typeof globalThis.fetch;

/** What `fetch` is told beside the request itself. Neither DOM nor Node types know all four. */
export type FetchRules = RequestInit & { readonly cache?: 'no-store'; readonly duplex?: 'half' };

export interface FetchTransportOptions {
  /** Takes the place of the runtime's own `fetch`: for certificates, a proxy, or a test. */
  readonly fetch?: Fetch | undefined;
}

/** No cookies, nothing into or out of the cache, no word of the page, and a 3xx is an answer. */
export const BROWSER_RULES: FetchRules = {
  redirect: 'manual',
  credentials: 'omit',
  cache: 'no-store',
  referrerPolicy: 'no-referrer',
};

/**
 * HTTP by the runtime's own `fetch`, looked up at each request.
 *
 * A streaming upload is gathered first: Chromium streams over HTTP/2 only, and Firefox and Safari would
 * send the words "[object ReadableStream]" in its place.
 */
export function fetchTransport({ fetch }: FetchTransportOptions = {}): HttpTransport {
  return async (request) => {
    const { body, signal } = request;
    const upload = isByteStream(body) ? await gather(body, signal) : (body ?? null);
    return sendWithFetch(fetch ?? globalThis.fetch, request, upload, BROWSER_RULES);
  };
}

/** One request by `fetch`. Its rejections pass as they are; the core names them. */
export async function sendWithFetch(
  fetch: Fetch,
  { method, url, headers, signal }: HttpRequest,
  body: string | Uint8Array | ReadableStream | null,
  rules: FetchRules,
): Promise<HttpResponse> {
  const init = { ...rules, method, headers, body: body as string | null, signal };
  const response = await fetch(url, init);
  // A browser hides where a redirect leads, and everything else about it, behind this status.
  if (response.status === 0) {
    throw new MortiseError(
      'network_error',
      { host: new URL(url).host },
      { hint: 'The server redirects, which is not followed. Check its address.', retryable: false },
    );
  }
  const { status, headers: received } = response;
  return { status, headers: received, body: readBody(response.body, lengthOf(response)) };
}

export function isByteStream(body: HttpRequest['body']): body is ByteStream {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

/**
 * Bytes to come, where that can be known: a compressed body has another length once decoded. A browser hides from another
 * origin that it was compressed, but not the length (Fetch, "CORS-safelisted response-header name").
 */
function lengthOf({ headers, type }: Response): number {
  const length = headers.get('content-length');
  const isKnown = type === 'basic' && length !== null && !headers.has('content-encoding');
  return isKnown ? Number(length) : Infinity;
}

const DONE = { done: true, value: undefined } as const;

/**
 * Not every browser makes a stream async iterable. Stops at the promised length rather than ask once
 * more for the end; that is measured a tenth faster than `text()`.
 */
function readBody(stream: ReadableStream<Uint8Array> | null, length: number): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      if (!stream) return { next: async () => DONE };
      let left = length;
      const reader = stream.getReader();
      return {
        async next() {
          if (left <= 0) return DONE;
          const { done, value } = await reader.read();
          if (done) return DONE;
          left -= value.length;
          return { done: false, value };
        },
        async return() {
          // Not awaited: who leaves the loop shall not wait for the network once more.
          reader.cancel().catch(() => {});
          return DONE;
        },
      };
    },
  };
}

/** An aborted upload stops here; `fetch` then refuses it by itself. */
async function gather(pieces: ByteStream, signal: AbortSignal): Promise<Uint8Array> {
  const read: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    if (signal.aborted) break;
    read.push(piece);
    length += piece.length;
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of read) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
