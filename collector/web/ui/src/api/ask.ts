// Questions and changes over HTTP. Nothing here throws: what goes wrong is an answer too.
import { signal } from '@preact/signals'
import { heard, now, ownNow } from '../time/clock'
import { search, type Params } from '../url/link'
import { lacking, readAnswer, type Answer } from './answer'

/** Then the page says that the answer is slow. Longer than any query that the collector lets run as its own. */
export const ASK_LIMIT_MS = 10_000

export interface Options {
  readonly signal?: AbortSignal
  readonly limitMs?: number
  /** Sent with a question, beside what every question has. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Whether the last answer said that nobody is logged in. */
export const isLoggedOut = signal(false)

async function send<T>(url: string, init: RequestInit, options: Options): Promise<Answer<T>> {
  const answer = await fetched<T>(url, init, options)
  if (answer.kind === 'loggedOut') isLoggedOut.value = true
  return answer
}

async function fetched<T>(url: string, init: RequestInit, options: Options): Promise<Answer<T>> {
  const stop = new AbortController()
  const onAbort = (): void => stop.abort()
  options.signal?.addEventListener('abort', onAbort)
  let late = false
  const timer = setTimeout(() => {
    late = true
    stop.abort()
  }, options.limitMs ?? ASK_LIMIT_MS)
  const asked = ownNow()
  let status = 0
  try {
    const response = await fetch(url, { ...init, signal: stop.signal, credentials: 'same-origin', cache: 'no-store' })
    status = response.status
    heard(response.headers.get('Date'), asked, ownNow())
    return readAnswer<T>(status, await response.text(), now())
  } catch {
    if (late) return lacking('slow', status)
    // A head without its whole body was cut; without a head nobody answered.
    return lacking(status === 0 ? 'away' : 'half', status)
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', onAbort)
  }
}

/** A question. `path` is built by `url/link.ts`. */
export function ask<T>(path: string, params: Params = {}, options: Options = {}): Promise<Answer<T>> {
  return send<T>(path + search(params), { headers: { Accept: 'application/json', ...options.headers } }, options)
}

/** A change, or a question that is too long for a URL. Browsers add `Origin`, by which the collector knows its own pages. */
export function change<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, options: Options = {}): Promise<Answer<T>> {
  const init: RequestInit = { method, headers: { Accept: 'application/json', 'Content-Type': 'application/json' } }
  if (body !== undefined) init.body = JSON.stringify(body)
  return send<T>(path, init, options)
}
