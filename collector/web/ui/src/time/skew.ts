// The collector's clock, as far as answers tell it: a pure estimate.

/** The collector's time less the browser's lies between these, in ms. */
export interface Bounds {
  readonly low: number
  readonly high: number
}

/** More than this, and the page says so: ages of a minute would be wrong by half. */
export const SKEW_SAID_MS = 30_000

/**
 * What one answer tells: its `Date` (whole seconds, cut off) was now at some moment between the question and the answer.
 * Bounds of several answers are cut down to what they agree on; where they do not, a clock was set, and the new ones count.
 */
export function narrow(before: Bounds | null, date: number, asked: number, answered: number): Bounds {
  const fresh = { low: date - answered, high: date + 1000 - asked }
  if (!before) return fresh
  const both = { low: Math.max(before.low, fresh.low), high: Math.min(before.high, fresh.high) }
  return both.low <= both.high ? both : fresh
}

/** The collector's time less the browser's; 0 where that fits what is known. */
export function offset(bounds: Bounds | null): number {
  if (!bounds || (bounds.low <= 0 && bounds.high >= 0)) return 0
  return Math.round((bounds.low + bounds.high) / 2)
}
