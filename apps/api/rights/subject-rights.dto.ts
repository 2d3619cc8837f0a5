import type { CaseId } from '#platform/ids';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { RELATIONSHIPS, type Relationship } from '#rights/record-nominee';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsISO8601, IsOptional, IsString, Length, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { MayBeLeftOut } from '../request/may-be-left-out.decorator.js';
import { SubjectResponse } from '../subjects/subject.dto.js';

export class CorrectSubjectBody {
  @ApiPropertyOptional({ description: 'What was wrong is kept nowhere.', example: 'staff-4712' })
  @MayBeLeftOut()
  @IsString()
  @Length(1, 200)
  reference?: string;

  @ApiPropertyOptional({
    description: 'Dates that were set under another one stay.',
    example: 'EU-GDPR',
  })
  @MayBeLeftOut()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({
    type: String,
    format: 'date',
    nullable: true,
    description:
      'The day on which a minor comes of age; null: the person is none. Of a minor, consents end that no guardian gave, and no other lasts longer than that day; of who is none after all, those that a guardian gave.',
    example: '2020-01-01',
  })
  @IsOptional()
  @Matches(/^\d{4}-\d{2}-\d{2}$/)
  @IsISO8601({ strict: true })
  adultFrom?: string | null;

  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description: "The subject's request for correction, which this fulfils.",
    example: EXAMPLE.caseId,
  })
  @MayBeLeftOut()
  @IsId()
  caseId?: CaseId;
}

export class CorrectedSubjectResponse extends SubjectResponse {
  @ApiProperty({
    type: [String],
    format: 'uuid',
    description: 'Consents that have ended by it. What was enrolled under them is not matched any more.',
    example: [],
  })
  endedConsents: string[];
}

/** Without a case. */
export const EXAMPLE_NOMINEE = {
  name: 'Asha Rao',
  contact: 'asha@example.com',
  relationship: 'spouse',
} as const;

class NomineeFields {
  @ApiProperty({ description: 'Stored encrypted.', example: EXAMPLE_NOMINEE.name })
  @IsString()
  @Length(1, 200)
  name: string;

  @ApiProperty({
    description: 'How to reach them: an address, a number. Stored encrypted.',
    example: EXAMPLE_NOMINEE.contact,
  })
  @IsString()
  @Length(1, 500)
  contact: string;

  @ApiProperty({ enum: RELATIONSHIPS, example: EXAMPLE_NOMINEE.relationship })
  @IsIn(RELATIONSHIPS)
  relationship: Relationship;
}

export class NomineeBody extends NomineeFields {
  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description: "The subject's request for nomination, which this fulfils.",
  })
  @MayBeLeftOut()
  @IsId()
  caseId?: CaseId;
}

export class NomineeResponse extends NomineeFields {
  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  recordedAt: Date;
}

export const EXPORT_FORMATS = ['json', 'zip'] as const;

export class ExportQuery {
  @ApiPropertyOptional({
    enum: EXPORT_FORMATS,
    default: 'json',
    description: '`zip`: the same JSON, and a CSV (RFC 4180) of each table.',
  })
  @IsIn(EXPORT_FORMATS)
  format: (typeof EXPORT_FORMATS)[number] = 'json';
}

class ExportSection {
  @ApiProperty({ example: 'consents' })
  name: string;

  @ApiProperty({ description: 'The table that it comes from.', example: 'consent' })
  source: string;

  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true } })
  rows: object[];
}

export class ExportResponse {
  @ApiProperty({ example: 'velum-subject-export/1' })
  format: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  exportedAt: Date;

  @ApiProperty({ type: [String], description: 'What is not in it, and why.', example: [] })
  leftOut: string[];

  @ApiProperty({ type: [ExportSection] })
  sections: ExportSection[];

  @ApiProperty({
    type: 'array',
    items: { type: 'object', additionalProperties: true },
    description: 'What was done and by whom: bundles with proofs, as GET …/audit-bundle answers them.',
  })
  audit: object[];
}
