import assert from 'node:assert/strict'
import test from 'node:test'
import { isAkin, type Question } from './akin'

test('the same question a little later keeps what answered it, another one does not', () => {
  const of = (start: number, end: number, query = 'up'): Question => ['/q', { query, start, end, step: 15 }]
  assert.ok(isAkin(of(0, 3600), of(15, 3615)))
  assert.ok(isAkin(['/q', { query: 'a', start: '1795974000000000000', end: '1795977600000000000' }], ['/q', { query: 'a', start: '1795974015000000000', end: '1795977615000000000' }]))
  assert.ok(isAkin(['/q'], ['/q']))
  assert.ok(isAkin(['/q', { query: 'up', time: 100 }], ['/q', { query: 'up', time: 115 }]))
  assert.ok(!isAkin(of(0, 3600), of(0, 3600, 'down')))
  assert.ok(!isAkin(of(0, 3600), of(0, 86_400)))
  assert.ok(!isAkin(of(0, 3600), of(86_400, 90_000)))
  assert.ok(!isAkin(of(0, 3600), ['/q', { query: 'up', step: 15 }]))
  assert.ok(!isAkin(null, of(0, 1)))
  assert.ok(!isAkin(['/a'], ['/b']))
})
