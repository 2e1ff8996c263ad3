// Fields of forms, each with its name and what is wrong with it.
import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { parseDuration } from '../time/format'
import { Choice } from './Button'

export interface FieldProps {
  readonly label: string
  readonly note?: ComponentChildren
  readonly wrong?: string | null
  /** Gets the ids that tie the input to its name and notes. */
  readonly children: (ids: { id: string; 'aria-describedby': string }) => ComponentChildren
}

export function Field({ label, note, wrong, children }: FieldProps) {
  const id = useId()
  const notes = `${id}-notes`
  return (
    <div class="field">
      <span>
        <label for={id}>{label}</label>
      </span>
      {children({ id, 'aria-describedby': notes })}
      <small id={notes} class={wrong ? 'wrong' : undefined}>
        {wrong || note}
      </small>
    </div>
  )
}

export interface TextProps {
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly type?: 'text' | 'password' | 'number' | 'datetime-local'
  readonly note?: ComponentChildren
  readonly wrong?: string | null
  readonly required?: boolean
  readonly autoFocus?: boolean
  readonly autoComplete?: string
  readonly lines?: number
  readonly placeholder?: string
}

export function TextField(props: TextProps) {
  const { label, value, onInput, type = 'text', note, wrong, lines } = props
  return (
    <Field label={label} note={note} wrong={wrong ?? null}>
      {(ids) =>
        lines ? (
          <textarea {...ids} rows={lines} value={value} required={props.required} autofocus={props.autoFocus} placeholder={props.placeholder} onInput={(event) => onInput(event.currentTarget.value)} />
        ) : (
          <input {...ids} type={type as 'text'} value={value} required={props.required} autofocus={props.autoFocus} autocomplete={props.autoComplete} placeholder={props.placeholder} onInput={(event) => onInput(event.currentTarget.value)} />
        )
      }
    </Field>
  )
}

export interface DurationProps {
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly offers?: readonly string[]
  /** What an empty text means; absent: it is wrong. */
  readonly none?: string
}

/** A duration: some to choose from, or any as text. */
export function DurationField({ label, value, onInput, offers = ['30m', '2h', '8h', '1d', '7d'], none }: DurationProps) {
  const choices: [string, string][] = offers.map((one) => [one, one])
  if (none !== undefined) choices.unshift(['', none])
  const wrong = isDuration(value, none !== undefined) ? null : 'Write a duration such as 90m, 2h or 1d'
  return (
    <Field label={label} wrong={wrong}>
      {(ids) => (
        <div class="row">
          <Choice label={label} value={value} choices={choices} onChoose={onInput} />
          <input {...ids} class="duration" value={value} size={8} onInput={(event) => onInput(event.currentTarget.value)} />
        </div>
      )}
    </Field>
  )
}

/** Whether a text of such a field can be sent. */
export function isDuration(text: string, mayBeEmpty: boolean): boolean {
  return text === '' ? mayBeEmpty : (parseDuration(text) ?? 0) > 0
}
