import { AuditModule } from '#audit/audit.module';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccessTokens } from './access-tokens.js';
import { ClientAuthenticator } from './client-authenticator.js';
import { CreateClientHandler } from './create-client.js';
import { Denylist } from './denylist.js';
import { DisableClientHandler } from './disable-client.js';
import { ForgetExpiredTokensHandler } from './forget-expired-tokens.js';
import { Client } from './internal/client.entity.js';
import { IntrospectTokenHandler } from './introspect-token.js';
import { IssueTokenHandler } from './issue-token.js';
import { ListClientsHandler } from './list-clients.js';
import { RevokeTokenHandler } from './revoke-token.js';
import { RotateClientSecretHandler } from './rotate-client-secret.js';
import { SecretHashes } from './secret-hashes.js';
import { ShutOutClientHandler } from './shut-out-client.js';
import { SigningKeys } from './signing-keys.js';

@Module({
  imports: [
    AuditModule,
    JwtModule.registerAsync({
      inject: [CONFIG],
      useFactory: (config: Config) => new SigningKeys(config).jwtOptions,
    }),
    TypeOrmModule.forFeature([Client]),
  ],
  providers: [
    AccessTokens,
    ClientAuthenticator,
    CreateClientHandler,
    Denylist,
    DisableClientHandler,
    ForgetExpiredTokensHandler,
    IntrospectTokenHandler,
    IssueTokenHandler,
    ListClientsHandler,
    RevokeTokenHandler,
    RotateClientSecretHandler,
    SecretHashes,
    ShutOutClientHandler,
    SigningKeys,
  ],
  exports: [AccessTokens, Denylist, SecretHashes, SigningKeys],
})
export class AuthModule {}
