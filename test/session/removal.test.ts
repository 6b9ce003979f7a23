// A sign-out whose removal fails is final here at once, and in the store as soon as the store lets go of it.
import { broken, createDesk, failing, RENEW } from './support.js';

/** How long after a failed removal the next one is tried. */
const AGAIN_MS = 5_000;

async function signedOutInVain() {
  const desk = createDesk();
  const one = await desk.signedIn();
  desk.store.before = broken('remove');
  await one.session.signOut();
  expect(one.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
  expect(desk.record()).not.toBeNull();
  const later = (ms = AGAIN_MS) => desk.clock.advance(ms);
  return { desk, one, later, mend: () => void (desk.store.before = () => {}) };
}

test('a removal that failed is tried again until it succeeds, and then no more', async () => {
  const { desk, one, later, mend } = await signedOutInVain();
  await later();
  expect(desk.record()).not.toBeNull();
  mend();
  await later(AGAIN_MS - 1);
  expect(desk.record()).not.toBeNull();
  await later(1);
  expect(desk.record()).toBeNull();
  expect(desk.clock.pendingInBackground).toBe(0);
  const next = desk.start();
  await next.session.restore();
  expect(next.session.state).toEqual({ name: 'signedOut', reason: 'never' });
  expect(one.session.state).toEqual({ name: 'signedOut', reason: 'signedOut' });
});

test('what another process has stored since stays', async () => {
  const { desk, later, mend } = await signedOutInVain();
  mend();
  const two = desk.start();
  await two.signIn('bob');
  const { revision } = desk.record() ?? {};
  await later();
  expect(desk.record()?.revision).toBe(revision);
  await expect(two.session.getAccessToken(RENEW)).resolves.toEqual(expect.any(String));
});

test('who signs in again meanwhile keeps what the sign-in has stored', async () => {
  const { desk, one, later, mend } = await signedOutInVain();
  mend();
  await one.signIn();
  await later();
  expect(desk.record()?.accessToken).toBe(await one.session.getAccessToken());
});

test('a closed session tries nothing any more', async () => {
  const { desk, one, later, mend } = await signedOutInVain();
  await one.session.close();
  expect(desk.clock.pendingInBackground).toBe(0);
  mend();
  await later();
  expect(desk.record()).not.toBeNull();
});

test('what could not even be read is left alone: it may be somebody’s new session', async () => {
  const desk = createDesk();
  await desk.signedIn();
  const two = desk.start();
  desk.store.before = broken('get', 'remove');
  await two.session.signOut();
  desk.store.before = () => {};
  await desk.clock.advance(AGAIN_MS);
  expect(desk.record()).not.toBeNull();
  expect(two.session.state.name).toBe('signedOut');
});

test('a sign-in cut in two that could not be removed is removed later, so that nobody completes it', async () => {
  const desk = createDesk();
  const one = await desk.signedIn();
  await one.session.beginSignIn({ redirectUri: 'http://127.0.0.1:4000/callback' });
  const attempts = () => [...desk.store.values.keys()].filter((key) => key.endsWith('/attempts'));
  desk.store.before = broken('remove');
  await one.session.signOut();
  expect(attempts()).toHaveLength(1);
  desk.store.before = () => {};
  await desk.clock.advance(AGAIN_MS);
  expect(attempts()).toEqual([]);
});

test('a sign-in begun since stays, and can be completed', async () => {
  const { desk, one, later } = await signedOutInVain();
  desk.clock.setWall(desk.clock.nowMs() + 1_000);
  const attempts = () =>
    [...desk.store.values.entries()].find(([key]) => key.endsWith('/attempts'));
  await one.session.beginSignIn({ redirectUri: 'http://127.0.0.1:4000/callback' });
  desk.store.before = () => {};
  await later();
  expect(attempts()?.[1]).toContain('codeVerifier');
});

test('attempts that cannot be removed are no reason to forget what a sibling signs in to', async () => {
  const desk = createDesk();
  const two = desk.start();
  await two.session.restore();
  desk.store.before = (operation, key) => {
    if (operation === 'remove' && key.endsWith('/attempts')) throw new Error('EROFS');
  };
  await two.session.signOut();
  desk.store.before = () => {};
  const sibling = await desk.signedIn();
  await desk.clock.advance(0);
  expect(await two.session.getAccessToken()).toBe(await sibling.session.getAccessToken());
});

test('whom a sibling has signed in unnoticed is signed out of as well, though it cannot be removed', async () => {
  const desk = createDesk();
  const one = await desk.signedIn({ isHeard: false });
  const two = desk.start();
  await two.signIn('bob');
  desk.store.before = broken('remove');
  await one.session.signOut();
  await expect(one.session.getAccessToken()).rejects.toEqual(failing('sign_in_required'));
});
