import { MortiseError } from '../../src/errors.js';
import type { Clock } from '../../src/ports/index.js';
import { systemClock } from '../web/system-clock.js';
import type { Channel } from './channel.js';
import { numberOf, textOf, textsOf, type Fields } from './fields.js';
import { MAX_MESSAGE_BYTES, readMessage, writeMessage } from './message.js';
import { findNonce, isNonce, randomName } from './nonce.js';
import { readFailure } from './read-failure.js';
import { untilAborted } from './until-aborted.js';
import { unavailable } from './wire-error.js';

export { untilAborted };

export type Offer = 'browser' | 'view' | 'http' | 'store' | 'session';

export interface BridgeOptions {
  /** What the host handed to this page. Default: found in the page (PROTOCOL.md section 2). */
  readonly nonce?: string | undefined;
  /** The longest message in bytes. Default 1,048,576. Less where the engine takes less. */
  readonly maxMessageBytes?: number;
  readonly clock?: Clock;
}

export interface Ask {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The panel's end of the protocol: requests with answers, over a channel anybody may shout into. */
export interface Bridge {
  /**
   * Asks the host for something it offers.
   *
   * @throws {MortiseError} `bridge_unavailable` when the host does not offer it or does not answer in time, `aborted`, or
   * what the host says.
   */
  request(offer: Offer, method: string, params: Fields, ask: Ask): Promise<Fields>;
  /** Nothing is answered, nothing fails. */
  notify(method: string, params: Fields): void;
  /** Notifications of the host; of `bye`, too. Returns what unsubscribes. */
  on(method: string, listener: (params: Fields) => void): () => void;
  /** How many messages were no use: late, unknown, repeated, forged or broken. */
  readonly dropped: number;
  /** Ends what waits with `bridge_unavailable`, and listens no more. */
  close(): void;
}

const PROTOCOL = 1;
const HELLO_TIMEOUT_MS = 10_000;
const MAX_WITHDRAWN = 256;

interface Pending {
  readonly resolve: (result: Fields) => void;
  readonly reject: (error: MortiseError) => void;
}

/** Opens the protocol on a channel. Several parts of a page may share one, or have one each. */
export function openBridge(
  channel: Channel,
  { nonce, maxMessageBytes = MAX_MESSAGE_BYTES, clock = systemClock }: BridgeOptions = {},
): Bridge {
  const pending = new Map<string, Pending>();
  const listeners = new Map<string, Set<(params: Fields) => void>>();
  /** The oldest first. */
  const withdrawn = new Set<string>();
  let dropped = 0;
  /** Why nothing goes over it any more. */
  let over: MortiseError | null = null;
  let secret: string | null = null;
  let greeting: Promise<readonly string[]> | null = null;

  const findSecret = (): string => {
    secret ??= nonce ?? findNonce();
    if (!isNonce(secret)) throw unavailable('the host has handed no nonce to this page');
    return secret;
  };

  const receive = (text: string) => {
    let known: string;
    try {
      known = findSecret();
    } catch {
      dropped += 1;
      return;
    }
    const message = readMessage(text, known, maxMessageBytes);
    if (message?.kind === 'result' || message?.kind === 'error') {
      const waiting = pending.get(message.id);
      if (!waiting) {
        dropped += 1;
        const isLate = withdrawn.delete(message.id);
        if (isLate && message.kind === 'result') release(message.result);
      } else if (message.kind === 'result') waiting.resolve(message.result);
      else waiting.reject(readFailure(message.code, message.data));
    } else if (message?.kind === 'notification') {
      if (message.method === 'bye') end('the host has closed the bridge');
      tell(message.method, message.params);
    } else {
      dropped += 1;
    }
  };

  /** `cancel` crossed the answer: nobody else would ever close what it opened. */
  const release = (result: Fields) => {
    const visit = textOf(result, 'visit', 200);
    const body = textOf(result, 'more', 200);
    const ask = { timeoutMs: HELLO_TIMEOUT_MS };
    if (visit !== undefined) send('visit.close', { visit }, ask).catch(() => {});
    if (body !== undefined) send('body.close', { body }, ask).catch(() => {});
  };

  const tell = (method: string, params: Fields) => {
    const known = listeners.get(method);
    if (!known?.size && method !== 'bye') dropped += 1;
    for (const listener of [...(known ?? [])]) {
      try {
        listener(params);
      } catch {
        // A listener's failure is its own.
      }
    }
  };

  /** For good: a page that is loaded anew has another nonce. */
  const end = (problem: string) => {
    over ??= unavailable(problem);
    for (const { reject } of [...pending.values()]) reject(over);
  };

  const unsubscribe = channel.onMessage(receive);

  const post = (message: Fields) => {
    if (over) throw over;
    const text = writeMessage(message, findSecret(), maxMessageBytes);
    try {
      channel.send(text);
    } catch {
      throw unavailable('the channel does not take a message');
    }
  };

  const send = (method: string, params: Fields, { timeoutMs, signal }: Ask): Promise<Fields> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new MortiseError('aborted', {}));
      const id = randomName();
      const free = () => {
        stopTimer();
        pending.delete(id);
        signal?.removeEventListener('abort', abort);
      };
      const withdraw = (error: MortiseError) => {
        free();
        withdrawn.add(id);
        const [oldest = id] = withdrawn;
        if (withdrawn.size > MAX_WITHDRAWN) withdrawn.delete(oldest);
        notify('cancel', { id });
        reject(error);
      };
      const abort = () => withdraw(new MortiseError('aborted', {}));
      const stopTimer = clock.after(timeoutMs, () =>
        withdraw(unavailable(`the host did not answer ${method} within ${timeoutMs} ms`)),
      );
      signal?.addEventListener('abort', abort);
      pending.set(id, {
        resolve: (result) => (free(), resolve(result)),
        reject: (error) => (free(), reject(error)),
      });
      try {
        post({ id, method, params });
      } catch (error) {
        free();
        reject(error);
      }
    });

  const notify = (method: string, params: Fields) => {
    try {
      post({ method, params });
    } catch {
      // Nobody waits for it.
    }
  };

  const greet = async (): Promise<readonly string[]> => {
    const hello = await send('hello', { protocol: PROTOCOL }, { timeoutMs: HELLO_TIMEOUT_MS });
    const protocol = numberOf(hello, 'protocol');
    if (protocol !== PROTOCOL) throw unavailable('the host speaks another version of the protocol');
    return textsOf(hello, 'offers') ?? [];
  };

  return {
    async request(offer, method, params, ask) {
      greeting ??= greet().catch((error: unknown) => {
        greeting = null;
        throw error;
      });
      const offers = await untilAborted(greeting, ask.signal);
      if (!offers.includes(offer)) throw unavailable(`the host does not offer ${offer}`);
      return send(method, params, ask);
    },
    notify,
    on(method, listener) {
      const own = (params: Fields) => listener(params);
      const known = listeners.get(method) ?? new Set();
      listeners.set(method, known.add(own));
      return () => void known.delete(own);
    },
    get dropped() {
      return dropped;
    },
    close() {
      unsubscribe();
      end('the bridge is closed');
    },
  };
}

/** A page opens a bridge by handing over a channel, or shares one that is open. */
export const toBridge = (port: Channel | Bridge, options?: BridgeOptions): Bridge =>
  'request' in port ? port : openBridge(port, options);
