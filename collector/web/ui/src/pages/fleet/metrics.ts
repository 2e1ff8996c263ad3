// What is asked of the hosts' metrics: for the rows that are on screen, or one number of every host. Pure.
import type { Vector } from '../../api/matrix'
import { escaped, quoted } from '../../api/matrix'
import { number, percent } from '../../time/format'

/** Of one question; more than any screen has. */
const HOSTS_MAX = 80
/** Proxies cut longer URLs. */
const LENGTH_MAX = 5000

/** A matcher of these hosts and no others. */
export function hostMatcher(hosts: readonly string[]): string {
  const some: string[] = []
  let length = 0
  for (const host of hosts.slice(0, HOSTS_MAX)) {
    const one = escaped(host)
    length += one.length + 1
    if (length > LENGTH_MAX) break
    some.push(one)
  }
  return `host=~${quoted(some.join('|'))}`
}

/** The share of CPU time that was not idle, by host. */
export function cpuOf(matcher: string, window: string): string {
  return `1 - avg by (host) (rate(node_cpu_seconds_total{${matcher ? `${matcher},` : ''}mode="idle"}[${window}]))`
}

/** The share of memory that is not available, by host. */
export function memoryOf(matcher: string): string {
  const of = matcher ? `{${matcher}}` : ''
  return `1 - max by (host) (node_memory_MemAvailable_bytes${of}) / max by (host) (node_memory_MemTotal_bytes${of})`
}

export interface Metric {
  readonly title: string
  readonly query: string
  /** What fills the scale. */
  readonly high: number
  readonly format: (value: number) => string
}

/** By which hosts can be coloured, beside their state. */
export const METRICS: Readonly<Record<string, Metric>> = {
  cpu: { title: 'CPU', query: cpuOf('', '2m'), high: 1, format: percent },
  memory: { title: 'Memory', query: memoryOf(''), high: 1, format: percent },
  disk: {
    title: 'Disk',
    query: 'max by (host) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660"} / node_filesystem_size_bytes{fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660"})',
    high: 1,
    format: percent,
  },
  load: { title: 'Load a CPU', query: 'max by (host) (node_load1) / count by (host) (node_cpu_seconds_total{mode="idle"})', high: 2, format: number },
}

/** Values by host's name. */
export function byHost(answer: Vector | undefined): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const { metric, value } of answer?.data.result ?? []) {
    const one = Number(value[1])
    if (metric['host'] !== undefined && Number.isFinite(one)) found.set(metric['host'], one)
  }
  return found
}
