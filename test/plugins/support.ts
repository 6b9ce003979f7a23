import {
  createPluginHost,
  type IntegrationHandle,
  type Plugin,
  type PluginContext,
  type PluginHostOptions,
} from 'mortise';
import { createFakeHost, type FakeHost } from '../support/fake-host.js';
import { createFakeServer, fakeProvider } from '../support/fake-server.js';

export const NAME = 'aps-integration-1';

export interface Desk {
  readonly server: ReturnType<typeof createFakeServer>;
  readonly host: FakeHost;
  readonly plugins: ReturnType<typeof createPluginHost>;
}

/** A plug-in host with one integration, for the plug-ins `one` and `two`. */
export function createDesk(more: Partial<PluginHostOptions> = {}): Desk {
  const server = createFakeServer();
  const host = createFakeHost({ http: server.http });
  const plugins = createPluginHost({
    host,
    integrations: [{ name: NAME, provider: fakeProvider(), plugins: ['one', 'two'] }],
    ...more,
  });
  return { server, host, plugins };
}

/** A plug-in that hands out what it was given. */
export function probe(
  name: string,
  more: Partial<Plugin> = {},
): Plugin & { readonly context: PluginContext; readonly handle: IntegrationHandle } {
  let given: PluginContext | undefined;
  const plugin: Plugin = {
    name,
    version: '1.0.0',
    integrations: [NAME],
    activate: (context) => void (given = context),
    ...more,
  };
  return {
    ...plugin,
    activate(context) {
      given = context;
      return plugin.activate(context);
    },
    get context() {
      if (!given) throw new Error('not activated');
      return given;
    },
    get handle() {
      return this.context.integration(NAME);
    },
  };
}

/** Goes to the consent page, and allows. */
export async function signIn(host: FakeHost, handle: IntegrationHandle): Promise<void> {
  const arrived = host.visit();
  const done = handle.signIn();
  await (await arrived).redirect({ code: 'the-code' });
  await done;
}

export const failing = (code: string, more: object = {}) =>
  expect.objectContaining({ name: 'MortiseError', code, ...more });
