export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Digits in threes, as many as tell something: 1,234 and 56.7 and 0.89. */
export function number(value) {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2;
  const format = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString('en-US', format);
}

/** The first row heads the columns; the first column is text, the others line up on the right. */
export function printTable(title, rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  console.log(`\n${title}\n\n${[line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n')}\n`);
}

/** Runs every task once a round, in a new order each time, so that a slow moment hits all alike. */
export async function interleave(rounds, tasks) {
  const results = Object.fromEntries(Object.keys(tasks).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(tasks);
    const order = [...names.slice(round % names.length), ...names.slice(0, round % names.length)];
    if (round % 2) order.reverse();
    for (const name of order) results[name].push(await tasks[name]());
  }
  return results;
}
