import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Item, ItemState } from '../api/discovery'
import { bringsOf, can, decisionsOf, idOf, rowsOf, things } from './things'

function item(host: string, key: string, state: ItemState = 'proposed', more: Partial<Item> = {}): Item {
  const kind = key.slice(0, key.indexOf(':')) as Item['kind']
  return { host, host_id: `id-${host}`, key, kind, state, words: key, fields: {}, checks: [], profile: null, is_there: true, found_ms: 1, since_ms: 1, by: 'muster', reason: '', went_after_ms: null, went_until_ms: null, is_flapping: false, ...more }
}

test('the same thing on many hosts is one line, and what is gone stands first', () => {
  const all = [item('web-10', 'unit:a'), item('web-2', 'unit:a'), item('web-2', 'unit:b'), item('web-2', 'daemon:nginx'), item('db-1', 'port:tcp/80/x', 'gone'), item('db-1', 'unit:a', 'ignored')]
  const found = things(all, '')
  assert.deepEqual(found.map(({ id, all }) => [id, all.map(({ host }) => host)]), [
    ['gone port:tcp/80/x', ['db-1']],
    ['proposed daemon:nginx', ['web-2']],
    ['proposed unit:a', ['web-2', 'web-10']],
    ['proposed unit:b', ['web-2']],
    ['ignored unit:a', ['db-1']],
  ])
  const rows = rowsOf(found, new Set(['proposed unit:a']))
  assert.deepEqual(rows.map((row) => (row.kind === 'head' ? `${row.of.state} ${row.of.kind} ${row.things}/${row.items}` : row.kind === 'thing' ? row.thing.first.key : `  ${row.item.host}`)), [
    'gone port 1/1', 'port:tcp/80/x', 'proposed daemon 1/1', 'daemon:nginx', 'proposed unit 2/3', 'unit:a', '  web-2', '  web-10', 'unit:b', 'ignored unit 1/1', 'unit:a',
  ])
  assert.equal(new Set(rows.map(({ key }) => key)).size, rows.length)
  assert.equal(idOf(all[0] as Item), 'id-web-10 unit:a')
})

test('kinds of a newer collector stand together', () => {
  const all = ['socket:a', 'job:b', 'socket:c', 'job:d', 'unit:e'].map((key) => item('web-1', key))
  const heads = rowsOf(things(all, ''), new Set()).flatMap((row) => (row.kind === 'head' ? [row.of.kind as string] : []))
  assert.deepEqual(heads, ['job', 'socket', 'unit'])
})

test('a text is looked for in all that is known of a thing', () => {
  const all = [item('web-1', 'port:tcp/80/x', 'proposed', { fields: { process: 'Caddy' } }), item('db-1', 'unit:b', 'ignored', { reason: 'nobody needs it' })]
  const keys = (text: string): string[] => things(all, text).map(({ first }) => first.key)
  assert.deepEqual(keys(' caddy '), ['port:tcp/80/x'])
  assert.deepEqual(keys('NOBODY'), ['unit:b'])
  assert.deepEqual(keys('db-1'), ['unit:b'])
  assert.deepEqual(keys('nothing'), [])
})

test('what may be done depends on the state as the collector has it', () => {
  const able = (state: ItemState) => (['accept', 'ignore', 'archive'] as const).filter((decision) => can(decision, item('a', 'unit:x', state)))
  assert.deepEqual(able('proposed'), ['accept', 'ignore'])
  assert.deepEqual(able('gone'), ['accept', 'ignore', 'archive'])
  assert.deepEqual(able('accepted'), ['ignore', 'archive'])
  assert.deepEqual(able('ignored'), ['accept'])
  assert.deepEqual(able('archived'), ['accept', 'ignore'])
  for (const state of ['proposed', 'gone', 'accepted', 'ignored', 'archived'] as const) assert.ok(decisionsOf(state).every((decision) => can(decision, item('a', 'unit:x', state))), state)
})

test('what is accepted brings its profile and its checks by name', () => {
  assert.equal(bringsOf(item('a', 'daemon:nginx', 'proposed', { profile: 'nginx', checks: [{ name: 'nginx-port', kind: 'port' }, { kind: 'disk' }] })), 'profile nginx, check nginx-port, check disk')
  assert.equal(bringsOf(item('a', 'container:x')), '')
})
