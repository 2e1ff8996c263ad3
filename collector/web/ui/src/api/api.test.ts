import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keep, lacking, lackOf, readAnswer, shown, told, type Answer } from './answer'
import { own } from './own'
import { AWAY_AFTER_MS, pause, START, step, type Effect, type LiveEvent, type Machine } from './reconnect'

test('each dialect says what is wrong, and a proxy page says nothing', () => {
  const muster = '{"version":1,"error":{"code":"bad_request","message":"m","where":"w","remedy":"r"}}'
  assert.deepEqual(told(muster), { message: 'm', where: 'w', remedy: 'r' })
  assert.equal(told('{"status":"error","errorType":"bad_data","error":"parse error"}').message, 'parse error')
  assert.equal(told('"bad matcher"').message, 'bad matcher')
  assert.equal(told('{"code":400,"message":"no"}').message, 'no')
  assert.equal(told('parse error at line 1\n').message, 'parse error at line 1')
  assert.equal(told('<html><body>502</body></html>').message, '')
  for (const body of ['', 'null', '17', '{}', '{"error":5}']) assert.equal(told(body).where, '', body)
})

test('every status is an answer or says why there is none', () => {
  const kinds: [number, string, string][] = [
    [200, '{"a":1}', 'data'],
    [201, '{"a":1}', 'data'],
    [204, '', 'data'],
    [200, '{"a":', 'half'],
    [200, 'no JSON', 'half'],
    [400, '{}', 'refused'],
    [401, '{}', 'loggedOut'],
    [403, '{}', 'forbidden'],
    [404, '{}', 'refused'],
    [429, '{}', 'refused'],
    [500, '{}', 'away'],
    [503, '{}', 'away'],
  ]
  for (const [status, body, kind] of kinds) {
    const answer = readAnswer(status, body, 5)
    assert.equal(answer.kind, kind, `${status} ${body}`)
    if (answer.kind !== 'data') assert.ok(answer.message && answer.remedy, `${status} says nothing`)
  }
  assert.equal(lackOf(502), 'away')
})

test('a lack keeps the last good answer however often it lasts', () => {
  const good: Answer<number> = { kind: 'data', data: 7, at: 100 }
  let answer = keep(lacking<number>('away', 0), good)
  answer = keep(lacking<number>('slow', 0), answer)
  assert.ok(answer.kind === 'slow' && answer.last === 7 && answer.lastAt === 100)
  assert.equal(shown(answer), 7)
  assert.equal(shown(keep(lacking<number>('away', 0), null)), undefined)
  assert.deepEqual(keep(good, answer), good)
})

/** Runs events of (name, at ms) and gives the machine with all effects. */
function run(events: [LiveEvent, number][]): [Machine, string[]] {
  let machine = START
  const did: string[] = []
  for (const [event, at] of events) {
    const [next, effects]: [Machine, readonly Effect[]] = step(machine, event, at, 0)
    machine = next
    did.push(...effects.map((effect) => (effect.do === 'wait' ? `wait ${effect.ms}` : effect.do)))
  }
  return [machine, did]
}

test('a stream that opens tells nothing, and one that opens again has everything asked anew', () => {
  const [first, did] = run([['start', 0], ['opened', 10]])
  assert.deepEqual([first.link, did], ['connected', ['connect']])
  const [again, effects] = run([['start', 0], ['opened', 10], ['failed', 500], ['due', 800], ['opened', 900]])
  assert.equal(again.link, 'connected')
  assert.deepEqual(effects, ['connect', 'close', 'wait 250', 'connect', 'resync'])
})

test('a stream that stays broken is away, since it broke', () => {
  const events: [LiveEvent, number][] = [['start', 0], ['opened', 10], ['failed', 1000]]
  const [behind] = run(events)
  assert.deepEqual([behind.link, behind.since], ['behind', 1000])
  for (let at = 2000; at < 1000 + AWAY_AFTER_MS; at += 1000) events.push(['due', at], ['failed', at])
  assert.equal(run(events)[0].link, 'behind')
  events.push(['failed', 1000 + AWAY_AFTER_MS])
  const [away] = run(events)
  assert.deepEqual([away.link, away.since], ['away', 1000])
  // Whoever looks at the page again is not left waiting.
  assert.deepEqual(step(away, 'woken', 20_000, 0)[1], [{ do: 'close' }, { do: 'connect' }])
  const [never] = run([['start', 0], ['failed', AWAY_AFTER_MS]])
  assert.equal(never.link, 'away')
})

test('pauses grow to 20 s and are spread', () => {
  assert.equal(pause(1, 0), 250)
  assert.equal(pause(1, 0.999), 500)
  assert.equal(pause(3, 0), 1000)
  assert.equal(pause(50, 0), 10_000)
  assert.equal(pause(50, 0.9999), 20_000 - 1)
})

test('a record has what is its own, whatever objects inherit', () => {
  const labels = { env: 'prod', toString: 'a' } as unknown as Record<string, string>
  assert.deepEqual(['env', 'toString', 'constructor', '__proto__', 'none'].map((name) => own(labels, name)), ['prod', 'a', undefined, undefined, undefined])
  assert.equal(own(JSON.parse('{"__proto__":"x"}') as Record<string, string>, '__proto__'), 'x')
  assert.equal(own(undefined, 'a'), undefined)
})
