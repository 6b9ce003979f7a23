/** @module A panel in the web view of a CAD program: the host opens the browser, or owns the session. */
import { misconfigured } from '../../src/errors.js';
import type {
  Host,
  HttpTransport,
  KeyValueStore,
  RedirectUserAgent,
} from '../../src/ports/index.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { pasteUserAgent } from '../../src/session/paste-user-agent.js';
import { fetchTransport } from '../web/fetch-transport.js';
import { createLocalLock } from '../web/local-lock.js';
import { pageCrypto } from '../web/page-crypto.js';
import { systemClock } from '../web/system-clock.js';
import { toBridge, type Bridge } from './panel/bridge.js';
import type { Channel } from './channels/channel.js';
import { chosen, createPanelUserAgent } from './panel/user-agent.js';

export { fetchTransport, type FetchTransportOptions } from '../web/fetch-transport.js';
export {
  openBridge,
  type Ask,
  type Bridge,
  type BridgeOptions,
  type Offer,
} from './panel/bridge.js';
export type { Channel } from './channels/channel.js';
export { connectSession, type ConnectedSession } from './panel/connect-session.js';
export { hostStore } from './panel/host-store.js';
export { hostTransport } from './panel/host-transport.js';
export { createNonce } from './protocol/nonce.js';
export { isRedirect } from './protocol/redirect.js';
export { serveHost, type ServeHostOptions } from './host/serve-host.js';
export type { ServedPanel, ServeOptions } from './host/serve-panel.js';
export {
  serveSession,
  type ServableSession,
  type ServeSessionOptions,
} from './host/serve-session.js';
export { archicadChannel, type ArchicadChannelOptions } from './channels/archicad.js';
export { cefQueryChannel, type CefQueryChannelOptions } from './channels/cef-query.js';
export { cefSharpChannel, type CefSharpChannelOptions } from './channels/cef-sharp.js';
export { detectChannel, type DetectChannelOptions } from './channels/detect.js';
export { electronChannel, type ElectronChannelOptions } from './channels/electron.js';
export { fusionChannel } from './channels/fusion.js';
export { officeDialogChannel, type OfficeDialogChannelOptions } from './channels/office-dialog.js';
export { qtWebChannel, type QtWebChannelOptions } from './channels/qt-web-channel.js';
export { sketchUpChannel, type SketchUpChannelOptions } from './channels/sketchup.js';
export { vsCodeChannel } from './channels/vs-code.js';
export { webKitChannel, type WebKitChannelOptions } from './channels/webkit.js';
export { webView2Channel } from './channels/webview2.js';
export { windowChannel, type WindowChannelOptions } from './channels/window.js';

export interface WebviewHostOptions {
  /** The bridge to the program that shows the panel; `openBridge(…)` for other limits, or to share one. */
  readonly channel: Channel | Bridge;
  /** Default `memoryStore()`. `hostStore(channel)` keeps sessions with the host. */
  readonly store?: KeyValueStore;
  /** Default `fetchTransport()`. `hostTransport(channel)` where the page has no network. */
  readonly http?: HttpTransport;
  /** One of the provider's, in place of the first that the host can have. */
  readonly redirectUri?: string;
  /**
   * `host` (default): the system's browser, where passwords and single sign-on are and the program cannot read along
   * (RFC 8252 section 8.12). `view`: another view of the host's, stopped at the redirect. `paste`: the user brings the address.
   */
  readonly capture?: 'host' | 'view' | 'paste';
}

/** Nothing is asked of the host before a session needs it. */
export function createWebviewHost(options: WebviewHostOptions): Host {
  const { channel, capture = 'host', redirectUri, store, http } = options;
  if (!['host', 'view', 'paste'].includes(capture))
    throw misconfigured('capture is host, view or paste');
  const userAgent =
    capture === 'paste'
      ? pasteAt(redirectUri)
      : createPanelUserAgent({ bridge: toBridge(channel), capture, redirectUri });
  return {
    http: http ?? fetchTransport(),
    store: store ?? memoryStore(),
    lock: createLocalLock(systemClock),
    crypto: pageCrypto,
    clock: systemClock,
    userAgents: [userAgent],
    client: 'public',
  };
}

function pasteAt(redirectUri: string | undefined): RedirectUserAgent {
  const paste = pasteUserAgent();
  if (redirectUri === undefined) return paste;
  return {
    open: async ({ redirect, ...request }) =>
      paste.open({ ...request, redirect: [chosen(redirectUri, redirect)] }),
  };
}
