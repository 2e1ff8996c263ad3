// The table of pages: a line each. Navigation, the palette, keys and routes are made of it.
import type { Page } from './page'

export const pages: readonly Page[] = [
  { path: '/', title: 'Problems', group: 'Watch', key: 'g p', load: () => import('./problems') },
  { path: '/fleet', title: 'Fleet', group: 'Watch', key: 'g f', hasRange: true, load: () => import('./fleet') },
  { path: '/hosts/:host', title: 'Host', hasRange: true, load: () => import('./host') },
  { path: '/logs', title: 'Logs', group: 'Look', key: 'g l', hasRange: true, load: () => import('./logs') },
  { path: '/explore', title: 'Metrics', group: 'Look', key: 'g m', hasRange: true, load: () => import('./explore') },
  { path: '/changes', title: 'Changes', group: 'Look', key: 'g d', load: () => import('./changes') },
  { path: '/inventory', title: 'Inventory', group: 'Look', key: 'g i', load: () => import('./inventory') },
  { path: '/deploys', title: 'Deploys', group: 'Look', key: 'g e', load: () => import('./deploys') },
  { path: '/ask', title: 'Ask', group: 'Look', key: 'g k', load: () => import('./ask') },
  { path: '/alerts', title: 'Alerts', group: 'Watch', key: 'g a', load: () => import('./alerts') },
  { path: '/alerts/:id', title: 'Alert', load: () => import('./alerts/One') },
  { path: '/discovery', title: 'Discovery', group: 'Watch', key: 'g n', load: () => import('./discovery') },
  { path: '/rules', title: 'Rules', group: 'Plan', key: 'g r', hasRange: true, load: () => import('./rules') },
  { path: '/profiles', title: 'Profiles', group: 'Plan', key: 'g o', load: () => import('./profiles') },
  { path: '/gate', title: 'Gate', group: 'Plan', key: 'g g', load: () => import('./gate') },
  { path: '/calendar', title: 'Calendar', group: 'Plan', key: 'g c', load: () => import('./calendar') },
  { path: '/hosts-setup', title: 'Set up', group: 'Run', key: 'g s', load: () => import('./setup') },
  { path: '/tasks', title: 'Tasks', group: 'Run', key: 'g t', load: () => import('./tasks') },
  { path: '/health', title: 'Health', group: 'Run', key: 'g h', hasRange: true, load: () => import('./health') },
  { path: '/audit', title: 'Audit', group: 'Run', key: 'g u', needs: 'admin', load: () => import('./audit') },
  { path: '/users', title: 'Users', group: 'Run', load: () => import('./users') },
  { path: '/login', title: 'Log in', load: () => import('./login') },
]
