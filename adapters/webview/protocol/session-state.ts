import type { AuthorizingState, SessionState, StateName } from '../../../src/session/state.js';
import type { EventName } from '../../../src/session/transitions.js';
import { fieldsOf, numberOf, oneOf, own, textOf, textsOf, type Fields } from './fields.js';

const REASONS = ['never', 'signedOut', 'rejected', 'damaged'] as const;

/** An address to show or copy: nothing that runs when it is clicked. */
const ADDRESS = /^https?:\/\/[!-~]+$/i;
const addressOf = (raw: Fields, name: string) => {
  const address = textOf(raw, name, 16_384);
  return address !== undefined && ADDRESS.test(address) ? address : undefined;
};

const noticesOf = (raw: Fields) => ({
  ...(own(raw, 'unsaved') === true && { unsaved: true as const }),
  ...(own(raw, 'userChanged') === true && { userChanged: true as const }),
});

type Read = (raw: Fields) => SessionState | null;

const READ_STATE: { readonly [S in StateName]: Read } = {
  idle: () => ({ name: 'idle' }),
  restoring: () => ({ name: 'restoring' }),
  signedOut: (raw) => ({ name: 'signedOut', reason: oneOf(raw, 'reason', REASONS) ?? 'signedOut' }),
  authorizing: (raw) => readAuthorizing(raw),
  exchanging: () => ({ name: 'exchanging' }),
  signedIn: (raw) => ({
    name: 'signedIn',
    expiresAtMs: numberOf(raw, 'expiresAtMs') ?? null,
    scopes: Object.freeze([...(textsOf(raw, 'scopes') ?? [])]),
    ...noticesOf(raw),
  }),
  refreshing: () => ({ name: 'refreshing' }),
  degraded: (raw) => ({
    name: 'degraded',
    retryAtMs: numberOf(raw, 'retryAtMs') ?? 0,
    ...noticesOf(raw),
  }),
  signingOut: () => ({ name: 'signingOut' }),
};

function readAuthorizing(raw: Fields): AuthorizingState | null {
  const startedAtMs = numberOf(raw, 'startedAtMs');
  const expiresAtMs = numberOf(raw, 'expiresAtMs');
  if (startedAtMs === undefined || expiresAtMs === undefined) return null;
  const device = fieldsOf(raw, 'device');
  const userCode = device && textOf(device, 'userCode', 100);
  const verificationUri = device && addressOf(device, 'verificationUri');
  return {
    name: 'authorizing',
    startedAtMs,
    expiresAtMs,
    window: oneOf(raw, 'window', ['open', 'lost']) ?? 'open',
    authorizationUrl: addressOf(raw, 'authorizationUrl') ?? null,
    ignoredRedirects: numberOf(raw, 'ignoredRedirects') ?? 0,
    ...(device &&
      userCode &&
      verificationUri && {
        device: {
          userCode,
          verificationUri,
          verificationUriComplete: addressOf(device, 'verificationUriComplete') ?? null,
        },
      }),
    ...(own(raw, 'answerBy') === 'paste' && { answerBy: 'paste' }),
    ...(own(raw, 'weakness') === 'pkce_not_checked' && { weakness: 'pkce_not_checked' }),
  };
}

const NAMES = Object.keys(READ_STATE) as StateName[];

/** A state as the host tells it, with what belongs to it and nothing more; `null` for what is none. */
export function readState(raw: Fields | undefined): SessionState | null {
  const name = raw && oneOf(raw, 'name', NAMES);
  const state = name && READ_STATE[name](raw);
  return state ? Object.freeze(state) : null;
}

/** What goes out is read the same way first: a session of another making may hold more than it should. */
export const writeState = (state: SessionState): SessionState =>
  readState(state as unknown as Fields) ?? { name: 'idle' };

/** What a page that has just come would have heard, had it been there. */
export const ARRIVAL: { readonly [S in StateName]: EventName } = {
  idle: 'storeFailed',
  restoring: 'restoreRequested',
  signedOut: 'sessionAbsent',
  authorizing: 'signInRequested',
  exchanging: 'redirectReceived',
  signedIn: 'sessionFound',
  refreshing: 'refreshDue',
  degraded: 'refreshFailed',
  signingOut: 'signOutRequested',
};

export const isStateName = (name: unknown): name is StateName =>
  NAMES.some((known) => known === name);

const EVENT = /^[a-z][A-Za-z]{2,40}$/;

/** An event of a newer host is still one: only its form is looked at. */
export const eventOf = (raw: Fields, to: StateName): EventName => {
  const event = textOf(raw, 'event', 60);
  return event !== undefined && EVENT.test(event) ? (event as EventName) : ARRIVAL[to];
};
