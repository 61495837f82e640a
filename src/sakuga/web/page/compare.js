// The photo and the painting on top of each other, with a divider to drag; zoom to 100 %.

const HTML = `
  <div class="viewport" tabindex="-1">
    <div class="layers">
      <img class="photo" alt="The photo" draggable="false">
      <div class="painted-side">
        <img class="painted" alt="The painting" draggable="false">
        <img class="kept" alt="" draggable="false">
      </div>
    </div>
  </div>
  <input class="split" type="range" min="0" max="1000" value="500"
    aria-label="Divider: photo to its left, painting to its right">
  <div class="knob"></div>
  <span class="tag left" aria-hidden="true">Photo</span>
  <span class="tag right" aria-hidden="true">Anime</span>
  <button class="zoom" type="button" aria-pressed="false">100 %</button>
  <p class="busy" hidden></p>`;

export class Compare {
  /** Build it into an element. */
  constructor(place) {
    this.box = document.createElement("div");
    this.box.className = "compare waiting";
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", "Photo and painting");
    this.box.innerHTML = HTML;
    place.append(this.box);
    const find = (name) => this.box.querySelector(`.${name}`);
    this.viewport = find("viewport");
    this.layers = find("layers");
    this.photo = find("photo");
    this.side = find("painted-side");
    this.painted = find("painted");
    this.kept = find("kept");
    this.split = find("split");
    this.busy = find("busy");
    this.zoom = find("zoom");
    this.strength = 1;
    this.keep = 0;
    this.split.addEventListener("input", () => this.#place());
    this.viewport.addEventListener("scroll", () => this.#place());
    this.zoom.addEventListener("click", () => this.#toggleZoom());
    new ResizeObserver(() => this.#place()).observe(this.box);
  }

  /** Show a picture: `photo`, `painted` and `kept` are addresses; null: not there yet. `busy` says why. */
  show({ photo, painted, kept, width, height, busy, failed }) {
    this.width = width;
    this.height = height;
    this.box.style.setProperty("--ratio", width / height);
    set(this.photo, photo);
    set(this.painted, painted);
    set(this.kept, kept);
    this.box.classList.toggle("waiting", painted === null);
    this.box.classList.toggle("failed", failed);
    this.busy.hidden = !busy;
    this.busy.textContent = busy ?? "";
    this.zoom.hidden = painted === null;
    this.#blend();
    this.#size();
  }

  /** Blend, without painting again: strength and keep are from 0 to 1. */
  blend(strength, keep) {
    this.strength = strength;
    this.keep = keep;
    this.#blend();
  }

  // The browser's compositor does on the screen what blending.js does for the file.
  #blend() {
    this.side.style.opacity = this.painted.hidden ? 0 : this.strength;
    this.kept.style.opacity = this.keep;
  }

  #toggleZoom() {
    const full = this.box.classList.toggle("full");
    this.zoom.setAttribute("aria-pressed", String(full));
    this.zoom.textContent = full ? "Fit" : "100 %";
    this.viewport.tabIndex = full ? 0 : -1;
    if (full) this.viewport.setAttribute("aria-label", "The picture at full size");
    else this.viewport.removeAttribute("aria-label");
    this.#size();
    if (full) {
      this.viewport.scrollLeft = (this.viewport.scrollWidth - this.viewport.clientWidth) / 2;
      this.viewport.scrollTop = (this.viewport.scrollHeight - this.viewport.clientHeight) / 2;
    }
  }

  #size() {
    const full = this.box.classList.contains("full");
    // One pixel of the picture is one of the screen.
    this.layers.style.width = full ? `${this.width / devicePixelRatio}px` : "";
    this.layers.style.height = full ? `${this.height / devicePixelRatio}px` : "";
    this.#place();
  }

  #place() {
    const share = this.split.value / 1000;
    this.box.style.setProperty("--split", `${share * 100}%`);
    const left = this.viewport.scrollLeft + share * this.viewport.clientWidth;
    this.side.style.clipPath = `inset(0 0 0 ${left}px)`;
    this.split.setAttribute("aria-valuetext", `${Math.round((1 - share) * 100)} % painting`);
  }
}

function set(image, address) {
  image.hidden = address === null;
  if (address === null) image.removeAttribute("src");
  else if (image.src !== address) image.src = address;
}
