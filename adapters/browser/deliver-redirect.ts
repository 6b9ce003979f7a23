import type { Page } from './popup-window.js';
import { takeRedirectUrl } from './redirect-address.js';
import { openChannel, type RedirectReply } from './redirect-message.js';
import { showStatus } from './redirect-status.js';

/** What became of the redirect that this page was loaded with. */
export type Delivery =
  | { readonly kind: 'signedIn' }
  /** `code` is that of the error the app has, `hint` what the user can do. */
  | { readonly kind: 'failed'; readonly code: string; readonly hint: string }
  /** A page took it, and has not said within a minute how it ended. */
  | { readonly kind: 'delivered' }
  /** No page waits for it. It is yours: a sign-in cut in two is completed with it. */
  | { readonly kind: 'nobody'; readonly redirectUrl: () => string }
  /** The address holds no answer: a reload, a duplicate, a page from the history. */
  | { readonly kind: 'nothing' }
  /** This page is in a frame, or has no origin (sandboxed, a file): there an answer is given to nobody. */
  | { readonly kind: 'refused' };

export type DeliveryTexts = Readonly<Record<Delivery['kind'] | 'delivering', string>>;

export interface DeliverRedirectOptions {
  /** In your user's language; an empty one shows nothing. Plain text. */
  readonly texts?: Partial<DeliveryTexts>;
  /** Shows a text. Default: in the element with `role="status"`, which is made if there is none. */
  readonly show?: (text: string) => void;
  /** How long a page has to say that it is there. Default 2,000. */
  readonly answerWithinMs?: number;
}

const TEXTS: DeliveryTexts = {
  delivering: 'Signing in',
  signedIn: 'You are signed in. You can close this window.',
  failed: 'You are not signed in.',
  delivered: 'Go back to the app.',
  nobody: 'Go back to the app and sign in again.',
  nothing: 'You can close this window.',
  refused: 'You are not signed in.',
};

/** A token request has its own limit of 30 s, and so has the store. */
const OUTCOME_WITHIN_MS = 60_000;

/**
 * Hands this page's address to the page that waits for it: to the one that opened this window, and to those of the same
 * origin that a provider's policy has cut it off from. Nobody else is told. Shows what became of it, and never rejects.
 *
 * @see RFC 9700 section 4.17.2
 */
export async function deliverRedirect(
  options: DeliverRedirectOptions = {},
  page: Page = globalThis as unknown as Page,
): Promise<Delivery> {
  const { texts, show = (text) => showStatus(text, page), answerWithinMs = 2_000 } = options;
  const tell = (kind: keyof DeliveryTexts, hint = '') => {
    const text = { ...TEXTS, ...texts }[kind];
    try {
      if (text) show(text + hint);
    } catch {
      // The answer goes on, whoever shows it.
    }
  };
  const url = takeRedirectUrl(page);
  let delivery: Delivery = { kind: url ? 'refused' : 'nothing' };
  if (url && page.top === page.self && page.origin !== 'null') {
    tell('delivering');
    delivery = await deliver(page, url, answerWithinMs);
  }
  tell(delivery.kind, delivery.kind === 'failed' ? ` ${delivery.hint}` : '');
  // The app closes the window it opened; where it was cut off from it, only the window itself can.
  if (delivery.kind === 'signedIn') page.close();
  return delivery;
}

function deliver(page: Page, url: string, answerWithinMs: number): Promise<Delivery> {
  const { origin } = page;
  const opener = page.opener as Window | null;
  const channel = openChannel(page, page.location);
  const id = page.crypto.getRandomValues(new Uint32Array(2)).join('-');
  return new Promise((resolve) => {
    let open = 0;
    let isLate = false;
    const finish = (delivery: Delivery) => {
      clearTimeout(timer);
      page.removeEventListener('message', onMessage);
      channel?.close();
      resolve(delivery);
    };
    const take = (data: unknown) => {
      const { id: to, kind, code = '', hint = '' } = Object(data) as RedirectReply;
      if (to !== id) return;
      if (kind === 'heard') open += 1;
      if (kind === 'ignored') open -= 1;
      if (kind === 'failed') finish({ kind, code, hint });
      if (kind === 'signedIn') finish({ kind });
      if (isLate) check();
    };
    // Several pages may wait, each for its own: one that ignores this speaks for itself alone.
    const check = () => {
      if (!open) finish({ kind: 'nobody', redirectUrl: () => url });
    };
    const onMessage = (event: MessageEvent) => {
      if (event.origin === origin && event.source === opener) take(event.data);
    };
    let timer = setTimeout(() => {
      isLate = true;
      timer = setTimeout(() => finish({ kind: 'delivered' }), OUTCOME_WITHIN_MS);
      check();
    }, answerWithinMs);
    page.addEventListener('message', onMessage);
    if (channel) channel.onmessage = ({ data }) => take(data);
    const message = { mortise: 1, id, url };
    channel?.postMessage(message);
    opener?.postMessage(message, origin);
  });
}
