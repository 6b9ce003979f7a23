import { MortiseError } from '../../src/errors.js';
import type { Clock, RedirectUserAgent } from '../../src/ports/index.js';
import { takeAnswers } from './popup-answers.js';
import { openPopup, watchPopup, type Page, type PopupSize } from './popup-window.js';
import { checkPage, checkRule } from './redirect-place.js';

export interface PopupOptions {
  /** Parsed; `redirectUri` is the same as it is sent. */
  readonly redirect: URL;
  readonly redirectUri: string;
  readonly size: PopupSize;
  readonly clock: Clock;
  /** The page that opens the window, looked up when it is needed. */
  readonly page: () => Page;
}

/** How long closing waits for the redirect page to be told: it shows the end of the sign-in. */
const FAREWELL_MS = 500;

/** A window of the browser, opened inside the click; its last page hands the address over. */
export function createPopup({ redirect, redirectUri, size, clock, page: findPage }: PopupOptions) {
  const userAgent: RedirectUserAgent = {
    needsClick: true,
    // Nothing is awaited before the window is open: later, the browser would take it for an advertisement.
    async open({ redirect: rule, signal, onRedirect, onWindow }) {
      const page = findPage();
      checkPage(redirect, page);
      checkRule(redirectUri, rule);
      if (signal.aborted) throw new MortiseError('aborted', {});
      const popup = openPopup(page, size);
      const answers = takeAnswers(page, redirect, popup, onRedirect);
      const watch = popup && watchPopup(popup, page, clock, onWindow);

      const closeOnce = async () => {
        signal.removeEventListener('abort', close);
        watch?.stop();
        answers.stop();
        let cancel = () => {};
        const late = new Promise<void>((resolve) => (cancel = clock.after(FAREWELL_MS, resolve)));
        await Promise.race([answers.answered(), late]);
        cancel();
        answers.free();
        popup?.close();
      };
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= closeOnce());
      signal.addEventListener('abort', close);

      return {
        redirectUri,
        async navigate(authorizationUrl) {
          if (closing) throw new MortiseError('aborted', {});
          if (!popup) throw blocked();
          watch?.leave();
          try {
            // The blank page is not one to go back to.
            popup.location.replace(authorizationUrl);
          } catch {
            throw blocked();
          }
        },
        close,
      };
    },
  };
  return userAgent;
}

const blocked = () =>
  new MortiseError(
    'popup_blocked',
    {},
    { hint: 'Open the sign-in address as a link, or allow pop-ups for this page.' },
  );
