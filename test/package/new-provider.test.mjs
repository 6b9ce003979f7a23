// A platform is one file: put into a copy of the sources, it is built, typed, tested and signed in with,
// and nothing else was touched.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root, run } from '../../.ci/process.mjs';

const copy = mkdtempSync(join(realpathSync(tmpdir()), 'mortise-provider-'));

/** What its guide prints. */
const [, acme] = /```ts\n([^]*?)```/.exec(
  readFileSync(join(root, 'src/providers/README.md'), 'utf8'),
);

/** One that shares nothing with the RFCs but the idea. */
const inlet = `
import { MortiseError } from '../errors.js';
import { checkRedirectUris } from '../oauth/endpoint.js';
import type { ApiSend, Provider } from '../oauth/provider.js';

/** @module Inlet, made up: JSON in place of forms, tickets in place of tokens, moments in place of lifetimes. */
export interface InletOptions {
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly redirectUris: readonly string[];
}

export function inlet(options: InletOptions): Provider<{ readonly request: ApiSend }> {
  const { clientId, clientSecret, redirectUris } = options;
  if (!clientId) throw new MortiseError('configuration_error', { problem: 'clientId is missing' });
  const tokenEndpoint = 'https://inlet.example/tickets';
  return {
    id: 'inlet',
    grant: 'authorization_code',
    clientId,
    ...(clientSecret !== undefined && { clientSecret: () => clientSecret }),
    scopes: [],
    redirect: checkRedirectUris(redirectUris),
    server: tokenEndpoint,
    metadata: { authorizationEndpoint: 'https://inlet.example/gate', tokenEndpoint },
    dialect: { state: 'not repeated', codeParameter: 'key', tokenType: 'optional' },
    protocol: {
      authorizationUrl: ({ codeChallenge }, { authorizationEndpoint }) =>
        \`\${authorizationEndpoint}/\${clientId}/\${codeChallenge}\`,
      tokenRequest: ({ code, code_verifier: proof, refresh_token: renewal }, { tokenEndpoint: url }) => ({
        method: 'PUT',
        url,
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        body: JSON.stringify({ key: code, proof, renewal, secret: clientSecret }),
      }),
      tokens: ({ ticket, renewal, until }, nowMs) => ({
        access_token: ticket,
        refresh_token: renewal,
        expires_in: (Number(until) - nowMs) / 1000,
      }),
    },
    api: ({ connect }) => ({ request: connect('https://api.inlet.example') }),
  };
}
`;

/** A network that knows both platforms, and a user who agrees. */
const signIn = `
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { createSession, memoryStore } from 'mortise';
import { acme } from 'mortise/providers/acme';
import { inlet } from 'mortise/providers/inlet';

const NOW_MS = 1_700_000_000_000;
const answers = {
  'POST https://login.acme.example/token': { access_token: 'acme-1', expires_in: 60 },
  'GET https://api.acme.example/v2/drawings': ['a drawing'],
  'PUT https://inlet.example/tickets': { ticket: 'inlet-1', renewal: 'r', until: NOW_MS + 60_000 },
  'GET https://api.inlet.example/things': ['a thing'],
};
const redirectOf = (url, redirectUri) =>
  url.startsWith('https://inlet.example/gate/me/')
    ? redirectUri + '?key=k'
    : redirectUri + '?code=c&state=' + new URL(url).searchParams.get('state');
const host = {
  client: 'public',
  store: memoryStore(),
  lock: (name, timeoutMs, task) => task(true),
  clock: { nowMs: () => NOW_MS, monotonicMs: () => 0, after: () => () => {} },
  crypto: {
    randomBytes: (length) => webcrypto.getRandomValues(new Uint8Array(length)),
    sha256: async (data) => new Uint8Array(await webcrypto.subtle.digest('SHA-256', data)),
  },
  async http({ method, url, headers }) {
    const answer = answers[method + ' ' + url];
    const status = answer === undefined ? 404 : 200;
    async function* body() {
      yield new TextEncoder().encode(JSON.stringify(answer ?? headers));
    }
    return { status, headers: new Map(), body: body() };
  },
  userAgents: [
    {
      async open({ redirect, onRedirect }) {
        const redirectUri = redirect[0] ?? 'http://127.0.0.1:5000' + redirect.path;
        const navigate = async (url) => void onRedirect(redirectOf(url, redirectUri));
        return { redirectUri, navigate, close: async () => {} };
      },
    },
  ],
};
const redirectUris = ['http://localhost:7000/callback'];
for (const provider of [acme({ clientId: 'me', scopes: ['a'] }), inlet({ clientId: 'me', redirectUris })]) {
  const session = createSession({ host, provider });
  await session.signIn();
  assert.deepEqual(session.state, { name: 'signedIn', expiresAtMs: NOW_MS + 60_000, scopes: provider.scopes });
  assert.equal(await session.getAccessToken(), provider.id + '-1');
  const path = provider.id === 'acme' ? 'drawings' : 'things';
  assert.deepEqual(await (await session.api.request({ path })).json(), ['a ' + path.slice(0, -1)]);
  await session.close();
}
`;

/** The build as it is configured, without the entries that have nothing to do with it. */
const build = `
import { rollup } from 'rollup';
import config from './rollup.config.mjs';
const [{ output, ...options }] = config;
const entries = Object.entries(options.input);
const input = Object.fromEntries(entries.filter(([, file]) => /index|acme|inlet/.test(file) && !/sandbox/.test(file)));
const bundle = await rollup({ ...options, input });
for (const each of output) await bundle.write(each);
console.log(JSON.stringify(input));
`;

/** Runs a program in the copy. */
function inCopy(...args) {
  const { ok, stdout, output } = run([process.execPath, ...args], { cwd: copy, quiet: true });
  assert.ok(ok, output);
  return stdout;
}

/** Beside the sources: what the conventions for providers are tested with. */
const TESTS = ['test/providers', 'test/api/support', 'test/support', 'adapters/web'];
const CONFIGURATION = [
  'LICENSE',
  'package.json',
  'tsconfig.json',
  'rollup.config.mjs',
  'rollup.licences.mjs',
  '.ci/tsconfig.json',
];

before(() => {
  // The sandbox is left out because it takes long to compile.
  const isNeeded = (path) => !/[\\/]src[\\/]sandbox$/.test(path);
  for (const path of [...CONFIGURATION, ...TESTS, 'src']) {
    cpSync(join(root, path), join(copy, path), { recursive: true, filter: isNeeded });
  }
  // The leak guard looks for all of the library, of which this is a part.
  const packageFile = join(copy, 'package.json');
  const { jest: settings, ...rest } = JSON.parse(readFileSync(packageFile, 'utf8'));
  const { setupFilesAfterEnv: _, ...unguarded } = settings;
  writeFileSync(packageFile, JSON.stringify({ ...rest, jest: unguarded }));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  writeFileSync(join(copy, 'src/providers/acme.ts'), acme);
  writeFileSync(join(copy, 'src/providers/inlet.ts'), inlet);
});
after(() => rmSync(copy, { recursive: true, force: true }));

describe('a platform that is one new file', () => {
  test('is built as an entry of its own, and its types are checked', () => {
    const entries = JSON.parse(inCopy('--input-type=module', '--eval', build));
    assert.equal(entries['providers/acme'], 'src/providers/acme.ts');
    assert.equal(entries['providers/inlet'], 'src/providers/inlet.ts');
  });

  test('is signed in with, from the built package by its own name', () => {
    writeFileSync(join(copy, 'sign-in.mjs'), signIn);
    inCopy('sign-in.mjs');
  });

  test('is found by the tests of the conventions, and follows them', () => {
    assert.deepEqual(jest('test/providers/providers.test.ts', /^(acme|inlet) /), {
      acme: 'passed',
      inlet: 'passed',
    });
  });

  test('is found by the tests of what every provider promises, and keeps it', () => {
    assert.deepEqual(jest('test/providers/every-provider.test.ts', /^acme, /), { acme: 'passed' });
  });
});

/** Runs the tests of the copy whose names fit. Each platform they found, and whether it passed. */
function jest(file, names) {
  const bin = join(root, 'node_modules/jest/bin/jest.js');
  const report = join(copy, 'report.json');
  inCopy(bin, '--json', `--outputFile=${report}`, `--testNamePattern=${names.source}`, file);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const found = {};
  for (const { ancestorTitles, status } of testResults.flatMap((each) => each.assertionResults)) {
    const [name = ''] = ancestorTitles;
    if (status !== 'pending') found[name.split(',')[0]] = status;
  }
  return found;
}
