import { exportArchive } from '#rights/export-archive';
import { exportJson, type SubjectExport } from '#rights/export-subject';
import { StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import type { EXPORT_FORMATS } from './subject-rights.dto.js';

/** An export in the format that was asked for, as it is read. */
export function exportFile(exported: SubjectExport, format: (typeof EXPORT_FORMATS)[number]): StreamableFile {
  if (format === 'json') {
    return new StreamableFile(Readable.from(exportJson(exported)), { type: 'application/json' });
  }
  const disposition = `attachment; filename="${exported.subjectId}.zip"`;
  return new StreamableFile(new Readable().wrap(exportArchive(exported)), {
    type: 'application/zip',
    disposition,
  });
}
