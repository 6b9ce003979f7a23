import { MortiseError } from '../../src/errors.js';
import { createMachine, type Machine, type StateChange } from '../../src/session/machine.js';
import type { SessionState, StateName } from '../../src/session/state.js';
import { TRANSITIONS, type EventName } from '../../src/session/transitions.js';

/** One of each state; the compiler asks for a new one here. */
const STATES: { readonly [S in StateName]: Extract<SessionState, { name: S }> } = {
  idle: { name: 'idle' },
  restoring: { name: 'restoring' },
  signedOut: { name: 'signedOut', reason: 'never' },
  authorizing: {
    name: 'authorizing',
    startedAtMs: 0,
    expiresAtMs: 1,
    window: 'open',
    authorizationUrl: null,
    ignoredRedirects: 0,
  },
  exchanging: { name: 'exchanging' },
  signedIn: { name: 'signedIn', expiresAtMs: null, scopes: [] },
  refreshing: { name: 'refreshing' },
  degraded: { name: 'degraded', retryAtMs: 0 },
  signingOut: { name: 'signingOut' },
};

/** The compiler keeps this equal to `EventName`: a missing or a superfluous one does not compile. */
const EVENT_NAMES: { readonly [E in EventName]: true } = {
  restoreRequested: true,
  sessionFound: true,
  sessionAbsent: true,
  storeFailed: true,
  signInRequested: true,
  signInRestarted: true,
  addressReady: true,
  windowLost: true,
  codeRefused: true,
  redirectReceived: true,
  signInFailed: true,
  sessionKept: true,
  tokensRequested: true,
  tokensIssued: true,
  refreshDue: true,
  refreshFailed: true,
  grantRejected: true,
  sessionGone: true,
  sessionRenewed: true,
  saved: true,
  userChanged: true,
  signOutRequested: true,
  signOutCompleted: true,
};

const NAMES = Object.keys(STATES) as StateName[];
const EVENTS = Object.keys(EVENT_NAMES) as EventName[];

type Step = readonly [event: EventName, to: StateName];
const rowOf = (from: StateName) => Object.entries(TRANSITIONS[from]) as unknown as Step[];

/** The shortest way from one state to every state that can be reached from it. */
function waysFrom(start: StateName): Map<StateName, Step[]> {
  const ways = new Map<StateName, Step[]>([[start, []]]);
  for (const [from, way] of ways) {
    for (const step of rowOf(from)) if (!ways.has(step[1])) ways.set(step[1], [...way, step]);
  }
  return ways;
}

function machineIn(name: StateName): { machine: Machine; changes: StateChange[] } {
  const machine = createMachine();
  for (const [event, to] of waysFrom('idle').get(name) ?? []) machine.dispatch(event, STATES[to]);
  const changes: StateChange[] = [];
  machine.onChange((change) => void changes.push(change));
  return { machine, changes };
}

describe('the transition table', () => {
  test('has a row for every state and no other', () => {
    expect(Object.keys(TRANSITIONS).sort()).toEqual([...NAMES].sort());
  });

  test('leads only to states that exist, by events that exist', () => {
    for (const name of NAMES) {
      for (const [event, to] of rowOf(name)) {
        expect(NAMES).toContain(to);
        expect(EVENTS).toContain(event);
      }
    }
  });

  test('has a use for every event', () => {
    const used = new Set(NAMES.flatMap((name) => rowOf(name).map(([event]) => event)));
    expect(EVENTS.filter((event) => !used.has(event))).toEqual([]);
  });

  test.each(NAMES)('%s can be reached from idle', (name) => {
    expect(waysFrom('idle').has(name)).toBe(true);
  });

  test.each(NAMES)('%s is never a dead end: it leads to signedOut', (name) => {
    expect(waysFrom(name).has('signedOut')).toBe(true);
  });

  test.each(NAMES.filter((name) => name !== 'signedOut' && name !== 'signingOut'))(
    'case 137: %s can be signed out of at once',
    (name) => {
      expect(TRANSITIONS[name].signOutRequested).toBe('signingOut');
    },
  );

  test('signing out ends in one way only', () => {
    expect(TRANSITIONS.signingOut).toEqual({ signOutCompleted: 'signedOut' });
  });

  // prettier-ignore
  test.each<[StateName, EventName, why: string]>([
    ['authorizing', 'sessionFound', 'a slow store that answers after the click does not win'],
    ['signedOut',   'tokensIssued', 'case 137: an answer that comes after a sign-out signs nobody in'],
    ['signingOut',  'tokensIssued', 'case 137: an answer that comes during a sign-out signs nobody in'],
    ['signedOut',   'refreshDue',   'nothing is renewed for nobody'],
    ['signedIn',    'sessionFound', 'a store does not replace the session of a finished sign-in'],
    ['exchanging',  'redirectReceived', 'case 15: one code is exchanged at a time'],
  ])('has no cell for %s %s: %s', (name, event) => {
    expect(TRANSITIONS[name]).not.toHaveProperty(event);
  });
});

describe('the machine', () => {
  test('begins idle', () => {
    expect(createMachine().state).toEqual({ name: 'idle' });
  });

  describe.each(NAMES)('in %s', (from) => {
    test.each(EVENTS)('answers %s as the table says, and tells so exactly once', (event) => {
      const to = TRANSITIONS[from][event];
      const { machine, changes } = machineIn(from);
      const before = machine.state;
      expect(before.name).toBe(from);
      const isTaken = machine.dispatch(event, STATES[to ?? 'signedIn']);
      expect(isTaken).toBe(to !== undefined);
      expect(machine.state).toBe(to === undefined ? before : STATES[to]);
      expect(changes).toEqual(to === undefined ? [] : [{ from, to, event }]);
    });
  });

  test('refuses a state the table does not lead to', () => {
    const { machine, changes } = machineIn('idle');
    expect(machine.dispatch('restoreRequested', STATES.signedIn)).toBe(false);
    expect(machine.state.name).toBe('idle');
    expect(changes).toEqual([]);
  });

  test('a change tells names and the error, nothing else', () => {
    const { machine, changes } = machineIn('refreshing');
    const error = new MortiseError('aborted', {});
    machine.dispatch('refreshFailed', STATES.degraded, error);
    expect(changes).toEqual([
      { from: 'refreshing', to: 'degraded', event: 'refreshFailed', error },
    ]);
  });

  test('has changed already when its listeners hear of it', () => {
    const { machine } = machineIn('idle');
    let seen: string | undefined;
    machine.onChange(() => (seen = machine.state.name));
    machine.dispatch('restoreRequested', STATES.restoring);
    expect(seen).toBe('restoring');
  });

  test('a listener that throws disturbs neither the others nor who dispatched', () => {
    const machine = createMachine();
    const heard: string[] = [];
    machine.onChange(() => void heard.push('before'));
    machine.onChange(() => {
      throw new Error('not mine');
    });
    machine.onChange(() => void heard.push('after'));
    expect(machine.dispatch('restoreRequested', STATES.restoring)).toBe(true);
    expect(machine.dispatch('sessionAbsent', STATES.signedOut)).toBe(true);
    expect(heard).toEqual(['before', 'after', 'before', 'after']);
  });

  test('case 146: a listener may dispatch; the last state is the one that stays', () => {
    const machine = createMachine();
    machine.onChange(({ to }) => {
      if (to === 'restoring') machine.dispatch('sessionAbsent', STATES.signedOut);
    });
    expect(machine.dispatch('restoreRequested', STATES.restoring)).toBe(true);
    expect(machine.state.name).toBe('signedOut');
  });

  test('unsubscribing ends one subscription, and may be done twice', () => {
    const machine = createMachine();
    const listener = jest.fn();
    const off = machine.onChange(listener);
    machine.onChange(listener);
    off();
    off();
    machine.dispatch('restoreRequested', STATES.restoring);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('removing all listeners leaves silence, and a machine that still works', () => {
    const { machine, changes } = machineIn('idle');
    machine.removeListeners();
    expect(machine.dispatch('restoreRequested', STATES.restoring)).toBe(true);
    expect(changes).toEqual([]);
  });

  test('amending replaces details of the same state, silently, and never the state', () => {
    const { machine, changes } = machineIn('authorizing');
    const amended: SessionState = { ...STATES.authorizing, ignoredRedirects: 1 };
    machine.amend(amended);
    machine.amend(STATES.signedIn);
    expect(machine.state).toBe(amended);
    expect(changes).toEqual([]);
  });
});
