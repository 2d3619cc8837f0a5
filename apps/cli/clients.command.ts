import { type ClientCredentials, CreateClient } from '#auth/create-client';
import { DisableClient } from '#auth/disable-client';
import { ListClients } from '#auth/list-clients';
import { RotateClientSecret } from '#auth/rotate-client-secret';
import { ALL_SCOPES, isScope, type Scope, splitScopes } from '#auth/scopes';
import { asId, type ClientId } from '#platform/ids';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Command, InvalidArgumentError } from 'commander';
import { validate } from 'uuid';
import { inApp } from './in-app.js';

export const command = new Command('clients').description('manage OAuth clients');

command
  .command('create')
  .description('make a client; its secret is shown this once')
  .requiredOption('--name <name>', 'what the client is called')
  .requiredOption('--scopes <scopes>', 'scopes parted by spaces, or "all"', parseScopes)
  .option('--json', 'print JSON')
  .action(async ({ name, scopes, json }: { name: string; scopes: Scope[]; json?: boolean }) => {
    await inApp(async (app) => show(await app.get(CommandBus).execute(new CreateClient(name, scopes)), json));
  });

command
  .command('list')
  .description('list all clients')
  .action(async () => {
    await inApp(async (app) => {
      for (const { id, name, scopes, disabledAt } of await app.get(QueryBus).execute(new ListClients())) {
        console.log(
          `${id}  ${disabledAt === null ? 'active  ' : 'disabled'}  ${name}  [${scopes.join(' ')}]`,
        );
      }
    });
  });

command
  .command('disable')
  .description('refuse its tokens from now on')
  .argument('<id>', 'the client id', parseClientId)
  .action(async (id: ClientId) => {
    await inApp((app) => app.get(CommandBus).execute(new DisableClient(id)));
    console.log('Disabled.');
  });

command
  .command('rotate-secret')
  .description('make a new secret; the old one stops counting')
  .argument('<id>', 'the client id', parseClientId)
  .option('--json', 'print JSON')
  .action(async (id: ClientId, { json }: { json?: boolean }) => {
    await inApp(async (app) => show(await app.get(CommandBus).execute(new RotateClientSecret(id)), json));
  });

function show({ clientId, clientSecret }: ClientCredentials, json: boolean | undefined): void {
  if (json === true) console.log(JSON.stringify({ clientId, clientSecret }));
  else
    console.log(
      `Client id:     ${clientId}\nClient secret: ${clientSecret}\nKeep the secret: it is not shown again.`,
    );
}

function parseScopes(text: string): Scope[] {
  const names = text === 'all' ? ALL_SCOPES : splitScopes(text);
  const scopes = names.filter(isScope);
  if (scopes.length === 0 || scopes.length !== names.length) {
    throw new InvalidArgumentError(`Scopes are: ${ALL_SCOPES.join(', ')}.`);
  }
  return scopes;
}

function parseClientId(text: string): ClientId {
  if (!validate(text)) throw new InvalidArgumentError('A client id is a UUID.');
  return asId<'client'>(text);
}
