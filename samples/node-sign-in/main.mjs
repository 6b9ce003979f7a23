// Signs in, finds the API, browses, and keeps the session for the next run.
import { createSession, isMortiseError } from 'mortise';
import { createNodeHost, fileStore } from 'mortise/node';
import { showGranted, showOrganization } from './data.mjs';
import { readOptions, stateDirectory, USAGE } from './options.mjs';
import { choosePlatform } from './platform.mjs';
import { createTerminal } from './terminal.mjs';

const terminal = createTerminal(process.stdout);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

async function main(options) {
  const platform = await choosePlatform(options, terminal);
  const directory = stateDirectory();
  const host = createNodeHost({
    store: fileStore({ directory }),
    ...(platform.openBrowser && { openBrowser: platform.openBrowser }),
  });
  const session = createSession({ host, provider: platform.provider });
  try {
    await session.restore();
    if (options.signOut) {
      const { name } = session.state;
      await session.signOut();
      terminal.step('Signed out', name === 'signedIn' ? directory : 'nobody was signed in');
      return;
    }
    if (session.state.name === 'signedIn') {
      terminal.step('Session', `restored from ${directory}, no browser needed`);
    } else {
      await signIn(session);
    }
    const show = options.issuer ? showGranted : showOrganization;
    await show(session, terminal, stop.signal);
    terminal.note('Run it again: the session is restored.  End it: npm start -- --sign-out');
  } finally {
    await session.close();
    await platform.close();
  }
}

async function signIn(session) {
  const off = session.onChange(({ event, error }) => {
    const { state } = session;
    if (event === 'addressReady') terminal.step('Sign-in', 'your browser opens the consent page');
    if (event === 'windowLost') {
      terminal.step('No browser', `${error?.hint ?? ''}\n${state.authorizationUrl}`);
    }
    if (state.name === 'authorizing') terminal.wait('waiting for you', state.expiresAtMs);
    if (state.name === 'exchanging') terminal.wait('exchanging the code');
  });
  try {
    await session.signIn({ signal: stop.signal });
  } finally {
    off();
    terminal.stopWaiting();
  }
  terminal.step('Signed in', `the session is kept in ${stateDirectory()}`);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options) await main(options);
  else terminal.print(USAGE);
} catch (error) {
  terminal.stopWaiting();
  if (!isMortiseError(error)) throw error;
  terminal.fail(error.message, error.hint);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}
