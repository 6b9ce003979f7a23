// Each sample by the commands its README gives, and what it prints held against what is printed there.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchTransport, serveSandbox, type ServedSandbox } from 'mortise/node';
import { answerConsent, answerDevice, createSandbox, type SandboxProvider } from 'mortise/sandbox';

const root = resolve(__dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
/** What all samples play on is none itself. */
const samples = readdirSync(join(root, 'samples')).filter((name) =>
  existsSync(join(root, 'samples', name, 'main.mjs')),
);

/** Less than any time limit or idle connection in it would take, and enough for a busy machine. */
const LINGER_MS = 3_500;

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the last thing it printed to its end. */
  readonly lingeredMs: number;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Hears everything printed so far. */
  readonly onOutput?: (stdout: string, interrupt: (signal: NodeJS.Signals) => void) => void;
}

let home: string;
const served: ServedSandbox[] = [];

beforeAll(() => {
  // As `npm run sample` does first. Nothing happens when there is nothing to do.
  const { status } = spawnSync(process.execPath, ['.ci/setup.mjs'], { cwd: root });
  expect(status).toBe(0);
}, 120_000);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mortise-samples-'));
});

afterEach(async () => {
  await Promise.all(served.splice(0).map(({ close }) => close()));
  // A sample leaves nothing behind.
  expect(readdirSync(home).filter((name) => !name.startsWith('browser'))).toEqual([]);
  rmSync(home, { recursive: true });
});

/** What `npm run sample` runs when everything is installed and built. */
function run(args: readonly string[], { env = {}, onOutput }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, ['.ci/sample.mjs', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let printedAtMs = performance.now();
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    printedAtMs = performance.now();
    onOutput?.(stdout, (signal) => child.kill(signal));
  });
  return new Promise((done) => {
    child.on('close', (exitCode) => {
      done({ exitCode, stdout, stderr, lingeredMs: performance.now() - printedAtMs });
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

const isOpen = (port: number) =>
  new Promise<boolean>((answered) => {
    const socket = connect(port, 'localhost', () => {
      socket.destroy();
      answered(true);
    });
    socket.on('error', () => answered(false));
  });

/** A command of a README, and what the README says it prints, if it says so. */
interface Example {
  readonly sample: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly printed: readonly string[];
}

function examplesOf(sample: string): Example[] {
  const found: Example[] = [];
  const fences = read(`samples/${sample}/README.md`).matchAll(/```(sh|text)\n([^]*?)```/g);
  for (const [, kind, text = ''] of fences) {
    if (kind === 'text') {
      const last = found.pop();
      if (!last) throw new Error(`${sample}: what is printed comes behind its command`);
      found.push({ ...last, printed: [...last.printed, text.trimEnd()] });
      continue;
    }
    for (const command of text.trim().split('\n')) {
      const [, words = ''] = /^npm run sample (.*)$/.exec(command) ?? [];
      const args = words.split(' ').filter((word) => word && word !== '--');
      found.push({ sample, command, args, printed: [] });
    }
  }
  return found;
}

// The panels run in panels.test.ts, which knows what to do where an engine is missing.
const examples = samples
  .filter((name) => name !== 'node-sign-in' && !name.endsWith('-panel'))
  .flatMap(examplesOf);

test('each sample has its README, and its line in the README of the repository', () => {
  const readme = read('README.md');
  for (const sample of samples) {
    const [first = ''] = read(`samples/${sample}/README.md`).split('\n');
    expect(first).toMatch(/^# \S/);
    const command = sample === 'node-sign-in' ? 'npm start' : `npm run sample ${sample}`;
    expect(read(`samples/${sample}/README.md`)).toContain(`\n${command}\n`);
    const row = readme.split('\n').find((line) => line.includes(`(samples/${sample}/README.md)`));
    expect(row).toContain(`| \`${command}\` |`);
  }
  const { scripts } = JSON.parse(read('package.json'));
  expect(scripts.sample).toBe('node .ci/setup.mjs && node .ci/sample.mjs');
});

test.each(samples)('%s: every variable it reads is in its README, and no other', (sample) => {
  const mentioned = (text: string) =>
    [...new Set(text.match(/\b[A-Z][A-Z0-9]+(_[A-Z]+)+\b/g))].sort();
  const rows = read(`samples/${sample}/README.md`).match(/^\| `.*?` \|/gm) ?? [];
  const code = read(`samples/${sample}/main.mjs`).match(/setting\('\w+'\)/g) ?? [];
  expect(mentioned(rows.join('\n'))).toEqual(mentioned(code.join('\n')));
});

test('npm run sample: lists them; a name that is none is exit code 1', async () => {
  const list = await run([]);
  expect({ ...list, stdout: '', lingeredMs: 0 }).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
    lingeredMs: 0,
  });
  for (const sample of samples) expect(list.stdout).toContain(`npm run sample ${sample} `);
  const wrong = await run(['nonsense']);
  expect(wrong.exitCode).toBe(1);
  expect(wrong.stdout).toContain('There is no sample nonsense. There are:\n');
});

describe('at the sandbox', () => {
  test.each(examples.map((example) => [example.command, example] as const))(
    '%s',
    async (_, { sample, args, printed }) => {
      const port = await freePort();
      const env =
        sample === 'speckle-projects' ? { SPECKLE_REDIRECT_URI: `http://localhost:${port}/` } : {};
      const { exitCode, stdout, stderr, lingeredMs } = await run(args, { env });
      expect(stderr).toBe('');
      for (const text of printed) expect(stdout).toContain(text);
      const fails = stdout.includes('✗');
      expect(exitCode).toBe(fails ? 1 : 0);
      // Without a misbehaviour nothing fails; and what fails says what to do.
      if (!args.includes('--fault')) expect(fails).toBe(false);
      if (fails) expect(stdout).toMatch(/✗ \S.*\n {4}[A-Z].*\.\n/);
      // A page waits for a person.
      const isPlayed = !args.includes('--service') && sample !== 'browser-prototype';
      if (isPlayed) expect(stdout).toContain('so this program plays the user');
      expect(stdout).toContain(', a sandbox on this machine\n');
      // No token and no code, which are longer than any id; nothing that steers a terminal.
      expect(stdout).not.toMatch(/[\w~+/-]{40}|\x1b|\r/);
      expect(lingeredMs).toBeLessThan(LINGER_MS);
    },
  );

  test('a denial: exit code 1, and what to do', async () => {
    const { exitCode, stdout } = await run(['aps-hubs', '--no']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('✗ access denied\n    Sign in again and choose Allow.\n');
  });

  test('a port that is taken: which, and what to do', async () => {
    const squatter = createServer();
    await new Promise<void>((listening) => squatter.listen(0, '127.0.0.1', listening));
    const { port } = squatter.address() as AddressInfo;
    const env = { SPECKLE_REDIRECT_URI: `http://localhost:${port}/callback` };
    const { exitCode, stdout } = await run(['speckle-projects'], { env });
    squatter.close();
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`✗ redirect port in use: ${port}\n    Close the program`);
  });

  test.each([
    [['aps-hubs', '--bogus'], "Unknown option '--bogus'"],
    [['aps-hubs', '--service'], "Unknown option '--service'"],
    [['plugin-host', 'bogus'], 'Unexpected argument'],
    [['aps-hubs', '--fault', 'nonsense'], 'there is no fault nonsense'],
  ])('%j: a sentence, not a stack trace', async (args, problem) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain(`✗ configuration error: ${problem}`);
  });

  test('--help: every option', async () => {
    const { exitCode, stdout } = await run(['opencde-topics', '--help']);
    expect(exitCode).toBe(0);
    for (const name of ['yes', 'no', 'fault']) expect(stdout).toContain(`--${name}`);
  });
});

/** A platform that is not the sample's own sandbox, and the tokens it has given. */
async function servePlatform(provider: SandboxProvider, redirectUri: string) {
  const sandbox = createSandbox({ provider, redirectUris: [redirectUri], nowMs: Date.now });
  const platform = await serveSandbox(sandbox);
  served.push(platform);
  return platform.url;
}

/** Goes to the address that is printed, and clicks. */
function clicks(decision: 'allow' | 'deny') {
  let isDone = false;
  return (printed: string) => {
    const address = /^(http:\/\/localhost:\d+\/\S+)\n/m.exec(printed)?.[1];
    if (!address || isDone) return;
    isDone = true;
    void answerConsent(fetchTransport(), address, { decision }).then((redirect) => fetch(redirect));
  };
}

/** Stands in for the browser: notes what it was started with, and shows nothing. */
function blindBrowser() {
  const program = join(home, 'browser.mjs');
  const log = join(home, 'browser.json');
  // In one step: who reads it sees all of it.
  const note = `import { renameSync, writeFileSync } from 'node:fs';
const log = ${JSON.stringify(log)};
writeFileSync(log + '.new', JSON.stringify(process.env));
renameSync(log + '.new', log);
`;
  writeFileSync(program, `#!${process.execPath}\n${note}`);
  chmodSync(program, 0o755);
  /** The sample does not wait for its browser, which may start late. */
  const env = async () => {
    for (let tries = 0; tries < 200 && !existsSync(log); tries += 1) await sleep(50);
    return existsSync(log) ? readFileSync(log, 'utf8') : '';
  };
  return { program, env };
}

describe('with credentials in the environment', () => {
  let redirectUri: string;
  let port: number;
  beforeEach(async () => {
    port = await freePort();
    redirectUri = `http://localhost:${port}/callback`;
  });

  test('Speckle: the secret stays with the program', async () => {
    const browser = blindBrowser();
    const { exitCode, stdout, stderr } = await run(['speckle-projects'], {
      env: {
        SPECKLE_APP_ID: 'acme',
        SPECKLE_APP_SECRET: 'of-acme-only',
        SPECKLE_SERVER_URL: await servePlatform('speckle', redirectUri),
        SPECKLE_REDIRECT_URI: redirectUri,
        BROWSER: browser.program,
      },
      onOutput: clicks('allow'),
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^Mortise {2}Speckle$/m);
    expect(stdout).toContain('waiting for you');
    expect(stdout).toContain('Site Survey 2025  contributor');
    expect(stdout).not.toContain('of-acme-only');
    if (process.platform === 'linux') {
      const env = await browser.env();
      expect(env).toContain(browser.program);
      expect(env).not.toContain('of-acme-only');
    }
    expect(await isOpen(port)).toBe(false);
  });

  const opencde = async (more: Record<string, string> = {}) => ({
    OPENCDE_SERVER_URL: await servePlatform('opencde', redirectUri),
    OPENCDE_CLIENT_ID: 'acme',
    OPENCDE_REDIRECT_URI: redirectUri,
    ...more,
  });

  test('OpenCDE: a secret that is wrong is exit code 1, and what to do', async () => {
    const env = await opencde({ OPENCDE_CLIENT_SECRET: 'wrong' });
    const { exitCode, stdout, stderr } = await run(['opencde-topics'], {
      env,
      onOutput: clicks('allow'),
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(/✗ invalid client: 401\n {4}Check the client ID and secret\.\n/);
    expect(await isOpen(port)).toBe(false);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s while it waits: 130, and nothing is left',
    async (signal) => {
      const { exitCode, stdout, lingeredMs } = await run(['opencde-topics'], {
        env: await opencde(),
        onOutput: (printed, interrupt) => void (/^http.*\n$/m.test(printed) && interrupt(signal)),
      });
      expect(exitCode).toBe(130);
      expect(stdout).toContain('✗ sign in cancelled\n');
      expect(lingeredMs).toBeLessThan(LINGER_MS);
      expect(await isOpen(port)).toBe(false);
    },
  );

  const headless = async () => ({
    OAUTH_ISSUER: await servePlatform('oauth', redirectUri),
    OAUTH_CLIENT_ID: 'acme',
  });

  test('without a browser: the code is answered elsewhere', async () => {
    let isDone = false;
    const { exitCode, stdout, stderr } = await run(['headless'], {
      env: await headless(),
      onOutput(printed) {
        const verificationUri = /Go to +(\S+)/.exec(printed)?.[1];
        const userCode = /Code +(\S+)\n/.exec(printed)?.[1];
        if (!verificationUri || !userCode || isDone) return;
        isDone = true;
        void answerDevice(
          fetchTransport(),
          { verificationUri, userCode },
          { decision: 'allow', scopes: ['openid'] },
        );
      },
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/waiting for you \(\d:\d\d left, Ctrl-C stops\)/);
    expect(stdout).toContain('Signed in    openid\n');
  });

  test.each(['headless', 'headless --paste'])(
    '%s: Ctrl-C while it waits: 130, and nothing is left',
    async (command) => {
      const { exitCode, stdout, lingeredMs } = await run(command.split(' '), {
        env: await headless(),
        onOutput: (printed, interrupt) =>
          void (/waiting for you.*\n$/.test(printed) && interrupt('SIGINT')),
      });
      expect(exitCode).toBe(130);
      expect(stdout).toContain('✗ sign in cancelled\n');
      expect(lingeredMs).toBeLessThan(LINGER_MS);
    },
  );

  test('a part of them is not enough', async () => {
    const one = await run(['opencde-topics'], { env: { OPENCDE_CLIENT_ID: 'acme' } });
    expect(one.exitCode).toBe(1);
    expect(one.stdout).toContain(
      'OPENCDE_SERVER_URL is not set\n    Set it as well; or unset OPENCDE_CLIENT_ID,',
    );
    const service = { PREVU3D_CLIENT_ID: 'acme' };
    const other = await run(['prevu3d-divisions', '--service'], { env: service });
    expect(other.exitCode).toBe(1);
    expect(other.stdout).toContain('PREVU3D_CLIENT_SECRET is not set');
  });

  test('nobody is played at the real platform', async () => {
    const { exitCode, stdout } = await run(['aps-hubs', '--yes'], {
      env: { APS_CLIENT_ID: 'acme' },
    });
    expect(exitCode).toBe(1);
    expect(stdout).toContain('are for the sandbox\n    Leave them out; or unset APS_CLIENT_ID');
  });
});
