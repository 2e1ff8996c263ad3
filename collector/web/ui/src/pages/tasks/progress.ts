// How far an order is: bars, waves and words. Pure.
import { own } from '../../api/own'
import type { Counts, RunState, TaskHost, TaskMaintenance, TaskOrder, TaskRun } from '../../api/tasks'
import { count, duration } from '../../time/format'

/** States in the order in which a bar has them, with the tone of each. */
const STATES: readonly (readonly [RunState, 'ok' | 'critical' | 'busy' | 'unknown' | 'off'])[] = [
  ['ok', 'ok'], ['running', 'busy'], ['sent', 'busy'], ['failed', 'critical'], ['refused', 'critical'], ['lost', 'critical'], ['cancelled', 'unknown'], ['skipped', 'unknown'], ['waiting', 'off'],
]

export interface Part {
  readonly name: RunState
  readonly tone: string
  readonly hosts: number
  /** Of all, 0 to 1. */
  readonly share: number
}

export function partsOf(counts: Counts): Part[] {
  const all = STATES.reduce((sum, [state]) => sum + (counts[state] ?? 0), 0)
  return STATES.flatMap(([name, tone]) => {
    const hosts = counts[name] ?? 0
    return hosts > 0 ? [{ name, tone, hosts, share: hosts / all }] : []
  })
}

/** `4 hosts: 1 ok, 3 waiting`. */
export function inWords(counts: Counts): string {
  const parts = partsOf(counts)
  const all = parts.reduce((sum, { hosts }) => sum + hosts, 0)
  return `${count(all, 'host')}${parts.length > 0 ? ': ' : ''}${parts.map(({ name, hosts }) => `${hosts} ${name}`).join(', ')}`
}

export const isOpen = ({ state }: TaskOrder): boolean => ['requested', 'running', 'rolling_back', 'paused', 'stopping'].includes(state)

/** What can be done to it now. */
export function stepsOf(order: TaskOrder, now: number): readonly Steer[] {
  const { state, step, back } = order
  const may: Steer[] = []
  if (state === 'running' || state === 'rolling_back') may.push('pause')
  if (state === 'paused') may.push('resume')
  const hasRun = Object.entries(order.counts).some(([name, hosts]) => name !== 'waiting' && name !== 'skipped' && hosts > 0)
  if (back !== null && step === 0 && hasRun && now < (order.back_expires_ms ?? 0) && !['requested', 'cancelled', 'rolled_back'].includes(state)) may.push('rollback')
  if (isOpen(order)) may.push('stop')
  return may
}
export type Steer = 'pause' | 'resume' | 'rollback' | 'stop'

export interface Wave {
  readonly step: 0 | 1
  /** From 0; null: those whose turn is still to come. */
  readonly wave: number | null
  readonly name: string
  readonly counts: Counts
}

/** The waves that went out, those of the task before those that take it back; then what is still to come. */
export function wavesOf(order: TaskOrder, hosts: readonly TaskHost[]): Wave[] {
  const waves = new Map<string, { step: 0 | 1; wave: number | null; counts: Partial<Record<RunState, number>> }>()
  const add = (step: 0 | 1, run: TaskRun): void => {
    const key = `${step} ${run.wave ?? 'later'}`
    const at = waves.get(key) ?? { step, wave: run.wave, counts: {} }
    at.counts[run.state] = (at.counts[run.state] ?? 0) + 1
    waves.set(key, at)
  }
  for (const { run, back } of hosts) {
    add(0, run)
    if (back) add(1, back)
  }
  const sorted = [...waves.values()].sort((a, b) => a.step - b.step || (a.wave ?? Infinity) - (b.wave ?? Infinity))
  return sorted.map((one) => {
    const number = one.wave === null ? 'not sent' : one.step === 0 && one.wave === 0 && order.canary > 0 ? 'wave 1, the canary' : `wave ${one.wave + 1}`
    return { ...one, name: one.step === 1 ? `back, ${number}` : number }
  })
}

const MAINTENANCES: Readonly<Record<TaskMaintenance['state'], string>> = { open: 'is open', settling: 'gives health its time', not_recovered: 'was left with problems', closed: 'is closed' }

/** What is not told of hosts that have the task, and for how long; then each maintenance that is not closed, and how many are. */
export function maintainedIn(order: TaskOrder, all: readonly TaskMaintenance[]): string[] {
  const [span, back] = [order.maintenance_ms, order.back_maintenance_ms]
  if (span === null && back === null) return []
  const when = span === null ? 'while it is taken back' : 'while they have it'
  const also = span !== null && back !== null && back !== span ? ` (${duration(back)} when it is taken back)` : ''
  const open = all.filter(({ state }) => state !== 'closed')
  const closed = all.length - open.length
  return [
    `Hosts are in a maintenance ${when}; health may take ${duration(span ?? back ?? 0)} to return${also}.`,
    ...(order.unmaintained === null ? [] : [`They are in none: ${order.unmaintained}`]),
    ...open.map((one) => `Maintenance ${one.id} (${one.reference ?? ''}) ${own(MAINTENANCES, one.state) ?? one.state}${one.unreturned.length > 0 ? `: ${count(one.unreturned.length, 'problem')}` : ''}.`),
    ...(closed > 0 ? [`${count(closed, 'maintenance')} closed.`] : []),
  ]
}

/** What a run came to, in a few words: `exit 2; it is not well`. */
export function cameTo(run: TaskRun): string {
  const words = [run.exit !== null && run.exit !== 0 ? `exit ${run.exit}` : '', run.why ?? '', run.well === false && !run.why ? 'the host is not well since' : '']
  return words.filter(Boolean).join('; ')
}

export const tookOf = ({ began_ms, ended_ms }: TaskRun, now: number): string => (began_ms === null ? '' : duration(Math.max(0, (ended_ms ?? now) - began_ms)))
