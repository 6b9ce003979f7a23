import Ajv from 'ajv';
import { createPluginHost, MortiseError, type ConfigurationProblem } from 'mortise';
import { aps } from 'mortise/providers/aps';
import { oauth } from 'mortise/providers/oauth';
import { opencde } from 'mortise/providers/opencde';
import { prevu3d } from 'mortise/providers/prevu3d';
import { speckle } from 'mortise/providers/speckle';
import { trimble } from 'mortise/providers/trimble';
import schema from '../../src/plugins/integrations.schema.json';
import { createFakeHost } from '../support/fake-host.js';
import { createFakeServer } from '../support/fake-server.js';
import { probe } from './support.js';

const PROVIDERS = { aps, oauth, opencde, prevu3d, speckle, trimble };
const SECRETS: Readonly<Record<string, string>> = { APS_SECRET: 'sEcReT-of-the-client' };

const isAsPublished = new Ajv({ allErrors: true, strict: false }).compile(schema);

/** What is wrong with a file, in the words of the plug-in host. */
function problemsOf(file: unknown): readonly ConfigurationProblem[] {
  const host = createFakeHost({ http: createFakeServer().http });
  try {
    const secret = (name: string) => SECRETS[name];
    createPluginHost({ host, integrations: file as [], providers: PROVIDERS, secret });
    return [];
  } catch (error) {
    if (!(error instanceof MortiseError) || error.code !== 'configuration_error') throw error;
    return (error.details as { problems?: readonly ConfigurationProblem[] }).problems ?? [];
  }
}

const APS = {
  name: 'aps-integration-1',
  provider: 'aps',
  options: {
    clientId: 'the-app',
    clientSecret: { secret: 'APS_SECRET' },
    scopes: ['data:read', 'viewables:read'],
    redirectUris: ['https://plug-ins.example/api/integrations/oauth2/callback/'],
  },
  plugins: ['hub-browser', { name: 'viewer', scopes: ['viewables:read'] }],
};
const file = (...integrations: unknown[]) => ({ integrations });
const withOptions = (provider: string, options: object) =>
  file({ name: 'one', provider, options, plugins: [] });

describe('a file an administrator keeps', () => {
  // prettier-ignore
  test.each<[string, unknown]>([
    ['nothing at all',                  file()],
    ['the reference to its schema',     { $schema: './integrations.schema.json', integrations: [] }],
    ['Autodesk, with a named secret',   file(APS)],
    ['Autodesk without a user',         withOptions('aps', { grant: 'client_credentials', clientId: 'a', clientSecret: 'b', scopes: ['data:read'] })],
    ['Prevu3D with a user',             withOptions('prevu3d', { clientId: 'a', scopes: ['read:basic'], environment: 'preproduction' })],
    ['Prevu3D without',                 withOptions('prevu3d', { grant: 'client_credentials', clientId: 'a', clientSecret: 'b' })],
    ['Speckle',                         withOptions('speckle', { appId: 'a', redirectUri: 'http://localhost:3000/callback' })],
    ['Speckle on a server of one’s own', withOptions('speckle', { serverUrl: 'https://speckle.example', appId: 'a', appSecret: 'b', redirectUri: 'speckle://account' })],
    ['OpenCDE',                         withOptions('opencde', { serverUrl: 'https://api.example/opencde', clientId: 'a', redirectUris: ['http://localhost:8080'], trustedOrigins: ['https://bcf.example'] })],
    ['OAuth that describes itself',     withOptions('oauth', { issuer: 'https://as.example', clientId: 'a', scopes: ['openid'] })],
    ['OAuth that is described',         withOptions('oauth', { authorizationEndpoint: 'https://as.example/a', tokenEndpoint: 'http://localhost:8080/t', clientId: 'a', redirect: { loopback: '127.0.0.1', path: '/cb', ports: [4000, 4001] }, authorizationParameters: { prompt: 'login' } })],
    ['Trimble, a platform that is data', withOptions('trimble', { clientId: 'a', scopes: ['my-app'], redirectUris: ['http://localhost:8080'] })],
    ['several',                         file(APS, { ...APS, name: 'another' })],
  ])('may hold %s', (_, content) => {
    expect(problemsOf(content)).toEqual([]);
    expect(isAsPublished(content)).toBe(true);
  });

  // prettier-ignore
  test.each<[string, unknown, path: string, remedy: RegExp]>([
    ['no list',                   { integration: [] },                           'integrations',                             /list/],
    ['a text in place of a list', { integrations: 'aps' },                       'integrations',                             /list/],
    ['null',                      null,                                          'integrations',                             /list/],
    ['an entry that is a text',   file('aps'),                                   'integrations[0].name',                     /1 to 100/],
    ['no name',                   file({ ...APS, name: undefined }),             'integrations[0].name',                     /1 to 100/],
    ['a blank name',              file(APS, { ...APS, name: ' ' }),              'integrations[1].name',                     /1 to 100/],
    ['no plug-ins',               file({ ...APS, plugins: undefined }),          'integrations[0].plugins',                  /List the names/],
    ['a plug-in without a name',  file({ ...APS, plugins: ['a', {}] }),          'integrations[0].plugins[1]',               /name/],
    ['scopes that are a text',    file({ ...APS, plugins: [{ name: 'a', scopes: 'x' }] }), 'integrations[0].plugins[0].scopes', /List scopes/],
    ['a word nobody knows',       file({ ...APS, plugin: ['a'] }),               'integrations[0].plugin',                   /spelling/],
    ['a word beside the list',    { integrations: [], plugins: [] },             'plugins',                                  /spelling/],
    ['no scopes for a plug-in',   file({ ...APS, plugins: [{ name: 'a', scopes: [] }] }), 'integrations[0].plugins[0].scopes', /List scopes/],
    ['a redirect that is a text', withOptions('oauth', { issuer: 'https://as.example', clientId: 'a', redirect: 'http://localhost' }), 'integrations[0].options.redirect', /oauth/],
    ['an empty secret',           withOptions('opencde', { serverUrl: 'https://cde.example', clientId: 'a', clientSecret: '', redirectUris: ['http://localhost'] }), 'integrations[0].options.clientSecret', /opencde/],
    ['one inside an assignment',  file({ ...APS, plugins: [{ name: 'a', scope: ['x'] }] }), 'integrations[0].plugins[0].scope', /spelling/],
    ['no options',                file({ ...APS, options: undefined }),          'integrations[0].options',                  /clientId/],
    ['no client id',              withOptions('aps', { ...APS.options, clientId: undefined }), 'integrations[0].options.clientId', /aps/],
    ['no redirect addresses',     withOptions('aps', { ...APS.options, redirectUris: [] }), 'integrations[0].options.redirectUris', /aps/],
    ['no scopes',                 withOptions('aps', { ...APS.options, scopes: [] }), 'integrations[0].options.scopes',      /aps/],
    ['an address by plain http',  withOptions('opencde', { serverUrl: 'http://cde.example', clientId: 'a', redirectUris: ['http://localhost'] }), 'integrations[0].options.serverUrl', /opencde/],
    ['an unknown environment',    withOptions('prevu3d', { clientId: 'a', scopes: ['x'], environment: 'moon' }), 'integrations[0].options.environment', /prevu3d/],
    ['a redirect with a query',   withOptions('speckle', { appId: 'a', redirectUri: 'http://localhost:3000/?x=1' }), 'integrations[0].options.redirectUri', /speckle/],
    ['no issuer',                 withOptions('oauth', { clientId: 'a' }),       'integrations[0].options.issuer',           /oauth/],
  ])('may not hold %s; the error names the place and the remedy', (_, content, path, remedy) => {
    expect(problemsOf(content)).toContainEqual({
      path,
      problem: expect.any(String),
      remedy: expect.stringMatching(remedy),
    });
    expect(isAsPublished(JSON.parse(JSON.stringify(content)))).toBe(false);
  });

  // What no schema can know: names used twice, secrets, and what a program was built with.
  // prettier-ignore
  test.each<[string, unknown, path: string, remedy: RegExp]>([
    ['a name used twice',         file(APS, APS),                                'integrations[1].name',                     /of its own/],
    ['a plug-in listed twice',    file({ ...APS, plugins: ['a', 'a'] }),         'integrations[0].plugins[1]',               /out/],
    ['an unknown provider',       file({ ...APS, provider: 'procore' }),         'integrations[0].provider',                 /aps, oauth, opencde, prevu3d, speckle, trimble/],
    ['a provider of every object', file({ ...APS, provider: 'toString' }),       'integrations[0].provider',                 /aps/],
    ['scopes it does not have',   file({ ...APS, plugins: ['a', { name: 'b', scopes: ['code:all'] }] }), 'integrations[0].plugins[1]', /Change it/],
    ['fewer scopes where there are none', file({ name: 'one', provider: 'prevu3d', options: { clientId: 'a', scopes: ['read:basic', 'read:hierarchy'] }, plugins: [{ name: 'b', scopes: ['read:basic'] }] }), 'integrations[0].plugins[0]', /Change it/],
    ['what only looks like one',  file({ ...APS, provider: { dialect: {}, api: {} } }), 'integrations[0].provider', /aps/],
    ['a secret that is not there', file({ ...APS, options: { ...APS.options, clientSecret: { secret: 'NOBODY' } } }), 'integrations[0].options.clientSecret', /Set that secret/],
  ])('is refused for %s', (_, content, path, remedy) => {
    expect(problemsOf(content)).toContainEqual({
      path,
      problem: expect.any(String),
      remedy: expect.stringMatching(remedy),
    });
  });

  test('all problems are told at once, the first of them in the message', () => {
    const content = file({ ...APS, name: '', plugins: 1 }, { ...APS, provider: 'x' });
    expect(problemsOf(content).map(({ path }) => path)).toEqual([
      'integrations[0].name',
      'integrations[0].plugins',
      'integrations[1].provider',
    ]);
    const host = createFakeHost({ http: createFakeServer().http });
    const read = () =>
      createPluginHost({ host, integrations: content as never, providers: PROVIDERS });
    expect(read).toThrow(/integrations\[0\]\.name is no name \(and \d more\)/);
  });

  test('a secret is in no error', () => {
    const options = { ...APS.options, clientSecret: 'sEcReT-in-the-file', redirectUris: 1 };
    expect(JSON.stringify(problemsOf(withOptions('aps', options)))).not.toContain('sEcReT');
  });

  test('what it says is what plug-ins get', async () => {
    const host = createFakeHost({ http: createFakeServer().http });
    const plugins = createPluginHost({
      host,
      integrations: file(APS) as never,
      providers: PROVIDERS,
      secret: (name) => SECRETS[name],
    });
    const viewer = probe('viewer', { integrations: [APS.name] });
    await plugins.activate(viewer);
    expect(viewer.context.integration(APS.name).name).toBe(APS.name);
    await plugins.close();
  });

  test('code and data can stand side by side', () => {
    const integrations = [
      APS,
      {
        name: 'made',
        provider: oauth({ issuer: 'https://as.example', clientId: 'a' }),
        plugins: [],
      },
    ];
    expect(problemsOf(integrations)).toEqual([]);
  });
});
