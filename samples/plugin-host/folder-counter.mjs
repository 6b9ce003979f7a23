/** A plug-in that counts the folders at the top of every project. */
export const folderCounter = counter('1.0.0', ['Folders'], async (_, __, folders) => [
  folders.length,
]);

/** Its next version looks into them, too. */
export const folderCounterNext = counter(
  '1.1.0',
  ['Folders', 'Entries in them'],
  async (api, project, folders) => {
    const contents = await Promise.all(
      folders.map((folder) => api.folderContents(project.id, folder.id)),
    );
    return [folders.length, contents.flat().length];
  },
);

function counter(version, headings, count) {
  return (app) => ({
    name: 'folder-counter',
    version,
    integrations: ['aps-integration-1'],
    activate({ integration, signal }) {
      const { api } = integration('aps-integration-1');
      const countAll = async () => {
        const rows = [];
        for await (const hub of api.hubs({ signal })) {
          for await (const project of api.projects(hub.id, { signal })) {
            const folders = await api.topFolders(hub.id, project.id, { signal });
            rows.push([project.attributes?.name, ...(await count(api, project, folders))]);
          }
        }
        return { headings: ['Project', ...headings], rows };
      };
      app.addCommand('count folders', countAll, signal);
    },
  });
}
