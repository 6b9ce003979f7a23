import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Provider, ServerMetadata } from '../../src/oauth/provider.js';
import { buildTokenRequest } from '../../src/oauth/token-request.js';
import { nativePrevu3d, standard, TOKEN_URL } from './some-provider.js';
import { anyCharacter } from '../support/any-character.js';

const server: ServerMetadata = {
  authorizationEndpoint: 'https://as.example/a',
  tokenEndpoint: TOKEN_URL,
};
const fields = {
  grant_type: 'authorization_code',
  code: '4/0a+b c',
  redirect_uri: 'http://localhost:1',
};

const build = (
  provider: Provider,
  clientAuthentication?: ServerMetadata['clientAuthentication'],
) => {
  const metadata = { ...server, ...(clientAuthentication && { clientAuthentication }) };
  const { method, url, headers, body } = buildTokenRequest(provider, metadata, TOKEN_URL, fields);
  return { method, url, headers, body: String(body) };
};
const basicOf = (headers: Readonly<Record<string, string>>) =>
  Buffer.from(String(headers['authorization']).replace(/^Basic /, ''), 'base64').toString();

const secret = 'the-secret';
const keeping = (clientSecret: string, changes: Partial<Provider> = {}) =>
  standard({ clientSecret: () => clientSecret, ...changes });

test('a public client is named in the body, and has no authorization header', () => {
  expect(build(nativePrevu3d)).toEqual({
    method: 'POST',
    url: TOKEN_URL,
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=authorization_code&code=4%2F0a%2Bb+c&redirect_uri=http%3A%2F%2Flocalhost%3A1&client_id=native-app',
  });
});

test.each([undefined, 'post'] as const)('a public client is the same with %s', (authentication) => {
  const { headers, body } = build(standard(), authentication);
  expect(headers).not.toHaveProperty('authorization');
  expect(new URLSearchParams(body).getAll('client_id')).toEqual(['plug-in']);
  expect(body).not.toContain('client_secret');
});

test.each([undefined, 'basic'] as const)(
  'a confidential client with %s: HTTP Basic, nothing of it in the body',
  (authentication) => {
    const { headers, body } = build(keeping(secret), authentication);
    expect(basicOf(headers)).toBe('plug-in:the-secret');
    expect([...new URLSearchParams(body).keys()]).toEqual(Object.keys(fields));
  },
);

test('a confidential client with post: in the body, no header', () => {
  const { headers, body } = build(keeping(secret), 'post');
  expect(headers).not.toHaveProperty('authorization');
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    ...fields,
    client_id: 'plug-in',
    client_secret: secret,
  });
});

describe('case 114: what an id or a secret is made of', () => {
  // prettier-ignore
  test.each([
    ['a colon',   'a:b',   'a%3Ab'],
    ['a percent', 'a%b',   'a%25b'],
    ['%3A',       'a%3Ab', 'a%253Ab'],
    ['a blank',   'a b',   'a+b'],
    ['a plus',    'a+b',   'a%2Bb'],
    ['a slash',   'a/b=',  'a%2Fb%3D'],
    ['unicode',   'ü€😀',  '%C3%BC%E2%82%AC%F0%9F%98%80'],
    ['kept ones', 'a-b.c_d*E9', 'a-b.c_d*E9'],
  ])('%s is form-encoded, then Base64', (_, text, encoded) => {
    const { headers } = build(keeping(text, { clientId: text }));
    expect(basicOf(headers)).toBe(`${encoded}:${encoded}`);
  });

  test('or taken as it is, in UTF-8, where the dialect says so', () => {
    const dialect = { basicCredentials: 'as they are' } as const;
    const { headers } = build(keeping('s:% ü', { clientId: 'id+/', dialect }));
    expect(basicOf(headers)).toBe('id+/:s:% ü');
  });

  test('any id and any secret come apart again', () => {
    const text = fc.string({ unit: anyCharacter });
    const decode = (part = '') => decodeURIComponent(part.replaceAll('+', ' '));
    fc.assert(
      fc.property(text, text, (id, password) => {
        const { headers } = build(keeping(password, { clientId: id }));
        expect(headers['authorization']).toMatch(/^Basic [A-Za-z0-9+/]+=*$/);
        const parts = basicOf(headers).split(':');
        expect(parts.map(decode)).toEqual([id, password]);
      }),
    );
  });

  test('an empty secret is a secret', () => {
    expect(basicOf(build(keeping('')).headers)).toBe('plug-in:');
  });
});

test('the printed Prevu3D service request, credentials included', () => {
  const printed = readFileSync('test/fixtures/prevu3d/service-token-request.txt', 'utf8');
  const { basicCredentials } = nativePrevu3d.dialect;
  const provider = keeping('your-client-secret', {
    clientId: 'your-client-id',
    dialect: { ...(basicCredentials && { basicCredentials }) },
  });
  const { headers, body } = buildTokenRequest(provider, server, TOKEN_URL, {
    grant_type: 'client_credentials',
  });
  expect(printed).toContain(`Authorization: ${headers['authorization']}`);
  expect(printed.trim().split('\n').at(-1)).toBe(body);
});

test('any field arrives as it was', () => {
  const text = fc.string({ unit: anyCharacter });
  fc.assert(
    fc.property(text, (code) => {
      const { body } = buildTokenRequest(standard(), server, TOKEN_URL, { code });
      expect(new URLSearchParams(String(body)).get('code')).toBe(code);
    }),
  );
});
