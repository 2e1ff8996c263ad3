// One stream of news for the whole page: which kinds of things have changed, so that who shows them asks again.
import { signal, type Signal } from '@preact/signals'
import { now } from '../time/clock'
import { START, step, type Effect, type LiveEvent, type Machine } from './reconnect'
import type { LiveMessage, Topic } from './types'
import { TOPICS } from './types'

export interface News {
  /** Rises with each piece of news; what it is counted from is this page's own. */
  readonly count: number
  readonly changed: readonly unknown[]
  readonly gone: readonly string[]
}

const PATH = '/api/muster/v1/live'
const quiet: News = { count: 0, changed: [], gone: [] }

/** The latest news of each topic. Reading one subscribes to it. */
export const topics = Object.fromEntries(TOPICS.map((topic) => [topic, signal(quiet)])) as Record<Topic, Signal<News>>

/** How the stream is. */
export const live = signal<Machine>(START)

let source: EventSource | null = null
let timer: ReturnType<typeof setTimeout> | undefined

function tell(topic: Topic, message: Partial<LiveMessage>): void {
  const before = topics[topic].peek()
  topics[topic].value = { count: before.count + 1, changed: message.changed ?? [], gone: message.gone ?? [] }
}

/** Anything may have changed: of these topics, else of all. */
function tellAll(which: readonly Topic[] = TOPICS): void {
  for (const topic of TOPICS) if (which.includes(topic)) tell(topic, {})
}

function read(data: unknown): Partial<LiveMessage> {
  try {
    return typeof data === 'string' && data !== '' ? (JSON.parse(data) as Partial<LiveMessage>) : {}
  } catch {
    // Half of a message: which things changed is not known, that some did is.
    return {}
  }
}

function connect(): void {
  close()
  const opened = new EventSource(PATH)
  source = opened
  opened.addEventListener('hello', () => happen('opened'))
  opened.addEventListener('resync', (event) => tellAll(read((event as MessageEvent).data).topics))
  for (const topic of TOPICS) opened.addEventListener(topic, (event) => tell(topic, read((event as MessageEvent).data)))
  opened.onerror = () => {
    if (source === opened) happen('failed')
  }
}

function close(): void {
  source?.close()
  source = null
}

function perform(effect: Effect): void {
  if (effect.do === 'connect') connect()
  else if (effect.do === 'close') close()
  else if (effect.do === 'resync') tellAll()
  else {
    clearTimeout(timer)
    timer = setTimeout(() => happen('due'), effect.ms)
  }
}

function happen(event: LiveEvent): void {
  const [machine, effects] = step(live.peek(), event, now(), Math.random())
  live.value = machine
  effects.forEach(perform)
}

let isOn = false

function wake(): void {
  if (isOn && !document.hidden) happen('woken')
}

/** Begins, once somebody is logged in; again does nothing. */
export function startLive(): void {
  if (isOn) return
  isOn = true
  happen('start')
  window.addEventListener('online', wake)
  document.addEventListener('visibilitychange', wake)
}

/** Ends: nobody is logged in any more. */
export function stopLive(): void {
  isOn = false
  clearTimeout(timer)
  close()
  live.value = START
}
