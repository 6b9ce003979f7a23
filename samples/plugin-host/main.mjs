// A CAD program whose plug-ins share what an administrator has set up for them: one sign-in, one renewal.
import { readFileSync } from 'node:fs';
import { createPluginHost, isMortiseError, memoryStore } from 'mortise';
import { createNodeHost, fetchTransport } from 'mortise/node';
import { aps } from 'mortise/providers/aps';
import { play, setting } from '../stage/play.mjs';
import { folderCounter, folderCounterNext } from './folder-counter.mjs';
import { hubBrowser } from './hub-browser.mjs';

const integrations = JSON.parse(
  readFileSync(new URL('integrations.json', import.meta.url), 'utf8'),
);
const settings = {
  APS_CLIENT_ID: setting('APS_CLIENT_ID'),
  APS_CLIENT_SECRET: setting('APS_CLIENT_SECRET'),
};
const { redirectUris } = integrations.integrations[0].options;

/** What a login button says. */
const LABELS = {
  starting: () => 'one moment',
  needsSignIn: () => 'needs sign-in',
  signingIn: () => 'signing in',
  ready: ({ user }) => (user ? `ready as ${user}` : 'ready'),
};

await play({ platform: 'aps', needs: settings, redirectUris }, async (stage) => {
  const { environment, openBrowser, terminal, signal, isSandbox, passMs } = stage;

  let tokenRequests = 0;
  const send = fetchTransport();
  const http = (request) => {
    if (request.url.endsWith('/token')) tokenRequests += 1;
    return send(request);
  };
  const plugins = createPluginHost({
    host: createNodeHost({ store: memoryStore(), openBrowser, http }),
    integrations,
    // A program of your own has `providers: { aps }` here: it has no sandbox to go to.
    providers: { aps: (options) => aps({ ...options, ...environment }) },
    secret: (name) => (isSandbox ? 'any' : settings[name]),
  });

  // What this program lends its plug-ins. It takes a command back when its plug-in goes.
  const commands = new Map();
  const app = {
    addCommand(name, run, gone) {
      commands.set(name, run);
      gone.addEventListener('abort', () => commands.delete(name));
    },
  };
  const run = (...names) => Promise.all(names.map((name) => commands.get(name)()));
  const show = (results) => {
    for (const { headings, rows } of results) terminal.table(headings, rows);
    terminal.print('');
  };

  try {
    const login = plugins.login('aps-integration-1');
    let shown = '';
    login.onStatus((status) => {
      const label = LABELS[status.name](status);
      if (label !== shown) terminal.step('Button', label);
      shown = label;
    });
    await plugins.activate(hubBrowser(app));
    const counter = await plugins.activate(folderCounter(app));
    terminal.step('Running', 'hub-browser 1.0.0 and folder-counter 1.0.0, on one integration');

    await login.signIn({ signal }); // A click on the button.
    show(await run('list hubs', 'count folders'));

    if (isSandbox) {
      const before = tokenRequests;
      passMs(3_600_000);
      terminal.step('An hour on', 'the token has run out, and both plug-ins find out at once');
      await run('list hubs', 'count folders');
      terminal.step('Renewals', `${tokenRequests - before}, which both of them share`);
    }

    await counter.replace(folderCounterNext(app));
    terminal.step('Replaced', `folder-counter is ${counter.version} now, and still signed in`);
    show(await run('count folders'));

    const stranger = { ...hubBrowser(app), name: 'cost-estimator' };
    await plugins.activate(stranger).catch((error) => {
      if (!isMortiseError(error) || error.code !== 'integration_not_assigned') throw error;
      terminal.step('Refused', `cost-estimator: ${error.message}. ${error.hint}`);
    });
  } finally {
    await plugins.close();
  }
});
