import { KeyCustodian } from '#custody/key-custodian';
import { CUSTODIAN_CALLS, isCustodianCall } from '#custody/wire/custodian-calls';
import { readBody } from '#custody/wire/read-body';
import { Controller, NotFoundException, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';

/** The methods of the port and nothing else. */
@Controller('calls')
export class CallsController {
  constructor(private readonly custodian: KeyCustodian) {}

  @Post(':name')
  async call(@Param('name') name: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    if (!isCustodianCall(name)) throw new NotFoundException();
    const answer = await CUSTODIAN_CALLS[name].serve(this.custodian, await readBody(request));
    response.status(200).end(answer);
  }
}
