import { misconfigured } from '../../../src/errors.js';
import { own, type Fields } from './fields.js';

/** The longest message either side takes, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 1 << 20;
/** Below it an address and its headers leave no room for a body. */
const MIN_MESSAGE_BYTES = 4_096;

/** @throws {MortiseError} `configuration_error` for what is no limit: 4,096 to 1,048,576 bytes. */
export function checkedLimit(maxMessageBytes: number = MAX_MESSAGE_BYTES): number {
  const isLimit =
    Number.isInteger(maxMessageBytes) &&
    maxMessageBytes >= MIN_MESSAGE_BYTES &&
    maxMessageBytes <= MAX_MESSAGE_BYTES;
  if (!isLimit) throw misconfigured('maxMessageBytes is a whole number from 4,096 to 1,048,576');
  return maxMessageBytes;
}

/** What goes into `hello`: nothing where the limit is everybody's. */
export const saidLimit = (limit: number): Fields =>
  limit < MAX_MESSAGE_BYTES ? { maxMessageBytes: limit } : {};

/** `limit`, or less where the other side's hello says so; `undefined` when what it says is no limit. */
export function agreedLimit(limit: number, hello: Fields): number | undefined {
  const said = own(hello, 'maxMessageBytes') ?? limit;
  return typeof said === 'number' && said >= MIN_MESSAGE_BYTES
    ? Math.min(limit, Math.floor(said))
    : undefined;
}

/** All of a message but its params or its result, and the name of a body among them. */
const ENVELOPE_BYTES = 1_024;

/**
 * How many bytes of a body fit into one message beside `fields`: base64 makes four of three. At most half a message's;
 * below 0 where not even `fields` fit.
 */
export function roomBeside(fields: Fields, limit: number): number {
  const taken = new TextEncoder().encode(JSON.stringify(fields)).length;
  return Math.min(limit >> 1, Math.floor(((limit - ENVELOPE_BYTES - taken) * 3) / 4));
}
