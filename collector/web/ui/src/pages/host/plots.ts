// Which plots a host has, in groups, and what each asks. Pure.
import { onGrid, quoted, timesOf, type Axis, type Matrix } from '../../api/matrix'
import type { Facts, Labels } from '../../api/types'
import { bytes, duration, number, percent } from '../../time/format'

export interface PlotKind {
  readonly key: string
  readonly title: string
  /** Metrics without which there is nothing to plot. */
  readonly needs: readonly string[]
  /** Expressions; `$` stands for the matcher of the host, `@` for the window of rates. */
  readonly ask: string
  /** The name of a series by its labels. */
  readonly name: (labels: Labels) => string
  readonly format: (value: number) => string
  readonly low?: number
  /** From here on it is bad. */
  readonly limit?: (facts: Facts) => number | undefined
}

export interface Group {
  readonly key: string
  readonly title: string
  readonly plots: readonly PlotKind[]
  /** Folded until somebody opens it. */
  readonly isFolded?: boolean
}

/** Shorter steps are about as far apart as samples of a slow agent. */
const MEAN_FROM_MS = 60_000
/** More lines in one plot nobody tells apart. */
const SERIES_MAX = 12
const FILESYSTEMS = 'fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660|devtmpfs|autofs"'
const DISKS = 'device!~"loop.*|ram.*|zram.*|sr.*|fd.*"'
const NETS = 'device!~"lo|veth.*|br-.*|docker.*|cali.*|cni.*"'

const by = (label: string) => (labels: Labels): string => labels[label] ?? 'all'
const named = (labels: Labels): string => labels['as'] ?? 'value'
const each = (value: number): string => `${number(value)}/s`
const rateOfBytes = (value: number): string => `${bytes(value)}/s`
const seconds = (value: number): string => (value === 0 ? '0 s' : Math.abs(value) < 1 ? `${number(value * 1000)} ms` : duration(value * 1000))

/** Several expressions as one question: each with its name in the label `as`. */
function together(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .map(([name, one]) => `label_replace(${one}, "as", ${quoted(name)}, "", "")`)
    .join(' or ')
}

function plot(key: string, title: string, needs: string, ask: string, name: PlotKind['name'], format: PlotKind['format'], more: Pick<PlotKind, 'low' | 'limit'> = {}): PlotKind {
  return { key, title, needs: needs.split(' '), ask, name, format, low: 0, ...more }
}

const rate = (metric: string, where = ''): string => `rate(${metric}{$${where ? `,${where}` : ''}}[@])`
const pressure = (what: string, kinds: readonly string[]): string => together(Object.fromEntries(kinds.map((kind) => [kind, rate(`node_pressure_${what}_${kind}_seconds_total`)])))

export const GROUPS: readonly Group[] = [
  {
    key: 'cpu',
    title: 'CPU and load',
    plots: [
      plot('cpu', 'CPU by mode', 'node_cpu_seconds_total', 'sum by (mode) (rate(node_cpu_seconds_total{$,mode!="idle"}[@])) / scalar(count(node_cpu_seconds_total{$,mode="idle"}))', by('mode'), percent),
      plot('load', 'Load', 'node_load1', together({ '1 min': 'node_load1{$}', '5 min': 'node_load5{$}', '15 min': 'node_load15{$}' }), named, number, { limit: ({ processors }) => (processors ? processors * 2 : undefined) }),
      plot('cpus', 'CPU by processor', 'node_cpu_seconds_total', '1 - sum by (cpu) (rate(node_cpu_seconds_total{$,mode="idle"}[@]))', (labels) => `cpu ${labels['cpu'] ?? ''}`, percent),
      plot('switches', 'Context switches and interrupts', 'node_context_switches_total', together({ switches: rate('node_context_switches_total'), interrupts: rate('node_intr_total') }), named, each),
      plot('procs', 'Processes', 'node_procs_running', together({ running: 'node_procs_running{$}', blocked: 'node_procs_blocked{$}' }), named, number),
      plot('forks', 'Forks', 'node_forks_total', rate('node_forks_total'), () => 'forks', each),
    ],
  },
  {
    key: 'memory',
    title: 'Memory',
    plots: [
      plot('memory', 'Memory', 'node_memory_MemTotal_bytes', together({ used: 'node_memory_MemTotal_bytes{$} - node_memory_MemAvailable_bytes{$}', 'page cache': 'node_memory_Cached_bytes{$}', free: 'node_memory_MemFree_bytes{$}' }), named, bytes, { limit: ({ memory_bytes: all }) => (all ? all * 0.95 : undefined) }),
      plot('swap', 'Swap', 'node_memory_SwapTotal_bytes', together({ used: 'node_memory_SwapTotal_bytes{$} - node_memory_SwapFree_bytes{$}', all: 'node_memory_SwapTotal_bytes{$}' }), named, bytes),
      plot('swapping', 'Pages swapped', 'node_vmstat_pswpin', together({ in: rate('node_vmstat_pswpin'), out: rate('node_vmstat_pswpout') }), named, each),
      plot('faults', 'Page faults', 'node_vmstat_pgfault', together({ all: rate('node_vmstat_pgfault'), major: rate('node_vmstat_pgmajfault') }), named, each),
      plot('dirty', 'Waiting to be written', 'node_memory_Dirty_bytes', together({ dirty: 'node_memory_Dirty_bytes{$}', writeback: 'node_memory_Writeback_bytes{$}' }), named, bytes),
      plot('slab', 'Kernel memory', 'node_memory_Slab_bytes', together({ slab: 'node_memory_Slab_bytes{$}', 'page tables': 'node_memory_PageTables_bytes{$}', stacks: 'node_memory_KernelStack_bytes{$}' }), named, bytes),
    ],
  },
  {
    key: 'disk',
    title: 'Disks',
    plots: [
      plot('space', 'Space used', 'node_filesystem_size_bytes', `max by (mountpoint) (1 - node_filesystem_avail_bytes{$,${FILESYSTEMS}} / node_filesystem_size_bytes{$,${FILESYSTEMS}})`, by('mountpoint'), percent, { limit: () => 0.9 }),
      plot('inodes', 'Inodes used', 'node_filesystem_files', `max by (mountpoint) (1 - node_filesystem_files_free{$,${FILESYSTEMS}} / node_filesystem_files{$,${FILESYSTEMS}})`, by('mountpoint'), percent, { limit: () => 0.9 }),
      plot('read', 'Read', 'node_disk_read_bytes_total', rate('node_disk_read_bytes_total', DISKS), by('device'), rateOfBytes),
      plot('write', 'Written', 'node_disk_written_bytes_total', rate('node_disk_written_bytes_total', DISKS), by('device'), rateOfBytes),
      plot('busy', 'Time busy', 'node_disk_io_time_seconds_total', rate('node_disk_io_time_seconds_total', DISKS), by('device'), percent),
      plot('iops', 'Reads and writes', 'node_disk_reads_completed_total', together({ reads: `sum(${rate('node_disk_reads_completed_total', DISKS)})`, writes: `sum(${rate('node_disk_writes_completed_total', DISKS)})` }), named, each),
      plot('queue', 'Requests waiting', 'node_disk_io_time_weighted_seconds_total', rate('node_disk_io_time_weighted_seconds_total', DISKS), by('device'), number),
    ],
  },
  {
    key: 'net',
    title: 'Network',
    plots: [
      plot('receive', 'Received', 'node_network_receive_bytes_total', rate('node_network_receive_bytes_total', NETS), by('device'), rateOfBytes),
      plot('transmit', 'Sent', 'node_network_transmit_bytes_total', rate('node_network_transmit_bytes_total', NETS), by('device'), rateOfBytes),
      plot('packets', 'Packets', 'node_network_receive_packets_total', together({ received: `sum(${rate('node_network_receive_packets_total', NETS)})`, sent: `sum(${rate('node_network_transmit_packets_total', NETS)})` }), named, each),
      plot('neterrs', 'Errors and drops', 'node_network_receive_errs_total', together({ 'errors in': `sum(${rate('node_network_receive_errs_total', NETS)})`, 'errors out': `sum(${rate('node_network_transmit_errs_total', NETS)})`, 'drops in': `sum(${rate('node_network_receive_drop_total', NETS)})`, 'drops out': `sum(${rate('node_network_transmit_drop_total', NETS)})` }), named, each),
      plot('tcp', 'TCP connections', 'node_netstat_Tcp_CurrEstab', together({ established: 'node_netstat_Tcp_CurrEstab{$}', 'time wait': 'node_sockstat_TCP_tw{$}', orphans: 'node_sockstat_TCP_orphan{$}' }), named, number),
      plot('retrans', 'TCP segments sent again', 'node_netstat_Tcp_RetransSegs', rate('node_netstat_Tcp_RetransSegs'), () => 'segments', each),
      plot('conntrack', 'Connections tracked', 'node_nf_conntrack_entries', 'node_nf_conntrack_entries{$} / node_nf_conntrack_entries_limit{$}', () => 'of the limit', percent, { limit: () => 0.9 }),
    ],
  },
  {
    key: 'pressure',
    title: 'Pressure and kernel',
    plots: [
      plot('psicpu', 'Waiting for CPU', 'node_pressure_cpu_waiting_seconds_total', pressure('cpu', ['waiting']), named, percent),
      plot('psimem', 'Waiting for memory', 'node_pressure_memory_waiting_seconds_total', pressure('memory', ['waiting', 'stalled']), named, percent),
      plot('psiio', 'Waiting for disks', 'node_pressure_io_waiting_seconds_total', pressure('io', ['waiting', 'stalled']), named, percent),
      plot('fds', 'File descriptors', 'node_filefd_allocated', 'node_filefd_allocated{$}', () => 'open', number),
      plot('pids', 'Processes and threads', 'node_processes_pids', together({ processes: 'node_processes_pids{$}', threads: 'node_processes_threads{$}' }), named, number),
      plot('sockets', 'Sockets', 'node_sockstat_sockets_used', 'node_sockstat_sockets_used{$}', () => 'used', number),
      plot('entropy', 'Entropy', 'node_entropy_available_bits', 'node_entropy_available_bits{$}', () => 'bits', number),
      plot('softnet', 'Packets that the kernel dropped', 'node_softnet_dropped_total', `sum(${rate('node_softnet_dropped_total')})`, () => 'dropped', each),
    ],
  },
  {
    key: 'clock',
    title: 'Clock',
    plots: [
      plot('offset', 'Clock offset against the collector', 'muster_agent_clock_offset_seconds', 'muster_agent_clock_offset_seconds{$}', () => 'offset', seconds, { low: -0.001 }),
      plot('ntp', 'Clock offset by the kernel', 'node_timex_offset_seconds', 'node_timex_offset_seconds{$}', () => 'offset', seconds, { low: -0.001 }),
      plot('maxerror', 'Largest error of the clock', 'node_timex_maxerror_seconds', 'node_timex_maxerror_seconds{$}', () => 'error', seconds),
    ],
  },
  {
    key: 'agent',
    title: 'The agent itself',
    isFolded: true,
    plots: [
      plot('agentcpu', 'CPU', 'process_cpu_seconds_total', rate('process_cpu_seconds_total'), () => 'of one processor', percent),
      plot('agentmem', 'Memory', 'process_resident_memory_bytes', 'process_resident_memory_bytes{$}', () => 'resident', bytes),
      plot('agentfds', 'File descriptors', 'process_open_fds', 'process_open_fds{$}', () => 'open', number),
      plot('agentsent', 'Sent', 'muster_agent_sent_bytes_total', `sum(${rate('muster_agent_sent_bytes_total')})`, () => 'sent', rateOfBytes),
      plot('agentspool', 'Spool and queue', 'muster_agent_spool_bytes', together({ spool: 'sum(muster_agent_spool_bytes{$})', queued: 'sum(muster_agent_queued_bytes{$})' }), named, bytes),
      plot('agentrtt', 'Round trip to the collector', 'muster_agent_rtt_seconds', 'max(muster_agent_rtt_seconds{$})', () => 'round trip', seconds),
      plot('agentdrops', 'Dropped', 'muster_agent_rows_dropped_total', `sum(${rate('muster_agent_rows_dropped_total')})`, () => 'rows', each),
      plot('agentseries', 'Series', 'muster_agent_series', 'max(muster_agent_series{$})', () => 'series', number),
    ],
  },
]

/** Whether its values are bytes. */
export function isBytes(kind: PlotKind): boolean {
  return kind.format === bytes || kind.format === rateOfBytes
}

/** The plot's question about a host. */
export function question(kind: PlotKind, host: string, axis: Axis): string {
  // Rates need two samples, and agents may take one a minute.
  const window = `${Math.max(120, (2 * axis.step) / 1000)}s`
  // A value each three hours says little of these hours: over long steps it is the mean.
  const ask = axis.step > MEAN_FROM_MS ? kind.ask.replace(/\w+\{\$[^}]*\}(?!\[)/g, (one) => `avg_over_time(${one}[${axis.step / 1000}s])`) : kind.ask
  return ask.replaceAll('@', window).replaceAll('$', () => `host=${quoted(host)}`)
}

export interface Lines {
  readonly times: readonly number[]
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[]
  /** Series that are not shown: of many those with the highest values are. */
  readonly more: number
}

export function linesOf(kind: PlotKind, answer: Matrix, axis: Axis): Lines {
  const all = answer.data.result.map(({ metric, values }) => ({ label: kind.name(metric), values: onGrid(values, axis) }))
  const most = (values: readonly (number | null)[]): number => values.reduce<number>((most, value) => (value !== null && value > most ? value : most), -Infinity)
  const kept = all.length <= SERIES_MAX ? all : [...all].sort((a, b) => most(b.values) - most(a.values)).slice(0, SERIES_MAX)
  return { times: timesOf(axis), series: [...kept].sort((a, b) => (a.label < b.label ? -1 : 1)), more: all.length - kept.length }
}

/** Groups with the plots for which the host has metrics; null: which it has is not known, so all are offered. */
export function offered(names: ReadonlySet<string> | null): readonly Group[] {
  if (!names) return GROUPS
  return GROUPS.map((group) => ({ ...group, plots: group.plots.filter(({ needs }) => needs.every((need) => names.has(need))) })).filter(({ plots }) => plots.length > 0)
}
