// Answers of Loki's API as lines. Pure.
import { quoted } from '../api/matrix'
import type { Labels } from '../api/types'
import { levelOf, type Level } from './levels'

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
  readonly level: Level
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

/** A question with these is answered with what a line has itself apart from what its stream has. */
export const CATEGORIZED = { 'x-loki-response-encoding-flags': 'categorize-labels' }

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

/** Labels that tell where a host's line comes from. */
const SOURCE = ['host', 'source', 'filename', 'unit', 'app', 'job', 'container'] as const

/** The selector of the source of a line: its host and what it was read from; a line that has none of these is of its stream. */
export function sourceOf(labels: Labels): string {
  const own = SOURCE.filter((name) => labels[name])
  const names = own.length > 0 ? own : Object.keys(labels).sort()
  // The collector's events of the host are no lines of its sources.
  const events = labels['source'] ? [] : ['source!="muster"']
  return `{${[...names.map((name) => `${name}=${quoted(labels[name] ?? '')}`), ...events].join(', ')}}`
}

/** What an id says of when its line was, in ns; null: it is no id. */
export function nanosOf(id: string): string | null {
  return /^(\d{7,20})\.[0-9a-z]+$/.exec(id)?.[1] ?? null
}

/** `nanos` moved by so many ms. */
export function moved(nanos: string, ms: number): string {
  const at = BigInt(nanos) + BigInt(Math.round(ms)) * 1_000_000n
  return String(at < 0n ? 0n : at)
}

/** The lines before a moment (as answers have them: the newest first) and from it on, as one list, the oldest first; each once. */
export function around(before: readonly Line[], after: readonly Line[]): Line[] {
  const all = new Map<string, Line>()
  for (const line of [...[...before].reverse(), ...after]) if (!all.has(line.id)) all.set(line.id, line)
  return [...all.values()].sort((a, b) => earlier(a.nanos, b.nanos))
}
