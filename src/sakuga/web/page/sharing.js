// The dialog that makes what people pass on, and gives it to another app, the clipboard or a file.

import { Calls } from "./calls.js";
import { say } from "./messages.js";
import { save } from "./saving.js";

const ASPECTS = { own: null, square: 1, portrait: 4 / 5, tall: 9 / 16 }; // width / height
const ENDINGS = { "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "video/mp4": "mp4" };
const find = (id) => document.getElementById(id);

export class Sharing {
  constructor() {
    this.worker = new Calls(new Worker("share-worker.js", { type: "module" }));
    this.made = null; // {file}, of what is chosen now
    this.turn = 0; // of the choice that is being made; what an older one gives is dropped
    find("share-form").addEventListener("change", () => this.#make());
    find("share-send").addEventListener("click", () => this.#send());
    find("share-copy").addEventListener("click", () => this.#copy());
    find("share-save").addEventListener("click", () => save(this.made, this.made.name));
    find("share-close").addEventListener("click", () => find("share-dialog").close());
    find("share-dialog").addEventListener("close", () => this.#clear());
    this.worker.call({ task: "videos" }).then(({ able }) => (find("share-mp4").hidden = !able));
  }

  /** Open it for a picture: `anime` is a promise of the painting as it is seen, as {name, blob}. */
  async open(photo, anime) {
    find("share-dialog").showModal();
    this.photo = photo;
    this.anime = anime;
    await this.#make();
  }

  #chosen() {
    const what = new FormData(find("share-form")).get("what");
    find("shapes").disabled = what === "picture"; // and then no part of what the form says
    const form = new FormData(find("share-form"));
    return { what, aspect: ASPECTS[form.get("shape")], name: form.get("name") !== null };
  }

  async #make() {
    const turn = ++this.turn;
    const { what, aspect, name } = this.#chosen();
    this.#show(null);
    find("share-busy").textContent = "Making it…";
    try {
      const painted = await this.anime;
      const stem = painted.name.replace(/\.[^.]*$/, "");
      let blob = painted.blob;
      if (what !== "picture") {
        ({ blob } = await this.worker.call({ task: what, photo: this.photo, anime: blob, aspect, name }));
      }
      if (turn !== this.turn) return;
      const suffix = { picture: "", pair: "-before-after", gif: "-wipe", mp4: "-wipe" }[what];
      this.#show(new File([blob], `${stem}${suffix}.${ENDINGS[blob.type]}`, { type: blob.type }));
      find("share-busy").textContent = "";
    } catch (error) {
      if (turn === this.turn) find("share-busy").textContent = `It cannot be made: ${error.message}`;
    }
  }

  #show(file) {
    this.made = file;
    const video = file?.type.startsWith("video/") ?? false;
    URL.revokeObjectURL(this.address);
    this.address = file ? URL.createObjectURL(file) : "";
    for (const [id, wanted] of [["share-picture", !video], ["share-video", video]]) {
      find(id).hidden = !(file && wanted);
      if (file && wanted) find(id).src = this.address;
      else find(id).removeAttribute("src");
    }
    // Sharing must begin in the click itself, so the file is ready before.
    const shares = file !== null && (navigator.canShare?.({ files: [file] }) ?? false);
    find("share-send").hidden = !shares;
    find("share-copy").hidden = shares || file === null || !file.type.startsWith("image/") || file.type === "image/gif" || !navigator.clipboard?.write;
    find("share-save").disabled = file === null;
  }

  #clear() {
    this.turn++;
    this.#show(null);
  }

  async #send() {
    try {
      await navigator.share({ files: [this.made], title: "Sakuga" });
    } catch (error) {
      if (error.name !== "AbortError") say(`It cannot be shared: ${error.message}`);
    }
  }

  async #copy() {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(this.made) })]);
      say("Copied; paste it anywhere.");
    } catch (error) {
      say(`It cannot be copied: ${error.message}`);
    }
  }
}

/** Clipboards take PNG only. */
async function asPng(file) {
  if (file.type === "image/png") return file;
  const bitmap = await createImageBitmap(file);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
