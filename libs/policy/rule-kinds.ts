import { IsBoolean, IsString, Length, Matches, ValidateIf } from 'class-validator';
import { DURATION_PATTERN } from './duration.js';

/** A rule and where it comes from. */
export abstract class Rule {
  @IsString()
  @Length(1, 500)
  readonly source: string;
}

export const nullable = (): PropertyDecorator => ValidateIf((_, value) => value !== null);

export class DurationRule extends Rule {
  @Matches(DURATION_PATTERN)
  readonly value: string;
}

export class OptionalDurationRule extends Rule {
  @nullable()
  @Matches(DURATION_PATTERN)
  readonly value: string | null;
}

export class BooleanRule extends Rule {
  @IsBoolean()
  readonly value: boolean;
}
