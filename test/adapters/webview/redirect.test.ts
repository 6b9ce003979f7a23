import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { isRedirect } from '../../../adapters/webview/index.js';
import { isPresentable } from '../../../adapters/webview/protocol/redirect.js';
import { root } from '../../support/source-reader.js';

const protocol = readFileSync(resolve(root, 'adapters/webview/PROTOCOL.md'), 'utf8');
const table = [...protocol.matchAll(/^\| `(\S+)` \| `(\S+)` \| (yes|no) \|$/gm)].map(
  ([, url = '', redirectUri = '', match = '']) => [url, redirectUri, match] as const,
);

test('the protocol has a table of addresses', () => {
  expect(table.length).toBeGreaterThan(30);
});

test.each(table)('cases 36, 84: %s for %s: %s', (url, redirectUri, match) => {
  expect(isRedirect(url, redirectUri)).toBe(match === 'yes');
});

test.each([
  ['http://127.0.0.1:4/cb\n', 'a line end'],
  [' http://127.0.0.1:4/cb', 'a blank'],
  ['http://127.0.0.1:4/c\tb', 'a tab that parsers leave out'],
  ['http://127.0.0.1:4/cb\u0000', 'a null'],
  ['http://127.0.0.1:4/\u0441b', 'a letter that looks alike'],
  ['http:127.0.0.1:4/cb/x', 'no slashes, and another path'],
  ['', 'nothing'],
])('case 36: %j is none: %s', (url) => {
  expect(isRedirect(url, 'http://127.0.0.1:4/cb')).toBe(false);
});

test.each([undefined, null, 4, {}, [], () => {}])('%p is none, without a throw', (what) => {
  expect(isRedirect(what as unknown as string, 'http://127.0.0.1:4/cb')).toBe(false);
  expect(isRedirect('http://127.0.0.1:4/cb', what as unknown as string)).toBe(false);
});

test('case 36: whatever comes after the redirect URI’s path, only a query or fragment matches', () => {
  const redirectUri = 'http://127.0.0.1:4/cb';
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii' }), (rest) => {
      const is = isRedirect(redirectUri + rest, redirectUri);
      // Alone of these, a dot segment changes nothing either.
      if (is) expect(rest).toMatch(/^([?#].*)?$|^\/(\.|%2e)/is);
    }),
  );
});

test('case 36: another host never matches', () => {
  const address = (url: string) => {
    try {
      return new URL(url).hostname;
    } catch {
      return '';
    }
  };
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9.@:_-]{1,24}$/), (host) => {
      for (const url of [
        `http://${host}:4/cb`,
        `http://${host}/cb`,
        `http://127.0.0.1${host}:4/cb`,
      ]) {
        const is = isRedirect(url, 'http://127.0.0.1:4/cb');
        if (is) expect([address(url), url.includes('@')]).toEqual(['127.0.0.1', false]);
      }
    }),
  );
});

test.each([
  ['com.acme.cad://cb --load=evil.so'],
  ['com.acme.cad://cb com.acme.cad://cb?code=1'],
  ['"com.acme.cad://cb?code=1"'],
  ['--url=com.acme.cad://cb?code=1'],
  ['com.acme.cad:cb?code=1'],
  ['COM.ACME.CAD2://cb?code=1'],
])('case 95: %j, handed over by the system, is not one URL of ours', (argument) => {
  expect(isRedirect(argument, 'com.acme.cad://cb')).toBe(false);
});

test.each([
  ['https://as.example/authorize?x', true],
  ['http://127.0.0.1:1234/', true],
  ['http://localhost/', true],
  ['http://[::1]:1/', true],
  ['http://as.example/', false],
  ['http://127.0.0.1.evil.example/', false],
  ['https://user:pw@as.example/', false],
  ['file:///etc/passwd', false],
  ['smb://server/share', false],
  ['data:text/html,x', false],
  ['javascript:alert(1)', false],
  ['blob:https://as.example/1', false],
  ['ms-settings:', false],
])('case 92: a user is sent to %s: %s', (url, expected) => {
  expect(isPresentable(url)).toBe(expected);
});
