import { MortiseError, misconfigured } from '../../../src/errors.js';
import type {
  RedirectOutcome,
  RedirectRule,
  RedirectUserAgent,
  UserAgentVisit,
} from '../../../src/ports/index.js';
import { systemClock } from '../../web/system-clock.js';
import type { Bridge } from './bridge.js';
import { numberOf, oneOf, textOf, type Fields } from '../protocol/fields.js';
import { isRedirect } from '../protocol/redirect.js';
import { unavailable } from '../protocol/wire-error.js';

export interface PanelUserAgentOptions {
  readonly bridge: Bridge;
  /** `host`: the system's browser. `view`: another view of the host's, stopped at the redirect. */
  readonly capture: 'host' | 'view';
  /** Asked for in place of the first that the host can have. One of the provider's. */
  readonly redirectUri?: string | undefined;
}

const OPEN_TIMEOUT_MS = 10_000;
const NAVIGATE_TIMEOUT_MS = 60_000;
/** The core waits no longer than a second for a place to be freed. */
const CLOSE_TIMEOUT_MS = 700;
const OUTCOME_TIMEOUT_MS = 100;
const LONGEST_REDIRECT = 16_384;
/** Nobody listens there, nor need anybody: the view is stopped before it connects. Browsers refuse ports such as 1. */
const NOBODYS_PORT = 4;

/** The host shows the page and gives back every redirect as it came (PROTOCOL.md section 4). */
export function createPanelUserAgent(options: PanelUserAgentOptions): RedirectUserAgent {
  const { bridge, capture } = options;
  return {
    async open({ redirect, signal, onRedirect, onWindow }): Promise<UserAgentVisit> {
      const wanted = placesOf(redirect, options);
      const reserved = await bridge.request(
        capture === 'host' ? 'browser' : 'view',
        'visit.open',
        { capture, redirect: wanted },
        { timeoutMs: OPEN_TIMEOUT_MS, signal },
      );
      const visit = textOf(reserved, 'visit', 200);
      const redirectUri = textOf(reserved, 'redirectUri', 2_048);
      const frees: (() => void)[] = [];
      /** A page that is not there yet need not come any more. */
      const leaving = new AbortController();
      const telling = new Set<Promise<void>>();
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= closeOnce());
      const closeOnce = async () => {
        for (const free of frees) free();
        leaving.abort();
        // The browser that waits is told first; who has not decided yet is not waited for.
        await briefly(Promise.all(telling));
        // Where nobody answers, nobody holds anything.
        await bridge
          .request(offerOf(capture), 'visit.close', { visit }, { timeoutMs: CLOSE_TIMEOUT_MS })
          .catch(() => {});
      };
      if (visit === undefined || redirectUri === undefined || !fits(redirectUri, wanted)) {
        if (visit !== undefined) void close();
        throw unavailable('the host reserved another place than it was asked for');
      }
      if (signal.aborted) {
        void close();
        throw new MortiseError('aborted', {});
      }
      const isOurs = (params: Fields) => textOf(params, 'visit', 200) === visit;
      const seen = new Set<number>();
      const stopListening = bridge.on('visit.redirect', (params) => {
        const url = textOf(params, 'url', LONGEST_REDIRECT);
        const number = numberOf(params, 'redirect');
        // The same one again, or one that a host let through that compares beginnings of texts.
        if (!isOurs(params) || number === undefined || seen.has(number) || url === undefined)
          return;
        if (!isRedirect(url, redirectUri)) return;
        seen.add(number);
        const tell = ({ kind }: RedirectOutcome) =>
          bridge.notify('visit.outcome', { visit, redirect: number, kind });
        const told: Promise<void> = onRedirect(url)
          .then(tell, () => {})
          .then(() => void telling.delete(told));
        telling.add(told);
      });
      const stopWatching = bridge.on('visit.window', (params) => {
        const fate = oneOf(params, 'fate', ['lost', 'closed']);
        if (isOurs(params) && fate) onWindow(fate);
      });
      const leave = () => void close();
      signal.addEventListener('abort', leave);
      // Nothing can come back any more, so nothing is waited for.
      const stopMissing = bridge.on('bye', () => onWindow('closed'));
      frees.push(stopListening, stopWatching, stopMissing, () =>
        signal.removeEventListener('abort', leave),
      );
      const answerBy = oneOf(reserved, 'answerBy', ['paste']);
      return {
        redirectUri,
        ...(answerBy && { answerBy }),
        async navigate(url) {
          const ask = { timeoutMs: NAVIGATE_TIMEOUT_MS, signal: leaving.signal };
          await bridge.request(offerOf(capture), 'visit.navigate', { visit, url }, ask);
        },
        close,
      };
    },
  };
}

/** Settles with `work`, or soon after. */
function briefly(work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const stop = systemClock.after(OUTCOME_TIMEOUT_MS, resolve);
    const over = () => {
      stop();
      resolve();
    };
    work.then(over, over);
  });
}

const offerOf = (capture: 'host' | 'view') => (capture === 'host' ? 'browser' : 'view');

/** What to ask for: a place the host can listen at, or the one address it is to stop at. */
function placesOf(
  rule: RedirectRule,
  { capture, redirectUri }: PanelUserAgentOptions,
): RedirectRule {
  if (redirectUri !== undefined) return [chosen(redirectUri, rule)];
  if (capture === 'host') return rule;
  if (!('loopback' in rule)) return rule.slice(0, 1);
  const { loopback, path, ports } = rule;
  const port = ports === 'any' ? NOBODYS_PORT : (ports[0] ?? NOBODYS_PORT);
  return [`http://${loopback}:${port}${path}`];
}

/** @throws {MortiseError} `configuration_error` where the provider has no such redirect URI. */
export function chosen(redirectUri: string, rule: RedirectRule): string {
  if (!fits(redirectUri, rule))
    throw misconfigured('the redirect URI is not one of the provider’s');
  return redirectUri;
}

/** Whether an authorization server that accepts `rule` accepts this. */
function fits(redirectUri: string, rule: RedirectRule): boolean {
  if (!('loopback' in rule)) return rule.includes(redirectUri);
  const { loopback, path, ports } = rule;
  const port = /^:(\d{1,5})(?=\/|$)/.exec(redirectUri.slice(`http://${loopback}`.length))?.[1];
  return (
    port !== undefined &&
    redirectUri === `http://${loopback}:${port}${path}` &&
    (ports === 'any' ? Number(port) > 0 && Number(port) <= 0xffff : ports.includes(Number(port)))
  );
}
