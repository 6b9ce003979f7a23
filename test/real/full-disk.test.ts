// The disk is full at the moment that the server has spent the old refresh token: see also
// test/adapters/node/full-disk.test.ts, for what a store by itself says of it.
import { join } from 'node:path';
import { canMount, mountSmallDisk } from '../support/small-disk.js';
import { startStrictServer } from '../support/strict-server.js';
import { leftoversIn, removeDirectories, signInTo, storedIn } from '../support/worker-account.js';
import { buildWorkers, digest, testWhere, type WorkerProgram } from '../support/worker-process.js';

let program: WorkerProgram;
beforeAll(() => {
  program = buildWorkers();
}, 60_000);
afterAll(async () => {
  for (const { code, stderr } of await program.remove()) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  }
  removeDirectories();
});

const testOnSmallDisk = testWhere(canMount, 'Linux, and the right to mount (unshare -rm)');

testOnSmallDisk(
  'case 125: the new token works from memory, that is shown, and it is saved when there is room',
  async () => {
    const server = await startStrictServer();
    const disk = await mountSmallDisk();
    const directory = join(disk.path, 'sessions');
    const opening = { directory, provider: server.provider };
    await signInTo(opening);
    // Five seconds from one try to the next pass in no time.
    const one = await program.start({ name: 'one' });
    await one.ask({ do: 'open', ...opening, speed: 20 });
    const two = await program.start({ name: 'two' });
    await two.ask({ do: 'open', ...opening });
    const { token: before } = await one.ask({ do: 'request' });
    expect(await two.ask({ do: 'request' })).toEqual({ token: before });

    disk.fill();
    server.expireAccess();
    const { token } = await one.ask({ do: 'request' });
    expect(token).not.toBe(before);
    expect(digest(storedIn(directory)?.accessToken ?? '')).toBe(before);
    expect(await one.ask({ do: 'state' })).toMatchObject({
      state: { name: 'signedIn', unsaved: true },
    });
    expect(one.changes.at(-1)).toMatchObject({
      event: 'tokensIssued',
      error: 'store_unavailable',
    });
    // It goes on trying, quietly, and needs nothing of the server for that.
    await new Promise((done) => setTimeout(done, 600));
    expect(await one.ask({ do: 'request' })).toEqual({ token });
    expect(one.changes.at(-1)).toMatchObject({ event: 'tokensIssued' });

    disk.empty();
    await one.changed(({ event }) => event === 'saved');
    const { state } = await one.ask({ do: 'state' });
    expect(state).toMatchObject({ name: 'signedIn' });
    expect(state).not.toHaveProperty('unsaved');
    expect(digest(storedIn(directory)?.accessToken ?? '')).toBe(token);
    expect(await two.ask({ do: 'request' })).toEqual({ token });
    const three = await program.start({ name: 'three' });
    await three.ask({ do: 'open', ...opening });
    expect(await three.ask({ do: 'request' })).toEqual({ token });
    expect(server.refreshes).toEqual([{ by: 'one', outcome: 'rotated' }]);
    expect(leftoversIn(directory)).toEqual([]);
    for (const worker of [one, two, three]) await worker.end();
    await disk.remove();
    await server.stop();
  },
);
