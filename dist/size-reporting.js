import { i as reportSizes, n as BUDGET_LABEL, r as callsForComment } from "./build.js";

export { reportSizes };