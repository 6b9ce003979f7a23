import { toText, type Channel } from './channel.js';
import { needFunction } from './globals.js';

export interface ElectronChannelOptions {
  /** What the preload script exposes: `{ send(text), onMessage(listener) }`. Default `mortise`. */
  readonly name?: string;
}

/** Electron: `contextBridge.exposeInMainWorld` in a preload script, only for the panel's own address. */
export function electronChannel({ name = 'mortise' }: ElectronChannelOptions = {}): Channel {
  return {
    send: (text) => void needFunction(`${name}.send`)(text),
    onMessage(listener) {
      // A preload script may deliver what it has kept before it returns.
      let isStopped = false;
      const stop = needFunction(`${name}.onMessage`)((message: unknown) => {
        const text = toText(message);
        if (text !== null && !isStopped) listener(text);
      });
      return () => {
        isStopped = true;
        if (typeof stop === 'function') (stop as () => void)();
      };
    },
  };
}
