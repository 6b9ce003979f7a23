import { MortiseError } from '../errors.js';
import { abortable } from '../http/guard.js';
import type { Context } from './context.js';
import { isUsable, keep, remainingMs } from './held-session.js';
import { renew, signInRequired } from './renew.js';
import { restore } from './restore.js';

export interface AccessTokenOptions {
  /** How long the token must still be good. Default 30,000, or a tenth of its life if that is less. */
  readonly minValidityMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TokenDemand extends AccessTokenOptions {
  /** A token the API has just refused: renew, unless that has happened meanwhile. */
  readonly refused?: string | undefined;
}

/** The token, when the one at hand will do. */
export function tokenAtHand(context: Context, demand: TokenDemand): string | undefined {
  const { held, host } = context;
  return held &&
    held.accessToken !== demand.refused &&
    isUsable(held, host.clock, demand.minValidityMs)
    ? held.accessToken
    : undefined;
}

/** The way of nearly every call: nothing is waited for, nothing is allocated but the promise. */
export function accessToken(context: Context, demand: TokenDemand): Promise<string> {
  const token =
    context.inFlight.isClosed || context.held?.saveAgainAtMs !== null
      ? undefined
      : tokenAtHand(context, demand);
  return token === undefined ? obtain(context, demand) : Promise.resolve(token);
}

/**
 * A token that meets the demand, renewed if need be, once for all who ask meanwhile.
 *
 * @throws {MortiseError} `sign_in_required`, or why the server could not be asked.
 */
async function obtain(context: Context, demand: TokenDemand): Promise<string> {
  const { signal, refused } = demand;
  if (context.inFlight.isClosed) throw new MortiseError('aborted', {});
  await abortable(restore(context), signal);
  await abortable(saveAgain(context), signal);
  const atHand = tokenAtHand(context, demand);
  if (atHand !== undefined) return atHand;
  const {
    held: before,
    host: { clock },
  } = context;
  if (context.provider.grant !== 'client_credentials') {
    if (!before) throw signInRequired(context);
    // Nothing to renew it with: while it lasts it is the best there is.
    if (before.refreshToken === null && remainingMs(before, clock) > 0) return before.accessToken;
  }
  try {
    await abortable(
      renew(context, () => tokenAtHand(context, demand) !== undefined),
      signal,
    );
  } catch (error) {
    // Better a token that ends soon than none, while the server cannot be reached.
    const { held } = context;
    const left = held && held.accessToken !== refused && remainingMs(held, clock) > 0;
    if (!left || signal?.aborted || context.inFlight.isClosed) throw error;
  }
  if (!context.held) throw signInRequired(context);
  return context.held.accessToken;
}

async function saveAgain(context: Context): Promise<void> {
  const { held, host } = context;
  if (!held || held.saveAgainAtMs === null || host.clock.monotonicMs() < held.saveAgainAtMs) return;
  // Postponed first, so that callers who come meanwhile do not save as well.
  context.held = { ...held, saveAgainAtMs: Infinity };
  await keep(context, held, held);
}
