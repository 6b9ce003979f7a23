import type { Clock } from '../../src/ports/index.js';

export type Page = Window & typeof globalThis;

export interface PopupSize {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
}

/** Opens a blank window over the middle of this one; `null` when the browser does not let it. */
export function openPopup(page: Page, { width, height }: PopupSize): Window | null {
  const { screenX = 0, screenY = 0, outerWidth = 0, outerHeight = 0 } = page;
  const left = Math.max(0, Math.round(screenX + (outerWidth - width) / 2));
  const top = Math.max(0, Math.round(screenY + (outerHeight - height) / 2));
  const features = `popup,width=${width},height=${height},left=${left},top=${top}`;
  // Some blockers give a window that is closed already, some throw.
  try {
    const popup = page.open('about:blank', '_blank', features);
    return popup && !popup.closed ? popup : null;
  } catch {
    return null;
  }
}

/** How often the window is looked at; what became of it is told within a second. */
const INTERVAL_MS = 500;
/** What one look counts for at most: a page that slept has had nobody in front of it. */
const LONGEST_LOOK_MS = 1_000;
/** How long the user has been back at the page, altogether, when the window is taken for closed. */
const BACK_FOR_MS = 20_000;

export interface PopupWatch {
  /** The window has left our own blank page: from now on, not to see it does not mean that it is closed. */
  leave(): void;
  stop(): void;
}

/**
 * Tells what became of a window.
 *
 * A window that says `closed` may be open: a provider's Cross-Origin-Opener-Policy, or our own page's, has cut it off.
 * Whoever is still at it has the focus there; a user who has been back here for 20 seconds has left it.
 */
export function watchPopup(
  popup: Window,
  page: Page,
  clock: Clock,
  tell: (fate: 'lost' | 'closed') => void,
): PopupWatch {
  let isBlank = true;
  let lost: { lastMs: number; backForMs: number } | null = null;
  let cancel = () => {};

  const stop = () => {
    cancel();
    page.removeEventListener('focus', look);
  };
  const close = () => {
    stop();
    tell('closed');
  };
  function look(): void {
    cancel();
    cancel = clock.after(INTERVAL_MS, look);
    const nowMs = clock.monotonicMs();
    if (lost) {
      const { document } = page;
      const isBack = document.hasFocus() && document.visibilityState === 'visible';
      if (isBack) lost.backForMs += Math.min(nowMs - lost.lastMs, LONGEST_LOOK_MS);
      lost.lastMs = nowMs;
      if (lost.backForMs >= BACK_FOR_MS) close();
    } else if (popup.closed) {
      if (isBlank) return close();
      lost = { lastMs: nowMs, backForMs: 0 };
      tell('lost');
    }
  }

  page.addEventListener('focus', look);
  cancel = clock.after(INTERVAL_MS, look);
  return {
    leave() {
      look();
      isBlank = false;
    },
    stop,
  };
}
