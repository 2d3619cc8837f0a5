import { Platform1763900000001 } from './1763900000001-platform.js';
import { Auth1763900000002 } from './1763900000002-auth.js';
import { Consent1763900000003 } from './1763900000003-consent.js';
import { Biometrics1763900000004 } from './1763900000004-biometrics.js';
import { Custody1763900000005 } from './1763900000005-custody.js';
import { Audit1763900000006 } from './1763900000006-audit.js';
import { SharedMasks1763900000007 } from './1763900000007-shared-masks.js';
import { Jobs1763900000008 } from './1763900000008-jobs.js';
import { InputStarts1763900000009 } from './1763900000009-input-starts.js';
import { ErasureJournal1763900000010 } from './1763900000010-erasure-journal.js';
import { Roles1763900000011 } from './1763900000011-roles.js';
import { KeyRotation1763900000012 } from './1763900000012-key-rotation.js';
import { AuditTree1763900000014 } from './1763900000014-audit-tree.js';
import { Policy1763900000015 } from './1763900000015-policy.js';
import { ConsentLifecycle1763900000016 } from './1763900000016-consent-lifecycle.js';
import { Retention1763900000017 } from './1763900000017-retention.js';
import { Officers1763900000018 } from './1763900000018-officers.js';
import { Rights1763900000019 } from './1763900000019-rights.js';
import { Incidents1763900000020 } from './1763900000020-incidents.js';
import { TemplateBinding1763900000021 } from './1763900000021-template-binding.js';
import { Records1763900000022 } from './1763900000022-records.js';
import { HoldJournal1763900000023 } from './1763900000023-hold-journal.js';
import { Openings1763900000024 } from './1763900000024-openings.js';
import { KeySetRotation1763900000025 } from './1763900000025-key-set-rotation.js';
import { LiveSlots1763900000026 } from './1763900000026-live-slots.js';
import { CustodyKeys1763900000027 } from './1763900000027-custody-keys.js';
import { RenewalsAndLockouts1763900000028 } from './1763900000028-renewals-and-lockouts.js';
import { ComparisonLimits1763900000029 } from './1763900000029-comparison-limits.js';
import { CustodianTellsCounts1763900000030 } from './1763900000030-custodian-tells-counts.js';
import { JobRecords1763900000031 } from './1763900000031-job-records.js';
import { ClientJournal1763900000032 } from './1763900000032-client-journal.js';
import { BackupSighting1763900000034 } from './1763900000034-backup-sighting.js';
import { ReportsAndNotices1763900000035 } from './1763900000035-reports-and-notices.js';
import { PersonAddresses1763900000036 } from './1763900000036-person-addresses.js';
import { RefusedErasures1763900000037 } from './1763900000037-refused-erasures.js';
import { GenuineOpenings1763900000038 } from './1763900000038-genuine-openings.js';
import { UnreadInputs1763900000039 } from './1763900000039-unread-inputs.js';
import { WrappingKeyStates1763900000040 } from './1763900000040-wrapping-key-states.js';

export const MIGRATIONS = [
  Platform1763900000001,
  Auth1763900000002,
  Consent1763900000003,
  Biometrics1763900000004,
  Custody1763900000005,
  Audit1763900000006,
  SharedMasks1763900000007,
  Jobs1763900000008,
  InputStarts1763900000009,
  ErasureJournal1763900000010,
  Roles1763900000011,
  KeyRotation1763900000012,
  AuditTree1763900000014,
  Policy1763900000015,
  ConsentLifecycle1763900000016,
  Retention1763900000017,
  Officers1763900000018,
  Rights1763900000019,
  Incidents1763900000020,
  TemplateBinding1763900000021,
  Records1763900000022,
  HoldJournal1763900000023,
  Openings1763900000024,
  KeySetRotation1763900000025,
  LiveSlots1763900000026,
  CustodyKeys1763900000027,
  RenewalsAndLockouts1763900000028,
  ComparisonLimits1763900000029,
  CustodianTellsCounts1763900000030,
  JobRecords1763900000031,
  ClientJournal1763900000032,
  BackupSighting1763900000034,
  ReportsAndNotices1763900000035,
  PersonAddresses1763900000036,
  RefusedErasures1763900000037,
  GenuineOpenings1763900000038,
  UnreadInputs1763900000039,
  WrappingKeyStates1763900000040,
];
