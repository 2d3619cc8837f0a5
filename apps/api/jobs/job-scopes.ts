import type { Scope } from '#auth/scopes';
import type { JobType } from '#jobs/job';

/** What a client must be allowed besides `jobs:write`: a job is no way round the scope of the single call. */
export const JOB_SCOPES: Readonly<Record<JobType, readonly Scope[]>> = {
  enrol: ['faces:enrol'],
  're-embed': ['faces:enrol', 'faces:erase'],
  identify: ['faces:identify'],
  deduplicate: ['faces:identify'],
  erase: ['faces:erase'],
};
