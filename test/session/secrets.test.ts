import { createHash, randomBytes } from 'node:crypto';
import { isMortiseError, type ErrorCode } from '../../src/errors.js';
import type {
  Host,
  HttpRequest,
  RedirectOutcome,
  RedirectUserAgent,
  VisitRequest,
} from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { SPELLINGS, leaks, newSecret } from '../support/canaries.js';
import { settle } from '../support/fake-clock.js';
import { createFakeHost, toResponse, type FakeAnswer } from '../support/fake-host.js';
import { fakeProvider } from '../support/fake-server.js';

type SecretName = 'accessToken' | 'refreshToken' | 'code' | 'codeVerifier' | 'clientSecret';

/** What a failing party says about what it was given. */
type Quote = string;

/** Who fails, and what of the step before it already was kept. */
interface Scene {
  readonly token?: (quote: Quote, form: URLSearchParams) => FakeAnswer;
  readonly refresh?: (quote: Quote) => FakeAnswer;
  readonly api?: (quote: Quote) => FakeAnswer;
  readonly revoke?: (quote: Quote) => FakeAnswer;
  readonly redirect?: (quote: Quote) => Record<string, string>;
  readonly host?: (host: Host, quote: () => Quote) => Host;
}

/** Throws all of it, in every place an error has for text. */
function thrown(quote: Quote): never {
  const cause = new AggregateError([new Error(quote), { body: quote }], quote);
  const request = { headers: { authorization: quote }, body: quote };
  const more = { code: quote, path: quote, request, [Symbol('hidden')]: quote };
  throw Object.assign(new Error(`EFAIL ${quote}`, { cause }), more);
}

const rejecting = (quote: () => Quote) => async () => thrown(quote());

/** A sign-in, a refresh, API calls, a sign-out, on a stage where one party fails and quotes what it knows. */
async function perform(scene: Scene, words: (known: (name: SecretName) => string) => string) {
  const clientSecret = newSecret('client');
  const secrets = new Map<SecretName, Set<string>>([['clientSecret', new Set([clientSecret])]]);
  const know = (name: SecretName, secret: string | null | undefined) => {
    if (secret) secrets.set(name, (secrets.get(name) ?? new Set()).add(secret));
  };
  const quote = () => words((name) => [...(secrets.get(name) ?? [])].at(-1) ?? 'nothing yet');

  const tokens = (): FakeAnswer => {
    const accessToken = newSecret('access');
    const refreshToken = newSecret('refresh');
    know('accessToken', accessToken);
    know('refreshToken', refreshToken);
    const json = { access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer' };
    return { json: { ...json, expires_in: 3600, scope: 'read write' } };
  };
  const http = async (request: HttpRequest) => {
    const { pathname } = new URL(request.url);
    const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
    know('codeVerifier', form.get('code_verifier'));
    know('refreshToken', form.get('refresh_token'));
    if (pathname === '/revoke') return toResponse(scene.revoke?.(quote()) ?? {});
    if (pathname !== '/token')
      return toResponse(scene.api?.(quote()) ?? { json: { quote: quote() } });
    const isRefresh = form.has('refresh_token');
    const scripted = isRefresh ? scene.refresh?.(quote()) : scene.token?.(quote(), form);
    return toResponse(scripted ?? tokens());
  };

  const fake = createFakeHost({ http, store: memoryStore() });
  // At once, so that a busy machine does not make a page come late.
  const crypto: Host['crypto'] = {
    ...fake.crypto,
    sha256: async (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  };
  const host = scene.host?.({ ...fake, crypto }, quote) ?? { ...fake, crypto };
  const provider = fakeProvider({ clientSecret });
  const session = createSession({ host, provider });
  const outcomes: unknown[] = [];
  const exhibits: unknown[] = [session, session.api, provider, outcomes, session.state];
  session.onChange((change) => {
    // Where the address is, its `state` is; nothing else may be.
    exhibits.push(change, session.state);
  });
  const keep = async (promise: Promise<unknown>): Promise<void> => {
    const settled = await Promise.allSettled([promise]);
    const [{ status }] = settled;
    outcomes.push(status === 'rejected' ? settled : status);
    if (status === 'rejected') {
      const { reason } = settled[0] as PromiseRejectedResult;
      // On its own too: an error is printed another way than a list with an error in it.
      exhibits.push(reason);
    }
    exhibits.push(session.state);
  };
  /** Tokens and API answers are asked for to be had, so only their failures are looked at. */
  const only = (promise: Promise<unknown>) => promise.then(() => 'had');

  const { clock } = fake;
  const code = newSecret('code');
  know('code', code);
  const signIn = keep(session.signIn());
  await settle();
  const visit = fake.visits.at(-1);
  let answer: Promise<RedirectOutcome> | undefined;
  if (visit?.url) {
    answer = visit.redirect(scene.redirect?.(quote()) ?? { code });
    exhibits.push(visit.signal);
  }
  await clock.advance(60_000);
  outcomes.push(await answer);
  await clock.advance(600_000);
  await signIn;
  if (session.state.name !== 'signedIn') {
    // Even if it is refused: what a paste is answered is looked at as well.
    await keep(
      session.completeSignIn(`http://127.0.0.1:4000/callback?code=${encodeURIComponent(code)}`),
    );
  }
  await keep(only(session.getAccessToken()));
  const request = keep(only(session.api.request({ path: '/things', query: { q: 'x' } })));
  await clock.advance(120_000);
  await request;
  await clock.advance(3_600_000);
  const refresh = keep(only(session.getAccessToken({ minValidityMs: 60_000 })));
  await clock.advance(120_000);
  await refresh;
  const later = keep(
    only(session.api.request({ path: '/things', method: 'POST', json: { a: 1 } })),
  );
  await clock.advance(120_000);
  await later;
  const restored = createSession({ host, provider });
  restored.onChange((change) => void exhibits.push(change, restored.state));
  const restoring = keep(restored.restore());
  await clock.advance(60_000);
  await restoring;
  exhibits.push(restored);
  await restored.close();
  const signOut = keep(session.signOut());
  await clock.advance(120_000);
  await signOut;
  await keep(only(session.getAccessToken()));
  await session.close();
  await keep(session.restore());
  await keep(session.signIn());
  exhibits.push(session);
  return { exhibits, secrets, outcomes };
}

/** The codes of all errors, so that a scene that no longer fails is noticed. */
function codesOf(exhibits: readonly unknown[]): ErrorCode[] {
  const errors = exhibits.flatMap((exhibit) => [exhibit, Object(exhibit).error as unknown]);
  return [...new Set(errors.filter(isMortiseError).map(({ code }) => code))];
}

const refused = (status: number, json: object): FakeAnswer => ({ status, json });
const with_ = (part: Partial<Host>) => (host: Host) => ({ ...host, ...part });

/** Who fails, what it says, and the error that comes of it. */
// prettier-ignore
const SCENES: readonly [name: string, knows: readonly SecretName[], code: ErrorCode | null, scene: Scene][] = [
  ['everything goes well', [], null, {}],
  ['the token endpoint refuses the code, describing it', ['code', 'codeVerifier', 'clientSecret'], 'invalid_grant',
    { token: (quote) => refused(400, { error: 'invalid_grant', error_description: `bad: ${quote}`, error_uri: quote }) }],
  ['the token endpoint refuses with the secret as its error', ['code', 'codeVerifier', 'clientSecret'], 'oauth_error',
    { token: (quote) => refused(400, { error: quote }) }],
  ['the token endpoint refuses the client', ['code', 'codeVerifier', 'clientSecret'], 'invalid_client',
    { token: (quote) => ({ ...refused(401, { error: 'invalid_client', error_description: quote }), headers: { 'www-authenticate': `Basic realm="${quote}"` } }) }],
  ['the token endpoint refuses with success', ['code', 'codeVerifier', 'clientSecret'], 'oauth_error',
    { token: (quote) => refused(200, { hasError: true, error: 'no', error_description: quote, message: quote }) }],
  ['the token endpoint answers with a page', ['code', 'codeVerifier', 'clientSecret'], 'malformed_response',
    { token: (quote) => ({ text: `<html>${quote}` }) }],
  ['the token endpoint answers with half a JSON', ['code', 'codeVerifier', 'clientSecret'], 'malformed_response',
    { token: (quote) => ({ text: `{"access_token": "${quote}` }) }],
  ['the token endpoint gives tokens of the wrong type', ['code', 'codeVerifier', 'clientSecret'], 'malformed_response',
    { token: (quote) => ({ json: { access_token: quote, refresh_token: quote, token_type: quote } }) }],
  ['the token endpoint fails', ['code', 'codeVerifier', 'clientSecret'], 'http_error',
    { token: (quote) => ({ status: 500, json: { error: 'server_error', error_description: quote }, headers: { 'x-debug': quote } }) }],
  ['the token endpoint asks for patience', ['code', 'codeVerifier', 'clientSecret'], 'rate_limited',
    { token: (quote) => ({ status: 429, headers: { 'retry-after': quote }, json: { error_description: quote } }) }],
  ['the refresh is refused, describing it', ['refreshToken', 'clientSecret'], 'sign_in_required',
    { refresh: (quote) => refused(400, { error: 'invalid_grant', error_description: `bad: ${quote}` }) }],
  ['the refresh is refused with the secret as its error', ['refreshToken', 'clientSecret'], 'oauth_error',
    { refresh: (quote) => refused(400, { error: quote, error_description: quote }) }],
  ['the refresh fails', ['refreshToken', 'clientSecret'], 'http_error',
    { refresh: (quote) => ({ status: 503, json: { error: 'x', error_description: quote } }) }],
  ['the refresh is answered with a page', ['refreshToken', 'clientSecret'], 'malformed_response',
    { refresh: (quote) => ({ text: quote }) }],
  ['the API refuses the token', ['accessToken'], 'http_error',
    { api: (quote) => ({ status: 401, headers: { 'www-authenticate': `Bearer error="invalid_token", error_description="${quote}"` }, json: { token: quote } }) }],
  ['the API wants more scopes', ['accessToken'], 'insufficient_scope',
    { api: (quote) => ({ status: 403, headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="admin", error_description="${quote}"` }, text: quote }) }],
  ['the API forbids', ['accessToken'], 'forbidden', { api: (quote) => ({ status: 403, text: quote }) }],
  ['the API fails', ['accessToken'], 'http_error', { api: (quote) => ({ status: 500, text: quote, headers: { location: quote } }) }],
  ['the API asks for patience', ['accessToken'], 'rate_limited', { api: (quote) => ({ status: 429, headers: { 'retry-after': '3600', 'x-debug': quote }, text: quote }) }],
  ['the revocation fails', ['accessToken', 'refreshToken', 'clientSecret'], null, { revoke: (quote) => ({ status: 500, text: quote }) }],
  ['the user says no', [], 'access_denied', { redirect: () => ({ error: 'access_denied', error_description: 'no' }) }],
  ['the redirect has a code and an error', ['code'], 'malformed_response', { redirect: (quote) => ({ error: quote, code: quote, error_description: quote }) }],
  ['the transport throws', ['accessToken', 'refreshToken', 'code', 'codeVerifier', 'clientSecret'], 'network_error',
    { host: (host, quote) => with_({ http: async (request) => (/token|things/.test(request.url) ? thrown(quote()) : host.http(request)) })(host) }],
  ['the transport throws when refreshing', ['accessToken', 'refreshToken', 'clientSecret'], 'network_error',
    { host: (host, quote) => with_({ http: async (request) => (/refresh_token/.test(String(request.body)) ? thrown(quote()) : host.http(request)) })(host) }],
  ['the transport throws when calling the API', ['accessToken'], 'network_error',
    { host: (host, quote) => with_({ http: async (request) => (/things/.test(request.url) ? thrown(quote()) : host.http(request)) })(host) }],
  ['the answer breaks off', ['accessToken', 'refreshToken', 'code', 'codeVerifier', 'clientSecret'], 'network_error',
    { host: (host, quote) => with_({ http: async (request) => ({ ...(await host.http(request)), body: (async function* () { yield new TextEncoder().encode(quote()); thrown(quote()); })() }) })(host) }],
  ['the store cannot be read', ['refreshToken', 'accessToken'], 'store_unavailable',
    { host: (host, quote) => with_({ store: { ...host.store, get: rejecting(quote) } })(host) }],
  ['the store cannot be written', ['refreshToken', 'accessToken'], 'store_unavailable',
    { host: (host, quote) => with_({ store: { ...host.store, set: rejecting(quote) } })(host) }],
  ['the store cannot forget', ['refreshToken', 'accessToken'], 'store_unavailable',
    { host: (host, quote) => with_({ store: { ...host.store, remove: rejecting(quote) } })(host) }],
  ['the store gives back damage', ['refreshToken', 'accessToken'], 'store_damaged',
    { host: (host, quote) => with_({ store: { ...host.store, get: async (key) => (/damaged$/.test(key) ? null : `{"accessToken":"${quote()}`) } })(host) }],
  ['the hash fails', ['codeVerifier'], 'configuration_error',
    { host: (host) => with_({ crypto: { ...host.crypto, sha256: async (data) => thrown(new TextDecoder().decode(data)) } })(host) }],
  ['the lock fails', ['accessToken', 'refreshToken', 'code'], null,
    { host: (host, quote) => with_({ lock: async () => thrown(quote()) })(host) }],
  ['no page can be opened', ['clientSecret'], 'configuration_error',
    { host: (host, quote) => with_({ userAgents: [{ open: rejecting(quote) }] })(host) }],
  ['no page can be shown, or closed', ['code'], null,
    { host: (host, quote) => with_({ userAgents: (host.userAgents as RedirectUserAgent[]).map(({ open }) => ({
        open: async (request: VisitRequest) => ({ ...(await open(request)), navigate: async (url) => { await (await open(request)).navigate(url); thrown(quote()); }, close: rejecting(quote) }) })) })(host) }],
];

describe('case 197, 198, 199: no secret is in anything a program can print, when', () => {
  const search = async (
    scene: Scene,
    code: ErrorCode | null,
    words: Parameters<typeof perform>[1],
  ) => {
    const { exhibits, secrets } = await perform(scene, words);
    if (code) expect(codesOf(exhibits)).toContain(code);
    return leaks(exhibits, secrets);
  };

  test.each(SCENES)('%s, quoting all it knows', async (_, knows, code, scene) => {
    const found = await search(scene, code, (known) =>
      knows
        .flatMap((name) => Object.values(SPELLINGS).map((spell) => spell(known(name))))
        .join(' '),
    );
    expect(found).toEqual([]);
  });

  // The server's own words are shown, shortened, so each secret must have its chance to be among them.
  const WORDS = SCENES.filter(([name]) => /describing|as its error|client$|success/.test(name));
  const spelled = WORDS.flatMap(([name, knows, code, scene]) =>
    knows.flatMap((secret) =>
      Object.entries(SPELLINGS).map(
        ([spelling, spell]) => [name, secret, spelling, spell, code, scene] as const,
      ),
    ),
  );
  test.each(spelled)('%s, quoting the %s %s', async (_, secret, __, spell, code, scene) => {
    expect(await search(scene, code, (known) => spell(known(secret)))).toEqual([]);
  });
});

describe('the search itself', () => {
  const secret = newSecret('planted');
  const secrets = new Map([['code' as const, new Set([secret])]]);
  const hidden = Object.defineProperty({}, 'hidden', { value: secret });
  // prettier-ignore
  test.each<[string, unknown]>([
    ['a message',           new Error(secret)],
    ['a cause',             new Error('x', { cause: new Error(secret) })],
    ['a hidden property',   hidden],
    ['a symbol',            { [Symbol('s')]: secret }],
    ['a getter',            { get token() { return secret; } }],
    ['a map',               new Map([['a', new Set([secret])]])],
    ['a deep place',        { a: [{ b: { c: { d: { e: { f: secret } } } } }] }],
    ['the name of a key',   { [secret]: 1 }],
    ...Object.entries(SPELLINGS).map(([name, spell]): [string, unknown] => [`a text, ${name}`, { text: `x${spell(secret)}y` }]),
  ])('finds a secret in %s', (_, place) => {
    expect(leaks([place], secrets)).toHaveLength(1);
  });

  test('finds none where there is none', () => {
    expect(
      leaks([new Error('planted'), { a: randomBytes(64).toString('base64') }], secrets),
    ).toEqual([]);
  });
});
