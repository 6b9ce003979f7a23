import { MortiseError } from '../../../src/errors.js';
import type { ByteStream, HttpRequest } from '../../../src/ports/index.js';
import { fromBase64, toBase64 } from '../protocol/base64.js';
import type { Ask, Bridge, Offer } from './bridge.js';
import { own, textMapOf, textOf, numberOf, type Fields } from '../protocol/fields.js';
import { MAX_MESSAGE_BYTES } from '../protocol/message-limit.js';
import { BODY_TIMEOUT_MS, closeBody, sendAhead } from './send-ahead.js';
import { unavailable } from '../protocol/wire-error.js';

/** One request with a body, which goes in its message where it fits and ahead of it in pieces where not. */
export interface BodyRequest {
  readonly offer: Offer;
  readonly method: 'http.request' | 'session.request';
  readonly params: Fields;
  readonly body: HttpRequest['body'];
  /** How long the source of the body may stand still, in milliseconds. Default: as long as the answer may take. */
  readonly standstillMs?: number;
}

/** As `bridge.request`. What was sent ahead is freed when the request fails. */
export async function requestWithBody(
  bridge: Bridge,
  { offer, method, params, body, standstillMs }: BodyRequest,
  ask: Ask,
): Promise<Fields> {
  if (body === undefined) return bridge.request(offer, method, params, ask);
  const { signal } = ask;
  const whole = wholeOf(body);
  if (whole && whole.length <= (await bridge.roomBeside(params, signal))) {
    return bridge.request(offer, method, { ...params, body: toBase64(whole) }, ask);
  }
  const patience = { standstillMs: standstillMs ?? ask.timeoutMs, signal };
  const upload = await sendAhead(bridge, offer, whole ?? (body as ByteStream), patience);
  const sent = upload === null ? { body: '' } : { upload };
  try {
    return await bridge.request(offer, method, { ...params, ...sent }, ask);
  } catch (error) {
    // It may never have got there.
    if (upload !== null) closeBody(bridge, offer, upload);
    throw error;
  }
}

/** `null` for what comes piece by piece. */
function wholeOf(body: NonNullable<HttpRequest['body']>): Uint8Array | null {
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return Symbol.asyncIterator in body ? null : body;
}

/** An answer that may go on after its first message. */
export interface Received {
  readonly status: number;
  readonly headers: { get(name: string): string | undefined };
  readonly body: ByteStream;
  /** For what nobody is going to read. */
  discard(): void;
}

export interface Reading {
  readonly signal?: AbortSignal | undefined;
  /** Called when nothing more is read, once or more often. */
  readonly onOver?: (() => void) | undefined;
}

/** @throws {MortiseError} `bridge_unavailable` for what is no answer; the rest that it names is closed. */
export function readAnswer(
  bridge: Bridge,
  offer: Offer,
  answer: Fields,
  { signal, onOver }: Reading,
): Received {
  const readPiece = (from: Fields) => {
    const next = pieceOf(from);
    if (next) return next;
    // It may name a rest all the same, and nobody else would close that.
    const more = textOf(from, 'more', 200);
    if (more !== undefined) closeBody(bridge, offer, more);
    throw noPiece();
  };
  let piece = readPiece(answer);
  const rest = createRest(bridge, offer, piece.more, { signal, onOver });
  const status = numberOf(answer, 'status');
  const headers = textMapOf(answer, 'headers');
  if (status === undefined || !(status >= 100 && status <= 599) || !headers) {
    rest.stop();
    throw unavailable('the host gave no HTTP answer');
  }
  const body: ByteStream = {
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          if (signal?.aborted) throw new MortiseError('aborted', {});
          const { bytes, more } = piece;
          piece = { bytes: new Uint8Array(0), more };
          if (bytes.length > 0) yield bytes;
          if (more === null) return;
          const ask = { timeoutMs: BODY_TIMEOUT_MS, signal };
          piece = readPiece(await bridge.request(offer, 'body.read', { body: more }, ask));
          rest.goOn(piece.more);
          // Or a host could keep a reader going round for ever.
          if (piece.bytes.length === 0 && piece.more !== null) throw noPiece();
        }
      } finally {
        rest.stop();
      }
    },
  };
  return { status, headers: lowerCased(headers), body, discard: rest.stop };
}

const noPiece = () => unavailable('the host gave no piece of a body');

/** As HTTP compares them. */
const lowerCased = (headers: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...headers].map(([name, value]) => [name.toLowerCase(), value]));

/** What the host still has of a body. It knows no bytes: who may yet give an answer up is not to hold what it has brought. */
function createRest(
  bridge: Bridge,
  offer: Offer,
  first: string | null,
  { signal, onOver = () => {} }: Reading,
) {
  let more = first;
  const stop = () => {
    if (more !== null) closeBody(bridge, offer, more);
    more = null;
    signal?.removeEventListener('abort', stop);
    onOver();
  };
  if (more === null) onOver();
  else signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  return { stop, goOn: (next: string | null) => void (more = next) };
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly more: string | null;
}

/** `null` for what is none. */
function pieceOf(answer: Fields): Piece | null {
  const bytes = fromBase64(textOf(answer, 'body', MAX_MESSAGE_BYTES) ?? '?');
  const more = own(answer, 'more') === null ? null : textOf(answer, 'more', 200);
  return bytes && more !== undefined ? { bytes, more } : null;
}
