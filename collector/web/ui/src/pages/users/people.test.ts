import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canSend, httpTokens, kindOf, scopeWords, wrongAgain, wrongName, wrongPassword } from './people'

test('names are those that the collector takes', () => {
  for (const name of ['', 'ann', 'a.b-c_9', '9lives']) assert.equal(wrongName(name), null)
  for (const name of ['Ann', '.ann', 'a b', 'x'.repeat(65)]) assert.ok(wrongName(name), name)
  assert.match(wrongName('ann', ['ann']) ?? '', /There is a user/)
})

test('passwords are long enough and written twice', () => {
  assert.equal(wrongPassword('short'), '5 more characters')
  assert.equal(wrongPassword('long enough'), null)
  assert.ok(wrongAgain('a', 'b') && !wrongAgain('a', '') && !wrongAgain('a', 'a'))
  assert.ok(canSend('long enough', 'long enough'))
  assert.ok(!canSend('', '') && !canSend('long enough', 'long'))
})

test('tokens of HTTP: the good ones, then the old ones', () => {
  const list = [
    { kind: 'http', id: 'gone', revoked_ms: 1, made_ms: 9 },
    { kind: 'http', id: 'good', expires_ms: null, made_ms: 1 },
    { kind: 'http', id: 'late', expires_ms: 5, made_ms: 2 },
    { kind: 'enrolment', id: 'host', made_ms: 3 },
  ] as const
  assert.deepEqual(httpTokens(list, 10, false).map((one) => one.id), ['good'])
  assert.deepEqual(httpTokens(list, 10, true).map((one) => one.id), ['good', 'gone', 'late'])
})

test('who asks and what they may is said in words', () => {
  const cases: [string, string | null, RegExp][] = [
    ['user:ann', 'ann', /password/], ['token:3f2a', null, /^Token 3f2a$/], ['unix:0', null, /own machine, user 0/], ['anybody', null, /--no-auth/], ['odd', null, /^odd$/],
  ]
  for (const [by, user, said] of cases) assert.match(kindOf({ by, user }), said)
  assert.deepEqual(scopeWords(['read', 'silence', 'constructor']), ['Looks at everything, as Grafana does', 'Acknowledges, silences and plans downtimes', 'constructor'])
  assert.deepEqual(scopeWords(['read', 'admin']), ['Everything, as an administrator'])
})
