import { KeyCustodian } from '#custody/key-custodian';
import type { InternalAnswer } from '#platform/internal-server';
import { Injectable } from '@nestjs/common';
import { setTimeout } from 'node:timers/promises';

const LONGEST_CHECK_MS = 2_000;

/** For an orchestrator; the port that callers reach wants a certificate. */
@Injectable()
export class CustodianHealth {
  constructor(private readonly custodian: KeyCustodian) {}

  async live(): Promise<InternalAnswer> {
    return json(200, 'ok');
  }

  async ready(): Promise<InternalAnswer> {
    const late = setTimeout(LONGEST_CHECK_MS, false, { ref: false });
    const works = this.custodian.ready().then(
      () => true,
      () => false,
    );
    return (await Promise.race([works, late])) ? json(200, 'ok') : json(503, 'error');
  }
}

function json(status: number, text: string): InternalAnswer {
  return { status, type: 'application/json', body: JSON.stringify({ status: text }) };
}
