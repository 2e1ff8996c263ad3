// The stream of a live tail, while there is a query for one.
import { useSignal, type ReadonlySignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { api, search } from '../../url/link'
import { read, START, step, type Tail, type TailEvent } from './tail'

export interface Tailing {
  readonly tail: ReadonlySignal<Tail>
  readonly tell: (event: TailEvent) => void
  /** Begins anew after it is over. */
  readonly again: () => void
}

/** Lines of `query` as they come; null: there is no tail. */
export function useTail(query: string | null): Tailing {
  const tail = useSignal<Tail>(START)
  const turn = useSignal(0)
  const tell = (event: TailEvent): void => {
    tail.value = step(tail.peek(), event)
  }
  useEffect(() => {
    tail.value = START
    if (query === null) return
    const source = new EventSource(api('logs', 'tail') + search({ query, encoding_flags: 'categorize-labels' }))
    source.onopen = () => tell({ kind: 'opened' })
    source.onerror = () => tell({ kind: source.readyState === EventSource.CLOSED ? 'closed' : 'failed' })
    for (const name of ['lines', 'dropped', 'bye']) {
      source.addEventListener(name, (event) => {
        const said = read(name, (event as MessageEvent).data)
        if (!said) return
        tell(said)
        if (said.kind === 'bye') source.close()
      })
    }
    return () => source.close()
  }, [query, turn.value])
  return { tail, tell, again: () => (turn.value += 1) }
}
