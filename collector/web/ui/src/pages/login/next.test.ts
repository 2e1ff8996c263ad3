import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inside } from './next'

test('a login leads to these pages only', () => {
  for (const good of ['/', '/fleet?q=a', '/hosts/a%2Fb']) assert.equal(inside(good), good)
  for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', 'fleet', '/login', '/login?next=/login', 'javascript' + ':1']) {
    assert.equal(inside(bad), '/', String(bad))
  }
})
