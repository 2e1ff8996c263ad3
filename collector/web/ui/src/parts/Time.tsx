// Times and ages that go on by themselves.
import { useComputed, useSignal } from '@preact/signals'
import { second } from '../time/clock'
import { age, dateTime, shortTime } from '../time/format'
import { isUtc } from '../url/range'

export interface AgeProps {
  /** Milliseconds since 1970; null: never. */
  readonly ms: number | null | undefined
  /** Said before and after. */
  readonly before?: string
  readonly after?: string
}

/** How long ago, each second anew; the time itself as its title. Only this text changes, not what is around it. */
export function Age({ ms, before = '', after = '' }: AgeProps) {
  const at = useSignal(ms)
  at.value = ms
  const text = useComputed(() => (inWords(at.value, second.value, before, after)))
  if (ms == null) return <span class="soft">never</span>
  return (
    <time dateTime={iso(ms)} title={dateTime(ms, isUtc.value)} class="nowrap">
      {text}
    </time>
  )
}

function inWords(ms: number | null | undefined, now: number, before: string, after: string): string {
  if (ms == null) return 'never'
  const text = age(ms, now)
  if (text === 'now') return after ? 'just now' : text
  // What lies ahead is not ago.
  return before + text + (text.startsWith('in ') ? '' : after)
}

/** A moment. `short` leaves today's date out. */
export function Moment({ ms, short = false }: { readonly ms: number | null | undefined; readonly short?: boolean }) {
  if (ms == null) return <span class="soft">-</span>
  const utc = isUtc.value
  return (
    <time dateTime={iso(ms)} title={dateTime(ms, utc)} class="nowrap">
      {short ? shortTime(ms, second.peek(), utc) : dateTime(ms, utc)}
    </time>
  )
}

function iso(ms: number): string | undefined {
  // Beyond what dates can be, which somebody's clock may say.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : undefined
}
