/** A plug-in that lists hubs. Of the integration it knows the name, and that its platform is APS. */
export const hubBrowser = (app) => ({
  name: 'hub-browser',
  version: '1.0.0',
  integrations: ['aps-integration-1'],
  activate({ integration, signal }) {
    const { api } = integration('aps-integration-1');
    const listHubs = async () => {
      const hubs = await api.hubs({ signal });
      const rows = hubs.map(({ attributes }) => [attributes?.name, attributes?.region]);
      return { headings: ['Hub', 'Region'], rows };
    };
    app.addCommand('list hubs', listHubs, signal);
  },
});
