/** Ends something of somebody else's. One end that fails is no reason to leave others undone: Electron throws once a view is gone. */
export function quietly(end: () => void): void {
  try {
    end();
  } catch {
    // As much at an end as it gets.
  }
}
