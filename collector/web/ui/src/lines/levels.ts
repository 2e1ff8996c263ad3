// Levels of log lines: one of a few words for what programs write, its colour and letter, and how many there are when. Pure.
import type { Matrix } from '../api/matrix'
import type { BarPart } from '../parts/Bars'

const LEVELS = ['critical', 'error', 'warn', 'info', 'debug', 'other'] as const
export type Level = (typeof LEVELS)[number]

const COLOURS: Readonly<Record<Level, string>> = { critical: 'critical', error: 'critical', warn: 'warning', info: 'busy', debug: 'off', other: 'series-7' }

/** One of a few words for what programs call a level. */
export function levelOf(word: string | undefined): Level {
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

/** A colour is never alone: each level has a letter. */
export function letterOf(level: string): string {
  return level === 'other' ? '-' : level.charAt(0).toUpperCase()
}

/** Counts by level, a bar a step; each point counts what lies before it. */
export function barsOf(answer: Matrix | undefined, span: { from: number; to: number }, step: number): BarPart[] {
  const bars = Math.max(1, Math.ceil((span.to - span.from) / step))
  const found = new Map<Level, number[]>()
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
  return LEVELS.filter((level) => found.has(level)).map((level) => ({ name: level, colour: COLOURS[level], counts: found.get(level) ?? [] }))
}
