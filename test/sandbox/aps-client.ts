import { createSandbox, type FaultSwitch } from 'mortise/sandbox';
import { createClient, type Addresses, type Seen } from './sandbox-client.js';

export const HOST = 'https://developer.api.autodesk.com';
export const APS: Addresses = {
  authorize: `${HOST}/authentication/v2/authorize`,
  token: `${HOST}/authentication/v2/token`,
  redirectUri: 'http://localhost:8080/callback',
  parameters: { scope: 'data:read data:write' },
};
export const REVOKE = `${HOST}/authentication/v2/revoke`;
export const INTROSPECT = `${HOST}/authentication/v2/introspect`;
export const USERINFO = 'https://api.userprofile.autodesk.com/userinfo';
export const HUBS = `${HOST}/project/v1/hubs`;
export const METADATA = `${HOST}/.well-known/openid-configuration`;

export type Client = ReturnType<typeof createClient>;
type Options = Omit<Parameters<typeof createSandbox>[0], 'provider'>;

export const start = (options: Options = {}, at = APS) =>
  createClient(createSandbox({ provider: 'aps', ...options }), at);
export const faulty = (...faults: FaultSwitch[]) => start({ faults });

export const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });
export const SECRET = basic('plug-in:any secret');

/** A token of an application that signs in as itself. */
export const serviceToken = async (client: Client, scope = 'data:read'): Promise<string> => {
  const fields = { grant_type: 'client_credentials', scope };
  return (await client.post(APS.token, fields, SECRET)).json.access_token;
};

const OWN_SHAPE = ['developerMessage', 'userMessage', 'errorCode', 'more info'];
const RFC_SHAPE = ['error', 'error_description'];

/** Status and code, in whichever of the two shapes the error comes. */
export function refusalOf({ status, json }: Seen) {
  const members = Object.keys(json);
  expect([OWN_SHAPE, RFC_SHAPE]).toContainEqual(members);
  return [status, json.errorCode ?? json.error];
}

/** Signs in, then follows ids from the first hub down to the folder with many entries. */
export async function openModels(client: Client) {
  const { access_token } = await client.signIn();
  const list = async (url: string) => (await client.get(url, access_token)).json;
  const [hub] = (await list(HUBS)).data;
  const [project] = (await list(hub.relationships.projects.links.related.href)).data;
  const [top] = (await list(project.relationships.topFolders.links.related.href)).data;
  const contents = (id: string) =>
    `${HOST}/data/v1/projects/${project.id}/folders/${encodeURIComponent(id)}/contents`;
  const [models] = (await list(contents(top.id))).data;
  const url = contents(models.id);
  return { list, hub, project, top, models, url, token: access_token as string };
}
