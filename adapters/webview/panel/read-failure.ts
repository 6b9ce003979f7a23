import type { MortiseError } from '../../../src/errors.js';
import { textOf, type Fields } from '../protocol/fields.js';
import { RPC } from '../protocol/message.js';
import { readError, unavailable } from '../protocol/wire-error.js';

/** What a host's error answer means to the caller. */
export function readFailure(code: number, data: Fields): MortiseError {
  if (code === RPC.unknownMethod) return unavailable('the host does not know this request');
  if (textOf(data, 'code') !== undefined) return readError(data);
  return unavailable('the host refused the request');
}
