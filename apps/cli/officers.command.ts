import { CreateOfficer, type Invitation } from '#officers/create-officer';
import { DisableOfficer } from '#officers/disable-officer';
import { ListOfficers } from '#officers/list-officers';
import { isOfficerScope, OFFICER_SCOPES, type OfficerScope } from '#officers/officer-scopes';
import { OfficersModule } from '#officers/officers.module';
import { ResetOfficer } from '#officers/reset-officer';
import { asId, type OfficerId } from '#platform/ids';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { isEmail } from 'class-validator';
import { Command, InvalidArgumentError } from 'commander';
import { validate } from 'uuid';
import { inApp } from './in-app.js';

interface NewOfficer {
  readonly name: string;
  readonly email: string;
  readonly scopes: OfficerScope[];
  readonly json?: boolean;
}

export const command = new Command('officers').description('manage the accounts of compliance officers');

command
  .command('create')
  .description('invite a person; the enrolment code is shown this once and counts for 24 hours')
  .requiredOption('--name <name>', 'who it is', parseName)
  .requiredOption('--email <email>', 'what the officer logs in with', parseEmail)
  .requiredOption('--scopes <scopes>', `of ${OFFICER_SCOPES.join(', ')}, parted by commas`, parseScopes)
  .option('--json', 'print JSON')
  .action(async ({ name, email, scopes, json }: NewOfficer) => {
    await inApp(
      async (app) => show(await app.get(CommandBus).execute(new CreateOfficer(name, email, scopes)), json),
      [OfficersModule],
    );
  });

command
  .command('list')
  .description('list all officers')
  .action(async () => {
    const officers = await inApp((app) => app.get(QueryBus).execute(new ListOfficers()), [OfficersModule]);
    for (const { id, state, name, email, scopes } of officers) {
      console.log(`${id}  ${state.padEnd(8)}  ${name} <${email}>  [${scopes.join(' ')}]`);
    }
  });

command
  .command('disable')
  .description('end the sessions of an officer and let them in no more, for good')
  .argument('<id>', 'the officer id', parseOfficerId)
  .action(async (id: OfficerId) => {
    await inApp((app) => app.get(CommandBus).execute(new DisableOfficer(id)), [OfficersModule]);
    console.log('Disabled.');
  });

command
  .command('reset')
  .description('for who has lost password or telephone: nothing of before counts, and a new code enrols')
  .argument('<id>', 'the officer id', parseOfficerId)
  .option('--json', 'print JSON')
  .action(async (id: OfficerId, { json }: { json?: boolean }) => {
    await inApp(
      async (app) => show(await app.get(CommandBus).execute(new ResetOfficer(id)), json),
      [OfficersModule],
    );
  });

function show({ officerId, enrolmentCode }: Invitation, json: boolean | undefined): void {
  if (json === true) console.log(JSON.stringify({ officerId, enrolmentCode }));
  else
    console.log(
      `Officer id:     ${officerId}\nEnrolment code: ${enrolmentCode}\nHand the code to that person alone: it counts for 24 hours and is not shown again.`,
    );
}

function parseName(text: string): string {
  const name = text.trim();
  if (name === '' || name.length > 200) throw new InvalidArgumentError('A name has 1 to 200 characters.');
  return name;
}

function parseEmail(text: string): string {
  const email = text.trim();
  if (!isEmail(email)) throw new InvalidArgumentError('That is no e-mail address.');
  return email;
}

function parseScopes(text: string): OfficerScope[] {
  const names = text.split(/[\s,]+/).filter((name) => name !== '');
  const scopes = names.filter(isOfficerScope);
  if (scopes.length === 0 || scopes.length !== names.length) {
    throw new InvalidArgumentError(`Scopes are: ${OFFICER_SCOPES.join(', ')}.`);
  }
  return scopes;
}

function parseOfficerId(text: string): OfficerId {
  if (!validate(text)) throw new InvalidArgumentError('An officer id is a UUID.');
  return asId<'officer'>(text);
}
