import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choose, nameOf, type Key } from './keys'

const key = (name: string): Key => ({ key: name, does: name, run: () => undefined })

test('one letter acts, and g waits for the next', () => {
  const all = [key('j'), key('f'), key('g f'), key('Ctrl+k'), key('?')]
  const press = (names: string[]): string[] => {
    const ran: string[] = []
    let before = ''
    for (const name of names) {
      const chosen = choose(all, before, name)
      before = chosen.before
      if (chosen.run) ran.push(chosen.run.key)
    }
    return ran
  }
  assert.deepEqual(press(['j', '?']), ['j', '?'])
  assert.deepEqual(press(['g', 'f', 'f']), ['g f', 'f'])
  assert.deepEqual(press(['g', 'j']), ['j'])
  assert.deepEqual(press(['g', 'g', 'f']), ['g f'])
  assert.deepEqual(press(['x']), [])
})

test('what is shown last has its key', () => {
  const first = key('a')
  const second = key('a')
  assert.equal(choose([first, second], '', 'a').run, second)
})

test('keys with Alt are the system', () => {
  const event = { key: 'K', ctrlKey: true, metaKey: false, altKey: false }
  assert.equal(nameOf(event), 'Ctrl+k')
  assert.equal(nameOf({ ...event, ctrlKey: false }), 'K')
  assert.equal(nameOf({ ...event, altKey: true }), null)
})
