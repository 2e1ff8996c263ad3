import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rollout } from '../../api/profiles'
import { inWords, isOpen, mistakesOf, partsOf, spanOf, waveOf } from './rollout'

const row = (more: Partial<Rollout>): Rollout => ({ set: 2, base: 1, state: 'running', wave: 1, reason: null, by: 'user:ann', begun_ms: 1, changed_ms: 2, hosts: 100, good: 4, failed: [], ...more })
const failed = { id: 'x', host: 'web-1', problem: 'refused', at_ms: 1 }

test('every host of a roll-out is good, failed or waiting', () => {
  assert.deepEqual(partsOf(row({ failed: [failed] })).map(({ hosts, share }) => [hosts, share]), [[4, 0.04], [1, 0.01], [95, 0.95]])
  assert.equal(inWords(row({ failed: [failed] })), '100 hosts: 4 good, 1 failed, 95 waiting')
  // More have answered than were counted when it began.
  assert.deepEqual(partsOf(row({ hosts: 1, good: 2 })).map(({ share }) => share), [1, 0, 0])
  assert.deepEqual(partsOf(row({ hosts: 0, good: 0 })).map(({ share }) => share), [0, 0, 0])
})

test('waves are said as what they are, and only two states are open', () => {
  assert.equal(waveOf(row({ wave: 0 })), 'wave 1 of 3: one host')
  assert.equal(waveOf(row({ wave: 2 })), 'wave 3 of 3: all others')
  assert.deepEqual((['running', 'stopped', 'done', 'superseded', 'reverted'] as const).filter((state) => isOpen(row({ state }))), ['running', 'stopped'])
})

test('mistakes stand at their lines', () => {
  assert.deepEqual(mistakesOf('page.yml:4: profile `x`: checks: it brings no command: name one\nrules of profiles: a', 'page.yml'), [
    { line: 4, text: 'profile `x`: checks: it brings no command: name one' },
    { line: null, text: 'rules of profiles: a' },
  ])
  assert.deepEqual(spanOf('ab\ncde\nf', 2), [3, 6])
  assert.deepEqual(spanOf('ab', 9), [2, 2])
})
