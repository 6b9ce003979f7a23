import { weigh } from '../bundle.mjs';
import { expectedEntries, packageJson, specifier } from '../../test/package/package-entries.mjs';
import { number, printTable } from './table.mjs';

// What a sign-in with refresh and sign-out needs of oauth4webapi; it has no store, state or retries.
const PEER =
  'generateRandomState, generateRandomCodeVerifier, calculatePKCECodeChallenge, validateAuthResponse, ' +
  'authorizationCodeGrantRequest, processAuthorizationCodeResponse, refreshTokenGrantRequest, ' +
  'processRefreshTokenResponse, revocationRequest, processRevocationResponse, discoveryRequest, ' +
  'processDiscoveryResponse, protectedResourceRequest, None, allowInsecureRequests';

export async function sizes() {
  const bundles = {
    ...Object.fromEntries(Object.entries(packageJson.budgets).map(([k, v]) => [k, v.imports])),
    ...Object.fromEntries(expectedEntries.map((e) => [specifier(e), { [specifier(e)]: '*' }])),
    'oauth4webapi, code flow': { oauth4webapi: PEER },
    oauth4webapi: { oauth4webapi: '*' },
  };
  const rows = [['bundle, dependencies included', 'raw', 'minified', '+ gzip']];
  for (const [name, imports] of Object.entries(bundles)) {
    const { raw, minified, gzip } = await weigh(imports);
    rows.push([name, number(raw), number(minified), number(gzip)]);
  }
  printTable('Size in bytes', rows);
}
