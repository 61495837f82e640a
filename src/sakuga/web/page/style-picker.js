// Styles as thumbnails of the user's own picture.

import { engine } from "./engine.js";

const SIDE = 224; // pixels of the longer side of a thumbnail

/** Fill a place with radio buttons, one a style; `change` hears the name of the chosen one. */
export function fillStyles(place, styles, first, change) {
  const images = new Map();
  for (const style of styles) {
    const label = document.createElement("label");
    label.className = "style";
    label.title = style.description;
    label.innerHTML = `<input type="radio" name="style"><img alt=""><span></span>`;
    const input = label.querySelector("input");
    input.value = style.name;
    input.checked = style.name === first;
    input.addEventListener("change", () => change(style.name));
    label.querySelector("span").textContent = style.name;
    images.set(style.name, label.querySelector("img"));
    place.append(label);
  }
  return new Thumbnails(images);
}

/** Fill a select element. */
export function fillSelect(select, styles, first) {
  for (const { name } of styles) select.add(new Option(name, name, name === first, name === first));
}

/** Paints the thumbnails while nothing more important is painted. */
class Thumbnails {
  constructor(images) {
    this.images = images;
    this.item = null;
    this.todo = [];
    this.held = false;
    this.busy = false;
  }

  paintThumbnails(item) {
    this.item = item;
    this.todo = [...this.images.keys()];
    for (const image of this.images.values()) show(image, item.address);
    this.#next();
  }

  /** Show nothing: the picture cannot be shown, or not yet. */
  clear() {
    this.item = null;
    this.todo = [];
    for (const image of this.images.values()) show(image, null);
  }

  hold() {
    this.held = true;
  }

  goOn() {
    this.held = false;
    this.#next();
  }

  async #next() {
    if (this.held || this.busy || this.todo.length === 0) return;
    const [item, style] = [this.item, this.todo.shift()];
    this.busy = true;
    try {
      item.small ??= await shrink(item.photo);
      const painted = await engine.paint(item.small, style);
      if (item === this.item) show(this.images.get(style), URL.createObjectURL(painted), true);
    } catch {
      // The photo stays as the thumbnail; the painting itself will say what is wrong.
    }
    this.busy = false;
    this.#next();
  }
}

/** Show the photo (its address belongs to the item), a thumbnail (its address is ours), or nothing. */
function show(image, address, own = false) {
  if (image.dataset.own) URL.revokeObjectURL(image.dataset.own);
  image.dataset.own = own ? address : "";
  if (address === null) image.removeAttribute("src");
  else image.src = address;
}

async function shrink(photo) {
  const bitmap = await createImageBitmap(photo);
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  );
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.convertToBlob({ type: "image/png" });
}
