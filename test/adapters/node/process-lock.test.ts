import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createFileLock } from '../../../adapters/node/file-lock.js';
import { createNodeHost } from '../../../adapters/node/index.js';
import { findKernelLock } from '../../../adapters/node/kernel-lock.js';
import type { Free, KernelLock } from '../../../adapters/node/kernel-lock.js';
import { createProcessLock } from '../../../adapters/node/process-lock.js';
import { systemClock as clock } from '../../../adapters/web/system-clock.js';
import type { KeyValueStore, Lock } from '../../../src/ports/index.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { createFakeClock, settle } from '../../support/fake-clock.js';
import { describeLock } from '../../support/lock-contract.js';
import { createLockProcesses, testWithClock } from '../../support/lock-process.js';
import type { LockProcess, LockProcesses } from '../../support/lock-process.js';

const LONG_MS = 10_000;
const SHORT_MS = 100;

/** No two tests share one, nor two runs of them. */
let place: string;
let places = 0;
beforeEach(() => (place = `test ${process.pid} ${(places += 1)}`));

const isHeld = async (held: boolean) => held;
const later = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** Fails by the time limit of the test. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await later(5);
}

/** Takes the lock and keeps it until told. */
async function hold(lock: Lock): Promise<() => Promise<boolean>> {
  let free = () => {};
  let holder = Promise.resolve(false);
  await new Promise<void>((taken) => {
    holder = lock('a', LONG_MS, async (held) => {
      taken();
      await new Promise<void>((done) => (free = done));
      return held;
    });
  });
  return () => (free(), holder);
}

const DARWIN = { O_RDWR: 2, O_CREAT: 0x200, O_NONBLOCK: 4, O_NOFOLLOW: 0x100 };

/** A disk on which an open file is somebody's alone. */
function createDisk(platform: string) {
  const isWindows = platform === 'win32';
  const code = isWindows ? 'EBUSY' : 'EAGAIN';
  const held = new Map<number, string>();
  const paths = new Set<string>();
  const disk = {
    held,
    paths,
    touched: [] as number[],
    failure: undefined as string | undefined,
    constants: isWindows ? { O_RDWR: 2, O_CREAT: 0x100 } : DARWIN,
    open(
      path: string,
      flags: number,
      mode: number,
      done: (error: Error | null, fd: number) => void,
    ) {
      const fail = (code: string) =>
        setImmediate(done, Object.assign(new Error(code), { code }), 0);
      const must = isWindows ? 0x10000000 : 0x20 | DARWIN.O_NONBLOCK | DARWIN.O_NOFOLLOW;
      expect(flags & must).toBe(must);
      expect(mode).toBe(0o600);
      paths.add(path);
      if (disk.failure) return fail(disk.failure);
      if ([...held.values()].includes(path)) return fail(code);
      const fd = 3 + paths.size + held.size;
      held.set(fd, path);
      setImmediate(done, null, fd);
    },
    futimesSync: (fd: number) => void disk.touched.push(fd),
    closeSync: (fd: number) => void held.delete(fd),
  };
  return disk;
}

const fileLockOn = (platform: string, disk = createDisk(platform), env = {}) => {
  const load = async () => disk as unknown as typeof import('node:fs');
  return createFileLock({ platform, env, load });
};

describeLock('createProcessLock', () => createProcessLock({ place, clock }));
test('case 144: where nothing keeps other processes out, callers in here take turns, and are told so', async () => {
  const lock = createProcessLock({ place, clock, kernel: null });
  let inside = 0;
  const task = async (held: boolean) => {
    inside += 1;
    const most = inside;
    await later(1);
    inside -= 1;
    return [held, most];
  };
  const turns = await Promise.all([1, 2, 3].map(() => lock('a', LONG_MS, task)));
  expect(turns).toEqual([1, 2, 3].map(() => [false, 1]));
});
describe.each(['win32', 'darwin'])('with files as on %s', (platform) => {
  describeLock('createProcessLock', () =>
    createProcessLock({ place, clock, kernel: fileLockOn(platform) }),
  );
});

// prettier-ignore
test.each([
  ['win32',   '1.46.0',  true],
  ['darwin',  '1.46.0',  true],
  ['freebsd', '1.46.0',  true],
  ['linux',   '1.46.0',  true],
  ['linux',   '2.0.0',   true],
  ['linux',   '1.45.0',  false], // all names are one: Node 20.0 to 20.3
  ['linux',   '',        false],
  ['aix',     '1.46.0',  false],
  ['android', '1.46.0',  false],
])('on %s with libuv %s there is a lock between processes: %s', (platform, uvVersion, isThere) => {
  expect(findKernelLock(platform, uvVersion) !== null).toBe(isThere);
});

describe('in one process', () => {
  test('case 150: locks of two copies of the library exclude each other', async () => {
    const [one, two] = [createProcessLock({ place, clock }), createProcessLock({ place, clock })];
    const free = await hold(one);
    expect(await two('a', SHORT_MS, isHeld)).toBe(false);
    const waiting = two('a', LONG_MS, isHeld);
    await later(20);
    expect(await free()).toBe(true);
    expect(await waiting).toBe(true);
  });

  test('one folder by another name is one lock, also before it is there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mortise-'));
    try {
      symlinkSync(folder, `${folder}-link`);
      for (const rest of ['', '/not-yet', '/not-yet/below']) {
        const free = await hold(createProcessLock({ place: folder + rest, clock }));
        const other = createProcessLock({ place: `${folder}-link${rest}`, clock });
        expect(await other('a', SHORT_MS, isHeld)).toBe(false);
        expect(await other('b', LONG_MS, isHeld)).toBe(true);
        await free();
      }
      const list = createProcessLock({ place: `keyring:acme\n${folder}`, clock });
      const free = await hold(list);
      const other = createProcessLock({ place: `keyring:acme\n${folder}-link`, clock });
      expect(await other('a', SHORT_MS, isHeld)).toBe(false);
      await free();
    } finally {
      rmSync(`${folder}-link`);
      rmSync(folder, { recursive: true });
    }
  });

  test('another place is another lock', async () => {
    const free = await hold(createProcessLock({ place, clock }));
    expect(await createProcessLock({ place: `${place}x`, clock })('a', 0, isHeld)).toBe(true);
    await free();
  });

  test('case 144: 10,000 waiters are all served, one at a time', async () => {
    const lock = createProcessLock({ place, clock });
    let inside = 0;
    const task = async (held: boolean) => {
      inside += 1;
      await null;
      return [held, inside--] as const;
    };
    const turns = await Promise.all(Array.from({ length: 10_000 }, () => lock('a', 60_000, task)));
    expect(turns.every(([held, most]) => held && most === 1)).toBe(true);
  });

  test('who comes back at once does not keep the lock from those who wait', async () => {
    const [greedy, patient] = [
      createProcessLock({ place, clock }),
      createProcessLock({ place, clock }),
    ];
    let isServed = false;
    const free = await hold(greedy);
    const waiting = patient('a', LONG_MS, isHeld).finally(() => (isServed = true));
    await later(20);
    await free();
    let rounds = 0;
    while (!isServed && rounds < 1_000) {
      await greedy('a', LONG_MS, () => later(1));
      rounds += 1;
    }
    expect(await waiting).toBe(true);
    expect(rounds).toBeLessThan(100);
  });
});

describe('waiting', () => {
  const never = new Promise<never>(() => {});
  const taken: KernelLock = { take: async () => null, whenFreed: () => never };

  // prettier-ignore
  test.each<[string, KernelLock]>([
    ['is always taken',          taken],
    ['cannot be waited for',     { take: async () => null }],
    ['wakes its waiters at once', { take: async () => null, whenFreed: async () => {} }],
    ['never answers',            { take: () => never }],
  ])('case 144: ends in time when the lock %s, queues and all', async (_, kernel) => {
    const fake = createFakeClock();
    const lock = createProcessLock({ place, clock: fake, kernel });
    const seen: string[] = [];
    const ask = (name: string, timeoutMs: number) =>
      void lock('a', timeoutMs, async (held) => {
        seen.push(`${name} ${held}`);
        await new Promise<void>((done) => fake.after(100, done));
      });
    ask('first', 1_000);
    ask('second', 1_500); // its turn comes at 1,100, and is over 400 later
    await fake.advance(999);
    expect(seen).toEqual([]);
    await fake.advance(1);
    expect(seen).toEqual(['first false']);
    await fake.advance(499);
    expect(seen).toHaveLength(1);
    await fake.advance(1);
    expect(seen).toEqual(['first false', 'second false']);
    await fake.advance(100);
    expect(fake.pending).toBe(0);
  });

  test('case 144: does not ask without a pause, however it is woken', async () => {
    const fake = createFakeClock();
    const take = jest.fn(async () => null);
    const kernel = { take, whenFreed: async () => {} };
    const over = createProcessLock({ place, clock: fake, kernel })('a', 10_000, isHeld);
    await fake.advance(10_000);
    expect(await over).toBe(false);
    expect(take.mock.calls.length).toBeGreaterThan(100);
    expect(take.mock.calls.length).toBeLessThan(1_000);
  });

  test('a lock that comes too late is given back', async () => {
    const fake = createFakeClock();
    const free = jest.fn(async () => {});
    let arrive = (_: Free) => {};
    const kernel = { take: () => new Promise<Free>((resolve) => (arrive = resolve)) };
    const over = createProcessLock({ place, clock: fake, kernel })('a', 1_000, isHeld);
    await fake.advance(1_000);
    expect(await over).toBe(false);
    arrive(free);
    await settle();
    expect(free).toHaveBeenCalledTimes(1);
    expect(fake.pending).toBe(0);
  });

  test('a lock that cannot be had is not waited for, and is nobody’s error', async () => {
    const fake = createFakeClock();
    const kernel = { take: () => Promise.reject(new Error('EPERM')) };
    const lock = createProcessLock({ place, clock: fake, kernel });
    expect(await lock('a', LONG_MS, isHeld)).toBe(false);
    expect(fake.pending).toBe(0);
  });
});

describe.each([
  ['win32', join('/local', 'Temp'), { LOCALAPPDATA: '/local' }],
  ['darwin', undefined, {}],
] as const)('files as on %s', (platform, folder, env) => {
  test('one file a lock, which stays, is touched, and says nothing', async () => {
    const disk = createDisk(platform);
    const kernel = fileLockOn(platform, disk, env);
    const lock = createProcessLock({ place, clock, kernel });
    expect(await lock('a', LONG_MS, isHeld)).toBe(true);
    expect(await lock('a', LONG_MS, isHeld)).toBe(true);
    const [path = ''] = disk.paths;
    expect(disk.paths.size).toBe(1);
    expect(path).toMatch(/[/\\]mortise-lock-1-[0-9a-f]{64}$/);
    if (folder) expect(path.startsWith(folder)).toBe(true);
    expect(disk.touched).toHaveLength(2);
    expect(disk.held.size).toBe(0);
  });

  test('two locks take turns', async () => {
    const kernel = fileLockOn(platform);
    const [one, two] = [
      createProcessLock({ place, clock, kernel }),
      createProcessLock({ place, clock, kernel }),
    ];
    const free = await hold(one);
    expect(await two('a', SHORT_MS, isHeld)).toBe(false);
    const waiting = two('a', LONG_MS, isHeld);
    await later(20);
    expect(await free()).toBe(true);
    expect(await waiting).toBe(true);
  });

  test.each(['EACCES', 'EROFS', 'ENOENT', 'ENOSPC', 'ELOOP'])(
    'case 144: a folder that answers %s is not waited for',
    async (failure) => {
      const disk = Object.assign(createDisk(platform), { failure });
      const lock = createProcessLock({ place, clock, kernel: fileLockOn(platform, disk, env) });
      expect(await lock('a', LONG_MS, isHeld)).toBe(false);
    },
  );
});

describe('createNodeHost', () => {
  const openBrowser = async () => {};
  const lockOf = (store: KeyValueStore) => createNodeHost({ store, openBrowser }).lock;
  const storeAt = (place?: string | null): KeyValueStore => ({
    get: async () => null,
    set: async () => {},
    remove: async () => {},
    ...(place !== undefined && { place }),
  });
  const mine = memoryStore();
  const shared = storeAt(null);

  // prettier-ignore
  test.each<[string, KeyValueStore, KeyValueStore, isShared: boolean]>([
    ['of one memoryStore',              mine,            mine,            true],
    ['of two memoryStores',             mine,            memoryStore(),   false],
    ['of one store that nobody shares', shared,          shared,          true],
    ['of stores at one place',          storeAt('here'), storeAt('here'), true],
    ['of stores at two places',         storeAt('here'), storeAt('there'), false],
    ['of stores that do not say where', storeAt(),       storeAt(),       true],
  ])('hosts %s', async (_, one, two, isShared) => {
    const name = `${process.pid} ${place}`; // the places are not of this run alone
    let free = () => {};
    const until = new Promise<void>((done) => (free = done));
    let holding: Promise<void> | undefined;
    await new Promise<void>((taken) => {
      holding = lockOf(one)(name, LONG_MS, () => (taken(), until));
    });
    expect(await lockOf(two)(name, SHORT_MS, isHeld)).toBe(!isShared);
    free();
    await holding;
  });
});

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('the socket', () => {
  const socketNames = () =>
    [...readFileSync('/proc/net/unix', 'latin1').matchAll(/@(mortise-lock-1-\S*)/g)].map(
      ([, name = '']) => name,
    );

  /** Where the lock of this test's place is held. */
  async function pathOf(lock: Lock): Promise<string> {
    const before = socketNames();
    const free = await hold(lock);
    const own = socketNames().find((name) => !before.includes(name));
    await free();
    return `\0${own}`;
  }

  test('names nobody, and one name in every version of Node', async () => {
    const folder = join(homedir(), 'sessions of acme');
    const path = await pathOf(createProcessLock({ place: folder, clock }));
    expect(path).toMatch(/^\0mortise-lock-1-[0-9a-f]{64}-+$/);
    for (const word of [userInfo().username, 'acme']) expect(path).not.toContain(word);
    // Full, because what is left over is part of the name in Node 20 and not in Node 22.
    expect(path).toHaveLength(108);
  });

  /** The sockets this process has open. */
  const socketsOpen = () =>
    process.getActiveResourcesInfo().filter((name) => name.startsWith('Pipe')).length;

  test.each([
    ['held', async (lock: Lock) => lock('a', LONG_MS, isHeld)],
    [
      'waited for in vain',
      async (lock: Lock) => {
        const free = await hold(createProcessLock({ place, clock }));
        expect(await lock('a', SHORT_MS, isHeld)).toBe(false);
        await free();
      },
    ],
    [
      'waited for',
      async (lock: Lock) => {
        const free = await hold(createProcessLock({ place, clock }));
        const waiting = lock('a', LONG_MS, isHeld);
        await later(20);
        await free();
        expect(await waiting).toBe(true);
      },
    ],
  ])('case 144: leaves nothing open once %s', async (_, use) => {
    await settle();
    const before = socketsOpen();
    await use(createProcessLock({ place, clock }));
    await settle();
    expect(socketsOpen()).toBeLessThanOrEqual(before);
  });

  describe('in the hands of another program', () => {
    const sockets = new Set<Socket>();
    let server: Server | undefined;
    let connections: number;
    afterEach(() => {
      for (const socket of sockets) socket.destroy();
      server?.close();
    });

    async function squat(path: string, use: (socket: Socket) => void) {
      connections = 0;
      server = createServer((socket) => {
        connections += 1;
        sockets.add(socket.on('error', () => {}));
        use(socket);
      });
      await once(server.listen({ path, exclusive: true }), 'listening');
    }

    // prettier-ignore
    test.each<[string, (socket: Socket) => void, most: number]>([
      ['says nothing',          () => {}, 1],
      ['hangs up',              (socket) => socket.destroy(), 100],
      ['half hangs up',         (socket) => socket.end(), 100],
      ['never stops talking',   (socket) => {
        const talk = () => { while (socket.write('x'.repeat(65_536))); };
        socket.on('drain', talk);
        talk();
      }, 100],
    ])('that %s, it costs the waiting time and no more', async (_, use, most) => {
      const lock = createProcessLock({ place, clock });
      const path = await pathOf(lock);
      await squat(path, use);
      const startMs = performance.now();
      expect(await lock('a', 250, isHeld)).toBe(false);
      expect(performance.now() - startMs).toBeLessThan(5_000);
      expect(connections).toBeGreaterThan(0);
      expect(connections).toBeLessThanOrEqual(most);
    });

    test('that is a crowd of callers, the holder keeps no more than it must', async () => {
      const lock = createProcessLock({ place, clock });
      const path = await pathOf(lock);
      const free = await hold(lock);
      const callers = Array.from({ length: 300 }, () => connect({ path }));
      for (const socket of callers) sockets.add(socket.on('error', () => {}).resume());
      const connected = () => callers.filter((socket) => !socket.destroyed);
      await until(() => connected().length <= 128);
      expect(connected().length).toBeGreaterThan(0);
      for (const socket of connected().slice(0, 10)) socket.write('hello');
      await until(() => connected().length <= 118);
      expect(await free()).toBe(true);
      await until(() => connected().length === 0);
      expect(await lock('a', LONG_MS, isHeld)).toBe(true);
    });
  });
});

onLinux('between processes', () => {
  let processes: LockProcesses;
  let crew: LockProcess[];
  let lock: Lock;
  beforeAll(async () => {
    processes = createLockProcesses();
    crew = await Promise.all(Array.from({ length: 10 }, () => processes.start()));
  });
  afterAll(() => processes.stop());
  beforeEach(async () => {
    lock = createProcessLock({ place, clock });
    await Promise.all(crew.map((each) => each.use(place)));
  });

  /** One of the crew, which it leaves. */
  function recruit(): LockProcess {
    const found = crew.pop();
    if (!found) throw new Error('the crew is too small');
    return found;
  }

  test.each([
    [10, 5],
    [4, 50],
  ])(
    '%i processes, %i times each at once: all are served, no two at a time',
    async (many, count) => {
      const file = join(processes.directory, `marks-${many}`);
      const served = await Promise.all(crew.slice(0, many).map((each) => each.mark(file, count)));
      expect(served).toEqual(Array(many).fill(count));
      const lines = readFileSync(file, 'utf8').trim().split('\n');
      expect(lines).toHaveLength(2 * many * count);
      const begun = lines.filter((_, at) => at % 2 === 0);
      const ended = lines.filter((_, at) => at % 2 === 1);
      expect(ended).toEqual(begun.map((line) => line.replace('begin', 'end')));
      expect(new Set(begun).size).toBe(many);
    },
  );

  test('case 141: after kill -9 of the holder the next one has it at once', async () => {
    const holder = recruit();
    expect(await holder.hold(LONG_MS)).toBe(true);
    expect(await lock('a', SHORT_MS, isHeld)).toBe(false);
    const waiting = lock('a', LONG_MS, async (held) => [held, performance.now()] as const);
    await later(50);
    const killedMs = performance.now();
    await holder.kill();
    const [held, heldMs] = await waiting;
    expect(held).toBe(true);
    expect(heldMs - killedMs).toBeLessThan(1_000);
  });

  test('case 141: a waiter that is killed keeps nobody', async () => {
    const free = await hold(lock);
    const waiter = recruit();
    waiter.hold(LONG_MS).catch(() => {});
    await later(50);
    await waiter.kill();
    expect(await free()).toBe(true);
    expect(await lock('a', LONG_MS, isHeld)).toBe(true);
  });

  test('case 142: a holder that is suspended keeps the lock, and comes back unharmed', async () => {
    const holder = recruit();
    expect(await holder.hold(LONG_MS)).toBe(true);
    holder.child.kill('SIGSTOP');
    expect(await lock('a', 300, isHeld)).toBe(false);
    const waiting = lock('a', LONG_MS, isHeld);
    await later(50);
    holder.child.kill('SIGCONT');
    expect(await holder.free()).toBe('settled');
    expect(await waiting).toBe(true);
    expect(await holder.hold(LONG_MS)).toBe(true);
  });

  test('case 142: a waiter that is suspended past its time is told, and keeps nobody', async () => {
    const free = await hold(lock);
    const waiter = recruit();
    const told = waiter.hold(200);
    await later(50);
    waiter.child.kill('SIGSTOP');
    await later(300);
    expect(await free()).toBe(true);
    expect(await lock('a', LONG_MS, isHeld)).toBe(true);
    waiter.child.kill('SIGCONT');
    expect(typeof (await told)).toBe('boolean');
    expect(await waiter.free()).toBe('settled');
  });

  const HOUR_MS = 3_600_000;
  testWithClock('M2: a clock one hour ahead takes nothing from a holder', '+1h', async (env) => {
    const ahead = await processes.start(env);
    await ahead.use(place);
    expect((await ahead.now()) - Date.now()).toBeGreaterThan(HOUR_MS / 2);
    const free = await hold(lock);
    expect(await ahead.hold(300)).toBe(false);
    expect(await ahead.free()).toBe('settled');
    expect(await free()).toBe(true);
    expect(await ahead.hold(LONG_MS)).toBe(true);
    expect(await lock('a', SHORT_MS, isHeld)).toBe(false);
  });

  test('two workers of a cluster exclude each other', async () => {
    const { output, errors } = await processes.run(['lock-cluster.mjs', place]);
    expect({ output, errors }).toEqual({ output: '[true,false]', errors: '' });
  });

  const program = (text: string) => [
    '--input-type=module',
    '-e',
    `import { createProcessLock } from './adapters/node/process-lock.js';
    import { systemClock as clock } from './adapters/web/system-clock.js';
    const lock = createProcessLock({ place: ${JSON.stringify(place)}, clock });
    ${text}`,
  ];

  test('a process that only holds a lock exits, waiters or not', async () => {
    let waiting: Promise<boolean> | undefined;
    const { exitCode, errors } = await processes.run(
      program(`
        void lock('a', 1_000, (held) => (console.log(held), new Promise(() => {})));
        setTimeout(() => {}, 300);`),
      () => (waiting ??= lock('a', LONG_MS, isHeld)),
    );
    expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' });
    expect(await waiting).toBe(true);
  });

  test('a process that waits for a lock lives to have it', async () => {
    const free = await hold(lock);
    const ended = processes.run(
      program(`
        setTimeout(() => console.log('waits'), 100).unref();
        await lock('a', ${LONG_MS}, async (held) => console.log(held));`),
      (output) => output === 'waits\n' && void free(),
    );
    expect(await ended).toEqual({ exitCode: 0, output: 'waits\ntrue', errors: '' });
  });

  test('a process that dies of its own error frees its lock', async () => {
    const { exitCode } = await processes.run(
      program(`
        await lock('a', 1_000, async () => {
          setTimeout(() => { throw new Error('crash'); });
          await new Promise(() => {});
        });`),
    );
    expect(exitCode).toBe(1);
    expect(await lock('a', LONG_MS, isHeld)).toBe(true);
  });
});
