import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import controls from './controls.json' with { type: 'json' };
import { CONTROL_CHECKS, type ControlState, type Finding } from './internal/control-checks.js';
import { type SystemState, SystemReader } from './internal/system-state.js';

export interface ControlFinding extends Finding {
  readonly id: string;
  readonly title: string;
  readonly serves: string;
  /** The function that looked; null: the running system cannot tell. */
  readonly check: string | null;
}

export interface ControlMap {
  readonly generatedAt: Date;
  readonly standard: string;
  readonly states: Readonly<Record<ControlState, number>>;
  readonly controls: readonly ControlFinding[];
}

/** Which controls of ISO/IEC 27001:2022, Annex A, Velum serves, and what the running system shows of each. */
export class MapControls extends Query<ControlMap> {}

@QueryHandler(MapControls)
export class MapControlsHandler implements IQueryHandler<MapControls> {
  constructor(private readonly system: SystemReader) {}

  async execute(): Promise<ControlMap> {
    const state = await this.system.read();
    const found = lookAtControls(state);
    const states = { met: 0, not_met: 0, needs_person: 0 };
    for (const control of found) states[control.state]++;
    return { generatedAt: state.at, standard: 'ISO/IEC 27001:2022, Annex A', states, controls: found };
  }
}

export function lookAtControls(state: SystemState): readonly ControlFinding[] {
  return controls.map((control) => ({ ...control, ...lookAt(control.check, state) }));
}

function lookAt(check: string | null, state: SystemState): Finding {
  if (check === null) return { state: 'needs_person', evidence: {} };
  const look = CONTROL_CHECKS[check];
  if (look === undefined) throw new Error(`there is no check ${check}`);
  return look(state);
}
