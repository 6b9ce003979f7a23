// Real embedded views, in a process of their own: Qt WebEngine and WebKitGTK, each with Debian's own Python.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type Engine = 'qt' | 'webkit';

interface EngineNeeds {
  readonly name: string;
  /** What Python must be able to import, and with what it is found. */
  readonly probe: string;
  readonly packages: string;
  readonly programs: readonly string[];
}

export const ENGINES: Readonly<Record<Engine, EngineNeeds>> = {
  qt: {
    name: 'Qt WebEngine',
    probe: 'import PyQt6.QtWebEngineWidgets, PyQt6.QtWebChannel',
    packages: 'python3-pyqt6.qtwebengine',
    programs: [],
  },
  webkit: {
    name: 'WebKitGTK',
    probe:
      'import gi; gi.require_version("Gtk", "3.0"); gi.require_version("WebKit2", "4.1"); from gi.repository import WebKit2',
    packages: 'gir1.2-webkit2-4.1 python3-gi xvfb xauth dbus',
    programs: ['xvfb-run', 'dbus-run-session'],
  },
};

const works = (program: string, ...args: readonly string[]) =>
  spawnSync(program, args, { stdio: 'ignore', timeout: 30_000 }).status === 0;

/** A Python that has the engine: the environment variable `PYTHON`, that of the system, any. */
export function pythonWith(engine: Engine): string | undefined {
  const { probe, programs } = ENGINES[engine];
  if (process.platform !== 'linux') return undefined;
  if (!programs.every((name) => works('sh', '-c', `command -v ${name}`))) return undefined;
  return [process.env['PYTHON'], '/usr/bin/python3', 'python3'].find(
    (program) => program && works(program, '-c', probe),
  );
}

/** As `describe`. Without the engine it fails in CI, and elsewhere says what was left out. */
export function describeInView(engine: Engine, name: string, tests: () => void): void {
  if (pythonWith(engine)) return describe(name, tests);
  const notice = `"${name}" needs ${ENGINES[engine].name}, on Linux: Debian’s packages ${ENGINES[engine].packages}.`;
  if (process.env['CI']) {
    test(name, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`\nLEFT OUT: ${notice}\n\n`);
  describe.skip(name, tests);
}

export interface ViewEvent {
  readonly event:
    | 'navigating'
    | 'text'
    | 'certificate'
    | 'download'
    | 'load'
    | 'leave'
    | 'closed'
    /** A page was loaded, or could not be. */
    | 'finished';
  readonly url?: string;
  readonly main?: boolean;
  readonly verdict?: 'allow' | 'block' | 'capture' | 'browser';
  readonly text?: string;
}

export interface ViewOptions {
  /** The page that is the panel; it may go nowhere else. */
  readonly panel?: string;
  /** Where a careless host lets its panel go all the same. */
  readonly also?: readonly string[];
  /** A view for a sign-in, caught at this address. */
  readonly redirect?: string;
  readonly bridge?: boolean;
  /** WebKitGTK: what a frame may be. Qt lets frames be. */
  readonly frames?: string;
  /** Views that name the same one share their cookies. Default: each its own. */
  readonly profile?: string;
  readonly width?: number;
  readonly height?: number;
}

export interface View {
  /** The bridge, as a host has it. */
  readonly channel: {
    send(text: string): void;
    onMessage(listener: (text: string) => void): () => void;
  };
  readonly events: readonly ViewEvent[];
  /** The secret handed to the page of the latest load. */
  readonly nonce: string;
  /** All that came over the bridge so far. */
  readonly texts: readonly string[];
  load(url: string): Promise<void>;
  /** Of what the page's own script would get; JSON. */
  evaluate<T = unknown>(script: string): Promise<T>;
  /** Resolves when `script` is no longer false in the page, which is asked again and again. */
  until<T = unknown>(script: string): Promise<T>;
  /** Calls for each event to come. Returns what unsubscribes. */
  onEvent(listener: (event: ViewEvent) => void): () => void;
  /** Resolves with the first event that fits, one that came already included. */
  event(fits: (event: ViewEvent) => boolean): Promise<ViewEvent>;
  detach(): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

export interface Views {
  open(options: ViewOptions): Promise<View>;
  /** What views with this profile share is not for the next ones, as after a sign-out. Those that have it keep it. */
  forget(profile: string): Promise<void>;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

/** How long anything may take that takes a moment; a busy machine has two cores for everybody. */
const PATIENCE_MS = 25_000;

/** The command and environment of a program with views, on a screen that nobody sees. */
export function viewProgram(engine: Engine, python: string, home: string) {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_RUNTIME_DIR: home,
    XDG_CACHE_HOME: join(home, 'cache'),
    LANG: 'C.UTF-8',
    PYTHONDONTWRITEBYTECODE: '1',
  };
  if (engine === 'qt') {
    return {
      command: [python],
      env: {
        ...env,
        QT_QPA_PLATFORM: 'offscreen',
        QTWEBENGINE_DISABLE_SANDBOX: '1',
        QTWEBENGINE_CHROMIUM_FLAGS: '--no-sandbox --disable-gpu --disable-background-networking',
        QT_LOGGING_RULES: '*=false',
      },
    };
  }
  return {
    command: ['dbus-run-session', '--', 'xvfb-run', '-a', python],
    env: {
      ...env,
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      NO_AT_BRIDGE: '1',
      GTK_A11Y: 'none',
      GSETTINGS_BACKEND: 'memory',
    },
  };
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts the process; takes about a second, so once a test file. */
export async function startViews(engine: Engine): Promise<Views> {
  const python = pythonWith(engine) ?? 'python3';
  const home = mkdtempSync(join(tmpdir(), 'mortise-view-'));
  const { command, env } = viewProgram(engine, python, home);
  const [program = '', ...args] = [...command, join(__dirname, `webview-${engine}.py`)];
  // A group of its own, so that nothing of it is left, whatever becomes of it.
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const answers = new Map<number, Waiting>();
  const heard = new Map<string, ViewEvent[]>();
  const listeners = new Set<(view: string, event: ViewEvent) => void>();
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  createInterface({ input: child.stdout }).on('line', (text) => {
    // xvfb-run puts what a program complains about among what it says.
    if (!text.startsWith('{')) return void (stderr += `${text}\n`);
    const line = JSON.parse(text);
    if (line.event === 'ready') isReady();
    else if (line.event) {
      heard.get(line.view)?.push(line);
      for (const listener of [...listeners]) listener(line.view, line);
    } else {
      const waiting = answers.get(line.id);
      answers.delete(line.id);
      if (line.error) waiting?.reject(new Error(line.error));
      else waiting?.resolve(line.result ?? null);
    }
  });

  /** Ends with what the process had to say, should it end or take too long. */
  function within<T>(what: string, promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = (why: string) =>
        reject(new Error(`${ENGINES[engine].name}: ${what} ${why}\n${stderr.slice(-2000)}`));
      timer = setTimeout(() => fail('takes too long'), PATIENCE_MS);
      void gone.then(() => fail('and the process ended'));
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  let lastId = 0;
  function ask<T>(what: string, more: object): Promise<T> {
    lastId += 1;
    const id = lastId;
    const answer = new Promise<unknown>((resolve, reject) => answers.set(id, { resolve, reject }));
    child.stdin.write(`${JSON.stringify({ id, do: what, ...more })}\n`);
    return within(what, answer as Promise<T>);
  }

  async function open(options: ViewOptions): Promise<View> {
    const view = `view ${heard.size + 1}`;
    const events: ViewEvent[] = [];
    heard.set(view, events);
    await ask('open', { view, ...options });
    const onEvent = (listener: (event: ViewEvent) => void) => {
      const hear = (from: string, event: ViewEvent) => {
        if (from === view) listener(event);
      };
      listeners.add(hear);
      return () => void listeners.delete(hear);
    };
    const evaluate = <T>(script: string) => ask<T>('evaluate', { view, script });
    return {
      channel: {
        send: (text) => void ask('send', { view, text }).catch(() => {}),
        onMessage: (listener) =>
          onEvent(({ event, text = '' }) => {
            if (event === 'text') listener(text);
          }),
      },
      events,
      get nonce() {
        return events.filter(({ event }) => event === 'load').at(-1)?.text ?? '';
      },
      get texts() {
        return events.flatMap(({ event, text }) => (event === 'text' && text ? [text] : []));
      },
      load: (url) => ask('load', { view, url }),
      evaluate,
      until: <T>(script: string) =>
        within(
          `waiting for ${script}`,
          (async () => {
            for (;;) {
              const value = await evaluate<T>(script);
              if (value) return value;
              await new Promise((again) => setTimeout(again, 30));
            }
          })(),
        ),
      onEvent,
      event(fits) {
        let stop = () => {};
        const found = new Promise<ViewEvent>((resolve) => {
          const known = events.find(fits);
          if (known) return resolve(known);
          stop = onEvent((event) => fits(event) && resolve(event));
        });
        const seen = () => events.map(({ event, url = '' }) => `${event} ${url}`).join(', ');
        return within('an event', found)
          .catch((error: Error) => {
            throw new Error(`${error.message}\nSeen: ${seen()}`);
          })
          .finally(stop);
      },
      detach: () => ask('detach', { view }),
      screenshot: (path) => ask('screenshot', { view, path }),
      close: () => ask('close', { view }),
    };
  }

  async function stop() {
    child.stdin.end();
    const timer = setTimeout(() => kill(child), 3000);
    await gone;
    clearTimeout(timer);
    kill(child);
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  try {
    await within('starting', ready);
  } catch (error) {
    await stop();
    throw error;
  }
  return { open, forget: (profile) => ask('forget', { profile }), stop };
}

/** The process and all it has started: engines have processes for everything. */
function kill(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // All gone by themselves.
  }
}
