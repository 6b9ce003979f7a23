import { MortiseError } from '../errors.js';
import type { ByteStream, Host, HttpRequest, HttpResponse, HttpTransport } from '../ports/index.js';
import { createGuard, type Guard, type InFlight } from './guard.js';

export interface ExchangeOptions {
  readonly timeoutMs: number;
  readonly inFlight: InFlight;
  readonly signal?: AbortSignal | undefined;
}

/** A response whose body is read under the request's limits. */
export interface Answer {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  /** @throws {MortiseError} `malformed_response` past `maxBytes`, counted after decoding. */
  bytes(maxBytes: number): Promise<Uint8Array>;
  /** Each piece may take `timeoutMs`. */
  stream(): ByteStream;
  /** The same answer, its body watched on the way. */
  through(watcher: (body: ByteStream) => ByteStream): Pick<Answer, 'bytes' | 'stream'>;
  /** For an answer nobody reads: frees the socket. */
  discard(): void;
}

/**
 * Sends one request and resolves when the response headers are there, at most `timeoutMs` later, or
 * `timeoutMs` after a streamed request body last moved.
 *
 * @throws {MortiseError} `network_error`, `timeout`, `aborted`.
 */
export async function exchange(
  { http, clock }: Pick<Host, 'http' | 'clock'>,
  request: Omit<HttpRequest, 'signal'>,
  options: ExchangeOptions,
): Promise<Answer> {
  const { method, url, headers: fields, body } = request;
  const { timeoutMs, signal, inFlight } = options;
  if (signal?.aborted || inFlight.isClosed) throw new MortiseError('aborted', {});
  // Only for errors, and not parsed: this is on the way of every request.
  const host = /\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(url)?.[1] ?? '';
  const guard = createGuard({ clock, timeoutMs, host, signal, inFlight });
  const sent: HttpRequest = {
    method,
    url,
    headers: fields,
    body: isByteStream(body) ? watch(body, guard.touch) : body,
    signal: guard.signal,
  };
  const answer = await guard.wait(call(http, sent));
  if (!Number.isInteger(answer?.status) || !answer.headers?.get || answer.body === undefined) {
    throw new MortiseError('configuration_error', { problem: 'the http transport gave no answer' });
  }
  const { status, headers } = answer;
  // What `fetch` gives of an answer without a body.
  const received = (answer.body as ByteStream | null) ?? nothing();
  const hold = () => {
    inFlight.stops.add(guard.abort);
    signal?.addEventListener('abort', guard.abort);
    return () => {
      inFlight.stops.delete(guard.abort);
      signal?.removeEventListener('abort', guard.abort);
    };
  };
  const reading = (bytes: ByteStream): Pick<Answer, 'bytes' | 'stream'> => ({
    bytes: (maxBytes) => guard.wait(readAll(bytes, maxBytes)),
    stream: () => readOn(bytes, guard, hold),
  });
  return {
    status,
    headers,
    ...reading(received),
    through: (watcher) => reading(watcher(received)),
    discard: guard.abort,
  };
}

export const isByteStream = (body: HttpRequest['body']): body is ByteStream =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body;

/** A transport that throws at once is one that rejects. */
const call = async (http: HttpTransport, request: HttpRequest): Promise<HttpResponse> =>
  http(request);

async function* readOn(body: ByteStream, guard: Guard, hold: () => () => void): ByteStream {
  const chunks = passOn(body);
  // Between two pieces nobody waits, but the socket is still to be freed when everything stops.
  const release = hold();
  try {
    for (;;) {
      const { done, value } = await guard.wait(chunks.next());
      if (done) return;
      yield value;
    }
  } finally {
    release();
    guard.abort();
  }
}

/** A body that is none fails like one that breaks off, when it is read. */
async function* passOn(body: ByteStream): AsyncGenerator<Uint8Array, void> {
  yield* body;
}

async function* watch(body: ByteStream, moved: () => void): ByteStream {
  for await (const chunk of body) {
    moved();
    yield chunk;
  }
}

async function readAll(body: ByteStream, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!ArrayBuffer.isView(chunk)) {
      throw new MortiseError('configuration_error', {
        problem: 'the http transport gave no bytes',
      });
    }
    length += chunk.length;
    if (length > maxBytes) {
      throw new MortiseError('malformed_response', { problem: `it is over ${maxBytes} bytes` });
    }
    chunks.push(chunk);
  }
  const [only] = chunks;
  if (only && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

/** JSON, or `undefined` for anything that is not: its text belongs in no error. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The same of bytes, which must be UTF-8. A leading BOM is skipped. */
export function readJsonText(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}
