// Which of the collector's own series are plotted. Pure.

export interface OwnPlot {
  readonly title: string
  readonly unit: 'bytes' | 'percent' | 'number' | 'seconds'
  readonly lines: readonly { readonly key: string; readonly title: string; readonly expr: string }[]
}

const own = (name: string): string => `muster_collector_${name}{job="muster-collector"}`

/** All in one question, since they are looked at together; `window` in seconds. */
export function plotsOf(window: number): readonly OwnPlot[] {
  const rate = (name: string): string => `sum(rate(${own(name)}[${window}s]))`
  const mean = (seconds: string, times: string): string => `${rate(seconds)} / (${rate(times)} > 0)`
  const last = (name: string): string => `sum(${own(name)})`
  let lines = 0
  const plot = (title: string, unit: OwnPlot['unit'], ...all: [title: string, expr: string][]): OwnPlot => ({ title, unit, lines: all.map(([title, expr]) => ({ key: String((lines += 1)), title, expr })) })
  return [
    plot('Processor', 'percent', ['of one processor', rate('cpu_seconds_total')]),
    plot('Memory', 'bytes', ['resident', last('resident_memory_bytes')], ['heads', last('store_head_bytes')]),
    plot('Taken in a second', 'number', ['samples', rate('ingest_samples_total')], ['lines', rate('ingest_lines_total')]),
    plot('One commit', 'seconds', ['inbox', mean('store_commit_seconds_total', 'store_commits_total')], ['whole', mean('ingest_commit_seconds_total', 'ingest_commits_total')]),
    plot('Waiting', 'number', ['appends', last('ingest_queue_appends')], ['notices', last('notices_waiting')], ['queries', last('queries_waiting')], ['events', last('outbox_undelivered')]),
    plot('One round of rules', 'seconds', ['mean', mean('rule_seconds_total', 'rule_rounds_total')]),
    plot('One query', 'seconds', ['mean', mean('query_seconds_total', 'queries_total')]),
    plot('Inbox, not in segments yet', 'bytes', ['bytes', last('store_inbox_bytes')]),
  ]
}
