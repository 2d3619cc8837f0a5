import { PURPOSE_PATTERN } from '#consent/purposes';
import type { ClientId } from '#platform/ids';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { REPORT_INTERVALS, type ReportInterval } from '#records/report-intervals';
import { REPORT_KINDS, type ReportFilter, type ReportKind } from '#records/make-report';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsOptional, Matches, MaxDate, MinDate } from 'class-validator';
import { EXAMPLE } from '../../openapi/examples.js';
import { IsId } from '../../request/is-id.decorator.js';

const REPORT_FORMATS = ['json', 'csv'] as const;

export class ReportPath {
  @ApiProperty({ enum: REPORT_KINDS, example: 'consents' })
  @IsIn(REPORT_KINDS)
  kind: ReportKind;
}

/** UUIDv7 counts from 1970, and ISO 8601 has four digits for a year. */
const EARLIEST = new Date(0);
const LATEST = new Date('9999-12-31T23:59:59Z');

export class ReportQuery implements ReportFilter {
  @ApiProperty({
    type: String,
    format: 'date-time',
    description: 'From this time on.',
    example: '2026-01-01T00:00:00Z',
  })
  @Type(() => Date)
  @IsDate()
  @MinDate(EARLIEST)
  @MaxDate(LATEST)
  from: Date;

  @ApiProperty({
    type: String,
    format: 'date-time',
    description: 'Before this time.',
    example: '2027-01-01T00:00:00Z',
  })
  @Type(() => Date)
  @IsDate()
  @MinDate(EARLIEST)
  @MaxDate(LATEST)
  to: Date;

  @ApiPropertyOptional({
    enum: REPORT_INTERVALS,
    default: 'month',
    description: 'Of UTC; weeks begin on Monday.',
  })
  @IsIn(REPORT_INTERVALS)
  interval: ReportInterval = 'month';

  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  clientId?: ClientId;

  @ApiPropertyOptional({ example: 'access_control' })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;

  @ApiPropertyOptional({
    description: 'Of the persons whom an entry names; one that names nobody is left out.',
  })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({ enum: REPORT_FORMATS, description: 'Or ask with Accept.' })
  @IsOptional()
  @IsIn(REPORT_FORMATS)
  format?: (typeof REPORT_FORMATS)[number];
}

export class ReportResponse {
  @ApiProperty({ enum: REPORT_KINDS, example: 'consents' })
  report: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  generatedAt: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  from: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.expiry })
  to: Date;

  @ApiProperty({ enum: REPORT_INTERVALS, example: 'month' })
  interval: string;

  @ApiProperty({ type: [String], description: 'Of each row, in the order of the CSV.' })
  columns: readonly string[];

  @ApiProperty({ description: 'What the figures count.' })
  counts: string;

  @ApiProperty({
    description:
      'Audit entries forgotten since `from` because people were erased; earlier figures may have fallen by as much.',
    example: 0,
  })
  forgottenEntries: number;

  @ApiProperty({ type: [Object], description: 'Each with the interval that it counts.' })
  rows: readonly object[];
}
