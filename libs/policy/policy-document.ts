import { plainToInstance, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsDefined,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
  type ValidationError,
  validateSync,
} from 'class-validator';
import { DURATION_PATTERN } from './duration.js';
import { PolicyInvalid } from './policy.errors.js';

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

/** What a breach means for the persons: a risk to them is unlikely, is there, is high. */
export const BREACH_RISKS = ['none', 'low', 'high'] as const;
export type BreachRisk = (typeof BREACH_RISKS)[number];

/** `verifiable`: the guardian's identity and age are established, and how is kept with the consent. */
export const GUARDIAN_RULES = ['required', 'verifiable'] as const;
export const CONSENT_FORMS = ['explicit', 'written_release'] as const;

export const JURISDICTION_PATTERN = /^[A-Z]{2}(-[A-Z0-9]{1,16}){1,3}$/;

/** A rule and where it comes from. */
abstract class Rule {
  @IsString()
  @Length(1, 500)
  readonly source: string;
}

const nullable = (): PropertyDecorator => ValidateIf((_, value) => value !== null);

class DurationRule extends Rule {
  @Matches(DURATION_PATTERN)
  readonly value: string;
}

class OptionalDurationRule extends Rule {
  @nullable()
  @Matches(DURATION_PATTERN)
  readonly value: string | null;
}

class BooleanRule extends Rule {
  @IsBoolean()
  readonly value: boolean;
}

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

class NoticeRules {
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

class ConsentRules {
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
}

class RetentionRules {
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
}

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

class RightRules implements Readonly<Partial<Record<Right, RightRule>>> {
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

class BreachRules {
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

class AssessmentRules {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly impact: OptionalDurationRule;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => OptionalDurationRule)
  readonly audit: OptionalDurationRule;
}

/** What the law of a jurisdiction asks for, each rule with its source: data, so that another needs no code. */
export class PolicyDocument {
  @Matches(JURISDICTION_PATTERN)
  readonly code: string;

  @IsString()
  @Length(1, 200)
  readonly name: string;

  @IsString()
  @Length(1, 300)
  readonly law: string;

  /** Who has to confirm it, and what is open. */
  @IsString()
  @Length(1, 500)
  readonly confirm: string;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => NoticeRules)
  readonly notice: NoticeRules;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => ConsentRules)
  readonly consent: ConsentRules;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => RetentionRules)
  readonly retention: RetentionRules;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => RightRules)
  readonly rights: RightRules;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => BreachRules)
  readonly breach: BreachRules;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => AssessmentRules)
  readonly assessment: AssessmentRules;
}

/** Reads a policy that somebody wrote; throws PolicyInvalid, which names every member that is at fault. */
export function readPolicy(json: unknown): PolicyDocument {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new PolicyInvalid();
  const policy = plainToInstance(PolicyDocument, json);
  const errors = validateSync(policy, { whitelist: true, forbidNonWhitelisted: true });
  if (errors.length > 0) throw new PolicyInvalid(errors.flatMap((error) => faults(error, '')));
  return policy;
}

function faults(error: ValidationError, path: string): { field: string; message: string }[] {
  const field = path === '' ? error.property : `${path}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
  return [...own, ...(error.children ?? []).flatMap((child) => faults(child, field))];
}
