// QuickJS and the few lines that tie a function of the program to it. Other engines have the same few.
import { getQuickJS } from 'quickjs-emscripten';

/** Runs scripts in an engine of their own. `functions` take and give text; one may give a promise of it. */
export async function startEngine(functions) {
  const vm = (await getQuickJS()).newContext();
  let isOpen = true;
  /** The engine goes on when it is told to: after every call into it, and after every answer. */
  const runJobs = () => {
    if (isOpen) vm.runtime.executePendingJobs();
  };

  const lend = (name, run) => {
    const handle = vm.newFunction(name, (...args) => {
      const answer = run(...args.map((arg) => vm.getString(arg)));
      if (!(answer instanceof Promise)) return vm.newString(answer ?? '');
      const promise = vm.newPromise();
      void answer.then((text) => {
        if (isOpen) vm.newString(text).consume((value) => promise.resolve(value));
        runJobs();
      });
      return promise.handle;
    });
    handle.consume(() => vm.setProp(vm.global, name, handle));
  };
  for (const [name, run] of Object.entries(functions)) lend(name, run);

  return {
    setText: (name, text) =>
      vm.newString(text).consume((value) => vm.setProp(vm.global, name, value)),
    run(code, fileName) {
      vm.unwrapResult(vm.evalCode(code, fileName)).dispose();
      runJobs();
    },
    close: () => (isOpen = false),
  };
}
