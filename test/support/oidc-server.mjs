// A certified OpenID provider that nobody here wrote, as a program of its own: it is an ES module, has
// warnings to print, and must not share a process with what is tested against it.
//
// Prints one line of JSON: `issuer` and `other`, two servers that know the same `clients` and nothing of
// each other. $ISSUER is where the first one is reached when that is not its own `address`. Below
// `/of-the-test/` of an address are things no client could ask for. Ends with its standard input, so that it
// outlives nobody.
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

/** Asks for codes that its user answers on another device, and for nothing else (RFC 8628). */
const deviceClient = (client_id) => ({
  ...nativeClient(client_id),
  redirect_uris: [],
  response_types: [],
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
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
  device: deviceClient('device'),
  /** Its device codes live for a second. */
  shortDevice: deviceClient('short-device'),
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
    deviceFlow: { enabled: true },
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
    DeviceCode: (_, code) => (code.clientId === clients.shortDevice.client_id ? 1 : 600),
    Grant: HOUR_S,
    IdToken: HOUR_S,
    Interaction: HOUR_S,
    RefreshToken: HOUR_S,
    Session: HOUR_S,
  },
  cookies: { keys: ['not a secret: these servers know nobody'] },
};

async function start(publicIssuer) {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const address = `http://127.0.0.1:${server.address().port}`;
  const issuer = publicIssuer ?? address;
  const provider = new Provider(issuer, configuration);
  const answer = provider.callback();

  const accessTokens = new Set();
  const refreshes = { granted: 0, refused: 0 };
  const isRefresh = ({ oidc }) => oidc.params?.grant_type === 'refresh_token';
  provider.on('access_token.saved', (token) => accessTokens.add(token));
  provider.on('grant.success', (context) => (refreshes.granted += isRefresh(context) ? 1 : 0));
  provider.on('grant.error', (context) => (refreshes.refused += isRefresh(context) ? 1 : 0));

  const ofTheTest = {
    refreshes: () => refreshes,
    /** Every access token that is out is refused from now on. */
    async expire() {
      for (const token of accessTokens) await token.destroy();
      accessTokens.clear();
      return {};
    },
  };
  server.keepAliveTimeout = 600_000;
  server.on('request', async (request, response) => {
    const name = /^\/of-the-test\/(\w+)$/.exec(request.url)?.[1];
    if (name) response.end(JSON.stringify(await ofTheTest[name]()));
    else answer(request, response);
  });
  return { issuer, address };
}

process.stdin.resume().on('end', () => process.exit());
const [first, other] = [await start(process.env.ISSUER), await start()];
console.log(JSON.stringify({ ...first, other: other.issuer, clients }));
