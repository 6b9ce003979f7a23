import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { createSession, type Host, type KeyValueStore, type Provider, type Session } from 'mortise';
import { bimcloud } from 'mortise/providers/bimcloud';
import { catenda } from 'mortise/providers/catenda';
import { itwin } from 'mortise/providers/itwin';
import { onshape } from 'mortise/providers/onshape';
import { procore } from 'mortise/providers/procore';
import { trimble } from 'mortise/providers/trimble';
import { failureOf } from '../api/support/failure.js';
import type { SentRequest } from '../api/support/scripted-http.js';
import { createFakeHost, form, json, type FakeHost } from './support/fake-host.js';

const CALLBACK = 'http://localhost:7000/callback';
const CLIENT = { clientId: 'the-client', redirectUris: [CALLBACK] };
const CONFIDENTIAL = { ...CLIENT, clientSecret: 'the-secret' };
/** Onshape's client ID and secret end so. */
const PADDED = { ...CLIENT, clientId: 'the-client=', clientSecret: 'the-secret=' };

/** 32 bytes of chance in base64url. */
const RANDOM: string = expect.stringMatching(/^[\w-]{43}$/);
const S256 = { code_challenge: RANDOM, code_challenge_method: 'S256' };
const ASKED = { response_type: 'code', client_id: 'the-client', redirect_uri: CALLBACK };
const EXCHANGED = { grant_type: 'authorization_code', code: 'the-code', redirect_uri: CALLBACK };
const REFRESHED = { grant_type: 'refresh_token', refresh_token: 'refresh-1' };
const IN_BODY = { client_id: 'the-client', client_secret: 'the-secret' };
const TOKENS = { access_token: 'access-1', refresh_token: 'refresh-1' };
/** Trimble's header: ID and secret as they are, where RFC 6749 would have them form-encoded before. */
const AWKWARD = { ...CLIENT, clientSecret: 'the+secret=' };
const BASIC = `Basic ${Buffer.from('the-client:the+secret=').toString('base64')}`;

type Fields = Readonly<Record<string, string>>;

/** What the platform's documents say. Everything is exact: a parameter more is a failure, too. */
interface Facts {
  readonly make: () => Provider;
  /** Where the facts are from; one of the provider's sources. */
  readonly source: RegExp;
  readonly authorize: readonly [address: string, parameters: Fields];
  readonly token: string;
  /** The header, where the secret is in it. */
  readonly basic?: string;
  readonly exchange: Fields;
  /** An answer as printed, tokens aside, and how many seconds it is good for. */
  readonly answer: readonly [body: object, lifetimeS: number];
  readonly scopes?: readonly string[];
  readonly refresh: Fields;
  readonly revoke?: readonly [address: string, fields: Fields];
  readonly api: string;
  /** Whether the documents say that the verifier is compared. */
  readonly isPkceKnown: boolean;
}

const FACTS: Readonly<Record<string, Facts>> = {
  'trimble, with Serial PKCE': {
    make: () => trimble({ ...CLIENT, scopes: ['the-app'] }),
    source: /guides\/authorization-code-pkce/,
    authorize: [
      'https://id.trimble.com/oauth/authorize',
      { ...ASKED, ...S256, scope: 'openid the-app', state: RANDOM, nonce: RANDOM },
    ],
    token: 'https://id.trimble.com/oauth/token',
    exchange: { ...EXCHANGED, ...S256, client_id: 'the-client', code_verifier: RANDOM },
    answer: [
      { token_type: 'bearer', expires_in: 3600, scope: 'openid the-app', id_token: 'x' },
      3600,
    ],
    scopes: ['openid', 'the-app'],
    refresh: { ...REFRESHED, ...S256, client_id: 'the-client', code_verifier: RANDOM },
    api: 'https://app.connect.trimble.com/tc/api/2.0',
    isPkceKnown: true,
  },
  'trimble, with a secret': {
    make: () => trimble({ ...AWKWARD, scopes: ['openid', 'the-app'] }),
    source: /trimble-connect-sdk 4\.0\.5/,
    authorize: [
      'https://id.trimble.com/oauth/authorize',
      { ...ASKED, scope: 'openid the-app', state: RANDOM, nonce: RANDOM },
    ],
    token: 'https://id.trimble.com/oauth/token',
    basic: BASIC,
    exchange: EXCHANGED,
    answer: [{ token_type: 'bearer', expires_in: 3600 }, 3600],
    scopes: ['openid', 'the-app'],
    refresh: REFRESHED,
    revoke: [
      'https://id.trimble.com/oauth/revoke',
      { token: 'refresh-2', token_type_hint: 'refresh_token' },
    ],
    api: 'https://app.connect.trimble.com/tc/api/2.0',
    isPkceKnown: false,
  },
  'itwin, native': {
    make: () => itwin({ ...CLIENT, scopes: ['itwin-platform'] }),
    source: /authorization\/native-spa/,
    authorize: [
      'https://ims.bentley.com/connect/authorize',
      { ...ASKED, ...S256, scope: 'offline_access itwin-platform', state: RANDOM },
    ],
    token: 'https://ims.bentley.com/connect/token',
    exchange: { ...EXCHANGED, client_id: 'the-client', code_verifier: RANDOM },
    answer: [{ token_type: 'Bearer', expires_in: 3600 }, 3600],
    scopes: ['offline_access', 'itwin-platform'],
    refresh: { ...REFRESHED, client_id: 'the-client' },
    revoke: [
      'https://ims.bentley.com/connect/revocation',
      { token: 'refresh-2', token_type_hint: 'refresh_token', client_id: 'the-client' },
    ],
    api: 'https://api.bentley.com',
    isPkceKnown: true,
  },
  'itwin, web': {
    make: () => itwin({ ...CONFIDENTIAL, scopes: ['itwin-platform', 'offline_access'] }),
    source: /authorize-webapp/,
    authorize: [
      'https://ims.bentley.com/connect/authorize',
      { ...ASKED, ...S256, scope: 'offline_access itwin-platform', state: RANDOM },
    ],
    token: 'https://ims.bentley.com/connect/token',
    exchange: { ...EXCHANGED, ...IN_BODY, code_verifier: RANDOM },
    answer: [{ token_type: 'Bearer', expires_in: 3600 }, 3600],
    scopes: ['offline_access', 'itwin-platform'],
    refresh: { ...REFRESHED, ...IN_BODY },
    api: 'https://api.bentley.com',
    isPkceKnown: false,
  },
  procore: {
    make: () => procore(CONFIDENTIAL),
    source: /oauth_auth_grant_flow\.md/,
    authorize: ['https://login.procore.com/oauth/authorize', { ...ASKED, ...S256, state: RANDOM }],
    token: 'https://login.procore.com/oauth/token',
    exchange: { ...EXCHANGED, ...IN_BODY, code_verifier: RANDOM },
    answer: [{ token_type: 'bearer', expires_in: 5400, created_at: 1484786897 }, 5400],
    refresh: { ...REFRESHED, ...IN_BODY, redirect_uri: CALLBACK },
    revoke: ['https://login.procore.com/oauth/revoke', { token: 'access-2', ...IN_BODY }],
    api: 'https://api.procore.com/rest',
    isPkceKnown: false,
  },
  'procore, monthly sandbox': {
    make: () => procore({ ...CONFIDENTIAL, environment: 'monthlySandbox' }),
    source: /development-environments/,
    authorize: [
      'https://login-sandbox-monthly.procore.com/oauth/authorize',
      { ...ASKED, ...S256, state: RANDOM },
    ],
    token: 'https://login-sandbox-monthly.procore.com/oauth/token',
    exchange: { ...EXCHANGED, ...IN_BODY, code_verifier: RANDOM },
    answer: [{ token_type: 'bearer', expires_in: 5400, created_at: 1484786897 }, 5400],
    refresh: { ...REFRESHED, ...IN_BODY, redirect_uri: CALLBACK },
    revoke: [
      'https://login-sandbox-monthly.procore.com/oauth/revoke',
      { token: 'access-2', ...IN_BODY },
    ],
    api: 'https://api-monthly.procore.com/rest',
    isPkceKnown: false,
  },
  'procore, development sandbox': {
    make: () => procore({ ...CONFIDENTIAL, environment: 'developmentSandbox' }),
    source: /development-environments/,
    authorize: [
      'https://login-sandbox.procore.com/oauth/authorize',
      { ...ASKED, ...S256, state: RANDOM },
    ],
    token: 'https://login-sandbox.procore.com/oauth/token',
    exchange: { ...EXCHANGED, ...IN_BODY, code_verifier: RANDOM },
    answer: [{ token_type: 'bearer', expires_in: 5400, created_at: 1484786897 }, 5400],
    refresh: { ...REFRESHED, ...IN_BODY, redirect_uri: CALLBACK },
    revoke: ['https://login-sandbox.procore.com/oauth/revoke', { token: 'access-2', ...IN_BODY }],
    api: 'https://sandbox.procore.com/rest',
    isPkceKnown: false,
  },
  onshape: {
    make: () => onshape(PADDED),
    source: /docs\/auth\/oauth/,
    authorize: [
      'https://oauth.onshape.com/oauth/authorize',
      { ...ASKED, ...S256, client_id: 'the-client=', state: RANDOM },
    ],
    token: 'https://oauth.onshape.com/oauth/token',
    exchange: {
      ...EXCHANGED,
      client_id: 'the-client=',
      client_secret: 'the-secret=',
      code_verifier: RANDOM,
    },
    answer: [{ token_type: 'Bearer', expires_in: 3600 }, 3600],
    refresh: { ...REFRESHED, client_id: 'the-client=', client_secret: 'the-secret=' },
    api: 'https://cad.onshape.com/api',
    isPkceKnown: false,
  },
  'onshape, one company, an enterprise': {
    make: () =>
      onshape({
        ...CONFIDENTIAL,
        scopes: ['OAuth2ReadPII', 'OAuth2Read'],
        companyId: '5f3a',
        apiBaseUrl: 'https://acme.example/api',
      }),
    source: /2020-05-18/,
    authorize: [
      'https://oauth.onshape.com/oauth/authorize',
      { ...ASKED, ...S256, scope: 'OAuth2ReadPII OAuth2Read', company_id: '5f3a', state: RANDOM },
    ],
    token: 'https://oauth.onshape.com/oauth/token',
    exchange: { ...EXCHANGED, ...IN_BODY, code_verifier: RANDOM },
    answer: [{ token_type: 'Bearer', expires_in: 3600 }, 3600],
    scopes: ['OAuth2ReadPII', 'OAuth2Read'],
    refresh: { ...REFRESHED, ...IN_BODY },
    api: 'https://acme.example/api',
    isPkceKnown: false,
  },
  'catenda, with a secret': {
    make: () => catenda(CONFIDENTIAL),
    source: /developers\.catenda\.com: authentication/,
    authorize: ['https://api.catenda.com/oauth2/authorize', { ...ASKED, state: RANDOM }],
    token: 'https://api.catenda.com/oauth2/token',
    exchange: { ...EXCHANGED, ...IN_BODY },
    answer: [{ token_type: 'bearer', expires_in: 3599 }, 3599],
    refresh: { ...REFRESHED, ...IN_BODY },
    api: 'https://api.catenda.com/v2',
    isPkceKnown: false,
  },
  'catenda, with PKCE': {
    make: () => catenda(CLIENT),
    source: /developers\.catenda\.com: authentication/,
    authorize: ['https://api.catenda.com/oauth2/authorize', { ...ASKED, ...S256, state: RANDOM }],
    token: 'https://api.catenda.com/oauth2/token',
    exchange: { ...EXCHANGED, client_id: 'the-client', code_verifier: RANDOM },
    answer: [{ token_type: 'bearer', expires_in: 3599 }, 3599],
    refresh: { ...REFRESHED, client_id: 'the-client' },
    api: 'https://api.catenda.com/v2',
    isPkceKnown: true,
  },
  bimcloud: {
    make: () => bimcloud({ ...CLIENT, managerUrl: ' BIM.acme.example:443/manager/?tab=1 ' }),
    source: /openapi\/2023\.2\.yaml/,
    authorize: [
      'https://bim.acme.example/manager/management/client/oauth2/authorize',
      { ...S256, client_id: 'the-client', redirect_uri: CALLBACK, state: RANDOM },
    ],
    token: 'https://bim.acme.example/manager/management/client/oauth2/token',
    exchange: { ...EXCHANGED, client_id: 'the-client', code_verifier: RANDOM },
    // The moment is the printed one, and so an hour after `PRINTED_MS`.
    answer: [
      {
        token_type: 'Bearer',
        access_token_exp: 1671023383,
        refresh_token_exp: 1671623383,
        user_id: 'u',
      },
      3600,
    ],
    refresh: { ...REFRESHED, client_id: 'the-client' },
    api: 'https://bim.acme.example/manager/management/client',
    isPkceKnown: false,
  },
};

const PRINTED_MS = 1_671_019_783_000;

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');

/** A store whose writes can be looked at. */
function watched(store: KeyValueStore): KeyValueStore & { readonly writes: string[] } {
  const writes: string[] = [];
  const set = (key: string, value: string) => store.set(key, (writes.push(value), value));
  return { ...store, set, writes };
}

let host: FakeHost;
const open = new Set<Session<unknown>>();

function start(provider: Provider, on: Host = host): Session<ReturnType<Provider['api']>> {
  const session = createSession({ host: on, provider });
  open.add(session);
  return session;
}

/** Signs in as a user who agrees. */
async function allow(session: Session<unknown>): Promise<URL> {
  const done = session.signIn();
  done.catch(() => {});
  const page = await host.consentPage();
  const { redirect_uri: uri, state = '' } = Object.fromEntries(page.searchParams);
  await host.visit().onRedirect(`${uri}?${new URLSearchParams({ code: 'the-code', state })}`);
  await done;
  return page;
}

/** Answers every token request with the printed answer, whose tokens count on. */
function answerTokens({ token, answer: [body] }: Pick<Facts, 'token' | 'answer'>): void {
  let serial = 0;
  host.answer({
    [`POST ${token}`]: () => {
      serial += 1;
      const moment = serial === 1 ? {} : { access_token_exp: host.clock.nowMs() / 1000 + 3600 };
      const tokens = { access_token: `access-${serial}`, refresh_token: `refresh-${serial}` };
      return json({ ...body, ...('access_token_exp' in body && moment), ...tokens });
    },
  });
}

const formsTo = (address: string): Record<string, string>[] =>
  host.sent.filter(({ url }) => url === address).map(({ body }) => form(body));

beforeEach(() => {
  host = createFakeHost('confidential');
  host.clock.setWall(PRINTED_MS);
});

afterEach(async () => {
  for (const session of open) await session.close();
  open.clear();
  expect(host.clock.pending).toBe(0);
});

describe.each(Object.entries(FACTS))('%s', (_, facts) => {
  let session: ReturnType<typeof start>;

  const isForm = ({ method, headers }: SentRequest) => {
    expect(method).toBe('POST');
    expect(headers).toEqual({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(facts.basic && { authorization: facts.basic }),
    });
  };

  beforeEach(() => {
    answerTokens(facts);
    session = start(facts.make());
  });

  test('names its sources and the day they were read', () => {
    const { facts: found } = facts.make();
    expect(found?.readOn).toBe('2026-11-22');
    expect(found?.sources.some((source) => facts.source.test(source))).toBe(true);
  });

  test('the authorization request', async () => {
    const weaknesses = new Set<unknown>();
    session.onChange(() => {
      if (session.state.name === 'authorizing') weaknesses.add(session.state.weakness);
    });
    const page = await allow(session);
    const [address, parameters] = facts.authorize;
    expect(page.origin + page.pathname).toBe(address);
    expect(Object.fromEntries(page.searchParams)).toEqual(parameters);
    expect([...page.searchParams]).toHaveLength(Object.keys(parameters).length);
    expect(page.search).not.toMatch(/\+/);
    expect(weaknesses.has('pkce_not_checked')).toBe(!facts.isPkceKnown);
  });

  test('the exchange', async () => {
    const { searchParams } = await allow(session);
    expect(host.sent.map(({ url }) => url)).toEqual([facts.token]);
    host.sent.forEach(isForm);
    const [exchange = {}] = formsTo(facts.token);
    expect(exchange).toEqual(facts.exchange);
    const { code_verifier: verifier } = exchange;
    expect(searchParams.get('code_challenge')).toBe(verifier ? challengeOf(verifier) : null);
  });

  test('the answer', async () => {
    await allow(session);
    expect(await session.getAccessToken()).toBe('access-1');
    const [, lifetimeS] = facts.answer;
    expect(session.state).toEqual({
      name: 'signedIn',
      expiresAtMs: PRINTED_MS + lifetimeS * 1000,
      scopes: facts.scopes ?? [],
    });
  });

  test('two refreshes, the second with what the first one brought', async () => {
    await allow(session);
    for (const refresh_token of ['refresh-1', 'refresh-2']) {
      await host.clock.advance(facts.answer[1] * 1000);
      await session.getAccessToken();
      expect(formsTo(facts.token).at(-1)).toEqual({ ...facts.refresh, refresh_token });
    }
    expect(host.sent).toHaveLength(3);
    host.sent.forEach(isForm);
  });

  test('signing out', async () => {
    await allow(session);
    await host.clock.advance(facts.answer[1] * 1000);
    await session.getAccessToken();
    const before = host.sent.length;
    await session.signOut();
    const told = host.sent.slice(before);
    told.forEach(isForm);
    expect(told.map(({ url, body }) => [url, form(body)])).toEqual(
      facts.revoke ? [facts.revoke] : [],
    );
  });

  test('requests go below the API’s base, with the token', async () => {
    await allow(session);
    host.answer({ [`GET ${facts.api}/some/thing`]: json({ here: true }) });
    const answer = await session.api.request({ path: 'some/thing' });
    expect(await answer.json()).toEqual({ here: true });
    expect(host.sent.at(-1)!.headers['authorization']).toBe('Bearer access-1');
    const outside = failureOf(session.api.request({ path: 'https://elsewhere.example/' }));
    expect(await outside).toMatchObject({ code: 'api_url_untrusted' });
  });

  test('no token for fewer scopes is asked for, as nothing says there is one', () => {
    expect(facts.make().dialect.fewerScopes).toBeUndefined();
  });
});

test('every platform that is data is in the table', () => {
  const made = Object.values(FACTS).map(({ make }) => make().id);
  expect(new Set(made)).toEqual(
    new Set(['trimble', 'itwin', 'procore', 'onshape', 'catenda', 'bimcloud']),
  );
});

describe('Serial PKCE at Trimble', () => {
  const facts = FACTS['trimble, with Serial PKCE']!;
  const provider = facts.make();
  let store: ReturnType<typeof watched>;

  beforeEach(() => {
    answerTokens(facts);
    store = watched(host.store);
  });

  /** Each request proves what the one before announced, the first what the sign-in announced. */
  function checkChain(page: URL, forms: readonly Record<string, string>[]): void {
    const announced = [
      page.searchParams.get('code_challenge'),
      ...forms.map((f) => f['code_challenge']),
    ];
    const proved = forms.map((f) => challengeOf(f['code_verifier'] ?? ''));
    expect(proved).toEqual(announced.slice(0, -1));
    expect(new Set(announced).size).toBe(announced.length);
  }

  const carriedIn = (record = '{}') =>
    (JSON.parse(record) as { carried?: Record<string, string> }).carried;

  test('holds over refreshes, and over the end of the process', async () => {
    let session = start(provider, { ...host, store });
    const page = await allow(session);
    for (let refresh = 0; refresh < 6; refresh += 1) {
      if (refresh === 3) {
        await session.close();
        session = start(provider, { ...host, store });
        await session.restore();
      }
      await host.clock.advance(3_600_000);
      await session.getAccessToken();
    }
    const forms = formsTo(facts.token);
    expect(forms).toHaveLength(7);
    checkChain(page, forms);
  });

  test('what the next refresh needs rests beside the refresh token, and nothing else does', async () => {
    const session = start(provider, { ...host, store });
    await allow(session);
    await host.clock.advance(3_600_000);
    await session.getAccessToken();
    const forms = formsTo(facts.token);
    expect(store.writes).toHaveLength(2);
    for (const [index, write] of store.writes.entries()) {
      const carried = carriedIn(write);
      expect(Object.keys(carried ?? {})).toEqual(['code_verifier']);
      expect(challengeOf(carried?.['code_verifier'] ?? '')).toBe(forms[index]!['code_challenge']);
    }
  });

  test('a refresh that got no answer is tried again with the same verifier', async () => {
    const session = start(provider, { ...host, store });
    const page = await allow(session);
    await host.clock.advance(3_600_000);
    host.answer({ [`POST ${facts.token}`]: 'no answer' });
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code: 'network_error' });
    answerTokens(facts);
    await session.getAccessToken();
    await host.clock.advance(3_600_000);
    await session.getAccessToken();
    const [exchange, lost, again, next] = formsTo(facts.token);
    expect(again!['code_verifier']).toBe(lost!['code_verifier']);
    checkChain(page, [exchange!, again!, next!]);
  });

  test('no verifier is ever seen in a state or an error', async () => {
    const session = start(provider, { ...host, store });
    const seen: unknown[] = [];
    session.onChange((change) => seen.push(change, session.state));
    await allow(session);
    await host.clock.advance(3_600_000);
    await session.getAccessToken();
    await host.clock.advance(3_600_000);
    host.answer({
      [`POST ${facts.token}`]: ({ body }) => {
        const echo = form(body)['code_verifier'];
        return json({ error: 'invalid_grant', error_description: `no: ${echo}` }, 400);
      },
    });
    const failure = await failureOf(session.getAccessToken());
    expect(failure).toMatchObject({ code: 'sign_in_required', details: { reason: 'rejected' } });
    expect(failure.cause).toMatchObject({ code: 'invalid_grant' });
    seen.push(failure, session);
    const verifiers = [
      ...formsTo(facts.token).map((fields) => fields['code_verifier'] ?? ''),
      ...store.writes.map((write) => carriedIn(write)?.['code_verifier'] ?? ''),
    ];
    expect(new Set(verifiers).size).toBe(3);
    const printed = inspect(seen, { depth: Infinity, showHidden: true }) + JSON.stringify(seen);
    for (const verifier of verifiers) {
      expect(verifier).toEqual(RANDOM);
      expect(printed).not.toContain(verifier);
    }
  });
});

describe('Procore', () => {
  const facts = FACTS['procore']!;
  const ME = 'https://api.procore.com/rest/v1.0/me';
  const DATE = new Date(PRINTED_MS).toUTCString();
  const reset = (afterS: number) => String(PRINTED_MS / 1000 + afterS);

  async function signedIn() {
    answerTokens(facts);
    const session = start(facts.make());
    await allow(session);
    return session;
  }

  test('the redirect URI that every refresh repeats rests in the store', async () => {
    const store = watched(host.store);
    answerTokens(facts);
    await allow(start(facts.make(), { ...host, store }));
    expect(JSON.parse(store.writes[0] ?? '')).toMatchObject({
      carried: { redirect_uri: CALLBACK },
    });
  });

  test('a limit that is reached ends at the moment the answer names, by the server’s clock', async () => {
    const session = await signedIn();
    // The clock of this machine is wrong by a day.
    host.clock.setWall(PRINTED_MS + 86_400_000);
    answerTokens(facts);
    host.answer({
      [`GET ${ME}`]: {
        status: 429,
        headers: { 'x-rate-limit-reset': reset(3000), date: DATE },
      },
    });
    const failure = await failureOf(session.api.request({ path: 'v1.0/me' }));
    expect(failure).toMatchObject({ code: 'rate_limited', details: { retryAfterMs: 3_000_000 } });
  });

  // prettier-ignore
  test.each([
    ['an answer without a date',        429, { 'x-rate-limit-reset': reset(9) }],
    ['a moment that is none',           429, { 'x-rate-limit-reset': 'soon', date: DATE }],
    ['a 503, which has a Retry-After',  503, { 'x-rate-limit-reset': reset(9), date: DATE }],
  ])('%s is left to its status', (_, status, headers) => {
    const failure = { status, headers: new Map(Object.entries(headers)), text: '', json: undefined };
    expect(facts.make().apiFailure?.(failure)).toBeUndefined();
  });

  test('a moment that is over means now', () => {
    const headers = new Map([
      ['x-rate-limit-reset', reset(-9)],
      ['date', DATE],
    ]);
    const failure = { status: 429, headers, text: '', json: undefined };
    expect(facts.make().apiFailure?.(failure)).toMatchObject({ details: { retryAfterMs: 0 } });
  });
});

test('where only a refresh token can be revoked and there is none, nothing is sent', async () => {
  const { make, token } = FACTS['itwin, native']!;
  host.answer({ [`POST ${token}`]: json({ access_token: 'access-1', token_type: 'Bearer' }) });
  const session = start(make());
  await allow(session);
  await session.signOut();
  expect(host.sent).toHaveLength(1);
});

describe('who is signed in', () => {
  // prettier-ignore
  test.each<[string, string, object, string | null]>([
    ['procore', 'https://api.procore.com/rest/v1.0/me', { id: 1, login: 'ada@acme.example', name: 'Ada' }, 'Ada'],
    ['procore', 'https://api.procore.com/rest/v1.0/me', { id: 1, login: 'ada@acme.example', name: '' }, 'ada@acme.example'],
    ['procore', 'https://api.procore.com/rest/v1.0/me', { id: 1 }, null],
    ['catenda, with PKCE', 'https://api.catenda.com/v2/user', { id: 'u', name: 'Ada', username: 'a' }, 'Ada'],
  ])('%s, from %s', async (row, address, person, shown) => {
    const facts = FACTS[row]!;
    const provider = facts.make();
    answerTokens(facts);
    const session = start(provider);
    await allow(session);
    host.answer({ [`GET ${address}`]: json(person) });
    expect(await provider.displayName?.(session.api)).toBe(shown);
  });
});

describe('Onshape', () => {
  test('the tokens of one company are not found for another, nor for none', async () => {
    const facts = FACTS['onshape']!;
    answerTokens(facts);
    await allow(start(onshape({ ...CONFIDENTIAL, companyId: 'one' })));
    for (const more of [{ companyId: 'two' }, {}]) {
      const other = start(onshape({ ...CONFIDENTIAL, ...more }));
      await other.restore();
      expect(other.state).toEqual({ name: 'signedOut', reason: 'never' });
    }
  });

  test('ID and secret are encoded in the form', async () => {
    answerTokens(FACTS['onshape']!);
    await allow(start(onshape(PADDED)));
    expect(host.shown[0]).toContain('client_id=the-client%3D&');
    expect(host.sent[0]!.body).toContain('client_id=the-client%3D&client_secret=the-secret%3D');
  });

  test('a code that was refused was perhaps too old', async () => {
    host.answer({
      'POST https://oauth.onshape.com/oauth/token': json({ error: 'invalid_grant' }, 400),
    });
    const failure = await failureOf(allow(start(onshape(CONFIDENTIAL))));
    expect(failure).toMatchObject({ code: 'invalid_grant', hint: expect.stringMatching(/60 s/) });
  });

  test('a redirect of the API is not followed', async () => {
    answerTokens(FACTS['onshape']!);
    const session = start(onshape(CONFIDENTIAL));
    await allow(session);
    const headers = { location: 'https://acme.example/api/documents' };
    host.answer({ 'GET https://cad.onshape.com/api/documents': { status: 307, headers } });
    const failure = await failureOf(session.api.request({ path: 'documents' }));
    expect(failure).toMatchObject({ code: 'http_error', details: { status: 307 } });
    expect(host.sent).toHaveLength(2);
  });
});

test('Catenda: a client that is refused is told of PKCE', async () => {
  host.answer({
    'POST https://api.catenda.com/oauth2/token': json({ error: 'invalid_client' }, 401),
  });
  const failure = await failureOf(allow(start(catenda(CLIENT))));
  expect(failure).toMatchObject({ code: 'invalid_client', hint: expect.stringMatching(/PKCE/) });
});

describe('BIMcloud', () => {
  const facts = FACTS['bimcloud']!;
  const OWN = { 'error-code': 6, 'error-message': 'EntityNotFoundError: No item found' };

  // prettier-ignore
  test.each([
    ['its own error',        430, OWN, { code: 'oauth_error', details: { status: 430, error: '6', errorDescription: 'No item found' } }],
    ['an OAuth error',       400, { error: 'invalid_grant', error_description: 'used' }, { code: 'invalid_grant', details: { status: 400, error: 'invalid_grant', errorDescription: 'used' } }],
    ['an error inside',      400, { error: 'invalid_request', inner: OWN }, { code: 'oauth_error', details: { error: 'invalid_request', errorDescription: 'No item found' } }],
    ['a state used before',  500, { error: 'server_error', inner: {} }, { code: 'http_error', retryable: true, details: { status: 500, error: 'server_error' } }],
    ['a word for tokens',   400, { error: 'invalid_token' }, { code: 'oauth_error' }],
  ])('the exchange is refused with %s', async (_, status, body, expected) => {
    host.answer({ [`POST ${facts.token}`]: json(body, status) });
    expect(await failureOf(allow(start(facts.make())))).toMatchObject(expected);
  });

  test('a refresh that is refused with invalid_token ends the session', async () => {
    answerTokens(facts);
    const session = start(facts.make());
    await allow(session);
    await host.clock.advance(3_600_000);
    host.answer({ [`POST ${facts.token}`]: json({ error: 'invalid_token' }, 400) });
    expect(await failureOf(session.getAccessToken())).toMatchObject({ code: 'sign_in_required' });
  });

  test('without a usable moment the token is good until it is refused', async () => {
    for (const access_token_exp of ['soon', null, PRINTED_MS / 1000 - 5]) {
      const answer = { ...TOKENS, token_type: 'Bearer', access_token_exp };
      host.answer({ [`POST ${facts.token}`]: json(answer) });
      const session = start(facts.make());
      await allow(session);
      expect(session.state).toMatchObject({ name: 'signedIn', expiresAtMs: null });
    }
  });

  test('the API’s 401 costs one refresh, its 430 is told in its own words', async () => {
    answerTokens(facts);
    const session = start(facts.make());
    await allow(session);
    host.answer({
      [`GET ${facts.api}/get-user`]: ({ headers }) =>
        headers['authorization'] === 'Bearer access-2'
          ? json(OWN, 430)
          : json({ error: 'invalid_token' }, 401),
    });
    const failure = await failureOf(session.api.request({ path: 'get-user?user-id=u' }));
    expect(failure).toMatchObject({
      code: 'http_error',
      retryable: false,
      details: { status: 430, error: '6', errorDescription: 'No item found' },
    });
    expect(formsTo(facts.token)).toHaveLength(2);
  });

  test('a redirect without state is ignored', async () => {
    const session = start(facts.make());
    const done = failureOf(session.signIn());
    await host.consentPage();
    expect((await host.visit().onRedirect(`${CALLBACK}?code=c`)).kind).toBe('ignored');
    await session.close();
    expect((await done).code).toBe('aborted');
  });

  test('two managers share no tokens', async () => {
    answerTokens(facts);
    await allow(start(facts.make()));
    const other = start(bimcloud({ ...CLIENT, managerUrl: 'https://other.example' }));
    await other.restore();
    expect(other.state.name).toBe('signedOut');
  });
});

describe('options that cannot work', () => {
  const bad = (options: object) => options as never;
  const scopes = ['a'];

  // prettier-ignore
  test.each<[string, () => Provider, RegExp]>([
    ['no client',                    () => catenda(bad({ redirectUris: [CALLBACK] })),              /^configuration error: clientId/],
    ['a client that is no text',     () => catenda(bad({ ...CLIENT, clientId: 7 })),                /clientId/],
    ['an empty secret',              () => catenda({ ...CLIENT, clientSecret: '' }),                /clientSecret is missing/],
    ['a secret that is no text',     () => trimble(bad({ ...CLIENT, scopes, clientSecret: 7 })),    /clientSecret is missing/],
    ['no secret for Procore',        () => procore(bad(CLIENT)),                                    /clientSecret is missing/],
    ['no secret for Onshape',        () => onshape(bad(CLIENT)),                                    /clientSecret is missing/],
    ['a secret for BIMcloud',        () => bimcloud(bad({ ...CONFIDENTIAL, managerUrl: 'a.example' })), /only clients without one/],
    ['no redirect URI',              () => itwin({ ...CLIENT, scopes, redirectUris: [] }),          /redirectUris/],
    ['redirect URIs that are none',  () => itwin({ ...CLIENT, scopes, redirectUris: ['/x'] }),      /redirectUris/],
    ['no scopes for iTwin',          () => itwin(bad(CLIENT)),                                      /at least one beside offline_access/],
    ['only what is added anyway',    () => itwin({ ...CLIENT, scopes: ['offline_access'] }),        /at least one beside offline_access/],
    ['no application for Trimble',   () => trimble({ ...CLIENT, scopes: [] }),                      /at least one beside openid/],
    ['scopes in one text',           () => trimble(bad({ ...CLIENT, scopes: 'openid app' })),       /scopes must be/],
    ['two scopes in one',            () => onshape({ ...CONFIDENTIAL, scopes: ['a b'] }),           /scopes must be/],
    ['an API over http',             () => itwin({ ...CLIENT, scopes, apiBaseUrl: 'http://a.example' }), /apiBaseUrl/],
    ['a manager over http',          () => bimcloud({ ...CLIENT, managerUrl: 'http://a.example' }), /managerUrl/],
    ['a manager with a password',    () => bimcloud({ ...CLIENT, managerUrl: 'https://a:b@c.example' }), /managerUrl/],
    ['no manager',                   () => bimcloud(bad(CLIENT)),                                   /managerUrl/],
    ['an environment of no name',    () => procore(bad({ ...CONFIDENTIAL, environment: 'toString' })), /environment/],
    ['a company that is no ID',      () => onshape({ ...CONFIDENTIAL, companyId: 'a&b' }),          /companyId/],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({
        name: 'MortiseError',
        code: 'configuration_error',
        message: expect.stringMatching(message),
      }),
    );
  });

  test('a secret where the host cannot keep one', () => {
    const provider = procore(CONFIDENTIAL);
    expect(() => createSession({ host: createFakeHost('public'), provider })).toThrow(
      expect.objectContaining({ code: 'configuration_error' }),
    );
  });
});
