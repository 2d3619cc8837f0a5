import { expect, test } from 'vitest';
import controls from './controls.json' with { type: 'json' };
import { CONTROL_CHECKS } from './internal/control-checks.js';
import type { SystemState } from './internal/system-state.js';
import risks from './risks.json' with { type: 'json' };

const NOW = new Date('2026-11-24T12:00:00Z');
const hoursAgo = (hours: number): Date => new Date(NOW.getTime() - hours * 3_600_000);

const KEPT = { target: 's3', region: 'eu-central-1', keepLogDays: 366 } as const;

const GOOD: SystemState = {
  at: NOW,
  mode: 'production',
  databaseTls: 'verify-full',
  redisTls: true,
  metrics: true,
  accessTokenSeconds: 900,
  custodyApart: true,
  keys: { current: 'b', known: 1, since: hoursAgo(9_000), counts: [], underOldKeys: 0 },
  audit: {
    signedAt: hoursAgo(1),
    treeSize: 9,
    waiting: 1,
    oldestWaitingSeconds: 2,
    genuine: true,
    rewritable: false,
  },
  backup: { target: 's3', region: 'eu-central-1', newest: hoursAgo(20), keepLogDays: 366 },
  restoredAt: null,
  counts: {
    clients: 2,
    clientsWithAdminScopes: 1,
    galleries: 1,
    galleriesWithoutCard: 0,
    subjects: 3,
    templates: 3,
    validConsents: 3,
    templatesWithoutConsent: 0,
    oldestEndedConsent: null,
    restrictedDisclosure: 1,
  },
  jurisdictions: ['EU-GDPR'],
  longestLogRule: { jurisdiction: 'EU-GDPR', rule: 'P1Y', days: 366 },
  officers: { active: 2, withTotp: 2 },
  proposals: { open: 0, approved: 1, rejected: 0 },
  incidents: { all: 0, open: 0 },
  retention: { waiting: 1, overdue: 0, destroyed: 4, lastRunAt: hoursAgo(1) },
};

test('every check is named by a control, every control names one that there is, and every risk a control', () => {
  const named = new Set(controls.flatMap(({ check }) => (check === null ? [] : [check])));
  expect([...named].toSorted()).toEqual(Object.keys(CONTROL_CHECKS).toSorted());
  const ids = controls.map(({ id }) => id);
  expect(ids.length).toBe(new Set(ids).size);
  expect(risks.flatMap((risk) => risk.controls).filter((id) => !ids.includes(id))).toEqual([]);
});

test('a system that is as it should be has nothing that is not met', () => {
  const states = Object.values(CONTROL_CHECKS).map((check) => check(GOOD).state);
  expect(states).not.toContain('not_met');
  expect(states.filter((state) => state === 'met').length).toBeGreaterThan(8);
});

test.each<[string, string, Partial<SystemState>]>([
  ['a backup of three days ago', 'backup', { backup: { ...KEPT, newest: hoursAgo(72) } }],
  ['a target without a backup', 'backup', { backup: { ...KEPT, newest: 'none' } }],
  [
    'an audit entry that waits for its leaf',
    'auditLog',
    { audit: { ...GOOD.audit, oldestWaitingSeconds: 400 } },
  ],
  ['a checkpoint that no known key signed', 'auditLog', { audit: { ...GOOD.audit, genuine: false } }],
  ['a role that could rewrite the log', 'databaseRoles', { audit: { ...GOOD.audit, rewritable: true } }],
  ['a custodian without a role of its own', 'databaseRoles', { custodyApart: false }],
  ['an officer without a second factor', 'officers', { officers: { active: 2, withTotp: 1 } }],
  ['values under an old key', 'encryption', { keys: { ...GOOD.keys, underOldKeys: 1 } }],
  ['a connection to Redis in the clear', 'transport', { redisTls: false }],
  ['a database that is not verified', 'transport', { databaseTls: 'require' }],
  [
    'a destruction that is overdue',
    'deletion',
    { retention: { waiting: 1, overdue: 1, destroyed: 0, lastRunAt: null } },
  ],
  [
    'logs that are kept for less than a policy asks',
    'recordsKept',
    { longestLogRule: { jurisdiction: 'US-IL-BIPA', rule: 'P5Y', days: 1_827 } },
  ],
  ['a log that could be rewritten', 'recordsKept', { audit: { ...GOOD.audit, rewritable: true } }],
  ['no policy in force', 'policies', { jurisdictions: [] }],
  ['metrics that are off', 'monitoring', { metrics: false }],
  ['development in the place of production', 'environment', { mode: 'development' }],
])('%s is a control that is not met', (_what, check, change) => {
  expect(CONTROL_CHECKS[check]?.({ ...GOOD, ...change }).state).toBe('not_met');
});

test('what this process cannot see is for a person', () => {
  const unseen = { ...GOOD, backup: { ...KEPT, newest: 'unknown' } } as const;
  expect(CONTROL_CHECKS['backup']?.(unseen).state).toBe('needs_person');
  expect(CONTROL_CHECKS['recordsKept']?.({ ...GOOD, backup: { target: 'none' } }).state).toBe('needs_person');
});
