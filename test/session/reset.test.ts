import { MortiseError } from '../../src/errors.js';
import { createDesk, createDisk, failing } from './support.js';

/** A keychain that has lost its key: nothing it was given can be opened any more, and it takes new things. */
function createResetDisk() {
  const disk = createDisk();
  const lost = new Set<string>();
  const written = disk.set.bind(disk);
  disk.before = (operation, key) => {
    if (operation === 'get' && lost.has(key)) {
      throw new MortiseError('store_unavailable', { problem: 'reset' }, { retryable: false });
    }
  };
  disk.set = async (key, value) => {
    await written(key, value);
    lost.delete(key);
  };
  return { disk, reset: () => [...disk.values.keys()].forEach((key) => lost.add(key)) };
}

describe('case 190: a keychain that has lost its key', () => {
  test('is an account that is not signed in, and the next sign-in mends it', async () => {
    const { disk, reset } = createResetDisk();
    const desk = createDesk({ store: disk });
    await desk.signedIn({ account: 'ann' });
    reset();
    const { session, signIn, news } = desk.start({ account: 'ann' });
    await session.restore();
    expect(session.state).toEqual({ name: 'signedOut', reason: 'damaged' });
    await expect(session.getAccessToken()).rejects.toEqual(
      failing('sign_in_required', { reason: 'damaged' }),
    );
    expect(news().at(-1)).toBe('sessionAbsent signedOut');
    await signIn();
    expect(await desk.start({ account: 'ann' }).session.getAccessToken()).toContain('access');
  });

  test('stops no sign-in that is cut in two', async () => {
    const { disk, reset } = createResetDisk();
    const desk = createDesk({ store: disk });
    const { session } = desk.start();
    const redirectUri = 'https://plug-in.example/callback';
    await session.beginSignIn({ redirectUri });
    reset();
    const { authorizationUrl } = await session.beginSignIn({ redirectUri });
    const state = new URL(authorizationUrl).searchParams.get('state') ?? '';
    await session.completeSignIn(`${redirectUri}?${new URLSearchParams({ state, code: 'ann' })}`);
    expect(session.state.name).toBe('signedIn');
  });

  test('signs nobody out who has good tokens in memory', async () => {
    const { disk, reset } = createResetDisk();
    const desk = createDesk({ store: disk });
    const { session } = await desk.signedIn();
    reset();
    disk.tell();
    expect(await session.getAccessToken()).toContain('access');
    expect(session.state.name).toBe('signedIn');
  });
});
