import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';

/** As long as the jobs that they tell of. */
const KEPT_DAYS = 30;

/** Removes deliveries that ended long ago. */
export class ForgetDeliveries extends Command<void> {}

@CommandHandler(ForgetDeliveries)
export class ForgetDeliveriesHandler implements ICommandHandler<ForgetDeliveries> {
  constructor(private readonly db: DataSource) {}

  async execute(): Promise<void> {
    await this.db.query('DELETE FROM webhook_delivery WHERE ended_at < now() - make_interval(days => $1)', [
      KEPT_DAYS,
    ]);
  }
}
