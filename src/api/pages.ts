import { MortiseError } from '../errors.js';
import type { ApiSend } from '../oauth/provider.js';
import type { ApiRequest } from './request.js';

export interface PageOptions {
  /** How many entries to ask for at a time. */
  readonly limit?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Checks a page size before a server sees it. @throws {MortiseError} `configuration_error`. */
export function pageSize(limit: number | undefined, usual: number): number {
  if (limit === undefined) return usual;
  if (Number.isInteger(limit) && limit > 0) return limit;
  throw new MortiseError('configuration_error', {
    problem: 'limit must be a whole number above 0',
  });
}

/** A list of more is one without an end, or nothing for a plug-in. */
export const MAX_PAGES = 10_000;

const malformed = (problem: string) => new MortiseError('malformed_response', { problem });

export interface CursorPage<Entry> {
  readonly items: readonly Entry[];
  /** `null` or empty at the end; some servers give one with the last entries, and then an empty page. */
  readonly cursor: string | null;
}

/**
 * All entries of a list that is read by cursor. Ends at the first page without entries or without a cursor;
 * a server that gives a cursor twice would go round for ever.
 *
 * @throws {MortiseError} While iterating: `malformed_response`, and whatever `ask` throws.
 */
export async function* cursorPages<Entry>(
  { limit, signal }: PageOptions = {},
  ask: (
    variables: { limit: number; cursor: string | null },
    signal: AbortSignal | undefined,
  ) => Promise<CursorPage<Entry>>,
): AsyncGenerator<Entry, void, undefined> {
  const size = pageSize(limit, 25);
  const seen = new Set<string>();
  for (let cursor: string | null = null; ;) {
    const page: CursorPage<Entry> = await ask({ limit: size, cursor }, signal);
    if (!Array.isArray(page.items)) throw malformed('it holds no list');
    yield* page.items;
    cursor = page.cursor;
    if (page.items.length === 0 || (cursor ?? '') === '') return;
    // A list that is not whole must not look like one that is.
    if (typeof cursor !== 'string') throw malformed('its cursor is no text');
    if (seen.has(cursor)) throw malformed('its cursor goes round');
    if (seen.size >= MAX_PAGES) throw malformed('its pages do not end');
    seen.add(cursor);
  }
}

/** What is asked for at a time where the server has no opinion. */
const USUAL_TOP = 100;

/** A page of so many may have been cut off by a server that does not say so. */
const isRound = (length: number): boolean => length % 5 === 0;

/**
 * All entries of a list that is a bare array, asked for with `$top` and `$skip`, with no word on whether there
 * are more. A page shorter than asked for is the last, unless its length is a round number and none before it was
 * longer; one that brings nothing new is, too, for there are servers that ignore both parameters.
 *
 * @param idOf The field that tells entries apart.
 * @throws {MortiseError} While iterating: `malformed_response`, and whatever `request` throws.
 */
export async function* skippingPages<Entry>(
  request: ApiSend,
  path: string,
  idOf: keyof Entry & string,
  { limit, signal }: PageOptions = {},
  query: ApiRequest['query'] = {},
): AsyncGenerator<Entry, void, undefined> {
  const size = pageSize(limit, USUAL_TOP);
  const seen = new Set<unknown>();
  let longest = 0;
  for (let skip = 0; ;) {
    const paging = { $top: size, $skip: skip || undefined };
    const answer = await request({ path, query: { ...query, ...paging }, signal });
    const entries = await answer.json<unknown>();
    if (!Array.isArray(entries)) throw malformed('it holds no list');
    const before = seen.size;
    for (const entry of entries as Entry[]) {
      const id: unknown = Object(entry)[idOf];
      if (typeof id !== 'string') throw malformed(`an entry has no ${idOf}`);
      if (seen.has(id)) continue;
      seen.add(id);
      yield entry;
    }
    skip += entries.length;
    const isShort = entries.length < size && !isRound(entries.length);
    if (seen.size === before || isShort || entries.length < longest) return;
    longest = entries.length;
  }
}

/** A list over all pages: `for await` reads one page after the other, `await` all of them into an array. */
export interface Listing<Entry> extends AsyncIterable<Entry>, PromiseLike<Entry[]> {}

/** Nothing is asked for before somebody reads; each reading begins anew. */
export function listing<Entry>(read: () => AsyncIterable<Entry>): Listing<Entry> {
  const all = async () => {
    const entries: Entry[] = [];
    for await (const entry of read()) entries.push(entry);
    return entries;
  };
  return {
    [Symbol.asyncIterator]: () => read()[Symbol.asyncIterator](),
    then: (done, failed) => all().then(done, failed),
  };
}
