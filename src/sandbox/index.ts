import { MortiseError } from '../errors.js';
import type { HttpRequest } from '../ports/index.js';
import type { SandboxResponse } from './message.js';
import { createFaults, type FaultSwitch } from './faults/switches.js';
import { aps } from './aps/platform.js';
import { createGrants } from './grants.js';
import { oauth } from './oauth/platform.js';
import { opencde } from './opencde/platform.js';
import { serve, type Platform } from './platform.js';
import { prevu3d } from './prevu3d/platform.js';
import { speckle } from './speckle/platform.js';

export { answerConsent, type ConsentAnswer } from './answer-consent.js';
export { answerDevice } from './answer-device.js';
export { FAULTS, type FaultName } from './faults/index.js';
export type { SandboxResponse } from './message.js';
export type { FaultSwitch } from './faults/switches.js';
export type { HttpRequest, HttpResponse, HttpTransport } from '../ports/index.js';

/** A further platform is a further file, and its line here. */
const PLATFORMS = { prevu3d, speckle, aps, opencde, oauth } as const;

export type SandboxProvider = keyof typeof PLATFORMS;

/** What each provider takes to reach a sandbox that is served at some origin. */
export type SandboxEnvironments = {
  readonly [P in SandboxProvider]: (typeof PLATFORMS)[P] extends Platform<infer E> ? E : never;
};

export interface SandboxOptions {
  readonly provider: SandboxProvider;
  /** Misbehaviours to switch on; each is described in `FAULTS`. */
  readonly faults?: readonly FaultSwitch[];
  /** Wall-clock milliseconds since 1970. Left out, time stands still and nothing expires. */
  readonly nowMs?: () => number;
  /**
   * The exact callback addresses that are registered for every application. Left out, prevu3d, aps, opencde
   * and oauth take any that such a platform accepts; speckle sends to the one of its guide,
   * `http://localhost:3000/callback`.
   */
  readonly redirectUris?: readonly string[];
  /** Any text. Sandboxes with different ones never issue the same code or token. */
  readonly seed?: string;
}

/** Answers requests by itself, wherever they would have gone: an `HttpTransport`. */
export type Sandbox = (request: HttpRequest) => Promise<SandboxResponse>;

function platformOf<P extends SandboxProvider>(provider: P): (typeof PLATFORMS)[P] {
  if (!Object.hasOwn(PLATFORMS, provider)) {
    throw new MortiseError('configuration_error', { problem: 'no such sandbox provider' });
  }
  return PLATFORMS[provider];
}

/**
 * A platform on one's desk: consent page, token endpoint, and enough API to browse. Opens no socket:
 * it is a transport in a test, and what `serveSandbox` serves.
 *
 * Every client id is known, and every secret but `wrong`. Its tokens say what they are, protect
 * nothing, and stay good when another sandbox takes over.
 *
 * @throws {MortiseError} `configuration_error` for an unknown provider or fault.
 */
export function createSandbox(options: SandboxOptions): Sandbox {
  const {
    provider,
    faults: switches = [],
    nowMs,
    seed = '',
    redirectUris,
  } = Object(options) as SandboxOptions;
  const platform: Platform<unknown> = platformOf(provider);
  const faults = createFaults(switches);
  const policy = { ...platform.policy, ...faults.policy };
  const grants = createGrants({ nowMs, seed, policy });
  const routes = platform.routes(grants, { redirectUris });
  return (request) => serve(routes, faults, request);
}

/**
 * The options with which a provider reaches a sandbox served at `origin`, such as
 * `http://localhost:8080`: `environment` for prevu3d, `issuer` for oauth.
 */
export function sandboxEnvironment<P extends SandboxProvider>(
  provider: P,
  origin: string,
): SandboxEnvironments[P] {
  return platformOf(provider).environment(origin) as SandboxEnvironments[P];
}
