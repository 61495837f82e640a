// Paints in this browser; nothing is uploaded. See engine.js.

import { Calls } from "./calls.js";

const PATIENCE_MS = 15_000; // for the service worker, which takes a fraction of a second

let calls;

/**
 * Threads need a page that is isolated from others. Where the host does not send the headers for
 * that, the service worker does once it is there: then the page is loaded anew, once.
 */
async function isolate() {
  if (!("serviceWorker" in navigator)) return;
  // Refused in private windows of some browsers: then there is no offline use, and one thread.
  const registered = navigator.serviceWorker.register("sw.js").then(() => navigator.serviceWorker.ready);
  const ready = registered.then(
    () => true,
    (error) => console.warn(error.message),
  );
  if (crossOriginIsolated || sessionStorage.getItem("isolated")) return;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  if (!(await Promise.race([ready, late]))) return;
  sessionStorage.setItem("isolated", "tried");
  location.reload();
  await new Promise(() => {}); // nothing begins on a page that is about to go
}

export const engine = {
  label: "",
  privacy: "Your pictures never leave this device.",
  videos: null,

  async begin() {
    await isolate();
    calls = new Calls(new Worker("paint-worker.js", { type: "module" }));
    const { how } = await calls.call({ task: "begin" });
    navigator.serviceWorker?.controller?.postMessage("keep the files");
    this.label = `Painted in this browser, ${how}`;
  },

  async styles() {
    const answer = await fetch("styles/index.json");
    if (!answer.ok) throw new Error("the list of styles is not there");
    const { styles } = await answer.json();
    const first = styles.find((style) => style.default) ?? styles[0];
    // While a photo is chosen; what is wrong is told when something is painted.
    calls.call({ task: "open", style: first.name }).catch(() => {});
    return styles;
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
