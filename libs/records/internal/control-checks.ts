import type { SystemState } from './system-state.js';

/** `needs_person`: the system shows what it sees, and a person has to judge. */
export type ControlState = 'met' | 'not_met' | 'needs_person';

export interface Finding {
  readonly state: ControlState;
  /** Figures and times that the answer rests on. */
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>;
}

type Check = (state: SystemState) => Finding;

/** Entries become leaves within seconds; one that waits longer than this has no sequencer. */
const LONGEST_WAIT_SECONDS = 300;

/** A daily backup that is more than a day late. */
const OLDEST_BACKUP_HOURS = 48;

const HOUR_MS = 3_600_000;

export const CONTROL_CHECKS: Readonly<Record<string, Check>> = {
  inventory: ({ counts: { clients, galleries, subjects, templates } }) => ({
    state: 'met',
    evidence: { clients, galleries, subjects, templates },
  }),

  access: ({ counts: { clients, clientsWithAdminScopes }, accessTokenSeconds }) => ({
    state: 'needs_person',
    evidence: { clients, clientsWithAdminScopes, accessTokenSeconds },
  }),

  databaseRoles: ({ audit: { rewritable }, custodyApart }) => ({
    state: !rewritable && custodyApart ? 'met' : 'not_met',
    evidence: { auditLogRewritableByApi: rewritable, custodyApartFromApi: custodyApart },
  }),

  officers: ({ officers }) => ({
    state: officers.active === 0 ? 'needs_person' : judged(officers.withTotp === officers.active),
    evidence: { officers: officers.active, withSecondFactor: officers.withTotp },
  }),

  incidents: ({ incidents }) => ({
    state: 'needs_person',
    evidence: { incidents: incidents.all, open: incidents.open },
  }),

  policies: ({ jurisdictions }) => ({
    // Each policy says that counsel must confirm it.
    state: jurisdictions.length === 0 ? 'not_met' : 'needs_person',
    evidence: { jurisdictions: jurisdictions.join(' ') },
  }),

  auditLog: ({ audit: { signedAt, treeSize, waiting, oldestWaitingSeconds, genuine, rewritable } }) => ({
    state: judged(genuine && !rewritable && oldestWaitingSeconds < LONGEST_WAIT_SECONDS),
    evidence: {
      latestCheckpoint: signedAt?.toISOString() ?? null,
      signatureGenuine: genuine,
      leaves: treeSize,
      entriesWithoutLeaf: waiting,
      oldestWithoutLeafSeconds: Math.round(oldestWaitingSeconds),
      rewritableByApi: rewritable,
    },
  }),

  recordsKept: (state): Finding => {
    const { backup, longestLogRule: longest } = state;
    // Without a target nothing takes logs out of their folder, and nobody knows what the operator does.
    const logsKeptDays = backup.target === 'none' ? null : backup.keepLogDays;
    const evidence = {
      auditLogRewritableByApi: state.audit.rewritable,
      signatureGenuine: state.audit.genuine,
      logsKeptDays,
      logsAskedForDays: longest?.days ?? null,
      logsAskedForBy: longest === null ? null : `${longest.jurisdiction}: ${longest.rule}`,
    };
    const tooShort = longest !== null && logsKeptDays !== null && logsKeptDays < longest.days;
    if (tooShort || state.audit.rewritable || !state.audit.genuine) return { state: 'not_met', evidence };
    return { state: longest === null || logsKeptDays !== null ? 'met' : 'needs_person', evidence };
  },

  consents: ({ counts: { subjects, validConsents, templates, templatesWithoutConsent } }) => ({
    state: templatesWithoutConsent === 0 ? 'met' : 'needs_person',
    evidence: { subjects, validConsents, templates, templatesWithoutConsent },
  }),

  deletion: ({ retention, counts: { templatesWithoutConsent, oldestEndedConsent } }): Finding => {
    const evidence = {
      templatesWithoutConsent,
      oldestEndedConsent: oldestEndedConsent?.toISOString() ?? null,
      destructionsWaiting: retention.waiting,
      destructionsOverdue: retention.overdue,
      destructionsDone: retention.destroyed,
      lastRun: retention.lastRunAt?.toISOString() ?? null,
    };
    if (retention.overdue > 0) return { state: 'not_met', evidence };
    return { state: templatesWithoutConsent === 0 ? 'met' : 'needs_person', evidence };
  },

  approvals: ({ proposals }) => ({
    state: 'needs_person',
    evidence: { openProposals: proposals.open, approved: proposals.approved, rejected: proposals.rejected },
  }),

  disclosure: ({ counts: { galleries, restrictedDisclosure } }) => ({
    state: judged(galleries === restrictedDisclosure),
    evidence: { galleries, thatDiscloseNoScoreBand: restrictedDisclosure },
  }),

  backup: ({ backup, restoredAt, at }): Finding => {
    const lastRestore = restoredAt?.toISOString() ?? null;
    if (backup.target === 'none') return { state: 'not_met', evidence: { target: 'none', lastRestore } };
    const { target, newest } = backup;
    if (newest === 'none') return { state: 'not_met', evidence: { target, newest, lastRestore } };
    if (newest === 'unknown') return { state: 'needs_person', evidence: { target, newest, lastRestore } };
    const ageHours = Math.floor((at.getTime() - newest.getTime()) / HOUR_MS);
    const evidence = { target, newest: newest.toISOString(), ageHours, lastRestore };
    return { state: judged(ageHours < OLDEST_BACKUP_HOURS), evidence };
  },

  monitoring: ({ metrics }) => ({ state: judged(metrics), evidence: { metrics } }),

  transport: ({ databaseTls, redisTls }) => ({
    state: judged(databaseTls === 'verify-full' && redisTls),
    evidence: { database: databaseTls, redis: redisTls ? 'tls' : 'none' },
  }),

  encryption: ({ keys: { current, known, since, underOldKeys, counts } }) => ({
    state: judged(underOldKeys === 0),
    evidence: {
      currentKey: current,
      currentKeySince: since?.toISOString() ?? null,
      keysInSecret: known,
      valuesEncrypted: counts.reduce((sum, { values }) => sum + values, 0),
      valuesUnderOldKeys: underOldKeys,
    },
  }),

  environment: ({ mode }) => ({ state: judged(mode === 'production'), evidence: { mode } }),
};

function judged(good: boolean): ControlState {
  return good ? 'met' : 'not_met';
}
