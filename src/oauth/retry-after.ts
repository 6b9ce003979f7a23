/**
 * How long a server asks to be left alone, or `null` when it does not say so in a way that makes sense.
 *
 * @param value Seconds, fractions tolerated, or an HTTP date. Never negative.
 * @see RFC 9110 section 10.2.3
 */
export function readRetryAfterMs(value: string | null | undefined, nowMs: number): number | null {
  const text = value?.trim() ?? '';
  const isSeconds = /^\d{1,12}(\.\d{1,12})?$/.test(text);
  // Date.parse takes nearly anything with a number in it for a date.
  if (!isSeconds && !/^[a-z]{3,9},? [\w :-]{17,30}$/i.test(text)) return null;
  const ms = isSeconds ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, Math.ceil(ms)) : null;
}
