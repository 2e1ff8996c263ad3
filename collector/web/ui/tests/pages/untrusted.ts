// Texts of others, hostile ones, wherever a page shows one: labels, log lines, output of plugins, comments, addresses. None is run, each is a text.
import { readFileSync } from 'node:fs'
import { TOLD_MS, type Visit } from '../visit'

/** Each would do something if it were taken for more than text: a tag, an attribute, a template, a URL, a query, a dictionary's own word. */
const CORPUS: readonly string[] = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(2)</script>',
  `'"--></style></script><svg onload=alert(3)>`,
  'javascript:alert(4)',
  "{{constructor.constructor('alert(5)')()}}${alert(5)}",
  '</textarea><iframe srcdoc="<script>parent.alert(6)</script>">',
  '<a href="javascript:alert(7)">click</a>',
  '"} |= "x" or vector(1) #',
  '../../../etc/passwd%00%2e%2e%2f',
  '__proto__',
  'constructor',
  '\u202egpj.exe\u2066 turned \u{1f4a5}\u200b',
  'W'.repeat(900),
]
/** What a page of ours has none of: whoever finds one has found a text that became a part of the page. */
const FOREIGN = 'img[src="x"], iframe[srcdoc], svg[onload], script:not([src^="/assets/"]), a[href^="javascript" i], [onerror], [onload], [onclick], [onmouseover], object, embed, base, meta[http-equiv="refresh"]'
/** Parameters that some page reads, or will. */
const PARAMETERS = ['q', 'q2', 'group', 'tab', 'since', 'from', 'to', 'tz', 'show', 'line', 'sort', 'who', 'view', 'check', 'next', 'sql', 'at', 'with', 'withat', 'table', 'host', 'open', 'quiet', 'before', 'pages', 'state', 'kind', 'after', 'profile', 'version', 'baseline', 'own', 'columns', 'where', 'hosts', 'timeout', 'limit', 'service', 'env', 'to', 'rollback', 'decision', 'order', 'step'] as const
const HOST = 'db-1'
/** Pages of what monitoring sets up by itself. */
const SET_UP = ['/discovery?state=all', '/discovery?view=rules', '/profiles', '/profiles?profile=x', '/profiles?view=rollouts', '/profiles?view=versions&version=1', `/hosts/${HOST}?tab=setup`, '/inventory?view=drift', '/deploys', '/gate', '/gate?service=x&version=y&to=z', '/gate?view=decisions&decision=1', '/deploys?view=freezes', '/tasks', '/tasks?order=1&host=x', '/tasks?view=catalogue', `/ask?table=${encodeURIComponent('__proto__')}`] as const
const CHECK = 'untrusted'
/** A file may have any name but one with a slash. */
const FILE = CORPUS[0] ?? ''

/** What the pages show of others: the corpus in every place that takes it. What was made is undone by what it answers. */
async function plant(visit: Visit): Promise<() => Promise<void>> {
  // A comment has at most 1,024 bytes: all but the long one.
  const all = CORPUS.slice(0, -1).join('\n')
  const set = Object.fromEntries(CORPUS.slice(0, 9).map((text, at) => [`hostile_${at}`, text]))
  await visit.api('POST', `/api/muster/v1/hosts/${HOST}/labels`, { set })
  const values = CORPUS.map((text, at) => [`${Date.now() - at}000000`, text, { trace: text.slice(0, 200) }])
  await visit.api('POST', '/loki/api/v1/push', { streams: [{ stream: { app: 'untrusted', note: CORPUS[0] }, values }] })
  visit.push(HOST, CHECK, 'CRITICAL', `${CORPUS[0]} ${CORPUS[1]} | '${CORPUS[6]?.replace(/'/g, '')}'=1;2;3\n${all}`)
  const hour = Date.now() + 3_600_000
  const silenced = await visit.api('POST', '/api/v2/silences', {
    matchers: [{ name: 'hostile', value: CORPUS[1], isRegex: false, isEqual: true }],
    startsAt: new Date().toISOString(),
    endsAt: new Date(hour).toISOString(),
    createdBy: CORPUS[2],
    comment: all,
  })
  const planned = (await visit.api('POST', '/api/muster/v1/downtimes', { matchers: [`hostile=${JSON.stringify(CORPUS[3])}`], reason: all, ends_ms: hour })) as { readonly downtime: { readonly id: number } }
  const token = (await visit.api('POST', '/api/muster/v1/tokens', { kind: 'enrolment', pattern: 'never-*', uses: 1, ttl: '1h', labels: set })) as { readonly token: { readonly id: string } }
  await visit.until('the check', async () => JSON.stringify(await visit.api('GET', `/api/muster/v1/checks?host=${HOST}`)).includes(CHECK))
  await visit.api('POST', `/api/muster/v1/checks/${HOST}/${CHECK}/ack`, { comment: all })
  await visit.looked(HOST)
  visit.watched(HOST, FILE, 'one')
  await visit.until('the file', async () => JSON.stringify(await visit.api('GET', `/api/muster/v1/hosts/${HOST}/inventory/files`)).includes(FILE), TOLD_MS)
  return async () => {
    visit.watched(HOST, FILE, null)
    visit.push(HOST, CHECK, 'OK', 'nothing hostile')
    await visit.api('POST', `/api/muster/v1/hosts/${HOST}/labels`, { remove: Object.keys(set) })
    await visit.api('DELETE', `/api/v2/silence/${(silenced as { readonly silenceID: string }).silenceID}`)
    await visit.api('DELETE', `/api/muster/v1/downtimes/${planned.downtime.id}`)
    await visit.api('DELETE', `/api/muster/v1/tokens/${token.token.id}`)
  }
}

/** What agents tell is theirs: hostile names of packages and users, words, problems, columns and tables, in the place of what was told. */
async function told(visit: Visit): Promise<void> {
  const { page } = visit
  const text = (at: number): string => CORPUS[at % CORPUS.length] ?? ''
  const shape = { table: text(9), one: text(1), keys: 2, columns: CORPUS.map((name, at) => ({ name, kind: at % 3 === 0 ? 'text' : at % 3 === 1 ? 'integer' : 'time' })) }
  const row = (from: number): string[] => CORPUS.map((_, at) => text(from + at))
  const change = (at: number): unknown => ({
    host: text(at), host_id: text(at + 1), table: at % 2 ? 'packages' : text(9), kind: at % 4 === 3 ? text(at) : ['added', 'removed', 'changed'][at % 3], words: text(at), after_ms: 1000 * at, until_ms: 2000 * at, arrived_ms: 1,
    key: [text(at)], before: at % 3 === 0 ? null : row(at), after: at % 3 === 1 ? null : row(at + 1), is_news: at % 5 !== 4,
  })
  const known = { table: 'packages', one: text(0), rows: 3, known_from_ms: null, seen_ms: 1, age_ms: 1, changed_ms: 1, dropped: 7, problem: text(0) }
  const side = { host: text(0), at_ms: null }
  const answers: (readonly [RegExp, unknown])[] = [
    [/\/inventory\/tables/, { version: 1, tables: [shape, { ...shape, table: 'packages' }] }],
    [/\/changes\?/, { version: 1, next: text(9), changes: CORPUS.flatMap((_, at) => [change(at), change(at + 7)]) }],
    [/\/alerts\/[^/]+\/changes\?/, { version: 1, onset_ms: 1, suspects: CORPUS.map((_, at) => ({ change: change(at), hosts: CORPUS, why: text(at) })), suspects_count: 99, is_partial: true, note: text(0), contrast: { words: text(1) } }],
    [/\/inventory\/compare\?/, { version: 1, one: side, other: { ...side, host: text(1) }, tables: [{ ...shape, known: true, rows: CORPUS.map((_, at) => ({ key: [text(at), at], one: at % 3 === 0 ? null : row(at), other: at % 3 === 1 ? null : row(at + 2) })) }] }],
    [/\/hosts\/[^/]+\/inventory(\?|$)/, { version: 1, host: HOST, host_id: '1', now_ms: 1, tables: [known, { ...known, table: text(9) }, { ...known, table: text(0) }] }],
    [/\/hosts\/[^/]+\/inventory\/packages/, { ...shape, version: 1, host: HOST, at_ms: null, rows: CORPUS.map((_, at) => row(at)), since: CORPUS.map((_, at) => (at % 2 ? null : { after_ms: null, until_ms: 1 })) }],
  ]
  const item = (at: number): unknown => ({
    host: text(at + 1), host_id: `${at}`, key: `unit:${text(at)}`, kind: at % 4 === 3 ? text(at) : 'unit', state: at % 5 === 4 ? text(at) : ['gone', 'proposed', 'accepted'][at % 3], words: text(at), fields: { __proto__: text(at), name: text(at) }, checks: [{ name: text(at), kind: text(at) }],
    profile: at % 2 ? text(at) : null, is_there: true, found_ms: 1, since_ms: 1, by: text(at + 2), reason: text(at), went_after_ms: at % 2 ? null : 1, went_until_ms: 2, is_flapping: at % 2 === 0,
  })
  const profile = (at: number): unknown => ({
    name: text(at), source: ['built_in', 'api', 'file', text(at)][at % 4], file: text(at), description: text(at), accept: text(at), has_selector: true, include: CORPUS, logs: 1, checks: 1, has_rules: true, hides: [], hidden_by: at % 3 ? null : text(at), hosts: 1, fits: 1, assigned: 1,
    problem: text(at), text: CORPUS.join('\n'),
  })
  const rollout = (at: number): unknown => ({ set: at, base: 1, state: ['stopped', 'done', text(at)][at % 3], wave: at, reason: text(at), by: text(at), begun_ms: 1, changed_ms: 1, hosts: 3, good: 1, failed: [{ id: text(at), host: at % 2 ? null : text(at), problem: text(at), at_ms: 1 }] })
  const configuration = { number: 1, digest: text(0), document: CORPUS.join('\n'), set: 1, profiles: CORPUS, proposed: CORPUS, checks: CORPUS.map((name) => ({ name, of: name })), problems: CORPUS, set_back: text(0), told: { word: text(0), in_force: null, offered: null, problems: CORPUS, at_ms: 1 }, reads: false }
  const drifted = { ...shape, table: text(0), hosts: 3, rows: 9, own: 1, undecided: 1, drift: CORPUS.map((_, at) => ({ key: [text(at), text(at + 1)], expected: at % 2 ? null : row(at), left_out: 1, others: CORPUS.map((host, place) => ({ host, host_id: host, row: place % 3 ? row(at + place) : null, columns: CORPUS })) })) }
  const freeze = (at: number): unknown => ({ id: text(at), matchers: CORPUS, from_ms: 1, to_ms: 2, every: text(at), zone: text(at), reason: text(at), source: at % 2 ? 'api' : 'file', file: text(at), by: text(at), made_ms: 1, is_on: true, next_ms: 1 })
  const environment = (at: number): unknown => ({
    env: text(at), hosts: 2, after: [text(at + 1)], soak_ms: 1, running: [1], frozen: { freeze: freeze(at), until_ms: null, override: at % 3 ? null : { id: 1, freeze: text(at), service: text(at), env: text(at), reason: text(at), by: text(at), from_ms: 1, until_ms: 2 } },
    versions: CORPUS.map((version, place) => ({ version, hosts: CORPUS, since_ms: place, whole_ms: place % 2 ? 1 : null, soaked_ms: 1, has_failed: true, source: text(at) })),
  })
  const run = (at: number): unknown => ({ state: at % 2 ? 'failed' : text(at), wave: at % 3 ? at : null, sent_ms: 1, began_ms: 1, ended_ms: 2, exit: 2, well: false, why: text(at), output_bytes: 1, kept_bytes: 1 })
  const order = (at: number): unknown => ({
    order: at, id: text(at), task: text(at), back: text(at), state: ['requested', 'paused', text(at)][at % 3], step: at % 2, wave: 1, wave_size: 1, why: text(at), hosts: 3, counts: { ok: 1, [text(9)]: 2 }, back_counts: { failed: 1 }, failures: 1, failures_max: 0, canary: 1, batch: text(at),
    on_trouble: text(at), soak_ms: 1, return_ms: 1, by: text(at), reason: text(at), made_ms: 1, changed_ms: 1, expires_ms: 1, back_expires_ms: 9e15, maintenance_ms: 1, back_maintenance_ms: 2, unmaintained: text(at), needs: 2, approvals: [{ approver: text(at), by: text(at), at_ms: 1, verified: false }], text: CORPUS.join('\n'),
  })
  const decision = {
    version: 1, verdict: text(9), decision: { id: 1, at_ms: 1, by: text(0), service: text(0), version: text(1), to: text(2), rollback: true },
    reasons: CORPUS.map((one, at) => ({ code: one, effect: at % 2 ? 'no-go' : one, text: one, evidence: at % 3 ? one : `//${one}`, waivable: true, lifted: at % 4 === 0 })),
  }
  const missing = CORPUS.map((host) => ({ host, why: host, problem: host }))
  answers.push(
    [/v1\/discovery\?/, { version: 1, next: text(9), items: CORPUS.map((_, at) => item(at)), over: [{ host: text(0), host_id: '1', count: 2, first: CORPUS }] }],
    [/v1\/discovery\/rules$/, { version: 1, rules: CORPUS.map((name, at) => ({ name, kind: text(at + 1), items: CORPUS, hosts: CORPUS, action: name, source: at % 2 ? 'file' : 'api', file: name, is_hidden: true, by: name, made_ms: 1 })) }],
    [/v1\/profiles$/, { version: 1, set: 1, profiles: CORPUS.map((_, at) => profile(at)) }],
    [/v1\/profiles\/named\//, { version: 1, profile: profile(0), hidden: [profile(1)] }],
    [/v1\/profiles\/rollouts$/, { version: 1, rollouts: CORPUS.map((_, at) => rollout(at)) }],
    [/v1\/profiles\/versions$/, { version: 1, versions: CORPUS.map((by, at) => ({ set: at, made_ms: 1, by, reason: by })) }],
    [/v1\/profiles\/versions\//, { version: 1, set: 1, made_ms: 1, by: text(0), reason: text(0), profiles: CORPUS.map((name) => ({ name, source: name, text: name })) }],
    [/v1\/profiles\/assigned$/, { version: 1, assignments: CORPUS.map((name) => ({ host: HOST, profile: name, by: name, reason: name, made_ms: 1 })) }],
    [/\/hosts\/[^/]+\/configuration$/, { version: 1, configuration }],
    [/\/inventory\/drift/, { version: 1, group_by: [], baseline: null, hosts_min: 3, alone: 1, groups: [{ name: text(0), labels: {}, hosts: 3, rows: 9, left_out: 1, by_host: CORPUS.map((host) => ({ host, rows: 1 })), tables: [drifted] }] }],
    [/\/inventory\/baselines/, { version: 1, baselines: CORPUS.map((name) => ({ name, matchers: CORPUS, host: name, tables: CORPUS, rows: 1, made_ms: 1, by: name })) }],
    [/v1\/services$/, { version: 1, file: text(0), services: CORPUS.map((name, at) => ({ name, hosts: CORPUS, units: CORPUS, checks: CORPUS, streams: CORPUS, packages: CORPUS, repositories: CORPUS, rates: CORPUS.map((name) => ({ name, bad: name, all: name })), outside: 1, environments: [environment(at), environment(at + 1)] })) }],
    [/v1\/deploys\?/, { version: 1, next: null, deploys: CORPUS.map((_, at) => ({ id: at, service: text(at), version: text(at + 1), env: text(at), state: at % 2 ? 'ok' : text(at), source: at % 2 ? 'package' : text(at), hosts: CORPUS, started_ms: 1, ended_ms: 2, by: text(at), link: text(at), note: text(at), key: text(at), package: text(at), announced: text(at), unannounced: at % 2 === 0, freeze: text(at), override: 1 })) }],
    [/v1\/freezes$/, { version: 1, freezes: CORPUS.map((_, at) => freeze(at)) }],
    [/v1\/gate\?/, decision],
    [/v1\/gate\/decisions\?/, { version: 1, decisions: CORPUS.map((_, at) => ({ id: at, at_ms: 1, by: text(at), service: text(at), version: text(at), to: text(at), rollback: true, verdict: at % 2 ? 'go' : text(at), codes: CORPUS, lifted: CORPUS, override_by: text(at) })) }],
    [/v1\/gate\/decisions\/1\/replay$/, { ...decision, same: false, again: { verdict: text(9), reasons: decision.reasons } }],
    [/v1\/tasks\/orders$/, { version: 1, paused: text(0), orders: CORPUS.map((_, at) => order(at)) }],
    [/v1\/tasks\/orders\/1$/, { version: 1, order: order(0), hosts: CORPUS.map((_, at) => ({ id: text(at), host: at % 2 ? null : text(at), run: run(at), back: at % 3 ? null : run(at + 1) })), maintenances: CORPUS.map((reference, at) => ({ id: at, state: at % 2 ? 'settling' : reference, reference, ends_ms: 1, unreturned: [{ host: reference, check: reference, text: reference }] })) }],
    [/v1\/tasks\/orders\/1\/output\?/, { version: 1, order: 1, host: text(0), step: 1, text: CORPUS.join('\n'), output_bytes: 1, dropped_bytes: 1 }],
    [/v1\/tasks\/catalogue$/, { version: 1, catalogue: { catalogue_version: 1, digest: text(0), signer: text(0), by: text(1), added_ms: 1, expires_ms: 1, taken: 1, refused: CORPUS.map((why, at) => ({ id: why, host: at % 2 ? null : why, why })), document: CORPUS.join('\n'), tasks: CORPUS.map((task) => ({ task, about: task, argv: CORPUS, account: task, timeout_ms: 1, maintenance_ms: 1, parameters: [{ name: task, kind: task }] })) } }],
    [/v1\/ask\/tables$/, { version: 1, tables: [{ ...shape, one: text(0), is_live: true }, { ...shape, table: text(0), is_live: false }] }],
    [/v1\/ask$/, { version: 1, table: text(0), columns: shape.columns, rows: CORPUS.map((_, at) => ({ values: row(at), count: 1, on_hosts: at % 2 ? 1 : 9, hosts: CORPUS })), left_out: 1, asked: 3, answered: 1, missing, notes: missing, dropped: 1, took_ms: 1 }],
  )
  for (const [path, body] of answers) await page.route(path, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) }))
  for (const path of ['/changes?quiet=1', '/inventory?open=__proto__,packages', `/hosts/${HOST}?tab=inventory`, `/hosts/${HOST}?tab=inventory&table=packages`, `/hosts/${HOST}?tab=inventory&table=packages&with=web-1`, `/hosts/${HOST}?tab=inventory&with=web-1`, `/hosts/${HOST}`, ...SET_UP]) {
    await visit.open(path)
    await page.getByText(text(0)).first().waitFor({ state: 'attached' })
    await judge(visit)
    if (path.startsWith('/ask')) {
      await page.getByRole('button', { name: 'Ask the hosts' }).click()
      await page.getByText('1 of 3 answered').waitFor()
    }
    for (const button of await page.locator('main [aria-expanded=false]').all()) await button.click({ timeout: 500 }).catch(() => undefined)
    await judge(visit)
  }
  await visit.unroute()
}

/** Nothing of the texts is a part of the page. (Dialogs, errors of the console and requests to other sites are findings of every test.) */
async function judge(visit: Visit): Promise<void> {
  const { page } = visit
  const found = await page.evaluate((foreign) => [...document.querySelectorAll(foreign)].map((one) => one.outerHTML.slice(0, 200)), FOREIGN)
  if (found.length > 0) throw new Error(`at ${page.url()} a text became a part of the page: ${found.join(' ')}`)
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (over > 0) throw new Error(`at ${page.url()} a text makes the page ${over} pixels too wide`)
}

export default async function (visit: Visit): Promise<void> {
  const { page } = visit
  // The collector refuses a query that is none, a host that is none, and says so; pages show what it says.
  visit.allow(/40[0-9] .*\/(api|loki)\//)
  const undo = await plant(visit)

  // A name of a host may hold none of it.
  const named = await visit.api('POST', `/api/muster/v1/hosts/${HOST}/rename`, { name: CORPUS[0] }).catch((error: Error) => error.message)
  if (typeof named !== 'string' || !/: 400 .*remedy/.test(named)) throw new Error(`a hostile name of a host was not refused: ${JSON.stringify(named)}`)

  // Where each is to be seen, it is seen as it is.
  const [image = '', script = ''] = CORPUS
  const places: readonly (readonly [string, readonly string[]])[] = [
    ['/?show=all', [image]],
    [`/hosts/${HOST}?tab=checks`, [image]],
    [`/hosts/${HOST}?tab=facts`, [image, script]],
    ['/fleet?group=hostile_0', [image]],
    ['/logs?q=' + encodeURIComponent('{app="untrusted"}'), CORPUS.slice(0, 9)],
    ['/alerts', [image]],
    ['/calendar', [image]],
    ['/hosts-setup', [image]],
    ['/explore?q=' + encodeURIComponent(`muster_check_state{host="${HOST}",check="${CHECK}"}`), [image]],
    ['/audit', [image]],
    ['/changes?host=' + HOST + '&q=' + encodeURIComponent(image), [image]],
    [`/hosts/${HOST}?tab=inventory&table=files&q=onerror`, [image]],
    ['/inventory?sql=' + encodeURIComponent(`SELECT ${CORPUS.map((text, at) => `'${text.replaceAll("'", "''")}' AS "${text.replaceAll('"', '""')} ${at}"`).join(', ')}`), CORPUS.slice(0, 9)],
  ]
  for (const [path, texts] of places) {
    await visit.open(path)
    for (const text of texts) await page.getByText(text).first().waitFor({ state: 'attached' }).catch(() => Promise.reject(new Error(`${path} does not show ${text}`)))
    await judge(visit)
  }

  await told(visit)

  // Every page takes its address from others too.
  const table = readFileSync('src/pages/index.ts', 'utf8')
  const paths = [...table.matchAll(/path: '([^']+)'/g)].map(([, path = '']) => path).filter((path) => path !== '/login')
  if (paths.length < 12) throw new Error(`the table of pages was not understood: ${paths.join(' ')}`)
  for (const path of paths) {
    // A part of the path is each of them once; the parameters take turns.
    const turns = path.includes(':') ? CORPUS.length : 3
    for (let turn = 0; turn < turns; turn += 1) {
      const word = (at: number): string => encodeURIComponent(CORPUS[(turn + at) % CORPUS.length] ?? '')
      const parameters = PARAMETERS.map((name, at) => `${name}=${word(at)}`).join('&')
      await visit.open(`${path.replace(/:[a-z]+/, word(0))}?${parameters}#${word(1)}`)
      await page.locator('main').waitFor()
      await visit.until('the answers', async () => (await page.locator('main .wait').count()) === 0)
      await judge(visit)
    }
  }
  await undo()
}
