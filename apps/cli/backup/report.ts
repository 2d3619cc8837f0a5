import type { Manifest } from '#backup/manifest';
import type { RestoreReport } from '#backup/restore-backup';

export function asLine({ id, takenAt, bytes, tables, schema }: Manifest): string {
  const templates = tables['public.template'] ?? 0;
  return `${id}  ${takenAt}  ${(bytes / 2 ** 20).toFixed(1)} MiB  ${templates} templates  ${schema}`;
}

export function inWords(
  { manifest, applied, reapplied, closedSegments, openedSegments, keptAs }: RestoreReport,
  seconds: number,
): string {
  const rows = Object.values(manifest.tables).reduce((sum, n) => sum + n, 0);
  const lines = [
    `Backup ${manifest.id} of ${manifest.takenAt}: ${rows} rows in ${Object.keys(manifest.tables).length} tables, as many as were backed up.`,
    `Migrations applied: ${applied.join(', ') || 'none were newer'}.`,
    `Erased again: ${reapplied['subject.erased']} subjects, ${reapplied['template.erased']} templates, ${reapplied['gallery.destroyed']} galleries; ${reapplied['consent.withdrawn']} consents withdrawn again. Holds placed again: ${reapplied['hold.placed']}; released: ${reapplied['hold.released']}. Restrictions begun again: ${reapplied['processing.restricted']}; ended: ${reapplied['processing.resumed']}. Officers disabled again: ${reapplied['officer.disabled']}; shut out until they are reset: ${reapplied['officer.reset']}. Clients disabled again: ${reapplied['client.disabled']}; secrets of before that do not count again: ${reapplied['client.secret_rotated']}.`,
    `Segments closed, so that no slot is given twice: ${closedSegments}. Opened with the keys at hand: all ${openedSegments} that hold a template.`,
    `velum_app and velum_custodian can read every table that they were granted.`,
    ...(keptAs === undefined
      ? []
      : [`The database that was there is kept as ${keptAs}: drop it when you can.`]),
    `Took ${seconds.toFixed(1)} s.`,
  ];
  return lines.join('\n');
}
