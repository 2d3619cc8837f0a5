import { AuditModule } from '#audit/audit.module';
import { PolicyModule } from '#policy/policy.module';
import { WebhooksModule } from '#webhooks/webhooks.module';
import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AddAffectedHandler } from './add-affected.js';
import { AddEntryHandler } from './add-entry.js';
import { AssessIncidentHandler } from './assess-incident.js';
import { CloseIncidentHandler } from './close-incident.js';
import { ConfirmDeliveryHandler } from './confirm-delivery.js';
import { ContainIncidentHandler } from './contain-incident.js';
import { DetectIncidentsHandler } from './detect-incidents.js';
import { ExportDeliveryHandler } from './export-delivery.js';
import { FindIncidentHandler } from './find-incident.js';
import { IncidentGauges } from './incident-gauges.js';
import { IncidentAlarm } from './internal/incident-alarm.js';
import { IncidentEntry } from './internal/incident-entry.entity.js';
import { IncidentLedger } from './internal/incident-ledger.js';
import { IncidentNotice } from './internal/incident-notice.entity.js';
import { Incident } from './internal/incident.entity.js';
import { ListIncidentsHandler } from './list-incidents.js';
import { ListNotifiedHandler } from './list-notified.js';
import { NoteHandoversHandler } from './note-handovers.js';
import { OpenIncidentHandler } from './open-incident.js';
import { RecordNotificationHandler } from './record-notification.js';
import { ReleaseNoticesHandler } from './release-notices.js';
import { RemindDutiesHandler } from './remind-duties.js';
import { RenderTextHandler } from './render-text.js';
import { ReportDeliveryHandler } from './report-delivery.js';
import { ReportInconsistencyHandler } from './report-inconsistency.js';
import { TakeNoticesHandler } from './take-notices.js';

@Module({
  imports: [
    AuditModule,
    PolicyModule,
    WebhooksModule,
    TypeOrmModule.forFeature([Incident, IncidentEntry, IncidentNotice]),
  ],
  providers: [
    AddAffectedHandler,
    AddEntryHandler,
    AssessIncidentHandler,
    CloseIncidentHandler,
    ConfirmDeliveryHandler,
    ContainIncidentHandler,
    DetectIncidentsHandler,
    ExportDeliveryHandler,
    FindIncidentHandler,
    IncidentAlarm,
    IncidentGauges,
    IncidentLedger,
    ListIncidentsHandler,
    ListNotifiedHandler,
    NoteHandoversHandler,
    OpenIncidentHandler,
    RecordNotificationHandler,
    ReleaseNoticesHandler,
    RemindDutiesHandler,
    RenderTextHandler,
    ReportDeliveryHandler,
    ReportInconsistencyHandler,
    TakeNoticesHandler,
  ],
})
export class IncidentsModule {}
