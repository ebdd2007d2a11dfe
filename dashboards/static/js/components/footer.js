// @ts-check
/** The end of every page: which version this is, and where more is said. */

import { usePolled } from "../live.js";
import { html } from "../preact.js";
import { Link } from "../router.js";

export function Footer() {
  const { value } = usePolled("version");
  return html`<footer class="site-footer">
    <span>Layerpress ${value?.version}</span>
    <nav aria-label="More">
      <${Link} to="/terms">What the words mean</${Link}>
      <a href="../api/v1/docs">API</a>
    </nav>
  </footer>`;
}
