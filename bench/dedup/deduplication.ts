import { setTimeout } from 'node:timers/promises';

export interface Deduplication {
  /** From the call to the end of the job. */
  readonly seconds: number;
  readonly groups: number;
  readonly pairs: number;
}

/** Runs a job of the type `deduplicate` over HTTP. */
export async function deduplicate(url: string, token: string, galleryId: string): Promise<Deduplication> {
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (path: string, method = 'GET'): Promise<string> => {
    const response = await fetch(`${url}${path}`, { method, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
    return text;
  };
  const started = performance.now();
  const { id }: { id: string } = JSON.parse(
    await ask(`/v1/galleries/${galleryId}/jobs?type=deduplicate`, 'POST'),
  );
  for (let state = ''; state !== 'ended';) {
    const job: { state: string; code: string | null } = JSON.parse(await ask(`/v1/jobs/${id}`));
    if (job.code !== null) throw new Error(`the job failed: ${job.code}`);
    state = job.state;
    await setTimeout(50);
  }
  const seconds = (performance.now() - started) / 1_000;
  const lines = (await ask(`/v1/jobs/${id}/results`)).split('\n').filter((line) => line !== '');
  const groups = lines.map((line): { pairs: unknown[] } => JSON.parse(line));
  return { seconds, groups: groups.length, pairs: groups.reduce((sum, { pairs }) => sum + pairs.length, 0) };
}
