// A roll-out as a bar and in words, and where mistakes of documents stand. Pure.
import type { Rollout } from '../../api/profiles'
import { count } from '../../time/format'

export const isOpen = ({ state }: Rollout): boolean => state === 'running' || state === 'stopped'

const WAVES = ['one host', '5 % of all', 'all others'] as const

/** Which wave is under way. */
export const waveOf = ({ wave }: Rollout): string => `wave ${wave + 1} of ${WAVES.length}: ${WAVES[wave] ?? 'all others'}`

export interface Part {
  readonly name: string
  readonly tone: 'ok' | 'critical' | 'off'
  readonly hosts: number
  /** Of all hosts, 0 to 1. */
  readonly share: number
}

/** Hosts on which it is good, on which it failed, and which wait. Who has failed and is counted by nobody else is no part of those that wait. */
export function partsOf({ hosts, good, failed }: Rollout): readonly Part[] {
  const waiting = Math.max(0, hosts - good - failed.length)
  const all = Math.max(1, good + failed.length + waiting)
  const part = (name: string, tone: Part['tone'], some: number): Part => ({ name, tone, hosts: some, share: some / all })
  return [part('good', 'ok', good), part('failed', 'critical', failed.length), part('waiting', 'off', waiting)]
}

export const inWords = (row: Rollout): string => `${count(row.hosts, 'host')}: ${partsOf(row).map(({ name, hosts }) => `${hosts} ${name}`).join(', ')}`

export interface Mistake {
  /** From 1; null: it has no place in this document. */
  readonly line: number | null
  readonly text: string
}

/** What the collector finds wrong, a mistake a line, `NAME:LINE: what` where it has a place in the document of this name. */
export function mistakesOf(message: string, name: string): Mistake[] {
  return message.split('\n').filter(Boolean).map((text) => {
    const at = text.indexOf(`${name}:`)
    const line = at < 0 ? null : /^(\d+):\s*/.exec(text.slice(at + name.length + 1))
    return line ? { line: Number(line[1]), text: text.slice(at + name.length + 1 + line[0].length) } : { line: null, text }
  })
}

/** The place of a line in a text: its first character and its end. */
export function spanOf(text: string, line: number): readonly [from: number, to: number] {
  const lines = text.split('\n')
  const from = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0)
  return [Math.min(from, text.length), Math.min(text.length, from + (lines[line - 1] ?? '').length)]
}
