import type { FieldProblem } from '#platform/domain-error';
import { InvalidRequest } from '#platform/platform.errors';
import { type ValidationError, ValidationPipe } from '@nestjs/common';

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

function fieldsOf(error: ValidationError, prefix = ''): FieldProblem[] {
  const field = `${prefix}${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
  const nested = (error.children ?? []).flatMap((child) => fieldsOf(child, `${field}.`));
  return [...own, ...nested];
}
