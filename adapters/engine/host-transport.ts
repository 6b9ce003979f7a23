import { fromBase64, toBase64 } from '@exodus/bytes/base64.js';
import type { ByteStream, HttpRequest, HttpTransport } from '../../src/ports/index.js';
import { MortiseError } from '../../src/errors.js';
import { fieldsOf, unusable, type HostFunction } from './host-function.js';

const MAX_HEADERS = 1_000;
/** Pieces without a byte, one after another: a host that sends more of them sends nothing. */
const MAX_EMPTY_PIECES = 100;

interface Piece {
  readonly bytes: Uint8Array;
  /** Whether another follows. */
  readonly hasMore: boolean;
}

/** HTTP of the host, one `http` a request, then one `http.read` for each further piece of the answer. */
export function createHostTransport(host: HostFunction): HttpTransport {
  return async ({ method, url, headers, body, signal }) => {
    const text = await encodeBody(body, signal);
    const id = host.nextId();
    const params = { id, method, url, headers, ...(text !== null && { body: text }) };
    const answer = await host.ask('http', params, signal);
    if (answer.refused !== null) throw refusal(answer.refused, url);
    const fields = fieldsOf(answer.result);
    const { status } = fields;
    if (!Number.isInteger(status) || (status as number) < 100 || (status as number) > 599) {
      throw unusable('http', 'the answer has no status');
    }
    const received = readHeaders(fields['headers']);
    const first = readPiece('http', fields);
    return {
      status: status as number,
      headers: { get: (name) => received.get(name) ?? null },
      body: readPieces(host, id, first, { url, signal }),
    };
  };
}

function readPieces(
  host: HostFunction,
  id: number,
  first: Piece,
  { url, signal }: Pick<HttpRequest, 'url' | 'signal'>,
): ByteStream {
  const stop = () => host.tell('cancel', { id });
  // Also for a body that is never read.
  if (first.hasMore) signal.addEventListener('abort', stop);

  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    let piece = first;
    let empty = 0;
    try {
      for (;;) {
        if (piece.bytes.length > 0) yield piece.bytes;
        if (!piece.hasMore) return;
        empty = piece.bytes.length > 0 ? 0 : empty + 1;
        if (empty > MAX_EMPTY_PIECES) throw unusable('http.read', 'only empty pieces');
        const answer = await host.ask('http.read', { id }, signal);
        if (answer.refused !== null) throw refusal(answer.refused, url);
        piece = readPiece('http.read', fieldsOf(answer.result));
      }
    } finally {
      if (first.hasMore) signal.removeEventListener('abort', stop);
      // The reader left early, or it broke off.
      if (piece.hasMore && !signal.aborted) stop();
    }
  }
  return pieces();
}

/** A host without the method stays without it; any other failure may pass. */
const refusal = (code: string, url: string) =>
  code === 'unsupported'
    ? unusable('http', 'the host cannot')
    : new MortiseError('network_error', { host: new URL(url).host });

function readPiece(
  method: string,
  { body = '', more = false }: Readonly<Record<string, unknown>>,
): Piece {
  if (typeof body !== 'string' || typeof more !== 'boolean') {
    throw unusable(method, 'the body is no base64');
  }
  try {
    return { bytes: fromBase64(body), hasMore: more };
  } catch {
    throw unusable(method, 'the body is no base64');
  }
}

/** By lower-case name. What a name has twice is joined, as RFC 9110 section 5.3 says. */
function readHeaders(value: unknown): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, content] of Object.entries(fieldsOf(value)).slice(0, MAX_HEADERS)) {
    if (typeof content !== 'string') continue;
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? content : `${before}, ${content}`);
  }
  return headers;
}

/** Base64 of the whole body, `null` where there is none. */
async function encodeBody(
  body: HttpRequest['body'],
  signal: HttpRequest['signal'],
): Promise<string | null> {
  if (body === undefined) return null;
  if (typeof body === 'string') return toBase64(new TextEncoder().encode(body));
  if (body instanceof Uint8Array) return toBase64(body);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    if (signal.aborted) break;
    pieces.push(piece);
    length += piece.length;
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return toBase64(whole);
}
