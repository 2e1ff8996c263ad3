// Labels as lines of a text field, and what has changed in them. Pure.
import type { Labels } from '../../api/types'
import { own } from '../../api/own'

export function labelLines(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`).join('\n')
}

export interface Changes {
  readonly all: Labels
  readonly set: Labels
  readonly remove: readonly string[]
  readonly wrong: string | null
}

export function labelChanges(before: Labels, text: string): Changes {
  const found = new Map<string, string>()
  let wrong: string | null = null
  for (const line of text.split('\n').map((line) => line.trim()).filter(Boolean)) {
    const parts = /^([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.+)$/.exec(line)
    if (!parts) wrong ??= `"${line}" is not name=value`
    else if (found.has(parts[1] ?? '')) wrong ??= `${parts[1]} stands there twice`
    else found.set(parts[1] ?? '', parts[2] ?? '')
  }
  const set = Object.fromEntries([...found].filter(([name, value]) => own(before, name) !== value))
  return { all: Object.fromEntries(found), set, remove: Object.keys(before).filter((name) => !found.has(name)), wrong }
}
