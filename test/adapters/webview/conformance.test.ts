import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { createNodeHost } from '../../../adapters/node/index.js';
import { createListeners, type Channel } from '../../../adapters/webview/channels/channel.js';
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

/** A host mostly waits, so three keep two cores busy. */
const AT_ONCE = 3;
const waiting: (() => void)[] = [];
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill();
});

async function play(options: readonly string[], command: readonly string[]): Promise<Played> {
  if (children.size >= AT_ONCE) await new Promise<void>((turn) => waiting.push(turn));
  const child = spawn(process.execPath, [SCRIPT, ...options, '--', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let text = '';
  child.stdout.on('data', (data) => (text += String(data)));
  child.stderr.on('data', (data) => (text += String(data)));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  children.delete(child);
  waiting.shift()?.();
  const broken = [...text.matchAll(/^ {2}✗ (.*)/gm)].map(([, what = '']) => what);
  return { code, text, broken };
}

/** All of them are started at the beginning, in the order of the tests, and each test waits for its own. */
const plays: (() => void)[] = [];
beforeAll(() => {
  for (const start of plays) start();
});
function playLater(how: () => Promise<Played>): () => Promise<Played> {
  let played: Promise<Played> | undefined;
  const start = () => {
    played ??= how();
    played.catch(() => {});
    return played;
  };
  plays.push(start);
  return start;
}

function expectWhole({ code, text, broken }: Played): void {
  expect({ broken, text: broken.length || code ? text : '', code }).toEqual({
    broken: [],
    text: '',
    code: 0,
  });
}

const whole = playLater(() => play([], [process.execPath, HOST]));
test('cases 82, 84, 86, 87, 88, 91, 92: a host by the document keeps every promise', async () => {
  const played = await whole();
  expectWhole(played);
  expect(played.text).toMatch(/\n\d\d promises kept, 0 broken\n/);
}, 60_000);

/** Joins this process to a script that wants to start one. */
async function playHere(
  serve: (channel: Channel, show: (url: string) => void) => ServedPanel,
  only: string,
): Promise<Played> {
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => {});
    const listeners = createListeners();
    const write = (text: string) => void socket.write(`${text}\n`);
    const channel: Channel = { send: write, onMessage: listeners.add };
    const show = (url: string) => write(JSON.stringify({ control: 'browser', url }));
    let served: ServedPanel;
    const load = () => {
      served = serve(channel, show);
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

const store = memoryStore();
const servedHost = playLater(() =>
  playHere((channel, show) => {
    const host = createNodeHost({ store, openBrowser: async (url) => show(url) });
    return serveHost(host, channel, { name: 'Node', offers: ['browser', 'http', 'store'] });
  }, 'messages,browser,http,store'),
);
test('serveHost keeps every promise with what a Node host has', async () => {
  const played = await servedHost();
  expectWhole(played);
  expect(played.text).toContain('not offered or not asked for: view, session');
}, 60_000);

const session = createSession({
  host: createFakeHost({ http: createFakeServer().http }),
  provider: fakeProvider(),
});
const servedSession = playLater(() =>
  playHere((channel) => serveSession(session, channel), 'messages,session'),
);
test('serveSession keeps every promise', async () => {
  expectWhole(await servedSession());
  await session.close();
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
    ['code stays', 'any request', 'visits stay', 'keeps withdrawn'],
    'browser',
    [/keeps nothing/, /only GET/, /loaded anew/, /withdrawn while it is opened/],
  ],
  [
    ['counts visits', 'startsWith', 'frames', 'any scheme', 'closes silently'],
    'browser,view',
    [/reserves a port/, /as the table says/, /a frame/, /goes nowhere else/, /closes the view/],
  ],
  [
    [
      'opens empty',
      'waits for bytes',
      'long pieces',
      'keeps uploads',
      'reads on',
      'answers withdrawn',
    ],
    'http',
    [
      /opens no body/,
      /no byte follows/,
      /as short as the panel/,
      /keeps no upload/,
      /read that is withdrawn/,
      /aborted, or not at all/,
    ],
  ],
  [['half a character'], 'messages', [/nonce that is half a character/]],
  [
    ['short is whole', 'another view'],
    'http,view',
    [/a body breaks off/, /goes on in the same view/],
  ],
  [['once', 'connects'], 'browser,view', [/every redirect/, /before it connects/]],
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

// What a broken host does not do it never does, so there is nothing to wait for. That it answers may take its time.
const PATIENCE = ['--patience', '300'];
test.each(
  BREAKS.map(([names, only, said]) => {
    const command = [process.execPath, HOST, '--break', ...names];
    const played = playLater(() => play([...PATIENCE, '--only', only], command));
    return { names: names.join(', '), played, said };
  }),
)(
  '$names: each broken promise is found',
  async ({ played, said }) => {
    const { code, broken, text } = await played();
    const missed = said.filter((each) => !broken.some((what) => each.test(what)));
    expect({ missed, text: missed.length > 0 ? text : '' }).toEqual({ missed: [], text: '' });
    expect(code).toBe(1);
  },
  60_000,
);

const node = (script: string) => [process.execPath, '-e', script];
test.each(
  (
    [
      ['no command', [], /usage/],
      ['a command that is not there', ['no-such-program-anywhere'], /could not be started/],
      ['a host that ends at once', node(''), /did not begin/],
      ['a host that writes something else', node('console.log("hello")'), /did not begin/],
    ] as const
  ).map(([what, command, said]) => ({ what, played: playLater(() => play([], command)), said })),
)(
  '$what is told, with exit code 2',
  async ({ played, said }) => {
    const { code, text } = await played();
    expect(text).toMatch(said);
    expect(code).toBe(2);
  },
  60_000,
);

test.each(
  (
    [
      ['that says nothing', 'says nothing', ['--start', '300']],
      ['whose nonce can be guessed', 'short nonce', []],
    ] as const
  ).map(([what, name, options]) => {
    const command = [process.execPath, HOST, '--break', name];
    return { what, played: playLater(() => play(options, command)) };
  }),
)(
  'a host $what breaks a promise',
  async ({ played }) => {
    const { code, text } = await played();
    expect(text).toMatch('did not begin');
    expect(code).toBe(1);
  },
  60_000,
);

/** What the script cannot ask of the Python host, because not every host can do it, or nobody outside sees it. */
const QT_PANEL = resolve(root, 'samples/qt-panel');
const GZIP_WITHOUT_ITS_END = `
import gzip, queue, socket, threading
from host_http import HttpService
server = socket.create_server(("127.0.0.1", 0))
def serve():
    client, _ = server.accept()
    client.recv(65536)
    head = b"HTTP/1.1 200 OK\\r\\nContent-Encoding: gzip\\r\\nConnection: close\\r\\n\\r\\n"
    client.sendall(head + gzip.compress(b"hello " * 100)[:-12])
    client.close()
threading.Thread(target=serve, daemon=True).start()
class Call:
    is_cancelled = False
    def done(self, result): self.said = result["more"]
    def fail(self, error): self.said = error
tasks = queue.Queue()
http = HttpService(tasks.put, lambda: 1 << 20)
def ask(method, params):
    call = Call()
    http.methods[method](params, call)
    tasks.get(timeout=20)()
    return call.said
more = ask("http.request", {"method": "GET", "url": f"http://127.0.0.1:{server.getsockname()[1]}/"})
while isinstance(more, str): more = ask("body.read", {"body": more})
print(more)
`;
const TWO_PAGES_OF_ONE_VISIT = `
import json
from panel_program import PanelProgram
class View:
    is_closed = False
    def load(self, url): self.url = url
    def send(self, text): self.said = json.loads(text)
    def close(self): self.is_closed = True
class Toolkit:
    views = []
    def open_view(self, *_): self.views.append(View()); return self.views[-1]
    def later(self, task): task()
    def quit(self): pass
program = PanelProgram(Toolkit(), "https://panel.acme.example/", "Acme")
nonce = program.host.load()
panel = Toolkit.views[0]
def ask(id, method, **params):
    program.host.receive(json.dumps({"jsonrpc": "2.0", "nonce": nonce, "id": id, "method": method, "params": params}))
    return panel.said["result"]
visit = ask("a", "visit.open", capture="view", redirect=["http://127.0.0.1:4/cb"])["visit"]
ask("b", "visit.navigate", visit=visit, url="https://as.example/1")
ask("c", "visit.navigate", visit=visit, url="https://as.example/2")
ask("d", "visit.close", visit=visit)
print([view.url for view in Toolkit.views[1:]], all(view.is_closed for view in Toolkit.views[1:]))
`;
const hasPython = spawnSync('python3', ['--version']).status === 0;
if (!hasPython && !process.env['CI']) process.stderr.write('\nLEFT OUT: what needs python3.\n\n');
(hasPython || process.env['CI'] ? test : test.skip).each([
  ['takes gzip without its end for no whole body', GZIP_WITHOUT_ITS_END, 'network_error'],
  [
    'shows one window a sign-in, and closes it',
    TWO_PAGES_OF_ONE_VISIT,
    "['https://as.example/2'] True",
  ],
])(
  'the Python host %s',
  (_, script, expected) => {
    const { stdout, stderr } = spawnSync('python3', ['-B', '-c', script], {
      cwd: QT_PANEL,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect({ stdout, stderr }).toEqual({ stdout: `${expected}\n`, stderr: '' });
  },
  60_000,
);
