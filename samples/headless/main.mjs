// A machine without a browser: the user answers on any other device, or pastes the address a browser elsewhere ends on.
import { createInterface } from 'node:readline';
import { createSession, deviceUserAgent, memoryStore, pasteUserAgent } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { oauth } from 'mortise/providers/oauth';
import { play, setting } from '../stage/play.mjs';

const isPasted = process.argv.includes('--paste');
const issuer = setting('OAUTH_ISSUER');
const clientId = setting('OAUTH_CLIENT_ID');
const scopes = setting('OAUTH_SCOPES')?.split(' ') ?? ['openid', 'profile', 'email'];
const needs = { OAUTH_ISSUER: issuer, OAUTH_CLIENT_ID: clientId };

/** What the user is to do, as the state says it. */
function instruct({ device, answerBy, authorizationUrl }, terminal, isPlayed) {
  if (device) {
    const { userCode, verificationUri, verificationUriComplete } = device;
    terminal.step('Go to', `${verificationUri}  on any device`);
    terminal.step('Code', userCode);
    if (verificationUriComplete)
      terminal.step('Or open', `this, and compare the code\n${verificationUriComplete}`);
  }
  if (answerBy === 'paste') {
    if (!isPlayed) terminal.step('Open', `in a browser of any machine\n${authorizationUrl}`);
    terminal.step('Paste', 'the address your browser ends on, where no page is, and press Enter');
  }
}

await play(
  { platform: 'oauth', needs, flags: ['paste'] },
  async ({ environment, isPlayed, answerElsewhere, terminal, signal }) => {
    const host = createNodeHost({
      store: memoryStore(),
      // Where there may be a browser it comes first: (browser) => [browser, deviceUserAgent(), pasteUserAgent()].
      userAgents: () => (isPasted ? [] : [deviceUserAgent()]).concat(pasteUserAgent()),
    });
    const provider = oauth({ issuer, clientId: clientId ?? 'any', scopes, ...environment });
    const session = createSession({ host, provider });
    const lines = isPlayed ? null : createInterface({ input: process.stdin, terminal: false });
    lines?.on('line', (text) =>
      session.completeSignIn(text).catch(({ hint }) => terminal.step('Not that', hint)),
    );
    session.onChange(({ event }) => {
      const { state } = session;
      if (state.name !== 'authorizing') return terminal.stopWaiting();
      if (event !== 'addressReady') return;
      instruct(state, terminal, isPlayed);
      terminal.wait('waiting for you', state.expiresAtMs);
      answerElsewhere(session);
    });
    try {
      await session.signIn({ signal });
      lines?.close();
      terminal.step('Signed in', session.state.scopes.join(' '));
      const { name, email, sub } = await session.api.userInfo({ signal });
      terminal.step('User', [name ?? sub, email].filter(Boolean).join(', '));
    } finally {
      lines?.close();
      await session.close();
    }
  },
);
