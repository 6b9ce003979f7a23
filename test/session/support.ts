import { createLocalLock } from '../../adapters/web/local-lock.js';
import type { ErrorCode } from '../../src/errors.js';
import type { ApiTools, PlatformApi, Provider } from '../../src/oauth/provider.js';
import type { CryptoProvider, HttpRequest, KeyValueStore, Lock } from '../../src/ports/index.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import type { StoredSession } from '../../src/session/record.js';
import { createFakeClock, settle } from '../support/fake-clock.js';
import { createFakeHost, promptCrypto, toResponse, type FakeAnswer } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

export { promptCrypto };

export const failing = (code: ErrorCode, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });

/** Longer than any token lives, so that asking for it renews. */
export const RENEW = { minValidityMs: 1e9 };

/** A lock that nobody ever gets: what a folder does that cannot be written to. */
export const neverHeld: Lock = (_name, _timeoutMs, task) => task(false);

export type Operation = 'get' | 'set' | 'remove';

export interface Disk extends KeyValueStore {
  readonly values: Map<string, string>;
  /** Asked before each operation: what this throws or waits for happens to the operation. */
  before: (operation: Operation, key: string) => unknown;
  readonly operations: { readonly operation: Operation; readonly key: string }[];
  /** Tells whoever watches, whether or not something has changed. */
  tell(): void;
  /** How many watch. */
  readonly watchers: number;
}

/** A store that tells of changes, and that a test can look into and break. */
export function createDisk(more: Partial<KeyValueStore> = {}): Disk {
  const values = new Map<string, string>();
  const watchers = new Set<{ readonly key: string; readonly changed: () => void }>();
  const tell = (key?: string) => {
    for (const watcher of [...watchers]) {
      if (key === undefined || watcher.key === key) watcher.changed();
    }
  };
  const disk: Disk = {
    name: 'disk',
    values,
    operations: [],
    before: () => {},
    tell: () => tell(),
    get watchers() {
      return watchers.size;
    },
    async get(key) {
      disk.operations.push({ operation: 'get', key });
      await disk.before('get', key);
      return values.get(key) ?? null;
    },
    async set(key, value) {
      disk.operations.push({ operation: 'set', key });
      await disk.before('set', key);
      values.set(key, value);
      tell(key);
    },
    async remove(key) {
      disk.operations.push({ operation: 'remove', key });
      await disk.before('remove', key);
      if (values.delete(key)) tell(key);
    },
    watch(key, changed) {
      const watcher = { key, changed };
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    ...more,
  };
  return disk;
}

/** Every operation of these kinds fails, as on a full disk or behind a locked keychain. */
export const broken =
  (...kinds: readonly Operation[]): Disk['before'] =>
  (operation) => {
    if (kinds.includes(operation)) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  };

export interface PersonApi extends PlatformApi {
  /** Asks the platform who this is. */
  whoAmI(): Promise<void>;
}

/** A platform that says who is signed in: what `who` makes of the user's name. */
export const personProvider = (
  who: (user: string) => readonly unknown[] = (user) => [user],
): Provider<PersonApi> => {
  const { displayName: _, ...provider } = fakeProvider();
  return { ...provider, api: personApi };

  function personApi({ connect, askIdentity }: ApiTools) {
    const request = connect('https://api.example/v1');
    return {
      request,
      async whoAmI() {
        const tell = askIdentity();
        const { id } = await (await request({ path: 'me' })).json<{ id: string }>();
        tell(...who(id));
      },
    };
  }
};

export interface DeskOptions {
  readonly store?: Disk;
  readonly lock?: Lock;
  readonly lifetimeS?: number | null;
}

interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly user: string;
}

/** One machine, on which several processes share a store, a clock and a platform. */
export function createDesk({ store = createDisk(), lock, lifetimeS = 3600 }: DeskOptions = {}) {
  const server = createFakeServer({ lifetimeS });
  const clock = createFakeClock();
  const sharedLock = lock ?? createLocalLock(clock);
  /** Whose each token is: codes are users' names here. */
  const owners = new Map<string, string>();
  const calls: ApiCall[] = [];
  const desk = {
    server,
    clock,
    store,
    calls,
    /** Answers of the API, one after the other, then 200. */
    apiAnswers: [] as (FakeAnswer | Promise<FakeAnswer>)[],
    /** Whoever the platform takes the owner of the next tokens for, whatever it was told. */
    nextOwner: undefined as string | undefined,
    /** What rests under the account's key. */
    record: (): StoredSession | null => {
      const isRecord = (key: string) => /^mortise\/1\/[^/]*\/[^/]*\/[^/]*\/[^/]*$/.test(key);
      const [, text] = [...store.values].find(([key]) => isRecord(key)) ?? [];
      return text === undefined ? null : (JSON.parse(text) as StoredSession);
    },
    refreshes: () =>
      server.tokenRequests().filter((form) => form.get('grant_type') === 'refresh_token'),
    start,
    signedIn: async <Api extends PlatformApi = PersonApi>(options: ProcessOptions<Api> = {}) => {
      const process = start(options);
      await process.signIn();
      process.changes.length = 0;
      return process;
    },
  };

  async function answer(request: HttpRequest) {
    const { pathname, hostname } = new URL(request.url);
    if (hostname === 'api.example') {
      const bearer = request.headers['authorization']?.replace('Bearer ', '') ?? '';
      const user = owners.get(bearer) ?? 'nobody';
      const path = pathname.replace('/v1/', '');
      calls.push({ method: request.method, path, user });
      return toResponse((await desk.apiAnswers.shift()) ?? { json: { id: user } });
    }
    if (pathname !== '/token') return server.http(request);
    const form = new URLSearchParams(String(request.body));
    const asked = owners.get(form.get('refresh_token') ?? '') ?? form.get('code') ?? 'nobody';
    const response = await server.http(request);
    const pieces: Uint8Array[] = [];
    for await (const piece of response.body) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    const owner = desk.nextOwner ?? asked;
    for (const [, token = ''] of text.matchAll(/"(?:access|refresh)_token":"([^"]*)"/g)) {
      owners.set(token, owner);
    }
    const headers: Record<string, string> = {};
    for (const name of ['date', 'retry-after']) {
      const value = response.headers.get(name);
      if (value) headers[name] = value;
    }
    return toResponse({ status: response.status, text, headers });
  }

  interface ProcessOptions<Api extends PlatformApi> {
    readonly provider?: Provider<Api>;
    readonly account?: string;
    readonly renewAheadMs?: number;
    readonly store?: KeyValueStore;
    readonly lock?: Lock;
    readonly clock?: typeof clock;
    readonly crypto?: CryptoProvider;
    /** Whether anybody listens to its changes. Default: yes. */
    readonly isHeard?: boolean;
  }

  /** Another process, or another part of this one, that knows only what is in the store. */
  function start<Api extends PlatformApi = PersonApi>({
    provider = personProvider() as unknown as Provider<Api>,
    account,
    renewAheadMs,
    isHeard = true,
    crypto = promptCrypto,
    ...lent
  }: ProcessOptions<Api> = {}) {
    const sent: string[] = [];
    const http = (request: HttpRequest) => {
      sent.push(`${request.method} ${request.url}`);
      return answer(request);
    };
    const fake = createFakeHost({ http, store, clock, lock: sharedLock, ...lent });
    const host = { ...fake, crypto };
    const session = createSession({
      host,
      provider,
      ...(account !== undefined && { account }),
      ...(renewAheadMs !== undefined && { renewAheadMs }),
    });
    const changes: StateChange[] = [];
    if (isHeard) session.onChange((change) => void changes.push(change));
    return {
      host,
      session,
      changes,
      /** What happened since it was last asked. */
      news: () => changes.splice(0).map(({ event, to }) => `${event} ${to}`),
      /** Requests of this process alone. */
      sent,
      signIn: async (user = 'ann') => {
        const done = session.signIn();
        await (await host.visit()).redirect({ code: user });
        await done;
        await settle();
      },
    };
  }
  return desk;
}

export type Desk = ReturnType<typeof createDesk>;
