import type { ErrorCode } from '../../src/errors.js';
import { createSession } from '../../src/session/create-session.js';
import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import { fakeProvider } from '../support/fake-server.js';
import { broken, createDesk, failing, RENEW } from './support.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Signed in, and to be renewed five minutes before the end. */
async function createAhead({
  renewAheadMs = 5 * MINUTE_MS,
  ...how
}: Parameters<typeof createDesk>[0] & { renewAheadMs?: number } = {}) {
  const desk = createDesk(how);
  const own = await desk.signedIn({ renewAheadMs });
  const timers = () => [desk.clock.pending, desk.clock.pendingInBackground];
  return { desk, own, timers, ...desk, session: own.session };
}
type Ahead = Awaited<ReturnType<typeof createAhead>>;

const away = () => ({ status: 503 });

describe('renewing ahead', () => {
  test('happens once, before the end, though nobody asks', async () => {
    const { clock, refreshes, own, session, desk } = await createAhead();
    await clock.advance(54 * MINUTE_MS);
    expect(refreshes()).toHaveLength(0);
    await clock.advance(2 * MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
    expect(own.news()).toEqual(['refreshDue refreshing', 'tokensIssued signedIn']);
    await clock.advance(50 * MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
    expect(await session.getAccessToken()).toBe(desk.record()?.accessToken);
    expect(refreshes()).toHaveLength(1);
  });

  test('goes on for a day, one renewal for each token, and nobody ever waits for one', async () => {
    const { clock, refreshes, session } = await createAhead();
    for (let hour = 0; hour < 24; hour += 1) {
      await clock.advance(HOUR_MS);
      const { length } = refreshes();
      await session.getAccessToken();
      expect(refreshes()).toHaveLength(length);
    }
    expect(refreshes().length).toBeGreaterThanOrEqual(25);
    expect(refreshes().length).toBeLessThanOrEqual(27);
  });

  test('keeps no process alive: it leaves nothing but one timer in the background', async () => {
    const { clock, timers } = await createAhead();
    for (let minute = 0; minute < 120; minute += 1) {
      expect(timers()).toEqual([0, 1]);
      await clock.advance(MINUTE_MS);
    }
  });

  test('works with a clock that has no background', async () => {
    const desk = createDesk();
    const { inBackground: _, ...clock } = desk.clock;
    await desk.signedIn({ renewAheadMs: 5 * MINUTE_MS, clock: clock as never });
    await desk.clock.advance(HOUR_MS);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('goes on from the store, in the next process', async () => {
    const { desk, own } = await createAhead();
    await own.session.close();
    const next = desk.start({ renewAheadMs: 5 * MINUTE_MS });
    await desk.clock.advance(30 * MINUTE_MS);
    await next.session.restore();
    await desk.clock.advance(26 * MINUTE_MS);
    expect(desk.refreshes()).toHaveLength(1);
    expect(next.session.state.name).toBe('signedIn');
  });

  test('of one token by three processes costs one refresh', async () => {
    const { desk, clock, refreshes } = await createAhead();
    const others = [1, 2].map(() => desk.start({ renewAheadMs: 5 * MINUTE_MS }));
    for (const { session } of others) await session.restore();
    await clock.advance(HOUR_MS);
    expect(refreshes()).toHaveLength(1);
    const token = desk.record()?.accessToken;
    for (const { session } of others) expect(await session.getAccessToken()).toBe(token);
  });

  // prettier-ignore
  test.each([
    ['an hour, five minutes ahead',         3600, 5 * MINUTE_MS,  3300],
    ['a minute: at half of its life',       60,   5 * MINUTE_MS,  30],
    ['ten seconds: at half of its life',    10,   5 * MINUTE_MS,  5],
    ['an hour, and as long ahead: at half', 3600, HOUR_MS,        1800],
    ['an hour, endlessly ahead: at half',   3600, Infinity,       1800],
    ['an hour, a moment ahead',             3600, 1,              3600],
    ['60 days, five minutes ahead',         5_184_000, 5 * MINUTE_MS, 5_183_700],
  ])('a token of %s', async (_, lifetimeS, renewAheadMs, expectedS) => {
    const { clock, refreshes } = await createAhead({ lifetimeS, renewAheadMs });
    // It looks once a minute, and never more than once a second.
    clock.setWall(clock.nowMs() + Math.max(0, expectedS - 3600) * 1000);
    const leftS = Math.min(expectedS, 3600);
    await clock.advance(leftS * 1000 - 1_001);
    expect(refreshes()).toHaveLength(0);
    await clock.advance(2_001);
    expect(refreshes()).toHaveLength(1);
  });

  test('of a token that lives shorter than a second is done once a second at most', async () => {
    const { clock, refreshes } = await createAhead({ lifetimeS: 0.2 });
    await clock.advance(10_000);
    expect(refreshes().length).toBeLessThanOrEqual(10);
  });

  test('is not done for a token without an end, nor without a refresh token', async () => {
    const endless = await createAhead({ lifetimeS: null });
    await endless.clock.advance(100 * HOUR_MS);
    expect(endless.refreshes()).toHaveLength(0);
    expect(endless.timers()).toEqual([0, 0]);
    const desk = createDesk();
    const own = desk.start({ renewAheadMs: MINUTE_MS });
    desk.server.next(() => ({
      json: { access_token: 'only', token_type: 'Bearer', expires_in: 60 },
    }));
    await own.signIn();
    await desk.clock.advance(59_000);
    expect(own.session.state.name).toBe('signedIn');
    expect(desk.clock.pendingInBackground).toBe(0);
  });

  test('does not look for an account by itself', async () => {
    const desk = createDesk();
    await desk.signedIn({ isHeard: false });
    const idle = desk.start({ renewAheadMs: 5 * MINUTE_MS });
    await desk.clock.advance(HOUR_MS);
    expect(idle.session.state.name).toBe('idle');
    expect(desk.refreshes()).toHaveLength(0);
  });
});

describe('case 133, 136: clocks', () => {
  test('a timer that fires late still finds its work, and no timer is too early', async () => {
    const desk = createDesk();
    let slow = 1;
    const clock = Object.create(desk.clock, {
      inBackground: {
        value: (delayMs: number, callback: () => void) =>
          desk.clock.inBackground(delayMs * slow, callback),
      },
    });
    await desk.signedIn({ renewAheadMs: 5 * MINUTE_MS, clock });
    await desk.clock.advance(54 * MINUTE_MS);
    // A page in the background: once in a while.
    slow = 4;
    await desk.clock.advance(10 * MINUTE_MS);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('a machine that slept renews within a minute of waking, once', async () => {
    const { clock, refreshes } = await createAhead();
    clock.setWall(clock.nowMs() + 8 * HOUR_MS);
    await clock.advance(MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
    await clock.advance(10 * MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
  });

  test.each([[-24 * HOUR_MS], [-HOUR_MS], [HOUR_MS], [24 * HOUR_MS]])(
    'a wall clock set by %d ms costs one refresh at most, and it goes on',
    async (byMs) => {
      const { clock, refreshes } = await createAhead();
      await clock.advance(10 * MINUTE_MS);
      clock.setWall(clock.nowMs() + byMs);
      await clock.advance(20 * MINUTE_MS);
      expect(refreshes().length).toBeLessThanOrEqual(1);
      await clock.advance(HOUR_MS);
      expect(refreshes().length).toBeGreaterThanOrEqual(1);
      expect(refreshes().length).toBeLessThanOrEqual(2);
    },
  );
});

describe('when the server is away', () => {
  test('it is tried again when the state says so, until it is back', async () => {
    const { clock, server, refreshes, session } = await createAhead();
    server.next(away, away, away);
    await clock.advance(55 * MINUTE_MS);
    expect(session.state.name).toBe('degraded');
    expect(refreshes()).toHaveLength(1);
    for (const count of [2, 3]) {
      const { state } = session;
      const leftMs = state.name === 'degraded' ? state.retryAtMs - clock.nowMs() : NaN;
      await clock.advance(leftMs);
      expect(refreshes()).toHaveLength(count);
    }
    await clock.advance(MINUTE_MS);
    expect(session.state.name).toBe('signedIn');
    expect(refreshes()).toHaveLength(4);
  });

  test('a server that asks for time is given it, and asked again then', async () => {
    const { clock, server, refreshes, session } = await createAhead();
    server.next(() => ({ status: 429, headers: { 'retry-after': '40' } }));
    await clock.advance(55 * MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
    await clock.advance(39_000);
    expect(refreshes()).toHaveLength(1);
    await clock.advance(1_000);
    expect(refreshes()).toHaveLength(2);
    expect(session.state.name).toBe('signedIn');
  });

  test('asked for time, it is asked again, though the clock is set and something happens meanwhile', async () => {
    const { clock, desk, server, own, session } = await createAhead();
    await session.api.whoAmI();
    await settle();
    desk.nextOwner = 'bob';
    await session.getAccessToken(RENEW);
    server.next(() => ({ status: 429, headers: { 'retry-after': '40' } }));
    await clock.advance(55 * MINUTE_MS);
    expect(session.state.name).toBe('degraded');
    clock.setWall(clock.nowMs() + 50_000);
    own.news();
    await session.api.whoAmI();
    await settle();
    expect(own.news()).toEqual(['userChanged degraded']);
    await clock.advance(10 * MINUTE_MS);
    expect(session.state.name).toBe('signedIn');
  });

  test('a failure while the token is still good is retried as the state says, and wakes no one meanwhile', async () => {
    const { clock, server, session, desk } = await createAhead();
    const after = jest.spyOn(desk.clock, 'inBackground');
    server.next(away);
    await session.getAccessToken(RENEW);
    expect(session.state.name).toBe('degraded');
    const { length } = after.mock.calls;
    await clock.advance(10 * MINUTE_MS);
    // Once a minute is often enough to look.
    expect(after.mock.calls.length - length).toBeLessThanOrEqual(12);
  });

  test('for hours costs one request a minute at most', async () => {
    const { clock, refreshes, desk } = await createAhead();
    const { http } = desk.server;
    desk.server.http = (request) =>
      request.url.endsWith('/token')
        ? (void http(request).catch(() => {}), Promise.reject(new Error('offline')))
        : http(request);
    await clock.advance(55 * MINUTE_MS);
    const { length } = refreshes();
    await clock.advance(3 * HOUR_MS);
    expect(refreshes().length - length).toBeLessThanOrEqual(3 * 60 + 10);
    expect(refreshes().length - length).toBeGreaterThan(100);
  });

  test('a refusal signs out, and leaves no timer', async () => {
    const { clock, server, session, timers } = await createAhead();
    server.revokeAll();
    await clock.advance(HOUR_MS);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    expect(timers()).toEqual([0, 0]);
  });
});

describe('nothing is left', () => {
  // prettier-ignore
  test.each<[string, (ahead: Ahead) => Promise<unknown>]>([
    ['close',                     ({ session }) => session.close()],
    ['a sign-out',                ({ session }) => session.signOut()],
    ['a sibling’s sign-out',      ({ desk }) => desk.start().session.signOut()],
    ['close while it renews',     async ({ session, server, clock }) => {
      server.next(() => new Promise(() => {}));
      await clock.advance(55 * MINUTE_MS);
      const closed = session.close();
      await clock.advance(1_500);
      await closed;
    }],
    ['close while degraded',      async ({ session, server, clock }) => {
      server.next(away);
      await clock.advance(55 * MINUTE_MS);
      await session.close();
    }],
    ['close while it is signed in anew', async ({ session, own }) => {
      const done = session.signIn();
      done.catch(() => {});
      await own.host.visit();
      await session.close();
    }],
  ])('after %s', async (_, end) => {
    const ahead = await createAhead();
    const { timers, clock, refreshes } = ahead;
    await end(ahead);
    await settle();
    expect(timers()).toEqual([0, 0]);
    const { length } = refreshes();
    await clock.advance(2 * HOUR_MS);
    expect(refreshes()).toHaveLength(length);
  });
});

describe('what goes on meanwhile', () => {
  test('a sign-in that is under way is not disturbed, and renewing goes on after it', async () => {
    const { clock, session, own, refreshes } = await createAhead();
    await clock.advance(54 * MINUTE_MS);
    const done = session.signIn();
    const visit = await own.host.visit();
    await clock.advance(4 * MINUTE_MS);
    expect(session.state.name).toBe('authorizing');
    expect(refreshes()).toHaveLength(0);
    await Promise.all([visit.redirect({ error: 'access_denied' }), done.catch(() => {})]);
    await clock.advance(MINUTE_MS);
    expect(refreshes()).toHaveLength(1);
  });

  test('a renewal that hangs is one renewal', async () => {
    const { clock, session, refreshes, server } = await createAhead();
    const answer = deferred<FakeAnswer>();
    server.next(() => answer.promise);
    await clock.advance(55 * MINUTE_MS);
    const asked = session.getAccessToken(RENEW);
    await clock.advance(20_000);
    answer.resolve(server.issue());
    await asked;
    expect(refreshes()).toHaveLength(1);
  });

  test('tokens that are not saved yet are saved, and renewed in time', async () => {
    const { clock, session, refreshes, store } = await createAhead();
    store.before = broken('set');
    await session.getAccessToken(RENEW);
    await clock.advance(MINUTE_MS);
    store.before = () => {};
    await clock.advance(HOUR_MS);
    expect(refreshes()).toHaveLength(2);
    expect(session.state).not.toHaveProperty('unsaved');
  });
});

test.each<[unknown]>([[0], [-1], [NaN], [null], ['60000'], ['soon'], [true], [{}], [[5]]])(
  'renewAheadMs %p is a configuration_error',
  (renewAheadMs) => {
    const { host } = createDesk().start();
    const code: ErrorCode = 'configuration_error';
    const make = () =>
      createSession({ host, provider: fakeProvider(), renewAheadMs: renewAheadMs as number });
    expect(make).toThrow(failing(code));
  },
);
