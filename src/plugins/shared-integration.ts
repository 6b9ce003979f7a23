import { MortiseError } from '../errors.js';
import { untilStopped, type InFlight } from '../http/guard.js';
import type { Host } from '../ports/index.js';
import { createSession, type Session } from '../session/create-session.js';
import { encodePart } from '../session/keys.js';
import { watchLogin, type Login } from './login-status.js';
import type { Assignment, Integration, IntegrationHandle } from './plugin.js';
import { shareSignIn, type SharedSignInOptions } from './shared-sign-in.js';

/** One session that all plug-ins share which an integration is assigned to. */
export interface SharedIntegration {
  readonly name: string;
  readonly plugins: readonly Assignment[];
  readonly session: Session<IntegrationHandle['api']>;
  readonly login: Login;
  readonly signIn: (options: SharedSignInOptions) => Promise<void>;
}

/** @throws {MortiseError} `configuration_error` for a client secret where it cannot be kept. */
export function shareIntegration(
  host: Host,
  { name, provider, plugins }: Integration,
  account: string,
): SharedIntegration {
  const session = createSession({
    host,
    provider,
    account: [name, account].map(encodePart).join('/'),
  });
  const login = watchLogin(session, provider);
  return { name, plugins, session, login, signIn: shareSignIn(session, host.clock) };
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
  const access = session.share({ scopes: scopesOf(assignment), signal });
  session.restore().catch(() => {}); // Told as a change of the session.
  let last = { state: session.state, status: login.status };
  inFlight.stops.add(() => (last = { state: session.state, status: login.status }));
  const alive = <T>(start: () => Promise<T>): Promise<T> => {
    if (inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
    try {
      return untilStopped(start(), inFlight);
    } catch {
      const problem = 'an option is of the wrong type';
      return Promise.reject(new MortiseError('configuration_error', { problem }));
    }
  };
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
      // What comes after is nothing for it any more.
      return inFlight.isClosed ? last.state : session.state;
    },
    get status() {
      return inFlight.isClosed ? last.status : login.status;
    },
    onChange: (listener) => listen(() => session.onChange(listener)),
    onStatus: (listener) => listen(() => login.onStatus(listener)),
    signIn: (options = {}) => alive(() => signInFor(signIn, options, signal)),
    signOut: () => alive(() => session.signOut()),
    getAccessToken: (options) => access.getAccessToken(options),
    api: access.api,
  };
}

/** The plug-in's own signal ends the waiting, and so does its end. */
function signInFor(
  signIn: SharedIntegration['signIn'],
  options: SharedSignInOptions,
  end: AbortSignal,
): Promise<void> {
  const both = new AbortController();
  const stop = () => both.abort();
  const signals = [end, options.signal];
  for (const signal of signals) signal?.addEventListener('abort', stop);
  if (signals.some((signal) => signal?.aborted)) stop();
  const free = () => signals.forEach((signal) => signal?.removeEventListener('abort', stop));
  try {
    const done = signIn({ ...options, signal: both.signal });
    done.then(free, free);
    return done;
  } catch (error) {
    free();
    throw error;
  }
}

const scopesOf = (assignment: Assignment | undefined): readonly string[] | undefined =>
  typeof assignment === 'object' ? assignment.scopes : undefined;

/** Whether the scopes of an assignment can be had. @throws {MortiseError} `configuration_error`. */
export function lendScopes({ session }: SharedIntegration, assignment: Assignment): void {
  const over = new AbortController();
  session.share({ scopes: scopesOf(assignment), signal: over.signal });
  over.abort();
}

export const nameOf = (assignment: Assignment): string =>
  typeof assignment === 'string' ? assignment : assignment.name;
