// The chosen layer: what each option would cost it.

function showChosen() {
  const { name, num_weights: weights } = data.layers[state.chosen];
  const parts = name.split(/(?<=\.)/);
  find("chosen").replaceChildren(...parts.flatMap((part) => [part, element("wbr")]));
  find("chosen-note").textContent = `${number(weights, 9)} weights · ${data.unit}`;
  fillFacts(find("facts"), data.options.map((slug, option) => [slug, told(state.chosen, option)]));
}
