import { createServer, request as httpRequest } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { createSandbox, sandboxEnvironment, type FaultSwitch, type Sandbox } from 'mortise/sandbox';
import { serveSandbox, type ServedSandbox } from '../../../adapters/node/serve-sandbox.js';

const open: ServedSandbox[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((served) => served.close()));
});

async function serve(sandbox: Sandbox, options = {}): Promise<ServedSandbox> {
  const served = await serveSandbox(sandbox, options);
  open.push(served);
  return served;
}

const serveFaulty = (...faults: FaultSwitch[]) =>
  serve(createSandbox({ provider: 'prevu3d', faults }));

const post = (url: string, signal?: AbortSignal) =>
  fetch(url, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    headers: { authorization: `Basic ${btoa('your-client-id:your-client-secret')}` },
    redirect: 'manual',
    ...(signal && { signal }),
  });

const isListening = (port: number, host: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

test('serves a whole service sign-in at one origin', async () => {
  const { url } = await serve(createSandbox({ provider: 'prevu3d' }));
  expect(url).toMatch(/^http:\/\/localhost:\d+$/);
  const { tokenEndpoint, apiInfoEndpoint, apiHosts } = sandboxEnvironment('prevu3d', url);
  const { accessToken } = (await (await post(tokenEndpoint)).json()) as { accessToken: string };
  const headers = { authorization: `Bearer ${accessToken}` };
  const info = (await (await fetch(apiInfoEndpoint, { headers })).json()) as {
    apiUrl: string;
    organization: { id: string };
  };
  expect(info.apiUrl).toBe(`${url}/realityconnect-api`);
  expect(apiHosts).toContain(new URL(info.apiUrl).hostname);
  const nodes = await fetch(`${info.apiUrl}/v1/nodes/${info.organization.id}/browse`, { headers });
  expect(await nodes.json()).toHaveLength(3);
});

test('gives the sandbox’s headers and status', async () => {
  const { url } = await serve(createSandbox({ provider: 'prevu3d' }));
  const page = await fetch(`${url}/oauth`);
  expect(page.status).toBe(400);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  const answer = await fetch(`${url}/oauth/api-info`);
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
});

test('hostname chooses the spelling', async () => {
  const { url } = await serve(createSandbox({ provider: 'oauth' }), { hostname: '127.0.0.1' });
  const metadata = await fetch(`${url}/.well-known/openid-configuration`);
  expect(await metadata.json()).toMatchObject({ issuer: url });
});

test('listens on loopback only', async () => {
  const { url } = await serve(createSandbox({ provider: 'oauth' }));
  const port = Number(new URL(url).port);
  const outer = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4');
  expect(await isListening(port, '127.0.0.1')).toBe(true);
  for (const { address } of outer) expect(await isListening(port, address)).toBe(false);
});

test('refuses a name that merely points here', async () => {
  const { url } = await serve(createSandbox({ provider: 'oauth' }));
  const status = await new Promise((resolve, reject) => {
    const headers = { host: 'rebound.example' };
    httpRequest(`${url}/api/me`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(421);
});

test('a rejecting sandbox is a connection reset', async () => {
  const { url } = await serveFaulty('token-reset');
  await expect(post(`${url}/oauth/token`)).rejects.toMatchObject({
    cause: { code: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/) },
  });
});

test('a body that breaks off breaks off', async () => {
  const { url } = await serveFaulty('token-broken-off');
  const answer = await post(`${url}/oauth/token`);
  expect(answer.status).toBe(200);
  await expect(answer.text()).rejects.toThrow();
});

test('an endless body stops when the client leaves', async () => {
  let stopped = () => {};
  const done = new Promise<void>((resolve) => (stopped = resolve));
  async function* endless() {
    try {
      for (;;) yield new Uint8Array(65_536);
    } finally {
      stopped();
    }
  }
  const { url } = await serve(async () => ({ status: 200, headers: new Map(), body: endless() }));
  const leave = new AbortController();
  const answer = await fetch(url, { signal: leave.signal });
  await answer.body?.getReader().read();
  leave.abort();
  await done;
});

test('a client that leaves aborts the request', async () => {
  const seen = new Promise<AbortSignal>((resolve) => {
    void serve(async ({ signal }) => {
      resolve(signal);
      return new Promise(() => {});
    }).then(({ url }) => {
      const leave = new AbortController();
      fetch(url, { signal: leave.signal }).catch(() => {});
      void seen.then(() => leave.abort());
    });
  });
  const signal = await seen;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
});

test('close frees everything at once, also while a request hangs; twice is fine', async () => {
  const served = await serveFaulty('token-hang');
  const pending = post(`${served.url}/oauth/token`).catch((error: Error) => error);
  await new Promise((done) => setTimeout(done, 50));
  const before = performance.now();
  await served.close();
  await served.close();
  expect(performance.now() - before).toBeLessThan(500);
  expect(await pending).toMatchObject({ name: 'TypeError' });
  expect(await isListening(Number(new URL(served.url).port), '127.0.0.1')).toBe(false);
});

test('a port that is taken is an error, and nothing stays bound', async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const { port } = other.address() as AddressInfo;
  const sandbox = createSandbox({ provider: 'oauth' });
  await expect(serveSandbox(sandbox, { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(await isListening(port, '::1')).toBe(false);
  await new Promise((done) => other.close(done));
});
