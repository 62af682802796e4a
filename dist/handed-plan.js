import { o as handOverPlan, s as readHandedPlans } from "./build.js";

export { handOverPlan };