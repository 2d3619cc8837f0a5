import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Accuracy, accuracyOf, section } from './accuracy-report.js';
import { encryptedComparisons, plaintextComparisons } from './comparisons.js';
import { type FaceSet, readFaceSet } from './face-set.js';

/**
 * `npm run bench:accuracy -- [DIR]`: error rates of the encrypted engine beside those of plaintext floats, on a folder
 * of photographs (one folder a person) or of embeddings. Ends with 1 where encryption costs more than it may.
 */
const TESTDATA = '../shared/testdata';
const DEFAULTS = ['lfw-embeddings', 'people'].map((name) => join(TESTDATA, name));

/** What quantising may cost against floats, and what photographs may be mistaken. */
const MOST_ACCURACY_LOST = 0.001;
const MOST_ACCEPT_RATE_LOST = 0.005;
const HIGHEST_ERROR_ON_PHOTOGRAPHS = 0.01;

const [named] = process.argv.slice(2);
const folders = named === undefined ? DEFAULTS.filter((folder) => existsSync(folder)) : [named];
if (folders.length === 0) {
  console.error('No faces to measure: name a folder.');
  process.exit(1);
}
const sections: string[] = [];
const misses: string[] = [];
for (const folder of folders) {
  const set = await readFaceSet(folder);
  console.log(`${set.name}: ${set.source} …`);
  const encrypted = accuracyOf(set, await encryptedComparisons(set.embeddings));
  const plain = accuracyOf(set, plaintextComparisons(set.embeddings));
  const text = section(set, encrypted, plain);
  sections.push(text);
  misses.push(...missed(set, encrypted, plain));
  console.log(`\n${text}\nEER ${(encrypted.equalErrorRate * 100).toFixed(1)} %\n`);
}
if (named === undefined) {
  writeFileSync('docs/accuracy.md', `${head()}\n${sections.join('\n')}`);
  console.log('Written to docs/accuracy.md.');
}
for (const miss of misses) console.error(`missed: ${miss}`);
process.exitCode = misses.length > 0 ? 1 : 0;

function missed(set: FaceSet, encrypted: Accuracy, plain: Accuracy): string[] {
  const lost = (plain.trueAcceptRates.at(-1) ?? 0) - (encrypted.trueAcceptRates.at(-1) ?? 0);
  const accuracy = (plain.accuracy ?? 0) - (encrypted.accuracy ?? 0);
  const isPhotographs = set.pairs === undefined;
  return [
    ...(!isPhotographs && lost > MOST_ACCEPT_RATE_LOST ? [`${set.name}: true accept rate at 1e-4`] : []),
    ...(accuracy > MOST_ACCURACY_LOST ? [`${set.name}: accuracy`] : []),
    ...(isPhotographs && encrypted.equalErrorRate > HIGHEST_ERROR_ON_PHOTOGRAPHS
      ? [`${set.name}: equal error rate`]
      : []),
  ];
}

function head(): string {
  return `# Accuracy

Written by \`npm run bench:accuracy\`: every comparison through the encrypted engine, and beside it in plaintext floats.
In brackets 95 % intervals, from people drawn anew with replacement. Few faces, of few groups: news and film photographs,
mostly of Western men. They tell what encryption costs, not how well the model serves your population.
`;
}
