import { FacePool } from '#faces/face-pool';
import type { Config } from '#platform/config';
import { CONFIG } from '#platform/platform.module';
import { Scrape } from '#platform/scrape';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { Matcher } from './matcher.js';

/** What this process has in memory to match with, and how busy its face workers are. */
@Injectable()
export class EngineGauges implements OnModuleInit {
  constructor(
    private readonly scrape: Scrape,
    private readonly matcher: Matcher,
    private readonly faces: FacePool,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.scrape.source(
      'engine',
      {
        velum_match_memory_bytes: { help: 'Sealed rows and masks that match threads hold', labels: ['kind'] },
        velum_match_memory_limit_bytes: { help: 'MATCH_MEMORY_MB in bytes' },
        velum_match_galleries: { help: 'Galleries of which this process holds something' },
        velum_face_workers: { help: 'Face workers that have their models loaded', labels: ['state'] },
        velum_face_images_waiting: { help: 'Photographs that wait for a face worker' },
      },
      async () => {
        const { galleries, rowBytes, maskBytes } = this.matcher.held;
        const { ready, busy, waiting } = this.faces.load;
        return [
          { name: 'velum_match_memory_bytes', labels: { kind: 'rows' }, value: rowBytes },
          { name: 'velum_match_memory_bytes', labels: { kind: 'masks' }, value: maskBytes },
          { name: 'velum_match_memory_limit_bytes', value: this.config.matchMemoryBytes },
          { name: 'velum_match_galleries', value: galleries },
          { name: 'velum_face_workers', labels: { state: 'idle' }, value: ready - busy },
          { name: 'velum_face_workers', labels: { state: 'busy' }, value: busy },
          { name: 'velum_face_images_waiting', value: waiting },
        ];
      },
    );
  }
}
