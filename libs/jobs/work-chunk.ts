import type { BatchLedger, BatchOutcome } from '#biometrics/batch';
import { type BiometricSample, wipeSample } from '#biometrics/biometric-sample';
import { EnrolMany } from '#biometrics/enrol-many';
import { EraseMany } from '#biometrics/erase-many';
import { FindDuplicates } from '#biometrics/find-duplicates';
import { IdentifyMany } from '#biometrics/identify-many';
import type { JobId } from '#platform/ids';
import { timed } from '#platform/metrics';
import { Logger } from '@nestjs/common';
import { Command, CommandBus, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { ErasureProof } from './internal/erasure-proof.js';
import { inputRefusalOf } from './internal/input-refusal.js';
import type { ItemSource } from './internal/item-source.js';
import { ItemReader, type RefusedItem, type WaitingItem } from './internal/item-reader.js';
import { type EndedItem, type JobRow, JobStore } from './internal/job-store.js';
import { countPairs } from './internal/pair-count.js';
import { passesByItself } from './internal/passing-error.js';
import { Spool } from './internal/spool.js';
import { MOST_STARTS } from './job.js';
import { InputRefused } from './jobs.errors.js';

/** Of an error that is not the item's own fault, as far as anyone can tell. */
const TRIES = 3;

/** After so many a chunk is worked item by item, each counted by itself, so that one that kills costs no other. */
const SUSPICIOUS_STARTS = 5;

/** Carries a chunk's waiting items out; whatever happens to it, each item ends once. */
export class WorkChunk extends Command<void> {
  constructor(
    readonly jobId: JobId,
    readonly chunk: number,
  ) {
    super();
  }
}

/** The job was cancelled while a chunk was worked on: nothing of it counts. */
class JobCalledOff extends Error {
  override readonly name = 'JobCalledOff';
}

@CommandHandler(WorkChunk)
export class WorkChunkHandler implements ICommandHandler<WorkChunk> {
  private readonly logger = new Logger('jobs');

  constructor(
    private readonly db: DataSource,
    private readonly commands: CommandBus,
    private readonly jobs: JobStore,
    private readonly spool: Spool,
    private readonly reader: ItemReader,
    private readonly proof: ErasureProof,
  ) {}

  async execute({ jobId, chunk }: WorkChunk): Promise<void> {
    const job = await this.jobs.alive(jobId);
    if (job?.state !== 'running') return;
    const items = await this.jobs.begin(jobId, chunk, SUSPICIOUS_STARTS + 1);
    const doomed = items.filter(({ attempts }) => attempts > MOST_STARTS);
    const rest = items.filter(({ attempts }) => attempts <= MOST_STARTS);
    const careful = rest.some(({ attempts }) => attempts > SUSPICIOUS_STARTS);
    let begun: readonly WaitingItem[] = careful ? [] : rest;
    try {
      await timed('chunk', async () => {
        await this.end(
          job,
          doomed.map(({ n }) => ({ n, outcome: 'failed', code: 'gave_up' })),
        );
        await this.spool.reading(job, async (input) => {
          if (!careful) return this.together(job, input, rest);
          for (const item of rest) {
            await this.jobs.beginAlone(jobId, item);
            begun = [item];
            await this.patiently(job, input, item);
          }
        });
      });
    } catch (error) {
      // Also of a job whose last items were erased people's, and so are over.
      if (error instanceof JobCalledOff) return this.spool.removeUnneeded(jobId);
      const refused = inputRefusalOf(error);
      if (refused === undefined) {
        await this.jobs.release(jobId, begun).catch(() => undefined);
        throw error;
      }
      await this.db.transaction((tx) => this.jobs.refuse(tx, job, refused));
    }
    await this.spool.removeUnneeded(jobId);
  }

  private async together(
    job: JobRow,
    input: ItemSource | undefined,
    items: readonly WaitingItem[],
  ): Promise<void> {
    try {
      await this.carryOut(job, input, items);
    } catch (error) {
      if (!isOwnFault(error)) throw error;
      for (const item of items) await this.patiently(job, input, item);
    }
  }

  private async patiently(job: JobRow, input: ItemSource | undefined, item: WaitingItem): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.carryOut(job, input, [item]);
      } catch (error) {
        if (!isOwnFault(error)) throw error;
        if (tries < TRIES) continue;
        const errorName = error instanceof Error ? error.name : 'unknown';
        this.logger.error({ message: 'an item failed', jobId: job.id, item: item.n, errorName });
        return await this.end(job, [{ n: item.n, outcome: 'failed', code: 'internal_error' }]);
      }
    }
  }

  private async carryOut(
    job: JobRow,
    input: ItemSource | undefined,
    items: readonly WaitingItem[],
  ): Promise<void> {
    const { client_id: clientId, gallery_id: galleryId, settings, type } = job;
    const ledger = this.ledgerOf(job);
    if (type === 'deduplicate') {
      const asked = items.flatMap(({ n, input: pair }) => ('left' in pair ? [{ n, ...pair }] : []));
      return this.commands.execute(new FindDuplicates(clientId, galleryId, asked, ledger));
    }
    if (input === undefined) throw new InputRefused('input_lost');
    const entries = async <Entry extends object>(
      read: Promise<(Entry | RefusedItem)[]>,
    ): Promise<Entry[]> => {
      const all = await read;
      await this.end(job, all.filter(isRefused));
      return all.filter((each): each is Entry => !isRefused(each));
    };
    switch (type) {
      case 'enrol':
      case 're-embed': {
        const replaced = settings.replaces && { galleryId: settings.replaces, before: job.created_at };
        return withSamples(await entries(this.reader.enrolments(clientId, input, items)), (asked) =>
          this.commands.execute(new EnrolMany(clientId, galleryId, asked, ledger, replaced)),
        );
      }
      case 'identify': {
        return withSamples(await entries(this.reader.identifications(clientId, input, items)), (asked) =>
          this.commands.execute(new IdentifyMany(clientId, galleryId, asked, settings.topK, ledger)),
        );
      }
      case 'erase': {
        const asked = await entries(this.reader.erasures(clientId, input, items));
        return this.commands.execute(new EraseMany(clientId, asked, ledger));
      }
    }
  }

  private async end(job: JobRow, items: readonly EndedItem[]): Promise<void> {
    if (items.length === 0) return;
    await this.db.transaction((tx) => this.ledgerOf(job).settle(tx, items));
  }

  private ledgerOf(
    job: JobRow,
  ): BatchLedger & { settle: (tx: Tx, items: readonly EndedItem[]) => Promise<void> } {
    return {
      hold: (tx, entries) => this.jobs.holdWaiting(tx, job.id, entries),
      settle: async (tx, outcomes: readonly (BatchOutcome | EndedItem)[]) => {
        const proven = job.type === 'erase' ? await this.proof.complete(tx, job, outcomes) : outcomes;
        if (!(await this.jobs.endItems(tx, job.id, proven))) throw new JobCalledOff();
        if (job.type !== 'deduplicate') return;
        await countPairs(
          tx,
          job.id,
          outcomes.map(({ n }) => n),
        );
      },
    };
  }
}

type Tx = Parameters<BatchLedger['settle']>[0];

/** Overwrites them afterwards, those too that were refused before anybody looked at the face. */
async function withSamples<Entry extends { readonly sample: BiometricSample }>(
  entries: readonly Entry[],
  work: (entries: readonly Entry[]) => Promise<void>,
): Promise<void> {
  try {
    await work(entries);
  } finally {
    for (const { sample } of entries) wipeSample(sample);
  }
}

function isRefused(entry: object): entry is RefusedItem {
  return 'outcome' in entry && entry.outcome === 'refused';
}

/** Nor of the job itself, which ends the whole. */
function isOwnFault(error: unknown): boolean {
  return !passesByItself(error) && !(error instanceof JobCalledOff) && inputRefusalOf(error) === undefined;
}
