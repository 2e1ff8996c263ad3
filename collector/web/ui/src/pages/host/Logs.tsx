// Log lines of a host in the span: how many of each level when, the lines, and what stands around one.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Matrix } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Bars, Choice, Dialog, Filter, Lack, Labels, Link, VirtualTable, type Column } from '../../parts'
import { clockTime, dateTime } from '../../time/format'
import { to } from '../../url/link'
import { param } from '../../url/query'
import { isUtc, setSpan, step } from '../../url/range'
import type { Streams } from './happened'
import { around, barsOf, linesOf, selector, streamOf, toneOfLevel, type LogLine } from './loglines'
import { logSpan } from './time'

const q = param('q')
const level = param('level')

const LINES_MAX = 500
const BARS = 60
/** Before and after a line. */
const AROUND = 20
const AROUND_MS = 3_600_000

function Level({ level }: { readonly level: string }) {
  return <span class={`badge tone-${toneOfLevel(level)}`}>{level}</span>
}

function columns(onOpen: (line: LogLine) => void): readonly Column<LogLine>[] {
  return [
    { name: 'time', title: 'Time', width: '92px', cell: ({ ms }) => <time class="mono small" title={dateTime(ms, isUtc.value)}>{clockTime(ms, isUtc.value)}</time> },
    { name: 'level', title: 'Level', width: '68px', from: 520, cell: ({ level }) => <Level level={level} /> },
    {
      name: 'line',
      title: 'Line',
      width: 'minmax(0, 1fr)',
      cell: (line) => (
        <button type="button" class="log-line mono cut" tabIndex={-1} title={line.text} onClick={() => onOpen(line)}>
          {line.text}
        </button>
      ),
    },
  ]
}

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
  const opened = useSignal<LogLine | null>(null)
  const lines = useAnswer<Streams>(() => ['/loki/api/v1/query_range', { query: selector(host, q.value, level.value), start: `${logSpan.value.from}000000`, end: `${logSpan.value.to}000000`, limit: LINES_MAX, direction: 'backward' }])
  const bars = useCounts(host, q)
  const known = useShown(lines)
  const rows = useMemo(() => linesOf(known.value), [known.value])
  const table = useMemo(() => columns((line) => (opened.value = line)), [])
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
          <VirtualTable label="Log lines" class="fills" rows={rows} columns={table} keyOf={(line) => line.id} rowHeight={28} onOpen={(line) => (opened.value = line)} />
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
      {opened.value && <Context host={host} line={opened.value} onClose={() => (opened.value = null)} />}
    </>
  )
}

function Context({ host, line, onClose }: { readonly host: string; readonly line: LogLine; readonly onClose: () => void }) {
  const query = streamOf(host, line.labels)
  const edge = (ms: number): string => `${Math.round(ms)}000000`
  const before = useAnswer<Streams>(() => ['/loki/api/v1/query_range', { query, start: edge(line.ms - AROUND_MS), end: line.nanos, limit: AROUND, direction: 'backward' }])
  const after = useAnswer<Streams>(() => ['/loki/api/v1/query_range', { query, start: line.nanos, end: edge(line.ms + AROUND_MS), limit: AROUND + 1, direction: 'forward' }])
  const [earlier, later] = [useShown(before).value, useShown(after).value]
  const lines = around(earlier ? linesOf(earlier) : [line], later ? linesOf(later) : [line])
  return (
    <Dialog title="A line and what stands around it" onClose={onClose} wide>
      <Labels labels={line.labels} />
      <Lack answer={before.answer.value} what="lines before it" onAgain={before.again} />
      <Lack answer={after.answer.value} what="lines after it" onAgain={after.again} />
      <ol class="log-context mono" aria-label="Lines around it" tabIndex={0}>
        {lines.map((one) => (
          <li key={one.id} class={one.nanos === line.nanos && one.text === line.text ? 'this' : undefined} aria-current={one.nanos === line.nanos && one.text === line.text ? 'true' : undefined}>
            <time title={dateTime(one.ms, isUtc.value)}>{clockTime(one.ms, isUtc.value)}</time> <span class="any-word">{one.text}</span>
          </li>
        ))}
      </ol>
    </Dialog>
  )
}
