const WIDTH = 12;

/** What a server sends may hold characters that steer a terminal. */
const plain = (text) => String(text ?? '–').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');

/** Lines a person enjoys: steps that stay, and below them one that says what is being waited for. */
export function createTerminal(stream) {
  const isLive = stream.isTTY === true;
  const style = (code) => (text) =>
    isLive && !process.env.NO_COLOR ? `\x1b[${code}m${text}\x1b[0m` : text;
  const [bold, faint, green, red] = [1, 2, 32, 31].map(style);
  let waiting = null;
  let ticking;
  let told = '';
  // Whoever reads may stop early, as `head` does; nothing is wrong then.
  stream.on('error', () => {});

  /** Over what is there and then to its end: cleared first, the line would flicker. */
  const draw = () => {
    const line = isLive && waiting?.();
    if (line) stream.write(`\r${faint(line.slice(0, (stream.columns || 80) - 1))}\x1b[K`);
  };
  const clear = () => {
    if (isLive && waiting) stream.write('\r\x1b[K');
  };
  const print = (text) => {
    clear();
    stream.write(`${text}\n`);
    draw();
  };
  /** Indented, and not broken within a word; where nobody looks, a line stays a line. */
  const wrap = (line) => {
    const width = isLive ? Math.max(40, (stream.columns || 80) - 5) : Infinity;
    const words = line.split(' ');
    const lines = [words.shift()];
    for (const word of words) {
      if (`${lines.at(-1)} ${word}`.length > width) lines.push(word);
      else lines.push(`${lines.pop()} ${word}`);
    }
    return lines.map((each) => each && `    ${each}`);
  };
  const left = (untilMs) => {
    const seconds = Math.max(0, Math.round((untilMs - Date.now()) / 1000));
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left, Ctrl-C stops`;
  };
  const stopWaiting = () => {
    clear();
    clearInterval(ticking);
    waiting = null;
    told = '';
  };
  return {
    print,
    faint,
    title: (text) => print(`\n${bold('Mortise')}  ${text}\n`),
    note: (text) => print(`\n${faint(text)}`),
    step: (name, text) => {
      const [first, ...rest] = text.split('\n').map(plain);
      print([`  ${green('●')} ${name.padEnd(WIDTH)} ${first}`, ...rest].join('\n'));
    },
    fail: (message, hint) =>
      print(
        [
          `  ${red('✗')} ${bold(plain(message))}`,
          ...hint.split('\n').flatMap((line) => wrap(plain(line))),
          '',
        ].join('\n'),
      ),
    /** Columns as wide as what is in them, below a caption if there is one. */
    table: (headings, rows, caption) => {
      if (caption) print(`\n${bold(plain(caption))}`);
      if (rows.length === 0) return;
      const cells = [headings, ...rows].map((row) => row.map(plain));
      const widths = headings.map((_, column) =>
        Math.max(...cells.map((row) => [...row[column]].length)),
      );
      const [head, ...lines] = cells.map((row) =>
        row.map((cell, column) => cell + ' '.repeat(widths[column] - [...cell].length)).join('  '),
      );
      const rule = widths.map((width) => '─'.repeat(width)).join('  ');
      print(
        ['', bold(head.trimEnd()), faint(rule), ...lines.map((line) => line.trimEnd())].join(
          '\n  ',
        ),
      );
    },
    /** Told once, and only if it may take long, where lines cannot be rewritten. */
    wait: (text, untilMs) => {
      clearInterval(ticking);
      waiting = () => `  … ${text}${untilMs ? ` (${left(untilMs)})` : ''}`;
      draw();
      if (untilMs && isLive) ticking = setInterval(draw, 1000).unref();
      if (untilMs && !isLive && told !== text) print(waiting());
      told = text;
    },
    stopWaiting,
  };
}
