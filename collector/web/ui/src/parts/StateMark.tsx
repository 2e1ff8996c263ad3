// A state: colour, shape and word.
import { ShapeIcon } from './Icon'
import { lookOf } from './states'

export interface StateMarkProps {
  readonly state: string | null | undefined
  /** Only the shape is seen; the word is still read aloud. */
  readonly short?: boolean
  readonly size?: number
}

export function StateMark({ state, short = false, size = 14 }: StateMarkProps) {
  const look = lookOf(state)
  return (
    <span class={`mark tone-${look.tone}`} title={short ? look.word : undefined}>
      <ShapeIcon shape={look.shape} size={size} />
      <span class={short ? 'unseen' : undefined}>{look.word}</span>
    </span>
  )
}
