// Why an alert fired: its expression, the series around its onset, and what its host said then.
import { useMemo } from 'preact/hooks'
import type { Alert, Check, Matrix, Streams } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Choice, Code, Lack, StateMark } from '../../parts'
import { drawn } from '../../parts/expression'
import { Plot, type PlotMark } from '../../parts/Plot'
import { now } from '../../time/clock'
import { clockTime, number, parseDuration } from '../../time/format'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { isUtc, step } from '../../url/range'
import { written } from '../calendar/matcher'
import { seriesOf } from './expression'

const around = param('around', '30m')

export function windowOf(alert: Alert, text: string, present: number): { from: number; to: number } {
  const ms = parseDuration(text) ?? 1_800_000
  return { from: alert.active_ms - ms, to: Math.max(alert.active_ms + 60_000, Math.min(present, (alert.ends_ms ?? alert.active_ms) + ms)) }
}

export function Why({ alert }: { readonly alert: Alert }) {
  const { from, to } = useMemo(() => windowOf(alert, around.value, now()), [alert.id, alert.state, around.value])
  const { query, limit, isAbove } = useMemo(() => drawn(alert.expression ?? ''), [alert.expression])
  const seconds = step({ from, to }, 240, 1000) / 1000
  const asked = useAnswer<Matrix>(() => (query ? ['/api/v1/query_range', { query, start: from / 1000, end: to / 1000, step: seconds }] : null))
  const matrix = useShown(asked).value
  const series = useMemo(() => (matrix ? seriesOf(matrix, alert.labels) : null), [matrix, alert.id])
  const marks: PlotMark[] = [{ at: alert.active_ms, text: 'began' }]
  if (alert.starts_ms !== null && alert.starts_ms !== alert.active_ms) marks.push({ at: alert.starts_ms, text: 'fires', colour: 'critical' })
  if (alert.ends_ms !== null) marks.push({ at: alert.ends_ms, text: 'over', colour: 'ok' })
  const check = alert.origin.kind === 'check'
  return (
    <section class="card pad stack">
      <div class="row">
        <h2 class="grow">Why</h2>
        <Choice label="Around the onset" value={around.value} choices={[['10m', '10 m'], ['30m', '30 m'], ['2h', '2 h'], ['6h', '6 h']]} onChoose={(value) => (around.value = value)} />
      </div>
      {alert.expression && (
        <div>
          <Code text={alert.expression} />
          <span class="small soft">value <b class="value">{number(alert.value)}</b>{limit !== null && <>, {isAbove ? 'limit' : 'compared with'} {number(limit)}</>}</span>
        </div>
      )}
      {query && <Lack answer={asked.answer.value} what="series" onAgain={asked.again} flat />}
      {series && series.times.length > 0 && (
        <Plot title={query.length > 60 ? 'Its series' : query} times={series.times} series={series.series} from={from} to={to} marks={marks} {...(limit !== null && isAbove ? { threshold: limit } : {})} height={190} />
      )}
      {series && series.times.length === 0 && <p class="soft">No sample of it is kept of this time.</p>}
      {series && series.left > 0 && <p class="small soft">{series.left} more series are not drawn.</p>}
      {!query && !check && <p class="soft">It has no expression: {alert.origin.kind === 'pushed' ? `it was pushed${alert.origin.by ? ` by ${alert.origin.by}` : ''}` : `the collector itself watches for it (${alert.origin.kind})`}.</p>}
      {check && alert.origin.host_id && alert.origin.check && <CheckNow host={alert.origin.host_id} check={alert.origin.check} />}
    </section>
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
