import type { Channel } from './channel.js';
import { scriptChannel } from './globals.js';

export interface WebKitChannelOptions {
  /** Of the script message handler. Default `mortise`. */
  readonly name?: string;
}

/**
 * WKWebView and WebKitGTK: a script message handler, which may reply, and `evaluateJavaScript("mortiseReceive(…)")`.
 * Frames of other sites reach the handler as well, so the nonce counts here.
 */
export function webKitChannel({ name = 'mortise' }: WebKitChannelOptions = {}): Channel {
  return scriptChannel(`webkit.messageHandlers.${name}.postMessage`);
}
