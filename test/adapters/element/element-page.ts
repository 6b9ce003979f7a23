import { MortiseError, type SessionState } from 'mortise';
import type { EventName } from '../../../src/session/transitions.js';
import { STRICT_CSP, type Stage } from '../../support/web-stage.js';

/** What the element is to show, as it can be sent to a page. */
export interface Shown {
  readonly state: SessionState;
  readonly event: EventName;
  readonly error?: Pick<MortiseError, 'code' | 'hint'>;
}

const plain = ({ code, hint }: MortiseError) => ({ code, hint });
const offline = plain(new MortiseError('network_error', { host: 'as.example' }));
const blocked = plain(new MortiseError('popup_blocked', {}));

const authorizing = {
  name: 'authorizing',
  startedAtMs: 0,
  // From when it is shown.
  expiresAtMs: 300_000,
  window: 'open',
  authorizationUrl: 'https://as.example/authorize?client_id=acme&scope=read',
  ignoredRedirects: 0,
} as const;
const device = {
  userCode: 'WDJB-MJHT',
  verificationUri: 'https://as.example/a-long-way/to-the/device-page',
  verificationUriComplete: null,
};
const signedIn = { name: 'signedIn', expiresAtMs: null, scopes: [] } as const;

/** Everything there is to see. */
export const SHOWN: Readonly<Record<string, Shown>> = {
  'signed out': { state: { name: 'signedOut', reason: 'never' }, event: 'sessionAbsent' },
  rejected: { state: { name: 'signedOut', reason: 'rejected' }, event: 'grantRejected' },
  failed: { state: { name: 'signedOut', reason: 'never' }, event: 'signInFailed', error: offline },
  waiting: { state: authorizing, event: 'addressReady' },
  lost: { state: { ...authorizing, window: 'lost' }, event: 'windowLost' },
  blocked: { state: { ...authorizing, window: 'lost' }, event: 'windowLost', error: blocked },
  paste: { state: { ...authorizing, answerBy: 'paste' }, event: 'addressReady' },
  device: {
    state: { ...authorizing, device, weakness: 'pkce_not_checked' },
    event: 'addressReady',
  },
  exchanging: { state: { name: 'exchanging' }, event: 'redirectReceived' },
  'signed in': { state: signedIn, event: 'tokensIssued' },
  notices: { state: { ...signedIn, unsaved: true, userChanged: true }, event: 'userChanged' },
  degraded: {
    state: { name: 'degraded', retryAtMs: 0 },
    event: 'refreshFailed',
    error: offline,
  },
};

const POLICY = 'content-security-policy';
const HEADERS = { [POLICY]: `${STRICT_CSP[POLICY]}; img-src data:` };

/** A session that the test moves, on a page that lets nothing inline and no unchecked HTML pass. */
const SCRIPT = `
import { define } from 'mortise/element';
document.documentElement.style.colorScheme = 'light dark';
const listeners = new Set();
const calls = [];
const breaches = [];
document.addEventListener('securitypolicyviolation', (event) => breaches.push(event.violatedDirective));
const never = () => new Promise(() => {});
const session = {
  state: { name: 'signedOut', reason: 'never' },
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  signIn({ signal }) {
    signal.addEventListener('abort', () => calls.push('cancelled'));
    calls.push('signIn');
    return never();
  },
  signOut: async () => void calls.push('signOut'),
  completeSignIn: async (text) => void calls.push('pasted ' + text),
};
globalThis.stage = {
  calls,
  breaches,
  show({ state, event, error }) {
    const from = session.state.name;
    const { expiresAtMs } = state;
    session.state = expiresAtMs ? { ...state, expiresAtMs: Date.now() + expiresAtMs } : state;
    for (const listener of listeners) listener({ from, to: state.name, event, error });
  },
};
define();
const element = document.querySelector('mortise-sign-in');
element.describeUser = () => 'Konstantinopolitanische Dudelsackpfeifenmachergesellschaft <b>& Co.</b>';
element.session = session;
`;

/** Where it stands: `await page.goto(serveElement(stage))`. */
export function serveElement(stage: Stage): string {
  const body = '<main><h1>Acme Scan</h1><mortise-sign-in></mortise-sign-in></main>';
  stage.page('/element', { script: SCRIPT, body, headers: HEADERS });
  return `${stage.origin}/element`;
}

/** What to evaluate in the page. */
export const show = (name: string): string => `stage.show(${JSON.stringify(SHOWN[name])})`;
export const CALLS = 'stage.calls';
export const BREACHES = 'stage.breaches';
