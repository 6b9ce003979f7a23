import {
  createSession,
  isMortiseError,
  type Host,
  type KeyValueStore,
  type Session,
} from 'mortise';
import { opencde, type OpencdeApi, type OpencdeOptions } from 'mortise/providers/opencde';
import { answerConsent, createSandbox, type FaultSwitch } from 'mortise/sandbox';
import type { HttpRequest } from '../../../src/ports/index.js';
import { settle } from '../../support/fake-clock.js';
import { toResponse, type FakeAnswer } from '../../support/fake-host.js';
import { createFakeHost, form } from './fake-host.js';

export const SERVER = 'https://cde.example';
export const FOREIGN = 'https://collector.example';
export const REDIRECT_URI = 'http://127.0.0.1:7000/callback';
export const SECRET = 's:e c+ret %';
/** The first project of the sandbox, with 23 topics. */
export const PROJECT = 'f445f4f2-4d02-4b2a-b612-5e456bef9137';
export const PUBLIC: OpencdeOptions = {
  serverUrl: SERVER,
  clientId: 'plug-in',
  redirectUris: [REDIRECT_URI],
};

export interface OpencdeSetup {
  readonly options?: Partial<OpencdeOptions>;
  readonly faults?: readonly FaultSwitch[];
  readonly client?: Host['client'];
  readonly store?: KeyValueStore;
  /** Answers in the sandbox's place, by path. */
  readonly answers?: Readonly<Record<string, FakeAnswer>>;
  /** Where credentials may go. */
  readonly confirmed?: readonly string[];
}

export interface OpencdeFixture {
  readonly host: ReturnType<typeof createFakeHost>;
  readonly session: Session<OpencdeApi>;
  readonly api: OpencdeApi;
  readonly confirmed: readonly string[];
  /** Every request of the session, in order. */
  readonly sent: readonly (Omit<HttpRequest, 'body'> & { readonly body: string })[];
  /** Method and address of every request since the last look, the query decoded. */
  news(): string[];
  /** A sign-in whose user decides; `null` is one who only looks. Gives the consent page's address. */
  signIn(decision?: 'allow' | 'deny' | null): Promise<URL>;
  /** Turns the clock until `work` settles. */
  over<T>(work: PromiseLike<T>): Promise<T>;
}

const fixtures: OpencdeFixture[] = [];

/** A session whose network is the sandbox. */
export function open({
  options,
  faults = [],
  client = options?.clientSecret === undefined ? 'public' : 'confidential',
  answers = {},
  store,
  confirmed = [SERVER, ...(options?.trustedOrigins ?? [])],
}: OpencdeSetup = {}): OpencdeFixture {
  const fake = createFakeHost(client);
  const sandbox = createSandbox({ provider: 'opencde', faults, nowMs: fake.clock.nowMs });
  const sent: OpencdeFixture['sent'][number][] = [];
  let seen = 0;
  const host = {
    ...fake,
    ...(store && { store }),
    http: async (request: HttpRequest) => {
      sent.push({ ...request, body: String(request.body ?? '') });
      const { pathname } = new URL(request.url);
      const answer = answers[pathname];
      return answer ? toResponse(answer) : sandbox(request);
    },
  };
  const session = createSession({ host, provider: opencde({ ...PUBLIC, ...options }) });
  const over: OpencdeFixture['over'] = async (begin) => {
    // Once: a listing begins anew with each `then`.
    const work = Promise.resolve(begin);
    let isOver = false;
    const done = () => (isOver = true);
    work.then(done, done);
    for (let round = 0; !isOver && round < 400; round += 1) {
      await settle();
      if (!isOver) await host.clock.advance(1_000);
    }
    if (!isOver) throw new Error('it never settles');
    return work;
  };
  const fixture: OpencdeFixture = {
    host,
    session,
    api: session.api,
    confirmed,
    sent,
    over,
    news: () =>
      sent
        .slice(seen, (seen = sent.length))
        .map(({ method, url }) => `${method} ${decodeURIComponent(url)}`),
    async signIn(decision = 'allow') {
      const shown = host.consentPage();
      const done = session.signIn();
      const page = await Promise.race([shown, done.then(() => shown)]);
      if (decision !== null) {
        const redirect = await answerConsent(sandbox, page.href, { decision }).catch(lookAtMistake);
        if (redirect !== null) void host.visit().onRedirect(redirect);
      }
      await over(done);
      return page;
    },
  };
  fixtures.push(fixture);
  return fixture;
}

/** The page says what is wrong, and has nothing to click. */
function lookAtMistake(error: unknown): null {
  if (isMortiseError(error)) return null;
  throw error;
}

/** What every test ends with: no timer runs, and no credential went where nobody allowed it. */
export async function closeAll(): Promise<void> {
  for (const fixture of fixtures.splice(0)) {
    await fixture.session.close();
    expect(fixture.host.clock.pending).toBe(0);
    expectConfined(fixture);
  }
}

/** Case 161, and that documents are read by nobody in particular. */
function expectConfined({ sent, confirmed }: OpencdeFixture): void {
  const secrets = sent.flatMap(({ headers, body }) => {
    const { code, code_verifier: verifier, refresh_token: refreshToken } = form(body);
    const bearer = headers['authorization']?.split(' ')[1];
    return [code, verifier, refreshToken, bearer].filter((secret) => secret !== undefined);
  });
  for (const { url, headers } of sent) {
    expect(confirmed.map((origin) => new URL(origin).origin)).toContain(new URL(url).origin);
    expect(secrets.filter((secret) => decodeURIComponent(url).includes(secret))).toEqual([]);
    const { pathname } = new URL(url);
    const scheme = pathname.endsWith('/oauth2/token') ? 'Basic' : 'Bearer';
    const allowed = /\/(versions|auth)$/.test(pathname) ? undefined : scheme;
    expect([allowed, undefined]).toContain(headers['authorization']?.split(' ')[0]);
  }
}
