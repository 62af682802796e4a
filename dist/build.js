import { c as existsSync, o as constants$1, s as createReadStream } from "./scout.js";
import { $ as stagesOf, $t as count, A as tagsAndDigests, An as visible, At as assignTags, B as sinceText, Bn as text, Bt as removeBuilder, C as success, Cn as announce, Ct as serviceIsHere, D as failures$1, Dn as htmlCode, Dt as budgetsFor, E as externalImages, En as details, Et as waitBeforeRetry, F as baseChain$1, Fn as isCount, Ft as openEngine, G as recordedSizes, Gt as planBake, H as writeBuildOutputs, Ht as randomBytes, I as isBuiltAnyway, In as isText$1, It as readyBuilder, J as parseTargetSizes, Jt as digestFault, K as parsePlatforms, Kt as outputTypes, L as sideBySide$1, Ln as list, Lt as importsOf, M as flowchart, Mn as distinct, Mt as formatPlatform, N as mermaidBlock, Nn as entries, Nt as parsePlatform, O as notes, On as prose, Ot as parseSizeBudgets, P as whyBuilt, Pn as field$1, Pt as dockerOf, Q as digestOf$1, Qt as repositoryOf, R as mergePushed, Rn as parseJson, Rt as registryRefs, S as failure, Sn as throwIfAny, St as openBackend, T as openRegistryClient, Tn as codeBlock, Tt as retryLine, U as userCache, Ut as randomUUID, V as sourceText, Vt as createHash, W as CACHE, Wt as readImageSource, X as withFiles, Xt as formatFamiliar, Y as platformToJson, Yt as familiarName, Z as LayerIndexer, Zt as parseReference, _ as listFirstParents, _n as findProgram, _t as CACHE_MISSING, a as reportPlace, an as diskUsage, at as brief, b as GithubAccess, bn as errorCode, bt as PACK_KEY, c as uploadText, cn as localImageId, ct as formatDelta, d as legName, dn as bytesOnDisk, dt as BuildProgress, en as formatChange, et as stagesOfAll, f as parseArtifactName, fn as asRecord, ft as isCancellation, g as runAttempt, gn as ProgramMissingError, gt as shownText, h as recordPlaces, hn as oneLine, ht as layoutOf, i as headCommit, in as bakeArgs, it as parseManifest, j as timeline, jn as all, jt as untagged, k as stageGraph, kn as table, kt as readEvent, l as artifactName, ln as pruneArgs, lt as isDigest$1, m as measuredRun, mn as RegistryError, mt as withoutCommand, n as summaryData, nn as list$1, nt as digestOf$2, o as sameRepository, on as helperArgs, ot as saveLeftLayers, p as planName, pn as textAt, pt as isInstruction, q as parseSplit, qt as InvalidReferenceError, r as handoverOptions, rn as shortRef, rt as parseImageConfig, s as fetchTexts, sn as listBuilders, st as formatBytes, tn as formatDuration, tt as readIndexEntry, u as isPlanName, un as runDocker, ut as readRoute, v as pagesOf, vn as runProcess, vt as UNREACHABLE, w as undocumented, wn as code, wt as pause, x as describeError, xn as sentence$1, xt as cacheScopes, y as commitName, yn as UserError, yt as INDEX_KEY, z as planRetag, zn as positive, zt as STATE } from "./plan.js";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { createServer as createServer$1 } from "node:net";
import { PassThrough, Readable, addAbortSignal } from "node:stream";
import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import { createGunzip, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { copyFile, link as link$1, mkdir, mkdtemp, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { setTimeout as setTimeout$1 } from "node:timers/promises";
import { finished, pipeline } from "node:stream/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

// src/measure/size-record.ts
/** Bytes of a file of records. */
const MOST_RECORD_BYTES = 1e6;
const VERSION$5 = 1;
const MOST_RECORDS = 500;
const MOST_TAGS$1 = 200;
const MOST_PLATFORMS$1 = 64;
const LONGEST_NAME = 500;
const LONGEST_FAILURE = 2e3;
const TARGET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const PLATFORM = /^[\w-]{1,32}\/[\w.-]{1,32}(?:\/[\w.-]{1,32})?$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
/**
* A file of records. What explains sizes is left out where the file would be larger than `mostBytes`: packages first, then
* files, then instructions and layers.
*/
function writeSizeRecords(records, mostBytes = MOST_RECORD_BYTES) {
	let text = "";
	for (const reduce of REDUCTIONS) {
		const reduced = (record) => ({
			...record,
			platforms: record.platforms.map(reduce)
		});
		const all = records.map((record) => {
			const { baseline } = record;
			const before = baseline?.record === void 0 ? baseline : {
				...baseline,
				record: reduced(baseline.record)
			};
			return sizeRecordToJson({
				...reduced(record),
				baseline: before
			});
		});
		text = JSON.stringify({
			version: VERSION$5,
			records: all
		});
		if (Buffer.byteLength(text) <= mostBytes) break;
	}
	return text;
}
/** What `writeSizeRecords` wrote, and nothing else. */
function readSizeRecords(text) {
	if (Buffer.byteLength(text) > 1e6) return refused$1(`it is larger than ${MOST_RECORD_BYTES} bytes`);
	const json = parseJson(text);
	if (json === void 0) return refused$1("it is no JSON");
	if (field$1(json, "version") !== VERSION$5) return refused$1("it is of a version that is not known");
	const records = all(field$1(json, "records"), parseSizeRecord, MOST_RECORDS);
	return records === void 0 || records.length === 0 ? refused$1("it holds no size records") : {
		kind: "records",
		records
	};
}
/** A record as data that `JSON.stringify` writes and `parseSizeRecord` reads. */
function sizeRecordToJson(record) {
	const { baseline, ...rest } = record;
	const before = baseline?.record === void 0 ? void 0 : sizeRecordToJson({
		...baseline.record,
		baseline: void 0
	});
	return {
		...rest,
		platforms: record.platforms.map(platformToJson),
		...baseline === void 0 ? {} : { baseline: {
			facts: baseline.facts,
			record: before
		} }
	};
}
/** Undefined where it is no record, or of a version that is not known. */
function parseSizeRecord(value) {
	const [id, target, file, createdAt] = [
		"id",
		"target",
		"file",
		"createdAt"
	].map((key) => field$1(value, key));
	const status = STATUSES$1.find((known) => known === field$1(value, "status"));
	const platforms = parsePlatforms(field$1(value, "platforms"));
	const tags = all(field$1(value, "tags"), nameOf$1, MOST_TAGS$1);
	if (field$1(value, "version") !== VERSION$5 || !isName(id) || !isName(file) || !isTarget(target)) return void 0;
	if (!isTime(createdAt) || status === void 0 || platforms === void 0 || tags === void 0) return void 0;
	if (!platforms.every(({ platform }) => PLATFORM.test(platform))) return void 0;
	const baseline = baselineOf(field$1(value, "baseline"));
	return {
		version: VERSION$5,
		id,
		target,
		file,
		createdAt,
		status,
		tags,
		platforms,
		...optionalOf(value),
		...baseline === void 0 ? {} : { baseline }
	};
}
const SOURCES = [
	"input",
	"exact",
	"ancestor",
	"registry",
	"none"
];
/** Of a baseline's own baseline nothing is read. */
function baselineOf(value) {
	const facts = field$1(value, "facts");
	const source = SOURCES.find((known) => known === field$1(facts, "source"));
	if (source === void 0) return void 0;
	const [distance, branch, url] = [
		"distance",
		"branch",
		"url"
	].map((key) => field$1(facts, key));
	const record = field$1(value, "record");
	const before = typeof record === "object" && record !== null ? {
		...record,
		baseline: void 0
	} : void 0;
	return {
		facts: {
			source,
			branch: nameOf$1(branch),
			url: isAddress(url) ? url : void 0,
			wanted: commitOf(field$1(facts, "wanted")),
			commit: commitOf(field$1(facts, "commit")),
			distance: isCount(distance) ? distance : void 0
		},
		record: parseSizeRecord(before)
	};
}
function commitOf(value) {
	return typeof value === "string" && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(value) ? value : void 0;
}
/** The name of a target, or what could be one. */
function isTarget(value) {
	return typeof value === "string" && TARGET.test(value);
}
function isPlatform(value) {
	return typeof value === "string" && PLATFORM.test(value);
}
const STATUSES$1 = [
	"built",
	"unchanged",
	"failed"
];
function optionalOf(value) {
	const [failure, digest, fingerprint] = [
		"failure",
		"digest",
		"fingerprint"
	].map((key) => field$1(value, key));
	const line = field$1(value, "line");
	const wanted = all(field$1(value, "wantedPlatforms"), (item) => isPlatform(item) ? item : void 0, MOST_PLATFORMS$1);
	return {
		commit: commitOf(field$1(value, "commit")),
		ref: nameOf$1(field$1(value, "ref")),
		run: runOf$1(field$1(value, "run")),
		line: isCount(line) && line > 0 ? line : void 0,
		...isText$1(failure, LONGEST_FAILURE) ? { failure } : {},
		...isDigest(digest) ? { digest } : {},
		...wanted === void 0 ? {} : { wantedPlatforms: wanted },
		...isDigest(fingerprint) ? { fingerprint } : {}
	};
}
function runOf$1(value) {
	const [id, attempt, url] = [
		field$1(value, "id"),
		field$1(value, "attempt"),
		field$1(value, "url")
	];
	if (typeof id !== "string" || !/^\d{1,20}$/.test(id) || !isCount(attempt) || attempt === 0) return void 0;
	return {
		id,
		attempt,
		url: isAddress(url) ? url : void 0
	};
}
function isAddress(value) {
	return isName(value) && /^https?:\/\/[\w.:/?&=%#~-]+$/.test(value);
}
function isTime(value) {
	return typeof value === "string" && TIME.test(value) && !Number.isNaN(Date.parse(value));
}
function isDigest(value) {
	return typeof value === "string" && DIGEST.test(value);
}
/** On one line. */
function isName(value) {
	return isText$1(value, LONGEST_NAME) && !/[\p{Cc}\u2028\u2029]/u.test(value);
}
function nameOf$1(value) {
	return isName(value) ? value : void 0;
}
function refused$1(reason) {
	return {
		kind: "refused",
		reason
	};
}
/** Each leaves out more than the one before. Texts may be whole scripts; their beginnings tell layers apart. */
const REDUCTIONS = [
	(sizes) => withShortTexts(sizes, 2e3),
	(sizes) => withShortTexts(without(sizes, { packages: void 0 }), 1e3),
	(sizes) => withShortTexts(without(sizes, NO_FILES), 300),
	(sizes) => withShortTexts(without(sizes, NO_FILES), 60),
	(sizes) => ({
		...sizes,
		...NO_FILES,
		layers: []
	})
];
const NO_FILES = {
	packages: void 0,
	files: void 0
};
function without(sizes, parts) {
	return {
		...sizes,
		...parts,
		layers: sizes.layers.map((layer) => ({
			...layer,
			...parts
		}))
	};
}
function withShortTexts(sizes, longest) {
	const layers = sizes.layers.map((layer) => ({
		...layer,
		createdBy: cut(layer.createdBy, longest),
		...layer.source === void 0 ? {} : { source: {
			...layer.source,
			text: cut(layer.source.text, longest)
		} }
	}));
	return {
		...sizes,
		layers
	};
}
function cut(text, longest) {
	return text.length <= longest ? text : text.slice(0, longest).toWellFormed();
}

// src/measure/baseline-file.ts
/** A file of sizes that the input `baseline` names: the `sizes` output of an earlier run, or size records. Pure. */
/** A user's own file: records of many targets with all that explains them. */
const MOST_BASELINE_BYTES = 5e7;
const VERSION$4 = 1;
const MOST_TARGETS$2 = 500;
const MOST_PLATFORMS = 64;
/**
* What a file holds: a record, a file of records (`writeSizeRecords`), or the `sizes` output. What that tells has no layers.
* @param id of targets in a `sizes` output, which does not tell any
*/
function readBaselineFile(text, id) {
	if (text.length > 5e7) return refused(`it is larger than ${MOST_BASELINE_BYTES} bytes`);
	const json = parseJson(text);
	if (json === void 0) return refused("it is no JSON");
	if (field$1(json, "version") !== VERSION$4) return refused("it has no `\"version\": 1`");
	const records = recordsOf(json) ?? sizesOutput(json, id);
	return records === void 0 || records.length === 0 ? refused("it is neither the `sizes` output nor size records") : {
		kind: "records",
		records
	};
}
function recordsOf(json) {
	const one = parseSizeRecord(json);
	return one === void 0 ? all(field$1(json, "records"), parseSizeRecord, MOST_TARGETS$2) : [one];
}
/** See `writeBuildOutputs` in src/outputs.ts. Targets that were not measured are there without platforms. */
function sizesOutput(json, id) {
	const records = entries(field$1(json, "targets"), MOST_TARGETS$2).map(([target, value]) => {
		const platforms = entries(value, MOST_PLATFORMS).map(([platform, sizes]) => platformOf(platform, sizes));
		if (!isTarget(target) || !platforms.every((platform) => platform !== void 0)) return void 0;
		return {
			version: VERSION$4,
			id,
			target,
			platforms,
			status: "built",
			file: "",
			createdAt: "",
			tags: [],
			commit: void 0,
			ref: void 0,
			run: void 0,
			line: void 0
		};
	});
	return records.every((record) => record !== void 0) ? records.filter(({ platforms }) => platforms.length > 0) : void 0;
}
function platformOf(platform, sizes) {
	const [transfer, unpacked] = [parseSplit(field$1(sizes, "transfer")), parseSplit(field$1(sizes, "unpacked"))];
	if (!isPlatform(platform) || transfer === void 0 || unpacked === void 0) return void 0;
	if (transfer.total === void 0 && unpacked.total === void 0) return void 0;
	return {
		platform,
		transfer,
		unpacked,
		digest: "",
		configDigest: "",
		layers: [],
		unknownReason: void 0
	};
}
function refused(reason) {
	return {
		kind: "refused",
		reason
	};
}

// src/image-documents.ts
/** What the layer registry received; undefined where it received none. */
function receivedImage(registry, repository) {
	const root = registry.manifest(repository, "latest");
	if (root === void 0) return void 0;
	return {
		digest: root.digest,
		manifest: (digest) => {
			const found = registry.manifest(repository, digest);
			if (found === void 0) throw new Error(`${digest} was not received`);
			return Promise.resolve(parseManifest(found.bytes, found.mediaType));
		},
		config: (digest) => {
			const bytes = registry.document(digest);
			if (bytes === void 0) throw new Error(`${digest} was not received`);
			return Promise.resolve(parseImageConfig(bytes));
		}
	};
}
/** What a registry has, by a reference to the same repository. */
function publishedImage(reference, digest, { client, signal }) {
	const named = (wanted) => `${repositoryOf(reference)}@${wanted}`;
	return {
		digest,
		manifest: async (wanted) => (await client.fetchManifest(named(wanted), { signal })).manifest,
		config: async (wanted) => await client.fetchConfig(reference, wanted, { signal })
	};
}

// src/measure/sizes.ts
/**
* Measures the image (or all images of the index) that a digest names.
* @throws what the sources throw.
*/
async function measureImage(digest, sources) {
	const root = await sources.manifest(digest);
	if (root.kind === "image") return { platforms: [await measureManifest({
		digest,
		...root
	}, sources)] };
	const images = root.manifests.filter((entry) => !isAttestation(entry));
	return { platforms: (await Promise.all(images.map(async (entry) => {
		const manifest = await sources.manifest(entry.digest);
		return manifest.kind === "image" ? await measureManifest({
			digest: entry.digest,
			...manifest
		}, sources) : void 0;
	}))).filter((platform) => platform !== void 0) };
}
/**
* An attestation stands in an index beside the images that it is about.
* https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/attestation-storage.md
*/
function isAttestation({ annotations, platform }) {
	return annotations["vnd.docker.reference.type"] !== void 0 || platform?.os === "unknown";
}
async function measureManifest(manifest, sources) {
	const config = await sources.config(manifest.config.digest);
	const platform = formatPlatform(config.platform);
	const prefixes = sources.baseDiffIds?.map((base) => commonPrefix(base, config.diffIds));
	const inheritedCount = prefixes === void 0 ? void 0 : Math.max(0, ...prefixes);
	const createdBy = layerHistory(config);
	const own = manifest.layers.length - (inheritedCount ?? 0);
	const instructions = sources.instructions?.length === own ? sources.instructions : [];
	const layers = await Promise.all(manifest.layers.map(async (layer, index) => {
		const own = index >= (inheritedCount ?? 0);
		return {
			digest: layer.digest,
			diffId: config.diffIds[index] ?? "",
			size: layer.size,
			unpacked: await sources.unpackedOf(layer, own),
			own,
			createdBy: createdBy[index] ?? "",
			compression: compressionOf(layer.mediaType),
			source: own ? instructions[index - (inheritedCount ?? 0)] : void 0
		};
	}));
	const known = inheritedCount !== void 0;
	const transfer = split$1(layers, known, (layer) => layer.size);
	const unpacked = split$1(layers, known, (layer) => layer.unpacked);
	return {
		platform,
		digest: manifest.digest,
		configDigest: manifest.config.digest,
		transfer,
		unpacked,
		layers,
		base: sources.base,
		unknownReason: reason(known, unpacked)
	};
}
/** https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#layer-media-types, and Docker’s own types */
function compressionOf(mediaType) {
	if (/[+.]gzip$/.test(mediaType)) return "gzip";
	if (/[+.]zstd$/.test(mediaType)) return "zstd";
	return /\.tar$/.test(mediaType) ? "none" : void 0;
}
/** The layers are those of the base as far as their contents are the same. */
function commonPrefix(base, image) {
	const different = base.findIndex((diffId, index) => diffId !== image[index]);
	return different === -1 ? base.length : different;
}
/**
* The history of each layer: entries of instructions that made none (ENV, CMD, …) are passed over. A history that does
* not fit the layers (some tools write none, or a part) says nothing, rather than something about the wrong layer.
*/
function layerHistory({ history, diffIds }) {
	const made = history.filter((entry) => !entry.emptyLayer);
	return made.length === diffIds.length ? made.map((entry) => entry.createdBy) : [];
}
function split$1(layers, baseKnown, sizeOf) {
	const sum = (chosen) => chosen.reduce((total, layer) => {
		const size = sizeOf(layer);
		return total === void 0 || size === void 0 ? void 0 : total + size;
	}, 0);
	return {
		total: sum(layers),
		own: baseKnown ? sum(layers.filter((layer) => layer.own)) : void 0,
		inherited: baseKnown ? sum(layers.filter((layer) => !layer.own)) : void 0
	};
}
function reason(baseKnown, unpacked) {
	if (!baseKnown) return "The base image could not be looked up, so what came with it is not known.";
	if (unpacked.total === void 0) return "A layer could not be read, so its unpacked size is not known.";
}

// src/registry-baseline.ts
const CONCURRENCY$5 = 8;
const SHORT = 7;
/**
* Where tags name the commit that is built, the tags that the build of another commit had, by target.
* @param commits.sha that is built (GITHUB_SHA), in full
*/
function shippedTags({ targets, tagsOf }, { sha, wanted }) {
	if (!/^[0-9a-f]{40,64}$/.test(sha) || !/^[0-9a-f]{40,64}$/.test(wanted)) return /* @__PURE__ */ new Map();
	const tags = targets.flatMap(({ name }) => {
		const whole = (tagsOf.get(name) ?? []).find((tag) => tagPart(tag).includes(sha));
		if (whole !== void 0) return [[name, withTag(whole, (tag) => tag.replace(sha, wanted))]];
		const short = (tagsOf.get(name) ?? []).find((tag) => tagPart(tag).includes(sha.slice(0, SHORT)));
		if (short === void 0) return [];
		return [[name, withTag(short, (tag) => tag.replace(sha.slice(0, SHORT), wanted.slice(0, SHORT)))]];
	});
	return new Map(tags);
}
function tagPart(ref) {
	return /:([^/:]*)$/.exec(ref)?.[1] ?? "";
}
function withTag(ref, change) {
	return ref.replace(/[^/:]*$/, change);
}
/** The records of the images that are there; why one is not. Never rejects. */
async function registryRecords(images, { project, registry, signal, wanted }) {
	const problems = [];
	return {
		records: (await sideBySide$1([...images], CONCURRENCY$5, async ([target, image]) => {
			try {
				const { digest, manifest } = await registry.fetchManifest(image, { signal });
				const documents = publishedImage(image, digest, {
					client: registry,
					signal
				});
				const { platforms } = await measureImage(digest, {
					manifest: async (of) => of === digest ? manifest : await documents.manifest(of),
					config: documents.config,
					baseDiffIds: void 0,
					unpackedOf: () => Promise.resolve(void 0)
				});
				return {
					version: 1,
					id: project.id,
					target,
					file: project.dockerfileName,
					status: "built",
					tags: [image],
					digest,
					commit: wanted,
					ref: void 0,
					createdAt: (/* @__PURE__ */ new Date(0)).toISOString(),
					run: void 0,
					line: void 0,
					platforms
				};
			} catch (error) {
				problems.push({ message: error instanceof Error ? error.message : String(error) });
				return;
			}
		})).filter((record) => record !== void 0),
		problem: problems[0]
	};
}

// src/size-records.ts
/** The record of every target of this run, also of one that failed. */
function sizeRecords(place) {
	const { planned, project, built, env, commit, now } = place;
	return planned.targets.map(({ name, stage }) => {
		const image = built.images.find(({ target }) => target === name);
		const { part, platforms } = planned.partOf(name);
		const status = image === void 0 ? "failed" : built.unchanged.has(name) ? "unchanged" : "built";
		return {
			version: 1,
			id: project.id,
			target: name,
			file: part.dockerfileName,
			status,
			commit,
			ref: env["GITHUB_REF"],
			createdAt: new Date(now).toISOString(),
			run: runOf(env),
			line: planned.graph.stages[stage]?.line,
			...status === "failed" ? { failure: failureOf$1(name, built) } : {},
			tags: planned.tagsOf.get(name) ?? [],
			...image?.digest === void 0 ? {} : { digest: image.digest },
			platforms: image?.sizes?.platforms ?? [],
			wantedPlatforms: platforms,
			fingerprint: planned.fingerprints.prints.get(name)?.fingerprint
		};
	});
}
function failureOf$1(name, { failed, problems }) {
	const own = failed.get(name)?.message;
	if (own !== void 0) return own;
	const [first] = problems;
	return first === void 0 ? "The build failed." : `It was stopped, since the build failed: ${first.message}`;
}
/** What the cache remembers of an earlier build, as a size record; undefined where it was not measured. */
function sizeRecordOf(name, { record, ref }, { project, planned, env }) {
	const sizes = recordedSizes(record);
	if (sizes === void 0) return void 0;
	const stage = planned.targets.find((target) => target.name === name)?.stage;
	const file = stage === void 0 ? project.dockerfileName : planned.partOf(name).part.dockerfileName;
	return {
		version: 1,
		id: project.id,
		target: name,
		file,
		status: "built",
		ref,
		tags: [],
		commit: record.commit,
		createdAt: record.createdAt,
		fingerprint: record.fingerprint,
		run: record.run === void 0 ? void 0 : runOf({
			...env,
			GITHUB_RUN_ID: record.run,
			GITHUB_RUN_ATTEMPT: "1"
		}),
		line: stage === void 0 ? void 0 : planned.graph.stages[stage]?.line,
		platforms: sizes.platforms
	};
}
function runOf(env) {
	const id = env["GITHUB_RUN_ID"];
	if (id === void 0 || !/^\d+$/.test(id)) return void 0;
	return {
		id,
		attempt: runAttempt(env),
		url: runUrl(env, id)
	};
}
/** `https://github.com`, or an Enterprise Server. */
function serverUrl(env) {
	return env["GITHUB_SERVER_URL"] ?? "https://github.com";
}
/** The page of a run of this repository; undefined away from GitHub. */
function runUrl(env, id) {
	const repository = env["GITHUB_REPOSITORY"] ?? "";
	return id === void 0 || repository === "" ? void 0 : `${serverUrl(env)}/${repository}/actions/runs/${id}`;
}

// src/baselines.ts
/**
* What sizes are compared with (DESIGN §8): what the input `baseline` names, the record of the very base commit, the
* nearest ancestor's, the image in the registry, or nothing. Never rejects: what is wrong with a baseline is a warning.
*/
/** Commits that are gone through for the nearest ancestor. */
const MOST_ANCESTORS = 100;
/** Finds the baseline of every target that has one. */
async function findBaseline(question) {
	try {
		return await find(question);
	} catch (error) {
		return none$1(question, [{ message: `Sizes are compared with nothing: the baseline could not be read (${error instanceof Error ? error.message : String(error)}).` }]);
	}
}
async function find(question) {
	const { baseline } = question;
	if (baseline === void 0) return await ofBase(question, question.wanted);
	if (/^[0-9a-f]{7,64}$/.test(baseline)) return asInput(await ofCommit(question, baseline), question);
	if (/\.json$/i.test(baseline)) return asInput(await ofFile(question, baseline), question);
	return asInput(await ofRegistry(question, new Map(question.planned.targets.map(({ name }) => [name, baseline.replaceAll("{target}", name)])), "what `baseline` names"), question);
}
/** That commit and no other: from what this run has read, and failing that, from the entries of the commit. */
async function ofCommit(question, commit) {
	const exact = (known) => question.planned.targets.flatMap(({ name }) => measuredRecords(known, name, question).find((record) => record.commit?.startsWith(commit)) ?? []);
	const read = exact(question.records);
	const records = read.length > 0 ? read : exact(await question.recordsOf([commit]));
	return {
		facts: {
			...nothing(question),
			commit: records[0]?.commit
		},
		records,
		warnings: []
	};
}
function asInput(found, { baseline }) {
	if (found.records.length > 0) return {
		...found,
		facts: {
			...found.facts,
			source: "input",
			distance: void 0
		}
	};
	const known = {
		input: "baseline",
		message: `\`baseline\`: nothing is known of \`${baseline ?? ""}\`, so sizes are compared with nothing.`,
		mend: "Name a commit that this workflow built on the base branch, an image, or a file with the `sizes` output."
	};
	return {
		...found,
		warnings: found.warnings.length > 0 ? found.warnings : [known]
	};
}
async function ofFile(question, path) {
	const { project } = question;
	let text = "";
	try {
		text = await readFile(resolve(project.workspace, path), "utf8");
	} catch (error) {
		return none$1(question, [fileProblem(path, `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : "it cannot be read"})`)]);
	}
	const read = readBaselineFile(text, project.id);
	if (read.kind === "refused") return none$1(question, [fileProblem(path, `is of no use: ${read.reason}`)]);
	const commits = new Set(read.records.map(({ commit }) => commit));
	const commit = commits.size === 1 ? [...commits][0] : void 0;
	return {
		facts: {
			...nothing(question),
			source: "input",
			commit
		},
		records: read.records,
		warnings: []
	};
}
function fileProblem(path, what) {
	return {
		input: "baseline",
		message: `\`baseline\`: \`${path}\` ${what}, so sizes are compared with nothing.`,
		mend: "Name a file with the `sizes` output of an earlier run."
	};
}
async function ofBase(question, wanted) {
	const { planned, records, env } = question;
	const names = planned.targets.map(({ name }) => name);
	const isWanted = ({ commit }) => wanted !== void 0 && commit?.startsWith(wanted) === true;
	const found = /* @__PURE__ */ new Map();
	const latest = /* @__PURE__ */ new Map();
	for (const name of names) {
		const all = measuredRecords(records, name, question);
		const exact = all.find(isWanted);
		if (exact !== void 0) found.set(name, {
			record: exact,
			distance: 0
		});
		else if (all[0] !== void 0) latest.set(name, all[0]);
	}
	if (latest.size > 0) await addAncestors(found, latest, question, wanted);
	if (found.size === 0 && wanted !== void 0) {
		const images = shippedTags(planned, {
			sha: env["GITHUB_SHA"] ?? "",
			wanted
		});
		if (images.size > 0) return await ofRegistry(question, images, "the image of the base commit");
	}
	if (found.size === 0) return none$1(question);
	const others = (records === void 0 ? [] : sourcesOf(env).flatMap((source) => records.names(source))).filter((name) => !names.includes(name)).flatMap((name) => measuredRecords(records, name, question).find(isWanted) ?? []);
	return {
		facts: factsOf$1([...found.values()], question, wanted),
		records: [...[...found.values()].map(({ record }) => record), ...others],
		warnings: []
	};
}
/** The farthest speaks for all. */
function factsOf$1(found, question, wanted) {
	const distances = found.map(({ distance }) => distance);
	const farthest = found.find(({ distance }) => distance === void 0) ?? found.toSorted((a, b) => (b.distance ?? 0) - (a.distance ?? 0))[0];
	const isExact = distances.every((distance) => distance === 0);
	return {
		wanted,
		branch: question.branch,
		commit: farthest?.record.commit,
		url: farthest?.record.run?.url,
		source: isExact ? "exact" : "ancestor",
		distance: farthest?.distance
	};
}
/** Of targets that have no record of the wanted commit: the nearest before it, and failing that what was built last. */
async function addAncestors(found, latest, question, wanted) {
	const line = wanted === void 0 ? void 0 : await firstParents(question, wanted);
	const distanceOf = ({ commit = "" }) => {
		const distance = line?.indexOf(commit) ?? -1;
		return distance === -1 ? void 0 : distance;
	};
	const unplaced = [...latest].filter(([, record]) => distanceOf(record) === void 0);
	const older = line === void 0 || unplaced.length === 0 ? void 0 : await question.recordsOf(line.slice(1, 8));
	for (const [name, record] of latest) {
		const nearest = [record, ...measuredRecords(older, name, question)].map((candidate) => ({
			record: candidate,
			distance: distanceOf(candidate)
		})).filter(({ distance }) => distance !== void 0).toSorted((a, b) => (a.distance ?? 0) - (b.distance ?? 0))[0];
		found.set(name, nearest ?? {
			record,
			distance: void 0
		});
	}
}
async function firstParents({ github }, wanted) {
	if (github === void 0 || !/^[0-9a-f]{40,64}$/.test(wanted)) return void 0;
	const line = await listFirstParents(github.client, github.repository, wanted, MOST_ANCESTORS);
	return line.ok ? line.value : void 0;
}
/** Of the branch that is compared with; where nothing is known of it, of the default branch. */
function measuredRecords(records, name, question) {
	for (const source of sourcesOf(question.env)) {
		const found = (records?.measured(name, source) ?? []).flatMap((candidate) => sizeRecordOf(name, candidate, question) ?? []);
		if (found.length > 0) return found;
	}
	return [];
}
/** Only runs of a base branch leave baselines: what a pull request built before says nothing of its base. */
function sourcesOf(env) {
	return (env["GITHUB_BASE_REF"] ?? "") === "" && env["GITHUB_EVENT_NAME"] !== "merge_group" ? ["own", "default"] : ["base", "default"];
}
async function ofRegistry(question, images, what) {
	const { records, problem } = await registryRecords(images, question);
	if (records.length === 0) return none$1(question, problem === void 0 || question.baseline === void 0 ? [] : [{
		...problem,
		message: `${what}: ${problem.message}`
	}]);
	const { wanted } = question;
	return {
		facts: {
			...nothing(question),
			source: "registry",
			commit: wanted,
			distance: 0
		},
		records,
		warnings: []
	};
}
function nothing({ wanted, branch }) {
	return {
		wanted,
		branch,
		commit: void 0,
		source: "none",
		distance: void 0
	};
}
function none$1(question, warnings = []) {
	return {
		facts: nothing(question),
		records: [],
		warnings
	};
}

// src/build/rawjson.ts
/**
* `--progress=rawjson`: the stream that buildx writes on stderr, one JSON object a line, its own error text between
* and after them. Splits and narrows; keeps no state of the build.
*
* The objects are BuildKit's SolveStatus: https://github.com/moby/buildkit/blob/v0.25.2/client/graph.go
*/
/** One line of a large build's graph can be long, but nothing sane is longer than this; the rest of it is dropped. */
const LONGEST_LINE = 16 << 20;
/** @param onText lines that are not progress: buildx's warnings and its final error with the Dockerfile excerpt. */
function rawJsonReader(onEvents, onText) {
	let rest = "";
	const line = (text) => {
		if (text === "") return;
		const record = text.startsWith("{") ? asRecord(parseJson(text)) : void 0;
		if (record === void 0) onText(text);
		else onEvents(readEvents(record));
	};
	return {
		push: (text) => {
			const lines = (rest + text).split("\n");
			rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
			lines.forEach(line);
		},
		end: () => {
			line(rest);
			rest = "";
		}
	};
}
function readEvents(record) {
	return {
		vertexes: records(record["vertexes"]).map(readVertex),
		statuses: records(record["statuses"]).map(readStatus),
		logs: records(record["logs"]).map(readLog),
		warnings: records(record["warnings"]).map(readWarning)
	};
}
function readVertex(vertex) {
	return {
		digest: textAt(vertex, "digest") ?? "",
		name: textAt(vertex, "name") ?? "",
		inputs: list(vertex["inputs"]).filter((input) => typeof input === "string"),
		startedMs: time(vertex["started"]),
		completedMs: time(vertex["completed"]),
		cached: vertex["cached"] === true,
		error: textAt(vertex, "error")
	};
}
function readStatus(status) {
	return {
		vertex: textAt(status, "vertex") ?? "",
		id: textAt(status, "id") ?? "",
		current: typeof status["current"] === "number" ? status["current"] : 0,
		total: typeof status["total"] === "number" ? status["total"] : 0,
		completed: typeof status["completed"] === "string"
	};
}
function readLog(log) {
	return {
		vertex: textAt(log, "vertex") ?? "",
		stream: log["stream"] === 2 ? 2 : 1,
		data: Buffer.from(textAt(log, "data") ?? "", "base64")
	};
}
function readWarning(warning) {
	const [range] = records(warning["range"]);
	const line = asRecord(range?.["start"])?.["line"];
	return {
		vertex: textAt(warning, "vertex") ?? "",
		text: Buffer.from(textAt(warning, "short") ?? "", "base64").toString("utf8"),
		url: textAt(warning, "url"),
		line: typeof line === "number" ? line : void 0
	};
}
function records(value) {
	return list(value).map(asRecord).filter((record) => record !== void 0);
}
/** Go's RFC 3339 times have nanoseconds; its zero time (year 1) means "none". */
function time(value) {
	if (typeof value !== "string") return void 0;
	const ms = Date.parse(value);
	return Number.isNaN(ms) || ms <= 0 ? void 0 : ms;
}

// src/build/source-policy.ts
const SOURCE_POLICY_VARIABLE = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";
/** The policy for these images, or undefined when it would change nothing. */
function sourcePolicy(images) {
	const rules = images.flatMap((image) => {
		const from = `docker-image://${image.image}`;
		const to = `docker-image://${pinned$1(image)}`;
		if (from === to) return [];
		return [{
			action: "CONVERT",
			selector: {
				identifier: from,
				matchType: "EXACT"
			},
			updates: { identifier: to }
		}];
	});
	return rules.length === 0 ? void 0 : { rules };
}
function pinned$1({ ref, digest }) {
	return digest === void 0 || ref.includes("@") ? ref : `${ref}@${digest}`;
}

// src/build/bake.ts
/**
* One run of `docker buildx bake`: writes what it needs into a private directory, streams its progress, and leaves
* nothing behind, however it ends. What the run means is read elsewhere (`progress.ts`, `failure.ts`, `metadata.ts`).
*/
const KEPT_LINES = 400;
/** Builds all targets of a request in one run. */
async function bake(docker, request, options) {
	const folder = await mkdtemp(join(options.tempRoot, "stage-build-"));
	try {
		const plan = planBake(request, folder);
		options.onPlan(plan);
		const file = join(folder, "definition.json");
		const metadataFile = join(folder, "metadata.json");
		await writePrivate(file, JSON.stringify(plan.definition, void 0, 2));
		for (const secret of plan.files) await writePrivate(join(folder, secret.path), secret.content);
		for (const directory of plan.directories) await mkdir(directory, { recursive: true });
		const env = { ...plan.env };
		if (options.policy !== void 0) {
			env[SOURCE_POLICY_VARIABLE] = join(folder, "policy.json");
			await writePrivate(join(folder, "policy.json"), JSON.stringify(options.policy));
		}
		const text = [];
		const reader = rawJsonReader(options.onEvents, (line) => {
			text.push(line);
			if (text.length > KEPT_LINES) text.shift();
		});
		const targets = plan.targets.map((target) => target.id);
		const args = bakeArgs({
			file,
			metadataFile,
			builder: options.builder,
			allow: plan.allow,
			targets
		});
		const { code } = await runDocker(docker, args, {
			env,
			cwd: request.workspace,
			signal: options.signal,
			onStderr: (chunk) => {
				reader.push(chunk);
			}
		});
		reader.end();
		return {
			plan,
			ok: code === 0,
			metadata: await readIfThere(metadataFile),
			text
		};
	} finally {
		await rm(folder, {
			recursive: true,
			force: true
		});
	}
}
async function writePrivate(path, content) {
	await writeFile(path, content, { mode: 384 });
}
async function readIfThere(path) {
	try {
		return await readFile(path, "utf8");
	} catch {
		return "";
	}
}

// src/build/failure-judgement.ts
/**
* Whether a failed step may well succeed when it is tried again: what a registry, or the way to it, failed with. A
* command that failed is never run again for that, whatever it printed. Pure.
*/
const LASTING = { kind: "lasting" };
/** https://github.com/moby/buildkit/blob/v0.25.2/solver/errdefs/exec.go */
const COMMAND = /did not complete successfully/;
/** A layer registry of ours, this step's or another's that is gone: `cacheTrouble` and `onlyPushesFailed` judge those. */
const LAYER_REGISTRY = /127\.0\.0\.1:\d+\/(?:v2\/)?sb[0-9a-f]{32}\//;
/**
* What only requests to registries say. An `ADD https://…` fails with words of its own.
* https://github.com/containerd/containerd/blob/v2.1.4/core/remotes/docker
*/
const OF_REGISTRY = /\/v2\/|failed to (?:push|authorize|fetch (?:oauth|anonymous) token|resolve source metadata)|httpReadSeeker|failed to copy|getting writer status/;
/** `unexpected status from HEAD request to https://…: 503 Service Unavailable`, `unexpected status code https://…: 500 …` */
const STATUS = /unexpected (?:HTTP )?status\b.*?: (\d{3})(?: ([A-Z][A-Za-z]*(?: [A-Z][A-Za-z]*)*))?/s;
/**
* The codes of registries' own errors stand where the status was.
* https://github.com/distribution/distribution/blob/v3.0.0/registry/api/errcode/register.go
*/
const CODES = [
	[/\btoomanyrequests: /i, "429 Too Many Requests"],
	[/: unavailable: /, "503 Service Unavailable"],
	[/: unknown: unknown error/, "500 Internal Server Error"]
];
/** A name that does not exist (`no such host`), and a certificate that is not trusted, stay as they are. */
const NETWORK = [
	[/connection refused/, "refused the connection"],
	[/connection reset by peer|broken pipe|forcibly closed/, "broke the connection off"],
	[/TLS handshake timeout/, "did not finish the TLS handshake in time"],
	[/i\/o timeout|Client\.Timeout exceeded|timeout awaiting response headers|context deadline exceeded|connection timed out/, "did not answer in time"],
	[/network is unreachable|no route to host/, "cannot be reached (no route)"],
	[/server misbehaving|Temporary failure in name resolution/, "could not be found for now (name server)"],
	[/unexpected EOF|\bEOF$|http2: .*(?:GOAWAY|connection lost)|server closed idle connection|closed network connection|closed pipe|short read/, "ended the connection too early"]
];
/**
* Two builds on one engine gave their images the same name at the same moment: what looked for it found none, and then
* could not make it. The next time it is found.
* https://github.com/moby/buildkit/blob/v0.25.2/exporter/containerimage/export.go (Update, then Create)
*/
const SAME_MOMENT = /^image "[^"]+": already exists$/;
/**
* Containerd's clean-up beside builds has been seen to leave a snapshot in its records whose folder is gone; and BuildKit
* lets it take a snapshot that another build still needs (https://github.com/moby/buildkit/pull/6808).
*/
const LOST_LAYER = /failed to mount .*snapshots\/.*: no such file or directory|mount source: .*snapshots\/.*err: no such file or directory|\bsnapshot [a-z0-9]+ does not exist: not found/s;
/** Judges a failed step by what BuildKit says of it. */
function judge$1({ kind, text, error = "" }) {
	if (LOST_LAYER.test(withoutCommand(error))) return { kind: "lost" };
	if (COMMAND.test(error)) return { kind: "command" };
	if (SAME_MOMENT.test(error)) return {
		kind: "passing",
		why: "another build gave its image this name at the same moment",
		image: void 0
	};
	if (LAYER_REGISTRY.test(error) || !isOfRegistry({
		kind,
		text,
		error
	})) return LASTING;
	const image = imageOf$2(error) ?? /^load metadata for (\S+)$/.exec(text)?.[1];
	const who = hostOf(error) ?? (image === void 0 ? "the registry" : domainOf(image));
	const [, status, reason] = STATUS.exec(error) ?? [];
	const said = status === void 0 ? CODES.find(([code]) => code.test(error))?.[1] : [status, reason].filter((part) => part !== void 0).join(" ");
	if (said !== void 0) return /^(?:429|5\d\d)\b/.test(said) ? {
		kind: "passing",
		why: `${who} answered ${said}`,
		image
	} : LASTING;
	const broken = NETWORK.find(([pattern]) => pattern.test(error))?.[1];
	return broken === void 0 ? LASTING : {
		kind: "passing",
		why: `${who} ${broken}`,
		image
	};
}
function isOfRegistry({ kind, text, error }) {
	if (/^exporting to client/.test(text)) return false;
	return OF_REGISTRY.test(error) || kind === "internal" && text.startsWith("load metadata for ");
}
/** As `external-images` and `tags` would name it. */
function imageOf$2(error) {
	const [, pushed] = /failed to push (\S+?): /.exec(error) ?? [];
	if (pushed !== void 0) return pushed;
	const [, host = "", path, kind, reference = ""] = /https?:\/\/([^/\s"]+)\/v2\/([^\s"?]+?)\/(manifests|blobs)\/([^\s"?:]+(?::[0-9a-f]{64})?)/.exec(error) ?? [];
	if (path === void 0) return void 0;
	const domain = host === "registry-1.docker.io" ? "docker.io" : host;
	if (kind === "blobs") return `${domain}/${path}`;
	return `${domain}/${path}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
}
function hostOf(error) {
	return /https?:\/\/([^/\s"]+)/.exec(error)?.[1];
}
function domainOf(image) {
	const [domain = ""] = image.split("/");
	return /[.:]|^localhost$/.test(domain) && image.includes("/") ? domain : "docker.io";
}

// src/build/failure-kinds.ts
/**
* What BuildKit's and the registries' error texts mean, and what to do: text → message and mend. Pure. Every pattern
* stands for a text that was seen on an engine or in its source.
*/
const LOGIN = "Log in before this step (docker/login-action); for ghcr.io give the job `permissions: packages: write` to push, `packages: read` to pull.";
const MIRROR = "map the image to a mirror with `external-images`";
const KINDS = [
	{
		pattern: /EOF$/,
		doing: /^exporting to client/,
		explain: () => ({
			message: "The output could not be written: buildx ended in the middle of it (EOF).",
			mend: "Most often the disk that `dest` in `outputs` is on is full: free space before this step, or use a larger runner."
		})
	},
	{
		pattern: /failed to calculate checksum of ref \S+: "(.*?)": not found/,
		explain: (_error, path) => ({
			message: `\`${path}\` was not found.`,
			mend: "Check the path (it starts at the build context, or at the root of the stage or image that `--from` names) and that `.dockerignore` does not leave it out."
		})
	},
	{
		pattern: LOST_LAYER,
		explain: () => ({
			message: "A layer of the builder’s own cache is gone from its disk.",
			mend: "Run `docker buildx prune --all --force` on the machine that builds, and `docker image rm` for the images that the Dockerfile begins with."
		})
	},
	{
		pattern: /no space left on device/i,
		explain: () => ({
			message: "The disk is full (no space left on device).",
			mend: "Free space before this step (`docker system prune --all --force`, or remove tools that the job does not need), or use a larger runner."
		})
	},
	{
		pattern: /./s,
		doing: /^exporting cache to /,
		explain: (error) => ({
			message: `The cache could not be exported: ${lastClause(error)}`,
			mend: "Check `cache-to`; with `ignore-error=true` in it such a failure does not fail the build."
		})
	},
	{
		pattern: /too\s?many\s?requests|toomanyrequests|: 429\b/i,
		explain: (error) => ({
			message: `${registryOf(error)} refused the request: too many requests (rate limit).`,
			mend: `Log in to the registry (docker/login-action), which raises the limit, or ${MIRROR}.`
		})
	},
	{
		pattern: /failed to push ([^\s:]+(?::\d+)?[^\s:]*(?::[^\s:]+)?): .*(?:: 40[13]\b|unauthorized|denied|forbidden|no basic auth|authentication required|insufficient_scope|failed to authorize)/is,
		explain: (_error, reference) => ({
			message: `The registry did not let \`${reference}\` be pushed (not logged in, or no permission).`,
			mend: LOGIN
		})
	},
	{
		pattern: /failed to push ([^\s:]+(?::\d+)?[^\s:]*(?::[^\s:]+)?): (.*)/s,
		explain: (_error, reference, why) => ({
			message: `\`${reference}\` could not be pushed: ${lastClause(why)}`,
			mend: "Check the registry’s name and that it can be reached from this runner."
		})
	},
	{
		pattern: /: 401\b|unauthorized|authorization failed|access denied|pull access|forbidden|no basic auth|insufficient_scope|failed to authorize/i,
		explain: (error) => ({
			message: `${registryOf(error)} did not let ${imageOf$1(error)} be pulled: it does not exist, or it is private and this job is not logged in.`,
			mend: `Check the name. ${LOGIN}`
		})
	},
	{
		pattern: /(?:^|: )(\S+\/\S+|\S+:\S+): not found$/,
		explain: (_error, image) => ({
			message: `The image \`${image}\` does not exist in its registry.`,
			mend: `Check its name and tag, or ${MIRROR}.`
		})
	},
	{
		pattern: /server gave HTTP response to HTTPS client/i,
		explain: (error) => ({
			message: `${registryOf(error)} speaks plain HTTP.`,
			mend: "Serve it over TLS, or name it as insecure in the builder’s configuration (docker/setup-buildx-action’s `buildkitd-config-inline`)."
		})
	},
	{
		pattern: /no such host|connection refused|i\/o timeout|TLS handshake|x509|network is unreachable|no route to host|connection reset by peer|dial tcp/i,
		explain: (error) => ({
			message: `${registryOf(error)} cannot be reached: ${lastClause(error)}`,
			mend: error.includes("/v2/") || /\blookup\b/.test(error) ? `Check the name and the runner’s network, or ${MIRROR}.` : "Check the address and the runner’s network."
		})
	},
	{
		pattern: /granting entitlement (\S+) is not allowed by build daemon configuration/i,
		explain: (_error, name) => ({
			message: `The build needs the entitlement \`${name}\`, which the builder’s own configuration does not permit.`,
			mend: `Use a builder that does: docker/setup-buildx-action with \`buildkitd-flags: --allow-insecure-entitlement ${name}\`, and \`builder\` here.`
		})
	},
	{
		pattern: /(network\.host|security\.insecure|device) is not allowed|granting entitlement (\S+) is not allowed/i,
		explain: (_error, one, other) => ({
			message: `The build needs the entitlement \`${one || other}\`, which was not granted.`,
			mend: `Add \`${one || other}\` to the input \`allow\` (the builder must permit it, too: docker/setup-buildx-action’s \`buildkitd-flags\`).`
		})
	},
	{
		pattern: /^secret (\S+): not found/,
		explain: (_error, id) => ({
			message: `The secret \`${id}\` was not given.`,
			mend: `Add \`${id}=…\` to the input \`secrets\`.`
		})
	},
	{
		pattern: /failed to stat (.+?): .*no such file or directory/,
		explain: (_error, path) => ({
			message: `The file \`${path}\` does not exist.`,
			mend: "Check the paths in `secret-files` and `ssh`, and that an earlier step makes the file."
		})
	},
	{
		pattern: /failed to convert agent config.*stat (.+?): no such file or directory/,
		explain: (_error, path) => ({
			message: `\`ssh\`: \`${path}\` does not exist.`,
			mend: "Give the path of a key or of an agent’s socket, or start an agent before this step and set `ssh: default`."
		})
	},
	{
		pattern: /failed to get build context (\S+): (?:stat|lstat|path) (.+?)(?:: no such file or directory| not found)/,
		explain: (_error, name, path) => ({
			message: `The directory \`${path}\` of the named context \`${name}\` does not exist any more.`,
			mend: "Look for another step or process of this job that removes it."
		})
	},
	{
		pattern: /exporter "(.*?)" could not be found/,
		explain: (_error, type) => ({
			message: `\`outputs\`: there is no type \`${type}\`.`,
			mend: "Use `local`, `tar`, `oci`, `docker`, `image` or `registry`."
		})
	},
	{
		pattern: /failed to create synctarget dest dir (.+?): (.*)/,
		explain: (_error, path, why) => ({
			message: `\`outputs\`: the directory \`${path}\` cannot be made (${why}).`,
			mend: "Give a `dest` that this job’s user may write."
		})
	},
	{
		pattern: /unknown flag: (--\S+)/,
		explain: (_error, flag) => ({
			message: `The Dockerfile syntax of this builder does not know the flag \`${flag}\`.`,
			mend: "Check its spelling, or name a newer syntax in the first line, such as `# syntax=docker/dockerfile:1` (or `:1-labs`)."
		})
	},
	{
		pattern: /unset ssh forward key (\S+)|invalid empty ssh agent socket|could not (?:open|connect).*ssh/i,
		explain: (_error, key) => ({
			message: `The build needs an SSH key or agent${key === "" ? "" : ` (\`${key}\`)`}, which was not given.`,
			mend: "Start an agent before this step (webfactory/ssh-agent) and set `ssh: default`."
		})
	},
	{
		pattern: /(multi-platform build|OCI exporter|docker exporter|cache export|attestation|exporting manifest lists)[^.]*not (?:currently )?support/i,
		explain: (error) => ({
			message: `The builder cannot do this: ${error}`,
			mend: "Remove `builder` so that stage-build chooses one, or use a docker-container builder (docker/setup-buildx-action)."
		})
	},
	{
		pattern: /no builder "(.*?)" found/,
		explain: (_error, name) => ({
			message: `The builder \`${name}\` is gone.`,
			mend: "Create it in this job before this step (docker/setup-buildx-action)."
		})
	},
	{
		pattern: /cannot connect to the docker daemon|code = Unavailable|error reading from server|closing transport|failed to (?:dial|list workers)|EOF$/i,
		explain: (error) => ({
			message: `The builder went away during the build: ${lastClause(error)}`,
			mend: "Look for an engine that was restarted or ran out of memory, and run the job again."
		})
	},
	{
		pattern: /invalid reference format(.*)/,
		explain: (error) => ({
			message: `An image name is not valid: ${lastClause(error)}`,
			mend: "Check `tags`, `outputs` and `external-images`."
		})
	},
	{
		pattern: /tag is needed when pushing/,
		explain: () => ({
			message: "A target is pushed but has no tag.",
			mend: "Give every pushed target a tag with `tags`."
		})
	}
];
/** The meaning of an error; one that is not known is shown as it is. */
function explain({ error, tail, doing }) {
	if (tail.some((line) => /exec format error/i.test(line)) || /exec format error/i.test(error)) return EMULATION;
	for (const { pattern, doing: during, explain: meaning } of KINDS) {
		if (during !== void 0 && !during.test(doing ?? "")) continue;
		const match = pattern.exec(error);
		if (match === null) continue;
		const { message, ...rest } = meaning(error, match[1] ?? "", match[2] ?? "");
		return {
			...rest,
			message: sentence$1(message)
		};
	}
	return { message: sentence$1(error) };
}
/** What a RUN's exit code and last words tell beyond themselves. */
function explainExit(code, tail) {
	if (tail.some((line) => /exec format error/i.test(line))) return EMULATION.mend;
	if (tail.some((line) => /no space left on device/i.test(line))) return "The disk is full: free space before this step, or use a larger runner.";
	if (tail.some((line) => /exec: "\/bin\/sh".*no such file/.test(line))) return "The image has no shell (`FROM scratch`?): write the command as a list, `RUN [\"program\", \"argument\"]`, or start from an image with a shell.";
	if (code === 137) return "The command was killed, most often for want of memory: use a larger runner or fewer parallel jobs.";
	if (code === 127) return "The command was not found in the image: check its name, and that an earlier instruction installs it.";
}
const EMULATION = {
	message: "A program for another platform cannot run here (exec format error).",
	mend: "Add a `docker/setup-qemu-action` step before this one, or build the platform on a runner of its own kind."
};
function registryOf(error) {
	const host = /https?:\/\/([^/"\s]+)/.exec(error)?.[1] ?? /(?:lookup|dial tcp) ([a-z0-9.:-]+)/i.exec(error)?.[1];
	return host === void 0 ? "The registry" : `\`${host}\``;
}
function imageOf$1(error) {
	const image = /(?:metadata for|pull access denied for) ([^\s:]+(?::[^\s:]+)*)/.exec(error)?.[1];
	return image === void 0 ? "an image" : `\`${image.replace(/[,:]$/, "")}\``;
}
function lastClause(error) {
	return error.split(": ").slice(-3).join(": ");
}

// src/build/failure.ts
const CANCELLED = { message: "The build was cancelled." };
/** Each problem once. */
function problemsOf(failures) {
	return [...new Map(failures.map(({ problem }) => [`${problem.file ?? ""} ${problem.line ?? ""} ${problem.message}`, problem])).values()];
}
/** What failed in a build that did not succeed; never empty. */
function buildFailures(facts) {
	const excerpt = readExcerpt(facts.text);
	const failed = facts.steps.filter((step) => step.status === "failed");
	const { measureHost: host } = facts;
	const causes = failed.filter((step) => host === void 0 || step.error?.includes(`${host}/`) !== true);
	if (failed.length > 0) return (causes.length > 0 ? causes : failed).map((step) => ({
		problem: stepProblem(step, facts, excerpt?.lines),
		targets: targetsOf$1(step, facts),
		step
	}));
	const { error, target } = readError(facts);
	if (isCancellation(error)) {
		const output = facts.steps.find((step) => /^exporting to client/.test(step.text) && step.status !== "done");
		return [ofAll(output === void 0 ? CANCELLED : explain({
			error: "EOF",
			tail: [],
			doing: output.text
		}))];
	}
	const place = excerpt === void 0 ? {} : atExcerpt(excerpt.lines, target, facts);
	const meaning = explain({
		error,
		tail: []
	});
	return [{
		...ofAll({
			...meaning,
			message: target === void 0 ? meaning.message : `Target \`${target}\`: ${meaning.message}`,
			...place
		}),
		targets: target === void 0 ? [] : [target]
	}];
}
function ofAll(problem) {
	return {
		problem,
		targets: [],
		step: void 0
	};
}
function targetsOf$1(step, { targetsOf: all }) {
	return [.../* @__PURE__ */ new Set([...step.targets, ...all?.(step) ?? []])];
}
/**
* Whether nothing failed but the pushes to this registry, and what else is asked of it (the import of a cache, which is
* told as a failed step though it fails no build): then the build can be run again without them.
* @param host `127.0.0.1:PORT`
*/
function onlyPushesFailed(facts, host) {
	const errors = facts.steps.filter((step) => step.status === "failed").map((step) => step.error ?? "");
	const all = errors.length > 0 ? errors : facts.text.filter((line) => line.startsWith("ERROR: "));
	return all.some((error) => error.includes(`failed to push ${host}/`)) && all.every((error) => error.includes(`${host}/`));
}
function stepProblem(step, facts, excerpt) {
	const error = step.error ?? "";
	const [target] = step.targets;
	const lines = step.source ?? imageSource(step, facts);
	const place = lines !== void 0 ? at(facts.placeOf?.(target)?.file ?? facts.file, lines) : excerpt === void 0 ? {} : atExcerpt(excerpt, target, facts);
	const [, code] = /did not complete successfully: exit code: (\d+)/.exec(error) ?? [];
	const meaning = code === void 0 ? explain({
		error,
		tail: step.tail,
		doing: step.text
	}) : exitMeaning(step, Number(code));
	const lastLines = code === void 0 || step.tail.length === 0 ? {} : { lastLines: step.tail.slice(-20) };
	return {
		...meaning,
		message: `${meaning.message}${needed(step, facts)}`,
		...place,
		...lastLines
	};
}
function exitMeaning(step, code) {
	const mend = explainExit(code, step.tail);
	return {
		message: `\`${firstWords(step.text)}\` failed with exit code ${code}.`,
		...mend === void 0 ? {} : { mend }
	};
}
/** Named only where it tells something: several targets were built. */
function needed(step, facts) {
	const targets = targetsOf$1(step, facts);
	if (facts.targets.length < 2 && facts.several !== true || targets.length === 0) return "";
	return ` Needed by ${targets.length === 1 ? "target" : "targets"} ${targets.map((target) => `\`${target}\``).join(", ")}.`;
}
/** `[internal] load metadata for IMAGE` stands where the Dockerfile names the image. */
function imageSource(step, facts) {
	const image = /^load metadata for (\S+)$/.exec(step.text)?.[1];
	return image === void 0 ? void 0 : facts.imageLines?.get(image);
}
/** The lines that buildx marks with `>>>` in its excerpt of the Dockerfile. */
function readExcerpt(text) {
	const marked = text.flatMap((line) => {
		const number = /^ *(\d+) \| >>> /.exec(line)?.[1];
		return number === void 0 ? [] : [Number(number)];
	});
	const [first] = marked;
	const last = marked.at(-1);
	return first === void 0 || last === void 0 ? void 0 : { lines: {
		line: first,
		endLine: last
	} };
}
/** Buildx's last word: `ERROR: target a: failed to solve: …`. */
function readError(facts) {
	const from = facts.text.findLastIndex((line) => line.startsWith("ERROR: "));
	const whole = (from === -1 ? facts.text.slice(-3) : facts.text.slice(from)).join(" ").replace(/^ERROR: /, "");
	const [, id] = /^target ([\w-]+): /.exec(whole) ?? [];
	const target = facts.targets.find((candidate) => candidate.id === id)?.name;
	const error = (target === void 0 ? whole : whole.replace(/^target [\w-]+: /, "")).replace(/^failed to solve: /, "").replace(/^failed to load LLB: /, "").replace(/^rpc error: code = \w+ desc = /, "");
	return {
		error: shownText(facts.mask, error === "" ? "docker buildx bake failed without saying why" : error),
		target
	};
}
/** Buildx tells lines of the Dockerfile as it was given. */
function atExcerpt({ line, endLine }, target, { file, placeOf }) {
	const { file: own = file, above = 0 } = placeOf?.(target) ?? {};
	return at(own, {
		line: above + line,
		endLine: above + endLine
	});
}
function at(file, lines) {
	return {
		file: lines.file ?? file,
		line: lines.line,
		endLine: lines.endLine
	};
}
function firstWords(text) {
	return text.length <= 120 ? text : `${text.slice(0, 119)}…`;
}

// src/build/metadata.ts
/** Buildx's metadata file: unknown JSON → what is used of it, by the user's names of the targets. Pure. */
/**
* Reads the file.
* Keys: https://github.com/docker/buildx/blob/v0.29.1/docs/reference/buildx_bake.md#metadata-file
*/
function readMetadata(text, targets) {
	const file = asRecord(parseJson(text)) ?? {};
	const own = Object.entries(file).filter(([key]) => !targets.some((target) => target.id === key));
	const mine = targets.map((target) => ({
		...target,
		entry: asRecord(file[target.id]) ?? {}
	}));
	return {
		results: mine.map(({ name, entry }) => readResult(name, entry)),
		output: Object.fromEntries([...mine.map(({ name, entry }) => [name, entry]), ...own])
	};
}
function readResult(target, entry) {
	return {
		target,
		digest: textAt(entry, "containerimage.digest"),
		configDigest: textAt(entry, "containerimage.config.digest"),
		names: (textAt(entry, "image.name") ?? "").split(",").filter((name) => name !== ""),
		mediaType: textAt(asRecord(entry["containerimage.descriptor"]), "mediaType"),
		buildRef: textAt(entry, "buildx.build.ref"),
		provenance: entry["buildx.build.provenance"]
	};
}

// src/build/twin-steps.ts
/** What steps of the same instruction have in common; steps beside the stages have no twins. */
function twinKey(step) {
	if (step.kind !== "stage" || step.place === void 0) return step.id;
	return JSON.stringify([
		step.platform,
		step.stage,
		step.stageName,
		step.place,
		step.text
	]);
}
/** The status that tells most of what happened comes first. */
const ORDER = [
	"failed",
	"done",
	"running",
	"canceled",
	"cached",
	"waiting"
];
/** Each instruction once, with all targets that need it: the step that really ran stands for its twins. */
function mergeTwins(steps) {
	return [...Map.groupBy(steps, twinKey).values()].map((twins) => {
		const [first] = twins.toSorted((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
		if (first === void 0) throw new Error("an empty group");
		return twins.length === 1 ? first : {
			...first,
			targets: [...new Set(twins.flatMap((twin) => twin.targets))]
		};
	});
}

// src/build/round-steps.ts
/**
* The steps of a build that bake was run for several times: what the runs tell of them, made one, and what of the build
* is done for good. Pure.
*/
/**
* Each instruction once. What ran in an earlier run is found in the builder's cache by the next one, but it did run; what
* was stopped there went on later. The last run is told as it is.
* @param isFinal whether a failed step is what the build ends with, not one that was tried again
*/
function mergeRuns(runs, isFinal) {
	return runs.reduce((earlier, later) => mergeTwo(earlier, later, isFinal), []);
}
function mergeTwo(earlier, later, isFinal) {
	const known = new Map(earlier.map((step) => [twinKey(step), step]));
	const seen = new Set(later.map(twinKey));
	const isKept = (step) => {
		if (seen.has(twinKey(step))) return false;
		if (step.status === "failed") return isFinal(step);
		return step.kind === "stage" || step.status === "done" || step.status === "cached";
	};
	const merged = later.map((now) => {
		const before = known.get(twinKey(now));
		if (before === void 0) return now;
		const hasEnded = before.status === "done" || before.status === "failed" && isFinal(before);
		return {
			...now.status === "done" || now.status === "failed" || !hasEnded ? now : before,
			targets: [.../* @__PURE__ */ new Set([...before.targets, ...now.targets])]
		};
	});
	return [...earlier.filter(isKept), ...merged];
}
/** The stages that were carried out to their last instruction, on a builder for one platform. */
function wholeStages(layouts, steps) {
	const byStage = Map.groupBy(steps, ({ stage }) => stage);
	const whole = layouts.filter(({ index, counted }) => {
		const mine = (byStage.get(index) ?? []).filter(({ text }) => !text.startsWith("FROM "));
		const lines = new Set(mine.map(({ source }) => source?.line));
		return mine.every(({ status }) => status === "done" || status === "cached") && counted.every(({ line }) => lines.has(line));
	});
	return new Set(whole.map(({ index }) => index));
}
/** The targets that a step stands against when it fails: all that need its stage, or the image that it asks for. */
function targetsNeeding(graph, targets) {
	const stages = new Map(targets.map(({ name, stage }) => [name, stagesOf(graph, stage)]));
	return ({ stage, text }) => {
		const image = /^load metadata for (\S+)$/.exec(text)?.[1];
		const isMeant = (index) => index === stage || image !== void 0 && imagesOf(graph, index).includes(image);
		return [...stages].flatMap(([name, needed]) => needed.some(isMeant) ? [name] : []);
	};
}
function imagesOf({ stages }, index) {
	const stage = stages[index];
	if (stage === void 0 || stage.replacedByContext !== void 0) return [];
	return [stage.from, ...stage.needs.map(({ source }) => source)].flatMap((source) => source.kind === "image" ? [source.image] : []);
}

// src/build/rounds.ts
const LOST = "A layer of the builder’s own cache is gone from its disk: what was left to build was built without that cache.";
var Rounds = class {
	#request;
	#options;
	/** Targets that are neither built nor given up. */
	#left;
	/** Those that the present run is for. */
	#active = [];
	/** What a registry failed with, and the time before which it is not tried again. */
	#resting = /* @__PURE__ */ new Map();
	#measures;
	#imports = true;
	#exports = true;
	/** Nothing of the builder's own cache is used any more. */
	#anew = false;
	#runs = [];
	#tries = /* @__PURE__ */ new Map();
	#failures = [];
	#built = /* @__PURE__ */ new Set();
	#warnings = [];
	constructor(request, options) {
		this.#request = request;
		this.#options = options;
		this.#left = request.targets.map(({ name }) => name);
		this.#measures = request.measure !== void 0;
	}
	/** What is neither built nor given up. */
	get left() {
		return this.#left;
	}
	get failures() {
		return this.#failures;
	}
	get built() {
		return this.#built;
	}
	/** Whether a copy of each image is sent to be measured. */
	get measures() {
		return this.#measures;
	}
	get runs() {
		return this.#runs;
	}
	/** Every step of all runs, each once. */
	steps() {
		const final = new Set(this.#failures.map(({ step }) => step?.id));
		const runs = this.#runs.map(({ steps }) => steps);
		return mergeRuns(runs, ({ id }) => final.has(id));
	}
	warnings() {
		const told = this.#runs.flatMap(({ warnings }) => warnings);
		return [...this.#warnings, ...new Map(told.map((problem) => [problem.message, problem])).values()];
	}
	/** What goes on at once, beside what is tried again later. */
	get ready() {
		return this.#left.filter((name) => !this.#resting.has(name));
	}
	/** The time before which there is nothing to do, as `tryAgain` was told it. */
	get restsUntil() {
		return this.ready.length > 0 ? 0 : Math.max(0, ...this.#left.map((name) => this.#resting.get(name) ?? 0));
	}
	/**
	* Begins the next run: what it builds. What is tried again has to wait for the others, so that it cannot stop them
	* once more.
	*/
	begin() {
		this.#active = this.ready.length > 0 ? this.ready : this.#left;
		for (const name of this.#active) this.#resting.delete(name);
		return this.#activeRequest();
	}
	#activeRequest() {
		const targets = this.#request.targets.filter(({ name }) => this.#active.includes(name)).map((target) => ({
			...target,
			...this.#imports ? {} : { cacheFrom: [] },
			...this.#exports ? {} : { cacheTo: [] }
		}));
		const request = {
			...this.#request,
			targets,
			...this.#measures ? {} : { measure: void 0 }
		};
		if (this.#anew) return {
			...withoutImports(request),
			noCache: true,
			noCacheFilters: []
		};
		return this.#runs.length === 0 ? request : this.#withoutRepeating(request);
	}
	/** Takes what came of a run. What is to be tried again is told, so that it can be waited before that. */
	take(run) {
		this.#runs.push(run);
		if (run.kind === "built") {
			for (const name of this.#active) this.#built.add(name);
			this.#left = this.#left.filter((name) => !this.#built.has(name));
		}
		if (run.kind !== "failed") return [];
		const host = this.#measures ? this.#request.measure?.host : void 0;
		if (host !== void 0 && onlyPushesFailed(run, host)) {
			this.#measures = this.#imports = this.#exports = false;
			this.#warnings.unshift(UNREACHABLE);
			return [];
		}
		const retries = [];
		const others = [];
		let isLost = false;
		const left = this.#left.length;
		const isGone = this.#imported && this.#options.cacheTrouble?.([]) !== void 0;
		for (const failure of run.failures) {
			const judgement = judgementOf(failure);
			const targets = this.#against(failure).filter((name) => this.#active.includes(name));
			const tried = this.#triesOf(targets);
			if (judgement.kind === "command") this.giveUp(failure);
			else if (judgement.kind === "lost" && !this.#anew) isLost = true;
			else if (judgement.kind !== "passing" || isGone || tried >= (this.#options.retries ?? 0)) others.push(failure);
			else retries.push({
				failure,
				targets,
				judgement,
				retry: tried + 1
			});
		}
		const goesWithout = this.#goesOnWithoutCache(others, run);
		if (!goesWithout) for (const failure of others) this.giveUp(failure);
		const again = retries.filter(({ targets }) => targets.some((name) => this.#left.includes(name)));
		const [first] = run.failures;
		if (isLost) {
			this.#anew = true;
			this.#warnings.unshift({ message: LOST });
		}
		if (!goesWithout && !isLost && again.length === 0 && this.#left.length === left && first !== void 0) this.giveUp({
			...first,
			targets: []
		});
		return again;
	}
	/** Accepts what `take` told of, not to begin before a time (ms). */
	tryAgain({ targets, retry }, notBefore) {
		for (const name of targets.filter((target) => this.#left.includes(target))) {
			this.#tries.set(name, retry);
			this.#resting.set(name, notBefore);
		}
	}
	/** Leaves out what failed for good; with `failFast` that ends the build. */
	giveUp(failure, because = "") {
		const targets = this.#against(failure);
		const tried = this.#triesOf(targets);
		if (targets.length === 0) return;
		const { message } = failure.problem;
		const told = tried === 0 ? message : `${message} It was tried ${tried + 1} times.`;
		this.#failures.push({
			...failure,
			targets,
			problem: {
				...failure.problem,
				message: `${told}${because}`
			}
		});
		this.#left = this.#options.failFast === true ? [] : this.#left.filter((name) => !targets.includes(name));
	}
	/** What is left of the targets that a failure stands against. */
	#against({ targets, step, problem }) {
		const mine = this.#left.filter((name) => targets.includes(name));
		if (targets.length === 0) return this.#active.filter((name) => this.#left.includes(name));
		if (step !== void 0) return mine;
		return this.#runs.slice(0, -1).some(({ failures }) => failures.some((old) => wordsOf$1(old.problem) === wordsOf$1(problem))) ? this.#left : mine;
	}
	/** Whether the run that is over was given cached content of ours. */
	get #imported() {
		return this.#activeRequest().targets.some(({ cacheFrom = [] }) => cacheFrom.length > 0);
	}
	#isNeeded(stage) {
		const needing = this.#options.targetsOf?.({
			stage,
			text: ""
		});
		return needing === void 0 || this.#active.some((name) => needing.includes(name));
	}
	#triesOf(targets) {
		return Math.max(0, ...targets.map((name) => this.#tries.get(name) ?? 0));
	}
	/** Cached content that was missing after all: everything but that may be in order. */
	#goesOnWithoutCache(failures, { text }) {
		if (!this.#imported || failures.length === 0) return false;
		const errors = [...failures.flatMap(({ step }) => step?.error ?? []), ...text];
		const trouble = this.#options.cacheTrouble?.(errors.map(this.#options.mask));
		if (trouble === void 0) return false;
		this.#imports = false;
		this.#warnings.unshift({ message: `${CACHE_MISSING} (${trouble}): it was run again without them.` });
		return true;
	}
	/**
	* With `no-cache`, what this build has carried out is taken from the builder's cache, where nothing of it is newer. A
	* stage that was broken off is carried out anew: an older result could stand in for the rest of it. So is everything
	* where that stage has no name to call it by, and for several platforms, where progress does not tell of all of them in
	* time.
	*/
	#withoutRepeating(request) {
		const { noCache = false, noCacheFilters = [], platforms = [] } = request;
		if (!noCache && noCacheFilters.length === 0 || platforms.length > 1) return request;
		const { stages } = this.#options;
		const whole = wholeStages(stages, this.steps());
		if (!noCache) {
			const done = new Set(stages.flatMap(({ index, name }) => whole.has(index) ? name ?? [] : []));
			return {
				...request,
				noCacheFilters: noCacheFilters.filter((name) => !done.has(name.toLowerCase()))
			};
		}
		const broken = stages.filter(({ index }) => !whole.has(index) && this.#isNeeded(index));
		const names = broken.flatMap(({ name }) => name ?? []);
		const isNamed = names.length === broken.length;
		return {
			...withoutImports(request),
			...isNamed ? {
				noCache: false,
				noCacheFilters: names
			} : {}
		};
	}
};
function withoutImports(request) {
	return {
		...request,
		targets: request.targets.map((target) => ({
			...target,
			cacheFrom: []
		})),
		cacheFrom: []
	};
}
function judgementOf({ step }) {
	return step === void 0 ? { kind: "lasting" } : judge$1(step);
}
function wordsOf$1({ message }) {
	return message.replace(/^Target `.*?`: /, "");
}

// src/build/build.ts
/**
* The build as the pipeline asks for it: a request in, what became of every target out. Ties runs of bake to the model
* of their progress, the live log and the reading of what they left; owns none of them. What the next run is for is
* decided in `rounds.ts`.
*/
const TICK_MS = 5e3;
/**
* Builds all targets of the request: in one run of bake where nothing fails, otherwise in as many as it takes to finish
* what can be finished.
*/
async function build(docker, request, options) {
	const rounds = new Rounds(request, options);
	let isCancelled = false;
	while (rounds.left.length > 0 && !isCancelled) {
		const known = rounds.failures.length;
		const run = await runOnce(docker, rounds.begin(), {
			...options,
			several: request.targets.length > 1
		});
		await plan(rounds.take(run), rounds, options);
		isCancelled = run.kind === "cancelled" || !await rest(rounds, options.signal);
		if (rounds.failures.length > known && rounds.left.length > 0 && !isCancelled) options.say?.(goingOn(rounds, known));
	}
	const { runs } = rounds;
	const problems = isCancelled ? [CANCELLED] : problemsOf(rounds.failures);
	return {
		kind: isCancelled ? "cancelled" : problems.length > 0 ? "failed" : "built",
		steps: rounds.steps(),
		checks: [...new Map(runs.flatMap(({ checks }) => checks).map((check) => [`${check.line ?? ""}:${check.text}`, check])).values()],
		warnings: rounds.warnings(),
		built: rounds.built,
		metadata: {
			results: runs.flatMap(({ metadata }) => metadata.results),
			output: Object.assign({}, ...runs.map(({ metadata }) => metadata.output))
		},
		pushed: runs.flatMap(({ pushed }) => pushed),
		measured: rounds.measures,
		failures: rounds.failures,
		problems
	};
}
/** Sets when what failed is tried again, as its registry asks for, and says so. */
async function plan(retries, rounds, options) {
	const asked = await Promise.all(retries.map(async ({ judgement: { image } }) => image === void 0 ? void 0 : await options.retryAfter?.(image)));
	const plans = retries.map((retry, index) => {
		const retryAfter = asked[index];
		return {
			retry,
			retryAfter,
			waitMs: waitBeforeRetry(retry.retry, { retryAfter })
		};
	});
	for (const { retry, retryAfter, waitMs } of plans) if (waitMs === void 0) rounds.giveUp(retry.failure, ` The registry asks to wait ${retryAfter ?? "?"} s, which is too long.`);
	else rounds.tryAgain(retry, performance.now() + waitMs);
	const others = rounds.ready;
	const lines = plans.flatMap(({ retry: { targets, judgement, retry }, retryAfter, waitMs }) => {
		const facts = {
			what: targets.join(", "),
			why: judgement.why,
			retry,
			retries: options.retries ?? 0,
			retryAfter
		};
		return waitMs === void 0 ? [] : [retryLine({
			...facts,
			waitMs,
			others
		})];
	});
	for (const line of new Set(lines)) options.say?.(line);
}
/** Waits while there is nothing to do. False when that was cancelled. */
async function rest({ restsUntil }, signal) {
	const waitMs = restsUntil - performance.now();
	if (waitMs <= 0) return signal?.aborted !== true;
	try {
		await pause(waitMs, signal);
		return true;
	} catch {
		return false;
	}
}
function goingOn(rounds, known) {
	return `✗ ${[...new Set(rounds.failures.slice(known).flatMap(({ targets }) => targets))].join(", ")} failed; going on with ${rounds.left.join(", ")}`;
}
async function runOnce(docker, request, options) {
	const { signal, log } = options;
	let progress;
	const bakeOptions = {
		builder: options.builder,
		policy: options.policy,
		tempRoot: options.tempRoot,
		signal,
		onPlan: ({ targets, linked }) => {
			const { mask, stagesOf = () => options.stages } = options;
			progress = new BuildProgress({
				targets: [...targets, ...linked],
				stagesOf,
				mask,
				listener: log
			});
		},
		onEvents: (events) => progress?.apply(events)
	};
	const timer = setInterval(() => {
		log.tick();
	}, TICK_MS);
	let result;
	try {
		result = await bake(docker, request, bakeOptions);
	} finally {
		clearInterval(timer);
		progress?.end();
		log.finish();
	}
	const { plan, ok, text } = result;
	const steps = mergeTwins(progress?.steps() ?? []);
	const isCancelled = !ok && signal?.aborted === true;
	return {
		kind: ok ? "built" : isCancelled ? "cancelled" : "failed",
		steps,
		checks: progress?.warnings() ?? [],
		warnings: plan.warnings,
		text,
		metadata: ok ? readMetadata(result.metadata, plan.targets) : {
			results: [],
			output: {}
		},
		pushed: progress?.pushed() ?? [],
		failures: ok || isCancelled ? [] : buildFailures({
			steps,
			text,
			file: options.file,
			mask: options.mask,
			targets: plan.targets,
			several: options.several,
			measureHost: request.measure?.host,
			placeOf: (target) => target === void 0 ? void 0 : options.stagesOf?.(target)[0],
			...options.imageLines === void 0 ? {} : { imageLines: options.imageLines },
			...options.targetsOf === void 0 ? {} : { targetsOf: options.targetsOf }
		})
	};
}

// src/build/progress-log.ts
/**
* The live log of a build: each step's output as it comes, prefixed with its stage and place; one line when a step
* ends; what is cached folded by stage; BuildKit's housekeeping only where it is slow or fails; a sign of life from
* steps that are silent. Every line begins with a sign or a bracket of ours, so that nothing a command prints can
* be a workflow command.
*/
const QUIET_MS = 2e4;
const QUIET_AGAIN_MS = 6e4;
const SLOW_MS = 2e3;
const LONGEST_TEXT = 100;
function progressLog({ write, now }) {
	const seen = /* @__PURE__ */ new Map();
	const running = /* @__PURE__ */ new Map();
	const cached = /* @__PURE__ */ new Map();
	/** Instructions that ran: a twin of one that is found in the cache afterwards is no news. */
	const ran = /* @__PURE__ */ new Set();
	const see = (step) => {
		const known = seen.get(step.id);
		if (known !== void 0) return known;
		const fresh = {
			ended: false,
			failed: false,
			shownMs: 0,
			headed: false,
			activeMs: now(),
			beatMs: -1e400,
			status: ""
		};
		seen.set(step.id, fresh);
		return fresh;
	};
	const flushCached = () => {
		for (const steps of cached.values()) writeCached(steps, write);
		cached.clear();
	};
	const ended = (step, state) => {
		if (step.status === "failed" ? state.failed : state.ended && step.durationMs - state.shownMs < 500) return;
		state.ended = true;
		state.failed = step.status === "failed";
		state.shownMs = step.durationMs;
		if (step.status === "canceled" || step.status !== "failed" && isNoise$1(step)) return;
		if (step.status === "cached") {
			if (ran.has(twinKey(step))) return;
			const key = stageLabel(step);
			cached.set(key, [...cached.get(key) ?? [], step]);
			return;
		}
		flushCached();
		if (isAbsentCache(step)) {
			write(`– ${label(step)}${shortened$1(step.text.replace(IMPORT, "no cache yet in "))}`);
			return;
		}
		ran.add(twinKey(step));
		const sign = step.status === "failed" ? "✗" : "✓";
		const outcome = step.status === "failed" ? `failed after ${seconds(step.durationMs)}` : seconds(step.durationMs);
		write(`${sign} ${label(step)}${shortened$1(step.text)} ${outcome}`);
	};
	return {
		onStep: (step) => {
			const state = see(step);
			if (step.status === "running") {
				if (!running.has(step.id)) state.activeMs = now();
				running.set(step.id, step);
			} else running.delete(step.id);
			if (step.status !== "running" && step.status !== "waiting") ended(step, state);
		},
		onLine: (step, line) => {
			const state = see(step);
			state.activeMs = now();
			if (line.trim() === "") return;
			flushCached();
			if (!state.headed) write(`▸ ${label(step)}${shortened$1(step.text)}`);
			state.headed = true;
			write(`${label(step) || "· "}${line}`);
		},
		onStatus: (step, status) => {
			const state = see(step);
			if (!status.completed) state.status = statusText(status);
		},
		tick: () => {
			for (const step of running.values()) {
				const state = see(step);
				if (now() - state.activeMs < QUIET_MS || now() - state.beatMs < QUIET_AGAIN_MS) continue;
				state.beatMs = now();
				const elapsed = now() - (step.startedMs ?? state.activeMs);
				const doing = state.status === "" ? "" : `, ${state.status}`;
				write(`… ${label(step)}${shortened$1(step.text)} still running (${seconds(elapsed)}${doing})`);
			}
		},
		finish: flushCached
	};
}
/** `[builder 4/6] `, `[linux/arm64 builder 4/6] `, `[2/3] `; the target for steps beside the stages. */
function label(step) {
	if (step.place === void 0) return step.targets.length === 1 && step.kind !== "image" ? `[${step.targets.join()}] ` : "";
	return `[${[stageLabel(step), `${step.place}/${step.total ?? "?"}`].filter((part) => part !== "").join(" ")}] `;
}
function stageLabel(step) {
	const name = step.stageName?.replace(/^stage-(?=\d+$)/, "stage ");
	const file = step.source?.file;
	const place = file === void 0 || name?.startsWith("stage ") === false ? name : file.replace(/^.+(?=.{39}$)/s, "…");
	return [step.platform, place].filter((part) => part !== void 0).join(" ");
}
function writeCached(steps, write) {
	const [first] = steps;
	if (first === void 0) return;
	if (steps.length === 1) write(`✓ ${label(first)}${shortened$1(first.text)} cached`);
	else write(`✓ [${stageLabel(first) || "steps"}] ${steps.length} steps cached`);
}
/** https://github.com/moby/buildkit/blob/v0.25.2/solver/llbsolver/bridge.go (the build goes on without it) */
const IMPORT = /^importing cache manifest from /;
function isAbsentCache({ status, text, error }) {
	return status === "failed" && IMPORT.test(text) && /not found|unknown to registry|404/i.test(error ?? "");
}
/** Housekeeping, and images that are there already: of interest only when slow. */
function isNoise$1(step) {
	if (isInstruction(step)) return false;
	return step.durationMs < SLOW_MS;
}
function statusText(status) {
	const text = status.id.replace(/@?sha256:[0-9a-f]{64}/, "").trim();
	const share = status.total > 0 ? ` ${Math.floor(100 * status.current / status.total)} %` : "";
	return /^[\w ./:-]{1,80}$/.test(text) ? `${text}${share}` : "";
}
function shortened$1(text) {
	return text.length <= LONGEST_TEXT ? text : `${text.slice(0, 99)}…`;
}
/** `0.4s`, `34.1s`, `2m05s` */
function seconds(ms) {
	if (ms < 6e4) return `${(ms / 1e3).toFixed(1)}s`;
	const whole = Math.round(ms / 1e3);
	return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
}

// src/build-request.ts
/** The request for all targets of the plan. */
function buildRequest(options) {
	const { inputs, project, planned, measure, isHere } = options;
	const [first] = project.parts;
	const isPlain = first.wanted === void 0;
	const targetOf = ({ name, stageName }) => {
		const { part } = planned.partOf(name);
		return {
			name,
			stage: stageName,
			tags: planned.tagsOf.get(name) ?? [],
			outputs: part.inputs.outputs.map((line) => line.replaceAll("{target}", name)),
			...isPlain ? {} : {
				own: ownOptions(planned.partOf(name), isHere),
				links: part.links
			}
		};
	};
	const used = new Set(project.parts.flatMap(({ links }) => [...links.values()]));
	return {
		contextDir: first.contextDir,
		dockerfile: first.dockerfilePath,
		workspace: project.workspace,
		targets: planned.targets.map(targetOf),
		...used.size === 0 ? {} : { linked: [...planned.targets, ...planned.linked].filter(({ name }) => used.has(name)).map(targetOf) },
		...optionsOf(inputs),
		platforms: isHere ? planned.platforms : inputs.platforms,
		buildContexts: inputs.buildContexts.map((context) => pinned(context, planned.parts[0]?.contexts)),
		push: inputs.push,
		byDigest: inputs.matrixBy === "platform",
		load: inputs.load,
		cgroupParent: inputs.cgroupParent,
		compression: inputs.compression,
		measure
	};
}
/** What bake files say of a target, and the step's inputs. */
function ownOptions({ part, platforms, contexts }, isHere) {
	const { inputs, contextDir, dockerfilePath, dockerfileText } = part;
	return {
		...optionsOf(inputs),
		...dockerfilePath === void 0 ? { dockerfileInline: dockerfileText } : {},
		contextDir,
		dockerfile: dockerfilePath,
		platforms: isHere ? platforms : inputs.platforms,
		buildContexts: inputs.buildContexts.map((context) => pinned(context, contexts))
	};
}
/** The inputs that bake files have words for, too. */
function optionsOf(inputs) {
	const { buildArgs, secrets, ssh, labels, annotations, provenance, sbom, attests, pull } = inputs;
	const { noCache, noCacheFilters, network, addHosts, allow, shmSize, ulimit, cacheTo } = inputs;
	return {
		buildArgs,
		secrets,
		ssh,
		labels,
		annotations,
		provenance,
		sbom,
		attests,
		pull,
		noCache,
		noCacheFilters,
		network,
		addHosts,
		allow,
		shmSize,
		ulimit,
		cacheTo,
		cacheFrom: importsOf(inputs)
	};
}
/** A named context that is an image is the one that the plan found. */
function pinned({ key, value }, contexts) {
	const digest = contexts?.get(key);
	return {
		key,
		value: value.startsWith("docker-image://") && !value.includes("@") && digest !== void 0 ? `${value}@${digest}` : value
	};
}
/**
* OCI layouts go to BuildKit as named contexts; but a named context would also replace a stage that bears the image's
* name, so those are told apart.
*/
function ociMappings(planned) {
	const contexts = [];
	const clashing = [];
	for (const { image, source } of planned.images.entries()) {
		if (source.kind !== "oci-layout") continue;
		const key = familiarName(image).replace(/:latest$/, "");
		const stage = planned.graph.stages.find((candidate) => candidate.name === key);
		if (stage === void 0) contexts.push({
			key,
			value: sourceText(source)
		});
		else clashing.push({
			image,
			stage: key,
			line: stage.line,
			file: stage.file
		});
	}
	return {
		contexts,
		clashing
	};
}

// src/built.ts
/** Reads an outcome. */
function builtFrom(outcome, context) {
	const { inputs, planned, measured, cache, missing, warnings } = context;
	const problems = scannerProblems(outcome, inputs);
	const failures = outcome.failures.toReversed().flatMap(({ targets, problem }) => targets.map((name) => [name, problems?.[0] ?? problem]));
	const isPublished = (name) => inputs.push || inputs.load || outputTypes(planned.partOf(name).part.inputs.outputs).some((type) => [
		"image",
		"docker",
		"oci"
	].includes(type));
	const results = new Map(outcome.metadata.results.map((result) => [result.target, result]));
	return {
		steps: outcome.steps,
		measured,
		cache,
		missing,
		warnings,
		unchanged: /* @__PURE__ */ new Set(),
		failed: new Map(failures),
		problems: problems ?? outcome.problems,
		metadata: outcome.metadata.output,
		images: planned.targets.filter(({ name }) => outcome.built.has(name)).map(({ name }) => ({
			target: name,
			tags: planned.tagsOf.get(name) ?? [],
			digest: isPublished(name) ? results.get(name)?.digest : void 0,
			imageId: results.get(name)?.configDigest ?? onlyConfig(measured.sizes.get(name)),
			sizes: measured.sizes.get(name)
		}))
	};
}
/** https://github.com/moby/buildkit/blob/v0.25.2/frontend/attestations/parse.go */
const SCANNER = "docker/buildkit-syft-scanner";
/**
* BuildKit runs a scanner for `sbom`, from an image that neither the Dockerfile nor the user names, and
* `external-images` does not reach: a problem with it is told as one of that input.
* https://github.com/moby/buildkit/blob/v0.25.2/docs/attestations/sbom.md
*/
function scannerProblems(outcome, inputs) {
	if (outcome.kind !== "failed" || inputs.sbom === void 0 && inputs.attests.length === 0) return void 0;
	const [failed, ...others] = outcome.steps.filter((step) => step.status === "failed");
	const [problem] = outcome.problems;
	const [, image] = /^resolve image config for docker-image:\/\/(\S+)$/.exec(failed?.text ?? "") ?? [];
	const generator = /generator=([^,]+)/.exec([inputs.sbom, ...inputs.attests].join(","))?.[1] ?? SCANNER;
	if (problem === void 0 || others.length > 0 || image?.includes(generator) !== true) return void 0;
	return [{
		input: "sbom",
		message: `\`sbom\`: its scanner \`${image}\` cannot be had: ${problem.message}`,
		mend: "Name a copy of it with `sbom: generator=IMAGE`, or set `sbom: false`."
	}];
}
/** Buildx tells no image id where an attestation makes an index of a single image. */
function onlyConfig(sizes) {
	const [only, ...others] = sizes?.platforms ?? [];
	return others.length === 0 ? only?.configDigest : void 0;
}

// src/cache/young-garbage.ts
/**
* Collects young garbage while streams run. V8 does not see the 64 KiB buffers that they go through as its own, and lets
* tens of megabytes of them lie.
*/
const LOOK_EVERY_MS = 5;
/** Bytes outside of the heap that may be garbage. */
const MUCH = 8 << 20;
/** Counts what is being streamed. */
var YoungGarbage = class {
	#active = 0;
	#timer;
	/** Collects until the work is through, however it ends. */
	async during(work) {
		if (this.#active++ === 0) this.#timer = sweep();
		try {
			return await work();
		} finally {
			if (--this.#active === 0) clearInterval(this.#timer);
		}
	}
};
function sweep() {
	let least = outside();
	return setInterval(() => {
		const now = outside();
		least = Math.min(least, now);
		if (now - least > MUCH) collect();
	}, LOOK_EVERY_MS).unref();
}
function outside() {
	return process.memoryUsage().arrayBuffers;
}
let collector;
function collect() {
	collector ??= findCollector();
	collector({ type: "minor" });
}
/** An action is started without flags; a context that is made after a flag was set has what it adds. */
function findCollector() {
	setFlagsFromString("--expose-gc");
	const found = runInNewContext("gc");
	return typeof found === "function" ? found : () => void 0;
}

// src/mounts/archive-line.ts
/**
* A line for archives between this process and the helper build on the same machine: a socket on loopback that the helper's
* shell opens, so that packing and unpacking go on while an archive is under way, and BuildKit copies none of it.
*/
const GIVEN_BYTES = 1 << 20;
const TAKEN_BYTES = 131072;
/** For a greeting that does not come. */
const PATIENCE_MS$2 = 1e4;
const MOST_GREETING_BYTES = 256;
var ArchiveLine = class ArchiveLine {
	#options;
	#server;
	#sockets = /* @__PURE__ */ new Set();
	#transfers = [];
	#secrets = {
		question: randomBytes(16).toString("hex"),
		answer: randomBytes(16).toString("hex")
	};
	constructor(options) {
		this.#options = options;
		this.#server = createServer$1({ allowHalfOpen: true }, (socket) => {
			this.#sockets.add(socket);
			socket.on("error", () => void 0);
			socket.once("close", () => this.#sockets.delete(socket));
			this.#greet(socket);
		});
		options.signal.addEventListener("abort", this.#hangUp);
	}
	/** @throws Error where nothing can listen on loopback. */
	static async open(options) {
		const line = new ArchiveLine(options);
		await new Promise((resolve, reject) => {
			line.#server.once("error", reject);
			line.#server.listen(0, "127.0.0.1", resolve);
		});
		return line;
	}
	get address() {
		return {
			port: this.#server.address().port,
			...this.#secrets
		};
	}
	/** Whether the helper was heard at all. */
	get wasUsed() {
		return this.#transfers.length > 0;
	}
	/** When all that was begun is written or broken off. The helper has ended, so no more will come. */
	async settled() {
		await Promise.all(this.#transfers);
	}
	async [Symbol.asyncDispose]() {
		this.#options.signal.removeEventListener("abort", this.#hangUp);
		this.#server.close();
		this.#hangUp();
		await this.settled();
	}
	#hangUp = () => {
		for (const socket of this.#sockets) socket.destroy();
	};
	async #greet(socket) {
		const name = this.#nameIn(await firstLine(socket));
		const path = name === void 0 ? void 0 : this.#options.archives.get(name);
		if (path === void 0 || this.#options.signal.aborted) {
			socket.destroy();
			return;
		}
		const transfer = this.#transfer(socket, path);
		this.#transfers.push(transfer);
		await transfer;
	}
	#nameIn(line) {
		const { question } = this.#secrets;
		return line?.startsWith(`${question} `) === true ? line.slice(question.length + 1) : void 0;
	}
	/** What is broken off the shell notices by itself, and of what it packed by this file, which is gone then. */
	async #transfer(socket, path) {
		socket.write(`${this.#secrets.answer}\n`);
		try {
			if (this.#options.kind === "give") await give(path, socket);
			else {
				await take(socket, path, this.#options.maxBytes);
				socket.destroy();
			}
		} catch {
			socket.destroy();
			if (this.#options.kind === "take") await rm(path, { force: true });
		}
	}
};
/** Without its end; undefined where none comes in time. What follows it is left in the socket. */
async function firstLine(socket) {
	const patience = setTimeout(() => socket.destroy(), PATIENCE_MS$2);
	try {
		let text = Buffer.alloc(0);
		while (text.length <= MOST_GREETING_BYTES) {
			const chunk = socket.read() ?? void 0;
			if (chunk === void 0) {
				if (socket.destroyed || socket.readableEnded) return void 0;
				await readable(socket);
				continue;
			}
			text = Buffer.concat([text, chunk]);
			const end = text.indexOf("\n");
			if (end === -1) continue;
			socket.unshift(text.subarray(end + 1));
			return text.toString("latin1", 0, end);
		}
		return;
	} finally {
		clearTimeout(patience);
	}
}
/** When there is something to read, or nothing will come. */
async function readable(socket) {
	await new Promise((resolve) => {
		for (const event of [
			"readable",
			"end",
			"close"
		]) socket.once(event, resolve);
	});
}
/** From a file to a socket through two buffers, which are all the memory that it takes. */
async function give(path, socket) {
	socket.resume();
	await using file = await open(path);
	let [buffer, other] = [Buffer.allocUnsafeSlow(GIVEN_BYTES), Buffer.allocUnsafeSlow(GIVEN_BYTES)];
	let written = Promise.resolve();
	for (;;) {
		const { bytesRead } = await file.read(buffer, 0, GIVEN_BYTES);
		await written;
		if (bytesRead === 0) break;
		written = write(socket, buffer.subarray(0, bytesRead));
		written.catch(() => void 0);
		[buffer, other] = [other, buffer];
	}
	socket.end();
}
/** When the buffer is free again. */
async function write(socket, bytes) {
	await new Promise((resolve, reject) => {
		socket.write(bytes, (error) => {
			if (error instanceof Error) reject(error);
			else resolve();
		});
	});
}
/** What comes is collected, since a write of each piece of 64 KiB takes twice the time. */
async function take(socket, path, maxBytes) {
	await using file = await open(path, "w");
	let [buffer, other] = [Buffer.allocUnsafeSlow(TAKEN_BYTES), Buffer.allocUnsafeSlow(TAKEN_BYTES)];
	let [bytes, filled, written] = [
		0,
		0,
		Promise.resolve()
	];
	const flush = async () => {
		await written;
		written = writeAll(file, buffer.subarray(0, filled));
		written.catch(() => void 0);
		[buffer, other, filled] = [
			other,
			buffer,
			0
		];
	};
	for await (const chunk of socket) {
		bytes += chunk.length;
		if (bytes > maxBytes) throw new Error("too large");
		for (let at = 0; at < chunk.length;) {
			const copied = chunk.copy(buffer, filled, at);
			at += copied;
			filled += copied;
			if (filled === TAKEN_BYTES) await flush();
		}
	}
	await flush();
	await written;
}
async function writeAll(file, bytes) {
	for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
}

// src/mounts/helper-build.ts
/** The named context that the helper's root is. */
function helperContext(token) {
	return `stage-build-mounts-${token}`;
}
/** The helper's Dockerfile. Ids are plain (`mount-uses.ts`), so that nothing in them is read as anything else. */
function helperDockerfile(kind, { token, mounts, hasLine }) {
	const flags = mounts.map(({ mount, name }) => `--mount=${mountFlag(mount, name)}`);
	const command = JSON.stringify([
		hasLine ? "/bin/bash" : "/bin/sh",
		`/${kind}.sh`,
		token
	]);
	return [
		`FROM ${helperContext(token)}`,
		`RUN ${[
			`--network=${hasLine ? "host" : "none"}`,
			...flags,
			command
		].join(" ")}`,
		""
	].join("\n");
}
/**
* Locked: it waits for whoever has the mount, instead of making a second one.
* https://github.com/moby/buildkit/blob/v0.25.0/solver/llbsolver/mounts/mount.go (getRefCacheDirNoCache)
*/
function mountFlag({ id, permissions }, name) {
	const owner = permissions === void 0 ? [] : [
		`uid=${permissions.uid}`,
		`gid=${permissions.gid}`,
		`mode=${permissions.mode.toString(8).padStart(4, "0")}`
	];
	return [
		"type=cache",
		`id=${id}`,
		`target=/m/${name}`,
		"sharing=locked",
		...owner
	].join(",");
}
/** Read and written at once, in blocks of 512 bytes: tar's own 20 are many calls. Each archive is filled up to so many. */
const BLOCKS = 128;
/** Opens a line to the process that started the helper, as file 3. In `bash`, which alone can without another program. */
function callScript({ port, question, answer }) {
	return `
call() {
  exec 3<>/dev/tcp/127.0.0.1/${port} || exit 1
  echo "${question} $1" >&3
  read -r -t 10 said <&3
  test "$said" = ${answer} || exit 1
}
`;
}
/**
* Unpacks the archive of each mount into it: `/in/NAME.tar`, or what comes through the line. What is newer there stays. `-G`
* brings the times of last use along; it removes only what an archive made with it says, and none is.
*/
function putInScript(names, line) {
	return `${line === void 0 ? "" : callScript(line)}
failed=
put() {
  ${line === void 0 ? "exec 3< \"/in/$1.tar\"" : "call \"$1\""}
  tar -x -b ${BLOCKS} -G -p --keep-newer-files --warning=no-ignore-newer --numeric-owner -f - -C "/m/$1" <&3 || failed="$failed $1"
  exec 3<&-
}
${names.map((name) => `put ${name}`).join("\n")}
test -z "$failed"
`;
}
/** Words of a list's line: type, bytes, time of change, path. */
const LIST_FORMAT = "%y %s %T@ %P\\0";
/** A file in each mount that shows whether reading is noted; it goes at once. */
const PROBE = ".stage-build-probe";
/**
* Packs each mount into `/out/NAME.tar`, or into the line, and then makes `/out/NAME.whole`; beside it a list of what is in it.
* Where the file system does not note when a file is read, nothing is left out. An archive that would be larger than
* `maxBytes` is not made; making one is no use of files.
*/
function takeOutScript(mounts, { maxBytes, line }) {
	return `${line === void 0 ? "" : callScript(line)}
take() {
  cd "/m/$1" || exit 1
  read -r line < ${PROBE}
  if test -n "$(find ${PROBE} -anewer ${PROBE})"; then
    set -- "$1" delete=ctime ! -type f -o -newerat "@$2" -o -newerct "@$3"
  else
    set -- "$1" delete=ctime,delete=atime -true
  fi
  rm -f ${PROBE}
  name=$1
  times=$2
  shift 2
  ${line === void 0 ? "exec 3> \"/out/$name.tar\"" : "call \"$name\""}
  {
    find . '(' "$@" ')' -fprintf "/out/$name.list" '${LIST_FORMAT}' -print0 || echo > "/out/$name.unread"
  } | (
    ${line === void 0 ? `ulimit -f ${Math.ceil(maxBytes / 512)}` : ":"}
    exec tar -c -b ${BLOCKS} --null --no-recursion --numeric-owner --atime-preserve=system --format=pax --pax-option="$times" \\
      -f - -T - >&3
  )
  if test $? -le 1; then echo > "/out/$name.whole"; else rm -f "/out/$name.tar"; fi
  exec 3>&-
  test ! -e "/out/$name.unread" || exit 1
}
${mounts.map(({ name }) => `echo probe > /m/${name}/${PROBE} || exit 1`).join("\n")}
sleep 0.02
${mounts.map(({ name, usedSince, madeSince }) => `take ${name} ${Math.floor(usedSince)} ${madeSince}`).join("\n")}
`;
}

// src/mounts/helper-root.ts
/** The helper's root: a folder with this machine's own `sh`, `tar` and `find` and the libraries that they need, where they look for them. */
/** Where each program lies in the helper, and what must be said of it by `--version`. */
const PROGRAMS = [
	{
		name: "sh",
		is: void 0
	},
	{
		name: "tar",
		is: /GNU tar/
	},
	{
		name: "find",
		is: /GNU findutils/
	},
	{
		name: "rm",
		is: void 0
	},
	{
		name: "sleep",
		is: void 0
	}
];
/** For a line to this process (`archive-line.ts`); the helper works without it, too. */
const LINE_PROGRAM = "bash";
/** A program that is not here, or not the one that is needed. */
var ToolMissingError = class extends Error {
	tool;
	constructor(tool, options) {
		super(`there is no ${tool} here`, options);
		this.name = "ToolMissingError";
		this.tool = tool;
	}
};
/**
* Looks for the programs and their libraries.
* @throws ToolMissingError
*/
async function findTools(env) {
	const [found, bash] = await Promise.all([Promise.all(PROGRAMS.map(async (one) => await filesOf(one, env))), filesOf({
		name: LINE_PROGRAM,
		is: void 0
	}, env).catch(() => [])]);
	return new Map([...found.flat(), ...bash]);
}
/** Whether a root has what a line needs. */
function canHaveLine(files) {
	return [...files.values()].includes(`/bin/${LINE_PROGRAM}`);
}
async function filesOf({ name, is }, env) {
	const program = name === "sh" ? "/bin/sh" : findProgram(name, env["PATH"] ?? "");
	if (program === void 0) throw new ToolMissingError(nameOf(name));
	const [version, libraries] = await Promise.all([is === void 0 ? void 0 : run(program, ["--version"], env), run("ldd", [program], env)]);
	if (is !== void 0 && version !== void 0 && !is.test(version)) throw new ToolMissingError(nameOf(name));
	return [[program, `/bin/${name}`], ...librariesIn(libraries).map((path) => [path, path])];
}
/** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`; nothing of a static program. */
function librariesIn(ldd) {
	return ldd.split("\n").flatMap((line) => /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1] ?? []);
}
/** Lays the root out in a new folder, with a script in it and archives as `/in/NAME.tar`. */
async function layOutRoot(folder, { files, scripts, archives }) {
	await Promise.all([
		"in",
		"m",
		"out"
	].map((name) => mkdir(join(folder, name), { recursive: true })));
	for (const [from, to] of files) {
		await mkdir(dirname(join(folder, to)), { recursive: true });
		await copyFile(from, join(folder, to));
	}
	for (const [name, text] of scripts) await writeFile(join(folder, name), text);
	for (const [name, from] of archives) {
		const to = join(folder, "in", `${name}.tar`);
		await link$1(from, to).catch(() => copyFile(from, to, constants$1.COPYFILE_FICLONE));
	}
}
function nameOf(name) {
	return name === "tar" || name === "find" ? `GNU ${name}` : name;
}
async function run(program, args, env) {
	try {
		return (await runProcess(program, args, { env: {
			...env,
			LC_ALL: "C"
		} })).stdout;
	} catch (error) {
		if (error instanceof ProgramMissingError) throw new ToolMissingError(program, { cause: error });
		throw error;
	}
}

// src/mount-helper.ts
/** Runs the helper build of cache mounts on the builder, and removes what it leaves there. */
const PATIENCE_MS$1 = 6e4;
const SLOWEST_BYTES_PER_SECOND = 1e7;
/**
* Removes the helper's records from a builder that lives on; the mounts stay. It may take seconds, since BuildKit looks at
* all records.
*/
async function removeHelperRecords(docker, builder, token) {
	if (!/^[0-9a-f]{16}$/.test(token)) return;
	await runDocker(docker, pruneArgs(builder, [`description~=${token}`, "type!=exec.cachemount"]));
}
/** The helper could not do its work; the message is a clause. */
var HelperError = class extends Error {};
var MountHelper = class {
	#options;
	#token = randomBytes(8).toString("hex");
	#garbage = new YoungGarbage();
	#tools;
	/** What the builder runs does not reach this machine's loopback, or may not. */
	#isDeaf = false;
	constructor(options) {
		this.#options = options;
	}
	/** Looks for the programs beside what else goes on. */
	begin() {
		this.#tools ??= findTools(this.#options.docker.env);
		this.#tools.catch(() => void 0);
	}
	/**
	* Unpacks archives into their mounts.
	* @throws HelperError, ToolMissingError
	*/
	async putIn(archives) {
		const bytes = archives.reduce((sum, archive) => sum + archive.bytes, 0);
		await this.#run({
			kind: "put-in",
			mounts: archives,
			maxBytes: 0,
			output: void 0,
			archives: new Map(archives.map(({ name, path }) => [name, path])),
			script: (line) => putInScript(archives.map(({ name }) => name), line),
			timeoutMs: timeoutFor(bytes)
		});
	}
	/**
	* Packs mounts: `NAME.list` and, unless it would be too large, `NAME.tar` in the folder that is returned, which is made.
	* @throws HelperError, ToolMissingError
	*/
	async takeOut(mounts, { maxBytes, folder }) {
		const [out, streamed] = [join(folder, "out"), join(folder, "streamed")];
		await mkdir(streamed, { recursive: true });
		const archives = new Map(mounts.map(({ name }) => [name, join(streamed, `${name}.tar`)]));
		const hadLine = await this.#run({
			kind: "take-out",
			mounts,
			maxBytes,
			archives,
			output: folder,
			script: (line) => takeOutScript(mounts, {
				maxBytes,
				line
			}),
			timeoutMs: timeoutFor(mounts.length * maxBytes)
		});
		for (const [name, path] of hadLine ? archives : []) if (existsSync(join(out, `${name}.whole`)) && existsSync(path)) await rename(path, join(out, `${name}.tar`));
		return out;
	}
	/** @returns whether archives went through a line: where they cannot, BuildKit copies them. */
	async #run(run) {
		this.begin();
		const files = await this.#tools ?? /* @__PURE__ */ new Map();
		const timeout = AbortSignal.timeout(run.timeoutMs);
		const signal = AbortSignal.any([this.#options.signal, timeout]);
		const failure = async (line) => {
			const failed = await this.#build(run, {
				files,
				line: line?.address,
				signal
			});
			if (timeout.aborted) throw new HelperError(`it took more than ${Math.round(run.timeoutMs / 1e3)} s`);
			return failed;
		};
		if (!this.#isDeaf && canHaveLine(files)) {
			const { archives, maxBytes } = run;
			await using line = await ArchiveLine.open({
				kind: run.kind === "put-in" ? "give" : "take",
				archives,
				maxBytes,
				signal
			});
			const failed = await this.#garbage.during(async () => await failure(line));
			await line.settled();
			if (failed === void 0) return true;
			if (line.wasUsed || signal.aborted) throw new HelperError(failed);
			this.#isDeaf = true;
		}
		const failed = await failure(void 0);
		if (failed !== void 0) throw new HelperError(failed);
		return false;
	}
	/** @returns what went wrong */
	async #build({ kind, mounts, archives, script, output }, { files, line, signal }) {
		const { docker, builder, namespace, tempRoot } = this.#options;
		const token = `${this.#token}${kind === "put-in" ? "i" : "o"}`;
		const folder = await mkdtemp(join(tempRoot, "stage-build-mounts-"));
		try {
			const [root, dockerfile] = [join(folder, "root"), join(folder, "Dockerfile")];
			const inRoot = kind === "put-in" && line === void 0 ? archives : /* @__PURE__ */ new Map();
			await layOutRoot(root, {
				files,
				scripts: /* @__PURE__ */ new Map([[`${kind}.sh`, script(line)]]),
				archives: inRoot
			});
			const hasLine = line !== void 0;
			await writeFile(dockerfile, helperDockerfile(kind, {
				token,
				mounts,
				hasLine
			}));
			const context = join(folder, "context");
			await mkdir(context);
			const args = helperArgs({
				builder,
				dockerfile,
				context,
				root,
				rootName: helperContext(token),
				output,
				buildArgs: namespace === "" ? [] : [`BUILDKIT_CACHE_MOUNT_NS=${namespace}`],
				allow: hasLine ? ["network.host"] : []
			});
			this.#options.onRun(this.#token);
			const { code, stderr } = await runDocker(docker, args, {
				env: PLAIN_BUILD,
				signal
			});
			return code === 0 ? void 0 : lastError(stderr);
		} finally {
			await rm(folder, {
				recursive: true,
				force: true
			});
		}
	}
};
/** In whole milliseconds. */
function timeoutFor(bytes) {
	return PATIENCE_MS$1 + Math.ceil(bytes / SLOWEST_BYTES_PER_SECOND * 1e3);
}
/** What the user's environment asks of builds is not for this one. */
const PLAIN_BUILD = {
	BUILDX_NO_DEFAULT_ATTESTATIONS: "1",
	BUILDX_METADATA_PROVENANCE: "disabled",
	DOCKER_DEFAULT_PLATFORM: "",
	EXPERIMENTAL_BUILDKIT_SOURCE_POLICY: ""
};
/** What tar said, or else what buildx did. */
function lastError(stderr) {
	const lines = stderr.split("\n").filter((line) => line.trim() !== "");
	return lines.findLast((line) => /^#\d+ [\d.]+ (?:\/bin\/)?(?:tar|find|sh): /.test(line))?.replace(/^#\d+ [\d.]+ /, "") ?? lines.at(-1)?.replace(/^ERROR: /, "") ?? "no reason given";
}

// src/mounts/mount-list.ts
/** What the helper says of a mount's content: one pass over the list that it wrote beside the archive, held nowhere whole. */
const MODULUS = 1n << 256n;
/**
* Reads a list of entries (`LIST_FORMAT`).
* @throws Error when it cannot be read
*/
async function readMountList(path) {
	let [files, bytes, sum, rest] = [
		0,
		0,
		0n,
		""
	];
	for await (const chunk of createReadStream(path, "latin1")) {
		const entries = `${rest}${String(chunk)}`.split("\0");
		rest = entries.pop() ?? "";
		for (const entry of entries) {
			const [type = "", size = ""] = entry.split(" ", 2);
			if (type === "d") continue;
			files++;
			if (type === "f") bytes += Number(size);
			sum = (sum + BigInt(`0x${createHash("sha256").update(entry, "latin1").digest("hex")}`)) % MODULUS;
		}
	}
	return {
		files,
		bytes,
		digest: `sha256:${sum.toString(16).padStart(64, "0")}`
	};
}

// src/mounts/mount-uses.ts
/**
* Which cache mounts a build uses, and which steps use each. Two mounts of one identity are one on the engine, in
* whatever stage, for whatever platform. Pure.
*/
/** More than anybody uses; each is a line of the helper's Dockerfile, and a file. */
const MOST_MOUNTS = 64;
/** Ids that mean the same in every Dockerfile: nothing to be expanded, quoted or split. */
const PLAIN = /^[\w@%+=:./~-]{1,400}$/;
/**
* The cache mounts of these targets.
* @param namespace the build argument `BUILDKIT_CACHE_MOUNT_NS`; empty where it is not given
*/
function mountUses(graph, targets, namespace) {
	const kept = /* @__PURE__ */ new Map();
	const left = /* @__PURE__ */ new Map();
	for (const index of stagesOfAll(graph, targets)) for (const { line, caches } of graph.stages[index]?.steps ?? []) for (const mount of caches) {
		const why = whyLeft(mount);
		const key = mountKey(mount, namespace);
		if (why !== void 0) left.set(mount.id, {
			id: mount.id,
			line,
			why
		});
		else kept.set(key, withStep(kept.get(key), {
			key,
			mount,
			place: {
				stage: index,
				line
			}
		}));
	}
	return {
		kept: [...kept.values()].slice(0, MOST_MOUNTS),
		left: [...left.values()]
	};
}
/** Keys of all cache mounts that the Dockerfile names, whatever is built of it. */
function namedMounts(graph, namespace) {
	const mounts = graph.stages.flatMap(({ steps }) => steps.flatMap(({ caches }) => caches));
	return new Set(mounts.map((mount) => mountKey(mount, namespace)));
}
function mountKey({ id, permissions }, namespace) {
	const owner = permissions === void 0 ? [] : [
		permissions.uid,
		permissions.gid,
		permissions.mode
	];
	return createHash("sha256").update(JSON.stringify([
		namespace,
		id,
		owner
	])).digest("hex").slice(0, 32);
}
function whyLeft({ id, hasContent }) {
	if (hasContent) return "content";
	return PLAIN.test(id) ? void 0 : "name";
}
function withStep(known, { key, mount, place }) {
	const { id, permissions, readOnly } = mount;
	const { steps, isWritten } = known ?? {
		steps: [],
		isWritten: false
	};
	return {
		key,
		id,
		permissions,
		steps: [...steps, place],
		isWritten: isWritten || !readOnly
	};
}

// src/cache-mounting.ts
/**
* Cache mounts kept between runs: their archives are put in before the build where a step is expected to run, and taken out
* after it where one really ran. Whatever goes wrong is told once, and fails nothing.
*/
const DAY_MS = 864e5;
/** A file of a mount that was not used for so long is left out of its archive. */
const UNUSED_MS = 7 * DAY_MS;
var CacheMounting = class CacheMounting {
	#options;
	#uses;
	#helper;
	#isExpected;
	#fetches = /* @__PURE__ */ new Map();
	#facts = /* @__PURE__ */ new Map();
	/** When a mount was put in, in milliseconds since the epoch. */
	#putIn = /* @__PURE__ */ new Map();
	#trouble;
	constructor(options, namespace) {
		const { planned } = options;
		this.#options = options;
		this.#helper = new MountHelper({
			...options,
			namespace
		});
		this.#uses = mountUses(planned.graph, targetStages(planned), namespace);
		this.#isExpected = options.isExpected;
	}
	/** Undefined where cache mounts are not kept, or there are none. */
	static open(options) {
		const { inputs, planned, caching } = options;
		if (caching === void 0 || inputs.cacheMounts === "off") return void 0;
		const [namespace = "", ...others] = new Set(planned.parts.map(({ part }) => part.inputs.buildArgs["BUILDKIT_CACHE_MOUNT_NS"] ?? ""));
		if (others.length > 0) {
			options.debug("cache mounts are not kept: targets have them in several namespaces");
			return;
		}
		caching.nameMounts(namedMounts(planned.graph, namespace));
		const mounting = new CacheMounting({
			...options,
			caching
		}, namespace);
		return mounting.#begin() ? mounting : void 0;
	}
	#begin() {
		const { kept, left } = this.#uses;
		for (const { id, line, why } of left) {
			const reason = why === "content" ? "it begins with the content of `from`" : "its id is not plain text";
			this.#options.debug(`the cache mount ${JSON.stringify(id)} (line ${line}) is not kept: ${reason}`);
		}
		if (kept.length === 0) return false;
		this.#helper.begin();
		for (const mount of kept.filter(({ steps }) => steps.some(this.#isExpected))) this.#fetch(mount);
		return true;
	}
	/** Puts archives into the mounts of steps that are expected to run. Never rejects. */
	async putIn() {
		const { planned, caching } = this.#options;
		const uncached = planned.targets.filter(({ name }) => !caching.hasImports(name)).map(({ stage }) => stage);
		const rebuilt = new Set(uncached.flatMap((stage) => stagesOf(planned.graph, stage)));
		const wanted = this.#uses.kept.filter(({ steps }) => steps.some((place) => rebuilt.has(place.stage) || this.#isExpected(place)));
		try {
			const found = await Promise.all(wanted.map(async (mount, index) => ({
				mount,
				name: String(index),
				archive: await this.#fetch(mount)
			})));
			for (const mount of this.#uses.kept) this.#note(mount, wanted.includes(mount) ? "none" : "cached");
			const archives = found.flatMap(({ archive, ...rest }) => archive === void 0 ? [] : [{
				...archive,
				...rest
			}]);
			if (archives.length === 0) return;
			const started = performance.now();
			await this.#helper.putIn(archives);
			for (const { mount, bytes, savedAt, ref } of archives) {
				this.#putIn.set(mount, this.#options.now());
				this.#note(mount, {
					bytes,
					ref,
					savedAt: Date.parse(savedAt)
				});
			}
			this.#told("put in", archives, started);
		} catch (error) {
			this.#fail("filled", error);
		}
	}
	/** Takes out of the mounts what the steps that ran left there, to be saved with the layers. Never rejects. */
	async takeOut(outcome) {
		const { caching, inputs, now } = this.#options;
		const ran = new Set(outcome.steps.filter((step) => isInstruction(step) && step.status === "done").map(({ stage, source }) => `${stage ?? ""}:${source?.line ?? ""}`));
		const used = this.#uses.kept.filter(({ steps }) => steps.some(({ stage, line }) => ran.has(`${stage}:${line}`)));
		for (const mount of this.#uses.kept) this.#left(mount, used.includes(mount) ? "not-written" : "not-run");
		const written = used.filter(({ isWritten }) => isWritten);
		if (!caching.writes || outcome.kind === "cancelled" || written.length === 0) return;
		const folder = join(caching.root, "mounts");
		try {
			const started = performance.now();
			const usedSince = (now() - UNUSED_MS) / 1e3;
			const mounts = written.map((mount, index) => ({
				mount,
				name: String(index),
				usedSince,
				madeSince: Math.max(usedSince, (this.#putIn.get(mount) ?? 0) / 1e3)
			}));
			const out = await this.#helper.takeOut(mounts, {
				maxBytes: inputs.cacheMountsMaxSize,
				folder
			});
			const taken = [];
			for (const { mount, name } of mounts) taken.push(...await this.#keep(mount, join(out, name)));
			if (taken.length > 0) this.#told("took out", taken, started);
		} catch (error) {
			this.#fail("read", error);
		} finally {
			await rm(folder, {
				recursive: true,
				force: true
			}).catch(() => void 0);
		}
	}
	/** What the summary tells. */
	facts() {
		return [...this.#facts.values()];
	}
	get warnings() {
		return this.#trouble === void 0 ? [] : [this.#trouble];
	}
	/** @param path of what the helper made of it, without the ending */
	async #keep(mount, path) {
		const { caching, inputs, now, notice } = this.#options;
		const content = await readMountList(`${path}.list`);
		const size = await stat(`${path}.tar`).then((found) => found.size, () => void 0);
		if (content.files === 0) {
			this.#left(mount, "empty");
			return [];
		}
		if (size === void 0) {
			this.#left(mount, { tooLarge: content.bytes });
			notice(`The cache mount ${mount.id} holds ${formatBytes(content.bytes)} and was not saved: \`cache-mounts-max-size\` is ${formatBytes(inputs.cacheMountsMaxSize)}.`);
			return [];
		}
		const [known] = await caching.cache.mountArchives(mount.key);
		const isOld = known?.isOwn === true && now() - Date.parse(known.savedAt) > DAY_MS;
		if (known?.content === content.digest && !isOld) {
			this.#left(mount, "unchanged");
			return [];
		}
		const hash = createHash("sha256");
		await pipeline(createReadStream(`${path}.tar`), hash);
		const saved = {
			digest: `sha256:${hash.digest("hex")}`,
			bytes: size,
			content: content.digest,
			savedAt: new Date(now()).toISOString()
		};
		await caching.cache.takeMount(mount.key, saved, `${path}.tar`);
		this.#left(mount, { bytes: size });
		return [saved];
	}
	#fetch(mount) {
		let fetched = this.#fetches.get(mount);
		if (fetched === void 0) {
			fetched = this.#fetchArchive(mount);
			fetched.catch(() => void 0);
			this.#fetches.set(mount, fetched);
		}
		return fetched;
	}
	/** The first that can be had. */
	async #fetchArchive({ key }) {
		const { cache } = this.#options.caching;
		for (const found of await cache.mountArchives(key)) {
			const path = await cache.fileOf(found.digest);
			if (path !== void 0) return {
				...found,
				path
			};
		}
	}
	#note(mount, putIn) {
		this.#facts.set(mount, {
			id: mount.id,
			putIn,
			takenOut: this.#facts.get(mount)?.takenOut ?? "not-run"
		});
	}
	#left(mount, takenOut) {
		this.#facts.set(mount, {
			id: mount.id,
			putIn: this.#facts.get(mount)?.putIn ?? "none",
			takenOut
		});
	}
	#told(what, mounts, started) {
		const bytes = mounts.reduce((sum, mount) => sum + mount.bytes, 0);
		const seconds = ((performance.now() - started) / 1e3).toFixed(1);
		this.#options.log(`Cache mounts: ${what} ${formatBytes(bytes)} of ${count(mounts.length, "mount")} in ${seconds} s.`);
	}
	#fail(what, error) {
		if (this.#options.signal.aborted) return;
		const reason = brief(error instanceof Error ? error.message : String(error));
		const mend = error instanceof ToolMissingError ? "Install GNU tar and GNU findutils on the runner, or set `cache-mounts: off`." : "Set `cache-mounts: off` to build without.";
		this.#trouble ??= {
			input: "cache-mounts",
			message: `Cache mounts could not be ${what} (${reason}). The build does not depend on it.`,
			mend
		};
	}
};
function targetStages({ targets }) {
	return targets.map(({ stage }) => stage);
}

// src/mounts/expected-steps.ts
/**
* Which RUN steps a build will have to run, as far as the records of earlier builds tell: one whose whole past equals a
* recorded one comes from the cache. To expect too much costs seconds, so what is not known is expected to run. Pure.
*/
/** Whether a step is expected to run. */
function expectedToRun({ prints, recorded, noCache }) {
	const known = new Set(recorded.flatMap((print) => [...pastOf(print).values()]));
	const cached = /* @__PURE__ */ new Map();
	for (const print of prints) {
		const isForced = noCache === "all" || noCache.has(print.name ?? "");
		const past = pastOf(print);
		for (const { line } of print.steps) {
			const digest = past.get(line);
			const name = `${print.index}:${line}`;
			const isCached = !isForced && digest !== void 0 && known.has(digest);
			cached.set(name, isCached && cached.get(name) !== false);
		}
	}
	return ({ stage, line }) => cached.get(`${stage}:${line}`) !== true;
}
/** By line, all that the result of a step depends on; not of steps where that cannot be known beforehand. */
function pastOf({ base, platform, options, steps, files }) {
	const past = /* @__PURE__ */ new Map();
	if (base.digest === void 0 || files === void 0) return past;
	let digest = digestOf$1([
		base.kind,
		base.digest,
		platform,
		options.map(({ name, value }) => [name, value])
	]);
	for (const { line, words, settings, sources } of steps) {
		if (words === "") continue;
		if (sources.some((source) => source.digest === void 0)) return past;
		digest = digestOf$1([
			digest,
			words,
			settings.map(({ name, value }) => [name, value]),
			sources.map((source) => [source.kind, source.digest])
		]);
		past.set(line, digest);
	}
	return past;
}

// src/stage-chain.ts
/** The stages that a target is based on, one on the other: what is beneath them, and which instruction made which layer. Pure. */
/**
* The instructions that make layers, from the base image up: those of the stages that the target is based on, then its
* own. Each RUN, COPY, ADD and WORKDIR makes one, also where it changes nothing.
* https://github.com/moby/buildkit/blob/v0.25.2/frontend/dockerfile/dockerfile2llb/convert.go (commitToHistory)
* @returns undefined where a named context stands in the chain: its layers are not of this file
*/
function layerSteps(graph, target) {
	const chain = baseChain$1(graph, target);
	if (chain.some(({ replacedByContext, from }) => replacedByContext !== void 0 || from.kind === "context")) return void 0;
	return chain.flatMap(({ index, steps }) => steps.filter(({ effect }) => effect === "files" || effect === "run").map(({ line, text }) => ({
		stage: index,
		line,
		text
	})));
}
/**
* The same as what layers are said to come from.
* @param file POSIX, from the repository's root; in a graph of several files, each stage has its own
*/
function layerSources(graph, target, file) {
	return layerSteps(graph, target)?.map(({ stage, line, text }) => ({
		file: graph.stages[stage]?.file ?? file,
		line,
		text
	}));
}
/** What a stage is based on in the end: an image, a named context, or nothing. */
function baseOfStage(graph, stage) {
	const chain = baseChain$1(graph, stage);
	const from = chain.some(({ replacedByContext }) => replacedByContext !== void 0) ? void 0 : chain[0]?.from;
	if (from?.kind === "image") return {
		kind: "image",
		image: from.image
	};
	return { kind: from?.kind === "scratch" ? "scratch" : "context" };
}

// src/fetching-ahead.ts
/**
* Fetches from the layer cache what a build will surely need, while the build begins: BuildKit asks for a layer only when
* a step that runs mounts it. To expect too little or too much costs seconds and nothing else.
*/
/** Whether a step of this run is expected to run, by the records of earlier builds; worked out when it is first asked. */
function expectationOf({ inputs, planned, records }) {
	let isExpected;
	return (place) => {
		isExpected ??= expectedToRun({
			prints: planned.targets.flatMap(({ name }) => stagesIn(planned.fingerprints.prints.get(name))),
			recorded: planned.targets.flatMap(({ name }) => (records?.of(name) ?? []).flatMap(({ record }) => stagesIn(record.print))),
			noCache: inputs.noCache ? "all" : new Set(inputs.noCacheFilters)
		});
		return isExpected(place);
	};
}
/** Begins to fetch; what cannot be had is missed when it is needed. */
function fetchAhead(options) {
	const { inputs, isExpected, cache, upstream, notes } = options;
	if (fetchesImages(inputs)) cache.prefetch([...notes.layers.values()].flat());
	else {
		const { graph, targets, platforms, images } = options.planned;
		const layersOf = (image, platform) => images.baseOf(image, platform)?.resolved.layers.map(({ digest }) => digest);
		const places = firstSteps({
			graph,
			targets,
			platforms,
			layersOf,
			isExpected
		});
		cache.prefetchBeneath(places);
		upstream?.foresee(places.flatMap(({ base }) => base));
	}
}
/** Outputs that need every layer of the images on this machine. */
function fetchesImages({ load, outputs }) {
	return load || outputTypes(outputs).some((type) => [
		"docker",
		"oci",
		"tar",
		"local"
	].includes(type));
}
/** Where the first steps are that are expected to run, of those with others beneath that are not. */
function firstSteps({ graph, targets, platforms, layersOf, isExpected }) {
	return targets.flatMap(({ name, stage }) => stagesOf(graph, stage).flatMap((index) => {
		const chain = layerSteps(graph, index) ?? [];
		const steps = chain.findIndex(isExpected);
		if (steps < 1 || chain[steps]?.stage !== index) return [];
		const beneath = baseOfStage(graph, index);
		if (beneath.kind !== "image") return [];
		return platforms.flatMap((platform) => {
			const base = layersOf(beneath.image, platform);
			return base === void 0 ? [] : [{
				target: name,
				base,
				steps
			}];
		});
	}));
}
function stagesIn(print) {
	return (print?.platforms ?? []).flatMap(({ stages }) => stages);
}

// src/left-behind.ts
/**
* What multi-stage left behind: the stages that a target used without being based on them, and what they weigh on the
* builder's disk. They are never exported, so it is an estimate, and told so.
*/
/** By target. Never rejects: what cannot be told is unknown. */
async function leftBehind$1(usage, options) {
	const first = reports(await usage.records(), options);
	return [...first.values()].flat().every((stage) => stage.size !== void 0) ? first : reports(await usage.askAgain(), options);
}
function reports(records, options) {
	const { graph, targets } = options.planned;
	return new Map(targets.map(({ name, stage: target }) => [name, stagesBehind(graph, target).flatMap((stage) => report$1(stage, {
		...options,
		records
	}) ?? [])]));
}
/** What the builder keeps on its disk. Nothing is asked where no target leaves a stage behind. Never rejects. */
var DiskUsage = class {
	#docker;
	#builder;
	#needed;
	/** Targets whose images are not yet being exported. */
	#missing;
	#early;
	constructor(docker, options) {
		const { graph, targets } = options.planned;
		this.#docker = docker;
		this.#builder = options.builder;
		this.#needed = targets.some((target) => stagesBehind(graph, target.stage).length > 0);
		this.#missing = new Set(targets.map(({ name }) => name));
	}
	/**
	* The images of these targets begin to be exported. When that holds for all targets it is known what the builder keeps;
	* to ask for it then costs no time of its own.
	*/
	expect(targets) {
		for (const name of targets) this.#missing.delete(name);
		if (this.#missing.size === 0) this.#early ??= this.#ask();
	}
	async records() {
		return await (this.#early ??= this.#ask());
	}
	async askAgain() {
		return await this.#ask();
	}
	async #ask() {
		if (!this.#needed) return [];
		try {
			return await diskUsage(this.#docker, this.#builder) ?? [];
		} catch {
			return [];
		}
	}
};
/**
* The stages that a target copies or mounts from; a stage that another one of them is based on is counted in that one
* and not named again.
*/
function stagesBehind(graph, target) {
	const kept = new Set(baseChain(graph, target));
	const left = stagesOf(graph, target).filter((stage) => !kept.has(stage));
	const beneath = new Set(left.flatMap((stage) => baseChain(graph, stage).slice(1)));
	return left.filter((stage) => !beneath.has(stage));
}
/** A stage and the stages it is based on, the uppermost first. */
function baseChain(graph, stage) {
	const chain = [];
	for (let current = graph.stages[stage]; current !== void 0 && !chain.includes(current.index);) {
		chain.push(current.index);
		current = current.from.kind === "stage" ? graph.stages[current.from.stage] : void 0;
	}
	return chain;
}
function report$1(index, options) {
	const { graph } = options.planned;
	const stage = graph.stages[index];
	if (stage === void 0) return void 0;
	const chain = [...baseChain(graph, index)].reverse();
	const made = chain.flatMap((member) => stepsOf(options.steps, member));
	const lowest = graph.stages[chain[0] ?? index];
	const onDisk = bytesOnDisk(options.records, made);
	const base = lowest?.from.kind === "image" ? options.imageSize(lowest.from.image) : void 0;
	return {
		stage: index,
		name: stage.name,
		line: stage.line,
		baseImage: lowest?.from.kind === "image" ? lowest.fromText : void 0,
		metric: "unpacked",
		size: onDisk === void 0 ? void 0 : onDisk.own + (base ?? onDisk.base),
		approximate: true,
		platform: made[0]?.platform
	};
}
/** A stage's instructions in order; of several platforms, those of the first. */
function stepsOf(steps, stage) {
	const mine = steps.filter((step) => step.stage === stage && isInstruction(step));
	const [first] = mine;
	return mine.filter((step) => step.platform === first?.platform).sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
}

// src/local-images.ts
/** External images that no registry answers for, where the engine has them. */
/** Images that no registry answers for may lie in the engine's own store, where only its own driver sees them. */
async function localImages(docker, planned, builder) {
	const local = /* @__PURE__ */ new Set();
	const warnings = [];
	const unpinned = [];
	for (const { image, source, problem, use } of [...planned.images.entries(), ...contextEntries(planned)]) {
		if (problem === void 0 || source.kind !== "registry") continue;
		const id = await localImageId(docker, source.ref);
		if (id !== void 0 && builder.driver === "docker") {
			if (image !== void 0) local.add(image);
		} else if (id !== void 0) warnings.push({
			message: `${source.ref} is in the engine’s own image store, which the ${builder.driver} builder cannot read.`,
			mend: "Push it to a registry, or map it to an OCI layout: `docker save` it, unpack it and write `NAME=oci-layout://DIRECTORY`.",
			...use
		});
		else if (source.ref.includes("@")) unpinned.push(problem);
		else unpinned.push({
			...problem,
			message: `${sentence$1(problem.message)} It is not pinned to a digest.`
		});
	}
	return {
		local,
		warnings,
		unpinned: distinct(unpinned)
	};
}
/** Images that no Dockerfile names. */
function contextEntries({ failedContexts }) {
	return failedContexts.flatMap(({ value, problem }) => {
		const source = readImageSource(value);
		return typeof source === "string" ? [] : [{
			image: void 0,
			source,
			problem,
			use: void 0
		}];
	});
}

// \0plain-http
const http = process.getBuiltinModule("node:http");
const { Agent, ClientRequest, IncomingMessage, METHODS, OutgoingMessage, STATUS_CODES, Server, ServerResponse, createServer, get, globalAgent, request, validateHeaderName, validateHeaderValue } = http;

// src/cache/blob-uploads.ts
/**
* Blob uploads in flight: their bytes are hashed and counted as they pass and handed to sinks, never kept here.
* Whatever ends early (a client that vanishes, a wrong digest) aborts its sinks and is forgotten.
*/
/** More than any client has open at once; beyond it one that is idle gives way, so that nobody fills the memory. */
const MAX_UPLOADS = 1e3;
var BlobUploads = class {
	#openSinks;
	#onSinkError;
	#uploads = /* @__PURE__ */ new Map();
	/** @param openSinks Sinks for one blob; each sees all of its bytes, and one that fails does not disturb the others. */
	constructor(openSinks, onSinkError) {
		this.#openSinks = openSinks;
		this.#onSinkError = onSinkError;
	}
	/** Starts an upload; undefined when there are too many that are being written. */
	start(repository) {
		if (this.#uploads.size >= MAX_UPLOADS) {
			const idle = [...this.#uploads].find(([, upload]) => !upload.busy);
			if (idle === void 0) return void 0;
			this.cancel(idle[0]);
		}
		const id = randomUUID();
		this.#uploads.set(id, {
			repository,
			hash: createHash("sha256"),
			sinks: new Set(this.#openSinks(repository)),
			size: 0,
			busy: false
		});
		return id;
	}
	exists(repository, id) {
		return this.#uploads.get(id)?.repository === repository;
	}
	/** Whether no request is writing to it. */
	isIdle(id) {
		return this.#uploads.get(id)?.busy === false;
	}
	sizeOf(id) {
		return this.#uploads.get(id)?.size ?? 0;
	}
	/** Appends a request's body. A body that breaks off ends the upload. */
	async append(id, body) {
		const upload = this.#uploads.get(id);
		if (upload === void 0) return;
		upload.busy = true;
		try {
			for await (const chunk of body) {
				upload.hash.update(chunk);
				upload.size += chunk.length;
				await this.#feed(upload, async (sink) => {
					await sink.write(chunk);
				});
			}
			upload.busy = false;
		} catch (error) {
			this.cancel(id);
			throw error;
		}
	}
	/** Ends an upload: its bytes must be those of the digest. */
	async finish(id, digest) {
		const upload = this.#uploads.get(id);
		if (upload === void 0) return { kind: "wrong-digest" };
		this.#uploads.delete(id);
		if (`sha256:${upload.hash.digest("hex")}` !== digest) {
			abortAll(upload);
			return { kind: "wrong-digest" };
		}
		await this.#feed(upload, async (sink) => {
			await sink.finish(digest, upload.size);
		});
		return {
			kind: "stored",
			digest,
			size: upload.size
		};
	}
	cancel(id) {
		const upload = this.#uploads.get(id);
		this.#uploads.delete(id);
		if (upload !== void 0) abortAll(upload);
	}
	cancelAll() {
		for (const id of [...this.#uploads.keys()]) this.cancel(id);
	}
	async #feed(upload, step) {
		for (const sink of upload.sinks) try {
			await step(sink);
		} catch (error) {
			upload.sinks.delete(sink);
			sink.abort();
			this.#onSinkError(error);
		}
	}
};
function abortAll(upload) {
	for (const sink of upload.sinks) sink.abort();
	upload.sinks.clear();
}

// src/cache/document-store.ts
/**
* The small JSON documents that are pushed, kept in memory so that they can be served and read again: manifests,
* indexes, image configs, attestations. Bounded: beyond it the oldest are forgotten and simply not there. Nothing is
* ever refused for want of room, since a refused push would fail the user's build.
*/
/** A registry must accept manifests of 4 MiB; larger ones may be refused. (distribution-spec, "Pushing Manifests") */
const MAX_DOCUMENT_BYTES = 4 << 20;
const MAX_TOTAL_BYTES = 128 << 20;
var DocumentStore = class {
	/** Digest → document, the oldest first. */
	#documents = /* @__PURE__ */ new Map();
	/** `repository reference` → digest. */
	#names = /* @__PURE__ */ new Map();
	#maxBytes;
	#total = 0;
	/** @param maxBytes Σ of all documents kept. */
	constructor(maxBytes = MAX_TOTAL_BYTES) {
		this.#maxBytes = maxBytes;
	}
	/** Keeps a manifest by its digest and, where it was pushed by tag, by that. */
	putManifest(options) {
		const { repository, reference, mediaType, bytes } = options;
		const digest = digestOf$2(bytes);
		this.#put(digest, {
			bytes,
			mediaType
		});
		this.#names.set(`${repository} ${digest}`, digest);
		this.#names.set(`${repository} ${reference}`, digest);
		return {
			digest,
			mediaType,
			bytes
		};
	}
	manifest(repository, reference) {
		const digest = this.#names.get(`${repository} ${reference}`);
		const found = digest === void 0 ? void 0 : this.#documents.get(digest);
		if (digest === void 0 || found?.mediaType === void 0) return void 0;
		return {
			digest,
			mediaType: found.mediaType,
			bytes: found.bytes
		};
	}
	/** Keeps a blob under its digest, which the caller has checked. */
	putBlob(digest, bytes) {
		if (!this.#documents.has(digest)) this.#put(digest, {
			bytes,
			mediaType: void 0
		});
	}
	blob(digest) {
		return this.#documents.get(digest)?.bytes;
	}
	#put(digest, document) {
		this.#total += document.bytes.length - (this.#documents.get(digest)?.bytes.length ?? 0);
		this.#documents.set(digest, document);
		for (const [oldest, { bytes }] of this.#documents) {
			if (this.#total <= this.#maxBytes) break;
			this.#documents.delete(oldest);
			this.#total -= bytes.length;
		}
	}
};

// src/cache/byte-range.ts
/** What a `Range` header asks of a blob of `size` bytes. */
function readRange(header, size) {
	const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
	if (match === null) return { kind: "whole" };
	const [, first = "", last = ""] = match;
	if (first === "" && last === "") return { kind: "whole" };
	if (first !== "" && last !== "" && Number(last) < Number(first)) return { kind: "whole" };
	const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
	const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
	return start > end ? { kind: "outside" } : {
		kind: "part",
		range: {
			start,
			end
		}
	};
}

// src/cache/registry-answer.ts
const VERSION$3 = { "docker-distribution-api-version": "registry/2.0" };
function answer$1(response, status, headers = {}, body) {
	const length = status === 204 ? {} : { "content-length": body?.length ?? 0 };
	response.writeHead(status, {
		...VERSION$3,
		...length,
		...headers
	});
	response.end(body);
}
function answerError(response, status, code) {
	answer$1(response, status, { "content-type": "application/json" }, Buffer.from(JSON.stringify({ errors: [{
		code,
		message: code.toLowerCase().replaceAll("_", " ")
	}] })));
}
/** Answers HEAD for a blob. */
function answerBlobHead(response, { digest, size }) {
	answer$1(response, 200, {
		...blobHeaders(digest),
		"content-length": size
	});
}
/** Answers GET (also of a range) and HEAD for a blob. */
async function sendBlob(blob, request, response) {
	const { digest, size } = blob;
	if (request.method === "HEAD") {
		answerBlobHead(response, blob);
		return;
	}
	const asked = readRange(request.headers.range, size);
	if (asked.kind === "outside") {
		answer$1(response, 416, { "content-range": `bytes */${size}` });
		return;
	}
	const range = asked.kind === "part" ? asked.range : void 0;
	const body = size === 0 ? void 0 : await blob.open(range);
	response.writeHead(range === void 0 ? 200 : 206, {
		...VERSION$3,
		...blobHeaders(digest),
		...range === void 0 ? {} : { "content-range": `bytes ${range.start}-${range.end}/${size}` },
		"content-length": range === void 0 ? size : range.end - range.start + 1
	});
	if (body === void 0) response.end();
	else await pipeline(body, response);
}
function blobHeaders(digest) {
	return {
		"docker-content-digest": digest,
		"content-type": "application/octet-stream",
		"accept-ranges": "bytes"
	};
}
/** A request's body, or undefined where it is longer than `limit` bytes; the rest is not kept. */
async function readBounded(request, limit) {
	const chunks = [];
	let size = 0;
	for await (const chunk of request) {
		size += chunk.length;
		if (size <= limit) chunks.push(chunk);
	}
	return size > limit ? void 0 : Buffer.concat(chunks);
}

// src/cache/layout-folder.ts
/**
* An OCI layout on disk, served as a repository: so that it can stand for an image whose name a stage bears, too, which a
* named context cannot. By digest only; links that lead out of the directory are not followed.
* https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
*/
var LayoutFolder = class {
	#directory;
	constructor(directory) {
		this.#directory = directory;
	}
	/** A manifest or index by digest. */
	async manifest(digest) {
		const path = await this.#path(digest);
		if (path === void 0) return void 0;
		await using file = await open(path);
		if ((await file.stat()).size > 4194304) return void 0;
		const bytes = await file.readFile();
		const mediaType = mediaTypeOf(bytes);
		return mediaType === void 0 ? void 0 : {
			digest,
			mediaType,
			bytes
		};
	}
	/** Answers GET (also of a range) and HEAD for a blob. */
	async sendBlob(digest, request, response) {
		const path = await this.#path(digest);
		if (path === void 0) {
			answerError(response, 404, "BLOB_UNKNOWN");
			return;
		}
		const { size } = await stat(path);
		await sendBlob({
			digest,
			size,
			open: (range) => createReadStream(path, range ?? {})
		}, request, response);
	}
	async #path(digest) {
		if (!isDigest$1(digest)) return void 0;
		try {
			const root = await realpath(this.#directory);
			const path = await realpath(join(root, "blobs", ...digest.split(":")));
			return path.startsWith(root + sep) ? path : void 0;
		} catch {
			return;
		}
	}
};
function mediaTypeOf(bytes) {
	try {
		const document = JSON.parse(bytes.toString("utf8"));
		if (typeof document !== "object" || document === null) return void 0;
		if ("mediaType" in document && typeof document.mediaType === "string") return document.mediaType;
		return "manifests" in document ? "application/vnd.oci.image.index.v1+json" : "application/vnd.oci.image.manifest.v1+json";
	} catch {
		return;
	}
}

// src/cache/upload-endpoint.ts
var UploadEndpoint = class {
	#uploads;
	#expected;
	#onReceived;
	constructor(uploads, options) {
		this.#uploads = uploads;
		this.#expected = options.expected;
		this.#onReceived = options.onReceived;
	}
	/** Answers a request to an upload; false when the method is none that uploads know. */
	async serve(route, request, response) {
		const method = request.method ?? "GET";
		if (route.kind === "start-upload") {
			if (method !== "POST") return false;
			await this.#start(route, request, response);
		} else if (![
			"GET",
			"HEAD",
			"PATCH",
			"PUT",
			"DELETE"
		].includes(method)) return false;
		else if (!this.#uploads.exists(route.repository, route.id)) answerError(response, 404, "BLOB_UPLOAD_UNKNOWN");
		else if (method === "GET" || method === "HEAD") answer$1(response, 204, this.#progress(route.repository, route.id));
		else if (method === "DELETE") {
			this.#uploads.cancel(route.id);
			answer$1(response, 204);
		} else if (!this.#uploads.isIdle(route.id)) answerError(response, 400, "BLOB_UPLOAD_INVALID");
		else if (method === "PATCH") await this.#patch(route, request, response);
		else await this.#receive({
			...route,
			digest: route.digest ?? ""
		}, request, response);
		return true;
	}
	/** A mount (`?mount=…&from=…`) is an upload to be made, too: nothing is held here that could be mounted. */
	async #start({ repository, digest }, request, response) {
		const id = this.#uploads.start(repository);
		if (id === void 0) answerError(response, 429, "TOOMANYREQUESTS");
		else if (digest !== void 0) await this.#receive({
			repository,
			id,
			digest
		}, request, response);
		else answer$1(response, 202, this.#progress(repository, id));
	}
	async #patch({ repository, id }, request, response) {
		const start = /^(\d+)-\d+$/.exec(request.headers["content-range"] ?? "")?.[1];
		if (start !== void 0 && Number(start) !== this.#uploads.sizeOf(id)) {
			answer$1(response, 416, this.#progress(repository, id));
			return;
		}
		await this.#uploads.append(id, request);
		answer$1(response, 202, this.#progress(repository, id));
	}
	async #receive(upload, request, response) {
		const { repository, id, digest } = upload;
		if (!isDigest$1(digest)) {
			this.#uploads.cancel(id);
			answerError(response, 400, "DIGEST_INVALID");
			return;
		}
		this.#expected.began(digest);
		let isHere = false;
		try {
			await this.#uploads.append(id, request);
			const finished = await this.#uploads.finish(id, digest);
			isHere = finished.kind === "stored";
			if (finished.kind === "stored") this.#onReceived(digest, finished.size);
		} finally {
			this.#expected.ended(digest, isHere);
		}
		if (!isHere) {
			answerError(response, 400, "DIGEST_INVALID");
			return;
		}
		answer$1(response, 201, {
			location: `/v2/${repository}/blobs/${digest}`,
			"docker-content-digest": digest
		});
	}
	#progress(repository, id) {
		return {
			location: `/v2/${repository}/blobs/uploads/${id}`,
			"docker-upload-uuid": id,
			range: `0-${Math.max(0, this.#uploads.sizeOf(id) - 1)}`
		};
	}
};

// src/cache/document-sink.ts
/** A blob that begins with `{` and stays small is kept in `documents`; others cost nothing. */
function documentSink(documents) {
	let kept = [];
	let size = 0;
	return {
		write(chunk) {
			size += chunk.length;
			const first = kept?.length === 0 ? chunk : void 0;
			if (first !== void 0 && first[0] !== 123 || size > 4194304) kept = void 0;
			kept?.push(chunk);
			return Promise.resolve();
		},
		finish(digest) {
			if (kept !== void 0 && kept.length > 0) documents.putBlob(digest, Buffer.concat(kept));
			return Promise.resolve();
		},
		abort() {
			kept = void 0;
		}
	};
}

// src/cache/expected-uploads.ts
/** A client that asked for a blob and was told that it is not here begins its upload at once, or never. */
const PATIENCE_MS = 1500;
var ExpectedUploads = class {
	#expected = /* @__PURE__ */ new Map();
	/** For a blob that is not here: whether it came meanwhile. False: who asks should push it. */
	async arrives(digest) {
		const expected = this.#expected.get(digest);
		if (expected === void 0) {
			this.#expect(digest);
			return false;
		}
		return await expected.settled || await this.arrives(digest);
	}
	/** The upload has begun: from now on it is waited for until it ends. */
	began(digest) {
		clearTimeout((this.#expected.get(digest) ?? this.#expect(digest)).timer);
	}
	ended(digest, came) {
		const expected = this.#expected.get(digest);
		if (expected === void 0) return;
		clearTimeout(expected.timer);
		this.#expected.delete(digest);
		expected.settle(came);
	}
	#expect(digest) {
		const { promise: settled, resolve: settle } = Promise.withResolvers();
		const timer = setTimeout(() => {
			this.ended(digest, false);
		}, PATIENCE_MS);
		timer.unref();
		const expected = {
			settled,
			settle,
			timer
		};
		this.#expected.set(digest, expected);
		return expected;
	}
};

// src/cache/layer-registry.ts
/**
* The layer registry: an OCI distribution registry on loopback, alive for one step. BuildKit reads its layer cache from
* it and pushes its new cache and a copy of every image to it. What is pushed goes to sinks (one measures it, one keeps
* it for the cache); small JSON documents are kept in memory. Other blobs come from sources: what this run received,
* what earlier runs saved, and what a base image's own registry keeps. Nobody pushes what a source promises.
*
* It listens on 127.0.0.1 only, on a random port, and knows only repositories below a secret name. Nothing is listed.
* https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
*/
/** Longer than Go's clients keep a connection idle (90 s), so that they and not the registry close it. */
const KEEP_ALIVE_MS = 12e4;
/** A running registry; `close` ends it and every connection. */
var LayerRegistry = class LayerRegistry {
	/** `127.0.0.1:PORT` */
	host;
	#server;
	#secret;
	#debug;
	#documents = new DocumentStore();
	#uploads;
	#uploadEndpoint;
	#sources;
	/** Digest → bytes of what was received: measured, and perhaps not kept. */
	#received = /* @__PURE__ */ new Map();
	#refused = /* @__PURE__ */ new Set();
	#expected = new ExpectedUploads();
	#layouts = /* @__PURE__ */ new Map();
	#garbage = new YoungGarbage();
	constructor(server, secret, options) {
		const address = server.address();
		if (address === null || typeof address === "string") throw new Error("the layer registry has no port");
		this.host = `127.0.0.1:${address.port}`;
		this.#server = server;
		this.#secret = secret;
		this.#debug = options.debug ?? (() => void 0);
		this.#sources = options.sources;
		this.#uploads = new BlobUploads((repository) => [documentSink(this.#documents), ...options.openSinks(repository.slice(secret.length + 1))], (error) => {
			this.#debug(`a blob could not be taken in: ${error instanceof Error ? error.message : String(error)}`);
		});
		this.#uploadEndpoint = new UploadEndpoint(this.#uploads, {
			expected: this.#expected,
			onReceived: (digest, size) => {
				this.#received.set(digest, size);
			}
		});
		server.on("request", (request, response) => {
			this.#serve(request, response);
		});
	}
	/** Starts a registry on a free port. */
	static async start(options) {
		const server = createServer();
		server.requestTimeout = 0;
		server.keepAliveTimeout = KEEP_ALIVE_MS;
		await new Promise((resolve, reject) => {
			server.once("error", reject);
			server.listen(0, "127.0.0.1", resolve);
		});
		return new LayerRegistry(server, `sb${randomBytes(16).toString("hex")}`, options);
	}
	/** The full repository for a name: `SECRET/name`. */
	repository(name) {
		return `${this.#secret}/${name}`;
	}
	/** Puts a manifest under a tag, with its config, to be read by BuildKit. */
	offer(name, tag, { manifest, config, mediaType }) {
		const repository = this.repository(name);
		this.#documents.putManifest({
			repository,
			reference: tag,
			mediaType,
			bytes: manifest
		});
		this.#documents.putBlob(digestOf$2(config), config);
	}
	/** Blobs that somebody asked for and that could not be given: a build that needs one fails. */
	get refused() {
		return this.#refused;
	}
	/** Serves an OCI layout as a repository; only by digest. */
	serveLayout(name, directory) {
		this.#layouts.set(this.repository(name), new LayoutFolder(directory));
	}
	/** What was pushed to a repository under a tag or digest. */
	manifest(name, reference) {
		return this.#documents.manifest(this.repository(name), reference);
	}
	/** A small JSON blob that was pushed: an image config. */
	document(digest) {
		return this.#documents.blob(digest);
	}
	async close() {
		this.#uploads.cancelAll();
		await new Promise((resolve) => {
			this.#server.close(() => {
				resolve();
			});
			this.#server.closeAllConnections();
		});
	}
	async #serve(request, response) {
		const started = performance.now();
		const { method = "GET", url = "/" } = request;
		response.once("close", () => {
			const ms = Math.round(performance.now() - started);
			const bytes = Number(request.headers["content-length"] ?? response.getHeader("content-length") ?? 0);
			this.#debug(`${method} ${this.hidden(url)} ${response.statusCode} ${bytes} B ${ms} ms`);
		});
		try {
			const route = readRoute(url, this.#secret);
			if (route === void 0) answerError(response, 404, "NAME_UNKNOWN");
			else await this.#garbage.during(() => this.#dispatch(route, request, response));
		} catch (error) {
			const isGone = request.destroyed && !request.complete;
			if (!isGone) this.#debug(this.hidden(`${method} failed: ${String(error)}`));
			if (response.headersSent || isGone) response.destroy();
			else answerError(response, 500, "UNKNOWN");
		} finally {
			if (!request.readableEnded) request.resume();
		}
	}
	async #dispatch(route, request, response) {
		const method = request.method ?? "GET";
		const reads = method === "GET" || method === "HEAD";
		if (route.kind === "version" && reads) answer$1(response, 200);
		else if (route.kind === "blob" && reads) await this.#getBlob(route, request, response);
		else if (route.kind === "manifest" && reads) await this.#getManifest(route, method, response);
		else if (route.kind === "manifest" && method === "PUT") await this.#putManifest(route, request, response);
		else if (route.kind === "start-upload" || route.kind === "upload") {
			if (!await this.#uploadEndpoint.serve(route, request, response)) answerError(response, 405, "UNSUPPORTED");
		} else answerError(response, 405, "UNSUPPORTED");
	}
	async #getBlob({ repository, digest }, request, response) {
		const layout = this.#layouts.get(repository);
		if (layout !== void 0) {
			await layout.sendBlob(digest, request, response);
			return;
		}
		const bytes = this.#documents.blob(digest);
		if (bytes !== void 0) {
			const open = ({ start, end } = {
				start: 0,
				end: bytes.length - 1
			}) => Readable.from([bytes.subarray(start, end + 1)]);
			await sendBlob({
				digest,
				size: bytes.length,
				open
			}, request, response);
		} else if (request.method === "HEAD") await this.#headBlob(digest, response);
		else await this.#sendFromSource(digest, request, response);
	}
	async #headBlob(digest, response) {
		let size = await this.#sizeOf(digest);
		if (size === void 0 && await this.#expected.arrives(digest)) size = await this.#sizeOf(digest);
		if (size === void 0) answerError(response, 404, "BLOB_UNKNOWN");
		else answerBlobHead(response, {
			digest,
			size
		});
	}
	async #sizeOf(digest) {
		let size = this.#received.get(digest);
		for (const source of this.#sources) size ??= await source.promised(digest);
		return size;
	}
	async #sendFromSource(digest, request, response) {
		for (const source of this.#sources) {
			const blob = await source.open(digest);
			if (blob === void 0) continue;
			if ("redirect" in blob) answer$1(response, 307, {
				location: blob.redirect,
				"docker-content-digest": digest
			});
			else await sendBlob({
				digest,
				...blob
			}, request, response);
			return;
		}
		this.#refused.add(digest);
		answerError(response, 404, "BLOB_UNKNOWN");
	}
	async #getManifest({ repository, reference }, method, response) {
		const layout = this.#layouts.get(repository);
		const found = layout === void 0 ? this.#documents.manifest(repository, reference) : await layout.manifest(reference);
		if (found === void 0) {
			answerError(response, 404, "MANIFEST_UNKNOWN");
			return;
		}
		const headers = {
			"content-type": found.mediaType,
			"docker-content-digest": found.digest
		};
		if (method === "HEAD") answer$1(response, 200, {
			...headers,
			"content-length": found.bytes.length
		});
		else answer$1(response, 200, headers, found.bytes);
	}
	async #putManifest({ repository, reference }, request, response) {
		const bytes = await readBounded(request, MAX_DOCUMENT_BYTES);
		if (bytes === void 0) {
			answerError(response, 413, "MANIFEST_INVALID");
			return;
		}
		if (isDigest$1(reference) && reference !== digestOf$2(bytes)) {
			answerError(response, 400, "DIGEST_INVALID");
			return;
		}
		if (!isJsonObject(bytes)) {
			answerError(response, 400, "MANIFEST_INVALID");
			return;
		}
		const mediaType = request.headers["content-type"] ?? "application/octet-stream";
		const { digest } = this.#documents.putManifest({
			repository,
			reference,
			mediaType,
			bytes
		});
		const location = `/v2/${repository}/manifests/${digest}`;
		answer$1(response, 201, {
			location,
			"docker-content-digest": digest
		});
	}
	/** A text without the secret. */
	hidden(text) {
		return text.replaceAll(this.#secret, "…");
	}
};
function isJsonObject(bytes) {
	try {
		const json = JSON.parse(bytes.toString("utf8"));
		return typeof json === "object" && json !== null && !Array.isArray(json);
	} catch {
		return false;
	}
}

// src/cache/upstream.ts
var Upstream = class {
	#blobs = /* @__PURE__ */ new Map();
	#failed = /* @__PURE__ */ new Set();
	#redirected = /* @__PURE__ */ new Set();
	#foreseen = /* @__PURE__ */ new Map();
	#bytes = 0;
	add(image) {
		for (const { digest, size } of image.layers) if (isDigest$1(digest) && !this.#blobs.has(digest)) this.#blobs.set(digest, {
			size,
			image
		});
	}
	has(digest) {
		return this.#blobs.has(digest);
	}
	/** Bytes that were asked of base images' registries. */
	get bytesProxied() {
		return this.#bytes;
	}
	/** Digests that BuildKit was sent elsewhere for; how that went is not known here. */
	get redirected() {
		return this.#redirected;
	}
	/** Digests that a registry could not give when BuildKit asked for them. */
	get failed() {
		return this.#failed;
	}
	/** Finds out where layers can be fetched that BuildKit will ask for: it asks for one after the other, and waits. */
	foresee(digests) {
		for (const digest of digests) {
			if (this.#foreseen.has(digest)) continue;
			const url = this.#blobs.get(digest)?.image.publicUrl?.(digest);
			if (url !== void 0) this.#foreseen.set(digest, url.catch(() => void 0));
		}
	}
	promised(digest) {
		return Promise.resolve(this.#blobs.get(digest)?.size);
	}
	async open(digest) {
		const kept = this.#blobs.get(digest);
		if (kept === void 0) return void 0;
		const foreseen = this.#foreseen.get(digest);
		this.#foreseen.delete(digest);
		const redirect = await foreseen ?? await kept.image.publicUrl?.(digest);
		if (redirect === void 0) return {
			size: kept.size,
			open: (range) => this.#stream(digest, kept, range)
		};
		if (!this.#redirected.has(digest)) this.#bytes += kept.size;
		this.#redirected.add(digest);
		return { redirect };
	}
	async #stream(digest, { size, image }, range) {
		try {
			const stream = await image.open(digest, range);
			stream.once("error", () => this.#failed.add(digest));
			this.#bytes += range === void 0 ? size : range.end - range.start + 1;
			return stream;
		} catch (error) {
			this.#failed.add(digest);
			throw error;
		}
	}
};

// src/measure/files-budget.ts
var FilesBudget = class {
	#entries;
	#bytes;
	constructor({ entries, bytes }) {
		this.#entries = entries;
		this.#bytes = bytes;
	}
	/** Takes so much, unless there is less left: then nothing, and false. */
	take({ entries, bytes }) {
		if (entries > this.#entries || bytes > this.#bytes) return false;
		this.#entries -= entries;
		this.#bytes -= bytes;
		return true;
	}
	giveBack({ entries, bytes }) {
		this.#entries += entries;
		this.#bytes += bytes;
	}
};

// src/measure/decompression.ts
/**
* Decompresses a stream in large pieces on a thread of Node's pool, beside whoever takes what comes out. The thread is never
* left waiting for this one: the next input lies ready when one is used up, and what came out is only looked at after more
* was asked for. Memory: some pieces.
*/
/** Large, for each piece in or out is a round trip to the thread. */
const PIECE_BYTES = 1 << 20;
const OPTIONS = {
	chunkSize: PIECE_BYTES,
	readableHighWaterMark: 2 * PIECE_BYTES
};
/** One that is worked on, one that is ready. */
const WRITES$1 = 2;
/**
* Passes on what the blob holds, each piece good only until `take` returns.
* @param blob each piece is used until the next but one is asked for. With zstd none holds bytes of two frames.
* @throws what the blob or `take` throws; zlib's errors.
*/
async function decompress(blob, { format, take }) {
	const decompressor = format === "gzip" ? createGunzip(OPTIONS) : createZstdDecompress(OPTIONS);
	const ended = finished(decompressor);
	ended.catch(() => void 0);
	let failure;
	decompressor.on("data", (piece) => {
		queueMicrotask(() => {
			if (failure !== void 0) return;
			try {
				take(piece);
				release(piece);
			} catch (error) {
				failure = { error };
				decompressor.destroy();
			}
		});
	});
	let writes = 0;
	let goOn = () => void 0;
	decompressor.once("close", () => {
		goOn();
	});
	const written = () => {
		writes--;
		goOn();
	};
	try {
		for await (const piece of blob) {
			writes++;
			decompressor.write(piece, written);
			while (writes >= WRITES$1 && !decompressor.destroyed) await new Promise((resolve) => {
				goOn = resolve;
			});
			if (decompressor.destroyed) break;
		}
		if (!decompressor.destroyed) decompressor.end();
		await ended;
	} catch (error) {
		throw failure === void 0 ? error : failure.error;
	} finally {
		decompressor.destroy();
	}
	if (failure !== void 0) throw failure.error;
}
/**
* Gives the memory of a whole output buffer back at once, for a garbage collector would keep a hundred megabytes of them,
* and new memory is slower than what was just used. A decompressor cannot need a buffer that it handed out to its end.
*/
function release({ buffer, byteOffset, byteLength }) {
	if ("transfer" in buffer && buffer.byteLength === 1048576 && byteOffset + byteLength === 1048576) buffer.transfer(0);
}

// src/measure/tar-error.ts
/** The bytes are no tar archive that Docker could unpack. The message holds no text from the archive. */
var TarFormatError = class extends Error {
	fault;
	constructor(fault, message) {
		super(message);
		this.name = "TarFormatError";
		this.fault = fault;
	}
};

// src/measure/tar-text.ts
/** Names in tar headers: bytes of any encoding, as text that is alike only where the bytes are. */
/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = "�";
/**
* The bytes as UTF-8; where they are none, a character for each byte, for `Buffer` would make different names alike.
*/
function decodeName(bytes, start, end) {
	const text = bytes.toString("utf8", start, end);
	return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) ? bytes.toString("latin1", start, end) : text;
}

// src/measure/tar-header.ts
/**
* One 512-byte tar header block: where its fields stand and how its numbers are written. Owns the block alone; what
* extension headers change about an entry is `tar-walker.ts`.
*
* https://github.com/golang/go/blob/go1.24.0/src/archive/tar/format.go
*/
const BLOCK$1 = 512;
const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;
const SPACE$1 = 32;
const USTAR = Buffer.from("ustar\0");
const GNU = Buffer.from("ustar  \0");
const STAR = Buffer.from("tar\0");
/** Whether a block holds only zeros, as the end of an archive does. */
function isZeroBlock(block) {
	if (block[0] !== 0) return false;
	return block.every((byte) => byte === 0);
}
/**
* Whether a block is a tar header by its checksum: the only test that v7 archives, which bear no magic, can pass.
*/
function hasValidChecksum(block) {
	let stored;
	try {
		stored = parseNumber(block, CHECKSUM_AT, CHECKSUM_END);
	} catch {
		return false;
	}
	const sum = sumOfBytes(block);
	return stored === sum || stored === sum - 256 * countOfHighBytes(block);
}
/** Four bytes at a time, in two sums of two bytes each: 256 bytes of 255 at most fit in 16 bits. */
function sumOfBytes(block) {
	const words = new DataView(block.buffer, block.byteOffset, BLOCK$1);
	let sums = 0;
	for (let at = 0; at < BLOCK$1; at += 4) {
		const word = words.getUint32(at, true);
		sums = sums + (word & 16711935) + (word >>> 8 & 16711935) | 0;
	}
	let sum = (sums & 65535) + (sums >>> 16) + 256;
	for (let at = CHECKSUM_AT; at < CHECKSUM_END; at++) sum -= words.getUint8(at);
	return sum;
}
function countOfHighBytes(block) {
	return block.subarray(0, BLOCK$1).reduce((count, byte, at) => {
		return count + (at >= CHECKSUM_AT && at < CHECKSUM_END ? 0 : byte >>> 7);
	}, 0);
}
/**
* Reads a header block.
* @throws TarFormatError on a wrong checksum or an unreadable number.
*/
function parseBlock(block) {
	if (!hasValidChecksum(block)) throw new TarFormatError("bad-checksum", "a header with a wrong checksum");
	const type = String.fromCharCode(block[156] ?? 0);
	const isUstar = holds(block, 257, USTAR);
	const name = field(block, 0, 100);
	const isStar = isUstar && holds(block, 508, STAR);
	const prefix = isUstar ? field(block, 345, isStar ? 476 : 500) : "";
	const isSparse = type === "S" && holds(block, 257, GNU);
	return {
		path: prefix === "" ? name : `${prefix}/${name}`,
		linkPath: field(block, 157, 257),
		type,
		size: parseNumber(block, 124, 136),
		sparseSize: isSparse ? parseNumber(block, 483, 495) : void 0,
		sparseContinues: isSparse && block[482] !== 0
	};
}
function holds(block, start, bytes) {
	for (let i = 0; i < bytes.length; i++) if (block[start + i] !== bytes[i]) return false;
	return true;
}
function field(block, start, end) {
	if (block[start] === 0) return "";
	const nul = block.indexOf(0, start);
	return decodeName(block, start, nul === -1 || nul > end ? end : nul);
}
/** Octal text, or base-256 when the first bit is set (GNU, for what octal cannot hold). */
function parseNumber(block, start, end) {
	const first = block[start] ?? 0;
	if ((first & 128) !== 0) return parseBase256(block, start, end, first);
	let value = 0;
	let digits = 0;
	for (let i = start; i < end; i++) {
		const byte = block[i] ?? 0;
		if (byte >= 48 && byte <= 55) {
			if (digits < 0) throw new TarFormatError("bad-number", "a header with an unreadable number");
			value = value * 8 + (byte - 48);
			digits++;
		} else if (byte === 0 || byte === SPACE$1) {
			if (digits > 0) digits = -1;
		} else throw new TarFormatError("bad-number", "a header with an unreadable number");
	}
	return value;
}
function parseBase256(block, start, end, first) {
	if ((first & 64) !== 0) throw new TarFormatError("bad-number", "a header with a negative number");
	let value = first & 63;
	for (let i = start + 1; i < end; i++) value = value * 256 + (block[i] ?? 0);
	if (value > Number.MAX_SAFE_INTEGER) throw new TarFormatError("bad-number", "a header with a number beyond 2^53");
	return value;
}

// src/measure/tar-pax.ts
/**
* The records of a PAX extended header (`LENGTH KEY=VALUE\n`, lengths in bytes). Owns that text form only.
*
* https://github.com/golang/go/blob/go1.24.0/src/archive/tar/strconv.go (parsePAXRecord)
*/
const SPACE = 32;
const NEWLINE = 10;
const EQUALS = 61;
/**
* Records in order; a later one of the same key wins.
* @throws TarFormatError when a length does not fit its record, or a key is empty.
*/
function parsePaxRecords(body) {
	const records = /* @__PURE__ */ new Map();
	let at = 0;
	while (at < body.length) {
		const space = body.indexOf(SPACE, at);
		const lengthText = space === -1 ? "" : body.toString("latin1", at, space);
		const length = /^[0-9]{1,8}$/.test(lengthText) ? Number(lengthText) : 0;
		const end = at + length;
		const equals = space === -1 ? -1 : body.indexOf(EQUALS, space);
		if (end > body.length || end <= space + 1 || body[end - 1] !== NEWLINE || equals === -1 || equals >= end) throw malformed();
		const key = body.toString("utf8", space + 1, equals);
		const value = decodeName(body, equals + 1, end - 1);
		if (key === "" || PATH_KEYS.has(key) && value.includes("\0")) throw malformed();
		records.set(key, value);
		at = end;
	}
	return records;
}
/** Keys whose value may hold no NUL (validPAXRecord). */
const PATH_KEYS = /* @__PURE__ */ new Set([
	"path",
	"linkpath",
	"uname",
	"gname"
]);
/**
* A size in decimal.
* @throws TarFormatError when it is none, or beyond 2^53.
*/
function parsePaxSize(key, value) {
	const size = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
	if (!Number.isSafeInteger(size)) throw new TarFormatError("bad-number", `an extension header with an unreadable ${key}`);
	return size;
}
function malformed() {
	return new TarFormatError("bad-extension", "a malformed extension header");
}

// src/measure/tar-walker.ts
/**
* Walks the headers of a tar stream as its bytes arrive: which entries there are and how large their files are. Owns the
* tar dialects (ustar, PAX, GNU, v7); file contents are skipped, or handed on as they come, never kept. It does not
* decompress (`layer-reader.ts`) and does not know what a whiteout is.
*
* What is accepted follows Go's archive/tar, because that is what containerd and BuildKit unpack layers with:
* https://github.com/golang/go/blob/go1.24.0/src/archive/tar/reader.go
*/
/** Go's limit for a PAX or GNU header's body; what is larger is refused, so memory stays bounded. */
const MAX_META_BYTES = 1 << 20;
const BLOCK = 512;
/** A walker that tells its listener what it comes by. Memory: one block and one extension header. */
function createTarWalker({ onEntry, openContent }) {
	const block = Buffer.alloc(BLOCK);
	let filled = 0;
	/** Bytes still to be skipped: contents and padding. */
	let skip = 0;
	let meta;
	let sparse;
	/** Who takes the content that follows, and how much of it is to come. */
	let content;
	let zeroBlocks = 0;
	let overrides = {};
	let hasOverrides = false;
	const takeMeta = (kind, body) => {
		if (kind !== "pax-global") hasOverrides = true;
		switch (kind) {
			case "pax":
				overrides = {
					...overrides,
					...paxOverrides(body)
				};
				break;
			case "pax-global":
				parsePaxRecords(body);
				break;
			case "long-name":
				overrides.path = untilNul(body);
				break;
			case "long-link": overrides.linkPath = untilNul(body);
		}
	};
	const startMeta = (kind, size) => {
		if (size > MAX_META_BYTES) throw new TarFormatError("extension-too-large", `an extension header of ${size} bytes`);
		if (size === 0) takeMeta(kind, Buffer.alloc(0));
		else meta = {
			kind,
			body: Buffer.alloc(size),
			filled: 0,
			padding: padding(size)
		};
	};
	/** Reports the entry; returns the bytes of data that follow its header. */
	const startEntry = (header) => {
		const path = overrides.path ?? header.path;
		const kind = kindOf(header.type, path);
		const dataBytes = HEADER_ONLY.has(header.type) ? 0 : overrides.size ?? header.size;
		const logical = overrides.logicalSize ?? header.sparseSize ?? dataBytes;
		const entry = {
			path,
			kind,
			size: kind === "file" ? logical : 0,
			linkPath: kind === "hard-link" || kind === "symlink" ? overrides.linkPath ?? header.linkPath : ""
		};
		onEntry(entry);
		if (openContent !== void 0 && kind === "file" && logical === dataBytes && !header.sparseContinues) {
			const sink = openContent(entry);
			if (sink !== void 0 && dataBytes === 0) sink.end();
			else if (sink !== void 0) content = {
				sink,
				left: dataBytes
			};
		}
		if (hasOverrides) {
			overrides = {};
			hasOverrides = false;
		}
		return dataBytes;
	};
	const takeBlock = (bytes) => {
		if (sparse !== void 0) {
			if (bytes[504] === 0) {
				skip = sparse.dataBytes + padding(sparse.dataBytes);
				sparse = void 0;
			}
			return;
		}
		if (isZeroBlock(bytes)) {
			zeroBlocks++;
			return;
		}
		if (zeroBlocks > 0) throw new TarFormatError("bad-header", "an entry after an empty block");
		const header = parseBlock(bytes);
		const metaKind = META_TYPES.get(header.type);
		if (metaKind !== void 0) {
			startMeta(metaKind, header.size);
			return;
		}
		const dataBytes = startEntry(header);
		if (header.sparseContinues) sparse = { dataBytes };
		else skip = dataBytes + padding(dataBytes);
	};
	const passContent = (bytes, at, length) => {
		if (content === void 0) return;
		const step = Math.min(content.left, length);
		content.sink.write(bytes.subarray(at, at + step));
		content.left -= step;
		if (content.left > 0) return;
		const { sink } = content;
		content = void 0;
		sink.end();
	};
	const push = (chunk) => {
		const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
		let at = 0;
		while (at < bytes.length && zeroBlocks < 2) if (skip > 0) {
			const step = Math.min(skip, bytes.length - at);
			if (content !== void 0) passContent(bytes, at, step);
			skip -= step;
			at += step;
		} else if (meta !== void 0) {
			const step = bytes.copy(meta.body, meta.filled, at);
			meta.filled += step;
			at += step;
			if (meta.filled === meta.body.length) {
				const { kind, body } = meta;
				skip = meta.padding;
				meta = void 0;
				takeMeta(kind, body);
			}
		} else if (filled === 0 && bytes.length - at >= BLOCK) {
			takeBlock(bytes.subarray(at, at + BLOCK));
			at += BLOCK;
		} else {
			const step = bytes.copy(block, filled, at);
			filled += step;
			at += step;
			if (filled === BLOCK) {
				filled = 0;
				takeBlock(block);
			}
		}
	};
	const end = () => {
		if (zeroBlocks >= 2) return;
		if (skip > 0 || filled > 0 || meta !== void 0 || sparse !== void 0 || hasOverrides) throw new TarFormatError("truncated", "the archive stops inside an entry");
	};
	return {
		push,
		end
	};
}
const META_TYPES = /* @__PURE__ */ new Map([
	["x", "pax"],
	["g", "pax-global"],
	["L", "long-name"],
	["K", "long-link"]
]);
/** Types whose size field means nothing: links, devices, directories, pipes (isHeaderOnlyType in archive/tar). */
const HEADER_ONLY = /* @__PURE__ */ new Set([
	"1",
	"2",
	"3",
	"4",
	"5",
	"6"
]);
function kindOf(type, path) {
	switch (type) {
		case "\0":
		case "0": return path.endsWith("/") ? "directory" : "file";
		case "7":
		case "S": return "file";
		case "1": return "hard-link";
		case "2": return "symlink";
		case "5": return "directory";
		default: return "other";
	}
}
function paxOverrides(body) {
	const overrides = {};
	for (const [key, value] of parsePaxRecords(body)) if (key === "path" || key === "GNU.sparse.name") overrides.path = value;
	else if (key === "linkpath") overrides.linkPath = value;
	else if (key === "size") overrides.size = parsePaxSize(key, value);
	else if (key === "GNU.sparse.realsize" || key === "GNU.sparse.size") overrides.logicalSize = parsePaxSize(key, value);
	return overrides;
}
function untilNul(body) {
	const nul = body.indexOf(0);
	return decodeName(body, 0, nul === -1 ? body.length : nul);
}
function padding(size) {
	return (BLOCK - size % BLOCK) % BLOCK;
}

// src/measure/zstd-frames.ts
/**
* Cuts a zstd stream at the ends of its frames without decompressing it. Needed because Node's decompressor silently
* drops whatever follows a frame's end within one write (https://github.com/nodejs/node/issues/64741), and layers of
* several frames are ordinary (pzstd, zstd:chunked): they would be measured too small. It also sees truncation that
* the decompressor then misses. Owns the frame format's outline only.
*
* https://www.rfc-editor.org/rfc/rfc8878#section-3.1
*/
/** Bytes that do not follow the zstd frame format. */
var ZstdFormatError = class extends Error {
	constructor(message) {
		super(message);
		this.name = "ZstdFormatError";
	}
};
const FRAME_MAGIC = 4247762216;
const SKIPPABLE_MAGIC = 407710288;
const DICTIONARY_ID_BYTES = [
	0,
	1,
	2,
	4
];
const CONTENT_SIZE_BYTES = [
	0,
	2,
	4,
	8
];
/** A splitter at the start of a stream. */
function createZstdFrameSplitter() {
	let field = "magic";
	/** A little-endian number under way, and how many of its bytes have come. */
	let value = 0;
	let got = 0;
	let skip = 0;
	let next = "frame-end";
	let hasChecksum = false;
	const collect = (into) => {
		field = into;
		value = 0;
		got = 0;
	};
	const skipThen = (bytes, then) => {
		skip = bytes;
		next = then;
	};
	/** Takes a whole field; true when a frame ends with it. */
	const takeField = () => {
		switch (field) {
			case "magic":
				if (value === FRAME_MAGIC) collect("descriptor");
				else if (value - value % 16 === SKIPPABLE_MAGIC) collect("skippable-size");
				else throw new ZstdFormatError("bytes between or after the frames");
				return false;
			case "skippable-size":
				skipThen(value, "frame-end");
				return value === 0;
			case "descriptor": {
				const isSingleSegment = (value & 32) !== 0;
				const contentSize = CONTENT_SIZE_BYTES[value >> 6] ?? 0;
				hasChecksum = (value & 4) !== 0;
				const rest = (isSingleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[value & 3] ?? 0) + (contentSize === 0 && isSingleSegment ? 1 : contentSize);
				skipThen(rest, "block-header");
				if (rest === 0) collect("block-header");
				return false;
			}
			case "block-header": {
				const isLast = (value & 1) === 1;
				const type = value >> 1 & 3;
				if (type === 3) throw new ZstdFormatError("a block of a reserved type");
				const body = type === 1 ? 1 : value >> 3;
				if (isLast) {
					const rest = body + (hasChecksum ? 4 : 0);
					skipThen(rest, "frame-end");
					return rest === 0;
				}
				skipThen(body, "block-header");
				if (body === 0) collect("block-header");
				return false;
			}
		}
	};
	const split = (chunk) => {
		const pieces = [];
		let start = 0;
		let at = 0;
		const endFrame = () => {
			pieces.push(chunk.subarray(start, at));
			start = at;
			collect("magic");
		};
		while (at < chunk.length) if (skip > 0) {
			const step = Math.min(skip, chunk.length - at);
			skip -= step;
			at += step;
			if (skip > 0) break;
			if (next === "frame-end") endFrame();
			else collect("block-header");
		} else {
			value += (chunk[at] ?? 0) * 2 ** (8 * got);
			got++;
			at++;
			if (got === FIELD_BYTES[field] && takeField()) endFrame();
		}
		if (start < chunk.length) pieces.push(chunk.subarray(start));
		return pieces;
	};
	return {
		split,
		isBetweenFrames: () => field === "magic" && got === 0 && skip === 0
	};
}
const FIELD_BYTES = {
	magic: 4,
	"skippable-size": 4,
	descriptor: 1,
	"block-header": 3
};

// src/measure/layer-reader.ts
/**
* Reads a layer blob once, as its bytes arrive, and says what it holds: compression, diff id, sizes, entries. Memory
* is bounded by a few stream buffers whatever the layer's size. It does not verify the blob's own digest (whoever
* carries the bytes does) and keeps no file index; `listener` is there for one (`layer-files.ts`).
*/
/** The blob is no readable layer. The message holds no text from the blob. */
var LayerFormatError = class extends Error {
	fault;
	constructor(fault, message, options) {
		super(message, options);
		this.name = "LayerFormatError";
		this.fault = fault;
	}
};
/** Enough to tell a tar header by its checksum. */
const SNIFF_BYTES = 512;
/** What need not be gathered to a larger piece. */
const ENOUGH_BYTES = PIECE_BYTES / 2;
/**
* Reads a layer to its end. The blob upload does not say what it is, so the first bytes decide.
* The source is used up, also after an error.
* @throws LayerFormatError; an AbortError; whatever the source throws.
*/
async function readLayer(source, options = {}) {
	const input = source instanceof Readable ? source : Readable.from(source, { objectMode: true });
	input.on("error", () => void 0);
	if (options.signal !== void 0) addAbortSignal(options.signal, input);
	let compressed = 0;
	const blob = pieces(input, (bytes) => compressed += bytes);
	const first = await blob.next();
	const kind = kindOfBlob(first.done === true ? Buffer.alloc(0) : first.value.subarray(0, SNIFF_BYTES));
	if (kind === "json") {
		input.destroy();
		throw new LayerFormatError("not-a-layer", "a JSON document");
	}
	const whole = async function* () {
		if (first.done !== true) yield first.value;
		yield* blob;
	};
	const hash = options.diffId === true ? createHash("sha256") : void 0;
	let tar = 0;
	let unpacked = 0;
	let entries = 0;
	const walker = createTarWalker({
		onEntry: (entry) => {
			unpacked += entry.size;
			if (!Number.isSafeInteger(unpacked)) throw new LayerFormatError("corrupt", "files of more than 2^53 bytes");
			entries++;
			options.listener?.onEntry(entry);
		},
		openContent: options.listener?.openContent
	});
	const take = (chunk) => {
		hash?.update(chunk);
		tar += chunk.length;
		walker.push(chunk);
	};
	try {
		switch (kind) {
			case "none":
				for await (const piece of whole()) take(piece);
				break;
			case "gzip":
				await decompress(whole(), {
					format: kind,
					take
				});
				break;
			case "zstd": await decompress(frames(whole()), {
				format: kind,
				take
			});
		}
		walker.end();
	} catch (error) {
		throw asLayerError(error);
	} finally {
		input.destroy();
	}
	const diffId = hash === void 0 ? void 0 : `sha256:${hash.digest("hex")}`;
	return {
		compression: kind,
		compressed,
		tar,
		diffId,
		unpacked,
		entries
	};
}
/**
* The bytes in large pieces, the next one gathered while others are worked on. Each is only good until the next but one is
* asked for: there are three buffers.
*/
async function* pieces(source, count) {
	const chunks = source[Symbol.asyncIterator]();
	let left = Buffer.alloc(0);
	const gather = async (piece) => {
		let filled = 0;
		while (filled < piece.length) {
			if (left.length === 0) {
				const chunk = await chunks.next();
				if (chunk.done === true) break;
				left = chunk.value;
				count(left.length);
			}
			if (filled === 0 && left.length >= ENOUGH_BYTES && left.length <= piece.length) {
				const whole = Buffer.from(left.buffer, left.byteOffset, left.byteLength);
				left = left.subarray(left.length);
				return whole;
			}
			const taken = left.subarray(0, piece.length - filled);
			piece.set(taken, filled);
			filled += taken.length;
			left = left.subarray(taken.length);
		}
		return piece.subarray(0, filled);
	};
	const buffers = Array.from({ length: 3 }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
	const gatherNext = (number) => {
		const gathering = gather(buffers[number % buffers.length] ?? Buffer.alloc(0));
		gathering.catch(() => void 0);
		return gathering;
	};
	let gathering = gatherNext(0);
	for (let number = 1;; number++) {
		const piece = await gathering;
		if (piece.length === 0) return;
		gathering = gatherNext(number);
		yield piece;
	}
}
/** What a blob is, by its first bytes (up to 512 of them). */
function kindOfBlob(head) {
	if (head.length >= 2 && head[0] === 31 && head[1] === 139) return "gzip";
	if (head.length >= 4) {
		const magic = head.readUInt32LE(0);
		if (magic === 4247762216 || magic >>> 4 === 25481893) return "zstd";
	}
	return !(head.length >= SNIFF_BYTES && hasValidChecksum(head)) && /^\s*[{[]/.test(head.toString("latin1", 0, 64)) ? "json" : "none";
}
async function* frames(source) {
	const splitter = createZstdFrameSplitter();
	for await (const chunk of source) yield* splitter.split(chunk);
	if (!splitter.isBetweenFrames()) throw new LayerFormatError("truncated", "the zstd stream stops inside a frame");
}
function asLayerError(error) {
	if (error instanceof TarFormatError) return new LayerFormatError(error.fault === "truncated" ? "truncated" : "corrupt", error.message, { cause: error });
	if (error instanceof ZstdFormatError) return new LayerFormatError("corrupt", error.message, { cause: error });
	const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
	if (code === "Z_BUF_ERROR") return new LayerFormatError("truncated", "the compressed stream stops early", { cause: error });
	if (/^(Z_|ZSTD_)/.test(code)) return new LayerFormatError("corrupt", "the compressed stream is damaged", { cause: error });
	return error;
}

// src/measure/layer-counter.ts
/**
* Counts layers as they are pushed: a sink for the layer registry that reads each blob's tar and keeps its figures and the
* index of its files.
*/
/** Of all layers of a run. */
const LIMITS$2 = {
	entries: 1e6,
	bytes: 64 << 20
};
var LayerCounter = class {
	#layers = /* @__PURE__ */ new Map();
	#counts = /* @__PURE__ */ new Map();
	#budget;
	/** @param limits of the indexes of all layers together; layers that come later have none. */
	constructor(limits = LIMITS$2) {
		this.#budget = new FilesBudget(limits);
	}
	/** What was counted of a blob that passed by; undefined where it was not pushed or is no readable layer. */
	get(digest) {
		return this.#layers.get(digest);
	}
	/** Counts a blob that did not pass by, once; undefined where it is no readable layer. Never rejects. */
	async count(digest, open) {
		const known = this.#layers.get(digest);
		if (known !== void 0) return known;
		let count = this.#counts.get(digest);
		if (count === void 0) {
			count = open().then((stream) => stream === void 0 ? void 0 : this.#read(stream, new LayerIndexer(this.#budget))).catch(() => void 0);
			this.#counts.set(digest, count);
		}
		return await count;
	}
	openSink() {
		const stream = new PassThrough({ highWaterMark: 1 << 18 });
		const indexer = new LayerIndexer(this.#budget);
		const counted = this.#read(stream, indexer);
		let reading = true;
		counted.then(() => {
			reading = false;
			stream.resume();
		});
		return {
			write: async (chunk) => {
				if (!reading || stream.write(chunk)) return;
				await Promise.race([once(stream, "drain").catch(() => void 0), counted]);
			},
			finish: async (digest) => {
				stream.end();
				const layer = await counted;
				if (this.#layers.has(digest)) indexer.abandon();
				else if (layer !== void 0) this.#layers.set(digest, layer);
			},
			abort: () => {
				stream.destroy();
			}
		};
	}
	async #read(stream, indexer) {
		try {
			return {
				...await readLayer(stream, { listener: indexer }),
				index: indexer.finish()
			};
		} catch {
			indexer.abandon();
			return;
		}
	}
};

// src/loopback.ts
/** Layers that base images' registries keep: what lies in an OCI layout no registry does. */
function baseLayers({ images }) {
	const kept = images.bases().filter(({ image }) => images.sourceOf(image).kind === "registry");
	return new Set(kept.flatMap(({ resolved }) => resolved.layers.map(({ digest }) => digest)));
}
var Loopback = class Loopback {
	registry;
	upstream;
	counter;
	#cached;
	constructor(registry, { upstream, counter, cached }) {
		this.registry = registry;
		this.upstream = upstream;
		this.counter = counter;
		this.#cached = cached;
	}
	static async start({ planned, client, cache, debug, signal }) {
		const upstream = new Upstream();
		for (const { image, resolved } of planned.images.bases()) {
			const source = planned.images.sourceOf(image);
			if (source.kind !== "registry") continue;
			upstream.add({
				layers: resolved.layers,
				open: async (digest, range) => (await client.openBlob(source.ref, digest, {
					signal,
					...range && { range }
				})).stream,
				publicUrl: async (digest) => (await client.publicBlobUrl(source.ref, digest, { signal }))?.href
			});
		}
		const counter = new LayerCounter();
		const registry = await LayerRegistry.start({
			openSinks: (name) => [...name === "cache" ? [] : [counter.openSink()], ...cache?.openSinks() ?? []],
			sources: [...cache?.sources ?? [], upstream],
			debug
		});
		return new Loopback(registry, {
			upstream,
			counter,
			cached: cache?.sources ?? []
		});
	}
	/** File bytes of a layer that was received, or that the cache has; undefined where nobody can tell. Never rejects. */
	async unpackedOf(digest) {
		return (await this.counter.count(digest, async () => {
			for (const source of this.#cached) {
				const found = await source.open(digest);
				if (found !== void 0 && "open" in found) return await found.open(void 0);
			}
		}))?.unpacked;
	}
	async [Symbol.asyncDispose]() {
		await this.registry.close();
	}
};

// src/measure/stored-files.ts
/**
* The index of a layer as text that is remembered between runs: names and sizes of its files, without what packages are. A
* later run that does not read the layer can still tell what of it others overwrite.
*/
/** Raised when the packed form changes. */
const VERSION$2 = "1:";
const MOST_PACKED_BYTES = 4 << 20;
/** Characters of a layer; larger ones are not remembered, and what is wasted of them is not known. */
const MOST_CHARACTERS = 2e5;
/** Empty where the layer has no index, or one that is too large. */
function storeFiles({ files }) {
	if (files === void 0 || files.entries.length > MOST_PACKED_BYTES) return "";
	const text = VERSION$2 + zstdCompressSync(files.entries).toString("base64");
	return text.length > MOST_CHARACTERS ? "" : text;
}
/** Undefined for what was not stored by this version; others may have written it. */
function storedFiles(text) {
	if (text?.startsWith(VERSION$2) !== true || text.length > MOST_CHARACTERS) return void 0;
	try {
		const bytes = Buffer.from(text.slice(2), "base64");
		return { files: {
			entries: zstdDecompressSync(bytes, { maxOutputLength: MOST_PACKED_BYTES }),
			texts: /* @__PURE__ */ new Map(),
			npm: /* @__PURE__ */ new Map()
		} };
	} catch {
		return;
	}
}

// src/measured-notes.ts
/** Digests of the layers of images. */
function layersIn(images) {
	return new Set(images.flatMap(({ layers }) => layers.map(({ digest }) => digest)));
}
function notesOf(sizes, options) {
	const images = [...sizes].map(([name, { platforms }]) => [name, platforms.flatMap(({ layers }) => layers)]);
	const all = new Map(images.flatMap(([, layers]) => layers.map((layer) => [layer.digest, layer])));
	const unpacked = [...all].flatMap(([digest, layer]) => layer.unpacked === void 0 ? [] : [[digest, layer.unpacked]]);
	const own = (layers) => layers.filter((layer) => layer.own).map(({ digest }) => digest);
	const files = [...all.keys()].flatMap((digest) => {
		const known = options.stored.get(digest);
		if (known !== void 0) return [[digest, known]];
		const index = options.readIndexOf(digest);
		return index === void 0 ? [] : [[digest, storeFiles(index)]];
	});
	return {
		unpacked: new Map(unpacked),
		layers: new Map(images.map(([name, layers]) => [name, own(layers)])),
		files: new Map(files)
	};
}

// src/measure/base-layers.ts
const CONCURRENCY$4 = 2;
/** Of the indexes of all base layers of a run. */
const LIMITS$1 = {
	entries: 5e5,
	bytes: 32 << 20
};
/** Counts base layers; each digest once, however often it is asked for. */
var BaseLayers = class {
	#options;
	#counts = /* @__PURE__ */ new Map();
	#indexes = /* @__PURE__ */ new Map();
	#budget = new FilesBudget(LIMITS$1);
	#waiting = [];
	#running = 0;
	constructor(options) {
		this.#options = options;
	}
	/** What is in a layer that was read; undefined where it was not. */
	indexOf(digest) {
		return this.#indexes.get(digest);
	}
	/**
	* File bytes of a layer; undefined when it cannot be read. Never rejects.
	* @param layer.isWanted it is read for its index, also where its size is remembered
	*/
	async count(digest, layer) {
		const known = this.#options.memory.get(digest);
		let count = this.#counts.get(digest);
		if (known !== void 0 && count === void 0 && !layer.isWanted) return known;
		if (count === void 0) {
			count = this.#countOnce(digest, layer.open);
			this.#counts.set(digest, count);
		}
		return await count ?? known;
	}
	async #countOnce(digest, open) {
		await this.#turn();
		const { memory, signal } = this.#options;
		try {
			if (signal.aborted) return void 0;
			const indexer = new LayerIndexer(this.#budget);
			const { unpacked } = await readLayer(await open(), {
				signal,
				listener: indexer
			});
			this.#indexes.set(digest, indexer.finish());
			memory.set(digest, unpacked);
			return unpacked;
		} catch {
			return;
		} finally {
			this.#running--;
			this.#waiting.shift()?.();
		}
	}
	async #turn() {
		while (this.#running >= CONCURRENCY$4) await new Promise((resolve) => {
			this.#waiting.push(resolve);
		});
		this.#running++;
	}
};

// src/measure/layer-memory.ts
/**
* Unpacked sizes of base layers, remembered between runs: a layer's digest says all about its bytes, so what was counted
* once holds for ever. A JSON file; garbage in it, or another version, is no memory and no error.
*/
/** 1: digest → file bytes in the tar. */
const VERSION$1 = 1;
const MAX_FILE_BYTES = 4 << 20;
var LayerMemory = class LayerMemory {
	#path;
	#sizes;
	#changed = false;
	constructor(path, sizes) {
		this.#path = path;
		this.#sizes = sizes;
	}
	static async open(path) {
		return new LayerMemory(path, await readSizes(path));
	}
	get(digest) {
		return this.#sizes.get(digest);
	}
	set(digest, bytes) {
		this.#sizes.delete(digest);
		this.#sizes.set(digest, bytes);
		this.#changed = true;
	}
	/** Writes what is new, together with what other processes wrote meanwhile. A disk that refuses is no error. */
	async save() {
		if (!this.#changed) return;
		const merged = [...new Map([...await readSizes(this.#path), ...this.#sizes])].slice(-1e4);
		const temporary = `${this.#path}.${randomUUID()}`;
		try {
			await mkdir(dirname(this.#path), { recursive: true });
			await writeFile(temporary, JSON.stringify({
				version: VERSION$1,
				sizes: Object.fromEntries(merged)
			}));
			await rename(temporary, this.#path);
		} catch {
			await rm(temporary, { force: true }).catch(() => void 0);
		}
	}
};
async function readSizes(path) {
	try {
		const text = await readFile(path, "utf8");
		const file = text.length > MAX_FILE_BYTES ? void 0 : JSON.parse(text);
		if (typeof file !== "object" || file === null || !("version" in file) || file.version !== VERSION$1) return /* @__PURE__ */ new Map();
		const sizes = "sizes" in file ? file.sizes : void 0;
		if (typeof sizes !== "object" || sizes === null) return /* @__PURE__ */ new Map();
		return new Map(Object.entries(sizes).filter((entry) => /^sha256:[0-9a-f]{64}$/.test(entry[0]) && typeof entry[1] === "number" && Number.isSafeInteger(entry[1]) && entry[1] >= 0));
	} catch {
		return /* @__PURE__ */ new Map();
	}
}

// src/pushed-layers.ts
/** Of all targets of a run: a few seconds from a registry nearby. */
const READ_BACK_BYTES = 256 << 20;
var PushedLayers = class {
	#options;
	#counts = /* @__PURE__ */ new Map();
	#left = READ_BACK_BYTES;
	#unread = 0;
	#unreadBytes = 0;
	constructor(options) {
		this.#options = options;
	}
	/** Layers that the bound left out, and their bytes as the registry keeps them. */
	get unread() {
		return {
			layers: this.#unread,
			bytes: this.#unreadBytes
		};
	}
	/**
	* File bytes of a layer; undefined where it is not read. Never rejects.
	* @param reference of the image
	* @param remembered what earlier runs measured of the target
	*/
	async unpackedOf(reference, { digest, size }, remembered) {
		const { known, stored } = this.#options;
		const before = remembered.find((layer) => layer.digest === digest);
		const bytes = known.get(digest) ?? before?.unpacked;
		if (bytes !== void 0 && (before?.files !== void 0 || stored?.has(digest) === true)) return bytes;
		let count = this.#counts.get(digest);
		if (count === void 0) {
			count = this.#count(reference, digest, size);
			this.#counts.set(digest, count);
		}
		return await count ?? bytes;
	}
	async #count(reference, digest, size) {
		if (size > this.#left) {
			this.#unread++;
			this.#unreadBytes += size;
			return;
		}
		this.#left -= size;
		const { client, layers, signal } = this.#options;
		const open = async () => (await client.openBlob(reference, digest, { signal })).stream;
		return await layers.count(digest, {
			open,
			isWanted: true
		});
	}
};
/** Where a target's image went that the user pushes somewhere. */
function pushedTo({ name }, { tagsOf }, outcome) {
	const digest = outcome.metadata.results.find(({ target }) => target === name)?.digest;
	if (digest === void 0 || outcome.pushed.length === 0) return void 0;
	const [reference = outcome.pushed.find((image) => image.digest === digest)?.reference] = tagsOf.get(name) ?? [];
	return reference === void 0 ? void 0 : {
		reference,
		digest
	};
}

// src/measuring.ts
/**
* Measures the images of one build: has a copy of each sent to the layer registry, counts what base images bring, and
* reads the sizes off the manifests afterwards. Nothing here can fail a build.
*/
/** A base layer of more is not read for what is in it alone. */
const READ_AGAIN_BYTES = 64 << 20;
/** The measuring of one build; to be disposed of. */
var Measuring = class Measuring {
	#options;
	#registry;
	#memory;
	#baseLayers;
	#pushedLayers;
	#abort = new AbortController();
	#layoutRules = [];
	/** Base layers that are read though their sizes are known, since what is in them is not. */
	#wanted = /* @__PURE__ */ new Set();
	constructor(options, memory) {
		this.#options = options;
		this.#registry = options.registry;
		this.#memory = memory;
		const signal = AbortSignal.any([options.signal, this.#abort.signal]);
		this.#baseLayers = new BaseLayers({
			memory,
			signal
		});
		this.#pushedLayers = new PushedLayers({
			...options,
			layers: this.#baseLayers,
			signal
		});
	}
	/** Begins to count what the targets' base images bring. */
	static async start(options) {
		const measuring = new Measuring(options, await LayerMemory.open(options.memory));
		for (const { image, resolved } of options.planned.images.bases()) {
			if (!measuring.#isTargetBase(image)) continue;
			for (const { digest, size } of resolved.layers) {
				if (options.stored?.has(digest) === false && size <= READ_AGAIN_BYTES) measuring.#wanted.add(digest);
				measuring.#countBase(image, digest);
			}
		}
		return measuring;
	}
	async [Symbol.asyncDispose]() {
		this.#abort.abort();
		await this.#memory.save();
	}
	/** Where the build sends a copy of each image. */
	destination() {
		const registry = this.#registry;
		if (registry === void 0) return void 0;
		const { targets } = this.#options.planned;
		return {
			host: registry.host,
			repository: ({ name }) => registry.repository(repositoryName(targets.findIndex((target) => target.name === name)))
		};
	}
	/**
	* Serves OCI layouts that cannot be named contexts, for a stage bears the image's name.
	* @throws UserError where the builder cannot reach the layer registry.
	*/
	serveLayouts(clashing, file) {
		const registry = this.#registry;
		if (clashing.length > 0 && registry === void 0) throw new UserError(clashing.map(({ stage, line, file: own }) => ({
			file: own ?? file,
			line,
			message: `The stage \`${stage}\` bears the name of an image that \`external-images\` maps to an OCI layout, and this builder cannot tell the two apart.`,
			mend: "Rename the stage, or use a builder on this machine (leave `builder` out)."
		})));
		for (const [index, { image }] of clashing.entries()) {
			const { source, digest } = this.#options.planned.images.entry(image) ?? {};
			if (registry === void 0 || source?.kind !== "oci-layout") continue;
			registry.serveLayout(`layout${index}`, resolve(this.#options.workspace, source.path));
			this.#layoutRules.push({
				image,
				ref: `${registry.host}/${registry.repository(`layout${index}`)}`,
				digest
			});
		}
	}
	/** The source-policy rules for the layouts that are served. */
	layoutRules() {
		return this.#layoutRules;
	}
	/** Reads the sizes of the targets after the build. Never rejects. */
	async sizes(outcome) {
		const { targets } = this.#options.planned;
		if (outcome.kind === "cancelled") return /* @__PURE__ */ new Map();
		const sizes = await Promise.all(targets.map(async (target, index) => outcome.built.has(target.name) ? await this.#measure(target, index, outcome) : void 0));
		const known = (size, name) => size === void 0 ? [] : [[name, size]];
		return new Map(targets.flatMap(({ name }, index) => known(sizes[index], name)));
	}
	/** What else is worth telling beside the sizes. Never rejects. */
	async finish(outcome, { sizes, usage }) {
		const { planned } = this.#options;
		const built = planned.targets.filter(({ name }) => outcome.built.has(name));
		if (outcome.kind === "cancelled" || built.length === 0) return {
			sizes,
			leftBehind: /* @__PURE__ */ new Map(),
			unknownReason: void 0,
			warnings: []
		};
		return {
			sizes,
			leftBehind: await leftBehind$1(usage, {
				planned: {
					...planned,
					targets: built
				},
				steps: outcome.steps,
				imageSize: (image) => this.#imageSize(image)
			}),
			unknownReason: sizes.size === built.length ? void 0 : "This builder cannot reach the layer registry on this machine, and the image was not pushed.",
			warnings: []
		};
	}
	/** Digests of the layers of a target's image, of all platforms, as it was received. */
	layersOf(name) {
		const repository = repositoryName(this.#options.planned.targets.findIndex((target) => target.name === name));
		const layersOf = (reference) => {
			const found = this.#registry?.manifest(repository, reference);
			if (found === void 0) return [];
			const manifest = parseManifest(found.bytes, found.mediaType);
			return manifest.kind === "image" ? manifest.layers.filter(({ mediaType }) => !mediaType.includes("in-toto")).map(({ digest }) => digest) : manifest.manifests.flatMap(({ digest }) => layersOf(digest));
		};
		return layersOf("latest");
	}
	/** Layers of pushed images that were too many to be read back. */
	get unread() {
		return this.#pushedLayers.unread;
	}
	/** The files of a layer that was read in this run. */
	readIndexOf(digest) {
		return this.#options.indexOf(digest) ?? this.#baseLayers.indexOf(digest);
	}
	async #measure(target, index, outcome) {
		const { planned, file } = this.#options;
		const base = baseOfStage(planned.graph, target.stage);
		const bases = base.kind === "image" ? planned.images.basesOf(base.image) : [];
		const baseDiffIds = base.kind === "scratch" ? [] : bases.length === 0 ? void 0 : bases.map(({ config }) => config.diffIds);
		const pushed = outcome.measured ? void 0 : pushedTo(target, planned, outcome);
		const source = outcome.measured ? this.#received(index) : pushed && publishedImage(pushed.reference, pushed.digest, this.#options);
		if (source === void 0) return void 0;
		const { remembered, stored } = this.#options;
		const before = remembered(target.name);
		const unpackedOf = async (layer) => pushed === void 0 ? await this.#options.unpackedOf(layer.digest) : await this.#pushedLayers.unpackedOf(pushed.reference, layer, before.flatMap(({ layers }) => layers));
		try {
			const sizes = await measureImage(source.digest, {
				...source,
				baseDiffIds,
				instructions: layerSources(planned.graph, target.stage, file),
				base: base.kind === "image" ? {
					image: base.image,
					digest: bases[0]?.resolved.digest
				} : void 0,
				unpackedOf: async (layer, own) => (own && pushed !== void 0 ? void 0 : this.#options.known.get(layer.digest)) ?? await this.#countKept(layer.digest) ?? await unpackedOf(layer)
			});
			return withFiles(sizes, {
				indexOf: (digest) => this.readIndexOf(digest),
				storedIndexOf: (digest) => storedFiles(stored?.get(digest)),
				remembered: before
			});
		} catch (error) {
			this.#options.debug(`measuring ${target.name}: ${error instanceof Error ? error.message : String(error)}`);
			return;
		}
	}
	#received(index) {
		return this.#registry === void 0 ? void 0 : receivedImage(this.#registry, repositoryName(index));
	}
	/** A layer that was not pushed since some base image's registry keeps it: not always the target's own base. */
	async #countKept(digest) {
		const keeper = this.#options.planned.images.bases().find(({ resolved }) => resolved.layers.some((layer) => layer.digest === digest));
		return keeper === void 0 ? void 0 : await this.#countBase(keeper.image, digest);
	}
	#imageSize(image) {
		const [base] = this.#options.planned.images.basesOf(image);
		return base?.resolved.layers.reduce((sum, { digest }) => {
			const bytes = this.#options.known.get(digest) ?? this.#memory.get(digest);
			return sum === void 0 || bytes === void 0 ? void 0 : sum + bytes;
		}, 0);
	}
	async #countBase(image, digest) {
		const known = this.#options.known.get(digest);
		const isWanted = this.#wanted.has(digest);
		if (known !== void 0 && !isWanted) return known;
		const source = this.#options.planned.images.sourceOf(image);
		return await this.#baseLayers.count(digest, {
			open: async () => await this.#open(source, digest),
			isWanted
		}) ?? known;
	}
	async #open(source, digest) {
		const { client, workspace, signal } = this.#options;
		if (source.kind === "registry") return (await client.openBlob(source.ref, digest, { signal })).stream;
		return createReadStream(join(resolve(workspace, source.path), "blobs", ...digest.split(":")));
	}
	#isTargetBase(image) {
		return this.#options.planned.targets.some((target) => {
			const base = baseOfStage(this.#options.planned.graph, target.stage);
			return base.kind === "image" && base.image === image;
		});
	}
};
function repositoryName(index) {
	return `target${index}`;
}

// src/missing-here.ts
const NAMES = 8;
/** Empty where the builder does all. */
function missingHere(question) {
	if (question.isReached) return [];
	return [
		...cacheRows(question),
		...sizeRows$1(question),
		...mountRows(question)
	];
}
function cacheRows({ inputs, builder }) {
	const refs = registryRefs([...inputs.cacheTo, ...inputs.cacheFrom]);
	if (refs.length > 0) return [{
		what: "Age and bytes of the cache that was used and saved",
		why: `BuildKit itself keeps the cache in ${list$1(refs.map((ref) => `\`${ref}\``), NAMES)}`,
		need: void 0
	}];
	if (inputs.cache === "off" || inputs.cacheTo.length + inputs.cacheFrom.length > 0) return [];
	return [{
		what: "The layer cache",
		why: `${builder.name === void 0 ? "this builder" : `the builder \`${builder.name}\``} (driver ${builder.driver}) cannot reach the registry that this step serves on the runner’s loopback`,
		need: "a registry for the cache: `cache-to: type=registry,ref=REGISTRY/cache:{target},mode=max`"
	}];
}
function sizeRows$1({ unmeasured, isPushed, unread }) {
	const rows = [];
	if (unmeasured.length > 0) {
		const names = list$1(unmeasured.map((name) => `\`${name}\``), NAMES);
		rows.push(isPushed ? {
			what: `Sizes of ${names}`,
			why: "what was pushed could not be read from the registry",
			need: "a login for that registry in this job (docker/login-action)"
		} : {
			what: `Sizes of ${names}`,
			why: "the image is on the builder only: no copy came to the runner, and none was pushed",
			need: "`push: true` with `tags`"
		});
	}
	if (unread.layers > 0) rows.push({
		what: `Unpacked sizes and files of ${count(unread.layers, "layer")} (${formatBytes(unread.bytes)})`,
		why: `layers that were pushed are read back from the registry, and of one run no more than ${formatBytes(READ_BACK_BYTES)}`,
		need: "smaller layers, or a builder that reaches the runner’s loopback"
	});
	return rows;
}
function mountRows({ inputs, builder, graph, stages }) {
	if (!(!builder.loopback && inputs.cache !== "off" && inputs.cacheMounts !== "off") || mountUses(graph, stages, "").kept.length === 0) return [];
	return [{
		what: "Cache mounts of earlier runs",
		why: "they are kept with the layer cache; a builder that lives on keeps its own",
		need: "a builder that reaches the runner’s loopback"
	}];
}

// src/new-records.ts
/** Records of the built targets; one without a fingerprint is of use to compare sizes with. */
function newRecords(options) {
	const { outcome, planned, inputs, measured, builder, env, now } = options;
	const { fingerprints, tagsOf } = planned;
	const files = fingerprints.files();
	const records = planned.targets.flatMap(({ name }) => {
		const print = fingerprints.prints.get(name);
		const result = outcome.metadata.results.find(({ target }) => target === name);
		if (result === void 0 || !outcome.built.has(name)) return [];
		const tags = inputs.push ? tagsOf.get(name) ?? [] : [];
		const sizes = measured.sizes.get(name);
		const image = {
			digest: tags.length === 0 ? void 0 : result.digest,
			repositories: [...new Set(tags.map(repositoryOf))],
			imageId: result.configDigest ?? sizes?.platforms[0]?.configDigest,
			sizes: sizes === void 0 ? void 0 : { platforms: sizes.platforms.map(platformToJson) }
		};
		const read = new Set(print === void 0 ? [] : readsOf(print));
		return [[name, {
			createdAt: new Date(now).toISOString(),
			commit: env["GITHUB_SHA"],
			run: env["GITHUB_RUN_ID"],
			fingerprint: isAsPlanned(sizes, planned.partOf(name), builder) ? print?.fingerprint : void 0,
			print: {
				platforms: print?.platforms ?? [],
				fields: print?.fields ?? []
			},
			files: new Map([...files].filter(([digest]) => read.has(digest))),
			image
		}]];
	});
	return new Map(records);
}
/** A builder elsewhere may be of another platform than the one that the plan was made for, where none is named. */
function isAsPlanned(sizes, { part, platforms }, builder) {
	if (builder.loopback || part.inputs.platforms.length > 0) return true;
	return (sizes?.platforms.map(({ platform }) => platform) ?? [builder.platform]).join() === platforms.join();
}
function readsOf({ platforms }) {
	return platforms.flatMap(({ stages }) => stages.flatMap(({ base, steps }) => [base, ...steps.flatMap(({ sources }) => sources)].flatMap(({ kind, digest }) => kind === "context" && digest !== void 0 ? [digest] : [])));
}

// src/part-layouts.ts
/** Where the steps of a build stand: the stages of each target's Dockerfile, by their numbers in the plan's graph. Pure. */
/** The layouts of all Dockerfiles of the plan. */
function partLayouts({ parts, partOf, targets, linked }) {
	const layouts = new Map(parts.map((planned) => {
		const { part, dockerfile, stages, onContext } = planned;
		const where = part.wanted === void 0 ? {} : {
			file: part.dockerfileName,
			above: part.linesAbove,
			stages
		};
		return [planned, layoutOf(dockerfile, {
			...where,
			onContext
		})];
	}));
	const all = [...new Map([...layouts.values()].flat().map((layout) => [layout.index, layout])).values()].sort((a, b) => a.index - b.index);
	const names = new Set([...targets, ...linked].map(({ name }) => name));
	return {
		all,
		of: (target) => target === void 0 || !names.has(target) ? all : layouts.get(partOf(target)) ?? all
	};
}

// src/build/rescue.ts
/**
* What a failed build can still give to the cache. BuildKit exports no cache for a failed target, and bake cancels the
* others; but the builder has every step that was done, so a second run exports them at once. Here it is decided what
* that run builds: the other targets, whole, and of the failed ones each stage as far as it came: a Dockerfile that ends
* before its first instruction that was not done. Pure.
*/
/** Decides what a second run builds; nothing where the first one got nowhere. */
function planRescue(facts) {
	const { graph, targets, steps } = facts;
	const failed = steps.filter((step) => step.status === "failed");
	const failedStages = new Set(failed.flatMap((step) => step.stage ?? []));
	const blamed = new Set(failed.filter((step) => step.stage === void 0).flatMap((step) => step.targets));
	const isSound = (target) => !blamed.has(target.name) && !stagesOf(graph, target.stage).some((stage) => failedStages.has(stage));
	const siblings = failed.length === 0 || facts.noCache ? [] : targets.filter(isSound);
	const rest = targets.filter((target) => !siblings.includes(target));
	const parts = [...new Set(rest.flatMap((target) => stagesOf(graph, target.stage)))].flatMap((stage) => partOf$1(stage, facts) ?? []);
	return {
		siblings,
		parts: parts.filter((part) => !parts.some((other) => covers(other, part, graph)))
	};
}
function partOf$1(index, { graph, layouts, steps }) {
	const stage = graph.stages[index];
	const layout = layouts[index];
	if (stage === void 0 || layout === void 0 || stage.replacedByContext !== void 0) return void 0;
	const mine = steps.filter((step) => step.stage === index && !step.text.startsWith("FROM "));
	const isDone = (step) => step.status === "done" || step.status === "cached";
	const lines = mine.filter((step) => !isDone(step)).flatMap((step) => step.source?.line ?? []);
	const known = new Set(mine.flatMap((step) => step.source?.line ?? []));
	const unknown = layout.counted.filter(({ line }) => !known.has(line)).map(({ line }) => line);
	const endsBefore = Math.min(stage.endLine + 1, ...lines, ...unknown);
	return mine.some((step) => isDone(step) && (step.source?.line ?? 1e400) < endsBefore) ? {
		stage: index,
		endsBefore
	} : void 0;
}
/** Whether to build one part builds the other, too. */
function covers(part, other, graph) {
	const whole = other.endsBefore > (graph.stages[other.stage]?.endLine ?? 1e400);
	if (part.stage === other.stage || !whole) return false;
	const stage = graph.stages[part.stage];
	return [...stage === void 0 ? [] : [stage.from], ...(stage?.needs ?? []).filter((need) => need.line < part.endsBefore).map((need) => need.source)].some((source) => source.kind === "stage" && stagesOf(graph, source.stage).includes(other.stage));
}
/**
* The Dockerfile's text up to the end of a part: its stage is the last, and so the one that is built.
* @param above how many lines of its file stand above the text
*/
function partialDockerfile(text, part, above = 0) {
	return `${text.split("\n").slice(0, part.endsBefore - 1 - above).join("\n")}\n`;
}

// src/rescuing.ts
/**
* Second runs that only export to the layer cache what the builder has: of targets that were mostly cached, where
* something was new after all, and of a failed build (`build/rescue.ts`).
*/
/** Names of what was exported, targets and parts. Never rejects: what cannot be rescued is lost, no more. */
async function rescue(options) {
	const { planned, outcome, caching, request } = options;
	const missing = planned.targets.filter(({ name }) => !outcome.built.has(name) && !caching.isExported(name));
	const facts = {
		graph: planned.graph,
		layouts: options.buildOptions.stages,
		targets: missing
	};
	let steps = outcome.steps;
	let plan = planRescue({
		...facts,
		steps,
		noCache: request.noCache === true
	});
	while (plan.siblings.length > 0) {
		options.log(`Finishing for the layer cache: ${plan.siblings.map(({ name }) => name).join(", ")}`);
		const siblings = await finishTargets(plan.siblings, options);
		if (siblings.kind !== "failed") break;
		steps = [...steps, ...siblings.steps.filter((step) => step.status === "failed")];
		const left = facts.targets.filter(({ name }) => !caching.isExported(name));
		const next = planRescue({
			...facts,
			targets: left,
			steps,
			noCache: false
		});
		if (next.siblings.length >= plan.siblings.length) break;
		plan = next;
	}
	const left = facts.targets.filter(({ name }) => !caching.isExported(name));
	const { parts } = planRescue({
		...facts,
		targets: left,
		steps,
		noCache: true
	});
	if (parts.length > 0) await exportParts(parts, options);
	return [...planned.targets.map(({ name }) => name), ...parts.map(partName)].filter((name) => caching.isExported(name));
}
/** Exports the caches of targets that are built. Never rejects: what is not exported is not cached, no more. */
async function exportCaches(names, { docker, request, buildOptions, caching }) {
	if (names.length === 0) return;
	const wanted = request.targets.filter(({ name }) => names.includes(name));
	await build(docker, onlyCache(request, wanted, caching), {
		...buildOptions,
		...ONCE,
		log: SILENT
	});
}
async function finishTargets(targets, { docker, request, buildOptions, caching }) {
	const names = new Set(targets.map(({ name }) => name));
	const wanted = request.targets.filter(({ name }) => names.has(name));
	return await build(docker, onlyCache(request, wanted, caching), {
		...buildOptions,
		...ONCE
	});
}
async function exportParts(parts, options) {
	const { docker, request, buildOptions, caching, planned } = options;
	const folder = await mkdtemp(join(buildOptions.tempRoot, "stage-build-parts-"));
	try {
		const imports = [...new Set(request.targets.flatMap((target) => target.cacheFrom ?? []))];
		const targets = await Promise.all(parts.map(async (part) => {
			const dockerfile = join(folder, `${part.stage}.Dockerfile`);
			const dockerfilePart = dockerfileOf(planned, part);
			await writeFile(dockerfile, partialDockerfile(dockerfilePart.dockerfileText, part, dockerfilePart.linesAbove));
			const { dockerfilePath: path } = dockerfilePart;
			if (path !== void 0) await copyFile(`${path}.dockerignore`, `${dockerfile}.dockerignore`).catch(() => void 0);
			const name = partName(part);
			return {
				...[...request.targets, ...request.linked ?? []].find((target) => planned.partOf(target.name).part === dockerfilePart),
				name,
				dockerfile,
				stage: void 0,
				tags: [],
				outputs: [],
				cacheFrom: imports
			};
		}));
		await build(docker, onlyCache(request, targets, caching), {
			...buildOptions,
			...ONCE,
			log: SILENT
		});
	} finally {
		await rm(folder, {
			recursive: true,
			force: true
		});
	}
}
/** The Dockerfile that a stage is of. */
function dockerfileOf({ parts }, { stage }) {
	const found = parts.find(({ stages }) => stages.includes(stage));
	if (found === void 0) throw new RangeError(`no Dockerfile of stage ${stage}`);
	return found.part;
}
/** Nothing that the user waits for depends on these runs. */
const ONCE = {
	failFast: true,
	retries: 0
};
const SILENT = {
	tick: () => void 0,
	finish: () => void 0
};
/**
* Builds without an output of the user's; what the first run did is not done again. With `no-cache` an older result must
* not stand in for this run's.
*/
function onlyCache(request, targets, caching) {
	return {
		...request,
		push: false,
		load: false,
		noCache: false,
		noCacheFilters: [],
		measure: void 0,
		targets: targets.map((target) => ({
			...target,
			...target.own === void 0 ? {} : { own: {
				...target.own,
				noCache: false,
				noCacheFilters: []
			} },
			tags: [],
			outputs: [],
			cacheFrom: request.noCache === true ? [] : target.cacheFrom ?? [],
			cacheTo: caching.exportTo(target.name)
		}))
	};
}
function partName({ stage }) {
	return `${"~"}${stage}`;
}

// src/secrets.ts
/** What must never be shown: the values of secrets, wherever they come from, taken out of every text. */
/** Larger files are refused by BuildKit (500 KiB), so they are no secrets. */
const MAX_SECRET_BYTES = 512e3;
/** Shorter lines of a secret of several lines (`}`) would take half the log with them. */
const SHORTEST_LINE = 4;
const MASK = "***";
/** Collects the secrets' values, hides them from the runner's log, and returns what takes them out of a text. */
async function hideSecrets(secrets, options) {
	const values = await Promise.all(secrets.map(async (secret) => await valueOf(secret, options)));
	const pieces = [options.token, ...values].flatMap((value) => value === void 0 ? [] : piecesOf(value));
	const distinct = [...new Set(pieces)].sort((a, b) => b.length - a.length);
	for (const piece of distinct) options.runner.mask(piece);
	return (text) => distinct.reduce((shown, piece) => shown.replaceAll(piece, MASK), text);
}
async function valueOf(secret, { env, workspace }) {
	switch (secret.kind) {
		case "value": return secret.value;
		case "env": return env[secret.env];
		case "file": return await contentOf(resolve(workspace, secret.path));
	}
}
/** A file that cannot be read is told by the build, with its name; here there is nothing to hide then. */
async function contentOf(path) {
	try {
		return (await stat(path)).size > MAX_SECRET_BYTES ? void 0 : await readFile(path, "utf8");
	} catch {
		return;
	}
}
/** The value, and each of its lines: the log is masked line by line. */
function piecesOf(value) {
	const lines = value.split(/\r?\n/).map((line) => line.trim());
	const [only] = lines.filter((line) => line !== "");
	if (only === void 0) return [];
	return lines.filter((line) => line !== "").length === 1 ? [only] : [value.trim(), ...lines.filter((line) => line.length >= SHORTEST_LINE)];
}

// src/building.ts
/**
* From the plan to built images: the builder, the layer registry beside it, one bake run, and what came of each target.
*/
/**
* Builds every target in one run.
* @throws UserError when docker, the engine or the builder is not what is needed.
*/
async function buildTargets(options) {
	const { inputs, project, planned, client, surroundings } = options;
	const { runner, env, signal } = surroundings;
	const mask = await hideSecrets(inputs.secrets, {
		env,
		runner,
		workspace: project.workspace,
		token: inputs.githubToken
	});
	const { docker } = options.engine;
	const tempRoot = env["RUNNER_TEMP"] ?? tmpdir();
	const builder = await readyBuilder(options, tempRoot);
	const debug = (line) => {
		runner.debug(line);
	};
	const { caching: remembering } = options;
	const caching = builder.loopback && remembering?.keepsLayers === true ? remembering : void 0;
	await using loopback = builder.loopback ? await Loopback.start({
		planned,
		client,
		cache: caching?.cache,
		debug,
		signal
	}) : void 0;
	const { now } = surroundings;
	const isExpected = expectationOf(options);
	const mountOptions = {
		inputs,
		planned,
		isExpected,
		caching,
		docker,
		tempRoot,
		debug,
		now,
		signal
	};
	const mounts = CacheMounting.open({
		...mountOptions,
		builder: builder.name,
		log: (line) => {
			runner.log(line);
		},
		notice: (message) => {
			runner.notice(message);
		},
		onRun: (token) => {
			runner.saveState(STATE.mounts, [token, builder.name].join(" ").trim());
		}
	});
	const notes = await remembering?.cache.notes();
	await using measuring = await Measuring.start({
		planned,
		client,
		debug,
		signal,
		workspace: project.workspace,
		file: project.dockerfileName,
		registry: loopback?.registry,
		unpackedOf: async (digest) => await loopback?.unpackedOf(digest),
		indexOf: (digest) => loopback?.counter.get(digest)?.index,
		remembered: (target) => options.records?.sizesOf(target) ?? [],
		memory: join(userCache(env), "base-layers.json"),
		known: notes?.unpacked ?? /* @__PURE__ */ new Map(),
		stored: notes?.files
	});
	const { local, warnings, unpinned } = await localImages(docker, planned, builder);
	const plain = withOci(buildRequest({
		inputs,
		project,
		planned,
		measure: measuring.destination(),
		isHere: builder.loopback
	}), options, measuring);
	const request = caching === void 0 || loopback === void 0 ? plain : await caching.withReferences(plain, loopback, (name) => isChanged(planned, name));
	if (caching !== void 0 && notes !== void 0) fetchAhead({
		inputs,
		planned,
		isExpected,
		cache: caching.cache,
		upstream: loopback?.upstream,
		notes
	});
	const usage = new DiskUsage(docker, {
		builder: builder.name,
		planned
	});
	const log = progressLog({
		write: (line) => {
			runner.log(line);
		},
		now: surroundings.now
	});
	const layouts = partLayouts(planned);
	const buildOptions = {
		builder: builder.name,
		policy: sourcePolicy([...planned.images.rules(local), ...measuring.layoutRules()]),
		stages: layouts.all,
		stagesOf: layouts.of,
		imageLines: planned.images.lines(),
		file: project.dockerfileName,
		mask,
		log: {
			...log,
			onStep: (step) => {
				log.onStep?.(step);
				if (step.kind === "export" && step.status === "running") usage.expect(step.targets);
			}
		},
		tempRoot,
		signal,
		cacheTrouble: (errors) => caching?.brokenBy(errors),
		targetsOf: targetsNeeding(planned.graph, planned.targets),
		failFast: inputs.failFast,
		retries: inputs.retries,
		retryAfter: async (image) => await client.retryAfter(image, { signal }),
		say: (line) => {
			runner.log(line);
		}
	};
	await mounts?.putIn();
	const outcome = await build(docker, request, buildOptions);
	const takingOut = mounts?.takeOut(outcome);
	const layersOf = (name) => measuring.layersOf(name);
	const late = outcome.kind === "cancelled" ? [] : caching?.unexported(outcome, layersOf) ?? [];
	const exporting = caching === void 0 ? void 0 : exportCaches(late, {
		docker,
		request,
		buildOptions,
		caching
	});
	const sizes = await measuring.sizes(outcome);
	const measuredLater = measuring.finish(outcome, {
		sizes,
		usage
	});
	await Promise.all([exporting, takingOut]);
	const isBase = baseLayers(planned);
	const cache = await saveCache({
		...options,
		docker,
		request,
		buildOptions,
		outcome,
		caching,
		remembering,
		isBase: (digest) => isBase.has(digest),
		imageLayers: () => layersIn([...[...sizes.values()].flatMap(({ platforms }) => platforms), ...options.records?.ownSizes() ?? []]),
		notes: () => notesOf(sizes, {
			readIndexOf: (digest) => measuring.readIndexOf(digest),
			stored: notes?.files ?? /* @__PURE__ */ new Map()
		}),
		newRecords: () => options.records?.withNew(newRecords({
			...options,
			outcome,
			measured: { sizes },
			env,
			now: surroundings.now(),
			builder
		})) ?? NO_RECORDS
	});
	const measured = await measuredLater;
	return builtFrom(outcome, {
		inputs,
		planned,
		measured,
		cache: cache?.facts === void 0 ? void 0 : {
			...cache.facts,
			mounts: mounts?.facts() ?? []
		},
		missing: missingHere({
			inputs,
			builder,
			graph: planned.graph,
			stages: planned.targets.map(({ stage }) => stage),
			isReached: outcome.measured || outcome.built.size === 0,
			unread: measuring.unread,
			unmeasured: [...outcome.built].filter((name) => !sizes.has(name)),
			isPushed: outcome.pushed.length > 0
		}),
		warnings: [
			...builder.warnings,
			...warnings,
			...outcome.kind === "built" ? unpinned : [],
			...outcome.warnings,
			...measured.warnings,
			...cache?.warnings ?? [],
			...mounts?.warnings ?? []
		]
	});
}
const NO_RECORDS = {
	json: {},
	areNew: false
};
/** Saves what the build gave to the layer cache, also a failed one. */
async function saveCache({ caching, remembering, outcome, newRecords: recordsOf, planned, surroundings, ...rest }) {
	if (remembering === void 0) return void 0;
	const log = (line) => {
		surroundings.runner.log(line);
	};
	const rescued = outcome.kind === "failed" && remembering.writes && caching !== void 0 ? await rescue({
		...rest,
		outcome,
		caching,
		planned,
		log
	}) : [];
	const { isBase } = rest;
	const content = {
		isBase,
		imageLayers: rest.imageLayers(),
		notes: rest.notes(),
		records: recordsOf()
	};
	await remembering.finish([...outcome.built, ...rescued], {
		...content,
		told: outcome.warnings
	});
	return {
		facts: await caching?.facts(),
		warnings: await remembering.warnings(outcome.warnings)
	};
}
/** Whether a target surely has something new: not only no record, or an input that cannot be known beforehand. */
function isChanged({ plan }, name) {
	return (plan.targets.find((target) => target.name === name)?.reasons.map(({ kind }) => kind) ?? []).some((kind) => [
		"file",
		"instruction",
		"arg",
		"base-image",
		"platform",
		"option"
	].includes(kind));
}
function withOci(request, { planned, project }, measuring) {
	const { contexts, clashing } = ociMappings(planned);
	measuring.serveLayouts(clashing, project.dockerfileName);
	return {
		...request,
		ociContexts: contexts
	};
}

// src/report/sizes-table.ts
const BAR_WIDTH = 20;
const EIGHTHS = [
	"",
	"▏",
	"▎",
	"▍",
	"▌",
	"▋",
	"▊",
	"▉"
];
/**
* The table without a line break at its end, one line per row below the titles. Bars compare the unpacked sizes (or
* the transfer sizes, where no unpacked one is known) and are left out when there is nothing to compare.
*
* @param options.nameTitle what the first column holds; default `TARGET`
*/
function sizesTable(rows, options = {}) {
	const metric = rows.some((row) => row.unpacked !== void 0) ? "unpacked" : "transfer";
	const max = Math.max(0, ...rows.map((row) => row[metric] ?? 0));
	const bars = rows.length > 1 && max > 0;
	const cells = [[
		options.nameTitle ?? "TARGET",
		"PLATFORM",
		"DIGEST",
		"TRANSFER",
		"UNPACKED",
		"OWN",
		"BASE",
		""
	], ...rows.map((row) => [
		logText(visible(row.name, 40)),
		visible(row.platform, 24),
		shortDigest(row.digest) ?? "-",
		bytes(row.transfer),
		bytes(row.unpacked),
		bytes(row.unpackedOwn),
		bytes(row.unpackedInherited),
		bars ? bar((row[metric] ?? 0) / max, row[metric] === void 0) : ""
	])];
	const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => width(row[i] ?? ""))));
	const isNumber = (i) => i >= 3 && i <= 6;
	return cells.map((row) => row.map((cell, i) => {
		const gap = " ".repeat((widths[i] ?? 0) - width(cell));
		return isNumber(i) ? gap + cell : cell + gap;
	}).join("  ").trimEnd()).join("\n");
}
/** The first twelve hex digits, as Docker shows image ids; undefined for what is no digest. */
function shortDigest(digest) {
	return /^(?:[a-z0-9+._-]+:)?([0-9a-f]{12})[0-9a-f]*$/.exec(digest ?? "")?.[1];
}
/**
* Text that may stand in a step's log without being taken for a workflow command: the runner reads `::` at the start
* of a line and `##[` anywhere (`ActionCommand.TryParseV2` and `TryParse` in actions/runner).
*/
function logText(text) {
	return text.replace(/^(\s*):(?=:)/, "$1: ").replace(/##\[/g, "# #[");
}
function bytes(size) {
	return size === void 0 ? "unknown" : formatBytes(size);
}
function bar(share, unknown) {
	if (unknown) return "?";
	const eighths = Math.round(share * BAR_WIDTH * 8);
	return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "") || (share > 0 ? "▏" : "");
}
function width(text) {
	return Array.from(text).length;
}

// src/report/cache-mounts-lines.ts
/** What the summary tells of cache mounts: a sentence each. */
const MAX_LINES = 12;
function mountSentences({ mounts, now }) {
	const told = mounts.filter(({ putIn, takenOut }) => typeof putIn === "object" || takenOut !== "not-run");
	const more = told.length - MAX_LINES;
	return [...told.slice(0, MAX_LINES).map((mount) => `Cache mount ${code(mount.id, 80)}: ${putIn(mount, now)}; ${takenOut(mount)}.`), ...more > 0 ? [`${count(more, "more cache mount")}.`] : []];
}
function putIn({ putIn: what }, now) {
	if (what === "none") return "there was nothing to put in";
	if (what === "cached") return "nothing was put in, since its step was expected from the cache";
	const age = formatDuration(Math.max(0, now - what.savedAt));
	return `${formatBytes(what.bytes)} of ${code(shortRef(what.ref), 80)} were put in, ${age} old`;
}
function takenOut({ takenOut: what }) {
	if (what === "not-run") return "its step did not run, so nothing was taken out";
	if (what === "not-written") return "nothing was taken out";
	if (what === "unchanged") return "the build left it as it is saved";
	if (what === "empty") return "the build left it empty";
	if ("tooLarge" in what) return `its ${formatBytes(what.tooLarge)} are over \`cache-mounts-max-size\` and were not saved`;
	return `${formatBytes(what.bytes)} taken out`;
}

// src/report/cache-section.ts
/** The summary's section about the layer cache: what each target could use, why not more, and what it cost. */
const MAX_ROWS$3 = 50;
/** Undefined where the run had no layer cache, or nothing was built. */
function layerCache(data) {
	const { cache } = data;
	if (cache === void 0 || data.targets.length === 0) return void 0;
	const targets = data.targets.filter(({ status }) => status !== "unchanged");
	const rows = targets.slice(0, MAX_ROWS$3).map((target) => {
		const imports = cache.imports.get(target.name) ?? [];
		const { steps } = target;
		const cached = steps === void 0 ? "–" : `${steps.cached} of ${steps.run + steps.cached}`;
		return [
			code(target.name, 60),
			used$1(imports, cache),
			cached
		];
	});
	const more = targets.length - rows.length;
	return [
		"#### Layer cache",
		...rows.length === 0 ? [] : [table([
			{ title: "Target" },
			{ title: "Cache used" },
			{
				title: "Steps from cache",
				align: "right"
			}
		], rows) + (more === 0 ? "" : `\n\n${count(more, "more target")} left out.`)],
		[...sentences(cache), ...mountSentences(cache)].map((sentence) => `- ${sentence}`).join("\n")
	].join("\n\n");
}
function used$1(imports, cache) {
	if (imports.length === 0) return "none";
	const distinct = /* @__PURE__ */ new Map();
	for (const found of imports) {
		const key = `${found.ref} ${found.createdAt}`;
		if ((distinct.get(key)?.layers ?? 0) < found.layers) distinct.set(key, found);
	}
	return list$1([...distinct.values()].map(({ ref, createdAt, layers }) => {
		const age = formatDuration(Math.max(0, cache.now - createdAt));
		return `${code(shortRef(ref), 80)}, ${age} old, ${count(layers, "layer")}`;
	}), 3);
}
function* sentences(cache) {
	for (const search of cache.searches) {
		const sentence = searched(search);
		if (sentence !== void 0) yield sentence;
	}
	const proxied = cache.bytesProxied === 0 ? "" : `; ${formatBytes(cache.bytesProxied)} of base images passed on`;
	yield cache.packsFetched === 0 ? `Nothing was fetched from ${place$1(cache)}${proxied}.` : `Fetched ${formatBytes(cache.bytesFetched)} in ${count(cache.packsFetched, "entry", "entries")} from ${place$1(cache)}${proxied}.`;
	if (!cache.writes) yield "This run only reads the cache.";
	else if (cache.bytesSaved === void 0) yield "Nothing new to save.";
	else yield `${cache.savedLater ? "The post step saves" : "Saved"} ${formatBytes(cache.bytesSaved)} of new layers.`;
	if (cache.gone > 0) yield `${count(cache.gone, "entry", "entries")} had been evicted; ${cache.gone === 1 ? "its" : "their"} layers were not used.`;
	if (cache.failed > 0) yield `${count(cache.failed, "entry", "entries")} could not be fetched.`;
	if (cache.damaged > 0) yield `${count(cache.damaged, "layer")} did not have the bytes of ${cache.damaged === 1 ? "its" : "their"} digest and ${cache.damaged === 1 ? "was" : "were"} not used.`;
	if (cache.bytesDropped > 0) yield `${formatBytes(cache.bytesDropped)} of layers were left out, since the cache would be larger than \`cache-max-size\`.`;
	if (cache.trouble !== void 0) yield `Trouble: ${prose(cache.trouble)}.`;
}
/** Why an index was not used; nothing where it was. */
function searched({ source, ref, outcome, reason }) {
	const name = `${{
		own: "this branch",
		base: "the base branch",
		default: "the default branch"
	}[source]} (${code(shortRef(ref), 80)})`;
	if (outcome === "found") return void 0;
	if (outcome === "none") return `No cache of ${name} yet.`;
	const why = prose(reason ?? "no reason given");
	return outcome === "failed" ? `The cache of ${name} could not be read: ${why}.` : `The cache of ${name} is not used: ${why}.`;
}
function place$1(cache) {
	return cache.backend === "github" ? "GitHub’s cache service" : "the cache directory";
}

// src/report/missing.ts
/** The summary's section about what a builder keeps from being told or done. */
/** Undefined where nothing is missing. */
function missing$2(data) {
	if (data.missing === void 0 || data.missing.length === 0) return void 0;
	const rows = data.missing.map(({ what, why, need }) => [
		prose(what),
		prose(why),
		need === void 0 ? "–" : prose(need)
	]);
	return ["#### Not with this builder", table([
		{ title: "What is missing" },
		{ title: "Why" },
		{ title: "What it would take" }
	], rows)].join("\n\n");
}

// src/report/summary-targets.ts
/** The summary's sections about targets: the verdict, their table, their sizes, what multi-stage left behind. */
const MAX_ROWS$2 = 300;
const UNKNOWN = "unknown";
/** The first line: what happened, to how many targets, how large they are. */
function verdict$2(data) {
	const { targets, durationMs } = data;
	const of = (status) => targets.filter((target) => target.status === status).length;
	const time = (word) => durationMs === void 0 ? "" : ` ${word} ${formatDuration(durationMs)}`;
	if (targets.length === 0 || data.failures.length > 0 && of("failed") + of("skipped") === targets.length && of("failed") === 0) {
		const problems = data.failures.length;
		return problems === 0 ? "**Nothing was built**" : `**Nothing was built: ${count(problems, "problem")}**`;
	}
	if (of("failed") > 0) {
		const names = targets.filter((target) => target.status === "failed").map((target) => code(target.name, 40));
		const others = [
			...of("built") > 0 ? [`${of("built")} built`] : [],
			...of("unchanged") > 0 ? [`${of("unchanged")} unchanged`] : [],
			...of("skipped") > 0 ? [`${of("skipped")} not built`] : []
		];
		return `**${targets.length === 1 ? "The target failed" : `${of("failed")} of ${targets.length} targets failed`}${time("after")}** — ${list$1(names, 5)}${others.length === 0 ? "" : `; ${list$1(others)}`}`;
	}
	if (of("unchanged") === targets.length) return `**Nothing to build: ${targets.length === 1 ? "the target is" : `all ${targets.length} targets are`} unchanged**${sizesPhrase(targets)}`;
	const others = [...of("unchanged") > 0 ? [`, ${of("unchanged")} unchanged`] : [], ...of("skipped") > 0 ? [`, ${of("skipped")} not built`] : []].join("");
	return `**${count(of("built"), "target")} built${others}${time("in")}**${sizesPhrase(targets)}`;
}
function sizesPhrase(targets) {
	const known = targets.flatMap((target) => {
		const sizes = target.platforms.map((platform) => platform.transfer.total).filter((size) => size !== void 0);
		if (sizes.length === 0) return [];
		return [`${code(target.name, 40)} ${range(formatBytes(Math.min(...sizes)), formatBytes(Math.max(...sizes)))}`];
	});
	if (known.length === 0) return "";
	return ` — ${(known.length > 6 ? [...known.slice(0, 5), `${known.length - 5} more`] : known).join(", ")} to transfer`;
}
/** Platforms differ: `5.50–5.70 MB`, `980 kB–1.20 MB`. */
function range(least, most) {
	if (least === most) return most;
	const unit = most.slice(most.indexOf(" "));
	return `${least.endsWith(unit) ? least.slice(0, -unit.length) : least}–${most}`;
}
const COLUMNS = [
	{ title: "Target" },
	{ title: "Platform" },
	{
		title: "Transfer",
		align: "right"
	},
	{
		title: "Own",
		align: "right"
	},
	{
		title: "Base",
		align: "right"
	},
	{
		title: "Unpacked",
		align: "right"
	},
	{
		title: "Time and steps",
		align: "right"
	},
	{ title: "Image" }
];
/** One row per target and platform. Undefined without targets. */
function targetsTable(data, maxRows = MAX_ROWS$2) {
	if (data.targets.length === 0) return void 0;
	const rows = data.targets.flatMap(targetRows);
	const shown = rows.slice(0, maxRows);
	const reasons = data.targets.flatMap(unknownReasons);
	return [
		table(COLUMNS, shown),
		...shown.length < rows.length ? [`${rows.length - shown.length} more rows are left out.`] : [],
		...reasons.length === 0 ? [] : [bullets(reasons.slice(0, maxRows))],
		"<sub>Transfer: the layers as a registry keeps them, the sum of own (what this Dockerfile adds) and base (what it inherits). Unpacked: the files in them.</sub>"
	].join("\n\n");
}
function targetRows(target) {
	return (target.platforms.length === 0 ? [void 0] : target.platforms).map((platform, i) => {
		const first = i === 0;
		const size = (bytes) => bytes === void 0 ? hasImage(target) ? UNKNOWN : "–" : unbroken$1(formatBytes(bytes));
		return [
			first ? nameCell(target) : "",
			platform === void 0 ? "–" : code(platform.platform, 32),
			size(platform?.transfer.total),
			size(platform?.transfer.own),
			size(platform?.transfer.inherited),
			size(platform?.unpacked.total),
			first ? workCell(target) : "",
			imageCell(platform?.digest ?? (first ? target.digest : void 0), first ? target.tags : [])
		];
	});
}
function hasImage(target) {
	return target.status === "built" || target.status === "unchanged";
}
function nameCell(target) {
	const name = `**${code(target.name, 60)}**`;
	switch (target.status) {
		case "built": return name;
		case "failed": return `❌ ${name} failed`;
		case "unchanged": return `${name} unchanged`;
		case "skipped": return `${name} not built`;
	}
}
function workCell({ durationMs, steps }) {
	return [...durationMs === void 0 ? [] : [unbroken$1(formatDuration(durationMs))], ...steps === void 0 ? [] : [`<sub>${unbroken$1(`${steps.run} run, ${steps.cached} cached`)}</sub>`]].join("<br>");
}
/** Columns are narrow: a number stays with its unit. */
function unbroken$1(text) {
	return text.replaceAll(" ", "&nbsp;");
}
function imageCell(digest, tags) {
	const short = shortDigest(digest);
	const tag = tags[0];
	const more = tags.length > 1 ? ` +${tags.length - 1}` : "";
	return [...tag === void 0 ? [] : [code(tag, 36) + more], ...short === void 0 ? [] : [`\`${short}\``]].join("<br>");
}
/** A size that isn't known is explained where the table says so. */
function unknownReasons(target) {
	if (!hasImage(target)) return [];
	return target.platforms.filter(({ transfer, unpacked }) => [
		transfer.total,
		transfer.own,
		transfer.inherited,
		unpacked.total
	].includes(void 0)).map((platform) => {
		const all = platform.transfer.total === void 0 && platform.unpacked.total === void 0;
		const reason = platform.unknownReason === void 0 ? "no reason was recorded." : prose(platform.unknownReason, 500);
		return `${code(target.name, 60)} ${code(platform.platform, 32)}: ${all ? "its sizes are" : "a part of its sizes is"} unknown: ${reason}`;
	});
}
/** All images of the run beside each other. Undefined where there are fewer than two to compare. */
function sideBySide(data) {
	const rows = sizeRows(data);
	if (rows.length < 2) return void 0;
	const table = sizesTable(rows.slice(0, MAX_ROWS$2)).split("\n");
	return `#### Sizes side by side\n\n${codeBlock(table, { maxLines: 301 })}\n\n<sub>Own and base are parts of the unpacked size here.</sub>`;
}
/** The rows of {@link sizesTable} for every image that there is. */
function sizeRows(data) {
	return data.targets.filter(hasImage).flatMap((target) => target.platforms.map((platform) => ({
		name: target.name,
		platform: platform.platform,
		digest: platform.digest ?? target.digest,
		transfer: platform.transfer.total,
		unpacked: platform.unpacked.total,
		unpackedOwn: platform.unpacked.own,
		unpackedInherited: platform.unpacked.inherited
	})));
}
/** Each stage that a target took files from without shipping it. Undefined where there is none. */
function leftBehind(data) {
	const rows = data.targets.filter(hasImage).flatMap((target) => target.leftBehind.map((stage) => leftBehindRow(target, stage)));
	if (rows.length === 0) return void 0;
	const shown = rows.slice(0, MAX_ROWS$2);
	return [
		"#### What multi-stage left behind",
		table([
			{ title: "Stage left behind" },
			{ title: "Its base" },
			{
				title: "Its size",
				align: "right"
			},
			{ title: "" },
			{ title: "Target" },
			{
				title: "Final image",
				align: "right"
			},
			{
				title: "Difference",
				align: "right"
			}
		], shown),
		...shown.length < rows.length ? [`${rows.length - shown.length} more rows are left out.`] : [],
		leftBehindNote(data.targets.filter(hasImage).flatMap((target) => target.leftBehind))
	].join("\n\n");
}
function leftBehindNote(stages) {
	const metrics = [...new Set(stages.map((stage) => stage.metric))];
	const estimate = stages.some((stage) => stage.approximate && stage.size !== void 0) ? " ≈ marks an estimate." : "";
	return `<sub>What each stage holds, its base included, and what the target ships instead. ${metrics.length === 1 ? `Sizes here are ${metrics[0] ?? ""} sizes.` : "Each row compares like with like."}${estimate}</sub>`;
}
function leftBehindRow(target, stage) {
	const final = (target.platforms.find(({ platform }) => platform === stage.platform) ?? target.platforms[0])?.[stage.metric].total;
	const change = stage.size === void 0 || final === void 0 ? void 0 : formatChange(stage.size, final);
	return [
		`${code(stage.name ?? `stage ${stage.stage}`, 60)} <sub>line ${stage.line}</sub>`,
		stage.baseImage === void 0 ? "–" : code(stage.baseImage, 60),
		stage.size === void 0 ? UNKNOWN : `${stage.approximate ? "≈ " : ""}${formatBytes(stage.size)}`,
		"→",
		code(target.name, 60),
		final === void 0 ? UNKNOWN : formatBytes(final),
		change === void 0 || !change.startsWith("−") ? "" : `**${change}**`
	];
}
function bullets(items) {
	return items.map((item) => `- ${item}`).join("\n");
}

// src/report/summary.ts
/** The job summary: which sections stand in which order, and what goes when there is no room for all of them. */
/**
* GitHub refuses a step's summary above 1 MiB, whole. (docs: workflow-commands, "Step isolation and limits".) A little
* stays free for what else the step writes.
*/
const MAX_SUMMARY_BYTES = 1e6;
/**
* The summary as Markdown, ending in a line break. Its first line is the verdict. Where it would exceed `maxBytes`
* (UTF-8), sections go in this order, and a sentence says which: timeline, stage graph, external images, tags and
* digests, the layer cache, sizes side by side, what was left behind, what is missing, warnings and notes; then all but the first reasons,
* the failures' last lines and all but the first rows of the table are cut.
*/
function renderSummary(data, maxBytes = MAX_SUMMARY_BYTES) {
	let sections = [
		{
			name: "verdict",
			markdown: verdict$2(data)
		},
		{
			name: "identity",
			markdown: identity(data)
		},
		{
			name: "the last lines of failing steps",
			markdown: failures$1(data),
			drop: 10,
			shorter: () => failures$1(data, 0)
		},
		{
			name: "rows of the table",
			markdown: targetsTable(data),
			drop: 11,
			shorter: () => targetsTable(data, 10)
		},
		{
			name: "the comparison of sizes",
			markdown: data.sizeReport?.trim(),
			drop: 8
		},
		{
			name: "why targets are built",
			markdown: whyBuilt(data),
			drop: 9,
			shorter: () => whyBuilt(data, 20)
		},
		{
			name: "the sizes side by side",
			markdown: sideBySide(data),
			drop: 6
		},
		{
			name: "what multi-stage left behind",
			markdown: leftBehind(data),
			drop: 7
		},
		{
			name: "the layer cache",
			markdown: layerCache(data),
			drop: 5
		},
		{
			name: "what is missing",
			markdown: missing$2(data),
			drop: 7
		},
		{
			name: "warnings and notes",
			markdown: notes(data),
			drop: 8
		},
		{
			name: "the stage graph",
			markdown: stageGraph(data),
			drop: 2
		},
		{
			name: "the timeline",
			markdown: timeline(data),
			drop: 1
		},
		{
			name: "the external images",
			markdown: externalImages(data),
			drop: 3
		},
		{
			name: "tags and digests",
			markdown: tagsAndDigests(data),
			drop: 4
		}
	];
	const dropped = [];
	let text = assemble$1(sections, dropped);
	while (Buffer.byteLength(text) > maxBytes) {
		const victim = nextToDrop(sections);
		if (victim === void 0) return `${[verdict$2(data), leftOut$1(["everything else"])].join("\n\n")}\n`;
		dropped.push(victim.name);
		sections = sections.map((section) => section === victim ? {
			name: section.name,
			markdown: section.shorter?.()
		} : section);
		text = assemble$1(sections, dropped);
	}
	return text;
}
function nextToDrop(sections) {
	return sections.filter((section) => section.drop !== void 0 && section.markdown !== void 0).sort((a, b) => (a.drop ?? 0) - (b.drop ?? 0))[0];
}
function assemble$1(sections, dropped) {
	return `${[...sections.map((section) => section.markdown).filter((markdown) => markdown !== void 0), ...dropped.length === 0 ? [] : [leftOut$1(dropped)]].join("\n\n")}\n`;
}
function leftOut$1(names) {
	return `<sub>Left out, since GitHub takes 1 MiB of summary per step: ${list$1(names)}.</sub>`;
}
function identity(data) {
	return `${data.title === "" || data.title === data.file ? "" : `${code(data.title, 80)} · `}file ${code(data.file, 200)} · context ${code(data.context, 200)}`;
}

// src/build/retag-failure.ts
/**
* Why a tag could not be written, from a registry's answer to us or from buildx's words. Pure. Every pattern stands for a text that
* was seen: buildx 0.29 prints the registry's status and, on the next line, the code and message of the API's first error.
*/
/**
* Registries that keep tags from being overwritten. ECR answers 400 (TAG_INVALID), Harbor 412, others 403 or 409, and Quay,
* MSR and ACR each in words of their own; https://github.com/moby/buildkit/issues/3776 and
* https://github.com/goharbor/harbor/issues/18792 show two of them.
*/
const IMMUTABLE = /immutab|cannot be (?:overwritten|overwrite|updated|modified)|already exists|not allow\w* overwrit/i;
const NO_LOGIN = /no basic auth|authorization failed|failed to authorize|unauthorized|authentication required|insufficient_scope/i;
const NOT_ALLOWED = /denied|forbidden|permission/i;
const NO_CONNECTION = /no such host|connection refused|i\/o timeout|TLS handshake|x509|network is unreachable|no route to host|context deadline|HTTP response to HTTPS/i;
const BROKEN = /connection reset|broken pipe|unexpected EOF|\bEOF$|i\/o timeout|TLS handshake timeout|server closed/i;
/** Buildx puts a manifest while the parts of it are still on their way; the registry's own words for it. */
const UNFINISHED = /blob unknown to registry|MANIFEST_BLOB_UNKNOWN/i;
/**
* @param tag the full reference that was to be written
* @param error buildx's error for it
*/
function retagFailure(tag, error) {
	const status = Number(/unexpected status[^\n]*: (\d{3}) [A-Z]/.exec(error)?.[1] ?? 0);
	return failureOf(tag, {
		status,
		said: words$2(error),
		cause: causeOf(error, status)
	}, "buildx failed.");
}
/**
* @param tag the full reference that was to be written
* @param error what came of our own requests for it, after all tries
*/
function writeFailure(tag, error) {
	const { kind, status = 0, said = "" } = error;
	return failureOf(tag, {
		status,
		said: kind === "unreachable" ? errorCode(error.cause) ?? "" : said,
		cause: {
			unauthorized: "login",
			denied: "login",
			unreachable: "connection",
			"not-found": "not-found"
		}[kind] ?? "other"
	}, sentence$1(error.message)).problem;
}
/** A tag that was written and stands for something else. */
function wrongTag(tag, { digest, found }) {
	return {
		message: `${tag} was written, but does not point to ${digest}: ${found === void 0 ? "it is not there" : `it points to ${found}`}.`,
		mend: "Look for another job that writes the same tag at the same time, and run this one again."
	};
}
function failureOf(tag, { status, said, cause }, otherwise) {
	const reference = parseReference(tag);
	const { domain, path } = reference;
	const name = formatFamiliar(reference);
	const fail = (why, mend, passing = false) => ({
		passing,
		problem: {
			message: `${name} was not re-tagged: ${why}${said === "" ? "" : ` It said: ${sentence$1(said)}`}`,
			mend
		}
	});
	if (IMMUTABLE.test(said) || status === 409 || status === 412) return fail(`the tag is there with another image, and ${domain} does not let it be overwritten.`, `Use a tag that every commit has anew (\`\${{ github.sha }}\`), or let this tag be overwritten in the settings of ${path}.`);
	if (cause === "login") return fail(`${domain} does not let this job write it (not logged in, or no permission).`, loginMend(domain, path));
	if (status === 429) return fail(`${domain} refuses more requests for now.`, "Run the job again later, or write fewer tags.", true);
	if (UNFINISHED.test(said)) return fail(`${domain} does not have all that it was just sent.`, "Run the job again.", true);
	if (status >= 500) return fail(`${domain} failed with status ${status}.`, "Run the job again later.", true);
	if (cause === "connection" || cause === "broken-connection") return fail(`${domain} could not be reached.`, "Check the name of the registry and the runner’s network.", cause === "broken-connection");
	if (cause === "not-found") return fail("its image is no longer there.", "Run the job again: what is not there is built.");
	return fail(status === 0 ? otherwise : `${domain} answered with status ${status}.`, "Check that the registry takes this kind of image and tag.");
}
function causeOf(error, status) {
	if (status === 401 || status === 403) return "login";
	if (status === 404 || status === 0 && /: not found$/.test(error)) return "not-found";
	if (status !== 0) return "other";
	if (NO_LOGIN.test(error) || NOT_ALLOWED.test(error)) return "login";
	if (BROKEN.test(error)) return "broken-connection";
	return NO_CONNECTION.test(error) ? "connection" : "other";
}
function loginMend(domain, path) {
	if (domain === "ghcr.io") return `Give the job \`permissions: packages: write\`, log in before this step with docker/login-action (registry: ghcr.io), and let this repository write in the settings of the package ${path} (Manage Actions access).`;
	return `Log in before this step with ${`docker/login-action${domain === "docker.io" ? "" : ` (registry: ${domain})`}`}, with an account or token that may push to ${path}.`;
}
/** What the registry said beside its status; without that, buildx's last clause. One short line. */
function words$2(error) {
	const [head = "", ...rest] = error.split("\n");
	const body = oneLine(rest.join(" ")).replace(/^unknown: /, "");
	if (body !== "") return body;
	return /unexpected status/.test(head) ? "" : oneLine(head.split(": ").slice(-2).join(": "));
}

// src/build/retag-in-place.ts
/**
* Further tags of an image in its own repository: its manifest is read once and put under each name. `imagetools create`
* would do the same with dozens of requests a tag (it reads every child manifest, and each of those counts as a pull on Docker
* Hub) and 0.2–0.3 s of a processor: ten targets took 1.3–1.8 s that way, and take 0.1 s this way (2 cores, registry beside).
*/
/** Tags of one image at a time. */
const CONCURRENCY$3 = 4;
/** Before a tag that does not stand for the image yet is asked for again, ms: registries in several places may be late. */
const WAITS = [500, 2e3];
/**
* Carries out an action whose source is in the tags' own repository. What is wrong with each tag that does not stand for the image
* afterwards.
* @throws the signal's reason when it is aborted
*/
async function retagInPlace({ source, tags }, options) {
	const { client, signal } = options;
	let manifest;
	try {
		manifest = await client.fetchManifest(source, { signal });
	} catch (error) {
		const failure = registryError(error, signal);
		return new Map(tags.map((tag) => [tag, writeFailure(tag, failure)]));
	}
	const problems = await sideBySide$1(tags, CONCURRENCY$3, async (tag) => {
		const problem = await writeOne(tag, manifest, options);
		return problem === void 0 ? [] : [[tag, problem]];
	});
	return new Map(problems.flat());
}
async function writeOne(tag, manifest, { client, signal }) {
	const { digest } = manifest;
	try {
		let found = await client.writeTag(tag, manifest, { signal });
		for (const wait of WAITS) {
			if (found === digest) return void 0;
			await setTimeout$1(wait, void 0, signal === void 0 ? {} : { signal });
			found = await client.findDigest(tag, { signal });
		}
		return found === digest ? void 0 : wrongTag(tag, {
			digest,
			found
		});
	} catch (error) {
		const failure = registryError(error, signal);
		return wasAnswered(failure) && await standsFor(tag, digest, {
			client,
			signal
		}) ? void 0 : writeFailure(tag, failure);
	}
}
function wasAnswered({ kind }) {
	return kind !== "unreachable" && kind !== "rate-limited";
}
async function standsFor(tag, digest, { client, signal }) {
	try {
		return await client.findDigest(tag, { signal }) === digest;
	} catch (error) {
		registryError(error, signal);
		return false;
	}
}
/** @throws what is no registry's failure; the signal's reason when it is aborted */
function registryError(error, signal) {
	signal?.throwIfAborted();
	if (!(error instanceof RegistryError)) throw error;
	return error;
}

// src/build/imagetools.ts
/**
* Writes tags of images that a registry already holds, as `images/retag.ts` planned it: in the image's own repository by
* `retag-in-place.ts`, and in another one with `docker buildx imagetools create`, which needs no engine, uses docker's own
* logins, and copies or mounts what is missing there.
*/
/** Actions at a time: of copies, and where nothing is copied. */
const CONCURRENCY$2 = {
	copying: 8,
	inPlace: 16
};
/** Before the second and the third try, ms. */
const BACKOFF = [500, 2e3];
/** `docker buildx imagetools create`: the image as it is, under more tags of one repository. */
function createImageArgs({ source, tags }, builder) {
	const args = [
		"buildx",
		"imagetools",
		"create",
		"--progress",
		"rawjson",
		"--prefer-index=false"
	];
	if (builder !== void 0) args.push("--builder", builder);
	for (const tag of tags) args.push("--tag", tag);
	return [...args, source];
}
/**
* Carries out all actions, several side by side, and looks whether the tags point to the image. One answer per action, in
* their order: what is wrong with the first tag that could not be written, or undefined when all is well. A tag that could
* not be written keeps no other from being written.
* @throws UserError when there is no docker program; the signal's reason when it is aborted
*/
async function carryOut(docker, actions, options) {
	const limit = CONCURRENCY$2[actions.every(isInPlace) ? "inPlace" : "copying"];
	return await sideBySide$1(actions, options.concurrency ?? limit, async (action) => {
		const failures = await writeAction(docker, action, options);
		return action.tags.map((tag) => failures.get(tag)).find((problem) => problem !== void 0);
	});
}
async function writeAction(docker, action, options) {
	if (isInPlace(action)) return await retagInPlace(action, options);
	const { source, tags: [first, ...rest] } = action;
	if (first === void 0) return /* @__PURE__ */ new Map();
	const copied = await writeAgain(docker, {
		source,
		tags: [first]
	}, options);
	if (rest.length === 0) return copied;
	const copy = `${repositoryOf(first)}@${digestOf(source)}`;
	const others = copied.size === 0 ? await retagInPlace({
		source: copy,
		tags: rest
	}, options) : await writeAgain(docker, {
		source,
		tags: rest
	}, options);
	return new Map([...copied, ...others]);
}
function isInPlace({ source, tags }) {
	return tags.every((tag) => source.startsWith(`${repositoryOf(tag)}@`));
}
/** Writes, and writes once more after a passing failure what is still not right. */
async function writeAgain(docker, action, options) {
	let { tags } = action;
	const problems = /* @__PURE__ */ new Map();
	for (const wait of [...BACKOFF, void 0]) {
		const failures = await writeOnce(docker, {
			source: action.source,
			tags
		}, options);
		for (const tag of tags) problems.delete(tag);
		for (const [tag, { problem }] of failures) problems.set(tag, problem);
		tags = tags.filter((tag) => failures.get(tag)?.passing === true);
		if (tags.length === 0 || wait === void 0) break;
		await setTimeout$1(wait, void 0, options.signal === void 0 ? {} : { signal: options.signal });
	}
	return problems;
}
async function writeOnce(docker, action, { client, builder, signal }) {
	const errors = await createImage(docker, {
		action,
		builder,
		signal
	});
	const failures = /* @__PURE__ */ new Map();
	const verify = async (tag) => {
		const error = errors.get(tag);
		const said = error === void 0 ? void 0 : retagFailure(tag, error);
		const wrong = await verified(tag, {
			digest: digestOf(action.source),
			client,
			signal
		});
		if (wrong !== void 0) failures.set(tag, said ?? wrong);
	};
	await Promise.all(action.tags.map(verify));
	return failures;
}
/** Runs the command; what buildx said for each tag that was not written. */
async function createImage(docker, run) {
	const { action, builder, signal } = run;
	const ended = /* @__PURE__ */ new Map();
	const text = [];
	const reader = rawJsonReader(({ vertexes }) => {
		for (const { name, completedMs, error } of vertexes) if (completedMs !== void 0) ended.set(name.replace(/^\[internal\] pushing /, ""), error);
	}, (line) => text.push(line));
	const { code } = await runDocker(docker, createImageArgs(action, builder), {
		signal,
		onStderr: (chunk) => {
			reader.push(chunk);
		}
	});
	reader.end();
	signal?.throwIfAborted();
	if (code === 0) return /* @__PURE__ */ new Map();
	const last = text.join("\n").replace(/^[^]*?ERROR: /, "") || `it ended with exit code ${String(code)}`;
	return new Map(action.tags.flatMap((tag) => {
		const error = ended.has(tag) ? ended.get(tag) : last;
		return error === void 0 ? [] : [[tag, error]];
	}));
}
/** What is wrong with a tag that should point to the image, if anything is. */
async function verified(tag, { digest, client, signal }) {
	try {
		const found = await client.findDigest(tag, { signal });
		if (found === digest) return void 0;
		return {
			passing: true,
			problem: wrongTag(tag, {
				digest,
				found
			})
		};
	} catch (error) {
		signal?.throwIfAborted();
		if (!(error instanceof RegistryError)) throw error;
		return {
			passing: false,
			problem: {
				message: error.message,
				mend: error.mend
			}
		};
	}
}
function digestOf(source) {
	return source.slice(source.indexOf("@") + 1);
}

// src/skipping.ts
/** Skips the unchanged targets; re-tags what is pushed. */
async function skipUnchanged(options) {
	const { planned, log } = options;
	const unchanged = [...planned.decisions].flatMap(([name, decision]) => decision.status === "unchanged" && !isBuiltAnyway(planned.partOf(name).part.inputs) ? [[name, decision]] : []);
	const failures = await retag(unchanged, options);
	const skipped = unchanged.filter(([name]) => !failures.has(name));
	for (const [name, decision] of skipped) log(`  ${name} is not built: ${sinceText(decision)}${insteadText(decision, planned.tagsOf.get(name) ?? [], planned.partOf(name).part.inputs)}`);
	const sizes = new Map(skipped.flatMap(([name, { record }]) => withKey(name, recordedSizes(record))));
	return {
		sizes,
		images: new Map(skipped.map(([name, { record, retag: plan }]) => [name, {
			target: name,
			tags: planned.tagsOf.get(name) ?? [],
			digest: plan === void 0 ? void 0 : record.image.digest,
			imageId: record.image.imageId,
			sizes: sizes.get(name)
		}])),
		warnings: [...failures].map(([name, { message, ...problem }]) => ({
			...problem,
			message: `\`${name}\` is unchanged, but it is built, since its tags could not be set: ${sentence$1(message)}`
		}))
	};
}
function withKey(key, value) {
	return value === void 0 ? [] : [[key, value]];
}
/** Why it could not be done, by target. */
async function retag(unchanged, { docker, client, signal }) {
	const actions = unchanged.flatMap(([, { retag: plan }]) => plan?.actions ?? []);
	if (actions.length === 0) return /* @__PURE__ */ new Map();
	const problems = await carryOut(docker, actions, {
		client,
		signal
	});
	const failed = new Map(actions.flatMap((action, index) => withKey(action, problems[index])));
	return new Map(unchanged.flatMap(([name, { retag: plan }]) => withKey(name, (plan?.actions ?? []).map((action) => failed.get(action)).find((problem) => problem !== void 0))));
}
/** What was done instead of building. */
function insteadText({ record, retag: plan }, tags, { matrixBy }) {
	if (plan === void 0) return "";
	if (matrixBy === "platform") return `; ${record.image.digest?.slice(0, 19) ?? ""} is there still`;
	if (plan.actions.length === 0) return `; ${tags.length === 1 ? "its tag is" : "its tags are"} there already`;
	return `; re-tagged ${record.image.digest?.slice(0, 19) ?? ""}`;
}
/** What came of a run that built nothing. */
async function builtNothing(caching) {
	return {
		images: [],
		unchanged: /* @__PURE__ */ new Set(),
		failed: /* @__PURE__ */ new Map(),
		metadata: {},
		steps: [],
		measured: {
			sizes: /* @__PURE__ */ new Map(),
			leftBehind: /* @__PURE__ */ new Map(),
			unknownReason: void 0,
			warnings: []
		},
		cache: caching?.keepsLayers === true ? await caching.facts() : void 0,
		missing: [],
		problems: [],
		warnings: await caching?.warnings([]) ?? []
	};
}
/** What was built, and what was not, in the order of the targets. */
function withSkipped(built, { skipped, planned }) {
	const images = new Map(built.images.map((image) => [image.target, image]));
	return {
		...built,
		unchanged: new Set(skipped.images.keys()),
		images: planned.plan.targets.flatMap(({ name }) => images.get(name) ?? skipped.images.get(name) ?? []),
		measured: {
			...built.measured,
			sizes: new Map([...skipped.sizes, ...built.measured.sizes])
		},
		metadata: {
			...Object.fromEntries([...skipped.images].map(([name, image]) => [name, metadataOf$1(image)])),
			...built.metadata
		},
		warnings: [...skipped.warnings, ...built.warnings]
	};
}
/** As buildx tells of a built one. https://github.com/docker/buildx/blob/v0.29.1/docs/reference/buildx_bake.md#metadata-file */
function metadataOf$1({ digest, imageId, tags }) {
	return {
		...imageId === void 0 ? {} : { "containerimage.config.digest": imageId },
		...digest === void 0 ? {} : {
			"containerimage.digest": digest,
			"image.name": tags.join(",")
		}
	};
}

// src/step-end.ts
/** The lines about sizes. */
function tell(runner, { verdict, notice, commentUrl }) {
	for (const line of [
		verdict,
		notice,
		commentUrl
	]) if (line !== void 0) runner.log(line);
}
/** What the outputs say of sizes. */
function reportOutputs({ report, commentUrl }) {
	return {
		rows: report.rows,
		baselineSha: report.baseline.commit,
		commentUrl
	};
}
/** A summary that cannot be written is no reason to fail a build. */
async function appendSummary(runner, markdown, warn) {
	try {
		await runner.appendSummary(markdown);
	} catch (error) {
		warn([{ message: `The job summary could not be written: ${error instanceof Error ? error.message : String(error)}.` }]);
	}
}

// src/build-step.ts
/**
* From the plan to its end: what did not change is left, the others are built, and all is reported. Loaded when a plan is to be
* carried out: a step that only plans is quicker without it.
*/
/** Carries a plan out. @throws UserError for what a user can mend, when everything is told that is known */
async function buildPlanned(step) {
	const { inputs, project, planned, client, surroundings, sizing, records, caching, engine, started } = step;
	const { runner, env, now } = surroundings;
	sizing.begin({
		planned,
		project,
		registry: client,
		records,
		caching
	});
	const skipped = await skipUnchanged({
		planned,
		client,
		signal: surroundings.signal,
		docker: dockerOf(project, env),
		log: (line) => {
			runner.log(line);
		}
	});
	const toBuild = planned.targets.filter(({ name }) => !skipped.images.has(name));
	const others = planned.targets.filter((target) => !toBuild.includes(target));
	const built = withSkipped(toBuild.length === 0 ? await builtNothing(caching) : await buildTargets({
		inputs: project.inputs,
		project,
		client,
		surroundings,
		caching,
		records,
		planned: {
			...planned,
			targets: toBuild,
			linked: [...planned.linked, ...others]
		},
		engine: await (engine ?? openEngine(project, env, inputs.builder))
	}), {
		skipped,
		planned
	});
	await report({
		...step,
		built,
		durationMs: now() - started
	});
}
async function report(options) {
	const { planned, built, surroundings, warn, sizing } = options;
	const { runner } = surroundings;
	warn(built.warnings);
	const sizes = await sizing.finish(options);
	warn(sizes.warnings);
	const data = {
		...summaryData(options),
		sizeReport: sizes.section
	};
	writeBuildOutputs(runner, built.images, {
		metadata: built.metadata,
		report: reportOutputs(sizes),
		toBuild: planned.targets.flatMap(({ name }) => built.unchanged.has(name) ? [] : [name])
	});
	if (built.images.length > 0) runner.log(`\n${sizesTable(sizeRows(data))}`);
	tell(runner, sizes);
	await appendSummary(runner, renderSummary(data), warn);
	throwIfAny([...built.problems, ...sizes.problems]);
}

// src/cache/cleanup-plan.ts
/**
* Which entries of the cache service are of no use to anybody: those of closed pull requests, indexes that a later one
* stands in for, and packs that no index names. Only what is surely so; what cannot be known stays. Pure.
*/
/** An index that a later one stands in for is kept for so long: pull requests are compared with it, and start from it. */
const KEPT_MS = 2592e5;
/** What is younger may belong to a run that is not over: its packs are saved before its index. */
const YOUNG_MS = 216e5;
/** Whether stage-build made an entry: no other is ever touched. */
function isOurs({ key }) {
	return INDEX_KEY.test(key) || PACK_KEY.test(key);
}
/** Entries of pull requests that are not open, and indexes that others stand in for. */
function uselessAtSight({ entries, openPulls, now }) {
	const ours = entries.filter(isOurs);
	const closed = ours.flatMap((entry) => {
		const pull = pullOf$1(entry);
		return pull !== void 0 && openPulls?.has(pull) === false ? [{
			entry,
			why: {
				kind: "closed",
				pull
			}
		}] : [];
	});
	const gone = new Set(closed.map(({ entry }) => entry));
	const superseded = supersededOf(ours.filter((entry) => !gone.has(entry)), now);
	return [...closed, ...superseded.map((entry) => ({
		entry,
		why: { kind: "superseded" }
	}))];
}
/** The pull request whose scope an entry is in. */
function pullOf$1({ ref }) {
	const [, number] = /^refs\/pull\/(\d{1,15})\//.exec(ref) ?? [];
	return number === void 0 ? void 0 : Number(number);
}
function supersededOf(entries, now) {
	const latest = /* @__PURE__ */ new Map();
	const indexes = entries.flatMap((entry) => {
		const [, place = "", , commit = ""] = INDEX_KEY.exec(entry.key) ?? [];
		return place === "" ? [] : [{
			entry,
			place: `${entry.ref} ${place}`,
			ofCommit: `${entry.ref} ${place} ${commit}`
		}];
	});
	for (const { entry, place, ofCommit } of indexes) for (const name of [place, ofCommit]) if (isLater(entry, latest.get(name))) latest.set(name, entry);
	return indexes.flatMap(({ entry, place, ofCommit }) => {
		const age = now - entry.createdAt;
		if (latest.get(place) === entry || age < YOUNG_MS) return [];
		return pullOf$1(entry) === void 0 && latest.get(ofCommit) === entry && age < KEPT_MS ? [] : [entry];
	});
}
function isLater(entry, other) {
	if (other === void 0) return true;
	return entry.createdAt > other.createdAt || entry.createdAt === other.createdAt && entry.key > other.key;
}
/** Keys of the indexes that must be read to judge the packs of these refs. */
function indexesToRead({ entries }, useless, refs) {
	const gone = new Set(useless.map(({ entry }) => entry));
	return entries.filter((entry) => refs.includes(entry.ref) && INDEX_KEY.test(entry.key) && !gone.has(entry)).map(({ key }) => key);
}
/**
* Of what is useless at sight, without indexes that others stand in for and that still name what came with them: their
* blobs are in use.
* @param named as for {@link unreferencedPacks}
*/
function withoutNamed(useless, refs, named) {
	const { live, unknown } = readingOf(named);
	return useless.filter(({ entry, why }) => {
		if (why.kind !== "superseded") return true;
		const project = INDEX_KEY.exec(entry.key)?.[2] ?? "";
		return refs.includes(entry.ref) && !live.has(entry.key) && !unknown.has(project);
	});
}
/**
* Packs of these refs that none of the indexes there names.
* @param named of each index that stays, by key, the keys of its packs; undefined where it could not be read: the packs of
* its project stay then
*/
function unreferencedPacks({ entries, now }, refs, named) {
	const { live, unknown } = readingOf(named);
	return entries.flatMap((entry) => {
		const [, project] = PACK_KEY.exec(entry.key) ?? [];
		if (project === void 0 || !refs.includes(entry.ref)) return [];
		return live.has(entry.key) || unknown.has(project) || now - entry.createdAt < YOUNG_MS ? [] : [{
			entry,
			why: { kind: "unreferenced" }
		}];
	});
}
/** The packs that the indexes name, and the projects of those that could not be read. */
function readingOf(named) {
	const unread = [...named].filter(([, keys]) => keys === void 0);
	return {
		live: new Set([...named.values()].flatMap((keys) => keys ?? [])),
		unknown: new Set(unread.map(([key]) => INDEX_KEY.exec(key)?.[2] ?? ""))
	};
}

// src/github/cache-entries.ts
/**
* The entries of a repository's cache for Actions, as GitHub's API lists and deletes them.
* https://docs.github.com/en/rest/actions/cache
*/
const ENTRIES = "GET /repos/{owner}/{repo}/actions/caches";
const ENTRY = "DELETE /repos/{owner}/{repo}/actions/caches/{cache_id}";
const PULLS$1 = "GET /repos/{owner}/{repo}/pulls";
const MOST_PAGES = 100;
/** All entries whose keys begin so, the oldest first, so that what is added meanwhile is only missed. Never rejects. */
async function listEntries(client, repository, prefix) {
	const parameters = {
		key: prefix,
		sort: "created_at",
		direction: "asc"
	};
	const pages = await allPages(client, ENTRIES, {
		...parametersOf(repository),
		...parameters
	});
	if (!pages.ok) return pages;
	const entries = [];
	for (const page of pages.value.pages) {
		const caches = field$1(page, "actions_caches");
		if (!Array.isArray(caches)) return undocumented("list of cache entries");
		entries.push(...list(caches).flatMap((one) => entryOf(one) ?? []));
	}
	return success({
		entries,
		isCut: pages.value.isCut
	});
}
/** Numbers of the pull requests that are open; a failure where there are more than are ever listed. Never rejects. */
async function listOpenPulls(client, repository) {
	const pages = await allPages(client, PULLS$1, {
		...parametersOf(repository),
		state: "open",
		sort: "created",
		direction: "asc"
	});
	if (!pages.ok) return pages;
	if (pages.value.isCut || !pages.value.pages.every((page) => Array.isArray(page))) return undocumented("complete list of pull requests");
	const numbers = pages.value.pages.flatMap((page) => list(page).map((pull) => positive(field$1(pull, "number"))));
	return success(new Set(numbers.filter((number) => number !== void 0)));
}
/** Deletes one; one that is gone already is no failure. Never rejects. */
async function deleteEntry(client, repository, id) {
	const answer = await client.request(ENTRY, {
		...parametersOf(repository),
		cache_id: id
	});
	return answer.ok || answer.error.kind === "not-found" ? success(void 0) : answer;
}
async function allPages(client, route, parameters) {
	const pages = [];
	let isCut = false;
	for await (const page of pagesOf(client, route, {
		...parameters,
		most: MOST_PAGES
	})) {
		if (!page.ok) return page;
		pages.push(page.value.data);
		isCut = page.value.hasNext;
	}
	return success({
		pages,
		isCut
	});
}
function parametersOf(repository) {
	const [owner = "", repo = ""] = repository.split("/");
	return {
		owner,
		repo
	};
}
function entryOf(value) {
	const [id, ref, key] = [
		positive(field$1(value, "id")),
		text(field$1(value, "ref")),
		text(field$1(value, "key"))
	];
	const createdAt = Date.parse(text(field$1(value, "created_at")) ?? "");
	const size = Number(field$1(value, "size_in_bytes"));
	if (id === void 0 || ref === void 0 || key === void 0 || Number.isNaN(createdAt)) return void 0;
	return {
		id,
		ref,
		key,
		createdAt,
		size: Number.isFinite(size) && size > 0 ? size : 0
	};
}

// src/cleaning-up.ts
/**
* `mode: cleanup`: deletes what of the layer cache in GitHub's service is of no use any more. Indexes are read through the
* cache backend, which sees those of this branch and the default one; entries are listed and deleted through GitHub's API.
*/
/** What stage-build calls its entries. */
const PREFIX = "sb1-";
/** One request each; a job may take minutes for it. */
const LIMITS = {
	requests: 5e3,
	totalMs: 9e5,
	waitMs: 3e5
};
/** Deletions after which the rest is left to the next run. */
const MOST_DELETIONS = 500;
/** GitHub asks for a second between requests that change something. */
const PACE_MS = 1e3;
/** They are unpacked into one folder. */
const READERS = 1;
/**
* Finds what is of no use, and deletes it unless `dryRun`.
* @throws UserError away from GitHub, without a token, and where the entries cannot be listed or deleted
*/
async function cleanUp(options) {
	const { dryRun, token, env, signal, now } = options;
	const repository = env["GITHUB_REPOSITORY"] ?? "";
	if (repository === "" || token === void 0) throw new UserError([NOT_ON_GITHUB]);
	const client = new GithubAccess({
		token,
		env,
		signal,
		limits: LIMITS
	});
	const listed = await listEntries(client, repository, PREFIX);
	if (!listed.ok) throw new UserError([deniedProblem("listed", listed.error)]);
	const entries = listed.value.entries.filter(isOurs);
	const pulls = await listOpenPulls(client, repository);
	const notes = [...listed.value.isCut ? ["There are more entries than were looked at: run this again."] : [], ...pulls.ok ? [] : [`Entries of pull requests stay: which are closed is not known (${describeError(pulls.error)}).`]];
	const facts = {
		entries,
		openPulls: pulls.ok ? pulls.value : void 0,
		now
	};
	const atSight = uselessAtSight(facts);
	const refs = cacheScopes(env, { defaultBranch: options.defaultBranch }).map(({ ref }) => ref);
	const named = await packsNamed(indexesToRead(facts, atSight, refs), options);
	const unread = [...named.values()].filter((keys) => keys === void 0).length;
	if (unread > 0) notes.push(`${count(unread, "index", "indexes")} could not be read: the layers of what they are about stay.`);
	const useless = [...withoutNamed(atSight, refs, named), ...unreferencedPacks(facts, refs, named)];
	const deletion = dryRun ? {
		gone: [],
		notes: []
	} : await deleteAll(useless, {
		client,
		repository,
		signal
	});
	const gone = new Set(useless.map(({ entry }) => entry));
	return {
		dryRun,
		rows: useless.map(({ entry, why }) => ({
			key: entry.key,
			ref: entry.ref,
			size: entry.size,
			age: now - entry.createdAt,
			why: whyText(why)
		})),
		deleted: totals(deletion.gone),
		kept: totals(entries.filter((entry) => !gone.has(entry))),
		notes: [...notes, ...deletion.notes]
	};
}
/** By index, the keys of the packs that it names; undefined where it cannot be read. */
async function packsNamed(keys, { env, now, debug, log, retries, signal }) {
	if (!serviceIsHere(env) || keys.length === 0) return new Map(keys.map((key) => [key, void 0]));
	const root = join(env["RUNNER_TEMP"] ?? tmpdir(), `stage-build-cleanup-${randomBytes(8).toString("hex")}`);
	await mkdir(root, {
		mode: 448,
		recursive: true
	});
	const backend = openBackend({ kind: "github" }, {
		root,
		env,
		debug,
		log,
		retries,
		signal
	});
	try {
		const read = await sideBySide$1([...keys], READERS, async (key) => {
			const index = await readIndexEntry(key, {
				backend,
				root,
				now
			});
			return [key, index === void 0 ? void 0 : Object.keys(index.packs)];
		});
		return new Map(read);
	} finally {
		await backend.close();
		await rm(root, {
			recursive: true,
			force: true
		});
	}
}
async function deleteAll(useless, { client, repository, signal }) {
	const gone = [];
	const failures = [];
	for (const { entry } of useless.slice(0, MOST_DELETIONS)) {
		if (signal.aborted) return {
			gone,
			notes: ["The run was cancelled: the rest is left to the next one."]
		};
		if (gone.length > 0) await client.pause(PACE_MS);
		const result = await deleteEntry(client, repository, entry.id);
		if (result.ok) gone.push(entry);
		else if (result.error.kind === "forbidden") throw new UserError([deniedProblem("deleted", result.error)]);
		else failures.push(describeError(result.error));
		if (!result.ok && result.error.kind === "rate-limited") break;
	}
	const left = useless.length - gone.length;
	const why = failures[0] === void 0 ? "" : ` (${failures[0]})`;
	return {
		gone,
		notes: left === 0 ? [] : [`${count(left, "entry is", "entries are")} left to the next run${why}.`]
	};
}
function totals(entries) {
	return {
		entries: entries.length,
		bytes: entries.reduce((sum, { size }) => sum + size, 0)
	};
}
function whyText(why) {
	if (why.kind === "closed") return `pull request ${why.pull} is closed`;
	return why.kind === "superseded" ? "a later index stands in for it" : "no index names it";
}
const NOT_ON_GITHUB = {
	input: "mode",
	message: "`mode: cleanup` cleans GitHub’s cache service, and this is not GitHub Actions, or `github-token` is empty.",
	mend: "Run it in a workflow. A directory cache keeps itself within `cache-max-size`."
};
function deniedProblem(what, error) {
	return {
		input: "mode",
		message: `\`mode: cleanup\`: the cache’s entries could not be ${what}: ${describeError(error)}.`,
		mend: error.kind === "forbidden" ? "Give the job `permissions: actions: write`." : "Run the job again later."
	};
}

// src/report/cleanup-summary.ts
/** The job summary of `mode: cleanup`: what of the cache is of no use, and whether it is gone now. */
const MAX_ROWS$1 = 200;
/** `12 of 40 entries of the layer cache (1.2 GB) are of no use`, and what became of them. */
function cleanupVerdict({ dryRun, rows, deleted, kept }) {
	const all = count(rows.length + kept.entries, "entry", "entries");
	const bytes = formatBytes(rows.reduce((sum, { size }) => sum + size, 0));
	if (rows.length === 0) return `All of the layer cache is of use: ${all}, ${formatBytes(kept.bytes)}`;
	const found = `${rows.length} of ${all} of the layer cache (${bytes}) ${rows.length === 1 ? "is" : "are"} of no use`;
	if (dryRun) return `${found}; nothing was deleted: set \`dry-run: false\` for that`;
	return `${found}; ${deleted.entries} deleted (${formatBytes(deleted.bytes)})`;
}
function renderCleanupSummary(summary) {
	const rows = [...summary.rows].sort((a, b) => b.size - a.size || (a.key < b.key ? -1 : 1));
	const cells = rows.slice(0, MAX_ROWS$1).map(({ key, ref, size, age, why }) => [
		code(key, 120),
		code(ref, 60),
		formatBytes(size),
		formatDuration(age),
		why
	]);
	const more = rows.length - cells.length;
	return [
		`### Cache clean-up`,
		`**${prose(cleanupVerdict(summary))}**`,
		...cells.length === 0 ? [] : [table([
			{ title: "Entry" },
			{ title: "Branch" },
			{
				title: "Size",
				align: "right"
			},
			{
				title: "Age",
				align: "right"
			},
			{ title: "Why it is of no use" }
		], cells)],
		...more === 0 ? [] : [`${count(more, "smaller entry", "smaller entries")} left out of this table.`],
		...summary.notes.map((note) => prose(note)),
		""
	].join("\n\n");
}

// src/cleanup-step.ts
/** `mode: cleanup`: a job of its own, which needs no checkout. */
/** Runs the step. @throws UserError for everything that a user can mend */
async function cleanupStep({ dryRun, githubToken, retries }, { runner, env, signal, now }, { event, warnings }) {
	const warn = (problems) => {
		announce(runner, problems, {
			level: "warning",
			workspace: env["GITHUB_WORKSPACE"] ?? process.cwd()
		});
	};
	warn(warnings);
	const { defaultBranch } = event;
	const summary = await cleanUp({
		dryRun,
		token: githubToken,
		defaultBranch,
		env,
		signal,
		retries,
		now: now(),
		debug: (line) => {
			runner.debug(line);
		},
		log: (line) => {
			runner.log(line);
		}
	});
	runner.log(cleanupVerdict(summary));
	warn(summary.notes.map((message) => ({ message })));
	await appendSummary(runner, renderCleanupSummary(summary), warn);
}

// src/graph-change.ts
/** Undefined where nothing changed, or where a target has nothing to compare with. */
function graphChange(planned, baseline, records) {
	const [now, before] = [new Outline(), new Outline()];
	const isOne = planned.graph.stages.every(({ file }) => file === void 0);
	for (const { name } of planned.targets) {
		const commit = baseline.find(({ target }) => target === name)?.commit;
		const known = [
			"own",
			"base",
			"default"
		].flatMap((source) => records?.measured(name, source) ?? []).find(({ record }) => record.commit !== void 0 && record.commit === commit);
		const print = planned.fingerprints.prints.get(name);
		if (known === void 0 || print === void 0) continue;
		const of = isOne ? void 0 : name;
		now.add(print.platforms[0]?.stages ?? [], of);
		before.add(known.record.print.platforms[0]?.stages ?? [], of);
	}
	const isSame = missing$1(now.edges, before.edges).length === 0 && missing$1(before.edges, now.edges).length === 0;
	if (before.edges.size === 0 || isSame) return void 0;
	const { graph, targets, plan } = planned;
	return {
		graph,
		targets: targets.map(({ name, stage }) => ({
			name,
			stage
		})),
		shared: plan.shared,
		added: missing$1(now.names, before.names),
		removed: missing$1(before.names, now.names)
	};
}
/** What is in one set and not in another. */
function missing$1(these, others) {
	return [...these].filter((one) => !others.has(one));
}
/** Stages by name, and what each is made from; numbers change with every stage that is put before. */
var Outline = class {
	names = /* @__PURE__ */ new Set();
	edges = /* @__PURE__ */ new Set();
	/** @param target whose stages they are, where those without a name are to be called after it */
	add(stages, target) {
		const names = new Map(stages.map(({ name, index }, place) => [String(index), name ?? (target === void 0 ? `stage ${index}` : `${target}, stage ${place}`)]));
		for (const name of names.values()) this.names.add(name);
		for (const stage of stages) {
			const own = names.get(String(stage.index));
			for (const { kind, name } of [stage.base, ...stage.steps.flatMap(({ sources }) => sources)]) this.edges.add(JSON.stringify([
				own,
				kind,
				kind === "stage" ? names.get(name) ?? name : name
			]));
		}
	}
};

// src/handover/gather.ts
/**
* The report job's view of what legs handed over: which records count, which are left out, and which were to come and
* did not. Pure. Texts may come from anybody's artifact (of a fork's run), so a record counts only if it is what its
* name says, and of the commit that the report is about.
*/
/** What a step that hands these records over is called by; its records have one `id`. */
function legOf(records) {
	return {
		id: records[0]?.id ?? "",
		cells: records.flatMap(cellsOf$1)
	};
}
/** Sorts out what was handed over. */
function gatherRecords(texts, { expected, commit } = {}) {
	const left = [];
	const read = [];
	for (const { name, text } of [...texts].sort((a, b) => a.name < b.name ? -1 : 1)) {
		const found = readRecords(name, text, commit);
		if ("reason" in found) left.push({
			name,
			reason: found.reason
		});
		else read.push(...found.records.map((record) => ({
			name,
			attempt: found.attempt,
			record
		})));
	}
	const newest = newestOf(read);
	const counts = (one, platform) => newest.get(key(one.record.id, {
		target: one.record.target,
		platform
	})) === one;
	return {
		records: read.filter((one) => cellsOf$1(one.record).some(({ platform }) => counts(one, platform))).map((one) => ({
			...one,
			record: onPlatforms(one.record, (platform) => counts(one, platform))
		})),
		left,
		missing: expected === void 0 ? [] : missingOf(expected, read.map(({ record }) => record))
	};
}
/** One sentence for those that were left out; undefined where none was. Names are untrusted: to be escaped. */
function leftOutWarning(left) {
	const [first] = left;
	if (first === void 0) return void 0;
	const others = left.length === 1 ? "" : `, and ${left.length - 1} more`;
	return `Sizes that were handed over are left out of the report: ${first.name} (${first.reason})${others}.`;
}
function readRecords(name, text, commit) {
	const parsed = parseArtifactName(name);
	if (parsed === void 0) return { reason: "its name is not one of ours" };
	const read = readSizeRecords(text);
	if (read.kind === "refused") return { reason: read.reason };
	const { records } = read;
	const leg = legOf(records);
	if (!(records.every(({ id }) => id === leg.id) && legName(leg) === parsed.leg)) return { reason: "it is about other targets than its name says" };
	if (commit !== void 0 && records.some((record) => record.commit !== commit)) return { reason: "it is about another commit" };
	return {
		records,
		attempt: parsed.attempt
	};
}
/** What a record is about: what was measured, and what was to be; of what failed early, no platform may be known. */
function cellsOf$1({ target, platforms, wantedPlatforms = [] }) {
	const all = /* @__PURE__ */ new Set([...platforms.map(({ platform }) => platform), ...wantedPlatforms]);
	return all.size === 0 ? [{
		target,
		platform: ""
	}] : [...all].map((platform) => ({
		target,
		platform
	}));
}
function onPlatforms(record, isKept) {
	const { platforms, wantedPlatforms } = record;
	return {
		...record,
		platforms: platforms.filter(({ platform }) => isKept(platform)),
		...wantedPlatforms === void 0 ? {} : { wantedPlatforms: wantedPlatforms.filter(isKept) }
	};
}
/** For each identity the record of the highest attempt. */
function newestOf(read) {
	const newest = /* @__PURE__ */ new Map();
	for (const one of read) for (const cell of cellsOf$1(one.record)) {
		const other = newest.get(key(one.record.id, cell));
		if (other === void 0 || one.attempt > other.attempt) newest.set(key(one.record.id, cell), one);
	}
	return newest;
}
/** What was to come and is not among the records. */
function missingOf({ id, cells }, records) {
	const handed = records.filter((record) => record.id === id).flatMap(cellsOf$1);
	return cells.flatMap(({ target, platform }) => platform.split(",").map((one) => ({
		target,
		platform: one.trim()
	}))).filter(({ target, platform }) => !handed.some((cell) => cell.target === target && (platform === "" || cell.platform === "" || cell.platform === platform)));
}
function key(id, { target, platform }) {
	return JSON.stringify([
		id,
		target,
		platform
	]);
}

// src/handover/size-handover.ts
/** Size records on their way: what a step of a leg does with those it made, and the report job with those of all legs. */
/** Days that GitHub keeps records for: as long as a run may be started again. */
const RETENTION_DAYS = 30;
/**
* Hands a step's records over to the report job. Never throws.
* @param attempt of this run, from 1
*/
async function handOverSizes(records, attempt, options) {
	const text = writeSizeRecords(records);
	const read = readSizeRecords(text);
	if (read.kind === "refused") return {
		kind: "failed",
		why: "service",
		warning: `The sizes are not handed over to the report job: ${read.reason}.`
	};
	const name = artifactName(legOf(read.records), attempt);
	return await uploadText({
		name,
		text,
		retentionDays: 30
	}, options);
}
/** Gets and sorts out the records of all legs. Never throws. */
async function gatherSizes(places, gathering, options) {
	const fetched = await fetchTexts(places, options);
	const texts = fetched.kind === "fetched" ? fetched.texts : [];
	const plans = texts.filter(({ name }) => isPlanName(name));
	const records = texts.filter(({ name }) => !isPlanName(name));
	const gathered = {
		...gatherRecords(records, gathering),
		plans
	};
	if (fetched.kind !== "fetched") return {
		...gathered,
		kind: fetched.kind,
		warnings: fetched.kind === "failed" ? [fetched.warning] : []
	};
	const left = [...fetched.left, ...gathered.left];
	const warnings = [
		fetched.warning,
		leftOutWarning(left),
		missingWarning(gathered.missing)
	];
	return {
		...gathered,
		left,
		kind: "gathered",
		warnings: warnings.filter((warning) => warning !== void 0)
	};
}
/** One sentence; undefined where nothing is missing. */
function missingWarning(missing) {
	if (missing.length === 0) return void 0;
	const names = missing.slice(0, 10).map(({ target, platform }) => platform === "" ? target : `${target} on ${platform}`);
	const others = missing.length > names.length ? ` and ${missing.length - names.length} more` : "";
	return `No sizes were handed over for ${names.join(", ")}${others}.`;
}

// src/plan/plan-input.ts
/** The `plan` output of another job, read strictly: what `mode: report` needs of it. Pure. */
const MOST_TARGETS$1 = 1e3;
const LONGEST = 500;
/**
* A plan, as far as a report needs it.
* @throws UserError where the text is no plan of this version
*/
function readPlanInput(text) {
	const json = parsed(text);
	const version = field$1(json, "version");
	if (version !== 1) {
		const newer = typeof version === "number" && version > 1;
		throw broken(newer ? `it is of version ${version}, and this is version 1` : "it is no plan", newer);
	}
	const targets = field$1(json, "targets");
	if (!Array.isArray(targets) || targets.length > MOST_TARGETS$1) throw broken("its targets cannot be read");
	const [id, file, platforms] = [
		"id",
		"file",
		"platforms"
	].map((key) => field$1(json, key));
	if (!isText(file) || id !== void 0 && !isText(id)) throw broken("its Dockerfile cannot be read");
	if (!Array.isArray(platforms) || !platforms.every(isText)) throw broken("its platforms cannot be read");
	const isSplit = field$1(json, "matrixBy") === "platform";
	return {
		id: id ?? file,
		file,
		platforms,
		isSplit,
		targets: targets.map(targetOf)
	};
}
function isText(value) {
	return typeof value === "string" && value.length <= LONGEST;
}
function targetOf(value) {
	const [name, status, tags, image] = [
		"name",
		"status",
		"tags",
		"image"
	].map((key) => field$1(value, key));
	if (typeof name !== "string" || status !== "changed" && status !== "unchanged") throw broken("a target cannot be read");
	const [sizes, since, file, platforms] = [
		"sizes",
		"since",
		"file",
		"platforms"
	].map((key) => field$1(value, key));
	const areTexts = Array.isArray(platforms) && platforms.every(isText);
	if (file !== void 0 && !isText(file) || platforms !== void 0 && !areTexts) throw broken("the place of a target cannot be read");
	return {
		name,
		status,
		tags: references(tags),
		sizes,
		file,
		platforms: areTexts ? platforms : void 0,
		since: typeof since === "string" && /^[0-9a-f]{40,64}$/.test(since) ? since : void 0,
		...image === void 0 ? {} : { image: imageOf(image) }
	};
}
function imageOf(value) {
	const digest = field$1(value, "digest");
	if (typeof digest !== "string" || digestFault(digest) !== void 0) throw broken("the digest of an image cannot be read");
	return {
		digest,
		repositories: references(field$1(value, "repositories"))
	};
}
function references(value) {
	if (!Array.isArray(value)) throw broken("the tags of a target cannot be read");
	return value.map((item) => {
		if (typeof item !== "string") throw broken("a tag is no text");
		try {
			parseReference(item);
			return item;
		} catch (error) {
			if (error instanceof InvalidReferenceError) throw broken(`${JSON.stringify(item.slice(0, 100))} is no image reference`);
			throw error;
		}
	});
}
function parsed(text) {
	try {
		return JSON.parse(text);
	} catch {
		throw broken("it is no JSON");
	}
}
function broken(what, isNewer = false) {
	return new UserError({
		input: "plan",
		message: `\`plan\` cannot be used: ${what}.`,
		mend: isNewer ? "Use the same version of stage-build in every job of the workflow." : "Give the `plan` output of a stage-build step with `mode: plan`, as it is."
	});
}

// src/handed-plan.ts
/**
* The plan on its way to a report on this run by another one (`workflow_run`), whose job cannot have this one's outputs. What is
* read may come from a fork: it counts as far as it has the form and the bounds of a plan, and is about the commit.
*/
const VERSION = 1;
const MOST_TAGS = 200;
/** Hands over what a report needs of a plan. Never throws. */
async function handOverPlan({ id, file, platforms, targets }, { commit, attempt }, options) {
	const told = targets.map(({ name, status, tags, sizes, since }) => ({
		name,
		status,
		tags,
		sizes,
		since
	}));
	const text = JSON.stringify({
		version: VERSION,
		commit,
		plan: {
			version: 1,
			id,
			file,
			platforms,
			targets: told
		}
	});
	return await uploadText({
		name: `${planName(id)}.attempt-${attempt}`,
		text,
		retentionDays: 30
	}, options);
}
/** The plans that were handed over, and why some of them are left out. */
function readHandedPlans(texts, commit) {
	const read = texts.map(({ name, text }) => ({
		name,
		...readHandedPlan(text, name, commit)
	}));
	return {
		plans: read.flatMap((one) => "plan" in one ? [one.plan] : []),
		left: read.flatMap((one) => "reason" in one ? [{
			name: one.name,
			reason: one.reason
		}] : [])
	};
}
function readHandedPlan(text, name, commit) {
	const json = parseJson(text);
	if (field$1(json, "version") !== VERSION) return { reason: "it is of a version that is not known" };
	if (commit !== void 0 && field$1(json, "commit") !== commit) return { reason: "it is about another commit" };
	try {
		const plan = readPlanInput(JSON.stringify(field$1(json, "plan") ?? {}));
		if (!(plan.platforms.every(isPlatform) && plan.targets.every(({ name: target, tags }) => isTarget(target) && tags.length <= MOST_TAGS))) return { reason: "it names what cannot be a target or a platform" };
		return name.startsWith(`${planName(plan.id)}.`) ? { plan } : { reason: "it is about another project than its name says" };
	} catch (error) {
		if (error instanceof UserError) return { reason: "it is no plan" };
		throw error;
	}
}

// src/post.ts
/** The post step: saves new layers, and removes what the main step left. Never fails a job whose build is done. */
/** Saves the layers that the main step left to it, and removes the builder that it created. */
async function runPost({ runner, env }) {
	const root = runner.state(STATE.cache);
	if (root !== "") await saveLeftLayers(root, {
		runner,
		env
	});
	const builder = runner.state(STATE.builder);
	const docker = { env };
	if (builder === "") {
		await cleanUpMounts(docker, runner.state(STATE.mounts));
		return;
	}
	await removeBuilder(docker, builder);
	const left = (await listBuilders(docker)).some(({ name }) => name === builder);
	runner.log(left ? `The builder ${builder} could not be removed.` : `Removed the builder ${builder}.`);
}
/**
* On a builder that lives on nothing is left of filling and reading cache mounts; a runner of GitHub's goes with its engine.
* @param state the token, and the name of the builder unless it is the current one
*/
async function cleanUpMounts(docker, state) {
	if (state === "" || docker.env["RUNNER_ENVIRONMENT"] === "github-hosted") return;
	const [token = "", builder] = state.split(" ");
	await removeHelperRecords(docker, builder, token);
}

// src/github/comment-body.ts
/**
* The text of the one comment on a pull request: sections of several identities, each between hidden markers, the worst
* first, so that the first line is the verdict. Pure; what is read here was written by us, but anybody who may
* edit comments may have changed it.
*
*     <!-- stage-build:report -->
*     ### VERDICT
*
*     <!-- stage-build:section KEY -->
*     <!-- stage-build:data BASE64URL -->
*     CONTENT
*     <!-- /stage-build:section KEY -->
*/
const REPORT_MARKER = "<!-- stage-build:report -->";
/** A line that holds this may change without the comment being sent again: run links, times. */
const VOLATILE_MARKER = "<!-- stage-build:volatile -->";
/** Characters of a comment at most; GitHub's own limit is 65,536. */
const LONGEST_COMMENT = 6e4;
const LEFT_OUT = "<sub>There is no room for the details in this comment; they are in the job summary.</sub>";
const LONGEST_VERDICT = 1e3;
/** The sections of a comment. What is between them, or not as we write it, is dropped. */
function parseComment(body) {
	const found = [...body.replaceAll("\r\n", "\n").matchAll(/^<!-- stage-build:section (\S{1,300}) -->\n<!-- stage-build:data ([\w-]+) -->\n([^]*?)\n<!-- \/stage-build:section \1 -->$/gm)].map(([, name = "", data = "", content = ""]) => ({
		name,
		...decoded(data),
		content: content.trim()
	}));
	return [...new Map(found.map((section) => [section.name, section])).values()];
}
/** What stands in the comment for a section, as `isSaid` compares it. */
function findSection(sections, section) {
	const name = sectionName(section.key);
	return sections.find((stored) => stored.name === name);
}
/** Whether a stored section says the same in the form that it has, but for volatile lines. */
function isSaid(stored, section) {
	const wanted = storedAs(section, stored.form);
	return stored.verdict === wanted.verdict && stored.severity === wanted.severity && steady(stored.content) === steady(wanted.content);
}
/** Beside sections of other jobs, which commit one is about is told; alone, it would be an edit for nothing. */
function isOfCommit(stored, section, all) {
	return all.length === 1 || stored.commit === commitName(section.commit);
}
/**
* The comment with a section put in or replaced; those of others are kept as they are, unless there is no room even for
* this one's verdict.
* @param longest form to try first: `compact` once GitHub has found the comment too long
*/
function mergeSection(sections, section, longest = "full") {
	const name = sectionName(section.key);
	const others = sections.filter((stored) => stored.name !== name);
	const earlierShort = others.map((stored) => isEarlier(stored, section.commit) ? shortened(stored) : stored);
	const forms = longest === "full" ? ["full", "compact"] : ["compact"];
	for (const kept of [others, earlierShort]) for (const form of forms) {
		const body = render([...kept, storedAs(section, form)], section.commit);
		if (body.length <= 6e4) return {
			body,
			form
		};
	}
	const own = storedAs(section, "verdict");
	let kept = earlierShort;
	for (;;) {
		const body = render([...kept, own], section.commit);
		const candidates = kept.filter(({ form }) => form !== "verdict");
		if (body.length <= 6e4 || candidates.length === 0) return {
			body,
			form: "verdict"
		};
		const largest = candidates.reduce((a, b) => b.content.length > a.content.length ? b : a);
		kept = kept.map((stored) => stored === largest ? shortened(stored) : stored);
	}
}
function render(sections, commit) {
	const order = (stored) => isEarlier(stored, commit) ? 1 : 0;
	const sorted = [...sections].sort((a, b) => order(a) - order(b) || b.severity - a.severity || (a.name < b.name ? -1 : 1));
	return [REPORT_MARKER, ...sorted.map((stored) => renderSection(stored, commit))].join("\n");
}
function renderSection(stored, commit) {
	const earlier = isEarlier(stored, commit) ? `<sub>Of another commit, ${stored.commit ?? ""}.</sub>\n\n` : "";
	return [
		`### ${stored.verdict}\n\n${earlier}<!-- stage-build:section ${stored.name} -->`,
		`<!-- stage-build:data ${encoded(stored)} -->`,
		`\n${stored.content}\n`,
		`<!-- /stage-build:section ${stored.name} -->\n`
	].join("\n");
}
function isEarlier(stored, commit) {
	return commit !== void 0 && stored.commit !== void 0 && stored.commit !== commit;
}
function shortened(stored) {
	return {
		...stored,
		form: "verdict",
		content: LEFT_OUT
	};
}
function storedAs(section, form) {
	const content = {
		full: section.full,
		compact: section.compact,
		verdict: LEFT_OUT
	}[form];
	return {
		name: sectionName(section.key),
		verdict: cleaned(section.verdict).replaceAll(/\s+/g, " ").trim().slice(0, LONGEST_VERDICT).toWellFormed(),
		severity: section.severity,
		commit: commitName(section.commit),
		form,
		content: cleaned(content).trim()
	};
}
/** A key as it can stand in a hidden comment: no blanks, nothing that closes one; `%h` and `%e` are in no encoded key. */
function sectionName(key) {
	const name = encodeURIComponent(key.toWellFormed()).replaceAll("-", "%2D");
	if (name.length <= 200) return name === "" ? "%e" : name;
	return `${name.slice(0, 100)}%h${createHash("sha256").update(key).digest("hex")}`;
}
/** Text without our own markers, and without what GitHub does not keep as it is: what is read back must be equal. */
function cleaned(markdown) {
	return markdown.toWellFormed().replaceAll(/\r\n?/g, "\n").replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "").replaceAll(/<!--(?=\s*\/?\s*stage-build:(?!volatile -->))/g, "&lt;!--");
}
function steady(content) {
	return content.split("\n").filter((line) => !line.includes(VOLATILE_MARKER)).map((line) => line.trimEnd()).join("\n").trim();
}
function encoded({ verdict, severity, commit, form }) {
	return Buffer.from(JSON.stringify({
		verdict,
		severity,
		commit,
		form
	})).toString("base64url");
}
function decoded(data) {
	const value = parseJson(Buffer.from(data, "base64url").toString("utf8"));
	const severity = field$1(value, "severity");
	const form = field$1(value, "form");
	return {
		verdict: cleaned(text(field$1(value, "verdict")) ?? "Image sizes").replaceAll(/\s+/g, " ").slice(0, LONGEST_VERDICT),
		severity: typeof severity === "number" && Number.isFinite(severity) ? severity : 0,
		commit: commitName(field$1(value, "commit")),
		form: form === "compact" || form === "verdict" ? form : "full"
	};
}

// src/github/sticky-comment.ts
/**
* The one comment per pull request. GitHub has no compare-and-swap for comments, so a write is read back after a while, and
* repeated if another writer has undone it: the comment with the lowest id is the one, each writer puts in its own
* section, and nobody removes what others wrote.
*/
/** Puts a section into the pull request's comment. Never rejects. */
async function writeComment(options) {
	const outcome = await new Writer(options).write();
	if (!outcome.ok) return refusal(options.number, outcome.error);
	if (outcome.value === void 0) return {
		kind: "skipped",
		reason: `Pull request #${options.number} has no comment yet, and nothing calls for one.`
	};
	return {
		kind: "written",
		...outcome.value
	};
}
const COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
const COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}";
/** The author of what GITHUB_TOKEN writes. */
const ACTIONS = "github-actions[bot]";
const SETTLE_MS = 1500;
const WRITES = 5;
const ROUNDS = 5;
const PAGES = 20;
const DELETIONS = 3;
var Writer = class {
	#client;
	#options;
	#repository;
	#settleMs;
	/** Sections that others wrote, as last seen: one that vanishes was undone by a third writer. */
	#seen = /* @__PURE__ */ new Map();
	/** The token's user, once it is known. */
	#self;
	/** The comment that this writer made. */
	#made;
	#writes = 0;
	#longest = "full";
	constructor(options) {
		const [owner = "", repo = ""] = options.repository.split("/");
		this.#client = options.client;
		this.#options = options;
		this.#repository = {
			owner,
			repo
		};
		this.#settleMs = options.settleMs ?? SETTLE_MS;
	}
	/** The value is undefined where there is no comment and none is to be made. */
	async write() {
		for (let round = 1;; round++) {
			const outcome = await this.#round();
			if (!(!outcome.ok && outcome.error === AGAIN$1)) return outcome;
			if (round === ROUNDS) return failure({
				kind: "unavailable",
				status: void 0,
				message: "the comment keeps moving"
			});
		}
	}
	async #round() {
		const listed = await this.#ownComments();
		if (!listed.ok) return listed;
		const [first, ...duplicates] = listed.value;
		if (first === void 0) return await this.#make();
		const written = await this.#update(first);
		if (!written.ok) return written;
		await this.#removeDuplicates(written.value.body, duplicates);
		const action = this.#made?.id === first.id ? "created" : this.#writes === 0 ? "unchanged" : "updated";
		return success({
			url: first.url,
			action
		});
	}
	/** Makes the comment; the next round finds out whether it is the one. */
	async #make() {
		if (!this.#options.create) return success(void 0);
		const { body } = mergeSection([], this.#options.section, this.#longest);
		const sent = await this.#send(`POST ${COMMENTS}`, { issue_number: this.#options.number }, body);
		if (sent.ok) {
			this.#made = sent.value;
			this.#self = sent.value.author;
			this.#writes++;
		} else {
			if (sent.error.kind !== "unavailable" || sent.error === AGAIN$1) return sent;
			if (this.#writes++ >= 2) return sent;
		}
		await this.#client.pause(this.#settleMs);
		return failure(AGAIN$1);
	}
	/** Puts the section into a comment until it stays there; the value is the comment as last read. */
	async #update(listed) {
		const { section } = this.#options;
		let comment = listed;
		let isFresh = false;
		for (;;) {
			const sections = this.#withSeen(parseComment(comment.body));
			const merged = mergeSection(sections.all, section, this.#longest);
			const stored = findSection(sections.all, section);
			if (stored !== void 0 && isSaid(stored, section) && isOfCommit(stored, section, sections.all) && sections.vanished === 0 && (this.#writes > 0 || stored.form === merged.form)) return success(comment);
			if (this.#writes > WRITES) return failure({
				kind: "unavailable",
				status: void 0,
				message: "other jobs kept replacing the comment"
			});
			if (isFresh) {
				const sent = await this.#send(`PATCH ${COMMENT}`, { comment_id: comment.id }, merged.body);
				if (!sent.ok) return await this.#updateFailed(sent, listed);
				this.#writes++;
				await this.#settle();
			}
			const read = await this.#read(comment.id);
			if (!read.ok) {
				if (isFresh && read.error.kind !== "not-found") return success({
					...comment,
					body: merged.body
				});
				return read.error.kind === "not-found" ? failure(AGAIN$1) : read;
			}
			comment = read.value;
			isFresh = true;
		}
	}
	async #updateFailed(sent, comment) {
		if (sent.error.kind === "not-found") return failure(AGAIN$1);
		if (sent.error.kind !== "forbidden" || this.#self !== void 0) return sent;
		const self = await this.#viewer();
		if (self === void 0 || self === comment.author) return sent;
		this.#self = self;
		return failure(AGAIN$1);
	}
	/** Creates or edits a comment; one that is too long is sent once more, compact. */
	async #send(route, at, body) {
		const answer = await this.#client.request(route, {
			...this.#repository,
			...at,
			body
		});
		if (answer.ok) {
			const comment = readComment(answer.value.data);
			return comment === void 0 ? undocumented("comment") : success(comment);
		}
		if (answer.error.status !== 422 || this.#longest === "compact") return answer;
		this.#longest = "compact";
		return failure(AGAIN$1);
	}
	async #read(id) {
		const answer = await this.#client.request(`GET ${COMMENT}`, {
			...this.#repository,
			comment_id: id
		});
		if (!answer.ok) return answer;
		const comment = readComment(answer.value.data);
		return comment === void 0 ? undocumented("comment") : success(comment);
	}
	/** A while, the longer and the more different from that of others, the more often a write was undone. */
	async #settle() {
		const spread = this.#settleMs * 2 ** (this.#writes - 1);
		await this.#client.pause(this.#settleMs + Math.random() * spread);
	}
	/** Sections read, and those that were there once and have vanished. */
	#withSeen(read) {
		const own = findSection(read, this.#options.section);
		const names = new Set(read.map(({ name }) => name));
		const vanished = [...this.#seen.values()].filter(({ name }) => !names.has(name));
		for (const stored of read) if (stored !== own) this.#seen.set(stored.name, stored);
		return {
			all: [...read, ...vanished],
			vanished: vanished.length
		};
	}
	/** The comments with our marker that are by the token's user, the lowest id first. */
	async #ownComments() {
		const marked = this.#made === void 0 ? [] : [this.#made];
		const parameters = {
			...this.#repository,
			issue_number: this.#options.number,
			most: PAGES
		};
		let isCut = false;
		for await (const page of pagesOf(this.#client, `GET ${COMMENTS}`, parameters)) {
			if (!page.ok) return page;
			if (!Array.isArray(page.value.data)) return undocumented("list of comments");
			for (const comment of list(page.value.data).map(readComment)) if (comment?.body.trimStart().startsWith("<!-- stage-build:report -->") === true) marked.push(comment);
			isCut = page.value.hasNext;
		}
		if (isCut && marked.length === 0) return failure({
			kind: "invalid",
			status: void 0,
			message: `it has more than 2000 comments`
		});
		const byId = [...new Map(marked.map((comment) => [comment.id, comment])).values()].sort((a, b) => a.id - b.id);
		if (byId.every(({ author }) => author === (this.#self ?? ACTIONS))) return success(byId);
		this.#self ??= await this.#viewer() ?? ACTIONS;
		return success(byId.filter(({ author }) => author === this.#self));
	}
	async #viewer() {
		const answer = await this.#client.query("query { viewer { login } }");
		return answer.ok ? text(field$1(answer.value, "viewer", "login")) : void 0;
	}
	/** Removes our own comments that say nothing that the one does not say: two writers made one each. */
	async #removeDuplicates(body, duplicates) {
		const told = new Set(parseComment(body).map(({ name }) => name));
		const removable = duplicates.filter((comment) => parseComment(comment.body).every(({ name }) => told.has(name)));
		const isMade = ({ id }) => id === this.#made?.id ? 0 : 1;
		for (const { id } of removable.sort((a, b) => isMade(a) - isMade(b)).slice(0, DELETIONS)) await this.#client.request(`DELETE ${COMMENT}`, {
			...this.#repository,
			comment_id: id
		});
	}
};
/** The comment is to be looked up again. */
const AGAIN$1 = {
	kind: "unavailable",
	status: void 0,
	message: "the comment has changed"
};
function readComment(value) {
	const id = positive(field$1(value, "id"));
	const body = field$1(value, "body");
	if (id === void 0) return void 0;
	return {
		id,
		url: text(field$1(value, "html_url")) ?? "",
		author: text(field$1(value, "user", "login")) ?? "",
		body: typeof body === "string" ? body : ""
	};
}
function refusal(number, error) {
	const reason = `The comment on pull request #${number} was not written: ${describeError(error)}.`;
	const mend = mendFor(error);
	return {
		kind: "refused",
		reason,
		mend,
		lacksRights: mend === ASK_FOR_RIGHTS
	};
}
const ASK_FOR_RIGHTS = "Give the job `permissions: pull-requests: write`.";
function mendFor(error) {
	if (/\block(?:ed)?\b/i.test(error.message)) return "Unlock the conversation of the pull request.";
	switch (error.kind) {
		case "forbidden":
		case "not-found": return ASK_FOR_RIGHTS;
		case "rate-limited":
		case "unavailable": return "The next run writes it.";
		case "invalid": return;
	}
}

// src/github/pull-request.ts
/** The pull request that an event is about, as it is now. */
const PULLS = "GET /repos/{owner}/{repo}/pulls";
const PULL = "GET /repos/{owner}/{repo}/pulls/{pull_number}";
const PULLS_OF_COMMIT = "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls";
/** Finds it with at most two requests. Never rejects. */
async function findPullRequest(client, repository, event) {
	return await new Finder(client, repository).find(event);
}
/**
* The labels of the pull request whose merge made a commit of a branch, as they are now; none where there is none, or it
* cannot be looked up. One request. Never rejects.
*/
async function labelsOfMerged(client, repository, { after, branch }) {
	return await new Finder(client, repository).labelsOfMerged(after, branch);
}
var Finder = class {
	#client;
	#repository;
	#parameters;
	constructor(client, repository) {
		const [owner = "", repo = ""] = repository.split("/");
		this.#client = client;
		this.#repository = repository;
		this.#parameters = {
			owner,
			repo
		};
	}
	async find(event) {
		switch (event.kind) {
			case "pull_request":
			case "pull_request_target": return await this.#ofPayload(event);
			case "push": return await this.#ofCommit(event.after, event.branch);
			case "merge_group": return await this.#ofQueue(event.number);
			case "workflow_run": return await this.#ofRun(event);
			case "workflow_dispatch":
				if (event.branch === void 0) return none("The run is for a tag, which has no pull request.");
				return await this.#ofBranch(event.branch, event.sha);
			case "other": return none(`A run for ${event.name} has no pull request.`);
		}
	}
	/** What the payload says holds, also where the token may not look. */
	async #ofPayload(event) {
		const now = await this.#get(event.number);
		const isStale = now.ok && now.value.headSha !== event.headSha;
		const pull = {
			...now.ok ? now.value : {
				baseRef: event.baseRef,
				baseSha: event.baseSha,
				labels: void 0
			},
			number: event.number,
			headSha: event.headSha,
			isFork: event.isFork
		};
		if (event.kind === "pull_request" && event.isFork) return {
			kind: "found",
			pull,
			noComment: OF_FORK
		};
		return {
			kind: "found",
			pull,
			noComment: isStale ? { reason: staleReason(event.number) } : void 0
		};
	}
	async #ofCommit(sha, branch) {
		return only(await this.#list(PULLS_OF_COMMIT, { commit_sha: sha }), (pull) => pull.headSha === sha && !pull.isFork, `the pushed commit of branch ${branch}`);
	}
	async labelsOfMerged(sha, branch) {
		const answer = await this.#list(PULLS_OF_COMMIT, { commit_sha: sha }, "closed");
		if (!answer.ok) return [];
		return answer.value.find(({ mergeSha, baseRef }) => mergeSha === sha && baseRef === branch)?.labels ?? [];
	}
	async #ofBranch(branch, sha) {
		const head = `${this.#parameters.owner}:${branch}`;
		return only(await this.#list(PULLS, {
			state: "open",
			head
		}), (pull) => !pull.isFork && (sha === void 0 || pull.headSha === sha), `branch ${branch}`);
	}
	async #ofQueue(number) {
		if (number === void 0) return none("The merge queue does not name its pull request.");
		const pull = await this.#get(number);
		return pull.ok ? {
			kind: "found",
			pull: pull.value,
			noComment: IN_QUEUE
		} : unread(pull.error);
	}
	async #ofRun(event) {
		const { headRepository, headBranch, headSha, numbers } = event;
		if (headRepository === void 0 || headBranch === void 0) return none("The repository that the pull request came from is gone.");
		const [number, ...more] = numbers;
		if (number !== void 0 && more.length === 0) {
			const pull = await this.#get(number);
			if (!pull.ok) return unread(pull.error);
			if (sameRepository(pull.value.headName, headRepository)) return current([pull.value], headSha, headBranch);
		}
		const head = `${headRepository.split("/")[0] ?? ""}:${headBranch}`;
		const pulls = await this.#list(PULLS, {
			state: "open",
			head
		});
		if (!pulls.ok) return unread(pulls.error);
		return current(pulls.value.filter(({ headName }) => sameRepository(headName, headRepository)), headSha, `${headBranch} of ${headRepository}`);
	}
	async #get(number) {
		const answer = await this.#client.request(PULL, {
			...this.#parameters,
			pull_number: number
		});
		if (!answer.ok) return answer;
		const pull = this.#read(answer.value.data);
		return pull === void 0 ? undocumented("pull request") : success(pull);
	}
	/** Those of a list that are open, or not. */
	async #list(route, parameters, state = "open") {
		const answer = await this.#client.request(route, {
			...this.#parameters,
			...parameters,
			per_page: 100
		});
		if (!answer.ok) return answer;
		if (!Array.isArray(answer.value.data)) return undocumented("list of pull requests");
		const wanted = list(answer.value.data).filter((pull) => field$1(pull, "state") === state);
		return success(wanted.map((pull) => this.#read(pull)).filter((pull) => pull !== void 0));
	}
	#read(value) {
		const number = positive(field$1(value, "number"));
		const headSha = commitName(field$1(value, "head", "sha"));
		if (number === void 0 || headSha === void 0) return void 0;
		const headName = field$1(value, "head", "repo", "full_name");
		const labels = list(field$1(value, "labels")).map((label) => text(field$1(label, "name")));
		return {
			number,
			headSha,
			headName,
			mergeSha: text(field$1(value, "merged_at")) === void 0 ? void 0 : commitName(field$1(value, "merge_commit_sha")),
			baseRef: text(field$1(value, "base", "ref")),
			baseSha: commitName(field$1(value, "base", "sha")),
			labels: labels.filter((label) => label !== void 0),
			isFork: !sameRepository(headName, this.#repository)
		};
	}
};
const OF_FORK = {
	reason: "The pull request is from a fork, whose runs may not write comments.",
	mend: "Have a workflow for `workflow_run` write it."
};
const IN_QUEUE = { reason: "Runs of the merge queue write no comment." };
function none(reason) {
	return {
		kind: "none",
		reason
	};
}
function unread(error) {
	const mend = error.kind === "forbidden" || error.kind === "not-found" ? "Give the job `permissions: pull-requests: write`." : void 0;
	return {
		kind: "none",
		reason: `The pull request could not be looked up: ${describeError(error)}.`,
		mend
	};
}
function staleReason(number) {
	return `Pull request #${number} has a newer commit than the run that is reported.`;
}
/** The one whose head is still the commit of the run. */
function current(pulls, headSha, branch) {
	const [first] = pulls;
	if (first !== void 0 && pulls.every((pull) => pull.headSha !== headSha)) return none(staleReason(first.number));
	return only(success(pulls), (pull) => pull.headSha === headSha, `branch ${branch}`);
}
/** The one open pull request that fits. */
function only(pulls, fits, what) {
	if (!pulls.ok) return unread(pulls.error);
	const [pull, ...more] = pulls.value.filter(fits);
	if (pull === void 0) return none(`There is no open pull request for ${what}.`);
	if (more.length === 0) return {
		kind: "found",
		pull,
		noComment: void 0
	};
	return none(`There are several open pull requests for ${what}: ${[pull, ...more].map(({ number }) => `#${number}`).join(", ")}.`);
}

// src/measure/noise.ts
const LEAST_BYTES = 1e4;
const LEAST_SHARE = 5e-4;
/** Differences below so many bytes are noise, for a size that was `before` bytes. */
function noiseFloor(before) {
	return Math.max(LEAST_BYTES, before * LEAST_SHARE);
}
/** Bytes more than before; undefined where one of the two is not known. */
function deltaOf({ now, before }) {
	return now === void 0 || before === void 0 ? void 0 : now - before;
}
/** The difference is noise; undefined where it is not known. */
function isNoise(change) {
	const delta = deltaOf(change);
	return delta === void 0 ? void 0 : Math.abs(delta) < noiseFloor(change.before ?? 0);
}

// src/measure/budgets.ts
/** Of every budget that applies, in the order given. Of what was not built there is nothing to say. */
function budgetVerdicts(row, options) {
	if (row.status === "failed" || row.status === "removed") return [];
	const { waived, file, line } = options;
	return budgetsFor(options.budgets, row).map((budget) => ({
		budget: budget.text,
		metric: budget.metric,
		file,
		line,
		...judge(row, budget, waived)
	}));
}
function judge(row, { metric, limit: allowed }, waived) {
	const actual = row[metric].now;
	const before = metric === "unpacked" || row.notComparable.length === 0 ? row[metric].before : void 0;
	const limit = limitOf(allowed, before);
	if (actual === void 0 || limit === void 0) return {
		limit,
		actual,
		verdict: "skipped"
	};
	if (actual <= limit) return {
		limit,
		actual,
		verdict: "held"
	};
	const worse = before === void 0 || actual - before >= noiseFloor(before);
	if (allowed.kind !== "absolute" && !worse) return {
		limit,
		actual,
		verdict: "held"
	};
	if (before !== void 0 && before > limit && !worse) return {
		limit,
		actual,
		verdict: "over-before"
	};
	return {
		limit,
		actual,
		verdict: waived ? "waived" : "over"
	};
}
/** Bytes; undefined for a relative one without a baseline. */
function limitOf(allowed, before) {
	if (allowed.kind === "absolute") return allowed.bytes;
	if (before === void 0) return void 0;
	return before + (allowed.kind === "more-bytes" ? allowed.bytes : Math.floor(before * allowed.percent / 100));
}
/**
* A verdict in plain words, without a full stop, for the log and annotations:
* `` `prod` is 186.5 MB, 26.5 MB over its budget of 160 MB (transfer) ``.
* @param options.platform names the row's platform, where a target has several
*/
function budgetSentence(row, verdict, options = {}) {
	const { metric, limit, actual } = verdict;
	const name = `\`${row.target}\`${options.platform === true ? ` (${row.platform})` : ""}`;
	const allowance = verdict.budget.slice(verdict.budget.lastIndexOf("=") + 1).trim();
	const relative = /^\+[^a-z%]*(?:%|[a-z]+)/i.exec(allowance)?.[0].replaceAll(/\s+/g, "");
	if (verdict.verdict === "skipped" || limit === void 0 || actual === void 0) return `${name} was not held against its budget of ${relative ?? words$1(limit ?? 0)} (${metric}): ${why(row, verdict)}`;
	const [is, most] = apart(actual, limit);
	const budget = `its budget of ${relative ?? most}`;
	if (verdict.verdict === "held") return `${name} is ${is}${relative === void 0 && limit > 0 ? `, ${Math.floor(100 * actual / limit)} % of ` : ", within "}${budget} (${metric})`;
	const grown = deltaOf(row[metric]);
	const over = relative === void 0 || grown === void 0 ? `${name} is ${is}, ${words$1(actual - limit)} over ${budget} (${metric})` : `${name} grew by ${words$1(grown)} to ${is}, ${words$1(actual - limit)} over ${budget} (${metric})`;
	if (verdict.verdict === "over-before") return `${over}, as it was before`;
	return verdict.verdict === "waived" ? `${over}, which a label allows` : over;
}
function why(row, { actual, metric }) {
	if (actual === void 0) return "its size is not known";
	return metric === "transfer" && row.notComparable.length > 0 ? "the baseline is compressed differently" : "there is no size to compare it with";
}
/** One decimal more than in tables, and none that is 0: `186.5 MB`, `160 MB`. */
function words$1(bytes, digits = 1) {
	const [, number = "", unit = ""] = /^([\d.]+) (\w+)$/.exec(formatBytes(bytes)) ?? [];
	const power = [
		"B",
		"kB",
		"MB",
		"GB",
		"TB",
		"PB"
	].indexOf(unit);
	return `${Number((bytes / 1e3 ** Math.max(0, power)).toFixed(Math.max(digits, fraction(number))))} ${unit}`;
}
function fraction(number) {
	return number.split(".")[1]?.length ?? 0;
}
/** Two sizes with as many digits as tell them apart. */
function apart(a, b) {
	for (let digits = 1; digits < 6; digits++) {
		const [one, other] = [words$1(a, digits), words$1(b, digits)];
		if (one !== other) return [one, other];
	}
	return [words$1(a), words$1(b)];
}

// src/measure/changed-paths.ts
/** Of the bytes that changed, and of the difference. */
const EXPLAINED = .9;
/** Of the bytes that changed: a difference that nobody asks about, where as much came as went. */
const NEGLIGIBLE = .02;
const MAX_PATHS = 10;
/** How many paths may take the place of the directory that they are in. */
const MAX_SPLIT = 4;
/** What may have been folded on the other side, of what stands alone on one: more, and nobody knows what it was there. */
const MAX_DOUBT = .1;
/** The changes, the largest first; ten at most. Pure and the same for the same trees. */
function changedPaths(before, now) {
	const root = delta("", before, now);
	if (root.moved === 0) return [];
	let chosen = [root];
	const kept = /* @__PURE__ */ new Set();
	for (;;) {
		const largest = chosen.filter((one) => !kept.has(one)).toSorted(byMoved)[0];
		if (largest === void 0) break;
		const others = chosen.filter((one) => one !== largest);
		const parts = split(largest, others, root);
		if (parts === void 0) kept.add(largest);
		else chosen = [...others, ...parts];
	}
	return chosen.toSorted((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before) || byMoved(a, b)).map(({ path, now: bytes, before: bytesBefore }) => ({
		path,
		now: bytes,
		before: bytesBefore
	}));
}
/** The fewest parts of a directory that explain enough together with the others; undefined where it takes too many. */
function split(one, others, root) {
	const isRoot = one === root;
	const most = isRoot ? MAX_PATHS : Math.min(MAX_SPLIT, MAX_PATHS - others.length);
	const { moved, missed } = explained([...others, one], root);
	const leastMoved = Math.min(moved, EXPLAINED * root.moved);
	const mostMissed = Math.max(missed, .09999999999999998 * Math.abs(root.now - root.before), NEGLIGIBLE * root.moved);
	for (let count = 1; count <= Math.min(most, one.parts.length); count++) {
		const parts = one.parts.slice(0, count);
		const then = explained([...others, ...parts], root);
		if (then.moved >= leastMoved && then.missed <= mostMissed) return parts;
	}
	return isRoot && one.parts.length > 0 ? one.parts.slice(0, most) : void 0;
}
/** Bytes that moved in what was chosen, and how far its difference is from that of the whole. */
function explained(chosen, root) {
	const moved = chosen.reduce((sum, one) => sum + one.moved, 0);
	const difference = chosen.reduce((sum, one) => sum + one.now - one.before, 0);
	return {
		moved,
		missed: Math.abs(root.now - root.before - difference)
	};
}
function byMoved(a, b) {
	return b.moved - a.moved || (a.path < b.path ? -1 : 1);
}
function delta(path, before, now) {
	const [bytes, bytesBefore] = [now?.bytes ?? 0, before?.bytes ?? 0];
	const told = {
		path: (now ?? before)?.children !== void 0 ? `${path}/` : path,
		now: bytes,
		before: bytesBefore,
		isOneSided: before === void 0 || now === void 0
	};
	if (isFolded(before) || isFolded(now)) return {
		...told,
		moved: Math.abs(bytes - bytesBefore),
		parts: []
	};
	const { parts, loose } = sortOut([.../* @__PURE__ */ new Set([...now?.children?.keys() ?? [], ...before?.children?.keys() ?? []])].map((name) => delta(path === "" ? name : `${path}/${name}`, before?.children?.get(name), now?.children?.get(name))), looseBytes(now) - looseBytes(before));
	const moved = parts.reduce((sum, part) => sum + part.moved, Math.abs(loose));
	return {
		...told,
		moved,
		parts: parts.filter((part) => part.moved > 0).toSorted(byMoved)
	};
}
/**
* What stands alone on one side may have been small, and counted in its directory, on the other: as much of it as is
* missing there. Parts of which that may be more than a little are counted with what is loose in the directory.
*/
function sortOut(all, looseChange) {
	const parts = all.filter((part) => !part.isOneSided);
	let loose = looseChange;
	for (const part of all.filter(({ isOneSided }) => isOneSided).toSorted((a, b) => byMoved(b, a))) {
		const change = part.now - part.before;
		if ((Math.sign(loose) === -Math.sign(change) ? Math.min(Math.abs(loose), part.moved) : 0) > MAX_DOUBT * part.moved) loose += change;
		else parts.push(part);
	}
	return {
		parts,
		loose
	};
}
function isFolded(tree) {
	return tree?.children?.size === 0 && tree.bytes > 0;
}
/** Bytes of a directory that are in none of what stands alone in it. */
function looseBytes(tree) {
	return [...tree?.children?.values() ?? []].reduce((sum, child) => sum - child.bytes, tree?.bytes ?? 0);
}

// src/measure/longest-common.ts
/** The longest common subsequence of two lists. */
/** Above this, the table would take too much memory and time: pairs are left for others to find. */
const MOST_CELLS = 4e6;
/**
* Pairs of items with equal keys, in both lists' order, as many as there can be. Items without a key are in none. Only what
* lies between the beginning and the end that both have in common takes time in the product of its lengths.
*/
function longestCommon(a, b, keyOf) {
	const [left, right] = inCommon(a, b, keyOf);
	const same = (i, j) => left[i]?.number === right[j]?.number;
	const shorter = Math.min(left.length, right.length);
	let start = 0;
	while (start < shorter && same(start, start)) start++;
	let tail = 0;
	while (tail < shorter - start && same(left.length - 1 - tail, right.length - 1 - tail)) tail++;
	const [rows, columns] = [left.length - start - tail, right.length - start - tail];
	const middle = rows * columns > MOST_CELLS ? [] : walk(rows, columns, (i, j) => same(start + i, start + j));
	return [
		...Array.from({ length: start }, (_, i) => [i, i]),
		...middle.map(([i, j]) => [start + i, start + j]),
		...Array.from({ length: tail }, (_, i) => [left.length - tail + i, right.length - tail + i])
	].flatMap(([i, j]) => {
		const [from, to] = [left[i], right[j]];
		return from === void 0 || to === void 0 ? [] : [[from.item, to.item]];
	});
}
/** The items whose key the other list has, too, with a number for each key. */
function inCommon(a, b, keyOf) {
	const ofB = new Set(b.map(keyOf));
	const numbers = /* @__PURE__ */ new Map();
	for (const item of a) {
		const key = keyOf(item);
		if (key !== void 0 && ofB.has(key) && !numbers.has(key)) numbers.set(key, numbers.size);
	}
	const numbered = (items) => items.flatMap((item) => {
		const key = keyOf(item);
		const number = key === void 0 ? void 0 : numbers.get(key);
		return number === void 0 ? [] : [{
			item,
			number
		}];
	});
	return [numbered(a), numbered(b)];
}
/** https://en.wikipedia.org/wiki/Longest_common_subsequence#Code_for_the_dynamic_programming_solution */
function walk(rows, columns, same) {
	const width = columns + 1;
	/** How many pairs the items from i and from j on have. */
	const lengths = new Uint16Array((rows + 1) * width);
	const length = (i, j) => lengths[i * width + j] ?? 0;
	for (let i = rows - 1; i >= 0; i--) for (let j = columns - 1; j >= 0; j--) lengths[i * width + j] = same(i, j) ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
	const pairs = [];
	let [i, j] = [0, 0];
	while (i < rows && j < columns) if (same(i, j)) pairs.push([i++, j++]);
	else if (length(i + 1, j) >= length(i, j + 1)) i++;
	else j++;
	return pairs;
}

// src/measure/layer-alignment.ts
/** Instructions that share half their words are one instruction, edited. */
const ALIKE = .5;
/** Words of an instruction that count, and instructions that are compared word by word: else it would take too long. */
const MOST_WORDS = 60;
const MOST_EDITED = 200;
const LONGEST_KEY = 2e3;
/** Every layer of both lists in exactly one pair: those of now in their order, then those that are gone. */
function alignLayers(before, now) {
	const found = /* @__PURE__ */ new Map();
	const left = {
		before,
		now
	};
	const match = (pairs) => {
		for (const [was, is] of pairs) found.set(is, was);
		const taken = new Set(pairs.map(([was]) => was));
		left.before = left.before.filter((layer) => !taken.has(layer));
		left.now = left.now.filter((layer) => !found.has(layer));
	};
	for (const keyOf of [
		contentKey,
		writtenKey,
		historyKey
	]) {
		match(longestCommon(left.before, left.now, keyOf));
		match(anywhere(left.before, left.now, keyOf));
	}
	if (left.before.length <= MOST_EDITED && left.now.length <= MOST_EDITED) match(edited(left.before, left.now));
	return [...now.map((layer) => ({
		before: found.get(layer),
		now: layer
	})), ...left.before.map((layer) => ({
		before: layer,
		now: void 0
	}))];
}
/** What changed in size, the largest change in transfer first. Layers that weigh what they weighed are not told. */
function layerChanges(before, now) {
	const told = alignLayers(before, now).flatMap((pair) => {
		const change = changeOf(pair);
		return change.transfer.now === change.transfer.before && !differs(change.unpacked) ? [] : [change];
	});
	const weight = ({ transfer, unpacked }) => [span(transfer), span(unpacked)];
	return told.toSorted((a, b) => {
		const [[transferA, unpackedA], [transferB, unpackedB]] = [weight(a), weight(b)];
		return transferB - transferA || unpackedB - unpackedA;
	});
}
/** What a layer was made by, as the image's history tells, without what a builder adds and what changes from build to build. */
function normalizeHistory(createdBy) {
	return createdBy.slice(0, LONGEST_KEY).replace(/\s+# buildkit\s*$/, "").replace(/^\/bin\/sh -c #\(nop\)\s+/, "").replace(/^(RUN )?\|\d+ .*?(?=\/bin\/(?:ba)?sh )/s, "$1").replace(/^(?:RUN )?\/bin\/sh -c /, "RUN ").replaceAll(/(?:sha256|file|dir|multi):[0-9a-f]{64}/g, "#").replaceAll(/\s+/g, " ").trim();
}
function contentKey({ diffId }) {
	return diffId === "" ? void 0 : diffId;
}
function writtenKey({ source }) {
	return source === void 0 ? void 0 : source.text.slice(0, LONGEST_KEY).replaceAll(/\s+/g, " ").trim();
}
function historyKey({ createdBy }) {
	const key = normalizeHistory(createdBy);
	return key === "" ? void 0 : key;
}
/** What was moved: of several with one key the first belongs to the first. */
function anywhere(before, now, keyOf) {
	const waiting = Map.groupBy(before, keyOf);
	const next = /* @__PURE__ */ new Map();
	return now.flatMap((layer) => {
		const key = keyOf(layer);
		if (key === void 0) return [];
		const at = next.get(key) ?? 0;
		const was = waiting.get(key)?.[at];
		next.set(key, at + 1);
		return was === void 0 ? [] : [[was, layer]];
	});
}
function edited(before, now) {
	const waiting = before.map((layer) => ({
		layer,
		words: wordsOf(layer)
	}));
	return now.flatMap((layer) => {
		const words = wordsOf(layer);
		const scores = waiting.map((candidate) => likeness$1(candidate.words, words));
		const best = Math.max(0, ...scores);
		const [was] = best < ALIKE ? [] : waiting.splice(scores.indexOf(best), 1);
		return was === void 0 ? [] : [[was.layer, layer]];
	});
}
function wordsOf(layer) {
	return (writtenKey(layer) ?? historyKey(layer) ?? "").split(" ").slice(0, MOST_WORDS);
}
/** The share of words that two instructions have in common, 0 to 1; 0 where they are of different kinds. */
function likeness$1(a, b) {
	if (a[0] === void 0 || a[0] === "" || a[0] !== b[0]) return 0;
	const [restA, restB] = [new Set(a.slice(1)), new Set(b.slice(1))];
	const total = restA.size + restB.size;
	return total === 0 ? 0 : 2 * [...restA].filter((word) => restB.has(word)).length / total;
}
function changeOf({ before, now }) {
	const layer = now ?? before;
	return {
		kind: before === void 0 ? "added" : now === void 0 ? "removed" : "changed",
		transfer: {
			now: now === void 0 ? 0 : now.size,
			before: before === void 0 ? 0 : before.size
		},
		unpacked: {
			now: now === void 0 ? 0 : now.unpacked,
			before: before === void 0 ? 0 : before.unpacked
		},
		instruction: layer?.source?.text ?? normalizeHistory(layer?.createdBy ?? ""),
		line: now?.source?.line,
		file: now?.source?.file
	};
}
/** A size that is not known does not differ. */
function differs({ now, before }) {
	return now !== void 0 && before !== void 0 && now !== before;
}
function span({ now, before }) {
	return now === void 0 || before === void 0 ? 0 : Math.abs(now - before);
}

// src/measure/package-changes.ts
/** Bytes: smaller differences of a package whose version is the same say nothing. */
const NOISE$1 = 1e4;
/** Versions of one package that are named. */
const MOST_VERSIONS = 3;
/**
* By manager and name, the largest change first. A package that is there several times (npm nests them) is one, with all its
* versions.
*/
function packageChanges(before, now) {
	const [was, is] = [byName(before), byName(now)];
	const [leastBefore, leastNow] = [leastTold(before), leastTold(now)];
	const changes = [.../* @__PURE__ */ new Set([...is.keys(), ...was.keys()])].flatMap((key) => {
		const [old, current] = [was.get(key), is.get(key)];
		const any = (current ?? old)?.[0];
		if (any === void 0) return [];
		const [version, versionBefore] = [versionsOf(current), versionsOf(old)];
		const [bytes, bytesBefore] = [sum(current), sum(old)];
		const [copies, copiesBefore] = [current?.length ?? 0, old?.length ?? 0];
		const untold = copies < copiesBefore ? leastNow : copies > copiesBefore ? leastBefore : 0;
		return Math.abs(bytes - bytesBefore) < NOISE$1 + untold && (version === versionBefore || untold > 0) ? [] : [{
			manager: any.manager,
			name: any.name,
			version,
			versionBefore,
			now: bytes,
			before: bytesBefore
		}];
	});
	const weight = (change) => Math.abs(change.now - change.before);
	return changes.sort((a, b) => weight(b) - weight(a) || compare(a.name, b.name) || compare(a.manager, b.manager));
}
/** Bytes up to which packages are left out of a list; 0 where all are in it. */
function leastTold(packages) {
	return packages.length < 500 ? 0 : Math.min(...packages.map(({ bytes }) => bytes));
}
function byName(packages) {
	return Map.groupBy(packages, ({ manager, name }) => `${manager} ${name}`);
}
function versionsOf(packages) {
	if (packages === void 0) return void 0;
	const versions = [...new Set(packages.map(({ version }) => version))].sort(compare);
	const more = versions.length - MOST_VERSIONS;
	return more > 0 ? `${versions.slice(0, MOST_VERSIONS).join(", ")} and ${more} more` : versions.join(", ");
}
function sum(packages = []) {
	return packages.reduce((total, { bytes }) => total + bytes, 0);
}
function compare(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}

// src/measure/compare-platforms.ts
/** An image beside what it was, of one platform: how much it changed and what makes the difference. Pure. */
/** Either may be missing: then there are figures and no reasons. */
function comparePlatforms(before, now) {
	const figures = figuresOf(before, now);
	const none = {
		notComparable: [],
		unchanged: false,
		layers: [],
		paths: [],
		packages: [],
		base: void 0
	};
	if (before === void 0 || now === void 0) return {
		...figures,
		...none
	};
	if (before.digest !== "" && before.digest === now.digest) return {
		...figures,
		...none,
		unchanged: true
	};
	const notComparable = otherCompression(before, now);
	return {
		...figures,
		notComparable,
		unchanged: isUnchanged(figures, notComparable),
		layers: layersBetween(before, now),
		paths: before.files === void 0 || now.files === void 0 ? [] : changedPaths(before.files, now.files),
		packages: before.packages === void 0 || now.packages === void 0 ? [] : packageChanges(before.packages, now.packages),
		base: baseChange(before, now)
	};
}
function figuresOf(before, now) {
	const change = (figure) => ({
		now: now === void 0 ? void 0 : figure(now),
		before: before === void 0 ? void 0 : figure(before)
	});
	return {
		transfer: change(({ transfer }) => transfer.total),
		unpacked: change(({ unpacked }) => unpacked.total),
		own: {
			transfer: change(({ transfer }) => transfer.own),
			unpacked: change(({ unpacked }) => unpacked.own)
		},
		inherited: {
			transfer: change(({ transfer }) => transfer.inherited),
			unpacked: change(({ unpacked }) => unpacked.inherited)
		},
		waste: change(({ unpacked, merged }) => unpacked.total === void 0 || merged === void 0 ? void 0 : Math.max(0, unpacked.total - merged))
	};
}
/** A size that is not known on one side hides no change that is known of the other. */
function isUnchanged({ transfer, unpacked }, notComparable) {
	const known = [notComparable.length > 0 ? void 0 : isNoise(transfer), isNoise(unpacked)];
	return known.some((noise) => noise === true) && !known.includes(false);
}
/** The layers of the base keep what compression they had; those of the Dockerfile are compressed by the builder. */
function otherCompression(before, now) {
	const [was, is] = [compressionsOf(before), compressionsOf(now)];
	if (was.length === 0 || is.length === 0 || was.join() === is.join()) return [];
	return [`The baseline’s layers are ${words(was)} and these are ${words(is)}, so their transfer sizes cannot be compared.`];
}
/** In one order, each once. */
function compressionsOf(sizes) {
	const weighing = sizes.layers.filter(({ own, size, unpacked }) => own && size > 0 && unpacked !== 0);
	return [...new Set(weighing.flatMap(({ compression }) => compression ?? []))].sort();
}
function words(compressions) {
	return compressions.map((name) => name === "none" ? "not compressed" : `compressed by ${name}`).join(" or ");
}
/**
* Own layers, where both sides know which those are: then the changes add up to the change of own bytes. Else all layers: then
* they add up to that of the whole.
*/
function layersBetween(before, now) {
	if (!knowsLayers(before) || !knowsLayers(now)) return [];
	const ownKnown = before.transfer.own !== void 0 && now.transfer.own !== void 0;
	const chosen = ({ layers }) => layers.filter(({ own }) => own || !ownKnown);
	return layerChanges(chosen(before), chosen(now));
}
/** A user's sizes file tells totals only. */
function knowsLayers({ layers, transfer }) {
	return layers.length > 0 || transfer.total === 0;
}
const SCRATCH = "scratch";
/** Undefined where it is the same, or one of the two is not known. */
function baseChange(before, now) {
	const [was, is] = [baseOf(before), baseOf(now)];
	if (was === void 0 || is === void 0) return void 0;
	if (was.image === is.image && !holdsOther(before, now)) return void 0;
	return {
		image: is.image,
		imageBefore: was.image,
		digest: is.digest,
		digestBefore: was.digest
	};
}
function baseOf({ base, transfer }) {
	return base ?? (transfer.inherited === 0 ? {
		image: SCRATCH,
		digest: void 0
	} : void 0);
}
/** An index may have another digest for what another platform has in it: the layers tell, where they are known. */
function holdsOther(before, now) {
	const [was, is] = [inheritedOf(before), inheritedOf(now)];
	if (was !== void 0 && is !== void 0) return was !== is;
	const [digestBefore, digest] = [before.base?.digest, now.base?.digest];
	return digestBefore !== void 0 && digest !== void 0 && digestBefore !== digest;
}
function inheritedOf(sizes) {
	if (!knowsLayers(sizes) || sizes.transfer.inherited === void 0) return void 0;
	return sizes.layers.flatMap(({ own, diffId }) => own ? [] : [diffId]).join();
}

// src/measure/size-cells.ts
/** Which measurement counts for a target on a platform. Pure. */
/**
* One cell for each identity and platform: of several records (a leg that ran again) the one of the highest attempt, then the
* latest.
*/
function newestCells(records) {
	const newest = /* @__PURE__ */ new Map();
	for (const cell of records.flatMap(cellsOf)) {
		const key = cellKey(cell);
		const other = newest.get(key);
		if (other === void 0 || isNewer(cell, other)) newest.set(key, cell);
	}
	const cells = [...newest.values()];
	const later = ({ id, target, record }) => cells.some((cell) => cell.id === id && cell.target === target && attemptOf(cell.record) > attemptOf(record));
	return cells.filter((cell) => cell.platform !== "" || !later(cell));
}
function targetKey({ id, target }) {
	return JSON.stringify([id, target]);
}
function cellKey({ id, target, platform }) {
	return JSON.stringify([
		id,
		target,
		platform
	]);
}
/** The one spelling of a platform; what is none stays as it is. */
function normalizedPlatform(platform) {
	try {
		return formatPlatform(parsePlatform(platform));
	} catch {
		return platform;
	}
}
function cellsOf(record) {
	const { id, target } = record;
	const measured = new Map(record.platforms.map((sizes) => [sizes.platform, sizes]));
	const names = /* @__PURE__ */ new Set([...measured.keys(), ...(record.wantedPlatforms ?? []).map(normalizedPlatform)]);
	return (names.size === 0 ? [""] : [...names]).map((platform) => ({
		id,
		target,
		platform,
		record,
		sizes: measured.get(platform)
	}));
}
/** Attempts of different runs are not in any order. */
function isNewer({ record: a }, { record: b }) {
	const attempts = a.run?.id === b.run?.id ? attemptOf(a) - attemptOf(b) : 0;
	return attempts === 0 ? Date.parse(a.createdAt) > Date.parse(b.createdAt) : attempts > 0;
}
function attemptOf({ run }) {
	return run?.attempt ?? 0;
}

// src/measure/renames.ts
/** Targets that are called otherwise than before and are the same in all else. Pure. */
/** The most comparisons: with more targets at once that came and went, nobody thinks of a rename. */
const MOST_TARGETS = 200;
/**
* From the key (`targetKey`) of a target that is new to the name of the one of its `id` that is gone, where the two have one
* fingerprint, one image, or most of their own layers in common. Each has one name at most, the likest.
*/
function findRenames(gone, added) {
	const [olds, news] = [targetsOf(gone), targetsOf(added)];
	if (olds.length > MOST_TARGETS || news.length > MOST_TARGETS) return /* @__PURE__ */ new Map();
	const likely = news.flatMap((now) => olds.filter(({ id }) => id === now.id).map((old) => ({
		now,
		old,
		score: likeness(old, now)
	}))).filter(({ score }) => score > .5).sort((a, b) => b.score - a.score);
	const [names, taken] = [/* @__PURE__ */ new Map(), /* @__PURE__ */ new Set()];
	for (const { now, old } of likely) {
		const key = targetKey(now);
		if (names.has(key) || taken.has(old)) continue;
		names.set(key, old.target);
		taken.add(old);
	}
	return names;
}
function targetsOf(cells) {
	return [...Map.groupBy(cells, targetKey).values()].flatMap((group) => {
		const [first] = group;
		if (first === void 0) return [];
		const known = group.flatMap(({ platform, sizes }) => sizes === void 0 ? [] : [{
			platform,
			sizes
		}]);
		const digests = known.flatMap(({ platform, sizes }) => sizes.digest === "" ? [] : [`${platform} ${sizes.digest}`]);
		const layers = known.flatMap(({ platform, sizes }) => sizes.layers.flatMap(({ own, diffId }) => own && diffId !== "" ? [`${platform} ${diffId}`] : []));
		const { id, target, record } = first;
		return [{
			id,
			target,
			fingerprint: record.fingerprint,
			digests: new Set(digests),
			layers: new Set(layers)
		}];
	});
}
/** 0 to 1 for the share of layers in common; above 1 where there is no doubt. */
function likeness(old, now) {
	if (old.fingerprint !== void 0 && old.fingerprint === now.fingerprint) return 3;
	if ([...now.digests].some((digest) => old.digests.has(digest))) return 2;
	return [...now.layers].filter((layer) => old.layers.has(layer)).length / Math.max(1, old.layers.size, now.layers.size);
}

// src/measure/pair-cells.ts
/** Which measurement of the baseline stands beside which of now. Pure. */
/**
* Each cell of now beside that of the baseline, in their order, then those of the baseline that are gone. Only what was
* built under the same `id`s can be gone.
*/
function pairCells(options) {
	const { planned } = options;
	const measured = options.before.filter(isMeasured);
	const now = withPlatforms(options.now, measured);
	const was = new Map(measured.map((cell) => [cellKey(cell), cell]));
	const [nowKeys, nowTargets] = [new Set(now.map(cellKey)), new Set(now.map(targetKey))];
	const ids = new Set([...now, ...planned].map(({ id }) => id));
	const wanted = new Set(planned.flatMap(plannedKeys));
	const gone = measured.filter((cell) => {
		if (!ids.has(cell.id) || nowKeys.has(cellKey(cell))) return false;
		if (wanted.has(cellKey(cell)) || wanted.has(targetKey(cell))) return false;
		return nowTargets.has(targetKey(cell)) || !options.isStillThere(cell.id, cell.target);
	});
	const beforeTargets = new Set(options.before.map(targetKey));
	const renames = findRenames(gone.filter((cell) => !nowTargets.has(targetKey(cell))), now.filter((cell) => cell.record.status !== "failed" && !beforeTargets.has(targetKey(cell))));
	const pairs = now.map((cell) => {
		const renamedFrom = renames.get(targetKey(cell));
		const key = cellKey(renamedFrom === void 0 ? cell : {
			...cell,
			target: renamedFrom
		});
		const before = was.get(key);
		return {
			now: cell,
			before,
			...before === void 0 ? {} : { renamedFrom }
		};
	});
	const taken = new Set(pairs.map(({ before }) => before));
	return [...pairs, ...gone.filter((cell) => !taken.has(cell)).map((before) => ({
		now: void 0,
		before
	}))];
}
/** A build that failed without saying for which platforms failed for those of the baseline that there is nothing else of. */
function withPlatforms(now, before) {
	const platforms = Map.groupBy(before, targetKey);
	const there = new Set(now.map(cellKey));
	return now.flatMap((cell) => {
		const left = (cell.platform === "" ? platforms.get(targetKey(cell)) ?? [] : []).map(({ platform }) => ({
			...cell,
			platform
		})).filter((named) => !there.has(cellKey(named)));
		return left.length === 0 ? [cell] : left;
	});
}
/** What was planned and is not among the cells: targets, with the platforms where others of theirs are. */
function missingCells(planned, now) {
	const [cells, targets] = [new Set(now.map(cellKey)), new Set(now.map(targetKey))];
	const names = planned.flatMap((plan) => {
		if (!targets.has(targetKey(plan))) return [plan.target];
		if (cells.has(cellKey({
			...plan,
			platform: ""
		}))) return [];
		const missing = platformsOf(plan).filter((platform) => !cells.has(cellKey({
			...plan,
			platform
		})));
		return missing.length === 0 ? [] : [`${plan.target} (${missing.join(", ")})`];
	});
	return [...new Set(names)];
}
/** There is something to compare with. */
function isMeasured({ sizes, record }) {
	return sizes !== void 0 && record.status !== "failed";
}
/** A target's key, where any of its platforms will do. */
function plannedKeys(plan) {
	const platforms = platformsOf(plan);
	return platforms.length === 0 ? [targetKey(plan)] : platforms.map((platform) => cellKey({
		...plan,
		platform
	}));
}
function platformsOf({ platform = "" }) {
	return platform.split(",").map((name) => name.trim()).filter((name) => name !== "").map(normalizedPlatform);
}

// src/measure/compare-sizes.ts
/** Sizes beside those of a baseline: the whole of a size report, as data. Pure. */
/** Rows in the order in which they are to be read: failed, over budget, larger, smaller, new, gone, unchanged. */
function compareSizes(options) {
	const { planned = [], isStillThere = () => false } = options;
	const { facts } = options.baseline;
	const now = newestCells(options.records);
	const before = facts.source === "none" ? [] : newestCells(options.baseline.records);
	const known = Map.groupBy(before, ({ id }) => id);
	return {
		rows: inOrder(pairCells({
			now,
			before,
			planned,
			isStillThere
		}).filter((pair) => pair.now !== void 0 || facts.source !== "registry").flatMap((pair) => rowOf(pair, options, known.get((pair.now ?? pair.before)?.id ?? "") ?? []))),
		missing: missingCells(planned, now),
		baseline: facts
	};
}
/** @param baseline what it knows of the same `id` */
function rowOf(pair, options, baseline) {
	const { now, before, renamedFrom } = pair;
	const cell = now ?? before;
	if (cell === void 0) return [];
	const { id, target, platform, record } = cell;
	const status = statusOf(pair, options.baseline.facts, baseline);
	const compared = comparePlatforms(before?.sizes, now?.sizes);
	const others = status === "added" ? otherPlatforms(cell, options.records, baseline) : [];
	const row = {
		id,
		target,
		platform,
		status,
		...compared,
		current: now?.sizes,
		notComparable: [...compared.notComparable, ...others],
		unchanged: status === "compared" && compared.unchanged,
		...renamedFrom === void 0 ? {} : { renamedFrom },
		...status === "failed" ? { failure: record.failure } : {}
	};
	const { budgets, waived } = options;
	return [{
		...row,
		budgets: budgetVerdicts(row, {
			budgets,
			waived,
			file: record.file,
			line: record.line
		})
	}];
}
function statusOf({ now, before }, { source }, baseline) {
	if (now === void 0) return "removed";
	if (now.record.status === "failed") return "failed";
	if (before !== void 0) return "compared";
	const unmeasured = baseline.some((cell) => cell.target === now.target && !isMeasured(cell) && ["", now.platform].includes(cell.platform));
	return source === "registry" || unmeasured || !baseline.some(isMeasured) ? "no-baseline" : "added";
}
/** Why a target that the baseline knows is new: it was there for other platforms alone. */
function otherPlatforms({ id, target }, records, baseline) {
	const was = baseline.filter((cell) => cell.target === target && isMeasured(cell)).map(({ platform }) => platform);
	const is = records.filter((record) => record.id === id && record.target === target).flatMap(({ platforms }) => platforms.map(({ platform }) => platform));
	if (was.length === 0 || is.some((platform) => was.includes(platform))) return [];
	return [`The baseline was measured for ${was.join(", ")} only, and platforms are not compared with each other.`];
}
function inOrder(rows) {
	const ranked = rows.map((row) => ({
		row,
		rank: rankOf(row),
		weight: weightOf(row)
	}));
	const size = ({ transfer }) => transfer.now ?? transfer.before ?? 0;
	ranked.sort((a, b) => a.rank - b.rank || b.weight - a.weight || size(b.row) - size(a.row) || order(a.row.target, b.row.target) || order(a.row.platform, b.row.platform) || order(a.row.id, b.row.id));
	return ranked.map(({ row }) => row);
}
const VERDICTS$1 = [
	"over",
	"waived",
	"over-before"
];
const STATUSES = [
	"added",
	"removed",
	"no-baseline"
];
function rankOf(row) {
	if (row.status === "failed") return 0;
	const verdict = VERDICTS$1.findIndex((candidate) => row.budgets.some((budget) => budget.verdict === candidate));
	if (verdict >= 0) return 1 + verdict;
	if (row.status !== "compared") return 6 + STATUSES.indexOf(row.status);
	const change = headline(row);
	if (row.unchanged || change === void 0) return 9;
	return change >= 0 ? 4 : 5;
}
function weightOf(row) {
	return Math.abs(headline(row) ?? 0);
}
/** Bytes of the change that is told first: in transfer, unless that is noise or no measure. */
function headline({ transfer, unpacked, notComparable }) {
	return (notComparable.length > 0 || isNoise(transfer) !== false) && isNoise(unpacked) !== void 0 ? deltaOf(unpacked) : deltaOf(transfer);
}
function order(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}

// src/report/size-report-rows.ts
/** Questions about the rows of a size report that several of its parts ask: what counts, what differs by how much. */
/** `+38.4 MB (+25.9 %)`; undefined where it is not known. */
function differenceText(change) {
	const bytes = deltaOf(change);
	if (bytes === void 0) return void 0;
	const percent = formatChange(change.before ?? 0, change.now ?? 0);
	return bytes === 0 || percent === void 0 ? formatDelta(bytes) : `${formatDelta(bytes)} (${percent})`;
}
/** The metric that tells of this row's change: transfer, unless it can't be compared or only the files changed. */
function headlineMetric(row) {
	const { transfer, unpacked, notComparable } = row;
	if (deltaOf(unpacked) === void 0) return "transfer";
	return notComparable.length === 0 && deltaOf(transfer) !== void 0 && (isNoise(transfer) !== true || isNoise(unpacked) === true) ? "transfer" : "unpacked";
}
/** The change in {@link headlineMetric}, in bytes; 0 where it is not known. */
function headlineBytes(row) {
	return row.status === "compared" ? deltaOf(row[headlineMetric(row)]) ?? 0 : 0;
}
const VERDICTS = [
	"over",
	"waived",
	"over-before",
	"held",
	"skipped"
];
/** A row's budgets, the most pressing first. */
function budgetsOf(row) {
	return row.budgets.toSorted((a, b) => VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) || used(b) - used(a));
}
function used({ limit, actual }) {
	return limit === void 0 || actual === void 0 ? 0 : actual / Math.max(1, limit);
}
/** What the most pressing budget says; undefined without one. */
function worst(row) {
	return budgetsOf(row)[0]?.verdict;
}
/** A row that nobody need look at. */
function isQuiet(row) {
	return row.status === "compared" && row.unchanged && ![
		"over",
		"waived",
		"over-before"
	].includes(worst(row) ?? "");
}
/** Rows of the same target, whatever the platform; in the order of their first. */
function byTarget(rows) {
	const groups = [];
	const known = /* @__PURE__ */ new Map();
	for (const row of rows) {
		const ofId = known.get(row.id) ?? /* @__PURE__ */ new Map();
		known.set(row.id, ofId);
		const group = ofId.get(row.target);
		if (group === void 0) {
			const first = [row];
			ofId.set(row.target, first);
			groups.push(first);
		} else group.push(row);
	}
	return groups;
}
/** Whether targets have to be told apart by the id of what they were built from. */
function severalIds(report) {
	return new Set(report.rows.map((row) => row.id)).size > 1;
}
/** The platform of all rows; undefined where they differ. */
function onlyPlatform(report) {
	const platforms = new Set(report.rows.map((row) => row.platform));
	return platforms.size === 1 ? [...platforms][0] : void 0;
}
/** Nothing to compare with, for the whole report. */
function hasBaseline(report) {
	return report.baseline.source !== "none";
}
/** `187 MB`, or `unknown`. */
function sizeText(bytes) {
	return bytes === void 0 ? "unknown" : formatBytes(bytes);
}
/** A number stays with its unit, however narrow its column. */
function unbroken(text) {
	return text.replace(/([\d.]) (?=[a-zA-Z%])/g, "$1&nbsp;").replaceAll("<", "&lt;");
}

// src/report/size-report-verdict.ts
/** The first line of a size report: all that an e-mail's preview, a notice or a log shows of it. */
const MAX_NAMED = 3;
/**
* The verdict as plain text for a log, a notice or a commit status:
* ``Image sizes: 1 of 4 targets over budget · `runtime` 187 MB of 160 MB, +38.4 MB (+25.9 %)``. It holds no workflow
* command and no line break.
* @param title the identity's `id`, named where it is not empty
*/
function verdictLine(report, title = "") {
	return verdict$1(report, title, {
		name: (name) => `\`${logText(visible(name, 60)).replaceAll("`", "'")}\``,
		figure: (text) => text
	});
}
/** The verdict as Markdown, on one line, without the heading's `#`. */
function verdictMarkdown(report, title) {
	return verdict$1(report, title, {
		name: (name) => code(name, 60),
		figure: unbroken
	});
}
function verdict$1(report, title, style) {
	const groups = byTarget(report.rows);
	const head = heads(report, groups);
	const tail = tails(report, groups, style);
	const start = `Image sizes${title === "" ? "" : ` of ${style.name(title)}`}`;
	const said = [...head === "" ? [] : [head], ...tail];
	return `${start}: ${said.length === 0 ? "nothing was measured" : said.join(" · ")}`;
}
function heads(report, groups) {
	const here = groups.filter((rows) => rows.some((row) => row.status !== "removed"));
	const all = here.length + report.missing.length;
	const failed = here.filter((rows) => rows.some((row) => row.status === "failed")).length;
	const of = (verdict) => here.filter((rows) => rows.some((row) => worst(row) === verdict)).length;
	const phrases = [
		[
			failed,
			"failed to build",
			"failed to build"
		],
		[
			of("over"),
			"over budget",
			"over budget"
		],
		[
			of("waived"),
			"over budget, allowed by label",
			"over budget but allowed by label"
		],
		[
			of("over-before"),
			"over budget as before",
			"over budget as before"
		]
	].filter(([n]) => n > 0).map(([n, alone, among], i) => all === 1 ? alone : i === 0 && report.missing.length === 0 ? `${n} of ${all} targets ${among}` : `${n} ${among}`);
	return [...report.missing.length === 0 ? [] : [`${here.length} of ${count(all, "target")} reported`], ...phrases.length === 0 ? general(report, groups, all) : phrases].join(", ");
}
/** What there is to say where nothing failed and no budget was broken. */
function general(report, groups, all) {
	const measured = groups.filter((rows) => rows.some((row) => row.status !== "removed")).length;
	if (measured > 0 && !hasBaseline(report)) return [`${count(measured, "target")} measured, no baseline yet`];
	const changed = groups.filter((rows) => rows.some((row) => !isQuiet(row))).length;
	if (groups.length === 0) return [];
	if (changed === 0) return [all === 1 ? "no change" : `no change in ${count(measured, "target")}`];
	return all === 1 ? [] : [`${changed} of ${count(Math.max(all, groups.length), "target")} changed`];
}
function tails(report, groups, style) {
	const ids = severalIds(report);
	const loud = groups.filter((rows) => rows.some((row) => !isQuiet(row)));
	const named = (loud.length === 0 ? groups : loud).flatMap((rows) => {
		const row = rows[0];
		return row === void 0 ? [] : [`${style.name(row.target)}${ids ? ` of ${style.name(row.id)}` : ""} ${style.figure(tail(row))}`];
	});
	return named.length <= 4 ? named : [...named.slice(0, MAX_NAMED), `${named.length - MAX_NAMED} more`];
}
function tail(row) {
	switch (row.status) {
		case "failed": return "failed";
		case "added": return `new, ${sizeText(row.transfer.now)}`;
		case "removed": return "removed";
		case "no-baseline":
		case "compared": {
			const budget = budgetsOf(row)[0];
			if (budget !== void 0 && [
				"over",
				"waived",
				"over-before"
			].includes(budget.verdict)) {
				const unit = budget.metric === "unpacked" ? " unpacked" : "";
				const change = row.status === "compared" ? differenceText(row[budget.metric]) : void 0;
				const [actual, limit] = [sizeText(budget.actual), sizeText(budget.limit)];
				const over = formatBytes((budget.actual ?? 0) - (budget.limit ?? 0));
				const size = `${actual === limit ? `${over} over ${limit}` : `${actual} of ${limit}`}${unit}`;
				return change === void 0 || change === "0 B" ? size : `${size}, ${change}`;
			}
			if (row.status === "no-baseline" || row.unchanged || headlineBytes(row) === 0) return sizeText(row.transfer.now);
			const metric = headlineMetric(row);
			return `${differenceText(row[metric]) ?? ""}${metric === "unpacked" ? " unpacked" : ""}`;
		}
	}
}

// src/report/size-report-budgets.ts
/** A line for each budget that is over, what to do about it, and which were not checked. Undefined where all is well. */
function budgetSentences(report, context, maxLines) {
	const all = report.rows.flatMap((row) => budgetsOf(row).map((budget) => ({
		row,
		budget
	})));
	const broken = all.filter(({ budget }) => [
		"over",
		"waived",
		"over-before"
	].includes(budget.verdict));
	const lines = broken.slice(0, maxLines).map((item) => sentence(item, report, context));
	if (broken.length > maxLines) lines.push(`${broken.length - maxLines} more.`);
	const paragraphs = [
		...lines.length === 0 ? [] : [lines.length === 1 ? lines.join("") : lines.map((line) => `- ${line}`).join("\n")],
		...broken.some(({ budget }) => budget.verdict === "over") && context.budgetLabel !== void 0 ? [`To accept the increase, put the label ${code(context.budgetLabel)} on the pull request and run the job again.`] : [],
		...unchecked(all.filter(({ budget }) => budget.verdict === "skipped"))
	];
	return paragraphs.length === 0 ? void 0 : paragraphs.join("\n\n");
}
/** What a target is called in a sentence: with platform and id only where they are needed to tell it apart. */
function rowName(row, report) {
	const platform = onlyPlatform(report) === void 0 ? ` ${code(row.platform, 32)}` : "";
	return `${code(row.target, 60)}${platform}${severalIds(report) ? ` of ${code(row.id, 60)}` : ""}`;
}
function sentence({ row, budget }, report, context) {
	const target = visible(row.target, 60).replaceAll("`", "'");
	const named = {
		...row,
		target,
		platform: visible(row.platform, 32)
	};
	const text = budgetSentence(named, {
		...budget,
		budget: visible(budget.budget, 80)
	}, { platform: onlyPlatform(report) === void 0 });
	const said = `${prose(text)}${severalIds(report) ? ` of ${code(row.id, 60)}` : ""}`;
	switch (budget.verdict) {
		case "over-before": return `⚠️ ${said}. It did not get worse, so this is only a warning.`;
		case "waived": return `⚠️ ${said}${context.budgetLabel === void 0 ? "" : `: ${code(context.budgetLabel)}`}.`;
		case "over":
		case "held":
		case "skipped": return `❌ ${said}.`;
	}
}
/** Each budget once, by why it was not checked. */
function unchecked(items) {
	return [...Map.groupBy(items, ({ row, budget }) => budget.actual === void 0 ? "a size is not known" : budget.metric === "transfer" && row.notComparable.length > 0 ? "the baseline is compressed differently" : "there is nothing to compare with")].map(([reason, group]) => {
		const names = [...new Set(group.map(({ budget }) => code(budget.budget, 80)))];
		return `Budgets not checked, since ${reason}: ${list$1(names, 10)}.`;
	});
}

// src/report/size-report-context.ts
const MAX_URL = 1e3;
/** The first seven digits of a commit, linked; other text is undefined, since a commit may come from a fork. */
function commitLink(context, commit) {
	if (commit === void 0 || !/^[0-9a-f]{7,64}$/.test(commit)) return void 0;
	return link(context, `\`${commit.slice(0, 7)}\``, `commit/${commit}`);
}
/**
* Markdown (`text`, made of Markdown already) linked to a line of a file at the head commit; only `text` where there is
* no such address.
*/
function lineLink(context, text, file, line) {
	const { headCommit } = context;
	const segments = file.split("/");
	if (headCommit === void 0 || segments.some((segment) => [
		"",
		".",
		".."
	].includes(segment))) return text;
	if (file.length > MAX_URL || !file.isWellFormed()) return text;
	return link(context, text, `blob/${headCommit}/${segments.map(encodeURIComponent).join("/")}#L${line}`);
}
/** `text` linked to a page of this repository; only `text` where the address is of any other place. */
function pageLink(context, text, url) {
	const home = `${context.serverUrl}/${context.repository}/`;
	return url?.startsWith(home) === true ? link(context, text, url.slice(home.length)) : text;
}
function link(context, text, path) {
	const url = URL.parse(`${context.serverUrl}/${context.repository}/${path}`);
	const home = URL.parse(`${context.serverUrl}/${context.repository}/`);
	if (url === null || home === null || !url.href.startsWith(home.href) || !/^https?:$/.test(url.protocol)) return text;
	if (url.href.length > 4 * MAX_URL) return text;
	return `[${text}](${url.href.replace(/[^\w./:?=#%&+,;~-]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`).replaceAll("&", "&amp;").replaceAll("~", "%7E")})`;
}

// src/report/size-report-graph.ts
/** The stage graph in a size report, with what it weighs; folded away, and only there when it changed. */
function graphBlock(report, change) {
	const failed = new Set(report.rows.filter((row) => row.status === "failed").map((row) => row.target));
	const chart = flowchart({
		graph: change.graph,
		requested: change.targets.map(({ stage }) => stage),
		failed: change.targets.filter(({ name }) => failed.has(name)).map(({ stage }) => stage),
		shared: change.shared,
		captions: captions(report, change)
	});
	const { added, removed } = change;
	const words = [...added.length === 0 ? [] : [`${added.length} new`], ...removed.length === 0 ? [] : [`${removed.length} gone`]];
	const sentences = [
		...added.length === 0 ? [] : [`New: ${named(added)}.`],
		...removed.length === 0 ? [] : [`Gone: ${named(removed)}.`],
		...words.length === 0 ? ["The same stages, but they need other ones than before."] : []
	].join(" ");
	return details(`The stage graph changed (${[count(change.graph.stages.length, "stage"), ...words].join(", ")})`, `${mermaidBlock(chart.source)}\n\n<sub>${sentences}</sub>`);
}
function named(names) {
	return list$1(names.map((name) => code(name, 60)), 20);
}
/** Where a target has one platform: its size and what it gained. */
function captions(report, { targets }) {
	return new Map(targets.flatMap(({ name, stage }) => {
		const rows = report.rows.filter((row) => row.target === name);
		const size = rows[0]?.transfer.now;
		if (rows.length !== 1 || size === void 0) return [];
		const bytes = deltaOf(rows[0]?.transfer ?? {
			now: void 0,
			before: void 0
		});
		const more = bytes === void 0 || bytes === 0 || rows[0]?.unchanged === true ? "" : `, ${formatDelta(bytes)}`;
		return [[stage, `${formatBytes(size)}${more}`]];
	}));
}

// src/report/size-report-notes.ts
/**
* What a reader has to know to read the figures right: boxes for what limits them (no baseline, an older one, figures
* that can't be compared, targets that are missing), and the line below the table that names what was compared.
*/
/** At most one box of warnings and one of notes; undefined where there is nothing to know. */
function boxes(report, context, maxLines) {
	const warnings = [
		...missing(report),
		...failures(report, context),
		...incomparable(report)
	];
	const notes = [...baselineNotes(report.baseline, context), ...unknownSizes(report)];
	const texts = [...box("WARNING", warnings, maxLines), ...box("NOTE", notes, maxLines)];
	return texts.length === 0 ? void 0 : texts.join("\n\n");
}
/** https://docs.github.com/en/get-started/writing-on-github (Alerts); elsewhere it is a quotation. */
function box(kind, sentences, maxLines) {
	if (sentences.length === 0) return [];
	const shown = sentences.slice(0, maxLines);
	if (shown.length < sentences.length) shown.push(`${sentences.length - shown.length} more of such remarks.`);
	const lines = shown.length === 1 ? shown : shown.map((sentence) => `- ${sentence}`);
	return [[`[!${kind}]`, ...lines].map((line) => `> ${line}`).join("\n")];
}
function missing({ missing: names }) {
	if (names.length === 0) return [];
	const who = list$1(names.map((name) => code(name, 60)), 10);
	return [names.length === 1 ? `No sizes were handed over for ${who}. Its job has not ended yet, failed early or was cancelled.` : `No sizes were handed over for ${who}. Their jobs have not ended yet, failed early or were cancelled.`];
}
function failures(report, context) {
	return report.rows.filter((row) => row.status === "failed").map((row) => {
		const why = row.failure === void 0 ? "The build failed." : prose(row.failure, 500);
		return `${rowName(row, report)}: ${why} ${pageLink(context, "See the run", context.runUrl)}.`;
	});
}
/** Rows that share the sentences are told of together. */
function incomparable(report) {
	return [...Map.groupBy(report.rows.filter((row) => row.notComparable.length > 0), (row) => row.notComparable.join("\n")).values()].map((rows) => {
		const sentences = (rows[0]?.notComparable ?? []).slice(0, 5).map((sentence) => prose(sentence, 300));
		const shown = rows.some((row) => row.status === "compared");
		return `${names(rows, report)}: ${sentences.join(" ")}${shown ? " Their differences are shown, but no relative budget is held against them." : ""}`;
	});
}
function unknownSizes(report) {
	return [...Map.groupBy(report.rows.filter((row) => row.current?.unknownReason !== void 0), (row) => row.current?.unknownReason ?? "")].map(([reason, rows]) => `${names(rows, report)}: ${prose(reason, 300)}`);
}
function names(rows, report) {
	return list$1(rows.map((row) => rowName(row, report)), 5);
}
function baselineNotes(baseline, context) {
	const wanted = commitLink(context, baseline.wanted);
	const branch = baseline.branch === void 0 ? "the base branch" : code(baseline.branch, 60);
	switch (baseline.source) {
		case "exact":
		case "input": return [];
		case "ancestor": return [`Compared with ${commitLink(context, baseline.commit) ?? "an earlier commit"}, ${baseline.distance === void 0 ? "which is before" : `${count(baseline.distance, "commit")} before`} ${wanted === void 0 ? `the tip of ${branch}` : `the base commit ${wanted}`}, whose own sizes are not known. The differences may hold what was changed in between.`];
		case "registry": return ["Compared with the image in the registry, which tells transfer sizes only: which files or packages changed is not known."];
		case "none": return [`There is nothing to compare with yet: no sizes are known of ${branch}${wanted === void 0 ? "" : ` at ${wanted}`} or of the commits before it. Run this workflow on \`push\` to ${branch} too: what it measures there is what pull requests are compared with.`];
	}
}
/** In words what `noiseFloor` of `measure/noise.ts` is. */
const NOISE = "less than 10 kB or 0.05 % is no change";
/** What was compared with what, and how figures are meant; one small line. */
function footnote(report, context) {
	const { baseline } = report;
	const platform = onlyPlatform(report);
	const compressions = [...new Set(report.rows.flatMap((row) => (row.current?.layers ?? []).flatMap((layer) => layer.own && layer.compression !== void 0 ? [layer.compression] : [])))].map((compression) => compression === "none" ? "uncompressed" : compression);
	const head = commitLink(context, context.headCommit);
	const parts = [
		...comparedWith(baseline, context),
		...head === void 0 ? [] : [baseline.source === "none" ? `Measured at ${head}` : `head ${head}`],
		...platform === void 0 ? [] : [code(platform, 32)],
		...compressions.length === 0 ? [] : [list$1(compressions)],
		...baseline.source === "none" ? [] : [NOISE]
	];
	return `<sub>${parts.join(" · ")}${parts.length === 0 ? "" : "<br>"}Transfer: the layers as a registry keeps them. Unpacked: the files in them.</sub>`;
}
function comparedWith(baseline, context) {
	const commit = commitLink(context, baseline.commit);
	const branch = baseline.branch === void 0 ? "" : ` on ${code(baseline.branch, 60)}`;
	const run = baseline.url === void 0 ? "" : pageLink(context, "its run", baseline.url);
	const more = run === "" || run === "its run" ? "" : ` (${run})`;
	switch (baseline.source) {
		case "none": return [];
		case "input": return [`Compared with ${commit ?? "what"}${commit === void 0 ? "" : ", which"} the input \`baseline\` names${more}`];
		case "exact": return [`Compared with ${commit ?? "the base commit"}${commit === void 0 ? "" : ", the base commit"}${branch}${more}`];
		case "ancestor": {
			const distance = baseline.distance === void 0 ? "" : `, ${count(baseline.distance, "commit")} before the base`;
			return [`Compared with ${commit ?? "an earlier commit"}${branch}${distance}${more}`];
		}
		case "registry": return [`Compared with the image in the registry${commit === void 0 ? "" : `, of ${commit}`}${more}`];
	}
}

// src/report/size-report-table.ts
/** The size report's tables: one row per target and platform, those that nobody need look at apart. */
const NONE = "–";
/** What changed, failed, is over budget or is missing, or everything where there is no baseline. */
function openTable(report, options) {
	const rows = report.rows.filter((row) => !isQuiet(row));
	const missing = report.missing.map((target) => ({ target }));
	const failed = rows.filter((row) => row.status === "failed");
	const all = [
		...failed,
		...missing,
		...rows.slice(failed.length)
	];
	const shown = all.slice(0, options.maxRows);
	const leftOut = all.slice(options.maxRows).filter((row) => "status" in row);
	return {
		markdown: shown.length === 0 ? void 0 : draw(report, shown, options),
		leftOut
	};
}
/** Rows folded away: the unchanged ones, or those that the open table has no room for. */
function foldedTable(report, rows, options) {
	return rows.length === 0 ? void 0 : draw(report, rows.slice(0, options.maxRows), options);
}
/** Columns that would say nothing, or the same in each row, are not drawn: the page is narrow. */
function draw(report, rows, options) {
	const known = rows.filter((row) => "status" in row);
	const compact = options.compact === true;
	const shape = {
		icon: rows.some((row) => icon(row) !== ""),
		platform: onlyPlatform(report) === void 0,
		ids: severalIds(report),
		change: hasBaseline(report) && known.some((row) => !isQuiet(row)),
		unpacked: !compact && known.some((row) => row.unpacked.now !== void 0 || row.unpacked.before !== void 0),
		budget: known.some((row) => row.budgets.length > 0)
	};
	const columns = [
		...shape.icon ? [{ title: "" }] : [],
		{ title: "Target" },
		...shape.platform ? [{ title: "Platform" }] : [],
		{
			title: "Transfer",
			align: "right"
		},
		...shape.change ? [{
			title: "Change",
			align: "right"
		}] : [],
		...shape.unpacked ? [{
			title: "Unpacked",
			align: "right"
		}] : [],
		...shape.unpacked && shape.change ? [{
			title: "Change",
			align: "right"
		}] : [],
		...shape.budget ? [{ title: "Budget" }] : []
	];
	return table(columns, rows.map((row) => cells(row, shape)));
}
function cells(row, shape) {
	const known = "status" in row ? row : void 0;
	const id = shape.ids && known !== void 0 ? `<br><sub>${code(known.id, 60)}</sub>` : "";
	const old = known?.renamedFrom === void 0 ? "" : `<br><sub>was ${code(known.renamedFrom, 60)}</sub>`;
	return [
		...shape.icon ? [icon(row)] : [],
		`**${code(row.target, 60)}**${id}${old}`,
		...shape.platform ? [known === void 0 ? NONE : code(known.platform, 32)] : [],
		sizeCell(known, "transfer"),
		...shape.change ? [changeCell(known, "transfer")] : [],
		...shape.unpacked ? [sizeCell(known, "unpacked")] : [],
		...shape.unpacked && shape.change ? [changeCell(known, "unpacked")] : [],
		...shape.budget ? [known === void 0 ? NONE : budgetCell(known)] : []
	];
}
function icon(row) {
	if (!("status" in row)) return "⏳";
	if (row.status === "failed") return "💥";
	const verdict = worst(row);
	if (verdict === "over") return "❌";
	if (verdict === "waived" || verdict === "over-before") return "⚠️";
	return row.status === "added" ? "🆕" : row.status === "removed" ? "🗑️" : "";
}
function sizeCell(row, metric) {
	if (row === void 0) return metric === "transfer" ? "no sizes yet" : NONE;
	switch (row.status) {
		case "failed": return metric === "transfer" ? "build failed" : NONE;
		case "removed": return metric === "transfer" ? "removed" : NONE;
		case "added":
		case "compared":
		case "no-baseline": return unbroken(sizeText(row[metric].now));
	}
}
function changeCell(row, metric) {
	switch (row?.status) {
		case void 0:
		case "failed": return NONE;
		case "removed": return was(row[metric]);
		case "added": return metric === "transfer" ? "new" : NONE;
		case "no-baseline": return metric === "transfer" ? "no baseline" : NONE;
		case "compared": {
			const bytes = deltaOf(row[metric]);
			if (bytes === void 0) return NONE;
			if (metric !== headlineMetric(row)) return unbroken(formatDelta(bytes));
			const text = unbroken(differenceText(row[metric]) ?? "");
			return row.unchanged ? text : `**${text}**`;
		}
	}
}
function was({ before }) {
	return before === void 0 ? NONE : `was ${unbroken(formatBytes(before))}`;
}
function budgetCell(row) {
	const shown = budgetsOf(row).slice(0, 2).map(budgetText);
	return shown.length === 0 ? NONE : shown.join("<br>");
}
function budgetText(budget) {
	const { limit, actual, metric, verdict } = budget;
	if (limit === void 0 || actual === void 0 || verdict === "skipped") return "not checked";
	const share = unbroken(usedPercent(limit, actual));
	const unit = metric === "unpacked" ? " unpacked" : "";
	return `${unbroken(formatBytes(limit))}${unit} · ${verdict === "held" ? share : `**${share}**`}`;
}
/** Only what is over is above 100 %, and only what is full is 100 %. */
function usedPercent(limit, actual) {
	const percent = 100 * actual / Math.max(1, limit);
	return `${actual > limit ? Math.max(101, Math.round(percent)) : Math.floor(percent)} %`;
}

// src/report/size-report-why.ts
const MAX_PACKAGES = 12;
const MAX_OPEN = 3;
/** A folded block per changed target, open for the first and those over budget (three at most). */
function whyBlocks(report, context, options) {
	const changed = report.rows.filter((row) => row.status === "compared" && !row.unchanged);
	const blocks = byTarget(changed).flatMap((rows) => {
		const row = rows[0];
		const body = row === void 0 ? void 0 : whyBody(row, rows, report, context, options);
		return row === void 0 || body === void 0 ? [] : [{
			row,
			body
		}];
	});
	const open = new Set(blocks.filter(({ row }, i) => i === 0 || worst(row) === "over").slice(0, MAX_OPEN).map(({ row }) => row));
	const shown = blocks.slice(0, options.maxTargets).map(({ row, body }) => {
		const block = details(`<b>${question(row)}</b> ${answer(row)}`, body);
		return open.has(row) ? block.replace(/^<details>/, "<details open>") : block;
	});
	const more = blocks.length - shown.length;
	return more === 0 || shown.length === 0 ? shown : [...shown, `<sub>Why ${more} more targets changed is left out.</sub>`];
}
function question(row) {
	const bytes = deltaOf(row[headlineMetric(row)]) ?? 0;
	return `Why did ${htmlCode(row.target, 60)} ${bytes > 0 ? "grow" : bytes < 0 ? "shrink" : "change"}?`;
}
/** The change, and how much of it came with the base image. */
function answer(row) {
	const metric = headlineMetric(row);
	const total = deltaOf(row[metric]);
	if (total === void 0) return "";
	const unit = metric === "unpacked" ? " unpacked" : "";
	const own = deltaOf(row.own[metric]);
	const inherited = deltaOf(row.inherited[metric]);
	const split = own === void 0 || inherited === void 0 || inherited === 0 && row.base === void 0 ? "" : `: ${formatDelta(inherited)} inherited, ${formatDelta(own)} yours`;
	return unbroken(`${formatDelta(total)}${unit}${split}`);
}
function whyBody(row, all, report, context, options) {
	const parts = [
		...layers(row.layers, context, options.maxLayers),
		...paths(row.paths, options.maxPaths),
		...options.packages ? packages(row.packages) : [],
		...base(row),
		...waste(row.waste)
	];
	if (parts.length === 0) return void 0;
	const others = all.slice(1).map((other) => `${code(other.platform, 32)} ${change(other)}`);
	return [...others.length === 0 ? [] : [`This is ${rowName(row, report)}. Beside it: ${others.slice(0, 10).join(", ")}.`], ...parts].join("\n\n");
}
function change(row) {
	const metric = headlineMetric(row);
	return unbroken(`${differenceText(row[metric]) ?? "changed"}${metric === "unpacked" ? " unpacked" : ""}`);
}
function layers(changes, context, max) {
	if (changes.length === 0) return [];
	const shown = changes.slice(0, max).map((layer) => [
		layerDelta(layer, "transfer"),
		layerDelta(layer, "unpacked"),
		`${code(layer.instruction, 160)}${place(layer, context)}${layer.kind === "changed" ? "" : ` <sub>${MARKS[layer.kind]}</sub>`}`
	]);
	return [
		"**Layers**",
		table([
			{
				title: "Transfer",
				align: "right"
			},
			{
				title: "Unpacked",
				align: "right"
			},
			{ title: "Instruction" }
		], shown),
		...more(changes.length - shown.length, "smaller layer")
	];
}
const MARKS = {
	added: "new",
	removed: "gone"
};
function layerDelta(layer, metric) {
	const { now, before } = layer[metric];
	const bytes = layer.kind === "added" ? now : layer.kind === "removed" ? before && -before : deltaOf({
		now,
		before
	});
	return bytes === void 0 ? "–" : unbroken(formatDelta(bytes));
}
function place({ file, line, kind }, context) {
	if (file === void 0 || line === void 0 || kind === "removed") return "";
	return ` ${lineLink(context, code(`${file.slice(file.lastIndexOf("/") + 1)}:${line}`, 60), file, line)}`;
}
function paths(changes, max) {
	if (changes.length === 0) return [];
	const shown = changes.slice(0, max).map(({ path, now, before }) => [
		unbroken(formatDelta(now - before)),
		`${code(path, 120)}${before === 0 ? " <sub>new</sub>" : now === 0 ? " <sub>gone</sub>" : ""}`,
		now === 0 ? "–" : unbroken(formatBytes(now))
	]);
	return [
		"**Directories and files**",
		table([
			{
				title: "Unpacked",
				align: "right"
			},
			{ title: "Path" },
			{
				title: "Now",
				align: "right"
			}
		], shown),
		...more(changes.length - shown.length, "path")
	];
}
function packages(changes) {
	if (changes.length === 0) return [];
	const shown = changes.slice(0, MAX_PACKAGES).map(({ name, version, versionBefore, now, before }) => {
		const versions = versionBefore === void 0 ? `${version === void 0 ? "" : `${code(version, 40)} `}new` : version === void 0 ? "gone" : version === versionBefore ? code(version, 40) : `${code(versionBefore, 40)} → ${code(version, 40)}`;
		return `${code(name, 60)} ${versions} ${unbroken(formatDelta(now - before))}`;
	});
	const rest = changes.length - shown.length;
	return [`**Packages:** ${[...shown, ...rest === 0 ? [] : [`${rest} more`]].join(" · ")}`];
}
function base({ base: changed, inherited }) {
	if (changed === void 0) return [];
	const sizes = [...inheritedText(inherited.transfer, "to transfer"), ...inheritedText(inherited.unpacked, "unpacked")].join(", ");
	return [`**Base image:** ${images(changed)}${sizes === "" ? "" : `: ${sizes}`}`];
}
function inheritedText(figure, unit) {
	const bytes = deltaOf(figure);
	return bytes === void 0 ? [] : [`${unbroken(formatDelta(bytes))} ${unit}`];
}
function images({ image, imageBefore, digest, digestBefore }) {
	const [old, now] = [digestBefore, digest].map((value) => {
		const short = shortDigest(value);
		return short === void 0 ? void 0 : `\`${short}\``;
	});
	if (imageBefore === void 0 || imageBefore === image) {
		const moved = old === void 0 || now === void 0 || old === now ? now ?? "" : `${old} → ${now}`;
		return `${code(image, 100)}${moved === "" ? "" : ` ${moved}`}`;
	}
	return `${code(imageBefore, 100)}${old === void 0 ? "" : ` ${old}`} → ${code(image, 100)}${now === void 0 ? "" : ` ${now}`}`;
}
function waste({ now, before }) {
	if (now === void 0 || now === 0) return [];
	const bytes = deltaOf({
		now,
		before
	});
	const more = bytes === void 0 || bytes === 0 ? "" : ` (${formatDelta(bytes)})`;
	return [`**Waste:** ${unbroken(`${formatBytes(now)}${more}`)} that a later layer overwrites or deletes`];
}
function more(n, what) {
	return n === 0 ? [] : [`<sub>${n} ${what}${n === 1 ? "" : "s"} more.</sub>`];
}

// src/report/size-report.ts
/**
* A size report as Markdown: one section of the comment on a pull request, and of the job summary. Owns which parts
* stand in which order, and what goes when there is no room for all.
*/
/**
* GitHub takes 65,536 characters a comment (older servers) or 262,144 bytes; this stays below both with room for the
* marker and what it carries.
*/
const MAX_COMMENT_CHARACTERS = 6e4;
const MAX_COMMENT_BYTES = 65e3;
const MAX_SUMMARY_SECTION = 3e5;
const WHOLE = {
	graph: true,
	packages: true,
	paths: 15,
	layers: 15,
	unchanged: true,
	whys: 50,
	compact: false,
	rows: 25,
	folded: 300,
	sentences: 25
};
/** What goes when there is no room, in this order; `name` is what the reader is told. */
const DROPS = [
	{
		name: "the stage graph",
		drop: { graph: false }
	},
	{
		name: "packages",
		drop: { packages: false }
	},
	{
		name: "all but five paths each",
		drop: { paths: 5 }
	},
	{
		name: "all but five layers each",
		drop: { layers: 5 }
	},
	{
		name: "unchanged targets",
		drop: { unchanged: false }
	},
	{
		name: "why more than twenty targets changed",
		drop: { whys: 20 }
	},
	{
		name: "why more than ten targets changed",
		drop: { whys: 10 }
	},
	{
		name: "why more than three targets changed",
		drop: { whys: 3 }
	},
	{
		name: "everything but the table",
		drop: {
			whys: 0,
			folded: 0,
			compact: true,
			sentences: 5
		}
	}
];
/**
* The report, ending in a line break; its first line is the verdict. It never exceeds the limits: what is dropped, and
* where it is told in full, stands at its end.
*/
function renderSizeReport(report, context, limits = {}) {
	const maxCharacters = limits.limit ?? 6e4;
	const maxBytes = limits.maxBytes ?? Math.floor(maxCharacters * 65e3 / 6e4);
	const level = limits.level ?? 3;
	const first = limits.compact === true ? DROPS.length : 0;
	for (let dropped = first; dropped <= DROPS.length; dropped++) {
		const text = assemble(report, context, dropped, level);
		if (text.length <= maxCharacters && Buffer.byteLength(text) <= maxBytes) return text;
	}
	return `${verdict(report, context, level)}\n\n${leftOut(["everything else"], context)}\n`;
}
/** The report as a section of the job summary, where there is more room and the stage graph is drawn anyway. */
function sizeReportSection(report, context) {
	return renderSizeReport(report, {
		...context,
		graphChanged: void 0
	}, {
		limit: MAX_SUMMARY_SECTION,
		maxBytes: MAX_SUMMARY_SECTION,
		level: 4
	});
}
function verdict(report, context, level) {
	return `${"#".repeat(level)} ${verdictMarkdown(report, context.title)}`;
}
function assemble(report, context, dropped, level) {
	const drops = DROPS.slice(0, dropped);
	const scope = Object.assign({}, WHOLE, ...drops.map(({ drop }) => drop));
	const open = openTable(report, {
		maxRows: scope.rows,
		compact: scope.compact
	});
	return `${[
		verdict(report, context, level),
		boxes(report, context, scope.sentences),
		open.markdown,
		moreRows(report, open.leftOut, scope),
		budgetSentences(report, context, scope.sentences),
		...scope.whys === 0 ? [] : whyBlocks(report, context, {
			maxTargets: scope.whys,
			maxLayers: scope.layers,
			maxPaths: scope.paths,
			packages: scope.packages
		}),
		unchangedRows(report, scope),
		scope.graph && context.graphChanged !== void 0 ? graphBlock(report, context.graphChanged) : void 0,
		footnote(report, context),
		...drops.length === 0 ? [] : [leftOut(told(report, context, drops), context)]
	].filter((part) => part !== void 0).join("\n\n")}\n`;
}
function moreRows(report, rows, scope) {
	if (rows.length === 0) return void 0;
	const body = foldedTable(report, rows, { maxRows: scope.folded });
	if (scope.folded === 0 || body === void 0) return `${count(rows.length, "more row")} are left out.`;
	return details(count(rows.length, "more row"), withRest(body, rows.length - scope.folded));
}
function unchangedRows(report, scope) {
	const quiet = report.rows.filter(isQuiet);
	if (quiet.length === 0 || !scope.unchanged) return void 0;
	const body = foldedTable(report, quiet, { maxRows: scope.folded });
	const targets = byTarget(quiet).length;
	const title = targets === quiet.length ? count(targets, "unchanged target") : count(quiet.length, "unchanged image");
	return body === void 0 ? void 0 : details(title, withRest(body, quiet.length - scope.folded));
}
function withRest(body, rest) {
	return rest <= 0 ? body : `${body}\n\n${count(rest, "more row")} are left out.`;
}
/** Only what there was to drop; the last step stands for all before it. */
function told(report, context, drops) {
	const last = DROPS.at(-1);
	if (last !== void 0 && drops.length === DROPS.length) return [last.name];
	return drops.filter(({ drop }) => drop.graph === void 0 || context.graphChanged !== void 0).filter(({ drop }) => drop.unchanged === void 0 || report.rows.some(isQuiet)).filter(({ drop }, i) => drop.whys === void 0 || drops.slice(i + 1).every((later) => later.drop.whys === void 0)).map(({ name }) => name);
}
function leftOut(names, context) {
	const where = pageLink(context, "the run's summary", context.runUrl);
	return `<sub>Left out for want of room: ${list$1(names)}. The whole report is in ${where}.</sub>`;
}

// src/size-reporting.ts
/** Allows a pull request to grow over its budgets. */
const BUDGET_LABEL = "stage-build: allow-size-increase";
/** Compares, and writes the comment. Never rejects. */
async function reportSizes(sizes, place) {
	const { event } = place;
	let pull;
	const findPull = async () => pull ??= await pullOf(event, place);
	let report = compareSizes({
		...sizes,
		waived: false
	});
	if (verdicts(report).includes("over")) {
		if (await isAllowed(await findPull(), place)) report = compareSizes({
			...sizes,
			waived: true
		});
	}
	const context = contextOf(sizes, event, place);
	const written = await comment({
		sizes,
		report,
		context,
		event,
		findPull
	}, place);
	return {
		report,
		records: sizes.records,
		section: sizeReportSection(report, context),
		verdict: verdictLine(report),
		commentUrl: written?.kind === "written" ? written.url : void 0,
		lacksRights: event.kind === "pull_request" && event.isFork || written?.kind === "refused" && written.lacksRights,
		problems: brokenBudgets(report),
		warnings: written?.kind === "refused" ? [{
			message: `No comment was written. ${written.reason}`,
			mend: written.mend
		}] : [],
		notice: written?.kind === "skipped" ? `No comment: ${written.reason}${written.mend === void 0 ? "" : ` ${written.mend}`}` : void 0
	};
}
/** Whether a label allows the growth: of the pull request, or of the one that this push merged. */
async function isAllowed(found, { event, github }) {
	if (found.kind === "found") return found.pull.labels?.includes(BUDGET_LABEL) === true;
	if (event.kind !== "push" || github === void 0) return false;
	return (await labelsOfMerged(github.client, github.repository, event)).includes(BUDGET_LABEL);
}
async function pullOf(event, { github, defaultBranch }) {
	if (github === void 0) return {
		kind: "none",
		reason: "There is no token for GitHub’s API, or this is not GitHub."
	};
	if (event.kind === "push" && event.branch === defaultBranch) return {
		kind: "none",
		reason: "The default branch has no pull request."
	};
	return await findPullRequest(github.client, github.repository, event);
}
async function comment({ sizes, report, context, event, findPull }, { github, env }) {
	if (sizes.isLeg || sizes.comment === "never" || github === void 0) return void 0;
	if (event.kind === "other" || event.kind === "merge_group") return void 0;
	const found = await findPull();
	if (found.kind === "none") return event.kind === "workflow_run" || event.kind === "pull_request" ? {
		kind: "skipped",
		reason: found.reason,
		mend: found.mend
	} : void 0;
	if (found.noComment !== void 0) return {
		kind: "skipped",
		...found.noComment
	};
	const { client, repository } = github;
	return await writeComment({
		client,
		repository,
		number: found.pull.number,
		create: callsForComment(report, sizes.comment),
		section: {
			key: sizes.id,
			verdict: verdictMarkdown(report, context.title),
			severity: severityOf(report),
			full: withoutVerdict(renderSizeReport(report, context)),
			compact: withoutVerdict(renderSizeReport(report, context, { compact: true })),
			commit: headCommit(event, env)
		}
	});
}
/** The comment has its verdict from us already. */
function withoutVerdict(markdown) {
	return markdown.slice(markdown.indexOf("\n") + 1).trim();
}
/** Whether a pull request without a comment gets one. */
function callsForComment(report, mode) {
	if (mode !== "size-changed") return mode === "always" || mode === "over-budget" && verdicts(report).includes("over");
	const isNews = ({ status, unchanged }) => status === "compared" ? !unchanged : status !== "no-baseline";
	return report.rows.some(isNews) || verdicts(report).some((verdict) => ["over", "waived"].includes(verdict));
}
function verdicts({ rows }) {
	return rows.flatMap(({ budgets }) => budgets.map(({ verdict }) => verdict));
}
function severityOf(report) {
	const found = verdicts(report);
	if (report.rows.some(({ status }) => status === "failed")) return 4;
	if (found.includes("over")) return 3;
	if (found.includes("over-before") || found.includes("waived") || report.missing.length > 0) return 2;
	return report.rows.some(({ status, unchanged }) => status !== "compared" || !unchanged) ? 1 : 0;
}
/** One problem for each, at the target's FROM. */
function brokenBudgets({ rows }) {
	return rows.flatMap((row) => row.budgets.filter(({ verdict }) => verdict === "over").map((verdict) => {
		const several = rows.filter(({ target }) => target === row.target).length > 1;
		return {
			message: `${budgetSentence(row, verdict, { platform: several })}.`,
			mend: `Make the image smaller, raise the budget in \`size-budgets\`, or give the pull request the label \`${BUDGET_LABEL}\`.`,
			file: verdict.file,
			line: verdict.line
		};
	}));
}
function contextOf(sizes, event, { env }) {
	const repository = env["GITHUB_REPOSITORY"] ?? "";
	return {
		title: sizes.id === "Dockerfile" ? "" : sizes.id,
		repository,
		serverUrl: serverUrl(env),
		headCommit: repository === "" ? void 0 : headCommit(event, env),
		runUrl: runUrl(env, env["GITHUB_RUN_ID"]),
		budgetLabel: event.kind === "pull_request" || event.kind === "workflow_run" ? BUDGET_LABEL : void 0,
		graphChanged: sizes.graphChanged
	};
}

// src/matrix-report.ts
/**
* The sizes of a whole matrix: what its jobs handed over, and what the plan says of targets that were not built, in one
* report. Also of a run that another event is about (`workflow_run`), whose records may come from a fork.
*/
/** Gathers, compares and tells. Never rejects. */
async function reportGathered(options) {
	const { inputs, plan, place, handover, now } = options;
	const run = measuredRun(place.payload);
	const gathered = await gatherSizes(recordPlaces(run, place.env, inputs.githubToken), {
		commit: run?.headSha,
		...plan === void 0 ? {} : { expected: expectedOf(plan) }
	}, handover);
	const given = plan === void 0 ? readHandedPlans(gathered.plans, run?.headSha) : {
		plans: [plan],
		left: []
	};
	const handed = gathered.records.map(({ record }) => record).filter(({ id }) => plan === void 0 || id === plan.id);
	const records = [...handed, ...given.plans.flatMap((one) => unchangedRecords(one, handed, now))];
	const expected = given.plans.map(expectedOf);
	const reported = await reportSizes({
		records,
		comment: inputs.comment,
		isLeg: false,
		id: plan?.id ?? records[0]?.id ?? given.plans[0]?.id ?? "",
		baseline: {
			facts: factsOf(records),
			records: records.flatMap(({ baseline }) => baseline?.record ?? [])
		},
		budgets: parseSizeBudgets(inputs.sizeBudgets, void 0).budgets,
		planned: expected.flatMap(({ id, cells }) => cells.map((cell) => ({
			id,
			...cell
		}))),
		isStillThere: () => true
	}, place);
	const { event, env } = place;
	if (plan !== void 0 && reported.lacksRights && !(event.kind === "pull_request" && event.isFork)) await handOverPlan(plan, {
		commit: headCommit(event, env),
		attempt: runAttempt(env)
	}, handover);
	const notHanded = plan === void 0 ? expected.flatMap((one) => missingOf(one, handed)) : [];
	const warnings = [
		...gathered.warnings,
		leftOutWarning(given.left),
		missingWarning(notHanded)
	].flatMap((message) => message === void 0 ? [] : [{ message }]);
	return {
		...reported,
		warnings: [
			...noRecords(gathered.kind, records),
			...warnings,
			...reported.warnings
		]
	};
}
/** What a plan has jobs for. */
function expectedOf({ id, platforms, targets }) {
	return {
		id,
		cells: targets.filter(({ status }) => status === "changed").map(({ name, platforms: own = platforms }) => ({
			target: name,
			platform: own.join(",")
		}))
	};
}
function noRecords(kind, records) {
	if (records.length > 0 || kind === "failed") return [];
	return [{
		message: "There are no sizes to report: no job of this run handed any over.",
		mend: "Run stage-build in the jobs of a matrix, or give this one a token with `actions: read` for the run that it is about."
	}];
}
/** Of targets that the plan left as they were, unless the job that planned handed over more of them. */
function unchangedRecords(plan, handed, now) {
	return plan.targets.flatMap(({ name, status, tags, sizes, since, file = plan.file }) => {
		const isHanded = handed.some(({ id, target }) => id === plan.id && target === name);
		const platforms = parseTargetSizes({ platforms: sizes })?.platforms;
		if (status === "changed" || isHanded || platforms === void 0) return [];
		const record = {
			version: 1,
			id: plan.id,
			target: name,
			file,
			commit: since,
			ref: void 0,
			status: "unchanged",
			createdAt: new Date(now).toISOString(),
			run: void 0,
			line: void 0,
			tags,
			platforms
		};
		const facts = {
			wanted: void 0,
			branch: void 0,
			commit: since,
			source: "exact",
			distance: 0
		};
		return [{
			...record,
			baseline: {
				facts,
				record
			}
		}];
	});
}
/** What was farthest off speaks for all; what no job had to compare with is known by its row. */
function factsOf(records) {
	const all = records.flatMap(({ baseline }) => baseline?.facts ?? []).filter(({ source }) => source !== "none");
	const built = all.filter(({ wanted }) => wanted !== void 0);
	const [first, ...others] = built.length > 0 ? built : all;
	if (first === void 0) return {
		wanted: void 0,
		branch: void 0,
		commit: void 0,
		source: "none",
		distance: void 0
	};
	const rank = ({ source, distance }) => source === "registry" ? 1e400 : distance ?? Number.MAX_SAFE_INTEGER;
	return others.reduce((worst, facts) => rank(facts) > rank(worst) ? facts : worst, first);
}

// src/merging.ts
/**
* `mode: merge`: the images that legs pushed of a platform each become one, which gets the tags of its target. What a leg
* pushed is told by the record that it handed over. A target that lacks a platform gets no tags, and keeps no other from
* getting its own.
*/
/** Targets at a time. */
const CONCURRENCY$1 = 8;
/** Merges every changed target; by target. */
async function mergeTargets(options) {
	const changed = options.plan.targets.filter(({ status }) => status === "changed");
	const merged = await sideBySide$1(changed, CONCURRENCY$1, async (target) => [target.name, await mergeTarget(target, options)]);
	return new Map(merged);
}
async function mergeTarget(target, options) {
	const { platforms = options.plan.platforms } = target;
	const parts = platforms.map((platform) => partOf(target.name, platform, options));
	const problems = parts.flatMap((part) => "message" in part ? [part] : []);
	if (problems.length > 0) return {
		written: false,
		problems
	};
	if (!options.push) return {
		written: false,
		problems: []
	};
	const pushed = parts.flatMap((part) => "message" in part ? [] : [part]);
	try {
		return await pushMerged(target, pushed, options);
	} catch (error) {
		options.signal.throwIfAborted();
		if (error instanceof RegistryError || error instanceof InvalidReferenceError) return failed(target.name, {
			message: error.message,
			mend: "mend" in error ? error.mend : void 0
		});
		throw error;
	}
}
/** What the leg of a platform pushed, or why nothing is known of it. */
function partOf(name, platform, { plan, records, push }) {
	const verdict = push ? "gets no tags" : "is not whole";
	const record = records.find(({ id, target, platforms, wantedPlatforms = [] }) => id === plan.id && target === name && [...wantedPlatforms, ...platforms.map((sizes) => sizes.platform)].includes(platform));
	if (record === void 0) return {
		message: `\`${name}\` ${verdict}: nothing came of its leg for \`${platform}\`.`,
		mend: `See what became of the job with target \`${name}\` and platform \`${platform}\`, and run the failed jobs again, then this one.`
	};
	if (record.status === "failed") return {
		message: `\`${name}\` ${verdict}: its leg for \`${platform}\` failed${record.failure === void 0 ? "." : `: ${sentence$1(record.failure)}`}`,
		mend: "Run the failed jobs again, and this one after them."
	};
	if (!push) return {
		platform,
		digest: "",
		repositories: []
	};
	if (record.digest === void 0 || record.tags.length === 0) return {
		message: `\`${name}\` ${verdict}: its leg for \`${platform}\` pushed nothing.`,
		mend: "Give the legs `push: true` and `tags` that name repositories, as this job has `push`."
	};
	return {
		platform,
		digest: record.digest,
		repositories: record.tags
	};
}
async function pushMerged({ name, tags }, parts, options) {
	const { client, docker, signal } = options;
	const merged = await mergePushed(parts, options);
	if (merged.kind !== "merged") return failed(name, notMerged(merged));
	const { index, manifests } = merged;
	const places = placesFor(tags, parts);
	if (places.length === 0) return failed(name, APART);
	const refused = (await sideBySide$1(places, CONCURRENCY$1, async (place) => await put(place, index, options))).find((problem) => typeof problem === "object");
	if (refused !== void 0) return failed(name, refused);
	const plan = await planRetag({
		client,
		digest: index.digest,
		manifests,
		tags,
		repositories: places,
		signal
	});
	if (plan.kind === "unknown") return failed(name, plan.problems[0] ?? { message: "a registry did not answer." });
	if (plan.kind === "gone") return failed(name, {
		message: `a part of it is no longer in ${plan.missing.join(", ")}.`,
		mend: AGAIN
	});
	const [problem] = (await carryOut(docker, plan.actions, {
		client,
		signal
	})).filter((result) => result !== void 0);
	if (problem !== void 0) return failed(name, problem);
	return {
		digest: index.digest,
		written: plan.actions.length > 0,
		problems: []
	};
}
const AGAIN = "Run all jobs again, so that its legs push anew.";
const APART = {
	message: "its legs pushed to different repositories.",
	mend: "Give all legs of a target the same `tags`."
};
/**
* Where the index is put: repositories that every leg pushed to, so that all its parts are there; of those the ones that
* get tags, and one in any case, from which the others are copied.
*/
function placesFor(tags, parts) {
	const [first = /* @__PURE__ */ new Set(), ...others] = parts.map(({ repositories }) => new Set(repositories.map(repositoryOf)));
	const common = [...first].filter((place) => others.every((other) => other.has(place)));
	const tagged = new Set(tags.map(repositoryOf));
	const chosen = common.filter((place) => tagged.has(place));
	return chosen.length > 0 ? chosen : common.slice(0, 1);
}
/** Puts the index under its digest, unless it is there. What is wrong, if anything is. */
async function put(place, index, { client, signal }) {
	const name = `${place}@${index.digest}`;
	try {
		if (!await client.hasManifest(place, index.digest, { signal })) await client.writeTag(name, index, { signal });
		return;
	} catch (error) {
		signal.throwIfAborted();
		if (!(error instanceof RegistryError)) throw error;
		return writeFailure(name, error);
	}
}
function notMerged(merged) {
	switch (merged.kind) {
		case "gone": return {
			message: `its image for ${merged.platform} is no longer in ${merged.missing.join(", ")}.`,
			mend: AGAIN
		};
		case "mismatch": {
			const found = merged.found.join(", ") || "no platform";
			return {
				message: `what its leg for ${merged.platform} pushed is an image for ${found}.`,
				mend: "Give the leg `platforms: ${{ matrix.platform }}`."
			};
		}
		case "unknown": return merged.problem;
	}
}
function failed(name, problem) {
	const message = `\`${name}\` gets no tags: ${sentence$1(problem.message)}`;
	return {
		written: false,
		problems: [{
			...problem,
			message
		}]
	};
}

// src/report/matrix-summary.ts
const MAX_ROWS = 300;
function renderMatrixSummary(rows, { pushes }) {
	const changed = rows.filter(({ status }) => status === "changed").length;
	const split = rows.filter(({ isMerged }) => isMerged === true);
	const merged = split.filter(({ problem }) => problem === void 0).length;
	const failed = rows.filter((row) => row.isMerged !== true && row.problem !== void 0).length;
	const tagged = rows.filter((row) => row.isMerged !== true && row.written).length;
	const verdict = [
		`${changed} of ${count(rows.length, "target")} to build`,
		...pushes && merged > 0 ? [`${merged} merged`] : [],
		...split.length > merged ? [`${split.length - merged} not whole`] : [],
		...rows.length > changed ? [`${rows.length - changed} unchanged`] : [],
		...pushes && tagged > 0 ? [`${tagged} re-tagged`] : [],
		...failed > 0 ? [`${failed} could not be re-tagged`] : []
	].join(", ");
	const cells = rows.slice(0, MAX_ROWS).map((row) => [
		code(row.name, 60),
		row.status === "unchanged" ? outcome(row, pushes) : row.isMerged === true ? mergedText(row, pushes) : BUILT,
		row.tags.length === 0 ? "–" : code(row.tags[0] ?? "", 120) + (row.tags.length > 1 ? ` +${row.tags.length - 1}` : ""),
		row.digest === void 0 ? "" : `\`${shortDigest(row.digest) ?? ""}\``
	]);
	const more = rows.length - cells.length;
	return [
		`**${verdict}**`,
		table([
			{ title: "Target" },
			{ title: "What became of it" },
			{ title: "Tags" },
			{ title: "Image" }
		], cells),
		...more === 0 ? [] : [`${count(more, "more target")} left out.`],
		""
	].join("\n\n");
}
const BUILT = "changed: built by its own job";
function mergedText({ problem, written }, pushes) {
	if (problem !== void 0) return `❌ ${prose(problem.message, 400)}`;
	if (!pushes) return "changed: built by a job for each platform";
	return written ? "changed: its platforms are merged and tagged" : "changed: merged, its tags are there already";
}
function outcome({ problem, written, tags }, pushes) {
	if (problem !== void 0) return `❌ ${prose(problem.message, 400)}`;
	if (!pushes || tags.length === 0) return "unchanged";
	return written ? "unchanged, re-tagged" : "unchanged, its tags are there already";
}

// src/reporting.ts
/** `mode: report` and `mode: merge`: the last job of a matrix. Sets the tags of what the plan left unchanged, and tells what came of each target. */
/** Targets at a time, of which registries are asked. */
const CONCURRENCY = 16;
/** Re-tags where `push` is set. */
async function reportMatrix(options) {
	const { inputs, plan: given, client, docker, signal, merged } = options;
	const { targets } = given;
	const unchanged = targets.filter(({ status, tags }) => inputs.push && status === "unchanged" && tags.length > 0);
	const plans = await sideBySide$1(unchanged, CONCURRENCY, async (target) => ({
		target,
		plan: await retagOf(target, {
			client,
			signal
		})
	}));
	const actions = plans.flatMap(({ plan }) => plan.kind === "possible" ? plan.actions : []);
	const results = await carryOut(docker, actions, {
		client,
		signal
	});
	const failed = new Map(actions.map((action, index) => [action, results[index]]));
	const problemOf = ({ target, plan }) => plan.kind === "possible" ? plan.actions.map((action) => failed.get(action)).find((problem) => problem !== void 0) : notRetagged(target, plan);
	const problems = new Map(plans.flatMap((entry) => withProblem(entry.target.name, problemOf(entry))));
	const rows = targets.map((target) => {
		const part = merged?.get(target.name);
		if (part !== void 0) return {
			...target,
			digest: part.digest,
			problem: part.problems[0],
			written: part.written,
			isMerged: true
		};
		const plan = plans.find((entry) => entry.target === target)?.plan;
		const problem = problems.get(target.name);
		const written = plan?.kind === "possible" && plan.actions.length > 0;
		return {
			...target,
			digest: target.image?.digest,
			problem,
			written: written && problem === void 0
		};
	});
	return {
		images: targets.flatMap(({ name, tags, image }) => {
			const isTagged = unchanged.some((target) => target.name === name) && !problems.has(name);
			const digest = isTagged ? image?.digest : merged?.get(name)?.digest;
			return isTagged || digest !== void 0 ? [{
				target: name,
				tags,
				digest,
				imageId: void 0,
				sizes: void 0
			}] : [];
		}),
		summary: renderMatrixSummary(rows, { pushes: inputs.push }),
		problems: [...problems.values(), ...[...merged?.values() ?? []].flatMap((part) => part.problems)]
	};
}
function withProblem(name, problem) {
	return problem === void 0 ? [] : [[name, problem]];
}
async function retagOf({ image, tags }, options) {
	if (image === void 0) return {
		kind: "gone",
		missing: []
	};
	return await planRetag({
		...options,
		digest: image.digest,
		tags,
		repositories: image.repositories
	});
}
function notRetagged({ name }, plan) {
	if (plan.kind === "unknown") {
		const [first] = plan.problems;
		return {
			...first,
			message: `\`${name}\` could not be re-tagged: ${first?.message ?? "a registry did not answer."}`
		};
	}
	return {
		message: `\`${name}\` is unchanged, but its image is ${plan.missing.length === 0 ? "in no registry" : `no longer in ${plan.missing.join(", ")}`}.`,
		mend: "Run the workflow again: the plan will see that it is gone, and build it. Give the plan job `push` and `tags`, too."
	};
}
/**
* Merges where this job is there for it, and sets tags. Nothing without a plan.
* @param options.records what legs handed over
*/
async function finishMatrix(options) {
	const { plan, inputs } = options;
	if (plan === void 0) return {
		images: [],
		summary: "",
		problems: []
	};
	if (inputs.mode !== "merge") return await reportMatrix({
		...options,
		plan
	});
	return await reportMatrix({
		...options,
		plan,
		merged: await mergeTargets({
			...options,
			plan,
			push: inputs.push
		})
	});
}
/**
* The plan that another job was made for, if this mode is for it.
* @throws UserError also for tags of `mode: merge`
*/
function planFor(inputs, plan) {
	if (inputs.mode === "merge") {
		if (!plan.isSplit) throw new UserError(NOT_SPLIT);
		return withTags(plan, inputs);
	}
	if (plan.isSplit && inputs.push) throw new UserError(TO_BE_MERGED);
	return plan;
}
const NOT_SPLIT = {
	input: "plan",
	message: "`mode: merge` puts platforms together that were built apart, and `plan` builds all platforms of a target together.",
	mend: "Give the job that plans, and those that build, `matrix-by: platform`; or use `mode: report` here."
};
const TO_BE_MERGED = {
	input: "mode",
	message: "`plan` was made with `matrix-by: platform`: its jobs push each platform without tags, and `mode: report` sets none.",
	mend: "Use `mode: merge`, which does all that `mode: report` does."
};
/**
* The plan of a job with tags of its own: `tags` wins over those that the plan was given, of bake files target by target.
* @throws UserError with every tag that is for no target of the plan, and, with `push`, every target without any
*/
function withTags(plan, { tags, push }) {
	if (tags.length === 0 && !push) return plan;
	const given = assignTags(plan.targets, tags);
	const isKept = ({ name, file }) => tags.length === 0 || file !== void 0 && given.tagsOf.get(name)?.length === 0;
	const tagsOf = new Map(plan.targets.map((one) => [one.name, isKept(one) ? one.tags : given.tagsOf.get(one.name) ?? []]));
	throwIfAny([...given.problems, ...push ? untagged(tagsOf) : []]);
	return {
		...plan,
		targets: plan.targets.map((one) => ({
			...one,
			tags: tagsOf.get(one.name) ?? []
		}))
	};
}
/** Buildx's word for an image, for the output `metadata`. */
function metadataOf(images) {
	return Object.fromEntries(images.map(({ target, tags, digest }) => [target, { ...digest === void 0 ? {} : {
		"containerimage.digest": digest,
		"image.name": tags.join(",")
	} }]));
}
/** The images of the whole matrix, in the order of the plan: those that were re-tagged, and what its jobs measured. */
function withSizes(images, { report, records }, plan) {
	const tagged = new Map(images.map((image) => [image.target, image]));
	const planned = (plan?.targets ?? []).map(({ name }) => name);
	return [.../* @__PURE__ */ new Set([
		...planned,
		...tagged.keys(),
		...report.rows.map(({ target }) => target)
	])].flatMap((target) => {
		const found = records.filter((record) => record.target === target && record.status !== "failed");
		const rank = ({ platform }) => plan?.platforms.indexOf(platform) ?? 0;
		const platforms = found.flatMap((record) => record.platforms).toSorted((a, b) => rank(a) - rank(b));
		const sizes = platforms.length === 0 ? void 0 : { platforms };
		const known = tagged.get(target);
		if (known !== void 0) return [{
			...known,
			sizes
		}];
		const [record] = found;
		if (record === void 0) return [];
		if (plan?.isSplit === true) return [{
			target,
			tags: [],
			digest: void 0,
			imageId: void 0,
			sizes
		}];
		return [{
			target,
			tags: record.tags,
			digest: record.digest,
			imageId: void 0,
			sizes
		}];
	});
}

// src/report-step.ts
/** `mode: report` and `mode: merge`: the last job of a matrix, or one about another run. It has no Dockerfile, and builds nothing. */
/** Runs the step. @throws UserError for everything that a user can mend */
async function reportStep(inputs, surroundings, warnings) {
	const { runner, env, signal, now } = surroundings;
	const workspace = env["GITHUB_WORKSPACE"] ?? process.cwd();
	const warn = (problems) => {
		announce(runner, problems, {
			level: "warning",
			workspace
		});
	};
	warn(warnings);
	const plan = inputs.plan === void 0 ? void 0 : planFor(inputs, readPlanInput(inputs.plan));
	const event = await readEvent(env);
	const client = openRegistryClient(inputs, surroundings, warn);
	try {
		const docker = dockerOf({ workspace }, env);
		const place = reportPlace({
			token: inputs.githubToken,
			event,
			env,
			signal
		});
		const handover = handoverOptions(env, runner);
		const sizes = await reportGathered({
			inputs,
			plan,
			place,
			handover,
			now: now()
		});
		warn(sizes.warnings);
		const asked = {
			inputs,
			plan,
			client,
			signal,
			docker,
			records: sizes.records
		};
		const done = await finishMatrix(asked);
		const images = withSizes(done.images, sizes, plan);
		const metadata = inputs.mode === "merge" ? metadataOf(done.images) : {};
		writeBuildOutputs(runner, images, {
			metadata,
			report: reportOutputs(sizes)
		});
		tell(runner, sizes);
		await appendSummary(runner, `${done.summary}\n${sizes.section}`, warn);
		throwIfAny([...done.problems, ...sizes.problems]);
	} finally {
		client.close();
	}
}

export { sizeRecordOf as _, runPost as a, gatherSizes as c, graphChange as d, cleanupStep as f, serverUrl as g, runUrl as h, reportSizes as i, handOverSizes as l, findBaseline as m, BUDGET_LABEL as n, handOverPlan as o, buildPlanned as p, callsForComment as r, readHandedPlans as s, reportStep as t, missingWarning as u, sizeRecords as v };