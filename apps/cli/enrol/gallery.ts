import { validate } from 'uuid';
import type { ApiClient } from './api-client.js';
import { CannotEnrol } from './cannot-enrol.js';

export interface Gallery {
  readonly id: string;
  readonly name: string;
  readonly purpose: string;
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
