// A server without a browser, as a program of its own: signs in, says in lines of JSON what its user is to do, and
// takes what the user pastes. Uses the built package. Polls a hundred times as often as it is told
// to, so that nobody has to wait.
import { createInterface } from 'node:readline';
import { createNodeHost } from 'mortise/node';
import { createSession, deviceUserAgent, memoryStore, pasteUserAgent } from 'mortise';
import { oauth } from 'mortise/providers/oauth';

const [issuer, clientId] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

const hasty = (userAgent) => ({
  open: (request) => {
    const { device } = request;
    return userAgent.open({
      ...request,
      device: { ...device, wait: (ms) => device.wait(ms / 100) },
    });
  },
});

const session = createSession({
  host: createNodeHost({
    store: memoryStore(),
    userAgents: (browser) => [browser, hasty(deviceUserAgent()), pasteUserAgent()],
  }),
  provider: oauth({
    issuer,
    clientId,
    scopes: ['openid', 'email', 'offline_access'],
    authorizationParameters: { prompt: 'consent' },
  }),
});
session.onChange(({ event, error }) => say({ event, error: error?.code, state: session.state }));
const lines = createInterface({ input: process.stdin });
lines.on('line', (text) => session.completeSignIn(text).catch(({ code }) => say({ code })));
try {
  await session.signIn();
  say({ user: await session.api.userInfo() });
} catch ({ code }) {
  say({ code });
}
lines.close();
process.stdin.unref();
