import assert from 'node:assert/strict'
import test from 'node:test'
import type { Deploy, SeenVersion, Service } from '../../api/deploys'
import { envsOf, marksOf, presentOf, tookOf, versionWords, whoOf } from './rows'

const deploy = (more: Partial<Deploy> = {}): Deploy => ({
  id: 1, service: 'shop', version: '1.0', env: 'prod', state: 'ok', source: 'api', hosts: null, started_ms: 1000, ended_ms: 61_000, by: 'user:ann', link: null, note: null, key: null, package: null, announced: null, unannounced: false,
  freeze: null, override: null, ...more,
})
const service = (name: string, ...environments: readonly (readonly [env: string, after: readonly string[] | null])[]): Service => ({
  name, hosts: [], units: [], checks: [], streams: [], packages: [], repositories: [], rates: [], outside: 0,
  environments: environments.map(([env, after]) => ({ env, after, hosts: 1, soak_ms: null, versions: [], running: [], frozen: null })),
})

test('what nobody told stands out, and what was deployed in a freeze', () => {
  assert.deepEqual(marksOf(deploy()), [])
  assert.deepEqual(marksOf(deploy({ source: 'package', unannounced: true })).map(({ text }) => text), ['unannounced'])
  assert.deepEqual(marksOf(deploy({ source: 'package', announced: 'downtime 7' })).map(({ text }) => text), ['not declared'])
  assert.deepEqual(marksOf(deploy({ freeze: 'weekend' })).map(({ text, tone }) => [text, tone]), [['in a freeze', 'warning']])
  assert.match(marksOf(deploy({ freeze: 'weekend', override: 3 }))[0]?.why ?? '', /override 3/)
})

test('who told of it, and how long it took', () => {
  assert.equal(whoOf(deploy()), 'user:ann')
  assert.equal(whoOf(deploy({ source: 'github', by: 'bob' })), 'bob (github)')
  assert.equal(whoOf(deploy({ source: 'package', package: 'nginx' })), 'package nginx')
  assert.equal(tookOf(deploy(), 0), '1 m')
  assert.equal(tookOf(deploy({ ended_ms: null }), 31_000), '30 s')
  assert.equal(tookOf(deploy({ source: 'package' }), 0), '')
})

test('an environment stands after those it comes after, also where rules go round', () => {
  const services = [service('a', ['production', ['staging']], ['dev', null]), service('b', ['staging', ['dev']], ['production', ['staging']])]
  assert.deepEqual(envsOf(services), ['dev', 'staging', 'production'])
  assert.deepEqual(envsOf([service('a', ['x', ['y']], ['y', ['x']], ['z', ['z']])]), ['z', 'x', 'y'])
  // What comes after an environment that nobody has does not wait for it.
  assert.deepEqual(envsOf([service('a', ['prod', ['nowhere']])]), ['prod'])
})

test('a version is told by its time where all have it, else by its hosts', () => {
  const seen: SeenVersion = { version: '1.0', hosts: ['a', 'b'], since_ms: 1, whole_ms: 1000, soaked_ms: 0, has_failed: false, source: 'api' }
  assert.equal(versionWords(seen, 2, 61_000), '1.0 for 1 m')
  assert.equal(versionWords({ ...seen, whole_ms: null }, 4, 0), '1.0 on 2 of 4')
  assert.deepEqual(presentOf({ env: 'x', hosts: 1, after: null, soak_ms: null, versions: [{ ...seen, hosts: [] }, seen], running: [], frozen: null }), [seen])
})
