import type { PlatformApi, Provider } from '../oauth/provider.js';
import type { AccessTokenOptions } from '../session/access-token.js';
import type { StateChange } from '../session/machine.js';
import type { SessionState } from '../session/state.js';
import type { LoginStatus } from './login-status.js';
import type { SharedSignInOptions } from './shared-sign-in.js';

/** A plug-in, as its author writes it. */
export interface Plugin {
  /** What an administrator assigns integrations to. One plug-in of a name runs at a time. */
  readonly name: string;
  readonly version: string;
  /** The names it will ask for. Left out, all that are assigned to it. */
  readonly integrations?: readonly string[];
  /** Runs once. May take its time, up to the host's limit. */
  activate(context: PluginContext): unknown;
  /** For what the plug-in took elsewhere; what it took from the context is released without it. */
  deactivate?(): unknown;
}

/** All a plug-in is given. */
export interface PluginContext {
  /** Aborted when the plug-in is deactivated. */
  readonly signal: AbortSignal;
  /**
   * @throws {MortiseError} `integration_unknown` when nobody defined it, `integration_not_assigned` when it is
   * not for this plug-in.
   */
  integration<Api extends PlatformApi = PlatformApi>(name: string): IntegrationHandle<Api>;
}

/**
 * A named integration in the hands of a plug-in: no refresh token, no client secret, and no more scopes than
 * the administrator gave it. After the plug-in was deactivated everything rejects with `aborted`.
 */
export interface IntegrationHandle<Api = PlatformApi> {
  readonly name: string;
  readonly state: SessionState;
  onChange(listener: (change: StateChange) => void): () => void;
  /** What a login button shows. */
  readonly status: LoginStatus;
  /** Called with every change of `status`; also when the user's name is known at last. */
  onStatus(listener: (status: LoginStatus) => void): () => void;
  /** Plug-ins that sign in at once share one sign-in; it goes on for those who stay. */
  signIn(options?: SharedSignInOptions): Promise<void>;
  /** For all plug-ins that use the integration. */
  signOut(): Promise<void>;
  /** @throws {MortiseError} `sign_in_required`: show the button. */
  getAccessToken(options?: AccessTokenOptions): Promise<string>;
  readonly api: Api;
}

/** A plug-in that may use an integration, and perhaps only with fewer scopes. */
export type Assignment = string | { readonly name: string; readonly scopes?: readonly string[] };

/** An integration, as an administrator defines it in code. */
export interface Integration {
  readonly name: string;
  readonly provider: Provider;
  readonly plugins: readonly Assignment[];
}
