// A text that filters, with completion of the word at the caret.
import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { apply, fitting, stepped, wordAt, type Offer } from './complete'
import { Icon } from './Icon'
import { OfferList } from './OfferList'

export interface FilterProps {
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  /** What could stand in place of the word before the caret. */
  readonly offers?: (word: string) => readonly Offer[] | Promise<readonly Offer[]>
  readonly placeholder?: string
  /** Enter, where nothing is offered. */
  readonly onEnter?: () => void
}

export function Filter({ label, value, onInput, offers, placeholder, onEnter }: FilterProps) {
  const input = useRef<HTMLInputElement>(null)
  const found = useSignal<readonly Offer[]>([])
  const at = useSignal(-1)
  const list = useId()
  const asked = useRef(0)

  const look = async (): Promise<void> => {
    const field = input.current
    if (!field || !offers) return
    const number = (asked.current += 1)
    const { word } = wordAt(field.value, field.selectionStart ?? field.value.length)
    const all = await offers(word)
    // A later letter was typed meanwhile.
    if (number !== asked.current) return
    found.value = fitting(all, word)
    at.value = -1
  }
  const shut = (): void => {
    asked.current += 1
    found.value = []
  }
  const take = (offer: Offer): void => {
    const field = input.current
    if (!field) return
    const made = apply(field.value, field.selectionStart ?? field.value.length, offer)
    onInput(made.text)
    // The field has the new text only after it is drawn.
    requestAnimationFrame(() => {
      field.focus()
      field.setSelectionRange(made.caret, made.caret)
      if (offer.text.endsWith('=')) void look()
    })
    shut()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const count = found.value.length
    const next = stepped(event.key, at.value, count)
    if (next !== null) at.value = next
    else if (event.key === 'Escape') {
      if (count > 0) shut()
      else input.current?.blur()
    } else if ((event.key === 'Enter' || event.key === 'Tab') && at.value >= 0) {
      const offer = found.value[at.value]
      if (offer) take(offer)
    } else if (event.key === 'Enter') {
      shut()
      onEnter?.()
      return
    } else return
    event.preventDefault()
  }
  useEffect(() => shut, [])
  const isOpen = found.value.length > 0
  return (
    <div class="filter">
      <Icon sign="search" size={14} />
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded={isOpen}
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={at.value >= 0 ? `${list}-${at.value}` : undefined}
        autocomplete="off"
        spellcheck={false}
        data-filter
        value={value}
        placeholder={placeholder ?? label}
        onInput={(event) => {
          onInput(event.currentTarget.value)
          void look()
        }}
        onFocus={() => void look()}
        onBlur={shut}
        onKeyDown={onKeyDown}
      />
      {isOpen && <OfferList id={list} label={label} offers={found.value} at={at.value} onTake={take} />}
    </div>
  )
}
