import fc from 'fast-check';
import type { Clock } from '../../src/ports/index.js';
import type { SessionState } from '../../src/session/state.js';
import { settle, type FakeClock } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import { createDesk, RENEW, type Desk } from './support.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const STEPS_MS = [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS];

/** A clock that notes every delay it was asked for. */
function watched(clock: FakeClock) {
  const delays: number[] = [];
  const noting =
    (after: Clock['after']): Clock['after'] =>
    (delayMs, callback) => (delays.push(delayMs), after(delayMs, callback));
  const seen: FakeClock = Object.create(clock, {
    after: { value: noting(clock.after) },
    inBackground: { value: noting(clock.inBackground) },
    pending: { get: () => clock.pending },
  });
  /** A delay is 0 or more, of any size. */
  const expectSound = () =>
    expect(delays.filter((delayMs) => !(typeof delayMs === 'number' && delayMs >= 0))).toEqual([]);
  return { clock: seen, delays, expectSound };
}

async function createWatched(
  how: Parameters<typeof createDesk>[0] & { renewAheadMs?: number } = {},
) {
  const { renewAheadMs, ...rest } = how;
  const desk = createDesk(rest);
  const seen = watched(desk.clock);
  const more = renewAheadMs === undefined ? {} : { renewAheadMs };
  const own = await desk.signedIn({ clock: seen.clock, ...more });
  const setBy = (ms: number) => desk.clock.setWall(desk.clock.nowMs() + ms);
  return { desk, own, session: own.session, setBy, seen, ...desk };
}
type Watched = Awaited<ReturnType<typeof createWatched>>;

type Reach = (watched: Watched) => Promise<(() => Promise<unknown>) | void>;
/** How to get into each state, and how to get on from there. */
const STATES: readonly [name: SessionState['name'], reach: Reach][] = [
  ['signedIn', async () => {}],
  [
    'degraded',
    async ({ server, session }) => {
      server.next(() => ({ status: 503 }));
      await session.getAccessToken(RENEW);
    },
  ],
  [
    'refreshing',
    async ({ server, session }) => {
      const answer = deferred<FakeAnswer>();
      server.next(() => answer.promise);
      const asked = session.getAccessToken(RENEW);
      await settle();
      return async () => (answer.resolve(server.issue()), asked);
    },
  ],
  [
    'authorizing',
    async ({ session, own }) => {
      const done = session.signIn();
      const visit = await own.host.visit();
      done.catch(() => {});
      return async () => {
        await visit.redirect({ code: 'ann' });
        await done.catch(() => {});
      };
    },
  ],
  [
    'exchanging',
    async ({ session, own, server }) => {
      const answer = deferred<FakeAnswer>();
      server.next(() => answer.promise);
      const done = session.signIn();
      void (await own.host.visit()).redirect({ code: 'ann' });
      await settle();
      return async () => (answer.resolve(server.issue()), done);
    },
  ],
  ['signedOut', async ({ session }) => session.signOut()],
];

describe.each(STATES)('case 133: the wall clock is set while %s', (name, reach) => {
  test.each(STEPS_MS)(
    'by %d ms: one refresh at most, no loop, no bad timer, here and in the next process',
    async (byMs) => {
      const here = await createWatched();
      const { session, setBy, desk, seen, clock } = here;
      const goOn = await reach(here);
      expect(session.state.name).toBe(name);
      const before = desk.refreshes().length;
      setBy(byMs);
      await goOn?.();
      const ask = () => session.getAccessToken().catch(() => 'none');
      for (let call = 0; call < 3; call += 1) await ask();
      const next = desk.start({ clock: seen.clock });
      for (let call = 0; call < 3; call += 1) await next.session.getAccessToken().catch(() => {});
      for (let call = 0; call < 3; call += 1) await ask();
      expect(desk.refreshes().length - before).toBeLessThanOrEqual(1);
      seen.expectSound();
      expect(clock.pending).toBe(0);
      const expected = name === 'signedOut' ? 'signedOut' : 'signedIn';
      expect([session.state.name, next.session.state.name]).toEqual([expected, expected]);
      // It ends on time all the same.
      await clock.advance(HOUR_MS);
      const { length } = desk.refreshes();
      await ask();
      expect(desk.refreshes().length - length).toBe(name === 'signedOut' ? 0 : 1);
    },
  );
});

type Step =
  | { readonly do: 'set'; readonly byMs: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'ask'; readonly who: 'here' | 'next' | 'a new one' };

test('case 133: whatever the clock is set to, each step costs one refresh at most', async () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('set' as const), byMs: fc.constantFrom(...STEPS_MS) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1_000, HOUR_MS / 2, HOUR_MS) }), // prettier-ignore
    fc.record({ do: fc.constant('ask' as const), who: fc.constantFrom<'here' | 'next' | 'a new one'>('here', 'next', 'a new one') }), // prettier-ignore
  );
  const ahead = fc.constantFrom(undefined, 300_000);
  const steps = fc.array(step, { minLength: 3, maxLength: 14 });
  const property = fc.asyncProperty(steps, ahead, async (all, renewAheadMs) => {
    const here = await createWatched(renewAheadMs === undefined ? {} : { renewAheadMs });
    const { desk, session, seen, setBy, clock } = here;
    const next = desk.start({ clock: seen.clock });
    // Each of these may make one token look too old: to each of two processes.
    let reasons = 0;
    let passedMs = 0;
    for (const each of all) {
      if (each.do === 'set') setBy(each.byMs);
      else if (each.do === 'pass') await clock.advance(each.ms);
      else {
        const process =
          each.who === 'here'
            ? session
            : each.who === 'next'
              ? next.session
              : desk.start({ clock: seen.clock }).session;
        await process.getAccessToken();
      }
      if (each.do === 'pass') passedMs += each.ms;
      if (each.do === 'set') reasons += 1;
      const mayHave = reasons + Math.ceil(passedMs / (HOUR_MS / 2));
      expect(desk.refreshes().length).toBeLessThanOrEqual(mayHave);
      expect(session.state.name).toBe('signedIn');
    }
    // It comes to rest: three questions of each are one refresh at most.
    const { length } = desk.refreshes();
    for (let round = 0; round < 3; round += 1) {
      await session.getAccessToken();
      await next.session.getAccessToken();
    }
    expect(desk.refreshes().length - length).toBeLessThanOrEqual(1);
    seen.expectSound();
    expect(clock.pending).toBe(0);
  });
  await fc.assert(property, { seed: 20_261_122, numRuns: 60 });
});

describe('case 106: a lifetime of', () => {
  const answering = ({ server }: Desk, expiresIn: unknown) =>
    server.next((form) => {
      const { json } = server.usual(form) as { json: object };
      return { json: { ...json, expires_in: expiresIn } };
    });

  // prettier-ignore
  test.each<[string, unknown, number | null]>([
    ['60 days',       5_184_000,     5_184_000_000],
    ['106 days',      9_158_400,     9_158_400_000],
    ['10 years',      315_360_000,   315_360_000_000],
    ['for ever',      1e18,          null],
    ['nothing',       0,             null],
    ['a past moment', -3600,         null],
    ['a text',        '3600',        3_600_000],
    ['no number',     'soon',        null],
    ['null',          null,          null],
    ['Infinity',      '1e999',       null],
  ])('%s', async (_, expiresIn, lifetimeMs) => {
    const desk = createDesk();
    const seen = watched(desk.clock);
    answering(desk, expiresIn);
    const own = await desk.signedIn({ clock: seen.clock, renewAheadMs: 60_000 });
    const expiresAtMs = lifetimeMs === null ? null : desk.clock.nowMs() + lifetimeMs;
    expect(own.session.state).toMatchObject({ name: 'signedIn', expiresAtMs });
    const next = desk.start({ clock: seen.clock });
    for (const { session } of [own, next, own, next]) await session.getAccessToken();
    expect(desk.refreshes()).toHaveLength(0);
    if (lifetimeMs !== null) {
      desk.clock.setWall(desk.clock.nowMs() + lifetimeMs - 31_000);
      if (lifetimeMs > HOUR_MS) for (const { session } of [own, next]) await session.getAccessToken(); // prettier-ignore
      expect(desk.refreshes()).toHaveLength(0);
      desk.clock.setWall(desk.clock.nowMs() + 31_000);
    } else desk.clock.setWall(desk.clock.nowMs() + 3650 * DAY_MS);
    for (const { session } of [own, next, own, next]) await session.getAccessToken();
    expect(desk.refreshes()).toHaveLength(lifetimeMs === null ? 0 : 1);
    seen.expectSound();
  });
});

describe('case 136: a machine that slept over the end', () => {
  test.each([
    ['in memory', false],
    ['from the store', true],
  ])('wakes ten callers of a session %s to one refresh', async (_, isNew) => {
    const { desk, session, setBy, seen } = await createWatched();
    const waking = isNew ? desk.start({ clock: seen.clock }).session : session;
    await waking.restore();
    // The monotonic clock stood still.
    setBy(8 * HOUR_MS);
    const tokens = await Promise.all(Array.from({ length: 10 }, () => waking.getAccessToken()));
    expect(new Set(tokens).size).toBe(1);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('wakes ten timers of three processes to one refresh', async () => {
    const { desk, own, setBy, clock } = await createWatched();
    const all = [own, desk.start(), desk.start()];
    for (const { session } of all) await session.restore();
    const asked: Promise<string>[] = [];
    for (let timer = 0; timer < 10; timer += 1) {
      const { session } = all[timer % 3] ?? own;
      clock.after(60_000, () => void asked.push(session.getAccessToken()));
    }
    setBy(8 * HOUR_MS);
    await clock.advance(60_000);
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(desk.refreshes()).toHaveLength(1);
  });

  test('during a sign-in: what comes back afterwards is too late, and the session stays', async () => {
    const { own, session, setBy, clock } = await createWatched();
    const done = session.signIn();
    const visit = await own.host.visit();
    done.catch(() => {});
    setBy(8 * HOUR_MS);
    await visit.redirect({ code: 'ann' });
    await expect(done).rejects.toMatchObject({ code: 'sign_in_timeout' });
    expect(session.state.name).toBe('signedIn');
    expect(clock.pending).toBe(0);
  });
});
