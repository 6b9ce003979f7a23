/**
 * How long a server asks to be left alone, or `null` when it does not say so in a way that makes sense.
 *
 * @param value Seconds, fractions tolerated, or an HTTP date. Never negative.
 * @see RFC 9110 section 10.2.3
 */
export function readRetryAfterMs(value: string | null | undefined, nowMs: number): number | null {
  if (!value || value.length > 64) return null;
  const ms = /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, Math.ceil(ms)) : null;
}
