// Paints in this browser; nothing is uploaded. See engine.js.

import { Calls } from "./calls.js";

let calls;

export const engine = {
  label: "",
  privacy: "Your pictures never leave this device.",
  videos: null,

  async begin() {
    calls = new Calls(new Worker("paint-worker.js", { type: "module" }));
    if ("serviceWorker" in navigator) {
      // Refused in private windows of some browsers: then there is only no offline use.
      navigator.serviceWorker.register("sw.js").catch((error) => console.warn(error.message));
    }
    const { how } = await calls.call({ task: "begin" });
    this.label = `Painted in this browser, ${how}`;
  },

  async styles() {
    const answer = await fetch("styles/index.json");
    if (!answer.ok) throw new Error("the list of styles is not there");
    return (await answer.json()).styles;
  },

  async draft(file, style, { signal, progress } = {}) {
    return (await calls.call({ task: "draft", file, style }, { signal, progress })).blob;
  },

  async paint(file, style, { signal, progress, draft = null } = {}) {
    return (await calls.call({ task: "paint", file, style, draft }, { signal, progress })).blob;
  },

  async paintFrame(canvas, style) {
    const bitmap = await createImageBitmap(canvas);
    return (await calls.call({ task: "frame", bitmap, style }, { transfer: [bitmap] })).bitmap;
  },

  async viewable(file) {
    try {
      (await createImageBitmap(file)).close();
    } catch {
      throw new Error("this browser cannot read it; save it as JPEG or PNG first");
    }
    return file;
  },
};
