import fc from 'fast-check';
import { listAccounts, removeAccount } from '../../src/session/accounts.js';
import type { Lock } from '../../src/ports/index.js';
import { createPluginHost } from '../../src/plugins/create-plugin-host.js';
import { settle } from '../support/fake-clock.js';
import { deferred } from '../support/fake-host.js';
import { fakeProvider, SECRET } from '../support/fake-server.js';
import { broken, createDesk, failing, neverHeld, RENEW, type Desk } from './support.js';
import { anyCharacter } from '../support/any-character.js';

const LIST = /^mortise\/1-accounts\//;
const listKey = ({ store }: Desk) => [...store.values.keys()].find((key) => LIST.test(key)) ?? '';

async function createAccounts(
  names: readonly (string | undefined)[],
  how: Parameters<typeof createDesk>[0] = {},
) {
  const desk = createDesk(how);
  const processes = [];
  for (const account of names) {
    processes.push(await desk.signedIn(account === undefined ? {} : { account }));
  }
  const { host } = desk.start();
  const provider = fakeProvider();
  const list = () => listAccounts({ host, provider });
  const remove = (account: string) => removeAccount({ host, provider, account });
  return { desk, processes, host, provider, list, remove };
}

describe('several accounts', () => {
  test('live side by side: each has its tokens, and one’s sign-out leaves the others', async () => {
    const { processes, list, desk } = await createAccounts([undefined, 'ann', 'bob']);
    const tokens = await Promise.all(processes.map(({ session }) => session.getAccessToken()));
    expect(new Set(tokens).size).toBe(3);
    expect(await list()).toEqual(['default', 'ann', 'bob']);
    await processes[1]?.session.signOut();
    expect(await list()).toEqual(['default', 'bob']);
    for (const each of [0, 2]) {
      expect(await processes[each]?.session.getAccessToken()).toBe(tokens[each]);
      expect(processes[each]?.news()).toEqual([]);
    }
    await processes[2]?.session.getAccessToken(RENEW);
    expect(desk.start({ account: 'bob' }).session.state.name).toBe('idle');
    expect(await list()).toEqual(['default', 'bob']);
  });

  test('are listed without network, and the list holds no secret', async () => {
    const { list, desk } = await createAccounts(['ann', 'bob']);
    const { length } = desk.server.requests;
    await list();
    expect(desk.server.requests).toHaveLength(length);
    expect(desk.store.values.get(listKey(desk))).not.toContain(SECRET);
  });

  test('of nobody are none, and nothing is written to say so', async () => {
    const { list, desk } = await createAccounts([]);
    expect(await list()).toEqual([]);
    expect(desk.store.operations.filter(({ operation }) => operation !== 'get')).toEqual([]);
  });

  test('need no list when there is but the usual one', async () => {
    const { list, desk, processes } = await createAccounts([undefined]);
    expect(await list()).toEqual(['default']);
    expect(desk.store.values.size).toBe(1);
    await processes[0]?.session.signOut();
    expect(await list()).toEqual([]);
    expect(desk.store.values.size).toBe(0);
  });

  test('are listed once, however often they sign in', async () => {
    const { list, processes, desk } = await createAccounts(['ann']);
    await processes[0]?.signIn();
    await desk.signedIn({ account: 'ann' });
    expect(await list()).toEqual(['ann']);
    await processes[0]?.session.signOut();
    expect(desk.store.values.size).toBe(0);
  });

  const ODD = ['', ' ', 'a/b', 'a%2Fb', '../..', 'attempts', 'damaged', 'client_credentials', '__proto__', 'żółć', '🏗', 'a"b', 'a\nb', 'DEFAULT', 'x'.repeat(300)]; // prettier-ignore
  test.each(ODD)('may be called %j', async (name) => {
    const { list, remove, desk } = await createAccounts([undefined, name, `${name}/attempts`]);
    expect(new Set(await list())).toEqual(new Set(['default', name, `${name}/attempts`]));
    await remove(name);
    expect(new Set(await list())).toEqual(new Set(['default', `${name}/attempts`]));
    expect(desk.server.revoked).toHaveLength(2);
  });

  test('whatever they are called, none is lost and none is mixed up', async () => {
    const names = fc.uniqueArray(fc.string({ unit: anyCharacter, maxLength: 12 }), { minLength: 1, maxLength: 5 }); // prettier-ignore
    const property = fc.asyncProperty(names, async (accounts) => {
      const { processes, list } = await createAccounts(accounts);
      const named = accounts.filter((name) => name !== 'default');
      expect((await list()).filter((name) => name !== 'default').sort()).toEqual(named.sort());
      const tokens = processes.map(({ session }) => session.getAccessToken());
      expect(new Set(await Promise.all(tokens)).size).toBe(accounts.length);
    });
    await fc.assert(property, { seed: 7, numRuns: 15 });
  });

  test('that sign in at the same moment are both on the list', async () => {
    const desk = createDesk();
    const { get } = desk.store;
    desk.store.get = async (key) => {
      const text = await get(key);
      if (LIST.test(key)) await settle();
      return text;
    };
    const names = ['ann', 'bob', 'carol'];
    const processes = names.map((account) => desk.start({ account }));
    await Promise.all(processes.map((each) => each.signIn()));
    await settle();
    const { host } = desk.start();
    expect(await listAccounts({ host, provider: fakeProvider() })).toEqual(names);
  });

  test('one that signs in while its last sign-out is being finished stays on the list', async () => {
    const desk = createDesk();
    const { lock } = desk.start().host;
    const gate = deferred<void>();
    // It was stopped after it had removed the account, and before it took the name off the list.
    let isLeaving = false;
    const slowLock: Lock = async (name, timeoutMs, task) => {
      if (isLeaving && LIST.test(name)) await gate.promise;
      return lock(name, timeoutMs, task);
    };
    const leaving = await desk.signedIn({ account: 'ann', lock: slowLock });
    const entering = desk.start({ account: 'ann' });
    isLeaving = true;
    const left = leaving.session.signOut();
    await settle();
    // Who waits for a stopped process waits for five seconds.
    const entered = entering.signIn();
    await desk.clock.advance(10_000);
    await entered;
    gate.resolve();
    await left;
    expect(entering.session.state.name).toBe('signedIn');
    const { host } = desk.start();
    expect(await listAccounts({ host, provider: fakeProvider() })).toEqual(['ann']);
  });

  test('of other apps are apart', async () => {
    const { desk, host, provider } = await createAccounts(['ann']);
    const others = [
      { ...provider, clientId: 'another' },
      { ...provider, server: 'https://elsewhere.example/token' },
      { ...provider, id: 'prevu3d' },
      { ...provider, grant: 'client_credentials' as const },
    ];
    for (const other of others) {
      expect(await listAccounts({ host, provider: other })).toEqual([]);
      await removeAccount({ host, provider: other, account: 'ann' });
    }
    expect(await listAccounts({ host, provider })).toEqual(['ann']);
    await desk.signedIn({ account: 'bob', provider: { ...provider, clientId: 'another' } });
    expect(await listAccounts({ host, provider })).toEqual(['ann']);
  });
});

describe('removing an account', () => {
  test('signs it out here and at the server; who has it open is told', async () => {
    const { desk, processes, remove, list } = await createAccounts(['ann', 'bob']);
    const token = await processes[0]?.session.getAccessToken();
    await remove('ann');
    await settle();
    expect(processes[0]?.news()).toEqual(['sessionGone signedOut']);
    expect(processes[1]?.news()).toEqual([]);
    expect(desk.server.revoked).toContain(token);
    expect(await list()).toEqual(['bob']);
    expect([desk.clock.pending, desk.clock.pendingInBackground]).toEqual([0, 0]);
  });

  test('that nobody has changes nothing', async () => {
    const { desk, remove, list } = await createAccounts(['ann']);
    await remove('nobody');
    expect(await list()).toEqual(['ann']);
    expect(desk.server.revoked).toEqual([]);
  });

  test('works though the server is away', async () => {
    const { desk, remove, list } = await createAccounts(['ann']);
    desk.server.http = () => Promise.reject(new Error('offline'));
    await remove('ann');
    expect(await list()).toEqual([]);
  });

  test.each<['get' | 'remove']>([['get'], ['remove']])(
    'says so when the store’s %s fails, for then it is still there',
    async (operation) => {
      const { desk, remove, list } = await createAccounts(['ann']);
      desk.store.before = broken(operation);
      const removed = remove('ann').then(
        () => 'removed',
        (error: { code: string }) => error.code,
      );
      await desk.clock.advance(10_000);
      const outcome = await removed;
      desk.store.before = () => {};
      const isThere = (await list()).includes('ann');
      expect({ outcome, isThere }).toEqual(
        isThere ? { outcome: 'store_unavailable', isThere } : { outcome: 'removed', isThere },
      );
    },
  );

  test('for a name that is none is a configuration_error', async () => {
    const { remove } = await createAccounts([]);
    await expect(remove('\ud800')).rejects.toEqual(failing('configuration_error'));
  });
});

describe('a list of accounts that', () => {
  // prettier-ignore
  const DAMAGE: readonly [name: string, text: string, found: string[]][] = [
    ['is empty',             '',                                   ['default']],
    ['is cut off',           '{"accounts":["ann"',                 ['default']],
    ['is another thing',     '[]',                                 ['default']],
    ['names what is no text', '{"accounts":[1,null,{},"ann"]}',    ['default', 'ann']],
    ['names one twice',      '{"accounts":["ann","ann"]}',         ['default', 'ann']],
    ['names the usual one',  '{"accounts":["default","ann"]}',     ['default', 'ann']],
    ['names who is gone',    '{"accounts":["carol","ann"]}',       ['default', 'ann']],
    ['names half a letter',  '{"accounts":["\\ud800","ann"]}',     ['default', 'ann']],
  ];
  test.each(DAMAGE)('case 187: %s does no harm, and mends itself', async (_, text, found) => {
    const { desk, list } = await createAccounts([undefined, 'ann']);
    desk.store.values.set(listKey(desk), text);
    expect(await list()).toEqual(found);
    await desk.signedIn({ account: 'bob' });
    expect(await list()).toEqual([...found, 'bob']);
  });

  test('cannot be written stops no sign-in', async () => {
    const desk = createDesk();
    desk.store.before = (operation, key) => {
      if (operation !== 'get' && LIST.test(key)) throw new Error('EACCES');
    };
    const own = await desk.signedIn({ account: 'ann' });
    expect(own.session.state.name).toBe('signedIn');
    await own.session.signOut();
    expect(desk.record()).toBeNull();
  });

  test('names a damaged account leaves it out; one that cannot be read is said', async () => {
    const { desk, list } = await createAccounts([undefined, 'ann']);
    const [key = ''] = [...desk.store.values.keys()].filter((each) => each.endsWith('/ann'));
    desk.store.values.set(key, '{');
    expect(await list()).toEqual(['default']);
    desk.store.before = broken('get');
    await expect(list()).rejects.toEqual(failing('store_unavailable'));
  });

  test('is kept also where no lock can be had', async () => {
    const { list, processes } = await createAccounts(['ann', 'bob'], { lock: neverHeld });
    expect(await list()).toEqual(['ann', 'bob']);
    await processes[0]?.session.signOut();
    expect(await list()).toEqual(['bob']);
  });
});

test('a plug-in host’s accounts are listed, and can be removed', async () => {
  const { desk, host, provider, list, remove } = await createAccounts([]);
  const integrations = ['first', 'second'].map((name) => ({ name, provider, plugins: ['one'] }));
  const plugins = createPluginHost({ host, integrations });
  for (const { name } of integrations) {
    const done = plugins.login(name).signIn();
    await (await host.visit()).redirect({ code: 'ann' });
    await done;
  }
  expect(await list()).toEqual(['first/default', 'second/default']);
  await remove('first/default');
  await settle();
  expect(plugins.login('first').state.name).toBe('signedOut');
  expect(plugins.login('second').state.name).toBe('signedIn');
  expect(await list()).toEqual(['second/default']);
  await plugins.close();
  expect(desk.clock.pending).toBe(0);
});
