import { AuthModule } from '#auth/auth.module';
import { type ClientCredentials, CreateClient } from '#auth/create-client';
import { DisableClient } from '#auth/disable-client';
import { ListClients } from '#auth/list-clients';
import { RotateClientSecret } from '#auth/rotate-client-secret';
import { ALL_SCOPES, isScope, type Scope, splitScopes } from '#auth/scopes';
import { ConfigurationError, loadConfig } from '#platform/config';
import { migrate } from '#platform/data-source';
import { DomainError } from '#platform/domain-error';
import { asId, type ClientId } from '#platform/ids';
import { PlatformModule } from '#platform/platform.module';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, CqrsModule, QueryBus } from '@nestjs/cqrs';
import { Command, InvalidArgumentError } from 'commander';
import { validate } from 'uuid';

@Module({})
class CliModule {}

const program = new Command('velum').description('Administers a Velum installation.');

program
  .command('migrate')
  .description('bring the database to this version (as the owner: MIGRATION_DATABASE_URL)')
  .action(async () => {
    const applied = await migrate();
    console.log(applied.length === 0 ? 'The database is up to date.' : `Applied: ${applied.join(', ')}`);
  });

const clients = program.command('clients').description('manage OAuth clients');

clients
  .command('create')
  .description('make a client; its secret is shown this once')
  .requiredOption('--name <name>', 'what the client is called')
  .requiredOption('--scopes <scopes>', 'scopes parted by spaces, or "all"', parseScopes)
  .option('--json', 'print JSON')
  .action(async ({ name, scopes, json }: { name: string; scopes: Scope[]; json?: boolean }) => {
    await inApp(async (app) => show(await app.get(CommandBus).execute(new CreateClient(name, scopes)), json));
  });

clients
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

clients
  .command('disable')
  .description('refuse its tokens from now on')
  .argument('<id>', 'the client id', parseClientId)
  .action(async (id: ClientId) => {
    await inApp((app) => app.get(CommandBus).execute(new DisableClient(id)));
    console.log('Disabled.');
  });

clients
  .command('rotate-secret')
  .description('make a new secret; the old one stops counting')
  .argument('<id>', 'the client id', parseClientId)
  .option('--json', 'print JSON')
  .action(async (id: ClientId, { json }: { json?: boolean }) => {
    await inApp(async (app) => show(await app.get(CommandBus).execute(new RotateClientSecret(id)), json));
  });

try {
  await program.parseAsync();
} catch (error) {
  const known = error instanceof ConfigurationError || error instanceof DomainError;
  const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
  console.error(known ? error.message : `That failed${code}. Is the database up, and has it been migrated?`);
  process.exitCode = 1;
}

async function inApp<R>(work: (app: INestApplicationContext) => Promise<R>): Promise<R> {
  const root = {
    module: CliModule,
    imports: [PlatformModule.forRoot(loadConfig(), 'velum-cli'), CqrsModule.forRoot(), AuthModule],
  };
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

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
