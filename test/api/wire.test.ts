import { toWire } from '../../src/api/wire.js';

const base = new URL('https://api.example/v1');
const failing = (code: string) => expect.objectContaining({ name: 'MortiseError', code });
const circular: { self?: unknown } = {};
circular.self = circular;

test.each([
  ['that goes round in a circle', circular],
  ['with a number beyond JSON', { size: 1n }],
])('json %s is a configuration_error before anything is sent', (_, json) => {
  expect(() => toWire(base, { method: 'POST', path: 'x', json })).toThrow(
    failing('configuration_error') as never,
  );
});

test('names of headers are sent in lower case, and json says what it is', () => {
  const { headers, body } = toWire(base, {
    method: 'post',
    path: 'x',
    json: { a: 1 },
    headers: { 'X-Company': '7', 'Content-Type': 'application/vnd.api+json' },
  });
  expect(headers).toEqual({ 'x-company': '7', 'content-type': 'application/vnd.api+json' });
  expect(body).toBe('{"a":1}');
});

test.each<[string, object]>([
  ['a line break in a header', { headers: { a: 'b\r\nc' } }],
  ['a blank in a header’s name', { headers: { 'a b': 'c' } }],
  ['a header beyond Latin', { headers: { a: '€' } }],
  ['a method that is none', { method: 'G ET' }],
  ['a method that fetch forbids', { method: 'TRACE' }],
  ['no path', { path: undefined }],
])('%s is a configuration_error before anything is sent', (_, wrong) => {
  expect(() => toWire(base, { path: 'x', ...wrong })).toThrow(
    failing('configuration_error') as never,
  );
});

test('a body of null is none', () => {
  expect(toWire(base, { path: 'x', body: null as never }).body).toBeUndefined();
});

test('a progress listener that throws disturbs nobody', () => {
  const onProgress = () => {
    throw new Error('mine');
  };
  expect(toWire(base, { method: 'PUT', path: 'x', body: 'abc', onProgress }).body).toBe('abc');
});

test.each(['..%2fadmin', 'a/..%5c..%5cadmin', '%2e%2e%2fadmin', 'a%2F..'])(
  'case 154: %s is refused, for a server that decodes once would climb',
  (path) => {
    expect(() => toWire(base, { path })).toThrow(failing('api_url_untrusted') as never);
  },
);

test.each(['Floor...%2F1', 'a..%2Fb', 'a%2F..b', 'a/..hidden', 'a?next=%2F..'])(
  '%s is no way up',
  (path) => {
    expect(toWire(base, { path }).url).toContain('https://api.example/v1/');
  },
);
