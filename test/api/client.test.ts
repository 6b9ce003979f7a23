import { MortiseError, type ApiRequest } from 'mortise';
import {
  BASE,
  createApiFixture,
  expectNothingLeft,
  type ApiFixture,
} from './support/api-client.js';
import { failureOf, SECRET } from './support/failure.js';
import { bytesOf } from './support/scripted-http.js';

const OK = { body: '{"ok":true}' };
const REFUSED = { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } };
const bearer = (number: number) => `Bearer ${SECRET}-token-${number}`;

let api: ApiFixture;
afterEach(() => expectNothingLeft(api));
const tokensSent = () => api.sent.map(({ headers }) => headers['authorization']);

describe('a request as it goes out', () => {
  test('case 161: the token is in the header and nowhere else', async () => {
    api = createApiFixture([OK]);
    await api.ask({ query: { a: 1 }, method: 'POST', json: { b: 2 } });
    const { url, body, headers } = api.sent[0]!;
    expect(headers['authorization']).toBe(bearer(0));
    expect(`${url} ${body}`).not.toContain(SECRET);
    expect(JSON.stringify({ ...headers, authorization: '' })).not.toContain(SECRET);
  });

  test.each(['authorization', 'Authorization', 'AUTHORIZATION'])(
    'case 161: a header %s of the caller does not win',
    async (name) => {
      api = createApiFixture([OK]);
      await api.ask({ headers: { [name]: 'Basic other', 'X-Mine': 'yes' } });
      expect(api.sent[0]!.headers).toEqual({ authorization: bearer(0), 'x-mine': 'yes' });
    },
  );

  // prettier-ignore
  test.each<[string, Partial<ApiRequest>, { method: string; body: string; type?: string }]>([
    ['GET unless said otherwise',       {},                                                { method: 'GET', body: '' }],
    ['methods go in capitals',          { method: 'delete' },                              { method: 'DELETE', body: '' }],
    ['json is encoded and says so',     { method: 'POST', json: { a: ['é', null] } },      { method: 'POST', body: '{"a":["é",null]}', type: 'application/json' }],
    ['json null is a body',             { method: 'PUT', json: null },                     { method: 'PUT', body: 'null', type: 'application/json' }],
    ['the caller names another type',   { method: 'POST', json: {}, headers: { 'Content-Type': 'application/x+json' } }, { method: 'POST', body: '{}', type: 'application/x+json' }],
    ['text goes as it is',              { method: 'POST', body: 'a=1' },                   { method: 'POST', body: 'a=1' }],
    ['bytes go as they are',            { method: 'PUT', body: new Uint8Array([104, 105]) }, { method: 'PUT', body: 'hi' }],
    ['a stream goes piece by piece',    { method: 'PUT', body: bytesOf('one ', 'two') },   { method: 'PUT', body: 'one two' }],
    ['a DELETE may have a body',        { method: 'DELETE', json: [1] },                   { method: 'DELETE', body: '[1]', type: 'application/json' }],
  ])('%s', async (_, request, { method, body, type }) => {
    api = createApiFixture([OK]);
    await api.ask(request);
    expect(api.sent[0]).toMatchObject({ method, body, url: `${BASE}/items` });
    expect(api.sent[0]!.headers['content-type']).toBe(type);
  });

  test.each<[string, Partial<ApiRequest>]>([
    ['GET with json', { json: {} }],
    ['GET with text', { body: 'a' }],
    ['get in small letters', { method: 'get', body: 'a' }],
    ['HEAD with bytes', { method: 'HEAD', body: new Uint8Array(1) }],
  ])('%s is the author’s mistake, and nothing is sent', async (_, request) => {
    api = createApiFixture([OK]);
    expect((await failureOf(api.ask(request))).code).toBe('configuration_error');
    expect(api.sent).toEqual([]);
  });

  test('cases 154, 157: what leads out of the base is not sent', async () => {
    api = createApiFixture([OK]);
    for (const path of ['https://evil.example/', '//evil.example', '../v2']) {
      expect((await failureOf(api.ask({ path }))).code).toBe('api_url_untrusted');
    }
    expect(api.sent).toEqual([]);
  });

  test('a base that must be asked for is waited for, and its failure is the request’s', async () => {
    api = createApiFixture([OK], { base: async () => 'https://eu.example/api' });
    await api.ask();
    expect(api.sent[0]!.url).toBe('https://eu.example/api/items');
  });
});

describe('case 130: a 401', () => {
  test.each<[string, Partial<ApiRequest>]>([
    ['GET', {}],
    ['POST, for nothing was done', { method: 'POST', json: { a: 1 } }],
    ['POST that is not idempotent', { method: 'POST', body: 'a', idempotent: false }],
  ])('costs one renewal and one more try: %s', async (_, request) => {
    api = createApiFixture([REFUSED, OK]);
    expect(await (await api.ask(request)).json()).toEqual({ ok: true });
    expect(tokensSent()).toEqual([bearer(0), bearer(1)]);
    expect(api.renewals).toEqual([`${SECRET}-token-0`]);
    expect(api.sent[1]!.body).toBe(api.sent[0]!.body);
    expect(api.pauses()).toEqual([0]);
    expect(api.sent[0]!.signal.aborted).toBe(true); // The refused answer's socket is free.
  });

  test('that stays is http_error: it signs nobody out and is not asked a third time', async () => {
    api = createApiFixture([REFUSED]);
    const error = await failureOf(api.ask());
    expect(error).toMatchObject({ code: 'http_error', details: { status: 401 }, retryable: false });
    expect(tokensSent()).toEqual([bearer(0), bearer(1)]);
  });

  test('with a streamed body is not replayed, but the next request has a fresh token', async () => {
    api = createApiFixture([REFUSED, OK]);
    const error = await failureOf(api.ask({ method: 'PUT', body: bytesOf('once') }));
    expect(error).toMatchObject({ code: 'http_error', details: { status: 401 } });
    expect(api.sent).toHaveLength(1);
    await api.ask({ method: 'PUT', body: bytesOf('twice') });
    expect(tokensSent()).toEqual([bearer(0), bearer(1)]);
  });

  test('is not tried again with the token that was refused', async () => {
    api = createApiFixture([REFUSED, OK], { renew: async (refused) => refused });
    expect((await failureOf(api.ask())).details).toEqual({ status: 401 });
    expect(api.sent).toHaveLength(1);
  });

  test.each([
    ['the server refuses it', new MortiseError('sign_in_required', { reason: 'rejected' })],
    ['the network breaks', new MortiseError('network_error', { host: 'login.example' })],
    ['the server is busy', new MortiseError('rate_limited', { status: 429, retryAfterMs: 1_000 })],
  ])(
    'fails as its renewal does when %s, and the refused token is not sent again',
    async (_, why) => {
      api = createApiFixture([REFUSED], { renew: () => Promise.reject(why) });
      expect(await failureOf(api.ask())).toBe(why);
      expect(tokensSent()).toEqual([bearer(0)]);
    },
  );

  test('for ever opens a breaker: requests go on, renewals stop', async () => {
    api = createApiFixture([REFUSED]);
    for (let count = 0; count < 20; count += 1) {
      expect((await failureOf(api.ask())).details).toEqual({ status: 401 });
    }
    expect(api.renewals).toHaveLength(3);
    expect(api.sent).toHaveLength(3 * 2 + 17);
  });

  test('is believed again half a minute after the breaker opened', async () => {
    api = createApiFixture([REFUSED]);
    for (let count = 0; count < 4; count += 1) await failureOf(api.ask());
    await api.clock.advance(29_000);
    await failureOf(api.ask());
    expect(api.renewals).toHaveLength(3);
    await api.clock.advance(30_001);
    await failureOf(api.ask());
    expect(api.renewals).toHaveLength(4);
  });

  test.each([200, 204, 400, 403, 404, 500])('and the breaker closes at a %d', async (status) => {
    let answer: { status: number } = REFUSED;
    api = createApiFixture([() => answer]);
    for (let count = 0; count < 4; count += 1) await failureOf(api.ask());
    answer = { status };
    await api.ask({ idempotent: false }).catch(() => {});
    answer = REFUSED;
    await failureOf(api.ask());
    expect(api.renewals).toHaveLength(4);
  });
});

describe('case 163: a challenge', () => {
  const junk = 'a="b", '.repeat(9_400);
  const scoped = 'error="insufficient_scope", scope="a b"';
  // prettier-ignore
  test.each<[string, number, string | undefined, number, string, unknown]>([
    ['none at all',                401, undefined,                                  1, 'http_error',         { status: 401 }],
    ['empty',                      401, '',                                         1, 'http_error',         { status: 401 }],
    ['invalid_token',              401, 'Bearer error="invalid_token"',             1, 'http_error',         { status: 401 }],
    ['another scheme alone',       401, 'Basic realm="x"',                          1, 'http_error',         { status: 401 }],
    ['insufficient_scope',         403, `Bearer ${scoped}`,                         0, 'insufficient_scope', { status: 403, scope: 'a b' }],
    ['with 401, which some send',  401, `Bearer ${scoped}`,                         0, 'insufficient_scope', { status: 401, scope: 'a b' }],
    ['the scope first',            403, 'Bearer scope="a b", error="insufficient_scope"', 0, 'insufficient_scope', { status: 403, scope: 'a b' }],
    ['without a scope',            403, 'Bearer error="insufficient_scope"',        0, 'insufficient_scope', { status: 403, scope: null }],
    ['an empty scope',             403, 'Bearer error="insufficient_scope", scope=""', 0, 'insufficient_scope', { status: 403, scope: '' }],
    ['without quotes',             403, 'Bearer error=insufficient_scope',          0, 'insufficient_scope', { status: 403, scope: null }],
    ['in capitals',                403, 'BEARER ERROR="insufficient_scope"',        0, 'insufficient_scope', { status: 403, scope: null }],
    ['blanks around =',            403, 'Bearer error = "insufficient_scope"',      0, 'insufficient_scope', { status: 403, scope: null }],
    ['after a realm',              403, `Bearer realm="a, b=c", ${scoped}`,         0, 'insufficient_scope', { status: 403, scope: 'a b' }],
    ['after another scheme',       403, `Basic realm="x", Bearer ${scoped}`,        0, 'insufficient_scope', { status: 403, scope: 'a b' }],
    ['before another scheme',      403, `Bearer ${scoped}, DPoP algs="ES256"`,      0, 'insufficient_scope', { status: 403, scope: 'a b' }],
    ['a scope beyond ASCII',       403, 'Bearer error="insufficient_scope", scope="é"', 0, 'insufficient_scope', { status: 403, scope: null }],
    ['a word that begins like it', 403, 'Bearer error="insufficient_scope_x"',      0, 'forbidden',          { status: 403 }],
    ['a description of it',        403, 'Bearer error_description="insufficient_scope"', 0, 'forbidden',     { status: 403 }],
    ['64 KB of junk',              401, `Bearer ${junk}`,                           1, 'http_error',         { status: 401 }],
    ['64 KB of quotes',            403, `Bearer ${'scope="'.repeat(9_400)}`,        0, 'forbidden',          { status: 403 }],
    ['64 KB of blanks',            401, `Bearer error=${' '.repeat(65_536)}`,       1, 'http_error',         { status: 401 }],
  ])('%s', async (_, status, challenge, renewals, code, details) => {
    const headers: Record<string, string> = challenge === undefined ? {} : { 'www-authenticate': challenge };
    api = createApiFixture([{ status, headers }]);
    const startedAt = performance.now();
    expect(await failureOf(api.ask())).toMatchObject({ code, details });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(api.renewals).toHaveLength(renewals);
  });

  test('that repeats the token does not bring it into the error', async () => {
    const challenge = `Bearer error="insufficient_scope", scope="a ${SECRET}-token-0"`;
    api = createApiFixture([{ status: 403, headers: { 'www-authenticate': challenge } }]);
    expect((await failureOf(api.ask())).code).toBe('insufficient_scope');
  });
});

describe('a status that is no success', () => {
  test('case 164: 403 is forbidden, and no renewal would change that', async () => {
    api = createApiFixture([{ status: 403 }]);
    expect(await failureOf(api.ask())).toMatchObject({
      code: 'forbidden',
      details: { status: 403 },
      retryable: false,
    });
    expect(api.renewals).toEqual([]);
    expect(api.sent).toHaveLength(1);
  });

  test.each([300, 301, 302, 303, 307, 308])('case 159: %d is not followed', async (status) => {
    api = createApiFixture([{ status, headers: { location: 'https://evil.example/' } }]);
    const error = await failureOf(api.ask());
    expect(error).toMatchObject({ code: 'http_error', details: { status }, retryable: false });
    expect(api.sent.map(({ url }) => url)).toEqual([`${BASE}/items`]);
  });

  test.each([400, 404, 405, 409, 410, 418, 422])('%d is http_error, asked once', async (status) => {
    api = createApiFixture([{ status, body: `${SECRET} in the body` }]);
    const error = await failureOf(api.ask());
    expect(error).toMatchObject({ code: 'http_error', details: { status }, retryable: false });
    expect(api.sent).toHaveLength(1);
    expect(api.sent[0]!.signal.aborted).toBe(true); // Nobody reads the body: its socket is free.
  });

  test('304 is an answer to whoever asked for it', async () => {
    api = createApiFixture([{ status: 304 }]);
    expect((await api.ask({ headers: { 'If-None-Match': '"a"' } })).status).toBe(304);
  });

  test.each([
    ['forbidden', 403],
    ['http_error', 404],
    ['rate_limited', 429],
  ])('%s has the hint of the platform’s own documents', async (code, status) => {
    api = createApiFixture([{ status }], { hint: (...about) => `advice for ${about.join(' ')}` });
    const error = await failureOf(api.ask({ idempotent: false }));
    expect(error).toMatchObject({ code, hint: `advice for ${code} ${status}` });
  });
});
