import { inspect } from 'node:util';
import type { Lock } from '../../src/ports/index.js';
import { memoryStore } from '../../src/session/memory-store.js';
import { SECRET } from '../support/fake-server.js';
import { createDesk, createDisk, neverHeld, RENEW } from './support.js';

const MINUTES_MS = 60_000;

test('are there before anything happened, and cause nothing', () => {
  const desk = createDesk();
  const { session } = desk.start();
  expect(session.diagnostics).toEqual({ store: 'disk', hadLock: null, serverClockAheadMs: null });
  expect(desk.store.operations).toEqual([]);
  expect(desk.server.requests).toEqual([]);
  expect(session.state.name).toBe('idle');
});

// prettier-ignore
test.each([
  ['its name',                  createDisk({ name: 'keyring' }),           'keyring'],
  ['memory',                    memoryStore(),                             'memory'],
  ['nothing where it has none', createDisk({ name: undefined as never }),  null],
])('name the store in use: %s', async (_, store, name) => {
  const desk = createDesk();
  const { session } = await desk.signedIn({ store });
  expect(session.diagnostics.store).toBe(name);
});

test('name that of several stores which is in use now', async () => {
  const desk = createDesk();
  let name: string | undefined;
  const store = Object.defineProperty(createDisk(), 'name', { get: () => name });
  const { session } = desk.start({ store });
  expect(session.diagnostics.store).toBeNull();
  name = 'file';
  expect(session.diagnostics.store).toBe('file');
});

describe('case 144: say whether the lock was had', () => {
  const throwing: Lock = () => Promise.reject(new Error('no folder'));
  const throwingAtOnce: Lock = () => {
    throw new Error('no folder');
  };
  test.each<[string, Lock | undefined, boolean]>([
    ['in time', undefined, true],
    ['never', neverHeld, false],
    ['never, for it fails', throwing, false],
    ['never, for it throws', throwingAtOnce, false],
  ])('%s', async (_, lock, hadLock) => {
    const desk = createDesk(lock && { lock });
    const { session } = await desk.signedIn();
    await session.getAccessToken(RENEW);
    expect(session.diagnostics.hadLock).toBe(hadLock);
    expect(session.state.name).toBe('signedIn');
  });

  test('the last one, for things may have become better or worse', async () => {
    const desk = createDesk();
    const { lock } = desk.start().host;
    let isBroken = false;
    const changing: Lock = (name, timeoutMs, task) =>
      isBroken ? throwing(name, timeoutMs, task) : lock(name, timeoutMs, task);
    const { session } = await desk.signedIn({ lock: changing });
    expect(session.diagnostics.hadLock).toBe(true);
    isBroken = true;
    await session.getAccessToken(RENEW);
    expect(session.diagnostics.hadLock).toBe(false);
    isBroken = false;
    await session.getAccessToken(RENEW);
    expect(session.diagnostics.hadLock).toBe(true);
  });
});

describe('case 134: a server whose clock differs', () => {
  test.each([[10 * MINUTES_MS], [-10 * MINUTES_MS], [0], [86_400_000]])(
    'by %d ms is shown, and the lifetime counts from the arrival',
    async (aheadMs) => {
      const desk = createDesk();
      const { clock, server } = desk;
      const answer = (form: URLSearchParams) => {
        const date = new Date(clock.nowMs() + aheadMs).toUTCString();
        const { json } = server.usual(form) as { json: object };
        return { json, headers: { date } };
      };
      server.next(answer, answer);
      const own = await desk.signedIn();
      const { session } = own;
      const shown = session.diagnostics.serverClockAheadMs;
      expect(Math.abs((shown ?? NaN) - aheadMs)).toBeLessThanOrEqual(1_000);
      const arrivedAtMs = clock.nowMs();
      expect(session.state).toMatchObject({ expiresAtMs: arrivedAtMs + 3_600_000 });
      expect(desk.record()?.receivedAtMs).toBe(arrivedAtMs);
      await clock.advance(3_569_000);
      await session.getAccessToken();
      expect(desk.refreshes()).toHaveLength(0);
      await clock.advance(1_000);
      await session.getAccessToken();
      expect(desk.refreshes()).toHaveLength(1);
    },
  );

  test.each([['nonsense'], [''], ['0'], ['Thu, 01 Jan 1970 00:00:00 GMT']])(
    'and says %j says nothing',
    async (date) => {
      const desk = createDesk();
      desk.server.next((form) => ({ ...(desk.server.usual(form) as object), headers: { date } }));
      const { session } = await desk.signedIn();
      const { serverClockAheadMs } = session.diagnostics;
      expect(serverClockAheadMs === null || Number.isFinite(serverClockAheadMs)).toBe(true);
      expect(session.state.name).toBe('signedIn');
    },
  );

  test('is known from a refusal, too: a wrong clock may be its reason', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    const date = new Date(desk.clock.nowMs() + 10 * MINUTES_MS).toUTCString();
    desk.server.next(() => ({ status: 400, json: { error: 'invalid_grant' }, headers: { date } }));
    await session.getAccessToken(RENEW).catch(() => {});
    expect(Math.round((session.diagnostics.serverClockAheadMs ?? 0) / MINUTES_MS)).toBe(10);
  });

  test('is what its last answer said; one without a date changes nothing', async () => {
    const desk = createDesk();
    const { clock, server } = desk;
    const saying = (aheadMs: number) => (form: URLSearchParams) => ({
      ...(server.usual(form) as object),
      headers: { date: new Date(clock.nowMs() + aheadMs).toUTCString() },
    });
    server.next(saying(5 * MINUTES_MS), saying(0));
    const { session } = await desk.signedIn();
    await session.getAccessToken(RENEW);
    expect(session.diagnostics.serverClockAheadMs).toBe(0);
    await session.getAccessToken(RENEW);
    expect(session.diagnostics.serverClockAheadMs).toBe(0);
  });
});

test('hold no secret, and are those of one moment', async () => {
  const desk = createDesk();
  const { session } = await desk.signedIn();
  const before = session.diagnostics;
  await session.getAccessToken(RENEW);
  await session.close();
  expect(session.diagnostics).toMatchObject({ store: 'disk', hadLock: true });
  expect(inspect([before, session.diagnostics], { showHidden: true, depth: 9 })).not.toContain(
    SECRET,
  );
});
