import type { ConsentId, SubjectId } from '#platform/ids';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsOptional, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { PageQuery } from '../request/page.dto.js';

const REASON_PATTERN = /^[a-z][a-z0-9_]{1,63}$/;

export class PlaceHoldBody {
  @ApiProperty({ type: String, format: 'uuid', example: EXAMPLE.subjectId })
  @IsId()
  subjectId: SubjectId;

  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description: 'Only what was made under this consent; without it, all that is kept of the person.',
    example: EXAMPLE.consentId,
  })
  @IsOptional()
  @IsId()
  consentId?: ConsentId;

  @ApiProperty({
    description: 'A code of your own; it stands in the audit log, so it says nothing about the person.',
    pattern: REASON_PATTERN.source,
    example: 'litigation',
  })
  @Matches(REASON_PATTERN)
  reason: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'Until released, if left out.',
    example: EXAMPLE.expiry,
  })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  until?: Date;
}

export class HoldsQuery extends PageQuery {
  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  subjectId?: SubjectId;
}

export class HoldResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.holdId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ type: String, format: 'uuid', nullable: true, example: EXAMPLE.consentId })
  consentId: string | null;

  @ApiProperty({ example: 'litigation' })
  reason: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.expiry })
  until: Date | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  placedAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  releasedAt: Date | null;
}

export class HoldPage {
  @ApiProperty({ type: [HoldResponse] })
  items: HoldResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
