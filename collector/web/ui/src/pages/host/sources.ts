// Where the log lines of a host come from, by the labels of their streams. Pure.
import type { Labels } from '../../api/types'
import { sourceOf } from '../../lines/lines'

export interface Source {
  readonly key: string
  readonly name: string
  /** What else tells it apart. */
  readonly note: string
  readonly query: string
}

/** One for each file, unit or name of a program; streams of one that differ in other labels are one source. */
export function sourcesOf(streams: readonly Labels[]): Source[] {
  const found = new Map<string, Source>()
  for (const labels of streams) {
    const name = labels['filename'] ?? labels['unit'] ?? labels['container'] ?? labels['app'] ?? labels['job'] ?? 'without a name'
    const query = sourceOf(labels)
    const note = ['app', 'job'].filter((one) => labels[one] && labels[one] !== name).map((one) => `${one}=${labels[one]}`)
    if (!found.has(query)) found.set(query, { key: query, name, note: note.join(' '), query })
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
