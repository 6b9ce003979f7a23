// What the README says to type, typed: the built package, a program of its own, no display.
import { transformFileSync } from '@swc/core';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createHttpBrowser } from '../support/http-browser.js';
import { startOidcServers, type OidcServers } from '../support/oidc-process.js';

const root = resolve(__dirname, '../..');
const support = join(root, 'test/support');

/** Less than any time limit or idle connection in it would take, and enough for a busy machine. */
const LINGER_MS = 3_500;

/** What the program did, from its first line to its last breath. */
interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the last thing it printed to its end. */
  readonly lingeredMs: number;
}

/** What $BROWSER was started with, and where it ended. */
interface Seen {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly redirect: string;
  readonly page: { readonly url: string; readonly text: string };
}

let home: string;
let port: number;

beforeAll(() => {
  // As `npm start` does. Nothing happens when there is nothing to do.
  const { status } = spawnSync(process.execPath, ['.ci/setup.mjs'], { cwd: root });
  expect(status).toBe(0);
}, 120_000);

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'mortise-start-'));
  const server = await listen();
  port = portOf(server);
  await leave(server);
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

const directory = () => join(home, 'state/mortise-sample');
const storedFiles = () => (existsSync(directory()) ? readdirSync(directory()) : []);
const storedFile = () => join(directory(), storedFiles()[0] ?? '');
const stored = () => JSON.parse(readFileSync(storedFile(), 'utf8'));

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Hears everything printed so far. */
  readonly onOutput?: (stdout: string, interrupt: (signal: NodeJS.Signals) => void) => void;
}

function run(args: readonly string[], { env = {}, onOutput }: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, ['samples/node-sign-in/main.mjs', ...args], {
    cwd: root,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
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

/** With the sandbox at a port of this test's own. */
const runSandbox = (args: readonly string[] = [], options?: RunOptions) =>
  run([`--port=${port}`, ...args], options);

/** A browser for $BROWSER, and the person in front of it. */
function person(decision: 'allow' | 'deny' | 'away') {
  const program = join(home, 'person.mjs');
  const log = join(home, 'person.log');
  const { code } = transformFileSync(join(support, 'http-browser.ts'), {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  });
  writeFileSync(join(home, 'http-browser.mjs'), code);
  const source = readFileSync(join(support, 'oidc-person.mjs'), 'utf8');
  writeFileSync(program, `#!${process.execPath}\n${source}`);
  chmodSync(program, 0o755);
  rmSync(log, { force: true });
  return {
    env: { BROWSER: program, PERSON: decision, PERSON_LOG: log },
    wasAsked: () => existsSync(log),
    /** Waited for: the person may close the browser later than the program ends. */
    async seen(): Promise<Seen> {
      const notes = decision === 'away' ? 1 : 2;
      for (;;) {
        const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
        if (lines.length === notes) {
          return Object.assign({}, ...lines.map((line) => JSON.parse(line)));
        }
        await new Promise((done) => setTimeout(done, 20));
      }
    },
  };
}

function listen(wanted = 0): Promise<Server> {
  return new Promise((listening) => {
    const server = createServer((socket) => socket.destroy());
    server.listen(wanted, '127.0.0.1', () => listening(server));
  });
}
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const leave = (server: Server) => new Promise((done) => server.close(done));

const isOpen = (atPort: number) =>
  new Promise<boolean>((answered) => {
    const socket = connect(atPort, '127.0.0.1', () => {
      socket.destroy();
      answered(true);
    });
    socket.on('error', () => answered(false));
  });

/** Readable by its owner only, and nothing half-written beside it. */
function expectTidy(files: number) {
  expect(storedFiles()).toHaveLength(files);
  for (const name of storedFiles()) {
    expect(name).toMatch(/\.txt$/);
    expect(statSync(join(directory(), name)).mode & 0o777).toBe(0o600);
  }
  if (files > 0) expect(statSync(directory()).mode & 0o777).toBe(0o700);
}

/** Case 201: neither what is stored nor the verifier, wherever the challenge of it was seen. */
function expectNoSecrets(where: string, challenge?: string | null) {
  if (storedFiles().length > 0) {
    for (const token of [stored().accessToken, stored().refreshToken]) {
      if (token) expect(where).not.toContain(token);
    }
  }
  const hashes = (where.match(/[\w-]{43,128}/g) ?? []).map((text) =>
    createHash('sha256').update(text).digest('base64url'),
  );
  if (challenge) expect(hashes).not.toContain(challenge);
}

const TREE = [
  '├─ Manufacturing  division',
  '│  ├─ Longueuil Plant  site',
  '└─ Empty  division',
  '3 divisions, 19 nodes in all.',
];

function expectTree(stdout: string) {
  for (const line of TREE) expect(stdout).toContain(line);
}

describe('npm start, without an account', () => {
  test('signs in, shows the tree of an organization, and ends', async () => {
    const { exitCode, stdout, stderr, lingeredMs } = await runSandbox();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expectTree(stdout);
    expect(stdout).toContain(`Signed in    kept in ${directory()}\n`);
    expect(stdout).toMatch(/No browser {3}so this program plays the user, who clicks Allow/);
    expect(stdout).toMatch(/Account {6}John Doe, Test Organization/);
    expect(lingeredMs).toBeLessThan(LINGER_MS);
    expectTidy(1);
    expectNoSecrets(stdout);
    expect(await isOpen(port)).toBe(false);
  });

  test('says what is waited for once, and only when there is a page to answer', async () => {
    const { stdout } = await runSandbox();
    expect(stdout.match(/waiting for you \(5:00 left, Ctrl-C stops\)/g)).toHaveLength(1);
    expect(stdout.indexOf('opening the consent page')).toBeLessThan(stdout.indexOf('waiting'));
    // No colour, no line that is written over: this is no terminal.
    expect(stdout).not.toMatch(/[\x1b\r]/);
  });

  test('the second run needs no browser, the third nobody’s session', async () => {
    await runSandbox();
    const before = stored();
    const { env, wasAsked } = person('allow');
    const second = await runSandbox([], { env });
    expect(second.exitCode).toBe(0);
    expectTree(second.stdout);
    expect(second.stdout).toContain(
      `Session      restored from ${directory()}, no browser needed\n`,
    );
    expect(second.lingeredMs).toBeLessThan(LINGER_MS);
    expect(wasAsked()).toBe(false);
    expect(stored()).toEqual(before);

    const third = await runSandbox(['--sign-out']);
    expect(third.exitCode).toBe(0);
    expect(third.stdout).toContain(`Signed out   forgotten in ${directory()}\n`);
    expectTidy(0);
    const fourth = await runSandbox(['--sign-out']);
    expect(fourth.exitCode).toBe(0);
    expect(fourth.stdout).toContain('Signed out   nobody was signed in\n');
  });

  test('a port that is taken: another, for this run, and the session of the usual one stays', async () => {
    await runSandbox();
    const before = stored();
    const squatter = await listen(port);
    const taken = await runSandbox();
    expect(taken.exitCode).toBe(0);
    expectTree(taken.stdout);
    expect(taken.stdout).toContain(`${port} is in use, so another one`);
    expect(taken.stdout).toContain('Signed in    until this program ends\n');
    expectTidy(1);
    expect(stored()).toEqual(before);
    // Nothing has to be served to forget.
    expect((await runSandbox(['--sign-out'])).stdout).toContain('forgotten in');
    await leave(squatter);
    expectTidy(0);
  });

  test('a record that cannot be read: said, and signed in again', async () => {
    await runSandbox();
    writeFileSync(storedFile(), '{"accessToken":');
    const { exitCode, stdout } = await runSandbox();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Session      cannot be read, so sign in again\n');
    expectTree(stdout);
  });

  test('a state folder that cannot be: what is wrong and what to do', async () => {
    writeFileSync(join(home, 'state'), 'a file');
    const { exitCode, stdout, stderr } = await runSandbox();
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(
      /✗ store unavailable: unwritable\n {4}The folder .* cannot be used \(ENOTDIR\)\./,
    );
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'case 46: %s while it waits: exit code 130, and nothing is left behind',
    async (signal) => {
      const { env, wasAsked, seen } = person('away');
      const { exitCode, stdout, stderr, lingeredMs } = await runSandbox([], {
        env,
        onOutput(printed, interrupt) {
          // The browser has to have been opened, too: it tells where the redirect would go.
          const whenAsked = () => (wasAsked() ? interrupt(signal) : setTimeout(whenAsked, 20));
          if (/waiting for you.*\n$/.test(printed)) whenAsked();
        },
      });
      expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: '' });
      expect(stdout).toContain('✗ sign in cancelled\n    Sign in again when you are ready.\n');
      expect(lingeredMs).toBeLessThan(LINGER_MS);
      expectTidy(0);
      const { searchParams } = new URL((await seen()).argv[0] ?? '');
      const redirectUri = new URL(searchParams.get('redirect_uri') ?? '');
      expect(await isOpen(Number(redirectUri.port))).toBe(false);
      expect(await isOpen(port)).toBe(false);
      expectNoSecrets(stdout, searchParams.get('code_challenge'));
    },
  );

  test.each([
    ['an unknown option', ['--bogus'], "Unknown option '--bogus'"],
    ['a word', ['bogus'], "Unexpected argument 'bogus'"],
    ['an option without its value', ['--issuer'], /argument missing/],
    ['a port that is none', ['--port', 'http'], '--port is no port'],
    ['a port beyond', ['--port', '65536'], '--port is no port'],
    ['no client', ['--issuer', 'https://as.example'], '--client-id is missing'],
    ['no client either', ['--provider', 'prevu3d'], '--client-id is missing'],
    ['an unknown provider', ['--provider', 'x', '--client-id', 'y'], 'no provider x'],
    ['an issuer in the clear', ['--issuer', 'http://as.example', '--client-id', 'y'], /https/],
  ])('%s: a sentence, not a stack trace', async (_, args, problem) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain('✗ configuration error: ');
    expect(stdout).toMatch(problem);
    expect(stdout).not.toMatch(/^\s+at |ERR_|node:/m);
    expectTidy(0);
  });

  test('--help: every option', async () => {
    const { exitCode, stdout } = await run(['--help']);
    expect(exitCode).toBe(0);
    for (const name of ['sign-out', 'provider', 'environment', 'issuer', 'client-id', 'port']) {
      expect(stdout).toContain(`--${name}`);
    }
  });
});

// Elsewhere no variable says what the browser is.
(process.platform === 'linux' ? describe : describe.skip)('at a certified server', () => {
  let servers: OidcServers;
  beforeAll(async () => {
    servers = await startOidcServers();
  });
  afterAll(() => servers.stop());

  const at = (client: { client_id: string }, ...more: string[]) => [
    ...['--issuer', servers.issuer, '--client-id', client.client_id],
    ...['--scope', 'openid email offline_access', ...more],
  ];

  test('case 201: signs in with the browser of this machine, which learns nothing but the address', async () => {
    const { env, seen } = person('allow');
    const { exitCode, stdout, stderr, lingeredMs } = await run(at(servers.clients.native), { env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Granted      openid email offline_access\n');
    expect(stdout).toContain('email        "ada@people.example"\n');
    expect(lingeredMs).toBeLessThan(LINGER_MS);
    expectTidy(1);

    const { argv, env: inherited, page, redirect } = await seen();
    expect(page.url).toMatch(/\/signed-in$/);
    expect(argv).toHaveLength(1);
    const address = new URL(argv[0] ?? '');
    expect([...address.searchParams.keys()].sort()).toEqual([
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'prompt',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ]);
    const challenge = address.searchParams.get('code_challenge');
    expectNoSecrets(JSON.stringify([argv, inherited]), challenge);
    expectNoSecrets(stdout, challenge);
    expectNoSecrets(page.text, challenge);
    expect(stdout).not.toContain(new URL(redirect).searchParams.get('code'));
  });

  test('case 201: a client secret in the environment is not handed on to the browser', async () => {
    const { confidential } = servers.clients;
    const { env, seen } = person('allow');
    const { exitCode, stdout } = await run(at(confidential), {
      env: { ...env, CLIENT_SECRET: confidential.client_secret },
    });
    expect(exitCode).toBe(0);
    expect((await seen()).env).not.toHaveProperty('CLIENT_SECRET');
    expect(JSON.stringify([await seen(), stdout])).not.toContain(
      JSON.stringify(confidential.client_secret).slice(1, -1),
    );
  });

  test('a session that the server has ended: said, and signed in again; --sign-out ends it there', async () => {
    const { env, wasAsked } = person('allow');
    const args = at(servers.clients.native);
    await run(args, { env });
    writeFileSync(
      storedFile(),
      JSON.stringify({ ...stored(), lifetimeMs: 1, refreshToken: 'of-long-ago' }),
    );
    const again = await run(args, { env: person('allow').env });
    expect(again.exitCode).toBe(0);
    expect(again.stdout).toContain('Session      ended by the server, so sign in again\n');
    expect(wasAsked()).toBe(true);

    const { accessToken } = stored();
    expect((await run([...args, '--sign-out'])).exitCode).toBe(0);
    const headers = { authorization: `Bearer ${accessToken}` };
    expect((await fetch(`${servers.issuer}/me`, { headers })).status).toBe(401);
    expectTidy(0);
  });

  test('a denial: exit code 1, and what to do', async () => {
    const { env, seen } = person('deny');
    const { exitCode, stdout, stderr, lingeredMs } = await run(at(servers.clients.native), { env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toContain('✗ access denied\n    Sign in again and choose Allow.\n');
    expect((await seen()).page.url).toMatch(/\/not-signed-in$/);
    expect(lingeredMs).toBeLessThan(LINGER_MS);
    expectTidy(0);
  });

  test('no browser: the address to copy, and the sign-in goes on', async () => {
    const browser = createHttpBrowser();
    const shown = new Set<string>();
    const { exitCode, stdout } = await run(at(servers.clients.native), {
      onOutput(printed) {
        const address = /^(http:\/\/127\.0\.0\.1:\d+\/auth\?\S+)\n/m.exec(printed)?.[1];
        if (!address || shown.has(address)) return;
        shown.add(address);
        void browser.authorize(address).then((redirect) => browser.load(redirect));
      },
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('No browser   Copy the sign-in address into a browser.\n');
    expect(shown.size).toBe(1);
  });

  test('a server that is not there: exit code 1, and no browser', async () => {
    const server = await listen();
    const issuer = `http://127.0.0.1:${portOf(server)}`;
    await leave(server);
    const { env, wasAsked } = person('allow');
    const { exitCode, stdout, stderr } = await run(['--issuer', issuer, '--client-id', 'x'], {
      env,
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: '' });
    expect(stdout).toMatch(/✗ network error: 127\.0\.0\.1:\d+\n {4}\S/);
    expect(wasAsked()).toBe(false);
  });
});
