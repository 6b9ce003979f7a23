const WIDTH = 12;

/** Lines a person enjoys: steps that stay, and one line that says what is being waited for. */
export function createTerminal(stream) {
  const isLive = stream.isTTY === true;
  const style = (code) => (text) =>
    isLive && !process.env.NO_COLOR ? `\x1b[${code}m${text}\x1b[0m` : text;
  const [bold, faint, green, red] = [1, 2, 32, 31].map(style);
  let waiting;
  let shown = '';

  const clear = () => isLive && stream.write('\r\x1b[K');
  const print = (text) => {
    clear();
    stream.write(`${text}\n`);
  };
  const left = (untilMs) => {
    const seconds = Math.max(0, Math.round((untilMs - Date.now()) / 1000));
    return `, ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left (Ctrl-C stops)`;
  };
  const stopWaiting = () => {
    clearInterval(waiting);
    waiting = undefined;
    shown = '';
    clear();
  };
  return {
    print,
    faint,
    title: (text) => print(`\n${bold('Mortise')}  ${text}\n`),
    note: (text) => print(`\n${faint(text)}`),
    step: (name, text) => {
      const [first, ...rest] = text.split('\n');
      print(`  ${green('●')} ${name.padEnd(WIDTH)} ${first}`);
      for (const line of rest) print(line);
    },
    fail: (message, hint) => print(`\n  ${red('✗')} ${bold(message)}\n    ${hint}`),
    /** Told once where lines cannot be rewritten. */
    wait: (text, untilMs) => {
      clearInterval(waiting);
      const line = () => `    ${text}${untilMs ? left(untilMs) : ' …'}`;
      if (!isLive) {
        if (untilMs && shown !== text) print(line());
        shown = text;
        return;
      }
      const draw = () => stream.write(`\r\x1b[K${faint(line())}`);
      draw();
      if (untilMs) waiting = setInterval(draw, 1000).unref();
    },
    stopWaiting,
  };
}
