import { toApiResponse } from '../../src/api/response.js';
import { statusError } from '../../src/api/status-error.js';

const failing = (code: string, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });

test('a body is read once, and says so', async () => {
  const answer = { status: 200, headers: new Map(), bytes: async () => new Uint8Array([123, 125]) };
  const response = toApiResponse(answer as never, { path: 'x' });
  await expect(response.text()).resolves.toBe('{}');
  await expect(response.json()).rejects.toEqual(failing('configuration_error'));
});

test.each([429, 500, 502, 503, 504])('case 115: %d with Retry-After says how long', (status) => {
  const headers = new Map([['retry-after', '100']]);
  const error = statusError({ status, headers }, 0, 'token', () => undefined);
  expect(error).toEqual(failing('rate_limited', { status, retryAfterMs: 100_000 }));
});
