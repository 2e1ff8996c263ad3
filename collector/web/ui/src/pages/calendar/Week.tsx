// A week: a column a day, hours downwards, what holds at once side by side. Dragging over a day makes a span.
import { useSignal } from '@preact/signals'
import { quarter } from '../../time/clock'
import { clockTime } from '../../time/format'
import { dayName, daysFrom, lanes, type Item } from './items'

export interface WeekProps {
  readonly at: number
  readonly utc: boolean
  readonly items: readonly Item[]
  readonly onOpen: (item: Item) => void
  /** Absent: nothing can be made. */
  readonly onSpan?: ((from: number, to: number) => void) | undefined
}

/** Dragged spans begin and end at these. */
const GRID = 1 / 96
const HOURS = [0, 3, 6, 9, 12, 15, 18, 21]
const pc = (share: number): string => `${(share * 100).toFixed(3)}%`

export function Week({ at, utc, items, onOpen, onSpan }: WeekProps) {
  const days = daysFrom(at, utc, 7)
  const drag = useSignal<{ day: number; from: number; to: number } | null>(null)
  const share = (event: PointerEvent & { readonly currentTarget: HTMLElement }): number => {
    const box = event.currentTarget.getBoundingClientRect()
    return Math.min(1, Math.max(0, Math.round((event.clientY - box.top) / box.height / GRID) * GRID))
  }
  const present = quarter.value
  return (
    <div class="week card" role="group" aria-label="Week">
      <div class="hours" aria-hidden="true">
        {HOURS.map((hour) => <span key={hour} style={{ top: pc(hour / 24) }}>{String(hour).padStart(2, '0')}:00</span>)}
      </div>
      {days.slice(0, 7).map((from, day) => {
        const to = days[day + 1] ?? from
        const { blocks, count } = lanes(items, { from, to })
        const place = (ms: number): number => (ms - from) / (to - from)
        const isToday = present >= from && present < to
        return (
          <section key={from} class={`day${isToday ? ' today' : ''}`} aria-label={dayName(from, utc)}>
            <h2>{dayName(from, utc)}</h2>
            <div
              class="track"
              onPointerDown={(event) => {
                if (!onSpan || event.button !== 0 || event.target !== event.currentTarget || event.pointerType === 'touch') return
                event.currentTarget.setPointerCapture(event.pointerId)
                drag.value = { day, from: share(event), to: share(event) }
              }}
              onPointerMove={(event) => {
                if (drag.value?.day === day) drag.value = { ...drag.value, to: share(event) }
              }}
              onPointerCancel={() => (drag.value = null)}
              onPointerUp={() => {
                const span = drag.value
                drag.value = null
                if (!span || span.from === span.to) return
                const [a, b] = [Math.min(span.from, span.to), Math.max(span.from, span.to)]
                onSpan?.(from + a * (to - from), from + b * (to - from))
              }}
            >
              {blocks.map(({ item, lane, from: begins, to: ends }) => (
                <button
                  key={item.key + begins}
                  type="button"
                  class={`block ${item.kind} ${item.state}`}
                  style={{ top: pc(place(begins)), height: pc(place(ends) - place(begins)), left: pc(lane / count), width: pc(1 / count) }}
                  title={`${item.kind} ${item.matchers.join(', ')}: ${item.reason} (${item.by})`}
                  onClick={() => onOpen(item)}
                >
                  <b>{clockTime(begins, utc).slice(0, 5)}</b> {item.reason || item.matchers.join(', ')}
                </button>
              ))}
              {drag.value?.day === day && <i class="drag" style={{ top: pc(Math.min(drag.value.from, drag.value.to)), height: pc(Math.abs(drag.value.to - drag.value.from)) }} />}
              {isToday && <i class="present" style={{ top: pc(place(present)) }} />}
            </div>
          </section>
        )
      })}
    </div>
  )
}
