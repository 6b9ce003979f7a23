import { createHash } from 'node:crypto';
import type {
  Clock,
  CryptoProvider,
  Host,
  HttpRequest,
  KeyValueStore,
  Lock,
} from '../../src/ports/index.js';
import type { StoredSession } from '../../src/session/record.js';
import { createFakeClock } from '../support/fake-clock.js';
import { toResponse, type FakeAnswer } from '../support/fake-host.js';

/** How the server answers a token request, when it is not as usual. */
export type Trouble = 'lost on the way' | 'answer lost' | 'unavailable' | 'held' | 'short lived';

export interface Setting {
  /** Turns of the event loop each store operation takes before and after it is done, over and over. */
  readonly storeTurns: readonly number[];
  /** Whether a lock is given, over and over. */
  readonly locks: readonly boolean[];
  /** A spent refresh token ends the whole grant (RFC 9700 section 4.14.2). */
  readonly isFamilyRevoked: boolean;
}

/** What the world knows of one process; the session knows nothing of it. */
export interface Life {
  isAlive: boolean;
  readonly timers: Set<() => void>;
  /** Refresh tokens it was given, whether or not it has saved them. */
  readonly given: Set<string>;
}

/** What is below belongs to the account, and is no record of it. */
const RECORD = /^mortise\/1(\/[^/]+){4}$/;

const never = () => new Promise<never>(() => {});
export const ticks = async (count: number) => {
  for (let round = 0; round < count; round += 1) await new Promise((done) => setImmediate(done));
};

/** A machine, a platform and the network between them, on which processes live and die. */
export function createWorld({ storeTurns, locks, isFamilyRevoked }: Setting) {
  const time = createFakeClock();
  const values = new Map<string, string>();
  const everSaved = new Set<string>();
  const watchers = new Map<() => void, { readonly life: Life; readonly key: string }>();
  const grants = new Map<string, { readonly grant: number; readonly user: string }>();
  const good = new Set<string>();
  const deadGrants = new Set<number>();
  const troubles: Trouble[] = [];
  const held: (() => void)[] = [];
  const apiStatuses: number[] = [];
  const recordEntry = () => [...values].find(([key]) => RECORD.test(key));
  const world = {
    time,
    troubles,
    held,
    apiStatuses,
    revoked: new Set<string>(),
    /** Answers with tokens that nobody can have: whoever is signed out then has the network to blame. */
    hasLostAnswer: false,
    /** Whether every lock was had that was asked for. */
    wasAlwaysHeld: true,
    /** Whether one was ever refused, rather than waited for in vain. */
    wasRefused: false,
    /** Refresh tokens sent though they were spent. */
    reused: 0,
    /** Refreshes that are under way, and who waits for their answers. */
    refreshing: new Map<HttpRequest, Life>(),
    mostRefreshing: 0,
    /** Users by the call that was made as them. */
    callers: new Map<string, Set<string>>(),
    values,
    record(): StoredSession | null {
      const [, text] = recordEntry() ?? [];
      return text?.endsWith('}') ? (JSON.parse(text) as StoredSession) : null;
    },
    /** A disk that forgets half of what it was given. */
    damage(): void {
      const found = recordEntry();
      if (!found) return;
      world.wasDamaged = true;
      values.set(found[0], found[1].slice(0, -9));
      tell(found[0]);
    },
    wasDamaged: false,
    hostOf,
    born: (): Life => ({ isAlive: true, timers: new Set(), given: new Set() }),
    kill,
    loseUnsaved,
  };

  /** Tokens that a process was given and has not saved are lost with it. */
  function loseUnsaved(life: Life): void {
    for (const token of life.given) if (!everSaved.has(token)) world.hasLostAnswer = true;
    for (const [request, waiting] of world.refreshing) {
      if (waiting === life) loseAnswer(request);
    }
  }

  /** Whatever the server has done or not: whoever asked will not know. */
  function loseAnswer(request: HttpRequest): void {
    if (world.refreshing.delete(request)) world.hasLostAnswer = true;
  }

  function kill(life: Life): void {
    life.isAlive = false;
    for (const cancel of life.timers) cancel();
    loseUnsaved(life);
    for (const [changed, watcher] of watchers) if (watcher.life === life) watchers.delete(changed);
    freeLocks(life);
  }

  // The store: one file that all of them see.
  function tell(key: string): void {
    for (const [changed, watcher] of watchers) if (watcher.key === key) changed();
  }
  let turn = 0;
  const delay = () => ticks(storeTurns[turn++ % storeTurns.length] ?? 0);
  const storeOf = (life: Life): KeyValueStore => {
    const doing = async <T>(task: () => T): Promise<T> => {
      await delay();
      if (!life.isAlive) return never();
      const result = task();
      await delay();
      return life.isAlive ? result : never();
    };
    return {
      get: (key) => doing(() => values.get(key) ?? null),
      set: (key, value) =>
        doing(() => {
          if (RECORD.test(key))
            everSaved.add((JSON.parse(value) as StoredSession).refreshToken ?? '');
          values.set(key, value);
          tell(key);
        }),
      remove: (key) => doing(() => void (values.delete(key) && tell(key))),
      watch(key, changed) {
        const own = () => changed();
        watchers.set(own, { life, key });
        return () => void watchers.delete(own);
      },
    };
  };

  // The lock: freed by the system when its holder dies.
  interface Waiter {
    readonly life: Life;
    readonly take: (held: boolean) => void;
  }
  const queues = new Map<string, Waiter[]>();
  let asked = 0;
  const release = (name: string, waiter: Waiter) => {
    const queue = queues.get(name) ?? [];
    const isHolder = queue[0] === waiter;
    if (queue.includes(waiter)) queue.splice(queue.indexOf(waiter), 1);
    if (isHolder) queue[0]?.take(true);
  };
  function freeLocks(life: Life): void {
    for (const [name, queue] of queues) {
      for (const waiter of [...queue].reverse()) if (waiter.life === life) release(name, waiter);
    }
  }
  const lockOf =
    (life: Life, clock: Clock): Lock =>
    async (name, timeoutMs, task) => {
      const run = (isHeld: boolean) => {
        if (!isHeld) world.wasAlwaysHeld = false;
        return task(isHeld);
      };
      if (!(locks[asked++ % locks.length] ?? true)) {
        world.wasRefused = true;
        return run(false);
      }
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      let waiter: Waiter | undefined;
      const isHeld = await new Promise<boolean>((resolve) => {
        const cancel = clock.after(timeoutMs, () => {
          if (waiter) release(name, waiter);
          resolve(false);
        });
        waiter = { life, take: (got) => (cancel(), resolve(got)) };
        queue.push(waiter);
        if (queue[0] === waiter) waiter.take(true);
      });
      if (!life.isAlive) return never();
      return run(isHeld).finally(() => waiter && release(name, waiter));
    };

  // The server: a refresh token is good once.
  let serial = 0;
  let lastGrant = 0;
  function issue(grant: number, user: string, lifetimeS: number): FakeAnswer {
    serial += 1;
    const [access_token, refresh_token] = [`access-${serial}-${user}`, `refresh-${serial}-${user}`];
    grants.set(refresh_token, { grant, user });
    grants.set(access_token, { grant, user });
    good.add(refresh_token);
    return { json: { access_token, refresh_token, token_type: 'Bearer', expires_in: lifetimeS } };
  }
  function answerTokens(form: URLSearchParams, lifetimeS: number): FakeAnswer {
    const token = form.get('refresh_token');
    if (token === null) return issue((lastGrant += 1), form.get('code') ?? '', lifetimeS);
    const { grant, user } = grants.get(token) ?? { grant: 0, user: '' };
    const isGood = good.delete(token) && !deadGrants.has(grant);
    if (isGood) return issue(grant, user, lifetimeS);
    if (!deadGrants.has(grant)) {
      world.reused += 1;
      if (isFamilyRevoked) deadGrants.add(grant);
    }
    return { status: 400, json: { error: 'invalid_grant' } };
  }

  async function serve(request: HttpRequest, life: Life): Promise<FakeAnswer> {
    const { pathname, hostname, searchParams } = new URL(request.url);
    if (hostname === 'api.example') {
      const bearer = request.headers['authorization']?.replace('Bearer ', '') ?? '';
      const { user = 'nobody' } = grants.get(bearer) ?? {};
      const call = searchParams.get('call');
      if (call) world.callers.set(call, (world.callers.get(call) ?? new Set()).add(user));
      return { status: apiStatuses.shift() ?? 200, json: { id: user } };
    }
    const form = new URLSearchParams(String(request.body));
    if (pathname === '/revoke') {
      const token = form.get('token') ?? '';
      world.revoked.add(token);
      deadGrants.add(grants.get(token)?.grant ?? 0);
      return {};
    }
    const isRefresh = form.get('grant_type') === 'refresh_token';
    if (isRefresh) world.refreshing.set(request, life);
    world.mostRefreshing = Math.max(world.mostRefreshing, world.refreshing.size);
    request.signal.addEventListener('abort', () => loseAnswer(request));
    try {
      const trouble = troubles.shift();
      await ticks(serial % 3);
      if (trouble === 'lost on the way') throw new Error('ECONNRESET');
      if (trouble === 'unavailable') return { status: 503 };
      const answer = answerTokens(form, trouble === 'short lived' ? 20 : 3600);
      if (trouble === 'held') await new Promise<void>((done) => held.push(done));
      const { refresh_token: token } = Object(answer.json) as { refresh_token?: string };
      if (token === undefined) return answer;
      const isReceived = trouble !== 'answer lost' && life.isAlive && !request.signal.aborted;
      if (isReceived) life.given.add(token);
      else if (isRefresh) world.hasLostAnswer = true;
      if (!isReceived) throw new Error('ECONNRESET');
      return answer;
    } finally {
      world.refreshing.delete(request);
    }
  }

  /** The same numbers in every run: what a seed found, it finds again. */
  let random = 0;
  const crypto: CryptoProvider = {
    randomBytes: (length) =>
      createHash('sha512').update(String(++random)).digest().subarray(0, length),
    sha256: async (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  };

  /** What one process has of the world. Its user agent goes to the consent page, and comes back as told. */
  function hostOf(life: Life, nextUser: () => { user: string; turns: number } | 'denies'): Host {
    const timer =
      (after: Clock['after']): Clock['after'] =>
      (delayMs, callback) => {
        const cancel = after(delayMs, () => {
          life.timers.delete(cancel);
          callback();
        });
        life.timers.add(cancel);
        return () => {
          life.timers.delete(cancel);
          cancel();
        };
      };
    const clock: Clock = {
      ...{ nowMs: time.nowMs, monotonicMs: time.monotonicMs },
      ...{ after: timer(time.after), inBackground: timer(time.inBackground) },
    };
    return {
      clock,
      crypto,
      store: storeOf(life),
      lock: lockOf(life, clock),
      client: 'confidential',
      async http(request) {
        if (!life.isAlive) return never();
        const settled = await serve(request, life).then(
          (answer) => ({ answer }),
          (error: unknown) => ({ error }),
        );
        if (!life.isAlive) return never();
        if ('error' in settled) throw settled.error;
        return toResponse(settled.answer);
      },
      userAgents: [
        {
          async open({ onRedirect }) {
            const redirectUri = 'http://127.0.0.1:4000/callback';
            const come = async (url: string) => {
              const next = nextUser();
              await ticks(next === 'denies' ? 1 : next.turns);
              const state = new URL(url).searchParams.get('state') ?? '';
              const said = next === 'denies' ? { error: 'access_denied' } : { code: next.user };
              if (life.isAlive)
                void onRedirect(`${redirectUri}?${new URLSearchParams({ state, ...said })}`);
            };
            return {
              redirectUri,
              navigate: async (url) => void come(url),
              close: async () => {},
            };
          },
        },
      ],
    };
  }
  return world;
}
