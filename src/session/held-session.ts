import { MortiseError, isMortiseError, ourError } from '../errors.js';
import { randomText } from '../oauth/pkce.js';
import type { Clock } from '../ports/index.js';
import { EVERYTHING, type Context, type HeldSession, type TokenLife } from './context.js';
import type { StoredSession } from './record.js';
import { isReset } from './session-store.js';
import type { Notices, SessionState } from './state.js';
import type { Issued } from './token-endpoint.js';

/** Unless asked otherwise a token is renewed this long before it ends, or a tenth of its life if that is less. */
const USUAL_MARGIN_MS = 30_000;

/** How long after a failed save the next one is tried. */
export const SAVE_AGAIN_MS = 5_000;

/** A stored time this far in the future means that the wall clock was set back: its age is unknown. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Milliseconds a token has left, by the stricter of two clocks: the wall clock knows of sleep, the monotonic
 * one of a clock that was set back. Endless when the server gave no lifetime.
 */
export function remainingMs(life: TokenLife, clock: Clock): number {
  const { lifetimeMs, receivedAtMs, receivedMonotonicMs } = life;
  if (lifetimeMs === null) return Infinity;
  const ageMs = clock.nowMs() - receivedAtMs;
  if (receivedMonotonicMs === null) return ageMs < -CLOCK_TOLERANCE_MS ? 0 : lifetimeMs - ageMs;
  return lifetimeMs - Math.max(ageMs, clock.monotonicMs() - receivedMonotonicMs);
}

export function isUsable(life: TokenLife, clock: Clock, minValidityMs?: number): boolean {
  const marginMs = minValidityMs ?? Math.min(USUAL_MARGIN_MS, (life.lifetimeMs ?? 0) / 10);
  return remainingMs(life, clock) > marginMs;
}

export function signedInState(context: Context, held: HeldSession): SessionState {
  const { receivedAtMs, lifetimeMs, scopes } = held;
  const expiresAtMs = lifetimeMs === null ? null : receivedAtMs + lifetimeMs;
  const notices = noticesOf(context, held);
  return { name: 'signedIn', expiresAtMs, scopes: Object.freeze([...scopes]), ...notices };
}

/** Shows the same session anew, with what there is to tell now. */
export function retell(context: Context, event: 'saved' | 'userChanged'): void {
  const { machine, held } = context;
  const { state } = machine;
  if (!held) return;
  const next: SessionState =
    state.name === 'degraded'
      ? { name: 'degraded', retryAtMs: state.retryAtMs, ...noticesOf(context, held) }
      : signedInState(context, held);
  machine.dispatch(event, next);
}

export const noticesOf = ({ isUserChanged }: Context, held: HeldSession): Notices => ({
  ...(held.unsaved && { unsaved: true }),
  ...(isUserChanged && { userChanged: true }),
});

/**
 * A record of the store. Its writer's clock may differ from ours: a time that cannot be, since another record
 * was there when we last looked, is taken for that moment.
 */
export function fromStore(
  stored: StoredSession,
  clock: Clock,
  before: HeldSession | null = null,
): HeldSession {
  const seenAtMs = clock.nowMs();
  const seenMonotonicMs = clock.monotonicMs();
  const { revision: storedRevision, receivedAtMs } = stored;
  const seen = { ...stored, storedRevision, unsaved: null, seenAtMs, seenMonotonicMs };
  if (!before) return { ...seen, receivedMonotonicMs: null };
  const statedMs = seenAtMs - receivedAtMs;
  const unseenMs = Math.max(seenAtMs - before.seenAtMs, seenMonotonicMs - before.seenMonotonicMs);
  const canBe = statedMs >= -CLOCK_TOLERANCE_MS && statedMs <= unseenMs + CLOCK_TOLERANCE_MS;
  if (canBe) return { ...seen, receivedMonotonicMs: null };
  return {
    ...seen,
    receivedAtMs: seenAtMs - unseenMs,
    receivedMonotonicMs: seenMonotonicMs - unseenMs,
  };
}

/** What was just issued, with what a refresh answer may leave out taken from before. */
export function fromAnswer(
  context: Context,
  issued: Issued,
  before: HeldSession | null,
): HeldSession {
  const { clock, crypto } = context.host;
  const receivedAtMs = clock.nowMs();
  const receivedMonotonicMs = clock.monotonicMs();
  return {
    accessToken: issued.accessToken,
    refreshToken: issued.refreshToken ?? before?.refreshToken ?? null,
    lifetimeMs: issued.lifetimeMs,
    scopes: issued.scopes ?? before?.scopes ?? context.provider.scopes,
    carried: issued.carried,
    receivedAtMs,
    revision: randomText(crypto),
    signInId: before?.signInId ?? randomText(crypto),
    identity: before?.identity ?? null,
    receivedMonotonicMs,
    seenAtMs: receivedAtMs,
    seenMonotonicMs: receivedMonotonicMs,
    storedRevision: before?.storedRevision ?? null,
    unsaved: null,
  };
}

/**
 * What the store holds now: `'unreadable'` says nothing about the session in memory, `undefined` that
 * what was there is damaged and set aside.
 */
export async function peek(
  context: Context,
): Promise<StoredSession | null | undefined | 'unreadable'> {
  const { store, held } = context;
  try {
    const stored = await store.load();
    // Somebody else may have set it aside, for all of us.
    return !stored && held && (await store.isSetAside()) ? undefined : stored;
  } catch (error) {
    const isLost = isMortiseError(error) && (error.code === 'store_damaged' || isReset(error));
    return isLost ? undefined : 'unreadable';
  }
}

/** Signed out of here, though it could not be removed: it is not taken up again. */
export function isForgotten(context: Context, stored: StoredSession): boolean {
  // The first one seen is the one that could not be read then.
  if (context.forgotten === EVERYTHING) context.forgotten = stored;
  const { forgotten } = context;
  const isSameSignIn = stored.signInId !== '' && forgotten?.signInId === stored.signInId;
  return isSameSignIn || forgotten?.revision === stored.revision;
}

/** Takes over what another process has stored, or that it has signed out. */
export function adopt(context: Context, stored: StoredSession | null): void {
  const { held } = context;
  if (stored?.signInId !== held?.signInId) context.foreignSignIns += 1;
  context.held = stored && fromStore(stored, context.host.clock, held);
  if (stored) recognise(context, stored.identity);
}

/** Compares who the tokens belong to with who signed in here. */
export function recognise(context: Context, identity: string | null): void {
  context.identity ??= identity;
  if (identity !== null && identity !== context.identity) context.isUserChanged = true;
}

/** Who signs in next may be anybody. */
export function forgetUser(context: Context): void {
  context.identity = null;
  context.isUserChanged = false;
}

/**
 * Saves renewed tokens and only then gives them out, so that no other process is left with a spent refresh
 * token. When the store fails they are kept in memory and saved later: a rotated token must not be lost.
 *
 * Compares before it replaces: whatever another process has stored meanwhile wins. Under the lock only.
 */
export async function keep(context: Context, renewed: HeldSession): Promise<void> {
  const { store, host, generation, endpoint, account } = context;
  const isLate = () => context.generation !== generation;
  const stored = await peek(context);
  if (isLate()) return endpoint.revoke(renewed);
  if (
    stored !== 'unreadable' &&
    wasReplaced(context, stored) &&
    !isSpent(context, stored, renewed)
  ) {
    adopt(context, stored ?? null);
    // Of the same sign-in, the other one's are as good; else nobody has these.
    return context.held?.signInId === renewed.signInId ? undefined : endpoint.revoke(renewed);
  }
  let unsaved: HeldSession['unsaved'] = null;
  try {
    // One that cannot be read is not written to either: there may be a newer session in it.
    if (stored === 'unreadable') throw new MortiseError('store_unavailable', {});
    await store.save(renewed);
    await store.enlist(account);
  } catch (error) {
    unsaved = { error: ourError(error), againAtMs: host.clock.monotonicMs() + SAVE_AGAIN_MS };
  }
  if (isLate()) return endpoint.revoke(renewed);
  const storedRevision = unsaved ? (context.held?.storedRevision ?? null) : renewed.revision;
  context.held = { ...renewed, storedRevision, unsaved };
}

/** Whether what is stored has only the refresh token that these tokens were had for. */
const isSpent = (
  { held }: Context,
  stored: StoredSession | null | undefined,
  renewed: HeldSession,
): boolean =>
  stored?.signInId === renewed.signInId &&
  stored.refreshToken !== null &&
  stored.refreshToken === held?.refreshToken &&
  stored.refreshToken !== renewed.refreshToken;

/** Whether another process signed in, renewed or signed out since we last looked. */
export function wasReplaced(
  { provider, held }: Context,
  stored: StoredSession | null | undefined,
): boolean {
  if (stored === undefined) return false;
  const known = held?.storedRevision ?? null;
  // Without a user nobody signs out: an emptied store only means that a token must be asked for.
  if (stored === null) return known !== null && provider.grant !== 'client_credentials';
  return stored.revision !== known;
}
