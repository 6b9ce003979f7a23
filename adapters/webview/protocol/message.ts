import { MortiseError } from '../../../src/errors.js';
import { fieldsOf, isFields, numberOf, own, textOf, type Fields } from './fields.js';
import { MAX_MESSAGE_BYTES } from './message-limit.js';

export const RPC = { unknownMethod: -32601, invalidParams: -32602, failed: -32000 } as const;

/** JSON-RPC 2.0 with a nonce: who cannot name it does not speak here. */
export type Message =
  | {
      readonly kind: 'request';
      readonly id: string;
      readonly method: string;
      readonly params: Fields;
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: Fields }
  | { readonly kind: 'result'; readonly id: string; readonly result: Fields }
  | { readonly kind: 'error'; readonly id: string; readonly code: number; readonly data: Fields };

/** `null` for whatever is to be dropped: no JSON, another's nonce, too long, no message of ours. Never throws. */
export function readMessage(
  text: unknown,
  nonce: string,
  maxBytes = MAX_MESSAGE_BYTES,
): Message | null {
  if (typeof text !== 'string' || isLonger(text, maxBytes)) return null;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isFields(message) || own(message, 'jsonrpc') !== '2.0') return null;
  if (!isSame(own(message, 'nonce'), nonce)) return null;
  const id = textOf(message, 'id', 200);
  if (id === undefined && own(message, 'id') !== undefined) return null;
  const method = own(message, 'method');
  if (typeof method === 'string' && method.length <= 100) {
    const params = fieldsOf(message, 'params') ?? {};
    return id === undefined
      ? { kind: 'notification', method, params }
      : { kind: 'request', id, method, params };
  }
  if (id === undefined) return null;
  const error = fieldsOf(message, 'error');
  if (error) {
    return {
      kind: 'error',
      id,
      code: numberOf(error, 'code') ?? 0,
      data: fieldsOf(error, 'data') ?? {},
    };
  }
  const result = fieldsOf(message, 'result');
  return result ? { kind: 'result', id, result } : null;
}

/** @throws {MortiseError} `configuration_error` when it is longer than the other side takes. */
export function writeMessage(message: Fields, nonce: string, maxBytes = MAX_MESSAGE_BYTES): string {
  const text = JSON.stringify({ jsonrpc: '2.0', nonce, ...message });
  if (isLonger(text, maxBytes)) {
    const problem = `a message longer than ${maxBytes} bytes does not pass the bridge`;
    throw new MortiseError('configuration_error', { problem });
  }
  return text;
}

function isLonger(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  // At most three bytes for each UTF-16 unit, so most need no counting.
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

/** Looks at every character, so that the time it takes tells nothing. */
function isSame(received: unknown, expected: string): boolean {
  if (typeof received !== 'string' || received.length !== expected.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i += 1) {
    difference |= received.charCodeAt(i) ^ expected.charCodeAt(i);
  }
  return difference === 0;
}
