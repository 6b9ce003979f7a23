import type { MortiseError } from 'mortise';
import type { SignInSession } from 'mortise/element';
import type { EventName } from '../../../src/session/transitions.js';
import type { StateChange } from '../../../src/session/machine.js';
import type { SessionState } from '../../../src/session/state.js';

export interface FakeSession extends SignInSession {
  /** Every call, in order, such as `signIn join`. */
  readonly calls: readonly string[];
  readonly listenerCount: number;
  /** What the call under way comes to. */
  settle(error?: MortiseError): Promise<void>;
  move(state: SessionState, event: EventName, error?: MortiseError): void;
}

/** Moved by the test; what it is asked stays open until the test settles it. */
export function createFakeSession(state: SessionState): FakeSession {
  const listeners = new Set<(change: StateChange) => void>();
  const calls: string[] = [];
  let current = state;
  let settlers: ((error?: MortiseError) => void)[] = [];
  const ask = (call: string) => {
    calls.push(call);
    return new Promise<void>((resolve, reject) =>
      settlers.push((error) => (error ? reject(error) : resolve())),
    );
  };
  return {
    calls,
    get listenerCount() {
      return listeners.size;
    },
    get state() {
      return current;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    signIn({ signal, whilePending } = {}) {
      signal?.addEventListener('abort', () => calls.push('aborted'));
      return ask(`signIn ${whilePending}`);
    },
    signOut: () => ask('signOut'),
    completeSignIn: (text) => ask(`completeSignIn ${text.length}`),
    restore: () => ask('restore'),
    async settle(error) {
      for (const settler of settlers) settler(error);
      settlers = [];
      for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
    },
    move(next, event, error) {
      const from = current.name;
      current = next;
      for (const listener of [...listeners]) {
        listener({ from, to: next.name, event, ...(error && { error }) });
      }
    },
  };
}
