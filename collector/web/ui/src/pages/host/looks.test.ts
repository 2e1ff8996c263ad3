import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calledOf, cpu, ioOf, isOld, momentOf, rate, spanOf, stepped, totalsOf, turned, type Look, type Process } from './looks'

const PROCESS: Process = { pid: 7, name: 'sh', command: 'sh', arguments: 2, user: 'web', state: 'R', threads: 1, started_ms: 5, cpu_percent: 99.87, rss_bytes: 1024, read_bytes_per_second: null, written_bytes_per_second: null }
const LOOK: Look = { state: 'known', kept_ms: 86_400_000, looked_at_ms: 1_000_000, span_ms: 30_010, interval_ms: 30_000, covers: true, totals: { seen: 150, unseen: 0, running: 2, blocked: 0, zombies: 0 }, processes: [PROCESS] }

test('the moment is the one of the URL, else the end of a span, else now', () => {
  const last = { kind: 'last', text: '1h', ms: 3_600_000 } as const
  const span = { kind: 'span', from: 5, to: 90 } as const
  assert.deepEqual([momentOf('77', last), momentOf('77', span), momentOf('', span), momentOf('', last)], [77, 77, 90, null])
  for (const wrong of ['x', '-5', '1.5', '1e99', ' ']) assert.equal(momentOf(wrong, last), null, wrong)
})

test('steps go back from now and end there', () => {
  assert.deepEqual([stepped(null, -60, 1000), stepped(900, 60, 1000), stepped(940, 60, 1000), stepped(500, -60, 1000)], [940, 960, null, 440])
})

test('of a column that is turned to the most comes first', () => {
  assert.deepEqual([turned('-cpu', 'memory'), turned('-memory', 'memory'), turned('memory', '-memory'), turned('-cpu', 'name')], ['-memory', 'memory', '-memory', 'name'])
})

test('what is not known is a dash, and what is hidden is counted', () => {
  assert.deepEqual([cpu(null), cpu(0), cpu(9.94), cpu(99.87), cpu(1600)], ['-', '0.0 %', '9.9 %', '100 %', '1600 %'])
  assert.deepEqual([rate(null), rate(0), rate(2048)], ['-', '0', '2 KiB/s'])
  assert.deepEqual([ioOf(PROCESS), ioOf({ ...PROCESS, read_bytes_per_second: 2, written_bytes_per_second: 3 })], [null, 5])
  assert.equal(calledOf(PROCESS), '+2 arguments')
  assert.equal(calledOf({ ...PROCESS, name: 'postgres', command: 'postmaster', arguments: 1 }), 'postmaster +1 argument')
  assert.equal(calledOf({ ...PROCESS, command: 'sh -c x' }), 'sh -c x')
  assert.equal(calledOf({ ...PROCESS, name: 'kworker', command: '', arguments: 0 }), '')
})

test('a look says of how many it tells, over which time, and whether it is of now', () => {
  assert.equal(totalsOf(LOOK), '150 processes, 2 running')
  assert.equal(totalsOf({ ...LOOK, totals: { seen: 1, unseen: 1000, running: 0, blocked: 3, zombies: 1 } }), '1,001 processes, 0 running, 3 waiting for a disk, 1 zombie, 1,000 of them not looked at: it took too long')
  assert.equal(spanOf(LOOK), 'over the 30 s before')
  assert.deepEqual([isOld(LOOK, 1_120_000), isOld(LOOK, 1_120_001), isOld({ ...LOOK, looked_at_ms: undefined } as unknown as Look, 9e9)], [false, true, false])
})
