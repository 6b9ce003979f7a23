// A panel in a window of its own program: a person uses it, or where nobody is there, this program does.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MortiseError } from 'mortise';
import { play } from './play.mjs';
import { viewProgram } from './view-program.mjs';

const panel = new URL('../qt-panel/panel.html', import.meta.url);
const isGiven = (flag) => process.argv.includes(`--${flag}`);
const PATIENCE_MS = 30_000;

/**
 * @param {{ engine: 'qt' | 'webkit', program: URL, capture: 'host' | 'view', redirectUri: string }} sample
 *   `capture` where no option says; `redirectUri` is what the sandbox's Speckle takes for registered.
 */
export async function playPanel({ engine, program, capture, redirectUri }) {
  const platform = isGiven('speckle') ? 'speckle' : 'prevu3d';
  const way = isGiven('view') ? 'view' : isGiven('browser') ? 'host' : capture;
  const flags = ['view', 'browser', 'speckle'];
  // Speckle sends to registered addresses only, Prevu3D to any on loopback.
  const redirectUris = platform === 'speckle' ? [redirectUri] : undefined;
  const cast = { platform, needs: {}, redirectUris, flags };
  await play(cast, async (stage) => {
    const { environment, isPlayed, terminal, signal } = stage;
    const { name, command, env } = viewProgram(engine, { isOffscreen: isPlayed });
    const address = new URL(panel);
    const config = { platform, environment, redirectUri, capture: way };
    address.searchParams.set('config', JSON.stringify(config));
    const [file, ...args] = [...command, fileURLToPath(program), address.href];
    if (isPlayed) args.push('--played');
    const child = spawn(file, args, {
      env: { ...process.env, ...env, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', isPlayed ? 'pipe' : 'inherit', 'pipe'],
      // All of it ends with it: engines have a process for everything.
      detached: process.platform !== 'win32',
    });
    const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
    const interrupt = () => end(child, 'SIGTERM');
    signal.addEventListener('abort', interrupt);
    try {
      terminal.step('Panel', `in ${name}; sign-in in ${WAYS[way]}`);
      if (isPlayed) await playUser(hear(child, ended), stage, way);
      else terminal.wait('close the window to end');
      if (!isPlayed) await ended;
    } catch (error) {
      // What fails in a program that is being ended is no news.
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', interrupt);
      terminal.stopWaiting();
      child.stdin.end();
      const late = setTimeout(() => end(child, 'SIGKILL'), 3000);
      await ended;
      clearTimeout(late);
      end(child, 'SIGKILL');
    }
    if (signal.aborted) throw new MortiseError('sign_in_cancelled', {});
  });
}

const WAYS = { host: 'the system’s browser', view: 'a view of the program’s own' };

function end(child, signal) {
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended.
  }
}

/** What the program with the window says, and a way to have something done in one of its views. */
function hear(child, ended) {
  const events = [];
  const answers = new Map();
  const listeners = new Set();
  let lastId = 0;
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (text) => {
    // xvfb-run puts what a program complains about among what it says.
    if (!text.startsWith('{')) return void (complaints += `${text}\n`);
    const line = JSON.parse(text);
    if (line.event) events.push(line);
    else answers.get(line.id)?.(line.result);
    for (const listener of [...listeners]) listener();
  });
  const fail = (what) => {
    const hint = complaints.trim().split('\n').at(-1) || 'Start it again.';
    return new MortiseError('configuration_error', { problem: `${what} in the panel` }, { hint });
  };
  const within = async (what, promise) => {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(fail(`no ${what}`)), PATIENCE_MS);
      void ended.then(() => reject(fail('the program ended: no ' + what)));
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };
  const evaluate = (view, script) =>
    new Promise((resolve) => {
      lastId += 1;
      answers.set(lastId, resolve);
      child.stdin.write(`${JSON.stringify({ id: lastId, view, script })}\n`);
    });
  return {
    event: (name) =>
      within(
        name,
        new Promise((resolve) => {
          const look = () => {
            const found = events.find(({ event }) => event === name);
            if (!found) return;
            listeners.delete(look);
            resolve(found);
          };
          listeners.add(look);
          look();
        }),
      ),
    /** Asks again and again, until it is something. */
    until: (what, view, script) =>
      within(
        what,
        (async () => {
          for (;;) {
            const found = await evaluate(view, script);
            if (found) return found;
            await new Promise((again) => setTimeout(again, 50));
          }
        })(),
      ),
  };
}

const BUTTON = (label) => `(() => {
  const root = document.querySelector('mortise-sign-in')?.shadowRoot;
  const button = [...(root?.querySelectorAll('button') || [])]
    .find((each) => each.textContent.trim() === '${label}' && each.offsetParent);
  button?.click();
  return Boolean(button);
})()`;

const ROWS = `document.body.dataset.shows === 'content' && {
  heading: document.querySelector('h2').textContent,
  rows: [...document.querySelectorAll('li')].map((item) => [item.firstChild.textContent, item.lastChild.textContent]),
}`;

/** The user of the panel, who clicks in it. */
async function playUser({ event, until }, { decision, openBrowser, terminal }, way) {
  await until('button', 'panel', BUTTON('Sign in'));
  if (way === 'view') {
    const { view } = await event('view');
    const clicks = decision === 'allow' ? 'Allow' : 'Deny';
    terminal.step('No screen', `so this program plays the user, who clicks ${clicks}`);
    const consent = `(() => {
      const button = document.querySelector('button[value=${decision}]');
      button?.click();
      return Boolean(button);
    })()`;
    await until('consent page', view, consent);
  } else {
    const { url } = await event('browser');
    await openBrowser(url);
  }
  if (decision === 'deny') {
    const problem = `document.querySelector('mortise-sign-in').shadowRoot.querySelector('[role=alert], [part~=note-problem]')?.textContent`;
    terminal.step('Denied', await until('message', 'panel', problem));
    return;
  }
  const { heading, rows } = await until('list', 'panel', ROWS);
  terminal.step('Signed in', 'what the panel shows:');
  terminal.table(['Name', 'Kind'], rows, heading);
  await until('button', 'panel', BUTTON('Sign out'));
  await until('end', 'panel', `document.body.dataset.state === 'signedOut'`);
  terminal.print('');
  terminal.step('Signed out', 'the panel has forgotten it all');
}
