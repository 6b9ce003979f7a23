import fc from 'fast-check';
import { isMortiseError, type ErrorCode } from 'mortise';
import {
  createGraphql,
  graphqlError,
  readProblems,
  type GraphqlMeanings,
} from '../../src/api/graphql.js';
import { everyPrintOf, failureOf, SECRET } from './support/failure.js';
import { createApiFixture, expectNothingLeft, type ApiFixture } from './support/api-client.js';
import type { Reply, Step } from './support/scripted-http.js';

const MEANINGS: GraphqlMeanings = {
  codes: { NO_RIGHT: 'forbidden', NOBODY: 'http_error', TOO_MANY: 'rate_limited' },
  hint: (meant, code) => `${meant} of ${code || 'nothing'}`,
};
const QUERY = 'query Items($limit: Int) { items(limit: $limit) { id } }';
const MUTATION = 'mutation Rename($name: String!) { rename(name: $name) }';
const PROBLEM = { message: 'It broke.', path: ['items'], extensions: { code: 'BROKEN' } };

let fixture: ApiFixture;

/** Short and a word, so that no rule but the one for secrets finds it. */
const TOKEN_IN_USE = 'token-in-use';

function setUp(...script: Step[]) {
  fixture = createApiFixture(script);
  const graphql = createGraphql(fixture.start, 'graphql', MEANINGS, () => [TOKEN_IN_USE]);
  const ask = (query = QUERY, ...more: [variables?: object, options?: { signal: AbortSignal }]) =>
    fixture.over(graphql(query, ...(more as [])));
  return { graphql, ask };
}
const json = (value: unknown): Reply => ({ body: JSON.stringify(value) });

afterEach(() => expectNothingLeft(fixture));

describe('the request', () => {
  test('is a POST of query and variables, and JSON is wanted', async () => {
    await setUp(json({ data: {} })).ask(QUERY, { limit: 3 });
    const { method, url, headers, body } = fixture.sent[0]!;
    expect([method, url]).toEqual(['POST', 'https://api.example/v1/graphql']);
    expect(headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(JSON.parse(body)).toEqual({ query: QUERY, variables: { limit: 3 } });
  });

  test('without variables has none', async () => {
    await setUp(json({ data: {} })).ask(QUERY);
    expect(JSON.parse(fixture.sent[0]!.body)).toEqual({ query: QUERY, variables: {} });
  });

  test('carries any variables as they are, and never in the query', async () => {
    const { ask } = setUp(json({ data: {} }));
    const anything = fc.dictionary(fc.string(), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(anything, async (variables) => {
        await ask(QUERY, variables);
        const { query, variables: sent } = JSON.parse(fixture.sent.at(-1)!.body);
        expect(query).toBe(QUERY);
        expect(sent).toEqual(JSON.parse(JSON.stringify(variables)));
      }),
      { numRuns: 50 },
    );
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  test.each([
    ['a circle', circle],
    ['a bigint', { id: 1n }],
  ])('with %s in its variables is not sent', async (_, variables) => {
    const error = await failureOf(setUp(json({ data: {} })).ask(QUERY, variables));
    expect(error.code).toBe('configuration_error');
    expect(fixture.sent).toEqual([]);
  });

  test('is given up when its caller leaves, and after its time limit', async () => {
    const { ask, graphql } = setUp('silence');
    expect((await failureOf(ask(QUERY, {}, { signal: AbortSignal.abort() }))).code).toBe('aborted');
    expect(fixture.sent).toEqual([]);
    const work = graphql(MUTATION, {}, { timeoutMs: 1_234 });
    const error = await failureOf(fixture.over(work));
    expect(error).toMatchObject({ code: 'timeout', details: { timeoutMs: 1_234 } });
  });
});

describe('the answer', () => {
  // prettier-ignore
  test.each<[string, object, unknown, unknown[]]>([
    ['data',                                 { data: { items: [] } },                         { items: [] },          []],
    ['no fields at all',                     { data: {} },                                    {},                     []],
    ['a null that nobody calls an error',    { data: { items: null } },                       { items: null },        []],
    ['an empty list of errors',              { data: { items: 1 }, errors: [] },              { items: 1 },           []],
    ['errors that are no list',              { data: { items: 1 }, errors: 'text' },          { items: 1 },           []],
    ['data beside errors',                   { data: { items: [null] }, errors: [PROBLEM] },  { items: [null] },      [PROBLEM]],
    ['one field of two',                     { data: { a: 1, b: null }, errors: [PROBLEM] },  { a: 1, b: null },      [PROBLEM]],
    ['false, 0 and "" are data',             { data: { a: false }, errors: [PROBLEM] },       { a: false },           [PROBLEM]],
    ['errors that are none among those that are', { data: { a: 1 }, errors: [null, 'x', PROBLEM] }, { a: 1 },         [PROBLEM]],
    ['extensions',                           { data: { a: 1 }, extensions: { cost: 1 } },     { a: 1 },               []],
  ])('with %s', async (_, answer, data, errors) => {
    expect(await setUp(json(answer)).ask()).toEqual({ data, errors });
  });

  // prettier-ignore
  test.each<[string, unknown]>([
    ['no data',          { errors: [PROBLEM] }],
    ['null as data',     { data: null, errors: [PROBLEM] }],
    ['nothing but null', { data: { items: null, more: null }, errors: [PROBLEM] }],
    ['no fields at all', { data: {}, errors: [PROBLEM] }],
    ['data that is none', { data: [1], errors: [PROBLEM] }],
  ])('with %s beside errors is an error', async (_, answer) => {
    const error = await failureOf(setUp(json(answer)).ask());
    expect(error).toMatchObject({
      code: 'graphql_error',
      details: { codes: ['BROKEN'], messages: ['It broke.'] },
      hint: 'graphql_error of nothing',
      retryable: false,
    });
  });

  test.each([
    '',
    '<html>',
    'null',
    'true',
    '1',
    '"text"',
    '[]',
    '{}',
    '{"data":null}',
    '{"data":1}',
    '{"data":"text"}',
    '{"data":[]}',
    '{"data":[{"items":[]}]}',
    '{"errors":[]}',
    '{"errors":{}}',
    '{"errors":[null,1,"text"]}',
    '[{"data":{"items":[]}}]',
  ])('case 102: %s is malformed', async (body) => {
    const error = await failureOf(setUp({ body }).ask());
    expect(error).toMatchObject({ code: 'malformed_response', details: { status: 200 } });
  });

  test('whatever it is, comes to an end that is ours', async () => {
    const entry = fc.oneof(
      fc.jsonValue(),
      fc.record({
        message: fc.jsonValue(),
        extensions: fc.oneof(
          fc.jsonValue(),
          fc.record({
            code: fc.oneof(
              fc.constantFrom('NO_RIGHT', 'NOBODY', '__proto__', 'toString', ''),
              fc.constantFrom(['NO_RIGHT'], [['NOBODY']], { toString: 1 }),
              fc.jsonValue(),
            ),
            scope: fc.jsonValue(),
          }),
        ),
      }),
    );
    const answers = fc.record(
      { data: fc.jsonValue(), errors: fc.oneof(fc.jsonValue(), fc.array(entry)) },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(answers, async (made) => {
        const answer = JSON.parse(JSON.stringify(made)); // Without -0, which JSON has not.
        const { ask } = setUp(json(answer));
        const outcome = await ask().catch((error: unknown) => error);
        if (isMortiseError(outcome)) expect(outcome.hint).not.toBe('');
        else expect(outcome).toEqual({ data: answer.data, errors: readProblems(answer.errors) });
      }),
      { numRuns: 300 },
    );
  });
});

describe('error codes', () => {
  // prettier-ignore
  test.each<[string, readonly object[], ErrorCode, object, string]>([
    ['a code with a meaning',       [{ extensions: { code: 'NO_RIGHT' } }],                         'forbidden',          { status: 403 },                       'forbidden of NO_RIGHT'],
    ['with the scope that lacks',   [{ extensions: { code: 'NO_RIGHT', scope: 'streams:read' } }],  'insufficient_scope', { status: 403, scope: 'streams:read' }, 'insufficient_scope of NO_RIGHT'],
    ['with a scope that is none',   [{ extensions: { code: 'NO_RIGHT', scope: 'a b\r\n' } }],       'forbidden',          { status: 403 },                       'forbidden of NO_RIGHT'],
    ['with a scope that is no text', [{ extensions: { code: 'NO_RIGHT', scope: 7 } }],              'forbidden',          { status: 403 },                       'forbidden of NO_RIGHT'],
    ['with a scope without end',    [{ extensions: { code: 'NO_RIGHT', scope: 'a'.repeat(101) } }], 'forbidden',          { status: 403 },                       'forbidden of NO_RIGHT'],
    ['nobody is signed in',         [{ extensions: { code: 'NOBODY' } }],                           'http_error',         { status: 401 },                       'http_error of NOBODY'],
    ['too many requests',           [{ extensions: { code: 'TOO_MANY' } }],                         'rate_limited',       { status: 429, retryAfterMs: null },   'rate_limited of TOO_MANY'],
    ['the first that has one',      [PROBLEM, { extensions: { code: 'NOBODY' } }, { extensions: { code: 'NO_RIGHT' } }], 'http_error', { status: 401 },           'http_error of NOBODY'],
    ['none that has one',           [PROBLEM, {}, { message: 'Twice.' }],                           'graphql_error',      { codes: ['BROKEN'], messages: ['It broke.', 'Twice.'] }, 'graphql_error of nothing'],
    ['in another case',             [{ extensions: { code: 'nobody' } }],                           'graphql_error',      { codes: ['nobody'], messages: [] },   'graphql_error of nothing'],
    ['a code that is a list',       [{ extensions: { code: ['NOBODY'] } }],                         'graphql_error',      { codes: [], messages: [] },           'graphql_error of nothing'],
    ['a name every object has',     [{ extensions: { code: 'constructor' } }],                      'graphql_error',      { codes: ['constructor'], messages: [] }, 'graphql_error of nothing'],
    ['no extensions',               [{ extensions: null }],                                         'graphql_error',      { codes: [], messages: [] },           'graphql_error of nothing'],
  ])('%s', async (_, errors, code, details, hint) => {
    const error = await failureOf(setUp(json({ data: null, errors })).ask());
    expect(error).toMatchObject({ code, hint });
    expect(error.details).toEqual(details);
  });

  test('of at most ten problems are told', async () => {
    const errors = Array.from({ length: 1_000 }, (_, index) => ({ message: `No. ${index}` }));
    const error = await failureOf(setUp(json({ errors })).ask());
    expect(Object(error.details).messages).toHaveLength(10);
  });

  test('case 102, 198: the words are printable, short, and hold no token', () => {
    fixture = createApiFixture([]);
    const token = `${SECRET}0123456789abcdefABCDEF0123456789`;
    const message = `It broke:\u0000\r\n <b>${token}</b> ${'x y '.repeat(100)}`;
    const error = graphqlError([{ message, extensions: { code: `B ${token}` } }], MEANINGS, []);
    const { messages, codes } = error.details as { messages: string[]; codes: string[] };
    expect(messages[0]!.length).toBeLessThanOrEqual(200);
    expect(messages[0]).toMatch(/^It broke: [\x20-\x7e…]*$/);
    expect(codes).toEqual(['B …']);
    expect(everyPrintOf(error)).not.toContain(SECRET);
  });
});

describe('sending again', () => {
  const OK = json({ data: { items: [] } });
  const PASSING: readonly [string, Step][] = [
    ['429', { status: 429, headers: { 'retry-after': '2' } }],
    ['500', { status: 500 }],
    ['503', { status: 503 }],
    ['no answer', 'no answer'],
  ];
  const QUERIES = [
    '{ items { id } }',
    QUERY,
    '# a comment\nquery { items { id } }',
    'fragment Item on Item { id } query { items { ...Item } }',
    'query { mutations { id } permutation }',
  ];
  const CHANGES = [
    MUTATION,
    'mutation { a }',
    'mutation{a}',
    '\n # first\n mutation\n{ a }',
    'query Q { a } mutation M { b }',
    'fragment Item on Item { id } mutation { a { ...Item } }',
    // Not one, but who would know: it is only not sent again.
    'query { mutation }',
  ];

  test.each(
    PASSING.flatMap(([name, step]) => QUERIES.map((query) => [name, query, step] as const)),
  )('case 165: after %s, %j is', async (_, query, step) => {
    expect(await setUp(step, step, OK).ask(query)).toMatchObject({ data: { items: [] } });
    expect(fixture.sent).toHaveLength(3);
  });

  test.each(
    PASSING.flatMap(([name, step]) => CHANGES.map((query) => [name, query, step] as const)),
  )('case 165: after %s, %j is not', async (_, query, step) => {
    expect((await failureOf(setUp(step, OK).ask(query))).retryable).toBe(true);
    expect(fixture.sent).toHaveLength(1);
  });

  test('waits as long as the server asks, fractions of a second too', async () => {
    const busy = (after: string): Step => ({ status: 429, headers: { 'retry-after': after } });
    await setUp(busy('2'), busy('0.25'), OK).ask();
    expect(fixture.pauses()).toEqual([2_000, 250]);
  });

  test('is given up after three times, and at once when a minute is not enough', async () => {
    const { ask } = setUp({ status: 429, headers: { 'retry-after': '1' } });
    expect(await failureOf(ask())).toMatchObject({
      code: 'rate_limited',
      details: { status: 429, retryAfterMs: 1_000 },
    });
    expect(fixture.sent).toHaveLength(4);
    const later = setUp({ status: 429, headers: { 'retry-after': '61' } });
    expect(await failureOf(later.ask())).toMatchObject({ details: { retryAfterMs: 61_000 } });
    expect(fixture.sent).toHaveLength(1);
  });

  test('a 401 costs one renewal, for a mutation too: nothing was done', async () => {
    await setUp({ status: 401 }, OK).ask(MUTATION);
    expect(fixture.sent).toHaveLength(2);
    expect(fixture.renewals).toHaveLength(1);
  });

  test('an error among data is an answer, not a failure to try again', async () => {
    const errors = [{ extensions: { code: 'TOO_MANY' } }];
    await failureOf(setUp(json({ errors })).ask());
    expect(fixture.sent).toHaveLength(1);
  });
});

test('case 198: the token in use is in no error, however short it is', async () => {
  const message = `Bearer ${TOKEN_IN_USE} lacks it`;
  const { ask } = setUp(json({ data: null, errors: [{ message }] }));
  await expect(ask()).rejects.toMatchObject({ details: { messages: ['Bearer … lacks it'] } });
});
