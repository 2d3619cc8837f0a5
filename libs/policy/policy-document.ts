import { plainToInstance, Type } from 'class-transformer';
import {
  IsDefined,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  ValidateNested,
  type ValidationError,
  validateSync,
} from 'class-validator';
import { BreachRules } from './breach-rules.js';
import { ConsentRules, NoticeRules } from './consent-rules.js';
import { PolicyInvalid } from './policy.errors.js';
import { PurposeRetentionRules, purposesApart, RetentionRules } from './retention-rules.js';
import { RightRules } from './right-rules.js';
import { BooleanRule, OptionalDurationRule } from './rule-kinds.js';

/** As consents have them, which know this lib and not the other way round. */
const PURPOSE_PATTERN = /^[a-z][a-z0-9_]{1,63}$/;

export const JURISDICTION_PATTERN = /^[A-Z]{2}(-[A-Z0-9]{1,16}){1,3}$/;

class RecordRules {
  /** Whether a record of processing activities is kept. */
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => BooleanRule)
  readonly processing: BooleanRule;
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

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RecordRules)
  readonly records?: RecordRules;
}

/** Reads a policy that somebody wrote; throws PolicyInvalid, which names every member that is at fault. */
export function readPolicy(json: unknown): PolicyDocument {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new PolicyInvalid();
  const policy = plainToInstance(PolicyDocument, json);
  for (const find of [faultsIn, faultsByPurpose]) {
    const found = find(policy);
    if (found.length > 0) throw new PolicyInvalid(found);
  }
  return policy;
}

interface Fault {
  readonly field: string;
  readonly message: string;
}

function faultsIn(value: object, path = ''): Fault[] {
  const errors = validateSync(value, { whitelist: true, forbidNonWhitelisted: true });
  return errors.flatMap((error) => faults(error, path));
}

/** The decorators know members by their names, and purposes have any. */
function faultsByPurpose({ retention }: PolicyDocument): Fault[] {
  return purposesApart(retention).flatMap(([purpose, rules]: readonly [string, unknown]) => {
    const field = `retention.byPurpose.${purpose}`;
    if (!PURPOSE_PATTERN.test(purpose)) return [{ field, message: 'is not the name of a purpose' }];
    if (
      typeof rules !== 'object' ||
      rules === null ||
      Array.isArray(rules) ||
      Object.keys(rules).length === 0
    )
      return [{ field, message: 'must have the rules that differ' }];
    return faultsIn(plainToInstance(PurposeRetentionRules, rules), field);
  });
}

function faults(error: ValidationError, path: string): Fault[] {
  const field = path === '' ? error.property : `${path}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
  return [...own, ...(error.children ?? []).flatMap((child) => faults(child, field))];
}
