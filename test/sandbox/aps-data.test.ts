import { HOST, HUBS, openModels, serviceToken, start } from './aps-client.js';

describe('Data Management', () => {
  test('hubs: two accounts in two regions, and a team', async () => {
    const client = start();
    const { access_token } = await client.signIn();
    const { json } = await client.get(HUBS, access_token);
    expect(Object.keys(json)).toEqual(['jsonapi', 'links', 'data']);
    expect(json).toMatchObject({ jsonapi: { version: '1.0' }, links: { self: { href: HUBS } } });
    const seen = json.data.map(({ type, id, attributes }: any) => [
      type,
      /^[ab]\./.exec(id)?.[0],
      attributes.region,
      attributes.extension.type,
    ]);
    expect(seen).toEqual([
      ['hubs', 'b.', 'US', 'hubs:autodesk.bim360:Account'],
      ['hubs', 'b.', 'EMEA', 'hubs:autodesk.bim360:Account'],
      ['hubs', 'a.', 'US', 'hubs:autodesk.core:Hub'],
    ]);
  });

  test('ids have the platform’s shapes', async () => {
    const { hub, project, top, list, url } = await openModels(start());
    const uuid = /^b\.[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
    expect(hub.id).toMatch(uuid);
    expect(project.id).toMatch(uuid);
    expect(top.id).toMatch(/^urn:adsk\.wipprod:fs\.folder:co\.[\w-]{22}$/);
    const item = (await list(url)).data.at(-1);
    expect(item.id).toMatch(/^urn:adsk\.wipprod:dm\.lineage:[\w-]{22}$/);
    expect(item.relationships.tip.data.id).toMatch(
      /^urn:adsk\.wipprod:fs\.file:vf\..+\?version=1$/,
    );
  });

  test('every project of every hub can be walked to its files', async () => {
    const client = start();
    const { access_token } = await client.signIn();
    const list = async (url: string) => (await client.get(url, access_token)).json.data as any[];
    const names: string[] = [];
    async function enter(folders: any[]) {
      for (const { type, attributes, relationships } of folders) {
        names.push(attributes.displayName);
        if (type === 'folders') await enter(await list(relationships.contents.links.related.href));
      }
    }
    for (const hub of await list(HUBS)) {
      for (const project of await list(hub.relationships.projects.links.related.href)) {
        await enter(await list(project.relationships.topFolders.links.related.href));
      }
    }
    expect(names).toEqual(
      expect.arrayContaining(['Deck segment 23.rvt', 'Portal.ifc', 'Hinge.f3d']),
    );
  });

  test('an item has a displayName and no name; its tip version is included', async () => {
    const { list, url, models } = await openModels(start());
    const { data, included } = await list(url);
    const items = data.filter(({ type }: any) => type === 'items');
    expect(items).toHaveLength(23);
    expect(items[0].attributes).toMatchObject({ displayName: 'Deck segment 01.rvt' });
    expect(items[0].attributes).not.toHaveProperty('name');
    expect(items[0].relationships.parent.data.id).toBe(models.id);
    const tips = items.map(({ relationships }: any) => relationships.tip.data.id);
    expect(included.map(({ id }: any) => id)).toEqual(tips);
  });

  test('without page[limit] there is one page', async () => {
    const { list, url } = await openModels(start());
    const { data, links } = await list(url);
    expect(data).toHaveLength(25);
    expect(links).toEqual({ self: { href: url } });
  });

  test('the next link is relative and percent-encoded, and absent on the last page', async () => {
    const { list, url } = await openModels(start());
    const seen: string[] = [];
    const sizes: number[] = [];
    let href: string | undefined = `${url}?page[limit]=10&filter[type]=items`;
    while (href !== undefined) {
      const { data, links, included = [] }: any = await list(new URL(href, HOST).href);
      seen.push(...data.map(({ id }: any) => id));
      sizes.push(data.length);
      expect(included.length).toBe(data.filter(({ type }: any) => type === 'items').length);
      href = links.next?.href;
      if (href !== undefined) expect(href).toMatch(/^\/data\/v1\/.*&?page%5Bnumber%5D=[12](&|$)/);
    }
    expect(sizes).toEqual([10, 10, 5]);
    expect(new Set(seen).size).toBe(25);
  });

  test.each<[string, number, number | undefined]>([
    ['page[number]=0&page[limit]=1', 200, 1],
    ['page[number]=24&page[limit]=1', 200, 1],
    ['page[number]=25&page[limit]=1', 200, 0],
    ['page%5Bnumber%5D=2&page%5Blimit%5D=10', 200, 5],
    ['page[limit]=200', 200, 25],
    ['page[limit]=0', 400, undefined],
    ['page[limit]=201', 400, undefined],
    ['page[limit]=ten', 400, undefined],
    ['page[number]=-1', 400, undefined],
  ])('%s is answered with status %i', async (query, status, count) => {
    const client = start();
    const { url, token } = await openModels(client);
    const answer = await client.get(`${url}?${query}`, token);
    expect([answer.status, answer.json.data?.length]).toEqual([status, count]);
    if (status === 400) expect(answer.json).toHaveProperty('developerMessage');
  });

  test.each(['page[limit]=25', 'page[limit]=5&page[number]=4'])(
    '%s ends with the last entry, and names no next page',
    async (query) => {
      const { list, url } = await openModels(start());
      expect((await list(`${url}?${query}`)).links).not.toHaveProperty('next');
    },
  );

  test('a colon in an id may be encoded or not', async () => {
    const client = start();
    const { url, token } = await openModels(client);
    expect(url).toContain('urn%3Aadsk');
    expect((await client.get(url.replaceAll('%3A', ':'), token)).status).toBe(200);
  });

  test.each([
    '/project/v1/hubs/b.unknown/projects',
    '/project/v1/hubs/b.unknown/projects/{project}/topFolders',
    '/project/v1/hubs/{hub}/projects/b.unknown/topFolders',
    '/project/v1/hubs/{project}/projects',
    '/data/v1/projects/b.unknown/folders/{folder}/contents',
    '/data/v1/projects/{project}/folders/urn:unknown/contents',
    '/data/v1/projects/{project}/folders/%ZZ/contents',
  ])('%s is not found', async (path) => {
    const client = start();
    const { hub, project, models, token } = await openModels(client);
    const url = path
      .replace('{hub}', hub.id)
      .replace('{project}', project.id)
      .replace('{folder}', models.id);
    const answer = await client.get(HOST + url, token);
    expect(answer.status).toBe(404);
    expect(answer.json).toHaveProperty('developerMessage');
  });

  test('a folder is found in its own project only', async () => {
    const client = start();
    const { list, hub, project, url, token } = await openModels(client);
    const projects = (await list(hub.relationships.projects.links.related.href)).data;
    const other = projects.find(({ id }: any) => id !== project.id);
    expect((await client.get(url.replace(project.id, other.id), token)).status).toBe(404);
  });

  test('without data:read the answer is 403, and not JSON', async () => {
    const client = start();
    const { access_token } = await client.signIn({ scopes: ['data:write'] });
    const answer = await client.get(HUBS, access_token);
    expect([answer.status, answer.header('content-type'), answer.text]).toEqual([
      403,
      'text/plain',
      'Token does not have the privilege for this request.',
    ]);
  });

  test('a token that is not good is answered with 401 and no body', async () => {
    let now = 0;
    const client = start({ nowMs: () => now });
    const { access_token, refresh_token } = await client.signIn();
    now = 3_598_999;
    expect((await client.get(HUBS, access_token)).status).toBe(200);
    now += 1;
    for (const token of [access_token, refresh_token, 'nonsense', undefined]) {
      const answer = await client.get(HUBS, token);
      expect([answer.status, answer.text]).toEqual([401, '']);
      expect(answer.header('x-ads-troubleshooting')).toContain('Token Expired');
    }
  });

  test('an application may act for a user', async () => {
    const client = start();
    const authorization = `Bearer ${await serviceToken(client)}`;
    const headers = { authorization, 'x-user-id': 'SANDBOXUSER1' };
    const answer = await client.send('GET', HUBS, headers);
    expect([answer.status, answer.json.data.length]).toEqual([200, 3]);
  });
});
