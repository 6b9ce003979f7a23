import { hostStore, hostTransport, serveHost } from '../../../adapters/webview/index.js';
import { pageCrypto } from '../../../adapters/web/page-crypto.js';
import { fetchTransport } from '../../../adapters/web/fetch-transport.js';
import { systemClock } from '../../../adapters/web/system-clock.js';
import { memoryStore } from '../../../src/session/memory-store.js';
import { describeClock } from '../../support/clock-contract.js';
import { describeCryptoProvider } from '../../support/crypto-provider-contract.js';
import { createFakeHost } from '../../support/fake-host.js';
import { describeHttpTransport } from '../../support/http-transport-contract.js';
import { describeKeyValueStore } from '../../support/key-value-store-contract.js';
import type { HttpTransport, KeyValueStore } from '../../../src/ports/index.js';
import { createPair } from './panel-pair.js';

/** A panel whose host lends it these. */
function serve(parts: { http?: HttpTransport; store?: KeyValueStore }) {
  const pair = createPair();
  const host = {
    ...createFakeHost({ http: parts.http ?? fetchTransport(), ...parts }),
    clock: systemClock,
  };
  const served = serveHost(host, pair.host, { nonce: pair.nonce, offers: ['http', 'store'] });
  open.push(() => served.close());
  return pair;
}
let open: (() => void)[] = [];
afterEach(() => {
  for (const close of open) close();
  open = [];
});

describeHttpTransport('HTTP through the host', () =>
  hostTransport(serve({ http: fetchTransport() }).bridge()),
);

const stores = new WeakMap<KeyValueStore, KeyValueStore>();
const lend = (store: KeyValueStore) => {
  const lent = hostStore(serve({ store }).bridge());
  stores.set(lent, store);
  return lent;
};
describeKeyValueStore(
  'storage through the host',
  () => lend(memoryStore()),
  (store) => lend(stores.get(store) ?? store),
);

describeClock('a panel', () => ({
  clock: systemClock,
  pass: (ms) => new Promise((done) => setTimeout(done, ms)),
}));
describeCryptoProvider('a panel', () => pageCrypto);
