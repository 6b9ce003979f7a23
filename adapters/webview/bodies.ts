import { MortiseError } from '../../src/errors.js';
import type { ByteStream, HttpRequest } from '../../src/ports/index.js';
import { fromBase64, toBase64 } from './base64.js';
import type { Ask, Bridge, Offer } from './bridge.js';
import { own, textMapOf, textOf, numberOf, type Fields } from './fields.js';
import { MAX_MESSAGE_BYTES } from './message-limit.js';
import { unavailable } from './wire-error.js';

const TIMEOUT_MS = 60_000;

type Signal = { readonly signal?: AbortSignal | undefined };

/** One request with a body, which goes in its message where it fits and ahead of it in pieces where not. */
export interface BodyRequest {
  readonly offer: Offer;
  readonly method: 'http.request' | 'session.request';
  readonly params: Fields;
  readonly body: HttpRequest['body'];
}

/** As `bridge.request`. What was sent ahead is freed when the request fails. */
export async function requestWithBody(
  bridge: Bridge,
  { offer, method, params, body }: BodyRequest,
  ask: Ask,
): Promise<Fields> {
  if (body === undefined) return bridge.request(offer, method, params, ask);
  const { signal } = ask;
  const whole = wholeOf(body);
  if (whole && whole.length <= (await bridge.roomBeside(params, signal))) {
    return bridge.request(offer, method, { ...params, body: toBase64(whole) }, ask);
  }
  const upload = await sendAhead(bridge, offer, whole ? [whole] : (body as ByteStream), { signal });
  const sent = upload === null ? { body: '' } : { upload };
  try {
    return await bridge.request(offer, method, { ...params, ...sent }, ask);
  } catch (error) {
    // It may never have got there.
    if (upload !== null) close(bridge, offer, upload);
    throw error;
  }
}

/** `null` for what comes piece by piece. */
function wholeOf(body: NonNullable<HttpRequest['body']>): Uint8Array | null {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return Symbol.asyncIterator in body ? null : body;
}

/** The name of the upload; `null` when there was nothing to send. */
async function sendAhead(
  bridge: Bridge,
  offer: Offer,
  pieces: ByteStream | readonly Uint8Array[],
  { signal }: Signal,
): Promise<string | null> {
  const ask = { timeoutMs: TIMEOUT_MS, signal };
  const room = await bridge.roomBeside({}, signal);
  let upload: string | null = null;
  try {
    for await (const bytes of pieces) {
      for (let at = 0; at < bytes.length; at += room) {
        const data = toBase64(bytes.subarray(at, at + room));
        const written = await bridge.request(offer, 'body.write', { body: upload, data }, ask);
        upload = textOf(written, 'body', 200) ?? null;
        if (upload === null) throw unavailable('the host gave an upload no name');
      }
    }
  } catch (error) {
    if (upload !== null) close(bridge, offer, upload);
    throw error;
  }
  return upload;
}

/** An answer that may go on after its first message. */
export interface Received {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly body: ByteStream;
  /** For what nobody is going to read. */
  discard(): void;
}

export function readAnswer(
  bridge: Bridge,
  offer: Offer,
  answer: Fields,
  { signal }: Signal,
): Received {
  const status = numberOf(answer, 'status');
  const headers = textMapOf(answer, 'headers');
  if (status === undefined || !(status >= 100 && status <= 599) || !headers) {
    throw unavailable('the host gave no HTTP answer');
  }
  let piece: Piece = readPiece(answer);
  let isOver = false;
  const stop = () => {
    signal?.removeEventListener('abort', stop);
    if (!isOver && piece.more !== null) close(bridge, offer, piece.more);
    isOver = true;
  };
  const end = () => {
    isOver = true;
    signal?.removeEventListener('abort', stop);
  };
  if (piece.more !== null) signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  const body: ByteStream = {
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          if (signal?.aborted) throw new MortiseError('aborted', {});
          const { bytes, more } = piece;
          piece = { bytes: new Uint8Array(0), more };
          if (bytes.length > 0) yield bytes;
          if (more === null) return end();
          const ask = { timeoutMs: TIMEOUT_MS, signal };
          piece = readPiece(await bridge.request(offer, 'body.read', { body: more }, ask));
        }
      } finally {
        stop();
      }
    },
  };
  return { status, headers, body, discard: stop };
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly more: string | null;
}

function readPiece(answer: Fields): Piece {
  const bytes = fromBase64(textOf(answer, 'body', MAX_MESSAGE_BYTES) ?? '?');
  const more = own(answer, 'more') === null ? null : textOf(answer, 'more', 200);
  if (!bytes || more === undefined) throw unavailable('the host gave no piece of a body');
  return { bytes, more };
}

function close(bridge: Bridge, offer: Offer, body: string): void {
  bridge.request(offer, 'body.close', { body }, { timeoutMs: TIMEOUT_MS }).catch(() => {});
}
