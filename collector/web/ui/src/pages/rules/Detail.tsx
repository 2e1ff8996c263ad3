// All that is known of one rule.
import { Age, Dialog, Code, Labels, Lack, Link, Moment, Notice, StateMark } from '../../parts'
import { Plot } from '../../parts/Plot'
import type { Matrix } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { duration, number } from '../../time/format'
import { now } from '../../time/clock'
import { to } from '../../url/link'
import { range, setSpan, span, step } from '../../url/range'
import { seriesOf } from '../alerts/expression'
import { plotted, type RuleRow } from './rule'
import { useMemo } from 'preact/hooks'

export default function Detail({ row, onClose }: { readonly row: RuleRow; readonly onClose: () => void }) {
  const { rule } = row
  const isAlerting = rule.type === 'alerting'
  const shown = useMemo(() => span(range.value, now()), [range.value, row.key])
  const query = `count by (alertstate) (ALERTS{alertname=${JSON.stringify(rule.name)}})`
  const asked = useAnswer<Matrix>(() => (isAlerting ? ['/api/v1/query_range', { query, start: shown.from / 1000, end: shown.to / 1000, step: step(shown) / 1000 }] : null))
  const matrix = useShown(asked).value
  const series = matrix?.data.result ?? []
  const times = [...new Set(series.flatMap(({ values }) => values.map(([at]) => at)))].sort((a, b) => a - b)
  const evaluated = Date.parse(rule.lastEvaluation)
  const isNever = rule.lastEvaluation.startsWith('0001')
  return (
    <Dialog title={<span class="any-word">{rule.name}</span>} onClose={onClose} wide>
      {rule.lastError && <Notice tone="critical" title="Its last evaluation failed:"><span class="any-word">{rule.lastError}</span></Notice>}
      <Code text={rule.query} />
      <Link to={to(['explore'], { q: rule.query })}>Open in Metrics</Link>
      <dl class="facts">
        {isAlerting && <><dt>Fires after</dt><dd>{rule.duration ? duration(rule.duration * 1000) : 'the first time'}{rule.keepFiringFor ? `, and ${duration(rule.keepFiringFor * 1000)} longer` : ''}</dd></>}
        <dt>Looked at</dt><dd>each {duration(row.interval * 1000)}, last {isNever ? 'never' : <><Age ms={evaluated} after=" ago" /> at <Moment ms={evaluated} /></>}</dd>
        <dt>Its group took</dt><dd class={row.took > row.interval ? 'tone-warning' : undefined}>{duration(row.took * 1000)}{row.took > row.interval && ', longer than its interval'}</dd>
        <dt>From</dt><dd class="any-word">group {row.group} in {row.file}</dd>
        {Object.keys(rule.labels).length > 0 && <><dt>Labels</dt><dd><Labels labels={rule.labels} /></dd></>}
        {Object.entries(rule.annotations ?? {}).map(([name, value]) => <><dt key={name}>{name}</dt><dd class="any-word">{value}</dd></>)}
      </dl>
      <Judged row={row} shown={shown} />
      {isAlerting && <Lack answer={asked.answer.value} what="history" flat />}
      {isAlerting && matrix && (times.length > 0 ? (
        <Plot title="Alerts of this rule" times={times} low={0} height={130} from={shown.from} to={shown.to} onSpan={setSpan}
          series={series.map(({ metric, values }) => { const at = new Map(values); return { label: metric['alertstate'] ?? '', values: times.map((time) => (at.has(time) ? Number(at.get(time)) : null)) } })} />
      ) : <p class="soft">It had no alert in this time.</p>)}
      {rule.alerts && rule.alerts.length > 0 && (
        <ul class="now">
          {rule.alerts.slice(0, 20).map((alert) => (
            <li key={JSON.stringify(alert.labels)}><StateMark state={alert.state} /> <b>{number(Number(alert.value))}</b> <Labels labels={alert.labels} hide={['alertname']} /></li>
          ))}
          {rule.alerts.length > 20 && <li class="soft">and {rule.alerts.length - 20} more</li>}
        </ul>
      )}
      {isAlerting && <Link to={to(['alerts'], { q: `alertname=${rule.name}` })}>Its alerts</Link>}
    </Dialog>
  )
}

/** The series that it judges or records, with its limit. */
function Judged({ row, shown }: { readonly row: RuleRow; readonly shown: { readonly from: number; readonly to: number } }) {
  const { query, limit, isAbove } = plotted(row.rule)
  const asked = useAnswer<Matrix>(() => ['/api/v1/query_range', { query, start: shown.from / 1000, end: shown.to / 1000, step: step(shown) / 1000 }])
  const matrix = useShown(asked).value
  const found = useMemo(() => (matrix ? seriesOf(matrix, {}) : null), [matrix])
  if (!found) return <Lack answer={asked.answer.value} what="series" flat />
  if (found.times.length === 0) return <p class="soft">No sample of its series is kept of this time.</p>
  const title = row.rule.type === 'recording' ? 'What it recorded' : limit === null ? 'Its series' : `Its series, ${isAbove ? 'above' : 'compared with'} ${number(limit)}`
  return (
    <>
      <Plot title={title} times={found.times} series={found.series} from={shown.from} to={shown.to} onSpan={setSpan} height={150} {...(limit !== null && isAbove ? { threshold: limit } : {})} />
      {found.left > 0 && <p class="small soft">{found.left} more series are not drawn.</p>}
    </>
  )
}
