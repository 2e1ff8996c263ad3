// A moment in the URL: a field of date and time, and the way back to now.
import { Button } from '../parts'
import { fromInput, toInput } from '../time/format'
import { isUtc } from '../url/range'

export interface MomentFieldProps {
  readonly label: string
  /** ms; null: now. */
  readonly at: number | null
  readonly onTake: (at: number | null) => void
}

export function MomentField({ label, at, onTake }: MomentFieldProps) {
  return (
    <span class="row nowrap moment-field">
      <label class="row small">
        <span class="soft">{label}</span>
        <input type="datetime-local" value={at === null ? '' : toInput(at, isUtc.value)} onChange={(event) => onTake(fromInput(event.currentTarget.value, isUtc.value))} />
      </label>
      {at !== null && (
        <Button small name={`${label}: now`} onClick={() => onTake(null)}>
          Now
        </Button>
      )}
    </span>
  )
}
