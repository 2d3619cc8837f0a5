import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { defineConfig } from 'vitest/config';

/** The longest first, which are no long files: so that none is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => /\/test\/(memory|faults)\//.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

// The tests run as compiled: worker threads, package imports and decorator metadata are then the ones that ship.
export default defineConfig({
  test: {
    include: ['dist/**/*.spec.js'],
    exclude: ['node_modules/**'],
    globalSetup: ['dist/test/harness/global-setup.js'],
    setupFiles: ['dist/test/harness/property-seed.js'],
    sequence: { sequencer: LongestFirst },
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
