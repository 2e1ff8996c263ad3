import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Host, Token } from '../../api/types'
import { agentsAddress, arrived, bodyOf, byHand, comparison, EMPTY, enrolmentTokens, findHosts, holderOf, isLoopback, readLabels, stateOf, together, twoSteps } from './enrol'

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

// As collector/api/src/install/command.rs has it in its tests.
const ONE = (trust: string, ca: string): string =>
  `sh -c 'set -eu; umask 077; d=$(mktemp -d); trap "rm -rf \"$d\"" EXIT; ${ca}curl -fsS --max-time 120${trust} --pinnedpubkey "sha256//BwcH=" -o "$d/install.sh" "https://collector.muster:9470/install/install.sh"; echo "00ff  $d/install.sh" | sha256sum -c - >/dev/null; sh "$d/install.sh" --collector "192.0.2.7:9471" --token "ab.cd.ef" --name "web-1" --base "https://collector.muster:9470/install"${trust}'`

test('the one command is two steps: fetched and compared, then run', () => {
  const trust = ' --cacert "$d/ca.pem" --connect-to "collector.muster:9470:192.0.2.7:9470"'
  const steps = twoSteps(ONE(trust, 'printf "%s\\n" "-----BEGIN CERTIFICATE-----" "MIIB+/A=" > "$d/ca.pem"; '))
  assert.equal(steps?.pin, 'sha256//BwcH=')
  assert.deepEqual(steps?.fetch.split('\n'), [
    'printf "%s\\n" "-----BEGIN CERTIFICATE-----" "MIIB+/A=" > "ca.pem"',
    'curl -fsS --cacert "ca.pem" --connect-to "collector.muster:9470:192.0.2.7:9470" --pinnedpubkey "sha256//BwcH=" -o install.sh "https://collector.muster:9470/install/install.sh"',
    'echo "00ff  install.sh" | sha256sum -c -',
  ])
  assert.equal(steps?.run, 'sudo sh install.sh --collector "192.0.2.7:9471" --token "ab.cd.ef" --name "web-1" --base "https://collector.muster:9470/install" --cacert "ca.pem" --connect-to "collector.muster:9470:192.0.2.7:9470"')
  assert.equal(twoSteps(ONE('', ''))?.fetch.split('\n').length, 2)
  assert.equal(twoSteps('curl | sh'), null)
})

const host = (more: object): Host => ({ id: '1', name: 'web-1', state: 'pending', machine_id: 'm', boot_id: 'b', peer: '192.0.2.1', reason: '', agent_version: '0.1.0', facts: { os: 'Linux' }, labels: {}, ...more }) as unknown as Host

test('who asks for a taken name is compared with who has it', () => {
  const holder = host({ id: '2', state: 'active' })
  assert.match(comparison(host({}), holder), /same start/)
  assert.match(comparison(host({ boot_id: 'c' }), holder), /same machine id/)
  assert.match(comparison(host({ machine_id: 'n' }), holder), /same address/)
  assert.equal(comparison(host({ machine_id: 'n', peer: '192.0.2.2' }), holder), 'another machine')
})

test('only those whose names are free are let in together', () => {
  const waiting = [host({ id: '1' }), host({ id: '3', name: 'a' }), host({ id: '4', name: 'b' }), host({ id: '5', name: 'B' })]
  const { free, taken } = together(waiting, [...waiting, host({ id: '2', state: 'active' })])
  assert.deepEqual([free.map((one) => one.id), taken.map((one) => one.id)], [['3'], ['1', '4', '5']])
})

test('hosts are found by all that is known of them', () => {
  const hosts = [host({ labels: { role: 'web' } }), host({ id: '2', name: 'db-1', facts: { os: 'Debian' } })]
  assert.deepEqual(findHosts(hosts, 'debian DB').map((one) => one.id), ['2'])
  assert.deepEqual(findHosts(hosts, 'role=web').map((one) => one.id), ['1'])
  assert.equal(findHosts(hosts, ' ').length, 2)
})
