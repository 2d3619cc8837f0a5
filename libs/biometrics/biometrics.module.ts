import { AuditModule } from '#audit/audit.module';
import { ConsentModule } from '#consent/consent.module';
import { FacePool } from '#faces/face-pool';
import type { Config } from '#platform/config';
import { observeStage } from '#platform/metrics';
import { CONFIG } from '#platform/platform.module';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { BindTemplatesHandler } from './bind-templates.js';
import { CreateGalleryHandler } from './create-gallery.js';
import { DestroyGalleryHandler } from './destroy-gallery.js';
import { DestroyHeldHandler } from './destroy-held.js';
import { DestroyKeySetsHandler } from './destroy-key-sets.js';
import { EngineGauges } from './engine-gauges.js';
import { EnrolManyHandler } from './enrol-many.js';
import { EnrolTemplateHandler } from './enrol-template.js';
import { EraseManyHandler } from './erase-many.js';
import { EraseSubjectHandler } from './erase-subject.js';
import { EraseTemplateHandler } from './erase-template.js';
import { EraseUnconsentedHandler } from './erase-unconsented.js';
import { FindDuplicatesHandler } from './find-duplicates.js';
import { FindGalleryHandler } from './find-gallery.js';
import { IdentifyManyHandler } from './identify-many.js';
import { IdentifySubjectHandler } from './identify-subject.js';
import { GalleryDestruction } from './gallery-destruction.js';
import { GalleryThreshold } from './gallery-threshold.js';
import { CandidateSearch } from './internal/candidate-search.js';
import { ErasedPlaces } from './internal/erased-places.js';
import { GalleryStore } from './internal/gallery-store.js';
import { Gallery } from './internal/gallery.entity.js';
import { LiveSegments } from './internal/live-segment.js';
import { RowMover } from './internal/row-mover.js';
import { SampleEmbedder } from './internal/sample-embedder.js';
import { TemplateErasure } from './internal/template-erasure.js';
import { Template } from './internal/template.entity.js';
import { KeyRotations } from './key-rotations.js';
import { ListGalleriesHandler } from './list-galleries.js';
import { FindKeyRotationHandler, ListKeyRotationsHandler } from './list-key-rotations.js';
import { ListMatchableHandler } from './list-matchable.js';
import { ListSegmentsHandler } from './list-segments.js';
import { ListTemplatesHandler } from './list-templates.js';
import { Matcher } from './matcher.js';
import { RetireSlotsHandler } from './retire-slots.js';
import { RotateKeySetsHandler } from './rotate-key-sets.js';
import { StartKeyRotationHandler } from './start-key-rotation.js';
import { TemplateBindings } from './template-bindings.js';
import { VerifySubjectHandler } from './verify-subject.js';

@Module({
  imports: [AuditModule, ConsentModule, TypeOrmModule.forFeature([Gallery, Template])],
  providers: [
    {
      provide: FacePool,
      inject: [CONFIG],
      useFactory: (config: Config) =>
        new FacePool({
          workers: config.faceWorkers,
          observe: (step, seconds) => observeStage(step === 'wait' ? 'face_wait' : step, seconds),
        }),
    },
    BindTemplatesHandler,
    CandidateSearch,
    CreateGalleryHandler,
    DestroyGalleryHandler,
    DestroyHeldHandler,
    DestroyKeySetsHandler,
    EngineGauges,
    EnrolManyHandler,
    EnrolTemplateHandler,
    EraseManyHandler,
    ErasedPlaces,
    EraseSubjectHandler,
    EraseTemplateHandler,
    EraseUnconsentedHandler,
    FindDuplicatesHandler,
    FindGalleryHandler,
    FindKeyRotationHandler,
    GalleryDestruction,
    GalleryStore,
    GalleryThreshold,
    IdentifyManyHandler,
    IdentifySubjectHandler,
    KeyRotations,
    ListGalleriesHandler,
    ListKeyRotationsHandler,
    ListMatchableHandler,
    ListSegmentsHandler,
    ListTemplatesHandler,
    LiveSegments,
    Matcher,
    RetireSlotsHandler,
    RotateKeySetsHandler,
    RowMover,
    SampleEmbedder,
    StartKeyRotationHandler,
    TemplateBindings,
    TemplateErasure,
    VerifySubjectHandler,
  ],
  exports: [FacePool, GalleryDestruction, GalleryThreshold, KeyRotations],
})
export class BiometricsModule implements OnApplicationShutdown {
  constructor(private readonly faces: FacePool) {}

  async onApplicationShutdown(): Promise<void> {
    await this.faces.close();
  }
}
