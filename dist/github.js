import { t as getOctokit } from "./github-client.js";

export { getOctokit };