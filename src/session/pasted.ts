import { isAuthorizationCode } from '../oauth/authorization-response.js';
import { parseUrl } from '../oauth/endpoint.js';

/** What people copy along with an address. */
const AROUND = /[\s"'`<>“”„‟«»‘’]/;
/** Longer than any answer of a server, and short enough to be looked at. */
const MAX_LENGTH = 20_000;

/** In steps: a regular expression would take the square of the length over a text of blanks. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && AROUND.test(text[start] ?? '')) start += 1;
  while (end > start && AROUND.test(text[end - 1] ?? '')) end -= 1;
  return text.slice(start, end);
}

/**
 * What a user pasted: the address the browser ended on, with or without its scheme, the query alone, or a
 * code on its own. A code has no `state` to compare; that the user brought it here, and PKCE, must do.
 */
export function readPasted(
  text: unknown,
  redirectUri: string,
): { readonly redirectUrl: string } | { readonly code: string } {
  const pasted = trimmed(String(text).slice(0, MAX_LENGTH));
  if (pasted.startsWith('?')) return { redirectUrl: redirectUri + pasted };
  if (pasted.includes('://')) return { redirectUrl: pasted };
  if (/[?&]\w+=/.test(pasted)) {
    // Browsers hide the scheme, and some copy what they show.
    return { redirectUrl: `${parseUrl(redirectUri)?.protocol}//${pasted}` };
  }
  return isAuthorizationCode(pasted) && !/\s/.test(pasted)
    ? { code: pasted }
    : { redirectUrl: pasted };
}
