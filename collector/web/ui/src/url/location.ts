// Where the browser is. The URL is the only store of what is shown; this is the only file that writes it.
import { signal } from '@preact/signals'

export interface Here {
  readonly path: string
  readonly search: URLSearchParams
}

const browser = typeof window !== 'undefined'

function read(): Here {
  if (!browser) return { path: '/', search: new URLSearchParams() }
  return { path: window.location.pathname, search: new URLSearchParams(window.location.search) }
}

/** The place that is shown now. */
export const here = signal<Here>(read())

if (browser) window.addEventListener('popstate', () => (here.value = read()))

/** Parameters that stay when another page is opened: the time that is looked at, and how times are written. */
export const STICKY: readonly string[] = ['since', 'from', 'to', 'tz']

/** A path with the sticky parameters of `from`; what the path says itself wins. */
export function withSticky(href: string, from: URLSearchParams): string {
  const [path = '/', own = ''] = href.split('?', 2)
  const search = new URLSearchParams(own)
  // One span only: a path with a time of its own takes none of the other kind.
  const hasTime = search.has('since') || search.has('from')
  for (const name of STICKY) {
    const value = from.get(name)
    if (value !== null && !search.has(name) && !(hasTime && name !== 'tz')) search.set(name, value)
  }
  const text = search.toString()
  return text ? `${path}?${text}` : path
}

/** Opens a path of these pages. */
export function go(href: string, how: 'push' | 'replace' = 'push'): void {
  const target = withSticky(href, here.value.search)
  if (how === 'push') history.pushState(null, '', target)
  else history.replaceState(null, '', target)
  here.value = read()
}

/** Sets parameters of the place that is shown; null takes one away. */
export function setSearch(changes: Record<string, string | null>, how: 'push' | 'replace'): void {
  const search = new URLSearchParams(here.peek().search)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) search.delete(name)
    else search.set(name, value)
  }
  const text = search.toString()
  const target = here.peek().path + (text ? `?${text}` : '')
  if (how === 'push') history.pushState(null, '', target)
  else history.replaceState(null, '', target)
  here.value = read()
}

/** As the browser's button does. */
export function back(): void {
  history.back()
}
