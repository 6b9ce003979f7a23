import type { ApiRequest, ApiResponse, QueryValue } from '../../../src/api/request.js';
import type { Session } from '../../../src/session/create-session.js';
import type { SharedAccess } from '../../../src/session/access.js';
import { systemClock } from '../../web/system-clock.js';
import type { Channel } from '../channels/channel.js';
import {
  fieldsOf,
  numberOf,
  oneOf,
  own,
  textMapOf,
  textOf,
  type Fields,
} from '../protocol/fields.js';
import { headersOf } from './headers.js';
import { createServedBodies } from './serve-bodies.js';
import {
  servePanel,
  type Page,
  type ServedPanel,
  type ServeOptions,
  type Service,
} from './serve-panel.js';
import { invalidParams, type Call } from './serve-requests.js';
import { writeState } from '../protocol/session-state.js';
import { writeError } from '../protocol/wire-error.js';

type RequestApi = { request(request: ApiRequest): Promise<ApiResponse> };
export type ServableSession = Pick<
  Session<RequestApi>,
  | 'state'
  | 'onChange'
  | 'restore'
  | 'signIn'
  | 'signOut'
  | 'completeSignIn'
  | 'getAccessToken'
  | 'api'
  | 'share'
>;

export interface ServeSessionOptions extends ServeOptions {
  /** What of the session's scopes the panel gets. The platform has to give tokens for fewer. */
  readonly scopes?: readonly string[];
  /** `withheld`: API calls go through the host alone, and no token ever leaves it. Default `lent`. */
  readonly accessTokens?: 'lent' | 'withheld';
}

/**
 * Lends a session to one page: states, sign-in, short-lived access tokens, API calls. Provider, account and scopes are
 * the caller's choice, no message names them, and there is none for a refresh token. Closing it leaves the session as it is.
 *
 * @throws {MortiseError} `configuration_error` for scopes that cannot be had.
 */
export function serveSession(
  session: ServableSession,
  channel: Channel,
  options: ServeSessionOptions = {},
): ServedPanel {
  const over = new AbortController();
  const { scopes, accessTokens = 'lent' } = options;
  const lent = session.share({ signal: over.signal, ...(scopes && { scopes }) });
  const end = () => over.abort();
  try {
    return servePanel(channel, options, (page) => [
      sessionService(session, lent, { ...page, accessTokens, end }),
    ]);
  } catch (error) {
    end();
    throw error;
  }
}

interface Terms extends Page {
  readonly accessTokens: 'lent' | 'withheld';
  readonly end: () => void;
}

function sessionService(
  session: ServableSession,
  lent: SharedAccess<RequestApi>,
  { notify, limit, accessTokens, end }: Terms,
): Service {
  const bodies = createServedBodies(limit, systemClock);
  let seq = 0;
  const stopListening = session.onChange(({ from, to, event, error }) => {
    seq += 1;
    const failure = error && { error: writeError(error) };
    notify('session.changed', {
      seq,
      from,
      to,
      event,
      state: writeState(session.state),
      ...failure,
    });
  });
  const getAccessToken = async (params: Fields, { signal }: Call) => {
    const minValidityMs = numberOf(params, 'minValidityMs');
    const options = { signal, ...(minValidityMs !== undefined && { minValidityMs }) };
    return { accessToken: await lent.getAccessToken(options) };
  };
  const request = async (params: Fields, body: Uint8Array | undefined, { signal }: Call) => {
    const controller = new AbortController();
    const abort = () => controller.abort();
    signal.addEventListener('abort', abort);
    try {
      const asked = { ...requestOf(params), signal: controller.signal };
      const response = await lent.api.request({ ...asked, ...(body && { body }) });
      const head = { status: response.status, headers: headersOf(response.headers) };
      const failure = (error: unknown) => error;
      return await bodies.give(head, { body: response.stream(), stop: abort, failure, signal });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };
  return {
    offer: 'session',
    close() {
      stopListening();
      bodies.close();
      end();
    },
    methods: {
      ...bodies.methods,
      'session.state': async () => {
        // A host may have left that to the first who asks.
        if (session.state.name === 'idle') await session.restore().catch(() => {});
        return { seq, state: writeState(session.state) };
      },
      // A page that goes away while the user is signing in comes back to the same sign-in.
      'session.signIn': async (params, { withdrawn }) => {
        const timeoutMs = numberOf(params, 'timeoutMs');
        const whilePending = oneOf(params, 'whilePending', ['join', 'restart']);
        await session.signIn({
          signal: withdrawn,
          ...(timeoutMs !== undefined && { timeoutMs }),
          ...(whilePending && { whilePending }),
        });
        return {};
      },
      'session.completeSignIn': async (params) => {
        const text = textOf(params, 'text', 16_384);
        if (text === undefined) throw invalidParams('text');
        await session.completeSignIn(text);
        return {};
      },
      'session.signOut': async () => (await session.signOut(), {}),
      ...(accessTokens === 'lent' && { 'session.getAccessToken': getAccessToken }),
      'session.request': (params, call) =>
        bodies.lend(params, (body) => request(params, body, call)),
    },
  };
}

const METHOD = /^[A-Z]{3,20}$/;

function requestOf(params: Fields): ApiRequest {
  const method = textOf(params, 'method') ?? 'GET';
  const path = textOf(params, 'path', 16_384);
  const headers = textMapOf(params, 'headers');
  const timeoutMs = numberOf(params, 'timeoutMs');
  const idempotent = own(params, 'idempotent');
  if (!METHOD.test(method)) throw invalidParams('method');
  if (path === undefined) throw invalidParams('path');
  if (!headers) throw invalidParams('headers');
  return {
    method,
    path,
    headers: Object.fromEntries(headers),
    query: queryOf(fieldsOf(params, 'query') ?? {}),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(typeof idempotent === 'boolean' && { idempotent }),
  };
}

function queryOf(raw: Fields): Readonly<Record<string, QueryValue | readonly QueryValue[]>> {
  const isValue = (value: unknown) => /^(string|number|boolean)$/.test(typeof value);
  const entries = Object.entries(raw);
  if (
    !entries.every(([, value]) => (Array.isArray(value) ? value.every(isValue) : isValue(value)))
  ) {
    throw invalidParams('query');
  }
  return Object.fromEntries(entries) as Record<string, QueryValue>;
}
