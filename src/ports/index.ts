import type { Clock } from './clock.js';
import type { CryptoProvider } from './crypto-provider.js';
import type { HttpTransport } from './http-transport.js';
import type { KeyValueStore } from './key-value-store.js';
import type { Lock } from './lock.js';
import type { UserAgent } from './user-agent.js';

export type { Clock } from './clock.js';
export type { CryptoProvider } from './crypto-provider.js';
export type { ByteStream, HttpRequest, HttpResponse, HttpTransport } from './http-transport.js';
export type { KeyValueStore } from './key-value-store.js';
export type { Lock } from './lock.js';
export type {
  DeviceCode,
  DeviceTools,
  DeviceVisit,
  RedirectOutcome,
  RedirectRule,
  RedirectUserAgent,
  UserAgent,
  UserAgentVisit,
  VisitRequest,
} from './user-agent.js';

/** Everything a runtime lends the core. Made by `createNodeHost` and its siblings. */
export interface Host {
  readonly http: HttpTransport;
  readonly store: KeyValueStore;
  readonly lock: Lock;
  readonly crypto: CryptoProvider;
  readonly clock: Clock;
  /** In order of preference. Empty where no user can be reached. */
  readonly userAgents: readonly UserAgent[];
  /** Whether code here can keep a client secret from its user (RFC 6749 section 2.1). */
  readonly client: 'confidential' | 'public';
}
