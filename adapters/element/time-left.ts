/** Such as `4:59`, in the digits of `language` (a BCP 47 tag; empty: the engine's own). */
export function timeLeft(leftMs: number, language: string): string {
  const seconds = Math.max(0, Math.ceil(leftMs / 1000));
  const write = numberWriter(language);
  return `${write(Math.floor(seconds / 60), 1)}:${write(seconds % 60, 2)}`;
}

type NumberWriter = (value: number, digits: number) => string;

function numberWriter(language: string): NumberWriter {
  return (value, minimumIntegerDigits) => {
    try {
      return new Intl.NumberFormat(language || undefined, { minimumIntegerDigits }).format(value);
    } catch {
      // No Intl in some engines; or what the page says of its language is no tag.
      return String(value).padStart(minimumIntegerDigits, '0');
    }
  };
}
