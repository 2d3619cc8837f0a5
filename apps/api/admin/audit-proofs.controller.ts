import { AuditEntryNotFound, CheckpointNotFound, TreeSizeOutOfRange } from '#audit/audit.errors';
import { BundleSubject, type SubjectBundle } from '#audit/bundle-subject';
import { ExportAuditLog } from '#audit/export-audit-log';
import { type CheckpointView, ListCheckpoints } from '#audit/list-checkpoints';
import { type ConsistencyProof, ProveConsistency } from '#audit/prove-consistency';
import { type InclusionProof, ProveInclusion } from '#audit/prove-inclusion';
import type { AuditEventId, SubjectId } from '#platform/ids';
import { Controller, Get, Param, Query, StreamableFile } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import { Readable } from 'node:stream';
import { Operation } from '../openapi/operation.decorator.js';
import { IdPipe } from '../request/id.pipe.js';
import {
  BundleQuery,
  BundleResponse,
  CheckpointList,
  CheckpointsQuery,
  ConsistencyQuery,
  ConsistencyResponse,
  EventInclusionQuery,
  AuditExportQuery,
  InclusionQuery,
  InclusionResponse,
} from './audit-proof.dto.js';

const CHECK = 'Checked by `libs/audit/verifier/verify-audit.mjs` with plain Node (docs/audit.md).';

@ApiTags('Administration')
@Controller('v1/admin/audit')
export class AuditProofsController {
  constructor(private readonly queries: QueryBus) {}

  @Get('inclusion')
  @Operation({
    summary: 'Prove that a leaf is in the audit log',
    description: `RFC 6962 section 2.1.1. ${CHECK}`,
    scope: 'admin:audit',
    status: 200,
    response: { type: InclusionResponse, description: 'The leaf, its entry, and the path to the root.' },
    problems: [CheckpointNotFound, AuditEntryNotFound, TreeSizeOutOfRange],
  })
  inclusion(@Query() { leafIndex, treeSize }: InclusionQuery): Promise<InclusionProof> {
    return this.queries.execute(new ProveInclusion({ index: leafIndex }, treeSize));
  }

  @Get('events/:eventId/inclusion')
  @Operation({
    summary: 'Prove that an event is in the audit log',
    description: `By the id of \`GET /v1/admin/audit-events\`. ${CHECK}`,
    scope: 'admin:audit',
    status: 200,
    response: { type: InclusionResponse, description: 'Its leaf, and the path to the root.' },
    problems: [CheckpointNotFound, AuditEntryNotFound, TreeSizeOutOfRange],
  })
  eventInclusion(
    @Param('eventId', IdPipe) eventId: AuditEventId,
    @Query() { treeSize }: EventInclusionQuery,
  ): Promise<InclusionProof> {
    return this.queries.execute(new ProveInclusion({ eventId }, treeSize));
  }

  @Get('consistency')
  @Operation({
    summary: 'Prove that the audit log only grew',
    description: `RFC 6962 section 2.1.2. ${CHECK}`,
    scope: 'admin:audit',
    status: 200,
    response: { type: ConsistencyResponse, description: 'The proof.' },
    problems: [CheckpointNotFound, TreeSizeOutOfRange],
  })
  consistency(@Query() { from, to }: ConsistencyQuery): Promise<ConsistencyProof> {
    return this.queries.execute(new ProveConsistency(from, to));
  }

  @Get('checkpoints')
  @Operation({
    summary: 'List the checkpoints of the audit log',
    description: 'Newest first; go on below the treeSize of the last one.',
    scope: 'admin:audit',
    status: 200,
    response: { type: CheckpointList, description: 'Signed checkpoints.' },
  })
  async checkpoints(
    @Query() { below, limit }: CheckpointsQuery,
  ): Promise<{ items: readonly CheckpointView[] }> {
    return { items: await this.queries.execute(new ListCheckpoints(below, limit)) };
  }

  @Get('export')
  @ApiProduces('application/x-ndjson')
  @Operation({
    summary: 'Export the audit log',
    description: `NDJSON: leaves, their entries and salts, checkpoints, and the stored tree. ${CHECK}`,
    scope: 'admin:audit',
    status: 200,
    problems: [CheckpointNotFound, TreeSizeOutOfRange],
  })
  async export(@Query() { from, to }: AuditExportQuery): Promise<StreamableFile> {
    const lines = await this.queries.execute(new ExportAuditLog(from, to));
    return new StreamableFile(Readable.from(lines), { type: 'application/x-ndjson' });
  }

  @Get('subjects/:subjectId/bundle')
  @Operation({
    summary: 'Every entry that names a subject, with proofs, of any client',
    description: `Empty for a subject who was erased, or never was. ${CHECK}`,
    scope: 'admin:audit',
    status: 200,
    response: { type: BundleResponse, description: 'The entries in the order of the log.' },
    problems: [CheckpointNotFound],
  })
  bundle(
    @Param('subjectId', IdPipe) subjectId: SubjectId,
    @Query() { fromLeaf, limit }: BundleQuery,
  ): Promise<SubjectBundle> {
    return this.queries.execute(new BundleSubject(subjectId, fromLeaf, limit));
  }
}
