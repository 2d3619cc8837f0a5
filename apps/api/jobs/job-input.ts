import type { JobInput } from '#jobs/create-job';
import { type JobType, MOST_INPUT_BYTES, NDJSON, ZIP } from '#jobs/job';
import { JobInputEmpty, JobInputTooLarge, JobInputUnsupported } from '#jobs/jobs.errors';
import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { Request } from 'express';
import { EXAMPLE_INPUT } from '../openapi/examples.js';
import { piecesOf } from './upload-pieces.js';

/** A job's input, its kind told from the headers: what will certainly be refused is refused before it is sent. */
export function inputOf(request: Request, type: JobType): JobInput | undefined {
  if (!hasBody(request)) {
    if (type === 'deduplicate') return undefined;
    throw new JobInputEmpty();
  }
  if (request.headers['content-encoding'] !== undefined) throw new JobInputUnsupported();
  if (Number(request.headers['content-length'] ?? 0) > MOST_INPUT_BYTES) throw new JobInputTooLarge();
  const content = piecesOf(request);
  if (request.is(ZIP) === ZIP) return { mediaType: ZIP, content };
  if (request.is(NDJSON) === NDJSON) return { mediaType: NDJSON, content };
  throw new JobInputUnsupported();
}

/** RFC 9112 section 6.3: without either header a request has no body. */
function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** In the description of the call: beside a file to choose the explorer shows no description of a body. */
export const JOB_INPUT = `**NDJSON**, an item a line: \`{"subjectId" | "reference", "consentId"?, "embedding"}\`; without
\`embedding\` to erase, without a subject to identify.

**ZIP** of photographs with \`manifest.csv\` at its top, columns \`subjectId\` or \`reference\`, \`file\` (several parted by
\`|\`) and if you like \`consentId\`; or \`manifest.ndjson\` with the same members.

A subject must be registered and have agreed before: whoever did not is refused, and the others are not held up.`;

/** The body as it comes over the network, which nobody has read. */
export const ApiJobInput = (): MethodDecorator =>
  applyDecorators(
    ApiConsumes(NDJSON, ZIP),
    ApiBody({
      required: false,
      description: 'The items.',
      schema: { type: 'string' },
      examples: { ndjson: { summary: 'One line', value: EXAMPLE_INPUT } },
    }),
  );
