import { MortiseError } from '../errors.js';
import { isSecure, parseUrl } from '../oauth/endpoint.js';
import type { ApiRequest } from './request.js';

/**
 * Joins a path to the API base, below which it stays, whatever it is made of: dot segments, encoded ones,
 * backslashes and absolute addresses are judged by where they lead after parsing.
 *
 * @throws {MortiseError} `api_url_untrusted` when it leads out.
 */
export function apiUrl(base: string, path: string, query: ApiRequest['query']): string {
  const isAbsolute = /^[a-z][a-z\d+.-]*:|^[\\/]{2}/i.test(path);
  const root = new URL(base);
  const folder = root.pathname.replace(/\/*$/, '/');
  // Nothing to append leaves the base as it is, without a slash it may not have.
  const joined = /^(\?|$)/.test(path) ? root.pathname + path : folder + path.replace(/^\//, '');
  const url = parseUrl(isAbsolute ? path : root.origin + joined, root.href);
  const isInside =
    url && isSecure(url) && url.origin === root.origin && `${url.pathname}/`.startsWith(folder);
  // A fragment never reaches a server, so a path with one was meant for something else.
  if (!isInside || /[\\#]/.test(path)) {
    throw new MortiseError('api_url_untrusted', { host: url?.host ?? '' });
  }
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined) url.searchParams.append(name, String(item));
    }
  }
  return url.href;
}
