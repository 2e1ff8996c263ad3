// Answers of PromQL, as series on a grid of times. Pure.
import type { Labels } from './types'

export interface Matrix {
  readonly data: { readonly result: readonly { readonly metric: Labels; readonly values: readonly (readonly [number, string])[] }[] }
  /** What the answer lacks, known gaps included. */
  readonly warnings?: readonly string[]
}

export interface Vector {
  readonly data: { readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[] }
}

/** A time axis of a query over a range, in ms; both ends are multiples of the step. */
export interface Axis {
  readonly from: number
  readonly to: number
  readonly step: number
}

export function timesOf({ from, to, step }: Axis): number[] {
  return Array.from({ length: Math.max(0, Math.floor((to - from) / step) + 1) }, (_, at) => (from + at * step) / 1000)
}

/** Values at each time of the grid; null where there is none. */
export function onGrid(values: readonly (readonly [number, string])[], { from, to, step }: Axis): (number | null)[] {
  const grid: (number | null)[] = Array.from({ length: Math.max(0, Math.floor((to - from) / step) + 1) }, () => null)
  for (const [seconds, text] of values) {
    const at = Math.round((seconds * 1000 - from) / step)
    const value = Number(text)
    if (at >= 0 && at < grid.length && Number.isFinite(value)) grid[at] = value
  }
  return grid
}

/** The axis of a span: moved outwards to multiples of the step, so that the same question is asked until a step is over. */
export function axisOf(span: { from: number; to: number }, step: number): Axis {
  return { from: Math.floor(span.from / step) * step, to: Math.ceil(span.to / step) * step, step }
}

/** A text as a string of PromQL and LogQL. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/[\u0000-\u001f\u007f]/g, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`
}

/** A text as a regular expression that is nothing but it. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
