import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSession, type Session } from 'mortise';
import {
  prevu3d,
  type Prevu3dApi,
  type Prevu3dEnvironment,
  type Prevu3dNode,
  type Prevu3dUserOptions,
} from 'mortise/providers/prevu3d';
import { failureOf } from '../api/support/failure.js';
import type { Reply } from '../api/support/scripted-http.js';
import { createFakeHost, form, json, type FakeHost } from './support/fake-host.js';

const printed = (name: string) =>
  readFileSync(resolve(__dirname, '../fixtures/prevu3d', name), 'utf8');

const TOKEN = 'https://cloud-api.prevu3d.com/oauth/token';
const API_INFO = 'https://cloud-api.prevu3d.com/oauth/api-info';
const ORGANIZATION = '217ebd23-ec54-4af0-a6d6-4a441a6d1966';
const API_URL = 'https://api-ue1.prevu3d.com/realityconnect-api';
const BROWSE = `${API_URL}/v1/nodes/${ORGANIZATION}/browse`;
const NATIVE: Prevu3dUserOptions = {
  clientId: 'your-client-id',
  scopes: ['read:basic', 'read:hierarchy'],
};
/** The word of the printed answers that is no token. */
const ACCESS_TOKEN = 'eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9...';
const DIVISIONS = [{ id: 'd1', name: 'North', nested: { kept: [1] } }, { id: 'd2' }];

const info = (apiUrl: unknown = API_URL) => ({ organization: { id: ORGANIZATION }, apiUrl });
/** What the document prints, and divisions, which it does not. */
const AS_PRINTED = {
  [`POST ${TOKEN}`]: { body: printed('native-token-answer.json') },
  [`GET ${API_INFO}`]: { body: printed('api-info-answer.json') },
  [`GET ${BROWSE}`]: json(DIVISIONS),
};

let host: FakeHost;
let session: Session<Prevu3dApi>;

function setUp(options: Prevu3dUserOptions = NATIVE): void {
  host = createFakeHost();
  host.answer(AS_PRINTED);
  session = createSession({ host, provider: prevu3d(options) });
}

/** Signs in as a user who clicks Allow. */
async function allow(): Promise<URL> {
  const done = session.signIn();
  done.catch(() => {});
  const page = await host.consentPage();
  const { redirect_uri = '', state = '' } = Object.fromEntries(page.searchParams);
  const redirect = printed('redirect-success.txt')
    .replace('{authorization_code}', 'the-code')
    .replace('{state}', state);
  expect(redirect.startsWith(`${redirect_uri}/?`)).toBe(true);
  await host.visit().onRedirect(redirect);
  await done;
  return page;
}

beforeEach(() => setUp());
afterEach(async () => {
  await session.close();
  expect(host.clock.pending).toBe(0);
});

describe('Native Application Flow, from top to bottom', () => {
  test('step 3: the consent page is opened with exactly the parameters of the table', async () => {
    const page = await allow();
    expect(page.origin + page.pathname).toBe('https://cloud.prevu3d.com/oauth');
    const { state, code_challenge: challenge, ...rest } = Object.fromEntries(page.searchParams);
    expect(rest).toEqual({
      response_type: 'code',
      code_challenge_method: 'S256',
      client_id: 'your-client-id',
      redirect_uri: 'http://localhost:8765',
      scopes: 'read:hierarchy', // The last one of two.
    });
    expect(page.searchParams.getAll('scopes')).toEqual(NATIVE.scopes);
    expect([...page.searchParams]).toHaveLength(8);
    expect(challenge).toMatch(/^[\w-]{43}$/);
    expect(state).toMatch(/^[\w-]{43}$/);
  });

  test('step 3: any free port of http://localhost, without a slash at the end', () => {
    const { redirect } = prevu3d(NATIVE);
    expect(redirect).toEqual({ loopback: 'localhost', path: '', ports: 'any' });
  });

  test('step 3: state and verifier are new each time', async () => {
    const [one, other] = [await allow(), await allow()].map(({ searchParams }) => searchParams);
    expect(one!.get('state')).not.toBe(other!.get('state'));
    expect(one!.get('code_challenge')).not.toBe(other!.get('code_challenge'));
  });

  test('step 3: a denial comes without state, and is understood', async () => {
    const failure = failureOf(session.signIn());
    const { searchParams } = await host.consentPage();
    const redirect = `${searchParams.get('redirect_uri')}/${printed('redirect-denied.txt')}`;
    await host.visit().onRedirect(redirect);
    expect(await failure).toMatchObject({
      code: 'access_denied',
      details: { error: 'access_denied' },
      hint: expect.stringMatching(/click Allow/),
    });
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect(host.sent).toEqual([]);
  });

  test('step 3: a redirect with another state is not validated, and not exchanged', async () => {
    const done = failureOf(session.signIn());
    await host.consentPage();
    const outcome = await host.visit().onRedirect('http://localhost:8765/?code=c&state=other');
    expect(outcome.kind).toBe('ignored');
    expect(host.sent).toEqual([]);
    await session.close();
    expect((await done).code).toBe('aborted');
  });

  test('step 4: the code is exchanged with exactly the fields of the table, and no secret', async () => {
    const page = await allow();
    const [exchange] = host.sent;
    expect(exchange).toMatchObject({ method: 'POST', url: TOKEN });
    expect(exchange!.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(exchange!.headers).not.toHaveProperty('authorization');
    const { code_verifier: verifier = '', ...rest } = form(exchange!.body);
    expect(rest).toEqual({
      grant_type: 'authorization_code',
      client_id: 'your-client-id',
      code: 'the-code',
      redirect_uri: 'http://localhost:8765',
    });
    expect(verifier).toMatch(/^[\w.~-]{43,128}$/);
    expect(createHash('sha256').update(verifier).digest('base64url')).toBe(
      page.searchParams.get('code_challenge'),
    );
  });

  test('step 4: the printed answer is understood', async () => {
    await allow();
    expect(await session.getAccessToken()).toBe(ACCESS_TOKEN);
    expect(session.state).toEqual({
      name: 'signedIn',
      expiresAtMs: host.clock.nowMs() + 86_400_000,
      scopes: NATIVE.scopes,
    });
  });

  test('step 4: a new token is asked for with the refresh token, and no secret', async () => {
    await allow();
    await host.clock.advance(86_400_000);
    host.answer({
      [`POST ${TOKEN}`]: json({ hasError: false, expires_in: 9, access_token: 'next' }),
    });
    expect(await session.getAccessToken()).toBe('next');
    const refresh = host.sent.at(-1)!;
    expect(form(refresh.body)).toEqual({
      grant_type: 'refresh_token',
      client_id: 'your-client-id',
      refresh_token: '...',
    });
    expect(refresh.headers).not.toHaveProperty('authorization');
  });

  test('step 4: an answer without a new refresh token keeps the old one', async () => {
    await allow();
    host.answer({
      [`POST ${TOKEN}`]: json({ hasError: false, expires_in: 9, access_token: 'next' }),
    });
    for (let day = 0; day < 2; day += 1) {
      await host.clock.advance(86_400_000);
      await session.getAccessToken();
      expect(form(host.sent.at(-1)!.body)['refresh_token']).toBe('...');
    }
  });

  test('step 5: the API URL is asked for with the bearer, and the printed answer is understood', async () => {
    await allow();
    expect(await session.api.getApiInfo()).toEqual(JSON.parse(printed('api-info-answer.json')));
    expect(host.sent.at(-1)).toMatchObject({ method: 'GET', url: API_INFO });
    expect(host.sent.at(-1)!.headers['authorization']).toBe(`Bearer ${ACCESS_TOKEN}`);
  });

  test('step 6: the request is the printed one, byte for byte', async () => {
    await allow();
    expect(await session.api.browse(ORGANIZATION)).toEqual(DIVISIONS);
    const { method, url, headers } = host.sent.at(-1)!;
    expect(`${method} ${url} HTTP/1.1Authorization: ${headers['authorization']}`).toBe(
      printed('browse-request.txt'),
    );
  });

  test('all in all it takes these requests, in this order', async () => {
    await allow();
    await session.api.browse(ORGANIZATION);
    expect(host.sent.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST ${TOKEN}`,
      `GET ${API_INFO}`,
      `GET ${BROWSE}`,
    ]);
  });
});

describe('its troubleshooting table', () => {
  test.each([400, 403])(
    'a %d on token exchange names the 60 seconds and the native app',
    async (status) => {
      host.answer({ [`POST ${TOKEN}`]: json({ hasError: true }, status) });
      const error = await failureOf(allow());
      expect(error).toMatchObject({ code: 'oauth_error', details: { status } });
      expect(error.hint).toMatch(/60 seconds/);
      expect(error.hint).toMatch(/native app \(Authorization Code and Native Application on\)/);
      expect(session.state.name).toBe('signedOut');
    },
  );

  test('Invalid OAuth grant request after clicking Allow', async () => {
    host.answer({ [`POST ${TOKEN}`]: json({ error: 'invalid_grant' }, 400) });
    const error = await failureOf(allow());
    expect(error).toMatchObject({ code: 'invalid_grant', details: { error: 'invalid_grant' } });
    expect(error.hint).toMatch(/Client ID is of a native app/);
  });

  test('an answer that hasError is none, whatever its status', async () => {
    host.answer({ [`POST ${TOKEN}`]: json({ hasError: true, access_token: 'a' }) });
    expect((await failureOf(allow())).code).toBe('oauth_error');
    expect(session.state.name).toBe('signedOut');
  });

  test.each([
    ['Redirect URI domain must be verified', 'invalid_redirect_uri', /no custom redirect URI/],
    ['Consent page error about query parameters', 'invalid_request', /native app/],
    ['a scope the app does not have', 'invalid_scope', /all scopes/],
  ])('%s', async (_, error, advice) => {
    const failure = failureOf(session.signIn());
    const state = (await host.consentPage()).searchParams.get('state');
    await host.visit().onRedirect(`http://localhost:8765/?error=${error}&state=${state}`);
    expect(await failure).toMatchObject({
      code: 'oauth_error',
      details: { error },
      hint: expect.stringMatching(advice),
    });
  });

  test('case 164: 403 Forbidden when calling the API names the three layers', async () => {
    await allow();
    host.answer({ [`GET ${BROWSE}`]: { status: 403 } });
    const error = await failureOf(session.api.browse(ORGANIZATION));
    expect(error).toMatchObject({ code: 'forbidden', details: { status: 403 } });
    for (const layer of [/scopes/, /content access/, /role/]) expect(error.hint).toMatch(layer);
    expect(host.sent.filter(({ url }) => url === TOKEN)).toHaveLength(1);
    expect(session.state.name).toBe('signedIn');
  });

  test('Wrong organization in API responses', async () => {
    await allow();
    host.answer({ [`GET ${BROWSE}`]: { status: 404 } });
    const error = await failureOf(session.api.browse(ORGANIZATION));
    expect(error).toMatchObject({ code: 'http_error', details: { status: 404 } });
    expect(error.hint).toMatch(/another organization.*sign in again/);
  });
});

describe('environments', () => {
  test('preproduction has hosts of its own, and believes only them', async () => {
    const origin = 'https://cloud-api.preproduction.prevu3d-int.com';
    const provider = { ...NATIVE, environment: 'preproduction' } as const;
    setUp(provider);
    host.answer({
      [`POST ${origin}/oauth/token`]: { body: printed('native-token-answer.json') },
      [`GET ${origin}/oauth/api-info`]: json(info('https://api.prevu3d-int.com/x')),
      'GET https://api.prevu3d-int.com/x/a': json([]),
    });
    const page = await allow();
    const consent = 'https://cloud.preproduction.prevu3d-int.com/oauth';
    expect(page.origin + page.pathname).toBe(consent);
    await session.api.request({ path: 'a' });
    host.answer({ [`GET ${origin}/oauth/api-info`]: json(info()) });
    expect((await failureOf(session.api.getApiInfo())).code).toBe('api_url_untrusted');
  });

  test('one of your own, on this machine, on any port', async () => {
    const environment: Prevu3dEnvironment = {
      authorizationEndpoint: 'http://localhost:8080/oauth',
      tokenEndpoint: 'http://localhost:8080/oauth/token',
      apiInfoEndpoint: 'http://localhost:8080/oauth/api-info?v=1',
      apiHosts: ['localhost'],
    };
    setUp({ ...NATIVE, environment });
    host.answer({
      'POST http://localhost:8080/oauth/token': { body: printed('native-token-answer.json') },
      'GET http://localhost:8080/oauth/api-info': json(info('http://localhost:9999/api')),
    });
    await allow();
    expect((await session.api.getApiInfo()).apiUrl).toBe('http://localhost:9999/api');
    expect(host.sent.at(-1)!.url).toBe('http://localhost:8080/oauth/api-info?v=1');
  });

  const endpoints: Prevu3dEnvironment = {
    authorizationEndpoint: 'https://a.example',
    tokenEndpoint: 'https://a.example/t',
    apiInfoEndpoint: 'https://a.example/i',
    apiHosts: ['a.example'],
  };
  // prettier-ignore
  test.each<[string, object]>([
    ['no client ID',                     { ...NATIVE, clientId: '' }],
    ['no scopes',                        { ...NATIVE, scopes: [] }],
    ['a native app with a secret',       { ...NATIVE, clientSecret: 'a' }],
    ['a service without a secret',       { grant: 'client_credentials', clientId: 'a', clientSecret: '' }],
    ['an environment nobody knows',      { ...NATIVE, environment: 'staging' }],
    ['an environment of an object’s',    { ...NATIVE, environment: 'constructor' }],
    ['an endpoint left out',             { ...NATIVE, environment: { ...endpoints, tokenEndpoint: undefined } }],
    ['http to another machine',          { ...NATIVE, environment: { ...endpoints, apiInfoEndpoint: 'http://a.example/i' } }],
    ['an endpoint with a user name',     { ...NATIVE, environment: { ...endpoints, tokenEndpoint: 'https://me@a.example/t' } }],
    ['an endpoint with a fragment',      { ...NATIVE, environment: { ...endpoints, authorizationEndpoint: 'https://a.example/#a' } }],
    ['an endpoint that is no address',   { ...NATIVE, environment: { ...endpoints, tokenEndpoint: 'a.example' } }],
  ])('%s is a configuration_error', async (_, options) => {
    const error = await failureOf((async () => prevu3d(options as Prevu3dUserOptions))());
    expect(error.code).toBe('configuration_error');
  });
});

describe('the API URL', () => {
  const browseAt = async (answer: Reply) => {
    await allow();
    host.answer({ [`GET ${API_INFO}`]: answer });
    return session.api.browse(ORGANIZATION);
  };

  // prettier-ignore
  test.each([
    ['152', 'http',                        'http://api.prevu3d.com/a'],
    ['152', 'another scheme',              'ftp://api.prevu3d.com/a'],
    ['152', 'javascript:',                 'javascript:alert(1)//api.prevu3d.com'],
    ['152', 'a user name',                 'https://me@api.prevu3d.com/a'],
    ['152', 'a user name and password',    'https://me:word@api.prevu3d.com/a'],
    ['152', 'a port',                      'https://api.prevu3d.com:8443/a'],
    ['153', 'a longer name',               'https://prevu3d.com.evil.example/a'],
    ['153', 'a name that ends like it',    'https://evilprevu3d.com/a'],
    ['153', 'the name as a user name',     'https://api.prevu3d.com@evil.example/a'],
    ['153', 'the name in the path',        'https://evil.example/api.prevu3d.com'],
    ['153', 'the name in the query',       'https://evil.example/?api.prevu3d.com'],
    ['153', 'the name in the fragment',    'https://evil.example/#.prevu3d.com'],
    ['153', 'a backslash',                 'https://evil.example\\.prevu3d.com/a'],
    ['153', 'a slash that is encoded',     'https://evil.example%2F.prevu3d.com/a'],
    ['153', 'a letter that looks like it', 'https://api.prеvu3d.com/a'],
    ['153', 'a dot at the end',            'https://api.prevu3d.com./a'],
    ['153', 'a line break in the scheme',  'https://evil.example/\n.prevu3d.com'],
    ['153', 'another top level',           'https://api.prevu3d.co/a'],
    ['153', 'the top level alone',         'https://com/a'],
    ['153', 'the other environment',       'https://api.prevu3d-int.com/a'],
    ['153', 'this machine',                'https://localhost/a'],
    ['153', 'an internal address',         'https://169.254.169.254/a'],
    ['154', 'a query',                     'https://api.prevu3d.com/a?b=1'],
    ['154', 'a fragment',                  'https://api.prevu3d.com/a#b'],
    ['153', 'no address at all',           'api.prevu3d.com'],
    ['153', 'nothing',                     ''],
  ])('case %s: with %s is refused, and sees no token', async (_, __, apiUrl) => {
    const error = await failureOf(browseAt(json(info(apiUrl))));
    expect(error.code).toBe('api_url_untrusted');
    expect(host.sent.map(({ url }) => url)).toEqual([TOKEN, API_INFO]);
  });

  // prettier-ignore
  test.each([
    ['a region',                   'https://api-ue1.prevu3d.com/api',     'https://api-ue1.prevu3d.com/api/'],
    ['a region further down',      'https://api.eu.prevu3d.com/api',      'https://api.eu.prevu3d.com/api/'],
    ['the name itself',            'https://prevu3d.com',                 'https://prevu3d.com/'],
    ['capitals',                   'HTTPS://API.PREVU3D.COM/Api',         'https://api.prevu3d.com/Api/'],
    ['the default port',           'https://api.prevu3d.com:443/api',     'https://api.prevu3d.com/api/'],
    ['a slash at the end',         'https://api.prevu3d.com/api/',        'https://api.prevu3d.com/api/'],
  ])('case 153: with %s is the platform’s own', async (_, apiUrl, base) => {
    const url = `${base}v1/nodes/${ORGANIZATION}/browse`;
    host.answer({ [`GET ${url}`]: json([]) });
    expect(await browseAt(json(info(apiUrl)))).toEqual([]);
    expect(host.sent.at(-1)!.url).toBe(url);
  });

  // prettier-ignore
  test.each<[string, Reply]>([
    ['no API URL',             json({ organization: { id: 'a' } })],
    ['an API URL of a number', json(info(1))],
    ['no organization',        json({ apiUrl: API_URL })],
    ['an organization of null', json({ organization: null, apiUrl: API_URL })],
    ['an organization without an id', json({ organization: { name: 'a' }, apiUrl: API_URL })],
    ['null',                   json(null)],
    ['an array',               json([info()])],
    ['a page',                 { body: '<html>' }],
    ['nothing',                {}],
  ])('an answer with %s is malformed_response', async (_, answer) => {
    expect((await failureOf(browseAt(answer))).code).toBe('malformed_response');
    expect((await failureOf(session.api.getApiInfo())).code).toBe('malformed_response');
  });

  const asked = () => host.sent.filter(({ url }) => url === API_INFO).length;

  test('is asked for once a sign-in, however many come at once', async () => {
    await allow();
    const browse = () => session.api.browse(ORGANIZATION);
    await Promise.all([browse(), browse(), browse()]);
    await browse();
    expect(asked()).toBe(1);
  });

  test('is asked for again after another sign-in: its user may live in another region', async () => {
    await allow();
    await session.api.browse(ORGANIZATION);
    host.answer({
      [`GET ${API_INFO}`]: json(info('https://api-euc1.prevu3d.com')),
      [`GET https://api-euc1.prevu3d.com/v1/nodes/${ORGANIZATION}/browse`]: json([]),
    });
    expect(await session.api.browse(ORGANIZATION)).toEqual(DIVISIONS);
    await allow();
    expect(await session.api.browse(ORGANIZATION)).toEqual([]);
    expect(asked()).toBe(2);
  });

  test('is asked for again when it could not be had', async () => {
    await failureOf(browseAt({ status: 404 }));
    host.answer(AS_PRINTED);
    expect(await session.api.browse(ORGANIZATION)).toEqual(DIVISIONS);
    expect(asked()).toBe(2);
  });

  test('is not kept from the user who was signed in before', async () => {
    await allow();
    await session.api.browse(ORGANIZATION);
    await session.signOut();
    const error = await failureOf(session.api.browse(ORGANIZATION));
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'signedOut' } });
  });
});

describe('browse', () => {
  const browse = async (answer: Reply, id = ORGANIZATION) => {
    await allow();
    host.answer({ [`GET ${API_URL}/v1/nodes/${encodeURIComponent(id)}/browse`]: answer });
    return session.api.browse(id);
  };

  // prettier-ignore
  test.each<[string, unknown]>([
    ['a bare array',                                 DIVISIONS],
    ['an object with one array',                     { nodes: DIVISIONS }],
    ['an object with one array, whatever its name',  { total: 2, 'é': DIVISIONS, page: { items: 1 }, next: null }],
  ])('understands %s, and keeps the fields it does not know', async (_, answer) => {
    expect(await browse(json(answer))).toEqual(DIVISIONS);
  });

  test.each<[string, unknown]>([
    ['an empty array', []],
    ['an object with an empty array', { nodes: [] }],
  ])('understands %s', async (_, answer) => {
    expect(await browse(json(answer))).toEqual([]);
  });

  // prettier-ignore
  test.each<[string, unknown]>([
    ['two arrays',                 { nodes: DIVISIONS, errors: [] }],
    ['no array',                   { nodes: { id: 'a' } }],
    ['an array further down',      { page: { nodes: DIVISIONS } }],
    ['null',                       null],
    ['text',                       'nodes'],
    ['a node without an id',       [{ id: 'a' }, { name: 'b' }]],
    ['an id of a number',          [{ id: 1 }]],
    ['a node that is null',        [null]],
    ['a node that is text',        ['a']],
    ['an array of arrays',         [[{ id: 'a' }]]],
  ])('refuses %s', async (_, answer) => {
    const error = await failureOf(browse(json(answer)));
    expect(error.code).toBe('malformed_response');
  });

  test.each(['a/b', 'a?b', 'a#b', 'a b', 'é', '%2e%2e'])(
    'case 154: an id of %s is one segment of the path',
    async (id) => {
      expect(await browse(json([]), id)).toEqual([]);
      expect(host.sent.at(-1)!.url).toBe(`${API_URL}/v1/nodes/${encodeURIComponent(id)}/browse`);
    },
  );

  test.each(['.', '..', '../../admin', 'a/..'])(
    'case 154: an id of %s leads to no other place',
    async (id) => {
      await failureOf(browse(json([]), id));
      expect(host.sent.map(({ url }) => url)).not.toContain(`${API_URL}/v1/browse`);
      expect(host.sent.map(({ url }) => url)).not.toContain(`${API_URL}/v1/nodes/browse`);
    },
  );

  test('a caller who leaves is let go', async () => {
    await allow();
    await session.api.getApiInfo();
    const signal = AbortSignal.abort();
    expect((await failureOf(session.api.browse(ORGANIZATION, { signal }))).code).toBe('aborted');
  });
});

test('walk visits everything below a node through browse, level by level', async () => {
  const below: Record<string, Prevu3dNode[]> = {
    [ORGANIZATION]: [{ id: 'd1' }, { id: 'd2' }],
    d1: [{ id: 's1', name: 'Site' }],
    s1: [{ id: ORGANIZATION }],
  };
  await allow();
  for (const id of [ORGANIZATION, 'd1', 'd2', 's1']) {
    host.answer({ [`GET ${API_URL}/v1/nodes/${id}/browse`]: json({ nodes: below[id] ?? [] }) });
  }
  const steps = [];
  for await (const step of session.api.walk(ORGANIZATION)) steps.push(step);
  expect(steps).toEqual([
    { node: { id: 'd1' }, depth: 1, parentId: ORGANIZATION },
    { node: { id: 'd2' }, depth: 1, parentId: ORGANIZATION },
    { node: { id: 's1', name: 'Site' }, depth: 2, parentId: 'd1' },
  ]);
});
