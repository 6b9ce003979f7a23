import fc from 'fast-check';
import {
  parseServerUrl,
  checkEndpoint,
  isLoopback,
  isSecure,
  isTrusted,
  parseUrl,
} from '../../src/oauth/endpoint.js';
import { ours } from './some-provider.js';
import { anyCharacter } from '../support/any-character.js';

const HOSTS = ['prevu3d.com'];
const trusts = (text: string, hosts: readonly string[] = HOSTS) => {
  const url = parseUrl(text);
  return url !== undefined && isTrusted(url, hosts);
};

// prettier-ignore
const SECURE: ReadonlyArray<[name: string, url: string]> = [
  ['https',                       'https://as.example/authorize'],
  ['https on a port',             'https://as.example:8443/'],
  ['https with a query',          'https://as.example/authorize?tenant=1'],
  ['http on 127.0.0.1',           'http://127.0.0.1:3000/token'],
  ['http on all of 127',          'http://127.8.9.10/'],
  ['http on [::1]',               'http://[::1]:3000/'],
  ['http on [::1] spelled out',   'http://[0:0:0:0:0:0:0:1]/'],
  ['http on localhost',           'http://localhost/'],
  ['http on LOCALHOST',           'HTTP://LOCALHOST/'],
  ['http on 127.0.0.1 in hex',    'http://0x7f.1/'],
];

// prettier-ignore
const INSECURE: ReadonlyArray<[name: string, url: string]> = [
  ['http',                        'http://as.example/token'],
  ['http on a host like it',      'http://localhost.evil.example/'],
  ['http on a host below',        'http://evil.localhost/'],
  ['http on localhost.',          'http://localhost./'],
  ['http on 127.0.0.1.nip.io',    'http://127.0.0.1.nip.io/'],
  ['http behind a user name',     'http://127.0.0.1@evil.example/'],
  ['http on another 10',          'http://10.0.0.1/'],
  ['http on 0.0.0.0',             'http://0.0.0.0/'],
  ['http on [::]',                'http://[::]/'],
  ['http on [::ffff:127.0.0.1]',  'http://[::ffff:127.0.0.1]/'],
  ['a user name',                 'https://user@as.example/'],
  ['a password',                  'https://:password@as.example/'],
  ['a fragment',                  'https://as.example/#x'],
  ['javascript',                  'javascript:alert(1)'],
  ['javascript with slashes',     'javascript://as.example/%0aalert(1)'],
  ['file',                        'file:///etc/passwd'],
  ['data',                        'data:text/html,x'],
  ['smb',                         'smb://as.example/share'],
  ['ftp',                         'ftp://as.example/'],
  ['ws',                          'ws://localhost/'],
  ['blob',                        'blob:https://as.example/1'],
  ['a scheme of one’s own',       'x-plugin://as.example/'],
];

describe('case 11, 97, 152: what an endpoint can be', () => {
  test.each(SECURE)('%s', (_, url) => {
    expect(isSecure(new URL(url))).toBe(true);
    expect(checkEndpoint(url, 'it')).toBe(url);
  });

  test.each(INSECURE)('not %s', (_, url) => {
    expect(isSecure(new URL(url))).toBe(false);
    expect(() => checkEndpoint(url, 'it')).toThrow(ours('configuration_error'));
  });

  // prettier-ignore
  test.each<[name: string, value: unknown]>([
    ['nothing',       undefined],
    ['null',          null],
    ['empty',         ''],
    ['a path',        '/token'],
    ['a name',        'as.example'],
    ['half',          'https://'],
    ['a bad port',    'https://as.example:99999/'],
    ['a bad host',    'https://as example/'],
    ['a number',      42],
    ['a URL object',  new URL('https://as.example')],
    ['an object',     { toString: () => 'https://as.example' }],
  ])('not %s', (_, value) => {
    expect(() => checkEndpoint(value, 'it')).toThrow(ours('configuration_error'));
  });

  test('the error names the setting, and nothing that was in it', () => {
    const text = 'http://user:canary@evil.example/?canary';
    expect(() => checkEndpoint(text, 'tokenEndpoint')).toThrow(
      ours('configuration_error', {
        message: 'configuration error: tokenEndpoint must be an https address, or http on loopback',
      }),
    );
  });
});

test('case 198: parseUrl throws nothing, for URL errors quote their input', () => {
  expect(parseUrl('https://exa mple/canary')).toBeUndefined();
  expect(parseUrl('', 'no base')).toBeUndefined();
  expect(parseUrl('x', 'https://as.example/a/b')?.href).toBe('https://as.example/a/x');
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter }), (text) => {
      const url = parseUrl(text);
      expect(url === undefined || url instanceof URL).toBe(true);
    }),
  );
});

test('loopback is judged by the parsed name', () => {
  expect(isLoopback(new URL('https://0177.0.0.1/'))).toBe(true);
  expect(isLoopback(new URL('https://127.0.0.1.evil.example/'))).toBe(false);
});

describe('case 153: a trusted host is itself and all below it, on its own port', () => {
  // prettier-ignore
  test.each([
    ['itself',                  'https://prevu3d.com/api'],
    ['one below',               'https://api-ue1.prevu3d.com/realityconnect-api'],
    ['two below',               'https://a.b.prevu3d.com/'],
    ['in upper case',           'https://API.PREVU3D.COM/'],
    ['the default port',        'https://api.prevu3d.com:443/'],
    ['full-width letters, which are the same', 'https://ｐrevu3d.com/'],
    ['an encoded dot, which is a dot', 'https://api%2eprevu3d%2ecom/'],
    ['an ideographic dot, which is one too', 'https://api。prevu3d.com/'],
    ['without slashes',         'https:api.prevu3d.com'],
    ['with backslashes',        'https:\\\\api.prevu3d.com\\x'],
    ['a tab inside',            'https://api.pre\tvu3d.com/'],
  ])('%s', (_, url) => {
    expect(trusts(url)).toBe(true);
    expect(new URL(url).hostname.split('.').slice(-2)).toEqual(['prevu3d', 'com']);
  });

  // prettier-ignore
  test.each([
    ['another in front',            'https://prevu3d.com.evil.example/'],
    ['letters before it',           'https://evilprevu3d.com/'],
    ['a hyphen before it',          'https://evil-prevu3d.com/'],
    ['letters behind it',           'https://prevu3d.community/'],
    ['as a user name',              'https://prevu3d.com@evil.example/'],
    ['as a password',               'https://x:prevu3d.com@evil.example/'],
    ['as an encoded user name',     'https://prevu3d.com%2f@evil.example/'],
    ['as a path',                   'https://evil.example/prevu3d.com'],
    ['as a path below dots',        'https://evil.example/.prevu3d.com'],
    ['as a query',                  'https://evil.example?.prevu3d.com'],
    ['as a fragment',               'https://evil.example#.prevu3d.com'],
    ['behind a backslash',          'https://evil.example\\.prevu3d.com'],
    ['behind a backslash and @',    'https://evil.example\\@prevu3d.com'],
    ['behind an encoded slash',     'https://evil.example%2f.prevu3d.com'],
    ['behind an encoded NUL',       'https://evil.example%00.prevu3d.com'],
    ['behind a full-width slash',   'https://evil.example／.prevu3d.com'],
    ['with a dot at the end',       'https://prevu3d.com./'],
    ['without its dot',             'https://apiprevu3dcom/'],
    ['with underscore for dot',     'https://prevu3d_com/'],
    ['only its end',                'https://3d.com/'],
    ['the top level',               'https://com/'],
    ['a Cyrillic е',                'https://prеvu3d.com/'],
    ['a Greek ν',                   'https://preνu3d.com/'],
    ['punycode',                    'https://xn--prvu3d-eof.com/'],
    ['an empty label',              'https://.prevu3d.com.evil.example/'],
    ['an address',                  'https://127.0.0.1/'],
    ['an IPv6 address',             'https://[::1]/'],
    ['no host',                     'https:///'],
  ])('not %s', (_, url) => {
    expect(trusts(url)).toBe(false);
  });

  // prettier-ignore
  test.each([
    ['http',             'http://api.prevu3d.com/'],
    ['another scheme',   'ftp://api.prevu3d.com/'],
    ['a user name',      'https://user@api.prevu3d.com/'],
    ['a password',       'https://:p@api.prevu3d.com/'],
    ['a fragment',       'https://api.prevu3d.com/#x'],
    ['a port',           'https://api.prevu3d.com:8443/'],
    ['port 80',          'https://api.prevu3d.com:80/'],
  ])('case 152: not on its own host with %s', (_, url) => {
    expect(trusts(url)).toBe(false);
  });

  // prettier-ignore
  test.each<[name: string, url: string, hosts: readonly string[], trusted: boolean]>([
    ['localhost, any port',                   'http://localhost:1234/', ['localhost'],                true],
    ['localhost in another case',             'http://localhost:1234/', ['LocalHost'],                true],
    ['https on localhost',                    'https://localhost:1234/', ['localhost'],               true],
    ['127.0.0.1, any port',                   'http://127.0.0.1:1/',    ['127.0.0.1'],                true],
    ['[::1], any port',                       'http://[::1]:1/',        ['[::1]'],                    true],
    ['below localhost',                       'https://x.localhost/',   ['localhost'],                false],
    ['one loopback name for another',         'http://127.0.0.1:1/',    ['localhost'],                false],
    ['loopback where it was not named',       'http://localhost:1/',    HOSTS,                        false],
    ['the second of two names',               'https://b.example/',     ['a.example', 'B.example'],   true],
    ['none of no names',                      'https://a.example/',     [],                           false],
  ])('%s', (_, url, hosts, trusted) => {
    expect(trusts(url, hosts)).toBe(trusted);
  });

  test('whatever is trusted is https, has no credentials, and ends in the name by labels', () => {
    const part = fc.oneof(
      fc.constantFrom(
        'prevu3d.com',
        '.',
        '@',
        '/',
        '\\',
        '#',
        '?',
        ':',
        '%2e',
        '%40',
        'evil.example',
        '\t',
        '443',
      ),
      fc.string({ unit: anyCharacter, maxLength: 3 }),
    );
    const scheme = fc.constantFrom('https://', 'https:', 'http://', 'https:/\\');
    let trusted = 0;
    fc.assert(
      fc.property(scheme, fc.array(part, { maxLength: 6 }), (start, parts) => {
        const text = start + parts.join('');
        if (!trusts(text)) return;
        trusted += 1;
        const url = new URL(text);
        expect(url.origin).toMatch(/^https:\/\/([^/@:]*\.)?prevu3d\.com$/);
        expect(url.username + url.password + url.hash).toBe('');
      }),
      { numRuns: 5_000 },
    );
    expect(trusted).toBeGreaterThan(10);
  });
});

describe('a server’s address as a person types it', () => {
  // prettier-ignore
  test.each<[string, string]>([
    ['https://cde.example',            'https://cde.example/'],
    ['  https://CDE.Example:443/a/ ',  'https://cde.example/a/'],
    ['cde.example/opencde?x=1#y',      'https://cde.example/opencde'],
    ['http://localhost:3000',          'http://localhost:3000/'],
    ['localhost:3000',                 'https://localhost:3000/'],
  ])('case 171: %s', (typed, url) => {
    expect(parseServerUrl(typed).href).toBe(url);
  });

  // prettier-ignore
  test.each([
    '', ' ', 'http://cde.example', 'https:/cde.example', 'https:\\\\cde.example', 'http:cde', 'ftp://cde.example',
    'javascript:alert(1)', 'file:///etc/passwd', 'https://ada@cde.example', 'https://', 'https://a b', '//',
  ])('case 171: refuses "%s"', (typed) => {
    expect(() => parseServerUrl(typed, 'managerUrl')).toThrow(/managerUrl must be an https address/);
  });
});
