import type { MortiseError } from '../errors.js';
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
  let state: SessionState = { name: 'idle' };
  return {
    get state() {
      return state;
    },
    dispatch(event, next, error) {
      const from = state.name;
      if (TRANSITIONS[from][event] !== next.name) return false;
      state = next;
      told.push({ from, to: next.name, event, ...(error && { error }) });
      // A listener that causes the next change does not make others hear it before this one.
      if (told.length > 1) return true;
      for (let change = told[0]; change; change = told[0]) {
        for (const listener of [...listeners]) listener(change);
        told.shift();
      }
      return true;
    },
    amend(next) {
      if (next.name === state.name) state = next;
    },
    onChange(listener) {
      // A listener that throws is its author's business: the others and the session go on.
      const guarded = (change: StateChange) => {
        try {
          listener(change);
        } catch {
          // Nowhere to report it: throwing later would end the host application.
        }
      };
      listeners.add(guarded);
      return () => void listeners.delete(guarded);
    },
    removeListeners: () => listeners.clear(),
  };
}
