// A query that is written: it grows with its lines, completes what stands at the caret, and marks the place that an error means.
import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { fitting, stepped, type Offer } from './complete'
import { OfferList } from './OfferList'
import '../style/query.css'
import { errorPlace, inserted, type Completion } from './querytext'

export interface QueryFieldProps {
  readonly label: string
  readonly value: string
  /** Enter, or the button beside it. Shift and Enter is another line. */
  readonly onRun: (text: string) => void
  readonly complete: (text: string, caret: number) => Completion | null | Promise<Completion | null>
  /** What the API said of `value`. */
  readonly wrong?: string | null
  readonly placeholder?: string
  /** Gets what puts a word at the caret. */
  readonly insert?: { current: ((word: string) => void) | null }
  readonly children?: ComponentChildren
}

const NOTHING: Completion = { from: 0, offers: [] }
const OFFERS_MAX = 60

export function QueryField({ label, value, onRun, complete, wrong, placeholder, insert, children }: QueryFieldProps) {
  const area = useRef<HTMLTextAreaElement>(null)
  const draft = useSignal(value)
  const found = useSignal(NOTHING)
  const at = useSignal(-1)
  const asked = useRef(0)
  const id = useId()
  useEffect(() => {
    draft.value = value
  }, [value])
  const shut = (): void => {
    asked.current += 1
    found.value = NOTHING
  }
  useEffect(() => shut, [])
  const look = async (): Promise<void> => {
    const field = area.current
    if (!field) return
    const number = (asked.current += 1)
    const [text, caret] = [field.value, field.selectionStart]
    const made = (await complete(text, caret)) ?? NOTHING
    // A later letter was typed meanwhile.
    if (number !== asked.current) return
    found.value = { from: made.from, offers: fitting(made.offers, text.slice(made.from, caret), OFFERS_MAX) }
    at.value = -1
  }
  const take = (offer: Offer): void => {
    const field = area.current
    if (!field) return
    const before = field.value.slice(0, found.value.from) + offer.text
    const rest = field.value.slice(field.selectionStart)
    // A closing quote or bracket that is there already is not written twice.
    draft.value = before + (/["'`\]]$/.test(offer.text) && rest.startsWith(offer.text.slice(-1)) ? rest.slice(1) : rest)
    shut()
    requestAnimationFrame(() => {
      field.focus()
      field.setSelectionRange(before.length, before.length)
      if (/["({ ]$/.test(offer.text)) void look()
    })
  }
  if (insert) {
    insert.current = (word) => {
      const field = area.current
      if (!field) return
      const made = inserted(field.value, field.selectionStart, field.selectionEnd, word)
      draft.value = made.text
      requestAnimationFrame(() => {
        field.focus()
        field.setSelectionRange(made.caret, made.caret)
      })
    }
  }
  const run = (): void => {
    shut()
    onRun(draft.value)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const { offers } = found.value
    const offer = offers[at.value]
    const next = stepped(event.key, at.value, offers.length)
    if (next !== null) at.value = next
    else if (event.key === 'Escape') {
      if (offers.length > 0) shut()
      else area.current?.blur()
    } else if ((event.key === 'Enter' || event.key === 'Tab') && offer) take(offer)
    else if (event.key === 'Enter' && !event.shiftKey) run()
    else if (event.key === ' ' && event.ctrlKey) void look()
    else return
    event.preventDefault()
  }
  const place = wrong && draft.value === value ? errorPlace(wrong, value) : null
  const { offers } = found.value
  return (
    <div class="query-field">
      <div class="row">
        <div class="query-text mono grow">
          <div class="mirror" aria-hidden="true">
            {place === null ? draft.value : <>{value.slice(0, place)}<mark>{value.slice(place, place + 1).trim() || '\u00a0'}</mark>{value.slice(place + 1)}</>}
            {'\u200b'}
          </div>
          <textarea
            ref={area}
            rows={1}
            aria-label={label}
            aria-autocomplete="list"
            aria-controls={offers.length > 0 ? id : undefined}
            aria-activedescendant={at.value >= 0 ? `${id}-${at.value}` : undefined}
            aria-invalid={wrong ? true : undefined}
            aria-describedby={wrong ? `${id}-wrong` : undefined}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            data-filter
            value={draft.value}
            placeholder={placeholder}
            onInput={(event) => {
              draft.value = event.currentTarget.value
              void look()
            }}
            onBlur={shut}
            onKeyDown={onKeyDown}
          />
          {offers.length > 0 && <OfferList id={id} label={label} offers={offers} at={at.value} onTake={take} />}
        </div>
        <button type="button" class={`button${draft.value === value ? '' : ' accent'}`} onClick={run}>
          Run
        </button>
        {children}
      </div>
      {wrong && (
        <p id={`${id}-wrong`} class="wrong small any-word" role="alert">
          {wrong}
        </p>
      )}
    </div>
  )
}
