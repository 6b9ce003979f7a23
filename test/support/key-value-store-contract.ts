import type { KeyValueStore } from '../../src/ports/index.js';

/** What every store must do. `setup` gives an empty one each time. */
export function describeKeyValueStore(
  name: string,
  setup: () => KeyValueStore | Promise<KeyValueStore>,
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
  });
}
