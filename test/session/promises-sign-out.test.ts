// What a sign-out promises beyond the usual: what the server is told, who waits for whom, and what does not come
// back. Each row was once a line that could be changed without a test noticing (npm run mutate).
import { settle } from '../support/fake-clock.js';
import { deferred, type FakeAnswer } from '../support/fake-host.js';
import {
  broken,
  createDesk,
  failing,
  neverHeld,
  RENEW,
  type Disk,
  type Operation,
} from './support.js';

const RECORD = /^mortise\/1\/([^/]*\/){3}[^/]*$/;

/** The operations of one kind on the account's own record wait from now on, until they are let go. */
function stall(store: Disk, stalled: Operation) {
  const gate = deferred<void>();
  const reached = deferred<void>();
  store.before = (operation, key) => {
    if (operation !== stalled || !RECORD.test(key)) return undefined;
    reached.resolve();
    return gate.promise;
  };
  return { reached: reached.promise, letGo: () => gate.resolve() };
}

const removalsOf = ({ operations }: Disk) =>
  operations.filter(({ operation, key }) => operation === 'remove' && RECORD.test(key));

test('tells the server of a token for fewer scopes, too, after the session’s own', async () => {
  const desk = createDesk();
  const { session } = await desk.signedIn();
  const lent = await session.share({ scopes: ['read'] }).getAccessToken();
  const { accessToken, refreshToken } = desk.record() ?? {};
  await session.signOut();
  expect(desk.server.revoked).toEqual([refreshToken, accessToken, lent]);
});

test('asked for twice at once looks, removes and tells once', async () => {
  const desk = createDesk();
  const own = await desk.signedIn();
  desk.store.operations.length = 0;
  await Promise.all([own.session.signOut(), own.session.signOut()]);
  expect(removalsOf(desk.store)).toHaveLength(1);
  expect(desk.server.revoked).toHaveLength(2);
  expect(own.news()).toEqual(['signOutRequested signingOut', 'signOutCompleted signedOut']);
});

test('asked for twice at once removes nobody who signs in after it', async () => {
  const desk = createDesk();
  const own = await desk.signedIn();
  const outs = [own.session.signOut(), own.session.signOut()];
  await own.signIn('bob');
  await Promise.all(outs);
  await settle();
  expect(own.session.state.name).toBe('signedIn');
  expect(desk.record()?.accessToken).toBe(await own.session.getAccessToken());
});

test('of a session that is closed is refused, and what is stored stays', async () => {
  const desk = createDesk();
  const { session } = await desk.signedIn();
  await session.close();
  await expect(session.signOut()).rejects.toEqual(failing('aborted'));
  expect(desk.record()).not.toBeNull();
  expect(desk.server.revoked).toEqual([]);
});

describe('what a sibling has stored, and nobody here has seen, is removed and told', () => {
  test('a renewal: its tokens before ours, for those the server takes', async () => {
    const desk = createDesk();
    const { session } = await desk.signedIn({ isHeard: false });
    const before = desk.record();
    await desk.start().session.getAccessToken(RENEW);
    const after = desk.record();
    await session.signOut();
    expect(desk.server.revoked).toEqual([
      after?.refreshToken,
      after?.accessToken,
      before?.refreshToken,
      before?.accessToken,
    ]);
    expect(desk.record()).toBeNull();
  });

  test('a sign-in', async () => {
    const desk = createDesk();
    const { session } = desk.start({ isHeard: false });
    await session.restore();
    await desk.signedIn();
    const { refreshToken, accessToken } = desk.record() ?? {};
    await session.signOut();
    expect(desk.server.revoked).toEqual([refreshToken, accessToken]);
    expect(desk.record()).toBeNull();
  });
});

test('of nobody keeps nobody out: whoever signs in elsewhere next is taken over', async () => {
  const desk = createDesk();
  const own = desk.start();
  await own.session.restore();
  await own.session.signOut();
  own.news();
  await desk.signedIn();
  await settle();
  expect(own.news()).toEqual(['sessionFound signedIn']);
});

test('over a store that could not be read, and was empty: whoever signs in elsewhere next is taken over', async () => {
  const desk = createDesk();
  const own = desk.start();
  desk.store.before = broken('get', 'remove');
  await own.session.signOut();
  desk.store.before = () => {};
  desk.store.tell();
  await settle();
  own.news();
  await desk.signedIn();
  await settle();
  expect(own.news()).toEqual(['sessionFound signedIn']);
});

test('case 137: a sibling whose save was under way does not sign in here again', async () => {
  const desk = createDesk();
  const own = await desk.signedIn();
  // This one has no lock, and so cannot be waited for.
  const sibling = desk.start({ lock: neverHeld });
  await sibling.session.restore();
  const { reached, letGo } = stall(desk.store, 'set');
  const renewed = sibling.session.getAccessToken(RENEW);
  await reached;
  await own.session.signOut();
  own.news();
  letGo();
  await renewed;
  await settle();
  expect(desk.record()).not.toBeNull();
  expect([own.session.state, own.news()]).toEqual([{ name: 'signedOut', reason: 'signedOut' }, []]);
  await expect(own.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});

describe('case 137: beside a renewal', () => {
  test('that is over waits like anybody for a sibling that is about to save', async () => {
    const desk = createDesk();
    const own = await desk.signedIn({ isHeard: false });
    await own.session.getAccessToken(RENEW);
    const sibling = desk.start();
    await sibling.session.restore();
    const { reached, letGo } = stall(desk.store, 'set');
    const renewed = sibling.session.getAccessToken(RENEW);
    await reached;
    const out = own.session.signOut();
    await settle();
    letGo();
    await Promise.all([renewed, out]);
    expect(desk.record()).toBeNull();
  });

  test('of its own need not wait for it, and siblings wait for both', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const sibling = desk.start();
    await sibling.session.restore();
    const answer = deferred<FakeAnswer>();
    desk.server.next(() => answer.promise);
    own.session.getAccessToken(RENEW).catch(() => {});
    await settle();
    const theirs = sibling.session.getAccessToken(RENEW);
    theirs.catch(() => {});
    await settle();
    const { reached, letGo } = stall(desk.store, 'remove');
    const out = own.session.signOut();
    await reached;
    answer.resolve(desk.server.issue());
    await settle();
    // What they would find there is being removed.
    expect(desk.refreshes()).toHaveLength(1);
    letGo();
    await out;
    await expect(theirs).rejects.toEqual(failing('sign_in_required'));
    expect(desk.refreshes()).toHaveLength(1);
  });
});

describe('case 138: a removal that the store did not take, tried again', () => {
  const failed = async (account?: string) => {
    const desk = createDesk();
    const own = await desk.signedIn(account === undefined ? {} : { account });
    desk.store.before = broken('remove');
    await own.session.signOut();
    expect(desk.record()).not.toBeNull();
    return { desk, own };
  };

  test('takes a name off the list with it', async () => {
    const { desk } = await failed('ann');
    desk.store.before = () => {};
    await desk.clock.advance(600_000);
    expect(desk.store.values.size).toBe(0);
    expect(desk.clock.pendingInBackground).toBe(0);
  });

  test('leaves alone who has signed in since, here or elsewhere', async () => {
    for (const where of ['here', 'elsewhere']) {
      const { desk, own } = await failed('ann');
      desk.store.before = () => {};
      await (where === 'here' ? own : desk.start({ account: 'ann' })).signIn('bob');
      const before = [...desk.store.values];
      await desk.clock.advance(600_000);
      expect([...desk.store.values]).toEqual(before);
    }
  });

  test('leaves no timer when the session closes, though it fails once more', async () => {
    const { desk, own } = await failed();
    const gate = deferred<void>();
    const reached = deferred<void>();
    desk.store.before = async (operation) => {
      if (operation !== 'remove') return;
      reached.resolve();
      await gate.promise;
      throw new Error('EROFS');
    };
    await desk.clock.advance(600_000);
    await reached.promise;
    const closing = own.session.close();
    await desk.clock.advance(1_500);
    await closing;
    gate.resolve();
    await settle();
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });
});
