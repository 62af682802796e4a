// \0plain-fs
const fs = process.getBuiltinModule("node:fs");
const { accessSync, appendFileSync, closeSync, constants, createReadStream, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, realpathSync, statSync } = fs;

// src/state.ts
/** What the main step leaves to the post step: the runner hands it over as variables. */
/** The state that tells the post step from the main step, and hands it what to save and to remove. */
const STATE = {
	isPost: "is-post",
	builder: "builder",
	cache: "cache",
	mounts: "mounts"
};
/**
* Whether the main step left anything to be done; its folder is named before it is made, and most runs remove it themselves.
* https://github.com/actions/toolkit/blob/main/packages/core/src/core.ts (getState)
*/
function isAnythingLeft(env) {
	const [builder = "", cache = "", mounts = ""] = [
		STATE.builder,
		STATE.cache,
		STATE.mounts
	].map((name) => env[`STATE_${name}`]);
	return builder !== "" || mounts !== "" || cache !== "" && existsSync(cache);
}

// src/post-step.ts
/** The entry of the post step: most runs leave nothing to it, and then the action itself is not even loaded. */
if (isAnythingLeft(process.env)) await import(new URL("../dist/index.js", import.meta.url).href);

export {  };