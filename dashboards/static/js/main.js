// @ts-check
/** The first script: writes the theme, then draws the layout and the page that the address names. */

import { Layout } from "./layout.js";
import { html, render } from "./preact.js";
import { applyTheme } from "./preferences.js";

applyTheme();
const app = document.getElementById("app");
if (app !== null) {
  app.replaceChildren();
  render(html`<${Layout} />`, app);
}
