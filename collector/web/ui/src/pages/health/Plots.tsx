// The collector's own series: what it works on, how long that takes, and what waits.
import { useMemo } from 'preact/hooks'
import { axisOf, onGrid, timesOf } from '../../api/matrix'
import type { Matrix } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Section } from '../../parts'
import { Plot } from '../../parts/Plot'
import { now, quarter } from '../../time/clock'
import { bytes, duration, number, percent } from '../../time/format'
import { path } from '../../url/link'
import { range, setSpan, span, step } from '../../url/range'
import { plotsOf } from './work'

const FORMATS = { bytes, percent, number, seconds: (value: number) => duration(value * 1000) }
const HEIGHT = 110

export function Plots() {
  const axis = useMemo(() => {
    const at = span(range.value, now())
    return axisOf(at, step(at, 200, 15_000))
  }, [range.value, quarter.value])
  const plots = plotsOf(Math.max(60, (4 * axis.step) / 1000))
  const query = plots.flatMap((plot) => plot.lines.map(({ key, expr }) => `label_replace(${expr}, "line", "${key}", "", "")`)).join(' or ')
  const asked = useAnswer<Matrix>(() => [path('api', 'v1', 'query_range'), { query, start: axis.from / 1000, end: axis.to / 1000, step: axis.step / 1000 }])
  const known = useShown(asked).value
  const [times, shown] = [timesOf(axis), span(range.value, axis.to)]
  return (
    <Section title="Its work" note="From the collector's own series">
      <Lack answer={asked.answer.value} what="plots" onAgain={asked.again} flat />
      {!known && asked.isAsking.value && <div class="wait" role="status" aria-label="Asking for plots" />}
      {known && (
        <div class="plots">
          {plots.map((plot) => (
            <Plot
              key={plot.title}
              title={plot.title}
              times={times}
              from={shown.from}
              to={shown.to}
              low={0}
              height={HEIGHT}
              sync="health"
              format={FORMATS[plot.unit]}
              binary={plot.unit === 'bytes'}
              onSpan={setSpan}
              series={plot.lines.map(({ key, title }) => ({ label: title, values: onGrid(known.data.result.find(({ metric }) => metric['line'] === key)?.values ?? [], axis) }))}
            />
          ))}
        </div>
      )}
    </Section>
  )
}
