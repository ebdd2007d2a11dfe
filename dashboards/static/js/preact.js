// @ts-check
/** Preact and htm in one import: the only file that names the vendored packages of the pages' core. */

import { Fragment, createContext, h, render } from "../vendor/preact-11.2.0/preact.js";
import {
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "../vendor/preact-11.2.0/hooks.js";
import htm from "../vendor/htm-3.1.1/htm.js";

/** @type {(strings: TemplateStringsArray, ...values: any[]) => import("preact").VNode<any>} */
const html = /** @type {any} */ (htm.bind(/** @type {any} */ (h)));

export {
  Fragment,
  createContext,
  h,
  html,
  render,
  useCallback,
  useContext,
  useEffect,
  useErrorBoundary,
  useId,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
};
