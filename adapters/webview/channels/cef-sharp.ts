import type { Channel } from '../channel.js';
import { scriptChannel } from './globals.js';

/** CefSharp: `JavascriptMessageReceived` in the host, which answers by `ExecuteScriptAsync("mortiseReceive", text)`. */
export function cefSharpChannel(): Channel {
  return scriptChannel('CefSharp.PostMessage', 'cefSharp.postMessage');
}
