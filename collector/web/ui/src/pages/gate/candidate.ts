// The board of the gate: which version could go to an environment next. Pure.
import type { Service, ServiceEnvironment } from '../../api/deploys'
import { shellWord } from '../../parts/querytext'

/** So many questions the board asks by itself: each reads log lines. What is below is asked when somebody looks at it alone. */
export const ASKED_MAX = 40

export interface Candidate {
  readonly version: string
  /** It is on all hosts there already. */
  readonly isHere: boolean
}

/** When an environment got the version that was deployed there last. */
const newestOf = ({ versions }: ServiceEnvironment) => versions.find(({ since_ms }) => since_ms !== null)

/** The newest version that could go there: of the environments before, else of all; null: no version is known. */
export function candidateOf(service: Service, to: ServiceEnvironment): Candidate | null {
  const before = service.environments.filter(({ env }) => to.after?.includes(env) ?? false)
  const from = before.length > 0 ? before : service.environments
  const found = from.map(newestOf).filter((one) => one !== undefined)
  const newest = found.sort((a, b) => (b.since_ms ?? 0) - (a.since_ms ?? 0))[0] ?? newestOf(to)
  if (!newest) return null
  return { version: newest.version, isHere: to.versions.some(({ version, whole_ms }) => version === newest.version && whole_ms !== null) }
}

/** What a gate is asked; null: not enough is filled in. */
export interface Question {
  readonly service: string
  readonly version: string
  readonly to: string
  readonly rollback: boolean
}

export function questionOf(search: { readonly service: string; readonly version: string; readonly to: string; readonly rollback: string }): Question | null {
  const [service, version, to] = [search.service.trim(), search.version.trim(), search.to.trim()]
  return service && version && to ? { service, version, to, rollback: search.rollback === '1' } : null
}

/** The same question in a pipeline. */
export const commandOf = ({ service, version, to, rollback }: Question): string => `muster gate --service ${shellWord(service)} --version ${shellWord(version)} --to ${shellWord(to)}${rollback ? ' --rollback' : ''}`
