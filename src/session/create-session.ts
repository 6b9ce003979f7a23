import { MortiseError } from '../errors.js';
import { createInFlight, stopAll, untilStopped, within } from '../http/guard.js';
import type { PlatformApi, Provider } from '../oauth/provider.js';
import type { Host } from '../ports/index.js';
import { createAccess, shareAccess, type ShareOptions, type SharedAccess } from './access.js';
import { accessToken, type AccessTokenOptions } from './access-token.js';
import { beginSignIn, type BegunSignIn } from './begun-sign-in.js';
import type { Context } from './context.js';
import { keep } from './held-session.js';
import { createMachine, type StateChange } from './machine.js';
import { createOwnLock } from './own-lock.js';
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
  /** Stops everything and frees sockets, timers and listeners. The stored session stays. */
  close(): Promise<void>;
}

/**
 * @throws {MortiseError} `configuration_error` for a client secret where it cannot be kept
 * (RFC 8252 section 8.5).
 */
export function createSession<Api extends PlatformApi>(options: SessionOptions<Api>): Session<Api> {
  const { host, provider, account = 'default' } = Object(options) as SessionOptions<Api>;
  if (!host?.http || !provider?.dialect) {
    throw new MortiseError('configuration_error', { problem: 'host or provider is missing' });
  }
  if (provider.clientSecret && host.client === 'public') {
    throw new MortiseError('configuration_error', {
      problem: 'a client secret cannot be kept in this host',
    });
  }
  const inFlight = createInFlight();
  const machine = createMachine();
  // The format's version is part of the key: an older library never touches a newer one's record.
  const parts = [provider.id, provider.server, provider.clientId, account];
  // One client may have both: what the app may do is nothing a user signed in for.
  if (provider.grant !== 'authorization_code') parts.push(provider.grant);
  const key = `mortise/1/${parts.map(encodePart).join('/')}`;
  const lock = createOwnLock(host.lock);
  const context: Context = {
    host,
    provider,
    machine,
    inFlight,
    key,
    lock,
    store: createSessionStore({ ...host, lock }, key),
    endpoint: createTokenEndpoint(host, provider, inFlight),
    held: null,
    reason: 'never',
    generation: 0,
    attempt: null,
    restored: null,
    renewing: null,
    narrowed: new Map(),
    unobtainable: new Map(),
    hasLock: false,
    signingOut: null,
    forgotten: null,
    adoptions: 0,
    signOuts: 0,
    leaving: null,
    failures: 0,
    pause: null,
  };

  const access = createAccess(context, provider, inFlight, (demand) =>
    accessToken(context, demand),
  );

  return {
    get state() {
      return machine.state;
    },
    onChange: machine.onChange,
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
    async close() {
      const { attempt, renewing, signingOut, leaving, held } = context;
      stopAll(inFlight);
      attempt?.end(new MortiseError('aborted', {}));
      // A renewed token that the store does not have yet would be lost, and the old one is spent.
      const isUnsaved = held !== null && held.saveAgainAtMs !== null;
      const saving = isUnsaved && lock(key, CLOSE_LOCK_TIMEOUT_MS, () => saveLast(context));
      await within(
        host.clock,
        Promise.allSettled([attempt?.done, renewing?.done, signingOut, leaving, saving]),
      );
      machine.removeListeners();
    },
  };
}

/** @throws {MortiseError} `configuration_error` for half a surrogate pair. */
export function encodePart(part: string): string {
  try {
    return encodeURIComponent(part);
  } catch {
    throw new MortiseError('configuration_error', { problem: 'account is not well-formed text' });
  }
}

/** How long closing waits for others to be done with the store. */
const CLOSE_LOCK_TIMEOUT_MS = 1_000;

async function saveLast(context: Context): Promise<void> {
  const { held } = context;
  if (held && held.saveAgainAtMs !== null) await keep(context, held);
}
