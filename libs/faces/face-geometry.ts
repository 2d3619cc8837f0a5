export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Human's mesh: 468 points of [x, y, z?] in pixels. */
export type Mesh = readonly (readonly [number, number, number?])[];

/** Corners of the eyes in MediaPipe's mesh numbering; left and right as seen in the image. */
const LEFT_EYE = [33, 133] as const;
const RIGHT_EYE = [263, 362] as const;

export function meshPoint(mesh: Mesh, index: number): Point {
  const point = mesh[index];
  return { x: point?.[0] ?? 0, y: point?.[1] ?? 0 };
}

export function eyeCentres(mesh: Mesh): { readonly left: Point; readonly right: Point } {
  return {
    left: midpoint(meshPoint(mesh, LEFT_EYE[0]), meshPoint(mesh, LEFT_EYE[1])),
    right: midpoint(meshPoint(mesh, RIGHT_EYE[0]), meshPoint(mesh, RIGHT_EYE[1])),
  };
}

export function midpoint(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
