import childProcess, { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeakGuard } from './leak-guard.js';

type Any = (...args: unknown[]) => unknown;

const ORIGINAL = Symbol.for('mortise: the original');

/** Puts something around a method of what all test files of this process share; returns what takes it away. */
function around(owner: object, name: string, wrap: (original: Any) => Any): () => void {
  const holder = owner as Record<string, Any & { [ORIGINAL]?: Any }>;
  const found = holder[name];
  if (!found) throw new Error(`the leak guard looks for ${name}`);
  // A file that could not be loaded has not taken its own away.
  const original = found[ORIGINAL] ?? found;
  const wrapped = Object.assign(wrap(original), { [ORIGINAL]: original });
  holder[name] = wrapped;
  return () => {
    if (holder[name] === wrapped) holder[name] = original;
  };
}

const isText = (value: unknown): value is string | Uint8Array =>
  typeof value === 'string' || ArrayBuffer.isView(value);

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : Buffer.from(value as Uint8Array).toString();

/** Everything this process prints, starts or writes. Returns what ends it. */
export function watchProcess(guard: LeakGuard): () => void {
  const ends = [...watchConsole(guard), ...watchChildren(guard), ...watchFiles(guard)];
  return () => ends.forEach((end) => end());
}

/** Jest's, which keeps what is printed and shows it in the end. With one test file it goes to stdout. */
interface KeptConsole {
  getBuffer?(): readonly { readonly type: string; readonly message: string }[] | undefined;
}

function watchConsole({ tell, beforeLook }: LeakGuard): (() => void)[] {
  let seen = 0;
  beforeLook(() => {
    const kept = (console as KeptConsole).getBuffer?.() ?? [];
    for (const { type, message } of kept.slice(seen)) tell(`console.${type}`, message);
    seen = kept.length;
  });
  return (['stdout', 'stderr'] as const).map((name) =>
    around(process[name], 'write', (write) => (...args) => {
      if (isText(args[0])) tell(name, textOf(args[0]));
      return Reflect.apply(write, process[name], args);
    }),
  );
}

interface Start {
  readonly file?: string;
  readonly args?: readonly string[];
  readonly envPairs?: readonly string[];
}

function watchChildren({ tell, tellLater }: LeakGuard): (() => void)[] {
  const tellStart = ({ args = [], envPairs = [] }: Start) => {
    for (const text of args) tell('the arguments of a program', text);
    for (const text of envPairs) tell('the environment of a program', text);
  };
  // A server of the tests' own, which says who its clients are.
  const isServer = ({ args = [] }: Start) => args.some((text) => text.endsWith('oidc-server.mjs'));
  return [
    // What all that do not wait lead to: `spawn`, `exec`, `execFile`, `fork`.
    around(
      ChildProcess.prototype,
      'spawn',
      (spawn) =>
        function (this: ChildProcess, ...args) {
          const start = args[0] as Start;
          tellStart(start);
          const result = Reflect.apply(spawn, this, args);
          for (const stream of isServer(start) ? [] : [this.stdout, this.stderr]) {
            if (!stream) continue;
            const pieces: string[] = [];
            around(stream, 'push', (push) => (...pushed) => {
              if (isText(pushed[0])) pieces.push(textOf(pushed[0]));
              return Reflect.apply(push, stream, pushed);
            });
            stream.once('close', () => tell('the output of a program', pieces.join('')));
            tellLater('the output of a program', () => pieces.join(''));
          }
          return result;
        },
    ),
    ...['spawnSync', 'execFileSync', 'execSync'].map((name) =>
      around(childProcess, name, (run) => (...args) => {
        tellStart({ args: args.flat().filter((arg) => typeof arg === 'string') });
        const { env = process.env } = Object(args.at(-1)) as { env?: object };
        tell('the environment of a program', env);
        const result = Reflect.apply(run, childProcess, args);
        const { stdout = result, stderr } = Object(result);
        for (const output of [stdout, stderr]) {
          if (isText(output)) tell('the output of a program', textOf(output));
        }
        return result;
      }),
    ),
  ];
}

/** A file store's own: they are the place where secrets may be, unless they are to be sealed. */
const STORED = /(^|[\\/])(?!sealed-)[a-z0-9-]*-[0-9a-f]{40}\.txt(\.[0-9a-f]{16}\.tmp|\.damaged)?$/;
/** How the folders begin that tests make. */
const FOLDER = join(tmpdir(), 'mortise-');
const MOST_BYTES = 1 << 20;

function watchFiles({ tell, hide }: LeakGuard): (() => void)[] {
  const folders = new Set<string>();
  const write = (path: unknown, content: unknown) => {
    if (!isText(content)) return;
    if (!STORED.test(String(path))) return tell('a file', textOf(content));
    // Another process may have signed in.
    const { accessToken, refreshToken, attempts } = readJson(textOf(content));
    hide('access token', accessToken);
    hide('refresh token', refreshToken);
    for (const attempt of Array.isArray(attempts) ? attempts : []) {
      hide('code verifier', Object(attempt).codeVerifier);
    }
  };
  /** Everything that is in a folder, whoever wrote it; links are not followed. */
  const readFolder = (folder: unknown): void => {
    if (typeof folder !== 'string' || !folder.startsWith(FOLDER)) return;
    try {
      if (!fs.lstatSync(folder).isDirectory()) return;
      for (const name of fs.readdirSync(folder)) {
        tell('the name of a file', name);
        const path = join(folder, name);
        const found = fs.lstatSync(path);
        if (found.isDirectory()) readFolder(path);
        if (found.isFile() && found.size <= MOST_BYTES) write(path, fs.readFileSync(path));
      }
    } catch {
      // Others are at work there, or nobody may look.
    }
  };
  const writing =
    (original: Any) =>
    (...args: unknown[]) => {
      write(args[0], args[1]);
      return Reflect.apply(original, fs, args);
    };
  const removing =
    (original: Any) =>
    (...args: unknown[]) => {
      readFolder(args[0]);
      return Reflect.apply(original, fs, args);
    };
  return [
    () => folders.forEach(readFolder),
    around(fs, 'mkdtempSync', (make) => (...args) => {
      const folder = Reflect.apply(make, fs, args);
      folders.add(String(folder));
      return folder;
    }),
    around(fs.promises, 'mkdtemp', (make) => async (...args) => {
      const folder = await Reflect.apply(make, fs.promises, args);
      folders.add(String(folder));
      return folder;
    }),
    around(fs, 'writeFileSync', writing),
    around(fs, 'appendFileSync', writing),
    around(fs, 'writeFile', writing),
    around(fs.promises, 'writeFile', writing),
    around(fs.promises, 'appendFile', writing),
    around(fs.promises, 'open', (open) => async (...args) => {
      const handle = (await Reflect.apply(open, fs.promises, args)) as object;
      for (const name of ['write', 'writeFile', 'appendFile']) {
        around(handle, name, (original) => (...written) => {
          write(args[0], written[0]);
          return Reflect.apply(original, handle, written);
        });
      }
      return handle;
    }),
    around(fs, 'rmSync', removing),
    around(fs.promises, 'rm', removing),
  ];
}

function readJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {}; // some tests damage what is stored
  }
}
