import { _ as sizeRecordOf, g as serverUrl, h as runUrl, v as sizeRecords } from "./build.js";

export { sizeRecordOf, sizeRecords };