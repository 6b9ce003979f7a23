import { joinBytes } from '../protocol/join-bytes.js';

/** Bytes that come in pieces of any length, in little more memory than they have. */
export interface ByteList {
  readonly length: number;
  /** Takes the bytes over: they are not to be changed any more. */
  add(bytes: Uint8Array): void;
  whole(): Uint8Array;
}

/** Shorter pieces are put together, for each costs a few hundred bytes of its own. */
const CHUNK_BYTES = 1 << 16;

export function createByteList(): ByteList {
  const chunks: Uint8Array[] = [];
  /** What short pieces are gathered in, and how much of it they fill. */
  let gathered = new Uint8Array(0);
  let filled = 0;
  let length = 0;
  const flush = () => {
    if (filled > 0) chunks.push(gathered.slice(0, filled));
    filled = 0;
  };
  return {
    get length() {
      return length;
    },
    add(bytes) {
      length += bytes.length;
      if (filled + bytes.length > CHUNK_BYTES) flush();
      if (bytes.length >= CHUNK_BYTES) {
        chunks.push(bytes);
      } else {
        if (gathered.length === 0) gathered = new Uint8Array(CHUNK_BYTES);
        gathered.set(bytes, filled);
        filled += bytes.length;
      }
    },
    whole() {
      flush();
      const [first] = chunks;
      const all = first && chunks.length === 1 ? first : joinBytes(chunks);
      // Not held twice.
      chunks.splice(0, chunks.length, all);
      return all;
    },
  };
}
