import type { Scope } from '#auth/scopes';
import { SetMetadata } from '@nestjs/common';

export const REQUIRED_SCOPES = 'velum:scopes';
export const ANY_OFFICER = 'any-officer';

export type RequiredScopes = readonly Scope[] | typeof ANY_OFFICER;

/** What a token must allow for this call; `[]` is what @Public() sets. */
export const Scopes = (...scopes: [Scope, ...Scope[]]): MethodDecorator =>
  SetMetadata(REQUIRED_SCOPES, scopes);

/** The token of an officer, whatever it allows. */
export const AnyOfficer = (): MethodDecorator => SetMetadata(REQUIRED_SCOPES, ANY_OFFICER);

/** No token: health, keys, documentation and the token endpoints themselves. */
export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(REQUIRED_SCOPES, []);
