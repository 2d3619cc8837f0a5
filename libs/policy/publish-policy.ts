import { AuditLog } from '#audit/audit-log';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import { Policies } from './policies.js';
import { readPolicy } from './policy-document.js';

export interface PublishedPolicy {
  readonly jurisdiction: string;
  readonly revision: number;
}

/**
 * Puts a policy in force, in the transaction of whoever approved it. Dates that are written down stay as they are; throws
 * PolicyInvalid.
 */
export class PublishPolicy extends Command<PublishedPolicy> {
  constructor(
    readonly tx: EntityManager,
    readonly document: unknown,
    /** Added to the audit record. */
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super();
  }
}

@CommandHandler(PublishPolicy)
export class PublishPolicyHandler implements ICommandHandler<PublishPolicy> {
  constructor(
    private readonly policies: Policies,
    private readonly audit: AuditLog,
  ) {}

  async execute({ tx, document, details }: PublishPolicy): Promise<PublishedPolicy> {
    const policy = readPolicy(document);
    const revision = await this.policies.publish(tx, policy);
    const published = { jurisdiction: policy.code, revision };
    await this.audit.append(tx, {
      type: 'policy.published',
      outcome: 'ok',
      details: { ...published, ...details },
    });
    return published;
  }
}
