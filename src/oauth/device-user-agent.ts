import { MortiseError, isMortiseError } from '../errors.js';
import type { DeviceCode, DeviceTools, RedirectOutcome, UserAgent } from '../ports/index.js';
import { isSecure, parseUrl } from './endpoint.js';
import { isToken } from './token-response.js';

/** @module The device authorization grant, RFC 8628: the user answers in a browser on any other device. */

/** Section 3.2: what the client waits between two requests, unless the server says otherwise. */
const USUAL_INTERVAL_MS = 5_000;
/** Section 3.5: added for each `slow_down`. */
const SLOW_DOWN_MS = 5_000;
/** While the server cannot be reached. */
const LONGEST_BACKOFF_MS = 60_000;
/** What a person can type, and nothing that changes how the rest of the line is shown. */
const USER_CODE = /^[\p{L}\p{N}\p{P}\p{S} ]{1,64}$/u;

export interface DeviceUserAgentOptions {
  /** Told the code once; the session's state shows it, too. */
  readonly show?: (code: DeviceCode) => void;
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
        answer: async () => {
          show?.(code);
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

/** @see RFC 8628 sections 3.2 and 5.4 */
function readDeviceAnswer(body: Readonly<Record<string, unknown>>): DeviceAnswer {
  const { device_code, user_code, verification_uri, verification_uri_complete } = body;
  const fail = (problem: string) => new MortiseError('malformed_response', { problem });
  const address = (value: unknown) => {
    const url = typeof value === 'string' ? parseUrl(value) : undefined;
    return url && isSecure(url) && !url.username && !url.password ? url : undefined;
  };
  const uri = address(verification_uri);
  const complete = address(verification_uri_complete);
  const expiresInMs = Number(body['expires_in']) * 1_000;
  const intervalMs = Number(body['interval'] ?? NaN) * 1_000;
  if (!isToken(device_code)) throw fail('it holds no usable device code');
  if (typeof user_code !== 'string' || !USER_CODE.test(user_code)) {
    throw fail('its user code cannot be shown');
  }
  if (!uri) throw fail('its verification address is not https');
  if (!(expiresInMs > 0)) throw fail('its codes have no lifetime');
  return {
    deviceCode: device_code,
    userCode: user_code,
    verificationUri: uri.href,
    // Another server's page is no shortcut to this one's.
    verificationUriComplete: complete?.origin === uri.origin ? complete.href : null,
    expiresInMs,
    intervalMs: intervalMs > 0 ? intervalMs : USUAL_INTERVAL_MS,
  };
}

/** Asks until the user has answered; the sign-in's own time limit ends it. @see RFC 8628 section 3.5 */
async function poll(
  device: DeviceTools,
  { deviceCode, expiresInMs, intervalMs: givenMs }: DeviceAnswer,
): Promise<RedirectOutcome> {
  let intervalMs = givenMs;
  let failures = 0;
  for (;;) {
    const backoffMs = Math.min(intervalMs * 2 ** failures, LONGEST_BACKOFF_MS);
    await device.wait(Math.max(intervalMs, backoffMs));
    try {
      return await device.redeem(deviceCode);
    } catch (error) {
      if (!isMortiseError(error)) throw error;
      const { error: said } = error.details as { error?: string };
      if (said === 'expired_token') {
        throw new MortiseError('sign_in_timeout', { timeoutMs: expiresInMs });
      }
      if (said === 'slow_down') intervalMs += SLOW_DOWN_MS;
      if (said === 'authorization_pending' || said === 'slow_down') failures = 0;
      else if (error.retryable) failures += 1;
      else throw error;
    }
  }
}
