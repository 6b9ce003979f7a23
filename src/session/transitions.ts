import type { StateName } from './state.js';

export type EventName =
  | 'restoreRequested'
  | 'sessionFound'
  | 'sessionAbsent'
  | 'storeFailed'
  | 'signInRequested'
  | 'signInRestarted'
  | 'addressReady'
  | 'windowLost'
  | 'redirectReceived'
  | 'codeRefused'
  | 'signInFailed'
  | 'sessionKept'
  | 'tokensRequested'
  | 'tokensIssued'
  | 'refreshDue'
  | 'refreshFailed'
  | 'grantRejected'
  | 'sessionGone'
  | 'sessionRenewed'
  | 'saved'
  | 'userChanged'
  | 'signOutRequested'
  | 'signOutCompleted';

export type Transitions = {
  readonly [S in StateName]: { readonly [E in EventName]?: StateName };
};

/**
 * The whole machine. An event without a cell is dropped, on purpose: `sessionFound` is absent from
 * `authorizing`, because a slow store that answers after the user clicked must not win.
 */
// prettier-ignore
export const TRANSITIONS: Transitions = {
  idle:        { restoreRequested: 'restoring', signInRequested: 'authorizing', signOutRequested: 'signingOut' },
  restoring:   { sessionFound: 'signedIn', sessionAbsent: 'signedOut', storeFailed: 'idle',
                 signInRequested: 'authorizing', signOutRequested: 'signingOut' },
  signedOut:   { signInRequested: 'authorizing', sessionFound: 'signedIn', tokensRequested: 'exchanging' },
  authorizing: { addressReady: 'authorizing', windowLost: 'authorizing', signInRestarted: 'authorizing',
                 redirectReceived: 'exchanging', signInFailed: 'signedOut', sessionKept: 'signedIn',
                 signOutRequested: 'signingOut' },
  exchanging:  { tokensIssued: 'signedIn', signInFailed: 'signedOut', sessionKept: 'signedIn',
                 signInRestarted: 'authorizing', codeRefused: 'authorizing', signOutRequested: 'signingOut' },
  signedIn:    { refreshDue: 'refreshing', signInRequested: 'authorizing', signOutRequested: 'signingOut',
                 sessionRenewed: 'signedIn', sessionGone: 'signedOut', saved: 'signedIn', userChanged: 'signedIn' },
  refreshing:  { tokensIssued: 'signedIn', refreshFailed: 'degraded', grantRejected: 'signedOut',
                 sessionGone: 'signedOut', sessionKept: 'signedIn', signInRequested: 'authorizing', signOutRequested: 'signingOut' },
  degraded:    { refreshDue: 'refreshing', signInRequested: 'authorizing', signOutRequested: 'signingOut',
                 sessionRenewed: 'signedIn', sessionGone: 'signedOut', saved: 'degraded', userChanged: 'degraded' },
  signingOut:  { signOutCompleted: 'signedOut' },
};
