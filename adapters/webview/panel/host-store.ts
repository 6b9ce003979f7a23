import { MortiseError } from '../../../src/errors.js';
import type { KeyValueStore } from '../../../src/ports/index.js';
import { toBridge, type Bridge, type BridgeOptions } from './bridge.js';
import type { Channel } from '../channels/channel.js';
import { own, textOf, type Fields } from '../protocol/fields.js';
import { unavailable } from '../protocol/wire-error.js';

const TIMEOUT_MS = 10_000;
const LONGEST_VALUE = 262_144;

/**
 * Storage by the host: a keychain or a file that a page cannot have. Refresh tokens pass the bridge with it; a session
 * that the host owns (`connectSession`) keeps them there.
 */
export function hostStore(port: Channel | Bridge, options?: BridgeOptions): KeyValueStore {
  const bridge = toBridge(port, options);
  const ask = (method: string, params: Fields) =>
    bridge.request('store', method, params, { timeoutMs: TIMEOUT_MS });
  /** How many here want to hear of a key: the host is told once. */
  const watched = new Map<string, number>();
  return {
    name: 'host',
    async get(key) {
      const answer = await ask('store.get', { key });
      const value = own(answer, 'value') === null ? null : textOf(answer, 'value', LONGEST_VALUE);
      if (value === undefined) throw unavailable('the host gave no stored value');
      return value;
    },
    async set(key, value) {
      if (value.length > LONGEST_VALUE)
        throw new MortiseError('store_unavailable', { problem: 'full' });
      await ask('store.set', { key, value });
    },
    async remove(key) {
      await ask('store.remove', { key });
    },
    async ready() {
      await ask('store.ready', {});
    },
    watch(key, changed) {
      const stop = bridge.on('store.changed', (params) => {
        if (textOf(params, 'key') === key) changed();
      });
      const others = watched.get(key) ?? 0;
      watched.set(key, others + 1);
      // Who cannot watch is asked at the next use.
      if (others === 0) ask('store.watch', { key }).catch(() => {});
      let isStopped = false;
      return () => {
        if (isStopped) return;
        isStopped = true;
        stop();
        const left = (watched.get(key) ?? 1) - 1;
        if (left > 0) watched.set(key, left);
        else if (watched.delete(key)) ask('store.unwatch', { key }).catch(() => {});
      };
    },
  };
}
