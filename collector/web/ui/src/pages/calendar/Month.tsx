// A month: six weeks of days, each with what holds on it.
import { quarter } from '../../time/clock'
import { clockTime } from '../../time/format'
import { dayName, daysFrom, monthStart, occurrences, type Item } from './items'

export interface MonthProps {
  readonly at: number
  readonly utc: boolean
  readonly items: readonly Item[]
  readonly onOpen: (item: Item) => void
  readonly onDay: (ms: number) => void
}

/** Of a day; the rest is counted. */
const SHOWN = 3

export function Month({ at, utc, items, onOpen, onDay }: MonthProps) {
  const [first, next] = [monthStart(at, utc), monthStart(at, utc, 1)]
  const days = daysFrom(first, utc, 42)
  return (
    <div class="month card" role="group" aria-label="Month">
      {days.slice(0, 42).map((from, day) => {
        const to = days[day + 1] ?? from
        const held = items.flatMap((item) => occurrences(item, { from, to }).slice(0, 1).map((window) => ({ item, window })))
        const classes = ['date', from < first || from >= next ? 'other' : '', quarter.value >= from && quarter.value < to ? 'today' : '']
        return (
          <section key={from} class={classes.join(' ')} aria-label={dayName(from, utc)}>
            <button type="button" class="number" onClick={() => onDay(from)} aria-label={`Week of ${dayName(from, utc)}`}>
              {dayName(from, utc, day < 7 ? { weekday: 'short', day: 'numeric' } : { day: 'numeric' })}
            </button>
            {held.slice(0, SHOWN).map(({ item, window }) => (
              <button key={item.key} type="button" class={`chip ${item.kind} ${item.state}`} title={item.matchers.join(', ')} onClick={() => onOpen(item)}>
                {window.from > from && <b>{clockTime(window.from, utc).slice(0, 5)} </b>}
                {item.reason || item.matchers.join(', ')}
              </button>
            ))}
            {held.length > SHOWN && <span class="small soft">{held.length - SHOWN} more</span>}
          </section>
        )
      })}
    </div>
  )
}
