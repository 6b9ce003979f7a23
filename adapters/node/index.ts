/** @module Node and Electron, in or beside the CAD program: system browser, loopback redirect, files. */
import type { Host, HttpTransport, KeyValueStore, UserAgent } from '../../src/ports/index.js';
import { firstUsable } from '../web/store-list.js';
import { systemClock } from '../web/system-clock.js';
import { webCrypto } from '../web/web-crypto.js';
import { fetchTransport } from './fetch-transport.js';
import type { LandingTexts } from './landing-page.js';
import { createStoreLock } from './store-lock.js';
import { createSystemBrowser } from './system-browser.js';
import { createLoopbackUserAgent } from './user-agent.js';

export { defaultDirectory } from './default-directory.js';
export { fileStore, type FileStoreOptions } from './file-store.js';
export { keyringStore, type KeyringStoreOptions } from './keyring-store.js';
export { fetchTransport, type FetchTransportOptions } from './fetch-transport.js';
export { serveSandbox, type ServedSandbox, type ServeSandboxOptions } from './serve-sandbox.js';
export { createSystemBrowser, type SystemBrowserOptions } from './system-browser.js';
export type { ErrorTexts, LandingTexts } from './landing-page.js';

export interface NodeHostOptions {
  /**
   * Where sessions rest: named by you, for nothing else is tried in its place. Of a list, the first that works;
   * once an earlier one was in use, a later one does not take its place.
   */
  readonly store: KeyValueStore | readonly KeyValueStore[];
  /** Shows an address to the user. Default: the system's browser. A rejection says that it could not. */
  readonly openBrowser?: (url: string) => Promise<void>;
  /**
   * Who shows the user where to sign in, in order of preference; `browser` is the system's browser with a redirect
   * to this machine, and all there is by default. For machines without one, or that nothing can come back to:
   * `(browser) => [browser, deviceUserAgent(), pasteUserAgent()]`.
   */
  readonly userAgents?: (browser: UserAgent) => readonly UserAgent[];
  /** Default `fetchTransport()`. */
  readonly http?: HttpTransport;
  /** The texts of the page the browser ends on, in your user's language. */
  readonly landingPage?: Partial<LandingTexts>;
}

/** Nothing is opened, read or written before a session asks for it. */
export function createNodeHost(options: NodeHostOptions): Host {
  const {
    openBrowser = createSystemBrowser(),
    http = fetchTransport(),
    landingPage,
    userAgents = (browser) => [browser],
  } = options;
  const clock = systemClock;
  const store = firstUsable([options.store].flat(), {
    clock,
    createLock: (list) => createStoreLock(list, clock),
  });
  return {
    http,
    store,
    lock: createStoreLock(store, clock),
    crypto: webCrypto,
    clock,
    userAgents: userAgents(createLoopbackUserAgent({ openBrowser, texts: landingPage, clock })),
    client: 'confidential',
  };
}
