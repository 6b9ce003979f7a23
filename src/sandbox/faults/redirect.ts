import { bendLocation, withParameter, without, type Faulty } from './fault.js';

const isDenial = (location: string) => /[?&]error=/.test(location);

/** RFC 6749 section 4.1.2 and RFC 9207: what can be wrong with the way back to the plug-in. */
export const REDIRECT_FAULTS = {
  'redirect-wrong-state-first': {
    does: 'The first redirect carries another state; going back and answering again gives the right one.',
    at: 'redirect',
    times: 'once',
    bend: bendLocation((location) => withParameter(location, 'state', 'sandbox-stray-state')),
  },
  'redirect-state-missing': {
    does: 'The redirect carries no state.',
    at: 'redirect',
    bend: bendLocation((location) => without(location, 'state')),
  },
  'redirect-code-twice': {
    does: 'The redirect carries the parameter code twice, with two values.',
    at: 'redirect',
    bend: bendLocation((location) => `${location}&code=sandbox-code-second`),
  },
  'redirect-code-and-error': {
    does: 'The redirect carries a code and an error.',
    at: 'redirect',
    bend: bendLocation((location) => withParameter(location, 'error', 'server_error')),
  },
  'redirect-temporarily-unavailable': {
    does: 'Allow is answered with the error temporarily_unavailable and the right state.',
    at: 'redirect',
    bend: bendLocation((location) =>
      withParameter(without(location, 'code'), 'error', 'temporarily_unavailable'),
    ),
  },
  'denial-with-state': {
    does: 'A denial repeats the state (prevu3d leaves it out).',
    at: 'redirect',
    bend: bendLocation((location, { url }) =>
      isDenial(location)
        ? withParameter(location, 'state', url.searchParams.get('state') ?? '')
        : location,
    ),
  },
  'denial-without-state': {
    does: 'A denial leaves the state out (oauth repeats it).',
    at: 'redirect',
    bend: bendLocation((location) => (isDenial(location) ? without(location, 'state') : location)),
  },
  'iss-wrong': {
    does: 'The redirect names another issuer.',
    at: 'redirect',
    bend: bendLocation((location) => withParameter(location, 'iss', 'https://other.example')),
  },
  'iss-missing': {
    does: 'The redirect names no issuer, although the metadata promises one.',
    at: 'redirect',
    bend: bendLocation((location) => without(location, 'iss')),
  },
} as const satisfies Faulty;
