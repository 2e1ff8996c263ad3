// The routing tree: read from the settings as the collector writes them anew, and walked with labels. Pure.
import { own } from '../../api/own'
import type { Labels } from '../../api/types'
import { matches, parseMatchers, written, type Matcher } from '../calendar/matcher'

export interface Route {
  readonly receiver: string
  readonly matchers: readonly Matcher[]
  readonly goesOn: boolean
  readonly groupBy: readonly string[]
  /** How long a new group gathers, how long until changes of it are told, and until it is told again unchanged. */
  readonly waitMs: number | null
  readonly intervalMs: number | null
  readonly repeatMs: number | null
  readonly routes: readonly Route[]
}

interface Making {
  indent: number
  values: Map<string, string>
  routes: Making[]
}

const list = (text: string | undefined): string[] => {
  try {
    const found: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(found) ? found.map(String) : []
  } catch {
    return []
  }
}

/**
 * `original` of `/api/v2/status`: YAML in one form (a key a line, lists and texts as JSON, `-` alone before each route). null: it is not in
 * this form, and the page says that it knows no tree.
 */
export function readTree(original: string): Route | null {
  const lines = original.split('\n')
  const first = lines.indexOf('route:')
  if (first < 0) return null
  const root: Making = { indent: 2, values: new Map(), routes: [] }
  const open = [root]
  for (const line of lines.slice(first + 1)) {
    const indent = line.search(/\S/)
    if (indent === 0) break
    if (indent < 0) continue
    if (line.trim() === '-') {
      while (open.length > 1 && (open.at(-1)?.indent ?? 0) > indent) open.pop()
      const route: Making = { indent: indent + 2, values: new Map(), routes: [] }
      open.at(-1)?.routes.push(route)
      open.push(route)
      continue
    }
    while (open.length > 1 && (open.at(-1)?.indent ?? 0) > indent) open.pop()
    const colon = line.indexOf(':')
    open.at(-1)?.values.set(line.slice(indent, colon), line.slice(colon + 1).trim())
  }
  return finish(root)
}

function finish({ values, routes }: Making): Route {
  const matchers = list(values.get('matchers')).map((text) => parseMatchers(text))
  const ms = (name: string): number | null => {
    const found = /^(\d+)ms$/.exec(values.get(name) ?? '')
    return found ? Number(found[1]) : null
  }
  return {
    receiver: list(`[${values.get('receiver') ?? '""'}]`)[0] ?? '',
    matchers: matchers.flatMap((one) => (typeof one === 'string' ? [] : one)),
    goesOn: values.get('continue') === 'true',
    groupBy: list(values.get('group_by')),
    waitMs: ms('group_wait'),
    intervalMs: ms('group_interval'),
    repeatMs: ms('repeat_interval'),
    routes: routes.map(finish),
  }
}

export interface Step {
  readonly route: Route
  readonly depth: number
  readonly path: string
  /** `told`: its receiver is; `passed`: a route below it takes the alert; else why it does not. */
  readonly how: 'told' | 'passed' | 'other' | 'not reached' | 'unasked'
  readonly why: string
}

/** Each route from the root down, with what becomes of these labels there; without labels, the tree alone. */
export function walk(root: Route, labels: Labels | null): Step[] {
  const steps: Step[] = []
  const visit = (route: Route, depth: number, path: string, isReached: boolean, because: string): boolean => {
    const ownPath = `${path}${path ? '/' : ''}{${route.matchers.map(written).join(', ')}}`
    const wrong = labels ? route.matchers.find((matcher) => !matches(labels, matcher)) : undefined
    const isMatched = labels !== null && isReached && !wrong
    const place = steps.length
    const put = (how: Step['how'], why: string): void => void steps.splice(place, 1, { route, depth, path: ownPath, how, why })
    steps.push({ route, depth, path: ownPath, how: 'unasked', why: '' })
    let [isTaken, isOver, last] = [false, false, '']
    for (const child of route.routes) {
      const hit = visit(child, depth + 1, ownPath, isMatched && !isOver, isOver ? last : because || 'the route above does not match')
      if (hit) isTaken = true
      if (hit && !child.goesOn) {
        isOver = true
        last = `a route before it took the alert`
      }
    }
    if (!labels) return false
    if (!isReached) put('not reached', because)
    else if (wrong) put('other', `${wrong.name} is ${JSON.stringify(own(labels, wrong.name)) ?? 'absent'}; wanted is ${written(wrong)}`)
    else if (isTaken) put('passed', 'it matches, and a route below it does')
    else put('told', route.routes.length > 0 ? 'it matches, and none below it does' : 'it matches')
    return isMatched
  }
  visit(root, 0, '', true, '')
  return steps
}
