import { TextDecoder, TextEncoder } from '@exodus/bytes/encoding-lite.js';
import * as whatwg from 'whatwg-url';
import { createAbortNames } from './abort-names.js';

/**
 * Puts what the engine lacks of the six web names of `src/runtime.d.ts` on `globalThis`, and leaves alone what
 * is there. `createEngineHost` calls it, and the one-file bundle when it is loaded.
 *
 * `URL` and `URLSearchParams` are those of whatwg-url, which keeps to the URL Standard with its host names
 * (UTS #46): an address that reads one way here and another way in the host's HTTP library could send a token
 * astray. `TextEncoder` and `TextDecoder` are those of @exodus/bytes.
 */
export function installWebNames(): void {
  const { URL, URLSearchParams } = whatwg;
  const names = { URL, URLSearchParams, TextEncoder, TextDecoder, ...createAbortNames() };
  for (const [name, value] of Object.entries(names)) {
    if (name in globalThis) continue;
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}
