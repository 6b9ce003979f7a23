// Required before a program's own code: what it prints also goes to the file that $MORTISE_TOLD names.
const { appendFileSync } = require('node:fs');

const { MORTISE_TOLD: file } = process.env;
if (file) {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write;
    stream.write = (chunk, ...rest) => {
      appendFileSync(file, chunk);
      return write.call(stream, chunk, ...rest);
    };
  }
}
