// Which rows of a long list are drawn. Pure arithmetic; heights and places are CSS pixels.

/** Heights of all rows, asked by place. */
export interface Heights {
  readonly count: number
  /** Of all rows together. */
  readonly total: number
  /** Where row `at` begins. */
  top(at: number): number
  height(at: number): number
  /** The row at this place; of places outside the first or the last one. */
  rowAt(y: number): number
}

/** All rows are as high as each other. */
export function uniform(count: number, height: number): Heights {
  const last = Math.max(0, count - 1)
  return {
    count,
    total: count * height,
    top: (at) => at * height,
    height: () => height,
    rowAt: (y) => Math.min(last, Math.max(0, Math.floor(y / height))),
  }
}

/** Rows of several heights, by prefix sums. */
export function varied(heights: readonly number[]): Heights {
  const tops = new Float64Array(heights.length + 1)
  for (const [at, height] of heights.entries()) tops[at + 1] = (tops[at] ?? 0) + height
  return {
    count: heights.length,
    total: tops[heights.length] ?? 0,
    top: (at) => tops[at] ?? 0,
    height: (at) => heights[at] ?? 0,
    rowAt(y) {
      let [low, high] = [0, Math.max(0, heights.length - 1)]
      while (low < high) {
        const middle = (low + high + 1) >> 1
        if ((tops[middle] ?? 0) <= y) low = middle
        else high = middle - 1
      }
      return low
    },
  }
}

/** The rows to draw: [first, end), those in sight and so many before and after. */
export function inSight(heights: Heights, scroll: number, view: number, more = 6): { first: number; end: number } {
  if (heights.count === 0) return { first: 0, end: 0 }
  const first = Math.max(0, heights.rowAt(scroll) - more)
  const end = Math.min(heights.count, heights.rowAt(scroll + view) + 1 + more)
  return { first, end }
}

/** Where to scroll so that a row is whole in sight, the head above it not counted; the same place where it is. */
export function reveal(heights: Heights, at: number, scroll: number, view: number): number {
  const [top, bottom] = [heights.top(at), heights.top(at) + heights.height(at)]
  if (top < scroll) return top
  if (bottom > scroll + view) return Math.max(0, bottom - view)
  return scroll
}

/** The row that a key moves to; null: the key moves nothing. */
export function moved(heights: Heights, at: number, key: string, view: number): number | null {
  const last = heights.count - 1
  if (last < 0) return null
  const within = (row: number): number => Math.min(last, Math.max(0, row))
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return within(at + 1)
    case 'ArrowUp':
    case 'k':
      return at < 0 ? 0 : within(at - 1)
    case 'PageDown':
      return heights.rowAt(heights.top(within(at)) + view)
    case 'PageUp':
      return heights.rowAt(heights.top(within(at)) - view)
    case 'Home':
      return 0
    case 'End':
      return last
    default:
      return null
  }
}
