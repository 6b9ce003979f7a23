import { createTabNews } from '../../../adapters/browser/tab-news.js';

/** Delivers at once, to all but the sender. */
class FakeChannel extends EventTarget {
  static open = new Set<FakeChannel>();
  readonly name: string;
  constructor(name: string) {
    super();
    this.name = name;
    FakeChannel.open.add(this);
  }
  postMessage(data: unknown) {
    for (const other of [...FakeChannel.open]) {
      if (other !== this && other.name === this.name) {
        other.dispatchEvent(new MessageEvent('message', { data }));
      }
    }
  }
  close() {
    FakeChannel.open.delete(this);
  }
}

const original = Object.getOwnPropertyDescriptor(globalThis, 'BroadcastChannel') ?? {};
const replace = (value: unknown) =>
  Object.defineProperty(globalThis, 'BroadcastChannel', { value, configurable: true });
beforeEach(() => {
  FakeChannel.open.clear();
  replace(FakeChannel);
});
afterEach(() => void Object.defineProperty(globalThis, 'BroadcastChannel', original));

const listen = (what: string, name = 'a') => {
  const heard: string[] = [];
  const stop = createTabNews(name).watch(what, () => heard.push(what));
  return { heard, stop };
};

test('case 195: every tab hears of a change, the one that made it too, and of no other', () => {
  const news = createTabNews('a');
  const here: string[] = [];
  const stop = news.watch('one', () => here.push('one'));
  const there = listen('one');
  const others = [listen('two'), listen('one', 'b')];
  news.tell('one');
  expect(here).toEqual(['one']);
  expect(there.heard).toEqual(['one']);
  expect(others.map(({ heard }) => heard)).toEqual([[], []]);
  for (const { stop: end } of [{ stop }, there, ...others]) end();
});

test('a channel is open while somebody watches, and not a moment longer', () => {
  const news = createTabNews('a');
  news.tell('one');
  expect(FakeChannel.open.size).toBe(0);
  const stops = [news.watch('one', () => {}), news.watch('two', () => {})];
  expect(FakeChannel.open.size).toBe(1);
  stops[0]?.();
  stops[0]?.();
  expect(FakeChannel.open.size).toBe(1);
  stops[1]?.();
  expect(FakeChannel.open.size).toBe(0);
  const stop = news.watch('one', () => {});
  // One who has left twice closes nothing that others have opened since.
  stops[1]?.();
  expect(FakeChannel.open.size).toBe(1);
  stop();
});

test('who has left hears no more, also within one message', () => {
  const news = createTabNews('a');
  const heard: string[] = [];
  const stops: (() => void)[] = [];
  stops.push(
    news.watch('one', () => {
      heard.push('first');
      stops[1]?.();
    }),
  );
  stops.push(news.watch('one', () => heard.push('second')));
  createTabNews('a').tell('one');
  expect(heard).toEqual(['first']);
  stops[0]?.();
});

test.each([null, undefined, 7, {}, ['one'], 'one\u0000', 'x'.repeat(1_000_000)])(
  'anything else that is sent is nothing: %.20p',
  (data) => {
    const { heard, stop } = listen('one');
    new FakeChannel('a').postMessage(data);
    expect(heard).toEqual([]);
    stop();
  },
);

class Throwing {
  constructor() {
    throw new DOMException('not here', 'SecurityError');
  }
}
test.each([
  ['there is no BroadcastChannel', undefined],
  ['it throws', Throwing],
])('%s: nobody is told, and nothing is thrown', (_, value) => {
  replace(value);
  const news = createTabNews('a');
  const stop = news.watch('one', () => {});
  news.tell('one');
  stop();
  stop();
});
