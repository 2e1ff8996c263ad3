// The machine of the live stream: when it connects, what the page is told. Pure: time and chance are arguments.

/** `behind`: the stream broke a moment ago; `away`: for so long that what is shown may be old. */
export type Link = 'connecting' | 'connected' | 'behind' | 'away'

export interface Machine {
  readonly link: Link
  /** Since when it is so, in ms. */
  readonly since: number
  /** Failures one after the other. */
  readonly failures: number
}

export type LiveEvent = 'start' | 'opened' | 'failed' | 'due' | 'woken'

export type Effect = { readonly do: 'connect' } | { readonly do: 'close' } | { readonly do: 'wait'; readonly ms: number } | { readonly do: 'resync' }

/** Broken for longer than this is away. */
export const AWAY_AFTER_MS = 8000
const FIRST_MS = 500
/** An open page asks no more often than this of a collector that is down. */
const LAST_MS = 20_000

export const START: Machine = { link: 'connecting', since: 0, failures: 0 }

/** How long to wait before the next try; `chance` in [0, 1) spreads the pages of many people. */
export function pause(failures: number, chance: number): number {
  const full = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10))
  return Math.round(full * (0.5 + chance / 2))
}

/** One step: the machine then, and what is to be done. */
export function step(machine: Machine, event: LiveEvent, now: number, chance: number): [Machine, readonly Effect[]] {
  switch (event) {
    case 'start':
      return [{ link: 'connecting', since: now, failures: 0 }, [{ do: 'connect' }]]
    case 'opened': {
      // What happened while the stream was broken was not told: everything is asked anew.
      const missed = machine.link === 'behind' || machine.link === 'away'
      return [{ link: 'connected', since: now, failures: 0 }, missed ? [{ do: 'resync' }] : []]
    }
    case 'failed': {
      const failures = machine.failures + 1
      const wait: Effect = { do: 'wait', ms: pause(failures, chance) }
      if (machine.link === 'connected') return [{ link: 'behind', since: now, failures }, [{ do: 'close' }, wait]]
      const isAway = machine.link !== 'away' && now - machine.since >= AWAY_AFTER_MS
      const link = isAway ? 'away' : machine.link
      return [{ link, since: machine.since, failures }, [{ do: 'close' }, wait]]
    }
    case 'due':
      return machine.link === 'connected' ? [machine, []] : [machine, [{ do: 'connect' }]]
    case 'woken':
      // The page is looked at again, or the network is back: no waiting for the rest of the pause.
      return machine.link === 'connected' ? [machine, []] : [machine, [{ do: 'close' }, { do: 'connect' }]]
  }
}
