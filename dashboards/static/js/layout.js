// @ts-check
/** What stands around every page: header, the page itself, footer, messages and the question for a token. */

import { Footer } from "./components/footer.js";
import { Header } from "./components/header.js";
import { Toasts } from "./components/toast.js";
import { TokenDialog } from "./components/token-dialog.js";
import { Page } from "./pages.js";
import { html } from "./preact.js";
import { useRoute } from "./router.js";

export function Layout() {
  const route = useRoute();
  const skip = (/** @type {Event} */ event) => {
    event.preventDefault(); // the hash is the address of the page
    document.getElementById("main")?.focus();
  };
  return html`
    <a class="skip-link" href="#main" onClick=${skip}>Skip to the page</a>
    <${Header} route=${route} />
    <main id="main" class="main" tabindex="-1"><${Page} route=${route} /></main>
    <${Footer} />
    <${Toasts} />
    <${TokenDialog} />`;
}
