// Paths of pages and of the API, built of parts that may hold anything.

export type Params = Record<string, string | number | boolean | readonly string[] | null | undefined>

/** `?a=1&b=2`, or nothing. Absent and null values are left out; a list is the parameter several times. */
export function search(params: Params): string {
  const made = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined) continue
    if (Array.isArray(value)) for (const one of value) made.append(name, one)
    else made.append(name, String(value))
  }
  const text = made.toString()
  return text ? `?${text}` : ''
}

/** A path of parts, each encoded: `path('hosts', name)` is `/hosts/a%2Fb` for the name `a/b`. */
export function path(...parts: readonly string[]): string {
  // A part of dots alone would be a step up, however it is encoded; a name is never one, and nothing is lost by what refuses it.
  const encode = (part: string): string => encodeURIComponent(/^\.{1,2}$/.test(part) ? `${part}\u200b` : part)
  return '/' + parts.map(encode).join('/')
}

/** A path of parts with parameters. */
export function to(parts: readonly string[], params: Params = {}): string {
  return path(...parts) + search(params)
}

/** Whether an answer names a path of these pages: nothing else that it names is made a link. */
export const isPage = (named: string | null): named is string => named !== null && /^\/(?![/\\])/.test(named)

/** A path of Muster's own API. */
export function api(...parts: readonly string[]): string {
  return '/api/muster/v1' + path(...parts)
}
