import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { isMortiseError, type Host, type Provider } from 'mortise';
import type { Reply } from '../../api/support/scripted-http.js';
import { json } from './fake-host.js';

/** What a token endpoint issues, before it is put into a platform's words. */
export interface Issued {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
}

/**
 * What a platform's server has of its own. A provider that is not in {@link SERVERS} is taken for one that
 * departs from the RFCs in nothing but what its dialect says.
 */
interface Server {
  /** Where a provider has several. */
  readonly name?: string;
  readonly options?: object;
  /** Which of the ways there are; default all that the provider takes. */
  readonly modes?: readonly Mode[];
  /** What it tells without a token, by method and address. */
  readonly documents?: Readonly<Record<string, Reply>>;
  /** Token endpoints and places to revoke beside those of the metadata. */
  readonly tokenUrls?: readonly string[];
  readonly revocationUrls?: readonly string[];
  /** Which hosts may see an access token. */
  readonly apiHosts?: readonly string[];
  /** What its API answers to requests that others depend on. */
  readonly api?: Readonly<Record<string, Reply>>;
  /** A token answer as its documents print it. */
  readonly tokens?: (issued: Issued, mode: Mode) => object;
  /** Which departures from RFC 6749 a token answer may use; default those the dialect declares. */
  readonly departures?: readonly Departure[];
  /** How it says that a code or a refresh token is good no more: all of its ways. */
  readonly spent?: (step: 'exchange' | 'refresh') => readonly Reply[];
  /** Which of the ways can be renewed; default all. */
  readonly renewing?: readonly Mode[];
}

const MODES = ['public', 'confidential', 'service'] as const;
export type Mode = (typeof MODES)[number];
export type Departure = 'no token_type' | 'camelCase' | 'token and refreshToken';

const SERVER = 'https://server.example';
const OPENID = {
  issuer: SERVER,
  authorization_endpoint: `${SERVER}/authorize`,
  token_endpoint: `${SERVER}/token`,
  revocation_endpoint: `${SERVER}/revoke`,
  userinfo_endpoint: `${SERVER}/userinfo`,
};
const VERSIONS = [
  { api_id: 'foundation', version_id: '1.1', api_base_url: `${SERVER}/foundation/1.1` },
  { api_id: 'bcf', version_id: '3.0', api_base_url: `${SERVER}/bcf/3.0` },
];
const AUTH = {
  oauth2_auth_url: `${SERVER}/oauth/authorize`,
  oauth2_token_url: `${SERVER}/oauth/token`,
  supported_oauth2_flows: ['authorization_code_grant'],
};

export const rfc6749 = ({ accessToken, refreshToken, expiresIn }: Issued): object => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'Bearer',
  expires_in: expiresIn,
});

/** Whether a platform says how long a token is good. */
export const tellsLifetime = ({ tokens }: Way): boolean =>
  /expires/i.test(JSON.stringify(tokens({ accessToken: '', refreshToken: '', expiresIn: 1 })));

export const INVALID_GRANT: Reply = json({ error: 'invalid_grant' }, 400);

const SPECKLE: Server = {
  tokenUrls: [`${SERVER}/auth/token`],
  revocationUrls: [`${SERVER}/auth/logout`],
  tokens: ({ accessToken, refreshToken }) => ({ token: accessToken, refreshToken }),
  departures: ['no token_type', 'token and refreshToken'],
  spent: (step) =>
    (step === 'exchange'
      ? ['Access code not found.', 'Access code expired', 'Code challenge mismatch. Ensure it.']
      : ['Invalid request', 'Refresh token expired', 'Invalid token']
    ).map((err) => json({ err }, 401)),
};

/** By the provider's file. Only what differs from the RFCs is said. */
const SERVERS: Readonly<Record<string, readonly Server[]>> = {
  prevu3d: [
    {
      apiHosts: ['cloud-api.prevu3d.com', 'api-ue1.prevu3d.com'],
      api: {
        'GET https://cloud-api.prevu3d.com/oauth/api-info': json({
          organization: { id: 'an-organization' },
          apiUrl: 'https://api-ue1.prevu3d.com/realityconnect-api',
        }),
      },
      tokens: ({ accessToken, refreshToken, expiresIn }, mode) =>
        mode === 'service'
          ? { hasError: false, expiresIn, accessToken }
          : {
              hasError: false,
              expires_in: expiresIn,
              access_token: accessToken,
              refresh_token: refreshToken,
            },
      departures: ['no token_type', 'camelCase'],
    },
  ],
  speckle: [
    {
      ...SPECKLE,
      name: 'the newer exchange',
      documents: { [`GET ${SERVER}/oauth/token`]: { body: 'supported' } },
      renewing: ['confidential'],
    },
    {
      ...SPECKLE,
      name: 'the older exchange',
      modes: ['confidential'],
      documents: { [`GET ${SERVER}/oauth/token`]: { status: 404 } },
    },
  ],
  aps: [
    {
      apiHosts: ['developer.api.autodesk.com', 'api.userprofile.autodesk.com'],
      departures: [],
    },
  ],
  opencde: [
    {
      documents: {
        [`GET ${SERVER}/foundation/versions`]: json({ versions: VERSIONS }),
        [`GET ${SERVER}/foundation/1.1/auth`]: json(AUTH),
      },
      departures: [],
    },
  ],
  oauth: [
    {
      name: 'a server that describes itself',
      options: { apiBaseUrl: `${SERVER}/api` },
      documents: { [`GET ${SERVER}/.well-known/openid-configuration`]: json(OPENID) },
      departures: [],
    },
    {
      name: 'a server that is described',
      options: {
        authorizationEndpoint: OPENID.authorization_endpoint,
        tokenEndpoint: OPENID.token_endpoint,
        apiBaseUrl: `${SERVER}/api`,
      },
      departures: [],
    },
  ],
};

/** What the providers' options are called, whichever of them a provider takes. */
const OPTIONS = {
  clientId: 'the-client',
  appId: 'the-client',
  scopes: ['a', 'b'],
  issuer: SERVER,
  serverUrl: SERVER,
  managerUrl: SERVER,
  redirectUri: 'http://localhost:7000/callback',
  redirectUris: ['http://localhost:7000/callback'],
};
const optionsOf = (mode: Mode, clientSecret: string): object =>
  ({
    public: OPTIONS,
    confidential: { ...OPTIONS, clientSecret, appSecret: clientSecret },
    service: { ...OPTIONS, grant: 'client_credentials', clientSecret },
  })[mode];

const folder = resolve(__dirname, '../../../src/providers');

/** Every provider is a file in this folder; there is no list to edit. */
export const files: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => basename(name, '.ts'));

function factoryOf(file: string): (options: object) => Provider {
  const name = file.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return (require(resolve(folder, file)) as Record<string, (options: object) => Provider>)[name]!;
}

/** One way to sign in at one platform. */
export interface Way {
  readonly name: string;
  readonly file: string;
  readonly mode: Mode;
  readonly client: Host['client'];
  create(clientSecret?: string): Provider;
  readonly documents: Readonly<Record<string, Reply>>;
  readonly tokenUrls: readonly string[];
  readonly revocationUrls: readonly string[];
  /** `null` for those that share two labels with the token endpoint's. */
  readonly apiHosts: readonly string[] | null;
  readonly api: Readonly<Record<string, Reply>>;
  readonly tokens: (issued: Issued) => object;
  readonly departures: readonly Departure[];
  readonly spent: (step: 'exchange' | 'refresh') => readonly Reply[];
  readonly isRenewable: boolean;
}

function wayOf(file: string, server: Server, mode: Mode): Way | null {
  const create = (clientSecret = 'a-client-secret') =>
    factoryOf(file)({ ...optionsOf(mode, clientSecret), ...server.options });
  let provider: Provider;
  try {
    provider = create();
  } catch (error) {
    if (isMortiseError(error) && error.code === 'configuration_error') return null;
    throw error;
  }
  // One that takes no secret, or has no such grant, was made for nobody's way but the public one.
  const isMade =
    (mode === 'service') === (provider.grant === 'client_credentials') &&
    (mode === 'public') === (provider.clientSecret === undefined);
  if (!isMade || (server.modes && !server.modes.includes(mode))) return null;
  const { tokens } = server;
  return {
    name: [file, mode, ...(server.name ? [server.name] : [])].join(', '),
    file,
    mode,
    client: mode === 'public' ? 'public' : 'confidential',
    create,
    documents: server.documents ?? {},
    tokenUrls: server.tokenUrls ?? [],
    revocationUrls: server.revocationUrls ?? [],
    apiHosts: server.apiHosts ?? null,
    api: server.api ?? {},
    tokens: (issued) => (tokens ?? rfc6749)(issued, mode),
    departures: server.departures ?? declared(provider),
    spent: server.spent ?? (() => [INVALID_GRANT]),
    isRenewable: server.renewing?.includes(mode) ?? true,
  };
}

const declared = ({ dialect: { tokenType, tokenNames } }: Provider): Departure[] => [
  ...(tokenType === 'optional' ? (['no token_type'] as const) : []),
  ...(tokenNames?.accessToken === 'accessToken' ? (['camelCase'] as const) : []),
];

/** Every way to sign in at every platform. */
export const WAYS: readonly Way[] = files.flatMap((file) =>
  (SERVERS[file] ?? [{}]).flatMap((server) =>
    MODES.flatMap((mode) => wayOf(file, server, mode) ?? []),
  ),
);

/** For `describe.each`. */
export const EVERY_WAY = WAYS.map((way) => [way.name, way] as const);
