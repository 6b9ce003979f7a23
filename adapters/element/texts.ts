import type { ErrorCode } from '../../src/errors.js';

/** Every word the element says. `{time}` and `{user}` are filled in. */
export interface Texts {
  /** What the whole is called, for those who do not see it. */
  readonly label: string;
  readonly signIn: string;
  readonly signOut: string;
  readonly cancel: string;
  readonly tryAgain: string;
  readonly openPage: string;
  readonly send: string;
  readonly restoring: string;
  readonly signedOut: string;
  readonly rejected: string;
  readonly damaged: string;
  readonly preparing: string;
  readonly waiting: string;
  readonly lost: string;
  readonly openYourself: string;
  readonly paste: string;
  readonly pasteLabel: string;
  readonly device: string;
  readonly deviceCode: string;
  readonly timeLeft: string;
  readonly exchanging: string;
  readonly signedIn: string;
  readonly signedInAs: string;
  readonly degraded: string;
  readonly unsaved: string;
  readonly userChanged: string;
  readonly pkceNotChecked: string;
  readonly signingOut: string;
  /** Said of a failure that has no words below; its code follows in brackets. */
  readonly failed: string;
  /** What happened, by error code. */
  readonly problems: Readonly<Partial<Record<ErrorCode, string>>>;
  /** What the user can do, by error code. Left out, the error's own hint, which is English. */
  readonly hints: Readonly<Partial<Record<ErrorCode, string>>>;
}

export const ENGLISH: Texts = {
  label: 'Sign-in',
  signIn: 'Sign in',
  signOut: 'Sign out',
  cancel: 'Cancel',
  tryAgain: 'Try again',
  openPage: 'Open the sign-in page',
  send: 'Continue',
  restoring: 'One moment…',
  signedOut: 'You are not signed in.',
  rejected: 'Your sign-in has ended.',
  damaged: 'Your saved sign-in could not be read.',
  preparing: 'Preparing the sign-in…',
  waiting: 'Continue in the window that has opened.',
  lost: 'Continue in the other window. If there is none, open the page by the link.',
  openYourself: 'Open the sign-in page by the link.',
  paste:
    'Sign in on the page behind the link. Then copy the address it ends on, and paste it here.',
  pasteLabel: 'Address or code',
  device: 'Open this address on any device, and enter the code.',
  deviceCode: 'Code',
  timeLeft: '{time} left',
  exchanging: 'Signing in…',
  signedIn: 'You are signed in.',
  signedInAs: 'Signed in as {user}',
  degraded: 'Not connected. You are still signed in.',
  unsaved:
    'Your sign-in could not be saved. Should this program close now, you have to sign in again.',
  userChanged: 'This is not the user who signed in.',
  pkceNotChecked: 'This server does not say that it guards sign-ins against interception.',
  signingOut: 'Signing out…',
  failed: 'This did not work.',
  problems: {
    sign_in_cancelled: 'The sign-in was cancelled.',
    sign_in_timeout: 'The sign-in took too long.',
    access_denied: 'Access was not allowed.',
    popup_blocked: 'The browser has blocked the sign-in window.',
    browser_not_opened: 'No browser could be opened.',
    redirect_port_in_use: 'Another program is in the way of the sign-in.',
    malformed_response: 'The answer could not be understood.',
    invalid_grant: 'The server did not accept the answer.',
    network_error: 'The server cannot be reached.',
    timeout: 'The server did not answer in time.',
    rate_limited: 'The server is busy.',
    store_unavailable: 'The sign-in cannot be saved.',
    store_damaged: 'The saved sign-in could not be read.',
    bridge_unavailable: 'The program around this panel does not answer.',
  },
  hints: {},
};

/** Written as text, so nothing of a name can become anything else. */
export const fill = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
