// A process of its own with one session in a folder that it shares with others. Does what it is told by
// lines on its standard input, and ends with it. See worker-protocol.ts and worker-process.ts.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createFileStore } from '../../adapters/node/file-store.js';
import { createNodeHost, fetchTransport } from '../../adapters/node/index.js';
import type { FileSystem } from '../../adapters/node/private-files.js';
import { isMortiseError } from '../../src/errors.js';
import type { Clock, Host, HttpResponse, HttpTransport } from '../../src/ports/index.js';
import { oauth, type OAuthApi } from '../../src/providers/oauth.js';
import { createSession, type Session } from '../../src/session/create-session.js';
import { counterText } from './worker-protocol.js';
import type { Answer, Command, Instant, Line, Opening } from './worker-protocol.js';

const name = process.argv[2] ?? '';
let armed: Extract<Command, { do: 'arm' }> | undefined;
let session: Session<OAuthApi>;
/** What the API was last asked with. */
let bearer = '';

/** At once, and as a whole: whoever is killed after it has said it. */
const tell = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`);

/** Of a token only this leaves the process. */
const digest = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 12);

/** Neither signal can be caught or put off: nothing after this line runs, or not before it is continued. */
function reach(instant: Instant): void {
  if (armed?.at !== instant) return;
  const { then } = armed;
  armed = undefined;
  tell({ reached: instant });
  process.kill(process.pid, then === 'die' ? 'SIGKILL' : 'SIGSTOP');
}

const send = fetchTransport();

const http: HttpTransport = async (request) => {
  const headers: Record<string, string> = { ...request.headers, 'x-worker': name };
  bearer = headers['authorization']?.replace('Bearer ', '') ?? bearer;
  const isRefresh = String(request.body).includes('grant_type=refresh_token');
  if (!isRefresh) return send({ ...request, headers });
  reach('before send');
  const answer = await send({ ...request, headers });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  reach('after the answer');
  return { ...answer, body: pieces(chunks) } satisfies HttpResponse;
};

async function* pieces(chunks: readonly Uint8Array[]) {
  yield* chunks;
}

/** Node's own, with the instants of a save in it. */
async function loadFiles(): Promise<FileSystem> {
  const fs = await import('node:fs/promises');
  return {
    ...fs,
    async open(path, flags, mode) {
      const handle = await fs.open(path, flags, mode);
      const writeFile: typeof handle.writeFile = async (data, options) => {
        if (armed?.at === 'mid write') {
          const text = String(data);
          await handle.write(text.slice(0, text.length / 2));
          reach('mid write');
          return void (await handle.write(text.slice(text.length / 2)));
        }
        return handle.writeFile(data, options);
      };
      return new Proxy(handle, {
        get(target, property) {
          if (property === 'writeFile') return writeFile;
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
    async rename(from, to) {
      reach('before rename');
      await fs.rename(from, to);
      reach('after rename');
    },
  };
}

function faster(clock: Clock, speed: number): Clock {
  const { after, inBackground = after } = clock;
  return {
    // The time of day goes into the record, which others read.
    nowMs: clock.nowMs,
    monotonicMs: () => clock.monotonicMs() * speed,
    after: (delayMs, callback) => after(delayMs / speed, callback),
    inBackground: (delayMs, callback) => inBackground(delayMs / speed, callback),
  };
}

function open({ directory, provider, speed = 1 }: Opening): void {
  const host = createNodeHost({ store: createFileStore(directory, loadFiles), http });
  const lock: Host['lock'] = (key, timeoutMs, task) =>
    host.lock(key, timeoutMs / speed, async (held) => {
      reach('locked');
      const result = await task(held);
      reach('before unlock');
      return result;
    });
  session = createSession({
    host: { ...host, lock, clock: faster(host.clock, speed) },
    provider: oauth(provider as Parameters<typeof oauth>[0]),
  });
  session.onChange(({ error, ...change }) => {
    const { state } = session;
    tell({ change: { ...change, state, ...(error && { error: error.code }) } });
  });
}

async function saveForEver(directory: string, from: number): Promise<never> {
  const store = createFileStore(directory, () => import('node:fs/promises'));
  for (let value = from; ; value += 1) {
    await store.set('counter', counterText(value));
    tell({ saved: value });
  }
}

async function act(command: Command): Promise<Answer> {
  switch (command.do) {
    case 'open':
      open(command);
      return {};
    case 'restore':
      await session.restore();
      return { state: session.state };
    case 'getAccessToken': {
      const { minValidityMs, times = 1, afterMs } = command;
      const options = minValidityMs === undefined ? {} : { minValidityMs };
      const asked = Array.from({ length: times }, async () => {
        if (afterMs !== undefined) await new Promise((done) => setTimeout(done, afterMs));
        return session.getAccessToken(options);
      });
      const tokens = new Set(await Promise.all(asked));
      return { token: [...tokens].map(digest).join(' ') };
    }
    case 'request':
      await session.api.request({ path: command.path ?? 'thing' });
      return { token: digest(bearer) };
    case 'signOut':
      await session.signOut();
      return {};
    case 'state':
      return { state: session.state };
    case 'close':
      await session.close();
      return {};
    case 'arm':
      armed = command;
      return {};
    case 'save for ever':
      return saveForEver(command.directory, command.from);
  }
}

function toAnswer(error: unknown): Answer {
  const text = String(error);
  if (!isMortiseError(error)) return { error: { code: 'not ours', text } };
  const { code, details } = error;
  return { error: { code, text, ...('reason' in details && { reason: details.reason }) } };
}

// A rejection that nobody awaits ends a process of Node's with code 1: what must never happen to the host
// application shows as that.
createInterface(process.stdin)
  .on('line', (text) => {
    const { id, ...command } = JSON.parse(text) as Command & { id: number };
    act(command)
      .catch(toAnswer)
      .then((answer) => tell({ id, ...answer }));
  })
  .on('close', () => process.exit());
tell({ ready: true });
