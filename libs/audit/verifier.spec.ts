import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CheckpointSigner } from './internal/checkpoint-signer.js';
import { type Entry, seal } from './internal/entry.js';
import {
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  parseVkey,
  verifyBundle,
  verifyExport,
  verifyInclusionProof,
} from './verifier/verify-audit.mjs';
import { cosignature, makeWitnessKey, parseWitnessKey } from './witness.js';

const { privateKey } = generateKeyPairSync('ed25519');
const signer = new CheckpointSigner(
  'log.example/audit',
  createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })),
);
const keys = [parseVkey(signer.vkey)];
const { pem, vkey } = makeWitnessKey('witness.example/1');
const witness = parseWitnessKey(pem);
const witnesses = [parseVkey(vkey)];
const TIME = Date.parse('2026-01-01T12:00:00Z');

function cosigned(note: string): string {
  if (witness === undefined) throw new Error('no key');
  return `${note}${cosignature(witness, note.slice(0, note.indexOf('\n\n') + 1), new Date())}`;
}

function leafAt(leaf: number, at = '2026-01-01T12:00:00.000000Z'): { line: object; hash: Buffer } {
  const id = `00000000-0000-7000-8000-${String(leaf).padStart(12, '0')}`;
  const nothing = {
    code: null,
    clientId: null,
    subjectId: null,
    galleryId: null,
    requestId: null,
    ipHash: null,
  };
  const event: Entry = { id, at, type: 'token.issued', outcome: 'ok', ...nothing, details: {} };
  const { salt, commitment } = seal(event, 1);
  return {
    line: { leaf, commitment: commitment.toString('base64'), salt: salt.toString('base64'), event },
    hash: leafHash(commitment),
  };
}

/** Two leaves, a checkpoint after each, the second entry as old as is asked for. */
function exported({ second }: { second?: string } = {}): object[] {
  const [first, next] = [leafAt(0), leafAt(1, second)];
  const root = nodeHash(first.hash, next.hash);
  const signedAt = new Date(TIME).toISOString();
  return [
    { format: 'velum-audit-export/1', from: 0, to: 2, keys: [signer.vkey] },
    first.line,
    { n: 1, size: 1, note: signer.sign(1, first.hash), signedAt },
    next.line,
    { n: 2, size: 2, note: signer.sign(2, root), signedAt },
    { tile: [0, 0], hashes: Buffer.concat([first.hash, next.hash]).toString('base64') },
    { end: 2 },
  ];
}

async function* lines(of: readonly object[]): AsyncGenerator<string> {
  for (const line of of) yield JSON.stringify(line);
}

const faultsOf = async (of: readonly object[], trust = {}): Promise<string[]> =>
  (await verifyExport(lines(of), { keys, ...trust })).faults.map(({ what }) => what);

describe('an export', () => {
  test('verifies', async () => {
    expect(await verifyExport(lines(exported()), { keys })).toMatchObject({ faults: [], remarks: [] });
  });

  test('that was cut before its last line does not', async () => {
    expect(await faultsOf(exported().slice(0, -1))).toContain(
      'the last line is missing: the export was cut here',
    );
    const pages = [...exported().slice(0, -1), { ...exported()[0], from: 2 }, { end: 2 }];
    expect(await faultsOf(pages)).toContain('the last line is missing: the export was cut here');
  });

  test('with a gap that has no end is not filled up', async () => {
    const [head, ...rest] = exported();
    const far = { ...leafAt(9).line, leaf: 9e15 - 1 };
    const found = await faultsOf([{ ...head, to: 9e15 }, ...rest.slice(0, -1), far, { end: 9e15 }]);
    expect(found).toContainEqual(expect.stringContaining('are missing: no more was read'));
  }, 2_000);

  test('whose entry is older than a checkpoint without it is remarked on', async () => {
    const { faults, remarks } = await verifyExport(
      lines(exported({ second: '2026-01-01T11:50:00.000000Z' })),
      { keys },
    );
    expect([faults, remarks]).toEqual([[], [expect.stringMatching(/older by minutes .*: leaves 1$/)]]);
  });

  test('is asked for a witness: a cosigned checkpoint must have been compared', async () => {
    expect(await faultsOf(exported(), { witnesses })).toContainEqual(
      expect.stringContaining('no cosigned checkpoint'),
    );
    const [, , , , last] = exported();
    expect(last).toBeDefined();
    const same = exported();
    const note =
      same.flatMap((line) => ('n' in line && line.n === 2 && 'note' in line ? [String(line.note)] : []))[0] ??
      '';
    expect(await faultsOf(same, { witnesses, known: [cosigned(note)] })).toEqual([]);
  });
});

describe('a bundle or a proof', () => {
  const bundle = {
    checkpoint: signer.sign(0, EMPTY_ROOT),
    entries: [],
    subjectId: 'x',
    nextLeaf: null,
    waiting: 0,
  };
  const other = signer.sign(0, leafHash(Buffer.from('other')));
  const larger = signer.sign(7, leafHash(Buffer.from('larger')));

  test('is compared with the checkpoints that the auditor holds', () => {
    expect(verifyBundle(bundle, { keys, known: [bundle.checkpoint] })).toMatchObject({
      faults: [],
      remarks: [],
    });
    const { faults } = verifyBundle(bundle, { keys, known: [other] });
    expect(faults).toEqual([{ checkpoint: 0, what: expect.stringContaining('the log was rewritten') }]);
    const { remarks } = verifyBundle(bundle, { keys, known: [larger] });
    expect(remarks).toEqual([expect.stringContaining('not compared')]);
    const proof = { checkpoint: larger, leafIndex: 0, commitment: '', hashes: [], event: null };
    const against = signer.sign(7, leafHash(Buffer.from('x')));
    expect(verifyInclusionProof(proof, { keys, known: [against] }).faults).toContainEqual({
      checkpoint: 7,
      what: expect.stringContaining('the log was rewritten'),
    });
  });

  test('is witnessed by a cosigned checkpoint of its size, and by nothing else', () => {
    const asked = { keys, witnesses };
    expect(verifyBundle(bundle, { ...asked, known: [cosigned(bundle.checkpoint)] }).faults).toEqual([]);
    for (const known of [[], [bundle.checkpoint], [cosigned(larger)]]) {
      expect(verifyBundle(bundle, { ...asked, known }).faults).toHaveLength(1);
    }
  });

  test('says that it is a part, and that entries wait', () => {
    const { remarks } = verifyBundle({ ...bundle, nextLeaf: 9, waiting: 2 }, { keys });
    expect(remarks).toEqual(['this is a part: it goes on at leaf 9', '2 more entries have no leaf yet']);
  });
});
