import { HTML, reset, type Faulty } from './fault.js';
import { refusal } from '../message.js';

const refuse = (error: string) => () => refusal({ error, description: 'The sandbox says so.' });

/** RFC 8628 section 3.5: what a device can be told while it asks for tokens. */
export const DEVICE_POLL_FAULTS = {
  'device-slow-down': {
    does: 'A device is told three times to slow down, however slow it is.',
    at: 'poll',
    policy: { deviceSlowDowns: 3 },
  },
  'device-pending-200': {
    does: 'That the user has not answered comes with status 200, as at GitHub.',
    at: 'poll',
    bends: 'refusals',
    bend: (answer) => ({ ...answer, status: 200 }),
  },
  'device-pending-428': {
    does: 'That the user has not answered comes with status 428, as at Google.',
    at: 'poll',
    bends: 'refusals',
    bend: (answer) => ({ ...answer, status: 428 }),
  },
  'device-poll-502': {
    does: 'A gateway answers the first three times a device asks: status 502, HTML.',
    at: 'poll',
    times: 'thrice',
    instead: () => ({ status: 502, ...HTML }),
  },
  'device-poll-html': {
    does: 'A captive portal answers the first three times a device asks: status 200, HTML.',
    at: 'poll',
    times: 'thrice',
    instead: () => ({ status: 200, ...HTML }),
  },
  'device-poll-reset': {
    does: 'The connection is reset the first three times a device asks.',
    at: 'poll',
    times: 'thrice',
    instead: reset,
  },
  'device-poll-429': {
    does: 'A device is told once to wait: status 429, Retry-After: 30.',
    at: 'poll',
    times: 'once',
    instead: () => ({ status: 429, headers: { 'retry-after': '30' } }),
  },
  'device-expires': {
    does: 'The device code is too old at once, whatever its lifetime: expired_token.',
    at: 'poll',
    instead: refuse('expired_token'),
  },
  'device-denied': {
    does: 'The user has chosen Deny, by what the device is told: access_denied.',
    at: 'poll',
    instead: refuse('access_denied'),
  },
  'device-forgotten': {
    does: 'The server does not know its own device code any more: invalid_grant.',
    at: 'poll',
    instead: refuse('invalid_grant'),
  },
  'device-unknown-error': {
    does: 'A device is refused with an error that is in no document.',
    at: 'poll',
    instead: refuse('sandbox_mood'),
  },
} as const satisfies Faulty;
