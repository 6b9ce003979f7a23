import { MortiseError } from '../../../src/errors.js';
import type { ApiRequest, ApiResponse } from '../../../src/api/request.js';
import type { AccessTokenOptions } from '../../../src/session/access-token.js';
import type { StateChange } from '../../../src/session/machine.js';
import type { SignInOptions } from '../../../src/session/sign-in.js';
import type { SessionState } from '../../../src/session/state.js';
import { systemClock } from '../../web/system-clock.js';
import { requestApi } from './api-request.js';
import { toBridge, untilAborted, type Bridge, type BridgeOptions } from './bridge.js';
import { createClosing } from './closing.js';
import type { Channel } from '../channels/channel.js';
import { fieldsOf, numberOf, own, textOf, type Fields } from '../protocol/fields.js';
import { ARRIVAL, eventOf, isStateName, readState } from '../protocol/session-state.js';
import { readError, unavailable } from '../protocol/wire-error.js';

/** A session that the host owns, as far as a panel has it. The names mean what they mean of a session of one's own. */
export interface ConnectedSession {
  /** As the host last told it; `idle` until then, and when the host has gone. */
  readonly state: SessionState;
  onChange(listener: (change: StateChange) => void): () => void;
  /** Asks the host where the session is. Happens by itself when the page has loaded. */
  restore(): Promise<void>;
  signIn(options?: SignInOptions): Promise<void>;
  completeSignIn(text: string): Promise<void>;
  /** @throws {MortiseError} `bridge_unavailable`, too, where the host lends no tokens. */
  getAccessToken(options?: AccessTokenOptions): Promise<string>;
  readonly api: { request(request: ApiRequest): Promise<ApiResponse> };
  signOut(): Promise<void>;
  /** Listens no more; what waits and what is asked later rejects with `aborted`. The session goes on. */
  close(): void;
}

const SIGN_IN_TIMEOUT_MS = 300_000;
/** The host's own limit ends first. */
const GRACE_MS = 60_000;
const TIMEOUT_MS = 60_000;
const TOKEN_TIMEOUT_MS = 120_000;
const LONGEST_TOKEN = 65_536;

/** The panel as a client: no refresh token, no code, no secret ever gets here (PROTOCOL.md section 7). */
export function connectSession(
  port: Channel | Bridge,
  options: BridgeOptions = {},
): ConnectedSession {
  const isOwnBridge = !('request' in port);
  const bridge = toBridge(port, options);
  const listeners = new Set<(change: StateChange) => void>();
  const closing = createClosing();
  let state: SessionState = Object.freeze({ name: 'idle' });
  let seq = -1;
  let asking: Promise<void> | null = null;
  let pending: Promise<void> | null = null;

  const needOpen = () => {
    if (closing.isClosed) throw new MortiseError('aborted', {});
  };
  const ask = async (
    method: string,
    params: Fields = {},
    timeoutMs = TIMEOUT_MS,
    signal?: AbortSignal,
  ) => {
    needOpen();
    // Nobody waits any more, but nothing is withdrawn: the session goes on.
    const asked = bridge.request('session', method, params, { timeoutMs, signal });
    const { signal: closed, free } = closing.join(undefined);
    return untilAborted(asked, closed).finally(free);
  };

  const tell = (change: StateChange) => {
    for (const listener of [...listeners]) {
      try {
        // What it promises nobody waits for.
        void Promise.resolve(listener(change) as unknown).catch(() => {});
      } catch {
        // Its author's business.
      }
    }
  };

  const look = async () => {
    const answer = await ask('session.state');
    const next = readState(fieldsOf(answer, 'state'));
    const number = numberOf(answer, 'seq');
    if (!next || number === undefined) throw unavailable('the host told no state');
    // What was told since is newer than the answer.
    if (number < seq) return;
    seq = number;
    const from = state.name;
    state = next;
    if (from !== next.name) tell(Object.freeze({ from, to: next.name, event: ARRIVAL[next.name] }));
  };
  const restore = () =>
    (asking ??= look().finally(() => {
      asking = null;
    }));

  const stopListening = bridge.on('session.changed', (params) => {
    const number = numberOf(params, 'seq');
    const next = readState(fieldsOf(params, 'state'));
    if (number === undefined || number <= seq || !next) return;
    const isGap = seq >= 0 && number > seq + 1;
    seq = number;
    const told = own(params, 'from');
    const to = own(params, 'to');
    const from = isStateName(told) ? told : state.name;
    const error = fieldsOf(params, 'error');
    state = next;
    const name = isStateName(to) ? to : next.name;
    const failure = error && { error: readError(error) };
    tell(Object.freeze({ from, to: name, event: eventOf(params, name), ...failure }));
    if (isGap) restore().catch(() => {});
  });

  // Whoever still believed to be signed in would offer what nobody can do.
  const stopMissing = bridge.on('bye', () => {
    const from = state.name;
    if (from === 'idle') return;
    state = Object.freeze({ name: 'idle' });
    const error = unavailable('the host has gone');
    tell(Object.freeze({ from, to: 'idle', event: ARRIVAL.idle, error }));
  });

  const signIn = async ({
    signal,
    timeoutMs = SIGN_IN_TIMEOUT_MS,
    whilePending = 'join',
  }: SignInOptions) => {
    try {
      const params = { timeoutMs, whilePending };
      await ask('session.signIn', params, timeoutMs + GRACE_MS, signal);
    } catch (error) {
      throw signal?.aborted ? new MortiseError('sign_in_cancelled', {}) : error;
    }
  };

  // Who needs it hears of the failure by asking.
  restore().catch(() => {});

  const requestOfApi = requestApi(bridge, closing);

  return {
    get state() {
      return state;
    },
    onChange(listener) {
      const own = (change: StateChange) => listener(change);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    restore: async () => restore(),
    async signIn(how = {}) {
      needOpen();
      const { signal, timeoutMs = SIGN_IN_TIMEOUT_MS, whilePending = 'join' } = how;
      if (signal?.aborted) throw new MortiseError('sign_in_cancelled', {});
      if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
        const problem = 'timeoutMs must be a number above 0';
        throw new MortiseError('configuration_error', { problem });
      }
      // Who joins and leaves ends nothing for the others.
      if (pending && whilePending === 'join') {
        await untilAborted(pending, signal).catch((error: unknown) => {
          throw signal?.aborted ? new MortiseError('sign_in_cancelled', {}) : error;
        });
        return;
      }
      const own = signIn(how);
      pending = own;
      const free = () => {
        if (pending === own) pending = null;
      };
      own.then(free, free);
      await own;
    },
    async completeSignIn(text) {
      await ask('session.completeSignIn', { text: String(text) });
    },
    async getAccessToken({ minValidityMs, signal } = {}) {
      const params = minValidityMs === undefined ? {} : { minValidityMs };
      const answer = await ask('session.getAccessToken', params, TOKEN_TIMEOUT_MS, signal);
      const token = textOf(answer, 'accessToken', LONGEST_TOKEN);
      if (!token) throw unavailable('the host gave no token');
      return token;
    },
    api: {
      async request(request) {
        needOpen();
        return requestOfApi(request);
      },
    },
    async signOut() {
      await ask('session.signOut');
    },
    close() {
      stopListening();
      stopMissing();
      listeners.clear();
      closing.close();
      // After what frees bodies at the host has gone out.
      if (isOwnBridge) systemClock.after(0, () => bridge.close());
    },
  };
}
