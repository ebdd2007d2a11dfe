// @ts-check
/** Re-exported: a select is a plain control of field.js. */

export { Select } from "./field.js";
