import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createPluginHost, createSession, memoryStore, type IntegrationHandle } from 'mortise';
import { aps, type ApsApi } from 'mortise/providers/aps';
import { answerConsent, type FaultSwitch } from 'mortise/sandbox';
import { failureOf } from '../api/support/failure.js';
import { createStage, HUBS, TOKEN } from './support/aps-stage.js';

const printed = (name: string) =>
  readFileSync(resolve(__dirname, '../fixtures/viktor-aps', name), 'utf8');
/** What stands between the marks in a printed text. */
const between = (text: string, pattern: RegExp) => pattern.exec(text)?.[1] ?? '';

const CODE = printed('hubs.py');
const CONFIG = printed('viktor.config.toml');
const CALLBACK = printed('callback.txt').replace(
  '<your-viktor-environment-url>',
  printed('environment-url.txt').replace(/\/$/, ''),
);
const SCOPES = [...printed('scopes.txt').matchAll(/\S+:\S+/g)].map(([scope]) => scope);
const INTEGRATION = between(CODE, /OAuth2Integration\("(.+)"\)/);
const APP = between(CONFIG, /registered_name = "(.+)"/);
const LISTED = [...between(CONFIG, /oauth2_integrations = \[([^\]]*)\]/).matchAll(/"(.+)"/g)].map(
  ([, name]) => name!,
);

/** The integration as the administrator enters it: basic information and configuration. */
const DEFINITION = {
  name: INTEGRATION,
  provider: 'aps',
  options: {
    clientId: 'plug-in',
    clientSecret: { secret: 'APS_CLIENT_SECRET' },
    scopes: SCOPES,
    redirectUris: [CALLBACK],
  },
  plugins: [APP],
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** VIKTOR's cloud with one user, and Autodesk with the application's callback registered. */
function cloud(faults: readonly FaultSwitch[] = [], definition: object = DEFINITION) {
  const options = { ...DEFINITION.options, clientSecret: 'any secret' };
  const stage = createStage({ faults, options, registered: [CALLBACK], store: memoryStore() });
  const plugins = createPluginHost({
    host: stage.host,
    providers: { aps },
    secret: (name) => (name === 'APS_CLIENT_SECRET' ? 'any secret' : undefined),
    integrations: [definition as typeof DEFINITION],
    account: 'user-1',
  });
  /** What the callback route of the cloud uses for the same user. */
  const account = `${INTEGRATION}/user-1`;
  const session = createSession({ host: stage.host, provider: aps(options), account });
  closers.push(plugins.close, session.close);
  return { ...stage, plugins, session };
}

/** The user clicks the login button and allows. */
async function logIn({ session, sandbox }: ReturnType<typeof cloud>, redirectUri = CALLBACK) {
  const { authorizationUrl } = await session.beginSignIn({ redirectUri });
  const redirect = await answerConsent(sandbox, authorizationUrl, { decision: 'allow' });
  await session.completeSignIn(redirect);
  return { authorizationUrl, redirect };
}

/** The app, activated; its integration is its own to ask for. */
async function start({ plugins }: ReturnType<typeof cloud>, integrations = LISTED) {
  let handle: IntegrationHandle<ApsApi> | undefined;
  await plugins.activate({
    name: APP,
    version: '1.0.0',
    integrations,
    activate(context) {
      handle = context.integration<ApsApi>(INTEGRATION);
    },
  });
  return handle!;
}

describe('creating an OAuth 2.0 integration', () => {
  test('step 3: name, applications, client, secret and scopes make an integration', async () => {
    const stage = cloud();
    await expect(start(stage)).resolves.toMatchObject({ name: 'aps-integration-1' });
    expect(JSON.stringify(DEFINITION)).not.toContain('any secret');
  });

  test.each([
    ['clientId', { clientId: '' }],
    ['clientSecret', { clientSecret: { secret: 'NOT_THERE' } }],
    ['scopes', { scopes: [] }],
    ['redirectUris', { redirectUris: [] }],
  ])('step 3: a field that is missing is named: %s', async (field, wrong) => {
    const options = { ...DEFINITION.options, ...wrong };
    const make = async () => cloud([], { ...DEFINITION, options });
    const path = `integrations[0].options.${field}`;
    expect(await failureOf(make())).toMatchObject({
      code: 'configuration_error',
      details: { problems: [expect.objectContaining({ path })] },
    });
  });

  test('step 6: the callback address is sent as it is registered, slash included', async () => {
    expect(CALLBACK).toBe('https://cloud.viktor.ai/api/integrations/oauth2/callback/');
    const stage = cloud();
    const { authorizationUrl, redirect } = await logIn(stage);
    const { searchParams } = new URL(authorizationUrl);
    expect(searchParams.get('redirect_uri')).toBe(CALLBACK);
    expect(redirect.startsWith(`${CALLBACK}?code=`)).toBe(true);
    expect(stage.to(TOKEN)[0]?.form['redirect_uri']).toBe(CALLBACK);
  });

  test('step 6: without its slash it is another address, and nobody is sent there', async () => {
    const stage = cloud();
    const error = await failureOf(logIn(stage, CALLBACK.replace(/\/$/, '')));
    expect(error).toMatchObject({
      code: 'configuration_error',
      details: { problem: expect.stringContaining('redirect URI') },
    });
  });

  test('the client is a confidential one: its secret is in the header, and nowhere else', async () => {
    const stage = cloud();
    const { authorizationUrl } = await logIn(stage);
    const [exchange] = stage.to(TOKEN);
    expect(exchange?.headers['authorization']).toBe(`Basic ${btoa('plug-in:any secret')}`);
    expect(exchange?.form).not.toHaveProperty('client_id');
    expect(exchange?.form).not.toHaveProperty('client_secret');
    expect(authorizationUrl).not.toContain('secret');
  });
});

describe('defining scopes', () => {
  test('the listed scopes, and no more, are what the user is asked for', async () => {
    expect(SCOPES).toHaveLength(6);
    const { authorizationUrl } = await logIn(cloud());
    const { searchParams } = new URL(authorizationUrl);
    expect(searchParams.get('scope')).toBe(SCOPES.join(' '));
    expect(authorizationUrl).toContain('scope=data%3Aread%20data%3Awrite');
  });

  test('a token that lacks the scope cannot access the endpoint, and says which advice helps', async () => {
    const stage = cloud(['aps-api-403-text']);
    await logIn(stage);
    const error = await failureOf((await start(stage)).api.hubs());
    expect(error.code).toBe('insufficient_scope');
    expect(error.hint).toMatch(/lacks a scope.*add it to the integration/);
  });

  test('the minimum for an app: one may be given fewer than the integration has', async () => {
    const plugins = [{ name: APP, scopes: ['data:read'] }];
    const stage = cloud([], { ...DEFINITION, plugins });
    await logIn(stage);
    const hubs = await (await start(stage)).api.hubs();
    expect(hubs).toHaveLength(3);
    expect(stage.to(TOKEN).at(-1)?.form).toMatchObject({ scope: 'data:read' });
  });
});

describe('integration with Autodesk Construction Cloud', () => {
  test.each(['aps-hubs-403-warnings', 'aps-hubs-none-warnings', 'aps-api-auth-001'] as const)(
    'without the custom integration (%s) the hint says who adds what, and where',
    async (fault) => {
      const stage = cloud([fault]);
      await logIn(stage);
      const error = await failureOf((await start(stage)).api.hubs());
      expect(error).toMatchObject({ code: 'forbidden', details: { status: 403 } });
      for (const advice of [/account administrator/i, /Client ID/, /Custom Integrations/i]) {
        expect(error.hint).toMatch(advice);
      }
    },
  );
});

describe('implementing the integration in an app', () => {
  test('the configuration lists the name that the code asks for', () => {
    expect(LISTED).toEqual([INTEGRATION]);
    expect(APP).toBe('your-app-name');
  });

  test('the platform shows a login button when the user opens the app', async () => {
    const stage = cloud();
    const app = await start(stage);
    await stage.over(Promise.resolve());
    const { status } = stage.plugins.login(INTEGRATION);
    expect(status).toEqual({ name: 'needsSignIn', reason: 'never' });
    expect((await failureOf(app.getAccessToken())).code).toBe('sign_in_required');
    await logIn(stage);
    await app.getAccessToken();
    expect(app.status).toEqual({ name: 'ready', user: null });
  });

  test('get_access_token, GET hubs with it, and the table of names and ids', async () => {
    const stage = cloud();
    const app = await start(stage);
    await logIn(stage);
    const token = await app.getAccessToken();
    const hubsData = await app.api.hubs();
    const { method, url, headers } = stage.sent.at(-1)!;
    const endpoint = between(CODE, /endpoint = "(.+)"/);
    expect([method, url, endpoint]).toEqual(['GET', HUBS, HUBS]);
    const header = between(CODE, /headers = (\{.+\})/)
      .replace('f"', '"')
      .replace('{token}', token);
    expect(JSON.parse(header)).toEqual({ Authorization: headers['authorization'] });

    const data = hubsData.map((hub) => [hub.attributes?.['name'] ?? '', hub.id]);
    const columns = JSON.parse(between(CODE, /column_headers=(\[.+\])/)) as string[];
    expect(columns).toEqual(['Hub name', 'ID']);
    expect(data).toEqual([
      ['Harbour Engineering', expect.stringMatching(/^b\./)],
      ['Harbour Engineering Europe', expect.stringMatching(/^b\./)],
      ['Plug-in Team', expect.stringMatching(/^a\./)],
    ]);
  });

  test('raw requests give the same, with the printed time limit', async () => {
    const stage = cloud();
    await logIn(stage);
    const app = await start(stage);
    const timeoutMs = Number(between(CODE, /timeout=(\d+)/)) * 1000;
    const response = await app.api.request({ path: 'project/v1/hubs', timeoutMs });
    const { data } = await response.json<{ data: unknown[] }>();
    expect(data).toEqual(await app.api.hubs());
  });

  test('tokens are a user’s own: another one has to sign in', async () => {
    const stage = cloud();
    await logIn(stage);
    const options = { ...DEFINITION.options, clientSecret: 'any secret' };
    const account = `${INTEGRATION}/user-2`;
    const other = createSession({ host: stage.host, provider: aps(options), account });
    closers.push(other.close);
    expect((await failureOf(other.getAccessToken())).code).toBe('sign_in_required');
    await expect(stage.session.getAccessToken()).resolves.toBeTruthy();
  });
});

describe('its notes', () => {
  test('it works when three things are so, and each that is not is another error', async () => {
    const conditions = printed('when-it-works.txt').split(/, (?:and )?/);
    expect(conditions).toEqual([
      'It works when the VIKTOR APS integration is assigned to your app',
      'the ACC custom integration is added to your account',
      'the user has granted access',
    ]);
    const unassigned = cloud([], { ...DEFINITION, plugins: ['another-app'] });
    expect(await failureOf(start(unassigned))).toMatchObject({
      code: 'integration_not_assigned',
      details: { integration: INTEGRATION, plugin: APP },
    });
    const notAdded = cloud(['aps-hubs-none-warnings']);
    await logIn(notAdded);
    expect((await failureOf((await start(notAdded)).api.hubs())).code).toBe('forbidden');
    const app = await start(cloud());
    expect((await failureOf(app.api.hubs())).code).toBe('sign_in_required');
  });

  test('the name must match that of the configuration', async () => {
    expect(printed('note.txt')).toContain('must match the value in viktor.config.toml');
    const stage = cloud();
    const misspelt = stage.plugins.activate({
      name: APP,
      version: '1.0.0',
      activate: (context) => void context.integration(INTEGRATION.toUpperCase()),
    });
    expect(await failureOf(misspelt)).toMatchObject({
      code: 'integration_unknown',
      details: { integration: INTEGRATION.toUpperCase() },
    });
    const unlisted = await failureOf(start(stage, ['aps-integration-2']));
    expect(unlisted.code).toBe('integration_not_assigned');
    expect(unlisted.hint).toMatch(/lists it under integrations/);
  });

  test('the user must have access to projects in that account', async () => {
    const stage = cloud(['aps-hubs-403-warnings']);
    await logIn(stage);
    const error = await failureOf((await start(stage)).api.hubs());
    expect(error.hint).toMatch(/you need access to the project/);
  });
});
