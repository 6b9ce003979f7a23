import { createHash, randomBytes } from 'node:crypto';
import {
  createSession,
  type Host,
  type KeyValueStore,
  type Provider,
  type ServerMetadata,
  type Session,
  type StateChange,
} from 'mortise';
import { scriptedHttp, type Reply, type SentRequest } from '../../api/support/scripted-http.js';
import type { FakeClock } from '../../support/fake-clock.js';
import { LOOPBACK_PORT, createFakeHost, json } from './fake-host.js';
import type { Issued, Way } from './ways.js';

/** What a request is for, told by its address. */
export type Kind = 'document' | 'token' | 'revocation' | 'api';
/** `silence`: nothing comes, and the transport does not listen to its signal either. */
export type Answer = Reply | 'no answer' | 'silence';
/** What the server answers by what it is asked for. What is not said goes well. */
export type Answers = Partial<Record<Kind, (request: SentRequest) => Answer | undefined>>;

/** A platform, a user who always agrees, and a session between them. */
export interface Stage {
  readonly way: Way;
  readonly provider: Provider;
  readonly host: Host;
  readonly clock: FakeClock;
  readonly session: Session<Readonly<Record<string, unknown>>>;
  readonly changes: readonly StateChange[];
  readonly sent: readonly SentRequest[];
  /** The addresses the user was shown. */
  readonly shown: readonly string[];
  readonly issued: readonly Issued[];
  /** What a healthy server gives out now. */
  issue(): Issued;
  kindOf(request: SentRequest): Kind;
  /** Whether it asks the API for what other requests depend on. */
  isBase(request: SentRequest): boolean;
  /** Whether a request may go there, or the user be sent there. */
  isPlatform(url: string): boolean;
  /** May be changed from step to step. */
  answers: Answers;
  signIn(): Promise<void>;
  /** The same in two halves, as for a page that does not live through it. */
  signInByHalves(): Promise<void>;
  /** Asks for a token that must be newer than the one at hand. */
  renew(): Promise<string>;
  /** Another session of the same account, such as the next start of the program. */
  again(): Session<Readonly<Record<string, unknown>>>;
  /** Lets time pass until `work` settles. A wait without end is a failure. */
  ending<T>(work: PromiseLike<T>): Promise<T>;
}

export interface StageOptions {
  readonly clientSecret?: string;
  readonly code?: string;
  readonly newToken?: (name: 'access' | 'refresh') => string;
  readonly store?: KeyValueStore;
}

export async function createStage(way: Way, options: StageOptions = {}): Promise<Stage> {
  const { code = 'the-code', store } = options;
  const provider = way.create(options.clientSecret);
  const metadata = await metadataOf(way, provider);
  const { authorizationEndpoint, tokenEndpoint, revocationEndpoint = '' } = metadata;
  const tokenUrls = [tokenEndpoint, ...way.tokenUrls];
  const revocationUrls = [revocationEndpoint, ...way.revocationUrls];
  const redirectUri = redirectUriOf(provider);
  const fake = createFakeHost(way.client);
  const { clock } = fake;
  const shown: string[] = [];
  const issued: Issued[] = [];
  const changes: StateChange[] = [];
  const { newToken = randomToken } = options;

  const issue = (): Issued => {
    const next = { accessToken: newToken('access'), refreshToken: newToken('refresh') };
    issued.push({ ...next, expiresIn: 3600 });
    return { ...next, expiresIn: 3600 };
  };
  const kindOf = (request: SentRequest): Kind => {
    if (request.method === 'POST' && tokenUrls.includes(request.url)) return 'token';
    if (request.method === 'POST' && revocationUrls.includes(request.url)) return 'revocation';
    return placeOf(request) in way.documents ? 'document' : 'api';
  };
  const site = (url: string) => new URL(url).hostname.split('.').slice(-2).join('.');
  const isPlatform = (url: string) =>
    new URL(url).origin === new URL(authorizationEndpoint).origin ||
    (way.apiHosts?.includes(new URL(url).hostname) ?? site(url) === site(tokenEndpoint));
  const usual: Readonly<Record<Kind, (request: SentRequest) => Reply>> = {
    token: () => json(way.tokens(issue())),
    revocation: () => ({}),
    document: (request) => way.documents[placeOf(request)] ?? { status: 404 },
    api: (request) => way.api[placeOf(request)] ?? json({}),
  };
  const answer = (request: SentRequest): Reply | Promise<Reply> => {
    const kind = kindOf(request);
    const said = stage.answers[kind]?.(request) ?? usual[kind](request);
    if (said === 'no answer') throw new Error(`reset: ${JSON.stringify(request)}`);
    return said === 'silence' ? new Promise(() => {}) : said;
  };
  const { transport, sent } = scriptedHttp([answer], clock.monotonicMs);

  const agree = (authorizationUrl: string) => {
    shown.push(authorizationUrl);
    return redirectOf(provider, authorizationUrl, redirectUri, code);
  };
  const host: Host = {
    ...fake,
    ...(store && { store }),
    http: transport,
    crypto: {
      ...fake.crypto,
      // At once, so that a busy machine does not make a page come late.
      sha256: async (data) => new Uint8Array(createHash('sha256').update(data).digest()),
    },
    userAgents: [
      {
        open: async ({ onRedirect }) => ({
          redirectUri,
          navigate: async (url) => void onRedirect(agree(url)),
          close: async () => {},
        }),
      },
    ],
  };
  const again = () => {
    const session = createSession({ host, provider: way.create(options.clientSecret) });
    return session as unknown as Stage['session'];
  };
  const session = createSession({ host, provider }) as unknown as Stage['session'];
  session.onChange((change) => void changes.push(change));

  const ending = async <T>(work: PromiseLike<T>): Promise<T> => {
    let isOver = false;
    const over = () => void (isOver = true);
    work.then(over, over);
    for (let halfMinutes = 0; halfMinutes < 30; halfMinutes += 1) {
      for (let round = 0; round < 50 && !isOver; round += 1) await nextTurn();
      if (isOver) return work;
      await clock.advance(30_000);
    }
    throw new Error('it waits without end');
  };

  const stage: Stage = {
    way,
    provider,
    host,
    clock,
    session,
    changes,
    sent,
    shown,
    issued,
    issue,
    kindOf,
    isBase: (request) => placeOf(request) in way.api,
    isPlatform,
    answers: {},
    signIn: () => ending(session.signIn()),
    async signInByHalves() {
      const { authorizationUrl } = await ending(session.beginSignIn({ redirectUri }));
      return ending(session.completeSignIn(agree(authorizationUrl)));
    },
    renew: () => ending(session.getAccessToken({ minValidityMs: Infinity })),
    again,
    ending,
  };
  return stage;
}

/** Unlike anything else, so that a leak can be searched for. */
const randomToken = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const placeOf = ({ method, url }: Pick<SentRequest, 'method' | 'url'>): string => {
  const { origin, pathname } = new URL(url);
  return `${method} ${origin}${pathname}`;
};

async function metadataOf({ documents }: Way, provider: Provider): Promise<ServerMetadata> {
  if (typeof provider.metadata !== 'function') return provider.metadata;
  return provider.metadata(async (url) => {
    const { status = 200, body } = documents[placeOf({ method: 'GET', url })] ?? { status: 404 };
    const text = typeof body === 'string' ? body : '';
    return { status, text, json: /^[[{]/.test(text) ? JSON.parse(text) : undefined };
  });
}

const redirectUriOf = ({ redirect }: Provider): string =>
  'loopback' in redirect
    ? `http://${redirect.loopback}:${LOOPBACK_PORT}${redirect.path}`
    : (redirect[0] ?? '');

/** The redirect of a server whose user agreed. */
function redirectOf(
  { dialect }: Provider,
  authorizationUrl: string,
  redirectUri: string,
  code: string,
): string {
  const redirect = new URL(redirectUri);
  redirect.searchParams.set(dialect.codeParameter ?? 'code', code);
  const state = new URL(authorizationUrl).searchParams.get('state');
  if (state !== null) redirect.searchParams.set('state', state);
  return redirect.href;
}
