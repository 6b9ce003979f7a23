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
