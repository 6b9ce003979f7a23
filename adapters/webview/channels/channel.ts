/** One duplex port for text between a page and whoever shows it. What comes out of it is nobody's until it was checked. */
export interface Channel {
  /** @throws When there is nobody to send to. */
  send(text: string): void;
  /** Returns what unsubscribes. */
  onMessage(listener: (text: string) => void): () => void;
}

/** Hands what a bridge delivers to listeners, each of whom disturbs no other. For channels that have one receiver only. */
export function createListeners(): {
  add(listener: (text: string) => void): () => void;
  tell(message: unknown): void;
} {
  const listeners = new Set<(text: string) => void>();
  return {
    add(listener) {
      const own = (text: string) => listener(text);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    tell(message) {
      const text = toText(message);
      if (text === null) return;
      for (const listener of [...listeners]) {
        try {
          listener(text);
        } catch {
          // A bridge's own code is no place for our errors.
        }
      }
    },
  };
}

/** Some bridges parse JSON by themselves, and hand over what it says. `null` for what is neither. */
export function toText(message: unknown): string | null {
  if (typeof message === 'string') return message;
  try {
    return JSON.stringify(message) ?? null;
  } catch {
    return null; // Cyclic, or a getter that throws.
  }
}
