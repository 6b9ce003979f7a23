// What Stryker found: kept from run to run, and shown as the score of each folder and file, and as every mutant
// that nobody noticed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const isMissed = ({ status }) => status === 'Survived' || status === 'NoCoverage';
const isCounted = ({ status }) =>
  isMissed({ status }) || status === 'Killed' || status === 'Timeout';

export const readReport = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** For Stryker's `mutate`: what nobody noticed, as ranges, and files that have changed since. */
export const unnoticed = ({ files }, parts) =>
  Object.entries(files)
    .filter(([name]) => parts.length === 0 || parts.some((part) => name.includes(part)))
    .flatMap(([name, { source, mutants }]) =>
      readFileSync(name, 'utf8') === source ? mutants.filter(isMissed).map(rangeOf(name)) : [name],
    );

const rangeOf =
  (name) =>
  ({ location: { start, end } }) => {
    const from = `${start.line}:${start.column - 1}`;
    return `${name}:${from}-${end.line}:${end.column - 1}`;
  };

/** @param isAgain Only some mutants were looked at: the others are as they were. */
export function mergeReport(file, newFile, isAgain) {
  const { files: found } = readReport(newFile);
  const report = existsSync(file) ? readReport(file) : { files: {} };
  for (const [name, { source, mutants }] of Object.entries(found)) {
    const before = report.files[name];
    const news = new Map(mutants.map((mutant) => [nameOf(mutant), mutant]));
    report.files[name] = {
      source,
      mutants:
        isAgain && before?.source === source
          ? before.mutants.map((old) => news.get(nameOf(old)) ?? old)
          : mutants,
    };
  }
  writeFileSync(file, JSON.stringify(report));
  return report;
}

const nameOf = ({ location, mutatorName, replacement }) =>
  JSON.stringify([location, mutatorName, replacement]);

export function printSummary({ files }) {
  const totals = new Map();
  for (const [name, { source, mutants }] of Object.entries(files)) {
    for (const mutant of mutants.filter(isMissed)) console.log(describe(name, source, mutant));
    for (const key of [dirname(name), name]) {
      const { noticed = 0, all = 0 } = totals.get(key) ?? {};
      const counted = mutants.filter(isCounted);
      const missed = counted.filter(isMissed);
      totals.set(key, {
        noticed: noticed + counted.length - missed.length,
        all: all + counted.length,
      });
    }
  }
  for (const [name, { noticed, all }] of [...totals].sort()) {
    const score = all === 0 ? '-' : ((100 * noticed) / all).toFixed(1);
    console.log(`${score.padStart(6)} %  ${String(noticed).padStart(4)} of ${all}  ${name}`);
  }
}

function describe(name, source, { location: { start, end }, mutatorName, replacement, status }) {
  const rows = source.split('\n').slice(start.line - 1, end.line);
  rows[rows.length - 1] = rows[rows.length - 1].slice(0, end.column - 1);
  rows[0] = rows[0].slice(start.column - 1);
  const short = (text = '') => text.replace(/\s+/g, ' ').slice(0, 110);
  const note = status === 'NoCoverage' ? ', and no test comes by' : '';
  return [
    `${name}:${start.line}:${start.column} ${mutatorName}${note}`,
    `    - ${short(rows.join(' '))}`,
    `    + ${short(replacement)}`,
  ].join('\n');
}
