// A change that is on its way, and why it failed.
import { useSignal, type ReadonlySignal } from '@preact/signals'
import type { Answer } from '../api/answer'
import { Notice } from './Notice'
import { say } from './toast'

export interface Doing {
  readonly busy: ReadonlySignal<boolean>
  readonly failed: ReadonlySignal<Answer<unknown> | null>
  /** Sends it; says `said` in a corner when it is done. undefined: it failed. */
  readonly run: <T>(sent: Promise<Answer<T>>, said?: string) => Promise<T | undefined>
}

export function useDoing(): Doing {
  const busy = useSignal(false)
  const failed = useSignal<Answer<unknown> | null>(null)
  const run = async <T,>(sent: Promise<Answer<T>>, said?: string): Promise<T | undefined> => {
    busy.value = true
    const answer = await sent
    busy.value = false
    failed.value = answer.kind === 'data' ? null : answer
    if (answer.kind !== 'data') return undefined
    if (said) say(said)
    return answer.data
  }
  return { busy, failed, run }
}

/** Why a change failed; nothing where it has not. */
export function Failed({ doing }: { readonly doing: Doing }) {
  const answer = doing.failed.value
  if (!answer || answer.kind === 'data' || answer.kind === 'loggedOut') return null
  return (
    <Notice tone="critical" title="It was not done:">
      {answer.message}
      {answer.where && <span class="soft"> ({answer.where})</span>}
      {answer.remedy && <div class="soft">{answer.remedy}</div>}
    </Notice>
  )
}
