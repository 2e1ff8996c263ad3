// Labels as small tags.
import type { Labels as LabelSet } from '../api/types'

export interface LabelsProps {
  readonly labels: LabelSet
  /** Names that are shown elsewhere. */
  readonly hide?: readonly string[]
  /** A tag is a button then, such as to filter by it. */
  readonly onPick?: (name: string, value: string) => void
}

export function Labels({ labels, hide = [], onPick }: LabelsProps) {
  const pairs = Object.entries(labels).filter(([name]) => !hide.includes(name))
  return (
    <span class="labels">
      {pairs.map(([name, value]) => {
        const text = <><b>{name}=</b>{value}</>
        const title = `${name}=${value}`
        return onPick ? (
          <button key={name} type="button" class="label" title={`filter by ${title}`} onClick={() => onPick(name, value)}>
            {text}
          </button>
        ) : (
          <span key={name} class="label" title={title}>
            {text}
          </span>
        )
      })}
    </span>
  )
}
