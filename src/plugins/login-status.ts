import type { SignedOutReason } from '../errors.js';
import { quietly } from '../http/quietly.js';
import type { PlatformApi, Provider } from '../oauth/provider.js';
import type { Session } from '../session/create-session.js';
import type { AuthorizingState, SessionState } from '../session/state.js';

/** What a login button has to show. */
export type LoginStatus =
  /** The store is being read. */
  | { readonly name: 'starting' }
  | { readonly name: 'needsSignIn'; readonly reason: SignedOutReason }
  /** `window` is `lost` when the user may not see the page: offer the address, and take what they paste. */
  | ({
      readonly name: 'signingIn';
      readonly authorizationUrl: string | null;
      readonly window: 'open' | 'lost';
      /** As in the session's state: what to say beside the button. */
    } & Pick<AuthorizingState, 'device' | 'answerBy' | 'weakness'>)
  /** `user` is `null` without a user, and until the platform has said the name. */
  | { readonly name: 'ready'; readonly user: string | null };

export interface Login {
  readonly status: LoginStatus;
  onStatus(listener: (status: LoginStatus) => void): () => void;
}

/**
 * Watches a session for a login button. The user's name is asked for only while somebody listens, once for each
 * token; should that fail, the button shows the one it had, or none.
 */
export function watchLogin(session: Session<PlatformApi>, provider: Provider): Login {
  const listeners = new Set<(status: LoginStatus) => void>();
  let user: string | null = null;
  let asked: object | null = null;
  let isAsking = false;
  let isUnread = false;
  let status = statusOf(session.state, provider, user);

  const update = () => {
    const seen = statusOf(session.state, provider, user);
    // A store that cannot be read says so when somebody signs in.
    const next: LoginStatus =
      isUnread && seen.name === 'starting' ? { name: 'needsSignIn', reason: 'never' } : seen;
    if (isSame(status, next)) return;
    status = Object.freeze(next);
    for (const listener of [...listeners]) listener(status);
  };
  const askName = async () => {
    const mine = {};
    if (asked || status.name !== 'ready' || listeners.size === 0) return;
    asked = mine;
    isAsking = true;
    try {
      const found = await provider.displayName?.(session.api);
      if (asked === mine) user = found ?? null;
    } catch {
      // Then there is no name.
    } finally {
      if (asked === mine) isAsking = false;
    }
    update();
  };
  session.onChange(({ event }) => {
    isUnread = event === 'storeFailed';
    // Perhaps of another user, whom another process has signed in. Not when it is the question that renews.
    if (event === 'tokensIssued' && !isAsking) asked = null;
    if (!/^(signedIn|refreshing|degraded)$/.test(session.state.name)) {
      user = null;
      asked = null;
      isAsking = false;
    }
    update();
    void askName();
  });
  return {
    get status() {
      return status;
    },
    onStatus(listener) {
      const guarded = quietly(listener);
      listeners.add(guarded);
      void askName();
      return () => void listeners.delete(guarded);
    },
  };
}

function statusOf(state: SessionState, provider: Provider, user: string | null): LoginStatus {
  // There is nobody to sign in, and a token is asked for when it is needed.
  if (provider.grant === 'client_credentials') return { name: 'ready', user: null };
  switch (state.name) {
    case 'idle':
    case 'restoring':
      return { name: 'starting' };
    case 'authorizing': {
      const { authorizationUrl, window, device, answerBy, weakness } = state;
      const said = {
        ...(device && { device }),
        ...(answerBy && { answerBy }),
        ...(weakness && { weakness }),
      };
      return { name: 'signingIn', authorizationUrl, window, ...said };
    }
    case 'exchanging':
      return { name: 'signingIn', authorizationUrl: null, window: 'open' };
    case 'signedOut':
      return { name: 'needsSignIn', reason: state.reason };
    case 'signingOut':
      return { name: 'needsSignIn', reason: 'signedOut' };
    case 'signedIn':
    case 'refreshing':
    case 'degraded':
      return { name: 'ready', user };
  }
}

const isSame = (one: LoginStatus, other: LoginStatus): boolean =>
  JSON.stringify(one) === JSON.stringify(other);
