// How many hosts are in which state, as a bar and in words.
import type { Counts } from '../../api/tasks'
import { inWords, partsOf } from './progress'

export function Bar({ counts }: { readonly counts: Counts }) {
  const words = inWords(counts)
  return (
    <div class="task-bar">
      <div class="waves" role="img" aria-label={words}>
        {partsOf(counts).map(({ name, tone, share }) => <i key={name} class={`tone-${tone}`} style={{ width: `${share * 100}%` }} />)}
      </div>
      <span class="small">{words}</span>
    </div>
  )
}
