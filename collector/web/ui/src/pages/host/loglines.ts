// What is asked of a host's log lines, and the answers as lines and bars. Pure.
import { escaped, quoted, type Matrix } from '../../api/matrix'
import type { Labels } from '../../api/types'
import { own } from '../../api/own'
import type { BarPart } from '../../parts/Bars'
import { msOf, type Streams } from './happened'

export interface LogLine {
  readonly id: string
  /** As the API has it: numbers of JavaScript lose nanoseconds. */
  readonly nanos: string
  readonly ms: number
  readonly level: string
  readonly text: string
  readonly labels: Labels
}

const LEVELS = ['critical', 'error', 'warn', 'info', 'debug', 'other'] as const
const COLOURS: Readonly<Record<string, string>> = { critical: 'critical', error: 'critical', warn: 'warning', info: 'busy', debug: 'off', other: 'series-7' }

/** One of a few words for what programs call a level. */
export function levelOf(word: string | undefined): (typeof LEVELS)[number] {
  const low = (word ?? '').toLowerCase()
  if (/^(crit|fatal|emerg|alert|panic)/.test(low)) return 'critical'
  if (low.startsWith('err')) return 'error'
  if (low.startsWith('warn')) return 'warn'
  if (/^(info|notice)/.test(low)) return 'info'
  return /^(debug|trace)/.test(low) ? 'debug' : 'other'
}

export function toneOfLevel(level: string): string {
  return level === 'critical' || level === 'error' ? 'critical' : level === 'warn' ? 'warning' : level === 'info' ? 'busy' : 'off'
}

/** This host's lines that have the text, in whatever case; Muster's own events are shown elsewhere. */
export function selector(host: string, text: string, level: string): string {
  const words = text.trim() === '' ? '' : ` |~ ${quoted(`(?i)${escaped(text.trim())}`)}`
  return `{host=${quoted(host)},source!="muster"}${words}${level ? ` | level=~${quoted(own(LEVEL_WORDS, level) ?? escaped(level))}` : ''}`
}

const LEVEL_WORDS: Readonly<Record<string, string>> = { critical: '(?i)(crit|fatal|emerg|alert|panic).*', error: '(?i)err.*', warn: '(?i)warn.*', info: '(?i)(info|notice).*', debug: '(?i)(debug|trace).*', other: '' }

export function linesOf(answer: Streams | undefined): LogLine[] {
  const all = (answer?.data.result ?? []).flatMap(({ stream, values }) =>
    values.map(([nanos, text], at): LogLine => ({ id: `${nanos} ${at} ${text.length} ${stream['filename'] ?? stream['unit'] ?? ''}`, nanos, ms: msOf(nanos), level: levelOf(stream['level'] ?? stream['detected_level']), text, labels: stream })),
  )
  // The newest first; texts of digits of the same length are in the order of their numbers.
  return all.sort((a, b) => (a.nanos < b.nanos ? 1 : a.nanos > b.nanos ? -1 : 0))
}

/** Counts by level, a bar a step; each point counts what lies before it. */
export function barsOf(answer: Matrix | undefined, span: { from: number; to: number }, step: number): BarPart[] {
  const bars = Math.max(1, Math.ceil((span.to - span.from) / step))
  const found = new Map<string, number[]>()
  for (const { metric, values } of answer?.data.result ?? []) {
    const level = levelOf(metric['level'])
    const counts = found.get(level) ?? Array.from({ length: bars }, () => 0)
    for (const [seconds, text] of values) {
      const bar = Math.round((seconds * 1000 - span.from) / step) - 1
      if (bar >= 0 && bar < bars) counts[bar] = (counts[bar] ?? 0) + Number(text)
    }
    found.set(level, counts)
  }
  // The worst lies at the bottom, where one line is seen.
  return LEVELS.filter((level) => found.has(level)).map((level) => ({ name: level, colour: COLOURS[level] ?? 'off', counts: found.get(level) ?? [] }))
}

/** The stream of a line, as far as its labels tell: for what stands around it. */
export function streamOf(host: string, labels: Labels): string {
  const parts = ['filename', 'unit', 'app', 'job', 'container'].filter((name) => labels[name]).map((name) => `${name}=${quoted(labels[name] ?? '')}`)
  return `{${[`host=${quoted(host)}`, 'source!="muster"', ...parts].join(',')}}`
}

/** Lines before and after another one as one list, the oldest first; a line that both have stands once. */
export function around(before: readonly LogLine[], after: readonly LogLine[]): LogLine[] {
  const seen = new Set<string>()
  return [...before, ...after]
    .sort((a, b) => (a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0))
    .filter(({ nanos, text }) => {
      const key = `${nanos} ${text}`
      const isNew = !seen.has(key)
      seen.add(key)
      return isNew
    })
}
