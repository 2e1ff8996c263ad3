// Where a login leads to. Pure.

/** The path that was asked for before, if it is one of these pages: no other site, and not the login itself. */
export function inside(next: string | null): string {
  if (!next || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/'
  return next === '/login' || next.startsWith('/login?') ? '/' : next
}
