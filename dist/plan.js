import { _ as realpathSync$1, a as closeSync$1, d as mkdirSync$1, f as openSync$1, g as readlinkSync$1, h as readdirSync$1, i as accessSync$1, l as fstatSync$1, m as readSync$1, n as startHelper, o as constants$2, p as readFileSync$1, s as createReadStream$1, t as LARGE_INDEX_BYTES, u as lstatSync$1, v as statSync$1 } from "./scout.js";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { basename, delimiter, dirname, isAbsolute, join, posix, relative, resolve as resolve$1, sep } from "node:path";
import { receiveMessageOnPort } from "node:worker_threads";
import * as os from "os";
import os$1, { EOL } from "os";
import * as events from "events";
import { Socket, createServer } from "node:net";
import { Readable } from "node:stream";
import { once as once$1 } from "node:events";
import { crc32, inflateRawSync } from "node:zlib";
import { fileURLToPath } from "node:url";
import { access as access$1, appendFile as appendFile$1, constants as constants$1, copyFile as copyFile$1, link, lstat as lstat$1, mkdir as mkdir$1, mkdtemp, open as open$1, readFile, readdir as readdir$1, readlink, realpath, rename as rename$1, rm as rm$1, stat as stat$1, statfs, utimes, writeFile as writeFile$1 } from "node:fs/promises";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setImmediate, setTimeout as setTimeout$1 } from "node:timers/promises";
import { StringDecoder } from "node:string_decoder";
import { pipeline } from "node:stream/promises";
import * as path from "path";
import * as child from "child_process";
import { setTimeout as setTimeout$2 } from "timers";

// src/json-fields.ts
/** Parts of JSON that others may have written. Nothing here recurses, throws, or looks at more than it was allowed to. */
/** Undefined for what is no JSON. */
function parseJson(text) {
	try {
		return JSON.parse(text);
	} catch {
		return;
	}
}
/** Each item once: the same JSON is the same. */
function distinct(items) {
	return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
/** An own property, or one of one of one; undefined for what is no object. */
function field(value, ...path) {
	let at = value;
	for (const key of path) {
		if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return void 0;
		at = at[key];
	}
	return at;
}
/** Every item as read; undefined where one cannot be, or it is no list, or one of more than `most` items. */
function all(value, read, most) {
	if (!Array.isArray(value) || value.length > most) return void 0;
	const items = [];
	for (const item of value) {
		const parsed = read(item);
		if (parsed === void 0) return void 0;
		items.push(parsed);
	}
	return items;
}
/** Own properties of an object; none of what is no object, or has more than `most`. */
function entries(value, most) {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
	const found = Object.entries(value);
	return found.length > most ? [] : found;
}
/** The items of a list; none of what is no list. */
function list$3(value) {
	return Array.isArray(value) ? value : [];
}
/** A text that says something. */
function text$3(value) {
	return typeof value === "string" && value !== "" ? value : void 0;
}
/** A whole number from 1: of a pull request, of a comment, of a run's attempt. */
function positive(value) {
	return isCount(value) && value > 0 ? value : void 0;
}
function isText$1(value, longest) {
	return typeof value === "string" && value.length <= longest;
}
/** A whole number, neither negative nor too large to be exact. */
function isCount(value) {
	return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

// src/report/markdown.ts
/**
* Untrusted text → GitHub-flavoured Markdown that shows it and does nothing else. Owns escaping and the two block
* shapes made of cells and lines (tables, code blocks); knows nothing of what a report says.
*
* Two ways in: `code` for names (stages, tags, paths, digests), `prose` for sentences. GitHub looks for mentions,
* issue references and bare links in text nodes, after entities were decoded, but not in `code` and `pre`; hence the
* zero-width spaces in `prose`. Entities can't form Markdown structure (CommonMark 0.31 §2.5), hence entities
* elsewhere, which also hold inside table cells and HTML blocks, where backslashes don't.
*/
/** Shown where text was cut. */
const CUT = "…";
const DEFAULT_CODE_LENGTH = 100;
const DEFAULT_PROSE_LENGTH = 2e3;
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffd\u{e0000}-\u{e0fff}]/gu;
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const PLAIN_CODE = /^[\w./:@=+,-](?:[\w./:@=+, -]*[\w./:@=+,-])?$/;
/**
* Text with everything invisible made visible (`\u{202e}`), line breaks and tabs as spaces, and cut to `maxLength`
* code points with a mark: in the middle, since names differ at both ends. Not escaped for Markdown.
*/
function visible(text, maxLength = DEFAULT_CODE_LENGTH) {
	return cut$2(flatten(cut$2(text, maxLength)), maxLength);
}
function flatten(text) {
	return text.toWellFormed().replace(/\s+/g, " ").replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}
function cut$2(text, maxLength) {
	if (text.length <= maxLength) return text;
	const head = Array.from(text.slice(0, 2 * maxLength));
	if (text.length <= 2 * maxLength && head.length <= maxLength) return text;
	const tail = Array.from(text.slice(-2 * maxLength));
	const tailLength = Math.floor((maxLength - 1) / 3);
	return head.slice(0, maxLength - 1 - tailLength).join("") + CUT + (tailLength === 0 ? "" : tail.slice(-tailLength).join(""));
}
/** A name as a code span, for any place in Markdown (cells, headings, lists, HTML): `` `prod` ``. */
function code$1(text, maxLength = DEFAULT_CODE_LENGTH) {
	const shown = visible(text, maxLength);
	return PLAIN_CODE.test(shown) ? `\`${shown}\`` : htmlCode(text, maxLength);
}
/** As {@link code}, in HTML: for `<summary>` and wherever Markdown isn't read. */
function htmlCode(text, maxLength = DEFAULT_CODE_LENGTH) {
	return `<code>${entities(visible(text, maxLength))}</code>`;
}
function entities(text) {
	return text.replace(/[!-/:-@[-`{-~]/g, (c) => /[./-]/.test(c) ? c : `&#${c.charCodeAt(0)};`);
}
/**
* A sentence that may hold untrusted words. What stands between backticks becomes a code span (our own messages are
* written so); everything else is shown letter by letter: no emphasis, HTML, links, mentions, references or formulas.
*/
function prose(text, maxLength = DEFAULT_PROSE_LENGTH) {
	return visible(text, maxLength).split(/`([^`]+)`/).map((part, i) => i % 2 === 1 ? code$1(part, maxLength) : plain$1(part, i === 0)).join("");
}
function plain$1(text, atStart) {
	const escaped = text.replace(/[!-/:-@[-`{-~]/g, (c) => /[,.;'/()%?-]/.test(c) ? c : `&#${c.charCodeAt(0)};`).replace(/&#(?:36|35|64);/g, "$&&#8203;").replace(/\b(www)\./gi, "$1.&#8203;").replace(/\b(gh)-(?=\d)/gi, "$1-&#8203;");
	return atStart ? escaped.replace(/^(\s*)-/, "$1&#45;").replace(/^(\s*\d+)([.)])/, (_, n, c) => `${n}&#${c.charCodeAt(0)};`) : escaped;
}
/**
* Lines as a code block: terminal colours removed, each line and their number bounded (the last ones are kept), the
* fence longer than any run of backticks within.
*/
function codeBlock(lines, options = {}) {
	const { maxLines = 100, maxLineLength = 1e3, language = "" } = options;
	const kept = lines.slice(-maxLines).map((line) => codeLine(line, maxLineLength));
	if (kept.length < lines.length) kept.unshift(`${CUT} ${lines.length - kept.length} earlier lines`);
	const longest = Math.max(0, ...kept.flatMap((line) => (line.match(/`+/g) ?? []).map((run) => run.length)));
	const fence = "`".repeat(Math.max(3, longest + 1));
	return [
		fence + language,
		...kept,
		fence
	].join("\n");
}
function codeLine(line, maxLength) {
	const seen = cut$2(line, maxLength * 4).replace(ANSI, "").replace(/\r+$/, "");
	return cut$2(seen.slice(seen.lastIndexOf("\r") + 1).replace(/\t/g, "    ").toWellFormed().replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`), maxLength);
}
/** A table from cells that are Markdown already. */
function table(columns, rows) {
	const line = (cells) => `| ${cells.join(" | ")} |`;
	return [
		line(columns.map((column) => column.title)),
		line(columns.map((column) => column.align === "right" ? "--:" : ":--")),
		...rows.map(line)
	].join("\n");
}
/** A block folded away under a line. `summary` is HTML already, `body` Markdown. */
function details(summary, body) {
	return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>`;
}

// src/report/annotations.ts
/** GitHub shows ten errors and ten warnings per step and drops the rest without a word. (REST: checks) */
const MAX_ANNOTATIONS = 10;
const MAX_MESSAGE = 4e3;
const MAX_TITLE = 120;
const MAX_LAST_LINE = 200;
function annotation(problem, options) {
	const file = repositoryPath(problem.file, options.workspace);
	const place = problem.file !== void 0 && file === void 0 ? `${visible(problem.file, 300)}${problem.line === void 0 ? "" : `:${problem.line}`}: ` : "";
	const said = [problem.message, problem.mend].filter((text) => text !== void 0).map((text) => visible(text, 1500));
	const lines = (options.lastLines ?? []).slice(-15).map((line) => `  ${visible(line, MAX_LAST_LINE)}`);
	const printed = lines.length === 0 ? [] : ["The last lines that it printed:", ...lines];
	const message = [place + said.join(" "), ...printed].join("\n");
	return {
		level: options.level,
		title: visible(options.title ?? defaultTitle(problem), MAX_TITLE),
		message: message.length > MAX_MESSAGE ? `${message.slice(0, 3999).toWellFormed()}…` : message,
		file,
		startLine: file === void 0 ? void 0 : problem.line,
		endLine: file === void 0 || problem.line === void 0 ? void 0 : problem.endLine ?? problem.line
	};
}
/**
* At most ten of one level. Where there are more, the tenth says how many are not shown; all of them stand in the
* log.
*/
function limitAnnotations(annotations, max = 10) {
	if (annotations.length <= max) return annotations;
	const kept = annotations.slice(0, Math.max(0, max - 1));
	const more = annotations.length - kept.length;
	const level = annotations[0]?.level ?? "error";
	return [...kept, {
		level,
		title: `+${more} more`,
		message: `${more} more ${level}${more === 1 ? " is" : "s are"} in the step's log.`,
		file: void 0,
		startLine: void 0,
		endLine: void 0
	}];
}
function defaultTitle(problem) {
	if (problem.input !== void 0) return `Input ${problem.input}`;
	if (problem.file !== void 0) return posix.basename(problem.file);
	return "stage-build";
}
function repositoryPath(file, workspace) {
	if (file === void 0) return void 0;
	const relative = posix.relative(workspace, posix.resolve(workspace, file));
	return relative === "" || relative === ".." || relative.startsWith("../") ? void 0 : relative;
}

// src/announce.ts
/**
* Shows problems as annotations of one level, at their files and lines; once what is equal, as the targets of one Dockerfile
* have it.
*/
function announce(runner, problems, options) {
	const { level, workspace } = options;
	const all = distinct(problems.map((problem) => annotation(problem, {
		level,
		workspace,
		lastLines: problem.lastLines
	})));
	const shown = limitAnnotations(all);
	for (const each of shown) runner.annotate(each);
	if (shown.length === all.length && shown.length < 10) return;
	for (const each of all.slice(10 - 1)) runner.log(`${level}: ${placeOf(each)}${each.message}`);
}
/** As in the text of a problem; an annotation without a file has what is to be told of its place in its message. */
function placeOf({ file, startLine }) {
	if (file === void 0) return "";
	return `${visible(file, 300)}${startLine === void 0 ? "" : `:${startLine}`}: `;
}

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
/** A text with a full stop at its end, so that a mend can follow. */
function sentence(text) {
	return /[.!?…]$/.test(text) ? text : `${text}.`;
}
/** The code of a system's error (`ENOENT`), or undefined. Not by `instanceof`: errors of Node's core may be of another realm. */
function errorCode(error) {
	return typeof error === "object" && error !== null && "code" in error ? String(error.code) : void 0;
}
/**
* The candidate nearest to `word` by edit distance, or undefined when none is near enough to be a slip of the pen
* (more than a third of its letters differ).
*/
function nearest(word, candidates) {
	let best;
	let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
	for (const candidate of candidates) {
		const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
		if (distance < bestDistance) {
			best = candidate;
			bestDistance = distance;
		}
	}
	return best;
}
/** Letters inserted, left out, exchanged, or two neighbours swapped: one each. */
function editDistance(a, b) {
	let beforePrevious = [];
	let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 1; i <= a.length; i++) {
		const current = [i];
		for (let j = 1; j <= b.length; j++) {
			const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
			const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforePrevious[j - 2] ?? 0) + 1 : 1e400;
			current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution, swap));
		}
		beforePrevious = previous;
		previous = current;
	}
	return previous[b.length] ?? 0;
}

// src/bake-headings.ts
/** Where targets begin in bake and compose files, by the forms of their lines: buildx tells no places. Pure. */
/** All targets of a file, in its order; one that a matrix makes stands nowhere. */
function headingsOf(text) {
	const lines = text.replace(/^\uFEFF/, "").split("\n");
	const forms = [
		() => ofHcl(lines),
		() => ofYaml(lines),
		() => ofJson(text)
	];
	for (const form of forms) {
		const found = form();
		if (found.length > 0) return found;
	}
	return [];
}
/** `target "web" {` */
function ofHcl(lines) {
	return lines.flatMap((line, above) => {
		const [, quoted, name = quoted] = /^\s*target\s+(?:"([^"]+)"|([\w-]+))\s*\{/.exec(line) ?? [];
		return name === void 0 ? [] : [{
			name,
			above
		}];
	});
}
/**
* The keys under the top-level `services`, which are as far in as its first one; other places name services, too
* (`depends_on`), or things that have a service's name (`networks`, `volumes`).
*/
function ofYaml(lines) {
	const headings = [];
	let isServices = false;
	let indent;
	for (const [above, line] of lines.entries()) {
		if (/^\s*(?:#|$)/.test(line)) continue;
		const [, blanks = "", , key] = /^( *)(?:(["']?)([\w.-]+)\2\s*:(?=[\s{]|$))?/.exec(line) ?? [];
		if (blanks === "") {
			isServices = key === "services";
			indent = void 0;
		} else if (isServices) {
			indent ??= blanks.length;
			if (key !== void 0 && blanks.length === indent) headings.push({
				name: key.replaceAll(".", "_"),
				above
			});
		}
	}
	return headings;
}
/** The files that a compose file includes, by paths from its folder. */
function includedIn(text) {
	let isInclude = false;
	return text.split(/\r?\n/).flatMap((line) => {
		if (/^[^\s#-]/.test(line)) isInclude = /^include\s*:/.test(line);
		const [, , path] = /^\s*(?:-\s+)?(?:path\s*:\s*)?(["']?)([\w./-]+)\1\s*(?:#.*)?$/.exec(line) ?? [];
		return isInclude && path !== void 0 && path !== "-" ? [path] : [];
	});
}
/** The keys under `target`, or in a compose file under `services`. */
function ofJson(text) {
	const headings = [];
	const path = [];
	let above = 0;
	for (const [token, colon] of text.matchAll(/\n|[{}[\]]|"(?:[^"\\\n]|\\.)*"(?=(\s*:)?)/g)) if (token === "\n") above++;
	else if (token === "{" || token === "[") path.push("");
	else if (token === "}" || token === "]") path.pop();
	else if (colon !== void 0 && path.length > 0) {
		path[path.length - 1] = String(parseJson(token));
		const [kind, name, ...deeper] = path.filter((key) => key !== "");
		if ((kind === "target" || kind === "services") && name !== void 0 && deeper.length === 0) headings.push({
			name,
			above
		});
	}
	return headings;
}

// src/bake-places.ts
/** Where targets, and Dockerfiles that are written for them, stand in bake and compose files, so that lines can be told. */
/**
* Where each target's inline Dockerfile is; one that is not there line by line, as in JSON, goes by the target's name, and what
* is wrong with it is told at the target's heading (`toldOfInline`).
*/
async function inlinePlaces(files, targets, workspace) {
	const texts = targets.some(({ inline }) => inline !== void 0) ? await textsOf(files, workspace) : [];
	const byName = (name) => {
		const heading = {
			target: name,
			...headingIn(texts, name) ?? { file: files[0] ?? "" }
		};
		return {
			file: `${heading.file}#${name}`,
			above: 0,
			heading
		};
	};
	return ({ name, inline }) => inline === void 0 ? void 0 : placeOfInline({
		name,
		inline
	}, texts) ?? byName(name);
}
/** The files as they are, and behind them those that they include; one that cannot be read is empty. */
async function textsOf(files, workspace) {
	const read = async (name) => ({
		name,
		text: await readFile(resolve$1(workspace, name), "utf8").catch(() => "")
	});
	const texts = /* @__PURE__ */ new Map();
	for (let names = files; names.length > 0;) {
		const found = await Promise.all(names.map(read));
		for (const file of found) texts.set(file.name, file);
		const included = found.flatMap(({ name, text }) => includedIn(text).map((path) => join(dirname(name), path)));
		names = [...new Set(included)].filter((name) => !texts.has(name) && !/^\.\.\/|^\//.test(name));
	}
	return [...texts.values()];
}
/**
* Finds the text, indented as it may be and with its variables as they are written; where it stands several times, the one
* under the target's own heading. Undefined where it is not there line by line, as in JSON.
*/
function placeOfInline({ name, inline }, files) {
	const wanted = inline.replace(/\s+$/, "").split("\n");
	const places = files.flatMap(({ name: file, text }) => {
		const lines = text.split(/\r?\n/);
		const { from, to } = sectionIn(text, name);
		return lines.flatMap((_, above) => standsAt(wanted, lines, above) ? [above] : []).map((above) => ({
			file,
			above,
			isOwn: above >= from && above < to
		}));
	});
	const { file, above } = places.find(({ isOwn }) => isOwn) ?? places[0] ?? {};
	return file === void 0 || above === void 0 ? void 0 : {
		file,
		above
	};
}
/** The lines from a target's heading to the next one's; none where it has none. */
function sectionIn(text, name) {
	const headings = headingsOf(text);
	const own = headings.find((heading) => heading.name === name);
	if (own === void 0) return {
		from: 1e400,
		to: -1
	};
	const next = headings.find(({ above }) => above > own.above);
	return {
		from: own.above,
		to: next?.above ?? 1e400
	};
}
/** The place where a target begins, in the first file that has it. */
function headingIn(files, target) {
	for (const { name: file, text } of files) {
		const found = headingsOf(text).find(({ name }) => name === target);
		if (found !== void 0) return {
			file,
			line: found.above + 1
		};
	}
}
function standsAt(wanted, lines, above) {
	const [first = ""] = wanted;
	const top = lines[above] ?? "";
	if (wanted.length === 1) return first !== "" && plain(top).includes(first);
	const said = wanted.findIndex((want) => want.trim() !== "");
	const [deep, own] = [blanks(lines[above + said] ?? ""), blanks(wanted[said] ?? "")];
	const indent = deep.slice(0, Math.max(0, deep.length - own.length));
	return wanted.every((want, index) => {
		const line = lines[above + index];
		if (line === void 0) return false;
		if (want.trim() === "") return line.trim() === "";
		return line.startsWith(indent) && isLine(want, plain(line.slice(indent.length)));
	});
}
function blanks(line) {
	return /^\s*/.exec(line)?.[0] ?? "";
}
/** Both kinds of file write a `$` twice that is none of theirs. */
function plain(line) {
	return line.replaceAll("$$", "$").replaceAll("%%{", "%{");
}
/** Whether the line is this one as it is, or with something in place of its variables. */
function isLine(want, line) {
	if (want.trimEnd() === line.trimEnd()) return true;
	const [first, last] = [line.indexOf("$"), line.lastIndexOf("}")];
	const behind = last > first ? line.slice(last + 1) : "";
	return first !== -1 && want.startsWith(line.slice(0, first)) && want.endsWith(behind);
}

// src/dockerfile/dockerfile-error.ts
/** One problem of a Dockerfile. `message` is BuildKit's, to the letter. */
var DockerfileError = class extends Error {
	phase;
	scope;
	line;
	endLine;
	mend;
	stage;
	constructor(message, fields) {
		super(message);
		this.name = "DockerfileError";
		this.phase = fields.phase;
		this.scope = fields.scope ?? "always";
		this.line = fields.range?.line;
		this.endLine = fields.range?.endLine;
		this.mend = fields.mend;
		this.stage = fields.stage;
	}
};
/** Thrown inside this room where an instruction or a word is wrong; always caught and given its place. */
var SyntaxFault = class extends Error {
	constructor(message) {
		super(message);
		this.name = "SyntaxFault";
	}
};

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
const BLANKS = /[\t\v\f\r ]+/;
/** Splits at blanks as BuildKit's parser does; with `limit`, the last part keeps its blanks. */
function splitBlanks(text, limit) {
	if (limit === void 0) return text.split(BLANKS);
	const match = BLANKS.exec(text);
	return match === null ? [text] : [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}
const ESCAPES = /* @__PURE__ */ new Map([
	["\"", "\\\""],
	["\\", "\\\\"],
	["\x07", "\\a"],
	["\b", "\\b"],
	["\f", "\\f"],
	["\n", "\\n"],
	["\r", "\\r"],
	["	", "\\t"],
	["\v", "\\v"]
]);
const PRINTABLE = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
/** Go's `%q`: the text in double quotes, unprintable characters escaped. */
function goQuote(text) {
	if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
	let out = "";
	for (const character of text) out += ESCAPES.get(character) ?? (PRINTABLE.test(character) ? character : hex(character));
	return `"${out}"`;
}
function hex(character) {
	const code = character.codePointAt(0) ?? 0;
	const digits = code.toString(16);
	if (code < 128) return `\\x${digits.padStart(2, "0")}`;
	return code < 65536 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
/** Go's `path.Join('/', text)`: rooted, without `.`, `..` and doubled slashes. */
function rootedPath(text) {
	const parts = [];
	for (const part of text.split("/")) if (part === "..") parts.pop();
	else if (part !== "" && part !== ".") parts.push(part);
	return `/${parts.join("/")}`;
}
/** Go's `strconv.Atoi`; undefined where it fails. A bigint, because messages repeat the number. */
function atoi(text) {
	if (!/^[+-]?[0-9]+$/.test(text)) return void 0;
	const value = BigInt(text.replace(/^\+/, ""));
	return value >= -(2n ** 63n) && value < 2n ** 63n ? value : void 0;
}
/** Go's `strconv.ParseBool`. */
function parseBool(text) {
	if ([
		"1",
		"t",
		"T",
		"TRUE",
		"true",
		"True"
	].includes(text)) return true;
	return [
		"0",
		"f",
		"F",
		"FALSE",
		"false",
		"False"
	].includes(text) ? false : void 0;
}

// src/graph/platform.ts
/**
* Platforms as text and in parts: parsing, the normal form, and the words for a bad one.
* Source: https://github.com/containerd/platforms/blob/v1.0.0-rc.1/platforms.go and database.go
*/
/** What stands for the machine where none is told. */
const HOST = {
	os: "linux",
	osVersion: "",
	architecture: "amd64",
	variant: ""
};
const KNOWN_OS = new Set("aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos wasip1".split(" "));
const KNOWN_ARCHITECTURES = new Set("386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm".split(" "));
/** The part of a platform that containerd does not know: parsed all the same, but nothing can be built for it. */
function unknownPart(platform) {
	if (!KNOWN_OS.has(platform.os) && platform.os !== "wasi") return {
		part: platform.os,
		known: [...KNOWN_OS]
	};
	if (KNOWN_ARCHITECTURES.has(platform.architecture)) return void 0;
	return {
		part: platform.architecture,
		known: [...KNOWN_ARCHITECTURES]
	};
}
const OS_TEXT = "^([A-Za-z0-9_-]+)(?:\\(([A-Za-z0-9_.%-]*)((?:\\+[A-Za-z0-9_.%-]+)*)\\))?$";
const PART_TEXT = "^[A-Za-z0-9_.-]+$";
const OS = new RegExp(OS_TEXT);
const PART = new RegExp(PART_TEXT);
const INVALID = "invalid argument";
/**
* Parses `os[/arch[/variant]]`; a lone architecture or system is completed with the host's other half.
* @throws SyntaxFault in containerd's words
*/
function parsePlatform$1(specifier, host) {
	const quoted = goQuote(specifier);
	if (specifier.includes("*")) throw new SyntaxFault(`${quoted}: wildcards not yet supported: ${INVALID}`);
	const parts = specifier.split("/");
	const match = OS.exec(parts[0] ?? "");
	if (match === null) {
		const text = `${goQuote(parts[0] ?? "")} is an invalid OS component of ${quoted}`;
		throw new SyntaxFault(`${text}: OSAndVersion specifier component must match ${goQuote(OS_TEXT)}: ${INVALID}`);
	}
	const bad = parts.slice(1).find((part) => !PART.test(part));
	if (bad !== void 0) {
		const text = `${goQuote(bad)} is an invalid component of ${quoted}`;
		throw new SyntaxFault(`${text}: platform specifier component must match ${goQuote(PART_TEXT)}: ${INVALID}`);
	}
	const os = normalOs(match[1] ?? "");
	const osVersion = match[2] ?? "";
	const [first = "", architecture, variant, ...more] = parts;
	if (more.length > 0) throw new SyntaxFault(`${quoted}: cannot parse platform specifier: ${INVALID}`);
	if (architecture === void 0) {
		if (KNOWN_OS.has(os)) return {
			os,
			osVersion,
			architecture: host.architecture,
			variant: host.variant
		};
		const single = withoutDefaultArm(normalArchitecture(first, ""));
		if (KNOWN_ARCHITECTURES.has(single.architecture)) return {
			os: host.os,
			osVersion: "",
			...single
		};
		throw new SyntaxFault(`${quoted}: unknown operating system or architecture: ${INVALID}`);
	}
	const normal = normalArchitecture(architecture, variant ?? "");
	if (variant === void 0) return {
		os,
		osVersion,
		...withoutDefaultArm(normal)
	};
	return {
		os,
		osVersion,
		...normal,
		...normal.architecture === "arm64" && normal.variant === "" && { variant: "v8" }
	};
}
function withoutDefaultArm(parts) {
	return parts.architecture === "arm" && parts.variant === "v7" ? {
		...parts,
		variant: ""
	} : parts;
}
function normalOs(os) {
	const lower = os.toLowerCase();
	return lower === "macos" ? "darwin" : lower;
}
function normalArchitecture(written, writtenVariant) {
	const architecture = written.toLowerCase();
	const variant = writtenVariant.toLowerCase();
	switch (architecture) {
		case "i386": return {
			architecture: "386",
			variant: ""
		};
		case "x86_64":
		case "x86-64":
		case "amd64": return {
			architecture: "amd64",
			variant: variant === "v1" ? "" : variant
		};
		case "aarch64":
		case "arm64":
			if (variant === "8" || variant === "v8") return {
				architecture: "arm64",
				variant: ""
			};
			return {
				architecture: "arm64",
				variant: [
					"9",
					"9.0",
					"v9.0"
				].includes(variant) ? "v9" : variant
			};
		case "armhf": return {
			architecture: "arm",
			variant: "v7"
		};
		case "armel": return {
			architecture: "arm",
			variant: "v6"
		};
		case "arm":
			if (variant === "" || variant === "7") return {
				architecture,
				variant: "v7"
			};
			return {
				architecture,
				variant: [
					"5",
					"6",
					"8"
				].includes(variant) ? `v${variant}` : variant
			};
		default: return {
			architecture,
			variant
		};
	}
}
/** The one form of a platform among those that mean the same. */
function normalizePlatform$1(platform) {
	const { osVersion } = platform;
	return {
		os: normalOs(platform.os),
		osVersion,
		...normalArchitecture(platform.architecture, platform.variant)
	};
}
/** `os[(version)]/arch[/variant]`. */
function formatPlatform$1({ os, osVersion, architecture, variant }) {
	return [
		osVersion === "" ? os : `${os}(${osVersion})`,
		architecture,
		variant
	].filter((part) => part !== "").join("/");
}
/**
* The platforms that a list means, as buildx reads it: each in its one form and once, `local` being the machine that asks, and
* several in one text parted by commas. What is no platform stays as it is written, to be told.
* Source: https://github.com/docker/buildx/blob/v0.29.1/util/platformutil/parse.go (Parse)
* @param host the platform of the machine that asks
*/
function namedPlatforms(written, host) {
	const all = written.flatMap((text) => text.split(","));
	return [...new Set(all.map((text) => namedPlatform(text.toLowerCase() === "local" ? host : text, host)))];
}
function namedPlatform(text, host) {
	try {
		const platform = normalizePlatform$1(parsePlatform$1(text, normalizePlatform$1(parsePlatform$1(host, HOST))));
		return unknownPart(platform) === void 0 ? formatPlatform$1(platform) : text;
	} catch (error) {
		if (error instanceof SyntaxFault) return text;
		throw error;
	}
}

// src/process.ts
/**
* The only place that starts processes. Arguments are always an array (no shell); output is streamed; an abort
* signal ends the child with SIGINT first, as a terminal would, so that buildx can cancel its solve, then SIGKILL.
*/
/** A program that is not on PATH (or not executable), as opposed to one that failed. */
var ProgramMissingError = class extends Error {
	program;
	constructor(program, options) {
		super(`${program} could not be started`, options);
		this.name = "ProgramMissingError";
		this.program = program;
	}
};
/** Where a program is on a PATH; undefined where it is not. Relative folders do not count. At once: see `findBuildx`. */
function findProgram(name, path) {
	return path.split(delimiter).filter(isAbsolute).map((folder) => join(folder, name)).find(isExecutable);
}
function isExecutable(file) {
	try {
		accessSync$1(file, constants$2.X_OK);
		return true;
	} catch {
		return false;
	}
}
const KILL_AFTER_MS = 1e4;
/**
* Runs a program to its end and never rejects for a non-zero exit: the caller reads `code`.
* @throws ProgramMissingError when the program cannot be started.
*/
async function runProcess(program, args, options = {}) {
	return await new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			env: options.env ?? process.env,
			cwd: options.cwd,
			stdio: [
				options.input === void 0 ? "ignore" : "pipe",
				"pipe",
				"pipe"
			]
		});
		const collected = {
			stdout: "",
			stderr: ""
		};
		const take = (stream, listener) => {
			child[stream]?.setEncoding("utf8").on("data", (text) => {
				if (listener !== void 0) listener(text);
				else collected[stream] = (collected[stream] + text).slice(-1048576);
			});
		};
		take("stdout", options.onStdout);
		take("stderr", options.onStderr);
		let killTimer;
		const abort = () => {
			child.kill("SIGINT");
			killTimer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
			killTimer.unref();
		};
		const settle = () => {
			clearTimeout(killTimer);
			options.signal?.removeEventListener("abort", abort);
		};
		child.on("error", (error) => {
			settle();
			reject(new ProgramMissingError(program, { cause: error }));
		});
		child.on("close", (code, signal) => {
			settle();
			resolve({
				code,
				signal,
				...collected
			});
		});
		if (options.signal?.aborted === true) abort();
		else options.signal?.addEventListener("abort", abort, { once: true });
		child.stdin?.on("error", () => void 0).end(options.input);
	});
}
/**
* Starts a Node.js program that talks with `process.send`. It leads a process group of its own, so that `kill` reaches
* its children, and it does not keep this process alive: who waits for an answer needs a timer, and the program should
* end itself on `disconnect`.
*/
function startChild(script, nodeFlags, options) {
	const child = spawn(process.execPath, [...nodeFlags, script], {
		env: options.env,
		cwd: options.cwd,
		stdio: [
			"ignore",
			"pipe",
			"pipe",
			"ipc"
		],
		detached: true
	});
	for (const stream of [child.stdout, child.stderr]) {
		if (stream === null) continue;
		createInterface({
			input: stream,
			crlfDelay: 1e400
		}).on("line", options.onLine);
		if (stream instanceof Socket) stream.unref();
	}
	child.unref();
	child.channel?.unref();
	let ended = false;
	const end = (how) => {
		if (!ended) options.onEnd(how);
		ended = true;
	};
	child.on("message", options.onMessage);
	child.on("error", (error) => {
		if (child.pid === void 0) end(`could not be started: ${error.message}`);
	});
	child.on("exit", (code, signal) => {
		end(signal === null ? `ended with exit code ${String(code)}` : `was ended by ${signal}`);
	});
	return {
		pid: child.pid,
		send: (message) => {
			child.send(message, () => void 0);
		},
		kill: () => {
			if (child.pid === void 0 || ended) return;
			child.ref();
			try {
				process.kill(-child.pid, "SIGKILL");
			} catch {}
		}
	};
}

// src/images/registry-error.ts
/**
* What can go wrong between us and a registry, in words for the user. No secret, token or signed address ever enters a
* message: only names of hosts and images, and the registry's own short text with control characters taken out.
*/
/** A registry (or an OCI layout) could not give what was asked for. */
var RegistryError = class extends Error {
	kind;
	mend;
	status;
	retryAfter;
	said;
	constructor(fault, options) {
		super(fault.message, options);
		this.name = "RegistryError";
		this.kind = fault.kind;
		this.mend = fault.mend;
		this.status = fault.status;
		this.retryAfter = fault.retryAfter;
		this.said = fault.said;
	}
};
/** The error for an answer that is no success. */
function answerError(answer) {
	const said = answer.detail === void 0 ? void 0 : oneLine(answer.detail);
	return new RegistryError({
		...faultOf(answer, said === void 0 ? "" : ` It said: ${said}`),
		said
	});
}
function faultOf(answer, said) {
	const { subject, domain, status, retryAfter } = answer;
	const login = `docker/login-action${domain === "docker.io" ? "" : ` (registry: ${domain})`}`;
	if (status === 404) return {
		kind: "not-found",
		message: `${subject} was not found in ${domain}.${said}`,
		mend: "Check the name and the tag.",
		status
	};
	if (status === 401) return {
		kind: "unauthorized",
		message: answer.loggedIn ? `${domain} does not accept the login for ${subject}.${said}` : `${domain} asks for a login for ${subject} (or there is no such image).${said}`,
		mend: answer.loggedIn ? `Log in again with ${login}: the password or token may have expired, or may not read this repository.` : `Check the name; for a private image, log in first with ${login}.`,
		status
	};
	if (status === 403) return {
		kind: "denied",
		message: `${domain} denies access to ${subject}.${said}`,
		mend: answer.loggedIn ? "Give the account or token that is logged in the right to read this repository." : `Log in first with ${login}.`,
		status
	};
	if (status === 429) {
		const wait = retryAfter === void 0 ? "" : `Try again in ${retryAfter} s. `;
		return {
			kind: "rate-limited",
			message: `${domain} refuses more requests for now (${subject}).${said}`,
			mend: `${wait}Log in with ${login} for a higher limit, or map the image to a mirror with external-images.`,
			status,
			retryAfter
		};
	}
	if (status >= 500) return {
		kind: "server",
		message: `${domain} failed with status ${status} for ${subject}.${said}`,
		mend: "Try again later.",
		status,
		retryAfter
	};
	return badFault(subject, `${domain} answered with status ${status}.${said}`, status);
}
/** An answer that is no valid one. `why` is a sentence. */
function badAnswer(subject, why, status) {
	return new RegistryError(badFault(subject, why, status));
}
function badFault(subject, why, status) {
	return {
		kind: "bad-answer",
		message: `The registry's answer for ${subject} cannot be used: ${why}`,
		mend: "Check that the address is that of a container registry, and that no proxy stands in between.",
		status
	};
}
/** No answer at all. */
function unreachable$1(subject, host, cause) {
	const reason = errorCode(cause) ?? (cause instanceof Error ? cause.message : "unknown error");
	return new RegistryError({
		kind: "unreachable",
		message: `${host} could not be reached for ${subject}: ${oneLine(reason)}.`,
		mend: "Check the name of the registry and the network."
	}, { cause });
}
/** Untrusted text as one short line. */
function oneLine(text) {
	const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
	return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}

// src/images/docker-credentials.ts
/**
* Logins for registries, from where `docker login` puts them: the Docker configuration and its credential helpers. A
* helper that is missing or fails is a warning, and the registry is asked without a login. Secrets stay in the returned
* value; no message holds one.
* https://github.com/docker/cli/blob/v28.0.0/cli/config/configfile/file.go#L276 (lookup)
* https://github.com/docker/docker-credential-helpers#development (the helpers' protocol)
*/
/** Docker Hub's key in every Docker configuration. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
const HELPER_TIMEOUT_MS = 3e4;
/** What helpers print for a registry without a login. */
const NOT_FOUND = "credentials not found in native keychain";
/** The folder of docker's configuration. */
function dockerFolder(env, homeDirectory) {
	return env["DOCKER_CONFIG"] ?? join(homeDirectory, ".docker");
}
/** The logins of one Docker configuration; each is looked up once. */
var DockerCredentials = class {
	#options;
	#known = /* @__PURE__ */ new Map();
	#configuration;
	constructor(options) {
		this.#options = options;
	}
	/** The login for a registry as in image names (`docker.io`, `ghcr.io`), or undefined: then ask without. Never throws. */
	async find(domain) {
		const key = domain === "docker.io" ? DOCKER_HUB_KEY : domain;
		let found = this.#known.get(key);
		if (found === void 0) {
			found = this.#lookUp(key);
			this.#known.set(key, found);
		}
		return await found;
	}
	async #lookUp(key) {
		this.#configuration ??= this.#readConfiguration();
		const configuration = await this.#configuration;
		const helper = text$2(object$1(configuration["credHelpers"])[key]) ?? text$2(configuration["credsStore"]);
		if (helper !== void 0 && helper !== "") {
			const answer = await this.#askHelper(helper, key);
			if (answer !== "failed") return answer;
		}
		return storedCredential(object$1(configuration["auths"]), key);
	}
	async #readConfiguration() {
		const { env, homeDirectory, warn } = this.#options;
		const path = join(dockerFolder(env, homeDirectory), "config.json");
		let content;
		try {
			content = await readFile(path, "utf8");
		} catch (error) {
			if (errorCode(error) !== "ENOENT") warn(`${path} could not be read, so registries are asked without a login.`);
			return {};
		}
		try {
			return object$1(JSON.parse(content));
		} catch {
			warn(`${path} is not valid JSON, so registries are asked without a login.`);
			return {};
		}
	}
	async #askHelper(helper, key) {
		const { env, warn } = this.#options;
		const fail = (why) => {
			warn(`The credential helper ${JSON.stringify(helper)} for ${key} ${why}, so the registry is asked without a login from it.`);
			return "failed";
		};
		if (!/^[A-Za-z0-9_.-]+$/.test(helper)) return fail("has no valid name");
		try {
			const signal = AbortSignal.timeout(HELPER_TIMEOUT_MS);
			const result = await runProcess(`docker-credential-${helper}`, ["get"], {
				env,
				input: key,
				signal
			});
			if (result.code !== 0) {
				if (oneLine(result.stdout).includes(NOT_FOUND)) return void 0;
				return fail(signal.aborted ? "did not answer in time" : `failed (status ${result.code ?? "unknown"})`);
			}
			return helperCredential(object$1(JSON.parse(result.stdout))) ?? fail("gave no login");
		} catch (error) {
			return fail(error instanceof ProgramMissingError ? "is not installed" : "gave no valid answer");
		}
	}
};
function helperCredential(answer) {
	const username = text$2(answer["Username"]);
	const secret = text$2(answer["Secret"]);
	if (username === void 0 || secret === void 0) return void 0;
	return username === "<token>" ? {
		kind: "identity-token",
		token: secret
	} : {
		kind: "basic",
		username,
		password: secret
	};
}
/** The entry under the key itself, else one whose key is an address of that host. */
function storedCredential(auths, key) {
	const exact = auths[key];
	if (exact !== void 0) return entryCredential(object$1(exact));
	const host = hostOf$2(key);
	for (const [address, entry] of Object.entries(auths)) if (hostOf$2(address) === host) return entryCredential(object$1(entry));
}
function hostOf$2(address) {
	return address.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
}
function entryCredential(entry) {
	const identityToken = text$2(entry["identitytoken"]);
	if (identityToken !== void 0 && identityToken !== "") return {
		kind: "identity-token",
		token: identityToken
	};
	const registryToken = text$2(entry["registrytoken"]);
	if (registryToken !== void 0 && registryToken !== "") return {
		kind: "registry-token",
		token: registryToken
	};
	const auth = text$2(entry["auth"]);
	if (auth !== void 0 && auth !== "") {
		const decoded = Buffer.from(auth, "base64").toString("utf8");
		const colon = decoded.indexOf(":");
		if (colon <= 0) return void 0;
		return {
			kind: "basic",
			username: decoded.slice(0, colon),
			password: decoded.slice(colon + 1).replace(/\0+$/, "")
		};
	}
	const username = text$2(entry["username"]);
	const password = text$2(entry["password"]);
	if (username === void 0 || username === "" || password === void 0) return void 0;
	return {
		kind: "basic",
		username,
		password
	};
}
function object$1(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
function text$2(value) {
	return typeof value === "string" ? value : void 0;
}

// src/build/buildx-program.ts
/**
* The program behind `docker buildx`. Docker asks each of its plugins who it is before it starts one, which takes longer
* than most of what is asked of buildx; started by itself, buildx does the same with the same settings.
*/
const PLUGIN = "docker-buildx";
/** https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager_unix.go */
const SYSTEM_FOLDERS = [
	"local/lib",
	"local/libexec",
	"lib",
	"libexec"
].map((name) => `/usr/${name}/docker/cli-plugins`);
/** By this variable a plugin takes itself for one that docker has started. */
const STARTED_BY_DOCKER = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";
/**
* The plugin that docker would run; undefined where docker had better be asked: it is not there, it is a script (which may
* set what docker needs), or the plugin is none that can run by itself. At once: of so many trips through the thread pool each would
* wait for whatever else is read and run, and buildx is waited for already.
* https://github.com/docker/cli/blob/v28.5.2/cli-plugins/manager/manager.go#L57 (getPluginDirs, PluginRunCommand)
* https://github.com/docker/buildx/blob/v0.29.1/cmd/buildx/main.go#L37 (runStandalone)
*/
function findBuildx(env) {
	if (env[STARTED_BY_DOCKER] !== void 0) return void 0;
	const docker = findProgram("docker", env["PATH"] ?? "");
	if (docker === void 0 || !isBinary(docker)) return void 0;
	const config = dockerFolder(env, env["HOME"] ?? homedir());
	const extra = extraFolders(join(config, "config.json"));
	if (extra === void 0) return void 0;
	for (const folder of [
		...extra,
		join(config, "cli-plugins"),
		...SYSTEM_FOLDERS
	]) {
		const file = join(folder, PLUGIN);
		if (isThere(file)) return isBinary(file) ? file : void 0;
	}
}
/** Whether docker would stop its search here. */
function isThere(file) {
	try {
		statSync$1(file);
		return true;
	} catch (error) {
		return errorCode(error) !== "ENOENT";
	}
}
/** Folders that docker's configuration names; undefined where it cannot be read. */
function extraFolders(file) {
	let text;
	try {
		text = readFileSync$1(file, "utf8");
	} catch (error) {
		return errorCode(error) === "ENOENT" ? [] : void 0;
	}
	const config = parseJson(text);
	if (config === void 0) return void 0;
	const folders = list$3(field(config, "cliPluginsExtraDirs"));
	return folders.every((folder) => typeof folder === "string") ? folders : void 0;
}
/** Whether it is a program of the machine (ELF, Mach-O), and not a script. */
function isBinary(file) {
	const start = Buffer.alloc(4);
	try {
		const handle = openSync$1(file, "r");
		try {
			readSync$1(handle, start, 0, start.length, 0);
		} finally {
			closeSync$1(handle);
		}
	} catch {
		return false;
	}
	return [
		"7f454c46",
		"cffaedfe",
		"cafebabe"
	].includes(start.toString("hex"));
}

// src/build/json.ts
/** Narrowing of JSON that docker wrote: unknown → what it really holds, without casts and without throwing. */
function asRecord(value) {
	return isRecord(value) ? value : void 0;
}
function textAt(record, key) {
	const value = record?.[key];
	return typeof value === "string" ? value : void 0;
}
function isRecord(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

// src/build/du.ts
/**
* What stages weigh on the builder's disk, for those that are left behind and never exported. Read from
* `docker buildx du`: its records are snapshots, each with the step that made it and the snapshot beneath.
*
* An estimate, and told so: snapshots count blocks on disk, not file bytes. Where the records do not tell the whole
* chain of a stage (pruned, or pulled from a cache instead of built) the answer is "unknown", never a part of it.
*/
/** Past these, what stages weigh may be unknown; an engine that lived long has tens of thousands. */
const MOST_RECORDS = 1e5;
/** Reads `docker buildx du --format '{{json .}}'` as it arrives: an engine that lived long has megabytes of it. */
var DiskUsageReader = class {
	#records = [];
	#rest = "";
	push(text) {
		const lines = `${this.#rest}${text}`.split("\n");
		this.#rest = lines.pop() ?? "";
		for (const line of lines) this.#read(line);
	}
	/** What was read, when all of it was. */
	end() {
		this.#read(this.#rest);
		this.#rest = "";
		return this.#records;
	}
	#read(line) {
		const record = asRecord(parseJson(line));
		if (record === void 0 || this.#records.length >= MOST_RECORDS) return;
		this.#records.push({
			id: textAt(record, "ID") ?? "",
			parents: list$3(record["Parents"]).filter((parent) => typeof parent === "string"),
			description: textAt(record, "Description") ?? "",
			type: textAt(record, "Type") ?? "",
			bytes: parseSize(textAt(record, "Size") ?? ""),
			createdMs: goTime(textAt(record, "CreatedAt") ?? "")
		});
	}
};
/**
* What a stage takes on the builder's disk.
* @param steps the instructions of a stage, in order, and before them those of the stages it is based on.
* @returns undefined when the records do not tell, or when there are no steps to find it by.
*/
function bytesOnDisk(records, steps) {
	const [first, ...rest] = steps;
	if (first === void 0) return void 0;
	const regular = records.filter((record) => record.type === "regular" || record.type === "");
	const children = Map.groupBy(regular.flatMap((record) => record.parents.map((parent) => ({
		parent,
		record
	}))), ({ parent }) => parent);
	const starts = newestFirst(regular.filter((record) => matches$1(record, first) === "exactly"));
	for (const start of starts) {
		const own = follow$1(start, rest, (id) => children.get(id)?.map(({ record }) => record) ?? []);
		if (own !== void 0) return {
			own,
			base: bytesBeneath(start, regular)
		};
	}
}
/** The snapshots beneath one: those of the base image. */
function bytesBeneath(record, records) {
	const byId = new Map(records.map((candidate) => [candidate.id, candidate]));
	const seen = /* @__PURE__ */ new Set([record.id]);
	let sum = 0;
	for (let next = record.parents[0]; next !== void 0 && !seen.has(next);) {
		seen.add(next);
		const parent = byId.get(next);
		sum += parent?.bytes ?? 0;
		next = parent?.parents[0];
	}
	return sum;
}
/** Goes up the chain of snapshots, newest first at every fork. */
function follow$1(record, steps, childrenOf) {
	const [step, ...rest] = steps;
	if (step === void 0) return record.bytes;
	const children = childrenOf(record.id).map((child) => ({
		child,
		match: matches$1(child, step)
	}));
	for (const quality of ["exactly", "perhaps"]) {
		const candidates = children.filter(({ match }) => match === quality).map(({ child }) => child);
		for (const next of newestFirst(candidates)) {
			const above = follow$1(next, rest, childrenOf);
			if (above !== void 0) return record.bytes + above;
		}
	}
}
/**
* Whether a snapshot was made by a step. File operations keep the step's name (its place may be of an older
* Dockerfile); commands keep their argv, which differs from the RUN as written for heredocs and expanded variables.
*/
function matches$1(record, step) {
	const description = record.description.replaceAll(/\s+/g, " ").trim();
	const text = step.text.replaceAll("​", "").trim();
	if (!text.startsWith("RUN ")) return description.replace(/^\[[^\]]*\] /, "") === text ? "exactly" : "no";
	const argv = /^mount \/ from exec (.*)$/s.exec(description)?.[1];
	if (argv === void 0) return "no";
	const command = text.replace(/^RUN (?:--\S+ )*/, "").trim();
	const words = list$3(parseJson(command)).join(" ");
	if (argv === command || argv.endsWith(` ${command}`) || words !== "" && argv === words) return "exactly";
	return command.includes("<<") || expandsTo(argv, command) ? "perhaps" : "no";
}
/** Whether an argv with variables (`sh -c echo $X`) may be the command that BuildKit shows with their values. */
function expandsTo(argv, command) {
	if (!argv.includes("$")) return false;
	const literal = argv.split(/\$(?:\w+|\{[^}]*\})/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
	const shell = /^(\S+ )*?-\S*c /.exec(argv)?.[0] ?? "";
	return new RegExp(`^${literal.join(".*")}$`, "s").test(`${shell}${command}`);
}
function newestFirst(records) {
	return records.toSorted((a, b) => (b.createdMs ?? 0) - (a.createdMs ?? 0));
}
/** `4.096kB`, `379.8MB`: decimal units. https://github.com/docker/go-units/blob/v0.5.0/size.go */
function parseSize(text) {
	const [, number, unit] = /^([\d.]+)\s*([kMGTP]?)B$/.exec(text) ?? [];
	const power = [
		"",
		"k",
		"M",
		"G",
		"T",
		"P"
	].indexOf(unit ?? "");
	return number === void 0 ? 0 : Math.round(Number(number) * 1e3 ** power);
}
/** Go's default text of a time: `2026-11-21 03:59:06.217165184 +0000 UTC`. */
function goTime(text) {
	const [, day, clock, zone] = /^(\S+) (\S+) ([+-]\d{4})/.exec(text) ?? [];
	const ms = day === void 0 ? NaN : Date.parse(`${day}T${clock ?? ""}${zone?.replace(/(\d\d)$/, ":$1") ?? "Z"}`);
	return Number.isNaN(ms) ? void 0 : ms;
}

// src/build/docker-facts.ts
/** The oldest buildx that works: the first whose bake has `--allow fs=…`. https://github.com/docker/buildx/releases/tag/v0.19.0 */
const OLDEST_BUILDX = "0.19.0";
const ADD_BUILDX = "Add a `docker/setup-buildx-action` step before this one, or install the docker-buildx plugin.";
/** Only Linux runners can build Linux images with their own engine. */
function checkPlatform(platform) {
	if (platform === "linux") return [];
	return [{
		message: `This runner is ${{
			darwin: "macOS",
			win32: "Windows"
		}[platform] ?? platform}: images can be built on Linux runners only.`,
		mend: "Use `runs-on: ubuntu-latest` for this job (`mode: plan` and `mode: report` run anywhere)."
	}];
}
/** The problem of a docker program that is not there. */
function dockerMissing() {
	return {
		message: "The `docker` command was not found.",
		mend: "Use a runner with Docker (GitHub’s ubuntu-latest has it), or install it: https://docs.docker.com/engine/install/."
	};
}
/**
* Reads `docker info --format '{{json .}}'`. It exits with 0 although the engine cannot be reached; what is wrong
* then stands on stderr.
*/
function readDockerInfo(stdout, stderr, { needsEngine } = { needsEngine: true }) {
	const info = asRecord(parseJson(stdout));
	const client = asRecord(info?.["ClientInfo"]);
	const buildx = list$3(client?.["Plugins"]).map(asRecord).find((plugin) => textAt(plugin, "Name") === "buildx");
	const buildxVersion = textAt(buildx, "Version");
	const serverVersion = textAt(info, "ServerVersion");
	const isThere = serverVersion !== void 0 && serverVersion !== "";
	const problems = [];
	if (info !== void 0) problems.push(...checkBuildx(buildxVersion));
	if (!isThere && (needsEngine || info === void 0)) problems.push(unreachable(errorText(info, stderr)));
	if (problems.length > 0 || info === void 0) return { problems };
	return {
		clientVersion: textAt(client, "Version") ?? "unknown",
		serverVersion: isThere ? serverVersion : void 0,
		buildxVersion: buildxVersion ?? "",
		containerdStore: list$3(info["DriverStatus"]).some((pair) => Array.isArray(pair) && pair[0] === "driver-type" && String(pair[1]).startsWith("io.containerd.snapshotter")),
		platform: `${textAt(info, "OSType") ?? "linux"}/${goArchitecture(textAt(info, "Architecture") ?? "")}`
	};
}
function checkBuildx(version) {
	if (version === void 0) return [{
		message: "Docker has no buildx plugin.",
		mend: ADD_BUILDX
	}];
	if (compareVersions(version, "0.19.0") >= 0) return [];
	return [{
		message: `buildx ${version} is too old: ${OLDEST_BUILDX} or newer is needed.`,
		mend: ADD_BUILDX
	}];
}
function errorText(info, stderr) {
	return [...list$3(info?.["ServerErrors"]).filter((error) => typeof error === "string"), stderr.trim()].filter((text) => text !== "").join(" ");
}
/** The problem of an engine that does not answer, told from docker's own words. */
function unreachable(text) {
	const said = text.replaceAll(/\s+/g, " ").trim();
	if (/permission denied/i.test(said)) return {
		message: "This user may not talk to the Docker engine (permission denied on its socket).",
		mend: "Add the runner’s user to the docker group (`sudo usermod -aG docker \"$USER\"`) and restart the runner."
	};
	return {
		message: `The Docker engine cannot be reached${said === "" ? "." : `: ${said}`}`,
		mend: "Start it (`sudo systemctl start docker`), or point DOCKER_HOST at one that runs."
	};
}
/** Reads `docker buildx ls --format json`: one JSON object a line. */
function readBuilders(stdout) {
	return stdout.split("\n").map((line) => asRecord(parseJson(line))).filter((record) => record !== void 0).map((record) => ({
		name: textAt(record, "Name") ?? "",
		driver: textAt(record, "Driver") ?? "",
		current: record["Current"] === true,
		nodes: list$3(record["Nodes"]).map(readNode)
	}));
}
function readNode(value) {
	const node = asRecord(value) ?? {};
	const config = textAt(asRecord(node["Files"]), "buildkitd.toml");
	const opts = Object.entries(asRecord(node["DriverOpts"]) ?? {}).filter((pair) => typeof pair[1] === "string");
	return {
		name: textAt(node, "Name") ?? "",
		endpoint: textAt(node, "Endpoint") ?? "",
		driverOpts: Object.fromEntries(opts),
		flags: list$3(node["Flags"]).filter((flag) => typeof flag === "string"),
		config: config === void 0 ? void 0 : Buffer.from(config, "base64").toString("utf8"),
		platforms: list$3(node["Platforms"]).filter((platform) => typeof platform === "string"),
		buildkitVersion: textAt(node, "Version"),
		error: textAt(node, "Err") ?? textAt(node, "Error")
	};
}
/** Compares the numbers of two versions (`v0.36.1`, `0.29.1+ds1`, `0.12.0-docker`); what follows them is left aside. */
function compareVersions(a, b) {
	const numbers = (version) => (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
	const left = numbers(a);
	const right = numbers(b);
	for (let i = 0; i < Math.max(left.length, right.length); i++) {
		const difference = (left[i] ?? 0) - (right[i] ?? 0);
		if (difference !== 0) return Math.sign(difference);
	}
	return 0;
}
/** The kernel's name for an architecture, as images name it. https://github.com/containerd/platforms/blob/v1.0.0/database.go#L76-L109 */
function goArchitecture(kernel) {
	return {
		x86_64: "amd64",
		aarch64: "arm64",
		armv7l: "arm/v7",
		i686: "386"
	}[kernel] ?? kernel;
}

// src/build/buildx.ts
/**
* The docker adapter: the only place that knows docker's and buildx's command lines. It runs them and hands back what
* they said; which builder to use, what to build and what an error means is decided elsewhere.
*/
/**
* Runs `docker …` to its end; a non-zero exit is a result, not an error. `docker buildx …` is run without docker where that
* is the same.
* @throws UserError when there is no docker program.
*/
async function runDocker(docker, args, options = {}) {
	const ran = {
		cwd: docker.cwd,
		...options,
		env: {
			...docker.env,
			...options.env
		}
	};
	try {
		return await runBuildx(args, ran) ?? await runProcess("docker", args, ran);
	} catch (error) {
		if (error instanceof ProgramMissingError) throw new UserError(dockerMissing(), { cause: error });
		throw error;
	}
}
/** `buildx …` by its own program; undefined where docker is to start it, or knows why it does not start. */
async function runBuildx([command, ...args], options) {
	const program = command === "buildx" ? findBuildx(options.env) : void 0;
	if (program === void 0) return void 0;
	try {
		return await runProcess(program, args, options);
	} catch (error) {
		if (error instanceof ProgramMissingError) return void 0;
		throw error;
	}
}
/**
* Programs and engine.
* @param options.needsEngine whether the build needs the engine itself; default: it does
* @throws UserError for a missing docker or buildx, a buildx that is too old, a needed engine that cannot be reached.
*/
async function dockerFacts(docker, { needsEngine = true } = {}) {
	const { stdout, stderr } = await runDocker(docker, [
		"info",
		"--format",
		"{{json .}}"
	]);
	const facts = readDockerInfo(stdout, stderr, { needsEngine: await needsEngine });
	if ("problems" in facts) throw new UserError(facts.problems);
	return facts;
}
/** Every builder that buildx knows, the current one marked. */
async function listBuilders(docker) {
	const { stdout } = await runDocker(docker, [
		"buildx",
		"ls",
		"--format",
		"json"
	]);
	return readBuilders(stdout);
}
/** `docker buildx create` for a docker-container builder; it does not become the current builder. */
function createArgs(builder) {
	const args = [
		"buildx",
		"create",
		"--name",
		builder.name,
		"--driver",
		"docker-container"
	];
	for (const [key, value] of Object.entries(builder.driverOpts)) args.push("--driver-opt", csvField(`${key}=${value}`));
	if (builder.flags.length > 0) args.push("--buildkitd-flags", builder.flags.map(shellWord).join(" "));
	if (builder.configFile !== void 0) args.push("--buildkitd-config", builder.configFile);
	if (builder.endpoint !== void 0) args.push(builder.endpoint);
	return args;
}
/** Starts a builder's daemon (pulls its image where needed). */
function bootstrapArgs(name) {
	return [
		"buildx",
		"inspect",
		"--bootstrap",
		name
	];
}
function removeArgs(name) {
	return [
		"buildx",
		"rm",
		"--force",
		name
	];
}
/** `docker buildx bake` of a definition file, with progress as JSON lines on stderr. */
function bakeArgs(command) {
	const args = [
		"buildx",
		"bake",
		"--file",
		command.file,
		"--metadata-file",
		command.metadataFile,
		"--progress",
		"rawjson"
	];
	if (command.builder !== void 0) args.push("--builder", command.builder);
	for (const entitlement of command.allow) args.push("--allow", entitlement);
	return [...args, ...command.targets];
}
/** `docker buildx build` of a small Dockerfile on a directory of this machine instead of an image. */
function helperArgs(command) {
	const { builder, dockerfile, context, root, rootName, buildArgs, allow, output } = command;
	return [
		...[
			"buildx",
			"build",
			"--progress",
			"plain",
			"--file",
			dockerfile
		],
		...["--build-context", `${rootName}=${root}`],
		...["--output", output === void 0 ? "type=cacheonly" : `type=local,${csvField(`dest=${output}`)}`],
		...buildArgs.flatMap((pair) => ["--build-arg", pair]),
		...allow.flatMap((entitlement) => ["--allow", entitlement]),
		...builder === void 0 ? [] : ["--builder", builder],
		context
	];
}
/** Removes the records of a builder that all these filters fit. */
function pruneArgs(builder, filters) {
	return [
		"buildx",
		"prune",
		"--force",
		...filters.flatMap((one) => ["--filter", one]),
		...builder === void 0 ? [] : ["--builder", builder]
	];
}
/** What the builder keeps on its disk; undefined where it does not tell. */
async function diskUsage(docker, builder) {
	const reader = new DiskUsageReader();
	const { code } = await runDocker(docker, [
		"buildx",
		"du",
		"--format",
		"{{json .}}",
		...builder === void 0 ? [] : ["--builder", builder]
	], { onStdout: (text) => {
		reader.push(text);
	} });
	const records = reader.end();
	return code === 0 ? records : void 0;
}
/** The digest-addressed id of an image in the engine's own store; undefined when it is not there. */
async function localImageId(docker, reference) {
	const { code, stdout } = await runDocker(docker, [
		"image",
		"inspect",
		"--format",
		"{{.Id}}",
		reference
	]);
	return code === 0 ? stdout.trim() : void 0;
}
/** One field of a comma-separated value as docker's flags read them: quoted where it holds a comma or a quote. */
function csvField(text) {
	return /[",\n\r]/.test(text) ? `"${text.replaceAll("\"", "\"\"")}"` : text;
}
/** `--buildkitd-flags` is split like a shell command line (shlex). */
function shellWord(word) {
	return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

// src/build/bake-targets.ts
/** Buildx's print of bake files: unknown JSON → targets as they are, and what of them cannot be kept. Pure. */
/** A problem whose message begins with the target. @param said what comes behind its name: `: …`, ` has …` */
function targetProblem(target, said, mend) {
	return {
		input: "bake-files",
		target,
		said,
		message: `The bake target \`${target}\`${said}`,
		mend
	};
}
/** More than anybody has. */
const MOST$1 = 1e4;
const KNOWN$1 = /* @__PURE__ */ new Set([
	"context",
	"dockerfile",
	"target",
	"args",
	"contexts",
	"platforms",
	"tags",
	"labels",
	"annotations",
	"secret",
	"ssh",
	"output",
	"cache-from",
	"cache-to",
	"attest",
	"pull",
	"no-cache",
	"no-cache-filter",
	"network",
	"extra-hosts",
	"shm-size",
	"ulimits",
	"entitlements",
	"description",
	"call",
	"dockerfile-inline",
	"policy",
	"inherits"
]);
/** Reads the print. */
function readBakeTargets(definition, place) {
	const found = entries(field(definition, "target"), MOST$1);
	const names = new Set(found.map(([name]) => name));
	const groups = new Map(entries(field(definition, "group"), MOST$1).map(([name, group]) => [name, texts(field(group, "targets"))]));
	const asked = /* @__PURE__ */ new Set();
	const entered = /* @__PURE__ */ new Set();
	const expand = (name) => {
		const members = groups.get(name);
		if (names.has(name) && (members === void 0 || entered.has(name))) asked.add(name);
		if (members === void 0 || entered.has(name)) return;
		entered.add(name);
		members.forEach(expand);
	};
	expand("default");
	return {
		targets: found.map(([name, value]) => readTarget(name, value, place)),
		asked: [...asked],
		refused: new Map(found.map(([name, value]) => [name, refusals(name, value)]).filter(([, all]) => all.length > 0))
	};
}
function readTarget(name, value, { env, host = formatPlatform$1(HOST), base = "" }) {
	const from = (path) => base === "" || isAbsolute(path) ? path : join(base, path);
	const text = (key) => textOf$1(field(value, key));
	const context = contextFrom(text("context") ?? ".", from);
	const dockerfile = text("dockerfile") ?? "Dockerfile";
	const inline = text("dockerfile-inline");
	return {
		name,
		context,
		stage: text("target"),
		dockerfile: dockerfile.startsWith(CWD) ? contextFrom(dockerfile, from) : dockerfile,
		inline: inline === "" ? void 0 : inline,
		args: Object.fromEntries(pairs$1(field(value, "args")).map(({ key, value: given }) => [key, given])),
		contexts: pairs$1(field(value, "contexts")).map(({ key, value: given }) => ({
			key,
			value: contextFrom(given, from)
		})),
		platforms: namedPlatforms(texts(field(value, "platforms")), host),
		tags: texts(field(value, "tags")),
		labels: pairs$1(field(value, "labels")),
		annotations: texts(field(value, "annotations")),
		secrets: list$3(field(value, "secret")).map((secret) => secretOf(secret, env, from)),
		ssh: list$3(field(value, "ssh")).map((agent) => sshOf(agent, from)),
		outputs: list$3(field(value, "output")).map((output) => csvOf(output, from)),
		cacheFrom: list$3(field(value, "cache-from")).map((cache) => csvOf(cache, from)),
		cacheTo: list$3(field(value, "cache-to")).map((cache) => csvOf(cache, from)),
		attests: list$3(field(value, "attest")).map((attest) => csvOf(attest)),
		pull: field(value, "pull") === true,
		noCache: field(value, "no-cache") === true,
		noCacheFilters: texts(field(value, "no-cache-filter")),
		network: text("network"),
		addHosts: pairs$1(field(value, "extra-hosts")).map(({ key, value: address }) => `${key}=${address}`),
		shmSize: text("shm-size"),
		ulimits: texts(field(value, "ulimits")),
		entitlements: texts(field(value, "entitlements"))
	};
}
/** What bake can say and this action cannot keep. */
function refusals(name, value) {
	const refused = (what, mend) => targetProblem(name, ` ${what}.`, mend);
	const context = textOf$1(field(value, "context")) ?? ".";
	const dockerfile = textOf$1(field(value, "dockerfile")) ?? "";
	const call = textOf$1(field(value, "call"));
	const unknown = entries(value, MOST$1).flatMap(([key]) => KNOWN$1.has(key) ? [] : [key]);
	return [
		...isAddress$2(context) ? [refused(`has the context \`${context}\`, which is no directory`, "Add `actions/checkout` for it, and give its directory as `context`.")] : [],
		...context.startsWith("target:") ? [refused(`has the context \`${context}\``, "Name the other target among `contexts`, as in `contexts = { base = \"target:base\" }`.")] : [],
		...isAddress$2(dockerfile) ? [refused(`has the Dockerfile \`${dockerfile}\`, which is no file`, "Add that file to the checkout, or fetch it in an earlier step, and give its path as `dockerfile`.")] : [],
		...call === void 0 || call === "build" ? [] : [refused(`has \`call = "${call}"\`, and stage-build builds`, "Remove `call`; to check a Dockerfile without building it use `mode: plan`.")],
		...field(value, "policy") === void 0 ? [] : [refused("has a `policy`, which stage-build would not keep", "Remove `policy`, or build this target with docker/bake-action.")],
		...unknown.map((key) => refused(`has \`${key}\`, which stage-build does not know`, "Remove it, or build this target with docker/bake-action."))
	];
}
const CWD = "cwd://";
const LAYOUT$1 = "oci-layout://";
/** A directory or an address, as the workspace has it. */
function contextFrom(context, from) {
	for (const scheme of [CWD, LAYOUT$1]) if (context.startsWith(scheme)) return `${scheme}${from(context.slice(scheme.length))}`;
	return isAddress$2(context) || context.startsWith("target:") ? context : from(context);
}
function isAddress$2(context) {
	return /^(?:https?|git|ssh|docker-image|oci-layout):\/\/|^git@|^github\.com\//.test(context);
}
/** In its print bake writes `$${` and `%%{` for what shall not be read as a template again. */
function textOf$1(value) {
	return typeof value === "string" ? value.replaceAll(/([$%])\1\{/g, "$1{") : void 0;
}
function texts(value) {
	return list$3(value).flatMap((item) => textOf$1(item) ?? []);
}
function pairs$1(value) {
	return entries(value, MOST$1).flatMap(([key, item]) => {
		const text = textOf$1(item);
		return text === void 0 ? [] : [{
			key: textOf$1(key) ?? key,
			value: text
		}];
	});
}
/** `type=…,key=value`, the type first. @param from what makes a path of bake's one of the workspace's */
function csvOf(value, from) {
	const all = pairs$1(value);
	const isLocal = /^(?:local|tar|oci|docker)$/.test(all.find(({ key }) => key === "type")?.value ?? "");
	const isPath = ({ key, value: text }) => isLocal && /^(?:dest|src)$/.test(key) && text !== "-";
	return [...all].sort((a, b) => Number(b.key === "type") - Number(a.key === "type")).map((pair) => csvField(`${pair.key}=${from !== void 0 && isPath(pair) ? from(pair.value) : pair.value}`)).join(",");
}
/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/secrets.go */
function secretOf(value, env, from) {
	const [id = "", src, name] = [
		"id",
		"src",
		"env"
	].map((key) => textOf$1(field(value, key)));
	if (name !== void 0 && name !== "") return {
		kind: "env",
		id,
		env: name
	};
	if (src !== void 0 && src !== "") return {
		kind: "file",
		id,
		path: from(src)
	};
	return env[id] === void 0 ? {
		kind: "file",
		id,
		path: from(id)
	} : {
		kind: "env",
		id,
		env: id
	};
}
function sshOf(value, from) {
	const id = textOf$1(field(value, "id")) ?? "default";
	const paths = texts(field(value, "paths"));
	return paths.length === 0 ? id : `${id}=${paths.map(from).join(",")}`;
}

// src/build/idle-agent.ts
/**
* A socket in the place of an SSH agent: bake wants one to print a target whose context is fetched by SSH, and does not ask it
* for anything.
*/
/** @param use is given the socket's path; the socket is gone afterwards */
async function withIdleAgent(tempRoot, use) {
	const folder = await mkdtemp(join(tempRoot, "stage-build-agent-"));
	const server = createServer((connection) => connection.destroy());
	try {
		const path = join(folder, "agent");
		await once$1(server.listen(path), "listening");
		return await use(path);
	} finally {
		server.close();
		await rm$1(folder, {
			recursive: true,
			force: true
		});
	}
}

// src/build/bake-print.ts
/**
* What bake and compose files say, resolved by buildx itself: groups, inheritance, variables from the environment, matrix
* targets. Asks the client only; no engine need be there.
*/
/**
* Has buildx read the files.
* @throws UserError in buildx's words, at the file and line that it tells
*/
async function printBakeFiles(docker, question) {
	const { files, pathOf, targets, forPlan, needsNames } = question;
	const base = [
		"buildx",
		"bake",
		...files.flatMap((file) => ["--file", pathOf(file)]),
		"--progress",
		"quiet"
	];
	const without = forPlan ? [
		"--set",
		"*.ssh=",
		"--set",
		"*.secrets="
	] : [];
	let listing;
	const list = async () => await (listing ??= ask$1(docker, [
		...base,
		"--list",
		"type=targets,format=json"
	]));
	const print = async (wanted) => {
		const args = [
			...base,
			"--print",
			...without,
			"--",
			...wanted
		];
		const { found, stderr } = await ask$1(docker, args);
		const remote = found === void 0 && WANTS_AGENT.test(stderr) ? await askOfRemote(docker, args) : void 0;
		const definition = found ?? remote;
		if (definition === void 0) throw new UserError(problemsOf(stderr, question, listedNames((await list()).found)));
		return {
			definition,
			warnings: distinct([...stderr.matchAll(/^WARNING: (.+)$/gm)].map(([, text = ""]) => text))
		};
	};
	const listed = async () => {
		const { found, stderr } = await list();
		if (found === void 0) throw new UserError(problemsOf(stderr, question, []));
		return listedNames(found);
	};
	if (targets === "all") {
		const there = await listed();
		const names = targetsAmong(there);
		if (there.some(({ name }) => name === "all")) return {
			names,
			...await print(["all"])
		};
		return {
			names,
			...await print(names),
			inGroups: new Set(there.flatMap(({ members }) => members))
		};
	}
	const [printed, names] = await Promise.all([print(targets ?? []), needsNames ? listed().then(targetsAmong) : void 0]);
	return {
		...printed,
		names
	};
}
async function ask$1(docker, args) {
	const { code, stdout, stderr } = await runDocker(docker, args);
	return {
		found: code === 0 ? parseJson(stdout) : void 0,
		stderr
	};
}
/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/ssh.go (CreateSSH) */
const WANTS_AGENT = /failed to convert agent config/;
/** What bake prints where there is an agent, if it has a target that is refused: one whose context is fetched by SSH. */
async function askOfRemote(docker, args) {
	const tempRoot = docker.env["RUNNER_TEMP"] ?? tmpdir();
	const { found } = await withIdleAgent(tempRoot, async (socket) => {
		return await ask$1({
			...docker,
			env: {
				...docker.env,
				SSH_AUTH_SOCK: socket
			}
		}, args);
	}).catch(() => ({ found: void 0 }));
	return found !== void 0 && readBakeTargets(found, { env: docker.env }).refused.size > 0 ? found : void 0;
}
/** https://github.com/docker/buildx/blob/v0.29.1/commands/bake.go (printTargetList) */
function listedNames(listed) {
	return list$3(listed).flatMap((item) => {
		const [name, described] = [field(item, "name"), field(item, "description")];
		if (typeof name !== "string") return [];
		const isGroup = field(item, "group") === true;
		return [{
			name,
			isGroup,
			members: isGroup && typeof described === "string" ? described.split(", ") : []
		}];
	});
}
function targetsAmong(listed) {
	return listed.flatMap(({ name, isGroup }) => isGroup ? [] : [name]);
}
/**
* `ERROR: docker-bake.hcl:3,34-4,1: Invalid …`; what stands before it is an excerpt of the file. Of a panic the first line: what
* stands behind it is buildx's stack.
*/
function problemsOf(stderr, { files, pathOf, targets }, listed) {
	const lines = (/(?:^|\n)(?:ERROR: ([\s\S]*)$|(?=panic: )(.*))/.exec(stderr)?.slice(1).join("") ?? stderr).split("\n").flatMap((line) => line.trim().replaceAll(/\s+/g, " ") || []);
	const ofCompose = composeProblems(lines, files);
	if (ofCompose.length > 0) return ofCompose;
	const text = lines.reduce((all, line) => `${all}${all === "" ? "" : /[.,:;!?]$/.test(all) ? " " : "; "}${line}`, "");
	const file = files.find((candidate) => text.startsWith(`${pathOf(candidate)}:`));
	const [, line, message] = (file === void 0 ? null : /^:(\d+)[\d,-]*: (.*)$/.exec(text.slice(pathOf(file).length))) ?? [];
	const missing = /failed to find target (\S+)/.exec(text)?.[1];
	const where = {
		input: "bake-files",
		file: file ?? files[0],
		...line === void 0 ? {} : { line: Number(line) }
	};
	if (missing === "default" && targets === void 0) return [noDefault(files)];
	if (text.includes("could not find any target matching '*'")) return [nothingToBuild({
		files,
		targets
	})];
	if (missing !== void 0) {
		const names = listed.map(({ name }) => name);
		const wanted = targets === "all" ? [] : targets ?? [];
		const unknown = names.length === 0 ? [] : wanted.filter((name) => !names.includes(name));
		const has = `${files.join(", ")} ${files.length === 1 ? "has" : "have"} no target`;
		if (unknown.length === 0 && !wanted.includes(missing)) {
			const message = `\`bake-files\`: a target or group names \`${missing}\`, and ${has} of that name.`;
			return [{
				...where,
				message,
				mend: meant(missing, names) ?? "Add a target of that name, or remove what names it."
			}];
		}
		return (unknown.length === 0 ? [missing] : unknown).map((name) => ({
			...where,
			input: "targets",
			mend: meant(name, names) ?? whatThereIs(names),
			message: `\`targets\`: ${has} or group \`${name}\`.`
		}));
	}
	const [, to, from] = /infinite loop from (\S+) to (\S+)/.exec(text) ?? [];
	if (to !== void 0 && from !== void 0) return [{
		...where,
		message: `\`bake-files\`: the targets \`${from}\` and \`${to}\` are built from each other.`,
		mend: `Remove \`target:${from}\` from the \`contexts\` of \`${to}\`, or the other way round (in a compose file \`service:\` in \`additional_contexts\`).`
	}];
	const envFile = /^env file (.+?) not found/.exec(text)?.[1];
	if (envFile !== void 0) return [{
		...where,
		file: composeFiles(files)[0],
		message: `\`bake-files\`: the \`env_file\` \`${envFile}\` is not there.`,
		mend: "It is for containers, and bake wants it all the same: make it in an earlier step (an empty one will do), or mark it `required: false` in the compose file."
	}];
	return [{
		...where,
		message: `\`bake-files\`: ${sentence(message ?? (text === "" ? "docker buildx bake could not read them" : text))}`,
		mend: UNREADABLE
	}];
}
const UNREADABLE = "Mend it so that `docker buildx bake --print` accepts it; variables come from the step’s `env`.";
/** Each of the lines below `decoding failed due to the following error(s):`. */
function composeProblems([first = "", ...others], files) {
	if (!first.endsWith("following error(s):")) return [];
	const file = composeFiles(files)[0];
	return others.map((line) => ({
		input: "bake-files",
		file,
		message: `\`bake-files\`: ${sentence(line)}`,
		mend: UNREADABLE
	}));
}
/** Those that are read as compose files; all where none is by its name. */
function composeFiles(files) {
	const found = files.filter((file) => /\.ya?ml$/i.test(file));
	return found.length > 0 ? found : files;
}
/** At most so many names are told. */
const NAMES$5 = 12;
function meant(name, names) {
	const near = nearest(name, names);
	return near === void 0 ? void 0 : `Did you mean \`${near}\`?`;
}
function whatThereIs(names) {
	if (names.length === 0 || names.length > NAMES$5) return "`docker buildx bake --list=targets` tells what there is; `all` means all of them.";
	return `There are ${names.map((one) => `\`${one}\``).join(", ")}; \`all\` means all of them.`;
}
/** There is nothing in the files that is built without being named. */
function noDefault(files) {
	return {
		input: "bake-files",
		file: files[0],
		message: `\`bake-files\`: ${files.join(", ")} ${files.length === 1 ? "has" : "have"} no group \`default\`, and \`targets\` names nothing.`,
		mend: "Name targets or groups with `targets` (`all` means every target), or add a group `default`."
	};
}
/** What is asked for is there, and no target is in it. */
function nothingToBuild({ files, targets }) {
	const where = {
		input: "bake-files",
		file: files[0]
	};
	const named = files.join(", ");
	if (files.every((file) => /\.ya?ml$/.test(file)) && (targets === void 0 || targets === "all")) return {
		...where,
		message: `\`bake-files\`: no service of ${named} has \`build\`, so there is nothing to build.`,
		mend: "Add `build` to the services that have a Dockerfile."
	};
	if (targets === "all") return {
		...where,
		message: `\`bake-files\`: ${named} ${files.length === 1 ? "has" : "have"} no target.`,
		mend: "Add one."
	};
	const groups = (targets ?? ["default"]).map((name) => `\`${name}\``);
	return {
		...targets === void 0 ? where : {
			...where,
			input: "targets"
		},
		message: `\`${targets === void 0 ? "bake-files" : "targets"}\`: ${groups.length === 1 ? "the group" : "the groups"} ${groups.join(", ")} of ${named} ${groups.length === 1 ? "is" : "are"} empty, so there is nothing to build.`,
		mend: "Name other targets or groups with `targets`, or put targets into the group."
	};
}

// src/report/words.ts
/**
* Numbers and lists as English words: durations, counts, percentages, enumerations. Bytes are `measure/format.ts`'s.
*/
/** `840 ms`, `14.2 s`, `2 min 5 s`, `1 h 3 min`, `2 h`, `3 days 4 h`; `ms` is milliseconds. */
function formatDuration(ms) {
	if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
	const tenths = Math.round(ms / 100);
	if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
	const seconds = Math.round(ms / 1e3);
	if (seconds < 3600) return withRest(`${Math.floor(seconds / 60)} min`, seconds % 60, "s");
	const minutes = Math.round(seconds / 60);
	if (minutes < 2880) return withRest(`${Math.floor(minutes / 60)} h`, minutes % 60, "min");
	const hours = Math.round(minutes / 60);
	return withRest(`${Math.floor(hours / 24)} days`, hours % 24, "h");
}
function withRest(whole, rest, unit) {
	return rest === 0 ? whole : `${whole} ${rest} ${unit}`;
}
/** `1 target`, `3 targets`, `2 branches` with the plural given. */
function count(n, singular, plural = `${singular}s`) {
	return `${n} ${n === 1 ? singular : plural}`;
}
/** `a`, `a and b`, `a, b and c`; past `max` words: `a, b and 3 more`. */
function list$2(words, max = words.length) {
	const shown = words.length > max ? [...words.slice(0, max), `${words.length - max} more`] : words;
	return shown.length < 2 ? shown[0] ?? "" : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1) ?? ""}`;
}
/**
* The change from `before` to `after` with one decimal and a real minus: `−97.8 %`. Undefined where `before` is 0: no
* percentage is true then.
*/
function formatChange(before, after) {
	if (before === 0) return void 0;
	const percent = 100 * (after - before) / before;
	if (percent === 0) return "0 %";
	const digits = Math.abs(percent).toFixed(1);
	if (digits === "0.0") return percent < 0 ? "−<0.1 %" : "+<0.1 %";
	if (digits === "100.0" && percent < 0 && after > 0) return `−99.9 %`;
	return `${percent < 0 ? "−" : "+"}${digits} %`;
}
/** A ref as people call it: `main`, `pull/7/merge`. */
function shortRef(ref) {
	return ref.replace(/^refs\/(?:heads|tags)\//, "").replace(/^refs\//, "");
}

// src/bake-problems.ts
/**
* What is wrong with bake's targets, as it is told: what several have alike once, at the line of the first that has one. And
* what buildx warns of.
*/
/** So many targets are named. */
const NAMES$4 = 4;
/** The problems where their targets begin; a target that a matrix makes stands nowhere. */
async function toldOfTargets(problems, files, workspace) {
	const texts = problems.length === 0 ? [] : await textsOf(files, workspace);
	return [...Map.groupBy(problems, ({ said, message, mend }) => JSON.stringify([said ?? message, mend])).values()].flatMap((same) => {
		const [first, ...others] = same;
		if (first === void 0) return [];
		const { target, said, ...problem } = first;
		const targets = [.../* @__PURE__ */ new Set([target, ...others.map((other) => other.target)])];
		const [place = { file: files[0] }] = targets.flatMap((name) => headingIn(texts, name) ?? []);
		const message = said === void 0 || targets.length === 1 ? problem.message : ofSeveral(targets, said);
		return [{
			...problem,
			message,
			...place
		}];
	});
}
function ofSeveral(targets, said) {
	const names = targets.map((name) => `\`${name}\``);
	return `The bake targets ${list$2(names, NAMES$4)}${said.replace(/^: /, ", each: ").replace(/^ has /, " have ")}`;
}
/** Problems of inline Dockerfiles that have no lines in their bake file, at their targets' headings; others as they are. */
function toldOfInline(problems, parts) {
	return problems.map((problem) => {
		const { file, line, message } = problem;
		const heading = parts.find(({ dockerfileName }) => dockerfileName === file)?.heading;
		if (heading === void 0) return problem;
		const where = ` (${line === void 0 ? "" : `line ${line} of `}the inline Dockerfile of \`${heading.target}\`)`;
		const told = message.replace(/[.!?…]?$/, (end) => where + end);
		return {
			...problem,
			message: told,
			file: heading.file,
			line: heading.line,
			endLine: void 0
		};
	});
}
/** The same of an error. */
function errorOfInline(error, parts) {
	if (!(error instanceof UserError)) return error;
	const warnings = toldOfInline(error.warnings, parts);
	return new UserError(toldOfInline(error.problems, parts), {
		cause: error.cause,
		warnings
	});
}
/**
* What buildx warns of when it reads the files. A compose file has many variables that are for its containers: those that
* are not set are told in one line of the log, where who looks for the cause of something empty finds them.
*/
function toldOfWarnings(warnings, files) {
	const [file] = composeFiles(files);
	const unset = warnings.flatMap((warning) => UNSET.exec(warning)?.[1] ?? []);
	return {
		warnings: warnings.filter((warning) => !UNSET.test(warning)).map((warning) => ({
			input: "bake-files",
			file,
			message: `\`bake-files\`: ${sentence(warning)}`
		})),
		notes: unset.length === 0 ? [] : [`variables of ${file ?? "the bake files"} that are not set, and so are empty: ${list$2(unset)}`]
	};
}
/** https://github.com/compose-spec/compose-go/blob/v2.9.0/template/template.go */
const UNSET = /^The "(\w+)" variable is not set\. Defaulting to a blank string\.$/;

// src/images/reference.ts
/** A text that is no image name; the message is the one docker prints for it. */
var InvalidReferenceError = class extends Error {
	text;
	constructor(text, message) {
		super(message);
		this.name = "InvalidReferenceError";
		this.text = text;
	}
};
const DEFAULT_DOMAIN = "docker.io";
const LEGACY_DOMAIN = "index.docker.io";
const OFFICIAL_PREFIX = "library/";
const DEFAULT_TAG = "latest";
const MAX_PATH_LENGTH = 255;
const PATH_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*";
const PATH$1 = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;
const DOMAIN_COMPONENT = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const TAG$1 = "[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}";
const DIGEST$1 = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const REFERENCE$1 = new RegExp(`^(?:(${DOMAIN})/)?(${PATH$1})(?::(${TAG$1}))?(?:@(${DIGEST$1}))?$`);
const ANCHORED_TAG = new RegExp(`^${TAG$1}$`);
const ANCHORED_DIGEST = new RegExp(`^${DIGEST$1}$`);
const IDENTIFIER = /^[a-f0-9]{64}$/;
/** Hex digits of each algorithm that go-digest registers (sha256, sha384, sha512). */
const DIGEST_HEX_LENGTH = /* @__PURE__ */ new Map([
	["sha256", 64],
	["sha384", 96],
	["sha512", 128]
]);
/**
* Parses a name as `docker build` does (ParseNormalizedNamed): completes domain and `library/`, adds no tag.
* @throws InvalidReferenceError with distribution's message.
*/
function parseReference(text) {
	if (IDENTIFIER.test(text)) throw new InvalidReferenceError(text, `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
	const { domain, remainder } = splitDomain(text);
	const colon = remainder.indexOf(":");
	const remote = colon === -1 ? remainder : remainder.slice(0, colon);
	if (remote.toLowerCase() !== remote) throw new InvalidReferenceError(text, `invalid reference format: repository name (${remote}) must be lowercase`);
	return parseCanonical(text, `${domain}/${remainder}`);
}
/** A full name as text: `domain/path[:tag][@digest]`. */
function formatReference(reference) {
	return `${repositoryName$1(reference)}${suffix(reference)}`;
}
/** The full name without tag and digest: `docker.io/library/alpine`. */
function repositoryName$1(reference) {
	return `${reference.domain}/${reference.path}`;
}
/**
* The full name as text, with `:latest` when there is neither tag nor digest; a name with both keeps both.
* @throws InvalidReferenceError
*/
function normalizeReference(text) {
	return formatReference(tagNameOnly(parseReference(text)));
}
/** Adds `latest` to a name that has neither tag nor digest. */
function tagNameOnly(reference) {
	return reference.tag === void 0 && reference.digest === void 0 ? {
		...reference,
		tag: DEFAULT_TAG
	} : reference;
}
/**
* The short name people write: Docker Hub's domain and `library/` are dropped, tag and digest kept as given.
* @throws InvalidReferenceError
*/
function familiarName$1(text) {
	return formatFamiliar(parseReference(text));
}
/** `familiarName` of a parsed reference. */
function formatFamiliar(reference) {
	if (reference.domain !== DEFAULT_DOMAIN) return formatReference(reference);
	const official = reference.path.startsWith(OFFICIAL_PREFIX) ? reference.path.slice(8) : void 0;
	return `${official === void 0 || official.includes("/") ? reference.path : official}${suffix(reference)}`;
}
/**
* The same name with that digest; a tag stays.
* @throws InvalidReferenceError `invalid digest format`, or go-digest's message for a wrong length or algorithm.
*/
function withDigest(reference, digest) {
	if (!ANCHORED_DIGEST.test(digest)) throw new InvalidReferenceError(digest, "invalid digest format");
	const fault = digestFault(digest);
	if (fault !== void 0) throw new InvalidReferenceError(digest, fault);
	return {
		...reference,
		digest
	};
}
/**
* Why a text is not a valid digest, in go-digest's words, or undefined when it is.
* https://github.com/opencontainers/go-digest/blob/v1.0.0/digest.go#L120
*/
function digestFault(digest) {
	const colon = digest.indexOf(":");
	if (colon <= 0 || colon + 1 === digest.length) return "invalid checksum digest format";
	const length = DIGEST_HEX_LENGTH.get(digest.slice(0, colon));
	if (length === void 0) return /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(digest) ? "unsupported digest algorithm" : "invalid checksum digest format";
	const encoded = digest.slice(colon + 1);
	if (encoded.length !== length) return "invalid checksum digest length";
	return /^[a-f0-9]*$/.test(encoded) ? void 0 : "invalid checksum digest format";
}
function suffix({ tag, digest }) {
	return `${tag === void 0 ? "" : `:${tag}`}${digest === void 0 ? "" : `@${digest}`}`;
}
function parseCanonical(text, full) {
	const match = REFERENCE$1.exec(full);
	if (match === null) {
		const lowered = full.toLowerCase();
		const uppercase = lowered !== full && REFERENCE$1.test(lowered);
		throw new InvalidReferenceError(text, uppercase ? "repository name must be lowercase" : "invalid reference format");
	}
	const [, domain = "", path = "", tag, digest] = match;
	if (path.length > MAX_PATH_LENGTH) throw new InvalidReferenceError(text, `repository name must not be more than ${MAX_PATH_LENGTH} characters`);
	const fault = digest === void 0 ? void 0 : digestFault(digest);
	if (fault !== void 0) throw new InvalidReferenceError(text, fault);
	return {
		domain,
		path,
		...tag === void 0 ? {} : { tag },
		...digest === void 0 ? {} : { digest }
	};
}
/** What stands before the first slash is a host only when it cannot be a Docker Hub namespace. */
function splitDomain(name) {
	const slash = name.indexOf("/");
	if (slash === -1) return {
		domain: DEFAULT_DOMAIN,
		remainder: OFFICIAL_PREFIX + name
	};
	const first = name.slice(0, slash);
	const isHost = first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
	const domain = !isHost || first === LEGACY_DOMAIN ? DEFAULT_DOMAIN : first;
	const remainder = isHost ? name.slice(slash + 1) : name;
	return {
		domain,
		remainder: domain === DEFAULT_DOMAIN && !remainder.includes("/") ? OFFICIAL_PREFIX + remainder : remainder
	};
}
/**
* The repository that a name is in, in full: `docker.io/library/alpine`.
* @throws InvalidReferenceError
*/
function repositoryOf(text) {
	const { domain, path } = parseReference(text);
	return `${domain}/${path}`;
}
/** A reference as it is written, without tag and digest. */
function nameAlone(reference) {
	return reference.replace(/@.*$/s, "").replace(/:[^/]*$/, "");
}

// node_modules/csv-parse/lib/api/CsvError.js
var CsvError = class CsvError extends Error {
	constructor(code, message, options, ...contexts) {
		if (Array.isArray(message)) message = message.join(" ").trim();
		super(message);
		if (Error.captureStackTrace !== void 0) Error.captureStackTrace(this, CsvError);
		this.code = code;
		for (const context of contexts) for (const key in context) {
			const value = context[key];
			this[key] = Buffer.isBuffer(value) ? value.toString(options.encoding) : value == null ? value : JSON.parse(JSON.stringify(value));
		}
	}
};

// node_modules/csv-parse/lib/utils/is_object.js
const is_object = function(obj) {
	return typeof obj === "object" && obj !== null && !Array.isArray(obj);
};

// node_modules/csv-parse/lib/api/normalize_columns_array.js
const normalize_columns_array = function(columns) {
	const normalizedColumns = [];
	for (let i = 0, l = columns.length; i < l; i++) {
		const column = columns[i];
		if (column === void 0 || column === null || column === false) normalizedColumns[i] = { disabled: true };
		else if (typeof column === "string" || typeof column === "number") normalizedColumns[i] = { name: `${column}` };
		else if (is_object(column)) {
			if (typeof column.name !== "string") throw new CsvError("CSV_OPTION_COLUMNS_MISSING_NAME", [
				"Option columns missing name:",
				`property "name" is required at position ${i}`,
				"when column is an object literal"
			]);
			normalizedColumns[i] = column;
		} else throw new CsvError("CSV_INVALID_COLUMN_DEFINITION", [
			"Invalid column definition:",
			"expect a string or a literal object,",
			`got ${JSON.stringify(column)} at position ${i}`
		]);
	}
	return normalizedColumns;
};

// node_modules/csv-parse/lib/utils/ResizeableBuffer.js
var ResizeableBuffer = class {
	constructor(size = 100) {
		this.size = size;
		this.length = 0;
		this.buf = Buffer.allocUnsafe(size);
	}
	prepend(val) {
		if (Buffer.isBuffer(val)) {
			const length = this.length + val.length;
			if (length >= this.size) {
				this.resize();
				if (length >= this.size) throw Error("INVALID_BUFFER_STATE");
			}
			const buf = this.buf;
			this.buf = Buffer.allocUnsafe(this.size);
			val.copy(this.buf, 0);
			buf.copy(this.buf, val.length);
			this.length += val.length;
		} else {
			const length = this.length++;
			if (length === this.size) this.resize();
			const buf = this.clone();
			this.buf[0] = val;
			buf.copy(this.buf, 1, 0, length);
		}
	}
	append(val) {
		const length = this.length++;
		if (length === this.size) this.resize();
		this.buf[length] = val;
	}
	clone() {
		return Buffer.from(this.buf.slice(0, this.length));
	}
	resize() {
		const length = this.length;
		this.size = this.size * 2;
		const buf = Buffer.allocUnsafe(this.size);
		this.buf.copy(buf, 0, 0, length);
		this.buf = buf;
	}
	toString(encoding) {
		if (encoding) return this.buf.toString(encoding, 0, this.length);
		else return Uint8Array.prototype.slice.call(this.buf.slice(0, this.length));
	}
	toJSON() {
		return this.toString("utf8");
	}
	reset() {
		this.length = 0;
	}
};

// node_modules/csv-parse/lib/api/init_state.js
const init_state = function(options) {
	const timchars = [
		32,
		9,
		10,
		13,
		12,
		11,
		160,
		5760,
		8192,
		8193,
		8194,
		8195,
		8196,
		8197,
		8198,
		8199,
		8200,
		8201,
		8202,
		8232,
		8233,
		8239,
		8287,
		12288,
		65279
	].reduce((acc, codepoint) => {
		const encoded = Buffer.from(String.fromCharCode(codepoint), options.encoding);
		if (codepoint !== 63 && encoded.length === 1 && encoded[0] === 63) return acc;
		acc.push(encoded);
		return acc;
	}, []);
	const timcharFirstBytes = /* @__PURE__ */ new Uint8Array(256);
	for (const t of timchars) timcharFirstBytes[t[0]] = 1;
	return {
		bomSkipped: false,
		bufBytesStart: 0,
		castField: options.cast_function,
		commenting: false,
		delimiterBufPrevious: void 0,
		delimiterDiscovered: false,
		error: void 0,
		enabled: options.from_line === 1,
		escaping: false,
		escapeIsQuote: Buffer.isBuffer(options.escape) && Buffer.isBuffer(options.quote) && Buffer.compare(options.escape, options.quote) === 0,
		expectedRecordLength: Array.isArray(options.columns) ? options.columns.length : void 0,
		field: new ResizeableBuffer(20),
		firstLineToHeaders: options.cast_first_line_to_header,
		needMoreDataSize: Math.max(options.comment !== null ? options.comment.length : 0, ...options.delimiter ? options.delimiter.map((delimiter) => delimiter.length) : [], options.delimiter_auto ? 1 : 0, options.quote !== null ? options.quote.length : 0, ...timchars.map((t) => t.length)),
		previousBuf: void 0,
		quoting: false,
		stop: false,
		rawBuffer: new ResizeableBuffer(100),
		record: [],
		recordHasError: false,
		record_length: 0,
		recordDelimiterMaxLength: options.record_delimiter.length === 0 ? 0 : Math.max(...options.record_delimiter.map((v) => v.length)),
		trimChars: [Buffer.from(" ", options.encoding)[0], Buffer.from("	", options.encoding)[0]],
		wasQuoting: false,
		wasRowDelimiter: false,
		timchars,
		timcharFirstBytes
	};
};

// node_modules/csv-parse/lib/utils/underscore.js
const underscore = function(str) {
	return str.replace(/([A-Z])/g, function(_, match) {
		return "_" + match.toLowerCase();
	});
};

// node_modules/csv-parse/lib/api/normalize_options.js
const normalize_options = function(opts) {
	const options = {};
	for (const opt in opts) options[underscore(opt)] = opts[opt];
	if (options.encoding === void 0 || options.encoding === true) options.encoding = "utf8";
	else if (options.encoding === null || options.encoding === false) options.encoding = null;
	else if (typeof options.encoding !== "string" && options.encoding !== null) throw new CsvError("CSV_INVALID_OPTION_ENCODING", [
		"Invalid option encoding:",
		"encoding must be a string or null to return a buffer,",
		`got ${JSON.stringify(options.encoding)}`
	], options);
	if (options.bom === void 0 || options.bom === null || options.bom === false) options.bom = false;
	else if (options.bom !== true) throw new CsvError("CSV_INVALID_OPTION_BOM", [
		"Invalid option bom:",
		"bom must be true,",
		`got ${JSON.stringify(options.bom)}`
	], options);
	options.cast_function = null;
	if (options.cast === void 0 || options.cast === null || options.cast === false || options.cast === "") options.cast = void 0;
	else if (typeof options.cast === "function") {
		options.cast_function = options.cast;
		options.cast = true;
	} else if (options.cast !== true) throw new CsvError("CSV_INVALID_OPTION_CAST", [
		"Invalid option cast:",
		"cast must be true or a function,",
		`got ${JSON.stringify(options.cast)}`
	], options);
	if (options.cast_date === void 0 || options.cast_date === null || options.cast_date === false || options.cast_date === "") options.cast_date = false;
	else if (options.cast_date === true) options.cast_date = function(value) {
		const date = Date.parse(value);
		return !isNaN(date) ? new Date(date) : value;
	};
	else if (typeof options.cast_date !== "function") throw new CsvError("CSV_INVALID_OPTION_CAST_DATE", [
		"Invalid option cast_date:",
		"cast_date must be true or a function,",
		`got ${JSON.stringify(options.cast_date)}`
	], options);
	options.cast_first_line_to_header = void 0;
	if (options.columns === true) options.cast_first_line_to_header = void 0;
	else if (typeof options.columns === "function") {
		options.cast_first_line_to_header = options.columns;
		options.columns = true;
	} else if (Array.isArray(options.columns)) options.columns = normalize_columns_array(options.columns);
	else if (options.columns === void 0 || options.columns === null || options.columns === false) options.columns = false;
	else throw new CsvError("CSV_INVALID_OPTION_COLUMNS", [
		"Invalid option columns:",
		"expect an array, a function or true,",
		`got ${JSON.stringify(options.columns)}`
	], options);
	if (options.group_columns_by_name === void 0 || options.group_columns_by_name === null || options.group_columns_by_name === false) options.group_columns_by_name = false;
	else if (options.group_columns_by_name !== true) throw new CsvError("CSV_INVALID_OPTION_GROUP_COLUMNS_BY_NAME", [
		"Invalid option group_columns_by_name:",
		"expect an boolean,",
		`got ${JSON.stringify(options.group_columns_by_name)}`
	], options);
	else if (options.columns === false) throw new CsvError("CSV_INVALID_OPTION_GROUP_COLUMNS_BY_NAME", ["Invalid option group_columns_by_name:", "the `columns` mode must be activated."], options);
	if (options.comment === void 0 || options.comment === null || options.comment === false || options.comment === "") options.comment = null;
	else {
		if (typeof options.comment === "string") options.comment = Buffer.from(options.comment, options.encoding);
		if (!Buffer.isBuffer(options.comment)) throw new CsvError("CSV_INVALID_OPTION_COMMENT", [
			"Invalid option comment:",
			"comment must be a buffer or a string,",
			`got ${JSON.stringify(options.comment)}`
		], options);
	}
	if (options.comment_no_infix === void 0 || options.comment_no_infix === null || options.comment_no_infix === false) options.comment_no_infix = false;
	else if (options.comment_no_infix !== true) throw new CsvError("CSV_INVALID_OPTION_COMMENT", [
		"Invalid option comment_no_infix:",
		"value must be a boolean,",
		`got ${JSON.stringify(options.comment_no_infix)}`
	], options);
	if (options.delimiter_auto === void 0 || options.delimiter_auto === null || options.delimiter_auto === false) options.delimiter_auto = false;
	else if (options.delimiter_auto === true) options.delimiter_auto = {};
	else if (!is_object(options.delimiter_auto)) throw new CsvError("CSV_INVALID_OPTION_DELIMITER_AUTO", [
		"Invalid option delimiter_auto:",
		"delimiter_auto must be a boolean or a configuration object,",
		`got ${JSON.stringify(options.delimiter_auto)}`
	], options);
	if (options.delimiter_auto) {
		if (options.delimiter_auto.preferred === void 0) options.delimiter_auto.preferred = {
			[",".charCodeAt(0)]: 1.8,
			["	".charCodeAt(0)]: 1.8,
			[";".charCodeAt(0)]: 1.6,
			[" ".charCodeAt(0)]: 1.6,
			[":".charCodeAt(0)]: 1.5,
			[".".charCodeAt(0)]: 1.4,
			["/".charCodeAt(0)]: 1.4
		};
		else if (!is_object(options.delimiter_auto.preferred)) throw new CsvError("CSV_INVALID_OPTION_DELIMITER_AUTO", [
			"Invalid option delimiter_auto:",
			"preferred must be an object,",
			`got ${JSON.stringify(options.delimiter_auto.preferred)}`
		], options);
		if (options.delimiter_auto.score === void 0) options.delimiter_auto.score = (info, options) => {
			return (info.total - info.std) * (options.preferred[info.char_code] || 1);
		};
		else if (typeof options.delimiter_auto.score !== "function") throw new CsvError("CSV_INVALID_OPTION_DELIMITER_AUTO", [
			"Invalid option delimiter_auto:",
			"score must be a function,",
			`got ${JSON.stringify(options.delimiter_auto.score)}`
		], options);
		if (options.delimiter_auto.size === void 0) options.delimiter_auto.size = 2048;
		else if (typeof options.delimiter_auto.size !== "number") throw new CsvError("CSV_INVALID_OPTION_DELIMITER_AUTO", [
			"Invalid option delimiter_auto:",
			"size must be a number,",
			`got ${JSON.stringify(options.delimiter_auto.size)}`
		], options);
	}
	const delimiter_json = JSON.stringify(options.delimiter);
	if (options.delimiter_auto !== false) options.delimiter = [];
	if (!Array.isArray(options.delimiter)) {
		if (options.delimiter === void 0 || options.delimiter === null || options.delimiter === false) options.delimiter = Buffer.from(",", options.encoding);
		options.delimiter = [options.delimiter];
	}
	options.delimiter = options.delimiter.map(function(delimiter) {
		if (typeof delimiter === "string") delimiter = Buffer.from(delimiter, options.encoding);
		if (!Buffer.isBuffer(delimiter) || delimiter.length === 0) throw new CsvError("CSV_INVALID_OPTION_DELIMITER", [
			"Invalid option delimiter:",
			"delimiter must be a non empty string or buffer or array of string|buffer,",
			`got ${delimiter_json}`
		], options);
		return delimiter;
	});
	if (options.escape === void 0 || options.escape === true) options.escape = Buffer.from("\"", options.encoding);
	else if (typeof options.escape === "string") options.escape = Buffer.from(options.escape, options.encoding);
	else if (options.escape === null || options.escape === false) options.escape = null;
	if (options.escape !== null) {
		if (!Buffer.isBuffer(options.escape)) throw new Error(`Invalid Option: escape must be a buffer, a string or a boolean, got ${JSON.stringify(options.escape)}`);
	}
	if (options.from === void 0 || options.from === null) options.from = 1;
	else {
		if (typeof options.from === "string" && /\d+/.test(options.from)) options.from = parseInt(options.from);
		if (Number.isInteger(options.from)) {
			if (options.from < 0) throw new Error(`Invalid Option: from must be a positive integer, got ${JSON.stringify(opts.from)}`);
		} else throw new Error(`Invalid Option: from must be an integer, got ${JSON.stringify(options.from)}`);
	}
	if (options.from_line === void 0 || options.from_line === null) options.from_line = 1;
	else {
		if (typeof options.from_line === "string" && /\d+/.test(options.from_line)) options.from_line = parseInt(options.from_line);
		if (Number.isInteger(options.from_line)) {
			if (options.from_line <= 0) throw new Error(`Invalid Option: from_line must be a positive integer greater than 0, got ${JSON.stringify(opts.from_line)}`);
		} else throw new Error(`Invalid Option: from_line must be an integer, got ${JSON.stringify(opts.from_line)}`);
	}
	if (options.ignore_last_delimiters === void 0 || options.ignore_last_delimiters === null) options.ignore_last_delimiters = false;
	else if (typeof options.ignore_last_delimiters === "number") {
		options.ignore_last_delimiters = Math.floor(options.ignore_last_delimiters);
		if (options.ignore_last_delimiters === 0) options.ignore_last_delimiters = false;
	} else if (typeof options.ignore_last_delimiters !== "boolean") throw new CsvError("CSV_INVALID_OPTION_IGNORE_LAST_DELIMITERS", [
		"Invalid option `ignore_last_delimiters`:",
		"the value must be a boolean value or an integer,",
		`got ${JSON.stringify(options.ignore_last_delimiters)}`
	], options);
	if (options.ignore_last_delimiters === true && options.columns === false) throw new CsvError("CSV_IGNORE_LAST_DELIMITERS_REQUIRES_COLUMNS", ["The option `ignore_last_delimiters`", "requires the activation of the `columns` option"], options);
	if (options.info === void 0 || options.info === null || options.info === false) options.info = false;
	else if (options.info !== true) throw new Error(`Invalid Option: info must be true, got ${JSON.stringify(options.info)}`);
	if (options.max_record_size === void 0 || options.max_record_size === null || options.max_record_size === false) options.max_record_size = 0;
	else if (Number.isInteger(options.max_record_size) && options.max_record_size >= 0) {} else if (typeof options.max_record_size === "string" && /\d+/.test(options.max_record_size)) options.max_record_size = parseInt(options.max_record_size);
	else throw new Error(`Invalid Option: max_record_size must be a positive integer, got ${JSON.stringify(options.max_record_size)}`);
	if (options.objname === void 0 || options.objname === null || options.objname === false) options.objname = void 0;
	else if (Buffer.isBuffer(options.objname)) {
		if (options.objname.length === 0) throw new Error(`Invalid Option: objname must be a non empty buffer`);
		if (options.encoding === null) {} else options.objname = options.objname.toString(options.encoding);
	} else if (typeof options.objname === "string") {
		if (options.objname.length === 0) throw new Error(`Invalid Option: objname must be a non empty string`);
	} else if (typeof options.objname === "number") {} else throw new Error(`Invalid Option: objname must be a string or a buffer, got ${options.objname}`);
	if (options.objname !== void 0) {
		if (typeof options.objname === "number") {
			if (options.columns !== false) throw Error("Invalid Option: objname index cannot be combined with columns or be defined as a field");
		} else if (options.columns === false) throw Error("Invalid Option: objname field must be combined with columns or be defined as an index");
	}
	if (options.on_record === void 0 || options.on_record === null) options.on_record = void 0;
	else if (typeof options.on_record !== "function") throw new CsvError("CSV_INVALID_OPTION_ON_RECORD", [
		"Invalid option `on_record`:",
		"expect a function,",
		`got ${JSON.stringify(options.on_record)}`
	], options);
	if (options.on_skip !== void 0 && options.on_skip !== null && typeof options.on_skip !== "function") throw new Error(`Invalid Option: on_skip must be a function, got ${JSON.stringify(options.on_skip)}`);
	if (options.quote === null || options.quote === false || options.quote === "") options.quote = null;
	else {
		if (options.quote === void 0 || options.quote === true) options.quote = Buffer.from("\"", options.encoding);
		else if (typeof options.quote === "string") options.quote = Buffer.from(options.quote, options.encoding);
		if (!Buffer.isBuffer(options.quote)) throw new Error(`Invalid Option: quote must be a buffer or a string, got ${JSON.stringify(options.quote)}`);
	}
	if (options.raw === void 0 || options.raw === null || options.raw === false) options.raw = false;
	else if (options.raw !== true) throw new Error(`Invalid Option: raw must be true, got ${JSON.stringify(options.raw)}`);
	if (options.record_delimiter === void 0) options.record_delimiter = [];
	else if (typeof options.record_delimiter === "string" || Buffer.isBuffer(options.record_delimiter)) {
		if (options.record_delimiter.length === 0) throw new CsvError("CSV_INVALID_OPTION_RECORD_DELIMITER", [
			"Invalid option `record_delimiter`:",
			"value must be a non empty string or buffer,",
			`got ${JSON.stringify(options.record_delimiter)}`
		], options);
		options.record_delimiter = [options.record_delimiter];
	} else if (!Array.isArray(options.record_delimiter)) throw new CsvError("CSV_INVALID_OPTION_RECORD_DELIMITER", [
		"Invalid option `record_delimiter`:",
		"value must be a string, a buffer or array of string|buffer,",
		`got ${JSON.stringify(options.record_delimiter)}`
	], options);
	options.record_delimiter = options.record_delimiter.map(function(rd, i) {
		if (typeof rd !== "string" && !Buffer.isBuffer(rd)) throw new CsvError("CSV_INVALID_OPTION_RECORD_DELIMITER", [
			"Invalid option `record_delimiter`:",
			"value must be a string, a buffer or array of string|buffer",
			`at index ${i},`,
			`got ${JSON.stringify(rd)}`
		], options);
		else if (rd.length === 0) throw new CsvError("CSV_INVALID_OPTION_RECORD_DELIMITER", [
			"Invalid option `record_delimiter`:",
			"value must be a non empty string or buffer",
			`at index ${i},`,
			`got ${JSON.stringify(rd)}`
		], options);
		if (typeof rd === "string") rd = Buffer.from(rd, options.encoding);
		return rd;
	});
	if (typeof options.relax_column_count === "boolean") {} else if (options.relax_column_count === void 0 || options.relax_column_count === null) options.relax_column_count = false;
	else throw new Error(`Invalid Option: relax_column_count must be a boolean, got ${JSON.stringify(options.relax_column_count)}`);
	if (typeof options.relax_column_count_less === "boolean") {} else if (options.relax_column_count_less === void 0 || options.relax_column_count_less === null) options.relax_column_count_less = false;
	else throw new Error(`Invalid Option: relax_column_count_less must be a boolean, got ${JSON.stringify(options.relax_column_count_less)}`);
	if (typeof options.relax_column_count_more === "boolean") {} else if (options.relax_column_count_more === void 0 || options.relax_column_count_more === null) options.relax_column_count_more = false;
	else throw new Error(`Invalid Option: relax_column_count_more must be a boolean, got ${JSON.stringify(options.relax_column_count_more)}`);
	if (typeof options.relax_quotes === "boolean") {} else if (options.relax_quotes === void 0 || options.relax_quotes === null) options.relax_quotes = false;
	else throw new Error(`Invalid Option: relax_quotes must be a boolean, got ${JSON.stringify(options.relax_quotes)}`);
	if (typeof options.skip_empty_lines === "boolean") {} else if (options.skip_empty_lines === void 0 || options.skip_empty_lines === null) options.skip_empty_lines = false;
	else throw new Error(`Invalid Option: skip_empty_lines must be a boolean, got ${JSON.stringify(options.skip_empty_lines)}`);
	if (typeof options.skip_records_with_empty_values === "boolean") {} else if (options.skip_records_with_empty_values === void 0 || options.skip_records_with_empty_values === null) options.skip_records_with_empty_values = false;
	else throw new Error(`Invalid Option: skip_records_with_empty_values must be a boolean, got ${JSON.stringify(options.skip_records_with_empty_values)}`);
	if (typeof options.skip_records_with_error === "boolean") {} else if (options.skip_records_with_error === void 0 || options.skip_records_with_error === null) options.skip_records_with_error = false;
	else throw new Error(`Invalid Option: skip_records_with_error must be a boolean, got ${JSON.stringify(options.skip_records_with_error)}`);
	if (options.rtrim === void 0 || options.rtrim === null || options.rtrim === false) options.rtrim = false;
	else if (options.rtrim !== true) throw new Error(`Invalid Option: rtrim must be a boolean, got ${JSON.stringify(options.rtrim)}`);
	if (options.ltrim === void 0 || options.ltrim === null || options.ltrim === false) options.ltrim = false;
	else if (options.ltrim !== true) throw new Error(`Invalid Option: ltrim must be a boolean, got ${JSON.stringify(options.ltrim)}`);
	if (options.trim === void 0 || options.trim === null || options.trim === false) options.trim = false;
	else if (options.trim !== true) throw new Error(`Invalid Option: trim must be a boolean, got ${JSON.stringify(options.trim)}`);
	if (options.trim === true && opts.ltrim !== false) options.ltrim = true;
	else if (options.ltrim !== true) options.ltrim = false;
	if (options.trim === true && opts.rtrim !== false) options.rtrim = true;
	else if (options.rtrim !== true) options.rtrim = false;
	if (options.to === void 0 || options.to === null) options.to = -1;
	else if (options.to !== -1) {
		if (typeof options.to === "string" && /\d+/.test(options.to)) options.to = parseInt(options.to);
		if (Number.isInteger(options.to)) {
			if (options.to <= 0) throw new Error(`Invalid Option: to must be a positive integer greater than 0, got ${JSON.stringify(opts.to)}`);
		} else throw new Error(`Invalid Option: to must be an integer, got ${JSON.stringify(opts.to)}`);
	}
	if (options.to_line === void 0 || options.to_line === null) options.to_line = -1;
	else if (options.to_line !== -1) {
		if (typeof options.to_line === "string" && /\d+/.test(options.to_line)) options.to_line = parseInt(options.to_line);
		if (Number.isInteger(options.to_line)) {
			if (options.to_line <= 0) throw new Error(`Invalid Option: to_line must be a positive integer greater than 0, got ${JSON.stringify(opts.to_line)}`);
		} else throw new Error(`Invalid Option: to_line must be an integer, got ${JSON.stringify(opts.to_line)}`);
	}
	return options;
};

// node_modules/csv-parse/lib/utils/delimiter_discover.js
const delimiter_discover = function(records, options) {
	if (!options) ({delimiter_auto: options} = normalize_options({ delimiter_auto: true }));
	if (typeof records === "string") records = Buffer.from(records);
	if (Buffer.isBuffer(records)) records = ((data) => {
		const records = [];
		const parser = transform({ delimiter: [] });
		const push = (record) => records.push(record);
		const close = () => {};
		const error = parser.parse(data, true, push, close);
		if (error !== void 0) throw error;
		return records;
	})(records);
	const info = Array(127).fill().map(() => ({ lines: [] }));
	records.map(([record], line) => {
		for (let i = 0, l = record.length; i < l; i++) {
			const code = record.charCodeAt(i);
			if (info[code].lines[line] === void 0) info[code].lines[line] = 0;
			info[code].lines[line]++;
		}
	});
	info.map((info, i) => {
		info.char_code = i;
		info.std = std(info.lines);
		info.total = info.lines.reduce((acc, val) => acc + val, 0);
		info.preferred = !!options.preferred[i];
		info.score = options.score(info, options);
	});
	const result = info.reduce((acc, info) => acc.score > info.score ? acc : info, {});
	return String.fromCharCode(result.char_code);
};
const std = function(array) {
	const n = array.length;
	if (n === 0) return 0;
	const mean = array.reduce((a, b) => a + b) / n;
	return Math.sqrt(array.map((x) => Math.pow(x - mean, 2)).reduce((a, b) => a + b) / n);
};

// node_modules/csv-parse/lib/api/index.js
const isRecordEmpty = function(record) {
	return record.every((field) => field == null || field.toString && field.toString().trim() === "");
};
const cr = 13;
const nl = 10;
const boms = {
	utf8: Buffer.from([
		239,
		187,
		191
	]),
	utf16le: Buffer.from([255, 254])
};
const transform = function(original_options = {}) {
	const info = {
		bytes: 0,
		bytes_records: 0,
		comment_lines: 0,
		empty_lines: 0,
		invalid_field_length: 0,
		lines: 1,
		records: 0
	};
	const options = normalize_options(original_options);
	return {
		info,
		original_options,
		options,
		state: init_state(options),
		__needMoreData: function(i, bufLen, end) {
			if (end) return false;
			const { encoding, escape, quote } = this.options;
			const { quoting, needMoreDataSize, recordDelimiterMaxLength } = this.state;
			return bufLen - i - 1 < Math.max(needMoreDataSize, recordDelimiterMaxLength === 0 ? Buffer.from("\r\n", encoding).length : recordDelimiterMaxLength, quoting ? (escape === null ? 0 : escape.length) + quote.length : 0, quoting ? quote.length + recordDelimiterMaxLength : 0);
		},
		parse: function(nextBuf, end, push, close) {
			const { bom, comment_no_infix, delimiter_auto, encoding, from_line, ltrim, max_record_size, raw, relax_quotes, rtrim, skip_empty_lines, to, to_line } = this.options;
			let { comment, escape, quote, record_delimiter } = this.options;
			const { bomSkipped, delimiterDiscovered, delimiterBufPrevious, rawBuffer, escapeIsQuote } = this.state;
			if (!delimiterDiscovered && delimiter_auto) {
				let delimiterBuf;
				if (delimiterBufPrevious === void 0) delimiterBuf = nextBuf;
				else if (delimiterBufPrevious !== void 0 && nextBuf === void 0) delimiterBuf = delimiterBufPrevious;
				else delimiterBuf = Buffer.concat([delimiterBufPrevious, nextBuf]);
				nextBuf = void 0;
				if (end || delimiterBuf.length > delimiter_auto.size) {
					this.options.delimiter = [Buffer.from(delimiter_discover(delimiterBuf, this.options.delimiter_auto))];
					this.state.previousBuf = delimiterBuf;
					this.state.delimiterBufPrevious = void 0;
					this.state.delimiterDiscovered = true;
				} else {
					this.state.delimiterBufPrevious = delimiterBuf;
					return;
				}
			}
			const { previousBuf } = this.state;
			let buf;
			if (previousBuf === void 0) {
				if (nextBuf === void 0) {
					close();
					return;
				} else buf = nextBuf;
			} else if (previousBuf !== void 0 && nextBuf === void 0) buf = previousBuf;
			else buf = Buffer.concat([previousBuf, nextBuf]);
			if (bomSkipped === false) {
				if (bom === false) this.state.bomSkipped = true;
				else if (buf.length < 3) {
					if (end === false) {
						this.state.previousBuf = buf;
						return;
					}
				} else {
					for (const encoding in boms) if (boms[encoding].compare(buf, 0, boms[encoding].length) === 0) {
						const bomLength = boms[encoding].length;
						this.state.bufBytesStart += bomLength;
						buf = buf.slice(bomLength);
						const options = normalize_options({
							...this.original_options,
							encoding
						});
						for (const key in options) this.options[key] = options[key];
						({comment, escape, quote} = this.options);
						break;
					}
					this.state.bomSkipped = true;
				}
			}
			const bufLen = buf.length;
			let pos = 0;
			for (; pos < bufLen; pos++) {
				if (this.__needMoreData(pos, bufLen, end)) break;
				if (this.state.wasRowDelimiter === true) {
					this.info.lines++;
					this.state.wasRowDelimiter = false;
				}
				if (to_line !== -1 && this.info.lines > to_line) {
					this.state.stop = true;
					close();
					return;
				}
				if (this.state.quoting === false && record_delimiter.length === 0) {
					if (this.__autoDiscoverRecordDelimiter(buf, pos)) record_delimiter = this.options.record_delimiter;
				}
				const chr = buf[pos];
				if (raw === true) rawBuffer.append(chr);
				if ((chr === cr || chr === nl) && this.state.wasRowDelimiter === false) this.state.wasRowDelimiter = true;
				if (this.state.escaping === true) this.state.escaping = false;
				else {
					if (escape !== null && this.state.quoting === true && this.__isEscape(buf, pos, chr) && pos + escape.length < bufLen) {
						if (escapeIsQuote) {
							if (this.__isQuote(buf, pos + escape.length)) {
								this.state.escaping = true;
								pos += escape.length - 1;
								continue;
							}
						} else {
							this.state.escaping = true;
							pos += escape.length - 1;
							continue;
						}
					}
					if (this.state.commenting === false && this.__isQuote(buf, pos)) {
						if (this.state.quoting === true) {
							const nextChr = buf[pos + quote.length];
							const isNextChrTrimable = rtrim && this.__isCharTrimable(buf, pos + quote.length);
							const isNextChrComment = comment !== null && this.__compareBytes(comment, buf, pos + quote.length, nextChr);
							const isNextChrDelimiter = this.__isDelimiter(buf, pos + quote.length, nextChr);
							const isNextChrRecordDelimiter = record_delimiter.length === 0 ? this.__autoDiscoverRecordDelimiter(buf, pos + quote.length) : this.__isRecordDelimiter(nextChr, buf, pos + quote.length);
							if (escape !== null && this.__isEscape(buf, pos, chr) && this.__isQuote(buf, pos + escape.length)) pos += escape.length - 1;
							else if (!nextChr || isNextChrDelimiter || isNextChrRecordDelimiter || isNextChrComment || isNextChrTrimable) {
								this.state.quoting = false;
								this.state.wasQuoting = true;
								pos += quote.length - 1;
								continue;
							} else if (relax_quotes === false) {
								const err = this.__error(new CsvError("CSV_INVALID_CLOSING_QUOTE", [
									"Invalid Closing Quote:",
									`got "${String.fromCharCode(nextChr)}"`,
									`at line ${this.info.lines}`,
									"instead of delimiter, record delimiter, trimable character",
									"(if activated) or comment"
								], this.options, this.__infoField()));
								if (err !== void 0) return err;
							} else {
								this.state.quoting = false;
								this.state.wasQuoting = true;
								this.state.field.prepend(quote);
								pos += quote.length - 1;
							}
						} else if (this.state.field.length !== 0) {
							if (relax_quotes === false) {
								const info = this.__infoField();
								const bom = Object.keys(boms).map((b) => boms[b].equals(this.state.field.toString()) ? b : false).filter(Boolean)[0];
								const err = this.__error(new CsvError("INVALID_OPENING_QUOTE", [
									"Invalid Opening Quote:",
									`a quote is found on field ${JSON.stringify(info.column)} at line ${info.lines}, value is ${JSON.stringify(this.state.field.toString(encoding))}`,
									bom ? `(${bom} bom)` : void 0
								], this.options, info, { field: this.state.field }));
								if (err !== void 0) return err;
							}
						} else {
							this.state.quoting = true;
							pos += quote.length - 1;
							continue;
						}
					}
					if (this.state.quoting === false) {
						const recordDelimiterLength = this.__isRecordDelimiter(chr, buf, pos);
						if (recordDelimiterLength !== 0) {
							if (this.state.commenting && this.state.wasQuoting === false && this.state.record.length === 0 && this.state.field.length === 0) this.info.comment_lines++;
							else {
								if (this.state.enabled === false && this.info.lines + (this.state.wasRowDelimiter === true ? 1 : 0) >= from_line) {
									this.state.enabled = true;
									this.__resetField();
									this.__resetRecord();
									pos += recordDelimiterLength - 1;
									continue;
								}
								if (skip_empty_lines === true && this.state.wasQuoting === false && this.state.record.length === 0 && this.state.field.length === 0) {
									this.info.empty_lines++;
									pos += recordDelimiterLength - 1;
									continue;
								}
								this.info.bytes = this.state.bufBytesStart + pos;
								const errField = this.__onField();
								if (errField !== void 0) return errField;
								this.info.bytes = this.state.bufBytesStart + pos + recordDelimiterLength;
								const errRecord = this.__onRecord(push);
								if (errRecord !== void 0) return errRecord;
								if (to !== -1 && this.info.records >= to) {
									this.state.stop = true;
									close();
									return;
								}
							}
							this.state.commenting = false;
							pos += recordDelimiterLength - 1;
							continue;
						}
						if (this.state.commenting) continue;
						if (comment !== null && (comment_no_infix === false || this.state.record.length === 0 && this.state.field.length === 0)) {
							if (this.__compareBytes(comment, buf, pos, chr) !== 0) {
								this.state.commenting = true;
								continue;
							}
						}
						const delimiterLength = this.__isDelimiter(buf, pos, chr);
						if (delimiterLength !== 0) {
							this.info.bytes = this.state.bufBytesStart + pos;
							const errField = this.__onField();
							if (errField !== void 0) return errField;
							pos += delimiterLength - 1;
							continue;
						}
					}
				}
				if (this.state.commenting === false) {
					if (max_record_size !== 0 && this.state.record_length + this.state.field.length > max_record_size) return this.__error(new CsvError("CSV_MAX_RECORD_SIZE", [
						"Max Record Size:",
						"record exceed the maximum number of tolerated bytes",
						`of ${max_record_size}`,
						`at line ${this.info.lines}`
					], this.options, this.__infoField()));
				}
				const lappend = ltrim === false || this.state.quoting === true || this.state.field.length !== 0 || !this.__isCharTrimable(buf, pos);
				const rappend = rtrim === false || this.state.wasQuoting === false;
				if (lappend === true && rappend === true) this.state.field.append(chr);
				else if (rtrim === true && !this.__isCharTrimable(buf, pos)) return this.__error(new CsvError("CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE", [
					"Invalid Closing Quote:",
					"found non trimable byte after quote",
					`at line ${this.info.lines}`
				], this.options, this.__infoField()));
				else {
					if (lappend === false) pos += this.__isCharTrimable(buf, pos) - 1;
					continue;
				}
			}
			if (end === true) {
				if (this.state.quoting === true) {
					const err = this.__error(new CsvError("CSV_QUOTE_NOT_CLOSED", ["Quote Not Closed:", `the parsing is finished with an opening quote at line ${this.info.lines}`], this.options, this.__infoField()));
					if (err !== void 0) return err;
				} else if (this.state.wasQuoting === true || this.state.record.length !== 0 || this.state.field.length !== 0) {
					this.info.bytes = this.state.bufBytesStart + pos;
					const errField = this.__onField();
					if (errField !== void 0) return errField;
					const errRecord = this.__onRecord(push);
					if (errRecord !== void 0) return errRecord;
				} else if (this.state.wasRowDelimiter === true) this.info.empty_lines++;
				else if (this.state.commenting === true) this.info.comment_lines++;
			} else {
				this.state.bufBytesStart += pos;
				this.state.previousBuf = buf.slice(pos);
			}
			if (this.state.wasRowDelimiter === true) {
				this.info.lines++;
				this.state.wasRowDelimiter = false;
			}
		},
		__onRecord: function(push) {
			const { columns, group_columns_by_name, encoding, info, from, relax_column_count, relax_column_count_less, relax_column_count_more, raw, skip_records_with_empty_values } = this.options;
			const { enabled, record } = this.state;
			if (enabled === false) return this.__resetRecord();
			const recordLength = record.length;
			if (columns === true) {
				if (skip_records_with_empty_values === true && isRecordEmpty(record)) {
					this.__resetRecord();
					return;
				}
				return this.__firstLineToColumns(record);
			}
			if (columns === false && this.info.records === 0) this.state.expectedRecordLength = recordLength;
			if (recordLength !== this.state.expectedRecordLength) {
				const err = columns === false ? new CsvError("CSV_RECORD_INCONSISTENT_FIELDS_LENGTH", [
					"Invalid Record Length:",
					`expect ${this.state.expectedRecordLength},`,
					`got ${recordLength} on line ${this.info.lines}`
				], this.options, this.__infoField(), { record }) : new CsvError("CSV_RECORD_INCONSISTENT_COLUMNS", [
					"Invalid Record Length:",
					`columns length is ${columns.length},`,
					`got ${recordLength} on line ${this.info.lines}`
				], this.options, this.__infoField(), { record });
				if (relax_column_count === true || relax_column_count_less === true && recordLength < this.state.expectedRecordLength || relax_column_count_more === true && recordLength > this.state.expectedRecordLength) {
					this.info.invalid_field_length++;
					this.state.error = err;
				} else {
					const finalErr = this.__error(err);
					if (finalErr) return finalErr;
				}
			}
			if (skip_records_with_empty_values === true && isRecordEmpty(record)) {
				this.__resetRecord();
				return;
			}
			if (this.state.recordHasError === true) {
				this.__resetRecord();
				this.state.recordHasError = false;
				return;
			}
			this.info.records++;
			if (from === 1 || this.info.records >= from) {
				const { objname } = this.options;
				if (columns !== false) {
					const obj = {};
					for (let i = 0, l = record.length; i < l; i++) {
						if (columns[i] === void 0 || columns[i].disabled) continue;
						if (group_columns_by_name === true && Object.hasOwn(obj, columns[i].name)) {
							if (Array.isArray(obj[columns[i].name])) obj[columns[i].name] = obj[columns[i].name].concat(record[i]);
							else obj[columns[i].name] = [obj[columns[i].name], record[i]];
						} else Object.defineProperty(obj, columns[i].name, {
							value: record[i],
							enumerable: true,
							writable: true,
							configurable: true
						});
					}
					if (raw === true || info === true) {
						const extRecord = Object.assign({ record: obj }, raw === true ? { raw: this.state.rawBuffer.toString(encoding) } : {}, info === true ? { info: this.__infoRecord() } : {});
						const err = this.__push(objname === void 0 ? extRecord : [obj[objname], extRecord], push);
						if (err) return err;
					} else {
						const err = this.__push(objname === void 0 ? obj : [obj[objname], obj], push);
						if (err) return err;
					}
				} else if (raw === true || info === true) {
					const extRecord = Object.assign({ record }, raw === true ? { raw: this.state.rawBuffer.toString(encoding) } : {}, info === true ? { info: this.__infoRecord() } : {});
					const err = this.__push(objname === void 0 ? extRecord : [record[objname], extRecord], push);
					if (err) return err;
				} else {
					const err = this.__push(objname === void 0 ? record : [record[objname], record], push);
					if (err) return err;
				}
			}
			this.__resetRecord();
		},
		__firstLineToColumns: function(record) {
			const { firstLineToHeaders } = this.state;
			try {
				const headers = firstLineToHeaders === void 0 ? record : firstLineToHeaders.call(null, record);
				if (!Array.isArray(headers)) return this.__error(new CsvError("CSV_INVALID_COLUMN_MAPPING", [
					"Invalid Column Mapping:",
					"expect an array from column function,",
					`got ${JSON.stringify(headers)}`
				], this.options, this.__infoField(), { headers }));
				const normalizedHeaders = normalize_columns_array(headers);
				this.state.expectedRecordLength = normalizedHeaders.length;
				this.options.columns = normalizedHeaders;
				this.__resetRecord();
				return;
			} catch (err) {
				return err;
			}
		},
		__resetRecord: function() {
			if (this.options.raw === true) this.state.rawBuffer.reset();
			this.state.error = void 0;
			this.state.record = [];
			this.state.record_length = 0;
		},
		__onField: function() {
			const { cast, encoding, rtrim, max_record_size } = this.options;
			const { enabled, wasQuoting } = this.state;
			if (enabled === false) return this.__resetField();
			let field = this.state.field.toString(encoding);
			if (rtrim === true && wasQuoting === false) field = field.trimRight();
			if (cast === true) {
				const [err, f] = this.__cast(field);
				if (err !== void 0) return err;
				field = f;
			}
			this.state.record.push(field);
			if (max_record_size !== 0 && typeof field === "string") this.state.record_length += field.length;
			this.__resetField();
		},
		__resetField: function() {
			this.state.field.reset();
			this.state.wasQuoting = false;
		},
		__push: function(record, push) {
			const { on_record } = this.options;
			if (on_record !== void 0) {
				const info = this.__infoRecord();
				try {
					record = on_record.call(null, record, info);
				} catch (err) {
					return err;
				}
				if (record === void 0 || record === null) return;
			}
			this.info.bytes_records += this.info.bytes;
			push(record);
		},
		__cast: function(field) {
			const { columns, relax_column_count } = this.options;
			if (Array.isArray(columns) === true && relax_column_count && this.options.columns.length <= this.state.record.length) return [void 0, void 0];
			if (this.state.castField !== null) try {
				const info = this.__infoField();
				return [void 0, this.state.castField.call(null, field, info)];
			} catch (err) {
				return [err];
			}
			if (this.__isFloat(field)) return [void 0, parseFloat(field)];
			else if (this.options.cast_date !== false) {
				const info = this.__infoField();
				return [void 0, this.options.cast_date.call(null, field, info)];
			}
			return [void 0, field];
		},
		__compareBytes: function(sourceBuf, targetBuf, targetPos, firstByte) {
			if (sourceBuf[0] !== firstByte) return 0;
			const sourceLength = sourceBuf.length;
			for (let i = 1; i < sourceLength; i++) if (sourceBuf[i] !== targetBuf[targetPos + i]) return 0;
			return sourceLength;
		},
		__isCharTrimable: function(buf, pos) {
			const { timchars, timcharFirstBytes } = this.state;
			const first = buf[pos];
			if (first === void 0 || timcharFirstBytes[first] === 0) return 0;
			loop1: for (let i = 0; i < timchars.length; i++) {
				const timchar = timchars[i];
				for (let j = 0; j < timchar.length; j++) if (timchar[j] !== buf[pos + j]) continue loop1;
				return timchar.length;
			}
			return 0;
		},
		__isDelimiter: function(buf, pos, chr) {
			const { delimiter, ignore_last_delimiters } = this.options;
			if (ignore_last_delimiters === true && this.state.record.length === this.options.columns.length - 1) return 0;
			else if (ignore_last_delimiters !== false && typeof ignore_last_delimiters === "number" && this.state.record.length === ignore_last_delimiters - 1) return 0;
			loop1: for (let i = 0; i < delimiter.length; i++) {
				const del = delimiter[i];
				if (del[0] === chr) {
					for (let j = 1; j < del.length; j++) if (del[j] !== buf[pos + j]) continue loop1;
					return del.length;
				}
			}
			return 0;
		},
		__isEscape: function(buf, pos, chr) {
			const { escape } = this.options;
			if (escape === null) return false;
			const l = escape.length;
			if (escape[0] === chr) {
				for (let i = 0; i < l; i++) if (escape[i] !== buf[pos + i]) return false;
				return true;
			}
			return false;
		},
		__isFloat: function(value) {
			return value - parseFloat(value) + 1 >= 0;
		},
		__isQuote: function(buf, pos) {
			const { quote } = this.options;
			if (quote === null) return false;
			const l = quote.length;
			for (let i = 0; i < l; i++) if (quote[i] !== buf[pos + i]) return false;
			return true;
		},
		__isRecordDelimiter: function(chr, buf, pos) {
			const { record_delimiter } = this.options;
			const recordDelimiterLength = record_delimiter.length;
			loop1: for (let i = 0; i < recordDelimiterLength; i++) {
				const rd = record_delimiter[i];
				const rdLength = rd.length;
				if (rd[0] !== chr) continue;
				for (let j = 1; j < rdLength; j++) if (rd[j] !== buf[pos + j]) continue loop1;
				return rd.length;
			}
			return 0;
		},
		__autoDiscoverRecordDelimiter: function(buf, pos) {
			const { encoding } = this.options;
			const rds = [
				Buffer.from("\r\n", encoding),
				Buffer.from("\n", encoding),
				Buffer.from("\r", encoding)
			];
			loop: for (let i = 0; i < rds.length; i++) {
				const l = rds[i].length;
				for (let j = 0; j < l; j++) if (rds[i][j] !== buf[pos + j]) continue loop;
				this.options.record_delimiter.push(rds[i]);
				this.state.recordDelimiterMaxLength = rds[i].length;
				return rds[i].length;
			}
			return 0;
		},
		__error: function(msg) {
			const { encoding, raw, skip_records_with_error } = this.options;
			const err = typeof msg === "string" ? new Error(msg) : msg;
			if (skip_records_with_error) {
				this.state.recordHasError = true;
				if (this.options.on_skip !== void 0) try {
					this.options.on_skip(err, raw ? this.state.rawBuffer.toString(encoding) : void 0);
				} catch (err) {
					return err;
				}
				return;
			} else return err;
		},
		__infoDataSet: function() {
			return {
				...this.info,
				columns: this.options.columns
			};
		},
		__infoRecord: function() {
			const { columns, raw, encoding } = this.options;
			return {
				...this.__infoDataSet(),
				bytes_records: this.info.bytes,
				error: this.state.error,
				header: columns === true,
				index: this.state.record.length,
				raw: raw ? this.state.rawBuffer.toString(encoding) : void 0
			};
		},
		__infoField: function() {
			const { columns } = this.options;
			const isColumns = Array.isArray(columns);
			const bytes_records = this.info.bytes_records;
			return {
				...this.__infoRecord(),
				bytes_records,
				column: isColumns === true ? columns.length > this.state.record.length ? columns[this.state.record.length].name : null : this.state.record.length,
				quoting: this.state.wasQuoting
			};
		}
	};
};

// node_modules/csv-parse/lib/sync.js
const parse = function(data, opts = {}) {
	if (typeof data === "string") data = Buffer.from(data);
	const records = opts && opts.objname ? Object.create(null) : [];
	const parser = transform(opts);
	const push = (record) => {
		if (parser.options.objname === void 0) records.push(record);
		else records[record[0]] = record[1];
	};
	const close = () => {};
	const error = parser.parse(data, true, push, close);
	if (error !== void 0) throw error;
	return records;
};

// src/input-lists.ts
/**
* How lists are written in inputs: the same text means the same list as in docker/build-push-action, which reads them
* as CSV records (one a line) with quotes, so a value with a comma or a line break can be quoted.
* https://github.com/docker/actions-toolkit/blob/v0.62.1/src/util.ts#L31-L66
*/
/** The records of a list input: one array of items a line. Without `commas` each record has exactly one item. */
function readRecords$1(text, options) {
	return recordsOf$1(text, options.literalQuotes === true).map((record) => options.commas ? record.flatMap((item) => item.split(",")) : [record.join(",")]).map((record) => record.map((item) => item.trim()).filter((item) => item !== "")).filter((record) => record.length > 0);
}
function recordsOf$1(text, literalQuotes) {
	if (!text.includes("\r") && (literalQuotes || !text.includes("\""))) return text.split("\n").map((line) => line.split(","));
	return parse(text, {
		columns: false,
		relax_quotes: true,
		relax_column_count: true,
		skip_empty_lines: true,
		...literalQuotes ? { quote: null } : {}
	});
}
/**
* Labels: as `docker build --label` reads a line, with the value as it is, and none behind a key alone. A line that was
* meant for a comment is a problem: it would be a label, too.
*/
function readLabels(lines, problems) {
	return lines.flatMap((line) => {
		const at = line.indexOf("=");
		const key = (at === -1 ? line : line.slice(0, at)).trim();
		if (key !== "" && !key.startsWith("#")) return [{
			key,
			value: at === -1 ? "" : line.slice(at + 1)
		}];
		const message = `\`labels\`: \`${shown$1(line)}\` is not of the form \`KEY=VALUE\`.`;
		problems.push({
			input: "labels",
			message,
			mend: "Write one `KEY=VALUE` a line."
		});
		return [];
	});
}
/** Lines `KEY=VALUE`; a line without `=` or with an empty key is a problem that names it. */
function readPairs(input, lines, problems, form) {
	const pairs = [];
	for (const line of lines) {
		const at = line.indexOf("=");
		if (at <= 0) {
			problems.push({
				input,
				message: `\`${input}\`: \`${shown$1(line)}\` is not of the form \`${form}\`.`,
				mend: `Write one \`${form}\` a line.`
			});
			continue;
		}
		pairs.push({
			key: line.slice(0, at).trim(),
			value: line.slice(at + 1).trim()
		});
	}
	return pairs;
}
/** A value as it is shown in a message: one line, not too long. */
function shown$1(value) {
	const line = value.replaceAll(/\s+/g, " ");
	return line.length > 120 ? `${line.slice(0, 117)}…` : line;
}

// src/bake-tags.ts
/** Tags that bake and compose files give to their targets: which of them cannot be kept. Pure. */
/** So many targets are named. */
const NAMES$3 = 6;
/** Those that are asked for, in their order. */
function askedTargets({ targets, asked }) {
	const known = new Map(targets.map((target) => [target.name, target]));
	return asked.flatMap((name) => known.get(name) ?? []);
}
/** Whether `tags` gives the target something in place of what its file says. */
function isNamed(name, { tags }) {
	return tags.some(({ target }) => target === void 0 || target.toLowerCase() === name.toLowerCase());
}
/**
* What is wrong with the tags of targets that are asked for: what is no reference, and one tag for different images. Where
* nothing is pushed or loaded, a target whose outputs are no images has its tags for nothing.
*/
function bakeTagProblems({ targets, asked }, inputs) {
	const given = askedTargets({
		targets,
		asked
	}).filter((target) => !isNamed(target.name, inputs) && (inputs.push || inputs.load || makesImage(target))).flatMap(({ name, tags }) => tags.map((tag) => ({
		name,
		tag,
		image: imageOf$1(tag)
	})));
	const malformed = given.filter(({ image }) => image === void 0).map(({ name, tag }) => targetProblem(name, `: its tag \`${shown$1(tag)}\` is not an image reference.`, "Write `registry/name:tag`, in lower case and without a digest; variables of the file come from the step’s `env`."));
	const shared = [...Map.groupBy(given.filter(({ image }) => image !== void 0), ({ image }) => image).values()].flatMap((owners) => {
		const names = [...new Set(owners.map(({ name }) => name))];
		const [first, second] = names;
		if (first === void 0 || second === void 0) return [];
		const others = names.slice(1).map((name) => `\`${name}\``);
		return [targetProblem(first, `: its tag \`${shown$1(owners[0]?.tag ?? "")}\` is given to ${list$2(others, NAMES$3)}, too, and ${others.length === 1 ? "that is" : "those are"} built in another way.`, "Give each image a tag of its own in its file, or to all of them with `{target}` in the input `tags`, or build one of them with `targets`.")];
	});
	return [...malformed, ...shared];
}
function makesImage({ outputs }) {
	return outputs.length === 0 || outputs.some((line) => !/^type=(?:cacheonly|local|tar)(?:,|$)/.test(line));
}
/** As registries and engines tell images apart; undefined where it can be no tag. */
function imageOf$1(tag) {
	try {
		const reference = parseReference(tag);
		return reference.digest === void 0 ? formatReference(tagNameOnly(reference)) : void 0;
	} catch {
		return;
	}
}

// src/dockerfile/csv.ts
/**
* One CSV record, as `--mount` values are written. It does not know what the fields mean.
* Source: https://github.com/tonistiigi/go-csvvalue (the rules and messages of Go's encoding/csv for one line)
*/
/** @throws SyntaxFault in Go's words, with the column of the fault */
function csvFields(record) {
	const line = record.replace(/\r?\n$/, "");
	if (line === "") throw new SyntaxFault("EOF");
	const fields = [];
	let position = 0;
	for (;;) {
		if (line.charAt(position) === "\"") {
			const { field, end } = quotedField(line, position);
			fields.push(field);
			if (end >= line.length) return fields;
			position = end + 1;
			continue;
		}
		const comma = line.indexOf(",", position);
		const field = line.slice(position, comma === -1 ? void 0 : comma);
		const quote = field.indexOf("\"");
		if (quote !== -1) throw fault(line, position + quote, "bare \" in non-quoted-field");
		fields.push(field);
		if (comma === -1) return fields;
		position = comma + 1;
	}
}
/** Reads from an opening quote to behind the closing one; doubled quotes stand for one. */
function quotedField(line, start) {
	let field = "";
	let position = start + 1;
	for (;;) {
		const quote = line.indexOf("\"", position);
		if (quote === -1) throw fault(line, position, "extraneous or missing \" in quoted-field");
		field += line.slice(position, quote);
		position = quote + 1;
		const next = line.charAt(position);
		if (next === "," || next === "") return {
			field,
			end: position
		};
		if (next !== "\"") throw fault(line, quote, "extraneous or missing \" in quoted-field");
		field += "\"";
		position++;
	}
}
function fault(line, index, what) {
	const column = Buffer.byteLength(line.slice(0, index), "utf8") + 1;
	return new SyntaxFault(`parse error on line 1, column ${column}: ${what}`);
}

// src/build/output-lines.ts
/**
* The outputs of one bake target: the user's lines, `push`, `load` and the measured copy become one ordered list.
* Knows buildx's output syntax; writes nothing.
*/
const IMAGE_TYPES = /* @__PURE__ */ new Set([
	"image",
	"docker",
	"oci"
]);
const COMPRESSION_KEYS = [
	"compression",
	"compression-level",
	"force-compression"
];
/**
* The outputs of a target. The measured copy comes first and what is pushed last: the metadata file tells the digest
* of the last. Tags are written into each image output, since bake would put `tags` on the measured copy, too.
*/
function outputsOf$1(target, request) {
	const asked = withTags(withLoad(withPush(target.outputs.map(readOutput), request.push), request.load), target.tags);
	const user = storedOnce(request.byDigest === true ? asked.map(byDigest) : asked).map((output) => placed(output, request.workspace));
	const compression = user.find((output) => output.attributes.has("compression"))?.attributes;
	const chosen = compression === void 0 ? request.compression === void 0 || request.compression === "gzip" ? [] : [["compression", request.compression]] : COMPRESSION_KEYS.flatMap((key) => {
		const value = compression.get(key);
		return value === void 0 ? [] : [[key, value]];
	});
	const ordered = [
		...request.measure === void 0 ? [] : [measuredOutput(request.measure.host, request.measure.repository(target))],
		...user.filter((output) => !pushes(output)),
		...user.filter(pushes)
	];
	return {
		lines: (ordered.length === 0 ? [{
			type: "cacheonly",
			attributes: /* @__PURE__ */ new Map()
		}] : ordered).map((output) => formatOutput(compressed(output, chosen))),
		directories: user.flatMap((output) => {
			const dest = output.attributes.get("dest");
			return dest === void 0 || output.type === "local" ? [] : [dirname(dest)];
		})
	};
}
/**
* The names with a tag under which a line pushes by itself or with `push`; whatever it is, it is no name that an image is pushed
* to by its digest alone.
*/
function namesPushed(line, push) {
	const output = readOutput(line);
	if (output.type !== "image" || !(push || pushes(output))) return [];
	return (output.attributes.get("name") ?? "").split(",").filter((name) => name !== "");
}
/** Types of the outputs that the user's lines ask for (`local`, `oci`, …), for the builder choice. */
function outputTypes(lines) {
	return lines.map((line) => readOutput(line).type);
}
/** Whether one of the lines asks for an image that is pushed without a tag, for the builder choice. */
function pushesByDigest(lines) {
	return lines.some((line) => readOutput(line).attributes.get("push-by-digest") === "true");
}
/**
* Reads one line as buildx does. https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/export.go#L95-L135
* @throws UserError for a line that is none.
*/
function readOutput(line) {
	const fields = fieldsOf(line);
	const [only] = fields;
	if (fields.length === 1 && only !== void 0 && !only.startsWith("type=")) {
		if (only === "-") throw badOutput(line, "would write to this step’s log");
		return {
			type: "local",
			attributes: /* @__PURE__ */ new Map([["dest", only]])
		};
	}
	const attributes = /* @__PURE__ */ new Map();
	for (const field of fields) {
		const at = field.indexOf("=");
		attributes.set((at === -1 ? field : field.slice(0, at)).trim().toLowerCase(), at === -1 ? "" : field.slice(at + 1));
	}
	const type = attributes.get("type") ?? "";
	if (type === "") throw badOutput(line, "has no `type=…`");
	attributes.delete("type");
	if (type !== "registry") return {
		type,
		attributes
	};
	return {
		type: "image",
		attributes: attributes.set("push", attributes.get("push") ?? "true")
	};
}
function fieldsOf(line) {
	try {
		return csvFields(line);
	} catch (error) {
		throw badOutput(line, `cannot be read (${error instanceof Error ? error.message : String(error)})`);
	}
}
function badOutput(line, what) {
	return new UserError({
		input: "outputs",
		message: `\`outputs\`: \`${line}\` ${what}.`,
		mend: "Write lines such as `type=local,dest=out`."
	});
}
/** `push` turns the user's image outputs into pushed ones; without any it adds one. As `docker buildx build --push`. */
function withPush(outputs, push) {
	if (push !== true) return outputs;
	if (!outputs.some((output) => output.type === "image")) return [...outputs, {
		type: "image",
		attributes: /* @__PURE__ */ new Map([["push", "true"]])
	}];
	return outputs.map((output) => output.type === "image" ? changed(output, "push", "true") : output);
}
/** As https://docs.docker.com/build/ci/github-actions/multi-platform/#distribute-build-across-multiple-runners has it. */
function byDigest(output) {
	if (output.type !== "image" || !pushes(output)) return output;
	const name = output.attributes.get("name")?.split(",").map(nameAlone).join(",");
	const attributes = {
		"push-by-digest": "true",
		"name-canonical": "true",
		store: "false",
		...name === void 0 ? {} : { name }
	};
	return Object.entries(attributes).reduce((done, [key, value]) => changed(done, key, value), output);
}
function withLoad(outputs, load) {
	if (load !== true) return outputs;
	return outputs.some((output) => output.type === "docker" && !output.attributes.has("dest")) ? outputs : [{
		type: "docker",
		attributes: /* @__PURE__ */ new Map()
	}, ...outputs];
}
function withTags(outputs, tags) {
	if (tags.length === 0) return outputs;
	return outputs.map((output) => IMAGE_TYPES.has(output.type) ? changed(output, "name", tags.join(",")) : output);
}
/**
* Docker's own builder stores an image for `load` and again for each image output; doing both at once under one name it
* fails now and then ("already exists"). So only the first of them stores. Other builders store nothing.
*/
function storedOnce(outputs) {
	const isLoad = (output) => output.type === "docker" && !output.attributes.has("dest");
	const stored = new Set(outputs.filter(isLoad).map((output) => output.attributes.get("name")));
	return outputs.map((output) => {
		if (output.type !== "image" || output.attributes.has("store")) return output;
		const name = output.attributes.get("name");
		if (stored.has(name)) return changed(output, "store", "false");
		stored.add(name);
		return output;
	});
}
function placed(output, workspace) {
	const dest = output.attributes.get("dest");
	return dest === void 0 || dest === "-" ? output : changed(output, "dest", resolve$1(workspace, dest));
}
function compressed(output, compression) {
	if (!IMAGE_TYPES.has(output.type)) return output;
	return {
		type: output.type,
		attributes: new Map([...output.attributes, ...compression])
	};
}
function measuredOutput(host, repository) {
	return {
		type: "image",
		attributes: /* @__PURE__ */ new Map([
			["push", "true"],
			["store", "false"],
			["name", `${host}/${repository}`]
		])
	};
}
function pushes(output) {
	return output.attributes.get("push") === "true";
}
function changed(output, key, value) {
	return {
		type: output.type,
		attributes: new Map([...output.attributes, [key, value]])
	};
}
function formatOutput(output) {
	return [`type=${output.type}`, ...[...output.attributes].map(([key, value]) => csvField(`${key}=${value}`))].join(",");
}

// src/build/secret-lines.ts
/** Secrets as bake is told of them: values go through the environment or a file of the run's own, never through arguments. */
/** Linux refuses longer strings in an environment (MAX_ARG_STRLEN, 128 KiB); the variable's name counts. */
const LONGEST_VARIABLE = 122880;
/** The secrets of one run; each list of them once, however many targets have it. */
var SecretPlans = class {
	/** Values, for the child's environment only. */
	env = {};
	/** Values too long for an environment variable; paths are relative to the private directory. */
	files = [];
	#workspace;
	#privateDir;
	#known = /* @__PURE__ */ new Map();
	#count = 0;
	/** @param privateDir a directory that only this user can read */
	constructor(workspace, privateDir) {
		this.#workspace = workspace;
		this.#privateDir = privateDir;
	}
	/** Lines for bake. */
	of(secrets) {
		const lines = this.#known.get(secrets) ?? secrets.map((secret) => this.#line(secret));
		this.#known.set(secrets, lines);
		return lines;
	}
	#line(secret) {
		const index = this.#count++;
		const id = csvField(`id=${secret.id}`);
		if (secret.kind === "env") return `type=env,${id},${csvField(`env=${secret.env}`)}`;
		if (secret.kind === "file") return `type=file,${id},${csvField(`src=${resolve$1(this.#workspace, secret.path)}`)}`;
		if (Buffer.byteLength(secret.value) > LONGEST_VARIABLE || secret.value.includes("\0")) {
			const path = `secret-${index}`;
			this.files.push({
				path,
				content: secret.value
			});
			return `type=file,${id},${csvField(`src=${join(this.#privateDir, path)}`)}`;
		}
		const name = `STAGE_BUILD_SECRET_${index}`;
		this.env[name] = secret.value;
		return `type=env,${id},env=${name}`;
	}
};

// src/build/definition.ts
/**
* The generated bake definition: one request → one definition in which every requested target is an entry, so that
* one `docker buildx bake` builds them all and shared stages run once. Pure: what must be written, set or created
* beside the definition is told in the plan. No secret is in the definition or on a command line.
*/
/** @param privateDir a directory that only this user can read, made before the run and removed after it. */
function planBake(request, privateDir) {
	const asked = request.targets;
	const linked = linkedTargets(request);
	const everything = [...asked, ...linked];
	const ids = bakeIds(everything.map((target) => target.name));
	const idOf = new Map(everything.map(({ name }, index) => [name, ids[index] ?? name]));
	const optionsOf = (target) => ({
		...request,
		...target.own,
		...target.dockerfile === void 0 ? {} : {
			dockerfile: target.dockerfile,
			dockerfileInline: void 0
		}
	});
	const secrets = new SecretPlans(request.workspace, privateDir);
	const outputs = asked.map((target) => outputsOf$1(target, optionsOf(target)));
	const entries = everything.map((target, index) => {
		const options = optionsOf(target);
		const ofTarget = (line) => line.replaceAll("{target}", target.name.toLowerCase());
		const cacheFrom = [...(options.cacheFrom ?? []).map(ofTarget), ...target.cacheFrom ?? []];
		const cacheTo = [...(options.cacheTo ?? []).map(ofTarget), ...target.cacheTo ?? []];
		const entry = {
			...commonPart(options, {
				secrets: secrets.of(options.secrets ?? []),
				links: linksOf$2(target, idOf)
			}),
			...target.stage === void 0 ? {} : { target: target.stage },
			output: outputs[index]?.lines ?? ["type=cacheonly"],
			...list$1("cache-from", cacheFrom),
			...list$1("cache-to", index < asked.length ? cacheTo : [])
		};
		return [ids[index] ?? target.name, entry];
	});
	const named = everything.map(({ name }, index) => ({
		id: ids[index] ?? name,
		name
	}));
	return {
		definition: escapeTemplates({ target: Object.fromEntries(entries) }),
		targets: named.slice(0, asked.length),
		linked: named.slice(asked.length),
		allow: [...new Set(everything.flatMap((target) => allowances(optionsOf(target))))],
		env: secrets.env,
		files: secrets.files,
		directories: [...new Set(outputs.flatMap((output) => output.directories))],
		warnings: request.cgroupParent === void 0 ? [] : [CGROUP_PARENT]
	};
}
/** The targets that those of this run are built from and that it does not build for themselves, with their cached layers. */
function linkedTargets({ targets, linked = [] }) {
	const asked = new Set(targets.map(({ name }) => name));
	const found = /* @__PURE__ */ new Map();
	const follow = ({ links }, cacheFrom) => {
		for (const name of links?.values() ?? []) {
			const known = found.get(name) ?? /* @__PURE__ */ new Set();
			found.set(name, known);
			for (const line of cacheFrom) known.add(line);
			const next = linked.find((target) => target.name === name);
			if (next !== void 0) follow(next, cacheFrom);
		}
	};
	for (const target of targets) follow(target, target.cacheFrom ?? []);
	return linked.flatMap((target) => {
		const cacheFrom = found.get(target.name);
		return cacheFrom === void 0 || asked.has(target.name) ? [] : [{
			...target,
			cacheFrom: [...cacheFrom]
		}];
	});
}
/** The named contexts that are targets, in bake's words. https://github.com/docker/buildx/blob/v0.29.1/docs/bake-reference.md#targetcontexts */
function linksOf$2({ links }, idOf) {
	return new Map([...links ?? []].map(([key, name]) => [key, `target:${idOf.get(name) ?? name}`]));
}
/** Names for bake, which knows fewer letters than Dockerfiles do (no dots); unique, in the order given. */
function bakeIds(names) {
	const taken = /* @__PURE__ */ new Set();
	return names.map((name) => {
		const base = name.replaceAll(/[^a-zA-Z0-9_-]/g, "_") || "target";
		let id = base;
		for (let n = 2; taken.has(id); n++) id = `${base}_${n}`;
		taken.add(id);
		return id;
	});
}
const CGROUP_PARENT = {
	input: "cgroup-parent",
	message: "`cgroup-parent` has no effect: bake cannot set it.",
	mend: "Give it to the builder instead (docker/setup-buildx-action with `driver-opts: cgroup-parent=…`)."
};
function commonPart(request, { secrets, links }) {
	const contexts = [...(request.buildContexts ?? []).map(({ key, value }) => [contextName(key), links.get(key) ?? contextSource(value, request.workspace)]), ...(request.ociContexts ?? []).map(({ key, value }) => [contextName(key), value])];
	const hosts = hostsOf(request.addHosts ?? []);
	const args = request.buildArgs ?? {};
	const attests = [
		...canonicalAttest("provenance", request.provenance),
		...canonicalAttest("sbom", request.sbom),
		...request.attests ?? []
	];
	const granted = (request.allow ?? []).filter((entitlement) => !/^(?:fs|image|ssh)\b/.test(entitlement));
	return {
		context: request.contextDir,
		...request.dockerfile === void 0 ? {} : { dockerfile: request.dockerfile },
		...request.dockerfileInline === void 0 ? {} : { "dockerfile-inline": request.dockerfileInline },
		...Object.keys(args).length === 0 ? {} : { args },
		...contexts.length === 0 ? {} : { contexts: Object.fromEntries(contexts) },
		...(request.labels ?? []).length === 0 ? {} : { labels: pairs(request.labels ?? []) },
		...list$1("annotations", request.annotations),
		...list$1("platforms", request.platforms),
		...list$1("secret", secrets),
		...list$1("ssh", request.ssh),
		...list$1("attest", attests),
		...request.pull === true ? { pull: true } : {},
		...request.noCache === true ? { "no-cache": true } : {},
		...list$1("no-cache-filter", request.noCacheFilters),
		...request.network === void 0 ? {} : { network: request.network },
		...hosts.size === 0 ? {} : { "extra-hosts": Object.fromEntries(hosts) },
		...list$1("entitlements", granted),
		...request.shmSize === void 0 ? {} : { "shm-size": request.shmSize },
		...list$1("ulimits", request.ulimit)
	};
}
/** Of a host with several addresses all, in bake's form: https://github.com/docker/buildx/blob/v0.29.1/build/utils.go (toBuildkitExtraHosts) */
function hostsOf(lines) {
	const hosts = /* @__PURE__ */ new Map();
	for (const line of lines) {
		const [host = "", address = ""] = line.split(/[:=](.*)/s, 2);
		const known = hosts.get(host);
		hosts.set(host, known === void 0 ? address : `${known},${address}`);
	}
	return hosts;
}
/**
* Bake asks before it reads or writes outside the working directory, opens sockets or grants entitlements. The
* definition says nothing but what the workflow's author wrote, so all that it names is allowed.
*/
function allowances(request) {
	const host = request.network === "host" ? ["network.host"] : [];
	const ssh = (request.ssh ?? []).length > 0 ? ["ssh"] : [];
	return [.../* @__PURE__ */ new Set([
		"fs=*",
		...ssh,
		...host,
		...request.allow ?? []
	])];
}
/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/attests.go (CanonicalizeAttest) */
function canonicalAttest(type, value) {
	if (value === void 0 || value === "") return [];
	if (/^(?:1|t|true)$/i.test(value)) return [`type=${type},disabled=false`];
	if (/^(?:0|f|false)$/i.test(value)) return [`type=${type},disabled=true`];
	return [`type=${type},${value}`];
}
/** A named context is found by its short name. https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/namedcontext.go */
function contextName(key) {
	return key.replace(/^docker\.io\/(?:library\/)?/, "").replace(/:latest$/, "");
}
/** Whether a context is somewhere else than in a directory of this machine. */
function isAddress$1(context) {
	return /^(?:[a-z][a-z0-9+.-]*:|git@)/.test(context);
}
function contextSource(value, workspace) {
	return isAddress$1(value) ? value : resolve$1(workspace, value);
}
function pairs(list) {
	return Object.fromEntries(list.map(({ key, value }) => [key, value]));
}
/** The entry, or nothing where the list is empty. */
function list$1(key, values) {
	return values === void 0 || values.length === 0 ? {} : { [key]: values };
}
/** Bake reads strings as HCL templates; `${` and `%{` are written so that they stand for themselves. */
function escapeTemplates(value) {
	const text = (plain) => plain.replaceAll(/[$%](?=\{)/g, (sign) => sign + sign);
	const walk = (node) => {
		if (typeof node === "string") return text(node);
		if (Array.isArray(node)) return node.map(walk);
		if (typeof node !== "object" || node === null) return node;
		return Object.fromEntries(Object.entries(node).map(([key, child]) => [text(key), walk(child)]));
	};
	return walk(value);
}

// src/images/image-source.ts
/**
* Where an external image comes from, as a user writes it: an image of a registry or an OCI layout on disk. Parsing
* only; `registry-client.ts` and `oci-layout.ts` look them up.
*/
const OCI_LAYOUT = "oci-layout://";
const DOCKER_IMAGE = "docker-image://";
/**
* Whether a named context is the empty image, which no registry is asked for.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go (EmptyImageName)
*/
function isEmptyImage(context) {
	return context === `${DOCKER_IMAGE}scratch`;
}
/**
* Reads `REF`, `docker-image://REF` or `oci-layout://PATH[:TAG][@DIGEST]`. The path ends at the first colon, as in
* buildx (https://github.com/docker/buildx/blob/v0.20.0/build/opt.go#L560).
* @throws Error whose message is a clause for the end of a sentence, without a full stop.
*/
function parseImageSource(text) {
	const trimmed = text.trim();
	if (trimmed.startsWith(OCI_LAYOUT)) return parseOciLayout(trimmed.slice(13));
	if (trimmed.startsWith(DOCKER_IMAGE)) return {
		kind: "registry",
		ref: normalizeReference(trimmed.slice(15))
	};
	const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(trimmed)?.[1];
	if (scheme !== void 0) throw new Error(`${scheme}:// is no kind of image; use an image reference, docker-image:// or oci-layout://`);
	return {
		kind: "registry",
		ref: normalizeReference(trimmed)
	};
}
function parseOciLayout(text) {
	const { head, tail: digest } = cut$1(text, "@");
	const { head: path, tail: tag } = cut$1(head, ":");
	if (path === "") throw new Error("an oci-layout:// source needs the path of a directory");
	if (path.includes("\0")) throw new Error("the path of an oci-layout:// source holds a NUL character");
	if (tag !== void 0 && !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/.test(tag)) throw new Error(`invalid tag format (${JSON.stringify(tag)})`);
	const fault = digest === void 0 ? void 0 : digestFault(digest);
	if (fault !== void 0) throw new Error(`${fault} (${JSON.stringify(digest)})`);
	return {
		kind: "oci-layout",
		path,
		...tag === void 0 ? {} : { tag },
		...digest === void 0 ? {} : { digest }
	};
}
function cut$1(text, separator) {
	const at = text.indexOf(separator);
	return at === -1 ? {
		head: text,
		tail: void 0
	} : {
		head: text.slice(0, at),
		tail: text.slice(at + 1)
	};
}
/** The same of a text that may be none: then a clause that tells why. */
function readImageSource(text) {
	try {
		return parseImageSource(text);
	} catch (error) {
		return error instanceof Error ? error.message : String(error);
	}
}

// src/named-contexts.ts
/** Named contexts as they are given: is there what they name? What images they stand for is looked up by `context-images.ts`. */
/** Which of them docker would refuse at once, whether or not a Dockerfile uses them; in a bake file, told of its target. */
async function missingContexts(inputs, workspace) {
	const isBake = inputs.bakeFiles.length > 0;
	return (await Promise.all(inputs.buildContexts.map(async ({ key, value }) => {
		const missing = inputs.mode === "plan" && value.startsWith(LAYOUT) && typeof readImageSource(value) !== "string" ? void 0 : await missingContext$1(value, workspace);
		if (missing === void 0) return [];
		const { why, mend } = missing;
		return [{
			input: "build-contexts",
			message: isBake ? `its context \`${shown$1(`${key}=${value}`)}\`: ${why}.` : `\`build-contexts\`: \`${shown$1(`${key}=${value}`)}\`: ${why}.`,
			mend
		}];
	}))).flat();
}
const LAYOUT = "oci-layout://";
/** What is no directory for docker. https://github.com/docker/buildx/blob/v0.29.1/build/opt.go (loadInputs) */
const KNOWN_ADDRESS = /^(?:(?:https?|git|ssh|docker-image|oci-layout):\/\/|target:|git@)/;
const NO_DIRECTORY = {
	why: "there is no such directory",
	mend: "Give a directory relative to the root of the checkout (one of a submodule is there with `submodules: true` of `actions/checkout`), or `docker-image://REF`, `oci-layout://PATH` or a Git address."
};
async function missingContext$1(value, workspace) {
	if (value.startsWith(LAYOUT)) return await missingLayout(value, workspace);
	if (KNOWN_ADDRESS.test(value)) return void 0;
	const kind = await kindOf$3(resolve$1(workspace, value));
	if (kind === "directory") return void 0;
	if (kind === "other") return {
		...NO_DIRECTORY,
		why: "it is a file, not a directory"
	};
	if (kind === "closed") return {
		...NO_DIRECTORY,
		why: "this job’s user may not look into it"
	};
	return isAddress$1(value) ? {
		...NO_DIRECTORY,
		why: "there is no such directory, and it is no address that docker knows"
	} : NO_DIRECTORY;
}
/** Whether it holds the image is looked up later: its tag may be left out. */
async function missingLayout(value, workspace) {
	const mend = "Give the directory of an OCI layout relative to the root of the checkout, as in `oci-layout://PATH:TAG`, and check that an earlier step makes it.";
	const source = readImageSource(value);
	if (typeof source === "string") return {
		why: source,
		mend
	};
	if (source.kind === "registry") return void 0;
	const path = resolve$1(workspace, source.path);
	if (await kindOf$3(path) !== "directory") return {
		why: "there is no such directory",
		mend
	};
	return await kindOf$3(join(path, "index.json")) === "absent" ? {
		why: "the directory is no OCI layout: it has no `index.json`",
		mend
	} : void 0;
}
/** What there is, links followed. Never rejects. */
async function kindOf$3(path) {
	try {
		return (await stat$1(path)).isDirectory() ? "directory" : "other";
	} catch (error) {
		return errorCode(error) === "EACCES" ? "closed" : "absent";
	}
}

// src/local-paths.ts
/** The files and directories that inputs name besides the Dockerfile and the context: are they there? */
/** Everything that docker would stumble over later, and say less clearly. Secrets are for the build alone. */
async function missingPaths(inputs, workspace) {
	const secrets = inputs.mode === "build" ? inputs.secrets : [];
	const [unreadable, contexts] = await Promise.all([Promise.all(secrets.map(async (secret) => secret.kind === "file" ? await secretFileProblem(secret.path, workspace) : void 0)), missingContexts(inputs, workspace)]);
	return [...unreadable.filter((problem) => problem !== void 0), ...contexts];
}
async function secretFileProblem(path, workspace) {
	const full = resolve$1(workspace, path);
	const why = await isDirectory$1(full) ? "it is a directory" : await unreadable(full);
	if (why === void 0) return void 0;
	return {
		input: "secret-files",
		message: `\`secret-files\`: \`${shown$1(path)}\` cannot be read: ${why}.`,
		mend: "Give a path relative to the root of the checkout, and check that an earlier step makes the file."
	};
}
async function unreadable(path) {
	try {
		await access$1(path, constants$1.R_OK);
		return;
	} catch (error) {
		const code = errorCode(error);
		return code === "ENOENT" || code === "ENOTDIR" ? "there is no such file" : code === "EACCES" ? "this job’s user has no permission" : code ?? "unknown error";
	}
}
/** Whether there is a directory. Never rejects. */
async function isDirectory$1(path) {
	try {
		return (await stat$1(path)).isDirectory();
	} catch {
		return false;
	}
}
/** Whether there is a file. Never rejects. */
async function isFile$1(path) {
	try {
		return (await stat$1(path)).isFile();
	} catch {
		return false;
	}
}

// src/bake-asked.ts
/**
* Which targets of bake and compose files are built for themselves: those that are asked for, each image once, and without
* those that `targets: all` does not mean.
*/
/**
* What is asked for, of what buildx printed.
* @param grouped where all targets are: those that a group names
*/
async function targetsAsked(read, { inputs, workspace, grouped }) {
	if (grouped === void 0) return withoutCopies(read, inputs);
	const [files, hasDockerfile] = await Promise.all([textsOf(inputs.bakeFiles, workspace), isFile$1(resolve$1(workspace, "Dockerfile"))]);
	const helpers = helpersAmong(read, {
		files,
		grouped,
		hasDockerfile
	});
	const { notes, ...distinct } = withoutCopies(without(helpers, read), inputs);
	const left = helpers.size === 0 ? [] : [`not built, as others only inherit ${helpers.size === 1 ? "it" : "them"}: ${list$2([...helpers], NAMES$2)}`];
	return {
		...distinct,
		notes: [...left, ...notes]
	};
}
/**
* Services of a compose file that run one image in several ways repeat how it is built (`web` and `worker` with one `image`).
* Of targets that are the same in everything, tags included, the first one is built and stands for the others. Those that
* the input `tags` names have tags of their own.
*/
function withoutCopies({ targets, asked }, inputs) {
	const own = askedTargets({
		targets,
		asked
	}).filter(({ name, tags }) => tags.length > 0 && !isNamed(name, inputs));
	const alike = [...Map.groupBy(own, (target) => JSON.stringify({
		...target,
		name: ""
	})).values()];
	const notes = alike.flatMap(([first, ...others]) => first === void 0 || others.length === 0 ? [] : [builtOnce(first, others)]);
	return {
		...without(new Set(alike.flatMap(([, ...others]) => others.map(({ name }) => name))), {
			targets,
			asked
		}),
		notes
	};
}
/** The others; those of them that a context names stay, to be built for that. */
function without(names, { targets, asked }) {
	const linked = new Set(targets.flatMap(({ contexts }) => contexts.map(({ value }) => value)));
	return {
		targets: targets.filter(({ name }) => !names.has(name) || linked.has(`target:${name}`)),
		asked: asked.filter((name) => !names.has(name))
	};
}
function builtOnce({ name, tags }, others) {
	return `${list$2(others.map((other) => other.name), NAMES$2)} ${others.length === 1 ? "is" : "are"} ${name} once more, with the same ${tags.length === 1 ? "tag" : "tags"}: built once, as ${name}`;
}
/** So many targets are named. */
const NAMES$2 = 6;
/** What docker/metadata-action defines, with whatever is behind it. https://github.com/docker/metadata-action#bake-definition */
const OF_METADATA_ACTION = /^docker-metadata-action/;
/** The names of targets that others inherit and that say of themselves nothing that could be built. */
function helpersAmong({ targets, asked }, { files, grouped, hasDockerfile }) {
	const inherited = new Set(files.flatMap(({ text }) => inheritedIn(text)));
	const isHelper = (target) => inherited.has(target.name) && !grouped.has(target.name) && saysNothing(target) && (!hasDockerfile || hasNoOwnTag(target, targets) || OF_METADATA_ACTION.test(target.name));
	const helpers = targets.filter((target) => asked.includes(target.name) && isHelper(target));
	return new Set(helpers.length === asked.length ? [] : helpers.map(({ name }) => name));
}
/** What inherits it has its tags, too, unless it says others: both could not be built. */
function hasNoOwnTag({ name, tags }, targets) {
	const others = new Set(targets.flatMap((other) => other.name === name ? [] : other.tags));
	return tags.every((tag) => others.has(tag));
}
/** `inherits = ["a", "b"]`, in HCL and in JSON; what an expression makes is not seen. */
function inheritedIn(text) {
	return [...text.matchAll(/\binherits"?\s*[=:]\s*\[([^\]]*)\]/g)].flatMap(([, names = ""]) => [...names.matchAll(/"([\w-]+)"/g)].flatMap(([, name]) => name ?? []));
}
function saysNothing({ context, dockerfile, inline, stage, contexts, outputs }) {
	return context === "." && dockerfile === "Dockerfile" && inline === void 0 && stage === void 0 && contexts.length === 0 && outputs.length === 0;
}

// \0plain-crypto
const crypto = process.getBuiltinModule("node:crypto");
const { createHash, hash: hash$2, randomBytes, randomUUID } = crypto;

// src/build/builder.ts
/**
* Which builder builds. The decision is a pure function of what docker has and what the build needs; creating and
* removing a builder of the action's own follow from it. Knows no docker flags (`buildx.ts`) and no cache.
*/
const OWN_PREFIX = "stage-build-";
/** Whether a driver's builders are on other machines: they are given, and need no engine here. */
function isElsewhere(driver) {
	return driver === "remote" || driver === "kubernetes";
}
/**
* Chooses the builder (DESIGN §7): the current one if it can do all that is needed; otherwise one of our own beside
* it, of the same image, options and configuration, but on the host's network. A builder that the user named is obeyed.
* @throws UserError when the named builder does not exist.
*/
function decideBuilder(question) {
	const { named, builders, needs } = question;
	if (named !== void 0) return useNamed(question, named);
	const current = builders.find((builder) => builder.current);
	const can = abilities(current, question);
	const lacking = missing$1(needs, can);
	const use = useDecision(current, can, question, lacking);
	if (lacking.length === 0) return use;
	if (!(current === void 0 || current.driver === "docker" || current.driver === "docker-container") || !question.engineIsLocal || current !== void 0 && current.nodes.length > 1) return use;
	const { spec, config } = ownBuilder(current, question.job);
	const existing = builders.find((builder) => builder.name === spec.name);
	const all = {
		multiPlatform: true,
		cacheExport: true,
		ociOutput: true,
		pushByDigest: true,
		loopback: true
	};
	if (existing !== void 0) return useDecision(existing, all, question, []);
	const onlyLoopback = lacking.length === 1 && lacking[0] === "loopback";
	return {
		kind: "create",
		spec,
		config,
		why: `the current builder (${describe$1(current)}) ${lacking.map((need) => LACK[need]).join(" and ")}`,
		otherwise: onlyLoopback ? use : void 0
	};
}
function useNamed(question, named) {
	const builder = question.builders.find((candidate) => candidate.name === named);
	if (builder === void 0) {
		const guess = nearest(named, question.builders.map((candidate) => candidate.name));
		throw new UserError({
			input: "builder",
			message: `\`builder\`: there is no builder named \`${named}\`.`,
			mend: guess === void 0 ? "Create it with docker/setup-buildx-action (its `name` output), or remove `builder`." : `Did you mean \`${guess}\`?`
		});
	}
	const can = abilities(builder, question);
	return useDecision(builder, can, question, missing$1(question.needs, can));
}
function abilities(builder, question) {
	const driver = builder?.driver ?? "docker";
	if (driver === "docker") {
		const store = question.containerdStore;
		return {
			multiPlatform: store,
			cacheExport: store,
			ociOutput: store,
			pushByDigest: false,
			loopback: store && question.engineIsLocal
		};
	}
	const onHost = builder?.nodes.every((node) => node.driverOpts["network"] === "host") ?? false;
	return {
		multiPlatform: true,
		cacheExport: true,
		ociOutput: true,
		pushByDigest: true,
		loopback: driver === "docker-container" && onHost && question.engineIsLocal
	};
}
const LACK = {
	multiPlatform: "cannot build for several platforms",
	cacheExport: "cannot export a cache",
	ociOutput: "cannot write OCI archives",
	pushByDigest: "cannot push by digest",
	loopback: "cannot reach a registry on this machine"
};
function missing$1(needs, can) {
	return [
		"multiPlatform",
		"cacheExport",
		"ociOutput",
		"pushByDigest",
		"loopback"
	].filter((need) => needs[need] && !can[need]);
}
function useDecision(builder, can, { needs, hasRegistryCache = false }, lacking) {
	const driver = builder?.driver ?? "docker";
	const told = lacking.filter((need) => need !== "loopback" || !isElsewhere(driver) || !hasRegistryCache);
	return {
		kind: "use",
		name: builder?.name,
		driver,
		loopback: needs.loopback && can.loopback,
		warnings: told.map((need) => lackWarning(need, {
			builder,
			driver,
			hasRegistryCache
		}))
	};
}
function lackWarning(need, options) {
	const { builder, driver, hasRegistryCache } = options;
	const message = `The builder ${describe$1(builder)} ${LACK[need]}`;
	const input = "builder";
	if (need !== "loopback") return {
		input,
		message: `${message}.`,
		mend: "Use a docker-container builder (docker/setup-buildx-action)."
	};
	const cache = hasRegistryCache ? "" : "there is no layer cache in this run, and ";
	const here = "Create it with `driver-opts: network=host`, or let stage-build choose the builder";
	const registry = "ame a registry for the cache: `cache-to: type=registry,ref=…,mode=max`";
	return {
		input,
		message: `${message}: ${cache}sizes come from what is pushed.`,
		mend: isElsewhere(driver) ? `N${registry}.` : hasRegistryCache ? `${here}.` : `${here}; or n${registry}.`
	};
}
function describe$1(builder) {
	return builder === void 0 ? "`default`" : `\`${builder.name}\` (driver ${builder.driver})`;
}
/** The specification is part of the name: a step that needs another builder never reuses this one. */
function ownBuilder(current, job) {
	const node = current?.driver === "docker-container" ? current.nodes[0] : void 0;
	const parts = {
		driverOpts: {
			...node?.driverOpts,
			network: "host"
		},
		flags: node?.flags ?? [],
		endpoint: node?.endpoint
	};
	const config = node?.config;
	const digest = createHash("sha256").update(JSON.stringify([
		job,
		parts,
		config
	])).digest("hex");
	return {
		spec: {
			name: `${OWN_PREFIX}${digest.slice(0, 16)}`,
			...parts
		},
		config
	};
}

// src/build/own-builder.ts
/** Carries a builder decision out: creates the action's own builder, removes it again. Decides nothing. */
/**
* Decides, and makes the decided builder ready.
* @throws UserError as `decideBuilder` and `prepareBuilder` do.
*/
async function chooseBuilder(docker, options) {
	const decision = decideBuilder({
		named: options.named,
		builders: options.builders,
		containerdStore: options.facts.containerdStore,
		engineIsLocal: /^(?:unix:|$)/.test(docker.env["DOCKER_HOST"] ?? ""),
		needs: options.needs,
		hasRegistryCache: options.hasRegistryCache ?? false,
		job: options.job
	});
	if (decision.kind === "create") options.onCreate?.(decision.spec.name);
	const ready = await prepareBuilder(docker, decision, options);
	const node = options.builders.find(({ name }) => name === ready.name)?.nodes[0];
	return {
		...ready,
		platform: node?.platforms[0]
	};
}
/**
* Makes the decided builder ready. When one of our own cannot be started, what it left is removed and the decision's
* second choice is used, with a warning that says why.
* @throws UserError when the build cannot do without it.
*/
async function prepareBuilder(docker, decision, options) {
	if (decision.kind === "use") return {
		...decision,
		created: void 0
	};
	const { spec, otherwise } = decision;
	const failure = await create(docker, decision, options);
	if (failure === void 0) return {
		name: spec.name,
		driver: "docker-container",
		loopback: true,
		warnings: [],
		created: spec.name
	};
	await removeBuilder(docker, spec.name);
	const problem = {
		message: `A builder of stage-build’s own was needed (${decision.why}) but could not be started: ${failure}`,
		mend: "Let the runner pull moby/buildkit (or name a mirror of it in docker/setup-buildx-action’s `driver-opts: image=…`), or use Docker 29 or newer."
	};
	if (otherwise === void 0 || options.signal?.aborted === true) throw new UserError(problem);
	return {
		...otherwise,
		created: void 0,
		warnings: [problem, ...otherwise.warnings]
	};
}
/** Removes a builder and its container; one that is gone already is no error. */
async function removeBuilder(docker, name) {
	await runDocker(docker, removeArgs(name));
}
/** @returns what went wrong, or undefined. */
async function create(docker, decision, options) {
	const folder = await mkdtemp(join(options.tempRoot, "stage-build-builder-"));
	try {
		const configFile = decision.config === void 0 ? void 0 : join(folder, "buildkitd.toml");
		if (configFile !== void 0) await writeFile$1(configFile, decision.config ?? "", { mode: 384 });
		for (const args of [createArgs({
			...decision.spec,
			configFile
		}), bootstrapArgs(decision.spec.name)]) {
			const { code, stderr } = await runDocker(docker, args, { signal: options.signal });
			if (code !== 0) return lastError(stderr);
		}
		return;
	} finally {
		await rm$1(folder, {
			recursive: true,
			force: true
		});
	}
}
function lastError(stderr) {
	const lines = stderr.split("\n").filter((line) => line.trim() !== "");
	return (lines.findLast((line) => line.startsWith("ERROR:")) ?? lines.at(-1) ?? "no reason given").replace(/^ERROR: /, "");
}

// src/state.ts
/** The state that tells the post step from the main step, and hands it what to save and to remove. */
const STATE = {
	isPost: "is-post",
	builder: "builder",
	cache: "cache",
	mounts: "mounts"
};

// src/registry-cache.ts
/**
* Caches that the user names with `cache-to` and `cache-from`: BuildKit keeps them itself. Each target has its own, for an
* export replaces what was there. Pure.
*/
/** Whether one of these lines names a registry. */
function namesRegistryCache(lines) {
	return lines.some((line) => registryRef(line) !== void 0);
}
/** Where BuildKit's cache is in registries, `{target}` as written. */
function registryRefs(lines) {
	return [...new Set(lines.flatMap((line) => registryRef(line) ?? []))];
}
/** What is imported: what the user names, or else what is exported. */
function importsOf({ cacheFrom, cacheTo }) {
	return cacheFrom.length > 0 ? cacheFrom : registryRefs(cacheTo).map((ref) => `type=registry,ref=${ref}`);
}
/** What several targets would export to, one over the other. */
function sharedCaches({ cacheTo }, targets) {
	if (targets.length < 2) return [];
	return registryRefs(cacheTo).filter((ref) => !ref.includes("{target}")).map((ref) => ({
		input: "cache-to",
		message: `\`cache-to\`: ${targets.length} targets would each write their cache to \`${ref}\`, one over the other.`,
		mend: `Put \`{target}\` into it: \`ref=${withTarget$1(ref)}\`.`
	}));
}
/** A tag, or an image name without one, made one for each target. */
function withTarget$1(ref) {
	return /:[^/:]*$/.test(ref) ? `${ref}-{target}` : `${ref}:{target}`;
}
/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/cache.go: a bare reference is one in a registry. */
function registryRef(line) {
	let fields;
	try {
		fields = csvFields(line);
	} catch {
		return;
	}
	if (fields.every((field) => !field.includes("="))) return fields.length === 1 ? fields[0] : void 0;
	const valueOf = (name) => fields.find((field) => field.trim().toLowerCase().startsWith(`${name}=`))?.trim().slice(name.length + 1);
	return valueOf("type") === "registry" ? valueOf("ref") : void 0;
}

// src/engine.ts
/** Docker on this machine, and the builder that a run builds with. */
/**
* Asks docker what there is.
* @param named the input `builder`
* @throws UserError when docker or buildx is missing or too old, or the engine cannot be reached and a build needs it.
*/
async function openEngine(project, env, named) {
	const docker = dockerOf(project, env);
	const listing = listBuilders(docker);
	const needsEngine = listing.then((builders) => {
		const builder = builders.find(({ name, current }) => named === void 0 ? current : name === named);
		return builder === void 0 || !isElsewhere(builder.driver);
	});
	needsEngine.catch(() => void 0);
	const [facts, builders] = await Promise.all([dockerFacts(docker, { needsEngine }), listing]);
	return {
		docker,
		facts,
		builders
	};
}
/** How docker is run: with the environment, but for the action's own inputs and state. */
function dockerOf({ workspace }, env) {
	return {
		env: childEnvironment(env),
		cwd: workspace
	};
}
/**
* Chooses the builder and makes it ready.
* @throws UserError where it cannot do what is needed.
*/
async function readyBuilder(options, tempRoot) {
	const { engine, inputs, planned, surroundings } = options;
	const { runner, env, signal } = surroundings;
	const { docker, facts, builders } = engine;
	const builder = await chooseBuilder(docker, {
		facts,
		builders,
		named: inputs.builder,
		needs: {
			multiPlatform: planned.parts.some(({ platforms }) => platforms.length > 1),
			cacheExport: inputs.cacheTo.some((line) => !/(^|,)type=inline(,|$)/.test(line)),
			ociOutput: outputTypes(inputs.outputs).includes("oci"),
			pushByDigest: inputs.matrixBy === "platform" && inputs.push || pushesByDigest(inputs.outputs),
			loopback: true
		},
		hasRegistryCache: namesRegistryCache([...inputs.cacheTo, ...inputs.cacheFrom]),
		job: [
			"GITHUB_RUN_ID",
			"GITHUB_RUN_ATTEMPT",
			"GITHUB_JOB",
			"RUNNER_NAME"
		].map((name) => env[name] ?? "").join(" "),
		onCreate: (name) => {
			runner.saveState(STATE.builder, name);
		},
		tempRoot,
		signal
	});
	const server = facts.serverVersion === void 0 ? "No Docker engine" : `Docker ${facts.serverVersion}`;
	runner.log(`${server}, buildx ${facts.buildxVersion}, builder ${builder.name ?? "current"} (${builder.driver})`);
	return {
		...builder,
		warnings: [...builder.warnings, ...otherPlatform(builder, planned.parts)]
	};
}
/** The plan is for this machine's platform where none is named. */
function otherPlatform({ loopback, platform }, parts) {
	const [planned] = parts.flatMap(({ part, platforms }) => part.inputs.platforms.length > 0 ? [] : platforms);
	if (loopback || planned === void 0 || platform === void 0 || platform === planned) return [];
	return [{
		input: "platforms",
		message: `The builder builds for ${platform}, and the plan was made for ${planned}, which the runner is: what is built cannot be told unchanged later.`,
		mend: `Set \`platforms: ${platform}\`.`
	}];
}
/** The action's own inputs and state hold secrets that docker and its plugins have no business with. */
function childEnvironment(env) {
	return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(INPUT|STATE)_/.test(name)));
}

// src/input-forms.ts
/** The form of single values: platforms, sizes, limits, hosts, networks, outputs. Wrong ones are told before any engine is asked. */
const OUTPUT_TYPES = [
	"local",
	"tar",
	"oci",
	"docker",
	"image",
	"registry",
	"cacheonly"
];
const NEEDS_DEST = /* @__PURE__ */ new Set([
	"local",
	"tar",
	"oci"
]);
const NETWORKS = [
	"default",
	"none",
	"host"
];
/** Every value that buildx or BuildKit would refuse by its form alone. */
function malformed(inputs) {
	return [
		...inputs.platforms.flatMap((platform) => platformProblem(platform) ?? []),
		...inputs.outputs.flatMap((line) => outputProblem(line) ?? []),
		...inputs.network === void 0 ? [] : networkProblem(inputs.network) ?? [],
		...inputs.shmSize === void 0 ? [] : sizeProblem(inputs.shmSize) ?? [],
		...inputs.ulimit.flatMap((line) => ulimitProblem(line) ?? []),
		...inputs.addHosts.flatMap((line) => hostProblem(line) ?? []),
		...inputs.annotations.flatMap((line) => annotationProblem(line) ?? [])
	];
}
function platformProblem(specifier) {
	try {
		const unknown = unknownPart(parsePlatform$1(specifier, HOST));
		if (unknown === void 0) return void 0;
		const near = nearest(unknown.part, unknown.known);
		return [{
			input: "platforms",
			message: `\`platforms\`: \`${shown$1(specifier)}\` is no platform: there is no \`${shown$1(unknown.part)}\`.`,
			mend: near === void 0 ? "Write `OS/ARCH`, such as `linux/amd64` or `linux/arm64`." : `Did you mean \`${specifier.replace(unknown.part, near)}\`?`
		}];
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		return [{
			input: "platforms",
			message: `\`platforms\`: \`${shown$1(specifier)}\` is not of the form \`OS/ARCH[/VARIANT]\`.`,
			mend: "Write, for example, `linux/amd64` or `linux/arm/v7`."
		}];
	}
}
/** Lines without `type=` are paths; `build/output-lines.ts` reads them in full. */
function outputProblem(line) {
	const type = /(?:^|,)"?type=([^",]*)/.exec(line)?.[1];
	if (type === void 0) return void 0;
	if (!OUTPUT_TYPES.some((known) => known === type)) {
		const near = nearest(type, OUTPUT_TYPES);
		return [{
			input: "outputs",
			message: `\`outputs\`: \`${shown$1(line)}\`: there is no type \`${shown$1(type)}\`.`,
			mend: near === void 0 ? "Use `local`, `tar`, `oci`, `docker`, `image` or `registry`." : `Did you mean \`type=${near}\`?`
		}];
	}
	if (!NEEDS_DEST.has(type) || /(?:^|,)"?dest=[^,]/.test(line)) return void 0;
	return [{
		input: "outputs",
		message: `\`outputs\`: \`${shown$1(line)}\` does not say where to write.`,
		mend: `Add \`dest=PATH\`, such as \`type=${type},dest=out${type === "local" ? "" : ".tar"}\`.`
	}];
}
/** https://github.com/docker/buildx/blob/v0.29.1/build/opt.go (LoadInputs, network modes) */
function networkProblem(network) {
	if (NETWORKS.some((known) => known === network)) return void 0;
	return [{
		input: "network",
		message: `\`network\`: \`${shown$1(network)}\` is not one of \`default\`, \`none\`, \`host\`.`,
		mend: "A network of your own can be given to the builder (docker/setup-buildx-action with `driver-opts: network=…`)."
	}];
}
/** https://github.com/docker/go-units/blob/v0.5.0/size.go (RAMInBytes) */
function sizeProblem(size) {
	if (/^\d+(?:\.\d+)? ?(?:[kmgtp]?i?b?)$/i.test(size)) return void 0;
	return [{
		input: "shm-size",
		message: `\`shm-size\`: \`${shown$1(size)}\` is not a size.`,
		mend: "Write bytes or a number with a unit, such as `128m` or `2g`."
	}];
}
function ulimitProblem(line) {
	if (/^[a-z]+=-?\d+(?::-?\d+)?$/.test(line)) return void 0;
	return [{
		input: "ulimit",
		message: `\`ulimit\`: \`${shown$1(line)}\` is not of the form \`TYPE=SOFT[:HARD]\`.`,
		mend: "Write, for example, `nofile=1024:2048`."
	}];
}
/** The name in a line of `add-hosts`. */
function hostOf$1(line) {
	return line.split(/[:=]/, 1)[0] ?? "";
}
function hostProblem(line) {
	if (/^[^:=\s]+[:=]\S+$/.test(line)) return void 0;
	return [{
		input: "add-hosts",
		message: `\`add-hosts\`: \`${shown$1(line)}\` is not of the form \`HOST:IP\`.`,
		mend: "Write, for example, `api.local:10.0.0.2`."
	}];
}
/** https://github.com/docker/buildx/blob/v0.29.1/util/buildflags/export.go (ParseAnnotations) */
function annotationProblem(line) {
	if (/^[^=]*[^=:]=/.test(line)) return void 0;
	return [{
		input: "annotations",
		message: `\`annotations\`: \`${shown$1(line)}\` is not of the form \`[TYPE:]NAME=VALUE\`.`,
		mend: "Write, for example, `org.opencontainers.image.title=app` or `index:org.opencontainers.image.title=app`."
	}];
}

// src/bake-missing.ts
/** What is named in `bake-files`, or in them, and is not there: what was meant instead. */
/** Bake files that are not there, or not in the workspace, and where bake is to be run. At once: buildx waits for it. */
function missingBakeFiles({ bakeFiles, context }, workspace) {
	const place = resolve$1(workspace, context);
	const missing = bakeFiles.flatMap((file) => missingBakeFile(file, workspace));
	if (kindOf$2(place) === "directory" && isWithin(workspace, place)) return missing;
	return [...missing, {
		input: "context",
		message: `\`context\`: \`${shown$1(context)}\` is no directory of the checkout.`,
		mend: "Give the directory where the relative paths of the bake files begin, from the root of the checkout, or leave it out."
	}];
}
function missingBakeFile(file, workspace) {
	const path = resolve$1(workspace, file);
	const found = kindOf$2(path);
	const outside = isAbsolute(file) || !isWithin(workspace, path);
	if (found === "file" && !outside) return [];
	const siblings = namesIn$1(dirname(path)).filter((name) => /\.(?:hcl|json|ya?ml)$/.test(name));
	const near = nearest(basename(file), siblings);
	const what = outside ? "is not in the workspace" : found === "directory" ? "is a directory" : "is not there";
	return [{
		input: "bake-files",
		message: `\`bake-files\`: \`${shown$1(file)}\` ${what}.`,
		mend: ofMetadata(file) ?? (found === void 0 && !outside && near !== void 0 ? `Did you mean \`${shown$1(join(dirname(file), near))}\`?` : "Give bake or compose files by their paths from the root of the checkout, and add `actions/checkout` before this step.")
	}];
}
/** What stands in the place of a file that docker/metadata-action writes for bake. */
function ofMetadata(file) {
	return /docker-metadata-action-bake[\w-]*\.json$/.test(file) ? "Leave it out, and give the outputs of docker/metadata-action to `tags`, `labels` and `annotations`." : void 0;
}
function kindOf$2(path) {
	try {
		return statSync$1(path).isDirectory() ? "directory" : "file";
	} catch {
		return;
	}
}
function namesIn$1(directory) {
	try {
		return readdirSync$1(directory);
	} catch {
		return [];
	}
}
/** A context that is no directory, as its target's problem. */
function missingContext(paths) {
	const { context, workspace } = paths;
	const folder = foldersOf(paths).find((one) => {
		const meant = resolve$1(one, context);
		return kindOf$2(meant) === "directory" && isWithin(workspace, meant);
	});
	return {
		message: `the context \`${shown$1(context)}\` is no directory of the checkout.`,
		mend: folder === void 0 ? FROM_PLACE : runThere(folder, resolve$1(folder, context), workspace)
	};
}
const FROM_PLACE = "Give `context` from where bake is run: the root of the checkout, or what the input `context` says.";
/** A Dockerfile that cannot be read, as its target's problem. */
function missingDockerfile$1(paths) {
	const { context, dockerfile, path, contextDir, workspace } = paths;
	const name = code(workspace, path);
	const kind = kindOf$2(path);
	if (kind !== void 0) return {
		message: `its Dockerfile ${name} ${kind === "directory" ? "is a directory" : "cannot be read"}.`,
		mend: "Give a readable file as `dockerfile`, relative to `context`."
	};
	const folder = foldersOf(paths).find((one) => {
		const meant = resolve$1(one, context);
		return kindOf$2(resolve$1(meant, dockerfile)) === "file" && isWithin(workspace, meant);
	});
	const elsewhere = isWithin(workspace, contextDir) ? whatDockerfile(path, contextDir) : FROM_PLACE;
	return {
		message: `there is no Dockerfile ${name}.`,
		mend: folder === void 0 ? elsewhere : runThere(folder, resolve$1(folder, context, dockerfile), workspace)
	};
}
/** The folders of the bake files, from which `docker compose` counts; none where it is said where bake is run. */
function foldersOf({ inputs, workspace }) {
	if (resolve$1(workspace, inputs.context) !== workspace) return [];
	return inputs.bakeFiles.map((file) => dirname(resolve$1(workspace, file))).filter((folder) => folder !== workspace);
}
/** @param found what is there as seen from the bake file's folder */
function runThere(folder, found, workspace) {
	return `There is ${code(workspace, found)}: bake counts paths from where it is run, and not from its file as \`docker compose\` does. Set the input \`context: ${shown$1(relative(workspace, folder))}\`, and it is run there.`;
}
function isWithin(workspace, path) {
	return !/^\.\.(?:\/|$)/.test(relative(workspace, path));
}
/** A path as it is written from a folder. */
function code(folder, path) {
	return `\`${shown$1(relative(folder, path) || ".")}\``;
}
/** What a Dockerfile may be meant by, in words that fit bake and compose files. */
function whatDockerfile(path, contextDir) {
	const folder = dirname(path);
	const siblings = namesIn$1(folder).filter((name) => kindOf$2(join(folder, name)) === "file").filter((name) => /dockerfile/i.test(name)).sort();
	const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : void 0);
	return near === void 0 ? "Give `dockerfile` relative to `context`." : `Did you mean ${code(contextDir, join(folder, near))}? \`dockerfile\` is relative to \`context\`.`;
}

// src/bake-inputs.ts
/**
* A leg of a matrix gives `platforms` as the plan told them. Where the files say the same of what is asked for, those that it
* is built from keep their own: the plan has read them so, too.
*/
function withoutSaidPlatforms(inputs, { targets, asked }) {
	const text = (platforms) => [...platforms].sort().join();
	return targets.filter(({ name }) => asked.includes(name)).every(({ platforms }) => text(platforms) === text(inputs.platforms)) ? {
		...inputs,
		platforms: []
	} : inputs;
}
/** What the files say of a target, with the step's inputs over it. */
function laidOver(inputs, target, file) {
	const own = (given, written) => given.length > 0 ? given : written;
	const ids = new Set(inputs.secrets.map(({ id }) => id));
	const hosts = new Set(inputs.addHosts.map(hostOf$1));
	const said = /* @__PURE__ */ new Set([
		...inputs.attests.map(typeOf),
		...inputs.provenance === void 0 ? [] : ["provenance"],
		...inputs.sbom === void 0 ? [] : ["sbom"]
	]);
	return {
		...inputs,
		context: target.context,
		file,
		pull: inputs.pull || target.pull,
		noCache: inputs.noCache || target.noCache,
		buildContexts: target.contexts.map(({ key, value }) => ({
			key,
			value: localPath(value)
		})),
		buildArgs: {
			...target.args,
			...inputs.buildArgs
		},
		platforms: own(inputs.platforms, target.platforms),
		labels: [...target.labels, ...inputs.labels],
		annotations: [...target.annotations, ...inputs.annotations],
		secrets: [...target.secrets.filter(({ id }) => !ids.has(id)), ...inputs.secrets],
		ssh: [.../* @__PURE__ */ new Set([...target.ssh, ...inputs.ssh])],
		outputs: own(inputs.outputs, outputsOf(target, inputs)),
		cacheFrom: own(inputs.cacheFrom, target.cacheFrom),
		cacheTo: own(inputs.cacheTo, target.cacheTo),
		attests: [...target.attests.filter((line) => !said.has(typeOf(line))), ...inputs.attests],
		noCacheFilters: own(inputs.noCacheFilters, target.noCacheFilters),
		network: inputs.network ?? target.network,
		addHosts: [...target.addHosts.filter((line) => !hosts.has(hostOf$1(line))), ...inputs.addHosts],
		shmSize: inputs.shmSize ?? target.shmSize,
		ulimit: own(inputs.ulimit, target.ulimits),
		allow: [.../* @__PURE__ */ new Set([...target.entitlements, ...inputs.allow])]
	};
}
function typeOf(attest) {
	return /(?:^|,)"?type=([^,"]*)/.exec(attest)?.[1] ?? "";
}
/** Without those that say only what `push` and `load` say, too: they would keep an unchanged target from being skipped. */
function outputsOf({ outputs }, { push, load }) {
	const isTold = (line) => line === "type=cacheonly" || push && /^type=(?:registry|image)(?:,push=true)?$/.test(line) || load && line === "type=docker";
	return outputs.filter((line) => !isTold(line));
}
/** As it counts from the workspace. */
function localPath(path) {
	return path.replace(/^cwd:\/\//, "");
}

// src/images/platform.ts
/**
* Reads `os/architecture[/variant]` and normalises it: `linux/aarch64` → arm64, `linux/arm` → arm v7.
* @throws Error for anything that has not two or three parts of letters, digits, `_`, `.`, `-`.
*/
function parsePlatform(text) {
	const match = /^([A-Za-z0-9_-]+)(?:\([^)/]*\))?\/([A-Za-z0-9_.-]+)(?:\/([A-Za-z0-9_.-]+))?$/.exec(text);
	if (match === null) throw new Error(`${JSON.stringify(text)} is not a platform like linux/amd64`);
	const [, os = "", architecture = "", variant] = match;
	return normalizePlatform({
		os,
		architecture,
		variant
	});
}
/** `linux/arm/v7`; without the variant where there is none. */
function formatPlatform({ os, architecture, variant }) {
	return [
		os,
		architecture,
		...variant === void 0 ? [] : [variant]
	].join("/");
}
/** The one spelling of a platform; variants that say nothing (amd64 v1, arm64 v8) are dropped. */
function normalizePlatform(platform) {
	const os = platform.os.toLowerCase();
	const variant = platform.variant?.toLowerCase() ?? "";
	const architecture = platform.architecture.toLowerCase();
	const done = (name, value) => ({
		os: os === "macos" ? "darwin" : os,
		architecture: name,
		...value === "" ? {} : { variant: value }
	});
	switch (architecture) {
		case "i386": return done("386", "");
		case "x86_64":
		case "x86-64":
		case "amd64": return done("amd64", variant === "v1" ? "" : variant);
		case "aarch64":
		case "arm64": return done("arm64", variant === "8" || variant === "v8" ? "" : variant);
		case "armhf": return done("arm", "v7");
		case "armel": return done("arm", "v6");
		case "arm": return done("arm", variant === "" ? "v7" : /^[5-8]$/.test(variant) ? `v${variant}` : variant);
		default: return done(architecture, variant);
	}
}
/** The platform of a machine that runs programs for this one without emulation, as hosted runners have it. */
function nativeMachine(platform) {
	const { os, architecture } = parsePlatform(platform);
	return `${os}/${{
		386: "amd64",
		arm: "arm64"
	}[architecture] ?? architecture}`;
}
/**
* How well a platform serves a wanted one: 0 is exact, higher is worse, undefined does not serve at all.
*/
function platformRank(wanted, offered) {
	const text = formatPlatform(normalizePlatform(offered));
	const rank = platformVector(normalizePlatform(wanted)).findIndex((served) => formatPlatform(normalizePlatform(served)) === text);
	return rank === -1 ? void 0 : rank;
}
/** Every platform that serves the wanted one, the best first. */
function platformVector(wanted) {
	const { os, architecture, variant = "" } = wanted;
	const version = Number.parseInt(variant.replace(/^v/, ""), 10);
	switch (architecture) {
		case "amd64": return [
			wanted,
			...older({
				os,
				architecture
			}, {
				from: version,
				to: 1
			}),
			{
				os,
				architecture: "386"
			}
		];
		case "arm": return [wanted, ...older({
			os,
			architecture
		}, {
			from: version,
			to: 5
		})];
		case "arm64": return [
			wanted,
			...arm64Variants(wanted),
			...platformVector({
				os,
				architecture: "arm",
				variant: "v8"
			})
		];
		default: return [wanted];
	}
}
function older(platform, { from, to }) {
	const versions = [];
	for (let version = from - 1; version >= to; version--) versions.push({
		...platform,
		variant: `v${version}`
	});
	return versions;
}
/** arm64 v9.x also runs v9.0 … v9.x-1 and v8.0 … v8.x+5; v8.x runs the v8 before it. */
function arm64Variants(wanted) {
	const match = /^v([89])(?:\.([0-9]))?$/.exec(wanted.variant ?? "v8");
	if (match === null) return [];
	const minor = Number(match[2] ?? 0);
	const named = (major, below) => Array.from({ length: below }, (_, index) => {
		const at = below - 1 - index;
		return {
			...wanted,
			variant: at === 0 ? `v${major}` : `v${major}.${at}`
		};
	});
	return match[1] === "9" ? [...named(9, minor), ...named(8, minor + 6)] : named(8, minor);
}

// src/link-platforms.ts
/**
* For which platforms the targets of bake files are built where others are built from them (`target:` contexts). Pure.
* Source: https://github.com/docker/buildx/blob/v0.29.1/build/build.go (waitContextDeps): the result of a target of one platform
* stands for every platform; of one of several, each platform's stands for its own.
*/
/**
* The platform of a linked target that serves one which is built for `platform`; undefined where none does. One that names no
* platform is built for that of the leg.
*/
function linkedPlatform(written, platform) {
	if (written.length < 2) return written[0] ?? platform;
	return written.find((one) => isSamePlatform(one, platform));
}
function isSamePlatform(a, b) {
	return a === b || normal(a) === normal(b);
}
function normal(platform) {
	try {
		return formatPlatform(parsePlatform(platform));
	} catch {
		return platform;
	}
}
/** As records of legs tell them. */
const FULL_PLATFORM = /^[\w-]{1,32}\/[\w.-]{1,32}(?:\/[\w.-]{1,32})?$/;
/**
* What each target is built for, by all legs that the plan has, or by this one: what is asked for by `platforms` or else by
* what the files say, and what that is built from by what its leg is for. Plan and legs reckon by the same rule.
* @param host for a target that nothing names a platform of
*/
function splitTargets(targets, { asked, inputs, host }) {
	const known = new Map(targets.map((target) => [target.name, target]));
	const wanted = targets.filter(({ name }) => asked.includes(name));
	const said = (target) => inputs.platforms.length > 0 ? inputs.platforms : target.platforms.length > 0 ? target.platforms : [host];
	const cells = /* @__PURE__ */ new Map();
	const problems = [];
	const add = (target, cell) => {
		const own = cells.get(target.name) ?? [];
		if (own.some(({ platform, leg }) => platform === cell.platform && leg === cell.leg)) return;
		cells.set(target.name, [...own, cell]);
		for (const name of linksOf$1(target)) {
			const linked = known.get(name);
			if (linked === void 0) continue;
			const platform = linkedPlatform(linked.platforms, cell.platform) ?? linked.platforms[0] ?? cell.platform;
			add(linked, {
				platform,
				leg: cell.leg
			});
			if (inputs.mode === "build" && asked.includes(name) && !isSamePlatform(platform, cell.leg)) problems.push(apart(name, target.name, {
				platform,
				leg: cell.leg
			}));
		}
	};
	for (const target of wanted) for (const platform of said(target)) add(target, {
		platform,
		leg: platform
	});
	if (inputs.platforms.length === 0 && wanted.every(({ platforms }) => platforms.length === 0) && wanted[0] !== void 0) problems.push({
		...NO_PLATFORMS$1,
		target: wanted[0].name
	});
	if (inputs.platforms.length === 0) problems.push(...wanted.flatMap(platformProblems));
	return {
		targets: targets.map((target) => {
			const own = cells.get(target.name) ?? [];
			const platforms = asked.includes(target.name) ? said(target) : [...new Set(own.map(({ platform }) => platform))];
			return {
				...target,
				platforms,
				written: target.platforms,
				cells: own
			};
		}),
		problems
	};
}
function linksOf$1({ contexts }) {
	return contexts.flatMap(({ value }) => value.startsWith("target:") ? [value.slice(7)] : []);
}
const NO_PLATFORMS$1 = {
	input: "platforms",
	message: "`matrix-by: platform` makes a leg for each platform of a target, and neither `platforms` nor a target names any.",
	mend: "Name them in the bake files, such as `platforms = [\"linux/amd64\", \"linux/arm64\"]`, or with `platforms` for all targets."
};
/** Those that a leg could not be told. */
function platformProblems({ name, platforms }) {
	return platforms.flatMap((platform) => FULL_PLATFORM.test(platform) ? [] : [targetProblem(name, `: the platform \`${shown$1(platform)}\` is not written in full, as \`matrix-by: platform\` needs it.`, "Write `OS/ARCH` or `OS/ARCH/VARIANT`, such as `linux/arm64`.")]);
}
function apart(name, user, { platform, leg }) {
	return {
		input: "targets",
		target: name,
		message: `\`targets\`: this leg builds \`${name}\` for ${leg}, and \`${user}\`, which is built in it, too, needs it for ${platform}.`,
		mend: `Build \`${name}\` in a leg of its own, as the plan’s matrix has it.`
	};
}

// src/split-rules.ts
/** Rules for platforms that are built by a leg each (`matrix-by: platform`), and for the job that puts them together. */
/** What stands against the inputs. */
function splitProblems(inputs, eventName) {
	if (inputs.mode === "merge") return mergeProblems(inputs, eventName);
	if (inputs.matrixBy !== "platform" || inputs.mode !== "plan" && inputs.mode !== "build") return [];
	return [...inputs.mode === "plan" ? planProblems(inputs) : legProblems(inputs), ...inputs.platforms.filter((platform) => !FULL_PLATFORM.test(platform)).map(unfinished)];
}
function unfinished(platform) {
	return {
		input: "platforms",
		message: `\`platforms\`: \`${shown$1(platform)}\` is not written in full, as \`matrix-by: platform\` needs it.`,
		mend: "Write `OS/ARCH` or `OS/ARCH/VARIANT`, such as `linux/arm64`."
	};
}
function planProblems({ platforms, bakeFiles }) {
	return platforms.length > 0 || bakeFiles.length > 0 ? [] : [NO_PLATFORMS];
}
const NO_PLATFORMS = {
	input: "platforms",
	message: "`matrix-by: platform` makes a leg for each of `platforms`, and it is empty.",
	mend: "Name them, such as `linux/amd64, linux/arm64`."
};
function mergeProblems({ plan }, eventName) {
	const problems = [];
	if (eventName === "workflow_run") problems.push({
		input: "mode",
		message: "`mode: merge` makes images of what legs of the same run pushed, and this run is about another one.",
		mend: "Put it into the workflow that builds; `mode: report` reports on another run."
	});
	else if (plan === void 0) problems.push({
		input: "plan",
		message: "`mode: merge` needs `plan`, and it is empty.",
		mend: "Give the `plan` output of the job that planned, through that job’s `outputs`; GitHub drops an output that holds a masked value, such as a secret in a tag."
	});
	return problems;
}
function legProblems({ platforms, push, tags, outputs }) {
	const problems = [];
	if (platforms.length !== 1) {
		const given = platforms.length === 0 ? "is empty" : `names ${platforms.length}: \`${shown$1(platforms.join(", "))}\``;
		problems.push({
			input: "platforms",
			message: `\`platforms\`: a leg of \`matrix-by: platform\` builds one platform, and this ${given}.`,
			mend: "Write `${{ matrix.platform }}`; to build all platforms in one job, leave `matrix-by` out."
		});
	}
	const named = push ? tags.map(({ ref }) => ({
		input: "tags",
		ref
	})) : [];
	const written = outputs.flatMap((line) => namesIn(line, push).map((ref) => ({
		input: "outputs",
		ref
	})));
	for (const { input, ref } of [...named, ...written]) {
		const repository = withoutTag(ref);
		if (repository === void 0) continue;
		problems.push({
			input,
			message: `\`${input}\`: \`${shown$1(ref)}\` would be pushed with a tag, but a leg of \`matrix-by: platform\` has one platform of the image only, and legs would overwrite each other.`,
			mend: `Write \`${shown$1(repository)}\` here, and give the tags to the job with \`mode: merge\`.`
		});
	}
	return problems;
}
/** What cannot be read is told elsewhere. */
function namesIn(line, push) {
	try {
		return namesPushed(line, push);
	} catch (error) {
		if (error instanceof UserError) return [];
		throw error;
	}
}
/** The name without its tag or digest; undefined where it has none, or is no reference, which is told elsewhere. */
function withoutTag(ref) {
	try {
		const { tag, digest } = parseReference(ref.replaceAll("{target}", "x"));
		if (tag === void 0 && digest === void 0) return void 0;
		return nameAlone(ref);
	} catch {
		return;
	}
}

// src/input-rules.ts
/** What only a build uses; with `mode: plan` these do nothing. */
const BUILD_ONLY = [
	"secrets",
	"secret-envs",
	"secret-files",
	"ssh",
	"allow",
	"builder",
	"cache-from",
	"cache-to"
];
/** What there is no Dockerfile for with `mode: cleanup`. */
const OF_TARGETS = [
	"target",
	"targets",
	"tags",
	"external-images",
	"build-contexts",
	"build-args",
	"platforms",
	"outputs",
	"plan",
	"size-budgets",
	"baseline"
];
/** Adds the problems between inputs to `problems`; returns the warnings. */
function checkCombinations(inputs, raw, { problems, eventName }) {
	problems.push(...malformed(inputs), ...splitProblems(inputs, eventName));
	if (inputs.mode === "report" && inputs.plan === void 0 && eventName !== "workflow_run") problems.push({
		input: "plan",
		message: "`mode: report` needs `plan`, and it is empty.",
		mend: "Give the `plan` output of the job that planned, through that job’s `outputs`; GitHub drops an output that holds a masked value, such as a secret in a tag."
	});
	if (/^(https?|git|ssh):\/\/|^git@|^\{\{/.test(inputs.context)) problems.push({
		input: "context",
		message: `\`context\`: \`${shown$1(inputs.context)}\` is a Git or HTTP address; stage-build builds what is checked out.`,
		mend: "Add `actions/checkout` before this step and set `context` to a directory (`.`)."
	});
	const several = inputs.targets === "all" || inputs.targets !== void 0 && inputs.targets.length > 1;
	if (several) for (const { ref } of inputs.tags.filter((tag) => tag.target === void 0 && !tag.ref.includes("{target}"))) problems.push({
		input: "tags",
		message: `\`tags\`: \`${shown$1(ref)}\` names no target, and there are several.`,
		mend: `Write \`TARGET=${shown$1(ref)}\`, or put \`{target}\` into it.`
	});
	problems.push(...sharedOutputs(inputs, several), ...besideBakeFiles(inputs, raw));
	const warnings = [];
	if (inputs.cacheBackend === "github" && raw("cache-dir") !== "") warnings.push({
		input: "cache-dir",
		message: "`cache-dir` has no effect with `cache-backend: github`."
	});
	if (inputs.mode === "plan" || inputs.mode === "cleanup") {
		const ignored = [...BUILD_ONLY, ...inputs.mode === "plan" ? [] : OF_TARGETS].filter((name) => raw(name) !== "").map((name) => `\`${name}\``);
		if (ignored.length > 0) warnings.push({ message: `\`mode: ${inputs.mode}\` builds nothing and ignores ${ignored.join(", ")}.` });
	}
	return warnings;
}
/** Outputs that several targets would write one over the other. */
function sharedOutputs({ outputs }, several) {
	return outputs.filter((line) => several && writesSomewhere(line) && !line.includes("{target}")).map((output) => ({
		input: "outputs",
		message: `\`outputs\`: \`${shown$1(output)}\` would be written by every target, one over the other.`,
		mend: "Put `{target}` into its `dest` or `name`."
	}));
}
/** What bake files say of each target stands beside them in no input. */
function besideBakeFiles(inputs, raw) {
	if (inputs.bakeFiles.length === 0) return [];
	const given = ["file", "build-contexts"].filter((name) => raw(name) !== "");
	const mends = {
		file: "dockerfile",
		"build-contexts": "contexts"
	};
	return given.map((name) => ({
		input: name,
		message: `\`${name}\` (\`${shown$1(raw(name))}\`) is given beside \`bake-files\`.`,
		mend: `Remove it, and say \`${mends[name]}\` in the bake file, of the target that it is for.`
	}));
}
/** A bare path, or an output with a `dest` or a `name`: two targets writing it would overwrite each other. */
function writesSomewhere(output) {
	return output !== "-" && (!output.includes("=") || /(^|,)"?(dest|name)=/.test(output));
}

// src/plan/target-tags.ts
/** Which tags each target gets, from lines `TARGET=REF` and bare references. */
/** Assigns tags by target name; a tag for a target that is not built, or one tag for two targets, is a problem. */
function assignTags(targets, lines) {
	const problems = [];
	const names = targets.map((target) => target.name);
	const tagsOf = new Map(names.map((name) => [name, []]));
	const owners = /* @__PURE__ */ new Map();
	for (const { target, ref } of lines) {
		const wanted = target === void 0 ? names : names.filter((name) => name.toLowerCase() === target.toLowerCase());
		if (wanted.length === 0 && target !== void 0) {
			const near = nearest(target, names);
			problems.push({
				input: "tags",
				message: `\`tags\`: \`${target}=${ref}\` is for a target that is not built.`,
				mend: near === void 0 ? `The targets are ${names.map((name) => `\`${name}\``).join(", ")}.` : `Did you mean \`${near}\`?`
			});
		}
		for (const name of wanted) {
			const tag = ref.replaceAll("{target}", name.toLowerCase());
			const owner = owners.get(tag);
			if (owner !== void 0 && owner !== name) {
				problems.push({
					input: "tags",
					mend: "Give each target a tag of its own: `TARGET=REF`, or `{target}` in the reference.",
					message: `\`tags\`: \`${tag}\` is given to both \`${owner}\` and \`${name}\`.`
				});
				continue;
			}
			owners.set(tag, name);
			const tags = tagsOf.get(name);
			if (tags !== void 0 && !tags.includes(tag)) tags.push(tag);
		}
	}
	return {
		tagsOf,
		problems
	};
}
/**
* With `push` every target needs somewhere to go.
* @param place what is given: where a leg pushes one platform, a name without a tag
*/
function untagged(tagsOf, place = "tag") {
	const end = place === "tag" ? ":1" : "";
	return [...tagsOf].filter(([, tags]) => tags.length === 0).map(([name]) => ({
		input: "push",
		message: `\`push\`: the target \`${name}\` has no ${place}, so there is nowhere to push it.`,
		mend: tagsOf.size === 1 ? `Give it one with \`tags\`, such as \`ghcr.io/org/app${end}\`.` : `Give it one with \`tags\`, such as \`${name}=ghcr.io/org/app${end}\` or \`ghcr.io/org/{target}${end}\` for all, or set \`push: false\`.`
	}));
}

// src/planned-tags.ts
/**
* What `tags` says; a target that it does not name has those of the bake files (`bakeTagProblems` tells what is wrong with
* these), and its leg pushes to their repositories.
* @param wanted of bake files
*/
function tagsOf(targets, inputs, wanted) {
	const given = assignTags(targets, inputs.tags);
	if (wanted.length === 0) return given;
	const left = wanted.filter(({ name }) => given.tagsOf.get(name)?.length === 0);
	const written = new Map(left.map(({ name, tags: own }) => [name, own]));
	const both = targets.map(({ name }) => {
		const own = [...new Set(written.get(name))];
		const pushed = isLeg(inputs) && inputs.push ? new Set(own.map((ref) => withoutTag(ref) ?? ref)) : own;
		return [name, [...given.tagsOf.get(name) ?? [], ...pushed]];
	});
	return {
		tagsOf: new Map(both),
		problems: given.problems
	};
}
function isLeg({ matrixBy, mode }) {
	return matrixBy === "platform" && mode === "build";
}
/**
* With `push` every target needs somewhere to go, unless its outputs say where. Of what a leg pushes elsewhere than to its tags'
* repositories no image is made.
*/
function homeless(parts, { tagsOf: all }, inputs) {
	if (!inputs.push || inputs.mode !== "build") return [];
	if (isLeg(inputs)) return untagged(all, "repository");
	const named = parts.filter(({ part }) => part.inputs.outputs.some((line) => /(^|,)"?name=/.test(line)));
	const sent = new Set(named.flatMap(({ targets }) => targets.map(({ name }) => name)));
	return untagged(new Map([...all].filter(([name]) => !sent.has(name))));
}

// src/git.ts
/** The git adapter: the little that the action asks of the checkout. A checkout without git is no error. */
/** The commit checked out in `directory`, or undefined where that is no git checkout. */
async function readHead(directory) {
	const args = [
		"-c",
		"safe.directory=*",
		"-C",
		directory,
		"rev-list",
		"--no-walk",
		"--format=raw",
		"HEAD",
		"--"
	];
	try {
		const { code, stdout } = await runProcess("git", args);
		const header = stdout.split("\n\n", 1)[0] ?? "";
		const commit = /^commit ([0-9a-f]{40,64})$/m.exec(header)?.[1];
		if (code !== 0 || commit === void 0) return void 0;
		return {
			commit,
			parents: [...header.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map((match) => match[1] ?? "")
		};
	} catch (error) {
		if (error instanceof ProgramMissingError) return void 0;
		throw error;
	}
}

// src/github-event.ts
/** The event that started the workflow, as far as the action asks. https://docs.github.com/en/webhooks/webhook-events-and-payloads */
/** Reads the event; an unreadable one says nothing. */
async function readEvent(env) {
	const event = await parsed(env["GITHUB_EVENT_PATH"]);
	const pull = field(event, "pull_request");
	const repositoryOf = (side) => field(pull, side, "repo", "full_name");
	return {
		payload: event,
		defaultBranch: text$3(field(event, "repository", "default_branch")),
		headSha: text$3(field(pull, "head", "sha")),
		isFork: pull !== void 0 && repositoryOf("head") !== repositoryOf("base")
	};
}
async function parsed(path) {
	if (path === void 0 || path === "") return void 0;
	try {
		return JSON.parse(await readFile(path, "utf8"));
	} catch {
		return;
	}
}

// src/project.ts
/** What is to be built, on disk: the workspace, the build context and the Dockerfile, found and checked. */
/** What a named context of a Dockerfile stands for; '' where there is none of that name. */
function contextValue({ inputs }, context) {
	return inputs.buildContexts.find(({ key }) => key === context)?.value ?? "";
}
/**
* Finds the build context and the Dockerfile.
* @throws UserError when either is missing, or when a pull request's head must not be built here.
*/
async function openProject(inputs, env) {
	const workspace = resolve$1(env["GITHUB_WORKSPACE"] ?? ".");
	const contextDir = resolve$1(workspace, inputs.context);
	const problems = [];
	const checkedOut = (await names(workspace)).some((name) => name !== ".git");
	if (!await isDirectory$1(contextDir)) problems.push({
		input: "context",
		message: `\`context\`: the directory \`${shown$1(inputs.context)}\` does not exist in ${workspace}.`,
		mend: checkedOut ? "Give a directory of the checkout, relative to its root." : "Add `actions/checkout` before this step."
	});
	const dockerfilePath = await findDockerfile$1(inputs, workspace, contextDir);
	const dockerfileName = relative(workspace, dockerfilePath);
	let dockerfileText = "";
	if (problems.length === 0) try {
		dockerfileText = await readFile(dockerfilePath, "utf8");
	} catch (error) {
		problems.push(await missingDockerfile({
			inputs,
			path: dockerfilePath,
			name: dockerfileName,
			checkedOut,
			error
		}));
	}
	if (checkedOut) problems.push(...await missingPaths(inputs, workspace));
	const refused = await refusedHead(contextDir, env);
	if (refused !== void 0) problems.push(refused);
	throwIfAny(problems);
	const context = relative(workspace, contextDir);
	const beside = context === "" || context === dirname(dockerfileName);
	return {
		workspace,
		dockerfileName,
		inputs,
		parts: [{
			inputs,
			contextDir,
			dockerfilePath,
			dockerfileText,
			dockerfileName,
			wanted: void 0,
			links: NO_LINKS
		}],
		id: inputs.id ?? (beside ? dockerfileName : `${dockerfileName}@${context}`)
	};
}
const NO_LINKS = /* @__PURE__ */ new Map();
/** `file`, or the context's `Dockerfile`, or `dockerfile` where only that is there (as BuildKit does). */
async function findDockerfile$1(inputs, workspace, contextDir) {
	if (inputs.file !== void 0) return resolve$1(workspace, inputs.file);
	const found = await names(contextDir);
	return join(contextDir, !found.includes("Dockerfile") && found.includes("dockerfile") ? "dockerfile" : "Dockerfile");
}
async function missingDockerfile(options) {
	const { inputs, path, name, checkedOut } = options;
	const input = inputs.file === void 0 ? "context" : "file";
	if (!checkedOut) return {
		input,
		message: `There is no \`${shown$1(name)}\`: nothing is checked out.`,
		mend: "Add `actions/checkout` before this step."
	};
	const code = errorCode(options.error);
	if (code !== "ENOENT" && code !== "ENOTDIR") return {
		input,
		message: code === "EISDIR" ? `\`${shown$1(name)}\` is a directory, not a Dockerfile.` : `\`${shown$1(name)}\` cannot be read (${code ?? "unknown error"}).`,
		mend: "Name a readable Dockerfile with `file`, relative to the root of the checkout."
	};
	const siblings = (await names(dirname(path))).filter((sibling) => /dockerfile/i.test(sibling));
	const near = nearest(basename(path), siblings) ?? (siblings.length === 1 ? siblings[0] : void 0);
	const others = siblings.slice(0, 5).map((sibling) => `\`${shown$1(sibling)}\``);
	return {
		input,
		message: `There is no \`${shown$1(name)}\`.`,
		mend: near !== void 0 ? `Did you mean \`file: ${shown$1(join(dirname(name), near))}\`?` : others.length > 0 ? `Beside it are ${others.join(", ")}: name one with \`file\`.` : "Name the Dockerfile with `file`, relative to the root of the checkout."
	};
}
/**
* Under `pull_request_target` the job holds the base repository's secrets, and building a Dockerfile runs its code:
* a pull request's head is not built there.
* https://docs.github.com/en/actions/reference/security/securely-using-pull_request_target
*/
async function refusedHead(contextDir, env) {
	if (env["GITHUB_EVENT_NAME"] !== "pull_request_target") return void 0;
	const head = await readHead(contextDir);
	const { headSha: pullHead } = await readEvent(env);
	if (head !== void 0 && head.commit === env["GITHUB_SHA"] || head !== void 0 && pullHead !== void 0 && !isOf$2(head, pullHead)) return void 0;
	return {
		message: "This job runs on `pull_request_target` and has a pull request’s head checked out: building it would run foreign code beside this repository’s secrets.",
		mend: "Build on `pull_request` instead; where a fork’s run needs a comment, let a `workflow_run` workflow write it."
	};
}
function isOf$2(head, pullHead) {
	return head.commit === pullHead || head.parents.includes(pullHead);
}
async function names(directory) {
	try {
		return (await readdir$1(directory)).sort();
	} catch {
		return [];
	}
}

// src/bake-project.ts
/**
* What bake and compose files describe, as Dockerfiles with their targets: buildx resolves the files, and what the step's
* inputs say is laid over it.
*/
/**
* Reads the bake files and finds what they name.
* @param host the platform of targets that name none, or `local`
* @throws UserError with all that is wrong
*/
async function openBakeProject(inputs, env, host) {
	const workspace = resolve$1(env["GITHUB_WORKSPACE"] ?? ".");
	const { bakeFiles: files } = inputs;
	const missing = missingBakeFiles(inputs, workspace);
	const refused = await refusedHead(workspace, env);
	throwIfAny(distinct([...missing, ...refused === void 0 ? [] : [refused]]));
	const forPlan = inputs.mode === "plan";
	const needsNames = !forPlan || inputs.sizeBudgets.length > 0;
	const place = resolve$1(workspace, inputs.context);
	const pathOf = (file) => relative(place, resolve$1(workspace, file));
	const question = {
		files,
		pathOf,
		targets: inputs.targets,
		forPlan,
		needsNames
	};
	const { definition, names, inGroups, warnings } = await printBakeFiles(dockerOf({ workspace: place }, env), question);
	const { refused: unkept, ...read } = readBakeTargets(definition, {
		env,
		host,
		base: relative(workspace, place)
	});
	const { targets, asked, notes } = await targetsAsked(read, {
		inputs,
		workspace,
		grouped: inGroups
	});
	if (asked.length === 0) throw new UserError(nothingToBuild(question));
	const isSplit = inputs.matrixBy === "platform";
	const split = isSplit ? splitTargets(targets, {
		asked,
		inputs,
		host
	}) : {
		targets,
		problems: []
	};
	const kept = split.targets.filter(({ name }) => !unkept.has(name));
	const of = {
		inputs: isSplit ? {
			...inputs,
			platforms: []
		} : withoutSaidPlatforms(inputs, {
			targets,
			asked
		}),
		workspace,
		env,
		placeOf: await inlinePlaces(files, kept, workspace)
	};
	const parts = await Promise.all(grouped$1(kept, await dockerfilesOf(kept, workspace)).map(async ({ members, ...file }) => await openPart(members, {
		...of,
		...file,
		asked
	})));
	const [first, ...others] = parts.flatMap(({ part }) => part ?? []);
	const problems = [...await toldOfTargets([
		...[...unkept.values()].flat(),
		...split.problems,
		...parts.flatMap((part) => part.problems),
		...bakeTagProblems({
			targets,
			asked
		}, inputs)
	], files, workspace), ...sharedOutputs(inputs, asked.length > 1)];
	if (problems.length > 0) problems.push(...tagsOf(asked.map((name) => ({ name })), inputs, targets).problems);
	const said = toldOfWarnings(warnings, files);
	throwIfAny(distinct(problems), { warnings: [...said.warnings, ...said.notes.map((note) => ({ message: `${note}.` }))] });
	if (first === void 0) throw new UserError(nothingToBuild(question));
	const name = files.join(" + ");
	return {
		workspace,
		dockerfileName: name,
		id: inputs.id ?? name,
		...names === void 0 ? {} : { names },
		inputs: together(inputs, [first, ...others]),
		warnings: [...said.warnings, ...ownCaches(inputs, kept, files)],
		notes: [...said.notes, ...notes],
		parts: [first, ...others]
	};
}
/** What a run has to be ready for. */
function together(inputs, parts) {
	const all = (of) => [...new Set(parts.flatMap((part) => of(part.inputs)))];
	return {
		...inputs,
		outputs: all(({ outputs }) => outputs),
		secrets: all(({ secrets }) => secrets),
		cacheFrom: all(({ cacheFrom }) => cacheFrom),
		cacheTo: all(({ cacheTo }) => cacheTo),
		noCacheFilters: all(({ noCacheFilters }) => noCacheFilters),
		noCache: parts.some((part) => part.inputs.noCache)
	};
}
/** As the inputs `cache-from` and `cache-to`, what the files say is passed on, and there is no layer cache beside it. */
function ownCaches(inputs, targets, files) {
	const own = targets.filter(({ cacheFrom, cacheTo }) => cacheFrom.length + cacheTo.length > 0);
	if (own.length === 0 || inputs.cacheFrom.length + inputs.cacheTo.length > 0) return [];
	const names = list$2(own.map(({ name }) => `\`${name}\``), NAMES$1);
	return [{
		input: "bake-files",
		file: files[0],
		message: `The bake ${own.length === 1 ? "target" : "targets"} ${names} ${own.length === 1 ? "has" : "have"} \`cache-from\` or \`cache-to\`: these are passed on, and this step keeps no layers itself.`,
		mend: "Remove them to use the layer cache of stage-build, which needs no configuration."
	}];
}
const NAMES$1 = 8;
/** Where a target's Dockerfile is. https://github.com/docker/buildx/blob/v0.29.1/bake/bake.go (toBuildOpt) */
function dockerfilePath({ context, dockerfile }, workspace) {
	const [, ofWorkspace] = /^cwd:\/\/(.*)$/s.exec(dockerfile) ?? [];
	return ofWorkspace === void 0 ? resolve$1(workspace, localPath(context), dockerfile) : resolve$1(workspace, ofWorkspace);
}
/** Each target's Dockerfile: an inline one's path is of no meaning. */
async function dockerfilesOf(targets, workspace) {
	const ofFiles = targets.filter(({ inline }) => inline === void 0);
	const paths = new Set(ofFiles.map((target) => dockerfilePath(target, workspace)));
	const found = new Map(await Promise.all([...paths].map(async (path) => [path, await findDockerfile(path)])));
	return (target) => {
		const path = dockerfilePath(target, workspace);
		return target.inline === void 0 ? found.get(path) ?? {
			path,
			text: void 0
		} : {
			path,
			text: target.inline
		};
	};
}
/** In lower case, too. https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/config.go (ReadEntrypoint) */
async function findDockerfile(path) {
	const read = async (file) => await readFile(file, "utf8").catch(() => void 0);
	const text = await read(path);
	if (text !== void 0 || basename(path) !== "Dockerfile") return {
		path,
		text
	};
	const lower = resolve$1(path, "../dockerfile");
	const other = await read(lower);
	return other === void 0 ? {
		path,
		text
	} : {
		path: lower,
		text: other
	};
}
function grouped$1(targets, fileOf) {
	const groups = /* @__PURE__ */ new Map();
	for (const target of targets) {
		const { name, stage, tags, ...rest } = target;
		const file = fileOf(target);
		const own = file.text?.includes("TARGETSTAGE") === true ? [
			name,
			stage,
			tags.length
		] : [];
		const key = JSON.stringify([rest, own]);
		const known = groups.get(key);
		groups.set(key, {
			...file,
			members: known === void 0 ? [target] : [...known.members, target]
		});
	}
	return [...groups.values()];
}
async function openPart(members, { inputs, workspace, env, path, text, asked, placeOf }) {
	const [target] = members;
	const contextDir = resolve$1(workspace, localPath(target.context));
	const told = (problem) => ({
		...problem,
		...targetProblem(target.name, `: ${problem.message}`, problem.mend)
	});
	const inline = placeOf(target);
	const name = inline?.file ?? relative(workspace, path);
	const laid = laidOver(inputs, target, name);
	const isRemote = isAddress$1(target.context) && !target.context.startsWith("cwd://");
	const problems = [];
	if (!isRemote && !await isDirectory$1(contextDir)) problems.push(missingContext({
		context: target.context,
		inputs,
		workspace
	}));
	else if (text === void 0 && !isRemote) {
		const { context, dockerfile } = target;
		problems.push(missingDockerfile$1({
			context,
			dockerfile,
			contextDir,
			path,
			inputs,
			workspace
		}));
	}
	problems.push(...await missingPaths(laid, workspace));
	if (inputs.mode === "build") problems.push(...unsetSecrets(target, env));
	problems.push(...malformed({
		...laid,
		shmSize: void 0,
		ulimit: []
	}));
	const links = target.contexts.flatMap(({ key, value }) => value.startsWith("target:") ? [[key, value.slice(7)]] : []);
	return {
		part: text === void 0 ? void 0 : {
			inputs: laid,
			contextDir,
			dockerfileText: text,
			dockerfileName: name,
			links: new Map(links),
			..."cells" in target ? { split: {
				written: target.written,
				cells: target.cells
			} } : {},
			...inline === void 0 ? { dockerfilePath: path } : {
				dockerfilePath: void 0,
				linesAbove: inline.above
			},
			...inline?.heading === void 0 ? {} : { heading: inline.heading },
			wanted: members.map(({ name, stage, tags }) => {
				const place = asked.indexOf(name);
				return {
					name,
					stage,
					tags,
					place: place === -1 ? void 0 : place
				};
			})
		},
		problems: problems.map(told)
	};
}
function unsetSecrets({ secrets }, env) {
	return secrets.flatMap((secret) => secret.kind === "env" && env[secret.env] === void 0 ? [{
		message: `its secret \`${shown$1(secret.id)}\` is the variable \`${shown$1(secret.env)}\`, which is not set.`,
		mend: "Set it in the step’s `env:`."
	}] : []);
}

// src/context/compiling.ts
/**
* V8 compiles what runs often again, on threads of its own, for programs that run for long. A walk of a hundred thousand files is
* over before that pays: on a machine with two processors the compiler takes a sixth of what they do meanwhile.
*/
/** With more of them there are some to spare. */
const FEW_PROCESSORS = 2;
/**
* Puts most of it off, in all threads, until what it returns is called. V8 asks for the flag each time; what Node loads later of
* its own takes twice as long, as its stored code is for other flags.
* https://github.com/nodejs/node/blob/v24.11.0/deps/v8/src/execution/tiering-manager.cc (ShouldOptimize)
*/
function putOffCompiling(processors = availableParallelism()) {
	if (processors > FEW_PROCESSORS) return () => void 0;
	const { setFlagsFromString } = process.getBuiltinModule("node:v8");
	setFlagsFromString("--efficiency-mode");
	return () => {
		setFlagsFromString("--no-efficiency-mode");
	};
}

// src/context/context-helpers.ts
/** Threads that list directories and read small files beside the one that walks a context: what takes long are calls of the system. */
/** Questions that a helper holds at once: what it works on, and what waits. */
const QUESTIONS$1 = 3;
const MOST_HELPERS = 3;
const WAIT_MS = 5;
var ContextHelpers = class {
	#helpers;
	#answered;
	#taken = 0;
	#isAnyFailed = false;
	/**
	* None on a machine with one processor.
	* @param options.scout works already: it is the first, and what it found is delivered first
	*/
	constructor({ count = Math.min(MOST_HELPERS, availableParallelism() - 1), scout, deliver } = {}) {
		this.#answered = scout?.answered ?? new Int32Array(new SharedArrayBuffer(4));
		this.#helpers = Array.from({ length: count }, (_, index) => {
			if (index === 0 && scout !== void 0) return this.#helper(scout, deliver);
			return this.#helper(startHelper({ answered: this.#answered }));
		});
	}
	#helper({ worker, port }, first) {
		const helper = {
			worker,
			port,
			awaited: first === void 0 ? [] : [first],
			failed: worker.threadId === -1
		};
		worker.on("error", () => {
			helper.failed = true;
			this.#isAnyFailed = true;
		});
		this.#isAnyFailed ||= helper.failed;
		return helper;
	}
	/** Whether one of them has time for a question. */
	get isFree() {
		return this.#helpers.some(({ awaited, failed }) => awaited.length < QUESTIONS$1 && !failed);
	}
	/**
	* Gives a question to the helper with the least to do; false where none has time.
	* @param most how many it may hold: more where who asks cannot come back soon
	*/
	ask(question, deliver, most = QUESTIONS$1) {
		let first;
		for (const helper of this.#helpers) {
			if (helper.failed || helper.awaited.length >= (first?.awaited.length ?? most)) continue;
			first = helper;
		}
		if (first === void 0) return false;
		first.awaited.push(deliver);
		first.port.postMessage(question);
		return true;
	}
	/** Delivers an answer that has come to whoever asked; false where none has. */
	take() {
		if (Atomics.load(this.#answered, 0) === this.#taken && !this.#isAnyFailed) return false;
		for (const { port, awaited, failed } of this.#helpers) {
			if (awaited.length === 0) continue;
			const received = receiveMessageOnPort(port);
			if (received === void 0 && !failed) continue;
			if (received !== void 0) this.#taken++;
			awaited.shift()?.(received?.message);
			return true;
		}
		return false;
	}
	/** Sleeps until an answer may have come, for a few milliseconds at most. */
	wait() {
		Atomics.wait(this.#answered, 0, this.#taken, WAIT_MS);
	}
	/** The same, while everything else goes on. */
	async changed() {
		const { value } = Atomics.waitAsync(this.#answered, 0, this.#taken, WAIT_MS);
		await value;
	}
	/** Ends the threads. */
	async [Symbol.asyncDispose]() {
		for (const helper of this.#helpers) {
			helper.failed = true;
			for (const deliver of helper.awaited.splice(0)) deliver(void 0);
			helper.port.close();
		}
		await Promise.all(this.#helpers.map(async ({ worker }) => await worker.terminate()));
	}
};

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
/** What lstat said of one file, as numbers. */
function numbersOf(stats) {
	const numbers = new Float64Array(9);
	setNumbers(numbers, 0, stats);
	return numbers;
}
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
	const names = readdirSync$1(near).sort();
	const numbers = new Float64Array(names.length * 9);
	for (let index = 0; index < names.length; index++) {
		const stats = lstatSync$1(`${near}/${names[index] ?? ""}`, { throwIfNoEntry: false });
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

// src/context/git-attributes.ts
/**
* Which files git may store otherwise than they lie in the work tree, as .gitattributes files say: LFS and other
* filters, line ends, `$Id$`, encodings. Answers "perhaps" for "yes": such a file is read, and that is never wrong.
* https://git-scm.com/docs/gitattributes
*/
/** Attributes by which bytes differ. `-text` and `!filter` take a conversion away; what set it before still counts. */
const CONVERTING = /^(?:filter|text|eol|ident|crlf|working-tree-encoding)(?:=|$)/;
const EVERYTHING = () => true;
/** The tests of one attributes file; none where no line of it converts anything. */
function readAttributes(text) {
	const tests = [];
	for (const raw of text.replace(/^\uFEFF/, "").split("\n")) {
		const line = raw.trim();
		if (line === "" || line.startsWith("#")) continue;
		const [pattern = "", ...attributes] = line.split(/[ \t\r]+/);
		if (line.startsWith("[attr]") || pattern.startsWith("\"")) tests.push(EVERYTHING);
		else if (attributes.some((attribute) => CONVERTING.test(attribute))) tests.push(compileAttributePattern(pattern));
	}
	return tests;
}
/** For a file that cannot be read. */
function unknownAttributes() {
	return [EVERYTHING];
}
/**
* A pattern, or more than it: without a slash it is for names in any directory, else for paths; letters of either case
* are alike (`core.ignoreCase`); classes and backslashes are taken to match everything.
*/
function compileAttributePattern(pattern) {
	if (pattern === "*" || pattern === "**" || /[[\]\\]/.test(pattern)) return EVERYTHING;
	const rooted = pattern.startsWith("/") ? pattern.slice(1) : pattern;
	const named = !pattern.includes("/");
	const source = rooted.replace(/[.+^$(){}|]/g, String.raw`\$&`).replace(/\?/g, "[^/]").replace(/\*+\/?/g, ".*");
	const expression = new RegExp(`${named ? "(?:^|/)" : "^"}${source}$`, "iu");
	return (path) => expression.test(path);
}

// src/context/number-table.ts
/** A table from unsigned 32-bit numbers to others, filled once: a Map of so many would take most of a look-up's time. */
const FREE = 0;
/** The golden ratio's bits spread blocks of numbers over the table. */
const SPREAD = 2654435761;
/** Numbers of one block lie beside each other: inodes of files that were made one after another, and are asked for so. */
const BLOCK_BITS = 5;
const IN_BLOCK = 2 ** BLOCK_BITS - 1;
var NumberTable = class {
	/** A key and its value beside each other: they come from memory together. A value of 0 is a free place. */
	#pairs;
	#shift;
	/** @param count how many keys there will be at most */
	constructor(count) {
		const bits = Math.max(6, Math.ceil(Math.log2(count * 2)));
		this.#pairs = new Uint32Array(2 * 2 ** bits);
		this.#shift = 32 - bits + BLOCK_BITS;
	}
	/** @param value not 0; the last of a key stays */
	set(key, value) {
		const place = this.#placeOf(key);
		this.#pairs[place] = key;
		this.#pairs[place + 1] = value;
	}
	/** undefined where the key was not set. */
	get(key) {
		const value = this.#pairs[this.#placeOf(key) + 1];
		return value === FREE ? void 0 : value;
	}
	/** Where a key is, or the free place where it would be. */
	#placeOf(key) {
		const last = this.#pairs.length - 1;
		let place = (Math.imul(key >>> BLOCK_BITS, SPREAD) >>> this.#shift << BLOCK_BITS | key & IN_BLOCK) * 2;
		while (this.#pairs[place + 1] !== FREE && this.#pairs[place] !== key) place = place + 2 & last;
		return place;
	}
};

// src/context/git-index.ts
/**
* Git's index, read from its file: which bytes a file had when git last looked at it, and what lstat said then. Read
* here and not through `git status`, because that walks the tree a second time, may run programs that the repository
* names (filters, file monitors), and takes more for equal than its bytes (line ends, clean filters).
* https://git-scm.com/docs/index-format
*/
/** Bytes of one object id. */
const ID_BYTES = {
	sha1: 20,
	sha256: 32
};
/**
* A file that was written after this many milliseconds before the index was may have been written again since, with
* the same time: clocks of file systems tick every few milliseconds. Such a file is read.
*/
const RACY_MS = 20;
const HEADER_BYTES = 12;
const STAT_BYTES = 40;
const EXTENDED = 16384;
const SKIP_OR_INTENDED = 24576;
const NAME_LENGTH = 4095;
const ATTRIBUTES = Buffer.from(".gitattributes");
const SLASH$1 = 47;
const DOT = 46;
/** The index of one work tree. Paths are relative to the work tree's root, with slashes. */
var GitIndex = class GitIndex {
	format;
	/** Directories with a tracked `.gitattributes`, whether it is checked out or not. */
	attributeFiles;
	#kept;
	constructor(kept) {
		this.format = kept.format;
		this.attributeFiles = kept.attributeFiles;
		this.#kept = kept;
	}
	/**
	* Reads an index; undefined for one that is damaged, split or of an unknown version.
	* @param options.writtenMs mtime of the index's file
	*/
	static parse(bytes, options) {
		const idBytes = ID_BYTES[options.format];
		if (bytes.length < HEADER_BYTES + idBytes || bytes.toString("latin1", 0, 4) !== "DIRC") return void 0;
		const version = bytes.readUInt32BE(4);
		if (version < 2 || version > 4) return void 0;
		const end = bytes.length - idBytes;
		if (!isIntact(bytes, end, options.format)) return void 0;
		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
		const count = bytes.readUInt32BE(8);
		if (count * (STAT_BYTES + idBytes) > end) return void 0;
		const entries = new NumberTable(count);
		const shortened = version === 4 ? /* @__PURE__ */ new Map() : void 0;
		const attributeFiles = /* @__PURE__ */ new Set();
		let at = HEADER_BYTES;
		let previous = Buffer.alloc(0);
		for (let index = 0; index < count; index++) {
			if (at + STAT_BYTES + idBytes + 4 > end) return void 0;
			const start = at;
			const entryName = nameAt(view, start, idBytes);
			const nameStart = shortened === void 0 ? entryName : skipVariable(bytes, entryName);
			const nameEnd = nameEndAt(bytes, nameStart, { length: shortened === void 0 ? view.getUint16(start + STAT_BYTES + idBytes) & NAME_LENGTH : NAME_LENGTH });
			if (nameEnd < 0 || nameEnd >= end) return void 0;
			if (shortened === void 0) {
				at += nameEnd - at + 8 & -8;
				if (isAttributeFile(bytes, nameStart, nameEnd)) attributeFiles.add(directoryOf(bytes.toString("utf8", nameStart, nameEnd)));
			} else {
				const kept = previous.length - readVariable(bytes, entryName);
				if (kept < 0) return void 0;
				previous = Buffer.concat([previous.subarray(0, kept), bytes.subarray(nameStart, nameEnd)]);
				at = nameEnd + 1;
				shortened.set(start, previous.toString("utf8"));
				if (isAttributeFile(previous, 0, previous.length)) attributeFiles.add(directoryOf(previous.toString("utf8")));
			}
			if (isPlain(view, start, idBytes)) entries.set(view.getUint32(start + 20), start);
		}
		if (hasRequiredExtension(bytes, at, end)) return void 0;
		return new GitIndex({
			...options,
			bytes,
			view,
			entries,
			shortened,
			attributeFiles
		});
	}
	/**
	* The entry of a file that is still as git saw it; 0 where its bytes have to be read.
	* @param path undefined where it does not matter under which path git saw it
	* @param numbers what lstat says of it, from `at` on
	*/
	entryOf(path, numbers, at) {
		const { bytes, view, entries, format, shortened, writtenMs } = this.#kept;
		const entry = entries.get((numbers[at + Field.ino] ?? 0) >>> 0);
		if (entry === void 0) return 0;
		const mtimeMs = milliseconds(view, entry + 8);
		if (!(view.getUint32(entry + 36) === numbers[at + Field.size] && mtimeMs === numbers[at + Field.mtimeMs] && milliseconds(view, entry) === numbers[at + Field.ctimeMs] && view.getUint32(entry + 16) === (numbers[at + Field.dev] ?? 0) >>> 0 && view.getUint32(entry + 28) === (numbers[at + Field.uid] ?? 0) >>> 0 && view.getUint32(entry + 32) === (numbers[at + Field.gid] ?? 0) >>> 0) || mtimeMs + RACY_MS >= writtenMs) return 0;
		const idEnd = entry + STAT_BYTES + ID_BYTES[format];
		return path !== void 0 && (shortened?.get(entry) ?? nameIn(bytes, idEnd)) !== path ? 0 : entry;
	}
	/** The id of an entry's file: hex digits. */
	idOf(entry) {
		const { bytes, format } = this.#kept;
		return bytes.toString("hex", entry + STAT_BYTES, entry + STAT_BYTES + ID_BYTES[format]);
	}
	/** Writes the same to a buffer; returns where it ends. A hundred thousand strings would take longer than all else. */
	writeId(entry, target, start) {
		const { bytes, format } = this.#kept;
		const first = entry + STAT_BYTES;
		for (let from = first, at = start; from < first + ID_BYTES[format]; from++, at += 2) {
			const byte = bytes[from] ?? 0;
			target[at] = HEX[byte >> 4] ?? 0;
			target[at + 1] = HEX[byte & 15] ?? 0;
		}
		return start + 2 * ID_BYTES[format];
	}
};
const HEX = Buffer.from("0123456789abcdef");
/** As Node computes a time of a Stats, so that both are equal to the last bit. */
function milliseconds(view, at) {
	return view.getUint32(at) * 1e3 + view.getUint32(at + 4) / 1e6;
}
/** Where a name ends: its length is told, unless it is too long for that. -1 where there is no end. */
function nameEndAt(bytes, start, { length }) {
	const told = start + length;
	return length < NAME_LENGTH && bytes[told] === 0 ? told : bytes.indexOf(0, start);
}
function nameAt(view, start, idBytes) {
	const flagsAt = start + STAT_BYTES + idBytes;
	return flagsAt + ((view.getUint16(flagsAt) & EXTENDED) === 0 ? 2 : 4);
}
/** An entry's name, in an index that does not shorten names. */
function nameIn(bytes, idEnd) {
	const length = bytes.readUInt16BE(idEnd) & NAME_LENGTH;
	const name = idEnd + ((bytes.readUInt16BE(idEnd) & EXTENDED) === 0 ? 2 : 4);
	return bytes.toString("utf8", name, length < NAME_LENGTH ? name + length : bytes.indexOf(0, name));
}
/** Whether an entry is of a file and has no flag that keeps its id from being used. */
function isPlain(view, start, idBytes) {
	const flagsAt = start + STAT_BYTES + idBytes;
	const flags = view.getUint16(flagsAt);
	const extended = (flags & EXTENDED) === 0 ? 0 : view.getUint16(flagsAt + 2);
	if ((flags & 45056) !== 0 || (extended & SKIP_OR_INTENDED) !== 0) return false;
	const mode = view.getUint32(start + 24);
	return mode === 33188 || mode === 33261;
}
function isAttributeFile(bytes, start, end) {
	const at = end - ATTRIBUTES.length;
	if (bytes[at] !== DOT || at < start || at > start && bytes[at - 1] !== SLASH$1) return false;
	return bytes.subarray(at, end).equals(ATTRIBUTES);
}
function directoryOf(path) {
	return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
/** The checksum at the end; it is all zeros where `index.skipHash` is set. */
function isIntact(bytes, end, format) {
	const trailer = bytes.subarray(end);
	return trailer.every((byte) => byte === 0) || createHash(format).update(bytes.subarray(0, end)).digest().equals(trailer);
}
/** Git's offset encoding, as in packs: big endian groups of seven bits, each but the first with one added. */
function readVariable(bytes, start) {
	let at = start;
	let byte = bytes[at++] ?? 0;
	let value = byte & 127;
	while ((byte & 128) !== 0) {
		byte = bytes[at++] ?? 0;
		value = (value + 1) * 128 + (byte & 127);
	}
	return value;
}
function skipVariable(bytes, start) {
	let at = start;
	while (((bytes[at] ?? 0) & 128) !== 0) at++;
	return at + 1;
}
/**
* Whether there is an extension that must be understood (a small letter first): a split index has most of its entries in
* another file. `sdir` only says that some entries are directories, which nobody asks for.
*/
function hasRequiredExtension(bytes, start, end) {
	let at = start;
	while (at + 8 <= end) {
		const signature = bytes.toString("latin1", at, at + 4);
		if (!/^[A-Z]/.test(signature) && signature !== "sdir") return true;
		at += 8 + bytes.readUInt32BE(at + 4);
	}
	return at !== end;
}

// src/context/git-repository.ts
/**
* What git knows of the files below a directory. Runs `git config` and nothing else: no filter, hook or monitor of the
* repository is started, and a repository that git does not trust (`safe.directory`) is read all the same, because only
* its index is believed, and that only where it agrees with lstat.
*/
/** Settings that say how bytes are stored, and where the index lies. */
const SETTINGS = String.raw`^(core\.(autocrlf|attributesfile|worktree)|attr\.tree|extensions\.objectformat)$`;
/** Where git looks for attributes of the whole machine, by its usual prefixes. */
const SYSTEM_ATTRIBUTES = [
	"/etc/gitattributes",
	"/usr/local/etc/gitattributes",
	"/opt/homebrew/etc/gitattributes"
];
/** One work tree and, once it has been read, its index. */
var GitRepository = class GitRepository {
	/** Absolute path of the work tree's root. */
	root;
	format;
	/** Size of its index, by which a large repository is known; 0 where there is none. */
	indexBytes;
	#readIndex;
	#common;
	#scopes = /* @__PURE__ */ new Map();
	#isRead = false;
	#index;
	constructor(root, format, known) {
		this.root = root;
		this.indexBytes = known.indexBytes;
		this.format = format;
		this.#readIndex = known.readIndex;
		this.#common = known.common;
	}
	/**
	* The repository whose work tree's root is `root` (with a `.git` in it).
	* @returns undefined where nothing of it can be used, not even the format of its ids
	*/
	static async open(root, env) {
		const gitDir = await gitDirectory(root);
		if (gitDir === void 0) return void 0;
		const settings = await readSettings(gitDir, env);
		if (settings === void 0) return void 0;
		const format = (settings.get("extensions.objectformat") ?? "sha1").toLowerCase();
		if (format !== "sha1" && format !== "sha256") return void 0;
		const converts = !isFalse(settings.get("core.autocrlf")) || settings.has("attr.tree") || "GIT_ATTR_SOURCE" in env;
		const elsewhere = settings.get("core.worktree");
		const foreign = elsewhere !== void 0 && resolve$1(gitDir, elsewhere) !== root;
		const readIndex = () => converts || foreign ? void 0 : indexOf(gitDir, format);
		const common = await commonAttributes(gitDir, {
			env,
			configured: settings.get("core.attributesfile")
		});
		const indexBytes = await stat$1(join(gitDir, "index")).then(({ size }) => size, () => 0);
		return new GitRepository(root, format, {
			indexBytes,
			readIndex,
			common
		});
	}
	/** Reads the index, once; before, no id is known. */
	readIndex() {
		if (!this.#isRead) this.#index = this.#readIndex();
		this.#isRead = true;
	}
	/** A path of the work tree (absolute, without links), relative to its root. */
	pathOf(absolute) {
		return absolute.slice(this.root.endsWith("/") ? this.root.length : this.root.length + 1);
	}
	/**
	* As scopeOf, for a walk that comes from the directory above and has read the names in this one.
	* @param present whether there is a `.gitattributes` among them
	*/
	scopeBelow(above, directory, present) {
		return present || (this.#index?.attributeFiles.has(directory) ?? false) ? this.scopeOf(directory) : above;
	}
	/** The attributes that hold in a directory of the work tree (relative to its root). */
	async scopeOf(directory) {
		const known = this.#scopes.get(directory);
		if (known !== void 0) return await known;
		const scope = this.#makeScope(directory);
		this.#scopes.set(directory, scope);
		return await scope;
	}
	/**
	* The index's entry of a file whose bytes git knows; 0 where they have to be read.
	* @param start the directory's path relative to the work tree's root, with its slash at the end; empty for the root
	* @param found what lstat says of it, and the attributes of its directory
	*/
	entryOf(start, name, found) {
		if (this.#index === void 0) return 0;
		const { numbers, at, scope } = found;
		const anyPath = this.#common.length === 0 && this.#index.attributeFiles.size === 0;
		const entry = this.#index.entryOf(anyPath ? void 0 : start + name, numbers, at);
		if (entry === 0 || scope.tests.length === 0) return entry;
		const path = start + name;
		return scope.tests.some(({ directory, test }) => test(path.slice(directory.length))) ? 0 : entry;
	}
	/** What an entry's file has for an id, hex digits. */
	idOf(entry) {
		return this.#index?.idOf(entry) ?? "";
	}
	/** Writes the same to a buffer that has room for it; returns where it ends. */
	writeId(entry, target, start) {
		return this.#index?.writeId(entry, target, start) ?? start;
	}
	async #makeScope(directory) {
		const above = directory === "" ? { tests: this.#common.map((test) => ({
			directory: "",
			test
		})) } : await this.scopeOf(parentOf(directory));
		const own = await this.#ownAttributes(directory);
		if (own.length === 0) return above;
		const start = directory === "" ? "" : `${directory}/`;
		return { tests: [...above.tests, ...own.map((test) => ({
			directory: start,
			test
		}))] };
	}
	async #ownAttributes(directory) {
		const tracked = this.#index?.attributeFiles.has(directory) ?? false;
		const path = directory === "" ? ".gitattributes" : `${directory}/.gitattributes`;
		const file = join(this.root, path);
		try {
			const stats = await lstat$1(file);
			if (!stats.isFile()) return unknownAttributes();
			if (tracked && this.#index?.entryOf(path, numbersOf(stats), 0) === 0) return unknownAttributes();
			return readAttributes(await readFile(file, "utf8"));
		} catch {
			return tracked ? unknownAttributes() : [];
		}
	}
};
function parentOf(directory) {
	const slash = directory.lastIndexOf("/");
	return slash < 0 ? "" : directory.slice(0, slash);
}
/** The repository's own directory: `.git`, or where the file `.git` of a worktree or submodule points. */
async function gitDirectory(root) {
	const path = join(root, ".git");
	try {
		if ((await stat$1(path)).isDirectory()) return path;
		const target = /^gitdir: (.+?)\r?\n*$/.exec(await readFile(path, "utf8"))?.[1];
		return target === void 0 ? void 0 : resolve$1(root, target);
	} catch {
		return;
	}
}
/** Settings as git reads them here, the environment's included; undefined where git cannot be asked. */
async function readSettings(gitDir, env) {
	const args = [
		`--git-dir=${gitDir}`,
		"config",
		"--null",
		"--get-regexp",
		SETTINGS
	];
	try {
		const { code, stdout } = await runProcess("git", args, {
			env,
			cwd: gitDir
		});
		if (code !== 0 && code !== 1) return void 0;
		const settings = /* @__PURE__ */ new Map();
		for (const record of stdout.split("\0")) {
			if (record === "") continue;
			const [name = "", ...value] = record.split("\n");
			settings.set(name, value.length === 0 ? "true" : value.join("\n"));
		}
		return settings;
	} catch (error) {
		if (error instanceof ProgramMissingError) return void 0;
		throw error;
	}
}
function isFalse(value) {
	return value === void 0 || /^(?:false|no|off|0|)$/i.test(value);
}
function indexOf(gitDir, format) {
	try {
		const file = openSync$1(join(gitDir, "index"), "r");
		try {
			const { mtimeMs } = fstatSync$1(file);
			return GitIndex.parse(readFileSync$1(file), {
				format,
				writtenMs: mtimeMs
			});
		} finally {
			closeSync$1(file);
		}
	} catch {
		return;
	}
}
/** Attributes that hold in all directories: the repository's, the user's and the machine's. */
async function commonAttributes(gitDir, { env, configured }) {
	const home = env["HOME"] ?? homedir();
	const xdg = env["XDG_CONFIG_HOME"] ?? join(home, ".config");
	const personal = configured === void 0 ? join(xdg, "git/attributes") : resolve$1(home, configured.replace(/^~\//, ""));
	const common = await readFile(join(gitDir, "commondir"), "utf8").then((text) => resolve$1(gitDir, text.trim()), () => gitDir);
	const files = [
		...SYSTEM_ATTRIBUTES,
		personal,
		join(common, "info/attributes")
	];
	return (await Promise.all(files.map(async (file) => await readFile(file, "utf8").catch(() => "")))).flatMap((text) => readAttributes(text));
}
/** The repositories that a context lies in or holds; each is opened once. */
var GitRepositories = class {
	#env;
	#opened = /* @__PURE__ */ new Map();
	constructor(env) {
		this.#env = env;
	}
	/** The repository whose work tree's root this is; undefined where it cannot be used. */
	async at(root) {
		const known = this.#opened.get(root);
		if (known !== void 0) return await known;
		const opened = GitRepository.open(root, this.#env);
		this.#opened.set(root, opened);
		return await opened;
	}
	/** The repository that a directory (absolute, without links) lies in: the nearest with a `.git`. */
	async around(directory) {
		for (let at = directory;; at = dirname(at)) {
			if (await lstat$1(join(at, ".git")).catch(() => void 0) !== void 0) return await this.at(at);
			if (dirname(at) === at) return void 0;
		}
	}
};

// src/context/helper-messages.ts
/** No name holds it. */
const BETWEEN = "\0";
/** The listings of a message. */
function unpackListings({ names, numbers }) {
	let at = 0;
	return names.map((joined) => {
		if (joined === void 0) return void 0;
		const own = joined === "" ? [] : joined.split(BETWEEN);
		const start = at;
		at += own.length * 9;
		return {
			names: own,
			numbers: numbers.subarray(start, at)
		};
	});
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
const MAX_LINE_BYTES$1 = 65536;
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
		if (Buffer.byteLength(raw) >= MAX_LINE_BYTES$1) throw new UserError({
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
* The ignore file of a build (of a Dockerfile without a path of its own: the context's): `<Dockerfile>.dockerignore` beside the Dockerfile where it can be read (also an empty
* one), else `.dockerignore` in the root of the context; without either, one without patterns. As in BuildKit, a file
* that cannot be read (or a link that leaves its directory) counts as none.
* https://github.com/moby/buildkit/blob/v0.20.2/frontend/dockerui/config.go#L353
* @throws UserError see readIgnoreFile
*/
function ignoreFileFor(dockerfilePath, contextDir) {
	if (dockerfilePath === void 0) return ignoreFileOf(contextDir);
	const own = `${dockerfilePath}.dockerignore`;
	const ownText = readWithin(own, join(dockerfilePath, ".."));
	return ownText === void 0 ? ignoreFileOf(contextDir) : {
		name: own,
		patterns: readIgnoreFile(ownText, own)
	};
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
		if (lstatSync$1(path, { throwIfNoEntry: false }) === void 0) return void 0;
		const from = relative(realpathSync$1.native(directory), realpathSync$1.native(path));
		if (from.startsWith("..") || isAbsolute(from)) return void 0;
		return readFileSync$1(path, "utf8");
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
/** Whether a COPY source has a wildcard: `*`, `?` or `[` without a backslash before it (fsutil's containsWildcards). */
function hasWildcard(path) {
	return /^(?:[^\\*?[]|\\[^])*[*?[]/.test(path);
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
/**
* A directory with all in it that .dockerignore leaves there, sorted by name, by code unit. Of a file that git knows, and that is
* most of them, there are three numbers and no object.
*/
var DirectoryNode = class {
	type = "directory";
	name;
	/** 0 for the context's root: BuildKit does not look at it. */
	mode;
	/** Over its mode and all that is in it; undefined until it is asked for. */
	digest = void 0;
	#length = 0;
	#names = [];
	#modes = [];
	/** Where git's index has a known file; of what is an object, its place among them: -1 is the first. */
	#entries = [];
	#objects = [];
	/** One index for all known files of a directory. */
	ids = void 0;
	constructor(name, mode) {
		this.name = name;
		this.mode = mode;
	}
	get length() {
		return this.#length;
	}
	/** Makes room, before anything is added: what grows is copied time and again. @param most how much will be added at most */
	reserve(most) {
		this.#names = Array(most);
		this.#modes = Array(most);
		this.#entries = Array(most);
	}
	/** Adds something whose name comes after all others. */
	add(node) {
		this.#put(node.name, 0, -this.#objects.push(node));
	}
	/** Adds a file by its permission bits and its place in git's index. */
	addKnown(name, mode, entry) {
		this.#put(name, mode, entry);
	}
	#put(name, mode, entry) {
		const index = this.#length++;
		this.#names[index] = name;
		this.#modes[index] = mode;
		this.#entries[index] = entry;
	}
	nameAt(index) {
		return this.#names[index] ?? "";
	}
	/** What is there, unless it is a known file. */
	objectAt(index) {
		const entry = this.#entries[index] ?? 0;
		return entry < 0 ? this.#objects[-entry - 1] : void 0;
	}
	/** All that are no known files: most of a large tree need not be looked at. */
	get objects() {
		return this.#objects;
	}
	/** Of a known file. */
	modeAt(index) {
		return this.#modes[index] ?? 0;
	}
	/** Of a known file: its id, hex digits. */
	idAt(index) {
		return this.ids?.idOf(this.#entries[index] ?? 0) ?? "";
	}
	/** Writes the same to a buffer; returns where it ends. */
	writeIdAt(index, target, start) {
		return this.ids?.writeId(this.#entries[index] ?? 0, target, start) ?? start;
	}
	/** What is there, as an object; always the same one. */
	nodeAt(index) {
		const name = this.#names[index];
		if (name === void 0) return void 0;
		const object = this.objectAt(index);
		if (object !== void 0) return object;
		const leaf = {
			name,
			type: "file",
			mode: this.modeAt(index),
			size: 0,
			format: this.ids?.format ?? "sha1",
			content: this.idAt(index),
			gone: false
		};
		this.#entries[index] = -this.#objects.push(leaf);
		return leaf;
	}
	/** All that is in it, as objects. */
	*nodes() {
		for (let index = 0; index < this.length; index++) {
			const node = this.nodeAt(index);
			if (node !== void 0) yield node;
		}
	}
	/** What is in it under that name. */
	child(name) {
		let low = 0;
		let high = this.length;
		while (low < high) {
			const middle = low + high >>> 1;
			if (this.nameAt(middle) < name) low = middle + 1;
			else high = middle;
		}
		return this.nameAt(low) === name ? this.nodeAt(low) : void 0;
	}
	/** Takes directories away. */
	remove(isRemoved) {
		const removed = new Set(this.#objects.filter((node) => node.type === "directory" && isRemoved(node)));
		if (removed.size === 0) return;
		const objects = this.#objects;
		const [names, modes, entries, { length }] = [
			this.#names,
			this.#modes,
			this.#entries,
			this
		];
		this.#objects = [];
		this.#length = 0;
		this.reserve(length - removed.size);
		for (let index = 0; index < length; index++) {
			const entry = entries[index] ?? 0;
			const node = objects[-entry - 1];
			if (node === void 0) this.#put(names[index] ?? "", modes[index] ?? 0, entry);
			else if (!removed.has(node)) this.add(node);
		}
	}
};
/** A node of what lstat said; not for a directory, which is made with its content. */
function leafOf(name, numbers, options) {
	const { at, format } = options;
	const mode = numbers[at] ?? 0;
	const kind = mode & constants$2.S_IFMT;
	const type = kind === constants$2.S_IFREG ? "file" : kind === constants$2.S_IFLNK ? "symlink" : "other";
	const content = type === "other" ? specialOf(kind, numbers[at + Field.rdev] ?? 0) : void 0;
	return {
		name,
		type,
		mode: mode & 4095,
		size: numbers[at + Field.size] ?? 0,
		format,
		content,
		gone: false
	};
}
/** What a device, pipe or socket is: the bits of its kind, and of a device which one. */
function specialOf(kind, device) {
	const isDevice = kind === constants$2.S_IFBLK || kind === constants$2.S_IFCHR;
	return `${kind.toString(8)}${isDevice ? ` ${device}` : ""}`;
}
/** Whether its content is still to be asked for. */
function isUnread(node) {
	return node.type !== "directory" && node.content === void 0 && !node.gone;
}
/** Whether lstat said that it is a directory. */
function isDirectory(mode) {
	return (mode & constants$2.S_IFMT) === constants$2.S_IFDIR;
}
/** Whether lstat said that it is a regular file. */
function isFile(mode) {
	return (mode & constants$2.S_IFMT) === constants$2.S_IFREG;
}

// src/context/scouting.ts
/** Lists a context in which nobody has asked for anything yet, as far as its `.dockerignore` leaves it. */
/** No more files than this are looked at ahead: what nobody asks for must not fill the memory. */
const MOST_FILES$1 = 3e5;
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

// src/context/look-ahead.ts
/**
* Directories of a large tree, listed by helper threads before anybody asks for them: while other programs are waited for, and
* while git's index is read. What is listed here is what a walk would have listed, only earlier; which files are in the
* context, and what git knows of them, is judged by the walk.
*/
const BATCH$2 = 64;
/** Questions that a helper holds: it is to have work while this thread reads Dockerfiles. */
const QUESTIONS = 16;
/** What all contexts of a run share. */
var LookAhead = class {
	repositories;
	#listings = /* @__PURE__ */ new Map();
	#coming = /* @__PURE__ */ new Set();
	#open = [];
	#files = 0;
	#isOver = false;
	#helpers;
	#resume;
	/** Lists already. */
	#scout;
	/** Where to look, when it is known. */
	#from;
	#largeIndexBytes;
	/**
	* @param env of this process: where git looks for its configuration
	* @param options.scout ends with this
	*/
	constructor(env, { largeIndexBytes = LARGE_INDEX_BYTES, scout } = {}) {
		this.#largeIndexBytes = largeIndexBytes;
		this.#scout = scout;
		this.repositories = new GitRepositories(env);
	}
	/** Threads, if some were started. */
	get helpers() {
		return this.#helpers;
	}
	/** Starts threads where a walk will need them: they come to be while git's index is read. */
	prepare(repository) {
		if (this.#isLarge(repository)) this.startHelpers();
	}
	/** Starts threads; those that are there stay. */
	startHelpers() {
		if (this.#helpers !== void 0) return this.#helpers;
		this.#resume = putOffCompiling();
		const scout = this.#scout;
		this.#scout = void 0;
		if (scout === void 0) return this.#helpers = new ContextHelpers();
		this.#coming.add(scout.directory);
		scout.stop();
		return this.#helpers = new ContextHelpers({
			scout,
			deliver: (answer) => {
				this.#coming.delete(scout.directory);
				this.#takeScouted(scout.directory, answer?.kind === "scouted" ? answer : void 0);
			}
		});
	}
	/**
	* Lists what lies in a workspace, as far as its `.dockerignore` leaves it, and reads git's index. Never rejects: whoever asks
	* later finds what is wrong.
	*/
	async beginAt(workspace) {
		try {
			const directory = await realpath(workspace);
			const matcher = new IgnoreMatcher(ignoreFileOf(directory));
			const opened = this.repositories.around(directory);
			if (this.#scout === void 0 && !this.#isLarge(await opened)) return;
			if (this.#isOver) return;
			this.#from = {
				directory,
				matcher
			};
			if (this.#scout?.directory !== directory) this.#open = [{
				directory,
				path: "",
				state: void 0
			}];
			this.#run(this.startHelpers(), matcher).catch(() => {
				this.stop();
			});
			(await opened)?.readIndex();
		} catch {
			this.stop();
		}
	}
	/** A directory as it was found, if it was. */
	listing(directory) {
		return this.#listings.get(directory);
	}
	/** Whether a helper is at it. */
	isComing(directory) {
		return this.#coming.has(directory);
	}
	/** No more is asked for; what was asked still comes. */
	stop() {
		this.#isOver = true;
		this.#open = [];
	}
	/** Ends the threads and forgets the listings. */
	async [Symbol.asyncDispose]() {
		this.stop();
		const helpers = this.#helpers;
		this.#helpers = void 0;
		await this.#scout?.worker.terminate();
		this.#listings.clear();
		this.#coming.clear();
		this.#resume?.();
		this.#resume = void 0;
		await helpers?.[Symbol.asyncDispose]();
	}
	#isLarge(repository) {
		return repository !== void 0 && repository.indexBytes >= this.#largeIndexBytes;
	}
	/** Whether there is more to list. */
	get #isWanting() {
		return this.#open.length > 0 && this.#files < 3e5;
	}
	async #run(helpers, matcher) {
		while (!this.#isOver) {
			while (this.#isWanting && this.#ask(helpers, matcher));
			if (helpers.take()) continue;
			if (this.#isWanting) {
				this.#listHere(matcher);
				await setImmediate();
			} else if (this.#coming.size === 0) return;
			else await helpers.changed();
		}
	}
	#ask(helpers, matcher) {
		const places = this.#open.slice(0, BATCH$2);
		const question = {
			kind: "list",
			paths: places.map(({ directory }) => directory)
		};
		const deliver = (answer) => {
			for (const path of question.paths) this.#coming.delete(path);
			if (answer?.kind !== "list") return;
			for (const [index, listing] of unpackListings(answer).entries()) {
				const place = places[index];
				if (place !== void 0 && listing !== void 0) this.#keep(place, listing, matcher);
			}
		};
		if (!helpers.ask(question, deliver, QUESTIONS)) return false;
		this.#open.splice(0, places.length);
		for (const path of question.paths) this.#coming.add(path);
		return true;
	}
	#listHere(matcher) {
		const place = this.#open.pop();
		const listing = place === void 0 ? void 0 : listOrNothing(place.directory);
		if (place !== void 0 && listing !== void 0) this.#keep(place, listing, matcher);
	}
	#keep(place, listing, matcher) {
		this.#listings.set(place.directory, listing);
		this.#files += listing.names.length;
		if (!this.#isOver) for (const below of placesIn(place, listing, matcher)) this.#open.push(below);
	}
	#takeScouted(root, scouted) {
		for (const [index, listing] of (scouted === void 0 ? [] : unpackListings(scouted)).entries()) {
			const path = scouted?.paths[index];
			if (path === void 0 || listing === void 0) continue;
			this.#listings.set(path, listing);
			this.#files += listing.names.length;
		}
		if (this.#isOver || this.#from?.directory !== root) return;
		const { matcher } = this.#from;
		for (const directory of scouted?.open ?? [root]) {
			const path = directory.slice(root.length + 1);
			const state = path === "" || matcher.isEmpty ? void 0 : matcher.excludes(path, true).state;
			this.#open.push({
				directory,
				path,
				state
			});
		}
	}
};

// src/input-readers.ts
function listOf$2(name, value, options, problems) {
	return recordsOf(name, value, options, problems).flat();
}
function recordsOf(name, value, options, problems) {
	try {
		return readRecords$1(value, options);
	} catch (error) {
		const reason = error instanceof Error ? error.message.replace(/ at line.*$/s, "") : "not a list";
		problems.push({
			input: name,
			message: `\`${name}\` cannot be read as a list: ${reason}.`,
			mend: "Check its quotes: a quoted item must end with a quote."
		});
		return [];
	}
}
/** Booleans as YAML 1.2 writes them, like `getBooleanInput`, but the message shows the value. */
function readBoolean(name, value, problems) {
	if ([
		"true",
		"True",
		"TRUE"
	].includes(value)) return true;
	if ([
		"",
		"false",
		"False",
		"FALSE"
	].includes(value)) return false;
	problems.push({
		input: name,
		message: `\`${name}\`: \`${shown$1(value)}\` is neither \`true\` nor \`false\`.`,
		mend: "Write `true` or `false`."
	});
	return false;
}
function readOneOf(options) {
	const { name, value, values, problems } = options;
	const found = values.find((candidate) => candidate === value);
	if (found !== void 0) return found;
	const [fallback] = values;
	if (fallback === void 0) throw new Error(`${name} accepts no values`);
	if (value !== "") {
		const near = nearest(value, values);
		problems.push({
			input: name,
			message: `\`${name}\`: \`${shown$1(value)}\` is not one of ${values.map((v) => `\`${v}\``).join(", ")}.`,
			mend: near === void 0 ? void 0 : `Did you mean \`${near}\`?`
		});
	}
	return fallback;
}
const BYTE_UNITS = {
	"": 1,
	B: 1,
	KB: 1e3,
	MB: 1e6,
	GB: 1e9,
	TB: 0xe8d4a51000,
	KIB: 1024,
	MIB: 2 ** 20,
	GIB: 2 ** 30,
	TIB: 2 ** 40
};
/** A number of bytes with or without a unit: `5GB`, `512 MiB`. */
function readBytes(name, value, problems) {
	const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value) ?? [];
	const factor = BYTE_UNITS[unit.toUpperCase()];
	if (number !== "" && factor !== void 0) return Math.round(Number(number) * factor);
	if (value !== "") problems.push({
		input: name,
		message: `\`${name}\`: \`${shown$1(value)}\` is no number of bytes.`,
		mend: "Write it as `5GB`, `500MB` or `2GiB`."
	});
	return 0;
}
/** A whole number; 0 where there is none. */
function readCount(name, value, { most, problems }) {
	if (/^\d{1,9}$/.test(value) && Number(value) <= most) return Number(value);
	if (value !== "") problems.push({
		input: name,
		message: `\`${name}\`: \`${shown$1(value)}\` is no whole number from 0 to ${most}.`,
		mend: `Write a number from 0 to ${most}.`
	});
	return 0;
}
function readTargets(targets, target, problems) {
	if (target !== void 0 && targets.length > 0) problems.push({
		input: "target",
		message: `\`target\` (\`${shown$1(target)}\`) and \`targets\` are both given.`,
		mend: "Keep `targets`; it takes one or several."
	});
	const list = targets.length > 0 ? targets : target === void 0 ? [] : [target];
	if (list.length === 0) return void 0;
	if (list.includes("all")) {
		if (list.length > 1) problems.push({
			input: "targets",
			message: "`targets`: `all` stands beside other targets.",
			mend: "Write `all` alone, or name the targets."
		});
		return "all";
	}
	return [...new Set(list)];
}
function readTags(value, problems) {
	const tags = [];
	for (const record of recordsOf("tags", value, { commas: true }, problems)) {
		let target;
		for (const item of record) {
			const at = item.indexOf("=");
			if (at >= 0) target = item.slice(0, at).trim();
			const ref = item.slice(at + 1).trim();
			if (target === "" || ref === "") {
				problems.push({
					input: "tags",
					message: `\`tags\`: \`${shown$1(item)}\` lacks ${target === "" ? "the target before" : "the reference behind"} \`=\`.`,
					mend: "Write `TARGET=REF` or `REF`."
				});
				continue;
			}
			checkReference(ref.replaceAll("{target}", "x"), () => {
				problems.push({
					input: "tags",
					message: `\`tags\`: \`${shown$1(ref)}\` is not an image reference.`,
					mend: "Write `registry/name:tag`, in lower case."
				});
			});
			tags.push({
				target,
				ref
			});
		}
	}
	return tags;
}
function checkReference(ref, onInvalid) {
	try {
		normalizeReference(ref);
	} catch {
		onInvalid();
	}
}
function readExternalImages(lines, problems) {
	const images = [];
	for (const { key, value } of readPairs("external-images", lines, problems, "NAME=REF")) try {
		const name = normalizeReference(key);
		if (images.some((image) => image.name === name)) problems.push({
			input: "external-images",
			message: `\`external-images\`: \`${shown$1(key)}\` is mapped twice.`,
			mend: "Keep one line per image."
		});
		images.push({
			name,
			source: parseImageSource(value)
		});
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		problems.push({
			input: "external-images",
			message: `\`external-images\`: \`${shown$1(`${key}=${value}`)}\`: ${reason}.`,
			mend: "Write `NAME=REF`, for example `nginx:latest=ghcr.io/org/mirror/nginx:1.29`."
		});
	}
	return images;
}
/** `NAME=VALUE`; `NAME` alone takes the value from the environment and is left out where there is none, as in docker. */
function readBuildArgs(lines, env, problems) {
	const args = {};
	for (const line of lines) {
		const at = line.indexOf("=");
		const name = at < 0 ? line : line.slice(0, at);
		const value = at < 0 ? env[line] : line.slice(at + 1);
		if (name.trim() === "") problems.push({
			input: "build-args",
			message: `\`build-args\`: \`${shown$1(line)}\` is not of the form \`NAME=VALUE\`.`,
			mend: "Write one `NAME=VALUE` a line."
		});
		else if (value !== void 0) args[name] = value;
	}
	return args;
}
function readSecrets(options) {
	const { problems, warnings, env } = options;
	const secrets = [];
	for (const line of options.values) {
		const at = line.indexOf("=");
		if (at <= 0) problems.push({
			input: "secrets",
			message: "`secrets`: a line is not of the form `ID=VALUE` (not shown here).",
			mend: "Write `ID=VALUE`; put a value of several lines into double quotes: `\"ID=…\"`."
		});
		else if (at === line.length - 1) warnings.push({
			input: "secrets",
			message: `\`secrets\`: \`${shown$1(line.slice(0, at))}\` is empty, so the build is not given that secret.`,
			mend: "Check its name; runs for pull requests of forks and of Dependabot have no secrets of the repository."
		});
		else secrets.push({
			kind: "value",
			id: line.slice(0, at),
			value: line.slice(at + 1)
		});
	}
	for (const { key, value } of readPairs("secret-envs", options.envs, problems, "ID=VARIABLE")) {
		if (env[value] === void 0) problems.push({
			input: "secret-envs",
			message: `\`secret-envs\`: the variable \`${shown$1(value)}\` is not set.`,
			mend: `Set it in the step's \`env:\`.`
		});
		secrets.push({
			kind: "env",
			id: key,
			env: value
		});
	}
	for (const { key, value } of readPairs("secret-files", options.files, problems, "ID=PATH")) secrets.push({
		kind: "file",
		id: key,
		path: value
	});
	const ids = secrets.map((secret) => secret.id);
	for (const id of new Set(ids.filter((candidate, index) => ids.indexOf(candidate) !== index))) problems.push({
		input: "secrets",
		message: `The secret \`${shown$1(id)}\` is given twice.`,
		mend: "Give each secret id once in `secrets`, `secret-envs` and `secret-files`."
	});
	return secrets;
}

// src/measure/size-budgets.ts
/** The input `size-budgets`: lines `TARGET[@PLATFORM]=LIMIT [unpacked]`, read and checked. Pure. */
const INPUT = "size-budgets";
const FORMS = "`TARGET=160MB`, `TARGET=+5%` or `TARGET=+10MB`";
const METRICS = ["transfer", "unpacked"];
const UNITS$1 = new Map([...[
	"B",
	"kB",
	"MB",
	"GB",
	"TB"
].map((unit, power) => [unit.toUpperCase(), 1e3 ** power]), ...[
	"KiB",
	"MiB",
	"GiB",
	"TiB"
].map((unit, power) => [unit.toUpperCase(), 1024 ** (power + 1)])]);
/** What a longer list of targets is cut to in a message. */
const MOST_NAMES$1 = 10;
/**
* Every budget that can be read, and a problem for every line that cannot.
* @param knownTargets undefined where they are not known yet: then names are not checked
*/
function parseSizeBudgets(lines, knownTargets) {
	const problems = [];
	return {
		budgets: [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ""))].flatMap((text) => {
			const read = parseLine(text);
			if (!("target" in read)) {
				problems.push(read);
				return [];
			}
			const problem = knownTargets === void 0 ? void 0 : unknownTarget(read, knownTargets);
			if (problem !== void 0) problems.push(problem);
			return problem === void 0 ? [read] : [];
		}),
		problems
	};
}
/** The name in front decides; the most specific lines count, and all that are equally specific apply. */
function budgetsFor(budgets, { target, platform }) {
	const matching = budgets.filter((budget) => (budget.target === "*" || sameTarget(budget.target, target)) && (budget.platform === void 0 || budget.platform === platform));
	const most = Math.max(...matching.map(specificity));
	return matching.filter((budget) => specificity(budget) === most);
}
/** A target's name says more than a platform. */
function specificity({ target, platform }) {
	return (target === "*" ? 0 : 2) + (platform === void 0 ? 0 : 1);
}
/** BuildKit, too, takes the names of stages in any letters. */
function sameTarget(a, b) {
	return a.toLowerCase() === b.toLowerCase();
}
function parseLine(text) {
	const at = text.indexOf("=");
	const [name = "", platform, ...more] = text.slice(0, Math.max(0, at)).split("@");
	const [target, rest] = [name.trim(), text.slice(at + 1).trim()];
	if (at < 0 || target === "" || rest === "" || more.length > 0) return problem(text, "is not of the form `TARGET=SIZE`", `Write ${FORMS}, with \`*\` for every target.`);
	const platformName = platform === void 0 ? void 0 : platformOf$1(platform.trim());
	if (platform !== void 0 && platformName === void 0) return problem(text, `names no platform behind \`@\``, `Write, for example, \`${shown(target)}@linux/arm64=160MB\`.`);
	const [size, suffix] = withoutSuffix(rest);
	const metric = suffix === "" ? "transfer" : METRICS.find((known) => known === suffix.toLowerCase());
	if (metric === void 0) {
		const near = nearest(suffix, METRICS);
		return problem(text, `ends in \`${shown(suffix)}\``, near === void 0 ? "Behind the size stands `unpacked`, or nothing for the transfer size." : `Did you mean \`${near}\`?`);
	}
	const limit = limitOf(size);
	return typeof limit === "string" ? problem(text, `: ${limit}`, sizeMend(target, size)) : {
		text,
		target,
		platform: platformName,
		metric,
		limit
	};
}
/** The last word apart, where it is no unit. */
function withoutSuffix(text) {
	const at = text.search(/\s[a-z]+$/i);
	const word = text.slice(at + 1);
	return at < 0 || UNITS$1.has(word.toUpperCase()) ? [text, ""] : [text.slice(0, at).trim(), word];
}
/** A clause about what is wrong where it is no limit. */
function limitOf(size) {
	const [, plus, number = "", unit = ""] = /^(\+?)(\d+(?:\.\d+)?|\.\d+)(%|[a-z]*)$/i.exec(size.replaceAll(/\s+/g, "")) ?? [];
	if (number === "") return `\`${shown(size)}\` is no size`;
	if (unit === "%") return plus === "+" ? {
		kind: "more-percent",
		percent: Number(number)
	} : `\`${shown(size)}\` is no size; a share is of the baseline and begins with \`+\``;
	const factor = UNITS$1.get(unit.toUpperCase());
	if (factor === void 0) return unit === "" ? `\`${shown(size)}\` has no unit` : `there is no unit \`${shown(unit)}\``;
	const bytes = Math.round(Number(number) * factor);
	if (!Number.isSafeInteger(bytes)) return `\`${shown(size)}\` is too large`;
	return {
		kind: plus === "+" ? "more-bytes" : "absolute",
		bytes
	};
}
function sizeMend(target, size) {
	const [, slip, unit = ""] = /^(\+?\d+(?:\.\d+)?)\s*(%|[kmgt]i?|)$/i.exec(size) ?? [];
	if (slip === void 0) return `Write ${FORMS}.`;
	const meant = unit === "%" ? `+${slip}%` : `${slip}${unit === "" ? "M" : unit.length === 1 ? unit.toUpperCase() : unit}B`;
	return `Did you mean \`${shown(target)}=${meant}\`?`;
}
function unknownTarget({ target, text }, known) {
	if (target === "*" || known.some((name) => sameTarget(name, target))) return void 0;
	const near = nearest(target, known);
	const names = known.slice(0, MOST_NAMES$1).map((name) => `\`${shown(name)}\``);
	if (known.length > MOST_NAMES$1) names.push(`${known.length - MOST_NAMES$1} more`);
	return problem(text, `: there is no target \`${shown(target)}\``, near === void 0 ? `There is ${names.join(", ")}, and \`*\` for every target.` : `Did you mean \`${shown(near)}\`?`);
}
function problem(text, what, mend) {
	return {
		input: INPUT,
		message: `\`${INPUT}\`: \`${shown(text)}\`${what.startsWith(":") ? "" : " "}${what}.`,
		mend
	};
}
function platformOf$1(text) {
	try {
		return formatPlatform(parsePlatform(text));
	} catch {
		return;
	}
}
/** On one line, not too long. */
function shown(value) {
	const line = value.replaceAll(/\s+/g, " ");
	return line.length > 120 ? `${line.slice(0, 117)}…` : line;
}

// src/inputs.ts
/**
* The action's inputs, typed and checked: the only reader. Every problem is collected, so that a user mends them all
* at once. What needs the Dockerfile (does the target exist?) is checked by the plan, not here.
*/
/** With the waits between them, more would take longer than jobs do. */
const MOST_RETRIES = 10;
/**
* Reads and checks all inputs.
* @param host the platform of the machine that this runs on
* @throws UserError with every problem found.
*/
function readInputs(read, env, host = formatPlatform$1(HOST)) {
	const problems = [];
	const raw = (name) => read(name).trim();
	const text = (name) => raw(name) === "" ? void 0 : raw(name);
	const bool = (name) => readBoolean(name, raw(name), problems);
	const lines = (name) => listOf$2(name, raw(name), { commas: false }, problems);
	const commas = (name) => listOf$2(name, raw(name), { commas: true }, problems);
	const oneOf = (name, values) => readOneOf({
		name,
		value: raw(name),
		values,
		problems
	});
	const empty = [];
	const targets = readTargets(commas("targets"), text("target"), problems);
	const inputs = {
		mode: oneOf("mode", [
			"build",
			"plan",
			"report",
			"merge",
			"cleanup"
		]),
		plan: text("plan"),
		matrixBy: oneOf("matrix-by", ["target", "platform"]),
		dryRun: bool("dry-run"),
		context: text("context") ?? ".",
		file: text("file"),
		bakeFiles: commas("bake-files"),
		targets,
		id: text("id"),
		tags: readTags(raw("tags"), problems),
		externalImages: readExternalImages(lines("external-images"), problems),
		buildContexts: readPairs("build-contexts", lines("build-contexts"), problems, "NAME=SOURCE"),
		buildArgs: readBuildArgs(lines("build-args"), env, problems),
		secrets: readSecrets({
			values: lines("secrets"),
			envs: commas("secret-envs"),
			files: lines("secret-files"),
			problems,
			warnings: empty,
			env
		}),
		ssh: commas("ssh"),
		platforms: namedPlatforms(commas("platforms"), host),
		labels: readLabels(lines("labels"), problems),
		annotations: lines("annotations"),
		push: bool("push"),
		load: bool("load"),
		outputs: listOf$2("outputs", raw("outputs"), {
			commas: false,
			literalQuotes: true
		}, problems),
		provenance: text("provenance"),
		sbom: text("sbom"),
		attests: lines("attests"),
		pull: bool("pull"),
		noCache: bool("no-cache"),
		noCacheFilters: commas("no-cache-filters"),
		network: text("network"),
		addHosts: commas("add-hosts"),
		allow: commas("allow"),
		shmSize: text("shm-size"),
		ulimit: lines("ulimit"),
		cgroupParent: text("cgroup-parent"),
		builder: text("builder"),
		compression: oneOf("compression", [
			"gzip",
			"zstd",
			"estargz",
			"uncompressed"
		]),
		failFast: bool("fail-fast"),
		retries: readCount("retries", raw("retries"), {
			most: MOST_RETRIES,
			problems
		}),
		cacheFrom: lines("cache-from"),
		cacheTo: lines("cache-to"),
		skipUnchanged: oneOf("skip-unchanged", [
			"auto",
			"true",
			"false"
		]),
		volatileLabels: commas("volatile-labels"),
		cache: oneOf("cache", [
			"auto",
			"read-write",
			"read-only",
			"off"
		]),
		cacheBackend: oneOf("cache-backend", [
			"auto",
			"github",
			"directory"
		]),
		cacheDir: text("cache-dir") === void 0 ? void 0 : resolve$1(raw("cache-dir")),
		cacheScope: raw("cache-scope"),
		cacheMaxSize: readBytes("cache-max-size", raw("cache-max-size"), problems),
		cacheMounts: oneOf("cache-mounts", ["auto", "off"]),
		cacheMountsMaxSize: readBytes("cache-mounts-max-size", raw("cache-mounts-max-size"), problems),
		comment: oneOf("comment", [
			"size-changed",
			"always",
			"over-budget",
			"never"
		]),
		sizeBudgets: lines("size-budgets"),
		baseline: text("baseline"),
		githubToken: text("github-token"),
		jobTotal: /^\d{1,6}$/.test(raw("job-total")) ? Number(raw("job-total")) : 0
	};
	problems.push(...parseSizeBudgets(inputs.sizeBudgets, void 0).problems);
	if (text("call") !== void 0) problems.push({
		input: "call",
		message: `\`call\`: \`${shown$1(raw("call"))}\` is not supported: stage-build builds and reports.`,
		mend: "Remove `call`; to check a Dockerfile without building it use `mode: plan`."
	});
	const warnings = checkCombinations(inputs, raw, {
		problems,
		eventName: env["GITHUB_EVENT_NAME"]
	});
	throwIfAny(problems);
	return {
		inputs,
		warnings: [...warnings, ...inputs.mode === "build" ? empty : []]
	};
}

// src/cache/entry-files.ts
/**
* What an entry of the cache may be called and may hold: a directory with a few regular files and nothing else. Both
* backends check it on the way in and out, since others may have written what they find.
*/
const KEY$1 = /^[a-z0-9-]{1,512}$/;
const FILE$1 = /^[a-z0-9._-]{1,255}$/;
const PATH = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/;
const MAX_FILES$1 = 1e3;
function isEntryKey(key) {
	return KEY$1.test(key);
}
/** What is wrong with a request, or undefined. */
function placeFault({ key, path }, prefixes = []) {
	if (![key, ...prefixes].every(isEntryKey)) return "a key of the cache has letters that it must not have";
	if (!PATH.test(path)) return `${JSON.stringify(path)} is no path of a cache entry`;
}
/**
* The names of an entry's files.
* @throws ENOENT when it is not there; Error when it is no directory, or holds anything but regular files with plain names.
*/
async function entryFiles(directory) {
	if (!(await lstat$1(directory)).isDirectory()) throw new Error("the entry is no directory");
	const found = await readdir$1(directory, { withFileTypes: true });
	if (found.length > MAX_FILES$1) throw new Error(`the entry has ${found.length} files`);
	for (const file of found) if (!file.isFile() || !FILE$1.test(file.name) || file.name === "." || file.name === "..") throw new Error(`the entry holds ${JSON.stringify(file.name)}, which is no plain file`);
	return found.map(({ name }) => name);
}
/**
* Moves an entry's files to a directory on the same file system, in place of those of the same names. Others there stay: the
* indexes of several branches come into one directory, side by side.
*/
async function moveInto(directory, place) {
	await mkdir$1(place, { recursive: true });
	for (const name of await readdir$1(directory)) await rename$1(join(directory, name), join(place, name));
	await rm$1(directory, {
		recursive: true,
		force: true
	});
}

// src/cache/directory-entry.ts
/** One entry of a cache directory: `KEY/files/…`. The time of `KEY` is its last use, that of `files` its creation. */
const FILES = "files";
/** Linking is not possible here; a copy may be. EPERM: of another user's file, or a file system without links. */
const NO_LINK = [
	"EXDEV",
	"EPERM",
	"EMLINK",
	"ENOTSUP",
	"EOPNOTSUPP",
	"ENOSYS"
];
/** A name that nobody has; it begins with a dot, as no path and no key of an entry does. */
function temporaryName() {
	return `.stage-build-${process.pid}-${randomBytes(8).toString("hex")}`;
}
/**
* Lays an entry out at a new place, ready to be renamed.
* @throws ENOENT without a source; Error when the source is no entry, or larger than `maxBytes`.
*/
async function writeEntry(source, place, created, maxBytes) {
	await lstat$1(source);
	await mkdir$1(join(place, FILES), { recursive: true });
	await copyFiles(source, join(place, FILES));
	if (await entryBytes(place) > maxBytes) throw new EntryTooLargeError();
	await utimes(join(place, FILES), created, created);
}
var EntryTooLargeError = class extends Error {};
/**
* Puts an entry's files into a new directory: all of them, or it throws.
* @throws ENOENT when the entry is not there, or goes meanwhile.
*/
async function readEntry(entry, directory) {
	const files = join(entry, FILES);
	const before = await stat$1(files);
	await mkdir$1(directory);
	await copyFiles(files, directory);
	const after = await stat$1(files);
	if (after.ino !== before.ino || after.mtimeMs !== before.mtimeMs) throw Object.assign(/* @__PURE__ */ new Error("the entry was replaced"), { code: "ENOENT" });
	await entryFiles(directory);
}
async function copyFiles(from, to) {
	for (const name of await entryFiles(from)) try {
		await link(join(from, name), join(to, name));
	} catch (error) {
		if (!NO_LINK.includes(errorCode(error) ?? "")) throw error;
		await copyFile$1(join(from, name), join(to, name), constants$2.COPYFILE_EXCL | constants$2.COPYFILE_FICLONE);
	}
}
/** When an entry was saved, in ms; undefined when it is gone. */
async function creationTime(entry) {
	return (await stat$1(join(entry, FILES)).catch(() => void 0))?.mtimeMs;
}
/** Σ of an entry's files; of one that is going, what is left. */
async function entryBytes(entry) {
	const names = await readdir$1(join(entry, FILES)).catch(() => []);
	return (await Promise.all(names.map(async (name) => (await stat$1(join(entry, FILES, name)).catch(() => void 0))?.size))).reduce((sum, size) => sum + (size ?? 0), 0);
}
/** The keys in a scope's folder; none without the folder. */
async function entryKeys(folder) {
	try {
		return (await readdir$1(folder)).filter(isEntryKey);
	} catch (error) {
		if (errorCode(error) !== "ENOENT") throw error;
		return [];
	}
}
/** Removes a directory and never fails. */
async function discard$1(directory) {
	await rm$1(directory, {
		recursive: true,
		force: true
	}).catch(() => void 0);
}

// src/cache/directory-eviction.ts
/** Keeps a cache directory within its bound, beside other processes that do the same. */
/** In the base folder: what is being written, or on its way out. No scope's name begins with a dot. */
const TEMPORARY = ".tmp";
const LEFTOVER_MS = 36e5;
/** Removes what processes left that were killed while they wrote or removed an entry. */
async function removeLeftovers(base, now) {
	const folder = join(base, TEMPORARY);
	for (const name of await readdir$1(folder)) {
		const about = await stat$1(join(folder, name)).catch(() => void 0);
		if (about !== void 0 && now.getTime() - about.mtimeMs > LEFTOVER_MS) await discard$1(join(folder, name));
	}
}
/** Removes the least recently used entries while all take more than `maxBytes`. */
async function evict(base, maxBytes, debug) {
	const entries = await listEntries(base);
	let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
	for (const { key, place, bytes } of entries.sort((a, b) => a.used - b.used)) {
		if (total <= maxBytes) return;
		total -= bytes;
		const away = join(base, TEMPORARY, temporaryName());
		if (!await rename$1(place, away).then(() => true, () => false)) continue;
		debug(`${key} is evicted from the cache (${bytes} bytes)`);
		await discard$1(away);
	}
}
async function listEntries(base) {
	const entries = [];
	for (const scope of await readdir$1(base)) {
		if (scope === ".tmp") continue;
		for (const key of await entryKeys(join(base, scope))) {
			const place = join(base, scope, key);
			const about = await stat$1(place).catch(() => void 0);
			if (about !== void 0) entries.push({
				key,
				place,
				bytes: await entryBytes(place),
				used: about.mtimeMs
			});
		}
	}
	return entries;
}

// src/cache/directory-backend.ts
/**
* The layer cache in a directory, for runs away from GitHub and for self-hosted runners. Several processes use it at once
* without locks: an entry appears and goes by one `rename`, and its files are never changed.
*
*     directory/v1/SCOPE/KEY/files/…   entries (`directory-entry.ts`)
*     directory/v1/.tmp/…              being written, or on its way out
*
* The scopes are GitHub's: a run finds its own branch's entries, the base branch's and the default branch's, and writes
* only its own. Who can write to the directory itself can do as they like, so untrusted builds must not share it.
*/
const EXISTS = {
	kind: "failed",
	why: "exists",
	reason: "the cache has an entry of this key already"
};
/**
* A cache in a directory. What it restores may be the same files as in the cache, by hard link: they must not be
* written to, only read, replaced or deleted.
*/
function openDirectoryBackend(options) {
	return new DirectoryBackend(options);
}
var DirectoryBackend = class {
	kind = "directory";
	#options;
	#base;
	#now;
	#debug;
	#lastTime = 0;
	constructor(options) {
		this.#options = options;
		this.#base = join(options.directory, "v1");
		this.#now = options.now ?? (() => /* @__PURE__ */ new Date());
		this.#debug = options.debug ?? (() => void 0);
	}
	async restore(request) {
		return await this.#find(request, async (entry) => {
			const fresh = join(this.#options.root, temporaryName());
			try {
				await readEntry(entry, fresh);
				await moveInto(fresh, join(this.#options.root, request.path));
			} finally {
				await discard$1(fresh);
			}
		});
	}
	async lookUp(request) {
		return await this.#find(request, async (entry) => {
			await stat$1(entry);
		});
	}
	async save({ key, path }) {
		const fault = placeFault({
			key,
			path
		});
		if (fault !== void 0) return {
			kind: "failed",
			why: "other",
			reason: fault
		};
		if (!this.#options.mayWrite) return {
			kind: "failed",
			why: "denied",
			reason: "this run may not write to the cache"
		};
		const scope = join(this.#base, scopeName(this.#options.scopes.own));
		const place = join(scope, key);
		const fresh = join(this.#base, TEMPORARY, temporaryName());
		try {
			if (await creationTime(place) !== void 0) return EXISTS;
			await mkdir$1(scope, { recursive: true });
			await writeEntry(join(this.#options.root, path), fresh, this.#time(), this.#options.maxBytes);
			await this.#touch(fresh);
			await rename$1(fresh, place);
		} catch (error) {
			await discard$1(fresh);
			return this.#failure(error);
		}
		await this.#tidy();
		return { kind: "saved" };
	}
	close() {
		return Promise.resolve();
	}
	/** Takes the entry that a request asks for. One that vanishes meanwhile was not there. */
	async #find(request, take) {
		const { key, prefixes = [] } = request;
		const fault = placeFault(request, prefixes);
		if (fault !== void 0) return {
			kind: "failed",
			reason: fault
		};
		try {
			for (const scope of this.#options.scopes.readable) {
				const folder = join(this.#base, scopeName(scope));
				for await (const found of candidates(folder, key, prefixes)) {
					try {
						await take(join(folder, found));
					} catch (error) {
						if (errorCode(error) !== "ENOENT") throw error;
						continue;
					}
					await this.#touch(join(folder, found));
					return {
						kind: "hit",
						key: found
					};
				}
			}
			return { kind: "miss" };
		} catch (error) {
			const isSpoilt = errorCode(error) === void 0;
			return {
				kind: "failed",
				reason: this.#failure(error).reason,
				...isSpoilt && { isSpoilt }
			};
		}
	}
	/** The time, but later each time: of two uses in one millisecond the second is the later one, too. */
	#time() {
		this.#lastTime = Math.max(this.#now().getTime(), this.#lastTime + 1);
		return new Date(this.#lastTime);
	}
	/** Notes that an entry was used. */
	async #touch(entry) {
		const time = this.#time();
		await utimes(entry, time, time).catch(() => void 0);
	}
	async #tidy() {
		try {
			await removeLeftovers(this.#base, this.#now());
			await evict(this.#base, this.#options.maxBytes, this.#debug);
		} catch (error) {
			this.#debug(`the cache could not be tidied: ${this.#failure(error).reason}`);
		}
	}
	#failure(error) {
		const code = errorCode(error) ?? "";
		const { directory } = this.#options;
		if (code === "EEXIST" || code === "ENOTEMPTY") return EXISTS;
		if (error instanceof EntryTooLargeError) return {
			kind: "failed",
			why: "limited",
			reason: "the entry is larger than the whole cache may be"
		};
		if (code === "ENOSPC" || code === "EDQUOT") return {
			kind: "failed",
			why: "limited",
			reason: `there is no room left in ${directory}`
		};
		const message = error instanceof Error ? error.message : String(error);
		return {
			kind: "failed",
			why: "other",
			reason: {
				EACCES: `the cache’s directory ${directory} may not be used by this user`,
				EPERM: `the cache’s directory ${directory} may not be used by this user`,
				EROFS: `the cache’s directory ${directory} is on a file system that cannot be written to`,
				ENOTDIR: `the cache’s directory ${directory} is no directory`
			}[code] ?? `the cache in ${directory} failed: ${message}`
		};
	}
};
/** A scope is a ref, with slashes and letters of all kinds; and a file system may not tell `A` from `a`. */
function scopeName(scope) {
	return createHash("sha256").update(scope).digest("hex").slice(0, 32);
}
/** The keys of a scope that answer a request, the best first. */
async function* candidates(folder, key, prefixes) {
	yield key;
	if (prefixes.length === 0) return;
	const keys = await entryKeys(folder);
	for (const prefix of prefixes) {
		const found = [];
		for (const name of keys.filter((other) => other.startsWith(prefix))) {
			const created = await creationTime(join(folder, name));
			if (created !== void 0) found.push({
				name,
				created
			});
		}
		for (const { name } of found.sort((a, b) => b.created - a.created)) yield name;
	}
}

// src/cache/github-breaker.ts
/**
* Spares a run the long wait for a service that is down: the toolkit tries each call for half a minute. After a call
* without an answer, or two failures in a row, calls are answered at once for a while; then one may try again.
*/
var CircuitBreaker = class {
	#pauseMs;
	#failures = 0;
	/** By `performance.now()`; while it lies ahead nothing is tried. */
	#pausedUntil = 0;
	#cause = "";
	constructor(pauseMs) {
		this.#pauseMs = pauseMs;
	}
	/** Why a call should not be tried now, or undefined; then its outcome must be told. */
	get pause() {
		const now = performance.now();
		if (now < this.#pausedUntil) return `the cache service is down (${this.#cause})`;
		if (this.#pausedUntil > 0) this.#pausedUntil = now + this.#pauseMs;
	}
	succeeded() {
		this.#failures = 0;
		this.#pausedUntil = 0;
	}
	/** @param atOnce a call without an answer. */
	failed(cause, atOnce = false) {
		this.#failures++;
		this.#cause = cause;
		if (atOnce || this.#failures >= 2) this.#pausedUntil = performance.now() + this.#pauseMs;
	}
};

// src/backoff.ts
/**
* How long to wait before something is tried again: one rule for the build, registries and the cache service. A leaf, as
* `errors.ts` is.
*/
/** Seconds. Who asks to wait longer than this (Docker Hub's pull limit: hours) will not be better in time. */
const LONGEST_ASKED$1 = 60;
const FIRST_MS = 2e3;
const LONGEST_MS = 3e4;
/**
* Milliseconds to wait before a retry: what the server asked for, or twice as long each time; with jitter, so that jobs
* that failed together do not come back together. Undefined where the server asks for too long a wait.
* @param retry the first is 1
*/
function waitBeforeRetry(retry, { retryAfter, random = Math.random }) {
	if (retryAfter === void 0) return Math.min(LONGEST_MS, FIRST_MS * 2 ** (retry - 1)) * (.5 + random() / 2);
	return retryAfter > 60 ? void 0 : retryAfter * 1e3 + random() * Math.min(1e3, retryAfter * 100);
}
/** `Retry-After` as seconds or as a date, in seconds. RFC 9110 §10.2.3 */
function retryAfterSeconds(value, now) {
	if (value === void 0) return void 0;
	if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value);
	const date = Date.parse(value);
	return Number.isNaN(date) ? void 0 : Math.max(0, Math.ceil((date - now) / 1e3));
}
/**
* Waits.
* @throws AbortError as soon as the signal is aborted
*/
async function pause(milliseconds, signal) {
	await setTimeout$1(milliseconds, void 0, signal === void 0 ? {} : { signal });
}
/** `↻ app: retry 1 of 2 in 1.4 s: ghcr.io answered 503 Service Unavailable` */
function retryLine(notice) {
	const { what, why, retry, retries, waitMs, retryAfter, others = [] } = notice;
	const asked = retryAfter === void 0 ? "" : `, and asked to wait ${retryAfter} s`;
	return `↻ ${what}: retry ${retry} of ${retries} ${`in ${(waitMs / 1e3).toFixed(1)} s${others.length === 0 ? "" : `, after ${others.join(", ")}`}`}: ${why}${asked}`;
}

// src/cache/service-patience.ts
/**
* Waiting for a cache service that is busy. Calls that are refused at the same time wait together, and a line of the log
* says so once. What the toolkit tries again by itself (5xx) is told in the same way.
*/
/** Seconds. A build without its cache is not as bad as a longer wait for it. */
const LONGEST_ASKED = 15;
const WHAT = "Layer cache";
var ServicePatience = class {
	#options;
	#end = new AbortController();
	#ended;
	#told = /* @__PURE__ */ new Set();
	#rest;
	constructor(options) {
		this.#options = options;
		const { signal } = options;
		this.#ended = signal === void 0 ? this.#end.signal : AbortSignal.any([signal, this.#end.signal]);
	}
	/**
	* Waits before a call is tried again; false where it should not be.
	* @param retry the first is 1
	* @param failure a clause
	*/
	async wait(retry, { failure, retryAfter }) {
		const { retries, log, random } = this.#options;
		if (retry > retries || this.#ended.aborted || (retryAfter ?? 0) > LONGEST_ASKED) return false;
		if (this.#rest !== void 0) return await this.#rest;
		const waitMs = waitBeforeRetry(retry, {
			retryAfter,
			random
		});
		if (waitMs === void 0) return false;
		log(retryLine({
			what: WHAT,
			why: failure,
			retry,
			retries,
			waitMs,
			retryAfter
		}));
		const rest = pause(waitMs, this.#ended).then(() => true, () => false);
		this.#rest = rest;
		const isOver = await rest;
		this.#rest = void 0;
		return isOver;
	}
	/**
	* Takes what the toolkit prints; what it tries again by itself is a line, once.
	* https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/shared/cacheTwirpClient.ts (retryableRequest)
	*/
	hear(line) {
		const said = /^Attempt (\d+) of (\d+) failed with error: (.*)\. Retrying request in (\d+) ms/.exec(line);
		const [, attempt, attempts, error = "", waitMs] = said ?? [];
		const key = `${attempt ?? ""} ${error}`;
		if (said === null || this.#told.has(key)) return;
		this.#told.add(key);
		const counted = {
			retry: Number(attempt),
			retries: Number(attempts) - 1,
			waitMs: Number(waitMs)
		};
		this.#options.log(retryLine({
			what: WHAT,
			why: `the service failed (${error})`,
			...counted,
			retryAfter: void 0
		}));
	}
	/** Nobody waits any longer. */
	end() {
		this.#end.abort();
	}
};

// src/cache/github-tar.ts
/**
* The `tar` that `@actions/cache` finds. The toolkit unpacks with `-P`, by which an archive may write anywhere: absolute
* names, `..`, a file through a symbolic link that came before it. Here an archive is unpacked without it, into a new
* folder beside the archive; what is not a plain file there is refused afterwards (`entry-files.ts`).
* https://github.com/actions/toolkit/blob/main/packages/cache/src/internal/tar.ts
*/
/** The folder, beside the archive, that it is unpacked into. */
const UNPACKED = "unpacked";
/** macOS may have GNU's tar by the second name, and the toolkit prefers it. */
const NAMES = ["tar", "gtar"];
/** A file may not grow beyond this, whatever the archive says: 1 GiB, and 64 bytes for each byte of the archive. */
const limit = "$(( (1 << 21) + $(wc -c < \"$archive\") / 8 ))";
function script(tar) {
	return `#!/bin/sh
# Packs as it is told; unpacks only as @actions/cache asks for it, without -P and into a folder of its own.
tar=${quote(tar)}
case "$1" in
--posix|--version) exec "$tar" "$@" ;;
-xf) ;;
*) echo "tar: refused: $*" >&2; exit 64 ;;
esac
archive=$2
if [ "$3" != -P ] || [ "$4" != -C ]; then echo "tar: refused: $*" >&2; exit 64; fi
shift 5
mkdir "\${archive%/*}/${UNPACKED}" && ulimit -f "${limit}" || exit 1
exec "$tar" -xf "$archive" --no-same-owner --no-same-permissions -C "\${archive%/*}/${UNPACKED}" "$@"
`;
}
function quote(text) {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
/** With threads it takes 20 MB more, and no less time: what it packs is compressed already. */
function zstdScript(zstd) {
	return `#!/bin/sh\nexec ${quote(zstd)} --single-thread "$@"\n`;
}
/**
* Writes the shim for each `tar` on a PATH into a folder, and one for the `zstdmt` that the toolkit packs with.
* @returns whether there is a `tar`.
*/
async function writeTarShims(folder, path) {
	await mkdir$1(folder, { recursive: true });
	let found = false;
	for (const name of NAMES) {
		const tar = findProgram(name, path);
		if (tar === void 0) continue;
		await writeFile$1(join(folder, name), script(tar), { mode: 493 });
		found = true;
	}
	const zstd = findProgram("zstd", path);
	if (zstd !== void 0) await writeFile$1(join(folder, "zstdmt"), zstdScript(zstd), { mode: 493 });
	return found;
}

// src/cache/github-backend.ts
/**
* The cache of GitHub Actions, by `@actions/cache` in a child process (`cache-client.ts`), which is started for the
* first call and ended when a call outlives its time: the toolkit cannot be cancelled.
*/
/** In the session's folder; no entry's path begins with a dot. */
const HOME = ".cache-client";
const PAUSE_MS = 6e4;
/** The toolkit's heap is small; what it transfers lies outside of it, and is swept by the client itself. */
const NODE_FLAGS$1 = [
	"--max-semi-space-size=1",
	"--max-old-space-size=64",
	"--v8-pool-size=1"
];
/** What the toolkit reads, and what finds and trusts the service. The user's secrets are not among it. */
const PASSED_ON$1 = [
	"ACTIONS_CACHE_MODE",
	"ACTIONS_CACHE_SERVICE_V2",
	"ACTIONS_CACHE_URL",
	"ACTIONS_ORCHESTRATION_ID",
	"ACTIONS_RESULTS_URL",
	"ACTIONS_RUNTIME_TOKEN",
	"GITHUB_SERVER_URL",
	"HOME",
	"NODE_EXTRA_CA_CERTS",
	"NODE_TLS_REJECT_UNAUTHORIZED",
	"SSL_CERT_DIR",
	"SSL_CERT_FILE",
	...[
		"http_proxy",
		"https_proxy",
		"no_proxy"
	].flatMap((name) => [name, name.toUpperCase()])
];
/** GitHub's cache service. Starts nothing before the first call. */
function openGithubBackend(options) {
	return new GithubBackend(options);
}
var GithubBackend = class {
	kind = "github";
	#options;
	#breaker;
	#patience;
	#client;
	/** Ends of all clients, also of those that were killed before. */
	#ends = [];
	#lastId = 0;
	#closed = false;
	constructor(options) {
		this.#options = options;
		this.#breaker = new CircuitBreaker(options.pauseMs ?? PAUSE_MS);
		const { retries = 0, log = () => void 0, signal } = options;
		this.#patience = new ServicePatience({
			retries,
			log,
			signal
		});
	}
	async restore(request) {
		return restoreResult(await this.#call("restore", request, request.prefixes));
	}
	async lookUp(request) {
		return restoreResult(await this.#call("lookUp", request, request.prefixes));
	}
	async save(request) {
		const outcome = await this.#call("save", request);
		if (outcome.kind === "saved") return outcome;
		if (outcome.kind !== "failed") return {
			kind: "failed",
			why: "other",
			reason: UNEXPECTED$1
		};
		const { why, reason } = outcome;
		return {
			kind: "failed",
			why: why === "service" || why === "entry" ? "other" : why,
			reason
		};
	}
	async close() {
		this.#closed = true;
		this.#patience.end();
		(await this.#client?.catch(() => void 0))?.child.kill();
		await Promise.all(this.#ends);
		await rm$1(join(this.#options.root, HOME), {
			recursive: true,
			force: true
		}).catch(() => void 0);
	}
	async #call(op, place, prefixes = []) {
		const fault = placeFault(place, prefixes) ?? this.#fault();
		if (fault !== void 0) return service(fault);
		for (let retry = 1;; retry++) {
			const outcome = await this.#try(op, place, prefixes);
			const passing = outcome.kind === "failed" ? outcome.passing : void 0;
			if (passing === void 0 || !await this.#patience.wait(retry, passing)) return this.#counted(outcome);
		}
	}
	/** Tells the breaker of what is not tried again. */
	#counted(outcome) {
		if (outcome.kind === "failed" && outcome.passing !== void 0 && outcome.why === "service") this.#breaker.failed(outcome.reason);
		return outcome;
	}
	async #try(op, place, prefixes) {
		const pause = this.#breaker.pause;
		if (pause !== void 0) return service(pause);
		let outcome;
		try {
			const client = await (this.#client ??= this.#start());
			const { key, path } = place;
			outcome = await this.#ask(client, {
				id: ++this.#lastId,
				op,
				key,
				path,
				prefixes
			}, place.timeoutMs);
		} catch (error) {
			this.#client = void 0;
			outcome = service(error instanceof Error ? error.message : String(error));
			this.#breaker.failed(outcome.reason);
		}
		return outcome;
	}
	/** What makes every call vain. */
	#fault() {
		if (this.#closed) return "the cache is closed";
		if (/[\s"'\\]/.test(this.#options.root)) return `@actions/cache cannot work in the folder ${this.#options.root}`;
	}
	async #ask(client, request, timeoutMs) {
		if (client.isDying) return service("the cache client was ended");
		return await new Promise((resolve) => {
			const timer = setTimeout(() => {
				const outcome = service(`no answer within ${Math.round(timeoutMs / 100) / 10} s`);
				this.#breaker.failed(outcome.reason, true);
				client.waiting.delete(request.id);
				resolve(outcome);
				this.#end(client);
			}, timeoutMs);
			client.waiting.set(request.id, {
				settle: resolve,
				timer
			});
			client.child.send(request);
		});
	}
	/** Ends a client; the next call starts another. */
	#end(client) {
		if (client.isDying) return;
		client.isDying = true;
		this.#client = void 0;
		client.child.kill();
	}
	async #start() {
		const { root, env, clientPath, debug = () => void 0 } = this.#options;
		const patience = this.#patience;
		const home = join(root, HOME, String(++this.#lastId));
		const temp = join(home, "temp");
		await mkdir$1(temp, { recursive: true });
		const path = env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
		const bin = join(home, "bin");
		if (!await writeTarShims(bin, path)) throw new Error("there is no tar on PATH, which @actions/cache needs");
		const waiting = /* @__PURE__ */ new Map();
		const { promise: ended, resolve: tellEnd } = Promise.withResolvers();
		const child = startChild(clientPath, NODE_FLAGS$1, {
			cwd: root,
			env: {
				...Object.fromEntries(PASSED_ON$1.flatMap((name) => env[name] === void 0 ? [] : [[name, env[name]]])),
				PATH: `${bin}${delimiter}${path}`,
				GITHUB_WORKSPACE: root,
				RUNNER_TEMP: temp,
				TMPDIR: temp,
				LC_ALL: "C",
				ZSTD_CLEVEL: "1",
				MALLOC_ARENA_MAX: "2",
				MALLOC_MMAP_THRESHOLD_: "65536"
			},
			onLine: (line) => {
				debug(line);
				patience.hear(line);
			},
			onMessage: (message) => {
				const { id, outcome } = message;
				this.#take(waiting, id, outcome);
			},
			onEnd: (how) => {
				debug(`the cache client ${how}`);
				const isOurs = client.isDying || this.#closed;
				this.#end(client);
				const outcome = service(`the cache client ${how}`);
				if (!isOurs && waiting.size > 0) this.#breaker.failed(outcome.reason);
				for (const { settle, timer } of waiting.values()) {
					clearTimeout(timer);
					settle(outcome);
				}
				waiting.clear();
				rm$1(home, {
					recursive: true,
					force: true
				}).catch(() => void 0).finally(() => {
					tellEnd(void 0);
				});
			}
		});
		const client = {
			child,
			waiting,
			isDying: false
		};
		this.#ends.push(ended);
		debug(`the cache client runs as process ${String(child.pid)}`);
		return client;
	}
	#take(waiting, id, outcome) {
		const call = waiting.get(id);
		if (call === void 0) return;
		waiting.delete(id);
		clearTimeout(call.timer);
		if (outcome.kind === "failed" && outcome.why === "service") {
			if (outcome.passing !== void 0) {
				call.settle(outcome);
				return;
			}
			this.#breaker.failed(outcome.reason, /\b(?:ECONNREFUSED|ENOTFOUND|EHOSTUNREACH)\b/.test(outcome.reason));
		} else if (outcome.kind !== "failed" || outcome.why !== "entry") this.#breaker.succeeded();
		call.settle(outcome);
	}
};
const UNEXPECTED$1 = "the cache client gave an answer to another question";
function service(reason) {
	return {
		kind: "failed",
		why: "service",
		reason
	};
}
function restoreResult(outcome) {
	if (outcome.kind === "saved") return {
		kind: "failed",
		reason: UNEXPECTED$1
	};
	if (outcome.kind !== "failed") return outcome;
	const { why, reason } = outcome;
	return {
		kind: "failed",
		reason,
		...why === "entry" && { isSpoilt: true }
	};
}

// src/cache-backends.ts
/** Which cache backend a run uses. A choice is plain data, so that the post step makes the same one again. */
/** Beside `dist/index.js`; run from `src/` it is the same file. */
const CLIENT = new URL("../dist/cache-client.js", import.meta.url);
/** Whether GitHub's cache service can be reached: the runner tells steps of actions where it is. */
function serviceIsHere(env) {
	return [env["ACTIONS_RESULTS_URL"], env["ACTIONS_CACHE_URL"]].some((value) => value !== void 0 && value !== "") && (env["ACTIONS_RUNTIME_TOKEN"] ?? "") !== "";
}
function openBackend(choice, options) {
	const { root, env, debug, log, retries, signal } = options;
	if (choice.kind === "github") return openGithubBackend({
		root,
		env,
		debug,
		log,
		retries,
		signal,
		clientPath: fileURLToPath(CLIENT)
	});
	const { directory, refs, mayWrite, maxBytes } = choice;
	const scopes = {
		own: refs[0] ?? "",
		readable: refs
	};
	return openDirectoryBackend({
		root,
		directory,
		scopes,
		mayWrite,
		maxBytes,
		debug
	});
}

// src/cache/cache-keys.ts
/**
* What entries are called, whose a run may read, and whether it may write: GitHub's rules for scopes, which the directory
* backend keeps, too. Pure, but for random names.
* https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching#restrictions-for-accessing-a-cache
*/
/** The refs whose caches a run may read, its own first, each once. */
function cacheScopes(env, { defaultBranch }) {
	const own = given$1(env["GITHUB_REF"]) ?? "local";
	const base = given$1(env["GITHUB_BASE_REF"]);
	const scopes = [{
		source: "own",
		ref: own
	}];
	const add = (source, branch) => {
		const ref = `refs/heads/${branch ?? ""}`;
		if (branch !== void 0 && !scopes.some((scope) => scope.ref === ref)) scopes.push({
			source,
			ref
		});
	};
	add("base", base);
	add("default", defaultBranch);
	return scopes;
}
/**
* Events that outsiders can cause and that run in the default branch's scope: GitHub gives them a token that only reads.
* https://github.blog/changelog/2026-06-26 (read-only caches for untrusted triggers)
*/
const UNTRUSTED_EVENTS = [
	"pull_request_target",
	"issue_comment",
	"workflow_run"
];
/** Whether a run saves what it built (DESIGN §4, `cache`). */
function mayWrite({ mode, eventName = "", ref, isFork, backend }) {
	if (mode === "off" || mode === "read-only") return false;
	if (backend === "directory" && (isFork || UNTRUSTED_EVENTS.includes(eventName))) return false;
	if (mode === "read-write") return true;
	return !ref.startsWith("refs/tags/") && eventName !== "merge_group" && !UNTRUSTED_EVENTS.includes(eventName);
}
function indexKeys(question) {
	const { ref, targets, platforms } = question;
	const anyLeg = `sb1-index-${identityHash(question)}-${hash$1([ref])}-`;
	return {
		anyLeg,
		prefix: `${anyLeg}${hash$1([[...targets].sort(), [...platforms].sort()])}-`
	};
}
/**
* A key that no entry had before: a save that was killed leaves its key reserved. Of one commit, later keys sort after
* earlier ones.
*/
function newIndexKey(prefix, { now, commit }) {
	return `${commitPrefix(prefix, commit)}${now.toString(16).padStart(12, "0")}-${randomBytes(4).toString("hex")}`;
}
/** What the keys of the indexes begin with that runs of a commit left. */
function commitPrefix(prefix, commit) {
	return `${prefix}${/^[0-9a-f]{12}/.exec(commit ?? "")?.[0] ?? "none"}-`;
}
/** What the keys of a project's packs begin with. */
function packPrefix(identity) {
	return `sb1-pack-${identityHash(identity)}-`;
}
/** `sb1-index-PROJECT-REF-TARGETS-COMMIT-TIME-RANDOM` */
const INDEX_KEY = /^(sb1-index-([0-9a-f]{16})-[0-9a-f]{16}-[0-9a-f]{16})-([0-9a-f]{12}|none)-[0-9a-f]{12,}-[0-9a-f]{8}$/;
/** `sb1-pack-PROJECT-RANDOM` */
const PACK_KEY = /^sb1-pack-([0-9a-f]{16})-([0-9a-f]{32})$/;
/**
* Where the blobs of an entry lie, relative to the session's folder: a pack's, or those that came with an index. Undefined
* for what is neither.
*/
function blobsPath(key) {
	const id = INDEX_KEY.test(key) ? shortHash(key) : PACK_KEY.exec(key)?.[2];
	return id === void 0 ? void 0 : `packs/${id}`;
}
/** The name of an index's file. Several are unpacked into one directory, so it hangs on the key. */
function indexFile(key) {
	return `${shortHash(key)}.json`;
}
/** The path that an entry is saved from: of all indexes the same, or GitHub's service would not find one for another. */
const INDEX_PATH = "index";
function newPack(prefix) {
	const id = randomBytes(16).toString("hex");
	return {
		key: `${prefix}${id}`,
		path: `packs/${id}`
	};
}
function identityHash({ id, scope }) {
	return hash$1([id, scope]);
}
function shortHash(text) {
	return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
function hash$1(parts) {
	return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
function given$1(text) {
	return text === "" ? void 0 : text;
}

// src/build/cache-trouble.ts
const UNREACHABLE = {
	message: "The builder could not reach the registry of this step on loopback: there is no layer cache, and sizes come from elsewhere or are unknown.",
	mend: "Let stage-build choose the builder, or create yours with `driver-opts: network=host`."
};
const CACHE_MISSING = "Cached layers could not be had when the build needed them";
/** Whether `build` told of trouble with the layer cache. */
function tellsOfCache(problems) {
	return problems.some((problem) => problem === UNREACHABLE || problem.message.startsWith("Cached layers could not be had when the build needed them"));
}

// src/build/output-text.ts
/**
* What the commands of a build print, made fit for a log: bytes → whole lines, masked, without control sequences, and
* harmless to the runner. Everything here is untrusted: a RUN may print anything.
*/
/** A line is masked whole and then cut for show, so that a secret never straddles the cut. */
const LONGEST_LINE = 65536;
const LONGEST_SHOWN = 2e3;
/** Collects lines; keeps the last `keep`, calls `onLine` for each. */
function outputLines(keep, mask, onLine) {
	const tail = [];
	const streams = /* @__PURE__ */ new Map();
	const emit = (raw) => {
		const line = cut(shownText(mask, lastOverwrite(raw)));
		tail.push(line);
		if (tail.length > keep) tail.shift();
		onLine(line);
	};
	return {
		push: (stream, data) => {
			const state = streams.get(stream) ?? {
				decoder: new StringDecoder("utf8"),
				rest: ""
			};
			streams.set(stream, state);
			const lines = (state.rest + state.decoder.write(data)).split("\n");
			state.rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
			lines.forEach(emit);
		},
		end: () => {
			for (const state of streams.values()) {
				const rest = state.rest + state.decoder.end();
				state.rest = "";
				if (rest !== "") emit(rest);
			}
		},
		tail: () => [...tail]
	};
}
/** A progress bar overwrites its line with carriage returns; what stood there last is what a terminal shows. */
function lastOverwrite(line) {
	return line.split("\r").findLast((part) => part !== "") ?? "";
}
function cut(line) {
	return line.length <= LONGEST_SHOWN ? line : `${line.slice(0, LONGEST_SHOWN)}…`;
}
/**
* Untrusted text as it may be shown on one line: masked, without control characters, harmless to the runner. Control
* characters go first, lest a secret that they cut in two is put together again after the masking.
*/
function shownText(mask, text) {
	return harmless$1(mask(withoutControls(text)));
}
/** Text without control characters and terminal sequences other than colours. */
function withoutControls(text) {
	return text.replaceAll(/\x1b\[(?![0-9;]*m)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b(?!\[)./g, "").replaceAll(/[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f\x85\u2028\u2029]/g, "");
}
/**
* Takes out what the runner would read as a command: it reads `::name::` only at the start of a line (so lines must
* be prefixed, which `progress-log.ts` does), but `##[name]` anywhere.
* https://github.com/actions/runner/blob/079cdb1d05fe0ec50f8c51de5a4fa51d0eb189b0/src/Runner.Common/ActionCommand.cs
*/
function harmless$1(text) {
	return text.replaceAll("##[", "#​#[");
}

// src/build/stage-layout.ts
/** https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/dockerfile2llb/convert.go (cmdTotal) */
const COUNTED = /* @__PURE__ */ new Set([
	"RUN",
	"COPY",
	"ADD",
	"WORKDIR"
]);
/**
* The layout of a parsed Dockerfile.
* @param where its file, what stands above it there, and its stages' numbers in the graph, where that is of several files; which are based on a named
* context
*/
function layoutOf(dockerfile, { file, above, stages, onContext } = {}) {
	return dockerfile.stages.map(({ from, instructions }, place) => ({
		...stages === void 0 ? { index: place } : {
			index: stages[place] ?? place,
			place
		},
		...file === void 0 ? {} : { file },
		...above === void 0 ? {} : { above },
		...onContext?.has(place) === true ? { onContext: true } : {},
		name: from.name,
		from: {
			line: from.line,
			endLine: from.endLine
		},
		counted: instructions.filter((instruction) => COUNTED.has(instruction.keyword)).map(({ line, endLine, text }) => ({
			line,
			endLine,
			text
		}))
	}));
}
/**
* Where a step stands; undefined when it belongs to no stage.
* @param dockerfiles of all targets that need it: one that is built from another target has that one's steps in its name, too.
* Of stages that are called the same, the one counts that has the instruction.
*/
function locate(name, dockerfiles) {
	if (name.kind !== "stage") return void 0;
	const stages = dockerfiles.flatMap((layouts) => findStage$1(name.stage, layouts) ?? []);
	const isBase = name.text.startsWith("FROM ");
	const stage = stages.find((found) => !isBase && sameText(name, found).length > 0) ?? stages[0];
	if (stage === void 0) return void 0;
	const { line, endLine } = isBase ? stage.from : instructionOf(name, stage) ?? stage.from;
	const file = stage.file === void 0 ? {} : { file: stage.file };
	return {
		stage: stage.index,
		source: {
			line,
			endLine,
			...file
		}
	};
}
/**
* The place is counted from the end: triggers of an ONBUILD base stand before the stage's own instructions. The text
* goes first all the same, since BuildKit counts every trigger in the total, but not every one in the places.
*/
function instructionOf(name, stage) {
	const { place = 0, total = 0 } = name;
	const placed = stage.counted[stage.counted.length - (stage.onContext === true ? 0 : 1) - (total - place)];
	const same = sameText(name, stage);
	return same.find((instruction) => instruction === placed) ?? same[0] ?? placed;
}
function sameText({ text }, { counted }) {
	return counted.filter((instruction) => words(instruction.text) === words(text));
}
/** A stage by the name that BuildKit gives it; of stages with the same name the last counts, as in BuildKit. */
function findStage$1(name, stages) {
	if (name === void 0) return stages.length === 1 ? stages[0] : void 0;
	const named = stages.findLast((stage) => stage.name === name.toLowerCase());
	if (named !== void 0) return named;
	const [, index] = /^stage-(\d+)$/.exec(name) ?? [];
	return index === void 0 ? void 0 : stages.find(({ index: number, place = number }) => place === Number(index));
}
function words(text) {
	return text.replaceAll(/\s+/g, " ").trim();
}

// src/build/vertex-name.ts
const IN_STAGE = /^(?:([^\s/]+\/\S+) +)?(?:([^\s/]+) +)?(\d+)\/(\d+)$/;
const WITH_PLATFORM = /^(?:([^\s/]+\/\S+) +)?(.*)$/s;
/** @param targets bake's names of the targets of the run; one alone never stands in a name. */
function readVertexName(name, targets) {
	const { inside, text: rest } = splitBrackets(name);
	const target = targets.length < 2 ? void 0 : targets.find((id) => inside === id || inside?.startsWith(`${id} `) === true);
	const label = target === void 0 ? inside : inside?.slice(target.length).trimStart();
	const nothing = {
		target,
		platform: void 0,
		stage: void 0,
		place: void 0,
		total: void 0,
		text: rest
	};
	if (label === void 0 || label === "") return {
		...nothing,
		kind: kindOf$1(rest)
	};
	const [, platform, stage, place, total] = IN_STAGE.exec(label) ?? [];
	if (place !== void 0) return {
		kind: "stage",
		target,
		platform,
		stage,
		place: Number(place),
		total: Number(total),
		text: rest
	};
	const [, where, word] = WITH_PLATFORM.exec(label) ?? [];
	if (word === "internal" || word === "auth" || word?.startsWith("context ") === true) return {
		...nothing,
		kind: "internal",
		platform: where
	};
	if (word === "") return {
		...nothing,
		kind: kindOf$1(rest),
		platform: where
	};
	return {
		...nothing,
		kind: "other",
		text: target === void 0 ? name : `[${label}] ${rest}`
	};
}
function splitBrackets(name) {
	const end = name.startsWith("[") ? name.indexOf("]") : -1;
	return end === -1 ? {
		inside: void 0,
		text: name
	} : {
		inside: name.slice(1, end),
		text: name.slice(end + 1).trimStart()
	};
}
function kindOf$1(text) {
	if (text.startsWith("FROM ")) return "image";
	if (/^exporting (?:to|cache|layers|attestation)|^pushing |^merging |^copying files/.test(text)) return "export";
	if (/^(?:importing cache|resolving provenance|preparing )/.test(text)) return "internal";
	return "other";
}

// src/build/progress.ts
/**
* The model of a running build: what every step is, where it stands in the Dockerfile, which targets need it, and how
* it went. Fed with progress events; bounded memory (the last lines of each step's output). Prints nothing.
*
* Where several targets are built, buildx reports a shared step once per target, under the same digest, each with a
* clock of its own; the views are merged here.
*/
/** Whether a step is an instruction of a stage: neither housekeeping nor an image that is fetched. */
function isInstruction({ kind, text }) {
	return kind === "stage" && !text.startsWith("FROM ");
}
const TAIL_LINES = 40;
var BuildProgress = class {
	#options;
	#ids;
	#names;
	#records = /* @__PURE__ */ new Map();
	#warnings = /* @__PURE__ */ new Map();
	#pushed = /* @__PURE__ */ new Map();
	constructor(options) {
		this.#options = options;
		this.#ids = options.targets.map((target) => target.id);
		this.#names = new Map(options.targets.map((target) => [target.id, target.name]));
	}
	apply(events) {
		const listener = this.#options.listener;
		for (const vertex of events.vertexes) {
			if (this.#isFetch(vertex)) continue;
			const record = this.#take(vertex);
			if (vertex.completedMs !== void 0) record.output.end();
			listener?.onStep?.(this.#step(record));
		}
		for (const status of events.statuses) {
			const [, reference, digest] = /^pushing manifest for (\S+)@(sha256:[0-9a-f]{64})$/.exec(status.id) ?? [];
			if (reference !== void 0 && digest !== void 0 && status.completed) this.#pushed.set(reference, digest);
			const record = this.#records.get(status.vertex);
			if (record !== void 0) listener?.onStatus?.(this.#step(record), status);
		}
		for (const log of events.logs) this.#records.get(log.vertex)?.output.push(log.stream, log.data);
		for (const warning of events.warnings) this.#warnings.set(`${warning.line ?? ""}:${warning.text}`, warning);
	}
	/** The stream has ended: what a step printed without a line end is a line, too. */
	end() {
		for (const record of this.#records.values()) record.output.end();
	}
	/** Every step, in the order in which BuildKit named them. */
	steps() {
		return [...this.#records.values()].map((record) => this.#step(record));
	}
	/** Warnings of the Dockerfile checks, each once. */
	warnings() {
		return [...this.#warnings.values()];
	}
	/** What was pushed, in order. */
	pushed() {
		return [...this.#pushed].map(([reference, digest]) => ({
			reference,
			digest
		}));
	}
	/**
	* Where a cached result has to be fetched, the fetch tells its start and end under the step's digest, without the
	* step's inputs: it is no run of the step.
	* https://github.com/moby/buildkit/blob/v0.25.2/util/progress/controller/controller.go
	*/
	#isFetch(vertex) {
		return (this.#records.get(vertex.digest)?.inputs ?? []).length > 0 && vertex.inputs.length === 0 && vertex.error === void 0;
	}
	#take(vertex) {
		const name = readVertexName(vertex.name, this.#ids);
		const target = name.target ?? (this.#ids.length === 1 ? this.#ids[0] : void 0);
		const targetName = target === void 0 ? void 0 : this.#names.get(target);
		const record = this.#records.get(vertex.digest) ?? this.#add(vertex, name, targetName);
		if (targetName !== void 0 && !record.targets.includes(targetName)) {
			record.targets.push(targetName);
			if (targetName !== record.owner) record.located = this.#locate(record.name, [record.owner, ...record.targets]);
		}
		const view = record.views.get(target ?? "") ?? newView();
		record.views.set(target ?? "", view);
		if (vertex.startedMs !== void 0 && view.startedMs !== void 0 && vertex.startedMs !== view.startedMs) view.earlierMs += Math.max(0, (view.completedMs ?? view.startedMs) - view.startedMs);
		view.startedMs = vertex.startedMs ?? view.startedMs;
		view.completedMs = vertex.startedMs === void 0 ? view.completedMs : vertex.completedMs;
		view.cached = vertex.cached;
		view.error = vertex.error === void 0 ? view.error : shownText(this.#options.mask, vertex.error);
		return record;
	}
	#add(vertex, name, owner) {
		const text = shownText(this.#options.mask, name.text.replaceAll(/\s+/g, " "));
		const output = outputLines(40, this.#options.mask, (line) => {
			const record = this.#records.get(vertex.digest);
			if (record !== void 0) this.#options.listener?.onLine?.(this.#step(record), line);
		});
		const { digest: id, inputs } = vertex;
		const record = {
			id,
			owner,
			name,
			targets: [],
			located: this.#locate(name, [owner]),
			views: /* @__PURE__ */ new Map(),
			output,
			inputs,
			text
		};
		this.#records.set(vertex.digest, record);
		return record;
	}
	#locate(name, targets) {
		return locate(name, [...new Set(targets.map((target) => this.#options.stagesOf(target)))]);
	}
	#step(record) {
		const { name, located } = record;
		const views = [...record.views.values()];
		const durationMs = Math.max(0, ...views.map(duration));
		return {
			id: record.id,
			kind: name.kind,
			targets: record.targets,
			platform: name.platform,
			stage: located?.stage,
			stageName: name.stage,
			place: name.place,
			total: name.total,
			text: record.text,
			source: located?.source,
			status: merge(views),
			startedMs: startOf(views, durationMs),
			durationMs,
			error: views.find((view) => view.error !== void 0 && !isCancellation(view.error))?.error ?? views.find((view) => view.error)?.error,
			tail: record.output.tail(),
			inputs: record.inputs
		};
	}
};
/**
* Errors of steps that BuildKit stopped because another failed, or because the run was cancelled. Two outputs of one
* image write the same blobs: one that is stopped while it waits for the other tells of the other's lock alone, though it
* would have waited for as long as it takes.
* https://github.com/containerd/containerd/blob/v2.1.4/core/content/helpers.go (OpenWriter)
*/
function isCancellation(error) {
	return /context canceled|\bref \S+ locked for \S+ \(since [^)]*\): unavailable/i.test(withoutCommand(error));
}
/** BuildKit's own words: a command of the user's stands in its error, too, and may hold any words. */
function withoutCommand(error) {
	return error.replace(/process ".*" (?=did not complete successfully)/s, "");
}
function newView() {
	return {
		startedMs: void 0,
		completedMs: void 0,
		cached: false,
		error: void 0,
		earlierMs: 0
	};
}
function duration(view) {
	const present = view.startedMs === void 0 || view.completedMs === void 0 ? 0 : view.completedMs - view.startedMs;
	return Math.max(0, present) + view.earlierMs;
}
function startOf(views, durationMs) {
	const starts = views.flatMap((view) => view.startedMs === void 0 ? [] : [view.startedMs]);
	if (starts.length === 0) return void 0;
	const ends = views.flatMap((view) => view.earlierMs > 0 && duration(view) === durationMs ? view.completedMs ?? [] : []);
	return ends.length === 0 ? Math.min(...starts) : Math.min(...ends) - durationMs;
}
/**
* One status of several views. A step that ran for one target is shown as cached to the next, so "done" wins; and
* BuildKit marks inputs of a failed step as cached although they never ran, so "canceled" wins over that.
*/
function merge(views) {
	const ended = views.filter((view) => view.completedMs !== void 0);
	if (views.some((view) => view.error !== void 0 && !isCancellation(view.error))) return "failed";
	if (ended.some((view) => view.error === void 0 && !view.cached)) return "done";
	if (views.some((view) => view.startedMs !== void 0 && view.completedMs === void 0)) return "running";
	if (views.some((view) => view.error !== void 0)) return "canceled";
	if (ended.some((view) => view.cached)) return "cached";
	return "waiting";
}

// src/cache/cache-graph.ts
/** Whether links lead nowhere back to where they came from. Numbers that are no node's are passed over. */
function isAcyclic(links) {
	const arriving = links.map(() => 0);
	for (const to of links.flat()) arriving[to] = (arriving[to] ?? 0) + 1;
	const free = [...links.keys()].filter((node) => arriving[node] === 0);
	let freed = 0;
	for (let node = free.pop(); node !== void 0; node = free.pop()) {
		freed++;
		for (const to of links[node] ?? []) {
			arriving[to] = (arriving[to] ?? 0) - 1;
			if (arriving[to] === 0) free.push(to);
		}
	}
	return freed >= links.length;
}
/** Layers that can be had together with all that lie beneath. */
function soundLayers(layers, has) {
	const known = /* @__PURE__ */ new Map();
	for (const start of layers.keys()) {
		const path = [];
		const entered = /* @__PURE__ */ new Set();
		let at = start;
		while (at >= 0 && !known.has(at) && !entered.has(at)) {
			entered.add(at);
			path.push(at);
			at = layers[at]?.parent ?? -1;
		}
		let sound = at < 0 || known.get(at) === true;
		for (const index of path.toReversed()) {
			sound &&= has(layers[index]?.blob ?? "");
			known.set(index, sound);
		}
	}
	return new Set([...known].filter(([, sound]) => sound).map(([index]) => index));
}
/**
* The records without links that lead nowhere. BuildKit leaves out links that would make a circle, and an input without
* any link left makes its importer refuse the whole cache ("invalid empty input"); such a record cannot be found anyway.
* https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/utils.go (marshalItem)
* https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/parse.go (parseRecord)
*/
function findableRecords(records) {
	const left = records.map(({ inputs = [] }) => inputs.map((input) => input.length));
	const lost = new Set([...records.keys()].filter((index) => left[index]?.includes(0)));
	if (lost.size === 0) return new Set(records.keys());
	const linksTo = /* @__PURE__ */ new Map();
	for (const [index, { inputs = [] }] of records.entries()) for (const [input, links] of inputs.entries()) for (const { link } of links) {
		const known = linksTo.get(link);
		if (known === void 0) linksTo.set(link, [[index, input]]);
		else known.push([index, input]);
	}
	for (const index of lost) for (const [record, input] of linksTo.get(index) ?? []) {
		const counts = left[record] ?? [];
		counts[input] = (counts[input] ?? 0) - 1;
		if (counts[input] === 0) lost.add(record);
	}
	return new Set([...records.keys()].filter((index) => !lost.has(index)));
}
/** Records with results, and those through which they are found. */
function usefulRecords(records) {
	const useful = new Set([...records.keys()].filter((index) => {
		const record = records[index];
		return (record?.layers?.length ?? 0) + (record?.chains?.length ?? 0) > 0;
	}));
	for (const index of useful) for (const input of (records[index]?.inputs ?? []).flat()) useful.add(input.link);
	return new Set([...useful].sort((a, b) => a - b));
}
/** Layers of the records' results, and those beneath. */
function usedLayers(layers, records) {
	const used = /* @__PURE__ */ new Set();
	for (const { layers: results = [], chains = [] } of records) {
		for (const { layer } of results) used.add(layer);
		for (const index of chains.flatMap((chain) => chain.layers)) used.add(index);
	}
	for (const index of used) if ((layers[index]?.parent ?? -1) >= 0) used.add(layers[index]?.parent ?? -1);
	return new Set([...used].sort((a, b) => a - b));
}

// src/cache/registry-route.ts
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const TAG = /^\w[\w.-]{0,127}$/;
/** Whether a text is a digest that this registry serves: sha256 only, as nothing else is pushed. */
function isDigest$1(text) {
	return DIGEST.test(text);
}
/**
* The endpoint of a request's target (`/v2/…?digest=…`), or undefined where it is none, or outside of `prefix`: the
* secret first part of every repository. Listings (`_catalog`, `tags/list`, referrers) are none.
*/
function readRoute(target, prefix) {
	const url = URL.parse(target, "http://registry.invalid");
	if (url === null) return void 0;
	const { pathname, searchParams } = url;
	if (pathname === "/v2/" || pathname === "/v2") return { kind: "version" };
	const [, repository, kind, rest] = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests)\/([^/]*)$/.exec(pathname) ?? [];
	if (repository === void 0 || kind === void 0 || rest === void 0) return void 0;
	if (!repository.startsWith(`${prefix}/`)) return void 0;
	const digest = searchParams.get("digest") ?? void 0;
	if (kind === "manifests") return isDigest$1(rest) || TAG.test(rest) ? {
		kind: "manifest",
		repository,
		reference: rest
	} : void 0;
	if (kind === "blobs") return isDigest$1(rest) ? {
		kind: "blob",
		repository,
		digest: rest
	} : void 0;
	return rest === "" ? {
		kind: "start-upload",
		repository,
		digest
	} : {
		kind: "upload",
		repository,
		id: rest,
		digest
	};
}

// src/cache/cache-manifest-parse.ts
/** Reads BuildKit's cache manifest and config from untrusted JSON: everything has the form and lies in the range that it must. */
const MAX_LAYERS$1 = 1e4;
const MAX_RECORDS = 5e4;
const MAX_TEXT = 2e3;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** The layers of a manifest; undefined where one is not as it must be. */
function parseLayers(manifest) {
	return all(field(manifest, "layers"), layerDescriptor, MAX_LAYERS$1);
}
/** A config; undefined where anything in it is not as it must be. */
function parseConfig(config) {
	if (typeof config !== "object" || config === null || Array.isArray(config)) return void 0;
	const given = {
		layers: field(config, "layers") ?? [],
		records: field(config, "records") ?? []
	};
	const layerCount = Array.isArray(given.layers) ? given.layers.length : 0;
	const recordCount = Array.isArray(given.records) ? given.records.length : 0;
	const layers = all(given.layers, (layer) => cacheLayer(layer, layerCount), MAX_LAYERS$1);
	const records = all(given.records, (record) => cacheRecord(record, {
		layerCount,
		recordCount
	}), MAX_RECORDS);
	if (layers === void 0 || records === void 0) return void 0;
	return isAcyclic(layers.map(({ parent }) => parent < 0 ? [] : [parent])) && isAcyclic(records.map(({ inputs = [] }) => inputs.flat().map(({ link }) => link))) ? {
		layers,
		records
	} : void 0;
}
/** A layer of a manifest, or undefined. */
function layerDescriptor(value) {
	const mediaType = text$1(field(value, "mediaType"));
	const digest = text$1(field(value, "digest"));
	const size = field(value, "size");
	const annotations = textMap(field(value, "annotations"));
	if (mediaType === void 0 || digest === void 0 || !isDigest$1(digest) || annotations === false) return void 0;
	if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return void 0;
	return {
		mediaType,
		digest,
		size,
		...annotations === void 0 ? {} : { annotations }
	};
}
function cacheLayer(value, count) {
	const blob = text$1(field(value, "blob"));
	const parent = field(value, "parent") ?? 0;
	const annotations = field(value, "annotations");
	if (blob === void 0 || !isDigest$1(blob) || parent !== -1 && !isIndex(parent, count)) return void 0;
	if (annotations !== void 0 && !isLayerAnnotations(annotations)) return void 0;
	return {
		blob,
		parent,
		...annotations === void 0 ? {} : { annotations }
	};
}
/** https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/types/spec.go (LayerAnnotations) */
function isLayerAnnotations(value) {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
	return Object.entries(value).every(([name, entry]) => text$1(name) !== void 0 && (text$1(entry) !== void 0 || Number.isSafeInteger(entry)));
}
function cacheRecord(value, counts) {
	const digest = text$1(field(value, "digest"));
	if (digest === void 0 || !/^[a-z0-9]+:[0-9a-f]{32,128}$/.test(digest)) return void 0;
	const layers = optionalList(field(value, "layers"), (result) => cacheResult(result, counts.layerCount));
	const chains = optionalList(field(value, "chains"), (chain) => chainResult(chain, counts.layerCount));
	const inputs = optionalList(field(value, "inputs"), (input) => all(input ?? [], (from) => cacheInput(from, counts.recordCount), MAX_RECORDS));
	if (layers === false || chains === false || inputs === false) return void 0;
	return {
		...layers === void 0 ? {} : { layers },
		...chains === void 0 ? {} : { chains },
		digest,
		...inputs === void 0 ? {} : { inputs }
	};
}
function cacheResult(value, count) {
	const layer = field(value, "layer") ?? 0;
	const since = created(value);
	return isIndex(layer, count) && since !== void 0 ? {
		layer,
		...since
	} : void 0;
}
function chainResult(value, count) {
	const layers = all(field(value, "layers"), (index) => isIndex(index, count) ? index : void 0, MAX_LAYERS$1);
	const since = created(value);
	return layers === void 0 || since === void 0 ? void 0 : {
		layers,
		...since
	};
}
function cacheInput(value, count) {
	const link = field(value, "link") ?? 0;
	const selector = field(value, "selector");
	if (!isIndex(link, count) || selector !== void 0 && text$1(selector) === void 0) return void 0;
	return {
		...selector === void 0 ? {} : { selector },
		link
	};
}
/** Go reads RFC 3339 only, and nothing of the cache where one time is none. */
function created(value) {
	const createdAt = field(value, "createdAt");
	if (createdAt === void 0) return {};
	return typeof createdAt === "string" && RFC_3339.test(createdAt) && !Number.isNaN(Date.parse(createdAt)) ? { createdAt } : void 0;
}
function isIndex(value, count) {
	return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < count;
}
function optionalList(value, read) {
	return value === void 0 || value === null ? void 0 : all(value, read, MAX_RECORDS) ?? false;
}
function textMap(value) {
	if (value === void 0 || value === null) return void 0;
	if (typeof value !== "object" || Object.values(value).some((entry) => text$1(entry) === void 0)) return false;
	return value;
}
function text$1(value) {
	return typeof value === "string" && value.length <= MAX_TEXT ? value : void 0;
}

// src/cache/cache-covers.ts
/** Whether one exported cache says all that another says: then there is nothing to save. Pure. */
/** Order, times and numbering aside. */
function covers(older, newer) {
	const known = knowledgeOf(older);
	return [...knowledgeOf(newer)].every((fact) => known.has(fact));
}
/** Each record by what it stands for (its digest and those of what it is made from), with each of its results. */
function knowledgeOf({ config }) {
	const chains = chainsOf(config.layers);
	const facts = /* @__PURE__ */ new Set();
	const names = namesOf$1(config.records);
	for (const [index, record] of config.records.entries()) {
		const name = names[index] ?? "";
		for (const { layer } of record.layers ?? []) facts.add(`${name} ${chains.get(layer) ?? ""}`);
		for (const { layers } of record.chains ?? []) facts.add(`${name} ${layers.reduce((chain, layer) => hash([chain, config.layers[layer]?.blob ?? ""]), "")}`);
	}
	return facts;
}
/** Each layer by its blob and those of all layers beneath. */
function chainsOf(layers) {
	const chains = /* @__PURE__ */ new Map();
	for (const start of layers.keys()) {
		const path = [];
		const entered = /* @__PURE__ */ new Set();
		for (let at = start; at >= 0 && !chains.has(at) && !entered.has(at); at = layers[at]?.parent ?? -1) {
			entered.add(at);
			path.push(at);
		}
		for (const index of path.toReversed()) {
			const { parent = -1, blob = "" } = layers[index] ?? {};
			chains.set(index, hash([chains.get(parent) ?? "", blob]));
		}
	}
	return chains;
}
/** Records are found by what they stand for, not by their number. In rounds, for links may lead anywhere. */
function namesOf$1(records) {
	const names = records.map(() => void 0);
	const visit = (root) => {
		const stack = [root];
		const open = /* @__PURE__ */ new Set();
		for (let index = stack.at(-1); index !== void 0; index = stack.at(-1)) {
			const record = records[index];
			const links = [...new Set((record?.inputs ?? []).flat().map(({ link }) => link))];
			const missing = open.has(index) ? [] : links.filter((link) => names[link] === void 0 && !open.has(link));
			open.add(index);
			if (missing.length > 0) {
				stack.push(...missing);
				continue;
			}
			const inputs = (record?.inputs ?? []).map((input) => input.map(({ selector = "", link }) => `${selector}@${names[link] ?? ""}`).sort());
			names[index] ??= hash([record?.digest ?? "", ...inputs.map((input) => hash(input))]);
			stack.pop();
		}
	};
	for (const index of records.keys()) if (names[index] === void 0) visit(index);
	return names.map((name) => name ?? "");
}
function hash(parts) {
	return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32);
}

// src/cache/mount-archives.ts
/**
* Archives of cache mounts in the layer cache: what an index says of them, and which of them a save keeps. Each is the
* only blob of a pack, so that nobody fetches one for the sake of a layer. Pure.
*/
/** Reads one mount of an index; undefined where it is malformed. */
function parseMountArchive(value, key, isTime) {
	const [digest, content] = [field(value, "digest"), field(value, "content")];
	const [bytes, savedAt] = [field(value, "bytes"), field(value, "savedAt")];
	if (!/^[0-9a-f]{32}$/.test(key) || !isTime(savedAt)) return void 0;
	if (typeof digest !== "string" || !isDigest$1(digest)) return void 0;
	if (typeof content !== "string" || !isDigest$1(content)) return void 0;
	return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes > 0 ? {
		digest,
		bytes,
		content,
		savedAt
	} : void 0;
}
/**
* The archives of a mount that can be had, own branch first.
* @param indexes own branch first
*/
function archivesOf(key, indexes, canBeHad) {
	return indexes.flatMap(({ ref, source, index }) => {
		const found = Object.hasOwn(index.mounts, key) ? index.mounts[key] : void 0;
		return found !== void 0 && canBeHad(found.digest) ? [{
			...found,
			ref,
			isOwn: source === "own"
		}] : [];
	});
}
/** Whether a pack holds archives of mounts and no layers. */
function holdsMounts({ blobs }, index) {
	const archives = new Set(Object.values(index?.mounts ?? {}).map(({ digest }) => digest));
	const digests = Object.keys(blobs);
	return digests.length > 0 && digests.every((digest) => archives.has(digest));
}
/** Keeps what fits beside the layers: the newest first, of equals the smallest. */
function planMounts({ own, gone, damaged, fresh, named, room }) {
	const packs = Object.entries(own?.packs ?? {}).filter(([key, pack]) => !gone.has(key) && holdsMounts(pack, own));
	const packOf = (digest) => packs.find(([, { blobs }]) => digest in blobs && !damaged.has(digest));
	const kept = Object.entries(own?.mounts ?? {}).filter(([key, { digest }]) => !(key in fresh) && named?.has(key) !== false && packOf(digest) !== void 0);
	const wanted = [...Object.entries(fresh), ...kept].sort(([, a], [, b]) => a.savedAt === b.savedAt ? a.bytes - b.bytes : a.savedAt < b.savedAt ? 1 : -1);
	const fitting = [];
	let left = room;
	for (const [key, mount] of wanted) {
		if (mount.bytes > left) continue;
		fitting.push([key, mount]);
		left -= mount.bytes;
	}
	const isNew = ([key]) => key in fresh;
	const newDigests = new Map(fitting.filter(isNew).map(([, { digest, bytes }]) => [digest, bytes]));
	const used = fitting.filter((one) => !isNew(one)).flatMap(([, { digest }]) => [packOf(digest)]);
	return {
		mounts: Object.fromEntries(fitting),
		packs: Object.fromEntries(used.filter((one) => one !== void 0)),
		newPacks: [...newDigests].map((one) => new Map([one])),
		bytes: [...newDigests.values()].reduce((sum, bytes) => sum + bytes, 0),
		dropped: Object.keys(fresh).filter((key) => !fitting.some(([name]) => name === key))
	};
}

// src/cache/cache-index.ts
/**
* The index: one small entry per step that says which packs hold which blobs, and for each target what BuildKit knows of
* it. It names packs of its own branch only: those of other branches are found through their own indexes, so that an
* index never keeps alive what its branch does not own. Read strictly, for others may have written it. Pure.
*/
const MAX_BYTES = 64 << 20;
const MAX_TARGETS = 500;
const MAX_PACKS = 2e3;
const MAX_MOUNTS = 500;
const MAX_BLOBS = 2e4;
const MAX_BLOB_BYTES = 2e10;
const MAX_NAME$2 = 200;
/** Clocks of runners differ a little. */
const MAX_AHEAD_MS = 864e5;
/** Reads an index, or says (as a clause) what is wrong with it. */
function parseIndex(bytes, now) {
	if (bytes.length > MAX_BYTES) return { fault: "it is too large" };
	let json;
	try {
		json = JSON.parse(bytes.toString("utf8"));
	} catch {
		return { fault: "it is no JSON" };
	}
	const version = field(json, "version");
	if (typeof version === "number" && version > 1) return { fault: "a newer version of stage-build wrote it" };
	if (version !== 1) return { fault: "it has no version" };
	const isTime = (value) => typeof value === "string" && value.length <= 40 && Date.parse(value) <= now + MAX_AHEAD_MS;
	const [createdAt, ref, commit] = [
		field(json, "createdAt"),
		field(json, "ref"),
		field(json, "commit")
	];
	const packs = mapOf(field(json, "packs"), MAX_PACKS, (value, key) => packOf(value, key, isTime));
	const targets = mapOf(field(json, "targets"), MAX_TARGETS, (value, name) => targetOf$1(value, name, isTime));
	const mounts = mapOf(field(json, "mounts") ?? {}, MAX_MOUNTS, (value, key) => parseMountArchive(value, key, isTime));
	const records = field(json, "records");
	if (!isTime(createdAt) || typeof ref !== "string" || ref.length > 500) return { fault: "its head is malformed" };
	if (packs === void 0) return { fault: "its packs are malformed" };
	if (blobCount(packs) > MAX_BLOBS) return { fault: "its packs hold too many blobs" };
	if (targets === void 0) return { fault: "its targets are malformed" };
	if (mounts === void 0) return { fault: "its mounts are malformed" };
	return { index: {
		version,
		createdAt,
		ref,
		packs,
		targets,
		mounts,
		...typeof commit === "string" && /^[0-9a-f]{40,64}$/.test(commit) ? { commit } : {},
		records: typeof records === "object" && records !== null ? records : {}
	} };
}
/** The same bytes for the same index, in whatever order it was put together. */
function serializeIndex({ packs, targets, mounts, records, ...head }) {
	const { version, createdAt, ref, commit } = head;
	const maps = {
		packs: sorted(packs),
		targets: sorted(targets),
		mounts: sorted(mounts)
	};
	return Buffer.from(JSON.stringify({
		version,
		createdAt,
		ref,
		commit,
		...maps,
		records
	}));
}
/** How many other targets' caches a target that is new may try. */
const MAX_STRANGERS = 5;
/** @param indexes own branch first */
function mergeIndexes(indexes) {
	const byTarget = /* @__PURE__ */ new Map();
	for (const { ref, index } of indexes) for (const [name, { createdAt, layers, config }] of Object.entries(index.targets)) {
		const found = byTarget.get(name) ?? [];
		const cache = {
			layers,
			config
		};
		if (!found.some((known) => covers(known.cache, cache))) found.push({
			ref,
			createdAt,
			cache
		});
		byTarget.set(name, found);
	}
	const strangers = [...byTarget.values()].flatMap(([first]) => first ?? []);
	const cachesOf = (target) => byTarget.get(target) ?? strangers.slice(0, MAX_STRANGERS);
	return {
		cachesOf,
		targets: () => [...byTarget.keys()],
		says: (caches) => [...caches].every(([name, cache]) => cachesOf(name).some((known) => covers(known.cache, cache)))
	};
}
function blobCount(packs) {
	return Object.values(packs).reduce((count, { blobs }) => count + Object.keys(blobs).length, 0);
}
function sorted(map) {
	return Object.fromEntries(Object.entries(map).sort(([a], [b]) => a < b ? -1 : 1));
}
function packOf(value, key, isTime) {
	const [path, createdAt] = [field(value, "path"), field(value, "createdAt")];
	const blobs = mapOf(field(value, "blobs"), MAX_BLOBS, (size, digest) => isDigest$1(digest) && typeof size === "number" && Number.isSafeInteger(size) && size >= 0 && size <= MAX_BLOB_BYTES ? size : void 0);
	const place = blobsPath(key);
	return place !== void 0 && path === place && isTime(createdAt) && blobs !== void 0 ? {
		path: place,
		createdAt,
		blobs
	} : void 0;
}
function targetOf$1(value, name, isTime) {
	const createdAt = field(value, "createdAt");
	const layers = parseLayers(value);
	const config = parseConfig(field(value, "config"));
	if (name.length > MAX_NAME$2 || !isTime(createdAt) || layers === void 0 || config === void 0) return void 0;
	const named = new Set(layers.map(({ digest }) => digest));
	return config.layers.every(({ blob }) => named.has(blob)) ? {
		createdAt,
		layers,
		config
	} : void 0;
}
/** An object whose values can all be read; it has no prototype, for its keys are anybody's. */
function mapOf(value, max, read) {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return void 0;
	const entries = Object.entries(value);
	if (entries.length > max) return void 0;
	const result = Object.create(null);
	for (const [key, item] of entries) {
		const parsed = read(item, key);
		if (parsed === void 0) return void 0;
		result[key] = parsed;
	}
	return result;
}

// src/cache/pack-store.ts
/**
* The blobs that earlier runs saved. A pack is fetched when one of its blobs is asked for, once; a blob is checked
* against its digest before the first byte of it is given away. What is gone or damaged is simply not there.
*/
/** A fetch is given up when it is slower than this for long. */
const SLOWEST_BYTES_PER_SECOND$1 = 2e6;
const PATIENCE_MS$2 = 2e4;
/** A blob's file within the directory of its pack. */
function blobFile(digest) {
	return digest.replace(":", "-");
}
/** The packs that an index names. */
function packsOf({ packs }) {
	return Object.entries(packs).map(([key, pack]) => ({
		key,
		...pack,
		blobs: new Map(Object.entries(pack.blobs))
	}));
}
/** Small blobs are saved with the index that is new, and their pack bears its key. */
function cameWithIndex({ key }) {
	return INDEX_KEY.test(key);
}
function entryPath(pack) {
	return cameWithIndex(pack) ? INDEX_PATH : pack.path;
}
var PackStore = class {
	#options;
	#packOf = /* @__PURE__ */ new Map();
	#restores = /* @__PURE__ */ new Map();
	#lookUps = /* @__PURE__ */ new Map();
	#checks = /* @__PURE__ */ new Map();
	#lost = /* @__PURE__ */ new Map();
	#missed = /* @__PURE__ */ new Set();
	#damaged = /* @__PURE__ */ new Set();
	#bytesFetched = 0;
	#fetched = 0;
	constructor(options) {
		this.#options = options;
	}
	/** Blobs of a pack that was added before keep their place there. */
	add(pack) {
		for (const digest of pack.blobs.keys()) if (!this.#packOf.has(digest)) this.#packOf.set(digest, pack);
	}
	/** Whether a blob is in a pack that is not known to be gone. */
	has(digest) {
		const pack = this.#packOf.get(digest);
		return pack !== void 0 && !this.#lost.has(pack.key) && !this.#damaged.has(digest);
	}
	/** Digests that were asked for and could not be given. */
	get missed() {
		return this.#missed;
	}
	/** Digests of blobs whose bytes were others. */
	get damaged() {
		return this.#damaged;
	}
	/** Whether the pack is there no more, or spoilt. One that only could not be fetched may be there the next time. */
	isGone(key) {
		return ["gone", "spoilt"].includes(this.#lost.get(key) ?? "");
	}
	stats() {
		const lost = [...this.#lost.values()];
		return {
			fetched: this.#fetched,
			bytesFetched: this.#bytesFetched,
			gone: lost.filter((why) => why === "gone").length,
			failed: lost.filter((why) => why !== "gone").length,
			damaged: this.#damaged.size
		};
	}
	async promised(digest) {
		const pack = this.#packOf.get(digest);
		if (pack === void 0 || !this.has(digest)) return void 0;
		if (this.#restores.has(pack.key)) return await this.#checked(pack, digest) ? pack.blobs.get(digest) : void 0;
		return await this.isThere(pack) ? pack.blobs.get(digest) : void 0;
	}
	async open(digest) {
		const pack = this.#packOf.get(digest);
		const size = pack?.blobs.get(digest);
		if (pack === void 0 || size === void 0) return void 0;
		if (!await this.#checked(pack, digest)) {
			this.#missed.add(digest);
			return;
		}
		return {
			size,
			open: (range) => createReadStream$1(this.#file(pack, digest), range ?? {})
		};
	}
	/** Asks, once, whether the backend still has a pack; it counts as used then. */
	async isThere(pack) {
		const { key } = pack;
		if (this.#restores.has(key)) return (await this.restore(pack)).kind === "hit";
		let asked = this.#lookUps.get(key);
		if (asked === void 0) {
			asked = this.#options.backend.lookUp({
				key,
				path: entryPath(pack),
				timeoutMs: PATIENCE_MS$2
			});
			this.#lookUps.set(key, asked);
		}
		return this.#noted(pack, await asked);
	}
	/** Tells that a pack was fetched into its place before, by another step of this run. */
	assumeFetched({ key }) {
		this.#restores.set(key, Promise.resolve({
			kind: "hit",
			key
		}));
	}
	/** Takes the blobs that came with an index that was restored. */
	takeFromIndex(pack) {
		this.add(pack);
		this.#restores.set(pack.key, this.#settled(pack, {
			kind: "hit",
			key: pack.key
		}));
	}
	/** Fetches a pack, once. */
	async restore(pack) {
		const { key } = pack;
		let restored = this.#restores.get(key);
		if (restored === void 0) {
			const bytes = [...pack.blobs.values()].reduce((sum, size) => sum + size, 0);
			const timeoutMs = PATIENCE_MS$2 + bytes / SLOWEST_BYTES_PER_SECOND$1 * 1e3;
			restored = this.#fetch(pack, timeoutMs);
			this.#restores.set(key, restored);
			if ((await restored).kind === "hit") {
				this.#bytesFetched += bytes;
				this.#fetched++;
			}
		}
		const result = await restored;
		this.#noted(pack, result);
		return result;
	}
	/** Fetches the packs that hold these blobs, before anybody asks for them. */
	async prefetch(digests) {
		const packs = new Set([...digests].flatMap((digest) => this.#packOf.get(digest) ?? []));
		await Promise.all([...packs].map((pack) => this.restore(pack)));
	}
	/** The path of a blob that was fetched and is what its digest says; undefined where it cannot be had. */
	async fileOf(digest) {
		const pack = this.#packOf.get(digest);
		return pack !== void 0 && await this.#checked(pack, digest) ? this.#file(pack, digest) : void 0;
	}
	async #fetch(pack, timeoutMs) {
		const result = await this.#options.backend.restore({
			key: pack.key,
			path: entryPath(pack),
			timeoutMs
		});
		return result.kind === "hit" ? await this.#settled(pack, result) : result;
	}
	/** Moves blobs that came with an index out of its directory, which the next index is saved from. */
	async #settled(pack, result) {
		if (!cameWithIndex(pack)) return result;
		const place = join(this.#options.root, pack.path);
		try {
			await mkdir$1(place, { recursive: true });
		} catch {
			return result;
		}
		const files = [...pack.blobs.keys()].map(blobFile);
		await Promise.all(files.map(async (file) => {
			await rename$1(join(this.#options.root, INDEX_PATH, file), join(place, file)).catch(() => void 0);
		}));
		return result;
	}
	#noted(pack, result) {
		if (result.kind === "hit") return true;
		const isSpoilt = result.kind === "failed" && result.isSpoilt === true;
		this.#lost.set(pack.key, result.kind === "miss" ? "gone" : isSpoilt ? "spoilt" : "failed");
		return false;
	}
	async #checked(pack, digest) {
		if ((await this.restore(pack)).kind !== "hit") return false;
		let check = this.#checks.get(digest);
		if (check === void 0) {
			check = this.#isSound(pack, digest);
			this.#checks.set(digest, check);
		}
		return await check;
	}
	async #isSound(pack, digest) {
		const path = this.#file(pack, digest);
		try {
			const found = await lstat$1(path);
			if (found.isFile() && found.size === pack.blobs.get(digest)) {
				const hash = createHash("sha256");
				await pipeline(createReadStream$1(path), hash);
				if (`sha256:${hash.digest("hex")}` === digest) return true;
			}
		} catch {}
		this.#damaged.add(digest);
		await rm$1(path, {
			force: true,
			recursive: true
		}).catch(() => void 0);
		return false;
	}
	#file(pack, digest) {
		return join(this.#options.root, pack.path, blobFile(digest));
	}
};

// src/cache/saving.ts
/**
* Carries a save plan out: packs side by side, then the index, which names only packs that were saved. Run by the main
* step or, after it ended, by the post step, so a plan is plain data. Never rejects.
*/
/** What is sent to the backend, and what must be fetched before that. */
function bytesToMove({ packs }) {
	return packs.flatMap((pack) => [pack, ...pack.from]).flatMap((pack) => Object.values(pack.blobs)).reduce((sum, size) => sum + size, 0);
}
const PATIENCE_MS$1 = 3e4;
const SLOWEST_BYTES_PER_SECOND = 2e6;
/** How long saving may take. */
function savingTimeout(bytes) {
	return PATIENCE_MS$1 + bytes / SLOWEST_BYTES_PER_SECOND * 1e3;
}
/** The plan, without the packs whose saves were begun before it was made and failed since then. */
function withoutFailed(plan, results) {
	const packs = Object.entries(plan.document.packs).filter(([key]) => results.get(key)?.kind !== "failed");
	const failures = Object.keys(plan.document.packs).flatMap((key) => {
		const result = results.get(key);
		return result?.kind === "failed" ? [result] : [];
	});
	return {
		plan: {
			...plan,
			document: {
				...plan.document,
				packs: Object.fromEntries(packs)
			}
		},
		failures
	};
}
/** @param begun the saves of packs that the plan counts as saved; they go on beside its own */
async function executeSave(planned, { backend, root, begun }) {
	const failures = [];
	const packs = {};
	let bytes = 0;
	const small = planned.packs.find(({ key }) => key === planned.index.key);
	await Promise.all(planned.packs.map(async (job) => {
		if (job === small) return;
		const blobs = await gather(job, {
			backend,
			root
		});
		const size = Object.values(blobs).reduce((sum, blob) => sum + blob, 0);
		if (Object.keys(blobs).length === 0) return;
		const result = await backend.save({
			key: job.key,
			path: job.path,
			timeoutMs: savingTimeout(size)
		});
		if (result.kind === "failed") failures.push(result);
		else {
			packs[job.key] = {
				path: job.path,
				createdAt: job.createdAt,
				blobs
			};
			bytes += size;
		}
	}));
	const saved = Object.keys(packs).length;
	const results = await begun ?? /* @__PURE__ */ new Map();
	const { plan, failures: lost } = withoutFailed(planned, results);
	failures.push(...lost);
	const withIndex = small === void 0 ? {} : await gather(small, {
		backend,
		root
	});
	const files = Object.keys(withIndex).map(blobFile);
	const tried = plan.packs.length + lost.length;
	const isAnySaved = saved + files.length > 0 || [...results.values()].some(({ kind }) => kind === "saved");
	if (tried > 0 && !isAnySaved) return {
		entries: 0,
		bytes,
		indexSaved: false,
		failures
	};
	if (small !== void 0 && files.length > 0) packs[small.key] = {
		path: small.path,
		createdAt: small.createdAt,
		blobs: withIndex
	};
	const result = await saveIndex(plan, {
		...plan.document,
		packs: {
			...plan.document.packs,
			...packs
		}
	}, {
		backend,
		root,
		blobs: {
			path: small?.path ?? "",
			files
		}
	});
	if (result.kind === "failed") failures.push(result);
	const indexSaved = result.kind === "saved";
	if (indexSaved) bytes += Object.values(withIndex).reduce((sum, size) => sum + size, 0);
	return {
		entries: saved + (indexSaved ? 1 : 0),
		bytes,
		indexSaved,
		failures
	};
}
/** The blobs that lie in the job's directory after those of older packs were put there. */
async function gather(job, { backend, root }) {
	const store = new PackStore({
		backend,
		root
	});
	for (const { key, path, blobs } of job.from) {
		const pack = {
			key,
			path,
			blobs: new Map(Object.entries(blobs))
		};
		store.add(pack);
		if (await sizeOf(join(root, path)) !== void 0) store.assumeFetched(pack);
	}
	await mkdir$1(join(root, job.path), { recursive: true }).catch(() => void 0);
	const there = {};
	for (const [digest, size] of Object.entries(job.blobs)) {
		const path = join(root, job.path, blobFile(digest));
		try {
			if (await sizeOf(path) === void 0) {
				const older = await store.fileOf(digest);
				if (older !== void 0) await link(older, path);
			}
			if (await sizeOf(path) === size) there[digest] = size;
		} catch {}
	}
	return there;
}
async function sizeOf(path) {
	try {
		return (await stat$1(path)).size;
	} catch {
		return;
	}
}
async function saveIndex({ index }, document, { backend, root, blobs }) {
	const folder = join(root, index.path);
	try {
		await rm$1(folder, {
			recursive: true,
			force: true
		});
		await mkdir$1(folder, { recursive: true });
		await writeFile$1(join(folder, index.file), serializeIndex(document));
		for (const file of blobs.files) await link(join(root, blobs.path, file), join(folder, file));
	} catch (error) {
		return unsaved(error);
	}
	return await backend.save({
		key: index.key,
		path: index.path,
		timeoutMs: savingTimeout(0)
	});
}
/** Of an entry that could not be put together on this machine's disk. */
function unsaved(error) {
	return {
		kind: "failed",
		why: "limited",
		reason: error instanceof Error ? error.message : String(error)
	};
}
/** Puts blobs that lie elsewhere under the session's folder into a pack's directory, without copying them. */
async function fillPack(root, path, files) {
	const folder = join(root, path);
	await mkdir$1(folder, { recursive: true });
	for (const [digest, file] of files) await link(file, join(folder, blobFile(digest)));
}

// src/measure/format.ts
/** Bytes as people read them: decimal units with three digits, as the Docker CLI shows them. */
const UNITS = [
	"B",
	"kB",
	"MB",
	"GB",
	"TB",
	"PB"
];
/** `6.47 MB`, `295 MB`, `0 B`; decimal units (1 MB is 10⁶ bytes), three significant digits. */
function formatBytes(bytes) {
	let value = bytes;
	let unit = 0;
	while (value >= (unit === 0 ? 1e3 : 999.5) && unit < UNITS.length - 1) {
		value /= 1e3;
		unit++;
	}
	const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}
/** The signed difference, with a real minus: `+38.4 MB`, `−600 kB`, `0 B`. */
function formatDelta(bytes) {
	return bytes === 0 ? formatBytes(0) : `${bytes < 0 ? "−" : "+"}${formatBytes(Math.abs(bytes))}`;
}

// src/cache-handover.ts
/**
* What the main step leaves to the post step: new layers on disk and the plan how to save them. The folder is named in
* the action's state; nothing runs in between.
*/
const FILE = "handover.json";
async function writeHandover(root, handover) {
	await writeFile$1(join(root, FILE), JSON.stringify(handover), { mode: 384 });
}
/** Saves what the main step left, and removes its folder. Never rejects: a warning at most. */
async function saveLeftLayers(root, { runner, env }) {
	try {
		const handover = await readHandover(root);
		if (handover !== void 0) await save(handover, {
			root,
			runner,
			env
		});
	} catch (error) {
		warn(runner, `it could not be saved (${error instanceof Error ? error.message : String(error)})`, workspaceOf(env));
	} finally {
		await rm$1(root, {
			recursive: true,
			force: true
		}).catch(() => void 0);
	}
}
/** What kept layers from being saved, as a clause. */
function savingTrouble({ why, reason }) {
	if (why === "denied") return "this run may not write it (the token is read-only); set `cache: read-only` to say so";
	if (why === "limited") return `new layers could not be saved: ${brief(reason)}`;
	return `new layers could not be saved (${brief(reason)})`;
}
/** What was saved, for the log; undefined where nothing was. */
function savedLine({ entries, bytes }, ms) {
	if (entries === 0) return void 0;
	return `Layer cache: saved ${bytes === 0 ? "what is known of the build" : `${formatBytes(bytes)} of new layers`} in ${(ms / 1e3).toFixed(1)} s.`;
}
/** A reason in one line; the toolkit adds advice to it that is of no use here. */
function brief(reason) {
	const line = reason.replace(/\s*If you are using self-hosted runners.*$/s, "").replaceAll(/\s+/g, " ").trim();
	return line.length <= 200 ? line : `${line.slice(0, 199)}…`;
}
async function readHandover(root) {
	try {
		return JSON.parse(await readFile(join(root, FILE), "utf8"));
	} catch (error) {
		if (errorCode(error) === "ENOENT") return void 0;
		throw error;
	}
}
async function save({ choice, retries, plan, isTold }, { root, runner, env }) {
	const started = performance.now();
	const backend = openBackend(choice, {
		root,
		env,
		retries,
		log: (line) => {
			runner.log(line);
		},
		debug: (line) => {
			runner.debug(line);
		}
	});
	try {
		const report = await executeSave(plan, {
			backend,
			root
		});
		const [failure] = report.failures;
		if (failure !== void 0 && isTold) runner.log(`Layer cache: ${savingTrouble(failure)}.`);
		else if (failure !== void 0) warn(runner, savingTrouble(failure), workspaceOf(env));
		const line = savedLine(report, performance.now() - started);
		if (line !== void 0) runner.log(line);
	} finally {
		await backend.close();
	}
}
function warn(runner, trouble, workspace) {
	const problem = { message: `The layer cache: ${trouble}. The build does not depend on it.` };
	announce(runner, [problem], {
		level: "warning",
		workspace
	});
}
function workspaceOf(env) {
	return env["GITHUB_WORKSPACE"] ?? process.cwd();
}

// src/cache-room.ts
/** Warnings about what there was no room for. */
function tooLarge$1(layerBytes, mounts) {
	const input = "cache-max-size";
	const layers = {
		input,
		message: `Layers of ${formatBytes(layerBytes)} were left out of the layer cache: it would be larger than \`cache-max-size\`.`,
		mend: "Raise `cache-max-size`, or make these layers smaller."
	};
	const archives = {
		input,
		message: `${count(mounts, "cache mount")} could not be saved beside the layers: the cache would be larger than \`cache-max-size\`.`,
		mend: "Raise `cache-max-size`, or set `cache-mounts: off`."
	};
	return [...layerBytes === 0 ? [] : [layers], ...mounts === 0 ? [] : [archives]];
}

// src/images/manifest.ts
/**
* Manifests and image configs as registries and OCI layouts keep them: media types, and the fields that are relied on,
* checked, since all of it comes from outside.
* https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md, .../image-index.md, .../config.md
*/
const MEDIA_TYPES = {
	ociIndex: "application/vnd.oci.image.index.v1+json",
	ociManifest: "application/vnd.oci.image.manifest.v1+json",
	dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
	dockerManifest: "application/vnd.docker.distribution.manifest.v2+json"
};
/** Larger manifests are refused, as registries do (https://github.com/opencontainers/distribution-spec/pull/293). */
const MAX_MANIFEST_BYTES = 4 << 20;
/** What came is no manifest or config; the message is a clause. */
var ManifestError = class extends Error {
	constructor(message) {
		super(message);
		this.name = "ManifestError";
	}
};
/** @throws ManifestError */
function parseManifest(bytes, contentType) {
	const json = parseObject(bytes, "manifest");
	if (json["schemaVersion"] !== 2) throw new ManifestError("the manifest is of an obsolete version (not 2)");
	const known = Object.values(MEDIA_TYPES);
	const named = [contentType?.split(";")[0]?.trim(), json["mediaType"]].find((type) => typeof type === "string" && known.includes(type));
	const isIndex = Array.isArray(json["manifests"]);
	const mediaType = typeof named === "string" ? named : isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
	if (isIndex !== (mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerList)) throw new ManifestError(`the manifest is not what its media type (${mediaType}) says`);
	if (isIndex) return {
		kind: "index",
		mediaType,
		manifests: list(json["manifests"]).map(parseEntry)
	};
	return {
		kind: "image",
		mediaType,
		config: parseDescriptor(json["config"]),
		layers: list(json["layers"]).map(parseDescriptor)
	};
}
/** @throws ManifestError */
function parseImageConfig(bytes) {
	const json = parseObject(bytes, "image config");
	const config = object(json["config"]);
	const diffIds = strings(object(json["rootfs"])["diff_ids"]);
	if (diffIds.some((digest) => digestFault(digest) !== void 0)) throw new ManifestError("a diff ID is no digest");
	return {
		platform: normalizePlatform({
			os: text(json["os"]) ?? "linux",
			architecture: text(json["architecture"]) ?? "unknown",
			variant: text(json["variant"])
		}),
		diffIds,
		history: list(json["history"]).map((entry) => ({
			createdBy: text(object(entry)["created_by"]) ?? "",
			created: text(object(entry)["created"]),
			comment: text(object(entry)["comment"]) ?? "",
			emptyLayer: object(entry)["empty_layer"] === true
		})),
		env: strings(config["Env"]),
		onBuild: strings(config["OnBuild"]),
		user: text(config["User"]) ?? "",
		workingDir: text(config["WorkingDir"]) ?? ""
	};
}
/**
* The entry of an index that serves a platform best; one that names no platform serves when no other does (it is an
* attestation or an index of its own otherwise).
*/
function selectEntry(entries, wanted) {
	let best;
	for (const entry of entries) {
		if (isAttestation(entry)) continue;
		const rank = entry.platform === void 0 ? Number.MAX_SAFE_INTEGER : platformRank(wanted, entry.platform);
		if (rank !== void 0 && (best === void 0 || rank < best.rank)) best = {
			entry,
			rank
		};
	}
	return best?.entry;
}
/** The platforms that an index has images for, each once. */
function indexPlatforms(entries) {
	const images = entries.filter((entry) => !isAttestation(entry));
	return [...new Set(images.flatMap(({ platform }) => platform === void 0 ? [] : [formatPlatform(platform)]))];
}
function isAttestation(entry) {
	return "vnd.docker.reference.type" in entry.annotations || entry.platform?.os === "unknown";
}
/** The digest of bytes, in the algorithm of `like`. */
function digestOf$1(bytes, like = "sha256:") {
	const algorithm = like.slice(0, like.indexOf(":"));
	return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}
function parseEntry(value) {
	const json = object(value);
	const platform = object(json["platform"]);
	const os = text(platform["os"]);
	const architecture = text(platform["architecture"]);
	const annotations = Object.entries(object(json["annotations"])).filter((pair) => typeof pair[1] === "string");
	return {
		...parseDescriptor(value),
		annotations: Object.fromEntries(annotations),
		...os === void 0 || architecture === void 0 ? {} : { platform: normalizePlatform({
			os,
			architecture,
			variant: text(platform["variant"])
		}) }
	};
}
function parseDescriptor(value) {
	const { digest, size, mediaType } = object(value);
	if (typeof digest !== "string" || digestFault(digest) !== void 0) throw new ManifestError("the manifest names something by an invalid digest");
	if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw new ManifestError("the manifest names something of an invalid size");
	return {
		mediaType: text(mediaType) ?? "",
		digest,
		size
	};
}
function parseObject(bytes, what) {
	try {
		const json = JSON.parse(bytes.toString("utf8"));
		if (typeof json === "object" && json !== null && !Array.isArray(json)) return json;
	} catch {}
	throw new ManifestError(`the ${what} is not a JSON object`);
}
function object(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}
function list(value) {
	return Array.isArray(value) ? value : [];
}
function text(value) {
	return typeof value === "string" && value !== "" ? value : void 0;
}
function strings(value) {
	return list(value).filter((item) => typeof item === "string");
}

// src/cache/cache-manifest.ts
/**
* BuildKit's layer cache of one target, as it exports it to a registry: layers, and records that say which step gives
* which layers. Read strictly (it comes from a cache that others may have written), pruned to what can be had, and
* rendered again. Pure.
* https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/v1/types/doc.go
*/
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.buildkit.cacheconfig.v0";
/** https://github.com/moby/buildkit/blob/v0.25.2/cache/remotecache/import.go (readBlob) */
const MAX_IMPORT_BYTES = 1 << 20;
/** Reads what BuildKit exported; undefined where it is no such cache. */
function parseTargetCache(manifest, config) {
	const layers = parseLayers(parseJson(manifest.toString("utf8")));
	const parsed = parseConfig(parseJson(config.toString("utf8")));
	if (layers === void 0 || parsed === void 0) return void 0;
	const named = new Set(layers.map(({ digest }) => digest));
	return parsed.layers.every(({ blob }) => named.has(blob)) ? {
		layers,
		config: parsed
	} : void 0;
}
/** Of the configuration that a manifest names. */
function configDigest(manifest) {
	return text$3(field(parseJson(manifest.toString("utf8")), "config", "digest"));
}
/** Digest → bytes. */
function blobsOf({ layers }) {
	return new Map(layers.map(({ digest, size }) => [digest, size]));
}
/**
* The cache without layers that cannot be had, and without what rests on them. A record that loses its results stays as
* long as others are found through it: BuildKit then runs the step again, while it fails on a layer that is named and
* cannot be had.
*/
function pruneTargetCache({ layers, config }, has) {
	const sound = soundLayers(config.layers, has);
	const findable = findableRecords(config.records);
	const records = config.records.map((record, index) => findable.has(index) ? linkedThrough(withResults(record, (layer) => sound.has(layer)), findable) : { digest: "" });
	const useful = usefulRecords(records);
	const used = usedLayers(config.layers, records.filter((_, index) => useful.has(index)));
	const layerAt = renumbered$1(used);
	const recordAt = renumbered$1(useful);
	const kept = config.layers.flatMap((layer, index) => used.has(index) ? [{
		...layer,
		parent: layer.parent < 0 ? -1 : layerAt.get(layer.parent) ?? -1
	}] : []);
	const blobs = new Set(kept.map(({ blob }) => blob));
	return {
		layers: layers.filter(({ digest }) => blobs.has(digest)),
		config: {
			layers: kept,
			records: records.flatMap((record, index) => useful.has(index) ? [relinked(record, layerAt, recordAt)] : [])
		}
	};
}
/** As a manifest and its config. */
function renderTargetCache({ layers, config }) {
	const asGo = {
		...config,
		layers: config.layers.map((layer) => layer.parent === 0 ? {
			...layer,
			parent: void 0
		} : layer)
	};
	const configBytes = Buffer.from(JSON.stringify(asGo));
	const manifest = {
		schemaVersion: 2,
		mediaType: MANIFEST_TYPE,
		config: {
			mediaType: CONFIG_TYPE,
			digest: digestOf$1(configBytes),
			size: configBytes.length
		},
		layers
	};
	return {
		mediaType: MANIFEST_TYPE,
		manifest: Buffer.from(JSON.stringify(manifest)),
		config: configBytes,
		layers: layers.length
	};
}
/** The cache, or as much of it as BuildKit imports: at most 1 MiB of manifest and of config. The oldest layers go first. */
function shrinkToImport(cache) {
	let shrunk = cache;
	while (!fitsImport(shrunk) && shrunk.layers.length > 0) {
		const byAge = shrunk.layers.toSorted((a, b) => compare(createdAt(a), createdAt(b)) || compare(a.digest, b.digest));
		const oldest = new Set(byAge.slice(0, Math.ceil(byAge.length / 8)).map(({ digest }) => digest));
		shrunk = pruneTargetCache(shrunk, (digest) => !oldest.has(digest));
	}
	return shrunk;
}
function fitsImport(cache) {
	const { manifest, config } = renderTargetCache(cache);
	return manifest.length <= MAX_IMPORT_BYTES && config.length <= MAX_IMPORT_BYTES;
}
function compare(a, b) {
	return a === b ? 0 : a < b ? -1 : 1;
}
function createdAt({ annotations }) {
	return annotations?.["buildkit/createdat"] ?? "";
}
function withResults(record, has) {
	const layers = (record.layers ?? []).filter(({ layer }) => has(layer));
	const chains = (record.chains ?? []).filter((chain) => chain.layers.every(has));
	const { digest, inputs } = record;
	return {
		...layers.length === 0 ? {} : { layers },
		...chains.length === 0 ? {} : { chains },
		digest,
		...inputs === void 0 ? {} : { inputs }
	};
}
/** Without links to records that cannot be found. */
function linkedThrough(record, findable) {
	const { inputs } = record;
	if (inputs === void 0) return record;
	return {
		...record,
		inputs: inputs.map((input) => input.filter(({ link }) => findable.has(link)))
	};
}
function renumbered$1(kept) {
	return new Map([...kept].map((old, now) => [old, now]));
}
function relinked(record, layerAt, recordAt) {
	const { layers, chains, inputs } = record;
	return {
		...record,
		...layers && { layers: layers.map((result) => ({
			...result,
			layer: layerAt.get(result.layer) ?? 0
		})) },
		...chains && { chains: chains.map((chain) => ({
			...chain,
			layers: chain.layers.map((index) => layerAt.get(index) ?? 0)
		})) },
		...inputs && { inputs: inputs.map((input) => input.map((from) => ({
			...from,
			link: recordAt.get(from.link) ?? 0
		}))) }
	};
}

// src/cache/early-saves.ts
/** Enough to be worth an entry of its own: small blobs together, or a large one alone. */
const ENOUGH_BYTES = 96 << 20;
const LARGE_BYTES = 32 << 20;
/** Of the three packs that a run may save, one is left for what comes last. */
const MOST = 2;
var EarlySaves = class {
	#options;
	#waiting = /* @__PURE__ */ new Map();
	#begun = /* @__PURE__ */ new Map();
	#saves = [];
	#bytes = 0;
	/** One after another: each is sent in many parts at once already, which take their memory. */
	#last = Promise.resolve();
	constructor(options) {
		this.#options = options;
	}
	/** A blob is complete. */
	add(digest, size) {
		if (!this.#options.writes || this.#saves.length >= MOST || this.#waiting.has(digest)) return;
		if (size >= LARGE_BYTES) {
			this.#saves.push(this.#save({ [digest]: size }));
			return;
		}
		this.#waiting.set(digest, size);
		this.#bytes += size;
		if (this.#bytes < ENOUGH_BYTES) return;
		this.#saves.push(this.#save(Object.fromEntries(this.#waiting)));
		this.#waiting.clear();
		this.#bytes = 0;
	}
	/** The packs whose saves were begun and have not failed so far. */
	get packs() {
		return [...this.#begun.values()];
	}
	/** Settles when all that were begun are through. Never rejects. */
	async results() {
		return new Map(await Promise.all(this.#saves));
	}
	async #save(blobs) {
		const { now, newPack } = this.#options;
		const pack = {
			...newPack(),
			blobs,
			createdAt: new Date(now()).toISOString()
		};
		this.#begun.set(pack.key, pack);
		const result = await this.#send(pack).catch(unsaved);
		if (result.kind === "failed") this.#begun.delete(pack.key);
		return [pack.key, result];
	}
	async #send({ key, path, blobs }) {
		const { backend, root, fileOf } = this.#options;
		const bytes = Object.values(blobs).reduce((sum, size) => sum + size, 0);
		await fillPack(root, path, new Map(Object.keys(blobs).map((digest) => [digest, fileOf(digest)])));
		const saved = this.#last.then(() => backend.save({
			key,
			path,
			timeoutMs: savingTimeout(bytes)
		}));
		this.#last = saved.catch(() => void 0);
		return await saved;
	}
};

// src/cache/image-notes.ts
/**
* What a run learned of the layers that it saw, kept with the index: a layer that is not pushed again in a later run can
* be measured there all the same. Untrusted when it is read.
*/
const MAX_LAYERS = 2e4;
/** Characters of all `files`: they are fetched with every index. */
const MAX_FILES = 2e6;
/** Later notes win over earlier ones, and push them out where there is no room for all. */
function mergeNotes(all) {
	return {
		unpacked: new Map(all.flatMap(({ unpacked }) => [...unpacked])),
		layers: new Map(all.flatMap(({ layers }) => [...layers])),
		files: latest(all.map(({ files }) => files))
	};
}
function latest(all) {
	const kept = /* @__PURE__ */ new Map();
	let room = MAX_FILES;
	for (const files of all.toReversed()) for (const [digest, text] of files) {
		if (kept.has(digest) || text.length > room) continue;
		room -= text.length;
		kept.set(digest, text);
	}
	return kept;
}
function readNotes(records) {
	const unpacked = entriesOf$2(records, "unpacked").flatMap(([digest, bytes]) => isDigest$1(digest) && typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0 ? [[digest, bytes]] : []);
	const layers = entriesOf$2(records, "layers").flatMap(([target, digests]) => Array.isArray(digests) && digests.every((digest) => typeof digest === "string" && isDigest$1(digest)) ? [[target, digests]] : []);
	const files = entriesOf$2(records, "files").flatMap(([digest, text]) => isDigest$1(digest) && typeof text === "string" ? [[digest, text]] : []);
	return {
		unpacked: new Map(unpacked),
		layers: new Map(layers),
		files: latest([new Map(files)])
	};
}
/** As JSON for the index. */
function writeNotes({ unpacked, layers, files }) {
	return {
		unpacked: Object.fromEntries(unpacked),
		layers: Object.fromEntries(layers),
		files: Object.fromEntries(files)
	};
}
function entriesOf$2(records, key) {
	if (typeof records !== "object" || records === null) return [];
	const value = records[key];
	return typeof value === "object" && value !== null ? Object.entries(value).slice(0, MAX_LAYERS) : [];
}

// src/cache/index-loader.ts
/**
* Finds the indexes that this run can read: its own branch's, the base branch's, the default branch's, side by side.
* An index that is unreadable, hostile or of a later version is as good as none, and the reason is told.
*/
function recordsIn({ found }) {
	return found.map(({ source, ref, isExact, index: { records } }) => ({
		source,
		ref,
		isExact,
		records
	}));
}
const MAX_INDEX_BYTES = 64 << 20;
const PATIENCE_MS = 1e4;
/** The service takes ten keys a look-up, the first of which has to be whole. */
const MOST_COMMITS = 7;
/** Never rejects. */
async function loadIndexes(places, options) {
	const results = await Promise.all(places.map((place) => load(place, options)));
	return {
		found: results.flatMap(({ loaded }) => loaded ?? []),
		searches: results.map(({ search }) => search)
	};
}
/** One index by its whole key; undefined where it cannot be had or is of no use. Never rejects. */
async function readIndexEntry(key, { backend, root, now }) {
	const result = await backend.restore({
		key,
		path: INDEX_PATH,
		timeoutMs: PATIENCE_MS
	});
	if (result.kind !== "hit" || result.key !== key) return void 0;
	const parsed = await readIndex(join(root, INDEX_PATH, indexFile(key)), now);
	return "fault" in parsed ? void 0 : parsed.index;
}
/** Digests of all blobs in packs of other branches that are not gone. */
function blobsElsewhere(found, isGone) {
	const packs = found.filter(({ source }) => source !== "own").flatMap(({ index }) => Object.entries(index.packs)).filter(([key]) => !isGone(key));
	return new Set(packs.flatMap(([, { blobs }]) => Object.keys(blobs)));
}
async function load({ source, ref, prefix, anyLeg, commits = [] }, { backend, root, now }) {
	const request = {
		key: prefix,
		prefixes: [
			...commits.slice(0, MOST_COMMITS).map((commit) => commitPrefix(prefix, commit)),
			prefix,
			anyLeg
		],
		path: INDEX_PATH,
		timeoutMs: PATIENCE_MS
	};
	const result = await backend.restore(request);
	if (result.kind === "failed") return { search: {
		source,
		ref,
		outcome: result.isSpoilt === true ? "unusable" : "failed",
		reason: result.reason
	} };
	if (result.kind === "miss") return { search: {
		source,
		ref,
		outcome: "none"
	} };
	const parsed = await readIndex(join(root, INDEX_PATH, indexFile(result.key)), now);
	if ("fault" in parsed) return { search: {
		source,
		ref,
		outcome: "unusable",
		reason: parsed.fault
	} };
	return {
		search: {
			source,
			ref,
			outcome: "found"
		},
		loaded: {
			source,
			ref,
			isExact: result.key.startsWith(prefix),
			key: result.key,
			index: parsed.index
		}
	};
}
async function readIndex(path, now) {
	try {
		await using file = await open$1(path, constants$2.O_RDONLY | constants$2.O_NOFOLLOW | constants$2.O_NONBLOCK);
		const found = await file.stat();
		if (!found.isFile()) return { fault: "it is no file" };
		if (found.size > MAX_INDEX_BYTES) return { fault: "it is too large" };
		return parseIndex(await file.readFile(), now);
	} catch (error) {
		return { fault: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` };
	}
}

// src/cache/needed-layers.ts
/**
* Digests of the layers that steps made above a base image, as far up as is asked for. Where several stages stand on the
* same image, those of all.
*/
function layersBeneath({ config }, { base, steps }) {
	const above = /* @__PURE__ */ new Map();
	for (const [index, { parent }] of config.layers.entries()) {
		const known = above.get(parent);
		if (known === void 0) above.set(parent, [index]);
		else known.push(index);
	}
	const blobOf = (index) => config.layers[index]?.blob ?? "";
	const children = (under) => under.flatMap((index) => above.get(index) ?? []);
	let level = [-1];
	for (const digest of base) level = children(level).filter((index) => blobOf(index) === digest);
	const found = /* @__PURE__ */ new Set();
	for (let step = 0; step < steps && level.length > 0; step++) {
		level = children(level);
		for (const index of level) found.add(blobOf(index));
	}
	return [...found];
}

// src/cache/packing.ts
/** A run saves at most this many packs, with the index four entries, up to `FEW_BYTES`. */
const FEW_PACKS = 3;
const FEW_BYTES = 1e9;
const LARGE_PACK_BYTES = 512e6;
const LARGE_BLOB_BYTES = 32 << 20;
/** A pack with more garbage than this is rewritten in any case. */
const MOST_GARBAGE = .5;
/** Above this many bytes for each that is wanted, packs with some garbage are rewritten, too. */
const MOST_OVERHEAD = 1.35;
const SOME_GARBAGE = .2;
const MOST_MOVED_BYTES = 256e6;
/** More packs than this are too many requests: small ones become one. */
const MOST_PACKS = 8;
const MOST_MERGED_BYTES = 64e6;
/** What is no more than this is saved with the index: that is an entry less to save and to ask for. */
const WITH_INDEX_BYTES = 2 << 20;
/** The pack that travels with the index, of those that are new: every later run fetches it, so it is small. */
function packWithIndex(newPacks, mostBytes) {
	return newPacks.find((blobs) => sum$1([...blobs.values()]) <= mostBytes);
}
/** Nothing but what `wanted` names is packed, and the packs that are kept or new weigh `maxBytes` at most. */
function planPacks(question) {
	const { maxBytes } = question;
	let trial = plan(question, maxBytes);
	while (trial.bytes > maxBytes) trial = plan(question, trial.wantedBytes - (trial.bytes - maxBytes));
	return trial.packing;
}
function plan(question, room) {
	const { maxBytes, inSpool, alreadySaved } = question;
	const dropped = tooMuch(question.wanted, room);
	const wanted = new Map(question.wanted);
	for (const digest of dropped) wanted.delete(digest);
	const wantedBytes = sum$1([...wanted.values()]);
	const placed = /* @__PURE__ */ new Set();
	const known = [...alreadySaved, ...question.ownPacks];
	const useful = known.map((pack) => weigh(pack, wanted, placed)).filter(({ live }) => live.length > 0);
	const rewrite = toRewrite(useful, {
		wantedBytes,
		maxBytes
	});
	const kept = useful.filter(({ key }) => !rewrite.has(key));
	const keys = new Set(kept.map(({ key }) => key));
	const there = new Set(known.filter(({ key }) => keys.has(key)).flatMap(({ blobs }) => [...blobs.keys()]));
	const moved = useful.filter(({ key }) => rewrite.has(key)).flatMap(({ live }) => live);
	const fresh = [...wanted.keys()].filter((digest) => !placed.has(digest) && inSpool.has(digest));
	const saved = [...moved.filter((digest) => !there.has(digest)), ...fresh];
	const newPacks = grouped(saved, {
		sizes: wanted,
		mostPacks: Math.max(1, FEW_PACKS - alreadySaved.length),
		savedBytes: sum$1(alreadySaved.flatMap(({ blobs }) => [...blobs.values()]))
	});
	return {
		packing: {
			keep: [...keys],
			rewrite: [...rewrite],
			newPacks,
			dropped
		},
		wantedBytes,
		bytes: sum$1(kept.map(({ total }) => total)) + sum$1(saved.map((digest) => wanted.get(digest) ?? 0))
	};
}
/** The largest blobs, until the rest fits. */
function tooMuch(wanted, room) {
	let total = sum$1([...wanted.values()]);
	const dropped = [];
	for (const digest of largestFirst(wanted.keys(), wanted)) {
		if (total <= room) break;
		dropped.push(digest);
		total -= wanted.get(digest) ?? 0;
	}
	return dropped;
}
/** What a pack has that is wanted and that no pack before it has. */
function weigh(pack, wanted, placed) {
	const live = [...pack.blobs.keys()].filter((digest) => wanted.has(digest) && !placed.has(digest));
	for (const digest of live) placed.add(digest);
	const sizes = live.map((digest) => pack.blobs.get(digest) ?? 0);
	return {
		key: pack.key,
		total: sum$1([...pack.blobs.values()]),
		live,
		liveBytes: sum$1(sizes)
	};
}
function toRewrite(packs, { wantedBytes, maxBytes }) {
	const rewrite = new Set(packs.filter((pack) => garbageOf(pack) > MOST_GARBAGE).map(({ key }) => key));
	let moved = sum$1(packs.filter(({ key }) => rewrite.has(key)).map(({ liveBytes }) => liveBytes));
	const referenced = () => wantedBytes + sum$1(packs.filter(({ key }) => !rewrite.has(key)).map(({ total, liveBytes }) => total - liveBytes));
	for (const pack of packs.toSorted((a, b) => garbageOf(b) - garbageOf(a))) {
		const enough = referenced() > maxBytes ? Number.MIN_VALUE : SOME_GARBAGE;
		if (referenced() <= Math.min(maxBytes, wantedBytes * MOST_OVERHEAD) || garbageOf(pack) < enough) break;
		if (rewrite.has(pack.key) || moved + pack.liveBytes > MOST_MOVED_BYTES) continue;
		rewrite.add(pack.key);
		moved += pack.liveBytes;
	}
	for (const { key } of toMerge(packs.filter(({ key }) => !rewrite.has(key)))) rewrite.add(key);
	return rewrite;
}
/** The smallest packs where there are many; a large one is worth an entry of its own. */
function toMerge(packs) {
	if (packs.length <= MOST_PACKS) return [];
	const small = packs.filter(({ total }) => total < LARGE_BLOB_BYTES).sort((a, b) => a.total - b.total);
	const merged = [];
	let moved = 0;
	for (const pack of small.slice(0, packs.length - MOST_PACKS / 2)) {
		moved += pack.liveBytes;
		if (moved > MOST_MERGED_BYTES) break;
		merged.push(pack);
	}
	return merged.length > 1 ? merged : [];
}
function garbageOf({ total, liveBytes }) {
	return total === 0 ? 0 : (total - liveBytes) / total;
}
/** Large blobs alone, so that nobody fetches one for the sake of another; the rest together; few packs in all. */
function grouped(digests, given) {
	if (digests.length === 0) return [];
	const { sizes, mostPacks } = given;
	const sizeOf = (digest) => sizes.get(digest) ?? 0;
	const bySize = largestFirst(digests, sizes);
	const large = bySize.filter((digest) => sizeOf(digest) >= LARGE_BLOB_BYTES).length;
	const total = sum$1(digests.map(sizeOf));
	const isMuch = total + given.savedBytes > FEW_BYTES;
	const most = mostPacks + (isMuch ? Math.ceil(total / LARGE_PACK_BYTES) : 0);
	const alone = digests.length <= most && large === digests.length ? large : Math.min(large, most - 1);
	const rest = bySize.slice(alone);
	return [...bySize.slice(0, alone).map((digest) => [digest]), ...isMuch ? filled(rest, sizeOf) : rest.length > 0 ? [rest] : []];
}
/** As few groups as come of putting each blob, the largest first, where it fits first. */
function filled(bySize, sizeOf) {
	const groups = [];
	for (const digest of bySize) {
		const size = sizeOf(digest);
		const group = groups.find(({ bytes }) => bytes + size <= LARGE_PACK_BYTES);
		if (group === void 0) groups.push({
			digests: [digest],
			bytes: size
		});
		else {
			group.digests.push(digest);
			group.bytes += size;
		}
	}
	return groups.map((group) => group.digests);
}
function largestFirst(digests, sizes) {
	const sizeOf = (digest) => sizes.get(digest) ?? 0;
	return [...digests].sort((a, b) => sizeOf(b) - sizeOf(a) || (a < b ? -1 : 1));
}
function sum$1(numbers) {
	return numbers.reduce((total, number) => total + number, 0);
}

// src/cache/save-planning.ts
/** Caches of stages of a failed build: they belong to no target, so every target is offered them. */
const PARTIAL = "~";
function planSave(question) {
	const { own, early, spool, isKeptElsewhere, maxBytes } = question;
	const ownPacks = Object.entries(own?.packs ?? {}).filter(([key, pack]) => !question.gone.has(key) && !holdsMounts(pack, own)).map(([key, pack]) => ({
		key,
		...pack
	}));
	const packed = new Set([...ownPacks, ...early].flatMap(({ blobs }) => Object.keys(blobs)));
	const canBeHad = (digest) => isKeptElsewhere(digest) || spool.has(digest) || packed.has(digest) && !question.damaged.has(digest);
	const asKnown = (pack) => ({
		key: pack.key,
		blobs: new Map(Object.entries(pack.blobs).filter(([digest]) => !question.damaged.has(digest)))
	});
	const pack = (wanted) => planPacks({
		wanted,
		maxBytes,
		inSpool: spool,
		ownPacks: ownPacks.map(asKnown),
		alreadySaved: early.map(asKnown)
	});
	const first = contentOf$1(targetsOf(question), canBeHad, isKeptElsewhere);
	const draft = pack(first.wanted);
	const dropped = new Set(draft.dropped);
	const { targets, blobs, wanted } = dropped.size === 0 ? first : contentOf$1(first.targets, (digest) => !dropped.has(digest), isKeptElsewhere);
	const packing = dropped.size === 0 ? draft : pack(wanted);
	const kept = new Set(packing.keep);
	const { createdAt, ref, commit } = question;
	const sizeOf = (digest) => wanted.get(digest) ?? 0;
	const isNamed = (digest) => blobs.has(digest) || question.named?.layers?.has(digest) === true;
	const newPacks = packing.newPacks.map((digests) => new Map(digests.map((digest) => [digest, sizeOf(digest)])));
	const ofLayers = [...ownPacks, ...early].filter(({ key }) => kept.has(key));
	const layerBytes = sum([...ofLayers.flatMap((one) => Object.values(one.blobs)), ...newPacks.flatMap((one) => [...one.values()])]);
	const mounts = planMounts({
		own,
		gone: question.gone,
		damaged: question.damaged,
		fresh: question.mounts,
		named: question.named?.mounts,
		room: maxBytes - layerBytes
	});
	const fresh = [...newPacks.flatMap((pack) => [...pack.keys()]).filter((digest) => spool.has(digest)), ...early.flatMap((pack) => Object.keys(pack.blobs))];
	return {
		newPacks: [...newPacks, ...mounts.newPacks],
		withIndex: packWithIndex(newPacks, question.withIndexBytes),
		droppedMounts: mounts.dropped,
		moved: ownPacks.filter(({ key }) => packing.rewrite.includes(key)),
		bytes: sum([...new Set(fresh)].map(sizeOf)) + mounts.bytes,
		droppedBytes: sum([...first.wanted].filter(([digest]) => !wanted.has(digest)).map(([, size]) => size)),
		document: {
			version: 1,
			createdAt,
			ref,
			...commit === void 0 ? {} : { commit },
			packs: {
				...Object.fromEntries(ofLayers.map(({ key, path, createdAt: since, blobs: content }) => [key, {
					path,
					createdAt: since,
					blobs: content
				}])),
				...mounts.packs
			},
			mounts: mounts.mounts,
			targets: Object.fromEntries([...targets].map(([name, cache]) => [name, {
				createdAt,
				...cache
			}])),
			records: {
				...question.records,
				...writeNotes({
					unpacked: new Map([...question.notes.unpacked].filter(([digest]) => isNamed(digest))),
					layers: question.notes.layers,
					files: new Map([...question.notes.files].filter(([digest]) => isNamed(digest)))
				})
			}
		}
	};
}
/** The targets without what cannot be had, all that they name, and what of it must be saved by this branch. */
function contentOf$1(caches, canBeHad, isKeptElsewhere) {
	const targets = new Map([...caches].map(([name, cache]) => [name, pruneTargetCache(cache, canBeHad)]));
	const blobs = new Map([...targets.values()].flatMap((cache) => [...blobsOf(cache)]));
	return {
		targets,
		blobs,
		wanted: new Map([...blobs].filter(([digest]) => !isKeptElsewhere(digest)))
	};
}
/** A target whose cache was not exported keeps the one that it had. */
function targetsOf({ own, caches }) {
	const old = Object.entries(own?.targets ?? {}).filter(([name]) => !name.startsWith("~"));
	return new Map([...old.map(([name, { layers, config }]) => [name, {
		layers,
		config
	}]), ...caches]);
}
function sum(numbers) {
	return numbers.reduce((total, number) => total + number, 0);
}

// src/cache/spool.ts
/**
* The blobs that BuildKit pushed in this run, kept as files until they are saved. A blob that cannot be written (a full
* disk) is not kept, and none after it; the build does not notice, for the last of the disk is left to its own files.
*/
/** Of the disk: left to others, or the sixteenth part of a small one. */
const LEFT_BYTES = 256 << 20;
/** How much is written before the disk is asked again. */
const STRIDE_BYTES = 16 << 20;
var Spool = class {
	#options;
	#sizes = /* @__PURE__ */ new Map();
	#taken = /* @__PURE__ */ new Set();
	#parts = 0;
	/** Bytes that may be written before the disk is asked. */
	#granted = 0;
	/** Bytes that wait to be written. */
	#pending = 0;
	#fault;
	constructor(options) {
		this.#options = options;
	}
	/** Why blobs are no longer kept; undefined while they are. */
	get fault() {
		return this.#fault;
	}
	/** Digest → bytes of every blob that is kept. */
	get blobs() {
		return this.#sizes;
	}
	pathOf(digest) {
		return join(this.#options.folder, digest.replace(":", "-"));
	}
	promised(digest) {
		return Promise.resolve(this.#sizes.get(digest));
	}
	open(digest) {
		const size = this.#sizes.get(digest);
		if (size === void 0) return Promise.resolve(void 0);
		return Promise.resolve({
			size,
			open: (range) => createReadStream$1(this.pathOf(digest), range ?? {})
		});
	}
	/** Takes a file that lies on the same disk for a blob; it need not be told of. @throws Error when it cannot be moved */
	async adopt(path, digest, size) {
		await mkdir$1(this.#options.folder, { recursive: true });
		await rename$1(path, this.pathOf(digest));
		this.#taken.add(digest);
		this.#sizes.set(digest, size);
	}
	openSink() {
		const part = join(this.#options.folder, `part-${this.#parts++}`);
		let file;
		const guarded = async (step) => {
			try {
				await step();
			} catch (error) {
				this.#fault ??= error;
				throw error;
			}
		};
		return {
			write: async (chunk) => {
				if (this.#fault !== void 0) throw new Error("the disk took no more blobs");
				await guarded(async () => {
					const handle = await (file ??= this.#create(part));
					this.#pending += chunk.length;
					try {
						await this.#grant(chunk.length);
						for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten;
					} finally {
						this.#pending -= chunk.length;
					}
				});
			},
			finish: async (digest, size) => {
				await guarded(async () => {
					await (await (file ??= this.#create(part))).close();
					const isFirst = !this.#taken.has(digest);
					this.#taken.add(digest);
					await (isFirst ? rename$1(part, this.pathOf(digest)) : rm$1(part));
					if (!isFirst) return;
					this.#sizes.set(digest, size);
					this.#options.onBlob(digest, size);
				});
			},
			abort: () => {
				file?.then((handle) => handle.close()).catch(() => void 0);
				rm$1(part, { force: true }).catch(() => void 0);
			}
		};
	}
	async #create(part) {
		await mkdir$1(this.#options.folder, { recursive: true });
		return await open$1(part, "wx");
	}
	/** @throws Error when writing these bytes would leave too little of the disk */
	async #grant(bytes) {
		this.#granted -= bytes;
		if (this.#granted >= 0) return;
		const { bavail, blocks, bsize } = await statfs(this.#options.folder);
		const room = bavail * bsize - Math.min(LEFT_BYTES, blocks * bsize / 16) - this.#pending;
		if (room < 0) throw new Error("the disk is almost full");
		this.#granted = Math.min(room / 4, STRIDE_BYTES);
	}
};

// src/cache/layer-cache.ts
/**
* The layer cache of one run: what earlier runs saved is offered to BuildKit, what BuildKit exports is taken in, and in
* the end it is decided what is saved. Ties the indexes, the packs and the spool together; serves no requests itself.
* Nothing here can fail a build: whatever cannot be had is not offered.
*/
/** A pack older than this is asked for before it is counted on: it may have been evicted. */
const TRUSTED_MS = 864e5;
var LayerCache = class {
	#options;
	#packs;
	#spool;
	#early;
	#mounts = /* @__PURE__ */ new Map();
	#loaded;
	#view;
	constructor(options) {
		this.#options = options;
		this.#packs = new PackStore(options);
		this.#spool = new Spool({
			folder: join(options.root, "blobs"),
			onBlob: (digest, size) => {
				this.#early.add(digest, size);
			}
		});
		this.#early = new EarlySaves({
			...options,
			newPack: () => newPack(options.packPrefix),
			fileOf: (digest) => this.#spool.pathOf(digest)
		});
	}
	/** Begins to look for the indexes. */
	begin() {
		this.#indexes();
	}
	/** Where the layer registry finds blobs. */
	get sources() {
		return [this.#spool, this.#packs];
	}
	openSinks() {
		return this.#options.writes && this.#spool.fault === void 0 ? [this.#spool.openSink()] : [];
	}
	/** Whether a blob was pushed in this run, since nobody had it. */
	hasReceived(digest) {
		return this.#spool.blobs.has(digest);
	}
	/** Blobs that were promised and could not be given. */
	get missed() {
		return this.#packs.missed;
	}
	get spoolFault() {
		return this.#spool.fault;
	}
	stats() {
		return this.#packs.stats();
	}
	async searches() {
		return (await this.#indexes()).searches;
	}
	/** What earlier runs' indexes remember besides, own branch first. */
	async records() {
		return recordsIn(await this.#indexes());
	}
	/** What the indexes in other places remember: those of the legs of a matrix. Never rejects. */
	async recordsAt(places) {
		const { backend, root, now } = this.#options;
		return recordsIn(await loadIndexes(places, {
			backend,
			root,
			now: now()
		}));
	}
	/** What earlier runs learned of layers. */
	async notes() {
		const { found } = await this.#indexes();
		return mergeNotes(found.toReversed().map(({ index }) => readNotes(index.records)));
	}
	/**
	* What BuildKit may import for a target, own branch first; only layers that can be had are named.
	* @param isBase whether a base image's registry keeps a blob
	*/
	async offers(target, isBase) {
		const view = await this.#merged();
		await this.#askForOldPacks();
		return [target, ...view.targets().filter((name) => name.startsWith("~"))].flatMap((name) => view.cachesOf(name)).map(({ ref, createdAt, cache }) => ({
			ref,
			createdAt: Date.parse(createdAt),
			rendered: renderTargetCache(shrinkToImport(pruneTargetCache(cache, (digest) => isBase(digest) || this.#packs.has(digest))))
		}));
	}
	/** What earlier runs saved of a cache mount, own branch first. */
	async mountArchives(key) {
		await this.#merged();
		return archivesOf(key, (await this.#indexes()).found, (digest) => this.#packs.has(digest));
	}
	/** The path of a blob that earlier runs saved; undefined where it cannot be had. */
	async fileOf(digest) {
		return await this.#packs.fileOf(digest);
	}
	/** Takes the archive of a cache mount in, to be saved with the rest. @throws Error when the file cannot be moved */
	async takeMount(key, mount, path) {
		await this.#spool.adopt(path, mount.digest, mount.bytes);
		this.#mounts.set(key, mount);
	}
	/** Fetches what lies beneath steps that will run. Never rejects. */
	async prefetchBeneath(places) {
		const view = await this.#merged();
		await this.prefetch(places.flatMap((place) => view.cachesOf(place.target).flatMap(({ cache }) => layersBeneath(cache, place))));
	}
	/** Fetches what holds these blobs before anybody asks. */
	async prefetch(digests) {
		await this.#packs.prefetch(digests);
	}
	/**
	* Decides what to save after the build, and puts it into its place.
	* @param caches what BuildKit exported, by target
	*/
	async finish(caches, options) {
		const isNews = options.records.areNew || this.#mounts.size > 0;
		if (!this.#options.writes || caches.size === 0 && !isNews) return { kind: "unchanged" };
		const { found, searches } = await this.#indexes();
		if (searches.some(({ source, outcome }) => source === "own" && outcome === "failed")) return { kind: "unchanged" };
		const own = found.find(({ source }) => source === "own")?.index;
		const view = await this.#merged();
		const isHad = (digest) => options.isBase(digest) || this.#packs.has(digest);
		if (view.says(caches) && allBlobs(caches).every(isHad) && !this.#hasLostPacks(own) && !isNews) return { kind: "unchanged" };
		const [place] = this.#options.places;
		if (place === void 0) return { kind: "unchanged" };
		const { now, commit, packPrefix, maxBytes, withIndexBytes } = this.#options;
		const createdAt = new Date(now()).toISOString();
		const elsewhere = blobsElsewhere(found, (key) => this.#packs.isGone(key));
		const decision = planSave({
			caches,
			own,
			early: this.#early.packs,
			createdAt,
			commit,
			maxBytes,
			withIndexBytes,
			ref: place.ref,
			gone: new Set(Object.keys(own?.packs ?? {}).filter((key) => this.#packs.isGone(key))),
			isKeptElsewhere: (digest) => options.isBase(digest) || elsewhere.has(digest),
			damaged: this.#packs.damaged,
			spool: new Set(this.#spool.blobs.keys()),
			notes: mergeNotes([await this.notes(), options.notes]),
			records: options.records.json,
			mounts: Object.fromEntries(this.#mounts),
			named: options.named
		});
		const indexKey = newIndexKey(place.prefix, {
			now: now(),
			commit
		});
		const packs = await Promise.all(decision.newPacks.map(async (blobs) => {
			const { key, path } = blobs === decision.withIndex ? {
				key: indexKey,
				path: blobsPath(indexKey) ?? ""
			} : newPack(packPrefix);
			const spooled = [...blobs.keys()].filter((digest) => this.#spool.blobs.has(digest));
			await fillPack(this.#options.root, path, new Map(spooled.map((digest) => [digest, this.#spool.pathOf(digest)])));
			const from = decision.moved.filter((pack) => [...blobs.keys()].some((digest) => digest in pack.blobs));
			return {
				key,
				path,
				createdAt,
				blobs: Object.fromEntries(blobs),
				from
			};
		}));
		const { document, bytes, droppedBytes, droppedMounts } = decision;
		return {
			kind: "plan",
			plan: {
				packs,
				document,
				index: {
					key: indexKey,
					path: INDEX_PATH,
					file: indexFile(indexKey)
				}
			},
			begun: this.#early.results(),
			bytes,
			droppedBytes,
			droppedMounts
		};
	}
	#indexes() {
		const { places, backend, root, now } = this.#options;
		this.#loaded ??= loadIndexes(places, {
			backend,
			root,
			now: now()
		});
		return this.#loaded;
	}
	async #merged() {
		if (this.#view !== void 0) return this.#view;
		const { found } = await this.#indexes();
		for (const { index, key: own } of found) for (const pack of packsOf(index)) if (pack.key === own) this.#packs.takeFromIndex(pack);
		else this.#packs.add(pack);
		this.#view = mergeIndexes(found);
		return this.#view;
	}
	async #askForOldPacks() {
		const { found } = await this.#indexes();
		const old = found.flatMap(({ index, key: own }) => packsOf(index).filter(({ key }) => key !== own)).filter(({ createdAt }) => this.#options.now() - Date.parse(createdAt) > TRUSTED_MS);
		await Promise.all(old.map((pack) => this.#packs.isThere(pack)));
	}
	#hasLostPacks(own) {
		return this.#packs.damaged.size > 0 || Object.keys(own?.packs ?? {}).some((key) => this.#packs.isGone(key));
	}
};
function allBlobs(caches) {
	return [...caches.values()].flatMap((cache) => [...blobsOf(cache).keys()]);
}

// \0plain-util
const util = process.getBuiltinModule("node:util");
const { isDeepStrictEqual } = util;

// src/graph/reachability.ts
/**
* The target and every stage it needs, each after those that it needs itself; otherwise in the order of the file. A stage
* replaced by a named context keeps what it copies, as in BuildKit.
*/
function stagesOf(graph, target) {
	return buildOrder(graph, [target]);
}
/** Every stage that any of the targets needs, in build order. */
function stagesOfAll(graph, targets) {
	return buildOrder(graph, targets);
}
function buildOrder(graph, targets) {
	const reached = reachedFrom$1(graph, targets);
	const order = [];
	const entered = /* @__PURE__ */ new Set();
	for (const root of [...reached].sort((a, b) => a - b)) {
		if (entered.has(root)) continue;
		entered.add(root);
		const stack = [{
			stage: root,
			needs: neededStages$1(graph, root),
			next: 0
		}];
		for (let top = stack.at(-1); top !== void 0; top = stack.at(-1)) {
			const needed = top.needs[top.next++];
			if (needed === void 0) {
				order.push(top.stage);
				stack.pop();
			} else if (!entered.has(needed)) {
				entered.add(needed);
				stack.push({
					stage: needed,
					needs: neededStages$1(graph, needed),
					next: 0
				});
			}
		}
	}
	return order;
}
function reachedFrom$1(graph, targets) {
	const reached = new Set(targets.filter((target) => graph.stages[target] !== void 0));
	for (const stage of reached) for (const needed of neededStages$1(graph, stage)) reached.add(needed);
	return reached;
}
/** The stages that a stage needs directly, in the order of the file. */
function neededStages$1(graph, stage) {
	const found = /* @__PURE__ */ new Set();
	for (const source of sourcesOf$1(graph.stages[stage])) if (source.kind === "stage") found.add(source.stage);
	return [...found].sort((a, b) => a - b);
}
function sourcesOf$1(stage) {
	return stage === void 0 ? [] : [stage.from, ...stage.needs.map((need) => need.source)];
}
/**
* The stages that two or more of the targets need (a target that another one needs is shared, too), in build order.
* @param sameAs of a stage that is built as another one is, that one
*/
function sharedStages(graph, targets, sameAs = (stage) => stage) {
	const counts = /* @__PURE__ */ new Map();
	for (const target of new Set(targets)) {
		const reached = new Set([...reachedFrom$1(graph, [target])].map(sameAs));
		for (const stage of reached) counts.set(stage, (counts.get(stage) ?? 0) + 1);
	}
	return buildOrder(graph, targets).filter((stage) => (counts.get(sameAs(stage)) ?? 0) > 1);
}
/** The errors that count for these targets, in BuildKit's order. */
function errorsFor(errors, graph, targets) {
	const reached = graph === void 0 ? /* @__PURE__ */ new Set() : reachedFrom$1(graph, targets);
	return errors.filter(({ scope, stage }) => scope !== "reachable-only" || stage !== void 0 && reached.has(stage));
}
/** Every image from outside that these stages (default: all) name, in the order of the file. */
function externalImages$1(graph, stages) {
	const wanted = stages === void 0 ? void 0 : new Set(stages);
	const uses = /* @__PURE__ */ new Map();
	const add = (source, use) => {
		if (source.kind !== "image") return;
		const known = uses.get(source.image);
		if (known === void 0) uses.set(source.image, [use]);
		else known.push(use);
	};
	for (const { index, line, from, platform, needs } of graph.stages) {
		if (wanted?.has(index) === false) continue;
		add(from, {
			stage: index,
			line,
			via: "from",
			platform
		});
		for (const need of needs) add(need.source, {
			stage: index,
			line: need.line,
			via: need.via,
			platform: graph.platform
		});
	}
	return [...uses].map(([image, places]) => ({
		image,
		platforms: [...new Set(places.map((use) => use.platform))],
		uses: places
	}));
}

// src/graph/git-source.ts
/**
* Which sources of COPY and ADD are no paths: URLs and Git references.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dfgitutil/git_ref.go, util/gitutil/git_url.go
*/
/** A Git reference that cannot be meant as a path (`github.com/o/r` can, so it is none). */
function isGitSource(source) {
	if (!source.includes(":")) return false;
	if (source.startsWith("./") || source.startsWith("../")) return false;
	if (/^(?:git|ssh):\/\//i.test(source)) return true;
	if (/^https?:\/\//i.test(source)) return /\.git$/.test(source.replace(/[?#].*$/s, ""));
	return /^[a-zA-Z0-9\-_]+@[a-zA-Z0-9\-.]+:/.test(source);
}
function isHttpSource(source) {
	return source.startsWith("http") && /^https?:\/\//.test(source) && !isGitSource(source);
}

// src/plan/unknown-inputs.ts
/** What of a stage's inputs cannot be known beforehand, in words. Pure. */
/** The sources without a digest; stages tell their own. */
function unknownSources(line, sources) {
	return sources.filter(({ kind, digest }) => digest === void 0 && kind !== "stage").map((source) => ({
		line,
		text: unknownText$1(source)
	}));
}
/** What an ADD fetches that may change unnoticed. */
function unknownRemotes({ line, remotes }) {
	return remotes.filter(({ source, checksum }) => !isPinned(source, checksum)).map(({ source }) => ({
		line,
		text: `${source} has no checksum, so it may change unnoticed`
	}));
}
/** With a checksum, and Git references by a whole commit, always the same is fetched. */
function isPinned(source, checksum) {
	if (checksum !== void 0) return true;
	return isGitSource(source) && /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(source);
}
function unknownText$1({ kind, name }) {
	if (kind === "image") return name.includes("@") ? `what ${name} sets is not known` : `the digest of ${name} is not known`;
	return name === "" ? "the files of the build context could not be read" : `the content of the build context ${name} is not known beforehand`;
}

// src/plan/stage-print.ts
/**
* Fingerprints of stages: first the data, which can be compared and told about, then the digest over it. What is in, and
* why: BuildKit's cache key of each operation, so that equal prints mean that BuildKit would find every step in its cache.
* Sources: https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap), …/ops/file.go,
* …/source/containerimage/pull.go, https://github.com/moby/buildkit/blob/v0.25.0/cache/contenthash/filehash.go
*/
/** Prints the stages of one graph; a stage that several targets need is printed once. */
var StagePrinter = class {
	#graph;
	#inputsOf;
	#endings = /* @__PURE__ */ new Map();
	/** @param inputsOf those of the stage's Dockerfile */
	constructor(graph, inputsOf) {
		this.#graph = graph;
		this.#inputsOf = inputsOf;
	}
	/** Of the stages that a target needs, in build order. */
	print(target) {
		return stagesOf(this.#graph, target).flatMap((index) => {
			const stage = this.#graph.stages[index];
			if (stage === void 0) return [];
			const ending = this.#endings.get(index) ?? printStage(stage, this.#endings, this.#inputsOf(stage));
			this.#endings.set(index, ending);
			return [ending.print];
		});
	}
};
function printStage(stage, endings, inputs) {
	const { index, name, line, platform } = stage;
	const unknown = [];
	const below = stage.from.kind === "stage" ? endings.get(stage.from.stage) : void 0;
	const base = sourceOf$3(stage.from, void 0, endings, inputs);
	unknown.push(...unknownSources(line, [base]));
	const chain = new Chain(below?.pending);
	chain.add([
		"base",
		base.kind,
		base.digest ?? "",
		platform,
		inputs.options
	]);
	if (base.digest === void 0) chain.lose();
	let config = digestOf([below?.config ?? base.digest ?? ""]);
	const steps = stage.steps.map((step) => {
		const printed = printStep(step, {
			index,
			chain,
			endings,
			inputs
		});
		const remotes = unknownRemotes(step);
		unknown.push(...unknownSources(step.line, printed.sources), ...remotes);
		if (remotes.length > 0) chain.lose();
		config = digestOf([config, printed.history]);
		return printed;
	});
	const files = chain.digest;
	const pending = chain.pending;
	const fingerprint = files === void 0 ? void 0 : digestOf([
		files,
		[...pending.values()].map(({ name: key, value }) => [key, value]),
		config
	]);
	const hasRun = stage.steps.some(({ effect }) => effect === "run");
	return {
		print: {
			index,
			name,
			line,
			platform,
			base,
			steps,
			options: [...inputs.options, ...hasRun ? inputs.runOptions : []].map(([key, value]) => ({
				name: key,
				value: digestOf(value)
			})),
			files,
			fingerprint,
			unknown
		},
		pending,
		config
	};
}
/** The files of a stage as they come to be, step by step. */
var Chain = class {
	pending;
	#digest = "";
	constructor(pending) {
		this.pending = new Map(pending);
	}
	get digest() {
		return this.#digest;
	}
	add(part) {
		if (this.#digest !== void 0) this.#digest = digestOf([this.#digest, part]);
	}
	/** From here on the result cannot be known beforehand. */
	lose() {
		this.#digest = void 0;
	}
	set(setting) {
		this.pending.delete(setting.name);
		this.pending.set(setting.name, setting);
	}
	take(isWanted) {
		const taken = [...this.pending.values()].filter(({ name }) => isWanted(name));
		for (const { name } of taken) this.pending.delete(name);
		return taken;
	}
};
const LONGEST_TEXT = 200;
function printStep(step, context) {
	const { keyword, line, endLine, effect } = step;
	const text = step.text.length <= LONGEST_TEXT ? step.text : `${step.text.slice(0, LONGEST_TEXT)}…`;
	const written = digestOf([step.text, step.bodies]);
	const { index, chain, endings, inputs } = context;
	const set = settingsOf(step, index);
	for (const setting of set) chain.set(setting);
	const base = {
		keyword,
		line,
		endLine,
		text,
		written,
		history: digestOf([
			keyword,
			step.words,
			step.history
		])
	};
	if (effect === "setting" || effect === "config") return {
		...base,
		words: "",
		settings: set,
		sources: []
	};
	const sources = [...step.reads.map((read) => readOf(read, void 0, inputs)), ...step.sources.map(({ source, read }) => sourceOf$3(source, read, endings, inputs))];
	const settings = effect === "run" ? chain.take(() => true) : keyword === "WORKDIR" ? chain.take((name) => name === "user") : [];
	const words = digestOf(step.words);
	chain.add([
		words,
		settings.map(({ name, value }) => [name, value]),
		sources.map(({ kind, digest }) => [kind, digest ?? ""]),
		effect === "run" ? inputs.runOptions : []
	]);
	if (sources.some(({ digest }) => digest === void 0)) chain.lose();
	return {
		...base,
		words,
		settings,
		sources
	};
}
/** An ARG without a value leaves what was set before. */
function settingsOf({ keyword, line, settings }, stage) {
	const sign = keyword === "ARG" || keyword === "ENV" ? "$" : "";
	return settings.flatMap(([name, value]) => value === void 0 ? [] : [{
		name: `${sign}${name}`,
		value: digestOf([name, value]),
		stage,
		line
	}]);
}
function readOf(read, context, inputs) {
	return {
		kind: "context",
		name: context ?? "",
		digest: inputs.readDigest(read, context)
	};
}
function sourceOf$3(source, read, endings, inputs) {
	switch (source.kind) {
		case "scratch": return {
			kind: "scratch",
			name: "scratch",
			digest: "scratch"
		};
		case "image": return {
			kind: "image",
			name: source.image,
			digest: inputs.imageDigest(source.image)
		};
		case "stage": {
			const ending = endings.get(source.stage);
			return {
				kind: "stage",
				name: String(source.stage),
				digest: ending?.print.files
			};
		}
		case "context": {
			const whole = inputs.contextDigest(source.context);
			if (whole !== void 0) return {
				kind: "context",
				name: source.context,
				digest: whole
			};
			return readOf(read ?? WHOLE, source.context, inputs);
		}
	}
}
/** A context that stands for a stage: all of it. */
const WHOLE = {
	line: 0,
	via: "copy",
	paths: ["/"],
	exclude: [],
	parents: false
};
/** Equal reads of one context have equal keys. */
function readKey({ via, paths, exclude, parents }, context) {
	return JSON.stringify([
		context ?? "",
		via,
		paths,
		exclude,
		parents
	]);
}
/** Every read of a context that the prints of these stages ask for, each once. */
function readsOf(stages) {
	const found = /* @__PURE__ */ new Map();
	const add = (read, context) => {
		found.set(readKey(read, context), {
			read,
			context
		});
	};
	for (const { from, steps } of stages) {
		if (from.kind === "context") add(WHOLE, from.context);
		for (const step of steps) {
			for (const read of step.reads) add(read, void 0);
			for (const { source, read } of step.sources) if (source.kind === "context") add(read, source.context);
		}
	}
	return [...found.values()];
}
/** `sha256:…` of a value as JSON. */
function digestOf(value) {
	return `sha256:${createHash("sha256").update(JSON.stringify(value)).digest("hex")}`;
}

// src/plan/record.ts
/**
* Records: what is remembered of a target that was built. Kept with the cache index, which others may have written, so
* they are read strictly: what is malformed, of another version or too large is no record. Pure.
*/
/** As JSON for the index. Stages and files that several targets share are written once. */
function writeRecords(records) {
	const stages = {};
	const files = {};
	const share = (stage) => {
		const key = shortOf(digestOf(stage));
		stages[key] = stage;
		return key;
	};
	const targets = [...records].map(([name, { print, files: lists, image, ...head }]) => {
		for (const [digest, list] of lists) files[digest] = Object.fromEntries(list);
		const platforms = print.platforms.map(({ platform, stages: all }) => ({
			platform,
			stages: all.map(share)
		}));
		return [name, {
			...head,
			platforms,
			fields: print.fields,
			files: [...lists.keys()],
			image
		}];
	});
	return {
		version: VERSION$1,
		stages,
		files,
		targets: Object.fromEntries(targets)
	};
}
const VERSION$1 = 1;
const MOST_TARGETS = 500;
const MOST_STAGES = 2e4;
const MOST_STEPS = 5e3;
const MOST_FILES = 2e4;
const LONGEST$3 = 2e4;
/** Every target's record that can be read. */
function readRecords(json) {
	const records = /* @__PURE__ */ new Map();
	if (field(json, "version") !== VERSION$1) return records;
	const stages = new Map(entries(field(json, "stages"), MOST_STAGES).map(([key, value]) => [key, stageOf(value)]));
	const lists = new Map(entries(field(json, "files"), MOST_STAGES).map(([key, value]) => [key, listOf$1(value)]));
	for (const [name, value] of entries(field(json, "targets"), MOST_TARGETS)) {
		const record = recordOf(value, stages, lists);
		if (record !== void 0) records.set(name, record);
	}
	return records;
}
function recordOf(value, stages, lists) {
	const [createdAt, fingerprint, commit] = [
		field(value, "createdAt"),
		field(value, "fingerprint"),
		field(value, "commit")
	];
	const [run, image] = [field(value, "run"), imageOf(field(value, "image"))];
	const platforms = allOf(field(value, "platforms"), (item) => {
		const platform = field(item, "platform");
		const known = allOf(field(item, "stages"), (key) => typeof key === "string" ? stages.get(key) : void 0);
		return isText(platform) && known !== void 0 && known.length > 0 ? {
			platform,
			stages: known
		} : void 0;
	});
	const fields = allOf(field(value, "fields"), (item) => {
		const [name, digest] = [field(item, "name"), field(item, "digest")];
		return isText(name) && isText(digest) ? {
			name,
			digest
		} : void 0;
	});
	const digests = allOf(field(value, "files"), (item) => isText(item) ? item : void 0);
	if (!isText(createdAt) || fingerprint !== void 0 && !isDigest(fingerprint) || image === void 0) return void 0;
	if (platforms === void 0 || platforms.length === 0 && fingerprint !== void 0 || fields === void 0 || digests === void 0) return void 0;
	return {
		createdAt,
		fingerprint,
		image,
		print: {
			platforms,
			fields
		},
		commit: typeof commit === "string" && /^[0-9a-f]{40,64}$/.test(commit) ? commit : void 0,
		...typeof run === "string" && /^\d{1,20}$/.test(run) ? { run } : {},
		files: new Map(digests.flatMap((digest) => pair(digest, lists.get(digest))))
	};
}
function pair(key, value) {
	return value === void 0 ? [] : [[key, value]];
}
function imageOf(value) {
	const [digest, imageId, repositories] = [
		field(value, "digest"),
		field(value, "imageId"),
		field(value, "repositories")
	];
	const places = allOf(repositories, (item) => isText(item) ? item : void 0);
	if (places === void 0 || digest !== void 0 && !isDigest(digest)) return void 0;
	return {
		digest,
		repositories: places,
		sizes: field(value, "sizes"),
		imageId: isDigest(imageId) ? imageId : void 0
	};
}
function stageOf(value) {
	const [index, line, name] = [
		field(value, "index"),
		field(value, "line"),
		field(value, "name")
	];
	const [platform, files, fingerprint] = [
		field(value, "platform"),
		field(value, "files"),
		field(value, "fingerprint")
	];
	const base = sourceOf$2(field(value, "base"));
	const steps = all(field(value, "steps"), stepOf, MOST_STEPS);
	const options = allOf(field(value, "options"), (item) => {
		const [key, digest] = [field(item, "name"), field(item, "value")];
		return isText(key) && isText(digest) ? {
			name: key,
			value: digest
		} : void 0;
	});
	if (!isCount(index) || !isCount(line) || !isText(platform) || base === void 0) return void 0;
	if (steps === void 0 || options === void 0) return void 0;
	return {
		index,
		line,
		platform,
		base,
		steps,
		options,
		unknown: [],
		name: isText(name) ? name : void 0,
		files: isText(files) ? files : void 0,
		fingerprint: isText(fingerprint) ? fingerprint : void 0
	};
}
function stepOf(value) {
	const [keyword, text, written] = [
		"keyword",
		"text",
		"written"
	].map((key) => field(value, key));
	const [words, history] = ["words", "history"].map((key) => field(value, key));
	const [line, endLine] = [field(value, "line"), field(value, "endLine")];
	const sources = allOf(field(value, "sources"), sourceOf$2);
	const settings = allOf(field(value, "settings"), (item) => {
		const [name, digest] = [field(item, "name"), field(item, "value")];
		const [stage, at] = [field(item, "stage"), field(item, "line")];
		return isText(name) && isText(digest) && isCount(stage) && isCount(at) ? {
			name,
			value: digest,
			stage,
			line: at
		} : void 0;
	});
	return isText(keyword) && isText(text) && isText(written) && isText(words) && isText(history) && isCount(line) && isCount(endLine) ? sources === void 0 || settings === void 0 ? void 0 : {
		keyword,
		line,
		endLine,
		text,
		written,
		words,
		history,
		settings,
		sources
	} : void 0;
}
const KINDS$1 = [
	"image",
	"stage",
	"context",
	"scratch"
];
function sourceOf$2(value) {
	const kind = KINDS$1.find((candidate) => candidate === field(value, "kind"));
	const [name, digest] = [field(value, "name"), field(value, "digest")];
	return kind !== void 0 && isText(name) ? {
		kind,
		name,
		digest: isText(digest) ? digest : void 0
	} : void 0;
}
function listOf$1(value) {
	const found = entries(value, MOST_FILES);
	return found.every((item) => isText(item[1])) ? new Map(found) : void 0;
}
/** Every item as read; undefined where one cannot be, or it is no list. */
function allOf(value, read) {
	return all(value, read, MOST_STAGES);
}
function isText(value) {
	return isText$1(value, LONGEST$3);
}
function isDigest(value) {
	return typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value);
}
function shortOf(digest) {
	return digest.slice(7, 31);
}

// src/measure/layer-nodes.ts
/** Bytes that a node's entries have in the archive. */
function contentOf(node) {
	if (node.kind === "file") return node.bytes;
	if (node.kind !== "directory") return 0;
	let bytes = node.replaced;
	for (const child of node.children.values()) bytes += contentOf(child);
	return bytes;
}
/** A name as it stands in an archive, without what leads to the root, in front and behind. */
function trimPath(path) {
	let start = 0;
	for (;;) if (path.startsWith("/", start)) start++;
	else if (path.startsWith("./", start)) start += 2;
	else break;
	let end = path.length;
	while (end > start && path.endsWith("/", end)) end--;
	const trimmed = path.slice(start, end);
	return trimmed === "." ? "" : trimmed;
}
/** The names on a path; `..` is left to the caller. */
function pathNames(path) {
	const names = path.split("/");
	return names.includes("") || names.includes(".") ? names.filter((name) => name !== "" && name !== ".") : names;
}

// src/measure/file-tree-fold.ts
/** What stands alone, the root aside. */
const MAX_TREE_NODES = 1500;
/** Of the tree as JSON. */
const MAX_TREE_CHARACTERS = 4e4;
/** Directories within one another; what is deeper is counted in the last of them. */
const MAX_TREE_DEPTH = 64;
/** Of all bytes: less than a report calls a change. */
const MIN_SHARE = 1 / 5e3;
/** The tree of what layers hold together; their order does not matter. */
function foldFiles(roots) {
	const total = roots.reduce((sum, root) => sum + contentOf(root), 0);
	const draft = draftOf(roots, {
		least: Math.max(1, total * MIN_SHARE),
		depth: 0
	});
	return finished(draft, standingAlone(draft));
}
/** What nodes at one path hold in several layers. */
function draftOf(nodes, { least, depth }) {
	const directories = nodes.filter((node) => node.kind === "directory");
	const draft = {
		bytes: 0,
		files: 0,
		isDirectory: directories.length > 0,
		children: /* @__PURE__ */ new Map()
	};
	for (const node of nodes) {
		if (node.kind === "file") draft.bytes += node.bytes;
		if (node.kind === "directory") draft.bytes += node.replaced;
	}
	if (nodes.some(({ kind }) => kind === "file" || kind === "link")) draft.files++;
	for (const [name, children] of byName(directories)) {
		const child = draftOf(children, {
			least,
			depth: depth + 1
		});
		draft.bytes += child.bytes;
		draft.files += child.files;
		if (child.bytes >= least && depth < 64) draft.children.set(name, child);
	}
	return draft;
}
function* byName(directories) {
	const [first, ...others] = directories;
	for (const [name, node] of first?.children ?? []) yield [name, [node, ...others.map(({ children }) => children.get(name)).filter((child) => child !== void 0)]];
	if (others.length === 0) return;
	yield* byName(others.map((directory) => ({
		...directory,
		children: new Map([...directory.children].filter(([name]) => first?.children.has(name) !== true))
	})));
}
/** The largest, as many as the tree may have. A directory is never smaller than what is in it. */
function standingAlone(root) {
	const all = [];
	const collect = (draft, path, depth) => {
		for (const [name, child] of draft.children) {
			const cost = JSON.stringify(name).length + String(child.bytes).length + String(child.files).length + 8;
			all.push({
				draft: child,
				path: `${path}/${name}`,
				depth,
				cost
			});
			collect(child, `${path}/${name}`, depth + 1);
		}
	};
	collect(root, "", 0);
	all.sort((a, b) => b.draft.bytes - a.draft.bytes || a.depth - b.depth || (a.path < b.path ? -1 : 1));
	const chosen = /* @__PURE__ */ new Set();
	let characters = 64;
	for (const { draft, cost } of all) {
		characters += cost;
		if (chosen.size === 1500 || characters > 4e4) break;
		chosen.add(draft);
	}
	return chosen;
}
function finished({ bytes, files, isDirectory, children }, chosen) {
	if (!isDirectory) return {
		bytes,
		files
	};
	const standing = [...children].filter(([, child]) => chosen.has(child)).toSorted(([a, x], [b, y]) => y.bytes - x.bytes || (a < b ? -1 : 1));
	return {
		bytes,
		files,
		children: new Map(standing.map(([name, child]) => [name, finished(child, chosen)]))
	};
}

// src/measure/file-tree-json.ts
/** File trees as JSON: `[name, bytes, files]` for a file, with a list of the same as the fourth for a directory. */
/** More than a tree of this version has, for those of later ones. */
const MAX_NODES = 5e3;
const MAX_NAME$1 = 255;
/** As JSON; the root's name is empty. */
function fileTreeToJson(tree, name = "") {
	const { bytes, files, children } = tree;
	if (children === void 0) return [
		name,
		bytes,
		files
	];
	return [
		name,
		bytes,
		files,
		[...children].map(([child, node]) => fileTreeToJson(node, child))
	];
}
/** A tree from JSON that anybody may have written; undefined where it is none. */
function parseFileTree(json) {
	const [name, tree] = parseNode(json, 0, { nodes: MAX_NODES }) ?? [];
	return name === "" ? tree : void 0;
}
function parseNode(json, depth, left) {
	if (!Array.isArray(json) || json.length < 3 || json.length > 4 || depth > 64 || left.nodes-- <= 0) return void 0;
	const [name, bytes, files, list] = json;
	if (!isName$1(name, depth) || !isCount(bytes) || !isCount(files)) return void 0;
	if (json.length === 3) return [name, {
		bytes,
		files
	}];
	if (!Array.isArray(list)) return void 0;
	const children = /* @__PURE__ */ new Map();
	let [bytesBeneath, filesBeneath] = [0, 0];
	for (const entry of list) {
		const parsed = parseNode(entry, depth + 1, left);
		if (parsed === void 0 || children.has(parsed[0])) return void 0;
		children.set(...parsed);
		bytesBeneath += parsed[1].bytes;
		filesBeneath += parsed[1].files;
	}
	return bytesBeneath > bytes || filesBeneath > files ? void 0 : [name, {
		bytes,
		files,
		children
	}];
}
function isName$1(name, depth) {
	if (typeof name !== "string") return false;
	if (depth === 0) return name === "";
	return name !== "" && name !== "." && name !== ".." && name.length <= MAX_NAME$1 && !/[/\0]/.test(name);
}

// src/measure/layer-merge.ts
/**
* Visits what is visible; roots are those of the layers, the lowest first.
* @returns whether each file is where it was visited. It is not where a path leads through a symbolic link of a lower
* layer, which an engine follows when it unpacks the layer above.
*/
function visitMerged(roots, visitor, context) {
	const walk = {
		visitor,
		isExact: true
	};
	const all = roots.map((directory, layer) => ({
		layer,
		directory
	})).reverse();
	const opaque = all.findIndex(({ directory }) => directory.opaque);
	visitDirectory(opaque === -1 ? all : all.slice(0, opaque + 1), "", walk, context);
	return walk.isExact;
}
function visitDirectory(stack, path, walk, outer) {
	const { visitor } = walk;
	const context = visitor.enter(stack, path, outer);
	/** Names that a higher layer decided. */
	const decided = /* @__PURE__ */ new Set();
	for (const [index, { layer, directory }] of stack.entries()) {
		const isLast = index === stack.length - 1;
		for (const [name, node] of directory.children) {
			if (decided.has(name)) continue;
			if (!isLast) decided.add(name);
			if (node.kind === "directory") visitDirectory(stackAt(stack.slice(index), name, walk), `${path}${name}/`, walk, context);
			else if (node.kind === "file" || node.kind === "link") visitor.visit({
				node,
				layer,
				name
			}, path, context);
		}
		if (!isLast) for (const name of directory.whiteouts ?? []) decided.add(name);
	}
}
/** The visible directories called `name`, of which the first layer of the stack has one. */
function stackAt(stack, name, walk) {
	const visible = [];
	let isExplicit = false;
	for (const { layer, directory } of stack) {
		const node = directory.children.get(name);
		if (node !== void 0 && node.kind !== "directory") {
			if (node.kind === "symlink" && !isExplicit) walk.isExact = false;
			break;
		}
		if (node !== void 0) {
			visible.push({
				layer,
				directory: node
			});
			isExplicit = node.explicit;
			if (node.opaque) break;
		}
		if (directory.whiteouts?.has(name) === true) break;
	}
	return visible;
}

// src/measure/package-files.ts
/** Debian's whole archive would be 16 MB of status; an image has some hundreds of kilobytes. */
const MAX_TEXT_BYTES = 16 << 20;
const MAX_NPM_BYTES = 65536;
const MAX_NPM_MANIFESTS = 5e4;
/** npm allows 214 characters for a name, 256 for a version. */
const MAX_WORD$1 = 256;
/** Since 3.23, Alpine has `lib` under `usr`. */
const APK_DATABASES = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
const DPKG_STATUS = "var/lib/dpkg/status";
/** `PACKAGE.list` or `PACKAGE:ARCHITECTURE.list`. */
const DPKG_LISTS = "var/lib/dpkg/info/";
/** Distroless images have a file for each package, and `PACKAGE.md5sums` with it. */
const DPKG_STATUS_FILES = "var/lib/dpkg/status.d/";
/** Whether the text of the file at a path, as it stands from the root, is needed to tell packages. */
function isPackageText(path) {
	if (path.startsWith("var/lib/dpkg/")) return path === "var/lib/dpkg/status" || path.startsWith("var/lib/dpkg/status.d/") || path.startsWith("var/lib/dpkg/info/") && path.endsWith(".list");
	return APK_DATABASES.includes(path);
}
/** Name and version; undefined where the text has none, or none that can be shown. */
function npmManifest(text) {
	let manifest;
	try {
		manifest = JSON.parse(text.toString("utf8"));
	} catch {
		return;
	}
	if (typeof manifest !== "object" || manifest === null) return void 0;
	const { name, version } = {
		name: void 0,
		version: void 0,
		...manifest
	};
	return isWord(name) && isWord(version) ? {
		name,
		version
	} : void 0;
}
/** Whether it can be a package's name or version: short, and nothing but visible ASCII characters. */
function isWord(value) {
	return typeof value === "string" && value.length <= MAX_WORD$1 && /^[!-~]+$/.test(value);
}

// src/measure/packed-entries.ts
/**
* The entries of a tar archive as bytes, one after another: 20 to 40 bytes each, nothing for a garbage collector to walk.
* Owns that form only; what entries mean is `layer-files.ts`.
*/
const KINDS = [
	"file",
	"hard-link",
	"symlink",
	"directory",
	"other"
];
const KIND_NUMBERS = new Map(KINDS.map((kind, index) => [kind, index]));
/** The name is that of a file in the directory of the entry before. */
const SAME_DIRECTORY = 128;
const FIRST_BYTES = 16384;
var EntryPacker = class {
	#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
	#length = 0;
	/** That of the last entry, with a slash at its end. */
	#directory = "";
	/** Bytes so far. */
	get length() {
		return this.#length;
	}
	/** Adds an entry; of links only hard ones keep where they point. */
	add({ path: written, kind, size, linkPath }) {
		const path = trimPath(written);
		const link = kind === "hard-link" ? linkPath : "";
		this.#reserve(32 + (path.length + link.length) * 3);
		const nameAt = path.lastIndexOf("/") + 1;
		const isBeside = nameAt === this.#directory.length && path.startsWith(this.#directory);
		if (!isBeside) this.#directory = path.slice(0, nameAt);
		this.#bytes[this.#length++] = (KIND_NUMBERS.get(kind) ?? 0) | (isBeside ? SAME_DIRECTORY : 0);
		this.#text(isBeside ? path.slice(nameAt) : path);
		if (kind === "file") this.#number(size);
		if (kind === "hard-link") this.#text(link);
	}
	/** All entries. */
	finish() {
		return Buffer.from(this.#bytes.subarray(0, this.#length));
	}
	#text(text) {
		const length = Buffer.byteLength(text);
		this.#number(length);
		this.#length += this.#bytes.write(text, this.#length);
	}
	/** Seven bits a byte, the lowest first. */
	#number(value) {
		let rest = value;
		while (rest >= 128) {
			this.#bytes[this.#length++] = rest % 128 | 128;
			rest = Math.floor(rest / 128);
		}
		this.#bytes[this.#length++] = rest;
	}
	#reserve(bytes) {
		if (this.#length + bytes <= this.#bytes.length) return;
		const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + bytes));
		this.#bytes.copy(larger, 0, 0, this.#length);
		this.#bytes = larger;
	}
};
/** Visits the entries as they were packed. Each is only good until `visit` returns: one object tells them all. */
function visitEntries(bytes, visit) {
	let at = 0;
	const number = () => {
		let value = 0;
		for (let scale = 1;; scale *= 128) {
			const byte = bytes[at++] ?? 0;
			value += (byte & 127) * scale;
			if (byte < 128) return value;
		}
	};
	const text = () => {
		const length = number();
		at += length;
		return bytes.toString("utf8", at - length, at);
	};
	const entry = {
		isBeside: false,
		path: "",
		kind: "other",
		size: 0,
		linkPath: ""
	};
	while (at < bytes.length) {
		const head = bytes[at++] ?? 0;
		entry.isBeside = (head & SAME_DIRECTORY) !== 0;
		entry.kind = KINDS[head & -129] ?? "other";
		entry.path = text();
		entry.size = entry.kind === "file" ? number() : 0;
		entry.linkPath = entry.kind === "hard-link" ? text() : "";
		visit(entry);
	}
}

// src/measure/layer-index.ts
/** Of one layer. An entry's path is cut where it is that of its neighbour, and takes 20 to 40 bytes. */
const LAYER_LIMITS = {
	entries: 5e5,
	bytes: 64 << 20
};
var LayerIndexer = class {
	#budget;
	#texts = /* @__PURE__ */ new Map();
	#npm = /* @__PURE__ */ new Map();
	#packer = new EntryPacker();
	#taken = {
		entries: 0,
		bytes: 0
	};
	#reason;
	/** An indexer for one layer. What it holds counts in `budget` until it is abandoned. */
	constructor(budget) {
		this.#budget = budget;
	}
	onEntry = (entry) => {
		if (this.#reason !== void 0) return;
		const before = this.#packer.length;
		this.#packer.add(entry);
		if (this.#take({
			entries: 1,
			bytes: this.#packer.length - before
		})) return;
		this.abandon("there are too many");
	};
	openContent = ({ path, size }) => {
		if (this.#reason !== void 0 || size === 0 || size > 16777216) return void 0;
		const entry = this.#taken.entries - 1;
		if (path.endsWith("/package.json") && path.includes("node_modules/")) {
			if (size > 65536 || this.#npm.size >= 5e4) return void 0;
			return collect(size, (text) => {
				const manifest = npmManifest(text);
				if (manifest !== void 0 && this.#take({
					entries: 0,
					bytes: manifest.name.length + manifest.version.length
				})) this.#npm.set(entry, manifest);
			});
		}
		if (!isPackageText(trimPath(path)) || !this.#take({
			entries: 0,
			bytes: size
		})) return void 0;
		return collect(size, (text) => {
			this.#texts.set(entry, text);
		});
	};
	/** The index, after the layer was read to its end. */
	finish() {
		if (this.#reason !== void 0) return { reason: unknownFiles(this.#reason) };
		return { files: {
			entries: this.#packer.finish(),
			texts: this.#texts,
			npm: this.#npm
		} };
	}
	/** Drops what was found, as for a layer that turns out to be unreadable. */
	abandon(reason = "the layer could not be read") {
		this.#reason ??= reason;
		this.#budget?.giveBack(this.#taken);
		this.#taken = {
			entries: 0,
			bytes: 0
		};
		this.#packer = new EntryPacker();
		this.#texts.clear();
		this.#npm.clear();
	}
	#take({ entries, bytes }) {
		const taken = {
			entries: this.#taken.entries + entries,
			bytes: this.#taken.bytes + bytes
		};
		if (taken.entries > LAYER_LIMITS.entries || taken.bytes > LAYER_LIMITS.bytes) return false;
		if (this.#budget?.take({
			entries,
			bytes
		}) === false) return false;
		this.#taken = taken;
		return true;
	}
};
/** Why the files of a layer are not known, as a sentence. */
function unknownFiles(reason) {
	return `The files of a layer are not known: ${reason}.`;
}
function collect(size, done) {
	const text = Buffer.allocUnsafeSlow(size);
	let filled = 0;
	return {
		write: (piece) => {
			text.set(piece, filled);
			filled += piece.length;
		},
		end: () => {
			done(text);
		}
	};
}

// src/measure/layer-files.ts
/**
* What the entries of one layer come to as files. A layer that could not be unpacked as it is written, or of more
* directories and longer names than Linux allows, has no files but a reason.
*
* https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
*/
/** Linux's PATH_MAX and NAME_MAX: what is longer cannot be unpacked. */
const MAX_PATH = 4096;
const MAX_NAME = 255;
/** Of all paths together; ordinary ones have ten at most. */
const MAX_NAMES_ON_PATHS = 2e7;
const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** What AUFS keeps for itself; container engines pass it over. */
const WHITEOUT_META = ".wh..wh.";
const SYMLINK = { kind: "symlink" };
const OTHER = { kind: "other" };
/** Why a layer has no files. */
var Unindexable = class extends Error {};
const built = /* @__PURE__ */ new WeakMap();
/** The files of a layer; made once as long as somebody holds them. */
function layerFiles(layer) {
	const known = built.get(layer)?.deref();
	if (known !== void 0) return known;
	try {
		const files = new FilesBuilder().build(layer);
		built.set(layer, new WeakRef(files));
		return files;
	} catch (error) {
		if (error instanceof Unindexable) return { reason: unknownFiles(error.message) };
		throw error;
	}
}
var FilesBuilder = class {
	#root = directory();
	#nodes = 0;
	#names = 0;
	/** The directory of the last entry, which cannot have been replaced since. */
	#parent = this.#root;
	build({ entries, texts, npm }) {
		const found = {
			texts: /* @__PURE__ */ new Map(),
			npm: /* @__PURE__ */ new Map()
		};
		let number = 0;
		visitEntries(entries, (entry) => {
			const file = this.#insert(entry);
			if (file !== void 0) {
				const text = texts.get(number);
				const manifest = npm.get(number);
				if (text !== void 0) found.texts.set(file, text);
				if (manifest !== void 0) found.npm.set(file, manifest);
			}
			number++;
		});
		return {
			root: this.#root,
			...found
		};
	}
	#insert(entry) {
		const { path, isBeside } = entry;
		if (path.length > MAX_PATH) throw new Unindexable("a path is longer than Linux allows");
		const cut = isBeside ? -1 : path.lastIndexOf("/");
		const name = cut === -1 ? path : path.slice(cut + 1);
		if (!isBeside) this.#parent = this.#directoryAt(path.slice(0, Math.max(0, cut)));
		const parent = this.#parent;
		if (parent === void 0) this.#root.replaced += entry.size;
		else if (name === "" || name === ".") {
			parent.explicit ||= entry.kind === "directory";
			parent.replaced += entry.size;
		} else if (name.startsWith(WHITEOUT)) {
			parent.replaced += entry.size;
			this.#whiteOut(parent, name);
		} else return this.#place(parent, name, entry);
	}
	#place(parent, name, entry) {
		if (name === "..") throw new Unindexable("a path leads upwards");
		const before = parent.children.get(name);
		if (entry.kind === "directory" && before?.kind === "directory") {
			before.explicit = true;
			return;
		}
		const node = this.#nodeOf(entry);
		if (before !== void 0) parent.replaced += contentOf(before);
		this.#add(parent, name, node);
		return node.kind === "file" ? node : void 0;
	}
	#nodeOf({ kind, size, linkPath }) {
		switch (kind) {
			case "file": return {
				kind,
				bytes: size,
				linked: false
			};
			case "directory": return directory(true);
			case "hard-link": return {
				kind: "link",
				target: this.#linked(linkPath)
			};
			case "symlink": return SYMLINK;
			case "other": return OTHER;
		}
	}
	/** The file that a hard link names: one that stands before it in the same archive. */
	#linked(path) {
		let at = this.#root;
		for (const name of this.#walk(trimPath(path))) at = at?.kind === "directory" ? at.children.get(name) : void 0;
		const target = at?.kind === "link" ? at.target : at;
		if (target?.kind !== "file") return void 0;
		target.linked = true;
		return target;
	}
	#whiteOut(parent, name) {
		if (name === OPAQUE) parent.opaque = true;
		else if (name === WHITEOUT) throw new Unindexable("a whiteout has no name");
		else if (!name.startsWith(WHITEOUT_META)) (parent.whiteouts ??= /* @__PURE__ */ new Set()).add(name.slice(4));
	}
	/** The directory at a path, made as far as it is not there; undefined for what engines pass over. */
	#directoryAt(path) {
		let at = this.#root;
		for (const name of this.#walk(path)) {
			if (name.startsWith(WHITEOUT)) return void 0;
			let next = at.children.get(name);
			if (next === void 0) {
				next = directory();
				this.#add(at, name, next);
			}
			if (next.kind !== "directory") throw new Unindexable("a path leads through something that is no directory");
			at = next;
		}
		return at;
	}
	#walk(path) {
		const names = pathNames(path);
		this.#names += names.length;
		if (names.includes("..")) throw new Unindexable("a path leads upwards");
		if (this.#names > MAX_NAMES_ON_PATHS) throw new Unindexable("its paths are too deep");
		return names;
	}
	#add(parent, name, node) {
		if (name.length > MAX_NAME / 3 && Buffer.byteLength(name) > MAX_NAME) throw new Unindexable("a name is longer than Linux allows");
		if (++this.#nodes > LAYER_LIMITS.entries) throw new Unindexable("there are too many");
		parent.children.set(name, node);
	}
};
function directory(explicit = false) {
	return {
		kind: "directory",
		children: /* @__PURE__ */ new Map(),
		explicit,
		opaque: false,
		whiteouts: void 0,
		replaced: 0
	};
}

// src/measure/text-lines.ts
/** Lines of a text in memory, one at a time: the text of a database may be large, and its lines need not all be there at once. */
/** Lines without their ends, as UTF-8; a line end at the end of the text begins no line. */
function* lines(text) {
	let at = 0;
	while (at < text.length) {
		const end = text.indexOf(10, at);
		const stop = end === -1 ? text.length : end;
		yield text.toString("utf8", at, stop);
		at = stop + 1;
	}
}

// src/measure/packages-apk.ts
/**
* Alpine's database of installed packages: a paragraph for each, a line for each field, `P` name, `V` version, `F` a
* directory and `R` a file in it. Garbage is passed over.
*
* https://gitlab.alpinelinux.org/alpine/apk-tools/-/blob/v2.14.4/doc/apk-package.5.scd
*/
/** The packages of a database (`lib/apk/db/installed`). */
function* readApkDatabase(text) {
	let [name, version, directory] = [
		"",
		"",
		""
	];
	let files = [];
	for (const line of lines(text)) {
		const value = line.slice(2);
		if (line === "") {
			if (isWord(name) && isWord(version)) yield {
				name,
				version,
				files
			};
			[name, version, directory] = [
				"",
				"",
				""
			];
			files = [];
		} else if (line.startsWith("P:")) name = value;
		else if (line.startsWith("V:")) version = value;
		else if (line.startsWith("F:")) directory = value === "" ? "" : `${value}/`;
		else if (line.startsWith("R:")) files.push(`${directory}${value}`);
	}
	if (isWord(name) && isWord(version)) yield {
		name,
		version,
		files
	};
}

// src/measure/packages-dpkg.ts
/**
* Debian's databases of installed packages: one status file and a list of files for each package, or, in distroless
* images, a status file for each package with the checksums of its files. Garbage is passed over.
*
* https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html, https://github.com/GoogleContainerTools/distroless
*/
/** The packages of the databases, by path from the root. */
function* readDpkgDatabase(texts) {
	const status = texts.get(DPKG_STATUS);
	for (const { name, version, architecture, status: state } of status === void 0 ? [] : paragraphs(status)) {
		if (!state.endsWith(" installed")) continue;
		const list = texts.get(`${"var/lib/dpkg/info/"}${name}:${architecture}.list`) ?? texts.get(`${"var/lib/dpkg/info/"}${name}.list`);
		yield {
			name,
			version,
			files: list === void 0 ? [] : listed(list)
		};
	}
	for (const [path, text] of texts) {
		if (!path.startsWith("var/lib/dpkg/status.d/") || path.endsWith(".md5sums")) continue;
		const sums = texts.get(`${path}.md5sums`);
		for (const { name, version } of paragraphs(text)) yield {
			name,
			version,
			files: sums === void 0 ? [] : summed(sums)
		};
	}
}
function* paragraphs(text) {
	let fields = /* @__PURE__ */ new Map();
	const made = () => {
		const [name, version] = [fields.get("Package"), fields.get("Version")];
		if (!isWord(name) || !isWord(version)) return void 0;
		return {
			name,
			version,
			architecture: fields.get("Architecture") ?? "",
			status: fields.get("Status") ?? ""
		};
	};
	for (const line of lines(text)) {
		if (line === "") {
			const paragraph = made();
			if (paragraph !== void 0) yield paragraph;
			fields = /* @__PURE__ */ new Map();
		}
		const [, field, value] = /^(Package|Version|Architecture|Status): *(.*)$/.exec(line) ?? [];
		if (field !== void 0 && value !== void 0) fields.set(field, value);
	}
	const paragraph = made();
	if (paragraph !== void 0) yield paragraph;
}
/** `/usr/bin/x`; directories are listed too, and own no bytes. */
function* listed(list) {
	for (const line of lines(list)) if (line.startsWith("/")) yield line.slice(1);
}
/** `d41d8cd98f00b204e9800998ecf8427e  usr/bin/x` */
function* summed(sums) {
	for (const line of lines(sums)) {
		const [, path] = /^[0-9a-f]{32} {2}(?:\.?\/)?(.+)$/.exec(line) ?? [];
		if (path !== void 0) yield path;
	}
}

// src/measure/packages.ts
/** How many packages are told; what is smaller than all of them is not. */
const MAX_PACKAGES = 500;
/** Of all packages together. */
const MAX_OWNED_FILES = 6e5;
/**
* Packages with bytes in own layers, the largest first.
* @param layers the lowest first; the first `inherited` of them are not own ones.
*/
function packageSizes(layers, { inherited }) {
	const roots = layers.map(({ root }) => root);
	const owners = ownersOf(visibleTexts(layers));
	const sizes = /* @__PURE__ */ new Map();
	const seen = /* @__PURE__ */ new Set();
	visitMerged(roots, {
		enter: (stack, path, parent) => npmPackageAt(stack, {
			path,
			parent,
			layers
		}),
		visit: ({ node, layer, name }, path, npm) => {
			const file = node.kind === "file" ? node : node.target;
			if (layer < inherited || file === void 0 || seen.has(file)) return;
			if (file.linked) seen.add(file);
			const id = (owners.size === 0 ? void 0 : ownerOf(owners, `${path}${name}`)) ?? npm;
			if (id === void 0 || file.bytes === 0) return;
			const key = [
				id.manager,
				id.name,
				id.version
			].join("\n");
			const size = sizes.get(key);
			if (size === void 0) sizes.set(key, {
				id,
				bytes: file.bytes
			});
			else size.bytes += file.bytes;
		}
	}, void 0);
	return [...sizes].toSorted(([a, { bytes: x }], [b, { bytes: y }]) => y - x || (a < b ? -1 : 1)).slice(0, 500).map(([, { id, bytes }]) => ({
		...id,
		bytes
	}));
}
function visibleTexts(layers) {
	const texts = /* @__PURE__ */ new Map();
	if (layers.every((layer) => layer.texts.size === 0)) return texts;
	visitMerged(layers.map(({ root }) => root), {
		enter: () => void 0,
		visit: ({ node, layer, name }, path) => {
			const text = node.kind === "file" ? layers[layer]?.texts.get(node) : void 0;
			if (text !== void 0 && isPackageText(`${path}${name}`)) texts.set(`${path}${name}`, text);
		}
	}, void 0);
	return texts;
}
/** Who owns the file at a path. */
function ownersOf(texts) {
	const owners = /* @__PURE__ */ new Map();
	const add = (manager, packages) => {
		for (const { name, version, files } of packages) {
			const id = {
				manager,
				name,
				version
			};
			for (const file of files) {
				if (owners.size >= MAX_OWNED_FILES) return;
				owners.set(file, id);
			}
		}
	};
	for (const path of APK_DATABASES) {
		const text = texts.get(path);
		if (text !== void 0) add("apk", readApkDatabase(text));
	}
	const isDpkg = (path) => [
		DPKG_STATUS,
		DPKG_LISTS,
		DPKG_STATUS_FILES
	].some((at) => path.startsWith(at));
	add("dpkg", readDpkgDatabase(new Map([...texts].filter(([path]) => isDpkg(path)))));
	return owners;
}
/** Where `/lib` is a link to `/usr/lib`, and so on, databases tell one of the two. */
const MERGED_USR = /^usr\/(?=(?:bin|sbin|lib|lib32|lib64|libx32)\/)/;
function ownerOf(owners, path) {
	const owner = owners.get(path);
	if (owner !== void 0 || !MERGED_USR.test(path)) return owner;
	return owners.get(path.slice(4));
}
const NPM_ROOT = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/@.][^/]*\/$/;
/** The package that files directly in a directory belong to. */
function npmPackageAt(stack, at) {
	if (!NPM_ROOT.test(at.path)) return at.parent;
	let found;
	for (const { layer, directory } of stack) {
		const node = directory.children.get("package.json");
		if (node?.kind === "file") found = at.layers[layer]?.npm.get(node);
		if (node !== void 0 || directory.whiteouts?.has("package.json") === true) break;
	}
	return found && {
		manager: "npm",
		...found
	};
}

// src/measure/image-files.ts
/** What the layers of one image come to, the lowest first. Never throws, whatever the layers hold. */
function imageFiles(layers) {
	const found = layers.map(({ own, index }) => ({
		own,
		files: index?.files && layerFiles(index.files),
		index
	}));
	const reasons = found.map(({ files, index }) => (files !== void 0 && "reason" in files ? files : index)?.reason);
	const own = known$1(found.filter((layer) => layer.own));
	const all = known$1(found);
	return {
		tree: own && foldFiles(own.map(({ root }) => root)),
		merged: all && mergedBytes$1(all),
		packages: own && packageSizes(all ?? own, { inherited: all === void 0 ? 0 : all.length - own.length }),
		reason: reasons.find((reason) => reason !== void 0)
	};
}
/** Of layers that are all known: the bytes of their merged root file system; undefined where it cannot be told exactly. */
function mergedBytesOf(indexes) {
	const all = known$1(indexes.map(({ files }) => ({ files: files && layerFiles(files) })));
	return all && mergedBytes$1(all);
}
function known$1(layers) {
	const files = layers.flatMap((layer) => layer.files === void 0 || "reason" in layer.files ? [] : [layer.files]);
	return files.length === layers.length ? files : void 0;
}
function mergedBytes$1(layers) {
	let bytes = 0;
	/** Files with several names, which count once. */
	const seen = /* @__PURE__ */ new Set();
	return visitMerged(layers.map(({ root }) => root), {
		enter: () => void 0,
		visit: ({ node }) => {
			const file = node.kind === "file" ? node : node.target;
			if (file === void 0 || seen.has(file)) return;
			if (file.linked) seen.add(file);
			bytes += file.bytes;
		}
	}, void 0) ? bytes : void 0;
}

// src/measure/own-files.ts
/** Sizes with what is in the own layers, as far as it is known. */
function withFiles(sizes, sources) {
	const remembered = new Map(sources.remembered.flatMap(({ layers }) => layers.map((layer) => [layer.diffId, layer])));
	return { platforms: sizes.platforms.map((platform) => {
		const layers = platform.layers.map((layer) => withLayerFiles(layer, sources.indexOf, remembered));
		const merged = mergedBytes(platform, sources);
		return {
			...platform,
			layers,
			...ownFiles(layers),
			...merged === void 0 ? {} : { merged }
		};
	}) };
}
function withLayerFiles(layer, indexOf, remembered) {
	if (!layer.own) return layer;
	const index = indexOf(layer.digest);
	if (index === void 0) {
		const known = remembered.get(layer.diffId);
		return known?.files === void 0 ? layer : {
			...layer,
			files: known.files,
			packages: known.packages
		};
	}
	const { tree, packages } = imageFiles([{
		own: true,
		index
	}]);
	return tree === void 0 ? layer : {
		...layer,
		files: tree,
		packages
	};
}
/** The merged root file system needs every layer, those of the base, too. */
function mergedBytes({ layers }, { indexOf, storedIndexOf, remembered }) {
	const same = remembered.find((known) => known.merged !== void 0 && diffIds(known.layers).join() === diffIds(layers).join());
	if (same !== void 0) return same.merged;
	const indexes = layers.flatMap(({ digest }) => indexOf(digest) ?? storedIndexOf(digest) ?? []);
	return indexes.length === layers.length ? mergedBytesOf(indexes) : void 0;
}
function diffIds(layers) {
	return layers.map(({ diffId }) => diffId);
}
/** What own layers hold together; undefined where one of them is not known. */
function ownFiles(layers) {
	const own = layers.filter((layer) => layer.own);
	if (own.length === 0) return {};
	const trees = own.flatMap(({ files }) => files ?? []);
	const packages = own.flatMap((layer) => layer.packages === void 0 ? [] : [layer.packages]);
	return {
		...trees.length === own.length ? { files: sumOf(trees) } : {},
		...packages.length === own.length ? { packages: packagesOf(packages.flat()) } : {}
	};
}
/** Trees laid over one another. What stands alone in one of them only does so in the sum, too, with what is known of it. */
function sumOf(trees) {
	const [only, ...others] = trees;
	if (only !== void 0 && others.length === 0) return only;
	const bytes = trees.reduce((sum, tree) => sum + tree.bytes, 0);
	const files = trees.reduce((sum, tree) => sum + tree.files, 0);
	const directories = trees.flatMap(({ children }) => children === void 0 ? [] : [children]);
	if (trees.length > 0 && directories.length === 0) return {
		bytes,
		files
	};
	const children = [...new Set(directories.flatMap((children) => [...children.keys()]))].map((name) => [name, sumOf(directories.flatMap((all) => all.get(name) ?? []))]);
	return {
		bytes,
		files,
		children: new Map(children.sort(([x, a], [y, b]) => b.bytes - a.bytes || (x < y ? -1 : 1)))
	};
}
/** Of a package that several layers hold, the upper one tells the version. */
function packagesOf(all) {
	const found = /* @__PURE__ */ new Map();
	for (const one of all) {
		const key = `${one.manager} ${one.name}`;
		found.set(key, {
			...one,
			bytes: one.bytes + (found.get(key)?.bytes ?? 0)
		});
	}
	return [...found.values()].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

// src/measure/sizes-json.ts
const MOST_PLATFORMS = 64;
/** Engines take no more than 127 layers. */
const MOST_LAYERS = 1e3;
const MOST_PACKAGES = 2e4;
const LONGEST$2 = 2e4;
const LONGEST_NAME = 500;
/** Undefined where it is not what was written. */
function parseTargetSizes(value) {
	const platforms = parsePlatforms(field(value, "platforms"));
	return platforms === void 0 || platforms.length === 0 ? void 0 : { platforms };
}
/** The sizes of no platform or more; undefined where it is not what was written. */
function parsePlatforms(value) {
	return all(value, platformOf, MOST_PLATFORMS);
}
/** As data that `JSON.stringify` writes and `parsePlatforms` reads. */
function platformToJson({ files, packages, ...sizes }) {
	const layers = sizes.layers.map((layer) => ({
		...layer,
		files: layer.files === void 0 ? void 0 : fileTreeToJson(layer.files)
	}));
	const own = ownFiles(sizes.layers);
	return {
		...sizes,
		layers,
		files: own.files !== void 0 || files === void 0 ? void 0 : fileTreeToJson(files),
		packages: own.packages === void 0 ? packages : void 0
	};
}
/** Three sizes, each of which may be unknown; undefined for what is no object. */
function parseSplit(value) {
	if (typeof value !== "object" || value === null) return void 0;
	return {
		total: bytesOf(value, "total"),
		own: bytesOf(value, "own"),
		inherited: bytesOf(value, "inherited")
	};
}
function platformOf(value) {
	const [platform, digest, configDigest] = [
		"platform",
		"digest",
		"configDigest"
	].map((key) => field(value, key));
	const [transfer, unpacked] = [parseSplit(field(value, "transfer")), parseSplit(field(value, "unpacked"))];
	const layers = all(field(value, "layers"), layerOf, MOST_LAYERS);
	if (!isName(platform) || !isName(digest) || !isName(configDigest)) return void 0;
	if (transfer === void 0 || unpacked === void 0 || layers === void 0) return void 0;
	const unknownReason = field(value, "unknownReason");
	return {
		platform,
		digest,
		configDigest,
		transfer,
		unpacked,
		layers,
		unknownReason: isText$1(unknownReason, LONGEST$2) ? unknownReason : void 0,
		...ownFiles(layers),
		...detailsOf(value)
	};
}
/** What explains a size. A part that cannot be read is not known; the sizes count all the same. */
function detailsOf(value) {
	const [base, merged] = [baseOf(field(value, "base")), bytesOf(value, "merged")];
	const files = parseFileTree(field(value, "files"));
	const packages = all(field(value, "packages"), packageOf, MOST_PACKAGES);
	return {
		...base === void 0 ? {} : { base },
		...files === void 0 ? {} : { files },
		...packages === void 0 ? {} : { packages },
		...merged === void 0 ? {} : { merged }
	};
}
function baseOf(value) {
	const [image, digest] = [field(value, "image"), field(value, "digest")];
	return isName(image) ? {
		image,
		digest: isName(digest) ? digest : void 0
	} : void 0;
}
const MANAGERS = [
	"apk",
	"dpkg",
	"npm"
];
function packageOf(value) {
	const manager = MANAGERS.find((known) => known === field(value, "manager"));
	const [name, version, bytes] = [
		"name",
		"version",
		"bytes"
	].map((key) => field(value, key));
	return manager !== void 0 && isName(name) && isName(version) && isCount(bytes) ? {
		manager,
		name,
		version,
		bytes
	} : void 0;
}
const COMPRESSIONS = [
	"gzip",
	"zstd",
	"none"
];
function layerOf(value) {
	const [digest, diffId, createdBy] = [
		"digest",
		"diffId",
		"createdBy"
	].map((key) => field(value, key));
	const [size, own] = [field(value, "size"), field(value, "own")];
	if (!isName(digest) || !isName(diffId) || !isText$1(createdBy, LONGEST$2)) return void 0;
	if (!isCount(size) || typeof own !== "boolean") return void 0;
	const compression = COMPRESSIONS.find((known) => known === field(value, "compression"));
	const source = sourceOf$1(field(value, "source"));
	const files = parseFileTree(field(value, "files"));
	const packages = all(field(value, "packages"), packageOf, MOST_PACKAGES);
	return {
		digest,
		diffId,
		createdBy,
		size,
		own,
		unpacked: bytesOf(value, "unpacked"),
		...compression === void 0 ? {} : { compression },
		...source === void 0 ? {} : { source },
		...files === void 0 ? {} : { files },
		...packages === void 0 ? {} : { packages }
	};
}
function sourceOf$1(value) {
	const [file, line, text] = [
		field(value, "file"),
		field(value, "line"),
		field(value, "text")
	];
	return isName(file) && isCount(line) && line > 0 && isText$1(text, LONGEST$2) ? {
		file,
		line,
		text
	} : void 0;
}
function bytesOf(value, key) {
	const found = field(value, key);
	return isCount(found) ? found : void 0;
}
function isName(value) {
	return isText$1(value, LONGEST_NAME);
}

// src/record-parts.ts
/** What records tell of sizes; those of targets whose platforms are built apart, each by a leg of its own, of the whole. Pure. */
/** What was measured of the image that a record tells of; undefined where it was not, or cannot be read. */
function recordedSizes({ image }) {
	return parseTargetSizes(image.sizes);
}
/** Whether a record is of one of these platforms, and of no other. */
function isPart({ print }, platforms) {
	return print.platforms.length === 1 && platforms.some((platform) => isOf$1({ print }, platform));
}
/** Whether a record is of this platform alone. */
function isOf$1({ print }, platform) {
	const [only, ...others] = print.platforms;
	return others.length === 0 && only?.platform === platform;
}
/**
* Records of one target on several platforms as one, without a digest, since what was pushed of each is not the whole. Of a
* platform the first counts; when, by what commit and by which run is told of the latest.
*/
function joinRecords(records) {
	const latest = records.toSorted((a, b) => a.createdAt < b.createdAt ? 1 : -1)[0];
	if (latest === void 0) throw new Error("there is no record to join");
	const prints = firstOfEach$1(records.flatMap(({ print }) => print.platforms));
	const sizes = records.map((record) => recordedSizes(record)?.platforms);
	const known = sizes.every((platforms) => platforms !== void 0);
	const platforms = firstOfEach$1(sizes.flatMap((all) => all ?? []));
	return {
		...latest,
		fingerprint: void 0,
		print: {
			platforms: prints,
			fields: latest.print.fields
		},
		files: new Map(records.flatMap(({ files }) => [...files])),
		image: {
			digest: void 0,
			imageId: void 0,
			repositories: [...new Set(records.flatMap(({ image }) => image.repositories))],
			sizes: known ? { platforms: platforms.map(platformToJson) } : void 0
		}
	};
}
function firstOfEach$1(all) {
	return [...new Map(all.toReversed().map((one) => [one.platform, one])).values()].reverse();
}

// src/known-records.ts
/** The records of earlier builds that this run may believe, and the ones that it leaves. */
/** Under what the records stand in an index. */
const KEY = "built";
var KnownRecords = class {
	#candidates = /* @__PURE__ */ new Map();
	/** All that was found, also what may not vouch for an image: enough to compare sizes with. */
	#found = /* @__PURE__ */ new Map();
	#own;
	#question;
	/** @param found own branch first */
	constructor(found, question) {
		this.#question = question;
		const own = found.find(({ source }) => source === "own");
		this.#own = own === void 0 ? /* @__PURE__ */ new Map() : this.#recordsIn(own);
		this.add(found);
	}
	/** Adds what further indexes say. */
	add(found) {
		const { isPullRequest } = this.#question;
		for (const place of found) {
			const { source, ref } = place;
			for (const [name, record] of this.#recordsIn(place)) {
				const candidate = {
					source,
					ref,
					record
				};
				this.#found.set(name, [...this.#found.get(name) ?? [], candidate]);
				if (mayVouch(source, isPullRequest)) this.#candidates.set(name, [...this.#candidates.get(name) ?? [], candidate]);
			}
		}
	}
	/** Whose sizes may be known of a target; of several of a branch the latest first. */
	measured(target, source) {
		const later = (a, b) => a.record.createdAt < b.record.createdAt ? 1 : -1;
		const found = (this.#found.get(target) ?? []).filter((candidate) => candidate.source === source).sort(later);
		return (this.#question.parts ?? []).length > 1 ? wholeOf$1(found) : found;
	}
	/** What was measured of a target, by whomever. */
	sizesOf(target) {
		return (this.#found.get(target) ?? []).flatMap(({ record }) => recordedSizes(record)?.platforms ?? []);
	}
	/** What was measured of the images that the branch's own records tell of. */
	ownSizes() {
		return [...this.#own.values()].flatMap((record) => recordedSizes(record)?.platforms ?? []);
	}
	/** All targets that something is known of. */
	names(source) {
		return [...this.#found].flatMap(([name, all]) => all.some((one) => one.source === source) ? [name] : []);
	}
	/** Records of a target: own branch first, then the latest. */
	of(target) {
		const rank = ({ source }) => [
			"own",
			"base",
			"default"
		].indexOf(source);
		const later = (a, b) => a.record.createdAt < b.record.createdAt ? 1 : -1;
		return [...this.#candidates.get(target) ?? []].sort((a, b) => rank(a) - rank(b) || later(a, b));
	}
	#recordsIn({ records }) {
		const all = typeof records === "object" && records !== null && KEY in records ? readRecords(records[KEY]) : /* @__PURE__ */ new Map();
		const { parts } = this.#question;
		if (parts === void 0) return all;
		return new Map([...all].filter(([, record]) => isPart(record, parts)));
	}
	/** The branch's own records with new ones in their places, as JSON for its index; whether it says so already. */
	withNew(records) {
		const fresh = [...records].map(([name, record]) => [name, pushedBefore(this.#own.get(name), record)]);
		const areNew = fresh.some(([name, record]) => !saysTheSame(this.#own.get(name), record));
		return {
			json: { [KEY]: writeRecords(new Map([...this.#own, ...fresh])) },
			areNew
		};
	}
};
/**
* What legs measured of a platform each, as one for every commit; of a platform that its run left as it was, what the one before
* measured.
* @param found the latest first
*/
function wholeOf$1(found) {
	const commits = found.map(({ record }) => record.commit);
	return found.flatMap((candidate, at) => {
		if (commits.indexOf(candidate.record.commit) < at) return [];
		return [{
			...candidate,
			record: joinRecords(found.slice(at).map(({ record }) => record))
		}];
	});
}
/**
* Of a pull request's run, records of the branch that it is to be merged into and its own count; of a branch's, its own
* and the default branch's: what others can write is no reason to skip anything.
*/
function mayVouch(source, isPullRequest) {
	return source !== "default" || !isPullRequest;
}
/** A run that pushed nothing does not forget where an equal image was pushed to. */
function pushedBefore(known, record) {
	const { fingerprint, image } = record;
	return fingerprint !== void 0 && known?.fingerprint === fingerprint && image.digest === void 0 && known.image.digest !== void 0 ? {
		...record,
		image: known.image
	} : record;
}
function saysTheSame(known, record) {
	const { fingerprint, image } = record;
	return known !== void 0 && known.fingerprint === fingerprint && isDeepStrictEqual(asRead(known.image), asRead(image));
}
/** As it would be read from an index: what is undefined is not there. */
function asRead(value) {
	return JSON.parse(JSON.stringify(value));
}

// src/layer-caching.ts
/**
* The layer cache as a run uses it: which backend and scopes the surroundings mean, what BuildKit is told to import and
* export, and what is saved when the build is over. Trouble with it is told once and never fails a build.
*/
/** The layer registry's repository that BuildKit exports its cache to: manifests, each with a tag of its own. */
const CACHE = "cache";
/**
* What is larger is left to the post step, so that the job's next step need not wait for it. For less, starting the cache
* client a second time would take longer than saving does.
*/
const SAVED_AT_ONCE_BYTES = 32 << 20;
/** https://github.com/containerd/containerd/blob/v2.1.4/core/remotes/docker/httpreadseeker.go and what BuildKit puts before it */
const FETCH_FAILED = /httpReadSeeker|failed to copy|could not fetch content|short read|unexpected EOF|connection reset|unexpected status/;
var LayerCaching = class {
	#options;
	#backend;
	#cache;
	#imports = /* @__PURE__ */ new Map();
	#place;
	#report;
	#namedMounts;
	#toSave;
	#trouble;
	constructor(options) {
		this.#options = options;
		this.#backend = openBackend(options.choice, options);
		this.#cache = new LayerCache({
			...options,
			withIndexBytes: WITH_INDEX_BYTES,
			backend: this.#backend
		});
	}
	get cache() {
		return this.#cache;
	}
	get keepsLayers() {
		return this.#options.keepsLayers;
	}
	/** The session's own folder. */
	get root() {
		return this.#options.root;
	}
	/** Tells which cache mounts the Dockerfile names: archives of others need not be kept. */
	nameMounts(keys) {
		this.#namedMounts = keys;
	}
	/** Whether BuildKit was told of cached layers of a target. */
	hasImports(name) {
		return (this.#imports.get(name) ?? []).length > 0;
	}
	/** What earlier builds of these targets left, as far as this run may believe it. */
	async records(names) {
		const { isPullRequest, legPlaces, parts = [] } = this.#options;
		const found = await this.#cache.records();
		const known = new KnownRecords(found, {
			isPullRequest,
			parts: this.#options.parts
		});
		const isSplit = parts.length > 1;
		const sources = found.filter(({ isExact }) => isSplit || !isExact).map(({ source }) => source);
		if (sources.length === 0 || names.length === 1 && !isSplit) return known;
		const legs = legPlaces(names).filter(({ source }) => sources.includes(source));
		known.add(await this.#cache.recordsAt(legs));
		return known;
	}
	/** What builds of these commits left, of the branches that this run may read. Never rejects. */
	async recordsOf(commits) {
		const { isPullRequest, places, parts } = this.#options;
		const found = await this.#cache.recordsAt(places.map((place) => ({
			...place,
			commits
		})));
		return new KnownRecords(found, {
			isPullRequest,
			parts
		});
	}
	/**
	* The request, with what BuildKit imports and exports through the layer registry.
	* @param isChanged whether a target surely has something new
	*/
	async withReferences(request, place, isChanged) {
		this.#place = place;
		const { registry, upstream } = place;
		const isForced = request.noCache === true || (request.noCacheFilters ?? []).length > 0;
		const targets = await Promise.all(request.targets.map(async (target, index) => {
			const useful = (await this.#cache.offers(target.name, (digest) => upstream.has(digest))).filter(({ rendered }) => rendered.layers > 0);
			useful.forEach(({ rendered }, number) => {
				registry.offer(CACHE, `t${index}-${number}`, rendered);
			});
			this.#imports.set(target.name, useful.map(({ ref, createdAt, rendered }) => ({
				ref,
				createdAt,
				layers: rendered.layers
			})));
			const from = useful.map((_, number) => this.#reference(registry, `t${index}-${number}`));
			const later = from.length > 0 && !isForced && !isChanged(target.name);
			return {
				...target,
				cacheFrom: from,
				cacheTo: later ? [] : this.exportTo(target.name)
			};
		}));
		return {
			...request,
			targets
		};
	}
	/** Where BuildKit exports a cache to; nowhere where this run does not write. */
	exportTo(name) {
		const registry = this.#place?.registry;
		if (registry === void 0 || !this.#options.writes) return [];
		return [`${this.#reference(registry, tagOf(name))},mode=max,ignore-error=true,image-manifest=true,oci-mediatypes=true`];
	}
	/**
	* The targets of a finished build whose cache was not exported with it, and that have something new: a step was run, or
	* the image has a layer that was not here.
	*/
	unexported(outcome, layersOf) {
		if (!this.#options.writes) return [];
		const ran = new Set(outcome.steps.filter((step) => isInstruction(step) && step.status === "done").flatMap(({ targets }) => targets));
		const isNew = (name) => ran.has(name) || layersOf(name).some((digest) => this.#cache.hasReceived(digest));
		return [...this.#imports.keys()].filter((name) => outcome.built.has(name) && !this.isExported(name)).filter(isNew);
	}
	get writes() {
		return this.#options.writes;
	}
	/** Whether the cache of a target (or of a part of the build) has been exported. */
	isExported(name) {
		return this.#place?.registry.manifest(CACHE, tagOf(name)) !== void 0;
	}
	/** What was asked for and could not be given, reason enough for a build to fail; undefined where nothing was. */
	brokenBy(errors) {
		const { registry, upstream } = this.#place ?? {};
		for (const error of errors) this.#options.debug(`the build says: ${registry?.hidden(error) ?? error}`);
		const [refused] = registry?.refused ?? [];
		if (refused !== void 0) return `${refused} is gone`;
		const [failed] = upstream?.failed ?? [];
		if (failed !== void 0) return `the registry of a base image did not give ${failed}`;
		const told = errors.find((error) => FETCH_FAILED.test(error) && !error.includes("failed to push"));
		return told === void 0 ? void 0 : brief(registry?.hidden(told) ?? told);
	}
	/** Saves what is new, or leaves it to the post step. Never rejects. */
	async finish(names, { told, ...content }) {
		try {
			await this.#finish(names, content, tellsOfCache(told));
		} catch (error) {
			this.#trouble ??= `it could not be saved (${error instanceof Error ? error.message : String(error)})`;
		}
	}
	async #finish(names, { isBase, notes, records, imageLayers }, isTold) {
		const registry = this.#place?.registry;
		const caches = new Map(registry === void 0 ? [] : names.flatMap((name) => this.#exported(registry, name)));
		const named = {
			mounts: this.#namedMounts,
			layers: imageLayers
		};
		const saving = await this.#cache.finish(caches, {
			isBase,
			notes,
			records,
			named
		});
		if (saving.kind === "unchanged") return;
		const { choice, retries, hasPost, root } = this.#options;
		const isLater = hasPost && choice.kind === "github" && bytesToMove(saving.plan) > SAVED_AT_ONCE_BYTES;
		this.#toSave = {
			...saving,
			isLater
		};
		if (isLater) {
			const { plan, failures } = withoutFailed(saving.plan, await saving.begun);
			if (failures.length > 0) this.#report = {
				entries: 0,
				bytes: 0,
				indexSaved: false,
				failures
			};
			await writeHandover(root, {
				choice,
				retries,
				plan,
				isTold: isTold || await this.#troubleText() !== void 0
			});
			return;
		}
		const started = performance.now();
		this.#report = await executeSave(saving.plan, {
			backend: this.#backend,
			root,
			begun: saving.begun
		});
		const line = savedLine(this.#report, performance.now() - started);
		if (line !== void 0) this.#options.log(line);
	}
	/** What the summary tells. */
	async facts() {
		const { fetched, bytesFetched, gone, failed, damaged } = this.#cache.stats();
		return {
			backend: this.#backend.kind,
			writes: this.#options.writes,
			searches: await this.#cache.searches(),
			imports: this.#imports,
			packsFetched: fetched,
			bytesFetched,
			bytesProxied: this.#place?.upstream.bytesProxied ?? 0,
			bytesSaved: this.#toSave?.bytes,
			savedLater: this.#toSave?.isLater ?? false,
			bytesDropped: this.#toSave?.droppedBytes ?? 0,
			mounts: [],
			gone,
			failed,
			damaged,
			trouble: await this.#troubleText(),
			now: this.#options.now()
		};
	}
	/** One warning for all trouble, or none; none where the build already told of it. */
	async warnings(told) {
		const trouble = await this.#troubleText();
		const dropped = tooLarge$1(this.#toSave?.droppedBytes ?? 0, this.#toSave?.droppedMounts.length ?? 0);
		if (trouble === void 0 || tellsOfCache(told)) return dropped;
		return [{ message: `The layer cache: ${trouble}. The build does not depend on it.` }, ...dropped];
	}
	/** Ends what still goes on; removes the session's folder unless the post step needs it. */
	async [Symbol.asyncDispose]() {
		await this.#backend.close();
		if (this.#toSave?.isLater !== true) await rm$1(this.#options.root, {
			recursive: true,
			force: true
		});
	}
	async #troubleText() {
		const unread = (await this.#cache.searches()).find(({ outcome }) => outcome === "failed" || outcome === "unusable");
		const fault = this.#cache.spoolFault;
		const [failure] = this.#report?.failures ?? [];
		if (this.#trouble !== void 0) return this.#trouble;
		if (unread?.outcome === "failed") return `it could not be read (${brief(unread.reason ?? "no reason given")})`;
		if (unread !== void 0) return `the index of ${unread.ref} is not used: ${unread.reason ?? "no reason given"}`;
		if (fault !== void 0) return `new layers could not be kept (${fault instanceof Error ? fault.message : "no reason given"})`;
		return failure === void 0 ? void 0 : savingTrouble(failure);
	}
	#exported(registry, name) {
		const manifest = registry.manifest(CACHE, tagOf(name));
		const digest = manifest === void 0 ? void 0 : configDigest(manifest.bytes);
		const config = digest === void 0 ? void 0 : registry.document(digest);
		if (manifest === void 0 || config === void 0) return [];
		const cache = parseTargetCache(manifest.bytes, config);
		return cache === void 0 ? [] : [[name, cache]];
	}
	#reference(registry, tag) {
		return `type=registry,ref=${registry.host}/${registry.repository(CACHE)}:${tag}`;
	}
};
/** Names are any text; tags are not. */
function tagOf(name) {
	return `x-${createHash("sha256").update(name).digest("hex").slice(0, 24)}`;
}

// src/open-layer-caching.ts
/** Decides whether a run has a layer cache, and of which backend, branch and rights. */
/** The layer cache of this run, with its folder made; undefined where it is off. */
function openLayerCaching(question, { runner, now, signal }) {
	const { inputs, project, event, env, targets, baseCommit } = question;
	if (inputs.cache === "off") return {
		caching: void 0,
		warnings: []
	};
	const kind = backendKind(inputs, env);
	if (kind === "github" && !serviceIsHere(env)) return {
		caching: void 0,
		warnings: [NO_SERVICE]
	};
	const scopes = cacheScopes(env, { defaultBranch: event.defaultBranch });
	const own = scopes[0];
	const writes = inputs.mode === "build" && mayWrite({
		mode: inputs.cache,
		eventName: env["GITHUB_EVENT_NAME"],
		ref: own?.ref ?? "",
		isFork: event.isFork,
		backend: kind
	});
	const root = join(env["RUNNER_TEMP"] ?? tmpdir(), `stage-build-cache-${randomBytes(8).toString("hex")}`);
	runner.saveState(STATE.cache, root);
	mkdirSync$1(root, {
		mode: 448,
		recursive: true
	});
	const identity = {
		id: project.id,
		scope: inputs.cacheScope
	};
	const platforms = [...new Set(targets.flatMap((target) => target.platforms))];
	const placesOf = (names, of) => scopes.map(({ source, ref }) => ({
		source,
		ref,
		commits: source === "own" || baseCommit === void 0 ? [] : [baseCommit],
		...indexKeys({
			...identity,
			ref,
			targets: names,
			platforms: of
		})
	}));
	const isSplit = inputs.matrixBy === "platform";
	const caching = new LayerCaching({
		choice: choiceOf(kind, {
			inputs,
			env,
			refs: scopes.map(({ ref }) => ref),
			mayWrite: writes
		}),
		root,
		places: placesOf(targets.map(({ name }) => name), platforms),
		writes,
		now,
		env,
		isPullRequest: env["GITHUB_BASE_REF"] !== void 0 && env["GITHUB_BASE_REF"] !== "",
		keepsLayers: inputs.cacheFrom.length === 0 && inputs.cacheTo.length === 0,
		legPlaces: (names) => {
			const wanted = targets.filter(({ name }) => names.includes(name));
			if (!isSplit) return wanted.flatMap(({ name, platforms: own }) => placesOf([name], own));
			const of = (platform) => wanted.flatMap(({ name, platforms: own }) => own.includes(platform) ? [name] : []);
			const whole = platforms.map((platform) => ({
				names: of(platform),
				platform
			})).filter((leg) => leg.names.length > 1);
			return [...wanted.flatMap(({ name, platforms: own }) => own.map((platform) => ({
				names: [name],
				platform
			}))), ...whole].flatMap((leg) => placesOf(leg.names, [leg.platform]));
		},
		parts: isSplit ? platforms : void 0,
		packPrefix: packPrefix(identity),
		commit: env["GITHUB_SHA"],
		maxBytes: inputs.cacheMaxSize,
		retries: inputs.retries,
		signal,
		hasPost: (env["GITHUB_STATE"] ?? "") !== "",
		debug: (line) => {
			runner.debug(line);
		},
		log: (line) => {
			runner.log(line);
		}
	});
	caching.cache.begin();
	return {
		caching,
		warnings: []
	};
}
const NO_SERVICE = {
	input: "cache-backend",
	message: "`cache-backend: github`: GitHub’s cache service is not here, so there is no layer cache in this run.",
	mend: "Use `cache-backend: directory` away from GitHub Actions."
};
function backendKind({ cacheBackend }, env) {
	if (cacheBackend !== "auto") return cacheBackend;
	return env["GITHUB_ACTIONS"] === "true" && serviceIsHere(env) ? "github" : "directory";
}
function choiceOf(kind, options) {
	if (kind === "github") return { kind };
	const { inputs, env, refs } = options;
	return {
		kind,
		refs,
		mayWrite: options.mayWrite,
		maxBytes: inputs.cacheMaxSize,
		directory: join(inputs.cacheDir ?? userCache(env), "layers")
	};
}
/** Where what is remembered between runs lies, unless `cache-dir` says so: gone with a hosted runner, kept by others. */
function userCache(env) {
	return join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "stage-build");
}

// src/plan/plan.ts
/**
* The plan: which stages there are, what they need, which targets must be built and why. A stable JSON (version 1) that
* other jobs read; making it needs no engine. Digests are looked up elsewhere and handed in.
*/
/** What is known of an external image: the digest that its registry answered, and what it is mapped to. */
/** The platforms of a target where they are not those of the plan; none where they are. */
function ownPlatforms(plan, { platforms = [] }) {
	return platforms.length === plan.platforms.length ? [] : platforms;
}
/** Makes the plan. */
function makePlan(request) {
	const { graph, prints } = request;
	const fingerprints = stageFingerprints([...prints.values()]);
	const targets = request.targets.map((target) => {
		const { image, sizes, since, ...decision } = request.decisionOf(target);
		return {
			name: target.name,
			...request.placeOf?.(target),
			stage: target.stage,
			stages: stagesOf(graph, target.stage),
			...decision,
			tags: request.tagsOf(target),
			fingerprint: prints.get(target.name)?.fingerprint ?? null,
			...image === void 0 ? {} : { image },
			...sizes === void 0 ? {} : { sizes },
			...since === void 0 ? {} : { since }
		};
	});
	const twins = twinsOf(graph, fingerprints);
	const changed = targets.filter(({ status }) => status === "changed").map(({ stage }) => stage);
	return {
		version: 1,
		id: request.id,
		file: request.file,
		platforms: request.platforms,
		...request.matrixBy === "platform" ? { matrixBy: request.matrixBy } : {},
		stages: graph.stages.map((stage) => ({
			...planStage(stage, request.pinOf, fingerprints.get(stage.index)),
			...sameAs(twins.get(stage.index))
		})),
		targets,
		shared: sharedStages(graph, changed, (stage) => twins.get(stage) ?? stage)
	};
}
function sameAs(twin) {
	return twin === void 0 ? {} : { same: twin };
}
/** Stages of several Dockerfiles that are the same, by their fingerprints: for each but the first, the first. */
function twinsOf({ stages }, fingerprints) {
	const firsts = /* @__PURE__ */ new Map();
	const twins = /* @__PURE__ */ new Map();
	for (const { index, file } of stages) {
		const fingerprint = fingerprints.get(index);
		if (file === void 0 || fingerprint === void 0) continue;
		const first = firsts.get(fingerprint);
		if (first === void 0) firsts.set(fingerprint, index);
		else if (stages[first]?.file !== file) twins.set(index, first);
	}
	return twins;
}
/** By stage; over several platforms, one of all of them. */
function stageFingerprints(prints) {
	const found = /* @__PURE__ */ new Map();
	for (const { platforms } of prints) for (const { platform, stages } of platforms) for (const { index, fingerprint } of stages) {
		const known = found.get(index) ?? /* @__PURE__ */ new Map();
		found.set(index, known.set(platform, known.get(platform) ?? fingerprint));
	}
	return new Map([...found].map(([index, all]) => {
		const [first] = all.values();
		if (all.size <= 1) return [index, first];
		return [index, [...all.values()].includes(void 0) ? void 0 : digestOf([...all])];
	}));
}
function planStage(stage, pinOf, fingerprint) {
	const from = planSource(stage.from, pinOf);
	const edges = "scratch" in from ? [] : [{
		via: "from",
		...from
	}];
	for (const need of stage.needs) {
		const source = planSource(need.source, pinOf);
		if (!("scratch" in source)) edges.push({
			via: viaOf$1(need),
			...source
		});
	}
	const seen = /* @__PURE__ */ new Set();
	const needs = edges.filter((edge) => {
		const key = JSON.stringify(edge);
		return seen.has(key) ? false : seen.add(key);
	});
	return {
		index: stage.index,
		name: stage.name ?? null,
		...stage.file === void 0 ? {} : { file: stage.file },
		line: stage.line,
		from,
		needs,
		fingerprint: fingerprint ?? null
	};
}
function planSource(source, pinOf) {
	switch (source.kind) {
		case "stage": return { stage: source.stage };
		case "context": return { context: source.context };
		case "scratch": return { scratch: true };
		case "image": {
			const { digest, mapped } = pinOf(source.image);
			return {
				image: source.image,
				digest: digest ?? null,
				...mapped === void 0 ? {} : { mapped }
			};
		}
	}
}
const VIA = {
	from: "from",
	copy: "copy",
	mount: "mount",
	"mount-phantom": "mount",
	"onbuild-copy": "onbuild",
	"onbuild-mount": "onbuild"
};
function viaOf$1(need) {
	return VIA[need.via];
}
/** GitHub truncates no output but refuses a job whose outputs exceed 1 MB, so a larger plan keeps its targets only. */
const MAX_OUTPUT_BYTES = 1e6;
/** The plan as the text of the `plan` output, cut to its targets when it is too long for one. */
function serializePlan(plan) {
	const text = JSON.stringify(plan);
	if (text.length * 2 <= MAX_OUTPUT_BYTES) return {
		text,
		cut: false
	};
	return {
		text: JSON.stringify({
			...plan,
			stages: []
		}),
		cut: true
	};
}

// src/outputs.ts
function writePlanOutputs(runner, plan, matrix) {
	const write = outputWriter(runner);
	const { text, cut } = serializePlan(plan);
	if (cut) runner.notice("The plan is over 1 MB, GitHub’s limit for outputs: the `plan` output keeps the targets without the stages.");
	const named = (status) => plan.targets.filter((target) => target.status === status).map((target) => target.name);
	write("plan", text);
	if (matrix !== void 0) write("matrix", JSON.stringify(matrix));
	write("changed", JSON.stringify(named("changed")));
	write("unchanged", JSON.stringify(named("unchanged")));
	write("any-changed", String(named("changed").length > 0));
}
function writeBuildOutputs(runner, images, { metadata, report, toBuild }) {
	const write = outputWriter(runner);
	const rowOf = (target, platform) => report?.rows.find((row) => row.target === target && row.platform === platform);
	write("images", JSON.stringify(Object.fromEntries(images.map((image) => [image.target, imageEntry(image)]))));
	write("sizes", JSON.stringify({
		version: 1,
		targets: Object.fromEntries(images.map((image) => [image.target, sizesEntry(image.sizes, (platform) => rowOf(image.target, platform))]))
	}));
	const has = new Set(images.map(({ target }) => target));
	if (toBuild !== void 0) {
		write("built", JSON.stringify(toBuild.filter((name) => has.has(name))));
		write("failed", JSON.stringify(toBuild.filter((name) => !has.has(name))));
	}
	write("metadata", JSON.stringify(metadata, void 0, 2));
	write("baseline-sha", report?.baselineSha ?? "");
	write("comment-url", report?.commentUrl ?? "");
	const [only] = images;
	if (images.length === 1 && (toBuild ?? []).every((name) => has.has(name)) && only !== void 0) {
		write("digest", only.digest ?? "");
		write("imageid", only.imageId ?? "");
	}
}
function outputWriter(runner) {
	return (name, value) => {
		runner.setOutput(name, value);
	};
}
function imageEntry(image) {
	return {
		tags: image.tags,
		digest: image.digest ?? null,
		imageid: image.imageId ?? null,
		sizes: sizesEntry(image.sizes)
	};
}
/** Sizes by platform; `baseline` and `delta` are null where there is nothing to compare with. */
function sizesEntry(sizes, rowOf = () => void 0) {
	if (sizes === void 0) return {};
	return Object.fromEntries(sizes.platforms.map(({ platform, transfer, unpacked }) => {
		const row = rowOf(platform);
		const [transferBefore, unpackedBefore] = row?.status === "compared" ? [row.transfer.before, row.unpacked.before] : [];
		const baseline = {
			transfer: transferBefore ?? null,
			unpacked: unpackedBefore ?? null
		};
		const delta = {
			transfer: difference(transfer.total, transferBefore),
			unpacked: difference(unpacked.total, unpackedBefore)
		};
		const isKnown = transferBefore !== void 0 || unpackedBefore !== void 0;
		return [platform, {
			transfer,
			unpacked,
			baseline: isKnown ? baseline : null,
			delta: isKnown ? delta : null
		}];
	}));
}
function difference(now, before) {
	return now === void 0 || before === void 0 ? null : now - before;
}

// src/images/resolve-image.ts
/**
* From a name's manifest or index to the image for one platform: the same walk for registries and OCI layouts.
*/
/** An index may hold indexes; nobody nests them deeper. */
const MAX_DEPTH = 3;
/**
* Follows indexes down to the image for a platform. As in BuildKit, a name that stands for one image is taken as it is,
* whatever its platform.
* @throws RegistryError `not-found` when no image is there for the platform; what `fetch` throws
*/
async function resolvePlatform(root, options) {
	const wanted = parsePlatform(options.platform);
	const platforms = root.manifest.kind === "index" ? indexPlatforms(root.manifest.manifests) : [];
	let current = root;
	for (let depth = 0; depth <= MAX_DEPTH; depth++) {
		const { manifest, digest } = current;
		if (manifest.kind === "image") return {
			digest: root.digest,
			mediaType: root.manifest.mediaType,
			manifestDigest: digest,
			configDigest: manifest.config.digest,
			layers: manifest.layers,
			platforms
		};
		const entry = selectEntry(manifest.manifests, wanted);
		if (entry === void 0) break;
		current = await options.fetch(entry.digest);
	}
	throw new RegistryError({
		kind: "not-found",
		message: `${options.subject} has no image for ${options.platform}.`,
		mend: `It is there for ${platforms.length === 0 ? "no platform" : oneLine(platforms.join(", "))}: choose another image, or other platforms.`
	});
}

// src/images/oci-layout.ts
/**
* Images in an OCI layout directory: the same answers as a registry gives. Reads only inside that directory.
* https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
*/
/** The annotation that holds an image's tag within a layout. */
const REF_NAME = "org.opencontainers.image.ref.name";
/**
* What a tag or digest of a layout stands for, and the image in it for a platform. Without either, `latest`; where the
* layout has no such tag but one image only, that one, as in buildx.
* @throws RegistryError `not-found`, `bad-answer` for broken contents, `unreachable` when files cannot be read
*/
async function resolveOciLayout(image, options) {
	const layout = new OciLayout(image.path);
	const subject = `${image.path}${image.tag === void 0 ? "" : `:${image.tag}`}${image.digest === void 0 ? "" : `@${image.digest}`}`;
	const digest = image.digest ?? (await layout.findTag(image.tag ?? "latest")).digest;
	const fetch = async (wanted) => await layout.manifest(wanted);
	return await resolvePlatform(await fetch(digest), {
		subject,
		platform: options.platform,
		fetch
	});
}
/**
* The config of an image in a layout (of `ResolvedImage.configDigest`).
* @throws RegistryError
*/
async function readOciConfig(path, configDigest) {
	return await new OciLayout(path).config(configDigest);
}
var OciLayout = class {
	#path;
	constructor(path) {
		this.#path = path;
	}
	async findTag(tag) {
		const index = this.#parse(await this.#read(["index.json"]));
		if (index.kind !== "index") throw this.#fault("bad-answer", "its index.json is no image index");
		const tagged = index.manifests.find(({ annotations }) => annotations[REF_NAME] === tag);
		const only = index.manifests.length === 1 ? index.manifests[0] : void 0;
		const found = tagged ?? only;
		if (found === void 0) throw this.#fault("not-found", `it has no image ${JSON.stringify(tag)}`);
		return found;
	}
	async manifest(digest) {
		const bytes = await this.#blob(digest);
		return {
			digest,
			manifest: this.#parse(bytes)
		};
	}
	async config(digest) {
		const bytes = await this.#blob(digest);
		return this.#guarded(() => parseImageConfig(bytes));
	}
	async #blob(digest) {
		const fault = digestFault(digest);
		if (fault !== void 0) throw this.#fault("bad-answer", fault);
		const bytes = await this.#read(["blobs", ...digest.split(":")]);
		if (digestOf$1(bytes, digest) !== digest) throw this.#fault("bad-answer", `the blob ${digest} is not what its digest says`);
		return bytes;
	}
	#parse(bytes) {
		return this.#guarded(() => parseManifest(bytes, void 0));
	}
	#guarded(parse) {
		try {
			return parse();
		} catch (error) {
			if (error instanceof ManifestError) throw this.#fault("bad-answer", error.message);
			throw error;
		}
	}
	async #read(parts) {
		const name = parts.join("/");
		let root;
		let real;
		try {
			root = await realpath(this.#path);
			real = await realpath(join(root, ...parts));
		} catch (error) {
			throw this.#fault("not-found", `it has no ${name}`, error);
		}
		if (!real.startsWith(root + sep)) throw this.#fault("bad-answer", `its ${name} leads out of the directory`);
		try {
			await using file = await open$1(real);
			const { size } = await file.stat();
			if (size > 4194304) throw this.#fault("bad-answer", `its ${name} is larger than ${MAX_MANIFEST_BYTES} bytes`);
			return await file.readFile();
		} catch (error) {
			if (error instanceof RegistryError) throw error;
			throw this.#fault("unreachable", `its ${name} could not be read`, error);
		}
	}
	#fault(kind, why, cause) {
		return new RegistryError({
			kind,
			message: `The OCI layout ${this.#path} cannot be used: ${why}.`,
			mend: "Check the path and the tag; the directory must hold oci-layout, index.json and blobs/."
		}, { cause });
	}
};

// src/image-catalog.ts
/**
* What is known of the external images of a build: what each is mapped to, the digest that its registry answered, and
* of base images the layers and the configuration. Ties the Dockerfile's names to `src/images/`.
*/
/** The external images of one build; filled by `lookUp`, each image once. */
var ImageCatalog = class {
	#options;
	#mappings;
	#entries = /* @__PURE__ */ new Map();
	#bases = /* @__PURE__ */ new Map();
	constructor(mappings, options) {
		this.#options = options;
		this.#mappings = new Map(mappings.map(({ name, source }) => [name, source]));
	}
	/** Looks up what these stages name and is not known yet, side by side. Never rejects for a registry's answer. */
	async lookUp(wants) {
		const unknown = /* @__PURE__ */ new Map();
		for (const { graph, stages, platforms } of wants) for (const { image, uses, platforms: usedFor } of externalImages$1(graph, stages)) {
			if (this.#entries.has(image)) continue;
			const [first] = uses;
			const use = first === void 0 ? void 0 : {
				line: first.line,
				file: graph.stages[first.stage]?.file
			};
			const found = unknown.get(image) ?? {
				use,
				platforms: /* @__PURE__ */ new Set()
			};
			unknown.set(image, found);
			if (!uses.some(({ via }) => via === "from")) continue;
			for (const platform of [...usedFor, ...platforms]) found.platforms.add(platform);
		}
		await Promise.all([...unknown].map(async ([image, { use, platforms }]) => {
			this.#entries.set(image, {
				...await this.#lookUpImage(image, [...platforms]),
				use
			});
		}));
	}
	entry(image) {
		return this.#entries.get(image);
	}
	/** Every base image, once for each platform. */
	bases() {
		return [...this.#bases].map(([key, base]) => ({
			...base,
			image: key.slice(key.indexOf(" ") + 1)
		}));
	}
	entries() {
		return [...this.#entries.values()];
	}
	pinOf(image) {
		const entry = this.#entries.get(image);
		const source = this.#mappings.get(image);
		return {
			digest: entry?.digest,
			mapped: source === void 0 ? void 0 : sourceText(source)
		};
	}
	/** The base image for a platform; undefined where it could not be looked up. */
	baseOf(image, platform) {
		return this.#bases.get(`${platform} ${image}`);
	}
	/** The base image for every platform that it was looked up for. */
	basesOf(image) {
		return this.bases().filter((base) => base.image === image);
	}
	/** ONBUILD triggers of an image; undefined where they are not known. */
	triggersOf(image, platform) {
		return this.baseOf(image, platform)?.config.onBuild;
	}
	/** Where the bytes of an image come from. */
	sourceOf(image) {
		return this.#mappings.get(image) ?? {
			kind: "registry",
			ref: image
		};
	}
	/**
	* How BuildKit shall replace and pin each image that a registry keeps.
	* @param local images that only the engine's own store has: mapped, but not pinned
	*/
	rules(local) {
		return this.entries().flatMap(({ image, source, digest }) => source.kind === "registry" ? [{
			image,
			ref: source.ref,
			digest: local.has(image) ? void 0 : digest
		}] : []);
	}
	/** Where the Dockerfile names each image first. */
	lines() {
		return new Map(this.entries().flatMap(({ image, use }) => use === void 0 ? [] : [[image, {
			line: use.line,
			endLine: use.line,
			file: use.file
		}]]));
	}
	/** Mappings for another tag of an image that the Dockerfile names and nothing maps: mostly a slip. */
	missedMappings() {
		const unused = [...this.#mappings.keys()].filter((name) => !this.#entries.has(name));
		return this.entries().flatMap(({ image, mapped, use }) => {
			const near = unused.find((name) => mapped === void 0 && repositoryOf(name) === repositoryOf(image));
			if (near === void 0) return [];
			const [wanted, given] = [familiarName$1(image), familiarName$1(near)];
			return [{
				input: "external-images",
				message: `\`external-images\` maps \`${given}\`, but line ${use?.line ?? "?"} of ${use?.file ?? "the Dockerfile"} names \`${wanted}\`.`,
				mend: `Write \`${wanted}=…\`, or remove the mapping.`
			}];
		});
	}
	async #lookUpImage(image, basePlatforms) {
		const source = this.sourceOf(image);
		const mapped = this.#mappings.has(image) ? sourceText(source) : void 0;
		try {
			return {
				image,
				source,
				mapped,
				digest: await this.#digest(image, source, basePlatforms),
				problem: void 0
			};
		} catch (error) {
			this.#options.signal?.throwIfAborted();
			return {
				image,
				source,
				mapped,
				digest: writtenDigest(source),
				problem: lookUpProblem(image, error)
			};
		}
	}
	async #digest(image, source, basePlatforms) {
		const { client, workspace, signal } = this.#options;
		if (source.kind === "oci-layout") {
			const layout = {
				...source,
				path: resolve$1(workspace, source.path)
			};
			return (await Promise.all(basePlatforms.map(async (platform) => {
				const resolved = await resolveOciLayout(layout, { platform });
				const config = await readOciConfig(layout.path, resolved.configDigest);
				this.#bases.set(`${platform} ${image}`, {
					resolved,
					config
				});
				return resolved.digest;
			})))[0] ?? (await resolveOciLayout(layout, { platform: "linux/amd64" })).digest;
		}
		if (basePlatforms.length === 0) return await client.resolveDigest(source.ref, { signal });
		return (await Promise.all(basePlatforms.map(async (platform) => {
			const resolved = await client.resolveImage(source.ref, {
				platform,
				signal
			});
			const config = await client.fetchConfig(source.ref, resolved.configDigest, { signal });
			this.#bases.set(`${platform} ${image}`, {
				resolved,
				config
			});
			return resolved.digest;
		})))[0] ?? await client.resolveDigest(source.ref, { signal });
	}
};
function writtenDigest(source) {
	return source.kind === "registry" ? parseReference(source.ref).digest : void 0;
}
/** Why an image could not be looked up. */
function lookUpProblem(image, error) {
	return error instanceof RegistryError ? {
		message: error.message,
		mend: error.mend
	} : { message: `${image} could not be looked up: ${error instanceof Error ? error.message : String(error)}.` };
}
/** A mapping as text, as the plan shows it. */
function sourceText(source) {
	if (source.kind === "registry") return source.ref;
	const tag = source.tag === void 0 ? "" : `:${source.tag}`;
	const digest = source.digest === void 0 ? "" : `@${source.digest}`;
	return `oci-layout://${source.path}${tag}${digest}`;
}

// src/context-images.ts
/**
* Configurations of the images that named contexts stand for (`docker-image://`, `oci-layout://`), where a stage is based on one:
* BuildKit begins with their variables and carries out their ONBUILD instructions, as of any base image. Asks registries.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go
*/
/** Looks up what stages are based on. Rejects only when the signal is aborted. */
async function lookUpContextImages(drafts, options) {
	const looked = /* @__PURE__ */ new Map();
	const configs = /* @__PURE__ */ new Map();
	const unread = drafts.map(() => /* @__PURE__ */ new Map());
	await Promise.all(drafts.flatMap((draft, part) => wantedOf(draft).map(async ({ context, value, platform }) => {
		const key = JSON.stringify([value, platform]);
		const asked = looked.get(key) ?? configOf(value, platform, options);
		looked.set(key, asked);
		const found = await asked;
		if (found.kind === "failed") unread[part]?.set(context, found.problem);
		else configs.set(keyOf(part, context, platform), found.config);
	})));
	return {
		of: (part, context, platform) => configs.get(keyOf(part, context, platform)),
		isImage: (index, context) => {
			const part = drafts[index]?.part;
			const value = part === void 0 ? "" : contextValue(part, context);
			return /^(?:docker-image|oci-layout|target):/.test(value) && !isEmptyImage(value);
		},
		unread
	};
}
function keyOf(part, context, platform) {
	return JSON.stringify([
		part,
		context,
		platform
	]);
}
/** Contexts that are images and that stages are based on. */
function wantedOf(draft) {
	return draft.resolutions.flatMap(({ graph }) => graph?.stages ?? []).flatMap(({ from, platform }) => {
		if (from.kind !== "context") return [];
		const { context } = from;
		const value = contextValue(draft.part, context);
		return /^(?:docker-image|oci-layout):/.test(value) && !isEmptyImage(value) ? [{
			context,
			value,
			platform
		}] : [];
	});
}
/** Contexts whose image has no image's name. BuildKit reads those that a needed stage uses, and no other. */
function invalidContextImages({ part, graph, targets }) {
	const contextsOf = (stage) => {
		const needed = new Set(stagesOf(graph, stage));
		return new Set(readsOf(graph.stages.filter(({ index }) => needed.has(index))).map(({ context }) => context));
	};
	const found = part.inputs.buildContexts.flatMap(({ key, value }) => {
		const fault = value.startsWith("docker-image://") ? readImageSource(value) : void 0;
		if (typeof fault !== "string") return [];
		const target = targets.find(({ stage }) => contextsOf(stage).has(key));
		if (target === void 0) return [];
		return [{
			target: target.name,
			said: `\`${shown$1(`${key}=${value}`)}\` is not an image reference: ${sentence(fault)}`
		}];
	});
	const mend = "Write `docker-image://registry/name:tag`, in lower case.";
	return part.wanted === void 0 ? {
		problems: found.map(({ said }) => ({
			input: "build-contexts",
			message: `\`build-contexts\`: ${said}`,
			mend
		})),
		targetProblems: []
	} : {
		problems: [],
		targetProblems: found.map(({ target, said }) => targetProblem(target, `: its context ${said}`, mend))
	};
}
async function configOf(value, platform, { client, workspace, signal }) {
	try {
		const source = parseImageSource(value);
		if (source.kind === "registry") {
			const { configDigest } = await client.resolveImage(source.ref, {
				platform,
				signal
			});
			return {
				kind: "found",
				config: await client.fetchConfig(source.ref, configDigest, { signal })
			};
		}
		const path = resolve$1(workspace, source.path);
		const { configDigest } = await resolveOciLayout({
			...source,
			path
		}, { platform });
		return {
			kind: "found",
			config: await readOciConfig(path, configDigest)
		};
	} catch (error) {
		signal.throwIfAborted();
		return {
			kind: "failed",
			problem: lookUpProblem(value, error)
		};
	}
}

// src/plan/file-lists.ts
/** As many names as a list keeps. */
const MOST_NAMES = 2e3;
/** The deepest directories that may stand for what is in them. */
const DEEPEST = 4;
/**
* A list of at most `MOST_NAMES` names.
* @param files each path once; asked for several times, since there may be too many to be kept
* @param fold makes one digest of several
*/
function listFiles(files, fold) {
	return foldAt(files, [1e400, ...Array.from({ length: DEEPEST }, (_, index) => DEEPEST - index)].find((depth) => isShort(files, depth)) ?? 0, fold);
}
/** Whether there are few enough names where directories of that depth stand for what is in them. */
function isShort(files, depth) {
	const names = /* @__PURE__ */ new Set();
	for (const { path } of files()) {
		names.add(path.slice(0, cutAt(path, depth)));
		if (names.size > 2e3) return false;
	}
	return true;
}
/** Where the name of the directory at that depth ends, its slash included; the whole length of what lies higher. */
function cutAt(path, depth) {
	if (depth === 1e400) return path.length;
	let at = 0;
	for (let level = 0; level < depth; level++) {
		const slash = path.indexOf("/", at);
		if (slash < 0) return path.length;
		at = slash + 1;
	}
	return at;
}
function foldAt(files, depth, fold) {
	const groups = /* @__PURE__ */ new Map();
	const list = /* @__PURE__ */ new Map();
	for (const { path, digest } of files()) {
		const cut = cutAt(path, depth);
		const name = cut === 0 ? "/" : path.slice(0, cut);
		if (cut === path.length) {
			list.set(path, digest);
			continue;
		}
		const group = groups.get(name);
		if (group === void 0) groups.set(name, [`${path} ${digest}`]);
		else group.push(`${path} ${digest}`);
	}
	for (const [directory, digests] of groups) list.set(directory, fold(digests));
	return list;
}
/** What differs between two lists; directories of which only what is in them is added are left out. */
function compareLists(before, now) {
	const added = [...now.keys()].filter((path) => !before.has(path));
	const removed = [...before.keys()].filter((path) => !now.has(path));
	const changed = [...now].filter(([path, digest]) => before.has(path) && before.get(path) !== digest).map(([path]) => path);
	return {
		added: leaves(added),
		removed: leaves(removed),
		changed
	};
}
/** A new directory is told by what is in it. */
function leaves(paths) {
	const parents = new Set(paths.flatMap((path) => path.includes("/") ? [path.slice(0, path.lastIndexOf("/"))] : []));
	return paths.filter((path) => !parents.has(path)).sort();
}
const MOST_TOLD = 3;
/** The repository itself, where `COPY . .` takes it along: it differs with every checkout. */
const GIT = /^(?:.*\/)?\.git(?:\/|$)/;
/** `a.go changed, b.go added and 12 more files`; empty where nothing differs. */
function tellChanges({ added, removed, changed }) {
	const every = [
		...changed.map((path) => ({
			path,
			what: "changed"
		})),
		...added.map((path) => ({
			path,
			what: "added"
		})),
		...removed.map((path) => ({
			path,
			what: "removed"
		}))
	];
	const all = every.filter(({ path }) => !GIT.test(path)).map(({ path, what }) => `${path} ${what}`);
	if (all.length < every.length) all.push(".git changed (exclude it with a line `.git` in .dockerignore)");
	const rest = all.length - MOST_TOLD;
	const told = all.slice(0, rest === 1 ? 4 : MOST_TOLD);
	return rest > 1 ? `${told.join(", ")} and ${rest} more files` : told.join(", ");
}

// src/plan/compare.ts
/**
* Why a target is built: two prints walked side by side from the target's stage down, to the inputs that differ. A stage
* that differs only by what it takes from another one is passed through. Pure.
*/
/** The reasons, the deepest stage first, each once; empty where nothing comparable differs. */
function reasonsOf(before, now) {
	const reasons = [];
	const [old, current] = [before.print.platforms, now.print.platforms];
	const [names, wanted] = [old, current].map((all) => all.map(({ platform }) => platform));
	if (String(names) !== String(wanted)) reasons.push({
		kind: "platform",
		text: `platforms ${tell(names)} → ${tell(wanted)}`
	});
	for (const platform of current) {
		const counterpart = old.find((candidate) => candidate.platform === platform.platform);
		if (counterpart !== void 0) reasons.push(...new Walk$1(counterpart, platform, before, now).reasons());
	}
	const fields = differing(before.print.fields, now.print.fields, ({ digest }) => digest);
	const isBeside = (field) => field.startsWith("provenance (");
	reasons.push(...fields.filter((field) => !isBeside(field)).map(optionReason));
	if (reasons.length === 0) reasons.push(...fields.map(optionReason));
	return distinct(reasons);
}
function optionReason(name) {
	return {
		kind: "option",
		text: `\`${name}\` changed`
	};
}
/** Names of what is in one list alone, or differs. */
function differing(before, now, valueOf) {
	const [old, current] = [before, now].map((list) => new Map(list.map((item) => [item.name, valueOf(item)])));
	return [...new Set([...now, ...before].map(({ name }) => name))].filter((name) => old?.get(name) !== current?.get(name));
}
function tell(names) {
	return names === void 0 || names.length === 0 ? "none" : names.join(", ");
}
var Walk$1 = class {
	#old;
	#now;
	#targets;
	#filesBefore;
	#filesNow;
	#seen = /* @__PURE__ */ new Set();
	#reasons = [];
	constructor(before, now, { filesOf: filesBefore }, { filesOf }) {
		this.#old = new Map(before.stages.map((stage) => [stage.index, stage]));
		this.#now = new Map(now.stages.map((stage) => [stage.index, stage]));
		this.#targets = [before.stages.at(-1), now.stages.at(-1)];
		this.#filesBefore = filesBefore;
		this.#filesNow = filesOf;
	}
	reasons() {
		this.#compare(...this.#targets, { config: true });
		return this.#reasons;
	}
	/** @param config whether the stage's configuration becomes the target's: it is the target, or beneath it */
	#compare(before, now, { config }) {
		if (before === void 0 || now === void 0) return;
		const key = `${before.index} ${now.index} ${String(config)}`;
		if (this.#seen.has(key)) return;
		this.#seen.add(key);
		if (before.platform !== now.platform) this.#tell(now, {
			kind: "platform",
			line: now.line,
			text: `the platform ${before.platform} is ${now.platform} now`
		});
		for (const name of differing(before.options, now.options, ({ value }) => value)) this.#reasons.push(optionReason(name));
		this.#sources(now, {
			line: now.line,
			config
		}, [before.base], [now.base]);
		const [olds, steps] = [before, now].map((stage) => stage.steps.filter(({ words }) => config || words !== ""));
		const variables = changedVariables(before, now);
		for (let index = 0; index < Math.max(olds?.length ?? 0, steps?.length ?? 0); index++) {
			const [old, current] = [olds?.[index], steps?.[index]];
			if (old !== void 0 && current !== void 0 && this.#isSame(old, current, config)) {
				this.#settings(now, {
					old,
					current,
					config,
					variables
				});
				this.#sources(now, {
					line: current.line,
					config: false,
					step: current
				}, old.sources, current.sources);
				continue;
			}
			this.#instruction(now, old, current);
			return;
		}
	}
	/** Whether the two do the same, whatever they are given. */
	#isSame(old, now, config) {
		if (old.keyword !== now.keyword || old.words === "" !== (now.words === "")) return false;
		if (old.written === now.written) return true;
		return old.words === now.words && (old.history === now.history || !config) && now.words !== "";
	}
	#settings(stage, { old, current: now, config, variables }) {
		const settings = new Map(old.settings.map(({ name, value }) => [name, value]));
		const changed = now.settings.filter(({ name, value }) => settings.get(name) !== value);
		const gone = old.settings.filter(({ name }) => !now.settings.some((setting) => setting.name === name));
		for (const { name, stage: index, line } of changed) this.#tell(this.#now.get(index) ?? stage, {
			kind: "arg",
			line,
			text: settingText(name, "changed")
		});
		for (const { name } of gone) this.#tell(stage, {
			kind: "arg",
			line: now.line,
			text: settingText(name, "is gone")
		});
		if (changed.length + gone.length > 0) return;
		const isConfig = config && old.history !== now.history;
		if (old.words === now.words && !isConfig) return;
		const names = [...now.text.matchAll(/[$]\{?(\w+)/g)].map(([, name = ""]) => `$${name}`);
		const used = [...variables].filter(([name]) => names.includes(name) || now.text.includes("<<"));
		for (const [name, line] of used) this.#tell(stage, {
			kind: "arg",
			line,
			text: settingText(name, "changed")
		});
		if (used.length > 0) return;
		const order = old.settings.length > 1 ? "the order of variables" : "a variable";
		this.#tell(stage, {
			kind: "arg",
			line: now.line,
			text: `${order} in ${instructionText(now)} changed`
		});
	}
	#sources(stage, { line, config, step }, before, now) {
		for (const [index, current] of now.entries()) {
			const old = before[index];
			if (old?.kind === "stage" && current.kind === "stage") {
				if (old.digest !== current.digest || config) this.#compare(this.#old.get(Number(old.name)), this.#now.get(Number(current.name)), { config });
			} else if (!isSameSource(old, current)) this.#tell(stage, {
				line,
				...this.#sourceReason(old, current, step)
			});
		}
	}
	#sourceReason(old, now, step) {
		if (step !== void 0 && old?.kind !== now.kind) return {
			kind: "instruction",
			text: `${instructionText(step)} changed`
		};
		if (now.kind === "image") {
			if (old?.kind !== "image") return {
				kind: "base-image",
				text: `${now.name} is used now`
			};
			const what = old.name === now.name ? now.name : `${old.name} → ${now.name}`;
			if (old.digest === now.digest) return {
				kind: "base-image",
				text: `${what}, the same image`
			};
			return {
				kind: "base-image",
				text: `${what}: ${shortDigest(old.digest)} → ${shortDigest(now.digest)}`
			};
		}
		if (now.kind === "stage" || now.kind === "scratch") return {
			kind: "instruction",
			text: "its base is another one now"
		};
		const lists = [this.#filesBefore(old?.digest ?? ""), this.#filesNow(now.digest ?? "")];
		const told = lists[0] === void 0 || lists[1] === void 0 ? "" : tellChanges(compareLists(lists[0], lists[1]));
		const place = now.name === "" ? "" : ` (context ${now.name})`;
		return {
			kind: "file",
			text: told === "" ? `files that it reads changed${place}` : `${told}${place}`
		};
	}
	#instruction(stage, old, now) {
		const text = now === void 0 ? `${instructionText(old)} is gone` : old === void 0 || old.keyword !== now.keyword ? `${instructionText(now)} is new` : `${instructionText(now)} changed`;
		this.#tell(stage, {
			kind: "instruction",
			line: now?.line ?? stage.line,
			text
		});
	}
	#tell(stage, reason) {
		this.#reasons.push({
			stage: stage.index,
			...reason
		});
	}
};
/** Images of one digest may differ in name: a provenance attestation tells it. */
function isSameSource(old, now) {
	if (old?.kind !== now.kind || old.digest !== now.digest) return false;
	return now.kind !== "image" || old.name === now.name;
}
/** Variables that a stage's instructions set otherwise than before, and the lines where. */
function changedVariables(before, now) {
	const ofStage = ({ steps }) => steps.flatMap(({ words, settings }) => words === "" ? settings : []);
	const old = new Map(ofStage(before).map(({ name, value }) => [name, value]));
	return new Map(ofStage(now).flatMap(({ name, value, line }) => old.get(name) === value ? [] : [[name, line]]));
}
function settingText(name, what) {
	if (name.startsWith("$")) return `argument ${name.slice(1)} ${what}`;
	return `${name.toUpperCase()} ${what}`;
}
const LONGEST$1 = 60;
function instructionText(step) {
	const text = (step?.text ?? "").replaceAll(/\s+/g, " ");
	return text.length <= LONGEST$1 ? text : `${text.slice(0, 59)}…`;
}
function shortDigest(digest) {
	return digest === void 0 ? "unknown" : digest.slice(0, digest.indexOf(":") + 13);
}

// src/decision.ts
/** Since when nothing changed: a clause. */
function sinceText({ record, ref }) {
	const commit = record.commit === void 0 ? "" : ` at ${record.commit.slice(0, 7)}`;
	return `nothing changed since the build of ${ref.replace(/^refs\/heads\//, "")}${commit}`;
}
/** Inputs that cannot be known beforehand. */
function unknownInputs({ stage }, print) {
	const found = (print?.platforms ?? []).flatMap(({ stages }) => stages.flatMap(({ index, unknown }) => unknown.map(({ line, text }) => ({
		kind: "unknown-input",
		stage: index,
		line,
		text
	}))));
	const reasons = distinct(found);
	return reasons.length > 0 ? reasons : [{
		kind: "unknown-input",
		stage,
		text: "its `# syntax=` frontend is not known, and may read anything"
	}];
}
/** What differs from the latest record. */
function why(options) {
	const { target, print, candidates, fingerprints, hasRecords } = options;
	const [last] = candidates;
	const { stage } = target;
	if (last === void 0) return [{
		kind: "no-record",
		stage,
		text: hasRecords ? "no record of an earlier build" : "there is no cache to keep records of builds in"
	}];
	const { record } = last;
	const reasons = reasonsOf({
		print: record.print,
		filesOf: (digest) => record.files.get(digest)
	}, {
		print,
		filesOf: (digest) => fingerprints.files().get(digest)
	});
	return reasons.length > 0 ? reasons : [{
		kind: "no-record",
		stage,
		text: "the record of its last build cannot be compared"
	}];
}

// src/images/retag.ts
/**
* The plan for one image. A registry's refusal is a plan of kind `unknown`, not an error. References in it are in their
* full form (`docker.io/library/app:1`).
* @throws InvalidReferenceError; the signal's reason when it is aborted
*/
async function planRetag(options) {
	const tags = byRepository(options.tags);
	const looked = await settled([...tags].map(([repository, names]) => lookAt(repository, {
		...options,
		tags: names
	})), options.signal);
	if (looked.problems.length > 0) return {
		kind: "unknown",
		problems: looked.problems
	};
	const wanted = looked.values;
	const missing = wanted.filter(({ has }) => !has);
	const holders = wanted.filter(({ has }) => has).map(({ repository }) => repository);
	if (missing.length > 0) {
		const asked = [...new Set(options.repositories.map(repositoryOf))].filter((name) => !tags.has(name)).filter((name) => holders.length === 0 || missing.some(({ repository }) => sameRegistry(repository, name) && !nearby(holders, repository)));
		const answers = await settled(asked.map(async (name) => await holds(name, options) ? [name] : []), options.signal);
		holders.push(...answers.values.flat());
		if (holders.length === 0) {
			if (answers.problems.length > 0) return {
				kind: "unknown",
				problems: answers.problems
			};
			return {
				kind: "gone",
				missing: [...tags.keys(), ...asked]
			};
		}
	}
	return {
		kind: "possible",
		actions: wanted.flatMap(({ repository, has, absent }) => {
			const source = has ? repository : nearby(holders, repository) ?? holders[0];
			return absent.length === 0 || source === void 0 ? [] : [{
				source: `${source}@${options.digest}`,
				tags: absent
			}];
		}),
		present: wanted.flatMap(({ present }) => present)
	};
}
/**
* Whether every repository holds an image that gets no tags. Never written to: one that lacks it makes it `gone`.
* @throws InvalidReferenceError; the signal's reason when it is aborted
*/
async function planHeld(options) {
	const answers = await settled([...new Set(options.repositories.map(repositoryOf))].map(async (name) => await holds(name, {
		...options,
		tags: []
	}) ? [] : [name]), options.signal);
	if (answers.problems.length > 0) return {
		kind: "unknown",
		problems: answers.problems
	};
	const missing = answers.values.flat();
	return missing.length > 0 ? {
		kind: "gone",
		missing
	} : {
		kind: "possible",
		actions: [],
		present: []
	};
}
async function lookAt(repository, options) {
	const { client, tags, digest } = options;
	const found = await Promise.all(tags.map((tag) => client.findDigest(tag, { signal: options.signal })));
	const right = tags.filter((_, index) => found[index] === digest);
	const has = await holds(repository, {
		...options,
		proven: right.length > 0
	});
	return has ? {
		repository,
		has,
		present: right,
		absent: tags.filter((tag) => !right.includes(tag))
	} : {
		repository,
		has,
		present: [],
		absent: tags
	};
}
async function holds(repository, { client, digest, manifests = [], signal, proven = false }) {
	const answers = [.../* @__PURE__ */ new Set([...proven ? [] : [digest], ...manifests])].map((part) => client.hasManifest(repository, part, { signal }));
	return (await Promise.all(answers)).every((there) => there);
}
/** What the registries answered, and in what words those refused that did not. */
async function settled(promises, signal) {
	const values = [];
	const problems = /* @__PURE__ */ new Map();
	for (const result of await Promise.allSettled(promises)) {
		if (result.status === "fulfilled") {
			values.push(result.value);
			continue;
		}
		const reason = result.reason;
		signal?.throwIfAborted();
		if (!(reason instanceof RegistryError)) throw reason;
		problems.set(reason.message, {
			message: reason.message,
			mend: reason.mend
		});
	}
	return {
		values,
		problems: [...problems.values()]
	};
}
/** Full names of tags, each once, by the full name of their repository. */
function byRepository(tags) {
	const groups = /* @__PURE__ */ new Map();
	for (const text of new Set(tags.map((tag) => formatReference(withoutDigest(tagNameOnly(parseReference(tag))))))) {
		const repository = repositoryOf(text);
		const group = groups.get(repository);
		if (group === void 0) groups.set(repository, [text]);
		else group.push(text);
	}
	return groups;
}
function withoutDigest({ domain, path, tag }) {
	return {
		domain,
		path,
		tag
	};
}
function sameRegistry(one, other) {
	return parseReference(one).domain === parseReference(other).domain;
}
/** A holder in the same registry: from there a copy moves no bytes. */
function nearby(holders, repository) {
	return holders.find((holder) => sameRegistry(holder, repository));
}

// src/images/merged-index.ts
/**
* The index of an image whose platforms were built apart: the images of all parts, then what attests to them, as BuildKit
* writes it for a build of all platforms. Made of nothing but the parts, in their order, so equal parts make equal bytes.
* Pure. https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
*/
/** https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/attestation-storage.md */
const REFERENCE = "vnd.docker.reference.digest";
/** Makes the index. */
function mergeParts(parts) {
	const images = [];
	const attestations = [];
	for (const part of parts) {
		const found = entriesOf$1(part);
		if (found === void 0) return {
			kind: "mismatch",
			platform: part.platform,
			found: platformsOf(part)
		};
		images.push(found.image);
		attestations.push(...found.attestations);
	}
	const annotations = Object.assign({}, ...parts.toReversed().map(annotationsOf));
	const isDocker = parts.every(({ root }) => DOCKER.includes(root.manifest.mediaType));
	const mediaType = isDocker ? MEDIA_TYPES.dockerList : MEDIA_TYPES.ociIndex;
	const json = {
		schemaVersion: 2,
		mediaType,
		manifests: [...images, ...attestations],
		...isDocker || Object.keys(annotations).length === 0 ? {} : { annotations }
	};
	const bytes = Buffer.from(JSON.stringify(json, void 0, 2));
	const manifest = parseManifest(bytes, mediaType);
	return {
		kind: "merged",
		index: {
			digest: digestOf$1(bytes),
			bytes,
			manifest
		},
		manifests: manifest.kind === "index" ? manifest.manifests.map(({ digest }) => digest) : []
	};
}
const DOCKER = [MEDIA_TYPES.dockerList, MEDIA_TYPES.dockerManifest];
/** Descriptors as they stand in the part; undefined where it has no image of its platform. */
function entriesOf$1({ platform, root, configPlatform }) {
	const { manifest, bytes, digest } = root;
	const wanted = parsePlatform(platform);
	if (manifest.kind === "image") {
		if (configPlatform === void 0 || formatPlatform(configPlatform) !== formatPlatform(wanted)) return void 0;
		const { os, architecture, variant } = configPlatform;
		const described = {
			architecture,
			os,
			...variant === void 0 ? {} : { variant }
		};
		return {
			image: {
				mediaType: manifest.mediaType,
				digest,
				size: bytes.length,
				platform: described
			},
			attestations: []
		};
	}
	const chosen = selectEntry(manifest.manifests, wanted);
	if (chosen?.platform === void 0 || formatPlatform(chosen.platform) !== formatPlatform(wanted)) return void 0;
	const raw = rawEntries(bytes);
	const pick = (isWanted) => raw.filter((_, at) => manifest.manifests.slice(at, at + 1).some(isWanted));
	const [image] = pick((entry) => entry === chosen);
	if (image === void 0) return void 0;
	return {
		image,
		attestations: pick(({ annotations }) => annotations[REFERENCE] === chosen.digest)
	};
}
function platformsOf({ root, configPlatform }) {
	if (root.manifest.kind === "index") return indexPlatforms(root.manifest.manifests);
	return configPlatform === void 0 ? [] : [formatPlatform(configPlatform)];
}
/** As they are written: what is not read here is not lost. The bytes have been read once. */
function rawEntries(bytes) {
	const { manifests } = JSON.parse(bytes.toString("utf8"));
	return manifests;
}
/** Of the index itself; an image's own annotations stay with it. */
function annotationsOf({ root }) {
	if (root.manifest.kind !== "index") return {};
	const { annotations } = JSON.parse(root.bytes.toString("utf8"));
	if (typeof annotations !== "object" || annotations === null) return {};
	const texts = Object.entries(annotations).filter((pair) => typeof pair[1] === "string");
	return Object.fromEntries(texts);
}

// src/pushed-parts.ts
/**
* The index of all parts, which nothing has been written of yet.
* @throws InvalidReferenceError; the signal's reason when it is aborted
*/
async function mergePushed(parts, options) {
	const read = await Promise.all(parts.map((part) => readPart(part, options)));
	const failed = read.find((part) => "kind" in part);
	if (failed !== void 0) return failed;
	return mergeParts(read.flatMap((part) => "kind" in part ? [] : [part]));
}
/** From the first of its repositories that has it. */
async function readPart({ platform, digest, repositories }, options) {
	const { client, signal } = options;
	const names = [...new Set(repositories.map(repositoryOf))];
	let refusal;
	for (const name of names) try {
		const root = await client.fetchManifest(`${name}@${digest}`, { signal });
		const { manifest } = root;
		if (manifest.kind === "index") return {
			platform,
			root
		};
		return {
			platform,
			root,
			configPlatform: (await client.fetchConfig(name, manifest.config.digest, { signal })).platform
		};
	} catch (error) {
		signal.throwIfAborted();
		if (!(error instanceof RegistryError)) throw error;
		if (error.kind !== "not-found") refusal ??= error;
	}
	if (refusal === void 0) return {
		kind: "gone",
		platform,
		missing: names
	};
	return {
		kind: "unknown",
		platform,
		problem: {
			message: refusal.message,
			mend: refusal.mend
		}
	};
}

// src/deciding-parts.ts
/** @param isPushed whether registries must have the image, too */
async function decideByParts(target, { isPushed, ...options }) {
	const { fingerprints, records } = options;
	const candidates = records?.of(target.name) ?? [];
	const found = (fingerprints.parts.get(target.name) ?? []).map(({ platform, prints }) => {
		const own = candidates.filter(({ record }) => isOf$1(record, platform));
		const known = new Set(prints.flatMap(({ fingerprint }) => fingerprint ?? []));
		const parts = own.filter(({ record: { fingerprint } }) => fingerprint !== void 0 && known.has(fingerprint)).map((match) => ({
			...match,
			platform
		}));
		const whyOf = (print) => print.fingerprint === void 0 ? unknownInputs(target, print) : why({
			target,
			print,
			candidates: own,
			fingerprints,
			hasRecords: records !== void 0
		});
		const [reasons = []] = prints.map(whyOf).sort((a, b) => a.length - b.length);
		return {
			platform,
			parts,
			reasons: parts.length > 0 ? [] : reasons
		};
	});
	const changed = found.filter(({ reasons }) => reasons.length > 0);
	if (changed.length > 0) return {
		status: "changed",
		reasons: toldOnce(changed, found.length)
	};
	const choices = choicesOf(found.map(({ parts }) => parts));
	if (isPushed) return await pushedAgain$1(target, choices, options);
	const [choice] = choices;
	return choice === void 0 ? notPushed(target) : unchanged(choice, {
		digest: void 0,
		retag: void 0
	});
}
/** A reason that is not of all platforms names its own. */
function toldOnce(changed, platforms) {
	return [...Map.groupBy(changed.flatMap(({ platform, reasons }) => reasons.map((reason) => ({
		platform,
		reason
	}))), ({ reason }) => JSON.stringify(reason)).values()].flatMap((same) => {
		const [first] = same;
		if (first === void 0) return [];
		const of = [...new Set(same.map(({ platform }) => platform))];
		const { reason } = first;
		return [of.length === platforms ? reason : {
			...reason,
			text: `${reason.text} (${of.join(", ")})`
		}];
	});
}
/**
* Several branches may know equal parts, each pushed by a build of its own: those of one branch first, since what was merged
* was of one run, and then the first of each platform.
*/
function choicesOf(parts) {
	const best = (all) => all.find(({ record }) => record.image.digest !== void 0) ?? all[0];
	const choices = [...[...new Set(parts.flat().map(({ ref }) => ref))].map((ref) => parts.map((all) => best(all.filter((part) => part.ref === ref)))), parts.map(best)].flatMap((choice) => {
		const whole = choice.filter((part) => part !== void 0);
		return whole.length === parts.length && whole.length > 0 ? [whole] : [];
	});
	return [...new Map(choices.map((choice) => [JSON.stringify(choice.map(nameOf$1)), choice])).values()];
}
function nameOf$1({ platform, ref, record }) {
	return [platform, record.image.digest ?? ref];
}
async function pushedAgain$1(target, choices, options) {
	let failed;
	for (const choice of choices) {
		const pushed = choice.flatMap(({ platform, record }) => {
			const { digest, repositories } = record.image;
			return digest === void 0 ? [] : [{
				platform,
				digest,
				repositories
			}];
		});
		if (pushed.length < choice.length) continue;
		const merged = await mergePushed(pushed, options);
		if (merged.kind !== "merged") {
			failed ??= whyNotMerged(merged);
			continue;
		}
		const { digest } = merged.index;
		const repositories = pushed.flatMap((part) => part.repositories);
		const tags = options.tagsOf.get(target.name) ?? [];
		const plan = await planRetag({
			...options,
			digest,
			manifests: merged.manifests,
			tags,
			repositories
		});
		if (plan.kind === "possible") return unchanged(choice, {
			digest,
			retag: plan
		});
		failed ??= plan.kind === "gone" ? `the index of its platforms is not in ${plan.missing.join(", ")}` : unknownText(plan.problems[0]?.message);
	}
	return notPushed(target, failed);
}
function notPushed({ stage }, text = "its image has not been pushed yet") {
	return {
		status: "changed",
		reasons: [{
			kind: "image-gone",
			stage,
			text
		}]
	};
}
function whyNotMerged(merged) {
	switch (merged.kind) {
		case "gone": return `its image for ${merged.platform} is no longer in ${merged.missing.join(", ")}`;
		case "mismatch": return `what was pushed for ${merged.platform} is of ${merged.found.join(", ") || "no platform"}`;
		case "unknown": return unknownText(merged.problem.message);
	}
}
function unknownText(message = "no reason given") {
	return `whether its image is still there is not known: ${message.replace(/\.$/, "")}`;
}
function unchanged(choice, { digest, retag }) {
	const joined = joinRecords(choice.map(({ record }) => record));
	return {
		status: "unchanged",
		record: {
			...joined,
			image: {
				...joined.image,
				digest
			}
		},
		ref: (choice.find(({ source }) => source === "own") ?? choice[0])?.ref ?? "",
		retag
	};
}

// src/images/side-by-side.ts
/** Work on many things, a bounded number at a time. */
/**
* What `work` makes of each item, in their order. When one fails, those that run are left to end by themselves and no further
* one is begun.
* @param limit items at a time
* @throws what `work` threw first
*/
async function sideBySide(items, limit, work) {
	const results = [];
	const queue = items.entries();
	let failed = false;
	const worker = async () => {
		for (const [index, item] of queue) {
			if (failed) return;
			try {
				results[index] = await work(item, index);
			} catch (error) {
				failed = true;
				throw error;
			}
		}
	};
	await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
	return results;
}

// src/deciding.ts
/**
* Decides for every target whether it is built, and says why. Equal fingerprints mean equal images; with `push` the
* registries must still have the image, too. Asks registries, changes nothing.
*/
/** Targets at a time: each asks registries for its tags and for all that its image consists of. */
const CONCURRENCY = 16;
/** By target, in their order. */
async function decide(options) {
	const decided = await sideBySide(options.targets, CONCURRENCY, async (target) => [target.name, await decideOne(target, options)]);
	return new Map(decided);
}
async function decideOne(target, options) {
	const { fingerprints, records } = options;
	const inputs = options.inputsOf(target.name);
	const print = fingerprints.prints.get(target.name);
	const candidates = records?.of(target.name) ?? [];
	const changed = (...reasons) => ({
		status: "changed",
		reasons
	});
	const again = options.runningAgain.get(target.name);
	if (again !== void 0) return changed(again);
	const requested = requestedText(inputs, options.env);
	if (requested !== void 0) return changed({
		kind: "requested",
		stage: target.stage,
		text: requested
	});
	const isPushed = inputs.push && !isBuiltAnyway(inputs);
	if (inputs.mode === "plan" && inputs.matrixBy === "platform") return await decideByParts(target, {
		...options,
		isPushed
	});
	if (print?.fingerprint === void 0) return changed(...unknownInputs(target, print));
	const matches = candidates.filter(({ record }) => record.fingerprint === print.fingerprint);
	const match = matches.find(({ record }) => record.image.digest !== void 0) ?? matches[0];
	if (match === void 0) return changed(...why({
		target,
		print,
		candidates,
		fingerprints,
		hasRecords: records !== void 0
	}));
	if (!isPushed) return {
		status: "unchanged",
		record: match.record,
		ref: match.ref,
		retag: void 0
	};
	return await pushedAgain(target, match, options);
}
/** Outputs of an unchanged target are made all the same, from the cache. */
function isBuiltAnyway({ load, outputs }) {
	return load || outputs.length > 0;
}
/** Something that was asked for keeps every target from being skipped. */
function requestedText(inputs, env) {
	if (inputs.skipUnchanged === "false") return "`skip-unchanged` is false";
	const isRelease = env["GITHUB_EVENT_NAME"] === "release" || (env["GITHUB_REF"] ?? "").startsWith("refs/tags/");
	return inputs.skipUnchanged === "auto" && isRelease ? "tags and releases are always built" : void 0;
}
async function pushedAgain(target, match, options) {
	const { inputs, client, signal, tagsOf } = options;
	const { record, ref } = match;
	const { digest, repositories } = record.image;
	const gone = (text) => ({
		status: "changed",
		reasons: [{
			kind: "image-gone",
			stage: target.stage,
			text
		}]
	});
	if (digest === void 0) return gone("its image has not been pushed yet");
	const manifests = recordedSizes(record)?.platforms.map((platform) => platform.digest);
	const tags = tagsOf.get(target.name) ?? [];
	const image = {
		client,
		digest,
		manifests,
		signal
	};
	const plan = await (inputs.matrixBy === "platform" ? planHeld({
		...image,
		repositories: tags
	}) : planRetag({
		...image,
		tags,
		repositories
	}));
	switch (plan.kind) {
		case "possible": return {
			status: "unchanged",
			record,
			ref,
			retag: plan
		};
		case "gone": return gone(`its image is no longer in ${plan.missing.join(", ")}`);
		case "unknown": return gone(`whether its image is still there is not known: ${firstMessage(plan.problems)}`);
	}
}
function firstMessage(problems) {
	return (problems[0]?.message ?? "no reason given").replace(/\.$/, "");
}

// src/plan/target-print.ts
/**
* Fingerprint of a target: its stage's for every platform, and what shapes the image beyond its layers. Names, tags and
* where the image goes are not in it, secrets and SSH neither.
*/
function printTarget(platforms, options) {
	const fields = [...imageFields(options), ...provenanceFields(platforms, options)].map(([name, value]) => ({
		name,
		digest: digestOf(value)
	}));
	const stages = platforms.map(({ platform, stages: all }) => [platform, all.at(-1)?.fingerprint]);
	return {
		platforms,
		fields,
		fingerprint: stages.length > 0 && stages.every(([, fingerprint]) => fingerprint !== void 0) ? digestOf([
			VERSION,
			stages,
			fields
		]) : void 0
	};
}
/** Raised when what is printed changes, so that no record of before is taken for an equal one. */
const VERSION = 1;
function imageFields(options) {
	const volatile = new Set(options.volatileLabels);
	const labels = options.labels.filter(({ key }) => !volatile.has(key)).map(({ key, value }) => [key, value]);
	const annotations = options.annotations.filter((line) => !volatile.has(annotationKey(line)));
	return [
		["labels", sortedLast(labels)],
		["annotations", [...annotations].sort((a, b) => compareTexts(annotationKey(a), annotationKey(b)))],
		["provenance", [options.provenance ?? null, options.defaultAttestations]],
		["sbom", options.sbom ?? null],
		["attests", options.attests],
		["compression", options.compression],
		["outputs", options.outputs.map(shapeOf).filter((shape) => shape.length > 0)],
		["build-args", sortedArgs(options).filter(([name]) => isBuildkits(name))]
	];
}
/**
* What a provenance attestation holds: names beside digests, and how the build was asked for.
* https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/provenance/predicate.go
*/
function provenanceFields(platforms, options) {
	const { provenance, attests, buildContexts, externalImages, buildArgs, labels } = options;
	if ((provenance === void 0 ? !options.defaultAttestations : /^(?:0|f|false)$|(?:^|,)disabled=(?:1|t|true)(?:,|$)/i.test(provenance)) && !attests.some((line) => line.includes("type=provenance"))) return [];
	const images = new Set(platforms.flatMap(({ stages }) => stages.flatMap(imagesOf)));
	const contexts = buildContexts.map(({ key, value }) => [key, /^[a-z][a-z0-9+.-]*:/.test(value) ? value : ""]);
	const { file, network, addHosts, shmSize, ulimit } = options;
	const fields = [["provenance (names of images)", [[...images].sort(), externalImages.filter(({ name }) => images.has(name))]], ["provenance (how the build is asked for)", [
		...[
			file?.replace(/.*\//s, "") ?? null,
			network ?? null,
			addHosts,
			shmSize ?? null,
			ulimit
		],
		contexts.sort(([a = ""], [b = ""]) => compareTexts(a, b)),
		labels.length > 0 || Object.keys(buildArgs).length > 0
	]]];
	if (!isFullProvenance(options)) return fields;
	const { dockerfileText, ignorePatterns, pull } = options;
	return [...fields, ["provenance (the whole Dockerfile)", [
		dockerfileText,
		sortedArgs(options),
		ignorePatterns,
		pull
	]]];
}
function imagesOf({ base, steps }) {
	return [base, ...steps.flatMap(({ sources }) => sources)].flatMap(({ kind, name }) => kind === "image" ? name : []);
}
function sortedArgs({ buildArgs }) {
	return Object.entries(buildArgs).sort(([a], [b]) => compareTexts(a, b));
}
function compareTexts(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}
/** https://docs.docker.com/build/building/variables/#buildkit-built-in-build-args */
function isBuildkits(name) {
	return name === "SOURCE_DATE_EPOCH" || name.startsWith("BUILDKIT_");
}
/** Of two labels with one key the last counts. */
function sortedLast(labels) {
	return [...new Map(labels.map((pair) => [pair[0], pair])).values()].sort(([a = ""], [b = ""]) => compareTexts(a, b));
}
/** `manifest-descriptor[linux/amd64]:KEY=VALUE` → `KEY` */
function annotationKey(line) {
	return (line.split("=", 1)[0] ?? "").replace(/^(?:(?:manifest|index)(?:-descriptor)?(?:\[[^\]]*\])?,?)+:/, "");
}
/** Where an output goes does not shape the image. */
const PLACES = /^"?(?:name|dest|push|push-by-digest|name-canonical|registry\.insecure|store|unpack|tar|context)=/;
function shapeOf(line) {
	return line.split(",").filter((field) => !PLACES.test(field)).sort((a, b) => compareTexts(fieldKey(a), fieldKey(b)));
}
function fieldKey(field) {
	return field.split("=", 1)[0] ?? "";
}
function isFullProvenance({ provenance, attests }) {
	return /(^|,)mode=max(,|$)/.test(provenance ?? "") || attests.some((line) => /type=provenance/.test(line) && /mode=max/.test(line));
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
const OPEN_FLAGS = constants$2.O_RDONLY | constants$2.O_NOFOLLOW | constants$2.O_NONBLOCK;
/** Reads files of one context. */
var ContentReader = class {
	#small = Buffer.allocUnsafe(65568);
	/**
	* Reads a file of at most SMALL_FILE_BYTES. Undefined where it is gone; `large` where it has grown since it was listed.
	* @throws UserError for a file that cannot be read, is no file any more, or keeps changing
	*/
	readSmall(path, format) {
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
			const fd = orGone(path, () => openSync$1(fromHere(path), OPEN_FLAGS));
			if (fd === void 0) return void 0;
			try {
				const before = requireFile(path, fstatSync$1(fd));
				if (before.size > 65536) return "large";
				const header = this.#small.write(`blob ${before.size}\0`, "latin1");
				const end = header + before.size;
				let at = header;
				for (let got = -1; at < end && got !== 0; at += got) got = readSync$1(fd, this.#small, at, end - at, null);
				if (at === end && isSame(before, fstatSync$1(fd))) return {
					id: hash$2(format, this.#small.subarray(0, end), "hex"),
					mode: before.mode & 4095
				};
			} finally {
				closeSync$1(fd);
			}
		}
		throw changing(path);
	}
	/** Reads a file of any size in pieces. Undefined where it is gone. @throws UserError see readSmall */
	async readLarge(path, format) {
		for (let attempt = 0; attempt < ATTEMPTS; attempt++) try {
			await using file = await open$1(path, OPEN_FLAGS);
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

// src/context/context-paths.ts
/**
* What a path of COPY, ADD or a bind mount leads to: links are followed as BuildKit follows them, with the context as the
* root of the file system, and only links that .dockerignore leaves there.
* https://github.com/moby/buildkit/blob/v0.25.2/cache/contenthash/checksum.go (getFollowLinks, wildcardPrefix)
*/
/** BuildKit's limit for links on the way to one file. */
const MAX_LINKS$1 = 255;
/**
* What a path leads to.
* @param path relative to the context; empty for its root
* @param options.last whether a link at the end is followed, too
* @returns undefined where nothing is
*/
async function followPath(tree, path, options) {
	const led = await followLinks(tree, path, options);
	const node = led === void 0 ? void 0 : await tree.node(led);
	return led === void 0 || node === void 0 ? void 0 : {
		path: led,
		node
	};
}
/** The path without links that a path leads to, whether something is there or not; undefined behind a link that is left out. */
async function followLinks(tree, path, options) {
	let todo = path.split("/");
	let done = "";
	let links = 0;
	for (let part = todo.shift(); part !== void 0; part = todo.shift()) {
		const here = posix.join("/", done, part).slice(1);
		if (here !== "" && (todo.length > 0 || options.last) && tree.stat(here)?.isSymbolicLink() === true) {
			const target = await linkTarget(tree, here);
			if (target === void 0 || ++links > MAX_LINKS$1) return void 0;
			todo = [...target.split("/"), ...todo];
			if (target.startsWith("/")) done = "";
			continue;
		}
		done = here;
	}
	return done;
}
/** The target of a link that is in the context; undefined for one that is left out. */
async function linkTarget(tree, path) {
	const node = await tree.node(path);
	if (node?.type !== "symlink") return void 0;
	node.content ??= readLink(tree, path);
	return node.content;
}
/** A link's target; undefined where it is gone. */
function readLink(tree, path) {
	try {
		return readlinkSync$1(tree.absolute(path));
	} catch (error) {
		if ([
			"ENOENT",
			"ENOTDIR",
			"EINVAL"
		].includes(errorCode(error) ?? "")) return void 0;
		throw error;
	}
}
/**
* What a path with wildcards matches: of a directory that matches, nothing in it again. The names are as the path says
* them: links before the first wildcard are followed, and no others.
*/
async function matchPath(tree, pattern) {
	const parts = pattern.split("/");
	const first = parts.findIndex(hasWildcard);
	const prefix = parts.slice(0, first).join("/");
	const base = await followLinks(tree, prefix, { last: true });
	if (base === void 0 || tree.stat(base)?.isDirectory() !== true) return [];
	const matched = [];
	const start = prefix === "" ? "" : `${prefix}/`;
	const depthOfMatches = parts.length - first;
	const anyDepth = pattern.includes("[");
	const visit = async (below, depth) => {
		await tree.pause();
		for (const name of tree.names(joined(base, below))) {
			const path = joined(below, name);
			const real = joined(base, path);
			if ((anyDepth || depth === depthOfMatches) && matches(pattern, start + path)) {
				const node = await tree.node(real);
				if (node !== void 0) matched.push({
					name: path,
					found: {
						path: real,
						node
					}
				});
			} else if ((anyDepth || depth < depthOfMatches) && tree.stat(real)?.isDirectory() === true) await visit(path, depth + 1);
		}
	};
	await visit("", 1);
	return matched;
}
/** Two relative paths as one; either may be empty. */
function joined(above, below) {
	return above === "" ? below : below === "" ? above : `${above}/${below}`;
}
function matches(pattern, path) {
	try {
		return goMatch(pattern, path);
	} catch (error) {
		if (error instanceof BadPatternError) return false;
		throw error;
	}
}

// src/context/content-filler.ts
/** Reads what a digest covers and nobody knows yet: bytes of files, targets of links. Helper threads read small files beside this one. */
/** How many large files are read at once. */
const LARGE_AT_ONCE = 4;
/** So many small files are given away at once: a message takes as long as one of them. */
const BATCH$1 = 64;
var ContentFiller = class {
	#tree;
	#reader = new ContentReader();
	constructor(tree) {
		this.#tree = tree;
	}
	/** Begins to give every leaf its content; one that is gone is marked so. Directories are passed over. */
	begin(found) {
		return new Filling(this.#tree, this.#reader, found[Symbol.iterator]());
	}
	/**
	* The same, to its end.
	* @throws UserError for a file that cannot be read, is no file any more, or keeps changing
	*/
	async fill(found) {
		const filling = this.begin(found);
		while (await filling.step());
	}
};
/** Leaves that get their content in the order in which they were named, or nearly. */
var Filling = class {
	#tree;
	#reader;
	#found;
	#awaited = 0;
	#large = [];
	/** What helpers could not read. */
	#left = [];
	constructor(tree, reader, found) {
		this.#tree = tree;
		this.#reader = reader;
		this.#found = found;
	}
	/** Gives helpers what they have time for. */
	share() {
		const { helpers } = this.#tree;
		while (helpers?.isFree === true) {
			const files = this.#draw();
			if (files.length === 0) return;
			if (files.length === BATCH$1 && this.#isGiven(files)) continue;
			this.#readHere(files);
			return;
		}
	}
	/**
	* Gets on, here or by a helper; false when all have their content.
	* @throws UserError for a file that cannot be read, is no file any more, or keeps changing
	*/
	async step() {
		if (this.#tree.isPauseDue) await this.#tree.pause();
		const { helpers } = this.#tree;
		if (helpers?.take() === true) return true;
		this.share();
		const files = this.#draw();
		if (files.length > 0) this.#readHere(files);
		else if (this.#awaited > 0) helpers?.wait();
		else if (this.#left.length > 0 || this.#large.length > 0) {
			this.#readHere(this.#left.splice(0));
			await this.#readLarge(this.#large.splice(0));
		} else return false;
		return true;
	}
	/** The next small files, a batch at most. Links are read at once. */
	#draw() {
		const small = [];
		while (small.length < BATCH$1) {
			const next = this.#found.next();
			if (next.done === true) break;
			const { path, node } = next.value;
			if (!isUnread(node)) continue;
			if (node.type !== "file") take(node, readLink(this.#tree, path));
			else (node.size > 65536 ? this.#large : small).push({
				path,
				leaf: node
			});
		}
		return small;
	}
	#isGiven(files) {
		const [first] = files;
		const { format = "sha1" } = first?.leaf ?? {};
		const { helpers } = this.#tree;
		if (helpers === void 0 || files.some(({ leaf }) => leaf.format !== format)) return false;
		const paths = files.map(({ path }) => this.#tree.absolute(path));
		const asked = helpers.ask({
			kind: "read",
			paths,
			format
		}, (answer) => {
			this.#awaited--;
			const contents = answer?.kind === "read" ? answer.contents : [];
			for (const [index, file] of files.entries()) {
				const content = contents[index];
				if (content === void 0) this.#left.push(file);
				else take(file.leaf, content.id, content.mode);
			}
		});
		if (asked) this.#awaited++;
		return asked;
	}
	#readHere(files) {
		for (const { path, leaf } of files) {
			const read = this.#reader.readSmall(this.#tree.absolute(path), leaf.format);
			if (read === "large") this.#large.push({
				path,
				leaf
			});
			else take(leaf, read?.id, read?.mode);
		}
	}
	async #readLarge(large) {
		const queue = large.values();
		const work = async () => {
			for (const { path, leaf } of queue) {
				const read = await this.#reader.readLarge(this.#tree.absolute(path), leaf.format);
				take(leaf, read?.id, read?.mode);
			}
		};
		await Promise.all(Array.from({ length: LARGE_AT_ONCE }, work));
	}
};
function take(leaf, content, mode = leaf.mode) {
	leaf.content = content;
	leaf.mode = mode;
	leaf.gone = content === void 0;
}

// src/context/context-selection.ts
/**
* Which files one path of an instruction selects, and under which names, as BuildKit's content key sees them: by path, by
* wildcard, less `--exclude`, or as `--parents` includes them.
* https://github.com/moby/buildkit/blob/v0.25.2/cache/contenthash/checksum.go#L466 (includedPaths)
*/
/** What one path of the query selects. */
async function selectPath(tree, query, path) {
	if (query.via === "mount") return await wholeOf(tree, rootedPath(path).slice(1));
	const { base, include } = query.parents ? splitPivot(path) : {
		base: path,
		include: void 0
	};
	const rooted = rootedPath(base).slice(1);
	const filter = {
		include: matcherOf(include),
		exclude: matcherOf(query.exclude)
	};
	const wild = hasWildcard(rooted);
	if (!wild && filter.include === void 0 && filter.exclude === void 0) return await wholeOf(tree, rooted);
	if (!wild) {
		const found = await followPath(tree, rooted, { last: false });
		if (found === void 0) return { kind: "none" };
		if (found.node.type === "symlink") return await wholeOf(tree, rooted);
		return {
			kind: "some",
			files: await filtered(tree, {
				name: "",
				found
			}, filter)
		};
	}
	const files = [];
	for (const match of await matchPath(tree, rooted)) for (const file of await filtered(tree, match, filter)) files.push(file);
	return {
		kind: "some",
		files
	};
}
async function wholeOf(tree, path) {
	const found = await followPath(tree, path, { last: true });
	return found === void 0 ? { kind: "none" } : {
		kind: "whole",
		found
	};
}
/** `--parents` takes what is behind the first `/./` for a pattern below what is before it. */
function splitPivot(path) {
	const pivot = path.indexOf("/./");
	const [base, pattern] = pivot < 0 ? ["/", path] : [path.slice(0, pivot), path.slice(pivot + 3)];
	return {
		base,
		include: [rootedPath(pattern).slice(1)]
	};
}
/** Patterns in the language of .dockerignore; undefined for none, and for broken ones, at which the build fails. */
function matcherOf(patterns) {
	if (patterns === void 0 || patterns.length === 0) return void 0;
	try {
		return new IgnoreMatcher({
			name: "",
			patterns: patterns.map((pattern) => ({
				pattern,
				line: 0
			}))
		});
	} catch (error) {
		if (error instanceof UserError) return void 0;
		throw error;
	}
}
/** The files at a place that the filter leaves, each directory before what it holds, and only if it is wanted itself or holds something. */
async function filtered(tree, start, filter) {
	const files = [];
	const pending = [];
	const visit = async (selected, candidate, above) => {
		const { node, path } = selected.found;
		const { wanted, state } = judge$1(filter, {
			candidate,
			node,
			above
		});
		if (wanted) files.push(...pending.splice(0), await withTarget(tree, selected));
		if (node.type !== "directory") return;
		if (!wanted) pending.push(selected);
		await tree.pause();
		for (const child of node.nodes()) {
			const below = {
				name: joined(selected.name, child.name),
				found: {
					path: joined(path, child.name),
					node: child
				},
				target: void 0,
				replaced: false
			};
			await visit(below, joined(candidate, child.name), state);
		}
		if (pending.at(-1) === selected) pending.pop();
	};
	await visit({
		...start,
		target: void 0,
		replaced: start.found.node.type === "symlink"
	}, "", {
		include: void 0,
		exclude: void 0
	});
	return files;
}
function judge$1(filter, { candidate, node, above }) {
	const directory = node.type === "directory";
	const included = filter.include?.enter(candidate, directory, above.include);
	if (included?.excluded === false) return {
		wanted: false,
		state: {
			include: included.state,
			exclude: void 0
		}
	};
	const excluded = filter.exclude?.enter(candidate, directory, above.exclude);
	return {
		wanted: excluded?.excluded !== true,
		state: {
			include: included?.state,
			exclude: excluded?.state
		}
	};
}
async function withTarget(tree, selected) {
	if (selected.found.node.type !== "symlink") return selected;
	return {
		...selected,
		target: await followPath(tree, selected.found.path, { last: true })
	};
}

// src/context/tree-walk.ts
/** Directories after which help is called: to start a thread takes as long as to list some hundreds. */
const HELP_AFTER = 200;
const BATCH = 16;
/** Directories that are kept for this thread. */
const KEPT = 4;
var Walk = class {
	/** To be listed, the last first. */
	#places = [];
	/** Listed. */
	#ready = [];
	/** Being listed since before the walk. */
	#coming = [];
	#awaited = 0;
	#ahead;
	#absolute;
	#excluded = /* @__PURE__ */ new Set();
	#added = 0;
	/** @param absolute of a path in the context */
	constructor(ahead, absolute) {
		this.#ahead = ahead;
		this.#absolute = absolute;
		ahead.stop();
	}
	add(place) {
		if (place.excluded) this.#excluded.add(place.node);
		const directory = this.#absolute(place.path);
		const listing = this.#ahead.listing(directory);
		if (listing !== void 0) this.#ready.push({
			place,
			listing
		});
		else if (this.#ahead.isComing(directory)) this.#coming.push(place);
		else {
			this.#places.push(place);
			if (++this.#added === HELP_AFTER) this.#ahead.startHelpers();
		}
	}
	/**
	* A directory to be visited, and what is in it, where that is known already: undefined is to be listed. Waits a few
	* milliseconds at most: `later` then says to ask again; undefined at the end of the walk.
	*/
	next() {
		const { helpers } = this.#ahead;
		this.#share();
		const ready = this.#ready.pop();
		if (ready !== void 0) return ready;
		if (helpers?.take() === true) return "later";
		const place = this.#places.pop();
		if (place !== void 0) return {
			place,
			listing: void 0
		};
		if (this.#coming.length === 0 && this.#awaited === 0) return void 0;
		if (!this.#sift()) helpers?.wait();
		return "later";
	}
	/** Gives helpers what they have time for. */
	#share() {
		const { helpers } = this.#ahead;
		while (helpers?.isFree === true && this.#places.length > KEPT) {
			const batch = this.#places.splice(0, Math.min(BATCH, this.#places.length - KEPT));
			const paths = batch.map(({ path }) => this.#absolute(path));
			this.#awaited++;
			helpers.ask({
				kind: "list",
				paths
			}, (answer) => {
				this.#awaited--;
				const listings = answer?.kind === "list" ? unpackListings(answer) : [];
				for (const [index, place] of batch.entries()) this.#ready.push({
					place,
					listing: listings[index]
				});
			});
		}
	}
	/** Looks which of the directories that were asked for before have come; false where none has. */
	#sift() {
		const before = this.#coming;
		this.#coming = [];
		for (const place of before) this.add(place);
		return this.#coming.length < before.length;
	}
	/** Takes excluded directories away in which nothing was found. */
	prune(directory) {
		if (this.#excluded.size === 0) return;
		directory.remove((child) => {
			this.prune(child);
			return child.length === 0 && this.#excluded.has(child);
		});
	}
};

// src/context/context-tree.ts
/**
* The files of a context, walked as far as somebody asks for them and kept: names, types and modes, .dockerignore applied
* as BuildKit applies it, links as links. The ids of files that git knows come with them; nothing is read.
*
* It walks without the thread pool: one lstat there takes ten times as long as the call itself. So that everything else
* goes on, it pauses every few milliseconds.
*/
const PAUSE_AFTER_MS = 10;
/** From this size on, a file that is read alone is worth the reading of git's index. */
const ASK_GIT_BYTES = 4 << 20;
const NOTHING$2 = {
	names: [],
	numbers: /* @__PURE__ */ new Float64Array()
};
var ContextTree = class {
	/** The context's absolute path, without links. */
	root;
	#matcher;
	#ahead;
	/** Walked, with what was found there. */
	#directories = /* @__PURE__ */ new Map();
	#leaves = /* @__PURE__ */ new Map();
	#pausedAt = performance.now();
	constructor(root, matcher, ahead) {
		this.root = root;
		this.#matcher = matcher;
		this.#ahead = ahead;
	}
	/** Threads that read files, too, if a walk was large enough for them. */
	get helpers() {
		return this.#ahead.helpers;
	}
	/** The absolute path of a path in the context. */
	absolute(path) {
		return path === "" ? this.root : `${this.root}/${path}`;
	}
	/**
	* What is at a path (no link on the way is followed), a directory with all that is in it; undefined where nothing is
	* or .dockerignore leaves it out.
	* @throws UserError for what cannot be read, and for a broken .dockerignore pattern
	*/
	async node(path) {
		const loaded = this.#loadedAbove(path);
		if (loaded !== void 0) return loaded.node;
		const stats = lstatOrGone(this.absolute(path), path);
		if (stats === void 0) return void 0;
		if (stats.isDirectory()) return await this.#directory(path, stats);
		const known = this.#leaves.get(path);
		if (known !== void 0) return known;
		if (path === "" || this.#matcher.excludes(path, false).excluded) return void 0;
		const leaf = await this.#lonelyLeaf(path, stats);
		this.#leaves.set(path, leaf);
		return leaf;
	}
	/** What lstat says of a path; undefined for nothing. What .dockerignore says is not asked. */
	stat(path) {
		return lstatOrGone(this.absolute(path), path);
	}
	/** The names in a directory, sorted, ignored ones among them; none where it is no directory. */
	names(path) {
		return this.#attempt(path, false, (absolute) => readdirSync$1(absolute).sort()) ?? [];
	}
	/** Whether everything else has waited long enough. */
	get isPauseDue() {
		return performance.now() - this.#pausedAt >= PAUSE_AFTER_MS;
	}
	/** Lets everything else go on, where that is due. */
	async pause() {
		if (!this.isPauseDue) return;
		await setImmediate();
		this.#pausedAt = performance.now();
	}
	/** A leaf of a directory that is not walked: git is asked only where that is cheaper than to read the file. */
	async #lonelyLeaf(path, stats) {
		const absolute = this.absolute(path);
		const repository = await this.#ahead.repositories.around(dirname(absolute));
		const numbers = numbersOf(stats);
		const leaf = leafOf(nameOf(path), numbers, {
			at: 0,
			format: repository?.format ?? "sha1"
		});
		if (repository === void 0 || leaf.type !== "file" || leaf.size < ASK_GIT_BYTES) return leaf;
		repository.readIndex();
		const scope = await repository.scopeOf(repository.pathOf(dirname(absolute)));
		const entry = repository.entryOf("", repository.pathOf(absolute), {
			numbers,
			at: 0,
			scope
		});
		if (entry !== 0) leaf.content = repository.idOf(entry);
		return leaf;
	}
	/** The node in a directory that was walked before, if there is such a directory. */
	#loadedAbove(path) {
		for (let end = path.length;; end = path.lastIndexOf("/", end - 1)) {
			const above = end <= 0 ? "" : path.slice(0, end);
			const loaded = this.#directories.get(above);
			if (loaded !== void 0) {
				let node = loaded.node;
				const below = path === above ? [] : path.slice(above === "" ? 0 : above.length + 1).split("/");
				for (const name of below) node = node?.type === "directory" ? node.child(name) : void 0;
				return { node };
			}
			if (above === "") return void 0;
		}
	}
	async #directory(path, stats) {
		const node = await this.#load(path, stats);
		this.#directories.set(path, { node });
		return node;
	}
	async #load(path, stats) {
		const verdict = path === "" ? void 0 : this.#matcher.excludes(path, true);
		if (verdict?.cut === true) return void 0;
		const mode = path === "" ? 0 : stats.mode & 4095;
		const excluded = verdict?.excluded ?? false;
		const node = new DirectoryNode(nameOf(path), mode);
		const known = await this.#knownOf(path);
		const walk = new Walk(this.#ahead, (below) => this.absolute(below));
		walk.add({
			path,
			node,
			state: verdict?.state,
			excluded,
			known
		});
		await this.#walk(walk);
		walk.prune(node);
		return excluded && node.length === 0 ? void 0 : node;
	}
	async #walk(walk) {
		for (;;) {
			if (this.isPauseDue) await this.pause();
			const next = walk.next();
			if (next === void 0) return;
			if (next === "later") continue;
			const { place, listing = this.#listing(place) } = next;
			const known = this.#knownAmong(place, listing.names);
			this.#take(walk, place, {
				listing,
				known: known instanceof Promise ? await known : known
			});
		}
	}
	async #knownOf(path) {
		const absolute = this.absolute(path);
		const repository = await this.#ahead.repositories.around(absolute);
		this.#ahead.prepare(repository);
		if (repository === void 0) return void 0;
		return await knownIn(repository, repository.pathOf(absolute));
	}
	/** Takes all that is in a directory. */
	#take(walk, place, { listing, known }) {
		const { names, numbers } = listing;
		const { node: parent } = place;
		parent.reserve(names.length);
		if (known !== void 0) parent.ids = known.repository;
		const start = place.path === "" ? "" : `${place.path}/`;
		const gitStart = known === void 0 || known.directory === "" ? "" : `${known.directory}/`;
		const format = known?.repository.format ?? "sha1";
		const within = {
			depth: start.split("/").length,
			state: place.state
		};
		for (let index = 0, at = 0; index < names.length; index++, at += 9) {
			const name = names[index] ?? "";
			const mode = numbers[at] ?? 0;
			if (mode === 0) requireGone(start + name);
			else if (isDirectory(mode)) {
				const knownBelow = known === void 0 ? void 0 : {
					...known,
					directory: gitStart + name
				};
				this.#enter(walk, place, {
					name,
					path: start + name,
					mode,
					known: knownBelow
				});
			} else if (this.#matcher.isEmpty || !this.#matcher.leavesOut(start, name, within)) {
				const before = this.#leaves.size === 0 ? void 0 : this.#leaves.get(start + name);
				const entry = before !== void 0 || known === void 0 || !isFile(mode) ? 0 : known.repository.entryOf(gitStart, name, {
					numbers,
					at,
					scope: known.scope
				});
				if (entry !== 0) parent.addKnown(name, mode & 4095, entry);
				else parent.add(before ?? leafOf(name, numbers, {
					at,
					format
				}));
			}
		}
	}
	#enter(walk, place, below) {
		const { name, path, mode, known } = below;
		const verdict = this.#matcher.isEmpty ? void 0 : this.#matcher.enter(path, true, place.state);
		if (verdict?.cut === true) return;
		const before = this.#directories.get(path);
		const node = before === void 0 ? new DirectoryNode(name, mode & 4095) : before.node;
		if (node === void 0) return;
		place.node.add(node);
		const excluded = verdict?.excluded ?? false;
		if (before === void 0) walk.add({
			path,
			node,
			state: verdict?.state,
			excluded,
			known
		});
	}
	#listing(place) {
		return this.#attempt(place.path, place.excluded, listDirectory) ?? NOTHING$2;
	}
	/** What git knows of a directory whose names were read: it may be the root of another work tree. */
	#knownAmong(place, names) {
		const { known } = place;
		if (names.includes(".git") && known?.directory !== "") return this.#knownAt(place);
		if (known === void 0) return void 0;
		const scope = known.repository.scopeBelow(known.scope, known.directory, names.includes(".gitattributes"));
		if (scope instanceof Promise) return scope.then((found) => ({
			...known,
			scope: found
		}));
		return scope === known.scope ? known : {
			...known,
			scope
		};
	}
	async #knownAt(place) {
		const repository = await this.#ahead.repositories.at(this.absolute(place.path));
		return repository === void 0 ? void 0 : await knownIn(repository, "");
	}
	/** Lists a directory in one way or the other; undefined where it is gone, or unreadable and excluded. */
	#attempt(path, excluded, list) {
		try {
			return list(this.absolute(path));
		} catch (error) {
			const code = errorCode(error) ?? "";
			if (path !== "" && ["ENOENT", "ENOTDIR"].includes(code)) return void 0;
			if (code !== "EACCES" || path === "") throw error;
			if (excluded) return void 0;
			throw new UserError({
				message: `A directory of the build context cannot be read: ${path}.`,
				mend: "Give the user that runs this step read access to it, or exclude it in .dockerignore."
			}, { cause: error });
		}
	}
};
async function knownIn(repository, directory) {
	repository.readIndex();
	return {
		repository,
		directory,
		scope: await repository.scopeOf(directory)
	};
}
function lstatOrGone(absolute, path) {
	const stats = lstatSync$1(absolute, { throwIfNoEntry: false });
	if (stats === void 0) requireGone(path);
	return stats;
}
/** @throws UserError where nothing is found because Node cannot say the name. */
function requireGone(path) {
	if (!path.includes("�")) return;
	throw new UserError({
		message: `The build context holds a file whose name is not valid UTF-8: ${JSON.stringify(path)}.`,
		mend: "Rename it, or exclude its directory in .dockerignore."
	});
}
function nameOf(path) {
	return path.slice(path.lastIndexOf("/") + 1);
}

// src/context/directory-text.ts
/**
* What a directory's digest is over, written to one buffer and hashed there. A text that is put together of strings is copied
* three times before it is hashed, and for a hundred thousand files that is the most of the work.
*/
const START_BYTES = 65536;
/** Beside its name, a known file takes no more. */
const MOST_BESIDE_NAME = 100;
/** A character of a string takes no more. */
const MOST_PER_CHARACTER = 3;
var DirectoryText = class {
	#bytes = Buffer.allocUnsafe(START_BYTES);
	#end = 0;
	/** By permission bits. */
	#files = /* @__PURE__ */ new Map();
	/** Begins a text. */
	begin(text) {
		this.#end = 0;
		return this.add(text);
	}
	add(text) {
		this.#reserve(text.length * MOST_PER_CHARACTER);
		this.#write(text);
		return this;
	}
	/** The same as `add` of `file MODE ID`, zero, name, zero. */
	addKnown(directory, index) {
		const name = directory.nameAt(index);
		this.#reserve(name.length * MOST_PER_CHARACTER + MOST_BESIDE_NAME);
		this.#write(this.#fileOf(directory.modeAt(index)));
		this.#end = directory.writeIdAt(index, this.#bytes, this.#end);
		this.#bytes[this.#end++] = 0;
		this.#write(name);
		this.#bytes[this.#end++] = 0;
	}
	/** SHA-256 of all of it, hex digits. */
	hash() {
		return hash$2("sha256", this.#bytes.subarray(0, this.#end));
	}
	#fileOf(mode) {
		const known = this.#files.get(mode);
		if (known !== void 0) return known;
		const text = `file ${mode} `;
		this.#files.set(mode, text);
		return text;
	}
	#reserve(room) {
		if (this.#end + room <= this.#bytes.length) return;
		const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + room));
		larger.set(this.#bytes.subarray(0, this.#end));
		this.#bytes = larger;
	}
	#write(text) {
		const bytes = this.#bytes;
		let at = this.#end;
		for (let index = 0; index < text.length; index++) {
			const code = text.charCodeAt(index);
			if (code > 127) {
				this.#end += bytes.write(text, this.#end, "utf8");
				return;
			}
			bytes[at++] = code;
		}
		this.#end = at;
	}
};

// src/context/snapshot.ts
/**
* The content that instructions read of a build context, as digests that are at least as sensitive as BuildKit's content
* keys and not more: names, types, modes, bytes and link targets count; times, owners, inodes, sizes of directories and
* the mode of the context's own directory do not. A digest does not cover the query itself: that is the instruction's text.
*
* Not seen: extended attributes, which Node cannot read (BuildKit's key has those of `user.` and `trusted.` and the
* capabilities).
*/
/**
* A snapshot of a context directory. Nothing is walked or read before it is asked for.
* @param options.ahead what is known of directories and repositories already, and who helps; without it, threads that are started
* for a read end with it
* @param options.env of this process: where git looks for its configuration
* @throws the system's error when there is no such directory
*/
async function snapshotContext(options) {
	const root = await realpath(options.directory);
	const { matcher, env, ahead = new LookAhead(env) } = options;
	return new Snapshot(root, matcher, {
		ahead,
		isOwn: options.ahead === void 0
	});
}
var Snapshot = class {
	#tree;
	#filler;
	#text = new DirectoryText();
	#ahead;
	/** Then its threads end with each read. */
	#isOwn;
	#results = /* @__PURE__ */ new Map();
	#last = Promise.resolve();
	constructor(root, matcher, { ahead, isOwn }) {
		this.#tree = new ContextTree(root, matcher, ahead);
		this.#filler = new ContentFiller(this.#tree);
		this.#ahead = ahead;
		this.#isOwn = isOwn;
	}
	async read(query) {
		const result = this.#last.then(async () => {
			try {
				return await this.#read(query);
			} finally {
				if (this.#isOwn) await this.#ahead[Symbol.asyncDispose]();
			}
		});
		this.#last = result.catch(() => void 0);
		return await result;
	}
	async #read(query) {
		const key = JSON.stringify([
			query.via === "mount",
			query.paths,
			query.exclude,
			query.parents
		]);
		const known = this.#results.get(key);
		if (known !== void 0) return known;
		const selections = [];
		for (const path of query.paths) selections.push(await selectPath(this.#tree, query, path));
		const lines = [];
		for (const selection of selections) lines.push(await this.#lineOf(selection));
		const content = {
			digest: `sha256:${hash$2("sha256", lines.join(""))}`,
			entries: { [Symbol.iterator]: () => entriesOf(selections) }
		};
		this.#results.set(key, content);
		return content;
	}
	async #lineOf(selection) {
		switch (selection.kind) {
			case "none": return "none\n";
			case "whole": return `whole ${await this.#contentOf(selection.found)}\n`;
			case "some": {
				await this.#filler.fill(selection.files.map(({ found }) => found));
				let text = "";
				for (const file of selection.files) text += await this.#lineOfFile(file);
				return `some ${hash$2("sha256", text)}\n`;
			}
		}
	}
	async #lineOfFile({ name, found, target, replaced }) {
		const { node } = found;
		if (node.type === "directory") return `${headerOf(node)}\0${name}\0`;
		if (node.gone) return "";
		if (node.type !== "symlink") return `${textOf(node)}\0${name}\0`;
		const led = target === void 0 ? "none" : await this.#contentOf(target);
		return `${replaced ? "" : `${textOf(node)}\0`}${led}\0${name}\0`;
	}
	async #contentOf({ path, node }) {
		if (node.type === "directory") {
			await this.#digestBelow(path, node);
			return node.digest ?? "";
		}
		await this.#filler.fill([{
			path,
			node
		}]);
		return node.gone ? "none" : textOf(node);
	}
	/** Gives a directory its digest, and all in it, each as soon as what is unknown in it has been read: helpers read meanwhile. */
	async #digestBelow(path, directory) {
		const places = [...placesBelow(path, directory)];
		const filling = this.#filler.begin(unreadIn(places));
		for (const { node } of places) {
			filling.share();
			for (const child of node.objects) while (isUnread(child) && await filling.step());
			node.digest = this.#digestOf(node);
			if (this.#tree.isPauseDue) await this.#tree.pause();
		}
	}
	/** Over a directory's mode, and the names and contents of all in it, which has been read. */
	#digestOf(directory) {
		const text = this.#text.begin(`${headerOf(directory)}\0`);
		for (let index = 0; index < directory.length; index++) {
			const child = directory.objectAt(index);
			if (child === void 0) text.addKnown(directory, index);
			else if (child.type === "directory") text.add(`${child.digest ?? ""}\0${child.name}\0`);
			else if (!child.gone) text.add(`${textOf(child)}\0${child.name}\0`);
		}
		return `directory ${text.hash()}`;
	}
};
/** Directories without a digest, each after what it holds. */
function* placesBelow(path, node) {
	if (node.digest !== void 0) return;
	for (const child of node.objects) if (child.type === "directory") yield* placesBelow(joined(path, child.name), child);
	yield {
		path,
		node
	};
}
/** What is still to be read in them. */
function* unreadIn(places) {
	for (const { path, node } of places) for (const child of node.objects) if (isUnread(child)) yield {
		path: joined(path, child.name),
		node: child
	};
}
/** A directory's own line. */
function headerOf({ mode }) {
	return `header ${mode}`;
}
/** The content of a leaf that is there. A link's own mode means nothing. */
function textOf({ type, mode, content }) {
	return `${type} ${type === "symlink" ? "" : mode} ${content ?? ""}`;
}
function* entriesOf(selections) {
	const seen = selections.length === 1 && selections[0]?.kind === "whole" ? void 0 : /* @__PURE__ */ new Set();
	for (const selection of selections) switch (selection.kind) {
		case "none": break;
		case "whole":
			yield* entriesBelow(selection.found, seen);
			break;
		case "some": for (const { found, target, replaced } of selection.files) {
			if (!replaced && isNew(found, seen)) yield entryOf(found);
			if (target !== void 0) yield* entriesBelow(target, seen);
		}
	}
}
/** A thing and, of a directory, all that is in it: each before what it holds, by name. */
function* entriesBelow(found, seen) {
	if (isNew(found, seen)) yield entryOf(found);
	if (found.node.type !== "directory") return;
	const open = [{
		node: found.node,
		path: found.path,
		next: 0
	}];
	for (let top = open.at(-1); top !== void 0; top = open.at(-1)) {
		const index = top.next++;
		if (index >= top.node.length) {
			open.pop();
			continue;
		}
		const path = joined(top.path, top.node.nameAt(index));
		const node = top.node.objectAt(index);
		if (node === void 0) {
			if (isFirst(path, seen)) yield {
				path,
				type: "file",
				mode: top.node.modeAt(index),
				content: top.node.idAt(index)
			};
			continue;
		}
		if (isNew({
			path,
			node
		}, seen)) yield entryOf({
			path,
			node
		});
		if (node.type === "directory") open.push({
			node,
			path,
			next: 0
		});
	}
}
/** Whether it is there, has a name, and was not told of before. */
function isNew({ path, node }, seen) {
	return path !== "" && (node.type === "directory" || !node.gone) && isFirst(path, seen);
}
function isFirst(path, seen) {
	if (seen?.has(path) === true) return false;
	seen?.add(path);
	return true;
}
function entryOf({ path, node }) {
	return {
		path,
		type: node.type,
		mode: node.mode,
		content: node.type === "directory" ? "" : node.content ?? ""
	};
}

// src/read-contexts.ts
/**
* What the build contexts of a Dockerfile hold of what its stages read: the context's directory, and the named ones. Asks
* git and registries.
*/
/** Directories as they are found, each looked at once, however many Dockerfiles have it for a context. */
var Snapshots = class {
	#workspace;
	#env;
	#ahead;
	#known = /* @__PURE__ */ new Map();
	constructor(workspace, env, ahead) {
		this.#workspace = workspace;
		this.#env = env;
		this.#ahead = ahead;
	}
	/** Of one directory there may be several ignore files. */
	async of(directory, ignore) {
		const key = JSON.stringify([directory, ignore.name]);
		const opened = this.#known.get(key) ?? this.#open(directory, ignore);
		this.#known.set(key, opened);
		return await opened;
	}
	async #open(directory, ignore) {
		const matcher = new IgnoreMatcher({
			...ignore,
			name: relative(this.#workspace, ignore.name)
		});
		return await snapshotContext({
			directory,
			matcher,
			env: this.#env,
			ahead: this.#ahead
		});
	}
};
/** The build context of a Dockerfile and the named ones. */
var Contexts = class {
	/** Of named contexts that stand for images or commits. */
	digests = /* @__PURE__ */ new Map();
	failed = [];
	#options;
	#ignoreFiles = /* @__PURE__ */ new Map();
	#patterns = /* @__PURE__ */ new Map();
	constructor(options) {
		this.#options = options;
	}
	/** Everything that the stages read, by `readKey`; what cannot be read is left out. */
	async readAll(stages) {
		const wanted = readsOf(stages);
		const named = [...new Set(wanted.flatMap(({ context }) => context ?? []))];
		await Promise.all(named.map(async (name) => this.#resolve(name, stages[0]?.platform)));
		const found = await Promise.all(wanted.map(async ({ read, context }) => {
			const directory = this.#directoryOf(context);
			if (directory === void 0) return [];
			return [[readKey(read, context), await (await this.#snapshot(directory, context)).read(read)]];
		}));
		return new Map(found.flat());
	}
	#directoryOf(context) {
		const { part, workspace } = this.#options;
		if (context === void 0) return part.contextDir;
		const value = contextValue(part, context);
		return value === "" || isAddress$1(value) ? void 0 : resolve$1(workspace, value);
	}
	/** What the ignore files of the contexts that are read say, by context. */
	get ignorePatterns() {
		return [...this.#patterns].sort(([a], [b]) => a < b ? -1 : 1);
	}
	async #snapshot(directory, context) {
		const { part, snapshots } = this.#options;
		const key = context ?? "";
		const ignore = this.#ignoreFiles.get(key) ?? (context === void 0 ? ignoreFileFor(part.dockerfilePath, directory) : ignoreFileOf(directory));
		this.#ignoreFiles.set(key, ignore);
		this.#patterns.set(key, ignore.patterns.map(({ pattern }) => pattern));
		return await snapshots.of(directory, ignore);
	}
	async #resolve(context, platform = "linux/amd64") {
		const value = contextValue(this.#options.part, context);
		try {
			const digest = await this.#digestOf(value, platform);
			if (digest !== void 0) this.digests.set(context, digest);
		} catch (error) {
			this.#options.signal?.throwIfAborted();
			this.failed.push({
				value,
				problem: lookUpProblem(value, error)
			});
		}
	}
	async #digestOf(value, platform) {
		if (!isAddress$1(value) || isEmptyImage(value)) return void 0;
		const { client, workspace, signal } = this.#options;
		if (/^(?:docker-image|oci-layout):/.test(value)) {
			const source = parseImageSource(value);
			if (source.kind === "registry") return await client.resolveDigest(source.ref, { signal });
			return (await resolveOciLayout({
				...source,
				path: resolve$1(workspace, source.path)
			}, { platform })).digest;
		}
		return /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(value) ? digestOf(value) : void 0;
	}
};

// src/fingerprinting.ts
/** Makes the prints. Whatever cannot be known leaves a target without a fingerprint; it is no error. */
async function fingerprintTargets(options) {
	const { parts, targets, variants, env, workspace, ahead } = options;
	const needed = neededStages(options);
	const snapshots = new Snapshots(workspace, env, ahead);
	const looked = await Promise.all(parts.map(async (part) => {
		const own = new Set(part.stages);
		return await lookUp(part, needed.filter(({ index }) => own.has(index)), {
			...options,
			snapshots
		});
	}));
	await ahead[Symbol.asyncDispose]();
	const partAt = new Map(parts.flatMap(({ stages }, part) => stages.map((stage) => [stage, part])));
	const lookedAt = (stage) => at(looked, partAt.get(stage) ?? 0);
	const printers = variants.map(({ graph, ...rest }) => ({
		...rest,
		graph,
		printer: new StagePrinter(graph, ({ index }) => lookedAt(index).printInputs)
	}));
	const prints = targets.map(({ name, stage }) => {
		const { part, platforms: wanted } = at(parts, options.partOf(name));
		const all = printers.filter(({ target, platform }) => (target === void 0 || target === name) && wanted.includes(platform)).map(({ platform, printer, graph, unknown }) => ({
			platform,
			stages: unknown === void 0 ? printer.print(stage) : withoutFingerprint(printer.print(stage), unknown),
			reached: stagesOf(graph, stage).map((index) => partAt.get(index) ?? 0)
		}));
		const ofEach = Map.groupBy(all, ({ platform }) => platform);
		const platforms = [...ofEach.values()].flatMap(([first]) => first ?? []);
		const printOf = (some) => {
			const reached = [...new Set(some.flatMap((one) => one.reached))];
			const linked = reached.map((index) => at(parts, index)).filter((other) => other.part !== part);
			const isUnknown = [options.partOf(name), ...reached].some((index) => at(looked, index).unknownFrontend);
			const print = printTarget(some.map(({ platform, stages }) => ({
				platform,
				stages
			})), {
				...part.inputs,
				labels: [...linked.flatMap((other) => other.part.inputs.labels), ...part.inputs.labels],
				dockerfileText: [part, ...linked.map((other) => other.part)].map((one) => one.dockerfileText).join("\n"),
				ignorePatterns: at(looked, options.partOf(name)).contexts.ignorePatterns,
				defaultAttestations: !/^(?:1|t|true)$/i.test(env["BUILDX_NO_DEFAULT_ATTESTATIONS"] ?? "")
			});
			return isUnknown ? {
				...print,
				fingerprint: void 0
			} : print;
		};
		const split = [...ofEach].map(([platform, some]) => ({
			platform,
			prints: some.map((one) => printOf([one]))
		}));
		return {
			name,
			print: printOf(platforms),
			parts: part.inputs.matrixBy === "platform" ? split : []
		};
	});
	let files;
	const reads = looked.flatMap((one) => [...one.reads.values()]);
	return {
		prints: new Map(prints.map(({ name, print }) => [name, print])),
		parts: new Map(prints.map(({ name, parts: split }) => [name, split])),
		contexts: looked.map(({ contexts }) => contexts.digests),
		failed: distinct(looked.flatMap(({ failed }) => failed)),
		files: () => files ??= new Map(reads.map(({ digest, entries }) => [digest, listOf(entries)]))
	};
}
/** As of `FROM scratch`. */
const EMPTY = "scratch";
async function lookUp({ part, dockerfile, unread }, stages, options) {
	const { inputs } = part;
	const contexts = new Contexts({
		...options,
		part
	});
	const used = new Set(readsOf(stages).map(({ context }) => context));
	const syntax = inputs.buildArgs["BUILDKIT_SYNTAX"] ?? dockerfile.syntax;
	const [reads, frontend] = await Promise.all([contexts.readAll(stages), frontendDigest(syntax, options)]);
	return {
		contexts,
		reads,
		failed: [...contexts.failed, ...[...unread ?? []].flatMap(([context, problem]) => used.has(context) ? [{
			value: contextValue(part, context),
			problem
		}] : [])],
		unknownFrontend: syntax !== void 0 && frontend === void 0,
		printInputs: {
			imageDigest: (image) => {
				const entry = options.images.entry(image);
				return entry?.problem === void 0 ? entry?.digest : void 0;
			},
			readDigest: (read, context) => reads.get(readKey(read, context))?.digest,
			contextDigest: (context) => {
				if (isEmptyImage(contextValue(part, context))) return EMPTY;
				return unread?.has(context) === true ? void 0 : contexts.digests.get(context);
			},
			options: [...frontend === void 0 ? [] : [["syntax", frontend]], ...buildkitOptions(inputs, options.env)],
			runOptions: runOptions(inputs)
		}
	};
}
/** The stages of a target, of which more is needed than is known. */
function withoutFingerprint(stages, text) {
	return stages.map((stage, index) => {
		if (index < stages.length - 1) return stage;
		return {
			...stage,
			fingerprint: void 0,
			unknown: [...stage.unknown, {
				line: stage.line,
				text
			}]
		};
	});
}
function at(list, index) {
	const found = list[index];
	if (found === void 0) throw new RangeError(`no part ${index}`);
	return found;
}
function neededStages({ variants, targets }) {
	return variants.flatMap(({ graph, target }) => {
		const wanted = targets.filter(({ name }) => target === void 0 || target === name);
		const indexes = new Set(wanted.flatMap(({ stage }) => stagesOf(graph, stage)));
		return graph.stages.filter(({ index }) => indexes.has(index));
	});
}
/** The frontend that `# syntax=` asks for, where it is Docker's own: another one may read anything. */
async function frontendDigest(syntax, { client, signal }) {
	if (syntax === void 0) return void 0;
	try {
		if (!/^docker\/dockerfile(?:-upstream)?(?::|@|$)/.test(familiarName$1(syntax))) return void 0;
		return await client.resolveDigest(syntax, { signal });
	} catch {
		signal?.throwIfAborted();
		return;
	}
}
/** BuildKit's own arguments; buildx takes SOURCE_DATE_EPOCH from the environment, too. */
function buildkitOptions({ buildArgs }, env) {
	const epoch = buildArgs["SOURCE_DATE_EPOCH"] ?? env["SOURCE_DATE_EPOCH"];
	return [...Object.entries(buildArgs).filter(([name]) => isBuildkits(name) && name !== "SOURCE_DATE_EPOCH").sort(), ...epoch === void 0 ? [] : [["SOURCE_DATE_EPOCH", epoch]]];
}
/** https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap): of hosts only the names. */
function runOptions({ network, addHosts, shmSize, ulimit, cgroupParent }) {
	const hosts = addHosts.map(hostOf$1);
	return [
		...network === void 0 ? [] : [["network", network]],
		...hosts.length === 0 ? [] : [["add-hosts", hosts.join(" ")]],
		...shmSize === void 0 ? [] : [["shm-size", shmSize]],
		...ulimit.length === 0 ? [] : [["ulimit", [...ulimit].sort().join(" ")]],
		...cgroupParent === void 0 ? [] : [["cgroup-parent", cgroupParent]]
	];
}
function listOf(entries) {
	const files = function* () {
		for (const { path, type, mode, content } of entries) {
			const id = type === "symlink" ? digestOf(content).slice(7, 19) : content.slice(0, 12);
			yield {
				path,
				digest: `${type.slice(0, 1)}${mode.toString(8)}${id}`
			};
		}
	};
	return listFiles(files, (digests) => digestOf(digests).slice(7, 19));
}

// src/images/image-lookups.ts
/** Answers as the client does; a failure is an answer, too. */
var ImageLookups = class {
	#client;
	#digests = /* @__PURE__ */ new Map();
	#images = /* @__PURE__ */ new Map();
	#configs = /* @__PURE__ */ new Map();
	constructor(client) {
		this.#client = client;
	}
	/** As the client's; what is known of the image for a platform tells it, too. */
	async resolveDigest(image, options = {}) {
		const name = normalizeReference(image);
		const [known] = this.#images.get(name)?.values() ?? [];
		return await once(this.#digests, name, async () => {
			return (await known?.catch(() => void 0))?.digest ?? await this.#client.resolveDigest(name, options);
		});
	}
	/** As the client's. */
	async resolveImage(image, options) {
		const name = normalizeReference(image);
		const ofName = this.#images.get(name) ?? /* @__PURE__ */ new Map();
		this.#images.set(name, ofName);
		return await once(ofName, options.platform, async () => await this.#client.resolveImage(name, options));
	}
	/** As the client's. */
	async fetchConfig(image, digest, options = {}) {
		const key = `${digest} ${normalizeReference(image)}`;
		return await once(this.#configs, key, async () => await this.#client.fetchConfig(image, digest, options));
	}
};
async function once(known, key, ask) {
	const asked = known.get(key) ?? ask();
	known.set(key, asked);
	return await asked;
}

// src/graph/join.ts
/** The number that each part's first stage has in the joined graph. */
function offsetsOf(graphs) {
	let next = 0;
	return graphs.map(({ stages }) => {
		const offset = next;
		next += stages.length;
		return offset;
	});
}
/** The graph of all parts, in their order; what is built by default and for which platform is the first part's. */
function joinGraphs(parts) {
	const [first] = parts;
	const offsets = offsetsOf(parts.map(({ graph }) => graph));
	const stages = parts.flatMap(({ graph, file, links }, index) => {
		const offset = offsets[index] ?? 0;
		const place = (source) => {
			if (source.kind === "stage") return {
				kind: "stage",
				stage: offset + source.stage
			};
			const link = source.kind === "context" ? links.get(source.context) : void 0;
			return link === void 0 ? source : {
				kind: "stage",
				stage: (offsets[link.part] ?? 0) + link.stage
			};
		};
		return graph.stages.map((stage) => ({
			...mapSources(stage, place),
			index: offset + stage.index,
			file,
			...stage.replacedByContext !== void 0 && links.has(stage.replacedByContext) ? { replacedByContext: void 0 } : {}
		}));
	});
	return {
		...first.graph,
		stages
	};
}
/** A stage whose base, needs and instructions take from elsewhere. */
function mapSources(stage, change) {
	return {
		...stage,
		from: change(stage.from),
		needs: stage.needs.map((need) => ({
			...need,
			source: change(need.source)
		})),
		steps: stage.steps.map((step) => ({
			...step,
			sources: step.sources.map((source) => ({
				...source,
				source: change(source.source)
			}))
		}))
	};
}
/** What a stage and those that it is based on set by ENV, the lowest first, as `NAME=value`. */
function environmentOf(graph, stage) {
	return baseChain(graph, stage).flatMap(({ steps }) => steps.filter(({ keyword }) => keyword === "ENV").flatMap(({ settings }) => settings.map(([name, value]) => `${name}=${value ?? ""}`)));
}
/**
* The triggers that a stage's image holds: its own alone, since what its base says was carried out in it.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchOnbuild, init)
*/
function triggersOf$1(graph, stage) {
	return (graph.stages[stage]?.steps ?? []).flatMap(({ keyword, history }) => keyword === "ONBUILD" ? history.slice(0, 1) : []);
}
/** A stage and the stages that it is based on, the lowest first. */
function baseChain(graph, stage) {
	const chain = [];
	for (let current = graph.stages[stage]; current !== void 0 && !chain.includes(current);) {
		chain.unshift(current);
		current = current.from.kind === "stage" ? graph.stages[current.from.stage] : void 0;
	}
	return chain;
}

// src/joining.ts
/** Where bake's targets are: part and stage, by name. */
function placesOf(parts) {
	return new Map(parts.flatMap(({ targets }, part) => targets.map(({ name, stage }) => [name, {
		part,
		stage
	}])));
}
/** Puts the parts together. A plain Dockerfile stays as it is. */
function joinParts(parts) {
	const graph = joinedGraph(parts, (part) => part.graph);
	const offsets = offsetsOf(parts.map((part) => part.graph));
	const places = placesOf(parts);
	const all = parts.flatMap(({ part, targets }, index) => targets.map((target) => ({
		target: {
			...target,
			stage: (offsets[index] ?? 0) + target.stage
		},
		place: part.wanted === void 0 ? 0 : part.wanted.find(({ name }) => name === target.name)?.place
	})));
	const asked = all.filter(({ place }) => place !== void 0).sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
	return {
		graph,
		stages: parts.map((part, index) => part.graph.stages.map((stage) => (offsets[index] ?? 0) + stage.index)),
		targets: asked.map(({ target }) => target),
		linked: all.filter(({ place }) => place === void 0).map(({ target }) => target),
		partOf: (target) => places.get(target)?.part ?? 0
	};
}
/** The graph of all parts, as each is given. */
function joinedGraph(parts, graphOf) {
	const places = placesOf(parts);
	const [first, ...others] = parts.map((resolved, index) => {
		const { part } = resolved;
		const links = [...part.links].flatMap(([key, target]) => {
			const place = places.get(target);
			return place === void 0 ? [] : [[key, place]];
		});
		return {
			graph: graphOf(resolved, index),
			file: part.dockerfileName,
			links: new Map(links)
		};
	});
	if (first === void 0) throw new RangeError("nothing to join");
	return parts[0]?.part.wanted === void 0 ? first.graph : joinGraphs([first, ...others]);
}
/** Of a part that is not built for this, what is built of it. */
function graphAt({ cells, resolutions }, { platform, machine }) {
	const exact = cells.findIndex((cell) => cell.platform === platform && cell.machine === machine);
	return (resolutions[exact === -1 ? cells.findIndex((cell) => cell.platform === platform) : exact] ?? resolutions[0])?.graph;
}
/** What others that are built from a part hold to: what bake files say, or what it is built for. */
function platformsToUse({ part, platforms }) {
	return part.split?.written ?? platforms;
}
/** The images that the stages of each part need, and for which platforms. */
function imageWants({ graph, stages, targets, linked }, parts) {
	const needed = stagesOfAll(graph, [...targets, ...linked].map(({ stage }) => stage));
	return parts.map(({ cells }, index) => {
		const own = new Set(stages[index]);
		return {
			graph,
			platforms: [...new Set(cells.map(({ platform }) => platform))],
			stages: needed.filter((stage) => own.has(stage))
		};
	});
}
/** The parts with every one after those whose targets it uses; bake allows no circles. */
function linkOrder(parts) {
	const places = placesOf(parts);
	const order = /* @__PURE__ */ new Set();
	const entered = /* @__PURE__ */ new Set();
	const visit = (index) => {
		if (entered.has(index)) return;
		entered.add(index);
		for (const target of parts[index]?.part.links.values() ?? []) visit(places.get(target)?.part ?? index);
		order.add(index);
	};
	parts.forEach((_, index) => {
		visit(index);
	});
	return [...order];
}
/**
* What the image behind a named context sets: of a linked target its base image's variables and those of its ENV instructions.
* @param resolved parts that are resolved already, by index
*/
function contextEnvironment(drafts, resolved, { images, contextImages }) {
	const linkOf = linksOf(drafts, resolved);
	const environment = (index, context, cell) => {
		if (drafts[index]?.part.links.has(context) !== true) return contextImages.of(index, context, cell.platform)?.env;
		const link = linkOf(index, context, cell);
		if (link === void 0) return void 0;
		const { place, graph } = link;
		const lowest = baseChain(graph, place.stage)[0];
		const below = lowest?.from.kind === "image" ? images.baseOf(lowest.from.image, lowest.platform)?.config.env : lowest?.from.kind === "context" ? environment(place.part, lowest.from.context, {
			...cell,
			platform: lowest.platform
		}) ?? (contextImages.isImage(place.part, lowest.from.context) ? void 0 : []) : [];
		return below === void 0 ? void 0 : [...below, ...environmentOf(graph, place.stage)];
	};
	return environment;
}
/**
* The ONBUILD triggers of linked targets, which BuildKit carries out where a stage is based on one.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/namedcontext.go (input)
* @param resolved as above
*/
function linkTriggers(drafts, resolved) {
	const linkOf = linksOf(drafts, resolved);
	return (...asked) => {
		const link = linkOf(...asked);
		return link === void 0 ? void 0 : triggersOf$1(link.graph, link.place.stage);
	};
}
/** The target behind a part's context, and its graph as it is for who is built from it; undefined where it is not resolved. */
function linksOf(drafts, resolved) {
	const places = placesOf(drafts);
	return (index, context, cell) => {
		const place = places.get(drafts[index]?.part.links.get(context) ?? "");
		const part = place === void 0 ? void 0 : resolved.get(place.part);
		if (place === void 0 || part === void 0) return void 0;
		const platform = linkedPlatform(platformsToUse(part), cell.platform) ?? cell.platform;
		const graph = graphAt(part, {
			...cell,
			platform
		});
		return graph === void 0 ? void 0 : {
			place,
			graph
		};
	};
}

// src/graph-variants.ts
/**
* The graph of all Dockerfiles as it is for each platform of each target: what a target is built from (`target:` contexts) may
* be built for other platforms than itself. Pure.
*/
/** The graph as it is on each platform and machine; where it is not one for all targets, for each of them. */
function variantsOf(parts, targets) {
	const [first, ...others] = parts;
	if (first === void 0) return [];
	if (others.length > 0 || first.part.wanted !== void 0) return variantsOfLinked(parts, targets);
	const { cells, resolutions, dependsOnTarget } = first;
	return resolutions.flatMap(({ graph }, index) => {
		const { platform = "", machine } = cells[index % cells.length] ?? {};
		const target = dependsOnTarget === true ? targets[Math.floor(index / cells.length)]?.name : void 0;
		return graph === void 0 ? [] : [{
			platform,
			machine,
			target,
			graph
		}];
	});
}
function variantsOfLinked(parts, targets) {
	const places = placesOf(parts);
	const wanted = targets.flatMap(({ name }) => {
		const part = places.get(name)?.part ?? 0;
		const { cells = [], platforms = [] } = parts[part] ?? {};
		return cells.filter(({ platform }) => platforms.includes(platform)).map((cell) => ({
			name,
			cell,
			reached: reachedFrom({
				part,
				platform: cell.platform
			}, {
				parts,
				places,
				cell
			})
		}));
	});
	const unknown = new Map(targets.map(({ name }) => [name, unknownOf(name, wanted, parts)]));
	return [...Map.groupBy(wanted, ({ cell }) => JSON.stringify([cell.platform, cell.machine])).values()].flatMap((same) => {
		const [cell] = same.map((one) => one.cell);
		if (cell === void 0) return [];
		const layouts = [];
		for (const { name, reached } of same) {
			const platforms = firstOfEach(reached);
			const layout = layouts.find((one) => [...platforms].every(([part, at]) => (one.platforms.get(part) ?? at) === at));
			if (layout === void 0) layouts.push({
				platforms,
				targets: [name]
			});
			else {
				for (const [part, platform] of platforms) layout.platforms.set(part, platform);
				layout.targets.push(name);
			}
		}
		return layouts.flatMap((layout) => {
			const graph = joinedGraph(parts, (part, index) => {
				const platform = layout.platforms.get(index) ?? cell.platform;
				return graphAt(part, {
					...cell,
					platform
				}) ?? part.graph;
			});
			if (layouts.length === 1 && layout.targets.every((name) => unknown.get(name) === void 0)) return [{
				...cell,
				target: void 0,
				graph
			}];
			return layout.targets.map((target) => ({
				...cell,
				target,
				graph,
				unknown: unknown.get(target)
			}));
		});
	});
}
/** A part and all that it is built from, the nearest first; where a link is used for several platforms, once for each. */
function reachedFrom(from, { parts, places, cell }) {
	const reached = [from];
	for (const place of reached) {
		const user = parts[place.part];
		for (const [key, name] of user?.part.links ?? []) {
			const linked = places.get(name);
			const used = linked === void 0 ? void 0 : parts[linked.part];
			if (user === void 0 || linked === void 0 || used === void 0) continue;
			for (const platform of platformsOfLink(user, key, {
				...cell,
				platform: place.platform
			})) {
				const at = linkedPlatform(platformsToUse(used), platform) ?? platformsToUse(used)[0] ?? platform;
				const next = {
					part: linked.part,
					platform: at
				};
				if (!reached.some((known) => isDeepStrictEqual(known, next))) reached.push(next);
			}
		}
	}
	return reached;
}
/**
* The platforms that a link is looked up for: that of the user, or with `FROM --platform=…` another one. A leg builds what it
* links for one platform, which stands for all.
*/
function platformsOfLink(user, key, cell) {
	if (user.part.split !== void 0) return [cell.platform];
	const platforms = (graphAt(user, cell)?.stages ?? []).flatMap(({ from, needs, platform }) => [...isOf(key, from) ? [isSamePlatform(platform, cell.platform) ? cell.platform : platform] : [], ...needs.some(({ source }) => isOf(key, source)) ? [cell.platform] : []]);
	return [...new Set(platforms)];
}
/**
* Why the prints of a target do not hold all that it is built from: something is used for two platforms in one graph, and the
* other is in no graph that the print is of.
*/
function unknownOf(target, wanted, parts) {
	const own = wanted.filter(({ name }) => name === target);
	const isSplit = parts.some(({ part }) => part.split !== void 0);
	const printed = own.map(({ cell, reached }) => ({
		cell,
		platforms: firstOfEach(reached)
	}));
	for (const { cell, reached } of own) {
		const graphs = printed.filter((one) => !isSplit || one.cell === cell);
		const left = reached.find(({ part, platform }) => !graphs.some(({ platforms }) => platforms.get(part) === platform));
		const name = parts[left?.part ?? -1]?.targets[0]?.name;
		if (left !== void 0) return `what it is built from (${name ?? ""}) is needed for several platforms in one build`;
	}
}
function firstOfEach(places) {
	return new Map(places.toReversed().map(({ part, platform }) => [part, platform]));
}
/** Linked targets that have no image for a platform that they are used for: BuildKit would look for an image of the context's name. */
function linkProblems(parts) {
	const places = placesOf(parts);
	return parts.flatMap((user) => [...user.part.links].flatMap(([key, name]) => {
		const linked = parts[places.get(name)?.part ?? -1];
		if (linked === void 0 || !isUsed(user, key)) return [];
		const has = platformsToUse(linked);
		const lacking = [...new Set(user.cells.map(({ platform }) => platform))].find((platform) => linkedPlatform(has, platform) === void 0);
		const [of] = user.targets;
		if (lacking === void 0 || of === void 0) return [];
		return [{
			input: "bake-files",
			file: user.part.dockerfileName,
			message: `The bake target \`${of.name}\` is built for ${lacking}, and \`${name}\`, which it is built from, for ${has.join(", ")} only.`,
			mend: `Add ${lacking} to the \`platforms\` of \`${name}\`, or leave out all but one, whose image then serves every platform.`
		}];
	}));
}
function isUsed({ graph }, key) {
	return graph.stages.some(({ from, needs }) => isOf(key, from) || needs.some(({ source }) => isOf(key, source)));
}
/** Whether it is the named context. */
function isOf(context, source) {
	return source.kind === "context" && source.context === context;
}

// src/context/context-files.ts
/** How many inodes are read at once. */
const LSTAT_BATCH = 64;
/**
* Walks a context: every included file, each directory before what it holds, names sorted by code unit. A directory that
* is itself excluded comes when the first thing in it that an exception includes comes.
* @throws UserError for a name that is not UTF-8 (Node cannot open it), or a pattern that is no valid expression
* @throws the system's error when the context or an included directory cannot be read
*/
async function* listContext(directory, matcher) {
	yield* walkDirectory({
		root: directory,
		matcher,
		pending: []
	}, {
		path: "",
		state: void 0
	});
}
async function* walkDirectory(walk, place) {
	const entries = await readSorted(walk.root, place.path);
	for (let start = 0; start < entries.length; start += LSTAT_BATCH) {
		const judged = entries.slice(start, start + LSTAT_BATCH).map((entry) => judge(walk, {
			entry,
			place
		})).filter(({ verdict }) => !verdict.cut && !(verdict.excluded && !verdict.directory));
		const stats = await Promise.all(judged.map(({ path }) => statOrGone(walk.root, path)));
		for (const [index, { path, verdict }] of judged.entries()) {
			const stat = stats[index];
			if (stat === void 0) continue;
			yield* visit(walk, {
				file: describe(path, stat),
				excluded: verdict.excluded,
				state: verdict.state
			});
		}
	}
}
async function* visit(walk, found) {
	const { file, excluded, state } = found;
	if (!excluded) {
		yield* walk.pending.splice(0);
		yield file;
	}
	if (file.type !== "directory") return;
	if (excluded) walk.pending.push(file);
	try {
		yield* walkDirectory(walk, {
			path: file.path,
			state
		});
	} catch (error) {
		if (!(excluded && isListingRefused(error, join(walk.root, file.path)))) throw error;
	}
	if (walk.pending.at(-1) === file) walk.pending.pop();
}
function judge(walk, { entry, place }) {
	const path = place.path === "" ? entry.name : `${place.path}/${entry.name}`;
	const directory = entry.isDirectory();
	return {
		path,
		verdict: {
			...walk.matcher.enter(path, directory, place.state),
			directory
		}
	};
}
async function readSorted(root, path) {
	return (await readdir$1(join(root, path), { withFileTypes: true }).catch((error) => {
		if (path !== "" && ["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return [];
		throw error;
	})).sort((a, b) => a.name < b.name ? -1 : 1);
}
async function statOrGone(root, path) {
	try {
		return await lstat$1(join(root, path));
	} catch (error) {
		if (errorCode(error) !== "ENOENT") throw error;
		if (!path.includes("�")) return void 0;
		throw new UserError({
			message: `The build context holds a file whose name is not valid UTF-8: ${JSON.stringify(path)}.`,
			mend: "Rename it, or exclude its directory in .dockerignore."
		}, { cause: error });
	}
}
function describe(path, stat) {
	return {
		path,
		type: stat.isFile() ? "file" : stat.isDirectory() ? "directory" : stat.isSymbolicLink() ? "symlink" : "other",
		mode: stat.mode & 4095,
		size: stat.size
	};
}
function isListingRefused(error, directory) {
	const { path } = error;
	return errorCode(error) === "EACCES" && path === directory;
}

// src/context/missing-sources.ts
/**
* Looks for the files that a Dockerfile copies before any engine is asked, so that a forgotten file or a greedy
* .dockerignore is told in one sentence. Reports only what is sure to fail (or to copy nothing); it reads no contents.
*/
/** As many links on the way to one file as Linux follows. */
const MAX_LINKS = 40;
/**
* Which of the sources are not in the context or are left out of it, each with a mend, in the order given. Links are
* followed inside the context, as COPY follows them. Patterns for `--parents` (with `**`) are not judged.
* @param sources paths as in COPY, ADD or a bind mount, rooted at the context
* @throws UserError for a broken .dockerignore pattern
*/
async function missingSources(contextDir, matcher, sources) {
	const context = {
		directory: contextDir,
		matcher
	};
	const missing = [];
	for (const source of new Set(sources)) {
		const path = posix.join("/", source).slice(1).replace(/\/$/, "");
		if (path === "") continue;
		const found = hasWildcard(path) ? await unmatched(context, {
			source,
			path
		}) : await unfound(context, {
			source,
			path
		});
		if (found !== void 0) missing.push(found);
	}
	return missing;
}
async function unfound(context, { source, path }) {
	const resolved = await resolve(context, path);
	switch (resolved.kind) {
		case "found": return;
		case "ignored": {
			const { name } = context.matcher;
			const by = resolved.verdict.rule;
			return {
				source,
				kind: "ignored",
				message: `${source} is not in the build context: ${by === void 0 ? `${name} excludes it` : `${name} line ${by.line} (${JSON.stringify(by.pattern)}) excludes it`}.${resolved.path === path ? "" : ` It leads to ${resolved.path}.`}`,
				mend: `Add the line "!${resolved.path}" at the end of ${name}, or remove that pattern.`
			};
		}
		case "absent": {
			const like = await similar(context, resolved.path);
			return {
				source,
				kind: "absent",
				message: `${source} is not in the build context: there is no such file.`,
				mend: like === void 0 ? `Sources are looked up in the context (${context.directory}): check the path, or the step that should have made the file.` : `Did you mean ${like}?`
			};
		}
	}
}
async function unmatched(context, { source, path }) {
	if (path.includes("**") || leadsThroughLink(context, path)) return void 0;
	try {
		for await (const file of listContext(context.directory, context.matcher)) if (goMatch(path, file.path)) return void 0;
	} catch (error) {
		if (error instanceof BadPatternError) return void 0;
		throw error;
	}
	return {
		source,
		kind: "no-match",
		message: `${source} matches no file of the build context, so nothing will be copied.`,
		mend: `Check the pattern, and ${context.matcher.name} for a pattern that excludes the files.`
	};
}
/** Whether a link stands on the way to the first wildcard: BuildKit follows it there, and nowhere behind. */
function leadsThroughLink(context, path) {
	const parts = path.split("/");
	const fixed = parts.slice(0, parts.findIndex(hasWildcard));
	for (let length = 1; length <= fixed.length; length++) {
		const stat = statOf(join(context.directory, ...fixed.slice(0, length)));
		if (stat === void 0) return false;
		if (stat.isSymbolicLink()) return true;
	}
	return false;
}
/** Walks a path part by part, following links as if the context were the root of the file system. */
async function resolve(context, path) {
	let todo = path.split("/");
	let done = "";
	let links = 0;
	for (let part = todo.shift(); part !== void 0; part = todo.shift()) {
		const here = posix.join("/", done, part).slice(1);
		if (here === "") {
			done = "";
			continue;
		}
		const stat = statOf(join(context.directory, here));
		if (stat === void 0) return {
			kind: "absent",
			path: here
		};
		if (stat.isSymbolicLink()) {
			const verdict = context.matcher.excludes(here, false);
			if (verdict.excluded) return {
				kind: "ignored",
				path: here,
				verdict
			};
			if (++links > MAX_LINKS) return {
				kind: "absent",
				path: here
			};
			const target = await readlink(join(context.directory, here));
			todo = [...posix.join("/", target.startsWith("/") ? "" : done, target).split("/"), ...todo];
			done = "";
			continue;
		}
		if (todo.length > 0 && !stat.isDirectory()) return {
			kind: "absent",
			path: posix.join(here, ...todo)
		};
		done = here;
	}
	if (done === "") return { kind: "found" };
	const isDirectory = statOf(join(context.directory, done))?.isDirectory() === true;
	const verdict = context.matcher.excludes(done, isDirectory);
	if (!verdict.excluded) return { kind: "found" };
	if (isDirectory && !verdict.cut && await holdsIncluded(context, done)) return { kind: "found" };
	return {
		kind: "ignored",
		path: done,
		verdict
	};
}
/** What lstat says; undefined for what is not there or cannot be reached. A trip through the thread pool takes ten times as long. */
function statOf(path) {
	try {
		return lstatSync$1(path, { throwIfNoEntry: false });
	} catch {
		return;
	}
}
/** Whether an excluded directory is sent all the same, as the parent of something included. */
async function holdsIncluded(context, directory) {
	for await (const file of listContext(context.directory, context.matcher)) if (file.path === directory || file.path.startsWith(`${directory}/`)) return true;
	return false;
}
async function similar(context, path) {
	const parent = posix.dirname(path);
	const names = await readdir$1(join(context.directory, parent)).catch(() => []);
	const name = nearest(posix.basename(path), names);
	return name === void 0 ? void 0 : posix.join(parent, name);
}

// src/missing-files.ts
/** Files that a needed stage copies and that the context does not have: the build would fail on them, later. */
/** Looks for each file once, however many Dockerfiles copy it: a plan looks before and after images are known. */
var MissingFiles = class {
	#workspace;
	#places = /* @__PURE__ */ new Map();
	/** By context, ignore file and paths. */
	#looked = /* @__PURE__ */ new Map();
	constructor(workspace) {
		this.#workspace = workspace;
	}
	/** @throws UserError for a broken .dockerignore pattern */
	async problemsOf(part, { graph, stages }) {
		const errors = [];
		const warnings = [];
		const place = this.#placeOf(part);
		for (const index of stagesOfAll(graph, stages)) {
			const stage = graph.stages[index];
			if (stage === void 0 || stage.replacedByContext !== void 0 || stage.undefinedVariables.length > 0) continue;
			for (const read of stage.reads.filter((candidate) => !candidate.parents)) for (const missing of await this.#look(place, read.paths)) {
				const problem = {
					message: missing.message,
					mend: missing.mend,
					file: part.dockerfileName,
					line: read.line
				};
				if (missing.kind === "no-match") warnings.push(problem);
				else errors.push(problem);
			}
		}
		return {
			errors,
			warnings
		};
	}
	#placeOf(part) {
		const known = this.#places.get(part) ?? this.#open(part);
		this.#places.set(part, known);
		return known;
	}
	#open({ dockerfilePath, contextDir }) {
		const ignore = ignoreFileFor(dockerfilePath, contextDir);
		return {
			directory: contextDir,
			matcher: new IgnoreMatcher({
				...ignore,
				name: relative(this.#workspace, ignore.name)
			})
		};
	}
	async #look({ directory, matcher }, paths) {
		const key = JSON.stringify([
			directory,
			matcher.name,
			paths
		]);
		const known = this.#looked.get(key) ?? missingSources(directory, matcher, paths);
		this.#looked.set(key, known);
		return await known;
	}
};

// src/dockerfile/suggest.ts
/**
* BuildKit's "did you mean": the option within two edits of a value. Ties go to the first option given (BuildKit walks a
* map, so its own answer varies there).
* Source: https://github.com/moby/buildkit/blob/v0.25.0/util/suggest/error.go
*/
const NEAR = 3;
/** `message`, with ` (did you mean X?)` when an option is near `value`. */
function withSuggestion(message, value, options, { caseSensitive }) {
	const match = suggestion(value, options, caseSensitive);
	return match === void 0 ? message : `${message} (did you mean ${match}?)`;
}
/** The option nearest to `value`; undefined when none is near, or when `value` is one of them. */
function suggestion(value, options, caseSensitive = true) {
	const wanted = caseSensitive ? value : value.toLowerCase();
	let best;
	let bestDistance = NEAR;
	for (const option of options) {
		const candidate = caseSensitive ? option : option.toLowerCase();
		if (candidate === wanted) return void 0;
		const distance = boundedDistance(wanted, candidate, bestDistance);
		if (distance < bestDistance) {
			best = candidate;
			bestDistance = distance;
		}
	}
	if (best === void 0 || caseSensitive) return best;
	if (value === value.toLowerCase()) return best;
	return value === value.toUpperCase() ? best.toUpperCase() : best;
}
/** Levenshtein distance, or `bound` as soon as it cannot be smaller. */
function boundedDistance(a, b, bound) {
	if (Math.abs(a.length - b.length) >= bound) return bound;
	let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
	for (let i = 1; i <= a.length; i++) {
		const current = [i];
		let least = i;
		for (let j = 1; j <= b.length; j++) {
			const cost = a[i - 1] === b[j - 1] ? 0 : 1;
			const value = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
			current.push(value);
			least = Math.min(least, value);
		}
		if (least >= bound) return bound;
		previous = current;
	}
	return previous[b.length] ?? 0;
}

// src/dockerfile/flags.ts
/**
* Takes the words that begin with `--` off the start of the arguments; `--` alone ends them. BuildKit goes through bytes
* here, not characters, so the bytes of a character beyond ASCII come out as characters of their own (0xa0 is a blank).
*/
function extractFlags(line, escape) {
	if (!trimSpaceLeft(line).startsWith("--")) return {
		flags: [],
		rest: line
	};
	if (!/[\u0080-\uffff]/.test(line)) return extractFromBytes(line, escape);
	const split = extractFromBytes(Buffer.from(line, "utf8").toString("latin1"), escape);
	return {
		flags: split.flags,
		rest: Buffer.from(split.rest, "latin1").toString("utf8")
	};
}
function extractFromBytes(line, escape) {
	const flags = [];
	let position = 0;
	while (position < line.length) {
		while (position < line.length && isSpace(line.charAt(position))) position++;
		if (!line.startsWith("--", position)) return {
			flags,
			rest: line.slice(position)
		};
		const { word, quoted, end } = readWord(line, position, escape);
		position = end;
		if (word === "--") return {
			flags,
			rest: line.slice(position)
		};
		if (quoted || word !== "") flags.push(word);
	}
	return {
		flags,
		rest: ""
	};
}
/** Reads one word; its quotes and escapes are consumed. */
function readWord(line, start, escape) {
	let word = "";
	let quoted = false;
	let quote;
	let position = start;
	for (; position < line.length; position++) {
		let character = line.charAt(position);
		if (quote === void 0 && isSpace(character)) break;
		if (character === quote) {
			quote = void 0;
			continue;
		}
		if (quote === void 0 && (character === "'" || character === "\"")) {
			quote = character;
			quoted = true;
			continue;
		}
		if (character === escape) {
			if (position + 1 === line.length) continue;
			character = line.charAt(++position);
		}
		word += character;
	}
	return {
		word,
		quoted,
		end: position
	};
}
/** Every flag of every instruction: one of these in other letters, or at another instruction, is never a newer flag. */
const ALL_FLAGS = /* @__PURE__ */ new Set([
	...[
		"platform",
		"from",
		"chown",
		"chmod",
		"link",
		"parents",
		"exclude",
		"keep-git-dir",
		"checksum",
		"unpack"
	],
	...[
		"mount",
		"network",
		"security",
		"device"
	],
	...[
		"interval",
		"timeout",
		"start-period",
		"start-interval",
		"retries"
	]
]);
/**
* Checks flags. With `tolerant`, a flag of a newer frontend is not an error: it is listed in `unknown`. A flag that
* exists elsewhere, or in other letters (`--FROM`), is an error all the same.
* @throws SyntaxFault in BuildKit's words
*/
function readFlags(words, kinds, tolerant) {
	const flags = [];
	const unknown = [];
	const used = /* @__PURE__ */ new Set();
	for (const word of words) {
		const equals = word.indexOf("=");
		const written = equals === -1 ? word : word.slice(0, equals);
		const value = equals === -1 ? void 0 : word.slice(equals + 1);
		if (!word.startsWith("--")) throw new SyntaxFault(`arg should start with -- : ${word}`);
		const name = written.slice(2);
		const kind = Object.hasOwn(kinds, name) ? kinds[name] : void 0;
		if (kind === void 0) {
			const message = withSuggestion(`unknown flag: ${written}`, name, Object.keys(kinds), { caseSensitive: true });
			if (!tolerant || ALL_FLAGS.has(name.toLowerCase())) throw new SyntaxFault(message);
			unknown.push(message);
			continue;
		}
		if (used.has(name) && kind !== "strings") throw new SyntaxFault(`duplicate flag specified: ${written}`);
		used.add(name);
		flags.push({
			name,
			value: kind === "bool" ? boolValue(written, value) : stringValue(written, value)
		});
	}
	return {
		flags,
		unknown
	};
}
function boolValue(written, value) {
	if (value === "") throw new SyntaxFault(`missing a value on flag: ${written}`);
	const lower = (value ?? "true").toLowerCase();
	if (lower === "true" || lower === "false") return lower;
	throw new SyntaxFault(`expecting boolean value for flag ${written}, not: ${value ?? ""}`);
}
function stringValue(written, value) {
	if (value === void 0) throw new SyntaxFault(`missing a value on flag: ${written}`);
	return value;
}
/** The value of a flag that may stand once; empty where it is absent, as BuildKit's default. */
function flagValue(flags, name) {
	return flags.find((flag) => flag.name === name)?.value ?? "";
}
/** The values of a flag that may be repeated. */
function flagValues(flags, name) {
	return flags.flatMap((flag) => flag.name === name && flag.value !== void 0 ? [flag.value] : []);
}

// src/dockerfile/healthcheck.ts
/**
* What can be wrong with a HEALTHCHECK. Its values matter to no stage, so nothing of it is kept.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/parse.go (parseHealthcheck)
*/
const NANOSECONDS = /* @__PURE__ */ new Map([
	["ns", 1],
	["us", 1e3],
	["µs", 1e3],
	["μs", 1e3],
	["ms", 1e6],
	["s", 1e9],
	["m", 6e10],
	["h", 36e11]
]);
/** @throws SyntaxFault in BuildKit's words */
function checkHealthcheck(type, command, flags) {
	if (type !== "CMD") throw new SyntaxFault(`Unknown type ${goQuote(type)} in HEALTHCHECK (try CMD)`);
	if (command.length === 0) throw new SyntaxFault("Missing command after HEALTHCHECK CMD");
	for (const name of [
		"interval",
		"timeout",
		"start-period",
		"start-interval"
	]) {
		const nanoseconds = parseDuration(flagValue(flags, name));
		if (nanoseconds !== 0 && nanoseconds < 1e6) throw new SyntaxFault(`Interval ${goQuote(name)} cannot be less than 1ms`);
	}
	checkRetries(flagValue(flags, "retries"));
}
/** Go's time.ParseDuration; empty counts as 0. */
function parseDuration(text) {
	if (text === "" || /^[+-]?0$/.test(text)) return 0;
	const quoted = goQuote(text);
	let rest = text.replace(/^[+-]/, "");
	if (rest === "") throw new SyntaxFault(`time: invalid duration ${quoted}`);
	let total = 0;
	while (rest !== "") {
		const match = /^([0-9]*(?:\.[0-9]*)?)([^.0-9]*)/.exec(rest);
		const number = match?.[1] ?? "";
		const unit = match?.[2] ?? "";
		if (number === "" || number === ".") throw new SyntaxFault(`time: invalid duration ${quoted}`);
		if (unit === "") throw new SyntaxFault(`time: missing unit in duration ${quoted}`);
		const factor = NANOSECONDS.get(unit);
		if (factor === void 0) throw new SyntaxFault(`time: unknown unit ${goQuote(unit)} in duration ${quoted}`);
		total += Number(number) * factor;
		rest = rest.slice(number.length + unit.length);
	}
	return text.startsWith("-") ? -total : total;
}
function checkRetries(text) {
	if (text === "") return;
	if (!/^[+-]?[0-9]+$/.test(text)) throw new SyntaxFault(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`);
	const value = Number(text);
	if (Math.abs(value) >= 2 ** 31) throw new SyntaxFault(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`);
	if (value < 0) throw new SyntaxFault(`--retries cannot be negative (${value})`);
}

// src/dockerfile/modifiers.ts
/**
* What `${V:-w}`, `${V#p}`, `${V/p/r}` and their kin make of a value. Patterns know `*`, `?` and `\`; they are matched
* without regular expressions, in linear time, because the pattern is somebody else's text.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/shell/lex.go (processDollar, trimPrefix,
* trimSuffix, convertShellPatternToRegex)
*/
/** @throws SyntaxFault where the operator is unknown, the pattern is bad, or `?` demands a value. */
function applyModifier(modifier) {
	const { value, operator, word, emptyIsUnset } = modifier;
	const isUnset = value === void 0 || emptyIsUnset && value === "";
	switch (operator) {
		case "-": return isUnset ? word : value;
		case "+": return isUnset ? "" : word;
		case "?":
			if (!isUnset) return value;
			throw new SyntaxFault(`${modifier.name}: ${word === "" ? demand(value) : word}`);
		case "#":
		case "%": return trimmed(value ?? "", operator, word);
		case "/":
		case "//": return replaced(value ?? "", modifier);
		default: throw new SyntaxFault(`unsupported modifier (${modifier.written}) in substitution`);
	}
}
function demand(value) {
	return `is not allowed to be ${value === void 0 ? "unset" : "empty"}`;
}
function trimmed(value, operator, word) {
	const longest = word.startsWith(operator);
	const written = longest ? word.slice(1) : word;
	const prefix = operator === "#";
	const pattern = parsePattern(prefix ? written : reversedPattern(written));
	const characters = Array.from(value);
	if (!prefix) characters.reverse();
	const end = matchEnd(pattern, characters, 0, longest);
	if (typeof end !== "number") return value;
	const rest = characters.slice(end);
	if (!prefix) rest.reverse();
	return rest.join("");
}
function replaced(value, { operator, word, replacement = "" }) {
	const pattern = parsePattern(word);
	const characters = Array.from(value);
	const all = operator === "//";
	let out = "";
	let position = 0;
	let copied = 0;
	let previousEnd = -1;
	while (position <= characters.length) {
		const found = findFrom(pattern, characters, position);
		if (found === void 0) break;
		const { start, end } = found;
		if (end > start || start !== previousEnd) {
			const matched = characters.slice(start, end).join("");
			out += characters.slice(copied, start).join("") + (all ? expandTemplate(replacement, matched) : replacement);
			copied = end;
			previousEnd = end;
			if (!all) break;
		}
		position = end > start ? end : start + 1;
	}
	return out + characters.slice(copied).join("");
}
/** Go's ReplaceAllString reads `$0`, `$name` and `$$` in the replacement; there are no groups, so names are empty. */
function expandTemplate(replacement, matched) {
	return replacement.replace(/\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g, (text, braced, bare) => {
		if (text === "$$") return "$";
		return (braced ?? bare) === "0" ? matched : "";
	});
}
const ANY = { kind: "any" };
const ONE = { kind: "one" };
function parsePattern(pattern) {
	const characters = Array.from(pattern);
	const tokens = [];
	for (let i = 0; i < characters.length; i++) {
		let character = characters[i] ?? "";
		if (character === "*" || character === "?") {
			tokens.push(character === "*" ? ANY : ONE);
			continue;
		}
		if (character === "\\") {
			const escaped = characters[++i] ?? "�";
			if (!"*?\\}/".includes(escaped)) throw new SyntaxFault(`invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`);
			character = escaped;
		}
		tokens.push({
			kind: "literal",
			text: character
		});
	}
	return tokens;
}
/** The pattern backwards, each escape still before its character. */
function reversedPattern(pattern) {
	const out = [];
	const characters = Array.from(pattern);
	for (let i = 0; i < characters.length; i++) {
		const character = characters[i] ?? "";
		if (character === "\\" && i < characters.length - 1) out.unshift(character, characters[++i] ?? "");
		else out.unshift(character);
	}
	return out.join("");
}
/**
* Where a match that begins at `start` ends: the longest or the shortest. `none`: no match begins there. `never`: nor
* later, for a `*` has looked through the rest already.
*/
function matchEnd(pattern, characters, start, longest) {
	let states = closure(pattern, [0]);
	let end;
	for (let i = start;; i++) {
		if (states.has(pattern.length)) {
			end = i;
			if (!longest) return end;
		}
		const character = characters[i];
		if (states.size === 0) return end ?? "none";
		if (character === void 0) return end ?? (startsAfterAny(pattern, states) ? "never" : "none");
		states = closure(pattern, step(pattern, states, character));
	}
}
function startsAfterAny(pattern, states) {
	const any = pattern.findIndex((token) => token.kind === "any");
	return any !== -1 && states.has(any);
}
function step(pattern, states, character) {
	const next = [];
	for (const state of states) {
		const token = pattern[state];
		if (token === void 0) continue;
		if (token.kind === "literal") {
			if (token.text === character) next.push(state + 1);
		} else if (character !== "\n") next.push(token.kind === "any" ? state : state + 1);
	}
	return next;
}
/** `*` may match nothing, so whoever stands before it stands behind it too. */
function closure(pattern, states) {
	const all = /* @__PURE__ */ new Set();
	for (const first of states) {
		let state = first;
		while (!all.has(state)) {
			all.add(state);
			if (pattern[state]?.kind === "any") state++;
		}
	}
	return all;
}
/** The leftmost match at or after `from`, as long as can be. */
function findFrom(pattern, characters, from) {
	const first = pattern[0];
	for (let start = from; start <= characters.length; start++) {
		if (first?.kind === "literal" && characters[start] !== first.text) continue;
		const end = matchEnd(pattern, characters, start, true);
		if (end === "never") return void 0;
		if (end !== "none") return {
			start,
			end
		};
	}
}

// src/dockerfile/word-collector.ts
/**
* Splits a stream of characters into words: blanks end a word, unless they come in raw (quoted or escaped). It knows
* nothing of quotes; the lexer tells it.
*/
var WordCollector = class {
	#words = [];
	#word = "";
	/** Text whose blanks separate words. */
	add(text) {
		for (const character of text) if (isSpace(character)) this.#end();
		else this.#word += character;
	}
	/** Text that belongs to the word as it is. */
	addRaw(text) {
		this.#word += text;
	}
	/** The words so far; an empty one (`''`) does not count, as in BuildKit. */
	finish() {
		this.#end();
		return this.#words;
	}
	#end() {
		if (this.#word !== "") this.#words.push(this.#word);
		this.#word = "";
	}
};

// src/dockerfile/lexer.ts
/**
* BuildKit's shell lexer: quotes, escapes and variables of one text, as a whole (`expandWord`) or split into words
* (`splitWords`). Which variables exist is the caller's business.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/shell/lex.go
*/
/** A text that cannot be expanded, with the names that were not found up to there. */
var ExpansionFault = class extends SyntaxFault {
	unmatched;
	constructor(message, unmatched) {
		super(message);
		this.unmatched = unmatched;
	}
};
const PLAIN = /^[^$'"\\`<]*$/;
const NOTHING$1 = /* @__PURE__ */ new Set();
/**
* Expands the variables and removes the quotes of a text; blanks stay.
* @throws ExpansionFault `failed to process "…": …`
*/
function expandWord(text, variables, options) {
	if (PLAIN.test(text)) return {
		text,
		matched: NOTHING$1,
		unmatched: NOTHING$1
	};
	const lexer = new Lexer(text, variables, options);
	const { result } = lexer.run();
	return {
		text: result,
		matched: lexer.matched,
		unmatched: lexer.unmatched
	};
}
/**
* The words of a text, split at blanks outside quotes after expansion.
* @throws ExpansionFault `failed to process "…": …`
*/
function splitWords(text, variables, options) {
	return new Lexer(text, variables, options).run().words;
}
const END_AS_TEXT = "�";
const SPECIAL = "@*#?-$!0";
const MAX_NESTING = 400;
var Lexer = class {
	matched = /* @__PURE__ */ new Set();
	unmatched = /* @__PURE__ */ new Set();
	#source;
	#characters;
	#variables;
	#options;
	#position = 0;
	#rawEscapes;
	#depth = 0;
	constructor(source, variables, options) {
		this.#source = source;
		this.#characters = Array.from(source);
		this.#variables = variables;
		this.#options = options;
		this.#rawEscapes = options.rawEscapes ?? false;
	}
	run() {
		try {
			return this.#until(void 0, this.#rawEscapes);
		} catch (error) {
			if (!(error instanceof SyntaxFault)) throw error;
			throw new ExpansionFault(`failed to process ${goQuote(this.#source)}: ${error.message}`, this.unmatched);
		}
	}
	#peek() {
		return this.#characters[this.#position];
	}
	#next() {
		return this.#characters[this.#position++];
	}
	/** Reads up to and with `stop`, or to the end where there is none. */
	#until(stop, rawEscapes) {
		if (++this.#depth > MAX_NESTING) throw new SyntaxFault("nested too deep");
		const outerRawEscapes = this.#rawEscapes;
		this.#rawEscapes = rawEscapes;
		try {
			return this.#readUntil(stop);
		} finally {
			this.#rawEscapes = outerRawEscapes;
			this.#depth--;
		}
	}
	#readUntil(stop) {
		const words = new WordCollector();
		let result = "";
		for (let character = this.#peek(); character !== void 0; character = this.#peek()) {
			if (character === stop) {
				this.#position++;
				return {
					result,
					words: words.finish()
				};
			}
			const special = this.#special(character);
			if (special !== void 0) {
				result += special;
				if (character === "$") words.add(special);
				else words.addRaw(special);
				continue;
			}
			this.#position++;
			if (character !== this.#options.escape) {
				words.add(character);
				result += character;
				continue;
			}
			if (this.#rawEscapes) {
				words.addRaw(character);
				result += character;
			}
			const escaped = this.#next();
			if (escaped === void 0) break;
			words.addRaw(escaped);
			result += escaped;
		}
		if (stop !== void 0) throw new SyntaxFault(`unexpected end of statement while looking for matching ${stop}`);
		return {
			result,
			words: words.finish()
		};
	}
	/** The text that a special character stands for, or undefined where the character is none. */
	#special(character) {
		if (character === "$") return this.#dollar();
		if (character === "<") return this.#heredoc();
		if (this.#options.ignoreQuotes ?? false) return void 0;
		if (character === "'") return this.#singleQuoted();
		return character === "\"" ? this.#doubleQuoted() : void 0;
	}
	/** `<<` takes the blanks after it along, so that `<< EOF` is one word. */
	#heredoc() {
		this.#position++;
		if (this.#peek() !== "<") return "<";
		this.#position++;
		let blanks = "";
		for (let c = this.#peek(); c !== void 0 && isSpace(c); c = this.#peek()) {
			blanks += c;
			this.#position++;
		}
		return `<<${blanks}`;
	}
	#singleQuoted() {
		const end = this.#characters.indexOf("'", this.#position + 1);
		if (end === -1) {
			this.#position = this.#characters.length;
			throw new SyntaxFault("unexpected end of statement while looking for matching single-quote");
		}
		const inner = this.#characters.slice(this.#position + 1, end).join("");
		this.#position = end + 1;
		return this.#quoted("'", inner);
	}
	#doubleQuoted() {
		this.#position++;
		let result = "";
		for (;;) {
			const character = this.#peek();
			if (character === void 0) throw new SyntaxFault("unexpected end of statement while looking for matching double-quote");
			if (character === "$") {
				result += this.#dollar();
				continue;
			}
			this.#position++;
			if (character === "\"") return this.#quoted("\"", result);
			if (character !== this.#options.escape) {
				result += character;
				continue;
			}
			if (this.#rawEscapes) result += character;
			const escaped = this.#peek();
			if (escaped === void 0) continue;
			if (escaped === "\"" || escaped === "$" || escaped === this.#options.escape) result += this.#next() ?? "";
			else result += character;
		}
	}
	#quoted(quote, inner) {
		return this.#options.rawQuotes ?? false ? `${quote}${inner}${quote}` : inner;
	}
	#dollar() {
		this.#position++;
		if (this.#peek() !== "{") {
			const name = this.#name();
			if (name === "") return "$";
			return this.#lookUp(name) ?? (this.#options.keepUnset ?? false ? `$${name}` : "");
		}
		this.#position++;
		const first = this.#peek();
		if (first === void 0) throw new SyntaxFault("syntax error: missing '}'");
		if (first === "{" || first === "}" || first === ":") throw new SyntaxFault("syntax error: bad substitution");
		return this.#substitution(this.#name());
	}
	#substitution(name) {
		let operator = this.#next() ?? END_AS_TEXT;
		if (operator === "}") return this.#lookUp(name) ?? (this.#options.keepUnset ?? false ? `\${${name}}` : "");
		if (operator === "/") return this.#replacement(name);
		const emptyIsUnset = operator === ":";
		if (emptyIsUnset) operator = this.#next() ?? END_AS_TEXT;
		const written = emptyIsUnset ? `:${operator}` : operator;
		const isPattern = operator === "#" || operator === "%";
		if (emptyIsUnset ? isPattern : !"+-?#%".includes(operator)) throw new SyntaxFault(`unsupported modifier (${written}) in substitution`);
		const word = this.#operand("}", isPattern, "syntax error: missing '}'");
		const value = this.#lookUp(name);
		if (value === void 0 && (this.#options.keepUnset ?? false)) return `\${${name}${written}${word}}`;
		return applyModifier({
			name,
			value,
			operator,
			written,
			word,
			emptyIsUnset
		});
	}
	#replacement(name) {
		const all = this.#peek() === "/";
		if (all) this.#position++;
		const word = this.#operand("/", true, "syntax error: missing '/' in ${}");
		const replacement = this.#operand("}", true, "syntax error: missing '}'");
		const value = this.#lookUp(name);
		if (value === void 0 && (this.#options.keepUnset ?? false)) return `\${${name}/${word}/${replacement}}`;
		const operator = all ? "//" : "/";
		return applyModifier({
			name,
			value,
			operator,
			written: operator,
			word,
			emptyIsUnset: false,
			replacement
		});
	}
	/** The word after a modifier; `missing` is said where the text ends before `stop`. */
	#operand(stop, rawEscapes, missing) {
		try {
			return this.#until(stop, rawEscapes).result;
		} catch (error) {
			if (error instanceof SyntaxFault && this.#peek() === void 0) throw new SyntaxFault(missing);
			throw error;
		}
	}
	/** A name, a number, or one special parameter; empty where there is none. */
	#name() {
		const first = this.#peek();
		if (first === void 0) return "";
		if (/\p{Nd}/u.test(first)) return this.#while(/\p{Nd}/u);
		if (SPECIAL.includes(first)) return this.#next() ?? "";
		return this.#while(/[\p{L}\p{Nd}_]/u);
	}
	#while(pattern) {
		const start = this.#position;
		for (let c = this.#peek(); c !== void 0 && pattern.test(c); c = this.#peek()) this.#position++;
		return this.#characters.slice(start, this.#position).join("");
	}
	#lookUp(name) {
		const value = this.#variables(name);
		(value === void 0 ? this.unmatched : this.matched).add(name);
		return value;
	}
};

// src/dockerfile/heredoc.ts
/**
* Which words of a logical line announce heredocs. It does not read their bodies.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (heredocFromMatch,
* heredocsFromLine), with the blanks after `<<` that dockerfile 1.16 allows.
*/
const WORD = {
	escape: "\\",
	keepUnset: true
};
const RAW_WORD = {
	...WORD,
	rawQuotes: true
};
const LINE = {
	...RAW_WORD,
	rawEscapes: true
};
const HEREDOC = /^([0-9]*)<<(-?)([^<]*)$/;
function nothing() {}
/**
* What a word announces; undefined where it announces nothing.
* @throws SyntaxFault when the name's quotes do not match.
*/
function parseHeredoc(word) {
	const match = HEREDOC.exec(word);
	const rest = match?.[3]?.replace(/^[\t\n\f\r ]+/, "") ?? "";
	if (match === null || rest === "") return void 0;
	const words = splitWords(rest, nothing, WORD);
	const raw = splitWords(rest, nothing, RAW_WORD);
	const name = words[0];
	if (name === void 0 || words.length !== 1) return void 0;
	if (raw.length !== 1) throw new SyntaxFault(`internal lexing of heredoc produced inconsistent results: ${rest}`);
	return {
		name,
		expand: countQuotes(name) === countQuotes(raw[0] ?? ""),
		chomp: match[2] === "-",
		fileDescriptor: Number(match[1] ?? "0")
	};
}
function countQuotes(text) {
	return text.split(/['"]/).length - 1;
}
/**
* The heredocs of a logical line, in order. A line that cannot be lexed has none.
* @throws SyntaxFault as `parseHeredoc`
*/
function heredocsOfLine(line) {
	if (!line.includes("<<")) return [];
	return wordsOrNone(line).flatMap((word) => parseHeredoc(word) ?? []);
}
function wordsOrNone(line) {
	try {
		return splitWords(line, nothing, LINE);
	} catch (error) {
		if (error instanceof SyntaxFault) return [];
		throw error;
	}
}

// src/dockerfile/mount.ts
/**
* `RUN --mount=…`: what is known when the file is parsed (`mountSource`), and the whole mount once variables have values
* (`parseMount`). It resolves no stage.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/commands_runmount.go
*/
const TYPES = /* @__PURE__ */ new Set([
	"bind",
	"cache",
	"tmpfs",
	"secret",
	"ssh"
]);
const SHARINGS = /* @__PURE__ */ new Set([
	"shared",
	"private",
	"locked"
]);
const KEYS = [...[
	"type",
	"from",
	"source",
	"target",
	"readonly",
	"id",
	"sharing",
	"required",
	"size",
	"mode",
	"uid",
	"gid"
], ...[
	"src",
	"dst",
	"destination",
	"ro",
	"rw",
	"readwrite",
	"env"
]];
/** @throws SyntaxFault where the value is no CSV, or `from` holds a variable */
function mountSource(text) {
	let from = "";
	for (const { key, value } of mountFields(text)) {
		if (key !== "from" || value === void 0) continue;
		if (/\$[^\n]/.test(value)) throw new SyntaxFault("'from' doesn't support variable expansion, define alias stage instead");
		from = value;
	}
	return {
		text,
		from
	};
}
function mountFields(text) {
	try {
		return csvFields(text).map((field) => {
			const equals = field.indexOf("=");
			if (equals === -1) return {
				key: field.toLowerCase(),
				value: void 0,
				text: field
			};
			return {
				key: field.slice(0, equals).toLowerCase(),
				value: field.slice(equals + 1),
				text: field
			};
		});
	} catch (error) {
		if (error instanceof SyntaxFault) throw new SyntaxFault(`failed to parse csv mounts: ${error.message}`);
		throw error;
	}
}
/**
* Reads a whole mount; `expand` gives each value its variables.
* @throws SyntaxFault for unknown types and keys, bad values, and what does not go together
*/
function parseMount(text, expand) {
	const draft = {
		type: "bind",
		from: "",
		source: "",
		target: "",
		readOnly: void 0,
		id: "",
		sharing: "",
		required: false,
		options: /* @__PURE__ */ new Map()
	};
	for (const field of mountFields(text)) if (field.value === void 0) setBare(draft, field);
	else setValue(draft, field, expand(field.value));
	checkTogether(draft);
	const { type, from, source, target, id, sharing, required, options } = draft;
	return {
		type,
		from,
		source,
		target,
		id,
		sharing,
		required,
		options,
		readOnly: draft.readOnly ?? !isWritable(type)
	};
}
function isWritable(type) {
	return type === "cache" || type === "tmpfs";
}
function setBare(draft, { key, text }) {
	if (key === "readonly" || key === "ro") draft.readOnly = true;
	else if (key === "readwrite" || key === "rw") draft.readOnly = false;
	else if (key === "required") setRequired(draft, key, "true");
	else throw new SyntaxFault(`invalid field '${text}' must be a key=value pair`);
}
function setValue(draft, { key, text }, value) {
	switch (key) {
		case "type":
			draft.type = oneOf(value, TYPES, "mount type");
			return;
		case "from":
		case "id":
			draft[key] = value;
			return;
		case "source":
		case "src":
			draft.source = value;
			return;
		case "target":
		case "dst":
		case "destination":
			draft.target = value;
			return;
		case "readonly":
		case "ro":
			draft.readOnly = flag(key, value);
			return;
		case "readwrite":
		case "rw":
			draft.readOnly = !flag(key, value);
			return;
		case "required":
			setRequired(draft, key, value);
			return;
		case "size":
			if (draft.type !== "tmpfs") throw unexpected(key, draft.type);
			if (!/^[0-9]+(?:\.[0-9]+)* ?[kmgtp]?i?b?$/i.test(value)) throw new SyntaxFault(`invalid value for ${key}: ${value}`);
			draft.options.set(key, value);
			return;
		case "sharing":
			draft.sharing = oneOf(value, SHARINGS, "sharing value");
			return;
		case "mode":
		case "uid":
		case "gid":
			if (!isUint32(value, key === "mode" ? 8 : 10)) throw new SyntaxFault(`invalid value ${value} for ${key}`);
			draft.options.set(key, value);
			return;
		case "env":
			draft.options.set(key, value);
			return;
		default: throw new SyntaxFault(withSuggestion(`unexpected key '${key}' in '${text}'`, key, KEYS, { caseSensitive: true }));
	}
}
function oneOf(value, allowed, what) {
	const lower = value.toLowerCase();
	if (allowed.has(lower)) return lower;
	const message = `unsupported ${what} ${goQuote(value)}`;
	throw new SyntaxFault(withSuggestion(message, value, [...allowed], { caseSensitive: true }));
}
function flag(key, value) {
	const result = parseBool(value);
	if (result === void 0) throw new SyntaxFault(`invalid value for ${key}: ${value}`);
	return result;
}
function setRequired(draft, key, value) {
	if (draft.type !== "secret" && draft.type !== "ssh") throw unexpected(key, draft.type);
	draft.required = flag(key, value);
}
function unexpected(key, type) {
	return new SyntaxFault(`unexpected key '${key}' for mount type '${type}'`);
}
function isUint32(value, base) {
	return (base === 8 ? /^[0-7]+$/ : /^[0-9]+$/).test(value) && Number.parseInt(value, base) < 2 ** 32;
}
function checkTogether({ type, from, source, target, id, sharing, options }) {
	if (type === "bind" || type === "tmpfs") {
		const key = [
			"mode",
			"uid",
			"gid"
		].find((name) => options.has(name));
		if (key !== void 0) throw new SyntaxFault(`${key} not allowed for ${goQuote(type)} type mounts`);
	}
	if (type === "secret") {
		if (from !== "") throw new SyntaxFault("secret mount should not have a from");
		if (sharing !== "") throw new SyntaxFault("secret mount should not define sharing");
		if (source === "" && target === "" && id === "") throw new SyntaxFault("invalid secret mount. one of source, target required");
		if (source !== "" && id !== "") throw new SyntaxFault("both source and id can't be set");
	}
	if (sharing !== "" && type !== "cache") throw new SyntaxFault(`invalid cache sharing set for ${type} mount`);
}

// src/dockerfile/arguments.ts
/**
* An instruction's arguments, split the way its kind asks for: blanks, shell-like words with their quotes, name–value
* pairs, JSON. It knows no instruction.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/line_parsers.go
*/
/** Words split at blanks outside quotes; quotes and escapes stay in them. */
function quotedWords(text, escape) {
	const words = [];
	let word = "";
	let quote;
	let started = false;
	const end = () => {
		if (started) words.push(word);
		word = "";
		started = false;
	};
	for (let i = 0; i < text.length; i++) {
		const character = text.charAt(i);
		if (quote === void 0 && isSpace(character)) {
			end();
			continue;
		}
		if (character === escape && quote !== "'") {
			if (i + 1 === text.length) break;
			word += character + text.charAt(++i);
			started = true;
			continue;
		}
		if (quote === void 0 && (character === "'" || character === "\"")) quote = character;
		else if (character === quote) quote = void 0;
		word += character;
		started = true;
	}
	end();
	return words;
}
/** @throws SyntaxFault where a pair has no value */
function nameValuePairs(text, keyword, escape) {
	const words = quotedWords(text, escape);
	if (words[0] === void 0) return [];
	if (!words[0].includes("=")) {
		const [name = "", value] = splitBlanks(text, 2);
		if (value === void 0) throw new SyntaxFault(`${keyword} must have two arguments`);
		return [{
			name,
			value,
			legacy: true
		}];
	}
	return words.map((word) => {
		const equals = word.indexOf("=");
		if (equals === -1) throw new SyntaxFault(`Syntax error - can't find = in ${goQuote(word)}. Must be of the form: name=value`);
		return {
			name: word.slice(0, equals),
			value: word.slice(equals + 1),
			legacy: false
		};
	});
}
/** A JSON array of strings, or the whole text as one argument. @throws SyntaxFault as `jsonArray` */
function jsonOrLine(text) {
	if (text === "") return {
		args: [],
		json: false
	};
	const array = jsonArray(text);
	return array === void 0 ? {
		args: [text],
		json: false
	} : {
		args: array,
		json: true
	};
}
/** A JSON array of strings, or words split at blanks. @throws SyntaxFault as `jsonArray` */
function jsonOrWords(text) {
	const array = jsonArray(text);
	if (array !== void 0) return {
		args: array,
		json: true
	};
	return {
		args: text === "" ? [] : splitBlanks(text),
		json: false
	};
}
/**
* The strings of a JSON array; undefined where the text is none.
* @throws SyntaxFault where it is an array with something else in it
*/
function jsonArray(text) {
	const start = trimSpaceLeft(text);
	if (!start.startsWith("[")) return void 0;
	const values = parseJson(start);
	if (!Array.isArray(values) || values.some((value) => value === 1e400 || value === -1e400)) return void 0;
	return values.map((value) => {
		if (typeof value === "string") return value;
		throw new SyntaxFault("when using JSON array syntax, arrays must be comprised of strings only");
	});
}

// src/dockerfile/statements.ts
/**
* A logical line to a statement: keyword, flags, arguments, before anyone asks whether the instruction makes sense. The
* errors found here are those of BuildKit's parser, which sees the whole file before the first instruction is looked at.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (newNodeFromLine)
*/
const KEYWORDS = {
	ADD: true,
	ARG: true,
	CMD: true,
	COPY: true,
	ENTRYPOINT: true,
	ENV: true,
	EXPOSE: true,
	FROM: true,
	HEALTHCHECK: true,
	LABEL: true,
	MAINTAINER: true,
	ONBUILD: true,
	RUN: true,
	SHELL: true,
	STOPSIGNAL: true,
	USER: true,
	VOLUME: true,
	WORKDIR: true
};
const INSTRUCTION_NAMES = Object.keys(KEYWORDS);
function isKeyword(word) {
	return Object.hasOwn(KEYWORDS, word);
}
/** ONBUILD within ONBUILD is an error anyway; so many of them must not exhaust the stack. */
const MAX_ONBUILDS = 50;
/** @throws SyntaxFault in the words of BuildKit's parser */
function parseStatement(line, escape, depth = 0) {
	const text = trimSpace(line);
	const [written = "", after = ""] = splitBlanks(text, 2);
	const upper = written.toUpperCase();
	const keyword = isKeyword(upper) ? upper : void 0;
	const { flags, rest: untrimmed } = extractFlags(after, escape);
	return {
		keyword,
		written,
		text,
		flags,
		args: [],
		json: false,
		pairs: [],
		inner: void 0,
		...parseArguments(keyword, trimSpace(untrimmed), escape, depth)
	};
}
function parseArguments(keyword, rest, escape, depth) {
	switch (keyword) {
		case void 0: return {};
		case "ADD":
		case "COPY":
		case "VOLUME": return jsonOrWords(rest);
		case "RUN":
		case "CMD":
		case "ENTRYPOINT":
		case "SHELL": return jsonOrLine(rest);
		case "ARG": return { args: quotedWords(rest, escape) };
		case "ENV":
		case "LABEL": {
			const pairs = nameValuePairs(rest, keyword, escape);
			return {
				pairs,
				args: pairs.map((pair) => `${pair.name}${pair.legacy ? " " : "="}${pair.value}`)
			};
		}
		case "FROM":
		case "EXPOSE": return { args: rest === "" ? [] : splitBlanks(rest) };
		case "HEALTHCHECK": return parseHealthcheck(rest);
		case "MAINTAINER":
		case "STOPSIGNAL":
		case "USER":
		case "WORKDIR": return { args: rest === "" ? [] : [rest] };
		case "ONBUILD": {
			if (rest === "" || depth >= MAX_ONBUILDS) return {};
			const inner = parseStatement(rest, escape, depth + 1);
			return {
				inner,
				args: [inner.written, ...inner.args]
			};
		}
	}
}
function parseHealthcheck(rest) {
	if (rest === "") return {};
	let end = 0;
	while (end < rest.length && !isSpace(rest.charAt(end))) end++;
	const command = jsonOrLine(trimSpace(rest.slice(end)));
	return {
		args: [rest.slice(0, end), ...command.args],
		json: command.json
	};
}
/** COPY, ADD and RUN can have heredocs, plain or as a trigger, unless their arguments are JSON. */
function canHoldHeredocs(statement) {
	const holder = statement.keyword === "ONBUILD" ? statement.inner ?? statement : statement;
	return !holder.json && (holder.keyword === "ADD" || holder.keyword === "COPY" || holder.keyword === "RUN");
}

// src/dockerfile/build-instruction.ts
/**
* A statement to an instruction: what each instruction asks of its flags and arguments.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/instructions/parse.go
*/
const FLAGS = {
	FROM: { platform: "string" },
	COPY: {
		from: "string",
		chown: "string",
		chmod: "string",
		link: "bool",
		parents: "bool",
		exclude: "strings"
	},
	ADD: {
		chown: "string",
		chmod: "string",
		link: "bool",
		exclude: "strings",
		"keep-git-dir": "bool",
		checksum: "string",
		unpack: "bool"
	},
	RUN: {
		mount: "strings",
		network: "string",
		security: "string",
		device: "strings"
	},
	HEALTHCHECK: {
		interval: "string",
		timeout: "string",
		"start-period": "string",
		"start-interval": "string",
		retries: "string"
	}
};
/** A newer frontend may know more flags of these. */
const TOLERANT = /* @__PURE__ */ new Set([
	"COPY",
	"ADD",
	"RUN"
]);
/** @throws SyntaxFault in BuildKit's words, without the line */
function buildInstruction(source) {
	const { statement } = source;
	const { keyword } = statement;
	if (keyword === void 0) {
		const message = `unknown instruction: ${statement.written}`;
		throw new SyntaxFault(withSuggestion(message, statement.written, INSTRUCTION_NAMES, { caseSensitive: false }));
	}
	checkArgumentsFirst(keyword, statement);
	const { flags, unknown } = keyword === "ARG" || keyword === "STOPSIGNAL" || isNoHealthcheck(statement) ? {
		flags: [],
		unknown: []
	} : readFlags(statement.flags, FLAGS[keyword] ?? {}, TOLERANT.has(keyword));
	return {
		instruction: build$1(keyword, source, flags),
		unknownFlags: unknown
	};
}
/** What is looked at before the flags. */
function checkArgumentsFirst(keyword, { args }) {
	switch (keyword) {
		case "FROM":
			stageName$1(args);
			return;
		case "COPY":
		case "ADD":
			if (args.length >= 2) return;
			throw new SyntaxFault(`${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`);
		case "MAINTAINER":
		case "STOPSIGNAL":
		case "USER":
		case "WORKDIR":
			if (args.length !== 1) throw new SyntaxFault(`${keyword} requires exactly one argument`);
			return;
		case "ARG":
		case "EXPOSE":
		case "HEALTHCHECK":
		case "ONBUILD":
		case "VOLUME":
			if (args.length === 0) throw new SyntaxFault(`${keyword} requires at least one argument`);
			return;
		case "CMD":
		case "ENTRYPOINT":
		case "ENV":
		case "LABEL":
		case "RUN":
		case "SHELL": return;
	}
}
function build$1(keyword, source, flags) {
	const { statement, heredocs, line, endLine } = source;
	const { written, text, args, json } = statement;
	const common = {
		written,
		text,
		line,
		endLine,
		flags,
		args,
		json,
		heredocs
	};
	switch (keyword) {
		case "FROM": return {
			...common,
			keyword,
			...fromFields(args, flags)
		};
		case "COPY": return {
			...common,
			keyword,
			...transferFields(keyword, source, flags),
			from: flagValue(flags, "from"),
			parents: flagValue(flags, "parents") === "true"
		};
		case "ADD": return {
			...common,
			keyword,
			...transferFields(keyword, source, flags),
			checksum: flagValue(flags, "checksum")
		};
		case "RUN": return {
			...common,
			keyword,
			...runFields(flags)
		};
		case "ARG": return {
			...common,
			keyword,
			pairs: args.map(argPair)
		};
		case "ENV":
		case "LABEL":
			checkPairs(keyword, statement);
			return {
				...common,
				keyword,
				pairs: statement.pairs
			};
		case "ONBUILD": return {
			...common,
			keyword,
			trigger: trigger(source)
		};
		case "CMD":
		case "ENTRYPOINT":
		case "EXPOSE":
		case "HEALTHCHECK":
		case "MAINTAINER":
		case "SHELL":
		case "STOPSIGNAL":
		case "USER":
		case "VOLUME":
		case "WORKDIR":
			checkOther(keyword, statement, flags);
			return {
				...common,
				keyword
			};
	}
}
function transferFields(keyword, { statement, heredocs }, flags) {
	const destination = statement.args.at(-1) ?? "";
	if (heredocWord(destination) !== void 0) throw new SyntaxFault(`${keyword} cannot accept a heredoc as a destination`);
	const sources = [];
	const heredocSources = [];
	for (const word of statement.args.slice(0, -1)) {
		const start = heredocWord(word);
		if (start === void 0) sources.push(word);
		else heredocSources.push({
			...start,
			body: heredocs.findLast(({ name }) => name === start.name)?.body ?? ""
		});
	}
	return {
		sources,
		heredocSources,
		destination,
		chown: flagValue(flags, "chown"),
		chmod: flagValue(flags, "chmod"),
		link: flagValue(flags, "link") === "true",
		exclude: flagValues(flags, "exclude")
	};
}
function heredocWord(word) {
	try {
		return parseHeredoc(word);
	} catch {
		return;
	}
}
function fromFields(args, flags) {
	const platform = flagValue(flags, "platform");
	return {
		base: args[0] ?? "",
		name: stageName$1(args),
		platform: platform === "" ? void 0 : platform
	};
}
function stageName$1(args) {
	if (args.length === 1) return void 0;
	const [, as = "", written = ""] = args;
	if (args.length !== 3 || as.toLowerCase() !== "as") throw new SyntaxFault("FROM requires either one or three arguments");
	const name = written.toLowerCase();
	if (/^[a-z][a-z0-9\-_.]*$/.test(name)) return name;
	throw new SyntaxFault(`invalid name for build stage: ${goQuote(written)}, name can't start with a number or contain symbols`);
}
function runFields(flags) {
	const mounts = flagValues(flags, "mount").map(mountSource);
	const network = flags.some(({ name }) => name === "network") ? flagValue(flags, "network") : "default";
	if (![
		"default",
		"none",
		"host"
	].includes(network)) throw new SyntaxFault(`invalid network mode ${goQuote(network)}`);
	const security = flags.some(({ name }) => name === "security") ? flagValue(flags, "security") : "sandbox";
	if (!["sandbox", "insecure"].includes(security)) throw new SyntaxFault(`security ${goQuote(security)} is not valid`);
	return {
		mounts,
		network,
		security
	};
}
function argPair(word) {
	const equals = word.indexOf("=");
	if (equals === 0) throw new SyntaxFault("ARG names can not be blank");
	if (equals === -1) return {
		name: word,
		value: void 0
	};
	return {
		name: word.slice(0, equals),
		value: word.slice(equals + 1)
	};
}
function checkPairs(keyword, { pairs }) {
	if (pairs.length === 0) throw new SyntaxFault(`${keyword} requires at least one argument`);
	if (pairs.some(({ name }) => name === "")) throw new SyntaxFault(`${keyword} names can not be blank`);
}
function trigger({ statement, heredocs }) {
	const wrapped = trimSpace(statement.args[0] ?? "").toUpperCase();
	if (wrapped === "ONBUILD") throw new SyntaxFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (wrapped === "MAINTAINER" || wrapped === "FROM") throw new SyntaxFault(`${wrapped} isn't allowed as an ONBUILD trigger`);
	return [statement.text.replace(/^onbuild[\t\n\f\r ]*/i, ""), ...heredocs.map(({ name, body }) => `${body}${name}`)].join("\n");
}
function isNoHealthcheck({ keyword, args }) {
	return keyword === "HEALTHCHECK" && args[0]?.toUpperCase() === "NONE";
}
function checkOther(keyword, statement, flags) {
	const { args, json } = statement;
	if (keyword === "HEALTHCHECK") {
		if (!isNoHealthcheck(statement)) checkHealthcheck((args[0] ?? "").toUpperCase(), args.slice(1), flags);
		else if (args.length > 1) throw new SyntaxFault("HEALTHCHECK NONE takes no arguments");
	}
	if (keyword === "SHELL") {
		if (args.length === 0) throw new SyntaxFault("SHELL requires at least one argument");
		if (!json) throw new SyntaxFault("SHELL requires the arguments to be in JSON form");
	}
	if (keyword === "VOLUME" && args.some((arg) => trimSpace(arg) === "")) throw new SyntaxFault("VOLUME specified can not be an empty string");
}

// src/dockerfile/directives.ts
/**
* The directives at the top of a Dockerfile: `# syntax=`, `# escape=`, `# check=`. They are read twice, by two rules:
* the parser reads `escape` line by line (and a shebang ends the block); `syntax` and `check` are looked up on the whole
* text beforehand (and a shebang is skipped). It does not apply them.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/directives.go
*/
const DIRECTIVE = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=([^\n]+)$/;
const KNOWN = /* @__PURE__ */ new Set([
	"syntax",
	"escape",
	"check"
]);
/** Reads lines while they are directives; done at the first line that is none. */
var DirectiveReader = class {
	#prefix;
	#seen = /* @__PURE__ */ new Set();
	#done = false;
	constructor(prefix = "#") {
		this.#prefix = prefix;
	}
	get done() {
		return this.#done;
	}
	/**
	* The directive on this line, if the block has not ended.
	* @throws SyntaxFault when it stands there a second time.
	*/
	read(line) {
		if (this.#done) return void 0;
		const match = line.startsWith(this.#prefix) ? DIRECTIVE.exec(trimSpaceLeft(line.slice(this.#prefix.length))) : null;
		const name = match?.[1]?.toLowerCase();
		const value = directiveValue(match?.[2]);
		if (name === void 0 || value === void 0 || !KNOWN.has(name)) {
			this.#done = true;
			return;
		}
		if (this.#seen.has(name)) throw new SyntaxFault(`only one ${name} parser directive can be used`);
		this.#seen.add(name);
		return {
			name,
			value
		};
	}
};
/** What `\s*(.+?)\s*$` captures: the text without blanks around it, or the last blank where there is nothing else. */
function directiveValue(rest) {
	if (rest === void 0) return void 0;
	let start = 0;
	let end = rest.length;
	while (start < end - 1 && "	\n\f\r ".includes(rest.charAt(start))) start++;
	while (end > start + 1 && "	\n\f\r ".includes(rest.charAt(end - 1))) end--;
	return rest.slice(start, end);
}
/** @throws SyntaxFault when it is neither of the two characters. */
function parseEscape(value) {
	if (value === "\\" || value === "`") return value;
	throw new SyntaxFault(`invalid escape token '${value}' does not match \` or \\`);
}
/** The image of the frontend that the text asks for: `# syntax=`, `// syntax=`, or a JSON object's `syntax`. */
function detectSyntax(text) {
	const body = withoutShebang(text);
	return findDirective(body, "syntax", "#") ?? findDirective(body, "syntax", "//") ?? jsonSyntax(body);
}
/** The value of `# check=` up to its first blank, as BuildKit cuts it. */
function detectCheck(text) {
	return findDirective(withoutShebang(text), "check", "#");
}
function withoutShebang(text) {
	const body = text.replace(/^\ufeff/, "");
	if (!body.startsWith("#!")) return body;
	const end = body.indexOf("\n");
	return end === -1 ? "" : body.slice(end + 1);
}
function findDirective(text, name, prefix) {
	const reader = new DirectiveReader(prefix);
	let start = 0;
	while (start < text.length && !reader.done) {
		const end = text.indexOf("\n", start);
		const line = text.slice(start, end === -1 ? void 0 : end).replace(/\r$/, "");
		start = end === -1 ? text.length : end + 1;
		try {
			const directive = reader.read(line);
			if (directive?.name === name) return directive.value.split(" ")[0];
		} catch {
			return;
		}
	}
}
function jsonSyntax(text) {
	if (!trimSpaceLeft(text).startsWith("{")) return void 0;
	try {
		const value = JSON.parse(text);
		if (typeof value !== "object" || value === null || !("syntax" in value)) return void 0;
		return typeof value.syntax === "string" ? value.syntax : void 0;
	} catch {
		return;
	}
}
/** The frontend that BuildKit itself is (facts §1.2): its releases, with any tag or digest. */
function isDockerfileFrontend(image) {
	return /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/.test(image);
}
/**
* Reads `skip=A,B;error=true`.
* @throws SyntaxFault in the words of https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/linter/linter.go
*/
function parseCheck(value) {
	let skip = /* @__PURE__ */ new Set();
	let skipAll = false;
	let error = false;
	const text = trimSpace(value ?? "");
	for (const part of text === "" ? [] : splitAtMost(text, ";", 3)) {
		const equals = part.indexOf("=");
		if (equals === -1) throw new SyntaxFault(`invalid check option ${goQuote(part)}`);
		const name = trimSpace(part.slice(0, equals));
		const setting = trimSpace(part.slice(equals + 1));
		if (name === "skip") {
			skipAll ||= setting === "all";
			if (setting !== "all") skip = new Set(setting.split(",").map(trimSpace));
		} else if (name === "error") {
			const flag = parseBool(setting);
			if (flag === void 0) {
				const inner = `strconv.ParseBool: parsing ${goQuote(setting)}: invalid syntax`;
				throw new SyntaxFault(`failed to parse check option ${goQuote(part)}: ${inner}`);
			}
			error = flag;
		} else if (name !== "experimental") throw new SyntaxFault(`invalid check option ${goQuote(name)}`);
	}
	return {
		skip,
		skipAll,
		error
	};
}
function splitAtMost(text, separator, count) {
	const parts = text.split(separator);
	return parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

// src/dockerfile/from-casing.ts
/** What the linter says of this FROM; nothing of other statements. */
function lintFrom({ keyword, written, args }, range) {
	if (keyword !== "FROM" || args.length < 3) return [];
	const { line, endLine } = range;
	const [, as = "", name = ""] = args;
	const warnings = [];
	if (args.length === 3 && name !== name.toLowerCase()) warnings.push({
		rule: "StageNameCasing",
		message: `Stage name '${name}' should be lowercase`,
		line,
		endLine
	});
	if (!matchesCase(written, as)) {
		const message = `'${as}' and '${written}' keywords' casing do not match`;
		warnings.push({
			rule: "FromAsCasing",
			message,
			line,
			endLine
		});
	}
	return warnings;
}
/** A FROM in mixed letters is another rule's concern. */
function matchesCase(from, as) {
	if (from === from.toLowerCase()) return as === as.toLowerCase();
	return from !== from.toUpperCase() || as === as.toUpperCase();
}

// src/dockerfile/lines.ts
/**
* Physical lines to logical lines: byte-order mark, line ends, the length limit, comments, continuations, and the bodies
* of heredocs. It does not look into a line.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/parser/parser.go (Parse)
*/
/** In bytes, without the line feed; BuildKit reads with a buffer of 64 KiB. */
const MAX_LINE_BYTES = 65535;
var LineReader = class {
	#text;
	#above;
	#directives = new DirectiveReader();
	#escape = "\\";
	#offset = 0;
	#line;
	#tooLong = false;
	/** @param above how many lines of its file stand above the text */
	constructor(text, above = 0) {
		this.#text = text;
		this.#above = above;
		this.#line = above;
	}
	/** As the directives read so far say; complete from the first logical line on. */
	get escape() {
		return this.#escape;
	}
	/** The physical line that was read last. */
	get line() {
		return this.#line;
	}
	/** A line was too long: reading ended before it. */
	get tooLong() {
		return this.#tooLong;
	}
	/**
	* The next logical line; undefined at the end.
	* @throws SyntaxFault for a bad directive; reading can go on behind it
	*/
	next() {
		for (;;) {
			const physical = this.#read();
			if (physical === void 0) return void 0;
			const content = trimSpaceLeft(withoutLineEnd(this.#line === this.#above + 1 ? physical.replace(/^\ufeff/, "") : physical));
			const directive = this.#directives.read(content);
			if (directive?.name === "escape") this.#escape = parseEscape(directive.value);
			if (content === "" || content.startsWith("#")) continue;
			return this.#continue(content);
		}
	}
	#continue(first) {
		const line = this.#line;
		const parts = [];
		let emptyContinuation = false;
		let continued = this.#continued(first);
		if (continued === void 0) return {
			text: first,
			line,
			endLine: line,
			emptyContinuation
		};
		parts.push(continued);
		while (continued !== void 0) {
			const physical = this.#read();
			if (physical === void 0) break;
			const content = withoutLineEnd(physical);
			const trimmed = trimSpaceLeft(content);
			if (trimmed.startsWith("#")) continue;
			if (trimmed === "") {
				emptyContinuation = true;
				continue;
			}
			continued = this.#continued(content);
			parts.push(continued ?? content);
		}
		return {
			text: parts.join(""),
			line,
			endLine: this.#line,
			emptyContinuation
		};
	}
	/** The line without its continuation character; undefined where it is not continued (or the character is escaped). */
	#continued(content) {
		let end = content.length;
		while (end > 0 && " 	".includes(content.charAt(end - 1))) end--;
		if (content.charAt(end - 1) !== this.#escape || content.charAt(end - 2) === this.#escape) return void 0;
		return content.slice(0, end - 1);
	}
	/** Reads a heredoc's body. @throws SyntaxFault where its terminator is missing */
	readHeredoc(start) {
		const body = [];
		for (;;) {
			const physical = this.#read();
			if (physical === void 0) throw new SyntaxFault("unterminated heredoc");
			const content = withoutLineEnd(physical);
			if ((start.chomp ? content.replace(/^\t+/, "") : content) === start.name) return {
				...start,
				body: body.join("")
			};
			body.push(physical);
		}
	}
	/** A physical line with its line feed. */
	#read() {
		if (this.#tooLong || this.#offset >= this.#text.length) return void 0;
		const lineFeed = this.#text.indexOf("\n", this.#offset);
		const end = lineFeed === -1 ? this.#text.length : lineFeed + 1;
		const physical = this.#text.slice(this.#offset, end);
		if (Buffer.byteLength(physical, "utf8") - (lineFeed === -1 ? 0 : 1) > 65535) {
			this.#tooLong = true;
			return;
		}
		this.#offset = end;
		this.#line++;
		return physical;
	}
};
/** Cuts line feeds and carriage returns off the end; one within the line is a blank like others. */
function withoutLineEnd(physical) {
	let end = physical.length;
	while (end > 0 && "\r\n".includes(physical.charAt(end - 1))) end--;
	return physical.slice(0, end);
}

// src/dockerfile/mends.ts
const RULES = [
	{
		when: /FROM requires either one or three arguments/,
		say: (_, text) => mendFrom(text)
	},
	{
		when: /invalid name for build stage: "(.*)"/,
		say: ([, name]) => mendStageName(name ?? "")
	},
	{
		when: /unknown instruction: (\S*)/,
		say: ([, word]) => mendKeyword(word ?? "")
	},
	{
		when: /no build stage in current context/,
		say: () => "Begin the file with FROM; only ARG may stand before it."
	},
	{
		when: /contains no stages to build|file with no instructions|cannot be empty/,
		say: () => "Add a FROM line."
	},
	{
		when: /missing a value on flag: (\S+)/,
		say: ([, flag]) => `Write ${flag ?? "the flag"}=VALUE, without blanks around the equals sign.`
	},
	{
		when: /duplicate flag specified: (\S+)/,
		say: ([, flag]) => `Write ${flag ?? "the flag"} once.`
	},
	{
		when: /unknown flag: (\S+)/,
		say: ([, flag]) => `Remove ${flag ?? "the flag"}, or write it as the instruction knows it (in small letters).`
	},
	{
		when: /unterminated heredoc/,
		say: () => "End the heredoc with a line that holds its name and nothing else; quote `<<` where none is meant."
	},
	{
		when: /Destination could not be determined/,
		say: () => "Name the source and then the destination."
	},
	{
		when: /must have two arguments|can't find = in/,
		say: () => "Write NAME=value, with quotes around a value that has blanks."
	},
	{
		when: /comprised of strings only/,
		say: () => "Put every element of the array into double quotes."
	},
	{
		when: /variable expansion/,
		say: () => "Add a stage `FROM image:$VERSION AS name` before this one and use `name` here."
	},
	{
		when: /base name \((.*)\) should not be blank/,
		say: ([, base]) => `Give the variable in ${base ?? "FROM"} a default with ARG before the first FROM, or pass it as a build argument.`
	},
	{
		when: /empty platform value/,
		say: () => "Give the variable a default with ARG before the first FROM, or remove --platform."
	},
	{
		when: /failed to parse platform/,
		say: () => "Write the platform as os/arch, such as linux/amd64."
	},
	{
		when: /invalid reference format/,
		say: () => "Write the image as name:tag in small letters; a variable in it may be empty: only ARGs before the first FROM count there."
	},
	{
		when: /circular dependency/,
		say: () => "Break the circle: a stage can copy only from stages that do not need it."
	},
	{
		when: /it needs to be defined before current stage|needs to be defined before current command/,
		say: () => "Move that stage above this one."
	},
	{
		when: /invalid stage index/,
		say: () => "Stages count from 0; better, name the stage with AS and use its name."
	},
	{
		when: /target stage .* could not be found/,
		say: () => "Name one of the stages: what stands behind AS (a number does not work here)."
	},
	{
		when: /invalid escape token/,
		say: () => "Only \\ and ` can be the escape character."
	},
	{
		when: /greater than max allowed size/,
		say: () => "Break the line with continuations."
	},
	{
		when: /ONBUILD/,
		say: () => "Put another instruction behind ONBUILD."
	},
	{
		when: /unsupported modifier|missing '}'|bad substitution/,
		say: () => "Write ${NAME}, ${NAME:-default} or another form that Dockerfiles know."
	},
	{
		when: /looking for matching/,
		say: () => "Close the quote."
	},
	{
		when: /invalid chmod parameter/,
		say: () => "Write the mode in octal, such as --chmod=755."
	},
	{
		when: /source can't be a (?:URL|git ref) for COPY/,
		say: () => "Use ADD."
	}
];
/** The mend for a message about an instruction whose text is `text`; undefined where the message says enough. */
function mendFor(message, text) {
	for (const { when, say } of RULES) {
		const match = when.exec(message);
		if (match !== null) return say(match, text);
	}
}
function mendFrom(text) {
	const words = text.split(/\s+/).slice(1);
	const at = words.findIndex((word, index) => word.endsWith(":") && index + 1 < words.length);
	if (at !== -1) return `Remove the blank after the colon: \`FROM ${words[at] ?? ""}${words[at + 1] ?? ""}\`.`;
	if (words.length === 0) return "Name an image or an earlier stage.";
	if (words.some((word) => word.startsWith("#"))) return "Put the comment on a line of its own.";
	if (words[0] === "--platform") return `Write \`--platform=${words[1] ?? "linux/amd64"}\`.`;
	if (words.at(-1)?.toLowerCase() === "as") return "Give the stage a name after AS, or remove AS.";
	if (words.some((word) => word.includes("${"))) return "Remove the blanks inside ${…}: FROM is split at every blank.";
	return "Write `FROM image` or `FROM image AS name`.";
}
function mendStageName(name) {
	if (name.includes("$")) return "Write the name itself: variables are not expanded in a stage name.";
	return "Begin the name with a letter and use only letters, digits, `-`, `_` and `.`.";
}
function mendKeyword(word) {
	if (word.endsWith(":")) return `Remove the colon: \`${word.slice(0, -1)}\`.`;
	return "Check the spelling; a line that belongs to the one before needs a `\\` at the end of that one.";
}

// src/dockerfile/parse.ts
/**
* Text to a Dockerfile: all of this room in order. Nothing is expanded and no stage is resolved here.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
*/
const NO_CHECK = {
	skip: /* @__PURE__ */ new Set(),
	skipAll: false,
	error: false
};
/**
* Reads a Dockerfile. It never throws: everything wrong is in `errors`, in BuildKit's order.
* `above` is how many lines stand above it, where it is written in another file.
*/
function parseDockerfile(text, above = 0) {
	const errors = [];
	const warnings = [];
	const failure = collector(errors);
	if (text === "") failure(new SyntaxFault("the Dockerfile cannot be empty"), "read");
	const checkOptions = failure.guard("check", void 0, "", () => {
		try {
			return parseCheck(detectCheck(text));
		} catch (error) {
			throw error instanceof SyntaxFault ? new SyntaxFault(`failed to parse check options: ${error.message}`) : error;
		}
	}) ?? NO_CHECK;
	const syntax = detectSyntax(text);
	const reader = new LineReader(text, above);
	const { globalArgs, stages } = collectStages(text === "" ? [] : readStatements(reader, failure, warnings), failure, warnings);
	if (errors.length === 0 && stages.length === 0) failure(new SyntaxFault("dockerfile contains no stages to build"), "instructions");
	if (syntax !== void 0 && !isDockerfileFrontend(syntax)) warnings.push(unknownSyntax(syntax, above + 1));
	return {
		globalArgs,
		stages,
		escape: reader.escape,
		syntax,
		check: checkOptions,
		errors,
		warnings
	};
}
function unknownSyntax(image, line) {
	return {
		rule: "UnknownSyntax",
		message: `The frontend ${image} is not known: the Dockerfile is read as docker/dockerfile would read it.`,
		line,
		endLine: line
	};
}
function collector(errors) {
	const record = (fault, phase, range, text = "") => {
		errors.push(new DockerfileError(fault.message, {
			phase,
			range,
			mend: mendFor(fault.message, text)
		}));
	};
	const guard = (phase, range, text, step) => {
		try {
			return step();
		} catch (error) {
			if (!(error instanceof SyntaxFault)) throw error;
			record(error, phase, range, text);
			return;
		}
	};
	return Object.assign(record, { guard });
}
/** What BuildKit's parser does with the whole file before any instruction is looked at. */
function readStatements(reader, failure, warnings) {
	const sources = [];
	let found = 0;
	for (;;) {
		const before = reader.line;
		const logical = nextLine(reader, failure);
		if (logical === "faulty") continue;
		if (logical === void 0) break;
		found++;
		if (logical.emptyContinuation) warnings.push({
			rule: "NoEmptyContinuation",
			message: "Empty continuation line",
			line: logical.endLine,
			endLine: logical.endLine
		});
		const source = readStatement(reader, logical, failure);
		if (source !== void 0) sources.push(source);
		if (reader.line === before) break;
	}
	const end = {
		line: Math.max(1, reader.line),
		endLine: Math.max(1, reader.line)
	};
	if (found === 0) failure(new SyntaxFault("file with no instructions"), "parse", end);
	else if (reader.tooLong) {
		const range = {
			line: reader.line + 1,
			endLine: reader.line + 1
		};
		failure(new SyntaxFault(`dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`), "parse", range);
	}
	return sources;
}
function nextLine(reader, failure) {
	try {
		return reader.next();
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		failure(error, "parse", {
			line: reader.line,
			endLine: reader.line
		});
		return "faulty";
	}
}
function readStatement(reader, logical, failure) {
	const { text, line, endLine } = logical;
	const statement = failure.guard("parse", {
		line,
		endLine
	}, text, () => parseStatement(text, reader.escape));
	if (statement === void 0) return void 0;
	try {
		return {
			statement,
			heredocs: (canHoldHeredocs(statement) ? heredocsOfLine(text) : []).map((start) => reader.readHeredoc(start)),
			line,
			endLine: reader.line
		};
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		failure(error, "parse", {
			line,
			endLine: reader.line
		}, text);
		return;
	}
}
function collectStages(sources, failure, warnings) {
	const globalArgs = [];
	const stages = [];
	let strayed = false;
	let brokenFrom = false;
	for (const source of sources) {
		warnings.push(...lintFrom(source.statement, source));
		const built = build(source, failure);
		brokenFrom ||= built === void 0 && source.statement.keyword === "FROM";
		if (built === void 0) continue;
		const { instruction, unknownFlags } = built;
		const { line, endLine } = source;
		for (const message of unknownFlags) warnings.push({
			rule: "UnknownFlag",
			message,
			line,
			endLine
		});
		const stage = stages.at(-1);
		if (instruction.keyword === "FROM") stages.push({
			from: instruction,
			instructions: []
		});
		else if (stage !== void 0) stage.instructions.push(instruction);
		else if (instruction.keyword === "ARG") globalArgs.push(instruction);
		else if (!strayed && !brokenFrom) {
			strayed = true;
			failure(new SyntaxFault("no build stage in current context"), "instructions", {
				line,
				endLine
			});
		}
	}
	return {
		globalArgs,
		stages
	};
}
function build(source, failure) {
	const { line, endLine, statement } = source;
	return failure.guard("instructions", {
		line,
		endLine
	}, statement.text, () => {
		try {
			return buildInstruction(source);
		} catch (error) {
			if (!(error instanceof SyntaxFault)) throw error;
			throw new SyntaxFault(`dockerfile parse error on line ${line}: ${error.message}`);
		}
	});
}
/**
* Reads the one instruction of an ONBUILD trigger; `line` is the FROM's that it runs for.
* @throws SyntaxFault in BuildKit's words
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (initOnBuildTriggers)
*/
function parseTrigger(trigger, { line, endLine }) {
	const errors = [];
	const sources = readStatements(new LineReader(trigger), collector(errors), []);
	if (errors[0] !== void 0) throw new SyntaxFault(errors[0].message);
	const [source] = sources;
	if (source === void 0 || sources.length !== 1) throw new SyntaxFault("onbuild trigger should be a single expression");
	const { instruction } = buildInstruction({
		...source,
		line,
		endLine
	});
	if (instruction.keyword === "FROM") throw new SyntaxFault("*instructions.Stage is not a command type");
	return instruction;
}

// src/graph/merge.ts
/**
* The first graph, its stages' needs completed by what the other graphs' stages need; a base that differs becomes a
* need, since the stage is built on either.
*/
function mergeGraphs(graphs) {
	const [first, ...others] = graphs;
	return {
		...first,
		stages: first.stages.map((stage) => mergeStage(stage, others.flatMap((graph) => graph.stages[stage.index] ?? [])))
	};
}
function mergeStage(stage, variants) {
	const needs = [...stage.needs];
	const seen = /* @__PURE__ */ new Set([baseKey(stage.from), ...needs.map(key)]);
	const add = (need) => {
		if (seen.has(key(need))) return;
		seen.add(key(need));
		needs.push(need);
	};
	for (const variant of variants) {
		const base = baseKey(variant.from);
		if (!seen.has(base) && variant.from.kind !== "scratch") {
			seen.add(base);
			needs.push({
				via: "from",
				source: variant.from,
				line: variant.line
			});
		}
		variant.needs.forEach(add);
	}
	return {
		...stage,
		needs,
		steps: stage.steps.map((step, index) => withCaches(step, index, variants))
	};
}
/** Ids of cache mounts may hold the platform (`id=go-$TARGETARCH`). */
function withCaches(step, index, variants) {
	const caches = new Map(step.caches.map((mount) => [JSON.stringify(mount), mount]));
	for (const mount of variants.flatMap(({ steps }) => steps[index]?.caches ?? [])) caches.set(JSON.stringify(mount), mount);
	return {
		...step,
		caches: [...caches.values()]
	};
}
function baseKey(source) {
	return `from ${JSON.stringify(source)}`;
}
function key(need) {
	return `${need.via} ${JSON.stringify(need.source)}`;
}

// src/graph/cache-mounts.ts
/**
* The cache mounts of a RUN, by what BuildKit tells one from another: its id (the target, where it has none), and owner
* and mode, for which it makes an empty directory that the mount begins with.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert_runmount.go
* and https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/mounts/mount.go (getRefCacheDir)
*/
/** @param sources where each mount takes its content from */
function cacheMountsOf(mounts, sources) {
	return mounts.flatMap((mount, index) => {
		const { type, id, target, from, readOnly } = mount;
		if (type !== "cache") return [];
		const hasContent = typeof sources[index] === "number" || from !== "" && from !== "scratch";
		const permissions = permissionsOf(mount);
		return [{
			id: id === "" ? cleanPath(target) : id,
			target,
			readOnly,
			permissions,
			hasContent
		}];
	});
}
function permissionsOf({ source, options }) {
	if (!(cleanPath(`/${source}`) === "/") || ![
		"uid",
		"gid",
		"mode"
	].some((key) => options.has(key))) return void 0;
	const number = (key, base, otherwise) => {
		const value = options.get(key);
		return value === void 0 ? otherwise : Number.parseInt(value, base);
	};
	return {
		uid: number("uid", 10, 0),
		gid: number("gid", 10, 0),
		mode: number("mode", 8, 493)
	};
}

// src/graph/config-rules.ts
/**
* What EXPOSE, STOPSIGNAL, VOLUME and mounts refuse when they are carried out.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchExpose,
* dispatchStopSignal, dispatchVolume), https://github.com/docker/go-connections/blob/v0.6.0/nat/nat.go,
* https://github.com/moby/sys/blob/signal/v0.7.1/signal/signal_linux.go
*/
const SIGNALS = /* @__PURE__ */ new Set([
	..."ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX".split(" "),
	...Array.from({ length: 15 }, (_, index) => `RTMIN+${index + 1}`),
	...Array.from({ length: 14 }, (_, index) => `RTMAX-${index + 1}`)
]);
/** @throws SyntaxFault where the text, expanded, is no signal */
function checkSignal(signal) {
	const number = atoi(signal);
	if (!(number === void 0 ? SIGNALS.has(signal.toUpperCase().replace(/^SIG/, "")) : number !== 0n)) throw new SyntaxFault(`invalid signal: ${signal}`);
}
/** @throws SyntaxFault where a volume is empty once expanded */
function checkVolume(path) {
	if (path === "") throw new SyntaxFault("VOLUME specified can not be an empty string");
}
/** @throws SyntaxFault where `[[ip:]host:]port[-end][/protocol]`, expanded, has no proper port or protocol */
function checkPort(text) {
	const [ports = "", protocol = "tcp"] = text.split("/");
	const port = ports.slice(ports.lastIndexOf(":") + 1);
	const invalid = `invalid port: "${text}"`;
	if (port === "") throw new SyntaxFault(`${invalid}: no port specified`);
	const range = port.split("-");
	const [start, end] = [portNumber(range[0] ?? ""), portNumber(range.at(-1) ?? "")];
	if (start === void 0 || end === void 0 || range.length > 2 || end < start) throw new SyntaxFault(`invalid containerPort: ${port}`);
	if (![
		"",
		"tcp",
		"udp",
		"sctp"
	].includes(protocol.toLowerCase())) throw new SyntaxFault(`${invalid}: invalid proto: ${protocol}`);
}
function portNumber(text) {
	return /^[0-9]+$/.test(text) && Number(text) < 65536 ? Number(text) : void 0;
}
/** Nothing can be mounted over the root. Where the base image sets the directory, only a missing target is certain. */
function checkMountTarget(target, workdir) {
	if (!target.startsWith("/") && target !== "" && workdir === void 0) return;
	if ((target.startsWith("/") ? target : rootedPath(`${workdir ?? ""}/${target}`)) === "/") throw new SyntaxFault(`invalid mount target ${goQuote("/")}`);
}

// src/graph/copy-rules.ts
/**
* What COPY and ADD refuse when they are carried out.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
*/
/** @throws SyntaxFault in BuildKit's words */
function checkTransfer({ keyword, sources, chmod, checksum }) {
	const digestProblem = checksum === "" ? void 0 : digestFault(checksum);
	if (digestProblem !== void 0) throw new SyntaxFault(digestProblem);
	checkChmod(chmod);
	if (checksum !== "") checkChecksum(sources);
	if (keyword === "ADD") return;
	for (const source of sources) {
		if (isGitSource(source)) throw new SyntaxFault("source can't be a git ref for COPY");
		if (isHttpSource(source)) throw new SyntaxFault("source can't be a URL for COPY");
	}
}
const SYMBOLIC = /^[ugoa]*(?:[+\-=](?:[rwxXst]*|[ugo]))+(?:,[ugoa]*(?:[+\-=](?:[rwxXst]*|[ugo]))+)*$/;
/** Octal up to 07777, or a symbolic mode such as `u=rwX,go=rX`. */
function checkChmod(chmod) {
	if (chmod === "") return;
	if (/^[0-7]+$/.test(chmod) && Number.parseInt(chmod, 8) <= 4095 || SYMBOLIC.test(chmod)) return;
	if (!/^[0-9]/.test(chmod)) throw new SyntaxFault("invalid syntax");
	throw new SyntaxFault(`invalid chmod parameter: '${chmod}'. it should be octal string and between 0 and 07777`);
}
function checkChecksum(sources) {
	const [source] = sources;
	if (source === void 0 || sources.length !== 1) throw new SyntaxFault("checksum can't be specified for multiple sources");
	if (!isHttpSource(source) && !isGitSource(source)) throw new SyntaxFault("checksum requires HTTP(S) or Git sources");
}

// src/graph/steps.ts
/**
* The operation of a COPY or ADD.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
* @param workdir undefined where the base image decides: then a relative destination stays as it is
*/
function transferWords(instruction, expanded, workdir) {
	const { keyword, heredocSources, link, exclude } = instruction;
	const parents = keyword === "COPY" && instruction.parents;
	const { destination, chown, chmod, checksum } = expanded;
	const place = destination.startsWith("/") || workdir === void 0 ? destination : `${rootedPath(`${workdir}/${destination}`)}${/(^|\/)\.?$/.test(destination) ? "/" : ""}`;
	return [
		keyword,
		...expanded.sources.map((source) => `source=${isAddress(source) ? source : sourcePath(source, parents)}`),
		...heredocSources.map(({ name }, index) => `file=${name}=${expanded.bodies[index] ?? ""}`),
		`destination=${place}`,
		...given({
			chown,
			chmod,
			checksum
		}),
		...link ? ["link"] : [],
		...exclude.map((pattern) => `exclude=${pattern}`),
		...parents ? ["parents"] : [],
		...keyword === "ADD" ? flagWords(instruction.flags, ["keep-git-dir", "unpack"]) : [],
		...newerFlags(instruction)
	];
}
function isAddress(source) {
	return /^[a-z]+:|^git@/i.test(source);
}
/**
* A source of COPY or ADD, rooted. With `--parents` the first `/./` is the pivot: names begin behind it.
* https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchCopy)
*/
function sourcePath(source, parents) {
	const pivot = parents ? source.indexOf("/./") : -1;
	if (pivot < 0) return rootedPath(source);
	const parent = rootedPath(source.slice(0, pivot));
	return `${parent === "/" ? "" : parent}/.${rootedPath(source.slice(pivot + 3))}`;
}
/**
* The operation of a RUN. Names and sharing of cache mounts are not part of BuildKit's key.
* https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/ops/exec.go (CacheMap)
*/
function runWords(instruction, mounts) {
	const { args, json, heredocs, flags, network, security } = instruction;
	return [
		"RUN",
		json ? "exec" : "shell",
		JSON.stringify(args),
		...heredocs.map(({ name, expand, chomp, fileDescriptor, body }) => JSON.stringify([
			name,
			expand,
			chomp,
			fileDescriptor,
			body
		])),
		...mounts.map(mountWord),
		`network=${network}`,
		`security=${security}`,
		...flagWords(flags, ["device"]),
		...newerFlags(instruction)
	];
}
function mountWord({ type, from, source, target, readOnly, id, required, options }) {
	const named = type === "cache" ? {} : { id };
	return `mount=${JSON.stringify({
		type,
		...type === "cache" && from === "" ? {} : { source },
		target,
		readOnly,
		...named,
		required,
		options: [...options].sort()
	})}`;
}
/** What any other instruction leaves in the image's configuration. */
function configWords({ keyword, flags, json }, values) {
	return [
		keyword,
		...json ? ["exec"] : [],
		...flags.map(flagWord).sort(),
		...values
	];
}
/** What a flag does that is not known here cannot be told: then the instruction's text counts. */
function newerFlags({ text, flags }) {
	const { flags: written } = extractFlags(text.replace(/^\s*\S+\s*/, ""), "\\");
	const names = new Set(flags.map(({ name }) => name));
	return written.every((flag) => names.has(/^--([^=]*)/.exec(flag)?.[1] ?? "")) ? [] : [`text=${text}`];
}
function flagWords(flags, names) {
	return flags.filter(({ name }) => names.includes(name)).map(flagWord);
}
function flagWord({ name, value }) {
	return `--${name}=${value ?? "true"}`;
}
function given(values) {
	return Object.entries(values).flatMap(([name, value]) => value === "" ? [] : [`${name}=${value}`]);
}

// src/graph/dispatch.ts
/**
* Goes through the instructions of a stage as BuildKit does when it builds: expands variables, collects what is read of
* the build context and fetched, and finds the faults that only count when the stage is needed.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatch)
*/
/** Dispatches all commands of a stage; the environment afterwards is what its children begin with. */
function dispatchStage(commands, options) {
	const dispatcher = new Dispatcher(options);
	const faults = [];
	for (const command of commands) try {
		dispatcher.dispatch(command);
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		faults.push({
			fault: error,
			command
		});
	}
	const { contextPaths, steps, undefinedVariables, workdir } = dispatcher;
	return {
		contextPaths: [...contextPaths].sort(),
		steps,
		workdir,
		faults,
		reads: steps.flatMap((step) => step.reads),
		remotes: steps.flatMap((step) => step.remotes),
		undefinedVariables: [...undefinedVariables]
	};
}
var Dispatcher = class {
	contextPaths = /* @__PURE__ */ new Set();
	steps = [];
	undefinedVariables = /* @__PURE__ */ new Set();
	workdir;
	#options;
	/** Declared without a value: empty, but not unknown. */
	#declared = /* @__PURE__ */ new Set();
	constructor(options) {
		this.#options = options;
		this.workdir = options.workdir;
	}
	dispatch(command) {
		const { instruction } = command;
		switch (instruction.keyword) {
			case "ARG": {
				const settings = this.#arg(instruction);
				this.#add(command, {
					effect: "setting",
					settings,
					history: settings.map((pair) => JSON.stringify(pair))
				});
				return;
			}
			case "ENV":
			case "LABEL": {
				const pairs = instruction.pairs.map(({ name, value }) => [this.#expand(name), this.#expand(value)]);
				const history = pairs.map((pair) => JSON.stringify(pair));
				if (instruction.keyword === "LABEL") {
					this.#add(command, {
						effect: "config",
						history
					});
					return;
				}
				for (const [name, value] of pairs) this.#options.environment.set(name, value);
				this.#add(command, {
					effect: "setting",
					settings: pairs,
					history
				});
				return;
			}
			case "COPY":
			case "ADD":
				this.#transfer(instruction, command);
				return;
			case "RUN":
				this.#run(instruction, command);
				return;
			case "ONBUILD":
				this.#add(command, {
					effect: "config",
					history: [instruction.trigger]
				});
				return;
			case "CMD":
			case "ENTRYPOINT":
			case "EXPOSE":
			case "HEALTHCHECK":
			case "MAINTAINER":
			case "SHELL":
			case "STOPSIGNAL":
			case "USER":
			case "VOLUME":
			case "WORKDIR": this.#other(instruction, command);
		}
	}
	#add({ instruction, isTrigger }, step) {
		const { keyword, line, endLine, text } = instruction;
		const bodies = instruction.heredocs.map(({ body }) => body);
		this.steps.push({
			keyword,
			line,
			endLine,
			isTrigger,
			text,
			bodies,
			settings: [],
			words: [],
			history: [],
			reads: [],
			remotes: [],
			sources: [],
			caches: [],
			...step
		});
	}
	#expand(text) {
		const { environment, escape } = this.#options;
		const expansion = expandWord(text, environment.get, { escape });
		this.#note(expansion.unmatched);
		return expansion.text;
	}
	#note(unmatched) {
		for (const name of unmatched) if (!this.#declared.has(name)) this.undefinedVariables.add(name);
	}
	#arg({ pairs }) {
		const { buildArgs, globalArgs, environment } = this.#options;
		return pairs.map(({ name, value }) => {
			const given = buildArgs.get(name);
			const inherited = value === void 0 ? globalArgs.get(name) : void 0;
			const result = given ?? (value === void 0 ? inherited : this.#expand(value));
			if (result !== void 0) environment.set(name, result);
			else if (environment.get(name) === void 0) this.#declared.add(name);
			return [name, result];
		});
	}
	#transfer(instruction, command) {
		const { keyword, line, exclude } = instruction;
		const chown = this.#expand(instruction.chown);
		const chmod = this.#expand(instruction.chmod);
		const checksum = keyword === "ADD" ? this.#expand(instruction.checksum) : "";
		const sources = instruction.sources.map((source) => this.#expand(source));
		const destination = this.#expand(instruction.destination);
		const bodies = instruction.heredocSources.map(({ expand, body }) => expand ? this.#expandBody(body) : body);
		const [from] = command.sources;
		if (keyword === "COPY" && typeof from === "number" && !this.#isDispatched(from)) {
			const current = goQuote(this.#options.stageName);
			const wanted = goQuote(instruction.from);
			throw new SyntaxFault(`cannot copy from stage ${wanted}, it needs to be defined before current stage ${current}`);
		}
		checkTransfer({
			keyword,
			sources,
			chmod,
			checksum
		});
		const step = {
			effect: "files",
			words: transferWords(instruction, {
				sources,
				destination,
				chown,
				chmod,
				checksum,
				bodies
			}, this.workdir),
			history: [...sources, destination]
		};
		const parents = keyword === "COPY" && instruction.parents;
		const via = keyword === "COPY" ? "copy" : "add";
		if (from !== void 0) {
			const read = {
				line,
				via,
				paths: sources.map((source) => sourcePath(source, parents)),
				exclude,
				parents
			};
			this.#add(command, {
				...step,
				sources: [{
					source: this.#options.sourceOf(from),
					read
				}]
			});
			return;
		}
		const remote = (source) => keyword === "ADD" && (isHttpSource(source) || isGitSource(source));
		const remotes = sources.filter(remote).map((source) => ({
			line,
			source,
			checksum: checksum === "" ? void 0 : checksum
		}));
		const paths = sources.filter((source) => !remote(source)).map((source) => sourcePath(source, parents));
		const reads = paths.length > 0 ? [{
			line,
			via,
			paths,
			exclude,
			parents
		}] : [];
		this.#add(command, {
			...step,
			reads,
			remotes
		});
		for (const source of sources) if (keyword === "COPY" || !/^https?:\/\//.test(source)) this.contextPaths.add(rootedPath(source));
	}
	/** Bodies of heredocs are lexed with the backslash, and quotes are ordinary there. */
	#expandBody(body) {
		const expansion = expandWord(body, this.#options.environment.get, {
			escape: "\\",
			ignoreQuotes: true
		});
		this.#note(expansion.unmatched);
		return expansion.text;
	}
	#run(instruction, command) {
		const mounts = instruction.mounts.map(({ text }) => parseMount(text, (value) => this.#expand(value)));
		const reads = [];
		const sources = [];
		for (const [index, mount] of mounts.entries()) {
			const state = command.sources[index];
			const isOfContext = this.#mount(mount, state);
			const read = {
				line: instruction.line,
				via: "mount",
				exclude: [],
				parents: false,
				paths: [rootedPath(mount.source)]
			};
			if (isOfContext && mount.type === "bind") reads.push(read);
			const isFrom = mount.from !== "" || typeof state === "number";
			if (!isOfContext && state !== void 0 && isFrom) sources.push({
				source: this.#options.sourceOf(state),
				read
			});
		}
		const caches = cacheMountsOf(mounts, command.sources);
		this.#add(command, {
			effect: "run",
			words: runWords(instruction, mounts),
			reads,
			sources,
			caches
		});
	}
	/** Checks a mount; whether it is of the build context. */
	#mount({ type, from, source, target }, state) {
		const wanted = from === "" && type === "cache" ? "scratch" : from;
		if (wanted !== "" && typeof state === "number" && !this.#isDispatched(state)) {
			const names = `${goQuote(wanted)} to ${goQuote(target)}`;
			throw new SyntaxFault(`cannot mount from stage ${names}, stage needs to be defined before current command`);
		}
		if (type === "secret" || type === "ssh") return false;
		checkMountTarget(target, this.workdir);
		if (wanted !== "") return false;
		this.contextPaths.add(rootedPath(source));
		return true;
	}
	/** A stage is there for its own triggers, too. */
	#isDispatched(stage) {
		return stage === this.#options.stage || this.#options.isBefore(stage);
	}
	#other(instruction, command) {
		const { args, keyword } = instruction;
		const config = (values) => {
			this.#add(command, {
				effect: "config",
				history: configWords(instruction, values)
			});
		};
		switch (keyword) {
			case "WORKDIR": {
				const path = this.#expand(args[0] ?? "");
				if (path.startsWith("/")) this.workdir = rootedPath(path);
				else if (this.workdir !== void 0) this.workdir = rootedPath(`${this.workdir}/${path}`);
				this.#add(command, {
					effect: "files",
					words: [keyword, this.workdir ?? path],
					history: [path]
				});
				return;
			}
			case "USER": {
				const user = this.#expand(args[0] ?? "");
				this.#add(command, {
					effect: "setting",
					settings: [["user", user]],
					history: [user]
				});
				return;
			}
			case "SHELL":
				this.#add(command, {
					effect: "setting",
					settings: [["shell", JSON.stringify(args)]],
					history: args
				});
				return;
			case "STOPSIGNAL": {
				const signal = this.#expand(args[0] ?? "");
				checkSignal(signal);
				config([signal]);
				return;
			}
			case "VOLUME": {
				const volumes = args.map((arg) => this.#expand(arg));
				volumes.forEach(checkVolume);
				config(volumes);
				return;
			}
			case "EXPOSE": {
				const { environment, escape } = this.#options;
				const ports = args.flatMap((arg) => splitWords(arg, environment.get, { escape }));
				ports.forEach(checkPort);
				config(ports);
				return;
			}
			case "CMD":
			case "ENTRYPOINT":
			case "HEALTHCHECK":
			case "MAINTAINER": config(args);
		}
	}
};

// src/graph/environment.ts
/** What BuildKit puts where an image sets no PATH. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
var Environment = class Environment {
	#parent;
	#own;
	#compact;
	constructor(parent, own = /* @__PURE__ */ new Map()) {
		this.#parent = parent;
		this.#own = own;
	}
	/** Of a stage based on an image whose configuration says this (`NAME=value`), or on nothing. */
	static initial(env = []) {
		const own = /* @__PURE__ */ new Map([["PATH", DEFAULT_PATH]]);
		for (const pair of env) {
			const equals = pair.indexOf("=");
			own.set(equals === -1 ? pair : pair.slice(0, equals), equals === -1 ? "" : pair.slice(equals + 1));
		}
		return new Environment(void 0, own);
	}
	/** Of a stage based on the stage that ends with this one; nothing may be set here afterwards. */
	child() {
		this.#compact ??= this.#compacted();
		return new Environment(this.#compact);
	}
	/** The same variables in layers that at least double in size downwards: few to look through, little to copy. */
	#compacted() {
		if (this.#own.size === 0 && this.#parent !== void 0) return this.#parent;
		let parent = this.#parent;
		let own = this.#own;
		while (parent !== void 0 && parent.#own.size < 2 * own.size) {
			const merged = new Map(parent.#own);
			for (const [name, value] of own) merged.set(name, value);
			own = merged;
			parent = parent.#parent;
		}
		return own === this.#own ? this : new Environment(parent, own);
	}
	set(name, value) {
		this.#own.set(name, value);
	}
	get = (name) => this.#own.get(name) ?? this.#parent?.get(name);
};

// src/graph/assemble.ts
/**
* From drafts whose commands are known to the stages of the graph: edges, platforms, what is read.
*/
/** The finished graph; faults that only needed stages have are passed to `fail`. */
function assembleGraph(drafts, options) {
	const inherited = [];
	const stages = drafts.map((draft) => {
		const base = draft.base === void 0 ? void 0 : inherited[draft.base];
		const from = stageFrom(draft, options);
		const platform = formatPlatform$1(normalizePlatform$1(draft.platform));
		const config = from.kind === "image" ? options.configOf(from.image, platform) : void 0;
		const given = from.kind === "context" ? options.environmentOf(from.context, platform) : config?.env;
		const environment = base?.environment.child() ?? Environment.initial(given);
		const { faults, workdir, ...found } = dispatchStage(draft.replacedBy === void 0 ? draft.commands : [], {
			stage: draft.index,
			stageName: options.stageNames[draft.index] ?? "",
			environment,
			escape: options.dockerfile.escape,
			globalArgs: options.globalArgs,
			buildArgs: options.buildArgs,
			isBefore: (stage) => stage < draft.index || drafts[stage]?.replacedBy !== void 0,
			workdir: base === void 0 ? workdirOf(from, config) : base.workdir,
			sourceOf: (state) => sourceOf(state, options)
		});
		inherited.push({
			environment,
			workdir
		});
		for (const { fault, command } of faults) options.fail(fault, draft.index, command.instruction);
		const { block, index, fromText, replacedBy } = draft;
		return {
			index,
			name: block.from.name,
			line: block.from.line,
			endLine: lastLine(draft),
			from,
			fromText,
			platform,
			needs: needsOf(draft, options),
			replacedByContext: replacedBy,
			...found
		};
	});
	const platform = formatPlatform$1(options.targetPlatform);
	return {
		stages,
		defaultTarget: stages.length - 1,
		platform
	};
}
/** Undefined where the base image decides and is not known. */
function workdirOf(from, config) {
	if (from.kind === "scratch") return "/";
	return config === void 0 ? void 0 : rootedPath(config.workingDir);
}
function lastLine({ block }) {
	return block.instructions.at(-1)?.endLine ?? block.from.endLine;
}
function stageFrom(draft, { sources }) {
	const { base, fromText, replacedBy, platform } = draft;
	if (base !== void 0) return {
		kind: "stage",
		stage: base
	};
	if (replacedBy === void 0) return sourceOrText(sources, fromText, platform);
	const image = sourceOrText(sources, fromText, platform);
	return {
		kind: "context",
		context: replacedBy,
		image: "image" in image ? image.image : fromText
	};
}
/** A name that is no reference stands as it is: the graph is shown beside the error. */
function sourceOrText(sources, text, platform) {
	try {
		return sources.find(text, platform);
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		return {
			kind: "image",
			image: text
		};
	}
}
function needsOf({ commands }, options) {
	const needs = /* @__PURE__ */ new Map();
	for (const command of commands) for (const [index, state] of command.sources.entries()) {
		const via = viaOf(command, index, state);
		if (via === void 0) continue;
		const source = sourceOf(state, options);
		const key = `${via} ${JSON.stringify(source)}`;
		if (!needs.has(key)) needs.set(key, {
			via,
			source,
			line: command.instruction.line
		});
	}
	return [...needs.values()];
}
function viaOf({ instruction, isTrigger }, index, state) {
	if (instruction.keyword !== "RUN") return isTrigger ? "onbuild-copy" : "copy";
	if (instruction.mounts[index]?.from === "") return typeof state === "number" ? "mount-phantom" : void 0;
	return isTrigger ? "onbuild-mount" : "mount";
}
function sourceOf(state, { sources, targetPlatform }) {
	if (typeof state === "number") return {
		kind: "stage",
		stage: state
	};
	return sourceOrText(sources, state.text, targetPlatform);
}

// src/graph/commands.ts
/**
* From an instruction to the states that it takes files from: `COPY --from`, `RUN --mount=from=`. It does not know what
* an image's name means.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toCommand) and
* convert_runmount.go (detectRunMount)
*/
/** Resolves an instruction's sources. @throws SyntaxFault in BuildKit's words */
function toCommand(instruction, states, options) {
	const sources = sourcesOf(instruction, states, options.escape);
	for (const state of sources) states.use(state);
	return {
		instruction,
		sources,
		isTrigger: options.isTrigger
	};
}
function sourcesOf(instruction, states, escape) {
	if (instruction.keyword === "COPY") return instruction.from === "" ? [] : [copySource(instruction, states, escape)];
	return instruction.keyword === "RUN" ? mountSources(instruction, states) : [];
}
function copySource({ from, line, endLine }, states, escape) {
	const index = atoi(from);
	if (index !== void 0) return states.at(index);
	const stage = states.findName(from);
	if (stage !== void 0) return stage;
	if (expandWord(from, () => void 0, { escape }).text !== from) throw new SyntaxFault("variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround");
	return {
		text: from,
		line,
		endLine
	};
}
/** A mount without `from` takes `scratch` here, whatever its type: that is what makes a stage of that name a phantom. */
function mountSources({ mounts, line, endLine }, states) {
	return mounts.map(({ from }) => {
		const text = from === "" ? "scratch" : from;
		return states.findName(text) ?? {
			text,
			line,
			endLine
		};
	});
}

// src/graph/contexts.ts
/**
* Named contexts: which key of `build-contexts` stands in for a stage or an image.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerui/config.go (NamedContext)
*/
var NamedContexts = class {
	/** By the name that is looked up; the value is the key as the user gave it. */
	#keys = /* @__PURE__ */ new Map();
	constructor(keys) {
		for (const key of keys) this.#keys.set(lookupKey(key), key);
	}
	/**
	* The context for a stage's or an image's name; one for the platform (`name::linux/arm64`) comes first.
	* @throws SyntaxFault where the name is no image reference, whether or not there are contexts
	*/
	find(name, platform) {
		const lower = name.toLowerCase();
		if (lower === "scratch" || lower === "context") return void 0;
		const short = shortName(name);
		if (this.#keys.size === 0) return void 0;
		return this.#keys.get(`${short}::${formatPlatform$1(normalizePlatform$1(platform))}`) ?? this.#keys.get(short);
	}
};
/** Stage names repeat in a large file; parsing a reference is the costly part. */
function shortName(name) {
	try {
		return familiarName$1(name).replace(/:latest$/, "");
	} catch (error) {
		if (error instanceof InvalidReferenceError) throw new SyntaxFault(`invalid context name ${name}: ${error.message}`);
		throw error;
	}
}
/** As docker's command line does with the name of a context: `docker.io/library/alpine:latest` is `alpine`. */
function lookupKey(key) {
	const [name = key, ...platform] = key.split("::");
	try {
		return [shortName(name), ...platform].join("::");
	} catch {
		return key;
	}
}

// src/graph/cycles.ts
/** The circle that BuildKit would report; undefined where there is none. */
function findCircle(dependencies) {
	const state = new Uint8Array(dependencies.length);
	const OPEN = 1;
	const DONE = 2;
	for (let root = 0; root < dependencies.length; root++) {
		if (state[root] !== 0) continue;
		const stack = [{
			stage: root,
			next: 0
		}];
		state[root] = OPEN;
		for (let top = stack.at(-1); top !== void 0; top = stack.at(-1)) {
			const dependency = dependencies[top.stage]?.[top.next++];
			if (dependency === void 0) {
				state[top.stage] = DONE;
				stack.pop();
			} else if (state[dependency.stage] === OPEN) return {
				stage: root,
				line: dependency.line
			};
			else if (state[dependency.stage] === 0) {
				state[dependency.stage] = OPEN;
				stack.push({
					stage: dependency.stage,
					next: 0
				});
			}
		}
	}
}

// src/graph/global-args.ts
/**
* The variables that FROM can see: the automatic platform arguments, and the ARGs before the first FROM.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/platform.go (defaultArgs) and
* convert.go (buildMetaArgs)
*/
/** The arguments that are there unasked; a build argument of the same name wins. */
function automaticArgs(options) {
	const { buildArgs, targetName } = options;
	const values = [
		...platformArgs("BUILD", options.buildPlatform),
		...platformArgs("TARGET", options.targetPlatform),
		["TARGETSTAGE", targetName === "" ? "default" : targetName]
	];
	return new Map(values.map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}
function platformArgs(prefix, platform) {
	return [
		[`${prefix}PLATFORM`, formatPlatform$1(platform)],
		[`${prefix}OS`, platform.os],
		[`${prefix}OSVERSION`, platform.osVersion],
		[`${prefix}ARCH`, platform.architecture],
		[`${prefix}VARIANT`, platform.variant]
	];
}
/** The values after all global ARGs; faults are collected, and an ARG at fault stays as it was. */
function globalArgs(dockerfile, automatic, buildArgs) {
	const values = new Map(automatic);
	const declared = /* @__PURE__ */ new Set();
	const faults = [];
	let usesTargetStage = false;
	for (const { pairs, line, endLine } of dockerfile.globalArgs) for (const { name, value } of pairs) {
		declared.add(name);
		const given = buildArgs.get(name);
		if (given !== void 0) values.set(name, given);
		if (given !== void 0 || value === void 0) continue;
		try {
			const expansion = expandWord(value, (key) => values.get(key), { escape: dockerfile.escape });
			usesTargetStage ||= expansion.matched.has("TARGETSTAGE");
			values.set(name, expansion.text);
		} catch (error) {
			if (!(error instanceof SyntaxFault)) throw error;
			faults.push({
				fault: error,
				line,
				endLine
			});
		}
	}
	return {
		values,
		declared,
		usesTargetStage,
		faults
	};
}

// src/graph/lint.ts
/**
* The rules of BuildKit's linter that concern stages. The others (casing of instructions, JSON arguments, secrets …) are
* BuildKit's own to report when it builds.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/linter/ruleset.go
*/
const RESERVED = /* @__PURE__ */ new Set(["context", "scratch"]);
/** Names of stages that are taken. */
function lintNames(dockerfile) {
	const warnings = [];
	const names = /* @__PURE__ */ new Set();
	for (const { from } of dockerfile.stages) {
		const { name } = from;
		const warn = warner(warnings, from);
		if (name === void 0) continue;
		if (RESERVED.has(name)) warn("ReservedStageName", `Stage name should not use the same name as reserved stage "${name}"`);
		if (names.has(name)) warn("DuplicateStageName", `Duplicate stage name "${name}", stage names should be unique`);
		names.add(name);
	}
	return warnings;
}
/** Bases that are no image's name when no build argument is given. */
function lintDefaultArgs(dockerfile, automatic) {
	const warnings = [];
	const { values, faults } = globalArgs(dockerfile, automatic, /* @__PURE__ */ new Map());
	if (faults.length > 0) return [];
	for (const { from } of dockerfile.stages) try {
		parseReference(expandWord(from.base, (name) => values.get(name), { escape: dockerfile.escape }).text);
	} catch (error) {
		if (error instanceof SyntaxFault) return warnings;
		if (!(error instanceof InvalidReferenceError)) throw error;
		const message = `Default value for ARG ${from.base} results in empty or invalid base image name`;
		warner(warnings, from)("InvalidDefaultArgInFrom", message);
	}
	return warnings;
}
/** Variables in FROM that no ARG before the first FROM declares. */
function lintUndefinedArgs(drafts, args) {
	const warnings = [];
	const known = [...args.declared, ...args.values.keys()];
	for (const { block, expansions } of drafts) for (const name of expansions.flatMap(({ unmatched }) => [...unmatched])) {
		if (args.declared.has(name)) continue;
		const message = withSuggestion(`FROM argument '${name}' is not declared`, name, known, { caseSensitive: true });
		warner(warnings, block.from)("UndefinedArgInFrom", message);
	}
	return warnings;
}
function warner(warnings, { line, endLine }) {
	return (rule, message) => warnings.push({
		rule,
		message,
		line,
		endLine
	});
}

// src/graph/sources.ts
/**
* What the name of an image means: the empty image, a named context, or a normalised reference.
*/
var ImageSources = class {
	#contexts;
	#normalized = /* @__PURE__ */ new Map();
	constructor(contexts) {
		this.#contexts = contexts;
	}
	/**
	* The source behind a name that is no stage's.
	* @throws SyntaxFault `failed to parse stage name "…": …`
	*/
	find(text, platform) {
		if (text === "scratch") return { kind: "scratch" };
		const image = this.normalize(text);
		const context = this.#contexts.find(image, platform);
		return context === void 0 ? {
			kind: "image",
			image
		} : {
			kind: "context",
			context,
			image
		};
	}
	/** The full reference. @throws SyntaxFault `failed to parse stage name "…": …` */
	normalize(text) {
		const known = this.#normalized.get(text);
		if (known !== void 0) return known;
		try {
			const image = normalizeReference(text);
			this.#normalized.set(text, image);
			return image;
		} catch (error) {
			if (!(error instanceof InvalidReferenceError)) throw error;
			throw new SyntaxFault(`failed to parse stage name ${goQuote(text)}: ${error.message}`);
		}
	}
};

// src/graph/stage-drafts.ts
/**
* The stages as they are put on the list one by one: base and platform expanded, base looked up among the earlier ones,
* named contexts applied. What they copy and mount comes later.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
*/
/** Drafts of all stages, in order; each is on the list of states afterwards. */
function draftStages(dockerfile, context) {
	const drafts = [];
	for (const block of dockerfile.stages) {
		drafts.push(draftStage(block, dockerfile, drafts, context));
		context.states.addStage(block.from.name);
	}
	return drafts;
}
function draftStage(block, dockerfile, earlier, context) {
	const { from } = block;
	const index = earlier.length;
	const expansions = [];
	const state = { broken: false };
	const attempt = (step) => {
		if (state.broken) return void 0;
		try {
			return step();
		} catch (error) {
			if (!(error instanceof SyntaxFault)) throw error;
			state.broken = true;
			context.fail(error, index, from);
			return;
		}
	};
	const expand = (text) => {
		try {
			const expansion = expandWord(text, (name) => context.args.values.get(name), { escape: dockerfile.escape });
			expansions.push(expansion);
			return expansion;
		} catch (error) {
			if (error instanceof ExpansionFault) expansions.push({
				text: "",
				matched: /* @__PURE__ */ new Set(),
				unmatched: error.unmatched
			});
			throw error;
		}
	};
	const fromText = attempt(() => expandBase(from.base, expand)) ?? from.base;
	const baseBroken = state.broken;
	const wanted = attempt(() => expandPlatform(from.platform, expand, context)) ?? context.targetPlatform;
	const { name } = from;
	const replacedBy = attempt(() => name === void 0 ? void 0 : context.contexts.find(name, wanted));
	const base = replacedBy === void 0 && !baseBroken ? context.states.findBase(fromText) : void 0;
	const inherited = base === void 0 ? void 0 : earlier[base]?.platform;
	const platform = fromText === "scratch" && replacedBy === void 0 ? context.targetPlatform : wanted;
	return {
		index,
		block,
		base,
		fromText,
		replacedBy,
		broken: baseBroken,
		commands: [],
		expansions,
		platform: inherited ?? platform
	};
}
function expandBase(base, expand) {
	const { text } = expand(base);
	if (text === "") throw new SyntaxFault(`base name (${base}) should not be blank`);
	return text;
}
function expandPlatform(platform, expand, context) {
	if (platform === void 0) return void 0;
	const { text, unmatched } = expandingPlatform(platform, expand);
	if (text === "") throw new SyntaxFault(withAnySuggestion(`empty platform value from expression ${platform}`, unmatched, context));
	try {
		return parsePlatform$1(text, context.buildPlatform);
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		const inner = withAnySuggestion(error.message, unmatched, context);
		throw new SyntaxFault(`failed to parse platform ${platform}: ${inner}`);
	}
}
function expandingPlatform(platform, expand) {
	try {
		return expand(platform);
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		throw new SyntaxFault(`failed to process arguments for platform : ${error.message}`);
	}
}
function withAnySuggestion(message, names, { args }) {
	for (const name of names) {
		const near = suggestion(name, [...args.values.keys()]);
		if (near !== void 0) return `${message} (did you mean ${near}?)`;
	}
	return message;
}

// src/graph/state-list.ts
/**
* BuildKit's list of states, by which names and numbers are looked up: the stages in order, and behind them an "implicit"
* one for each image that a COPY or a mount names, as they are found. A number can hit an implicit one: BuildKit does so.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (dispatchStates)
*/
var StateList = class {
	#states = [];
	#byName = /* @__PURE__ */ new Map();
	/** Adds the next stage; of two stages with one name, the later is found from then on. */
	addStage(name) {
		const index = this.#states.push(this.#states.length) - 1;
		if (name !== void 0) this.#byName.set(name, index);
	}
	/** As FROM looks up: the exact text (stage names are in small letters) among the stages so far. */
	findBase(text) {
		return this.#byName.get(text);
	}
	/** As COPY, mounts and targets look up: in any letters. */
	findName(text) {
		return this.#byName.get(text.toLowerCase());
	}
	/** @throws SyntaxFault where there is no such state */
	at(index) {
		const state = index < 0n ? void 0 : this.#states[Number(index)];
		if (state === void 0) throw new SyntaxFault(`invalid stage index ${index}`);
		return state;
	}
	/** Records that a command uses a state: an implicit one is put on the list, each time again. */
	use(state) {
		if (typeof state !== "number") this.#states.push(state);
	}
	/** The implicit states, each once, in the order found. */
	implicit() {
		const found = /* @__PURE__ */ new Set();
		for (const state of this.#states) if (typeof state !== "number") found.add(state);
		return [...found];
	}
};

// src/graph/targets.ts
/**
* From the names of targets to stages, by BuildKit's rules: in any letters, the last of several with one name, never by
* number.
*/
/** The stage that a target names; an empty name is the last stage. */
function findTarget(graph, name) {
	if (name === "") return {
		kind: "stage",
		stage: graph.defaultTarget
	};
	const wanted = name.toLowerCase();
	const stage = graph.stages.findLast((candidate) => candidate.name === wanted);
	if (stage !== void 0) return {
		kind: "stage",
		stage: stage.index
	};
	const names = graph.stages.flatMap((candidate) => candidate.name ?? []);
	return {
		kind: "missing",
		error: missingTarget(name, graph.stages.map((candidate) => candidate.name ?? `stage-${candidate.index}`)),
		didYouMean: suggestion(name, names)
	};
}
/** BuildKit's error for a target that is no stage's name. */
function missingTarget(name, names) {
	const text = `target stage ${goQuote(name)} could not be found`;
	const message = withSuggestion(text, name, names, { caseSensitive: true });
	return new DockerfileError(message, {
		phase: "target",
		scope: "target",
		mend: mendFor(text, "")
	});
}
/**
* The targets of `targets: all`: every stage that no other stage needs, and the last. In the order of the file.
* @param mode only `all`; it stands there so that a call says what it asks for
*/
function defaultTargets(graph, mode) {
	if (mode === "last") return [graph.defaultTarget];
	const needed = /* @__PURE__ */ new Set();
	for (const { index, from, needs } of graph.stages) for (const source of [from, ...needs.map((need) => need.source)]) if (source.kind === "stage" && source.stage !== index) needed.add(source.stage);
	return graph.stages.flatMap(({ index }) => index === graph.defaultTarget || !needed.has(index) ? [index] : []);
}

// src/graph/triggers.ts
/**
* ONBUILD: what a needed stage runs because its base says so, be the base a stage of this file or an image. Triggers can
* make further stages needed, and those have triggers again.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (initOnBuildTriggers)
*/
/** Puts the triggers before the commands of every stage that is reached from the seeds. */
function addTriggers(drafts, options) {
	const reached = new Set(options.seeds);
	for (const index of reached) {
		const draft = drafts[index];
		if (draft === void 0) continue;
		draft.commands.unshift(...triggersOf(draft, drafts, options));
		if (draft.base !== void 0) reached.add(draft.base);
		for (const { sources } of draft.commands) for (const state of sources) if (typeof state === "number") reached.add(state);
	}
}
function triggersOf(draft, drafts, options) {
	const { from } = draft.block;
	const commands = [];
	try {
		for (const trigger of [...options.ofImage(draft), ...triggersOfBase(draft, drafts)]) {
			const instruction = parseTrigger(trigger, from);
			commands.push(toCommand(instruction, options.states, {
				escape: options.escape,
				isTrigger: true
			}));
		}
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		options.fail(error, draft);
	}
	return commands;
}
function triggersOfBase({ base }, drafts) {
	return (base === void 0 ? [] : drafts[base]?.block.instructions ?? []).flatMap((instruction) => instruction.keyword === "ONBUILD" ? [instruction.trigger] : []);
}

// src/graph/resolve.ts
/**
* From a Dockerfile to its stage graph, in BuildKit's order, with everything wrong on the way. Pure and synchronous: what
* images hold is asked through `onBuildOf`.
* Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go (toDispatchState)
*/
/** Resolves the graph; never throws for what a Dockerfile says. */
function resolveStageGraph(dockerfile, options) {
	const errors = [...dockerfile.errors];
	const warnings = [...dockerfile.warnings, ...lintNames(dockerfile)];
	const nothing = {
		graph: void 0,
		errors,
		target: void 0,
		dependsOnTarget: false
	};
	if (errors.length > 0) return {
		...nothing,
		warnings: kept(warnings, dockerfile)
	};
	const fail = (fault, fields, text = "") => {
		errors.push(new DockerfileError(fault.message, {
			mend: mendFor(fault.message, text),
			...fields
		}));
	};
	const platforms = readPlatforms(options, (fault) => {
		fail(fault, { phase: "states" });
	});
	if (platforms === void 0) return {
		...nothing,
		warnings: kept(warnings, dockerfile)
	};
	const buildArgs = new Map(Object.entries(options.buildArgs));
	const wanted = options.target ?? "";
	const targetName = wanted === "" ? dockerfile.stages.at(-1)?.from.name ?? "" : wanted;
	const automatic = automaticArgs({
		buildArgs,
		...platforms,
		targetName
	});
	warnings.push(...lintDefaultArgs(dockerfile, automatic));
	const args = globalArgs(dockerfile, automatic, buildArgs);
	for (const { fault, ...range } of args.faults) fail(fault, {
		phase: "meta-args",
		range
	});
	const states = new StateList();
	const contexts = new NamedContexts(contextKeys(options.contexts));
	const drafts = draftStages(dockerfile, {
		states,
		args,
		contexts,
		...platforms,
		fail: (fault, stage, range) => {
			fail(fault, {
				phase: "states",
				range,
				stage
			}, range.text);
		}
	});
	warnings.push(...lintUndefinedArgs(drafts, args));
	const target = wanted === "" ? drafts.length - 1 : states.findName(wanted);
	if (target === void 0) errors.push(missingTarget(wanted, drafts.map(displayName)));
	const circular = linkCommands(drafts, dockerfile, states, fail);
	const sources = new ImageSources(contexts);
	const resolved = /* @__PURE__ */ new Set();
	const check = (range, step, stage) => {
		guarded$1(step, (fault) => {
			fail(fault, {
				phase: "resolve",
				range,
				stage
			});
		});
	};
	const checkImplicit = () => {
		for (const state of states.implicit()) {
			if (!resolved.has(state)) check(state, () => sources.find(state.text, platforms.targetPlatform));
			resolved.add(state);
		}
	};
	for (const draft of drafts) {
		if (draft.base !== void 0 || draft.broken) continue;
		const { fromText: text, platform, replacedBy, index } = draft;
		const step = replacedBy === void 0 ? () => sources.find(text, platform) : () => sources.normalize(text);
		check(draft.block.from, step, index);
	}
	checkImplicit();
	addTriggers(drafts, {
		states,
		escape: dockerfile.escape,
		seeds: seeds(options.triggersFor, target, states, drafts.length),
		ofImage: (draft) => imageTriggers(draft, sources, options),
		fail: (fault, { index, block }) => {
			fail(fault, {
				phase: "resolve",
				range: block.from,
				stage: index
			});
		}
	});
	checkImplicit();
	const graph = assembleGraph(drafts, {
		dockerfile,
		sources,
		buildArgs,
		globalArgs: args.values,
		targetPlatform: platforms.targetPlatform,
		configOf: (image, platform) => options.configOf?.(image, platform),
		environmentOf: (context, platform) => options.environmentOf?.(context, platform),
		stageNames: drafts.length + resolved.size === 1 ? [""] : drafts.map(displayName),
		fail: (fault, stage, { line, endLine, text }) => {
			fail(fault, {
				phase: "dispatch",
				scope: "reachable-only",
				range: {
					line,
					endLine
				},
				stage
			}, text);
		}
	});
	const shown = kept(warnings, dockerfile);
	failLint(shown, dockerfile, fail);
	return {
		errors,
		warnings: shown,
		target,
		dependsOnTarget: args.usesTargetStage || drafts.some(usesTargetStage),
		graph: target === void 0 || circular ? void 0 : graph
	};
}
function guarded$1(step, fail) {
	try {
		step();
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		fail(error);
	}
}
function readPlatforms(options, fail) {
	try {
		const buildPlatform = normalizePlatform$1(parsePlatform$1(options.buildPlatform ?? formatPlatform$1(HOST), HOST));
		return {
			buildPlatform,
			targetPlatform: normalizePlatform$1(parsePlatform$1(options.platform, buildPlatform))
		};
	} catch (error) {
		if (!(error instanceof SyntaxFault)) throw error;
		fail(new SyntaxFault(`failed to parse target platform ${options.platform}: ${error.message}`));
		return;
	}
}
function contextKeys(contexts) {
	if (contexts === void 0) return [];
	if (Array.isArray(contexts)) return contexts;
	return contexts instanceof Map ? contexts.keys() : Object.keys(contexts);
}
/** Fills in the commands; says whether stages need each other in a circle. */
function linkCommands(drafts, { escape }, states, fail) {
	for (const draft of drafts) for (const instruction of draft.block.instructions) guarded$1(() => draft.commands.push(toCommand(instruction, states, {
		escape,
		isTrigger: false
	})), (fault) => {
		fail(fault, {
			phase: "graph",
			range: instruction,
			stage: draft.index
		}, instruction.text);
	});
	const circle = findCircle(drafts.map(({ commands }) => commands.flatMap(({ instruction: { line }, sources }) => sources.flatMap((stage) => typeof stage === "number" ? [{
		stage,
		line
	}] : []))));
	if (circle === void 0) return false;
	const { stage, line } = circle;
	const name = drafts[stage] === void 0 ? "" : displayName(drafts[stage]);
	fail(new SyntaxFault(`circular dependency detected on stage: ${name}`), {
		phase: "graph",
		range: {
			line,
			endLine: line
		},
		stage
	});
	return true;
}
/** The name in BuildKit's messages. */
function displayName({ block, index }) {
	return block.from.name ?? `stage-${index}`;
}
function seeds(wanted, target, states, count) {
	if (wanted === "all") return Array.from({ length: count }, (_, index) => index);
	return wanted?.flatMap((name) => name === "" ? count - 1 : states.findName(name) ?? []) ?? (target === void 0 ? [] : [target]);
}
function imageTriggers(draft, sources, { onBuildOf, triggersOf }) {
	if (draft.base !== void 0 || draft.replacedBy !== void 0 || draft.broken) return [];
	try {
		const source = sources.find(draft.fromText, draft.platform);
		const platform = formatPlatform$1(normalizePlatform$1(draft.platform));
		if (source.kind === "context") return triggersOf?.(source.context, platform) ?? [];
		return source.kind === "image" ? onBuildOf?.(source.image, platform) ?? [] : [];
	} catch (error) {
		if (error instanceof SyntaxFault) return [];
		throw error;
	}
}
function usesTargetStage({ expansions }) {
	return expansions.some(({ matched }) => matched.has("TARGETSTAGE"));
}
function kept(warnings, { check }) {
	return warnings.filter(({ rule }) => rule.startsWith("Unknown") || !(check.skipAll || check.skip.has(rule)));
}
function failLint(warnings, { check }, fail) {
	const rules = new Set(warnings.flatMap(({ rule }) => rule.startsWith("Unknown") ? [] : [rule]));
	const [first] = warnings.filter(({ rule }) => rules.has(rule));
	if (!check.error || first === void 0) return;
	fail(new SyntaxFault(`lint violation found for rules: ${[...rules].join(", ")}`), {
		phase: "finalize",
		scope: "lint",
		range: first,
		mend: "Mend what the warnings say, or remove `error=true` from `# check=`."
	});
}

// src/plan/targets.ts
/** From the names in `targets` to stages: which targets are built, what they are called, and what is wrong with a name. */
/** What an unnamed last stage is called where a name is needed: BuildKit's own word for it (TARGETSTAGE). */
const UNNAMED_TARGET = "default";
/** The targets that `targets` asks for; undefined means the last stage. */
function chooseTargets(graph, wanted, file) {
	if (wanted === void 0) return {
		targets: [targetOf(graph, graph.defaultTarget)],
		problems: []
	};
	return wanted === "all" ? allTargets(graph, file) : namedTargets(graph, wanted, file);
}
function allTargets(graph, file) {
	const targets = [];
	const problems = [];
	for (const index of defaultTargets(graph, "all")) {
		const stage = graph.stages[index];
		if (stage === void 0) continue;
		const last = index === graph.defaultTarget;
		if (stage.name === void 0 ? last : findStage(graph, stage.name) === index) {
			targets.push(targetOf(graph, index));
			continue;
		}
		problems.push({
			input: "targets",
			file,
			line: stage.line,
			message: stage.name === void 0 ? `\`targets: all\`: stage ${index} has no name, so it cannot be built by itself.` : `\`targets: all\`: a later stage is called \`${stage.name}\`, too, so this one cannot be built by itself.`,
			mend: stage.name === void 0 ? `Name it: \`FROM ${stage.fromText} AS NAME\`; or list the targets.` : "Give the two stages different names; or list the targets."
		});
	}
	return {
		targets,
		problems
	};
}
function namedTargets(graph, wanted, file) {
	const targets = [];
	const problems = [];
	for (const name of wanted) {
		const found = findTarget(graph, name);
		const last = graph.stages[graph.defaultTarget];
		if (found.kind === "stage") {
			if (!targets.some((target) => target.stage === found.stage)) targets.push({
				name,
				stage: found.stage,
				stageName: graph.stages[found.stage]?.name
			});
		} else if (name === "default" && last?.name === void 0) targets.push(targetOf(graph, graph.defaultTarget));
		else problems.push(missing({
			graph,
			name,
			file,
			didYouMean: found.didYouMean
		}));
	}
	return {
		targets,
		problems
	};
}
function missing(options) {
	const { graph, name, file } = options;
	const names = [...new Set(graph.stages.flatMap((stage) => stage.name ?? []))];
	const near = options.didYouMean ?? nearest(name, names);
	const numbered = /^\d+$/.test(name) ? graph.stages[Number(name)] : void 0;
	const mend = numbered !== void 0 ? numbered.name === void 0 ? `A target is named, not numbered: write \`FROM ${numbered.fromText} AS NAME\` on line ${numbered.line} and \`targets: NAME\`.` : `A target is named, not numbered: write \`targets: ${numbered.name}\`.` : near !== void 0 ? `Did you mean \`${near}\`?` : names.length === 0 ? "No stage has a name: leave `targets` out to build the last one, or add `AS NAME` to a FROM." : `Its stages are ${names.slice(0, 20).map((n) => `\`${n}\``).join(", ")}.`;
	return {
		input: "targets",
		message: `\`targets\`: ${file} has no stage \`${name}\`.`,
		mend
	};
}
function targetOf(graph, index) {
	const stageName = graph.stages[index]?.name;
	return {
		name: stageName ?? "default",
		stage: index,
		stageName
	};
}
function findStage(graph, name) {
	const found = findTarget(graph, name);
	return found.kind === "stage" ? found.stage : void 0;
}

// src/part-planning.ts
/** One Dockerfile of a plan: parsed and resolved, its targets chosen, and all that is wrong with it. Asks nobody. */
/** @throws UserError with all that stands against having a graph */
function draftPart(part, hostPlatform) {
	const { inputs, dockerfileName: file } = part;
	const platforms = inputs.platforms.length > 0 ? inputs.platforms : [hostPlatform];
	const dockerfile = parseDockerfile(part.dockerfileText, part.linesAbove);
	const cells = cellsOf(part, platforms, hostPlatform);
	const resolve = resolverOf(dockerfile, part, cells);
	const resolutions = resolve({
		targets: [void 0],
		images: void 0
	});
	const graph = graphOrThrow(resolutions, file);
	return {
		part,
		dockerfile,
		platforms,
		cells,
		resolve,
		resolutions,
		graph,
		...part.wanted === void 0 ? {
			...chooseTargets(graph, inputs.targets, file),
			targetProblems: []
		} : {
			...wantedTargets(part, graph),
			problems: []
		}
	};
}
/** The stages of bake's targets. */
function wantedTargets({ wanted = [], dockerfileName, dockerfilePath }, graph) {
	const targets = [];
	const targetProblems = [];
	for (const { name, stage } of wanted) {
		const found = findTarget(graph, stage ?? "");
		if (found.kind === "stage") {
			targets.push({
				name,
				stage: found.stage,
				stageName: graph.stages[found.stage]?.name
			});
			continue;
		}
		const names = graph.stages.flatMap((candidate) => candidate.name ?? []);
		const near = found.didYouMean ?? nearest(stage ?? "", names);
		const said = `: its \`target\` is \`${stage ?? ""}\`, and ${dockerfilePath === void 0 ? "its inline Dockerfile" : dockerfileName} has no stage of that name.`;
		const mend = near === void 0 ? "Name one of its stages with `target`." : `Did you mean \`${near}\`?`;
		targetProblems.push(targetProblem(name, said, mend));
	}
	return {
		targets,
		targetProblems
	};
}
/** The same Dockerfile with what images and other targets are found to be. @throws UserError as `draftPart` */
function resolvePart(draft, found) {
	const names = draft.targets.map((target) => target.stageName);
	const dependsOnTarget = draft.resolutions.some((resolution) => resolution.dependsOnTarget);
	const resolutions = draft.resolve({
		targets: dependsOnTarget ? names : [void 0],
		triggersFor: names.map((name) => name ?? ""),
		...found
	});
	return {
		...draft,
		resolutions,
		graph: graphOrThrow(resolutions, draft.part.dockerfileName),
		dependsOnTarget
	};
}
/** What is wrong in the Dockerfile for these targets, and what they copy that is not there. */
async function partProblems({ part, resolutions, graph, targets }, missingFiles) {
	const stages = targets.map(({ stage }) => stage);
	const file = part.dockerfileName;
	const missing = await missingFiles.problemsOf(part, {
		graph,
		stages
	});
	const errors = resolutions.flatMap(({ errors: all }) => errorsFor(all, graph, stages));
	return {
		errors: distinct([...errors.map((error) => problemOf(error, file)), ...missing.errors]),
		warnings: distinct([...resolutions.flatMap(({ warnings }) => warnings.map((warning) => warningOf(warning, file))), ...missing.warnings])
	};
}
/** Legs that build a platform each run on a machine of it, or on one like that which plans: both are reckoned with. */
function cellsOf({ inputs, split }, platforms, host) {
	const isPlan = inputs.mode === "plan" && inputs.matrixBy === "platform";
	const machinesOf = (leg) => isPlan ? distinct([nativeMachine(leg), host]) : [host];
	const cells = split?.cells ?? platforms.map((platform) => ({
		platform,
		leg: platform
	}));
	return distinct(cells.flatMap(({ platform, leg }) => machinesOf(leg).map((machine) => ({
		platform,
		machine
	}))));
}
/** Resolves the same file once per platform, machine and target. */
function resolverOf(dockerfile, { inputs }, cells) {
	const contexts = inputs.buildContexts.map((context) => context.key);
	return ({ targets, triggersFor, images, environmentOf, triggersOf }) => targets.flatMap((target) => cells.map(({ platform, machine }) => resolveStageGraph(dockerfile, {
		buildArgs: inputs.buildArgs,
		target,
		platform,
		buildPlatform: machine,
		contexts,
		onBuildOf: (image, platform) => images?.triggersOf(image, platform),
		configOf: (image, platform) => images?.baseOf(image, platform)?.config,
		environmentOf: (context, of) => environmentOf?.(context, {
			platform: of,
			machine
		}),
		triggersOf: (context, of) => triggersOf?.(context, {
			platform: of,
			machine
		}),
		triggersFor
	})));
}
/** The one graph of all variants, or all that stands against having one. */
function graphOrThrow(resolutions, file) {
	const graphs = resolutions.flatMap(({ graph }) => graph ?? []);
	const [first, ...others] = graphs;
	if (first === void 0 || graphs.length < resolutions.length) throw refusal(resolutions.flatMap(({ errors }) => errors), resolutions, file);
	const fatal = resolutions.flatMap(({ errors }) => errors.filter((error) => error.scope !== "reachable-only"));
	if (fatal.length > 0) throw refusal(fatal, resolutions, file);
	return mergeGraphs([first, ...others]);
}
/** Where warnings are what is wrong (`# check=error=true`), they are told, too. */
function refusal(errors, resolutions, file) {
	const isLint = errors.some(({ scope }) => scope === "lint");
	const warnings = resolutions.flatMap((resolution) => isLint ? resolution.warnings : []);
	return new UserError(distinct(errors.map((error) => problemOf(error, file))), { warnings: distinct(warnings.map((warning) => warningOf(warning, file))) });
}
function problemOf(error, file) {
	return {
		message: sentence(error.message.replace(/^dockerfile parse error on line \d+: /, "")),
		mend: error.mend,
		file,
		line: error.line ?? 1,
		endLine: error.endLine
	};
}
function warningOf({ rule, message, line, endLine }, file) {
	return {
		message: `${rule}: ${sentence(message)}`,
		file,
		line,
		endLine
	};
}

// src/plan/matrix.ts
/** The `matrix` output: one leg for each changed target, or for each of its platforms, ready for `strategy.matrix`. */
/** GitHub's own limit of jobs per matrix and workflow run. */
const MAX_LEGS = 256;
/** Whether GitHub takes the plan as a matrix. A step that builds by itself need not care. */
function fitsMatrix(plan) {
	return legsOf(plan).length <= MAX_LEGS;
}
function legsOf({ targets, platforms, matrixBy }) {
	const legs = (of) => matrixBy === "platform" ? of : [of.join(",")];
	return targets.flatMap(({ name, status, platforms: own = platforms }) => status === "changed" ? legs(own).map((platform) => ({
		target: name,
		platform
	})) : []);
}
/**
* The changed targets as a matrix; empty `include` when none changed. No tags in it: the runner drops an output that
* holds masked text, and registries' names are masked often.
* @throws UserError over 256 legs.
*/
function matrixOf(plan) {
	const include = legsOf(plan);
	if (include.length > MAX_LEGS) {
		const changed = plan.targets.filter((target) => target.status === "changed").length;
		const platforms = plan.matrixBy === "platform" ? ` on ${plan.platforms.length} platforms` : "";
		throw new UserError({
			input: "targets",
			message: `${changed} changed targets${platforms} make more than the ${MAX_LEGS} legs that GitHub allows in a matrix.`,
			mend: "Split `targets` over several plan steps, or build them in one step without a matrix."
		});
	}
	return { include };
}

// src/plan/unite.ts
/**
* Makes one stage of those that are the same: of one Dockerfile, which bake builds with several sets of options, the stages
* that these do not reach. What is the same is told by fingerprints, never by names. Pure.
*/
/** Unites; a graph of one part stays as it is. */
function unite(joined) {
	if (joined.stages.length < 2) return joined;
	const { graph, prints } = joined;
	const leaders = leadersOf(joined);
	const leaderOf = (index) => leaders.get(index) ?? index;
	const kept = [...new Set(graph.stages.map(({ index }) => leaderOf(index)))];
	const numbers = new Map(kept.map((leader, number) => [leader, number]));
	const at = (index) => numbers.get(leaderOf(index)) ?? index;
	const stages = kept.flatMap((index) => {
		const stage = graph.stages[index];
		if (stage === void 0) return [];
		return [{
			...mapSources(stage, (source) => source.kind === "stage" ? {
				kind: "stage",
				stage: at(source.stage)
			} : source),
			index: at(index)
		}];
	});
	const move = (target) => ({
		...target,
		stage: at(target.stage)
	});
	return {
		graph: {
			...graph,
			stages,
			defaultTarget: at(graph.defaultTarget)
		},
		stages: joined.stages.map((all) => all.map(at)),
		targets: joined.targets.map(move),
		linked: joined.linked.map(move),
		prints: new Map([...prints].map(([name, print]) => [name, renumbered(print, at)]))
	};
}
/** Of each stage the one that stands for it: itself, or an equal one. */
function leadersOf({ graph, stages, prints }) {
	const known = fingerprintsOf([...prints.values()]);
	const places = stages.flatMap((all) => all.map((index, place) => ({
		index,
		place
	})));
	const keyOf = ({ index, place }) => {
		const fingerprint = known.get(index);
		const stage = graph.stages[index];
		const mounts = stage?.steps.flatMap(({ caches }) => caches);
		return fingerprint === void 0 ? void 0 : JSON.stringify([
			stage?.file,
			stage?.line,
			place,
			fingerprint,
			mounts
		]);
	};
	const groups = /* @__PURE__ */ new Map();
	const leaders = /* @__PURE__ */ new Map();
	for (const entry of places) {
		const key = keyOf(entry);
		const leader = (key === void 0 ? void 0 : groups.get(key)) ?? entry.index;
		if (key !== void 0) groups.set(key, leader);
		leaders.set(entry.index, leader);
	}
	const reached = new Set([...prints.values()].flatMap(({ platforms }) => platforms.flatMap((one) => one.stages.map(({ index }) => index))));
	const standIns = /* @__PURE__ */ new Map();
	const placeKey = ({ index, place }) => JSON.stringify([
		graph.stages[index]?.file,
		graph.stages[index]?.line,
		place
	]);
	for (const entry of [...places.filter(({ index }) => reached.has(index)), ...places]) if (!standIns.has(placeKey(entry))) standIns.set(placeKey(entry), leaders.get(entry.index) ?? entry.index);
	for (const entry of places.filter(({ index }) => !reached.has(index))) leaders.set(entry.index, standIns.get(placeKey(entry)) ?? entry.index);
	return leaders;
}
/** Of stages whose results are known on every platform. */
function fingerprintsOf(prints) {
	const found = /* @__PURE__ */ new Map();
	for (const { platform, stages } of prints.flatMap(({ platforms }) => platforms)) for (const { index, fingerprint } of stages) {
		const known = found.get(index) ?? /* @__PURE__ */ new Map();
		found.set(index, known.set(platform, fingerprint));
	}
	return new Map([...found].flatMap(([index, all]) => [...all.values()].includes(void 0) ? [] : [[index, JSON.stringify([...all].sort())]]));
}
function renumbered(print, at) {
	const source = (one) => one.kind === "stage" ? {
		...one,
		name: String(at(Number(one.name)))
	} : one;
	const stage = (one) => ({
		...one,
		index: at(one.index),
		base: source(one.base),
		steps: one.steps.map((step) => ({
			...step,
			settings: step.settings.map((setting) => ({
				...setting,
				stage: at(setting.stage)
			})),
			sources: step.sources.map(source)
		}))
	});
	const platforms = print.platforms.map(({ platform, stages }) => ({
		platform,
		stages: stages.map(stage)
	}));
	return {
		...print,
		platforms
	};
}

// src/running-again.ts
/**
* Targets of which something runs again whatever is cached, since `no-cache` or a filter of it is set for a Dockerfile that
* they are built from. Pure.
*/
/** By target, why it is built. */
function runningAgain(question) {
	const { graph, targets, parts, partOf, given } = question;
	const input = given.noCacheFilters.length > 0 ? "no-cache-filters" : "no-cache-filter";
	return new Map(targets.flatMap((target) => {
		const needed = new Set(stagesOf(graph, target.stage));
		const own = parts[partOf(target.name)];
		for (const part of /* @__PURE__ */ new Set([own, ...parts])) {
			if (part === void 0) continue;
			const again = part.stages.flatMap((index) => needed.has(index) ? graph.stages[index] ?? [] : []).filter(({ name }) => isSaid(part.inputs, name));
			const [first] = again;
			if (first === void 0) continue;
			const stage = part.planned[part.stages.indexOf(part === own ? target.stage : first.index)] ?? target.stage;
			const text = part.inputs.noCache ? "`no-cache` is set" : `\`${input}\` is set${namesOf(again)}`;
			return [[target.name, {
				kind: "requested",
				stage,
				text
			}]];
		}
		return [];
	}));
}
/**
* Whether a stage's steps run again. Filters name stages in any letters; an empty one alone stands for all of them, as
* `no-cache` does, and among others for those without a name.
* https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerui/config.go (IsNoCache)
*/
function isSaid({ noCache, noCacheFilters }, name = "") {
	const filters = noCacheFilters.join(",").toLowerCase();
	return noCache || noCacheFilters.length > 0 && (filters === "" || filters.split(",").includes(name));
}
function namesOf(stages) {
	const names = [...new Set(stages.flatMap(({ name }) => name ?? []))];
	return names.length === 0 ? "" : ` (${names.join(", ")})`;
}

// src/link-reasons.ts
/** The decisions, each reason in a stage that is another target's with `through target`. */
function withLinks(decisions, plan) {
	const all = new Map([...plan.targets, ...plan.linked].map((target) => [target.name, target]));
	const explain = (name, reason) => {
		const own = plan.partOf(name);
		const { stage } = reason;
		if (own.part.links.size === 0 || stage === void 0 || own.stages.includes(stage)) return reason;
		const through = [...own.part.links.values()].find((link) => {
			const target = all.get(link);
			return target !== void 0 && stagesOf(plan.graph, target.stage).includes(stage);
		});
		return through === void 0 ? reason : {
			...reason,
			text: `${reason.text}, through target ${through}`
		};
	};
	return new Map([...decisions].map(([name, decision]) => [name, decision.status === "unchanged" ? decision : {
		...decision,
		reasons: decision.reasons.map((reason) => explain(name, reason))
	}]));
}

// src/planning.ts
/**
* From Dockerfiles to the plan: parse, resolve, look up images, choose targets. Asks registries, never an engine.
* Everything wrong is told at once, at its file and line.
*/
/**
* Plans the build.
* @throws UserError with every problem of the Dockerfiles, the targets and the tags.
*/
async function planBuild(inputs, project, options) {
	const { workspace } = project;
	const wanted = project.parts.flatMap((part) => part.wanted ?? []);
	const asked = wanted.filter(({ place }) => place !== void 0);
	const drafts = each(project.parts, (part) => draftPart(part, options.hostPlatform), () => asked.length === 0 ? [] : tagsOf(asked, inputs, wanted).problems);
	const draft = joinParts(drafts);
	const platforms = [...new Set(drafts.flatMap((part) => part.platforms))];
	const tags = tagsOf(draft.targets, inputs, wanted);
	const missingFiles = new MissingFiles(workspace);
	const firstLook = await Promise.all(drafts.map(async (part) => await partProblems(part, missingFiles)));
	const wrong = [...drafts, ...drafts.map(invalidContextImages)];
	throwIfAny([
		...firstLook.flatMap(({ errors }) => errors),
		...wrong.flatMap(({ problems }) => problems),
		...await toldOfTargets(wrong.flatMap(({ targetProblems }) => targetProblems), inputs.bakeFiles, workspace),
		...tags.problems,
		...homeless(drafts, tags, inputs),
		...linkProblems(drafts),
		...inputs.mode === "build" ? sharedCaches(inputs, draft.targets) : [],
		...budgetProblems(inputs.sizeBudgets, draft, project.names ?? [])
	]);
	options.onSound?.(draft.targets.map(({ name }) => ({
		name,
		platforms: drafts[draft.partOf(name)]?.platforms ?? platforms
	})));
	const records = options.records(draft.targets);
	const { env, client, signal, ahead } = options;
	const asking = {
		client: new ImageLookups(client),
		workspace,
		signal
	};
	const images = new ImageCatalog(inputs.externalImages, asking);
	const [contextImages] = await Promise.all([lookUpContextImages(drafts, asking), images.lookUp(imageWants(draft, drafts))]);
	const resolved = resolveAll(drafts, images, contextImages);
	const joined = joinParts(resolved);
	await images.lookUp(imageWants(joined, resolved));
	const secondLook = await Promise.all(resolved.map(async (part) => await partProblems(part, missingFiles)));
	throwIfAny(secondLook.flatMap(({ errors }) => errors));
	const looked = {
		env,
		client,
		signal,
		targets: joined.targets,
		images
	};
	const printed = await fingerprintTargets({
		...looked,
		...asking,
		ahead,
		partOf: joined.partOf,
		variants: variantsOf(resolved, joined.targets),
		parts: resolved.map((part, index) => ({
			...part,
			stages: joined.stages[index] ?? [],
			unread: contextImages.unread[index]
		}))
	});
	const { graph, stages, targets, linked, prints } = unite({
		...joined,
		prints: printed.prints
	});
	const parts = resolved.map(({ part, dockerfile, platforms: own, graph: { stages: written } }, index) => ({
		part,
		dockerfile,
		platforms: own,
		onContext: new Set(written.flatMap(({ from }, place) => from.kind === "context" ? [place] : [])),
		stages: stages[index] ?? [],
		contexts: printed.contexts[index] ?? /* @__PURE__ */ new Map()
	}));
	const partOf = (target) => {
		const found = parts[joined.partOf(target)];
		if (found === void 0) throw new RangeError(`no part of ${target}`);
		return found;
	};
	const fingerprints = {
		prints,
		parts: printed.parts,
		files: printed.files
	};
	const again = runningAgain({
		...joined,
		given: inputs,
		parts: parts.map(({ part, stages: planned }, at) => ({
			inputs: part.inputs,
			stages: joined.stages[at] ?? [],
			planned
		}))
	});
	const decided = await decide({
		...looked,
		inputs,
		targets,
		tagsOf: tags.tagsOf,
		fingerprints,
		records: await records,
		runningAgain: again,
		inputsOf: (name) => partOf(name).part.inputs
	});
	const decisions = withLinks(decided, {
		graph,
		targets,
		linked,
		partOf
	});
	const plan = makePlan({
		id: project.id,
		file: project.dockerfileName,
		platforms,
		matrixBy: inputs.matrixBy,
		graph,
		targets,
		tagsOf: (target) => tags.tagsOf.get(target.name) ?? [],
		pinOf: (image) => images.pinOf(image),
		prints,
		decisionOf: (target) => planDecision(decisions.get(target.name)),
		placeOf: ({ name }) => {
			const { part, platforms: own } = partOf(name);
			return part.wanted === void 0 ? {} : {
				file: part.dockerfileName,
				platforms: own
			};
		}
	});
	return {
		parts,
		partOf,
		graph,
		platforms,
		targets,
		linked,
		images,
		fingerprints,
		decisions,
		plan,
		failedContexts: printed.failed,
		tagsOf: tags.tagsOf,
		before: imagesBefore(targets, await records),
		matrix: inputs.mode === "plan" || fitsMatrix(plan) ? matrixOf(plan) : void 0,
		warnings: [...distinct(secondLook.flatMap(({ warnings }) => warnings)), ...images.missedMappings()]
	};
}
/** The Dockerfiles as they are when images are known; one that uses another one's target comes after it. */
function resolveAll(drafts, images, contextImages) {
	const resolved = /* @__PURE__ */ new Map();
	const environmentOf = contextEnvironment(drafts, resolved, {
		images,
		contextImages
	});
	const triggersOf = linkTriggers(drafts, resolved);
	for (const index of linkOrder(drafts)) {
		const draft = drafts[index];
		if (draft === void 0) continue;
		const found = resolvePart(draft, {
			images,
			environmentOf: (context, cell) => environmentOf(index, context, cell),
			triggersOf: (context, cell) => triggersOf(index, context, cell) ?? contextImages.of(index, context, cell.platform)?.onBuild
		});
		resolved.set(index, found);
	}
	return drafts.flatMap((_, index) => resolved.get(index) ?? []);
}
/**
* All that is made of these.
* @param besides what else is wrong, told with it
* @throws UserError with what stands against any of them
*/
function each(items, make, besides) {
	const problems = [];
	const warnings = [];
	const made = items.flatMap((item) => {
		try {
			return [make(item)];
		} catch (error) {
			if (!(error instanceof UserError)) throw error;
			problems.push(...error.problems);
			warnings.push(...error.warnings);
			return [];
		}
	});
	if (problems.length > 0) throwIfAny(distinct([...problems, ...besides()]), { warnings });
	return made;
}
/** A step may build a part of the targets that have budgets; what no stage is called is a mistake. */
function budgetProblems(lines, { graph, targets }, others) {
	const names = [
		...others,
		...graph.stages.map(({ name }) => name),
		...targets.map(({ name }) => name)
	];
	return parseSizeBudgets(lines, [...new Set(names.filter((name) => name !== void 0))]).problems;
}
/** What the latest records say of external images. */
function imagesBefore(targets, records) {
	const sources = targets.flatMap(({ name }) => records?.of(name)[0]?.record.print.platforms ?? []).flatMap(({ stages }) => stages.flatMap(({ base, steps }) => [base, ...steps.flatMap((step) => step.sources)]));
	return new Map(sources.flatMap(({ kind, name, digest }) => kind === "image" && digest !== void 0 ? [[name, digest]] : []));
}
/** A decision as the plan shows it. */
function planDecision(decision) {
	if (decision?.status !== "unchanged") return {
		status: "changed",
		reasons: decision?.reasons ?? []
	};
	const { image, commit } = decision.record;
	const sizes = recordedSizes(decision.record)?.platforms.map(({ platform, digest, configDigest, transfer, unpacked }) => ({
		platform,
		digest,
		configDigest,
		transfer,
		unpacked,
		layers: []
	}));
	return {
		status: "unchanged",
		reasons: [],
		...image.digest === void 0 ? {} : { image: {
			digest: image.digest,
			repositories: image.repositories
		} },
		...sizes === void 0 ? {} : { sizes },
		...commit === void 0 ? {} : { since: commit }
	};
}

// src/report/reasons-section.ts
/** The summary's answer to "why did this rebuild?": for every target what changed, or since when nothing did. */
const MAX_ROWS$1 = 300;
const MAX_REASONS = 8;
/** Undefined where nothing is known of any target. */
function whyBuilt(data, maxRows = MAX_ROWS$1) {
	const told = data.targets.filter(({ reasons, since }) => reasons.length > 0 || since !== void 0);
	if (told.length === 0) return void 0;
	const rows = told.slice(0, maxRows).map((target) => [code$1(target.name, 60), whyCell(target)]);
	const more = told.length - rows.length;
	return [
		"#### Why",
		table([{ title: "Target" }, { title: "What changed since it was built last" }], rows),
		...more === 0 ? [] : [`${count(more, "more target")} left out.`]
	].join("\n\n");
}
/** The reasons of one target, for a table's cell. */
function whyCell({ reasons, since }) {
	if (reasons.length === 0) return since === void 0 ? "" : prose(since);
	const shown = reasons.slice(0, MAX_REASONS).map(reasonText);
	const more = reasons.length - shown.length;
	return [...shown, ...more === 0 ? [] : [`and ${count(more, "more reason")}`]].join("<br>");
}
function reasonText({ text, stage, file, line }) {
	const where = line === void 0 ? "" : file === void 0 ? `line ${line}` : code$1(`${file}:${line}`, 120);
	const place = [stage === void 0 ? "" : code$1(stage, 60), where].filter((part) => part !== "");
	return `${prose(text, 400)}${place.length === 0 ? "" : ` <sub>${place.join(" ")}</sub>`}`;
}

// src/report/summary-data.ts
/**
* What a stage is called in every report: its name, or `stage 3`; where there may be several files, `api/Dockerfile:7`.
* @param longest of a path, so much is shown; its end tells more than its beginning
*/
function stageName(stage, longest = 1e400) {
	const { name, index, file, line } = stage;
	if (name !== null && name !== void 0) return name;
	if (file === void 0) return `stage ${index}`;
	const place = `${file}:${line ?? "?"}`;
	return place.length <= longest ? place : `…${place.slice(place.length - longest + 1)}`;
}

// src/report/mermaid-text.ts
/**
* Untrusted text → Mermaid label text, for every diagram. Owns the escaping only; the diagrams are in `flowchart.ts`
* and `gantt.ts`.
*
* Mermaid reads labels several times over (directives and comments are cut out of the source, the diagram's grammar
* splits it, some labels are Markdown, some become HTML), and which Mermaid github.com runs isn't told. So little is
* left as it is: letters, digits and harmless marks. `<`, `>`, `&` and the backtick become look-alikes, since an
* entity of theirs is HTML again after one decoding; the rest become numeric entities, which Mermaid sets aside before
* any grammar reads them (`encodeEntities` in its `utils.ts`).
*/
/** Mermaid's `maxTextSize`; a diagram above it is replaced by an error. */
const MAX_DIAGRAM_CHARACTERS = 5e4;
const LOOK_ALIKES = {
	"<": "‹",
	">": "›",
	"&": "＆",
	"`": "ˋ",
	"\\": "⧵"
};
/** What a label shows of `text`: what {@link labelText} says, before its entities. */
function labelShows(text, maxLength) {
	return visible(text, maxLength).replace(/[<>&`\\]/g, (c) => LOOK_ALIKES[c] ?? c);
}
/** The text of a label, for use between double quotes or bare; no longer than `maxLength` characters when shown. */
function labelText(text, maxLength) {
	return labelShows(text, maxLength).replace(/[!-/:-@[-`{-~]/g, (c) => /[.,/()+-]/.test(c) ? c : `#${c.charCodeAt(0)};`);
}
/** The diagram as a fenced block of Markdown. */
function mermaidBlock(source) {
	return `\`\`\`mermaid\n${source}\n\`\`\``;
}

// src/report/flowchart.ts
const MAX_LABEL$1 = 44;
const REST = "rest";
/** Draws what the requested targets need: at most 60 nodes, 500 edges and 50,000 characters. */
function flowchart(input) {
	const maxNodes = input.maxNodes ?? 60;
	const needed = nearestFirst(input.graph, input.requested);
	const { nodes, edges } = draw(input, needed);
	let cap = maxNodes;
	let result = render(input, nodes, edges, cap);
	while (result.source.length > 5e4 && cap > 1) {
		cap = Math.floor(cap / 2);
		result = render(input, nodes, edges, cap);
	}
	const unneeded = input.graph.stages.map((stage) => stage.index).filter((index) => !needed.includes(index));
	return {
		...result,
		unneeded
	};
}
/** Breadth first from the targets: what is nearest to them is kept when room is short. */
function nearestFirst(graph, requested) {
	const seen = new Set(requested.filter((index) => graph.stages[index] !== void 0));
	for (const index of seen) for (const needed of neededStages$1(graph, index)) seen.add(needed);
	return [...seen];
}
function draw(input, needed) {
	const { graph, requested, captions, names } = input;
	const outside = /* @__PURE__ */ new Map();
	const edges = /* @__PURE__ */ new Map();
	const sourceId = (source) => {
		switch (source.kind) {
			case "scratch": return;
			case "stage": return graph.stages[source.stage] === void 0 ? void 0 : `s${source.stage}`;
			case "image":
			case "context": {
				const name = source.kind === "image" ? familiarName(source.image) : source.context;
				const key = `${source.kind} ${name}`;
				const node = outside.get(key) ?? {
					id: `${source.kind === "image" ? "i" : "c"}${outside.size}`,
					kind: source.kind,
					label: labelText(name, MAX_LABEL$1)
				};
				outside.set(key, node);
				return node.id;
			}
		}
	};
	const connect = (source, to, label) => {
		const from = sourceId(source);
		if (from === void 0) return;
		const key = `${from} ${to} ${label}`;
		edges.set(key, {
			from,
			to,
			label,
			times: (edges.get(key)?.times ?? 0) + 1
		});
	};
	const stages = [];
	for (const index of needed) {
		const stage = graph.stages[index];
		if (stage === void 0) continue;
		const caption = captions?.get(index);
		const label = labelText(names?.get(index) ?? stageName(stage, MAX_LABEL$1), MAX_LABEL$1) + (caption === void 0 ? "" : `, ${labelText(caption, MAX_LABEL$1).replaceAll(" ", "\xA0")}`);
		stages.push({
			id: `s${index}`,
			kind: requested.includes(index) ? "target" : "stage",
			label
		});
		connect(stage.from, `s${index}`, "from");
		for (const need of stage.needs) connect(need.source, `s${index}`, edgeLabel(need.via));
	}
	return {
		nodes: [...stages, ...outside.values()],
		edges: [...edges.values()].map(({ times, ...edge }) => times === 1 ? edge : {
			...edge,
			label: `${edge.label} x${times}`
		})
	};
}
function edgeLabel(via) {
	switch (via) {
		case "from": return "from";
		case "copy": return "copy";
		case "mount":
		case "mount-phantom": return "mount";
		case "onbuild-copy": return "onbuild copy";
		case "onbuild-mount": return "onbuild mount";
	}
}
/** As people write it: without Docker Hub's host, `library` and `latest`. */
function familiarName(image) {
	return image.replace(/^docker\.io\/(?:library\/)?/, "").replace(/:latest$/, "");
}
function render(input, nodes, edges, maxNodes) {
	const kept = nodes.length <= maxNodes ? nodes : nodes.slice(0, Math.max(0, maxNodes - 1));
	const ids = new Set(kept.map((node) => node.id));
	const collapsed = nodes.length - kept.length;
	const drawn = mergeEdges(edges, ids);
	const shared = input.shared.map((index) => `s${index}`).filter((id) => ids.has(id));
	const targets = kept.filter((node) => node.kind === "target").map((node) => node.id);
	const failed = (input.failed ?? []).map((index) => `s${index}`).filter((id) => targets.includes(id));
	const external = kept.filter((node) => node.kind === "image" || node.kind === "context").map((node) => node.id);
	return {
		source: [
			`flowchart ${direction(kept, drawn)}`,
			...kept.map((node) => `  ${shape(node)}`),
			...collapsed === 0 ? [] : [`  ${REST}["${collapsed} more"]`],
			...drawn.slice(0, 500).map((edge) => `  ${edge.from} ${edge.label.startsWith("from") ? "-->" : "-.->"}|${edge.label}| ${edge.to}`),
			"  classDef target fill:#0969da,stroke:#54aeff,color:#ffffff",
			"  classDef failed fill:#cf222e,stroke:#ff8182,color:#ffffff",
			"  classDef shared stroke:#bf8700,stroke-width:3px",
			"  classDef external stroke-dasharray:4 3",
			"  classDef rest stroke-dasharray:1 4",
			...classLine(targets, "target"),
			...classLine(failed, "failed"),
			...classLine(shared, "shared"),
			...classLine(external, "external"),
			...classLine(collapsed === 0 ? [] : [REST], "rest")
		].join("\n"),
		collapsed,
		edgesLeftOut: Math.max(0, drawn.length - 500),
		hasExternal: kept.some((node) => node.kind === "image"),
		hasContext: kept.some((node) => node.kind === "context"),
		hasShared: shared.length > 0
	};
}
/**
* Wide pictures are shrunk to the page, tall ones are scrolled: so the ranks run across the page unless they are more
* than what the widest of them holds.
*/
function direction(nodes, edges) {
	const rank = new Map(nodes.map((node) => [node.id, 0]));
	for (let round = 0, moved = true; moved && round < nodes.length; round++) {
		moved = false;
		for (const { from, to } of edges) {
			const next = (rank.get(from) ?? 0) + 1;
			if (next > (rank.get(to) ?? 0) && next <= nodes.length) {
				rank.set(to, next);
				moved = true;
			}
		}
	}
	const ranks = Map.groupBy(rank.values(), (value) => value);
	const widest = Math.max(1, ...[...ranks.values()].map((members) => members.length));
	return ranks.size > 6 && ranks.size > widest ? "TB" : "LR";
}
function mergeEdges(edges, ids) {
	const merged = /* @__PURE__ */ new Map();
	for (const edge of edges) {
		const from = ids.has(edge.from) ? edge.from : REST;
		const to = ids.has(edge.to) ? edge.to : REST;
		if (from === REST && to === REST) continue;
		const inside = from !== REST && to !== REST;
		merged.set(`${from} ${to} ${inside ? edge.label : ""}`, {
			from,
			to,
			label: inside ? edge.label : "needs"
		});
	}
	return [...merged.values()];
}
function shape(node) {
	switch (node.kind) {
		case "target": return `${node.id}(["${node.label}"])`;
		case "stage": return `${node.id}["${node.label}"]`;
		case "image": return `${node.id}[("${node.label}")]`;
		case "context": return `${node.id}[/"${node.label}"/]`;
	}
}
function classLine(ids, name) {
	return ids.length === 0 ? [] : [`  class ${ids.join(",")} ${name}`];
}

// src/report/gantt.ts
const MAX_BARS = 40;
const MAX_LABEL = 48;
/**
* Draws the longest steps in the order in which they began. No sections: Mermaid gives their titles 75 pixels, and
* merges those that read the same. Undefined when no step took any time:
* a chart of nothing.
*/
function gantt(entries, maxBars = MAX_BARS) {
	const end = Math.max(0, ...entries.map((entry) => entry.endMs));
	if (entries.length === 0 || end === 0) return void 0;
	const length = (entry) => Math.max(0, entry.endMs - entry.startMs);
	const kept = new Set([...entries].sort((a, b) => length(b) - length(a)).slice(0, maxBars));
	const left = entries.filter((entry) => !kept.has(entry));
	const bars = [...kept].sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs).map((entry) => `  ${bar(entry, end)}`);
	return {
		source: [
			"gantt",
			"  dateFormat x",
			...axis(end),
			...bars
		].join("\n"),
		leftOut: left.length,
		leftOutMs: left.reduce((sum, entry) => sum + length(entry), 0),
		hasCached: [...kept].some((entry) => entry.cached)
	};
}
/**
* `%s` and `%Q` count from the epoch, at which the chart begins; `%H:%M` would be shifted by the reader's time zone.
* (d3-time-format)
*/
function axis(endMs) {
	const step = niceStep(endMs / 8);
	if (step < 1e3) return ["  axisFormat %Q ms", `  tickInterval ${step}millisecond`];
	return ["  axisFormat %s s", `  tickInterval ${step / 1e3}second`];
}
/** The least of 1, 2, 5 × 10ⁿ milliseconds that is at least `ms`. */
function niceStep(ms) {
	const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, ms))));
	return [
		1,
		2,
		5,
		10
	].map((factor) => factor * power).find((step) => step >= ms) ?? 10 * power;
}
function bar(entry, end) {
	const start = Math.max(0, Math.round(entry.startMs));
	const stop = Math.max(Math.round(entry.endMs), start + Math.ceil(end / 200));
	return `${`${entry.cached ? "✓" : "▸"} ${labelText(entry.stage, 24)}#58; ${labelText(entry.label, MAX_LABEL)}`} :${entry.cached ? "done, " : ""}${start}, ${stop}`;
}

// src/report/summary-sections.ts
/** The summary's sections about everything but sizes: failures, warnings and notes, graph, timeline, images, tags. */
const MAX_ITEMS = 50;
function failures(data, maxLines = 30) {
	if (data.failures.length === 0) return void 0;
	return [...data.failures.slice(0, MAX_ITEMS).map((failure) => failureBlock(failure, maxLines)), ...moreItems(data.failures.length, "problem")].join("\n\n");
}
function failureBlock(failure, maxLines) {
	const line = `❌ ${failure.target === void 0 ? "" : `${code$1(failure.target, 60)}: `}${problemLine(failure.problem)}`;
	if (failure.lastLines.length === 0 || maxLines === 0) return line;
	return `${line}\n\n${codeBlock(failure.lastLines, {
		maxLines,
		maxLineLength: 500
	})}`;
}
/** Warnings, then notes. */
function notes(data) {
	const items = [
		...data.warnings.slice(0, MAX_ITEMS).map((problem) => `⚠️ ${problemLine(problem)}`),
		...moreItems(data.warnings.length, "warning"),
		...data.notes.slice(0, MAX_ITEMS).map((note) => prose(note)),
		...moreItems(data.notes.length, "note")
	];
	return items.length === 0 ? void 0 : `#### Notes\n\n${items.map((item) => `- ${item}`).join("\n")}`;
}
function moreItems(length, word) {
	return length > MAX_ITEMS ? [`${count(length - MAX_ITEMS, `more ${word}`)} in the step's log.`] : [];
}
function problemLine(problem) {
	const lines = problem.line === void 0 ? "" : `:${problem.line}`;
	return `${problem.file === void 0 ? "" : `${code$1(problem.file + lines, 120)} `}${prose(problem.message)}${problem.mend === void 0 ? "" : ` ${prose(problem.mend)}`}`;
}
/** The stage graph as a picture, with what it doesn't show in words. Undefined without a graph or a target in it. */
function stageGraph(data) {
	if (data.graph === void 0) return void 0;
	const requested = data.targets.map((target) => target.stage).filter((stage) => stage !== void 0);
	if (requested.length === 0) return void 0;
	const failed = data.targets.filter((target) => target.status === "failed").map((target) => target.stage);
	const chart = flowchart({
		graph: data.graph,
		requested,
		failed: failed.filter((stage) => stage !== void 0),
		shared: data.sharedStages,
		captions: captions(data),
		names: targetNames(data)
	});
	const needed = data.graph.stages.length - chart.unneeded.length;
	const legend = [
		"blue: targets",
		...failed.length === 0 ? [] : ["red: failed"],
		...chart.hasShared ? ["gold edge: shared by several targets"] : [],
		...chart.hasExternal ? ["cylinder: external image"] : [],
		...chart.hasContext ? ["slanted: named context"] : []
	].join(" · ");
	const { stages } = data.graph;
	const unneeded = chart.unneeded.map((index) => code$1(stageName(stages[index] ?? {
		name: void 0,
		index
	}, 60), 60));
	const sentences = [
		...unneeded.length === 0 ? [] : [`Left out, since no target needs ${unneeded.length === 1 ? "it" : "them"}: ${list$2(unneeded, 20)}.`],
		...chart.collapsed === 0 ? [] : [`${chart.collapsed} stages and images are drawn as one.`],
		...chart.edgesLeftOut === 0 ? [] : [`${count(chart.edgesLeftOut, "edge")} left out.`]
	];
	return [
		`#### Stage graph`,
		mermaidBlock(chart.source),
		`<sub>${count(needed, "stage")} · ${legend}</sub>${sentences.length === 0 ? "" : `<br><sub>${sentences.join(" ")}</sub>`}`
	].join("\n\n");
}
/** Each target's size, to stand in its node. */
function captions(data) {
	return new Map(data.targets.flatMap((target) => {
		const size = target.platforms[0]?.transfer.total;
		return target.stage === void 0 || size === void 0 || target.platforms.length > 1 ? [] : [[target.stage, formatBytes(size)]];
	}));
}
/** Of several Dockerfiles, stages of one name are many, and targets are told by their own. */
function targetNames({ graph, targets }) {
	const named = targets.flatMap(({ name, stage }) => stage === void 0 || graph?.stages[stage]?.file === void 0 ? [] : [[stage, name]]);
	const byStage = Map.groupBy(named, ([stage]) => stage);
	return new Map([...byStage].map(([stage, all]) => [stage, all.map(([, name]) => name).join(", ")]));
}
/** The build's steps over time. Undefined where nothing took time. */
function timeline(data) {
	const chart = gantt(data.timeline);
	if (chart === void 0) return void 0;
	const sentences = [`Each bar is a step${chart.hasCached ? "; ✓: cached" : ""}.`, ...chart.leftOut === 0 ? [] : [`${count(chart.leftOut, "shorter step")} took ${formatDuration(chart.leftOutMs)} together.`]];
	return [
		"#### Timeline",
		mermaidBlock(chart.source),
		`<sub>${sentences.join(" ")}</sub>`
	].join("\n\n");
}
/** External images, what stands in for them, and the digests that were built on. */
function externalImages(data) {
	if (data.externalImages.length === 0) return void 0;
	const shown = data.externalImages.slice(0, 100);
	const rows = shown.map(({ image, mapped, digest, before }) => [code$1(image, 120) + (mapped === void 0 ? "" : `<br>taken from ${code$1(mapped, 120)}`), (digest === void 0 ? "could not be resolved" : code$1(digest, 80)) + (before === void 0 ? "" : `<br>moved: was ${code$1(before, 80)}`)]);
	const more = data.externalImages.length - shown.length;
	const body = table([{ title: "Image" }, { title: "Digest" }], rows) + (more === 0 ? "" : `\n\n${more} more are left out.`);
	const moved = data.externalImages.filter(({ before }) => before !== void 0).length;
	const title = count(data.externalImages.length, "external image");
	return details(moved === 0 ? title : `${title}, ${moved} moved`, body);
}
/** Every tag and digest in full, to copy. Undefined where there are none. */
function tagsAndDigests(data) {
	const rows = data.targets.flatMap((target) => {
		const digest = target.digest === void 0 ? "" : code$1(target.digest, 80);
		if (target.tags.length === 0) return digest === "" ? [] : [[
			code$1(target.name, 60),
			"–",
			digest
		]];
		return target.tags.slice(0, MAX_ITEMS).map((tag) => [
			code$1(target.name, 60),
			code$1(tag, 300),
			digest
		]);
	});
	if (rows.length === 0) return void 0;
	const shown = rows.slice(0, 200);
	const more = rows.length - shown.length;
	const body = table([
		{ title: "Target" },
		{ title: "Tag" },
		{ title: "Digest" }
	], shown) + (more === 0 ? "" : `\n\n${more} more are left out.`);
	return details("Tags and digests", body);
}

// src/report/plan-summary.ts
/** The job summary of `mode: plan`: which targets are to be built and why, their stages, the stage graph. */
const MAX_ROWS = 300;
const NOTHING = {
	reasons: [],
	since: void 0
};
/** The summary as Markdown. `data` has the graph and the images; its sizes are not used. */
function renderPlanSummary(plan, data) {
	const verdict = `**Plan: ${plan.targets.filter((target) => target.status === "changed").length} of ${count(plan.targets.length, "target")} to build**`;
	const rows = plan.targets.slice(0, MAX_ROWS).map((target) => [
		[code$1(target.name, 60), ...ownPlatforms(plan, target).map((platform) => code$1(platform, 40))].join("<br>"),
		target.status,
		whyCell(data.targets.find(({ name }) => name === target.name) ?? NOTHING),
		stageList(plan, target)
	]);
	return `${[
		verdict,
		`${code$1(data.title, 80)} · file ${code$1(data.file, 200)} · ${plan.platforms.map((p) => code$1(p, 40)).join(", ")}`,
		table([
			{ title: "Target" },
			{ title: "Status" },
			{ title: "Why" },
			{ title: "Stages, in build order" }
		], rows),
		notes(data),
		stageGraph(data),
		externalImages(data)
	].filter((section) => section !== void 0).join("\n\n")}\n`;
}
function stageList(plan, target) {
	const shown = target.stages.slice(0, 12).map((index) => stageCode(plan.stages[index], index));
	const more = target.stages.length - shown.length;
	return `${shown.join(" → ")}${more > 0 ? ` → ${more} more` : ""}`;
}
function stageCode(stage, index) {
	return code$1(stageName(stage ?? {
		name: void 0,
		index
	}, 60), 60);
}

// src/images/http-exchange.ts
const DEFAULT_TIMEOUTS = {
	connect: 1e4,
	total: 3e4,
	idle: 6e4
};
/** A request that took too long. */
var TimeoutError = class extends Error {
	code = "ETIMEDOUT";
	constructor(what, milliseconds) {
		super(`${what} took longer than ${milliseconds / 1e3} s`);
		this.name = "TimeoutError";
	}
};
/** Whether a host name (with or without port) is this machine: `localhost`, 127.0.0.0/8, `::1`. */
function isLoopback(host) {
	const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "").toLowerCase();
	return name === "localhost" || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}
/** Loaded with the first request: 15 ms that a step without one does not wait. */
function clientOf(kind) {
	return process.getBuiltinModule(kind === "https" ? "node:https" : "node:http");
}
/** Connections, kept alive between requests; idle ones hold no process open. */
var HttpExchange = class {
	#timeouts;
	#env;
	/** By kind, those that know of proxies apart. */
	#agents = /* @__PURE__ */ new Map();
	constructor(env, timeouts = DEFAULT_TIMEOUTS) {
		this.#timeouts = timeouts;
		this.#env = env;
	}
	#agent(kind, isDirect) {
		const key = `${kind} ${isDirect}`;
		const known = this.#agents.get(key);
		if (known !== void 0) return known;
		const agent = new (clientOf(kind)).Agent({
			keepAlive: true,
			...isDirect ? {} : { proxyEnv: this.#env }
		});
		this.#agents.set(key, agent);
		return agent;
	}
	/**
	* Sends a request; resolves with the head of the answer, whatever its status.
	* @throws the system's error, TimeoutError; `aborted` when the signal ends it
	*/
	async send(request) {
		request.signal?.throwIfAborted();
		const kind = request.url.protocol === "https:" ? "https" : "http";
		const agent = this.#agent(kind, isLoopback(request.url.host));
		const { connect, total, idle } = this.#timeouts;
		return await new Promise((resolve, reject) => {
			const outgoing = clientOf(kind).request(request.url, {
				method: request.method,
				headers: request.headers,
				agent
			});
			let incoming;
			const end = (error) => {
				(incoming ?? outgoing).destroy(error);
			};
			const abort = () => {
				end(/* @__PURE__ */ new Error("aborted"));
			};
			const connectTimer = setTimeout(() => {
				end(new TimeoutError("connecting", connect));
			}, connect);
			const totalTimer = setTimeout(() => {
				end(new TimeoutError("the answer", total));
			}, total);
			const settle = () => {
				clearTimeout(connectTimer);
				clearTimeout(totalTimer);
				request.signal?.removeEventListener("abort", abort);
			};
			request.signal?.addEventListener("abort", abort, { once: true });
			outgoing.on("socket", (socket) => {
				if (!socket.connecting) clearTimeout(connectTimer);
				else socket.once(kind === "https" ? "secureConnect" : "connect", () => {
					clearTimeout(connectTimer);
				});
			});
			outgoing.on("error", (error) => {
				settle();
				reject(error);
			});
			outgoing.on("response", (body) => {
				incoming = body;
				clearTimeout(connectTimer);
				if (request.streamed === true) {
					clearTimeout(totalTimer);
					body.setTimeout(idle, () => body.destroy(new TimeoutError("waiting for more of the answer", idle)));
				}
				body.on("close", settle);
				resolve({
					status: body.statusCode ?? 0,
					headers: body.headers,
					body
				});
			});
			outgoing.end(request.body);
		});
	}
	/** Closes idle and running connections. */
	close() {
		for (const agent of this.#agents.values()) agent.destroy();
	}
};
/** A body larger than the caller accepts. */
var BodyTooLargeError = class extends Error {
	constructor(limit) {
		super(`the answer is larger than ${limit} bytes`);
		this.name = "BodyTooLargeError";
	}
};
/**
* Reads a body whole.
* @throws BodyTooLargeError beyond `limit` bytes; the system's error when the connection breaks
*/
async function readBody(answer, limit) {
	const chunks = [];
	let size = 0;
	for await (const chunk of answer.body) {
		size += chunk.length;
		if (size > limit) throw new BodyTooLargeError(limit);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

// src/images/manifest-writer.ts
/**
* Manifests as the bytes that they are: read, checked against their digest, and put under further names of their
* repository. That is all there is to a re-tag, since a registry keeps a manifest's parts by their digests: two requests
* for a tag, where `imagetools create` makes dozens. The bytes are never written anew, so the digest stays, whatever is in them.
* https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
*/
const ACCEPT = Object.values(MEDIA_TYPES).join(", ");
/**
* The manifest or index that a reference stands for, its bytes checked against the reference's digest or, without one,
* against the digest that the registry tells.
* @throws RegistryError; the signal's reason when it is aborted
*/
async function readManifest(transport, reference, signal) {
	const request = manifestRequest(reference, "GET", signal);
	const answer = await transport.send(request);
	const bytes = await readSmall(answer, {
		request,
		limit: MAX_MANIFEST_BYTES
	});
	const expected = reference.digest ?? toldDigest(answer);
	const digest = digestOf$1(bytes, expected);
	if (expected !== void 0 && digest !== expected) throw badAnswer(request.subject, "the manifest is not the one of its digest.");
	try {
		return {
			digest,
			bytes,
			manifest: parseManifest(bytes, answer.headers["content-type"])
		};
	} catch (error) {
		if (error instanceof ManifestError) throw badAnswer(request.subject, `${error.message}.`);
		throw error;
	}
}
/**
* Puts a manifest under a tag; its parts must be in the repository. Again after a passing failure.
* @returns the digest that the tag has now, if the registry tells it
* @throws RegistryError; the signal's reason when it is aborted
*/
async function writeManifest(transport, reference, { bytes, manifest, signal }) {
	const request = manifestRequest(reference, "PUT", signal);
	const headers = { "content-type": manifest.mediaType };
	const answer = await transport.send({
		...request,
		headers,
		body: bytes
	});
	answer.body.resume();
	return toldDigest(answer);
}
/** The digest that a registry tells of what was asked for or written, if it is one. */
function toldDigest({ headers }) {
	const digest = headers["docker-content-digest"];
	return typeof digest === "string" && digestFault(digest) === void 0 ? digest : void 0;
}
/** A request for the manifest that a reference stands for: by its digest where it has one. */
function manifestRequest(reference, method, signal) {
	const { domain, path, tag, digest } = reference;
	return {
		method,
		domain,
		repository: path,
		resource: `manifests/${digest ?? tag ?? "latest"}`,
		subject: formatFamiliar(reference),
		headers: { accept: ACCEPT },
		signal
	};
}
/**
* Reads the body of an answer whole.
* @throws RegistryError beyond `limit` bytes, or when the connection breaks; the signal's reason when it is aborted
*/
async function readSmall(answer, { request, limit }) {
	try {
		return await readBody(answer, limit);
	} catch (error) {
		request.signal?.throwIfAborted();
		if (error instanceof BodyTooLargeError) throw badAnswer(request.subject, `${error.message}.`);
		throw unreachable$1(request.subject, request.domain, error);
	}
}

// src/images/auth-challenge.ts
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\[^])*)"/y;
const BLANK = /[ \t]*/y;
const SEPARATOR = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
/** Reads every challenge of a header (several header lines come joined by commas); stops at what it cannot read. */
function parseChallenges(header) {
	const challenges = [];
	let at = 0;
	const take = (expression) => {
		expression.lastIndex = at;
		const match = expression.exec(header);
		if (match === null) return void 0;
		at += match[0].length;
		return match;
	};
	for (;;) {
		take(SEPARATOR);
		const name = take(TOKEN)?.[0].toLowerCase();
		if (name === void 0) return challenges;
		const current = challenges.at(-1);
		if (current !== void 0 && take(EQUALS) !== void 0) {
			const value = take(QUOTED)?.[1]?.replace(/\\([^])/g, "$1") ?? take(TOKEN)?.[0];
			if (value === void 0) return challenges;
			if (!current.parameters.has(name)) current.parameters.set(name, value);
		} else {
			take(BLANK);
			challenges.push({
				scheme: name,
				parameters: /* @__PURE__ */ new Map()
			});
		}
	}
}

// src/images/registry-auth.ts
const CLIENT_ID = "stage-build";
const MAX_TOKEN_ANSWER = 1 << 20;
/** What the specification assumes where a server names no lifetime, seconds. */
const DEFAULT_LIFETIME = 60;
/** A token is renewed this long before its end, so that it does not end on the way, ms. */
const MARGIN = 5e3;
/** The Authorization headers of one client. */
var RegistryAuth = class {
	#exchange;
	#now;
	#tokens = /* @__PURE__ */ new Map();
	constructor(exchange, now) {
		this.#exchange = exchange;
		this.#now = now;
	}
	/** The header that was good for this scope before, if it still is. */
	async known(domain, scope) {
		const key = `${domain} ${scope}`;
		try {
			const token = await this.#tokens.get(key);
			if (token === void 0) return void 0;
			if (token.expires - MARGIN > this.#now()) return token.header;
		} catch {}
		this.#tokens.delete(key);
	}
	/** Forgets a header that the registry no longer takes. */
	forget(domain, scope) {
		this.#tokens.delete(`${domain} ${scope}`);
	}
	/**
	* The header that answers the challenges; undefined when there is none to give (Basic without a login).
	* @throws RegistryError when the token server refuses or answers nonsense
	*/
	async answer(request) {
		const { credential, challenges, domain, scope } = request;
		if (credential?.kind === "registry-token") return `Bearer ${credential.token}`;
		const key = `${domain} ${scope}`;
		const bearer = challenges.find(({ scheme }) => scheme === "bearer");
		if (bearer !== void 0) {
			let token = this.#tokens.get(key);
			if (token === void 0) {
				token = this.#fetchToken(request, bearer);
				this.#tokens.set(key, token);
				token.catch(() => this.#tokens.delete(key));
			}
			return (await token).header;
		}
		if (challenges.some(({ scheme }) => scheme === "basic") && credential?.kind === "basic") {
			const header = basicHeader(credential);
			this.#tokens.set(key, Promise.resolve({
				header,
				expires: Number.POSITIVE_INFINITY
			}));
			return header;
		}
	}
	async #fetchToken(request, challenge) {
		const { credential, subject, domain, signal } = request;
		const realm = realmUrl(challenge, request);
		const fields = new URLSearchParams();
		const service = challenge.parameters.get("service");
		if (service !== void 0) fields.set("service", service);
		fields.set("scope", challenge.parameters.get("scope") ?? request.scope);
		let answer;
		if (credential?.kind === "identity-token") {
			fields.set("grant_type", "refresh_token");
			fields.set("client_id", CLIENT_ID);
			fields.set("refresh_token", credential.token);
			answer = await this.#exchange.send({
				method: "POST",
				url: realm,
				headers: { "content-type": "application/x-www-form-urlencoded" },
				body: fields.toString(),
				signal
			});
		} else {
			for (const [name, value] of fields) realm.searchParams.append(name, value);
			const headers = credential?.kind === "basic" ? { authorization: basicHeader(credential) } : {};
			answer = await this.#exchange.send({
				method: "GET",
				url: realm,
				headers,
				signal
			});
		}
		const body = await readBody(answer, MAX_TOKEN_ANSWER);
		if (answer.status !== 200) {
			const loggedIn = credential !== void 0;
			throw answerError({
				subject,
				domain,
				status: answer.status,
				detail: void 0,
				retryAfter: void 0,
				loggedIn
			});
		}
		return this.#readToken(body, request);
	}
	#readToken(body, { subject }) {
		let answer;
		try {
			answer = JSON.parse(body.toString("utf8"));
		} catch {
			throw badAnswer(subject, "its token server answered with something that is not JSON.");
		}
		const fields = typeof answer === "object" && answer !== null ? answer : {};
		const token = [fields["token"], fields["access_token"]].find((value) => typeof value === "string" && value !== "");
		if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw badAnswer(subject, "its token server gave no token.");
		const lifetime = typeof fields["expires_in"] === "number" ? fields["expires_in"] : DEFAULT_LIFETIME;
		return {
			header: `Bearer ${token}`,
			expires: this.#now() + Math.max(lifetime, DEFAULT_LIFETIME) * 1e3
		};
	}
};
/** A login goes only over TLS, or to this machine. */
function realmUrl(challenge, { subject, domain }) {
	const realm = URL.parse(challenge.parameters.get("realm") ?? "");
	if (realm === null) throw badAnswer(subject, "its login challenge names no address for tokens.");
	const local = realm.protocol === "http:" && isLoopback(realm.host) && isLoopback(domain);
	if (realm.protocol !== "https:" && !local) throw badAnswer(subject, `its login challenge sends logins to ${realm.protocol}//${realm.host}, which is not safe.`);
	return realm;
}
function basicHeader({ username, password }) {
	return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

// src/images/registry-transport.ts
/**
* Requests to the distribution API of a registry: its host, logins, redirects and second tries. Knows nothing of
* manifests. https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
*/
const USER_AGENT = "stage-build";
const MAX_REDIRECTS = 5;
const DEFAULT_RETRIES = 2;
const MAX_ERROR_BODY = 65536;
/** One registry client's way to the network. */
var RegistryTransport = class {
	#options;
	#exchange;
	#auth;
	/** Registries that did not get better in time: nobody waits for them again, until one answers. */
	#down = /* @__PURE__ */ new Set();
	constructor(options) {
		this.#options = options;
		this.#exchange = new HttpExchange(options.env, options.timeouts);
		this.#auth = new RegistryAuth(this.#exchange, options.now ?? Date.now);
	}
	/** Closes connections that are kept for later requests. */
	close() {
		this.#exchange.close();
	}
	/**
	* Sends a request, again after a passing failure (5xx, 429, a broken connection). A PUT is sent again, too: here it
	* always puts the same under the same name.
	* @throws RegistryError; the signal's reason when it is aborted
	*/
	async send(request) {
		const { domain, subject, signal } = request;
		const retries = request.once === true ? 0 : this.#options.retries ?? DEFAULT_RETRIES;
		for (let retry = 1;; retry++) try {
			const answer = await this.#authorised(request);
			this.#down.delete(domain);
			return answer;
		} catch (error) {
			signal?.throwIfAborted();
			const failure = error instanceof RegistryError ? error : unreachable$1(subject, domain, error);
			if (!isPassing(failure)) throw failure;
			const { retryAfter } = failure;
			const { random } = this.#options;
			const waitMs = retry > retries || this.#down.has(domain) ? void 0 : waitBeforeRetry(retry, {
				retryAfter,
				random
			});
			if (waitMs === void 0) {
				if (request.once !== true) this.#down.add(domain);
				throw failure;
			}
			const why = `${domain} ${whyOf$1(failure)}`;
			this.#options.onRetry?.(retryLine({
				what: subject,
				why,
				retry,
				retries,
				waitMs,
				retryAfter
			}));
			await (this.#options.sleep ?? pause)(waitMs, signal);
		}
	}
	/** The address that anybody gets a resource from, without a login; undefined where the registry wants one, or fails. */
	async publicUrl(request) {
		try {
			const { answer } = await this.#redirected({
				...request,
				method: "HEAD"
			}, void 0);
			await discard(answer);
			return answer.status === 200 ? registryUrl(request) : void 0;
		} catch {
			return;
		}
	}
	async #authorised(request) {
		const { domain, repository, subject, signal } = request;
		const scope = `repository:${repository}:${request.method === "PUT" ? "pull,push" : "pull"}`;
		const known = await this.#auth.known(domain, scope);
		const { answer: first, atHome } = await this.#redirected(request, known);
		if (first.status !== 401 || !atHome) return await this.#judged(request, first);
		await discard(first);
		if (known !== void 0) this.#auth.forget(domain, scope);
		const credential = await this.#options.credentials.find(domain);
		const challenges = parseChallenges(first.headers["www-authenticate"] ?? "");
		const header = await this.#auth.answer({
			domain,
			scope,
			subject,
			challenges,
			credential,
			signal
		});
		if (header === void 0) throw answerError({
			subject,
			domain,
			status: 401,
			detail: void 0,
			retryAfter: void 0,
			loggedIn: credential !== void 0
		});
		return await this.#judged(request, (await this.#redirected(request, header)).answer);
	}
	/** Follows redirects; the Authorization header stays with the host that asked for it. */
	async #redirected(request, authorization) {
		const start = registryUrl(request);
		let url = start;
		for (let hops = 0;; hops++) {
			const atHome = url.origin === start.origin;
			const headers = {
				"user-agent": USER_AGENT,
				...request.headers,
				...authorization !== void 0 && atHome ? { authorization } : {}
			};
			const { method, body, signal, streamed } = request;
			const answer = await this.#exchange.send({
				method,
				url,
				headers,
				body,
				signal,
				streamed
			});
			if (![
				301,
				302,
				303,
				307,
				308
			].includes(answer.status)) return {
				answer,
				atHome
			};
			await discard(answer);
			if (hops === MAX_REDIRECTS) throw badAnswer(request.subject, `it redirects more than ${MAX_REDIRECTS} times.`);
			url = redirectTarget(request, {
				from: url,
				location: answer.headers.location
			});
		}
	}
	async #judged(request, answer) {
		const { status } = answer;
		if (status >= 200 && status < 300 || request.accept?.includes(status) === true) return answer;
		const detail = await errorDetail(answer);
		const retryAfter = retryAfterSeconds(answer.headers["retry-after"], (this.#options.now ?? Date.now)());
		const loggedIn = await this.#options.credentials.find(request.domain) !== void 0;
		throw answerError({
			subject: request.subject,
			domain: request.domain,
			status,
			detail,
			retryAfter,
			loggedIn
		});
	}
};
/** Plain HTTP is for this machine only, as in BuildKit. Docker Hub's API has a host of its own. */
function registryUrl({ domain, repository, resource, subject }) {
	const scheme = isLoopback(domain) && !domain.endsWith(":443") ? "http" : "https";
	const host = domain === "docker.io" ? "registry-1.docker.io" : domain;
	const url = URL.parse(`${scheme}://${host}/v2/${repository}/${resource}`);
	if (url === null) throw badAnswer(subject, `${JSON.stringify(domain)} is no valid host.`);
	return url;
}
function redirectTarget(request, hop) {
	const target = hop.location === void 0 ? null : URL.parse(hop.location, hop.from.href);
	if (target === null) throw badAnswer(request.subject, "it redirects to no valid address.");
	const plainIsFine = hop.from.protocol === "http:" && isLoopback(target.host);
	if (target.protocol !== "https:" && !(target.protocol === "http:" && plainIsFine)) throw badAnswer(request.subject, `it redirects to ${target.protocol}//${target.host}, which is not safe.`);
	target.username = "";
	target.password = "";
	return target;
}
function isPassing({ kind, cause }) {
	return kind === "server" || kind === "rate-limited" || kind === "unreachable" && isBroken(cause);
}
function whyOf$1({ status, cause }) {
	return status === void 0 ? `could not be reached (${errorCode(cause) ?? "no answer"})` : `answered ${status}`;
}
/** Broken connections come and go; unknown hosts, refused connections and bad certificates stay. */
function isBroken(cause) {
	const code = errorCode(cause);
	return code === "ECONNRESET" || code === "EPIPE" || code === "EAI_AGAIN" || code === "ETIMEDOUT";
}
/** The first message of the API's error list, if the body is one. */
async function errorDetail(answer) {
	try {
		const { errors } = JSON.parse((await readBody(answer, MAX_ERROR_BODY)).toString("utf8"));
		const first = errors?.[0];
		const told = [first?.message, first?.code].find((value) => typeof value === "string" && value !== "");
		return typeof told === "string" ? told : void 0;
	} catch {
		answer.body.destroy();
		return;
	}
}
/** Reads a short body to its end, so that the connection can serve the next request. */
async function discard(answer) {
	await readBody(answer, MAX_ERROR_BODY).catch(() => answer.body.destroy());
}

// src/images/registry-client.ts
/**
* Reads images from registries: what a name stands for, manifests, configs, and blobs as streams. Everything that has a
* digest is checked against it. Writes nothing but further tags of what is there.
*/
/** Configs are JSON of some kilobytes. */
const MAX_CONFIG_BYTES = 8 << 20;
const LONGEST_QUESTION_MS = 1e4;
/** A client for all registries; `image` parameters are names as users write them. */
var RegistryClient = class {
	#transport;
	constructor(options) {
		this.#transport = new RegistryTransport(options);
	}
	/** Closes connections that are kept for later requests. */
	close() {
		this.#transport.close();
	}
	/**
	* The digest of what a name stands for, by HEAD (which counts against no pull limit), or by the manifest itself.
	* @throws RegistryError, InvalidReferenceError
	*/
	async resolveDigest(image, options = {}) {
		const reference = tagNameOnly(parseReference(image));
		return reference.digest ?? await this.#headDigest(reference, options) ?? (await this.#manifest(reference, options)).digest;
	}
	/**
	* The digest of what a name stands for in its registry, asked also for a name with a digest; undefined when it is not there.
	* @throws RegistryError for any other answer, InvalidReferenceError
	*/
	async findDigest(image, options = {}) {
		const reference = tagNameOnly(parseReference(image));
		try {
			return await this.#headDigest(reference, options) ?? (await this.#manifest(reference, options)).digest;
		} catch (error) {
			if (error instanceof RegistryError && error.kind === "not-found") return void 0;
			throw error;
		}
	}
	/**
	* Whether the image's repository holds a manifest or an index, whatever its tags say.
	* @throws RegistryError, InvalidReferenceError
	*/
	async hasManifest(image, digest, options = {}) {
		const { domain, path } = parseReference(image);
		return await this.findDigest(formatReference(withDigest({
			domain,
			path
		}, digest)), options) !== void 0;
	}
	/**
	* What a name stands for, and the image in it for a platform (`linux/amd64`).
	* @throws RegistryError (`not-found` also when there is none for the platform), InvalidReferenceError
	*/
	async resolveImage(image, options) {
		const reference = tagNameOnly(parseReference(image));
		const root = await this.#manifest(reference, options);
		return await resolvePlatform(root, {
			subject: formatFamiliar(reference),
			platform: options.platform,
			fetch: (digest) => this.#manifest({
				...reference,
				digest
			}, options)
		});
	}
	/**
	* The manifest or index that a name stands for.
	* @throws RegistryError, InvalidReferenceError
	*/
	async fetchManifest(image, options = {}) {
		return await this.#manifest(tagNameOnly(parseReference(image)), options);
	}
	/**
	* Puts a manifest under a tag of a repository that has its parts; the tag is asked for what it stands for then, unless the
	* registry says it at once.
	* @returns the digest that the tag stands for now; undefined when it is not there
	* @throws RegistryError, InvalidReferenceError
	*/
	async writeTag(tag, manifest, options = {}) {
		const reference = tagNameOnly(parseReference(tag));
		return await writeManifest(this.#transport, reference, {
			...manifest,
			signal: options.signal
		}) ?? await this.findDigest(tag, options);
	}
	/**
	* The config of an image (of `ResolvedImage.configDigest`).
	* @throws RegistryError, InvalidReferenceError
	*/
	async fetchConfig(image, configDigest, options = {}) {
		const request = blobRequest(image, {
			digest: configDigest,
			method: "GET",
			signal: options.signal
		});
		const bytes = await readSmall(await this.#transport.send(request), {
			request,
			limit: MAX_CONFIG_BYTES
		});
		if (digestOf$1(bytes, configDigest) !== configDigest) throw badAnswer(request.subject, "the bytes are not those of its digest.");
		return guarded(request.subject, () => parseImageConfig(bytes));
	}
	/**
	* The size of a blob in the image's repository, undefined when it is not there.
	* @throws RegistryError, InvalidReferenceError
	*/
	async headBlob(image, digest, options = {}) {
		const request = {
			...blobRequest(image, {
				digest,
				method: "HEAD",
				signal: options.signal
			}),
			accept: [404]
		};
		const answer = await this.#transport.send(request);
		answer.body.resume();
		return answer.status === 404 ? void 0 : { size: contentLength(answer) };
	}
	/**
	* A blob of the image's repository as a stream. A whole blob is checked against its digest as it passes; of a part
	* only the length can be.
	* @throws RegistryError, InvalidReferenceError
	*/
	async openBlob(image, digest, options = {}) {
		const { range, signal } = options;
		const request = {
			...blobRequest(image, {
				digest,
				method: "GET",
				signal
			}),
			streamed: true,
			...range === void 0 ? {} : { headers: { range: `bytes=${range.start}-${range.end ?? ""}` } }
		};
		const answer = await this.#transport.send(request);
		const partial = answer.status === 206;
		if (range !== void 0 && !partial && range.start > 0) {
			answer.body.destroy();
			throw badAnswer(request.subject, "the registry cannot give a part of it.", answer.status);
		}
		const length = contentLength(answer);
		const wanted = range?.end === void 0 ? void 0 : range.end - range.start + 1;
		const size = partial || wanted === void 0 || length === void 0 ? length : Math.min(length, wanted);
		const bytes = range === void 0 ? checked(answer, {
			digest,
			request
		}) : limited(answer, {
			size,
			request
		});
		const stream = Readable.from(bytes, { objectMode: false });
		stream.once("close", () => answer.body.destroy());
		return {
			stream,
			size
		};
	}
	/** The address of a blob that anybody may fetch; undefined where a login is needed. Never rejects. */
	async publicBlobUrl(image, digest, options = {}) {
		return await this.#transport.publicUrl(blobRequest(image, {
			digest,
			method: "HEAD",
			signal: options.signal
		}));
	}
	/** Seconds that the registry of an image now asks to wait for; undefined where it does not. Never rejects. */
	async retryAfter(image, { signal } = {}) {
		try {
			const limit = AbortSignal.timeout(LONGEST_QUESTION_MS);
			const request = manifestRequest(tagNameOnly(parseReference(image)), "HEAD", signal === void 0 ? limit : AbortSignal.any([signal, limit]));
			(await this.#transport.send({
				...request,
				once: true
			})).body.resume();
			return;
		} catch (error) {
			return error instanceof RegistryError ? error.retryAfter : void 0;
		}
	}
	async #headDigest(reference, { signal }) {
		const request = {
			...manifestRequest(reference, "HEAD", signal),
			accept: [
				400,
				405,
				501
			]
		};
		const answer = await this.#transport.send(request);
		answer.body.resume();
		return answer.status === 200 ? toldDigest(answer) : void 0;
	}
	async #manifest(reference, { signal }) {
		return await readManifest(this.#transport, reference, signal);
	}
};
function blobRequest(image, { digest, method, signal }) {
	const fault = digestFault(digest);
	if (fault !== void 0) throw new TypeError(`${JSON.stringify(digest)}: ${fault}`);
	const reference = parseReference(image);
	const subject = `${formatFamiliar(reference)} (blob ${digest.slice(0, digest.indexOf(":") + 13)})`;
	return {
		method,
		domain: reference.domain,
		repository: reference.path,
		resource: `blobs/${digest}`,
		subject,
		signal
	};
}
function contentLength(answer) {
	const length = Number(answer.headers["content-length"]);
	return Number.isSafeInteger(length) && length >= 0 ? length : void 0;
}
function guarded(subject, parse) {
	try {
		return parse();
	} catch (error) {
		if (error instanceof ManifestError) throw badAnswer(subject, `${error.message}.`);
		throw error;
	}
}
async function* received(answer, request) {
	try {
		yield* answer.body;
	} catch (error) {
		request.signal?.throwIfAborted();
		throw error instanceof RegistryError ? error : unreachable$1(request.subject, request.domain, error);
	}
}
async function* checked(answer, { digest, request }) {
	const hash = createHash(digest.slice(0, digest.indexOf(":")));
	for await (const chunk of received(answer, request)) {
		hash.update(chunk);
		yield chunk;
	}
	if (!digest.endsWith(`:${hash.digest("hex")}`)) throw badAnswer(request.subject, "the bytes are not those of its digest.");
}
/** A part of a blob: no more than was asked for, also from a registry that sends the whole. */
async function* limited(answer, { size, request }) {
	let left = size ?? Number.POSITIVE_INFINITY;
	for await (const chunk of received(answer, request)) {
		yield chunk.length <= left ? chunk : chunk.subarray(0, left);
		left -= chunk.length;
		if (left <= 0) return;
	}
	if (size !== void 0 && left > 0) throw badAnswer(request.subject, "the part ends too early.");
}

// src/open-registry-client.ts
/** The registries of a step: with the logins of its user, and its retries told in the log. */
/** A client of all registries, to be closed at the step's end. */
function openRegistryClient({ retries }, { env, runner }, warn) {
	const credentials = new DockerCredentials({
		env,
		homeDirectory: homedir(),
		warn: (message) => {
			warn([{ message }]);
		}
	});
	const onRetry = (line) => {
		runner.log(line);
	};
	return new RegistryClient({
		env,
		credentials,
		retries,
		onRetry
	});
}

// src/github/github-error.ts
function success(value) {
	return {
		ok: true,
		value
	};
}
function failure$1(error) {
	return {
		ok: false,
		error
	};
}
/** The outcome for an answer that is not what GitHub's documentation says. */
function undocumented(what) {
	return failure$1({
		kind: "invalid",
		status: 200,
		message: `GitHub's answer has no ${what}`
	});
}
/** The error as half a sentence: `GitHub answered 403: Resource not accessible by integration`. */
function describeError(error) {
	const message = error.message.replace(/\.$/, "");
	return error.status === void 0 ? message : `GitHub answered ${error.status}: ${message}`;
}
const LONGEST = 300;
/** A message for one line of a log: no control characters, no token, not long. */
function plainMessage(text, token) {
	const line = (token === "" ? text : text.replaceAll(token, "***")).replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
	return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

// src/github/rest-client.ts
/**
* The adapter over octokit, and the only file that imports `@actions/github`, when a client is first opened: runs that
* ask GitHub nothing do not load it. Every request is bounded in time, requests and waits are bounded per run, and what
* fails becomes data (`GithubError`).
*/
const DEFAULT_LIMITS = {
	requestMs: 1e4,
	totalMs: 9e4,
	requests: 25,
	waitMs: 3e4,
	retryMs: 1e3
};
const TRIES = 3;
/** Opens a client for one run. Never rejects: what hinders it is the outcome of every request. */
async function openGithub(options) {
	try {
		if (options.token === "") throw new Error("there is no token");
		const { getOctokit } = await import("./github.js");
		const silent = () => void 0;
		const log = {
			debug: silent,
			info: silent,
			warn: silent,
			error: silent
		};
		const octokit = getOctokit(options.token, {
			baseUrl: options.apiUrl,
			log
		});
		return new Client(options, async (route, parameters) => await octokit.request(route, parameters));
	} catch (error) {
		const message = plainMessage(error instanceof Error ? error.message : String(error), options.token);
		const kind = options.token === "" ? "forbidden" : "unavailable";
		return new Client(options, () => Promise.reject(new NotOpenError(kind, message)));
	}
}
/** Of a client that could not be opened. */
var NotOpenError = class extends Error {
	kind;
	constructor(kind, message) {
		super(message);
		this.kind = kind;
	}
};
var Client = class {
	#options;
	#limits;
	#send;
	#endsAt;
	#requests = 0;
	#waited = 0;
	constructor(options, send) {
		this.#options = options;
		this.#limits = {
			...DEFAULT_LIMITS,
			...options.limits
		};
		this.#send = send;
		this.#endsAt = performance.now() + this.#limits.totalMs;
	}
	get requests() {
		return this.#requests;
	}
	async request(route, parameters = {}) {
		const mayRepeat = !route.startsWith("POST ") || route === "POST /graphql";
		for (let attempt = 1;; attempt++) {
			const tried = await this.#try(route, parameters);
			if (tried.ok) return tried;
			const { error, retryAfterMs } = tried;
			if (error.kind === "rate-limited") {
				if (attempt >= TRIES || !this.#mayWait(retryAfterMs)) return failure$1(error);
				this.#waited += retryAfterMs;
				await this.pause(retryAfterMs);
			} else {
				if (!(error.kind === "unavailable" && !tried.isFinal) || !mayRepeat || attempt >= TRIES) return failure$1(error);
				await this.pause(this.#limits.retryMs * attempt);
			}
		}
	}
	async query(query) {
		const baseUrl = this.#options.apiUrl.replace(/\/api\/v3\/?$/, "/api");
		const answer = await this.request("POST /graphql", {
			baseUrl,
			query
		});
		if (!answer.ok) return answer;
		const [first] = list$3(field(answer.value.data, "errors"));
		if (first === void 0) return success(field(answer.value.data, "data"));
		const message = plainMessage(text$3(field(first, "message")) ?? "the query failed", this.#options.token);
		const kind = field(first, "type") === "FORBIDDEN" ? "forbidden" : "invalid";
		return failure$1({
			kind,
			status: 200,
			message
		});
	}
	async pause(milliseconds) {
		const left = Math.max(0, this.#endsAt - performance.now());
		try {
			await setTimeout$1(Math.min(milliseconds, left), void 0, { signal: this.#options.signal });
		} catch {}
	}
	#mayWait(milliseconds) {
		if (milliseconds === void 0 || this.#waited + milliseconds > this.#limits.waitMs) return false;
		return performance.now() + milliseconds < this.#endsAt;
	}
	async #try(route, parameters) {
		const hindrance = this.#hindrance();
		if (hindrance !== void 0) return refused({
			kind: "unavailable",
			status: void 0,
			message: hindrance
		});
		this.#requests++;
		const left = Math.min(this.#limits.requestMs, this.#endsAt - performance.now());
		const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(left)));
		const { signal: cancelled } = this.#options;
		const signal = cancelled === void 0 ? timeout : AbortSignal.any([timeout, cancelled]);
		try {
			const { data, headers } = await this.#send(route, {
				...parameters,
				request: { signal }
			});
			return {
				ok: true,
				value: {
					data,
					hasNext: /\brel="next"/.test(text$3(headers["link"]) ?? "")
				}
			};
		} catch (error) {
			if (error instanceof NotOpenError) return refused({
				kind: error.kind,
				status: void 0,
				message: error.message
			});
			if (timeout.aborted) return passing("GitHub did not answer in time");
			return this.#failed(error);
		}
	}
	/** Why no more requests are sent. */
	#hindrance() {
		if (this.#options.signal?.aborted === true) return "the run was cancelled";
		if (this.#requests >= this.#limits.requests) return `a run sends GitHub at most ${this.#limits.requests} requests`;
		if (performance.now() >= this.#endsAt) return "GitHub took too long";
	}
	#failed(error) {
		const message = plainMessage(error instanceof Error ? error.message : String(error), this.#options.token);
		const response = field(error, "response");
		const status = field(response, "status");
		if (typeof status !== "number") return passing(`GitHub could not be reached: ${message}`);
		const retryAfterMs = readRetryAfter(field(response, "headers"));
		return {
			ok: false,
			error: {
				kind: kindOf(status, message, retryAfterMs),
				status,
				message
			},
			isFinal: false,
			retryAfterMs
		};
	}
};
function refused(error) {
	return {
		ok: false,
		error,
		isFinal: true,
		retryAfterMs: void 0
	};
}
function passing(message) {
	return {
		ok: false,
		error: {
			kind: "unavailable",
			status: void 0,
			message
		},
		isFinal: false,
		retryAfterMs: void 0
	};
}
function kindOf(status, message, retryAfterMs) {
	if (status === 429) return "rate-limited";
	if (status === 403) return retryAfterMs !== void 0 || /\brate limit\b/i.test(message) ? "rate-limited" : "forbidden";
	if (status === 401) return "forbidden";
	if (status === 404 || status === 410) return "not-found";
	return status >= 500 ? "unavailable" : "invalid";
}
/**
* What GitHub says of when to come again; undefined where it says nothing (then it is a minute, longer than we wait).
* https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
*/
function readRetryAfter(headers) {
	const after = Number(text$3(field(headers, "retry-after")) ?? NaN);
	if (Number.isFinite(after) && after >= 0) return after * 1e3;
	if (String(field(headers, "x-ratelimit-remaining")) !== "0") return void 0;
	const reset = Number(text$3(field(headers, "x-ratelimit-reset")) ?? NaN);
	if (!Number.isFinite(reset)) return void 0;
	const now = Date.parse(text$3(field(headers, "date")) ?? "");
	return Math.max(0, reset * 1e3 - (Number.isFinite(now) ? now : Date.now())) + 1e3;
}

// src/github-access.ts
/** A client that is loaded with its first request: many runs have none. */
var GithubAccess = class {
	#options;
	#client;
	#opened;
	constructor(options) {
		this.#options = options;
	}
	get requests() {
		return this.#opened?.requests ?? 0;
	}
	async request(route, parameters) {
		return await (await this.#open()).request(route, parameters);
	}
	async query(query) {
		return await (await this.#open()).query(query);
	}
	async pause(milliseconds) {
		await (await this.#open()).pause(milliseconds);
	}
	async #open() {
		const { token = "", env, signal, limits } = this.#options;
		const apiUrl = env["GITHUB_API_URL"] ?? "https://api.github.com";
		this.#client ??= openGithub({
			token,
			apiUrl,
			signal,
			limits
		});
		this.#opened = await this.#client;
		return this.#opened;
	}
};
/** Answers nothing: for what is found without a request, or not at all. */
const NO_REQUESTS = {
	request: () => Promise.resolve(REFUSED),
	query: () => Promise.resolve(REFUSED),
	pause: () => Promise.resolve(),
	requests: 0
};
const REFUSED = {
	ok: false,
	error: {
		kind: "unavailable",
		status: void 0,
		message: "GitHub is not asked"
	}
};

// src/github/answers.ts
/** Names in what GitHub says. What is not as expected is undefined. */
/** A commit's full name, SHA-1 or SHA-256, which is not all zeros (git's word for "none"). */
function commitName(value) {
	return typeof value === "string" && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value) && !/^0+$/.test(value) ? value : void 0;
}
/** `owner/name` */
function repositoryName(value) {
	return typeof value === "string" && /^[\w.-]{1,100}\/[\w.-]{1,100}$/.test(value) ? value : void 0;
}

// src/github/pages.ts
const PER_PAGE = 100;
/**
* The pages of a list, asked for one after the other: up to the last, to `most`, or to one that cannot be had, which is
* given, too. Of what was cut short the last page says that it has a next one.
*/
async function* pagesOf(client, route, { most, ...parameters }) {
	for (let page = 1; page <= most; page++) {
		const answer = await client.request(route, {
			...parameters,
			per_page: PER_PAGE,
			page
		});
		yield answer;
		if (!answer.ok || !answer.value.hasNext) return;
	}
}

// src/github/base-commits.ts
/**
* The commit that sizes are compared with, and its line of first parents. `pull_request.base.sha` of an event's payload
* is not it: what is built is a merge with the base branch as it is when the run starts.
*/
/** Finds it with at most one request; for a pull request that is checked out as usual with none. Never rejects. */
async function findBaseCommit(question) {
	const { event, checkedOut, defaultBranch } = question;
	switch (event.kind) {
		case "pull_request":
		case "pull_request_target": return await ofPullRequest(question, event);
		case "push":
			if (event.before !== void 0) return found(event.before, "before");
			return await sinceDefault(question, event.branch, event.after);
		case "merge_group":
			if (event.baseSha !== void 0) return found(event.baseSha, "merge-group");
			return none("The merge queue does not name its base.");
		case "workflow_dispatch": {
			const commit = checkedOut?.commit ?? event.sha;
			if (commit === void 0) return none("The run names no commit.");
			return await sinceDefault(question, event.branch, commit);
		}
		case "workflow_run": return none("The run that is reported knows it.");
		case "other":
			if (checkedOut !== void 0) return await sinceDefault(question, defaultBranch, checkedOut.commit);
			return none(`A run for ${event.name} without a checkout has no base.`);
	}
}
async function ofPullRequest(question, event) {
	const { checkedOut } = question;
	const { headSha, baseSha, baseRef } = event;
	const others = checkedOut?.parents.filter((parent) => parent !== headSha) ?? [];
	const [mergedWith] = others;
	if (checkedOut?.parents.length === 2 && others.length === 1 && mergedWith !== void 0) return found(mergedWith, "merge-parent");
	const isHead = checkedOut?.commit === headSha;
	const against = baseSha ?? baseRef;
	let why = checkedOut === void 0 ? "there is no checkout" : "another commit is checked out than the pull request’s";
	if (isHead && against !== void 0) {
		const mergeBase = await findMergeBase(question.client, question.repository, against, headSha);
		if (mergeBase.ok) return found(mergeBase.value, "merge-base");
		why = describeError(mergeBase.error);
	}
	if (baseSha === void 0) return none("The event does not name the base of the pull request.");
	return {
		kind: "found",
		base: {
			commit: baseSha,
			source: "payload",
			doubt: `The base is the one that the event names, which may be older than the one that was built on: ${why}.`
		}
	};
}
/** Of a branch, where it left the default branch; of the default branch itself, the commit before. */
async function sinceDefault(question, branch, commit) {
	const { client, repository, defaultBranch, checkedOut } = question;
	const parent = checkedOut?.commit === commit ? checkedOut.parents[0] : void 0;
	if (defaultBranch !== void 0 && branch !== void 0 && branch !== defaultBranch) {
		const mergeBase = await findMergeBase(client, repository, defaultBranch, commit);
		if (mergeBase.ok && mergeBase.value !== commit) return found(mergeBase.value, "merge-base");
		if (!mergeBase.ok && parent === void 0) return none(`${describeError(mergeBase.error)}.`);
	}
	return parent === void 0 ? none("The commit before is not known.") : found(parent, "parent");
}
/** The newest commit that two commits (or branches of the repository) both descend from. */
async function findMergeBase(client, repository, base, head) {
	const [owner, repo] = repository.split("/");
	const parameters = {
		owner,
		repo,
		basehead: `${base}...${head}`,
		per_page: 1
	};
	const answer = await client.request("GET /repos/{owner}/{repo}/compare/{basehead}", parameters);
	if (!answer.ok) return answer;
	const commit = commitName(field(answer.value.data, "merge_base_commit", "sha"));
	return commit === void 0 ? undocumented("merge base") : success(commit);
}
const PAGES = 3;
/**
* A commit's line of first parents, itself first, so that an index is the distance: at most `limit` commits, fewer where
* history ends or where merged branches fill the pages that are read. (A shallow checkout cannot tell.)
* @param limit 1 to 100
*/
async function listFirstParents(client, repository, commit, limit) {
	const [owner, repo] = repository.split("/");
	const firstParents = /* @__PURE__ */ new Map();
	const parameters = {
		owner,
		repo,
		sha: commit,
		most: PAGES
	};
	for await (const page of pagesOf(client, "GET /repos/{owner}/{repo}/commits", parameters)) {
		if (!page.ok) return firstParents.size === 0 ? page : success(follow(firstParents, commit, limit));
		if (!Array.isArray(page.value.data)) return undocumented("list of commits");
		for (const entry of list$3(page.value.data)) {
			const sha = commitName(field(entry, "sha"));
			const [first] = list$3(field(entry, "parents"));
			if (sha !== void 0) firstParents.set(sha, commitName(field(first, "sha")));
		}
		if (follow(firstParents, commit, limit).length >= limit) break;
	}
	return success(follow(firstParents, commit, limit));
}
/** The last one's parents need not be known, only its name. */
function follow(firstParents, from, limit) {
	const line = [];
	for (let at = from; at !== void 0 && line.length < limit; at = firstParents.get(at)) line.push(at);
	return line;
}
function found(commit, source) {
	return {
		kind: "found",
		base: {
			commit,
			source
		}
	};
}
function none(reason) {
	return {
		kind: "none",
		reason
	};
}

// src/handover/fork-run.ts
/**
* The run that a `workflow_run` event is about: a report job with rights of its own reads what a run without rights,
* such as that of a fork's pull request, has measured. Only numbers and ids in GitHub's own words come from here; what the
* run itself handed over is untrusted data, to be read as records and never as Markdown.
* https://docs.github.com/en/webhooks/webhook-events-and-payloads#workflow_run
*/
const REPOSITORY = /^([A-Za-z0-9_.-]{1,100})\/([A-Za-z0-9_.-]{1,100})$/;
const SHA = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** The run of a `workflow_run` event (the parsed file of GITHUB_EVENT_PATH); undefined for another event. */
function measuredRun(event) {
	const run = field(event, "workflow_run");
	const [, owner, repository] = REPOSITORY.exec(text$3(field(event, "repository", "full_name")) ?? "") ?? [];
	const id = positive(field(run, "id"));
	const headSha = text$3(field(run, "head_sha"));
	if (owner === void 0 || repository === void 0 || id === void 0) return void 0;
	if (headSha === void 0 || !SHA.test(headSha)) return void 0;
	const headRepository = text$3(field(run, "head_repository", "full_name"));
	return {
		id,
		owner,
		repository,
		headSha,
		attempt: positive(field(run, "run_attempt")) ?? 1,
		headRepository: headRepository !== void 0 && REPOSITORY.test(headRepository) ? headRepository : void 0,
		headBranch: text$3(field(run, "head_branch")),
		event: text$3(field(run, "event")) ?? "",
		conclusion: text$3(field(run, "conclusion"))
	};
}
/**
* Where the records of a report lie: in the run that the event is about, else in this one, whose earlier attempts only
* the REST API gives (with `actions: read`).
*/
function recordPlaces(run, env, token) {
	const hasToken = token !== void 0 && token !== "";
	if (run !== void 0) {
		const { owner, repository, id } = run;
		return hasToken ? [{
			owner,
			repository,
			runId: id,
			token
		}] : [];
	}
	const [, owner, repository] = REPOSITORY.exec(env["GITHUB_REPOSITORY"] ?? "") ?? [];
	const runId = positive(Number(env["GITHUB_RUN_ID"]));
	if (!hasToken || runAttempt(env) === 1 || owner === void 0 || repository === void 0 || runId === void 0) return ["own"];
	return ["own", {
		owner,
		repository,
		runId,
		token
	}];
}
/** This run's attempt, from 1. */
function runAttempt(env) {
	return positive(Number(env["GITHUB_RUN_ATTEMPT"])) ?? 1;
}

// src/handover/artifact-name.ts
/**
* Names of the artifacts by which legs of a matrix hand over size records:
* `stage-build.<hash>.<target>.<platform>.attempt-<N>`. The hash is of all that tells legs of a run apart; the words are
* for people. An artifact cannot be replaced, so a leg that is run again has a name of its own.
* Rules: https://github.com/actions/toolkit/blob/main/packages/artifact/src/internal/upload/path-and-artifact-name-validation.ts
*/
/** The file in an artifact. */
const ENTRY_NAME = "size-record.json";
const MAX_WORD = 40;
const PLAN = "plan.plan";
const FORM = /^(stage-build\.[0-9a-f]{16}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40})\.attempt-([1-9]\d{0,5})(?:-again)?$/;
/** The artifact's name, at most 124 ASCII characters; `attempt` is the run's, from 1. */
function artifactName(leg, attempt) {
	return `${legName(leg)}.attempt-${attempt}`;
}
/** The part of the name that all attempts of a leg have. */
function legName({ id, cells }) {
	const pairs = cells.map(({ target, platform }) => JSON.stringify([target, platform])).sort();
	return `stage-build.${createHash("sha256").update(JSON.stringify([id, pairs])).digest("hex").slice(0, 16)}.${slug(cells.map((cell) => cell.target))}.${slug(cells.map((cell) => cell.platform))}`;
}
/** The part of the name that all attempts to hand over the plan of a project have; no leg has it. */
function planName(id) {
	return `stage-build.${createHash("sha256").update(JSON.stringify(["plan", id])).digest("hex").slice(0, 16)}.${PLAN}`;
}
/** Whether an artifact holds a plan: platforms have other words. */
function isPlanName(name) {
	return parseArtifactName(name)?.leg.endsWith(`.${PLAN}`) === true;
}
/** What a name says; undefined for artifacts that are not ours. */
function parseArtifactName(name) {
	const [, leg, attempt] = FORM.exec(name) ?? [];
	return leg === void 0 ? void 0 : {
		leg,
		attempt: Number(attempt)
	};
}
function slug(words) {
	const bounded = [...new Set(words)].sort().map((word) => word.slice(0, MAX_WORD).replaceAll(/[^A-Za-z0-9_]+/g, "-")).join("-").replaceAll(/-+/g, "-").replace(/^-/, "").slice(0, MAX_WORD).replace(/-$/, "");
	return bounded === "" ? "x" : bounded;
}

// src/handover/handover-fault.ts
const MAX_REASON = 300;
/** What was thrown, as an answer. */
function failure(error) {
	const reason = plainReason(error);
	return {
		kind: "failed",
		why: classify(reason, statusOf$1(error)),
		reason
	};
}
/** One line without signatures of addresses. */
function plainReason(error) {
	const short = hideSignatures(error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").trim().replace(/^Failed to \w+: (?:Received non-retryable error: )?(?:Failed request: )?/, "");
	const bounded = short.length > MAX_REASON ? `${short.slice(0, MAX_REASON)}…` : short;
	return bounded === "" ? "the artifact service gave no reason" : bounded;
}
/** Why the toolkit tries a call again, by what it prints then; undefined for other lines. */
function retryCause(line) {
	return /^Attempt \d+ of \d+ failed with error: (.*)\. Retrying request in \d+ ms/.exec(line)?.[1];
}
/** The toolkit has the runner mask them by a workflow command, which never gets to the runner from the child. */
function hideSignatures(text) {
	return text.replaceAll(/\bsig=[^&"'\s\\]+/g, "sig=***").replaceAll(/^::add-mask::.*$/gm, "");
}
/** As octokit has it, or Azure. */
function statusOf$1(error) {
	if (typeof error !== "object" || error === null) return void 0;
	const { status, statusCode } = error;
	return [status, statusCode].find((value) => typeof value === "number");
}
function classify(reason, status) {
	if (/\(409\)/.test(reason)) return "exists";
	if (status === 429 || /\(429\)|storage quota|rate limit/i.test(reason)) return "limited";
	if (status === 401 || status === 403 || status === 404 || /\(40[134]\)|GHES/.test(reason)) return "denied";
	return "service";
}

// src/handover/zip-entry.ts
/**
* Reads the one file of an artifact's zip. An artifact may be anybody's: its names are compared and never used as
* paths, what its header claims is held against limits before anything is unpacked, and nothing is written to disk.
* https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
*/
const END = 101010256;
const CENTRAL = 33639248;
const LOCAL = 67324752;
const [END_BYTES, CENTRAL_BYTES, LOCAL_BYTES] = [
	22,
	46,
	30
];
const MAX_COMMENT = 65535;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;
var ZipFault = class extends Error {};
/**
* The text of the file `name` in a zip that holds that file and no other; a text that is no zip stands for itself, as
* an artifact may be uploaded without being packed.
* @param maxBytes of the unpacked file
*/
function readArtifact(bytes, name, maxBytes) {
	try {
		const content = isZip(bytes) ? onlyEntry(bytes, name, maxBytes) : bytes;
		if (content.length > maxBytes) throw tooLarge(maxBytes);
		return {
			kind: "read",
			text: new TextDecoder("utf-8", { fatal: true }).decode(content)
		};
	} catch (error) {
		if (error instanceof ZipFault) return {
			kind: "refused",
			reason: error.message
		};
		const code = errorCode(error) ?? "";
		if (code === "ERR_BUFFER_TOO_LARGE") return {
			kind: "refused",
			reason: tooLarge(maxBytes).message
		};
		if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return {
			kind: "refused",
			reason: "it is not text in UTF-8"
		};
		return {
			kind: "refused",
			reason: "its zip is damaged"
		};
	}
}
function isZip(bytes) {
	const first = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
	return first === LOCAL || first === END;
}
function onlyEntry(zip, name, maxBytes) {
	const end = endOf(zip);
	const count = zip.readUInt16LE(end + 10);
	if (count !== 1) throw new ZipFault(`its zip holds ${count === 65535 ? "too many" : count} files instead of one`);
	const at = zip.readUInt32LE(end + 16);
	if (zip.readUInt32LE(at) !== CENTRAL) throw new ZipFault("its zip is damaged");
	if (zip.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + zip.readUInt16LE(at + 28)) !== name) throw new ZipFault(`its zip holds another file than ${name}`);
	if ((zip.readUInt16LE(at + 8) & ENCRYPTED) !== 0) throw new ZipFault("its zip is encrypted");
	const method = zip.readUInt16LE(at + 10);
	const [checksum, packed, size] = [
		zip.readUInt32LE(at + 16),
		zip.readUInt32LE(at + 20),
		zip.readUInt32LE(at + 24)
	];
	if (size > maxBytes || packed > zip.length) throw tooLarge(maxBytes);
	const local = zip.readUInt32LE(at + 42);
	if (zip.readUInt32LE(local) !== LOCAL) throw new ZipFault("its zip is damaged");
	const start = local + LOCAL_BYTES + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
	if (start + packed > zip.length) throw new ZipFault("its zip is cut short");
	const content = unpack(zip.subarray(start, start + packed), method, maxBytes);
	if (content.length !== size || crc32(content) !== checksum) throw new ZipFault("its zip is damaged");
	return content;
}
function unpack(data, method, maxBytes) {
	if (method === STORED) return data;
	if (method === DEFLATED) return inflateRawSync(data, { maxOutputLength: maxBytes });
	throw new ZipFault("its zip is packed in a way of its own");
}
/** Where the end record stands: last in the file, but for a comment. */
function endOf(zip) {
	const lowest = Math.max(0, zip.length - END_BYTES - MAX_COMMENT);
	for (let at = zip.length - END_BYTES; at >= lowest; at--) if (zip.readUInt32LE(at) === END && at + END_BYTES + zip.readUInt16LE(at + 20) === zip.length) return at;
	throw new ZipFault("its zip is cut short");
}
function tooLarge(maxBytes) {
	return new ZipFault(`it is larger than ${maxBytes} bytes`);
}

// src/handover/artifacts.ts
/**
* Texts that the jobs of a run hand over to each other as artifacts, by `@actions/artifact` in a child process
* (`artifact-client.ts`). A handover never fails a build: what went wrong is a sentence in the outcome.
*/
const LIMITS = {
	artifacts: 500,
	bytes: 1e6,
	timeMs: 25e3
};
/** Of all texts together. */
const MAX_TEXTS = 64e6;
const NODE_FLAGS = [
	"--max-semi-space-size=1",
	"--max-old-space-size=128",
	"--v8-pool-size=1"
];
/** What the toolkit reads, and what finds and trusts the service. The user's secrets are not among it. */
const PASSED_ON = [
	"ACTIONS_ORCHESTRATION_ID",
	"ACTIONS_RESULTS_URL",
	"ACTIONS_RUNTIME_TOKEN",
	"GITHUB_API_URL",
	"GITHUB_RETENTION_DAYS",
	"GITHUB_SERVER_URL",
	"HOME",
	"NODE_EXTRA_CA_CERTS",
	"NODE_TLS_REJECT_UNAUTHORIZED",
	"PATH",
	"SSL_CERT_DIR",
	"SSL_CERT_FILE",
	...[
		"http_proxy",
		"https_proxy",
		"no_proxy"
	].flatMap((name) => [name, name.toUpperCase()])
];
/** Whether a step can hand over at all: the runner tells steps of actions where the service is. */
function artifactsAreHere(env) {
	return (env["ACTIONS_RUNTIME_TOKEN"] ?? "") !== "" && (env["ACTIONS_RESULTS_URL"] ?? "") !== "";
}
/**
* Hands a text over to later jobs of this run, under a name by `artifactName`.
* @param retentionDays after which GitHub removes it
*/
async function uploadText({ name, text, retentionDays }, options) {
	if (!artifactsAreHere(options.env)) return { kind: "none" };
	const { folder, timeoutMs = 45e3 } = options;
	const file = join(folder, ENTRY_NAME);
	return await inFolder(folder, async () => {
		await writeFile$1(file, text);
		const [outcome] = await ask({
			op: "upload",
			name,
			file,
			folder,
			retentionDays
		}, {
			...options,
			timeoutMs
		});
		if (outcome?.kind === "uploaded") return outcome;
		const { why, reason } = outcome?.kind === "failed" ? outcome : UNEXPECTED;
		return {
			kind: "failed",
			why,
			warning: why === "exists" ? `This run has an artifact ${name} already, so another step with the same id, targets and platforms handed its sizes over, and these are not in the report: give each step an id of its own.` : `The sizes could not be handed over to the report job: ${reason}.`
		};
	});
}
/**
* Gets what legs of a run handed over: of each leg what its highest attempt did.
* @param places of this run `own`; after the first attempt the run itself, too, as the runner's token gives no artifacts
*   of earlier ones (https://github.com/actions/download-artifact/issues/486)
*/
async function fetchTexts(places, options) {
	const usable = places.filter((place) => place !== "own" || artifactsAreHere(options.env));
	if (usable.length === 0) return { kind: "none" };
	const { folder, timeoutMs = 12e4 } = options;
	const limits = {
		...LIMITS,
		...options.limits
	};
	return await inFolder(folder, async () => {
		const answers = await ask({
			op: "fetch",
			places: usable,
			folder,
			limits
		}, {
			...options,
			timeoutMs
		});
		const failed = answers.find((answer) => answer.kind === "failed");
		const fetched = answers.filter((answer) => answer.kind === "fetched").sort((a, b) => a.name < b.name ? -1 : 1);
		const left = answers.flatMap((answer) => answer.kind === "left" ? [{
			name: answer.name,
			reason: answer.reason
		}] : []);
		const texts = [];
		let total = 0;
		for (const { name, file } of fetched) {
			const read = await readBounded(file, limits.bytes);
			if (read.kind === "refused") left.push({
				name,
				reason: read.reason
			});
			else if ((total += read.text.length) > MAX_TEXTS) left.push({
				name,
				reason: "there is too much of all together"
			});
			else texts.push({
				name,
				text: read.text
			});
		}
		if (failed === void 0) return {
			kind: "fetched",
			texts,
			left
		};
		const warning = `What the jobs of this run handed over could not be fetched: ${failed.reason}.`;
		return texts.length > 0 ? {
			kind: "fetched",
			texts,
			left,
			warning
		} : {
			kind: "failed",
			why: failed.why,
			warning
		};
	});
}
async function readBounded(file, maxBytes) {
	const { size } = await stat$1(file);
	return size > maxBytes ? {
		kind: "refused",
		reason: `it is larger than ${maxBytes} bytes`
	} : readText(file, maxBytes);
}
async function readText(file, maxBytes) {
	return readArtifact(await readFile(file), ENTRY_NAME, maxBytes);
}
async function inFolder(folder, work) {
	try {
		await mkdir$1(folder, { recursive: true });
		return await work();
	} catch (error) {
		return {
			kind: "failed",
			why: "service",
			warning: `Sizes could not be handed over between jobs: ${error instanceof Error ? error.message : String(error)}.`
		};
	} finally {
		await rm$1(folder, {
			recursive: true,
			force: true
		}).catch(() => void 0);
	}
}
const UNEXPECTED = {
	kind: "failed",
	why: "service",
	reason: "the artifact client gave an answer to another question"
};
/** All answers to a request; the last tells how it ended. The child is gone afterwards. */
async function ask(request, { env, clientPath, folder, debug = () => void 0, timeoutMs }) {
	const answers = [];
	const { promise: ended, resolve: tellEnd } = Promise.withResolvers();
	let isOver = false;
	let trouble;
	const end = (last) => {
		if (isOver) return;
		isOver = true;
		answers.push(last);
		child.kill();
	};
	const child = startChild(clientPath, NODE_FLAGS, {
		cwd: folder,
		env: {
			...Object.fromEntries(PASSED_ON.flatMap((name) => env[name] === void 0 ? [] : [[name, env[name]]])),
			GITHUB_WORKSPACE: folder,
			TMPDIR: folder
		},
		onLine: (line) => {
			trouble = retryCause(line) ?? trouble;
			if (!/^(?:::|$)/.test(line)) debug(hideSignatures(line));
		},
		onMessage: (message) => {
			const answer = message;
			if (answer.kind === "fetched" || answer.kind === "left") answers.push(answer);
			else end(answer);
		},
		onEnd: (how) => {
			end({
				kind: "failed",
				why: "service",
				reason: `the artifact client ${how}`
			});
			tellEnd(void 0);
		}
	});
	const timer = setTimeout(() => {
		const inTime = `within ${Math.round(timeoutMs / 1e3)} s`;
		end(failure(trouble === void 0 ? `there was no end of it ${inTime}` : `${trouble}, and no better ${inTime}`));
	}, timeoutMs);
	child.send(request);
	await ended;
	clearTimeout(timer);
	return answers;
}

// src/github/event.ts
/**
* The event that started the run, as far as a size report needs it. Of its payload, parts are written by who opened the
* pull request: names are checked, nothing is trusted to be there.
* https://docs.github.com/en/webhooks/webhook-events-and-payloads
*/
/** An event that lacks what its kind is about is of the kind `other`. */
function readReportEvent(source) {
	return known(source) ?? {
		kind: "other",
		name: source.name
	};
}
function known(source) {
	const { name, payload } = source;
	switch (name) {
		case "pull_request":
		case "pull_request_target": return pullRequest(name, payload, source.repository);
		case "push": {
			const branch = branchOf(source.ref);
			const after = commitName(field(payload, "after")) ?? commitName(source.sha);
			if (branch === void 0 || after === void 0) return void 0;
			return {
				kind: name,
				branch,
				before: commitName(field(payload, "before")),
				after
			};
		}
		case "merge_group": {
			const headSha = commitName(field(payload, "merge_group", "head_sha")) ?? commitName(source.sha);
			if (headSha === void 0) return void 0;
			return {
				kind: name,
				headSha,
				baseSha: commitName(field(payload, "merge_group", "base_sha")),
				number: queuedNumber(text$3(field(payload, "merge_group", "head_ref")) ?? source.ref)
			};
		}
		case "workflow_run": return workflowRun(field(payload, "workflow_run"));
		case "workflow_dispatch": return {
			kind: name,
			branch: branchOf(source.ref),
			sha: commitName(source.sha)
		};
		default: return;
	}
}
function pullRequest(kind, payload, repository) {
	const pull = field(payload, "pull_request");
	const number = positive(field(pull, "number"));
	const headSha = commitName(field(pull, "head", "sha"));
	if (number === void 0 || headSha === void 0) return void 0;
	return {
		kind,
		number,
		headSha,
		baseSha: commitName(field(pull, "base", "sha")),
		baseRef: text$3(field(pull, "base", "ref")),
		isFork: !sameRepository(field(pull, "head", "repo", "full_name"), repository),
		isDependabot: field(pull, "user", "login") === "dependabot[bot]"
	};
}
function workflowRun(run) {
	const headSha = commitName(field(run, "head_sha"));
	if (headSha === void 0) return void 0;
	const numbers = list$3(field(run, "pull_requests")).map((pull) => positive(field(pull, "number")));
	return {
		kind: "workflow_run",
		headSha,
		headRepository: repositoryName(field(run, "head_repository", "full_name")),
		headBranch: text$3(field(run, "head_branch")),
		numbers: numbers.filter((number) => number !== void 0)
	};
}
/** GitHub's names of repositories are equal in any case. */
function sameRepository(one, other) {
	return repositoryName(one)?.toLowerCase() === other.toLowerCase();
}
function branchOf(ref) {
	return /^refs\/heads\/(.+)$/.exec(ref)?.[1];
}
/** `refs/heads/gh-readonly-queue/release/2/pr-104-SHA`; the base branch may have slashes and look like this, too. */
function queuedNumber(ref) {
	const digits = /^(?:refs\/heads\/)?gh-readonly-queue\/.+\/pr-(\d{1,15})-[0-9a-f]{40,64}$/.exec(ref)?.[1];
	return digits === void 0 ? void 0 : positive(Number(digits));
}

// src/report-place.ts
/** Where sizes are reported: the run, its event, and the way to GitHub. */
/** Where reports go. */
function reportPlace(options) {
	const { token, event, env, signal } = options;
	const repository = env["GITHUB_REPOSITORY"] ?? "";
	const isHere = env["GITHUB_ACTIONS"] === "true" && token !== void 0 && repository !== "";
	return {
		env,
		payload: event.payload,
		defaultBranch: event.defaultBranch,
		event: readReportEvent({
			name: env["GITHUB_EVENT_NAME"] ?? "",
			payload: event.payload,
			repository,
			ref: env["GITHUB_REF"] ?? "",
			sha: env["GITHUB_SHA"] ?? ""
		}),
		github: isHere ? {
			client: new GithubAccess({
				token,
				env,
				signal
			}),
			repository
		} : void 0
	};
}
/** The commit that reviewers know: of a pull request its head, not the merge that is built. */
function headCommit(event, env) {
	return "headSha" in event ? event.headSha : env["GITHUB_SHA"];
}

// src/sizing.ts
/**
* Sizes beside their baseline, as a run has them: the base commit is looked for when the run begins, its sizes while
* targets are built, and in the end there is a report, or, in a leg of a matrix and where this run may not
* comment, a record for the job that reports. What a step that only plans does not need is loaded when it is.
*/
const ARTIFACT_CLIENT = new URL("../dist/artifact-client.js", import.meta.url);
var Sizing = class {
	#options;
	#place;
	#head;
	#local;
	#baseline;
	#records;
	constructor(options) {
		this.#options = options;
		const { inputs, event, env, signal } = options;
		this.#place = reportPlace({
			token: inputs.githubToken,
			event,
			env,
			signal
		});
		const isRun = (env["GITHUB_EVENT_NAME"] ?? "") !== "";
		const workspace = env["GITHUB_WORKSPACE"] ?? process.cwd();
		this.#head = isRun ? readHead(join(workspace, inputs.context)) : Promise.resolve(void 0);
		this.#head.catch(() => void 0);
	}
	/** The base commit, where it is known without asking GitHub: whose cache is looked for first. */
	async likelyBase() {
		const found = await this.#localBase();
		return found.kind === "found" ? found.base.commit : void 0;
	}
	/** Begins to look for what sizes are compared with. */
	begin(found) {
		this.#records = found.records;
		this.#baseline ??= this.#find(found);
	}
	/**
	* `mode: plan`: hands over what is known of targets that an earlier run of the same pull request built, and that this
	* one leaves as they are: no job measures them, and the plan tells only their totals. Never rejects.
	*/
	async handOverUnchanged(found) {
		const { env } = this.#options;
		const { planned } = found;
		const isPull = (env["GITHUB_BASE_REF"] ?? "") !== "";
		const { event } = this.#place;
		if (event.kind === "pull_request" && event.isFork) await this.#leavePlan(planned);
		const own = [...planned.decisions].flatMap(([name, decision]) => decision.status === "unchanged" && decision.ref === env["GITHUB_REF"] ? [[name, decision]] : []);
		if (!isPull || own.length === 0 || !artifactsAreHere(env)) return [];
		const commit = headCommit(event, env);
		const { sizeRecordOf } = await import("./size-records.js");
		const records = own.flatMap(([name, { record, ref }]) => {
			const known = sizeRecordOf(name, {
				source: "own",
				ref,
				record
			}, {
				...found,
				env
			});
			return known === void 0 ? [] : [{
				...known,
				status: "unchanged",
				commit,
				tags: planned.tagsOf.get(name) ?? []
			}];
		});
		this.begin(found);
		const warning = records.length === 0 ? void 0 : await this.#handOver(records, await this.#baseline ?? NO_BASELINE);
		return warning === void 0 ? [] : [{ message: warning }];
	}
	/** Compares and tells, or hands over. Never rejects. */
	async finish(result) {
		const { inputs, env, now, runner } = this.#options;
		const { planned, project } = result;
		const commit = headCommit(this.#place.event, env);
		const { graphChange } = await import("./graph-change.js");
		const { sizeRecords } = await import("./size-records.js");
		const { reportSizes } = await import("./size-reporting.js");
		const records = sizeRecords({
			...result,
			env,
			commit,
			now: now()
		});
		const baseline = await this.#baseline ?? NO_BASELINE;
		const isPart = inputs.matrixBy === "platform";
		const isLeg = (inputs.jobTotal > 0 || isPart) && artifactsAreHere(env);
		const warning = isLeg ? await this.#handOver(records, baseline) : void 0;
		const known = new Set(project.names ?? planned.graph.stages.map(({ name }) => name));
		const reported = await reportSizes({
			records,
			baseline,
			id: project.id,
			comment: inputs.comment,
			isLeg,
			budgets: parseSizeBudgets(inputs.sizeBudgets, void 0).budgets,
			isStillThere: (id, target) => id === project.id && known.has(target),
			graphChanged: graphChange(planned, baseline.records, this.#records)
		}, this.#place);
		if (isLeg && warning === void 0) runner.notice(isPart ? PART_NOTICE : legNotice(inputs.jobTotal));
		const told = warning === void 0 ? [] : [{ message: warning }];
		if (reported.lacksRights && !isLeg) await this.#leaveForAnother(records, baseline);
		const warnings = [...baseline.warnings, ...reported.warnings];
		if (isPart && inputs.push) return {
			...reported,
			warnings,
			problems: [...reported.problems, ...told]
		};
		return {
			...reported,
			warnings: [...warnings, ...told]
		};
	}
	/** A fork's run may not comment; the one that may cannot have the plan from outputs of this one. */
	async #leavePlan({ plan }) {
		const { env, runner } = this.#options;
		const facts = {
			commit: headCommit(this.#place.event, env),
			attempt: runAttempt(env)
		};
		const { handOverPlan } = await import("./handed-plan.js");
		const outcome = await handOverPlan(plan, facts, handoverOptions(env, runner));
		if (outcome.kind === "failed") runner.log(outcome.warning);
	}
	/** A run for `workflow_run` may write what this one may not. Whether there is one is not known, so nothing is announced. */
	async #leaveForAnother(records, baseline) {
		const { env, runner } = this.#options;
		const trouble = artifactsAreHere(env) ? await this.#handOver(records, baseline) : void 0;
		if (trouble !== void 0) runner.log(trouble);
	}
	async #handOver(records, { facts, records: before }) {
		const { env, runner } = this.#options;
		const compared = records.map((record) => {
			const found = before.find(({ id, target }) => id === record.id && target === record.target);
			return {
				...record,
				baseline: {
					facts,
					record: found
				}
			};
		});
		const { handOverSizes } = await import("./size-handover.js");
		const outcome = await handOverSizes(compared, runAttempt(env), handoverOptions(env, runner));
		return outcome.kind === "failed" ? outcome.warning : void 0;
	}
	async #find({ planned, project, registry, records, caching }) {
		const { inputs, event, env, signal } = this.#options;
		const { github } = this.#place;
		const local = await this.#localBase();
		const base = local.kind === "found" && local.base.source !== "payload" || github === void 0 ? local : await findBaseCommit(await this.#question(github.client));
		const branch = env["GITHUB_BASE_REF"] ?? "";
		const ownBranch = this.#place.event.kind === "push" ? env["GITHUB_REF_NAME"] : event.defaultBranch;
		const { findBaseline } = await import("./baselines.js");
		return await findBaseline({
			baseline: inputs.baseline,
			planned,
			project,
			records,
			github,
			registry,
			env,
			signal,
			wanted: base.kind === "found" ? base.base.commit : void 0,
			branch: branch === "" ? ownBranch : branch,
			recordsOf: async (commits) => await caching?.recordsOf(commits)
		});
	}
	/** What is known without a request. */
	async #localBase() {
		this.#local ??= this.#question(NO_REQUESTS).then(findBaseCommit);
		return await this.#local;
	}
	async #question(client) {
		const { event, env } = this.#options;
		return {
			client,
			event: this.#place.event,
			defaultBranch: event.defaultBranch,
			repository: env["GITHUB_REPOSITORY"] ?? "",
			checkedOut: await this.#head.catch(() => void 0)
		};
	}
};
/** How artifacts are reached. */
function handoverOptions(env, runner) {
	return {
		env,
		clientPath: fileURLToPath(ARTIFACT_CLIENT),
		folder: join(env["RUNNER_TEMP"] ?? tmpdir(), `stage-build-handover-${randomBytes(8).toString("hex")}`),
		debug: (line) => {
			runner.debug(line);
		}
	};
}
const NO_BASELINE = {
	facts: {
		wanted: void 0,
		branch: void 0,
		commit: void 0,
		source: "none",
		distance: void 0
	},
	records: [],
	warnings: []
};
const PART_NOTICE = "One platform of several: its digest and sizes are handed over. A job after the matrix with `mode: merge` makes one image of all platforms, and one comment (README, “Platforms on runners of their own”).";
function legNotice(jobs) {
	return `${jobs === 1 ? "The only job" : `One of ${jobs} jobs`} of a matrix: its sizes are handed over. For one comment on all of them, add a job after the matrix with \`mode: report\` (README, “A matrix of what changed”).`;
}

// src/summarizing.ts
/** From plan and build to what the job summary is made from. Pure. */
/** What the summary shows. */
function summaryData({ inputs, project, planned, built, durationMs }) {
	return {
		title: project.id,
		file: project.dockerfileName,
		context: inputs.context,
		targets: planned.targets.map((target) => targetReport(target, planned, built)),
		durationMs,
		graph: planned.graph,
		sharedStages: planned.plan.shared,
		externalImages: planned.images.entries().map(({ image, digest, mapped }) => ({
			image,
			digest,
			mapped,
			before: movedFrom(planned.before, image, digest)
		})),
		timeline: built === void 0 ? [] : timelineOf(built.steps, planned),
		cache: built?.cache,
		missing: built?.missing ?? [],
		notes: [],
		warnings: [...planned.warnings, ...built?.warnings ?? []],
		failures: (built?.problems ?? []).map((problem) => ({
			problem,
			lastLines: problem.lastLines ?? []
		}))
	};
}
function targetReport(target, planned, built) {
	const { name, stage } = target;
	const steps = (built?.steps ?? []).filter((step) => step.targets.includes(name));
	const image = built?.images.find((candidate) => candidate.target === name);
	const instructions = steps.filter(isInstruction);
	return {
		name,
		stage,
		status: statusOf(target, {
			image,
			built
		}),
		tags: planned.tagsOf.get(name) ?? [],
		digest: image?.digest,
		platforms: built?.measured.sizes.get(name)?.platforms ?? unknownSizes(planned.partOf(name), built),
		durationMs: durationOf(steps),
		steps: built?.unchanged.has(name) === true ? void 0 : countSteps(instructions),
		leftBehind: image === void 0 ? [] : built?.measured.leftBehind.get(name) ?? [],
		...whyOf(target, planned)
	};
}
function countSteps(instructions) {
	return {
		run: instructions.filter((step) => step.status === "done").length,
		cached: instructions.filter((step) => step.status === "cached").length
	};
}
function statusOf({ name }, found) {
	if (found.built?.unchanged.has(name) === true) return "unchanged";
	if (found.image !== void 0) return "built";
	return found.built?.failed.has(name) === true ? "failed" : "skipped";
}
function whyOf({ name }, { decisions, graph }) {
	const decision = decisions.get(name);
	if (decision === void 0) return {
		reasons: [],
		since: void 0
	};
	if (decision.status === "unchanged") return {
		reasons: [],
		since: sinceText(decision)
	};
	return {
		reasons: decision.reasons.map(({ text, stage: index, line }) => {
			const stage = index === void 0 ? void 0 : graph.stages[index];
			const file = stage?.file === void 0 ? {} : { file: stage.file };
			return {
				text,
				line,
				stage: stage === void 0 ? void 0 : stageName(stage, 60),
				...file
			};
		}),
		since: void 0
	};
}
/** The digest of the last build, where another one is built on now. */
function movedFrom(before, image, digest) {
	const known = before.get(image);
	return digest === void 0 || known === digest ? void 0 : known;
}
function unknownSizes({ platforms }, built) {
	const unknown = {
		total: void 0,
		own: void 0,
		inherited: void 0
	};
	if (built === void 0 || built.images.length === 0) return [];
	return platforms.map((platform) => ({
		platform,
		transfer: unknown,
		unpacked: unknown,
		unknownReason: built.measured.unknownReason
	}));
}
function durationOf(steps) {
	const started = steps.flatMap((step) => step.startedMs ?? []);
	if (started.length === 0) return void 0;
	const ended = steps.map((step) => (step.startedMs ?? 0) + step.durationMs);
	return Math.max(...ended) - Math.min(...started);
}
function timelineOf(steps, planned) {
	const shown = steps.filter((step) => step.startedMs !== void 0 && (step.kind === "stage" || step.kind === "export"));
	const zero = Math.min(...shown.map((step) => step.startedMs ?? 1e400));
	return shown.map((step) => {
		const stage = step.stage === void 0 ? void 0 : planned.graph.stages[step.stage];
		const start = (step.startedMs ?? zero) - zero;
		return {
			label: stage !== void 0 && step.text.startsWith("FROM ") ? `FROM ${stage.fromText}` : step.text,
			stage: stage === void 0 ? step.targets.join(", ") : stageName(stage, 24),
			target: step.targets.length === 1 ? step.targets[0] : void 0,
			startMs: start,
			endMs: start + step.durationMs,
			cached: step.status === "cached"
		};
	});
}

// src/run.ts
/**
* The whole story: inputs → Dockerfile → stage graph → plan → build → sizes → report → outputs. Each step is a room or a
* file of its own; this file only tells their order.
*/
/**
* Runs the main step.
* @throws UserError for everything that a user can mend; it is told once, by the caller.
*/
async function run(surroundings) {
	const { runner, env, now } = surroundings;
	const started = now();
	const hostPlatform = hostOf(surroundings);
	const { inputs, warnings: inputWarnings } = readInputs((name) => runner.input(name), env, hostPlatform);
	const warnings = [...inputWarnings];
	if (inputs.mode === "build") refuseOtherPlatforms(surroundings.platform);
	if (inputs.mode === "report" || inputs.mode === "merge") {
		const { reportStep } = await import("./report-step.js");
		await reportStep(inputs, surroundings, warnings);
		return;
	}
	const event = await readEvent(env);
	if (inputs.mode === "cleanup") {
		const { cleanupStep } = await import("./cleanup-step.js");
		await cleanupStep(inputs, surroundings, {
			event,
			warnings
		});
		return;
	}
	const sizing = new Sizing({
		inputs,
		event,
		...surroundings
	});
	await using ahead = new LookAhead(env, { scout: surroundings.scout });
	const isBake = inputs.bakeFiles.length > 0;
	const open = !isBake ? openProject(inputs, env) : openBakeProject(inputs, env, hostPlatform);
	if (!isBake) open.then(async ({ parts: [{ contextDir }] }) => {
		await ahead.beginAt(contextDir);
	}, () => void 0);
	else if (env["GITHUB_EVENT_NAME"] !== "pull_request_target") ahead.beginAt(env["GITHUB_WORKSPACE"] ?? ".");
	const [project, baseCommit] = await Promise.all([open, sizing.likelyBase()]);
	for (const note of project.notes ?? []) runner.log(visible(note, 2e3));
	const warn = (problems) => {
		announce(runner, toldOfInline(problems, project.parts), {
			level: "warning",
			workspace: project.workspace
		});
	};
	const client = openRegistryClient(inputs, surroundings, warn);
	let engine;
	let caching;
	let records;
	try {
		const planned = await planBuild(inputs, project, {
			client,
			hostPlatform,
			env,
			workspace: project.workspace,
			signal: surroundings.signal,
			ahead,
			onSound: (targets) => {
				if (inputs.mode === "build") {
					engine = openEngine(project, env, inputs.builder);
					engine.catch(() => void 0);
				}
				const question = {
					inputs: project.inputs,
					project,
					event,
					env,
					baseCommit,
					targets
				};
				const opened = openLayerCaching(question, surroundings);
				caching = opened.caching;
				warnings.push(...opened.warnings);
			},
			records: async (targets) => {
				records = await caching?.records(targets.map(({ name }) => name));
				return records;
			}
		});
		warn([
			...warnings,
			...project.warnings ?? [],
			...planned.warnings
		]);
		writePlanOutputs(runner, planned.plan, planned.matrix);
		logPlan(runner, planned);
		if (inputs.mode === "plan") {
			warn([...planned.images.entries(), ...planned.failedContexts].flatMap(({ problem }) => problem ?? []));
			warn(await sizing.handOverUnchanged({
				planned,
				project,
				registry: client,
				records,
				caching
			}));
			const data = summaryData({
				inputs,
				project,
				planned,
				built: void 0,
				durationMs: now() - started
			});
			await runner.appendSummary(renderPlanSummary(planned.plan, data));
			return;
		}
		const { buildPlanned } = await import("./build-step.js");
		await buildPlanned({
			inputs,
			project,
			planned,
			client,
			surroundings,
			warn,
			sizing,
			records,
			caching,
			engine,
			started
		});
	} catch (error) {
		throw errorOfInline(error, project.parts);
	} finally {
		client.close();
		await caching?.[Symbol.asyncDispose]();
	}
}
function refuseOtherPlatforms(platform) {
	throwIfAny(checkPlatform(platform));
}
/** The platform that an engine on this machine builds for. */
function hostOf({ arch }) {
	return `linux/${{
		x64: "amd64",
		arm64: "arm64",
		arm: "arm/v7"
	}[arch] ?? arch}`;
}
function logPlan(runner, { plan, graph }) {
	runner.log(`${plan.file}: ${count(graph.stages.length, "stage")}, ${count(plan.targets.length, "target")} (${plan.platforms.join(", ")})`);
	for (const target of plan.targets) {
		const stages = target.stages.map((index) => stageName(graph.stages[index] ?? {
			name: void 0,
			index
		}));
		const own = ownPlatforms(plan, target);
		const where = own.length === 0 ? "" : ` (${own.join(", ")})`;
		runner.log(`  ${target.name}: ${target.status}${whyText(target)}; ${shortened(stages).join(" → ")}${where}`);
	}
}
/** Why a target is built. */
function whyText({ reasons }) {
	return reasons.length === 0 ? "" : ` (${shortened([...new Set(reasons.map(({ text }) => text))]).join("; ")})`;
}
/** So many stages that nobody reads them on one line: the first ones and the last. */
function shortened(stages) {
	return stages.length <= 12 ? stages : [
		...stages.slice(0, 9),
		`${stages.length - 10} more`,
		...stages.slice(-1)
	];
}

// node_modules/@actions/core/lib/utils.js
/**
* Sanitizes an input into a string so it can be passed into issueCommand safely
* @param input input to sanitize into a string
*/
function toCommandValue(input) {
	if (input === null || input === void 0) return "";
	else if (typeof input === "string" || input instanceof String) return input;
	return JSON.stringify(input);
}
/**
*
* @param annotationProperties
* @returns The command properties to send with the actual annotation command
* See IssueCommandProperties: https://github.com/actions/runner/blob/main/src/Runner.Worker/ActionCommandManager.cs#L646
*/
function toCommandProperties(annotationProperties) {
	if (!Object.keys(annotationProperties).length) return {};
	return {
		title: annotationProperties.title,
		file: annotationProperties.file,
		line: annotationProperties.startLine,
		endLine: annotationProperties.endLine,
		col: annotationProperties.startColumn,
		endColumn: annotationProperties.endColumn
	};
}

// node_modules/@actions/core/lib/command.js
/**
* Issues a command to the GitHub Actions runner
*
* @param command - The command name to issue
* @param properties - Additional properties for the command (key-value pairs)
* @param message - The message to include with the command
* @remarks
* This function outputs a specially formatted string to stdout that the Actions
* runner interprets as a command. These commands can control workflow behavior,
* set outputs, create annotations, mask values, and more.
*
* Command Format:
*   ::name key=value,key=value::message
*
* @example
* ```typescript
* // Issue a warning annotation
* issueCommand('warning', {}, 'This is a warning message');
* // Output: ::warning::This is a warning message
*
* // Set an environment variable
* issueCommand('set-env', { name: 'MY_VAR' }, 'some value');
* // Output: ::set-env name=MY_VAR::some value
*
* // Add a secret mask
* issueCommand('add-mask', {}, 'secretValue123');
* // Output: ::add-mask::secretValue123
* ```
*
* @internal
* This is an internal utility function that powers the public API functions
* such as setSecret, warning, error, and exportVariable.
*/
function issueCommand(command, properties, message) {
	const cmd = new Command(command, properties, message);
	process.stdout.write(cmd.toString() + os.EOL);
}
const CMD_STRING = "::";
var Command = class {
	constructor(command, properties, message) {
		if (!command) command = "missing.command";
		this.command = command;
		this.properties = properties;
		this.message = message;
	}
	toString() {
		let cmdStr = CMD_STRING + this.command;
		if (this.properties && Object.keys(this.properties).length > 0) {
			cmdStr += " ";
			let first = true;
			for (const key in this.properties) if (this.properties.hasOwnProperty(key)) {
				const val = this.properties[key];
				if (val) {
					if (first) first = false;
					else cmdStr += ",";
					cmdStr += `${key}=${escapeProperty(val)}`;
				}
			}
		}
		cmdStr += `${CMD_STRING}${escapeData(this.message)}`;
		return cmdStr;
	}
};
function escapeData(s) {
	return toCommandValue(s).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
}
function escapeProperty(s) {
	return toCommandValue(s).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A").replace(/:/g, "%3A").replace(/,/g, "%2C");
}

// \0plain-fs+
const fs = process.getBuiltinModule("node:fs");
const { accessSync, appendFileSync, closeSync, constants, createReadStream, existsSync, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, readlinkSync, realpathSync, statSync, promises } = fs;

// node_modules/@actions/core/lib/file-command.js
function issueFileCommand(command, message) {
	const filePath = process.env[`GITHUB_${command}`];
	if (!filePath) throw new Error(`Unable to find environment variable for file command ${command}`);
	if (!existsSync(filePath)) throw new Error(`Missing file at path: ${filePath}`);
	appendFileSync(filePath, `${toCommandValue(message)}${os.EOL}`, { encoding: "utf8" });
}
function prepareKeyValueMessage(key, value) {
	const delimiter = `ghadelimiter_${randomUUID()}`;
	const convertedValue = toCommandValue(value);
	if (key.includes(delimiter)) throw new Error(`Unexpected input: name should not contain the delimiter "${delimiter}"`);
	if (convertedValue.includes(delimiter)) throw new Error(`Unexpected input: value should not contain the delimiter "${delimiter}"`);
	return `${key}<<${delimiter}${os.EOL}${convertedValue}${os.EOL}${delimiter}`;
}

// node_modules/@actions/core/lib/summary.js
var __awaiter$6 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
const { access, appendFile, writeFile } = promises;
const SUMMARY_ENV_VAR = "GITHUB_STEP_SUMMARY";
var Summary = class {
	constructor() {
		this._buffer = "";
	}
	/**
	* Finds the summary file path from the environment, rejects if env var is not found or file does not exist
	* Also checks r/w permissions.
	*
	* @returns step summary file path
	*/
	filePath() {
		return __awaiter$6(this, void 0, void 0, function* () {
			if (this._filePath) return this._filePath;
			const pathFromEnv = process.env[SUMMARY_ENV_VAR];
			if (!pathFromEnv) throw new Error(`Unable to find environment variable for $${SUMMARY_ENV_VAR}. Check if your runtime environment supports job summaries.`);
			try {
				yield access(pathFromEnv, constants.R_OK | constants.W_OK);
			} catch (_a) {
				throw new Error(`Unable to access summary file: '${pathFromEnv}'. Check if the file has correct read/write permissions.`);
			}
			this._filePath = pathFromEnv;
			return this._filePath;
		});
	}
	/**
	* Wraps content in an HTML tag, adding any HTML attributes
	*
	* @param {string} tag HTML tag to wrap
	* @param {string | null} content content within the tag
	* @param {[attribute: string]: string} attrs key-value list of HTML attributes to add
	*
	* @returns {string} content wrapped in HTML element
	*/
	wrap(tag, content, attrs = {}) {
		const htmlAttrs = Object.entries(attrs).map(([key, value]) => ` ${key}="${value}"`).join("");
		if (!content) return `<${tag}${htmlAttrs}>`;
		return `<${tag}${htmlAttrs}>${content}</${tag}>`;
	}
	/**
	* Writes text in the buffer to the summary buffer file and empties buffer. Will append by default.
	*
	* @param {SummaryWriteOptions} [options] (optional) options for write operation
	*
	* @returns {Promise<Summary>} summary instance
	*/
	write(options) {
		return __awaiter$6(this, void 0, void 0, function* () {
			const overwrite = !!(options === null || options === void 0 ? void 0 : options.overwrite);
			const filePath = yield this.filePath();
			yield (overwrite ? writeFile : appendFile)(filePath, this._buffer, { encoding: "utf8" });
			return this.emptyBuffer();
		});
	}
	/**
	* Clears the summary buffer and wipes the summary file
	*
	* @returns {Summary} summary instance
	*/
	clear() {
		return __awaiter$6(this, void 0, void 0, function* () {
			return this.emptyBuffer().write({ overwrite: true });
		});
	}
	/**
	* Returns the current summary buffer as a string
	*
	* @returns {string} string of summary buffer
	*/
	stringify() {
		return this._buffer;
	}
	/**
	* If the summary buffer is empty
	*
	* @returns {boolen} true if the buffer is empty
	*/
	isEmptyBuffer() {
		return this._buffer.length === 0;
	}
	/**
	* Resets the summary buffer without writing to summary file
	*
	* @returns {Summary} summary instance
	*/
	emptyBuffer() {
		this._buffer = "";
		return this;
	}
	/**
	* Adds raw text to the summary buffer
	*
	* @param {string} text content to add
	* @param {boolean} [addEOL=false] (optional) append an EOL to the raw text (default: false)
	*
	* @returns {Summary} summary instance
	*/
	addRaw(text, addEOL = false) {
		this._buffer += text;
		return addEOL ? this.addEOL() : this;
	}
	/**
	* Adds the operating system-specific end-of-line marker to the buffer
	*
	* @returns {Summary} summary instance
	*/
	addEOL() {
		return this.addRaw(EOL);
	}
	/**
	* Adds an HTML codeblock to the summary buffer
	*
	* @param {string} code content to render within fenced code block
	* @param {string} lang (optional) language to syntax highlight code
	*
	* @returns {Summary} summary instance
	*/
	addCodeBlock(code, lang) {
		const attrs = Object.assign({}, lang && { lang });
		const element = this.wrap("pre", this.wrap("code", code), attrs);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML list to the summary buffer
	*
	* @param {string[]} items list of items to render
	* @param {boolean} [ordered=false] (optional) if the rendered list should be ordered or not (default: false)
	*
	* @returns {Summary} summary instance
	*/
	addList(items, ordered = false) {
		const tag = ordered ? "ol" : "ul";
		const listItems = items.map((item) => this.wrap("li", item)).join("");
		const element = this.wrap(tag, listItems);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML table to the summary buffer
	*
	* @param {SummaryTableCell[]} rows table rows
	*
	* @returns {Summary} summary instance
	*/
	addTable(rows) {
		const tableBody = rows.map((row) => {
			const cells = row.map((cell) => {
				if (typeof cell === "string") return this.wrap("td", cell);
				const { header, data, colspan, rowspan } = cell;
				const tag = header ? "th" : "td";
				const attrs = Object.assign(Object.assign({}, colspan && { colspan }), rowspan && { rowspan });
				return this.wrap(tag, data, attrs);
			}).join("");
			return this.wrap("tr", cells);
		}).join("");
		const element = this.wrap("table", tableBody);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds a collapsable HTML details element to the summary buffer
	*
	* @param {string} label text for the closed state
	* @param {string} content collapsable content
	*
	* @returns {Summary} summary instance
	*/
	addDetails(label, content) {
		const element = this.wrap("details", this.wrap("summary", label) + content);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML image tag to the summary buffer
	*
	* @param {string} src path to the image you to embed
	* @param {string} alt text description of the image
	* @param {SummaryImageOptions} options (optional) addition image attributes
	*
	* @returns {Summary} summary instance
	*/
	addImage(src, alt, options) {
		const { width, height } = options || {};
		const attrs = Object.assign(Object.assign({}, width && { width }), height && { height });
		const element = this.wrap("img", null, Object.assign({
			src,
			alt
		}, attrs));
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML section heading element
	*
	* @param {string} text heading text
	* @param {number | string} [level=1] (optional) the heading level, default: 1
	*
	* @returns {Summary} summary instance
	*/
	addHeading(text, level) {
		const tag = `h${level}`;
		const allowedTag = [
			"h1",
			"h2",
			"h3",
			"h4",
			"h5",
			"h6"
		].includes(tag) ? tag : "h1";
		const element = this.wrap(allowedTag, text);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML thematic break (<hr>) to the summary buffer
	*
	* @returns {Summary} summary instance
	*/
	addSeparator() {
		const element = this.wrap("hr", null);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML line break (<br>) to the summary buffer
	*
	* @returns {Summary} summary instance
	*/
	addBreak() {
		const element = this.wrap("br", null);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML blockquote to the summary buffer
	*
	* @param {string} text quote text
	* @param {string} cite (optional) citation url
	*
	* @returns {Summary} summary instance
	*/
	addQuote(text, cite) {
		const attrs = Object.assign({}, cite && { cite });
		const element = this.wrap("blockquote", text, attrs);
		return this.addRaw(element).addEOL();
	}
	/**
	* Adds an HTML anchor tag to the summary buffer
	*
	* @param {string} text link text/content
	* @param {string} href hyperlink
	*
	* @returns {Summary} summary instance
	*/
	addLink(text, href) {
		const element = this.wrap("a", text, { href });
		return this.addRaw(element).addEOL();
	}
};
const _summary = new Summary();

// node_modules/@actions/io/lib/io-util.js
var __awaiter$5 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
const { chmod, copyFile, lstat, mkdir, open, readdir, rename, rm, rmdir, stat, symlink, unlink } = promises;
const IS_WINDOWS$1 = process.platform === "win32";
const READONLY = constants.O_RDONLY;
function exists(fsPath) {
	return __awaiter$5(this, void 0, void 0, function* () {
		try {
			yield stat(fsPath);
		} catch (err) {
			if (err.code === "ENOENT") return false;
			throw err;
		}
		return true;
	});
}
/**
* On OSX/Linux, true if path starts with '/'. On Windows, true for paths like:
* \, \hello, \\hello\share, C:, and C:\hello (and corresponding alternate separator cases).
*/
function isRooted(p) {
	p = normalizeSeparators(p);
	if (!p) throw new Error("isRooted() parameter \"p\" cannot be empty");
	if (IS_WINDOWS$1) return p.startsWith("\\") || /^[A-Z]:/i.test(p);
	return p.startsWith("/");
}
/**
* Best effort attempt to determine whether a file exists and is executable.
* @param filePath    file path to check
* @param extensions  additional file extensions to try
* @return if file exists and is executable, returns the file path. otherwise empty string.
*/
function tryGetExecutablePath(filePath, extensions) {
	return __awaiter$5(this, void 0, void 0, function* () {
		let stats = void 0;
		try {
			stats = yield stat(filePath);
		} catch (err) {
			if (err.code !== "ENOENT") console.log(`Unexpected error attempting to determine if executable file exists '${filePath}': ${err}`);
		}
		if (stats && stats.isFile()) {
			if (IS_WINDOWS$1) {
				const upperExt = path.extname(filePath).toUpperCase();
				if (extensions.some((validExt) => validExt.toUpperCase() === upperExt)) return filePath;
			} else if (isUnixExecutable(stats)) return filePath;
		}
		const originalFilePath = filePath;
		for (const extension of extensions) {
			filePath = originalFilePath + extension;
			stats = void 0;
			try {
				stats = yield stat(filePath);
			} catch (err) {
				if (err.code !== "ENOENT") console.log(`Unexpected error attempting to determine if executable file exists '${filePath}': ${err}`);
			}
			if (stats && stats.isFile()) {
				if (IS_WINDOWS$1) {
					try {
						const directory = path.dirname(filePath);
						const upperName = path.basename(filePath).toUpperCase();
						for (const actualName of yield readdir(directory)) if (upperName === actualName.toUpperCase()) {
							filePath = path.join(directory, actualName);
							break;
						}
					} catch (err) {
						console.log(`Unexpected error attempting to determine the actual case of the file '${filePath}': ${err}`);
					}
					return filePath;
				} else if (isUnixExecutable(stats)) return filePath;
			}
		}
		return "";
	});
}
function normalizeSeparators(p) {
	p = p || "";
	if (IS_WINDOWS$1) {
		p = p.replace(/\//g, "\\");
		return p.replace(/\\\\+/g, "\\");
	}
	return p.replace(/\/\/+/g, "/");
}
function isUnixExecutable(stats) {
	return (stats.mode & 1) > 0 || (stats.mode & 8) > 0 && process.getgid !== void 0 && stats.gid === process.getgid() || (stats.mode & 64) > 0 && process.getuid !== void 0 && stats.uid === process.getuid();
}

// node_modules/@actions/io/lib/io.js
var __awaiter$4 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
/**
* Returns path of a tool had the tool actually been invoked.  Resolves via paths.
* If you check and the tool does not exist, it will throw.
*
* @param     tool              name of the tool
* @param     check             whether to check if tool exists
* @returns   Promise<string>   path to tool
*/
function which(tool, check) {
	return __awaiter$4(this, void 0, void 0, function* () {
		if (!tool) throw new Error("parameter 'tool' is required");
		if (check) {
			const result = yield which(tool, false);
			if (!result) {
				if (IS_WINDOWS$1) throw new Error(`Unable to locate executable file: ${tool}. Please verify either the file path exists or the file can be found within a directory specified by the PATH environment variable. Also verify the file has a valid extension for an executable file.`);
				else throw new Error(`Unable to locate executable file: ${tool}. Please verify either the file path exists or the file can be found within a directory specified by the PATH environment variable. Also check the file mode to verify the file is executable.`);
			}
			return result;
		}
		const matches = yield findInPath(tool);
		if (matches && matches.length > 0) return matches[0];
		return "";
	});
}
/**
* Returns a list of all occurrences of the given tool on the system path.
*
* @returns   Promise<string[]>  the paths of the tool
*/
function findInPath(tool) {
	return __awaiter$4(this, void 0, void 0, function* () {
		if (!tool) throw new Error("parameter 'tool' is required");
		const extensions = [];
		if (IS_WINDOWS$1 && process.env["PATHEXT"]) {
			for (const extension of process.env["PATHEXT"].split(path.delimiter)) if (extension) extensions.push(extension);
		}
		if (isRooted(tool)) {
			const filePath = yield tryGetExecutablePath(tool, extensions);
			if (filePath) return [filePath];
			return [];
		}
		if (tool.includes(path.sep)) return [];
		const directories = [];
		if (process.env.PATH) {
			for (const p of process.env.PATH.split(path.delimiter)) if (p) directories.push(p);
		}
		const matches = [];
		for (const directory of directories) {
			const filePath = yield tryGetExecutablePath(path.join(directory, tool), extensions);
			if (filePath) matches.push(filePath);
		}
		return matches;
	});
}

// node_modules/@actions/exec/lib/toolrunner.js
var __awaiter$3 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
const IS_WINDOWS = process.platform === "win32";
var ToolRunner = class extends events.EventEmitter {
	constructor(toolPath, args, options) {
		super();
		if (!toolPath) throw new Error("Parameter 'toolPath' cannot be null or empty.");
		this.toolPath = toolPath;
		this.args = args || [];
		this.options = options || {};
	}
	_debug(message) {
		if (this.options.listeners && this.options.listeners.debug) this.options.listeners.debug(message);
	}
	_getCommandString(options, noPrefix) {
		const toolPath = this._getSpawnFileName();
		const args = this._getSpawnArgs(options);
		let cmd = noPrefix ? "" : "[command]";
		if (IS_WINDOWS) {
			if (this._isCmdFile()) {
				cmd += toolPath;
				for (const a of args) cmd += ` ${a}`;
			} else if (options.windowsVerbatimArguments) {
				cmd += `"${toolPath}"`;
				for (const a of args) cmd += ` ${a}`;
			} else {
				cmd += this._windowsQuoteCmdArg(toolPath);
				for (const a of args) cmd += ` ${this._windowsQuoteCmdArg(a)}`;
			}
		} else {
			cmd += toolPath;
			for (const a of args) cmd += ` ${a}`;
		}
		return cmd;
	}
	_processLineBuffer(data, strBuffer, onLine) {
		try {
			let s = strBuffer + data.toString();
			let n = s.indexOf(os.EOL);
			while (n > -1) {
				onLine(s.substring(0, n));
				s = s.substring(n + os.EOL.length);
				n = s.indexOf(os.EOL);
			}
			return s;
		} catch (err) {
			this._debug(`error processing line. Failed with error ${err}`);
			return "";
		}
	}
	_getSpawnFileName() {
		if (IS_WINDOWS) {
			if (this._isCmdFile()) return process.env["COMSPEC"] || "cmd.exe";
		}
		return this.toolPath;
	}
	_getSpawnArgs(options) {
		if (IS_WINDOWS) {
			if (this._isCmdFile()) {
				let argline = `/D /S /C "${this._windowsQuoteCmdArg(this.toolPath)}`;
				for (const a of this.args) {
					argline += " ";
					argline += options.windowsVerbatimArguments ? a : this._windowsQuoteCmdArg(a);
				}
				argline += "\"";
				return [argline];
			}
		}
		return this.args;
	}
	_endsWith(str, end) {
		return str.endsWith(end);
	}
	_isCmdFile() {
		const upperToolPath = this.toolPath.toUpperCase();
		return this._endsWith(upperToolPath, ".CMD") || this._endsWith(upperToolPath, ".BAT");
	}
	_windowsQuoteCmdArg(arg) {
		if (!this._isCmdFile()) return this._uvQuoteCmdArg(arg);
		if (!arg) return "\"\"";
		const cmdSpecialChars = [
			" ",
			"	",
			"&",
			"(",
			")",
			"[",
			"]",
			"{",
			"}",
			"^",
			"=",
			";",
			"!",
			"'",
			"+",
			",",
			"`",
			"~",
			"|",
			"<",
			">",
			"\""
		];
		let needsQuotes = false;
		for (const char of arg) if (cmdSpecialChars.some((x) => x === char)) {
			needsQuotes = true;
			break;
		}
		if (!needsQuotes) return arg;
		let reverse = "\"";
		let quoteHit = true;
		for (let i = arg.length; i > 0; i--) {
			reverse += arg[i - 1];
			if (quoteHit && arg[i - 1] === "\\") reverse += "\\";
			else if (arg[i - 1] === "\"") {
				quoteHit = true;
				reverse += "\"";
			} else quoteHit = false;
		}
		reverse += "\"";
		return reverse.split("").reverse().join("");
	}
	_uvQuoteCmdArg(arg) {
		if (!arg) return "\"\"";
		if (!arg.includes(" ") && !arg.includes("	") && !arg.includes("\"")) return arg;
		if (!arg.includes("\"") && !arg.includes("\\")) return `"${arg}"`;
		let reverse = "\"";
		let quoteHit = true;
		for (let i = arg.length; i > 0; i--) {
			reverse += arg[i - 1];
			if (quoteHit && arg[i - 1] === "\\") reverse += "\\";
			else if (arg[i - 1] === "\"") {
				quoteHit = true;
				reverse += "\\";
			} else quoteHit = false;
		}
		reverse += "\"";
		return reverse.split("").reverse().join("");
	}
	_cloneExecOptions(options) {
		options = options || {};
		const result = {
			cwd: options.cwd || process.cwd(),
			env: options.env || process.env,
			silent: options.silent || false,
			windowsVerbatimArguments: options.windowsVerbatimArguments || false,
			failOnStdErr: options.failOnStdErr || false,
			ignoreReturnCode: options.ignoreReturnCode || false,
			delay: options.delay || 1e4
		};
		result.outStream = options.outStream || process.stdout;
		result.errStream = options.errStream || process.stderr;
		return result;
	}
	_getSpawnOptions(options, toolPath) {
		options = options || {};
		const result = {};
		result.cwd = options.cwd;
		result.env = options.env;
		result["windowsVerbatimArguments"] = options.windowsVerbatimArguments || this._isCmdFile();
		if (options.windowsVerbatimArguments) result.argv0 = `"${toolPath}"`;
		return result;
	}
	/**
	* Exec a tool.
	* Output will be streamed to the live console.
	* Returns promise with return code
	*
	* @param     tool     path to tool to exec
	* @param     options  optional exec options.  See ExecOptions
	* @returns   number
	*/
	exec() {
		return __awaiter$3(this, void 0, void 0, function* () {
			if (!isRooted(this.toolPath) && (this.toolPath.includes("/") || IS_WINDOWS && this.toolPath.includes("\\"))) this.toolPath = path.resolve(process.cwd(), this.options.cwd || process.cwd(), this.toolPath);
			this.toolPath = yield which(this.toolPath, true);
			return new Promise((resolve, reject) => __awaiter$3(this, void 0, void 0, function* () {
				this._debug(`exec tool: ${this.toolPath}`);
				this._debug("arguments:");
				for (const arg of this.args) this._debug(`   ${arg}`);
				const optionsNonNull = this._cloneExecOptions(this.options);
				if (!optionsNonNull.silent && optionsNonNull.outStream) optionsNonNull.outStream.write(this._getCommandString(optionsNonNull) + os.EOL);
				const state = new ExecState(optionsNonNull, this.toolPath);
				state.on("debug", (message) => {
					this._debug(message);
				});
				if (this.options.cwd && !(yield exists(this.options.cwd))) return reject(/* @__PURE__ */ new Error(`The cwd: ${this.options.cwd} does not exist!`));
				const fileName = this._getSpawnFileName();
				const cp = child.spawn(fileName, this._getSpawnArgs(optionsNonNull), this._getSpawnOptions(this.options, fileName));
				let stdbuffer = "";
				if (cp.stdout) cp.stdout.on("data", (data) => {
					if (this.options.listeners && this.options.listeners.stdout) this.options.listeners.stdout(data);
					if (!optionsNonNull.silent && optionsNonNull.outStream) optionsNonNull.outStream.write(data);
					stdbuffer = this._processLineBuffer(data, stdbuffer, (line) => {
						if (this.options.listeners && this.options.listeners.stdline) this.options.listeners.stdline(line);
					});
				});
				let errbuffer = "";
				if (cp.stderr) cp.stderr.on("data", (data) => {
					state.processStderr = true;
					if (this.options.listeners && this.options.listeners.stderr) this.options.listeners.stderr(data);
					if (!optionsNonNull.silent && optionsNonNull.errStream && optionsNonNull.outStream) (optionsNonNull.failOnStdErr ? optionsNonNull.errStream : optionsNonNull.outStream).write(data);
					errbuffer = this._processLineBuffer(data, errbuffer, (line) => {
						if (this.options.listeners && this.options.listeners.errline) this.options.listeners.errline(line);
					});
				});
				cp.on("error", (err) => {
					state.processError = err.message;
					state.processExited = true;
					state.processClosed = true;
					state.CheckComplete();
				});
				cp.on("exit", (code) => {
					state.processExitCode = code;
					state.processExited = true;
					this._debug(`Exit code ${code} received from tool '${this.toolPath}'`);
					state.CheckComplete();
				});
				cp.on("close", (code) => {
					state.processExitCode = code;
					state.processExited = true;
					state.processClosed = true;
					this._debug(`STDIO streams have closed for tool '${this.toolPath}'`);
					state.CheckComplete();
				});
				state.on("done", (error, exitCode) => {
					if (stdbuffer.length > 0) this.emit("stdline", stdbuffer);
					if (errbuffer.length > 0) this.emit("errline", errbuffer);
					cp.removeAllListeners();
					if (error) reject(error);
					else resolve(exitCode);
				});
				if (this.options.input) {
					if (!cp.stdin) throw new Error("child process missing stdin");
					cp.stdin.end(this.options.input);
				}
			}));
		});
	}
};
var ExecState = class ExecState extends events.EventEmitter {
	constructor(options, toolPath) {
		super();
		this.processClosed = false;
		this.processError = "";
		this.processExitCode = 0;
		this.processExited = false;
		this.processStderr = false;
		this.delay = 1e4;
		this.done = false;
		this.timeout = null;
		if (!toolPath) throw new Error("toolPath must not be empty");
		this.options = options;
		this.toolPath = toolPath;
		if (options.delay) this.delay = options.delay;
	}
	CheckComplete() {
		if (this.done) return;
		if (this.processClosed) this._setResult();
		else if (this.processExited) this.timeout = setTimeout$2(ExecState.HandleTimeout, this.delay, this);
	}
	_debug(message) {
		this.emit("debug", message);
	}
	_setResult() {
		let error;
		if (this.processExited) {
			if (this.processError) error = /* @__PURE__ */ new Error(`There was an error when attempting to execute the process '${this.toolPath}'. This may indicate the process failed to start. Error: ${this.processError}`);
			else if (this.processExitCode !== 0 && !this.options.ignoreReturnCode) error = /* @__PURE__ */ new Error(`The process '${this.toolPath}' failed with exit code ${this.processExitCode}`);
			else if (this.processStderr && this.options.failOnStdErr) error = /* @__PURE__ */ new Error(`The process '${this.toolPath}' failed because one or more lines were written to the STDERR stream`);
		}
		if (this.timeout) {
			clearTimeout(this.timeout);
			this.timeout = null;
		}
		this.done = true;
		this.emit("done", error, this.processExitCode);
	}
	static HandleTimeout(state) {
		if (state.done) return;
		if (!state.processClosed && state.processExited) {
			const message = `The STDIO streams did not close within ${state.delay / 1e3} seconds of the exit event from process '${state.toolPath}'. This may indicate a child process inherited the STDIO streams and has not yet exited.`;
			state._debug(message);
		}
		state._setResult();
	}
};

// node_modules/@actions/exec/lib/exec.js
var __awaiter$2 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};

// node_modules/@actions/core/lib/platform.js
var __awaiter$1 = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
const platform = os$1.platform();
const arch = os$1.arch();

// node_modules/@actions/core/lib/core.js
var __awaiter = void 0 && (void 0).__awaiter || function(thisArg, _arguments, P, generator) {
	function adopt(value) {
		return value instanceof P ? value : new P(function(resolve) {
			resolve(value);
		});
	}
	return new (P || (P = Promise))(function(resolve, reject) {
		function fulfilled(value) {
			try {
				step(generator.next(value));
			} catch (e) {
				reject(e);
			}
		}
		function rejected(value) {
			try {
				step(generator["throw"](value));
			} catch (e) {
				reject(e);
			}
		}
		function step(result) {
			result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected);
		}
		step((generator = generator.apply(thisArg, _arguments || [])).next());
	});
};
/**
* The code to exit an action
*/
var ExitCode;
(function(ExitCode) {
	/**
	* A code indicating that the action was successful
	*/
	ExitCode[ExitCode["Success"] = 0] = "Success";
	/**
	* A code indicating that the action was a failure
	*/
	ExitCode[ExitCode["Failure"] = 1] = "Failure";
})(ExitCode || (ExitCode = {}));
/**
* Registers a secret which will get masked from logs
*
* @param secret - Value of the secret to be masked
* @remarks
* This function instructs the Actions runner to mask the specified value in any
* logs produced during the workflow run. Once registered, the secret value will
* be replaced with asterisks (***) whenever it appears in console output, logs,
* or error messages.
*
* This is useful for protecting sensitive information such as:
* - API keys
* - Access tokens
* - Authentication credentials
* - URL parameters containing signatures (SAS tokens)
*
* Note that masking only affects future logs; any previous appearances of the
* secret in logs before calling this function will remain unmasked.
*
* @example
* ```typescript
* // Register an API token as a secret
* const apiToken = "abc123xyz456";
* setSecret(apiToken);
*
* // Now any logs containing this value will show *** instead
* console.log(`Using token: ${apiToken}`); // Outputs: "Using token: ***"
* ```
*/
function setSecret(secret) {
	issueCommand("add-mask", {}, secret);
}
/**
* Gets the value of an input.
* Unless trimWhitespace is set to false in InputOptions, the value is also trimmed.
* Returns an empty string if the value is not defined.
*
* @param     name     name of the input to get
* @param     options  optional. See InputOptions.
* @returns   string
*/
function getInput(name, options) {
	const val = process.env[`INPUT_${name.replace(/ /g, "_").toUpperCase()}`] || "";
	if (options && options.required && !val) throw new Error(`Input required and not supplied: ${name}`);
	if (options && options.trimWhitespace === false) return val;
	return val.trim();
}
/**
* Sets the value of an output.
*
* @param     name     name of the output to set
* @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
*/
function setOutput(name, value) {
	if (process.env["GITHUB_OUTPUT"] || "") return issueFileCommand("OUTPUT", prepareKeyValueMessage(name, value));
	process.stdout.write(os.EOL);
	issueCommand("set-output", { name }, toCommandValue(value));
}
/**
* Writes debug message to user log
* @param message debug message
*/
function debug(message) {
	issueCommand("debug", {}, message);
}
/**
* Adds an error issue
* @param message error issue message. Errors will be converted to string via toString()
* @param properties optional properties to add to the annotation.
*/
function error(message, properties = {}) {
	issueCommand("error", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
* Adds a warning issue
* @param message warning issue message. Errors will be converted to string via toString()
* @param properties optional properties to add to the annotation.
*/
function warning(message, properties = {}) {
	issueCommand("warning", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
* Adds a notice issue
* @param message notice issue message. Errors will be converted to string via toString()
* @param properties optional properties to add to the annotation.
*/
function notice(message, properties = {}) {
	issueCommand("notice", toCommandProperties(properties), message instanceof Error ? message.toString() : message);
}
/**
* Writes info to log with console.log.
* @param message info message
*/
function info(message) {
	process.stdout.write(message + os.EOL);
}
/**
* Saves state for current action, the state can only be retrieved by this action's post job execution.
*
* @param     name     name of the state to store
* @param     value    value to store. Non-string values will be converted to a string via JSON.stringify
*/
function saveState(name, value) {
	if (process.env["GITHUB_STATE"] || "") return issueFileCommand("STATE", prepareKeyValueMessage(name, value));
	issueCommand("save-state", { name }, toCommandValue(value));
}
/**
* Gets the value of an state set by this action's main execution.
*
* @param     name     name of the state to get
* @returns   string
*/
function getState(name) {
	return process.env[`STATE_${name}`] || "";
}

// src/runner.ts
/**
* The runner: the only importer of `@actions/core`. Inputs, outputs, state, masks, annotations and the job summary
* pass through here; what they mean does not.
*/
/** The GitHub Actions runner around this process. */
function githubRunner(env) {
	return {
		input: (name) => getInput(name),
		setOutput: (name, value) => {
			setOutput(name, value);
		},
		saveState: (name, value) => {
			saveState(name, value);
		},
		state: (name) => getState(name),
		mask: (value) => {
			setSecret(value);
		},
		appendSummary: async (markdown) => {
			const file = env["GITHUB_STEP_SUMMARY"];
			if (file !== void 0 && file !== "") await appendFile$1(file, markdown);
		},
		annotate: ({ level, message, ...place }) => {
			const properties = propertiesOf(place);
			if (level === "error") error(message, properties);
			else warning(message, properties);
		},
		notice: (message) => {
			notice(message);
		},
		log: (line) => {
			info(harmless(line));
		},
		debug: (line) => {
			debug(line);
		},
		fail: () => {
			process.exitCode = ExitCode.Failure;
		}
	};
}
/**
* Text of which no line is a command to the runner, which reads `::name::` at the start of a line and `##[name]`
* anywhere. What a build prints is made harmless before; this holds for names of files and targets, too.
* https://github.com/actions/runner/blob/079cdb1d05fe0ec50f8c51de5a4fa51d0eb189b0/src/Runner.Common/ActionCommand.cs
*/
function harmless(text) {
	return text.replaceAll(/(^|[\r\n])(\s*):(?=:)/g, "$1$2​:").replaceAll("##[", "#​#[");
}
function propertiesOf({ title, file, startLine, endLine }) {
	return {
		title,
		...file === void 0 ? {} : { file },
		...startLine === void 0 ? {} : { startLine },
		...endLine === void 0 ? {} : { endLine }
	};
}

// src/action.ts
/** The action: the main step, and a post step that has something to do. Errors are told here. */
/**
* Runs the step; what goes wrong is told, and the process's exit code says so.
* @param scout lists the workspace already
*/
async function runAction(scout) {
	const { env } = process;
	const runner = githubRunner(env);
	await (runner.state(STATE.isPost) === "" ? main(runner, env, scout) : post(runner, env));
}
async function main(runner, env, scout) {
	runner.saveState(STATE.isPost, "true");
	const cancel = new AbortController();
	for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => {
		cancel.abort();
	});
	try {
		await run({
			runner,
			env,
			platform: process.platform,
			arch: process.arch,
			now: () => Date.now(),
			signal: cancel.signal,
			scout
		});
	} catch (error) {
		fail(runner, env, cancel.signal.aborted ? cancelled(error) : error);
	}
}
async function post(runner, env) {
	try {
		const { runPost } = await import("./post.js");
		await runPost({
			runner,
			env
		});
	} catch (error) {
		runner.log(`Cleaning up failed: ${error instanceof Error ? error.message : String(error)}`);
	}
}
function cancelled(error) {
	return error instanceof UserError ? error : new UserError({ message: "The run was cancelled." }, { cause: error });
}
function fail(to, env, error) {
	to.fail();
	const workspace = env["GITHUB_WORKSPACE"] ?? process.cwd();
	if (error instanceof UserError) {
		announce(to, error.warnings, {
			level: "warning",
			workspace
		});
		announce(to, error.problems, {
			level: "error",
			workspace
		});
		return;
	}
	const stack = error instanceof Error ? error.stack ?? error.message : String(error);
	to.log(stack);
	announce(to, [{
		message: `stage-build has a bug: ${formatProblem({ message: error instanceof Error ? error.message : String(error) })}`,
		mend: "Please report it with the log of this step: https://github.com/org/stage-build/issues."
	}], {
		level: "error",
		workspace
	});
}

export { stagesOf as $, count as $t, tagsAndDigests as A, visible as An, assignTags as At, sinceText as B, text$3 as Bn, removeBuilder as Bt, success as C, announce as Cn, serviceIsHere as Ct, failures as D, htmlCode as Dn, budgetsFor as Dt, externalImages as E, details as En, waitBeforeRetry as Et, baseChain as F, isCount as Fn, openEngine as Ft, recordedSizes as G, planBake as Gt, writeBuildOutputs as H, randomBytes as Ht, isBuiltAnyway as I, isText$1 as In, readyBuilder as It, parseTargetSizes as J, digestFault as Jt, parsePlatforms as K, outputTypes as Kt, sideBySide as L, list$3 as Ln, importsOf as Lt, flowchart as M, distinct as Mn, formatPlatform as Mt, mermaidBlock as N, entries as Nn, parsePlatform as Nt, notes as O, prose as On, parseSizeBudgets as Ot, whyBuilt as P, field as Pn, dockerOf as Pt, digestOf as Q, repositoryOf as Qt, mergePushed as R, parseJson as Rn, registryRefs as Rt, failure$1 as S, throwIfAny as Sn, openBackend as St, openRegistryClient as T, codeBlock as Tn, retryLine as Tt, userCache as U, randomUUID as Ut, sourceText as V, createHash as Vt, CACHE as W, readImageSource as Wt, withFiles as X, formatFamiliar as Xt, platformToJson as Y, familiarName$1 as Yt, LayerIndexer as Z, parseReference as Zt, listFirstParents as _, findProgram as _n, CACHE_MISSING as _t, reportPlace as a, diskUsage as an, brief as at, GithubAccess as b, errorCode as bn, PACK_KEY as bt, uploadText as c, localImageId as cn, formatDelta as ct, legName as d, bytesOnDisk as dn, BuildProgress as dt, formatChange as en, stagesOfAll as et, parseArtifactName as f, asRecord as fn, isCancellation as ft, runAttempt as g, ProgramMissingError as gn, shownText as gt, recordPlaces as h, oneLine as hn, layoutOf as ht, headCommit as i, bakeArgs as in, parseManifest as it, timeline as j, all as jn, untagged as jt, stageGraph as k, table as kn, readEvent as kt, artifactName as l, pruneArgs as ln, isDigest$1 as lt, measuredRun as m, RegistryError as mn, withoutCommand as mt, summaryData as n, list$2 as nn, digestOf$1 as nt, sameRepository as o, helperArgs as on, saveLeftLayers as ot, planName as p, textAt as pn, isInstruction as pt, parseSplit as q, InvalidReferenceError as qt, handoverOptions as r, shortRef as rn, parseImageConfig as rt, fetchTexts as s, listBuilders as sn, formatBytes as st, runAction as t, formatDuration as tn, readIndexEntry as tt, isPlanName as u, runDocker as un, readRoute as ut, pagesOf as v, runProcess as vn, UNREACHABLE as vt, undocumented as w, code$1 as wn, pause as wt, describeError as x, sentence as xn, cacheScopes as xt, commitName as y, UserError as yn, INDEX_KEY as yt, planRetag as z, positive as zn, STATE as zt };