import { MortiseError, misconfigured } from '../../src/errors.js';
import type { Channel } from './channel.js';
import { isFields, own, textOf, type Fields } from './fields.js';
import { RPC, readMessage, writeMessage } from './message.js';
import { agreedLimit, checkedLimit, saidLimit } from './message-limit.js';
import { createNonce, isNonce } from './nonce.js';
import { writeError } from './wire-error.js';

export interface ServeOptions {
  /** The secret of this load of the panel's page. Default: a new one, to be handed over (PROTOCOL.md section 2). */
  readonly nonce?: string;
  /** For people: who serves. */
  readonly name?: string;
  /** The longest message in bytes, 4,096 to 1,048,576 (default). Less where the engine takes less: the panel is told. */
  readonly maxMessageBytes?: number;
}

/** What one request may do beside answering. */
export interface Call {
  /** Aborted when the panel withdraws the request, or is gone. */
  readonly signal: AbortSignal;
  /** Aborted only when the panel withdraws it. */
  readonly withdrawn: AbortSignal;
}

export type Method = (params: Fields, call: Call) => Promise<Fields>;

/** One part of what a host offers. */
export interface Service {
  readonly offer: string;
  readonly methods: Readonly<Record<string, Method>>;
  readonly notifications?: Readonly<Record<string, (params: Fields) => void>>;
  /** Frees what it holds for this page. */
  close(): void;
}

export type Notify = (method: string, params: Fields) => void;

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

const MAX_UNDER_WAY = 64;
const MAX_REMEMBERED = 1_000;

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
  const underWay = new Map<string, { gone: AbortController; withdrawn: AbortController }>();
  /** The oldest first. */
  const remembered = new Set<string>();

  const post = (message: Fields) => {
    if (isClosed) return;
    const text = writeMessage(message, nonce, limit);
    try {
      channel.send(text);
    } catch {
      // The view is gone; whoever owns it closes this.
    }
  };
  const notify: Notify = (method, params) => {
    try {
      post({ method, params });
    } catch {
      // Too long for a message, so nobody can be told.
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

  const isRepeated = (id: string): boolean => {
    if (remembered.has(id)) return true;
    remembered.add(id);
    for (const oldest of remembered) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return false;
  };

  const answer = async (id: string, method: string, params: Fields) => {
    const run = method === 'hello' ? hello : find((service) => service.methods, method);
    if (!run) {
      post({ id, error: { code: RPC.unknownMethod, message: 'unknown method' } });
      return;
    }
    const gone = new AbortController();
    const withdrawn = new AbortController();
    underWay.set(id, { gone, withdrawn });
    try {
      // Who frees something is never turned away.
      if (underWay.size > MAX_UNDER_WAY && !method.endsWith('.close')) {
        throw new MortiseError('rate_limited', { status: 0, retryAfterMs: null });
      }
      post({ id, result: await run(params, { signal: gone.signal, withdrawn: withdrawn.signal }) });
    } catch (error) {
      const isWithdrawn = withdrawn.signal.aborted;
      post({ id, error: toRpcError(isWithdrawn ? new MortiseError('aborted', {}) : error) });
    } finally {
      underWay.delete(id);
    }
  };

  const unsubscribe = channel.onMessage((text) => {
    const message = isClosed ? null : readMessage(text, nonce, ownLimit);
    if (message?.kind === 'request' && !isRepeated(message.id)) {
      void answer(message.id, message.method, message.params);
    } else if (message?.kind === 'notification' && message.method === 'cancel') {
      const call = underWay.get(textOf(message.params, 'id') ?? '');
      call?.withdrawn.abort();
      call?.gone.abort();
    } else if (message?.kind === 'notification') {
      const hear = find((service) => service.notifications, message.method);
      if (hear) hear(message.params);
      else dropped += 1;
    } else {
      dropped += 1;
    }
  });

  return {
    nonce,
    get dropped() {
      return dropped;
    },
    close() {
      if (isClosed) return;
      notify('bye', {});
      isClosed = true;
      unsubscribe();
      for (const { gone } of underWay.values()) gone.abort();
      for (const service of services) service.close();
    },
  };
}

/** Thrown by a method for `params` it cannot read. */
export const invalidParams = (name: string): { readonly invalidParams: string } => ({
  invalidParams: name,
});

export const isInvalidParams = (error: unknown): error is { readonly invalidParams: string } =>
  isFields(error) && typeof own(error, 'invalidParams') === 'string';

function toRpcError(error: unknown): Fields {
  if (isInvalidParams(error)) {
    return { code: RPC.invalidParams, message: `wrong or missing: ${error.invalidParams}` };
  }
  const data = writeError(error);
  return { code: RPC.failed, message: String(data['code']).split('_').join(' '), data };
}
