import { numberOf, textsOf, type Fields } from '../protocol/fields.js';
import { agreedLimit, saidLimit } from '../protocol/message-limit.js';
import { unavailable } from '../protocol/wire-error.js';

const PROTOCOL = 1;

/** What a panel says first. */
export const helloParams = (limit: number): Fields => ({
  protocol: PROTOCOL,
  ...saidLimit(limit),
});

/** What the host can do, and how long a message to it may be. */
export interface Greeting {
  readonly offers: readonly string[];
  readonly limit: number;
}

/** @throws {MortiseError} `bridge_unavailable` for a host that cannot be spoken to. */
export function readHello(hello: Fields, ownLimit: number): Greeting {
  if (numberOf(hello, 'protocol') !== PROTOCOL) {
    throw unavailable('the host speaks another version of the protocol');
  }
  const limit = agreedLimit(ownLimit, hello);
  if (limit === undefined) throw unavailable('the host takes no messages of a useful length');
  return { limit, offers: textsOf(hello, 'offers') ?? [] };
}
