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
}

/** Take pictures that are dropped or pasted anywhere. */
function takeDrops() {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
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
    take([...(event.dataTransfer?.files ?? [])]);
  });
  addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
}

function take(files) {
  if (files.length === 0) return;
  if (files[0].type.startsWith("video/")) {
    location.hash = "#video";
    parts.video.choose(files[0]);
  } else {
    location.hash = "#pictures";
    parts.pictures.add(files);
  }
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
  document.getElementById("privacy").textContent = engine.privacy;
  document.getElementById("engine").textContent = engine.label;
  document.body.dataset.ready = "true";
}

begin();
