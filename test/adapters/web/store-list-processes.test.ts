import { createLocalLock } from '../../../adapters/web/local-lock.js';
import { firstUsable } from '../../../adapters/web/store-list.js';
import { systemClock as clock } from '../../../adapters/web/system-clock.js';
import { MortiseError } from '../../../src/errors.js';
import { createDesk, createDisk, RENEW } from '../../session/support.js';
import { settle } from '../../support/fake-clock.js';

const SECRET = 'refresh-token-of-nobody-0123456789';

/** Two processes of one machine: for the first one the keychain is locked, for the second one it is not. */
function createMachine() {
  const keyring = createDisk({ name: 'keyring', place: '/keyring' });
  const file = createDisk({ name: 'file', place: '/file' });
  const lock = createLocalLock(clock);
  keyring.before = () => {
    throw new MortiseError('store_unavailable', { problem: 'locked' });
  };
  return {
    keyring,
    file,
    start: () => firstUsable([keyring, file], { timeoutMs: 200, createLock: () => lock }),
    unlock: () => void (keyring.before = () => {}),
    /** What rests in the plain file, without what the list keeps for itself. */
    plain: () => [...file.values].filter(([key]) => !/^mortise\/1-(?!accounts)/.test(key)),
  };
}

describe('case 190: another process could use an earlier store', () => {
  // prettier-ignore
  test.each<[string, boolean]>([
    ['has read it',  false],
    ['has saved it', true],
  ])('and %s there: who used the later one goes over, and writes nothing plain any more', async (_, isSaved) => {
    const machine = createMachine();
    const first = machine.start();
    await first.set('key', SECRET);
    expect(machine.plain()).toEqual([['key', SECRET]]);
    machine.unlock();
    const second = machine.start();
    expect(await second.get('key')).toBe(SECRET);
    if (isSaved) await second.set('key', `${SECRET}-2`);
    await settle();
    expect(machine.plain()).toEqual([]);
    expect(await first.get('key')).toBe(isSaved ? `${SECRET}-2` : SECRET);
    await first.set('key', `${SECRET}-3`);
    await first.set('other', SECRET);
    await settle();
    expect(machine.plain()).toEqual([]);
    expect(machine.keyring.values.get('key')).toBe(`${SECRET}-3`);
    expect(await second.get('key')).toBe(`${SECRET}-3`);
    expect([first.name, second.name]).toEqual(['keyring', 'keyring']);
  });

  test('a session goes over with it: no sign-out, and one’s next tokens are the other’s', async () => {
    const machine = createMachine();
    const desk = createDesk();
    const own = await desk.signedIn({ store: machine.start() });
    expect(machine.plain()).not.toEqual([]);
    machine.unlock();
    const sibling = desk.start({ store: machine.start() });
    await sibling.session.restore();
    await settle();
    expect([own.session.state.name, sibling.session.state.name]).toEqual(['signedIn', 'signedIn']);
    expect(own.news()).not.toContain('sessionGone signedOut');
    const token = await own.session.getAccessToken(RENEW);
    await settle();
    expect(await sibling.session.getAccessToken()).toBe(token);
    await sibling.session.getAccessToken(RENEW);
    await settle();
    expect(machine.plain()).toEqual([]);
    await own.signIn('bob');
    expect(machine.plain()).toEqual([]);
    expect([own.host.store.name, own.session.state.name]).toEqual(['keyring', 'signedIn']);
    expect(JSON.stringify([...machine.file.values])).not.toContain('sEcReT');
    for (const { session } of [own, sibling]) await session.close();
  });
});
