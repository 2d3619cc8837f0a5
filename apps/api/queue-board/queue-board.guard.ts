import { InsufficientScope, InvalidClient, InvalidScope, Unauthenticated } from '#auth/auth.errors';
import { IssueToken } from '#auth/issue-token';
import type { Scope } from '#auth/scopes';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { Request, Response } from 'express';
import { bearerToken } from '../auth/access-token.guard.js';
import { requireScopes } from '../auth/require-scopes.js';
import { TokenAdmission } from '../auth/token-admission.js';
import { presentedCredentials } from '../oauth/client-credentials.js';
import { PasswordLimitGuard } from '../rate-limit/rate-limit.guards.js';
import { QUEUE_BOARD } from './queue-board.js';

const SCOPE: Scope = 'admin:clients';
const COOKIE = 'velum_queues';

/**
 * A browser cannot send a bearer token by itself. It asks its user for client id and secret (HTTP Basic), and is given a
 * token for this scope alone, as a cookie: secrets are not hashed again for each of the page's own requests.
 */
@Injectable()
export class QueueBoardGuard implements CanActivate {
  constructor(
    private readonly admission: TokenAdmission,
    private readonly passwords: PasswordLimitGuard,
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const [request, response] = [http.getRequest<Request>(), http.getResponse<Response>()];
    try {
      if (!(await this.hasValidToken(request))) await this.signIn(context, request, response);
    } catch (error) {
      if (error instanceof Unauthenticated) {
        // RFC 7617: a browser asks its user on this.
        response.setHeader('WWW-Authenticate', 'Basic realm="Velum queues", charset="UTF-8"');
      }
      throw error;
    }
    requireScopes([SCOPE], response);
    return true;
  }

  private async hasValidToken(request: Request): Promise<boolean> {
    const presented = bearerToken(request) ?? cookieToken(request);
    if (presented === undefined) return false;
    try {
      await this.admission.admit(presented);
      return true;
    } catch (error) {
      if (error instanceof Unauthenticated) return false;
      throw error;
    }
  }

  private async signIn(context: ExecutionContext, request: Request, response: Response): Promise<void> {
    const { access_token: token, expires_in: seconds } = await refusing(async () => {
      const credentials = presentedCredentials(request, {});
      await this.passwords.canActivate(context);
      return this.commands.execute(new IssueToken(credentials, SCOPE));
    });
    await this.admission.admit(token);
    response.cookie(COOKIE, token, {
      path: QUEUE_BOARD,
      httpOnly: true,
      sameSite: 'strict',
      secure: this.config.mode === 'production',
      maxAge: seconds * 1_000,
    });
  }
}

/** What the token endpoint would say in its own form. */
async function refusing<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvalidClient) throw new Unauthenticated();
    throw error instanceof InvalidScope ? new InsufficientScope() : error;
  }
}

function cookieToken(request: Request): string | undefined {
  return new RegExp(`(?:^|; ?)${COOKIE}=([\\w.-]+)(?:;|$)`).exec(request.headers.cookie ?? '')?.[1];
}
