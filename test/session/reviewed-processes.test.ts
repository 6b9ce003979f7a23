// What a careful reader of several processes could prove, as promises.
import { MortiseError } from '../../src/errors.js';
import { listAccounts } from '../../src/session/accounts.js';
import { createFakeHost, deferred, type FakeAnswer } from '../support/fake-host.js';
import { settle } from '../support/fake-clock.js';
import { prevu3d } from '../../src/providers/prevu3d.js';
import {
  broken,
  createDesk,
  failing,
  neverHeld,
  personProvider,
  RENEW,
  type Desk,
  type Disk,
} from './support.js';

type Process = ReturnType<Desk['start']>;
interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** The platform has done what it is asked next, but its answer is still on its way. */
function holdAnswer({ server }: Desk) {
  const gate = deferred<void>();
  const given: Tokens[] = [];
  server.next(async (form) => {
    const answer = (await server.usual(form)) as FakeAnswer & { readonly json: Tokens };
    given.push(answer.json);
    await gate.promise;
    return answer;
  });
  return {
    arrive: async () => {
      gate.resolve();
      await settle();
    },
    get given() {
      const [tokens] = given;
      if (!tokens) throw new Error('nothing was asked');
      return tokens;
    },
  };
}

const renew = ({ session }: Process) => session.getAccessToken(RENEW);
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: MortiseError) => error.code,
  );

async function ownerOf(desk: Desk, { session }: Process) {
  await session.api.request({ path: 'me' });
  return desk.calls.at(-1)?.user;
}

/** Nothing rests under the keys that are there now that could be opened again: their key is gone. */
function loseKey(store: Disk) {
  const lost = new Set(store.values.keys());
  store.before = (operation, key) => {
    if (operation === 'get' && lost.has(key)) {
      throw new MortiseError('store_unavailable', { problem: 'reset' });
    }
    if (operation === 'set') lost.delete(key);
  };
}

const sessionKey = ({ values }: Disk) =>
  [...values.keys()].find((key) => /^mortise\/1\/([^/]*\/){3}[^/]*$/.test(key)) ?? '';
const writesOf = ({ operations }: Disk, name: string) =>
  operations.filter(({ operation, key }) => operation === 'set' && key === name);
const isClosed = async (closing: Promise<void>) => {
  let is = false;
  void closing.then(() => (is = true));
  await settle();
  return is;
};

describe('case 116, 124, 137: what the server was asked when a session closes', () => {
  type Begin = (desk: Desk) => Promise<{ own: Process; asked: Promise<string> }>;
  const refresh: Begin = async (desk) => {
    const own = await desk.signedIn();
    return { own, asked: outcome(renew(own)) };
  };
  const exchange: Begin = async (desk) => {
    const own = desk.start();
    const asked = outcome(own.session.signIn());
    void (await own.host.visit()).redirect({ code: 'ann' }).catch(() => {});
    return { own, asked };
  };

  test('a refresh: an answer that comes in time is saved, and the next start works with it', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const answer = holdAnswer(desk);
    const asked = outcome(renew(own));
    await settle();
    const closing = own.session.close();
    await desk.clock.advance(1_400);
    expect(await isClosed(closing)).toBe(false);
    await answer.arrive();
    expect(await isClosed(closing)).toBe(true);
    await asked;
    expect(desk.record()?.refreshToken).toBe(answer.given.refresh_token);
    expect(desk.server.revoked).toEqual([]);
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
    const next = desk.start();
    expect(await next.session.getAccessToken()).toBe(answer.given.access_token);
    expect(await outcome(renew(next))).toBe('done');
  });

  test('an exchange: nobody waits for these tokens any more, so they are revoked', async () => {
    const desk = createDesk();
    const own = desk.start();
    const answer = holdAnswer(desk);
    const asked = outcome(own.session.signIn());
    void (await own.host.visit()).redirect({ code: 'ann' }).catch(() => {});
    await settle();
    const closing = own.session.close();
    await desk.clock.advance(1_000);
    await answer.arrive();
    expect(await isClosed(closing)).toBe(true);
    expect(await asked).toBe('aborted');
    const { access_token, refresh_token } = answer.given;
    expect(desk.server.revoked).toEqual([refresh_token, access_token]);
    expect(desk.record()).toBeNull();
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });

  test('a sign-out just before: the tokens are removed and revoked', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { accessToken, refreshToken } = desk.record() ?? {};
    const left = outcome(own.session.signOut());
    const closing = own.session.close();
    expect(await isClosed(closing)).toBe(true);
    await left;
    expect(desk.server.revoked).toEqual([refreshToken, accessToken]);
    expect(desk.record()).toBeNull();
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });

  // prettier-ignore
  test.each<[string, Begin]>([
    ['a refresh',   refresh],
    ['an exchange', exchange],
  ])('%s that is never answered is waited for 1.5 s at most, and leaves no timer', async (_, begin) => {
    const desk = createDesk();
    const { server } = desk;
    const signedIn = begin === refresh;
    const never = () => new Promise<never>(() => {});
    server.next(...(signedIn ? [server.usual, never] : [never]));
    const { own, asked } = await begin(desk);
    await settle();
    const closing = own.session.close();
    await desk.clock.advance(1_500);
    expect(await isClosed(closing)).toBe(true);
    expect(await asked).toBe('aborted');
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });
});

describe('case 138: after a sign-out that the store did not take', () => {
  const failures: [string, Disk['before']][] = [
    ['could neither be read nor removed', broken('get', 'remove')],
    ['could not be removed', broken('remove')],
  ];

  async function leave(store: Disk, { session }: Process, how: Disk['before']) {
    store.before = how;
    await session.signOut().catch(() => {});
    store.before = () => {};
    await settle();
  }

  test.each(failures)(
    'when the record %s: a sign-in here ends that, and siblings are noticed again',
    async (_, how) => {
      const desk = createDesk();
      const before = await desk.signedIn();
      await before.session.close();
      const own = desk.start();
      await leave(desk.store, own, how);
      await own.signIn('ann');
      own.news();
      const sibling = desk.start();
      await sibling.session.restore();
      await renew(sibling);
      await settle();
      expect(own.news()).toEqual(['sessionRenewed signedIn']);
      await sibling.signIn('bob');
      expect(own.news()).toEqual(['sessionRenewed signedIn']);
      expect(await ownerOf(desk, own)).toBe('bob');
      await sibling.session.signOut();
      await settle();
      expect(own.news()).toEqual(['sessionGone signedOut']);
    },
  );

  test.each(failures)(
    'when the record %s: not even a sibling’s renewal of it is taken up, its next sign-in is',
    async (_, how) => {
      const desk = createDesk();
      const sibling = await desk.signedIn();
      const own = desk.start();
      if (how !== failures[0]?.[1]) await own.session.restore();
      await leave(desk.store, own, how);
      own.news();
      desk.store.tell();
      await settle();
      // The platform may not have been told; a refresh token that still works may be used by others.
      for (let round = 0; round < 2; round += 1) {
        await renew(sibling).catch(() => {});
        await desk.clock.advance(10_000);
        expect([own.session.state.name, ...own.news()]).toEqual(['signedOut']);
        expect(await outcome(own.session.getAccessToken())).toBe('sign_in_required');
      }
      await sibling.signIn('bob');
      expect(own.news()).toEqual(['sessionFound signedIn']);
      expect(await ownerOf(desk, own)).toBe('bob');
    },
  );

  test('when nobody knows whether there was one: whoever signs in after the first one seen is noticed', async () => {
    const desk = createDesk();
    const own = desk.start();
    await leave(desk.store, own, broken('get', 'remove'));
    const sibling = desk.start();
    await sibling.signIn('ann');
    own.news();
    await sibling.signIn('bob');
    expect(own.news()).toEqual(['sessionFound signedIn']);
    expect(await ownerOf(desk, own)).toBe('bob');
  });
});

describe('case 190: a keychain that has lost its key', () => {
  test('a session that is open is saved again with its next tokens, once', async () => {
    const desk = createDesk();
    const { store, clock } = desk;
    const own = await desk.signedIn();
    const key = sessionKey(store);
    loseKey(store);
    store.operations.length = 0;
    await renew(own);
    await clock.advance(600_000);
    expect(writesOf(store, key)).toHaveLength(1);
    expect(own.session.state).toMatchObject({ name: 'signedIn' });
    expect(own.session.state).not.toHaveProperty('unsaved');
    await own.session.close();
    expect(await outcome(renew(desk.start()))).toBe('done');
  });

  test('so is a token of the client itself', async () => {
    const desk = createDesk();
    const { store, clock, server } = desk;
    let count = 0;
    const tokens = () => ({
      json: {
        hasError: false,
        expiresIn: 3600,
        accessToken: `sEcReT-access-of-the-client-${(count += 1)}`,
      },
    });
    server.next(tokens, tokens);
    const provider = prevu3d({
      grant: 'client_credentials',
      clientId: 'id',
      clientSecret: 'secret',
    });
    const first = desk.start({ provider });
    await first.session.getAccessToken();
    await first.session.close();
    const [key = ''] = store.values.keys();
    loseKey(store);
    store.operations.length = 0;
    const second = desk.start({ provider });
    await second.session.getAccessToken();
    await clock.advance(600_000);
    expect(writesOf(store, key)).toHaveLength(1);
    expect(store.values.get(key)).toContain('of-the-client-2');
    await second.session.close();
  });

  test('the list of accounts goes without the one that is lost', async () => {
    const desk = createDesk();
    const { store, clock } = desk;
    await desk.signedIn({ account: 'one' });
    await desk.signedIn({ account: 'two' });
    store.before = (operation, key) => {
      if (operation === 'get' && key.endsWith('/one')) {
        throw new MortiseError('store_unavailable', { problem: 'reset' });
      }
    };
    const host = createFakeHost({ http: desk.server.http, store, clock });
    expect(await listAccounts({ host, provider: personProvider() })).toEqual(['two']);
  });
});

describe('case 125: a store that writes and then fails', () => {
  const failAfterWrite = (store: Disk, times: number) => {
    let left = times;
    const { set } = store;
    return Object.assign(store, {
      set: async (key: string, value: string) => {
        await set(key, value);
        if (key === sessionKey(store) && left-- > 0) throw new Error('EIO');
      },
    });
  };

  // prettier-ignore
  test.each([
    ['then works again', 1],
    ['fails every time', 9],
  ])('and %s: a sign-in that failed leaves none of its revoked tokens', async (_, times) => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const former = desk.record();
    failAfterWrite(desk.store, times);
    const asked = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'bob' }).catch(() => {});
    await expect(asked).rejects.toEqual(failing('store_unavailable'));
    await settle();
    expect(desk.server.revoked).toHaveLength(2);
    expect(desk.record()).toMatchObject({ refreshToken: former?.refreshToken, signInId: former?.signInId });
    expect(own.session.state.name).toBe('signedIn');
    expect(await ownerOf(desk, own)).toBe('ann');
    expect(await ownerOf(desk, desk.start())).toBe('ann');
  });

  test('and then works again: nothing is left of the first sign-in', async () => {
    const desk = createDesk();
    failAfterWrite(desk.store, 1);
    const own = desk.start();
    const asked = own.session.signIn();
    void (await own.host.visit()).redirect({ code: 'ann' }).catch(() => {});
    await expect(asked).rejects.toEqual(failing('store_unavailable'));
    await settle();
    expect(desk.record()).toBeNull();
    const next = desk.start();
    await next.session.restore();
    expect(next.session.state.name).toBe('signedOut');
  });
});

describe('case 187: damage', () => {
  test('that the store itself sets aside signs nobody out who has good tokens', async () => {
    const desk = createDesk();
    const { store, clock } = desk;
    const own = await desk.signedIn();
    const key = sessionKey(store);
    let isDamaged = true;
    store.before = (operation, name) => {
      if (name !== key || !isDamaged) return;
      isDamaged = false;
      if (operation === 'set') return;
      store.values.delete(key);
      throw new MortiseError('store_damaged', {});
    };
    const next = desk.start();
    await next.session.restore();
    expect(next.session.state.name).toBe('signedOut');
    store.tell();
    await clock.advance(10_000);
    expect(own.session.state.name).toBe('signedIn');
    expect(own.news()).not.toContain('sessionGone signedOut');
    expect(await outcome(renew(own))).toBe('done');
    await settle();
    // And the sibling finds what was saved again.
    expect(next.session.state.name).toBe('signedIn');
    expect(desk.record()).not.toBeNull();
  });

  test('that is being set aside takes nothing with it that was saved meanwhile', async () => {
    const desk = createDesk();
    const { store, clock } = desk;
    const own = await desk.signedIn();
    const key = sessionKey(store);
    store.values.set(key, '{"half');
    const gate = deferred<void>();
    let isFirst = true;
    store.before = (operation, name) => {
      if (operation !== 'set' || !name.endsWith('/damaged') || !isFirst) return undefined;
      isFirst = false;
      return gate.promise;
    };
    const restoring = desk.start({ isHeard: false }).session.restore();
    await clock.advance(6_000);
    const asked = outcome(renew(own));
    await settle();
    const saved = store.values.get(key);
    expect(saved).toContain('accessToken');
    gate.resolve();
    await restoring;
    await settle();
    expect(store.values.get(key)).toBe(saved);
    await clock.advance(10_000);
    expect(await asked).toBe('done');
    expect(desk.record()?.accessToken).toBe(await own.session.getAccessToken());
    expect(own.session.state.name).toBe('signedIn');
    expect(await outcome(renew(desk.start()))).toBe('done');
  });
});

describe('case 125, 116: while tokens are being saved', () => {
  test('a call that needs a new token does not make do with the old one', async () => {
    const desk = createDesk({ lifetimeS: 60 });
    const { store, clock } = desk;
    const own = await desk.signedIn();
    store.before = broken('set');
    const old = await renew(own);
    await clock.advance(36_000);
    const gate = deferred<void>();
    store.before = (operation) => (operation === 'set' ? gate.promise : undefined);
    await clock.advance(25_000);
    const refreshes = desk.refreshes().length;
    const asked = own.session.getAccessToken();
    await settle();
    gate.resolve();
    expect(await asked).not.toBe(old);
    expect(desk.refreshes().length - refreshes).toBe(1);
    await settle();
    expect(desk.record()?.accessToken).toBe(await asked);
  });

  test('a good token is had at once, even when the store never answers', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const { clock } = desk;
    desk.store.before = (operation) =>
      operation === 'set' ? new Promise<never>(() => {}) : undefined;
    const first = renew(own);
    await clock.advance(31_000);
    const token = await first;
    for (let round = 0; round < 10; round += 1) {
      await clock.advance(6_000);
      let had: string | null = null;
      void own.session.getAccessToken().then((text) => (had = text));
      await settle();
      expect(had).toBe(token);
    }
    const closing = own.session.close();
    await clock.advance(1_500);
    expect(await isClosed(closing)).toBe(true);
  });
});

describe('case 121, 122: tokens that come in late', () => {
  test('are revoked when a sibling has signed in as somebody else', async () => {
    const desk = createDesk();
    const own = await desk.signedIn();
    const answer = holdAnswer(desk);
    const asked = outcome(renew(own));
    await settle();
    const sibling = desk.start();
    const open = sibling.session.signIn();
    const shown = (await sibling.host.visit()).redirect({ code: 'bob' });
    await desk.clock.advance(5_100);
    await Promise.all([shown, open]);
    await answer.arrive();
    await asked;
    const { access_token, refresh_token } = answer.given;
    expect(desk.server.revoked).toEqual([refresh_token, access_token]);
    expect(await ownerOf(desk, own)).toBe('bob');
    expect(await ownerOf(desk, desk.start())).toBe('bob');
  });

  test('win over a record that still has the refresh token they were had for', async () => {
    const desk = createDesk();
    // A lock that the sibling does not see: on another machine, or in a container.
    const own = await desk.signedIn({ lock: neverHeld });
    const sibling = desk.start();
    await sibling.session.restore();
    const { revision } = desk.record() ?? {};
    const answer = holdAnswer(desk);
    const asked = renew(own);
    await settle();
    await sibling.session.api.whoAmI();
    await settle();
    // The sibling has noted who this is, beside the token that is spent by now.
    expect(desk.record()?.revision).not.toBe(revision);
    await answer.arrive();
    await desk.clock.advance(10_000);
    const { access_token, refresh_token } = answer.given;
    expect(await asked).toBe(access_token);
    expect(desk.record()).toMatchObject({ refreshToken: refresh_token });
    expect(desk.server.revoked).toEqual([]);
    for (const each of [sibling, own, desk.start()])
      expect(await outcome(renew(each))).toBe('done');
  });
});

test('case 125: an account that could not be put on the list is put there with the next save', async () => {
  const desk = createDesk();
  const { store, clock } = desk;
  const listed = () =>
    listAccounts({
      host: createFakeHost({ http: desk.server.http, store, clock }),
      provider: personProvider(),
    });
  store.before = (operation, key) => {
    if (key.includes('1-accounts')) broken('set')(operation, key);
  };
  const own = await desk.signedIn({ account: 'two' });
  expect(await listed()).toEqual([]);
  store.before = () => {};
  await renew(own);
  expect(await listed()).toEqual(['two']);
});
