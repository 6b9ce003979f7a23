import {
  answerDevice,
  createSandbox,
  type ConsentAnswer,
  type FaultSwitch,
  type SandboxResponse,
} from 'mortise/sandbox';
import { createLocalLock } from '../../adapters/web/local-lock.js';
import { deviceUserAgent } from '../../src/oauth/device-user-agent.js';
import type { Host, HttpRequest, KeyValueStore, UserAgent } from '../../src/ports/index.js';
import { oauth } from '../../src/providers/oauth.js';
import { createSession, type Session } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import { memoryStore } from '../../src/session/memory-store.js';
import type { AuthorizingState } from '../../src/session/state.js';
import type { SignInOptions } from '../../src/session/sign-in.js';
import { createFakeClock } from '../support/fake-clock.js';
import { promptCrypto } from './support.js';

export const ISSUER = 'https://login.example';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

export interface DeviceSessionOptions {
  readonly faults?: readonly FaultSwitch[];
  readonly store?: KeyValueStore;
  readonly userAgents?: readonly UserAgent[];
  readonly authorizationParameters?: Readonly<Record<string, string>>;
  /** Stands between the session and the server. */
  readonly http?: (
    request: HttpRequest,
    send: (request: HttpRequest) => Promise<SandboxResponse>,
  ) => Promise<SandboxResponse>;
}

export interface SentRequest {
  /** Since the test began, in seconds. */
  readonly atS: number;
  readonly path: string;
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
  /** What came back, as JSON; `null` for anything else. */
  json: any;
}

/** A session at a strict server, with a clock that the test turns for both. */
export function setUpDevice({
  faults = [],
  store = memoryStore(),
  userAgents = [deviceUserAgent()],
  authorizationParameters = {},
  http = (request, send) => send(request),
}: DeviceSessionOptions = {}) {
  const clock = createFakeClock();
  const startMs = clock.monotonicMs();
  const sandbox = createSandbox({ provider: 'oauth', faults, nowMs: clock.nowMs });
  const requests: SentRequest[] = [];
  const host: Host = {
    async http(request) {
      const { pathname: path } = new URL(request.url);
      const form = Object.fromEntries(new URLSearchParams(String(request.body ?? '')));
      const atS = (clock.monotonicMs() - startMs) / 1_000;
      const sent: SentRequest = { atS, path, url: request.url, form, json: null };
      requests.push(sent);
      const { body, ...answer } = await http(request, sandbox);
      let text = '';
      for await (const chunk of body) text += new TextDecoder().decode(chunk);
      if (text.startsWith('{')) sent.json = JSON.parse(text);
      const bytes = new TextEncoder().encode(text);
      const once = async function* () {
        yield bytes;
      };
      return { ...answer, body: once() };
    },
    store,
    lock: createLocalLock(clock),
    crypto: promptCrypto,
    clock,
    userAgents,
    client: 'public',
  };
  const scopes = ['data:read', 'data:write'];
  const session: Session<unknown> = createSession({
    host,
    provider: oauth({ issuer: ISSUER, clientId: 'plug-in', scopes, authorizationParameters }),
  });
  const changes: StateChange[] = [];
  const states: unknown[] = [];
  session.onChange((change) => {
    changes.push(change);
    states.push(session.state);
  });
  const authorizing = () => {
    const { state } = session;
    if (state.name !== 'authorizing') throw new Error(`no sign-in waits: ${state.name}`);
    return state as AuthorizingState;
  };
  const isPoll = ({ form }: SentRequest) => form['grant_type'] === DEVICE_GRANT;
  return {
    clock,
    host,
    sandbox,
    session,
    changes,
    states,
    requests,
    authorizing,
    /** The promise, with a handler, so that a rejection that comes early is not "unhandled". */
    signIn(options?: SignInOptions) {
      const promise = session.signIn(options);
      promise.catch(() => {});
      return promise;
    },
    /** When the server was asked for tokens. */
    polls: () => requests.filter(isPoll).map(({ atS }) => atS),
    pollsOf: (deviceCode: string) =>
      requests.filter(({ form }) => form['device_code'] === deviceCode).length,
    revoked: () => requests.filter(({ path }) => path === '/revoke').length,
    deviceCodes: () =>
      requests
        .filter(({ path }) => path === '/device_authorization')
        .map(({ json }) => json.device_code as string),
    /** The person reads the state, goes to another device, and clicks. */
    async answer(decision: ConsentAnswer['decision'] = 'allow') {
      const { device } = authorizing();
      if (!device) throw new Error('no code is shown');
      await answerDevice(sandbox, device, { decision });
    },
  };
}

export type DeviceSession = ReturnType<typeof setUpDevice>;
