import { OFFICER_SCOPES } from '#officers/officer-scopes';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsEmail, IsString, Length, Matches, ValidateIf } from 'class-validator';
import { EXAMPLE } from '../openapi/examples.js';

const TOTP = /^\d{6}$/;
const TOKEN = /^[\w-]{43}$/;
const LONGEST_PASSWORD = 256;

export class BeginEnrolmentBody {
  @ApiProperty({
    description: 'What `velum officers create` has shown to the operator.',
    example: EXAMPLE.enrolmentCode,
  })
  @Matches(TOKEN)
  code: string;

  @ApiProperty({ minLength: 12, maxLength: LONGEST_PASSWORD, example: EXAMPLE.password })
  @IsString()
  @Length(1, LONGEST_PASSWORD)
  password: string;
}

export class EnrolmentResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.officerId })
  officerId: string;

  @ApiProperty({ description: 'For the authenticator app, in base 32.', example: EXAMPLE.totpSecret })
  totpSecret: string;

  @ApiProperty({
    description: 'The same to show as a QR code.',
    example: `otpauth://totp/Velum:meera%40example.in?issuer=Velum&secret=${EXAMPLE.totpSecret}&algorithm=SHA1&digits=6&period=30`,
  })
  totpUri: string;

  @ApiProperty({
    type: [String],
    description: "Each counts once, instead of the app's code. They are not shown again.",
    example: [EXAMPLE.recoveryCode],
  })
  recoveryCodes: string[];
}

export class ConfirmEnrolmentBody {
  @ApiProperty({ example: EXAMPLE.enrolmentCode })
  @Matches(TOKEN)
  code: string;

  @ApiProperty({ description: 'What the authenticator app shows.', example: EXAMPLE.totp })
  @Matches(TOTP)
  totp: string;
}

export class StartSessionBody {
  @ApiProperty({ format: 'email', example: EXAMPLE.email })
  @IsEmail()
  email: string;

  @ApiProperty({ example: EXAMPLE.password })
  @IsString()
  @Length(1, LONGEST_PASSWORD)
  password: string;

  @ApiPropertyOptional({ description: 'What the authenticator app shows.', example: EXAMPLE.totp })
  @ValidateIf((body: StartSessionBody) => body.recoveryCode === undefined || body.totp !== undefined)
  @Matches(TOTP)
  totp?: string;

  @ApiPropertyOptional({ description: 'Instead of totp: one of the ten codes.' })
  @ValidateIf((body: StartSessionBody) => body.recoveryCode !== undefined)
  @IsString()
  @Length(1, 50)
  recoveryCode?: string;
}

const { email, password, totp, recoveryCode } = EXAMPLE;

export const LOGIN_EXAMPLES = {
  app: { summary: 'With the authenticator app', value: { email, password, totp } },
  recovery: { summary: 'Without it', value: { email, password, recoveryCode } },
};

export class RenewSessionBody {
  @ApiProperty({ description: 'The newest of the session.', example: EXAMPLE.sessionToken })
  @Matches(TOKEN)
  sessionToken: string;
}

export class SessionResponse {
  @ApiProperty({ format: 'uuid', example: EXAMPLE.officerId })
  officerId: string;

  @ApiProperty({ description: 'For Authorization: Bearer.', example: 'eyJ…' })
  accessToken: string;

  @ApiProperty({ enum: ['Bearer'], example: 'Bearer' })
  tokenType: string;

  @ApiProperty({ description: 'Seconds.', example: 600 })
  expiresIn: number;

  @ApiProperty({
    description: `Of ${OFFICER_SCOPES.join(', ')}, those of the officer.`,
    example: 'admin:audit admin:compliance',
  })
  scope: string;

  @ApiProperty({
    description: 'Gets the next access token, once, and within 30 minutes.',
    example: EXAMPLE.sessionToken,
  })
  sessionToken: string;

  @ApiProperty({
    format: 'date-time',
    description: 'Then the officer logs in anew.',
    example: EXAMPLE.time,
  })
  sessionExpiresAt: Date;
}
