import { checkRule, readRedirectUri } from '../../../adapters/browser/redirect-place.js';
import type { RedirectRule } from '../../../src/ports/index.js';

const ANY: RedirectRule = { loopback: 'localhost', path: '', ports: 'any' };
const SOME: RedirectRule = { loopback: '127.0.0.1', path: '/cb', ports: [8000, 8001] };
const LIST: RedirectRule = ['https://app.example/cb', 'https://app.example/cb?app=1'];

// prettier-ignore
test.each<[string, RedirectRule]>([
  ['http://localhost:3000',        ANY],
  ['http://localhost',             ANY],
  ['http://127.0.0.1:8001/cb',     SOME],
  ['http://localhost/',            { loopback: 'localhost', path: '/', ports: [80] }],
  ['https://app.example/cb',       LIST],
  ['https://app.example/cb?app=1', LIST],
])('%s is where the server sends to', (redirectUri, rule) => {
  expect(() => checkRule(redirectUri, rule)).not.toThrow();
});

// prettier-ignore
test.each<[string, RedirectRule, string]>([
  ['http://localhost:3000/',          ANY,  'http://localhost:<any port>'],
  ['http://127.0.0.1:3000',           ANY,  'http://localhost:<any port>'],
  ['https://localhost:3000',          ANY,  'http://localhost:<any port>'],
  ['http://localhost:3000/x',         ANY,  'http://localhost:<any port>'],
  ['http://localhost.evil.example',   ANY,  'http://localhost:<any port>'],
  ['http://user@localhost:3000',      ANY,  'http://localhost:<any port>'],
  ['http://127.0.0.1:8002/cb',        SOME, 'http://127.0.0.1:8000 or 8001/cb'],
  ['http://127.0.0.1:8001/cb?x',      SOME, 'http://127.0.0.1:8000 or 8001/cb'],
  ['http://127.0.0.1/cb',             SOME, 'http://127.0.0.1:8000 or 8001/cb'],
  ['https://app.example/cb/',         LIST, 'provider'],
  ['https://app.example/CB',          LIST, 'provider'],
])('%s is not, and the error says what is', (redirectUri, rule, told) => {
  expect(() => checkRule(redirectUri, rule)).toThrow(
    expect.objectContaining({
      code: 'configuration_error',
      details: { problem: expect.stringContaining(told) },
    }),
  );
});

test.each(['/callback', '', 'app:/callback', 'https://a@app.example/', 'https://app.example/#x'])(
  'the redirect URI %p is a configuration_error',
  (redirectUri) => {
    expect(() => readRedirectUri(redirectUri)).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  },
);
