// The command palette: pages and hosts by a few letters. Ctrl+K opens it.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { ask } from '../api/ask'
import { shown } from '../api/answer'
import type { Hosts } from '../api/types'
import { pages } from '../pages'
import { api, to } from '../url/link'
import { go } from '../url/location'
import { openPages } from './Nav'

interface Goal {
  readonly title: string
  readonly note: string
  readonly to: string
}

/** Those whose title has the letters in their order; a title that begins with them first. Pure. */
export function fits(goals: readonly Goal[], letters: string, most = 12): Goal[] {
  const low = letters.trim().toLowerCase()
  const has = (title: string): boolean => {
    let at = 0
    for (const letter of low) {
      at = title.indexOf(letter, at) + 1
      if (at === 0) return false
    }
    return true
  }
  const rank = (title: string): number => (title.startsWith(low) ? 0 : title.includes(low) ? 1 : 2)
  const found = goals.map((goal) => [goal, goal.title.toLowerCase()] as const).filter(([, title]) => has(title))
  found.sort((a, b) => rank(a[1]) - rank(b[1]))
  return found.slice(0, most).map(([goal]) => goal)
}

export function Palette({ onClose }: { readonly onClose: () => void }) {
  const held = useRef<HTMLDialogElement>(null)
  const text = useSignal('')
  const at = useSignal(0)
  const hosts = useSignal<readonly Goal[]>([])
  useEffect(() => {
    held.current?.showModal()
    // Hosts lead to a page that may not be there yet.
    if (!pages.some((page) => page.path === '/hosts/:host')) return
    void ask<Hosts>(api('hosts')).then((answer) => {
      hosts.value = (shown(answer)?.hosts ?? []).map((host) => ({ title: host.name, note: 'host', to: to(['hosts', host.name]) }))
    })
  }, [])
  const goals = [...openPages().map((page) => ({ title: page.title, note: page.key ?? '', to: page.path })), ...hosts.value]
  const found = fits(goals, text.value)
  const open = (goal: Goal | undefined): void => {
    if (!goal) return
    onClose()
    go(goal.to)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') at.value = Math.min(found.length - 1, at.value + 1)
    else if (event.key === 'ArrowUp') at.value = Math.max(0, at.value - 1)
    else if (event.key === 'Enter') open(found[at.value])
    else return
    event.preventDefault()
  }
  return (
    <dialog
      ref={held}
      aria-label="Go to"
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (event.target === held.current) onClose()
      }}
    >
      <div class="filter-box stack pad" onKeyDown={onKeyDown}>
        <input
          type="text"
          role="combobox"
          aria-label="Go to a page or a host"
          aria-expanded="true"
          aria-controls="goals"
          aria-activedescendant={found.length > 0 ? `goal-${at.value}` : undefined}
          placeholder="Go to a page or a host"
          autocomplete="off"
          spellcheck={false}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value
            at.value = 0
          }}
        />
        <ul id="goals" class="goals" role="listbox" aria-label="Pages and hosts">
          {found.map((goal, number) => (
            <li key={goal.to} id={`goal-${number}`} class="goal" role="option" aria-selected={number === at.value} onClick={() => open(goal)}>
              <span class="cut grow">{goal.title}</span>
              <span class="soft small">{goal.note}</span>
            </li>
          ))}
        </ul>
        {found.length === 0 && <p class="soft">Nothing of this name.</p>}
      </div>
    </dialog>
  )
}
