import type { Page } from './popup-window.js';

/**
 * The redirect that brought the user to this page, as it came; `null` when it brought none, or was taken before.
 *
 * Takes it off the address bar and out of this tab's history at once, with everything else of the query: code and
 * state have no business in a bookmark, a screenshot or a referrer. The page stays.
 */
export function takeRedirectUrl(page: Page = globalThis as unknown as Page): string | null {
  const { href, pathname, search } = page.location;
  if (search.length < 2) return null;
  try {
    page.history.replaceState(null, '', pathname);
  } catch {
    // A document without an origin may not.
  }
  return href;
}
