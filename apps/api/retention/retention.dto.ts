import { RETENTION_RULES } from '#consent/destruction-ledger';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsOptional } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { PageQuery } from '../request/page.dto.js';

export class DueQuery extends PageQuery {
  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'What is due before this time; now, if left out.',
  })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  before?: Date;
}

class DueResponse {
  @ApiProperty({
    format: 'uuid',
    description: 'Of the date, or of the consent where none is written down yet.',
    example: EXAMPLE.consentId,
  })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.clientId })
  clientId: string;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'What was made under this consent; null: all that is kept of the person.',
    example: EXAMPLE.consentId,
  })
  consentId: string | null;

  @ApiProperty({ type: String, nullable: true, example: 'access_control' })
  purpose: string | null;

  @ApiProperty({ enum: RETENTION_RULES, example: 'afterEnd' })
  rule: string;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ description: 'Of the policy that the date comes from.', example: 1 })
  revision: number;

  @ApiProperty({ example: 'GDPR Art. 17(1)(b): without undue delay' })
  source: string;

  @ApiProperty({ format: 'date-time', description: 'What the rule counts from.', example: EXAMPLE.time })
  since: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.expiry })
  dueAt: Date;

  @ApiProperty({ description: 'It is not destroyed while it is.', example: false })
  onHold: boolean;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'When its client was to be told, where the policy asks for it.',
    example: null,
  })
  noticedAt: Date | null;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description:
      'When a webhook accepted that, or the client read its list of notices; null: nobody was told.',
    example: null,
  })
  toldAt: Date | null;

  @ApiProperty({
    description: 'Nobody was told, or not for as long as the policy asks: it is not destroyed until then.',
    example: false,
  })
  waitsForNotice: boolean;
}

class ErasureNoticeResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.consentId })
  consentId: string;

  @ApiProperty({ example: 'access_control' })
  purpose: string;

  @ApiProperty({
    format: 'date-time',
    description: 'What was made under the consent is destroyed then, unless the person comes back.',
    example: EXAMPLE.expiry,
  })
  destroyAfter: Date;
}

export class ErasureNoticePage {
  @ApiProperty({ type: [ErasureNoticeResponse] })
  items: ErasureNoticeResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

export class DuePage {
  @ApiProperty({ type: [DueResponse] })
  items: DueResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

class RunCountResponse {
  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ type: String, nullable: true, example: 'access_control' })
  purpose: string | null;

  @ApiProperty({ enum: RETENTION_RULES, example: 'afterEnd' })
  rule: string;

  @ApiProperty({ description: 'Consents, or persons where there is no purpose.', example: 3 })
  destroyed: number;

  @ApiProperty({ example: 4 })
  templates: number;
}

class RunResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.requestId })
  id: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  startedAt: Date;

  @ApiProperty({ type: [RunCountResponse] })
  counts: RunCountResponse[];
}

export class RunPage {
  @ApiProperty({ type: [RunResponse] })
  items: RunResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
