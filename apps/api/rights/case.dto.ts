import { PURPOSE_PATTERN } from '#consent/purposes';
import type { SubjectId } from '#platform/ids';
import { RIGHTS, type Right } from '#policy/right-rules';
import { CASE_STATES, type CaseState } from '#rights/case-state';
import { CASE_CHANNELS, type CaseChannel } from '#rights/open-case';
import { EXTENSION_REASONS, REFUSAL_REASONS, type StepReason } from '#rights/step-reasons';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDate, IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';
import { IsId } from '../request/is-id.decorator.js';
import { PageQuery } from '../request/page.dto.js';

export const LONGEST_TEXT = 10_000;

export class OpenCaseBody {
  @ApiProperty({ type: String, format: 'uuid', example: EXAMPLE.subjectId })
  @IsId()
  subjectId: SubjectId;

  @ApiProperty({
    enum: RIGHTS,
    description: "Those that the policy of the subject's jurisdiction has.",
    example: 'access',
  })
  @IsIn(RIGHTS)
  kind: Right;

  @ApiProperty({ enum: CASE_CHANNELS, description: 'How the person asked.', example: 'app' })
  @IsIn(CASE_CHANNELS)
  channel: CaseChannel;

  @ApiPropertyOptional({
    type: String,
    format: 'date-time',
    description: 'When the person asked, from which the time for the answer runs. Now, if left out.',
    example: EXAMPLE.time,
  })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  receivedAt?: Date;

  @ApiPropertyOptional({
    description:
      'Which processing it is about; all, if left out. An objection that is upheld ends the consents for it.',
    pattern: PURPOSE_PATTERN.source,
    example: 'access_control',
  })
  @IsOptional()
  @Matches(PURPOSE_PATTERN)
  purpose?: string;

  @ApiPropertyOptional({
    description: 'What the person wrote. Stored encrypted, and erased with the person.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
    example: 'Please tell me what you hold about me.',
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  text?: string;
}

export class CasesQuery extends PageQuery {
  @ApiPropertyOptional({ type: String, format: 'uuid' })
  @IsOptional()
  @IsId()
  subjectId?: SubjectId;

  @ApiPropertyOptional({ enum: RIGHTS })
  @IsOptional()
  @IsIn(RIGHTS)
  kind?: Right;

  @ApiPropertyOptional({ enum: CASE_STATES })
  @IsOptional()
  @IsIn(CASE_STATES)
  state?: CaseState;
}

export class CaseResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.caseId })
  id: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.clientId })
  clientId: string;

  @ApiProperty({ format: 'uuid', example: EXAMPLE.subjectId })
  subjectId: string;

  @ApiProperty({ enum: RIGHTS, example: 'access' })
  kind: string;

  @ApiProperty({ enum: CASE_CHANNELS, example: 'app' })
  channel: string;

  @ApiProperty({ type: String, nullable: true, example: null })
  purpose: string | null;

  @ApiProperty({ example: 'EU-GDPR' })
  jurisdiction: string;

  @ApiProperty({ description: 'Of the policy that set the date.', example: 1 })
  policyRevision: number;

  @ApiProperty({ enum: CASE_STATES, example: 'open' })
  state: string;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  openedAt: Date;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  dueAt: Date;

  @ApiProperty({ example: false })
  overdue: boolean;

  @ApiProperty({ type: String, nullable: true, example: 'Please tell me what you hold about me.' })
  text: string | null;

  @ApiProperty({ type: String, nullable: true, example: null })
  answer: string | null;
}

class CaseTransitionResponse {
  @ApiProperty({ enum: CASE_STATES, example: 'open' })
  state: string;

  @ApiProperty({
    type: String,
    enum: [...REFUSAL_REASONS, ...EXTENSION_REASONS],
    nullable: true,
    example: null,
  })
  reason: StepReason | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'Of the law, by which it was refused.',
    example: null,
  })
  article: string | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  dueAt: Date;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The client app that did it.',
    example: EXAMPLE.clientId,
  })
  clientId: string | null;

  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'The officer who did it.',
    example: null,
  })
  officerId: string | null;

  @ApiProperty({ format: 'date-time', example: EXAMPLE.time })
  at: Date;
}

export class WholeCaseResponse extends CaseResponse {
  @ApiProperty({ type: [CaseTransitionResponse], description: 'What became of it, in order.' })
  transitions: CaseTransitionResponse[];
}

export class CasePage {
  @ApiProperty({ type: [CaseResponse] })
  items: CaseResponse[];

  @ApiProperty({ type: String, nullable: true, example: null })
  nextCursor: string | null;
}

export class ErasureProofResponse {
  @ApiProperty({
    description:
      'A compact JWS of type erasure-proof+jwt, checked by `libs/statements/verifier/verify-statement.mjs` with plain Node.',
    example: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImVyYXN1cmUtcHJvb2Yrand0In0…',
  })
  proof: string;
}
