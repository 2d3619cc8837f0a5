import {
  CLOSURES,
  type Closure,
  ENTRY_KINDS,
  type EntryKind,
  INCIDENT_KINDS,
  INCIDENT_STATES,
  type IncidentKind,
  type IncidentState,
  SEVERITIES,
  type Severity,
} from '#incidents/incident';
import { BREACH_RISKS, type BreachRisk } from '#policy/breach-rules';
import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsDate,
  IsIn,
  IsOptional,
  IsString,
  Length,
  Matches,
} from 'class-validator';
import { IsLanguageTag } from '../../notices/is-language-tag.decorator.js';
import { EXAMPLE } from '../../openapi/examples.js';
import { PageQuery } from '../../request/page.dto.js';

export class OpenIncidentBody {
  @ApiProperty({
    description: 'Stored encrypted.',
    example: 'A stolen laptop',
    minLength: 1,
    maxLength: 200,
  })
  @IsString()
  @Length(1, 200)
  title: string;

  @ApiProperty({
    description: 'What happened, as it is told to authorities. Stored encrypted.',
    example: 'A laptop with access to the gallery of the main gate was stolen.',
    minLength: 1,
    maxLength: 10_000,
  })
  @IsString()
  @Length(1, 10_000)
  description: string;

  @ApiProperty({ enum: INCIDENT_KINDS, example: 'access' })
  @IsIn(INCIDENT_KINDS)
  kind: IncidentKind;

  @ApiProperty({ enum: SEVERITIES, example: 'high' })
  @IsIn(SEVERITIES)
  severity: Severity;

  @ApiPropertyOptional({ type: String, format: 'date-time', example: EXAMPLE.time })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  occurredFrom?: Date;

  @ApiPropertyOptional({ type: String, format: 'date-time', example: EXAMPLE.time })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  occurredTo?: Date;

  @ApiProperty({
    type: String,
    format: 'date-time',
    description: 'From when the clocks of the law count; not in the future.',
    example: EXAMPLE.time,
  })
  @Type(() => Date)
  @IsDate()
  knownAt: Date;

  @ApiPropertyOptional({
    type: [String],
    description: 'Concerned for certain; those of affected persons are added by themselves.',
    example: ['EU-GDPR'],
  })
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @ArrayMaxSize(50)
  @Matches(JURISDICTION_PATTERN, { each: true })
  jurisdictions?: string[];
}

export class AssessIncidentBody {
  @ApiProperty({ description: 'Whether personal data was breached.', example: true })
  @IsBoolean()
  breach: boolean;

  @ApiProperty({
    enum: BREACH_RISKS,
    description: 'To the persons; `none`: unlikely (GDPR Art. 33(1)), `high`: Art. 34(1).',
    example: 'high',
  })
  @IsIn(BREACH_RISKS)
  risk: BreachRisk;
}

export class CloseIncidentBody {
  @ApiProperty({ enum: CLOSURES, example: 'handled' })
  @IsIn(CLOSURES)
  as: Closure;
}

export class AddEntryBody {
  @ApiProperty({
    enum: ENTRY_KINDS,
    description: 'All but `action` go into the texts of notifications.',
    example: 'consequences',
  })
  @IsIn(ENTRY_KINDS)
  kind: EntryKind;

  @ApiPropertyOptional({ description: 'BCP 47.', example: 'en', default: 'en' })
  @IsLanguageTag()
  language: string = 'en';

  @ApiProperty({
    description: 'Stored encrypted.',
    example: 'Templates are sealed, so that nobody can be recognised by what was taken.',
    minLength: 1,
    maxLength: 10_000,
  })
  @IsString()
  @Length(1, 10_000)
  text: string;
}

export class IncidentsQuery extends PageQuery {
  @ApiPropertyOptional({ enum: INCIDENT_STATES })
  @IsOptional()
  @IsIn(INCIDENT_STATES)
  state?: IncidentState;
}
