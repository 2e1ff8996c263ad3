// How many lines of each level there are when; a span of it can be dragged.
import { useMemo } from 'preact/hooks'
import type { Matrix } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { barsOf, letterOf, toneOfLevel } from '../../lines/levels'
import { logSpan } from '../../lines/span'
import { Bars, Lack } from '../../parts'
import { setSpan, step } from '../../url/range'

const BARS = 80

export function Histogram({ query }: { readonly query: string }) {
  const { from, to } = logSpan.value
  const size = Math.max(1000, step({ from, to }, BARS, 1000))
  // Each point counts what lies before it: whole bars from the beginning, the last one may go beyond the end.
  const end = from + Math.ceil((to - from) / size) * size
  const counts = useAnswer<Matrix>(() => ['/loki/api/v1/query_range', { query: `sum by (level) (count_over_time(${query} [${size}ms]))`, start: `${from + size}000000`, end: `${end}000000`, step: `${size}ms` }])
  const known = useShown(counts).value
  const parts = useMemo(() => barsOf(known, { from, to: end }, size), [known, from, end, size])
  // What is wrong with the query is said once, by the lines.
  const answer = counts.answer.value
  return (
    <>
      {answer?.kind !== 'refused' && <Lack answer={answer} what="counts" onAgain={counts.again} />}
      {parts.length > 0 && (
        <div class="card logs-bars">
          <Bars label="Log lines by level" from={from} to={end} parts={parts} onSpan={setSpan} height={56} />
          <ul class="row small" aria-label="Lines of each level">
            {parts.map(({ name, counts }) => (
              <li key={name}>
                <b class={`mono tone-${toneOfLevel(name)}`} aria-hidden="true">
                  {letterOf(name)}
                </b>{' '}
                {name} <span class="soft">{counts.reduce((a, b) => a + b, 0).toLocaleString('en-GB')}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  )
}
