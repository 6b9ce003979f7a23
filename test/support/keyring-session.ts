import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const has = (...programs: readonly string[]) =>
  programs.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);

/** As `describe`. Where something is missing it fails in CI, and elsewhere says what was left out. */
function describeIf(isPossible: boolean, need: string, name: string, tests: () => void): void {
  if (isPossible) return describe(name, tests);
  const notice = `"${name}" needs ${need}`;
  if (process.env['CI']) {
    test(name, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
  describe.skip(name, tests);
}

export const describeWithKeychain = (name: string, tests: () => void) =>
  describeIf(
    process.platform === 'linux' && has('dbus-daemon', 'dbus-send', 'gnome-keyring-daemon'),
    'Debian’s packages gnome-keyring, dbus and dbus-daemon, on Linux.',
    name,
    tests,
  );

/** Runs a program on a disk of its own, which the program alone sees; see `onSmallDisk`. */
export const smallDisk = (folder: string): readonly string[] => [
  ...['unshare', '-rm', 'sh', '-c'],
  `mount -t tmpfs -o size=256k,mode=0700 tmpfs '${folder}' && exec "$@"`,
  'sh',
];

export const describeOnSmallDisk = (name: string, tests: () => void) => {
  const [program = '', ...args] = [...smallDisk('/tmp'), 'true'];
  const isPossible = process.platform === 'linux' && spawnSync(program, args).status === 0;
  describeIf(isPossible, 'Linux, and the right to mount (unshare -rm).', name, tests);
};

/** A desktop session: a bus, and GNOME's keychain on it, with nothing of this machine's user. */
export interface KeychainSession {
  /** For the processes that are to see it. */
  readonly env: NodeJS.ProcessEnv;
  /** Starts the keychain, unlocked or as it is after a login that did not unlock it. */
  start(how: 'unlocked' | 'locked'): Promise<void>;
  lock(): void;
  /** Stands still, and answers nobody. */
  suspend(): void;
  resume(): void;
  /** Ends the keychain; the bus is still there. */
  stop(): Promise<void>;
  /** Ends the bus too. */
  end(): Promise<void>;
}

/** Starts nothing by itself but the window that asks for a password, which never opens. */
const BUS = (folder: string) => `<busconfig>
  <type>session</type>
  <listen>unix:path=${folder}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>${folder}/services</servicedir>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>`;

const SERVICES = {
  unanswered: '[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sleep 60\n',
  dismissed: '[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/false\n',
};

export async function startKeychainSession(
  prompts: keyof typeof SERVICES = 'dismissed',
): Promise<KeychainSession> {
  const home = await mkdtemp(join(tmpdir(), 'mortise-home-'));
  const runtime = join(home, 'run');
  await mkdir(runtime, { mode: 0o700 });
  await mkdir(join(home, 'services'));
  await writeFile(join(home, 'services', 'prompter.service'), SERVICES[prompts]);
  await writeFile(join(home, 'bus.conf'), BUS(home));
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_STATE_HOME: '',
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${home}/bus`,
  };
  const run = (program: string, args: readonly string[]) =>
    spawn(program, args, { env, stdio: ['pipe', 'ignore', 'ignore'] });
  const bus = run('dbus-daemon', [`--config-file=${home}/bus.conf`, '--nofork', '--nopidfile']);
  await until(() => access(`${home}/bus`));
  let keychain: ChildProcess | null = null;

  const send = (...args: readonly string[]) =>
    spawnSync('dbus-send', ['--session', '--print-reply', ...args], { env }).status === 0;
  const kill = async (child: ChildProcess | null) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL'); // ends a suspended process too
    await once(child, 'exit');
  };
  return {
    env,
    async start(how) {
      const unlock = how === 'unlocked' ? ['--unlock'] : [];
      keychain = run('gnome-keyring-daemon', ['--foreground', '--components=secrets', ...unlock]);
      keychain.stdin?.end('password');
      await until(async () => {
        const owns = ['/org/freedesktop/DBus', 'org.freedesktop.DBus.GetNameOwner'];
        const name = 'string:org.freedesktop.secrets';
        if (!send('--dest=org.freedesktop.DBus', ...owns, name)) throw new Error('not yet');
      });
    },
    lock() {
      const login = 'array:objpath:/org/freedesktop/secrets/collection/login';
      const lock = ['/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.Lock', login];
      if (!send('--dest=org.freedesktop.secrets', ...lock)) throw new Error('it cannot be locked');
    },
    suspend: () => void keychain?.kill('SIGSTOP'),
    resume: () => void keychain?.kill('SIGCONT'),
    stop: () => kill(keychain),
    async end() {
      await kill(keychain);
      await kill(bus);
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Waits until a try succeeds, 10 s at most. */
export async function until<T>(attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + 10_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
