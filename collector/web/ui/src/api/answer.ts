// What came of a question: an answer, or why there is none. Pure: nothing here sends anything.

/** Why there is no answer: the collector is away, slow, said half of it, does not know who asks, refuses the question, or forbids it. */
export type Lack = 'away' | 'slow' | 'half' | 'loggedOut' | 'refused' | 'forbidden'

export interface Data<T> {
  readonly kind: 'data'
  readonly data: T
  /** When it came, by the collector's clock, in ms. */
  readonly at: number
}

export interface Lacking<T> {
  readonly kind: Lack
  readonly message: string
  readonly remedy: string
  /** The part of the question that is meant: a field, a parameter, a place in an expression. */
  readonly where: string
  /** The status of HTTP; 0: there was none. */
  readonly status: number
  /** What came with it, where it was JSON. */
  readonly body?: unknown
  /** The last good answer to the same question, if there was one. */
  readonly last?: T
  readonly lastAt?: number
}

export type Answer<T> = Data<T> | Lacking<T>

/** What a failed answer's body says, in any of the dialects of the API. */
export interface Told {
  readonly message: string
  readonly where: string
  readonly remedy: string
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** Muster's form, Prometheus' and Loki's, Alertmanager's, or plain text. */
export function told(body: string): Told {
  const none = { message: '', where: '', remedy: '' }
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    // A proxy's page is no message.
    return /^\s*</.test(body) ? none : { ...none, message: body.trim().slice(0, 2000) }
  }
  if (typeof json === 'string') return { ...none, message: json }
  if (typeof json !== 'object' || json === null) return none
  const error = (json as { error?: unknown }).error ?? (json as { message?: unknown }).message
  if (typeof error === 'string') return { ...none, message: error }
  if (typeof error !== 'object' || error === null) return none
  const { message, where, remedy } = error as Record<string, unknown>
  return { message: text(message), where: text(where), remedy: text(remedy) }
}

/** What a status other than 2xx means. */
export function lackOf(status: number): Lack {
  if (status === 401) return 'loggedOut'
  if (status === 403) return 'forbidden'
  // Too much at once, starting, or a proxy before a collector that is down.
  if (status >= 500) return 'away'
  return 'refused'
}

/** What is said where the answer itself says nothing. */
const SAID: Record<Lack, readonly [string, string]> = {
  away: ['the collector does not answer', 'see whether it runs and can be reached; the page asks again by itself'],
  slow: ['the collector has not answered within 10 s', 'ask for less (a shorter time, fewer hosts), or see what loads it'],
  half: ['the answer broke off', 'the page asks again by itself; a proxy in between may cut answers'],
  loggedOut: ['you are not logged in, or the session has ended', 'log in again'],
  refused: ['the collector refuses this question', 'see what it says'],
  forbidden: ['you may not do this', 'ask an administrator for another role'],
}

export function lacking<T>(kind: Lack, status: number, said?: Partial<Told>): Lacking<T> {
  const [message, remedy] = SAID[kind]
  return { kind, status, message: said?.message || message, remedy: said?.remedy || remedy, where: said?.where ?? '' }
}

/** An answer that came whole; `at` by the collector's clock. */
export function readAnswer<T>(status: number, body: string, at: number): Answer<T> {
  if (status < 200 || status > 299) {
    const lack = lacking<T>(lackOf(status), status, told(body))
    try {
      return { ...lack, body: JSON.parse(body) as unknown }
    } catch {
      return lack
    }
  }
  if (body === '') return { kind: 'data', data: null as T, at }
  try {
    return { kind: 'data', data: JSON.parse(body) as T, at }
  } catch {
    return lacking('half', status)
  }
}

/** A lack keeps the last good answer, so that the page goes on showing it with its time. */
export function keep<T>(next: Answer<T>, before: Answer<T> | null): Answer<T> {
  if (next.kind === 'data' || !before) return next
  if (before.kind === 'data') return { ...next, last: before.data, lastAt: before.at }
  return before.last === undefined ? next : { ...next, last: before.last, lastAt: before.lastAt ?? 0 }
}

/** What can be shown: the answer, or the last good one. */
export function shown<T>(answer: Answer<T> | null): T | undefined {
  if (!answer) return undefined
  return answer.kind === 'data' ? answer.data : answer.last
}
