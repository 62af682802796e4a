import { m as findBaseline } from "./build.js";

export { findBaseline };