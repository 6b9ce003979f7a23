import { createHash } from 'node:crypto';
import { memoryStore, type ApiRequest } from 'mortise';
import { opencde, type OpencdeOptions } from 'mortise/providers/opencde';
import { failureOf } from '../api/support/failure.js';
import type { FakeAnswer } from '../support/fake-host.js';
import { form } from './support/fake-host.js';
import {
  closeAll,
  FOREIGN,
  open,
  PROJECT,
  PUBLIC,
  REDIRECT_URI,
  SECRET,
  SERVER,
  type OpencdeSetup,
} from './support/opencde.js';

const USER = { id: 'Architect@example.com', name: 'John Doe' };
const TOKEN = `POST ${SERVER}/oauth2/token`;
const HOUR_MS = 3_600_000;
const TOPICS = `bcf/3.0/projects/${PROJECT}/topics`;

const signedIn = async (setup?: OpencdeSetup) => {
  const fixture = open(setup);
  await fixture.signIn();
  fixture.news();
  return fixture;
};

afterEach(closeAll);

describe('a sign-in', () => {
  test('asks for the versions, how users sign in, and tokens: nothing else', async () => {
    const { signIn, news, session } = open();
    await signIn();
    expect(news()).toEqual([
      `GET ${SERVER}/foundation/versions`,
      `GET ${SERVER}/foundation/1.1/auth`,
      TOKEN,
    ]);
    expect(session.state).toMatchObject({ name: 'signedIn', scopes: [] });
  });

  test('opens the page that was found, with PKCE, and without a scope', async () => {
    const page = await open().signIn();
    expect(page.origin + page.pathname).toBe(`${SERVER}/oauth2/authorize`);
    const { state, code_challenge: challenge, ...rest } = Object.fromEntries(page.searchParams);
    expect(rest).toEqual({
      response_type: 'code',
      client_id: 'plug-in',
      redirect_uri: REDIRECT_URI,
      code_challenge_method: 'S256',
    });
    expect([...page.searchParams]).toHaveLength(6);
    expect(challenge).toMatch(/^[\w-]{43}$/);
    expect(state).toMatch(/^[\w-]{43}$/);
  });

  test('asks for the scopes that a server wants', async () => {
    const { session, signIn } = open({ options: { scopes: ['bcf_v2_1', 'api'] } });
    expect((await signIn()).searchParams.get('scope')).toBe('bcf_v2_1 api');
    expect(session.state).toMatchObject({ scopes: ['bcf_v2_1', 'api'] });
  });

  test('of a public client names it in the form, and shows no secret', async () => {
    const { signIn, sent } = open();
    const page = await signIn();
    const { headers, body } = sent.at(-1)!;
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(headers).not.toHaveProperty('authorization');
    const { code, code_verifier: verifier = '', ...rest } = form(body);
    expect(code).not.toBe('');
    expect(createHash('sha256').update(verifier).digest('base64url')).toBe(
      page.searchParams.get('code_challenge'),
    );
    expect(rest).toEqual({
      grant_type: 'authorization_code',
      client_id: 'plug-in',
      redirect_uri: REDIRECT_URI,
    });
  });

  test('case 114: of a confidential client shows its secret in a Basic header alone', async () => {
    const { signIn, sent, session, host } = open({
      options: { clientId: 'plug in é', clientSecret: SECRET },
    });
    await signIn();
    await host.clock.advance(HOUR_MS);
    await session.getAccessToken();
    const credentials = Buffer.from(`plug in é:${SECRET}`).toString('base64');
    const [exchange, refresh] = sent.filter(({ method }) => method === 'POST');
    for (const { headers, body } of [exchange!, refresh!]) {
      expect(headers['authorization']).toBe(`Basic ${credentials}`);
      expect(form(body)).not.toHaveProperty('client_id');
      expect(form(body)).not.toHaveProperty('client_secret');
    }
    expect(form(exchange!.body)).toHaveProperty('code_verifier');
  });

  test('of a confidential client is not begun in a host that cannot keep a secret', async () => {
    const make = async () => open({ options: { clientSecret: SECRET }, client: 'public' });
    expect((await failureOf(make())).code).toBe('configuration_error');
  });

  test('with a wrong secret is invalid_client', async () => {
    const { signIn, session } = open({ options: { clientSecret: 'wrong' } });
    const error = await failureOf(signIn());
    expect(error).toMatchObject({ code: 'invalid_client', details: { status: 401 } });
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });

  test('case 106: understands status 201 and the lifetime "3600"', async () => {
    const { session, host } = await signedIn();
    expect(session.state).toMatchObject({ expiresAtMs: host.clock.nowMs() + HOUR_MS });
  });

  test('denied, says so', async () => {
    const { signIn, news, session } = open();
    expect((await failureOf(signIn('deny'))).code).toBe('access_denied');
    expect(news()).not.toContain(TOKEN);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
  });

  test('takes the redirect URIs exactly as they were registered', () => {
    const redirectUris = ['http://localhost:8080', 'https://plug-in.example/done?at=1'];
    expect(opencde({ ...PUBLIC, redirectUris }).redirect).toEqual(redirectUris);
  });
});

describe('a signed-in session', () => {
  test('renews its token when it is over, with the newest refresh token', async () => {
    const { session, host, sent, news } = await signedIn();
    const tokens = [await session.getAccessToken()];
    for (let hour = 0; hour < 3; hour += 1) {
      await host.clock.advance(HOUR_MS);
      tokens.push(await session.getAccessToken());
    }
    expect(new Set(tokens).size).toBe(4);
    expect(news()).toEqual([TOKEN, TOKEN, TOKEN]);
    const forms = sent.slice(-3).map(({ body }) => form(body));
    for (const { refresh_token: refreshToken, ...rest } of forms) {
      expect(refreshToken).toBeTruthy();
      expect(rest).toEqual({ grant_type: 'refresh_token', client_id: 'plug-in' });
    }
    expect(new Set(forms.map((each) => each['refresh_token'])).size).toBe(3);
  });

  test('shows its token to the API after a renewal, too', async () => {
    const { api, host, over } = await signedIn();
    await over(api.projects());
    await host.clock.advance(HOUR_MS);
    expect(await over(api.projects())).toHaveLength(3);
  });

  test('is found again by the next one, which asks where to renew it', async () => {
    const store = memoryStore();
    const first = await signedIn({ store });
    const token = await first.session.getAccessToken();
    const { session, news } = open({ store });
    expect(await session.getAccessToken()).toBe(token);
    expect(news()).toEqual([]);
  });

  test('signed out is forgotten; there is no place to tell the server', async () => {
    const store = memoryStore();
    const { session, news, api } = await signedIn({ store });
    await session.signOut();
    expect(news()).toEqual([]);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    for (const call of [api.currentUser(), api.projects(), session.getAccessToken()]) {
      expect((await failureOf(call)).code).toBe('sign_in_required');
    }
    const next = open({ store });
    expect((await failureOf(next.session.getAccessToken())).code).toBe('sign_in_required');
  });

  test('has no token for fewer scopes', async () => {
    const { session } = await signedIn({ options: { scopes: ['a', 'b'] } });
    const share = async () => session.share({ scopes: ['a'] });
    expect((await failureOf(share())).code).toBe('configuration_error');
  });
});

describe('the API', () => {
  const VERSIONS = `GET ${SERVER}/foundation/versions`;
  type Api = Awaited<ReturnType<typeof signedIn>>['api'];

  // prettier-ignore
  test.each<[string, (api: Api) => PromiseLike<unknown>, string[]]>([
    ['versions',                    (api) => api.versions(),                             ['foundation/versions']],
    ['currentUser',                 (api) => api.currentUser(),                          ['foundation/versions', 'foundation/1.1/current-user']],
    ['projects',                    (api) => api.projects(),                             ['foundation/versions', 'bcf/3.0/projects?$top=100']],
    ['projects, two at a time',     (api) => api.projects({ limit: 2 }),                 ['foundation/versions', 'bcf/3.0/projects?$top=2', 'bcf/3.0/projects?$top=2&$skip=2']],
    ['topics',                      (api) => api.topics(PROJECT),                        ['foundation/versions', `${TOPICS}?$top=100`]],
    ['topics, twelve at a time',    (api) => api.topics(PROJECT, { limit: 12 }),         ['foundation/versions', `${TOPICS}?$top=12`, `${TOPICS}?$top=12&$skip=12`]],
    ['topics, filtered',            (api) => api.topics(PROJECT, { filter: "topic_status eq 'Open'" }), ['foundation/versions', `${TOPICS}?$filter=topic_status+eq+'Open'&$top=100`]],
    ['topics, in order',            (api) => api.topics(PROJECT, { orderBy: 'modified_date desc' }),    ['foundation/versions', `${TOPICS}?$orderby=modified_date+desc&$top=100`]],
    ['request',                     (api) => api.request({ path: `${TOPICS}?a=b` }),     [`${TOPICS}?a=b`]],
    ['bcf',                         (api) => api.bcf({ path: `projects/${PROJECT}/extensions` }), ['foundation/versions', `bcf/3.0/projects/${PROJECT}/extensions`]],
  ])('%s is the request of the document, with the token in its header alone', async (_, call, paths) => {
    const { api, news, sent, session } = await signedIn();
    await call(api);
    expect(news()).toEqual(paths.map((path) => `GET ${SERVER}/${path}`));
    const token = await session.getAccessToken();
    for (const { url, headers } of sent.slice(-paths.length)) {
      const isDocument = url.endsWith('/versions');
      expect(headers['authorization']).toBe(isDocument ? undefined : `Bearer ${token}`);
    }
  });

  test('currentUser is the user, and what else the server says of them', async () => {
    const user = { ...USER, email: null };
    const answers = { '/foundation/1.1/current-user': { json: user } };
    expect(await (await signedIn()).api.currentUser()).toEqual(USER);
    expect(await (await signedIn({ answers })).api.currentUser()).toEqual(user);
  });

  // prettier-ignore
  test.each<[string, object, string]>([
    ['the name',                      USER,                       'John Doe'],
    ['the id without a name',         { id: 'u1' },               'u1'],
    ['the id with a name of null',    { id: 'u1', name: null },   'u1'],
    ['the id with an empty name',     { id: 'u1', name: '' },     'u1'],
    ['the id with a name of no text', { id: 'u1', name: ['x'] },  'u1'],
  ])('a login button shows %s', async (_, json, shown) => {
    const { api } = await signedIn({ answers: { '/foundation/1.1/current-user': { json } } });
    expect(await opencde(PUBLIC).displayName?.(api)).toBe(shown);
  });

  test('projects and topics can be awaited, or read one by one', async () => {
    const { api } = await signedIn();
    const projects = await api.projects();
    expect(projects.map(({ name }) => name)).toEqual([
      'Harbour Bridge',
      'Longueuil Plant',
      'Station North',
    ]);
    const titles: unknown[] = [];
    for await (const { title } of api.topics(projects[1]!.project_id)) titles.push(title);
    expect(titles).toEqual(['Crane rail meets the gantry', 'Height of the loading dock']);
  });

  test('case 154: a project id is any text, and one segment of the path', async () => {
    const { api, sent } = await signedIn();
    expect(await api.topics('station north (2)')).toEqual([]);
    const path = '/bcf/3.0/projects/station%20north%20(2)/topics';
    expect(new URL(sent.at(-1)!.url).pathname).toBe(path);
    for (const id of ['a/b', 'a?b#c', '%2e%2e', 'é']) {
      const error = await failureOf(api.topics(id));
      expect(error).toMatchObject({ code: 'http_error', details: { status: 404 } });
      const segment = encodeURIComponent(id);
      expect(new URL(sent.at(-1)!.url).pathname).toBe(`/bcf/3.0/projects/${segment}/topics`);
    }
  });

  test.each(['', '.', '..', '\ud800'])(
    'case 154: a project id of %j is none, which is said to who reads the list',
    async (id) => {
      const { api, news } = await signedIn();
      expect((await failureOf(api.topics(id))).code).toBe('configuration_error');
      expect(news()).toEqual([]);
    },
  );

  test('a limit that is none is said to who reads the list', async () => {
    const { api, news } = await signedIn();
    for (const list of [api.projects({ limit: 0 }), api.topics(PROJECT, { limit: 1.5 })]) {
      expect((await failureOf(list)).code).toBe('configuration_error');
    }
    expect(news()).toEqual([]);
  });

  test('the place of the BCF API is asked for once a sign-in', async () => {
    const { api, news, signIn } = await signedIn();
    await Promise.all([api.projects(), api.topics(PROJECT), api.bcf({ path: 'projects' })]);
    await api.projects();
    expect(news().filter((each) => each === VERSIONS)).toHaveLength(1);
    await signIn();
    await api.projects();
    expect(news().filter((each) => each === VERSIONS)).toHaveLength(1);
  });

  test('versions needs no sign-in', async () => {
    const { api, news } = open();
    expect((await api.versions()).map((each) => `${each.api_id} ${each.version_id}`)).toEqual([
      'foundation 1.1',
      'foundation 1.0',
      'bcf 3.0',
      'bcf 2.1',
    ]);
    expect(news()).toEqual([VERSIONS]);
  });

  test.each([
    `${FOREIGN}/bcf`,
    '//collector.example/',
    '/\\collector.example',
    '../../x',
    'https:x',
  ])('case 157: a path of %s leads nowhere else', async (path) => {
    const { api, news } = await signedIn({ options: { serverUrl: `${SERVER}/opencde` } });
    await api.projects();
    news();
    for (const send of [api.request, api.bcf]) {
      expect((await failureOf(send({ path }))).code).toBe('api_url_untrusted');
    }
    expect(news()).toEqual([]);
  });

  test('writes as the server says, once', async () => {
    const topic: ApiRequest = {
      method: 'POST',
      path: `projects/${PROJECT}/topics`,
      json: { title: 'A' },
    };
    const answers = { [`/${TOPICS}`]: { status: 409, json: { message: 'It is there.' } } };
    const { api, news } = await signedIn({ answers });
    const error = await failureOf(api.bcf(topic));
    expect(error).toMatchObject({
      code: 'http_error',
      details: { status: 409, errorDescription: 'It is there.' },
    });
    expect(news().slice(1)).toEqual([`POST ${SERVER}/${TOPICS}`]);
  });

  test('who leaves is let go', async () => {
    const { api, over } = await signedIn({ faults: ['api-hang'] });
    const leaving = new AbortController();
    const { signal } = leaving;
    const calls = [
      api.projects({ signal }),
      api.topics(PROJECT, { signal }),
      api.currentUser({ signal: AbortSignal.abort() }),
    ].map(failureOf);
    leaving.abort();
    for (const { code } of await over(Promise.all(calls))) expect(code).toBe('aborted');
  });
});

describe('an answer that failed', () => {
  const PROJECTS = '/bcf/3.0/projects';
  const challenge = { 'www-authenticate': 'Bearer error="insufficient_scope", scope="bcf_v2_1"' };
  const message = 'Not for you.';

  // prettier-ignore
  test.each<[string, FakeAnswer, object]>([
    ['case 164: 403 and why',      { status: 403, json: { message } },   { code: 'forbidden', details: { status: 403, errorDescription: message } }],
    ['case 164: 403 alone',        { status: 403 },                      { code: 'forbidden', details: { status: 403 } }],
    ['case 163: a missing scope',  { status: 403, headers: challenge, json: { message } }, { code: 'insufficient_scope', details: { status: 403, scope: 'bcf_v2_1' } }],
    ['401 and why, renewed or not', { status: 401, json: { message } },  { code: 'http_error', details: { status: 401 } }],
    ['404 and why',                { status: 404, json: { message } },   { code: 'http_error', details: { status: 404, errorDescription: message } }],
    ['404 and a page',             { status: 404, text: '<html>' },      { code: 'http_error', details: { status: 404 } }],
    ['400 and no reason',          { status: 400, json: { message: 5 } }, { code: 'http_error', details: { status: 400 } }],
    ['400 and null',               { status: 400, json: null },          { code: 'http_error', details: { status: 400 } }],
    ['429 with patience',          { status: 429, headers: { 'retry-after': '90' }, json: { message } }, { code: 'rate_limited', details: { status: 429, retryAfterMs: 90_000 } }],
    ['500 and why',                { status: 500, json: { message } },   { code: 'http_error', details: { status: 500 }, retryable: true }],
    ['case 159: a redirect',       { status: 302, headers: { location: FOREIGN } }, { code: 'http_error', details: { status: 302 } }],
    ['case 166: a page',           { status: 200, text: '<html>' },      { code: 'malformed_response' }],
  ])('%s', async (_, answer, expected) => {
    const { api, over } = await signedIn({ answers: { [PROJECTS]: answer } });
    expect(await over(failureOf(api.projects()))).toMatchObject(expected);
  });

  test('in the middle of a list comes after what came before it', async () => {
    const { api, session, host, news } = await signedIn();
    const iterator = api.topics(PROJECT, { limit: 10 })[Symbol.asyncIterator]();
    for (let count = 0; count < 10; count += 1) expect((await iterator.next()).done).toBe(false);
    await session.signOut();
    expect((await failureOf(iterator.next())).code).toBe('sign_in_required');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    const asked = news().filter((each) => each.includes('/topics'));
    expect(asked).toEqual([`GET ${SERVER}/${TOPICS}?$top=10`]);
    expect(host.clock.pending).toBe(0);
  });
});

// prettier-ignore
test.each<[string, Partial<Record<keyof OpencdeOptions, unknown>>]>([
  ['no client ID',                                 { clientId: '' }],
  ['no server',                                    { serverUrl: undefined }],
  ['no redirect URI',                              { redirectUris: [] }],
  ['redirect URIs that are text',                  { redirectUris: REDIRECT_URI }],
  ['a redirect URI with a fragment',               { redirectUris: [`${REDIRECT_URI}#a`] }],
  ['a redirect URI that is no address',            { redirectUris: ['callback'] }],
  ['a trusted origin without a scheme',            { trustedOrigins: ['bcf.example.com'] }],
  ['a trusted origin over http',                   { trustedOrigins: ['http://bcf.example.com'] }],
  ['a trusted origin of another scheme',           { trustedOrigins: ['ftp://bcf.example.com'] }],
  ['a trusted origin with a user name',            { trustedOrigins: ['https://me@bcf.example.com'] }],
  ['a trusted origin of a number',                 { trustedOrigins: [5] }],
  ['a trusted origin of null',                     { trustedOrigins: [null] }],
  ['trusted origins that are text',                { trustedOrigins: FOREIGN }],
  ['trusted origins of null',                      { trustedOrigins: null }],
])('%s is a configuration_error', async (_, options) => {
  const make = async () => opencde({ ...PUBLIC, ...options } as OpencdeOptions);
  expect((await failureOf(make())).code).toBe('configuration_error');
});
