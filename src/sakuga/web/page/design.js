// The page Design: the painter's settings as sliders, two of them side by side, saved as TOML.
//
// What the sliders are, and what a preset sets them to, comes from the server, which paints.

import { ask, engine } from "./engine-server.js";
import { say, whisper } from "./messages.js";
import { save } from "./saving.js";

const STEPS = 100; // of a slider, end to end
const SIDE = 512; // pixels; the server shrinks to this, too
const of = (id) => document.getElementById(id);

const sides = {
  A: { name: "A", preset: "", values: {}, busy: false, again: false },
  B: { name: "B", preset: "", values: {}, busy: false, again: false },
};
const photos = []; // {name, blob, url}
let design; // what the server told
let chosen = sides.A; // the side that the sliders change
let photo; // the one on the easel

/** Where a slider stands, 0 to STEPS, for a value, and the other way round. */
const place = ({ left, right }, value) => Math.round((STEPS * (value - left)) / (right - left));
const value = ({ left, right }, at) => Number((left + (at / STEPS) * (right - left)).toPrecision(4));

/** A side's settings as the server takes them. */
function query(side, more = {}) {
  return new URLSearchParams({ preset: side.preset, ...side.values, ...more });
}

/** Paint a side; while it is painted, all further changes make one more painting. */
async function paint(side) {
  if (side.busy) {
    side.again = true;
    return;
  }
  const figure = of(`side-${side.name}`);
  side.busy = true;
  do {
    side.again = false;
    figure.classList.add("busy");
    const began = performance.now();
    try {
      const address = `api/design/preview?${query(side)}`;
      const answer = await ask(address, { method: "POST", body: photo.blob });
      side.url = show(figure, await answer.blob(), side.url);
      const seconds = (performance.now() - began) / 1000;
      figure.querySelector("span").textContent = `${seconds.toFixed(2)} s`;
      figure.dataset.painted = Number(figure.dataset.painted ?? 0) + 1;
    } catch (error) {
      say(`It cannot be painted: ${error.message}`);
    }
  } while (side.again);
  side.busy = false;
  figure.classList.remove("busy");
}

/** Put a picture into a figure, in place of the one at `before`. Returns its address. */
function show(figure, blob, before) {
  const url = URL.createObjectURL(blob);
  if (!showsPhoto() || figure.id !== "side-A") figure.querySelector("img").src = url;
  if (before !== undefined) URL.revokeObjectURL(before);
  return url;
}

const showsPhoto = () => of("show-photo").getAttribute("aria-pressed") === "true";

/** Show the photo in the place of A, or A again. */
function showPhoto(pressed) {
  of("show-photo").setAttribute("aria-pressed", pressed);
  const image = of("side-A").querySelector("img");
  const url = pressed ? photo.url : sides.A.url;
  if (url !== undefined) image.src = url;
  image.alt = pressed ? "The photo" : "The photo, painted with settings A";
  of("side-A").querySelector("figcaption").firstChild.data = pressed ? "Photo" : "A";
}

/** Let the sliders show what the chosen side is set to. */
function showSettings() {
  of("preset").value = chosen.preset;
  for (const slider of design.sliders) {
    const input = of(slider.setting);
    input.value = place(slider, chosen.values[slider.setting]);
    describe(slider, input);
  }
  for (const name of Object.keys(design.colours)) of(name).value = chosen.values[name];
  of("bins").value = chosen.values.bins;
  for (const side of Object.values(sides)) {
    of(`side-${side.name}`).classList.toggle("chosen", side === chosen);
  }
  const other = chosen === sides.A ? "B" : "A";
  of("copy").textContent = `Copy ${chosen.name} to ${other}`;
}

function describe({ ends, setting }, input) {
  of(`${setting}-value`).textContent = input.value;
  input.setAttribute("aria-valuetext", `${input.value}, from ${ends[0]} to ${ends[1]}`);
}

function takePreset(side, name) {
  side.preset = name;
  side.values = { ...design.presets[name] };
}

function change(name, to) {
  chosen.values[name] = to;
  paint(chosen);
}

/** Add elements: [tag, properties, ...children]. */
function element([tag, properties, ...children]) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.map((child) => (Array.isArray(child) ? element(child) : child)));
  return made;
}

function buildControls() {
  for (const name of Object.keys(design.presets)) of("preset").append(new Option(name, name));
  for (const slider of design.sliders) {
    const id = slider.setting;
    const input = element(["input", { id, type: "range", min: 0, max: STEPS, step: 1 }]);
    input.addEventListener("input", () => {
      describe(slider, input);
      change(id, value(slider, Number(input.value)));
    });
    const output = element(["output", { id: `${id}-value`, htmlFor: id }]);
    const ends = element(["span", { className: "ends" }, ...slider.ends.map((end) => ["span", {}, end])]);
    ends.setAttribute("aria-hidden", "true");
    const label = element(["label", { htmlFor: id }, slider.label]);
    const row = element(["div", { className: "slider" }]);
    row.append(label, output, input, ends);
    of("sliders").append(row);
  }
  for (const tones of design.tones) of("bins").append(new Option(tones === 0 ? "All" : tones, tones));
  for (const [id, label] of Object.entries(design.colours)) {
    const input = element(["input", { id, type: "color" }]);
    input.addEventListener("input", () => change(id, input.value));
    const field = element(["label", {}, label]);
    field.append(input);
    of("colours").append(field);
  }
  of("bins").addEventListener("change", () => change("bins", Number(of("bins").value)));
  of("preset").addEventListener("change", () => {
    takePreset(chosen, of("preset").value);
    showSettings();
    paint(chosen);
  });
  of("controls").addEventListener("change", ({ target }) => {
    if (target.name !== "side") return;
    chosen = sides[target.value];
    showSettings();
  });
  of("copy").addEventListener("click", () => {
    const other = chosen === sides.A ? sides.B : sides.A;
    other.preset = chosen.preset;
    other.values = { ...chosen.values };
    paint(other);
  });
  of("show-photo").addEventListener("click", () => showPhoto(!showsPhoto()));
  of("controls").addEventListener("submit", (event) => {
    event.preventDefault();
    saveRecipe();
  });
  of("add").addEventListener("click", () => of("files").click());
  of("files").addEventListener("change", () => {
    add([...of("files").files]);
    of("files").value = "";
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    add([...(event.dataTransfer?.files ?? [])]);
  });
  addEventListener("paste", (event) => add([...(event.clipboardData?.files ?? [])]));
}

async function saveRecipe() {
  const credits = {};
  for (const id of ["name", "description", "attribution", "licence"]) credits[id] = of(id).value.trim();
  try {
    const answer = await ask(`api/design/recipe?${query(chosen, credits)}`);
    save(await answer.blob(), `${credits.name}.toml`);
  } catch (error) {
    say(`It cannot be saved: ${error.message}`);
    return;
  }
  of("commands").textContent = [
    `sakuga prepare cel PHOTOS pairs --config ${credits.name}.toml`,
    `sakuga train ${credits.name}.toml --set pairs=pairs --minutes 60`,
  ].join("\n");
  of("next").hidden = false;
  whisper(`Saved the settings of ${chosen.name} as ${credits.name}.toml`);
}

/** Add photos of the person's; the first of them comes on the easel. */
async function add(files) {
  let first;
  for (const file of files) {
    try {
      const added = await shrink(await engine.viewable(file), file.name);
      list(added);
      first ??= added;
    } catch (error) {
      say(`${file.name} cannot be shown: ${error.message}`);
    }
  }
  if (first) choose(first);
}

/** A photo at the size it is painted at, so that no more than that is sent with every change. */
async function shrink(file, name) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const ratio = canvas.width / canvas.height;
  return { name, blob, ratio, url: URL.createObjectURL(blob) };
}

function list(added) {
  photos.push(added);
  const button = element(["button", { type: "button" }, ["img", { src: added.url, alt: added.name }]]);
  button.addEventListener("click", () => choose(added));
  added.button = button;
  const item = element(["li", {}]);
  item.append(button);
  of("photos").append(item);
}

/** Put a photo on the easel. */
function choose(which) {
  photo = which;
  for (const other of photos) {
    if (other === which) other.button.setAttribute("aria-current", "true");
    else other.button.removeAttribute("aria-current");
  }
  of("easel").style.setProperty("--ratio", which.ratio);
  showPhoto(showsPhoto());
  for (const side of Object.values(sides)) paint(side);
}

/** The photos that `sakuga design` was given, or the example. */
async function begin() {
  try {
    await engine.begin();
    design = await (await ask("api/design")).json();
    of("engine").textContent = engine.label;
    if (design.missing !== null) {
      of("missing-command").textContent = design.missing;
      of("missing").hidden = false;
    } else {
      const [first, second] = Object.keys(design.presets);
      takePreset(sides.A, first);
      takePreset(sides.B, second);
      buildControls();
      showSettings();
      of("easel").hidden = false;
      const given = design.photos.map((name, number) => [`api/design/photos/${number}`, name]);
      for (const [address, name] of given.length > 0 ? given : [["examples/raccoon.jpg", "An example"]]) {
        try {
          list(await shrink(await (await ask(address)).blob(), name));
        } catch (error) {
          say(`${name} cannot be shown: ${error.message}`);
        }
        if (photos.length === 1 && photo === undefined) choose(photos[0]);
      }
    }
  } catch (error) {
    say(`The page cannot start: ${error.message}`);
    return;
  }
  document.body.dataset.ready = "true";
}

begin();
