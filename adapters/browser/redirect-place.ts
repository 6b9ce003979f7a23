import { misconfigured } from '../../src/errors.js';
import type { RedirectRule } from '../../src/ports/index.js';
import type { Page } from './popup-window.js';

/** What is wrong with a redirect URI by itself. @throws {MortiseError} `configuration_error`. */
export function readRedirectUri(redirectUri: string): URL {
  let url: URL;
  try {
    url = new URL(redirectUri);
  } catch {
    throw misconfigured('redirectUri must be an absolute address');
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password || url.hash) {
    throw misconfigured('redirectUri must be http or https, without a user and a fragment');
  }
  return url;
}

/**
 * Whether the answer can get from the redirect page to this one: both are of one origin, and the page has one.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export function checkPage({ origin: redirectOrigin }: URL, page: Page): void {
  // The origin of a document, not of its address: a sandboxed frame has an address like any other.
  const { origin } = page;
  if (page.location.protocol === 'file:') {
    throw misconfigured(
      'a page opened as a file has no origin: serve its folder, such as at http://localhost:8080',
    );
  }
  if (origin === 'null') {
    throw misconfigured('a page without an origin (sandboxed, data: or about:) cannot be answered');
  }
  if (origin !== redirectOrigin) {
    throw misconfigured(`redirectUri must be at the origin of this page, ${origin}`);
  }
}

/**
 * Whether the authorization server may be asked to send the user there. Compared as text, which is what servers do
 * (RFC 9700 section 4.1.3): `http://localhost:3000` is not `http://localhost:3000/`.
 *
 * @throws {MortiseError} `configuration_error`.
 */
export function checkRule(redirectUri: string, rule: RedirectRule): void {
  if (!('loopback' in rule)) {
    if (rule.includes(redirectUri)) return;
    throw misconfigured('redirectUri is not one of the provider’s');
  }
  const { loopback, path, ports } = rule;
  const { port } = new URL(redirectUri);
  const number = Number(port || 80);
  const fits = redirectUri === `http://${loopback}${port && `:${port}`}${path}`;
  if (fits && (ports === 'any' || ports.includes(number))) return;
  const which = ports === 'any' ? '<any port>' : ports.join(' or ');
  throw misconfigured(`redirectUri must be http://${loopback}:${which}${path}`);
}
