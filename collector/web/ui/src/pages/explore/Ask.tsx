// One query: its text, what it says, its plot or its values.
import { useMemo } from 'preact/hooks'
import { axisOf, escaped, onGrid, quoted, timesOf, type Matrix, type Vector } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Lack, Notice, SmallTable } from '../../parts'
import { CopyAs } from '../../parts/CopyAs'
import { drawn } from '../../parts/expression'
import { Graph, LINES_MAX } from '../../parts/Graph'
import { QueryField } from '../../parts/QueryField'
import { seriesNames } from '../../parts/series'
import { formatOf, SAID, unitOf, type Unit } from '../../parts/unit'
import { quarter } from '../../time/clock'
import { number } from '../../time/format'
import { param } from '../../url/query'
import { range, setSpan, span, step } from '../../url/range'
import { happened, marksOf, type Streams } from '../host/happened'
import { command, complete, hostsOf, letter, NAMES } from './metrics'

interface Values extends Vector {
  readonly data: Vector['data'] & { readonly resultType: string }
}

export interface AskProps {
  readonly at: number
  readonly points: number
  readonly isTable: boolean
  readonly isStacked: boolean
  readonly hasEvents: boolean
  readonly onRemove?: (() => void) | undefined
}

/** Of more hosts than these the marks would be noise. */
const MARKED_HOSTS_MAX = 20
const EVENTS_MAX = 500

export function Ask({ at, points, isTable, isStacked, hasEvents, onRemove }: AskProps) {
  const name = NAMES[at] ?? 'q'
  const [query, only, sort] = [param(name), param(`${name}only`), param(`${name}sort`)]
  const time = span(range.value, quarter.value)
  const size = step(time, points)
  const axis = axisOf(time, size)
  // What a comparison leaves out is drawn too, with the limit as a line: so is seen how near it is.
  const { query: series, limit, isAbove, isBelow } = useMemo(() => drawn(query.value), [query.value])
  const unit = useMemo(() => unitOf(series), [series])
  const asked = useAnswer<Matrix>(() => (query.value && !isTable ? ['/api/v1/query_range', { query: series, start: axis.from / 1000, end: axis.to / 1000, step: size / 1000 }] : null))
  const now = useAnswer<Values>(() => (query.value && isTable ? ['/api/v1/query', { query: query.value, time: time.to / 1000 }] : null))
  const [known, values] = [useShown(asked).value, useShown(now).value]
  const hosts = useMemo(() => (hasEvents && known ? hostsOf(known.data.result) : []), [known, hasEvents])
  const events = useAnswer<Streams>(
    () => (hosts.length > 0 && hosts.length <= MARKED_HOSTS_MAX ? ['/loki/api/v1/query_range', { query: `{source="muster", host=~${quoted(hosts.map(escaped).join('|'))}}`, start: `${axis.from}000000`, end: `${axis.to}000000`, limit: EVENTS_MAX }] : null),
    { topic: 'events' },
  )
  const heard = useShown(events).value
  const marks = useMemo(() => marksOf(happened(heard), axis).map((mark) => (hosts.length > 1 && mark.host && !mark.text.includes(mark.host) ? { ...mark, text: `${mark.host}: ${mark.text}` } : mark)), [heard, axis.from, axis.to, hosts])
  const lines = useMemo(() => {
    const all = known?.data.result ?? []
    const names = seriesNames(all.map((one) => one.metric))
    return all.map((one, place) => ({ key: JSON.stringify(one.metric), name: names[place] ?? '', values: onGrid(one.values, axis) }))
  }, [known])
  const times = useMemo(() => timesOf(axis), [axis.from, axis.to, size])
  const one = isTable ? now : asked
  const answer = one.answer.value
  const isRefused = answer?.kind === 'refused'
  const title = letter(at)
  const format = formatOf(unit)
  const notes = [SAID[unit], limit !== null && `${isAbove || isBelow ? 'limit' : 'compared with'} ${format(limit)}; what the comparison leaves out is drawn too`, hosts.length > MARKED_HOSTS_MAX && `events of ${hosts.length} hosts are not marked`].filter(Boolean)
  return (
    <section class="card pad stack" aria-label={`Query ${title}`}>
      <QueryField label={`Query ${title}`} value={query.value} onRun={(text) => (text === query.peek() ? one.again() : query.push(text))} complete={complete} wrong={isRefused ? answer.message : null} placeholder="node_load1, or sum by (host) (...)">
        <CopyAs name={`Copy ${title}`} time={time} texts={[['muster query', command(query.value, time, size, range.value.kind === 'last')]]} />
        {onRemove && <Button small kind="quiet" name={`Remove query ${title}`} onClick={onRemove}>Remove</Button>}
      </QueryField>
      {!isRefused && <Lack answer={answer} what={`query ${title}`} onAgain={one.again} />}
      {hosts.length > 0 && !isRefused && <Lack answer={events.answer.value} what="events to mark" onAgain={events.again} flat />}
      {(known?.warnings ?? []).map((text) => <Notice key={text} tone="warning" title="Known to be missing:">{text}</Notice>)}
      {!query.value && <p class="soft">Write a query, or choose a host and one of its metrics.</p>}
      {query.value && !answer && <div class="wait" />}
      {!isTable && !isRefused && known && lines.length === 0 && <p class="soft">No series in this time. Look at the labels, or at a longer time.</p>}
      {!isTable && !isRefused && lines.length > 0 && (
        <Graph
          title={title}
          note={notes.join('; ')}
          times={times}
          lines={lines}
          from={axis.from}
          to={axis.to}
          only={only}
          sort={sort}
          sync="explore"
          height={240}
          onSpan={setSpan}
          format={format}
          binary={unit === 'bytes' || unit === 'bytes/s'}
          isStacked={isStacked}
          marks={marks}
          {...(limit === null ? {} : { threshold: limit, bad: isAbove ? ('above' as const) : isBelow ? ('below' as const) : ('none' as const) })}
        />
      )}
      {isTable && !isRefused && values && <Now values={values} title={title} unit={limit === null || !/\bbool\b/.test(query.value) ? unit : ''} />}
    </section>
  )
}

function Now({ values, title, unit }: { readonly values: Values; readonly title: string; readonly unit: Unit }) {
  const { resultType, result } = values.data
  if (resultType === 'matrix') return <p class="soft">A range of values has no table; put a function such as rate() around it.</p>
  // A scalar is a pair of its time and its value.
  const all = resultType === 'vector' ? result : [{ metric: {}, value: result as unknown as readonly [number, string] }]
  const names = seriesNames(all.map((one) => one.metric))
  const text = (value: string): string => (Number.isFinite(Number(value)) ? (resultType === 'vector' ? formatOf(unit) : number)(Number(value)) : value)
  const rows = all.slice(0, LINES_MAX).map((one, at) => ({ key: JSON.stringify(one.metric), cells: [<span class="mono small any-word">{names[at]}</span>, <span title={one.value[1]}>{text(one.value[1])}</span>] }))
  return (
    <>
      {all.length > LINES_MAX && <p class="small soft">The first {LINES_MAX} of {all.length} series.</p>}
      <SmallTable label={`Values of ${title}`} heads={[['Series'], [SAID[unit] ? `Value, ${SAID[unit]}` : 'Value', 'right']]} rows={rows} none="No series at this time." />
    </>
  )
}
