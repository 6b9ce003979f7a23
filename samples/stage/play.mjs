// What the samples have in common and a plug-in has already: a platform, a terminal, somebody who clicks.
import { parseArgs } from 'node:util';
import { MortiseError, isMortiseError } from 'mortise';
import { createSystemBrowser, serveSandbox } from 'mortise/node';
import { FAULTS, createSandbox, sandboxEnvironment } from 'mortise/sandbox';
import { isAlone, openOrPlay, playElsewhere, playUser } from './person.mjs';
import { createTerminal } from './terminal.mjs';

const NAMES = {
  aps: 'Autodesk Platform Services',
  oauth: 'OAuth server',
  opencde: 'OpenCDE',
  prevu3d: 'Prevu3D',
  speckle: 'Speckle',
};

const USAGE = `--yes, --no     at the sandbox, this program plays the user, who clicks Allow or Deny
--fault NAME    the sandbox misbehaves; src/sandbox/README.md lists how
What the real platform needs is in the sample's README.md.`;

/** Out of the environment, which the browser inherits: it has no use for a secret. */
export function setting(name) {
  const { [name]: value } = process.env;
  delete process.env[name];
  return value || undefined;
}

/**
 * Plays a scene: at the real platform when the settings it `needs` are there, else at a sandbox that is
 * served as long as it takes.
 *
 * @param {{ platform: string, needs: Record<string, string | undefined>, redirectUris?: string[], flags?: string[] }} cast
 *   `redirectUris` are what the sandbox takes for registered, `flags` the options of the sample's own.
 */
export async function play({ platform, needs, redirectUris, flags = [] }, scene) {
  const terminal = createTerminal(process.stdout);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupt);
  let close = async () => {};
  try {
    const options = readOptions(flags);
    if (options.help) return terminal.print(USAGE);
    const isSandbox = Object.values(needs).every((value) => value === undefined);
    terminal.title(NAMES[platform] + (isSandbox ? ', a sandbox on this machine' : ''));
    const stage = isSandbox ? await serve(platform, redirectUris, options) : real(needs, options);
    close = stage.close;
    /** What fails here is not for the session to wait over. */
    const openBrowser = async (url) => {
      if (!stage.isPlayed) terminal.step('Address', `should no browser open by itself\n${url}`);
      try {
        await stage.openBrowser(url, terminal);
      } catch (error) {
        stop.abort(error);
      }
    };
    /** Where nothing is opened here, it is for the person to see the state, unless this program plays them. */
    const answerElsewhere = (session) => {
      if (!stage.isPlayed) return;
      playElsewhere(session, terminal, stage.decision).catch((error) => stop.abort(error));
    };
    const watch = (session) => narrate(session, terminal, stage.isPlayed);
    const { signal } = stop;
    await scene({ ...stage, openBrowser, answerElsewhere, watch, terminal, isSandbox, signal });
  } catch (error) {
    terminal.stopWaiting();
    const { aborted, reason } = stop.signal;
    report(terminal, isMortiseError(reason) ? reason : error);
    process.exitCode = aborted && !isMortiseError(reason) ? 130 : 1;
  } finally {
    await close();
  }
}

function readOptions(flags) {
  const names = ['help', 'yes', 'no', ...flags];
  const booleans = names.map((name) => [name, { type: 'boolean', default: false }]);
  const fault = { type: 'string', multiple: true, default: [] };
  try {
    return parseArgs({ options: { ...Object.fromEntries(booleans), fault } }).values;
  } catch ({ message }) {
    throw mistake(message.split('. ')[0], USAGE);
  }
}

const mistake = (problem, hint) => new MortiseError('configuration_error', { problem }, { hint });

function real(needs, { yes, no, fault }) {
  const missing = Object.keys(needs).filter((name) => needs[name] === undefined);
  if (missing.length > 0) {
    const others = Object.keys(needs).filter((name) => !missing.includes(name));
    const hint = `Set it as well; or unset ${others.join(', ')}, for the sandbox.`;
    throw mistake(`${missing.join(', ')} is not set`, hint);
  }
  if (yes || no || fault.length > 0) {
    const hint = `Leave them out; or unset ${Object.keys(needs).join(', ')}, for the sandbox.`;
    throw mistake('--yes, --no and --fault are for the sandbox', hint);
  }
  return {
    isPlayed: false,
    environment: undefined,
    // Where none opens, the address is there to copy.
    openBrowser: (url) => createSystemBrowser()(url).catch(() => {}),
    close: async () => {},
    passMs: () => {},
  };
}

async function serve(platform, redirectUris, { yes, no, fault }) {
  const unknown = fault.find((text) => !Object.hasOwn(FAULTS, text.split('@')[0]));
  if (unknown) throw mistake(`there is no fault ${unknown}`, 'src/sandbox/README.md lists them.');
  let passedMs = 0;
  const sandbox = createSandbox({
    provider: platform,
    faults: fault,
    nowMs: () => Date.now() + passedMs,
    ...(redirectUris && { redirectUris }),
  });
  const { url, close } = await serveSandbox(sandbox);
  return {
    isPlayed: yes || no || isAlone(),
    decision: no ? 'deny' : 'allow',
    environment: sandboxEnvironment(platform, url),
    async openBrowser(address, terminal) {
      if (!yes && !no) return openOrPlay(address, terminal);
      terminal.step('Consent', `this program plays the user, who clicks ${no ? 'Deny' : 'Allow'}`);
      return playUser(address, no ? 'deny' : 'allow');
    },
    close,
    /** Lets time pass at the sandbox, so that its tokens run out. */
    passMs: (ms) => void (passedMs += ms),
  };
}

/** What a sign-in is waiting for, unless this program is to click. */
function narrate(session, terminal, isPlayed) {
  session.onChange(({ event }) => {
    const { state } = session;
    if (event === 'addressReady') terminal.step('Sign-in', 'opening the consent page');
    if (state.name === 'exchanging') terminal.wait('exchanging the code');
    else if (state.name !== 'authorizing') terminal.stopWaiting();
    else if (state.authorizationUrl && !isPlayed) {
      terminal.wait('waiting for you', state.expiresAtMs);
    }
  });
}

/** What went wrong, and what to do about it. */
function report(terminal, error) {
  if (!isMortiseError(error)) throw error;
  const { host, errorDescription, warnings = [], problems = [] } = error.details;
  const remedies = problems.map(({ path, problem, remedy }) => `${path} ${problem}. ${remedy}`);
  const lines = [
    ...(problems.length > 0 ? remedies : [error.hint]),
    ...(errorDescription ? [`The server says: ${errorDescription}`] : []),
    ...warnings,
  ];
  const message = host ? `${error.message}: ${host}` : error.message;
  terminal.fail(message, lines.join('\n'));
}
