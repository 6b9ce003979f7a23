// What callers rely on in an answer of the token endpoint, down to the words. Each row was once a line that
// could be changed without a test noticing (npm run mutate).
import type { MortiseError } from '../../src/errors.js';
import type { Dialect } from '../../src/oauth/provider.js';
import { readTokenResponse } from '../../src/oauth/token-response.js';

interface Given {
  readonly status?: number;
  readonly dialect?: Dialect;
  readonly retryAfter?: string;
}

const good = {
  access_token: 'first-token-of-access',
  token_type: 'Bearer',
  refresh_token: 'first-token-to-refresh',
};

function read(json: unknown, { status = 200, dialect = {}, retryAfter }: Given = {}) {
  return readTokenResponse(
    { status, json, retryAfter },
    { dialect, step: 'exchange' },
    [],
    1_700_000_000_000,
    (code) => `What to do about ${code}.`,
  );
}

function failure(json: unknown, given: Given): MortiseError {
  try {
    read(json, given);
  } catch (error) {
    return error as MortiseError;
  }
  throw new Error('it was taken for tokens');
}

describe('a failure of the server', () => {
  // prettier-ignore
  test.each<[name: string, status: number, isLater: boolean]>([
    ['half an answer',      103, false],
    ['a redirect',          302, false],
    ['a page not found',    404, false],
    ['a broken server',     500, true],
    ['a gateway',           502, true],
  ])('case 102: %s, %i, is worth another try only if the server was at fault', (_, status, isLater) => {
    expect(failure({}, { status })).toMatchObject({ code: 'http_error', retryable: isLater });
  });

  // prettier-ignore
  test.each<[name: string, given: Given, code: string]>([
    ['a status',            { status: 404 },                    'http_error'],
    ['too many requests',   { status: 429 },                    'rate_limited'],
    ['a busy server',       { status: 503, retryAfter: '5' },   'rate_limited'],
    ['a server that is down', { status: 500, retryAfter: '5' }, 'rate_limited'],
    ['a page not found, for a while', { status: 404, retryAfter: '5' }, 'http_error'],
  ])('%s has the hint of its platform', (_, given, code) => {
    expect(failure({}, given)).toMatchObject({ code, hint: `What to do about ${code}.` });
  });
});

describe('tokens that cannot be used', () => {
  const dialect: Dialect = { tokenNames: { accessToken: 'accessToken' } };
  // prettier-ignore
  test.each<[name: string, json: object, given: Given, problem: string]>([
    ['no access token',      { ...good, access_token: '' },              {},          'it holds no usable access token'],
    ['a blank within',       { ...good, refresh_token: 'first token to refresh' },          {},          'its refresh token is not usable'],
    ['another type',         { ...good, token_type: 'mac' },             {},          'its token type is not Bearer'],
    ['a type of that end',   { ...good, token_type: 'no-bearer' },       {},          'its token type is not Bearer'],
    ['a type of that start', { ...good, token_type: 'Bearer-of-news' },  {},          'its token type is not Bearer'],
    ['two of one',           { ...good, accessToken: 'another' },        { dialect }, 'it holds two different values for access_token'],
  ])('case 104: %s: the error tells the status, and what is wrong', (_, json, given, problem) => {
    const { code, details } = failure(json, { ...given, status: 201 });
    expect({ code, details }).toEqual({ code: 'malformed_response', details: { problem, status: 201 } });
  });

  test('a field that no name stands for is looked at by nobody', () => {
    expect(read({ ...good, undefined: 'x' })).toMatchObject({
      accessToken: 'first-token-of-access',
    });
  });
});
