import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { transformFileSync } from '@swc/core';
import { createSystemBrowser, readBrowserUrl } from '../../../adapters/node/system-browser.js';
import type { Launched } from '../../../adapters/node/system-browser.js';

const URL_TO_OPEN = 'https://as.example/authorize?state=s1';

// prettier-ignore
test.each([
  ['http of another host',       'http://as.example/authorize'],
  ['http of a loopback look-alike', 'http://localhost.example/'],
  ['http of all interfaces',     'http://0.0.0.0/'],
  ['javascript:',                'javascript:alert(1)'],
  ['javascript: with a host',    'javascript://as.example/%0aalert(1)'],
  ['file:',                      'file:///etc/passwd'],
  ['file: of a share',           'file://evil.example/share/x.exe'],
  ['data:',                      'data:text/html,<script>alert(1)</script>'],
  ['smb:',                       'smb://evil.example/share'],
  ['a program’s own scheme',     'ms-msdt:/id'],
  ['a path',                     '/usr/bin/id'],
  ['a share',                    '\\\\evil.example\\share'],
  ['an option',                  '--version'],
  ['an option before a URL',     '-a https://as.example/'],
  ['nothing',                    ''],
  ['a user',                     'https://as.example@evil.example/'],
  ['a password',                 'https://:secret@as.example/'],
  ['no host',                    'https://'],
])('case 11: %s is refused before anything is started', async (_, url) => {
  const launch = jest.fn();
  const opened = createSystemBrowser({ launch, env: { DISPLAY: ':0' } })(url);
  const error = await opened.catch((caught: unknown) => caught);
  expect(error).toMatchObject({ name: 'MortiseError', code: 'configuration_error' });
  if (url) expect(Object(error).message).not.toContain(url);
  expect(launch).not.toHaveBeenCalled();
});

// prettier-ignore
const ARGUMENTS: [string, string, string][] = [
  ['an ordinary address',  URL_TO_OPEN,                                     URL_TO_OPEN],
  ['loopback http',        'http://localhost:3000/a',                       'http://localhost:3000/a'],
  ['loopback IPv4',        'http://127.0.0.1:3000/a',                       'http://127.0.0.1:3000/a'],
  ['loopback IPv6',        'http://[::1]:3000/a',                           'http://[::1]:3000/a'],
  ['a shell’s words',      'https://as.example/?a=$(id)&b=`id`;c|d&e=%22',  'https://as.example/?a=$(id)&b=`id`;c|d&e=%22'],
  ['quotes',               `https://as.example/?a="b"&c='d'`,               'https://as.example/?a=%22b%22&c=%27d%27'],
  ['a new line',           'https://as.example/a\n--version',               'https://as.example/a--version'],
  ['blanks',               ' https://as.example/?a=b c ',                   'https://as.example/?a=b%20c'],
  ['a leading dash later', 'https://as.example/?-a --b',                    'https://as.example/?-a%20--b'],
  ['other letters',        'HTTPS://AS.example/ä',                          'https://as.example/%C3%A4'],
];

describe.each<NodeJS.Platform>(['linux', 'darwin', 'win32'])('case 12: on %s', (platform) => {
  test.each(ARGUMENTS)(
    '%s reaches the program in its normal form, as one argument',
    async (_, url, href) => {
      const launch = jest.fn(async (): Promise<Launched> => ({ exitCode: Promise.resolve(0) }));
      await createSystemBrowser({ platform, launch, env: { DISPLAY: ':0' } })(url);
      expect(launch.mock.calls).toEqual([[href]]);
      expect(readBrowserUrl(url)).toBe(href);
    },
  );
});

// prettier-ignore
test.each<[string, () => Promise<Launched>, 'opened' | 'browser_not_opened']>([
  ['cannot be started',      () => Promise.reject(new Error('ENOENT canary')),             'browser_not_opened'],
  ['throws',                 () => { throw new Error('canary'); },                          'browser_not_opened'],
  ['ends with an error',     async () => ({ exitCode: Promise.reject(new Error('canary')) }), 'browser_not_opened'],
  ['exits 1',                async () => ({ exitCode: Promise.resolve(1) }),                'browser_not_opened'],
  ['exits 3, no method',     async () => ({ exitCode: Promise.resolve(3) }),                'browser_not_opened'],
  ['is killed',              async () => ({ exitCode: Promise.resolve(null) }),             'browser_not_opened'],
  ['exits 0',                async () => ({ exitCode: Promise.resolve(0) }),                'opened'],
  ['goes on running',        async () => ({ exitCode: new Promise(() => {}) }),             'opened'],
  ['takes long to start',    () => new Promise(() => {}),                                   'opened'],
])('case 13: a program that %s: %s', async (_, launch, expected) => {
  const browse = createSystemBrowser({ launch, env: { DISPLAY: ':0' }, patienceMs: 20 });
  const error = await browse(URL_TO_OPEN).catch((caught: unknown) => caught);
  expect(Object(error).code ?? 'opened').toBe(expected);
  expect(String(Object(error).stack)).not.toContain('canary');
});

// prettier-ignore
test.each<[NodeJS.Platform, Record<string, string>, boolean]>([
  ['linux',  {},                                         false],
  ['linux',  { DISPLAY: '', BROWSER: '' },               false],
  ['linux',  { TERM: 'xterm', SSH_TTY: '/dev/pts/0' },   false],
  ['linux',  { DISPLAY: ':0' },                          true],
  ['linux',  { WAYLAND_DISPLAY: 'wayland-0' },           true],
  ['linux',  { WSL_DISTRO_NAME: 'Debian' },              true],
  ['linux',  { BROWSER: '/usr/bin/firefox' },            true],
  ['darwin', {},                                         true],
  ['win32',  {},                                         true],
])('on %s with %p a browser is started: %s', async (platform, env, isStarted) => {
  const launch = jest.fn(async () => ({ exitCode: Promise.resolve(0) }));
  const opened = createSystemBrowser({ platform, env, launch })(URL_TO_OPEN);
  if (!isStarted) await expect(opened).rejects.toMatchObject({ code: 'browser_not_opened' });
  await opened.catch(() => {});
  expect(launch).toHaveBeenCalledTimes(isStarted ? 1 : 0);
});

describe('with the real opener, in a process of its own', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mortise-'));
  const record = join(directory, 'arguments');
  afterAll(() => rmSync(directory, { recursive: true }));

  beforeAll(() => {
    for (const file of ['adapters/node/system-browser', 'src/errors']) {
      const target = join(directory, `${file}.js`);
      mkdirSync(dirname(target), { recursive: true });
      const jsc = { parser: { syntax: 'typescript' }, target: 'es2022' } as const;
      writeFileSync(target, transformFileSync(`${file}.ts`, { jsc, swcrc: false }).code);
    }
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  });

  beforeEach(() => rmSync(record, { force: true }));

  /** Opens `url` with $BROWSER being a shell script of `lines`; tells what came of it, and when it exited. */
  function run(url: string, lines: string) {
    const browser = join(directory, 'browser');
    writeFileSync(
      browser,
      `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > '${record}.new'\nenv >> '${record}.env'\nmv '${record}.new' '${record}'\n${lines}\n`,
    );
    chmodSync(browser, 0o755);
    const program = `
      import { createSystemBrowser } from './adapters/node/system-browser.js';
      const keepAlive = setInterval(() => {}, 1_000);
      try {
        await createSystemBrowser({ patienceMs: 1_000 })(process.env.TARGET);
        console.log('opened');
      } catch ({ code }) {
        console.log(code);
      }
      clearInterval(keepAlive);`;
    const { DISPLAY: _, WAYLAND_DISPLAY: __, ...env } = process.env;
    return new Promise<string>((done) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        cwd: directory,
        env: { ...env, NODE_OPTIONS: '', BROWSER: browser, TARGET: url },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.on('data', (data) => (output += data));
      child.on('close', () => done(output.trim()));
    });
  }

  const isLinux = process.platform === 'linux';
  (isLinux ? test : test.skip).each([
    ['an ordinary address', URL_TO_OPEN],
    [
      'a shell’s words',
      'https://as.example/?a=$(touch${IFS}pwned)&b=`touch pwned`;touch%20pwned|c&d=*',
    ],
  ])('case 12: the browser gets %s as its one argument', async (_, url) => {
    expect(await run(url, 'exit 0')).toBe('opened');
    expect(readFileSync(record, 'utf8')).toBe(`1\n${readBrowserUrl(url)}\n`);
    expect(existsSync(join(directory, 'pwned'))).toBe(false);
  });

  (isLinux ? test : test.skip).each([
    ['exits 1', 'exit 1', 'browser_not_opened'],
    ['goes on running', 'sleep 2', 'opened'],
  ])(
    'case 13: a browser that %s: it is told, and the process is not kept',
    async (_, lines, expected) => {
      const start = Date.now();
      expect(await run(URL_TO_OPEN, lines)).toBe(expected);
      expect(Date.now() - start).toBeLessThan(2_000);
    },
  );
});
