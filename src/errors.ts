/** Why nobody is signed in. */
export type SignedOutReason = 'never' | 'signedOut' | 'rejected' | 'damaged';

/** A refusal in the words of RFC 6749 sections 4.1.2.1 and 5.2, as far as the server gave any. */
export interface OAuthRefusal {
  /** HTTP status, when the refusal was an HTTP response. */
  readonly status?: number;
  /** The wire's `error`, such as `invalid_scope`. */
  readonly error?: string;
  /** The wire's `error_description`: printable, at most 200 characters, secrets of the request removed. */
  readonly errorDescription?: string;
}

type None = Readonly<Record<string, never>>;

/** What each code carries. A new failure starts here; the compiler then asks for its text below. */
export interface ErrorDetails {
  sign_in_required: { readonly reason: SignedOutReason };
  sign_in_cancelled: None;
  sign_in_timeout: { readonly timeoutMs: number };
  access_denied: OAuthRefusal;
  redirect_port_in_use: { readonly ports: readonly number[] };
  browser_not_opened: None;
  popup_blocked: None;
  issuer_mismatch: { readonly expected: string; readonly received: string | null };
  /** `problem` names the rule that was broken, never what was received. */
  malformed_response: { readonly problem: string; readonly status?: number };
  invalid_grant: OAuthRefusal;
  invalid_client: OAuthRefusal;
  oauth_error: OAuthRefusal;
  network_error: { readonly host: string };
  timeout: { readonly host: string; readonly timeoutMs: number };
  graphql_error: { readonly codes: readonly string[] };
  rate_limited: { readonly status: number; readonly retryAfterMs: number | null };
  http_error: { readonly status: number };
  insufficient_scope: { readonly status: number; readonly scope: string | null };
  forbidden: { readonly status: number; readonly warnings?: readonly string[] };
  api_url_untrusted: { readonly host: string };
  store_unavailable: None;
  store_damaged: None;
  integration_unknown: { readonly integration: string };
  integration_not_assigned: { readonly integration: string; readonly plugin: string };
  discovery_failed: { readonly issuer: string; readonly problem: string; readonly status?: number };
  configuration_error: { readonly problem: string };
  bridge_unavailable: { readonly problem: string };
  aborted: None;
}

export type ErrorCode = keyof ErrorDetails;

/** For each code: what happened; what the person in front of the screen can do; may it pass by itself? */
const TEXT: Readonly<Record<ErrorCode, readonly [message: string, hint: string, retryable?: 1]>> = {
  sign_in_required: ['Nobody is signed in.', 'Sign in.'],
  sign_in_cancelled: ['The sign-in was cancelled.', 'Sign in again when you are ready.', 1],
  sign_in_timeout: ['The sign-in took too long.', 'Sign in again.', 1],
  access_denied: ['Access was denied.', 'Sign in again and choose Allow, or ask your administrator.'],
  redirect_port_in_use: [
    'Another program uses the sign-in port.',
    'Close other sign-ins or restart that program, then try again.',
    1,
  ],
  browser_not_opened: ['The browser did not open.', 'Copy the sign-in address into a browser.', 1],
  popup_blocked: ['The sign-in window was blocked.', 'Allow pop-ups for this page, then try again.', 1],
  issuer_mismatch: ['The answer came from another server.', 'Do not retry. Tell the plug-in’s author.'],
  malformed_response: ['The server’s answer is not valid.', 'Check that no network sign-in page or proxy is in the way.'],
  invalid_grant: ['The server refused the sign-in code.', 'Sign in again.'],
  invalid_client: ['The server does not accept this plug-in.', 'Check its client ID and secret.'],
  oauth_error: ['The server refused the request.', 'Check the plug-in’s settings at the platform.'],
  network_error: ['The server cannot be reached.', 'Check the network connection and proxy.', 1],
  timeout: ['The server did not answer in time.', 'Try again.', 1],
  graphql_error: ['The query failed.', 'Check the query and its variables.'],
  rate_limited: ['Too many requests.', 'Wait, then try again.', 1],
  http_error: ['The server answered with an error.', 'Try again later. If it stays, ask the platform’s support.'],
  insufficient_scope: ['A permission is missing.', 'Sign in again and allow what is asked.'],
  forbidden: ['Access to this is not allowed.', 'Ask your administrator for access.'],
  api_url_untrusted: ['The address is not one of this platform.', 'Do not retry. Tell the plug-in’s author.'],
  store_unavailable: ['The sign-in cannot be stored.', 'Check the disk, its permissions, or unlock the keychain.', 1],
  store_damaged: ['The stored sign-in is damaged.', 'Sign in again.'],
  integration_unknown: ['There is no such integration.', 'Check its name with your administrator.'],
  integration_not_assigned: ['This plug-in may not use the integration.', 'Ask your administrator to assign it.'],
  discovery_failed: ['The server’s description cannot be used.', 'Check the server’s address.'],
  configuration_error: ['The plug-in’s configuration is not valid.', 'Tell the plug-in’s author.'],
  bridge_unavailable: ['The host application does not answer.', 'Restart the panel.'],
  aborted: ['The operation was stopped.', 'Try again.', 1],
};

export interface MortiseErrorOptions {
  /** Replaces the code's own hint where the provider's documents know better. */
  readonly hint?: string | undefined;
  readonly retryable?: boolean;
  /** Only an error of this library: others may quote what they choked on, secrets included. */
  readonly cause?: MortiseError;
}

/**
 * The one error of this library. Switch on `code`; `details` is typed by it.
 *
 * Holds no token, code, verifier, secret, cookie, header or body, however it is printed.
 */
export class MortiseError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'MortiseError';
  readonly code: C;
  /** What the person in front of the screen can do. */
  readonly hint: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly details: ErrorDetails[C];

  constructor(code: C, details: ErrorDetails[C], { hint, retryable, cause }: MortiseErrorOptions = {}) {
    const [message, usualHint, passes] = TEXT[code];
    const problem = (details as { problem?: string }).problem;
    super(problem ? `${message} (${problem})` : message, cause && { cause });
    this.code = code;
    this.hint = hint ?? usualHint;
    this.retryable = retryable ?? !!passes;
    this.details = details;
  }
}

/** Switch over `code` and `details` narrows with it. */
export type AnyMortiseError = { [C in ErrorCode]: MortiseError<C> }[ErrorCode];

/** Holds across realms and duplicate copies of this package, where `instanceof` does not. */
export function isMortiseError(error: unknown): error is AnyMortiseError {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  return name === 'MortiseError' && typeof code === 'string' && Object.hasOwn(TEXT, code);
}
