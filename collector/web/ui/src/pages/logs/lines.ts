// Answers of Loki's API as lines, and how high each is drawn. Pure.
import type { Labels } from '../../api/types'
import { levelOf } from '../host/loglines'

/** A value is [nanoseconds, text], and where the answer is categorized what the line itself has. */
export interface LogStream {
  readonly stream: Labels
  readonly values: readonly (readonly [string, string, { readonly structuredMetadata?: Labels; readonly parsed?: Labels }?])[]
}

export interface LogAnswer {
  readonly data: {
    readonly resultType: string
    readonly result: readonly LogStream[]
    /** Where the next older lines go on; absent: there are none. */
    readonly next?: string
  }
}

export interface Line {
  readonly id: string
  /** As the API has it: numbers of JavaScript lose nanoseconds. */
  readonly nanos: string
  readonly ms: number
  readonly level: ReturnType<typeof levelOf>
  readonly text: string
  readonly labels: Labels
  readonly metadata: Labels
  readonly parsed: Labels
}

/** FNV-1a, 32 bits: names a line in the URL. */
function hash(text: string): string {
  let sum = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193) >>> 0
  return sum.toString(36)
}

const NONE: Labels = {}

export function linesOf(streams: readonly LogStream[]): Line[] {
  return streams.flatMap(({ stream, values }) =>
    values.map(([nanos, text, own]): Line => {
      const [metadata, parsed] = [own?.structuredMetadata ?? NONE, own?.parsed ?? NONE]
      const all: Labels = { ...parsed, ...metadata, ...stream }
      const names = Object.keys(all).sort()
      return { id: `${nanos}.${hash(`${text}\n${names.map((name) => `${name}=${all[name]}`).join('\n')}`)}`, nanos, ms: Math.floor(Number(nanos.slice(0, -6))), level: levelOf(all['level'] ?? all['detected_level']), text, labels: stream, metadata, parsed }
    }),
  )
}

/** Times of the same length are in the order of their digits; a shorter one is earlier. */
const earlier = (a: string, b: string): number => (a.length !== b.length ? a.length - b.length : a < b ? -1 : a > b ? 1 : 0)

/** Both as one list, the newest first, each line once, at most `most` of the newest. */
export function merged(known: readonly Line[], more: readonly Line[], most = Infinity): Line[] {
  const all = new Map<string, Line>()
  for (const line of [...known, ...more]) if (!all.has(line.id)) all.set(line.id, line)
  const sorted = [...all.values()].sort((a, b) => earlier(b.nanos, a.nanos))
  return sorted.length > most ? sorted.slice(0, most) : sorted
}

/** A colour is never alone: each level has a letter. */
export function letterOf(level: string): string {
  return level === 'other' ? '-' : level.charAt(0).toUpperCase()
}

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
