import type { MortiseError } from '../errors.js';

/**
 * What redirect URIs the authorization server accepts (RFC 8252 section 7.3): any port or certain ports
 * of one loopback host and path, or exact URIs of which the first that can be had is used.
 */
export type RedirectRule =
  | {
      readonly loopback: '127.0.0.1' | 'localhost';
      /** Empty, or beginning with a slash. Sent exactly so. */
      readonly path: string;
      readonly ports: 'any' | readonly number[];
    }
  | readonly string[];

/** What became of one redirect, so that whoever caught it can tell the user. */
export type RedirectOutcome =
  /** Not an answer to this sign-in, which goes on waiting. */
  | { readonly kind: 'ignored' }
  /** The tokens are in the store. */
  | { readonly kind: 'signedIn' }
  | { readonly kind: 'failed'; readonly error: MortiseError };

/** Where the user answers on any device, and what to type there (RFC 8628 section 3.2). */
export interface DeviceCode {
  readonly userCode: string;
  readonly verificationUri: string;
  /** The same with the code in it, for a link or a QR code. The user compares the code all the same. */
  readonly verificationUriComplete: string | null;
  readonly expiresInMs: number;
}

/** What the core lends for a sign-in of which nothing comes back to this machine. The tokens stay in the core. */
export interface DeviceTools {
  /** The answer to a device authorization request, as it came. @throws {MortiseError} */
  begin(): Promise<Readonly<Record<string, unknown>>>;
  /** One token request. @throws {MortiseError} Also while the user has not answered (RFC 8628 section 3.5). */
  redeem(deviceCode: string): Promise<RedirectOutcome>;
  /** @throws {MortiseError} When the sign-in is over. */
  wait(ms: number): Promise<void>;
}

export interface VisitRequest {
  readonly device: DeviceTools;
  readonly redirect: RedirectRule;
  /** Aborted when the sign-in is over. Whatever `open` holds by then is freed. */
  readonly signal: AbortSignal;
  /**
   * Takes every redirect exactly as it arrived, unvalidated, any number of times. Never rejects.
   * Resolves late: after the code exchange.
   */
  readonly onRedirect: (redirectUrl: string) => Promise<RedirectOutcome>;
  /**
   * What became of the window, where that can be seen: `lost` when it cannot be seen any more and may still
   * bring the answer, `closed` when the user has certainly left it, which ends the sign-in.
   */
  readonly onWindow: (fate: 'lost' | 'closed') => void;
}

/**
 * Shows the authorization server to the user and catches the redirect (RFC 8252 section 3: the
 * "external" or "embedded" user-agent). Not the HTTP header.
 */
export interface UserAgent {
  /**
   * Opens a window, which a browser allows inside the user's click alone. Holds nothing that another visit could need, so
   * it is not kept waiting for the sign-in that gives way to this one.
   */
  readonly needsClick?: true;
  /**
   * Reserves a place for the redirect to land. Called inside the user's click, before anything
   * asynchronous.
   *
   * @throws {MortiseError} Such as `redirect_port_in_use`; sign-in then tries the host's next user agent.
   */
  open(request: VisitRequest): Promise<UserAgentVisit | DeviceVisit>;
}

/** One that catches a redirect, or lets the user bring it. */
export interface RedirectUserAgent extends UserAgent {
  open(request: Omit<VisitRequest, 'device'>): Promise<UserAgentVisit>;
}

/** The user answers elsewhere. */
export interface DeviceVisit {
  readonly code: DeviceCode;
  /** Settles with the sign-in. */
  answer(): Promise<RedirectOutcome>;
}

/** One trip of the user to the authorization server. */
export interface UserAgentVisit {
  /** Exactly the text to send as `redirect_uri`, port included. */
  readonly redirectUri: string;
  /** `paste` where nothing comes back by itself: the user is asked for the address the browser ends on. */
  readonly answerBy?: 'paste';
  /**
   * Shows the page; resolves when it was handed over, not when the user is done. A rejection says that
   * nothing could be shown: the host's next user agent is asked, and where there is none the visit stays open,
   * since the address can still be opened by hand.
   */
  navigate(authorizationUrl: string): Promise<void>;
  /** Frees port, window and listeners within a second. Safe to call twice. Never rejects. */
  close(): Promise<void>;
}
