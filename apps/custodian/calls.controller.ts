import { CustodianUnavailable } from '#custody/custody.errors';
import { KeyCustodian } from '#custody/key-custodian';
import { CUSTODIAN_CALLS, isCustodianCall } from '#custody/wire/custodian-calls';
import { readBody } from '#custody/wire/read-body';
import { Controller, NotFoundException, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Histogram } from 'prom-client';

/** Under way, those included whose caller has given up: more would only make all of them slower. */
const MOST_AT_ONCE = 256;

const answerSeconds = new Histogram({
  name: 'velum_custody_answer_seconds',
  help: 'How long the custodian took for a call, by the error that it ended with, or ok',
  labelNames: ['call', 'outcome'],
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

/** The methods of the port and nothing else. */
@Controller('calls')
export class CallsController {
  private underWay = 0;

  constructor(private readonly custodian: KeyCustodian) {}

  @Post(':name')
  async call(@Param('name') name: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    if (!isCustodianCall(name)) throw new NotFoundException();
    if (this.underWay >= MOST_AT_ONCE) throw new CustodianUnavailable();
    this.underWay++;
    const ended = answerSeconds.startTimer({ call: name });
    try {
      const answer = await CUSTODIAN_CALLS[name].serve(this.custodian, await readBody(request));
      response.status(200).end(answer);
      ended({ outcome: 'ok' });
    } catch (error) {
      ended({ outcome: error instanceof Error ? error.name : 'unknown' });
      throw error;
    } finally {
      this.underWay--;
    }
  }
}
