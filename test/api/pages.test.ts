import fc from 'fast-check';
import { MortiseError } from 'mortise';
import {
  cursorPages,
  listing,
  pageSize,
  skippingPages,
  type CursorPage,
  type PageOptions,
} from '../../src/api/pages.js';
import type { ApiRequest, ApiResponse } from '../../src/api/request.js';
import { failureOf } from './support/failure.js';

interface Entry {
  readonly id: string;
}

const entriesOf = (length: number): Entry[] =>
  Array.from({ length }, (_, index) => ({ id: `e${index}` }));

const idsOf = (entries: readonly Entry[]) => entries.map(({ id }) => id);

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const entries: T[] = [];
  for await (const entry of pages) entries.push(entry);
  return entries;
}

/** What came before the failure, and the failure. */
async function untilFailure(pages: AsyncIterable<Entry>) {
  const ids: string[] = [];
  const read = async () => {
    for await (const { id } of pages) ids.push(id);
  };
  const { code, details } = await failureOf(read());
  return { ids, code, details };
}

describe('pageSize', () => {
  test.each([1, 2, 100, 1_000_000])('%p is a size', (limit) => {
    expect(pageSize(limit, 25)).toBe(limit);
  });

  test('left out, it is the usual one', () => expect(pageSize(undefined, 25)).toBe(25));

  test.each<unknown>([0, -1, 1.5, NaN, Infinity, '10', null, true])(
    '%p is a configuration_error',
    async (limit) => {
      const { code, details } = await failureOf((async () => pageSize(limit as number, 25))());
      const problem = 'limit must be a whole number above 0';
      expect([code, details]).toEqual(['configuration_error', { problem }]);
    },
  );
});

describe('skippingPages', () => {
  interface Server {
    /** Most it gives at a time, whatever it is asked for. */
    readonly cap?: number;
    readonly ignores?: '$top' | '$skip' | 'both';
    /** In place of the page that begins there. */
    readonly pages?: Readonly<Record<number, unknown>>;
  }

  /** A server with a list, and what it was asked. */
  function serve(list: readonly Entry[], { cap = Infinity, ignores, pages = {} }: Server = {}) {
    const asked: ApiRequest[] = [];
    const request = async (one: ApiRequest): Promise<ApiResponse> => {
      asked.push(one);
      if (one.signal?.aborted) throw new MortiseError('aborted', {});
      const { $top, $skip = 0 } = one.query as { $top: number; $skip?: number };
      const page = pages[$skip];
      if (page instanceof Error) throw page;
      const from = ignores === '$skip' || ignores === 'both' ? 0 : $skip;
      const top = ignores === '$top' || ignores === 'both' ? Infinity : $top;
      const given = page === undefined ? list.slice(from, from + Math.min(top, cap)) : page;
      return { json: async () => given } as unknown as ApiResponse;
    };
    const read = (how?: PageOptions, query?: ApiRequest['query']) =>
      skippingPages<Entry>(request, 'items', 'id', how, query);
    return { asked, read };
  }

  describe('asks', () => {
    test('for 100 at a time, and at first for no $skip', async () => {
      const { asked, read } = serve(entriesOf(3));
      expect(await all(read())).toEqual(entriesOf(3));
      expect(asked).toEqual([{ path: 'items', query: { $top: 100 } }]);
    });

    test('for as many as `limit` says, each time from where the last page ended', async () => {
      const { asked, read } = serve(entriesOf(23));
      expect(await all(read({ limit: 9 }))).toEqual(entriesOf(23));
      expect(asked.map(({ query }) => query)).toEqual([
        { $top: 9 },
        { $top: 9, $skip: 9 },
        { $top: 9, $skip: 18 },
      ]);
    });

    test('with the rest of the query and the signal, each time', async () => {
      const { signal } = new AbortController();
      const { asked, read } = serve(entriesOf(3));
      await all(read({ limit: 2, signal }, { $filter: 'a', $orderby: undefined }));
      expect(asked.map(({ query }) => query?.['$filter'])).toEqual(['a', 'a']);
      expect(asked.every((one) => one.signal === signal)).toBe(true);
    });

    test('nothing before somebody reads, and no server for a limit that is none', async () => {
      const { asked, read } = serve(entriesOf(3));
      const pages = read({ limit: 0 });
      expect(asked).toEqual([]);
      expect((await untilFailure(pages)).code).toBe('configuration_error');
      expect(asked).toEqual([]);
    });

    test('for a page only when the one before has been read', async () => {
      const { asked, read } = serve(entriesOf(6));
      const pages = read({ limit: 2 });
      for (const expected of [1, 1, 2, 2, 3, 3]) {
        await pages.next();
        expect(asked).toHaveLength(expected);
      }
    });
  });

  // prettier-ignore
  test.each<[string, number, number, Server, number]>([
    ['an empty list',                                   0, 10, {},                           1],
    ['a page shorter than asked for',                   7, 10, {},                           1],
    ['a page as long as asked for, and an empty one',  10, 10, {},                           2],
    ['two full pages and a short one',                 23, 10, {},                           3],
    ['one at a time',                                   3,  1, {},                           4],
    ['a server that gives 5 at a time',                23, 10, { cap: 5 },                   5],
    ['a server that gives 20 at a time',               50, 100, { cap: 20 },                 3],
    ['a server that gives 25 at a time',               60, 100, { cap: 25 },                 3],
    ['a server that ignores both',                     23, 10, { ignores: 'both' },          2],
    ['a server that ignores both, and has as many',    10, 10, { ignores: 'both' },          2],
    ['a server that ignores both, and has few',         7, 10, { ignores: 'both' },          1],
    ['a server that ignores $top',                     23, 10, { ignores: '$top' },          2],
  ])('ends, with everything, after %s', async (_, length, limit, server, requests) => {
    const { asked, read } = serve(entriesOf(length), server);
    expect(await all(read({ limit }))).toEqual(entriesOf(length));
    expect(asked).toHaveLength(requests);
  });

  test('a server that gives the same full page for ever is left after the second', async () => {
    const { asked, read } = serve(entriesOf(30), { ignores: '$skip' });
    expect(await all(read({ limit: 10 }))).toEqual(entriesOf(10));
    expect(asked).toHaveLength(2);
  });

  test('entries that move down between two pages come once', async () => {
    const moved = [{ id: 'e9' }, { id: 'new' }];
    const { read } = serve(entriesOf(10), { pages: { 10: moved } });
    expect(idsOf(await all(read({ limit: 10 })))).toEqual([...idsOf(entriesOf(10)), 'new']);
  });

  test('an entry is the server’s own, and its id any text', async () => {
    const list = ['__proto__', 'constructor', '', 'é'].map((id) => ({ id, more: [null] }));
    expect(await all(serve(list).read())).toEqual(list);
  });

  // prettier-ignore
  test.each<[string, unknown, string]>([
    ['null',                  null,                            'it holds no list'],
    ['an object',             { value: entriesOf(2) },         'it holds no list'],
    ['text',                  'entries',                       'it holds no list'],
    ['an entry of null',      [null],                          'an entry has no id'],
    ['an entry of text',      ['e0'],                          'an entry has no id'],
    ['an entry without id',   [{ name: 'e0' }],                'an entry has no id'],
    ['an id of a number',     [{ id: 1 }],                     'an entry has no id'],
    ['an id of null',         [{ id: null }],                  'an entry has no id'],
  ])('a page of %s is malformed_response', async (_, page, problem) => {
    const expected = { code: 'malformed_response', details: { problem } };
    const first = serve([], { pages: { 0: page } });
    expect(await untilFailure(first.read())).toEqual({ ids: [], ...expected });
    const second = serve(entriesOf(9), { pages: { 2: page } });
    const failure = await untilFailure(second.read({ limit: 2 }));
    expect(failure).toEqual({ ids: ['e0', 'e1'], ...expected });
    expect(second.asked).toHaveLength(2);
  });

  test('a failure in the middle comes after what came before it', async () => {
    const failure = new MortiseError('http_error', { status: 409 });
    const { asked, read } = serve(entriesOf(9), { pages: { 4: failure } });
    expect(await untilFailure(read({ limit: 2 }))).toEqual({
      ids: ['e0', 'e1', 'e2', 'e3'],
      code: 'http_error',
      details: { status: 409 },
    });
    expect(asked).toHaveLength(3);
  });

  test('a caller who leaves early asks for nothing more', async () => {
    const { asked, read } = serve(entriesOf(9));
    for await (const { id } of read({ limit: 2 })) if (id === 'e2') break;
    expect(asked).toHaveLength(2);
  });

  test('a signal ends it with the page that is at hand', async () => {
    const leaving = new AbortController();
    const { asked, read } = serve(entriesOf(9));
    const pages = read({ limit: 2, signal: leaving.signal });
    await pages.next();
    leaving.abort();
    expect(await untilFailure(pages)).toEqual({ ids: ['e1'], code: 'aborted', details: {} });
    expect(asked).toHaveLength(2);
    expect(await pages.next()).toEqual({ done: true, value: undefined });
  });

  const length = fc.integer({ min: 0, max: 130 });
  const limit = fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined });
  const sized = (size: number | undefined) => (size === undefined ? {} : { limit: size });

  test('any list, page size and round cap: all entries once, in order, and it ends', async () => {
    const cap = fc.oneof(
      fc.integer({ min: 1, max: 30 }).map((n) => n * 5),
      fc.constant(Infinity),
    );
    await fc.assert(
      fc.asyncProperty(length, limit, cap, async (n, size, most) => {
        const { asked, read } = serve(entriesOf(n), { cap: most });
        expect(await all(read(sized(size)))).toEqual(entriesOf(n));
        const atATime = Math.min(size ?? 100, most);
        expect(asked.length).toBeLessThanOrEqual(Math.ceil(n / atATime) + 1);
      }),
    );
  });

  test('a server that ignores $top, or both: all entries once, in two requests', async () => {
    const ignores = fc.constantFrom('$top' as const, 'both' as const);
    await fc.assert(
      fc.asyncProperty(length, limit, ignores, async (n, size, ignored) => {
        const { asked, read } = serve(entriesOf(n), { ignores: ignored });
        expect(await all(read(sized(size)))).toEqual(entriesOf(n));
        expect(asked.length).toBeLessThanOrEqual(2);
      }),
    );
  });

  test('whatever a server answers, no entry comes twice, and it ends', async () => {
    const page = fc.array(
      fc.nat(20).map((n) => ({ id: `e${n}` })),
      { maxLength: 12 },
    );
    const server = fc.array(page, { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(server, fc.integer({ min: 1, max: 12 }), async (answers, size) => {
        let asked = 0;
        const request = async () => {
          const given = answers[asked++ % answers.length];
          return { json: async () => given } as unknown as ApiResponse;
        };
        const ids = idsOf(await all(skippingPages<Entry>(request, '', 'id', { limit: size })));
        expect(new Set(ids).size).toBe(ids.length);
        expect(asked).toBeLessThanOrEqual(ids.length + 1);
      }),
    );
  });
});

describe('cursorPages', () => {
  /** A server that counts, and what it was asked. */
  function serve(list: readonly Entry[], pages: Readonly<Record<string, unknown>> = {}) {
    const asked: { limit: number; cursor: string | null; signal: AbortSignal | undefined }[] = [];
    const read = (how?: PageOptions) =>
      cursorPages<Entry>(how, async (variables, signal) => {
        asked.push({ ...variables, signal });
        if (signal?.aborted) throw new MortiseError('aborted', {});
        const page = pages[variables.cursor ?? 'first'];
        if (page instanceof Error) throw page;
        if (page !== undefined) return page as CursorPage<Entry>;
        const from = Number(variables.cursor);
        const to = from + variables.limit;
        return { items: list.slice(from, to), cursor: to < list.length ? String(to) : null };
      });
    return { asked, read };
  }

  test('asks for 25 at a time, by the cursor of the page before', async () => {
    const { asked, read } = serve(entriesOf(60));
    expect(await all(read())).toEqual(entriesOf(60));
    expect(asked.map(({ limit, cursor }) => [limit, cursor])).toEqual([
      [25, null],
      [25, '25'],
      [25, '50'],
    ]);
  });

  test('asks for as many as `limit` says, with the signal', async () => {
    const { signal } = new AbortController();
    const { asked, read } = serve(entriesOf(3));
    await all(read({ limit: 2, signal }));
    expect(asked).toEqual([
      { limit: 2, cursor: null, signal },
      { limit: 2, cursor: '2', signal },
    ]);
  });

  test('asks no server with a limit that is none', async () => {
    const { asked, read } = serve(entriesOf(3));
    expect((await untilFailure(read({ limit: -1 }))).code).toBe('configuration_error');
    expect(asked).toEqual([]);
  });

  // prettier-ignore
  test.each<[string, object, number]>([
    ['a cursor of null',                       { items: entriesOf(2), cursor: null },       1],
    ['no cursor',                              { items: entriesOf(2) },                     1],
    ['an empty cursor',                        { items: entriesOf(2), cursor: '' },         1],
    ['a cursor that leads to an empty page',   { items: entriesOf(2), cursor: 'end' },      2],
  ])('ends with %s', async (_, first, requests) => {
    const { asked, read } = serve([], { first, end: { items: [], cursor: 'more' } });
    expect(await all(read())).toEqual(entriesOf(2));
    expect(asked).toHaveLength(requests);
  });

  test('a cursor that comes again goes round, and is malformed_response', async () => {
    const [one, two, three] = entriesOf(3).map((entry) => [entry]);
    const { asked, read } = serve([], {
      first: { items: one, cursor: 'a' },
      a: { items: two, cursor: 'b' },
      b: { items: three, cursor: 'a' },
    });
    expect(await untilFailure(read())).toEqual({
      ids: ['e0', 'e1', 'e2'],
      code: 'malformed_response',
      details: { problem: 'its cursor goes round' },
    });
    expect(asked).toHaveLength(3);
  });

  // prettier-ignore
  test.each<[string, object, string]>([
    ['no items',              { cursor: null },                      'it holds no list'],
    ['items of null',         { items: null, cursor: null },         'it holds no list'],
    ['items of an object',    { items: {}, cursor: null },           'it holds no list'],
    ['a cursor of a number',  { items: entriesOf(1), cursor: 25 },   'its cursor is no text'],
  ])('a page with %s is malformed_response', async (_, first, problem) => {
    const { code, details } = await untilFailure(serve([], { first }).read());
    expect([code, details]).toEqual(['malformed_response', { problem }]);
  });

  test('a failure in the middle comes after what came before it', async () => {
    const failure = new MortiseError('network_error', { host: 'server.example' });
    const { read } = serve(entriesOf(9), { 4: failure });
    const { ids, code } = await untilFailure(read({ limit: 2 }));
    expect([ids, code]).toEqual([['e0', 'e1', 'e2', 'e3'], 'network_error']);
  });

  test('a caller who leaves early asks for nothing more', async () => {
    const { asked, read } = serve(entriesOf(9));
    for await (const { id } of read({ limit: 2 })) if (id === 'e2') break;
    expect(asked).toHaveLength(2);
  });

  test('a signal ends it with the page that is at hand', async () => {
    const leaving = new AbortController();
    const { read } = serve(entriesOf(9));
    const pages = read({ limit: 2, signal: leaving.signal });
    await pages.next();
    leaving.abort();
    expect(await untilFailure(pages)).toEqual({ ids: ['e1'], code: 'aborted', details: {} });
  });

  test('any list and page size: all entries once, in order, in no more requests than needed', async () => {
    const sizes = [fc.integer({ min: 0, max: 130 }), fc.integer({ min: 1, max: 60 })] as const;
    await fc.assert(
      fc.asyncProperty(...sizes, async (n, limit) => {
        const { asked, read } = serve(entriesOf(n));
        expect(await all(read({ limit }))).toEqual(entriesOf(n));
        expect(asked).toHaveLength(Math.max(1, Math.ceil(n / limit)));
      }),
    );
  });
});

describe('listing', () => {
  /** A list of three, and how often its reading was begun and ended. */
  function counted(failure?: Error) {
    const times = { begun: 0, ended: 0 };
    const list = listing(async function* () {
      times.begun += 1;
      try {
        yield* entriesOf(3);
        if (failure) throw failure;
      } finally {
        times.ended += 1;
      }
    });
    return { list, times };
  }

  test('begins when somebody reads', async () => {
    const { list, times } = counted();
    expect(times.begun).toBe(0);
    await list;
    expect(times).toEqual({ begun: 1, ended: 1 });
  });

  test('is an array for who awaits it', async () => {
    expect(await counted().list).toEqual(entriesOf(3));
    const [one, other] = await Promise.all([counted().list, counted().list]);
    expect([one, other]).toEqual([entriesOf(3), entriesOf(3)]);
    expect(await counted().list.then((entries) => entries.length)).toBe(3);
  });

  test('is one entry after the other for who iterates', async () => {
    expect(await all(counted().list)).toEqual(entriesOf(3));
  });

  test('begins anew with each reading, of either kind', async () => {
    const { list, times } = counted();
    expect(await list).toEqual(await all(list));
    expect(await all(list)).toEqual(await list);
    expect(times.begun).toBe(4);
  });

  test('two who read at once do not disturb each other', async () => {
    const { list } = counted();
    const [one, other] = [list[Symbol.asyncIterator](), list[Symbol.asyncIterator]()];
    for (const { id } of entriesOf(3)) {
      expect((await one.next()).value).toEqual({ id });
      expect((await other.next()).value).toEqual({ id });
    }
  });

  test('who leaves early ends the reading', async () => {
    const { list, times } = counted();
    for await (const { id } of list) if (id === 'e1') break;
    expect(times).toEqual({ begun: 1, ended: 1 });
  });

  test('a failure is thrown to who iterates, and rejects for who awaits', async () => {
    const failure = new MortiseError('http_error', { status: 409 });
    const { list } = counted(failure);
    expect(await failureOf(list)).toBe(failure);
    expect(await list.then(undefined, (error: unknown) => error)).toBe(failure);
    const { ids, code } = await untilFailure(list);
    expect([ids, code]).toEqual([idsOf(entriesOf(3)), 'http_error']);
  });

  test('what cannot even begin is a rejection for who awaits', async () => {
    const list = listing<Entry>(() => {
      throw new MortiseError('configuration_error', { problem: 'none' });
    });
    expect((await failureOf(list)).code).toBe('configuration_error');
  });
});
