import { CHANNELS, DUTIES, type Duty, NOTICE_STATES, type NoticeState } from '#incidents/incident';
import { PURPOSE_PATTERN } from '#consent/purposes';
import type { ClientId, GalleryId, SubjectId } from '#platform/ids';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsDate, IsIn, IsOptional, IsUUID, Matches } from 'class-validator';
import { IsLanguageTag } from '../../notices/is-language-tag.decorator.js';
import { EXAMPLE } from '../../openapi/examples.js';
import { IsId } from '../../request/is-id.decorator.js';
import { PageQuery } from '../../request/page.dto.js';

const windowOf = (description: string): PropertyDecorator =>
  ApiPropertyOptional({ type: String, format: 'date-time', description });

export class AddAffectedBody {
  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  clientId?: ClientId;

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  galleryId?: GalleryId;

  @ApiPropertyOptional({ example: 'EU-GDPR', pattern: JURISDICTION_PATTERN.source })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({ description: 'Who ever consented to it.', pattern: PURPOSE_PATTERN.source })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;

  @windowOf('Enrolled at or after.')
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  enrolledFrom?: Date;

  @windowOf('Enrolled before.')
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  enrolledTo?: Date;

  @windowOf('Compared with a face, or found by one, at or after.')
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  matchedFrom?: Date;

  @windowOf('Compared with a face, or found by one, before.')
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  matchedTo?: Date;

  @ApiPropertyOptional({ type: [String], description: 'At most 10,000 ids.' })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(10_000)
  @IsUUID(undefined, { each: true })
  subjectIds?: SubjectId[];
}

export class RecordNotificationBody {
  @ApiProperty({
    type: String,
    format: 'date-time',
    description: 'Between the time that it became known and now.',
    example: EXAMPLE.time,
  })
  @Type(() => Date)
  @IsDate()
  at: Date;

  @ApiPropertyOptional({
    description: 'What the authority calls it; no personal data.',
    example: 'DPB/2026/1234',
    pattern: '^[\\w./ -]{1,100}$',
  })
  @IsOptional()
  @Matches(/^[\w./ -]{1,100}$/)
  reference?: string;
}

export class TextsQuery {
  @ApiProperty({ enum: DUTIES, example: 'persons' })
  @IsIn(DUTIES)
  duty: Duty;

  @ApiPropertyOptional({
    description: 'BCP 47; English where there is no text in it.',
    default: 'en',
    example: 'en',
  })
  @IsLanguageTag()
  language: string = 'en';

  @ApiPropertyOptional({ description: 'All that have the duty, if left out.', example: 'EU-GDPR' })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;
}

class TextResponse {
  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ enum: DUTIES, example: 'persons' })
  duty: string;

  @ApiProperty({ description: 'That the text is in.', example: 'en' })
  language: string;

  @ApiProperty({ type: [String], description: 'That there are.', example: ['en'] })
  languages: string[];

  @ApiProperty({ example: 'Your personal data: notice of a breach (GDPR Art. 34)' })
  text: string;

  @ApiProperty({
    type: [String],
    description: 'What the text has a place for and no entry tells yet.',
    example: [],
  })
  missing: string[];
}

export class TextList {
  @ApiProperty({ type: [TextResponse] })
  items: TextResponse[];
}

export class ReleasedResponse {
  @ApiProperty({ type: 'integer', description: 'Persons whose notices clients can now have.', example: 1 })
  released: number;

  @ApiProperty({ type: 'integer', description: 'Of them, those of clients with a webhook.', example: 0 })
  inWebhooks: number;
}

export class DeliveryQuery extends PageQuery {
  @ApiPropertyOptional({ enum: NOTICE_STATES })
  @IsOptional()
  @IsIn(NOTICE_STATES)
  state?: NoticeState;
}

const nullableTime = { type: String, format: 'date-time', nullable: true, example: null } as const;

class DeliveryRowResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.clientId })
  clientId: string;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ enum: NOTICE_STATES, example: 'pending' })
  state: string;

  @ApiProperty(nullableTime)
  releasedAt: Date | null;

  @ApiProperty(nullableTime)
  handedAt: Date | null;

  @ApiProperty({ ...nullableTime, description: 'When the client delivered it, or gave up.' })
  endedAt: Date | null;

  @ApiProperty({ type: String, nullable: true, enum: CHANNELS, example: null })
  channel: string | null;
}

export class DeliveryReportResponse {
  @ApiProperty({ type: 'integer', example: 1 })
  pending: number;

  @ApiProperty({ type: 'integer', description: 'The client has the notice.', example: 0 })
  handedOver: number;

  @ApiProperty({ type: 'integer', example: 0 })
  delivered: number;

  @ApiProperty({ type: 'integer', example: 0 })
  failed: number;

  @ApiProperty({ type: [DeliveryRowResponse] })
  items: DeliveryRowResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}
