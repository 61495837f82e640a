// The studio: pictures that were added, painted one after the other, looked at, and saved.

import { Calls } from "./calls.js";
import { Compare } from "./compare.js";
import { engine } from "./engine.js";
import { say, whisper } from "./messages.js";
import { save } from "./saving.js";
import { fillStyles } from "./style-picker.js";
import { zip } from "./zip.js";

const TYPES = { png: "image/png", jpg: "image/jpeg", webp: "image/webp" };
const find = (id) => document.getElementById(id);

export function openPictures(styles, firstStyle) {
  const studio = new Studio(styles, firstStyle);
  return { add: (files) => studio.add(files) };
}

/** One picture: its photo, and what each style made of it. */
class Item {
  constructor(file) {
    this.file = file;
    this.name = (file.name || "picture").replace(/\.[^.]*$/, "");
    this.photo = null; // a Blob this browser shows
    this.address = null; // of the photo
    this.paintings = new Map(); // style -> {blob, address, kept: {blob, address} or null}
    this.error = null; // why it cannot be opened
    this.failures = new Map(); // style -> why it could not be painted
    this.share = 0; // of the painting that is under way
  }

  /** Decode, and learn the size. */
  async open() {
    this.photo = await engine.viewable(this.file);
    const bitmap = await createImageBitmap(this.photo);
    [this.width, this.height] = [bitmap.width, bitmap.height];
    bitmap.close();
    this.address = URL.createObjectURL(this.photo);
  }

  close() {
    URL.revokeObjectURL(this.address);
    for (const painting of this.paintings.values()) {
      URL.revokeObjectURL(painting.address);
      if (painting.kept) URL.revokeObjectURL(painting.kept.address);
    }
  }
}

class Studio {
  constructor(styles, firstStyle) {
    this.items = [];
    this.current = null;
    this.style = firstStyle;
    this.running = null; // {item, style, abort}
    this.compare = new Compare(find("stage"));
    this.blender = new Calls(new Worker("blend-worker.js", { type: "module" }));
    this.picker = fillStyles(find("styles"), styles, firstStyle, (style) => this.choose(style));
    for (const id of ["strength", "keep"]) find(id).addEventListener("input", () => this.blend());
    for (const id of ["choose", "add"]) find(id).addEventListener("click", () => find("files").click());
    find("photograph").addEventListener("click", () => (location.hash = "#camera"));
    find("example").addEventListener("click", async () => {
      const photo = await (await fetch("example.jpg")).blob();
      this.add([new File([photo], "example.jpg", { type: "image/jpeg" })]);
    });
    find("files").addEventListener("change", (event) => {
      this.add([...event.target.files]);
      event.target.value = "";
    });
    find("retry").addEventListener("click", () => this.retry());
    find("download").addEventListener("click", () => this.download());
    find("download-all").addEventListener("click", () => this.downloadAll());
    this.blend();
  }

  add(files) {
    for (const file of files) {
      const item = new Item(file);
      this.items.push(item);
      this.#open(item);
    }
    this.current = this.items.at(-files.length);
    find("empty").hidden = true;
    find("studio").hidden = false;
    this.update();
  }

  #open(item) {
    item.open().then(
      () => this.#opened(item),
      (error) => {
        item.error = reasonOf(error);
        this.#fail(item, item.error);
      },
    );
  }

  #opened(item) {
    if (item === this.current) this.picker.paintThumbnails(item);
    this.update();
  }

  #fail(item, reason) {
    const tell = item === this.current ? whisper : say; // eyes see it in the picture's place
    tell(`${item.file.name || "The picture"}: ${reason}`);
    if (item === this.current && item.photo === null) this.picker.clear();
    this.update();
  }

  /** Why a picture cannot be had in the chosen style; null: nothing is wrong. */
  #problem(item) {
    return item.error ?? item.failures.get(this.style) ?? null;
  }

  /** Try again what failed: a busy server or a bad line may be better by now. */
  retry() {
    const item = this.current;
    if (item.error !== null) {
      item.error = null;
      this.#open(item);
    }
    item.failures.delete(this.style);
    this.update();
  }

  select(item) {
    this.current = item;
    if (item.photo) this.picker.paintThumbnails(item);
    else this.picker.clear();
    this.update();
  }

  remove(item) {
    const at = this.items.indexOf(item);
    this.items.splice(at, 1);
    if (this.running?.item === item) this.running.abort.abort();
    item.close();
    if (this.current === item) this.current = this.items[Math.min(at, this.items.length - 1)] ?? null;
    if (this.current === null) {
      find("studio").hidden = true;
      find("empty").hidden = false;
      find("choose").focus();
    } else {
      this.select(this.current);
      find("strip").querySelector('[aria-current="true"]')?.focus();
    }
    this.update();
  }

  choose(style) {
    this.style = style;
    this.update();
  }

  /** Bring the page up to date, and see to what must be painted next. */
  update() {
    this.#paintNext();
    this.#keepNext();
    const item = this.current;
    if (item !== null) this.#show(item);
    this.#fillStrip();
    const painted = this.items.filter((other) => other.paintings.has(this.style));
    find("download").disabled = item === null || !item.paintings.has(this.style);
    find("download-all").hidden = this.items.length < 2;
    find("download-all").disabled = painted.length === 0;
  }

  #show(item) {
    const painting = item.paintings.get(this.style) ?? null;
    let busy = null;
    const problem = this.#problem(item);
    if (problem !== null) busy = `It cannot be painted: ${problem}`;
    else if (item.photo === null) busy = "Opening…";
    else if (painting === null && this.running?.item === item && item.share > 0) {
      busy = `Painting… ${Math.round(item.share * 100)} %`;
    } else if (painting === null) busy = "Painting…";
    this.compare.show({
      photo: item.address,
      painted: painting?.address ?? null,
      kept: painting?.kept?.address ?? null,
      width: item.width ?? 4,
      height: item.height ?? 3,
      busy,
      failed: problem !== null,
    });
    find("retry").hidden = problem === null;
  }

  /** What is to be painted: the picture that is looked at first, then the others in order. */
  #wanted() {
    const ready = (item) => item?.photo && this.#problem(item) === null && !item.paintings.has(this.style);
    return ready(this.current) ? this.current : (this.items.find(ready) ?? null);
  }

  async #paintNext() {
    const item = this.#wanted();
    if (this.running !== null) {
      const stale = this.running.style !== this.style || (item === this.current && this.running.item !== item);
      if (stale) this.running.abort.abort();
      return; // it calls update when it ends
    }
    if (item === null) {
      this.picker.goOn();
      return;
    }
    const run = { item, style: this.style, abort: new AbortController() };
    this.running = run;
    this.picker.hold();
    item.share = 0;
    try {
      const blob = await engine.paint(item.file, run.style, {
        signal: run.abort.signal,
        progress: (share) => {
          item.share = share;
          if (item === this.current) this.#show(item);
        },
      });
      item.paintings.set(run.style, { blob, address: URL.createObjectURL(blob), kept: null });
      if (item === this.current) whisper(`${item.name} is painted in the style ${run.style}.`);
    } catch (error) {
      if (error.name !== "AbortError") {
        item.failures.set(run.style, reasonOf(error));
        this.#fail(item, reasonOf(error));
      }
    }
    this.running = null;
    this.update();
  }

  /** Get the painting in the photo's colours ready, for the slider. */
  async #keepNext() {
    const item = this.current;
    const painting = item?.paintings.get(this.style);
    if (!painting || painting.kept !== null || this.keeping || Number(find("keep").value) === 0) return;
    this.keeping = true;
    try {
      const { blob } = await this.blender.call({ task: "keep", photo: item.photo, anime: painting.blob });
      painting.kept = { blob, address: URL.createObjectURL(blob) };
    } catch (error) {
      say(`The colours cannot be kept: ${error.message}`);
      find("keep").value = 0;
    }
    this.keeping = false;
    this.update();
  }

  blend() {
    for (const id of ["strength", "keep"]) {
      const text = `${find(id).value} %`;
      find(`${id}-value`).textContent = text;
      find(id).setAttribute("aria-valuetext", text);
    }
    this.compare.blend(find("strength").value / 100, find("keep").value / 100);
    this.#keepNext();
  }

  #fillStrip() {
    const list = find("strip");
    while (list.children.length > this.items.length) list.lastElementChild.remove();
    while (list.children.length < this.items.length) list.append(this.#thumbnail());
    this.items.forEach((item, index) => {
      const entry = list.children[index];
      entry.item = item;
      const [pick, remove] = entry.querySelectorAll("button");
      const image = pick.querySelector("img");
      const address = item.paintings.get(this.style)?.address ?? item.address;
      if (address === null) image.removeAttribute("src");
      else if (image.src !== address) image.src = address;
      pick.setAttribute("aria-current", String(item === this.current));
      pick.setAttribute("aria-label", `${item.name}, ${index + 1} of ${this.items.length}`);
      remove.setAttribute("aria-label", `Remove ${item.name}`);
      const state = pick.querySelector(".state");
      state.hidden = item.paintings.has(this.style);
      state.textContent = this.#problem(item) !== null ? "failed" : this.running?.item === item ? "painting" : "waiting";
    });
  }

  #thumbnail() {
    const entry = document.createElement("li");
    entry.innerHTML = `<button class="pick" type="button"><img alt=""><span class="state"></span></button>
      <button class="remove" type="button">×</button>`;
    const [pick, remove] = entry.querySelectorAll("button");
    pick.addEventListener("click", () => this.select(entry.item));
    remove.addEventListener("click", () => this.remove(entry.item));
    return entry;
  }

  /** The picture as it is seen, as a file. */
  async export(item) {
    const painting = item.paintings.get(this.style);
    const format = find("format").value;
    const [strength, keep] = [find("strength").value / 100, find("keep").value / 100];
    const name = `${item.name}-${this.style}.${format}`;
    if (format === "png" && strength === 1 && keep === 0) return { name, blob: painting.blob };
    let kept = painting.kept?.blob ?? null;
    if (keep > 0 && kept === null) {
      kept = (await this.blender.call({ task: "keep", photo: item.photo, anime: painting.blob })).blob;
    }
    const { blob } = await this.blender.call({
      task: "export",
      photo: item.photo,
      anime: painting.blob,
      kept: keep > 0 ? kept : null,
      strength,
      keep,
      type: TYPES[format],
    });
    return { name, blob };
  }

  async download() {
    try {
      const { name, blob } = await this.export(this.current);
      save(blob, name);
    } catch (error) {
      say(`It cannot be saved: ${error.message}`);
    }
  }

  async downloadAll() {
    const files = [];
    const taken = new Set();
    try {
      for (const item of this.items.filter((other) => other.paintings.has(this.style))) {
        const { name, blob } = await this.export(item);
        let free = name;
        for (let n = 2; taken.has(free); n++) free = name.replace(/(\.[^.]*)$/, `-${n}$1`);
        taken.add(free);
        files.push({ name: free, blob });
      }
      save(await zip(files), "sakuga.zip");
    } catch (error) {
      say(`They cannot be saved: ${error.message}`);
    }
  }
}

function reasonOf(error) {
  return error.message || "this browser cannot show it";
}
