// Type-checks every room with its own permit (which globals exist there), then everything together.
import { existsSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { root } from './process.mjs';

// The native compiler. The build has TypeScript's API from the one before.
const tsc = join(root, 'node_modules/typescript-7/bin/tsc');
const hosts = readdirSync(join(root, 'adapters')).map((host) => `adapters/${host}`);
const projects = ['.', 'src', ...hosts].filter((folder) =>
  existsSync(join(root, folder, 'tsconfig.json')),
);

let failed = false;

async function checkNext() {
  for (let folder; (folder = projects.shift()) !== undefined;) {
    const child = spawn(process.execPath, [tsc, '-p', folder, '--pretty'], { cwd: root });
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    const status = await new Promise((resolve) => child.on('close', resolve));
    if (status === 0) continue;
    failed = true;
    console.error(`tsc -p ${folder}\n${output}`);
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, checkNext));
process.exit(failed ? 1 : 0);
