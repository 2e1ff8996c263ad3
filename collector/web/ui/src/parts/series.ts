// Series as a plot and its legend have them. Pure.
type Values = readonly (number | null)[]

export interface Stats {
  readonly last: number | null
  readonly min: number | null
  readonly max: number | null
  readonly avg: number | null
}

export function stats(values: Values): Stats {
  let [last, min, max, sum, count]: [number | null, number, number, number, number] = [null, Infinity, -Infinity, 0, 0]
  for (const value of values) {
    if (value === null) continue
    last = value
    min = Math.min(min, value)
    max = Math.max(max, value)
    sum += value
    count += 1
  }
  return count === 0 ? { last: null, min: null, max: null, avg: null } : { last, min, max, avg: sum / count }
}

/** Each on top of those before it; where none has a value there is a gap. */
export function stacked(all: readonly Values[]): (number | null)[][] {
  const sum: (number | null)[] = []
  return all.map((values) =>
    values.map((value, at) => {
      if (value !== null) sum[at] = (sum[at] ?? 0) + value
      return sum[at] ?? null
    }),
  )
}

/** The `most` with the highest last values, in the order that they had. */
export function highest<T extends { readonly values: Values }>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all
  const last = new Map(all.map((one) => [one, stats(one.values).last ?? -Infinity]))
  const kept = new Set([...all].sort((a, b) => (last.get(b) ?? 0) - (last.get(a) ?? 0)).slice(0, most))
  return all.filter((one) => kept.has(one))
}

/** `name{a="b"}` without the labels that all have alike, as far as that leaves something. */
export function seriesNames(all: readonly Readonly<Record<string, string>>[]): string[] {
  const [first] = all
  const alike = new Set(all.length < 2 || !first ? [] : Object.keys(first).filter((name) => all.every((one) => one[name] === first[name])))
  return all.map((labels) => {
    const own = Object.entries(labels).filter(([name]) => name !== '__name__' && !alike.has(name))
    const metric = alike.has('__name__') && own.length > 0 ? '' : (labels['__name__'] ?? '')
    const text = own.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')
    return metric + (text ? `{${text}}` : '') || '{}'
  })
}
