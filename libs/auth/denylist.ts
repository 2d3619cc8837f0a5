import type { Config } from '#platform/config';
import type { ClientId, Id } from '#platform/ids';
import { CONFIG } from '#platform/platform.module';
import { DependencyUnavailable } from '#platform/platform.errors';
import { Inject, Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';

export type TokenId = Id<'token'>;

/** Says that Redis holds every entry that PostgreSQL does; gone, like the entries, when Redis loses its data. */
const LOADED = 'denylist:loaded';

const tokenKey = (jti: TokenId): string => `denylist:token:${jti}`;
const clientKey = (clientId: ClientId): string => `denylist:client:${clientId}`;

/**
 * Access tokens that are refused before they expire. PostgreSQL holds the truth and Redis a copy for speed. If the
 * copy was lost it is made anew before anything is accepted; if it cannot be read, nothing is.
 */
@Injectable()
export class Denylist {
  constructor(
    private readonly db: DataSource,
    private readonly redis: Redis,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Throws DependencyUnavailable when it cannot tell: closed, not open. */
  async isDenied(jti: TokenId, clientId: ClientId): Promise<boolean> {
    return this.reaching(async () => {
      const [loaded, token, client] = await this.redis.mget(LOADED, tokenKey(jti), clientKey(clientId));
      if (loaded !== null) return token !== null || client !== null;
      await this.reload();
      return (await this.redis.exists(tokenKey(jti), clientKey(clientId))) > 0;
    });
  }

  /** After the revocation has committed. Until it returns, the revocation is not acknowledged. */
  async denyToken(jti: TokenId, expiresAt: Date): Promise<void> {
    await this.reaching(() => this.put(tokenKey(jti), expiresAt));
  }

  async denyClient(clientId: ClientId): Promise<void> {
    await this.reaching(() => this.put(clientKey(clientId), this.lastExpiry(new Date())));
  }

  private async reload(): Promise<void> {
    const tokens = await this.db.query<{ jti: TokenId; expires_at: Date }[]>(
      'SELECT jti, expires_at FROM revoked_token WHERE expires_at > now()',
    );
    const clients = await this.db.query<{ id: ClientId; disabled_at: Date }[]>(
      'SELECT id, disabled_at FROM client WHERE disabled_at IS NOT NULL',
    );
    for (const { jti, expires_at } of tokens) await this.put(tokenKey(jti), expires_at);
    for (const { id, disabled_at } of clients) await this.put(clientKey(id), this.lastExpiry(disabled_at));
    await this.redis.set(LOADED, '1');
  }

  private async put(key: string, until: Date): Promise<void> {
    const milliseconds = until.getTime() - Date.now();
    if (milliseconds > 0) await this.redis.set(key, '1', 'PX', milliseconds);
  }

  /** When the last token that was issued before `at` has expired. */
  private lastExpiry(at: Date): Date {
    return new Date(at.getTime() + this.config.accessTokenSeconds * 1_000 + 60_000);
  }

  private async reaching<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw DependencyUnavailable.of('redis', error);
    }
  }
}
