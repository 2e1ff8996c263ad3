// A question that is asked again when what it depends on changes.
import { signal, useComputed, type ReadonlySignal } from '@preact/signals'
import { effect, untracked } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { keep, type Answer } from './answer'
import { isAkin, type Question } from './akin'
import { ask } from './ask'
import { live, topics } from './live'
import type { Topic } from './types'
import type { Params } from '../url/link'

export interface Use {
  /** Ask again after so many ms, in any case. */
  readonly every?: number
  /** Ask again when something of these changed. While the stream is away, each 15 s instead. */
  readonly topic?: Topic | readonly Topic[]
  /** Of news of the topics: whether these rows mean anything here. News without rows, when anything may have changed, always do. */
  readonly isNews?: (changed: readonly unknown[]) => boolean
  /** Headers of the question. */
  readonly headers?: Readonly<Record<string, string>>
}

/** News that come at once are one question; a problem is still on the page within a second. */
const GATHER_MS = 150
const WITHOUT_STREAM_MS = 15_000

export interface Asked<T> {
  /** null: nothing is known yet. */
  readonly answer: ReadonlySignal<Answer<T> | null>
  /** Whether a question is on its way. */
  readonly isAsking: ReadonlySignal<boolean>
  /** Asks at once, such as after a change. */
  readonly again: () => void
}

/**
 * The answer to `question`, which is asked at once, and again when a signal that it reads changes, when its topics tell of something, or when
 * its time is over. `question` gives null where there is nothing to ask. A lack keeps the last good answer to the same question.
 */
export function useAnswer<T>(question: () => readonly [string, Params?] | null, use: Use = {}): Asked<T> {
  const held = useRef<ReturnType<typeof asking<T>> | null>(null)
  held.current ??= asking<T>(use)
  const asked = held.current
  // The latest closure, so that what it has captured is what is asked; the same question is not asked again for it.
  useEffect(() => {
    asked.question.value = question
  })
  useEffect(() => asked.begin(), [])
  return asked
}

function asking<T>(use: Use) {
  const question = signal<() => readonly [string, Params?] | null>(() => null)
  const answer = signal<Answer<T> | null>(null)
  const isAsking = signal(false)
  let current: AbortController | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let [path, params]: readonly [string | null, Params?] = [null]
  let key: string | null = null
  let answered: Question | null = null
  // News that came while a question was on its way: its answer may not have them.
  let isStale = false

  const put = async (): Promise<void> => {
    clearTimeout(timer)
    current?.abort()
    if (path === null) {
      current = null
      isAsking.value = false
      answer.value = null
      return
    }
    const own = new AbortController()
    current = own
    isStale = false
    isAsking.value = true
    const next = await ask<T>(path, params, { signal: own.signal, ...(use.headers ? { headers: use.headers } : {}) })
    // Another question has taken its place.
    if (current !== own) return
    current = null
    isAsking.value = false
    // What answered another question is shown while this one is on its way, and not as its answer.
    const asked: Question = params === undefined ? [path] : [path, params]
    answer.value = keep(next, isAkin(answered, asked) ? answer.peek() : null)
    if (next.kind === 'data') answered = asked
    if (isStale) timer = setTimeout(() => void put(), GATHER_MS)
    else plan()
  }
  const plan = (): void => {
    clearTimeout(timer)
    const streamless = use.topic !== undefined && live.peek().link !== 'connected' ? WITHOUT_STREAM_MS : Infinity
    const lacks = answer.peek()?.kind === 'data' ? Infinity : WITHOUT_STREAM_MS
    const wait = Math.min(use.every ?? Infinity, streamless, lacks)
    const kind = answer.peek()?.kind
    // What is refused or forbidden stays so until the question changes.
    if (wait === Infinity || kind === 'refused' || kind === 'forbidden' || kind === 'loggedOut') return
    timer = setTimeout(() => (document.hidden ? plan() : void put()), wait)
  }
  const begin = (): (() => void) => {
    const ends = [
      effect(() => {
        const next = question.value()
        const nextKey = next ? next[0] + JSON.stringify(next[1] ?? {}) : ''
        if (nextKey === key) return
        if ((next?.[0] ?? null) !== path) answer.value = null
        key = nextKey
        path = next ? next[0] : null
        params = next?.[1]
        untracked(() => void put())
      }),
    ]
    if (use.topic !== undefined) {
      let isFirst = true
      ends.push(
        effect(() => {
          const news = [use.topic].flat().map((topic) => topics[topic as Topic].value)
          if (isFirst) {
            isFirst = false
            return
          }
          if (use.isNews && !news.some(({ changed }) => changed.length === 0 || use.isNews?.(changed))) return
          // A storm of news must not begin the same question again and again before it is answered.
          if (current) isStale = true
          else {
            clearTimeout(timer)
            timer = setTimeout(() => void put(), GATHER_MS)
          }
        }),
      )
    }
    const onShown = (): void => {
      if (!document.hidden && (use.every !== undefined || use.topic !== undefined)) void put()
    }
    document.addEventListener('visibilitychange', onShown)
    return () => {
      ends.forEach((end) => end())
      document.removeEventListener('visibilitychange', onShown)
      clearTimeout(timer)
      current?.abort()
      current = null
      key = null
    }
  }
  return { question, answer, isAsking, again: () => void put(), begin }
}

/** What can be shown of an answer, as a signal: the answer, else the last good one. */
export function useShown<T>(asked: Asked<T>): ReadonlySignal<T | undefined> {
  return useComputed(() => {
    const answer = asked.answer.value
    return answer === null ? undefined : answer.kind === 'data' ? answer.data : answer.last
  })
}
