/** One signal that is aborted with the first of several. `free` stops listening to them. */
export interface JoinedSignal {
  readonly signal: AbortSignal;
  free(): void;
}

/** `AbortSignal.any` is younger than the engines of many CAD programs. */
export function joinSignals(signals: readonly (AbortSignal | undefined)[]): JoinedSignal {
  const controller = new AbortController();
  const free = () => {
    for (const each of signals) each?.removeEventListener('abort', abort);
  };
  const abort = () => {
    free();
    controller.abort();
  };
  for (const each of signals) each?.addEventListener('abort', abort);
  if (signals.some((each) => each?.aborted)) abort();
  return { signal: controller.signal, free };
}
