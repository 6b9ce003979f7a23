import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { isMortiseError, type ErrorCode } from '../../src/errors.js';
import { readJsonText } from '../../src/http/exchange.js';
import type { Dialect } from '../../src/oauth/provider.js';
import { readTokenResponse, type TokenSet } from '../../src/oauth/token-response.js';
import { nativePrevu3d, ours } from './some-provider.js';
import { anyCharacter } from '../support/any-character.js';

const NOW_MS = 1_700_000_000_000;
const { dialect: prevu3d } = nativePrevu3d;
const noHint = () => undefined;

interface Given {
  readonly status?: number;
  readonly dialect?: Dialect;
  readonly retryAfter?: string | null;
  readonly secrets?: readonly string[];
  readonly hint?: (code: ErrorCode) => string | undefined;
}

function read(json: unknown, given: Given = {}): TokenSet {
  const { status = 200, dialect = {}, retryAfter = null, secrets = [], hint = noHint } = given;
  return readTokenResponse(
    { status, json, retryAfter },
    { dialect, step: 'exchange' },
    secrets,
    NOW_MS,
    hint,
  );
}

const good = { access_token: 'at', token_type: 'Bearer', expires_in: 3600, refresh_token: 'rt' };
const usable: TokenSet = {
  accessToken: 'at',
  refreshToken: 'rt',
  lifetimeMs: 3_600_000,
  scopes: null,
};
const bare = { accessToken: 'at', refreshToken: null, lifetimeMs: null, scopes: null };
const without = (name: keyof typeof good) =>
  Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));
const html = readJsonText(Buffer.from('<html>Sign in to the Wi-Fi</html>'));

describe('answers that are met in the field', () => {
  // prettier-ignore
  test.each<[name: string, json: unknown, given: Given, tokens: TokenSet]>([
    ['RFC 6749',                          good,                                              {},                   usable],
    ['no token_type, where declared',     without('token_type'),                             { dialect: prevu3d }, usable],
    ['camelCase, where declared',         { accessToken: 'at', expiresIn: 3600 },            { dialect: prevu3d }, { ...usable, refreshToken: null }],
    ['a negative lifetime',               { ...good, expires_in: -1 },                       {},                   { ...usable, lifetimeMs: null }],
    ['201 instead of 200',                good,                                              { status: 201 },      usable],
    ['hasError: false',                   { ...good, hasError: false },                      { dialect: prevu3d }, usable],
    ['more than was asked for',           { ...good, id_token: 'a.b.c', ext: { x: 1 } },     {},                   usable],
  ])('%s: tokens', (_, json, given, tokens) => {
    expect(read(json, given)).toEqual(tokens);
  });

  // prettier-ignore
  test.each<[name: string, json: unknown, given: Given, code: string]>([
    ['no token_type, not declared',       without('token_type'),                             {},                   'malformed_response'],
    ['camelCase, not declared',           { accessToken: 'at', expiresIn: 3600, token_type: 'Bearer' }, {},        'malformed_response'],
    ['200 with hasError: true',           { ...good, hasError: true },                       {},                   'oauth_error'],
    ['400 invalid_grant',                 { error: 'invalid_grant' },                        { status: 400 },      'invalid_grant'],
    ['502 in HTML',                       html,                                              { status: 502 },      'http_error'],
    ['200 in HTML, a captive portal',     html,                                              {},                   'malformed_response'],
    ['204',                               undefined,                                         { status: 204 },      'malformed_response'],
    ['200 with nothing',                  undefined,                                         {},                   'malformed_response'],
    ['400 with nothing',                  undefined,                                         { status: 400 },      'oauth_error'],
    ['407, a proxy’s page',               html,                                              { status: 407 },      'http_error'],
    ['404',                               html,                                              { status: 404 },      'http_error'],
    ['302',                               undefined,                                         { status: 302 },      'http_error'],
  ])('%s: no tokens', (_, json, given, code) => {
    expect(() => read(json, given)).toThrow(ours(code));
  });

  test('what is said with a refusal is kept, status included', () => {
    const json = { error: 'invalid_grant', error_description: 'The code is used up.' };
    expect(() => read(json, { status: 400 })).toThrow(
      ours('invalid_grant', {
        details: { status: 400, error: 'invalid_grant', errorDescription: 'The code is used up.' },
      }),
    );
  });

  const printed = (name: string) =>
    JSON.parse(readFileSync(`test/fixtures/prevu3d/${name}.json`, 'utf8')) as unknown;
  const accessToken = 'eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9...';
  // prettier-ignore
  test.each([
    ['native-token-answer',  { accessToken, refreshToken: '...', lifetimeMs: 86_400_000, scopes: null }],
    ['service-token-answer', { accessToken, refreshToken: null,  lifetimeMs: 3_600_000,  scopes: null }],
    ['older-token-answer',   { accessToken, refreshToken: null,  lifetimeMs: null,       scopes: null }],
  ])('the printed %s of Prevu3D', (name, tokens) => {
    expect(read(printed(name), { dialect: prevu3d })).toEqual(tokens);
  });
});

describe('case 99, 100, 102: a body that is no JSON object', () => {
  // prettier-ignore
  test.each<[name: string, text: string]>([
    ['nothing',          ''],
    ['HTML',             '<!doctype html>'],
    ['truncated',        '{"access_token":"at","token_ty'],
    ['a form',           'access_token=at&token_type=bearer'],
    ['null',             'null'],
    ['true',             'true'],
    ['a number',         '42'],
    ['a string',         '"at"'],
    ['an array',         '[{"access_token":"at","token_type":"Bearer"}]'],
    ['deep nesting',     '['.repeat(100_000) + ']'.repeat(100_000)],
    ['two objects',      '{"access_token":"at"}{"token_type":"Bearer"}'],
  ])('%s', (_, text) => {
    const json = readJsonText(Buffer.from(text));
    expect(() => read(json)).toThrow(ours('malformed_response'));
    expect(() => read(json, { status: 400 })).toThrow(ours('oauth_error', { details: { status: 400 } }));
    expect(() => read(json, { status: 500 })).toThrow(ours('http_error', { details: { status: 500 } }));
  });

  test('bad UTF-8 is no JSON', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"access_token":"'),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ]);
    expect(readJsonText(bytes)).toBeUndefined();
  });

  test('a BOM is passed over, and of a name given twice the last counts', () => {
    const json = readJsonText(
      Buffer.from('\ufeff{"access_token":"at","token_type":"mac","token_type":"Bearer"}'),
    );
    expect(read(json)).toEqual(bare);
  });

  test('no text of the body is in the error', () => {
    const json = readJsonText(Buffer.from('{"access_token":"canary"'));
    expect(() => read(json)).toThrow(
      ours('malformed_response', { message: expect.not.stringContaining('canary') }),
    );
  });
});

describe('case 104: token_type', () => {
  test.each(['Bearer', 'bearer', 'BEARER', 'bEARER'])('%s is Bearer', (token_type) => {
    expect(read({ ...good, token_type })).toEqual(usable);
  });

  // prettier-ignore
  test.each<[name: string, type: unknown]>([
    ['mac',          'mac'],
    ['DPoP',         'DPoP'],
    ['N_A',          'N_A'],
    ['empty',        ''],
    ['with a blank', 'Bearer '],
    ['with more',    'Bearer, mac'],
    ['two lines',    'Bearer\nmac'],
    ['a number',     1],
    ['true',         true],
    ['an array',     ['Bearer']],
    ['an object',    { toString: 1, valueOf: 1 }],
  ])('%s is not, whatever the dialect', (_, token_type) => {
    expect(() => read({ ...good, token_type })).toThrow(ours('malformed_response'));
    const optional = { dialect: prevu3d };
    expect(() => read({ ...good, token_type }, optional)).toThrow(ours('malformed_response'));
  });
});

test('case 104: a token_type that is null is absent', () => {
  expect(() => read({ ...good, token_type: null })).toThrow(ours('malformed_response'));
  expect(read({ ...good, token_type: null }, { dialect: prevu3d })).toEqual(usable);
});

describe('case 105: tokens', () => {
  // prettier-ignore
  const unusable: ReadonlyArray<[name: string, token: unknown]> = [
    ['a number',        42],
    ['an array',        ['at']],
    ['an object',       { at: 1 }],
    ['true',            true],
    ['with a blank',    'a t'],
    ['with CRLF',       'at\r\nx-evil: 1'],
    ['ending in LF',    'at\n'],
    ['with NUL',        'at\0'],
    ['with DEL',        'at\x7f'],
    ['with ü',          'ät'],
  ];
  test.each([
    ...unusable,
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
    ['false', false],
    ['0', 0],
  ])('an access token that is %s is refused', (_, access_token) => {
    expect(() => read({ ...good, access_token })).toThrow(ours('malformed_response'));
  });

  test.each(unusable)('a refresh token that is %s is refused', (_, refresh_token) => {
    expect(() => read({ ...good, refresh_token })).toThrow(ours('malformed_response'));
  });

  test.each([
    ['absent', undefined],
    ['null', null],
    ['empty', ''],
  ])('a refresh token that is %s is none', (_, refresh_token) => {
    expect(read({ ...good, refresh_token })).toEqual({ ...usable, refreshToken: null });
  });

  test('any text that does not fit into a header is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (access_token) => {
        fc.pre(!/^[!-~]+$/.test(access_token) || /\n/.test(access_token));
        expect(() => read({ ...good, access_token })).toThrow(ours('malformed_response'));
      }),
    );
  });

  test('any text that does is kept as it is', () => {
    const printable = fc.integer({ min: 0x21, max: 0x7e }).map((n) => String.fromCharCode(n));
    fc.assert(
      fc.property(fc.string({ unit: printable, minLength: 1 }), (token) => {
        const { accessToken, refreshToken } = read({
          ...good,
          access_token: token,
          refresh_token: token,
        });
        expect([accessToken, refreshToken]).toEqual([token, token]);
      }),
    );
  });
});

describe('case 106: the lifetime', () => {
  // prettier-ignore
  test.each<[name: string, expires_in: unknown, lifetimeMs: number | null]>([
    ['a number of seconds',          3600,                    3_600_000],
    ['a number in a string',         '3600',                  3_600_000],
    ['fractions',                    0.5,                     500],
    ['one second',                   1,                       1_000],
    ['ten years',                    315_360_000,             315_360_000_000],
    ['longer than ten years',        315_360_001,             null],
    ['a moment in ms',               1_752_054_750_000,       null],
    ['a moment in s',                1_752_054_750,           null],
    ['the printed negative one',     -1_752_054_750,          null],
    ['the same in a string',         '-1752054750',           null],
    ['zero',                         0,                       null],
    ['minus zero',                   -0,                      null],
    ['zero in a string',             '0',                     null],
    ['1e400, infinite once read',    JSON.parse('1e400'),     null],
    ['Infinity in a string',         'Infinity',              null],
    ['NaN in a string',              'NaN',                   null],
    ['a date',                       '2030-01-01T00:00:00Z',  null],
    ['words',                        'one hour',              null],
    ['a unit',                       '3600s',                 null],
    ['empty',                        '',                      null],
    ['blanks',                       '  ',                    null],
    ['null',                         null,                    null],
    ['absent',                       undefined,               null],
    ['false',                        false,                   null],
    ['true',                         true,                    null],
    ['an array',                     [3600],                  null],
    ['an object',                    { seconds: 3600 },       null],
    ['an object without a value',    { toString: 1, valueOf: 1 }, null],
  ])('%s', (_, expires_in, lifetimeMs) => {
    expect(read({ ...good, expires_in })).toEqual({ ...usable, lifetimeMs });
    const camelCase = { accessToken: 'at', expiresIn: expires_in };
    expect(read(camelCase, { dialect: prevu3d })).toEqual({ ...bare, lifetimeMs });
  });
});

describe('case 107: only the spellings the dialect declares', () => {
  // prettier-ignore
  test.each<[name: string, json: unknown, tokens: TokenSet]>([
    ['the standard spelling stays good',   { access_token: 'at', expires_in: 60 },           { ...bare, lifetimeMs: 60_000 }],
    ['both with the same value',           { access_token: 'at', accessToken: 'at' },        bare],
    ['one of each',                        { access_token: 'at', expiresIn: 60 },            { ...bare, lifetimeMs: 60_000 }],
    ['refreshToken is not declared',       { access_token: 'at', refreshToken: 'rt' },       bare],
    ['nothing nested is looked into',      { access_token: 'at', data: { expires_in: 60 } }, bare],
  ])('%s', (_, json, tokens) => {
    expect(read(json, { dialect: prevu3d })).toEqual(tokens);
  });

  // prettier-ignore
  test.each<[name: string, json: unknown, dialect: Dialect]>([
    ['two different tokens',       { access_token: 'at', accessToken: 'other' },                              prevu3d],
    ['two different lifetimes',    { access_token: 'at', expires_in: 60, expiresIn: 61 },                     prevu3d],
    ['a token and an empty one',   { access_token: 'at', accessToken: '' },                                   prevu3d],
    ['a token nested',             { data: { access_token: 'at' } },                                          prevu3d],
    ['another spelling still',     { AccessToken: 'at' },                                                     prevu3d],
    ['camelCase, not declared',    { accessToken: 'at', token_type: 'Bearer' },                               {}],
  ])('%s: refused', (_, json, dialect) => {
    expect(() => read(json, { dialect })).toThrow(ours('malformed_response'));
  });

  test('an undeclared spelling beside the standard one is nothing', () => {
    expect(read({ ...good, accessToken: 'other', expiresIn: 1 })).toEqual(usable);
  });
});

describe('case 108: a refusal with status 200, tokens or not', () => {
  // prettier-ignore
  test.each<[name: string, more: object, code: string]>([
    ['hasError: true',          { hasError: true },                                'oauth_error'],
    ['hasError and an error',   { hasError: true, error: 'invalid_grant' },        'invalid_grant'],
    ['an error',                { error: 'invalid_grant' },                        'invalid_grant'],
    ['an error nobody knows',   { error: 'made_up' },                              'oauth_error'],
    ['an error of one LF',      { error: '\n' },                                   'oauth_error'],
    ['an error in an object',   { error: { code: 42, message: 'no' } },            'oauth_error'],
    ['an error that is true',   { error: true },                                   'oauth_error'],
    ['an error that is a number', { error: 42 },                                   'oauth_error'],
  ])('%s', (_, more, code) => {
    expect(() => read({ ...good, ...more })).toThrow(ours(code));
    expect(() => read({ ...good, ...more }, { dialect: prevu3d })).toThrow(ours(code));
  });

  test.each([
    ['null', null],
    ['empty', ''],
    ['false', false],
  ])('an error that is %s is none', (_, error) => {
    expect(read({ ...good, error, hasError: false })).toEqual(usable);
  });
});

describe('case 109: scope', () => {
  // prettier-ignore
  test.each<[name: string, scope: unknown, scopes: readonly string[] | null]>([
    ['several',            'a b:read c',    ['a', 'b:read', 'c']],
    ['in the order given', 'c a',           ['c', 'a']],
    ['blanks too many',    ' a  b\t',       ['a', 'b']],
    ['empty: none',        '',              []],
    ['absent: as asked',   undefined,       null],
    ['null: as asked',     null,            null],
    ['not text: as asked', ['a', 'b'],      null],
  ])('%s', (_, scope, scopes) => {
    expect(read({ ...good, scope })).toEqual({ ...usable, scopes });
  });
});

test('case 111: an id_token is not looked at, whatever it is', () => {
  for (const id_token of ['a.b.c', 'eyJhbGciOiJub25lIn0.e30.', 42, null, { alg: 'none' }]) {
    expect(read({ ...good, id_token })).toEqual(usable);
  }
});

describe('case 115: too many requests', () => {
  // prettier-ignore
  test.each<[name: string, retryAfter: string | null, retryAfterMs: number | null]>([
    ['seconds', '7',                                             7_000],
    ['a date',  new Date(NOW_MS + 9_000).toUTCString(),          9_000],
    ['garbage', 'soon',                                          null],
    ['nothing', null,                                            null],
  ])('Retry-After with %s', (_, retryAfter, retryAfterMs) => {
    for (const json of [undefined, { error: 'invalid_grant' }, good]) {
      expect(() => read(json, { status: 429, retryAfter })).toThrow(
        ours('rate_limited', { retryable: true, details: { status: 429, retryAfterMs } }),
      );
    }
  });
});

describe('case 118: what a refusal means', () => {
  // prettier-ignore
  test.each<[status: number, error: string, code: string, retryable: boolean]>([
    [400, 'invalid_grant',           'invalid_grant',  false],
    [401, 'invalid_client',          'invalid_client', false],
    [400, 'invalid_client',          'invalid_client', false],
    [400, 'unauthorized_client',     'oauth_error',    false],
    [400, 'invalid_request',         'oauth_error',    false],
    [400, 'unsupported_grant_type',  'oauth_error',    false],
    [400, 'invalid_scope',           'oauth_error',    false],
    [400, 'INVALID_GRANT',           'oauth_error',    false],
    [400, 'made_up',                 'oauth_error',    false],
    [400, 'sign_in_required',        'oauth_error',    false],
    [400, 'constructor',             'oauth_error',    false],
    [403, 'access_denied',           'access_denied',  false],
    [400, 'temporarily_unavailable', 'oauth_error',    true],
    [400, 'slow_down',               'oauth_error',    true],
    [404, 'invalid_grant',           'invalid_grant',  false],
    [422, 'invalid_grant',           'invalid_grant',  false],
  ])('%i %s is %s', (status, error, code, retryable) => {
    expect(() => read({ error }, { status })).toThrow(
      ours(code, { retryable, details: { status, error } }),
    );
  });

  test.each([400, 401, 402, 403])(
    '%i without a word is a refusal of no kind, never invalid_grant',
    (status) => {
      for (const json of [undefined, {}, { message: 'invalid_grant' }, { error: 42 }, good]) {
        expect(() => read(json, { status })).toThrow(
          ours('oauth_error', { details: { status }, retryable: false }),
        );
      }
    },
  );

  // A proxy, a gateway or a redirect cannot speak for the authorization server.
  test.each([300, 301, 302, 303, 307, 308, 500, 502, 503, 504])(
    'case 98: %i cannot refuse, whatever it says',
    (status) => {
      for (const json of [undefined, good, { error: 'invalid_grant' }, { hasError: true }]) {
        expect(() => read(json, { status })).toThrow(
          ours('http_error', { retryable: status >= 500 }),
        );
      }
    },
  );

  test('the hint is asked for by code, and may be left to the library', () => {
    const hint = (code: ErrorCode) =>
      code === 'invalid_grant' ? 'As the platform says.' : undefined;
    const refused = (error: string) => () => read({ error }, { status: 400, hint });
    expect(refused('invalid_grant')).toThrow(
      ours('invalid_grant', { hint: 'As the platform says.' }),
    );
    expect(refused('invalid_client')).toThrow(
      ours('invalid_client', { hint: 'Check the client ID and secret.' }),
    );
  });

  test('the request’s secrets do not come back', () => {
    const json = { error: 'invalid_grant', error_description: 'code c0de, verifier ver1fier' };
    expect(() => read(json, { status: 400, secrets: ['', 'c0de', 'ver1fier'] })).toThrow(
      ours('invalid_grant', {
        details: { status: 400, error: 'invalid_grant', errorDescription: 'code …, verifier …' },
      }),
    );
    expect(() => read(json, { status: 503, secrets: ['c0de', 'ver1fier'] })).toThrow(
      ours('http_error', {
        details: expect.objectContaining({ errorDescription: 'code …, verifier …' }),
      }),
    );
  });
});

describe('whatever JSON comes back: a valid token set or one of our errors', () => {
  const name = fc.constantFrom(
    'access_token',
    'accessToken',
    'refresh_token',
    'refreshToken',
    'token_type',
    'expires_in',
    'expiresIn',
    'scope',
    'error',
    'error_description',
    'hasError',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
  );
  const odd = fc.constantFrom(
    'at',
    'Bearer',
    'bearer',
    '',
    null,
    0,
    -1,
    3600,
    '3600',
    1e300,
    true,
    false,
    'a b',
    'invalid_grant',
    [],
    {},
    ['at'],
    { toString: 1, valueOf: 1 },
    { toString: null },
    [{ toString: 1 }],
    { polluted: true },
  );
  const value = fc.oneof({ arbitrary: odd, weight: 3 }, { arbitrary: fc.jsonValue(), weight: 1 });
  const written = fc
    .array(fc.tuple(name, value), { maxLength: 8 })
    .map((pairs) => `{${pairs.map(([key, item]) => `"${key}":${JSON.stringify(item)}`).join()}}`);
  const text = fc.oneof(
    { arbitrary: written, weight: 4 },
    {
      arbitrary: written.map((more) =>
        `{"access_token":"at","token_type":"Bearer",${more.slice(1)}`.replace(/,}$/, '}'),
      ),
      weight: 4,
    },
    { arbitrary: fc.json(), weight: 1 },
  );
  const status = fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 599 }));
  const dialect = fc.constantFrom<Dialect>({}, prevu3d);
  const prototypes = () =>
    [Object, Array, String, Number, Boolean, Function].map(({ prototype }) =>
      JSON.stringify([Reflect.ownKeys(prototype).map(String), Object.keys(prototype)]),
    );
  const isToken = (token: unknown) => typeof token === 'string' && /^[!-~]+$/.test(token);

  test('case 102, 104 to 109: never a third thing, and no prototype is touched', () => {
    const before = prototypes();
    let successes = 0;
    fc.assert(
      fc.property(text, status, dialect, (body, code, spoken) => {
        const json = readJsonText(Buffer.from(body));
        const copy = JSON.stringify(json);
        let tokens: TokenSet;
        try {
          tokens = read(json, { status: code, dialect: spoken });
        } catch (error) {
          expect([isMortiseError(error), error]).toEqual([true, error]);
          return;
        }
        successes += 1;
        expect(code).toBeGreaterThanOrEqual(200);
        expect(code).toBeLessThan(300);
        const { accessToken, refreshToken, lifetimeMs, scopes, ...rest } = tokens;
        expect(rest).toEqual({});
        expect(isToken(accessToken)).toBe(true);
        expect(refreshToken === null || isToken(refreshToken)).toBe(true);
        expect(lifetimeMs === null || (lifetimeMs > 0 && lifetimeMs <= 315_360_000_000)).toBe(true);
        expect(scopes === null || scopes.every((scope) => /^\S+$/.test(scope))).toBe(true);
        expect(Object.getPrototypeOf(tokens)).toBe(Object.prototype);
        expect(JSON.stringify(json)).toBe(copy);
      }),
      { numRuns: 3_000 },
    );
    expect(prototypes()).toEqual(before);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(successes).toBeGreaterThan(100);
  });
});
