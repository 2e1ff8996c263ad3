// What completion offers, below the field that has the keyboard.
import type { Offer } from './complete'

interface OfferListProps {
  readonly id: string
  /** Of the field. */
  readonly label: string
  readonly offers: readonly Offer[]
  /** The one that the keyboard is at; -1: none. */
  readonly at: number
  readonly onTake: (offer: Offer) => void
}

export function OfferList({ id, label, offers, at, onTake }: OfferListProps) {
  return (
    <ul class="offers" id={id} role="listbox" aria-label={`${label}: offers`}>
      {offers.map((offer, number) => (
        <li
          key={offer.text}
          id={`${id}-${number}`}
          role="option"
          aria-selected={number === at}
          ref={(item) => {
            if (item && number === at) item.scrollIntoView({ block: 'nearest' })
          }}
          onPointerDown={(event) => {
            // The field keeps the keyboard.
            event.preventDefault()
            onTake(offer)
          }}
        >
          {offer.text}
          {offer.note && <span>{offer.note}</span>}
        </li>
      ))}
    </ul>
  )
}
