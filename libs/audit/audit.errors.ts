import { domainError } from '#platform/domain-error';

export class CheckpointNotFound extends domainError({
  code: 'checkpoint_not_found',
  status: 404,
  title: 'No checkpoint of the audit log was signed yet',
  detail: 'Try again in some seconds: a worker signs one as soon as there are entries.',
}) {}

export class AuditEntryNotFound extends domainError({
  code: 'audit_entry_not_found',
  status: 404,
  title: 'No such entry of the audit log has a leaf',
  detail: 'Use the id of an event that was not forgotten; a new one has its leaf within some seconds.',
}) {}

export class TreeSizeOutOfRange extends domainError({
  code: 'tree_size_out_of_range',
  status: 422,
  title: 'The audit log has no tree of that size',
  detail: 'Use sizes up to that of the latest checkpoint (GET /audit/checkpoint), and leaves below the size.',
}) {}

export const AUDIT_ERRORS = [CheckpointNotFound, AuditEntryNotFound, TreeSizeOutOfRange] as const;
