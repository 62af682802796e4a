import { r as startScout } from "./scout.js";

// src/index.ts
/**
* The entry: a thread begins to list a large workspace while the action is loaded. With `post-step.ts` the only file that does
* work when it is loaded.
*/
const scout = startScout(process.env);
const { runAction } = await import("./action.js");
await runAction(scout);

export {  };