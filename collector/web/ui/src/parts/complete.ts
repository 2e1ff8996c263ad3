// Completion of the word at the caret. Pure.

export interface Offer {
  /** What takes the place of the word. */
  readonly text: string
  /** Said beside it. */
  readonly note?: string
}

/** The word before the caret, and where it begins. */
export function wordAt(text: string, caret: number): { word: string; start: number } {
  const before = text.slice(0, caret)
  const start = before.search(/\S*$/)
  return { word: before.slice(start), start }
}

/** The text with an offer in place of the word, and where the caret is then. */
export function apply(text: string, caret: number, offer: Offer): { text: string; caret: number } {
  const { start } = wordAt(text, caret)
  const made = text.slice(0, start) + offer.text
  return { text: made + text.slice(caret), caret: made.length }
}

/** Offers that go on from a word: those that begin with it, then those that have it somewhere. */
export function fitting(offers: readonly Offer[], word: string, most = 12): Offer[] {
  const low = word.toLowerCase()
  const begins = offers.filter((offer) => offer.text.toLowerCase().startsWith(low) && offer.text !== word)
  const has = offers.filter((offer) => !offer.text.toLowerCase().startsWith(low) && offer.text.toLowerCase().includes(low))
  return [...begins, ...has].slice(0, most)
}

/** Where the arrow keys go in a list of so many, round and round; null: the key is another one, or nothing is offered. */
export function stepped(key: string, at: number, count: number): number | null {
  if (count === 0) return null
  if (key === 'ArrowDown') return (at + 1) % count
  return key === 'ArrowUp' ? (at <= 0 ? count : at) - 1 : null
}
