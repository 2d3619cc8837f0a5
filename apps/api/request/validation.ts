import type { FieldProblem } from '#platform/domain-error';
import { InvalidRequest } from '#platform/platform.errors';
import { type ValidationError, ValidationPipe } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';

/** Unknown members are refused, so that a misspelt option is not silently ignored. */
export function validationPipe(): ValidationPipe {
  return new ValidationPipe({
    whitelist: true,
    forbidNonWhitelisted: true,
    transform: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidRequest(errors.flatMap((error) => fieldsOf(error))),
  });
}

/** The same of a member whose class depends on another one. */
export function validated<T extends object>(type: new () => T, json: unknown, member: string): T {
  const instance = plainToInstance(type, json);
  const errors = validateSync(instance, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
  });
  if (errors.length > 0) throw new InvalidRequest(errors.flatMap((error) => fieldsOf(error, `${member}.`)));
  return instance;
}

function fieldsOf(error: ValidationError, prefix = ''): FieldProblem[] {
  const field = `${prefix}${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
  const nested = (error.children ?? []).flatMap((child) => fieldsOf(child, `${field}.`));
  return [...own, ...nested];
}
