import { KEY_SHARES } from '../key-archive.js';

/** Tables whose rows are in no dump: what only they open is not opened with a backup. */
export const LEFT_OUT: readonly string[] = [KEY_SHARES, 'public.job_record'];
