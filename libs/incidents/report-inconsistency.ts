import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IncidentAlarm } from './internal/incident-alarm.js';

/** What the sequencer of the audit log refused to sign over. `said` MUST hold no personal data. */
export class ReportInconsistency extends Command<void> {
  constructor(readonly said: string) {
    super();
  }
}

@CommandHandler(ReportInconsistency)
export class ReportInconsistencyHandler implements ICommandHandler<ReportInconsistency> {
  constructor(private readonly alarm: IncidentAlarm) {}

  async execute({ said }: ReportInconsistency): Promise<void> {
    const now = new Date();
    await this.alarm.raise(
      { detector: 'audit_check_failed', cause: 'audit log', count: 1, from: now },
      now,
      said,
    );
  }
}
