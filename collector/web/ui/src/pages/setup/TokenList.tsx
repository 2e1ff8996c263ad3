// Enrolment tokens: whom they let in, how often and until when.
import { change } from '../../api/ask'
import type { Token } from '../../api/types'
import { Age, Button, Failed, Labels, Section, SmallTable, useDoing } from '../../parts'
import { second } from '../../time/clock'
import { count } from '../../time/format'
import { api } from '../../url/link'
import { param } from '../../url/query'
import { enrolmentTokens, stateOf } from './enrol'

const old = param('tokens')
/** Those that are no longer good are kept by the collector for its audit; the newest say enough. */
const SHOWN = 100

export function TokenList({ tokens, onDone }: { readonly tokens: readonly Token[]; readonly onDone: () => void }) {
  const doing = useDoing()
  const all = enrolmentTokens(tokens, second.value)
  const good = all.filter((token) => stateOf(token, second.value) === 'good')
  const shown = (old.value === 'all' ? all : good).slice(0, SHOWN)
  const revoke = async (token: Token): Promise<void> => {
    if (await doing.run(change('DELETE', api('tokens', token.id)), `Token ${token.id} lets nobody in any more`)) onDone()
  }
  return (
    <Section
      title="Tokens"
      note={good.length === 0 ? 'none that lets a host in' : count(good.length, 'good one')}
      actions={
        all.length > good.length && (
          <Button small kind="quiet" pressed={old.value === 'all'} onClick={() => (old.value = old.value === 'all' ? '' : 'all')}>
            {old.value === 'all' ? 'Hide' : 'Show'} {count(all.length - good.length, 'old one')}
          </Button>
        )
      }
    >
      <Failed doing={doing} />
      <SmallTable
        label="Tokens"
        heads={[['For'], ['Labels', 'wide'], ['Left', 'right'], ['Expires', 'right'], ['Made by', 'wide'], [<span class="unseen">Actions</span>, 'right']]}
        rows={shown.map((token) => {
          const state = stateOf(token, second.value)
          return {
            key: token.id,
            ...(state === 'good' ? {} : { class: 'old' }),
            cells: [
              <>
                <strong class="any-word">{token.name ?? token.pattern ?? 'any host'}</strong> <span class="soft small mono wide">{token.id}</span>
                {token.replace && <span class="badge">may replace</span>}
                {token.ephemeral && <span class="badge">retires after {token.ephemeral}</span>}
              </>,
              <Labels labels={token.labels ?? {}} />,
              `${token.uses_left ?? '-'} of ${token.uses ?? '-'}`,
              state === 'used' ? 'used up' : state !== 'good' ? state : token.expires_ms == null ? 'never' : <Age ms={token.expires_ms} after=" ago" />,
              <span class="soft">{token.made_by}</span>,
              state === 'good' && (
                <Button small kind="danger" name={`Revoke token ${token.id}`} disabled={doing.busy.value} onClick={() => void revoke(token)}>
                  Revoke
                </Button>
              ),
            ],
          }
        })}
        none="No token is good now: no host can enrol by one."
      />
    </Section>
  )
}
