import fc from 'fast-check';
import { createPopup } from '../../../adapters/browser/popup.js';
import { readRedirectMessage } from '../../../adapters/browser/read-redirect-message.js';
import { systemClock } from '../../../adapters/web/system-clock.js';
import { MortiseError } from '../../../src/errors.js';
import type { Clock, RedirectOutcome } from '../../../src/ports/index.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { describeUserAgent } from '../../support/user-agent-contract.js';
import { createFakePage, type FakePageOptions } from './fake-page.js';

const ORIGIN = 'https://app.example';
const REDIRECT = `${ORIGIN}/callback`;
const AUTHORIZE = 'https://as.example/authorize?state=s1';
const IGNORED: RedirectOutcome = { kind: 'ignored' };

function createWorld({
  url = `${ORIGIN}/panel`,
  time,
  ...options
}: FakePageOptions & { url?: string; time?: Clock } = {}) {
  const fake = createFakePage(url, options);
  const clock = createFakeClock();
  const userAgent = createPopup({
    redirect: new URL(REDIRECT),
    redirectUri: REDIRECT,
    size: { width: 400, height: 600 },
    clock: time ?? clock,
    page: () => fake.page,
  });
  const arrived: string[] = [];
  const fates: string[] = [];
  const over = new AbortController();
  let outcome: () => Promise<RedirectOutcome> = async () => IGNORED;
  let lastId = 0;
  return {
    ...fake,
    fake,
    clock,
    userAgent,
    arrived,
    fates,
    over,
    answerWith: (next: typeof outcome) => void (outcome = next),
    open: () =>
      userAgent.open({
        redirect: [REDIRECT],
        signal: over.signal,
        onRedirect: (redirectUrl) => (arrived.push(redirectUrl), outcome()),
        onWindow: (fate) => void fates.push(fate),
      }),
    message: (redirectUrl: string) => ({ mortise: 1, id: `i${(lastId += 1)}`, url: redirectUrl }),
  };
}

describeUserAgent('a pop-up', async () => {
  const world = createWorld({ time: systemClock });
  const { popups, channels, listeners } = world;
  const page = new channels.FakeChannel(`mortise/1 ${REDIRECT}`);
  const heldByTest = channels.open.size;
  return {
    userAgent: world.userAgent,
    redirect: [REDIRECT],
    shown: () => popups.flatMap(({ shown }) => shown),
    breakNavigation: () => popups.forEach((popup) => (popup.failure = new Error('no'))),
    land: async (url) => page.postMessage(world.message(url)),
    isFree: async () =>
      channels.open.size === heldByTest &&
      listeners() === 0 &&
      popups.every(({ closed }) => closed),
  };
});

describe('the window', () => {
  test('is open before anything asynchronous happens, blank and over the middle of the page', async () => {
    const world = createWorld({
      window: { screenX: 100, screenY: 50, outerWidth: 1000, outerHeight: 800 },
    });
    const opening = world.open();
    expect(world.popups).toHaveLength(1);
    expect(world.features).toEqual(['popup,width=400,height=600,left=400,top=150']);
    await opening;
  });

  test('is not off the screen where the page is smaller than the window', async () => {
    const world = createWorld({ window: { outerWidth: 300, outerHeight: 300 } });
    await world.open();
    expect(world.features[0]).toContain('left=0,top=0');
  });

  test('closes with the visit, and nothing is left', async () => {
    const world = createWorld();
    const visit = await world.open();
    await visit.navigate(AUTHORIZE);
    expect(world.listeners()).toBeGreaterThan(0);
    await visit.close();
    expect(world.popups[0]?.closed).toBe(true);
    expect([world.listeners(), world.channels.open.size, world.clock.pending]).toEqual([0, 0, 0]);
    await expect(visit.navigate(AUTHORIZE)).rejects.toMatchObject({ code: 'aborted' });
  });

  test.each<[string, (world: ReturnType<typeof createWorld>) => void]>([
    ['is refused', ({ fake }) => (fake.isBlocking = true)],
    [
      'opens closed',
      ({ page, popups }) => {
        const { open } = page;
        const closedOne = () => (
          open.call(page, '', '', ''),
          (popups[0]!.closed = true),
          popups[0]
        );
        Object.defineProperty(page, 'open', { value: closedOne });
      },
    ],
    [
      'throws',
      ({ page }) =>
        Object.defineProperty(page, 'open', {
          value: () => {
            throw new Error('no');
          },
        }),
    ],
  ])(
    'case 71: one that %s is popup_blocked when it is needed, and the answer may still come',
    async (_, block) => {
      const world = createWorld();
      block(world);
      const visit = await world.open();
      await expect(visit.navigate(AUTHORIZE)).rejects.toMatchObject({
        code: 'popup_blocked',
        hint: expect.stringContaining('link'),
      });
      const tab = new world.channels.FakeChannel(`mortise/1 ${REDIRECT}`);
      tab.postMessage(world.message(`${REDIRECT}?code=c`));
      expect(world.arrived).toEqual([`${REDIRECT}?code=c`]);
      await world.clock.advance(60_000);
      expect(world.fates).toEqual([]);
      await visit.close();
    },
  );
});

describe('a window that is not seen any more', () => {
  const lose = async () => {
    const world = createWorld();
    const visit = await world.open();
    await visit.navigate(AUTHORIZE);
    await world.clock.advance(5_000);
    expect(world.fates).toEqual([]);
    world.popups[0]!.closed = true;
    return { ...world, visit };
  };

  test('is told within a second', async () => {
    const { clock, fates } = await lose();
    await clock.advance(999);
    expect(fates).toEqual(['lost']);
  });

  test('is told at once to a user who comes back to the page', async () => {
    const { page, fates } = await lose();
    page.dispatchEvent(new page.Event('focus'));
    expect(fates).toEqual(['lost']);
  });

  test('case 69: is not taken for closed while the user is somewhere else', async () => {
    const { clock, fates, channels, message, arrived } = await lose();
    await clock.advance(600_000);
    expect(fates).toEqual(['lost']);
    new channels.FakeChannel(`mortise/1 ${REDIRECT}`).postMessage(message(`${REDIRECT}?code=c`));
    expect(arrived).toHaveLength(1);
  });

  test('case 70: is closed once the user has been back at the page for 20 seconds, altogether', async () => {
    const { clock, fates, fake } = await lose();
    await clock.advance(1_000);
    for (const isFocused of [true, false, true]) {
      fake.isFocused = isFocused;
      await clock.advance(9_500);
    }
    expect(fates).toEqual(['lost']);
    await clock.advance(2_000);
    expect(fates).toEqual(['lost', 'closed']);
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(fates).toEqual(['lost', 'closed']);
  });

  test('is not closed by a page that slept', async () => {
    const { clock, fates, fake, page } = await lose();
    await clock.advance(1_000);
    fake.isFocused = true;
    // An hour without a look, as a machine that sleeps gives none.
    const { nowMs, monotonicMs } = clock;
    Object.assign(clock, { monotonicMs: () => monotonicMs() + 3_600_000, nowMs });
    page.dispatchEvent(new page.Event('focus'));
    expect(fates).toEqual(['lost']);
  });

  test('is closed at once where it still shows our own blank page', async () => {
    const world = createWorld();
    await world.open();
    world.popups[0]!.closed = true;
    await world.clock.advance(1_000);
    expect(world.fates).toEqual(['closed']);
    expect(world.clock.pending).toBe(0);
  });
});

test('one that was closed just before it was needed is closed, not lost', async () => {
  const world = createWorld();
  const visit = await world.open();
  world.popups[0]!.closed = true;
  await visit.navigate(AUTHORIZE);
  expect(world.fates).toEqual(['closed']);
  await visit.close();
  expect(world.clock.pending).toBe(0);
});

describe('a message', () => {
  const start = async () => {
    const world = createWorld();
    const visit = await world.open();
    await visit.navigate(AUTHORIZE);
    const popup = world.popups[0]!;
    const post = (data: unknown, origin = ORIGIN, source: unknown = popup) =>
      world.receive({ data, origin, source });
    return { ...world, visit, popup, post };
  };
  const REDIRECTED = `${REDIRECT}?code=c&state=s1`;

  test('from our window is taken, and the window is told what became of it, at its own origin', async () => {
    const { post, arrived, popup, message, answerWith } = await start();
    answerWith(async () => ({
      kind: 'failed',
      error: new MortiseError('access_denied', { error: 'access_denied' }),
    }));
    post(message(REDIRECTED));
    await settle();
    expect(arrived).toEqual([REDIRECTED]);
    expect(popup.received).toEqual([
      { origin: ORIGIN, data: { mortise: 1, id: 'i1', kind: 'heard' } },
      {
        origin: ORIGIN,
        data: {
          mortise: 1,
          id: 'i1',
          kind: 'failed',
          code: 'access_denied',
          hint: 'Sign in again and choose Allow.',
        },
      },
    ]);
  });

  test('that comes on both ways counts once, and is answered on both', async () => {
    const { post, arrived, popup, message, channels } = await start();
    const heard: unknown[] = [];
    const channel = new channels.FakeChannel(`mortise/1 ${REDIRECT}`);
    channel.onmessage = ({ data }) => heard.push((data as { kind: string }).kind);
    const twice = message(REDIRECTED);
    post(twice);
    channel.postMessage(twice);
    await settle();
    expect(arrived).toEqual([REDIRECTED]);
    expect(heard).toEqual(['heard', 'ignored']);
    expect(popup.received).toHaveLength(2);
  });

  test('that was taken is answered though the visit closes meanwhile', async () => {
    const { post, popup, message, answerWith, visit, clock } = await start();
    let answer = (_: RedirectOutcome) => {};
    answerWith(() => new Promise((resolve) => (answer = resolve)));
    post(message(REDIRECTED));
    let isClosed = false;
    const closing = visit.close().then(() => (isClosed = true));
    await clock.advance(100);
    expect(isClosed).toBe(false);
    answer({ kind: 'signedIn' });
    await closing;
    expect(popup.received.at(-1)?.data).toMatchObject({ kind: 'signedIn' });
    expect(popup.closed).toBe(true);
  });

  // prettier-ignore
  test.each<[string, (w: Awaited<ReturnType<typeof start>>) => void]>([
    ['case 63: another origin',       ({ post, message }) => post(message(REDIRECTED), 'https://as.example')],
    ['case 63: one that begins alike', ({ post, message }) => post(message(REDIRECTED), `${ORIGIN}.evil.example`)],
    ['case 65: no origin',            ({ post, message }) => post(message(REDIRECTED), 'null')],
    ['case 64: another window',       ({ post, message, page }) => post(message(REDIRECTED), ORIGIN, page)],
    ['case 64: no window',            ({ post, message }) => post(message(REDIRECTED), ORIGIN, null)],
  ])('of %s is ignored', async (_, send) => {
    const world = await start();
    send(world);
    await settle();
    expect(world.arrived).toEqual([]);
    expect(world.popup.received).toEqual([]);
  });

  const cyclic: Record<string, unknown> = { mortise: 1, id: 'x' };
  cyclic['url'] = cyclic;
  const throwing = {
    get mortise(): number {
      throw new Error('a trap');
    },
  };
  const proxy = new Proxy(
    {},
    {
      get() {
        throw new Error('a trap');
      },
    },
  );
  // prettier-ignore
  test.each<[string, unknown]>([
    ['a string',           REDIRECTED],
    ['nothing',            undefined],
    ['null',               null],
    ['a number',           1],
    ['an array',           [1, 'i', REDIRECTED]],
    ['a huge string',      'x'.repeat(5_000_000)],
    ['a huge address',     { mortise: 1, id: 'i', url: `${REDIRECT}?${'x'.repeat(40_000)}` }],
    ['a huge id',          { mortise: 1, id: 'i'.repeat(65), url: REDIRECTED }],
    ['a cycle',            cyclic],
    ['a getter that throws', throwing],
    ['a proxy that throws', proxy],
    ['another version',    { mortise: 2, id: 'i', url: REDIRECTED }],
    ['no id',              { mortise: 1, url: REDIRECTED }],
    ['an address that is none', { mortise: 1, id: 'i', url: '?code=c' }],
    ['an address elsewhere', { mortise: 1, id: 'i', url: 'https://evil.example/callback?code=c' }],
    ['a script',           { mortise: 1, id: 'i', url: 'javascript:alert(1)' }],
    ['a reply of ours',    { mortise: 1, id: 'i', kind: 'signedIn' }],
  ])('case 67: that is %s is ignored, without a throw', async (_, data) => {
    const { post, arrived, popup } = await start();
    post(data);
    await settle();
    expect(arrived).toEqual([]);
    expect(popup.received).toEqual([]);
  });
});

test('case 67: whatever is sent, it is a redirect of this origin or nothing, without a throw', () => {
  const field = fc.oneof(fc.anything(), fc.constant(1), fc.webUrl(), fc.constant(REDIRECT));
  const message = fc.record({ mortise: field, id: fc.oneof(fc.string(), field), url: field });
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withNullPrototype: true }), message), (data) => {
      const read = readRedirectMessage(data, ORIGIN);
      expect(read === null || new URL(read.url).origin === ORIGIN).toBe(true);
    }),
  );
});

test('a browser that refuses channels is served by its window alone', async () => {
  const refusing = class {
    constructor() {
      throw new Error('SecurityError');
    }
  };
  const world = createWorld({ window: { BroadcastChannel: refusing } });
  const visit = await world.open();
  await visit.navigate(AUTHORIZE);
  const data = world.message(`${REDIRECT}?code=c`);
  world.receive({ data, origin: ORIGIN, source: world.popups[0] });
  expect(world.arrived).toEqual([`${REDIRECT}?code=c`]);
  await visit.close();
});

// prettier-ignore
test.each<[string, FakePageOptions & { url?: string }, RegExp]>([
  ['case 65: a sandboxed page',  { window: { origin: 'null' } },                              /without an origin/],
  ['case 65: a file',            { url: 'file:///tmp/page.html', window: { origin: 'null' } }, /http:\/\/localhost/],
  ['a page of another origin',   { url: 'https://other.example/' },                          /https:\/\/other\.example/],
])('%s is a configuration_error, and opens no window', async (_, options, problem) => {
  const world = createWorld(options);
  await expect(world.open()).rejects.toMatchObject({
    code: 'configuration_error',
    details: { problem: expect.stringMatching(problem) },
  });
  expect(world.popups).toEqual([]);
});
