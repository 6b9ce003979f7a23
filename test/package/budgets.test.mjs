// What an application's users download, beside the numbers in package.json.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weigh } from '../../.ci/bundle.mjs';
import { packageJson } from './package-entries.mjs';

for (const [name, { imports, maxGzipBytes }] of Object.entries(packageJson.budgets)) {
  test(`${name} stays below ${maxGzipBytes} bytes`, async (context) => {
    const { minified, gzip } = await weigh(imports);
    context.diagnostic(`${name}: ${minified} bytes minified, ${gzip} with gzip`);
    assert.ok(gzip <= maxGzipBytes, `${gzip} bytes, ${gzip - maxGzipBytes} too many`);
  });
}
