import { memoryStore, type Host, type KeyValueStore, type VisitRequest } from 'mortise';
import { promptCrypto } from '../../support/fake-host.js';
import { scriptedHttp, type Reply, type SentRequest } from '../../api/support/scripted-http.js';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.js';

export type Route = Reply | 'no answer' | ((request: SentRequest) => Reply | Promise<Reply>);

export interface FakeHost extends Host {
  readonly clock: FakeClock;
  readonly store: KeyValueStore;
  /** Every request, in order. */
  readonly sent: readonly SentRequest[];
  /** What the platform answers from now on, by method and address without query. */
  answer(routes: Readonly<Record<string, Route>>): void;
  /** The addresses the user was shown, in order. */
  readonly shown: readonly string[];
  /** The visit that is open. */
  visit(): VisitRequest;
  /** Resolves with the next authorization address that is shown. */
  consentPage(): Promise<URL>;
}

export const LOOPBACK_PORT = 8765;

/** A host in memory: a network that answers by address, and a browser in the test's hands. */
export function createFakeHost(client: Host['client'] = 'public'): FakeHost {
  const clock = createFakeClock();
  let routes: Readonly<Record<string, Route>> = {};
  const shown: string[] = [];
  const waiting: ((page: URL) => void)[] = [];
  let visit: VisitRequest | undefined;
  const http = scriptedHttp(
    [
      async (request) => {
        const { origin, pathname } = new URL(request.url);
        const route = routes[`${request.method} ${origin}${pathname}`] ?? { status: 404 };
        if (route === 'no answer') throw new Error('connection reset');
        return typeof route === 'function' ? route(request) : route;
      },
    ],
    clock.monotonicMs,
  );
  return {
    http: http.transport,
    store: memoryStore(),
    lock: (_name, _timeoutMs, task) => task(true),
    crypto: promptCrypto,
    clock,
    client,
    userAgents: [
      {
        async open(request) {
          visit = request;
          const { redirect } = request;
          const redirectUri =
            'loopback' in redirect
              ? `http://${redirect.loopback}:${LOOPBACK_PORT}${redirect.path}`
              : (redirect[0] ?? '');
          return {
            redirectUri,
            async navigate(authorizationUrl) {
              shown.push(authorizationUrl);
              for (const show of waiting.splice(0)) show(new URL(authorizationUrl));
            },
            close: async () => {},
          };
        },
      },
    ],
    sent: http.sent,
    answer: (more) => void (routes = { ...routes, ...more }),
    shown,
    visit() {
      if (!visit) throw new Error('no visit is open');
      return visit;
    },
    consentPage: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

export const form = (body: string): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(body));

export const json = (value: unknown, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
