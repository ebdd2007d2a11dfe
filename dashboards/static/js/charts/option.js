// @ts-check
/** What an option's slug says: its kind, its bits, and the few letters that a cell of a strip has room for. */

/**
 * @typedef {"quantize" | "sparse" | "low-rank" | "keep" | "drop" | "other"} OptionKind
 * @typedef {{slug: string, kind: OptionKind, bits: number | null, title: string}} OptionFacts
 */

const QUANTIZE = /^([a-z]+)-int(\d{1,2})-(channel|g\d+)-(sym|asym)$/;
const GGML = /^ggml-(?:iq|tq|q|mxfp)(\d)(?:_\w+)?$/;
const FLOAT = /^(?:[a-z]+-)?(?:fp|nf|mx)(\d{1,2})\b/;

/** @type {Map<string, OptionFacts>} */
const known = new Map();

/**
 * The facts of a slug; an option kind of a newer service is "other".
 * @param {string} slug
 * @returns {OptionFacts}
 */
export function optionFacts(slug) {
  const found = known.get(slug) ?? read(slug);
  known.set(slug, found);
  return found;
}

/** @param {string} slug @returns {OptionFacts} */
function read(slug) {
  if (slug === "keep") return { slug, kind: "keep", bits: null, title: "kept as it is" };
  if (slug === "drop") return { slug, kind: "drop", bits: 0, title: "dropped" };
  const quantized = QUANTIZE.exec(slug);
  if (quantized) {
    const [, solver, bits, group, symmetry] = quantized;
    const groups = group === "channel" ? "one group per channel" : `groups of ${group.slice(1)}`;
    const kind = symmetry === "sym" ? "symmetric" : "asymmetric";
    const title = `${bits} bits, ${groups}, ${kind}, ${solver.toUpperCase()}`;
    return { slug, kind: "quantize", bits: Number(bits), title };
  }
  const ggml = GGML.exec(slug);
  if (ggml) return { slug, kind: "quantize", bits: Number(ggml[1]), title: `ggml's ${slug.slice(5).toUpperCase()}` };
  const float = FLOAT.exec(slug);
  if (float) return { slug, kind: "quantize", bits: Number(float[1]), title: slug };
  if (/spars|\d+of\d+|prun/.test(slug)) return { slug, kind: "sparse", bits: null, title: `sparse: ${slug}` };
  if (/rank|svd/.test(slug)) return { slug, kind: "low-rank", bits: null, title: `low rank: ${slug}` };
  return { slug, kind: "other", bits: null, title: slug };
}

/**
 * Options in the order of a legend: dropped first, then by bits, kept whole last.
 * @param {Iterable<string>} slugs
 * @returns {string[]}
 */
export function inOrder(slugs) {
  return [...new Set(slugs)].sort((left, right) => rank(left) - rank(right) || left.localeCompare(right));
}

/** @param {string} slug */
function rank(slug) {
  const { kind, bits } = optionFacts(slug);
  if (kind === "drop") return -1;
  return kind === "keep" ? 1000 : (bits ?? 500);
}

/**
 * A short text for each option, for the inside of a cell: its bits, with a prime where two options have the same.
 * @param {string[]} slugs  in order
 * @returns {Map<string, string>}
 */
export function cellTexts(slugs) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  return new Map(slugs.map((slug) => {
    const text = plainText(slug);
    const before = seen.get(text) ?? 0;
    seen.set(text, before + 1);
    return [slug, text + "\u2032".repeat(Math.min(before, 3))];
  }));
}

/** @param {string} slug */
function plainText(slug) {
  const { kind, bits } = optionFacts(slug);
  if (kind === "drop") return "\u00d7";
  if (kind === "keep") return "\u25cb";
  if (kind === "sparse") return /(\d+)of(\d+)/.exec(slug)?.slice(1).join(":") ?? "s";
  if (kind === "low-rank") return `r${/\d+/.exec(slug)?.[0] ?? ""}`;
  return bits === null ? slug.slice(0, 2) : String(bits);
}
