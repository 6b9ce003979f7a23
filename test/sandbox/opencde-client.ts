import { createSandbox, type FaultSwitch } from 'mortise/sandbox';
import { createClient, type Addresses } from './sandbox-client.js';

export const SERVER = 'https://cde.example';
export const PROJECT = 'f445f4f2-4d02-4b2a-b612-5e456bef9137';
export const TOPICS = `${SERVER}/bcf/3.0/projects/${PROJECT}/topics`;

export const OPENCDE: Addresses = {
  authorize: `${SERVER}/oauth2/authorize`,
  token: `${SERVER}/oauth2/token`,
  redirectUri: 'http://127.0.0.1:49152/callback',
  parameters: {},
};

export type Client = ReturnType<typeof createClient>;

export function start(...faults: FaultSwitch[]): Client {
  return createClient(createSandbox({ provider: 'opencde', faults }), OPENCDE);
}

/** An answer that needs a user, with a token that is good. */
export async function read(client: Client, url: string) {
  return client.get(url, (await client.signIn()).access_token);
}
