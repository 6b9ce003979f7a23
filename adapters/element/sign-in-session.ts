import type { SessionState } from '../../src/session/state.js';
import type { StateChange } from '../../src/session/machine.js';

/**
 * What the element needs of a session. Those of `createSession` and of a host process across a bridge fit, and so
 * does an integration of a plug-in host.
 */
export interface SignInSession {
  readonly state: SessionState;
  onChange(listener: (change: StateChange) => void): () => void;
  signIn(options?: {
    readonly signal?: AbortSignal;
    readonly whilePending?: 'join' | 'restart';
  }): Promise<void>;
  signOut(): Promise<void>;
  /** Left out, nothing can be pasted. */
  completeSignIn?(text: string): Promise<void>;
  /** Left out, whoever made the session restores it. */
  restore?(): Promise<void>;
}
