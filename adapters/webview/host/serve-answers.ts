import type { ByteStream, Clock } from '../../../src/ports/index.js';
import { MortiseError, misconfigured } from '../../../src/errors.js';
import { toBase64 } from '../protocol/base64.js';
import { textOf, type Fields } from '../protocol/fields.js';
import { joinBytes } from '../protocol/join-bytes.js';
import { roomBeside } from '../protocol/message-limit.js';
import { randomName } from '../protocol/nonce.js';
import { invalidParams } from './serve-requests.js';
import { untilAborted } from '../protocol/until-aborted.js';

/** How long an answer waits for its body: a short one then needs no second message, a slow one is not held up. */
const GATHER_MS = 100;
/** What one page may leave open at once. */
const MAX_OPEN = 64;

/** Where a body comes from. */
export interface Source {
  readonly body: ByteStream;
  /** Frees the socket. */
  stop(): void;
  /** What a failure of the body means to the panel. */
  failure(error: unknown): unknown;
  /** Of the request that is answered. */
  readonly signal: AbortSignal;
}

/** Answers whose bodies a page reads piece by piece. */
export interface Answers {
  /**
   * `head` with what has come of the body, and a name for the rest if there is any. Nothing is held of a body that is
   * at its end, nor when this rejects.
   *
   * @throws As the body does in place of its first byte; `aborted`; `configuration_error` when `head` alone is too long.
   */
  give(head: Fields, source: Source): Promise<Fields>;
  /** `body.read`. A body whose read fails or is withdrawn is closed. */
  read(params: Fields, signal: AbortSignal): Promise<Fields>;
  free(name: string): void;
  close(): void;
}

interface Held extends Source {
  readonly iterator: AsyncIterator<Uint8Array>;
  /** What has come and was not given yet. */
  left: Uint8Array;
  /** What is to come next, once somebody has asked for it. */
  coming: Promise<IteratorResult<Uint8Array>> | null;
  isBusy: boolean;
}

/** `limit` is that of a message, in bytes, at the time. */
export function createAnswers(limit: () => number, clock: Clock): Answers {
  /** Those that nobody has read from for longest come first. */
  const open = new Map<string, Held>();

  const release = (held: Held) => {
    held.stop();
    held.iterator.return?.().catch(() => {});
  };
  const free = (name: string) => {
    const held = open.get(name);
    open.delete(name);
    if (held) release(held);
  };
  /** Nobody has to read an answer, so there is always room for another. */
  const makeRoom = () => {
    for (const [name, { isBusy }] of open) {
      if (open.size < MAX_OPEN) return;
      if (!isBusy) free(name);
    }
  };

  return {
    async give(head, source) {
      const { body, stop, signal } = source;
      const iterator = body[Symbol.asyncIterator]();
      const left = new Uint8Array(0);
      const held: Held = { ...source, iterator, left, coming: null, isBusy: false };
      // The limit may be lowered while this waits.
      const room = () => {
        const left = roomBeside(head, limit());
        if (left >= 0) return left;
        throw misconfigured('the headers of an answer do not pass the bridge');
      };
      const waiting = new AbortController();
      const leave = () => waiting.abort();
      const stopTimer = clock.after(GATHER_MS, leave);
      signal.addEventListener('abort', leave);
      if (signal.aborted) leave();
      try {
        // A byte more than fits shows that this is not all.
        while (held.left.length <= room()) {
          if (await pull(held, waiting.signal)) continue;
          if (held.left.length > room()) break;
          stop();
          return { ...head, body: toBase64(held.left), more: null };
        }
      } catch (error) {
        // Who has got something is told by the next read why there is no more.
        const mayGoOn = waiting.signal.aborted || held.left.length > 0;
        if (!mayGoOn) {
          release(held);
          throw error;
        }
      } finally {
        stopTimer();
        signal.removeEventListener('abort', leave);
      }
      // The page may have gone since the last byte came, and then nobody would ever close this.
      if (signal.aborted) {
        release(held);
        throw new MortiseError('aborted', {});
      }
      try {
        const first = cut(held, room());
        makeRoom();
        const name = randomName();
        open.set(name, held);
        return { ...head, body: first, more: name };
      } catch (error) {
        release(held);
        throw error;
      }
    },
    async read(params, signal) {
      const name = textOf(params, 'body', 200) ?? '';
      const held = open.get(name);
      if (!held || held.isBusy) throw invalidParams('body');
      held.isBusy = true;
      try {
        while (held.left.length === 0) {
          if (await pull(held, signal)) continue;
          open.delete(name);
          held.stop();
          return { body: '', more: null };
        }
        return { body: cut(held, roomBeside({}, limit())), more: name };
      } catch (error) {
        free(name);
        throw error;
      } finally {
        held.isBusy = false;
        if (open.delete(name)) open.set(name, held);
      }
    },
    free,
    close() {
      for (const name of [...open.keys()]) free(name);
    },
  };
}

/** Waits for what comes next; `false` at the end. Who leaves misses nothing: the next who asks gets it. */
async function pull(held: Held, signal: AbortSignal): Promise<boolean> {
  if (!held.coming) {
    held.coming = held.iterator.next().catch((error: unknown) => {
      throw held.failure(error);
    });
    // A failure is told to who asks, and there may be nobody.
    held.coming.catch(() => {});
  }
  const { done, value } = await untilAborted(held.coming, signal);
  // The end stays the end.
  if (done) return false;
  held.coming = null;
  held.left = held.left.length === 0 ? value : joinBytes([held.left, value]);
  return true;
}

/** At most `length` bytes of what has come, as base64. */
function cut(held: Held, length: number): string {
  const piece = held.left.subarray(0, length);
  held.left = held.left.subarray(piece.length);
  return toBase64(piece);
}
