import { sha256OfText } from './encoding.js';
import type { Grant, Issued } from './grants.js';
import type { Refused } from './message.js';

/** RFC 8628 section 3.4. */
export const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** How a fault changes what a device is told. */
export interface DevicePolicy {
  /** In seconds, of a device code. Default 600. */
  readonly deviceLifetimeS?: number;
  /** So many times a device is told to slow down, however slow it is. */
  readonly deviceSlowDowns?: number;
}

export interface DevicesOptions {
  /** Left out, time stands still, and no device can be too fast. */
  readonly nowMs: (() => number) | undefined;
  readonly policy: DevicePolicy;
  /** A text nobody else has. */
  readonly next: (kind: string) => string;
  readonly issue: (grant: Omit<Grant, 'family'>) => Issued;
}

/** What a device has asked for, as the page shows it. */
export interface DeviceRequest {
  readonly userCode: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

interface Waiting extends DeviceRequest {
  readonly expiresMs: number;
  /** What the user has said, if anything. */
  answer: Omit<Grant, 'family'> | 'denied' | null;
  polledMs: number;
  intervalMs: number;
  slowDownsLeft: number;
}

const LIFETIME_S = 600;
/** RFC 8628 sections 3.2 and 3.5. */
const INTERVAL_S = 5;
/** A timer may be early, and a clock coarse. */
const TOLERANCE_MS = 100;
/** RFC 8628 section 6.1: no vowels, so that no words come about. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';

const refused = (error: string, description: string): Refused => ({ error, description });

/** Eight letters, as hard to guess as the name is. */
function userCodeFrom(name: string): string {
  const letters = [...sha256OfText(name).subarray(0, 8)].map((byte) => LETTERS[byte % 20]).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** However a person types it. */
const normal = (typed: string) => typed.toUpperCase().replace(/[^A-Z0-9]/g, '');

/** The device authorization grant of one sandbox, RFC 8628. */
export function createDevices({ nowMs: clock, policy, next, issue }: DevicesOptions) {
  const nowMs = clock ?? (() => 0);
  const devices = new Map<string, Waiting>();
  const used = new Set<string>();

  const isOver = ({ expiresMs }: Waiting) => nowMs() >= expiresMs;
  const find = (typed: string): Waiting | null => {
    const isMeant = (each: Waiting) => normal(each.userCode) === normal(typed);
    const found = [...devices.values()].find(isMeant);
    return found && !found.answer && !isOver(found) ? found : null;
  };

  return {
    /** RFC 8628 section 3.2. */
    begin(clientId: string, scopes: readonly string[]) {
      const deviceCode = `sandbox-device-${next('device')}`;
      let userCode = userCodeFrom(next('user code'));
      while (find(userCode)) userCode = userCodeFrom(next('user code'));
      const lifetimeS = policy.deviceLifetimeS ?? LIFETIME_S;
      devices.set(deviceCode, {
        userCode,
        clientId,
        scopes,
        expiresMs: nowMs() + lifetimeS * 1_000,
        answer: null,
        polledMs: -Infinity,
        intervalMs: INTERVAL_S * 1_000,
        slowDownsLeft: policy.deviceSlowDowns ?? 0,
      });
      return { deviceCode, userCode, lifetimeS, intervalS: INTERVAL_S };
    },

    /** Who waits for an answer to this code; `null` when nobody does, or does no longer. */
    find: (typed: string): DeviceRequest | null => find(typed),

    /** `null` is a denial. */
    decide(typed: string, grant: Omit<Grant, 'family'> | null): void {
      const waiting = find(typed);
      if (waiting) waiting.answer = grant ?? 'denied';
    },

    /** RFC 8628 section 3.5: one request of the device. */
    poll(deviceCode: string, clientId: string): Issued | Refused {
      const waiting = devices.get(deviceCode);
      if (!waiting || waiting.clientId !== clientId) {
        const what = used.has(deviceCode) ? 'was used before' : 'is unknown';
        return refused('invalid_grant', `The device code ${what}.`);
      }
      if (isOver(waiting)) return refused('expired_token', 'The device code is too old.');
      const sinceMs = nowMs() - waiting.polledMs;
      const isTooFast = clock !== undefined && sinceMs < waiting.intervalMs - TOLERANCE_MS;
      waiting.polledMs = nowMs();
      if (isTooFast || waiting.slowDownsLeft > 0) {
        if (!isTooFast) waiting.slowDownsLeft -= 1;
        waiting.intervalMs += INTERVAL_S * 1_000;
        return refused('slow_down', 'The device asks too often: 5 seconds more, from now on.');
      }
      if (waiting.answer === 'denied') return refused('access_denied', 'The user chose Deny.');
      if (!waiting.answer) return refused('authorization_pending', 'The user has not answered.');
      devices.delete(deviceCode);
      used.add(deviceCode);
      return issue(waiting.answer);
    },
  };
}
