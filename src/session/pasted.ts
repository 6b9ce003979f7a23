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
  const query = /^\?|^\w+=[^&]+&/.exec(pasted);
  if (query) return { redirectUrl: `${redirectUri}?${pasted.replace(/^\?/, '')}` };
  if (pasted.includes('://')) return { redirectUrl: pasted };
  if (/[?&]\w+=/.test(pasted)) {
    // Browsers hide the scheme, and some copy what they show.
    return { redirectUrl: `${parseUrl(redirectUri)?.protocol}//${pasted}` };
  }
  const code = decoded(pasted);
  return isAuthorizationCode(code) && !/\s/.test(code) ? { code } : { redirectUrl: pasted };
}

/** As it stands in an address, a code is percent-encoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
