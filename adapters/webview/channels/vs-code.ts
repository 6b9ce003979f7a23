import { toText, type Channel } from './channel.js';
import { needFunction } from './globals.js';

export interface VsCodeApi {
  postMessage(message: unknown): unknown;
}

export interface VsCodeChannelOptions {
  /** What `acquireVsCodeApi()` gave, which may be asked only once in a page. Default: asked when it is needed. */
  readonly api?: VsCodeApi;
}

/** A webview of VS Code. Frames in the page can post to it as well, so the nonce counts here. */
export function vsCodeChannel({ api }: VsCodeChannelOptions = {}): Channel {
  let acquired: VsCodeApi | undefined = api;
  return {
    send(text) {
      acquired ??= needFunction('acquireVsCodeApi')() as VsCodeApi;
      acquired.postMessage(text);
    },
    onMessage(listener) {
      const hear = (event: MessageEvent) => {
        const text = toText(event.data);
        if (text !== null) listener(text);
      };
      needFunction('addEventListener')('message', hear);
      return () => void needFunction('removeEventListener')('message', hear);
    },
  };
}
