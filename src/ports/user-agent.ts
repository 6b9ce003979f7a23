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

export interface VisitRequest {
  readonly redirect: RedirectRule;
  /** Aborted when the sign-in is over. Whatever `open` holds by then is freed. */
  readonly signal: AbortSignal;
  /**
   * Takes every redirect exactly as it arrived, unvalidated, any number of times. Never rejects.
   * Resolves late: after the code exchange.
   */
  readonly onRedirect: (redirectUrl: string) => Promise<RedirectOutcome>;
}

/**
 * Shows the authorization server to the user and catches the redirect (RFC 8252 section 3: the
 * "external" or "embedded" user-agent). Not the HTTP header.
 */
export interface UserAgent {
  /**
   * Reserves a place for the redirect to land. Called inside the user's click, before anything
   * asynchronous.
   *
   * @throws {MortiseError} Such as `redirect_port_in_use`; sign-in then tries the host's next user agent.
   */
  open(request: VisitRequest): Promise<UserAgentVisit>;
}

/** One trip of the user to the authorization server. */
export interface UserAgentVisit {
  /** Exactly the text to send as `redirect_uri`, port included. */
  readonly redirectUri: string;
  /**
   * Shows the page; resolves when it was handed over, not when the user is done. A rejection says that
   * nothing could be shown; the visit stays open, since the address can still be opened by hand.
   */
  navigate(authorizationUrl: string): Promise<void>;
  /** Frees port, window and listeners within a second. Safe to call twice. Never rejects. */
  close(): Promise<void>;
}
