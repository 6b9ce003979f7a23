import { MortiseError } from '../errors.js';
import { untilStopped, type InFlight } from '../http/guard.js';
import type { Host } from '../ports/index.js';
import { createSession, type Session } from '../session/create-session.js';
import type { SignInOptions } from '../session/sign-in.js';
import { watchLogin, type Login } from './login-status.js';
import type { Assignment, Integration, IntegrationHandle } from './plugin.js';
import { shareSignIn } from './shared-sign-in.js';

/** One session that all plug-ins share which an integration is assigned to. */
export interface SharedIntegration {
  readonly name: string;
  readonly plugins: readonly Assignment[];
  readonly session: Session<IntegrationHandle['api']>;
  readonly login: Login;
  readonly signIn: (options: SignInOptions) => Promise<void>;
}

/** @throws {MortiseError} `configuration_error` for a client secret where it cannot be kept. */
export function shareIntegration(
  host: Host,
  { name, provider, plugins }: Integration,
  account: string,
): SharedIntegration {
  const session = createSession({ host, provider, account: `${name}/${account}` });
  const login = watchLogin(session, provider);
  return { name, plugins, session, login, signIn: shareSignIn(session) };
}

/** What one plug-in has taken, all of it released by `inFlight` and `signal`. */
export interface Lease {
  readonly plugin: string;
  readonly inFlight: InFlight;
  readonly signal: AbortSignal;
}

/**
 * The handle of one plug-in.
 *
 * @throws {MortiseError} `configuration_error` for scopes the integration cannot be narrowed to.
 */
export function lend(
  { name, plugins, session, login, signIn }: SharedIntegration,
  { plugin, inFlight, signal }: Lease,
): IntegrationHandle {
  const assignment = plugins.find((each) => nameOf(each) === plugin);
  const scopes = typeof assignment === 'object' ? assignment.scopes : undefined;
  const access = session.share({ scopes, signal });
  session.restore().catch(() => {}); // Told as a change of the session.
  const alive = <T>(start: () => Promise<T>): Promise<T> =>
    inFlight.isClosed
      ? Promise.reject(new MortiseError('aborted', {}))
      : untilStopped(start(), inFlight);
  /** Ends with the plug-in, should it not be ended by itself. */
  const listen = (subscribe: () => () => void): (() => void) => {
    if (inFlight.isClosed) return () => {};
    const unsubscribe = subscribe();
    const stop = () => {
      inFlight.stops.delete(stop);
      unsubscribe();
    };
    inFlight.stops.add(stop);
    return stop;
  };
  return {
    name,
    get state() {
      return session.state;
    },
    get status() {
      return login.status;
    },
    onChange: (listener) => listen(() => session.onChange(listener)),
    onStatus: (listener) => listen(() => login.onStatus(listener)),
    signIn: (options = {}) => alive(() => signInFor(signIn, options, signal)),
    completeSignIn: (text) => alive(() => session.completeSignIn(text)),
    signOut: () => alive(() => session.signOut()),
    getAccessToken: (options) => access.getAccessToken(options),
    api: access.api,
  };
}

/** The plug-in's own signal ends the waiting, and so does its end. */
function signInFor(
  signIn: SharedIntegration['signIn'],
  options: SignInOptions,
  end: AbortSignal,
): Promise<void> {
  const both = new AbortController();
  const stop = () => both.abort();
  const signals = [end, options.signal];
  for (const signal of signals) signal?.addEventListener('abort', stop);
  if (signals.some((signal) => signal?.aborted)) stop();
  const free = () => signals.forEach((signal) => signal?.removeEventListener('abort', stop));
  const done = signIn({ ...options, signal: both.signal });
  done.then(free, free);
  return done;
}

export const nameOf = (assignment: Assignment): string =>
  typeof assignment === 'string' ? assignment : assignment.name;
