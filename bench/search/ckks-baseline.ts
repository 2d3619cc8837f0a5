import { initialize } from 'node-seal';
import { median } from '../load.js';

export interface CkksCost {
  readonly microseconds: number;
  readonly bytes: number;
}

const COMPARISONS = 7;

/**
 * One CKKS ciphertext for each template, as it is usually done: N = 8192, multiply, relinearise, rescale, and the sum
 * of the d slots by log2(d) rotations, with node-seal. The cost of one comparison.
 */
export async function measureCkks(dimension: number): Promise<CkksCost> {
  const seal = await initialize();
  using parameters = new seal.EncryptionParameters(seal.SchemeType.ckks);
  parameters.setPolyModulusDegree(8192);
  parameters.setCoeffModulus(seal.CoeffModulus.Create(8192, Int32Array.from([60, 40, 40, 60])));
  using context = new seal.SEALContext(parameters, true, seal.SecLevelType.tc128);
  using generator = new seal.KeyGenerator(context);
  using publicKey = generator.createPublicKey();
  using secretKey = generator.secretKey();
  using relinKeys = generator.createRelinKeys();
  const steps = Array.from({ length: Math.log2(dimension) }, (_, i) => 2 ** i);
  using galoisKeys = generator.createGaloisKeysWithSteps(Int32Array.from(steps));
  using encryptor = new seal.Encryptor(context, publicKey, secretKey);
  using evaluator = new seal.Evaluator(context);
  using encoder = new seal.CKKSEncoder(context);
  using plain = new seal.Plaintext();
  encoder.encode(
    Float64Array.from({ length: dimension }, (_, i) => Math.sin(i) / Math.sqrt(dimension)),
    2 ** 40,
    plain,
  );
  using template = new seal.Ciphertext();
  using probe = new seal.Ciphertext();
  encryptor.encrypt(plain, template);
  encryptor.encrypt(plain, probe);
  const stored: unknown = template.saveToArray(seal.ComprModeType.none);
  const times: number[] = [];
  for (let i = 0; i < COMPARISONS; i++) {
    const started = performance.now();
    using product = new seal.Ciphertext();
    evaluator.multiply(template, probe, product);
    evaluator.relinearizeInplace(product, relinKeys);
    evaluator.rescaleToNextInplace(product);
    for (const step of steps) {
      using rotated = new seal.Ciphertext();
      evaluator.rotateVector(product, step, galoisKeys, rotated);
      evaluator.addInplace(product, rotated);
    }
    times.push((performance.now() - started) * 1000);
  }
  return { microseconds: median(times), bytes: stored instanceof Uint8Array ? stored.length : 0 };
}
