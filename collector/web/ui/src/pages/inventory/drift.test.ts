import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DriftGroup, DriftKey, TableShape } from '../../api/inventory'
import { alike, worstFirst } from './drift'

const shape: TableShape = { table: 'packages', one: 'package', keys: 1, columns: [{ name: 'name', kind: 'text' }, { name: 'version', kind: 'text' }, { name: 'size_bytes', kind: 'integer' }] }
const other = (host: string, row: DriftKey['expected'], columns: readonly string[] = ['version']) => ({ host, host_id: host, row, columns })

test('hosts that have it otherwise in the same way are one line', () => {
  const key: DriftKey = { key: ['openssl'], expected: ['openssl', '3.0.11', null], left_out: 0, others: [other('a', ['openssl', '3.0.2', 1]), other('b', ['openssl', '3.0.2', 2]), other('c', null)] }
  assert.deepEqual(alike(shape, key, true), [
    { words: 'version 3.0.11 -> 3.0.2', kind: 'changed', hosts: ['a', 'b'] },
    { words: 'has none', kind: 'removed', hosts: ['c'] },
  ])
  assert.deepEqual(alike(shape, { ...key, expected: null, others: [other('a', ['nmap', '7', null])] }, true), [{ words: 'ought not to be there: version 7', kind: 'added', hosts: ['a'] }])
})

test('the group whose hosts differ most stands first', () => {
  const group = (name: string, hosts: number, rows: number): DriftGroup => ({ name, hosts, rows, left_out: 0, by_host: [], tables: [] })
  assert.deepEqual(worstFirst([group('big', 100, 50), group('b', 3, 9), group('a', 3, 9)]).map(({ name }) => name), ['a', 'b', 'big'])
})
