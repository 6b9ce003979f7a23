import { MortiseError, misconfigured } from '../errors.js';
import type { Host } from '../ports/index.js';
import type { Session } from '../session/create-session.js';
import { isName, readDefinitions, type Definitions } from './definitions.js';
import type { Login } from './login-status.js';
import type { Integration, Plugin, PluginContext } from './plugin.js';
import type { DefinitionOptions } from './provider-definitions.js';
import { createSlot, type ActivePlugin } from './running-plugin.js';
import { lendScopes, shareIntegration } from './shared-integration.js';

/** How long a plug-in may take to activate. */
const ACTIVATE_TIMEOUT_MS = 30_000;

export interface PluginHostOptions extends DefinitionOptions {
  readonly host: Host;
  /** Made in code, or read from a file that an administrator keeps; see plugins/README.md. */
  readonly integrations: Definitions;
  /** Whose sessions these are, where one process serves several users. Default `default`. */
  readonly account?: string;
  /** Default 30,000. */
  readonly activateTimeoutMs?: number;
}

/** Gives many plug-ins tokens, and none a refresh token or a secret. */
export interface PluginHost {
  /**
   * Runs a plug-in, and resolves when its `activate` is done.
   *
   * @throws {MortiseError} `configuration_error` for a bad manifest or a name that is taken, `timeout` for a
   * plug-in that hangs; else what the plug-in itself throws. It is then as if it had never run.
   */
  activate(plugin: Plugin): Promise<ActivePlugin>;
  /**
   * For a login button of the host's own, or for a server that owns a callback route: by integration.
   *
   * @throws {MortiseError} `integration_unknown`.
   */
  login(
    integration: string,
  ): Login &
    Pick<Session<unknown>, 'state' | 'signIn' | 'beginSignIn' | 'completeSignIn' | 'signOut'>;
  /** Deactivates all plug-ins and closes all sessions. The stored ones stay. */
  close(): Promise<void>;
}

/**
 * @throws {MortiseError} `configuration_error`: `details.problems` lists each with its path and remedy.
 */
export function createPluginHost(options: PluginHostOptions): PluginHost {
  const { host, account = 'default', activateTimeoutMs = ACTIVATE_TIMEOUT_MS } = options;
  const definitions = readDefinitions(options.integrations, options, (integration) =>
    tryOut(host, integration),
  );
  const integrations = new Map(
    definitions.map((each) => [each.name, shareIntegration(host, each, account)]),
  );
  const active = new Map<string, ActivePlugin>();
  let closing: Promise<void> | null = null;

  return {
    async activate(plugin) {
      if (closing) throw new MortiseError('aborted', {});
      const checked = checkPlugin(plugin);
      const { name } = checked;
      if (active.has(name)) throw misconfigured(`a plug-in called ${name} is running already`);
      const slot = createSlot({
        host,
        integrations,
        timeoutMs: activateTimeoutMs,
        check: checkPlugin,
        onEnd: () => void active.delete(name),
      });
      active.set(name, slot);
      await slot.start(checked);
      return slot;
    },
    login(name) {
      const integration = integrations.get(name);
      if (!integration) throw new MortiseError('integration_unknown', { integration: name });
      const { login, session, signIn } = integration;
      session.restore().catch(() => {}); // Told as a change of the session.
      return {
        get status() {
          return login.status;
        },
        get state() {
          return session.state;
        },
        onStatus: login.onStatus,
        signIn: (how = {}) => signIn(how),
        beginSignIn: session.beginSignIn,
        completeSignIn: session.completeSignIn,
        signOut: session.signOut,
      };
    },
    close() {
      closing ??= (async () => {
        await Promise.all([...active.values()].map((plugin) => plugin.deactivate()));
        await Promise.all([...integrations.values()].map(({ session }) => session.close()));
      })();
      return closing;
    },
  };
}

/** Makes what plug-ins would be given, and drops it. @throws {MortiseError} */
function tryOut(host: Host, integration: Integration): void {
  const shared = shareIntegration(host, integration, '');
  for (const plugin of integration.plugins) lendScopes(shared, plugin);
}

/**
 * A plug-in is somebody else's code: each thing it says of itself is read once, checked, and never asked again.
 *
 * @throws {MortiseError} `configuration_error`.
 */
function checkPlugin(plugin: unknown): Plugin {
  const given = Object(plugin) as Partial<Plugin>;
  const { name, version, integrations, activate, deactivate } = given;
  if (!isName(name)) throw misconfigured('a plug-in’s name must be a text of 1 to 100 characters');
  if (!isName(version)) throw misconfigured('a plug-in’s version must be a text such as 1.0.0');
  if (typeof activate !== 'function')
    throw misconfigured('a plug-in’s activate must be a function');
  if (deactivate !== undefined && typeof deactivate !== 'function') {
    throw misconfigured('a plug-in’s deactivate must be a function');
  }
  const names: readonly unknown[] | undefined = Array.isArray(integrations)
    ? [...integrations]
    : undefined;
  if (integrations !== undefined && !names?.every(isName)) {
    throw misconfigured('a plug-in’s integrations must be a list of names');
  }
  return Object.freeze({
    name,
    version,
    ...(names && { integrations: names as readonly string[] }),
    activate: (context: PluginContext) => activate.call(given, context),
    ...(deactivate && { deactivate: () => deactivate.call(given) }),
  });
}
