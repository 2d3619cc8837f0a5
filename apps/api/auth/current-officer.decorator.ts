import { OfficerRequired } from '#officers/officers.errors';
import type { OfficerId, SessionId } from '#platform/ids';
import { currentContext } from '#platform/request-context';
import { createParamDecorator } from '@nestjs/common';

export interface ActingOfficer {
  readonly officerId: OfficerId;
  readonly sessionId: SessionId;
}

/** Throws OfficerRequired where a client's token, or none, came with the request. */
export function currentOfficer(): ActingOfficer {
  const { officerId, sessionId } = currentContext() ?? {};
  if (officerId === undefined || sessionId === undefined) throw new OfficerRequired();
  return { officerId, sessionId };
}

/** The officer whose token this request carries. */
export const CurrentOfficer = createParamDecorator(currentOfficer);
