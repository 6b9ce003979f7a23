import { MortiseError } from '../errors.js';
import { createInFlight, stopAll, untilStopped, type InFlight } from '../http/guard.js';
import type { Clock, Host } from '../ports/index.js';
import type { IntegrationHandle, Plugin, PluginContext } from './plugin.js';
import { lend, nameOf, type Lease, type SharedIntegration } from './shared-integration.js';

/** How long a plug-in may take over its own goodbye. */
const DEACTIVATE_TIMEOUT_MS = 5_000;

/** A plug-in that runs. */
export interface ActivePlugin {
  readonly name: string;
  readonly version: string;
  /** `false` once it was deactivated, or could neither be replaced nor put back. */
  readonly isActive: boolean;
  /**
   * Another version in place of this one. When the new one cannot be activated, the old one is activated again.
   *
   * @throws What the new one throws, or {MortiseError} as from `activate`.
   */
  replace(plugin: Plugin): Promise<void>;
  /** Aborts its signal and releases everything it took. Never rejects. */
  deactivate(): Promise<void>;
}

export interface SlotOptions {
  readonly host: Pick<Host, 'clock'>;
  readonly integrations: ReadonlyMap<string, SharedIntegration>;
  readonly timeoutMs: number;
  readonly check: (plugin: unknown) => Plugin;
  readonly onEnd: () => void;
}

interface Run {
  readonly plugin: Plugin;
  /** Everything the plug-in took is released, at once. */
  stop(): void;
}

/** A place for one plug-in at a time; what is asked of it happens in turn. */
export function createSlot(
  options: SlotOptions,
): ActivePlugin & { start(plugin: Plugin): Promise<void> } {
  const { host, check, onEnd } = options;
  let run: Run | null = null;
  let shown: Plugin | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let isEnded = false;
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const turn = last.then(task);
    last = turn.catch(() => {});
    return turn;
  };
  const start = async (plugin: Plugin) => {
    if (isEnded) throw new MortiseError('aborted', {});
    const begun = begin(plugin, options);
    run = begun;
    shown = plugin;
    try {
      await begun.done;
    } catch (error) {
      begun.stop();
      if (run === begun) run = null;
      throw error;
    }
  };
  const stop = async () => {
    const ending = run;
    run = null;
    if (!ending) return;
    ending.stop();
    const goodbye = async () => ending.plugin.deactivate?.();
    await limited(host.clock, DEACTIVATE_TIMEOUT_MS, createInFlight(), goodbye).catch(() => {});
  };
  const end = () => {
    // The name is free once: by now it may be another's.
    if (!isEnded) onEnd();
    isEnded = true;
  };
  return {
    get name() {
      return shown?.name ?? '';
    },
    get version() {
      return shown?.version ?? '';
    },
    get isActive() {
      return run !== null;
    },
    start: (plugin) =>
      inTurn(async () => {
        try {
          await start(plugin);
        } catch (error) {
          end();
          throw error;
        }
      }),
    replace: async (plugin) => {
      const next = check(plugin);
      if (next.name !== shown?.name) {
        const problem = 'a plug-in is replaced by one of the same name';
        throw new MortiseError('configuration_error', { problem });
      }
      return inTurn(async () => {
        const former = run?.plugin;
        if (!former) throw new MortiseError('aborted', {});
        await stop();
        try {
          await start(next);
        } catch (error) {
          await start(former).catch(end);
          throw error;
        }
      });
    },
    deactivate() {
      end();
      // At once, though its turn may come late: a plug-in that hangs while it activates is released, too.
      run?.stop();
      return inTurn(stop);
    },
  };
}

/** Starts a plug-in, with a context that is all it gets. */
function begin(
  plugin: Plugin,
  { host, integrations, timeoutMs }: SlotOptions,
): Run & { readonly done: Promise<void> } {
  const controller = new AbortController();
  // Not the plug-in's own signal, on which it could keep others from hearing.
  const ending = new AbortController();
  const inFlight = createInFlight();
  const lease: Lease = { plugin: plugin.name, inFlight, signal: ending.signal };
  const handles = new Map<string, IntegrationHandle>();
  const context: PluginContext = {
    signal: controller.signal,
    integration<Api>(name: string) {
      if (inFlight.isClosed) throw new MortiseError('aborted', {});
      const handle = handles.get(name) ?? lend(find(integrations, plugin, name), lease);
      handles.set(name, handle);
      return handle as IntegrationHandle<Api>;
    },
  };
  const activated = limited(host.clock, timeoutMs, inFlight, async () => plugin.activate(context));
  return {
    plugin,
    done: activated.then(() => {}),
    stop() {
      stopAll(inFlight);
      ending.abort();
      controller.abort();
    },
  };
}

function find(
  integrations: ReadonlyMap<string, SharedIntegration>,
  plugin: Plugin,
  name: string,
): SharedIntegration {
  const integration = integrations.get(name);
  if (!integration) throw new MortiseError('integration_unknown', { integration: String(name) });
  const isListed = plugin.integrations?.includes(name) ?? true;
  if (isListed && integration.plugins.some((each) => nameOf(each) === plugin.name)) {
    return integration;
  }
  throw new MortiseError(
    'integration_not_assigned',
    { integration: name, plugin: plugin.name },
    isListed ? {} : { hint: 'Its author lists it under integrations in the plug-in’s manifest.' },
  );
}

/** Settles as the task does, unless it takes too long; nothing is left of it once all is stopped. */
function limited<T>(
  clock: Clock,
  timeoutMs: number,
  inFlight: InFlight,
  task: () => Promise<T>,
): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    const expire = () => reject(new MortiseError('timeout', { host: 'plug-in', timeoutMs }));
    const stopTimer = clock.after(timeoutMs, expire);
    inFlight.stops.add(stopTimer);
    const free = () => {
      stopTimer();
      inFlight.stops.delete(stopTimer);
    };
    task().then(resolve, reject).then(free, free);
  });
  return untilStopped(result, inFlight);
}
