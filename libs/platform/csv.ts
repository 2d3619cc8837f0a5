type Cell = string | number | Date | null;

/** RFC 4180: lines end with CRLF, and what holds a comma, a quote or a line end is quoted. */
export function writeCsv(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, Cell>>[],
): string {
  const lines = [columns.map(cell), ...rows.map((row) => columns.map((column) => cell(row[column] ?? null)))];
  return lines.map((line) => `${line.join(',')}\r\n`).join('');
}

// OWASP, CSV injection: a spreadsheet takes a text that begins so for a formula; after an apostrophe it does not.
const FORMULA = /^[=+\-@\t\r\n]/;

function cell(value: Cell): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = value instanceof Date ? value.toISOString() : value;
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
