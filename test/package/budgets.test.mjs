// What an application's users download, beside the numbers in package.json.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundle, gzipBytes } from '../../.ci/bundle.mjs';
import { root } from '../../.ci/process.mjs';
import { oneFiles, packageJson } from './package-entries.mjs';

const { budgets, fileBudgets } = packageJson;

for (const [name, { imports, maxGzipBytes }] of Object.entries(budgets)) {
  test(`${name} stays below ${maxGzipBytes} bytes`, async (context) => {
    const minified = await bundle(imports, { minify: true });
    const gzip = gzipBytes(minified);
    context.diagnostic(`${name}: ${minified.length} characters minified, ${gzip} bytes with gzip`);
    assert.ok(gzip <= maxGzipBytes, `${gzip} bytes, ${gzip - maxGzipBytes} too many`);
  });
}

test('every file that is a whole program has a budget', () => {
  assert.deepEqual(Object.keys(fileBudgets).sort(), oneFiles);
});

for (const [file, maxGzipBytes] of Object.entries(fileBudgets)) {
  test(`${file} stays below ${maxGzipBytes} bytes`, (context) => {
    const gzip = gzipBytes(readFileSync(join(root, file)));
    context.diagnostic(`${file}: ${gzip} bytes with gzip`);
    assert.ok(gzip <= maxGzipBytes, `${gzip} bytes, ${gzip - maxGzipBytes} too many`);
  });
}
