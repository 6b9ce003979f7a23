import { MortiseError, isMortiseError } from '../../../src/errors.js';
import type { Host, KeyValueStore } from '../../../src/ports/index.js';
import { createTurns } from '../../web/turns.js';
import type { Channel } from '../channels/channel.js';
import { textMapOf, textOf, type Fields } from '../protocol/fields.js';
import { headersOf } from './headers.js';
import { isPresentable } from '../protocol/redirect.js';
import { createServedBodies } from './serve-bodies.js';
import {
  servePanel,
  type Notify,
  type Page,
  type ServedPanel,
  type ServeOptions,
  type Service,
} from './serve-panel.js';
import { invalidParams, type Call } from './serve-requests.js';
import { visitService } from './serve-visits.js';
import { untilAborted } from '../protocol/until-aborted.js';

export interface ServeHostOptions extends ServeOptions {
  /** What of the host the panel may use; nothing by default. The store is to hold nothing of anybody else's. */
  readonly offers: readonly ('browser' | 'http' | 'store')[];
}

/**
 * Lends a page what a host of another kind has: an Electron program its Node host, say. For a panel that is to hold no
 * refresh token there is `serveSession`.
 */
export function serveHost(host: Host, channel: Channel, options: ServeHostOptions): ServedPanel {
  const offer = {
    browser: ({ notify }: Page) => visitService(host, notify),
    http: ({ limit }: Page) => httpService(host, limit),
    store: ({ notify }: Page) => storeService(host.store, notify),
  };
  return servePanel(channel, options, (page) => options.offers.map((name) => offer[name](page)));
}

const METHOD = /^[A-Z]{3,20}$/;

function httpService({ http, clock }: Pick<Host, 'http' | 'clock'>, limit: () => number): Service {
  const bodies = createServedBodies(limit, clock);
  const request = async (params: Fields, body: Uint8Array | undefined, { signal }: Call) => {
    const method = textOf(params, 'method') ?? '';
    const url = textOf(params, 'url', 16_384) ?? '';
    const headers = textMapOf(params, 'headers');
    if (!METHOD.test(method)) throw invalidParams('method');
    if (!isPresentable(url)) throw invalidParams('url');
    if (!headers || [...headers].some(([name, value]) => /[\r\n\0]/.test(name + value))) {
      throw invalidParams('headers');
    }
    const controller = new AbortController();
    const abort = () => controller.abort();
    // What went wrong in words may quote what was sent.
    const failure = (error: unknown) =>
      isMortiseError(error)
        ? error
        : new MortiseError('network_error', { host: new URL(url).host });
    signal.addEventListener('abort', abort);
    try {
      const answer = await http({
        method,
        url,
        headers: Object.fromEntries(headers),
        ...(body && { body }),
        signal: controller.signal,
      });
      const head = { status: answer.status, headers: headersOf(answer.headers) };
      return await bodies.give(head, { body: answer.body, stop: abort, failure, signal });
    } catch (error) {
      throw failure(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };
  return {
    offer: 'http',
    close: bodies.close,
    methods: {
      ...bodies.methods,
      'http.request': (params, call) => bodies.lend(params, (body) => request(params, body, call)),
    },
  };
}

const KEY = 1_024;
const VALUE = 262_144;

function storeService(store: KeyValueStore, notify: Notify): Service {
  const inTurn = createTurns();
  const watched = new Map<string, () => void>();
  const keyOf = (params: Fields) => {
    const key = textOf(params, 'key', KEY);
    if (key === undefined) throw invalidParams('key');
    return key;
  };
  /** What is withdrawn before its turn is not done, and what it would have written is not kept. */
  const whenMine = async (key: string, { signal }: Call, task: () => Promise<Fields>) => {
    let mine: typeof task | null = task;
    const forget = () => void (mine = null);
    signal.addEventListener('abort', forget);
    const turn = inTurn(key, async () => {
      if (!mine) throw new MortiseError('aborted', {});
      return mine();
    });
    return untilAborted(turn, signal).finally(() => signal.removeEventListener('abort', forget));
  };
  return {
    offer: 'store',
    close() {
      for (const stop of watched.values()) stop();
      watched.clear();
    },
    methods: {
      'store.get': async (params, call) => {
        const key = keyOf(params);
        return whenMine(key, call, async () => ({ value: await store.get(key) }));
      },
      'store.set': async (params, call) => {
        const key = keyOf(params);
        const value = textOf(params, 'value', VALUE);
        if (value === undefined) throw invalidParams('value');
        return whenMine(key, call, async () => (await store.set(key, value), {}));
      },
      'store.remove': async (params, call) => {
        const key = keyOf(params);
        return whenMine(key, call, async () => (await store.remove(key), {}));
      },
      'store.ready': async () => (await store.ready?.(), {}),
      'store.watch': async (params) => {
        const key = keyOf(params);
        if (watched.has(key)) return {};
        if (watched.size >= 256) throw invalidParams('too many keys are watched');
        const stop = store.watch?.(key, () => notify('store.changed', { key }));
        if (stop) watched.set(key, stop);
        return {};
      },
      'store.unwatch': async (params) => {
        const key = keyOf(params);
        watched.get(key)?.();
        watched.delete(key);
        return {};
      },
    },
  };
}
