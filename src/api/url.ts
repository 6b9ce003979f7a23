import { MortiseError } from '../errors.js';
import { isSecure, parseUrl, withoutLastSlashes } from '../oauth/endpoint.js';
import type { ApiRequest } from './request.js';

/** A way up beside an encoded slash: part of a segment here, but not for a server that decodes once. */
const ENCODED_CLIMB = /(^|\/|%2f|%5c)(\.|%2e){2}(%2f|%5c)|(%2f|%5c)(\.|%2e){2}($|\/|%2f|%5c)/i;

/** What a parser takes out of a path; that of Node 20 leaves it in after a name that begins with a dot. */
const DOT_SEGMENT = /\/(\.|%2e){1,2}(\/|$)/i;

/**
 * An id as one segment of a path.
 *
 * @throws {MortiseError} `configuration_error` for what a URL cannot hold as a segment, encoded or not.
 */
export function pathSegment(id: string): string {
  try {
    if (!/^\.{0,2}$/.test(id)) return encodeURIComponent(id);
  } catch {
    // Half a surrogate pair: no text at all.
  }
  throw new MortiseError('configuration_error', {
    problem: 'an id is empty, only dots, or no text',
  });
}

/**
 * Joins a path to the API base, below which it stays, whatever it is made of: dot segments, encoded ones,
 * backslashes and absolute addresses are judged by where they lead after parsing.
 *
 * @throws {MortiseError} `api_url_untrusted` when it leads out.
 */
export function apiUrl(root: URL, path: string, query: ApiRequest['query']): string {
  const isAbsolute = /^[a-z][a-z\d+.-]*:|^[\\/]{2}/i.test(path);
  const folder = `${withoutLastSlashes(root.pathname)}/`;
  // Nothing to append leaves the base as it is, without a slash it may not have.
  const joined = path.startsWith('?') ? root.pathname + path : folder + path.replace(/^\//, '');
  const url = parseUrl(isAbsolute || !path ? path : root.origin + joined, root.href);
  const isInside =
    url &&
    isSecure(url) &&
    url.origin === root.origin &&
    `${url.pathname}/`.startsWith(folder) &&
    !DOT_SEGMENT.test(url.pathname);
  // A fragment never reaches a server, so a path with one was meant for something else.
  if (!isInside || /[\\#]/.test(path) || ENCODED_CLIMB.test(path.replace(/\?.*/, ''))) {
    throw new MortiseError('api_url_untrusted', { host: url?.host ?? '' });
  }
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined) url.searchParams.append(name, String(item));
    }
  }
  return url.href;
}
