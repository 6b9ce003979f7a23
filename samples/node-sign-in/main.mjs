// Signs in, finds the API, browses, and keeps the session for the next run.
import { createInterface } from 'node:readline';
import { createSession, isMortiseError, memoryStore } from 'mortise';
import { createNodeHost, fileStore } from 'mortise/node';
import { showGranted, showOrganization } from './data.mjs';
import { readOptions, stateDirectory, USAGE } from './options.mjs';
import { choosePlatform } from './platform.mjs';
import { createTerminal } from '../stage/terminal.mjs';

const directory = stateDirectory();
const terminal = createTerminal(process.stdout);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

async function main(options) {
  const platform = await choosePlatform(options, terminal);
  const host = createNodeHost({
    store: platform.isTemporary ? memoryStore() : fileStore({ directory }),
    ...(platform.openBrowser && { openBrowser: platform.openBrowser }),
  });
  const session = createSession({ host, provider: platform.provider });
  try {
    if (options.signOut) return await signOut(session);
    if (await hasToken(session)) {
      terminal.step('Session', `restored from ${directory}, no browser needed`);
    } else {
      await signIn(session);
      const kept = platform.isTemporary ? 'until this program ends' : `kept in ${directory}`;
      terminal.step('Signed in', kept);
    }
    const show = options.issuer ? showGranted : showOrganization;
    await show(session, terminal, stop.signal);
    if (platform.isTemporary) return;
    const again = ['npm start --', ...options.args].join(' ');
    terminal.note(`Run it again: the session is restored.  End it: ${again} --sign-out`);
  } finally {
    await session.close();
    await platform.close();
  }
}

/** From the store, and renewed if need be. `false` when the user has to sign in. */
async function hasToken(session) {
  try {
    await session.getAccessToken({ signal: stop.signal });
    return true;
  } catch (error) {
    if (!isMortiseError(error) || error.code !== 'sign_in_required') throw error;
    const { reason } = error.details;
    if (reason === 'rejected') terminal.step('Session', 'ended by the server, so sign in again');
    if (reason === 'damaged') terminal.step('Session', 'cannot be read, so sign in again');
    return false;
  }
}

async function signIn(session) {
  let lines;
  const off = session.onChange(({ event, error }) => {
    const { state } = session;
    if (event === 'addressReady') terminal.step('Sign-in', 'opening the consent page');
    if (event === 'windowLost') {
      terminal.step('No browser', `${error?.hint ?? ''}\n${state.authorizationUrl}`);
      lines ??= readPasted(session);
    }
    if (state.name === 'authorizing' && state.authorizationUrl) {
      terminal.wait('waiting for you', state.expiresAtMs);
    }
    if (state.name === 'exchanging') terminal.wait('exchanging the code');
  });
  try {
    await session.signIn({ signal: stop.signal });
  } finally {
    off();
    lines?.close();
    terminal.stopWaiting();
  }
}

/** Over ssh the redirect lands on the user's own machine: there the address can be copied from the browser. */
function readPasted(session) {
  if (!process.stdin.isTTY) return undefined;
  terminal.step('Or paste', 'the address your browser ends on, and press Enter');
  const lines = createInterface({ input: process.stdin, terminal: false });
  lines.on('line', (text) =>
    session.completeSignIn(text).catch((error) => terminal.step('Not that', error.hint)),
  );
  return lines;
}

async function signOut(session) {
  await session.restore();
  const isSignedIn = session.state.name === 'signedIn';
  await session.signOut();
  terminal.step('Signed out', isSignedIn ? `forgotten in ${directory}` : 'nobody was signed in');
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await main(options);
  else terminal.print(USAGE);
} catch (error) {
  terminal.stopWaiting();
  if (!isMortiseError(error)) throw error;
  const { host } = error.details;
  terminal.fail(host ? `${error.message}: ${host}` : error.message, error.hint);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
