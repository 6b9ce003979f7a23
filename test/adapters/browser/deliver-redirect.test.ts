import {
  deliverRedirect,
  type Delivery,
  type DeliverRedirectOptions,
} from '../../../adapters/browser/deliver-redirect.js';
import { takeRedirectUrl } from '../../../adapters/browser/redirect-address.js';
import { settle } from '../../support/fake-clock.js';
import { createFakePage, type FakePageOptions } from './fake-page.js';

const ORIGIN = 'https://app.example';
const CLEAN = `${ORIGIN}/callback`;
const LOADED = `${CLEAN}?code=c%20d&state=s&iss=https%3A%2F%2Fas.example#rest`;

interface Message {
  readonly mortise: number;
  readonly id: string;
  readonly url: string;
}

beforeEach(
  () =>
    void jest.useFakeTimers({
      doNotFake: ['Date', 'performance', 'setImmediate', 'queueMicrotask', 'nextTick'],
    }),
);
afterEach(() => jest.useRealTimers());

/** A redirect page that has just been loaded, by a window that may be there. */
function load(url = LOADED, options: FakePageOptions = {}) {
  const posted: { readonly data: Message; readonly origin: string }[] = [];
  const opener = { postMessage: (data: Message, origin: string) => posted.push({ data, origin }) };
  let closed = 0;
  const fake = createFakePage(url, {
    ...options,
    window: { opener, close: () => (closed += 1), ...options.window },
  });
  const { page, channels } = fake;
  const told: Message[] = [];
  const channel = new channels.FakeChannel(`mortise/1 ${CLEAN}`);
  channel.onmessage = ({ data }) => told.push(data as Message);
  const status = () => page.document.querySelector('[role=status]')?.textContent ?? null;
  return {
    ...fake,
    posted,
    opener,
    told,
    status,
    closedTimes: () => closed,
    /** What the page of an app says, by the channel or as the opener. */
    answer: (kind: string, more: object = {}) =>
      channel.postMessage({ mortise: 1, id: told[0]?.id, kind, ...more }),
    answerAs: (source: unknown, origin: string, kind = 'signedIn') =>
      fake.receive({ data: { mortise: 1, id: posted[0]?.data.id, kind }, origin, source }),
    start(deliverOptions?: DeliverRedirectOptions) {
      let delivery: Delivery | undefined;
      const done = deliverRedirect(deliverOptions, page).then((it) => (delivery = it));
      return { done, delivery: () => delivery };
    },
  };
}

test('case 66: hands its address as it came to its own origin alone, by both ways', async () => {
  const { start, posted, told } = load();
  start();
  expect(posted).toEqual([{ data: expect.anything(), origin: ORIGIN }]);
  expect(posted[0]?.data).toEqual({
    mortise: 1,
    id: expect.stringMatching(/^\d+-\d+$/),
    url: LOADED,
  });
  expect(told).toEqual([posted[0]?.data]);
});

test('what its author shows it with may fail: the answer is handed over all the same', async () => {
  const { start, told, answer } = load();
  const { done } = start({
    show() {
      throw new Error('no place');
    },
  });
  expect(told).toHaveLength(1);
  answer('heard');
  answer('signedIn');
  expect(await done).toEqual({ kind: 'signedIn' });
});

test('takes everything off the address bar at once, and the history is not longer for it', () => {
  const { start, page } = load();
  const before = page.history.length;
  start();
  expect(page.location.href).toBe(CLEAN);
  expect(page.history.length).toBe(before);
});

test('is told that the user is signed in, says so, and closes', async () => {
  const { start, answer, status, closedTimes, channels, listeners } = load();
  const { done } = start();
  expect(status()).toBe('Signing in');
  answer('heard');
  answer('signedIn');
  expect(await done).toEqual({ kind: 'signedIn' });
  expect(status()).toBe('You are signed in. You can close this window.');
  expect(closedTimes()).toBe(1);
  expect([channels.open.size, listeners(), jest.getTimerCount()]).toEqual([1, 0, 0]);
});

test('is told why not, says what to do, as text, and stays', async () => {
  const { start, answer, status, closedTimes, page } = load();
  const { done } = start();
  answer('heard');
  answer('failed', { code: 'access_denied', hint: '<b>Choose</b> Allow.' });
  expect(await done).toEqual({
    kind: 'failed',
    code: 'access_denied',
    hint: '<b>Choose</b> Allow.',
  });
  expect(status()).toBe('You are not signed in. <b>Choose</b> Allow.');
  expect(page.document.querySelector('b')).toBeNull();
  expect(closedTimes()).toBe(0);
});

test('believes the window that opened it, at its own origin, and nobody else', async () => {
  const { start, answerAs, opener, page } = load();
  const { done, delivery } = start();
  answerAs(opener, 'https://as.example');
  answerAs(page, ORIGIN);
  answerAs(null, ORIGIN);
  await settle();
  expect(delivery()).toBeUndefined();
  answerAs(opener, ORIGIN);
  expect(await done).toEqual({ kind: 'signedIn' });
});

test.each<[string, object]>([
  ['of another arrival', { id: '1-2', kind: 'signedIn' }],
  ['of no kind', { kind: 'sesame' }],
  ['that is a redirect', { url: LOADED }],
])('an answer %s changes nothing', async (_, data) => {
  const { start, channels, answer } = load();
  const { delivery } = start();
  new channels.FakeChannel(`mortise/1 ${CLEAN}`).postMessage({ mortise: 1, ...data });
  answer('sesame');
  await settle();
  expect(delivery()).toBeUndefined();
});

test('nobody there: within two seconds it says so, and leaves the address to the page', async () => {
  const { start, status } = load();
  const { done } = start();
  await jest.advanceTimersByTimeAsync(2_000);
  const delivery = await done;
  expect(status()).toBe('Go back to the app and sign in again.');
  expect(delivery.kind === 'nobody' && delivery.redirectUrl()).toBe(LOADED);
  expect(JSON.stringify(delivery)).toBe('{"kind":"nobody"}');
  expect(jest.getTimerCount()).toBe(0);
});

test('how long it waits for somebody is the page’s to say', async () => {
  const { start } = load();
  const { done } = start({ answerWithinMs: 10 });
  await jest.advanceTimersByTimeAsync(10);
  expect(await done).toMatchObject({ kind: 'nobody' });
});

test('of several pages that wait, the one that ignores it speaks for itself alone', async () => {
  const { start, answer } = load();
  const { done, delivery } = start();
  answer('heard');
  answer('ignored');
  answer('heard');
  await jest.advanceTimersByTimeAsync(5_000);
  expect(delivery()).toBeUndefined();
  answer('signedIn');
  expect(await done).toEqual({ kind: 'signedIn' });
});

test.each([
  ['in time', 0],
  ['late', 5_000],
])('ignored by all that wait, %s: it is nobody’s', async (_, delayMs) => {
  const { start, answer } = load();
  const { done } = start();
  answer('heard');
  await jest.advanceTimersByTimeAsync(delayMs);
  answer('ignored');
  await jest.advanceTimersByTimeAsync(2_000);
  expect(await done).toMatchObject({ kind: 'nobody' });
});

test('a page that took it and says no more is waited for a minute', async () => {
  const { start, answer, status } = load();
  const { done, delivery } = start();
  answer('heard');
  await jest.advanceTimersByTimeAsync(61_000);
  expect(delivery()).toBeUndefined();
  await jest.advanceTimersByTimeAsync(1_000);
  expect(await done).toEqual({ kind: 'delivered' });
  expect(status()).toBe('Go back to the app.');
});

test.each([CLEAN, `${CLEAN}?`, `${CLEAN}#rest`])(
  'reloaded, duplicated or from the history (%s) it has nothing to hand over, and says so',
  async (url) => {
    const { start, status, posted, told } = load(url);
    expect(await start().done).toEqual({ kind: 'nothing' });
    expect(status()).toBe('You can close this window.');
    expect([posted, told]).toEqual([[], []]);
  },
);

test.each<[string, Readonly<Record<string, unknown>>]>([
  // `top` cannot be replaced, and is somebody else than the page either way.
  ['case 73: in a frame', { self: {} }],
  ['case 65: without an origin', { origin: 'null' }],
])('%s it hands its address to nobody, and takes it off all the same', async (_, window) => {
  const { start, status, posted, told, page } = load(LOADED, { window });
  expect(await start().done).toEqual({ kind: 'refused' });
  expect(status()).toBe('You are not signed in.');
  expect([posted, told]).toEqual([[], []]);
  expect(page.location.href).toBe(CLEAN);
});

test('no opener and no channels: it is nobody’s, and nothing is thrown', async () => {
  const { start } = load(LOADED, { window: { opener: null, BroadcastChannel: undefined } });
  const { done } = start();
  await jest.advanceTimersByTimeAsync(2_000);
  expect(await done).toMatchObject({ kind: 'nobody' });
});

test('shows texts of the page’s own, in its own place, and none for an empty one', async () => {
  const first = load();
  first.page.document.body.innerHTML = '<main role="status">…</main>';
  const { done } = first.start({ texts: { signedIn: 'Angemeldet.' } });
  expect(first.status()).toBe('Signing in');
  first.answer('signedIn');
  await done;
  expect(first.status()).toBe('Angemeldet.');
  expect(first.page.document.querySelectorAll('[role=status]')).toHaveLength(1);

  const second = load(CLEAN);
  await second.start({ texts: { nothing: '' } }).done;
  expect(second.status()).toBeNull();

  const shown: string[] = [];
  const third = load(CLEAN);
  await third.start({ show: (text) => void shown.push(text) }).done;
  expect([shown, third.status()]).toEqual([['You can close this window.'], null]);
});

test('loaded before there is a body, it shows its text all the same', async () => {
  const { start, page, status } = load(CLEAN);
  page.document.body.remove();
  await start().done;
  expect(status()).toBe('You can close this window.');
});

describe('takeRedirectUrl', () => {
  test('gives the address once, as it came', () => {
    const { page } = load();
    expect(takeRedirectUrl(page)).toBe(LOADED);
    expect(page.location.href).toBe(CLEAN);
    expect(takeRedirectUrl(page)).toBeNull();
  });

  test('gives it where the history cannot be changed', () => {
    const { page } = load();
    page.history.replaceState = () => {
      throw new Error('SecurityError');
    };
    expect(takeRedirectUrl(page)).toBe(LOADED);
  });
});

test.each(['?project=7#view', '?utm_source=x', '?zipcode=1&encoded=2', '?x=code'])(
  'a query of the app’s own is no answer, and stays: %s',
  async (query) => {
    const { start, page, posted, told } = load(ORIGIN + '/' + query);
    const { done, delivery } = start({ texts: { nothing: '' } });
    await done;
    expect(delivery()).toEqual({ kind: 'nothing' });
    expect(page.location.href).toBe(ORIGIN + '/' + query);
    expect([posted, told]).toEqual([[], []]);
  },
);

test.each(['code=1', 'access_code=1', 'error=access_denied', 'denied=1', 'a=1&state=s'])(
  'an answer is taken, with everything else of the query: %s',
  (query) => {
    const { page } = load(`${CLEAN}?${query}#rest`);
    expect(takeRedirectUrl(page)).toBe(`${CLEAN}?${query}#rest`);
    expect(page.location.href).toBe(CLEAN);
  },
);

test('an answer is taken off a path that begins like a host, too', () => {
  const { page } = load(`${ORIGIN}//cb?code=1&state=s`);
  expect(takeRedirectUrl(page)).toBe(`${ORIGIN}//cb?code=1&state=s`);
  expect(page.location.href).toBe(`${ORIGIN}//cb`);
});
