import { MortiseError } from '../errors.js';

/** Where a plain http request does not leave the machine. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The address parsed, or `undefined` when it is none. `URL` errors quote their input, so none gets out. */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}

export const isLoopback = ({ hostname }: URL): boolean => LOOPBACK.test(hostname);

/** https, or http on loopback; no user name, password or fragment. @see RFC 6749 sections 3.1 and 3.2 */
export function isSecure(url: URL): boolean {
  return (
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) &&
    !url.username &&
    !url.password &&
    !url.hash
  );
}

/**
 * Returns `text` when it can be an endpoint.
 *
 * @throws {MortiseError} `configuration_error` naming `what`.
 */
export function checkEndpoint(text: unknown, what: string): string {
  const url = typeof text === 'string' ? parseUrl(text) : undefined;
  if (!url || !isSecure(url)) {
    throw new MortiseError('configuration_error', {
      problem: `${what} must be an https address, or http on loopback`,
    });
  }
  return text as string;
}

/**
 * A server's address as a person types it: without a scheme, in capitals, with its default port.
 *
 * @throws {MortiseError} `configuration_error` when it is none, is neither https nor http on loopback, or
 * carries a user name.
 */
export function parseServerUrl(text: unknown, what = 'serverUrl'): URL {
  const typed = typeof text === 'string' ? text.trim().replace(/[?#].*/s, '') : '';
  // `https:/host` would be taken for a host called https.
  const isWhole = /^[a-z][a-z\d+.-]*:\/\//i.test(typed);
  const url = /^https?:(?!\/\/)/i.test(typed)
    ? undefined
    : parseUrl(isWhole ? typed : `https://${typed}`);
  if (url && isSecure(url)) return url;
  throw new MortiseError('configuration_error', {
    problem: `${what} must be an https address, or http on loopback`,
  });
}

/** In steps, for a regular expression would take the square of the length over an address made of slashes. */
export function withoutLastSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

/** The same without a slash at its end, to append paths to. @throws {MortiseError} `configuration_error`. */
export function parseServerRoot(text: unknown, what?: string): string {
  const { origin, pathname } = parseServerUrl(text, what);
  return withoutLastSlashes(origin + pathname);
}

/**
 * Exact redirect URIs, as they were registered (RFC 6749 section 3.1.2): absolute, without a fragment.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export function checkRedirectUris(uris: unknown): readonly string[] {
  const isUri = (text: unknown) =>
    typeof text === 'string' && !text.includes('#') && parseUrl(text) !== undefined;
  if (Array.isArray(uris) && uris.length > 0 && uris.every(isUri)) return [...uris];
  throw new MortiseError('configuration_error', {
    problem: 'redirectUris must list the registered addresses',
  });
}

/** Whether a text is a host's name as an address would show it. */
export const isHostName = (name: unknown): boolean =>
  typeof name === 'string' &&
  parseUrl(`https://${name}/`)?.hostname === name.toLowerCase() &&
  !name.endsWith('.');

/**
 * Whether a name of `hosts` covers the address: the name itself and every host below it, compared label
 * by label, on the scheme's default port; a loopback name covers any port.
 */
export function isTrusted(url: URL, hosts: readonly string[]): boolean {
  if (!isSecure(url)) return false;
  const { hostname, port } = url;
  return hosts.some((host) => {
    const name = host.toLowerCase();
    if (LOOPBACK.test(name)) return hostname === name;
    return !port && (hostname === name || hostname.endsWith(`.${name}`));
  });
}
