import { bendJson, HTML, omit, reset, type Faulty } from './fault.js';
import { refusal } from '../message.js';
import { DEVICE_POLL_FAULTS } from './device-poll.js';

const set = (name: string, value: unknown) => bendJson((json) => ({ ...json, [name]: value }));
const leaveOut = (name: string) => bendJson((json) => omit(json, name));

/** RFC 8628 sections 3.1 and 3.2: what can be wrong with the answer that holds the codes. */
export const DEVICE_FAULTS = {
  'device-not-offered': {
    does: 'The metadata names no device authorization endpoint.',
    at: 'metadata',
    bend: leaveOut('device_authorization_endpoint'),
  },
  'device-unauthorized-client': {
    does: 'No client may ask for a device code: status 400, unauthorized_client.',
    at: 'device',
    instead: () =>
      refusal({ error: 'unauthorized_client', description: 'Not allowed to this client.' }),
  },
  'device-html': {
    does: 'A captive portal answers instead of the codes: status 200, HTML.',
    at: 'device',
    instead: () => ({ status: 200, ...HTML }),
  },
  'device-reset': {
    does: 'The connection is reset when a device code is asked for.',
    at: 'device',
    instead: reset,
  },
  'device-interval-absent': {
    does: 'The answer names no interval, which means 5 seconds.',
    at: 'device',
    bend: leaveOut('interval'),
  },
  'device-interval-zero': { does: 'The interval is 0.', at: 'device', bend: set('interval', 0) },
  'device-interval-negative': {
    does: 'The interval is -5.',
    at: 'device',
    bend: set('interval', -5),
  },
  'device-interval-tiny': {
    does: 'The interval is a thousandth of a second.',
    at: 'device',
    bend: set('interval', 0.001),
  },
  'device-interval-text': {
    does: 'The interval is the text "5".',
    at: 'device',
    bend: set('interval', '5'),
  },
  'device-expires-in-absent': {
    does: 'The answer does not say how long the codes live.',
    at: 'device',
    bend: leaveOut('expires_in'),
  },
  'device-expires-in-zero': {
    does: 'The codes live for 0 seconds, by what the answer says.',
    at: 'device',
    bend: set('expires_in', 0),
  },
  'device-short-lived': {
    does: 'The codes live for 12 seconds, and the answer says so.',
    at: 'device',
    policy: { deviceLifetimeS: 12 },
  },
  'device-code-missing': {
    does: 'The answer holds no device code.',
    at: 'device',
    bend: leaveOut('device_code'),
  },
  'device-user-code-missing': {
    does: 'The answer holds no user code.',
    at: 'device',
    bend: leaveOut('user_code'),
  },
  'device-code-control-characters': {
    does: 'The user code holds characters that steer a terminal.',
    at: 'device',
    bend: set('user_code', 'BCDF\u001b[2K\rGHJK'),
  },
  'device-code-bidi': {
    does: 'The user code turns round how the text behind it is shown.',
    at: 'device',
    bend: set('user_code', '\u202eBCDF-GHJK'),
  },
  'device-code-long': {
    does: 'The user code has 100,000 letters.',
    at: 'device',
    bend: set('user_code', 'BCDF'.repeat(25_000)),
  },
  'device-uri-missing': {
    does: 'The answer names no verification address.',
    at: 'device',
    bend: leaveOut('verification_uri'),
  },
  'device-uri-http': {
    does: 'The verification address is plain http, on a host that is not loopback.',
    at: 'device',
    bend: set('verification_uri', 'http://login.example/device'),
  },
  'device-uri-script': {
    does: 'The verification address is javascript:.',
    at: 'device',
    bend: set('verification_uri', 'javascript:alert(document.domain)'),
  },
  'device-uri-user': {
    does: 'The verification address has a user name that looks like a host.',
    at: 'device',
    bend: set('verification_uri', 'https://login.example@collector.example/device'),
  },
  'device-uri-long': {
    does: 'The verification address has 100,000 characters.',
    at: 'device',
    bend: set('verification_uri', `https://login.example/${'a'.repeat(100_000)}`),
  },
  'device-complete-absent': {
    does: 'There is no verification address with the code in it.',
    at: 'device',
    bend: leaveOut('verification_uri_complete'),
  },
  'device-complete-elsewhere': {
    does: 'The verification address with the code in it is on another origin.',
    at: 'device',
    bend: set('verification_uri_complete', 'https://collector.example/device?user_code=BCDF-GHJK'),
  },
  ...DEVICE_POLL_FAULTS,
} as const satisfies Faulty;
