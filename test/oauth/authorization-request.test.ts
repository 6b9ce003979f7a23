import fc from 'fast-check';
import { buildAuthorizationUrl } from '../../src/oauth/authorization-request.js';
import type { Provider } from '../../src/oauth/provider.js';
import { AUTHORIZE, nativePrevu3d, ours, standard } from './some-provider.js';
import { anyCharacter } from '../support/any-character.js';

const request = {
  redirectUri: 'http://localhost:8765',
  state: 'the-state',
  codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  nonce: 'the-nonce',
};
const serverAt = (authorizationEndpoint: string) => ({
  authorizationEndpoint,
  tokenEndpoint: 'https://as.example/token',
});
const build = (provider: Provider, endpoint = AUTHORIZE) =>
  buildAuthorizationUrl(provider, serverAt(endpoint), request);
const queryOf = (url: string) => url.slice(url.indexOf('?') + 1).split('&');

test('asks Prevu3D with repeated scopes and a redirect without a slash', () => {
  const url = build(nativePrevu3d, 'https://cloud.prevu3d.com/oauth');
  expect(url.split('?')[0]).toBe('https://cloud.prevu3d.com/oauth');
  expect(queryOf(url)).toEqual([
    'response_type=code',
    'client_id=native-app',
    'redirect_uri=http%3A%2F%2Flocalhost%3A8765',
    'scopes=read%3Abasic',
    'scopes=read%3Ahierarchy',
    'code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    'code_challenge_method=S256',
    'state=the-state',
  ]);
});

test('asks a standard server as RFC 6749 and RFC 7636 say, with %20 between scopes', () => {
  expect(queryOf(build(standard()))).toEqual([
    'response_type=code',
    'client_id=plug-in',
    'redirect_uri=http%3A%2F%2Flocalhost%3A8765',
    'scope=openid%20data%3Aread',
    'code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    'code_challenge_method=S256',
    'state=the-state',
    'nonce=the-nonce',
  ]);
});

test('a nonce goes only where OpenID is asked for', () => {
  expect(build(standard({ scopes: ['data:read'] }))).not.toContain('nonce');
});

test('without scopes the parameter is left out', () => {
  expect(build(standard({ scopes: [] }))).not.toContain('scope');
  expect(build({ ...nativePrevu3d, scopes: [] })).not.toContain('scope');
});

test('RFC 6749 section 3.1: a query of the endpoint is kept, before ours', () => {
  const url = build(standard(), `${AUTHORIZE}?tenant=a%2Bb&tenant=c+d&empty=`);
  expect(queryOf(url).slice(0, 4)).toEqual([
    'tenant=a%2Bb',
    'tenant=c%20d',
    'empty=',
    'response_type=code',
  ]);
});

test('further parameters are added, encoded', () => {
  const authorizationParameters = { prompt: 'select account', 'ui&locales': 'de#1' };
  const query = queryOf(build(standard({ authorizationParameters })));
  expect(query.slice(-2)).toEqual(['prompt=select%20account', 'ui%26locales=de%231']);
});

// prettier-ignore
const RESERVED = ['response_type', 'client_id', 'redirect_uri', 'scope', 'code_challenge',
  'code_challenge_method', 'state'];

test.each(RESERVED)('case 7: %s cannot be set by a further parameter', (name) => {
  const provider = standard({ authorizationParameters: { [name]: 'mine' } });
  expect(() => build(provider)).toThrow(ours('configuration_error'));
});

test.each(RESERVED)('case 7: %s cannot be set by the endpoint’s query', (name) => {
  expect(() => build(standard(), `${AUTHORIZE}?${name}=mine`)).toThrow(ours('configuration_error'));
});

test('case 7: scopes cannot be set by a further parameter where the dialect uses it', () => {
  const provider = { ...nativePrevu3d, authorizationParameters: { scopes: 'everything' } };
  expect(() => build(provider)).toThrow(ours('configuration_error'));
});

test('case 10: only a code is ever asked for', () => {
  for (const provider of [standard(), nativePrevu3d]) {
    expect(new URL(build(provider)).searchParams.getAll('response_type')).toEqual(['code']);
  }
});

describe('case 8: whatever is in it arrives as it was', () => {
  const text = fc.string({ unit: anyCharacter });
  const odd = fc.constantFrom(
    '&',
    '#',
    '=',
    '+',
    '%',
    '%20',
    'a b',
    'ü',
    '😀',
    '"',
    "'",
    '\\',
    '?',
  );
  const scopes = fc.array(fc.oneof(text, odd), { minLength: 1, maxLength: 5 });

  test('repeated scopes, one by one', () => {
    fc.assert(
      fc.property(scopes, (asked) => {
        const url = new URL(build({ ...nativePrevu3d, scopes: asked }));
        expect(url.searchParams.getAll('scopes')).toEqual(asked);
        expect(url.hash).toBe('');
      }),
    );
  });

  test('one scope parameter, joined by spaces', () => {
    fc.assert(
      fc.property(scopes, (asked) => {
        const url = new URL(build(standard({ scopes: asked })));
        expect(url.searchParams.getAll('scope')).toEqual([asked.join(' ')]);
        expect(url.search).not.toContain('+');
      }),
    );
  });

  test('client id, redirect, state and further parameters', () => {
    fc.assert(
      fc.property(text, text, text, text, (clientId, redirectUri, state, prompt) => {
        const provider = standard({ clientId, authorizationParameters: { prompt } });
        const url = buildAuthorizationUrl(provider, serverAt(AUTHORIZE), {
          ...request,
          redirectUri,
          state,
        });
        expect([...new URL(url).searchParams]).toEqual([
          ['response_type', 'code'],
          ['client_id', clientId],
          ['redirect_uri', redirectUri],
          ['scope', 'openid data:read'],
          ['code_challenge', request.codeChallenge],
          ['code_challenge_method', 'S256'],
          ['state', state],
          ['nonce', 'the-nonce'],
          ['prompt', prompt],
        ]);
      }),
    );
  });
});

test('case 12: what could be more than one shell word is percent-encoded', () => {
  const authorizationParameters = { prompt: '$(id) `id` "x" \'x\' ; | > \n -flag' };
  expect(build(standard({ authorizationParameters }))).toMatch(/^https:\/\/[\w.~%&=?/*-]+$/);
});
