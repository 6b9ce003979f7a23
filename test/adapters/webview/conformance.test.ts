import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createNodeHost } from '../../../adapters/node/index.js';
import { createListeners, type Channel } from '../../../adapters/webview/channel.js';
import { serveHost, serveSession, type ServedPanel } from '../../../adapters/webview/index.js';
import { createSession } from '../../../src/session/create-session.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { createFakeHost } from '../../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../../support/fake-server.js';
import { root } from '../../support/source-reader.js';

const SCRIPT = resolve(root, 'adapters/webview/conformance.mjs');
const HOST = resolve(root, 'test/adapters/webview/reference-host.mjs');

interface Played {
  readonly code: number | null;
  readonly text: string;
  readonly broken: readonly string[];
}

function play(options: readonly string[], command: readonly string[]): Promise<Played> {
  const child = spawn(process.execPath, [SCRIPT, ...options, '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (data) => (text += String(data)));
  child.stderr.on('data', (data) => (text += String(data)));
  return new Promise((done) =>
    child.on('close', (code) => {
      const broken = [...text.matchAll(/^ {2}✗ (.*)/gm)].map(([, what = '']) => what);
      done({ code, text, broken });
    }),
  );
}

test('cases 82, 84, 86, 87, 88, 91, 92: a host by the document keeps every promise', async () => {
  const { code, text, broken } = await play([], [process.execPath, HOST]);
  expect({ broken, text: broken.length ? text : '' }).toEqual({ broken: [], text: '' });
  expect(code).toBe(0);
  expect(text).toMatch(/\n\d\d promises kept, 0 broken\n/);
}, 60_000);

/** What is broken together, where it is looked for, and what the script says of each. */
const BREAKS: readonly (readonly [
  names: readonly string[],
  only: string,
  said: readonly RegExp[],
])[] = [
  [['any nonce', 'answers twice'], 'messages', [/drops a message without a nonce/, /comes twice/]],
  [
    ['prefix nonce', 'any length', 'finds anything', 'lives on'],
    'messages',
    [/beginning of the nonce/, /longer than 1,048,576/, /does not know/, /nobody is there/],
  ],
  [['same nonce', 'counts characters'], 'messages', [/another nonce for each load/, /UTF-8 alone/]],
  [
    ['answers broken JSON', 'stays attached'],
    'messages',
    [/carried its nonce/, /another page is shown/],
  ],
  [['no nonce in answers'], 'messages', [/says hello/]],
  [['counts visits'], 'browser', [/reserves a port/]],
  [
    ['other address', 'decodes', 'cache', 'shows anything', 'port stays', 'one address'],
    'browser',
    [
      /exactly the authorization address/,
      /exactly as it came/,
      /keeps nothing/,
      /nothing but https/,
      /frees the port/,
      /both addresses/,
    ],
  ],
  [
    ['code stays', 'any request', 'visits stay'],
    'browser',
    [/keeps nothing/, /only GET/, /loaded anew/],
  ],
  [['once'], 'browser', [/every redirect/]],
  [
    ['startsWith', 'frames', 'any scheme', 'closes silently'],
    'view',
    [/as the table says/, /a frame/, /goes nowhere else/, /closes the view/],
  ],
  [['connects'], 'view', [/before it connects/]],
  [
    [
      'follows',
      'cookies',
      'cancel',
      'quotes',
      'keys',
      'trims',
      'prototype',
      'other account',
      'refresh token',
    ],
    'http,store,session',
    [
      /follow a redirect/,
      /shows none/,
      /withdrawn/,
      /quotes nothing/,
      /keeps apart/,
      /as it was/,
      /null for what was never/,
      /lends no token/,
      /refresh token/,
    ],
  ],
];

test.each(BREAKS)(
  '%j: each broken promise is found',
  async (names, only, said) => {
    const options = ['--only', only, '--limit', '2000'];
    const { code, broken, text } = await play(options, [
      process.execPath,
      HOST,
      '--break',
      ...names,
    ]);
    const missed = said.filter((each) => !broken.some((what) => each.test(what)));
    expect({ missed, text: missed.length > 0 ? text : '' }).toEqual({ missed: [], text: '' });
    expect(code).toBe(1);
  },
  60_000,
);

test.each([
  ['no command', [], /usage/],
  ['a command that is not there', ['no-such-program-anywhere'], /could not be started/],
  ['a host that ends at once', [process.execPath, '-e', ''], /did not begin/],
  [
    'a host that writes something else',
    [process.execPath, '-e', 'console.log("hello")'],
    /did not begin/,
  ],
] as const)(
  '%s is told, with exit code 2',
  async (_, command, said) => {
    const { code, text } = await play([], command);
    expect(text).toMatch(said);
    expect(code).toBe(2);
  },
  60_000,
);

test('a host that says nothing, and one whose nonce can be guessed, break a promise', async () => {
  for (const name of ['says nothing', 'short nonce']) {
    const options = name === 'says nothing' ? ['--start', '1000'] : [];
    const { code, text } = await play(options, [process.execPath, HOST, '--break', name]);
    expect(text).toMatch('did not begin');
    expect(code).toBe(1);
  }
}, 60_000);

/** Joins this process to a script that wants to start one. */
async function playHere(serve: (channel: Channel) => ServedPanel, only: string): Promise<Played> {
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => {});
    const listeners = createListeners();
    const write = (text: string) => void socket.write(`${text}\n`);
    const channel: Channel = { send: write, onMessage: listeners.add };
    shown = (url) => write(JSON.stringify({ control: 'browser', url }));
    let served: ServedPanel;
    const load = () => {
      served = serve(channel);
      write(JSON.stringify({ control: 'nonce', nonce: served.nonce }));
    };
    load();
    createInterface({ input: socket, crlfDelay: Infinity }).on('line', (line) => {
      const { control } = JSON.parse(/^{"control"/.test(line) ? line : '{}') as {
        control?: string;
      };
      if (!control) return listeners.tell(line);
      served.close();
      if (control === 'load') load();
    });
    socket.on('end', () => (served.close(), socket.end()));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const join = `const s = require('node:net').connect(${port}, '127.0.0.1'); process.stdin.pipe(s); s.pipe(process.stdout);`;
  try {
    return await play(['--only', only], [process.execPath, '-e', join]);
  } finally {
    server.close();
  }
}
let shown: (url: string) => void = () => {};

test('serveHost keeps every promise with what a Node host has', async () => {
  const store = memoryStore();
  const host = createNodeHost({ store, openBrowser: async (url) => shown(url) });
  const { text, broken, code } = await playHere(
    (channel) => serveHost(host, channel, { name: 'Node', offers: ['browser', 'http', 'store'] }),
    'messages,browser,http,store',
  );
  expect({ broken, text: broken.length ? text : '', code }).toEqual({
    broken: [],
    text: '',
    code: 0,
  });
  expect(text).toContain('not offered or not asked for: view, session');
}, 60_000);

test('serveSession keeps every promise', async () => {
  const host = createFakeHost({ http: createFakeServer().http });
  const session = createSession({ host, provider: fakeProvider() });
  const { text, broken, code } = await playHere(
    (channel) => serveSession(session, channel),
    'messages,session',
  );
  expect({ broken, text: broken.length ? text : '', code }).toEqual({
    broken: [],
    text: '',
    code: 0,
  });
  await session.close();
}, 60_000);
