import { MortiseError } from '../../src/errors.js';
import type { ByteStream, HttpRequest } from '../../src/ports/index.js';
import { fromBase64, toBase64 } from './base64.js';
import type { Bridge, Offer } from './bridge.js';
import { own, textMapOf, textOf, numberOf, type Fields } from './fields.js';
import { unavailable } from './wire-error.js';

/** The most bytes of a body in one message: base64 and the rest stay below its limit. */
export const MAX_PIECE_BYTES = 1 << 19;
const MAX_PIECE_TEXT = Math.ceil(MAX_PIECE_BYTES / 3) * 4;
const TIMEOUT_MS = 60_000;

type Ask = { readonly signal?: AbortSignal | undefined };

/** A body as `http.request` and `session.request` take it: in the message, or sent ahead in pieces. */
export async function sendBody(
  bridge: Bridge,
  offer: Offer,
  body: HttpRequest['body'],
  { signal }: Ask,
): Promise<Fields> {
  if (body === undefined) return {};
  const pieces = typeof body === 'object' && Symbol.asyncIterator in body ? body : null;
  const whole = pieces
    ? null
    : typeof body === 'string'
      ? new TextEncoder().encode(body)
      : (body as Uint8Array);
  if (whole && whole.length <= MAX_PIECE_BYTES) return { body: toBase64(whole) };
  let upload: string | null = null;
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += MAX_PIECE_BYTES) {
      const data = toBase64(bytes.subarray(at, at + MAX_PIECE_BYTES));
      const ask = { timeoutMs: TIMEOUT_MS, signal };
      const written = await bridge.request(offer, 'body.write', { body: upload, data }, ask);
      upload = textOf(written, 'body', 200) ?? null;
      if (upload === null) throw unavailable('the host gave an upload no name');
    }
  };
  try {
    if (whole) await write(whole);
    else for await (const piece of pieces ?? []) await write(piece);
  } catch (error) {
    if (upload !== null) close(bridge, offer, upload);
    throw error;
  }
  return upload === null ? { body: '' } : { upload };
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
  { signal }: Ask,
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
  const bytes = fromBase64(textOf(answer, 'body', MAX_PIECE_TEXT) ?? '?');
  const more = own(answer, 'more') === null ? null : textOf(answer, 'more', 200);
  if (!bytes || more === undefined) throw unavailable('the host gave no piece of a body');
  return { bytes, more };
}

function close(bridge: Bridge, offer: Offer, body: string): void {
  bridge.request(offer, 'body.close', { body }, { timeoutMs: TIMEOUT_MS }).catch(() => {});
}
