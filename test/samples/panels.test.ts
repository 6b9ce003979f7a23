// The panels, in real windows that nobody sees, by the commands their READMEs give; and the hosts that cannot run here.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeInView, type Engine } from '../support/webview-host.js';

const root = resolve(__dirname, '../..');
const PREVU3D = [
  '  Name           Kind',
  '  Manufacturing  division',
  '  Oil & Gas      division',
  '  Empty          division',
];
const SPECKLE = ['  Harbour Bridge    owner', '  Site Survey 2025  contributor'];

beforeAll(() => {
  // As `npm run sample` does first. Nothing happens when there is nothing to do.
  const { status } = spawnSync(process.execPath, ['.ci/setup.mjs'], { cwd: root });
  expect(status).toBe(0);
}, 120_000);

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it left in the home of its user. */
  readonly left: readonly string[];
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const home = mkdtempSync(join(tmpdir(), 'mortise-panel-'));
  const child = spawn(process.execPath, ['.ci/sample.mjs', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], PYTHON: process.env['PYTHON'], HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  const exitCode = await new Promise<number | null>((done) => child.on('close', done));
  // What GTK's accessibility leaves is empty, and not ours.
  const left = readdirSync(home, { recursive: true })
    .map(String)
    .filter((name) => !/^\.cache(\/at-spi)?$/.test(name));
  rmSync(home, { recursive: true });
  return { exitCode, stdout, stderr, left };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Counts who connects meanwhile, on both addresses of localhost. */
async function counting(task: (port: number) => Promise<void>): Promise<number> {
  let connections = 0;
  let port = 0;
  const servers: Server[] = [];
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((listening, failed) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRNOTAVAIL' ? listening() : failed(error),
      );
      server.listen(port, host, () => (servers.push(server), listening()));
    });
    if (port === 0) ({ port } = server.address() as AddressInfo);
  }
  try {
    await task(port);
  } finally {
    await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  }
  return connections;
}

function expectWhole({ exitCode, stdout, stderr, left }: Run, rows: readonly string[]): void {
  expect({ exitCode, stderr, left }).toEqual({ exitCode: 0, stderr: '', left: [] });
  for (const row of rows) expect(stdout).toContain(`${row}\n`);
  expect(stdout).toContain('so this program plays the user');
  expect(stdout).toContain(', a sandbox on this machine\n');
  expect(stdout).toContain('Signed out   the panel has forgotten it all\n');
  // No token, code or nonce; nothing that steers a terminal.
  expect(stdout).not.toMatch(/[\w~+/-]{30}|\x1b|\r/);
}

const SYSTEM = 'sign-in in the system’s browser\n';
const CAPTURED = 'sign-in in a view of the program’s own\n';

describe.each<[Engine, string, readonly [args: string[], way: string, rows: string[]][]]>([
  [
    'qt',
    'Qt WebEngine',
    [
      [[], SYSTEM, PREVU3D],
      [['--speckle'], SYSTEM, SPECKLE],
      [['--view'], CAPTURED, PREVU3D],
    ],
  ],
  [
    'webkit',
    'WebKitGTK',
    [
      [['--browser'], SYSTEM, PREVU3D],
      [[], CAPTURED, PREVU3D],
    ],
  ],
])('%s', (engine, name, runs) => {
  describeInView(engine, `a panel in ${name}: sign-in, what is there, sign-out`, () => {
    test.each(runs)(
      '%j',
      async (args, way, rows) => {
        const told = await run([`${engine}-panel`, ...args], {
          SPECKLE_REDIRECT_URI: `http://localhost:${await freePort()}/callback`,
        });
        expectWhole(told, rows);
        expect(told.stdout).toContain(`in ${name}; ${way}`);
      },
      60_000,
    );

    test('case 81: --view --speckle, and nobody connects to the redirect port', async () => {
      const connections = await counting(async (port) => {
        const env = { SPECKLE_REDIRECT_URI: `http://localhost:${port}/callback` };
        const told = await run([`${engine}-panel`, '--view', '--speckle'], env);
        expectWhole(told, SPECKLE);
        expect(told.stdout).toContain(CAPTURED);
      });
      expect(connections).toBe(0);
    }, 60_000);

    test('--view --no: the panel says that access was not allowed', async () => {
      const { exitCode, stdout, stderr } = await run([`${engine}-panel`, '--view', '--no']);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(stdout).toMatch(/Denied {7}Access was not allowed\./);
    }, 60_000);
  });
});

const has = (program: string) => spawnSync(program, ['--version']).status === 0;

describe('hosts without a view, played by the conformance script', () => {
  test.each([
    ['Python, of the panels', 'python3', 'samples/qt-panel/stdio_host.py', 60],
    ['Ruby, of SketchUp, whose dialog is a stand-in', 'ruby', 'test/support/sketchup-stdio.rb', 30],
  ])(
    '%s: keeps every promise of the protocol',
    async (_, program, host, promises) => {
      if (!has(program)) {
        process.stderr.write(`\nLEFT OUT: ${host} needs ${program}.\n\n`);
        expect(process.env['CI']).toBeFalsy();
        return;
      }
      const child = spawn(
        process.execPath,
        ['adapters/webview/conformance.mjs', '--', program, host],
        { cwd: root, env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } },
      );
      let told = '';
      child.stdout.setEncoding('utf8').on('data', (text) => (told += text));
      const exitCode = await new Promise((done) => child.on('close', done));
      const broken = told.split('\n').filter((line) => line.includes('✗'));
      expect({ exitCode, broken }).toEqual({ exitCode: 0, broken: [] });
      expect(Number(/(\d+) promises kept/.exec(told)?.[1])).toBeGreaterThan(promises);
    },
    60_000,
  );
});

describe('host code that does not run here', () => {
  test.each(['webview2-host', 'sketchup-host', 'fusion-host'])('%s says so', (name) => {
    const folder = join(root, 'samples', name);
    const [readme = ''] = readdirSync(folder).filter((file) => file === 'README.md');
    expect(readFileSync(join(folder, readme), 'utf8')).toMatch(/\*\*Not run\.\*\*/);
    for (const file of readdirSync(folder).filter((each) => each !== 'README.md')) {
      expect(readFileSync(join(folder, file), 'utf8').slice(0, 400)).toMatch(/Not run/);
    }
  });

  test('WebView2: a grammar of C# can read it, and finds a line that is broken', async () => {
    const { Language, Parser } = await import('@vscode/tree-sitter-wasm');
    const grammar = require.resolve('@vscode/tree-sitter-wasm/wasm/tree-sitter-c-sharp.wasm');
    await Parser.init();
    const parser = new Parser().setLanguage(await Language.load(grammar));
    const isSound = (source: string) => parser.parse(source)?.rootNode.hasError === false;
    const source = readFileSync(join(root, 'samples/webview2-host/MortisePanel.cs'), 'utf8');
    expect(isSound(source)).toBe(true);
    expect(isSound(source.replace(');', ';'))).toBe(false);
  });

  (has('ruby') ? test : test.skip)('SketchUp: Ruby can read it', () => {
    const { status, stderr } = spawnSync(
      'ruby',
      ['-wc', join(root, 'samples/sketchup-host/mortise_panel.rb')],
      {
        encoding: 'utf8',
      },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  (has('python3') ? test : test.skip)('Fusion: Python can read it', () => {
    const file = join(root, 'samples/fusion-host/mortise_palette.py');
    const program = 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read())';
    const { status, stderr } = spawnSync('python3', ['-c', program, file], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
