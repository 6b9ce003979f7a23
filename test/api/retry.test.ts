import type { ApiRequest } from 'mortise';
import { createApiFixture, expectNothingLeft, type ApiFixture } from './support/api-client.js';
import { failureOf } from './support/failure.js';
import { bytesOf, type Step } from './support/scripted-http.js';

const OK = { body: '{"ok":true}' };
const REFUSED = { status: 401 };
const BUSY = { status: 500 };
const after = (value: string, status = 429) => ({ status, headers: { 'retry-after': value } });

let api: ApiFixture;
afterEach(() => expectNothingLeft(api));

describe('case 165: what is sent again', () => {
  const faults: [string, Step][] = [
    ['a 429', { status: 429 }],
    ['a 500', { status: 500 }],
    ['a 502', { status: 502 }],
    ['a 503', { status: 503 }],
    ['a network error', 'no answer'],
  ];
  // prettier-ignore
  const requests: [string, () => Partial<ApiRequest>, tries: number][] = [
    ['GET',                             () => ({}),                                              4],
    ['HEAD',                            () => ({ method: 'HEAD' }),                              4],
    ['OPTIONS',                         () => ({ method: 'OPTIONS' }),                           4],
    ['PUT',                             () => ({ method: 'PUT', body: 'a' }),                    4],
    ['DELETE',                          () => ({ method: 'DELETE' }),                            4],
    ['delete in small letters',         () => ({ method: 'delete' }),                            4],
    ['POST',                            () => ({ method: 'POST', json: {} }),                    1],
    ['PATCH',                           () => ({ method: 'PATCH', json: {} }),                   1],
    ['a method nobody knows',           () => ({ method: 'PURGE' }),                             1],
    ['POST declared idempotent',        () => ({ method: 'POST', json: {}, idempotent: true }),  4],
    ['GET declared not idempotent',     () => ({ idempotent: false }),                           1],
    ['PUT of a stream',                 () => ({ method: 'PUT', body: bytesOf('a') }),           1],
    ['a stream declared idempotent',    () => ({ method: 'POST', body: bytesOf('a'), idempotent: true }), 1],
  ];
  const table = faults.flatMap(([fault, step]) =>
    requests.map(([name, request, tries]) => ({ fault, step, name, request, tries })),
  );

  test.each(table)('$name after $fault: $tries in all', async ({ step, request, tries }) => {
    api = createApiFixture([step]);
    const error = await failureOf(api.ask(request()));
    expect(error.code).toMatch(/^(rate_limited|http_error|network_error)$/);
    expect(error.retryable).toBe(true);
    expect(api.sent).toHaveLength(tries);
    expect(new Set(api.sent.map(({ method, url, body }) => method + url + body)).size).toBe(1);
  });

  test.each(faults)('after %s the next answer counts', async (_, step) => {
    api = createApiFixture([step, step, step, OK]);
    expect(await (await api.ask()).json()).toEqual({ ok: true });
    expect(api.sent).toHaveLength(4);
  });

  test.each([400, 404, 409, 301])('a %d is not asked again', async (status) => {
    api = createApiFixture([{ status }]);
    await failureOf(api.ask({ idempotent: true }));
    expect(api.sent).toHaveLength(1);
  });

  test('a time limit that was reached is not waited for again', async () => {
    api = createApiFixture(['silence']);
    expect((await failureOf(api.ask())).code).toBe('timeout');
    expect(api.sent).toHaveLength(1);
  });

  test('a renewal on the way takes no more than one try more', async () => {
    api = createApiFixture([BUSY, REFUSED, BUSY, REFUSED]);
    expect((await failureOf(api.ask())).details).toEqual({ status: 401 });
    expect(api.sent).toHaveLength(4);
    expect(api.renewals).toHaveLength(1);
  });

  test('a renewed token is kept for the tries that follow', async () => {
    api = createApiFixture([REFUSED, BUSY, OK]);
    await api.ask();
    const tokens = api.sent.map(({ headers }) => headers['authorization']?.at(-1));
    expect(tokens).toEqual(['0', '1', '1']);
  });
});

describe('case 115: the pause before the next try', () => {
  // prettier-ignore
  test.each([
    ['grows without chance',       0,   [300, 600, 1_200]],
    ['grows by chance on top',     128, [375, 750, 1_500]],
    ['grows by half at the most',  255, [449, 899, 1_798]],
  ])('%s', async (_, chance, expected) => {
    api = createApiFixture([BUSY], { chance });
    await failureOf(api.ask());
    expect(api.pauses().map(Math.round)).toEqual(expected);
  });

  const date = (ms: number) => new Date(1_700_000_000_000 + ms).toUTCString();
  // prettier-ignore
  test.each([
    ['seconds',                       '7',                               7_000],
    ['no seconds',                    '0',                               0],
    ['a fraction of seconds',         '1.5',                             1_500],
    ['blanks around',                 ' 7 ',                             7_000],
    ['just a minute',                 '60',                              60_000],
    ['a date',                        date(10_000),                      10_000],
    ['a date in the older form',      'Tuesday, 14-Nov-23 22:13:30 GMT', 10_000],
    ['a date that has passed',        date(-3_600_000),                  0],
    ['nothing',                       '',                                300],
    ['garbage',                       'soon',                            300],
    ['garbage with a year in it',     'banana 2030',                     300],
    ['a negative number',             '-5',                              300],
    ['two numbers',                   '10, 20',                          300],
    ['not finite',                    'Infinity',                        300],
    ['hexadecimal',                   '0x10',                            300],
    ['64 KB of digits',               '9'.repeat(65_536),                300],
    ['64 KB of blanks',               `1${' '.repeat(65_536)}x`,         300],
  ])('Retry-After with %s', async (_, value, expectedMs) => {
    api = createApiFixture([after(value), OK]);
    await api.ask();
    expect(api.pauses()).toEqual([expectedMs]);
  });

  test('Retry-After is what the server asked for, and chance is added to it', async () => {
    api = createApiFixture([after('7'), OK], { chance: 255 });
    await api.ask();
    expect(api.pauses()[0]).toBeGreaterThan(7_000);
    expect(api.pauses()[0]).toBeLessThan(7_300);
  });

  // prettier-ignore
  test.each([
    ['61 seconds',       after('61'),              { status: 429, retryAfterMs: 61_000 }],
    ['a 503 with them',  after('61', 503),         { status: 503, retryAfterMs: 61_000 }],
    ['a year',           after('31536000'),        { status: 429, retryAfterMs: 31_536_000_000 }],
    ['a date far away',  after(date(3_600_000)),   { status: 429, retryAfterMs: 3_600_000 }],
  ])('%s is too long to wait here: the caller is told at once', async (_, step, details) => {
    api = createApiFixture([step]);
    const error = await failureOf(api.start());
    expect(error).toMatchObject({ code: 'rate_limited', details, retryable: true });
    expect(api.sent).toHaveLength(1);
  });

  test('what the last answer asked for is in the error, for those who have patience', async () => {
    api = createApiFixture([after('1'), after('2'), after('3'), after('4')]);
    const error = await failureOf(api.ask());
    expect(error).toMatchObject({
      code: 'rate_limited',
      details: { status: 429, retryAfterMs: 4_000 },
    });
    expect(api.pauses()).toEqual([1_000, 2_000, 3_000]);
  });

  test('a 429 that does not say is rate_limited too, a 503 is http_error', async () => {
    api = createApiFixture([{ status: 429 }]);
    expect((await failureOf(api.ask())).details).toEqual({ status: 429, retryAfterMs: null });
    api = createApiFixture([{ status: 503 }]);
    expect((await failureOf(api.ask())).code).toBe('http_error');
  });

  test('of a request that may not be sent twice is for its caller to make', async () => {
    api = createApiFixture([after('7')]);
    const error = await failureOf(api.start({ method: 'POST' }));
    expect(error.details).toEqual({ status: 429, retryAfterMs: 7_000 });
    expect(api.sent).toHaveLength(1);
  });
});
