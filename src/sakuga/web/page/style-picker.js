// Styles as the user's own picture, painted in each.

/** Fill a place with radio buttons, one a style; `change` hears the name of the chosen one. */
export function fillStyles(place, styles, first, change, group = "style") {
  const images = new Map();
  for (const style of styles) {
    const label = document.createElement("label");
    label.className = "style";
    label.innerHTML = `<input type="radio"><img alt="" draggable="false"><span></span>`;
    const input = label.querySelector("input");
    input.name = group;
    input.value = style.name;
    input.checked = style.name === first;
    input.addEventListener("change", () => change(style.name));
    const description = document.createElement("small");
    description.textContent = style.description;
    label.querySelector("span").append(style.name, description);
    images.set(style.name, label.querySelector("img"));
    place.append(label);
  }
  return new Tiles(images);
}

/** Fill a select element. */
export function fillSelect(select, styles, first) {
  for (const { name } of styles) select.add(new Option(name, name, name === first, name === first));
}

class Tiles {
  constructor(images) {
    this.images = images;
    this.glass = document.createElement("img"); // a tile enlarged
    this.glass.className = "glass";
    this.glass.alt = "";
    this.glass.hidden = true;
    document.body.append(this.glass);
    for (const image of images.values()) this.#enlarge(image.parentElement, image);
  }

  /** Show what `address` gives for each style, painted or not yet: `photo`. */
  show(photo, address) {
    for (const [style, image] of this.images) {
      const painted = address(style);
      image.parentElement.classList.toggle("unpainted", painted === null && photo !== null);
      const source = painted ?? photo;
      if (source === null) image.removeAttribute("src");
      else if (image.src !== source) image.src = source;
    }
  }

  /** A mouse that rests on a tile, or a finger, shows it large until it leaves. */
  #enlarge(label, image) {
    let timer = null;
    const leave = () => {
      clearTimeout(timer);
      this.glass.hidden = true;
    };
    const wait = (delay_ms) => {
      leave();
      timer = setTimeout(() => {
        if (!image.src || label.classList.contains("unpainted")) return;
        this.glass.src = image.src;
        this.glass.hidden = false;
      }, delay_ms);
    };
    label.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && wait(700));
    label.addEventListener("pointerdown", (event) => (event.pointerType === "mouse" ? leave() : wait(450)));
    label.addEventListener("contextmenu", (event) => event.preventDefault()); // a long press
    for (const name of ["pointerleave", "pointerup", "pointercancel"]) label.addEventListener(name, leave);
  }
}
