// CPU over time of the hosts that are on screen: one question for all of them, asked when scrolling rests.
import { signal, useSignalEffect, type ReadonlySignal, type Signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { axisOf, onGrid, type Axis, type Matrix } from '../../api/matrix'
import { useAnswer } from '../../api/useAnswer'
import { quarter } from '../../time/clock'
import { range, span, step } from '../../url/range'
import { cpuOf, hostMatcher } from './metrics'

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

export interface Cpu {
  readonly lines: ReadonlySignal<ReadonlyMap<string, Line>>
  /** The names of those on screen, a line each. */
  readonly sight: Signal<string>
}

export function useCpu(): Cpu {
  const made = useMemo(() => ({ lines: signal<ReadonlyMap<string, Line>>(new Map()), sight: signal(''), rested: signal('') }), [])
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
  const asked = useAnswer<Matrix>(() => {
    const names = made.rested.value
    if (!names) return null
    const { from, to, step } = axis()
    // Samples may be a minute apart.
    const window = `${Math.max(120, (2 * step) / 1000)}s`
    return ['/api/v1/query_range', { query: cpuOf(hostMatcher(names.split('\n')), window), start: from / 1000, end: to / 1000, step: step / 1000 }]
  })
  const at = axis()
  const frame = `${at.to - at.from} ${at.step}`
  useEffect(() => {
    // Of another time: not to be mixed.
    made.lines.value = new Map()
  }, [frame])
  useSignalEffect(() => {
    const answer = asked.answer.value
    if (answer?.kind !== 'data') return
    const next = new Map(made.lines.peek())
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
    made.lines.value = next
  })
  return made
}
