export interface WalkOptions {
  /** Levels below the start; 1 is the children alone. Default: all. */
  readonly maxDepth?: number;
  /** Nodes asked about at once. Default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

export interface WalkStep<Node> {
  readonly node: Node;
  /** 1 for the children of the start. */
  readonly depth: number;
  readonly parentId: string;
}

/**
 * Visits a tree level by level, in the order the platform lists it, asking about a few nodes ahead. A node
 * met twice is visited once, so a tree with a loop in it ends. Leaving early stops what is under way.
 */
export async function* walkTree<Node extends { readonly id: string }>(
  rootId: string,
  browse: (nodeId: string, options: { signal: AbortSignal }) => Promise<Node[]>,
  { maxDepth = Infinity, concurrency = 4, signal }: WalkOptions = {},
): AsyncGenerator<WalkStep<Node>> {
  const stopper = new AbortController();
  const stop = () => stopper.abort();
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop);
  const seen = new Set([rootId]);
  const toBrowse = maxDepth < 1 ? [] : [{ id: rootId, depth: 0 }];
  const ahead: Promise<Node[]>[] = [];
  try {
    for (let next = 0; ; next += 1) {
      while (ahead.length < toBrowse.length && ahead.length < next + Math.max(1, concurrency)) {
        const { id } = toBrowse[ahead.length] ?? { id: rootId };
        const nodes = browse(id, { signal: stopper.signal });
        nodes.catch(() => {}); // Its turn to be waited for comes later, or never.
        ahead.push(nodes);
      }
      const parent = toBrowse[next];
      const children = await ahead[next];
      if (!parent || !children) return;
      const depth = parent.depth + 1;
      for (const node of children) {
        if (seen.has(node.id)) continue;
        seen.add(node.id);
        if (depth < maxDepth) toBrowse.push({ id: node.id, depth });
        yield { node, depth, parentId: parent.id };
      }
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
  }
}
