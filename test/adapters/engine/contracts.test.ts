// What every host keeps, kept by one host function: Node plays the program around the engine.
import { memoryStore } from 'mortise';
import { createEngineHost } from 'mortise/engine';
import { createNodeHost } from 'mortise/node';
import type { RedirectUserAgent } from '../../../src/ports/index.js';
import { describeClock } from '../../support/clock-contract.js';
import { describeCryptoProvider } from '../../support/crypto-provider-contract.js';
import { describeHttpTransport } from '../../support/http-transport-contract.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import { describeUserAgent } from '../../support/user-agent-contract.js';
import { playHost, Refusal } from './played-host.js';

const createPlayed = (openBrowser = async (_url: string) => {}) => {
  const played = playHost(createNodeHost({ store: memoryStore(), openBrowser }));
  return { ...played, host: createEngineHost({ call: played.call }) };
};

const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

describeHttpTransport('http', () => createPlayed().host.http);
describeKeyValueStore('store', () => createPlayed().host.store);
describeCryptoProvider('crypto', () => createPlayed().host.crypto);
describeClock('clock', () => ({ clock: createPlayed().host.clock, pass: sleep }));

/** The program calls `tick` from its idle event. */
describeClock('clock of a host without timers', () => {
  const { host, methods } = createPlayed();
  methods['wait'] = () => new Refusal('unsupported');
  return {
    clock: host.clock,
    async pass(ms) {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs) {
        await sleep(1);
        host.tick();
      }
    },
  };
});

describeUserAgent('user agent', async () => {
  const shown: string[] = [];
  let isBroken = false;
  const { host, called } = createPlayed(async (url) => {
    if (isBroken) throw new Error('no browser');
    shown.push(url);
  });
  return {
    userAgent: host.userAgents[0] as RedirectUserAgent,
    redirect: { loopback: '127.0.0.1', path: '/callback', ports: 'any' },
    shown: () => shown,
    breakNavigation: () => void (isBroken = true),
    land: async (url) => (await fetch(url)).text(),
    async isFree(redirectUri) {
      expect(called.at(-1)?.method).not.toBe('browser.reserve');
      return fetch(redirectUri).then(
        () => false,
        () => true,
      );
    },
  };
});
