import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api, isPage, path, search, to } from './link'
import { withSticky } from './location'
import { readRange, rangeSearch, span, step } from './range'
import { find, match } from './route'

test('a path of any name is one path part, and comes back from it', () => {
  for (const name of ['web-1', 'a/b', '..', '.', '<img src=x>', 'a b&c=d?e#f', '100%', '\u00fc\u6f22']) {
    const made = path('hosts', name)
    assert.equal(made.split('/').length, 3, made)
    assert.ok(!made.endsWith('/..') && !made.endsWith('/.'), made)
    const host = match('/hosts/:host', made)?.['host']
    assert.equal(host?.replace('\u200b', ''), name)
  }
  assert.equal(api('checks', 'a/b', 'disk /'), '/api/muster/v1/checks/a%2Fb/disk%20%2F')
})

test('what an answer names leads to these pages alone', () => {
  assert.deepEqual(['/alerts/7?x=1', '//evil', '/\\evil', 'https://evil', 'data:,x', '', null].map(isPage), [true, false, false, false, false, false, false])
})

test('parameters that are absent are left out and lists are repeated', () => {
  assert.equal(search({ a: 1, b: undefined, c: null, d: ['x', 'y&'], e: false }), '?a=1&d=x&d=y%26&e=false')
  assert.equal(search({}), '')
  assert.equal(to(['logs'], { q: '{a="b"}' }), '/logs?q=%7Ba%3D%22b%22%7D')
})

test('pages are found by their pattern, the first that fits', () => {
  const pages = [{ path: '/' }, { path: '/alerts' }, { path: '/alerts/:id' }]
  assert.equal(find(pages, '/')?.page.path, '/')
  assert.equal(find(pages, '/alerts/')?.page.path, '/alerts')
  assert.deepEqual(find(pages, '/alerts/a%20b')?.parts, { id: 'a b' })
  assert.deepEqual(find(pages, '/alerts/%E0%A4%A')?.parts, { id: '%E0%A4%A' })
  assert.equal(find(pages, '/alerts/a/b'), null)
  assert.equal(find(pages, '/alertsx'), null)
})

test('the time goes along to other pages, and a path with a time of its own keeps it', () => {
  const from = new URLSearchParams('since=6h&tz=utc&q=disk')
  assert.equal(withSticky('/fleet', from), '/fleet?since=6h&tz=utc')
  assert.equal(withSticky('/fleet?since=1d', from), '/fleet?since=1d&tz=utc')
  assert.equal(withSticky('/logs?from=1&to=2', from), '/logs?from=1&to=2&tz=utc')
  assert.equal(withSticky('/fleet', new URLSearchParams()), '/fleet')
})

test('a range is read from the URL, and a wrong one is the last hour', () => {
  const read = (text: string) => readRange(new URLSearchParams(text))
  assert.deepEqual(read(''), { kind: 'last', text: '1h', ms: 3_600_000 })
  assert.deepEqual(read('since=2d'), { kind: 'last', text: '2d', ms: 172_800_000 })
  assert.deepEqual(read('from=1000&to=2000'), { kind: 'span', from: 1000, to: 2000 })
  for (const wrong of ['since=abc', 'since=-1h', 'since=0s', 'from=5&to=5', 'from=a&to=b', 'from=1']) {
    assert.deepEqual(read(wrong), { kind: 'last', text: '1h', ms: 3_600_000 }, wrong)
  }
  assert.deepEqual(rangeSearch(read('')), { since: null, from: null, to: null })
  for (const text of ['since=2d', 'from=1000&to=2000']) {
    const made = Object.entries(rangeSearch(read(text))).filter(([, value]) => value !== null)
    assert.equal(new URLSearchParams(made as [string, string][]).toString(), text)
  }
  assert.deepEqual(span(read('since=1m'), 100_000), { from: 40_000, to: 100_000 })
})

test('steps are round, and not finer than what is sampled', () => {
  assert.equal(step({ from: 0, to: 3_600_000 }), 15_000)
  assert.equal(step({ from: 0, to: 60_000 }), 10_000)
  assert.equal(step({ from: 0, to: 86_400_000 }), 600_000)
  assert.equal(step({ from: 0, to: 90 * 86_400_000 * 100 }), 86_400_000)
})
