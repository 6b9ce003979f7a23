import { MortiseError, misconfigured } from '../errors.js';
import { createInFlight, stopAll, untilStopped, within } from '../http/guard.js';
import type { PlatformApi, Provider } from '../oauth/provider.js';
import type { Host } from '../ports/index.js';
import { createAccess, shareAccess, type ShareOptions, type SharedAccess } from './access.js';
import { accessToken, type AccessTokenOptions } from './access-token.js';
import { beginSignIn, type BegunSignIn } from './begun-sign-in.js';
import type { Context } from './context.js';
import { keep } from './held-session.js';
import { DEFAULT_ACCOUNT, accountKey, accountsKey } from './keys.js';
import { createMachine, type StateChange } from './machine.js';
import { moveFrom } from './move.js';
import { watch } from './notice.js';
import { createOwnLock } from './own-lock.js';
import { renewAhead } from './renew-ahead.js';
import { restore } from './restore.js';
import { createSessionStore } from './session-store.js';
import { SIGN_IN_TIMEOUT_MS, completeSignIn, signIn, type SignInOptions } from './sign-in.js';
import { signOut } from './sign-out.js';
import type { SessionState } from './state.js';
import { createTokenEndpoint } from './token-endpoint.js';

export interface SessionOptions<Api extends PlatformApi> {
  readonly host: Host;
  readonly provider: Provider<Api>;
  /** Several accounts of one provider can live side by side. Default `default`. */
  readonly account?: string;
  /**
   * Renews tokens this long before they end, though nobody asks, while the session is open. Left out, they are
   * renewed when they are needed.
   */
  readonly renewAheadMs?: number;
}

/** What helps to find out why something is as it is. Holds no secret. */
export interface Diagnostics {
  /** The name of the store in use; `null` where it has none, or is not chosen yet. */
  readonly store: string | null;
  /** Whether the last lock among processes was had in time; `null` until one was needed. */
  readonly hadLock: boolean | null;
  /** How far the server's clock is ahead of ours, to about a second. Nothing here depends on it. */
  readonly serverClockAheadMs: number | null;
}

/** One account of one platform. Every promise settles; every failure is a `MortiseError`. */
export interface Session<Api> {
  readonly state: SessionState;
  /** Called once for every transition. Returns what unsubscribes. */
  onChange(listener: (change: StateChange) => void): () => void;
  /** Reads the store, without network. Optional: whatever needs a token does it first. */
  restore(): Promise<void>;
  /** Resolves when the tokens are durable in the store. */
  signIn(options?: SignInOptions): Promise<void>;
  /** The first half of a sign-in, where page or process do not live through it. */
  beginSignIn(options: { redirectUri: string; timeoutMs?: number }): Promise<BegunSignIn>;
  /** The second half, with the redirect as it came; or, while `signIn` waits, with what the user pasted. */
  completeSignIn(redirectUrl: string): Promise<void>;
  /** Renewed when needed, once for all callers. Never opens a window. */
  getAccessToken(options?: AccessTokenOptions): Promise<string>;
  /** The platform's API; `request` is always there. */
  readonly api: Api;
  /**
   * Tokens and API for code that is to have nothing else of the session, and perhaps fewer scopes.
   *
   * @throws {MortiseError} `configuration_error`.
   */
  share(options?: ShareOptions): SharedAccess<Api>;
  signOut(): Promise<void>;
  /**
   * Brings the account here from another host's store, and removes it there: an add-in that now has a keychain
   * takes along what it once kept in files. `false` when there is none, or one is here already.
   */
  moveFrom(host: Pick<Host, 'store' | 'lock'>): Promise<boolean>;
  readonly diagnostics: Diagnostics;
  /** Stops everything and frees sockets, timers and listeners. The stored session stays. */
  close(): Promise<void>;
}

/**
 * @throws {MortiseError} `configuration_error` for a client secret where it cannot be kept
 * (RFC 8252 section 8.5).
 */
export function createSession<Api extends PlatformApi>(options: SessionOptions<Api>): Session<Api> {
  const {
    host,
    provider,
    account = DEFAULT_ACCOUNT,
    renewAheadMs,
  } = Object(options) as SessionOptions<Api>;
  if (!host?.http || !provider?.dialect) {
    throw new MortiseError('configuration_error', { problem: 'host or provider is missing' });
  }
  if (provider.clientSecret && host.client === 'public') {
    throw new MortiseError('configuration_error', {
      problem: 'a client secret cannot be kept in this host',
    });
  }
  if (renewAheadMs !== undefined && !(typeof renewAheadMs === 'number' && renewAheadMs > 0)) {
    throw misconfigured('renewAheadMs must be a number above 0');
  }
  const inFlight = createInFlight();
  // What the server has been asked goes on when a session closes, for a moment: its answer may be the only one.
  const atServer = createInFlight();
  const machine = createMachine();
  const key = accountKey(provider, account);
  const lock = createOwnLock(host.lock, (held) => (context.hadLock = held));
  const context: Context = {
    host,
    provider,
    machine,
    inFlight,
    key,
    account,
    lock,
    store: createSessionStore({ ...host, lock }, key, accountsKey(provider)),
    endpoint: createTokenEndpoint(host, provider, atServer),
    held: null,
    reason: 'never',
    generation: 0,
    attempt: null,
    restored: null,
    renewing: null,
    narrowed: new Map(),
    unobtainable: new Map(),
    hasLock: false,
    removing: Promise.resolve(),
    signingOut: null,
    forgotten: null,
    foreignSignIns: 0,
    identity: null,
    noting: Promise.resolve(),
    isUserChanged: false,
    hadLock: null,
    atRest: () => {},
    stopSaving: () => {},
    signOuts: 0,
    leaving: null,
    failures: 0,
    pause: null,
  };

  const access = createAccess(context, provider, inFlight, (demand) =>
    accessToken(context, demand),
  );

  let isWatched = false;
  if (renewAheadMs !== undefined) renewAhead(context, renewAheadMs);

  return {
    get state() {
      return machine.state;
    },
    get diagnostics() {
      const { hadLock, endpoint } = context;
      const { serverClockAheadMs } = endpoint;
      return { store: host.store.name || null, hadLock, serverClockAheadMs };
    },
    onChange(listener) {
      // Nobody hears of what others store until somebody listens.
      if (!isWatched) watch(context);
      isWatched = true;
      return machine.onChange(listener);
    },
    restore: () => untilStopped(restore(context), inFlight),
    signIn: (signInOptions = {}) => signIn(context, signInOptions),
    beginSignIn: async (how) => {
      const { redirectUri, timeoutMs = SIGN_IN_TIMEOUT_MS } = Object(how) as typeof how;
      return beginSignIn(context, String(redirectUri), timeoutMs);
    },
    completeSignIn: (redirectUrl) => untilStopped(completeSignIn(context, redirectUrl), inFlight),
    getAccessToken: access.getAccessToken,
    api: access.api,
    share: (options = {}) => shareAccess(context, provider, options),
    signOut: () => signOut(context),
    moveFrom: (from) => untilStopped(moveFrom(context, from), inFlight),
    async close() {
      const { attempt, renewing, signingOut, leaving, noting, held, endpoint } = context;
      stopAll(inFlight);
      attempt?.end(new MortiseError('aborted', {}));
      // A renewed token that the store does not have yet would be lost, and the old one is spent.
      const saving = held?.unsaved && lock(key, CLOSE_LOCK_TIMEOUT_MS, () => saveLast(context));
      const under = [attempt?.done, renewing?.done, signingOut, leaving, noting, saving];
      await within(host.clock, Promise.allSettled(under).then(endpoint.settled));
      stopAll(atServer);
      machine.removeListeners();
    },
  };
}

/** How long closing waits for others to be done with the store. */
const CLOSE_LOCK_TIMEOUT_MS = 1_000;

async function saveLast(context: Context): Promise<void> {
  const { held } = context;
  if (held?.unsaved) await keep(context, held);
}
