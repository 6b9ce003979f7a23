import type { Lock } from '../../src/ports/index.js';
import { listAccounts } from '../../src/session/accounts.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { fakeProvider } from '../support/fake-server.js';
import { createLocalLock } from '../../adapters/web/local-lock.js';
import {
  broken,
  createDesk,
  createDisk,
  failing,
  neverHeld,
  RENEW,
  type Disk,
  type Operation,
} from './support.js';

/** A machine with an older place that somebody signed in at, and a newer one. */
async function createMove(account?: string, isSignedIn = true, isHeard = true) {
  const desk = createDesk();
  const old = createDisk({ name: 'old' });
  const oldLock = createLocalLock(desk.clock);
  const named = account === undefined ? {} : { account };
  const before = desk.start({ ...named, store: old, lock: oldLock });
  if (isSignedIn) await before.signIn();
  await before.session.close();
  const own = desk.start({ ...named, isHeard });
  return { desk, old, oldLock, named, own, session: own.session, store: desk.store, from: { store: old, lock: oldLock } }; // prettier-ignore
}

/** The refresh tokens that rest there: whose revision a record has is the mover's business. */
const tokensIn = ({ values }: Disk) =>
  [...values.values()].flatMap(
    (text) => (JSON.parse(text) as { refreshToken?: string }).refreshToken ?? [],
  );

describe('taking an account along from another place', () => {
  test.each([[undefined], ['ann'], ['a/b ż']])(
    'moves %j: signed in here, removed there, and it works',
    async (account) => {
      const { session, from, own, old, store, desk, named } = await createMove(account);
      const [token] = tokensIn(old);
      expect(await session.moveFrom(from)).toBe(true);
      expect(tokensIn(store)).toEqual([token]);
      expect(old.values.size).toBe(0);
      expect(session.state.name).toBe('signedIn');
      expect(own.news()).toEqual([
        'restoreRequested restoring',
        'sessionAbsent signedOut',
        'sessionFound signedIn',
      ]);
      expect(own.sent).toEqual([]);
      await session.getAccessToken(RENEW);
      await session.api.request({ path: 'x' });
      const { host } = desk.start();
      const listing = { host, provider: fakeProvider() };
      expect(await listAccounts(listing)).toEqual([account ?? 'default']);
      const next = desk.start(named);
      expect(await next.session.getAccessToken()).toBe(await session.getAccessToken());
      await session.signOut();
      expect(store.values.size).toBe(0);
    },
  );

  test('without anybody listening works as well, and also from a host of a plain store and lock', async () => {
    const { desk, from } = await createMove();
    const silent = desk.start({ isHeard: false });
    expect(await silent.session.moveFrom(from)).toBe(true);
    await expect(silent.session.getAccessToken()).resolves.toContain('access');
  });

  test('is false when there is none, and changes nothing', async () => {
    const { session, from, old, store } = await createMove(undefined, false);
    expect(await session.moveFrom(from)).toBe(false);
    expect(session.state).toEqual({ name: 'signedOut', reason: 'never' });
    expect([old.values.size, store.values.size]).toEqual([0, 0]);
  });

  test('is false when one is here already: both stay as they are', async () => {
    const { session, from, own, old, store } = await createMove();
    await own.signIn('bob');
    const [here, there] = [tokensIn(store), tokensIn(old)];
    expect(await session.moveFrom(from)).toBe(false);
    expect([tokensIn(store), tokensIn(old)]).toEqual([here, there]);
    expect(session.state.name).toBe('signedIn');
  });

  test('a second time is false, and keeps what was moved', async () => {
    const { session, from, store } = await createMove();
    await session.moveFrom(from);
    expect(await session.moveFrom(from)).toBe(false);
    expect(tokensIn(store)).toHaveLength(1);
    expect(session.state.name).toBe('signedIn');
  });

  test('at once by several sessions moves it once, and all have it', async () => {
    const { desk, from, store, named } = await createMove();
    const all = [desk.start(named), desk.start(named), desk.start(named)];
    const moved = await Promise.all(all.map(({ session }) => session.moveFrom(from)));
    await settle();
    expect(moved.filter(Boolean)).toHaveLength(1);
    expect(tokensIn(store)).toHaveLength(1);
    for (const { session, changes } of all) {
      expect(session.state.name).toBe('signedIn');
      expect(changes.filter(({ event }) => event === 'sessionFound')).toHaveLength(1);
    }
  });

  test('that is open there still: it is told that the account has gone', async () => {
    const { desk, session, old, oldLock, from } = await createMove();
    const there = desk.start({ store: old, lock: oldLock });
    await there.session.restore();
    there.news();
    await session.moveFrom(from);
    await settle();
    expect(there.news()).toEqual(['sessionGone signedOut']);
  });

  test('of one who was refused here moves what is good there', async () => {
    const { session, own, from, desk } = await createMove();
    await own.signIn();
    desk.server.next(() => ({ status: 400, json: { error: 'invalid_grant' } }));
    await session.getAccessToken(RENEW).catch(() => {});
    expect(session.state).toEqual({ name: 'signedOut', reason: 'rejected' });
    expect(await session.moveFrom(from)).toBe(true);
    expect(session.state.name).toBe('signedIn');
  });
});

describe('one place under two names', () => {
  const alike = (store: Disk): Disk => Object.assign(Object.create(store), { name: 'alike' });

  test.each<[string, (lock: Lock) => Lock]>([
    ['one lock', (lock) => lock],
    ['two handles of one lock', (lock) => (name, timeoutMs, task) => lock(name, timeoutMs, task)],
  ])('with %s loses nothing, and nobody waits', async (_, handle) => {
    const { own, session, store, desk } = await createMove();
    await own.signIn();
    own.news();
    const [token] = tokensIn(store);
    const { lock } = own.host;
    let isOver = false;
    const moving = session
      .moveFrom({ store: alike(store), lock: handle(lock) })
      .finally(() => (isOver = true));
    await settle();
    // Places that may be one share a lock, which is not waited for by its own holder.
    expect(isOver).toBe(true);
    expect(await moving).toBe(false);
    expect(tokensIn(store)).toEqual([token]);
    expect(own.news()).toEqual([]);
    expect(await desk.start().session.getAccessToken()).toBe(await session.getAccessToken());
  });

  test('of a named account keeps it on the list', async () => {
    const { own, session, store, desk } = await createMove('ann');
    await own.signIn();
    const { lock, store: same } = own.host;
    expect(await session.moveFrom({ store: same, lock })).toBe(false);
    expect(tokensIn(store)).toHaveLength(1);
    const { host } = desk.start();
    expect(await listAccounts({ host, provider: fakeProvider() })).toEqual(['ann']);
  });

  test.each([
    ['two folders', '/old', '/new', 2],
    ['one folder', '/one', '/one', 1],
    ['memory', null, null, 2],
    ['stores that do not say', undefined, undefined, 1],
    ['a folder and one that does not say', '/old', undefined, 2],
  ])('the locks of %s are all taken, none twice', async (_, there, here, count) => {
    const desk = createDesk();
    const inside: string[] = [];
    let isNested = 0;
    const watched =
      (which: string): Lock =>
      async (name, _timeoutMs, task) => {
        if (name.startsWith('mortise/1-accounts/')) return task(true);
        inside.push(which);
        isNested = Math.max(isNested, inside.length);
        return task(true).finally(() => inside.pop());
      };
    const old = createDisk({ place: there as string });
    const store = createDisk({ place: here as string });
    await desk.start({ store: old }).signIn();
    const own = desk.start({ store, lock: watched('here') });
    expect(await own.session.moveFrom({ store: old, lock: watched('there') })).toBe(true);
    expect(isNested).toBe(count);
  });
});

/** Every operation that a move asks of the two stores, in its order. */
async function operationsOfMove(account?: string) {
  const { session, from, old, store } = await createMove(account);
  const log: { readonly place: 'old' | 'new'; readonly operation: Operation }[] = [];
  old.before = (operation) => void log.push({ place: 'old', operation });
  store.before = (operation) => void log.push({ place: 'new', operation });
  await session.moveFrom(from);
  return log;
}

describe('case 124, 125: a move that is interrupted', () => {
  test.each([
    [undefined, 'fails', false],
    ['ann', 'fails', false],
    [undefined, 'does its work and fails all the same', true],
    ['ann', 'does its work and fails all the same', true],
  ])(
    'of %j, at any single operation that %s, loses nothing; the next call finishes',
    async (account, _, isDone) => {
      const log = await operationsOfMove(account);
      expect(log.length).toBeGreaterThan(5);
      for (let failing_ = 0; failing_ < log.length; failing_ += 1) {
        const { session, from, old, store, desk, named } = await createMove(account);
        const [token] = tokensIn(old);
        let count = 0;
        const breaking = (disk: Disk, operation: 'get' | 'set' | 'remove') => {
          const inner = disk[operation].bind(disk) as (...given: string[]) => Promise<never>;
          disk[operation] = (async (...given: string[]) => {
            const isNow = count++ === failing_;
            if (isNow && !isDone) throw new Error('EIO');
            const result = await inner(...given);
            if (isNow) throw new Error('EIO');
            expect(tokensIn(old).length + tokensIn(store).length).toBeGreaterThan(0);
            return result;
          }) as never;
        };
        for (const disk of [old, store])
          for (const operation of ['get', 'set', 'remove'] as const) breaking(disk, operation);
        const outcome = await session.moveFrom(from).catch((error: { code: string }) => error.code);
        expect([true, 'store_unavailable']).toContain(outcome);
        expect([...tokensIn(old), ...tokensIn(store)]).toContain(token);
        // Whoever comes next, this process or another, finishes it.
        const next = failing_ % 2 ? session : desk.start(named).session;
        await next.moveFrom(from);
        expect({ failing_, here: tokensIn(store) }).toEqual({ failing_, here: [token] });
        expect(tokensIn(old)).toEqual([]);
        expect(await next.getAccessToken()).toContain('access');
      }
    },
  );

  test('by a kill at any operation leaves it for the next start', async () => {
    const log = await operationsOfMove('ann');
    for (let killed = 0; killed < log.length; killed += 1) {
      const { session, from, old, store, desk, named } = await createMove('ann');
      let count = 0;
      const dead = new Promise<never>(() => {});
      for (const disk of [old, store]) disk.before = () => (count++ >= killed ? dead : undefined);
      void session.moveFrom(from).catch(() => {});
      await settle();
      for (const disk of [old, store]) disk.before = () => {};
      // The system has freed the locks of the dead.
      const lock = createLocalLock(desk.clock);
      const next = desk.start({ ...named, lock });
      await next.session.moveFrom({ store: old, lock: createLocalLock(desk.clock) });
      expect([tokensIn(store).length, tokensIn(old).length]).toEqual([1, 0]);
      await expect(next.session.getAccessToken()).resolves.toContain('access');
    }
  });

  test('by a store that does not keep what it took: nothing is removed there', async () => {
    const { session, from, old, store } = await createMove();
    store.set = async () => {};
    await expect(session.moveFrom(from)).rejects.toEqual(failing('store_unavailable'));
    expect(tokensIn(old)).toHaveLength(1);
    expect(session.state.name).toBe('signedOut');
  });

  test('by a damaged record there: it is set aside, and nothing comes here', async () => {
    const { session, from, old, store } = await createMove();
    const [key = ''] = [...old.values.keys()];
    old.values.set(key, '{"accessToken"');
    await expect(session.moveFrom(from)).rejects.toEqual(failing('store_damaged'));
    expect(await session.moveFrom(from)).toBe(false);
    expect(store.values.size).toBe(0);
  });

  test('by a store here that cannot be read', async () => {
    const { session, from, old, store } = await createMove();
    store.before = broken('get');
    await expect(session.moveFrom(from)).rejects.toEqual(failing('store_unavailable'));
    expect(tokensIn(old)).toHaveLength(1);
    store.before = () => {};
    expect(await session.moveFrom(from)).toBe(true);
  });
});

describe('case 137, 142: while it is moved', () => {
  /** Stops the move when it has saved, and not yet removed. */
  async function createHalfMoved(isHeard = true) {
    const moving = await createMove(undefined, true, isHeard);
    const gate = deferred<void>();
    moving.old.before = (operation) => (operation === 'remove' ? gate.promise : undefined);
    const moved = moving.session.moveFrom(moving.from);
    moved.catch(() => {});
    await settle();
    expect(tokensIn(moving.store)).toHaveLength(1);
    return { ...moving, moved, goOn: () => gate.resolve() };
  }

  test.each([[true], [false]])(
    'a sign-out wins, listened to or not (%s): nothing is left here',
    async (isHeard) => {
      const { session, moved, goOn, store, desk } = await createHalfMoved(isHeard);
      const left = session.signOut();
      await settle();
      goOn();
      await moved.catch(() => {});
      await left;
      await settle();
      expect(session.state.name).toBe('signedOut');
      expect(tokensIn(store)).toEqual([]);
      await expect(session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
      await expect(desk.start().session.getAccessToken()).rejects.toEqual(
        failing('sign_in_required'),
      );
    },
  );

  test('a sign-in wins: the account is the one that signed in last', async () => {
    const { own, session, moved, goOn, desk } = await createHalfMoved();
    const signedIn = own.signIn('bob');
    await settle();
    goOn();
    await Promise.all([moved, signedIn]);
    await session.api.whoAmI();
    expect(desk.calls.at(-1)?.user).toBe('bob');
    expect(session.state.name).toBe('signedIn');
    expect(desk.record()?.accessToken).toBe(await session.getAccessToken());
  });

  test('close ends the wait, and tells nothing afterwards', async () => {
    const { own, session, moved, goOn, old, store } = await createHalfMoved();
    await session.close();
    await expect(moved).rejects.toEqual(failing('aborted'));
    own.news();
    goOn();
    await settle();
    expect(own.news()).toEqual([]);
    expect(tokensIn(old).length + tokensIn(store).length).toBeGreaterThan(0);
  });

  test('a sibling that renews meanwhile waits, and so works with what was moved', async () => {
    const { moved, goOn, desk, session } = await createHalfMoved();
    const sibling = desk.start();
    await sibling.session.restore();
    const renewed = sibling.session.getAccessToken(RENEW);
    await settle();
    expect(desk.refreshes()).toHaveLength(0);
    goOn();
    await moved;
    const token = await renewed;
    await settle();
    expect(await session.getAccessToken()).toBe(token);
  });

  test('two that move to each other settle, and one of them has it', async () => {
    const { desk, own, old, oldLock, store } = await createMove();
    const there = desk.start({ store: old, lock: oldLock });
    const { lock } = own.host;
    const both = Promise.allSettled([
      own.session.moveFrom({ store: old, lock: oldLock }),
      there.session.moveFrom({ store, lock }),
    ]);
    await desk.clock.advance(60_000);
    await both;
    expect(tokensIn(old).length + tokensIn(store).length).toBeGreaterThan(0);
    expect(desk.clock.pending).toBe(0);
  });

  test('locks that are never had do not stop it', async () => {
    const { desk, old, store } = await createMove();
    const own = desk.start({ lock: neverHeld });
    expect(await own.session.moveFrom({ store: old, lock: neverHeld })).toBe(true);
    expect(tokensIn(store)).toHaveLength(1);
  });
});
