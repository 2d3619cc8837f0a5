type Sample = (schema: unknown, mediaType: string, config: unknown, example?: unknown) => unknown;

interface Explorer {
  readonly fn: { getSampleSchema: Sample };
}

/**
 * A plugin of the explorer: it takes NDJSON for JSON and would show the lines of an example as one quoted string. Runs in
 * the browser, where its source text is sent: nothing of this module is there.
 */
export function ndjsonExamples(): object {
  return {
    afterLoad({ fn }: Explorer) {
      const sample = fn.getSampleSchema;
      fn.getSampleSchema = (schema, mediaType, config, example) =>
        mediaType === 'application/x-ndjson' && typeof example === 'string'
          ? example
          : sample(schema, mediaType, config, example);
    },
  };
}
