import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { inspect } from 'node:util';
import { isMortiseError, type ApiSend, type Provider, type ServerMetadata } from 'mortise';

/** Every provider is a file in this folder; there is no list to edit. */
const folder = resolve(__dirname, '../../src/providers');
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => basename(name, '.ts'));

type Factory = (options: object) => Provider;
const load = (file: string) => require(resolve(folder, file)) as Readonly<Record<string, unknown>>;
const factoryName = (file: string) =>
  file.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const factoryOf = (file: string) => load(file)[factoryName(file)] as Factory;

/** What the providers' options are called, whichever of them a provider takes. */
const PUBLIC = {
  clientId: 'the-client',
  appId: 'the-client',
  scopes: ['a'],
  issuer: 'https://server.example',
  serverUrl: 'https://server.example',
  managerUrl: 'https://server.example',
  redirectUri: 'http://localhost:7000/callback',
  redirectUris: ['http://localhost:7000/callback'],
};
const SECRET = 'SECRET-of-the-client';
const CONFIDENTIAL = {
  ...PUBLIC,
  grant: 'client_credentials',
  clientSecret: SECRET,
  appSecret: SECRET,
};
const INSECURE = {
  ...CONFIDENTIAL,
  issuer: 'http://server.example',
  serverUrl: 'http://server.example',
  managerUrl: 'http://server.example',
  baseUrl: 'http://server.example',
  apiBaseUrl: 'http://server.example',
  environment: {
    authorizationEndpoint: 'http://server.example/authorize',
    tokenEndpoint: 'http://server.example/token',
    apiInfoEndpoint: 'http://server.example/info',
    apiHosts: ['server.example'],
  },
};

/** `null` where the platform has no such client, a secret being all that stands in the way. */
function providerFor(file: string, options: object): Provider | null {
  try {
    return factoryOf(file)(options);
  } catch (error) {
    expect(error).toMatchObject({
      name: 'MortiseError',
      code: 'configuration_error',
      message: expect.stringMatching(/clientSecret is (missing|given)/),
    });
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(SECRET);
    return null;
  }
}

const usualOf = (file: string) => (providerFor(file, PUBLIC) ? PUBLIC : CONFIDENTIAL);

const isSafe = (address: string) => {
  const { protocol, hostname, username, password, hash } = new URL(address);
  const isLocal = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname);
  return (protocol === 'https:' || isLocal) && username + password + hash === '';
};

const nobody = () => Promise.reject(new Error('nobody asks here'));
const NOBODY = {
  metadata: nobody,
  readDocument: nobody,
  secrets: () => [],
  askIdentity: () => () => {},
};

/** Every address a provider is known to use, without a request. */
async function addressesOf({ metadata, api, server }: Provider): Promise<string[]> {
  const found = [server];
  if (typeof metadata === 'function') {
    // Where it would ask; what it makes of the answer is its own test's business.
    const readDocument = async (url: string) => {
      found.push(url);
      return { status: 404, text: '', json: undefined };
    };
    await Promise.resolve(metadata(readDocument)).catch((error: unknown) => {
      if (!isMortiseError(error)) throw error;
    });
  } else {
    found.push(...endpointsOf(metadata));
  }
  const send: ApiSend = () => Promise.reject(new Error('nothing is sent here'));
  const connect = (base: string | (() => Promise<string>)) => {
    if (typeof base === 'string') found.push(base);
    return send;
  };
  api({ connect, ...NOBODY });
  return found;
}

const endpointsOf = (metadata: ServerMetadata): string[] =>
  Object.entries(metadata).flatMap(([name, value]) =>
    /Endpoint$/.test(name) && value ? [value] : [],
  );

test('there are providers', () => {
  expect(files).toEqual(expect.arrayContaining(['oauth', 'prevu3d']));
});

describe.each(files)('%s', (file) => {
  test('exports one factory, with the file’s name, and nothing else', () => {
    expect(file).toMatch(/^[a-z][a-z\d]*(-[a-z\d]+)*$/);
    expect(Object.keys(load(file))).toEqual([factoryName(file)]);
    expect(factoryOf(file)).toHaveLength(1);
  });

  test.each([
    ['a public client', PUBLIC],
    ['a confidential client', CONFIDENTIAL],
  ])('makes a provider for %s', (_, options) => {
    const provider = providerFor(file, options);
    if (!provider) return expect(options).not.toBe(usualOf(file));
    expect(provider.id).toBe(file);
    expect(provider.clientId).toBe('the-client');
    expect(provider.grant).toMatch(/^(authorization_code|client_credentials)$/);
    expect(provider.scopes.every((scope) => typeof scope === 'string')).toBe(true);
    return expect(provider.clientSecret?.()).toBe(options === PUBLIC ? undefined : SECRET);
  });

  test('gives out tokens over https, or on this machine', async () => {
    for (const options of [PUBLIC, CONFIDENTIAL]) {
      const provider = providerFor(file, options);
      if (!provider) continue;
      const addresses = await addressesOf(provider);
      expect(addresses.length).toBeGreaterThan(1);
      expect(addresses.filter((address) => !isSafe(address))).toEqual([]);
    }
  });

  test('cannot be talked into http', async () => {
    const { grant, clientSecret, appSecret, ...withoutSecret } = INSECURE;
    for (const options of [INSECURE, withoutSecret]) {
      let provider: Provider;
      try {
        provider = factoryOf(file)(options);
      } catch (error) {
        expect(error).toMatchObject({ name: 'MortiseError', code: 'configuration_error' });
        continue;
      }
      const addresses = await addressesOf(provider);
      expect(addresses.filter((address) => !isSafe(address))).toEqual([]);
    }
  });

  test('lets the user’s answer land on this machine, or where its author says', () => {
    const { redirect } = factoryOf(file)(usualOf(file));
    if ('loopback' in redirect) {
      expect(redirect.loopback).toMatch(/^(localhost|127\.0\.0\.1)$/);
      expect(redirect.path).toMatch(/^(\/.*)?$/);
    } else {
      expect(redirect).toEqual([...PUBLIC.redirectUris]);
    }
  });

  test('always has api.request', () => {
    const send: ApiSend = () => Promise.reject(new Error('nothing is sent here'));
    const { api } = factoryOf(file)(usualOf(file));
    expect(api({ connect: () => send, ...NOBODY }).request).toBe(send);
  });

  test('shows no client secret, however it is printed', () => {
    // Where there is no secret, making it has been refused without a word of it.
    const provider = providerFor(file, CONFIDENTIAL) ?? factoryOf(file)(PUBLIC);
    const printed = [
      inspect(provider, { depth: 20, showHidden: true, getters: true }),
      JSON.stringify(provider),
      String(provider),
      JSON.stringify(Object.entries(provider).map(String)),
    ];
    expect(printed.filter((text) => text.includes(SECRET))).toEqual([]);
  });

  test('without a client is a configuration_error', () => {
    const make = () => factoryOf(file)({ ...usualOf(file), clientId: '', appId: '' });
    expect(make).toThrow(expect.objectContaining({ code: 'configuration_error' }));
  });

  test('makes each provider anew', () => {
    const make = factoryOf(file);
    const options = usualOf(file);
    expect(make(options)).not.toBe(make(options));
  });
});
