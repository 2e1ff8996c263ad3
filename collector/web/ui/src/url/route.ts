// A path against the table of pages.

export interface Match<T> {
  readonly page: T
  /** The parts that stand for `:names`, decoded. */
  readonly parts: Record<string, string>
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Somebody's half-cut link: shown as it stands.
    return part
  }
}

/** The parts of `path` by the names in `pattern` (`/hosts/:host`); null: it is another path. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/').filter(Boolean)
  const have = path.split('/').filter(Boolean)
  if (want.length !== have.length) return null
  const parts: Record<string, string> = {}
  for (const [number, word] of want.entries()) {
    const part = have[number] ?? ''
    if (word.startsWith(':')) parts[word.slice(1)] = decode(part)
    else if (word !== part) return null
  }
  return parts
}

/** The page of a path: the first of the table that fits. */
export function find<T extends { readonly path: string }>(pages: readonly T[], path: string): Match<T> | null {
  for (const page of pages) {
    const parts = match(page.path, path)
    if (parts) return { page, parts }
  }
  return null
}
