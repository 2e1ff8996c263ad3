// Keys of the page: one letter, or `g` and a letter. Who shows something says its keys while it is shown.
import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'

export interface Key {
  /** `j`, `Enter`, `Ctrl+k`, `g f`. */
  readonly key: string
  /** Said in the help. */
  readonly does: string
  readonly run: () => void
}

/** All keys of now; of the same key the last counts. */
export const keys = signal<readonly Key[]>([])

/** The text of a key event as `Key.key` writes it. Pure. */
export function nameOf(event: { key: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean }): string | null {
  if (event.altKey) return null
  const control = event.ctrlKey || event.metaKey
  return control ? `Ctrl+${event.key.toLowerCase()}` : event.key
}

/** The key that is meant, with the letter that was pressed before it; and what stays pressed. Pure. */
export function choose(all: readonly Key[], before: string, name: string): { run: Key | null; before: string } {
  const find = (wanted: string): Key | null => [...all].reverse().find((one) => one.key === wanted) ?? null
  if (before) {
    const found = find(`${before} ${name}`)
    if (found) return { run: found, before: '' }
  }
  const begins = all.some((one) => one.key.startsWith(`${name} `))
  return begins ? { run: null, before: name } : { run: find(name), before: '' }
}

const TYPED = 'input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]'

let before = ''
let timer: ReturnType<typeof setTimeout> | undefined

/** Begins to listen; called once. */
export function listenForKeys(): void {
  document.addEventListener('keydown', (event) => {
    const name = nameOf(event)
    if (name === null || event.defaultPrevented) return
    const target = event.target as Element
    const isControl = name.startsWith('Ctrl+')
    // Who types, types; a dialog has the keyboard for itself.
    if (!isControl && (target.closest?.(TYPED) || document.querySelector('dialog[open]'))) return
    // Enter and the space bar are of the button or link that has the focus.
    if ((name === 'Enter' || name === ' ') && target.closest?.('a, button, summary, input')) return
    const chosen = choose(keys.peek(), before, name)
    before = chosen.before
    clearTimeout(timer)
    if (before) timer = setTimeout(() => (before = ''), 1200)
    if (!chosen.run) return
    event.preventDefault()
    chosen.run.run()
  })
}

/** These keys while the component is shown. */
export function useKeys(own: readonly Key[], inputs: readonly unknown[] = []): void {
  useEffect(() => {
    keys.value = [...keys.peek(), ...own]
    return () => {
      keys.value = keys.peek().filter((key) => !own.includes(key))
    }
  }, inputs)
}

/** Puts the caret into the filter of the page. */
export function focusFilter(): void {
  document.querySelector<HTMLInputElement>('main [data-filter]')?.focus()
}
