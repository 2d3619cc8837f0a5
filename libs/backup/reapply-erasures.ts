import { AuditLog } from '#audit/audit-log';
import { DestroyGallery } from '#biometrics/destroy-gallery';
import { DestroyKeySets } from '#biometrics/destroy-key-sets';
import { EraseSubject } from '#biometrics/erase-subject';
import { EraseTemplate } from '#biometrics/erase-template';
import { FindConsent } from '#consent/find-consent';
import { ProcessingLimits } from '#consent/processing-limits';
import { WithdrawConsent } from '#consent/withdraw-consent';
import { KeyCustodian } from '#custody/key-custodian';
import { DomainError } from '#platform/domain-error';
import type { ClientId, ConsentId, HoldId } from '#platform/ids';
import { type HoldView, FindHold } from '#retention/list-holds';
import { PlaceHold } from '#retention/place-hold';
import { ReleaseHold } from '#retention/release-hold';
import { HoldNotFound } from '#retention/retention.errors';
import { ScheduleDestruction } from '#retention/schedule-destruction';
import { Command, CommandBus, CommandHandler, type ICommandHandler, QueryBus } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Erasure } from './erasure-shipment.js';
import { withSubjects } from './internal/shipped-subjects.js';
import { ShuttingOutAgain, shutsOut } from './internal/shutting-out.js';

/** What was still there to be erased. */
export type Reapplied = Readonly<Record<Erasure['type'], number>>;

/** Causes before what followed from them, so that records name the cause. */
const ORDER: readonly Erasure['type'][] = [
  'hold.placed',
  'hold.released',
  'processing.restricted',
  'processing.resumed',
  'gallery.destroyed',
  'subject.erased',
  'consent.withdrawn',
  'template.erased',
  'officer.disabled',
  'officer.reset',
  'client.disabled',
  'client.secret_rotated',
];

/** Erases once more what was erased after a backup was taken, and records that the backup was restored. */
export class ReapplyErasures extends Command<Reapplied> {
  constructor(
    readonly backupId: string,
    readonly erasures: readonly Erasure[],
  ) {
    super();
  }
}

@CommandHandler(ReapplyErasures)
export class ReapplyErasuresHandler implements ICommandHandler<ReapplyErasures> {
  constructor(
    private readonly db: DataSource,
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
    private readonly limits: ProcessingLimits,
    private readonly audit: AuditLog,
    private readonly custodian: KeyCustodian,
    private readonly shuttingOut: ShuttingOutAgain,
  ) {}

  async execute({ backupId, erasures }: ReapplyErasures): Promise<Reapplied> {
    const done = {
      'hold.placed': 0,
      'hold.released': 0,
      'processing.restricted': 0,
      'processing.resumed': 0,
      'subject.erased': 0,
      'template.erased': 0,
      'consent.withdrawn': 0,
      'gallery.destroyed': 0,
      'officer.disabled': 0,
      'officer.reset': 0,
      'client.disabled': 0,
      'client.secret_rotated': 0,
    };
    for (const erasure of inOrder(await withSubjects(this.db.manager, erasures))) {
      if (await this.reapply(erasure)) done[erasure.type]++;
      // Also of a gallery that is not there: its keys are made before it, and a backup may have them alone.
      if (erasure.type === 'gallery.destroyed' && erasure.gallery_id !== null)
        await this.custodian.destroy(erasure.gallery_id);
    }
    // And what was decided before the backup: nothing serves before it is done.
    await this.commands.execute(new DestroyKeySets());
    await this.audit.append(this.db.manager, {
      type: 'database.restored',
      outcome: 'ok',
      details: {
        backupId,
        subjectsErased: done['subject.erased'],
        templatesErased: done['template.erased'],
        consentsWithdrawn: done['consent.withdrawn'],
        galleriesDestroyed: done['gallery.destroyed'],
        holdsPlaced: done['hold.placed'],
        holdsReleased: done['hold.released'],
        restrictionsBegun: done['processing.restricted'],
        restrictionsEnded: done['processing.resumed'],
        officersDisabled: done['officer.disabled'],
        officersReset: done['officer.reset'],
        clientsDisabled: done['client.disabled'],
        clientSecretsRotated: done['client.secret_rotated'],
      },
    });
    return done;
  }

  /** Answers whether there was anything left to erase: what was made after the backup is not there. */
  private async reapply(erasure: Erasure): Promise<boolean> {
    try {
      return await this.carryOut(erasure);
    } catch (error) {
      if (error instanceof DomainError && error.problem.status === 404) return false;
      throw error;
    }
  }

  private async carryOut(erasure: Erasure): Promise<boolean> {
    if (isHold(erasure)) return this.hold(erasure);
    if (shutsOut(erasure)) return this.shuttingOut.apply(erasure);
    const {
      type,
      client_id: clientId,
      subject_id: subjectId,
      gallery_id: galleryId,
      template_id: templateId,
      consent_id: consentId,
      at,
    } = erasure;
    if (clientId === null) throw new Error("an erasure that is no client's");
    if (isRestriction(erasure)) return this.restrict(erasure, clientId);
    const askedAt = at === undefined ? new Date() : new Date(at);
    if (type === 'subject.erased' && subjectId !== null) {
      await this.commands.execute(new EraseSubject(clientId, subjectId, askedAt, true));
    } else if (type === 'gallery.destroyed' && galleryId !== null) {
      await this.commands.execute(new DestroyGallery(clientId, galleryId, 'destroyed_before_restore'));
    } else if (
      type === 'template.erased' &&
      galleryId !== null &&
      subjectId !== null &&
      templateId !== null
    ) {
      const reason = 'erased_before_restore';
      await this.commands.execute(new EraseTemplate(clientId, galleryId, subjectId, templateId, reason));
    } else if (type === 'consent.withdrawn' && consentId !== null) {
      return this.withdraw(clientId, consentId, askedAt);
    } else throw new Error('an erasure without the ids of what was erased');
    return true;
  }

  /** Answers whether it was otherwise in the backup. */
  private restrict({ type, subject_id: subjectId }: Erasure, clientId: ClientId): Promise<boolean> {
    if (subjectId === null) throw new Error('a restriction of nobody');
    return this.db.transaction(async (tx) => {
      const [subject] = await tx.query<{ restricted: boolean }[]>(
        'SELECT restricted_at IS NOT NULL AS restricted FROM subject WHERE id = $1',
        [subjectId],
      );
      const wanted = type === 'processing.restricted';
      if (subject === undefined || subject.restricted === wanted) return false;
      await (wanted
        ? this.limits.restrict(tx, clientId, subjectId)
        : this.limits.resume(tx, clientId, subjectId));
      return true;
    });
  }

  private async hold(erasure: Erasure): Promise<boolean> {
    const {
      type,
      subject_id: subjectId,
      consent_id: consentId,
      hold_id: id,
      hold_reason: reason,
      at,
    } = erasure;
    if (!id || !subjectId || !reason || at === undefined) throw new Error('a hold without its ids');
    const there = await this.holdInBackup(id);
    if (type === 'hold.released') {
      if (there === undefined || there.releasedAt !== null) return false;
      await this.commands.execute(new ReleaseHold(id));
      return true;
    }
    const until = erasure.hold_until ? new Date(erasure.hold_until) : undefined;
    if (there !== undefined || (until !== undefined && until <= new Date())) return false;
    const hold = { subjectId, reason, ...(consentId && { consentId }), ...(until && { until }) };
    await this.commands.execute(new PlaceHold(hold, undefined, { id, placedAt: new Date(at) }));
    return true;
  }

  /** The journal may name what the dump has, too: it is shipped a moment later. */
  private async holdInBackup(id: HoldId): Promise<HoldView | undefined> {
    try {
      return await this.queries.execute(new FindHold(id));
    } catch (error) {
      if (error instanceof HoldNotFound) return undefined;
      throw error;
    }
  }

  private async withdraw(clientId: ClientId, consentId: ConsentId, at: Date): Promise<boolean> {
    const { state } = await this.queries.execute(new FindConsent(clientId, consentId));
    if (state !== 'active') return false;
    await this.commands.execute(new WithdrawConsent(clientId, consentId));
    // The worker would do it too, but a restored database holds no such template even for a moment.
    await this.db.transaction((tx) => this.commands.execute(new ScheduleDestruction(tx, consentId, at)));
    return true;
  }
}

function isHold({ type }: Erasure): boolean {
  return type === 'hold.placed' || type === 'hold.released';
}

function isRestriction({ type }: Erasure): boolean {
  return type === 'processing.restricted' || type === 'processing.resumed';
}

/** Holds and restrictions keep what was not erased before them: in the order of time around them, else by ORDER. */
function inOrder(erasures: readonly Erasure[]): readonly Erasure[] {
  const batches: Erasure[][] = [[]];
  for (const erasure of erasures.toSorted(
    (a, b) => Date.parse(a.at ?? '1970') - Date.parse(b.at ?? '1970'),
  )) {
    if (isHold(erasure) || isRestriction(erasure)) batches.push([erasure], []);
    else batches.at(-1)?.push(erasure);
  }
  return batches.flatMap((batch) => ORDER.flatMap((type) => batch.filter((each) => each.type === type)));
}
