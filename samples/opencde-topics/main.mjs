// The BCF topics that are not closed, project by project, from any OpenCDE server.
import { createSession, memoryStore } from 'mortise';
import { createNodeHost } from 'mortise/node';
import { opencde } from 'mortise/providers/opencde';
import { play, setting } from '../stage/play.mjs';

const serverUrl = setting('OPENCDE_SERVER_URL');
const clientId = setting('OPENCDE_CLIENT_ID');
const clientSecret = setting('OPENCDE_CLIENT_SECRET');
const scopes = setting('OPENCDE_SCOPES')?.split(' ');
const redirectUris = setting('OPENCDE_REDIRECT_URI')?.split(' ') ?? [
  'http://localhost:47825/callback',
  'http://localhost:47826/callback',
];
const needs = { OPENCDE_SERVER_URL: serverUrl, OPENCDE_CLIENT_ID: clientId };

await play(
  { platform: 'opencde', needs, redirectUris },
  async ({ environment, openBrowser, watch, terminal, signal }) => {
    const session = createSession({
      host: createNodeHost({ store: memoryStore(), openBrowser }),
      provider: opencde({
        serverUrl,
        clientId: clientId ?? 'any',
        clientSecret,
        scopes,
        redirectUris,
        ...environment,
      }),
    });
    try {
      watch(session);
      // Before anybody signs in: what the server has.
      const versions = await session.api.versions();
      const names = versions.map(({ api_id, version_id }) => `${api_id} ${version_id}`);
      terminal.step('Server', names.join(', '));

      await session.signIn({ signal });
      const { name, id } = await session.api.currentUser({ signal });
      terminal.step('Signed in', name ?? id);

      for await (const project of session.api.projects({ signal })) {
        const topics = await session.api.topics(project.project_id, { signal });
        const open = topics.filter(({ topic_status }) => topic_status !== 'Closed');
        terminal.table(
          ['Topic', 'Type', 'Status', 'Priority'],
          open.map((topic) => [topic.title, topic.topic_type, topic.topic_status, topic.priority]),
          `${project.name}: ${open.length} of ${topics.length} topics are not closed`,
        );
      }
    } finally {
      await session.close();
    }
  },
);
