import { Client } from 'pg';
import { nearFace, randomFace } from '../faces-in-space.js';
import { median } from '../load.js';

export interface PgvectorFigures {
  readonly dimension: number;
  readonly size: number;
  readonly milliseconds: number;
  readonly right: boolean;
}

const ROWS_AT_ONCE = 1_000;
const REPEATS = 7;

/** pgvector's exact inner-product scan, of the same faces, in a temporary table without an index. */
export async function measurePgvector(
  url: string,
  dimension: number,
  size: number,
): Promise<PgvectorFigures> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS vector');
    await client.query(`CREATE TEMPORARY TABLE face (id integer, embedding vector(${dimension}))`);
    for (let first = 0; first < size; first += ROWS_AT_ONCE) {
      const ids = Array.from({ length: Math.min(ROWS_AT_ONCE, size - first) }, (_, i) => first + i);
      await client.query(
        'INSERT INTO face SELECT id, made::vector FROM unnest($1::int[], $2::text[]) AS made (id, made)',
        [ids, ids.map((id) => `[${unit(randomFace(id, dimension)).join()}]`)],
      );
    }
    const times: number[] = [];
    let right = true;
    for (let i = 0; i < REPEATS; i++) {
      const target = (i * 7_919 + 3) % size;
      const probe = `[${unit(nearFace(randomFace(target, dimension), size + i)).join()}]`;
      const started = performance.now();
      const { rows } = await client.query<{ id: number }>(
        'SELECT id FROM face ORDER BY embedding <#> $1::vector LIMIT 1',
        [probe],
      );
      times.push(performance.now() - started);
      right &&= rows[0]?.id === target;
    }
    return { dimension, size, milliseconds: median(times), right };
  } finally {
    await client.end();
  }
}

function unit(values: readonly number[]): number[] {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}
