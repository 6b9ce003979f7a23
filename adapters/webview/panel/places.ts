import { untilAborted } from '../protocol/until-aborted.js';

/** So many tasks at once; who comes later begins when one of them is over. Each of them has a limit of its own. */
export function createPlaces(
  count: number,
): <T>(task: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  const waiting: (() => void)[] = [];
  let taken = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else taken -= 1;
  };
  return async (task, signal) => {
    if (taken < count) {
      taken += 1;
    } else {
      let enter = () => {};
      const turn = new Promise<void>((resolve) => waiting.push((enter = resolve)));
      try {
        await untilAborted(turn, signal);
      } catch (error) {
        const place = waiting.indexOf(enter);
        // It may have been given one in this very moment.
        if (place < 0) leave();
        else waiting.splice(place, 1);
        throw error;
      }
    }
    return task().finally(leave);
  };
}
