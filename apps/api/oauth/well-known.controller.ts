import { ALL_SCOPES } from '#auth/scopes';
import { type PublicJwk, SigningKeys } from '#auth/signing-keys';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { type StatementJwk, Statements } from '#statements/statements';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../auth/scopes.decorator.js';

@ApiTags('OAuth 2')
@Controller('.well-known')
@Public()
export class WellKnownController {
  constructor(
    private readonly keys: SigningKeys,
    private readonly statements: Statements,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get('jwks.json')
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOperation({
    summary: 'The keys that sign access tokens and statements',
    description:
      'RFC 7517. Take the one that is named in kid: RS256 keys are of access tokens, EdDSA keys (RFC 8037) of receipts and other statements, whose retired keys stay.',
  })
  @ApiResponse({ status: 200, description: 'A JWK set.' })
  async jwks(): Promise<{ keys: readonly (PublicJwk | StatementJwk)[] }> {
    return { keys: [...this.keys.jwks, ...(await this.statements.publicKeys())] };
  }

  @Get('oauth-authorization-server')
  @ApiOperation({ summary: 'Metadata of the token endpoints', description: 'RFC 8414.' })
  @ApiResponse({ status: 200, description: 'The metadata.' })
  metadata(): object {
    const issuer = this.config.jwtIssuer;
    return {
      issuer,
      token_endpoint: `${issuer}/oauth/token`,
      revocation_endpoint: `${issuer}/oauth/revoke`,
      introspection_endpoint: `${issuer}/oauth/introspect`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      response_types_supported: [],
      scopes_supported: ALL_SCOPES,
    };
  }
}
