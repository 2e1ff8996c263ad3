// A week: a column a day, hours downwards, what holds at once side by side. Dragging makes a span, arrows and Enter too.
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { now, quarter } from '../../time/clock'
import { clockTime } from '../../time/format'
import { dayName, daysFrom, firstSpan, GRID_MS, lanes, spanOf, steered, type Item } from './items'
import type { Window } from './recurrence'

export interface WeekProps {
  readonly at: number
  readonly utc: boolean
  readonly items: readonly Item[]
  readonly onOpen: (item: Item) => void
  /** Absent: nothing can be made. */
  readonly onSpan?: ((from: number, to: number) => void) | undefined
}

const HOURS = [0, 3, 6, 9, 12, 15, 18, 21]
const pc = (share: number): string => `${(share * 100).toFixed(3)}%`

export function Week({ at, utc, items, onOpen, onSpan }: WeekProps) {
  const days = daysFrom(at, utc, 7)
  const grid = useRef<HTMLDivElement>(null)
  const drag = useSignal<{ readonly anchor: number; readonly head: number } | null>(null)
  const steer = useSignal<Window | null>(null)
  /** The time under the pointer: over which day, and how far down. */
  const timeAt = (event: PointerEvent): number => {
    const tracks = [...(grid.current?.querySelectorAll<HTMLElement>('.track') ?? [])]
    const boxes = tracks.map((track) => track.getBoundingClientRect())
    const day = Math.max(0, boxes.findLastIndex((box) => event.clientX >= box.left))
    const [box, from, to] = [boxes[day], days[day] ?? 0, days[day + 1] ?? 0]
    const share = box ? Math.min(1, Math.max(0, (event.clientY - box.top) / box.height)) : 0
    return from + Math.round((share * (to - from)) / GRID_MS) * GRID_MS
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!onSpan || event.target !== event.currentTarget || event.ctrlKey || event.altKey || event.metaKey) return
    const span = steer.value
    if (event.key === 'Enter' && span) onSpan(span.from, span.to)
    else if (event.key === 'Escape' && span) steer.value = null
    else {
      const next = span ? steered(span, event.key, event.shiftKey, days) : event.key.startsWith('Arrow') ? firstSpan(days, now()) : null
      if (!next) return
      steer.value = next
    }
    event.preventDefault()
    event.stopPropagation()
  }
  const present = quarter.value
  const chosen = drag.value ? spanOf(drag.value.anchor, drag.value.head) : steer.value
  const words = chosen && `${dayName(chosen.from, utc)} ${clockTime(chosen.from, utc).slice(0, 5)} to ${clockTime(chosen.to, utc).slice(0, 5)}`
  return (
    <div
      ref={grid}
      class="week card"
      role="group"
      aria-label={onSpan ? 'Week. Arrows choose a time, with Shift how long it is, Enter plans it.' : 'Week'}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onBlur={(event) => {
        if (event.target === event.currentTarget) steer.value = null
      }}
    >
      <div class="hours" aria-hidden="true">
        {HOURS.map((hour) => <span key={hour} style={{ top: pc(hour / 24) }}>{String(hour).padStart(2, '0')}:00</span>)}
      </div>
      {days.slice(0, 7).map((from, day) => {
        const to = days[day + 1] ?? from
        const { blocks, count } = lanes(items, { from, to })
        const place = (ms: number): number => (Math.min(to, Math.max(from, ms)) - from) / (to - from)
        const isToday = present >= from && present < to
        return (
          <section key={from} class={`day${isToday ? ' today' : ''}`} aria-label={dayName(from, utc)}>
            <h2>{dayName(from, utc)}</h2>
            <div
              class="track"
              onPointerDown={(event) => {
                if (!onSpan || event.button !== 0 || event.target !== event.currentTarget || event.pointerType === 'touch') return
                event.currentTarget.setPointerCapture(event.pointerId)
                drag.value = { anchor: timeAt(event), head: timeAt(event) }
              }}
              onPointerMove={(event) => {
                if (drag.value) drag.value = { ...drag.value, head: timeAt(event) }
              }}
              onPointerCancel={() => (drag.value = null)}
              onPointerUp={() => {
                const span = drag.value && spanOf(drag.value.anchor, drag.value.head)
                drag.value = null
                if (span && span.from < span.to) onSpan?.(span.from, span.to)
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
              {chosen && chosen.from < to && chosen.to > from && <i class="drag" style={{ top: pc(place(chosen.from)), height: pc(place(chosen.to) - place(chosen.from)) }} />}
              {isToday && <i class="present" style={{ top: pc(place(present)) }} />}
            </div>
          </section>
        )
      })}
      <span class="unseen" role="status">{words}</span>
    </div>
  )
}
