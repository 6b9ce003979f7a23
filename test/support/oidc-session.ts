import { inspect } from 'node:util';
import { createSession, memoryStore } from 'mortise';
import type {
  AnyMortiseError,
  HttpRequest,
  HttpTransport,
  KeyValueStore,
  StateChange,
} from 'mortise';
import { createNodeHost, fetchTransport } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import type { DiscoveredOptions } from '../../src/providers/oauth.js';
import { createHttpBrowser, type HttpBrowserOptions, type ShownPage } from './http-browser.js';
import type { OidcClient } from './oidc-process.js';

export interface OidcSessionOptions extends Omit<Partial<DiscoveredOptions>, 'clientId'> {
  readonly issuer: string;
  readonly client: OidcClient;
  readonly store?: KeyValueStore;
  /** Stands between the session and the network. */
  readonly http?: (request: HttpRequest, send: HttpTransport) => ReturnType<HttpTransport>;
  readonly person?: HttpBrowserOptions;
  /** What comes between the server and us changes the redirect. */
  readonly rewrite?: (redirect: URL) => URL | string | Promise<URL | string>;
  /** Takes the browser's place. */
  readonly openBrowser?: (url: string) => Promise<void>;
  /** Added to the wall clock, and changed by the test. */
  readonly clock?: { aheadMs: number };
}

/** What the store holds. */
export interface Stored {
  readonly accessToken: string;
  readonly refreshToken: string | null;
}

const everything = (value: unknown) =>
  `${JSON.stringify(value)} ${inspect(value, { depth: null, showHidden: true })}`;

/** A session at a real server, with everything that passed between the two. */
export function createOidcSession({
  client,
  store = memoryStore(),
  http = (request, send) => send(request),
  person,
  rewrite = (redirect) => redirect,
  openBrowser,
  clock = { aheadMs: 0 },
  ...options
}: OidcSessionOptions) {
  const { client_id: clientId, client_secret: clientSecret } = client;
  const browser = createHttpBrowser(person);
  const send = fetchTransport();
  const posts: { readonly path: string; readonly form: Readonly<Record<string, string>> }[] = [];
  const addresses: string[] = [];
  const redirects: string[] = [];
  const pages: Promise<ShownPage>[] = [];
  const changes: StateChange[] = [];
  const states: unknown[] = [];
  const values: string[] = [];

  const host = createNodeHost({
    store: {
      ...store,
      set: (key, value) => {
        values.push(value);
        return store.set(key, value);
      },
    },
    http(request) {
      if (request.method === 'POST') {
        const form = Object.fromEntries(new URLSearchParams(String(request.body)));
        posts.push({ path: new URL(request.url).pathname, form });
      }
      return http(request, send);
    },
    openBrowser:
      openBrowser ??
      (async (url) => {
        addresses.push(url);
        const redirect = await rewrite(new URL(await browser.authorize(url)));
        redirects.push(String(redirect));
        // Not waited for: the page is shown when the sign-in is through, which waits for us.
        pages.push(browser.load(String(redirect)));
      }),
  });
  const nowMs = () => host.clock.nowMs() + clock.aheadMs;
  const session = createSession({
    host: { ...host, clock: { ...host.clock, nowMs } },
    provider: oauth({
      clientId,
      ...(clientSecret !== undefined && { clientSecret }),
      scopes: ['openid', 'email', 'offline_access'],
      // OpenID Connect Core section 11: a refresh token is only given when the user is asked.
      authorizationParameters: { prompt: 'consent' },
      ...options,
    }),
  });
  session.onChange((change) => {
    changes.push(change);
    states.push(session.state);
  });

  return {
    session,
    browser,
    /** Where the browser was sent. */
    addresses,
    /** Where it was sent back to, as it went there. */
    redirects,
    pages,
    changes,
    posts,
    /** How many requests of one grant type were sent. */
    count: (grantType: string) =>
      posts.filter(({ form }) => form['grant_type'] === grantType).length,
    names: () => changes.map(({ event }) => event),
    /** What was stored last. */
    stored: (): Stored => JSON.parse(values.at(-1) ?? 'null'),
    failureOf: async (promise: Promise<unknown>): Promise<AnyMortiseError> => {
      const error = await promise.then(
        () => new Error('it did not fail'),
        (error: unknown) => error,
      );
      states.push(error);
      return error as AnyMortiseError;
    },
    /** Every secret that was sent or stored, in anything that was told to anybody. */
    leaks: async () => {
      const shown = await Promise.allSettled(pages);
      const told = everything([changes, states, session.state, shown]);
      const secrets = [
        clientSecret ?? '',
        ...posts.flatMap(({ form }) =>
          ['code', 'code_verifier', 'refresh_token', 'token'].map((name) => form[name] ?? ''),
        ),
        ...values.flatMap((value) => [
          JSON.parse(value).accessToken,
          JSON.parse(value).refreshToken,
        ]),
      ];
      return secrets.filter((secret) => secret && told.includes(secret));
    },
  };
}

export type OidcSession = ReturnType<typeof createOidcSession>;
