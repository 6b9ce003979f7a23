import type { KeyValueStore } from '../../src/ports/index.js';

/** How soon a change must be told, and a little more for a busy machine. */
const TOLD_WITHIN_MS = 2_000 + 1_000;

/**
 * What every store must do. `setup` gives an empty one each time; `another` the same one as another process
 * has it, for a store that tells of changes.
 */
export function describeKeyValueStore(
  name: string,
  setup: () => KeyValueStore | Promise<KeyValueStore>,
  another?: (store: KeyValueStore) => KeyValueStore,
): void {
  describe(`${name}: a key-value store`, () => {
    let store: KeyValueStore;
    beforeEach(async () => {
      store = await setup();
    });

    test('has null for a key never set', async () => {
      expect(await store.get('nothing')).toBeNull();
    });

    test('gives back what was set, and the last of it', async () => {
      await store.set('a', 'one');
      expect(await store.get('a')).toBe('one');
      await store.set('a', 'two');
      expect(await store.get('a')).toBe('two');
    });

    test.each([
      ['nothing at all', ''],
      ['blanks and line ends', ' \r\n\t '],
      ['what JSON needs quoted', '{"a":"\\"\u2028"}'],
      ['other scripts', 'żółć 建築 🏗\u0301'],
      ['a byte order mark', '\ufeffa'],
      ['a long record', 'x'.repeat(60_000)],
    ])('keeps %s', async (_, value) => {
      await store.set('a', value);
      expect(await store.get('a')).toBe(value);
    });

    test('removes, also what is not there', async () => {
      await store.set('a', 'one');
      await store.remove('a');
      await store.remove('a');
      expect(await store.get('a')).toBeNull();
      await store.set('a', 'again');
      expect(await store.get('a')).toBe('again');
    });

    test('keeps apart keys that resemble each other or look like something else', async () => {
      const long = 'k'.repeat(300);
      // prettier-ignore
      const keys = [
        'a', 'A', 'a ', 'a.', 'a/b', 'a\\b', 'a:b', 'a_b', '../a', '/a', 'con', 'NUL', 'aux.txt', 'ż', 'z', '',
        '__proto__', 'constructor', '*', '%2e', 'https://platform.example|client|default', long, `${long}2`,
      ];
      for (const key of keys) await store.set(key, `value of ${key}`);
      for (const key of keys) expect(await store.get(key)).toBe(`value of ${key}`);
      await store.remove('a');
      for (const key of keys.slice(1)) expect(await store.get(key)).toBe(`value of ${key}`);
    });

    test('takes the operations on one key in the order they were asked for', async () => {
      const sets = Array.from({ length: 20 }, (_, i) => store.set('a', `value ${i}`));
      const read = store.get('a');
      await Promise.all(sets);
      expect(await read).toBe('value 19');
      expect(await store.get('a')).toBe('value 19');
    });

    test('has a name to show, and says where it is', () => {
      expect(store.name ?? 'unnamed').toMatch(/^[a-z ]*$/i);
      expect([null, undefined, String(store.place)]).toContain(store.place);
    });

    if (!another) return;

    test('tells of what another process does in time, until it is told not to', async () => {
      await store.set('a', 'one');
      const told = { first: 0, second: 0 };
      const watch = (who: keyof typeof told) => store.watch?.('a', () => (told[who] += 1));
      const inTime = async (isSo: () => boolean) => {
        const startMs = performance.now();
        while (!isSo() && performance.now() - startMs < TOLD_WITHIN_MS) {
          await new Promise((done) => setTimeout(done, 20));
        }
        expect(isSo()).toBe(true);
      };
      const [endFirst, endSecond] = [watch('first'), watch('second')];
      const other = another(store);
      // The first change comes at once: perhaps before a first look was taken.
      for (const value of ['two', null, 'three']) {
        const { first, second } = told;
        await (value === null ? other.remove('a') : other.set('a', value));
        await inTime(() => told.first > first && told.second > second);
        expect(await store.get('a')).toBe(value);
      }
      endFirst?.();
      endFirst?.();
      const { first, second } = told;
      await other.set('a', 'four');
      await inTime(() => told.second > second);
      expect(told.first).toBe(first);
      endSecond?.();
    });
  });
}
