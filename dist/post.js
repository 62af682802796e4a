import { a as runPost } from "./build.js";

export { runPost };