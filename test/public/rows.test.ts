// Rows of the list of cases that only a whole session can show.
import { createSession, memoryStore, type KeyValueStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { prevu3d } from 'mortise/providers/prevu3d';
import { answerConsent, createSandbox } from 'mortise/sandbox';

const scopes = ['read:basic', 'read:hierarchy'];
const failing = (code: string) => expect.objectContaining({ name: 'MortiseError', code });

function open(options: { store?: KeyValueStore; nowMs?: () => number; late?: () => void } = {}) {
  const sandbox = createSandbox({ provider: 'prevu3d', nowMs: options.nowMs ?? Date.now });
  const sent: { url: string; headers: Readonly<Record<string, string>> }[] = [];
  const urls: string[] = [];
  let organization = 'Test Organization';
  const host = createNodeHost({
    store: options.store ?? memoryStore(),
    http: (request) => {
      sent.push({ url: request.url, headers: request.headers });
      return sandbox(request);
    },
    openBrowser: async (url) => {
      urls.push(url);
      const redirect = await answerConsent(sandbox, url, { decision: 'allow', organization });
      options.late?.();
      void fetch(redirect).catch(() => {});
    },
  });
  const session = createSession({ host, provider: prevu3d({ clientId: 'test', scopes }) });
  return { session, sent, urls, choose: (name: string) => (organization = name) };
}

test('case 6: state is random and nothing else: it carries no data of the caller', async () => {
  const { session, urls } = open();
  await session.signIn();
  await session.signIn();
  const states = urls.map((url) => new URL(url).searchParams.get('state') ?? '');
  for (const state of states) expect(state).toMatch(/^[\w-]{43}$/);
  expect(states[0]).not.toBe(states[1]);
  await session.close();
});

test('case 113: a code that took longer than its minute is refused, with what to do', async () => {
  let nowMs = 0;
  const { session } = open({ nowMs: () => nowMs, late: () => (nowMs = 61_000) });
  await expect(session.signIn()).rejects.toMatchObject({
    code: 'invalid_grant',
    hint: expect.stringContaining('60 seconds'),
  });
  await session.close();
});

test('case 155: another organization lives in another region, and is asked for anew', async () => {
  const { session, sent, choose } = open();
  const browse = async () => {
    await session.signIn();
    const { organization } = await session.api.getApiInfo();
    await session.api.browse(organization.id);
    return new URL(sent.at(-1)?.url ?? '').host;
  };
  await expect(browse()).resolves.toBe('api-ue1.prevu3d.com');
  choose('Harbour Engineering');
  await expect(browse()).resolves.toBe('api-ec1.prevu3d.com');
  await session.close();
});

test('case 156: where a token goes is never read from the store', async () => {
  const store = memoryStore();
  const values = new Map<string, string>();
  const watched: KeyValueStore = {
    ...store,
    set: (key, value) => (values.set(key, value), store.set(key, value)),
  };
  const first = open({ store: watched });
  await first.session.signIn();
  await first.session.api.getApiInfo();
  await first.session.close();
  for (const [key, value] of values) {
    expect(value).not.toContain('realityconnect-api');
    const evil = { apiUrl: 'https://evil.example', tokenEndpoint: 'https://evil.example/token' };
    await store.set(key, JSON.stringify({ ...JSON.parse(value), ...evil, issuer: 'evil' }));
  }
  const next = open({ store });
  const { organization } = await next.session.api.getApiInfo();
  await next.session.api.browse(organization.id);
  await next.session.getAccessToken({ minValidityMs: 1e10 });
  expect(next.sent.map(({ url }) => new URL(url).host)).toEqual([
    'cloud-api.prevu3d.com',
    'cloud-api.prevu3d.com',
    'api-ue1.prevu3d.com',
    'cloud-api.prevu3d.com',
  ]);
  await next.session.close();
});

test('case 203: nobody but the platform is ever called', async () => {
  const { session, sent } = open();
  await session.signIn();
  const { organization } = await session.api.getApiInfo();
  for await (const { node } of session.api.walk(organization.id)) expect(node.id).toBeTruthy();
  await session.signOut();
  await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  await session.close();
  for (const { url } of sent) expect(new URL(url).host).toMatch(/(^|\.)prevu3d\.com$/);
});
