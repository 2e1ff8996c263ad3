// Log lines of a host in the span: how many of each level when, the lines, and what stands around one.
import { useMemo } from 'preact/hooks'
import type { Matrix } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Around, openAround } from '../../lines/Around'
import { barsOf, toneOfLevel } from '../../lines/levels'
import { CATEGORIZED, linesOf, merged, type Line, type LogAnswer } from '../../lines/lines'
import { logSpan } from '../../lines/span'
import { Bars, Choice, Filter, Lack, Link, VirtualTable, type Column } from '../../parts'
import { clockTime, dateTime } from '../../time/format'
import { to } from '../../url/link'
import { param } from '../../url/query'
import { isUtc, setSpan, step } from '../../url/range'
import { selector } from './loglines'

const q = param('q')
const level = param('level')

const LINES_MAX = 500
const BARS = 60

function Level({ level }: { readonly level: string }) {
  return <span class={`badge tone-${toneOfLevel(level)}`}>{level}</span>
}

const COLUMNS: readonly Column<Line>[] = [
  { name: 'time', title: 'Time', width: '92px', cell: ({ ms }) => <time class="mono small" title={dateTime(ms, isUtc.value)}>{clockTime(ms, isUtc.value)}</time> },
  { name: 'level', title: 'Level', width: '68px', from: 520, cell: ({ level }) => <Level level={level} /> },
  {
    name: 'line',
    title: 'Line',
    width: 'minmax(0, 1fr)',
    cell: (line) => (
      <button type="button" class="log-line mono cut" tabIndex={-1} title={line.text} onClick={() => openAround(line)}>
        {line.text}
      </button>
    ),
  },
]

/** How many lines of each level there are when, of those that have the text. */
function useCounts(host: string, text: { readonly value: string }) {
  const counts = useAnswer<Matrix>(() => {
    const { from, to } = logSpan.value
    const size = Math.max(1000, step({ from, to }, BARS, 1000)) / 1000
    return ['/loki/api/v1/query_range', { query: `sum by (level) (count_over_time(${selector(host, text.value, '')}[${size}s]))`, start: `${from + size * 1000}000000`, end: `${from + Math.ceil((to - from) / (size * 1000)) * size * 1000}000000`, step: size }]
  })
  const counted = useShown(counts).value
  const width = Math.max(1000, step(logSpan.value, BARS, 1000))
  const parts = useMemo(() => barsOf(counted, logSpan.peek(), width), [counted, width])
  return { counts, parts }
}

const ALL = { value: '' }

/** The lines of the span in short, below what they may explain. */
export function LogsBelow({ host }: { readonly host: string }) {
  const { counts, parts } = useCounts(host, ALL)
  const all = parts.reduce((sum, part) => sum + part.counts.reduce((a, b) => a + b, 0), 0)
  return (
    <section class="card host-below" aria-label="Log lines in this time">
      <h2>
        <Link to={to(['hosts', host], { tab: 'logs' })}>Log lines in this time</Link> <span class="soft small">{counts.answer.value ? all.toLocaleString('en-GB') : ''}</span>
      </h2>
      <Lack answer={counts.answer.value} what="how many lines there are" onAgain={counts.again} flat />
      {parts.length > 0 && (
        <div class="log-bars">
          <Bars label="Log lines by level" from={logSpan.value.from} to={logSpan.value.to} parts={parts} onSpan={setSpan} height={48} />
        </div>
      )}
    </section>
  )
}

export function Logs({ host }: { readonly host: string }) {
  const lines = useAnswer<LogAnswer>(() => ['/loki/api/v1/query_range', { query: selector(host, q.value, level.value), start: `${logSpan.value.from}000000`, end: `${logSpan.value.to}000000`, limit: LINES_MAX, direction: 'backward' }], { headers: CATEGORIZED })
  const bars = useCounts(host, q)
  const known = useShown(lines)
  const rows = useMemo(() => (known.value ? merged(linesOf(known.value.data.result), []) : []), [known.value])
  const levels = [...new Set([...bars.parts.map(({ name }) => name), ...(level.value ? [level.value] : [])])]
  return (
    <>
      <div class="host-tools">
        <Filter label="Filter lines" placeholder="Text in the lines" value={q.value} onInput={(text) => (q.value = text)} />
        {levels.length > 0 && <Choice label="Level" value={level.value} choices={[['', 'All'], ...levels.map((one): [string, string] => [one, one])]} onChoose={(one) => (level.value = one)} />}
      </div>
      <Lack answer={lines.answer.value} what="log lines" onAgain={lines.again} />
      <Lack answer={bars.counts.answer.value} what="how many lines there are" onAgain={bars.counts.again} />
      {bars.parts.length > 0 && (
        <div class="card log-bars">
          <Bars label="Log lines by level" from={logSpan.value.from} to={logSpan.value.to} parts={bars.parts} onSpan={setSpan} height={56} />
        </div>
      )}
      {known.value ? (
        rows.length > 0 ? (
          <VirtualTable label="Log lines" class="fills" rows={rows} columns={COLUMNS} keyOf={(line) => line.id} rowHeight={28} onOpen={openAround} />
        ) : (
          <div class="card empty">
            <h2>No lines</h2>
            <p>{q.value || level.value ? 'None of this host fits the filter in this time.' : 'This host sent none in this time. Which files and journals are followed stands in its configuration as [[logs]].'}</p>
          </div>
        )
      ) : (
        lines.answer.value === null && <div class="wait" role="status" aria-label="Asking for log lines" />
      )}
      {rows.length >= LINES_MAX && <p class="small soft">The newest {LINES_MAX} lines; choose a shorter time to see others.</p>}
      <Around />
    </>
  )
}
