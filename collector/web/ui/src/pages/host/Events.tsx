// What happened to the host in the span.
import { Filter, VirtualTable, type Column } from '../../parts'
import { second } from '../../time/clock'
import { clockTime, dateTime, shortTime } from '../../time/format'
import { param } from '../../url/query'
import { isUtc } from '../../url/range'
import { toneOf, type Happened } from './happened'

const q = param('q')
const what = param('what')

const COLUMNS: readonly Column<Happened>[] = [
  { name: 'time', title: 'Time', width: '84px', cell: ({ ms }) => <Time ms={ms} /> },
  { name: 'kind', title: 'What', width: '138px', from: 520, cell: (event) => <Kind event={event} /> },
  { name: 'text', title: 'Event', width: 'minmax(0, 1fr)', cell: ({ text }) => <span title={text}>{text}</span> },
  { name: 'by', title: 'By', width: '110px', from: 760, cell: ({ labels }) => <span class="soft small" title={labels['by']}>{labels['by'] ?? ''}</span> },
]

/** Of today to the second, else with its day. */
export function Time({ ms }: { readonly ms: number }) {
  const short = shortTime(ms, second.peek(), isUtc.value)
  return (
    <time class="small soft nowrap" title={dateTime(ms, isUtc.value)}>
      {short.length > 5 ? short : clockTime(ms, isUtc.value).slice(0, 8)}
    </time>
  )
}

export function Kind({ event }: { readonly event: Happened }) {
  const tone = toneOf(event)
  return <span class={`badge tone-${tone === 'accent' ? 'off' : tone}`}>{event.kind.replaceAll('_', ' ')}</span>
}

export function Events({ events, isMore }: { readonly events: readonly Happened[]; readonly isMore: boolean }) {
  const kinds = [...new Set(events.map((event) => event.what))].sort()
  const low = q.value.toLowerCase()
  const rows = events.filter((event) => (what.value === '' || event.what === what.value) && (low === '' || `${event.text} ${event.kind} ${event.labels['by'] ?? ''}`.toLowerCase().includes(low)))
  return (
    <>
      <div class="host-tools">
        <Filter label="Filter events" placeholder="Text in the events" value={q.value} onInput={(text) => (q.value = text)} />
        <span class="chips" role="group" aria-label="Kinds of events">
          {kinds.map((one) => (
            <button key={one} type="button" class="button small" aria-pressed={what.value === one} onClick={() => (what.value = what.value === one ? '' : one)}>
              {one || 'other'} <strong>{events.filter((event) => event.what === one).length}</strong>
            </button>
          ))}
        </span>
      </div>
      {rows.length > 0 ? (
        <VirtualTable label="Events" class="fills" rows={rows} columns={COLUMNS} keyOf={(event) => event.id} rowHeight={32} />
      ) : (
        <div class="card empty">
          <h2>{events.length > 0 ? 'No event fits the filter' : 'Nothing happened in this time'}</h2>
          <p>State changes, boots, alerts, changes by people and losses of this host are told here.</p>
        </div>
      )}
      {isMore && <p class="small soft">The newest {events.length} events; choose a shorter time to see others.</p>}
    </>
  )
}
