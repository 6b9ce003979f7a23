import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { createSession, memoryStore, type ErrorCode } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { aps, type ApsEntry, type ApsUserOptions, type ApsWarning } from 'mortise/providers/aps';
import { answerConsent, createSandbox, FAULTS, type FaultName } from 'mortise/sandbox';
import { failureOf } from '../api/support/failure.js';
import { settle } from '../support/fake-clock.js';
import type { FakeAnswer } from '../support/fake-host.js';
import {
  CONFIDENTIAL,
  createStage,
  HOST,
  HUBS,
  PUBLIC,
  REVOKE,
  SERVICE,
  signedIn,
  TOKEN,
  toModels,
  USERINFO,
  type Stage,
} from './support/aps-stage.js';

/** Longer than any token lives, so that asking for it renews. */
const RENEW = { minValidityMs: 1e9 };

const stages: Stage[] = [];
const keep = (stage: Stage) => (stages.push(stage), stage);
const start = async (...given: Parameters<typeof signedIn>) => keep(await signedIn(...given));
const faulty = (...faults: FaultName[]) => start({ faults });
afterEach(async () => {
  for (const { session, clock } of stages.splice(0)) {
    await session.close();
    expect(clock.pending).toBe(0);
  }
});

const names = (entries: readonly ApsEntry[]) =>
  entries.map(({ attributes }) => attributes?.['displayName'] ?? attributes?.['name']);

describe('the authorization request', () => {
  test('is the documented one, and every value is the provider’s own', async () => {
    const { shown } = await start();
    expect(shown[0]!.origin + shown[0]!.pathname).toBe(`${HOST}/authentication/v2/authorize`);
    const {
      state,
      code_challenge: challenge,
      ...rest
    } = Object.fromEntries(shown[0]!.searchParams);
    expect(rest).toEqual({
      response_type: 'code',
      client_id: 'plug-in',
      redirect_uri: 'http://localhost:8080/callback',
      scope: 'data:read data:write',
      code_challenge_method: 'S256',
    });
    expect(challenge).toMatch(/^[\w-]{43}$/);
    expect(state).toMatch(/^[\w-]{43}$/);
  });

  test('has a nonce when openid is asked for, and a new one each time', async () => {
    const stage = await start({ options: { ...PUBLIC, scopes: ['data:read', 'openid'] } });
    await stage.over(stage.session.signIn());
    const nonces = stage.shown.map(({ searchParams }) => searchParams.get('nonce'));
    expect(nonces).toHaveLength(2);
    expect(new Set([...nonces, null]).size).toBe(3);
  });

  test('case 5: state is always within the alphabet the platform takes', async () => {
    const provider = aps(PUBLIC);
    const { host } = createStage();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (bytes) => {
        const crypto = { ...host.crypto, randomBytes: (length: number) => bytes.slice(0, length) };
        const session = createSession({ host: { ...host, crypto }, provider });
        const [redirectUri = ''] = PUBLIC.redirectUris;
        const { authorizationUrl } = await session.beginSignIn({ redirectUri });
        const state = new URL(authorizationUrl).searchParams.get('state');
        expect(state).toMatch(/^[A-Za-z0-9,._-]+$/);
        expect(authorizationUrl).toContain(`state=${state}`);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    'http://localhost:8080/callback/',
    'http://localhost:8080',
    'http://LOCALHOST:8080/Callback',
    'http://localhost:8080/callback?tenant=a%20b&x=~',
    'https://plugin.example/%7Ecallback',
  ])('names %s to the letter, and so does the exchange', async (redirectUri) => {
    const stage = await start({
      options: { ...PUBLIC, redirectUris: [redirectUri] },
      registered: [redirectUri],
    });
    expect(stage.shown[0]!.searchParams.get('redirect_uri')).toBe(redirectUri);
    expect(stage.to(TOKEN)[0]?.form['redirect_uri']).toBe(redirectUri);
  });

  test('names the first address that can be had', async () => {
    const redirectUris = [8080, 12495, 7495].map((port) => `http://localhost:${port}/callback`);
    const stage = await start({
      options: { ...PUBLIC, redirectUris },
      isFree: (uri) => !uri.includes(':8080/'),
    });
    expect(stage.shown[0]!.searchParams.get('redirect_uri')).toBe(redirectUris[1]);
    expect(aps({ ...PUBLIC, redirectUris }).redirect).toEqual(redirectUris);
  });

  test('over real sockets: a port that is taken is passed over', async () => {
    const servers = [createServer(), createServer()];
    const ports: number[] = [];
    for (const server of servers) {
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      ports.push((server.address() as AddressInfo).port);
    }
    await new Promise((done) => servers[1]!.close(done));
    const redirectUris = ports.map((port) => `http://127.0.0.1:${port}/callback`);
    const sandbox = createSandbox({ provider: 'aps', redirectUris });
    let used: string | null = null;
    const host = createNodeHost({
      store: memoryStore(),
      http: sandbox,
      async openBrowser(url) {
        used = new URL(url).searchParams.get('redirect_uri');
        void fetch(await answerConsent(sandbox, url, { decision: 'allow' }));
      },
    });
    const session = createSession({ host, provider: aps({ ...PUBLIC, redirectUris }) });
    await session.signIn();
    expect(used).toBe(redirectUris[1]);
    expect(session.state.name).toBe('signedIn');
    await session.close();
    servers[0]!.close();
  });

  test('case 23: a denial is access_denied, and leaves things as they were', async () => {
    const { session, over, sent } = keep(createStage({ decision: 'deny' }));
    const error = await failureOf(over(session.signIn()));
    expect(error).toMatchObject({ code: 'access_denied', details: { error: 'access_denied' } });
    expect(sent).toEqual([]);
  });

  test.each(['invalid_scope', 'invalid_request', 'unauthorized_client'])(
    'refused with %s says what to compare',
    async (wrong) => {
      const { session } = keep(createStage());
      const [redirectUri = ''] = PUBLIC.redirectUris;
      const { authorizationUrl } = await session.beginSignIn({ redirectUri });
      const state = new URL(authorizationUrl).searchParams.get('state');
      const redirect = `${redirectUri}?error=${wrong}&state=${state}`;
      expect(await failureOf(session.completeSignIn(redirect))).toMatchObject({
        code: 'oauth_error',
        details: { error: wrong },
        hint: expect.stringMatching(/Callback URL and scopes/),
      });
    },
  );
});

describe('who the client is', () => {
  test('public: its id is in the body, with the verifier, and there is no header', async () => {
    const stage = await start();
    const [exchange] = stage.to(TOKEN);
    expect(exchange?.headers).not.toHaveProperty('authorization');
    expect(exchange?.form).toEqual({
      grant_type: 'authorization_code',
      code: expect.any(String),
      redirect_uri: 'http://localhost:8080/callback',
      code_verifier: expect.stringMatching(/^[\w.~-]{43,128}$/),
      client_id: 'plug-in',
    });
  });

  test('confidential: id and secret are in the header as they are, and not in the body', async () => {
    const secret = 'a+b/c:d e=';
    const stage = await start({ options: { ...CONFIDENTIAL, clientSecret: secret } });
    await stage.session.getAccessToken(RENEW);
    await stage.session.signOut();
    const posts = stage.sent.filter(({ method }) => method === 'POST');
    expect(posts).toHaveLength(4);
    for (const { headers, form } of posts) {
      expect(headers['authorization']).toBe(`Basic ${btoa(`plug-in:${secret}`)}`);
      expect(form).not.toHaveProperty('client_id');
      expect(form).not.toHaveProperty('client_secret');
    }
    expect(posts[0]?.form).toHaveProperty('code_verifier');
  });

  test('case 9: a secret is refused where it cannot be kept', async () => {
    const { host } = createStage();
    const make = async () => createSession({ host, provider: aps(CONFIDENTIAL) });
    expect((await failureOf(make())).code).toBe('configuration_error');
  });

  test.each([
    ['exchange', (stage: Stage) => stage.session.signIn()],
    ['2-legged', (stage: Stage) => stage.session.getAccessToken()],
  ])('a wrong secret is invalid_client, with the platform’s code: %s', async (step, act) => {
    const options = { ...(step === '2-legged' ? SERVICE : CONFIDENTIAL), clientSecret: 'wrong' };
    const stage = keep(createStage({ options }));
    const error = await failureOf(stage.over<unknown>(act(stage)));
    expect(error).toMatchObject({ code: 'invalid_client', retryable: false });
    expect(error.details).toMatchObject({
      status: 401,
      errorDescription: expect.stringContaining('AUTH-003'),
    });
    expect(error.hint).toMatch(/Client ID and Secret.*desktop or single-page app has no secret/);
  });
});

describe('2-legged', () => {
  test('asks for a token for its scopes, by itself, and shows nobody anything', async () => {
    const stage = keep(createStage({ options: SERVICE }));
    expect(names(await stage.session.api.hubs())).toHaveLength(3);
    expect(stage.to(TOKEN).map(({ form }) => form)).toEqual([
      { grant_type: 'client_credentials', scope: 'data:read data:write' },
    ]);
    expect(stage.shown).toEqual([]);
  });

  test('acts for a user where the caller says so', async () => {
    const stage = keep(createStage({ options: SERVICE }));
    const headers = { 'x-user-id': 'SANDBOXUSER1' };
    await stage.session.api.request({ path: 'project/v1/hubs', headers });
    expect(stage.sent.at(-1)?.headers).toMatchObject(headers);
  });

  test('case 211: a token that ended is asked for again, once', async () => {
    const stage = keep(createStage({ options: SERVICE }));
    const first = await stage.session.getAccessToken();
    await stage.clock.advance(3_600_000);
    const [one, other] = await Promise.all([
      stage.session.getAccessToken(),
      stage.session.getAccessToken(),
    ]);
    expect([one === other, one === first]).toEqual([true, false]);
    expect(stage.to(TOKEN)).toHaveLength(2);
  });

  test('has no user, and says so without asking', async () => {
    const stage = keep(createStage({ options: SERVICE }));
    expect((await failureOf(stage.session.api.userInfo())).code).toBe('configuration_error');
    expect(stage.sent).toEqual([]);
    expect(await aps(SERVICE).displayName?.(stage.session.api)).toBeNull();
  });
});

describe('refresh tokens', () => {
  test('are spent once, and the next one is used', async () => {
    const stage = await start();
    for (let round = 0; round < 3; round += 1) await stage.session.getAccessToken(RENEW);
    const spent = stage
      .to(TOKEN)
      .slice(1)
      .map(({ form }) => form['refresh_token']);
    expect(new Set(spent).size).toBe(3);
    expect(stage.to(TOKEN)[1]?.form).not.toHaveProperty('scope');
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('case 119: many callers and a lent token at once spend one each', async () => {
    const stage = await start();
    const lent = stage.session.share({ scopes: ['data:read'] });
    await stage.clock.advance(3_600_000);
    const tokens = await Promise.all([
      ...Array.from({ length: 50 }, () => stage.session.getAccessToken()),
      ...Array.from({ length: 50 }, () => lent.getAccessToken()),
    ]);
    expect(new Set(tokens).size).toBe(2);
    expect(
      stage
        .to(TOKEN)
        .slice(1)
        .map(({ form }) => form['scope']),
    ).toEqual([undefined, 'data:read']);
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('of a token for fewer scopes: the server enforces what was asked', async () => {
    const stage = await start();
    const reader = stage.session.share({ scopes: ['data:read'] });
    expect(names(await reader.api.hubs())).toHaveLength(3);
    const writer = stage.session.share({ scopes: ['data:write'] });
    expect((await failureOf(writer.api.hubs())).code).toBe('insufficient_scope');
    expect(names(await stage.session.api.hubs())).toHaveLength(3);
  });

  test('case 128: after fifteen days the user has to sign in', async () => {
    const stage = await start();
    await stage.clock.advance(15 * 86_400_000);
    const error = await failureOf(stage.session.getAccessToken());
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
    expect(error.cause).toMatchObject({ code: 'invalid_grant' });
  });

  // prettier-ignore
  test.each<[string, string, ErrorCode, object]>([
    ['a refresh token that is refused in the platform’s words', 'The authorization code/refresh token is expired or invalid/redirect_uri must have the same value', 'sign_in_required', { reason: 'rejected' }],
    ['scopes, which is what the list of codes says of it',      'One or more requested scopes are invalid.', 'oauth_error', { error: 'invalid_scope' }],
  ])('AUTH-004 can mean %s', async (_, developerMessage, code, details) => {
    const stage = await start();
    await stage.clock.advance(3_600_000);
    stage.script(/POST .*token$/, { status: 400, json: { developerMessage, errorCode: 'AUTH-004' } });
    const error = await failureOf(stage.session.getAccessToken());
    expect(error).toMatchObject({ code, details });
    expect(stage.session.state.name).toBe(code === 'sign_in_required' ? 'signedOut' : 'degraded');
  });
});

describe('revocation', () => {
  test('case 138: tells both tokens with their hints, the refresh token first', async () => {
    const stage = await start();
    const access = await stage.session.getAccessToken();
    await stage.session.signOut();
    expect(stage.to(REVOKE).map(({ form }) => form)).toEqual([
      {
        token: expect.not.stringMatching(access),
        token_type_hint: 'refresh_token',
        client_id: 'plug-in',
      },
      { token: access, token_type_hint: 'access_token', client_id: 'plug-in' },
    ]);
  });

  test.each(['aps-revoke-503', 'aps-revoke-hang'] as const)(
    'case 138: %s does not keep anybody signed in',
    async (fault) => {
      const stage = await faulty(fault);
      await stage.over(stage.session.signOut());
      expect(stage.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
      expect(stage.to(REVOKE).length).toBeGreaterThan(0);
    },
  );
});

describe('user info', () => {
  test('is asked for at its own host, with the token', async () => {
    const stage = await start();
    expect(await stage.session.api.userInfo()).toMatchObject({ name: 'John Doe' });
    expect(stage.sent.at(-1)).toMatchObject({
      url: USERINFO,
      headers: { authorization: `Bearer ${await stage.session.getAccessToken()}` },
    });
  });

  // prettier-ignore
  test.each<[string, object, string | null]>([
    ['the name',                 { name: 'Ann', preferred_username: 'ann' }, 'Ann'],
    ['or the user name',         { preferred_username: 'ann' },              'ann'],
    ['or nothing',               { sub: '1' },                               null],
    ['never what is no text',    { name: { first: 'Ann' } },                 null],
  ])('is shown as %s', async (_, json, shown) => {
    const stage = await start();
    stage.script(/userinfo/, { json });
    expect(await aps(PUBLIC).displayName?.(stage.session.api)).toBe(shown);
  });

  test('leaves the host to nobody: an API request cannot go there', async () => {
    const stage = await start();
    const error = await failureOf(stage.session.api.request({ path: USERINFO }));
    expect(error.code).toBe('api_url_untrusted');
    expect(stage.to(USERINFO)).toEqual([]);
  });

  test('of a gateway is at the gateway', async () => {
    const base = 'https://gateway.example/aps';
    const options = { ...PUBLIC, baseUrl: `${base}/` };
    const { metadata } = aps(options);
    expect(metadata).toMatchObject({
      tokenEndpoint: `${base}/authentication/v2/token`,
      userinfoEndpoint: `${base}/userinfo`,
    });
  });
});

describe('lists', () => {
  test('can be awaited, from the hubs down to the files', async () => {
    const stage = await start();
    const { project, models } = await toModels(stage);
    const entries = await stage.session.api.folderContents(project, models);
    expect(entries).toHaveLength(25);
    expect(names(entries)).toEqual(expect.arrayContaining(['Structure', 'Deck segment 23.rvt']));
  });

  test('or iterated, and each reading begins anew', async () => {
    const stage = await start();
    const list = stage.session.api.hubs();
    expect(stage.to(HUBS)).toHaveLength(0);
    const read = async () => {
      const seen: string[] = [];
      for await (const { id } of list) seen.push(id);
      return seen;
    };
    expect(await read()).toEqual(await read());
    expect((await list).map(({ id }) => id)).toEqual(await read());
    expect(stage.to(HUBS)).toHaveLength(4);
  });

  test('follow next links, relative and percent-encoded, to the end', async () => {
    const stage = await start();
    const { project, models } = await toModels(stage);
    const before = stage.sent.length;
    const entries = await stage.session.api.folderContents(project, models, { limit: 10 });
    expect(new Set(entries.map(({ id }) => id)).size).toBe(25);
    const queries = stage.sent.slice(before).map(({ url }) => new URL(url).search);
    expect(queries).toEqual([
      '?page%5Blimit%5D=10',
      '?page%5Blimit%5D=10&page%5Bnumber%5D=1',
      '?page%5Blimit%5D=10&page%5Bnumber%5D=2',
    ]);
    for (const { url } of stage.sent.slice(before)) expect(url).toContain('urn%3Aadsk');
  });

  test('leaving early asks for no further page', async () => {
    const stage = await start();
    const { project, models } = await toModels(stage);
    const before = stage.sent.length;
    for await (const _ of stage.session.api.folderContents(project, models, { limit: 10 })) break;
    expect(stage.sent).toHaveLength(before + 1);
  });

  test.each([0, -1, 1.5, 201, NaN, '10'])(
    'a page size of %p is refused before it is sent',
    async (limit) => {
      const stage = await start();
      const list = stage.session.api.hubs({ limit: limit as number });
      expect((await failureOf(list)).code).toBe('configuration_error');
      expect(stage.to(HUBS)).toEqual([]);
    },
  );

  test.each(['', '.', '..'])('an id of "%s" is refused before it is sent', async (id) => {
    const stage = await start();
    for (const list of [
      () => stage.session.api.projects(id),
      () => stage.session.api.topFolders('b.hub', id),
      () => stage.session.api.folderContents(id, 'urn:folder'),
    ]) {
      expect((await failureOf((async () => list())())).code).toBe('configuration_error');
    }
    expect(stage.to(`${HOST}/project`)).toEqual([]);
  });

  test('case 158: an id stays one segment, or is not sent', async () => {
    const stage = await start();
    stage.script(/projects$/, { status: 404 });
    await failureOf(stage.session.api.projects('b.x/y?a#b'));
    expect(stage.sent.at(-1)?.url).toBe(`${HUBS}/b.x%2Fy%3Fa%23b/projects`);
    const error = await failureOf(stage.session.api.projects('b.x/../../evil'));
    expect(error.code).toBe('api_url_untrusted');
    expect(stage.to(`${HOST}/project`)).toHaveLength(1);
  });

  test('end with the signal: before, between pages, and while one is on its way', async () => {
    const stage = await start();
    const { project, models } = await toModels(stage);
    const { api } = stage.session;
    const before = stage.sent.length;
    expect((await failureOf(api.hubs({ signal: AbortSignal.abort() }))).code).toBe('aborted');
    expect(stage.sent).toHaveLength(before);
    const controller = new AbortController();
    const { signal } = controller;
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of api.folderContents(project, models, { limit: 10, signal })) {
        if (seen.push(id) === 10) controller.abort();
      }
    })();
    expect((await failureOf(reading)).code).toBe('aborted');
    expect([seen.length, stage.sent.length]).toEqual([10, before + 1]);
  });

  test('end with the session', async () => {
    const stage = keep(await signedIn({ faults: ['api-hang'] }));
    const reading = failureOf(stage.session.api.hubs());
    await settle();
    await stage.session.close();
    expect((await reading).code).toBe('aborted');
  });
});

describe('a next link', () => {
  const page = (links: unknown, data: unknown = [{ type: 'hubs', id: 'a' }]): FakeAnswer => ({
    json: { jsonapi: { version: '1.0' }, links, data },
  });
  const last = page({}, [{ type: 'hubs', id: 'b' }]);
  const read = async (links: unknown) => {
    const stage = await start();
    stage.script(/hubs/, page(links), last);
    const list = stage.session.api.hubs();
    return { stage, list };
  };

  // prettier-ignore
  test.each<[string, unknown]>([
    ['relative to the host',          { next: { href: '/project/v1/hubs?page%5Bnumber%5D=1' } }],
    ['relative to the page',          { next: { href: '?page%5Bnumber%5D=1' } }],
    ['absolute, on the same host',    { next: { href: `${HUBS}?page%5Bnumber%5D=1` } }],
    ['not percent-encoded',           { next: { href: '/project/v1/hubs?page[number]=1' } }],
    ['a text, as JSON:API allows',    { next: '/project/v1/hubs?page%5Bnumber%5D=1' }],
  ])('%s is followed', async (_, links) => {
    const { stage, list } = await read(links);
    expect((await list).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(stage.sent.at(-1)?.url).toMatch(/^https:\/\/developer\.api\.autodesk\.com\/project\/v1\/hubs\?page(%5B|\[)number(%5D|\])=1$/); // prettier-ignore
  });

  test.each([undefined, null, {}, { next: null }, { next: undefined }, { self: { href: HUBS } }])(
    'of %j is none',
    async (links) => {
      const { list } = await read(links);
      expect((await list).map(({ id }) => id)).toEqual(['a']);
    },
  );

  test.each([{ next: { href: 7 } }, { next: 7 }, { next: true }, { next: { href: ['/a'] } }])(
    'of %j is not taken for the end',
    async (links) => {
      const { list } = await read(links);
      expect((await failureOf(list)).code).toBe('malformed_response');
    },
  );

  // prettier-ignore
  test.each([
    'https://collector.example/project/v1/hubs?page%5Bnumber%5D=1',
    'http://developer.api.autodesk.com/project/v1/hubs?page%5Bnumber%5D=1',
    '//collector.example/hubs',
    '\\\\collector.example\\hubs',
    'https://developer.api.autodesk.com.collector.example/hubs',
    'https://developer.api.autodesk.com@collector.example/hubs',
    'https://user:word@developer.api.autodesk.com/project/v1/hubs?a',
    'https://developer.api.autodesk.com:8443/project/v1/hubs',
    'https://api.userprofile.autodesk.com/userinfo',
    'javascript:alert(1)',
    'http://[',
  ])('case 157: to %s is refused, and nothing is sent there', async (href) => {
    const { stage, list } = await read({ next: { href } });
    expect((await failureOf(list)).code).toBe('api_url_untrusted');
    expect(stage.to(HUBS)).toHaveLength(1);
    expect(stage.sent.at(-1)?.url).toBe(HUBS);
  });

  test('that goes round is noticed, however it is reached', async () => {
    const stage = await start();
    const to = (number: number) => page({ next: { href: `/project/v1/hubs?n=${number}` } });
    stage.script(/hubs/, to(1), to(2), to(1));
    const error = await failureOf(stage.session.api.hubs());
    expect(error).toMatchObject({
      code: 'malformed_response',
      details: { problem: 'its pages go round' },
    });
    expect(stage.to(HUBS)).toHaveLength(3);
  });

  test('behind an empty page is followed: entries that are hidden leave it empty', async () => {
    const stage = await start();
    stage.script(
      /hubs/,
      page({ next: { href: '?n=1' } }, []),
      page({ next: { href: '?n=2' } }, []),
      last,
    );
    expect((await stage.session.api.hubs()).map(({ id }) => id)).toEqual(['b']);
  });

  test('of a page without a body, or with another, is malformed_response', async () => {
    const stage = await start();
    // prettier-ignore
    for (const answer of [{ text: '' }, { text: '<html>' }, { json: null }, { json: [] }, { json: {} }, page({}, {}), page({}, [null]), page({}, [{ id: 7 }])]) {
      stage.script(/hubs/, answer);
      expect((await failureOf(stage.session.api.hubs())).code).toBe('malformed_response');
    }
  });
});

describe('warnings', () => {
  const WARNING = {
    HttpStatusCode: '403',
    ErrorCode: 'BIM360DM_ERROR',
    Title: 'Unable to get hubs from BIM360DM EMEA.',
    Detail: "You don't have permission to access this API",
  };
  const warned = (warnings: unknown, data: unknown[] = [], status = 200): FakeAnswer => ({
    status,
    json: { jsonapi: { version: '1.0' }, links: {}, data, meta: { warnings } },
  });

  test('beside entries are told to who wants to know, and the entries are given', async () => {
    const stage = await faulty('aps-hubs-some-warnings');
    const heard: ApsWarning[] = [];
    const hubs = await stage.session.api.hubs({ onWarning: (warning) => void heard.push(warning) });
    expect(names(hubs)).toEqual(['Harbour Engineering']);
    expect(heard).toEqual([
      expect.objectContaining(WARNING),
      expect.objectContaining({ ErrorCode: 'BIM360DM_ERROR' }),
    ]);
    expect(names(await stage.session.api.hubs())).toEqual(['Harbour Engineering']);
  });

  test('a listener that throws is its author’s business', async () => {
    const stage = await faulty('aps-hubs-some-warnings');
    const onWarning = () => {
      throw new Error('mine');
    };
    expect(await stage.session.api.hubs({ onWarning })).toHaveLength(1);
  });

  test.each(['aps-hubs-403-warnings', 'aps-hubs-none-warnings'] as const)(
    'without an entry are why there is none: %s',
    async (fault) => {
      const stage = await faulty(fault);
      expect(await failureOf(stage.session.api.hubs())).toMatchObject({
        code: 'forbidden',
        retryable: false,
        details: {
          status: 403,
          warnings: [
            [WARNING.Title, WARNING.Detail].map((text) => text.replace(/\.$/, '')).join(': '),
            expect.stringContaining('AUS'),
          ],
        },
      });
      expect(stage.to(TOKEN)).toHaveLength(1);
    },
  );

  test('that speak of another trouble than permission are not "forbidden"', async () => {
    const stage = await start();
    const broken = { ...WARNING, HttpStatusCode: '503', Detail: 'Service unavailable' };
    stage.script(/hubs/, warned([broken]));
    expect(await failureOf(stage.session.api.hubs())).toMatchObject({
      code: 'http_error',
      retryable: true,
      details: { status: 503, error: 'BIM360DM_ERROR' },
    });
    stage.script(/hubs/, warned([broken, WARNING]));
    expect((await failureOf(stage.session.api.hubs())).code).toBe('forbidden');
  });

  // prettier-ignore
  test.each<[string, unknown, readonly string[]]>([
    ['of no known shape',     [7, null, {}, { Title: 7 }],          Array(4).fill('no reason was given')],
    ['with a title alone',    [{ Title: 'Closed.' }],               ['Closed']],
    ['of great length',       [{ Detail: 'word '.repeat(999) }],    [expect.stringMatching(/^.{1,200}$/)]],
    ['in great number',       Array(99).fill({ Title: 'Closed.' }), Array(10).fill('Closed')],
  ])('%s are told as they can be', async (_, warnings, told) => {
    const stage = await start();
    for (const status of [200, 403]) {
      stage.script(/hubs/, warned(warnings, [], status));
      const { code, details } = await failureOf(stage.session.api.hubs());
      expect([code, details]).toEqual(['forbidden', { status: 403, warnings: told }]);
    }
  });

  test.each([undefined, null, [], {}, 'none'])('of %j are none', async (warnings) => {
    const stage = await start();
    stage.script(/hubs/, warned(warnings));
    expect(await stage.session.api.hubs()).toEqual([]);
  });

  test('cannot smuggle the token out: it is cut from what a failure says', async () => {
    const stage = await start();
    const token = await stage.session.getAccessToken();
    stage.script(/hubs/, warned([{ Title: `Bearer ${token}` }], [], 403));
    const { details } = await failureOf(stage.session.api.hubs());
    expect(JSON.stringify(details)).not.toContain(token);
  });
});

describe('what a failing answer means', () => {
  const own = (developerMessage: string, errorCode?: string) => ({
    developerMessage,
    userMessage: '',
    ...(errorCode !== undefined && { errorCode }),
    'more info': 'https://aps.autodesk.com/',
  });

  // prettier-ignore
  test.each<[string, FakeAnswer, ErrorCode, object]>([
    ['AUTH-001, 403',             { status: 403, json: own('No access to the api product', 'AUTH-001') }, 'forbidden', { status: 403, error: 'AUTH-001', errorDescription: 'No access to the api product' }],
    ['AUTH-010, 403',             { status: 403, json: own('Not enough privileges.', 'AUTH-010') },       'insufficient_scope', { status: 403, scope: null }],
    ['plain text, 403',           { status: 403, text: 'Token does not have the privilege for this request.' }, 'insufficient_scope', { status: 403, scope: null }],
    ['a challenge, 403',          { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="data:read"' } }, 'insufficient_scope', { status: 403, scope: 'data:read' }],
    ['no body, 403',              { status: 403 },                                                        'forbidden', { status: 403 }],
    ['a page, 403',               { status: 403, text: '<html>' },                                        'forbidden', { status: 403 }],
    ['no code, 403',              { status: 403, json: own('Not yours.') },                               'forbidden', { status: 403, errorDescription: 'Not yours.' }],
    ['an ID code, 400',           { status: 400, json: own('Invalid input.', 'ID-GE-006') },              'http_error', { status: 400, error: 'ID-GE-006', errorDescription: 'Invalid input.' }],
    ['moreInfo instead, 400',     { status: 400, json: { developerMessage: 'Bad.', moreInfo: 'x' } },     'http_error', { status: 400, errorDescription: 'Bad.' }],
    ['no code, 404',              { status: 404, json: own('The resource does not exist.') },             'http_error', { status: 404, errorDescription: 'The resource does not exist.' }],
    ['no body, 404',              { status: 404 },                                                        'http_error', { status: 404 }],
    ['a code that is no text',    { status: 400, json: { errorCode: 7, developerMessage: [] } },          'http_error', { status: 400 }],
    ['a redirect',                { status: 302, headers: { location: 'https://collector.example/' } },   'http_error', { status: 302 }],
  ])('%s', async (_, answer, code, details) => {
    const stage = await start();
    stage.script(/hubs/, answer);
    const error = await failureOf(stage.session.api.hubs());
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.details).toEqual(details);
    expect(stage.to(TOKEN)).toHaveLength(1);
    expect(stage.to(HUBS)).toHaveLength(1);
    expect(stage.session.state.name).toBe('signedIn');
  });

  test('ERR-003 passes by itself: it is tried again, and named when it stays', async () => {
    const stage = await start();
    const answer = { status: 500, json: own('Generic internal server error.', 'ERR-003') };
    stage.script(/hubs/, answer);
    expect(await stage.over(stage.session.api.hubs())).toHaveLength(3);
    stage.script(/hubs/, answer, answer, answer, answer);
    expect(await failureOf(stage.over(stage.session.api.hubs()))).toMatchObject({
      code: 'http_error',
      retryable: true,
      details: { status: 500, error: 'ERR-003' },
    });
  });

  const EXPIRED = { status: 401, headers: { 'x-ads-troubleshooting': 'Token Expired' } };
  // prettier-ignore
  test.each<[string, FakeAnswer, object]>([
    ['an empty body and x-ads-troubleshooting', EXPIRED,                                                      { status: 401 }],
    ['AUTH-006',                                { status: 401, json: own('The access token is invalid.', 'AUTH-006') }, { status: 401, error: 'AUTH-006' }],
    ['AUTH-012',                                { status: 401, json: own('Authorization header.', 'AUTH-012') },        { status: 401, error: 'AUTH-012' }],
    ['AUTH-006 and another status',             { status: 403, json: own('The access token is invalid.', 'AUTH-006') }, { status: 403 }],
  ])('case 130: 401 with %s: one refresh and one more try, then it is told', async (_, answer, details) => {
    const stage = await start();
    stage.script(/hubs/, answer);
    expect(await stage.session.api.hubs()).toHaveLength(3);
    expect([stage.to(TOKEN).length, stage.to(HUBS).length]).toEqual([2, 2]);
    const bearers = stage.to(HUBS).map(({ headers }) => headers['authorization']);
    expect(new Set(bearers).size).toBe(2);
    stage.script(/hubs/, answer, answer);
    const error = await failureOf(stage.session.api.hubs());
    expect(error).toMatchObject({ code: 'http_error', details, retryable: false });
    expect([stage.to(TOKEN).length, stage.to(HUBS).length]).toEqual([3, 4]);
    expect(stage.session.state.name).toBe('signedIn');
  });

  const nextSecond = (nowMs: number) => Math.ceil(nowMs / 1_000) * 1_000;
  // prettier-ignore
  test.each<[string, (nowMs: number) => string | undefined, number]>([
    ['seconds', () => '7',                                                          7_000],
    ['a date',  (nowMs) => new Date(nextSecond(nowMs) + 8_000).toUTCString(),       8_000],
    ['nothing', () => undefined,                                                    0],
  ])('case 115: 429 with %s is waited for, and tried again', async (_, retryAfter, leastMs) => {
    const stage = await start();
    const json = { developerMessage: 'Quota limit exceeded.', moreInfo: 'x' };
    const after = retryAfter(stage.clock.nowMs());
    stage.script(/hubs/, { status: 429, json, ...(after && { headers: { 'retry-after': after } }) });
    expect(await stage.over(stage.session.api.hubs())).toHaveLength(3);
    const [first, second] = stage.to(HUBS).map(({ atMs }) => atMs);
    expect(second! - first!).toBeGreaterThanOrEqual(leastMs);
    expect(second! - first!).toBeLessThanOrEqual(leastMs + 1_500);
  });

  test('case 115: 429 that asks for more patience than a minute is told at once', async () => {
    const stage = await start();
    stage.script(/hubs/, { status: 429, headers: { 'retry-after': '3600' }, json: own('Quota') });
    expect(await failureOf(stage.session.api.hubs())).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      details: { status: 429, retryAfterMs: 3_600_000 },
    });
  });

  test('case 198: words of the platform that quote the token are cut', async () => {
    const stage = await start();
    const token = await stage.session.getAccessToken();
    for (const status of [400, 403, 404]) {
      stage.script(/hubs/, { status, json: own(`No ${token}`, token) });
      const error = await failureOf(stage.session.api.hubs());
      expect(JSON.stringify([error.message, error.details])).not.toContain(token);
    }
  });
});

describe('what a refusal of the token endpoint means', () => {
  const own = (errorCode: string) => ({ developerMessage: 'Said the platform.', errorCode });
  // prettier-ignore
  test.each<[string, FakeAnswer, ErrorCode, object]>([
    ['RFC 6749: invalid_grant',   { status: 400, json: { error: 'invalid_grant', error_description: 'Old.' } }, 'invalid_grant', { error: 'invalid_grant', errorDescription: 'Old.' }],
    ['RFC 6749: invalid_client',  { status: 401, json: { error: 'invalid_client' } },  'invalid_client', { error: 'invalid_client' }],
    ['both shapes at once',       { status: 400, json: { error: 'invalid_grant', ...own('AUTH-008') } }, 'invalid_grant', { error: 'invalid_grant' }],
    ['AUTH-001',                  { status: 403, json: own('AUTH-001') },              'oauth_error', { error: 'unauthorized_client', errorDescription: 'AUTH-001: Said the platform.' }],
    ['AUTH-003',                  { status: 401, json: own('AUTH-003') },              'invalid_client', { error: 'invalid_client', errorDescription: 'AUTH-003: Said the platform.' }],
    ['AUTH-012',                  { status: 401, json: own('AUTH-012') },              'invalid_client', { errorDescription: 'AUTH-012: Said the platform.' }],
    ['AUTH-008',                  { status: 400, json: own('AUTH-008') },              'oauth_error', { error: 'AUTH-008', errorDescription: 'Said the platform.' }],
    ['an ID code',                { status: 400, json: own('ID-GE-006') },             'oauth_error', { error: 'ID-GE-006' }],
    ['a code with status 200',    { json: own('AUTH-008') },                           'oauth_error', { error: 'AUTH-008' }],
    ['ERR-003',                   { status: 500, json: own('ERR-003') },               'http_error', { status: 500, error: 'server_error' }],
    ['ERR-001',                   { status: 429, headers: { 'retry-after': '9' }, json: own('ERR-001') }, 'rate_limited', { status: 429, retryAfterMs: 9_000 }],
    ['an empty 502',              { status: 502 },                                     'http_error', { status: 502 }],
    ['an empty 408',              { status: 408 },                                     'http_error', { status: 408 }],
    ['a code without a message',  { status: 400, json: { errorCode: 'AUTH-001' } },    'oauth_error', { error: 'unauthorized_client', errorDescription: 'AUTH-001' }],
  ])('%s', async (_, answer, code, details) => {
    const stage = keep(createStage());
    stage.script(/POST .*token$/, answer);
    const error = await failureOf(stage.over(stage.session.signIn()));
    expect(error).toMatchObject({ code, details });
    expect(stage.to(TOKEN)).toHaveLength(1);
  });
});

/** What each fault of the sandbox comes to: an error that says what it is, or work that goes on. */
const ROWS: Readonly<Record<Extract<FaultName, `aps-${string}`>, () => Promise<void>>> = {
  async 'aps-metadata-revoke-endpoint'() {
    // Nothing is discovered: the endpoints are in the documents.
    const stage = await faulty('aps-metadata-revoke-endpoint');
    await stage.session.signOut();
    expect(stage.to(REVOKE)).toHaveLength(2);
  },
  async 'aps-token-auth-003'() {
    expect((await failureOf(faulty('aps-token-auth-003'))).code).toBe('invalid_client');
  },
  async 'aps-token-err-001'() {
    expect(await failureOf(faulty('aps-token-err-001'))).toMatchObject({
      code: 'rate_limited',
      details: { retryAfterMs: 1_000 },
    });
  },
  'aps-token-err-003': () => fails('aps-token-err-003', 'http_error', { status: 500 }),
  'aps-token-502': () => fails('aps-token-502', 'http_error', { status: 502 }),
  'aps-token-408': () => fails('aps-token-408', 'http_error', { status: 408 }),
  async 'aps-refresh-auth-004'() {
    const stage = await faulty('aps-refresh-auth-004');
    await stage.clock.advance(3_600_000);
    const error = await failureOf(stage.session.getAccessToken());
    expect(error).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
  },
  async 'aps-refresh-grace'() {
    const stage = await faulty('aps-refresh-grace');
    for (let round = 0; round < 3; round += 1) await stage.session.getAccessToken(RENEW);
    expect(stage.session.state.name).toBe('signedIn');
  },
  'aps-revoke-503': () => signsOut('aps-revoke-503'),
  'aps-revoke-hang': () => signsOut('aps-revoke-hang'),
  async 'aps-userinfo-401'() {
    const stage = await faulty('aps-userinfo-401');
    expect(await failureOf(stage.session.api.userInfo())).toMatchObject({
      code: 'http_error',
      details: { status: 401, error: 'AUTH-006' },
    });
    expect(stage.to(USERINFO)).toHaveLength(2);
    expect(await stage.session.api.hubs()).toHaveLength(3);
  },
  'aps-hubs-403-warnings': () => hubsFail('aps-hubs-403-warnings', 'forbidden'),
  'aps-hubs-none-warnings': () => hubsFail('aps-hubs-none-warnings', 'forbidden'),
  'aps-hubs-some-warnings': () => hubsAre('aps-hubs-some-warnings', 1),
  'aps-hubs-none': () => hubsAre('aps-hubs-none', 0),
  'aps-api-429-once': () => hubsAre('aps-api-429-once', 3),
  'aps-api-401-once': () => hubsAre('aps-api-401-once', 3),
  'aps-api-403-text': () => hubsFail('aps-api-403-text', 'insufficient_scope'),
  'aps-api-auth-001': () => hubsFail('aps-api-auth-001', 'forbidden'),
  'aps-api-auth-010': () => hubsFail('aps-api-auth-010', 'insufficient_scope'),
  'aps-page-without-data': () => hubsFail('aps-page-without-data', 'malformed_response'),
  'aps-next-itself': () => contentsFail('aps-next-itself', 'malformed_response', 10),
  'aps-next-endless': () => contentsFail('aps-next-endless', 'malformed_response', 25),
  'aps-next-foreign': () => contentsFail('aps-next-foreign', 'api_url_untrusted', 10),
  'aps-next-http': () => contentsFail('aps-next-http', 'api_url_untrusted', 10),
  async 'aps-next-absolute'() {
    const stage = await faulty('aps-next-absolute');
    const { project, models } = await toModels(stage);
    const { api } = stage.session;
    expect(await api.folderContents(project, models, { limit: 10 })).toHaveLength(25);
  },
};

async function fails(fault: FaultName, code: ErrorCode, details: object): Promise<void> {
  expect(await failureOf(faulty(fault))).toMatchObject({ code, details });
}

async function signsOut(fault: FaultName): Promise<void> {
  const stage = await faulty(fault);
  await stage.over(stage.session.signOut());
  expect(stage.session.state.name).toBe('signedOut');
}

async function hubsFail(fault: FaultName, code: ErrorCode): Promise<void> {
  const stage = await faulty(fault);
  const { code: found } = await failureOf(stage.over(stage.session.api.hubs()));
  expect(found).toBe(code);
  expect(stage.to(TOKEN)).toHaveLength(1);
}

async function hubsAre(fault: FaultName, count: number): Promise<void> {
  const stage = await faulty(fault);
  expect(await stage.over(stage.session.api.hubs())).toHaveLength(count);
}

/** Reads ten at a time: the entries are given, none twice, until the list turns out not to end. */
async function contentsFail(fault: FaultName, code: ErrorCode, count: number): Promise<void> {
  const good = await start();
  const { project, models } = await toModels(good);
  const stage = await faulty(fault);
  const seen: string[] = [];
  const reading = (async () => {
    const { api } = stage.session;
    for await (const { id } of api.folderContents(project, models, { limit: 10 })) seen.push(id);
  })();
  expect((await failureOf(reading)).code).toBe(code);
  expect([seen.length, new Set(seen).size]).toEqual([count, count]);
  expect(stage.sent.length).toBeLessThan(50);
  expect(stage.sent.every(({ url }) => url.startsWith(`${HOST}/`))).toBe(true);
}

test.each(Object.entries(ROWS))('fault %s', (_, row) => row());

test('no fault of the platform is left out', () => {
  const all = Object.keys(FAULTS).filter((name) => name.startsWith('aps-'));
  expect(Object.keys(ROWS).sort()).toEqual(all.sort());
});

describe('options', () => {
  const scopes = (count: number, scope = 'data:read') => Array<string>(count).fill(scope);
  // prettier-ignore
  test.each<[string, object, RegExp]>([
    ['no client ID',                    { ...PUBLIC, clientId: '' },                            /clientId is missing/],
    ['a secret that is empty',          { ...PUBLIC, clientSecret: '' },                        /clientSecret is missing/],
    ['a service without a secret',      { ...SERVICE, clientSecret: undefined },                /clientSecret is missing/],
    ['no scopes',                       { ...PUBLIC, scopes: undefined },                       /scopes/],
    ['an empty list of scopes',         { ...PUBLIC, scopes: [] },                              /scopes/],
    ['51 scopes',                       { ...PUBLIC, scopes: scopes(51) },                      /scopes/],
    ['scopes of more than 2000 characters', { ...PUBLIC, scopes: scopes(2, 'data:read:'.padEnd(1_000, 'a')) }, /scopes/],
    ['an empty scope',                  { ...PUBLIC, scopes: [''] },                            /scopes/],
    ['two scopes in one',               { ...PUBLIC, scopes: ['data:read data:write'] },        /scopes/],
    ['a scope that is no text',         { ...PUBLIC, scopes: [7] },                             /scopes/],
    ['no redirect URIs',                { ...PUBLIC, redirectUris: undefined },                 /redirectUris/],
    ['an empty list of redirect URIs',  { ...PUBLIC, redirectUris: [] },                        /redirectUris/],
    ['a redirect URI with a fragment',  { ...PUBLIC, redirectUris: ['http://localhost:1/#a'] }, /redirectUris/],
    ['a relative redirect URI',         { ...PUBLIC, redirectUris: ['/callback'] },             /redirectUris/],
    ['a base over http',                { ...PUBLIC, baseUrl: 'http://gateway.example' },       /baseUrl/],
    ['a base that is no address',       { ...PUBLIC, baseUrl: '' },                             /baseUrl/],
    ['a base with a user name',         { ...PUBLIC, baseUrl: 'https://a@gateway.example' },    /baseUrl/],
  ])('%s is a configuration_error that names it', async (_, options, problem) => {
    const error = await failureOf((async () => aps(options as ApsUserOptions))());
    expect(error.code).toBe('configuration_error');
    expect(error.message).toMatch(problem);
  });

  test('50 scopes are good, and one for a single resource', () => {
    expect(aps({ ...PUBLIC, scopes: scopes(50) }).scopes).toHaveLength(50);
    const one = 'data:read:urn:adsk.objects:os.object:bucket/a%20model.rvt';
    expect(aps({ ...PUBLIC, scopes: [one] }).scopes).toEqual([one]);
  });

  test('case 171: tokens of one server are never found by another', async () => {
    const store = memoryStore();
    const stage = await start({ store });
    const baseUrl = 'http://localhost:8080';
    const provider = aps({ ...PUBLIC, baseUrl });
    const session = createSession({ host: { ...stage.host, store }, provider });
    expect((await failureOf(session.getAccessToken())).code).toBe('sign_in_required');
    await session.close();
  });
});
