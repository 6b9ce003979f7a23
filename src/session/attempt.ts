import { MortiseError, ourError } from '../errors.js';
import { within } from '../http/guard.js';
import type { Fields } from '../oauth/provider.js';
import type { RedirectOutcome, VisitRequest } from '../ports/index.js';
import { isCodeAlone, readCode, type Authorization } from './authorization.js';
import { leaveAfter, type Attempt, type Context } from './context.js';
import { backToBefore, codeGrant, deviceGrant, issue } from './issue.js';
import { restore } from './restore.js';
import type { AuthorizingState } from './state.js';
import { startTimeLimit } from './time-limit.js';
import { createVisits, visitUser, type Showing } from './visit.js';

/**
 * Starts one sign-in. Opens the host's user agent before anything asynchronous happens, because a popup may
 * open only inside the user's click.
 */
export function startAttempt(context: Context, timeoutMs: number): Attempt {
  const { host, machine, provider, endpoint } = context;
  const { clock } = host;
  const startedAtMs = clock.nowMs();
  const controller = new AbortController();
  const before = context.leaving;

  let expected: Authorization | undefined;
  let acceptedCode: string | undefined;
  let isBare = false;
  const refusedCodes = new Set<string>();
  let fate: 'lost' | 'closed' | undefined;
  let trying: Promise<RedirectOutcome> | undefined;
  let lastTurn: Promise<unknown> = Promise.resolve();
  // Where no state comes with it, a code that the server refuses was not an answer to this request.
  const isUnsure = () => isBare || provider.dialect.state === 'not repeated';
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
    limit.stop();
    conclude(outcome);
  };
  const fail = (error: unknown) => finish({ kind: 'failed', error: ourError(error) });
  const expire = () => end(new MortiseError('sign_in_timeout', { timeoutMs: limit.ms }));
  /** Once the tokens are being saved they are saved, and the sign-in succeeds or fails by that alone. */
  const end = (error: MortiseError) => {
    if (phase === 'waiting') fail(error);
  };
  const limit = startTimeLimit(clock, timeoutMs, expire);

  const receive: Attempt['receive'] = async (answer) => {
    if (limit.isPast()) expire();
    if (isOver()) return verdict;
    let code: string | null = null;
    try {
      if (expected) code = readCode(answer, expected, provider);
    } catch (error) {
      // While a code is being exchanged nothing else can end the sign-in.
      if (acceptedCode === undefined) fail(error);
      else if (isUnsure()) return inTurn(answer);
    }
    if (isOver()) return verdict;
    // The same redirect again (a reload, a scanner) is told what the first one is told.
    if (code !== null && code === acceptedCode) return trying ?? verdict;
    if (!expected || code === null || refusedCodes.has(code)) return ignore();
    if (acceptedCode !== undefined) return isUnsure() ? inTurn(answer) : ignore();
    acceptedCode = code;
    isBare = isCodeAlone(answer, expected);
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

  /** One token request. From the moment its answer is to be saved nothing else ends the sign-in. */
  const commit = async (grant: Fields): Promise<void> => {
    const isKept = await issue(context, grant, () => {
      if (phase === 'waiting') {
        phase = 'saving';
        // Of a code for another device nothing was told so far: the server was asked all the time.
        machine.dispatch('redirectReceived', { name: 'exchanging' });
      }
      return phase === 'saving';
    });
    if (isKept) finish({ kind: 'signedIn' });
    else fail(new MortiseError('sign_in_cancelled', {}));
  };

  const redeem = async (code: string, authorization: Authorization): Promise<RedirectOutcome> => {
    try {
      await commit(codeGrant(code, authorization));
    } catch (error) {
      const refused = ourError(error);
      const isForeign =
        isUnsure() &&
        refused.code === 'invalid_grant' &&
        (provider.protocol?.isForeignCode?.(refused) ?? true);
      if (isForeign && phase === 'waiting') {
        acceptedCode = undefined;
        refusedCodes.add(code);
        machine.dispatch('codeRefused', shown);
        tellFate();
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

  /** Nothing comes back from another device: the server is asked, and gives tokens in the end. */
  const redeemDevice = async (deviceCode: string): Promise<RedirectOutcome> => {
    await commit(deviceGrant(deviceCode)).catch((error: unknown) => {
      if (phase === 'waiting') throw error;
      fail(error);
    });
    return verdict;
  };

  const wait = async (ms: number): Promise<void> => {
    let stop = () => {};
    const over = new Promise<void>((resolve) => (stop = clock.after(ms, resolve)));
    await Promise.race([over, verdict]);
    stop();
    if (limit.isPast()) expire();
    if (isOver()) throw new MortiseError('aborted', {});
  };

  const request: VisitRequest = {
    redirect: provider.redirect,
    signal: controller.signal,
    onRedirect: (redirectUrl) => receive({ redirectUrl }),
    onWindow(now) {
      fate = now;
      // An answer that is here already needs no window.
      if (acceptedCode === undefined) tellFate();
    },
    device: {
      begin: () => endpoint.authorizeDevice(controller.signal),
      redeem: redeemDevice,
      wait,
    },
  };

  const show: Showing['show'] = (event, change, error) => {
    if (isOver()) return;
    const { answerBy: _, weakness: __, ...lasting } = shown;
    // What was said of the visit before does not hold of this one.
    shown = { ...(event === 'addressReady' ? lasting : shown), ...change };
    machine.dispatch(event, shown, error === undefined ? undefined : ourError(error));
  };

  const tellFate = () => {
    if (fate === 'closed') end(new MortiseError('sign_in_cancelled', {}));
    if (fate === 'lost' && shown.window === 'open') show('windowLost', { window: 'lost' });
  };
  const visits = createVisits(request, () => controller.abort());
  const open = () =>
    visitUser(context, {
      before,
      open: visits.open,
      isOver,
      fail,
      expect: (authorization) => (expected = authorization),
      expireWithin(ms) {
        limit.shorten(ms);
        shown = { ...shown, expiresAtMs: startedAtMs + limit.ms };
      },
      show,
    });

  const leave = async (outcome: RedirectOutcome) => {
    // Port and window first: they are free within a second, whatever the store does.
    const closed = visits.close();
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
  // Another gives way, or one cut in two is at its second half.
  const isBusy = /^(authorizing|exchanging)$/.test(machine.state.name);
  machine.dispatch(isBusy ? 'signInRestarted' : 'signInRequested', shown);
  void open().catch(fail);
  return attempt;
}
