import type { SignedOutReason } from '../errors.js';
import type { DeviceCode } from '../ports/index.js';

/** What a user should be told of a session that is there. Absent when there is nothing to tell. */
export interface Notices {
  /** The store does not have the latest tokens: should the process end now, the user is signed out. */
  readonly unsaved?: true;
  /** The platform says that this is another user or organization than the one that signed in. */
  readonly userChanged?: true;
}

/** Where a session is. Never holds a token, code, verifier or client secret. */
export type SessionState =
  /** The store was not read yet. */
  | { readonly name: 'idle' }
  | { readonly name: 'restoring' }
  | { readonly name: 'signedOut'; readonly reason: SignedOutReason }
  | {
      readonly name: 'authorizing';
      readonly startedAtMs: number;
      /** When the sign-in gives up waiting. */
      readonly expiresAtMs: number;
      /** `lost` when the user may not see the page: offer `authorizationUrl` to copy. */
      readonly window: 'open' | 'lost';
      /** `null` for the moment it takes to make it. */
      readonly authorizationUrl: string | null;
      /** Redirects that were no answer to this sign-in: a stray tab, or somebody trying. */
      readonly ignoredRedirects: number;
      /** Set where the user answers on any device: show both address and code. */
      readonly device?: Readonly<Omit<DeviceCode, 'expiresInMs'>>;
      /** Set where nothing comes back by itself: ask for the address the browser ends on, for `completeSignIn`. */
      readonly answerBy?: 'paste';
      /** Set where nothing says that the server compares the PKCE verifier: tell the user. */
      readonly weakness?: 'pkce_not_checked';
    }
  /** The code is being exchanged. */
  | { readonly name: 'exchanging' }
  | ({
      readonly name: 'signedIn';
      /** `null` when the server gave no usable lifetime. */
      readonly expiresAtMs: number | null;
      readonly scopes: readonly string[];
    } & Notices)
  | { readonly name: 'refreshing' }
  /** Still signed in, but the last refresh did not get through. */
  | ({ readonly name: 'degraded'; readonly retryAtMs: number } & Notices)
  | { readonly name: 'signingOut' };

export type StateName = SessionState['name'];

export type AuthorizingState = Extract<SessionState, { name: 'authorizing' }>;
