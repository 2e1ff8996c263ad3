// What a test of a page has: a browser that is logged in, the API, hosts that report, and eyes for all that may not be.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import axe from 'axe-core'
import { chromium, type Browser, type ConsoleMessage, type Page } from 'playwright-core'

const env = (name: string, standard?: string): string => {
  const value = process.env[name] ?? standard
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}

const CHROMIUM = '/usr/bin/chromium'
/** Longer than anything takes on a starved machine. */
const LIMIT_MS = 60_000
/** A table that changes again and again is looked at after a rest: its changes are known within a minute. */
export const TOLD_MS = 70_000
/** Answers that tests play take a fraction of this. */
const UNROUTED_MS = 5000
const THEMES = ['light', 'dark'] as const
const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } } as const

export interface Test {
  readonly name: string
  readonly default: (visit: Visit) => Promise<void>
  /** It begins at the login. */
  readonly loggedOut?: boolean
}

/** One test's visit. */
export class Visit {
  readonly url = env('MUSTER_URL').replace(/\/$/, '')
  readonly user = env('MUSTER_USER')
  readonly password = env('MUSTER_PASSWORD')
  private readonly wrong: string[] = []
  private readonly allowed: RegExp[] = [
    // Who is not logged in asks who they are, once.
    /401 .*\/api\/muster\/v1\/me$/,
  ]

  constructor(
    readonly page: Page,
    private readonly out: string,
  ) {
    page.setDefaultTimeout(LIMIT_MS)
    page.on('console', (message) => this.hear(message))
    page.on('pageerror', (error) => this.wrong.push(`an error that nobody caught: ${error.message}`))
    page.on('dialog', (dialog) => {
      this.wrong.push(`a text of others was run: it opened a dialog that says ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(this.url) && !request.url().startsWith('data:')) this.wrong.push(`another site is asked: ${request.url()}`)
    })
  }

  /** An answer of this kind is meant: `allow(/409 .*\/hosts/)` against `STATUS URL`. */
  allow(what: RegExp): void {
    this.allowed.push(what)
  }

  private hear(message: ConsoleMessage): void {
    if (message.type() !== 'error' && message.type() !== 'warning') return
    const status = /status of (\d+)/.exec(message.text())?.[1]
    const seen = status ? `${status} ${message.location().url}` : message.text()
    if (!this.allowed.some((allowed) => allowed.test(seen))) this.wrong.push(`the console says: ${seen}`)
  }

  /** Opens a path. */
  async open(path: string): Promise<void> {
    await this.page.goto(this.url + path, { waitUntil: 'load' })
  }

  async logIn(): Promise<void> {
    await this.page.getByLabel('User').fill(this.user)
    await this.page.getByLabel('Password').fill(this.password)
    await this.page.getByRole('button', { name: 'Log in' }).click()
    await this.page.locator('nav#nav').waitFor({ state: 'attached' })
  }

  /** Waits until a text is to be seen. */
  async see(text: string | RegExp): Promise<void> {
    await this.page.getByText(text).first().waitFor()
  }

  /** Asks again until it is so, at most `limit` ms. */
  async until(what: string, is: () => Promise<boolean>, limit = LIMIT_MS): Promise<void> {
    const end = Date.now() + limit
    while (!(await is())) {
      if (Date.now() > end) throw new Error(`${what} did not happen`)
      await this.page.waitForTimeout(50)
    }
  }

  /** The API with the administrator's token. */
  async api(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { Authorization: `Bearer ${env('MUSTER_TOKEN')}`, 'Content-Type': 'application/json' }
    const response = await fetch(this.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text ? JSON.parse(text) : null
  }

  /** A result of a check, handed to the agent of an enrolled host. */
  push(host: string, check: string, state: string, output: string): void {
    const words = ['push', '--state-dir', join(env('MUSTER_STATES'), host), check, '--state', state, '--output', output, '--ttl', '1h']
    execFileSync(join(env('MUSTER_PROGRAMS'), 'muster-agent'), words)
  }

  /** Nothing is intercepted any more; what is being answered is, but for a request that went with its page: that one may never be done. */
  async unroute(): Promise<void> {
    await Promise.race([this.page.unrouteAll({ behavior: 'wait' }), this.page.waitForTimeout(UNROUTED_MS)])
    await this.page.unrouteAll({ behavior: 'ignoreErrors' })
  }

  /** A file of which agents tell hash and size: of one host, or of all (`shared`). null takes it away. */
  watched(host: string, name: string, text: string | null): void {
    const path = join(env('MUSTER_STATES'), `${host}.watched`, name)
    if (text === null) rmSync(path)
    else writeFileSync(path, text)
  }

  /** The first looks of these hosts' agents at such files have come: from then on a change is one. */
  async looked(...hosts: readonly string[]): Promise<void> {
    for (const host of hosts) {
      await this.until(`the first look of ${host}`, async () => {
        const { tables } = (await this.api('GET', `/api/muster/v1/hosts/${host}/inventory`)) as { tables: { table: string }[] }
        return tables.some(({ table }) => table === 'files')
      }, TOLD_MS)
    }
  }

  /** No serious finding of axe-core on what is shown now. */
  async axe(): Promise<void> {
    await this.page.evaluate(axe.source)
    const found = await this.page.evaluate(async () => {
      const result = await (window as unknown as { axe: typeof axe }).axe.run(document, { resultTypes: ['violations'] })
      return result.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`)
    })
    for (const one of found) this.wrong.push(`axe-core at ${this.page.url()}: ${one}`)
  }

  /**
   * What every page is looked at for: in both themes and sizes axe-core finds nothing serious and nothing is wider than the window; a picture
   * of each; and loaded anew at its URL it shows `text` again.
   */
  async look(name: string, text: string | RegExp): Promise<void> {
    for (const [size, viewport] of Object.entries(SIZES)) {
      await this.page.setViewportSize(viewport)
      for (const colorScheme of THEMES) {
        await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await this.page.waitForTimeout(120)
        await this.axe()
        await this.page.screenshot({ path: join(this.out, `${name}-${size}-${colorScheme}.png`) })
      }
      const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (over > 0) this.wrong.push(`${name} is ${over} pixels wider than a window of ${viewport.width}`)
    }
    await this.page.setViewportSize(SIZES.wide)
    await this.page.reload({ waitUntil: 'load' })
    await this.see(text)
  }

  /** What was wrong. */
  findings(): readonly string[] {
    return [...new Set(this.wrong)]
  }
}

async function one(browser: Browser, test: Test, out: string): Promise<string[]> {
  const context = await browser.newContext({ viewport: SIZES.wide, locale: 'en-GB', timezoneId: 'Europe/Berlin', ignoreHTTPSErrors: true })
  const page = await context.newPage()
  const visit = new Visit(page, out)
  try {
    if (!test.loggedOut) {
      await visit.open('/')
      await visit.logIn()
    }
    await test.default(visit)
    return [...visit.findings()]
  } catch (error) {
    await page.screenshot({ path: join(out, `${test.name}-failed.png`) }).catch(() => undefined)
    return [...visit.findings(), `at ${page.url()}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]
  } finally {
    await context.close()
  }
}

/** What is said again of a line that is wrong: its beginning names the place and what was waited for. */
const LINE_MAX = 1_000

/** Runs them one after the other; 0 when nothing was wrong. */
export async function run(tests: readonly Test[], out: string): Promise<number> {
  mkdirSync(out, { recursive: true })
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  // Said once more at the end: who has only that of a log finds the reason there.
  const failed: string[] = []
  let failures = 0
  try {
    for (const test of tests) {
      const start = Date.now()
      const wrong = await one(browser, test, out)
      console.log(`${wrong.length === 0 ? 'ok' : 'FAILED'} ${test.name} (${((Date.now() - start) / 1000).toFixed(1)} s)`)
      for (const line of wrong) console.log(`  ${line}`)
      if (wrong.length > 0) failed.push(test.name, ...wrong.map((line) => `  ${line.slice(0, LINE_MAX)}`))
      failures += wrong.length > 0 ? 1 : 0
    }
  } finally {
    await browser.close()
  }
  console.log(`pages: ${tests.length - failures} passed, ${failures} failed; pictures in ${out}`)
  for (const line of failed) console.log(line)
  return failures === 0 ? 0 : 1
}
