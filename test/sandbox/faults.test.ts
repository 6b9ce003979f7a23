import { createSandbox, FAULTS, type FaultName, type FaultSwitch } from 'mortise/sandbox';
import { APS_ROWS } from './aps-rows.js';
import { DEVICE_ROWS } from './device-rows.js';
import { OPENCDE_ROWS } from './opencde-rows.js';
import { API_INFO, BROWSE, createClient, OAUTH, PREVU3D, VERIFIER } from './sandbox-client.js';
import { SPECKLE_ROWS } from './speckle-rows.js';

type Client = ReturnType<typeof createClient>;

function start(provider: 'prevu3d' | 'oauth', ...faults: FaultSwitch[]): Client {
  const at = provider === 'oauth' ? OAUTH : PREVU3D;
  return createClient(createSandbox({ provider, faults }), at);
}

const METADATA = 'https://login.example/.well-known/openid-configuration';
const parametersOf = (redirect: string) => [...new URL(redirect).searchParams];

/** The raw token answer of a fresh sign-in, whatever it is. */
const tokens = async (client: Client) => client.exchange(await client.code());

/** An API answer with a token that is good: the API's faults do not touch the sign-in. */
async function browse(client: Client) {
  return client.get(BROWSE, (await client.signIn()).access_token);
}
const info = async (client: Client) => client.get(API_INFO, (await client.signIn()).access_token);

async function refreshTwice(client: Client) {
  const { refresh_token } = await client.signIn();
  const first = await client.refresh(refresh_token);
  return [refresh_token, first, await client.refresh(refresh_token)] as const;
}

async function stopsWhenAborted(send: (signal: AbortSignal) => Promise<unknown>) {
  const giveUp = new AbortController();
  const settled = jest.fn();
  const sent = send(giveUp.signal).finally(settled);
  await new Promise((done) => setTimeout(done, 20));
  expect(settled).not.toHaveBeenCalled();
  giveUp.abort();
  await expect(sent).rejects.toThrow('aborted');
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const REPLACED = ['token-204', 'token-400-empty', 'token-502-html', 'token-200-html'] as const;

/** What each fault looks like to a client. */
const ROWS: Readonly<Record<FaultName, () => Promise<void>>> = {
  async 'metadata-issuer-mismatch'() {
    const { json } = await start('oauth', 'metadata-issuer-mismatch').get(METADATA);
    expect(json.issuer).toBe('https://other.example');
  },
  async 'metadata-plain-only'() {
    const { json } = await start('oauth', 'metadata-plain-only').get(METADATA);
    expect(json.code_challenge_methods_supported).toEqual(['plain']);
  },
  async 'metadata-foreign-endpoints'() {
    const { json } = await start('oauth', 'metadata-foreign-endpoints').get(METADATA);
    expect(json.token_endpoint).toBe('https://collector.example/token');
    expect(json.issuer).toBe('https://login.example');
  },
  async 'metadata-http-endpoints'() {
    const { json } = await start('oauth', 'metadata-http-endpoints').get(METADATA);
    expect(json.token_endpoint).toMatch(/^http:/);
  },
  async 'metadata-404-once'() {
    const client = start('oauth', 'metadata-404-once');
    expect((await client.get(METADATA)).status).toBe(404);
    expect((await client.get(METADATA)).status).toBe(200);
  },
  async 'metadata-500'() {
    expect((await start('oauth', 'metadata-500').get(METADATA)).status).toBe(500);
  },
  async 'metadata-html'() {
    const answer = await start('oauth', 'metadata-html').get(METADATA);
    expect([answer.status, answer.header('content-type')]).toEqual([200, HTML]);
  },

  async 'redirect-wrong-state-first'() {
    const client = start('prevu3d', 'redirect-wrong-state-first');
    const states = [await client.consent(), await client.consent()].map(
      (redirect) => new URL(redirect).searchParams.get('state') === 'state-1',
    );
    expect(states).toEqual([false, true]);
  },
  async 'redirect-state-missing'() {
    const redirect = await start('prevu3d', 'redirect-state-missing').consent();
    expect(parametersOf(redirect).map(([name]) => name)).toEqual(['code']);
  },
  async 'redirect-code-twice'() {
    const redirect = await start('prevu3d', 'redirect-code-twice').consent();
    expect(parametersOf(redirect).map(([name]) => name)).toEqual(['code', 'state', 'code']);
  },
  async 'redirect-code-and-error'() {
    const redirect = await start('prevu3d', 'redirect-code-and-error').consent();
    expect(parametersOf(redirect).map(([name]) => name)).toEqual(['code', 'state', 'error']);
  },
  async 'redirect-temporarily-unavailable'() {
    const redirect = await start('oauth', 'redirect-temporarily-unavailable').consent();
    expect(Object.fromEntries(parametersOf(redirect))).toEqual({
      error: 'temporarily_unavailable',
      state: 'state-1',
      iss: 'https://login.example',
    });
  },
  async 'denial-with-state'() {
    const client = start('prevu3d', 'denial-with-state');
    const redirect = await client.consent({ decision: 'deny' });
    expect(redirect).toBe('http://localhost:8765/?error=access_denied&state=state-1');
  },
  async 'denial-without-state'() {
    const client = start('oauth', 'denial-without-state');
    const redirect = await client.consent({ decision: 'deny' });
    expect(parametersOf(redirect).map(([name]) => name)).toEqual(['error', 'iss']);
    expect(parametersOf(await client.consent()).map(([name]) => name)).toContain('state');
  },
  async 'iss-wrong'() {
    const redirect = new URL(await start('oauth', 'iss-wrong').consent());
    expect(redirect.searchParams.getAll('iss')).toEqual(['https://other.example']);
  },
  async 'iss-missing'() {
    const redirect = new URL(await start('oauth', 'iss-missing').consent());
    expect([...redirect.searchParams.keys()]).toEqual(['code', 'state']);
  },

  async 'token-camel-case'() {
    const { json } = await tokens(start('oauth', 'token-camel-case'));
    expect(Object.keys(json).sort()).toEqual(
      ['accessToken', 'expiresIn', 'refreshToken', 'scope', 'token_type'].sort(),
    );
  },
  async 'token-both-spellings'() {
    for (const provider of ['prevu3d', 'oauth'] as const) {
      const { json } = await tokens(start(provider, 'token-both-spellings'));
      expect(json.access_token).not.toBe(json.accessToken);
      expect(json.expires_in).not.toBe(json.expiresIn);
    }
  },
  async 'token-has-error'() {
    const answer = await tokens(start('prevu3d', 'token-has-error'));
    expect([answer.status, answer.json.hasError]).toEqual([200, true]);
    expect(answer.json).toHaveProperty('access_token');
  },
  async 'token-error-200'() {
    const answer = await tokens(start('prevu3d', 'token-error-200'));
    expect([answer.status, answer.json.error]).toEqual([200, 'invalid_request']);
  },
  async 'token-no-access-token'() {
    const { json } = await tokens(start('prevu3d', 'token-no-access-token'));
    expect(Object.keys(json)).toEqual(['hasError', 'expires_in', 'refresh_token']);
  },
  async 'token-not-a-string'() {
    expect((await tokens(start('oauth', 'token-not-a-string'))).json.access_token).toBe(42);
  },
  async 'token-type-missing'() {
    const { json } = await tokens(start('oauth', 'token-type-missing'));
    expect(json).not.toHaveProperty('token_type');
  },
  async 'token-type-mac'() {
    expect((await tokens(start('oauth', 'token-type-mac'))).json.token_type).toBe('mac');
  },
  async 'token-scope-narrower'() {
    expect((await tokens(start('oauth', 'token-scope-narrower'))).json.scope).toBe('data:read');
  },
  async 'token-expires-negative'() {
    const { json } = await tokens(start('prevu3d', 'token-expires-negative'));
    expect(json.expires_in).toBe(-1_752_054_750);
  },
  async 'token-expires-string'() {
    const { json } = await tokens(start('prevu3d', 'token-expires-string'));
    expect(json.expires_in).toBe('3600');
  },
  async 'token-expires-zero'() {
    expect((await tokens(start('oauth', 'token-expires-zero'))).json.expires_in).toBe(0);
  },
  async 'token-expires-absent'() {
    const { json } = await tokens(start('oauth', 'token-expires-absent'));
    expect(json).not.toHaveProperty('expires_in');
  },
  async 'token-short-lived'() {
    let now = 0;
    const faults = ['token-short-lived'] as const;
    const sandbox = createSandbox({ provider: 'prevu3d', faults, nowMs: () => now });
    const client = createClient(sandbox, PREVU3D);
    const { access_token, refresh_token, expires_in } = await client.signIn();
    now = 5_000;
    expect([expires_in, (await client.get(API_INFO, access_token)).status]).toEqual([5, 401]);
    expect((await client.refresh(refresh_token)).status).toBe(200);
  },
  async 'token-status-201'() {
    const answer = await tokens(start('prevu3d', 'token-status-201'));
    expect([answer.status, typeof answer.json.access_token]).toEqual([201, 'string']);
  },
  async 'token-truncated'() {
    const answer = await tokens(start('prevu3d', 'token-truncated'));
    expect(answer.status).toBe(200);
    expect(() => answer.json).toThrow(SyntaxError);
  },
  async 'token-endless'() {
    const sandbox = createSandbox({ provider: 'prevu3d', faults: ['token-endless'] });
    const code = await createClient(sandbox, PREVU3D).code();
    const body = new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'plug-in',
      code,
      redirect_uri: PREVU3D.redirectUri,
      code_verifier: VERIFIER,
    }).toString();
    const { signal } = new AbortController();
    const request = { method: 'POST', url: PREVU3D.token, headers: FORM, body, signal };
    let bytes = 0;
    for await (const chunk of (await sandbox(request)).body) {
      bytes += chunk.length;
      if (bytes > 10_000_000) break;
    }
    expect(bytes).toBeGreaterThan(10_000_000);
  },
  async 'token-broken-off'() {
    await expect(tokens(start('prevu3d', 'token-broken-off'))).rejects.toThrow('reset');
  },
  async 'token-answer-lost'() {
    const sandbox = createSandbox({ provider: 'prevu3d', faults: ['token-answer-lost@refresh'] });
    const client = createClient(sandbox, PREVU3D);
    const { refresh_token } = await client.signIn();
    await expect(client.refresh(refresh_token)).rejects.toThrow('reset');
    expect((await client.refresh(refresh_token)).json.error).toBe('invalid_grant');
  },
  async 'token-204'() {
    const answer = await tokens(start('prevu3d', 'token-204'));
    expect([answer.status, answer.text]).toEqual([204, '']);
  },
  async 'token-400-empty'() {
    const answer = await tokens(start('prevu3d', 'token-400-empty'));
    expect([answer.status, answer.text]).toEqual([400, '']);
  },
  async 'token-invalid-client'() {
    const answer = await tokens(start('prevu3d', 'token-invalid-client'));
    expect([answer.status, answer.json.error]).toEqual([401, 'invalid_client']);
  },
  async 'token-502-html'() {
    const answer = await tokens(start('prevu3d', 'token-502-html'));
    expect([answer.status, answer.header('content-type')]).toEqual([502, HTML]);
  },
  async 'token-200-html'() {
    const answer = await tokens(start('prevu3d', 'token-200-html'));
    expect([answer.status, answer.header('content-type')]).toEqual([200, HTML]);
  },
  async 'token-503-retry-after'() {
    const answer = await tokens(start('prevu3d', 'token-503-retry-after'));
    expect([answer.status, answer.header('retry-after')]).toEqual([503, '1']);
  },
  async 'token-reset'() {
    const client = start('prevu3d', 'token-reset');
    await expect(tokens(client)).rejects.toThrow('reset');
  },
  async 'token-hang'() {
    const client = start('prevu3d', 'token-hang');
    await stopsWhenAborted((signal) =>
      client.send('POST', PREVU3D.token, FORM, 'grant_type=refresh_token', signal),
    );
  },
  async 'token-redirect'() {
    const answer = await tokens(start('prevu3d', 'token-redirect'));
    expect([answer.status, answer.header('location')]).toEqual([
      307,
      'https://collector.example/token',
    ]);
  },
  async 'exchange-invalid-grant'() {
    const answer = await tokens(start('prevu3d', 'exchange-invalid-grant'));
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_grant']);
  },
  async 'refresh-invalid-grant'() {
    const client = start('prevu3d', 'refresh-invalid-grant');
    const answer = await client.refresh((await client.signIn()).refresh_token);
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_grant']);
  },
  async 'refresh-no-new-token'() {
    const [, first, second] = await refreshTwice(start('prevu3d', 'refresh-no-new-token'));
    expect(first.json).not.toHaveProperty('refresh_token');
    expect(second.status).toBe(200);
  },
  async 'refresh-not-rotated'() {
    const [token, first, second] = await refreshTwice(start('prevu3d', 'refresh-not-rotated'));
    expect(first.json.refresh_token).toBe(token);
    expect(second.json.access_token).not.toBe(first.json.access_token);
  },

  async 'api-url-foreign'() {
    const { json } = await info(start('prevu3d', 'api-url-foreign'));
    expect(new URL(json.apiUrl).hostname).toBe('api-ue1.prevu3d.com.evil.example');
  },
  async 'api-url-http'() {
    const { json } = await info(start('prevu3d', 'api-url-http'));
    expect(json.apiUrl).toMatch(/^http:\/\/api-ue1\.prevu3d\.com\//);
  },
  async 'api-url-missing'() {
    expect((await info(start('prevu3d', 'api-url-missing'))).json).not.toHaveProperty('apiUrl');
  },
  async 'api-info-500'() {
    expect((await info(start('prevu3d', 'api-info-500'))).status).toBe(500);
  },
  async 'api-401'() {
    const client = start('prevu3d', 'api-401');
    expect([(await browse(client)).status, (await browse(client)).status]).toEqual([401, 401]);
    expect((await info(client)).status).toBe(200);
  },
  async 'api-401-once'() {
    const client = start('prevu3d', 'api-401-once');
    expect([(await browse(client)).status, (await browse(client)).status]).toEqual([401, 200]);
  },
  async 'api-403'() {
    expect((await browse(start('prevu3d', 'api-403'))).status).toBe(403);
  },
  async 'api-429-once'() {
    const client = start('prevu3d', 'api-429-once');
    const first = await browse(client);
    expect([first.status, first.header('retry-after')]).toEqual([429, '1']);
    expect((await browse(client)).status).toBe(200);
  },
  async 'api-503-once'() {
    const client = start('prevu3d', 'api-503-once');
    expect([(await browse(client)).status, (await browse(client)).status]).toEqual([503, 200]);
  },
  async 'api-200-html'() {
    const answer = await browse(start('prevu3d', 'api-200-html'));
    expect([answer.status, answer.header('content-type')]).toEqual([200, HTML]);
  },
  async 'api-redirect'() {
    const answer = await browse(start('prevu3d', 'api-redirect'));
    expect([answer.status, answer.header('location')]).toEqual([302, 'https://collector.example/']);
  },
  async 'api-reset'() {
    const client = start('prevu3d', 'api-reset');
    await expect(browse(client)).rejects.toThrow('reset');
  },
  async 'api-hang'() {
    const client = start('prevu3d', 'api-hang');
    await stopsWhenAborted((signal) => client.send('GET', BROWSE, {}, undefined, signal));
  },
  async 'browse-object'() {
    const { json } = await browse(start('prevu3d', 'browse-object'));
    expect(Object.values(json).filter(Array.isArray)).toHaveLength(1);
  },
  async 'browse-unreadable'() {
    const { json } = await browse(start('prevu3d', 'browse-unreadable'));
    expect(Object.values(json).filter(Array.isArray)).toHaveLength(2);
  },
  async 'browse-without-ids'() {
    const { json } = await browse(start('prevu3d', 'browse-without-ids'));
    expect(json.length).toBeGreaterThan(0);
    for (const node of json) expect(node).not.toHaveProperty('id');
  },

  ...DEVICE_ROWS,
  ...OPENCDE_ROWS,
  ...SPECKLE_ROWS,
  ...APS_ROWS,
};

const HTML = 'text/html; charset=utf-8';

describe('faults', () => {
  test.each(Object.entries(ROWS))('%s', (_, row) => row());

  test.each(Object.entries(FAULTS))('%s is described in one sentence', (_, { does }) => {
    expect(does).toMatch(/^[^\n]{10,120}\.$/);
  });
});

test.each(REPLACED)('%s@refresh leaves the sign-in alone', async (name) => {
  const client = start('prevu3d', `${name}@refresh`);
  const { access_token, refresh_token } = await client.signIn();
  expect(access_token).toMatch(/^sandbox\./);
  expect((await client.refresh(refresh_token)).text).not.toContain('access_token');
});

test('several faults add up', async () => {
  const client = start('oauth', 'token-type-missing', 'token-expires-string', 'token-status-201');
  const { status, json } = await tokens(client);
  expect([status, json.expires_in, 'token_type' in json]).toEqual([201, '3600', false]);
});

test('a fault leaves a refusal as it is', async () => {
  const answer = await start('oauth', 'token-status-201').exchange('unknown');
  expect([answer.status, answer.json.error]).toEqual([400, 'invalid_grant']);
});

test('once is once, also when two faults wait for the same place', async () => {
  const client = start('prevu3d', 'api-503-once', 'api-429-once');
  const statuses = [];
  for (let round = 0; round < 3; round += 1) statuses.push((await browse(client)).status);
  expect(statuses).toEqual([503, 429, 200]);
});

test('a place that does not exist is a mistake', () => {
  const faults = ['token-502-html@nowhere'] as never[];
  expect(() => createSandbox({ provider: 'oauth', faults })).toThrow(/no such place: nowhere/);
  const unknown = ['no-such-fault'] as never[];
  expect(() => createSandbox({ provider: 'oauth', faults: unknown })).toThrow(/no-such-fault/);
});

test.each(['prevu3d', 'speckle', 'aps', 'opencde', 'oauth'] as const)(
  '%s answers where there is no AbortSignal',
  async (provider) => {
    const request = { method: 'GET', url: 'http://localhost/nowhere', headers: {} };
    expect((await createSandbox({ provider })(request as never)).status).toBe(404);
  },
);
