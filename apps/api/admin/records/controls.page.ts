import type { ControlMap } from '#records/map-controls';
import { html } from '../../page/html.js';
import { definitions, evidenceOf, page, stateOf, table } from '../../page/page.js';

export function controlsPage({ generatedAt, standard, states, controls }: ControlMap): string {
  return page('Control map', generatedAt, [
    html`<p>
      Controls of ${standard} that Velum serves, in words of our own, and what the running system shows of
      each. A control that it cannot see needs a person.
    </p>`,
    definitions({
      Met: states.met,
      'Not met': states.not_met,
      'Needs a person': states.needs_person,
    }),
    table(
      'Controls',
      ['Control', 'Title', 'What serves it', 'State', 'Looked at by', 'Evidence'],
      controls.map(({ id, title, serves, state, check, evidence }) => [
        id,
        title,
        serves,
        stateOf(state),
        check ?? 'nothing: the running system cannot tell',
        evidenceOf(evidence),
      ]),
    ),
  ]);
}
