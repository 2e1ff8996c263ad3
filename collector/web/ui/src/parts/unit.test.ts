import assert from 'node:assert/strict'
import test from 'node:test'
import { formatOf, metricsOf, unitOf } from './unit'

test('the unit of a query is that of its metrics, and of what is done with them', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['node_memory_MemFree_bytes{host="a_seconds"}', 'bytes'],
    ['sum by (host_ratio) (rate(node_network_receive_bytes_total[5m]))', 'bytes/s'],
    ['increase(node_network_receive_bytes_total[1h])', 'bytes'],
    ['1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))', 'share'],
    ['100 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m])) * 100', 'percent'],
    ['node_filesystem_avail_bytes / node_filesystem_size_bytes', 'share'],
    ['100 * rate(a_bytes_total[1m]) / on (host) b_bytes', 'percent'],
    ['node_memory_MemFree_bytes / 2', ''],
    ['node_memory_MemFree_bytes / node_load1', ''],
    ['rate(node_context_switches_total[5m])', '1/s'],
    ['muster_agent_rtt_seconds offset 5m', 'seconds'],
    ['node_boot_time_seconds', 'time'],
    ['time() - node_boot_time_seconds', 'seconds'],
    ['histogram_quantile(0.9, sum by (le) (rate(x_seconds_bucket[5m])))', 'seconds'],
    ['rate(x_seconds_sum[5m]) / rate(x_seconds_count[5m])', 'seconds'],
    ['node_hwmon_temp_celsius', 'celsius'],
    ['node_load1', ''],
    ['count(node_memory_MemFree_bytes)', ''],
    ['count_over_time(node_memory_MemFree_bytes[5m])', ''],
  ]
  for (const [query, unit] of cases) assert.equal(unitOf(query), unit, query)
  assert.deepEqual(metricsOf('sum by (a) (x{b="y"}) and on (c) z offset 5m > bool 1e3'), ['x', 'z'])
  assert.deepEqual([formatOf('seconds')(0.0123), formatOf('seconds')(90), formatOf('share')(0.5), formatOf('bytes/s')(2048), formatOf('1/s')(3)], ['12.3 ms', '1 m 30 s', '50 %', '2 KiB/s', '3/s'])
})
