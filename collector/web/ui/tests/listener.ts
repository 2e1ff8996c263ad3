// A port that this machine listens on: every agent of the test finds it.
import { createServer } from 'node:net'
import { TOLD_MS, type Visit } from './visit'

/** Ports that the kernel gives by itself, from 32768 on, are proposed by nobody; nor is one that somebody has. */
const [FROM, TRIES] = [21_000, 400]

export interface Listening {
  readonly port: number
  readonly words: string
  readonly close: () => Promise<void>
}

export interface FoundItem {
  readonly host: string
  readonly host_id: string
  readonly key: string
  readonly state: string
  readonly words: string
}

export async function items(visit: Visit, query: string): Promise<readonly FoundItem[]> {
  return ((await visit.api('GET', `/api/muster/v1/discovery?${query}`)) as { readonly items: readonly FoundItem[] }).items
}

/** Listens, and waits until both hosts tell of it. */
export async function listen(visit: Visit): Promise<Listening> {
  for (let turn = 0; turn < TRIES; turn += 1) {
    const port = FROM + Math.floor(Math.random() * 10_000)
    // A test that fails does not close it: the run ends all the same.
    const server = createServer().unref()
    const isFree = await new Promise<boolean>((done) => {
      server.once('error', () => done(false))
      server.listen(port, '0.0.0.0', () => done(true))
    })
    if (!isFree) continue
    const told = async () => (await items(visit, 'kind=port&state=proposed')).filter(({ key }) => key.startsWith(`port:tcp/${port}/`))
    await visit.until(`port ${port} is found`, async () => (await told()).length === 2, TOLD_MS)
    const words = (await told())[0]?.words ?? ''
    return { port, words, close: () => new Promise((done) => server.close(() => done())) }
  }
  throw new Error('no port is free')
}
