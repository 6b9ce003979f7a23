import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { walkTree, type WalkOptions } from '../../src/api/walk.js';
import { settle } from '../support/fake-clock.js';

/** Who is below whom. */
type Tree = Readonly<Record<string, readonly string[]>>;

const TREE: Tree = {
  root: ['a', 'b'],
  a: ['a1', 'a2'],
  b: ['b1'],
  a2: ['a2x'],
};
const ALL = ['a 1 root', 'b 1 root', 'a1 2 a', 'a2 2 a', 'b1 2 b', 'a2x 3 a2'];

/** A platform that answers when the test says so, or at once. */
function platform(tree: Tree, { holds = false } = {}) {
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const waiting: { id: string; answer: () => void }[] = [];
  let busy = 0;
  let busiest = 0;
  return {
    asked,
    signals,
    waiting,
    busiest: () => busiest,
    async browse(id: string, { signal }: { signal: AbortSignal }) {
      asked.push(id);
      signals.push(signal);
      busy += 1;
      busiest = Math.max(busiest, busy);
      if (holds) await new Promise<void>((answer) => waiting.push({ id, answer }));
      else await null;
      busy -= 1;
      if (signal.aborted) throw new Error('aborted');
      return (tree[id] ?? []).map((child) => ({ id: child }));
    },
  };
}

async function walked(tree: Tree, options?: WalkOptions, browse = platform(tree).browse) {
  const steps: string[] = [];
  for await (const { node, depth, parentId } of walkTree('root', browse, options)) {
    steps.push(`${node.id} ${depth} ${parentId}`);
  }
  return steps;
}

test('level by level, in the order the platform lists them, without the start', async () => {
  expect(await walked(TREE)).toEqual(ALL);
});

test('a node is the platform’s own, whatever else it carries', async () => {
  const node = { id: 'a', name: 'Division', extra: { kept: true } };
  const browse = async (id: string) => (id === 'root' ? [node] : []);
  for await (const step of walkTree('root', browse)) expect(step.node).toBe(node);
  expect.assertions(1);
});

test('the order does not depend on who answers first', async () => {
  const { browse, waiting } = platform(TREE, { holds: true });
  let isOver = false;
  const steps = walked(TREE, {}, browse).finally(() => (isOver = true));
  while (!isOver) {
    await settle();
    waiting.pop()?.answer(); // The one asked last answers first.
  }
  expect(await steps).toEqual(ALL);
});

describe('maxDepth', () => {
  // prettier-ignore
  test.each([
    [0,         [],                                          []],
    [1,         ALL.slice(0, 2),                             ['root']],
    [2,         ALL.slice(0, 5),                             ['root', 'a', 'b']],
    [3,         ALL,                                         ['root', 'a', 'b', 'a1', 'a2', 'b1']],
    [4,         ALL,                                         ['root', 'a', 'b', 'a1', 'a2', 'b1', 'a2x']],
    [Infinity,  ALL,                                         ['root', 'a', 'b', 'a1', 'a2', 'b1', 'a2x']],
  ])('%d levels, and nobody below is asked about', async (maxDepth, expected, asked) => {
    const { browse, asked: found } = platform(TREE);
    expect(await walked(TREE, { maxDepth }, browse)).toEqual(expected);
    expect(found).toEqual(asked);
  });
});

describe('concurrency', () => {
  const children = Array.from({ length: 30 }, (_, index) => `n${index}`);
  const wide: Tree = { root: children, n0: ['x'], n29: ['y'] };

  test.each([
    [undefined, 4],
    [1, 1],
    [2, 2],
    [10, 10],
    [1_000, 30],
    [0, 1],
    [-5, 1],
  ])('%p asks about %d nodes at once, and no more', async (concurrency, expected) => {
    const { browse, busiest, waiting } = platform(wide, { holds: true });
    let isOver = false;
    const options = concurrency === undefined ? {} : { concurrency };
    const steps = walked(wide, options, browse).finally(() => (isOver = true));
    while (!isOver) {
      await settle();
      for (const { answer } of waiting.splice(0)) answer();
    }
    expect(await steps).toHaveLength(32);
    expect(busiest()).toBe(expected);
  });
});

describe('a tree that is none', () => {
  // prettier-ignore
  test.each<[string, Tree, string[]]>([
    ['a node below itself',       { root: ['a'], a: ['a', 'b'] },                 ['a 1 root', 'b 2 a']],
    ['the start below its child', { root: ['a'], a: ['root', 'b'] },              ['a 1 root', 'b 2 a']],
    ['the start below itself',    { root: ['root', 'a'] },                        ['a 1 root']],
    ['a longer loop',             { root: ['a'], a: ['b'], b: ['c'], c: ['a'] },  ['a 1 root', 'b 2 a', 'c 3 b']],
    ['two ways to one node',      { root: ['a', 'b'], a: ['c'], b: ['c'] },       ['a 1 root', 'b 1 root', 'c 2 a']],
    ['a child listed twice',      { root: ['a', 'a'] },                           ['a 1 root']],
    ['an empty start',            {},                                             []],
    ['names of objects’ parts',   { root: ['__proto__', 'constructor'] },         ['__proto__ 1 root', 'constructor 1 root']],
  ])('ends all the same: %s', async (_, tree, expected) => {
    const own: Tree = Object.assign(Object.create(null) as Tree, tree);
    expect(await walked(own)).toEqual(expected);
  });

  test('whatever it is, each node comes once, parents first, and nobody is asked about twice', async () => {
    const id = fc.constantFrom('root', ...'abcdefgh');
    const trees = fc.dictionary(id, fc.array(id, { maxLength: 5 }), { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(trees, fc.integer({ min: 1, max: 5 }), async (tree, concurrency) => {
        const { browse, asked, busiest } = platform(tree);
        const depths = new Map([['root', 0]]);
        for await (const step of walkTree('root', browse, { concurrency })) {
          expect(depths.has(step.node.id)).toBe(false);
          expect(step.depth).toBe(depths.get(step.parentId)! + 1);
          depths.set(step.node.id, step.depth);
        }
        const levels = [...depths.values()];
        expect(levels).toEqual([...levels].sort((one, other) => one - other));
        expect([...asked].sort()).toEqual([...depths.keys()].sort());
        expect(busiest()).toBeLessThanOrEqual(concurrency);
      }),
    );
  });
});

describe('the end before the end', () => {
  test('leaving the loop early stops what is under way', async () => {
    const { browse, asked, signals, waiting } = platform(TREE, { holds: true });
    const steps = walkTree('root', browse);
    const first = steps.next();
    waiting.pop()!.answer();
    expect((await first).value).toMatchObject({ node: { id: 'a' } });
    const second = steps.next(); // b
    await second;
    const third = steps.next(); // Asks about a and b.
    await settle();
    expect(asked).toEqual(['root', 'a', 'b']);
    waiting.find(({ id }) => id === 'a')!.answer();
    await third;
    await steps.return(undefined);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    for (const { answer } of waiting) answer(); // They fail now, and nobody is there to hear it.
    await settle();
    expect(asked).toEqual(['root', 'a', 'b']);
  });

  test('nothing is asked before the first step', async () => {
    const { browse, asked } = platform(TREE);
    walkTree('root', browse);
    await settle();
    expect(asked).toEqual([]);
  });

  test('a signal ends the walk, also while it waits', async () => {
    const leaving = new AbortController();
    const browse = (_: string, { signal }: { signal: AbortSignal }) =>
      new Promise<{ id: string }[]>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('aborted')));
      });
    const steps = walked(TREE, { signal: leaving.signal }, browse);
    await settle();
    leaving.abort();
    await expect(steps).rejects.toThrow('aborted');
    expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
  });

  test('a signal that was aborted before is handed on at once', async () => {
    const { browse, signals } = platform(TREE);
    const signal = AbortSignal.abort();
    await expect(walked(TREE, { signal }, browse)).rejects.toThrow('aborted');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  test('a failure ends the walk with it, in its turn, and stops what is under way', async () => {
    const { browse, signals } = platform(TREE);
    const steps: string[] = [];
    const broken = async (id: string, options: { signal: AbortSignal }) => {
      if (id === 'b') throw new Error('b cannot be asked about');
      return browse(id, options);
    };
    const walk = async () => {
      for await (const { node } of walkTree('root', broken)) steps.push(node.id);
    };
    await expect(walk()).rejects.toThrow('b cannot be asked about');
    expect(steps).toEqual(['a', 'b', 'a1', 'a2']);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  test('a walk that ended leaves no listener behind', async () => {
    const { signal } = new AbortController();
    await walked(TREE, { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
