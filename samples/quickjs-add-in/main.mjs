// A CAD program with QuickJS in it, played by Node: it lends the add-in one function.
import { readFileSync } from 'node:fs';
import { MortiseError } from 'mortise';
import { play, setting } from '../stage/play.mjs';
import { startEngine } from './engine.mjs';
import { createHostFunction } from './host.mjs';

const clientId = setting('PREVU3D_CLIENT_ID');
const read = (url) => readFileSync(url, 'utf8');
const bundle = new URL('dist/mortise.engine.js', import.meta.resolve('mortise/package.json'));

await play(
  { platform: 'prevu3d', needs: { PREVU3D_CLIENT_ID: clientId } },
  async ({ environment, openBrowser, terminal, signal }) => {
    let finish = () => {};
    const finished = new Promise((resolve) => (finish = resolve));
    const program = createHostFunction({ openBrowser });
    const engine = await startEngine({
      hostCall: program.call,
      print: (name, text) => terminal.step(name, text),
      done: (failureJson) => finish(JSON.parse(failureJson)),
    });
    signal.addEventListener('abort', () => finish({ code: 'sign_in_cancelled' }));
    try {
      engine.setText('settings', JSON.stringify({ clientId: clientId ?? 'any', environment }));
      engine.run(read(bundle), 'mortise.engine.js');
      engine.run(read(new URL('add-in.js', import.meta.url)), 'add-in.js');
      const { code, hint } = await finished;
      if (code) throw new MortiseError(code, {}, { hint });
    } finally {
      engine.close();
      program.close();
    }
  },
);
