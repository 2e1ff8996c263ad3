// What a page does not know, or wants to say.
import type { ComponentChildren } from 'preact'
import type { Answer } from '../api/answer'
import { Button } from './Button'
import { ShapeIcon } from './Icon'
import { Age } from './Time'
import type { Shape, Tone } from './states'

export interface NoticeProps {
  readonly tone?: Tone
  readonly title?: ComponentChildren
  readonly children?: ComponentChildren
  /** Along the whole width, without a frame. */
  readonly flat?: boolean
  readonly onClose?: () => void
}

const SHAPES: Readonly<Record<Tone, Shape>> = { ok: 'check', warning: 'triangle', critical: 'octagon', unknown: 'question', busy: 'clock', off: 'question' }

export function Notice({ tone = 'off', title, children, flat = false, onClose }: NoticeProps) {
  return (
    <div class={`notice tone-${tone}${flat ? ' flat' : ''}`} role={tone === 'critical' ? 'alert' : 'status'}>
      <ShapeIcon shape={SHAPES[tone]} />
      <div class="body">
        {title && <strong>{title}</strong>}
        {title && children && ' '}
        {children}
      </div>
      {onClose && (
        <Button kind="quiet" small name="Close this notice" onClick={onClose}>
          <span aria-hidden="true">&times;</span>
        </Button>
      )}
    </div>
  )
}

export interface LackProps {
  readonly answer: Answer<unknown> | null
  /** What is missing, such as `problems`. */
  readonly what: string
  readonly onAgain?: () => void
  readonly flat?: boolean
}

/** Why there is no answer, how old what is shown is, and what helps. Nothing where there is one. */
export function Lack({ answer, what, onAgain, flat = false }: LackProps) {
  // Who is logged out sees the login, which the shell brings.
  if (!answer || answer.kind === 'data' || answer.kind === 'loggedOut') return null
  const old = answer.lastAt !== undefined
  const tone: Tone = answer.kind === 'refused' || answer.kind === 'forbidden' ? 'warning' : 'critical'
  return (
    <Notice tone={tone} flat={flat} title={old ? <>These {what} are from <Age ms={answer.lastAt} after=" ago" />:</> : <>No {what}:</>}>
      {answer.message}
      {answer.where && <span class="soft"> ({answer.where})</span>}
      {answer.remedy && <div class="soft">{answer.remedy}</div>}
      {onAgain && (
        <div>
          <Button small onClick={onAgain}>
            Ask again
          </Button>
        </div>
      )}
    </Notice>
  )
}
