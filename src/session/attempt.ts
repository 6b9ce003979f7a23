import { MortiseError, ourError } from '../errors.js';
import { within } from '../http/guard.js';
import { readAuthorizationCode } from '../oauth/authorization-response.js';
import type { RedirectOutcome, UserAgentVisit, VisitRequest } from '../ports/index.js';
import { authorize, weaknessOf, type Authorization } from './authorization.js';
import { leaveAfter, type Attempt, type Context } from './context.js';
import { backToBefore, issue } from './issue.js';
import { readPasted } from './pasted.js';
import { restore } from './restore.js';
import type { AuthorizingState } from './state.js';

/**
 * Starts one sign-in. Opens the host's user agent before anything asynchronous happens, because a popup may
 * open only inside the user's click.
 *
 * @param previous An attempt that gives way; its port may be the one needed.
 */
export function startAttempt(
  context: Context,
  timeoutMs: number,
  previous: Attempt | null,
): Attempt {
  const { host, machine, provider } = context;
  const { clock } = host;
  const startedAtMs = clock.nowMs();
  const startedMonotonicMs = clock.monotonicMs();
  const controller = new AbortController();
  const before = context.leaving;

  let expected: Authorization | undefined;
  let acceptedCode: string | undefined;
  const refusedCodes = new Set<string>();
  let trying: Promise<RedirectOutcome> | undefined;
  let lastTurn: Promise<unknown> = Promise.resolve();
  // Where no state comes back, a code that the server refuses was not an answer to this request.
  const isStateless = provider.dialect.state === 'not repeated';
  let phase: 'waiting' | 'saving' | 'over' = 'waiting';
  let conclude: (outcome: RedirectOutcome) => void = () => {};
  const verdict = new Promise<RedirectOutcome>((resolve) => (conclude = resolve));
  let shown: AuthorizingState = {
    name: 'authorizing',
    startedAtMs,
    expiresAtMs: startedAtMs + timeoutMs,
    window: 'open',
    authorizationUrl: null,
    ignoredRedirects: 0,
  };

  const isOver = () => phase === 'over';
  const finish = (outcome: RedirectOutcome) => {
    if (isOver()) return;
    phase = 'over';
    stopTimer();
    conclude(outcome);
  };
  const fail = (error: unknown) => finish({ kind: 'failed', error: ourError(error) });
  const expire = () => end(new MortiseError('sign_in_timeout', { timeoutMs }));
  /** Once the tokens are being saved they are saved, and the sign-in succeeds or fails by that alone. */
  const end = (error: MortiseError) => {
    if (phase === 'waiting') fail(error);
  };
  const stopTimer = clock.after(timeoutMs, expire);
  // A timer sleeps with the machine; the clocks tell.
  const isExpired = () =>
    clock.nowMs() - startedAtMs > timeoutMs || clock.monotonicMs() - startedMonotonicMs > timeoutMs;

  const readCode = (
    answer: Parameters<Attempt['receive']>[0],
    { server, ...rest }: Authorization,
  ) => {
    const read = 'pasted' in answer ? readPasted(answer.pasted, rest.redirectUri) : answer;
    return 'code' in read
      ? read.code
      : readAuthorizationCode(read.redirectUrl, rest, server, provider);
  };

  const receive: Attempt['receive'] = async (answer) => {
    if (isExpired()) expire();
    if (isOver()) return verdict;
    let code: string | null = null;
    try {
      if (expected) code = readCode(answer, expected);
    } catch (error) {
      // While a code is being exchanged nothing else can end the sign-in.
      if (acceptedCode === undefined) fail(error);
      else if (isStateless) return inTurn(answer);
    }
    if (isOver()) return verdict;
    // The same redirect again (a reload, a scanner) is told what the first one is told.
    if (code !== null && code === acceptedCode) return trying ?? verdict;
    if (!expected || code === null || refusedCodes.has(code)) return ignore();
    if (acceptedCode !== undefined) return isStateless ? inTurn(answer) : ignore();
    acceptedCode = code;
    trying = undefined;
    machine.dispatch('redirectReceived', { name: 'exchanging' });
    trying = redeem(code, expected);
    return trying;
  };

  /** The code under way may be anybody's: what comes meanwhile gets its turn, one after another. */
  const inTurn: Attempt['receive'] = (answer) => {
    const turn = lastTurn.then(async () => {
      while (acceptedCode !== undefined && !isOver()) await Promise.race([trying, verdict]);
      return receive(answer);
    });
    lastTurn = turn;
    return turn;
  };

  const redeem = async (
    code: string,
    { redirectUri, codeVerifier }: Authorization,
  ): Promise<RedirectOutcome> => {
    try {
      const isKept = await issue(context, { code, redirectUri, codeVerifier }, () => {
        if (phase === 'waiting') phase = 'saving';
        return phase === 'saving';
      });
      if (isKept) finish({ kind: 'signedIn' });
      else fail(new MortiseError('sign_in_cancelled', {}));
    } catch (error) {
      const refused = ourError(error);
      const isForeign =
        isStateless &&
        refused.code === 'invalid_grant' &&
        (provider.protocol?.isForeignCode?.(refused) ?? true);
      if (isForeign && phase === 'waiting') {
        acceptedCode = undefined;
        refusedCodes.add(code);
        machine.dispatch('codeRefused', shown);
        return ignore();
      }
      fail(error);
    }
    return verdict;
  };

  const ignore = (): RedirectOutcome => {
    shown = { ...shown, ignoredRedirects: shown.ignoredRedirects + 1 };
    machine.amend(shown);
    return { kind: 'ignored' };
  };

  const prepare = async (visit: UserAgentVisit) => {
    // Read before the user is bothered: a store that cannot be used is better known now.
    const [made] = await Promise.all([authorize(context, visit.redirectUri), restore(context)]);
    if (isOver()) return;
    expected = made;
    const { authorizationUrl, server } = made;
    shown = { ...shown, authorizationUrl, ...weaknessOf(server) };
    machine.dispatch('addressReady', shown);
    await visit.navigate(authorizationUrl).catch((error: unknown) => {
      if (isOver()) return;
      // The address can still be opened by hand, so nothing is over.
      shown = { ...shown, window: 'lost' };
      machine.dispatch('windowLost', shown, ourError(error));
    });
  };

  const request: VisitRequest = {
    redirect: provider.redirect,
    signal: controller.signal,
    onRedirect: (redirectUrl) => receive({ redirectUrl }),
  };

  let visit: UserAgentVisit | undefined;
  const open = async () => {
    if (before) await before;
    if (isOver()) return;
    visit = await openVisit(context, request);
    prepare(visit).catch(fail);
  };
  let opening = Promise.resolve();

  const leave = async (outcome: RedirectOutcome) => {
    // Port and window first: they are free within a second, whatever the store does.
    if (!visit) controller.abort();
    const closed = opening.then(() => visit?.close());
    if (outcome.kind === 'failed') {
      // What there is to go back to; one that is being saved decides that first.
      await within(clock, Promise.allSettled([restore(context), before]));
      // A sign-in that gave way, or was signed out of, has nothing to say about the state any more.
      if (context.attempt === attempt) backToBefore(context, outcome.error);
    }
    if (context.attempt === attempt) context.attempt = null;
    await within(clock, closed);
    if (outcome.kind === 'failed') throw outcome.error;
  };

  const attempt: Attempt = { done: verdict.then(leave), receive, end };
  leaveAfter(context, attempt.done);
  context.attempt = attempt;
  // One cut in two may be at its second half.
  const isBusy = /^(authorizing|exchanging)$/.test(machine.state.name);
  machine.dispatch(previous || isBusy ? 'signInRestarted' : 'signInRequested', shown);
  // A listener may have ended it already.
  if (!isOver()) opening = open().catch(fail);
  return attempt;
}

/** The first of the host's user agents that can take the visit. The first one is asked at once. */
async function openVisit({ host }: Context, request: VisitRequest): Promise<UserAgentVisit> {
  let failure: unknown = new MortiseError('configuration_error', {
    problem: 'this host cannot show a sign-in page',
  });
  for (const userAgent of host.userAgents) {
    try {
      return await userAgent.open(request);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
