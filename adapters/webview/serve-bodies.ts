import type { ByteStream } from '../../src/ports/index.js';
import { fromBase64, toBase64 } from './base64.js';
import { MAX_PIECE_BYTES } from './bodies.js';
import { own, textOf, type Fields } from './fields.js';
import { randomName } from './nonce.js';
import { invalidParams, type Method } from './serve-panel.js';

/** The longest upload that is put together, in bytes. */
const MAX_UPLOAD_BYTES = 64 << 20;
/** What one page may leave open at once. */
const MAX_OPEN = 64;
const MAX_PIECE_TEXT = Math.ceil(MAX_PIECE_BYTES / 3) * 4;

/** Bodies under way, both ways, of one page. */
export interface ServedBodies {
  readonly methods: Readonly<Record<string, Method>>;
  /** The body of a request: in the message, put together from pieces, or none. */
  take(params: Fields): Uint8Array | undefined;
  /** What an answer says of its body, which is read piece by piece. `stop` frees the socket. */
  give(body: ByteStream, stop: () => void): { body: string; more: string | null };
  close(): void;
}

interface Outgoing {
  readonly iterator: AsyncIterator<Uint8Array>;
  readonly stop: () => void;
  left: Uint8Array;
  isBusy: boolean;
}

interface Incoming {
  readonly pieces: Uint8Array[];
  length: number;
}

export function createServedBodies(): ServedBodies {
  const outgoing = new Map<string, Outgoing>();
  const incoming = new Map<string, Incoming>();

  const free = (name: string) => {
    const body = outgoing.get(name);
    outgoing.delete(name);
    incoming.delete(name);
    if (!body) return;
    body.stop();
    body.iterator.return?.().catch(() => {});
  };

  const read = async (name: string, body: Outgoing) => {
    if (body.isBusy) throw invalidParams('body');
    body.isBusy = true;
    try {
      while (body.left.length === 0) {
        const { done, value } = await body.iterator.next();
        if (done) {
          outgoing.delete(name);
          body.stop();
          return { body: '', more: null };
        }
        body.left = value;
      }
      const piece = body.left.subarray(0, MAX_PIECE_BYTES);
      body.left = body.left.subarray(piece.length);
      return { body: toBase64(piece), more: name };
    } catch (error) {
      free(name);
      throw error;
    } finally {
      body.isBusy = false;
    }
  };

  return {
    methods: {
      'body.read': async (params, { signal }) => {
        const name = textOf(params, 'body', 200) ?? '';
        const body = outgoing.get(name);
        if (!body) throw invalidParams('body');
        const leave = () => free(name);
        signal.addEventListener('abort', leave);
        try {
          return await read(name, body);
        } finally {
          signal.removeEventListener('abort', leave);
        }
      },
      'body.write': async (params) => {
        const bytes = fromBase64(textOf(params, 'data', MAX_PIECE_TEXT) ?? '?');
        const isNew = own(params, 'body') === null;
        const name = isNew ? randomName() : (textOf(params, 'body', 200) ?? '');
        const known = isNew ? { pieces: [], length: 0 } : incoming.get(name);
        if (!bytes) throw invalidParams('data');
        if (!known || (isNew && incoming.size >= MAX_OPEN)) throw invalidParams('body');
        known.length += bytes.length;
        if (known.length > MAX_UPLOAD_BYTES) {
          incoming.delete(name);
          throw invalidParams('data: the upload is too long');
        }
        known.pieces.push(bytes);
        incoming.set(name, known);
        return { body: name };
      },
      'body.close': async (params) => {
        free(textOf(params, 'body', 200) ?? '');
        return {};
      },
    },
    take(params) {
      const text = textOf(params, 'body', MAX_PIECE_TEXT);
      if (text !== undefined) {
        const bytes = fromBase64(text);
        if (!bytes) throw invalidParams('body');
        return bytes;
      }
      if (own(params, 'body') !== undefined) throw invalidParams('body');
      if (own(params, 'upload') === undefined) return undefined;
      const name = textOf(params, 'upload', 200) ?? '';
      const upload = incoming.get(name);
      if (!upload) throw invalidParams('upload');
      incoming.delete(name);
      return join(upload);
    },
    give(body, stop) {
      // Nobody has to read an answer, so the oldest makes room.
      for (const oldest of outgoing.keys()) {
        if (outgoing.size < MAX_OPEN) break;
        free(oldest);
      }
      const name = randomName();
      const iterator = body[Symbol.asyncIterator]();
      outgoing.set(name, { iterator, stop, left: new Uint8Array(0), isBusy: false });
      return { body: '', more: name };
    },
    close() {
      for (const name of [...outgoing.keys(), ...incoming.keys()]) free(name);
    },
  };
}

function join({ pieces, length }: Incoming): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
