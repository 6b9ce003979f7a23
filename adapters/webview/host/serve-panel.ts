import { MortiseError, misconfigured } from '../../../src/errors.js';
import type { Channel } from '../channels/channel.js';
import { textOf, type Fields } from '../protocol/fields.js';
import { readMessage, writeMessage } from '../protocol/message.js';
import { agreedLimit, checkedLimit, saidLimit } from '../protocol/message-limit.js';
import { createNonce, isNonce } from '../protocol/nonce.js';
import { quietly } from '../protocol/quietly.js';
import { createRepetitions, createRequests, invalidParams, type Method } from './serve-requests.js';

export interface ServeOptions {
  /** The secret of this load of the panel's page. Default: a new one, to be handed over (PROTOCOL.md section 2). */
  readonly nonce?: string;
  /** For people: who serves. */
  readonly name?: string;
  /** The longest message in bytes, 4,096 to 1,048,576 (default). Less where the engine takes less: the panel is told. */
  readonly maxMessageBytes?: number;
}

/** One part of what a host offers. */
export interface Service {
  readonly offer: string;
  readonly methods: Readonly<Record<string, Method>>;
  readonly notifications?: Readonly<Record<string, (params: Fields) => void>>;
  /** Frees what it holds for this page. */
  close(): void;
}

/** Whether it was sent: one that is too long for a message cannot be. */
export type Notify = (method: string, params: Fields) => boolean;

/** What services know of the page they serve. */
export interface Page {
  readonly notify: Notify;
  /** The longest message in bytes, by what both sides have said so far. */
  readonly limit: () => number;
}

/** One load of the panel's page, served. When the page is loaded anew: `close`, and serve again with a new nonce. */
export interface ServedPanel {
  readonly nonce: string;
  /** How many messages were no use: forged, repeated, broken or unknown. */
  readonly dropped: number;
  /** Tells the page, stops listening, and frees everything held for it. A session goes on. */
  close(): void;
}

/**
 * The host's end of the protocol, in any JavaScript: Electron, an extension of VS Code, the page that opened a dialog.
 *
 * @throws {MortiseError} `configuration_error` for a nonce or a `maxMessageBytes` that is none.
 */
export function servePanel(
  channel: Channel,
  { nonce = createNonce(), name = '', maxMessageBytes }: ServeOptions,
  createServices: (page: Page) => readonly Service[],
): ServedPanel {
  if (!isNonce(nonce)) throw misconfigured('a nonce is 22 to 128 letters, digits, - and _');
  const ownLimit = checkedLimit(maxMessageBytes);
  let limit = ownLimit;
  let dropped = 0;
  let isClosed = false;

  const post = (message: Fields) => {
    if (isClosed) throw new MortiseError('aborted', {});
    channel.send(writeMessage(message, nonce, limit));
  };
  const notify: Notify = (method, params) => {
    try {
      post({ method, params });
      return true;
    } catch {
      // Too long for a message, or the view is gone; whoever owns it closes this.
      return false;
    }
  };

  const services = createServices({ notify, limit: () => limit });
  const find = <T>(
    named: (service: Service) => Readonly<Record<string, T>> | undefined,
    method: string,
  ) => {
    for (const service of services) {
      const known = named(service);
      if (known && Object.prototype.hasOwnProperty.call(known, method)) return known[method];
    }
    return undefined;
  };
  const hello: Method = async (params) => {
    const agreed = agreedLimit(limit, params);
    if (agreed === undefined) throw invalidParams('maxMessageBytes');
    limit = agreed;
    const offers = services.map(({ offer }) => offer);
    return { protocol: 1, name: name.slice(0, 100), offers, ...saidLimit(ownLimit) };
  };

  const requests = createRequests(
    (method) => (method === 'hello' ? hello : find((service) => service.methods, method)),
    post,
  );
  const isRepeated = createRepetitions();
  const free = () => {
    requests.close();
    for (const service of services) quietly(() => service.close());
  };

  const receive = (text: string) => {
    const message = isClosed ? null : readMessage(text, nonce, ownLimit);
    const isNew = (id: string) => !requests.isUnderWay(id) && !isRepeated(id);
    if (message?.kind === 'request' && isNew(message.id)) {
      void requests.answer(message.id, message.method, message.params);
    } else if (message?.kind === 'notification' && message.method === 'cancel') {
      requests.withdraw(textOf(message.params, 'id') ?? '');
    } else if (message?.kind === 'notification') {
      const hear = find((service) => service.notifications, message.method);
      if (hear) hear(message.params);
      else dropped += 1;
    } else {
      dropped += 1;
    }
  };
  let unsubscribe: () => void;
  try {
    unsubscribe = channel.onMessage(receive);
  } catch (error) {
    free();
    throw error;
  }

  return {
    nonce,
    get dropped() {
      return dropped;
    },
    close() {
      if (isClosed) return;
      notify('bye', {});
      isClosed = true;
      quietly(unsubscribe);
      free();
    },
  };
}
