import { ValidateBy } from 'class-validator';

/** BCP 47, in the canonical form that ECMA-402 gives it (en-IN, not en-in): one language has one spelling. */
export const IsLanguageTag = (): PropertyDecorator =>
  ValidateBy({
    name: 'isLanguageTag',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && isCanonical(value),
      defaultMessage: () => '$property must be a canonical BCP 47 language tag such as en-IN',
    },
  });

function isCanonical(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag)[0] === tag;
  } catch {
    return false;
  }
}
