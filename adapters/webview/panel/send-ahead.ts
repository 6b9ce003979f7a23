import { MortiseError } from '../../../src/errors.js';
import type { ByteStream } from '../../../src/ports/index.js';
import { toBase64 } from '../protocol/base64.js';
import type { Bridge, Offer } from './bridge.js';
import { textOf } from '../protocol/fields.js';
import { untilAborted } from '../protocol/until-aborted.js';
import { unavailable } from '../protocol/wire-error.js';

/** Of each message about a body, in milliseconds. */
export const BODY_TIMEOUT_MS = 60_000;

export interface Patience {
  /** How long the source may stand still, in milliseconds. */
  readonly standstillMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends a body to the host ahead of its request. The name of the upload; `null` when there was nothing to send. What was
 * sent is freed when this rejects, and the source is told to stop.
 *
 * @throws {MortiseError} `timeout` of a source that stands still, `aborted`, what the source or the host says.
 */
export async function sendAhead(
  bridge: Bridge,
  offer: Offer,
  body: Uint8Array | ByteStream,
  patience: Patience,
): Promise<string | null> {
  const { signal } = patience;
  const ask = { timeoutMs: BODY_TIMEOUT_MS, signal };
  const room = await bridge.roomBeside({}, signal);
  const pieces = Symbol.asyncIterator in body ? inTime(body, bridge, patience) : [body];
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
    if (upload !== null) closeBody(bridge, offer, upload);
    throw error;
  }
  return upload;
}

export function closeBody(bridge: Bridge, offer: Offer, body: string): void {
  bridge.request(offer, 'body.close', { body }, { timeoutMs: BODY_TIMEOUT_MS }).catch(() => {});
}

/** The pieces of a source that may never give the next one, nor look at any signal. */
async function* inTime(
  source: ByteStream,
  bridge: Bridge,
  patience: Patience,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await within(iterator.next(), bridge, patience);
      if (done) return;
      yield value;
    }
  } finally {
    // Of one that hangs this settles never.
    void Promise.resolve()
      .then(() => iterator.return?.())
      .catch(() => {});
  }
}

function within<T>(
  promise: Promise<T>,
  bridge: Bridge,
  { standstillMs, signal }: Patience,
): Promise<T> {
  let free = () => {};
  const missed = new Promise<never>((_, reject) => {
    const expire = () =>
      reject(new MortiseError('timeout', { host: 'upload', timeoutMs: standstillMs }));
    const stopTimer = bridge.clock.after(standstillMs, expire);
    const stopMissing = bridge.on('bye', () => reject(unavailable('the host has gone')));
    free = () => (stopTimer(), stopMissing());
  });
  return untilAborted(Promise.race([promise, missed]), signal).finally(() => free());
}
