/** @module A page in a browser: pop-up or full-page redirect, tokens in memory or IndexedDB, locks between tabs. */
import { misconfigured } from '../../src/errors.js';
import type { Host, HttpTransport, KeyValueStore, UserAgent } from '../../src/ports/index.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { fetchTransport } from '../web/fetch-transport.js';
import { pageCrypto } from '../web/page-crypto.js';
import { firstUsable } from '../web/store-list.js';
import { systemClock } from '../web/system-clock.js';
import { createPopup } from './popup.js';
import type { Page, PopupSize } from './popup-window.js';
import { readRedirectUri } from './redirect-place.js';
import { createTabLock } from './tab-lock.js';

export { fetchTransport, type FetchTransportOptions } from '../web/fetch-transport.js';
export {
  deliverRedirect,
  type DeliverRedirectOptions,
  type Delivery,
  type DeliveryTexts,
} from './deliver-redirect.js';
export { indexedDbStore, type IndexedDbStoreOptions } from './indexed-db-store.js';
export { takeRedirectUrl } from './redirect-address.js';
export type { PopupSize } from './popup-window.js';

export interface BrowserHostOptions {
  /**
   * Where the redirect page is, exactly as it is registered with the platform. At the origin of the page that signs
   * in: its answer goes to no other.
   */
  readonly redirectUri: string;
  /**
   * Where sessions rest. Default `memoryStore()`: until the page is left or reloaded. Of a list, the first that works;
   * once an earlier one was in use, a later one does not take its place.
   */
  readonly store?: KeyValueStore | readonly KeyValueStore[];
  /** Default `fetchTransport()`. */
  readonly http?: HttpTransport;
  /** Default 480 × 720. */
  readonly popup?: PopupSize;
  /**
   * Who shows the user where to sign in, in order of preference; all there is by default is the pop-up. Where pop-ups
   * are blocked or the answer cannot come back: `(popup) => [popup, pasteUserAgent()]`.
   */
  readonly userAgents?: (popup: UserAgent) => readonly UserAgent[];
}

const SIZE: PopupSize = { width: 480, height: 720 };

/**
 * Nothing is opened, read or written before a session asks for it.
 *
 * @throws {MortiseError} `configuration_error` for a `redirectUri` that is none.
 */
export function createBrowserHost(options: BrowserHostOptions): Host {
  const {
    redirectUri,
    store: wanted = memoryStore(),
    http = fetchTransport(),
    popup: size = SIZE,
    userAgents = (popup) => [popup],
  } = Object(options) as BrowserHostOptions;
  if (typeof redirectUri !== 'string') throw misconfigured('redirectUri is missing');
  const redirect = readRedirectUri(redirectUri);
  const clock = systemClock;
  const store = firstUsable([wanted].flat(), {
    clock,
    createLock: (list) => createTabLock(clock, list),
  });
  const page = () => globalThis as unknown as Page;
  return {
    http,
    store,
    lock: createTabLock(clock, store),
    crypto: pageCrypto,
    clock,
    userAgents: userAgents(createPopup({ redirect, redirectUri, size, clock, page })),
    client: 'public',
  };
}
