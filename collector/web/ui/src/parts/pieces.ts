// A strip of states over time as the API writes it: a character a piece of time, the oldest first. Pure.
import type { Tone } from './states'

export interface Piece {
  readonly tone: Tone | 'none'
  /** Of the strip's height: what is worse is higher. */
  readonly height: number
  readonly word: string
}

const NONE: Piece = { tone: 'none', height: 0.12, word: 'no data' }

/** By character, as collector/api/src/strip.rs writes them. */
export const PIECES: Readonly<Record<string, Piece>> = {
  '.': { tone: 'ok', height: 0.35, word: 'no problem' },
  w: { tone: 'warning', height: 0.65, word: 'warning' },
  c: { tone: 'critical', height: 1, word: 'critical' },
  u: { tone: 'unknown', height: 0.75, word: 'unknown' },
  s: { tone: 'critical', height: 0.9, word: 'silent' },
  r: { tone: 'busy', height: 0.5, word: 'rebooting' },
  x: { tone: 'off', height: 0.8, word: 'agent stopped' },
  '-': NONE,
}

export function decode(states: string): Piece[] {
  return [...states].map((letter) => PIECES[letter] ?? NONE)
}

/** Pieces of the same kind side by side as one, for drawing. */
export function runs(pieces: readonly Piece[]): { piece: Piece; from: number; count: number }[] {
  const found: { piece: Piece; from: number; count: number }[] = []
  for (const [at, piece] of pieces.entries()) {
    const last = found[found.length - 1]
    if (last && last.piece === piece) last.count += 1
    else found.push({ piece, from: at, count: 1 })
  }
  return found
}

/** The strip in words: shares of the time, the longest first. */
export function inWords(states: string): string {
  const pieces = decode(states)
  if (pieces.length === 0) return 'nothing known'
  const counts = new Map<string, number>()
  for (const { word } of pieces) counts.set(word, (counts.get(word) ?? 0) + 1)
  const sorted = [...counts].sort((a, b) => b[1] - a[1])
  if (sorted.length === 1) return `${sorted[0]?.[0]} all the time`
  return sorted.map(([word, count]) => `${word} ${Math.max(1, Math.round((count / pieces.length) * 100))} %`).join(', ')
}
