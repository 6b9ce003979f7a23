import { MortiseError, ourError, misconfigured } from '../errors.js';
import { readAuthorizationCode } from '../oauth/authorization-response.js';
import { parseUrl } from '../oauth/endpoint.js';
import { authorize, weaknessOf } from './authorization.js';
import { leaveAfter, type Context } from './context.js';
import { backToBefore, codeGrant, issue } from './issue.js';
import type { StoredAttempt } from './record.js';
import { restore } from './restore.js';

export interface BegunSignIn {
  readonly authorizationUrl: string;
  /** Set where nothing says that the server compares the PKCE verifier: tell the user. */
  readonly weakness?: 'pkce_not_checked';
}

/** The first half of a sign-in that this page or process may not live to see the end of. */
export async function beginSignIn(
  context: Context,
  redirectUri: string,
  timeoutMs: number,
): Promise<BegunSignIn> {
  const { host, provider, store, inFlight } = context;
  if (inFlight.isClosed) throw new MortiseError('aborted', {});
  const { redirect } = provider;
  if (provider.grant !== 'authorization_code' || !parseUrl(redirectUri)) {
    throw misconfigured('a sign-in needs a user and an absolute redirect URI');
  }
  if (!('loopback' in redirect) && !redirect.includes(redirectUri)) {
    throw misconfigured('the redirect URI is not one of the provider’s');
  }
  // What is endless, or no number, would come back from the store as nothing.
  if (!(timeoutMs > 0 && Number.isFinite(timeoutMs))) {
    throw misconfigured('timeoutMs must be a finite number above 0');
  }
  // It forgets what was begun before.
  await context.signingOut;
  const { signOuts } = context;
  const { authorizationUrl, state, codeVerifier, server } = await authorize(context, redirectUri);
  const startedAtMs = host.clock.nowMs();
  const expiresAtMs = startedAtMs + timeoutMs;
  await store.addAttempt({ state, codeVerifier, redirectUri, startedAtMs, expiresAtMs });
  if (context.signOuts !== signOuts) {
    await store.takeAttempt(state);
    throw new MortiseError('sign_in_cancelled', {});
  }
  return { authorizationUrl, ...weaknessOf(server) };
}

/** The second half, from the redirect: the attempt was stored under this account and is given out once. */
export async function finishSignIn(context: Context, redirectUrl: string): Promise<void> {
  const finishing = finish(context, redirectUrl, context.leaving);
  leaveAfter(context, finishing);
  return finishing;
}

async function finish(
  context: Context,
  redirectUrl: string,
  before: Promise<void> | null,
): Promise<void> {
  await context.signingOut;
  const { signOuts, endpoint, provider, machine, store, host, inFlight } = context;
  const isOver = () => context.signOuts !== signOuts || context.attempt !== null;
  const cancelled = () => new MortiseError('sign_in_cancelled', {});
  const server = await endpoint.metadata();
  const isStateless = provider.dialect.state === 'not repeated';
  // One that is being tried may be anybody's, and is put back if so.
  if (isStateless) await before;
  /** What the redirect says, if it is an answer to this attempt. */
  const read = (begun: StoredAttempt) => {
    try {
      return readAuthorizationCode(redirectUrl, begun, server, provider);
    } catch (error) {
      return ourError(error);
    }
  };
  // The latest first: where a server repeats no state, nothing else tells them apart.
  const attempts = [...(await store.attempts())].reverse();
  const begun = attempts.find((attempt) => read(attempt) !== null);
  // Taken only now: an attempt is not spent on a moment without network.
  if (!begun || !(await store.takeAttempt(begun.state))) throw notOurs();
  const { startedAtMs, expiresAtMs } = begun;
  const nowMs = host.clock.nowMs();
  if (nowMs > expiresAtMs || nowMs < startedAtMs) {
    throw new MortiseError('sign_in_timeout', { timeoutMs: expiresAtMs - startedAtMs });
  }
  await before;
  await restore(context);
  if (isOver()) throw cancelled();
  machine.dispatch('signInRequested', {
    name: 'authorizing',
    startedAtMs,
    expiresAtMs,
    window: 'open',
    authorizationUrl: null,
    ignoredRedirects: 0,
    ...weaknessOf(server),
  });
  try {
    const code = read(begun);
    if (typeof code !== 'string') throw code;
    machine.dispatch('redirectReceived', { name: 'exchanging' });
    if (isOver()) throw cancelled();
    const isKept = await issue(
      context,
      codeGrant(code, begun),
      () => !inFlight.isClosed && !isOver(),
    );
    if (!isKept) throw cancelled();
  } catch (error) {
    const failure = ourError(error);
    // Perhaps not an answer to this request: the right one may still come.
    const mayBeForeign = isStateless && failure.code !== 'access_denied';
    if (mayBeForeign && !isOver()) await store.addAttempt(begun).catch(() => {});
    if (!isOver()) backToBefore(context, failure);
    throw failure;
  }
}

export const notOurs = (): MortiseError =>
  new MortiseError(
    'malformed_response',
    { problem: 'it does not belong to a sign-in that is waiting' },
    { hint: 'Sign in again, and copy the whole address the browser ended on.' },
  );
