import { MortiseError } from '../../src/errors.js';
import type {
  Clock,
  RedirectOutcome,
  RedirectRule,
  RedirectUserAgent,
  VisitRequest,
} from '../../src/ports/index.js';
import { fieldsOf, unusable, type HostAnswer, type HostFunction } from './host-function.js';

const MAX_URL_LENGTH = 32 * 1024;
/** Redirects in one visit: a host that gives more is broken. */
const MAX_REDIRECTS = 1_000;
/** Between two questions, where the first brought nothing. */
const PAUSE_MS = 250;
/** The port frees everything within a second. */
const RELEASE_MS = 900;

type Request = Omit<VisitRequest, 'device'>;

/** The system's browser, opened by the host, and a redirect that the host catches (RFC 8252 section 7). */
export function createHostUserAgent(host: HostFunction, clock: Clock): RedirectUserAgent {
  return {
    async open(request) {
      const { redirect, signal } = request;
      if (signal.aborted) throw new MortiseError('aborted', {});
      const id = host.nextId();
      const free = (): Promise<unknown> => host.ask('browser.release', { id }).catch(() => {});
      const reserving = host.ask('browser.reserve', { id, redirect });
      let reserved: HostAnswer;
      try {
        reserved = await unlessAborted(reserving, signal, () => host.tell('cancel', { id }));
      } catch (error) {
        // It may have reserved something all the same, or be about to: a release before that frees nothing.
        void free();
        if (signal.aborted) void reserving.then(free, () => {});
        throw error;
      }
      if (reserved.refused !== null) throw notReserved(reserved);
      const { redirectUri, catches = true } = fieldsOf(reserved.result);
      if (typeof redirectUri !== 'string' || !isAllowed(redirectUri, redirect)) {
        void free();
        throw unusable('browser.reserve', 'the redirect is not one that was asked for');
      }

      const over = new AbortController();
      const ended = new Promise<void>((done) =>
        over.signal.addEventListener('abort', () => done()),
      );
      let closing: Promise<void> | undefined;
      const close = () => (closing ??= closeOnce());
      const closeOnce = async () => {
        signal.removeEventListener('abort', close);
        over.abort();
        let stop = () => {};
        const late = new Promise<void>((done) => (stop = clock.after(RELEASE_MS, done)));
        await Promise.race([free(), late]);
        stop();
      };
      if (signal.aborted) {
        await close();
        throw new MortiseError('aborted', {});
      }
      signal.addEventListener('abort', close);
      if (catches !== false) void listen(host, clock, id, request, over.signal);

      return {
        redirectUri,
        ...(catches === false && ({ answerBy: 'paste' } as const)),
        async navigate(url) {
          if (closing) throw new MortiseError('aborted', {});
          const opened = host.ask('browser.open', { id, url }).catch(() => null);
          // A host that never answers must not outlive the visit.
          const answer = await Promise.race([opened, ended]);
          if (closing) throw new MortiseError('aborted', {});
          if (!answer || answer.refused !== null) throw new MortiseError('browser_not_opened', {});
        },
        close,
      };
    },
  };
}

/** Settles with `work`, unless the sign-in ends first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, left: () => void) {
  let leave = () => {};
  const aborted = new Promise<never>((_, reject) => {
    leave = () => {
      left();
      reject(new MortiseError('aborted', {}));
    };
  });
  signal.addEventListener('abort', leave);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

/** Asks for one redirect after another until the visit is over. Never rejects. */
async function listen(
  host: HostFunction,
  clock: Clock,
  visit: number,
  { onRedirect, onWindow }: Request,
  over: AbortSignal,
): Promise<void> {
  for (let redirects = 0; redirects < MAX_REDIRECTS;) {
    const params = { id: host.nextId(), visit };
    const answer = await host.ask('browser.redirect', params, over).catch(() => null);
    if (over.aborted) return;
    if (answer?.refused === 'closed') return onWindow('closed');
    // The address can still be pasted.
    if (!answer || answer.refused !== null) break;
    const url = answer.result;
    if (typeof url === 'string' && url.length <= MAX_URL_LENGTH) {
      redirects += 1;
      // Not waited for: another may come while the code of this one is being exchanged.
      void deliver(host, { id: visit, redirect: params.id }, onRedirect(url));
    } else {
      await pause(clock, over);
      if (over.aborted) return;
    }
  }
  onWindow('lost');
}

/** So that the host can show the user how it went. */
async function deliver(
  host: HostFunction,
  which: { readonly id: number; readonly redirect: number },
  outcome: Promise<RedirectOutcome>,
): Promise<void> {
  const told = await outcome;
  const { kind } = told;
  if (kind !== 'failed') return host.tell('browser.outcome', { ...which, kind });
  const { code, message, hint } = told.error;
  host.tell('browser.outcome', { ...which, kind, code, message, hint });
}

function pause(clock: Clock, over: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const cancel = clock.after(PAUSE_MS, () => {
      over.removeEventListener('abort', leave);
      done();
    });
    const leave = () => {
      cancel();
      done();
    };
    over.addEventListener('abort', leave, { once: true });
  });
}

function notReserved({ refused, ports }: Extract<HostAnswer, { refused: string }>): MortiseError {
  if (refused === 'port_in_use') return new MortiseError('redirect_port_in_use', { ports });
  if (refused === 'unsupported') return unusable('browser.reserve', 'the host cannot');
  return new MortiseError('browser_not_opened', {});
}

/** Text by text, because the server compares so: exactly one that the rule allows. */
function isAllowed(uri: string, rule: RedirectRule): boolean {
  if (!('loopback' in rule)) return rule.includes(uri);
  const { loopback, path, ports } = rule;
  const origin = `http://${loopback}:`;
  if (!uri.startsWith(origin) || !uri.endsWith(path)) return false;
  const port = uri.slice(origin.length, uri.length - path.length);
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return false;
  return ports === 'any' || ports.includes(Number(port));
}
