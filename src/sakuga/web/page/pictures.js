// The studio: pictures that were added, painted one after the other, looked at, shared and saved.

import { blender } from "./blender.js";
import { Compare } from "./compare.js";
import { engine } from "./engine.js";
import { Item } from "./item.js";
import { say, whisper } from "./messages.js";
import { apart, exported, save } from "./saving.js";
import { Sharing } from "./sharing.js";
import { forget, keep, kept } from "./shelf.js";
import { fillStyles } from "./style-picker.js";
import { zip } from "./zip.js";

const UNDO_MS = 9000; // for so long what was removed can be had again
const CANCELLED = "you cancelled it";
const find = (id) => document.getElementById(id);

export function openPictures(styles, firstStyle) {
  const studio = new Studio(styles, firstStyle);
  studio.restore();
  return { add: (files) => studio.add(files), go: (steps) => studio.go(steps), compare: studio.compare };
}

class Studio {
  constructor(styles, firstStyle) {
    this.items = [];
    this.current = null;
    this.style = firstStyle;
    this.running = null; // {item, style, task, abort, began, expected_ms}
    this.pace = {}; // milliseconds for a megapixel, by task
    this.nextKey = Date.now();
    this.compare = new Compare(find("stage"));
    this.sharing = new Sharing();
    this.picker = fillStyles(find("styles"), styles, firstStyle, (style) => this.choose(style));
    for (const id of ["strength", "keep"]) find(id).addEventListener("input", () => this.blend());
    find("empty").addEventListener("click", (event) => event.target.closest("button, input") ?? find("files").click());
    for (const id of ["choose", "add"]) find(id).addEventListener("click", () => find("files").click());
    find("photograph").addEventListener("click", () => {
      if (matchMedia("(pointer: coarse)").matches) find("capture").click();
      else location.hash = "#camera";
    });
    for (const button of document.querySelectorAll("[data-example]")) {
      button.addEventListener("click", async () => {
        const name = button.dataset.example;
        const photo = await (await fetch(name)).blob();
        this.add([new File([photo], name.split("/").at(-1), { type: "image/jpeg" })]);
      });
    }
    for (const id of ["files", "capture"]) {
      find(id).addEventListener("change", (event) => {
        this.add([...event.target.files]);
        event.target.value = "";
      });
    }
    find("retry").addEventListener("click", () => this.retry());
    find("cancel").addEventListener("click", () => this.cancel());
    find("clear").addEventListener("click", () => this.remove(...this.items));
    find("share").addEventListener("click", () => this.sharing.open(this.current.photo, this.export(this.current)));
    find("download").addEventListener("click", () => this.download());
    find("download-all").addEventListener("click", () => this.downloadAll());
    setInterval(() => this.running && this.#show(this.current), 500); // the time that is left
    this.blend();
  }

  add(files) {
    if (files.length === 0) return;
    const added = files.map((file) => new Item(file, this.nextKey++));
    for (const item of added) keep(item.key, item.file).catch(() => {}); // a full disk: a reload loses it
    this.#take(added, added[0]);
  }

  /** Bring back what was worked on before the page was loaded anew; what came meanwhile stays in view. */
  async restore() {
    const found = await kept().catch(() => []); // no storage, as in a private window: nothing was kept
    const stored = found.map(({ key, file }) => new Item(file, key));
    if (stored.length > 0) this.#take(stored, this.current ?? stored[0]);
  }

  #take(added, current) {
    this.items.push(...added);
    this.items.sort((a, b) => a.key - b.key);
    this.current = current;
    find("empty").hidden = true;
    find("studio").hidden = false;
    for (const item of added) this.#open(item);
    this.update();
  }

  #open(item) {
    item.open().then(
      () => {
        if (item.note !== null) say(item.note);
        this.update();
      },
      (error) => {
        item.error = reasonOf(error);
        this.#fail(item, item.error);
        // The first that can be shown is looked at, not the first there is.
        const next = this.items.slice(this.items.indexOf(item)).find((other) => other.error === null);
        if (item === this.current && next) {
          say(`${item.file.name || "A picture"}: ${item.error}`);
          this.select(next);
        }
      },
    );
  }

  #fail(item, reason) {
    const tell = item === this.current ? whisper : say; // eyes see it in the picture's place
    tell(`${item.file.name || "The picture"}: ${reason}`);
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

  cancel() {
    this.current.failures.set(this.style, CANCELLED);
    this.running?.abort.abort();
    this.update();
  }

  select(item) {
    this.current = item;
    this.update();
  }

  /** Look at the picture so many places further. */
  go(steps) {
    if (this.items.length < 2 || find("studio").hidden) return;
    const at = this.items.indexOf(this.current) + steps;
    this.select(this.items[(at + this.items.length) % this.items.length]);
  }

  /** Take pictures away; for a while they can be had again. */
  remove(...gone) {
    const at = this.items.indexOf(this.current);
    this.items = this.items.filter((item) => !gone.includes(item));
    for (const item of gone) forget(item.key).catch(() => {});
    if (gone.includes(this.running?.item)) this.running.abort.abort();
    if (gone.includes(this.current)) this.current = this.items[Math.min(at, this.items.length - 1)] ?? null;
    if (this.current === null) {
      find("studio").hidden = true;
      find("empty").hidden = false;
      find("choose").focus();
    } else find("strip").querySelector('[aria-current="true"]')?.focus();
    const timer = setTimeout(() => gone.forEach((item) => item.close()), UNDO_MS);
    say(gone.length === 1 ? `${gone[0].name} is removed.` : `${gone.length} pictures are removed.`, "Undo", () => {
      clearTimeout(timer);
      for (const item of gone) keep(item.key, item.file).catch(() => {});
      this.items = [...this.items, ...gone].sort((a, b) => a.key - b.key);
      find("empty").hidden = true;
      find("studio").hidden = false;
      this.select(gone[0]);
    });
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
    this.picker.show(item?.address ?? null, (style) => item?.seen(style)?.address ?? null);
    this.#fillStrip();
    const painted = this.items.filter((other) => other.paintings.has(this.style));
    find("download").disabled = find("share").disabled = item === null || !item.paintings.has(this.style);
    find("download-all").hidden = find("clear").hidden = this.items.length < 2;
    find("download-all").disabled = painted.length === 0;
  }

  #show(item) {
    if (item === null) return;
    const painting = item.paintings.get(this.style) ?? null;
    const problem = this.#problem(item);
    const waits = problem === null && painting === null;
    const part = item.part?.style === this.style ? item.part : null;
    const seen = item.seen(this.style) ?? part;
    let busy = null;
    if (problem !== null) busy = problem === CANCELLED ? "Cancelled" : `It cannot be painted: ${problem}`;
    else if (item.photo === null) busy = "Opening…";
    else if (waits) busy = this.#progressOf(item);
    this.compare.show({
      subject: item,
      photo: item.address,
      painted: seen?.address ?? null,
      kept: painting?.kept?.address ?? null,
      width: item.width ?? 4,
      height: item.height ?? 3,
      busy,
      failed: problem !== null,
      draft: waits && seen !== null,
    });
    find("retry").hidden = problem === null;
    find("cancel").hidden = !waits || item.photo === null;
  }

  /** How far the painting of a picture is, in words. */
  #progressOf(item) {
    const verb = item.drafts.has(this.style) ? "Finishing" : "Painting";
    const run = this.running;
    if (run?.item !== item || run.style !== this.style) return `${verb}…`;
    const passed_ms = performance.now() - run.began;
    const whole_ms = item.share > 0 ? passed_ms / item.share : run.expected_ms;
    const left_s = Math.ceil((whole_ms - passed_ms) / 1000);
    const percent = item.share > 0 ? ` ${Math.round(item.share * 100)} %` : "";
    if (!(left_s >= 1)) return `${verb}…${percent}`;
    return `${verb}…${percent}${percent ? "," : ""} ${left_s} s left`;
  }

  /** What is to be painted, most urgent first: what is looked at, its other styles, the other pictures. */
  #wanted() {
    const item = this.current;
    if (item?.photo) {
      const draft = (style) => item.large && !item.drafts.has(style);
      if (this.#problem(item) === null && !item.paintings.has(this.style)) {
        return { item, style: this.style, task: draft(this.style) ? "draft" : "paint", rank: 0 };
      }
      for (const style of this.picker.images.keys()) {
        const done = item.seen(style) || item.failures.has(style) || item.passed.has(style);
        if (!done) return { item, style, task: item.large ? "draft" : "paint", rank: 1 };
      }
    }
    const other = this.items.find(
      (one) => one.photo && this.#problem(one) === null && !one.paintings.has(this.style),
    );
    return other ? { item: other, style: this.style, task: "paint", rank: 2 } : null;
  }

  async #paintNext() {
    const wanted = this.#wanted();
    if (this.running !== null) {
      const { item, style, task } = this.running;
      const same = item === wanted?.item && style === wanted.style && task === wanted.task;
      const useful = item === this.current ? 1 : style === this.style ? 2 : 3;
      if (wanted !== null && !same && wanted.rank < useful) this.running.abort.abort();
      return; // it calls update when it ends
    }
    if (wanted === null) return;
    const { item, style, task, rank } = wanted;
    const run = { ...wanted, abort: new AbortController(), began: performance.now() };
    const megapixels = (item.width * item.height) / 1e6;
    // Before any painting of full size is done, its draft tells how quick this machine is.
    const guess_ms = item.draft_ms ? item.draft_ms * (1 + 0.06 * megapixels) : NaN;
    run.expected_ms = (this.pace[task] ?? NaN) * (task === "draft" ? 1 : megapixels) || guess_ms;
    this.running = run;
    item.share = 0;
    try {
      const source = task === "draft" ? item.photo : item.file;
      const blob = await engine[task](source, style, {
        signal: run.abort.signal,
        draft: item.drafts.get(style)?.blob ?? null,
        progress: (share, part) => {
          item.share = share;
          if (part) item.takePart(style, part);
          if (item === this.current) this.#show(item);
        },
      });
      const took_ms = performance.now() - run.began;
      this.pace[task] = took_ms / (task === "draft" ? 1 : megapixels);
      item.take(task === "draft" ? "drafts" : "paintings", style, blob);
      if (task === "draft") item.draft_ms = took_ms;
      else {
        if (rank === 0 && item === this.current) whisper(`${item.name} is painted in the style ${style}.`);
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        if (rank === 1 && style !== this.style) item.passed.add(style);
        else {
          item.failures.set(style, reasonOf(error));
          this.#fail(item, reasonOf(error));
        }
      }
    }
    item.share = 0;
    item.takePart();
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
      await item.keepColours(this.style);
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
      const address = item.seen(this.style)?.address ?? item.address;
      if (address === null) image.removeAttribute("src");
      else if (image.src !== address) image.src = address;
      pick.setAttribute("aria-current", String(item === this.current));
      pick.setAttribute("aria-label", `${item.name}, ${index + 1} of ${this.items.length}`);
      remove.setAttribute("aria-label", `Remove ${item.name}`);
      const state = pick.querySelector(".state");
      state.hidden = item.paintings.has(this.style);
      state.textContent = this.#problem(item) === CANCELLED ? "cancelled" : this.#problem(item) !== null ? "failed" : this.running?.item === item ? "painting" : "waiting";
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
  export(item) {
    const [strength, keep] = [find("strength").value / 100, find("keep").value / 100];
    return exported(item, this.style, { format: find("format").value, strength, keep });
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
    try {
      const painted = this.items.filter((item) => item.paintings.has(this.style));
      const files = [];
      for (const item of painted) files.push(await this.export(item)); // one after the other: memory
      save(await zip(apart(files)), "sakuga.zip");
    } catch (error) {
      say(`They cannot be saved: ${error.message}`);
    }
  }
}

function reasonOf(error) {
  return error.message || "this browser cannot show it";
}
