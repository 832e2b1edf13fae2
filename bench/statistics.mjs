// @ts-check
/** @typedef {{ figures: Record<string, number>, faults: Record<string, number>, counts: Record<string, number>, notes: string[] }} Measurement */
/** @typedef {Record<string, Record<string, Measurement[]>>} Measurements  by scenario and server, one per round */
/** @typedef {{ scenario: string, server: string, figure: string }} Place */
/** @typedef {{ median: number, low: number, high: number }} Spread */

/** The middle one, or the mean of the two in the middle. @param {number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** The least value that `q` of all do not exceed; NaN of none. @param {number[]} values @param {number} q */
export function quantile(values, q) {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * q) - 1)] ?? NaN;
}

/** @param {number[]} values @returns {Spread} */
export function spread(values) {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** One per round; nothing where it was not measured. @type {(measurements: Measurements, place: Place) => number[]} */
export function valuesOf(measurements, { scenario, server, figure }) {
  const rounds = measurements[scenario]?.[server] ?? [];
  return rounds.flatMap(({ figures }) => figures[figure] ?? []);
}

/**
 * Round by round against the yardstick's neighbouring measurement: what slowed the machine down for a minute slowed both.
 * Empty without a yardstick.
 * @type {(measurements: Measurements, place: Place, yardstick: string) => number[]}
 */
export function ratiosOf(measurements, place, yardstick) {
  const of = valuesOf(measurements, { ...place, server: yardstick });
  return valuesOf(measurements, place).flatMap((value, round) => {
    const base = of[round];
    return base === undefined ? [] : [value / base];
  });
}
