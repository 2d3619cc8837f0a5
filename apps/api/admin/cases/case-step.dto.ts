import { JURISDICTION_PATTERN } from '#policy/policy-document';
import {
  EXTENSION_REASONS,
  type ExtensionReason,
  REFUSAL_REASONS,
  type RefusalReason,
} from '#rights/step-reasons';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { IsBoolean, IsDate, IsIn, IsOptional, IsString, Length, Matches } from 'class-validator';
import { CasesQuery, LONGEST_TEXT } from '../../rights/case.dto.js';

export class AllCasesQuery extends CasesQuery {
  @ApiPropertyOptional()
  @IsOptional()
  @Matches(JURISDICTION_PATTERN)
  jurisdiction?: string;

  @ApiPropertyOptional({ type: String, format: 'date-time' })
  @IsOptional()
  @Type(() => Date)
  @IsDate()
  dueBefore?: Date;

  @ApiPropertyOptional({ type: Boolean, description: 'Whether it is late, and not decided.' })
  @IsOptional()
  // @Type(() => Boolean) would read "false" as true.
  @Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value))
  @IsBoolean()
  overdue?: boolean;
}

export class ExtendCaseBody {
  @ApiProperty({ enum: EXTENSION_REASONS, example: 'complexity' })
  @IsIn(EXTENSION_REASONS)
  reason: ExtensionReason;
}

export class FulfilCaseBody {
  @ApiPropertyOptional({
    description: 'What the person is told. Stored encrypted, and erased with the person.',
    minLength: 1,
    maxLength: LONGEST_TEXT,
    example: 'The export is attached.',
  })
  @IsOptional()
  @IsString()
  @Length(1, LONGEST_TEXT)
  answer?: string;
}

export class RefuseCaseBody extends FulfilCaseBody {
  @ApiProperty({ enum: REFUSAL_REASONS, example: 'legal_obligation' })
  @IsIn(REFUSAL_REASONS)
  reason: RefusalReason;

  @ApiProperty({
    description: 'Of the law. It names no person.',
    minLength: 1,
    maxLength: 100,
    example: 'GDPR Art. 17(3)(b)',
  })
  @IsString()
  @Length(1, 100)
  article: string;
}
