// Taking an account along from another place, when that is not the first time, or somebody is at either place
// meanwhile. Each row was once a line that could be changed without a test noticing (npm run mutate).
import { createLocalLock } from '../../adapters/web/local-lock.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { broken, createDesk, createDisk, failing, RENEW, type Desk, type Disk } from './support.js';

const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;
const recordIn = ({ values }: Disk) => {
  const [, text] = [...values].find(([key]) => RECORD.test(key)) ?? [];
  return text === undefined ? null : (JSON.parse(text) as NonNullable<ReturnType<Desk['record']>>);
};

/** A machine with an older place, where somebody has signed in, and a newer one. Nobody hears of changes. */
async function createMove() {
  const desk = createDesk();
  const old = createDisk({ name: 'old' });
  const lock = createLocalLock(desk.clock);
  const before = await desk.signedIn({ store: old, lock, isHeard: false });
  const own = desk.start({ isHeard: false });
  return { desk, old, before, session: own.session, host: own.host, from: { store: old, lock } };
}

/** Moved, but not removed where it was. */
async function createHalfMoved() {
  const move = await createMove();
  move.old.before = broken('remove');
  await expect(move.session.moveFrom(move.from)).rejects.toEqual(failing('store_unavailable'));
  move.old.before = () => {};
  return move;
}

test('an account that was taken along is signed in at once, though nobody listens', async () => {
  const { session, from, desk } = await createMove();
  expect(await session.moveFrom(from)).toBe(true);
  expect(session.state).toMatchObject({ name: 'signedIn' });
  expect(recordIn(desk.store)).not.toBeNull();
});

test('from another place under the same lock it waits for nobody', async () => {
  const { session, old, host, desk } = await createMove();
  const { get, set, remove } = old;
  const elsewhere = { get, set, remove, place: 'elsewhere' };
  expect(await session.moveFrom({ store: elsewhere, lock: host.lock })).toBe(true);
  expect([desk.clock.monotonicMs(), desk.clock.pending, old.values.size]).toEqual([0, 0, 0]);
});

describe('an account that could not be removed there', () => {
  test('is removed the next time, and written here but once', async () => {
    const { session, from, old, desk } = await createHalfMoved();
    const here = recordIn(desk.store);
    expect(here).not.toBeNull();
    desk.store.operations.length = 0;
    expect(await session.moveFrom(from)).toBe(true);
    expect(desk.store.operations.filter(({ operation }) => operation === 'set')).toEqual([]);
    expect([recordIn(desk.store), old.values.size]).toEqual([here, 0]);
    expect(session.state.name).toBe('signedIn');
  });

  test('and was renewed here since stays as it is here', async () => {
    const { session, from, old, desk } = await createHalfMoved();
    await desk.clock.advance(1_000);
    const token = await session.getAccessToken(RENEW);
    const here = recordIn(desk.store);
    expect(await session.moveFrom(from)).toBe(true);
    expect([recordIn(desk.store), old.values.size]).toEqual([here, 0]);
    expect(await session.getAccessToken()).toBe(token);
  });

  test('and was renewed there since is taken along anew', async () => {
    const { session, from, old, before, desk } = await createHalfMoved();
    await desk.clock.advance(1_000);
    const token = await before.session.getAccessToken(RENEW);
    const { refreshToken } = recordIn(old) ?? {};
    expect(await session.moveFrom(from)).toBe(true);
    expect(old.values.size).toBe(0);
    expect(recordIn(desk.store)).toMatchObject({ accessToken: token, refreshToken });
    await session.getAccessToken(RENEW);
    expect(session.state.name).toBe('signedIn');
  });
});

test('case 137: a sign-out that comes while the other place is slow is final', async () => {
  const { session, from, old, desk } = await createMove();
  const gate = deferred<void>();
  old.before = (operation) => (operation === 'get' ? gate.promise : undefined);
  const moving = session.moveFrom(from);
  await settle();
  const out = session.signOut();
  await desk.clock.advance(10_000);
  gate.resolve();
  expect(await moving).toBe(false);
  await out;
  expect([session.state.name, recordIn(desk.store)]).toEqual(['signedOut', null]);
  await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});

test('what was signed out of here is not brought back, neither now nor at the next start', async () => {
  const { session, from, old, desk } = await createHalfMoved();
  await session.signOut();
  expect(old.values.size).toBeGreaterThan(0);
  expect(await session.moveFrom(from)).toBe(false);
  expect(session.state.name).toBe('signedOut');
  expect(recordIn(desk.store)).toBeNull();
});
