// A kind of change: colour, shape and word.
import { ShapeIcon } from '../parts'
import { lookOfKind } from './words'

/** `short`: only the shape is seen; the word is still read aloud. */
export function ChangeMark({ kind, short = false }: { readonly kind: string; readonly short?: boolean }) {
  const look = lookOfKind(kind)
  return (
    <span class={`mark tone-${look.tone}`} title={short ? look.word : undefined}>
      <ShapeIcon shape={look.shape} />
      <span class={short ? 'unseen' : undefined}>{look.word}</span>
    </span>
  )
}
