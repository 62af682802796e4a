import { workerData } from "node:worker_threads";
import { open } from "node:fs/promises";
import { isAbsolute, join, posix, relative } from "node:path";

// \0plain-crypto
const crypto = process.getBuiltinModule("node:crypto");
const { createHash, hash, randomBytes, randomUUID } = crypto;

// \0plain-fs
const fs = process.getBuiltinModule("node:fs");
const { accessSync, appendFileSync, closeSync, constants, createReadStream, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, realpathSync, statSync } = fs;

// src/errors.ts
/** A user's mistake or their environment's fault: shown as messages with mends, without a stack. */
var UserError = class extends Error {
	problems;
	/** What has to be known beside them. */
	warnings;
	constructor(problems, options) {
		const list = Array.isArray(problems) ? problems : [problems];
		super(list.map(formatProblem).join("\n"), options);
		this.name = "UserError";
		this.problems = list;
		this.warnings = options?.warnings ?? [];
	}
};
/** @throws UserError with all problems, if there are any */
function throwIfAny(problems, options) {
	if (problems.length > 0) throw new UserError(problems, options);
}
/** A problem as one line of text: place, message, mend. */
function formatProblem(problem) {
	return `${problem.file === void 0 ? "" : `${problem.file}${problem.line === void 0 ? "" : `:${problem.line}`}: `}${problem.message}${problem.mend === void 0 ? "" : ` ${problem.mend}`}`;
}
/** The code of a system's error (`ENOENT`), or undefined. Not by `instanceof`: errors of Node's core may be of another realm. */
function errorCode(error) {
	return typeof error === "object" && error !== null && "code" in error ? String(error.code) : void 0;
}

// src/context/near-path.ts
/** Paths as calls of the system go through them: each directory of a path takes its time, for every file again. */
/** The same place from this process's own directory, where it lies there: on GitHub that is the workspace. */
function fromHere(path) {
	const here = ownDirectory();
	if (here === void 0) return path;
	if (path === here) return ".";
	return path.startsWith(here) && path[here.length] === "/" ? path.slice(here.length + 1) : path;
}
/** Undefined where it is gone: what lies elsewhere must not be taken for gone with it. */
function ownDirectory() {
	try {
		return process.cwd();
	} catch {
		return;
	}
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
			const fd = orGone(path, () => openSync(fromHere(path), OPEN_FLAGS));
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
/**
* Lists a directory.
* @param path absolute
* @throws the system's error when it cannot be listed
*/
function listDirectory(path) {
	const near = fromHere(path);
	const names = readdirSync(near).sort();
	const numbers = new Float64Array(names.length * 9);
	for (let index = 0; index < names.length; index++) {
		const stats = lstatSync(`${near}/${names[index] ?? ""}`, { throwIfNoEntry: false });
		if (stats !== void 0) setNumbers(numbers, index * 9, stats);
	}
	return {
		names,
		numbers
	};
}
/** The same; undefined where it cannot be listed: who needs it lists it again, and says why. */
function listOrNothing(path) {
	try {
		return listDirectory(path);
	} catch {
		return;
	}
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

// src/dockerfile/go-text.ts
/**
* The few functions of Go's standard library whose exact results reach Dockerfile semantics or error texts: white space,
* quoting, edit distance. JavaScript's own differ (`\s`, `trim` and `JSON.stringify` treat other characters).
*/
const OTHER_SPACE = /[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
/** Go's `unicode.IsSpace`. */
function isSpace(character) {
	const code = character.charCodeAt(0);
	return code === 32 || code >= 9 && code <= 13 || code >= 133 && OTHER_SPACE.test(character);
}
/** Go's `strings.TrimSpace`. */
function trimSpace(text) {
	let end = text.length;
	while (end > 0 && isSpace(text.charAt(end - 1))) end--;
	return trimSpaceLeft(text.slice(0, end));
}
/** Go's `strings.TrimLeftFunc(text, unicode.IsSpace)`. */
function trimSpaceLeft(text) {
	let start = 0;
	while (start < text.length && isSpace(text.charAt(start))) start++;
	return text.slice(start);
}

// src/dockerfile/go-path.ts
/**
* Go's filepath.Clean, with its results. Owns no rule of .dockerignore.
*/
/**
* filepath.Clean on Linux: the shortest lexical form of a path; `.` for an empty one, no trailing slash.
* https://pkg.go.dev/path/filepath#Clean
*/
function cleanPath(path) {
	const normal = posix.normalize(path);
	return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

// src/context/ignore-file.ts
/**
* The text of a .dockerignore file: which file applies, and the patterns in it. What patterns mean is
* `ignore-matcher.ts`.
*/
/** bufio.Scanner's limit, at which BuildKit gives up on the file. */
const MAX_LINE_BYTES = 65536;
/**
* Reads the patterns: comments (`#` in the first column only) and blank lines dropped, blanks trimmed, paths cleaned,
* one leading slash removed.
* https://github.com/moby/patternmatcher/blob/v0.6.0/ignorefile/ignorefile.go
* @throws UserError for a line of 64 KiB or more.
*/
function readIgnoreFile(text, name = ".dockerignore") {
	const patterns = [];
	text.split("\n").forEach((raw, index) => {
		const line = index + 1;
		if (Buffer.byteLength(raw) >= MAX_LINE_BYTES) throw new UserError({
			message: `Line ${line} of ${name} is longer than 64 KiB, and BuildKit does not read such a line.`,
			mend: "Write one pattern per line.",
			file: name,
			line
		});
		const unmarked = index === 0 && raw.startsWith("﻿") ? raw.slice(1) : raw;
		if (unmarked.startsWith("#")) return;
		const trimmed = trimSpace(unmarked);
		if (trimmed === "") return;
		const exception = trimmed.startsWith("!");
		const path = exception ? trimSpace(trimmed.slice(1)) : trimmed;
		patterns.push({
			pattern: `${exception ? "!" : ""}${path === "" ? "" : relativePattern(path)}`,
			line
		});
	});
	return patterns;
}
function relativePattern(path) {
	const clean = cleanPath(path);
	return clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean;
}
/**
* The ignore file of a named context: never one that is called after a Dockerfile.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go
* @throws UserError see readIgnoreFile
*/
function ignoreFileOf(contextDir) {
	const common = join(contextDir, ".dockerignore");
	const text = readWithin(common, contextDir);
	return {
		name: common,
		patterns: text === void 0 ? [] : readIgnoreFile(text, common)
	};
}
/**
* The file's text, if it is readable and really lies in the directory. At once: of many Dockerfiles each asks, and through the
* thread pool each call would take ten times as long.
*/
function readWithin(path, directory) {
	try {
		if (lstatSync(path, { throwIfNoEntry: false }) === void 0) return void 0;
		const from = relative(realpathSync.native(directory), realpathSync.native(path));
		if (from.startsWith("..") || isAbsolute(from)) return void 0;
		return readFileSync(path, "utf8");
	} catch {
		return;
	}
}

// src/context/go-match.ts
/**
* Go's filepath.Match as it is on Linux: what BuildKit matches COPY and ADD wildcards with, and what it checks the
* syntax of .dockerignore patterns with. Works on bytes as Go does: after a star, a `?` may take a part of a letter.
* https://github.com/golang/go/blob/go1.24.0/src/path/filepath/match.go
*/
/** Go's `filepath.ErrBadPattern`. */
var BadPatternError = class extends Error {
	constructor() {
		super("syntax error in pattern");
		this.name = "BadPatternError";
	}
};
const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;
const BACKSLASH = 92;
const SLASH = 47;
const INVALID_RUNE = 65533;
/**
* Whether the whole of `name` matches the shell pattern `pattern` (`*`, `?`, `[a-z]`, `[^a]`, `\x`; nothing but a
* class may match across a slash).
* @throws BadPatternError where Go returns ErrBadPattern; as there, a malformed rest may go unseen when a match ends early.
*/
function goMatch(pattern, name) {
	let rest = Buffer.from(pattern);
	let subject = Buffer.from(name);
	while (rest.length > 0) {
		const piece = scanChunk(rest);
		rest = piece.rest;
		if (piece.star && piece.chunk.length === 0) return !subject.includes(SLASH);
		const after = matchPiece(piece, subject, rest.length === 0);
		if (after === void 0) {
			checkSyntax(rest);
			return false;
		}
		subject = after;
	}
	return subject.length === 0;
}
/** Matches one piece at the start of the subject or, after a star, at the first place that fits; gives what remains. */
function matchPiece(piece, subject, last) {
	const here = matchChunk(piece.chunk, subject);
	if (here !== void 0 && (here.length === 0 || !last)) return here;
	if (!piece.star) return void 0;
	for (let i = 0; i < subject.length && subject[i] !== SLASH; i++) {
		const there = matchChunk(piece.chunk, subject.subarray(i + 1));
		if (there !== void 0 && !(last && there.length > 0)) return there;
	}
}
function checkSyntax(pattern) {
	for (let rest = pattern; rest.length > 0;) {
		const piece = scanChunk(rest);
		rest = piece.rest;
		matchChunk(piece.chunk, /* @__PURE__ */ new Uint8Array());
	}
}
/** Splits off stars and the text up to the next star that is in no class. */
function scanChunk(pattern) {
	let start = 0;
	while (pattern[start] === STAR) start++;
	let inClass = false;
	let end = start;
	for (; end < pattern.length; end++) {
		const byte = pattern[end];
		if (byte === BACKSLASH) {
			if (end + 1 < pattern.length) end++;
		} else if (byte === OPEN) inClass = true;
		else if (byte === CLOSE) inClass = false;
		else if (byte === STAR && !inClass) break;
	}
	return {
		star: start > 0,
		chunk: pattern.subarray(start, end),
		rest: pattern.subarray(end)
	};
}
/** What remains of `text` after the chunk, or undefined; reads the chunk to its end even then, for its syntax. */
function matchChunk(chunk, text) {
	let at = 0;
	let failed = false;
	let i = 0;
	while (i < chunk.length) {
		failed ||= at >= text.length;
		const byte = chunk[i];
		switch (byte) {
			case OPEN: {
				const rune = failed ? {
					value: 0,
					size: 0
				} : decodeRune(text, at);
				at += rune.size;
				const judged = matchClass(chunk, i + 1, rune.value);
				i = judged.next;
				failed ||= !judged.matched;
				break;
			}
			case QUESTION:
				if (!failed) {
					failed = text[at] === SLASH;
					at += decodeRune(text, at).size;
				}
				i++;
				break;
			case BACKSLASH:
				i++;
				if (i >= chunk.length) throw new BadPatternError();
				failed ||= chunk[i] !== text[at++];
				i++;
				break;
			case void 0:
			default:
				failed ||= byte !== text[at++];
				i++;
		}
	}
	return failed ? void 0 : text.subarray(at);
}
function matchClass(chunk, start, rune) {
	const negated = chunk[start] === CARET;
	let i = negated ? start + 1 : start;
	let inside = false;
	for (let ranges = 0;; ranges++) {
		if (chunk[i] === CLOSE && ranges > 0) return {
			matched: inside !== negated,
			next: i + 1
		};
		const low = classRune(chunk, i);
		i = low.next;
		let high = low.value;
		if (chunk[i] === DASH) {
			const end = classRune(chunk, i + 1);
			high = end.value;
			i = end.next;
		}
		inside ||= low.value <= rune && rune <= high;
	}
}
/** Go's getEsc: one possibly escaped letter of a class, with something after it. */
function classRune(chunk, start) {
	const first = chunk[start];
	if (first === void 0 || first === DASH || first === CLOSE) throw new BadPatternError();
	const at = first === BACKSLASH ? start + 1 : start;
	if (at >= chunk.length) throw new BadPatternError();
	const rune = decodeRune(chunk, at);
	if (rune.value === INVALID_RUNE && rune.size === 1) throw new BadPatternError();
	if (at + rune.size >= chunk.length) throw new BadPatternError();
	return {
		value: rune.value,
		next: at + rune.size
	};
}
/** utf8.DecodeRune: a byte that starts no whole letter is U+FFFD of size 1. */
function decodeRune(bytes, at) {
	const lead = bytes[at] ?? 0;
	if (lead < 128) return {
		value: lead,
		size: 1
	};
	const size = lead >= 240 ? 4 : lead >= 224 ? 3 : 2;
	const text = Buffer.from(bytes.subarray(at, at + size)).toString("utf8");
	const value = text.codePointAt(0) ?? INVALID_RUNE;
	return value !== INVALID_RUNE || Buffer.from(text).equals(bytes.subarray(at, at + size)) ? {
		value,
		size
	} : {
		value: INVALID_RUNE,
		size: 1
	};
}

// src/context/ignore-pattern.ts
/**
* One .dockerignore pattern, compiled as moby/patternmatcher compiles it, slips included: `{`, `|`, `}` and `^` reach
* the regular expression unescaped, a leading `**` without a slash matches a suffix, and a class may match a slash.
* Users' files are judged by that code, so its slips are the rules.
* https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go#L332
*/
/** `.+()|{}$` as upstream lists them, less `|{}`: its table of bits has no room for them, so they are never escaped. */
const ESCAPED = /* @__PURE__ */ new Set(".+()$");
/**
* Compiles a cleaned pattern without its `!`.
* @throws BadPatternError when it becomes no valid Go regular expression.
*/
function compilePattern(pattern) {
	const { type, source } = translate(pattern);
	switch (type) {
		case "exact": return (path) => path === pattern;
		case "prefix": {
			const prefix = pattern.slice(0, -2);
			return (path) => path.startsWith(prefix);
		}
		case "suffix": {
			const suffix = pattern.slice(2);
			return (path) => path.endsWith(suffix) || suffix.startsWith("/") && path === suffix.slice(1);
		}
		case "regexp": return regexpTest(source);
	}
}
/**
* What means the same to Go and to JavaScript, and takes JavaScript no time that grows with a power of the path's length:
* names, blanks and a few wildcards. A hundred thousand paths are tried; RE2 in JavaScript is much slower at it.
*/
const ALIKE = /^\^(?:[\w \-/@~,:;!#%&='"<>`]|\\[.+()$]|\[\^\/\]\*?|\(\.\*\/\)\?|\.\*)*\$$/;
const MAX_STARS = 3;
function regexpTest(source) {
	if (ALIKE.test(source) && (source.match(/\*/g)?.length ?? 0) <= MAX_STARS) {
		const expression = new RegExp(source.replaceAll(".*", "[^\\n]*"), "u");
		return (path) => expression.test(path);
	}
	try {
		const expression = process.getBuiltinModule("node:module").createRequire(import.meta.url)("./go-regexp.js").RE2JS.compile(source);
		return (path) => expression.test(path);
	} catch (error) {
		throw Object.assign(new BadPatternError(), { cause: error });
	}
}
function translate(pattern) {
	const runes = Array.from(pattern.startsWith("﻿") ? pattern.slice(1) : pattern);
	let source = "^";
	let type = "exact";
	let at = 0;
	for (let token = 0; at < runes.length; token++) {
		const rune = runes[at++] ?? "";
		if (rune === "*" && runes[at] === "*") {
			at++;
			if (runes[at] === "/") at++;
			if (at < runes.length) {
				source += "(.*/)?";
				type = "regexp";
			} else if (type === "exact") type = "prefix";
			else {
				source += ".*";
				type = "regexp";
			}
			if (token === 0) type = "suffix";
		} else if (rune === "*") {
			source += "[^/]*";
			type = "regexp";
		} else if (rune === "?") {
			source += "[^/]";
			type = "regexp";
		} else if (rune === "\\") {
			const escaped = runes[at++];
			source += `\\${escaped ?? ""}`;
			if (escaped !== void 0) type = "regexp";
		} else if (rune === "[" || rune === "]") {
			source += rune;
			type = "regexp";
		} else source += ESCAPED.has(rune) ? `\\${rune}` : rune;
	}
	return {
		type,
		source: `${source}$`
	};
}

// src/context/ignore-matcher.ts
/**
* Which paths of a build context .dockerignore leaves out, judged as BuildKit judges while it walks the context: from
* the root downwards, a directory's results handed to what it holds, and whole directories left unread when no
* exception can reach into them. Judges names only; reads no files.
*
* https://github.com/moby/patternmatcher/blob/v0.6.0/patternmatcher.go#L222 (MatchesUsingParentResults)
* https://github.com/tonistiigi/fsutil/blob/91a3fc46842c58b62dd4630b688662842364da49/filter.go#L155 (the walk)
*/
/** Characters that make BuildKit look into every excluded directory when an exception has one of them. */
const GLOB_CHARACTERS = /[*[\]?^\\]/;
/** The rules of one ignore file. */
var IgnoreMatcher = class {
	/** The ignore file's name, for messages. */
	name;
	#rules;
	/** Of the root: no rule has matched. */
	#nothing;
	/** Exceptions as directory prefixes; undefined when one of them is a glob, and could reach anywhere. */
	#exceptionPrefixes;
	/** @throws UserError with every pattern that is no pattern, its line and the mend. */
	constructor(file) {
		this.name = file.name;
		this.#rules = parseRules(file);
		this.#nothing = this.#rules.map(() => false);
		const prefixes = this.#rules.filter((rule) => rule.exception).map((rule) => withoutTrailingGlob(rule.pattern));
		this.#exceptionPrefixes = prefixes.some((prefix) => GLOB_CHARACTERS.test(prefix)) ? void 0 : prefixes.map((prefix) => `${prefix}/`);
	}
	/** Whether there is no rule at all. */
	get isEmpty() {
		return this.#rules.length === 0;
	}
	/**
	* Judges one path during a walk. `parent` is the state of its directory, undefined in the root of the context.
	* @throws UserError when a pattern that has to be tried is no valid expression (BuildKit fails then, too).
	*/
	enter(path, isDirectory, parent = this.#nothing) {
		let excluded = false;
		let rule;
		let state = parent;
		const nameAt = path.lastIndexOf("/") + 1;
		const found = {
			start: path.slice(0, nameAt),
			name: path.slice(nameAt),
			depth: depthOf(path)
		};
		for (let index = 0; index < this.#rules.length; index++) {
			const candidate = this.#rules[index];
			if (candidate === void 0) continue;
			const inherited = parent[index] ?? false;
			if (!inherited && (candidate.exception !== excluded || !this.#isMatch(candidate, found))) continue;
			if (!inherited) state = state.with(index, true);
			excluded = !candidate.exception;
			rule = excluded ? candidate.origin : void 0;
		}
		return {
			excluded,
			cut: excluded && isDirectory && !this.#mayReachInto(path),
			rule,
			state
		};
	}
	/**
	* Whether something that is no directory is left out; as `enter`, for a walk of very many files: its path is put together only
	* for a rule that needs it.
	* @param start the directory's path with its slash at the end; empty for the root
	* @param depth how many names the path has
	* @throws UserError see `enter`
	*/
	leavesOut(start, name, { depth, state }) {
		let excluded = false;
		for (let index = 0; index < this.#rules.length; index++) {
			const candidate = this.#rules[index];
			if (candidate === void 0 || candidate.exception !== excluded) continue;
			if (state?.[index] === true || this.#isMatch(candidate, {
				start,
				name,
				depth
			})) excluded = !candidate.exception;
		}
		return excluded;
	}
	#isMatch(rule, { start, name, depth }) {
		if (rule.name !== void 0) return rule.name === name;
		return (rule.depth === void 0 || rule.depth === depth) && this.#test(rule)(start + name);
	}
	/**
	* Judges one path alone, by its directories and itself. A directory that is excluded may still be sent, as the parent
	* of something that an exception includes.
	* @param path relative to the context, with slashes
	* @throws UserError see `enter`
	*/
	excludes(path, isDirectory) {
		const parts = path.split("/");
		let state;
		for (let depth = 1; depth < parts.length; depth++) {
			const verdict = this.enter(parts.slice(0, depth).join("/"), true, state);
			if (verdict.cut) return verdict;
			state = verdict.state;
		}
		return this.enter(path, isDirectory, state);
	}
	#mayReachInto(directory) {
		return this.#exceptionPrefixes?.some((prefix) => prefix.startsWith(`${directory}/`)) ?? true;
	}
	#test(rule) {
		return rule.test ??= compileRule(rule, this.name);
	}
};
/** How many names a path has. */
function depthOf(path) {
	let depth = 1;
	for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) depth++;
	return depth;
}
function compileRule(rule, file) {
	try {
		return compilePattern(rule.pattern);
	} catch (error) {
		if (!(error instanceof BadPatternError)) throw error;
		throw new UserError(patternProblem(rule.origin, {
			file,
			reason: error.message
		}), { cause: error });
	}
}
function parseRules(file) {
	const rules = [];
	const problems = [];
	for (const origin of file.patterns) {
		const trimmed = trimSpace(origin.pattern);
		if (trimmed === "") continue;
		const clean = cleanPath(trimmed);
		const exception = clean.startsWith("!");
		const pattern = exception ? clean.slice(1) : clean;
		const reason = pattern === "" ? "illegal exclusion pattern: \"!\"" : syntaxFault(pattern);
		const [, name] = ANYWHERE.exec(pattern) ?? [];
		if (reason === void 0) rules.push({
			origin,
			pattern,
			exception,
			name,
			depth: fixedDepth(pattern),
			test: void 0
		});
		else problems.push(patternProblem(origin, {
			file: file.name,
			reason
		}));
	}
	throwIfAny(problems);
	return rules;
}
/** One name, in any directory. */
const ANYWHERE = /^\*\*\/([\w.@~, -]+)$/;
/** Only where nothing in it can match a slash, and nothing is one beside what is written so. */
function fixedDepth(pattern) {
	return /^[\w.@~, /*?-]+$/.test(pattern) && !pattern.includes("**") ? depthOf(pattern) : void 0;
}
/** Upstream's check: whatever filepath.Match says when it is asked to match `.`. */
function syntaxFault(pattern) {
	try {
		goMatch(pattern, ".");
		return;
	} catch (error) {
		if (error instanceof BadPatternError) return error.message;
		throw error;
	}
}
function patternProblem(origin, { file, reason }) {
	const lone = origin.pattern === "!" || reason.startsWith("illegal exclusion");
	return {
		message: `${JSON.stringify(origin.pattern)} is not a valid pattern: ${reason}.`,
		mend: lone ? "Write the path to include again right after the \"!\", or remove the line." : "Close every \"[\" with a \"]\", and write a backslash before a character that is meant literally.",
		file,
		line: origin.line
	};
}
function withoutTrailingGlob(pattern) {
	const shorter = pattern.endsWith("/**") ? pattern.slice(0, -3) : pattern;
	return shorter.endsWith("/*") ? shorter.slice(0, -2) : shorter;
}

// src/context/tree-nodes.ts
/** The files of a context as they are held in memory: few and small objects, for there may be a million of them. */
/** Whether lstat said that it is a directory. */
function isDirectory(mode) {
	return (mode & constants.S_IFMT) === constants.S_IFDIR;
}

// src/context/scouting.ts
/** Lists a context in which nobody has asked for anything yet, as far as its `.dockerignore` leaves it. */
/** No more files than this are looked at ahead: what nobody asks for must not fill the memory. */
const MOST_FILES = 3e5;
/** The directories in one that was listed, as far as an ignore file leaves them. */
function placesIn(place, { names, numbers }, matcher) {
	const { directory, path, state } = place;
	const places = [];
	for (let index = 0; index < names.length; index++) {
		const name = names[index] ?? "";
		if (!isDirectory(numbers[index * 9] ?? 0) || name === ".git") continue;
		const below = path === "" ? name : `${path}/${name}`;
		const verdict = matcher.isEmpty ? void 0 : matcher.enter(below, true, state);
		if (verdict?.cut === true) continue;
		places.push({
			directory: `${directory}/${name}`,
			path: below,
			state: verdict?.state
		});
	}
	return places;
}
/**
* Lists until it is stopped. What cannot be listed is left to who asks for it; a broken ignore file leaves all.
* @param isStopped asked after each directory
*/
function scout(directory, isStopped) {
	const found = /* @__PURE__ */ new Map();
	let open = [{
		directory,
		path: "",
		state: void 0
	}];
	let files = 0;
	try {
		const matcher = new IgnoreMatcher(ignoreFileOf(directory));
		while (files < 3e5 && !isStopped()) {
			const place = open.pop();
			if (place === void 0) break;
			const listing = listOrNothing(place.directory);
			if (listing === void 0) continue;
			found.set(place.directory, listing);
			files += listing.names.length;
			for (const below of placesIn(place, listing, matcher)) open.push(below);
		}
	} catch {
		open = [];
	}
	const { names, numbers } = packListings([...found.values()]);
	return {
		kind: "scouted",
		paths: [...found.keys()],
		names,
		numbers,
		open: open.map((place) => place.directory)
	};
}

// src/context/context-helper.ts
/** A thread beside the one that walks a context: lists directories and reads small files for it. A program of its own, `dist/context-helper.js`. */
const { port, answered, scouting } = workerData;
const reader = new ContentReader();
if (scouting !== void 0) {
	const { directory, stopped } = scouting;
	send(scout(directory, () => Atomics.load(stopped, 0) !== 0));
}
port.on("message", (question) => {
	send(answerOf(question));
});
function send(answer) {
	port.postMessage(answer, answer.kind === "read" ? [] : [answer.numbers.buffer]);
	Atomics.add(answered, 0, 1);
	Atomics.notify(answered, 0);
}
function answerOf(question) {
	if (question.kind === "list") return packListings(question.paths.map(listOrNothing));
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