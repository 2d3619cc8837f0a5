import { ValidateIf } from 'class-validator';

/** Unlike IsOptional it refuses null: a rule that asks whether a member is there is not passed by one that says nothing. */
export const MayBeLeftOut = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);
