// Noting who is signed in, and looking at what others have stored: neither may undo what somebody has done meanwhile.
// Each row was once a line that could be changed without a test noticing (npm run mutate).
import { listAccounts } from '../../src/session/accounts.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { fakeProvider } from '../support/fake-server.js';
import {
  broken,
  createDesk,
  failing,
  neverHeld,
  RENEW,
  type Desk,
  type Disk,
  type Operation,
} from './support.js';

const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;
const keyOf = ({ values }: Disk) => [...values.keys()].find((key) => RECORD.test(key)) ?? '';
const writesTo = ({ operations }: Disk) =>
  operations.filter(({ operation, key }) => operation === 'set' && RECORD.test(key));

/** The next operations of one kind under keys like this wait until they are let go. */
function stall(store: Disk, stalled: Operation, name = RECORD) {
  const gate = deferred<void>();
  const reached = deferred<void>();
  store.before = (operation, key) => {
    if (operation !== stalled || !name.test(key)) return undefined;
    reached.resolve();
    return gate.promise;
  };
  const own = store.before;
  const letGo = async () => {
    if (store.before === own) store.before = () => {};
    gate.resolve();
    await settle();
  };
  return { reached: reached.promise, letGo };
}

/** A place that tells nobody of changes. */
const silent = ({ store: { get, values } }: Desk) => ({
  get,
  set: async (key: string, value: string) => void values.set(key, value),
  remove: async (key: string) => void values.delete(key),
});

describe('case 140: who is signed in is noted', () => {
  test('once, however often the platform says so at the same moment', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    desk.store.operations.length = 0;
    await Promise.all([session.api.whoAmI(), session.api.whoAmI(), session.api.whoAmI()]);
    await settle();
    expect(desk.record()?.identity).toEqual(expect.any(String));
    expect(writesTo(desk.store)).toHaveLength(1);
  });

  test('not without the lock: a sibling may be about to save what came since', async () => {
    const desk = createDesk({ lock: neverHeld });
    const { session } = await desk.signedIn();
    const before = desk.record();
    await session.api.whoAmI();
    await settle();
    expect(desk.record()).toEqual(before);
  });

  test('not while newer tokens wait to be saved, but the next time', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    const before = desk.record();
    desk.store.before = broken('set');
    await session.getAccessToken(RENEW);
    desk.store.before = () => {};
    await session.api.whoAmI();
    await settle();
    expect(desk.record()).toEqual(before);
    await desk.clock.advance(5_000);
    expect(session.state).not.toHaveProperty('unsaved');
    await session.api.whoAmI();
    await settle();
    expect(desk.record()?.identity).toEqual(expect.any(String));
    expect(desk.record()?.accessToken).toBe(await session.getAccessToken());
  });

  test('case 137: not after a sign-out that came while the store was looked at', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    const { reached, letGo } = stall(desk.store, 'get');
    await session.api.whoAmI();
    await reached;
    const out = session.signOut();
    // So long that the sign-out waits for nobody any more.
    await desk.clock.advance(10_000);
    await letGo();
    await out;
    expect(desk.record()).toBeNull();
    expect(session.state.name).toBe('signedOut');
  });

  test('case 137: and a sign-out that came while it was being saved is final', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn({ isHeard: false });
    const { reached, letGo } = stall(desk.store, 'set');
    await session.api.whoAmI();
    await reached;
    const out = session.signOut();
    await settle();
    await letGo();
    await out;
    expect([desk.record(), session.state.name]).toEqual([null, 'signedOut']);
    await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
  });

  test('not over a damaged record: that is mended first, and the session says so', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn();
    desk.store.values.set(keyOf(desk.store), '{');
    await session.api.whoAmI();
    await settle();
    expect(session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    await desk.clock.advance(5_000);
    expect(session.state).not.toHaveProperty('unsaved');
    expect(desk.record()?.accessToken).toBe(await session.getAccessToken());
  });
});

describe('case 195: what others store is noticed', () => {
  test('not while somebody signs in here, but when that has come to nothing', async () => {
    const desk = createDesk();
    const own = desk.start();
    const controller = new AbortController();
    const done = own.session.signIn({ signal: controller.signal });
    const { url } = await own.host.visit();
    await desk.signedIn();
    await expect(own.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
    expect(own.session.state).toMatchObject({ name: 'authorizing', authorizationUrl: url });
    own.news();
    controller.abort();
    await expect(done).rejects.toEqual(failing('sign_in_cancelled'));
    await settle();
    expect(own.news()).toEqual(['signInFailed signedOut', 'sessionFound signedIn']);
    await expect(own.session.getAccessToken()).resolves.toBe(desk.record()?.accessToken);
  });

  test('again, when a sign-in began before the store had answered', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    await desk.start({ store: silent(desk) }).session.getAccessToken(RENEW);
    const { reached, letGo } = stall(desk.store, 'get');
    desk.store.tell();
    await reached;
    const controller = new AbortController();
    const done = own.session.signIn({ signal: controller.signal });
    done.catch(() => {});
    await letGo();
    controller.abort();
    await settle();
    expect(own.news().slice(-2)).toEqual(['sessionKept signedIn', 'sessionRenewed signedIn']);
    expect(await own.session.getAccessToken()).toBe(desk.record()?.accessToken);
  });

  test('not of before: who has signed in here meanwhile stays signed in', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    await desk.start({ store: silent(desk) }).session.signOut();
    // It is looked twice: at the record, and whether one was set aside. In between somebody signs in here.
    const first = stall(desk.store, 'get');
    desk.store.tell();
    await first.reached;
    const done = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'bob' });
    await settle();
    const second = stall(desk.store, 'get', /\/damaged$/);
    await first.letGo();
    await second.reached;
    await done;
    await second.letGo();
    expect(own.session.state.name).toBe('signedIn');
    expect(await own.session.getAccessToken()).toBe(desk.record()?.accessToken);
  });

  test('by whoever asks for a token, without asking the server', async () => {
    const desk = createDesk();
    const own = desk.start({ store: silent(desk) });
    await own.session.restore();
    await desk.signedIn();
    own.news();
    expect(await own.session.getAccessToken()).toBe(desk.record()?.accessToken);
    expect([own.news(), own.sent]).toEqual([['sessionFound signedIn'], []]);
  });
});

describe('case 125: a record that was damaged while a session is open', () => {
  const damaged = async (how: Parameters<Desk['start']>[0] = {}) => {
    const desk = createDesk();
    const own = await desk.signedIn(how);
    const before = desk.record();
    desk.store.values.set(keyOf(desk.store), '{');
    desk.store.tell();
    await settle();
    desk.store.operations.length = 0;
    return { desk, own, before };
  };

  test('is written again after 5 s, not at once: a sibling may be doing so', async () => {
    const { desk, own, before } = await damaged();
    expect(own.session.state).toMatchObject({ name: 'signedIn', unsaved: true });
    await desk.clock.advance(4_000);
    await own.session.getAccessToken();
    await settle();
    expect(writesTo(desk.store)).toEqual([]);
    await desk.clock.advance(1_000);
    expect(writesTo(desk.store)).toHaveLength(1);
    expect(desk.record()).toMatchObject({ refreshToken: before?.refreshToken });
  });

  test('is written again by the next use, where no timer comes', async () => {
    const desk = createDesk();
    const clock = { ...desk.clock, inBackground: () => () => {} };
    const own = await desk.signedIn({ clock });
    desk.store.values.set(keyOf(desk.store), '{');
    desk.store.tell();
    await settle();
    await desk.clock.advance(5_000);
    expect(desk.record()).toBeNull();
    await own.session.getAccessToken();
    await settle();
    expect(desk.record()?.accessToken).toBe(await own.session.getAccessToken());
    expect(own.session.state).not.toHaveProperty('unsaved');
  });
});

describe('the list of accounts', () => {
  // prettier-ignore
  test.each<[name: string, isBroken: (key: string) => boolean]>([
    ['the list',      (key) => key.startsWith('mortise/1-accounts/')],
    ['an account',    (key) => RECORD.test(key) && key.endsWith('/ann')],
  ])('is not given without what cannot be read for now: %s', async (_, isBroken) => {
    const desk = createDesk();
    await desk.signedIn();
    await desk.signedIn({ account: 'ann' });
    const { host } = desk.start();
    const list = () => listAccounts({ host, provider: fakeProvider() });
    desk.store.before = (operation, key) => {
      if (operation === 'get' && isBroken(key)) throw new Error('EBUSY');
    };
    await expect(list()).rejects.toEqual(failing('store_unavailable'));
    desk.store.before = () => {};
    expect(await list()).toEqual(['default', 'ann']);
  });
});
