/** @module A bare JavaScript engine inside a program: everything comes through one function of the host. */
import { misconfigured } from '../../src/errors.js';
import type { Host } from '../../src/ports/index.js';
import { createLocalLock } from '../web/local-lock.js';
import { createHostClock } from './host-clock.js';
import { createHostCrypto } from './host-crypto.js';
import { createHostFunction, type HostCall } from './host-function.js';
import { createHostStore } from './host-store.js';
import { createHostTransport } from './host-transport.js';
import { createHostUserAgent } from './user-agent.js';
import { installWebNames } from './web-names.js';

export { installWebNames } from './web-names.js';
export type { HostCall } from './host-function.js';

export interface EngineHostOptions {
  /** README.md has every method it is asked for. Called with text and text only. */
  readonly call: HostCall;
}

export interface EngineHost extends Host {
  /**
   * For a program without timers: call it now and then, from an idle event, say. Calls back whoever has
   * waited long enough.
   */
  tick(): void;
}

/**
 * A host for an engine that has ECMAScript and nothing else. What the engine lacks of the six web names that
 * the library needs is put on `globalThis`; nothing that is there is replaced.
 *
 * The client is a public one: a program on the user's machine cannot keep a secret from its user.
 *
 * @throws {MortiseError} `configuration_error` without `call`.
 */
export function createEngineHost({ call }: EngineHostOptions): EngineHost {
  // A function of another language may have another type than `function` here.
  if (call === undefined || call === null) throw misconfigured('call is missing');
  installWebNames();
  const host = createHostFunction(call);
  const clock = createHostClock(host);
  return {
    http: createHostTransport(host),
    store: createHostStore(host, clock),
    lock: createLocalLock(clock),
    crypto: createHostCrypto(host),
    clock,
    userAgents: [createHostUserAgent(host, clock)],
    client: 'public',
    tick: clock.tick,
  };
}
