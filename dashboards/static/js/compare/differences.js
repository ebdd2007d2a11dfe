// @ts-check
/** Which layers gained and which lost bits between two candidates. */

/**
 * @typedef {{name: string, option: string, block: number | null, module: string, part: string | null, rows: number,
 *   columns: number, bits: number | null, size_bytes: number}} Layer
 * @typedef {"gained" | "lost" | "other" | "same" | "missing"} Change
 * @typedef {{name: string, block: number | null, module: string, part: string | null, before: Layer | null,
 *   after: Layer | null, bits: number | null, bytes: number, change: Change}} LayerDifference
 * @typedef {{count: number, bytes: number}} Sum
 */

/**
 * Every layer of either, in the order of the first; `bits` and `bytes` are the second's less the first's.
 * @type {(before: Layer[], after: Layer[]) => LayerDifference[]}
 */
export function layerDifferences(before, after) {
  const later = new Map(after.map((layer) => [layer.name, layer]));
  const known = new Set(before.map((layer) => layer.name));
  return [
    ...before.map((layer) => difference(layer, later.get(layer.name) ?? null)),
    ...after.filter((layer) => !known.has(layer.name)).map((layer) => difference(null, layer)),
  ];
}

/** @type {(before: Layer | null, after: Layer | null) => LayerDifference} */
function difference(before, after) {
  const { name, block, module, part } = /** @type {Layer} */ (before ?? after);
  const bytes = (after?.size_bytes ?? 0) - (before?.size_bytes ?? 0);
  const bits = typeof before?.bits === "number" && typeof after?.bits === "number" ? after.bits - before.bits : null;
  return { name, block, module, part, before, after, bits, bytes, change: changeOf(before, after, bits, bytes) };
}

/** @type {(before: Layer | null, after: Layer | null, bits: number | null, bytes: number) => Change} */
function changeOf(before, after, bits, bytes) {
  if (before === null || after === null) return "missing";
  if (before.option === after.option) return "same";
  const moved = bits || bytes; // parts have no bits, and equal bits may take other bytes
  if (!moved) return "other";
  return moved > 0 ? "gained" : "lost";
}

/**
 * How many layers changed in which way, and by how many bytes together.
 * @type {(differences: LayerDifference[]) => Record<Change, Sum>}
 */
export function sums(differences) {
  /** @type {Record<Change, Sum>} */
  const all = { gained: zero(), lost: zero(), other: zero(), same: zero(), missing: zero() };
  for (const each of differences) {
    all[each.change].count += 1;
    all[each.change].bytes += each.bytes;
  }
  return all;
}

const zero = () => ({ count: 0, bytes: 0 });
