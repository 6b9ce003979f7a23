import { MortiseError } from '../../../src/errors.js';
import type { Fields } from '../protocol/fields.js';
import { isFields, own } from '../protocol/fields.js';
import { releaseOpened } from '../protocol/late-answers.js';
import { RPC } from '../protocol/message.js';
import { writeError } from '../protocol/wire-error.js';

/** What one request may do beside answering. */
export interface Call {
  /** Aborted when the panel withdraws the request, or is gone. */
  readonly signal: AbortSignal;
  /** Aborted only when the panel withdraws it. */
  readonly withdrawn: AbortSignal;
}

export type Method = (params: Fields, call: Call) => Promise<Fields>;

/** Requests of one page: each is answered once, whatever becomes of its work. */
export interface Requests {
  /** Whether one with this id waits for its answer. */
  isUnderWay(id: string): boolean;
  /** Runs it and answers. Never rejects. */
  answer(id: string, method: string, params: Fields): Promise<void>;
  /** Answered at once, and its place is free. What its work opens all the same is closed. */
  withdraw(id: string): void;
  /** The page is gone: the work ends, and nothing is answered any more. */
  close(): void;
}

const MAX_UNDER_WAY = 64;
const MAX_REMEMBERED = 1_000;

/** Who frees something is never turned away, nor held back. */
const isFreeing = (method: string) => method.endsWith('.close');

interface UnderWay {
  readonly method: string;
  readonly gone: AbortController;
  readonly withdrawn: AbortController;
}

/** `post` throws where a message cannot be sent. */
export function createRequests(
  find: (method: string) => Method | undefined,
  post: (message: Fields) => void,
): Requests {
  const underWay = new Map<string, UnderWay>();

  const refuse = (id: string, error: unknown) => {
    const full = toRpcError(error);
    // What a server said may be longer than a message; which failure it is always fits.
    for (const each of [full, briefOf(full)]) {
      try {
        return post({ id, error: each });
      } catch {
        // The view is gone, if it is not the length; whoever owns it closes this.
      }
    }
  };
  const release = (method: string, result: Fields) =>
    releaseOpened(method, result, (closing, params) => {
      const { signal } = new AbortController();
      find(closing)?.(params, { signal, withdrawn: signal }).catch(() => {});
    });

  return {
    isUnderWay: (id) => underWay.has(id),
    async answer(id, method, params) {
      const gone = new AbortController();
      const withdrawn = new AbortController();
      const call: UnderWay = { method, gone, withdrawn };
      const isWaitedFor = () => underWay.get(id) === call;
      underWay.set(id, call);
      try {
        const run = find(method);
        if (!run) throw UNKNOWN_METHOD;
        if (underWay.size > MAX_UNDER_WAY && !isFreeing(method)) {
          throw new MortiseError('rate_limited', { status: 0, retryAfterMs: null });
        }
        const result = await run(params, { signal: gone.signal, withdrawn: withdrawn.signal });
        try {
          if (!isWaitedFor()) throw new MortiseError('aborted', {});
          post({ id, result });
        } catch (error) {
          release(method, result);
          throw error;
        }
      } catch (error) {
        if (isWaitedFor()) refuse(id, error);
      } finally {
        if (isWaitedFor()) underWay.delete(id);
      }
    },
    withdraw(id) {
      const call = underWay.get(id);
      if (!call || isFreeing(call.method)) return;
      underWay.delete(id);
      refuse(id, new MortiseError('aborted', {}));
      call.withdrawn.abort();
      call.gone.abort();
    },
    close() {
      const left = [...underWay.values()];
      underWay.clear();
      for (const { gone } of left) gone.abort();
    },
  };
}

/** Tells a request that was sent twice. Remembers the last 1,000. */
export function createRepetitions(): (id: string) => boolean {
  /** The oldest first. */
  const remembered = new Set<string>();
  return (id) => {
    if (remembered.has(id)) return true;
    remembered.add(id);
    for (const oldest of remembered) {
      if (remembered.size <= MAX_REMEMBERED) break;
      remembered.delete(oldest);
    }
    return false;
  };
}

const UNKNOWN_METHOD = Symbol('unknown method');

/** Thrown by a method for `params` it cannot read. */
export const invalidParams = (name: string): { readonly invalidParams: string } => ({
  invalidParams: name,
});

export const isInvalidParams = (error: unknown): error is { readonly invalidParams: string } =>
  isFields(error) && typeof own(error, 'invalidParams') === 'string';

function toRpcError(error: unknown): Fields {
  if (error === UNKNOWN_METHOD) return { code: RPC.unknownMethod, message: 'unknown method' };
  if (isInvalidParams(error)) {
    return { code: RPC.invalidParams, message: `wrong or missing: ${error.invalidParams}` };
  }
  const data = writeError(error);
  return { code: RPC.failed, message: String(data['code']).split('_').join(' '), data };
}

/** The same without what it says of itself. */
function briefOf({ data, ...error }: Fields): Fields {
  return isFields(data) ? { ...error, data: { code: data['code'] } } : error;
}
