import type { Scope } from '#auth/scopes';
import { SetMetadata } from '@nestjs/common';

export const REQUIRED_SCOPES = 'velum:scopes';

/** What a token must allow for this call; `[]` is what @Public() sets. */
export const Scopes = (...scopes: [Scope, ...Scope[]]): MethodDecorator =>
  SetMetadata(REQUIRED_SCOPES, scopes);

/** No token: health, keys, documentation and the token endpoints themselves. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(REQUIRED_SCOPES, []);
