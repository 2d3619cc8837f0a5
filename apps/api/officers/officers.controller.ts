import { BeginEnrolment, type Enrolment } from '#officers/begin-enrolment';
import { ConfirmEnrolment } from '#officers/confirm-enrolment';
import { EndSession } from '#officers/end-session';
import type { OfficerSession } from '#officers/officer-session';
import {
  EnrolmentRefused,
  LoginRefused,
  PasswordRefused,
  SessionEnded,
  TotpInvalid,
} from '#officers/officers.errors';
import { RenewSession } from '#officers/renew-session';
import { type SecondFactor, StartSession } from '#officers/start-session';
import { InvalidRequest } from '#platform/platform.errors';
import { Body, Controller, Delete, Header, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { type ActingOfficer, CurrentOfficer } from '../auth/current-officer.decorator.js';
import { OfficerOperation, PublicOperation } from '../openapi/operation.decorator.js';
import { LimitShare, PASSWORD_SHARE } from '../rate-limit/rate-limit.guards.js';
import {
  BeginEnrolmentBody,
  ConfirmEnrolmentBody,
  EnrolmentResponse,
  LOGIN_EXAMPLES,
  RenewSessionBody,
  SessionResponse,
  StartSessionBody,
} from './officer.dto.js';

@ApiTags('Officers')
@Controller('v1/officers')
export class OfficersController {
  constructor(private readonly commands: CommandBus) {}

  @Post('enrolment')
  @LimitShare(PASSWORD_SHARE)
  @Header('Cache-Control', 'no-store')
  @PublicOperation({
    summary: 'Enrol as an officer',
    description:
      'With the code from the operator: sets the password and answers what the authenticator app needs, and ten recovery codes. Until it is confirmed it can be done anew.',
    status: 200,
    response: { type: EnrolmentResponse, description: 'Secrets that are shown this once.' },
    problems: [EnrolmentRefused, PasswordRefused],
  })
  beginEnrolment(@Body() { code, password }: BeginEnrolmentBody): Promise<Enrolment> {
    return this.commands.execute(new BeginEnrolment(code, password));
  }

  @Post('enrolment/confirmation')
  @LimitShare(PASSWORD_SHARE)
  @PublicOperation({
    summary: 'Confirm the authenticator app',
    description: 'With its first code. From then on the officer can log in.',
    status: 204,
    problems: [EnrolmentRefused, TotpInvalid],
  })
  confirmEnrolment(@Body() { code, totp }: ConfirmEnrolmentBody): Promise<void> {
    return this.commands.execute(new ConfirmEnrolment(code, totp));
  }

  @Post('sessions')
  @LimitShare(PASSWORD_SHARE)
  @Header('Cache-Control', 'no-store')
  @ApiBody({ type: StartSessionBody, examples: LOGIN_EXAMPLES })
  @PublicOperation({
    summary: 'Log in as an officer',
    description:
      'With password and the code of the app, or one of the recovery codes. The access token counts for ten minutes, the session for twelve hours at most and 30 minutes without a renewal.',
    status: 201,
    response: { type: SessionResponse, description: 'The session.' },
    problems: [LoginRefused],
  })
  start(@Body() { email, password, ...factors }: StartSessionBody): Promise<OfficerSession> {
    return this.commands.execute(new StartSession(email, password, factorOf(factors)));
  }

  @Post('sessions/renewal')
  @LimitShare(PASSWORD_SHARE)
  @Header('Cache-Control', 'no-store')
  @PublicOperation({
    summary: 'Renew a session',
    description:
      'Answers the next access token and the next session token. A session token that comes a second time ends the session.',
    status: 200,
    response: { type: SessionResponse, description: 'The session.' },
    problems: [SessionEnded],
  })
  renew(@Body() { sessionToken }: RenewSessionBody): Promise<OfficerSession> {
    return this.commands.execute(new RenewSession(sessionToken));
  }

  @Delete('sessions')
  @OfficerOperation({
    summary: 'Log out',
    description: 'Ends the session of the access token; none of its tokens counts any more.',
    status: 204,
  })
  end(@CurrentOfficer() { officerId, sessionId }: ActingOfficer): Promise<void> {
    return this.commands.execute(new EndSession(officerId, sessionId));
  }
}

function factorOf({ totp, recoveryCode }: Pick<StartSessionBody, 'totp' | 'recoveryCode'>): SecondFactor {
  if (totp !== undefined && recoveryCode === undefined) return { totp };
  if (recoveryCode !== undefined && totp === undefined) return { recoveryCode };
  throw new InvalidRequest([{ field: 'totp', message: 'must be given, or recoveryCode instead' }]);
}
