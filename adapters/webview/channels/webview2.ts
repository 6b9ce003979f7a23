import { toText, type Channel } from './channel.js';
import { needFunction } from './globals.js';

/** WebView2: `PostWebMessageAsString` in the host, `WebMessageReceived` for what comes from here. */
export function webView2Channel(): Channel {
  return {
    send: (text) => void needFunction('chrome.webview.postMessage')(text),
    onMessage(listener) {
      const hear = (event: { readonly data?: unknown }) => {
        const text = toText(event.data);
        if (text !== null) listener(text);
      };
      needFunction('chrome.webview.addEventListener')('message', hear);
      return () => void needFunction('chrome.webview.removeEventListener')('message', hear);
    },
  };
}
