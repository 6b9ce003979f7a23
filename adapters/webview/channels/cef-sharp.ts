import type { Channel } from './channel.js';
import { scriptChannel } from './globals.js';

export interface CefSharpChannelOptions {
  /** As `JavascriptBindingApiGlobalObjectName` says. Default `CefSharp`, also in lower case. */
  readonly object?: string;
}

/** CefSharp: `JavascriptMessageReceived` in the host, which answers by `ExecuteScriptAsync("mortiseReceive", text)`. */
export function cefSharpChannel({ object }: CefSharpChannelOptions = {}): Channel {
  const names = object === undefined ? ['CefSharp', 'cefSharp'] : [object];
  return scriptChannel(...names.flatMap((name) => [`${name}.PostMessage`, `${name}.postMessage`]));
}
