/**
 * Whether a gallery is being deduplicated: pairs of segments were planned, and rows that leave them would be compared with
 * none. `gallery`: an SQL expression.
 */
export function openDeduplication(gallery: string): string {
  return `EXISTS (SELECT FROM job j WHERE j.gallery_id = ${gallery} AND j.type = 'deduplicate' AND j.state IN ('received', 'running'))`;
}
