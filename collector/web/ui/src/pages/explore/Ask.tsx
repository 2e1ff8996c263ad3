// One query: its text, what it says, its plot or its values.
import { useMemo } from 'preact/hooks'
import { axisOf, onGrid, timesOf, type Matrix, type Vector } from '../../api/matrix'
import { useAnswer, useShown } from '../../api/useAnswer'
import { Button, Lack, Notice, SmallTable } from '../../parts'
import { CopyAs } from '../../parts/CopyAs'
import { Graph, LINES_MAX } from '../../parts/Graph'
import { QueryField } from '../../parts/QueryField'
import { seriesNames } from '../../parts/series'
import { quarter } from '../../time/clock'
import { number } from '../../time/format'
import { param } from '../../url/query'
import { range, setSpan, span, step } from '../../url/range'
import { command, complete, letter, NAMES } from './metrics'

interface Values extends Vector {
  readonly data: Vector['data'] & { readonly resultType: string }
}

export interface AskProps {
  readonly at: number
  readonly points: number
  readonly isTable: boolean
  readonly onRemove?: (() => void) | undefined
}

export function Ask({ at, points, isTable, onRemove }: AskProps) {
  const name = NAMES[at] ?? 'q'
  const [query, only, sort] = [param(name), param(`${name}only`), param(`${name}sort`)]
  const time = span(range.value, quarter.value)
  const size = step(time, points)
  const axis = axisOf(time, size)
  const asked = useAnswer<Matrix>(() => (query.value && !isTable ? ['/api/v1/query_range', { query: query.value, start: axis.from / 1000, end: axis.to / 1000, step: size / 1000 }] : null))
  const now = useAnswer<Values>(() => (query.value && isTable ? ['/api/v1/query', { query: query.value, time: time.to / 1000 }] : null))
  const [known, values] = [useShown(asked).value, useShown(now).value]
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
  return (
    <section class="card pad stack" aria-label={`Query ${title}`}>
      <QueryField label={`Query ${title}`} value={query.value} onRun={(text) => (text === query.peek() ? one.again() : query.push(text))} complete={complete} wrong={isRefused ? answer.message : null} placeholder="node_load1, or sum by (host) (...)">
        <CopyAs name={`Copy ${title}`} time={time} texts={[['muster query', command(query.value, time, size, range.value.kind === 'last')]]} />
        {onRemove && <Button small kind="quiet" name={`Remove query ${title}`} onClick={onRemove}>Remove</Button>}
      </QueryField>
      {!isRefused && <Lack answer={answer} what={`query ${title}`} onAgain={one.again} />}
      {(known?.warnings ?? []).map((text) => <Notice key={text} tone="warning" title="Known to be missing:">{text}</Notice>)}
      {!query.value && <p class="soft">Write a query, or choose a host and one of its metrics.</p>}
      {query.value && !answer && <div class="wait" />}
      {!isTable && !isRefused && known && lines.length === 0 && <p class="soft">No series in this time. Look at the labels, or at a longer time.</p>}
      {!isTable && !isRefused && lines.length > 0 && (
        <Graph title={title} times={times} lines={lines} from={axis.from} to={axis.to} only={only} sort={sort} sync="explore" height={240} onSpan={setSpan} />
      )}
      {isTable && !isRefused && values && <Now values={values} title={title} />}
    </section>
  )
}

function Now({ values, title }: { readonly values: Values; readonly title: string }) {
  const { resultType, result } = values.data
  if (resultType === 'matrix') return <p class="soft">A range of values has no table; put a function such as rate() around it.</p>
  // A scalar is a pair of its time and its value.
  const all = resultType === 'vector' ? result : [{ metric: {}, value: result as unknown as readonly [number, string] }]
  const names = seriesNames(all.map((one) => one.metric))
  const text = (value: string): string => (Number.isFinite(Number(value)) ? number(Number(value)) : value)
  const rows = all.slice(0, LINES_MAX).map((one, at) => ({ key: JSON.stringify(one.metric), cells: [<span class="mono small any-word">{names[at]}</span>, text(one.value[1])] }))
  return (
    <>
      {all.length > LINES_MAX && <p class="small soft">The first {LINES_MAX} of {all.length} series.</p>}
      <SmallTable label={`Values of ${title}`} heads={[['Series'], ['Value', 'right']]} rows={rows} none="No series at this time." />
    </>
  )
}
