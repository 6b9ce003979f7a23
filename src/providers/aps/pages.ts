import { MortiseError } from '../../errors.js';
import { pageSize, type PageOptions } from '../../api/pages.js';
import { parseUrl } from '../../oauth/endpoint.js';
import type { ApiSend } from '../../oauth/provider.js';
import { forbidden, readWarnings } from './failures.js';

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
  readonly links?: { readonly next?: { readonly href?: unknown } | null };
  readonly meta?: { readonly warnings?: unknown };
}

/**
 * All entries of a list, following `links.next.href`, which is relative and percent-encoded.
 *
 * @throws {MortiseError} While iterating: `forbidden` when all there is are warnings; `malformed_response`;
 * `api_url_untrusted` for a next page elsewhere; and whatever `request` throws.
 */
export async function* linkedPages(
  request: ApiSend,
  firstUrl: string,
  { limit, signal, onWarning }: ApsListOptions = {},
  hint: string | undefined,
): AsyncGenerator<ApsEntry, void, undefined> {
  const malformed = (problem: string) => new MortiseError('malformed_response', { problem });
  const size = limit === undefined ? undefined : pageSize(limit, limit);
  const seen = new Set<string>();
  const warnings: unknown[] = [];
  let isEmpty = true;
  for (let url: string | undefined = firstUrl; url !== undefined;) {
    seen.add(url);
    const query = url === firstUrl ? { 'page[limit]': size } : {};
    const answer = await request({ path: url, query, signal });
    const { data, links, meta } = Object(await answer.json<Page | null>()) as Page;
    if (!Array.isArray(data)) throw malformed('it holds no list');
    for (const warning of Array.isArray(meta?.warnings) ? meta.warnings : []) {
      warnings.push(warning);
      tell(onWarning, warning);
    }
    for (const entry of data) {
      if (!isEntry(entry)) throw malformed('an entry has no id');
      isEmpty = false;
      yield entry;
    }
    const next: unknown = links?.next?.href;
    url = typeof next === 'string' ? (parseUrl(next, url)?.href ?? next) : undefined;
    if (url !== undefined && seen.has(url)) throw malformed('its pages go round');
  }
  if (isEmpty && warnings.length > 0) {
    throw forbidden({ status: 403 }, readWarnings(warnings), hint);
  }
}

const isEntry = (entry: unknown): entry is ApsEntry => typeof Object(entry).id === 'string';

/** A listener that throws is its author's business. */
function tell(onWarning: ApsListOptions['onWarning'], warning: unknown): void {
  try {
    onWarning?.(Object(warning));
  } catch {
    // Nowhere to report it.
  }
}
