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

/** What is wrong in a file, where, and what to do about it. */
export interface ConfigurationProblem {
  /** Such as `integrations[1].options.clientId`. */
  readonly path: string;
  readonly problem: string;
  readonly remedy: string;
}

/**
 * What keeps a store from being used: no keychain there, one that is locked, does not answer, refuses or has
 * lost what it was given; a folder that cannot be used, or a full disk.
 */
export type StoreProblem =
  'absent' | 'locked' | 'timeout' | 'refused' | 'reset' | 'unwritable' | 'full';

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
  /** `messages` are the server's, each printable and at most 200 characters. */
  graphql_error: { readonly codes: readonly string[]; readonly messages: readonly string[] };
  rate_limited: { readonly status: number; readonly retryAfterMs: number | null };
  http_error: OAuthRefusal & { readonly status: number };
  insufficient_scope: { readonly status: number; readonly scope: string | null };
  /** `warnings` are the server's own, where it gave an empty list and said why. */
  forbidden: OAuthRefusal & { readonly status: number; readonly warnings?: readonly string[] };
  api_url_untrusted: { readonly host: string };
  store_unavailable: { readonly problem?: StoreProblem };
  store_damaged: None;
  integration_unknown: { readonly integration: string };
  integration_not_assigned: { readonly integration: string; readonly plugin: string };
  discovery_failed: { readonly issuer: string; readonly problem: string; readonly status?: number };
  /** `problems` where a file of an administrator's was read. */
  configuration_error: {
    readonly problem: string;
    readonly problems?: readonly ConfigurationProblem[];
  };
  bridge_unavailable: { readonly problem: string };
  aborted: None;
}

export type ErrorCode = keyof ErrorDetails;

const ASK_AUTHOR = 'Tell the plug-in’s author.';
const ASK_ADMIN = 'Ask your administrator.';

/** For each code, what the person in front of the screen can do. The message is the code in words. */
const HINTS: Readonly<Record<ErrorCode, string>> = {
  sign_in_required: 'Sign in.',
  sign_in_cancelled: 'Sign in again when you are ready.',
  sign_in_timeout: 'Sign in again.',
  access_denied: 'Sign in again and choose Allow.',
  redirect_port_in_use: 'Close the program that uses the port, or wait for another sign-in to end.',
  browser_not_opened: 'Copy the sign-in address into a browser.',
  popup_blocked: 'Allow pop-ups for this page.',
  issuer_mismatch: ASK_AUTHOR,
  malformed_response: 'Check that no proxy or network sign-in page is in the way.',
  invalid_grant: 'Sign in again.',
  invalid_client: 'Check the client ID and secret.',
  oauth_error: 'Check the plug-in’s settings at the platform.',
  network_error: 'Check the network connection and proxy.',
  timeout: 'Try again.',
  graphql_error: ASK_AUTHOR,
  rate_limited: 'Wait, then try again.',
  http_error: 'Try again later.',
  insufficient_scope: 'Sign in again and allow what is asked.',
  forbidden: ASK_ADMIN,
  api_url_untrusted: ASK_AUTHOR,
  store_unavailable: 'Check the disk and its permissions, or unlock the keychain.',
  store_damaged: 'Sign in again.',
  integration_unknown: ASK_ADMIN,
  integration_not_assigned: ASK_ADMIN,
  discovery_failed: 'Check the server’s address.',
  configuration_error: ASK_AUTHOR,
  bridge_unavailable: 'Restart the panel.',
  aborted: 'Try again.',
};

/** What may pass by itself, or by the user's next try. */
const RETRYABLE =
  /^(sign_in_(cancelled|timeout)|redirect_port|browser|popup|network|timeout|rate|store_un|aborted)/;

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

  constructor(
    code: C,
    details: ErrorDetails[C],
    { hint, retryable, cause }: MortiseErrorOptions = {},
  ) {
    const { problem, integration, scope, ports, status } = details as Partial<
      Record<'problem' | 'integration' | 'scope' | 'ports' | 'status', unknown>
    >;
    const about = problem ?? integration ?? scope ?? ports ?? status ?? '';
    super(code.replace(/_/g, ' ') + (about && `: ${about}`), cause && { cause });
    this.code = code;
    this.hint = hint ?? HINTS[code];
    this.retryable = retryable ?? RETRYABLE.test(code);
    // Shown to everybody who waited: nobody is to change what the others are told.
    this.details = details;
    Object.freeze(details);
  }
}

/** An author's mistake, told when it is made. */
export const misconfigured = (problem: string): MortiseError<'configuration_error'> =>
  new MortiseError('configuration_error', { problem });

/** Switch over `code` and `details` narrows with it. */
export type AnyMortiseError = { [C in ErrorCode]: MortiseError<C> }[ErrorCode];

/** Holds across realms and duplicate copies of this package, where `instanceof` does not. */
export function isMortiseError(error: unknown): error is AnyMortiseError {
  try {
    const { name, code } = Object(error) as { name?: unknown; code?: unknown };
    return name === 'MortiseError' && (Object.keys(HINTS) as unknown[]).includes(code);
  } catch {
    return false; // A getter or a proxy that throws is none of ours.
  }
}

/** What a part lent by the host throws may say anything; only errors of ours are passed on. */
export const ourError = (error: unknown): AnyMortiseError =>
  isMortiseError(error)
    ? error
    : new MortiseError('configuration_error', { problem: 'a part lent by the host failed' });
