// @ts-check
/**
 * Two sliders that choose on the front: the best under a size, the smallest under a loss. They ask the service
 * nothing.
 */

import { Button } from "../components/button.js";
import { Slider } from "../components/slider.js";
import { exactBytes, formatBits, formatBytes, formatPercent } from "../format.js";
import { html, useEffect, useId, useState } from "../preact.js";
import { Link, useRoute } from "../router.js";
import { Term } from "../terms.js";
import { sizeOf } from "./budget-lines.js";
import { lossText } from "./front-facts.js";
import { kneeOf } from "./front-math.js";
import { STEPS, stepsOf } from "./slider-steps.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {import("./axes.js").Candidate} Candidate */
/** @typedef {import("./front-picks.js").Picks} Picks */
/** @typedef {import("./front-picks.js").Limit} Limit */

/**
 * How much less the found one loses than the plain one.
 * @param {Candidate} found
 * @param {Candidate} plain
 * @param {"size" | "loss"} limit
 */
function comparison(found, plain, limit) {
  const [ours, theirs] = limit === "size" ? [found.loss, plain.loss] : [found.size_bytes, plain.size_bytes];
  if (ours === null || theirs === null || !(theirs > 0)) return "";
  const share = 1 - ours / theirs;
  const word = limit === "size" ? "loss" : "size";
  if (found.configuration_id === plain.configuration_id) return "The uniform baseline is itself the best here.";
  if (Math.abs(share) < 0.005) return `The same ${word} as the best uniform baseline within the limit.`;
  const amount = `${formatPercent(Math.abs(share))} ${share > 0 ? "less" : "more"} ${word}`;
  return `${amount} than the best uniform baseline within the limit.`;
}

/** @param {{name: any, candidate: Candidate | null}} props */
function Figures({ name, candidate }) {
  if (candidate === null)
    return html`<tr><th scope="row">${name}</th><td colspan="3">nothing within the limit</td></tr>`;
  return html`<tr>
    <th scope="row">${name}<span class="choose-label">${candidate.label}</span></th>
    <td title=${exactBytes(candidate.size_bytes)}>${formatBytes(candidate.size_bytes)}</td>
    <td>${formatBits(candidate.nominal_bits_per_weight)}</td>
    <td title=${candidate.loss}>${lossText(candidate)}</td>
  </tr>`;
}

/**
 * A limit typed in full.
 * @param {{label: string, text: string, onValue: (value: number) => void, read: (text: string) => number | null}} props
 */
function Typed({ label, text, onValue, read }) {
  const id = useId();
  const [written, setWritten] = useState(text);
  const [isBad, setBad] = useState(false);
  useEffect(() => setWritten(text), [text]);
  const take = () => {
    const value = read(written);
    setBad(value === null);
    if (value !== null && written !== text) onValue(value);
  };
  return html`<label class="choose-typed" for=${id}>${label}
    <input class="input" id=${id} value=${written} aria-invalid=${isBad} spellcheck="false" autocomplete="off"
      onInput=${(/** @type {any} */ event) => setWritten(event.target.value)} onBlur=${take}
      onKeyDown=${(/** @type {any} */ event) => event.key === "Enter" && take()} />
  </label>`;
}

/**
 * One slider with what it found.
 * @param {{
 *   kind: "size" | "loss", title: string, limit: Limit, extent: [number, number], least: number, start: number,
 *   loss: Axis,
 *   format: (value: number) => string, read: (text: string) => number | null, shortcuts: {label: any, value: number}[],
 * }} props
 */
function Choice({ kind, title, limit, extent, least, start, loss, format, read, shortcuts }) {
  const { path, query } = useRoute();
  const steps = stepsOf(extent[0], extent[1], kind, least);
  const value = limit.value ?? start;
  const { found, plain } = limit;
  const link = { ...query, candidate: found?.seq };
  return html`<section class="choose-one" aria-label=${title}>
    <${Slider} label=${title} min=${0} max=${STEPS} step=${1} value=${Math.min(STEPS, Math.max(0, steps.step(value)))}
      onInput=${(/** @type {number} */ step) => limit.set(steps.value(step))}
      format=${() => format(value)} />
    ${
      limit.value === null
        ? html`<p class="choose-hint">Move the slider: a pin on the front shows the
          ${kind === "size" ? " least loss within the size" : " smallest one within the loss"}.</p>`
        : html`<div class="choose-found" aria-live="polite">
          <table>
            <thead><tr><td></td><th scope="col">size</th><th scope="col">nominal bits</th>
              <th scope="col">${loss.short}</th></tr></thead>
            <tbody>
              <${Figures} name="found" candidate=${found} />
              <${Figures} name=${html`<${Term} name="uniform baseline">uniform<//>`} candidate=${plain} />
            </tbody>
          </table>
          <p>${found && plain ? comparison(found, plain, kind) : ""}</p>
        </div>`
    }
    <div class="choose-actions">
      <${Typed} label="at most" text=${format(value)} onValue=${limit.set} read=${read} />
      ${found && html`<${Link} to=${path} query=${link}>Show its layers<//>`}
      ${shortcuts.map(
        (each) => html`<${Button} kind="quiet" small onClick=${() => limit.set(each.value)}>${each.label}<//>`,
      )}
      ${limit.value !== null &&
      html`<${Button} kind="quiet" small onClick=${() => limit.set(null)}>Take the limit away<//>`}
    </div>
  </section>`;
}

/** @param {string} text */
function lossOf(text) {
  const value = Number(text.replace(",", "."));
  return text.trim() !== "" && Number.isFinite(value) ? value : null;
}

/**
 * Both sliders.
 * @param {{picks: Picks, loss: Axis}} props
 */
export function Choose({ picks, loss }) {
  const { ladder, plainLadder } = picks;
  const [smallest, largest] = [ladder[0], ladder.at(-1)];
  if (smallest === undefined || largest === undefined) {
    return html`<p class="choose-hint">
      Nothing with a finite loss was measured yet. Once it is, two sliders choose here.</p>`;
  }
  const knee = kneeOf(ladder);
  const plain = plainLadder.at(Math.floor(plainLadder.length / 2));
  const [worst, best] = [Number(smallest.loss), Number(largest.loss)];
  const least = ladder.reduce((low, { loss: each }) => (each !== null && each > 0 ? Math.min(low, each) : low), worst);
  return html`<div class="choose">
    <${Choice} kind="size" title="Best under a size" limit=${picks.size} loss=${loss}
      extent=${[smallest.size_bytes, largest.size_bytes]} least=${0} start=${(knee ?? largest).size_bytes}
      format=${formatBytes} read=${sizeOf}
      shortcuts=${knee ? [{ label: html`The <${Term} name="knee" />`, value: knee.size_bytes }] : []} />
    <${Choice} kind="loss" title="Smallest under a loss" limit=${picks.loss} loss=${loss}
      extent=${[best, worst]} least=${least} start=${Number((knee ?? largest).loss)} format=${loss.format} read=${lossOf}
      shortcuts=${plain ? [{ label: `As good as ${plain.label}`, value: Number(plain.loss) }] : []} />
  </div>`;
}
