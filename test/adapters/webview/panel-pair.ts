import {
  openBridge,
  type Bridge,
  type BridgeOptions,
} from '../../../adapters/webview/panel/bridge.js';
import type { Channel } from '../../../adapters/webview/channels/channel.js';
import { createListeners } from '../../../adapters/webview/channels/channel.js';
import { createNonce } from '../../../adapters/webview/protocol/nonce.js';

export interface Pair {
  readonly nonce: string;
  readonly panel: Channel;
  readonly host: Channel;
  /** Everything sent, in order. */
  readonly toHost: string[];
  readonly toPanel: string[];
  /** Somebody else speaks. */
  inject(side: 'panel' | 'host', message: unknown): void;
  /** From now on nothing arrives, as when the other side has gone. */
  cut(): void;
  bridge(options?: BridgeOptions): Bridge;
}

/** Two ends of one port, as an engine has them: text alone gets across, a moment later. */
export function createPair(): Pair {
  const atPanel = createListeners();
  const atHost = createListeners();
  const toHost: string[] = [];
  const toPanel: string[] = [];
  const nonce = createNonce();
  let isCut = false;
  const end = (there: typeof atPanel, here: typeof atPanel, log: string[]): Channel => ({
    send(text) {
      log.push(text);
      if (!isCut) queueMicrotask(() => there.tell(text));
    },
    onMessage: here.add,
  });
  const panel = end(atHost, atPanel, toHost);
  return {
    nonce,
    panel,
    host: end(atPanel, atHost, toPanel),
    toHost,
    toPanel,
    inject(side, message) {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      (side === 'panel' ? atPanel : atHost).tell(text);
    },
    cut: () => (isCut = true),
    bridge: (options) => openBridge(panel, { nonce, ...options }),
  };
}

export const parsed = (texts: readonly string[]): Record<string, unknown>[] =>
  texts.map((text) => JSON.parse(text) as Record<string, unknown>);

/** A message as the other side would write it. */
export const rpc = (nonce: string, more: Readonly<Record<string, unknown>>) => ({
  jsonrpc: '2.0',
  nonce,
  ...more,
});
