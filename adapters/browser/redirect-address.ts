import type { Page } from './popup-window.js';

/**
 * The redirect that brought the user to this page, as it came; `null` when it brought none, or was taken before. A query
 * without a parameter of an answer is the app's own, and stays.
 *
 * Takes it off the address bar and out of this tab's history at once, with everything else of the query: code and
 * state have no business in a bookmark, a screenshot or a referrer. The page stays.
 */
export function takeRedirectUrl(page: Page = globalThis as unknown as Page): string | null {
  const { href, search } = page.location;
  if (!/[?&](access_)?(code|error|denied|state)=/.test(search)) return null;
  try {
    // Whole: a path may begin with two slashes.
    page.history.replaceState(null, '', href.split('?')[0]);
  } catch {
    // A document without an origin may not.
  }
  return href;
}
