// Every counter of what was lost, turned away or failed: what helps, and what its reasons mean. Pure.
import { own } from '../../api/own'

/** By names without `muster_collector_` and `_total`: the remedy. What each counts is told by the collector itself. */
export const REMEDIES: Readonly<Record<string, string>> = {
  alerts_refused: 'Give rules and pushes fewer labels that differ.',
  answer_rows_dropped: 'Ask hosts for fewer rows by conditions: the answer says that it is cut.',
  audit_summed: 'Many refusals alike: see who is refused in the audit.',
  checks_refused: 'Give the host fewer checks, or names of its own.',
  configurations_failed: 'See Profiles, Roll-outs: each host that was set back says why.',
  deploys_dropped: 'What was deployed long ago is not known any more: tell of fewer deploys.',
  discovery_items_over: 'Ignore by rules what nobody watches: Discovery names the hosts.',
  discovery_untold: 'None is forgotten: Discovery lists them all.',
  disk_full: 'Make room on the disk, or keep data for a shorter time.',
  gap_events_untold: 'None is forgotten: the host page shows its gaps.',
  gaps: 'Samples that hosts say will not come: see the events of the hosts.',
  gaps_dropped: 'Plots no longer say that there is a gap at these times.',
  http_handshakes_failed: 'Clients that do not trust the certificate, or scans of ports.',
  http_plain_refused: 'Write https in the address of whoever asks.',
  http_refused: 'Wrong, ended or too weak tokens: the audit says from where.',
  ingest_apply_failed: 'See the log of the collector and the room on its disk.',
  ingest_clock_set_back: 'Let NTP steer the clock of the collector slowly.',
  ingest_commits_failed: 'Nothing is lost: agents send it again. See the disk.',
  ingest_gaps: 'Hosts name what they lost: see the table of hosts below.',
  ingest_line_fields_dropped: 'Send fewer or shorter fields a line; the line is kept.',
  ingest_lines_dropped: 'See what sends them, and mend it there.',
  ingest_problems_dropped: '`muster-agent doctor` on that host names all of them.',
  ingest_refusals: 'An agent that is refused says why in its log and in `muster-agent status`.',
  ingest_reports_dropped: 'Set the clock of the host, or write shorter output.',
  ingest_samples_dropped: 'See what sends them, and mend it there.',
  ingest_series_refused: 'Leave out labels that change, such as ids and times.',
  ingest_sessions_reverted: 'A machine was set back or copied: enrol copies as hosts of their own.',
  ingest_stale_markers_dropped: 'Series that ended look alive for 5 m more.',
  inventory_changes_dropped: 'Changes of hosts are known for a shorter time: see in the feed of changes which host has so many.',
  inventory_changes_untold: 'None is forgotten: the feed of changes shows them.',
  inventory_refused: 'See the inventory of the host: it says which table, and what to do.',
  live_dropped: 'Pages load their lists anew; close pages that nobody looks at.',
  log_losses: 'Lines that hosts say will not come: see the events of the hosts.',
  log_losses_dropped: 'Logs no longer say that lines are missing at these times.',
  log_skips: 'See the table of hosts below for why.',
  metric_results_dropped: 'Let checks over metrics keep the label host of registered hosts.',
  notices_dead: 'Nobody was told by these: see the queue of notices above, then mend address or server.',
  outbox_dropped: 'Events are missing: see why the store takes none (disk, log of the collector).',
  process_looks_dropped: 'Which processes used a host is known for a shorter time: keep fewer of them, or look less often.',
  queries_dropped: 'Ask for less at once, or give the collector more processors.',
  queries_refused: 'Mend the queries: the answers say where they are wrong.',
  refused: 'Hosts that must wait, or have a wrong token or certificate: see Set up and the audit.',
  rule_batches_dropped: 'Recorded series have holes: see the disk of the collector.',
  rule_failures: 'See Rules, state error: each says what failed.',
  rule_restore_faults: 'Alerts that were open before a start fire anew if they still hold.',
  rule_rounds_missed: 'Rules were looked at too late: make them lighter or their interval longer.',
  rule_template_faults: 'Mend the templates: `muster rules lint` names them.',
  state_commit_failures: 'See the disk: nothing that failed was acknowledged.',
  store_appends_refused: 'Repeats are refused by design; other reasons: see the log of the collector.',
  store_commit_errors: 'Nothing is lost: agents send it again. See the disk.',
  store_entries_damaged: 'Test the disk, then restore a snapshot if what is missing matters.',
  store_epochs_forced: 'A host starts too often: see why it reboots.',
  store_files_set_aside: 'Nothing: they may be deleted once the data is known to be whole.',
  store_flush_errors: 'Tried again by itself; see room and health of the disk.',
  store_repeat_rows_evicted: 'A body that is sent again so late is stored twice.',
  store_samples_lost: 'Test the disk, then restore a snapshot if what is missing matters.',
  store_segments_damaged: 'Test the disk, then restore a snapshot if what is missing matters.',
  store_segments_quarantined: 'Test the disk, then restore a snapshot if what is missing matters.',
  store_tail_lines_dropped: 'Narrow the tail by labels: the lines are stored.',
  store_unlink_errors: 'See the permissions of the data folder; room is not given back.',
  tails_dropped: 'Narrow or close tails: the lines are stored.',
  task_words_dropped: 'Hosts tell them again: see the load of the collector.',
}

/** Of agents, without `muster_agent_` and `_total`: what it counts, and the remedy. */
export const ON_HOSTS: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  answers_unsent: ['Answers whose connection was gone', 'Ask again: the answer named the host as missing.'],
  batches_dropped: ['Batches that will not arrive', 'Give the spool more room, or shorten the time that the collector is away.'],
  rows_dropped: ['Samples of a moment that were never numbered', 'See disk and memory of the host.'],
  reports_dropped: ['Results of checks that were never numbered', 'See disk and memory of the host.'],
  series_refused: ['Series beyond what the host may have', 'Switch sources off, or leave devices out.'],
  missed_ticks: ['Moments that were not sampled', 'The host was too busy or asleep.'],
  spool_errors: ['Disk errors of the spool', 'See the disk of the host.'],
  spool_damages: ['Spool files cut at a damaged record', 'See the disk of the host.'],
  task_frames_dropped: ['Words of tasks that did not arrive', 'They are told again: see that muster-task runs, by `muster-task check`.'],
  log_skips: ['Times that log lines were given up', 'Let rotation keep files longer, or give the spool for logs more room.'],
  log_skipped_bytes: ['Bytes of logs that will not arrive', 'Let rotation keep files longer, or give the spool for logs more room.'],
  log_truncated: ['Lines of which only the head was kept', 'Write shorter lines.'],
  log_refusals: ['Batches of lines that the collector could not read', 'Update agent and collector to the same version.'],
  log_spool_errors: ['Failures of the spool for logs', 'See the disk of the host.'],
  check_missed: ['Runs of checks left out, since the one before went on', 'Make the check faster, or its interval longer.'],
  check_timeouts: ['Runs of checks ended at their time limit', 'Make the check faster, or its limit longer.'],
  check_unparsed: ['Pieces of perfdata not understood', 'Mend the output of the plugin.'],
  configuration_refused: ['Configurations that the host refused', 'The tab Set-up of the host says why.'],
  configuration_reverted: ['Configurations that did not do and were set back', 'The tab Set-up of the host says why.'],
  refusals: ['Refusals by the collector', '`muster-agent status` on the host says why.'],
  process_looks_unsent: ['Looks at processes while the collector was not known to take them', 'Update the collector; after a start of the agent this is usual.'],
  inventory_failures: ['Looks at tables of the inventory that failed', 'The tab Inventory of the host says why.'],
  inventory_words_dropped: ['Words of the collector about the inventory that found no place', 'Nothing: what was meant is asked again.'],
  renewal_failures: ['Renewals of the certificate that failed', 'See `muster-agent doctor` on the host.'],
  reverts: ['Times that the machine was found set back or copied', 'Enrol copies as hosts of their own.'],
}

/** What a reason means, where its word does not say it. */
const REASONS: Readonly<Record<string, string>> = {
  future: 'stamped ahead of the collector: set the clock there',
  too_old: 'too late to be taken',
  series_limit: 'more series than one host may have',
  labels: 'labels break a limit',
  reserved: 'labels that are the collector\'s own',
  series_twice: 'the same series twice in one request',
  native_histogram: 'native histograms are not kept',
  unencodable: 'too large for a frame',
  repeat: 'sent again: stored once',
  repeated_body: 'sent again: stored once',
  not_next: 'out of order: sent again',
  queue_full: 'the queue was full',
  queue_timeout: 'waited too long for its turn',
  client_gone: 'whoever asked had gone',
  no_longer_allowed: 'logged out, or a token that ended',
  spool_full: 'no room in the spool: the oldest went',
  disk_error: 'the disk failed',
  no_epoch: 'the disk took no new numbering',
  context_lost: 'the collector lacked names that were gone here',
  truncated: 'cut off before it was read',
  rotated_away: 'rotated away before it was read',
  held_too_long: 'deleted, and not read in time',
  overlong: 'the rest of a line beyond its limit',
}

export const reasonOf = (word: string): string => own(REASONS, word) ?? word.replaceAll('_', ' ')

const ALL = Object.keys(REMEDIES)
/** Those that end in `_total`; the others are numbers of what is kept. */
export const LEVELS: ReadonlySet<string> = new Set(['discovery_items_over', 'gaps', 'log_losses', 'store_files_set_aside', 'store_segments_quarantined'])

/** The part of a name that the tables have; null: it counts no loss. New ones of a newer collector are known by their ends. */
export function lossOf(name: string): string | null {
  const bare = /^muster_collector_(.+)$/.exec(name)?.[1]
  if (bare === undefined) return null
  if (LEVELS.has(bare)) return bare
  const counted = /^(.+)_total$/.exec(bare)?.[1]
  return counted !== undefined && !LEVELS.has(counted) && (own(REMEDIES, counted) !== undefined || /_(dropped|refused|lost)$/.test(counted)) ? counted : null
}

const names = ALL.map((name) => (LEVELS.has(name) ? name : `${name}_total`)).join('|')
export const LOSSES_QUERY = `{job="muster-collector",__name__=~"muster_collector_(${names}|.+_(dropped|refused|lost)_total)"}`
export const HOSTS_QUERY = `sum by (__name__, host, reason) ({__name__=~"muster_agent_(${Object.keys(ON_HOSTS).join('|')})_total"})`
