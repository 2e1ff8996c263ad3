// The span of which log lines are asked.
import { computed } from '@preact/signals'
import { quarter } from '../time/clock'
import { range, span } from '../url/range'

/** In ms: whole quarters of a minute, so that the same is asked until one is over. */
export const logSpan = computed(() => {
  const { from, to } = span(range.value, quarter.value)
  return range.value.kind === 'span' ? { from, to } : { from: Math.floor(from / 15_000) * 15_000, to: Math.ceil(to / 15_000) * 15_000 }
})
