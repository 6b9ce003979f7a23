// The function that the sample's program lends, against what the guide of bare engines says of it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(__dirname, '../..');

type HostFunction = (method: string, paramsJson: string) => string | Promise<string>;

async function lend(openBrowser: (url: string) => unknown = () => {}): Promise<HostFunction> {
  const file = pathToFileURL(join(root, 'samples/quickjs-add-in/host.mjs')).href;
  const { createHostFunction } = (await import(file)) as {
    createHostFunction(lent: { openBrowser: typeof openBrowser }): { call: HostFunction };
  };
  return createHostFunction({ openBrowser }).call;
}

const ask = async (call: HostFunction, method: string, params: object = {}) =>
  JSON.parse(await call(method, JSON.stringify(params)));

test('has every method of the guide; of the rest it says unsupported', async () => {
  const guide = readFileSync(join(root, 'adapters/engine/README.md'), 'utf8');
  const sample = readFileSync(join(root, 'samples/quickjs-add-in/host.mjs'), 'utf8');
  const methods = [...guide.matchAll(/^\| `([a-z.]+)` +\|/gm)].map(([, method]) => method ?? '');
  // Its bodies come whole.
  const missing = methods.filter((method) => !new RegExp(`\\b'?${method}'?[:(]`).test(sample));
  expect(missing).toEqual(['http.read']);
  const call = await lend();
  expect(await ask(call, 'http.read')).toEqual({ error: { code: 'unsupported' } });
});

test('answers at once where the engine cannot wait', async () => {
  const call = await lend();
  for (const method of ['random', 'clock.monotonic']) {
    expect(typeof call(method, '{"length":16}')).toBe('string');
  }
});

test('takes each redirect as it came, and frees the port', async () => {
  const call = await lend();
  const redirect = { loopback: '127.0.0.1', path: '/callback', ports: 'any' };
  const { result } = await ask(call, 'browser.reserve', { id: 1, redirect });
  const { redirectUri } = result as { redirectUri: string };
  const first = `${redirectUri}?code=a%2Fb+c&state=%7Es1`;
  expect((await fetch(first)).status).toBe(200);
  expect((await fetch(redirectUri.replace('callback', 'favicon.ico'))).status).toBe(404);
  expect(await ask(call, 'browser.redirect', { id: 2, visit: 1 })).toEqual({ result: first });
  const next = ask(call, 'browser.redirect', { id: 3, visit: 1 });
  await fetch(redirectUri);
  expect(await next).toEqual({ result: redirectUri });

  const ports = [Number(new URL(redirectUri).port)];
  const taken = await ask(call, 'browser.reserve', { id: 4, redirect: { ...redirect, ports } });
  expect(taken).toEqual({ error: { code: 'port_in_use' } });
  await ask(call, 'browser.release', { id: 1 });
  await expect(fetch(redirectUri)).rejects.toThrow();
});
