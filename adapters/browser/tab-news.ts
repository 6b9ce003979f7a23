/** Tells the other tabs of an origin what has changed, and hears of it from them. */
export interface TabNews {
  /** Never throws: where there is no channel, others notice at their next use. */
  tell(what: string): void;
  /** Calls `changed` soon after `what` was told here or in another tab. Returns what ends it. Never throws. */
  watch(what: string, changed: () => void): () => void;
}

/**
 * News by a BroadcastChannel, which is open while somebody watches. What arrives is a name, compared and never
 * used: any script of the origin can send it.
 */
export function createTabNews(name: string): TabNews {
  const watchers = new Set<{ readonly what: string; readonly changed: () => void }>();
  let channel: BroadcastChannel | null = null;

  const hear = ({ data }: MessageEvent<unknown>) => {
    for (const watcher of [...watchers]) {
      if (watcher.what === data && watchers.has(watcher)) watcher.changed();
    }
  };

  return {
    tell(what) {
      // One of its own: a channel does not hear itself, and there may be other sessions in this tab.
      const sender = openChannel(name);
      sender?.postMessage(what);
      sender?.close();
    },
    watch(what, changed) {
      const watcher = { what, changed };
      watchers.add(watcher);
      if (!channel) {
        channel = openChannel(name);
        channel?.addEventListener('message', hear);
      }
      return () => {
        watchers.delete(watcher);
        if (watchers.size > 0) return;
        channel?.close();
        channel = null;
      };
    },
  };
}

function openChannel(name: string): BroadcastChannel | null {
  try {
    return new BroadcastChannel(name);
  } catch {
    return null;
  }
}
