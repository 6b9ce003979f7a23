import { MortiseError } from '../errors.js';
import { abortable } from '../http/guard.js';
import { readAuthorizationCode, isAuthorizationCode } from '../oauth/authorization-response.js';
import { buildAuthorizationUrl } from '../oauth/authorization-request.js';
import { parseUrl } from '../oauth/endpoint.js';
import { createPkce, randomText } from '../oauth/pkce.js';
import { accessToken } from './access-token.js';
import { startAttempt } from './attempt.js';
import type { Context } from './context.js';
import { backToBefore, issue } from './issue.js';
import { ourError } from './renew.js';
import { restore } from './restore.js';

const TIMEOUT_MS = 300_000;

export interface SignInOptions {
  /** Ends the sign-in with `sign_in_cancelled`; of a caller who joined, only the waiting. */
  readonly signal?: AbortSignal | undefined;
  /** How long the user may take. Default 300,000. Of a caller who joins it is not looked at. */
  readonly timeoutMs?: number;
  /** What to do when a sign-in is pending already: wait for it (default), or start over. */
  readonly whilePending?: 'join' | 'restart';
}

/** Synchronous up to the opening of the window. */
export function signIn(
  context: Context,
  { signal, timeoutMs = TIMEOUT_MS, whilePending = 'join' }: SignInOptions,
): Promise<void> {
  if (context.inFlight.isClosed) return Promise.reject(new MortiseError('aborted', {}));
  const cancelled = new MortiseError('sign_in_cancelled', {});
  if (signal?.aborted) return Promise.reject(cancelled);
  if (context.provider.grant === 'client_credentials') {
    return accessToken(context, { signal }).then(() => {});
  }
  if (context.signingOut) {
    const options = { timeoutMs, whilePending, signal };
    return context.signingOut.then(() => signIn(context, options));
  }
  const pending = context.attempt;
  if (pending && whilePending === 'join') {
    return abortable(pending.done, signal, 'sign_in_cancelled');
  }
  const attempt = startAttempt(context, timeoutMs, pending);
  pending?.end(cancelled);
  if (!signal) return attempt.done;
  const cancel = () => attempt.end(cancelled);
  const free = () => signal.removeEventListener('abort', cancel);
  signal.addEventListener('abort', cancel);
  attempt.done.then(free, free);
  return attempt.done;
}

/** The first half of a sign-in that this process may not live to see the end of. */
export async function beginSignIn(
  context: Context,
  { redirectUri, timeoutMs = TIMEOUT_MS }: { redirectUri: string; timeoutMs?: number },
): Promise<{ authorizationUrl: string }> {
  const { host, provider, store, endpoint } = context;
  if (context.inFlight.isClosed) throw new MortiseError('aborted', {});
  if (provider.grant !== 'authorization_code' || !parseUrl(redirectUri)) {
    throw new MortiseError('configuration_error', {
      problem: 'a sign-in needs a user and an absolute redirect URI',
    });
  }
  const server = await endpoint.metadata();
  const { codeVerifier, codeChallenge } = await createPkce(host.crypto);
  const state = randomText(host.crypto);
  const startedAtMs = host.clock.nowMs();
  const expiresAtMs = startedAtMs + timeoutMs;
  const authorizationUrl = buildAuthorizationUrl(provider, server.authorizationEndpoint, {
    redirectUri,
    state,
    codeChallenge,
  });
  await store.addAttempt({ state, codeVerifier, redirectUri, startedAtMs, expiresAtMs });
  return { authorizationUrl };
}

/** The second half: of a pending `signIn` by a pasted answer, or of `beginSignIn` by the redirect. */
export async function completeSignIn(context: Context, text: string): Promise<void> {
  if (context.inFlight.isClosed) throw new MortiseError('aborted', {});
  const pasted = text
    .trim()
    .replace(/^["'<]+|["'>]+$/g, '')
    .trim();
  if (!context.attempt) return finishBegun(context, pasted);
  const { attempt } = context;
  // A code on its own has no state to compare; that the user brought it here, and PKCE, must do.
  const isCode = isAuthorizationCode(pasted) && !/[:/?&=\s]/.test(pasted);
  const outcome = await attempt.receive(isCode ? { code: pasted } : { redirectUrl: pasted });
  if (outcome.kind === 'ignored') throw notOurs();
  return attempt.done;
}

async function finishBegun(context: Context, redirectUrl: string): Promise<void> {
  const { endpoint, provider, machine, store, host } = context;
  const state = parseUrl(redirectUrl)?.searchParams.get('state') ?? null;
  const begun = await store.takeAttempt(state);
  if (!begun) throw notOurs();
  const { startedAtMs, expiresAtMs, redirectUri, codeVerifier } = begun;
  const nowMs = host.clock.nowMs();
  if (nowMs > expiresAtMs || nowMs < startedAtMs) {
    throw new MortiseError('sign_in_timeout', { timeoutMs: expiresAtMs - startedAtMs });
  }
  await restore(context);
  machine.dispatch('signInRequested', {
    name: 'authorizing',
    startedAtMs,
    expiresAtMs,
    window: 'open',
    authorizationUrl: null,
    ignoredRedirects: 0,
  });
  try {
    const server = await endpoint.metadata();
    const code = readAuthorizationCode(redirectUrl, begun, server, provider);
    if (code === null) throw notOurs();
    machine.dispatch('redirectReceived', { name: 'exchanging' });
    await issue(context, { code, redirectUri, codeVerifier }, () => !context.inFlight.isClosed);
  } catch (error) {
    const failure = ourError(error);
    backToBefore(context, failure);
    throw failure;
  }
}

const notOurs = (): MortiseError =>
  new MortiseError(
    'malformed_response',
    { problem: 'it does not belong to a sign-in that is waiting' },
    { hint: 'Sign in again, and copy the whole address the browser ended on.' },
  );
