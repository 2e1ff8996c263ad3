// What has been done, said for some seconds in a corner.
import { signal } from '@preact/signals'
import { Notice } from './Notice'
import type { Tone } from './states'

interface Toast {
  readonly id: number
  readonly tone: Tone
  readonly text: string
}

const toasts = signal<readonly Toast[]>([])
let last = 0
/** More at a time would cover the page. */
const MOST = 4

export function say(text: string, tone: Tone = 'ok'): void {
  const id = (last += 1)
  toasts.value = [...toasts.value, { id, tone, text }].slice(-MOST)
  // What went wrong stays until it is read.
  if (tone !== 'critical') setTimeout(() => drop(id), 6000)
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

export function Toasts() {
  return (
    <div class="toast" aria-live="polite">
      {toasts.value.map((toast) => (
        <Notice key={toast.id} tone={toast.tone} onClose={() => drop(toast.id)}>
          {toast.text}
        </Notice>
      ))}
    </div>
  )
}
