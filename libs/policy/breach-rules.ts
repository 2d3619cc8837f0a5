import { Type } from 'class-transformer';
import {
  IsDefined,
  IsIn,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  ValidateNested,
} from 'class-validator';
import { DURATION_PATTERN } from './duration.js';
import { Rule } from './rule-kinds.js';

/** What a breach means for the persons: a risk to them is unlikely, is there, is high. */
export const BREACH_RISKS = ['none', 'low', 'high'] as const;
export type BreachRisk = (typeof BREACH_RISKS)[number];

class AuthorityDuty {
  @IsString()
  @Length(1, 200)
  readonly name: string;

  /** From the moment that the breach is known. */
  @Matches(DURATION_PATTERN)
  readonly first: string;

  @Matches(DURATION_PATTERN)
  readonly detailed: string;

  /** The least risk that asks for it; every breach does, if it is left out. */
  @IsOptional()
  @IsIn(BREACH_RISKS)
  readonly fromRisk?: BreachRisk;
}

class AuthorityRule extends Rule {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => AuthorityDuty)
  readonly value: AuthorityDuty;
}

class PersonsDuty {
  @Matches(DURATION_PATTERN)
  readonly within: string;

  @IsOptional()
  @IsIn(BREACH_RISKS)
  readonly fromRisk?: BreachRisk;
}

class PersonsRule extends Rule {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => PersonsDuty)
  readonly value: PersonsDuty;
}

export class BreachRules {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => AuthorityRule)
  readonly authority: AuthorityRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => PersonsRule)
  readonly persons: PersonsRule;
}
