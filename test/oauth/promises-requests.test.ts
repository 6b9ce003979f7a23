// What a plug-in's author and the user are told, and what is believed of an address: each row was once a line that
// could be changed without a test noticing (npm run mutate).
import { buildAuthorizationUrl } from '../../src/oauth/authorization-request.js';
import { readAuthorizationCode } from '../../src/oauth/authorization-response.js';
import { base64 } from '../../src/oauth/base64url.js';
import { checkClient } from '../../src/oauth/client-options.js';
import { checkRedirectUris, isHostName, parseServerUrl } from '../../src/oauth/endpoint.js';
import { discoverMetadata, readMetadata } from '../../src/oauth/metadata.js';
import { fromProfile, type Profile } from '../../src/oauth/profile.js';
import type { Dialect } from '../../src/oauth/provider.js';
import { readScope } from '../../src/oauth/refusal.js';
import { readRetryAfterMs } from '../../src/oauth/retry-after.js';
import { AUTHORIZE, TOKEN_URL, ours, standard } from './some-provider.js';

const redirectUri = 'https://plug-in.example/callback';
const wrong = (problem: string) => ours('configuration_error', { details: { problem } });

describe('a redirect', () => {
  const issuer = 'https://as.example';
  const read = (query: string, dialect: Dialect) =>
    readAuthorizationCode(
      `${redirectUri}?${query}`,
      { redirectUri, state: 'state-of-this-sign-in' },
      { issuer },
      { dialect },
    );
  const stateless: Dialect = {
    state: 'not repeated',
    codeParameter: 'access_code',
    denialParameter: 'denied',
  };

  // prettier-ignore
  test.each<[name: string, query: string, code: string | null]>([
    ['a code',                            'access_code=abcdefgh',              'abcdefgh'],
    ['a code under another name',         'code=abcdefgh',                     null],
    ['a denial that is none',             'denied=false',                      null],
    ['nothing of interest',               'x=1',                               null],
  ])('where no state comes back, with %s', (_, query, code) => {
    expect(read(query, stateless)).toBe(code);
  });

  test('where no state comes back, a denial is known by its parameter', () => {
    const denied = ours('access_denied', { details: { error: 'access_denied' } });
    expect(() => read('denied=true', stateless)).toThrow(denied);
  });

  // prettier-ignore
  test.each<[query: string, problem: string]>([
    ['code=abcdefgh&code=ijklmnop',       'code was sent twice'],
    ['error=x&error=y',                   'error was sent twice'],
    ['iss=https://a&iss=https://b',       'iss was sent twice'],
    ['code=abcdefgh&error=access_denied', 'the redirect carries no usable code'],
    ['',                                  'the redirect carries no usable code'],
  ])('case 20 to 28: with the right state and %j: %s', (query, problem) => {
    const refused = ours('malformed_response', { details: { problem } });
    expect(() => read(`state=state-of-this-sign-in&${query}`, {})).toThrow(refused);
  });
});

describe('the address of the consent page', () => {
  test('a parameter of the protocol is nobody else’s to set', () => {
    const provider = standard({ authorizationParameters: { state: 'mine' } });
    const server = { authorizationEndpoint: AUTHORIZE, tokenEndpoint: TOKEN_URL };
    const request = { redirectUri, state: 'theirs', codeChallenge: 'challenge', nonce: 'nonce' };
    expect(() => buildAuthorizationUrl(provider, server, request)).toThrow(
      wrong('the authorization parameter state cannot be set'),
    );
  });

  test('Base64 of RFC 4648 section 4 has + and /, and is filled up', () => {
    expect(base64(new Uint8Array([0xfb, 0xff]))).toBe('+/8=');
  });
});

describe('options', () => {
  // prettier-ignore
  test.each<[name: string, scopes: unknown, problem: string]>([
    ['a text',             'read write',  'scopes must be a list'],
    ['a list of numbers',  [42],          'scopes must be texts of one scope each'],
    ['an empty one',       [''],          'scopes must be texts of one scope each'],
  ])('scopes that are %s are refused', (_, scopes, problem) => {
    expect(() => checkClient({ clientId: 'plug-in', scopes })).toThrow(wrong(problem));
  });

  // prettier-ignore
  test.each<[name: string, uris: unknown]>([
    ['a number in it',             [42]],
    ['an address with a fragment', ['https://a.example/#x']],
    ['a good and a bad one',       ['https://a.example/', 'nowhere']],
    ['nothing',                    []],
    ['no list',                    'https://a.example/'],
  ])('redirect URIs with %s are refused', (_, uris) => {
    expect(() => checkRedirectUris(uris)).toThrow(
      wrong('redirectUris must list the registered addresses'),
    );
  });
});

describe('a server’s address as typed', () => {
  // prettier-ignore
  test.each<[typed: string, href: string]>([
    ['cad.example/see/https://other.example', 'https://cad.example/see/https://other.example'],
    ['cad.example/https:here',                'https://cad.example/https:here'],
    ['cad.example?x=1#y',                     'https://cad.example/'],
  ])('%s is one', (typed, href) => {
    expect(parseServerUrl(typed).href).toBe(href);
  });

  // prettier-ignore
  test.each<[typed: unknown]>([
    ['h2c://cad.example'], ['http:/cad.example'], ['https:/cad.example'], ['https:cad.example'], [''], [42], [null],
  ])('%j is none', (typed) => {
    expect(() => parseServerUrl(typed)).toThrow(
      wrong('serverUrl must be an https address, or http on loopback'),
    );
  });

  // prettier-ignore
  test.each<[name: unknown, isOne: boolean]>([
    ['cad.example',     true],
    ['CAD.Example',     true],
    ['localhost',       true],
    ['cad.example.',    false],
    ['cad.example/x',   false],
    ['cad.example:8',   false],
    ['a b',             false],
    ['',                false],
    [42,                false],
  ])('whether %j is a host’s name: %p', (name, isOne) => {
    expect(isHostName(name)).toBe(isOne);
  });
});

describe('a server that describes itself', () => {
  const issuer = 'https://as.example';
  const good = { issuer, authorization_endpoint: AUTHORIZE, token_endpoint: TOKEN_URL };
  const failed = (details: object) => ours('discovery_failed', { details });

  // prettier-ignore
  test.each<[json: unknown, problem: string]>([
    [null,                                                        'it is not JSON'],
    ['text',                                                      'it is not JSON'],
    [{ ...good, issuer: 'https://evil.example' },                 'its issuer is another one'],
    [{ ...good, token_endpoint: undefined },                      'it has no token_endpoint'],
    [{ ...good, code_challenge_methods_supported: ['plain'] },    'it does not offer PKCE with S256'],
  ])('in such a way, %j: %s', (json, problem) => {
    expect(() => readMetadata(issuer, json, [])).toThrow(failed({ issuer, problem }));
  });

  // prettier-ignore
  test.each<[name: string, issuer: string, details: object]>([
    ['nowhere',                          issuer,          { issuer, status: 404 }],
    ['for an issuer that cannot be one', `${issuer}?x=1`, { issuer: `${issuer}?x=1` }],
  ])('%s: the error says so', async (_, asked, details) => {
    const found = discoverMetadata(asked, async () => ({ status: 404, text: '', json: undefined }));
    await expect(found).rejects.toThrow(failed({ ...details, problem: 'no metadata was found' }));
  });

  test('in Autodesk’s spelling: the revocation endpoint is found, too', () => {
    const revoke_endpoint = 'https://as.example/revoke';
    expect(readMetadata(issuer, { ...good, revoke_endpoint }, [])).toMatchObject({
      revocationEndpoint: revoke_endpoint,
    });
  });
});

describe('a platform as data', () => {
  const profile: Profile = {
    id: 'cad',
    facts: { sources: [], readOn: '2026-11-22' },
    endpoints: { authorization: AUTHORIZE, token: TOKEN_URL },
    apiBaseUrl: 'https://api.example/v1',
    clients: { public: { pkce: 'checked' } },
    scopes: { always: ['openid', 'offline'], more: 'needed' },
    person: { path: 'me', names: ['name', 'email'] },
  };
  const options = { clientId: 'plug-in', redirectUris: [redirectUri], scopes: ['read'] };

  test('that departs from nothing sends and keeps nothing of its own', () => {
    const { grant, carry, protocol } = fromProfile(profile, options);
    expect(grant).toBe('authorization_code');
    expect(carry).toBeUndefined();
    expect(Object.keys(protocol ?? {})).toEqual(['revocationRequests']);
  });

  test('asks for more scopes than those it always has, and names these', () => {
    expect(() => fromProfile(profile, { ...options, scopes: ['openid'] })).toThrow(
      wrong('scopes must name at least one beside openid offline'),
    );
  });

  // prettier-ignore
  test.each<[json: unknown, name: string | null]>([
    [{ name: 'Ann', email: 'ann@cad.example' },  'Ann'],
    [{ name: 42, email: 'ann@cad.example' },     'ann@cad.example'],
    [{ name: '', email: 'ann@cad.example' },     'ann@cad.example'],
    [{ name: 42, email: ['Ann'] },               null],
    [null,                                       null],
  ])('names a person, as %j does: %j', async (json, name) => {
    const provider = fromProfile(profile, options);
    const request = (async () => ({ json: async () => json })) as never;
    expect(await provider.displayName?.({ request })).toBe(name);
  });
});

describe('what a server says of scopes', () => {
  // prettier-ignore
  test.each<[said: string, shown: string]>([
    ['data:read account:write',             'data:read account:write'],
    ['urn:cad:verylongwordwithoutdigits',   'urn:cad:verylongwordwithoutdigits'],
    ['read 0123456789abcdef write',         'read … write'],
    ['read 0123456789abcde write',          'read 0123456789abcde write'],
    ['read\u0000\u0007write',               'read write'],
    ['r'.repeat(201),                       'r'.repeat(200)],
    ['all of sesame-open-up',               'all of …'],
  ])('%j is shown as %j', (said, shown) => {
    expect(readScope(said, ['', 'sesame-open-up'])).toBe(shown);
    expect(readScope('data:read')).toBe('data:read');
  });
});

test.each([['(busy) Sun, 06 Nov 2033 08:49:37 GMT'], ['Sun, 06 Nov 2033 08:49:37 GMT (perhaps)']])(
  'case 106: a time to wait that says more than a date is none: %s',
  (value) => {
    expect(readRetryAfterMs(value, 0)).toBeNull();
  },
);
