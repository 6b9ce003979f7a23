import { createHash } from 'node:crypto';
import { createLocalLock } from '../../adapters/web/local-lock.js';
import { webCrypto } from '../../adapters/web/web-crypto.js';
import type { MortiseError } from '../../src/errors.js';
import type {
  CryptoProvider,
  Host,
  HttpRequest,
  HttpResponse,
  KeyValueStore,
  Lock,
  RedirectOutcome,
  RedirectUserAgent,
} from '../../src/ports/index.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { createFakeClock, type FakeClock } from './fake-clock.js';

/** Hashes at once, where `crypto.subtle` takes as long as the machine likes. */
export const promptCrypto: CryptoProvider = {
  ...webCrypto,
  sha256: async (data) => new Uint8Array(createHash('sha256').update(data).digest()),
};

/** A promise with its ends outside. */
export function deferred<T>() {
  let resolve: (value: T | PromiseLike<T>) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly text?: string;
}

export function toResponse({ status = 200, headers = {}, json, text }: FakeAnswer): HttpResponse {
  const bytes = new TextEncoder().encode(json === undefined ? (text ?? '') : JSON.stringify(json));
  return {
    status,
    headers: new Map(Object.entries(headers)),
    body: (async function* () {
      if (bytes.length > 0) yield bytes;
    })(),
  };
}

/** One trip of the user, driven by the test. */
export interface FakeVisit {
  readonly redirectUri: string;
  /** Where the user was sent; empty until then. */
  url: string;
  isOpen: boolean;
  /** Comes back with these parameters; `state` is the right one unless given. */
  redirect(query: Readonly<Record<string, string>>): Promise<RedirectOutcome>;
  /** Comes back with exactly this address. */
  redirectTo(url: string): Promise<RedirectOutcome>;
  readonly signal: AbortSignal;
  /** The window is severed: it cannot be seen any more. */
  loseWindow(): void;
  /** The user closes the window. */
  closeWindow(): void;
}

export interface FakeHost extends Host {
  /** Those given, and the one that the test plays: each catches a redirect. */
  readonly userAgents: readonly RedirectUserAgent[];
  readonly clock: FakeClock;
  readonly visits: FakeVisit[];
  /** The newest visit, once it has been sent to the consent page. */
  visit(): Promise<FakeVisit>;
}

export interface FakeHostOptions {
  readonly http: (request: HttpRequest) => Promise<HttpResponse>;
  readonly store?: KeyValueStore;
  readonly clock?: FakeClock;
  /** Shared by hosts that stand for processes on one machine. */
  readonly lock?: Lock;
  readonly client?: 'confidential' | 'public';
  /** Thrown by `open`. */
  readonly openError?: MortiseError;
  /** Thrown by `navigate`. */
  readonly navigateError?: unknown;
  /** Asked before the usual one. */
  readonly userAgents?: readonly RedirectUserAgent[];
}

/** A host made of memory: time stands still, nobody is there but the test. */
export function createFakeHost(options: FakeHostOptions): FakeHost {
  const clock = options.clock ?? createFakeClock();
  const visits: FakeVisit[] = [];
  let arrived = deferred<FakeVisit>();
  const userAgent: RedirectUserAgent = {
    async open({ onRedirect, onWindow, signal }) {
      if (options.openError) throw options.openError;
      const redirectUri = `http://127.0.0.1:${4000 + visits.length}/callback`;
      const visit: FakeVisit = {
        redirectUri,
        url: '',
        isOpen: true,
        signal,
        loseWindow: () => onWindow('lost'),
        closeWindow: () => onWindow('closed'),
        redirectTo: (url) => onRedirect(url),
        redirect(query) {
          const state = new URL(visit.url).searchParams.get('state') ?? '';
          return onRedirect(`${redirectUri}?${new URLSearchParams({ state, ...query })}`);
        },
      };
      visits.push(visit);
      return {
        redirectUri,
        async navigate(url) {
          visit.url = url;
          arrived.resolve(visit);
          arrived = deferred();
          if (options.navigateError) throw options.navigateError;
        },
        async close() {
          visit.isOpen = false;
        },
      };
    },
  };
  return {
    http: options.http,
    store: options.store ?? memoryStore(),
    lock: options.lock ?? createLocalLock(clock),
    crypto: promptCrypto,
    clock,
    userAgents: [...(options.userAgents ?? []), userAgent],
    client: options.client ?? 'confidential',
    visits,
    visit: () => arrived.promise,
  };
}
