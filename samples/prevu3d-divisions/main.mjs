// The divisions of an organization: as the user who signs in, or with --service as the app itself.
import { createSession, memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { prevu3d } from 'mortise/providers/prevu3d';
import { play, setting } from '../stage/play.mjs';

const isService = process.argv.includes('--service');
const clientId = setting('PREVU3D_CLIENT_ID');
const clientSecret = setting('PREVU3D_CLIENT_SECRET');
const installation = setting('PREVU3D_ENVIRONMENT');
const needs = {
  PREVU3D_CLIENT_ID: clientId,
  ...(isService && { PREVU3D_CLIENT_SECRET: clientSecret }),
};

await play(
  { platform: 'prevu3d', needs, flags: ['service'] },
  async ({ environment, openBrowser, watch, terminal, signal }) => {
    const app = { clientId: clientId ?? 'any', environment: environment ?? installation };
    const provider = isService
      ? prevu3d({ ...app, grant: 'client_credentials', clientSecret: clientSecret ?? 'any' })
      : prevu3d({ ...app, scopes: ['read:basic', 'read:hierarchy'] });
    const host = createNodeHost({ store: memoryStore(), openBrowser });
    const session = createSession({ host, provider });
    try {
      watch(session);
      // A service needs no sign-in: it gets its token with the first call.
      if (!isService) await session.signIn({ signal });
      const { organization, user } = await session.api.getApiInfo({ signal });
      terminal.step(isService ? 'Service' : 'Signed in', `${user?.firstName} ${user?.lastName}`);
      terminal.step('Organization', organization.name ?? organization.id);

      const divisions = await session.api.browse(organization.id, { signal });
      terminal.table(
        ['Division', 'ID'],
        divisions.map(({ id, name }) => [name, id]),
      );
    } finally {
      await session.close();
    }
  },
);
