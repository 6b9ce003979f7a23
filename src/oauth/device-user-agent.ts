import { MortiseError, isMortiseError } from '../errors.js';
import type { DeviceCode, DeviceTools, RedirectOutcome, UserAgent } from '../ports/index.js';
import { isSecure, parseUrl } from './endpoint.js';
import { isToken } from './token-response.js';

/** @module The device authorization grant, RFC 8628: the user answers in a browser on any other device. */

/** Section 3.2: what the client waits between two requests, unless the server says otherwise. */
const USUAL_INTERVAL_MS = 5_000;
/** A server that wants to be asked more often than this has mistaken the unit. */
const SHORTEST_INTERVAL_MS = 1_000;
/** Section 3.5: added for each `slow_down`. */
const SLOW_DOWN_MS = 5_000;
/** While the server cannot be reached. */
const LONGEST_BACKOFF_MS = 60_000;
/** Answers that are none of an OAuth server, with none in between: a network's sign-in page goes away sooner. */
const MAX_UNREADABLE = 5;
/** What a person can type on any keyboard (section 6.1), and nothing that changes how the line is shown. */
const USER_CODE = /^[!-~](?:[ -~]{0,62}[!-~])?$/;
const MAX_ADDRESS_LENGTH = 2_000;

export interface DeviceUserAgentOptions {
  /** Told the code once; the session's state shows it, too, so nothing is over should this fail. */
  readonly show?: (code: DeviceCode) => unknown;
}

/**
 * For machines that no redirect can come back to: remote desktops, locked-down workstations, headless servers.
 * Can be used where the server has a device authorization endpoint; elsewhere the host's next user agent is asked.
 */
export function deviceUserAgent({ show }: DeviceUserAgentOptions = {}): UserAgent {
  return {
    async open({ device }) {
      const answer = readDeviceAnswer(await device.begin());
      const { deviceCode, intervalMs, ...code } = answer;
      return {
        code,
        answer() {
          // An unhandled rejection would end the host application.
          void Promise.resolve(code)
            .then(show)
            .catch(() => {});
          return poll(device, answer);
        },
      };
    },
  };
}

interface DeviceAnswer extends DeviceCode {
  readonly deviceCode: string;
  readonly intervalMs: number;
}

const readSeconds = (value: unknown): number =>
  /^(number|string)$/.test(typeof value) && value !== '' ? Number(value) * 1_000 : NaN;

/** A fragment is allowed: there are servers whose page is one of an app behind it. */
function readAddress(value: unknown): URL | undefined {
  if (typeof value !== 'string' || value.length > MAX_ADDRESS_LENGTH) return undefined;
  const url = parseUrl(value);
  const place = parseUrl(value.replace(/#.*/s, ''));
  return place && isSecure(place) ? url : undefined;
}

/** @see RFC 8628 sections 3.2 and 5.4 */
function readDeviceAnswer(body: Readonly<Record<string, unknown>>): DeviceAnswer {
  const { device_code, user_code, verification_uri, verification_uri_complete } = body;
  const fail = (problem: string) => new MortiseError('malformed_response', { problem });
  const uri = readAddress(verification_uri);
  const complete = readAddress(verification_uri_complete);
  const expiresInMs = readSeconds(body['expires_in']);
  const intervalMs = readSeconds(body['interval']);
  if (!isToken(device_code)) throw fail('it holds no usable device code');
  if (typeof user_code !== 'string' || !USER_CODE.test(user_code)) {
    throw fail('its user code cannot be shown');
  }
  if (!uri) throw fail('its verification address is not https');
  if (!(expiresInMs > 0 && expiresInMs < Infinity)) throw fail('its codes have no lifetime');
  return {
    deviceCode: device_code,
    userCode: user_code,
    verificationUri: uri.href,
    // Another server's page is no shortcut to this one's.
    verificationUriComplete: complete?.origin === uri.origin ? complete.href : null,
    expiresInMs,
    intervalMs: intervalMs > 0 ? Math.max(intervalMs, SHORTEST_INTERVAL_MS) : USUAL_INTERVAL_MS,
  };
}

/** What a failed request says about the next one. */
function readFailure({ code, retryable, details }: MortiseError) {
  const { error: said, status } = details as { error?: string; status?: number };
  if (code === 'oauth_error' && said === 'expired_token') return 'expired';
  if (code === 'oauth_error' && said === 'authorization_pending') return 'pending';
  if (said === 'slow_down' || status === 429) return 'slowDown';
  if (retryable) return 'unreachable';
  const isUnreadable =
    code === 'malformed_response' || code === 'http_error' || (code === 'oauth_error' && !said);
  return isUnreadable ? 'unreadable' : 'over';
}

/** Asks until the user has answered; the sign-in's own time limit ends it. @see RFC 8628 section 3.5 */
async function poll(
  device: DeviceTools,
  { deviceCode, expiresInMs, intervalMs: givenMs }: DeviceAnswer,
): Promise<RedirectOutcome> {
  let intervalMs = givenMs;
  let waitMs = intervalMs;
  let failures = 0;
  let unreadable: MortiseError[] = [];
  for (;;) {
    await device.wait(waitMs);
    try {
      return await device.redeem(deviceCode);
    } catch (error) {
      if (!isMortiseError(error)) throw error;
      const meaning = readFailure(error);
      if (meaning === 'expired') {
        throw new MortiseError('sign_in_timeout', { timeoutMs: expiresInMs });
      }
      // The code was good once: what could not be read may have been the tokens.
      if (meaning === 'over') throw (error.code === 'invalid_grant' && unreadable[0]) || error;
      const hasAnswered = meaning === 'pending' || meaning === 'slowDown';
      failures = hasAnswered ? 0 : failures + 1;
      if (hasAnswered) unreadable = [];
      if (meaning === 'unreadable') unreadable = [...unreadable, error];
      if (unreadable.length === MAX_UNREADABLE) throw error;
      if (meaning === 'slowDown') intervalMs += SLOW_DOWN_MS;
      const backoffMs = Math.min(intervalMs * 2 ** failures, LONGEST_BACKOFF_MS);
      const { retryAfterMs } = error.details as { retryAfterMs?: number | null };
      waitMs = Math.max(intervalMs, backoffMs, retryAfterMs ?? 0);
    }
  }
}
