// Who may use the dashboard, and what is kept for a site.
import { json, send } from './transport';
import type { Key, KeptGoal, Scope, Segment, Site } from './types';

export const auth = {
  status: () => json<{ setup_required: boolean; authenticated: boolean }>('/api/auth/status'),
  setUp: (password: string, token: string) =>
    send('POST', '/api/auth/setup', token ? { password, setup_token: token } : { password }),
  logIn: (password: string) => send('POST', '/api/auth/login', { password }),
  logOut: () => send('POST', '/api/auth/logout'),
};

export const sites = (signal: AbortSignal) => json<Site[]>('/api/sites', { signal });

const ofSite = (site: string) => `/api/sites/${encodeURIComponent(site)}`;

export const changeSite = (site: string, change: Partial<Pick<Site, 'timezone' | 'identify_users'>>) =>
  send<Site>('PUT', ofSite(site), change);

export const goalList = {
  of: (site: string, signal: AbortSignal) => json<KeptGoal[]>(`${ofSite(site)}/goals`, { signal }),
  add: (site: string, kind: 'page' | 'event', about: string, name: string) =>
    send<KeptGoal>('POST', `${ofSite(site)}/goals`, { [kind]: about, ...(name && { name }) }),
  remove: (site: string, id: number) => send('DELETE', `${ofSite(site)}/goals/${id}`),
};

export const segments = {
  of: (site: string, signal: AbortSignal) => json<Segment[]>(`${ofSite(site)}/segments`, { signal }),
  add: (site: string, name: string, filters: unknown) =>
    send<Segment>('POST', `${ofSite(site)}/segments`, { name, filters }),
  remove: (site: string, id: number) => send('DELETE', `${ofSite(site)}/segments/${id}`),
};

export interface KeyDraft {
  name: string;
  scope: Scope;
  /** Left out: all sites. */
  sites?: readonly string[];
  expires_at?: string;
}

export const keys = {
  all: (signal: AbortSignal) => json<Key[]>('/api/keys', { signal }),
  /** The only answer that ever has the key itself. */
  add: (draft: KeyDraft) => send<Key & { key: string }>('POST', '/api/keys', draft),
  revoke: (hash: string) => send('DELETE', `/api/keys/${hash}`),
};
