import { inspect } from 'node:util';
import fc from 'fast-check';
import { isMortiseError, type ErrorCode } from '../../src/errors.js';
import type { HttpRequest, KeyValueStore } from '../../src/ports/index.js';
import { aps } from '../../src/providers/aps.js';
import { createSession } from '../../src/session/create-session.js';
import type { StateChange } from '../../src/session/machine.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { settle } from '../support/fake-clock.js';
import {
  createFakeHost,
  deferred,
  toResponse,
  type FakeAnswer,
  type FakeHostOptions,
} from '../support/fake-host.js';
import { createFakeServer, fakeProvider, SECRET } from '../support/fake-server.js';

const failing = (code: ErrorCode, details?: object) =>
  expect.objectContaining({ name: 'MortiseError', code, ...(details && { details }) });

const READ = { scopes: ['read'] };
/** Longer than any token lives, so that asking for it renews. */
const RENEW = { minValidityMs: 1e9 };

interface Options extends Partial<FakeHostOptions> {
  readonly server?: ReturnType<typeof createFakeServer>;
  readonly provider?: ReturnType<typeof fakeProvider>;
}

function open({ server = createFakeServer(), provider = fakeProvider(), ...rest }: Options = {}) {
  /** What the API answers, one after the other; then 200. */
  const apiStatuses: number[] = [];
  const bearers: string[] = [];
  const http = (request: HttpRequest) => {
    if (!request.url.startsWith('https://api.example/')) return server.http(request);
    bearers.push(request.headers['authorization']?.replace('Bearer ', '') ?? '');
    return Promise.resolve(toResponse({ status: apiStatuses.shift() ?? 200, json: {} }));
  };
  const host = createFakeHost({ http, ...rest });
  const session = createSession({ host, provider });
  const changes: StateChange[] = [];
  session.onChange((change) => void changes.push(change));
  const refreshes = () =>
    server.tokenRequests().filter((form) => form.get('grant_type') === 'refresh_token');
  const signIn = async () => {
    const done = session.signIn();
    await (await host.visit()).redirect({ code: 'good' });
    await done;
    changes.length = 0;
  };
  const { clock, store, lock } = host;
  /** Another process beside this one. */
  const sibling = () => open({ server, clock, store, lock });
  return { ...{ host, session, server, clock, store, changes, apiStatuses, bearers }, ...{ refreshes, signIn, sibling } }; // prettier-ignore
}

async function signedIn(options: Options = {}) {
  const opened = open(options);
  await opened.signIn();
  const own = await opened.session.getAccessToken();
  const scopes = options.provider?.scopes.slice(0, 1) ?? READ.scopes;
  return { ...opened, own, lent: opened.session.share({ scopes }) };
}

/** Every refresh token sent was good when it was sent, and none was sent twice. */
function expectNoneSpentTwice(refreshes: () => URLSearchParams[]): void {
  const spent = refreshes().map((form) => form.get('refresh_token'));
  expect(new Set(spent).size).toBe(spent.length);
}

describe('a token for fewer scopes', () => {
  test('is asked for with a refresh that names them, and is not the session’s own', async () => {
    const { lent, own, refreshes } = await signedIn();
    expect(refreshes()).toHaveLength(0);
    const token = await lent.getAccessToken();
    expect(token).not.toBe(own);
    expect(Object.fromEntries(refreshes()[0] ?? [])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: expect.stringContaining('refresh-1'),
      scope: 'read',
      client_id: 'plug-in',
    });
  });

  test('case 119: costs one refresh for 10,000 callers, and none after them', async () => {
    const { lent, session, refreshes } = await signedIn();
    const again = session.share(READ);
    const callers = Array.from({ length: 10_000 }, (_, index) =>
      (index % 2 ? lent : again).getAccessToken(),
    );
    const tokens = new Set(await Promise.all(callers));
    expect(tokens.size).toBe(1);
    expect(await lent.getAccessToken()).toBe([...tokens][0]);
    expect(refreshes()).toHaveLength(1);
  });

  test('is one, in whatever order and however often they are named', async () => {
    const provider = { ...fakeProvider(), scopes: ['a', 'b', 'c'] };
    const { session, refreshes } = await signedIn({ provider });
    const tokens = await Promise.all(
      [
        ['a', 'b'],
        ['b', 'a'],
        ['b', 'a', 'b'],
      ].map((scopes) => session.share({ scopes }).getAccessToken()),
    );
    expect(new Set(tokens).size).toBe(1);
    expect(refreshes().map((form) => form.get('scope'))).toEqual(['a b']);
  });

  test('of all scopes is the session’s own, and costs nothing', async () => {
    const { session, own, refreshes } = await signedIn();
    for (const scopes of [undefined, ['write', 'read']]) {
      expect(await session.share({ scopes }).getAccessToken()).toBe(own);
    }
    expect(refreshes()).toHaveLength(0);
  });

  test('leaves the session its own access token, and the refresh token that came with it', async () => {
    const { session, lent, own, refreshes } = await signedIn();
    await lent.getAccessToken();
    expect(await session.getAccessToken()).toBe(own);
    await session.getAccessToken(RENEW);
    expect(refreshes().map((form) => form.get('refresh_token'))).toEqual([
      expect.stringContaining('refresh-1'),
      expect.stringContaining('refresh-2'),
    ]);
    expect(refreshes()[1]?.has('scope')).toBe(false);
  });

  test('has its refresh token saved before anybody is given it', async () => {
    const { lent, store, sibling, own } = await signedIn();
    const set = store.set.bind(store);
    const saved = deferred<void>();
    store.set = async (key, value) => (await saved.promise, set(key, value));
    const given = jest.fn();
    const asked = lent.getAccessToken().then(given);
    await settle();
    expect(given).not.toHaveBeenCalled();
    saved.resolve();
    await asked;
    const next = sibling();
    expect(await next.session.getAccessToken()).toBe(own);
    await next.session.getAccessToken(RENEW);
    expect(next.session.state.name).toBe('signedIn');
  });

  test('keeps the refresh token that is good when the answer has none', async () => {
    const { lent, session, server, refreshes } = await signedIn();
    server.next(() => ({ json: { access_token: 'narrow', token_type: 'Bearer', expires_in: 60 } }));
    expect(await lent.getAccessToken()).toBe('narrow');
    server.next(() => server.issue());
    await session.getAccessToken(RENEW);
    const [first, second] = refreshes().map((form) => form.get('refresh_token'));
    expect(second).toBe(first);
  });

  test('is renewed when it ends, and not before', async () => {
    const { lent, server, clock, refreshes, session } = await signedIn();
    server.next(() => ({ json: { ...Object(server.issue().json), expires_in: 600 } }));
    const token = await lent.getAccessToken();
    await clock.advance(570_000 - 1);
    expect(await lent.getAccessToken()).toBe(token);
    await clock.advance(1);
    expect(await lent.getAccessToken()).not.toBe(token);
    expect(refreshes()).toHaveLength(2);
    expect(session.state).toMatchObject({ name: 'signedIn' });
  });

  test('outlives the session’s own without renewing that', async () => {
    const { lent, clock, refreshes } = await signedIn();
    await clock.advance(1_800_000);
    const token = await lent.getAccessToken();
    await clock.advance(1_800_000);
    expect(await lent.getAccessToken()).toBe(token);
    expect(refreshes()).toHaveLength(1);
  });

  test('for longer than a token lives costs one refresh a call, not a loop', async () => {
    const { lent, refreshes } = await signedIn();
    const tokens = await Promise.all([lent.getAccessToken(RENEW), lent.getAccessToken(RENEW)]);
    expect(tokens[0]).toBe(tokens[1]);
    await lent.getAccessToken(RENEW);
    expect(refreshes()).toHaveLength(2);
  });

  test('when nobody is signed in is sign_in_required, and opens no window', async () => {
    const { session, host } = open();
    const asked = session.share(READ).getAccessToken();
    await expect(asked).rejects.toEqual(failing('sign_in_required', { reason: 'never' }));
    expect(host.visits).toHaveLength(0);
  });

  test('in a new process is had by the stored session', async () => {
    const { sibling, own } = await signedIn();
    const next = sibling();
    expect(await next.session.share(READ).getAccessToken()).not.toBe(own);
    expect(next.refreshes()).toHaveLength(1);
  });

  test('rests nowhere but in memory', async () => {
    const kept: string[] = [];
    const inner = memoryStore();
    const store: KeyValueStore = { ...inner, set: (key, value) => (kept.push(value), inner.set(key, value)) }; // prettier-ignore
    const { lent, session, changes } = await signedIn({ store });
    const token = await lent.getAccessToken();
    const { state } = session;
    const seen = [kept, changes, state, session, lent].map((each) =>
      inspect(each, { depth: 20, showHidden: true }),
    );
    expect(seen.filter((text) => text.includes(token))).toEqual([]);
  });

  test('shows as a renewal of the session, whose end and scopes stay', async () => {
    const { lent, session, changes, clock } = await signedIn();
    const { state } = session;
    await clock.advance(60_000);
    await lent.getAccessToken();
    expect(changes.map(({ event }) => event)).toEqual(['refreshDue', 'tokensIssued']);
    expect(session.state).toEqual(state);
  });
});

describe('renewals of both kinds at once', () => {
  test('happen one after the other, and each spends a fresh refresh token', async () => {
    const { session, lent, refreshes, server, clock, sibling } = await signedIn();
    const [own, narrow] = await Promise.all([session.getAccessToken(RENEW), lent.getAccessToken()]);
    expect(own).not.toBe(narrow);
    expect(refreshes()).toHaveLength(2);
    expectNoneSpentTwice(refreshes);
    expect(await session.getAccessToken()).toBe(own);
    expect(await lent.getAccessToken()).toBe(narrow);
    expect(server.tokenRequests()).toHaveLength(3);
    await clock.advance(3_600_000);
    await expect(sibling().session.getAccessToken()).resolves.toContain('access');
  });

  test('of many scopes, all of them', async () => {
    const provider = { ...fakeProvider(), scopes: ['a', 'b', 'c', 'd'] };
    const { session, refreshes } = await signedIn({ provider });
    const asked = ['a', 'b', 'c', 'd', 'a'].map((scope) =>
      session.share({ scopes: [scope] }).getAccessToken(),
    );
    const tokens = await Promise.all([...asked, session.getAccessToken(RENEW)]);
    expect(new Set(tokens).size).toBe(5);
    expect(refreshes()).toHaveLength(5);
    expectNoneSpentTwice(refreshes);
  });

  test('case 128: that are all refused sign out once, and say so to each', async () => {
    const { session, lent, server, clock, changes, refreshes } = await signedIn();
    await clock.advance(3_600_000);
    server.revokeAll();
    const asked = [lent.getAccessToken(), session.getAccessToken(), lent.getAccessToken()];
    for (const result of await Promise.allSettled(asked)) {
      const reason = failing('sign_in_required', { reason: 'rejected' });
      expect(result).toEqual({ status: 'rejected', reason });
    }
    expect(refreshes()).toHaveLength(1);
    expect(changes.map(({ event }) => event)).toEqual(['refreshDue', 'grantRejected']);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
  });

  test('case 137: a sign-out between them ends both', async () => {
    const { session, lent, server, changes } = await signedIn();
    const late = deferred<FakeAnswer>();
    server.next(() => late.promise);
    const asked = Promise.allSettled([lent.getAccessToken(), session.getAccessToken(RENEW)]);
    await settle();
    const signingOut = session.signOut();
    late.resolve(server.issue());
    for (const result of await asked) {
      const reason = failing('sign_in_required', { reason: 'signedOut' });
      expect(result).toEqual({ status: 'rejected', reason });
    }
    await signingOut;
    expect(changes.at(-1)).toMatchObject({ event: 'signOutCompleted' });
    expect(session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
    await settle();
    // What came too late is revoked, the refresh token and the token for fewer scopes alike.
    expect(server.revoked).toEqual(
      expect.arrayContaining([
        expect.stringContaining('refresh-2'),
        expect.stringContaining('access-2'),
      ]),
    );
  });

  const CALLS = ['own', 'read', 'write', 'both', 'time', 'reset', 'unavailable', 'turn'] as const;
  test('in any order: no refresh token is spent twice, nobody is signed out, and every token is of its kind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...CALLS), { maxLength: 25 }), async (calls) => {
        const kinds = new Map<string, string>();
        const faults: string[] = [];
        const server = createFakeServer();
        const { usual } = server;
        const { session, refreshes, clock } = await signedIn({
          server: {
            ...server,
            async http(request) {
              const { pathname } = new URL(request.url);
              const form = new URLSearchParams(String(request.body));
              if (pathname !== '/token') return server.http(request);
              server.requests.push({ path: pathname, form, request });
              const script = faults.shift();
              if (script === 'reset') throw new Error('ECONNRESET');
              if (script === 'unavailable') return toResponse({ status: 503 });
              const answer = await usual(form);
              const { access_token: token = '' } = Object(answer.json) as { access_token?: string };
              kinds.set(token, form.get('scope') ?? 'all');
              return toResponse(answer);
            },
          },
        });
        const asked: Promise<void>[] = [];
        const ask = (kind: string, get: () => Promise<string>) =>
          asked.push(
            get().then(
              (token) => expect(kinds.get(token)).toBe(kind),
              (error: unknown) => {
                expect(isMortiseError(error) && error.code).toMatch(/^(network|http)_error$/);
              },
            ),
          );
        const read = session.share(READ);
        const write = session.share({ scopes: ['write'] });
        for (const call of calls) {
          if (call === 'own') ask('all', () => session.getAccessToken(RENEW));
          if (call === 'read') ask('read', () => read.getAccessToken());
          if (call === 'write') ask('write', () => write.getAccessToken(RENEW));
          if (call === 'both') {
            ask('read', () => read.getAccessToken(RENEW));
            ask('all', () => session.getAccessToken());
          }
          if (call === 'time') await clock.advance(1_200_000);
          if (call === 'reset' || call === 'unavailable') faults.push(call);
          if (call === 'turn') await settle();
        }
        await Promise.all(asked);
        faults.length = 0;
        const good = refreshes().map((form) => form.get('refresh_token'));
        const lost = calls.filter((call) => call === 'reset' || call === 'unavailable').length;
        expect(good.length - new Set(good).size).toBeLessThanOrEqual(lost);
        expect(await session.getAccessToken(RENEW)).toContain('access');
        expect(session.state.name).toBe('signedIn');
        await session.close();
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 100, interruptAfterTimeLimit: 8_000 },
    );
  });
});

describe('a server that does not give one', () => {
  // prettier-ignore
  test.each<[string, FakeAnswer | 'reset', ErrorCode]>([
    ['case 126: is out of order',       { status: 503, text: '<html>' },                      'http_error'],
    ['case 127: does not answer',       'reset',                                              'network_error'],
    ['case 115: asks for patience',     { status: 429, headers: { 'retry-after': '7' } },     'rate_limited'],
    ['case 118: refuses the scope',     { status: 400, json: { error: 'invalid_scope' } },    'oauth_error'],
    ['case 99: is a captive portal',    { text: '<html>' },                                   'malformed_response'],
  ])('and %s: the broad token is not given instead', async (_, answer, code) => {
    const { lent, session, server, own, apiStatuses, bearers } = await signedIn();
    const refuse = () => {
      if (answer === 'reset') throw new Error('ECONNRESET');
      return answer;
    };
    server.next(refuse, refuse);
    await expect(lent.getAccessToken()).rejects.toEqual(failing(code));
    await expect(lent.api.request({ path: 'x' })).rejects.toEqual(failing(code));
    expect([bearers, apiStatuses]).toEqual([[], []]);
    expect(await session.getAccessToken()).toBe(own);
  });

  test('case 109: but one for more scopes is refused, and its refresh token is kept', async () => {
    const { lent, session, server, own, bearers } = await signedIn();
    const wider = () => ({ json: { ...Object(server.issue().json), scope: 'read write' } });
    server.next(wider, wider);
    await expect(lent.getAccessToken()).rejects.toEqual(failing('malformed_response'));
    await expect(lent.api.request({ path: 'x' })).rejects.toEqual(failing('malformed_response'));
    expect(bearers).toEqual([]);
    expect(await session.getAccessToken()).toBe(own);
    await expect(session.getAccessToken(RENEW)).resolves.toContain('access');
    expect(session.state.name).toBe('signedIn');
  });

  test.each(['read', ''])(
    'case 109: one for "%s" is what was asked for, or less',
    async (scope) => {
      const { lent, server } = await signedIn();
      server.next(() => ({ json: { ...Object(server.issue().json), scope } }));
      await expect(lent.getAccessToken()).resolves.toContain('access');
    },
  );

  test('while the last one is still good, gives that', async () => {
    const { lent, server, clock, own } = await signedIn();
    const token = await lent.getAccessToken();
    await clock.advance(3_590_000);
    server.next(() => ({ status: 503 }));
    await expect(lent.getAccessToken()).resolves.toBe(token);
    expect(token).not.toBe(own);
    await clock.advance(10_000);
    server.next(() => ({ status: 503 }));
    await expect(lent.getAccessToken()).rejects.toEqual(failing('http_error'));
  });

  test('and asks for patience is left alone by all', async () => {
    const { lent, session, server, clock, refreshes } = await signedIn();
    server.next(() => ({ status: 429, headers: { 'retry-after': '7' } }));
    await expect(lent.getAccessToken()).rejects.toEqual(failing('rate_limited'));
    await expect(lent.getAccessToken()).rejects.toEqual(failing('rate_limited'));
    await expect(session.share({ scopes: ['write'] }).getAccessToken()).rejects.toEqual(
      failing('rate_limited'),
    );
    expect(refreshes()).toHaveLength(1);
    await clock.advance(7_000);
    await lent.getAccessToken();
    expect(refreshes()).toHaveLength(2);
  });

  test('for want of a refresh token loses nobody the session', async () => {
    const opened = open();
    const { session, server, clock } = opened;
    server.next(() => ({ json: { access_token: 'only', token_type: 'Bearer', expires_in: 60 } }));
    await opened.signIn();
    const lent = session.share(READ);
    await expect(lent.getAccessToken()).rejects.toEqual(failing('configuration_error'));
    await expect(session.getAccessToken()).resolves.toBe('only');
    expect(session.state.name).toBe('signedIn');
    expect(server.tokenRequests()).toHaveLength(1);
    await clock.advance(60_000);
    await expect(lent.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('case 121: because a sibling spent the refresh token first, gives one for the next', async () => {
    const { lent, sibling, session } = await signedIn();
    const other = sibling();
    await other.session.getAccessToken(RENEW);
    await expect(lent.getAccessToken()).resolves.toContain('access');
    expect(session.state.name).toBe('signedIn');
  });
});

describe('what drops it', () => {
  test('a sign-out', async () => {
    const { lent, session, refreshes, signIn } = await signedIn();
    const token = await lent.getAccessToken();
    await session.signOut();
    await expect(lent.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'signedOut' }),
    );
    await signIn();
    expect(await lent.getAccessToken()).not.toBe(token);
    expect(refreshes()).toHaveLength(2);
  });

  test('case 137: a sign-out while its refresh token is being saved, and it is revoked', async () => {
    const { lent, session, store, server, clock } = await signedIn();
    const set = store.set.bind(store);
    const saved = deferred<void>();
    store.set = async (key, value) => (await saved.promise, set(key, value));
    const asked = lent.getAccessToken().catch((error: unknown) => error);
    await settle();
    const signingOut = session.signOut();
    await settle();
    saved.resolve();
    expect(await asked).toEqual(failing('sign_in_required', { reason: 'signedOut' }));
    await signingOut;
    await clock.advance(5_000);
    expect(server.revoked).toEqual(
      expect.arrayContaining(
        ['refresh-2', 'access-2'].map((each) => expect.stringContaining(each)),
      ),
    );
  });

  test('a new sign-in: it was somebody else’s', async () => {
    const { lent, refreshes, signIn } = await signedIn();
    const token = await lent.getAccessToken();
    await signIn();
    expect(await lent.getAccessToken()).not.toBe(token);
    expect(refreshes()).toHaveLength(2);
  });

  test('a new sign-in while it is on its way, and it is revoked', async () => {
    const { lent, server, signIn, own, clock } = await signedIn();
    const late = deferred<FakeAnswer>();
    server.next(() => late.promise);
    const asked = lent.getAccessToken().catch((error: unknown) => error);
    await settle();
    let isSignedIn = false;
    const signingIn = signIn().then(() => (isSignedIn = true));
    // Saving waits a while, though not for ever, for a renewal of the former session.
    while (!isSignedIn) await clock.advance(1_000);
    await signingIn;
    const former = server.issue();
    late.resolve(former);
    // Whatever becomes of this call, the former user's token is not its answer.
    const outcome = await asked;
    const { access_token, refresh_token } = Object(former.json);
    expect([access_token, own]).not.toContain(outcome);
    await settle();
    expect(server.revoked).toEqual([refresh_token, access_token]);
    await expect(lent.getAccessToken()).resolves.toContain('access');
  });

  test('what a sibling has stored: it may be somebody else’s', async () => {
    const { lent, session, sibling, refreshes, clock } = await signedIn();
    await clock.advance(1_800_000);
    const token = await lent.getAccessToken();
    await clock.advance(1_800_000);
    expect(await lent.getAccessToken()).toBe(token);
    const other = sibling();
    await other.signIn();
    // This session sees it when it next looks.
    const own = await session.getAccessToken();
    expect(own).toBe(await other.session.getAccessToken());
    const before = refreshes().length;
    const next = await lent.getAccessToken();
    expect([token, own]).not.toContain(next);
    expect(refreshes()).toHaveLength(before + 1);
  });

  test('a sign-out elsewhere, seen at the next renewal', async () => {
    const { lent, session, sibling } = await signedIn();
    await lent.getAccessToken();
    const other = sibling();
    await other.session.signOut();
    await expect(session.getAccessToken(RENEW)).rejects.toEqual(failing('sign_in_required'));
    await expect(lent.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });
});

describe('case 125: a store that fails', () => {
  const full = () => Promise.reject(new Error('no space'));

  test('keeps the rotated refresh token in memory, and saves it later', async () => {
    const { lent, session, store, clock, sibling, own, refreshes } = await signedIn();
    const set = store.set.bind(store);
    store.set = full;
    const token = await lent.getAccessToken();
    expect(await lent.getAccessToken()).toBe(token);
    expect(await session.getAccessToken()).toBe(own);
    await session.getAccessToken(RENEW);
    expect(session.state.name).toBe('signedIn');
    store.set = set;
    await clock.advance(5_000);
    await lent.getAccessToken();
    expectNoneSpentTwice(refreshes);
    const next = sibling();
    await next.session.getAccessToken(RENEW);
    expect(next.session.state.name).toBe('signedIn');
  });

  test('costs no more refreshes than one that does not', async () => {
    const { lent, store, clock, refreshes, own, session } = await signedIn();
    store.set = full;
    await lent.getAccessToken();
    for (let round = 2; round < 5; round += 1) {
      await clock.advance(5_000);
      await lent.getAccessToken(RENEW);
      expect(refreshes()).toHaveLength(round);
    }
    expect(await session.getAccessToken()).toBe(own);
    expect(refreshes().every((form) => form.get('scope') === 'read')).toBe(true);
  });

  test('saves what waits to be saved without asking the server', async () => {
    const { lent, store, clock, refreshes, sibling, own } = await signedIn();
    const set = store.set.bind(store);
    store.set = full;
    const token = await lent.getAccessToken();
    store.set = set;
    await clock.advance(5_000);
    expect(await lent.getAccessToken()).toBe(token);
    expect(refreshes()).toHaveLength(1);
    expect(await sibling().session.getAccessToken()).toBe(own);
  });
});

describe('an API that is lent', () => {
  test('sends the token for fewer scopes', async () => {
    const { lent, bearers, own } = await signedIn();
    await lent.api.request({ path: 'x' });
    expect(bearers).toEqual([await lent.getAccessToken()]);
    expect(bearers).not.toContain(own);
  });

  test('case 130: a 401 renews that one, not the session’s', async () => {
    const { lent, session, apiStatuses, bearers, own, refreshes } = await signedIn();
    apiStatuses.push(401);
    await lent.api.request({ path: 'x' });
    expect(bearers).toHaveLength(2);
    expect(new Set([...bearers, own]).size).toBe(3);
    expect(refreshes().map((form) => form.get('scope'))).toEqual(['read', 'read']);
    expect(await session.getAccessToken()).toBe(own);
  });

  test('ten 401s at once cost one renewal', async () => {
    const { lent, apiStatuses, refreshes } = await signedIn();
    await lent.getAccessToken();
    apiStatuses.push(...Array.from({ length: 10 }, () => 401));
    await Promise.all(Array.from({ length: 10 }, () => lent.api.request({ path: 'x' })));
    expect(refreshes()).toHaveLength(2);
  });

  test('a 401 that stays is http_error, though the server gives the same token again', async () => {
    const { lent, apiStatuses, server } = await signedIn();
    const same = () => ({ json: { access_token: 'same', token_type: 'Bearer', expires_in: 60 } });
    server.next(same, same);
    apiStatuses.push(401, 401);
    await expect(lent.api.request({ path: 'x' })).rejects.toEqual(
      failing('http_error', { status: 401 }),
    );
  });
});

describe('the end of what was lent', () => {
  const waiting = async () => {
    const opened = await signedIn();
    const controller = new AbortController();
    const lent = opened.session.share({ ...READ, signal: controller.signal });
    opened.server.next(() => new Promise(() => {}));
    const asked = [lent.getAccessToken(), lent.api.request({ path: 'x' })];
    const outcomes = Promise.allSettled(asked);
    await settle();
    return { ...opened, lent, controller, outcomes };
  };
  const aborted = { status: 'rejected', reason: failing('aborted') };

  test('by its signal: what is under way and what comes later', async () => {
    const { controller, outcomes, lent, session, own, bearers, refreshes } = await waiting();
    controller.abort(new Error('mine'));
    expect(await outcomes).toEqual([aborted, aborted]);
    await expect(lent.getAccessToken()).rejects.toEqual(failing('aborted'));
    await expect(lent.api.request({ path: 'x' })).rejects.toEqual(failing('aborted'));
    expect(bearers).toEqual([]);
    expect(refreshes()).toHaveLength(1);
    expect(await session.getAccessToken()).toBe(own);
  });

  test('by the end of the session', async () => {
    const { outcomes, lent, session, clock } = await waiting();
    const closing = session.close();
    await clock.advance(2_000);
    expect(await outcomes).toEqual([aborted, aborted]);
    await closing;
    await expect(lent.getAccessToken()).rejects.toEqual(failing('aborted'));
    await expect(session.share(READ).getAccessToken()).rejects.toEqual(failing('aborted'));
    expect(clock.pending).toBe(0);
  });

  test('before it began: a signal that is aborted already', async () => {
    const { session, refreshes } = await signedIn();
    const signal = AbortSignal.abort();
    const lent = session.share({ ...READ, signal });
    await expect(lent.getAccessToken()).rejects.toEqual(failing('aborted'));
    await expect(lent.api.request({ path: 'x' })).rejects.toEqual(failing('aborted'));
    expect(refreshes()).toHaveLength(0);
  });

  test('case 167: of one borrower does not disturb another', async () => {
    const { session, server, refreshes } = await signedIn();
    const controller = new AbortController();
    const leaving = session.share({ ...READ, signal: controller.signal }).getAccessToken();
    const staying = session.share(READ).getAccessToken();
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    await settle();
    controller.abort();
    await expect(leaving).rejects.toEqual(failing('aborted'));
    answer.resolve(server.issue());
    await expect(staying).resolves.toContain('access');
    expect(refreshes()).toHaveLength(1);
  });

  test('case 167: of one call does not disturb another', async () => {
    const { lent, refreshes } = await signedIn();
    const controller = new AbortController();
    const leaving = lent.getAccessToken({ signal: controller.signal });
    const staying = lent.getAccessToken();
    controller.abort();
    await expect(leaving).rejects.toEqual(failing('aborted'));
    await expect(staying).resolves.toContain('access');
    expect(refreshes()).toHaveLength(1);
  });
});

describe('scopes that cannot be had', () => {
  // prettier-ignore
  test.each<[string, readonly string[]]>([
    ['none',                              []],
    ['one the session does not ask for',  ['read', 'admin']],
    ['one that only begins like one',     ['rea']],
    ['two in one',                        ['read write']],
    ['an empty one',                      ['']],
  ])('%s', async (_, scopes) => {
    const { session, refreshes } = await signedIn();
    expect(() => session.share({ scopes })).toThrow(failing('configuration_error') as Error);
    expect(refreshes()).toHaveLength(0);
  });

  test('any, where the platform gives no such token', async () => {
    const dialect = {};
    const { session, signIn } = open({ provider: { ...fakeProvider(), dialect } });
    await signIn();
    const own = await session.getAccessToken();
    const problem = 'the platform gives no token for fewer scopes';
    expect(() => session.share({ scopes: ['read'] })).toThrow(
      failing('configuration_error', { problem }) as Error,
    );
    expect(await session.share({ scopes: ['read', 'write'] }).getAccessToken()).toBe(own);
  });
});

describe('case 211: client credentials', () => {
  const service = (answers: FakeAnswer[] = []) => {
    const forms: URLSearchParams[] = [];
    const http = async ({ body }: HttpRequest) => {
      forms.push(new URLSearchParams(String(body)));
      const json = { access_token: `${SECRET}-${forms.length}`, token_type: 'Bearer', expires_in: 600 }; // prettier-ignore
      return toResponse(answers.shift() ?? { json });
    };
    const host = createFakeHost({ http });
    const provider = aps({
      grant: 'client_credentials',
      clientId: 'app',
      clientSecret: 'secret',
      scopes: ['data:read', 'data:write'],
    });
    const session = createSession({ host, provider });
    return { session, forms, clock: host.clock, lent: session.share({ scopes: ['data:read'] }) };
  };

  test('a token for fewer scopes is asked for by itself', async () => {
    const { session, lent, forms } = service();
    const tokens = await Promise.all([lent.getAccessToken(), lent.getAccessToken()]);
    const own = await session.getAccessToken();
    expect(new Set([...tokens, own]).size).toBe(2);
    expect(Object.fromEntries(forms.at(-1) ?? [])).toEqual({
      grant_type: 'client_credentials',
      scope: 'data:read',
    });
    expect(forms).toHaveLength(2);
  });

  test('and again when it ends, alone', async () => {
    const { lent, forms, clock } = service();
    const token = await lent.getAccessToken();
    await clock.advance(600_000);
    expect(await lent.getAccessToken()).not.toBe(token);
    expect(forms.map((form) => form.get('scope')).slice(2)).toEqual(['data:read']);
  });

  test('the broad one is not given instead', async () => {
    const tokens = { access_token: 'broad', token_type: 'Bearer', expires_in: 600 };
    const { lent, session } = service([{ json: tokens }, { status: 503 }, { status: 503 }]);
    expect(await session.getAccessToken()).toBe('broad');
    await expect(lent.getAccessToken()).rejects.toEqual(failing('http_error'));
    expect(await session.getAccessToken()).toBe('broad');
  });
});

test('no error, event or state holds anything of it', async () => {
  const { lent, session, server, changes, apiStatuses } = await signedIn();
  const errors: unknown[] = [];
  const scripts: (() => FakeAnswer)[] = [
    () => ({ status: 400, json: { error: 'invalid_scope', error_description: SECRET } }),
    () => ({ json: { ...Object(server.issue().json), scope: `read ${SECRET}` } }),
    () => ({ json: { ...Object(server.issue().json), token_type: SECRET } }),
    () => {
      throw new Error(SECRET);
    },
  ];
  server.next(...scripts.slice(1));
  for (const _ of scripts.slice(1)) await lent.getAccessToken().catch((error: unknown) => errors.push(error)); // prettier-ignore
  apiStatuses.push(401, 401);
  await lent.api.request({ path: 'x' }).catch((error: unknown) => errors.push(error));
  expect(errors).toHaveLength(4);
  const printed = inspect([errors, changes, session.state], { depth: 20, showHidden: true });
  expect(printed).not.toContain(SECRET);
});
