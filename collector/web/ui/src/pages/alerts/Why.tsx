// Why an alert fired: its course, the series of each of its conditions around the onset, and what its host said then.
import { useMemo } from 'preact/hooks'
import type { Alert, Check, Matrix, Streams } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Choice, Code, Lack, Link, Moment, StateMark } from '../../parts'
import { conditionsOf, drawn, sidesOf } from '../../parts/expression'
import { Plot, type PlotMark } from '../../parts/Plot'
import { formatOf, unitOf } from '../../parts/unit'
import { now } from '../../time/clock'
import { clockTime, count, duration, parseDuration } from '../../time/format'
import { api, to as path } from '../../url/link'
import { param } from '../../url/query'
import { isUtc, step } from '../../url/range'
import { written } from '../calendar/matcher'
import { joined, seriesOf } from './expression'

const around = param('around', '30m')

export function windowOf(alert: Alert, text: string, present: number): { from: number; to: number } {
  const ms = parseDuration(text) ?? 1_800_000
  return { from: alert.active_ms - ms, to: Math.max(alert.active_ms + 60_000, Math.min(present, (alert.ends_ms ?? alert.active_ms) + ms)) }
}

/** More conditions than these are no picture; the expression has them all. */
const CONDITIONS_MAX = 3

export function Why({ alert }: { readonly alert: Alert }) {
  const { from, to } = useMemo(() => windowOf(alert, around.value, now()), [alert.id, alert.state, around.value])
  const conditions = useMemo(() => (alert.expression ? conditionsOf(alert.expression) : []), [alert.expression])
  const check = alert.origin.kind === 'check'
  return (
    <section class="card pad stack">
      <div class="row">
        <h2 class="grow">Why</h2>
        <Choice label="Around the onset" value={around.value} choices={[['10m', '10 m'], ['30m', '30 m'], ['2h', '2 h'], ['6h', '6 h']]} onChoose={(value) => (around.value = value)} />
      </div>
      <Course alert={alert} />
      {alert.expression && <Code text={alert.expression} />}
      {conditions.slice(0, CONDITIONS_MAX).map(({ word, query }, at) => (
        <Series key={query} alert={alert} word={word} condition={query} from={from} to={to} isFirst={at === 0} isAlone={conditions.length === 1} />
      ))}
      {conditions.length > CONDITIONS_MAX && <p class="small soft">{count(conditions.length - CONDITIONS_MAX, 'more condition')} not drawn.</p>}
      {conditions.length > 0 && <p class="small soft"><Link to={path(['explore'], { q: alert.expression, from: Math.round(from), to: Math.round(to) })}>Its series in Metrics</Link></p>}
      {conditions.length === 0 && !check && <p class="soft">It has no expression: {alert.origin.kind === 'pushed' ? `it was pushed${alert.origin.by ? ` by ${alert.origin.by}` : ''}` : `the collector itself watches for it (${alert.origin.kind})`}.</p>}
      {check && alert.origin.host_id && alert.origin.check && <CheckNow host={alert.origin.host_id} check={alert.origin.check} />}
    </section>
  )
}

/** Since when it was pending, fired and was over, and after how long. */
function Course({ alert }: { readonly alert: Alert }) {
  const { active_ms: began, starts_ms: fired, ends_ms: over } = alert
  const waited = fired !== null ? fired - began : 0
  return (
    <dl class="facts">
      {(fired === null || waited >= 1000) && <><dt>Pending since</dt><dd><Moment ms={began} /></dd></>}
      {fired !== null && <><dt>Fires since</dt><dd><Moment ms={fired} />{waited >= 1000 && <span class="soft"> after {duration(waited)} of pending</span>}</dd></>}
      {over !== null && <><dt>Over since</dt><dd><Moment ms={over} /><span class="soft"> after {duration(over - (fired ?? began))}</span></dd></>}
      {alert.receivers.filter(({ told_ms }) => told_ms !== null).map(({ receiver, told_ms }) => <><dt>Told</dt><dd class="any-word"><b>{receiver}</b> <Moment ms={told_ms} /></dd></>)}
    </dl>
  )
}

interface SeriesProps {
  readonly alert: Alert
  readonly word: string
  readonly condition: string
  readonly from: number
  readonly to: number
  /** The alert's value is of the first condition. */
  readonly isFirst: boolean
  /** The expression has no other. */
  readonly isAlone: boolean
}

/** One condition: its series, and what they are compared with as a line, or as series where that is no number. */
function Series({ alert, word, condition, from, to, isFirst, isAlone }: SeriesProps) {
  const { query, limit, isAbove, isBelow, other } = useMemo(() => {
    const made = drawn(condition)
    const sides = made.limit === null ? sidesOf(condition) : null
    return sides ? { ...made, query: sides.left, isAbove: sides.sign.startsWith('>'), other: sides.right } : { ...made, other: null }
  }, [condition])
  const unit = useMemo(() => unitOf(query), [query])
  const format = formatOf(unit)
  const seconds = step({ from, to }, 240, 1000) / 1000
  const grid = { start: Math.floor(from / 1000 / seconds) * seconds, end: to / 1000, step: seconds }
  const asked = useAnswer<Matrix>(() => ['/api/v1/query_range', { query, ...grid }])
  const limits = useAnswer<Matrix>(() => (other ? ['/api/v1/query_range', { query: other, ...grid }] : null))
  const [matrix, limited] = [useShown(asked).value, useShown(limits).value]
  const series = useMemo(() => {
    if (!matrix) return null
    const own = seriesOf(matrix, alert.labels)
    return limited ? joined(own, seriesOf(limited, alert.labels), 'limit') : own
  }, [matrix, limited, alert.id])
  const marks = useMemo(() => {
    const made: PlotMark[] = [{ at: alert.active_ms, text: alert.starts_ms === alert.active_ms ? 'fires' : 'pending', colour: alert.starts_ms === alert.active_ms ? 'critical' : 'warning' }]
    if (alert.starts_ms !== null && alert.starts_ms !== alert.active_ms) made.push({ at: alert.starts_ms, text: 'fires', colour: 'critical' })
    if (alert.ends_ms !== null) made.push({ at: alert.ends_ms, text: 'over', colour: 'ok' })
    return made
  }, [alert.active_ms, alert.starts_ms, alert.ends_ms])
  const title = word ? `${word} ${condition}` : isAlone ? 'Its series' : condition
  const note = [isFirst && `value ${format(alert.value ?? NaN)}`, limit !== null && `${isAbove || isBelow ? 'limit' : 'compared with'} ${format(limit)}`].filter(Boolean).join(', ')
  return (
    <div>
      <Lack answer={asked.answer.value} what="series" onAgain={asked.again} flat />
      {other && <Lack answer={limits.answer.value} what="series of its limit" onAgain={limits.again} flat />}
      {series && series.times.length > 0 && (
        <Plot title={title} note={note} times={series.times} series={series.series} from={from} to={to} marks={marks} format={format} binary={unit === 'bytes' || unit === 'bytes/s'} {...(limit === null ? {} : { threshold: limit, bad: isAbove ? ('above' as const) : isBelow ? ('below' as const) : ('none' as const) })} height={170} sync="alert" />
      )}
      {series && series.times.length === 0 && <p class="soft"><b class="any-word">{title}</b> {note}. No sample of it is kept of this time.</p>}
      {series && series.left > 0 && <p class="small soft">{count(series.left, 'more series', 'more series')} not drawn.</p>}
    </div>
  )
}

function CheckNow({ host, check }: { readonly host: string; readonly check: string }) {
  const asked = useAnswer<{ readonly check: Check }>(() => [api('checks', host, check)], { topic: 'checks' })
  const known = useShown(asked).value?.check
  return (
    <>
      <Lack answer={asked.answer.value} what="check" flat />
      {known && (
        <dl class="facts">
          <dt>Check</dt><dd><StateMark state={known.state} /> {known.check}, seen {known.attempt} of {known.max_attempts}</dd>
          <dt>Output</dt><dd class="mono any-word">{known.output}{known.long_output && <pre>{known.long_output}</pre>}</dd>
          {known.remedy && <><dt>What helps</dt><dd class="any-word">{known.remedy}</dd></>}
        </dl>
      )}
    </>
  )
}

const LINES = 40

/** Lines of its host around the onset: events of the collector, and what was logged. */
export function Evidence({ alert }: { readonly alert: Alert }) {
  const { from, to } = useMemo(() => windowOf(alert, around.value, now()), [alert.id, alert.state, around.value])
  const host = alert.labels['host']
  const question = (operator: '=' | '!='): [string, Record<string, string | number>] | null =>
    host ? ['/loki/api/v1/query_range', { query: `{${written({ name: 'host', operator: '=', value: host })}, source${operator}"muster"}`, start: `${Math.round(from)}000000`, end: `${Math.round(to)}000000`, limit: LINES }] : null
  const events = useAnswer<Streams>(() => question('='), { topic: 'events' })
  const lines = useAnswer<Streams>(() => question('!='))
  if (!host) return <section class="card pad"><h2>Evidence</h2><p class="soft">It is of no host, so that no lines are its own.</p></section>
  return (
    <section class="card pad stack">
      <h2>What {host} said then</h2>
      <Lack answer={events.answer.value} what="events" flat />
      <Lines title="Events" answer={useShown(events).value} onset={alert.active_ms} />
      <Lack answer={lines.answer.value} what="log lines" flat />
      <Lines title="Log lines" answer={useShown(lines).value} onset={alert.active_ms} />
    </section>
  )
}

function Lines({ title, answer, onset }: { readonly title: string; readonly answer: Streams | undefined; readonly onset: number }) {
  if (!answer) return <div class="wait" />
  const rows = answer.data.result.flatMap(({ values }) => values.map(([ns, text]) => ({ ms: Number(ns.slice(0, -6)), text }))).reverse()
  // Those nearest to the onset, in order.
  const near = rows.sort((a, b) => Math.abs(a.ms - onset) - Math.abs(b.ms - onset)).slice(0, 12).sort((a, b) => a.ms - b.ms)
  return (
    <div>
      <h3 class="small soft">{title}{rows.length >= LINES && `: the nearest of the last ${LINES}`}</h3>
      {near.length === 0 ? <p class="small soft">None in this time.</p> : (
        <ol class="said mono">
          {near.map((row, at) => <li key={at}><time class="soft">{clockTime(row.ms, isUtc.value)}</time> <span class="any-word">{row.text}</span></li>)}
        </ol>
      )}
    </div>
  )
}
