// States: for each a word, a tone (its colour) and a shape, so that nobody needs the colour. Pure.
import type { AnyState } from '../api/types'

export type Tone = 'ok' | 'warning' | 'critical' | 'unknown' | 'busy' | 'off'
export type Shape = 'check' | 'triangle' | 'octagon' | 'question' | 'ring' | 'slash' | 'turn' | 'pause' | 'clock' | 'bell' | 'plus' | 'minus' | 'delta'

export interface Look {
  readonly word: string
  readonly tone: Tone
  readonly shape: Shape
  /** How bad, for sorting: the worst is the highest. */
  readonly rank: number
}

export const LOOKS: Readonly<Record<AnyState, Look>> = {
  OK: { word: 'OK', tone: 'ok', shape: 'check', rank: 0 },
  WARNING: { word: 'Warning', tone: 'warning', shape: 'triangle', rank: 5 },
  CRITICAL: { word: 'Critical', tone: 'critical', shape: 'octagon', rank: 9 },
  UNKNOWN: { word: 'Unknown', tone: 'unknown', shape: 'question', rank: 6 },
  up: { word: 'Up', tone: 'ok', shape: 'check', rank: 0 },
  silent: { word: 'Silent', tone: 'critical', shape: 'ring', rank: 8 },
  unreachable: { word: 'Unreachable', tone: 'unknown', shape: 'slash', rank: 4 },
  rebooting: { word: 'Rebooting', tone: 'busy', shape: 'turn', rank: 2 },
  agent_stopped: { word: 'Agent stopped', tone: 'off', shape: 'pause', rank: 3 },
  pending: { word: 'Pending', tone: 'busy', shape: 'clock', rank: 1 },
  firing: { word: 'Firing', tone: 'critical', shape: 'bell', rank: 7 },
  resolved: { word: 'Resolved', tone: 'off', shape: 'check', rank: 0 },
  // Of what was found on a host; ranks are the order in which there is something to do.
  gone: { word: 'Gone', tone: 'critical', shape: 'minus', rank: 9 },
  proposed: { word: 'Proposed', tone: 'busy', shape: 'plus', rank: 7 },
  accepted: { word: 'Accepted', tone: 'ok', shape: 'check', rank: 2 },
  ignored: { word: 'Ignored', tone: 'off', shape: 'slash', rank: 1 },
  archived: { word: 'Archived', tone: 'off', shape: 'pause', rank: 0 },
  // Of roll-outs.
  running: { word: 'Running', tone: 'busy', shape: 'turn', rank: 2 },
  stopped: { word: 'Stopped', tone: 'critical', shape: 'pause', rank: 9 },
  done: { word: 'Done', tone: 'ok', shape: 'check', rank: 0 },
  superseded: { word: 'Superseded', tone: 'off', shape: 'slash', rank: 0 },
  reverted: { word: 'Reverted', tone: 'warning', shape: 'triangle', rank: 5 },
  // Of deploys.
  ok: { word: 'OK', tone: 'ok', shape: 'check', rank: 0 },
  failed: { word: 'Failed', tone: 'critical', shape: 'octagon', rank: 9 },
  rolled_back: { word: 'Rolled back', tone: 'warning', shape: 'turn', rank: 5 },
  abandoned: { word: 'Given up', tone: 'unknown', shape: 'slash', rank: 4 },
  // Of orders of tasks, and of hosts in them.
  requested: { word: 'To be approved', tone: 'busy', shape: 'clock', rank: 4 },
  rolling_back: { word: 'Rolling back', tone: 'warning', shape: 'turn', rank: 6 },
  paused: { word: 'Paused', tone: 'warning', shape: 'pause', rank: 7 },
  stopping: { word: 'Stopping', tone: 'warning', shape: 'pause', rank: 6 },
  expired: { word: 'Expired', tone: 'unknown', shape: 'clock', rank: 3 },
  cancelled: { word: 'Cancelled', tone: 'off', shape: 'slash', rank: 3 },
  waiting: { word: 'Waiting', tone: 'off', shape: 'ring', rank: 1 },
  sent: { word: 'Sent', tone: 'busy', shape: 'clock', rank: 2 },
  lost: { word: 'Lost', tone: 'critical', shape: 'question', rank: 8 },
  skipped: { word: 'Skipped', tone: 'off', shape: 'minus', rank: 1 },
  // Of the gate, and what its reasons do.
  go: { word: 'Go', tone: 'ok', shape: 'check', rank: 0 },
  'no-go': { word: 'No-go', tone: 'critical', shape: 'octagon', rank: 9 },
  unknown: { word: 'Unknown', tone: 'unknown', shape: 'question', rank: 6 },
  told: { word: 'To know', tone: 'off', shape: 'plus', rank: 0 },
  // Of freezes.
  on: { word: 'On', tone: 'warning', shape: 'pause', rank: 5 },
  off: { word: 'Off', tone: 'off', shape: 'ring', rank: 0 },
  // What a host says of its configuration; it may have reverted it too.
  none: { word: 'None', tone: 'off', shape: 'ring', rank: 0 },
  in_force: { word: 'In force', tone: 'ok', shape: 'check', rank: 0 },
  trial: { word: 'On trial', tone: 'busy', shape: 'clock', rank: 2 },
  refused: { word: 'Refused', tone: 'critical', shape: 'octagon', rank: 9 },
  disabled: { word: 'Switched off', tone: 'off', shape: 'pause', rank: 3 },
}

/** The look of a state that may be a newer collector's. */
export function lookOf(state: string | null | undefined): Look {
  if (state && Object.hasOwn(LOOKS, state)) return LOOKS[state as AnyState]
  return { word: state || 'Not known', tone: 'off', shape: 'question', rank: 3 }
}

/** The state that a label `severity` stands for. */
export function ofSeverity(severity: string | undefined): 'CRITICAL' | 'WARNING' | 'UNKNOWN' {
  const word = severity?.toLowerCase() ?? ''
  if (['critical', 'error', 'page', 'emergency', 'disaster', 'high'].includes(word)) return 'CRITICAL'
  if (word === '' || word === 'unknown') return 'UNKNOWN'
  return 'WARNING'
}
