// Checks what a Velum installation hands out of its audit log: an export, a person's bundle, a proof. For an auditor, who
// trusts neither the installation nor its database: this one file, Node 20.12 or newer, nothing else.
//
//   node verify-audit.mjs FILE|URL… [--key VKEY]… [--checkpoint FILE]… [--witness VKEY]…
//
// The formats are in docs/audit.md. RFC 6962 (tree), RFC 8785 (canonical JSON), C2SP signed-note, tlog-checkpoint and
// tlog-cosignature (checkpoints).
import { createHmac, createPublicKey, hash as oneShot, verify } from 'node:crypto';
import { createReadStream, realpathSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** @typedef {Record<string, unknown>} Json */
/** @typedef {{ leaf?: number | undefined, checkpoint?: number | undefined, what: string }} Fault */
/** @typedef {{ name: string, id: string, algorithm: number, key: import('node:crypto').KeyObject }} Key */
/** @typedef {{ origin: string, size: number, root: Buffer }} Checkpoint */
/** @typedef {{ keys: readonly Key[], witnesses?: readonly Key[], known?: readonly string[] }} Trust */
/** @typedef {{ faults: Fault[], remarks: string[], summary: string }} Verdict */

export const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
const TILE = 256;
/** Faults of one kind and place may be a million. */
const MOST_FAULTS = 1_000;
/** An entry waits for its leaf for a second; this long it waits where no worker ran. */
const BACKDATED_MS = 5 * 60_000;
const CUT = 'the last line is missing: the export was cut here';

// --- RFC 6962 section 2.1 -------------------------------------------------------------------------------------------

export const EMPTY_ROOT = oneShot('sha256', '', 'buffer');

// Filled anew for each hash: a million leaves are two million of them.
const node = Buffer.alloc(65, 1);

/** @param {Uint8Array} data */
export function leafHash(data) {
  return oneShot('sha256', Buffer.concat([Uint8Array.of(0), data]), 'buffer');
}

/** @param {Uint8Array} left @param {Uint8Array} right */
export function nodeHash(left, right) {
  if (left.length !== 32 || right.length !== 32) throw new RangeError('a hash has 32 bytes');
  node.set(left, 1);
  node.set(right, 33);
  return oneShot('sha256', node, 'buffer');
}

/** @param {number} value */
const half = (value) => Math.floor(value / 2);

/** @param {unknown} value @returns {value is number} */
const isCount = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

/** @param {readonly Buffer[]} hashes */
const areHashes = (...hashes) => hashes.every(({ length }) => length === 32);

/**
 * RFC 9162 section 2.1.3.2: whether `proof` leads from the leaf at `index` to the root of the first `size` leaves.
 * @param {number} index @param {number} size @param {Buffer} leaf @param {readonly Buffer[]} proof @param {Buffer} root
 */
export function verifyInclusion(index, size, leaf, proof, root) {
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes(leaf, root, ...proof)) return false;
  let [first, last, result] = [index, size - 1, leaf];
  for (const step of proof) {
    if (last === 0) return false;
    if (first % 2 === 1 || first === last) {
      result = nodeHash(step, result);
      while (first % 2 === 0 && first !== 0) [first, last] = [half(first), half(last)];
    } else result = nodeHash(result, step);
    [first, last] = [half(first), half(last)];
  }
  return last === 0 && result.equals(root);
}

/**
 * RFC 9162 section 2.1.4.2: whether the first `from` of `to` leaves are those that the root of `from` stood for.
 * @param {number} from @param {number} to @param {Buffer} fromRoot @param {Buffer} toRoot @param {readonly Buffer[]} proof
 */
export function verifyConsistency(from, to, fromRoot, toRoot, proof) {
  if (!isCount(from) || !isCount(to) || from > to) return false;
  if (from === 0 && !fromRoot.equals(EMPTY_ROOT)) return false;
  if (from === to) return proof.length === 0 && fromRoot.equals(toRoot);
  if (!areHashes(fromRoot, toRoot, ...proof)) return false;
  if (from === 0) return proof.length === 0;
  let [first, last] = [from - 1, to - 1];
  while (first % 2 === 1) [first, last] = [half(first), half(last)];
  // A `from` that is a power of two is a whole subtree: its root begins the path, and the proof leaves it out.
  const [start, ...steps] = first === 0 ? [fromRoot, ...proof] : proof;
  if (start === undefined) return false;
  let [older, newer] = [start, start];
  for (const step of steps) {
    if (last === 0) return false;
    if (first % 2 === 1 || first === last) {
      [older, newer] = [nodeHash(step, older), nodeHash(step, newer)];
      while (first % 2 === 0 && first !== 0) [first, last] = [half(first), half(last)];
    } else newer = nodeHash(newer, step);
    [first, last] = [half(first), half(last)];
  }
  return last === 0 && older.equals(fromRoot) && newer.equals(toRoot);
}

/** The root over complete subtrees in C2SP tlog-tiles' rows of 256, kept as the leaves go by. */
class Tree {
  size = 0;
  /** @type {Buffer[][]} The row that is being filled, on each level. */
  rows = [];
  /** @type {Map<string, Buffer>} Rows that were filled and not compared yet. */
  full = new Map();

  /** @param {Buffer} hash */
  add(hash) {
    this.size++;
    this.put(0, hash, this.size - 1);
  }

  /** @param {number} level @param {Buffer} hash @param {number} position */
  put(level, hash, position) {
    const row = (this.rows[level] ??= []);
    row.push(hash);
    if (row.length < TILE) return;
    const index = Math.floor(position / TILE);
    this.full.set(`${level}/${index}`, Buffer.concat(row));
    this.rows[level] = [];
    this.put(level + 1, foldRow(row), index);
  }

  root() {
    /** @type {Buffer | undefined} */
    let root;
    for (const row of this.rows) {
      for (let end = row.length; end > 0;) {
        // The lowest bit set is the size of the last complete subtree.
        const width = end & -end;
        const left = foldRow(row.slice(end - width, end));
        root = root === undefined ? left : nodeHash(left, root);
        end -= width;
      }
    }
    return root ?? EMPTY_ROOT;
  }
}

/** @param {Buffer[]} row @returns {Buffer} */
function foldRow(row) {
  let level = row;
  while (level.length > 1) {
    /** @type {Buffer[]} */
    const next = [];
    for (let i = 0; i < level.length; i += 2) next.push(nodeHash(at(level, i), at(level, i + 1)));
    level = next;
  }
  return at(level, 0);
}

/** @template T @param {readonly T[]} list @param {number} i @returns {T} */
function at(list, i) {
  const found = list[i];
  if (found === undefined) throw new RangeError('no such place');
  return found;
}

// --- What a leaf commits to -----------------------------------------------------------------------------------------

/**
 * RFC 8785, of what JSON can hold: members in the order of their UTF-16 code units, numbers as ECMAScript writes them.
 * @param {unknown} value @returns {string}
 */
export function canonicalJson(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonicalJson(each)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

/**
 * The data of a leaf: a byte that says who committed (1: the process that wrote the entry; 2: the sequencer, for entries
 * that came without), then HMAC-SHA256 of the entry under its salt.
 * @param {1 | 2} by @param {Uint8Array} salt @param {Json} event
 */
export function commitmentTo(by, salt, event) {
  const digest = createHmac('sha256', salt).update(canonicalJson(event)).digest();
  return Buffer.concat([Uint8Array.of(by), digest]);
}

/** @param {Buffer} commitment @param {Buffer} salt @param {Json} event */
function opens(commitment, salt, event) {
  const by = commitment[0] === 2 ? 2 : 1;
  return salt.length === 32 && commitmentTo(by, salt, event).equals(commitment);
}

// --- C2SP signed-note, tlog-checkpoint, tlog-cosignature ------------------------------------------------------------

/** SubjectPublicKeyInfo of Ed25519 before the 32 bytes of the key (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** @param {string} name @param {number} algorithm @param {Uint8Array} publicKey */
export function keyId(name, algorithm, publicKey) {
  const bytes = Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(algorithm), publicKey]);
  return oneShot('sha256', bytes, 'buffer').subarray(0, 4);
}

/** @param {string} name @param {number} algorithm @param {Uint8Array} publicKey */
export function vkeyOf(name, algorithm, publicKey) {
  const material = Buffer.concat([Uint8Array.of(algorithm), publicKey]).toString('base64');
  return `${name}+${keyId(name, algorithm, publicKey).toString('hex')}+${material}`;
}

/** Throws if the text is no verifier key of signed-note, or its id is not that of its name and key. @param {string} vkey @returns {Key} */
export function parseVkey(vkey) {
  const [, name = '', id = '', material = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(vkey.trim()) ?? [];
  const bytes = Buffer.from(material, 'base64');
  const algorithm = bytes[0] ?? 0;
  const key = bytes.subarray(1);
  if (key.length !== 32 || (algorithm !== ED25519 && algorithm !== COSIGNATURE)) {
    throw new Error('that is no verifier key: NAME+ID+KEY, of Ed25519');
  }
  if (keyId(name, algorithm, key).toString('hex') !== id) {
    throw new Error('the id of the verifier key is not that of its name and key');
  }
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, key]), format: 'der', type: 'spki' });
  return { name, id, algorithm, key: publicKey };
}

/** The message of a timestamped cosignature. @param {string} body @param {bigint} seconds */
export function cosignedMessage(body, seconds) {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${body}`);
}

/**
 * Takes a checkpoint apart and names, of `keys`, those whose signatures on it are good. Throws if the text is none.
 * @param {string} note @param {readonly Key[]} keys
 * @returns {Checkpoint & { body: string, signers: Key[], signatures: string[] }} `signatures`: the lines of the good ones.
 */
export function openCheckpoint(note, keys) {
  const end = note.indexOf('\n\n') + 1;
  const body = note.slice(0, end);
  const [origin = '', size = '', root = ''] = body.split('\n');
  const rootHash = Buffer.from(root, 'base64');
  if (end === 0 || origin === '' || !/^(0|[1-9]\d{0,15})$/.test(size) || rootHash.length !== 32) {
    throw new Error('that is no checkpoint');
  }
  /** @type {string[]} */
  const signatures = [];
  const signers = note
    .slice(end + 1)
    .split('\n')
    .flatMap((line) => {
      const [, name = '', text = ''] = /^— (\S+) (\S+)$/.exec(line) ?? [];
      const signature = Buffer.from(text, 'base64');
      const id = signature.subarray(0, 4).toString('hex');
      const good = keys.filter(
        (key) => key.name === name && key.id === id && isGood(key, signature.subarray(4), body),
      );
      if (good.length > 0) signatures.push(line);
      return good;
    });
  return { origin, size: Number(size), root: rootHash, body, signers, signatures };
}

/** @param {Key} key @param {Buffer} signature @param {string} body */
function isGood({ algorithm, key }, signature, body) {
  if (algorithm === ED25519)
    return signature.length === 64 && verify(null, Buffer.from(body), key, signature);
  if (signature.length !== 72) return false;
  return verify(null, cosignedMessage(body, signature.readBigUInt64BE()), key, signature.subarray(8));
}

/**
 * A checkpoint that the log's own key signed, and every witness that is asked for. Throws what is wrong with it.
 * @param {string} note @param {Trust} trust
 */
export function trustedCheckpoint(note, { keys, witnesses = [] }) {
  const checkpoint = openCheckpoint(note, [...keys, ...witnesses]);
  if (!checkpoint.signers.some((key) => keys.includes(key) && key.name === checkpoint.origin)) {
    throw new Error('it is not signed by the key of the log');
  }
  const missing = witnesses.find((witness) => !checkpoint.signers.includes(witness));
  if (missing !== undefined) throw new Error(`it is not cosigned by ${missing.name}`);
  return checkpoint;
}

// --- Single proofs and bundles --------------------------------------------------------------------------------------

/** @param {unknown} value */
const bytes = (value) => Buffer.from(typeof value === 'string' ? value : '', 'base64');

/** @param {unknown} value @returns {value is Json} */
const isObject = (value) => typeof value === 'object' && value !== null;

/** @param {unknown} value @returns {Json} */
const object = (value) => (isObject(value) ? value : {});

/** @param {unknown} value @returns {Buffer[]} */
const hashes = (value) => (Array.isArray(value) ? value.map(bytes) : []);

/** @param {unknown} text */
const textOf = (text) => (typeof text === 'string' ? text : '');

/** One entry with its path to the checkpoint. @param {Json} entry @param {Checkpoint} checkpoint @returns {Fault[]} */
function entryFaults(entry, checkpoint) {
  const leaf = Number(entry['leafIndex']);
  const commitment = bytes(entry['commitment']);
  /** @type {Fault[]} */
  const faults = [];
  if (
    !verifyInclusion(leaf, checkpoint.size, leafHash(commitment), hashes(entry['hashes']), checkpoint.root)
  ) {
    faults.push({ leaf, what: 'its proof does not lead to the root of the checkpoint' });
  }
  if (entry['event'] !== null && !opens(commitment, bytes(entry['salt']), object(entry['event']))) {
    faults.push({ leaf, what: 'its content is not what was committed to' });
  }
  return faults;
}

/** @param {Json} proof @param {Trust} trust @returns {Verdict} */
export function verifyInclusionProof(proof, trust) {
  return judged('1 entry', trust, (open) => ({ faults: entryFaults(proof, open(proof['checkpoint'])) }));
}

/** @param {Json} proof @param {Trust} trust @returns {Verdict} */
export function verifyConsistencyProof(proof, trust) {
  return judged('1 consistency proof', trust, (open) => {
    const [from, to] = [open(proof['fromCheckpoint']), open(proof['toCheckpoint'])];
    if (from.origin !== to.origin) return { faults: [{ what: 'the two checkpoints are of different logs' }] };
    if (verifyConsistency(from.size, to.size, from.root, to.root, hashes(proof['hashes'])))
      return { faults: [] };
    return {
      faults: [{ checkpoint: to.size, what: `it is not consistent with the checkpoint of ${from.size}` }],
    };
  });
}

/** What the log has of one person, each entry with its proof. @param {Json} bundle @param {Trust} trust @returns {Verdict} */
export function verifyBundle(bundle, trust) {
  const entries = Array.isArray(bundle['entries']) ? bundle['entries'].map(object) : [];
  return judged(`${entries.length} entries of one subject`, trust, (open) => {
    const checkpoint = open(bundle['checkpoint']);
    let before = -1;
    const faults = entries.flatMap((entry) => {
      const leaf = Number(entry['leafIndex']);
      const found = entryFaults(entry, checkpoint);
      if (object(entry['event'])['subjectId'] !== bundle['subjectId'])
        found.push({ leaf, what: 'it is about somebody else' });
      if (leaf <= before) found.push({ leaf, what: 'it stands twice, or in another order than in the log' });
      before = leaf;
      return found;
    });
    /** @type {string[]} */
    const remarks = [];
    if (bundle['nextLeaf'] !== null)
      remarks.push(`this is a part: it goes on at leaf ${Number(bundle['nextLeaf'])}`);
    if (bundle['waiting'] !== 0) remarks.push(`${Number(bundle['waiting'])} more entries have no leaf yet`);
    return { faults, remarks };
  });
}

/**
 * A check of what stands under single checkpoints, which `open` takes apart; those that the auditor holds are compared with
 * them. @param {string} summary @param {Trust} trust
 * @param {(open: (note: unknown) => Checkpoint) => { faults: Fault[], remarks?: string[] }} check @returns {Verdict}
 */
function judged(summary, trust, check) {
  /** @type {Checkpoint[]} */
  const shown = [];
  try {
    const held = (trust.known ?? []).map((note) => trustedCheckpoint(note, trust));
    const { faults, remarks = [] } = check((note) => {
      const checkpoint = trustedCheckpoint(textOf(note), { keys: trust.keys });
      shown.push(checkpoint);
      return checkpoint;
    });
    /** @type {Set<number>} */
    const compared = new Set();
    for (const { size, root } of held) {
      const same = shown.find((each) => each.size === size);
      if (same === undefined) continue;
      compared.add(size);
      if (!same.root.equals(root)) faults.push({ checkpoint: size, what: OTHER_ROOT });
    }
    const uncompared = held.filter(({ size }) => !compared.has(size)).map(({ size }) => size);
    if (uncompared.length > 0) remarks.push(notCompared(uncompared));
    if ((trust.witnesses ?? []).length > 0 && compared.size === 0) faults.push({ what: UNWITNESSED });
    return { faults, remarks, summary };
  } catch (error) {
    return { faults: [{ what: `the checkpoint: ${messageOf(error)}` }], remarks: [], summary };
  }
}

const OTHER_ROOT = 'its root is not that of the checkpoint that you hold: the log was rewritten';
const UNWITNESSED = 'no cosigned checkpoint could be compared: give one of this size with --checkpoint';

/** @param {readonly number[]} sizes */
const notCompared = (sizes) =>
  `not compared, for this is of another size: the checkpoints that you hold of ${sizes.join(', ')} leaves`;

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

// --- A whole export -------------------------------------------------------------------------------------------------

/** Reads an export line by line; memory holds ids of entries, not entries. */
class ExportCheck {
  tree = new Tree();
  /** @type {Fault[]} */
  faults = [];
  /** @type {string[]} */
  remarks = [];
  /** @type {Map<string, number>} Entry ids to leaves. */
  entries = new Map();
  /** @type {Map<string, { leaf: number, entries: unknown, digest: unknown }>} */
  records = new Map();
  /** @type {Map<string, { leaf: number, entries: unknown, digest: unknown }>} Shown with a proof, as they come after the export. */
  laterRecords = new Map();
  /** @type {Map<number, string>} Commitments of leaves that came without content. */
  missing = new Map();
  /** @type {Map<string, string[]>} Commitments by the record that they were forgotten under. */
  forgotten = new Map();
  /** @type {Map<number, Buffer[]>} Roots that the auditor holds, by size. */
  known = new Map();
  /** @type {number[]} */
  late = [];
  /** @type {number[]} */
  backdated = [];
  /** @type {(Checkpoint & { from: number }) | undefined} A later one, shown to begin with the first `from` leaves. */
  later;
  signedAt = -Infinity;
  compared = 0;
  /** Whether the page was read to its last line. */
  ended = true;
  /** Leaves are missing, so many that nothing after them is looked at. */
  lost = false;
  erasures = 0;
  promised = 0;
  tiles = false;
  checkpoints = 0;
  lastNumber = 0;
  lastSize = 0;
  goodSize = 0;
  forked = 0;
  written = false;

  /** @param {Trust} trust */
  constructor(trust) {
    this.trust = trust;
    for (const text of trust.known ?? []) {
      const { size, root } = trustedCheckpoint(text, trust);
      this.known.set(size, [...(this.known.get(size) ?? []), root]);
    }
    this.compareKnown();
  }

  /** @param {Fault} fault */
  fault(fault) {
    if (this.faults.length < MOST_FAULTS) this.faults.push(fault);
  }

  /** @param {Json} line */
  take(line) {
    if (this.lost && !('format' in line || 'end' in line)) return;
    if ('leaf' in line) this.leaf(line);
    else if ('tile' in line) this.tile(line);
    else if ('signedAt' in line) this.checkpoint(line);
    else if ('stray' in line) this.stray(line);
    else if ('format' in line) this.header(line);
    else if ('later' in line) this.laterCheckpoint(line);
    else if ('forgotten' in line) this.forgetting(line);
    else if ('end' in line) this.ended = line['end'] === this.tree.size || this.lost;
    else this.fault({ leaf: this.tree.size, what: 'a line here is none of an export, or cut in the middle' });
  }

  /** @param {Json} line */
  header(line) {
    if (line['format'] !== 'velum-audit-export/1') throw new Error('that is no export of an audit log');
    if (Number(line['from']) !== this.tree.size) {
      this.fault({ leaf: this.tree.size, what: `the export goes on at leaf ${Number(line['from'])}` });
    }
    const named = Array.isArray(line['keys']) ? line['keys'].map(String) : [];
    const begins = this.trust.keys.map(({ name, id }) => `${name}+${id}+`);
    for (const vkey of named.filter((each) => !begins.some((begin) => each.startsWith(begin)))) {
      this.fault({ what: `the installation names a key that you do not hold: ${vkey}` });
    }
    for (const begin of begins.filter((each) => !named.some((vkey) => vkey.startsWith(each)))) {
      this.fault({ what: `the installation does not name the key that you hold: ${begin}…` });
    }
    this.promised = Math.max(this.promised, Number(line['to']));
    this.tiles = true;
    if (!this.ended) this.fault({ leaf: this.tree.size, what: CUT });
    this.ended = false;
  }

  /** What stands in the tables and belongs to nothing. @param {Json} line */
  stray(line) {
    const which = textOf(line['which']);
    if (line['stray'] === 'leaf') this.fault({ leaf: Number(which), what: 'it was never signed for' });
    else if (line['stray'] === 'event')
      this.fault({ what: `the entry ${which} has no leaf and waits for none` });
    else if (line['stray'] === 'tile')
      this.fault({ what: `tile ${which} belongs to no tree that was signed` });
    else this.fault({ what: `the record ${which} is said to cover an entry that was not forgotten` });
  }

  /** @param {Json} line */
  leaf(line) {
    const leaf = Number(line['leaf']);
    if (!isCount(leaf) || leaf < this.tree.size) {
      return this.fault({ leaf, what: 'it stands twice, or in another order than in the log' });
    }
    if (Math.min(leaf, this.promised) - this.tree.size > MOST_FAULTS) {
      this.lost = true;
      return this.fault({
        leaf: this.tree.size,
        what: `it and those up to ${leaf - 1} are missing: no more was read`,
      });
    }
    // Its place is kept, so that those after it keep theirs.
    for (let missing = this.tree.size; missing < Math.min(leaf, this.promised); missing++) {
      this.fault({ leaf: missing, what: 'it is missing' });
      this.tree.add(EMPTY_ROOT);
      this.compareKnown();
    }
    const commitment = bytes(line['commitment']);
    if (commitment.length !== 33 || (commitment[0] !== 1 && commitment[0] !== 2)) {
      this.fault({ leaf, what: 'its commitment is none' });
    }
    if (commitment[0] === 1) this.written = true;
    else if (this.written) this.late.push(leaf);
    if (line['event'] !== undefined) this.content(leaf, commitment, line);
    else this.missing.set(leaf, commitment.toString('base64'));
    this.tree.add(leafHash(commitment));
    this.compareKnown();
  }

  /** @param {number} leaf @param {Buffer} commitment @param {Json} line */
  content(leaf, commitment, line) {
    const event = object(line['event']);
    const id = String(event['id']);
    if (!opens(commitment, bytes(line['salt']), event)) {
      this.fault({ leaf, what: 'its content is not what was committed to' });
    }
    if (commitment[0] === 1 && Date.parse(textOf(event['at'])) < this.signedAt - BACKDATED_MS)
      this.backdated.push(leaf);
    const other = this.entries.get(id);
    if (other !== undefined) this.fault({ leaf, what: `it is the entry of leaf ${other} once more` });
    this.entries.set(id, leaf);
    if (event['type'] === 'subject.erased') this.erasures++;
    if (event['type'] === 'entries.forgotten') {
      const { entries, digest } = object(event['details']);
      this.records.set(id, { leaf, entries, digest });
    }
  }

  /** @param {Json} line */
  laterCheckpoint(line) {
    try {
      const signed = trustedCheckpoint(textOf(line['later']), { keys: this.trust.keys });
      const from = this.tree.size;
      if (!verifyConsistency(from, signed.size, this.tree.root(), signed.root, hashes(line['hashes'])))
        return this.fault({
          checkpoint: signed.size,
          what: `it is not shown to begin with these ${from} leaves`,
        });
      this.later = { ...signed, from };
      this.compareRoots(signed.size, signed.root);
    } catch (error) {
      this.fault({ what: `the later checkpoint: ${messageOf(error)}` });
    }
  }

  /** What a record covers, and the record if it comes after the export. @param {Json} line */
  forgetting(line) {
    const id = textOf(line['forgotten']);
    const commitments = Array.isArray(line['commitments']) ? line['commitments'].map(String) : [];
    this.forgotten.set(id, commitments);
    if (line['record'] === undefined) return;
    const entry = object(line['record']);
    const event = object(entry['event']);
    const found =
      this.later === undefined ? [{ what: 'there is no later checkpoint' }] : entryFaults(entry, this.later);
    for (const { what } of found)
      this.fault({ what: `the record ${id} that entries were forgotten: ${what}` });
    if (found.length > 0 || event['type'] !== 'entries.forgotten' || event['id'] !== id) return;
    const { entries, digest } = object(event['details']);
    this.laterRecords.set(id, { leaf: Number(entry['leafIndex']), entries, digest });
  }

  /** @param {Json} line */
  tile(line) {
    const [level, index] = Array.isArray(line['tile']) ? line['tile'].map(Number) : [];
    const stored = bytes(line['hashes']);
    const key = `${level}/${index}`;
    const full = this.tree.full.get(key);
    this.tree.full.delete(key);
    const computed = full ?? Buffer.concat(this.tree.rows[level ?? -1] ?? []);
    if (stored.equals(computed)) return;
    const span = TILE ** (level ?? 0);
    const first = (index ?? 0) * TILE;
    for (let i = 0; i < Math.max(stored.length, computed.length); i += 32) {
      if (stored.subarray(i, i + 32).equals(computed.subarray(i, i + 32))) continue;
      const from = (first + i / 32) * span;
      const of = span === 1 ? '' : ` to ${from + span - 1}`;
      this.fault({ leaf: from, what: `the stored tree (tile ${key}) has another hash for it${of}` });
    }
  }

  /** @param {Json} line */
  checkpoint(line) {
    this.checkpoints++;
    const number = Number(line['n']);
    const size = Number(line['size']);
    if (number !== this.lastNumber + 1) {
      this.fault({
        checkpoint: size,
        what: `checkpoint ${number} follows ${this.lastNumber}: some were removed or reordered`,
      });
    }
    this.lastNumber = number;
    this.signedAt = Math.max(this.signedAt, Date.parse(textOf(line['signedAt'])) || -Infinity);
    try {
      const signed = trustedCheckpoint(textOf(line['note']), { keys: this.trust.keys });
      if (signed.size !== size) throw new Error(`it was signed for ${signed.size} leaves`);
      if (size <= this.lastSize) throw new Error(`it comes after that of ${this.lastSize} leaves`);
      if (size !== this.tree.size) throw new Error(`the export has it after ${this.tree.size} leaves`);
      if (!signed.root.equals(this.tree.root())) return this.fork(size);
      this.goodSize = size;
    } catch (error) {
      this.fault({ checkpoint: size, what: messageOf(error) });
    }
    this.lastSize = size;
  }

  /** @param {number} size */
  fork(size) {
    this.lastSize = size;
    this.forked++;
    // Every later one covers the changed leaves too.
    if (this.forked > 1) return;
    const where = `leaves ${this.goodSize} to ${size - 1}`;
    this.fault({
      leaf: this.goodSize,
      checkpoint: size,
      what: `its root does not fit: something among ${where} was changed, added, removed or reordered`,
    });
  }

  compareKnown() {
    if (this.known.has(this.tree.size)) this.compareRoots(this.tree.size, this.tree.root());
  }

  /** @param {number} size @param {Buffer} root */
  compareRoots(size, root) {
    const roots = this.known.get(size);
    if (roots === undefined) return;
    this.known.delete(size);
    this.compared++;
    if (roots.some((held) => !held.equals(root))) this.fault({ checkpoint: size, what: OTHER_ROOT });
  }

  /** @returns {Verdict} */
  end() {
    const size = this.tree.size;
    if (!this.ended) this.fault({ leaf: size, what: CUT });
    if (size !== this.promised && !this.lost)
      this.fault({ leaf: size, what: `the export ends here, of ${this.promised} leaves` });
    if (this.lastSize !== size && this.later?.from !== size)
      this.fault({ leaf: this.lastSize, what: `no checkpoint covers the leaves from here to ${size - 1}` });
    for (const key of this.tiles ? this.tree.full.keys() : [])
      this.fault({ what: `tile ${key} of the stored tree is missing` });
    const last = Math.max(size, this.later?.size ?? 0);
    const between = [...this.known.keys()].filter((held) => held <= last);
    for (const held of this.known.keys()) {
      if (held > last)
        this.fault({
          checkpoint: held,
          what: `you hold it, and the log has only ${last} leaves: it was cut or set back`,
        });
    }
    if (between.length > 0) this.remarks.push(notCompared(between));
    if ((this.trust.witnesses ?? []).length > 0 && this.compared === 0) this.fault({ what: UNWITNESSED });
    const { gone, by } = this.erasuresCover();
    if (this.late.length > 0) {
      this.remarks.push(
        `committed to by the sequencer, not when they were written: leaves ${ranges(this.late)}`,
      );
    }
    if (this.backdated.length > 0) {
      this.remarks.push(
        `older by minutes than a checkpoint that did not have them yet, so backdated or long in waiting: leaves ${ranges(this.backdated)}`,
      );
    }
    if (this.forked > 1)
      this.remarks.push(`${this.forked - 1} later checkpoints do not fit for the same reason, or for others`);
    const summary = `${size} leaves, ${gone} of them forgotten by ${by} erasures; ${this.checkpoints} checkpoints`;
    return { faults: this.faults, remarks: this.remarks, summary };
  }

  /** @returns {{ gone: number, by: number }} */
  erasuresCover() {
    /** @type {Map<string, string>} Commitments to the records that cover them. */
    const covered = new Map();
    for (const [id, commitments] of this.forgotten) for (const each of commitments) covered.set(each, id);
    /** @type {Map<string, number[]>} Leaves by record. */
    const gone = new Map();
    for (const [leaf, commitment] of this.missing) {
      const id = covered.get(commitment);
      // One erasure covers a commitment once.
      covered.delete(commitment);
      if (id === undefined) {
        this.fault({ leaf, what: 'its content is missing, and no erasure covers it' });
        continue;
      }
      const leaves = gone.get(id) ?? [];
      leaves.push(leaf);
      gone.set(id, leaves);
    }
    for (const [id, commitments] of this.forgotten) {
      const record = this.records.get(id) ?? this.laterRecords.get(id);
      const leaves = gone.get(id) ?? [];
      const what = `leaves ${ranges(leaves)} are missing their content`;
      if (record === undefined)
        this.fault({
          leaf: leaves[0],
          what: `${what}, and the record that is to cover them is not in the log`,
        });
      else if (record.entries !== commitments.length || record.digest !== digestOf(commitments.map(bytes)))
        this.fault({
          leaf: leaves[0],
          what: `${what}, and the record at leaf ${record.leaf} covers other entries`,
        });
    }
    for (const [id, { leaf, entries }] of this.records) {
      if (!this.forgotten.has(id) && entries !== 0)
        this.fault({ leaf, what: 'it says that entries were forgotten, and none was' });
    }
    if (this.records.size > this.erasures) {
      const leaves = [...this.records.values()].map(({ leaf }) => leaf);
      this.fault({
        leaf: leaves.at(-1),
        what: `${this.records.size} times entries were forgotten (leaves ${ranges(leaves)}) and only ${this.erasures} subjects erased`,
      });
    }
    return { gone: [...gone.values()].reduce((sum, { length }) => sum + length, 0), by: gone.size };
  }
}

/** Of the forgotten, in the order of their bytes. @param {readonly Buffer[]} commitments */
export function digestOf(commitments) {
  return oneShot('sha256', Buffer.concat(commitments.toSorted((a, b) => Buffer.compare(a, b))), 'hex');
}

/** @param {readonly number[]} leaves */
function ranges(leaves) {
  /** @type {[number, number][]} */
  const found = [];
  for (const leaf of leaves) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === leaf - 1) last[1] = leaf;
    else found.push([leaf, leaf]);
  }
  const shown = found.slice(0, 20).map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return shown.join(', ') + (found.length > 20 ? ', …' : '');
}

/** @param {AsyncIterable<string>} lines @param {Trust} trust @returns {Promise<Verdict>} */
export async function verifyExport(lines, trust) {
  const check = new ExportCheck(trust);
  for await (const line of lines) if (line !== '') check.take(parsed(line));
  return check.end();
}

/** @param {string} line @returns {Json} */
function parsed(line) {
  try {
    return object(JSON.parse(line));
  } catch {
    return {};
  }
}

// --- The command ----------------------------------------------------------------------------------------------------

/** Any of the above, told apart by its `format`. @param {AsyncIterable<string>} lines @param {Trust} trust @returns {Promise<Verdict>} */
export async function verifyAny(lines, trust) {
  const iterator = lines[Symbol.asyncIterator]();
  const { value: first = '' } = await iterator.next();
  const again = { [Symbol.asyncIterator]: () => chained(first, iterator) };
  if (first.includes('"velum-audit-export/1"'))
    return verifyExport(again, withKeyOf(object(JSON.parse(first)), trust));
  let text = '';
  for await (const line of again) text += `${line}\n`;
  const whole = object(JSON.parse(text));
  const trusted = withKeyOf(whole, trust);
  if (whole['format'] === 'velum-audit-bundle/1') return verifyBundle(whole, trusted);
  if (whole['format'] === 'velum-audit-inclusion/1') return verifyInclusionProof(whole, trusted);
  if (whole['format'] === 'velum-audit-consistency/1') return verifyConsistencyProof(whole, trusted);
  throw new Error('that is neither an export nor a bundle nor a proof');
}

/** @param {string} first @param {AsyncIterator<string>} rest */
async function* chained(first, rest) {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** Who names no key is told what that is worth. @param {Json} file @param {Trust} trust @returns {Trust} */
function withKeyOf(file, trust) {
  if (trust.keys.length > 0) return trust;
  const named = Array.isArray(file['keys']) ? file['keys'].map(String) : [];
  process.stderr.write(
    'No --key was given: the key in the file is believed, which shows only that the file fits together.\n',
  );
  return { ...trust, keys: named.map(parseVkey) };
}

/** A file, - for standard input, or the address of an installation (its token in AUDIT_TOKEN). @param {string} from @returns {Promise<AsyncIterable<string>>} */
async function linesOf(from) {
  if (!/^https?:/.test(from))
    return createInterface({ input: from === '-' ? process.stdin : createReadStream(from) });
  const url = new URL('v1/admin/audit/export', from.endsWith('/') ? from : `${from}/`);
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${process.env['AUDIT_TOKEN'] ?? ''}` },
  });
  if (!answer.ok || answer.body === null) throw new Error(`${url.origin} answered ${answer.status}`);
  return createInterface({
    input: Readable.from(answer.body),
  });
}

/** @param {readonly string[]} args @returns {Promise<number>} The exit code: 0 if all is as it was written. */
export async function main(args) {
  /** @type {Record<string, string[]>} */
  const given = { '': [], '--key': [], '--checkpoint': [], '--witness': [] };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const option = arg.startsWith('--') ? arg : '';
    const values = given[option];
    const value = option === '' ? arg : args[++i];
    if (values === undefined || value === undefined) return usage();
    values.push(value);
  }
  const { '': files = [], '--key': keys = [], '--witness': witnesses = [] } = given;
  if (files.length === 0) return usage();
  if (witnesses.length > 0 && given['--checkpoint']?.length === 0) {
    process.stderr.write('--witness is about checkpoints that you hold: give them with --checkpoint.\n');
    return usage();
  }
  let code = 0;
  for (const file of files) {
    try {
      const known = await Promise.all((given['--checkpoint'] ?? []).map((path) => readFile(path, 'utf8')));
      const trust = { keys: keys.map(parseVkey), witnesses: witnesses.map(parseVkey), known };
      const verdict = await verifyAny(await linesOf(file), trust);
      report(file, verdict);
      if (verdict.faults.length > 0) code = 1;
    } catch (error) {
      process.stderr.write(`${file}: ${messageOf(error)}\n`);
      code = 1;
    }
  }
  return code;
}

/** @param {string} file @param {Verdict} verdict */
function report(file, { faults, remarks, summary }) {
  const lines = faults.map(({ leaf, checkpoint, what }) => {
    const places = [
      leaf === undefined ? [] : `leaf ${leaf}`,
      checkpoint === undefined ? [] : `checkpoint of ${checkpoint} leaves`,
    ].flat();
    return `FAULT ${[...places, what].join(': ')}`;
  });
  if (faults.length >= MOST_FAULTS) lines.push(`… and more: only the first ${MOST_FAULTS} are shown`);
  lines.push(...remarks.map((remark) => `note: ${remark}`));
  lines.push(
    `${file}: ${summary}: ${faults.length === 0 ? 'all as it was written' : `${faults.length} faults`}`,
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}

function usage() {
  process.stderr.write(
    'node verify-audit.mjs FILE|URL… [--key VKEY]… [--checkpoint FILE]… [--witness VKEY]…\n',
  );
  return 2;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
