import { MortiseError, isMortiseError } from '../../../src/errors.js';
import type { HttpTransport } from '../../../src/ports/index.js';
import { readAnswer, requestWithBody } from './bodies.js';
import { toBridge, type Bridge, type BridgeOptions } from './bridge.js';
import type { Channel } from '../channels/channel.js';
import { isPresentable } from '../protocol/redirect.js';

/** The core's own limits are shorter. */
const TIMEOUT_MS = 120_000;

/**
 * HTTP by the host, for a panel that may not reach the network itself. Codes, tokens and API data pass the bridge, so the
 * host has to be one that may see them.
 */
export function hostTransport(port: Channel | Bridge, options?: BridgeOptions): HttpTransport {
  const bridge = toBridge(port, options);
  return async ({ method, url, headers, body, signal }) => {
    if (signal.aborted) throw new MortiseError('aborted', {});
    if (!isPresentable(url)) {
      const problem = 'only https, or http on loopback, passes the bridge';
      throw new MortiseError('configuration_error', { problem });
    }
    try {
      const answer = await requestWithBody(
        bridge,
        { offer: 'http', method: 'http.request', params: { method, url, headers }, body },
        { timeoutMs: TIMEOUT_MS, signal },
      );
      const { discard: _, ...response } = readAnswer(bridge, 'http', answer, { signal });
      return response;
    } catch (error) {
      if (isMortiseError(error)) throw error;
      throw new MortiseError('network_error', { host: new URL(url).host });
    }
  };
}
