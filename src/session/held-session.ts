import { randomText } from '../oauth/pkce.js';
import type { TokenSet } from '../oauth/token-response.js';
import type { Clock } from '../ports/index.js';
import type { Context, HeldSession } from './context.js';
import type { StoredSession } from './record.js';
import type { SessionState } from './state.js';

/** Unless asked otherwise a token is renewed this long before it ends, or a tenth of its life if that is less. */
const USUAL_MARGIN_MS = 30_000;

/** How long after a failed save the next one is tried. */
const SAVE_AGAIN_MS = 5_000;

/** A stored time this far in the future means that the wall clock was set back: its age is unknown. */
const CLOCK_TOLERANCE_MS = 60_000;

/**
 * Milliseconds a token has left, by the stricter of two clocks: the wall clock knows of sleep, the monotonic
 * one of a clock that was set back. Endless when the server gave no lifetime.
 */
export function remainingMs(held: HeldSession, clock: Clock): number {
  const { lifetimeMs, receivedAtMs, receivedMonotonicMs } = held;
  if (lifetimeMs === null) return Infinity;
  const ageMs = clock.nowMs() - receivedAtMs;
  if (receivedMonotonicMs === null) return ageMs < -CLOCK_TOLERANCE_MS ? 0 : lifetimeMs - ageMs;
  return lifetimeMs - Math.max(ageMs, clock.monotonicMs() - receivedMonotonicMs);
}

export function isUsable(held: HeldSession, clock: Clock, minValidityMs?: number): boolean {
  const marginMs = minValidityMs ?? Math.min(USUAL_MARGIN_MS, (held.lifetimeMs ?? 0) / 10);
  return remainingMs(held, clock) > marginMs;
}

export function signedInState({ receivedAtMs, lifetimeMs, scopes }: StoredSession): SessionState {
  const expiresAtMs = lifetimeMs === null ? null : receivedAtMs + lifetimeMs;
  return { name: 'signedIn', expiresAtMs, scopes };
}

export const fromStore = (stored: StoredSession): HeldSession => ({
  ...stored,
  receivedMonotonicMs: null,
  storedRevision: stored.revision,
  saveAgainAtMs: null,
});

/** What was just issued, with what a refresh answer may leave out taken from before. */
export function fromAnswer(
  context: Context,
  issued: TokenSet,
  before: HeldSession | null,
): HeldSession {
  const { clock, crypto } = context.host;
  return {
    accessToken: issued.accessToken,
    refreshToken: issued.refreshToken ?? before?.refreshToken ?? null,
    lifetimeMs: issued.lifetimeMs,
    scopes: issued.scopes ?? before?.scopes ?? context.provider.scopes,
    receivedAtMs: clock.nowMs(),
    revision: randomText(crypto),
    receivedMonotonicMs: clock.monotonicMs(),
    storedRevision: before?.storedRevision ?? null,
    saveAgainAtMs: null,
  };
}

/** What the store holds now. A store that cannot be read says nothing about the session in memory. */
export async function peek(context: Context): Promise<StoredSession | null | 'unreadable'> {
  try {
    return await context.store.load();
  } catch {
    return 'unreadable';
  }
}

/**
 * Saves renewed tokens and only then gives them out, so that no other process is left with a spent refresh
 * token. When the store fails they are kept in memory and saved later: a rotated token must not be lost.
 *
 * Compares before it replaces: whatever another process has stored since `before` wins.
 */
export async function keep(
  context: Context,
  renewed: HeldSession,
  before: HeldSession | null,
): Promise<void> {
  const { store, host, generation, endpoint } = context;
  const isLate = () => context.generation !== generation;
  const stored = await peek(context);
  if (isLate()) return endpoint.revoke(renewed);
  if (wasReplaced(context, stored, before)) {
    context.held = stored === 'unreadable' ? null : stored && fromStore(stored);
    return context.held ? undefined : endpoint.revoke(renewed);
  }
  let saved: Pick<HeldSession, 'saveAgainAtMs' | 'storedRevision'>;
  try {
    await store.save(renewed);
    saved = { saveAgainAtMs: null, storedRevision: renewed.revision };
  } catch {
    saved = {
      saveAgainAtMs: host.clock.monotonicMs() + SAVE_AGAIN_MS,
      storedRevision: before?.storedRevision ?? null,
    };
  }
  if (isLate()) return endpoint.revoke(renewed);
  context.held = { ...renewed, ...saved };
}

/** Whether another process signed in, renewed or signed out since we last looked. */
export function wasReplaced(
  { provider }: Context,
  stored: StoredSession | null | 'unreadable',
  before: HeldSession | null,
): boolean {
  if (stored === 'unreadable') return false;
  const known = before?.storedRevision ?? null;
  // Without a user nobody signs out: an emptied store only means that a token must be asked for.
  if (stored === null) return known !== null && provider.grant !== 'client_credentials';
  return stored.revision !== known;
}
