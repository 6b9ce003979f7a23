// The projects of whoever signs in, over all pages.
import { createSession, memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { speckle } from 'mortise/providers/speckle';
import { play, setting } from '../stage/play.mjs';

const appId = setting('SPECKLE_APP_ID');
const appSecret = setting('SPECKLE_APP_SECRET');
const serverUrl = setting('SPECKLE_SERVER_URL');
const redirectUri = setting('SPECKLE_REDIRECT_URI') ?? 'http://localhost:47824/callback';
const cast = { platform: 'speckle', needs: { SPECKLE_APP_ID: appId }, redirectUris: [redirectUri] };

await play(cast, async ({ environment, openBrowser, watch, terminal, signal }) => {
  const session = createSession({
    host: createNodeHost({ store: memoryStore(), openBrowser }),
    provider: speckle({ appId: appId ?? 'any', appSecret, redirectUri, serverUrl, ...environment }),
  });
  try {
    watch(session);
    await session.signIn({ signal });
    const user = await session.api.activeUser({ signal });
    terminal.step('Signed in', user?.name ?? 'the app may not read the profile');

    const rows = [];
    for await (const project of session.api.projects({ limit: 50, signal })) {
      const { name, role, updatedAt, id } = project;
      rows.push([name, role?.replace('stream:', ''), updatedAt?.slice(0, 10), id]);
      terminal.wait(`reading, ${rows.length} so far`);
    }
    terminal.stopWaiting();
    terminal.table(['Project', 'Role', 'Updated', 'ID'], rows);
  } finally {
    await session.close();
  }
});
