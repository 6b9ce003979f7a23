import { MortiseError } from '../../errors.js';
import { MAX_PAGES, type PageOptions } from '../../api/pages.js';
import { quietly } from '../../http/quietly.js';
import { parseUrl } from '../../oauth/endpoint.js';
import type { ApiSend } from '../../oauth/provider.js';
import { nothingBut } from './failures.js';

/** A resource of JSON:API: a hub, project, folder or item. Unknown fields are kept. */
export interface ApsEntry {
  readonly type: string;
  readonly id: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly relationships?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Why a list is not whole, in the platform's own spelling. */
export interface ApsWarning {
  readonly HttpStatusCode?: string;
  readonly ErrorCode?: string;
  readonly Title?: string;
  readonly Detail?: string;
  readonly [field: string]: unknown;
}

/** `limit` is the size of a page, 1 to 200; the platform's default is 200. */
export interface ApsListOptions extends PageOptions {
  /** Hears why a list is not whole: a region, for example, that the app may not read. */
  readonly onWarning?: (warning: ApsWarning) => void;
}

interface Page {
  readonly data?: unknown;
  readonly links?: { readonly next?: unknown } | null;
  readonly meta?: { readonly warnings?: unknown } | null;
}

const MAX_LIMIT = 200;
/** A page may be empty for the entries on it are hidden; so many in a row are a list without an end. */
const MAX_EMPTY_PAGES = 10;

const malformed = (problem: string) => new MortiseError('malformed_response', { problem });

/**
 * All entries of a list, following `links.next`, which is relative and percent-encoded.
 *
 * @throws {MortiseError} While iterating: `configuration_error` for the limit; `forbidden` or `http_error` when
 * all there is are warnings; `malformed_response`; `api_url_untrusted` for a next page elsewhere; and whatever
 * `request` throws.
 */
export async function* linkedPages(
  request: ApiSend,
  firstUrl: string,
  { limit, signal, onWarning }: ApsListOptions = {},
  hint: string | undefined,
  secrets: () => readonly string[],
): AsyncGenerator<ApsEntry, void, undefined> {
  const tell = quietly(onWarning ?? (() => {}));
  const seen = new Set<string>();
  const warnings: unknown[] = [];
  let isEmpty = true;
  let emptyPages = 0;
  for (let url: string | undefined = firstUrl + sizeQuery(limit); url !== undefined;) {
    if (seen.has(url)) throw malformed('its pages go round');
    if (seen.size >= MAX_PAGES) throw malformed('its pages do not end');
    if (emptyPages > MAX_EMPTY_PAGES) throw malformed('its pages do not end');
    seen.add(url);
    const answer = await request({ path: url, signal });
    const { data, links, meta } = Object(await answer.json<Page | null>()) as Page;
    if (!Array.isArray(data)) throw malformed('it holds no list');
    for (const warning of Array.isArray(meta?.warnings) ? meta.warnings : []) {
      warnings.push(warning);
      tell(Object(warning));
    }
    for (const entry of data) {
      if (!isEntry(entry)) throw malformed('an entry has no id');
      isEmpty = false;
      yield entry;
    }
    emptyPages = data.length > 0 ? 0 : emptyPages + 1;
    url = readNext(links?.next, url);
  }
  if (isEmpty && warnings.length > 0) throw nothingBut(warnings, hint, secrets());
}

function sizeQuery(limit: number | undefined): string {
  if (limit === undefined) return '';
  if (Number.isInteger(limit) && limit > 0 && limit <= MAX_LIMIT)
    return `?page%5Blimit%5D=${limit}`;
  const problem = `limit must be a whole number from 1 to ${MAX_LIMIT}`;
  throw new MortiseError('configuration_error', { problem });
}

/** A link of JSON:API: a text, or an object that holds one. What is neither is not taken for the end. */
function readNext(link: unknown, url: string): string | undefined {
  const { href } = Object(link) as { href?: unknown };
  const next = typeof link === 'string' ? link : (href ?? undefined);
  const isAbsent = link === null || link === undefined || typeof link === 'object';
  if (next === undefined && isAbsent) return undefined;
  if (typeof next !== 'string') throw malformed('its next page has no address');
  return parseUrl(next, url)?.href ?? next;
}

const isEntry = (entry: unknown): entry is ApsEntry => typeof Object(entry).id === 'string';
