import { Unauthenticated } from '#auth/auth.errors';
import type { ClientId } from '#platform/ids';
import { currentContext } from '#platform/request-context';
import { createParamDecorator } from '@nestjs/common';

/** The client whose token this request carries. */
export const CurrentClient = createParamDecorator((): ClientId => {
  const clientId = currentContext()?.clientId;
  if (clientId === undefined) throw new Unauthenticated();
  return clientId;
});
