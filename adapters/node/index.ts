/** @module Node and Electron, in or beside the CAD program: system browser, loopback redirect, files. */
import { MortiseError } from '../../src/errors.js';
import type { Host, HttpTransport, KeyValueStore } from '../../src/ports/index.js';
import { createLocalLock } from '../web/local-lock.js';
import { systemClock } from '../web/system-clock.js';
import { webCrypto } from '../web/web-crypto.js';
import { fetchTransport } from './fetch-transport.js';
import type { LandingTexts } from './landing-page.js';
import { createSystemBrowser } from './system-browser.js';
import { createLoopbackUserAgent } from './user-agent.js';

export { fileStore, type FileStoreOptions } from './file-store.js';
export { fetchTransport, type FetchTransportOptions } from './fetch-transport.js';
export { serveSandbox, type ServedSandbox, type ServeSandboxOptions } from './serve-sandbox.js';
export { createSystemBrowser, type SystemBrowserOptions } from './system-browser.js';
export type { ErrorTexts, LandingTexts } from './landing-page.js';

export interface NodeHostOptions {
  /** Where sessions rest: named by you, for nothing else is tried in its place. */
  readonly store: KeyValueStore;
  /** Shows an address to the user. Default: the system's browser. A rejection says that it could not. */
  readonly openBrowser?: (url: string) => Promise<void>;
  /** Default `fetchTransport()`. */
  readonly http?: HttpTransport;
  /** The texts of the page the browser ends on, in your user's language. */
  readonly landingPage?: Partial<LandingTexts>;
}

/** Nothing is opened, read or written before a session asks for it. */
export function createNodeHost(options: NodeHostOptions): Host {
  const {
    store,
    openBrowser = createSystemBrowser(),
    http = fetchTransport(),
    landingPage,
  } = options;
  const clock = systemClock;
  if (typeof store?.get !== 'function') {
    throw new MortiseError('configuration_error', { problem: 'store is missing' });
  }
  return {
    http,
    store,
    lock: createLocalLock(clock),
    crypto: webCrypto,
    clock,
    userAgents: [createLoopbackUserAgent({ openBrowser, texts: landingPage, clock })],
    client: 'confidential',
  };
}
