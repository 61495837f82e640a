// The page as a whole: which part is shown, what is dropped or pasted, and how it all begins.

import { openCamera } from "./camera.js";
import { engine } from "./engine.js";
import { say } from "./messages.js";
import { openPictures } from "./pictures.js";
import { openVideo } from "./video.js";

const PARTS = ["pictures", "video", "camera"];
const parts = {};

/** Show the part named by the address, and let the others rest. */
function show() {
  const asked = location.hash.slice(1);
  if (asked === "main") return;
  const name = PARTS.includes(asked) ? asked : "pictures";
  for (const part of PARTS) document.getElementById(part).hidden = part !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name !== "camera") parts.camera?.stop();
  if (name !== "video") parts.video?.stop?.();
}

/** Take pictures that are dropped or pasted anywhere. */
function takeDrops() {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const carriesFiles = (event) => ["Files", "text/uri-list"].some((kind) => event.dataTransfer?.types.includes(kind));
  const dragging = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  addEventListener("dragenter", (event) => carriesFiles(event) && dragging(+1));
  addEventListener("dragleave", (event) => carriesFiles(event) && dragging(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    dragging(-Infinity);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) take(files);
    else takeLink(event.dataTransfer?.getData("text/uri-list") ?? "");
  });
  addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
}

/** Take the picture that a link leads to, as far as this page may look there. */
async function takeLink(text) {
  const link = text.split(/\r?\n/).find((line) => line && !line.startsWith("#"));
  if (link === undefined) return;
  if (link.startsWith("data:image/")) take([fileOfData(link)]);
  else if (new URL(link, location).origin === location.origin) {
    const blob = await (await fetch(link)).blob();
    take([new File([blob], link.split("/").at(-1), { type: blob.type })]);
  } else say("That was only a link. Copy the picture (right click), then paste it here.");
}

function fileOfData(address) {
  const [, type, base64, data] = address.match(/^data:([^;,]+)[^,]*?(;base64)?,(.*)$/s);
  const letters = base64 ? atob(data) : decodeURIComponent(data);
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  return new File([bytes], `picture.${type.split("/")[1].split("+")[0]}`, { type });
}

/** Pictures go to the studio; a video, of which there is one at a time, goes to its own part. */
function take(files) {
  const isVideo = (file) => file.type.startsWith("video/") || /\.mkv$/i.test(file.name);
  const [video, ...others] = files.filter(isVideo);
  const pictures = files.filter((file) => !isVideo(file));
  const first = others.length > 0 ? "One video at a time: " : "";
  if (first) say(`${first}${video.name} is taken.`);
  if (video) parts.video.choose(video);
  if (pictures.length > 0) {
    location.hash = "#pictures";
    parts.pictures.add(pictures);
    if (video) say(`${first}${video.name} is ready under Video.`);
  } else if (video) location.hash = "#video";
}

/** Photos that another app shared to this page; the service worker put them aside. */
async function takeShared() {
  if (location.hash !== "#shared" || !("caches" in window)) return;
  history.replaceState(null, "", location.pathname);
  const cache = await caches.open("sakuga-shared");
  const files = [];
  for (const request of await cache.keys()) {
    const answer = await cache.match(request);
    const type = answer.headers.get("Content-Type");
    files.push(new File([await answer.blob()], decodeURIComponent(answer.headers.get("X-Name")), { type }));
    await cache.delete(request);
  }
  if (files.length > 0) take(files);
}

/** Keys that work everywhere but where something else wants them. */
function takeKeys() {
  addEventListener("keydown", (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
    if (busy || event.target.closest("input, select, textarea")) return;
    const act = {
      "?": () => document.getElementById("keys-dialog").showModal(),
      ArrowLeft: () => parts.pictures.go(-1),
      ArrowRight: () => parts.pictures.go(+1),
      "+": () => parts.pictures.compare.zoomBy(1),
      "-": () => parts.pictures.compare.zoomBy(-1),
      0: () => parts.pictures.compare.zoomBy(0),
    }[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
  document.getElementById("keys-open").addEventListener("click", () => document.getElementById("keys-dialog").showModal());
}

async function begin() {
  addEventListener("hashchange", show);
  show();
  try {
    await engine.begin();
    const styles = await engine.styles();
    const chosen = styles.find((style) => style.default) ?? styles[0];
    parts.pictures = openPictures(styles, chosen.name);
    parts.video = openVideo(styles, chosen.name);
    parts.camera = openCamera(styles, chosen.name, (photo) => take([photo]));
  } catch (error) {
    say(`The page cannot start: ${error.message}`);
    return;
  }
  show();
  takeDrops();
  takeKeys();
  takeShared();
  document.getElementById("privacy").textContent = engine.privacy;
  document.getElementById("api-link").hidden = engine.videos === null;
  document.getElementById("engine").textContent = engine.label;
  document.body.dataset.ready = "true";
}

begin();
