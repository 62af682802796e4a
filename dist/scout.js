import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";

// \0plain-fs
const fs = process.getBuiltinModule("node:fs");
const { accessSync, appendFileSync, closeSync, constants, createReadStream, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, realpathSync, statSync } = fs;

// src/context/scout.ts
/**
* A thread that begins to list the build context of a large repository before the action is loaded: to load it takes as long as to
* list some ten thousand files. Later the thread is one of the helpers. Imports nothing that takes time.
*/
/** What a helper thread runs: in the bundle a file beside it, in `src/` its source. */
const HELPER = new URL(import.meta.url.endsWith(".ts") ? "context-helper.ts" : "context-helper.js", import.meta.url);
/**
* From this size of git's index on (ten thousand files), a tree is worth a thread: to start one takes as long as to list some
* hundred directories.
*/
const LARGE_INDEX_BYTES = 1e6;
/**
* Starts one where a step will list a context, and the context is a large one.
* @param env of this process: the inputs
*/
function startScout(env, { largeIndexBytes = LARGE_INDEX_BYTES } = {}) {
	const workspace = env["GITHUB_WORKSPACE"] ?? "";
	const isPost = (env["STATE_is-post"] ?? "") !== "";
	const isListing = [
		"",
		"build",
		"plan"
	].includes(env["INPUT_MODE"] ?? "");
	if (workspace === "" || isPost || !isListing || availableParallelism() < 2) return void 0;
	const isBake = (env["INPUT_BAKE-FILES"] ?? "").trim() !== "";
	if (isBake && env["GITHUB_EVENT_NAME"] === "pull_request_target") return void 0;
	try {
		if (statSync(join(workspace, ".git/index")).size < largeIndexBytes) return void 0;
		return scoutAt(realpathSync(resolve(workspace, isBake ? "" : env["INPUT_CONTEXT"] ?? "")));
	} catch {
		return;
	}
}
function scoutAt(directory) {
	const answered = new Int32Array(new SharedArrayBuffer(4));
	const stopped = new Int32Array(new SharedArrayBuffer(4));
	const { worker, port } = startHelper({
		answered,
		scouting: {
			directory,
			stopped
		}
	});
	worker.on("error", () => void 0);
	return {
		worker,
		port,
		answered,
		directory,
		stop: () => void Atomics.store(stopped, 0, 1)
	};
}
/** Starts a helper thread. It holds no process open: who waits for an answer waits by himself. */
function startHelper(data) {
	const { port1: port, port2 } = new MessageChannel();
	const workerData = {
		...data,
		port: port2
	};
	const worker = new Worker(HELPER, {
		workerData,
		transferList: [port2],
		execArgv: []
	});
	worker.unref();
	return {
		worker,
		port
	};
}

export { realpathSync as _, closeSync as a, existsSync as c, mkdirSync as d, openSync as f, readlinkSync as g, readdirSync as h, accessSync as i, fstatSync as l, readSync as m, startHelper as n, constants as o, readFileSync as p, startScout as r, createReadStream as s, LARGE_INDEX_BYTES as t, lstatSync as u, statSync as v };