// A button, a link that looks like one, and a row of choices.
import type { ComponentChildren } from 'preact'
import { Link } from './Link'

export interface ButtonProps {
  readonly children: ComponentChildren
  readonly onClick?: (event: MouseEvent) => void
  readonly kind?: 'plain' | 'accent' | 'danger' | 'quiet'
  readonly small?: boolean
  readonly type?: 'button' | 'submit'
  readonly disabled?: boolean
  /** Why it is disabled, or what it does beyond its text. */
  readonly title?: string
  /** What it is called where its content is only a picture. */
  readonly name?: string
  readonly pressed?: boolean
  readonly class?: string
  /** Opens a page instead: a link. */
  readonly to?: string
}

export function Button(props: ButtonProps) {
  const { kind = 'plain', small = false, type = 'button', to } = props
  const classes = ['button', kind === 'plain' ? '' : kind, small ? 'small' : '', props.class ?? ''].filter(Boolean).join(' ')
  if (to !== undefined) {
    return (
      <Link to={to} class={classes} title={props.title}>
        {props.children}
      </Link>
    )
  }
  return (
    <button type={type} class={classes} disabled={props.disabled} title={props.title} aria-label={props.name} aria-pressed={props.pressed} onClick={props.onClick}>
      {props.children}
    </button>
  )
}

export interface ChoiceProps<T extends string> {
  readonly label: string
  readonly value: T
  readonly choices: readonly (readonly [T, ComponentChildren])[]
  readonly onChoose: (value: T) => void
}

/** One of a few, all of them seen. */
export function Choice<T extends string>({ label, value, choices, onChoose }: ChoiceProps<T>) {
  return (
    <span class="chips" role="radiogroup" aria-label={label}>
      {choices.map(([one, text]) => (
        <button key={one} type="button" role="radio" class="button small" aria-checked={one === value} onClick={() => onChoose(one)}>
          {text}
        </button>
      ))}
    </span>
  )
}
