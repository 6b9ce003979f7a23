// A certified OpenID provider that nobody here wrote, as a program of its own: it is an ES module, has
// warnings to print, and must not share a process with what is tested against it.
//
// Prints one line of JSON: `issuer` and `other`, two servers that know the same `clients` and nothing of
// each other. Ends with its standard input, so that it outlives nobody.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const HOUR_S = 3600;

/** On this machine, on any port (RFC 8252 section 7.3). */
const redirectUris = ['http://127.0.0.1/callback', 'http://localhost/callback'];

const nativeClient = (client_id) => ({
  client_id,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: redirectUris,
  scope: 'openid email offline_access', // the server knows more
});

const clients = {
  native: nativeClient('plug-in'),
  /** Its access tokens last 20 seconds. */
  shortLived: nativeClient('short-lived'),
  /** With every kind of character that goes wrong where it is encoded once too often, or not at all. */
  confidential: {
    ...nativeClient('hub: 100% + more'),
    client_secret: ':%+ &=?/#"~!\'()*%3A%20 secret',
    token_endpoint_auth_method: 'client_secret_basic',
  },
};

const configuration = {
  clients: Object.values(clients),
  clientDefaults: { grant_types: ['authorization_code', 'refresh_token'] },
  scopes: ['openid', 'offline_access'],
  claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: 'Ada Lovelace', email: `${sub}@people.example` }),
  }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    // Without a secret a client is known by its id alone, and may give back what is its own.
    revocation: {
      enabled: true,
      allowedPolicy: (_, client, token) => token.clientId === client.clientId,
    },
    introspection: { enabled: false },
    rpInitiatedLogout: { enabled: false },
  },
  ttl: {
    AccessToken: (_, token) => (token.clientId === clients.shortLived.client_id ? 20 : HOUR_S),
    AuthorizationCode: 60,
    Grant: HOUR_S,
    IdToken: HOUR_S,
    Interaction: HOUR_S,
    RefreshToken: HOUR_S,
    Session: HOUR_S,
  },
  cookies: { keys: ['not a secret: these servers know nobody'] },
};

async function start() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration).callback());
  return issuer;
}

process.stdin.resume().on('end', () => process.exit());
const [issuer, other] = [await start(), await start()];
console.log(JSON.stringify({ issuer, other, clients }));
