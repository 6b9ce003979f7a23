import fc from 'fast-check';
import {
  isAuthorizationCode,
  readAuthorizationCode,
} from '../../src/oauth/authorization-response.js';
import type { Provider, ServerMetadata } from '../../src/oauth/provider.js';
import { nativePrevu3d, ours, standard } from './some-provider.js';
import { anyCharacter } from '../support/any-character.js';

type Server = Pick<ServerMetadata, 'issuer' | 'iss'>;

const STATE = 'the-state';
const REDIRECT = 'http://127.0.0.1:49152/callback';
const ISSUER = 'https://as.example/tenant';
const iss = `&iss=${encodeURIComponent(ISSUER)}`;
const promised: Server = { issuer: ISSUER, iss: 'required' };

function read(
  redirectUrl: string,
  server: Server = {},
  provider: Provider = standard(),
  redirectUri = REDIRECT,
) {
  return readAuthorizationCode(redirectUrl, { redirectUri, state: STATE }, server, provider);
}
const readQuery = (query: string, server?: Server, provider?: Provider) =>
  read(`${REDIRECT}?${query}`, server, provider);

describe('a good answer gives its code', () => {
  // prettier-ignore
  test.each<[name: string, query: string, code: string, server?: Server]>([
    ['plain',                                     'code=c&state=the-state',              'c'],
    ['in any order, with more beside it',         'session_state=x&state=the-state&code=c', 'c'],
    ['percent-encoded',                           'code=4%2F0a%2Bb%3D&state=the%2Dstate', '4/0a+b='],
    ['with the iss that was promised, RFC 9207',  `code=c&state=the-state${iss}`,        'c', promised],
    ['without an iss that was not promised',      'code=c&state=the-state',              'c', { issuer: ISSUER }],
    ['with an iss nobody can compare',            `code=c&state=the-state${iss}`,        'c'],
    ['of 8,192 characters',                       `code=${'c'.repeat(8192)}&state=the-state`, 'c'.repeat(8192)],
    ['case 35: beside an access_token in the query', 'access_token=t&id_token=t&code=c&state=the-state', 'c'],
    ['case 37: beside a fragment',                'code=c&state=the-state#access_token=t&state=s', 'c'],
  ])('%s', (_, query, code, server = {}) => {
    expect(readQuery(query, server)).toBe(code);
  });
});

describe('is not an answer to this request, which goes on waiting', () => {
  // prettier-ignore
  test.each([
    ['case 20: another state',                    'code=c&state=other'],
    ['case 20: a longer state',                   'code=c&state=the-state2'],
    ['case 20: a shorter state',                  'code=c&state=the-stat'],
    ['case 20: a state in another case',          'code=c&state=THE-STATE'],
    ['case 20: a state with a blank',             'code=c&state=the-state+'],
    ['case 21: no state',                         'code=c'],
    ['case 21: an empty state',                   'code=c&state='],
    ['case 21: a state of another name',          'code=c&State=the-state'],
    ['case 25: the state twice',                  'code=c&state=the-state&state=the-state'],
    ['case 25: the state and another one',        'code=c&state=the-state&state=other'],
    ['case 25: another state first',              'code=c&state=other&state=the-state'],
    ['case 24: an error without state',           'error=access_denied'],
    ['case 24: an error with another state',      'error=access_denied&state=other'],
    ['case 30: a wrong iss and another state',    'code=c&state=other&iss=https%3A%2F%2Fevil.example'],
    ['case 35: only an access_token, no state',   'access_token=t'],
    ['case 37: all of it in the fragment',        '#code=c&state=the-state'],
    ['case 37: the state in the fragment',        'code=c#state=the-state'],
    ['nothing at all',                            ''],
  ])('%s', (_, query) => {
    expect(readQuery(query, promised)).toBeNull();
  });

  test('case 20: any state but the right one', () => {
    fc.assert(
      fc.property(fc.string(), (state) => {
        fc.pre(state !== STATE);
        const query = new URLSearchParams({ code: 'c', state });
        expect(readQuery(query.toString())).toBeNull();
      }),
    );
  });
});

describe('is refused', () => {
  // prettier-ignore
  test.each<[name: string, query: string, code: string, server?: Server]>([
    ['case 23: a user who said no',           `error=access_denied&state=the-state${iss}`,         'access_denied', promised],
    ['case 25: the code twice',               'code=c&code=c&state=the-state',                     'malformed_response'],
    ['case 25: two codes',                    'code=c&code=d&state=the-state',                     'malformed_response'],
    ['case 25: iss twice',                    `code=c&state=the-state${iss}${iss}`,                'malformed_response', promised],
    ['case 25: iss twice, though unknown',    'code=c&state=the-state&iss=a&iss=b',                'malformed_response'],
    ['case 25: the error twice',              'error=access_denied&error=x&state=the-state',       'malformed_response'],
    ['case 26: code and error',               'code=c&error=access_denied&state=the-state',        'malformed_response'],
    ['case 26: code and an empty error',      'code=c&error=&state=the-state',                     'malformed_response'],
    ['case 26: an empty code and an error',   'code=&error=access_denied&state=the-state',         'malformed_response'],
    ['case 28: no code',                      'state=the-state',                                   'malformed_response'],
    ['case 28: an empty code',                'code=&state=the-state',                             'malformed_response'],
    ['case 28: a code of 64 KB',              `code=${'c'.repeat(65_536)}&state=the-state`,        'malformed_response'],
    ['case 28: one character too many',       `code=${'c'.repeat(8193)}&state=the-state`,          'malformed_response'],
    ['case 28: a code with CRLF',             'code=c%0D%0Ax%3A1&state=the-state',                 'malformed_response'],
    ['case 28: a code that ends in a newline', 'code=c%0A&state=the-state',                        'malformed_response'],
    ['case 28: a code with NUL',              'code=c%00&state=the-state',                         'malformed_response'],
    ['case 28: a code with DEL',              'code=c%7F&state=the-state',                         'malformed_response'],
    ['case 28: a code with ü',                'code=%C3%BC&state=the-state',                       'malformed_response'],
    ['case 30: the iss of another',           'code=c&state=the-state&iss=https%3A%2F%2Fevil.example', 'issuer_mismatch', promised],
    ['case 30: of another, though optional',  'code=c&state=the-state&iss=https%3A%2F%2Fevil.example', 'issuer_mismatch', { issuer: ISSUER, iss: 'optional' }],
    ['case 30: of another, with an error',    'error=access_denied&state=the-state&iss=https%3A%2F%2Fevil.example', 'issuer_mismatch', promised],
    ['case 31: a promised iss left out',      'code=c&state=the-state',                            'issuer_mismatch', promised],
    ['case 31: left out of an error',         'error=access_denied&state=the-state',               'issuer_mismatch', promised],
    ['case 31: an empty iss',                 'code=c&state=the-state&iss=',                       'issuer_mismatch', promised],
    ['case 35: an access_token instead of a code', 'access_token=t&id_token=t&token_type=Bearer&state=the-state', 'malformed_response'],
    ['case 39: an error nobody knows',        'error=made_up&state=the-state',                     'oauth_error'],
  ])('%s', (_, query, code, server = {}) => {
    expect(() => readQuery(query, server)).toThrow(ours(code));
  });

  test('case 28: every code with a character that is not printable ASCII', () => {
    const bad = fc.integer({ min: 0, max: 0x10ffff }).filter((n) => n < 0x20 || n > 0x7e);
    fc.assert(
      fc.property(fc.string(), bad, fc.string(), (before, point, after) => {
        expect(isAuthorizationCode(before + String.fromCodePoint(point) + after)).toBe(false);
      }),
    );
  });

  // prettier-ignore
  test.each([
    ['a slash more',            `${ISSUER}/`],
    ['a slash less',            'https://as.example'],
    ['upper case',              ISSUER.toUpperCase()],
    ['upper case in the path',  'https://as.example/Tenant'],
    ['the default port',        'https://as.example:443/tenant'],
    ['percent-encoding',        'https://as.example/%74enant'],
    ['dot segments',            'https://as.example/x/../tenant'],
    ['http',                    'http://as.example/tenant'],
    ['a blank behind it',       `${ISSUER} `],
    ['a query',                 `${ISSUER}?`],
    ['a user name',             'https://as.example@evil.example/tenant'],
  ])('case 32: an iss that differs by %s', (_, other) => {
    const query = `code=c&state=the-state&iss=${encodeURIComponent(other)}`;
    expect(() => readQuery(query, promised)).toThrow(ours('issuer_mismatch'));
  });

  test('case 33: the code of B that arrives for an attempt at A, by its iss', () => {
    const query = 'code=of-b&state=the-state&iss=https%3A%2F%2Fb.example';
    expect(() => readQuery(query, { issuer: 'https://a.example' })).toThrow(
      ours('issuer_mismatch', {
        details: { expected: 'https://a.example', received: 'https://b.example' },
      }),
    );
  });

  test.each([
    ['https://evil.example/code-c?state=the-state', 'https://evil.example'],
    ['<script>', 'not an address'],
  ])('a foreign iss is shown as its origin at most: %s', (other, received) => {
    const query = `code=c&state=the-state&iss=${encodeURIComponent(other)}`;
    expect(() => readQuery(query, promised)).toThrow(
      ours('issuer_mismatch', { details: { expected: ISSUER, received } }),
    );
  });
});

describe('case 39: what an error says about trying again', () => {
  // prettier-ignore
  test.each([
    ['temporarily_unavailable', 'oauth_error',   true],
    ['server_error',            'oauth_error',   true],
    ['access_denied',           'access_denied', false],
    ['unauthorized_client',     'oauth_error',   false],
    ['invalid_scope',           'oauth_error',   false],
    ['unsupported_response_type', 'oauth_error', false],
  ])('%s is %s', (error, code, retryable) => {
    const query = `error=${error}&error_description=the+words&state=the-state`;
    expect(() => readQuery(query)).toThrow(
      ours(code, { retryable, details: { error, errorDescription: 'the words' } }),
    );
  });

  test('the hint is the platform’s own where it has one', () => {
    const query = 'error=access_denied&state=the-state';
    expect(() => readQuery(query, {}, nativePrevu3d)).toThrow(
      ours('access_denied', { hint: expect.stringContaining('organization') }),
    );
  });

  test('the state does not come back in the server’s words', () => {
    const query = 'error=the-state&error_description=no+the-state!&state=the-state';
    expect(() => readQuery(query)).toThrow(
      ours('oauth_error', { details: { error: '…', errorDescription: 'no …!' } }),
    );
  });
});

describe('case 24: a denial without state, where the dialect declares it', () => {
  const readPrevu3d = (query: string) =>
    read(`http://localhost:8765/?${query}`, {}, nativePrevu3d, 'http://localhost:8765');

  test('the redirect as the platform prints it ends the attempt', () => {
    expect(() => readPrevu3d('error=access_denied')).toThrow(ours('access_denied'));
  });

  // prettier-ignore
  test.each([
    ['with another state',  'error=access_denied&state=other'],
    ['with an empty state', 'error=access_denied&state='],
    ['with two states',     'error=access_denied&state=the-state&state=the-state'],
    ['with a code',         'error=access_denied&code=c'],
    ['with a code only',    'code=c'],
    ['with nothing',        ''],
  ])('%s it is nothing', (_, query) => {
    expect(readPrevu3d(query)).toBeNull();
  });
});

describe('case 36: a redirect to another place is not ours', () => {
  // prettier-ignore
  test.each([
    ['another port',             'http://127.0.0.1:49153/callback'],
    ['no port',                  'http://127.0.0.1/callback'],
    ['https',                    'https://127.0.0.1:49152/callback'],
    ['the other loopback name',  'http://localhost:49152/callback'],
    ['the other loopback address', 'http://[::1]:49152/callback'],
    ['another loopback address', 'http://127.0.0.2:49152/callback'],
    ['a host that begins so',    'http://127.0.0.1.evil.example:49152/callback'],
    ['a host that ends so',      'http://evil127.0.0.1:49152/callback'],
    ['a user name like it',      'http://127.0.0.1:49152@evil.example/callback'],
    ['a user name',              'http://user@127.0.0.1:49152/callback'],
    ['a password',               'http://:password@127.0.0.1:49152/callback'],
    ['a path that begins so',    'http://127.0.0.1:49152/callback2'],
    ['a path below',             'http://127.0.0.1:49152/callback/x'],
    ['a slash more',             'http://127.0.0.1:49152/callback/'],
    ['two slashes',              'http://127.0.0.1:49152//callback'],
    ['a path in another case',   'http://127.0.0.1:49152/Callback'],
    ['an encoded path',          'http://127.0.0.1:49152/%63allback'],
    ['an encoded slash',         'http://127.0.0.1:49152%2Fcallback'],
    ['another path',             'http://127.0.0.1:49152/'],
    ['a path that leads out',    'http://127.0.0.1:49152/callback/../other'],
    ['another scheme',           'x-plugin://127.0.0.1:49152/callback'],
    ['no address',               '/callback'],
    ['no text to speak of',      'http://'],
  ])('%s', (_, place) => {
    expect(read(`${place}?code=c&state=${STATE}`)).toBeNull();
  });

  test('any other host, port or path', () => {
    const { url, query } = {
      url: fc.webUrl({ withQueryParameters: false }),
      query: '?code=c&state=',
    };
    fc.assert(fc.property(url, (place) => read(place + query + STATE) === null));
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        const place = `http://127.0.0.1:49152${path}`;
        fc.pre(new URL(place).pathname !== '/callback');
        expect(read(place + query + STATE)).toBeNull();
      }),
    );
  });

  // prettier-ignore
  test.each([
    ['a host in upper case',          'HTTP://LOCALHOST:8765',             'http://localhost:8765'],
    ['an empty path and a slash',     'http://localhost:8765/',            'http://localhost:8765'],
    ['the default port',              'https://app.example:443/back',      'https://app.example/back'],
    ['dot segments',                  'https://app.example/x/../back',     'https://app.example/back'],
    ['a scheme of one’s own',         'x-plugin://callback',               'x-plugin://callback'],
    ['a scheme of one’s own, no host', 'com.example.plugin:/callback',     'com.example.plugin:/callback'],
  ])('what means the same by the URL standard is the same: %s', (_, place, redirectUri) => {
    expect(read(`${place}?code=c&state=${STATE}`, {}, standard(), redirectUri)).toBe('c');
  });

  // prettier-ignore
  test.each([
    ['another scheme',  'x-plugin2://callback'],
    ['another host',    'x-plugin://callback2'],
    ['a path',          'x-plugin://callback/x'],
    ['a host less',     'x-plugin:callback'],
  ])('a scheme of one’s own and %s', (_, place) => {
    const url = `${place}?code=c&state=${STATE}`;
    expect(read(url, {}, standard(), 'x-plugin://callback')).toBeNull();
  });
});

test('whatever arrives is ignored, refused, or gives a usable code', () => {
  const name = fc.constantFrom('code', 'state', 'error', 'iss', 'error_description', 'scope');
  const value = fc.oneof(
    fc.constantFrom(STATE, ISSUER, 'c', ''),
    fc.string({ unit: anyCharacter }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), (pairs) => {
      try {
        const code = readQuery(new URLSearchParams(pairs).toString(), promised, nativePrevu3d);
        expect(code === null || isAuthorizationCode(code)).toBe(true);
      } catch (error) {
        expect(error).toEqual(ours((error as { code: string }).code));
      }
    }),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (text) => read(text) === null),
    { numRuns: 1_000 },
  );
});
