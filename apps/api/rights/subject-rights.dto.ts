import type { CaseId } from '#platform/ids';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { RELATIONSHIPS, type Relationship } from '#rights/record-nominee';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';

export class CorrectSubjectBody {
  @ApiPropertyOptional({ description: 'What was wrong is kept nowhere.', example: 'staff-4712' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  reference?: string;

  @ApiPropertyOptional({
    description: 'Dates that were set under another one stay.',
    example: 'EU-GDPR',
  })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({
    type: String,
    format: 'uuid',
    description: "The subject's request for correction, which this fulfils.",
    example: EXAMPLE.caseId,
  })
  @IsOptional()
  @IsId()
  caseId?: CaseId;
}

export class NomineeBody {
  @ApiProperty({ description: 'Stored encrypted.', example: 'Asha Rao' })
  @IsString()
  @Length(1, 200)
  name: string;

  @ApiProperty({
    description: 'How to reach them: an address, a number. Stored encrypted.',
    example: 'asha@example.com',
  })
  @IsString()
  @Length(1, 500)
  contact: string;

  @ApiProperty({ enum: RELATIONSHIPS, example: 'spouse' })
  @IsIn(RELATIONSHIPS)
  relationship: Relationship;
}

export class NomineeResponse extends NomineeBody {
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
