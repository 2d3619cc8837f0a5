/** Nothing was changed: what was to be done would break the version that serves. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused';

  constructor(readonly reasons: readonly string[]) {
    super(
      `The migration does not suit the version that serves, and was taken back:\n${reasons
        .map((reason) => `  - ${reason}`)
        .join('\n')}`,
    );
  }
}
