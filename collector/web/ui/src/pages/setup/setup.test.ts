import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Host, Token } from '../../api/types'
import { agentsAddress, arrived, bodyOf, byHand, EMPTY, enrolmentTokens, holderOf, isLoopback, readLabels, stateOf } from './enrol'

test('labels are read, and what is wrong is named', () => {
  assert.deepEqual(readLabels(' role=web, env="a b"  x_1=y '), { role: 'web', env: 'a b', x_1: 'y' })
  assert.deepEqual(readLabels(''), {})
  assert.match(readLabels('role') as string, /this is none: role/)
  assert.match(readLabels('a=1 a=2') as string, /twice/)
  // Names that every object inherits are names like any other.
  const odd = readLabels('constructor=a toString=b __proto__=c')
  assert.ok(typeof odd !== 'string')
  assert.deepEqual(Object.entries(odd), [['constructor', 'a'], ['toString', 'b'], ['__proto__', 'c']])
  assert.equal(JSON.stringify(odd), '{"constructor":"a","toString":"b","__proto__":"c"}')
  assert.match(readLabels('constructor=a constructor=b') as string, /constructor is there twice/)
})

test('the body has a name or a pattern', () => {
  assert.deepEqual(bodyOf({ ...EMPTY, name: 'web-1' }), { kind: 'enrolment', name: 'web-1', ttl: '1h', uses: 1, labels: {}, replace: false, ephemeral: null })
  assert.equal((bodyOf({ ...EMPTY, name: 'web-*', isPattern: true, uses: '3' }) as Record<string, unknown>)['pattern'], 'web-*')
  assert.match(bodyOf({ ...EMPTY, uses: '0' }) as string, /one host/)
})

const token = (more: Partial<Token>): Token => ({ kind: 'enrolment', id: 'a', uses: 1, uses_left: 1, expires_ms: 100, made_ms: 1, ...more })

test('a token is good until it is used, expired or revoked', () => {
  assert.equal(stateOf(token({}), 50), 'good')
  assert.equal(stateOf(token({}), 100), 'expired')
  assert.equal(stateOf(token({ uses_left: 0 }), 50), 'used')
  assert.equal(stateOf(token({ uses_left: 0, revoked_ms: 3 }), 50), 'revoked')
  const list = enrolmentTokens([token({ id: 'old', uses_left: 0, made_ms: 9 }), token({ id: 'new', made_ms: 2 }), token({ id: 'http', kind: 'http' })], 50)
  assert.deepEqual(list.map((one) => one.id), ['new', 'old'])
})

test('addresses', () => {
  assert.ok(isLoopback('127.0.0.1:9471') && isLoopback('[::1]:9471') && isLoopback('localhost'))
  assert.ok(!isLoopback('0.0.0.0:9471') && !isLoopback('localhost.example:1'))
  assert.equal(agentsAddress('fe80::1', 9471), '[fe80::1]:9471')
  assert.match(byHand('c:1', 'w', "a'; rm"), /--name 'a'\\''; rm'/)
})

test('who has come is who came by this token', () => {
  const host = (name: string, enrolled_ms: number): Host => ({ name, enrolled_ms, replaced_ms: null, state: 'active', asked_ms: 0 }) as unknown as Host
  const hosts = [host('web-1', 5000), host('web-2', 1000), host('db-1', 9000)]
  assert.deepEqual(arrived(hosts, token({ pattern: 'web-*' }), 4000).map((one) => one.name), ['web-1'])
  assert.deepEqual(arrived(hosts, token({ name: 'db-1' }), 4000).map((one) => one.name), ['db-1'])
  assert.equal(arrived(hosts, token({}), 4000).length, 2)
})

test('who has the name of one that waits', () => {
  const host = (id: string, name: string, state: Host['state']): Host => ({ id, name, state }) as unknown as Host
  const all = [host('1', 'Web-1', 'active'), host('2', 'web-1', 'pending'), host('3', 'web-2', 'retired')]
  assert.equal(holderOf(host('2', 'web-1', 'pending'), all)?.id, '1')
  assert.equal(holderOf(host('4', 'web-2', 'pending'), all), undefined)
})
