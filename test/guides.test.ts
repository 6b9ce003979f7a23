import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createSession,
  memoryStore,
  type Host,
  type KeyValueStore,
  type Plugin,
  type PluginHost,
  type Provider,
} from 'mortise';
import { answerConsent, createSandbox } from 'mortise/sandbox';
import { settle } from './support/fake-clock.js';
import { createFakeHost } from './support/fake-host.js';
import { createFakeServer } from './support/fake-server.js';

const root = join(__dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'mortise-guide-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The one TypeScript example of a guide, as a module that lies where the guide says. */
function loadExample<T extends object>(guide: string, home: string): T {
  const [, code = ''] = /```ts\n([^]*?)```/.exec(readFileSync(join(root, guide), 'utf8')) ?? [];
  const file = join(folder, `${guide.replace(/\W/g, '-')}.ts`);
  const placed = code.replace(/from '(\.[^']*)\.js'/g, (_, path: string) => {
    return `from '${join(root, home, path)}'`;
  });
  writeFileSync(file, placed);
  return jest.requireActual<T>(file);
}

test('the provider of its guide signs in', async () => {
  interface Guide {
    acme(options: { clientId: string; scopes: string[] }): Provider;
  }
  const { acme } = loadExample<Guide>('src/providers/README.md', 'src/providers');
  const host = createFakeHost({ http: createFakeServer().http });
  const session = createSession({ host, provider: acme({ clientId: 'a', scopes: ['read'] }) });
  const done = session.signIn();
  const visit = await host.visit();
  expect(visit.url).toContain('https://login.acme.example/authorize?');
  await visit.redirect({ code: 'good' });
  await done;
  expect(() => acme({ clientId: '', scopes: [] })).toThrow('clientId');
});

test('the plug-in of its guide lists hubs', async () => {
  interface Guide {
    createPlugins(host: Host, secrets: Readonly<Record<string, string>>): PluginHost;
    hubBrowser: Plugin;
  }
  const guide = loadExample<Guide>('src/plugins/README.md', 'src/plugins');
  const sandbox = createSandbox({ provider: 'aps' });
  const host = createFakeHost({ http: sandbox });
  const plugins = guide.createPlugins(host, { APS_CLIENT_SECRET: 'any' });
  const log = jest.spyOn(console, 'log').mockImplementation(() => {});
  try {
    await plugins.activate(guide.hubBrowser);
    const done = plugins.login('aps-integration-1').signIn();
    const visit = await host.visit();
    await visit.redirectTo(await answerConsent(sandbox, visit.url, { decision: 'allow' }));
    await done;
    await settle();
    expect(log).toHaveBeenCalledWith(expect.stringMatching(/^[ab]\./), expect.any(String));
  } finally {
    log.mockRestore();
  }
  await plugins.close();
});

test('the host of its guide is a host', async () => {
  interface Guide {
    createAcmeHost(options: { store: KeyValueStore; userAgent: Host['userAgents'][0] }): Host;
  }
  const { createAcmeHost } = loadExample<Guide>('adapters/README.md', 'adapters/acme');
  const fake = createFakeHost({ http: createFakeServer().http });
  const [userAgent] = fake.userAgents;
  if (!userAgent) throw new Error('the fake host has a user agent');
  const host = { ...createAcmeHost({ store: memoryStore(), userAgent }), http: fake.http };
  const { acme } = loadExample<{
    acme(options: { clientId: string; scopes: string[] }): Provider;
  }>('src/providers/README.md', 'src/providers');
  const session = createSession({ host, provider: acme({ clientId: 'a', scopes: [] }) });
  const done = session.signIn();
  await (await fake.visit()).redirect({ code: 'good' });
  await done;
  await session.close();
});
