// V8 with ECMAScript alone, as a program embeds it (ClearScript, say), and without eval.
import vm from 'node:vm';
import { describeEngine, type StartEngine } from '../adapters/engine/scenes.js';

const startBareV8: StartEngine = async (hostCall) => {
  const codeGeneration = { strings: false, wasm: false };
  const context = vm.createContext({ hostCall }, { codeGeneration });
  // V8 puts a console into every context.
  vm.runInContext('delete globalThis.console; delete globalThis.WebAssembly;', context);
  expect(() => vm.runInContext('eval("1")', context)).toThrow('Code generation from strings');
  return {
    load: (code) => void vm.runInContext(code, context),
    async run(body) {
      const text = `(async () => { ${body} })().then((value) => JSON.stringify(value ?? null),
        (error) => JSON.stringify({ failed: String(error), stack: error && error.stack }))`;
      return JSON.parse(await vm.runInContext(text, context));
    },
    close() {},
  };
};

describeEngine('a bare V8 context', startBareV8);
