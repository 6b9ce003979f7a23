import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mounting = (folder: string, then: string) => [
  '-rm',
  'sh',
  '-c',
  `mount -t tmpfs -o size=64k,mode=0700 tmpfs '${folder}' && ${then}`,
];

export const canMount =
  process.platform === 'linux' && spawnSync('unshare', mounting('/tmp', 'true')).status === 0;

/** A disk of 64 KB, which every process of this user can reach. */
export async function mountSmallDisk() {
  const folder = mkdtempSync(join(tmpdir(), 'mortise-disk-'));
  // The disk is that of this process, and gone with it.
  const owner = spawn('unshare', mounting(folder, 'echo mounted && exec cat'));
  await once(owner.stdout, 'data');
  const path = join(`/proc/${owner.pid}/root`, folder);
  const filling = join(path, 'filling');
  return {
    path,
    /** To the last byte. */
    fill() {
      const file = openSync(filling, 'w');
      try {
        for (;;) writeSync(file, Buffer.alloc(1024));
      } catch (error) {
        if (Object(error).code !== 'ENOSPC') throw error;
      }
      closeSync(file);
    },
    empty: () => rmSync(filling),
    async remove() {
      owner.stdin.end();
      await once(owner, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}
