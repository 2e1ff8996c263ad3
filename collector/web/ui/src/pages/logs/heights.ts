// What a line shows when it is open, and how high it is drawn. Pure.
import type { Labels } from '../../api/types'
import type { Line } from '../../lines/lines'

export interface Field {
  readonly kind: 'label' | 'metadata' | 'parsed'
  readonly name: string
  readonly value: string
}

export function fieldsOf(line: Line): Field[] {
  const of = (kind: Field['kind'], all: Labels): Field[] => Object.entries(all).map(([name, value]) => ({ kind, name, value }))
  return [...of('label', line.labels), ...of('metadata', line.metadata), ...of('parsed', line.parsed)]
}

export const LINE_PX = 18
/** Above, below, and the border. */
const PAD_PX = 6
export const FIELD_PX = 26
/** A line of a megabyte does not push all others away: more of it is scrolled to. */
const ROWS_MAX = 40

/** Signs that take two places of a monospaced font: East Asian scripts and pictures. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/gu

/** How many rows a text takes where `columns` signs fit. */
export function rowsOf(text: string, columns: number): number {
  let rows = 0
  for (const part of text.split('\n')) {
    // A tab is as wide as four signs (`tab-size`) at most.
    const signs = part.length + 3 * (part.split('\t').length - 1) + (part.length < 20_000 ? (part.match(WIDE)?.filter((sign) => sign.length === 1).length ?? 0) : 0)
    rows += Math.max(1, Math.ceil(signs / Math.max(1, columns)))
  }
  return Math.min(rows, ROWS_MAX)
}

/** How high a line is, in CSS pixels. */
export function heightOf(line: Line, columns: number, isWrapped: boolean, isOpen: boolean): number {
  const text = (isWrapped || isOpen ? rowsOf(line.text, columns) : 1) * LINE_PX + PAD_PX
  return isOpen ? text + fieldsOf(line).length * FIELD_PX + 48 : text
}
