// @ts-check
/** Where each layer stands in a strip: a row for each module, a column for each block, the rest in rows below. */

/**
 * @typedef {{
 *   name: string, option: string, block: number | null, module: string, part: string | null,
 *   rows: number, columns: number, bits: number | null, size_bytes: number,
 * }} LayerView
 * @typedef {{name: string, block: number | null, module: string, part?: string | null}} Placed
 * @typedef {{row: number, column: number | null, members: number[]}} Cell  column null: outside the blocks
 * @typedef {{label: string, title: string, isOutside: boolean, isPart: boolean}} GridRow
 * @typedef {{rows: GridRow[], blocks: number[], cells: Cell[], at: Map<string, number>, key: string}} LayerGrid
 */

const MANY_MODULES = 24; // more rows than this and the numbered ones (experts) share a row
const PARTS = new Map([["attention", "attention (whole)"], ["mlp", "MLP (whole)"], ["block", "block (whole)"]]);

/**
 * The grid of a model's layers: modules in order of first appearance, blocks by number.
 * @param {Placed[]} layers
 * @returns {LayerGrid}
 */
export function layerGrid(layers) {
  const inside = layers.filter((layer) => layer.block !== null);
  const isGrouped = new Set(inside.map((layer) => layer.module)).size > MANY_MODULES;
  const blocks = [...new Set(inside.map((layer) => Number(layer.block)))].sort((left, right) => left - right);
  const columnOf = new Map(blocks.map((block, column) => [block, column]));
  const keys = layers.map((layer) => rowKey(layer, isGrouped));
  const order = [...new Set([...keys.filter((_, i) => layers[i].block !== null), ...keys])];
  const rowOf = new Map(order.map((key, row) => [key, row]));
  /** @type {Map<string, Cell>} */
  const cells = new Map();
  layers.forEach((layer, index) => {
    const [row, column] = [Number(rowOf.get(keys[index])), columnOf.get(Number(layer.block ?? NaN)) ?? null];
    const place = placeKey(row, column);
    const cell = cells.get(place) ?? { row, column, members: [] };
    cell.members.push(index);
    cells.set(place, cell);
  });
  const first = new Map(layers.map((layer, index) => /** @type {[string, Placed]} */ ([keys[index], layer])).reverse());
  return {
    rows: gridRows(order, first),
    blocks,
    cells: [...cells.values()],
    at: new Map([...cells.keys()].map((place, index) => [place, index])),
    key: layers.map((layer) => layer.name).join("\n"),
  };
}

/** Where a cell is looked up in `at`. @param {number} row @param {number | null} column */
export function placeKey(row, column) {
  return `${row}:${column ?? "-"}`;
}

/** @param {Placed} layer @param {boolean} isGrouped */
function rowKey(layer, isGrouped) {
  if (layer.block === null) return `outside ${layer.name}`;
  const module = isGrouped ? layer.module.replace(/(^|\.)\d+(?=\.|$)/g, "$1*") : layer.module;
  return `${layer.part ?? ""} ${module}`;
}

/** @param {string[]} keys @param {Map<string, Placed>} first @returns {GridRow[]} */
function gridRows(keys, first) {
  const titles = keys.map((key) => key.slice(key.indexOf(" ") + 1));
  const lasts = titles.map((title) => title.slice(title.lastIndexOf(".") + 1));
  const count = new Map();
  for (const last of lasts) count.set(last, (count.get(last) ?? 0) + 1);
  return keys.map((key, row) => {
    const layer = first.get(key);
    const part = layer?.part ?? null;
    const isOutside = layer?.block === null;
    const name = count.get(lasts[row]) === 1 ? lasts[row] : titles[row];
    const label = part !== null && !isOutside ? (PARTS.get(part) ?? part) : name;
    return { label: label || titles[row] || "block", title: titles[row] || label, isOutside, isPart: part !== null };
  });
}

/**
 * Mean bits of each weight over some layers; parts have no weights of their own. Null where there are none.
 * @param {LayerView[]} layers
 */
export function meanBits(layers) {
  let [bits, weights] = [0, 0];
  for (const layer of layers) {
    if (layer.bits === null) continue;
    const count = layer.rows * layer.columns;
    bits += layer.bits * count;
    weights += count;
  }
  return weights === 0 ? null : bits / weights;
}

/**
 * The bits of each column and of each row, for the bars beside a strip.
 * @param {LayerGrid} grid @param {LayerView[]} layers
 * @returns {{blocks: (number | null)[], rows: (number | null)[], all: number | null}}
 */
export function means(grid, layers) {
  /** @type {LayerView[][]} */
  const byBlock = grid.blocks.map(() => []);
  /** @type {LayerView[][]} */
  const byRow = grid.rows.map(() => []);
  for (const cell of grid.cells) {
    for (const member of cell.members) {
      byRow[cell.row].push(layers[member]);
      if (cell.column !== null) byBlock[cell.column].push(layers[member]);
    }
  }
  return { blocks: byBlock.map(meanBits), rows: byRow.map(meanBits), all: meanBits(layers) };
}
