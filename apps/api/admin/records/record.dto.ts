import { PURPOSE_PATTERN } from '#consent/purposes';
import type { ClientId } from '#platform/ids';
import { FACT_NAMES, type FactName } from '#records/fact-kinds';
import { ASSESSMENT_KINDS, type Assessment, type AssessmentKind } from '#records/record-assessment';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsDate,
  IsIn,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxDate,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { EXAMPLE } from '../../openapi/examples.js';
import { IsId } from '../../request/is-id.decorator.js';

const PAGE_FORMATS = ['json', 'html'] as const;

export class RecordQuery {
  @ApiPropertyOptional({ enum: PAGE_FORMATS, description: 'Or ask with Accept.' })
  @IsOptional()
  @IsIn(PAGE_FORMATS)
  format?: (typeof PAGE_FORMATS)[number];
}

export class ProcessingQuery extends RecordQuery {
  @ApiPropertyOptional({ type: String, format: 'uuid', description: 'Of this client alone.' })
  @IsOptional()
  @IsId()
  clientId?: ClientId;
}

class FactBody {
  @ApiProperty({ enum: FACT_NAMES, example: 'legal_basis' })
  @IsIn(FACT_NAMES)
  name: FactName;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'Null: of every client.',
    example: null,
  })
  @ValidateIf((_, value) => value !== null)
  @IsId()
  clientId: ClientId | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Null: of every purpose.',
    example: 'access_control',
  })
  @ValidateIf((_, value) => value !== null)
  @Matches(PURPOSE_PATTERN)
  purpose: string | null;

  @ApiProperty({ example: 'Explicit consent: GDPR Art. 6(1)(a) and 9(2)(a)' })
  @IsString()
  @Length(1, 2_000)
  value: string;
}

export class FactsBody {
  @ApiProperty({
    type: [FactBody],
    description: 'All of them: what is not among them is forgotten.',
    example: [
      {
        name: 'legal_basis',
        clientId: null,
        purpose: 'access_control',
        value: 'Explicit consent: GDPR Art. 6(1)(a) and 9(2)(a)',
      },
    ],
  })
  @IsArray()
  @ArrayMaxSize(500)
  @ArrayUnique(({ name, clientId, purpose }: FactBody) => `${name} ${clientId?.toLowerCase()} ${purpose}`)
  @ValidateNested({ each: true })
  @Type(() => FactBody)
  facts: FactBody[];
}

export class AssessmentBody implements Assessment {
  @ApiProperty({ enum: ASSESSMENT_KINDS, example: 'impact' })
  @IsIn(ASSESSMENT_KINDS)
  kind: AssessmentKind;

  @ApiProperty({ example: 'IN-DPDP' })
  @Matches(JURISDICTION_PATTERN)
  jurisdiction: string;

  @ApiProperty({
    format: 'date-time',
    description: 'When it was concluded.',
    example: '2026-04-01T00:00:00Z',
  })
  @Type(() => Date)
  @IsDate()
  @MaxDate(() => new Date())
  assessedAt: Date;
}

export class AssessmentRecorded {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.eventId })
  id: string;
}

const whole = { type: 'object', additionalProperties: true, example: {} } as const;

class Generated {
  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  generatedAt: Date;
}

export class ProcessingResponse extends Generated {
  @ApiProperty({ example: 'GDPR Art. 30(1) and (2)' })
  law: string;

  @ApiProperty(whole)
  operator: object;

  @ApiProperty(whole)
  transfers: object;

  @ApiProperty({ type: [Object], description: 'By client and purpose: Art. 30(1)(a) to (f).' })
  clients: readonly object[];

  @ApiProperty({ type: [Object], description: 'As they are at this moment: Art. 30(1)(g).' })
  securityMeasures: readonly object[];

  @ApiProperty({ type: [Object], description: 'Facts that nobody has stated.' })
  openItems: readonly object[];
}

export class ImpactResponse extends Generated {
  @ApiProperty({ example: 'GDPR Art. 35(7); DPDP Rules, rule 13' })
  law: string;

  @ApiProperty(whole)
  counts: object;

  @ApiProperty({ type: [Object] })
  necessity: readonly object[];

  @ApiProperty({ type: [Object], description: 'Thresholds and the false match rates measured for them.' })
  accuracy: readonly object[];

  @ApiProperty({ type: [Object] })
  retention: readonly object[];

  @ApiProperty({ type: [Object], description: 'Each with the controls that answer it, as they are now.' })
  risks: readonly object[];

  @ApiProperty(whole)
  incidents: object;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: EXAMPLE.time })
  auditCheckpointAt: Date | null;

  @ApiProperty({ description: 'A time, or `none`, or `unknown` to this process.', example: 'unknown' })
  lastBackup: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, example: null })
  lastRestoreAt: Date | null;

  @ApiProperty({ type: String, nullable: true, description: 'As somebody stated it.', example: null })
  restoreDrill: string | null;

  @ApiProperty({ type: [Object], description: 'By jurisdiction: the last one, and when the next is due.' })
  assessments: readonly object[];

  @ApiProperty({ type: [Object] })
  openItems: readonly object[];
}

export class ControlsResponse extends Generated {
  @ApiProperty({ example: 'ISO/IEC 27001:2022, Annex A' })
  standard: string;

  @ApiProperty(whole)
  states: object;

  @ApiProperty({ type: [Object] })
  controls: readonly object[];
}
