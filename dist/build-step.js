import { p as buildPlanned } from "./build.js";

export { buildPlanned };