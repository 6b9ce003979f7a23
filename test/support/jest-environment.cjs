// Jest's own environment for Node, which frees what jest-circus leaves behind.
//
// Each test file enters an AsyncLocalStorage of jest-circus that nobody ever disables. In Node 20 every promise of every later file then
// runs through all of them: after fifty files, tests take four times as long.
const { AsyncLocalStorage } = require('node:async_hooks');
const { TestEnvironment } = require('jest-environment-node');

const { run } = AsyncLocalStorage.prototype;

module.exports = class extends TestEnvironment {
  #entered = new Set();

  async setup() {
    const entered = this.#entered;
    AsyncLocalStorage.prototype.run = function (...args) {
      entered.add(this);
      return run.apply(this, args);
    };
    await super.setup();
  }

  async teardown() {
    await super.teardown();
    AsyncLocalStorage.prototype.run = run;
    for (const storage of this.#entered) storage.disable();
  }
};
