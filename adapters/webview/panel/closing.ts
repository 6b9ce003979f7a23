/** One signal that is aborted with another or at the end. `free` stops listening. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  free(): void;
}

/** What ends everything under way. */
export interface Closing {
  readonly isClosed: boolean;
  close(): void;
  /** `AbortSignal.any` is younger than the engines of many CAD programs, and Node warns of a signal that many listen to. */
  join(signal: AbortSignal | undefined): JoinedSignal;
}

export function createClosing(): Closing {
  const underWay = new Set<() => void>();
  let isClosed = false;
  return {
    get isClosed() {
      return isClosed;
    },
    close() {
      isClosed = true;
      for (const abort of [...underWay]) abort();
    },
    join(signal) {
      const controller = new AbortController();
      const free = () => {
        underWay.delete(abort);
        signal?.removeEventListener('abort', abort);
      };
      const abort = () => {
        free();
        controller.abort();
      };
      underWay.add(abort);
      signal?.addEventListener('abort', abort);
      if (isClosed || signal?.aborted) abort();
      return { signal: controller.signal, free };
    },
  };
}
