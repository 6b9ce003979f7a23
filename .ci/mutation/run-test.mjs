// Runs one test with the hooks around it. What runs once for many tests in Jest runs for each of them here.
import { expect } from 'expect';
import { LeftOut } from './load.mjs';

/** @returns {Promise<string | undefined>} Why it failed. */
export async function runTest({ fn, blocks }, timeoutMs) {
  const hooks = (name) => blocks.flatMap((block) => block[name]);
  const last = (name) => [...blocks].reverse().flatMap((block) => block[name]);
  const run = async () => {
    try {
      for (const hook of [...hooks('once'), ...hooks('before')]) await hook();
      expect.setState({
        assertionCalls: 0,
        expectedAssertionsNumber: null,
        isExpectingAssertions: false,
      });
      await fn();
    } finally {
      for (const hook of [...last('after'), ...last('finally')]) await hook();
    }
    const [unmet] = expect.extractExpectedAssertionsErrors();
    if (unmet) throw unmet.error;
  };
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs, 'it took too long');
  });
  const failure = run().then(
    () => undefined,
    (error) => (error instanceof LeftOut ? undefined : String(error?.message ?? error)),
  );
  const outcome = await Promise.race([failure, late]);
  clearTimeout(timer);
  return outcome;
}
