import { MortiseError, isMortiseError } from '../../../src/errors.js';
import type { Clock } from '../../../src/ports/index.js';
import { systemClock } from '../../web/system-clock.js';
import type { Channel } from '../channels/channel.js';
import type { Fields } from '../protocol/fields.js';
import { helloParams, readHello, type Greeting } from './hello.js';
import { createLateAnswers } from '../protocol/late-answers.js';
import { readMessage, writeMessage } from '../protocol/message.js';
import { checkedLimit, roomBeside } from '../protocol/message-limit.js';
import { findNonce, isNonce, randomName } from '../protocol/nonce.js';
import { createNotifications } from './notifications.js';
import { createPlaces } from './places.js';
import { quietly } from '../protocol/quietly.js';
import { readFailure } from './read-failure.js';
import { untilAborted } from '../protocol/until-aborted.js';
import { unavailable } from '../protocol/wire-error.js';

export { untilAborted };

export type Offer = 'browser' | 'view' | 'http' | 'store' | 'session';

export interface BridgeOptions {
  /** What the host handed to this page. Default: found in the page (PROTOCOL.md section 2). */
  readonly nonce?: string | undefined;
  /** The longest message in bytes, 4,096 to 1,048,576 (default). Less where the engine takes less: the host is told. */
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
  /**
   * How many bytes of a body fit into one message beside these params, by what both sides take.
   *
   * @throws {MortiseError} `bridge_unavailable`, `aborted`.
   */
  roomBeside(params: Fields, signal: AbortSignal | undefined): Promise<number>;
  /** Nothing is answered, nothing fails. */
  notify(method: string, params: Fields): void;
  /** Notifications of the host. `bye` comes once, also when the bridge is closed here. Returns what unsubscribes. */
  on(method: string, listener: (params: Fields) => void): () => void;
  /** How many messages were no use: late, unknown, repeated, forged or broken. */
  readonly dropped: number;
  /** By which it waits. */
  readonly clock: Clock;
  /** Ends what waits with `bridge_unavailable`, and listens no more. */
  close(): void;
}

const HELLO_TIMEOUT_MS = 10_000;
const RELEASE_TIMEOUT_MS = 10_000;
/** What a host answers at once; more wait here for their turn. */
const MAX_UNDER_WAY = 64;

interface Pending {
  readonly resolve: (result: Fields) => void;
  readonly reject: (error: MortiseError) => void;
}

/**
 * Opens the protocol on a channel. Several parts of a page may share one, or have one each.
 *
 * @throws {MortiseError} `configuration_error` for a `maxMessageBytes` that is none.
 */
export function openBridge(
  channel: Channel,
  { nonce, maxMessageBytes, clock = systemClock }: BridgeOptions = {},
): Bridge {
  const ownLimit = checkedLimit(maxMessageBytes);
  /** What the host takes, once it has said so. */
  let limit = ownLimit;
  const pending = new Map<string, Pending>();
  const notifications = createNotifications();
  const inPlace = createPlaces(MAX_UNDER_WAY);
  let dropped = 0;
  /** Why nothing goes over it any more. */
  let over: MortiseError | null = null;
  let secret: string | null = null;
  let greeting: Promise<Greeting> | null = null;

  const findSecret = (): string => {
    secret ??= nonce ?? findNonce();
    if (!isNonce(secret)) throw unavailable('the host has handed no nonce to this page');
    return secret;
  };

  const read = (text: string) => {
    try {
      return over ? null : readMessage(text, findSecret(), ownLimit);
    } catch {
      return null;
    }
  };
  const receive = (text: string) => {
    const message = read(text);
    if (message?.kind === 'result' || message?.kind === 'error') {
      const waiting = pending.get(message.id);
      if (!waiting) {
        dropped += 1;
        if (message.kind === 'result') late.hear(message.id, message.result);
      } else if (message.kind === 'result') waiting.resolve(message.result);
      else waiting.reject(readFailure(message.code, message.data));
    } else if (message?.kind === 'notification') {
      if (message.method === 'bye') end('the host has closed the bridge');
      else if (!notifications.tell(message.method, message.params)) dropped += 1;
    } else {
      dropped += 1;
    }
  };

  const late = createLateAnswers((method, params) => {
    send(method, params, { timeoutMs: RELEASE_TIMEOUT_MS }).catch(() => {});
  });

  /** For good: a page that is loaded anew has another nonce. */
  const end = (problem: string) => {
    if (over) return;
    over = unavailable(problem);
    for (const { reject } of [...pending.values()]) reject(over);
    notifications.tell('bye', {});
  };

  const unsubscribe = channel.onMessage(receive);

  const post = (message: Fields) => {
    if (over) throw over;
    const text = writeMessage(message, findSecret(), limit);
    try {
      channel.send(text);
    } catch (error) {
      if (isMortiseError(error)) throw error;
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
        late.expect(id, method);
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

  /** Nobody waits for it. */
  const notify = (method: string, params: Fields) => quietly(() => post({ method, params }));

  const greet = async (): Promise<Greeting> => {
    const ask = { timeoutMs: HELLO_TIMEOUT_MS };
    const told = readHello(await send('hello', helloParams(ownLimit), ask), ownLimit);
    limit = told.limit;
    return told;
  };
  const greeted = (signal: AbortSignal | undefined) => {
    greeting ??= greet().catch((error: unknown) => {
      greeting = null;
      throw error;
    });
    return untilAborted(greeting, signal);
  };

  return {
    async request(offer, method, params, ask) {
      const { offers } = await greeted(ask.signal);
      if (!offers.includes(offer)) throw unavailable(`the host does not offer ${offer}`);
      const sent = () => send(method, params, ask);
      return method.endsWith('.close') ? sent() : inPlace(sent, ask.signal);
    },
    roomBeside: async (params, signal) => roomBeside(params, (await greeted(signal)).limit),
    notify,
    on: notifications.on,
    clock,
    get dropped() {
      return dropped;
    },
    close() {
      end('the bridge is closed');
      quietly(unsubscribe);
    },
  };
}

/** A page opens a bridge by handing over a channel, or shares one that is open. */
export const toBridge = (port: Channel | Bridge, options?: BridgeOptions): Bridge =>
  'request' in port ? port : openBridge(port, options);
