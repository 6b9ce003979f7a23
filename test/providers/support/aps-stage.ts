import type { Host, HttpRequest, KeyValueStore, UserAgent } from 'mortise';
import { createSession } from 'mortise';
import { aps, type ApsServiceOptions, type ApsUserOptions } from 'mortise/providers/aps';
import { answerConsent, createSandbox, type FaultSwitch } from 'mortise/sandbox';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { createFakeHost, toResponse, type FakeAnswer } from '../../support/fake-host.js';

export const HOST = 'https://developer.api.autodesk.com';
export const TOKEN = `${HOST}/authentication/v2/token`;
export const REVOKE = `${HOST}/authentication/v2/revoke`;
export const HUBS = `${HOST}/project/v1/hubs`;
export const USERINFO = 'https://api.userprofile.autodesk.com/userinfo';

export const PUBLIC: ApsUserOptions = {
  clientId: 'plug-in',
  scopes: ['data:read', 'data:write'],
  redirectUris: ['http://localhost:8080/callback'],
};
export const CONFIDENTIAL: ApsUserOptions = { ...PUBLIC, clientSecret: 'any secret' };
export const SERVICE: ApsServiceOptions = {
  grant: 'client_credentials',
  clientId: 'plug-in',
  clientSecret: 'any secret',
  scopes: ['data:read', 'data:write'],
};

/** A request as it went out. */
export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
  readonly atMs: number;
}

export interface StageOptions {
  readonly options?: ApsUserOptions | ApsServiceOptions;
  readonly faults?: readonly FaultSwitch[];
  readonly store?: KeyValueStore;
  readonly decision?: 'allow' | 'deny';
  /** What is registered at Autodesk; left out, whatever such a platform takes. */
  readonly registered?: readonly string[];
  /** Which of the redirect URIs the user agent can have. Default: all. */
  readonly isFree?: (redirectUri: string) => boolean;
  readonly scopes?: readonly string[];
}

/** Autodesk on a desk, a host without a network, and a user who clicks. */
export function createStage({
  options = PUBLIC,
  faults = [],
  decision = 'allow',
  isFree = () => true,
  scopes,
  ...rest
}: StageOptions = {}) {
  const clock = createFakeClock();
  const { registered: redirectUris } = rest;
  const sandbox = createSandbox({
    provider: 'aps',
    faults,
    nowMs: clock.nowMs,
    ...(redirectUris && { redirectUris }),
  });
  const sent: Sent[] = [];
  const scripted: [test: RegExp, answer: FakeAnswer][] = [];
  const http = async (request: HttpRequest) => {
    const { method, url, headers, body } = request;
    const form = Object.fromEntries(new URLSearchParams(typeof body === 'string' ? body : ''));
    sent.push({ method, url, headers, form, atMs: clock.monotonicMs() });
    const next = scripted.findIndex(([test]) => test.test(`${method} ${url}`));
    const [found] = next < 0 ? [] : scripted.splice(next, 1);
    return found ? toResponse(found[1]) : sandbox(request);
  };
  /** The addresses the user was shown. */
  const shown: URL[] = [];
  const userAgent: UserAgent = {
    async open({ redirect, onRedirect }) {
      const [redirectUri = ''] = 'loopback' in redirect ? [] : redirect.filter(isFree);
      return {
        redirectUri,
        async navigate(authorizationUrl) {
          shown.push(new URL(authorizationUrl));
          const answer = { decision, ...(scopes && { scopes }) };
          void onRedirect(await answerConsent(sandbox, authorizationUrl, answer));
        },
        close: async () => {},
      };
    },
  };
  const host: Host = {
    ...createFakeHost({ http, clock, ...(rest.store && { store: rest.store }) }),
    client: options.clientSecret === undefined ? 'public' : 'confidential',
    userAgents: [userAgent],
  };
  const session = createSession({ host, provider: aps(options) });
  return {
    host,
    session,
    clock,
    sandbox,
    sent,
    shown,
    /** Answers the next request like this one itself. */
    script: (test: RegExp, ...answers: FakeAnswer[]) =>
      void scripted.push(...answers.map((answer) => [test, answer] as [RegExp, FakeAnswer])),
    to: (url: string) => sent.filter((each) => each.url.startsWith(url)),
    /** Turns the clock until `work` settles. */
    async over<T>(work: PromiseLike<T>): Promise<T> {
      let isOver = false;
      const done = () => void (isOver = true);
      const running = Promise.resolve(work);
      running.then(done, done);
      for (let round = 0; !isOver && round < 200; round += 1) {
        await settle();
        if (!isOver) await clock.advance(250);
      }
      if (!isOver) throw new Error('it never settles');
      return running;
    },
  };
}

export type Stage = ReturnType<typeof createStage>;

/** A stage with somebody signed in, or with the service's token. */
export async function signedIn(options: StageOptions = {}): Promise<Stage> {
  const stage = createStage(options);
  await stage.over(stage.session.signIn());
  return stage;
}

/** The ids on the way to the folder with 25 entries. */
export async function toModels({ session: { api }, over }: Stage) {
  const [hub] = await over(api.hubs());
  const [project] = await over(api.projects(hub!.id));
  const [top] = await over(api.topFolders(hub!.id, project!.id));
  const [models] = await over(api.folderContents(project!.id, top!.id));
  return { hub: hub!.id, project: project!.id, top: top!.id, models: models!.id };
}
