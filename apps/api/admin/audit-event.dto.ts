import type { AuditEventFilter } from '#audit/list-audit-events';
import {
  AUDIT_EVENT_TYPES,
  AUDIT_OUTCOMES,
  type AuditEventType,
  type AuditOutcome,
} from '#audit/audit-event-types';
import type { ClientId, GalleryId, SubjectId } from '#platform/ids';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsOptional } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { PageQuery } from '../request/page.dto.js';

export class AuditEventsQuery extends PageQuery implements AuditEventFilter {
  @ApiPropertyOptional({ enum: AUDIT_EVENT_TYPES })
  @IsOptional()
  @IsIn(AUDIT_EVENT_TYPES)
  type?: AuditEventType;

  @ApiPropertyOptional({ enum: AUDIT_OUTCOMES })
  @IsOptional()
  @IsIn(AUDIT_OUTCOMES)
  outcome?: AuditOutcome;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  clientId?: ClientId;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  subjectId?: SubjectId;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  galleryId?: GalleryId;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'At or after this time.' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  from?: Date;

  @ApiPropertyOptional({ type: String, format: 'date-time', description: 'Before this time.' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  to?: Date;
}

class AuditEventResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.eventId })
  id: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  at: Date;

  @ApiProperty({ enum: AUDIT_EVENT_TYPES, example: 'subject.verified' })
  type: string;

  @ApiProperty({ enum: AUDIT_OUTCOMES, example: 'match' })
  outcome: string;

  @ApiProperty({ type: String, nullable: true, description: 'The code of a refusal.', example: null })
  code: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: EXAMPLE.clientId })
  clientId: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: EXAMPLE.subjectId })
  subjectId: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: EXAMPLE.galleryId })
  galleryId: string | null;

  @ApiProperty({ type: String, nullable: true, example: EXAMPLE.requestId })
  requestId: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'HMAC of the address: equal addresses have equal hashes.',
    example: '8f14e45fceea167a5a36dedd4bea2543',
  })
  ipHash: string | null;

  @ApiProperty({ type: 'object', additionalProperties: true, example: {} })
  details: object;
}

export class AuditEventPage {
  @ApiProperty({ type: [AuditEventResponse] })
  items: AuditEventResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
