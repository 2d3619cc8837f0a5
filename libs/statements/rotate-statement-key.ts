import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { Statements } from './statements.js';

/** Retires the key that signs statements, and makes the next; answers its kid. */
export class RotateStatementKey extends Command<string> {}

@CommandHandler(RotateStatementKey)
export class RotateStatementKeyHandler implements ICommandHandler<RotateStatementKey> {
  constructor(
    private readonly db: DataSource,
    private readonly statements: Statements,
  ) {}

  execute(): Promise<string> {
    return this.db.transaction((tx) => this.statements.rotate(tx));
  }
}
