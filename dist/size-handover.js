import { c as gatherSizes, l as handOverSizes, u as missingWarning } from "./build.js";

export { handOverSizes };