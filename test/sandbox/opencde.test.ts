import { createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import { OPENCDE, PROJECT, read, SERVER, start, TOPICS } from './opencde-client.js';
import { createClient, type Changes } from './sandbox-client.js';

const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });
const NO_PKCE = { code_challenge: null, code_challenge_method: null };
const codeOf = (redirect: string) => new URL(redirect).searchParams.get('code') ?? '';

const registered = (...redirectUris: string[]) =>
  createClient(createSandbox({ provider: 'opencde', redirectUris }), OPENCDE);

describe('discovery', () => {
  test('names foundation and bcf in two versions each, without a bearer', async () => {
    const { status, json } = await start().get(`${SERVER}/foundation/versions`);
    expect(status).toBe(200);
    expect(json.versions.map((each: any) => [each.api_id, each.version_id])).toEqual([
      ['foundation', '1.1'],
      ['foundation', '1.0'],
      ['bcf', '3.0'],
      ['bcf', '2.1'],
    ]);
    for (const each of json.versions) {
      expect(Object.keys(each)).toEqual(['api_id', 'version_id', 'detailed_version']);
      expect(each.detailed_version).toMatch(/^https:\/\/github\.com\/buildingSMART\/.*\d_\d$/);
    }
  });

  test('/bcf/versions is from before the Foundation API: no api_id, 2.1 only', async () => {
    const { json } = await start().get(`${SERVER}/bcf/versions`);
    expect(json.versions).toEqual([
      { version_id: '2.1', detailed_version: expect.stringContaining('BCF-API') },
    ]);
  });

  test.each(['foundation/1.0/auth', 'foundation/1.1/auth', 'bcf/2.1/auth'])(
    '%s says where to sign in',
    async (path) => {
      expect((await start().get(`${SERVER}/${path}`)).json).toEqual({
        oauth2_auth_url: OPENCDE.authorize,
        oauth2_token_url: OPENCDE.token,
        http_basic_supported: false,
        supported_oauth2_flows: ['authorization_code_grant'],
      });
    },
  );

  test.each(['foundation/1.2/auth', 'foundation/auth', 'bcf/1.0/auth', 'foundation/bcf/versions'])(
    '%s is not there',
    async (path) => {
      expect((await start().get(`${SERVER}/${path}`)).status).toBe(404);
    },
  );

  test('a server may lie under a path; its OAuth does not', async () => {
    const client = start();
    const { json } = await client.get(`${SERVER}/opencde/foundation/1.1/auth`);
    expect(json.oauth2_token_url).toBe(OPENCDE.token);
    const projects = await read(client, `${SERVER}/opencde/bcf/3.0/projects`);
    expect(projects.json).toHaveLength(3);
  });

  test('a server is where it is asked, as sandboxEnvironment says', async () => {
    const { serverUrl } = sandboxEnvironment('opencde', 'http://localhost:8080');
    const { json } = await start().get(`${serverUrl}/foundation/1.1/auth`);
    expect(json.oauth2_auth_url).toBe('http://localhost:8080/oauth2/authorize');
  });
});

describe('the authorization endpoint', () => {
  test.each<[string, 'allow' | 'deny', string]>([
    ['a code', 'allow', 'code'],
    ['a denial', 'deny', 'error'],
  ])('sends %s with the state', async (_, decision, name) => {
    const redirect = new URL(await start().consent({ decision }));
    expect([...redirect.searchParams.keys()]).toEqual([name, 'state']);
    expect(redirect.searchParams.get('state')).toBe('state-1');
  });

  test('sends no state when there was none', async () => {
    const redirect = new URL(await start().consent({}, { state: null }));
    expect([...redirect.searchParams.keys()]).toEqual(['code']);
  });

  test.each([
    'http://127.0.0.1:1/x',
    'http://localhost:8080',
    'https://plugin.example/callback?tenant=a',
  ])('takes %s when nothing is registered, by either name', async (uri) => {
    const joint = uri.includes('?') ? '&' : '?';
    for (const changes of [{ redirect_uri: uri }, { redirect_uri: null, redirect_url: uri }]) {
      const redirect = await start().consent({}, changes);
      expect(redirect.startsWith(`${uri}${joint}code=`)).toBe(true);
    }
  });

  test('takes a registered address exactly as it is', async () => {
    const client = registered('http://localhost:8080/callback', 'my-plugin://callback');
    for (const [uri, status] of [
      ['http://localhost:8080/callback', 200],
      ['my-plugin://callback', 200],
      ['http://localhost:8080/callback/', 400],
      ['http://localhost:8081/callback', 400],
      ['https://plugin.example/callback', 400],
    ] as const) {
      const page = await client.get(client.authorizationUrl({ redirect_uri: uri }));
      expect([uri, page.status]).toEqual([uri, status]);
    }
  });

  test.each<[string, Changes]>([
    ['plain http on a host', { redirect_uri: 'http://plugin.example/callback' }],
    ['a name that begins like loopback', { redirect_uri: 'http://localhost.evil.example/' }],
    ['a scheme of one’s own', { redirect_uri: 'my-plugin://callback' }],
    ['a fragment', { redirect_uri: 'https://plugin.example/#x' }],
    ['a user in the address', { redirect_uri: 'https://a@plugin.example/' }],
    ['no redirect_uri', { redirect_uri: null }],
    ['redirect_uri and redirect_url', { redirect_url: 'http://localhost:1' }],
    ['no client_id', { client_id: null }],
    ['state twice', { state: ['a', 'b'] }],
  ])('sends nobody anywhere for %s', async (_, changes) => {
    const client = start();
    const page = await client.get(client.authorizationUrl(changes));
    expect([page.status, page.header('location')]).toEqual([400, undefined]);
    expect(page.text).toContain('SANDBOX');
  });

  test.each<[string, Changes, string]>([
    ['another response_type', { response_type: 'token' }, 'unsupported_response_type'],
    ['the plain method', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a challenge without a method', { code_challenge_method: null }, 'invalid_request'],
    ['a challenge that is no SHA-256', { code_challenge: 'short' }, 'invalid_request'],
  ])('answers %s by redirect', async (_, changes, error) => {
    const redirect = new URL(await start().consent({}, changes));
    expect(Object.fromEntries(redirect.searchParams)).toEqual({ error, state: 'state-1' });
  });
});

describe('the token endpoint', () => {
  test('answers as the standard’s example does: 201, and the lifetime is a text', async () => {
    const client = start();
    const { status, json } = await client.exchange(await client.code());
    expect(status).toBe(201);
    expect(Object.keys(json)).toEqual([
      'access_token',
      'token_type',
      'expires_in',
      'refresh_token',
    ]);
    expect([json.token_type, json.expires_in]).toEqual(['bearer', '3600']);
    const again = await client.refresh(json.refresh_token);
    expect([again.status, again.json.expires_in]).toEqual([201, '3600']);
  });

  test('may leave the lifetime out', async () => {
    expect(await start('token-expires-absent').signIn()).not.toHaveProperty('expires_in');
  });

  test.each<[string, Changes, Changes, Record<string, string>]>([
    ['its id and PKCE', {}, {}, {}],
    ['its id, without PKCE', NO_PKCE, { code_verifier: null }, {}],
    ['a Basic header', {}, { client_id: null }, basic('plug-in:s')],
    ['a Basic header and its id', {}, {}, basic('plug-in:s')],
    ['a Basic header, as it is', {}, { client_id: null }, basic('plug-in:a:b+c %41')],
    [
      'a Basic header only, as in the standard’s example',
      NO_PKCE,
      { client_id: null, redirect_uri: null, code_verifier: null },
      basic('plug-in:s'),
    ],
  ])('takes a client with %s', async (_, asked, changes, headers) => {
    const client = start();
    const code = codeOf(await client.consent({}, asked));
    const answer = await client.exchange(code, changes, headers);
    expect(answer.status).toBe(201);
    const { client_id = 'plug-in' } = changes;
    const again = await client.refresh(answer.json.refresh_token, { client_id }, headers);
    expect(again.status).toBe(201);
  });

  test.each<[string, Changes, Record<string, string>, number, string]>([
    ['the wrong secret', {}, basic('plug-in:wrong'), 401, 'invalid_client'],
    ['no secret in the header', {}, basic('plug-in:'), 401, 'invalid_client'],
    ['a header that is not Basic', {}, { authorization: 'Bearer x' }, 401, 'invalid_client'],
    ['a secret in the form', { client_secret: 's' }, {}, 401, 'invalid_client'],
    ['no client', { client_id: null }, {}, 401, 'invalid_client'],
    ['two clients', { client_id: 'other' }, basic('plug-in:s'), 400, 'invalid_request'],
    ['another client', { client_id: 'other' }, {}, 400, 'invalid_grant'],
    ['another client in the header', { client_id: null }, basic('other:s'), 400, 'invalid_grant'],
    ['another redirect_uri', { redirect_uri: 'http://127.0.0.1:1/' }, {}, 400, 'invalid_grant'],
    ['no redirect_uri', { redirect_uri: null }, {}, 400, 'invalid_grant'],
    ['another verifier', { code_verifier: 'a'.repeat(43) }, {}, 400, 'invalid_grant'],
    ['no verifier', { code_verifier: null }, {}, 400, 'invalid_grant'],
    [
      'no verifier from a secret',
      { code_verifier: null },
      basic('plug-in:s'),
      400,
      'invalid_grant',
    ],
    ['an unknown code', { code: 'sandbox-code-unknown' }, {}, 400, 'invalid_grant'],
    ['no code', { code: null }, {}, 400, 'invalid_request'],
    ['JSON', {}, { 'content-type': 'application/json' }, 400, 'invalid_request'],
    ['a service', { grant_type: 'client_credentials' }, {}, 400, 'unsupported_grant_type'],
  ])('refuses %s', async (_, changes, headers, status, error) => {
    const client = start();
    const answer = await client.exchange(await client.code(), changes, headers);
    expect([answer.status, answer.json.error]).toEqual([status, error]);
  });

  test('refuses a verifier that no challenge stands for', async () => {
    const client = start();
    const answer = await client.exchange(codeOf(await client.consent({}, NO_PKCE)));
    expect([answer.status, answer.json.error]).toEqual([400, 'invalid_grant']);
  });

  test('takes a code once, and a refresh token once', async () => {
    const client = start();
    const code = await client.code();
    const { refresh_token } = (await client.exchange(code)).json;
    const second = (await client.refresh(refresh_token)).json;
    expect(second.refresh_token).not.toBe(refresh_token);
    expect((await client.refresh(refresh_token)).json.error).toBe('invalid_grant');
    expect((await client.refresh(second.refresh_token)).json.error).toBe('invalid_grant');
    expect((await client.exchange(code)).json.error).toBe('invalid_grant');
  });
});

const CURRENT_USER = `${SERVER}/foundation/1.1/current-user`;
const PROJECTS = `${SERVER}/bcf/3.0/projects`;

describe('the API', () => {
  test.each(['foundation/1.0', 'foundation/1.1', 'bcf/2.1'])(
    '%s/current-user is the standard’s example',
    async (api) => {
      const { json } = await read(start(), `${SERVER}/${api}/current-user`);
      expect(json).toEqual({ id: 'Architect@example.com', name: 'John Doe' });
    },
  );

  test.each<[string, string | undefined]>([
    ['no token', undefined],
    ['a text that is no token', 'nonsense'],
    ['a changed token', 'sandbox.e30.AAAAAAAAAAAA'],
  ])('answers %s with 401, a challenge and a message', async (_, token) => {
    for (const url of [CURRENT_USER, PROJECTS, TOPICS, `${PROJECTS}/unknown`]) {
      const answer = await start().get(url, token);
      expect([answer.status, answer.json]).toEqual([401, { message: 'Unauthorized' }]);
      expect(answer.header('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
  });

  test('tokens expire after an hour', async () => {
    let now = 0;
    const client = createClient(createSandbox({ provider: 'opencde', nowMs: () => now }), OPENCDE);
    const { access_token } = await client.signIn();
    now = 3_599_999;
    expect((await client.get(PROJECTS, access_token)).status).toBe(200);
    now = 3_600_000;
    expect((await client.get(PROJECTS, access_token)).status).toBe(401);
  });

  test.each(['2.1', '3.0'])(
    'BCF %s leads from projects over topics to comments',
    async (version) => {
      const client = start();
      const base = `${SERVER}/bcf/${version}/projects`;
      const projects = (await read(client, base)).json;
      expect(projects.map((each: any) => Object.keys(each))).toEqual(
        Array(3).fill(['project_id', 'name', 'authorization']),
      );
      expect((await read(client, `${base}/${PROJECT}`)).json).toEqual(projects[0]);

      const topics = (await read(client, `${base}/${PROJECT}/topics`)).json;
      expect(topics).toHaveLength(23);
      expect(new Set(topics.map((each: any) => each.guid)).size).toBe(23);
      const at = `${base}/${PROJECT}/topics/${topics[22].guid}`;
      expect((await read(client, at)).json).toEqual(topics[22]);

      const comments = (await read(client, `${at}/comments`)).json;
      expect(comments.map((each: any) => each.topic_guid)).toEqual(Array(2).fill(topics[22].guid));
      expect(comments[0].guid).not.toBe(comments[1].guid);
    },
  );

  test('a topic holds what a list shows, in order of its date', async () => {
    const topics = (await read(start(), TOPICS)).json;
    expect(topics[0]).toEqual({
      guid: '420b24db-921c-46d6-9629-700000000001',
      server_assigned_id: 'ISSUE-00001',
      topic_type: 'Clash',
      topic_status: 'Open',
      title: 'Duct runs through beam B-12',
      priority: 'High',
      labels: ['Architecture'],
      creation_date: '2026-01-05T08:30:00.000Z',
      creation_author: 'Architect@example.com',
      modified_date: '2026-02-04T08:30:00.000Z',
      modified_author: 'BIM-Manager@example.com',
      assigned_to: 'bob_heater@example.com',
      description: 'Duct runs through beam B-12. Found in the weekly check.',
    });
    const dates = topics.map((each: any) => each.creation_date);
    expect(dates).toEqual([...dates].sort());
  });

  test('2.1 has an index and user_id_type where 3.0 has server_assigned_id and users', async () => {
    const client = start();
    const old = TOPICS.replace('3.0', '2.1');
    const [topic] = (await read(client, old)).json;
    expect([topic.index, 'server_assigned_id' in topic]).toEqual([1, false]);
    const extensions = (url: string) => read(client, url.replace(/topics$/, 'extensions'));
    expect((await extensions(old)).json.user_id_type).toHaveLength(3);
    expect((await extensions(TOPICS)).json.users).toHaveLength(3);
  });

  test('authorization of topics comes to who asks for it', async () => {
    const client = start();
    const [topic] = (await read(client, TOPICS)).json;
    for (const url of [`${TOPICS}/${topic.guid}`, TOPICS]) {
      const { json } = await read(client, `${url}?includeAuthorization=true`);
      expect([json].flat()[0]).toHaveProperty('authorization.topic_actions');
    }
    expect(topic).not.toHaveProperty('authorization');
  });

  test.each([
    ['?$top=10', 1, 10],
    ['?$top=10&$skip=10', 11, 20],
    ['?$top=10&$skip=20', 21, 23],
    ['?$skip=21', 22, 23],
    ['?%24top=1', 1, 1],
    ['?$top=100', 1, 23],
    ["?$filter=topic_status eq 'Open'&$orderby=modified_date desc&$top=1", 1, 1],
  ])('%s gives the topics %i to %i, and nothing about the others', async (query, from, to) => {
    const all = (await read(start(), TOPICS)).json;
    const page = await read(start(), `${TOPICS}${query}`);
    expect(page.json).toEqual(all.slice(from - 1, to));
    expect(page.header('link')).toBeUndefined();
  });

  test.each(['?$skip=23', '?$top=0'])('%s gives an empty list', async (query) => {
    expect((await read(start(), `${TOPICS}${query}`)).json).toEqual([]);
  });

  test.each(['?$top=-1', '?$top=ten', '?$skip=1.5', '?$top='])('%s is refused', async (query) => {
    const answer = await read(start(), `${TOPICS}${query}`);
    expect([answer.status, Object.keys(answer.json)]).toEqual([400, ['message']]);
  });

  test('projects and comments have pages, too', async () => {
    const client = start();
    const [second] = (await read(client, `${PROJECTS}?$top=1&$skip=1`)).json;
    expect(second.name).toBe('Longueuil Plant');
    const { json } = await read(
      client,
      `${TOPICS}/420b24db-921c-46d6-9629-700000000001/comments?$top=1`,
    );
    expect(json).toHaveLength(1);
  });

  test('an id is any text, and a project without topics has an empty list', async () => {
    const client = start();
    const { project_id } = (await read(client, PROJECTS)).json[2];
    expect(project_id).toBe('station north (2)');
    const topics = await read(client, `${PROJECTS}/${encodeURIComponent(project_id)}/topics`);
    expect([topics.status, topics.json]).toEqual([200, []]);
  });

  test.each([
    'unknown',
    '%zz',
    'constructor',
    'unknown/topics',
    `${PROJECT}/files`,
    `${PROJECT}/extensions/x`,
    `${PROJECT}/topics/unknown`,
    `${PROJECT}/topics/unknown/comments`,
    `${PROJECT}/topics/420b24db-921c-46d6-9629-700000000001/viewpoints`,
    `${PROJECT}/topics/420b24db-921c-46d6-9629-700000000001/comments/x`,
  ])('%s is not found', async (path) => {
    const answer = await read(start(), `${PROJECTS}/${path}`);
    expect([answer.status, answer.json]).toEqual([404, { message: 'Not Found' }]);
  });
});
