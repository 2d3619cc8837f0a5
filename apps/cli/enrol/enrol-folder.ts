import { randomUUID } from 'node:crypto';
import type { ApiClient } from './api-client.js';
import { CannotEnrol } from './cannot-enrol.js';
import type { Display } from './display.js';
import { findGallery, type Gallery, requirePhotographs } from './gallery.js';
import { followJob, type Job } from './job.js';
import { type Listing, readListing } from './listing.js';
import { registerPeople, requireNotice } from './people.js';
import { jobLine, registrationLine, uploadLine } from './progress-line.js';
import { collectResults } from './results.js';
import { Refused } from './retry.js';
import { type EnrolState, StateFile } from './state-file.js';
import type { Report } from './summary.js';
import { uploadFolder } from './upload.js';

export interface EnrolRequest {
  readonly folder: string;
  readonly gallery?: string;
  readonly notice?: string;
  readonly resume: boolean;
  readonly anew: boolean;
  readonly cancel: boolean;
  readonly results?: string;
}

/** For how long the server remembers an Idempotency-Key (libs/platform/idempotency.ts). */
const KEY_KEPT_MS = 24 * 3_600_000;

/** Registers, uploads, follows and tells: each step is written down, and --resume goes on after it. */
export class FolderEnrolment {
  /** Known once the upload was acknowledged: from then on the job ends by itself. */
  jobId: string | undefined;
  private readonly states: StateFile;
  private readonly started = performance.now();

  constructor(
    private readonly api: ApiClient,
    private readonly display: Display,
    private readonly request: EnrolRequest,
  ) {
    this.states = new StateFile(request.folder);
  }

  async run(): Promise<Report> {
    const { resume, cancel, results } = this.request;
    const listing = readListing(this.request.folder);
    const { gallery, state } = resume || cancel ? await this.goOn(listing) : await this.begin(listing);
    this.jobId = state.jobId;
    this.jobId ??= await this.upload(gallery, listing, await this.register(gallery, listing, state));
    if (cancel) await this.api.post(`/v1/jobs/${this.jobId}/cancel`);
    const job = await this.follow(this.jobId);
    const people = state.digest === listing.digest ? listing.people : undefined;
    const refusals = await collectResults(this.api, job.id, people, results);
    this.states.remove();
    const seconds = (performance.now() - this.started) / 1_000;
    return { gallery, job, refusals, skipped: listing.skipped, seconds };
  }

  private async begin(listing: Listing): Promise<{ gallery: Gallery; state: EnrolState }> {
    const { gallery: named, notice, anew } = this.request;
    if (this.states.read() !== undefined && !anew) {
      throw new CannotEnrol(
        'An enrolment of this folder is not over yet: --resume goes on with it; --anew forgets it and starts another.',
      );
    }
    if (named === undefined) throw new CannotEnrol('Say where to: --gallery ID_OR_NAME.');
    const gallery = await findGallery(this.api, named);
    await requirePhotographs(this.api, gallery);
    if (notice !== undefined) await requireNotice(this.api, notice, gallery.purpose);
    const state: EnrolState = {
      version: 1,
      startedAt: new Date().toISOString(),
      galleryId: gallery.id,
      ...(notice === undefined ? {} : { noticeId: notice }),
      key: randomUUID(),
      digest: listing.digest,
      registered: notice === undefined,
    };
    this.states.save(state);
    return { gallery, state };
  }

  private async goOn(listing: Listing): Promise<{ gallery: Gallery; state: EnrolState }> {
    const state = this.states.read();
    if (state === undefined) {
      throw new CannotEnrol('Nothing of this folder is to be resumed: leave --resume and --cancel out.');
    }
    const { jobId, digest, startedAt, galleryId, noticeId } = state;
    const gallery = await findGallery(this.api, galleryId);
    const { gallery: named, notice } = this.request;
    if (notice !== undefined && notice !== noticeId) {
      throw new CannotEnrol(
        'This enrolment began with another notice, or with none: finish it with --resume, without --notice, first.',
      );
    }
    if (named !== undefined && named !== gallery.id && named !== gallery.name) {
      throw new CannotEnrol(
        `This folder is being enrolled in "${gallery.name}": finish that with --resume, without --gallery, first.`,
      );
    }
    if (jobId !== undefined) {
      this.display.say(`Job ${jobId} was acknowledged: it is followed, and nothing is uploaded again.`);
      if (digest !== listing.digest) {
        this.display.say('The folder has changed since: items are told by number, not by file name.');
      }
      return { gallery, state };
    }
    if (this.request.cancel) {
      throw new CannotEnrol('No job is known to have begun; --anew forgets the upload that was cut off.');
    }
    if (digest !== listing.digest) throw new CannotEnrol(CHANGED);
    if (Date.now() - Date.parse(startedAt) > KEY_KEPT_MS) {
      throw new CannotEnrol(
        'The upload began more than a day ago, and the server may have forgotten it. Look whether its job is there (GET /v1/jobs); if not, start with --anew.',
      );
    }
    return { gallery, state };
  }

  private async register(gallery: Gallery, listing: Listing, state: EnrolState): Promise<EnrolState> {
    const { noticeId, registered, key } = state;
    if (noticeId === undefined || registered) return state;
    const begun = performance.now();
    const vouching = { noticeId, purpose: gallery.purpose, key };
    await registerPeople(this.api, listing.people, vouching, (done, total) =>
      this.display.show(registrationLine(done, total, (performance.now() - begun) / 1_000)),
    );
    const next = { ...state, registered: true };
    this.states.save(next);
    return next;
  }

  private async upload(gallery: Gallery, listing: Listing, state: EnrolState): Promise<string> {
    const upload = { galleryId: gallery.id, listing, key: state.key };
    let begun = performance.now();
    let before = 0;
    try {
      const { id } = await uploadFolder(this.api, upload, (sent, bytes) => {
        // Sent once more from the start.
        if (sent < before) begun = performance.now();
        before = sent;
        this.display.show(uploadLine(sent, bytes, (performance.now() - begun) / 1_000));
      });
      this.states.save({ ...state, jobId: id });
      return id;
    } catch (error) {
      const changed = error instanceof Refused && error.code === 'idempotency_key_reused';
      throw changed ? new CannotEnrol(CHANGED) : error;
    }
  }

  private follow(id: string): Promise<Job> {
    return followJob(this.api, id, (job) => this.display.show(jobLine(job, new Date())));
  }
}

const CHANGED =
  'The folder has changed since its upload began, so the upload cannot be sent again as the same one. Put the folder back as it was and use --resume; or, if the upload never became a job (GET /v1/jobs), start with --anew.';
