import { workerData } from "node:worker_threads";
import { createHash, hash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, readdirSync } from "node:fs";
import { open } from "node:fs/promises";

// src/errors.ts
/** A user's mistake or their environment's fault: shown as messages with mends, without a stack. */
var UserError = class extends Error {
	problems;
	constructor(problems, options) {
		const list = Array.isArray(problems) ? problems : [problems];
		super(list.map(formatProblem).join("\n"), options);
		this.name = "UserError";
		this.problems = list;
	}
};
/** A problem as one line of text: place, message, mend. */
function formatProblem(problem) {
	return `${problem.file === void 0 ? "" : `${problem.file}${problem.line === void 0 ? "" : `:${problem.line}`}: `}${problem.message}${problem.mend === void 0 ? "" : ` ${problem.mend}`}`;
}
/** The code of a system's error (`ENOENT`), or undefined. Not by `instanceof`: errors of Node's core may be of another realm. */
function errorCode(error) {
	return typeof error === "object" && error !== null && "code" in error ? String(error.code) : void 0;
}

// src/context/content-id.ts
/**
* The id of a file's bytes as git gives it: the hash of `blob SIZE`, a zero byte and the bytes as they lie there, without
* filters. So it is the same whether git knew it or it was read here.
*/
/** Files up to this size are read at once, without a trip through the thread pool. */
const SMALL_FILE_BYTES = 65536;
const CHUNK_BYTES = 1 << 20;
const ATTEMPTS = 5;
/** No link is followed, and a pipe does not wait for a writer. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Reads files of one context. */
var ContentReader = class {
	#small = Buffer.allocUnsafe(65568);
	/**
	* Reads a file of at most SMALL_FILE_BYTES. Undefined where it is gone; `large` where it has grown since it was listed.
	* @throws UserError for a file that cannot be read, is no file any more, or keeps changing
	*/
	readSmall(path, format) {
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
			const fd = orGone(path, () => openSync(path, OPEN_FLAGS));
			if (fd === void 0) return void 0;
			try {
				const before = requireFile(path, fstatSync(fd));
				if (before.size > 65536) return "large";
				const header = this.#small.write(`blob ${before.size}\0`, "latin1");
				const end = header + before.size;
				let at = header;
				for (let got = -1; at < end && got !== 0; at += got) got = readSync(fd, this.#small, at, end - at, null);
				if (at === end && isSame(before, fstatSync(fd))) return {
					id: hash(format, this.#small.subarray(0, end), "hex"),
					mode: before.mode & 4095
				};
			} finally {
				closeSync(fd);
			}
		}
		throw changing(path);
	}
	/** Reads a file of any size in pieces. Undefined where it is gone. @throws UserError see readSmall */
	async readLarge(path, format) {
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) try {
			await using file = await open(path, OPEN_FLAGS);
			const before = requireFile(path, await file.stat());
			const id = await streamedId(file, {
				format,
				size: before.size
			});
			if (id !== void 0 && isSame(before, await file.stat())) return {
				id,
				mode: before.mode & 4095
			};
		} catch (error) {
			return orGone(path, () => {
				throw error;
			});
		}
		throw changing(path);
	}
};
async function streamedId(file, { format, size }) {
	const digest = createHash(format).update(`blob ${size}\0`);
	const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1));
	let left = size;
	while (left > 0) {
		const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, left), null);
		if (bytesRead === 0) return void 0;
		digest.update(chunk.subarray(0, bytesRead));
		left -= bytesRead;
	}
	return digest.digest("hex");
}
/** Runs what opens or reads a file; undefined where it is gone. */
function orGone(path, read) {
	try {
		return read();
	} catch (error) {
		switch (errorCode(error)) {
			case "ENOENT":
			case "ENOTDIR": return;
			case "ELOOP":
			case "EISDIR":
			case "ENXIO": throw changing(path, error);
			case "EACCES":
			case "EPERM": throw new UserError({
				message: `A file of the build context cannot be read: ${path}.`,
				mend: "Give the user that runs this step read access to it, or exclude it in .dockerignore."
			}, { cause: error });
			case void 0:
			default: throw error;
		}
	}
}
function requireFile(path, stats) {
	if (!stats.isFile()) throw changing(path);
	return stats;
}
function isSame(before, after) {
	return before.size === after.size && before.mtimeMs === after.mtimeMs && before.ctimeMs === after.ctimeMs;
}
function changing(path, cause) {
	return new UserError({
		message: `A file of the build context changes while it is read: ${path}.`,
		mend: "End what writes to it before this step, or exclude it in .dockerignore."
	}, { cause });
}

// src/context/directory-listing.ts
/** Names and inodes of a directory: one call of the system for each file, which is nearly all of the time that a walk takes. */
/** Where a file's numbers are, from `index * FIELDS` on. The mode is 0 for what is gone. */
const Field = {
	mode: 0,
	size: 1,
	mtimeMs: 2,
	ctimeMs: 3,
	ino: 4,
	dev: 5,
	uid: 6,
	gid: 7,
	rdev: 8
};
const FIELDS = 9;
function setNumbers(numbers, at, stats) {
	numbers[at] = stats.mode;
	numbers[at + Field.size] = stats.size;
	numbers[at + Field.mtimeMs] = stats.mtimeMs;
	numbers[at + Field.ctimeMs] = stats.ctimeMs;
	numbers[at + Field.ino] = stats.ino;
	numbers[at + Field.dev] = stats.dev;
	numbers[at + Field.uid] = stats.uid;
	numbers[at + Field.gid] = stats.gid;
	numbers[at + Field.rdev] = stats.rdev;
}
/** Lists a directory. @throws the system's error when it cannot be listed */
function listDirectory(path) {
	const names = readdirSync(path).sort();
	const numbers = new Float64Array(names.length * 9);
	for (const [index, name] of names.entries()) {
		const stats = lstatSync(`${path}/${name}`, { throwIfNoEntry: false });
		if (stats !== void 0) setNumbers(numbers, index * 9, stats);
	}
	return {
		names,
		numbers
	};
}

// src/context/helper-messages.ts
/** No name holds it. */
const BETWEEN = "\0";
/** Listings as one message. */
function packListings(listings) {
	const numbers = new Float64Array(listings.reduce((sum, listing) => sum + (listing?.numbers.length ?? 0), 0));
	let at = 0;
	for (const listing of listings) {
		if (listing === void 0) continue;
		numbers.set(listing.numbers, at);
		at += listing.numbers.length;
	}
	return {
		kind: "list",
		names: listings.map((listing) => listing?.names.join(BETWEEN)),
		numbers
	};
}

// src/context/context-helper.ts
/** A thread beside the one that walks a context: lists directories and reads small files for it. A program of its own, `dist/context-helper.js`. */
const { port, answered } = workerData;
const reader = new ContentReader();
port.on("message", (question) => {
	const answer = answerOf(question);
	port.postMessage(answer, answer.kind === "list" ? [answer.numbers.buffer] : []);
	Atomics.add(answered, 0, 1);
	Atomics.notify(answered, 0);
});
function answerOf(question) {
	if (question.kind === "list") return packListings(question.paths.map((path) => attempt(() => listDirectory(path))));
	return {
		kind: "read",
		contents: question.paths.map((path) => attempt(() => {
			const content = reader.readSmall(path, question.format);
			return content === "large" ? void 0 : content;
		}))
	};
}
/** What fails is done again by who asked, and then told. */
function attempt(make) {
	try {
		return make();
	} catch {
		return;
	}
}

export {  };