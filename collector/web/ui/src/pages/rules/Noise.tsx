// The rules whose alerts fired longest in the time that is looked at.
import { useMemo } from 'preact/hooks'
import type { Matrix } from '../../api/types'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Lack, Link, Spark, VirtualTable, type Column } from '../../parts'
import { now } from '../../time/clock'
import { duration } from '../../time/format'
import { to } from '../../url/link'
import { range, span, step } from '../../url/range'
import { noisiest } from './rule'

type Row = ReturnType<typeof noisiest>[number]

export function Noise() {
  const shown = useMemo(() => span(range.value, now()), [range.value])
  const seconds = step(shown, 120) / 1000
  const asked = useAnswer<Matrix>(() => ['/api/v1/query_range', { query: 'count by (alertname) (ALERTS{alertstate="firing"})', start: shown.from / 1000, end: shown.to / 1000, step: seconds }])
  const matrix = useShown(asked).value
  const rows = useMemo(() => (matrix ? noisiest(matrix, seconds) : []), [matrix])
  const columns: readonly Column<Row>[] = [
    { name: 'name', title: 'Rule', width: 'minmax(120px, 1fr)', cell: (row) => <Link to={to(['rules'], { q: row.name })}>{row.name}</Link> },
    { name: 'plot', title: 'Fired at once', width: 'minmax(80px, 1fr)', from: 420, cell: (row) => <Spark label={`${row.name}: alerts that fired at once`} values={spread(row, shown.from / 1000, seconds, 121)} low={0} height={22} /> },
    { name: 'most', title: 'Most', width: '52px', right: true, cell: (row) => row.most },
    { name: 'time', title: 'Alert time', width: '90px', right: true, cell: (row) => duration(row.alertSeconds * 1000) },
  ]
  return (
    <>
      <Lack answer={asked.answer.value} what="history" onAgain={asked.again} />
      {!matrix ? <div class="wait" /> : rows.length > 0 ? <VirtualTable class="fills" label="Noisiest rules" rows={rows} columns={columns} keyOf={(row) => row.name} /> : (
        <div class="card fills empty"><h2>No rule had an alert that fired</h2><p>In the time that is looked at; a longer one may show some.</p></div>
      )}
    </>
  )
}

/** A value a step, null where nothing fired. */
function spread(row: Row, from: number, seconds: number, most: number): (number | null)[] {
  const values: (number | null)[] = Array.from({ length: most }, () => null)
  for (const [at, n] of row.counts) {
    const place = Math.round((at - from) / seconds)
    if (place >= 0 && place < most) values[place] = n
  }
  return values
}
