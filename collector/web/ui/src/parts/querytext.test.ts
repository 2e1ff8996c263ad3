import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorPlace, inserted } from './querytext'

test('the place of an error is a character, however it is said', () => {
  assert.equal(errorPlace('line 1, col 5: wrong', 'sum(x'), 4)
  assert.equal(errorPlace('2:3: parse error: no', 'a\n\u00fcb'), 3)
  assert.equal(errorPlace('near "FROM" (parameter `sql`, at character 8)', 'SELECT FROM'), 7)
  assert.equal(errorPlace('at character 4', '\u00fc\u00fcx'), 2, 'the API counts bytes')
  assert.equal(errorPlace('at character 99', 'ab'), 2)
  assert.equal(errorPlace('nothing is said of it', 'ab'), null)
})

test('a word is put apart from those around it, in place of what is chosen', () => {
  const put = (text: string, from: number, to = from): string => {
    const made = inserted(text, from, to, 'name')
    return `${made.text.slice(0, made.caret)}|${made.text.slice(made.caret)}`
  }
  assert.equal(put('', 0), 'name|')
  assert.equal(put('SELECT', 6), 'SELECT name|')
  assert.equal(put('SELECT FROM x', 7), 'SELECT name| FROM x')
  assert.equal(put('SELECT p. FROM x', 9), 'SELECT p.name| FROM x')
  assert.equal(put('count()', 6), 'count(name|)')
  assert.equal(put('SELECT old FROM x', 7, 10), 'SELECT name| FROM x')
})
