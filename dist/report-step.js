import { t as reportStep } from "./build.js";

export { reportStep };