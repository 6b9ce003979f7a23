// QuickJS: an engine that has ECMAScript and nothing else.
import { getQuickJS } from 'quickjs-emscripten';
import { describeEngine, type StartEngine } from '../adapters/engine/scenes.js';

const startQuickJs: StartEngine = async (call) => {
  const vm = (await getQuickJS()).newContext();
  let isOpen = true;
  const runJobs = () => {
    if (isOpen) vm.runtime.executePendingJobs();
  };
  const load = (code: string) => {
    if (!isOpen) return;
    vm.unwrapResult(vm.evalCode(code)).dispose();
    runJobs();
  };

  const hostCall = vm.newFunction('hostCall', (method, params) => {
    const answer = call(vm.getString(method), vm.getString(params));
    if (typeof answer === 'string') return vm.newString(answer);
    const promise = vm.newPromise();
    answer.then(
      (text) => {
        if (isOpen) vm.newString(text).consume((handle) => promise.resolve(handle));
        runJobs();
      },
      () => {
        if (isOpen) vm.newError('the host failed').consume((handle) => promise.reject(handle));
        runJobs();
      },
    );
    return promise.handle;
  });
  vm.setProp(vm.global, 'hostCall', hostCall);
  hostCall.dispose();

  let runs = 0;
  return {
    load,
    run: (body) =>
      new Promise((resolve) => {
        const name = `done${(runs += 1)}`;
        vm.newFunction(name, (text) => {
          resolve(JSON.parse(vm.getString(text)));
        }).consume((done) => vm.setProp(vm.global, name, done));
        load(`(async () => { const ${'done'} = ${name}; delete globalThis.${name};
          try { const value = await (async () => { ${body} })(); done(JSON.stringify(value ?? null)); }
          catch (error) { done(JSON.stringify({ failed: String(error), stack: error && error.stack })); }
        })();`);
      }),
    // What still runs may not touch it any more; the memory goes with the whole of it.
    close: () => void (isOpen = false),
  };
};

describeEngine('QuickJS', startQuickJs);
