import { MortiseError } from '../errors.js';
import { abortable, untilStopped } from '../http/guard.js';
import { accountNumber, type Context, type NarrowedToken } from './context.js';
import { isUsable, remainingMs } from './held-session.js';
import { notice } from './notice.js';
import { renew } from './renew.js';
import { signInRequired } from './renewal-failure.js';
import { restore } from './restore.js';

export interface AccessTokenOptions {
  /** How long the token must still be good. Default 30,000, or a tenth of its life if that is less. */
  readonly minValidityMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenDemand extends AccessTokenOptions {
  /** A token the API has just refused: renew, unless that has happened meanwhile. */
  readonly refused?: string | undefined;
  /** Fewer than those of the session, joined by blanks. */
  readonly scope?: string | undefined;
}

/** The token, when the one at hand will do. */
export function tokenAtHand(context: Context, demand: TokenDemand): string | undefined {
  const { held, host } = context;
  const token = demand.scope === undefined ? held : narrowed(context, demand.scope);
  return token &&
    token.accessToken !== demand.refused &&
    isUsable(token, host.clock, demand.minValidityMs)
    ? token.accessToken
    : undefined;
}

function narrowed(context: Context, scope: string): NarrowedToken | null {
  const token = context.narrowed.get(scope);
  return token && context.held && token.account === accountNumber(context) ? token : null;
}

/** The way of nearly every call: nothing is waited for, nothing is allocated but the promise. */
export function accessToken(context: Context, demand: TokenDemand): Promise<string> {
  const { held, inFlight } = context;
  const token =
    inFlight.isClosed || held?.unsaved !== null ? undefined : tokenAtHand(context, demand);
  return token === undefined
    ? untilStopped(abortable(obtain(context, demand), demand.signal), inFlight)
    : Promise.resolve(token);
}

/**
 * A token that meets the demand, renewed if need be, once for all who ask meanwhile.
 *
 * @throws {MortiseError} `sign_in_required`, or why the server could not be asked.
 */
async function obtain(context: Context, demand: TokenDemand): Promise<string> {
  const { provider, host, inFlight } = context;
  const { clock } = host;
  if (inFlight.isClosed || demand.signal?.aborted) throw new MortiseError('aborted', {});
  await context.signingOut;
  await restore(context);
  const isMet = () => tokenAtHand(context, demand) !== undefined;
  if (isMet() && (context.held?.unsaved?.againAtMs ?? Infinity) <= clock.monotonicMs()) {
    // Nobody waits for a store with a good token in hand.
    renew(context, isMet).catch(() => {});
  }
  const atHand = tokenAtHand(context, demand);
  if (atHand !== undefined) return atHand;

  const { scope } = demand;
  if (provider.grant !== 'client_credentials') {
    // Somebody may have signed in elsewhere since this session saw an empty store.
    if (!context.held) await notice(context);
    const { held: before } = context;
    if (!before) throw signInRequired(context);
    // Nothing to renew it with: while it lasts it is the best there is.
    if (before.refreshToken === null && remainingMs(before, clock) > 0) {
      if (scope === undefined) return before.accessToken;
      const problem = 'without a refresh token there is no token for fewer scopes';
      throw new MortiseError('configuration_error', { problem });
    }
  } else if (scope !== undefined && !context.held) {
    await renew(context, () => context.held !== null);
  }
  try {
    const refusal = scope === undefined ? undefined : context.unobtainable.get(scope);
    if (refusal) throw refusal;
    if (!isMet()) await renew(context, isMet, scope);
  } catch (error) {
    // Better a token that ends soon than none, while the server cannot be reached.
    const isLeft = tokenAtHand(context, { ...demand, minValidityMs: 0 }) !== undefined;
    if (!isLeft || inFlight.isClosed) throw error;
  }
  if (!context.held) throw signInRequired(context);
  // The session's own token allows more than was asked, so it is no answer to who wants less.
  const token = scope === undefined ? context.held : narrowed(context, scope);
  if (token) return token.accessToken;
  // Somebody else has signed in meanwhile.
  throw new MortiseError('aborted', {});
}
