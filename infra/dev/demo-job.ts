import { FacePool } from '#faces/face-pool';
import { quantiseTemplate } from '#homomorphic/quantised-vector';
import { asRow, decodeRow } from '#homomorphic/sealed-row';
import type { Client } from 'pg';
import { DemoClient, photoForm } from './demo-client.js';
import type { DemoPerson } from './demo-photos.js';
import { DemoReport } from './demo-report.js';

interface WithId {
  readonly id: string;
}

interface Enrolled {
  readonly person: DemoPerson;
  readonly subjectId: string;
  readonly consentId: string;
}

/** What is left to go on with. */
export interface DemoOutcome {
  readonly api: DemoClient;
  /** Ids. */
  readonly gallery: string;
  readonly notice: string;
}

const PURPOSE = 'access_control';

/** The main job, as a client app does it over HTTP; `database` is looked into as an operator or a thief could. */
export async function runDemoJob(
  url: string,
  credentials: { readonly clientId: string; readonly clientSecret: string },
  people: readonly DemoPerson[],
  database: Client,
): Promise<DemoOutcome> {
  const report = new DemoReport();
  const [, stranger] = people;
  if (stranger === undefined) throw new Error('the demo needs two people');

  const api = await report.step('token', async () => {
    const result = await DemoClient.connect(url, credentials.clientId, credentials.clientSecret);
    return { result, lines: ['OAuth 2 client credentials, RS256 access token'] };
  });
  const gallery = await report.step('gallery', async () => {
    const settings = { name: `Demo ${new Date().toISOString()}`, purpose: PURPOSE };
    const threshold = { targetFalseMatchRate: 0.0001 };
    const result = await api.post<WithId>('/v1/galleries', { ...settings, threshold });
    return { result, lines: ['a secret key of its own; matches at a false match rate of 1 in 10,000'] };
  });
  const path = `/v1/galleries/${gallery.id}`;

  const subjects = await report.step('without consent', async () => {
    const result: { person: DemoPerson; subjectId: string }[] = [];
    for (const person of people)
      result.push({ person, subjectId: (await api.post<WithId>('/v1/subjects', {})).id });
    const first = result[0]?.subjectId ?? '';
    const { status, code } = await api.refused(
      `${path}/subjects/${first}/templates`,
      photoForm('photos', stranger.enrol),
    );
    return {
      result,
      lines: [`${people.length} subjects registered; enrolling one is refused: ${status} ${code}`],
    };
  });
  const { enrolled, noticeId } = await report.step('consent', async () => {
    const notice = await api.post<WithId>('/v1/notices', {
      purpose: PURPOSE,
      language: 'en',
      title: 'Opening doors by face',
      jurisdiction: 'EU-GDPR',
      items: {
        purpose: 'Opening the doors of this building by face.',
        data: 'An encrypted template of your face; no photograph is kept.',
        retention: 'Until you withdraw; then it is destroyed at once.',
        withdrawal: 'At any time, in the app, as easily as you agree.',
        rights: 'You can see, correct and erase what we hold, and object.',
        complaint: 'You can complain to the supervisory authority.',
        controller: 'The demo, on your own machine.',
      },
    });
    const agreed: Enrolled[] = [];
    for (const { person, subjectId } of subjects) {
      const consent = await api.post<WithId>('/v1/consents', {
        subjectId,
        purpose: PURPOSE,
        noticeId: notice.id,
        evidence: { method: 'checkbox' },
      });
      agreed.push({ person, subjectId, consentId: consent.id });
    }
    return {
      result: { enrolled: agreed, noticeId: notice.id },
      lines: [`a notice published, ${agreed.length} consents recorded`],
    };
  });
  await report.step('enrolment', async () => {
    let photos = 0;
    for (const { person, subjectId } of enrolled) {
      await api.post(`${path}/subjects/${subjectId}/templates`, photoForm('photos', person.enrol));
      photos += person.enrol.length;
    }
    return {
      result: undefined,
      lines: [`${enrolled.length} people from ${photos} photographs, sealed one by one`],
    };
  });
  const verify = (subjectId: string, photo: Buffer): Promise<{ match: boolean }> =>
    api.post(`${path}/subjects/${subjectId}/verify`, photoForm('photo', [photo]));
  const identify = (photo: Buffer): Promise<{ candidates: { subjectId: string }[] }> =>
    api.post(`${path}/identify`, photoForm('photo', [photo]));

  const accepted = await report.step('the same person', async () => {
    const result: Enrolled[] = [];
    for (const each of enrolled) {
      if ((await verify(each.subjectId, each.person.probe)).match) result.push(each);
    }
    expect(result.length > 0, 'nobody was accepted');
    return {
      result,
      lines: [`${result.length} of ${enrolled.length} people accepted on another photograph`],
    };
  });
  await report.step('another person', async () => {
    let wrong = 0;
    for (const [i, { subjectId }] of enrolled.entries()) {
      const other = enrolled[(i + 1) % enrolled.length];
      if (other !== undefined && (await verify(subjectId, other.person.probe)).match) wrong++;
    }
    expect(wrong < enrolled.length / 2, 'strangers were accepted');
    return {
      result: undefined,
      lines: [`${enrolled.length - wrong} of ${enrolled.length} strangers refused, ${wrong} accepted`],
    };
  });
  const [alice] = accepted;
  const bob = enrolled.find((each) => each !== alice);
  if (alice === undefined || bob === undefined) throw new Error('the demo needs two people');
  await report.step('1:N', async () => {
    let right = 0;
    let wrong = 0;
    for (const { person, subjectId } of enrolled) {
      const { candidates } = await identify(person.probe);
      if (candidates[0]?.subjectId === subjectId) right++;
      else if (candidates.length > 0) wrong++;
    }
    expect(right > 0, 'nobody was found');
    const lines = [
      `${right} of ${enrolled.length} people found among ${enrolled.length}, ${wrong} taken for another`,
    ];
    return { result: undefined, lines };
  });
  await report.step('what is stored', async () => ({
    result: undefined,
    lines: await lookIntoDatabase(database, alice),
  }));
  await report.step('withdrawal', async () => {
    await api.post(`/v1/consents/${alice.consentId}/withdraw`);
    const { candidates } = await identify(alice.person.probe);
    expect(!candidates.some(({ subjectId }) => subjectId === alice.subjectId), 'a withdrawn face was found');
    const body = photoForm('photo', [alice.person.probe]);
    const { status, code } = await api.refused(`${path}/subjects/${alice.subjectId}/verify`, body);
    return {
      result: undefined,
      lines: [`1:N does not find ${alice.person.name} any more; 1:1: ${status} ${code}`],
    };
  });
  await report.step('erasure', async () => {
    await untilGone(database, alice.subjectId);
    await api.delete(`/v1/subjects/${bob.subjectId}`);
    const left = await countTemplates(database, bob.subjectId);
    expect(left === 0, 'an erased subject has templates');
    const lines = [
      `the worker erased what ${alice.person.name} had consented to`,
      `${bob.person.name} erased on request: ${left} templates left`,
    ];
    return { result: undefined, lines };
  });
  await report.step('audit trail', async () => {
    const page = await api.get<{ items: { type: string; outcome: string; at: string }[] }>(
      `/v1/admin/audit-events?subjectId=${alice.subjectId}&limit=50`,
    );
    const trail = page.items.toReversed().map(({ type, outcome }) => `${type}:${outcome}`);
    return {
      result: undefined,
      lines: [
        `everything that was done with ${alice.person.name}'s face:`,
        ...trail.map((entry) => `  ${entry}`),
      ],
    };
  });
  return { api, gallery: gallery.id, notice: noticeId };
}

/** Correlates the stored words with the true embedding, and with a second sealing of the same photograph. */
async function lookIntoDatabase(database: Client, { person, subjectId }: Enrolled): Promise<string[]> {
  const stored = await database.query<{ row: Buffer }>('SELECT "row" FROM template WHERE subject_id = $1', [
    subjectId,
  ]);
  const row = stored.rows[0]?.row;
  const [photo] = person.enrol;
  if (row === undefined || photo === undefined) throw new Error('nothing is stored');
  const faces = new FacePool({ workers: 1 });
  const analysis = await faces.analyse(new Uint8Array(photo), false);
  await faces.close();
  if (!analysis.ok) throw new Error('the enrolled photograph was refused');
  const words = decodeRow(asRow(row, row.length / 4));
  const correlation = pearson(words, quantiseTemplate(analysis.embedding));
  const chance = 2 / Math.sqrt(words.length);
  return [
    `a template is ${row.length} bytes: ${words.length} numbers mod q`,
    `their correlation with the face's embedding: ${correlation.toFixed(3)} (chance alone: within ±${chance.toFixed(2)}, 19 times of 20)`,
  ];
}

function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] ?? 0) - meanA, (b[i] ?? 0) - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.sqrt(aa * bb);
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
}

async function countTemplates(database: Client, subjectId: string): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    'SELECT count(*)::int AS n FROM template WHERE subject_id = $1',
    [subjectId],
  );
  return rows[0]?.n ?? 0;
}

async function untilGone(database: Client, subjectId: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while ((await countTemplates(database, subjectId)) > 0) {
    expect(Date.now() < deadline, 'the worker did not erase');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function expect(condition: boolean, failure: string): void {
  if (!condition) throw new Error(failure);
}
