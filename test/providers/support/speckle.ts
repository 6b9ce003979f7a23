import { createSession, type Host, type Session, type StateChange } from 'mortise';
import { speckle, type SpeckleApi, type SpeckleOptions } from 'mortise/providers/speckle';
import { answerConsent, createSandbox, type FaultSwitch } from 'mortise/sandbox';
import {
  scriptedHttp,
  textOf,
  type Reply,
  type SentRequest,
} from '../../api/support/scripted-http.js';
import { settle } from '../../support/fake-clock.js';
import { createFakeHost, type FakeHost } from './fake-host.js';

export const SERVER = 'https://app.speckle.systems';
export const REDIRECT_URI = 'http://localhost:3000/callback';
export const APP_SECRET = 'the-SECRET-of-the-app';

export const PUBLIC: SpeckleOptions = { appId: 'the-app-id', redirectUri: REDIRECT_URI };
export const CONFIDENTIAL: SpeckleOptions = { ...PUBLIC, appSecret: APP_SECRET };

type Answer = Reply | ((request: SentRequest) => Reply | undefined | Promise<Reply | undefined>);

export interface SpeckleStageOptions {
  /** Default {@link CONFIDENTIAL}. */
  readonly options?: SpeckleOptions;
  readonly client?: Host['client'];
  readonly store?: Host['store'];
  readonly faults?: readonly FaultSwitch[];
}

/** A Speckle server in a sandbox, a user who does as told, and a session between them. */
export interface SpeckleStage {
  readonly host: FakeHost;
  readonly clock: FakeHost['clock'];
  readonly session: Session<SpeckleApi>;
  readonly changes: readonly StateChange[];
  readonly sent: readonly SentRequest[];
  /** Requests by method and path, such as `POST /auth/token`. */
  sentTo(place: string): readonly SentRequest[];
  /** Answers in the sandbox's place, by method and path; `undefined` leaves it to the sandbox. */
  instead: Readonly<Record<string, Answer>>;
  /** Starts a sign-in; the failure is looked at later. */
  start(options?: Parameters<Session<SpeckleApi>['signIn']>[0]): Promise<void>;
  /** Where the user of that page is sent. */
  click(decision: 'allow' | 'deny', page: URL): Promise<string>;
  /** Signs in as a user who clicks Allow, and gives the page that was shown. */
  signIn(): Promise<URL>;
  /** Turns the clock until `work` settles. */
  over<T>(work: PromiseLike<T>): Promise<T>;
}

export const bodyOf = (request: SentRequest | undefined): Record<string, unknown> =>
  JSON.parse(request?.body ?? '');

export const placeOf = ({ method, url }: Pick<SentRequest, 'method' | 'url'>): string =>
  `${method} ${new URL(url).pathname}`;

export function createSpeckleStage(how: SpeckleStageOptions = {}): SpeckleStage {
  const { options = CONFIDENTIAL, faults = [], store } = how;
  const client = how.client ?? (options.appSecret === undefined ? 'public' : 'confidential');
  const fake = createFakeHost(client);
  const { clock } = fake;
  const { redirectUri } = options;
  const redirectUris = [redirectUri];
  const sandbox = createSandbox({ provider: 'speckle', faults, redirectUris, nowMs: clock.nowMs });
  const changes: StateChange[] = [];

  const answer = async (request: SentRequest): Promise<Reply> => {
    const route = stage.instead[placeOf(request)];
    const said = typeof route === 'function' ? await route(request) : route;
    if (said) return said;
    const { status, headers, body } = await sandbox(request);
    const names = ['content-type', 'retry-after', 'location'];
    const entries = names.flatMap((name) => {
      const value = headers.get(name);
      return value ? [[name, value] as const] : [];
    });
    return { status, headers: Object.fromEntries(entries), body: await textOf(body) };
  };
  const { transport, sent } = scriptedHttp([answer], clock.monotonicMs);
  const host: FakeHost = { ...fake, ...(store && { store }), http: transport };
  const session = createSession({ host, provider: speckle(options) });
  session.onChange((change) => void changes.push(change));

  const stage: SpeckleStage = {
    host,
    clock,
    session,
    changes,
    sent,
    sentTo: (place) => sent.filter((request) => placeOf(request) === place),
    instead: {},
    start(signInOptions) {
      const done = session.signIn(signInOptions);
      done.catch(() => {});
      return done;
    },
    click: (decision, page) => answerConsent(sandbox, page.href, { decision }),
    async signIn() {
      const done = stage.start();
      const page = await Promise.race([
        host.consentPage(),
        done.then(() => new URL('about:blank')),
      ]);
      await host.visit().onRedirect(await stage.click('allow', page));
      await done;
      return page;
    },
    async over(work) {
      let isOver = false;
      const done = () => void (isOver = true);
      work.then(done, done);
      for (let round = 0; round < 400; round += 1) {
        await settle();
        if (isOver) return work;
        await clock.advance(1_000);
      }
      throw new Error('it never settles');
    },
  };
  return stage;
}
