import { MortiseError, isMortiseError } from '../../../src/errors.js';
import type {
  Host,
  RedirectOutcome,
  RedirectRule,
  RedirectUserAgent,
  UserAgentVisit,
} from '../../../src/ports/index.js';
import {
  fieldsOf,
  numberOf,
  oneOf,
  own,
  textOf,
  textsOf,
  type Fields,
} from '../protocol/fields.js';
import { randomName } from '../protocol/nonce.js';
import { isPresentable } from '../protocol/redirect.js';
import type { Notify, Service } from './serve-panel.js';
import { invalidParams } from './serve-requests.js';

const MAX_VISITS = 8;
/** How long the browser is kept waiting for what became of a redirect. */
const OUTCOME_TIMEOUT_MS = 30_000;
/** In characters. A panel drops what is longer. */
const LONGEST_REDIRECT = 16_384;

interface Visit {
  /** The user agent's own, which may be of a class. */
  readonly place: UserAgentVisit;
  /** By the number of the redirect. */
  readonly outcomes: Map<number, (outcome: RedirectOutcome) => void>;
}

/** The host's user agents, lent to a page: the first that can open a visit has it. */
export function visitService(
  { userAgents, clock }: Pick<Host, 'userAgents' | 'clock'>,
  notify: Notify,
): Service {
  const visits = new Map<string, Visit>();
  const named = (params: Fields) => {
    const visit = visits.get(textOf(params, 'visit', 200) ?? '');
    if (!visit) throw invalidParams('visit');
    return visit;
  };
  let opening = 0;
  const closeVisit = async (name: string) => {
    const visit = visits.get(name);
    visits.delete(name);
    // The browser that waits is told, and no timer keeps the program.
    for (const settle of [...(visit?.outcomes.values() ?? [])]) settle({ kind: 'ignored' });
    if (visit) await closePlace(visit.place);
  };
  return {
    offer: 'browser',
    close() {
      for (const name of [...visits.keys()]) void closeVisit(name);
    },
    methods: {
      'visit.open': async (params, { signal }) => {
        if (own(params, 'capture') !== 'host') throw invalidParams('capture');
        const redirect = ruleOf(params);
        if (!redirect || visits.size + opening >= MAX_VISITS) throw invalidParams('redirect');
        const name = randomName();
        const outcomes: Visit['outcomes'] = new Map();
        let count = 0;
        const onRedirect = (url: string) =>
          new Promise<RedirectOutcome>((resolve) => {
            if (!visits.has(name)) return resolve({ kind: 'ignored' });
            const redirectNumber = (count += 1);
            const settle = (outcome: RedirectOutcome) => {
              stop();
              outcomes.delete(redirectNumber);
              resolve(outcome);
            };
            const stop = clock.after(OUTCOME_TIMEOUT_MS, () => settle({ kind: 'ignored' }));
            outcomes.set(redirectNumber, settle);
            const redirect = { visit: name, redirect: redirectNumber, url };
            if (url.length <= LONGEST_REDIRECT && notify('visit.redirect', redirect)) return;
            // The panel will never hear of it, so nobody waits; that nothing may come back it can be told.
            settle({ kind: 'ignored' });
            onWindow('lost');
          });
        const onWindow = (fate: string) => void notify('visit.window', { visit: name, fate });
        opening += 1;
        try {
          const place = await openFirst(userAgents, { redirect, signal, onRedirect, onWindow });
          // The page may have gone since, and then nobody would ever close this.
          if (signal.aborted) {
            await closePlace(place);
            throw new MortiseError('aborted', {});
          }
          visits.set(name, { place, outcomes });
          const { redirectUri, answerBy } = place;
          return { visit: name, redirectUri, ...(answerBy && { answerBy }) };
        } finally {
          opening -= 1;
        }
      },
      'visit.navigate': async (params) => {
        const url = textOf(params, 'url', 16_384) ?? '';
        const { place } = named(params);
        if (!isPresentable(url)) throw invalidParams('url');
        await place.navigate(url);
        return {};
      },
      'visit.close': async (params) => {
        await closeVisit(textOf(params, 'visit', 200) ?? '');
        return {};
      },
    },
    notifications: {
      'visit.outcome': (params) => {
        const visit = visits.get(textOf(params, 'visit', 200) ?? '');
        const settle = visit?.outcomes.get(numberOf(params, 'redirect') ?? 0);
        const kind = oneOf(params, 'kind', ['ignored', 'signedIn', 'failed']);
        if (!settle || !kind) return;
        settle(
          kind === 'failed' ? { kind, error: new MortiseError('sign_in_cancelled', {}) } : { kind },
        );
      },
    },
  };
}

/** It never rejects where it is made by the rules; where not, nobody could do anything about it. */
async function closePlace(place: UserAgentVisit): Promise<void> {
  try {
    await place.close();
  } catch {
    // Closed as far as it goes.
  }
}

/**
 * One after another, as a session asks them. One of them that catches no redirect needs what only a session has.
 *
 * @throws {MortiseError} Why the first cannot, when none can.
 */
async function openFirst(
  userAgents: Host['userAgents'],
  request: Parameters<RedirectUserAgent['open']>[0],
): Promise<UserAgentVisit> {
  let failure: MortiseError | undefined;
  for (const userAgent of userAgents as readonly RedirectUserAgent[]) {
    try {
      const visit = await userAgent.open(request);
      if ('redirectUri' in visit && !request.signal.aborted) return visit;
      await (visit as Partial<UserAgentVisit>).close?.();
    } catch (error) {
      if (isMortiseError(error)) failure ??= error;
    }
    if (request.signal.aborted) throw new MortiseError('aborted', {});
  }
  throw failure ?? new MortiseError('browser_not_opened', {});
}

function ruleOf(params: Fields): RedirectRule | undefined {
  const uris = textsOf(params, 'redirect', 32);
  if (uris) return uris;
  const rule = fieldsOf(params, 'redirect') ?? {};
  const loopback = oneOf(rule, 'loopback', ['127.0.0.1', 'localhost']);
  const path = textOf(rule, 'path', 1_024);
  const ports = own(rule, 'ports');
  const isPort = (port: unknown): port is number => Number.isInteger(port);
  if (!loopback || path === undefined) return undefined;
  if (ports === 'any') return { loopback, path, ports };
  return Array.isArray(ports) && ports.length <= 64 && ports.every(isPort)
    ? { loopback, path, ports }
    : undefined;
}
