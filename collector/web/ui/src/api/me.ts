// Who is logged in, and what they may do.
import { computed, effect, signal } from '@preact/signals'
import { api } from '../url/link'
import { ask, change, isLoggedOut } from './ask'
import type { Answer } from './answer'
import { startLive, stopLive } from './live'
import type { LoggedIn, Me, Scope } from './types'

/** null: not known yet, or nobody. */
export const me = signal<Me | null>(null)
/** Why it is not known, while it is not. */
export const meAnswer = signal<Answer<Me> | null>(null)

/** Asks who the cookie is. */
export async function findMe(): Promise<void> {
  const answer = await ask<Me>(api('me'))
  meAnswer.value = answer
  if (answer.kind !== 'data') return
  isLoggedOut.value = false
  me.value = answer.data
  startLive()
}

/** Whether the caller may do what needs this scope. Where nobody is asked who they are, all may. */
export function may(scope: Scope): boolean {
  const known = me.value
  if (!known) return false
  return known.by.startsWith('anybody') || known.scopes.includes('admin') || known.scopes.includes(scope)
}

/** As it is written where somebody is named. */
export const myName = computed(() => me.value?.user ?? me.value?.by ?? '')

export async function logIn(user: string, password: string): Promise<Answer<LoggedIn>> {
  const answer = await change<LoggedIn>('POST', api('login'), { user, password })
  if (answer.kind === 'data') {
    isLoggedOut.value = false
    await findMe()
  }
  return answer
}

export async function logOut(): Promise<void> {
  // First nothing asks any more, then the session ends.
  isLoggedOut.value = true
  const answer = await change<unknown>('POST', api('logout'))
  // The cookie is still good then: that must not look like a logout.
  if (answer.kind !== 'data' && answer.kind !== 'loggedOut') meAnswer.value = { ...answer, message: `you are still logged in: ${answer.message}` } as Answer<Me>
}

effect(() => {
  if (!isLoggedOut.value) return
  me.value = null
  // What was answered before is no longer who asks.
  meAnswer.value = null
  stopLive()
})
