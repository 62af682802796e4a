import { d as graphChange } from "./build.js";

export { graphChange };