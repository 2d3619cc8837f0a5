import { validate } from 'uuid';
import type { ApiClient } from './api-client.js';
import { CannotEnrol } from './cannot-enrol.js';

export interface Gallery {
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
  readonly model: string;
}

/** Before anybody is registered: every photograph would be refused. Throws CannotEnrol. */
export async function requirePhotographs(api: ApiClient, gallery: Gallery): Promise<void> {
  const models = await api.get<readonly { id: string }[]>('/v1/models');
  if (models.some(({ id }) => id === gallery.model)) return;
  throw new CannotEnrol(
    `"${gallery.name}" takes the embeddings of "${gallery.model}", not photographs: name a gallery of a model that computes them (GET /v1/models), or send embeddings (docs/jobs.md).`,
  );
}

/** By its id or its name; CannotEnrol names the galleries that there are. */
export async function findGallery(api: ApiClient, idOrName: string): Promise<Gallery> {
  if (validate(idOrName)) return api.get<Gallery>(`/v1/galleries/${idOrName}`);
  const names: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page = await api.get<{ items: readonly Gallery[]; nextCursor: string | null }>(
      `/v1/galleries?limit=200${from}`,
    );
    for (const gallery of page.items) {
      if (gallery.name === idOrName) return gallery;
      names.push(gallery.name);
    }
    cursor = page.nextCursor;
  }
  throw new CannotEnrol(
    names.length === 0
      ? 'This client has no gallery yet: create one (POST /v1/galleries).'
      : `This client has no gallery "${idOrName}". It has: ${names.slice(-10).join(', ')}.`,
  );
}
