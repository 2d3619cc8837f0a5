import { PURPOSE_PATTERN } from '#consent/purposes';
import type { NoticeId, SubjectId } from '#platform/ids';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsOptional, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { PageQuery } from '../request/page.dto.js';

export class GrantConsentBody {
  @ApiProperty({ type: String, format: 'uuid', example: EXAMPLE.subjectId })
  @IsId()
  subjectId: SubjectId;

  @ApiProperty({ example: 'access_control', pattern: PURPOSE_PATTERN.source })
  @Matches(PURPOSE_PATTERN)
  purpose: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    description: 'The notice that the person read.',
    example: EXAMPLE.noticeId,
  })
  @IsId()
  noticeId: NoticeId;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'Until withdrawn, if left out.',
    example: EXAMPLE.expiry,
  })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  expiresAt?: Date;
}

export class ConsentsQuery extends PageQuery {
  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  subjectId?: SubjectId;

  @ApiPropertyOptional({ example: 'access_control' })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;
}

export class ConsentResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.consentId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ example: 'access_control' })
  purpose: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.noticeId })
  noticeId: string;

  @ApiProperty({ enum: ['active', 'expired', 'withdrawn'], example: 'active' })
  state: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  grantedAt: Date;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  expiresAt: Date | null;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  endedAt: Date | null;
}

export class ConsentPage {
  @ApiProperty({ type: [ConsentResponse] })
  items: ConsentResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
