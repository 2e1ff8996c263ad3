// Tokens of the API: made, shown once, revoked.
import { useSignal } from '@preact/signals'
import { change } from '../../api/ask'
import type { NewToken, Token } from '../../api/types'
import { Age, Button, Code, Dialog, DurationField, Failed, isDuration, Notice, Section, SmallTable, useDoing } from '../../parts'
import { second } from '../../time/clock'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { httpTokens, SCOPE_NOTES, SCOPES, scopeWords, type TokenScope } from './people'

const old = param('tokens')

export function TokenCard({ tokens, onDone }: { readonly tokens: readonly Token[]; readonly onDone: () => void }) {
  const isMaking = useSignal(false)
  const revoking = useSignal<Token | null>(null)
  const doing = useDoing()
  const all = httpTokens(tokens, second.value, true)
  const good = httpTokens(tokens, second.value, false)
  const shown = old.value === 'all' ? all : good
  const revoke = async (): Promise<void> => {
    const token = revoking.value
    if (!token || !(await doing.run(change('DELETE', api('tokens', token.id)), `Token ${token.id} is revoked`))) return
    revoking.value = null
    onDone()
  }
  return (
    <Section
      title="API tokens"
      note={count(good.length, 'token')}
      actions={
        <>
          {all.length > good.length && (
            <Button small kind="quiet" pressed={old.value === 'all'} onClick={() => (old.value = old.value === 'all' ? '' : 'all')}>
              {old.value === 'all' ? 'Hide' : 'Show'} {count(all.length - good.length, 'old one')}
            </Button>
          )}
          <Button small kind="accent" onClick={() => (isMaking.value = true)}>
            Make a token
          </Button>
        </>
      }
    >
      <SmallTable
        label="API tokens"
        heads={[['Token'], ['May'], ['Last used', 'right'], ['Expires', 'right wide'], ['Made', 'right wide'], ['By', 'wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={shown.map((token) => ({
          key: token.id,
          ...(good.includes(token) ? {} : { class: 'old' }),
          cells: [
            <code>{token.id}</code>,
            <span class="small" title={(token.scopes ?? []).join(', ')}>{scopeWords(token.scopes ?? []).map((words) => <div key={words}>{words}</div>)}</span>,
            <Age ms={token.last_used_ms} after=" ago" />,
            token.revoked_ms != null ? 'revoked' : token.expires_ms == null ? 'never' : <Age ms={token.expires_ms} after=" ago" />,
            <Age ms={token.made_ms} after=" ago" />,
            <span class="soft any-word">{token.made_by}</span>,
            good.includes(token) && (
              <Button small kind="danger" name={`Revoke token ${token.id}`} onClick={() => (revoking.value = token)}>
                Revoke
              </Button>
            ),
          ],
        }))}
        none="There is none: only users who log in reach the API."
      />
      {isMaking.value && <Make onClose={() => (isMaking.value = false)} onDone={onDone} />}
      {revoking.value && (
        <Dialog title={`Revoke token ${revoking.value.id}`} submit="Revoke" danger busy={doing.busy.value} onSubmit={revoke} onClose={() => (revoking.value = null)}>
          <p>
            Whatever uses it is refused from then on
            {revoking.value.last_used_ms != null ? (
              <>
                ; it was used <Age ms={revoking.value.last_used_ms} after=" ago" />.
              </>
            ) : (
              '; it was never used.'
            )}
          </p>
          <Failed doing={doing} />
        </Dialog>
      )}
    </Section>
  )
}

function Make({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const doing = useDoing()
  const scopes = useSignal<ReadonlySet<TokenScope>>(new Set(['read']))
  const ttl = useSignal('90d')
  const made = useSignal<Token | null>(null)
  const make = async (): Promise<void> => {
    if (!isDuration(ttl.value, false) || scopes.value.size === 0) return
    const answer = await doing.run(change<NewToken>('POST', api('tokens'), { kind: 'http', scopes: SCOPES.filter((scope) => scopes.value.has(scope)), ttl: ttl.value }))
    if (!answer) return
    made.value = answer.token
    onDone()
  }
  if (made.value) {
    return (
      <Dialog title={`Token ${made.value.id}`} onClose={onClose}>
        <Notice tone="warning">It is shown this once: copy it to where it is used.</Notice>
        <Code text={made.value.word ?? ''} />
        <p class="soft small">
          As a header: <code>Authorization: Bearer TOKEN</code>
        </p>
      </Dialog>
    )
  }
  const turn = (scope: TokenScope): void => {
    const next = new Set(scopes.value)
    if (!next.delete(scope)) next.add(scope)
    scopes.value = next
  }
  return (
    <Dialog title="Make an API token" submit="Make it" busy={doing.busy.value} ready={scopes.value.size > 0} onSubmit={make} onClose={onClose}>
      <div class="field" role="group" aria-label="What it may do">
        <span>What it may do</span>
        {SCOPES.map((scope) => (
          <label key={scope} class="check-line">
            <input type="checkbox" checked={scopes.value.has(scope)} onChange={() => turn(scope)} />
            <span>
              <strong>{scope}</strong> <span class="soft">{SCOPE_NOTES[scope]}</span>
            </span>
          </label>
        ))}
      </div>
      <DurationField label="Good for" value={ttl.value} onInput={(text) => (ttl.value = text)} offers={['1d', '30d', '90d', '1y']} />
      <Failed doing={doing} />
    </Dialog>
  )
}
