import { isAuthorizationCode } from '../oauth/authorization-response.js';
import { parseUrl } from '../oauth/endpoint.js';

/** What people copy along with an address. */
const AROUND = /^[\s"'`<>“”„‟«»‘’]+|[\s"'`<>“”„‟«»‘’]+$/g;

/**
 * What a user pasted: the address the browser ended on, with or without its scheme, the query alone, or a
 * code on its own. A code has no `state` to compare; that the user brought it here, and PKCE, must do.
 */
export function readPasted(
  text: unknown,
  redirectUri: string,
): { readonly redirectUrl: string } | { readonly code: string } {
  const pasted = String(text).replace(AROUND, '');
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
