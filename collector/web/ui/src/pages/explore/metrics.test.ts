import assert from 'node:assert/strict'
import test from 'node:test'
import { command, groupsOf, hostsOf, letter, pointsOf, queryOf } from './metrics'

test('a counter of a host is plotted as its rate, and names are quoted', () => {
  assert.equal(queryOf('node_load1', 'a"b'), 'node_load1{host="a\\"b"}')
  assert.equal(queryOf('x_total', 'a'), 'rate(x_total{host="a"}[5m])')
})

test('a command has the span, and its end where it is fixed', () => {
  assert.equal(command('up', { from: 0, to: 3_600_000 }, 10_000, true), 'muster query --since 1h --step 10s -- up')
  assert.equal(command("a{b='c'}", { from: 0, to: 3_600_000 }, 10_000, false), `muster query --since 1h --at 3600 --step 10s -- 'a{b='\\''c'\\''}'`)
})

test('points follow the width within bounds', () => {
  assert.deepEqual([pointsOf(100), pointsOf(800), pointsOf(9000)], [60, 240, 360])
  assert.equal(letter(1), 'B')
})

test('names stand in groups by how they begin, and hosts of an answer once', () => {
  const groups = groupsOf(['up', 'node_cpu_b', 'node_load1', 'node_cpu_a', 'node_boot_time_seconds'])
  assert.deepEqual(groups.map(({ prefix, names }) => [prefix, names.join()]), [['node', 'node_boot_time_seconds,node_load1'], ['node_cpu', 'node_cpu_a,node_cpu_b'], ['up', 'up']])
  assert.deepEqual(hostsOf([{ metric: { host: 'b' } }, { metric: {} }, { metric: { host: 'a' } }, { metric: { host: 'b' } }]), ['a', 'b'])
})
