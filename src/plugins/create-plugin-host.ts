import { MortiseError } from '../errors.js';
import type { Host } from '../ports/index.js';
import {
  isName,
  readDefinitions,
  type DefinitionOptions,
  type Definitions,
} from './definitions.js';
import type { Login } from './login-status.js';
import type { Session } from '../session/create-session.js';
import type { Plugin } from './plugin.js';
import { createSlot, type ActivePlugin } from './running-plugin.js';
import { shareIntegration } from './shared-integration.js';

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
  const definitions = readDefinitions(options.integrations, options);
  const integrations = new Map(
    definitions.map((each) => [each.name, shareIntegration(host, each, account)]),
  );
  const active = new Map<string, ActivePlugin>();
  let closing: Promise<void> | null = null;

  return {
    async activate(plugin) {
      if (closing) throw new MortiseError('aborted', {});
      const { name } = checkPlugin(plugin);
      if (active.has(name)) throw bad(`a plug-in called ${name} is running already`);
      const slot = createSlot({
        host,
        integrations,
        timeoutMs: activateTimeoutMs,
        check: checkPlugin,
        onEnd: () => void active.delete(name),
      });
      active.set(name, slot);
      await slot.start(plugin);
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

const bad = (problem: string): MortiseError => new MortiseError('configuration_error', { problem });

/** A plug-in is somebody else's code: what it says of itself is looked at before it runs. */
function checkPlugin(plugin: unknown): Plugin {
  const { name, version, integrations, activate } = Object(plugin) as Partial<Plugin>;
  if (!isName(name)) throw bad('a plug-in’s name must be a text of 1 to 100 characters');
  if (!isName(version)) throw bad('a plug-in’s version must be a text such as 1.0.0');
  if (typeof activate !== 'function') throw bad('a plug-in’s activate must be a function');
  if (integrations !== undefined && !(Array.isArray(integrations) && integrations.every(isName))) {
    throw bad('a plug-in’s integrations must be a list of names');
  }
  return plugin as Plugin;
}
