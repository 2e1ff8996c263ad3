import assert from 'node:assert/strict'
import test from 'node:test'
import type { SeenVersion, Service, ServiceEnvironment } from '../../api/deploys'
import { candidateOf, commandOf, questionOf } from './candidate'

const seen = (version: string, since_ms: number | null, isWhole = true): SeenVersion => ({ version, hosts: since_ms === null ? [] : ['a'], since_ms, whole_ms: isWhole ? since_ms : null, soaked_ms: 0, has_failed: false, source: 'api' })
const at = (env: string, after: readonly string[] | null, ...versions: SeenVersion[]): ServiceEnvironment => ({ env, after, hosts: 1, soak_ms: null, versions, running: [], frozen: null })
const shop = (...environments: ServiceEnvironment[]): Service => ({ name: 'shop', hosts: [], units: [], checks: [], streams: [], packages: [], repositories: [], rates: [], environments, outside: 0 })

test('what is newest in the environment before may go on', () => {
  const [staging, production] = [at('staging', null, seen('2', 20), seen('1', null)), at('production', ['staging'], seen('1', 10))]
  assert.deepEqual(candidateOf(shop(staging, production), production), { version: '2', isHere: false })
  assert.deepEqual(candidateOf(shop(staging, production), staging), { version: '2', isHere: true })
  // On some hosts is not there yet.
  const half = at('production', ['staging'], seen('2', 30, false), seen('1', 10))
  assert.deepEqual(candidateOf(shop(staging, half), half), { version: '2', isHere: false })
})

test('where none is before, the newest of all counts; where none is known, nothing is asked', () => {
  const [one, two] = [at('one', null, seen('1', 10)), at('two', null, seen('3', 30))]
  assert.deepEqual(candidateOf(shop(one, two), one), { version: '3', isHere: false })
  assert.equal(candidateOf(shop(at('one', null)), at('one', null)), null)
  // The environment before has nothing: what is there stays.
  const there = at('production', ['staging'], seen('1', 10))
  assert.deepEqual(candidateOf(shop(at('staging', null), there), there), { version: '1', isHere: true })
})

test('a question is whole or none, and is a command too', () => {
  assert.equal(questionOf({ service: 'shop', version: ' ', to: 'x', rollback: '' }), null)
  const asked = questionOf({ service: 'shop', version: "1'2", to: 'prod', rollback: '1' })
  assert.deepEqual(asked, { service: 'shop', version: "1'2", to: 'prod', rollback: true })
  assert.equal(asked && commandOf(asked), `muster gate --service shop --version '1'\\''2' --to prod --rollback`)
})
