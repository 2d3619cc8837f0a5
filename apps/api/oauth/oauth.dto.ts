import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { EXAMPLE } from '../openapi/examples.js';

/** Documentation only: the form is read after RFC 6749, which refuses more than a DTO can say. */
class CredentialsForm {
  @ApiPropertyOptional({ description: 'Unless sent by HTTP Basic.', example: EXAMPLE.clientId })
  client_id?: string;

  @ApiPropertyOptional({ description: 'Unless sent by HTTP Basic.' })
  client_secret?: string;
}

export class TokenForm extends CredentialsForm {
  @ApiProperty({ enum: ['client_credentials'] })
  grant_type: string;

  @ApiPropertyOptional({ description: 'Scopes parted by spaces; all of the client if left out.' })
  scope?: string;
}

export class TokenArgumentForm extends CredentialsForm {
  @ApiProperty({ description: 'The access token.' })
  token: string;
}

export class TokenResponseBody {
  @ApiProperty({ example: 'eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9…' })
  access_token: string;

  @ApiProperty({ enum: ['Bearer'] })
  token_type: string;

  @ApiProperty({ description: 'Seconds.', example: 900 })
  expires_in: number;

  @ApiProperty({ example: 'galleries:read faces:verify' })
  scope: string;
}

export class OAuthErrorBody {
  @ApiProperty({ example: 'invalid_client' })
  error: string;

  @ApiProperty({ example: 'Check the client id and the secret.' })
  error_description: string;
}

export class IntrospectionBody {
  @ApiProperty({ example: true })
  active: boolean;

  @ApiPropertyOptional({ example: EXAMPLE.clientId })
  client_id?: string;

  @ApiPropertyOptional({ example: 'galleries:read faces:verify' })
  scope?: string;

  @ApiPropertyOptional({ example: 1795429530 })
  exp?: number;
}
