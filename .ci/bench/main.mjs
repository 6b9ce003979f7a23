// npm run bench: the numbers this library is held to, on the built package, all in one run.
import { cpus } from 'node:os';
import { coldImport } from './cold-import.mjs';
import { locks } from './lock.mjs';
import { sessions } from './sessions.mjs';
import { sizes } from './sizes.mjs';

const [{ model } = { model: 'unknown' }] = cpus();
console.log(
  `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} x ${model}`,
);

console.log('- weighing bundles');
await sizes();
console.log('- starting processes');
await coldImport();
await sessions();
await locks();
