// What pages of the tests with real engines are made of: the parts of a browser's host that have to do with tabs, places
// to keep things and hashes, and a session on them. A sign-in is brought through by the test, which plays the user.
import {
  createBrowserHost,
  fetchTransport,
  indexedDbStore,
  type BrowserHostOptions,
} from '../../adapters/browser/index.js';
import { createTabLock } from '../../adapters/browser/tab-lock.js';
import { pageCrypto } from '../../adapters/web/page-crypto.js';
import { systemClock } from '../../adapters/web/system-clock.js';
import { isMortiseError } from '../../src/errors.js';
import type { HttpTransport } from '../../src/ports/index.js';
import { oauth, type FixedOptions, type OAuthApi } from '../../src/providers/oauth.js';
import { createSession, type Session } from '../../src/session/create-session.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { StateChange } from '../../src/session/machine.js';

export { createTabLock, indexedDbStore, memoryStore, pageCrypto, systemClock };

export type StoreName = 'memory' | 'indexedDb' | 'indexedDb or memory';

export interface PageOpening {
  readonly provider: FixedOptions;
  readonly store: StoreName;
  /** Refreshes are not sent any more: who is closed now has the lock. */
  readonly isStuck?: boolean;
}

/** `memory` is what a host does that was told nothing. */
const STORES: Readonly<Record<StoreName, () => Pick<BrowserHostOptions, 'store'>>> = {
  memory: () => ({}),
  indexedDb: () => ({ store: indexedDbStore() }),
  'indexedDb or memory': () => ({ store: [indexedDbStore(), memoryStore()] }),
};

let session: Session<OAuthApi> | undefined;
const events: string[] = [];
let onEvent: () => void = () => {};
let onStuck: () => void = () => {};
const stuck = new Promise<void>((done) => (onStuck = done));

export function open({ provider, store: name, isStuck = false }: PageOpening): void {
  const send = fetchTransport();
  const http: HttpTransport = (request) => {
    if (!isStuck || !String(request.body).includes('grant_type=refresh_token'))
      return send(request);
    onStuck();
    return new Promise(() => {});
  };
  const host = createBrowserHost({
    redirectUri: 'http://localhost/callback',
    http,
    ...STORES[name](),
    userAgents: () => [],
  });
  session = createSession({ host, provider: oauth(provider) });
  session.onChange(({ event }: StateChange) => {
    events.push(event);
    onEvent();
  });
}

function opened(): Session<OAuthApi> {
  if (!session) throw new Error('nothing is open');
  return session;
}

/** Of a token only this leaves the page. */
async function digest(token: string): Promise<string> {
  const hash = await pageCrypto.sha256(new TextEncoder().encode(token));
  return [...hash.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What went wrong, or what came of it. */
async function outcome<T>(
  task: () => Promise<T>,
): Promise<T | { error: string; problem?: unknown }> {
  try {
    return await task();
  } catch (error) {
    if (!isMortiseError(error)) return { error: `not ours: ${String(error)}` };
    const { problem } = error.details as { problem?: unknown };
    return { error: error.code, ...(problem !== undefined && { problem }) };
  }
}

export const beginSignIn = (redirectUri: string) =>
  outcome(async () => (await opened().beginSignIn({ redirectUri })).authorizationUrl);

export const completeSignIn = (redirectUrl: string) =>
  outcome(async () => {
    await opened().completeSignIn(redirectUrl);
    return look();
  });

/** Asks the API, which may refuse the token, and tells which token it took in the end. */
export const request = () =>
  outcome(async () => {
    await opened().api.request({ path: 'thing' });
    return digest(await opened().getAccessToken());
  });

export const restore = () => outcome(async () => (await opened().restore(), look()));
export const signOut = () => outcome(async () => (await opened().signOut(), look()));
export const whenStuck = () => stuck;

export function look() {
  const { state, diagnostics } = opened();
  return { state: state.name, store: diagnostics.store, hadLock: diagnostics.hadLock, events };
}

/** Resolves when this was heard `times` altogether. */
export const heard = (event: string, times = 1) =>
  new Promise<void>((done) => {
    onEvent = () => {
      if (events.filter((each) => each === event).length >= times) done();
    };
    onEvent();
  });

/** What a page of this kind has, found out by use. */
export async function probe() {
  const isLocked = await createTabLock(systemClock, { place: 'probe' })(
    'probe',
    5_000,
    async (held) => held,
  );
  const isLockedForItself = await createTabLock(systemClock, memoryStore())(
    'probe',
    5_000,
    async (held) => held,
  );
  const store = indexedDbStore({ name: 'probe' });
  const stored = await outcome(async () => {
    await store.set('a', 'kept');
    return store.get('a');
  });
  const ready = await outcome(async () => (await store.ready?.(), 'ready'));
  return {
    isSecure: globalThis.isSecureContext,
    hasSubtle: globalThis.crypto.subtle !== undefined,
    hash: await digest('abc'),
    randomLength: pageCrypto.randomBytes(32).length,
    isLocked,
    isLockedForItself,
    stored,
    ready,
  };
}

/** Names of everything a page keeps beyond its own life; `none` where it cannot. */
export async function leftBehind(): Promise<Record<string, unknown>> {
  const tell = async (read: () => unknown) => {
    try {
      return await read();
    } catch {
      return 'none';
    }
  };
  return {
    local: await tell(() => Object.keys(localStorage)),
    session: await tell(() => Object.keys(sessionStorage)),
    cookies: await tell(() => document.cookie),
    databases: await tell(async () => (await indexedDB.databases()).map(({ name }) => name)),
    caches: await tell(() => caches.keys()),
  };
}
