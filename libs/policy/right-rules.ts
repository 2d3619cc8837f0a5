import { Type } from 'class-transformer';
import { IsDefined, IsObject, IsOptional, Matches, ValidateNested } from 'class-validator';
import { DURATION_PATTERN } from './duration.js';
import { nullable, Rule } from './rule-kinds.js';

/** What a data principal can ask for. */
export const RIGHTS = [
  'access',
  'correction',
  'erasure',
  'portability',
  'restriction',
  'objection',
  'nomination',
  'grievance',
] as const;
export type Right = (typeof RIGHTS)[number];

class DueTime {
  @Matches(DURATION_PATTERN)
  readonly due: string;

  @nullable()
  @Matches(DURATION_PATTERN)
  readonly extension: string | null;
}

class RightRule extends Rule {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => DueTime)
  readonly value: DueTime;
}

export class RightRules implements Readonly<Partial<Record<Right, RightRule>>> {
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly access?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly correction?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly erasure?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly portability?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly restriction?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly objection?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly nomination?: RightRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRule)
  readonly grievance?: RightRule;
}
