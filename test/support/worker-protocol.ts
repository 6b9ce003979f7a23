// What a test and its worker processes say to each other: one JSON object a line.
import type { ErrorCode, EventName, SessionState, SignedOutReason, StateName } from 'mortise';
import type { DiscoveredOptions, FixedOptions } from '../../src/providers/oauth.js';

/** The instants of a refresh and its save at which a process can be told to die or to stand still. */
export type Instant =
  /** It has the lock, and has looked at nothing yet. */
  | 'locked'
  | 'before send'
  /** The server has answered, and nothing is stored yet. */
  | 'after the answer'
  | 'mid write'
  | 'before rename'
  | 'after rename'
  | 'before unlock';

export interface Opening {
  readonly directory: string;
  readonly provider: DiscoveredOptions | FixedOptions;
  /** How much faster waiting goes for this process: its timers, and the clock that nobody sets. */
  readonly speed?: number;
}

export type Command =
  | ({ readonly do: 'open' } & Opening)
  | { readonly do: 'restore' }
  /** So many times at once; `afterMs`: each by a timer of its own. */
  | {
      readonly do: 'getAccessToken';
      readonly minValidityMs?: number;
      readonly times?: number;
      readonly afterMs?: number;
    }
  /** Asks the API, which may refuse the token, and tells which token it took in the end. */
  | { readonly do: 'request'; readonly path?: string }
  | { readonly do: 'signOut' }
  | { readonly do: 'state' }
  | { readonly do: 'close' }
  /** At this instant, the next time: a line `reached`, and then what is said here. */
  | { readonly do: 'arm'; readonly at: Instant; readonly then: 'die' | 'stand still' }
  /** Writes one value after another under one key, telling of each that is durable, until it is killed. */
  | { readonly do: 'save for ever'; readonly directory: string; readonly from: number };

/** A token is told by its digest: see {@link Told}. */
export interface Answer {
  readonly token?: string;
  readonly state?: SessionState;
  readonly error?: {
    readonly code: ErrorCode | 'killed' | 'not ours';
    readonly reason?: SignedOutReason;
    readonly text: string;
  };
}

export interface Change {
  readonly from: StateName;
  readonly to: StateName;
  readonly event: EventName;
  readonly error?: ErrorCode;
  readonly state: SessionState;
}

export type Line =
  | { readonly ready: true }
  | ({ readonly id: number } & Answer)
  | { readonly change: Change }
  | { readonly reached: Instant }
  | { readonly saved: number };

/** What `save for ever` writes: long enough that a torn one would show. */
export const counterText = (value: number) => `${value} ${'x'.repeat(20_000)} ${value}`;
