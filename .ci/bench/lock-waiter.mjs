// A process of its own: takes the lock of a folder when told, and says when it has it.
import { createNodeHost, fileStore } from 'mortise/node';

const [directory] = process.argv.slice(2);
const { lock } = createNodeHost({ store: { ...fileStore({ directory }), place: directory } });

process.on('message', (order) => {
  void lock('bench', 60_000, async (held) => {
    process.send({ held });
    if (order === 'keep') await new Promise(() => {});
  });
});
process.on('disconnect', () => process.exit());
process.send('ready');
