import { Type } from 'class-transformer';
import { IsDefined, IsObject, IsOptional, ValidateNested } from 'class-validator';
import { BooleanRule, DurationRule, OptionalDurationRule } from './rule-kinds.js';

/** Those of a purpose alone: a request for erasure is of all that is kept of a person, and logs are of no purpose. */
export class PurposeRetentionRules {
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => DurationRule)
  readonly afterEnd?: DurationRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly inactivity?: OptionalDurationRule;

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly noticeBeforeErasure?: OptionalDurationRule;
}

export class RetentionRules {
  /** From the end of the consent to the destruction of what was made under it. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => DurationRule)
  readonly afterEnd: DurationRule;

  /** From a request for erasure to the destruction. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => DurationRule)
  readonly afterErasureRequest: DurationRule;

  /** From the last interaction with the person to the destruction. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly inactivity: OptionalDurationRule;

  /** How long before a destruction for inactivity the person is told. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly noticeBeforeErasure: OptionalDurationRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => DurationRule)
  readonly logs: DurationRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => BooleanRule)
  readonly publicPolicy: BooleanRule;

  /** Where a purpose has other times than the rest: by its name, the rules that differ. */
  @IsOptional()
  @IsObject()
  readonly byPurpose?: Readonly<Record<string, PurposeRetentionRules>>;
}

/** The rules of what is done for a purpose. */
export function retentionFor(retention: RetentionRules, purpose: string): RetentionRules {
  return { ...retention, ...ownRules(retention, purpose) };
}

/** Purposes with rules of their own, each with those. */
export function purposesApart({
  byPurpose = {},
}: RetentionRules): readonly [string, PurposeRetentionRules][] {
  return Object.entries(byPurpose);
}

/** SQL: the rule of a policy's document that holds for a purpose; a null purpose has no rules of its own. */
export function retentionRule(document: string, purpose: string, rule: string): string {
  return `coalesce(${document}->'retention'->'byPurpose'->${purpose}->${rule}, ${document}->'retention'->${rule})`;
}

// A purpose may have the name of a member that every object has.
function ownRules({ byPurpose }: RetentionRules, purpose: string): PurposeRetentionRules {
  return (
    (byPurpose !== undefined && Object.hasOwn(byPurpose, purpose) ? byPurpose[purpose] : undefined) ?? {}
  );
}
