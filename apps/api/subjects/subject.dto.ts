import { JURISDICTION_PATTERN } from '#policy/policy-document';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsISO8601, IsOptional, IsString, Length, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { MayBeLeftOut } from '../request/may-be-left-out.decorator.js';
import { PageQuery } from '../request/page.dto.js';

export class RegisterSubjectBody {
  @ApiPropertyOptional({
    description:
      'Your own name for the person, such as a staff number. Stored encrypted; unique for each client.',
    example: 'staff-4711',
  })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  reference?: string;

  @ApiPropertyOptional({
    description: 'Whose law the person is under: a code of GET /v1/jurisdictions.',
    default: 'EU-GDPR',
    example: 'EU-GDPR',
  })
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({
    format: 'date',
    description:
      'Of a minor: the day on which the person comes of age. Until then a guardian consents. Leave it out for an adult.',
    example: '2020-01-01',
  })
  @MayBeLeftOut()
  @Matches(/^\d{4}-\d{2}-\d{2}$/)
  @IsISO8601({ strict: true })
  adultFrom?: string;
}

export class SubjectsQuery extends PageQuery {
  @ApiPropertyOptional({ description: 'Only the subject with this reference.' })
  @IsOptional()
  @IsString()
  @Length(1, 200)
  reference?: string;
}

export class SubjectResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  id: string;

  @ApiProperty({ type: String, nullable: true, example: 'staff-4711' })
  reference: string | null;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Since when nothing may be done with the data of the person (GDPR Art. 18).',
    example: null,
  })
  restrictedAt: Date | null;
  @ApiProperty({ type: String, format: 'date', nullable: true, example: null })
  adultFrom: string | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  createdAt: Date;
}

export class SubjectPage {
  @ApiProperty({ type: [SubjectResponse] })
  items: SubjectResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

export class HeldErasureResponse {
  @ApiProperty({
    format: 'date-time',
    description: 'Not before then; later while an officer has put the data on hold.',
    example: EXAMPLE.expiry,
  })
  destroyAfter: Date;
}
