import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskHost, TaskOrder, TaskRun } from '../../api/tasks'
import { cameTo, inWords, maintainedIn, partsOf, stepsOf, tookOf, wavesOf } from './progress'

const run = (more: Partial<TaskRun> = {}): TaskRun => ({ state: 'waiting', wave: null, sent_ms: null, began_ms: null, ended_ms: null, exit: null, well: null, why: null, output_bytes: 0, kept_bytes: 0, ...more })
const host = (one: TaskRun, back: TaskRun | null = null): TaskHost => ({ id: 'x', host: 'x', run: one, back })
const order = (more: Partial<TaskOrder> = {}): TaskOrder => ({
  order: 1, id: 'x', task: 'restart', back: null, state: 'running', step: 0, wave: 0, wave_size: 1, why: null, hosts: 4, counts: { ok: 1, waiting: 3 }, back_counts: {}, failures: 0, failures_max: 0, canary: 1, batch: '25%', on_trouble: 'pause',
  soak_ms: 0, return_ms: 0, by: 'user:ann', reason: null, made_ms: 1, changed_ms: 1, expires_ms: 100, back_expires_ms: null, maintenance_ms: null, back_maintenance_ms: null, unmaintained: null, needs: 1, approvals: [], text: '', ...more,
})

test('a bar has all hosts, and says so', () => {
  assert.equal(inWords({ ok: 1, waiting: 3 }), '4 hosts: 1 ok, 3 waiting')
  assert.equal(inWords({}), '0 hosts')
  assert.equal(partsOf({ failed: 1, ok: 2, running: 1 }).reduce((sum, { share }) => sum + share, 0), 1)
  assert.deepEqual(partsOf({ failed: 1, ok: 2, running: 1 }).map(({ name }) => name), ['ok', 'running', 'failed'])
})

test('only what the order allows is offered', () => {
  assert.deepEqual(stepsOf(order(), 50), ['pause', 'stop'])
  assert.deepEqual(stepsOf(order({ state: 'paused', back: 'undo', back_expires_ms: 99 }), 50), ['resume', 'rollback', 'stop'])
  assert.deepEqual(stepsOf(order({ state: 'done', back: 'undo', back_expires_ms: 99 }), 50), ['rollback'])
  assert.deepEqual(stepsOf(order({ state: 'done', back: 'undo', back_expires_ms: 99 }), 100), [])
  assert.deepEqual(stepsOf(order({ state: 'requested', back: 'undo', back_expires_ms: 99, counts: { waiting: 4 } }), 50), ['stop'])
  assert.deepEqual(stepsOf(order({ state: 'rolling_back', step: 1, back: 'undo', back_expires_ms: 99 }), 50), ['pause', 'stop'])
})

test('waves stand in their order, what is to come last', () => {
  const hosts = [host(run({ state: 'ok', wave: 0 }), run({ state: 'running', wave: 0 })), host(run({ state: 'failed', wave: 1 })), host(run()), host(run({ state: 'ok', wave: 1 }))]
  assert.deepEqual(wavesOf(order(), hosts).map(({ name, counts }) => [name, inWords(counts)]), [
    ['wave 1, the canary', '1 host: 1 ok'],
    ['wave 2', '2 hosts: 1 ok, 1 failed'],
    ['not sent', '1 host: 1 waiting'],
    ['back, wave 1', '1 host: 1 running'],
  ])
  assert.equal(wavesOf(order({ canary: 0 }), hosts)[0]?.name, 'wave 1')
})

test('what is kept back of hosts is said, and which maintenance does it', () => {
  assert.deepEqual(maintainedIn(order(), []), [])
  const one = (id: number, state: 'open' | 'not_recovered' | 'closed') => ({ id, state, reference: `task 1 wave ${id}`, ends_ms: 1, unreturned: state === 'not_recovered' ? [{ host: 'a', check: null, text: '' }] : [] })
  assert.deepEqual(maintainedIn(order({ maintenance_ms: 600_000 }), [one(3, 'open'), one(2, 'not_recovered'), one(1, 'closed')]), [
    'Hosts are in a maintenance while they have it; health may take 10 m to return.',
    'Maintenance 3 (task 1 wave 3) is open.',
    'Maintenance 2 (task 1 wave 2) was left with problems: 1 problem.',
    '1 maintenance closed.',
  ])
  assert.match(maintainedIn(order({ back_maintenance_ms: 60_000, unmaintained: 'too many' }), []).join(' '), /while it is taken back; .* They are in none: too many/)
})

test('what a run came to is said once', () => {
  assert.equal(cameTo(run({ state: 'ok', exit: 0, well: true })), '')
  assert.equal(cameTo(run({ state: 'failed', exit: 2, why: 'it took too long' })), 'exit 2; it took too long')
  assert.equal(cameTo(run({ state: 'ok', exit: 0, well: false })), 'the host is not well since')
  assert.equal(tookOf(run({ began_ms: 1000 }), 4000), '3 s')
  assert.equal(tookOf(run(), 4000), '')
})
