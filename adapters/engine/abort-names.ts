/** What `src/runtime.d.ts` says of the two: less than the DOM has. */
export interface AbortNames {
  readonly AbortController: object;
  readonly AbortSignal: object;
}

/** DOM Standard, section 3. A listener that throws disturbs no other. */
export function createAbortNames(): AbortNames {
  /** What ends a signal is with its controller alone. */
  const endings = new WeakMap<Signal, () => void>();

  class Signal {
    aborted = false;

    constructor() {
      const listeners = this.#listeners;
      endings.set(this, () => {
        if (this.aborted) return;
        this.aborted = true;
        // A listener that an earlier one removes is not told.
        for (const listener of listeners) {
          listeners.delete(listener);
          try {
            listener.call(this);
          } catch {
            // There is nobody to report it to.
          }
        }
      });
    }

    readonly #listeners = new Set<() => void>();

    /** Everyone is told at most once, whatever the options say. */
    addEventListener(type: string, listener: () => void): void {
      if (type === 'abort' && !this.aborted) this.#listeners.add(listener);
    }

    removeEventListener(_type: string, listener: () => void): void {
      this.#listeners.delete(listener);
    }

    static abort(): Signal {
      const controller = new Controller();
      controller.abort();
      return controller.signal;
    }
  }

  class Controller {
    readonly signal = new Signal();

    abort(): void {
      endings.get(this.signal)?.();
    }
  }

  return { AbortController: Controller, AbortSignal: Signal };
}
