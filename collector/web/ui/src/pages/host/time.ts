// The one time axis of a host's page.
import { computed } from '@preact/signals'
import { axisOf, type Axis } from '../../api/matrix'
import { quarter } from '../../time/clock'
import { range, setSpan, span, step } from '../../url/range'

/** About one a pixel of a plot, divided by three. */
const POINTS = 240

/** The axis of plots: it moves on when a step is over, so that nothing is asked twice in one. */
export const axis = computed<Axis>(() => {
  const time = span(range.value, quarter.value)
  return axisOf(time, step(time, POINTS, 5000))
})

/** Twice as much time around the same middle, not beyond now. */
export function zoomOut(): void {
  const { from, to } = span(range.peek(), quarter.peek())
  const half = (to - from) / 2
  const end = Math.min(Math.round(to + half), Math.round(quarter.peek()))
  setSpan(Math.round(end - 4 * half), end)
}
