import type { MortiseError, SignedOutReason } from '../errors.js';
import type { InFlight } from '../http/guard.js';
import type { Provider } from '../oauth/provider.js';
import type { Host, Lock, RedirectOutcome } from '../ports/index.js';
import type { Machine } from './machine.js';
import type { StoredSession } from './record.js';
import type { SessionStore } from './session-store.js';
import type { TokenEndpoint } from './token-endpoint.js';

/** The tokens in use, and what only this process knows of them. */
export interface HeldSession extends StoredSession {
  /** When they arrived by the clock that nobody sets; `null` for those read from the store. */
  readonly receivedMonotonicMs: number | null;
  /** When the store was seen to hold them, or they were given to us, by both clocks. */
  readonly seenAtMs: number;
  readonly seenMonotonicMs: number;
  /** What the store held when we last looked: a save compares with it before it replaces. */
  readonly storedRevision: string | null;
  /** Set while the store does not have them: why, and when to try to save them again (monotonic). */
  readonly unsaved: { readonly error: MortiseError; readonly againAtMs: number } | null;
}

/** A token for fewer scopes. It is held in memory only: it can be had again. */
export interface NarrowedToken extends TokenLife {
  readonly accessToken: string;
  /** Whose it is: the `accountNumber` at that time. */
  readonly account: number;
}

/** When a token was issued, by two clocks, and how long it lives. */
export type TokenLife = Pick<HeldSession, 'lifetimeMs' | 'receivedAtMs' | 'receivedMonotonicMs'>;

/** One renewal of the tokens, or of a token for fewer scopes: each spends the refresh token. */
export interface Renewal {
  /** Those of a token for fewer scopes, joined by blanks. */
  readonly scope: string | undefined;
  /** Only saves tokens that the store did not take. */
  readonly isSave: boolean;
  readonly done: Promise<void>;
}

/** One sign-in, from the click to the tokens or the failure. */
export interface Attempt {
  /** Settles once, when port and window are free again. */
  readonly done: Promise<void>;
  /** Takes a redirect as it came, or what the user pasted. */
  receive(answer: { redirectUrl: string } | { pasted: string }): Promise<RedirectOutcome>;
  end(error: MortiseError): void;
}

/** Changes when the account may be another one. */
export const accountNumber = ({ generation, foreignSignIns }: Context): number =>
  generation + foreignSignIns;

/** In place of the revision of a record that was damaged: whatever is there later is another. */
export const DAMAGED = '!';

/** In place of a record that could not be read. */
export const EVERYTHING = '*';

/** What the parts of one session share. */
export interface Context {
  readonly host: Host;
  readonly provider: Provider;
  readonly machine: Machine;
  readonly lock: Lock;
  readonly store: SessionStore;
  readonly endpoint: TokenEndpoint;
  readonly inFlight: InFlight;
  /** The account's name in the store, and of its lock. */
  readonly key: string;
  /** The account's name as its author gave it. */
  readonly account: string;
  held: HeldSession | null;
  reason: SignedOutReason;
  /** Counts sign-ins and sign-outs: an answer asked for under an earlier number is too late. */
  generation: number;
  attempt: Attempt | null;
  restored: Promise<void> | null;
  renewing: Renewal | null;
  /** By their `scope`. */
  readonly narrowed: Map<string, NarrowedToken>;
  /** Why there is no token for a `scope`: asking again would only spend another refresh token. */
  readonly unobtainable: Map<string, MortiseError>;
  /** Our own renewal holds the lock, rather than waiting for it. */
  hasLock: boolean;
  /** A sign-out that removes under that lock: it is given back after both. */
  removing: Promise<unknown>;
  /** Failed refreshes in a row. */
  failures: number;
  /** The server asked to be left alone until then (monotonic). */
  pause: { readonly untilMs: number; readonly error: MortiseError } | null;
  /** Called when nothing is under way any more. */
  atRest: () => void;
  /** Ends what would save the tokens later. */
  stopSaving: () => void;
  signingOut: Promise<void> | null;
  /** What was signed out of or refused: should its removal have failed, it is not taken up again. */
  forgotten: Pick<StoredSession, 'signInId' | 'revision'> | typeof EVERYTHING | null;
  /** Counts the sign-ins of other processes that were taken over: another user may live in another region. */
  foreignSignIns: number;
  /** Who signed in here, as a digest. `null` until the platform has said so. */
  identity: string | null;
  /** Notes who that is, with the tokens. */
  noting: Promise<void>;
  /** The platform has named somebody else since. */
  isUserChanged: boolean;
  /** Whether the last lock was had; `null` until one was needed. */
  hadLock: boolean | null;
  /** Counts what `generation` cannot yet: a sign-out that still reads the store to know whom it signs out. */
  signOuts: number;
  /** Sign-ins that are over but still hold a port or a window: the next one opens after them. */
  leaving: Promise<void> | null;
}

/** The next sign-in opens after this one, and after those before it. */
export function leaveAfter(context: Context, done: Promise<void>): void {
  const leaving: Promise<void> = Promise.allSettled([context.leaving, done]).then(() => {
    if (context.leaving === leaving) context.leaving = null;
  });
  context.leaving = leaving;
}
