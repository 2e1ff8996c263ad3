// Who is told of an alert, asked anew when it changes.
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { change } from '../../api/ask'
import type { Answer } from '../../api/answer'
import type { Explained } from '../../api/types'
import { api } from '../../url/link'

/** `body` is the alert's id or labels; null: nothing is asked. */
export function useExplained(body: object | null, changed: unknown) {
  const answer = useSignal<Answer<Explained> | null>(null)
  const text = body ? JSON.stringify(body) : ''
  useEffect(() => {
    const stop = new AbortController()
    if (text) void change<Explained>('POST', api('routes', 'explain'), JSON.parse(text), { signal: stop.signal }).then((next) => {
      if (!stop.signal.aborted) answer.value = next
    })
    return () => stop.abort()
  }, [text, changed])
  return answer.value
}
