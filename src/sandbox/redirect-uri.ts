import { isLoopback, type Registration } from './platform.js';

/**
 * Whether the browser may be sent there: to one that is registered, to the letter; or, when none was registered
 * by name, to https, http on loopback and whatever `isMore` allows.
 */
export function isRedirectUri(
  text: string,
  { redirectUris }: Registration,
  isMore: (uri: URL) => boolean = () => false,
): boolean {
  if (redirectUris) return redirectUris.includes(text);
  let uri: URL;
  try {
    uri = new URL(text);
  } catch {
    return false;
  }
  if (text.includes('#') || uri.username || uri.password) return false;
  return uri.protocol === 'http:' ? isLoopback(uri) : uri.protocol === 'https:' || isMore(uri);
}

/** The redirect URI with its answer, and with `state` if there was one (RFC 6749 section 4.1.2). */
export function answerAt(
  redirectUri: string,
  answer: Readonly<Record<string, string>>,
  state: string | null,
  more: Readonly<Record<string, string>> = {},
): string {
  const query = new URLSearchParams({ ...answer, ...(state !== null && { state }), ...more });
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${query.toString()}`;
}
