import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf, byReason, commandOf, isLimit, waitOf, type Question } from './question'

const empty: Question = { table: 'processes', columns: '', where: '', matchers: '', hosts: '', timeout: '', limit: '' }

test('what is empty is left to the collector', () => {
  assert.deepEqual(bodyOf(empty), { table: 'processes' })
  assert.deepEqual(bodyOf({ table: 'users', columns: 'name, uid', where: 'uid < 5\n\n name starts_with a ', matchers: 'role=web', hosts: 'db-1  db-2', timeout: '9s', limit: '50' }), {
    table: 'users', columns: ['name', 'uid'], where: ['uid < 5', 'name starts_with a'], matchers: ['role=web'], hosts: ['db-1', 'db-2'], timeout: '9s', limit: 50,
  })
})

test('a number of rows is one, or nothing', () => {
  assert.deepEqual(['', '50', '1e3', '-1', 'constructor'].map(isLimit), [true, true, false, false, false])
})

test('a question is the same as a command', () => {
  assert.equal(commandOf(empty), 'muster ask processes')
  assert.equal(
    commandOf({ ...empty, columns: 'name user', where: "name = it's", matchers: 'env="prod"', hosts: 'web-1', timeout: '9s', limit: '5' }),
    `muster ask processes --where 'name = it'\\''s' --columns name,user --hosts 'env="prod"' --host web-1 --timeout 9s --limit 5`,
  )
})

test('an answer is waited for longer than hosts have', () => {
  assert.deepEqual(['', '100ms', '20s', '1h', 'soon'].map(waitOf), [15_000, 10_100, 30_000, 40_000, 15_000])
})

test('the missing stand by their reasons', () => {
  const missing = [['a', 'late', 'no answer'], ['b', 'silent', 'it is not connected'], ['c', 'silent', 'it is not connected']].map(([host = '', why = '', problem = '']) => ({ host, why, problem }))
  assert.deepEqual(byReason(missing), [
    { why: 'silent', problems: ['it is not connected'], hosts: ['b', 'c'] },
    { why: 'late', problems: ['no answer'], hosts: ['a'] },
  ])
})
