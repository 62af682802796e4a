import { t as runAction } from "./plan.js";

export { runAction };