// The hubs that whoever signs in may see, as a table: the example of VIKTOR's page on this platform.
import { createSession, memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { aps } from 'mortise/providers/aps';
import { play, setting } from '../stage/play.mjs';

const clientId = setting('APS_CLIENT_ID');
const clientSecret = setting('APS_CLIENT_SECRET');
const redirectUris = setting('APS_CALLBACK_URL')?.split(' ') ?? [
  'http://localhost:47821/callback',
  'http://localhost:47822/callback',
  'http://localhost:47823/callback',
];
const cast = { platform: 'aps', needs: { APS_CLIENT_ID: clientId }, redirectUris };

await play(cast, async ({ environment, openBrowser, watch, terminal, signal }) => {
  const session = createSession({
    host: createNodeHost({ store: memoryStore(), openBrowser }),
    provider: aps({
      clientId: clientId ?? 'any',
      clientSecret,
      scopes: ['data:read'],
      redirectUris,
      ...environment,
    }),
  });
  try {
    watch(session);
    await session.signIn({ signal });
    terminal.step('Signed in', session.state.scopes.join(' '));

    // A region that may not be read is a warning, and the other regions' hubs come all the same.
    const onWarning = ({ Title, Detail }) => terminal.step('Warning', `${Title}: ${Detail}`);
    const hubs = await session.api.hubs({ signal, onWarning });
    terminal.table(
      ['Hub name', 'ID'],
      hubs.map(({ id, attributes }) => [attributes?.name, id]),
    );
  } finally {
    await session.close();
  }
});
