import type { MortiseError } from '../errors.js';
import { quietly } from '../http/quietly.js';
import type { SessionState, StateName } from './state.js';
import { TRANSITIONS, type EventName } from './transitions.js';

/** One transition, in names: details are in the session's state. */
export interface StateChange {
  readonly from: StateName;
  readonly to: StateName;
  readonly event: EventName;
  /** What went wrong, when something did. */
  readonly error?: MortiseError;
}

export interface Machine {
  readonly state: SessionState;
  /**
   * Goes to `next` if the table allows it. `false`: too late, and whatever comes with the event is to be
   * dropped.
   */
  dispatch(event: EventName, next: SessionState, error?: MortiseError): boolean;
  /** Replaces details of the state one is in, without a transition. */
  amend(state: SessionState): void;
  onChange(listener: (change: StateChange) => void): () => void;
  removeListeners(): void;
}

export function createMachine(): Machine {
  const listeners = new Set<(change: StateChange) => void>();
  const told: StateChange[] = [];
  // Frozen, for those who are shown it may be somebody else's code.
  let state: SessionState = Object.freeze({ name: 'idle' });
  return {
    get state() {
      return state;
    },
    dispatch(event, next, error) {
      const from = state.name;
      if (TRANSITIONS[from][event] !== next.name) return false;
      state = Object.freeze(next);
      told.push(Object.freeze({ from, to: next.name, event, ...(error && { error }) }));
      // A listener that causes the next change does not make others hear it before this one.
      if (told.length > 1) return true;
      for (let change = told[0]; change; change = told[0]) {
        for (const listener of [...listeners]) listener(change);
        told.shift();
      }
      return true;
    },
    amend(next) {
      if (next.name === state.name) state = Object.freeze(next);
    },
    onChange(listener) {
      const own = quietly(listener);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    removeListeners: () => listeners.clear(),
  };
}
