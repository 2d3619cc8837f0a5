import { createHash } from 'node:crypto';
import { Html, html } from './html.js';

const STYLE = `
:root { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem; } h3 { font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0 1.25rem; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { border: 1px solid #bbb; padding: .35rem .5rem; text-align: left; vertical-align: top; overflow-wrap: break-word; }
thead th { background: #eee; } .missing, .state-not_met { color: #9b1c1c; font-weight: 600; }
.state-met { color: #14532d; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; } dt { font-weight: 600; } dd { margin: 0; }
footer { margin-top: 3rem; color: #555; font-size: .85rem; }
@media print {
  :root { font-size: 10pt; } body { max-width: none; margin: 0; padding: 0; }
  thead { display: table-header-group; } tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
}`;

const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** Nothing is loaded, run, framed or sent: the one style of the page is allowed by its digest. */
export const PAGE_SECURITY = [
  `default-src 'none'`,
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');

export function page(title: string, generatedAt: Date, content: readonly Html[]): string {
  return html`<!doctype html>
    <html lang="en-GB">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header><h1>${title}</h1></header>
        <main>${content}</main>
        <footer>
          Made by Velum from the running system at <time datetime="${generatedAt}">${generatedAt}</time>.
        </footer>
      </body>
    </html> `.text;
}

/** With an empty row where there is nothing, so that nobody wonders whether something is missing. */
export function table(
  caption: string,
  columns: readonly string[],
  rows: readonly (readonly (string | number | boolean | Date | Html | null)[])[],
): Html {
  const cells = (row: (typeof rows)[number]): Html =>
    html`<tr>
      ${row.map((cell) => html`<td>${cell ?? MISSING}</td>`)}
    </tr>`;
  return html`<table>
    <caption>
      ${caption}
    </caption>
    <thead>
      <tr>
        ${columns.map((column) => html`<th scope="col">${column}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${
        rows.length === 0
          ? html`<tr>
              <td colspan="${columns.length}">None.</td>
            </tr>`
          : rows.map(cells)
      }
    </tbody>
  </table>`;
}

const MISSING = html`<span class="missing">not stated</span>`;

export function definitions(entries: Readonly<Record<string, string | number | Date | null>>): Html {
  return html`<dl>
    ${Object.entries(entries).map(
      ([term, value]) =>
        html`<dt>${term}</dt>
          <dd>${value ?? MISSING}</dd>`,
    )}
  </dl>`;
}

/** A state in words, with the colour of its kind. */
export function stateOf(state: string): Html {
  return html`<span class="state-${state}">${state.replaceAll('_', ' ')}</span>`;
}

export function evidenceOf(evidence: Readonly<Record<string, string | number | boolean | null>>): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name}: ${value ?? 'none'}`)
    .join('; ');
}
