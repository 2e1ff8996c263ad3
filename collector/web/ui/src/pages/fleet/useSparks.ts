// CPU and memory over time of the hosts that are on screen: one question each for all of them, asked when scrolling rests.
import { signal, useSignalEffect, type ReadonlySignal, type Signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { axisOf, onGrid, type Axis, type Matrix } from '../../api/matrix'
import { useAnswer } from '../../api/useAnswer'
import { quarter } from '../../time/clock'
import { range, span, step } from '../../url/range'
import { cpuOf, hostMatcher, memoryOf } from './metrics'

export type Line = readonly (number | null)[]

const POINTS = 48
const REST_MS = 180
/** Kept of hosts that were on screen before, so that scrolling back shows them at once. */
const KEPT = 600

/** The axis of the sparklines; it moves on when a step is over. */
export function axis(): Axis {
  const time = span(range.value, quarter.value)
  return axisOf(time, step(time, POINTS, 30_000))
}

export type Lines = ReadonlySignal<ReadonlyMap<string, Line>>

export interface Sparks {
  readonly cpu: Lines
  readonly memory: Lines
  /** The names of those on screen, a line each. */
  readonly sight: Signal<string>
}

export function useSparks(): Sparks {
  const made = useMemo(() => ({ sight: signal(''), rested: signal('') }), [])
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = made.sight.subscribe((names) => {
      clearTimeout(timer)
      timer = setTimeout(() => (made.rested.value = names), REST_MS)
    })
    return () => {
      clearTimeout(timer)
      end()
    }
  }, [])
  return { cpu: useLines(made.rested, cpuOf), memory: useLines(made.rested, memoryOf), sight: made.sight }
}

/** Of the hosts with these names, a line each; `query` is of a matcher and the window of rates. */
function useLines(names: ReadonlySignal<string>, query: (matcher: string, window: string) => string): Lines {
  const lines = useMemo(() => signal<ReadonlyMap<string, Line>>(new Map()), [])
  const asked = useAnswer<Matrix>(() => {
    if (!names.value) return null
    const { from, to, step } = axis()
    // Samples may be a minute apart.
    const window = `${Math.max(120, (2 * step) / 1000)}s`
    return ['/api/v1/query_range', { query: query(hostMatcher(names.value.split('\n')), window), start: from / 1000, end: to / 1000, step: step / 1000 }]
  })
  const at = axis()
  const frame = `${at.to - at.from} ${at.step}`
  useEffect(() => {
    // Of another time: not to be mixed.
    lines.value = new Map()
  }, [frame])
  useSignalEffect(() => {
    const answer = asked.answer.value
    if (answer?.kind !== 'data') return
    const next = new Map(lines.peek())
    const now = axis()
    for (const { metric, values } of answer.data.data.result) {
      const host = metric['host'] ?? ''
      next.delete(host)
      next.set(host, onGrid(values, now))
    }
    for (const host of next.keys()) {
      if (next.size <= KEPT) break
      next.delete(host)
    }
    lines.value = next
  })
  return lines
}
