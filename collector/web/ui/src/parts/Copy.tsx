// A button that copies a text, and a command with one.
import { useSignal } from '@preact/signals'
import { Button } from './Button'
import { Icon } from './Icon'

/** Whether it could be copied. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Over plain HTTP there is no clipboard for pages; the older way works where something can be selected.
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'unseen'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

export interface CopyProps {
  readonly text: string
  readonly label?: string
}

export function Copy({ text, label = 'Copy' }: CopyProps) {
  const said = useSignal('')
  const onClick = async (): Promise<void> => {
    said.value = (await copyText(text)) ? 'Copied' : 'Select and copy it'
    setTimeout(() => (said.value = ''), 2000)
  }
  return (
    <Button small kind="quiet" onClick={() => void onClick()}>
      <Icon sign="copy" />
      <span aria-live="polite">{said.value || label}</span>
    </Button>
  )
}

/** A command or a text to be copied as it stands. */
export function Code({ text }: { readonly text: string }) {
  return (
    <div class="code">
      <Copy text={text} />
      <pre>{text}</pre>
    </div>
  )
}
