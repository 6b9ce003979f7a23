import { sandboxEnvironment } from 'mortise/sandbox';
import { VERIFIER } from './sandbox-client.js';
import {
  APP,
  CHALLENGE,
  codeOf,
  GRAPHQL,
  LEGACY,
  LOGOUT,
  NEW,
  PROJECTS,
  SERVER,
  start,
  verifyUrl,
  type Fields,
} from './speckle-client.js';

const CALLBACK = 'http://localhost:3000/callback';
const ME = '{ activeUser { id name email } }';
const NOT_VALID = { error: 'Your token is not valid.' };

describe('the consent page', () => {
  test('names the application and the scopes it was registered with', async () => {
    const page = await start().get(verifyUrl());
    expect(page.status).toBe(200);
    for (const text of [
      'SANDBOX',
      APP,
      CALLBACK,
      'profile:read',
      'profile:email',
      'streams:read',
      'streams:write',
    ]) {
      expect(page.text).toContain(text);
    }
    expect(page.text).not.toContain('<script');
  });

  test.each<[string, string, number]>([
    ['any text as challenge', verifyUrl('x', ''), 200],
    ['255 characters', verifyUrl('x'.repeat(255), ''), 200],
    ['256 characters', verifyUrl('x'.repeat(256), ''), 500],
    ['no challenge', verifyUrl('', ''), 404],
    ['no application', verifyUrl('x', '', ''), 404],
    ['a percent sign alone', verifyUrl('%', ''), 400],
    [
      'the address as the guide prints it',
      verifyUrl(CHALLENGE, '&code_challenge_method=S256'),
      200,
    ],
  ])('%s: %#', async (_, url, status) => {
    const page = await start().get(url);
    expect([page.status, page.header('location')]).toEqual([status, undefined]);
  });

  test('sends the code to the registered address, and nothing else', async () => {
    const asked = `${verifyUrl()}&state=state-1&redirect_uri=https://other.example&scope=users:read`;
    const client = start();
    expect((await client.get(asked)).text).not.toContain('users:read');
    expect(await client.consent(asked)).toMatch(
      /^http:\/\/localhost:3000\/callback\?access_code=[\w-]+$/,
    );
  });

  test.each<[string, string, string]>([
    [CALLBACK, `${CALLBACK}?access_code=`, `${CALLBACK}?denied=true`],
    [`${CALLBACK}?x=1`, `${CALLBACK}?x=1?access_code=`, `${CALLBACK}?x=1&denied=true`],
    ['myapp://cb', 'myapp://cb?access_code=', 'myapp://cb?denied=true'],
  ])('appends the code to %s as text, and sets a denial', async (registered, code, denial) => {
    const client = start({ redirectUris: [registered, 'https://never.example'] });
    expect((await client.consent()).startsWith(`${code}sandbox-code-`)).toBe(true);
    expect(await client.consent(verifyUrl(), { decision: 'deny' })).toBe(denial);
  });
});

describe('the S256 exchange', () => {
  test('can be probed', async () => {
    const probe = await start().get(NEW);
    expect([probe.status, probe.text]).toEqual([200, 'supported']);
  });

  test('gives two tokens and says nothing else', async () => {
    const tokens = await start().signIn();
    expect(Object.keys(tokens)).toEqual(['token', 'refreshToken']);
    for (const token of Object.values(tokens)) expect(token).toMatch(/^sandbox\.(?!eyJ)/);
  });

  test('takes the method behind an ampersand, as the guide prints it', async () => {
    const client = start();
    const url = verifyUrl(CHALLENGE, '&code_challenge_method=S256');
    expect((await client.exchange(await client.code(url))).status).toBe(200);
  });

  test.each<[string, string, Fields, RegExp]>([
    ['another verifier', verifyUrl(), { codeVerifier: 'a'.repeat(43) }, /^Code challenge mismatch/],
    ['the challenge', verifyUrl(), { codeVerifier: CHALLENGE }, /^Code challenge mismatch/],
    ['a code of the old page', verifyUrl(CHALLENGE, ''), {}, /^Code challenge mismatch/],
    ['a short verifier', verifyUrl('x'), { codeVerifier: 'x' }, /^Code challenge mismatch/],
    ['another application', verifyUrl(), { appId: 'other' }, /does not match/],
    ['no application', verifyUrl(), { appId: undefined }, /^Invalid request, insufficient/],
    ['no code', verifyUrl(), { accessCode: '' }, /^Invalid request, insufficient/],
    ['no verifier', verifyUrl(), { codeVerifier: undefined }, /^Invalid request, insufficient/],
    ['a verifier that is no text', verifyUrl(), { codeVerifier: 1 }, /^Invalid request, insuff/],
    ['an unknown code', verifyUrl(), { accessCode: 'unknown' }, /^Access code not found\.$/],
  ])('refuses %s', async (_, url, changes, err) => {
    const client = start();
    const answer = await client.exchange(await client.code(url), changes);
    expect([answer.status, Object.keys(answer.json)]).toEqual([401, ['err']]);
    expect(answer.json.err).toMatch(err);
  });
});

describe('the old exchange', () => {
  test('takes the challenge as it was, a hash too', async () => {
    const client = start();
    const plain = await client.code(verifyUrl('my words', ''));
    expect((await client.exchangeOld(plain, { challenge: 'my words' })).status).toBe(200);
    expect((await client.exchangeOld(await client.code())).status).toBe(200);
  });

  test('takes a form as well', async () => {
    const client = start();
    const form = new URLSearchParams({
      appId: APP,
      appSecret: 'any',
      accessCode: await client.code(),
      challenge: CHALLENGE,
    });
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await client.send('POST', LEGACY, type, form.toString())).status).toBe(200);
  });

  const INSUFFICIENT = /^Invalid request, insufficient information provided/;
  test.each<[string, Fields, RegExp]>([
    ['another challenge', { challenge: 'other' }, /^Code challenge mismatch\. /],
    ['the verifier', { challenge: VERIFIER }, /^Code challenge mismatch\. /],
    ['the wrong secret', { appSecret: 'wrong' }, /^Invalid app secret\. /],
    ['another application', { appId: 'other' }, /does not match/],
    ['an unknown code', { accessCode: 'unknown' }, /^Access code not found\.$/],
    ['no secret', { appSecret: undefined }, INSUFFICIENT],
    ['no application', { appId: undefined }, INSUFFICIENT],
    ['no code', { accessCode: undefined }, INSUFFICIENT],
    ['no challenge', { challenge: undefined }, INSUFFICIENT],
    ['a verifier for a challenge', { challenge: '', codeVerifier: VERIFIER }, INSUFFICIENT],
  ])('refuses %s', async (_, changes, err) => {
    const client = start();
    const answer = await client.exchangeOld(await client.code(), changes);
    expect([answer.status, Object.keys(answer.json)]).toEqual([401, ['err']]);
    expect(answer.json.err).toMatch(err);
  });

  test.each([{ challenge: 'other' }, { appSecret: 'wrong' }])(
    'a code is used up by %p',
    async (changes) => {
      const client = start();
      const code = await client.code();
      await client.exchangeOld(code, changes);
      expect((await client.exchangeOld(code)).json.err).toBe('Access code not found.');
    },
  );

  test('a code is not used up by a request that lacks something', async () => {
    const client = start();
    const code = await client.code();
    await client.exchangeOld(code, { appSecret: undefined });
    expect((await client.exchangeOld(code)).status).toBe(200);
  });
});

describe('codes and tokens', () => {
  test('a code lives ten minutes', async () => {
    let now = 1_000;
    const client = start({ nowMs: () => now });
    const [first, second] = [await client.code(), await client.code()];
    now += 599_999;
    expect((await client.exchange(first)).status).toBe(200);
    now += 1;
    expect((await client.exchange(second)).json).toEqual({ err: 'Access code expired' });
  });

  test('a code is taken once; a second try harms nobody', async () => {
    const client = start();
    const code = await client.code();
    const answers = await Promise.all(Array.from({ length: 4 }, () => client.exchange(code)));
    expect(answers.map(({ status }) => status)).toEqual([200, 401, 401, 401]);
    expect(answers[1]?.json).toEqual({ err: 'Access code not found.' });
    const { token, refreshToken } = answers[0]?.json;
    expect((await client.graphql(token, ME)).status).toBe(200);
    expect((await client.refresh(refreshToken)).status).toBe(200);
  });

  test('each refresh gives a new pair, and every old one stays good', async () => {
    const client = start();
    const first = await client.signIn();
    const answers = [await client.refresh(first.refreshToken)];
    answers.push(await client.refresh(first.refreshToken));
    answers.push(await client.refresh(answers[0]?.json.refreshToken));
    const pairs = [first, ...answers.map(({ json }) => json)];
    expect(new Set(pairs.flatMap((pair) => Object.values(pair))).size).toBe(8);
    for (const { token } of pairs) expect((await client.graphql(token, ME)).status).toBe(200);
  });

  test('an access token lives a hundred years, a refresh token 182 days', async () => {
    let now = 0;
    const client = start({ nowMs: () => now });
    const { token, refreshToken } = await client.signIn();
    now = 182 * 86_400_000 - 1;
    expect((await client.refresh(refreshToken)).status).toBe(200);
    now += 1;
    expect((await client.refresh(refreshToken)).json).toEqual({ err: 'Refresh token expired' });
    now = 99 * 365 * 86_400_000;
    expect((await client.graphql(token, ME)).status).toBe(200);
    now = 101 * 365 * 86_400_000;
    expect((await client.graphql(token, ME)).json).toEqual(NOT_VALID);
  });

  test.each<[string, Fields, string]>([
    ['an unknown token', { refreshToken: 'unknown' }, 'Invalid request'],
    ['another application', { appId: 'other' }, 'Invalid request'],
    ['the wrong secret', { appSecret: 'wrong' }, 'Invalid request'],
    ['no secret', { appSecret: undefined }, 'Invalid request - App Id and Secret are required.'],
  ])('a refresh is refused for %s', async (_, changes, err) => {
    const client = start();
    const answer = await client.refresh((await client.signIn()).refreshToken, changes);
    expect([answer.status, answer.json]).toEqual([401, { err }]);
  });

  test('an access token is no refresh token, and the other way round', async () => {
    const client = start();
    const { token, refreshToken } = await client.signIn();
    expect((await client.refresh(token)).status).toBe(401);
    expect((await client.graphql(refreshToken, ME)).status).toBe(403);
  });
});

describe('logging out', () => {
  test('ends the two tokens that are named, and no other', async () => {
    const client = start();
    const first = await client.signIn();
    const second = (await client.refresh(first.refreshToken)).json;
    const answer = await client.post(LOGOUT, first);
    expect([answer.status, Object.keys(answer.json)]).toEqual([200, ['message']]);
    expect((await client.graphql(first.token, ME)).status).toBe(403);
    expect((await client.refresh(first.refreshToken)).json).toEqual({ err: 'Invalid request' });
    expect((await client.graphql(second.token, ME)).status).toBe(200);
    expect((await client.refresh(second.refreshToken)).status).toBe(200);
  });

  test.each<[string, (token: string) => Fields]>([
    ['no token', () => ({})],
    ['an unknown token', () => ({ token: 'unknown' })],
    ['a dead token', (token) => ({ token })],
  ])('with %s is 400 and leaves the refresh token', async (_, fields) => {
    const client = start();
    const { token, refreshToken } = await client.signIn();
    await client.post(LOGOUT, { token });
    const answer = await client.post(LOGOUT, { ...fields(token), refreshToken });
    expect([answer.status, () => answer.json]).toEqual([400, expect.any(Function)]);
    expect(() => answer.json).toThrow(SyntaxError);
    expect((await client.refresh(refreshToken)).status).toBe(200);
  });
});

describe('every endpoint', () => {
  test.each<[string, string]>([
    ['GET', NEW],
    ['POST', NEW],
    ['POST', LEGACY],
    ['POST', LOGOUT],
    ['POST', GRAPHQL],
  ])('%s %s refuses a bearer that is not good before it does anything', async (method, url) => {
    const client = start();
    const code = await client.code();
    const body = method === 'GET' ? undefined : JSON.stringify({ appId: APP, accessCode: code });
    const type = { 'content-type': 'application/json' };
    for (const authorization of ['Bearer unknown', 'Basic YTpi', 'unknown']) {
      const answer = await client.send(method, url, { ...type, authorization }, body);
      expect([answer.status, answer.json]).toEqual([403, NOT_VALID]);
    }
    expect((await client.exchange(code)).status).toBe(200);
  });

  test.each([NEW, LEGACY, LOGOUT, GRAPHQL])('%s tells of malformed JSON', async (url) => {
    for (const body of ['{', '', '"text"']) {
      const type = { 'content-type': 'application/json; charset=utf-8' };
      const answer = await start().send('POST', url, type, body);
      expect([answer.status, answer.json.error.code]).toEqual([400, 'USER_INPUT_ERROR']);
      expect(answer.json.error.message).toEqual(expect.any(String));
    }
  });

  test('is served wherever a server may run, and to pages of other origins', async () => {
    for (const origin of ['https://speckle.example:8443', 'http://localhost:8080']) {
      const probe = await start().get(`${origin}/oauth/token`);
      expect([probe.status, probe.header('access-control-allow-origin')]).toEqual([200, '*']);
    }
    await expect(start().get('http://speckle.example/oauth/token')).rejects.toThrow('not serve');
    expect(sandboxEnvironment('speckle', 'http://localhost:8080')).toEqual({
      serverUrl: 'http://localhost:8080',
    });
  });
});

describe('GraphQL', () => {
  test('shows who signed in', async () => {
    const { status, json } = await start().ask(ME);
    expect(status).toBe(200);
    expect(json).toEqual({
      data: {
        activeUser: {
          id: expect.stringMatching(/^[\da-f]{10}$/),
          name: 'John Doe',
          email: 'john.doe@sandbox.example',
        },
      },
    });
  });

  test('nobody is null, without an error', async () => {
    const answer = await start().graphql(undefined, ME);
    expect([answer.status, answer.json]).toEqual([200, { data: { activeUser: null } }]);
  });

  test.each(['unknown', 'sandbox.e30.AAAAAAAAAAAA'])('the token %s is 403', async (token) => {
    const answer = await start().graphql(token, ME);
    expect([answer.status, answer.json]).toEqual([403, NOT_VALID]);
  });

  test('without profile:email the address is null, without an error', async () => {
    const client = start();
    const { token } = await client.signIn({ scopes: ['profile:read'] });
    const { json } = await client.graphql(token, ME);
    expect([json.errors, json.data.activeUser.email]).toEqual([undefined, null]);
  });

  const NEEDING = [
    '{ activeUser { projects { totalCount } } }',
    '{ project(id: "8f2c1d907a") { id } }',
  ];
  test.each<[string, string, string[], unknown]>([
    ['profile:read', '{ me: activeUser { id } }', ['me'], { me: null }],
    ['streams:read', NEEDING[0] ?? '', ['activeUser', 'projects'], { activeUser: null }],
    ['streams:read', NEEDING[1] ?? '', ['project'], null],
  ])('a missing %s is FORBIDDEN and says so: %s', async (scope, query, path, data) => {
    const client = start();
    const scopes = ['profile:read', 'streams:read'].filter((each) => each !== scope);
    const answer = await client.graphql((await client.signIn({ scopes })).token, query);
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        errors: [
          {
            message: `Your auth token does not have the required scope: ${scope}.`,
            path,
            extensions: { code: 'FORBIDDEN', scope, statusCode: 403 },
          },
        ],
        data,
      },
    ]);
  });

  test('the last page with projects still has a cursor', async () => {
    const client = start();
    const { token } = await client.signIn();
    const pages: any[] = [];
    let cursor: string | null = null;
    do {
      const answer = await client.graphql(token, PROJECTS, { limit: 3, cursor });
      pages.push(answer.json.data.activeUser.projects);
      cursor = pages.at(-1).cursor;
    } while (cursor !== null);
    expect(pages.map(({ items }) => items.length)).toEqual([3, 3, 1, 0]);
    expect(pages.every(({ totalCount }) => totalCount === 7)).toBe(true);
    const ids = pages.flatMap(({ items }) => items.map(({ id }: { id: string }) => id));
    expect(new Set(ids).size).toBe(7);
  });

  test.each(['nonsense', '!', '', 'bm8gZGF0ZQ=='])(
    'the cursor %p is the beginning',
    async (cursor) => {
      const client = start();
      const { token } = await client.signIn();
      const page = async (variables: Fields) =>
        (await client.graphql(token, PROJECTS, variables)).json.data.activeUser.projects;
      expect(await page({ limit: 2, cursor })).toEqual(await page({ limit: 2 }));
    },
  );

  test.each<[string, Fields | undefined, unknown]>([
    [
      '{ activeUser { projects(limit: 1, filter: { search: "dock" }) { items { name __typename } } } }',
      undefined,
      { activeUser: { projects: { items: [{ name: 'Dock 4', __typename: 'Project' }] } } },
    ],
    [
      'query A($id: String!) { project(id: $id) { ...B } } fragment B on Project { id role }',
      { id: '8f2c1d907a' },
      { project: { id: '8f2c1d907a', role: 'stream:owner' } },
    ],
    [
      'query ($n: Int = 0) { a: activeUser { name } a: activeUser { projects(limit: $n) { items { id } cursor } } }',
      undefined,
      { a: { name: 'John Doe', projects: { items: [], cursor: null } } },
    ],
    [
      '# who\n{ serverInfo { canonicalUrl, ... on ServerInfo { authStrategies { id } } } }',
      undefined,
      { serverInfo: { canonicalUrl: SERVER, authStrategies: [{ id: 'local' }] } },
    ],
  ])('gives exactly what %s asks for', async (query, variables, data) => {
    expect((await start().ask(query, variables)).json).toEqual({ data });
  });

  test('serverInfo needs no token', async () => {
    const query = '{ serverInfo { name version scopes { name } } }';
    const { serverInfo } = (await start().graphql(undefined, query)).json.data;
    expect(serverInfo.scopes).toContainEqual({ name: 'streams:read' });
  });

  test('an unknown project is STREAM_NOT_FOUND', async () => {
    const { status, json } = await start().ask('{ project(id: "0000000000") { id } }');
    expect([status, json.data]).toEqual([200, null]);
    expect(json.errors[0].extensions.code).toBe('STREAM_NOT_FOUND');
  });

  test.each<[string, string, Fields?]>([
    ['GRAPHQL_PARSE_FAILED', '{'],
    ['GRAPHQL_PARSE_FAILED', '}'],
    ['GRAPHQL_PARSE_FAILED', 'query { }'],
    ['GRAPHQL_PARSE_FAILED', 'activeUser { id }'],
    ['GRAPHQL_PARSE_FAILED', '{ project(id: "open) { id } }'],
    ['GRAPHQL_PARSE_FAILED', '{ activeUser { id } } ~'],
    ['GRAPHQL_PARSE_FAILED', String.raw`{ project(id: "\q") { id } }`],
    ['GRAPHQL_PARSE_FAILED', ' '],
    ['GRAPHQL_VALIDATION_FAILED', '{ constructor }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ activeUser { password } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ activeUser }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ activeUser { name { first } } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ project { id } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ project(id: 1) { id } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ project(id: $id) { id } }'],
    ['GRAPHQL_VALIDATION_FAILED', 'query ($id: String) { project(id: $id) { id } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ activeUser { projects(first: 3) { cursor } } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ activeUser { ...A } }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ ...A } fragment A on Query { ...A }'],
    ['GRAPHQL_VALIDATION_FAILED', '{ ... on User { id } }'],
    ['GRAPHQL_VALIDATION_FAILED', 'mutation { streamDelete }'],
    ['BAD_USER_INPUT', 'query ($id: String!) { project(id: $id) { id } }'],
    ['BAD_USER_INPUT', 'query ($id: String!) { project(id: $id) { id } }', { id: null }],
    ['BAD_USER_INPUT', PROJECTS, { limit: '3' }],
    ['BAD_REQUEST', ''],
    ['OPERATION_RESOLUTION_FAILURE', 'query A { activeUser { id } } query B { activeUser { id } }'],
  ])('%s: %s', async (code, query, variables = {}) => {
    const { status, json } = await start().graphql(undefined, query, variables);
    expect([status, json.data]).toEqual([400, undefined]);
    expect(json.errors[0]).toEqual({ message: expect.any(String), extensions: { code } });
  });

  test('operationName chooses', async () => {
    const query = 'query A { activeUser { id } } query B { serverInfo { name } }';
    const { json } = await start().post(GRAPHQL, { query, operationName: 'B' });
    expect(Object.keys(json.data)).toEqual(['serverInfo']);
  });

  test.each([
    ['text', 'text/plain', '{"query":"{ activeUser { id } }"}'],
    ['a batch', 'application/json', '[]'],
    [
      'variables as text',
      'application/json',
      '{"query":"{ serverInfo { name } }","variables":"{}"}',
    ],
  ])('takes no %s', async (_, type, body) => {
    const answer = await start().send('POST', GRAPHQL, { 'content-type': type }, body);
    expect([answer.status, answer.json.errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
  });
});

describe('faults of every platform bite here, too', () => {
  test.each<['token-camel-case' | 'token-no-access-token' | 'token-not-a-string', Fields]>([
    ['token-camel-case', { accessToken: expect.any(String), refreshToken: expect.any(String) }],
    ['token-no-access-token', { refreshToken: expect.any(String) }],
    ['token-not-a-string', { token: 42, refreshToken: expect.any(String) }],
  ])('%s', async (fault, tokens) => {
    expect(await start({ faults: [fault] }).signIn()).toEqual(tokens);
  });

  test('exchange and refresh are told apart, whatever the endpoint', async () => {
    const atRefresh = start({ faults: ['token-502-html@refresh'] });
    const { refreshToken } = await atRefresh.signIn();
    expect((await atRefresh.exchangeOld(await atRefresh.code())).status).toBe(200);
    expect((await atRefresh.refresh(refreshToken)).status).toBe(502);

    const atExchange = start({ faults: ['token-502-html@exchange'] });
    expect((await atExchange.exchange(await atExchange.code())).status).toBe(502);
    expect((await atExchange.exchangeOld(await atExchange.code())).status).toBe(502);
    expect((await atExchange.refresh(refreshToken)).status).toBe(200);
    expect((await atExchange.get(NEW)).text).toBe('supported');
  });

  test('token-short-lived', async () => {
    let now = 0;
    const client = start({ faults: ['token-short-lived'], nowMs: () => now });
    const { token, refreshToken } = await client.signIn();
    now = 5_000;
    expect((await client.graphql(token, ME)).json).toEqual(NOT_VALID);
    expect((await client.refresh(refreshToken)).status).toBe(200);
  });

  test('refresh-no-new-token, and the API’s faults', async () => {
    const client = start({ faults: ['refresh-no-new-token', 'api-503-once'] });
    const { token, refreshToken } = await client.signIn();
    expect(Object.keys((await client.refresh(refreshToken)).json)).toEqual(['token']);
    const statuses = [await client.graphql(token, ME), await client.graphql(token, ME)];
    expect(statuses.map(({ status }) => status)).toEqual([503, 200]);
  });
});

test('a code is bound to the page it comes from', async () => {
  const client = start();
  const codes = [await client.consent(), await client.consent()].map(codeOf);
  expect(new Set(codes).size).toBe(2);
});
