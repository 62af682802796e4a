import { f as cleanupStep } from "./build.js";

export { cleanupStep };