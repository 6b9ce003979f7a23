import type { Page } from './popup-window.js';

/** What the redirect page and the page of the app say to each other; each believes nothing but this shape. */

/** From the redirect page. */
export interface RedirectMessage {
  readonly mortise: 1;
  /** Of one arrival at the redirect page: the same message comes on two ways. */
  readonly id: string;
  /** As it stood in the address bar. */
  readonly url: string;
}

/** To the redirect page. Every `heard` is followed by one of the others, in time. */
export interface RedirectReply {
  readonly mortise: 1;
  readonly id: string;
  readonly kind: 'heard' | 'ignored' | 'signedIn' | 'failed';
  /** Of a failure: the code of the error, and what the user can do. */
  readonly code?: string;
  readonly hint?: string;
}

/** Where a page in another group of windows is reached: a provider or the app may have cut the pop-up off. */
export const channelName = ({ origin, pathname }: { origin: string; pathname: string }): string =>
  `mortise/1 ${origin}${pathname}`;

/** A browser that keeps no data for a site may refuse it a channel as well. */
export function openChannel(
  page: Page,
  address: { origin: string; pathname: string },
): BroadcastChannel | null {
  try {
    return new page.BroadcastChannel(channelName(address));
  } catch {
    return null;
  }
}
