import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { BooleanRule, OptionalDurationRule, Rule } from './rule-kinds.js';

/** What a notice may have to say, item by item. */
export const NOTICE_ITEMS = [
  'purpose',
  'data',
  'service',
  'retention',
  'withdrawal',
  'complaint',
  'rights',
  'controller',
] as const;
export type NoticeItem = (typeof NOTICE_ITEMS)[number];

/** `verifiable`: the guardian's identity and age are established, and how is kept with the consent. */
export const GUARDIAN_RULES = ['required', 'verifiable'] as const;
/** `as_easy_as_giving`: the law says so. Velum asks for no more in any case: one call. */
export const WITHDRAWAL_RULES = ['as_easy_as_giving', 'not_prescribed'] as const;
export const CONSENT_FORMS = ['explicit', 'written_release'] as const;

class ItemsRule extends Rule {
  @IsArray()
  @ArrayUnique()
  @IsIn(NOTICE_ITEMS, { each: true })
  readonly value: readonly NoticeItem[];
}

class LanguagesRule extends Rule {
  @IsArray()
  @ArrayUnique()
  @ArrayMaxSize(200)
  @Matches(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, { each: true })
  readonly value: readonly string[];
}

class AgeRule extends Rule {
  @IsInt()
  @Min(0)
  @Max(30)
  readonly value: number;
}

class GuardianRule extends Rule {
  @IsIn(GUARDIAN_RULES)
  readonly value: (typeof GUARDIAN_RULES)[number];
}

class FormRule extends Rule {
  @IsIn(CONSENT_FORMS)
  readonly value: (typeof CONSENT_FORMS)[number];
}

class WithdrawalRule extends Rule {
  @IsIn(WITHDRAWAL_RULES)
  readonly value: (typeof WITHDRAWAL_RULES)[number];
}

export class NoticeRules {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => ItemsRule)
  readonly items: ItemsRule;

  /** Those that the law names besides English; empty: none. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => LanguagesRule)
  readonly languages: LanguagesRule;
}

export class ConsentRules {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => AgeRule)
  readonly adultAge: AgeRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => GuardianRule)
  readonly guardian: GuardianRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => FormRule)
  readonly form: FormRule;

  /** For how long a consent may be given at most. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly longest: OptionalDurationRule;

  /** Policies of before the member have none, as of the next. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => WithdrawalRule)
  readonly withdrawal?: WithdrawalRule;

  /** Whether it has to be possible to prove that somebody consented. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => BooleanRule)
  readonly proof?: BooleanRule;
}
