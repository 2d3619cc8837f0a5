import { setTimeout } from 'node:timers/promises';
import { expect, type Table } from './check.js';
import type { StackClient } from './client.js';
import { derivedImage, docker } from './engine.js';
import { type Ended, IMAGE, type Installation } from './installation.js';
import type { Story } from './story.js';

const WATCH_SECONDS = 20;
/** Slower than any deploy here. */
const UPLOAD_PARTS = 35;
const UPLOAD_PAUSE_MS = 2_000;
const MODELS = 'dist/apps/api/models/models.controller.js';

/** What shows only under real traffic, after the switch. */
export async function checkWatching(
  table: Table,
  server: Installation,
  client: StackClient,
  { gallery, face }: Story,
): Promise<void> {
  const served = async (work: () => Promise<Ended>): Promise<{ run: Ended; failed: number; all: number }> => {
    const traffic = new Traffic(client);
    const run = await work();
    return { run, ...(await traffic.stop()) };
  };
  const activeAfter = async (colour: string): Promise<void> => {
    const { active } = await server.status();
    expect(active === colour, `${active} serves`);
  };

  await table.check('an upload that drips for over a minute outlives a switch', async () => {
    const path = `/v1/galleries/${gallery}/jobs?type=identify`;
    const started = Date.now();
    const line = `${JSON.stringify({ embedding: face })}\n`;
    let over = false;
    const upload = client
      .stream(
        'POST',
        path,
        drip(line, () => over),
        { 'content-type': 'application/x-ndjson' },
      )
      .then((answer) => ({ answer, answered: Date.now() }));
    const { status, text, lines } = await server.run(['deploy', '--image', IMAGE]);
    over = true;
    expect(status === 0, text);
    const switched = lines.find((each) => each.line.includes('switching from'))?.at ?? 0;
    const { answer, answered } = await upload;
    const [before, after] = [switched - started, answered - switched];
    expect(answer.status === 201, `${answer.status} ${answer.body}`);
    expect(before > 0 && after > 0, `begun ${before} ms before the switch, answered ${after} ms after it`);
    return `201 after ${seconds(before + after)} s, of which ${seconds(after)} s after the switch`;
  });

  await table.check('an image that never gets ready gets no traffic', async () => {
    server.set({ START_SECONDS: '45' });
    const image = derivedImage(`${IMAGE}-unready`, IMAGE, [
      'USER root',
      // Its custodian does.
      `RUN echo "process.exit(process.argv[2].includes(':3000/') ? 1 : 0)" >healthy.mjs`,
      'USER 10001:10001',
    ]);
    const { active } = await server.status();
    const { run, failed, all } = await served(() => server.run(['deploy', '--image', image]));
    server.set({ START_SECONDS: '240' });
    expect(run.status === 1 && run.text.includes('it does not get healthy'), run.text);
    await activeAfter(active);
    expect(failed === 0, `${failed} of ${all} calls failed`);
    return `exit code 1; 0 of ${all} calls failed`;
  });

  await table.check(
    'an image whose worker never gets ready gets no traffic, and the old one works on',
    async () => {
      const image = derivedImage(`${IMAGE}-idle`, IMAGE, [
        'USER root',
        // API and custodian do.
        `RUN sed -i '1i if (process.argv[2].includes(":9465/")) process.exit(1);' healthy.mjs`,
        'USER 10001:10001',
      ]);
      const { active } = await server.status();
      server.set({ START_SECONDS: '90' });
      const { run, failed, all } = await served(() => server.run(['deploy', '--image', image]));
      server.set({ START_SECONDS: '240' });
      expect(run.status === 1 && run.text.includes('its worker does not get healthy'), run.text);
      await activeAfter(active);
      const { services } = await server.status();
      expect(services[`worker-${active}`]?.health === 'healthy', 'nobody works');
      expect(failed === 0, `${failed} of ${all} calls failed`);
      return `exit code 1; 0 of ${all} calls failed`;
    },
  );

  server.set({ WATCH_SECONDS: String(WATCH_SECONDS) });
  try {
    await table.check('a new colour that fails under traffic loses it within the watch period', async () => {
      const image = derivedImage(`${IMAGE}-sick`, IMAGE, [
        'USER root',
        `RUN sed -i "s/ list() {/ list() { throw new Error();/" ${MODELS}`,
        'USER 10001:10001',
      ]);
      const { active } = await server.status();
      const { run, failed, all } = await served(() => server.run(['deploy', '--image', image]));
      expect(run.status === 1 && /\d+ % of the calls failed/.test(run.text), run.text);
      await activeAfter(active);
      return `"${sicknessOf(run)}" ${between(run)} s after the switch; ${failed} of ${all} calls failed`;
    });

    await table.check('a new colour that still loads galleries is not sick', async () => {
      const image = derivedImage(`${IMAGE}-loading`, IMAGE, [
        'USER root',
        `RUN sed -i '1i import { GalleryLoading } from "#biometrics/biometrics.errors";' ${MODELS} \\`,
        ` && sed -i "s/ list() {/ list() { throw new GalleryLoading();/" ${MODELS}`,
        'USER 10001:10001',
      ]);
      const { run, failed, all } = await served(() => server.run(['deploy', '--image', image]));
      expect(run.status === 0 && failed > 5, `${failed} failed: ${run.text}`);
      await server.succeed('rollback');
      return `${failed} of ${all} calls were answered gallery_loading, and it serves`;
    });

    for (const part of ['api', 'custodian', 'worker']) {
      await table.check(
        `a new colour whose ${part} is killed in its watch period loses the traffic`,
        async () => {
          const { active } = await server.status();
          const target = active === 'blue' ? 'green' : 'blue';
          const killIt = (line: string): void => {
            if (!line.includes('watching')) return;
            const pid = docker('inspect', '-f', '{{.State.Pid}}', server.container(`${part}-${target}`));
            process.kill(Number(pid), 'SIGKILL');
          };
          const { run, failed, all } = await served(() =>
            server.run(['deploy', '--image', IMAGE], undefined, killIt),
          );
          expect(run.status === 1 && run.text.includes('its process ended'), run.text);
          await activeAfter(active);
          return `"${sicknessOf(run)}" ${between(run)} s after the switch; ${failed} of ${all} calls failed`;
        },
      );
    }
  } finally {
    server.set({ WATCH_SECONDS: '3' });
  }

  await table.check(
    'a deploy while the colour that serves is down, and the other takes its calls',
    async () => {
      await server.succeed('deploy', '--image', IMAGE);
      const { active } = await server.status();
      docker('stop', server.container(`api-${active}`));
      const { run, failed, all } = await served(() => server.run(['deploy', '--image', IMAGE]));
      expect(run.status === 0 && run.text.includes(`${active} is down`), run.text);
      await activeAfter(active);
      // What a colour that went down had in hand may fail; an outage would fail all for a minute.
      expect(failed <= all / 100, `${failed} of ${all} calls failed`);
      return `${failed} of ${all} calls failed`;
    },
  );

  await table.check('and the next deploy works, with a JSON object for programs', async () => {
    const run = await server.run(['deploy', '--image', IMAGE, '--json']);
    const report = JSON.parse(run.lines.at(-1)?.line ?? '') as Record<string, unknown>;
    const { active } = await server.status();
    expect(
      run.status === 0 && report['result'] === 'done' && report['colour'] === active,
      JSON.stringify(report),
    );
    const bad = await server.run(['deploy', '--image', 'no-such-image', '--json']);
    const refusal = JSON.parse(bad.lines.at(-1)?.line ?? '') as Record<string, unknown>;
    expect(
      bad.status === 1 &&
        refusal['result'] === 'failed' &&
        refusal['failure'] === 'there is no image no-such-image',
      JSON.stringify(refusal),
    );
    return JSON.stringify(refusal);
  });
}

/** A read every 50 ms, on connections that are kept. */
class Traffic {
  private running = true;
  private all = 0;
  private failed = 0;
  private readonly ended: Promise<void>;

  constructor(private readonly client: StackClient) {
    this.ended = this.send();
  }

  async stop(): Promise<{ failed: number; all: number }> {
    this.running = false;
    await this.ended;
    return { failed: this.failed, all: this.all };
  }

  private async send(): Promise<void> {
    while (this.running) {
      const status = await this.client.send('GET', '/v1/models').then(
        (answer) => answer.status,
        () => 0,
      );
      this.all++;
      if (status !== 200) this.failed++;
      await setTimeout(50);
    }
  }
}

/** So many parts, and more until it is over. */
async function* drip(line: string, isOver: () => boolean): AsyncGenerator<string> {
  for (let i = 0; i < UPLOAD_PARTS || !isOver(); i++) {
    yield line;
    await setTimeout(UPLOAD_PAUSE_MS);
  }
}

function sicknessOf({ lines }: Ended): string {
  return lines.find(({ line }) => line.includes('is sick'))?.line.replace(/.*is sick: /, '') ?? '';
}

function between({ lines }: Ended): string {
  const at = lines.filter(({ line }) => line.includes('switching from')).map((each) => each.at);
  return seconds((at.at(-1) ?? 0) - (at[0] ?? 0));
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
