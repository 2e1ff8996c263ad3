// The only file that reads the browser's clock. Ages are told by the collector's clock, since it stamped what they are of.
import { computed, signal } from '@preact/signals'
import { narrow, offset, SKEW_SAID_MS, type Bounds } from './skew'

const bounds = signal<Bounds | null>(null)

/** Milliseconds by the browser's own clock. */
export function ownNow(): number {
  return Date.now()
}

/** What an answer's `Date` header tells. */
export function heard(date: string | null, asked: number, answered: number): void {
  const ms = date === null ? NaN : Date.parse(date)
  if (!Number.isNaN(ms)) bounds.value = narrow(bounds.peek(), ms, asked, answered)
}

/** The collector's time less the browser's, in ms. */
export const skew = computed(() => offset(bounds.value))

/** Whether the browser's clock is so wrong that the page says so. */
export const isSkewed = computed(() => Math.abs(skew.value) > SKEW_SAID_MS)

/** Milliseconds by the collector's clock, of this moment. */
export function now(): number {
  return ownNow() + skew.peek()
}

const beat = signal(0)
/** The collector's time, each second anew: reading it subscribes. */
export const second = computed(() => (beat.value, ownNow() + skew.value))
/** As `second`, each 15 s: for what costs more than a text. */
const slowBeat = signal(0)
export const quarter = computed(() => (slowBeat.value, ownNow() + skew.value))

if (typeof window !== 'undefined') {
  const tick = (): void => {
    // A hidden page needs no time; when it is shown again it has it at once.
    if (document.hidden) return
    beat.value += 1
    if (beat.value % 15 === 0) slowBeat.value += 1
  }
  setInterval(tick, 1000)
  document.addEventListener('visibilitychange', tick)
}
