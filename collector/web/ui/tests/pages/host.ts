// Host: plots on one axis, a span that is dragged, checks acknowledged and given a downtime, lines with what stands around them, and its life cycle.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { Visit } from '../visit'

const HOSTILE = '<img src=x onerror=alert(1)>'
/** The goal of the page; a machine that does other things beside takes longer for the last of them. */
const PLOTS_WITHIN_MS = 1000

interface HostRow {
  readonly id: string
  readonly name: string
  readonly labels: Record<string, string>
}

async function plots(visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/hosts/web-1?since=15m')
  await visit.see('CPU by mode')
  const plot = page.getByRole('group', { name: /^CPU by mode: .*user \d/ })
  await plot.waitFor()
  await visit.until('plots that are in sight', async () => (await page.locator('.plot canvas').count()) >= 6)
  await visit.look('host', 'CPU by mode')

  // What is far below is not asked for before it is scrolled to.
  await visit.open('/hosts/web-1?since=24h')
  await page.getByRole('group', { name: /^CPU by mode/ }).waitFor()
  if ((await page.getByRole('group', { name: /^Largest error of the clock/ }).count()) > 0) throw new Error('a plot out of sight was asked for')
  await page.getByRole('button', { name: /^The agent itself/ }).click()
  await page.waitForURL(/groups=agent/)
  const boxes = await page.locator('.plot-box').count()
  const took = await page.evaluate(async () => {
    const start = performance.now()
    const content = document.querySelector('main')?.closest('.content') ?? document.querySelector('.content') ?? document.documentElement
    const frame = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => done()))
    // All come into sight one screen after the other.
    for (let top = 0; top <= content.scrollHeight; top += content.clientHeight) {
      content.scrollTop = top
      await frame()
      await frame()
    }
    while (document.querySelector('.plot-box .wait') && performance.now() - start < 15_000) await frame()
    return performance.now() - start
  })
  console.log(`  host: ${boxes} plots of 24 h were there ${Math.round(took)} ms after they came into sight (goal ${PLOTS_WITHIN_MS})`)
  if (boxes < 35 || took > 10 * PLOTS_WITHIN_MS) throw new Error(`${boxes} plots took ${Math.round(took)} ms`)
  await page.reload()
  await page.getByRole('group', { name: /^CPU by mode/ }).waitFor()
}

async function span(visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/hosts/web-1?since=1h')
  await page.getByRole('group', { name: /^CPU by mode: .*\d/ }).waitFor()
  const box = await page.locator('.plot .u-over').first().boundingBox()
  if (!box) throw new Error('no plot to drag on')
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.9, box.y + 44, { steps: 5 })
  await page.mouse.up()
  await page.waitForURL(/from=\d+&to=\d+/)
  const dragged = new URL(page.url()).searchParams
  const width = Number(dragged.get('to')) - Number(dragged.get('from'))
  if (width < 15 * 60_000 || width > 35 * 60_000) throw new Error(`a drag over 0.4 of an hour made a span of ${width} ms`)
  await page.getByRole('button', { name: 'Zoom out' }).click()
  await visit.until('twice the time', async () => {
    const now = new URL(page.url()).searchParams
    return Math.abs(Number(now.get('to')) - Number(now.get('from')) - 2 * width) < 2000
  })
  await page.getByRole('button', { name: 'Back', exact: true }).click()
  await visit.until('the dragged span again', async () => new URL(page.url()).searchParams.get('from') === dragged.get('from'))
  // What was dragged is what logs and events are of, here and in their own views.
  const search = new URL(page.url()).searchParams
  const [from, to] = [Number(search.get('from')), Number(search.get('to'))]
  const count = async (query: string): Promise<number> => {
    const path = `/loki/api/v1/query_range?limit=5000&start=${from}000000&end=${to}000000&query=${encodeURIComponent(query)}`
    return ((await visit.api('GET', path)) as { data: { result: { values: unknown[] }[] } }).data.result.reduce((sum, { values }) => sum + values.length, 0)
  }
  const [lines, events] = [await count('{host="web-1",source!="muster"}'), await count('{host="web-1",source="muster"}')]
  await visit.until('lines of the span', async () => ((await page.getByRole('region', { name: 'Log lines in this time' }).locator('h2').textContent()) ?? '').endsWith(` ${lines}`))
  await page.getByRole('link', { name: 'Logs', exact: true }).last().click()
  await page.waitForURL((url) => url.searchParams.get('from') === String(from) && url.searchParams.get('tab') === 'logs')
  if (lines > 0) await page.getByRole('img', { name: new RegExp(`^Log lines by level: ${lines} in all`) }).waitFor()
  else await visit.see('No lines')
  await page.getByRole('link', { name: new RegExp(`^Events${events > 0 ? ` ${events}` : ''}$`) }).click()
  await page.waitForURL((url) => url.searchParams.get('from') === String(from) && url.searchParams.get('tab') === 'events')
  if (events === 0) await visit.see('Nothing happened in this time')
  await page.goBack()
  await page.goBack()
  await page.getByRole('button', { name: 'Last hour' }).click()
  await visit.until('the last hour', async () => !page.url().includes('from='))
  // What happened is said at its mark.
  await visit.open('/hosts/web-1?since=15m')
  const plot = page.getByRole('group', { name: /^Load: .*\d/ })
  await plot.waitFor()
  const [over, caption] = [plot.locator('.u-over'), plot.locator('.title .cut')]
  await visit.until('the words of a mark', async () => {
    const box = await over.boundingBox()
    if (!box) return false
    for (let left = box.width - 1; left > 0; left -= 6) {
      await page.mouse.move(box.x + left, box.y + 40)
      if (/^\d\d:\d\d:\d\d (host|check) `/.test((await caption.textContent()) ?? '')) return true
    }
    return false
  })
}

async function checks(visit: Visit): Promise<void> {
  const { page } = visit
  // What a visit before this one left ends.
  visit.push('web-1', 'tapes', 'OK', 'all are new')
  const state = async (): Promise<string | undefined> => ((await visit.api('GET', '/api/muster/v1/checks?host=web-1')) as { checks: { check: string; state: string }[] }).checks.find(({ check }) => check === 'tapes')?.state
  await visit.until('it is well', async () => (await state()) === 'OK')
  visit.push('web-1', 'tapes', 'WARNING', `one is old ${HOSTILE}`)
  await visit.open('/hosts/web-1?tab=checks&since=15m')
  await visit.see(/one is old <img/)
  await page.getByRole('img', { name: /^the time that is chosen: .*warning \d+ %/ }).first().waitFor()
  const words = ['push', '--state-dir', join(process.env['MUSTER_STATES'] ?? '', 'web-1'), 'space', '--state', 'OK', '--output', 'room enough', '--perfdata', '/srv=61%;80;90;0;100', '--ttl', '1h']
  execFileSync(join(process.env['MUSTER_PROGRAMS'] ?? '', 'muster-agent'), words)
  await page.getByRole('img', { name: /^\/srv 61 %, OK, warns at 80, critical at 90/ }).waitFor()
  await page.getByRole('button', { name: 'Acknowledge tapes' }).click()
  await page.getByRole('dialog').waitFor()
  await page.keyboard.type('a new one comes')
  await page.getByRole('dialog').getByRole('button', { name: 'Acknowledge', exact: true }).click()
  await visit.see(/acknowledged by user:ann: a new one comes/)
  await page.getByRole('button', { name: 'Downtime for tapes' }).click()
  await page.getByLabel('Reason').fill('tapes are changed')
  await visit.axe()
  await page.getByRole('button', { name: 'Set downtime' }).click()
  await visit.until('the downtime', async () => {
    const { downtimes } = (await visit.api('GET', '/api/muster/v1/downtimes')) as { downtimes: { reason: string; matchers: string[] }[] }
    return downtimes.some(({ reason, matchers }) => reason === 'tapes are changed' && matchers.includes('check="tapes"') && matchers.includes('host="web-1"'))
  })
  await visit.look('host-checks', /one is old/)
  await page.getByRole('button', { name: 'Take back the acknowledgement of tapes' }).click()
  await page.getByRole('button', { name: 'Take it back' }).click()
  await visit.until('it is taken back', async () => {
    const { checks } = (await visit.api('GET', '/api/muster/v1/checks?host=web-1')) as { checks: { check: string; acknowledgement: unknown }[] }
    return checks.some(({ check, acknowledgement }) => check === 'tapes' && acknowledgement === null)
  })
}

async function lines(visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/hosts/web-1?tab=logs&since=3h')
  await visit.see(/order \d+ is paid/)
  await page.getByRole('img', { name: /^Log lines by level: 300 in all/ }).waitFor()
  await page.getByRole('combobox', { name: 'Filter lines' }).fill('NO STOCK')
  await page.waitForURL(/q=NO\+STOCK/)
  await visit.until('only lines that have it', async () => (await page.getByText(/is paid/).count()) === 0 && (await page.getByText(/no stock/).count()) > 0)
  await page.reload()
  await visit.see(/order 7 failed: no stock/)
  await page.getByRole('button', { name: /order 207 failed/ }).click()
  // What stands around it is not what was filtered for.
  await page.getByRole('list', { name: 'Lines around it' }).getByText('web-1 order 208 is paid').waitFor()
  await page.getByRole('list', { name: 'Lines around it' }).getByText('web-1 order 206 is paid').waitFor()
  await visit.axe()
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('combobox', { name: 'Filter lines' }).fill('')
  await page.getByRole('radio', { name: 'warn' }).click()
  await page.waitForURL(/level=warn/)
  await visit.see(/<img src=x onerror=alert\(\d+\)>/)
  await visit.until('only warnings', async () => (await page.getByText(/is paid/).count()) === 0)
  await visit.look('host-logs', /<img src=x/)

  await visit.open('/hosts/web-1?tab=events&since=3h')
  await page.getByRole('group', { name: 'Kinds of events' }).getByRole('button', { name: /^state/ }).waitFor()
  await visit.look('host-events', /^state/)
  await page.getByRole('group', { name: 'Kinds of events' }).getByRole('button', { name: /^change/ }).click()
  await page.waitForURL(/what=change/)
  // Changes of what it has are events too, and may be many.
  await page.getByRole('combobox', { name: 'Filter events' }).fill('enrolled')
  await visit.see(/host `web-1` enrolled from/)
  await page.getByRole('combobox', { name: 'Filter events' }).fill('no event has this')
  await visit.see('No event fits the filter')
}

interface Looked {
  readonly state: string
  readonly looked_at_ms?: number
  readonly processes: readonly { readonly pid: number; readonly name: string }[]
}

/** Who uses the host, now and at a moment that the URL names. */
async function processes(visit: Visit): Promise<void> {
  const { page } = visit
  const looked = async (): Promise<Looked> => (await visit.api('GET', '/api/muster/v1/hosts/web-1/processes')) as Looked
  await visit.until('a look at the processes', async () => (await looked()).state === 'known')
  await visit.open('/hosts/web-1?tab=processes&since=15m')
  await visit.see(/Looked at/)
  const table = page.getByRole('grid', { name: 'Processes' })
  const first = (await looked()).processes[0]
  if (first === undefined) throw new Error('a look without processes')
  await table.getByText(first.name, { exact: true }).first().waitFor()
  await table.getByRole('button', { name: 'Memory' }).click()
  await page.waitForURL(/by=-memory/)
  await visit.axe()
  await visit.look('host-processes', /Looked at/)

  await page.getByRole('button', { name: 'A minute earlier' }).click()
  await page.waitForURL(/at=\d+/)
  await page.reload()
  await visit.see(/Looked at/)
  await page.getByRole('button', { name: 'Newest' }).click()
  await visit.until('the newest look', async () => !page.url().includes('at='))
  // Of a moment of which nothing is known the nearest is shown, and said to be that.
  await visit.open(`/hosts/web-1?tab=processes&at=${((await looked()).looked_at_ms ?? 0) - 5 * 3_600_000}`)
  await visit.see('Of another moment:')
}

async function life(visit: Visit): Promise<void> {
  const { page } = visit
  await visit.open('/hosts/db-1?tab=facts')
  await visit.see('Boot id')
  await visit.see(/by token:/)
  for (const name of ['Clock offset', 'Lag of its numbers', 'Spool of numbers', 'Kernel', 'Certificate', 'Log files followed']) await page.getByText(name, { exact: true }).waitFor()
  await page.getByRole('list', { name: 'Sources of log lines' }).getByRole('link', { name: /db-1\.app\.log/ }).waitFor()
  await visit.look('host-facts', 'Boot id')
  const find = async (name: string): Promise<HostRow | undefined> => ((await visit.api('GET', '/api/muster/v1/hosts')) as { hosts: HostRow[] }).hosts.find((host) => host.name === name)
  const choose = async (entry: string): Promise<void> => {
    await page.getByRole('button', { name: 'Life cycle' }).click()
    await page.getByRole('button', { name: entry }).click()
    await page.getByRole('dialog').waitFor()
  }
  await choose('Labels ...')
  const before = await page.getByLabel('Labels', { exact: true }).inputValue()
  await page.getByLabel('Labels', { exact: true }).fill(`${before}\nno label`)
  await visit.see('"no label" is not name=value')
  await page.getByLabel('Labels', { exact: true }).fill(`${before}\nrack=${HOSTILE}`)
  await visit.axe()
  await page.getByRole('button', { name: 'Set labels' }).click()
  await visit.until('the label', async () => (await find('db-1'))?.labels['rack'] === HOSTILE)
  await visit.see(HOSTILE)
  await choose('Labels ...')
  await page.getByLabel('Labels', { exact: true }).fill(before)
  await page.getByRole('button', { name: 'Set labels' }).click()
  await visit.until('the label is gone', async () => (await find('db-1'))?.labels['rack'] === undefined)

  // News may come before the page has its new address; then it asks for the name of before once.
  visit.allow(/404 .*\/hosts\/db-[123]$/)
  await choose('Rename ...')
  await page.getByLabel('New name').fill('db-2')
  await page.getByRole('button', { name: 'Rename', exact: true }).click()
  await page.waitForURL(/\/hosts\/db-2\?tab=facts/)
  await visit.until('the name', async () => (await find('db-2')) !== undefined)
  await page.getByRole('heading', { level: 1, name: 'db-2' }).waitFor()
  // And by somebody else, while the page is open.
  await visit.see('Boot id')
  for (const name of ['db-3', 'db-1']) {
    await visit.api('POST', `/api/muster/v1/hosts/${(await find('db-2'))?.id ?? (await find('db-3'))?.id ?? ''}/rename`, { name })
    await page.waitForURL(new RegExp(`/hosts/${name}`))
    await page.getByRole('heading', { level: 1, name }).waitFor()
  }

  // A host that is not there is said to be so.
  visit.allow(/404 .*\/hosts\//)
  await visit.open('/hosts/nobody%2F..%2F%3Cimg%3E')
  await visit.see(/nobody\/\.\.\/<img>/)
  await page.getByRole('link', { name: 'All hosts' }).waitFor()
  await visit.axe()
}

/** A machine that waits under a name that another has: seen, let take its place, and retired. */
async function waiting(visit: Visit): Promise<void> {
  const { page } = visit
  const [programs, states] = [process.env['MUSTER_PROGRAMS'] ?? '', process.env['MUSTER_STATES'] ?? '']
  const name = `spare-${process.pid}`
  const { addresses } = (await visit.api('GET', '/api/muster/v1/status')) as { addresses: { agents: string } }
  const { token } = (await visit.api('POST', '/api/muster/v1/tokens', { kind: 'enrolment', name, uses: 3 })) as { token: { word: string } }
  const enrol = (machine: string): void => {
    const words = ['enrol', '--no-wait', '--collector', addresses.agents, '--name', name, '--state', join(states, `${name}-${machine}`)]
    execFileSync(join(programs, 'muster-agent'), words, { env: { ...process.env, MUSTER_ENROL_TOKEN: token.word }, stdio: 'ignore' })
  }
  enrol('old')
  const wait = (machine: string): void => {
    let isLetIn = true
    try {
      enrol(machine)
    } catch {
      // It exits with 1: it has to wait.
      isLetIn = false
    }
    if (isLetIn) throw new Error('another machine came in under a name that is taken')
  }
  wait('new')
  const openWaiting = async (): Promise<void> => {
    await visit.open('/fleet?state=pending')
    await page.getByRole('link', { name }).click()
    await visit.see('Not let in yet:')
  }
  await openWaiting()
  await visit.look('host-waiting', 'Not let in yet:')
  await page.getByRole('button', { name: 'Life cycle' }).click()
  await page.getByRole('button', { name: 'Replace ...' }).click()
  await page.getByRole('button', { name: 'Replace the machine' }).click()
  await page.waitForURL(new RegExp(`/hosts/${name}`))
  await visit.see(`The new machine is ${name} now`)
  const rows = async (): Promise<{ name: string; state: string; replaced_ms: number | null }[]> =>
    ((await visit.api('GET', '/api/muster/v1/hosts?all=true')) as { hosts: { name: string; state: string; replaced_ms: number | null }[] }).hosts.filter((host) => host.name === name)
  await visit.until('one host, replaced', async () => (await rows()).length === 1 && (await rows())[0]?.replaced_ms !== null)
  wait('third')
  await letIn(visit, openWaiting, name)
  await visit.open(`/hosts/${name}`)
  await page.getByRole('button', { name: 'Life cycle' }).click()
  await page.getByRole('button', { name: 'Retire ...' }).click()
  await page.getByLabel('Reason').fill('only a test')
  await page.getByRole('button', { name: 'Retire for good' }).click()
  await visit.until('it is retired', async () => (await rows())[0]?.state === 'retired')
  await visit.see('only a test')
}

/** A machine is let in under a name of its own. */
async function letIn(visit: Visit, openWaiting: () => Promise<void>, name: string): Promise<void> {
  const { page } = visit
  await openWaiting()
  await page.getByRole('button', { name: 'Let it in' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill(`${name}-b`)
  await page.getByLabel('Labels', { exact: true }).fill('role=spare')
  await page.getByRole('dialog').getByRole('button', { name: 'Let it in' }).click()
  await page.waitForURL(new RegExp(`/hosts/${name}-b`))
  const hosts = async (): Promise<readonly (HostRow & { readonly state: string })[]> => ((await visit.api('GET', '/api/muster/v1/hosts')) as { hosts: (HostRow & { state: string })[] }).hosts
  await visit.until('it is let in', async () => (await hosts()).some((host) => host.name === `${name}-b` && host.state === 'active' && host.labels['role'] === 'spare'))
  await visit.api('POST', `/api/muster/v1/hosts/${name}-b/retire`, {})
}

export default async function (visit: Visit): Promise<void> {
  await plots(visit)
  await span(visit)
  await checks(visit)
  await lines(visit)
  await processes(visit)
  await life(visit)
  await waiting(visit)
  visit.push('web-1', 'tapes', 'OK', 'all are new')
}
