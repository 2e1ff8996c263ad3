// What a live tail knows, as a pure machine; the stream itself is `useTail.ts`.
import { linesOf, merged, type Line, type LogStream } from '../../lines/lines'

/** More would be slow to draw anew with each batch; what is older is asked for by the time. */
export const TAIL_MAX = 5000

export interface Tail {
  readonly link: 'connecting' | 'connected' | 'away' | 'over'
  /** The newest first. */
  readonly lines: readonly Line[]
  /** What is shown while it is paused; null: it goes on. */
  readonly held: readonly Line[] | null
  /** Lines that came since it was paused. */
  readonly waiting: number
  /** Lines that the collector could not hand over in time. */
  readonly dropped: number
  /** Older lines that were let go of, since it keeps `TAIL_MAX`. */
  readonly left: number
  /** How often the stream broke off and began again: how many lines came meanwhile nobody counts. */
  readonly breaks: number
  /** Why the collector ended it. */
  readonly why: string
}

export const START: Tail = { link: 'connecting', lines: [], held: null, waiting: 0, dropped: 0, left: 0, breaks: 0, why: '' }

export type TailEvent =
  | { readonly kind: 'opened' | 'failed' | 'closed' | 'pause' | 'go' }
  | { readonly kind: 'lines'; readonly streams: readonly LogStream[] }
  | { readonly kind: 'dropped'; readonly count: number }
  | { readonly kind: 'bye'; readonly why: string }

export function step(tail: Tail, event: TailEvent): Tail {
  switch (event.kind) {
    case 'opened':
      return { ...tail, link: 'connected', breaks: tail.breaks + (tail.link === 'away' ? 1 : 0) }
    case 'failed':
      // The browser connects again by itself.
      return tail.link === 'over' ? tail : { ...tail, link: 'away' }
    case 'closed':
      return tail.link === 'over' ? tail : { ...tail, link: 'over', why: 'the collector refused it or is away' }
    case 'bye':
      return { ...tail, link: 'over', why: event.why || 'the collector ended it' }
    case 'dropped':
      return { ...tail, dropped: tail.dropped + event.count }
    case 'pause':
      return tail.held ? tail : { ...tail, held: tail.lines, waiting: 0 }
    case 'go':
      return { ...tail, held: null, waiting: 0 }
    case 'lines': {
      // After a break the newest lines come once more; each is known by what it holds.
      const known = new Set(tail.lines.map(({ id }) => id))
      const fresh = merged([], linesOf(event.streams)).filter(({ id }) => !known.has(id))
      const lines = merged(tail.lines, fresh, TAIL_MAX)
      return { ...tail, link: 'connected', lines, left: tail.left + tail.lines.length + fresh.length - lines.length, waiting: tail.held ? tail.waiting + fresh.length : 0 }
    }
  }
}

/** A message of the stream as an event; null: nothing that this page knows. */
export function read(name: string, data: unknown): TailEvent | null {
  try {
    const said = JSON.parse(String(data)) as { streams?: LogStream[]; count?: number; why?: string }
    if (name === 'lines') return { kind: 'lines', streams: said.streams ?? [] }
    if (name === 'dropped') return { kind: 'dropped', count: said.count ?? 0 }
    return name === 'bye' ? { kind: 'bye', why: said.why ?? '' } : null
  } catch {
    return null
  }
}
