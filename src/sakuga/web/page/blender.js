// The worker that blends, shrinks and enlarges whole pictures: one for all of the page.

import { Calls } from "./calls.js";

export const blender = new Calls(new Worker("blend-worker.js", { type: "module" }));
