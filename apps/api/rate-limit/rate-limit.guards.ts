import { currentContext } from '#platform/request-context';
import { type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler';
import type { Response } from 'express';
import { Counter } from 'prom-client';
import { RateLimited } from '../problem/http.errors.js';

const refusals = new Counter({
  name: 'velum_rate_limited_total',
  help: 'Requests refused with 429, by whose limit was reached',
  labelNames: ['limit'],
});

const UNLIMITED = 'velum:unlimited';
const SHARE = 'velum:limit-share';

/** Of the limit of an address, for calls that hash a password. */
export const PASSWORD_SHARE = 0.05;

/** Health checks must answer whatever else goes on. */
export const Unlimited = (): ClassDecorator => SetMetadata(UNLIMITED, true);

/** A call that costs much, such as one that hashes a password, gets this share of the limit of an address. */
export const LimitShare = (share: number): MethodDecorator => SetMetadata(SHARE, share);

abstract class LimitGuard extends ThrottlerGuard {
  protected abstract readonly throttler: string;
  /** Whom the counter belongs to; undefined: nobody is counted here. */
  protected abstract tracker(): string | undefined;

  override async onModuleInit(): Promise<void> {
    await super.onModuleInit();
    this.throttlers = this.throttlers.filter(({ name }) => name === this.throttler);
  }

  protected override async shouldSkip(context: ExecutionContext): Promise<boolean> {
    return this.reflector.get<boolean | undefined>(UNLIMITED, context.getClass()) === true;
  }

  /** A part of the limit that is counted apart, under a name. */
  protected share(context: ExecutionContext): { of: number; name: string } | undefined {
    const of = this.reflector.get<number | undefined>(SHARE, context.getHandler());
    return of === undefined ? undefined : { of, name: context.getHandler().name };
  }

  protected override async handleRequest({ context, limit, ttl }: ThrottlerRequest): Promise<boolean> {
    const tracker = this.tracker();
    if (tracker === undefined) return true;
    const share = this.share(context);
    const quota = share === undefined ? limit : Math.ceil(limit * share.of);
    const key = [this.throttler, tracker, ...(share === undefined ? [] : [share.name])].join(':');
    const record = await this.storageService.increment(key, ttl, quota, 0, this.throttler);
    // draft-ietf-httpapi-ratelimit-headers: the policy, and what is left of it.
    const response = context.switchToHttp().getResponse<Response>();
    const left = Math.max(0, quota - record.totalHits);
    response.setHeader('RateLimit-Policy', `"${this.throttler}";q=${quota};w=${ttl / 1_000}`);
    response.setHeader('RateLimit', `"${this.throttler}";r=${left};t=${record.timeToExpire}`);
    if (!record.isBlocked) return true;
    response.setHeader('Retry-After', record.timeToExpire);
    refusals.inc({ limit: this.throttler });
    throw new RateLimited();
  }
}

/** Before anything is checked: what one address may send. Only the hash of the address is kept. */
@Injectable()
export class AddressLimitGuard extends LimitGuard {
  protected readonly throttler = 'address';

  protected tracker(): string | undefined {
    return currentContext()?.ipHash;
  }
}

/** Where a page hashes a password only sometimes: before it does, the address is limited as at the token endpoint. */
@Injectable()
export class PasswordLimitGuard extends AddressLimitGuard {
  protected override share(): { of: number; name: string } {
    return { of: PASSWORD_SHARE, name: 'password' };
  }
}

/** After the token was checked: what one client or officer may send, from wherever. */
@Injectable()
export class ClientLimitGuard extends LimitGuard {
  protected readonly throttler = 'client';

  protected tracker(): string | undefined {
    const { clientId, officerId } = currentContext() ?? {};
    return clientId ?? officerId;
  }
}
